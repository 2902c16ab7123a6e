//! Policies as they would be: texts edited where they stand, parsed again, and put together to a scheme.

use super::{Ladders, Tightened};
use crate::access::{Joined, PolicyNumber, SetId, StanzaId};
use crate::index::IndexVec;
use crate::optimize::edit::{self, Change};
use crate::optimize::limits::Limits;
use crate::optimize::proof::{ProposedNumber, Scheme};
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::table::Table;
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
    pub(super) removable: &'a IndexVec<Policy, bool>,
    pub(super) ladders: &'a Ladders,
}

impl Drafter<'_> {
    /// The policy at these levels; none where its new text would not parse again.
    pub(super) fn draft(&self, p: PolicyNumber, levels: &Levels, limits: &Limits<'_>) -> Option<Draft> {
        let policy = &self.joined.policies[p];
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
        let stanzas = self.joined.policies.stanzas_of(p);
        let changes: Vec<Change> = stanzas
            .map(|id| {
                let stanza = &self.joined.policies[id];
                let level = levels.get(&id).copied().unwrap_or_default();
                let wanted = self.ladders.get(&id).and_then(|ladder| ladder.get(level));
                let change = limits.put(&policy.namespace, id, stanza, wanted.cloned().unwrap_or(Change::Keep));
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
    fn goes(&self, p: PolicyNumber, policy: &Policy) -> bool {
        let policies = &self.joined.policies;
        let drops = |id: StanzaId| self.ladders.get(&id).and_then(|l| l.first()) == Some(&Change::Drop);
        let mut stanzas = policies.stanzas_of(p);
        let all_go = stanzas.all(|id| policies[id].capability_set().contains(Capability::Deny) || drops(id));
        self.joined.held[p].by.is_empty()
            && self.removable[p]
            && all_go
            && !policy.is_root()
            && &*policy.name != "default"
    }
}

/// The policies as drafted, in force for the holders of these sets; all of them where none are named.
pub(super) fn scheme<'d>(
    joined: &Joined,
    draft: impl Fn(PolicyNumber) -> &'d Draft,
    sets: Option<&BTreeSet<SetId>>,
) -> Scheme {
    let within: Option<BTreeSet<PolicyNumber>> = sets.map(|sets| {
        let sets = sets.iter().map(|&n| &joined.sets[n]);
        sets.flat_map(|set| set.policies.iter().copied()).collect()
    });
    let mut policies = Table::default();
    let mut at: BTreeMap<PolicyNumber, ProposedNumber> = BTreeMap::new();
    for p in joined
        .policies
        .ids()
        .filter(|p| within.as_ref().is_none_or(|w| w.contains(p)))
    {
        if let Some(policy) = draft(p).policy.clone() {
            at.insert(p, policies.push(policy));
        }
    }
    let mut given = BTreeMap::new();
    for (n, set) in joined.sets.numbered() {
        if sets.is_some_and(|sets| !sets.contains(&n)) {
            continue;
        }
        // A policy that goes is in no list any more.
        let list: Vec<ProposedNumber> = set.policies.iter().filter_map(|p| at.get(p).copied()).collect();
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

/// Whether a stanza is still changed.
pub(super) fn can_step_back(ladders: &Ladders, levels: &Levels, id: StanzaId) -> bool {
    let level = levels.get(&id).copied().unwrap_or_default();
    ladders.get(&id).is_some_and(|ladder| level < ladder.len())
}
