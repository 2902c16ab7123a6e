//! What a deployment hands out: the policies that its roles, groups and entities give or may give, and what it leaves open of that.

use super::holder::{AssignedBy, Holder, policies_of, role_id, role_place};
use crate::deployment::{Deployment, Group, Mount, required};
use crate::vault::{PolicyId, RoleId, glob};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The policies that roles, groups and entities of a deployment hand out or may hand out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandedOut {
    /// The policies.
    policies: Names,
    /// Those of them that something gives which is no place of a known holder: groups of auth methods and groups without members,
    /// settings of methods, token roles.
    besides: Names,
    /// Those of these that people get who were not seen. Whom a token role gives something to is seen when the token is made.
    to_others: Names,
    /// Namespace and path of all that hands out policies, as it is written.
    places: BTreeSet<(String, String)>,
    /// When the last group, or entity, of a namespace was written that the deployment has, by the path they are written at.
    written: BTreeMap<(String, &'static str), Timestamp>,
    /// The time that the deployment is of, where it is known.
    as_of: Option<Timestamp>,
    /// Whether all that hands out policies could be read.
    pub whole: bool,
    /// The first thing that hands out policies and of which the deployment does not tell which; none where there is none.
    pub left_out: Option<String>,
}

impl HandedOut {
    /// What this deployment hands out; of `told` roles a login was seen.
    pub(super) fn by<'h>(
        deployment: &Deployment,
        told: &BTreeSet<RoleId>,
        holders: impl Iterator<Item = &'h Holder> + Clone,
        unknown: Option<String>,
    ) -> Self {
        let known = holders.clone().map(|holder| &*holder.principal.id);
        let known: BTreeSet<&str> = known
            .chain(deployment.entities.iter().map(|entity| entity.id.as_str()))
            .collect();
        let seen: BTreeSet<&str> = holders.clone().filter(|h| h.asked).map(|h| &*h.principal.id).collect();
        let places: BTreeSet<(&str, &str, &str)> = holders.flat_map(|holder| &holder.assigned).map(key).collect();
        let (mut policies, mut besides, mut to_others) = (Names::default(), Names::default(), Names::default());
        let open = open_mounts(deployment, &seen);
        for (way, given) in given(deployment, &places, &known, &open) {
            if way != Way::Place {
                besides.add(&given);
            }
            if way == Way::Others {
                to_others.add(&given);
            }
            policies.add(&given);
        }
        let unlisted = deployment.roles.iter().filter(|role| role.unlisted).map(role_id);
        let mut untold = unlisted.filter(|role| !told.contains(role));
        let left_out = deployment.left_out.first().cloned();
        Self {
            policies,
            besides,
            to_others,
            places: required::places(deployment).collect(),
            written: required::last_written(deployment),
            as_of: deployment.as_of,
            whole: deployment.unread.is_empty(),
            left_out: left_out
                .or_else(|| Some(format!("the policies of `{}`", untold.next()?)))
                .or(unknown),
        }
    }

    /// Every policy that something hands out by its name.
    pub fn policies(&self) -> impl Iterator<Item = &PolicyId> {
        self.policies.exact.iter()
    }

    /// Whether all is known that hands out policies.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.whole && self.left_out.is_none()
    }

    /// Whether the deployment lists what is written at this path of a namespace.
    #[must_use]
    pub fn lists(&self, namespace: &str, path: &str) -> bool {
        self.places.contains(&(namespace.to_owned(), path.to_lowercase()))
    }

    /// Whether the deployment says itself that it is of a later time.
    #[must_use]
    pub fn is_after(&self, at: Timestamp) -> bool {
        self.as_of.is_some_and(|as_of| at < as_of)
    }

    /// Whether the deployment is as new as a write, at `at`, to a group or an entity: it has something of that kind that was written
    /// no earlier. The log may have the time of the answer, which is a little later.
    #[must_use]
    pub fn is_as_new_as(&self, namespace: &str, path: &str, at: Timestamp) -> bool {
        let of_space = self.written.iter().filter(|((space, _), _)| space == namespace);
        let mut of_kind = of_space.filter(|((_, kind), _)| path.starts_with(kind));
        of_kind.any(|(_, last)| at.duration_since(*last).as_secs() < 1)
    }

    /// Whether something hands out this policy.
    #[must_use]
    pub fn names(&self, policy: &PolicyId) -> bool {
        self.policies.mean(policy)
    }

    /// Whether a token role hands out this policy by a pattern of names, but not all that there are.
    #[must_use]
    pub fn may_name(&self, policy: &PolicyId) -> bool {
        let all = |pattern: &PolicyId| pattern.name.bytes().all(|c| c == b'*');
        let mut patterns = self.policies.patterns.iter().filter(|pattern| !all(pattern));
        patterns.any(|pattern| pattern.namespace == policy.namespace && glob::matches(&pattern.name, &policy.name))
    }

    /// Whether somebody gets this policy who was not seen.
    #[must_use]
    pub fn gives_to_others(&self, policy: &PolicyId) -> bool {
        self.to_others.mean(policy)
    }

    /// Whether something hands out this policy that is no place of a known holder, and so does not change with what holders get.
    #[must_use]
    pub fn names_besides(&self, policy: &PolicyId) -> bool {
        self.besides.mean(policy)
    }
}

/// By what a thing gives its policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is a place of known holders, and of no others.
    Place,
    /// It is a token role.
    Child,
    /// It gives them to people who were not seen.
    Others,
}

/// Policies by name, and of token roles by patterns of names, as the server has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Names {
    exact: BTreeSet<PolicyId>,
    patterns: BTreeSet<PolicyId>,
}

impl Names {
    fn add(&mut self, given: &[PolicyId]) {
        let (patterns, exact): (Vec<PolicyId>, Vec<PolicyId>) =
            given.iter().cloned().partition(|id| id.name.contains('*'));
        self.patterns.extend(patterns);
        self.exact.extend(exact);
    }

    fn mean(&self, policy: &PolicyId) -> bool {
        let mut patterns = self.patterns.iter().filter(|known| known.namespace == policy.namespace);
        self.exact.contains(policy) || patterns.any(|known| glob::matches(&known.name, &policy.name))
    }
}

fn key(place: &AssignedBy) -> (&str, &str, &str) {
    (&place.kind, &place.namespace, &place.id)
}

/// The auth mounts, namespace and path, at which somebody logs in who was not `seen`: by which of the roles there nothing tells.
/// An accessor that no mount of the deployment has may be that of each mount without one.
fn open_mounts<'d>(deployment: &'d Deployment, seen: &BTreeSet<&str>) -> BTreeSet<(&'d str, &'d str)> {
    fn at(mount: &Mount) -> (&str, &str) {
        (&mount.namespace, &mount.path)
    }
    let mounts = deployment.auth_mounts.iter().filter(|mount| !mount.accessor.is_empty());
    let mounts: BTreeMap<&str, &Mount> = mounts.map(|mount| (mount.accessor.as_str(), mount)).collect();
    let unseen = deployment.entities.iter().filter(|e| !seen.contains(e.id.as_str()));
    let accessors = unseen
        .flat_map(|entity| &entity.aliases)
        .map(|alias| alias.mount_accessor.as_str());
    let (known, unknown): (BTreeSet<&str>, BTreeSet<&str>) =
        accessors.partition(|accessor| mounts.contains_key(accessor));
    let mut open: BTreeSet<(&str, &str)> = known
        .iter()
        .filter_map(|accessor| mounts.get(accessor))
        .map(|m| at(m))
        .collect();
    if !unknown.is_empty() {
        let named: BTreeSet<(&str, &str)> = mounts.values().map(|mount| at(mount)).collect();
        let of_roles = deployment
            .roles
            .iter()
            .map(|role| (role.namespace.as_str(), role.mount.as_str()));
        open.extend(of_roles.filter(|mount| !named.contains(mount)));
    }
    open
}

/// What each thing of the deployment hands out, or may hand out, and by which way; `places` are those of known holders.
/// A group with members that are not `known` is one of others, too, and so is one with members that come and go with their logins, and
/// a role of an `open` mount.
fn given(
    deployment: &Deployment,
    places: &BTreeSet<(&str, &str, &str)>,
    known: &BTreeSet<&str>,
    open: &BTreeSet<(&str, &str)>,
) -> Vec<(Way, Vec<PolicyId>)> {
    let way = |is_place: bool| if is_place { Way::Place } else { Way::Others };
    let by_id: BTreeMap<&str, &Group> = deployment
        .groups
        .iter()
        .map(|group| (group.id.as_str(), group))
        .collect();
    // All that are members by a group within it are members of it; circles end at what was asked already.
    let are_known = |group: &Group| {
        let (mut asked, mut todo) = (BTreeSet::new(), vec![group]);
        while let Some(group) = todo.pop() {
            let inner: Option<Vec<&Group>> = group
                .member_groups
                .iter()
                .map(|id| by_id.get(id.as_str()).copied())
                .collect();
            let Some(inner) = inner else { return false };
            if group.external || !group.member_entities.iter().all(|id| known.contains(id.as_str())) {
                return false;
            }
            if asked.insert(&group.id) {
                todo.extend(inner);
            }
        }
        true
    };

    let roles = deployment.roles.iter().map(|role| {
        let mut given = policies_of(&role.namespace, &role.policies);
        given.extend(policies_of(&role.namespace, &role.allowed_policies));
        // A user is one alias; a role is whoever logs in by it.
        let is_open = role.item != "user" && open.contains(&(role.namespace.as_str(), role.mount.as_str()));
        let is_place = role.is_login() && !is_open && places.contains(&key(&role_place(role)));
        (
            if role.kind == "token" {
                Way::Child
            } else {
                way(is_place)
            },
            given,
        )
    });
    let groups = deployment.groups.iter().map(|group| {
        let is_place = places.contains(&("group", group.namespace.as_str(), group.key()));
        (
            way(is_place && are_known(group)),
            policies_of(&group.namespace, &group.policies),
        )
    });
    let entities = deployment.entities.iter().map(|entity| {
        let is_place = places.contains(&("entity", entity.namespace.as_str(), entity.id.as_str()));
        (way(is_place), policies_of(&entity.namespace, &entity.policies))
    });
    roles.chain(groups).chain(entities).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_of_a_token_role_names_what_it_matches() {
        for (pattern, name, want) in [
            ("team-*", "team-x", true),
            ("team-*", "team", false),
            ("*", "x", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "abc", true),
            ("a*bc", "abbc", true),
            ("a*b*b", "ab", false),
            ("x", "xy", false),
        ] {
            let mut names = Names::default();
            names.add(&[PolicyId::new("", pattern)]);
            assert_eq!(names.mean(&PolicyId::new("", name)), want, "{pattern} {name}");
        }
    }
}
