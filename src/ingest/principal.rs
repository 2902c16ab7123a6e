//! Who asks: the meaning of an entry's `auth` object.
//!
//! What joins is what the server vouches for: the entity id, and the role of a login at its mount. The metadata of a child
//! token are whatever its maker wrote, and those of an AppRole's secret id too, but for `role_name`, which the server sets last.

use super::scan::{self, Members};
use super::text::decode;
use crate::usage::GroupBy;
use crate::usage::auth::Auth;
use crate::usage::held::{Held, Placed, Space};
use crate::vault::{PrincipalKind, path, secret};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Metadata that name a role or a user of an auth method, the best first.
const ROLE_KEYS: [&str; 10] = [
    "role_name",
    "role",
    "username",
    "service_account_name",
    "cert_name",
    "common_name",
    "user",
    "email",
    "org",
    "account_id",
];

/// Metadata that a person would call the principal by, the best first.
const NAME_KEYS: [&str; 9] = [
    "role_name",
    "username",
    "role",
    "service_account_name",
    "common_name",
    "cert_name",
    "user",
    "email",
    "name",
];

/// What somebody is called of whom the log has no name.
const SOMEBODY: &str = "(not named)";

/// What an `auth` object says.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    entity_id: String,
    display_name: String,
    accessor: String,
    /// Whether something shows that a token was there.
    shows_a_token: bool,
    /// Policies of the token's own namespace.
    policies: Vec<String>,
    /// Whether there is the list of all of them, be it empty. Those of the token and those of the identity are each a part of it.
    listed: bool,
    /// Policies of other namespaces: id of the namespace, and name.
    external: Vec<(String, String)>,
    /// The policies that allowed the request.
    granting: Vec<Granting>,
    metadata: BTreeMap<String, String>,
    /// What `policy_results` says, where there is one.
    pub allowed: Option<bool>,
}

/// A policy that allowed a request, as `policy_results` names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Granting {
    name: String,
    namespace_id: String,
    namespace_path: String,
}

/// The request that an `auth` object came with, or the login that made it.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// Accessor of the token, as the request says it.
    pub accessor: &'a str,
    /// Namespace of the request.
    pub namespace: &'a str,
    /// The mount of a login that this is the token of: the token lives in the namespace of the request then.
    pub login: Option<&'a str>,
}

impl Facts {
    /// Reads an `auth` object; what is odd in it counts as absent.
    #[must_use]
    pub fn of(raw: &[u8]) -> Self {
        let mut facts = Self::default();
        for (key, value) in members(raw) {
            match &*key {
                "entity_id" => facts.entity_id = text(value),
                "display_name" => facts.display_name = text(value),
                "accessor" => facts.accessor = text(value),
                "policies" | "token_policies" | "identity_policies" => {
                    facts.listed |= key == "policies" && value.first() == Some(&b'[');
                    facts.policies.extend(texts(value));
                }
                "client_token" => facts.shows_a_token |= !text(value).is_empty(),
                "token_type" => facts.shows_a_token |= !matches!(&*text(value), "" | "default"),
                "external_namespace_policies" => {
                    for (namespace, policies) in members(value) {
                        let named = texts(policies).map(|policy| (namespace.to_string(), policy));
                        facts.external.extend(named);
                    }
                }
                "metadata" => {
                    let pairs = members(value).map(|(k, v)| (k.into_owned(), text(v)));
                    facts.metadata = pairs.filter(|(_, v)| !v.is_empty()).collect();
                }
                "policy_results" => {
                    for (key, value) in members(value) {
                        if key == "allowed" {
                            facts.allowed = match value {
                                b"true" => Some(true),
                                b"false" => Some(false),
                                _ => None,
                            };
                        } else if key == "granting_policies" {
                            facts.granting = objects(value).filter_map(granting).collect();
                        }
                    }
                }
                _ => {}
            }
        }
        facts.policies.sort_unstable();
        facts.policies.dedup();
        facts.external.sort_unstable();
        facts.external.dedup();
        facts
    }

    /// The namespaces that it names by id and path together.
    pub fn namespaces(&self) -> impl Iterator<Item = (&str, &str)> {
        let granting = self.granting.iter();
        granting.map(|policy| (&*policy.namespace_id, &*policy.namespace_path))
    }

    /// Whether a policy that granted is one of another namespace, by the list of those.
    fn is_external(&self, policy: &Granting) -> bool {
        let mut external = self.external.iter();
        external.any(|(id, name)| *id == policy.namespace_id && *name == policy.name)
    }

    /// Whether it is the token's own list that a policy that granted stands in.
    fn is_own(&self, policy: &Granting) -> bool {
        !self.is_external(policy) && self.policies.binary_search(&policy.name).is_ok()
    }

    /// The policies in force. What granted something is held, listed or not.
    fn held(&self, around: Around<'_>) -> Held {
        let own_grants = self.granting.iter().filter(|policy| self.is_own(policy));
        let told = own_grants
            .filter_map(|policy| Space::of(&policy.namespace_id, &policy.namespace_path))
            .min();
        let space = match around.login {
            Some(_) => match path::namespace_id(around.namespace) {
                Some(id) => Some(Space::Id(Arc::from(id))),
                None if path::is_unplaced(around.namespace) => told,
                None => Some(Space::Path(Arc::from(around.namespace))),
            },
            None => told,
        };
        let external = self.external.iter().map(|(id, name)| Placed {
            space: match &**id {
                "root" => Space::Path(Arc::from("")),
                id => Space::Id(Arc::from(id)),
            },
            name: Arc::from(&**name),
        });
        let unlisted = self
            .granting
            .iter()
            .filter(|policy| !self.is_own(policy) && !self.is_external(policy));
        let unlisted = unlisted.filter_map(|policy| {
            Some(Placed {
                space: Space::of(&policy.namespace_id, &policy.namespace_path)?,
                name: Arc::from(&*policy.name),
            })
        });
        let mut placed: Vec<Placed> = external.chain(unlisted).collect();
        placed.sort_unstable();
        placed.dedup();
        Held {
            own: self.policies.iter().map(|p| Arc::from(&**p)).collect(),
            placed: placed.into(),
            space,
            listed: self.listed,
        }
    }

    /// Whether the server allowed it and nothing shows a token: none had to be shown.
    #[must_use]
    pub fn is_open(&self, accessor: &str) -> bool {
        let shows = self.shows_a_token
            || !accessor.is_empty()
            || self.has_accessor()
            || !self.display_name.is_empty()
            || !self.policies.is_empty()
            || !self.external.is_empty()
            || !self.granting.is_empty();
        self.allowed == Some(true) && !shows
    }

    /// Somebody of whom no name is there: it counts by what it held. Where nothing of a token is there either, that is nothing.
    #[must_use]
    pub fn somebody(&self, around: Around<'_>) -> Auth {
        let mut held = self.held(around);
        let shows = self.shows_a_token || !held.own.is_empty() || !held.placed.is_empty();
        held.listed |= !shows;
        Auth {
            kind: PrincipalKind::Token,
            id: Arc::from(SOMEBODY),
            name: Arc::from(SOMEBODY),
            held: Arc::new(held),
            ..Auth::nobody()
        }
    }

    /// Whether the token is one that only unwraps a response.
    #[must_use]
    pub fn wrapping(&self) -> bool {
        self.policies == ["response-wrapping"]
    }

    /// Whether it names the token's accessor itself.
    #[must_use]
    pub const fn has_accessor(&self) -> bool {
        !self.accessor.is_empty()
    }

    /// Whether it is a token that somebody made with another token: its name and metadata are the maker's choice.
    fn is_child(&self) -> bool {
        let name = self.display_name.trim_end_matches('-');
        name == "token" || name.starts_with("token-")
    }

    /// The role, user or group that it logged in as, by what the server vouches for.
    fn role(&self) -> Option<&str> {
        if self.is_child() {
            return None;
        }
        self.first_of(&ROLE_KEYS)
    }

    /// The principal, if anybody can be named, and whether the request's namespace had a part in that.
    #[must_use]
    pub fn auth(&self, group_by: &GroupBy, around: Around<'_>) -> Option<(Auth, bool)> {
        let accessor = if self.accessor.is_empty() {
            around.accessor
        } else {
            &self.accessor
        };
        let held = self.held(around);
        // Guessed from a display name, which anybody may have given.
        let mount = around.login.map_or_else(|| self.mount(), str::to_owned);
        let mount = secret::path(&mount).into_owned();
        // What is known by a name only is told apart by the namespace of its token; where the log leaves that open, by the
        // namespace it is at work in.
        let (space, is_told) = match &held.space {
            Some(Space::Path(path)) => (path.clone(), true),
            _ if around.namespace == path::UNTOLD => (Arc::from(""), false),
            _ => (Arc::from(around.namespace), false),
        };
        let (kind, id, by_name) = self.key(group_by, accessor, &mount)?;
        let id = if by_name { format!("{space}{id}") } else { id };
        let of_people = if self.is_child() {
            None
        } else {
            self.first_of(&NAME_KEYS)
        };
        let name = of_people.or(some(&self.display_name)).unwrap_or(&id);
        let name = secret::name(name);
        let auth = Auth {
            kind,
            name: Arc::from(name),
            role: Arc::from(secret::name(self.role().unwrap_or_default())),
            id: Arc::from(&*secret::path(&id)),
            mount: Arc::from(mount),
            login: around.login.is_some(),
            held: Arc::new(held),
            entity_id: Arc::from(&*self.entity_id),
            display_name: Arc::from(secret::name(&self.display_name)),
            metadata_keys: self.metadata.keys().map(|k| Arc::from(&**k)).collect(),
        };
        Some((auth, by_name && !is_told))
    }

    /// How the principal is known, by which key, and whether that is a name of its namespace only.
    fn key(&self, group_by: &GroupBy, accessor: &str, mount: &str) -> Option<(PrincipalKind, String, bool)> {
        let owned = |kind, id: &str, by_name| some(id).map(|id| (kind, id.to_owned(), by_name));
        let entity = || owned(PrincipalKind::Entity, &self.entity_id, false);
        let role = || {
            let role = self.role()?;
            Some((PrincipalKind::Role, format!("{mount}{role}"), true))
        };
        let display_name = || owned(PrincipalKind::Token, &self.display_name, true);
        let token = || owned(PrincipalKind::Token, &secret::accessor(accessor), false);
        if self.policies.iter().any(|p| p == "root") || self.granting.iter().any(|p| p.name == "root") {
            let root = |id: &str, by_name| owned(PrincipalKind::Root, id, by_name);
            let known = root(&self.entity_id, false).or_else(|| root(&self.display_name, true));
            return known
                .or_else(|| root(&secret::accessor(accessor), false))
                .or_else(|| root("root", true));
        }
        let asked = match group_by {
            GroupBy::Entity => None,
            GroupBy::Role => role(),
            GroupBy::DisplayName => display_name(),
            GroupBy::Accessor => token(),
            GroupBy::Metadata(key) => self
                .metadata
                .get(key)
                .and_then(|value| owned(PrincipalKind::Role, value, false)),
        };
        asked.or_else(entity).or_else(role).or_else(display_name).or_else(token)
    }

    fn first_of(&self, keys: &[&str]) -> Option<&str> {
        keys.iter()
            .find_map(|key| self.metadata.get(*key))
            .map(|value| &**value)
    }

    /// The auth mount that the display name hints at: the servers join the mount and the login's alias with a dash.
    fn mount(&self) -> String {
        let name = self.display_name.trim_end_matches('-');
        if name.is_empty() || name == "root" {
            return String::new();
        }
        if self.is_child() {
            return "auth/token/".to_owned();
        }
        let get = |key: &str| self.metadata.get(key).map_or("", |v| &**v);
        let service = format!("{}-{}", get("service_account_namespace"), get("service_account_name"));
        let mount = self
            .metadata
            .values()
            .chain([&service])
            .filter(|value| !value.is_empty())
            .filter_map(|value| name.strip_suffix(&**value)?.strip_suffix('-'))
            .min_by_key(|mount| mount.len())
            .unwrap_or_else(|| {
                if self.first_of(&ROLE_KEYS).is_some() && !name.contains('@') {
                    name.split('-').next().unwrap_or(name)
                } else {
                    ""
                }
            });
        if mount.is_empty() {
            String::new()
        } else {
            format!("auth/{mount}/")
        }
    }
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|t| !t.is_empty())
}

/// The members of a raw object, as far as they can be read.
fn members(raw: &[u8]) -> impl Iterator<Item = (std::borrow::Cow<'_, str>, &[u8])> {
    let mut walk = Members::of(raw, 0).ok();
    std::iter::from_fn(move || {
        let member = walk.as_mut()?.next().ok()??;
        Some((decode(member.key), member.value))
    })
}

fn text(value: &[u8]) -> String {
    scan::unquoted(value).map_or_else(String::new, |raw| decode(raw).into_owned())
}

fn texts(value: &[u8]) -> impl Iterator<Item = String> {
    let elements = if value.first() == Some(&b'[') {
        scan::elements(value, 0).map_or_else(|_| Vec::new(), |(e, _)| e)
    } else {
        Vec::new()
    };
    elements.into_iter().map(text).filter(|t| !t.is_empty())
}

/// The objects of a raw array.
fn objects(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let elements = if value.first() == Some(&b'[') {
        scan::elements(value, 0).map_or_else(|_| Vec::new(), |(e, _)| e)
    } else {
        Vec::new()
    };
    elements.into_iter().filter(|element| element.first() == Some(&b'{'))
}

/// A policy that granted something. Newer servers begin the list with an empty element; Sentinel's kinds are no ACL policies.
fn granting(value: &[u8]) -> Option<Granting> {
    let mut found = Granting::default();
    let mut is_acl = true;
    for (key, value) in members(value) {
        match &*key {
            "name" => found.name = text(value),
            "namespace_id" => found.namespace_id = text(value),
            "namespace_path" => found.namespace_path = path::namespace(&text(value)),
            "type" => is_acl = matches!(&*text(value), "acl" | ""),
            _ => {}
        }
    }
    (is_acl && !found.name.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(raw: &str, group_by: &str) -> Option<(String, String, String, String)> {
        let group_by = group_by.parse().unwrap();
        let around = Around {
            accessor: "from-request",
            namespace: "",
            login: None,
        };
        let (auth, _) = Facts::of(raw.as_bytes()).auth(&group_by, around)?;
        Some((
            auth.kind.to_string(),
            auth.id.to_string(),
            auth.name.to_string(),
            auth.mount.to_string(),
        ))
    }

    fn check(raw: &str, group_by: &str, want: [&str; 4]) {
        let [kind, id, name, mount] = want.map(str::to_owned);
        assert_eq!(
            auth(raw, group_by),
            Some((kind, id, name, mount)),
            "{raw} by {group_by}"
        );
    }

    #[test]
    fn the_order_is_entity_role_display_name_accessor() {
        let full = r#"{"accessor":"acc","display_name":"userpass-eve","policies":["b","a"],"metadata":{"username":"eve","team":"red"},"entity_id":"e-1"}"#;
        check(full, "entity", ["entity", "e-1", "eve", "auth/userpass/"]);
        check(full, "role", ["role", "auth/userpass/eve", "eve", "auth/userpass/"]);
        check(full, "display-name", ["token", "userpass-eve", "eve", "auth/userpass/"]);
        let hash = secret::accessor("acc");
        check(full, "accessor", ["token", &hash, "eve", "auth/userpass/"]);
        let hash = secret::accessor("from-request");
        check(full, "metadata.team", ["role", "red", "eve", "auth/userpass/"]);
        check(full, "metadata.none", ["entity", "e-1", "eve", "auth/userpass/"]);
        check(
            r#"{"display_name":"approle","metadata":{"role_name":"web"},"entity_id":""}"#,
            "entity",
            ["role", "auth/approle/web", "web", "auth/approle/"],
        );
        check(
            r#"{"display_name":"k8s-prod-default-web","metadata":{"role":"r","service_account_name":"web","service_account_namespace":"default"}}"#,
            "entity",
            ["role", "auth/k8s-prod/r", "r", "auth/k8s-prod/"],
        );
        check(
            r#"{"display_name":"token-ci","metadata":{"pipeline":"build"},"policies":["ci"]}"#,
            "entity",
            ["token", "token-ci", "token-ci", "auth/token/"],
        );
        check(r#"{"policies":["p"]}"#, "entity", ["token", &hash, &hash, ""]);
        check(
            r#"{"display_name":"root","policies":["root"]}"#,
            "role",
            ["root", "root", "root", ""],
        );
    }

    #[test]
    fn nobody_is_nobody_and_odd_values_are_absent() {
        for raw in [
            "",
            "{}",
            r#"{"token_type":"default","policies":null,"metadata":null}"#,
            r#"{"entity_id":7}"#,
        ] {
            let around = Around {
                accessor: "",
                namespace: "",
                login: None,
            };
            assert!(
                Facts::of(raw.as_bytes()).auth(&GroupBy::Entity, around).is_none(),
                "{raw}"
            );
        }
        let facts = Facts::of(br#"{"policies":["p"],"token_policies":["p","q"],"identity_policies":["i"],"external_namespace_policies":{"nsid":["x"]},"policy_results":{"allowed":false}}"#);
        assert_eq!(facts.policies, ["i", "p", "q"]);
        assert_eq!(facts.external, [("nsid".to_owned(), "x".to_owned())]);
        assert_eq!(facts.allowed, Some(false));
    }

    /// What is held by the `auth` object, seen at work in `team/`: labels, the token's namespace, whether it is listed.
    fn held(raw: &str) -> (Vec<String>, Option<Space>, bool) {
        let around = Around {
            accessor: "",
            namespace: "team/",
            login: None,
        };
        let facts = Facts::of(raw.as_bytes());
        let mut namespaces = crate::usage::Namespaces::default();
        for (id, at) in facts.namespaces() {
            namespaces.note(id, at);
        }
        let held = facts.held(around);
        let labels = held.labels(&namespaces).iter().map(ToString::to_string).collect();
        (labels, held.space, held.listed)
    }

    #[test]
    fn what_granted_tells_the_namespace_of_the_token_and_what_it_holds() {
        let path = |path: &str| Some(Space::Path(Arc::from(path)));
        let root = r#"{"display_name":"d","policies":["admin","default"],"policy_results":{"allowed":true,"granting_policies":[{"type":""},{"name":"admin","namespace_id":"root","type":"acl"}]}}"#;
        assert_eq!(held(root), (vec!["admin".into(), "default".into()], path(""), true));
        let external = r#"{"display_name":"d","policies":["default"],"external_namespace_policies":{"x1":["cross"]},"policy_results":{"allowed":true,"granting_policies":[{"name":"cross","namespace_id":"x1","namespace_path":"team/","type":"acl"}]}}"#;
        assert_eq!(
            held(external),
            (vec!["default".into(), "team/cross".into()], None, true)
        );
        let unlisted = r#"{"display_name":"d","policy_results":{"allowed":true,"granting_policies":[{"name":"web","namespace_id":"root","type":"acl"},{"name":"s","type":"egp"}]}}"#;
        assert_eq!(held(unlisted), (vec!["web".into()], None, false));
        assert_eq!(held(r#"{"display_name":"d","policies":[]}"#), (vec![], None, true));
    }

    #[test]
    fn what_a_caller_chooses_names_no_role() {
        let role = |raw: &str| Facts::of(raw.as_bytes()).role().map(str::to_owned);
        assert_eq!(
            role(r#"{"display_name":"token-x","metadata":{"username":"backup","role_name":"backup"}}"#),
            None
        );
        assert_eq!(
            role(r#"{"display_name":"approle","metadata":{"username":"backup","role_name":"ci"}}"#),
            Some("ci".to_owned())
        );
    }

    #[test]
    fn tokens_of_one_name_are_told_apart_by_their_namespace() {
        let id = |raw: &str, namespace: &str| {
            let around = Around {
                accessor: "",
                namespace,
                login: None,
            };
            let (auth, depends) = Facts::of(raw.as_bytes()).auth(&GroupBy::Entity, around).unwrap();
            (auth.id.to_string(), depends)
        };
        let open = r#"{"display_name":"ci","policies":["p"]}"#;
        assert_eq!(id(open, ""), ("ci".to_owned(), true));
        assert_eq!(id(open, "team/"), ("team/ci".to_owned(), true));
        let told = r#"{"display_name":"ci","policies":["p"],"policy_results":{"allowed":true,"granting_policies":[{"name":"p","namespace_id":"root"}]}}"#;
        assert_eq!(id(told, "team/"), ("ci".to_owned(), false));
    }
}
