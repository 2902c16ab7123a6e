//! What a server has besides its policies: mounts, auth roles, entities, groups, and the names of its secrets.

use crate::vault::secret;
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
    /// What was read, as it is kept: each text through [`secret`], as in logs, so that what the two say of one is the same; and the names
    /// of policies as tokens carry them. Servers keep those as they were written, and read them in small letters and without blanks at
    /// their ends.
    #[must_use]
    pub fn as_kept(self) -> Self {
        self.without_secrets().with_names_of_tokens()
    }

    /// People put tokens where they do not belong: names, metadata, paths.
    pub(super) fn without_secrets(self) -> Self {
        let Self {
            mounts,
            auth_mounts,
            roles,
            entities,
            groups,
            secrets,
            namespaces,
            policies,
            unread,
            as_of,
            lists_entities,
            left_out,
        } = self;
        let of_namespace =
            |(namespace, policies): (String, BTreeSet<String>)| (identity(namespace), names_of_policies(policies));
        Self {
            mounts: mounts.into_iter().map(Mount::without_secrets).collect(),
            auth_mounts: auth_mounts.into_iter().map(Mount::without_secrets).collect(),
            roles: roles.into_iter().map(AuthRole::without_secrets).collect(),
            entities: entities.into_iter().map(Entity::without_secrets).collect(),
            groups: groups.into_iter().map(Group::without_secrets).collect(),
            secrets: secrets
                .into_iter()
                .map(|path| secret::path(&path).into_owned())
                .collect(),
            namespaces: identities(namespaces),
            policies: policies.into_iter().map(of_namespace).collect(),
            unread: unread.iter().map(|said| secret::words(said)).collect(),
            as_of,
            lists_entities,
            left_out: left_out.iter().map(|said| secret::words(said)).collect(),
        }
    }

    fn with_names_of_tokens(mut self) -> Self {
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

/// What somebody or something is known by, without the token that may stand in it.
fn identity(text: String) -> String {
    secret::identity(text.into()).into_owned()
}

fn identities(texts: Vec<String>) -> Vec<String> {
    texts.into_iter().map(identity).collect()
}

fn names_of_policies<C: FromIterator<String>>(names: impl IntoIterator<Item = String>) -> C {
    let names = names.into_iter();
    names.map(|name| secret::policy(name.into()).into_owned()).collect()
}

fn metadata(table: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let pair = |(key, value)| (identity(key), identity(value));
    table.into_iter().map(pair).collect()
}

impl Mount {
    fn without_secrets(self) -> Self {
        Self {
            namespace: identity(self.namespace),
            path: identity(self.path),
            kind: identity(self.kind),
            accessor: identity(self.accessor),
            kv_version: self.kv_version,
            description: secret::words(&self.description),
        }
    }
}

impl AuthRole {
    fn without_secrets(self) -> Self {
        Self {
            namespace: identity(self.namespace),
            mount: identity(self.mount),
            kind: identity(self.kind),
            item: identity(self.item),
            name: identity(self.name),
            policies: names_of_policies(self.policies),
            unlisted: self.unlisted,
            no_default_policy: self.no_default_policy,
            allowed_policies: names_of_policies(self.allowed_policies),
        }
    }
}

impl Entity {
    fn without_secrets(self) -> Self {
        Self {
            namespace: identity(self.namespace),
            id: identity(self.id),
            name: identity(self.name),
            policies: names_of_policies(self.policies),
            metadata: metadata(self.metadata),
            aliases: self.aliases.into_iter().map(Alias::without_secrets).collect(),
            disabled: self.disabled,
            last_update_time: self.last_update_time,
        }
    }
}

impl Alias {
    fn without_secrets(self) -> Self {
        Self {
            id: identity(self.id),
            name: identity(self.name),
            mount_accessor: identity(self.mount_accessor),
            metadata: metadata(self.metadata),
            custom_metadata: metadata(self.custom_metadata),
        }
    }
}

impl Group {
    fn without_secrets(self) -> Self {
        Self {
            namespace: identity(self.namespace),
            id: identity(self.id),
            name: identity(self.name),
            policies: names_of_policies(self.policies),
            member_entities: identities(self.member_entities),
            member_groups: identities(self.member_groups),
            metadata: metadata(self.metadata),
            external: self.external,
            last_update_time: self.last_update_time,
        }
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
