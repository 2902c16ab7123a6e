//! The waves of a report that was applied: who is denied because of one is told at once, and what a wave does against its promise.

use super::events::{Event, Kind, Who};
use crate::deployment::Deployment;
use crate::policy::profile::Profile;
use crate::report::digest::count;
use crate::rollout::applied::{Applied, EVENTS, WAVES};
use crate::rollout::regression::{self, Found, Regression, Seen, Writes};
use crate::rollout::restore;
use crate::rollout::verdict::{Standing, Verdict, standings};
use crate::usage::Usage;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

/// Regressions that are remembered one by one; those beyond are told, and counted by wave.
const MOST_REGRESSIONS: usize = 10_000;

/// Which report, and what is needed to decide again.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that `advise --out` wrote.
    pub folder: PathBuf,
    /// Whose rules decide.
    pub profile: Profile,
    /// Who holds what.
    pub deployment: Option<Deployment>,
    /// When all its waves were applied, where `apply.sh` did not write it down.
    pub since: Option<Timestamp>,
}

/// What outlives the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The steps that it is about.
    plan: String,
    /// Who was denied because of a wave.
    regressions: Vec<Regression>,
    /// Wrong denials beyond those that are remembered one by one, by wave.
    #[serde(default)]
    beyond: BTreeMap<usize, u64>,
    /// The waves that were told to be worse than promised.
    worse: BTreeSet<usize>,
}

/// The waves, as they stand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WaveProgress {
    /// Of each wave what was promised and seen.
    pub standings: Vec<Standing>,
    /// Regressions that nobody has answered.
    pub open: usize,
    /// Why the report can't be read.
    pub trouble: Option<String>,
}

/// When the files that say what was applied were written, and how long they are.
type Stamp = [Option<(SystemTime, u64)>; 2];

/// Follows what the waves of a report do.
pub struct Rollout {
    options: Options,
    stamp: Option<Stamp>,
    applied: Option<Applied>,
    trouble: Option<String>,
    writes: Writes,
    kept: Kept,
}

impl Rollout {
    /// Goes on from what was kept; `usage` is what was read so far.
    #[must_use]
    pub fn new(options: Options, kept: Kept, usage: &Usage) -> Self {
        let mut rollout = Self {
            options,
            stamp: None,
            applied: None,
            trouble: None,
            writes: Writes::default(),
            kept,
        };
        rollout.refresh();
        if let Some(applied) = &rollout.applied {
            rollout.writes.note(applied, usage);
        }
        rollout
    }

    /// What is to outlive the process.
    #[must_use]
    pub const fn kept(&self) -> &Kept {
        &self.kept
    }

    /// How the waves stand.
    #[must_use]
    pub fn progress(&self) -> WaveProgress {
        WaveProgress {
            standings: self.standings(),
            open: self.kept.regressions.iter().filter(|one| !one.answered).count(),
            trouble: self.trouble.clone(),
        }
    }

    fn standings(&self) -> Vec<Standing> {
        self.applied
            .as_ref()
            .map(|applied| standings(applied, &self.kept.regressions, &self.kept.beyond, Timestamp::now()))
            .unwrap_or_default()
    }

    /// Reads the report again where it was written since. What `apply.sh` writes of a wave is there before its first change.
    fn refresh(&mut self) {
        let stamp = [WAVES, EVENTS].map(|name| {
            let file = fs::metadata(self.options.folder.join(name)).ok()?;
            Some((file.modified().ok()?, file.len()))
        });
        if self.stamp == Some(stamp) {
            return;
        }
        let Options {
            folder, profile, since, ..
        } = &self.options;
        // What `apply.sh` wrote wins over what was said before.
        let since = since.filter(|_| stamp.iter().skip(1).all(Option::is_none));
        match Applied::read(folder, *profile, since) {
            Ok(applied) => {
                if applied.plan != self.kept.plan {
                    self.kept = Kept {
                        plan: applied.plan.clone(),
                        ..Kept::default()
                    };
                }
                self.applied = Some(applied);
                self.trouble = None;
                self.stamp = Some(stamp);
            }
            // It may be half written: it is read again at the next look, and the last one that could be read counts until then.
            Err(error) => self.trouble = Some(error.to_string()),
        }
    }

    /// What of that which was just read is due to a wave.
    pub fn observe(&mut self, part: &Usage) -> Vec<Event> {
        self.refresh();
        let Some(applied) = &self.applied else {
            return Vec::new();
        };
        self.writes.note(applied, part);
        for one in &mut self.kept.regressions {
            one.answered = one.answered || self.writes.answer(applied, one);
        }
        let seen = Seen::sorted(applied, part);
        let deployment = self.options.deployment.as_ref();
        let profile = self.options.profile;
        let Found { regressions, .. } = regression::find(applied, &seen, &self.writes, deployment, profile);
        let restore = restore::find(applied, &regressions, &seen, deployment, profile);
        let (mut events, mut new) = (Vec::new(), Vec::new());
        for one in regressions {
            let known = self.kept.regressions.iter().position(|known| known.is_same(&one));
            let known = known.and_then(|n| self.kept.regressions.get_mut(n));
            // What was given back and is denied again is news again.
            if known.as_ref().is_none_or(|known| known.answered) && !one.answered {
                let title = applied.waves.get(one.wave - 1).map_or("", |wave| &wave.title);
                events.push(denied(&one, title, restore.of(&one).map(|(_, stanza)| stanza)));
            }
            match known {
                Some(known) => known.add(one),
                None => new.push(one),
            }
        }
        for one in new {
            if self.kept.regressions.len() < MOST_REGRESSIONS {
                self.kept.regressions.push(one);
            } else {
                *self.kept.beyond.entry(one.wave).or_default() += one.days.len() as u64;
            }
        }
        events.extend(self.verdicts());
        events
    }

    /// The waves that do worse than promised, each told once.
    fn verdicts(&mut self) -> Vec<Event> {
        let standings = self.standings();
        let last = self.kept.regressions.iter().filter_map(|one| one.last_seen).max();
        let worse = standings.iter().filter(|one| one.verdict == Verdict::Worse);
        let now: BTreeSet<usize> = worse.clone().map(|one| one.wave).collect();
        let new = worse.filter(|one| !self.kept.worse.contains(&one.wave));
        let events = new.map(|one| {
            let promised = one.promised.unwrap_or_default();
            let message = format!(
                "wave {} does worse than promised: {} seen, {promised:.1} expected; stop here",
                one.wave,
                count(one.seen, "wrong denial was", "wrong denials were")
            );
            Event::told(Kind::WaveWorse, Who::default(), last, "", "", "", message)
        });
        let events = events.collect();
        self.kept.worse = now;
        events
    }
}

fn denied(one: &Regression, title: &str, stanza: Option<&str>) -> Event {
    let path = format!("{}{}", one.namespace, one.path);
    let policy = format!("{}{}", one.policy.0, one.policy.1);
    let who = Who {
        kind: one.holder.split_once(':').map_or("", |(kind, _)| kind),
        id: one.holder.split_once(':').map_or("", |(_, id)| id),
        name: &one.principal,
    };
    let back = match stanza {
        Some(stanza) => format!(
            "; it is given back by {}",
            stanza.split_whitespace().collect::<Vec<_>>().join(" ")
        ),
        None => String::new(),
    };
    let message = format!(
        "{} is denied {} on {path} because of wave {} ({title}), which took it from the policy {policy}{back}",
        one.principal, one.capability, one.wave
    );
    Event::told(
        Kind::Regression,
        who,
        one.last_seen,
        &path,
        one.capability.as_str(),
        &policy,
        message,
    )
}
