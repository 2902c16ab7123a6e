//! Which wave a change belongs to: the least expected harm first.

use super::steps::Planned;
use crate::access::Joined;
use crate::policy::model::{Policy, Stanza};
use crate::policy::pattern::Pattern;
use std::collections::BTreeSet;

/// What the waves of a tightening are called, the least harm first; [`of`] gives indexes into it.
pub const TITLES: [&str; 4] = [
    "policies that nobody holds",
    "capabilities and stanzas that nobody used",
    "folders that nobody used",
    "paths that nobody used",
];

/// The wave of a change of a policy: by how likely it is that somebody will miss what goes.
#[must_use]
pub fn of(joined: &Joined, policy: usize, to: Option<&Policy>) -> usize {
    let is_held = joined.sets.iter().any(|set| set.policies.contains(&policy));
    let (true, Some(old), Some(new)) = (is_held, joined.policies.get(policy), to) else {
        return usize::from(is_held);
    };
    let there = |stanza: &Stanza| {
        let same = |old: &&Stanza| old.path == stanza.path && old.constraints == stanza.constraints;
        old.stanzas.iter().any(|old| same(&old))
    };
    let added = new.stanzas.iter().filter(|stanza| !there(stanza));
    let by_path = |stanza: &Stanza| Pattern::parse(&stanza.path, "").is_ok_and(|pattern| pattern.is_exact());
    added.map(|stanza| 2 + usize::from(by_path(stanza))).max().unwrap_or(1)
}

/// The steps, wave by wave, without the waves that have none: each with its title.
#[must_use]
pub fn titled(steps: &[Planned]) -> Vec<(&'static str, Vec<&Planned>)> {
    let used: BTreeSet<usize> = steps.iter().map(|step| step.wave).collect();
    used.into_iter()
        .map(|wave| {
            let title = TITLES.get(wave).copied().unwrap_or("what is left");
            (title, steps.iter().filter(|step| step.wave == wave).collect())
        })
        .collect()
}
