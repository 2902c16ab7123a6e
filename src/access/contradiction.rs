//! Where a deployment contradicts the log: an auth role whose newest login had policies in place of those that the role hands out.
//! One of the two is of another server or of another time, and who holds what cannot be told from them together.
//!
//! A role that hands out more than its logins had, or less, is none: what the one says and the other does not counts for the
//! holder.

use super::meant::space_of;
use crate::deployment::{AuthRole, Deployment};
use crate::hint::Hint;
use crate::units;
use crate::usage::Namespaces;
use crate::usage::demand::PolicySet;
use crate::vault::identity::DEFAULT;
use jiff::Timestamp;
use std::borrow::Cow;
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

/// The deployment contradicts the log: who holds what cannot be told from them together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the deployment contradicts the log: role `{}` hands out {}, but its newest login{} had {} instead{}",
    first.role,
    quoted(&first.lacked),
    first.last.map(|at| format!(", last used {at},")).unwrap_or_default(),
    quoted(&first.had),
    others(*.more)
)]
pub struct Contradicted {
    /// The first role of which they do.
    first: Contradiction,
    /// How many more there are.
    more: usize,
}

fn quoted(names: &[Arc<str>]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn others(more: usize) -> String {
    match more {
        0 => String::new(),
        n => format!("; so do {}", units::count(n as u64, "more role", "more roles")),
    }
}

impl Hint for Contradicted {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(
            "give the deployment and the logs of one server, and a snapshot as new as the logs; a role that was changed since \
             its last login is named in `changed_roles` in the settings",
        ))
    }
}

/// Whether they agree, but for roles that were changed since their last login.
///
/// # Errors
/// When they don't.
pub fn agree(
    sets: &[PolicySet],
    namespaces: &Namespaces,
    deployment: Option<&Deployment>,
    changed: &[String],
) -> Result<(), Contradicted> {
    let found = deployment.map(|deployment| contradictions(sets, namespaces, deployment));
    let mut found = found
        .unwrap_or_default()
        .into_iter()
        .filter(|one| !changed.contains(&one.role));
    match found.next() {
        None => Ok(()),
        Some(first) => Err(Contradicted {
            first,
            more: found.count(),
        }),
    }
}

/// Finds them, sorted by role.
#[must_use]
pub fn contradictions(sets: &[PolicySet], namespaces: &Namespaces, deployment: &Deployment) -> Vec<Contradiction> {
    let mut by_name: BTreeMap<&str, Vec<&AuthRole>> = BTreeMap::new();
    for role in deployment.roles.iter().filter(|role| is_login(role)) {
        by_name.entry(&role.name).or_default().push(role);
    }
    // Where there is one namespace alone, whatever does not say its own is of that.
    let of_roles = deployment.roles.iter().map(|role| role.namespace.as_str());
    let mut others = deployment.namespaces.iter().map(String::as_str).chain(of_roles);
    let is_flat = namespaces.paths().next().is_none() && others.all(str::is_empty);
    let mut newest: BTreeMap<(&str, &str, &str), (&AuthRole, &PolicySet)> = BTreeMap::new();
    for set in sets.iter().filter(|set| set.held.listed && !set.role.is_empty()) {
        let told = space_of(&set.principal, &set.held, namespaces);
        let of_name = by_name.get(&*set.role).into_iter().flatten();
        let mut may_be = of_name.filter(|role| {
            let is_there = told.as_deref().map_or(is_flat, |at| at == role.namespace);
            let is_mount = match set.by_login {
                true => *set.mount == *role.mount,
                false => may_be_mount(&role.mount, &set.mount),
            };
            is_there && is_mount
        });
        // Which of two is meant is open where the log does not say.
        let (Some(&role), None) = (may_be.next(), may_be.next()) else {
            continue;
        };
        // A guess that is not the mount itself says too little.
        if *role.mount != *set.mount {
            continue;
        }
        let key = (role.namespace.as_str(), role.mount.as_str(), role.name.as_str());
        let last = newest.entry(key).or_insert((role, set));
        if set.last_seen > last.1.last_seen {
            last.1 = set;
        }
    }
    let elsewhere = Elsewhere::of(deployment);
    let found = newest.into_values().filter_map(|(role, set)| {
        let had: BTreeSet<&str> = set.held.own.iter().map(|name| &**name).collect();
        let given: BTreeSet<&str> = role.policies.iter().map(String::as_str).collect();
        let lacked: Vec<Arc<str>> = given.difference(&had).map(|name| Arc::from(*name)).collect();
        let beyond = had.difference(&given).filter(|name| **name != DEFAULT);
        let beyond = beyond.filter(|name| !elsewhere.give(role, name));
        let beyond: Vec<Arc<str>> = beyond.map(|name| Arc::from(*name)).collect();
        (!lacked.is_empty() && !beyond.is_empty()).then(|| Contradiction {
            role: format!("{}{}{}", role.namespace, role.mount, role.name),
            lacked,
            had: beyond,
            last: set.last_seen,
        })
    });
    found.collect()
}

/// Whether a mount may be the one that was guessed from what the server calls its tokens: the path of the mount with dashes for
/// slashes, and more behind another dash.
pub(super) fn may_be_mount(mount: &str, guess: &str) -> bool {
    let dashed = |path: &str| path.trim_matches('/').replace('/', "-");
    let (mount, guess) = (dashed(mount), dashed(guess));
    mount
        .strip_prefix(&*guess)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Whether a role is a login whose policies the deployment lists.
fn is_login(role: &AuthRole) -> bool {
    role.is_login() && !role.unlisted
}

/// What tokens have besides what their role hands out.
struct Elsewhere<'d> {
    /// Policies of entities and of groups.
    identity: BTreeSet<&'d str>,
    /// Policies of the groups of an auth method and of its settings, by its namespace and mount.
    groups: BTreeSet<(&'d str, &'d str, &'d str)>,
}

impl<'d> Elsewhere<'d> {
    fn of(deployment: &'d Deployment) -> Self {
        let entities = deployment.entities.iter().flat_map(|entity| &entity.policies);
        let groups = deployment.groups.iter().flat_map(|group| &group.policies);
        let of_method = deployment.roles.iter().filter(|role| role.is_besides());
        let of_method = of_method.flat_map(|group| {
            let policies = group.policies.iter();
            policies.map(|policy| (group.namespace.as_str(), group.mount.as_str(), policy.as_str()))
        });
        Self {
            identity: entities.chain(groups).map(String::as_str).collect(),
            groups: of_method.collect(),
        }
    }

    fn give(&self, role: &AuthRole, policy: &str) -> bool {
        self.identity.contains(policy)
            || self
                .groups
                .contains(&(role.namespace.as_str(), role.mount.as_str(), policy))
    }
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
            display_name: Arc::from(""),
            by_login: true,
            last_seen: Timestamp::from_second(at).ok(),
            first_seen: None,
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
    #[test]
    fn the_role_of_a_token_whose_namespace_nothing_tells_is_open() {
        let elsewhere = WEB.replace(r#""namespace":"""#, r#""namespace":"team/""#);
        let with_namespaces = |namespaces: &str| {
            let end = format!(r#","namespaces":{namespaces}}}"#);
            format!("{}{end}", WEB.trim_end().strip_suffix('}').unwrap())
        };
        let mut of_root = set("web", &["api"], 1);
        of_root.principal.kind = PrincipalKind::Entity;
        of_root.principal.id = Arc::from("0a1b2c3d-0000-4000-8000-000000000001");
        let mut open = of_root.clone();
        open.principal.id = Arc::from("0a1b2c3d-0000-4000-8000-000000000001.aB3xY");
        for by_login in [true, false] {
            of_root.by_login = by_login;
            open.by_login = by_login;
            // The id of an entity tells it.
            assert!(found(vec![of_root.clone()], &elsewhere).is_empty());
            assert_eq!(found(vec![of_root.clone()], &with_namespaces(r#"["team/"]"#)).len(), 1);
            assert!(found(vec![open.clone()], &elsewhere).is_empty());
            assert!(found(vec![open.clone()], &with_namespaces(r#"["team/"]"#)).is_empty());
            assert_eq!(found(vec![open.clone()], &with_namespaces("[]")).len(), 1);
        }
    }
}
