//! The server profiles: everything in which the servers decide differently stands in this file.

use crate::policy::model::Policy;
use crate::policy::syntax::Dialect;
use crate::vault::{Capability, CapabilitySet, Operation};
use std::fmt;
use std::str::FromStr;

/// A server, as far as it matters for decisions: the group of versions that decide as it does, the version that was asked
/// for, and its switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Profile {
    kind: Kind,
    /// The version asked for, where one was.
    version: Option<Version>,
    switches: &'static Switches,
    /// Nothing says that it is this one.
    assumed: bool,
}

/// A group of server versions that decide alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Vault10,
    Vault112,
    Vault113,
    Vault121,
    Vault203,
    Vault222,
    OpenBao20,
    OpenBao26,
}

/// How a LIST of `path/` is looked up among the patterns, after the exact look-ups of `path/` and `path`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListRule {
    /// Patterns are matched against `path/` only.
    SlashOnly,
    /// `path` first; `path/` only where nothing matches.
    BareThenSlash,
    /// Both at once: a deny that outranks every stanza granting list wins; else the strongest that grants it; else the strongest.
    Together,
    /// `path/` first; `path` only where nothing matches.
    SlashThenBare,
}

impl ListRule {
    /// Those of all versions.
    pub const ALL: [Self; 4] = [
        Self::SlashOnly,
        Self::BareThenSlash,
        Self::Together,
        Self::SlashThenBare,
    ];
}

/// How a parameter value is compared with a list of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueRule {
    /// The value as a whole.
    Whole,
    /// Also element by element: lists, and strings split at commas.
    Elements,
}

/// Which values a template may put into a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateRule {
    /// Those that hold `*` or `+`.
    pub wildcards: bool,
    /// Those that hold `/`.
    pub slashes: bool,
}

impl TemplateRule {
    /// Any value.
    pub const ANY: Self = Self {
        wildcards: true,
        slashes: true,
    };

    /// What either takes.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            wildcards: self.wildcards || other.wildcards,
            slashes: self.slashes || other.slashes,
        }
    }

    /// Whether the value may stand in a path.
    #[must_use]
    pub fn takes(self, value: &str) -> bool {
        (self.wildcards || !value.contains(['*', '+'])) && (self.slashes || !value.contains('/'))
    }
}

/// Switches of a server that change its decisions; as servers come, none is set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Switches {
    /// Vault's `deny_slash_in_templated_paths`.
    pub deny_slash_in_templated_paths: bool,
    /// `OpenBao`'s `allow_slashes_in_identity_templates`: the policies that have it.
    pub allow_slashes: Vec<PolicyMatch>,
    /// `OpenBao`'s `allow_wildcards_in_identity_templates`: the policies that have it.
    pub allow_wildcards: Vec<PolicyMatch>,
}

/// Policies by namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyMatch {
    /// The namespace, `""` or `a/`; none for any.
    pub namespace: Option<String>,
    /// The name; a `*` at its end for any rest.
    pub name: String,
}

impl PolicyMatch {
    fn fits(&self, namespace: &str, name: &str) -> bool {
        let named = match self.name.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == self.name,
        };
        named && self.namespace.as_deref().is_none_or(|n| n == namespace)
    }
}

static NO_SWITCHES: Switches = Switches {
    deny_slash_in_templated_paths: false,
    allow_slashes: Vec::new(),
    allow_wildcards: Vec::new(),
};

/// How well it is known that a server decides as its profile does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Held equal to the servers' own code.
    Verified,
    /// Written after the notes and advisories of those versions, and never run.
    ReleaseNotes,
    /// The version is newer than the newest that was verified.
    Newer(Version),
    /// The version is older than the oldest that was verified.
    Older(Version),
}

#[allow(
    non_upper_case_globals,
    reason = "they read as the names of the profiles, wherever a profile is chosen or compared"
)]
impl Profile {
    /// Vault before 1.1, where `+` is no wildcard.
    pub const Vault10: Self = Self::of(Kind::Vault10);
    /// Vault from 1.1, before 1.13.10, 1.14.6 and 1.15.1.
    pub const Vault112: Self = Self::of(Kind::Vault112);
    /// Vault from those to 1.20.
    pub const Vault113: Self = Self::of(Kind::Vault113);
    /// Vault 1.21.0 to 2.0.2: lists of parameters by element, no key twice.
    pub const Vault121: Self = Self::of(Kind::Vault121);
    /// Vault 2.0.3 to 2.2.1.
    pub const Vault203: Self = Self::of(Kind::Vault203);
    /// Vault from 2.2.2: `deny` covers other spellings of a path in upper and lower case; after its release notes.
    pub const Vault222: Self = Self::of(Kind::Vault222);
    /// `OpenBao` 2.0 to 2.5: decides as [`Profile::Vault113`] and knows `scan`.
    pub const OpenBao20: Self = Self::of(Kind::OpenBao20);
    /// `OpenBao` from 2.6.
    pub const OpenBao26: Self = Self::of(Kind::OpenBao26);

    /// Every profile.
    pub const ALL: [Self; 8] = [
        Self::Vault10,
        Self::Vault112,
        Self::Vault113,
        Self::Vault121,
        Self::Vault203,
        Self::Vault222,
        Self::OpenBao20,
        Self::OpenBao26,
    ];
}

impl Default for Profile {
    /// The newest that was verified.
    fn default() -> Self {
        Self::Vault203
    }
}

impl Profile {
    /// The oldest version of Vault whose decisions were seen.
    const OLDEST_VAULT: Version = Version::new(1, 8, 0);
    /// The newest version of Vault whose own code was run.
    const NEWEST_VAULT: Version = Version::new(2, 0, 3);
    /// The newest version of `OpenBao` that was run.
    const NEWEST_OPENBAO: Version = Version::new(2, 6, 2);

    const fn of(kind: Kind) -> Self {
        Self {
            kind,
            version: None,
            switches: &NO_SWITCHES,
            assumed: false,
        }
    }

    /// The server that is taken where nothing says which it is.
    #[must_use]
    pub fn assumed() -> Self {
        Self {
            assumed: true,
            ..Self::default()
        }
    }

    /// Whether nothing says which server it is.
    #[must_use]
    pub const fn is_assumed(self) -> bool {
        self.assumed
    }

    /// The same server with these switches, kept until the program ends.
    #[must_use]
    pub fn with_switches(self, switches: Switches) -> Self {
        let switches: &'static Switches = if switches == NO_SWITCHES {
            &NO_SWITCHES
        } else {
            Box::leak(Box::new(switches))
        };
        Self { switches, ..self }
    }

    /// The same server with the switches of another.
    #[must_use]
    pub const fn with_switches_of(self, other: Self) -> Self {
        Self {
            switches: other.switches,
            ..self
        }
    }

    /// The word of `--server` for the group of versions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self.kind {
            Kind::Vault10 => "vault-1.0",
            Kind::Vault112 => "vault-1.12",
            Kind::Vault113 => "vault-1.13",
            Kind::Vault121 => "vault-1.21",
            Kind::Vault203 => "vault-2.0.3",
            Kind::Vault222 => "vault-2.2.2",
            Kind::OpenBao20 => "openbao-2.0",
            Kind::OpenBao26 => "openbao-2.6",
        }
    }

    /// The versions it stands for, in words.
    #[must_use]
    pub const fn servers(self) -> &'static str {
        match self.kind {
            Kind::Vault10 => "Vault before 1.1",
            Kind::Vault112 => "Vault from 1.1, before 1.13.10, 1.14.6 and 1.15.1",
            Kind::Vault113 => "Vault from 1.13.10, 1.14.6 and 1.15.1 to 1.20",
            Kind::Vault121 => "Vault 1.21.0 to 2.0.2",
            Kind::Vault203 => "Vault 2.0.3 to 2.2.1",
            Kind::Vault222 => "Vault from 2.2.2",
            Kind::OpenBao20 => "OpenBao 2.0 to 2.5",
            Kind::OpenBao26 => "OpenBao from 2.6",
        }
    }

    /// How well it is known that the server decides so.
    #[must_use]
    pub fn standing(self) -> Standing {
        if let Some(version) = self.version {
            let newest = if self.is_openbao() {
                Self::NEWEST_OPENBAO
            } else {
                Self::NEWEST_VAULT
            };
            if version.is_after(newest) && version != Version::new(2, 2, 2) {
                return Standing::Newer(version);
            }
            if !self.is_openbao() && Self::OLDEST_VAULT.is_after(version) {
                return Standing::Older(version);
            }
            if self.is_patched() {
                return Standing::ReleaseNotes;
            }
        }
        match self.kind {
            Kind::Vault10 | Kind::Vault222 => Standing::ReleaseNotes,
            _ => Standing::Verified,
        }
    }

    /// What a reader of any output has to know of the server, where its decisions are not verified.
    #[must_use]
    pub fn caveat(self) -> Option<String> {
        match self.standing() {
            Standing::Verified => None,
            Standing::ReleaseNotes => Some("after its release notes, not verified on a server".to_owned()),
            Standing::Newer(version) => Some(format!(
                "{version} is newer than {}, the newest that was verified, and may decide otherwise",
                if self.is_openbao() {
                    Self::NEWEST_OPENBAO
                } else {
                    Self::NEWEST_VAULT
                }
            )),
            Standing::Older(version) => Some(format!(
                "{version} is older than {}, the oldest that was verified, and may decide otherwise",
                Self::OLDEST_VAULT
            )),
        }
    }

    /// The sentence that stands in every output where the decisions are not verified.
    #[must_use]
    pub fn note(self) -> Option<String> {
        let caveat = self.caveat()?;
        Some(format!("decided as {}: {caveat}", self.as_str()))
    }

    /// Whether the server is `OpenBao`.
    #[must_use]
    pub const fn is_openbao(self) -> bool {
        matches!(self.kind, Kind::OpenBao20 | Kind::OpenBao26)
    }

    /// Whether `+` stands for a segment; it came with Vault 1.1.
    #[must_use]
    pub const fn knows_plus(self) -> bool {
        !matches!(self.kind, Kind::Vault10)
    }

    /// Whether an explicit `deny` matches other spellings of a path in upper and lower case as well. The order of strength
    /// stays as it is. What the release notes do not say is which of two patterns decides that differ in nothing else.
    #[must_use]
    pub fn deny_ignores_case(self) -> bool {
        self.brings(&DENY_IGNORES_CASE, matches!(self.kind, Kind::Vault222))
    }

    /// Whether the version that was asked for has a change that its line had not at first; where none was, what `group` says.
    fn brings(self, since: &[Version], group: bool) -> bool {
        match self.version {
            Some(version) if !self.is_openbao() => version.has_what_came_with(since),
            _ => group,
        }
    }

    /// Whether the version is a late patch that changes of later versions were carried back to.
    fn is_patched(self) -> bool {
        let group = matches!(self.kind, Kind::Vault203 | Kind::Vault222);
        !group && self.brings(&NO_WILDCARDS_IN_VALUES, false)
    }

    /// The look-up rule of an operation on `path/`; none where the operation looks the path up as it is.
    #[must_use]
    pub const fn list_rule(self, operation: Operation) -> Option<ListRule> {
        match (operation, self.kind) {
            (Operation::List, Kind::Vault10 | Kind::Vault112) => Some(ListRule::SlashOnly),
            (Operation::List, Kind::Vault113 | Kind::Vault121 | Kind::OpenBao20) => Some(ListRule::BareThenSlash),
            (Operation::List, Kind::Vault203 | Kind::Vault222) => Some(ListRule::Together),
            (Operation::List | Operation::Scan, Kind::OpenBao26) => Some(ListRule::SlashThenBare),
            (Operation::Scan, Kind::OpenBao20) => Some(ListRule::SlashOnly),
            _ => None,
        }
    }

    /// The capability that an operation needs on these servers; none where it is always denied (or, for help, allowed).
    #[must_use]
    pub const fn capability(self, operation: Operation) -> Option<Capability> {
        match operation {
            Operation::Scan if !self.is_openbao() => None,
            Operation::Recover if self.is_openbao() || matches!(self.kind, Kind::Vault10 | Kind::Vault112) => None,
            _ => operation.capability(),
        }
    }

    /// How parameter values are compared.
    #[must_use]
    pub const fn value_rule(self) -> ValueRule {
        match self.kind {
            Kind::Vault121 | Kind::Vault203 | Kind::Vault222 => ValueRule::Elements,
            Kind::Vault10 | Kind::Vault112 | Kind::Vault113 | Kind::OpenBao20 | Kind::OpenBao26 => ValueRule::Whole,
        }
    }

    /// Whether the values of this parameter (its name lower-cased) are lower-cased before they are compared.
    #[must_use]
    pub fn lower_cases_values_of(self, parameter: &str) -> bool {
        matches!(self.kind, Kind::Vault203 | Kind::Vault222) && matches!(parameter, "policies" | "token_policies")
    }

    /// Which values a template of this policy may put into a path.
    #[must_use]
    pub fn template_rule(self, policy: &Policy) -> TemplateRule {
        self.template_rule_of(&policy.namespace, &policy.name)
    }

    fn template_rule_of(self, namespace: &str, name: &str) -> TemplateRule {
        let switched = |all: &[PolicyMatch]| all.iter().any(|one| one.fits(namespace, name));
        let slashes = !self.switches.deny_slash_in_templated_paths;
        match self.kind {
            Kind::Vault10 | Kind::Vault112 | Kind::Vault113 | Kind::Vault121 | Kind::Vault203 | Kind::Vault222 => {
                let refused = matches!(self.kind, Kind::Vault203 | Kind::Vault222);
                TemplateRule {
                    wildcards: !self.brings(&NO_WILDCARDS_IN_VALUES, refused),
                    slashes,
                }
            }
            Kind::OpenBao20 => TemplateRule::ANY,
            Kind::OpenBao26 => TemplateRule {
                wildcards: switched(&self.switches.allow_wildcards),
                slashes: switched(&self.switches.allow_slashes),
            },
        }
    }

    /// Whether the root policy reaches other namespaces than its own and those below it.
    #[must_use]
    pub const fn root_is_everywhere(self) -> bool {
        !self.is_openbao()
    }

    /// What the parser of policies accepts, in any edition of these servers: for policies that are in force somewhere.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        self.community_dialect().any_edition()
    }

    /// What the parser of the community edition accepts: for policies that are being written.
    #[must_use]
    pub const fn community_dialect(self) -> Dialect {
        match self.kind {
            Kind::Vault10 => Dialect {
                segment_wildcards: false,
                ..Dialect::VAULT_BASE
            },
            Kind::Vault112 => Dialect::VAULT_BASE,
            Kind::Vault113 => Dialect {
                repeated_keys: true,
                ..Dialect::VAULT
            },
            Kind::Vault121 | Kind::Vault203 | Kind::Vault222 => Dialect::VAULT,
            Kind::OpenBao20 | Kind::OpenBao26 => Dialect::OPENBAO,
        }
    }

    /// Capabilities that the profile's servers know, and the version that was asked for does not; empty where none was.
    #[must_use]
    pub fn capabilities_to_come(self) -> CapabilitySet {
        let Some(version) = self.version.filter(|_| !self.is_openbao()) else {
            return CapabilitySet::EMPTY;
        };
        INTRODUCED
            .into_iter()
            .filter(|(_, since)| since.is_after(version))
            .map(|(capability, _)| capability)
            .collect()
    }

    /// The version that was asked for.
    #[must_use]
    pub const fn version(self) -> Option<Version> {
        self.version
    }

    fn of_vault(version: Version) -> Self {
        let slash_since = match (version.major, version.minor()) {
            (1, 13) => version.patch() >= 10,
            (1, 14) => version.patch() >= 6,
            (1, 15) => version.patch() >= 1,
            (major, minor) => (major, minor) > (1, 15),
        };
        let kind = match version.key() {
            v if v >= (2, 2, 2) => Kind::Vault222,
            v if v >= (2, 0, 3) => Kind::Vault203,
            v if v >= (1, 21, 0) => Kind::Vault121,
            _ if slash_since => Kind::Vault113,
            v if v >= (1, 1, 0) => Kind::Vault112,
            _ => Kind::Vault10,
        };
        Self {
            version: Some(version),
            ..Self::of(kind)
        }
    }

    fn of_openbao(version: Version) -> Self {
        let kind = if version.key() >= (2, 6, 0) {
            Kind::OpenBao26
        } else {
            Kind::OpenBao20
        };
        Self {
            version: Some(version),
            ..Self::of(kind)
        }
    }

    /// Of a product, `vault` or `openbao`, and its version; none where the product or the version is not known.
    #[must_use]
    pub fn of_server(product: &str, version: &str) -> Option<Self> {
        let version = Version::parse(version)?;
        match product {
            "vault" => Some(Self::of_vault(version)),
            "openbao" | "bao" => Some(Self::of_openbao(version)),
            _ => None,
        }
    }
}

/// Where values of templates with `*` or `+` came to be refused: the first patch of each line that has it, the oldest line first.
/// The important changes of Vault's documentation name them.
const NO_WILDCARDS_IN_VALUES: [Version; 4] = [
    Version::new(1, 19, 17),
    Version::new(1, 20, 11),
    Version::new(1, 21, 6),
    Version::new(2, 0, 1),
];

/// Where `deny` came to look at no case, as [`NO_WILDCARDS_IN_VALUES`]; the advisory CVE-2026-93335 names them.
const DENY_IGNORES_CASE: [Version; 3] = [Version::new(1, 19, 25), Version::new(1, 21, 14), Version::new(2, 2, 2)];

/// Capabilities that came later than the profile whose servers know them.
const INTRODUCED: [(Capability, Version); 3] = [
    (Capability::Patch, Version::new(1, 9, 0)),
    (Capability::Subscribe, Version::new(1, 15, 0)),
    (Capability::Recover, Version::new(1, 20, 0)),
];

impl fmt::Display for Profile {
    /// The word, and what is not known of its server: so that no output can leave it out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        match self.caveat() {
            Some(caveat) => write!(f, " ({caveat})"),
            None => Ok(()),
        }
    }
}

/// The word names no server that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a server profile; known are {known}, and versions such as `vault@1.16.3` or `openbao@2.5.1`", known = known_words())]
pub struct UnknownProfile(pub String);

fn known_words() -> String {
    let words: Vec<String> = Profile::ALL.iter().map(|p| format!("`{}`", p.as_str())).collect();
    words.join(", ")
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let word = word.trim();
        if let Some(profile) = Self::ALL.into_iter().find(|p| p.as_str() == word) {
            return Ok(profile);
        }
        let unknown = || UnknownProfile(word.to_owned());
        let (product, version) = word.split_once('@').ok_or_else(unknown)?;
        Self::of_server(product, version).ok_or_else(unknown)
    }
}

/// A server version. A part that is not given counts as the newest: `1.15` is the last 1.15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: Option<u32>,
    patch: Option<u32>,
}

impl Version {
    const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor: Some(minor),
            patch: Some(patch),
        }
    }

    fn minor(self) -> u32 {
        self.minor.unwrap_or(u32::MAX)
    }

    fn patch(self) -> u32 {
        self.patch.unwrap_or(u32::MAX)
    }

    fn key(self) -> (u32, u32, u32) {
        (self.major, self.minor(), self.patch())
    }

    /// Whether it comes after `other`, as far as its parts are given.
    fn is_after(self, other: Self) -> bool {
        let part = |own: Option<u32>, others: Option<u32>| own.or(others).unwrap_or(u32::MAX);
        let own = (self.major, part(self.minor, other.minor), part(self.patch, other.patch));
        own > (
            other.major,
            part(other.minor, self.minor),
            part(other.patch, self.patch),
        )
    }

    /// Whether it has a change that came with these patches of their lines, the oldest line first, and with all that is newer
    /// than the last of them.
    fn has_what_came_with(self, patches: &[Self]) -> bool {
        let line = |version: &Self| (version.major, version.minor());
        match patches.iter().find(|first| line(first) == line(&self)) {
            Some(first) => self.patch() >= first.patch(),
            None => patches.last().is_some_and(|newest| line(newest) < line(&self)),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let number = text.split(['+', '-']).next()?;
        let mut parts = number.split('.');
        let major = parts.next()?.parse().ok()?;
        let mut part = || parts.next().map(str::parse::<u32>).transpose().ok();
        let (minor, patch) = (part()?, part()?);
        parts.next().is_none().then_some(Self { major, minor, patch })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.major)?;
        for part in [self.minor, self.patch].into_iter().flatten() {
            write!(f, ".{part}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(word: &str) -> Profile {
        word.parse().unwrap()
    }

    #[test]
    fn words_and_versions_map_to_profiles() {
        for (word, want) in [
            ("vault-1.12", "vault-1.12"),
            ("vault@0.9.0", "vault-1.0"),
            ("vault@1.0.3", "vault-1.0"),
            ("vault@1.1.0", "vault-1.12"),
            ("vault@1.8.0", "vault-1.12"),
            ("vault@1.13.9", "vault-1.12"),
            ("vault@1.13.10", "vault-1.13"),
            ("vault@1.14.5+ent", "vault-1.12"),
            ("vault@1.14.6+ent", "vault-1.13"),
            ("vault@1.15.0", "vault-1.12"),
            ("vault@1.15.1", "vault-1.13"),
            ("vault@1.15", "vault-1.13"),
            ("vault@v1.16.3", "vault-1.13"),
            ("vault@1.20.4", "vault-1.13"),
            ("vault@1.21.0", "vault-1.21"),
            ("vault@1.21", "vault-1.21"),
            ("vault@2.0.2", "vault-1.21"),
            ("vault@2.0.3", "vault-2.0.3"),
            ("vault@2.1.0-rc1", "vault-2.0.3"),
            ("vault@2.2.1", "vault-2.0.3"),
            ("vault@2.2.2", "vault-2.2.2"),
            ("vault@2", "vault-2.2.2"),
            ("openbao@2.5.1", "openbao-2.0"),
            ("openbao@2.6.0", "openbao-2.6"),
            ("openbao-2.6", "openbao-2.6"),
        ] {
            assert_eq!(server(word).as_str(), want, "{word}");
        }
        for word in ["", "vault", "vault@", "vault@x", "vault@1.2.3.4", "consul@1.2.3"] {
            assert!(word.parse::<Profile>().is_err(), "{word}");
        }
    }

    #[test]
    fn what_is_not_verified_is_said_with_the_name() {
        for (word, want) in [
            ("vault-2.0.3", ""),
            ("vault@1.8.0", ""),
            ("vault@1.8", ""),
            ("vault@2.0", ""),
            ("vault@1.21.4", ""),
            ("openbao@2.6", ""),
            ("openbao@2.6.2", ""),
            ("openbao@2.6.3", "newer than 2.6.2"),
            ("openbao@3.0.0", "3.0.0 is newer than 2.6.2"),
            ("vault@2.0.4", "2.0.4 is newer than 2.0.3"),
            ("vault@2.1.0", "newer than 2.0.3"),
            ("vault@2.2.2", "after its release notes"),
            ("vault-2.2.2", "after its release notes"),
            ("vault@2.3.1", "2.3.1 is newer than 2.0.3"),
            ("vault@1.7.9", "1.7.9 is older than 1.8.0"),
            ("vault@1.0.3", "1.0.3 is older than 1.8.0"),
        ] {
            let profile = server(word);
            assert_eq!(profile.caveat().is_none(), want.is_empty(), "{word}");
            assert!(profile.to_string().contains(want), "{word}: {profile}");
            assert!(profile.to_string().starts_with(profile.as_str()), "{word}");
        }
    }

    #[test]
    fn late_patches_of_older_lines_have_changes_of_later_versions() {
        // Version, values of templates with wildcards are taken, deny looks at case, decided after release notes.
        for (word, wildcards, case, told) in [
            ("vault@1.18.15", true, true, false),
            ("vault@1.19.16+ent", true, true, false),
            ("vault@1.19.17+ent", false, true, true),
            ("vault@1.19.24+ent", false, true, true),
            ("vault@1.19.25+ent", false, false, true),
            ("vault@1.19", false, false, true),
            ("vault@1.20.10", true, true, false),
            ("vault@1.20.11+ent", false, true, true),
            ("vault@1.20.99+ent", false, true, true),
            ("vault@1.21.5", true, true, false),
            ("vault@1.21.6+ent", false, true, true),
            ("vault@1.21.14+ent", false, false, true),
            ("vault@2.0.0", true, true, false),
            ("vault@2.0.1", false, true, true),
            ("vault@2.0.2", false, true, true),
            ("vault@2.0.3", false, true, false),
            ("vault@2.2.1", false, true, true),
            ("vault@2.2.2", false, false, true),
            ("vault@2.3.0", false, false, true),
            ("vault@3", false, false, true),
            ("vault-1.13", true, true, false),
            ("vault-1.21", true, true, false),
            ("vault-2.0.3", false, true, false),
            ("vault-2.2.2", false, false, true),
            ("openbao@2.5.0", true, true, false),
            ("openbao@2.6.2", false, true, false),
        ] {
            let profile = server(word);
            assert_eq!(profile.template_rule_of("", "p").wildcards, wildcards, "{word}");
            assert_eq!(profile.deny_ignores_case(), !case, "{word}");
            assert_eq!(profile.caveat().is_some(), told, "{word}: {profile}");
        }
    }

    #[test]
    fn capabilities_come_with_versions() {
        let words = |word: &str| server(word).capabilities_to_come().to_string();
        assert_eq!(words("vault@1.8.2"), "patch, subscribe, recover");
        assert_eq!(words("vault@1.14.4"), "subscribe, recover");
        assert_eq!(words("vault@1.20"), "");
        assert_eq!(words("vault-1.12"), "");
    }

    #[test]
    fn switches_change_what_templates_may_hold() {
        let rule = |word: &str, switches: &Switches| {
            let rule = server(word)
                .with_switches(switches.clone())
                .template_rule_of("ns/", "team-a");
            (rule.wildcards, rule.slashes)
        };
        let named = |name: &str, namespace: Option<&str>| PolicyMatch {
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        let none = Switches::default();
        let all = Switches {
            deny_slash_in_templated_paths: true,
            allow_slashes: vec![named("team-*", None)],
            allow_wildcards: vec![named("team-a", Some("other/")), named("x", None)],
        };
        for (word, plain, switched) in [
            ("vault@1.20.1", (true, true), (true, false)),
            ("vault@2.0.3", (false, true), (false, false)),
            ("openbao@2.5.0", (true, true), (true, true)),
            ("openbao@2.6.1", (false, false), (false, true)),
        ] {
            assert_eq!(rule(word, &none), plain, "{word}");
            assert_eq!(rule(word, &all), switched, "{word}");
        }
    }
}
