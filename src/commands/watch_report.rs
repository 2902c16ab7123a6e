//! The reports of a running `watch`: what `advise` says of the usage so far, made anew from the policies as they are then.

use super::material;
use super::resolve::{Meant, beside, sources_of};
use crate::access;
use crate::cli::{PolicyNames, WatchArgs};
use crate::deployment;
use crate::hint::{Cause, with_hint};
use crate::pipeline::{self, Material, Options};
use crate::policy::load;
use crate::policy::profile::Profile;
use crate::report::{self, history, html};
use crate::settings::{Settings, SettingsError};
use crate::sources;
use crate::usage::Usage;
use crate::watch::page::Summary;
use crate::watch::report_worker::{Report, Reporter};
use crate::watch::suspects::Suspects;
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The search of roles in a report that nobody waits for, on one core.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Makes reports as `advise` does.
pub(super) struct Advisor {
    logs: Vec<String>,
    policies: Vec<PathBuf>,
    deployment: Option<PathBuf>,
    config: Option<PathBuf>,
    names: PolicyNames,
    profile: Profile,
    /// What was said of policies that can't be read: it is said again only when it changes.
    said: Vec<String>,
    /// Where the lines of earlier reports are.
    history: PathBuf,
}

impl Advisor {
    pub(super) fn new(args: &WatchArgs, meant: &Meant) -> Self {
        Self {
            logs: args.logs.clone(),
            policies: args.policies.clone(),
            deployment: args.deployment.clone(),
            config: meant.config.clone(),
            names: args.policy_names,
            profile: meant.profile,
            said: Vec::new(),
            history: args.state.join(history::FILE_NAME),
        }
    }
}

/// The settings of a watch, as they are now: those named, or those beside its policies or in this folder.
pub(super) fn settings(
    config: Option<&Path>,
    policies: &[PathBuf],
    deployment: Option<&PathBuf>,
) -> Result<Settings, SettingsError> {
    Settings::load(config, &beside(policies.iter().chain(deployment)))
}

impl Reporter for Advisor {
    fn report(&mut self, usage: Usage) -> Result<Report, Cause> {
        if usage.is_empty() {
            return Summary.report(usage);
        }
        let settings = settings(self.config.as_deref(), &self.policies, self.deployment.as_ref())?;
        let options = sources_of(&settings);
        let read = sources::read(&self.policies, &self.profile.dialect(), self.names.into(), &options)?;
        let mut loaded = load::unique(read.files);
        let mut notes: Vec<String> = loaded.errors.iter().map(|e| format!("Policy left out: {e}")).collect();
        let unread = read.unread.iter();
        notes.extend(unread.map(|p| format!("Policy not read: {}: `{}`: {}", p.origin, p.what, p.why)));
        if loaded.policies.is_empty() {
            return Err("no policy can be read".into());
        }
        let deployment = self.deployment.as_deref().map(deployment::read).transpose()?;
        access::agree(
            &usage.policy_sets(),
            usage.namespaces(),
            deployment.as_ref(),
            &settings.changed_roles,
        )?;
        let sets = usage.policy_sets();
        let held = access::names_held(Some((&sets, usage.namespaces())), deployment.as_ref());
        notes.extend(load::meant(&mut loaded.policies, &held));
        let mut inputs = self.logs.clone();
        inputs.extend(
            self.policies
                .iter()
                .chain(&self.deployment)
                .map(|p| p.display().to_string()),
        );
        let material = Material {
            usage,
            policies: loaded.policies.clone(),
            deployment: deployment.clone(),
            inputs,
            policies_dir: material::policies_dir(&self.policies),
            unread: loaded.unread(),
            notes: notes.clone(),
        };
        let options = Options {
            profile: self.profile,
            settings: &settings,
            time_limit: TIME_LIMIT,
            seed: 1,
            max_roles: None,
            frontier: false,
            generated_at: Some(Timestamp::now()),
        };
        // One thread: the reading of logs goes on beside it.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let pool = pool.map_err(|e| format!("cannot start a thread: {e}"))?;
        let mut advice = pool.install(|| pipeline::advise(material, &options, &mut |_| {}));
        let entry = history::Entry::of(&advice, "watch", Timestamp::now());
        // A report is worth having without what was before it.
        let earlier = match history::read(&self.history) {
            Ok(earlier) => Some(earlier),
            Err(error) => {
                notes.push(with_hint(&error));
                None
            }
        };
        advice.history = earlier.as_ref().and_then(|earlier| history::compare(earlier, &entry));
        let html = html::render(&advice, report::Options::default().html_bytes)?;
        let said = std::mem::replace(&mut self.said, notes.clone());
        Ok(Report {
            html,
            policy: html::policy(),
            suspects: Suspects::new(&advice, loaded.policies, deployment, self.profile),
            notes: if said == notes { Vec::new() } else { notes },
            history: earlier.map(|_| entry),
        })
    }
}
