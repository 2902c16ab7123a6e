//! The plain rule that proposals are compared with: what was not used in the last N days goes.
//!
//! It can be meant three ways. By principal: each keeps the very accesses (path, capability) that it used itself. By policy: a
//! policy keeps the accesses that any of its holders used through it. By stanza: a stanza keeps the capabilities that were used,
//! on all its paths. As for proposals, `default` is left alone.

use super::model::Scope;
use super::sides::{Sides, key};
use crate::access::{HolderId, Joined, JoinedDemand, PolicyNumber, StanzaId};
use crate::policy::model::Policy;
use crate::vault::{Capability, CapabilitySet, PrincipalKind};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Accesses by path.
type Accesses<'a> = HashMap<&'a str, CapabilitySet>;

/// What is kept by principal or by policy.
pub(super) struct Plain<'a> {
    scope: Scope,
    by_principal: HashMap<(PrincipalKind, Arc<str>), Accesses<'a>>,
    by_policy: BTreeMap<PolicyNumber, Accesses<'a>>,
}

/// The stanzas that allowed a demand; none where it needs none or `default` is among them.
fn sources(joined: &Joined, d: &JoinedDemand) -> Vec<(StanzaId, CapabilitySet)> {
    let found: Vec<(StanzaId, CapabilitySet)> = joined.allowed_by(d).collect();
    let default = |(id, _): &(StanzaId, CapabilitySet)| &*joined.policies[id.policy()].name == "default";
    if found.iter().any(default) { Vec::new() } else { found }
}

/// The demands of the last `days` of the past.
fn recent<'s>(sides: &'s Sides<'_>, days: i32) -> impl Iterator<Item = &'s JoinedDemand> {
    let from = sides.cut.train.end - days;
    sides
        .past
        .demands
        .iter()
        .filter(move |d| d.demand.days.last().is_some_and(|last| *last >= from))
}

impl<'a> Plain<'a> {
    /// What was used in the last `days` of the past.
    pub(super) fn new(sides: &'a Sides<'_>, scope: Scope, days: i32) -> Self {
        let mut plain = Self {
            scope,
            by_principal: HashMap::new(),
            by_policy: BTreeMap::new(),
        };
        for d in recent(sides, days) {
            let sources = sources(&sides.past, d);
            if sources.is_empty() {
                continue;
            }
            let mine = plain.by_principal.entry(key(&d.demand.principal)).or_default();
            let on = mine.entry(&d.path).or_default();
            *on = on.union(d.needs());
            for (id, capabilities) in sources {
                let on = plain
                    .by_policy
                    .entry(id.policy())
                    .or_default()
                    .entry(&d.path)
                    .or_default();
                *on = on.union(d.needs().intersection(capabilities));
            }
        }
        plain
    }

    /// Whether a later demand is still allowed.
    pub(super) fn allows(&self, future: &Joined, d: &JoinedDemand) -> bool {
        if sources(future, d).is_empty() {
            return true;
        }
        let kept = match self.scope {
            Scope::Principal | Scope::Stanza => self
                .by_principal
                .get(&key(&d.demand.principal))
                .and_then(|mine| mine.get(d.path.as_str()))
                .copied()
                .unwrap_or_default(),
            Scope::Policy => future.sets[d.set]
                .policies
                .iter()
                .filter_map(|p| self.by_policy.get(p)?.get(d.path.as_str()))
                .fold(CapabilitySet::EMPTY, |all, c| all.union(*c)),
        };
        d.needs().is_subset(kept)
    }

    /// What a holder of the past keeps.
    pub(super) fn kept<'s>(&'s self, past: &Joined, holder: HolderId) -> BTreeMap<&'s str, CapabilitySet> {
        let mut kept: BTreeMap<&str, CapabilitySet> = BTreeMap::new();
        let mut add = |accesses: &Accesses<'s>| {
            for (path, capabilities) in accesses {
                let on = kept.entry(path).or_default();
                *on = on.union(*capabilities);
            }
        };
        match self.scope {
            Scope::Principal | Scope::Stanza => {
                let mine = self.by_principal.get(&key(&past.holders[holder].principal));
                mine.into_iter().for_each(&mut add);
            }
            Scope::Policy => {
                let policies = &past.current_set(holder).policies;
                policies.iter().filter_map(|p| self.by_policy.get(p)).for_each(&mut add);
            }
        }
        kept
    }
}

/// Today's policies with the stanzas' capabilities that were used in the last `days`; what denies stays.
pub(super) fn stanzas(sides: &Sides<'_>, days: i32) -> Vec<Policy> {
    let mut used: HashMap<StanzaId, CapabilitySet> = HashMap::new();
    for d in recent(sides, days) {
        for (id, capabilities) in sources(&sides.past, d) {
            let on = used.entry(id).or_default();
            *on = on.union(d.needs().intersection(capabilities));
        }
    }
    let past = &sides.past;
    let left = |(number, policy): (PolicyNumber, &Policy)| {
        let mut policy = policy.clone();
        if &*policy.name != "default" {
            let stanzas = past.policies.stanzas_of(number).zip(policy.stanzas);
            let kept = stanzas.filter_map(|(id, mut stanza)| {
                if stanza.capability_set().contains(Capability::Deny) {
                    return Some(stanza);
                }
                let kept = used.get(&id).copied().unwrap_or_default();
                stanza.capabilities.retain(|c| kept.contains(*c));
                (!stanza.capabilities.is_empty()).then_some(stanza)
            });
            policy.stanzas = kept.collect();
        }
        policy
    };
    past.policies.numbered().map(left).collect()
}
