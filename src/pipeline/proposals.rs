//! The two proposals as a report shows them.

use super::assignments::changed_for;
use super::handover::{self, Settled};
use super::waves;
use crate::access::weight::Weighed;
use crate::access::{Joined, PolicyNumber};
use crate::advice::{
    Assignment, Change, Complexity, Expected, Optimality, Proof, Proposal, ProposedPolicy, Step, Text, Withdrawn,
};
use crate::optimize::foresight::interval::Spread;
use crate::optimize::proof::{self, Scheme};
use crate::optimize::redesign::{Made, Redesign, Role, Size};
use crate::optimize::tied::tied;
use crate::optimize::tighten::Tightening;
use crate::policy::model::Policy;
use crate::report::digest;
use crate::report::holder::ends_renewal;
use crate::vault::PolicyId;
use std::collections::{BTreeMap, BTreeSet};

/// Both proposals; the redesign is left out where nothing could be redesigned.
pub(super) fn all(
    joined: &Joined,
    weighed: &Weighed<'_>,
    (today, tight): (Size, Size),
    tightened: Tightening,
    redesigned: Option<Redesign>,
    (horizon_days, base): (i32, Option<Tightening>),
) -> Vec<Proposal> {
    let (tightened, redesigned) = whole(joined, tightened, redesigned);
    // What was withdrawn is as large as today.
    let tight = if tightened.changed.is_empty() { today } else { tight };
    let (today, tight) = (complexity(today), complexity(tight));
    let of_redesign = redesigned.as_ref().and_then(|r| r.expected);
    // What the redesign began with.
    let from = base.as_ref().unwrap_or(&tightened);
    let settled = redesigned.and_then(|r| handover::settle(joined, weighed, from, r));
    let redesigned = settled.map(|settled| redesign(joined, from, settled, (today.clone(), &tight)));
    let mut proposals = vec![tighten(joined, tightened, (today, tight), horizon_days)];
    proposals.extend(redesigned.map(|mut proposal| {
        proposal.expected = of_redesign.map(|spread| expected(spread, horizon_days));
        proposal
    }));
    if let [tighten, redesign] = proposals.as_mut_slice()
        && digest::is_same(redesign, tighten)
    {
        redesign.title = digest::SAME.to_owned();
    }
    proposals
}

/// What is proven of all that was allowed; a proof with a gap withdraws what it was for.
fn whole(joined: &Joined, mut tightened: Tightening, redesigned: Option<Redesign>) -> (Tightening, Option<Redesign>) {
    let redesigned = redesigned.filter(|r| proof::is_whole(joined, &r.scheme, &r.proof));
    if !proof::is_whole(joined, &tightened.scheme, &tightened.proof) {
        let why = "the proof does not account for every request that was allowed: please report this as a fault";
        tightened.withdraw(Scheme::today(joined), why);
    }
    (tightened, redesigned)
}

fn expected(spread: Spread, horizon_days: i32) -> Expected {
    let (low, high) = spread.interval();
    Expected {
        horizon_days,
        denied: spread.mean,
        low,
        high,
    }
}

fn complexity(size: Size) -> Complexity {
    Complexity {
        policies: size.policies,
        stanzas: size.stanzas,
        assignments: size.assignments,
        exposure: size.exposure,
        wsc: size.policies + size.assignments + size.stanzas,
        risk_mean: size.risk_mean,
    }
}

fn proven(proof: &proof::Proof) -> Proof {
    Proof {
        demands_replayed: proof.demands_replayed,
        requests_replayed: proof.requests_replayed,
        newly_denied: proof.newly_denied,
        newly_granted: proof.newly_granted,
        principals: proof.principals,
        combinations: proof.combinations,
        combinations_proven: proof.combinations_proven,
        not_explained: proof.not_explained,
    }
}

fn withdrawn(list: Vec<(String, String)>) -> Vec<Withdrawn> {
    let mut seen = BTreeSet::new();
    list.into_iter()
        .filter(|entry| seen.insert(entry.clone()))
        .map(|(what, reason)| Withdrawn { what, reason })
        .collect()
}

fn stanzas(policy: &Policy) -> Vec<(String, Vec<String>)> {
    policy
        .stanzas
        .iter()
        .map(|s| {
            (
                s.path.to_string(),
                s.capabilities.iter().map(ToString::to_string).collect(),
            )
        })
        .collect()
}

fn holders(joined: &Joined, policy: PolicyNumber) -> Vec<String> {
    joined.held[policy]
        .by
        .iter()
        .map(|&h| joined.holders[h].display().to_owned())
        .collect()
}

fn tighten(joined: &Joined, t: Tightening, (before, after): (Complexity, Complexity), horizon_days: i32) -> Proposal {
    let changes: BTreeMap<PolicyNumber, _> = t.changed.iter().map(|c| (c.policy, c)).collect();
    let new: BTreeMap<(&str, &str), &Policy> = t
        .scheme
        .policies
        .iter()
        .map(|p| ((&*p.namespace, &*p.name), p))
        .collect();
    let becomes = changes.keys().map(|&n| {
        let old = &joined.policies[n];
        (n, new.get(&(&*old.namespace, &*old.name)).copied())
    });
    let tied = tied(joined, &becomes.collect());
    let policies: Vec<ProposedPolicy> = joined
        .policies
        .numbered()
        .map(|(n, policy)| {
            let change = changes.get(&n);
            ProposedPolicy {
                namespace: policy.namespace.clone(),
                name: policy.name.to_string(),
                file: Some(policy.file.clone()),
                original: Some(policy.source.clone()),
                written: policy.written.clone(),
                text: match change {
                    Some(c) => c.text.clone(),
                    None => Some(policy.source.to_string()),
                },
                change: match change.map(|c| c.text.is_some()) {
                    None => Change::Keep,
                    Some(true) => Change::Edit,
                    Some(false) => Change::Delete,
                },
                reasons: change.map(|c| c.reasons.clone()).unwrap_or_default(),
                expected: change.and_then(|c| c.expected).map(|s| expected(s, horizon_days)),
                stanzas: new
                    .get(&(&*policy.namespace, &*policy.name))
                    .map(|p| stanzas(p))
                    .unwrap_or_default(),
                holders: holders(joined, n),
                tied: tied.get(&n).copied(),
                ..ProposedPolicy::default()
            }
        })
        .collect();
    let changed = |kind| policies.iter().filter(|p| p.change == kind).count() as u64;
    let title = format!(
        "{} edited, {} deleted, {} unchanged; who holds them stays the same",
        digest::count(changed(Change::Edit), "policy", "policies"),
        digest::number(changed(Change::Delete)),
        digest::number(changed(Change::Keep))
    );
    let waves = waves::waves(joined, &t);
    let mut migration: Vec<String> = Vec::new();
    for (policy, to) in waves.iter().flat_map(|wave| &wave.steps).filter_map(of_policy) {
        let Some(p) = policies.get(policy) else { continue };
        migration.push(match (p.change, to) {
            (Change::Delete, _) => format!("delete policy `{}`, which nobody holds", p.label()),
            (_, Text::Between(_)) => format!("write policy `{}`, with an intermediate text", p.label()),
            (_, Text::Proposed) => format!("write policy `{}`", p.label()),
        });
    }
    Proposal {
        kind: "tighten".to_owned(),
        title,
        assignments: Vec::new(),
        before,
        after,
        proof: proven(&t.proof),
        withdrawn: withdrawn(t.withdrawn),
        migration,
        waves,
        optimality: Optimality {
            objective: match t.expected {
                Some(_) => "what stays open within the budget of expected wrong denials".to_owned(),
                None => {
                    "price of narrowed stanzas (stanzas, and what they leave open at the price set by `optimize.lambda`)"
                        .to_owned()
                }
            },
            cost: t.price.0,
            lower_bound: t.price.1,
            optimal: t.price.2,
            seconds: None,
        },
        expected: t.expected.map(|s| expected(s, horizon_days)),
        files: Vec::new(),
        wave_files: Vec::new(),
        commits: Vec::new(),
        owners: BTreeMap::new(),
        changed_for: BTreeSet::new(),
        policies,
    }
}

fn of_policy(step: &Step) -> Option<(usize, &Text)> {
    match step {
        Step::Policy { policy, to, .. } => Some((*policy, to)),
        Step::Holder { .. } => None,
    }
}

/// A policy for a new role.
fn new_role(joined: &Joined, role: &Role) -> ProposedPolicy {
    let holders = digest::count(role.holders.len() as u64, "principal", "principals");
    ProposedPolicy {
        namespace: role.namespace.clone(),
        name: role.name.clone(),
        text: Some(role.text.clone()),
        change: Change::Add,
        reasons: vec![match &role.shared {
            Some(shared) => format!("held by {holders}, all of {shared}"),
            None => format!("held by {holders}"),
        }],
        shared: role.shared.clone(),
        stanzas: role
            .stanzas
            .iter()
            .map(|(path, c)| (path.clone(), c.iter().map(|c| c.to_string()).collect()))
            .collect(),
        holders: role
            .holders
            .iter()
            .map(|&h| joined.holders[h].display().to_owned())
            .collect(),
        ..ProposedPolicy::default()
    }
}

/// How to get from today's policies to the redesign: the steps that there are, in order; some policies may have to `wait` to be deleted.
fn migration(policies: &[ProposedPolicy], assignments: &[Assignment], wait: bool) -> Vec<String> {
    let any = |change: Change| policies.iter().any(|policy| policy.change == change);
    let ends = assignments.iter().filter(|one| ends_renewal(&one.kind)).count();
    let steps = [
        (
            any(Change::Edit) || any(Change::Delete),
            "apply the tightened policies first, with which the redesign begins: wave by wave (a wave holds changes that may be made together, once those before it are in force)"
                .to_owned(),
        ),
        (
            any(Change::Add),
            "write the new roles as policies: nobody holds them yet, so nothing changes".to_owned(),
        ),
        (
            !assignments.is_empty(),
            "add the new roles where each principal gets its policies, and watch for a while".to_owned(),
        ),
        (
            !assignments.is_empty(),
            "take the old policies away in the same places; tokens already out keep what their auth role gave them until they end"
                .to_owned(),
        ),
        (
            any(Change::Delete) || wait,
            "delete the old policies when no token holds them any more".to_owned(),
        ),
        (
            ends > 0,
            format!(
                "tokens of {} whose policies change cannot be renewed any more, by the rules of their auth methods: \
                 let them log in again, or wait for a quiet hour",
                digest::count(ends as u64, "user or role", "users and roles")
            ),
        ),
    ];
    steps.into_iter().filter_map(|(is, step)| is.then_some(step)).collect()
}

/// What the redesign leaves alone.
fn untouched(sets: usize) -> Option<Withdrawn> {
    (sets > 0).then(|| Withdrawn {
        what: match sets {
            1 => "one policy set stays as it is".to_owned(),
            _ => format!("{sets} policy sets stay as they are"),
        },
        reason: "not all of its policies were read, a template in it could not be filled, whoever holds it makes tokens for others (whose \
                 policies servers require to be among its own, by name), or its auth role lets anybody in"
            .to_owned(),
    })
}

/// Why a policy that nobody gets is not deleted yet.
const WAITS: &str = "nobody gets it any more; it stays for now, since tokens that name it would have more access without it: delete it when \
                     they have ended";
/// Why a policy stays that somebody asked for.
const KEPT: &str = "kept as a role, as asked";
/// Why a policy stays of which some get a part.
const FOR_OTHERS: &str =
    "some who hold it get a part of it; it stays as it is for all others, and for whoever comes tomorrow";
/// Why a policy goes.
const HELD_ELSEWHERE: &str = "what was used of it is held by the policies that stay";

fn redesign(
    joined: &Joined,
    tightened: &Tightening,
    settled: Settled,
    (before, tight): (Complexity, &Complexity),
) -> Proposal {
    let waves = handover::waves(joined, tightened, &settled, settled.redesign.roles.len());
    let Settled {
        redesign: r,
        assignments,
        stay,
        ..
    } = settled;
    let after = complexity(r.size);
    let mut policies: Vec<ProposedPolicy> = r.roles.iter().map(|role| new_role(joined, role)).collect();
    let kept: BTreeSet<PolicyId> = r.scheme.policies.iter().map(Policy::id).collect();
    // Of two by one name the first, as a reader would find it.
    let mut new_by_name: BTreeMap<(&str, &str), &Policy> = BTreeMap::new();
    for policy in &r.scheme.policies {
        new_by_name.entry((&*policy.namespace, &*policy.name)).or_insert(policy);
    }
    let old = joined.policies.numbered().map(|(n, policy)| {
        let new = new_by_name.get(&(&*policy.namespace, &*policy.name)).copied();
        let waits = new.is_none() && stay.contains(&n);
        let text = match new {
            Some(new) => Some(new.source.to_string()),
            None if waits => Some(tightened.text(joined, n).unwrap_or_default()),
            None => None,
        };
        let stays = kept.contains(&policy.id());
        let kept_by_wish = stays && r.kept.contains(&policy.name);
        ProposedPolicy {
            namespace: policy.namespace.clone(),
            name: policy.name.to_string(),
            file: Some(policy.file.clone()),
            original: Some(policy.source.clone()),
            written: policy.written.clone(),
            change: match &text {
                Some(text) if **text == *policy.source => Change::Keep,
                Some(_) => Change::Edit,
                None => Change::Delete,
            },
            text,
            reasons: match () {
                () if waits => vec![WAITS.to_owned()],
                () if kept_by_wish => vec![KEPT.to_owned()],
                () if r.for_newcomers.contains(&policy.id()) => vec![FOR_OTHERS.to_owned()],
                () if stays => Vec::new(),
                () => vec![HELD_ELSEWHERE.to_owned()],
            },
            stanzas: new.map(stanzas).unwrap_or_default(),
            holders: if stays { holders(joined, n) } else { Vec::new() },
            kept: kept_by_wish,
            ..ProposedPolicy::default()
        }
    });
    policies.extend(old);
    let changed_for = changed_for(joined, &r.scheme);
    Proposal {
        kind: "redesign".to_owned(),
        title: redesigned(
            (r.scheme.policies.len(), joined.policies.len(), r.roles.len()),
            (changed_for.len(), assignments.len()),
        ) + &worth_it(&before, &after, tight),
        migration: migration(&policies, &assignments, !stay.is_empty()),
        policies,
        assignments,
        before,
        after,
        proof: proven(&r.proof),
        withdrawn: withdrawn(r.withdrawn)
            .into_iter()
            .chain(untouched(r.untouched))
            .collect(),
        waves,
        optimality: Optimality {
            objective: match r.made {
                Made::Held => digest::OF_HELD.to_owned(),
                Made::Parts => digest::OF_PARTS.to_owned(),
                Made::Simplified => digest::OF_SIMPLIFIED.to_owned(),
                Made::Mined => "roles + memberships + permissions, unused ones at their price".to_owned(),
            },
            cost: r.cost,
            lower_bound: r.lower_bound,
            optimal: r.optimal,
            seconds: None,
        },
        expected: None,
        files: Vec::new(),
        wave_files: Vec::new(),
        commits: Vec::new(),
        owners: BTreeMap::new(),
        changed_for,
    }
}

/// A redesign in a sentence: so many policies instead of so many, so many new; for so many principals, in so many places.
fn redesigned((policies, today, new): (usize, usize, usize), (principals, places): (usize, usize)) -> String {
    let mut out = format!(
        "{} instead of {}",
        digest::count(policies as u64, "policy", "policies"),
        digest::number(today as u64)
    );
    if new > 0 {
        out.push_str(&format!(", {} of them new", digest::number(new as u64)));
    }
    if principals > 0 {
        let who = digest::count(principals as u64, "principal", "principals");
        out.push_str(&format!("; other policies for {who}"));
    }
    if places > 0 {
        out.push_str(&format!(", set in {}", digest::count(places as u64, "place", "places")));
    }
    out
}

/// What policies or stanzas more than today are for.
fn worth_it(today: &Complexity, after: &Complexity, tight: &Complexity) -> String {
    let more = [
        (after.policies.saturating_sub(today.policies), ("policy", "policies")),
        (after.stanzas.saturating_sub(today.stanzas), ("stanza", "stanzas")),
    ];
    let more: Vec<String> = more
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, (one, many))| digest::count(*count, &format!("more {one}"), &format!("more {many}")))
        .collect();
    match &more[..] {
        [] => String::new(),
        more => format!(
            "; {} for {} unused grants left, where tightening leaves {}",
            more.join(" and "),
            digest::number(after.exposure),
            digest::number(tight.exposure)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_more_policies_are_for_is_told() {
        let of = |policies, stanzas, exposure| Complexity {
            policies,
            stanzas,
            exposure,
            ..Complexity::default()
        };
        let (today, tight) = (of(5, 11, 9000), of(5, 40, 4000));
        assert_eq!(worth_it(&today, &of(4, 11, 3000), &tight), "");
        assert_eq!(
            worth_it(&today, &of(6, 30, 1100), &tight),
            "; 1 more policy and 19 more stanzas for 1,100 unused grants left, where tightening leaves 4,000"
        );
    }

    #[test]
    fn what_a_redesign_does_not_do_is_not_told() {
        assert_eq!(redesigned((21, 1204, 0), (0, 0)), "21 policies instead of 1,204");
        assert_eq!(
            redesigned((1, 2, 1), (1, 1)),
            "1 policy instead of 2, 1 of them new; other policies for 1 principal, set in 1 place"
        );
    }
}
