//! What tokens may have together that nobody was seen with: of an entity that was not seen to log in, the policies of its own and of
//! its groups beside those of an auth role that it may log in by; and those of a role alone, for somebody who is new there. An alias of
//! most methods does not say by which role (that of AppRole is a role id, that of Kubernetes a service account), so any of its mount
//! may be the one.
//!
//! A proposal is compared on these lists too: whoever logs in so tomorrow has no more than today. Where they are too many for that, the
//! stanzas of two policies that may come together and are about the same paths stay.

use super::besides::Kept;
use super::holder::{AssignedBy, Directory, Holder, HolderId};
use super::meant::HeldSet;
use super::sets::{AccessSet, ByName, PolicyNumber};
use super::universe::lead;
use crate::deployment::Entity as DeployedEntity;
use crate::index::IndexVec;
use crate::policy::acl::Acl;
use crate::policy::model::{Constraints, Policy};
use crate::policy::pattern::Pattern;
use crate::policy::profile::Profile;
use crate::policy::relation;
use crate::policy::table::{StanzaIdx, Table};
use crate::policy::template::{Identity, is_templated};
use crate::vault::{Capability, MountId, PolicyId, PrincipalKind};
use rayon::prelude::*;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What gives an entity what it has by itself, with who has that; by where they may log in, and whether it is known as which user, so
/// that only groups of the method are open.
type Brought<'a> = BTreeMap<(Option<MountId>, bool), BTreeMap<Vec<AssignedBy>, &'a DeployedEntity>>;

/// A list of policies that somebody may have, and that nobody was seen with.
#[derive(Debug, Clone, PartialEq)]
pub struct MayHave {
    /// Who, and by what.
    pub name: String,
    /// The policies.
    pub policies: Vec<PolicyId>,
    /// Where they come from, `default` aside.
    pub places: Vec<AssignedBy>,
    /// What templates are filled from.
    pub identity: Identity,
}

/// So many lists are told one by one.
const MOST_LISTS: usize = 16_384;

/// The lists that entities may have who were not seen, each once, and how many there are more.
pub(super) fn lists(directory: &Directory<'_>, holders: &IndexVec<Holder>) -> (Vec<MayHave>, usize) {
    let taken = taken(directory, holders);
    let mut found: BTreeMap<Vec<AssignedBy>, MayHave> = BTreeMap::new();
    let mut more = 0;
    for ((mount, mapped), brought) in at_mounts(directory, holders) {
        let roles = directory.given_at(mount.as_ref(), mapped).into_iter();
        for (role, default) in roles.filter(|(role, _)| !taken.contains(role)) {
            for (own, entity) in &brought {
                let mut places = own.clone();
                places.push(role.clone());
                if found.len() >= MOST_LISTS && !found.contains_key(&places) {
                    more += 1;
                    continue;
                }
                found.entry(places).or_insert_with_key(|places| {
                    let policies = places.iter().flat_map(|place| place.policies.iter().cloned());
                    let policies: BTreeSet<PolicyId> = policies.chain(default.clone()).collect();
                    MayHave {
                        name: format!("{}, if it logs in by {}{}", entity.name, role.namespace, role.id),
                        policies: policies.into_iter().collect(),
                        places: places.clone(),
                        identity: directory.identity(&entity.id).unwrap_or_default(),
                    }
                });
            }
        }
    }
    let new = |places: Vec<AssignedBy>, default: Option<PolicyId>| {
        let by = places.iter().map(|place| format!("{}{}", place.namespace, place.id));
        let given = places.iter().flat_map(|place| place.policies.iter().cloned());
        MayHave {
            name: format!(
                "somebody new, if it logs in by {}",
                by.collect::<Vec<_>>().join(" and ")
            ),
            policies: given.chain(default).collect(),
            places,
            identity: Identity::default(),
        }
    };
    let all = directory.given_at(None, false);
    let mut lists: Vec<MayHave> = found.into_values().collect();
    let open = all.iter().filter(|(role, _)| !taken.contains(role));
    lists.extend(open.map(|(role, default)| new(vec![role.clone()], default.clone())));
    lists.extend(
        holders
            .iter()
            .filter(|holder| holder.asked)
            .flat_map(|holder| older(directory, holder)),
    );
    for (places, default) in together(directory, &all) {
        if lists.len() >= MOST_LISTS {
            more += 1;
            continue;
        }
        lists.push(new(places, default));
    }
    (lists, more)
}

/// What tokens of somebody that are out may have: the policies that their login gave, beside what entity and groups give now.
fn older(directory: &Directory<'_>, holder: &Holder) -> Vec<MayHave> {
    let id = &holder.principal.id;
    let places = directory.of_entity(id, true);
    let now: Vec<PolicyId> = places.iter().flat_map(|place| place.policies.clone()).collect();
    let sets = holder.sets.iter().filter(|_| !now.is_empty());
    let list = |held: &HeldSet| -> BTreeSet<PolicyId> { held.policies.iter().chain(&now).cloned().collect() };
    let more = sets
        .map(|held| (held, list(held)))
        .filter(|(held, list)| list.len() > held.policies.len());
    more.map(|(_, list)| MayHave {
        name: format!("an older token of {}", holder.display()),
        policies: list.into_iter().collect(),
        places: places.clone(),
        identity: directory.identity(id).unwrap_or_default(),
    })
    .collect()
}

/// Places whose policies somebody may have together whom nobody knows yet: two groups of one method, or a group and a user of it; an
/// external group, with those that it is in, alone and beside a role of a method that says of which groups somebody is. The last is the
/// one that a login is by.
fn together(
    directory: &Directory<'_>,
    all: &[(AssignedBy, Option<PolicyId>)],
) -> Vec<(Vec<AssignedBy>, Option<PolicyId>)> {
    /// Methods that know of no groups.
    const ALONE: [&str; 5] = ["approle", "userpass", "kubernetes", "cert", "token"];
    let is_group = |place: &AssignedBy| place.kind.ends_with("-group");
    let of_method = |place: &AssignedBy| is_group(place) || place.kind.ends_with("-user");
    let mut found = Vec::new();
    let members: Vec<&(AssignedBy, Option<PolicyId>)> = all.iter().filter(|(place, _)| of_method(place)).collect();
    for (n, (one, default)) in members.iter().enumerate() {
        for (other, _) in members.iter().skip(n + 1) {
            let is_one_method = (&one.namespace, &one.mount) == (&other.namespace, &other.mount);
            if is_one_method && (is_group(one) || is_group(other)) {
                found.push((vec![one.clone(), other.clone()], default.clone()));
            }
        }
    }
    for mut groups in directory.external_groups() {
        groups.retain(|group| !group.policies.is_empty());
        let roles = all.iter().filter(|(role, _)| !ALONE.contains(&role.kind.as_str()));
        for (role, default) in roles.filter(|_| !groups.is_empty()) {
            found.push((groups.iter().chain([role]).cloned().collect(), default.clone()));
        }
        if groups.len() > 1 {
            found.push((groups, None));
        }
    }
    found
}

/// Users and roles that only one entity can log in by, and that one is known: it is an alias that tells it, or it was seen.
fn taken(directory: &Directory<'_>, holders: &IndexVec<Holder>) -> BTreeSet<AssignedBy> {
    let aliases = directory.entities().flat_map(|entity| &entity.aliases);
    let users = aliases.filter_map(|alias| directory.as_user(alias)).flatten();
    let seen = holders
        .iter()
        .filter(|holder| holder.asked && holder.principal.kind == PrincipalKind::Entity);
    // The alias of an AppRole is its role id.
    let seen = seen
        .flat_map(|holder| &holder.assigned)
        .filter(|place| place.kind == "approle");
    users.chain(seen.cloned()).collect()
}

/// A stanza with its pattern; none where it may match anything.
type Stanza = (StanzaIdx<Policy>, Option<Pattern>);

/// Who may log in by roles or groups of a method that nobody was seen to use for it, with the method: what these give is not known.
pub(super) fn open(directory: &Directory<'_>, holders: &IndexVec<Holder>) -> BTreeMap<HolderId, String> {
    let entities = directory.entities().map(|entity| (entity.id.as_str(), entity));
    let entities: BTreeMap<&str, &DeployedEntity> = entities.collect();
    let open = |holder: &Holder| {
        let entity = entities.get(&*holder.principal.id)?;
        let mut aliases = entity
            .aliases
            .iter()
            .map(|alias| (directory.mount_of_alias(alias), alias));
        aliases.find_map(|(mount, alias)| {
            let is_known = directory.as_user(alias).is_some();
            let is_open =
                !logs_in_at(holder, mount.as_ref()) && !directory.given_at(mount.as_ref(), is_known).is_empty();
            is_open.then(|| mount.map_or("some auth method".to_owned(), |mount| format!("`{mount}`")))
        })
    };
    holders
        .numbered()
        .filter_map(|(id, holder)| Some((id, open(holder)?)))
        .collect()
}

/// Whether a holder was seen to log in by a role of this mount.
fn logs_in_at(holder: &Holder, mount: Option<&MountId>) -> bool {
    holder.asked && roles_at(holder, mount).next().is_some()
}

/// Whether a holder was seen to log in by the one role of this mount that it can: an alias of AppRole is that of one role.
fn has_one_role_at(holder: &Holder, mount: Option<&MountId>) -> bool {
    holder.asked && roles_at(holder, mount).any(|role| role.kind == "approle")
}

fn roles_at<'h>(holder: &'h Holder, mount: Option<&'h MountId>) -> impl Iterator<Item = &'h AssignedBy> {
    let roles = holder.assigned.iter().filter(|place| !place.mount.is_empty());
    roles.filter(move |role| mount.is_some_and(|mount| role.namespace == mount.namespace && *role.mount == *mount.path))
}

/// Two policies that may come together, with who may have both: one that a role gives, and one of its own.
struct Pair {
    given: PolicyId,
    own: PolicyId,
    who: String,
}

/// All pairs.
fn pairs(directory: &Directory<'_>, holders: &IndexVec<Holder>) -> Vec<Pair> {
    let of = |places: &[AssignedBy]| -> Vec<PolicyId> {
        let policies = places.iter().flat_map(|place| place.policies.clone());
        policies.collect()
    };
    let mut found = Vec::new();
    for ((mount, mapped), brought) in at_mounts(directory, holders) {
        let roles = directory.given_at(mount.as_ref(), mapped).into_iter();
        let roles: Vec<AssignedBy> = roles.map(|(role, _)| role).collect();
        for (own, entity) in brought {
            for (given, own) in of(&roles)
                .iter()
                .flat_map(|given| of(&own).into_iter().map(move |own| (given, own)))
            {
                found.push(Pair {
                    given: given.clone(),
                    own,
                    who: entity.name.clone(),
                });
            }
        }
    }
    found
}

/// A list that was not compared with any that somebody was seen with, as it is in force today.
pub struct Unseen {
    /// Who may have it, and by which role.
    pub name: String,
    /// Its policies, ascending.
    pub policies: Vec<PolicyNumber>,
    /// What templates are filled from.
    pub identity: Identity,
    /// The compiled list.
    pub acl: Acl,
}

/// The lists that nobody has who was seen.
pub(super) fn uncompared(
    lists: &[MayHave],
    (policies, by_name): (&Table, &ByName<'_>),
    sets: &IndexVec<AccessSet>,
    (profile, now): (Profile, Option<i64>),
) -> Vec<Unseen> {
    let compared: BTreeSet<&[PolicyNumber]> = sets.iter().map(|set| set.policies.as_slice()).collect();
    let is_own = |n: &PolicyNumber| policies[*n].stanzas.iter().any(|stanza| stanza.templated);
    let mut found: BTreeMap<(Vec<PolicyNumber>, Option<&str>), &MayHave> = BTreeMap::new();
    for one in lists {
        let numbers = one
            .policies
            .iter()
            .filter_map(|id| by_name.find(&id.namespace, &id.name));
        let numbers: BTreeSet<PolicyNumber> = numbers.collect();
        let numbers: Vec<PolicyNumber> = numbers.into_iter().collect();
        // Templates are filled for each anew.
        let own = numbers.iter().any(is_own).then_some(one.name.as_str());
        if own.is_some() || !compared.contains(numbers.as_slice()) {
            found.entry((numbers, own)).or_insert(one);
        }
    }
    let found: Vec<(Vec<PolicyNumber>, &MayHave)> =
        found.into_iter().map(|((numbers, _), one)| (numbers, one)).collect();
    let compiled = found.into_par_iter().map(|(numbers, one)| Unseen {
        name: one.name.clone(),
        acl: Acl::compile(profile, &policies.listed(&numbers), &one.identity, now),
        policies: numbers,
        identity: one.identity.clone(),
    });
    compiled.collect()
}

/// The stanzas of lists of which not all was read: nobody knows what they hide there.
pub(super) fn beside_unread(lists: &[MayHave], (policies, by_name): (&Table, &ByName<'_>)) -> Kept {
    let mut kept = Kept::new();
    for one in lists {
        let number = |id: &PolicyId| by_name.find(&id.namespace, &id.name);
        let may_exist = |id: &&PolicyId| number(id).is_none() && !id.is_fixed() && !by_name.is_nowhere(id);
        let Some(unread) = one.policies.iter().find(may_exist) else {
            continue;
        };
        // Of `default`, which everybody has, nothing is taken anyway.
        let read = one.policies.iter().filter(|id| !id.is_default()).filter_map(number);
        for id in read.flat_map(|p| policies.stanzas_of(p)) {
            kept.entry(id).or_insert_with(|| {
                Arc::from(format!(
                    "{} has it together with policy `{unread}`, which was not read",
                    one.name
                ))
            });
        }
    }
    kept
}

/// The stanzas that stay because of what may come together, where there are too many lists.
pub(super) fn kept(
    directory: &Directory<'_>,
    holders: &IndexVec<Holder>,
    (policies, by_name): (&Table, &ByName<'_>),
) -> Kept {
    let mut patterns: HashMap<PolicyNumber, Arc<[Stanza]>> = HashMap::new();
    let mut of = |policy: PolicyNumber| -> Arc<[Stanza]> {
        let all = patterns.entry(policy).or_insert_with(|| stanzas(policies, policy));
        Arc::clone(all)
    };
    let binds = |id: StanzaIdx<Policy>| {
        let stanza = &policies[id];
        stanza.capability_set().contains(Capability::Deny) || stanza.constraints != Constraints::default()
    };
    let mut kept = Kept::new();
    let mut looked_at: BTreeSet<(Option<PolicyNumber>, Option<PolicyNumber>)> = BTreeSet::new();
    for Pair { given, own, who } in pairs(directory, holders) {
        let number = |id: &PolicyId| by_name.find(&id.namespace, &id.name);
        let (one, other) = (number(&given), number(&own));
        if one == other || !looked_at.insert((one, other)) || by_name.is_nowhere(&given) || by_name.is_nowhere(&own) {
            continue;
        }
        // Of what was not read nobody knows what it is about.
        let meeting: BTreeSet<StanzaIdx<Policy>> = match (one, other) {
            (Some(one), Some(other)) => meeting(&of(one), &of(other), binds),
            (Some(read), None) | (None, Some(read)) => policies.stanzas_of(read).collect(),
            (None, None) => continue,
        };
        for stanza in meeting {
            let beside = if Some(stanza.policy()) == one { &own } else { &given };
            kept.entry(stanza).or_insert_with(|| {
                Arc::from(format!(
                    "`{who}`, who was not seen, may have it together with policy `{beside}`, as nobody was seen to, and which of both decides a path would change"
                ))
            });
        }
    }
    kept
}

/// The entities that have something of their own, by where they may log in by other roles than those that they were seen with.
fn at_mounts<'a>(directory: &Directory<'a>, holders: &IndexVec<Holder>) -> Brought<'a> {
    let known = holders
        .iter()
        .filter(|holder| holder.principal.kind == PrincipalKind::Entity);
    let known: BTreeMap<&str, &Holder> = known.map(|holder| (&*holder.principal.id, holder)).collect();
    let mut found = Brought::new();
    for entity in directory.entities() {
        let own = directory.of_entity(&entity.id, true);
        for alias in entity.aliases.iter().filter(|_| !own.is_empty()) {
            let mount = directory.mount_of_alias(alias);
            let holder = known.get(entity.id.as_str());
            if holder.is_some_and(|holder| has_one_role_at(holder, mount.as_ref())) {
                continue;
            }
            let as_user = directory.as_user(alias);
            let place = (mount, as_user.is_some());
            let own = own.iter().cloned().chain(as_user.into_iter().flatten()).collect();
            found.entry(place).or_default().entry(own).or_insert(entity);
        }
    }
    found
}

fn stanzas(policies: &Table, number: PolicyNumber) -> Arc<[Stanza]> {
    let namespace = &policies[number].namespace;
    let pattern = |path: &str| {
        let known = !is_templated(path);
        known.then(|| Pattern::parse(path, namespace).ok())?
    };
    let all = policies.stanzas_of(number);
    all.map(|id| (id, pattern(&policies[id].path))).collect()
}

/// Whether two patterns match no path in common; most are told apart by how they begin. An exact `a` answers the list of `a/` as well.
fn are_apart(first: &Pattern, second: &Pattern) -> bool {
    let (a, b) = (lead(first), lead(second));
    let listed = |pattern: &Pattern| {
        let is_open = pattern.prefix || pattern.text.ends_with('/');
        (!is_open).then(|| Pattern::parse(&format!("{}/", pattern.text), "").ok())?
    };
    let meet = |one: Option<&Pattern>, other: Option<&Pattern>| {
        one.zip(other)
            .is_some_and(|(one, other)| !relation::disjoint(one, other))
    };
    let begin_alike = a.starts_with(b) || b.starts_with(a);
    !begin_alike
        || !(meet(Some(first), Some(second))
            || meet(listed(first).as_ref(), Some(second))
            || meet(Some(first), listed(second).as_ref()))
}

/// Of two policies' stanzas those that are about the same paths.
fn meeting(one: &[Stanza], other: &[Stanza], binds: impl Fn(StanzaIdx<Policy>) -> bool) -> BTreeSet<StanzaIdx<Policy>> {
    let mut found = BTreeSet::new();
    for (a, first) in one {
        for (b, second) in other {
            match first.as_ref().zip(second.as_ref()) {
                Some((first, second)) if are_apart(first, second) => {}
                // Equal ones add up, unless one denies, or binds what is sent.
                Some((first, second)) if first.cmp_strength(second) == Ordering::Equal && !binds(*a) && !binds(*b) => {}
                Some(_) | None => found.extend([*a, *b]),
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::access::{Inputs, Joined, compared, join};
    use crate::deployment::Deployment;
    use crate::policy::model::Policy;
    use crate::policy::profile::Profile;
    use crate::policy::syntax;
    use crate::usage::Facts;

    fn policy(name: &str, text: &str) -> Policy {
        syntax::parse(name, &format!("{name}.hcl"), text, &Profile::default().dialect()).unwrap()
    }

    const ALL: [&str; 3] = ["app", "default", "global"];

    /// `app` hides a part of `global` where both come together: a role gives the one, a group the other.
    fn joined(alias: &str, mount: &str, read: &[&str]) -> Joined {
        let deployment = serde_json::json!({
            "auth_mounts": [
                {"namespace": "", "path": "auth/approle/", "kind": "approle", "accessor": "a1", "kv_version": null, "description": ""},
                {"namespace": "", "path": "auth/userpass/", "kind": "userpass", "accessor": "a2", "kv_version": null, "description": ""},
                {"namespace": "", "path": "auth/ldap/", "kind": "ldap", "accessor": "a3", "kv_version": null, "description": ""},
            ],
            "roles": [
                {"namespace": "", "mount": "auth/approle/", "kind": "approle", "item": "role", "name": "web", "policies": ["app"]},
                {"namespace": "", "mount": "auth/userpass/", "kind": "userpass", "item": "user", "name": "ann", "policies": ["app"]},
                {"namespace": "", "mount": "auth/ldap/", "kind": "ldap", "item": "group", "name": "devs", "policies": ["app"]},
            ],
            "entities": [{"namespace": "", "id": "e1", "name": "one", "aliases": [{"id": "x", "name": alias, "mount_accessor": mount}]}],
            "groups": [{"namespace": "", "id": "g1", "name": "g", "policies": ["global"], "member_entities": ["e1"]}],
        });
        let deployment: Deployment = serde_json::from_value(deployment).unwrap();
        let policies = [
            policy(
                "app",
                "path \"kv/s\" { capabilities = [\"list\"] }\npath \"x\" { capabilities = [\"read\"] }",
            ),
            policy("global", "path \"kv/*\" { capabilities = [\"read\"] }"),
            policy(
                "default",
                "path \"auth/token/lookup-self\" { capabilities = [\"read\"] }",
            ),
        ];
        join(Inputs {
            facts: Facts::default(),
            policies: policies
                .into_iter()
                .filter(|policy| read.contains(&&*policy.name))
                .collect(),
            deployment: Some(&deployment),
            profile: Profile::default(),
            now: None,
        })
    }

    fn lists(joined: &Joined) -> Vec<String> {
        let all = compared::lists(joined).filter(|one| one.name.contains("logs in by"));
        let named =
            |one: crate::policy::compare::Holder| one.policies.iter().map(ToString::to_string).collect::<Vec<_>>();
        all.map(|one| named(one).join(" ")).collect()
    }

    #[test]
    fn what_may_come_together_unseen_is_compared() {
        for (alias, mount) in [("a-role-id", "a1"), ("carl", "a3"), ("who", "of-no-mount")] {
            let joined = joined(alias, mount, &ALL);
            assert!(
                joined
                    .unseen
                    .iter()
                    .any(|list| list.name.starts_with("one, ") && list.policies.len() == 3),
                "{mount}"
            );
            assert!(joined.kept.is_empty(), "{mount}");
            assert!(lists(&joined).contains(&"app default global".to_owned()), "{mount}");
            assert_eq!(joined.open_to.len(), 1, "{mount}");
            assert_eq!(compared::left_out(&joined), None);
        }
    }

    #[test]
    fn what_may_come_beside_a_policy_that_was_not_read_stays() {
        let kept = |alias: &str, mount: &str| {
            let joined = joined(alias, mount, &["app", "default"]);
            let paths = joined.kept.keys().map(|&id| joined.policies[id].path.to_string());
            paths.collect::<Vec<_>>()
        };
        assert!(kept("a-role-id", "a1").contains(&"kv/s".to_owned()));
        assert!(kept("ann", "a2").is_empty());
    }

    #[test]
    fn what_is_known_to_come_together_is_no_open_list() {
        let joined = joined("ann", "a2", &ALL);
        assert!(joined.unseen.is_empty() && joined.open_to.is_empty());
    }
}
