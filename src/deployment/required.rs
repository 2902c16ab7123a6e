//! Where servers keep what hands out policies: what a snapshot asks for, the least policy that lets it, and which writes change
//! something of that.

use super::model::{Deployment, Mount};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One kind of thing in an auth method that hands out policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Items {
    /// Type of the auth method.
    pub kind: &'static str,
    /// `role`, `user` or `group`.
    pub item: &'static str,
    /// Path under the mount that lists their names.
    pub list: &'static str,
    /// Path under the mount that holds one, the name to follow.
    pub read: &'static str,
}

const fn items(kind: &'static str, item: &'static str, list: &'static str, read: &'static str) -> Items {
    Items { kind, item, list, read }
}

/// Every auth method whose roles, users or groups can be read.
pub const ITEMS: &[Items] = &[
    items("alicloud", "role", "role", "role"),
    items("approle", "role", "role", "role"),
    items("aws", "role", "roles", "role"),
    items("azure", "role", "role", "role"),
    items("cert", "role", "certs", "certs"),
    items("cf", "role", "roles", "roles"),
    items("gcp", "role", "roles", "role"),
    items("github", "group", "map/teams", "map/teams"),
    items("github", "user", "map/users", "map/users"),
    items("jwt", "role", "role", "role"),
    items("kerberos", "group", "groups", "groups"),
    items("kubernetes", "role", "role", "role"),
    items("ldap", "group", "groups", "groups"),
    items("ldap", "user", "users", "users"),
    items("oci", "role", "role", "role"),
    items("oidc", "role", "role", "role"),
    items("okta", "group", "groups", "groups"),
    items("okta", "user", "users", "users"),
    items("radius", "user", "users", "users"),
    items("saml", "role", "role", "role"),
    items("token", "role", "roles", "roles"),
    items("userpass", "user", "users", "users"),
];

/// Settings of an auth method by which it gives policies to each login at its mount: type, and path under the mount.
const CONFIGS: &[(&str, &str)] = &[
    ("github", "config"),
    ("kerberos", "config/ldap"),
    ("ldap", "config"),
    ("okta", "config"),
    ("radius", "config"),
];

/// The settings of an auth method that give policies to each login.
pub fn configs_of(kind: &str) -> impl Iterator<Item = &'static str> {
    CONFIGS.iter().filter(move |(of, _)| *of == kind).map(|(_, path)| *path)
}

/// The items of an auth method; none for a method that is not known.
pub fn items_of(kind: &str) -> impl Iterator<Item = &'static Items> {
    ITEMS.iter().filter(move |i| i.kind == kind)
}

/// Whether a write at this path sets what something hands out: the path of that thing, or nothing of it where the path does not tell.
#[must_use]
pub fn written_place(path: &str) -> Option<Option<&str>> {
    for kind in [GROUP, ENTITY] {
        if path == kind {
            return Some(None);
        }
        let below = path.strip_prefix(kind).unwrap_or_default();
        if below.starts_with("/id/") || below.starts_with("/name/") {
            return Some(Some(path));
        }
    }
    if !path.starts_with("auth/") {
        return None;
    }
    let named = ITEMS.iter().find_map(|items| {
        let folder = format!("/{}/", items.read);
        let at = path.find(&folder)? + folder.len();
        let (name, rest) = path.get(at..)?.split_once('/').unwrap_or((path.get(at..)?, ""));
        let sets = matches!(rest, "" | "policies" | "token-policies") && !name.is_empty();
        path.get(..at + name.len()).filter(|_| sets)
    });
    let config = || CONFIGS.iter().any(|(_, config)| path.ends_with(&format!("/{config}")));
    // A method that the servers do not bring keeps what it hands out wherever it likes.
    let is_of_others = || !path.split('/').skip(2).any(is_word);
    named.map(Some).or_else(|| (config() || is_of_others()).then_some(None))
}

/// Whether a segment of a path is a word of the auth methods that servers bring: of where they are logged in at, set up and kept, whatever
/// they are mounted at.
fn is_word(segment: &str) -> bool {
    const WORDS: [&str; 40] = [
        "accessors",
        "callback",
        "certs",
        "config",
        "create",
        "create-orphan",
        "crls",
        "custom-secret-id",
        "duo",
        "groups",
        "identity-accesslist",
        "identity-whitelist",
        "labels",
        "login",
        "lookup",
        "lookup-accessor",
        "lookup-self",
        "map",
        "mfa_config",
        "oidc",
        "password",
        "renew",
        "renew-accessor",
        "renew-self",
        "revoke",
        "revoke-accessor",
        "revoke-orphan",
        "revoke-self",
        "role",
        "roles",
        "roletag-blacklist",
        "roletag-denylist",
        "rotate-root",
        "secret-id",
        "service-accounts",
        "sso_service_url",
        "tidy",
        "token",
        "users",
        "verify",
    ];
    WORDS.contains(&segment)
}

/// When the last group, and the last entity, of each namespace was written that a deployment has, by the path at which they are written
/// that the request itself names.
#[must_use]
pub fn last_written(deployment: &Deployment) -> BTreeMap<(String, &'static str), Timestamp> {
    let groups = deployment
        .groups
        .iter()
        .map(|g| (&g.namespace, GROUP, g.last_update_time));
    let entities = deployment
        .entities
        .iter()
        .map(|e| (&e.namespace, ENTITY, e.last_update_time));
    let mut last = BTreeMap::new();
    for (namespace, kind, at) in groups.chain(entities) {
        let known: &mut Option<Timestamp> = last.entry((namespace.clone(), kind)).or_default();
        *known = at.max(*known);
    }
    last.into_iter().filter_map(|(kind, at)| Some((kind, at?))).collect()
}

/// The paths of what a deployment lists that hands out policies, as [`written_place`] has them, in small letters.
pub fn places(deployment: &Deployment) -> impl Iterator<Item = (String, String)> {
    let roles = deployment.roles.iter().flat_map(|role| {
        let items = items_of(&role.kind).filter(|items| items.item == role.item);
        items.map(|items| {
            (
                role.namespace.clone(),
                format!("{}{}/{}", role.mount, items.read, role.name),
            )
        })
    });
    let of = |kind: &'static str, namespace: &str, id: &str, name: &str| {
        [format!("{kind}/id/{id}"), format!("{kind}/name/{name}")].map(|path| (namespace.to_owned(), path))
    };
    let groups = deployment
        .groups
        .iter()
        .flat_map(move |g| of(GROUP, &g.namespace, &g.id, &g.name));
    let entities = deployment
        .entities
        .iter()
        .flat_map(move |e| of(ENTITY, &e.namespace, &e.id, &e.name));
    roles
        .chain(groups)
        .chain(entities)
        .map(|(namespace, path)| (namespace, path.to_lowercase()))
}

/// Path of the list of ACL policies; each is below it.
pub const POLICIES: &str = "sys/policies/acl";
/// Path of the secret engine mounts.
pub const MOUNTS: &str = "sys/mounts";
/// Path of the auth mounts.
pub const AUTH_MOUNTS: &str = "sys/auth";
/// Path of the namespaces directly below.
pub const NAMESPACES: &str = "sys/namespaces";
/// Where entities are written that the request itself names.
const ENTITY: &str = "identity/entity";

/// Where groups are written that the request itself names.
const GROUP: &str = "identity/group";

/// Path of the list of entities; each is below it.
pub const ENTITIES: &str = "identity/entity/id";
/// Path of the list of groups; each is below it.
pub const GROUPS: &str = "identity/group/id";

/// Where the names of a KV mount are listed.
#[must_use]
pub fn kv_list(mount: &Mount) -> String {
    match mount.kv_version {
        Some(2) => format!("{}metadata/", mount.path),
        _ => mount.path.clone(),
    }
}

/// The least policy that a snapshot needs, as HCL. With a deployment at hand it names that server's own mounts, relative to
/// `base` (the namespace that the token works in); without one, every auth mount of one segment in one namespace.
#[must_use]
pub fn required_policy(known: Option<&Deployment>, base: &str, list_secrets: bool) -> String {
    let mut stanzas: BTreeMap<String, &[&str]> = BTreeMap::new();
    match known {
        Some(deployment) => {
            let mut namespaces = vec![base];
            namespaces.extend(deployment.namespaces.iter().map(String::as_str));
            for namespace in namespaces {
                let within = namespace.strip_prefix(base).unwrap_or(namespace);
                fixed(within, &mut stanzas);
                exact(deployment, namespace, within, list_secrets, &mut stanzas);
            }
        }
        None => {
            fixed("", &mut stanzas);
            general(list_secrets, &mut stanzas);
        }
    }
    let mut hcl = String::from("# The least policy that `vault-advisor snapshot` needs. It reads no secret.\n");
    if known.is_none() {
        hcl.push_str(
            "# Auth methods mounted deeper than one segment need stanzas of their own,\n# and so do namespaces below:\n",
        );
        hcl.push_str("# `snapshot` prints the whole policy where it could not read something.\n");
        if list_secrets {
            hcl.push_str("# So do KV version 1 mounts: path \"MOUNT/*\" with the capability \"list\".\n");
        }
    }
    for (path, capabilities) in stanzas {
        let quoted: Vec<String> = capabilities.iter().map(|c| format!("\"{c}\"")).collect();
        // Writing to a string cannot fail.
        let _ = write!(
            hcl,
            "\npath \"{}\" {{\n  capabilities = [{}]\n}}\n",
            path.replace('\\', "\\\\").replace('"', "\\\""),
            quoted.join(", ")
        );
    }
    hcl
}

/// What every namespace has.
fn fixed(within: &str, stanzas: &mut BTreeMap<String, &[&str]>) {
    for (path, capabilities) in [
        (POLICIES.to_owned(), LIST),
        (format!("{POLICIES}/*"), READ),
        (MOUNTS.to_owned(), READ),
        (AUTH_MOUNTS.to_owned(), READ),
        (NAMESPACES.to_owned(), LIST),
        (ENTITIES.to_owned(), LIST),
        (format!("{ENTITIES}/+"), READ),
        (GROUPS.to_owned(), LIST),
        (format!("{GROUPS}/+"), READ),
    ] {
        stanzas.insert(format!("{within}{path}"), capabilities);
    }
}

const LIST: &[&str] = &["list"];
const READ: &[&str] = &["read"];
const BOTH: &[&str] = &["list", "read"];

/// The mounts of one namespace, by their names.
fn exact(
    deployment: &Deployment,
    namespace: &str,
    within: &str,
    list_secrets: bool,
    stanzas: &mut BTreeMap<String, &[&str]>,
) {
    for mount in deployment.auth_mounts.iter().filter(|m| m.namespace == namespace) {
        for items in items_of(&mount.kind) {
            stanzas.insert(format!("{within}{}{}", mount.path, items.list), LIST);
            stanzas.insert(format!("{within}{}{}/+", mount.path, items.read), READ);
        }
        for config in configs_of(&mount.kind) {
            stanzas.insert(format!("{within}{}{config}", mount.path), READ);
        }
    }
    if list_secrets {
        for mount in deployment.mounts.iter().filter(|m| m.namespace == namespace) {
            if mount.kv_version.is_some() {
                stanzas.insert(format!("{within}{}*", kv_list(mount)), LIST);
            }
        }
    }
}

/// Any auth mount of one segment. A list is asked with a slash at the end, which some servers take for one more, empty
/// segment: so `+` after the name serves list and read alike.
fn general(list_secrets: bool, stanzas: &mut BTreeMap<String, &[&str]>) {
    for items in ITEMS {
        stanzas.insert(format!("auth/+/{}/+", items.list), BOTH);
        stanzas.insert(format!("auth/+/{}/+", items.read), BOTH);
    }
    for (_, config) in CONFIGS {
        stanzas.insert(format!("auth/+/{config}"), READ);
    }
    if list_secrets {
        stanzas.insert("+/metadata/*".to_owned(), LIST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(namespace: &str, path: &str, kind: &str, kv_version: Option<u8>) -> Mount {
        Mount {
            namespace: namespace.into(),
            path: path.into(),
            kind: kind.into(),
            accessor: String::new(),
            kv_version,
            description: String::new(),
        }
    }

    #[test]
    fn names_the_mounts_that_are_there_and_no_others() {
        let deployment = Deployment {
            mounts: vec![
                mount("", "secret/", "kv", Some(2)),
                mount("", "old/", "kv", Some(1)),
                mount("", "pki/", "pki", None),
            ],
            auth_mounts: vec![
                mount("", "auth/team/apps/", "approle", None),
                mount("ns/", "auth/aws/", "aws", None),
            ],
            namespaces: vec!["ns/".into()],
            ..Deployment::default()
        };
        let text = required_policy(Some(&deployment), "", false);
        for want in [
            "path \"auth/team/apps/role\" {\n  capabilities = [\"list\"]",
            "path \"auth/team/apps/role/+\" {\n  capabilities = [\"read\"]",
            "path \"ns/auth/aws/roles\"",
            "path \"ns/auth/aws/role/+\"",
            "path \"ns/sys/policies/acl/*\"",
            "path \"sys/policies/acl\"",
        ] {
            assert!(text.contains(want), "{want}\n{text}");
        }
        for not in ["secret/", "old/", "userpass", "sudo", "update"] {
            assert!(!text.contains(not), "{not}\n{text}");
        }
        let text = required_policy(Some(&deployment), "", true);
        assert!(text.contains("path \"secret/metadata/*\" {\n  capabilities = [\"list\"]"));
        assert!(text.contains("path \"old/*\" {\n  capabilities = [\"list\"]"));
        assert!(!text.contains("secret/data"));
    }

    #[test]
    fn what_hands_out_policies_is_known_by_the_path_it_is_written_at() {
        for (path, want) in [
            ("auth/ldap/groups/fin", Some(Some("auth/ldap/groups/fin"))),
            ("auth/team/apps/role/web", Some(Some("auth/team/apps/role/web"))),
            (
                "auth/approle/role/web/token-policies",
                Some(Some("auth/approle/role/web")),
            ),
            ("auth/approle/role/web/secret-id", None),
            ("auth/token/roles/jobs", Some(Some("auth/token/roles/jobs"))),
            ("auth/github/map/teams/dev", Some(Some("auth/github/map/teams/dev"))),
            ("auth/ldap/config", Some(None)),
            ("identity/group", Some(None)),
            ("identity/group/name/fin", Some(Some("identity/group/name/fin"))),
            // Of a method that the servers do not bring.
            ("auth/corp/policy/x", Some(None)),
            ("auth/corp/x", Some(None)),
            ("auth/team/corp/login", None),
            ("auth/token/create/jobs", None),
            ("auth/token/renew-self", None),
            ("auth/aws/identity-accesslist/i-1", None),
            ("auth/kubernetes/login", None),
            ("identity/entity-alias", None),
            ("secret/role/x", None),
            ("sys/auth/ldap", None),
        ] {
            assert_eq!(written_place(path), want, "{path}");
        }
        let deployment = Deployment {
            roles: vec![super::super::parse::role(
                &mount("", "auth/ldap/", "ldap", None),
                "group",
                "Fin",
                &serde_json::Value::Null,
            )],
            ..Deployment::default()
        };
        assert!(places(&deployment).any(|place| place == (String::new(), "auth/ldap/groups/fin".to_owned())));
    }

    #[test]
    fn the_general_policy_only_reads() {
        let text = required_policy(None, "", true);
        assert!(text.contains("path \"auth/+/role/+\" {\n  capabilities = [\"list\", \"read\"]"));
        assert!(text.contains("path \"auth/+/map/teams/+\""));
        for not in ["sudo", "update", "create", "delete", "\"*\""] {
            assert!(!text.contains(not), "{not}");
        }
    }
}
