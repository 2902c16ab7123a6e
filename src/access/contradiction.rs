//! Where a deployment contradicts the log: an auth role whose newest login had policies in place of those that the role hands out.
//! One of the two is of another server or of another time, and who holds what cannot be told from them together.
//!
//! A role that hands out more than its logins had, or less, is none: what the one says and the other does not counts for the
//! holder.

use crate::deployment::{AuthRole, Deployment};
use crate::usage::Namespaces;
use crate::usage::demand::PolicySet;
use crate::vault::identity::DEFAULT;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A role whose newest login had other policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// Namespace, mount and name of the role: `team/auth/approle/web`.
    pub role: String,
    /// What it hands out by the deployment and the login did not have.
    pub lacked: Vec<Arc<str>>,
    /// What the login had and neither the role nor entities and groups hand out.
    pub had: Vec<Arc<str>>,
    /// When something was last allowed to a token of it.
    pub last: Option<Timestamp>,
}

/// Finds them, sorted by role.
#[must_use]
pub fn contradictions(sets: &[PolicySet], namespaces: &Namespaces, deployment: &Deployment) -> Vec<Contradiction> {
    let mut newest: BTreeMap<(&str, &str, &str), &PolicySet> = BTreeMap::new();
    let roles = logins(deployment);
    for set in sets.iter().filter(|set| set.held.listed && !set.role.is_empty()) {
        let told = set.held.space.as_ref().and_then(|space| namespaces.path(space));
        let mut of_name = roles.iter().filter(|role| {
            role.mount == *set.mount && role.name == *set.role && told.as_deref().is_none_or(|at| at == role.namespace)
        });
        // Which of two is meant is open where the log does not say.
        let (Some(role), None) = (of_name.next(), of_name.next()) else {
            continue;
        };
        let last = newest.entry((&role.namespace, &role.mount, &role.name)).or_insert(set);
        if set.last_seen > last.last_seen {
            *last = set;
        }
    }
    let found = roles.iter().filter_map(|role| {
        let set = newest.get(&(role.namespace.as_str(), role.mount.as_str(), role.name.as_str()))?;
        let had: BTreeSet<&str> = set.held.own.iter().map(|name| &**name).collect();
        let given: BTreeSet<&str> = role.policies.iter().map(String::as_str).collect();
        let elsewhere = given_besides(deployment, role);
        let lacked: Vec<Arc<str>> = given.difference(&had).map(|name| Arc::from(*name)).collect();
        let beyond = had
            .iter()
            .filter(|name| !given.contains(*name) && !elsewhere.contains(*name));
        let beyond: Vec<Arc<str>> = beyond
            .filter(|name| **name != DEFAULT)
            .map(|name| Arc::from(*name))
            .collect();
        (!lacked.is_empty() && !beyond.is_empty()).then(|| Contradiction {
            role: format!("{}{}{}", role.namespace, role.mount, role.name),
            lacked,
            had: beyond,
            last: set.last_seen,
        })
    });
    found.collect()
}

/// The roles that are logins, and whose policies the deployment lists.
fn logins(deployment: &Deployment) -> Vec<&AuthRole> {
    let roles = deployment.roles.iter();
    let roles = roles.filter(|role| role.item != "group" && role.kind != "token" && !role.unlisted);
    let mut roles: Vec<&AuthRole> = roles.collect();
    roles.sort_by_key(|role| (&role.namespace, &role.mount, &role.name));
    roles
}

/// What a token of a role may have besides: policies of entities, of groups, and of the groups of its auth method.
fn given_besides<'d>(deployment: &'d Deployment, role: &AuthRole) -> BTreeSet<&'d str> {
    let groups_there = deployment
        .roles
        .iter()
        .filter(|other| other.item == "group" && other.mount == role.mount && other.namespace == role.namespace);
    let entities = deployment.entities.iter().flat_map(|entity| &entity.policies);
    let groups = deployment.groups.iter().flat_map(|group| &group.policies);
    let all = groups_there
        .flat_map(|group| &group.policies)
        .chain(entities)
        .chain(groups);
    all.map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::demand::Principal;
    use crate::usage::{Held, Space};
    use crate::vault::PrincipalKind;

    fn set(role: &str, policies: &[&str], at: i64) -> PolicySet {
        PolicySet {
            principal: Principal {
                kind: PrincipalKind::Role,
                id: Arc::from(format!("auth/approle/{role}")),
                name: Arc::from(role),
                auth_mount: Arc::from("auth/approle/"),
            },
            held: Arc::new(Held::named(policies.iter().map(|name| Arc::from(*name)).collect())),
            mount: Arc::from("auth/approle/"),
            role: Arc::from(role),
            last_seen: Timestamp::from_second(at).ok(),
        }
    }

    fn found(sets: Vec<PolicySet>, deployment: &str) -> Vec<String> {
        let deployment: Deployment = serde_json::from_str(deployment).unwrap();
        contradictions(&sets, &Namespaces::default(), &deployment)
            .into_iter()
            .map(|one| format!("{}: {:?} for {:?}", one.role, one.had, one.lacked))
            .collect()
    }

    const WEB: &str = r#"{"roles":[{"namespace":"","mount":"auth/approle/","kind":"approle","item":"role","name":"web","policies":["web"]}],
        "groups":[{"id":"g","name":"g","policies":["team"]}]}"#;

    #[test]
    fn other_policies_than_the_role_hands_out_contradict_it() {
        let old = set("web", &["default", "api"], 1);
        let want = ["auth/approle/web: [\"api\"] for [\"web\"]"];
        assert_eq!(found(vec![old.clone()], WEB), want);
        // The newest login tells what the role is.
        assert!(found(vec![old, set("web", &["default", "web"], 2)], WEB).is_empty());
    }

    #[test]
    fn more_less_and_what_a_group_gives_do_not() {
        for policies in [&["web", "api"][..], &["default"], &["team"], &["team", "web"]] {
            assert!(found(vec![set("web", policies, 1)], WEB).is_empty(), "{policies:?}");
        }
        assert!(found(vec![set("other", &["api"], 1)], WEB).is_empty());
    }

    #[test]
    fn a_role_of_another_namespace_is_another_role() {
        let elsewhere = WEB.replace(r#""namespace":"""#, r#""namespace":"team/""#);
        let mut login = set("web", &["api"], 1);
        Arc::make_mut(&mut login.held).space = Space::of("root", "");
        assert!(found(vec![login], &elsewhere).is_empty());
    }
}
