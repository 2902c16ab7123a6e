//! Who is denied because of a wave: each denied request decided again under what was in force before it.
//!
//! Denied now and allowed before, by the policies of the token together: a regression, and the wave is the last one before which
//! it was allowed. What was denied before as well is nobody's fault here, and what the policies as applied would allow is
//! denied by something else. Where a wave changed who gets which policies, the token is given what it would have held before;
//! one that is older than the wave, and whose holder would be allowed after another login, is told apart.

use super::applied::{Applied, Span};
use super::lists::{Shift, ids_of};
use crate::access::{self, Inputs, Joined, JoinedDemand, Outcome};
use crate::deployment::Deployment;
use crate::policy::model::{Policy, Stanza};
use crate::policy::profile::Profile;
use crate::usage::demand::Demand;
use crate::usage::{Facts, Principal, Usage};
use crate::vault::{Capability, CapabilitySet, Operation, PolicyId, path};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// Namespace and name of a policy.
pub type PolicyKey = (String, String);

/// Somebody who is denied because of a wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regression {
    /// Who, as people know it.
    pub principal: String,
    /// Who, as the server knows it: `entity:6d1f…`.
    pub holder: String,
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
    /// The days (since 1970-01-01, UTC) on which it was.
    pub days: BTreeSet<i32>,
    /// First time since the wave.
    pub first_seen: Option<Timestamp>,
    /// Last time.
    pub last_seen: Option<Timestamp>,
    /// The policy that allowed it before.
    pub policy: PolicyKey,
    /// The path of the stanza by which it did, where the wave took it out of that policy.
    #[serde(default)]
    pub stanza: Option<String>,
    /// The policies that could give it back, the likeliest first: those that the token has.
    pub targets: Vec<PolicyKey>,
    /// The wave that took it.
    pub wave: usize,
    /// What the policies as they are give on the path: not kept, since they change.
    #[serde(skip)]
    pub has: CapabilitySet,
    /// Whether somebody wrote that policy after it was denied last, so that it may be given back already.
    pub answered: bool,
}

impl Regression {
    /// Whether it is the same request of the same holder, denied for the same reason.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.key() == other.key()
    }

    fn key(&self) -> (&str, &str, &str, Capability, &PolicyKey, usize) {
        let Self {
            holder,
            namespace,
            path,
            ..
        } = self;
        (holder, namespace, path, self.capability, &self.policy, self.wave)
    }

    /// The same once more.
    pub fn add(&mut self, next: Self) {
        self.count += next.count;
        self.days.extend(next.days);
        self.first_seen = self.first_seen.into_iter().chain(next.first_seen).min();
        if next.last_seen > self.last_seen {
            self.last_seen = next.last_seen;
            self.has = next.has;
            self.targets = next.targets;
            self.answered = next.answered;
        }
    }
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
    /// Of these, by tokens that are older than a wave, and that another login would allow.
    pub older_tokens: u64,
    /// Of these, not attributed: a policy of the token was written by somebody else in between, or was never read.
    pub unknown: u64,
}

/// What logs say of a time in which the same waves were in force.
pub struct Seen {
    /// The time.
    pub span: Span,
    /// What was denied in it, and with which sets of policies principals asked. That the same was allowed at other times says nothing
    /// of it.
    pub facts: Facts,
    /// Of what was denied, what was allowed as well.
    allowed_too: HashSet<Asked>,
}

/// Who asked for what.
type Asked = (Principal, Arc<str>, Arc<str>, Capability);

fn asked(demand: &Demand) -> Asked {
    let Demand {
        principal,
        namespace,
        path,
        capability,
        ..
    } = demand;
    (principal.clone(), namespace.clone(), path.clone(), *capability)
}

impl Seen {
    /// Usage that was read of this time alone.
    #[must_use]
    pub fn of(span: Span, usage: &Usage) -> Self {
        Self::new(span, denied(usage), usage)
    }

    fn new(span: Span, mut denied: Vec<Demand>, usage: &Usage) -> Self {
        let both = denied.iter().filter(|demand| demand.allowed > 0);
        let allowed_too = both.map(asked).collect();
        for demand in &mut denied {
            demand.allowed = 0;
            demand.failed = 0;
        }
        let facts = Facts {
            demands: denied,
            sets: usage.sets_asked_with(),
            refused: Vec::new(),
            namespaces: usage.namespaces().clone(),
            lost: usage.lost(),
            untold: usage.untold(),
            is_untold: usage.is_untold(),
        };
        Self {
            span,
            facts,
            allowed_too,
        }
    }

    /// A piece of usage, sorted into the times of the waves. What lies in several of them is put where the most waves were in
    /// force: what any of them denies is denied there.
    #[must_use]
    pub fn sorted(applied: &Applied, usage: &Usage) -> Vec<Self> {
        let mut parts: BTreeMap<Timestamp, (Span, Vec<Demand>)> = BTreeMap::new();
        for demand in denied(usage) {
            let times = demand.first_seen.zip(demand.last_seen);
            if let Some(span) = times.and_then(|(first, last)| applied.span_of(first, last)) {
                parts
                    .entry(span.from)
                    .or_insert_with(|| (span, Vec::new()))
                    .1
                    .push(demand);
            }
        }
        let parts = parts.into_values();
        parts.map(|(span, denied)| Self::new(span, denied, usage)).collect()
    }
}

/// What was denied.
fn denied(usage: &Usage) -> Vec<Demand> {
    let demands = usage.demands().into_iter();
    demands.filter(|demand| demand.denied > 0).collect()
}

/// Writes of policies, and of places that hand them out, each with its times. Which of them a wave made is known when it is done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writes {
    policies: BTreeMap<PolicyKey, BTreeSet<Timestamp>>,
    places: BTreeMap<super::applied::PlaceKey, BTreeSet<Timestamp>>,
}

impl Writes {
    /// Takes note of those that usage shows.
    pub fn note(&mut self, applied: &Applied, usage: &Usage) {
        for demand in usage.demands() {
            let is_write = !matches!(
                Operation::of(demand.capability),
                Some(Operation::Read | Operation::List)
            );
            if !is_write || demand.allowed == 0 {
                continue;
            }
            // Of several the first and the last are known; no more is asked of them than whether there was more than one.
            let first = demand.first_seen.filter(|_| demand.allowed > 1);
            let times = first.into_iter().chain(demand.last_seen);
            let (namespace, path) = (demand.namespace.to_string(), demand.path.to_string());
            if let Some(name) = path::policy_at(&path) {
                let key = (namespace, name.to_owned());
                self.policies.entry(key).or_default().extend(times);
            } else if let Some(place) = applied.places.get(&(namespace, path)) {
                self.places.entry(place.clone()).or_default().extend(times);
            }
        }
    }

    /// When somebody else wrote a policy.
    fn of_policy<'w>(&'w self, applied: &'w Applied, policy: &'w PolicyKey) -> impl Iterator<Item = Timestamp> + 'w {
        let times = self.policies.get(policy).into_iter().flatten().copied();
        times.filter(move |&at| applied.is_of_another(at, Some(policy)))
    }

    fn policy_before(&self, applied: &Applied, policy: &PolicyKey, last: Option<Timestamp>) -> bool {
        let mut times = self.of_policy(applied, policy);
        times.any(|at| last.is_some_and(|last| at <= last))
    }

    /// The times at which somebody else wrote one of these, after the first and until the last.
    fn between<'w>(
        &'w self,
        applied: &'w Applied,
        policies: impl Iterator<Item = &'w PolicyKey>,
        (first, last): (Option<Timestamp>, Option<Timestamp>),
    ) -> BTreeSet<Timestamp> {
        let times = policies.flat_map(|policy| self.of_policy(applied, policy));
        times.filter(|at| Some(*at) > first && Some(*at) <= last).collect()
    }

    fn place_before(&self, applied: &Applied, holder: &access::Holder, last: Option<Timestamp>) -> bool {
        holder.assigned.iter().any(|place| {
            let key = (place.kind.clone(), place.namespace.to_string(), place.id.clone());
            let times = self.places.get(&key).into_iter().flatten();
            let mut times = times.filter(|at| applied.is_of_another(**at, None));
            times.any(|&at| last.is_some_and(|last| at <= last))
        })
    }

    /// Whether this regression was answered: a policy that could give it back was written after it was denied last.
    #[must_use]
    pub fn answer(&self, applied: &Applied, regression: &Regression) -> bool {
        let policies = regression.targets.iter().chain([&regression.policy]);
        let mut times = policies.flat_map(|policy| self.of_policy(applied, policy));
        times.any(|at| regression.last_seen.is_some_and(|last| at > last))
    }
}

fn key_of(policy: &Policy) -> PolicyKey {
    (policy.namespace.to_string(), policy.name.to_string())
}

/// Looks for regressions.
#[must_use]
pub fn find(
    applied: &Applied,
    seen: &[Seen],
    writes: &Writes,
    deployment: Option<&Deployment>,
    profile: Profile,
) -> Found {
    let world = World {
        applied,
        deployment,
        profile,
    };
    let mut found = Found::default();
    for part in seen {
        world.in_span(part, writes, &mut found);
    }
    found.regressions = together(found.regressions);
    found
}

/// What a report and a deployment say.
#[derive(Clone, Copy)]
pub(super) struct World<'a> {
    pub(super) applied: &'a Applied,
    pub(super) deployment: Option<&'a Deployment>,
    pub(super) profile: Profile,
}

impl World<'_> {
    /// What was denied in a time, joined with the policies of that time.
    pub(super) fn now(&self, part: &Seen) -> Joined {
        self.join(self.policies(part.span.waves), part.facts.clone())
    }

    pub(super) fn policies(&self, state: usize) -> Vec<Policy> {
        self.applied.states.get(state).cloned().unwrap_or_default()
    }

    /// From what is handed out after so many waves to what is after others.
    pub(super) fn shift(&self, from: usize, to: usize) -> Option<Shift<'_>> {
        let shift = Shift {
            from: self.applied.lists.get(from)?,
            to: self.applied.lists.get(to)?,
            logins_only: false,
        };
        (!shift.is_none()).then_some(shift)
    }

    /// The same with these policies, and with what would be held after so many waves.
    pub(super) fn as_of(&self, now: &Joined, part: &Seen, policies: Vec<Policy>, state: usize) -> Joined {
        let facts = match self.shift(part.span.waves, state) {
            Some(shift) => shift.facts(now, &part.facts),
            None => part.facts.clone(),
        };
        self.join(policies, facts)
    }

    fn join(&self, policies: Vec<Policy>, facts: Facts) -> Joined {
        access::join(Inputs {
            facts,
            policies,
            deployment: self.deployment,
            profile: self.profile,
            now: Some(Timestamp::now().as_second()),
        })
    }

    fn in_span(&self, part: &Seen, writes: &Writes, found: &mut Found) {
        let waves = part.span.waves;
        let now = self.now(part);
        let mut open: Vec<usize> = Vec::new();
        for (n, demand) in now.demands.iter().enumerate() {
            found.denied += demand.demand.denied;
            match demand.outcome {
                Outcome::DeniedButAllowed => found.elsewhere += demand.demand.denied,
                Outcome::Denied => open.push(n),
                _ => found.before_as_well += demand.demand.denied,
            }
        }
        let older = self.by_older_tokens(&now, part, &open);
        for state in (0..waves).rev() {
            if open.is_empty() {
                break;
            }
            let before = self.as_of(&now, part, self.policies(state), state);
            open.retain(|&n| {
                let (before_all, now_all) = (before.demands.as_slice(), now.demands.as_slice());
                let (Some(was), Some(is)) = (before_all.get(n), now_all.get(n)) else {
                    return true;
                };
                if was.outcome != Outcome::DeniedButAllowed {
                    return true;
                }
                if older.contains(&n) {
                    found.older_tokens += is.demand.denied;
                    return false;
                }
                let also = part.allowed_too.contains(&asked(&is.demand));
                match self.regression((&before, was), (&now, is), (state + 1, also), writes) {
                    Some(regression) => found.regressions.push(regression),
                    None => found.unknown += is.demand.denied,
                }
                false
            });
        }
        for demand in open.iter().filter_map(|&n| now.demands.as_slice().get(n)) {
            let unread = !now.sets[demand.set].is_known();
            if unread {
                found.unknown += demand.demand.denied;
            } else {
                found.before_as_well += demand.demand.denied;
            }
        }
    }

    /// Those that would be allowed if their holders had logged in since the waves.
    fn by_older_tokens(&self, now: &Joined, part: &Seen, open: &[usize]) -> BTreeSet<usize> {
        let waves = part.span.waves;
        let mut older = BTreeSet::new();
        for from in (0..waves).rev() {
            let Some(shift) = self.shift(from, waves) else { continue };
            let anew = Shift {
                logins_only: true,
                ..shift
            };
            let then = self.join(self.policies(waves), anew.facts(now, &part.facts));
            let allowed = |&&n: &&usize| {
                let demand = then.demands.as_slice().get(n);
                demand.is_some_and(|demand| demand.outcome == Outcome::DeniedButAllowed)
            };
            older.extend(open.iter().filter(allowed));
        }
        older
    }

    fn regression(
        &self,
        (before, was): (&Joined, &JoinedDemand),
        (now, is): (&Joined, &JoinedDemand),
        (wave, allowed_too): (usize, bool),
        writes: &Writes,
    ) -> Option<Regression> {
        let set = &before.sets[was.set];
        let rule = set
            .acl
            .winner(was.operation(), &was.path)
            .and_then(|id| set.acl.rule(id))?;
        let changes = &self.applied.waves.get(wave.checked_sub(1)?)?.changes;
        let sources: Vec<(PolicyKey, &Stanza)> = rule
            .sources
            .iter()
            .filter(|source| source.capabilities.contains(was.demand.capability))
            .map(|source| set.stanza(source))
            .map(|id| (key_of(&before.policies[id.policy()]), &before.policies[id]))
            .collect();
        let changed = sources.iter().find(|(key, _)| changes.contains(key));
        let (policy, stanza) = changed.or(sources.first())?.clone();
        let stanza = self.took(wave, &policy, stanza, was.demand.capability);
        let targets = targets(now, is, &policy);
        // What was allowed as well was so since one of the policies that could give it was written; nobody knows how it went on where
        // that happened more than once.
        let (first, mut last) = (is.demand.first_seen, is.demand.last_seen);
        let mut days = is.demand.days.clone();
        if allowed_too {
            let times = writes.between(self.applied, targets.iter().chain([&policy]), (first, last));
            match (times.len(), times.first()) {
                (0, _) => {}
                (1, Some(at)) => {
                    let day = i32::try_from(at.as_second().div_euclid(86_400)).unwrap_or(i32::MAX);
                    days.retain(|one| *one <= day);
                    last = first;
                }
                _ => return None,
            }
        }
        let holder = &now.holders[is.holder];
        // With a text or a list that somebody else wrote in between, what is in force is not what was applied.
        let mut held = set.policies.iter().map(|&p| key_of(&before.policies[p]));
        let is_other = held.any(|policy| writes.policy_before(self.applied, &policy, last));
        if is_other || writes.place_before(self.applied, holder, last) {
            return None;
        }
        let acl = &now.sets[is.set].acl;
        let winner = acl.winner(is.operation(), &is.path);
        let has = winner.and_then(|winner| Some(acl.rule(winner)?.capabilities));
        let mut regression = Regression {
            principal: holder.display().to_owned(),
            holder: holder.key(),
            namespace: is.demand.namespace.to_string(),
            path: is.demand.path.to_string(),
            capability: is.demand.capability,
            needs_sudo: is.needs_sudo,
            count: is.demand.denied,
            days,
            first_seen: is.demand.first_seen,
            last_seen: last,
            targets,
            policy,
            stanza,
            wave,
            has: has.unwrap_or_default().difference(CapabilitySet::of(Capability::Deny)),
            answered: false,
        };
        regression.answered = writes.answer(self.applied, &regression);
        Some(regression)
    }
}

impl World<'_> {
    /// The path of a stanza that granted this before a wave, where it does no longer.
    fn took(&self, wave: usize, policy: &PolicyKey, before: &Stanza, capability: Capability) -> Option<String> {
        let after = self.applied.states.get(wave)?;
        let mut after = after.iter().filter(|after| key_of(after) == *policy);
        let mut stanzas = after.next().into_iter().flat_map(|after| &after.stanzas);
        let stays = stanzas.any(|stanza| stanza.path == before.path && stanza.capability_set().contains(capability));
        (!stays).then(|| before.path.to_string())
    }
}

/// The policies by which a token could get it back: the one that allowed it, where the token has it; else those that it has, the
/// one that the fewest others have first.
fn targets(now: &Joined, is: &JoinedDemand, policy: &PolicyKey) -> Vec<PolicyKey> {
    let held = ids_of(now, is.set);
    if held.contains(&PolicyId::new(policy.0.as_str(), policy.1.as_str())) {
        return vec![policy.clone()];
    }
    let read = now.sets[is.set].policies.iter();
    let mut others: Vec<(usize, PolicyKey)> = read
        .map(|&n| (now.held[n].by.len(), &now.policies[n]))
        .filter(|(_, policy)| !policy.id().is_default())
        .map(|(holders, policy)| (holders, key_of(policy)))
        .collect();
    others.sort();
    others.into_iter().map(|(_, policy)| policy).collect()
}

/// One line for the same request of the same principal, over all times; the most frequent first.
fn together(all: Vec<Regression>) -> Vec<Regression> {
    let mut list: Vec<Regression> = Vec::new();
    let mut at: BTreeMap<(String, String, String, Capability, PolicyKey, usize), usize> = BTreeMap::new();
    for next in all {
        let (holder, namespace, path, capability, policy, wave) = next.key();
        let key = (
            holder.to_owned(),
            namespace.to_owned(),
            path.to_owned(),
            capability,
            policy.clone(),
            wave,
        );
        match at.get(&key).and_then(|&n| list.get_mut(n)) {
            Some(first) => first.add(next),
            None => {
                at.insert(key, list.len());
                list.push(next);
            }
        }
    }
    list.sort_by_key(|regression| std::cmp::Reverse(regression.count));
    list
}
