//! Which wave a change belongs to: the least expected harm first.

use super::steps::Planned;
use crate::access::{HolderId, Joined, PolicyNumber};
use crate::policy::model::{Policy, Stanza};
use crate::policy::pattern::Pattern;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the waves of a tightening are called, the least harm first.
pub const TITLES: [&str; 4] = [
    "policies that nobody holds",
    "capabilities and stanzas that nobody used",
    "folders that nobody used",
    "paths that nobody used",
];

/// The wave of a change of a policy, as a number by which waves are put in order: how likely it is that somebody will miss what
/// goes, and within that by team.
#[must_use]
pub fn of(joined: &Joined, policy: PolicyNumber, to: Option<&Policy>) -> usize {
    let teams = teams(joined);
    let team = joined.apart.teams.get(&policy);
    let team = team.and_then(|team| teams.iter().position(|one| one == team));
    kind(joined, policy, to) * (teams.len() + 1) + team.map_or(0, |team| team + 1)
}

/// All teams, by name.
fn teams(joined: &Joined) -> Vec<Arc<str>> {
    let all: BTreeSet<Arc<str>> = joined.apart.teams.values().cloned().collect();
    all.into_iter().collect()
}

/// How likely it is that somebody will miss what goes: an index into [`TITLES`].
fn kind(joined: &Joined, policy: PolicyNumber, to: Option<&Policy>) -> usize {
    let is_held = joined.sets.iter().any(|set| set.policies.contains(&policy));
    let (true, Some(new)) = (is_held, to) else {
        return usize::from(is_held);
    };
    let old = &joined.policies[policy];
    let there = |stanza: &Stanza| {
        let same = |old: &&Stanza| old.path == stanza.path && old.constraints == stanza.constraints;
        old.stanzas.iter().any(|old| same(&old))
    };
    let added = new.stanzas.iter().filter(|stanza| !there(stanza));
    let by_path = |stanza: &Stanza| Pattern::parse(&stanza.path, "").is_ok_and(|pattern| pattern.is_exact());
    added.map(|stanza| 2 + usize::from(by_path(stanza))).max().unwrap_or(1)
}

/// The steps, wave by wave, without the waves that have none: each with its title. A wave that concerns more principals than it may
/// is cut between two of its steps: each step is safe by itself.
#[must_use]
pub fn titled<'s>(joined: &Joined, steps: &'s [Planned]) -> Vec<(String, Vec<&'s Planned>)> {
    let teams = teams(joined);
    let used: BTreeSet<usize> = steps.iter().map(|step| step.wave).collect();
    let mut waves = Vec::new();
    for wave in used {
        let (kind, team) = (wave / (teams.len() + 1), wave % (teams.len() + 1));
        let mut title = TITLES.get(kind).copied().unwrap_or("what is left").to_owned();
        if let Some(team) = team.checked_sub(1).and_then(|team| teams.get(team)) {
            title.push_str(&format!(" of {team}"));
        }
        let parts = cut(joined, steps.iter().filter(|step| step.wave == wave));
        let all = parts.len();
        for (number, part) in (1..).zip(parts) {
            let title = match all {
                1 => title.clone(),
                _ => format!("{title} ({number} of {all})"),
            };
            waves.push((title, part));
        }
    }
    waves
}

/// Parts of which each concerns no more principals than it may; a single step may concern more.
fn cut<'s>(joined: &Joined, steps: impl Iterator<Item = &'s Planned>) -> Vec<Vec<&'s Planned>> {
    let most = joined.apart.most_principals.unwrap_or(usize::MAX);
    let mut parts: Vec<Vec<&Planned>> = Vec::new();
    let mut concerned: BTreeSet<HolderId> = BTreeSet::new();
    for step in steps {
        let held = joined.held[step.policy].by.clone();
        match parts.last_mut().filter(|_| concerned.union(&held).count() <= most) {
            Some(part) => {
                part.push(step);
                concerned.extend(held);
            }
            None => {
                parts.push(vec![step]);
                concerned = held;
            }
        }
    }
    parts
}
