//! Whose rules decide: the flag, else the server that the snapshot saw, else the newest that was verified; with the switches that
//! the settings and the snapshot know. Settled once, before any work is done.

use super::{Failure, Talk, material};
use crate::analysis::rules;
use crate::check::rules as of_the_gate;
use crate::cli::{CheckArgs, Command, Common};
use crate::deployment::mark::{MARK, Mark, MarkError};
use crate::hint::Hint;
use crate::policy::lint;
use crate::policy::profile::{PolicyMatch, Profile, Switches};
use crate::policy::syntax::nearest_word;
use crate::settings::Settings;
use std::borrow::Cow;
use std::path::PathBuf;

/// The server, with all that is known of it. What a reader of any output has to know is told here, once.
pub(super) fn settled(common: &Common, command: &Command, talk: &Talk) -> Result<Profile, Failure> {
    let Some(places) = Places::of(command) else {
        return Ok(common.server.unwrap_or_default());
    };
    let mark = places.mark()?;
    let seen = mark.as_ref().and_then(|(_, mark)| {
        let (product, version) = (mark.product.as_deref()?, mark.version.as_deref()?);
        Some((Profile::of_server(product, version)?, product, version))
    });
    let profile =
        match (common.server, &seen) {
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
                if let Some((place, mark)) = &mark {
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
    let settings = Settings::load(common.config.as_deref(), &material::settings_places(places.all()))?;
    known_rules(&settings)?;
    let mut switches = settings.server.switches();
    if let Some((_, mark)) = mark {
        add(&mut switches, &mark);
    }
    Ok(profile.with_switches(switches))
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
