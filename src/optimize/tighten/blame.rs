//! What of a scheme is to blame for a failure of its proof.
//!
//! A request is decided by one stanza. Where something new is granted, another stanza decides than before, because the one that
//! did is gone or narrower: that one is to blame, and not what stands below it and was not changed for this request. Where
//! something is lost, a stanza that came in the place of another decides instead: the one that it came from is to blame. Only
//! where these can take no step back are the others asked.

use super::Ladders;
use super::draft::{Levels, can_step_back};
use crate::access::{HolderId, Joined, SetId, StanzaId};
use crate::optimize::limits::Limits;
use crate::optimize::proof::{Failure, Scheme};
use crate::policy::pattern::Pattern;
use crate::policy::relation::implies;
use crate::policy::table::stanza_in;
use crate::vault::{Operation, PolicyId};
use std::collections::{BTreeMap, BTreeSet};

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
            let d = &joined.demands[*demand];
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
    let can = |id: &StanzaId| can_step_back(ladders, levels, *id) || limits.is_on(*id);
    for about in failures.iter().filter_map(|f| about(joined, f)) {
        let set = &joined.sets[about.set];
        let mut suspects: Vec<Vec<StanzaId>> = Vec::new();
        if let Some((path, operation)) = &about.request {
            let rule = set.acl.winner(*operation, path);
            let before: Vec<StanzaId> = rule
                .into_iter()
                .flat_map(|rule| set.sources(rule))
                .map(|(id, _)| id)
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
        let all = set.policies.iter().flat_map(|&p| joined.policies.stanzas_of(p));
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
    let acl = scheme.acl(joined, set_id, holder, given);
    let Some(rule) = acl.winner(operation, path).and_then(|r| acl.rule(r)) else {
        return Vec::new();
    };
    let names: BTreeSet<PolicyId> = rule
        .sources
        .iter()
        .map(|source| scheme.policies[stanza_in(given, source).policy()].id())
        .collect();
    set.policies
        .iter()
        .filter(|&&p| names.contains(&joined.policies[p].id()))
        .flat_map(|&p| joined.policies.stanzas_of(p))
        .filter(|&id| {
            let namespace = &joined.policies[id.policy()].namespace;
            Pattern::parse(&joined.policies[id].path, namespace).is_ok_and(|old| implies(&rule.pattern, &old))
        })
        .collect()
}
