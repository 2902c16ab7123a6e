//! Whose steps have to keep their order: policies that somebody has together, and whose changes may decide one request.

use super::steps::says_the_same;
use crate::access::{Joined, PolicyNumber};
use crate::policy::model::{Policy, Stanza};
use crate::policy::pattern::Pattern;
use crate::policy::relation;
use petgraph::unionfind::UnionFind;
use std::collections::{BTreeMap, BTreeSet};

/// Of each policy that changes the number of its group: only the steps of one group have to keep their order among each other. The changes
/// of two groups decide no request of anybody together, whatever was done of either.
#[must_use]
pub fn tied(joined: &Joined, changes: &BTreeMap<PolicyNumber, Option<&Policy>>) -> BTreeMap<PolicyNumber, usize> {
    let changed: BTreeMap<PolicyNumber, Vec<Option<Pattern>>> = changes
        .iter()
        .map(|(&number, to)| (number, changed_patterns(&joined.policies[number], *to)))
        .collect();
    let moving = |policies: &'_ [PolicyNumber]| -> Vec<PolicyNumber> {
        let policies = policies.iter().copied();
        policies.filter(|policy| changed.contains_key(policy)).collect()
    };
    let seen = joined.sets.iter().map(|set| moving(&set.policies));
    let unseen = joined.unseen.uncompared.iter().map(|list| moving(&list.policies));
    let together: BTreeSet<Vec<PolicyNumber>> = seen.chain(unseen).collect();
    let mut groups: UnionFind<usize> = UnionFind::new(joined.policies.len());
    let patterns = |policy: &PolicyNumber| changed.get(policy).map_or(&[][..], Vec::as_slice);
    for (all, (n, one)) in together
        .iter()
        .flat_map(|all| all.iter().enumerate().map(move |one| (all, one)))
    {
        for other in all.iter().skip(n + 1) {
            let is_new = !groups.equiv(one.number(), other.number());
            let others = patterns(other);
            let meets = |own: &Option<Pattern>| {
                others
                    .iter()
                    .any(|other| relation::may_meet(own.as_ref(), other.as_ref()))
            };
            if is_new && patterns(one).iter().any(meets) {
                groups.union(one.number(), other.number());
            }
        }
    }
    let group = |&policy: &PolicyNumber| (policy, groups.find(policy.number()));
    changed.keys().map(group).collect()
}

/// The paths of the stanzas that one of the two has and the other has not; none of one that cannot be told.
fn changed_patterns(old: &Policy, new: Option<&Policy>) -> Vec<Option<Pattern>> {
    let none = Vec::new();
    let new = new.map_or(&none, |policy| &policy.stanzas);
    let beyond = |some: &'_ [Stanza], others: &[Stanza]| -> Vec<Option<Pattern>> {
        let beyond = some
            .iter()
            .filter(|one| !others.iter().any(|other| says_the_same(one, other)));
        // Denials of some servers pass over case, and a list is asked with and without its last slash.
        let path = |stanza: &Stanza| stanza.path.to_lowercase();
        let pattern = |stanza: &Stanza| Pattern::parse(path(stanza).trim_end_matches('/'), &old.namespace).ok();
        beyond
            .map(|stanza| pattern(stanza).filter(|_| !stanza.templated))
            .collect()
    };
    let mut changed = beyond(&old.stanzas, new);
    changed.extend(beyond(new, &old.stanzas));
    changed
}
