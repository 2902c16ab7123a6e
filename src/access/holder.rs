//! Who holds policies: the principals of usage, and the auth roles and entities of the deployment that never acted.

use super::contradiction::may_be_mount;
use super::meant::{HeldSet, space_of};
use crate::deployment::{AuthRole, Deployment, Entity as DeployedEntity};
use crate::index::Idx;
use crate::policy::template::{Alias, Entity, Group, Identity};
use crate::usage::Namespaces;
use crate::usage::demand::{Demand, PolicySet, Principal};
use crate::vault::{Capability, MountId, PolicyId, PrincipalKind, RoleId, identity, path};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Number of a holder in [`super::Joined::holders`].
pub type HolderId = Idx<Holder>;

/// A principal with the policies that were in force for it.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Who.
    pub principal: Principal,
    /// Namespace where its tokens live.
    pub namespace: Arc<str>,
    /// The different policy sets that were in force, the one seen last first.
    pub sets: Vec<HeldSet>,
    /// What templates are filled from.
    pub identity: Identity,
    /// Whether the identity comes from the deployment, and not from hints in the log.
    pub identity_known: bool,
    /// When the deployment says that its entity, or a group of it, was last written.
    pub identity_written: Option<Timestamp>,
    /// Whether it asked for anything, if only to be refused.
    pub asked: bool,
    /// Whether it acted: something was allowed to it that policies are asked for.
    pub acted: bool,
    /// Days (since the epoch) on which it acted, as far as its entries have a time.
    pub days: BTreeSet<i32>,
    /// Metadata, groups and the like that people know it by: a label for grouping.
    pub label: String,
    /// Where its policies are set, where the deployment says so.
    pub assigned: Vec<AssignedBy>,
}

/// A place with the `default` that its tokens have besides, if they do.
pub(super) type Giving = (AssignedBy, Option<PolicyId>);

/// A place that hands policies to a holder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AssignedBy {
    /// `entity`, `group`, or the auth method's type.
    pub kind: String,
    /// The namespace that it is in.
    pub namespace: Arc<str>,
    /// Its key: entity or group id, or mount and role name.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The auth mount, for roles.
    pub mount: String,
    /// The policies it hands out: all of its own namespace.
    pub policies: Vec<PolicyId>,
    /// Whether the deployment leaves them out.
    pub unlisted: bool,
}

impl AssignedBy {
    /// Whether this is what a write at that path of a namespace sets, as far as the path tells.
    #[must_use]
    pub fn may_be_at(&self, namespace: &str, path: &str) -> bool {
        if *self.namespace != *namespace {
            return false;
        }
        let is = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        let named = |kind: &str| {
            let rest = path.strip_prefix(kind)?;
            let one = rest.strip_prefix("/id/").or_else(|| rest.strip_prefix("/name/"));
            Some(one.is_none_or(|one| is(one, &self.id) || is(one, &self.name)))
        };
        match &*self.kind {
            "entity" => named("identity/entity").unwrap_or_default(),
            "group" => named("identity/group").unwrap_or_default(),
            _ => {
                let rest = path.strip_prefix(&*self.mount);
                let mut segments = rest.into_iter().flat_map(|rest| rest.split('/'));
                segments.any(|segment| is(segment, &self.name))
            }
        }
    }
}

impl Holder {
    /// Whether it acted in the window.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.acted
    }

    /// What its entity is called, where that is known.
    #[must_use]
    pub fn name_of_entity(&self) -> Option<&str> {
        self.identity.entity.as_ref().map(|entity| entity.name.as_str())
    }

    /// Whether it is somebody: who comes without a token is counted as no principal.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.principal.kind != PrincipalKind::Unauthenticated
    }

    /// Whether it is one that policies bind: no policy says what a root token may do, or who comes without a token.
    #[must_use]
    pub const fn is_bound(&self) -> bool {
        !matches!(
            self.principal.kind,
            PrincipalKind::Root | PrincipalKind::Unauthenticated
        )
    }

    /// `entity:6d1f…`, unique over holders.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}:{}", self.principal.kind, self.principal.id)
    }

    /// The human's word, or the key where there is none. A root token is called like any token of no name, and is told from those.
    #[must_use]
    pub fn display(&self) -> &str {
        match (self.principal.kind, &*self.principal.name) {
            (PrincipalKind::Root, "" | "root" | "token") => "root token",
            (_, "") => &self.principal.id,
            (_, name) => name,
        }
    }
}

/// Looks things up in a deployment by key.
pub(super) struct Directory<'a> {
    deployment: &'a Deployment,
    entities: BTreeMap<&'a str, &'a DeployedEntity>,
    groups_of: BTreeMap<&'a str, BTreeSet<usize>>,
    roles: BTreeMap<RoleId, Vec<&'a AuthRole>>,
    /// The mounts that have a role of a name, by namespace.
    mounts_with: BTreeMap<&'a str, BTreeSet<(&'a str, &'a str)>>,
    mount_of: BTreeMap<&'a str, MountId>,
    namespaces: &'a Namespaces,
    /// Whether groups give policies to members of other namespaces, as some servers are set to.
    crosses: bool,
    /// What the log shows roles to give that the deployment does not have, with their mounts.
    shown: BTreeSet<(MountId, Giving)>,
}

impl<'a> Directory<'a> {
    pub(super) fn new(deployment: &'a Deployment, namespaces: &'a Namespaces, crosses: bool) -> Self {
        let entities = deployment.entities.iter().map(|e| (e.id.as_str(), e)).collect();
        let number: BTreeMap<&str, usize> = deployment
            .groups
            .iter()
            .enumerate()
            .map(|(n, g)| (g.id.as_str(), n))
            .collect();
        let mut parents: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (parent, group) in deployment.groups.iter().enumerate() {
            for child in group.member_groups.iter().filter_map(|id| number.get(id.as_str())) {
                parents.entry(*child).or_default().push(parent);
            }
        }
        let mut groups_of: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for (n, group) in deployment.groups.iter().enumerate() {
            for entity in &group.member_entities {
                // A member of a group is a member of every group above it; circles end at what was seen.
                let seen = groups_of.entry(entity.as_str()).or_default();
                let mut todo = vec![n];
                while let Some(group) = todo.pop() {
                    if seen.insert(group) {
                        todo.extend(parents.get(&group).into_iter().flatten());
                    }
                }
            }
        }
        let mut roles: BTreeMap<RoleId, Vec<&AuthRole>> = BTreeMap::new();
        // A group of an auth method is no login, and a token role is told by nothing that a token carries.
        let logins = deployment.roles.iter().filter(|role| role.is_login());
        let mut mounts_with: BTreeMap<&str, BTreeSet<(&str, &str)>> = BTreeMap::new();
        for role in logins {
            roles.entry(role_id(role)).or_default().push(role);
            let mounts = mounts_with.entry(&role.name).or_default();
            mounts.insert((&role.namespace, &role.mount));
        }
        let mounts = deployment.auth_mounts.iter().filter(|mount| !mount.accessor.is_empty());
        let mount_of = mounts
            .map(|mount| {
                let id = MountId {
                    namespace: Arc::from(mount.namespace.as_str()),
                    path: Arc::from(mount.path.as_str()),
                };
                (mount.accessor.as_str(), id)
            })
            .collect();
        Self {
            deployment,
            entities,
            groups_of,
            roles,
            mounts_with,
            mount_of,
            namespaces,
            crosses,
            shown: BTreeSet::new(),
        }
    }

    /// With the roles besides that only the log shows.
    pub(super) fn with(self, shown: BTreeSet<(MountId, Giving)>) -> Self {
        Self { shown, ..self }
    }

    pub(super) const fn namespaces(&self) -> &'a Namespaces {
        self.namespaces
    }

    /// The auth methods, each with its type.
    pub(super) fn auth_mounts(&self) -> impl Iterator<Item = (MountId, &'a str)> {
        self.deployment.auth_mounts.iter().map(|mount| {
            let id = MountId {
                namespace: Arc::from(mount.namespace.as_str()),
                path: Arc::from(mount.path.as_str()),
            };
            (id, mount.kind.as_str())
        })
    }

    /// Whether it has a role that a login may have been by.
    pub(super) fn has_role_of(&self, set: &PolicySet) -> bool {
        let mounts = self.mounts_for(set);
        match set.by_login {
            true => mounts.contains(&*set.mount),
            false => mounts.iter().any(|mount| may_be_mount(mount, &set.mount)),
        }
    }

    /// Whether something of that namespace may be what a login was by.
    fn may_be_in(&self, namespace: &str, set: &PolicySet) -> bool {
        let told = space_of(&set.principal, &set.held, self.namespaces);
        told.is_none_or(|told| *told == *namespace)
    }

    /// The mounts that a login by a role may have been at, as far as its namespace tells.
    fn mounts_for(&self, set: &PolicySet) -> BTreeSet<&'a str> {
        let with = self.mounts_with.get(&*set.role).filter(|_| !set.role.is_empty());
        let mounts = with.into_iter().flatten();
        let mounts = mounts.filter(|(namespace, _)| self.may_be_in(namespace, set));
        mounts.map(|(_, mount)| *mount).collect()
    }

    /// The mount that a login by a role was at: as it was seen, or, where it is a guess, the only one that it can be.
    pub(super) fn mount_of_login(&self, set: &PolicySet) -> Option<Arc<str>> {
        let mounts = self.mounts_for(set);
        if set.by_login {
            return mounts.contains(&*set.mount).then(|| set.mount.clone());
        }
        let mut fitting = mounts.iter().filter(|mount| may_be_mount(mount, &set.mount));
        let only = fitting.next().filter(|_| fitting.next().is_none())?;
        Some(Arc::from(*only))
    }

    /// Somebody at work, or a namespace, that was there when the deployment was made and that it does not have: then it has not all that
    /// hands out policies. Who came later is no part of it, nor is what the log shows to be deleted, or was last seen long before.
    pub(super) fn unknown_work(&self, demands: &[Demand]) -> Option<String> {
        /// Of who was last seen more days before nobody is surprised that they are gone.
        const DAYS: i64 = 30;
        if !self.deployment.lists_entities {
            return None;
        }
        let allowed = || demands.iter().filter(|d| d.allowed > 0);
        // Of a deployment without a time it is only known that it is about as new as the logs' end.
        let as_of = self.deployment.as_of.map(|as_of| (as_of, 0));
        let made = as_of.or_else(|| Some((allowed().filter_map(|d| d.last_seen).max()?, 24)));
        // From when to when each was seen; none where that is not told of all of it.
        let mut seen: BTreeMap<(bool, &str), Option<(Timestamp, Timestamp)>> = BTreeMap::new();
        for d in allowed() {
            let times = d.first_seen.zip(d.last_seen);
            let (of, at) = (&d.principal, &*d.namespace);
            let is_lacking = of.kind == PrincipalKind::Entity && !self.entities.contains_key(&*of.id);
            let is_elsewhere =
                !at.is_empty() && !path::is_unplaced(at) && !self.deployment.namespaces.iter().any(|known| known == at);
            let lacking = [
                is_lacking.then_some((true, &*of.id)),
                is_elsewhere.then_some((false, at)),
            ];
            for what in lacking.into_iter().flatten() {
                let known = seen.entry(what).or_insert(times);
                *known = known.zip(times).map(|(a, b)| (a.0.min(b.0), a.1.max(b.1)));
            }
        }
        let deletions = allowed().filter(|d| d.capability == Capability::Delete);
        let deletions =
            deletions.filter(|d| d.path.starts_with("identity/entity/") || d.path.starts_with("sys/namespaces/"));
        let deletions: Vec<String> = deletions
            .map(|d| format!("{}{}/", d.namespace, d.path.trim_end_matches('/')))
            .collect();
        let deleted = |what: &str| deletions.iter().any(|path| path.ends_with(what));
        let hours = |from: Timestamp, to: Timestamp| to.duration_since(from).as_hours();
        let was_there = |times: Option<(Timestamp, Timestamp)>| {
            times.zip(made).is_none_or(|((first, last), (made, slack))| {
                first < made && hours(first, made) >= slack && hours(last, made) < DAYS * 24
            })
        };
        seen.into_iter().find_map(|((is_entity, what), times)| {
            let (kind, path) = match is_entity {
                true => ("entity", format!("identity/entity/id/{what}/")),
                false => (
                    "namespace",
                    format!("sys/namespaces/{}/", what.trim_end_matches('/').rsplit('/').next()?),
                ),
            };
            (was_there(times) && !deleted(&path)).then(|| format!("the {kind} `{what}`, which is at work"))
        })
    }

    /// A login by something that the deployment does not have: then it has not all that hands out policies.
    pub(super) fn unknown_login(&self, sets: &[PolicySet]) -> Option<String> {
        let mounts = &self.deployment.auth_mounts;
        let seen = sets
            .iter()
            .filter(|set| set.by_login && !set.mount.is_empty() && *set.mount != *path::TOKEN_MOUNT);
        let mut unknown = seen.filter_map(|set| {
            let mut at = mounts.iter().filter(|mount| mount.path == *set.mount);
            if !mounts.is_empty() && !at.any(|mount| self.may_be_in(&mount.namespace, set)) {
                return Some(format!("the auth method at `{}`, where somebody logged in", set.mount));
            }
            let is_known = set.role.is_empty() || self.mounts_for(set).contains(&*set.mount);
            (!is_known).then(|| format!("`{}{}`, by which somebody logged in", set.mount, set.role))
        });
        unknown.next()
    }

    /// The login role of that name at that mount.
    fn role(&self, role: &RoleId) -> impl Iterator<Item = &'a AuthRole> + use<'a> {
        self.roles.get(role).cloned().unwrap_or_default().into_iter()
    }

    /// The users that an alias is, of the method at the mount of its accessor. An alias of a method with roles is called after what
    /// logs in (a role id, a subject, a service account), and may be called as any role.
    fn roles_of(&self, alias: &crate::deployment::Alias) -> impl Iterator<Item = &'a AuthRole> + use<'a> {
        let mount = self.mount_of.get(alias.mount_accessor.as_str());
        let role = mount.map(|mount| RoleId {
            mount: mount.clone(),
            name: Arc::from(alias.name.as_str()),
        });
        role.into_iter()
            .flat_map(|role| self.role(&role))
            .filter(|role| role.item == "user")
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The identity of an entity, groups included.
    pub(super) fn identity(&self, id: &str) -> Option<Identity> {
        let entity = self.entities.get(id)?;
        Some(Identity {
            entity: Some(Entity {
                id: entity.id.clone(),
                name: entity.name.clone(),
                metadata: entity.metadata.clone(),
                aliases: entity
                    .aliases
                    .iter()
                    .map(|a| Alias {
                        id: a.id.clone(),
                        name: a.name.clone(),
                        mount_accessor: a.mount_accessor.clone(),
                        metadata: a.metadata.clone(),
                        custom_metadata: a.custom_metadata.clone(),
                    })
                    .collect(),
            }),
            groups: self
                .groups(id)
                .map(|g| Group {
                    namespace: g.namespace.clone(),
                    id: g.id.clone(),
                    name: g.name.clone(),
                    metadata: g.metadata.clone(),
                })
                .collect(),
        })
    }

    /// The entities of the deployment.
    pub(super) fn entities(&self) -> impl Iterator<Item = &'a DeployedEntity> {
        self.deployment.entities.iter()
    }

    /// Groups whose members come with each login, by what the method says of them; each with those that it is in.
    pub(super) fn external_groups(&self) -> Vec<Vec<AssignedBy>> {
        let groups = &self.deployment.groups;
        let external = groups.iter().filter(|group| group.external);
        let with_parents = external.map(|group| {
            let mut chain = vec![group];
            let mut next = 0;
            while let Some(one) = chain.get(next).copied() {
                let is_new = |above: &&crate::deployment::Group| !chain.iter().any(|known| known.id == above.id);
                let above = groups.iter().filter(|above| above.member_groups.contains(&one.id));
                let above: Vec<&crate::deployment::Group> = above.filter(is_new).collect();
                chain.extend(above);
                next += 1;
            }
            chain.into_iter().map(group_place).collect()
        });
        with_parents.collect()
    }

    /// The mount of an alias; none where the deployment does not have it.
    pub(super) fn mount_of_alias(&self, alias: &crate::deployment::Alias) -> Option<MountId> {
        self.mount_of.get(alias.mount_accessor.as_str()).cloned()
    }

    /// What an alias is as a user; none where it is not known as whom it logs in.
    pub(super) fn as_user(&self, alias: &crate::deployment::Alias) -> Option<Vec<AssignedBy>> {
        let mut users = self.roles_of(alias).peekable();
        users.peek()?;
        Some(users.map(role_place).collect())
    }

    /// What may give something to who logs in at a mount, or at any where it is not known, each with the `default` of its tokens: its
    /// roles and its groups, or these alone where it is known as whom.
    pub(super) fn given_at(&self, mount: Option<&MountId>, groups_alone: bool) -> Vec<Giving> {
        let is_there = |role: &&AuthRole| {
            mount.is_none_or(|mount| role.namespace == *mount.namespace && role.mount == *mount.path)
        };
        let roles = self.deployment.roles.iter().filter(is_there);
        let roles = roles.filter(|role| match role.item.as_str() {
            "group" => true,
            _ => !groups_alone && role.is_login(),
        });
        let default = |role: &AuthRole| PolicyId::new(role.namespace.as_str(), identity::DEFAULT);
        let default = |role: &AuthRole| (!role.no_default_policy).then(|| default(role));
        let listed = roles.map(|role| (role_place(role), default(role)));
        let shown = self.shown.iter().filter(|_| !groups_alone);
        let shown = shown.filter(|(at, _)| mount.is_none_or(|mount| mount == at));
        listed.chain(shown.map(|(_, giving)| giving.clone())).collect()
    }

    /// When an entity, or a group of it, was last written; none where the entity does not say it.
    pub(super) fn written(&self, id: &str) -> Option<Timestamp> {
        let own = self.entities.get(id)?.last_update_time?;
        let groups = self.groups(id).filter_map(|group| group.last_update_time);
        groups.chain([own]).max()
    }

    fn groups(&self, entity: &str) -> impl Iterator<Item = &'a crate::deployment::Group> {
        let numbers = self.groups_of.get(entity).cloned().unwrap_or_default();
        let deployment = self.deployment;
        numbers.into_iter().filter_map(move |n| deployment.groups.get(n))
    }

    /// Where the policies of a principal are set: its entity and the groups of it, and the roles that it logged in as.
    pub(super) fn assigned(&self, principal: &Principal, logged_in_as: &BTreeSet<RoleId>) -> Vec<AssignedBy> {
        let roles = logged_in_as.iter().flat_map(|role| self.role(role));
        let mut places: Vec<AssignedBy> = roles.map(role_place).collect();
        if principal.kind == PrincipalKind::Entity {
            places.extend(self.of_entity(&principal.id, self.crosses));
            if let Some(entity) = self.entities.get(&*principal.id) {
                for alias in &entity.aliases {
                    places.extend(self.roles_of(alias).map(role_place));
                }
            }
        }
        places.sort();
        places.dedup();
        places
    }

    /// Where the policies of an entity are set, whichever way it logs in; groups of other namespaces only if their policies cross.
    pub(super) fn of_entity(&self, id: &str, crosses: bool) -> Vec<AssignedBy> {
        let own = self.entities.get(id).filter(|entity| !entity.policies.is_empty());
        let home: Option<&str> = self.entities.get(id).map(|entity| entity.namespace.as_str());
        let own = own.map(|entity| AssignedBy {
            namespace: Arc::from(entity.namespace.as_str()),
            kind: "entity".to_owned(),
            id: entity.id.clone(),
            name: entity.name.clone(),
            mount: String::new(),
            policies: policies_of(&entity.namespace, &entity.policies),
            unlisted: false,
        });
        let groups = self.groups(id);
        let groups = groups.filter(|group| crosses || home.is_none_or(|home| home == group.namespace));
        own.into_iter().chain(groups.map(group_place)).collect()
    }

    /// What somebody has who was never seen: where groups of other namespaces have the entity as a member, and nothing says
    /// whether their policies cross, with them and without.
    fn with_crossing(&self, entity: Option<&str>, held: HeldSet) -> Vec<HeldSet> {
        let crossing = entity.map(|id| self.of_entity(id, true)).unwrap_or_default();
        let crossing = crossing.into_iter().flat_map(|place| place.policies);
        let all = HeldSet::of(held.policies.iter().cloned().chain(crossing));
        if all == held { vec![held] } else { vec![all, held] }
    }

    /// Auth roles and entities that are not among the principals seen.
    pub(super) fn dormant(&self, seen: &[Holder]) -> Vec<Holder> {
        let places: BTreeSet<&AssignedBy> = seen.iter().flat_map(|h| &h.assigned).collect();
        let ids: BTreeSet<&str> = seen.iter().map(|h| &*h.principal.id).collect();
        let mut dormant = Vec::new();
        // Whoever logs in at a role has the policies of its entity besides, where there is one already.
        let mut entity_at: BTreeMap<AssignedBy, &DeployedEntity> = BTreeMap::new();
        for entity in &self.deployment.entities {
            let roles = entity.aliases.iter().flat_map(|alias| self.roles_of(alias));
            entity_at.extend(roles.map(|role| (role_place(role), entity)));
        }
        for role in &self.deployment.roles {
            let place = role_place(role);
            // A token role hands out what its caller asks for, a group what its members get besides: neither acts itself.
            if places.contains(&place) || !role.is_login() {
                continue;
            }
            let entity = entity_at.get(&place);
            let mut assigned = entity
                .map(|entity| self.of_entity(&entity.id, self.crosses))
                .unwrap_or_default();
            assigned.push(place);
            assigned.sort();
            let given = assigned.iter().flat_map(|place| place.policies.iter().cloned());
            let default = PolicyId::new(role.namespace.as_str(), identity::DEFAULT);
            let held = HeldSet::of(given.chain((!role.no_default_policy).then_some(default)));
            let sets = self.with_crossing(entity.map(|entity| entity.id.as_str()), held);
            dormant.push(Holder {
                principal: Principal {
                    kind: PrincipalKind::Role,
                    id: Arc::from(role_id(role).to_string()),
                    name: Arc::from(role.name.as_str()),
                    auth_mount: Arc::from(role.mount.as_str()),
                },
                namespace: Arc::from(role.namespace.as_str()),
                sets,
                identity: entity.and_then(|entity| self.identity(&entity.id)).unwrap_or_default(),
                identity_known: true,
                identity_written: entity.and_then(|entity| self.written(&entity.id)),
                asked: false,
                acted: false,
                days: BTreeSet::new(),
                label: role.mount.clone(),
                assigned,
            });
        }
        for entity in &self.deployment.entities {
            let known_as_role = entity.aliases.iter().any(|a| self.roles_of(a).next().is_some());
            if ids.contains(entity.id.as_str()) || known_as_role {
                continue;
            }
            let principal = Principal {
                kind: PrincipalKind::Entity,
                id: Arc::from(entity.id.as_str()),
                name: Arc::from(entity.name.as_str()),
                auth_mount: Arc::from(""),
            };
            let assigned = self.assigned(&principal, &BTreeSet::new());
            let given = assigned.iter().flat_map(|place| place.policies.iter().cloned());
            let default = PolicyId::new(entity.namespace.as_str(), identity::DEFAULT);
            let held = HeldSet::of(given.chain([default]));
            let sets = self.with_crossing(Some(&entity.id), held);
            dormant.push(Holder {
                principal,
                namespace: Arc::from(entity.namespace.as_str()),
                sets,
                identity: self.identity(&entity.id).unwrap_or_default(),
                identity_known: true,
                identity_written: self.written(&entity.id),
                asked: false,
                acted: false,
                days: BTreeSet::new(),
                label: String::new(),
                assigned,
            });
        }
        dormant
    }
}

/// The place where a group's policies are set.
fn group_place(group: &crate::deployment::Group) -> AssignedBy {
    AssignedBy {
        kind: "group".to_owned(),
        namespace: Arc::from(group.namespace.as_str()),
        id: group.key().to_owned(),
        name: group.name.clone(),
        mount: String::new(),
        policies: policies_of(&group.namespace, &group.policies),
        unlisted: false,
    }
}

/// The place where a role's policies are set.
pub(super) fn role_place(role: &AuthRole) -> AssignedBy {
    AssignedBy {
        namespace: Arc::from(role.namespace.as_str()),
        kind: match (role.kind.as_str(), role.item.as_str()) {
            // Groups and users of these are kept apart, and written in another way.
            (kind @ ("ldap" | "okta"), item @ ("group" | "user")) => format!("{kind}-{item}"),
            (kind, _) => kind.to_owned(),
        },
        id: format!("{}{}", role.mount, role.name),
        name: role.name.clone(),
        mount: role.mount.clone(),
        policies: policies_of(&role.namespace, &role.policies),
        unlisted: role.unlisted,
    }
}

/// What a role of the deployment is on the server.
pub(super) fn role_id(role: &AuthRole) -> RoleId {
    RoleId::new(role.namespace.as_str(), role.mount.as_str(), role.name.as_str())
}

/// Policies of these names in that namespace.
pub(super) fn policies_of(namespace: &str, names: &[String]) -> Vec<PolicyId> {
    let namespace: Arc<str> = Arc::from(namespace);
    names
        .iter()
        .map(|name| PolicyId::new(namespace.clone(), name.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::{Held, Space};

    #[test]
    fn a_mount_and_a_role_of_another_namespace_are_others() {
        let deployment: Deployment = serde_json::from_str(
            r#"{"auth_mounts":[{"namespace":"team/","path":"auth/jwt/","kind":"jwt","accessor":"jwt_1","kv_version":null,"description":""}],
            "roles":[{"namespace":"team/","mount":"auth/jwt/","kind":"jwt","item":"role","name":"ci","policies":["ops"]}],
            "namespaces":["team/"]}"#,
        )
        .unwrap();
        let namespaces = Namespaces::default();
        let directory = Directory::new(&deployment, &namespaces, false);
        let login = |namespace: &str, by_login: bool| PolicySet {
            principal: Principal {
                kind: PrincipalKind::Role,
                id: Arc::from("auth/jwt/ci"),
                name: Arc::from("ci"),
                auth_mount: Arc::from("auth/jwt/"),
            },
            held: Arc::new(Held {
                space: Some(Space::Path(Arc::from(namespace))),
                ..Held::named(Arc::from([Arc::from("adm")]))
            }),
            mount: Arc::from("auth/jwt/"),
            role: Arc::from("ci"),
            display_name: Arc::from(""),
            by_login,
            last_seen: None,
            first_seen: None,
        };
        for by_login in [true, false] {
            assert_eq!(directory.mount_of_login(&login("", by_login)), None);
            assert_eq!(
                directory.mount_of_login(&login("team/", by_login)).as_deref(),
                Some("auth/jwt/")
            );
        }
        assert_eq!(directory.unknown_login(&[login("team/", true)]), None);
        assert!(directory.unknown_login(&[login("", true)]).is_some());
    }
}
