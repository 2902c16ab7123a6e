//! What is meant by the flags as they are typed, with settings and snapshot: settled once, before any work is done, so that what
//! cannot be meant ends the run before anything is read.

use super::{Failure, Talk};
use crate::analysis::rule::quoted;
use crate::analysis::rules;
use crate::check::rules as of_the_gate;
use crate::cli::{CheckArgs, Command, Common, Granting, PolicyNames, Reading};
use crate::deployment::mark::{MARK, Mark, MarkError};
use crate::hint::Hint;
use crate::ingest::{self, LogInput};
use crate::policy::lint;
use crate::policy::load::Names;
use crate::policy::profile::{PolicyMatch, Profile, Switches};
use crate::policy::syntax::nearest_word;
use crate::report::escape;
use crate::settings::{Settings, SettingsError};
use crate::sources;
use crate::usage::{Bounds, GroupBy};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// What every command goes by.
pub(super) struct Meant {
    /// Whose rules decide.
    pub(super) profile: Profile,
    /// The settings named, or those beside what is named.
    pub(super) settings: Settings,
    /// The settings named.
    pub(super) config: Option<PathBuf>,
}

/// Where policies are, and how they are read.
#[derive(Clone)]
pub(super) struct Grants {
    /// Files and folders.
    pub(super) paths: Vec<PathBuf>,
    /// What policies in folders are named by.
    pub(super) names: Names,
    /// Whose language they are in.
    pub(super) profile: Profile,
    /// Where in files they are.
    pub(super) sources: sources::Options,
}

/// Where usage is, and how it is read.
#[derive(Clone)]
pub(super) struct Source {
    /// Logs.
    pub(super) logs: Vec<LogInput>,
    /// Usage that an earlier run wrote.
    pub(super) stored: Vec<PathBuf>,
    /// Which of it, and how.
    pub(super) options: ingest::Options,
    /// What a principal is, where that is asked for; else it is as in what is stored.
    pub(super) group_by: Option<GroupBy>,
}

impl Meant {
    /// What the flags mean. What a reader of any output has to know of the server is told here, once.
    pub(super) fn of(common: &Common, command: &Command, talk: &Talk) -> Result<Self, Failure> {
        let config = common.config.clone();
        let Some(places) = Places::of(command) else {
            return Ok(Self {
                profile: common.server.unwrap_or_default(),
                settings: Settings::default(),
                config,
            });
        };
        let mark = places.mark()?;
        let profile = server(common.server, mark.as_ref(), talk);
        let settings = Settings::load(config.as_deref(), &beside(places.all()))?;
        known_rules(&settings)?;
        let mut switches = settings.server.switches();
        if let Some((_, mark)) = mark {
            add(&mut switches, &mark);
        }
        Ok(Self {
            profile: profile.with_switches(switches),
            settings,
            config,
        })
    }

    /// Says where settings come from, to whom what they say matters.
    pub(super) fn tell_settings(&self, talk: &Talk) {
        if let Some(file) = &self.settings.file {
            talk.note(&format!("settings from {}", file.display()));
        }
    }

    /// The policies at these places.
    pub(super) fn grants(&self, paths: &[PathBuf], names: PolicyNames) -> Grants {
        Grants {
            paths: paths.to_vec(),
            names: names.into(),
            profile: self.profile,
            sources: sources_of(&self.settings),
        }
    }

    /// The policies that the flags name.
    pub(super) fn granted(&self, granting: &Granting) -> Grants {
        self.grants(&granting.policies, granting.policy_names)
    }

    /// The policies of one side of a comparison, which has its own settings.
    pub(super) fn side(&self, path: &PathBuf, names: PolicyNames) -> Result<Grants, SettingsError> {
        let own = Settings::load(self.config.as_deref(), &beside([path]))?;
        Ok(Grants {
            sources: sources_of(&own),
            ..self.grants(std::slice::from_ref(path), names)
        })
    }
}

impl Source {
    /// The usage that the flags name. What is left out of folders is said.
    pub(super) fn of(reading: &Reading, talk: &Talk) -> Result<Self, Failure> {
        if !reading.is_given() {
            return Err(Unnamed.into());
        }
        Ok(Self {
            logs: logs(&reading.logs, talk)?,
            stored: reading.usage.clone(),
            options: ingest::Options {
                bounds: Bounds::default(),
                since: reading.since,
                until: reading.until,
                window: reading.window,
                group_by: reading.group_by.clone().unwrap_or_default(),
                envelope: reading.envelope,
                unwrap: reading.unwrap.clone(),
                strict: reading.strict,
                threads: reading.threads,
            },
            group_by: reading.group_by.clone(),
        })
    }

    /// The same, where some is named.
    pub(super) fn if_named(reading: &Reading, talk: &Talk) -> Result<Option<Self>, Failure> {
        reading.is_given().then(|| Self::of(reading, talk)).transpose()
    }
}

/// The logs that names stand for.
fn logs(names: &[String], talk: &Talk) -> Result<Vec<LogInput>, Failure> {
    let named = ingest::expand(names)?;
    if let Some(error) = named.unread.into_iter().next() {
        return Err(error.into());
    }
    if !named.left_out.is_empty() {
        let left_out = named.left_out.iter();
        let left_out: Vec<String> = left_out.map(|name| escape::terminal(name)).collect();
        talk.warn(&format!(
            "left out of the folders of `--logs`, since neither their names nor their first bytes are those of a log: {}",
            quoted(&left_out, 3)
        ));
    }
    if !named.passed.is_empty() {
        let passed: Vec<String> = named.passed.iter().map(|name| escape::terminal(name)).collect();
        talk.warn(&format!(
            "passed over in the folders of `--logs`, since they lead to folders that are read already: {}",
            quoted(&passed, 3)
        ));
    }
    Ok(named.logs)
}

impl From<PolicyNames> for Names {
    fn from(by: PolicyNames) -> Self {
        match by {
            PolicyNames::Path => Self::Path,
            PolicyNames::File => Self::File,
        }
    }
}

/// What settings say of where policies are.
pub(super) fn sources_of(settings: &Settings) -> sources::Options {
    sources::Options {
        sources: settings.sources.clone(),
        exclude: settings.exclude.clone(),
        ..sources::Options::default()
    }
}

/// Folders in which settings are looked for: beside what was named, and this one.
pub(super) fn beside<'a>(named: impl IntoIterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = Vec::new();
    for path in named {
        places.push(path.clone());
        places.extend(path.parent().map(Path::to_path_buf));
    }
    places.push(PathBuf::from("."));
    places
}

/// Whose rules decide: the flag, else the server that the snapshot saw, else the newest that was verified.
fn server(asked: Option<Profile>, mark: Option<&(PathBuf, Mark)>, talk: &Talk) -> Profile {
    let seen = mark.and_then(|(_, mark)| {
        let (product, version) = (mark.product.as_deref()?, mark.version.as_deref()?);
        Some((Profile::of_server(product, version)?, product, version))
    });
    let profile =
        match (asked, &seen) {
            (Some(asked), Some((profile, product, version))) if asked.as_str() != profile.as_str() => {
                talk.warn(&format!(
                    "the snapshot is of {product} {version}, whose rules are those of {}; `--server` asks for {asked}",
                    profile.as_str()
                ));
                asked
            }
            (Some(asked), _) => asked,
            (None, Some((profile, product, version))) => {
                if profile.as_str() != Profile::default().as_str() {
                    talk.note(&format!("decided as {profile}: the snapshot is of {product} {version}"));
                }
                *profile
            }
            (None, None) => {
                if let Some((place, mark)) = mark {
                    talk.warn(&format!(
                    "`{}` does not tell the server's product and version{}: decided as {}; `--server` names another",
                    place.display(),
                    mark.version.as_deref().map(|v| format!(" (only {v})")).unwrap_or_default(),
                    Profile::default()
                ));
                }
                Profile::assumed()
            }
        };
    if let Some(note) = profile.note() {
        talk.warn(&note);
    }
    profile
}

/// A rule that does not exist was meant to be another.
fn known_rules(settings: &Settings) -> Result<(), UnknownRule> {
    let known = || {
        let of_the_analysis = rules::all().into_iter().map(|rule| rule.id());
        of_the_analysis
            .chain(lint::IDS)
            .chain(of_the_gate::ALL.map(|(id, ..)| id))
    };
    let Some(unknown) = settings.rules.keys().find(|id| known().all(|k| k != id.as_str())) else {
        return Ok(());
    };
    Err(UnknownRule {
        file: settings.file.clone().unwrap_or_default(),
        rule: unknown.clone(),
        near: nearest_word(unknown, known()).map(str::to_owned),
    })
}

/// The switches of single policies that the snapshot saw.
fn add(switches: &mut Switches, mark: &Mark) {
    for policy in &mark.template_switches {
        let one = PolicyMatch {
            namespace: Some(policy.namespace.clone()),
            name: policy.name.clone(),
        };
        if policy.slashes {
            switches.allow_slashes.push(one.clone());
        }
        if policy.wildcards {
            switches.allow_wildcards.push(one);
        }
    }
}

/// What a command names: deployments, policies and other files beside which settings may stand.
struct Places<'a> {
    deployments: Vec<&'a PathBuf>,
    others: Vec<&'a PathBuf>,
}

impl<'a> Places<'a> {
    /// None for commands that decide nothing.
    fn of(command: &'a Command) -> Option<Self> {
        let (deployment, others): (Option<&PathBuf>, Vec<&PathBuf>) = match command {
            Command::Advise(a) => (a.granting.deployment.as_ref(), a.granting.policies.iter().collect()),
            Command::Explain(a) => (a.granting.deployment.as_ref(), a.granting.policies.iter().collect()),
            Command::WhoCan(a) => (a.granting.deployment.as_ref(), a.granting.policies.iter().collect()),
            // The policies of a change never say by whose rules it is judged.
            Command::Check(CheckArgs {
                granting: g,
                base,
                base_dir,
                ..
            }) => match base.is_none() && base_dir.is_empty() {
                true => (g.deployment.as_ref(), g.policies.iter().collect()),
                // The deployment is told apart by the gate itself: a new one is a finding.
                false => (g.deployment.as_ref(), Vec::new()),
            },
            Command::Replay(a) => (a.granting.deployment.as_ref(), a.granting.policies.iter().collect()),
            Command::Backtest(a) => (a.granting.deployment.as_ref(), a.granting.policies.iter().collect()),
            Command::Watch(a) => (a.deployment.as_ref(), a.policies.iter().collect()),
            Command::Compare(a) => (a.deployment.as_ref(), vec![&a.old, &a.new]),
            Command::Test(a) => (None, a.policies.iter().collect()),
            Command::Lint(a) => (None, a.files.iter().collect()),
            Command::Capabilities(a) => (a.granting.deployment.as_ref(), a.granting.policies.iter().collect()),
            Command::DiffAccess(a) => (a.granting.deployment.as_ref(), a.granting.policies.iter().collect()),
            Command::Generate(a) => (a.deployment.as_ref(), Vec::new()),
            Command::Decide => (None, Vec::new()),
            Command::Regressions(a) => (a.deployment.as_ref(), Vec::new()),
            Command::Usage(_)
            | Command::Answer(_)
            | Command::Roles(_)
            | Command::Snapshot(_)
            | Command::Init(_)
            | Command::Completions(_)
            | Command::Man(_) => return None,
        };
        Some(Self {
            deployments: deployment.into_iter().collect(),
            others,
        })
    }

    fn all(&self) -> impl Iterator<Item = &'a PathBuf> {
        self.others.iter().chain(&self.deployments).copied()
    }

    /// The mark of the first snapshot among them, the deployment before the policies.
    fn mark(&self) -> Result<Option<(PathBuf, Mark)>, MarkError> {
        let folders = self.deployments.iter().chain(&self.others);
        let Some(file) = folders.map(|folder| folder.join(MARK)).find(|file| file.is_file()) else {
            return Ok(None);
        };
        Ok(Some((file.clone(), Mark::read(&file)?)))
    }
}

/// Settings of a rule that there is none of.
#[derive(Debug, thiserror::Error)]
#[error("settings `{}` cannot be used: there is no rule `{rule}`", file.display())]
struct UnknownRule {
    file: PathBuf,
    rule: String,
    /// What may have been meant.
    near: Option<String>,
}

impl Hint for UnknownRule {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(match &self.near {
            None => Cow::Borrowed("docs/rules lists every rule"),
            Some(near) => Cow::Owned(format!("did you mean `{near}`?")),
        })
    }
}

/// No usage is named.
#[derive(Debug, thiserror::Error)]
#[error("nothing to read: neither `--logs` nor `--usage` is given")]
struct Unnamed;

impl Hint for Unnamed {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("name audit logs: `--logs audit.log`"))
    }
}
