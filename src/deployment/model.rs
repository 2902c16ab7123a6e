//! What a server has besides its policies: mounts, auth roles, entities, groups, and the names of its secrets.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A snapshot of a deployment, or what is known of one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deployment {
    /// Secret engine mounts.
    pub mounts: Vec<Mount>,
    /// Auth method mounts (`auth/NAME/`).
    pub auth_mounts: Vec<Mount>,
    /// Roles, users and groups of auth methods, and token roles: whatever hands out policies at login.
    pub roles: Vec<AuthRole>,
    /// Identity entities.
    pub entities: Vec<Entity>,
    /// Identity groups.
    pub groups: Vec<Group>,
    /// Request paths of secrets known to exist (`secret/data/a/b`, `kv1/a`), namespace included.
    pub secrets: Vec<String>,
    /// Namespaces besides root, in the form `a/b/`.
    pub namespaces: Vec<String>,
    /// Names of the policies that the server has, by namespace, where all of them were listed: others that something names do not exist.
    pub policies: BTreeMap<String, BTreeSet<String>>,
    /// What hands out policies and could not be read, as `read auth/approle/role/+ (denied)`: what is there is not known.
    pub unread: Vec<String>,
    /// The time that it is of, by the clock of the server: what was written later may be otherwise.
    pub as_of: Option<Timestamp>,
    /// Whether it has all entities and namespaces, as far as whoever made it knew.
    pub lists_entities: bool,
    /// What hands out policies and was left out by whoever exported it, as `roles of auth/kubernetes/`.
    pub left_out: Vec<String>,
}

/// A mounted engine or auth method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Namespace, `""` or `a/`.
    pub namespace: String,
    /// Path with trailing slash, without the namespace; auth mounts begin with `auth/`.
    pub path: String,
    /// Type: `kv`, `pki`, `approle`, ...
    pub kind: String,
    /// Mount accessor.
    pub accessor: String,
    /// KV version, where the type is `kv`.
    pub kv_version: Option<u8>,
    /// The human's description.
    pub description: String,
}

/// Something of an auth method that hands out policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthRole {
    /// Namespace, `""` or `a/`.
    pub namespace: String,
    /// Auth mount path, `auth/approle/`.
    pub mount: String,
    /// Type of the auth method: `approle`, `userpass`, `token`, ...
    pub kind: String,
    /// `role`, `user`, `group` (LDAP), or `config`: what the method gives to each login at its mount.
    pub item: String,
    /// Name.
    pub name: String,
    /// Policies its tokens get, `default` not included unless named.
    pub policies: Vec<String>,
    /// Whether the record leaves its policies out, so that a log has to tell them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlisted: bool,
    /// Whether its tokens go without `default`.
    #[serde(default)]
    pub no_default_policy: bool,
    #[serde(default)]
    /// For token roles: policies it may hand out besides (globs as the server has them).
    pub allowed_policies: Vec<String>,
}

impl AuthRole {
    /// Whether somebody logs in by it. Groups and settings of a method give something besides, a token role what its caller asks for.
    #[must_use]
    pub fn is_login(&self) -> bool {
        !self.is_besides() && self.kind != "token"
    }

    /// Whether it gives something besides to those who log in at its mount.
    #[must_use]
    pub fn is_besides(&self) -> bool {
        matches!(self.item.as_str(), "group" | "config")
    }
}

impl Group {
    /// What it is known by: its id, or its name where an export has none.
    #[must_use]
    pub fn key(&self) -> &str {
        if self.id.is_empty() { &self.name } else { &self.id }
    }
}

impl Deployment {
    /// Names of policies as tokens carry them: servers keep them as they were written, and read them in small letters and without
    /// blanks at their ends.
    #[must_use]
    pub fn as_tokens_name_them(mut self) -> Self {
        let roles = self
            .roles
            .iter_mut()
            .flat_map(|role| [&mut role.policies, &mut role.allowed_policies]);
        let entities = self.entities.iter_mut().map(|entity| &mut entity.policies);
        let groups = self.groups.iter_mut().map(|group| &mut group.policies);
        for names in roles.chain(entities).chain(groups) {
            for name in names.iter_mut() {
                *name = crate::vault::name::policy(name);
            }
            names.retain(|name| !name.is_empty());
            names.sort();
            names.dedup();
        }
        self
    }
}

/// An identity entity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entity {
    /// Namespace, `""` or `a/`.
    pub namespace: String,
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Policies attached to the entity itself.
    pub policies: Vec<String>,
    /// Metadata.
    pub metadata: BTreeMap<String, String>,
    /// Aliases.
    pub aliases: Vec<Alias>,
    /// Whether it is disabled.
    pub disabled: bool,
    /// When the server last wrote it: what was written before that is in a deployment with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_update_time: Option<Timestamp>,
}

/// An alias of an entity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Alias {
    /// Id.
    pub id: String,
    /// Name at the auth method.
    pub name: String,
    /// Accessor of the auth mount.
    pub mount_accessor: String,
    /// Metadata set by the auth method.
    pub metadata: BTreeMap<String, String>,
    /// Metadata set by people.
    pub custom_metadata: BTreeMap<String, String>,
}

/// `true`, or the word of servers.
#[derive(Deserialize)]
#[serde(untagged)]
enum External {
    Flag(bool),
    Word(String),
}

/// A group as it is told: in the words of a snapshot, or in those of servers, which leave out what is empty by `null`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ToldGroup {
    namespace: Option<String>,
    id: Option<String>,
    name: Option<String>,
    policies: Option<Vec<String>>,
    member_entities: Option<Vec<String>>,
    member_entity_ids: Option<Vec<String>>,
    member_groups: Option<Vec<String>>,
    member_group_ids: Option<Vec<String>>,
    metadata: Option<BTreeMap<String, String>>,
    #[serde(alias = "type")]
    external: Option<External>,
    last_update_time: Option<Timestamp>,
}

impl From<ToldGroup> for Group {
    fn from(told: ToldGroup) -> Self {
        let list = Option::unwrap_or_default;
        Self {
            namespace: told.namespace.unwrap_or_default(),
            id: told.id.unwrap_or_default(),
            name: told.name.unwrap_or_default(),
            policies: list(told.policies),
            member_entities: both(list(told.member_entities), list(told.member_entity_ids)),
            member_groups: both(list(told.member_groups), list(told.member_group_ids)),
            metadata: told.metadata.unwrap_or_default(),
            external: match told.external {
                None => false,
                Some(External::Flag(external)) => external,
                Some(External::Word(word)) => word == "external",
            },
            last_update_time: told.last_update_time,
        }
    }
}

/// What is told in one list or another, each once.
pub(super) fn both(one: Vec<String>, other: Vec<String>) -> Vec<String> {
    if one.is_empty() || other.is_empty() {
        return [one, other].concat();
    }
    let all: BTreeSet<String> = one.into_iter().chain(other).collect();
    all.into_iter().collect()
}

/// An identity group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ToldGroup")]
pub struct Group {
    /// Namespace, `""` or `a/`.
    pub namespace: String,
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Policies.
    pub policies: Vec<String>,
    /// Member entity ids.
    pub member_entities: Vec<String>,
    /// Member group ids.
    pub member_groups: Vec<String>,
    /// Metadata.
    pub metadata: BTreeMap<String, String>,
    /// Whether membership comes from an auth method; servers call the `type` so.
    pub external: bool,
    /// When the server last wrote it, as [`Entity::last_update_time`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_update_time: Option<Timestamp>,
}
