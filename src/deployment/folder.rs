//! Reads a deployment: the folder that `snapshot` writes (one JSON file a kind), or one `deployment.json` of the older,
//! hand-exported shape (`mounts`, `auth`, `approle`, `userpass`, `groups`, `secrets`).

use super::mark::{MARK, Mark};
use super::model::{Alias, AuthRole, Deployment, Entity, Group, Mount, both};
use super::snapshot::Missing;
use crate::hint::Hint;
use crate::vault::path;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// File names in a deployment folder; each holds a JSON array of the kind's records. Policies are beside them in `policies/`.
pub mod files {
    /// Secret engine mounts ([`super::Mount`]).
    pub const MOUNTS: &str = "mounts.json";
    /// Auth method mounts ([`super::Mount`]).
    pub const AUTH_MOUNTS: &str = "auth.json";
    /// Auth roles, users, groups and token roles ([`super::AuthRole`]).
    pub const ROLES: &str = "roles.json";
    /// Identity entities ([`super::Entity`]).
    pub const ENTITIES: &str = "entities.json";
    /// Identity groups ([`super::Group`]).
    pub const GROUPS: &str = "groups.json";
    /// Request paths of known secrets (strings).
    pub const SECRETS: &str = "secrets.json";
    /// Namespaces (strings).
    pub const NAMESPACES: &str = "namespaces.json";
    /// The folder of policies.
    pub const POLICIES: &str = "policies";
}

/// Why a deployment could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// A file could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is not the JSON it should be.
    #[error("`{}` is not a deployment file: {why}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Why, with its place.
        why: String,
    },
    /// A file is JSON that says nothing of a deployment.
    #[error("`{}` says nothing of a deployment: {why}", path.display())]
    Strange {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        why: String,
    },
    /// Nothing that belongs to a deployment was found.
    #[error(
        "`{}` holds no deployment: expected `mounts.json`, `roles.json`, `entities.json` or another file that `snapshot` writes, or a `deployment.json`",
        path.display()
    )]
    Empty {
        /// The folder.
        path: PathBuf,
    },
}

impl Hint for DeploymentError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(
            "`vault-advisor snapshot --out DIR` writes a deployment folder",
        ))
    }
}

/// Reads a deployment folder or file.
///
/// # Errors
/// When the place can't be read, holds no deployment, or a file in it is malformed (the file and place are named).
pub fn read(place: &Path) -> Result<Deployment, DeploymentError> {
    if place.is_file() {
        return read_file(place);
    }
    let single = place.join("deployment.json");
    if single.is_file() {
        return read_file(&single);
    }
    fs::read_dir(place).map_err(|source| DeploymentError::Read {
        path: place.to_path_buf(),
        source,
    })?;
    let mark = mark(place)?;
    let mut parts = Parts {
        folder: place,
        found: false,
        strange: BTreeSet::new(),
    };
    let deployment = Deployment {
        mounts: parts.list(files::MOUNTS, &["path", "kind"])?,
        auth_mounts: parts.list(files::AUTH_MOUNTS, &["path", "kind"])?,
        roles: parts.list(files::ROLES, &["mount", "name"])?,
        entities: parts.list(files::ENTITIES, &["id"])?,
        groups: parts.list(files::GROUPS, &["id"])?,
        secrets: parts.list(files::SECRETS, &[])?,
        namespaces: parts.list(files::NAMESPACES, &[])?,
        unread: mark.as_ref().map(unread).unwrap_or_default(),
        lists_entities: place.join(files::ENTITIES).exists(),
        as_of: mark.as_ref().and_then(|mark| mark.taken),
        policies: mark.as_ref().map(|mark| mark.policies.clone()).unwrap_or_default(),
        left_out: Vec::new(),
    };
    if parts.found {
        // A snapshot names itself what it could not read, and writes each file even if nothing is in it.
        let lacking = [files::AUTH_MOUNTS, files::ROLES, files::ENTITIES, files::GROUPS]
            .into_iter()
            .filter(|name| !place.join(name).exists());
        let lacking = parts
            .strange
            .into_iter()
            .chain(lacking.map(|name| format!("`{name}`")))
            .collect();
        Ok(if mark.is_some() {
            deployment
        } else {
            left_out(deployment, lacking)
        }
        .as_kept())
    } else {
        Err(DeploymentError::Empty {
            path: place.to_path_buf(),
        })
    }
}

/// A deployment that is no snapshot, with what hands out policies and is not in it: what is `lacking`, and the roles of auth methods
/// of which there is none.
fn left_out(mut deployment: Deployment, lacking: Vec<String>) -> Deployment {
    let has_roles = |mount: &&Mount| {
        let mut roles = deployment.roles.iter();
        mount.kind == "token" || roles.any(|role| role.namespace == mount.namespace && role.mount == mount.path)
    };
    let without = deployment.auth_mounts.iter().filter(|mount| !has_roles(mount));
    let without = without.map(|mount| format!("the roles of `{}{}`", mount.namespace, mount.path));
    deployment.left_out = lacking.into_iter().chain(without).collect();
    deployment
}

/// The mark of a snapshot; none where it is none.
fn mark(folder: &Path) -> Result<Option<Mark>, DeploymentError> {
    let path = folder.join(MARK);
    if !path.exists() {
        return Ok(None);
    }
    parse(&path, &bytes(&path)?).map(Some)
}

/// What a snapshot could not read of the things that hand out policies. Secrets and mounts hand out none.
fn unread(mark: &Mark) -> Vec<String> {
    let hands_out = |missing: &&Missing| {
        ["auth/", "identity/", "sys/auth", "sys/namespaces"]
            .iter()
            .any(|start| missing.path.starts_with(start))
    };
    let unread = mark.missing.iter().filter(hands_out);
    unread
        .map(|m| format!("{} {}{} ({})", m.capability, m.namespace, m.path, m.reason))
        .collect()
}

/// The files of a folder, as they are read.
struct Parts<'a> {
    folder: &'a Path,
    /// Whether any is there.
    found: bool,
    /// What says who has which policies, and is not read.
    strange: BTreeSet<String>,
}

impl Parts<'_> {
    /// A list of records, each of which has to have `keys`: one without them is about something else.
    fn list<T: DeserializeOwned>(&mut self, name: &str, keys: &[&str]) -> Result<Vec<T>, DeploymentError> {
        let path = self.folder.join(name);
        if !path.exists() {
            return Ok(Vec::new());
        }
        self.found = true;
        let bytes = bytes(&path)?;
        if !keys.is_empty() {
            let records: Vec<Keys> = parse(&path, &bytes)?;
            for (n, record) in records.iter().enumerate() {
                if let Some(lacks) = keys.iter().find(|key| !record.contains_key(**key)) {
                    return Err(DeploymentError::Strange {
                        path,
                        why: format!("record {} has no `{lacks}`", n + 1),
                    });
                }
                self.strange.extend(strange(record).map(|key| said_in(name, key)));
            }
        }
        parse(&path, &bytes)
    }
}

/// The keys of a record that say who has which policies, and are not read.
fn strange(record: &Keys) -> impl Iterator<Item = &str> {
    const READ: [&str; 8] = [
        "policies",
        "token_policies",
        "allowed_policies",
        "members",
        "member_entities",
        "member_entity_ids",
        "member_groups",
        "member_group_ids",
    ];
    // What must not be handed out, hands out nothing.
    let told = record.iter().filter(|(key, value)| {
        let says = key.contains("policies") || key.contains("member");
        value.is_some() && says && !key.starts_with("disallowed") && !READ.contains(&key.as_str())
    });
    told.map(|(key, _)| key.as_str())
}

fn said_in(place: &str, key: &str) -> String {
    format!("what `{place}` says in `{key}`")
}

/// The keys of an object; none where it says `null`.
type Keys = BTreeMap<String, Option<IgnoredAny>>;

/// The most that a file of a deployment may have.
const MAX_BYTES: usize = 1 << 30;

fn bytes(path: &Path) -> Result<Vec<u8>, DeploymentError> {
    crate::files::read_named(path, MAX_BYTES).map_err(|source| DeploymentError::Read {
        path: path.to_path_buf(),
        source,
    })
}

fn parse<'a, T: Deserialize<'a>>(path: &Path, bytes: &'a [u8]) -> Result<T, DeploymentError> {
    serde_json::from_slice(bytes).map_err(|error| DeploymentError::Json {
        path: path.to_path_buf(),
        why: crate::files::json_fault(&error),
    })
}

fn read_file(path: &Path) -> Result<Deployment, DeploymentError> {
    let bytes = bytes(path)?;
    let said: Keys = parse(path, &bytes)?;
    if !said.keys().any(|key| EXPORTED.contains(&key.as_str())) {
        return Err(DeploymentError::Strange {
            path: path.to_path_buf(),
            why: format!("it has none of {}", EXPORTED.map(|key| format!("`{key}`")).join(", ")),
        });
    }
    let exported: Exported = parse(path, &bytes)?;
    let inside = exported.strange();
    // What it says under another name is not read, and may be about anybody.
    let strange = said.keys().filter(|key| !EXPORTED.contains(&key.as_str()));
    let strange = strange.map(|key| format!("what it says in `{key}`"));
    let lacking = ["auth", "groups"].into_iter().filter(|key| !said.contains_key(*key));
    let lacking = strange
        .chain(inside)
        .chain(lacking.map(|key| format!("`{key}`")))
        .collect();
    Ok(left_out(exported.into_deployment(), lacking).as_kept())
}

/// The keys of [`Exported`].
const EXPORTED: [&str; 6] = ["mounts", "auth", "approle", "userpass", "groups", "secrets"];

/// The hand-exported shape: server answers keyed by path or name.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Exported {
    mounts: BTreeMap<String, ExportedMount>,
    auth: BTreeMap<String, ExportedMount>,
    approle: BTreeMap<String, ExportedRole>,
    userpass: BTreeMap<String, ExportedUser>,
    groups: BTreeMap<String, ExportedGroup>,
    secrets: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ExportedMount {
    #[serde(rename = "type")]
    kind: String,
    accessor: String,
    description: String,
    options: Option<Map<String, Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ExportedRole {
    policies: Option<Vec<String>>,
    token_policies: Option<Vec<String>>,
    #[serde(flatten)]
    rest: Keys,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ExportedUser {
    entity_id: String,
    policies: Option<Vec<String>>,
    token_policies: Option<Vec<String>>,
    metadata: BTreeMap<String, String>,
    #[serde(flatten)]
    rest: Keys,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ExportedGroup {
    #[serde(flatten)]
    group: Group,
    members: Option<Vec<String>>,
    #[serde(flatten)]
    rest: Keys,
}

/// What is handed out at a login, in whichever words it is told; none where it is told in none.
fn handed_out(policies: Option<Vec<String>>, token_policies: Option<Vec<String>>) -> Option<Vec<String>> {
    let told = policies.is_some() || token_policies.is_some();
    told.then(|| both(policies.unwrap_or_default(), token_policies.unwrap_or_default()))
}

impl Exported {
    /// What its records say of who has which policies, and is not read.
    fn strange(&self) -> BTreeSet<String> {
        let roles = self.approle.values().map(|role| ("approle", &role.rest));
        let users = self.userpass.values().map(|user| ("userpass", &user.rest));
        let groups = self.groups.values().map(|group| ("groups", &group.rest));
        let all = roles.chain(users).chain(groups);
        all.flat_map(|(place, rest)| strange(rest).map(move |key| said_in(place, key)))
            .collect()
    }

    fn into_deployment(self) -> Deployment {
        let mounts: Vec<Mount> = self.mounts.into_iter().map(|(p, m)| m.into_mount(&p, "")).collect();
        let auth_mounts: Vec<Mount> = self.auth.into_iter().map(|(p, m)| m.into_mount(&p, "auth/")).collect();
        let userpass = auth_mounts.iter().find(|m| m.kind == "userpass");
        let userpass_path = userpass.map_or("auth/userpass/", |m| m.path.as_str()).to_owned();
        let userpass_accessor = userpass.map(|m| m.accessor.clone()).unwrap_or_default();
        let approle_path = auth_mounts
            .iter()
            .find(|m| m.kind == "approle")
            .map_or("auth/approle/", |m| m.path.as_str())
            .to_owned();
        let mut roles: Vec<AuthRole> = self
            .approle
            .into_iter()
            .map(|(name, r)| {
                let policies = handed_out(r.policies, r.token_policies);
                auth_role(&approle_path, "approle", "role", name, policies)
            })
            .collect();
        let mut entities = Vec::new();
        for (name, user) in self.userpass {
            roles.push(auth_role(
                &userpass_path,
                "userpass",
                "user",
                name.clone(),
                handed_out(user.policies, user.token_policies),
            ));
            if !user.entity_id.is_empty() {
                entities.push(Entity {
                    id: user.entity_id,
                    name: name.clone(),
                    metadata: user.metadata,
                    aliases: vec![Alias {
                        name,
                        mount_accessor: userpass_accessor.clone(),
                        ..Alias::default()
                    }],
                    ..Entity::default()
                });
            }
        }
        let groups = self
            .groups
            .into_iter()
            .map(|(name, told)| Group {
                name,
                namespace: String::new(),
                member_entities: both(told.members.unwrap_or_default(), told.group.member_entities),
                ..told.group
            })
            .collect();
        let secrets = self.secrets.iter().flat_map(|s| secret_paths(&mounts, s)).collect();
        Deployment {
            as_of: None,
            lists_entities: false,
            mounts,
            auth_mounts,
            roles,
            entities,
            groups,
            secrets,
            namespaces: Vec::new(),
            unread: Vec::new(),
            policies: BTreeMap::new(),
            left_out: Vec::new(),
        }
    }
}

impl ExportedMount {
    fn into_mount(self, at: &str, prefix: &str) -> Mount {
        let kv_version = (self.kind == "kv" || self.kind == "generic").then(|| {
            let version = self
                .options
                .as_ref()
                .and_then(|o| o.get("version"))
                .and_then(Value::as_str);
            if version == Some("2") { 2 } else { 1 }
        });
        Mount {
            namespace: String::new(),
            path: format!("{prefix}{}", path::namespace(at)),
            kind: self.kind,
            accessor: self.accessor,
            kv_version,
            description: self.description,
        }
    }
}

fn auth_role(mount: &str, kind: &str, item: &str, name: String, policies: Option<Vec<String>>) -> AuthRole {
    AuthRole {
        namespace: String::new(),
        mount: mount.to_owned(),
        kind: kind.to_owned(),
        item: item.to_owned(),
        name,
        unlisted: policies.is_none(),
        policies: policies.unwrap_or_default(),
        no_default_policy: false,
        allowed_policies: Vec::new(),
    }
}

/// Request paths of one exported secret name: as it is when it begins with a mount, else under the mount `secret/`.
fn secret_paths(mounts: &[Mount], name: &str) -> Vec<String> {
    let owner = mounts
        .iter()
        .filter(|m| m.kv_version.is_some() && name.starts_with(&m.path))
        .max_by_key(|m| m.path.len());
    let (mount, rest) = match owner {
        Some(m) => (m, name.strip_prefix(&m.path).unwrap_or(name)),
        None => match mounts.iter().find(|m| m.path == "secret/") {
            Some(m) => (m, name),
            None => return vec![name.to_owned()],
        },
    };
    match mount.kv_version {
        Some(2) => vec![format!("{}data/{rest}", mount.path)],
        _ => vec![format!("{}{rest}", mount.path)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_snapshot_could_not_read_is_known() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(files::ROLES), "[]").unwrap();
        assert_eq!(read(dir.path()).unwrap().unread, [""; 0]);
        let missing = |path: &str| Missing {
            namespace: "ns/".to_owned(),
            path: path.to_owned(),
            capability: "list".to_owned(),
            reason: "denied".to_owned(),
            count: 1,
        };
        let mark = Mark {
            layout: 1,
            product: None,
            version: None,
            taken: None,
            secrets_listed: true,
            policies: BTreeMap::new(),
            template_switches: Vec::new(),
            missing: vec![missing("auth/approle/role"), missing("secret/metadata")],
            long_names: BTreeMap::new(),
        };
        std::fs::write(dir.path().join(MARK), serde_json::to_vec(&mark).unwrap()).unwrap();
        assert_eq!(read(dir.path()).unwrap().unread, ["list ns/auth/approle/role (denied)"]);
    }

    #[test]
    fn a_group_is_external_as_it_is_told() {
        for (said, external) in [
            (r#""external":true"#, true),
            (r#""type":"external""#, true),
            (r#""type":"internal""#, false),
            (r#""name":"g""#, false),
        ] {
            let group: Group = serde_json::from_str(&format!("{{\"id\":\"g\",{said}}}")).unwrap();
            assert_eq!(group.external, external, "{said}");
        }
    }

    #[test]
    fn members_are_read_in_the_words_of_servers_and_what_else_says_who_has_what_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let groups = r#"[{"id":"g","member_entity_ids":["e1"],"member_group_ids":["h"],"parent_group_ids":["x"],"metadata":null},
            {"id":"h","policies":null,"member_entities":["e2"],"member_entity_ids":["e2","e3"],"member_group_ids":null,"memberships":["x"]}]"#;
        fs::write(folder.path().join("groups.json"), groups).unwrap();
        let roles = r#"[{"namespace":"","mount":"auth/a/","kind":"token","item":"role","name":"r","policies":[],"allowed_policies_glob":["t*"],"disallowed_policies":["x"]}]"#;
        fs::write(folder.path().join("roles.json"), roles).unwrap();
        let d = read(folder.path()).unwrap();
        assert_eq!(
            (&*d.groups[0].member_entities, &*d.groups[0].member_groups),
            (&["e1".to_owned()][..], &["h".to_owned()][..])
        );
        assert_eq!(d.groups[1].member_entities, ["e2", "e3"]);
        let strange: Vec<&str> = d
            .left_out
            .iter()
            .map(String::as_str)
            .filter(|what| what.contains("says"))
            .collect();
        assert_eq!(
            strange,
            [
                "what `groups.json` says in `memberships`",
                "what `roles.json` says in `allowed_policies_glob`"
            ]
        );
        let text = r#"{"auth":{},"approle":{"web":{"token_policies":["a"],"policies":["a","b"],"x_policies":["c"]}},
            "userpass":{"ann":{"token_policies":["u"]}},"groups":{"g":{"members":["e1"],"member_entity_ids":["e2"],"member_group_ids":["h"]}}}"#;
        fs::write(folder.path().join("deployment.json"), text).unwrap();
        let d = read(folder.path()).unwrap();
        assert_eq!(
            (&*d.roles[0].policies, &*d.roles[1].policies),
            (&["a".to_owned(), "b".to_owned()][..], &["u".to_owned()][..])
        );
        assert_eq!(
            (&*d.groups[0].member_entities, &*d.groups[0].member_groups),
            (&["e1".to_owned(), "e2".to_owned()][..], &["h".to_owned()][..])
        );
        assert_eq!(d.left_out, ["what `approle` says in `x_policies`"]);
    }

    #[test]
    fn reads_the_exported_shape() {
        let text = r#"{"mounts":{"secret/":{"type":"kv","accessor":"kv_1","options":{"version":"2"}},"kv1/":{"type":"kv","options":{"version":"1"}}},
            "auth":{"userpass/":{"type":"userpass","accessor":"up_1"}},
            "approle":{"web":{"policies":["team-web"],"team":"x"}},
            "userpass":{"ann":{"entity_id":"e-1"}},
            "groups":{"g":{"policies":["p"],"members":["e-1"],"type":"external"}},
            "secrets":["prod/a","kv1/b"]}"#;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("deployment.json"), text).unwrap();
        let d = read(folder.path()).unwrap();
        assert_eq!(d.secrets, ["secret/data/prod/a", "kv1/b"]);
        assert_eq!(d.entities[0].aliases[0].mount_accessor, "up_1");
        assert_eq!(d.roles.len(), 2);
        assert_eq!(d.auth_mounts[0].path, "auth/userpass/");
        assert_eq!(d.groups[0].member_entities, ["e-1"]);
        assert!(d.groups[0].external);
    }

    #[test]
    fn names_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(folder.path()), Err(DeploymentError::Empty { .. })));
        fs::write(folder.path().join("roles.json"), "[1]").unwrap();
        let error = read(folder.path()).unwrap_err();
        assert!(error.to_string().contains("roles.json"), "{error}");
        fs::write(folder.path().join("roles.json"), "[]").unwrap();
        fs::write(folder.path().join("groups.json"), r#"[{"id":"g"},{"x":1}]"#).unwrap();
        let error = read(folder.path()).unwrap_err();
        assert!(error.to_string().ends_with("record 2 has no `id`"), "{error}");
        let single = folder.path().join("deployment.json");
        fs::write(&single, r#"{"x":1}"#).unwrap();
        for place in [folder.path(), &single] {
            let error = read(place).unwrap_err();
            assert!(error.to_string().contains("says nothing of a deployment"), "{error}");
        }
        fs::write(&single, r#""hvs.secret""#).unwrap();
        assert!(!read(&single).unwrap_err().to_string().contains("secret"));
        assert!(read(&folder.path().join("none")).is_err());
    }
}
