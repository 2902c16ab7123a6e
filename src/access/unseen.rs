//! What tokens may have together that nobody was seen with: of an entity that did not ask for anything, the policies of its own and of
//! its groups beside those of an auth role that it may log in by. An alias of most methods does not say by which role (that of AppRole is
//! a role id, that of Kubernetes a service account), so any of its mount may be the one.
//!
//! Such a list is compared by nobody, and the narrower of two stanzas hides what the wider one grants: where they stand in two policies
//! that may come together so, the narrower one stays.

use super::besides::Kept;
use super::holder::{Directory, Holder, HolderId};
use super::sets::{AccessSet, ByName, PolicyNumber, SetId};
use crate::deployment::Entity as DeployedEntity;
use crate::index::IndexVec;
use crate::policy::model::Policy;
use crate::policy::pattern::Pattern;
use crate::policy::relation;
use crate::policy::table::{StanzaIdx, Table};
use crate::policy::template::is_templated;
use crate::vault::{MountId, PolicyId, PrincipalKind};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What an entity has by itself, with who has that; by where they may log in, and whether it is known as which user, so that only groups
/// of the method are open.
type Brought<'a> = BTreeMap<(Option<MountId>, bool), BTreeMap<BTreeSet<PolicyId>, &'a str>>;

/// A list of policies that somebody may have, and that nobody was seen with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayHave {
    /// Who.
    pub name: String,
    /// Through which role or group of an auth method.
    pub through: String,
    /// The policies.
    pub policies: Vec<PolicyId>,
}

/// So many lists are told one by one.
const MOST_LISTS: usize = 16_384;

/// The lists that entities may have who were not seen, each once, and how many there are more.
pub(super) fn lists(directory: &Directory<'_>, holders: &IndexVec<Holder>) -> (Vec<MayHave>, usize) {
    let mut found: BTreeMap<BTreeSet<PolicyId>, (String, String)> = BTreeMap::new();
    let mut more = 0;
    for ((mount, mapped), brought) in at_mounts(directory, holders) {
        for (role, given) in directory.given_at(mount.as_ref(), mapped) {
            for (own, entity) in &brought {
                let list: BTreeSet<PolicyId> = own.union(&given).cloned().collect();
                if found.len() >= MOST_LISTS && !found.contains_key(&list) {
                    more += 1;
                    continue;
                }
                found
                    .entry(list)
                    .or_insert_with(|| ((*entity).to_owned(), role.clone()));
            }
        }
    }
    let lists = found.into_iter().map(|(policies, (name, through))| MayHave {
        name,
        through,
        policies: policies.into_iter().collect(),
    });
    (lists.collect(), more)
}

/// A stanza with its pattern; none where it may match anything.
type Stanza = (StanzaIdx<Policy>, Option<Pattern>);

/// Who may log in by roles or groups of a method that nobody was seen to use for it, with the method: what these give is not known.
pub(super) fn open(directory: &Directory<'_>, holders: &IndexVec<Holder>) -> BTreeMap<HolderId, String> {
    let unseen = holders.numbered().filter(|(_, holder)| !holder.asked);
    let entities: BTreeMap<&str, &DeployedEntity> = directory
        .entities()
        .map(|entity| (entity.id.as_str(), entity))
        .collect();
    let open = |holder: &Holder| {
        let entity = entities.get(&*holder.principal.id)?;
        entity.aliases.iter().find_map(|alias| {
            let mount = directory.mount_of_alias(alias);
            let is_known = directory.as_user(alias).is_some();
            let is_open = !directory.given_at(mount.as_ref(), is_known).is_empty();
            is_open.then(|| mount.map_or("some auth method".to_owned(), |mount| format!("`{mount}`")))
        })
    };
    unseen.filter_map(|(id, holder)| Some((id, open(holder)?))).collect()
}

/// The stanzas that stay because of what may come together.
pub(super) fn kept(
    directory: &Directory<'_>,
    holders: &IndexVec<Holder>,
    policies: &Table,
    by_name: &ByName<'_>,
    sets: &IndexVec<AccessSet>,
) -> Kept {
    let together = Together::of(policies, sets);
    let mut patterns: HashMap<PolicyNumber, Arc<[Stanza]>> = HashMap::new();
    let mut of = |policy: PolicyNumber| -> Arc<[Stanza]> {
        let all = patterns.entry(policy).or_insert_with(|| stanzas(policies, policy));
        Arc::clone(all)
    };
    let number = |id: &PolicyId| by_name.find(&id.namespace, &id.name);
    let mut kept = Kept::new();
    let mut looked_at: BTreeSet<(PolicyNumber, PolicyNumber)> = BTreeSet::new();
    for ((mount, mapped), brought) in at_mounts(directory, holders) {
        let brought: BTreeMap<&PolicyId, &str> = brought
            .iter()
            .flat_map(|(own, entity)| own.iter().map(|policy| (policy, *entity)))
            .collect();
        let given: BTreeSet<PolicyId> = directory
            .given_at(mount.as_ref(), mapped)
            .into_iter()
            .flat_map(|(_, given)| given)
            .collect();
        for given in given {
            for (&own, entity) in &brought {
                let (Some(one), Some(other)) = (number(&given), number(own)) else {
                    continue;
                };
                if one == other || !looked_at.insert((one, other)) || together.were_compared(one, other) {
                    continue;
                }
                for narrower in hiding(&of(one), &of(other)) {
                    let why = || {
                        let beside = if narrower.policy() == one { own } else { &given };
                        format!(
                            "`{entity}`, who was not seen, may have it together with policy `{beside}`, as nobody was seen to, and it may hide what that one grants"
                        )
                    };
                    kept.entry(narrower).or_insert_with(|| Arc::from(why()));
                }
            }
        }
    }
    kept
}

/// The entities that asked for nothing and have something of their own.
fn at_mounts<'a>(directory: &Directory<'a>, holders: &IndexVec<Holder>) -> Brought<'a> {
    let seen = holders.iter().filter(|holder| holder.asked);
    let seen = seen.filter(|holder| holder.principal.kind == PrincipalKind::Entity);
    let seen: BTreeSet<&str> = seen.map(|holder| &*holder.principal.id).collect();
    let mut found = Brought::new();
    for entity in directory.entities().filter(|entity| !seen.contains(entity.id.as_str())) {
        let own = directory.own_policies(&entity.id);
        for alias in entity.aliases.iter().filter(|_| !own.is_empty()) {
            let as_user = directory.as_user(alias);
            let place = (directory.mount_of_alias(alias), as_user.is_some());
            let own = own.iter().cloned().chain(as_user.into_iter().flatten()).collect();
            found.entry(place).or_default().entry(own).or_insert(&entity.name);
        }
    }
    found
}

/// Which policies were compared together.
struct Together(IndexVec<Policy, BTreeSet<SetId>>);

impl Together {
    fn of(policies: &Table, sets: &IndexVec<AccessSet>) -> Self {
        let mut found: IndexVec<Policy, BTreeSet<SetId>> = policies.map(|_| BTreeSet::new());
        for (n, set) in sets.numbered() {
            for &policy in &set.policies {
                found[policy].insert(n);
            }
        }
        Self(found)
    }

    fn were_compared(&self, one: PolicyNumber, other: PolicyNumber) -> bool {
        !self.0[one].is_disjoint(&self.0[other])
    }
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

/// Of two policies' stanzas those that decide where one of the other would without them.
fn hiding(one: &[Stanza], other: &[Stanza]) -> BTreeSet<StanzaIdx<Policy>> {
    let mut found = BTreeSet::new();
    for (a, first) in one {
        for (b, second) in other {
            match first.as_ref().zip(second.as_ref()) {
                Some((first, second)) if relation::disjoint(first, second) => {}
                Some((first, second)) => match first.cmp_strength(second) {
                    Ordering::Greater => drop(found.insert(*a)),
                    Ordering::Less => drop(found.insert(*b)),
                    Ordering::Equal => {}
                },
                None => found.extend([*a, *b]),
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

    /// `app` hides a part of `global` where both come together: a role gives the one, a group the other.
    fn joined(alias: &str, mount: &str, role: &str) -> Joined {
        let deployment = serde_json::json!({
            "auth_mounts": [
                {"namespace": "", "path": "auth/approle/", "kind": "approle", "accessor": "a1", "kv_version": null, "description": ""},
                {"namespace": "", "path": "auth/userpass/", "kind": "userpass", "accessor": "a2", "kv_version": null, "description": ""},
                {"namespace": "", "path": "auth/ldap/", "kind": "ldap", "accessor": "a3", "kv_version": null, "description": ""},
            ],
            "roles": [
                {"namespace": "", "mount": "auth/approle/", "kind": "approle", "item": "role", "name": "web", "policies": ["app"]},
                {"namespace": "", "mount": "auth/userpass/", "kind": "userpass", "item": "user", "name": "ann", "policies": [role]},
                {"namespace": "", "mount": "auth/ldap/", "kind": "ldap", "item": "group", "name": "devs", "policies": ["app"]},
            ],
            "entities": [{"namespace": "", "id": "e1", "name": "one", "aliases": [{"id": "x", "name": alias, "mount_accessor": mount}]}],
            "groups": [{"namespace": "", "id": "g1", "name": "g", "policies": ["global"], "member_entities": ["e1"]}],
        });
        let deployment: Deployment = serde_json::from_value(deployment).unwrap();
        join(Inputs {
            facts: Facts::default(),
            policies: vec![
                policy(
                    "app",
                    "path \"kv/s\" { capabilities = [\"list\"] }\npath \"x\" { capabilities = [\"read\"] }",
                ),
                policy("global", "path \"kv/*\" { capabilities = [\"read\"] }"),
                policy(
                    "default",
                    "path \"auth/token/lookup-self\" { capabilities = [\"read\"] }",
                ),
            ],
            deployment: Some(&deployment),
            profile: Profile::default(),
            now: None,
        })
    }

    fn kept(joined: &Joined) -> Vec<&str> {
        joined.kept.keys().map(|&id| &*joined.policies[id].path).collect()
    }

    fn lists(joined: &Joined) -> Vec<String> {
        let all = compared::lists(joined).filter(|one| one.name.contains("logs in by"));
        let named =
            |one: crate::policy::compare::Holder| one.policies.iter().map(ToString::to_string).collect::<Vec<_>>();
        all.map(|one| named(one).join(" ")).collect()
    }

    #[test]
    fn what_may_come_together_unseen_stays_where_it_hides_something_and_is_compared() {
        for (alias, mount) in [("a-role-id", "a1"), ("carl", "a3"), ("who", "of-no-mount")] {
            let joined = joined(alias, mount, "app");
            assert_eq!(kept(&joined), ["kv/s"], "{mount}");
            assert!(lists(&joined).contains(&"app default global".to_owned()), "{mount}");
            assert_eq!(joined.open_to.len(), 1, "{mount}");
            assert_eq!(compared::left_out(&joined), None);
        }
    }

    #[test]
    fn what_is_known_to_come_together_is_proven_and_not_held() {
        let joined = joined("ann", "a2", "app");
        assert!(kept(&joined).is_empty() && lists(&joined).is_empty() && joined.open_to.is_empty());
    }
}
