//! Roles by which the log shows logins and that the deployment does not have: an export may lack one, and whoever logs in at its mount may
//! log in by it tomorrow. What it gives is told by its tokens: what they have beyond what entity and groups give.

use super::contradiction::may_be_mount;
use super::holder::{AssignedBy, Directory, Giving};
use super::meant::space_of;
use crate::usage::demand::PolicySet;
use crate::vault::{MountId, PolicyId, PrincipalKind, path};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Each with its mount: one for each list of policies that its tokens have beyond what entity and groups give.
pub(super) fn roles<'s>(
    directory: &Directory<'_>,
    sets: impl Iterator<Item = &'s PolicySet>,
) -> BTreeSet<(MountId, Giving)> {
    let is_login = |set: &&PolicySet| {
        let kind = set.principal.kind;
        let is_somebody = matches!(kind, PrincipalKind::Entity | PrincipalKind::Role | PrincipalKind::Token);
        // Of a token of which nothing tells a mount or a role, it is not known that a login gave it.
        is_somebody && *set.mount != *path::TOKEN_MOUNT && !(set.mount.is_empty() && set.role.is_empty())
    };
    let mounts: Vec<(MountId, &str)> = directory.auth_mounts().collect();
    let sets = sets.filter(is_login);
    let mut shown: BTreeSet<(MountId, Giving)> = sets.flat_map(|set| of_set(directory, &mounts, set)).collect();
    let mut listed = BTreeMap::new();
    shown.retain(|(mount, (place, _))| {
        let listed = listed
            .entry(mount.clone())
            .or_insert_with(|| Listed::at(directory, mount));
        !listed.gives(&place.policies)
    });
    shown
}

/// What the roles of the deployment give at one mount, to look up by a policy.
struct Listed(HashMap<PolicyId, Vec<Arc<AssignedBy>>>);

impl Listed {
    fn at(directory: &Directory<'_>, mount: &MountId) -> Self {
        let mut with: HashMap<PolicyId, Vec<Arc<AssignedBy>>> = HashMap::new();
        for (role, _) in directory.given_at(Some(mount), false) {
            let role = Arc::new(role);
            for policy in &role.policies {
                with.entry(policy.clone()).or_default().push(Arc::clone(&role));
            }
        }
        Self(with)
    }

    /// Whether one of them gives all of these.
    fn gives(&self, policies: &[PolicyId]) -> bool {
        let with = policies
            .iter()
            .map(|policy| self.0.get(policy).map_or(&[][..], Vec::as_slice));
        let fewest = with.min_by_key(|roles| roles.len()).unwrap_or_default();
        fewest
            .iter()
            .any(|role| policies.iter().all(|policy| role.policies.contains(policy)))
    }
}

/// What a list shows at each mount that its login may have been at.
fn of_set(directory: &Directory<'_>, mounts: &[(MountId, &str)], set: &PolicySet) -> Vec<(MountId, Giving)> {
    if !set.role.is_empty() && directory.has_role_of(set) {
        return Vec::new();
    }
    let told = space_of(&set.principal, &set.held, directory.namespaces());
    let is_at = |(mount, _): &&(MountId, &str)| {
        let fits = match set.by_login {
            true => mount.path == set.mount,
            false => may_be_mount(&mount.path, &set.mount),
        };
        fits && told.as_ref().is_none_or(|told| *told == mount.namespace)
    };
    let mut at: Vec<(MountId, &str)> = mounts.iter().filter(is_at).cloned().collect();
    if at.is_empty() {
        let mount = MountId {
            namespace: told.clone().unwrap_or_default(),
            path: set.mount.clone(),
        };
        at.push((mount, ""));
    }
    // Such a user or role is one principal, and nobody else comes by it.
    let is_open = |(_, kind): &(MountId, &str)| !matches!(*kind, "userpass" | "approle" | "token");
    let open = at.into_iter().filter(is_open);
    open.filter_map(|(mount, kind)| Some((mount.clone(), giving(directory, set, mount, kind)?)))
        .collect()
}

/// What the role gives; none where that is nothing.
fn giving(directory: &Directory<'_>, set: &PolicySet, mount: MountId, kind: &str) -> Option<Giving> {
    let own = directory.of_entity(&set.principal.id, true);
    let own: BTreeSet<&PolicyId> = own.iter().flat_map(|place| &place.policies).collect();
    let named = |name: &Arc<str>| PolicyId::new(mount.namespace.clone(), name.clone());
    let (default, given): (Vec<PolicyId>, Vec<PolicyId>) =
        set.held.own.iter().map(named).partition(PolicyId::is_default);
    let given: Vec<PolicyId> = given.into_iter().filter(|policy| !own.contains(policy)).collect();
    let place = AssignedBy {
        kind: kind.to_owned(),
        id: format!("{}{}", mount.path, set.role),
        name: set.role.to_string(),
        mount: mount.path.to_string(),
        namespace: mount.namespace,
        policies: given,
        unlisted: false,
    };
    (!place.policies.is_empty()).then(|| (place, default.into_iter().next()))
}
