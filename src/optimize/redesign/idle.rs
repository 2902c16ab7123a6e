//! Who never acted, or came lately, gets what all others get from the same place: a member of a group who was away keeps its common
//! roles.
//!
//! Nothing is known of what such a principal needs. Alone it would get nothing, and the group, of which it is a member, could then
//! give nothing to anybody either. It never gets more than it has today.

use super::model::Redesign;
use super::size::measure;
use crate::access::holder::AssignedBy;
use crate::access::weight::Weighed;
use crate::access::{HolderId, Joined, Login, SetId};
use crate::optimize::proof::{self, ProposedNumber, Scheme};
use crate::policy::compare;
use std::collections::{BTreeMap, BTreeSet};

/// Gives them that, proves the whole once more, and takes it back where the proof does not hold.
pub(super) fn follow(joined: &Joined, redesign: &mut Redesign, weighed: &Weighed<'_>) {
    let more = common(joined, &redesign.scheme);
    let before: Vec<((SetId, HolderId), Vec<ProposedNumber>)> = more
        .into_iter()
        .filter_map(|(key, roles)| {
            let old = redesign.scheme.given.get(&key)?.clone();
            let with: BTreeSet<ProposedNumber> = old.iter().copied().chain(roles).collect();
            let with: Vec<ProposedNumber> = with.into_iter().collect();
            if with == old || !opens_nothing(joined, &redesign.scheme, key, &with) {
                return None;
            }
            redesign.scheme.given.insert(key, with);
            Some((key, old))
        })
        .collect();
    if before.is_empty() {
        return;
    }
    let (proof, failures) = proof::prove(joined, &redesign.scheme);
    if !failures.is_empty() {
        redesign.scheme.given.extend(before);
        return;
    }
    for (key @ (_, holder), _) in before {
        let given = redesign.scheme.given.get(&key).into_iter().flatten();
        let names = given.map(|&p| &*redesign.scheme.policies[p].name);
        for name in names {
            if let Some(role) = redesign.roles.iter_mut().find(|role| role.name == name) {
                role.holders.insert(holder);
            }
        }
    }
    redesign.proof = proof;
    redesign.size = measure(joined, &redesign.scheme, weighed);
}

/// For each login of somebody who never acted, or came lately, the policies that all logins of those who did act get, place by place.
fn common(joined: &Joined, scheme: &Scheme) -> BTreeMap<(SetId, HolderId), BTreeSet<ProposedNumber>> {
    let mut members: BTreeMap<&AssignedBy, Vec<&Login>> = BTreeMap::new();
    for login in &joined.logins {
        let holder = &joined.holders[login.holder];
        for place in login.places.iter().filter_map(|&n| holder.assigned.get(n)) {
            members.entry(place).or_default().push(login);
        }
    }
    let mut more: BTreeMap<(SetId, HolderId), BTreeSet<ProposedNumber>> = BTreeMap::new();
    for logins in members.values() {
        let acted = |login: &&Login| {
            joined.holders[login.holder].is_active() && !joined.stays.lately.contains_key(&login.holder)
        };
        let (active, idle): (Vec<&Login>, Vec<&Login>) = logins.iter().partition(|login| acted(login));
        let mut given = active.iter().map(|login| {
            let given = scheme.given.get(&(login.set, login.holder));
            given
                .into_iter()
                .flatten()
                .copied()
                .collect::<BTreeSet<ProposedNumber>>()
        });
        let Some(first) = given.next() else { continue };
        let shared = given.fold(first, |shared, next| shared.intersection(&next).copied().collect());
        for login in idle {
            more.entry((login.set, login.holder)).or_default().extend(&shared);
        }
    }
    more
}

fn opens_nothing(joined: &Joined, scheme: &Scheme, (set, holder): (SetId, HolderId), given: &[ProposedNumber]) -> bool {
    let then = scheme.acl(joined, set, holder, given);
    compare::grants_nothing_new(&joined.sets[set].acl, &then, compare::Options::default()).is_proven()
}
