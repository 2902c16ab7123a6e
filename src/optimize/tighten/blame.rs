//! What of a scheme is to blame for a failure of its proof.
//!
//! A request is decided by one stanza. Where something new is granted, another stanza decides than before, because the one that
//! did is gone or narrower: that one is to blame, and not what stands below it and was not changed for this request. Where
//! something is lost, a stanza that came in the place of another decides instead: the one that it came from is to blame. Only
//! where these can take no step back are the others asked.

use super::draft::Levels;
use super::{Ladders, settle};
use crate::access::{HolderId, Joined, SetId, StanzaId};
use crate::optimize::limits::Limits;
use crate::optimize::proof::{Failure, Scheme};
use crate::policy::model::Policy;
use crate::policy::pattern::Pattern;
use crate::vault::Operation;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a failure is about, and in words.
struct About {
    set: SetId,
    holder: HolderId,
    /// The request's path; none where the comparison was not finished.
    request: Option<(String, Operation)>,
    /// Whether something is lost; else gained.
    lost: bool,
    reason: String,
}

fn about(joined: &Joined, failure: &Failure) -> Option<About> {
    Some(match failure {
        Failure::Denied { demand } => {
            let d = joined.demands.get(*demand)?;
            About {
                set: d.set,
                holder: d.holder,
                request: Some((d.path.clone(), d.operation())),
                lost: true,
                reason: format!(
                    "`{}` would lose {} on `{}`",
                    name(joined, d.holder),
                    d.demand.capability,
                    d.path
                ),
            }
        }
        Failure::Granted {
            set,
            path,
            operation,
            holders,
        } => {
            let holder = *holders.first()?;
            About {
                set: *set,
                holder,
                request: Some((path.clone(), *operation)),
                lost: false,
                reason: format!("`{}` would gain {operation} on `{path}`", name(joined, holder)),
            }
        }
        Failure::Undecided { set, holders, reason } => About {
            set: *set,
            holder: *holders.first()?,
            request: None,
            lost: false,
            reason: format!("the proof could not be finished: {reason}"),
        },
    })
}

fn name(joined: &Joined, holder: HolderId) -> &str {
    joined.holders[holder].display()
}

/// The stanzas that have to take a step back, each with the reason: for every failure the fewest that can.
pub(super) fn blamed(
    joined: &Joined,
    scheme: &Scheme,
    failures: &[Failure],
    (ladders, levels, limits): (&Ladders, &Levels, &Limits<'_>),
) -> BTreeMap<StanzaId, String> {
    let mut blamed: BTreeMap<StanzaId, String> = BTreeMap::new();
    let can = |id: &StanzaId| settle::can_step_back(ladders, levels, *id) || limits.is_on(*id);
    for about in failures.iter().filter_map(|f| about(joined, f)) {
        let set = &joined.sets[about.set];
        let mut suspects: Vec<Vec<StanzaId>> = Vec::new();
        if let Some((path, operation)) = &about.request {
            let rule = set.acl.winner(*operation, path).and_then(|r| set.acl.rule(r));
            let sources = rule.into_iter().flat_map(|r| &r.sources);
            let before: Vec<StanzaId> = sources
                .filter_map(|s| Some((*set.policies.get(s.policy)?, s.stanza)))
                .collect();
            let after = replacing(joined, scheme, (about.set, about.holder), *operation, path);
            suspects = match about.lost {
                true => {
                    let other = after.iter().filter(|id| !before.contains(id)).copied().collect();
                    vec![other, before]
                }
                false => vec![before, after],
            };
        }
        let all = set.policies.iter().flat_map(|&p| {
            let stanzas = joined.policies.get(p).map_or(0, |q| q.stanzas.len());
            (0..stanzas).map(move |s| (p, s))
        });
        suspects.push(all.collect());
        let found = suspects.into_iter().find(|some| some.iter().any(can));
        for id in found.into_iter().flatten().filter(|id| can(id)) {
            blamed.entry(id).or_insert_with(|| about.reason.clone());
        }
    }
    blamed
}

/// Original stanzas whose replacement wins on `path` under the scheme.
fn replacing(
    joined: &Joined,
    scheme: &Scheme,
    (set_id, holder): (SetId, HolderId),
    operation: Operation,
    path: &str,
) -> Vec<StanzaId> {
    let set = &joined.sets[set_id];
    let Some(given) = scheme.given.get(&(set_id, holder)) else {
        return Vec::new();
    };
    let chosen: Vec<&Policy> = given.iter().filter_map(|&p| scheme.policies.get(p)).collect();
    let acl = scheme.acl(joined, set_id, holder, given);
    let Some(rule) = acl.winner(operation, path).and_then(|r| acl.rule(r)) else {
        return Vec::new();
    };
    let names: BTreeSet<(Arc<str>, Arc<str>)> = rule
        .sources
        .iter()
        .filter_map(|s| chosen.get(s.policy).map(|p| (p.namespace.clone(), p.name.clone())))
        .collect();
    set.policies
        .iter()
        .filter_map(|&p| Some((p, joined.policies.get(p)?)))
        .filter(|(_, policy)| names.contains(&(policy.namespace.clone(), policy.name.clone())))
        .flat_map(|(p, policy)| {
            let winner = rule.pattern.clone();
            policy.stanzas.iter().enumerate().filter_map(move |(s, stanza)| {
                let old = Pattern::parse(&stanza.path, &policy.namespace).ok()?;
                crate::policy::relation::implies(&winner, &old).then_some((p, s))
            })
        })
        .collect()
}
