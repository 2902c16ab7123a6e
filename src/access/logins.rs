//! Ways in: which places together make the policies of a principal's token, and which of its policy sets that is.
//!
//! A token has what its auth role sets, what its entity has, and what the groups of the entity have. A principal with several
//! auth roles has as many ways in, each with a set of its own. Other sets of a principal (those of child tokens) come from no
//! place: whoever made the token chose them.

use super::by_name::PolicyNumber;
use super::holder::{AssignedBy, Holder, HolderId};
use super::joined::Joined;
use super::meant::HeldSet;
use crate::index::IndexVec;
use crate::usage::demand::PolicySet;
use crate::vault::{PolicyId, PrincipalKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A way in before its set has a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) held: HeldSet,
    pub(super) places: Vec<usize>,
}

/// The ways in of a holder, by what the deployment says. Where no token was seen with just what the places give, that set is
/// one that the holder can have all the same.
pub(super) fn ways(holder: &Holder) -> Vec<Way> {
    if holder.assigned.is_empty() {
        return Vec::new();
    }
    paths_in(holder).into_iter().map(|places| way(holder, places)).collect()
}

/// The places of each way in: one auth role, and what is the principal's own.
fn paths_in(holder: &Holder) -> Vec<Vec<usize>> {
    let (own, roles): (Vec<usize>, Vec<usize>) = (0..holder.assigned.len()).partition(|&n| {
        let kind = holder.assigned.get(n).map(|place| place.kind.as_str());
        matches!(kind, Some("entity" | "group"))
    });
    let with = |role: usize| own.iter().copied().chain([role]).collect();
    if roles.is_empty() {
        vec![own]
    } else {
        roles.into_iter().map(with).collect()
    }
}

/// The entities whose tokens came of several logins, as far as the log tells: as different roles, or called differently, which servers do by
/// mount and user.
pub(super) fn of_several(holders: &IndexVec<Holder>, sets: &[PolicySet]) -> BTreeSet<HolderId> {
    let entities = holders
        .numbered()
        .filter(|(_, holder)| holder.principal.kind == PrincipalKind::Entity);
    let number: HashMap<&str, HolderId> = entities.map(|(id, holder)| (&*holder.principal.id, id)).collect();
    let mut logins: BTreeMap<HolderId, BTreeSet<(&str, &str)>> = BTreeMap::new();
    for set in sets.iter().filter(|set| set.principal.kind == PrincipalKind::Entity) {
        // Who is no holder did nothing that is asked of policies.
        if let Some(&holder) = number.get(&*set.principal.id) {
            logins.entry(holder).or_default().insert((&set.role, &set.display_name));
        }
    }
    let several = logins.into_iter().filter(|(_, logins)| logins.len() > 1);
    several.map(|(holder, _)| holder).collect()
}

/// The policies of tokens that no known way in gives: of principals that come from no place of the deployment, or with more than
/// their places give. Whatever hands these out may be what gave it to them.
#[must_use]
pub fn unplaced(joined: &Joined) -> BTreeSet<PolicyNumber> {
    if joined.handed_out.is_none() {
        return BTreeSet::new();
    }
    let mut given: BTreeMap<HolderId, BTreeSet<PolicyNumber>> = BTreeMap::new();
    for login in &joined.logins {
        let policies = &joined.sets[login.set].policies;
        given.entry(login.holder).or_default().extend(policies);
    }
    let none = BTreeSet::new();
    let mut unplaced = BTreeSet::new();
    for set in &joined.sets {
        let mut bound = set.holders.iter().filter(|&&holder| joined.holders[holder].is_bound());
        let is_given = |holder: &HolderId| {
            let given = given.get(holder).unwrap_or(&none);
            let is_default = |p: &PolicyNumber| joined.policies[*p].id().is_default();
            set.policies.iter().all(|p| given.contains(p) || is_default(p))
        };
        if !bound.all(is_given) {
            unplaced.extend(&set.policies);
        }
    }
    unplaced
}

/// What these places give together.
fn given<'h>(holder: &'h Holder, places: &[usize]) -> BTreeSet<&'h PolicyId> {
    let places = places.iter().filter_map(|&n| holder.assigned.get(n));
    let policies = places.flat_map(|place| &place.policies);
    policies.filter(|policy| is_asked_for(policy)).collect()
}

/// Fills in the policies of auth roles that the deployment leaves out: what their logins were seen with last beyond what entity
/// and groups give, where that is the same for all of them.
pub(super) fn list(holders: &mut [Holder]) {
    let mut found: BTreeMap<AssignedBy, BTreeSet<Vec<PolicyId>>> = BTreeMap::new();
    for holder in holders.iter() {
        for places in paths_in(holder) {
            let mut of_way = places.iter().filter_map(|&n| holder.assigned.get(n));
            let Some(role) = of_way.find(|place| place.unlisted) else {
                continue;
            };
            let given = given(holder, &places);
            let mut sets = holder.sets.iter().filter(|set| !set.open).map(asked_for);
            if let Some(all) = sets.find(|set| set.is_superset(&given)) {
                let rest = all.difference(&given).map(|policy| (*policy).clone()).collect();
                found.entry(role.clone()).or_default().insert(rest);
            }
        }
    }
    for place in holders.iter_mut().flat_map(|holder| &mut holder.assigned) {
        if let Some(rests) = found.get(place).filter(|rests| rests.len() == 1) {
            place.policies = rests.first().cloned().unwrap_or_default();
        }
    }
}

fn way(holder: &Holder, places: Vec<usize>) -> Way {
    let given = given(holder, &places);
    let seen = &holder.sets;
    let held = match seen.iter().find(|set| asked_for(set) == given) {
        Some(same) => same.clone(),
        None => {
            let everybody = seen.iter().flat_map(|set| set.policies.iter());
            let everybody = everybody.filter(|policy| policy.is_default() && policy.namespace == holder.namespace);
            HeldSet::of(given.into_iter().chain(everybody).cloned())
        }
    };
    Way { held, places }
}

fn asked_for(set: &HeldSet) -> BTreeSet<&PolicyId> {
    set.policies.iter().filter(|policy| is_asked_for(policy)).collect()
}

/// Whether a policy has to be handed out: `default` comes with every token by itself.
#[must_use]
pub fn is_asked_for(policy: &PolicyId) -> bool {
    !policy.is_default()
}

/// Puts what a holder has today before its other sets: that of the way in that was seen last, or of the first one known; or of
/// the last token seen that has more than that, from somewhere that the deployment does not show.
pub(super) fn first(holder: &mut Holder, ways: &[Way]) {
    let seen_at = |way: &&Way| {
        let at = holder.sets.iter().position(|set| *set == way.held);
        at.unwrap_or(usize::MAX)
    };
    let Some(newest) = ways.iter().min_by_key(seen_at) else {
        return;
    };
    let given = asked_for(&newest.held);
    let more = holder.sets.iter().find(|set| asked_for(set).is_superset(&given));
    let today = more.unwrap_or(&newest.held).clone();
    holder.sets.retain(|set| *set != today);
    holder.sets.insert(0, today);
    for way in ways {
        if !holder.sets.contains(&way.held) {
            holder.sets.push(way.held.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::template::Identity;
    use crate::usage::demand::Principal;
    use crate::vault::PrincipalKind;
    use std::sync::Arc;

    fn place(kind: &str, policies: &[&str]) -> AssignedBy {
        AssignedBy {
            namespace: Arc::from(""),
            kind: kind.to_owned(),
            id: kind.to_owned(),
            name: kind.to_owned(),
            mount: String::new(),
            policies: policies.iter().map(|name| PolicyId::new("", *name)).collect(),
            unlisted: false,
        }
    }

    fn names(set: &[&str]) -> HeldSet {
        HeldSet::of(set.iter().map(|name| PolicyId::new("", *name)))
    }

    fn jane(assigned: Vec<AssignedBy>, sets: &[&[&str]]) -> Holder {
        Holder {
            principal: Principal {
                kind: PrincipalKind::Entity,
                id: Arc::from("e1"),
                name: Arc::from("jane"),
                auth_mount: Arc::from(""),
            },
            namespace: Arc::from(""),
            sets: sets.iter().map(|set| names(set)).collect(),
            identity: Identity::default(),
            identity_known: true,
            identity_written: None,
            asked: false,
            acted: false,
            days: BTreeSet::new(),
            label: String::new(),
            assigned,
        }
    }

    #[test]
    fn each_auth_role_is_a_way_in_with_entity_and_groups() {
        let assigned = vec![
            place("entity", &["own"]),
            place("group", &["team"]),
            place("oidc", &["web"]),
            place("userpass", &["cli"]),
        ];
        let seen: [&[&str]; 2] = [&["cli", "default", "own", "team"], &["default", "own"]];
        let found = ways(&jane(assigned, &seen));
        let want = [
            Way {
                held: names(&["default", "own", "team", "web"]),
                places: vec![0, 1, 2],
            },
            Way {
                held: names(seen[0]),
                places: vec![0, 1, 3],
            },
        ];
        assert_eq!(found, want);
    }

    #[test]
    fn a_token_with_more_has_it_from_elsewhere_today() {
        let mut jane = jane(vec![place("group", &["team"])], &[&["kube", "team"]]);
        let ways = ways(&jane);
        assert_eq!(ways.len(), 1);
        assert_eq!(ways[0].held, names(&["team"]));
        first(&mut jane, &ways);
        assert_eq!(jane.sets, [names(&["kube", "team"]), names(&["team"])]);
    }

    #[test]
    fn what_a_role_does_not_list_is_what_its_login_has_besides() {
        let unlisted = AssignedBy {
            unlisted: true,
            ..place("userpass", &[])
        };
        let seen: [&[&str]; 1] = [&["default", "readers", "team"]];
        let mut holders = [jane(vec![place("group", &["team"]), unlisted], &seen)];
        list(&mut holders);
        assert_eq!(holders[0].assigned[1].policies, [PolicyId::new("", "readers")]);
        assert_eq!(ways(&holders[0])[0].held, names(seen[0]));
    }

    #[test]
    fn what_a_login_gives_comes_before_what_a_child_token_had() {
        let mut jane = jane(vec![place("entity", &["a", "b"])], &[&["a"], &["a", "b"]]);
        let ways = ways(&jane);
        first(&mut jane, &ways);
        assert_eq!(jane.sets, [names(&["a", "b"]), names(&["a"])]);
    }

    #[test]
    fn without_a_place_there_is_no_known_way_in() {
        assert!(ways(&jane(Vec::new(), &[&["a"]])).is_empty());
    }
}
