//! Policies as they would be: texts edited where they stand, parsed again, and put together to a scheme.

use super::{Ladders, Tightened};
use crate::access::{Joined, SetId, StanzaId};
use crate::optimize::edit::{self, Change};
use crate::optimize::limits::Limits;
use crate::optimize::proof::Scheme;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::vault::Capability;
use std::collections::{BTreeMap, BTreeSet};

/// How many steps back each stanza took on its ladder.
pub(super) type Levels = BTreeMap<StanzaId, usize>;

/// One policy as it would be.
pub(super) struct Draft {
    /// What is said of it.
    pub(super) tightened: Tightened,
    /// The policy; none where it goes.
    pub(super) policy: Option<Policy>,
    /// Whether it differs from today's.
    pub(super) changed: bool,
}

/// Drafts policies.
pub(super) struct Drafter<'a> {
    pub(super) joined: &'a Joined,
    pub(super) removable: &'a [bool],
    pub(super) ladders: &'a Ladders,
}

impl Drafter<'_> {
    /// The policy at these levels; none where its new text would not parse again.
    pub(super) fn draft(&self, p: usize, levels: &Levels, limits: &Limits<'_>) -> Option<Draft> {
        let policy = self.joined.policies.get(p)?;
        if self.goes(p, policy) {
            return Some(Draft {
                tightened: Tightened {
                    policy: p,
                    text: None,
                    reasons: vec!["nobody held it in what was seen".to_owned()],
                    expected: None,
                },
                policy: None,
                changed: true,
            });
        }
        let mut reasons = Vec::new();
        let changes: Vec<Change> = policy
            .stanzas
            .iter()
            .enumerate()
            .map(|(s, stanza)| {
                let level = levels.get(&(p, s)).copied().unwrap_or_default();
                let wanted = self.ladders.get(&(p, s)).and_then(|ladder| ladder.get(level));
                let change = limits.put(
                    &policy.namespace,
                    (p, s),
                    stanza,
                    wanted.cloned().unwrap_or(Change::Keep),
                );
                reasons.extend(edit::describe(stanza, &change));
                change
            })
            .collect();
        let changed = changes.iter().any(|c| *c != Change::Keep);
        let (text, drafted) = if changed {
            let text = edit::apply(policy, &changes);
            let drafted = reparse(self.joined.profile, policy, &text)?;
            (text, drafted)
        } else {
            (policy.source.to_string(), policy.clone())
        };
        Some(Draft {
            tightened: Tightened {
                policy: p,
                text: Some(text),
                reasons,
                expected: None,
            },
            policy: Some(drafted),
            changed,
        })
    }

    /// Whether the whole policy goes: nobody held it. `root` is no text at all, and servers refuse to delete `default`.
    fn goes(&self, p: usize, policy: &Policy) -> bool {
        let unheld = self.joined.held_by.get(p).is_none_or(BTreeSet::is_empty);
        let drops = |s: usize| self.ladders.get(&(p, s)).and_then(|l| l.first()) == Some(&Change::Drop);
        let mut stanzas = policy.stanzas.iter().enumerate();
        let all_go = stanzas.all(|(s, stanza)| stanza.capability_set().contains(Capability::Deny) || drops(s));
        let enough = self.removable.get(p).copied().unwrap_or(false);
        unheld && enough && all_go && !policy.is_root() && &*policy.name != "default"
    }
}

/// The policies as drafted, in force for the holders of these sets; all of them where none are named.
pub(super) fn scheme<'d>(
    joined: &Joined,
    draft: impl Fn(usize) -> Option<&'d Draft>,
    sets: Option<&BTreeSet<SetId>>,
) -> Scheme {
    let within: Option<BTreeSet<usize>> = sets.map(|sets| {
        let sets = sets.iter().map(|&n| &joined.sets[n]);
        sets.flat_map(|set| set.policies.iter().copied()).collect()
    });
    let mut policies = Vec::new();
    let mut at: BTreeMap<usize, usize> = BTreeMap::new();
    for p in (0..joined.policies.len()).filter(|p| within.as_ref().is_none_or(|w| w.contains(p))) {
        if let Some(policy) = draft(p).and_then(|d| d.policy.clone()) {
            at.insert(p, policies.len());
            policies.push(policy);
        }
    }
    let mut given = BTreeMap::new();
    for (n, set) in joined.sets.numbered() {
        if sets.is_some_and(|sets| !sets.contains(&n)) {
            continue;
        }
        let list: Vec<usize> = set.policies.iter().filter_map(|p| at.get(p).copied()).collect();
        for &holder in &set.holders {
            given.insert((n, holder), list.clone());
        }
    }
    Scheme { policies, given }
}

fn reparse(profile: Profile, original: &Policy, text: &str) -> Option<Policy> {
    let mut policy = crate::policy::syntax::parse(&original.name, &original.file, text, &profile.dialect()).ok()?;
    policy.namespace = original.namespace.clone();
    Some(policy)
}
