//! The server profiles: everything in which the servers decide differently stands in this file.

use crate::policy::syntax::Dialect;
use crate::vault::{Capability, Operation};
use std::fmt;
use std::str::FromStr;

/// A group of server versions that decide alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Profile {
    /// Vault before 1.13.10, 1.14.6 and 1.15.1.
    Vault112,
    /// Vault from those to 2.0.2.
    Vault113,
    /// Vault from 2.0.3.
    #[default]
    Vault203,
    /// `OpenBao` 2.0 to 2.5: decides as [`Profile::Vault113`] and knows `scan`.
    OpenBao20,
    /// `OpenBao` from 2.6.
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
pub enum TemplateRule {
    /// Any.
    Any,
    /// None that holds `*` or `+`.
    NoWildcards,
    /// None that holds `*`, `+` or `/`.
    NoWildcardsOrSlashes,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 5] = [
        Self::Vault112,
        Self::Vault113,
        Self::Vault203,
        Self::OpenBao20,
        Self::OpenBao26,
    ];

    /// The word of `--server`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vault112 => "vault-1.12",
            Self::Vault113 => "vault-1.13",
            Self::Vault203 => "vault-2.0.3",
            Self::OpenBao20 => "openbao-2.0",
            Self::OpenBao26 => "openbao-2.6",
        }
    }

    /// The versions it stands for, in words.
    #[must_use]
    pub const fn servers(self) -> &'static str {
        match self {
            Self::Vault112 => "Vault before 1.13.10, 1.14.6 and 1.15.1",
            Self::Vault113 => "Vault from 1.13.10, 1.14.6 and 1.15.1 to 2.0.2",
            Self::Vault203 => "Vault from 2.0.3",
            Self::OpenBao20 => "OpenBao 2.0 to 2.5",
            Self::OpenBao26 => "OpenBao from 2.6",
        }
    }

    /// Whether the server is `OpenBao`.
    #[must_use]
    pub const fn is_openbao(self) -> bool {
        matches!(self, Self::OpenBao20 | Self::OpenBao26)
    }

    /// The look-up rule of an operation on `path/`; none where the operation looks the path up as it is.
    #[must_use]
    pub const fn list_rule(self, operation: Operation) -> Option<ListRule> {
        match (operation, self) {
            (Operation::List, Self::Vault112) => Some(ListRule::SlashOnly),
            (Operation::List, Self::Vault113 | Self::OpenBao20) => Some(ListRule::BareThenSlash),
            (Operation::List, Self::Vault203) => Some(ListRule::Together),
            (Operation::List | Operation::Scan, Self::OpenBao26) => Some(ListRule::SlashThenBare),
            (Operation::Scan, Self::OpenBao20) => Some(ListRule::SlashOnly),
            _ => None,
        }
    }

    /// The capability that an operation needs on these servers; none where it is always denied (or, for help, allowed).
    #[must_use]
    pub const fn capability(self, operation: Operation) -> Option<Capability> {
        match operation {
            Operation::Scan if !self.is_openbao() => None,
            Operation::Recover if !matches!(self, Self::Vault113 | Self::Vault203) => None,
            _ => operation.capability(),
        }
    }

    /// How parameter values are compared.
    #[must_use]
    pub const fn value_rule(self) -> ValueRule {
        match self {
            Self::Vault203 => ValueRule::Elements,
            Self::Vault112 | Self::Vault113 | Self::OpenBao20 | Self::OpenBao26 => ValueRule::Whole,
        }
    }

    /// Whether the values of this parameter (its name lower-cased) are lower-cased before they are compared.
    #[must_use]
    pub fn lower_cases_values_of(self, parameter: &str) -> bool {
        self == Self::Vault203 && matches!(parameter, "policies" | "token_policies")
    }

    /// Which values a template may put into a path.
    #[must_use]
    pub const fn template_rule(self) -> TemplateRule {
        match self {
            Self::Vault112 | Self::Vault113 | Self::OpenBao20 => TemplateRule::Any,
            Self::Vault203 => TemplateRule::NoWildcards,
            Self::OpenBao26 => TemplateRule::NoWildcardsOrSlashes,
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
        match self {
            Self::Vault112 => Dialect::VAULT_BASE,
            Self::Vault113 | Self::Vault203 => Dialect::VAULT,
            Self::OpenBao20 | Self::OpenBao26 => Dialect::OPENBAO,
        }
    }

    fn of_vault(version: Version) -> Self {
        let slash_since = match (version.major, version.minor) {
            (1, 13) => version.patch >= 10,
            (1, 14) => version.patch >= 6,
            (1, 15) => version.patch >= 1,
            (major, minor) => (major, minor) > (1, 15),
        };
        if (version.major, version.minor, version.patch) >= (2, 0, 3) {
            Self::Vault203
        } else if slash_since {
            Self::Vault113
        } else {
            Self::Vault112
        }
    }

    fn of_openbao(version: Version) -> Self {
        if (version.major, version.minor) >= (2, 6) {
            Self::OpenBao26
        } else {
            Self::OpenBao20
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word names no server that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a server profile; known are `vault-1.12`, `vault-1.13`, `vault-2.0.3`, `openbao-2.0`, `openbao-2.6`, and versions such as `vault@1.16.3` or `openbao@2.5.1`"
)]
pub struct UnknownProfile(pub String);

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let word = word.trim();
        if let Some(profile) = Self::ALL.into_iter().find(|p| p.as_str() == word) {
            return Ok(profile);
        }
        let unknown = || UnknownProfile(word.to_owned());
        let (product, version) = word.split_once('@').ok_or_else(unknown)?;
        let version = Version::parse(version).ok_or_else(unknown)?;
        match product {
            "vault" => Ok(Self::of_vault(version)),
            "openbao" | "bao" => Ok(Self::of_openbao(version)),
            _ => Err(unknown()),
        }
    }
}

/// A server version. A part that is not given counts as the newest: `1.15` is the last 1.15.
#[derive(Debug, Clone, Copy)]
struct Version {
    major: u64,
    minor: u64,
    patch: u64,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let number = text.split(['+', '-']).next()?;
        let mut parts = number.split('.');
        let major = parts.next()?.parse().ok()?;
        let mut part = || match parts.next() {
            None => Some(u64::MAX),
            Some(p) => p.parse().ok(),
        };
        let (minor, patch) = (part()?, part()?);
        parts.next().is_none().then_some(Self { major, minor, patch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_versions_map_to_profiles() {
        for (word, want) in [
            ("vault-1.12", Profile::Vault112),
            ("vault@1.8.0", Profile::Vault112),
            ("vault@1.13.9", Profile::Vault112),
            ("vault@1.13.10", Profile::Vault113),
            ("vault@1.14.5+ent", Profile::Vault112),
            ("vault@1.14.6+ent", Profile::Vault113),
            ("vault@1.15.0", Profile::Vault112),
            ("vault@1.15.1", Profile::Vault113),
            ("vault@1.15", Profile::Vault113),
            ("vault@v1.16.3", Profile::Vault113),
            ("vault@1.21.4", Profile::Vault113),
            ("vault@2.0.2", Profile::Vault113),
            ("vault@2.0.3", Profile::Vault203),
            ("vault@2.1.0-rc1", Profile::Vault203),
            ("openbao@2.5.1", Profile::OpenBao20),
            ("openbao@2.6.0", Profile::OpenBao26),
            ("openbao-2.6", Profile::OpenBao26),
        ] {
            assert_eq!(word.parse(), Ok(want), "{word}");
        }
        for word in ["", "vault", "vault@", "vault@x", "vault@1.2.3.4", "consul@1.2.3"] {
            assert!(word.parse::<Profile>().is_err(), "{word}");
        }
    }
}
