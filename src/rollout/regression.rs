//! Who is denied because of a wave: each denied request decided again under what was in force before it.
//!
//! Denied now and allowed before, by the policies of the token together: a regression, and the wave is the last one before which
//! it was allowed. What was denied before as well is nobody's fault here, and what the policies as applied would allow is
//! denied by something else.

use super::applied::{Applied, Span};
use crate::access::{self, Inputs, Joined, JoinedDemand, Outcome};
use crate::deployment::Deployment;
use crate::policy::profile::Profile;
use crate::usage::demand::Demand;
use crate::usage::{Facts, Usage};
use crate::vault::{Capability, CapabilitySet, Operation};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Namespace and name of a policy.
pub type PolicyKey = (String, String);

/// Somebody who is denied because of a wave.
#[derive(Debug, Clone, PartialEq)]
pub struct Regression {
    /// Who, as people know it.
    pub principal: String,
    /// Namespace of the request.
    pub namespace: String,
    /// Path relative to it.
    pub path: String,
    /// What was asked for.
    pub capability: Capability,
    /// Whether the path asks for `sudo` besides.
    pub needs_sudo: bool,
    /// How often it was denied.
    pub count: u64,
    /// First time since the wave.
    pub first_seen: Option<Timestamp>,
    /// Last time.
    pub last_seen: Option<Timestamp>,
    /// The policy that allowed it before.
    pub policy: PolicyKey,
    /// The wave that took it.
    pub wave: usize,
    /// What the policies as they are give on the path.
    pub has: CapabilitySet,
    /// Whether somebody wrote that policy after it was denied last, so that it may be given back already.
    pub answered: bool,
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// Regressions, the most frequent first.
    pub regressions: Vec<Regression>,
    /// Denied requests in all.
    pub denied: u64,
    /// Of these, denied before the waves as well.
    pub before_as_well: u64,
    /// Of these, allowed by the policies as applied: something else denied them.
    pub elsewhere: u64,
    /// Of these, not attributed: a policy of the token was written by somebody else in between, or was never read.
    pub unknown: u64,
}

/// What logs say of a time in which the same waves were in force.
pub struct Seen {
    /// The time.
    pub span: Span,
    /// The usage in it.
    pub usage: Usage,
}

/// Looks for regressions.
#[must_use]
pub fn find(applied: &Applied, seen: &[Seen], deployment: Option<&Deployment>, profile: Profile) -> Found {
    let writes = writes(applied, seen);
    let mut found = Found::default();
    for part in seen {
        in_span(applied, part, deployment, profile, &writes, &mut found);
    }
    found.regressions = together(found.regressions);
    found
}

/// The denied demands of a time, joined with the policies of a state.
pub(super) fn joined(
    applied: &Applied,
    state: usize,
    part: &Seen,
    deployment: Option<&Deployment>,
    profile: Profile,
) -> Joined {
    let policies = applied.states.get(state).cloned().unwrap_or_default();
    join(policies, part, deployment, profile)
}

pub(super) fn join(
    policies: Vec<crate::policy::model::Policy>,
    part: &Seen,
    deployment: Option<&Deployment>,
    profile: Profile,
) -> Joined {
    access::join(Inputs {
        facts: denied(&part.usage),
        policies,
        deployment,
        profile,
        now: Some(Timestamp::now().as_second()),
    })
}

/// What was denied. That the same was allowed at other times says nothing of it.
fn denied(usage: &Usage) -> Facts {
    let facts = Facts::from(usage);
    let demands = facts.demands.into_iter().filter(|demand| demand.denied > 0);
    let demands = demands.map(|demand| Demand {
        allowed: 0,
        failed: 0,
        ..demand
    });
    Facts {
        demands: demands.collect(),
        ..facts
    }
}

fn in_span(
    applied: &Applied,
    part: &Seen,
    deployment: Option<&Deployment>,
    profile: Profile,
    writes: &BTreeMap<PolicyKey, BTreeSet<Timestamp>>,
    found: &mut Found,
) {
    let waves = part.span.waves;
    let now = joined(applied, waves, part, deployment, profile);
    let mut open: Vec<usize> = Vec::new();
    for (n, demand) in now.demands.iter().enumerate() {
        found.denied += demand.demand.denied;
        match demand.outcome {
            Outcome::DeniedButAllowed => found.elsewhere += demand.demand.denied,
            Outcome::Denied => open.push(n),
            _ => found.before_as_well += demand.demand.denied,
        }
    }
    for state in (0..waves).rev() {
        if open.is_empty() {
            break;
        }
        let before = joined(applied, state, part, deployment, profile);
        open.retain(|&n| {
            let (Some(was), Some(is)) = (before.demands.get(n), now.demands.get(n)) else {
                return true;
            };
            if was.outcome != Outcome::DeniedButAllowed {
                return true;
            }
            match regression(applied, (&before, was), (&now, is), state + 1, writes) {
                Some(regression) => found.regressions.push(regression),
                None => found.unknown += is.demand.denied,
            }
            false
        });
    }
    for demand in open.iter().filter_map(|&n| now.demands.get(n)) {
        let unread = !now.sets[demand.set].is_known();
        if unread {
            found.unknown += demand.demand.denied;
        } else {
            found.before_as_well += demand.demand.denied;
        }
    }
}

fn regression(
    applied: &Applied,
    (before, was): (&Joined, &JoinedDemand),
    (now, is): (&Joined, &JoinedDemand),
    wave: usize,
    writes: &BTreeMap<PolicyKey, BTreeSet<Timestamp>>,
) -> Option<Regression> {
    let set = &before.sets[was.set];
    let rule = set
        .acl
        .winner(was.operation(), &was.path)
        .and_then(|id| set.acl.rule(id))?;
    let changes = &applied.waves.get(wave.checked_sub(1)?)?.changes;
    let keys: Vec<PolicyKey> = rule
        .sources
        .iter()
        .filter(|source| source.capabilities.contains(was.demand.capability))
        .filter_map(|source| before.policies.get(*set.policies.get(source.policy)?))
        .map(|policy| (policy.namespace.to_string(), policy.name.to_string()))
        .collect();
    let policy = keys.iter().find(|key| changes.contains(key)).or(keys.first())?.clone();
    let last = is.demand.last_seen;
    // With a text that somebody else wrote in between, what is in force is not what was applied.
    let held = set.policies.iter().filter_map(|&p| before.policies.get(p));
    let rewritten = held
        .filter_map(|p| writes.get(&(p.namespace.to_string(), p.name.to_string())))
        .any(|times| times.iter().any(|&at| last.is_some_and(|last| at <= last)));
    if rewritten {
        return None;
    }
    let answered = writes
        .get(&policy)
        .is_some_and(|times| times.iter().any(|&at| last.is_some_and(|last| at > last)));
    let acl = &now.sets[is.set].acl;
    let winner = acl.winner(is.operation(), &is.path);
    let has = winner.and_then(|winner| Some(acl.rule(winner)?.capabilities));
    let holder = &now.holders[is.holder];
    Some(Regression {
        principal: holder.display().to_owned(),
        namespace: is.demand.namespace.to_string(),
        path: is.demand.path.to_string(),
        capability: is.demand.capability,
        needs_sudo: is.needs_sudo,
        count: is.demand.denied,
        first_seen: is.demand.first_seen,
        last_seen: last,
        policy,
        wave,
        has: has.unwrap_or_default().difference(CapabilitySet::of(Capability::Deny)),
        answered,
    })
}

/// Writes of policies that no wave made: when each was seen last.
fn writes(applied: &Applied, seen: &[Seen]) -> BTreeMap<PolicyKey, BTreeSet<Timestamp>> {
    let ours = |at: Timestamp| {
        applied.waves.iter().any(|wave| {
            let until = wave.done.or(wave.begun);
            // The clock of the script counts whole seconds.
            let until = until.and_then(|t| t.checked_add(jiff::SignedDuration::from_secs(1)).ok());
            wave.begun.is_some_and(|begun| begun <= at) && until.is_some_and(|until| at <= until)
        })
    };
    let mut writes: BTreeMap<PolicyKey, BTreeSet<Timestamp>> = BTreeMap::new();
    for demand in seen.iter().flat_map(|part| part.usage.demands()) {
        let named = ["sys/policies/acl/", "sys/policy/"]
            .iter()
            .find_map(|start| demand.path.strip_prefix(start));
        let is_write = !matches!(
            Operation::of(demand.capability),
            Some(Operation::Read | Operation::List)
        );
        if let (Some(name), Some(at), true, true) = (named, demand.last_seen, is_write, demand.allowed > 0)
            && !ours(at)
        {
            let key = (demand.namespace.to_string(), name.to_owned());
            writes.entry(key).or_default().insert(at);
        }
    }
    writes
}

/// One line for the same request of the same principal, over all times; the most frequent first.
fn together(all: Vec<Regression>) -> Vec<Regression> {
    let mut one: BTreeMap<(String, String, String, Capability, PolicyKey, usize), Regression> = BTreeMap::new();
    for next in all {
        let key = (
            next.principal.clone(),
            next.namespace.clone(),
            next.path.clone(),
            next.capability,
            next.policy.clone(),
            next.wave,
        );
        match one.get_mut(&key) {
            Some(first) => {
                first.count += next.count;
                first.first_seen = first.first_seen.min(next.first_seen);
                if next.last_seen > first.last_seen {
                    first.last_seen = next.last_seen;
                    first.has = next.has;
                    first.answered = next.answered;
                }
            }
            None => {
                one.insert(key, next);
            }
        }
    }
    let mut list: Vec<Regression> = one.into_values().collect();
    list.sort_by_key(|regression| std::cmp::Reverse(regression.count));
    list
}
