//! Flags, `vault-advisor.toml` and environment put together once, into a value that can't be wrong.

pub mod decisions;
pub mod owners;

use crate::access::weight::{BadClass, WeightSettings, Weights};
use crate::advice::Severity;
use crate::analysis::evidence::EvidenceSettings;
use crate::files;
use crate::hint::Hint;
use crate::optimize::foresight::ForesightSettings;
use crate::optimize::paths::Price;
use crate::policy::profile::{PolicyMatch, Switches};
use crate::sources::SourceSettings;
use decisions::{Decision, DecisionsError};
use owners::{Owners, OwnersError, OwnersFile};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The name of the settings file that is found by itself.
pub const FILE_NAME: &str = "vault-advisor.toml";
/// The most that settings may have.
pub const MAX_BYTES: usize = 1024 * 1024;

/// What `vault-advisor.toml` may say.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SettingsFile {
    /// Weights of the risk score.
    pub risk: WeightSettings,
    /// When an unused grant may be removed.
    pub evidence: EvidenceSettings,
    /// Prices of stanzas and exposure.
    pub optimize: Price,
    /// How much may be expected to hurt.
    pub foresight: ForesightSettings,
    /// Prices of the redesign.
    pub roles: RoleSettings,
    /// Severity by rule id; `off` switches a rule off.
    pub rules: BTreeMap<String, RuleLevel>,
    /// Policies that are never changed: by name, by a group or entity that has them, or by who holds them (`entity:ID`); a `*` at
    /// the end for any rest.
    pub protect: Vec<String>,
    /// Auth roles that were changed since their last login, so that their logins had other policies: namespace, mount and name.
    pub changed_roles: Vec<String>,
    /// Findings that were looked at and accepted.
    pub waivers: Vec<Waiver>,
    /// How `watch` goes about it, where no flag says otherwise.
    pub watch: WatchSettings,
    /// Switches of the server that change its decisions.
    pub server: ServerSettings,
    /// Files that hold policies, and where in them.
    pub sources: Vec<SourceSettings>,
    /// Patterns of files that are not read.
    pub exclude: Vec<String>,
    /// To whom policies and principals belong.
    pub owners: OwnersFile,
    /// How changes are kept apart.
    pub waves: WaveSettings,
}

/// How changes are kept apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WaveSettings {
    /// At most so many principals a wave.
    pub most_principals: Option<usize>,
    /// Whether the policies of teams go in waves of their own: what the owners say, else the one group that all holders are in.
    pub teams: bool,
}

/// Switches of the server that change its decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// Vault's `deny_slash_in_templated_paths`: a template whose value holds `/` is not filled in.
    pub deny_slash_in_templated_paths: bool,
    /// OpenBao's `allow_slashes_in_identity_templates`: the policies that have it; a `*` at the end for any rest.
    pub allow_slashes_in_identity_templates: Vec<String>,
    /// OpenBao's `allow_wildcards_in_identity_templates`: the policies that have it.
    pub allow_wildcards_in_identity_templates: Vec<String>,
}

impl ServerSettings {
    /// As decisions take them; those of OpenBao count in every namespace.
    #[must_use]
    pub fn switches(&self) -> Switches {
        let named = |names: &[String]| {
            let any = |name: &String| PolicyMatch {
                namespace: None,
                name: crate::vault::name::policy(name),
            };
            names.iter().map(any).collect()
        };
        Switches {
            deny_slash_in_templated_paths: self.deny_slash_in_templated_paths,
            allow_slashes: named(&self.allow_slashes_in_identity_templates),
            allow_wildcards: named(&self.allow_wildcards_in_identity_templates),
        }
    }
}

/// How `watch` goes about it; a running one reads this anew on SIGHUP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WatchSettings {
    /// As `--poll`.
    pub poll: Option<String>,
    /// As `--commit-every`.
    pub commit_every: Option<String>,
    /// As `--report-every`.
    pub report_every: Option<String>,
    /// Kinds of news that are not told.
    pub mute: Vec<String>,
}

/// Prices of the redesign.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoleSettings {
    /// The price of granting a permission that is granted today and was not used, against one of a role, a membership or a
    /// stanza's capability.
    pub over_grant: f64,
    /// Policies that cost nothing as roles, so that a redesign keeps them where it can: names, a `*` at the end for any rest.
    pub keep: Vec<String>,
}

impl Default for RoleSettings {
    fn default() -> Self {
        Self {
            over_grant: 0.5,
            keep: Vec::new(),
        }
    }
}

/// What a rule is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleLevel {
    /// Not run.
    Off,
    /// As [`Severity::Info`].
    Info,
    /// As [`Severity::Low`].
    Low,
    /// As [`Severity::Medium`].
    Medium,
    /// As [`Severity::High`].
    High,
    /// As [`Severity::Critical`].
    Critical,
}

impl RuleLevel {
    /// The severity; none for `off`.
    #[must_use]
    pub const fn severity(self) -> Option<Severity> {
        match self {
            Self::Off => None,
            Self::Info => Some(Severity::Info),
            Self::Low => Some(Severity::Low),
            Self::Medium => Some(Severity::Medium),
            Self::High => Some(Severity::High),
            Self::Critical => Some(Severity::Critical),
        }
    }
}

/// A finding that somebody answers for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Rule id.
    pub rule: String,
    /// Policy, principal or fingerprint that it covers; a trailing `*` covers all that begin so.
    pub scope: String,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Last day on which it holds, `2026-12-31`.
    pub expires: String,
}

/// Settings, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Weights.
    pub weights: Weights,
    /// Evidence thresholds.
    pub evidence: EvidenceSettings,
    /// Prices.
    pub price: Price,
    /// How much may be expected to hurt.
    pub foresight: ForesightSettings,
    /// Price of an unused permission in the redesign.
    pub over_grant: f64,
    /// Policies that a redesign keeps where it can.
    pub keep: Vec<String>,
    /// Rule levels.
    pub rules: BTreeMap<String, RuleLevel>,
    /// Policies that are never changed.
    pub protect: Vec<String>,
    /// Auth roles that were changed since their last login.
    pub changed_roles: Vec<String>,
    /// Waivers.
    pub waivers: Vec<Waiver>,
    /// How `watch` goes about it.
    pub watch: WatchSettings,
    /// Switches of the server.
    pub server: ServerSettings,
    /// Files that hold policies, and where in them.
    pub sources: Vec<SourceSettings>,
    /// Patterns of files that are not read.
    pub exclude: Vec<String>,
    /// The file they came from.
    pub file: Option<PathBuf>,
    /// What the file says, as it stands there.
    pub said: toml::Table,
    /// The lines on which its waivers begin.
    pub waiver_lines: Vec<u32>,
    /// What was decided about findings and proposals.
    pub decisions: Vec<Decision>,
    /// The file that it came from.
    pub decisions_file: Option<PathBuf>,
    /// To whom policies and principals belong.
    pub owners: Owners,
    /// How changes are kept apart.
    pub waves: WaveSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            weights: Weights::default(),
            evidence: EvidenceSettings::default(),
            price: Price::default(),
            foresight: ForesightSettings::default(),
            over_grant: RoleSettings::default().over_grant,
            keep: Vec::new(),
            rules: BTreeMap::new(),
            protect: Vec::new(),
            changed_roles: Vec::new(),
            waivers: Vec::new(),
            watch: WatchSettings::default(),
            server: ServerSettings::default(),
            sources: Vec::new(),
            exclude: Vec::new(),
            file: None,
            said: toml::Table::new(),
            waiver_lines: Vec::new(),
            decisions: Vec::new(),
            decisions_file: None,
            owners: Owners::default(),
            waves: WaveSettings::default(),
        }
    }
}

/// Why settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file could not be read.
    #[error("cannot read settings `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("settings `{}` cannot be used: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why, with line and column.
        source: Box<toml::de::Error>,
    },
    /// A class of paths is wrong.
    #[error("settings `{}` cannot be used", path.display())]
    Class {
        /// The file.
        path: PathBuf,
        /// Which.
        #[source]
        source: BadClass,
    },
    /// To whom things belong.
    #[error(transparent)]
    Owners(#[from] OwnersError),
    /// The decisions beside them.
    #[error(transparent)]
    Decisions(#[from] DecisionsError),
    /// A number is out of range.
    #[error("settings `{}` cannot be used: `{name}` has to be {expected}", path.display())]
    Range {
        /// The file.
        path: PathBuf,
        /// The setting.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
    },
}

impl Hint for SettingsError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("docs/settings.md lists every setting"))
    }
}

impl Settings {
    /// From `file`, or from the `vault-advisor.toml` in the first of `places` that has one, or the defaults; with the decisions
    /// beside the file, or in the first of `places` that has some.
    ///
    /// # Errors
    /// When a file can't be read or says what can't be.
    pub fn load(file: Option<&Path>, places: &[PathBuf]) -> Result<Self, SettingsError> {
        let mut settings = Self::load_alone(file, places)?;
        let beside = settings
            .file
            .as_ref()
            .and_then(|file| file.parent())
            .map(Path::to_path_buf);
        let places: Vec<PathBuf> = beside.into_iter().chain(places.iter().cloned()).collect();
        settings.decide(decisions::found(&places))?;
        Ok(settings)
    }

    /// Takes the decisions in a file for those that count.
    ///
    /// # Errors
    /// When the file can't be read or says what can't be.
    pub fn decide(&mut self, file: Option<PathBuf>) -> Result<(), SettingsError> {
        self.decisions = file.as_deref().map(decisions::read).transpose()?.unwrap_or_default();
        self.decisions_file = file;
        Ok(())
    }

    fn load_alone(file: Option<&Path>, places: &[PathBuf]) -> Result<Self, SettingsError> {
        let found = match file {
            Some(file) => Some((file.to_path_buf(), files::read_named(file, MAX_BYTES))),
            None => Self::found(places).map(|file| {
                let bytes = files::read(&file, MAX_BYTES);
                (file, bytes)
            }),
        };
        let Some((path, bytes)) = found else {
            return Ok(Self::default());
        };
        match bytes {
            Ok(bytes) => Self::parse(&bytes, path),
            Err(source) => Err(SettingsError::Read { path, source }),
        }
    }

    /// The `vault-advisor.toml` in the first of `places` that has one, whatever it is: what is no file is refused later.
    #[must_use]
    pub fn found(places: &[PathBuf]) -> Option<PathBuf> {
        let mut candidates = places.iter().map(|place| place.join(FILE_NAME));
        candidates.find(|candidate| candidate.symlink_metadata().is_ok())
    }

    /// From the bytes of a file that is called `path`.
    ///
    /// # Errors
    /// When the file says what can't be.
    pub fn parse(bytes: &[u8], path: PathBuf) -> Result<Self, SettingsError> {
        let text = std::str::from_utf8(bytes).map_err(|_| SettingsError::Read {
            path: path.clone(),
            source: std::io::Error::new(std::io::ErrorKind::InvalidData, "it has bytes that are not UTF-8"),
        })?;
        let failed = |source| SettingsError::Parse {
            path: path.clone(),
            source: Box::new(source),
        };
        let file: SettingsFile = toml::from_str(text).map_err(failed)?;
        let said: toml::Table = text.parse().map_err(failed)?;
        let says = |table: &str, key: &str| said.get(table).and_then(|table| table.get(key)).is_some();
        // Whoever asks for no days of watching takes the logs for all that there is.
        let past_alone = says("evidence", "min_days") && file.evidence.min_days <= 0.0 && !says("foresight", "horizon");
        let waivers = text.lines().zip(1_u32..);
        let waivers = waivers.filter(|(line, _)| line.trim_start().starts_with("[[waivers]]"));
        let waiver_lines = waivers.map(|(_, n)| n).collect();
        let mut checked = Self::check(file, path.clone())?;
        checked.said = said;
        checked.waiver_lines = waiver_lines;
        let horizon = if past_alone { 0 } else { checked.foresight.horizon_days };
        checked.look_ahead(horizon);
        Ok(checked)
    }

    /// Sets the days ahead that the budget is for. Whoever looks at the past alone, or says how long that has to be, has said how
    /// long what was changed is watched.
    pub fn look_ahead(&mut self, days: i32) {
        self.foresight.horizon_days = days;
        let says = |key: &str| self.said.get("evidence").and_then(|table| table.get(key)).is_some();
        if !says("changed_days") && (days == 0 || says("min_days")) {
            self.evidence.changed_days = 0.0;
        }
    }

    fn check(file: SettingsFile, path: PathBuf) -> Result<Self, SettingsError> {
        let weights = Weights::new(&file.risk).map_err(|source| SettingsError::Class {
            path: path.clone(),
            source,
        })?;
        let weight = &file.risk.capability;
        let numbers = [
            ("risk.capability.list", weight.list),
            ("risk.capability.read", weight.read),
            ("risk.capability.write", weight.write),
            ("risk.capability.delete", weight.delete),
            ("risk.capability.sudo", weight.sudo),
            ("risk.open_end", file.risk.open_end),
            ("evidence.min_days", file.evidence.min_days),
            ("evidence.dormant_days", file.evidence.dormant_days),
            ("evidence.changed_days", file.evidence.changed_days),
            ("foresight.at_least", file.foresight.at_least),
            ("foresight.per_principal", file.foresight.per_principal),
            ("evidence.doubt", file.evidence.doubt),
            ("optimize.lambda", file.optimize.lambda),
            ("optimize.id_price", file.optimize.id_price),
            ("roles.over_grant", file.roles.over_grant),
        ];
        let positive = |n: f64| n.is_finite() && n >= 0.0;
        if let Some((name, _)) = numbers.into_iter().find(|(_, n)| !positive(*n)) {
            return Err(SettingsError::Range {
                path,
                name,
                expected: "a number of at least zero",
            });
        }
        if !(0.0..=1.0).contains(&file.evidence.min_health) {
            return Err(SettingsError::Range {
                path,
                name: "evidence.min_health",
                expected: "between 0 and 1",
            });
        }
        let owners = Owners::new(file.owners, &path)?;
        Ok(Self {
            price: Price {
                weights: weights.clone(),
                ..file.optimize
            },
            weights,
            evidence: file.evidence,
            foresight: file.foresight,
            over_grant: file.roles.over_grant,
            keep: file.roles.keep,
            rules: file.rules,
            protect: file.protect,
            changed_roles: file.changed_roles,
            waivers: file.waivers,
            watch: file.watch,
            server: file.server,
            sources: file.sources,
            exclude: file.exclude,
            file: Some(path),
            said: toml::Table::new(),
            waiver_lines: Vec::new(),
            decisions: Vec::new(),
            decisions_file: None,
            owners,
            waves: file.waves,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Settings, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), text).unwrap();
        Settings::load(None, &[folder.path().to_path_buf()])
    }

    #[test]
    fn a_file_is_found_and_read() {
        let s =
            load("[evidence]\nmin_days = 30\n[rules]\nbroad-glob = \"off\"\n[risk.capability]\nread = 5\n").unwrap();
        assert_eq!(s.evidence.min_days, 30.0);
        assert_eq!(s.rules.get("broad-glob"), Some(&RuleLevel::Off));
        assert_eq!(Settings::load(None, &[]).unwrap(), Settings::default());
    }

    #[test]
    fn whoever_says_how_long_to_watch_has_said_it_of_what_was_changed_too() {
        let changed = |text: &str| load(text).unwrap().evidence.changed_days;
        assert_eq!(changed("[evidence]\ndormant_days = 10\n"), 30.0);
        assert_eq!(changed("[evidence]\nmin_days = 10\n"), 0.0);
        assert_eq!(changed("[foresight]\nhorizon = 0\n"), 0.0);
        assert_eq!(changed("[evidence]\nmin_days = 0\nchanged_days = 7\n"), 7.0);
        let past = load("[evidence]\nmin_days = 0\n").unwrap();
        assert_eq!(past.foresight.horizon_days, 0);
    }

    #[test]
    fn what_init_writes_is_what_holds_anyway() {
        let written = Settings::parse(
            include_bytes!("commands/init/vault-advisor.toml"),
            PathBuf::from(FILE_NAME),
        )
        .unwrap();
        let plain = Settings {
            file: written.file.clone(),
            said: written.said.clone(),
            ..Settings::default()
        };
        assert_eq!(written, plain);
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (text, word) in [
            ("[evidence]\nmin_day = 3\n", "min_day"),
            ("[evidence]\nmin_days = -3\n", "evidence.min_days"),
            ("[optimize]\nlambda = nan\n", "optimize.lambda"),
            ("[evidence]\nmin_health = 2\n", "between 0 and 1"),
            ("[rules]\nx = \"loud\"\n", "loud"),
        ] {
            let error = load(text).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
        let class = "[[risk.classes]]\nname = \"x\"\nfactor = 1.0\npaths = [\"a/+*\"]\n";
        assert!(load(class).is_err());
    }
}
