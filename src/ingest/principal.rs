//! Who asks: the meaning of an entry's `auth` object.
//!
//! What joins is what the server vouches for: the entity id, and the role of a login at its mount. The metadata of a child
//! token are whatever its maker wrote, and those of an AppRole's secret id too, but for `role_name`, which the server sets last.

use super::essence::{Essence, Piece, members};
use super::scan;
use super::telling::{NAME_KEYS, ROLE_KEYS, SERVICE_ACCOUNT};
use super::text::decode;
use crate::usage::GroupBy;
use crate::usage::auth::Auth;
use crate::usage::demand::NOT_NAMED;
use crate::usage::held::{Granting as Named, Held, Placed, Space};
use crate::vault::{PrincipalKind, path, secret};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an `auth` object says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    entity_id: Cow<'a, str>,
    display_name: Cow<'a, str>,
    /// The token's accessor, where somebody may be known by it.
    accessor: Cow<'a, str>,
    /// Whether something shows that a token was there.
    shows_a_token: bool,
    /// Policies of the token's own namespace.
    policies: Vec<Cow<'a, str>>,
    /// Whether there is the list of all of them, be it empty. Those of the token and those of the identity are each a part of it.
    listed: bool,
    /// Policies of other namespaces: id of the namespace, and name.
    external: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The policies that allowed the request.
    granting: Vec<Granting<'a>>,
    /// Metadata with their values, which are left out where they tell nothing.
    metadata: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    /// The mount of the login that made the token, which lives in the namespace of the request then.
    login: Option<Cow<'a, str>>,
    /// What `policy_results` says, where there is one.
    pub allowed: Option<bool>,
}

/// A policy that allowed a request, as `policy_results` names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Granting<'a> {
    name: Cow<'a, str>,
    namespace_id: Cow<'a, str>,
    namespace_path: String,
}

impl<'a> Facts<'a> {
    /// What an essence says.
    #[must_use]
    pub fn of(essence: &'a Essence) -> Self {
        let mut facts = Self::default();
        let mut metadatum = None;
        for (piece, raw) in essence.pieces() {
            match piece {
                Piece::AllPolicies | Piece::Policies => {
                    facts.listed |= piece == Piece::AllPolicies;
                    facts.policies.extend(texts(raw));
                }
                Piece::External => {
                    for (namespace, policies) in members(raw) {
                        let names = texts(policies).filter(|policy| !policy.is_empty()).map(secret::policy);
                        let namespace = secret::identity(namespace);
                        let named = names.map(|policy| (namespace.clone(), policy));
                        facts.external.extend(named);
                    }
                }
                Piece::Results => {
                    for (key, value) in members(raw) {
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
                Piece::Entity => facts.entity_id = secret::identity(decode(raw)),
                Piece::DisplayName => facts.display_name = secret::identity(decode(raw)),
                Piece::Shown => facts.shows_a_token = true,
                Piece::Accessor => facts.accessor = secret::identity(decode(raw)),
                Piece::Key => {
                    let key = secret::identity(decode(raw));
                    facts.metadata.insert(key.clone(), Cow::Borrowed(""));
                    metadatum = Some(key);
                }
                Piece::Value => {
                    if let Some(key) = metadatum.take() {
                        facts.metadata.insert(key, secret::identity(decode(raw)));
                    }
                }
                Piece::Login => facts.login = Some(decode(raw)),
            }
        }
        // What is no text names nothing, and leaves the list with a hole.
        facts.listed &= facts.policies.iter().all(|name| is_name(name));
        facts.policies.retain(|name| !name.is_empty());
        let named = std::mem::take(&mut facts.policies).into_iter().map(secret::policy);
        facts.policies = named.collect();
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
    fn is_external(&self, policy: &Granting<'_>) -> bool {
        let mut external = self.external.iter();
        external.any(|(id, name)| *id == policy.namespace_id && *name == policy.name)
    }

    /// Whether it is the token's own list that a policy that granted stands in.
    fn is_own(&self, policy: &Granting<'_>) -> bool {
        !self.is_external(policy) && self.policies.binary_search(&policy.name).is_ok()
    }

    /// The policies in force for a token at work in this namespace. What granted something is held, listed or not.
    fn held(&self, namespace: &str) -> Held {
        let own_grants = self.granting.iter().filter(|policy| self.is_own(policy));
        let told = own_grants
            .filter_map(|policy| Space::of(&policy.namespace_id, &policy.namespace_path))
            .min();
        let space = match self.login {
            Some(_) => match path::namespace_id(namespace) {
                Some(id) => Some(Space::Id(Arc::from(id))),
                None if path::is_unplaced(namespace) => told,
                None => Some(Space::Path(Arc::from(namespace))),
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
    fn is_open(&self) -> bool {
        let shows = self.shows_a_token
            || !self.accessor.is_empty()
            || !self.display_name.is_empty()
            || !self.policies.is_empty()
            || !self.external.is_empty()
            || !self.granting.is_empty();
        self.allowed == Some(true) && !shows
    }

    /// Somebody of whom no name is there: it counts by what it held. Where nothing of a token is there either, that is nothing.
    /// None where no token had to be shown, and for a login that shows none, which let nobody in then.
    #[must_use]
    pub fn somebody(&self, namespace: &str) -> Option<Auth> {
        let mut held = self.held(namespace);
        let shows = self.shows_a_token || !held.own.is_empty() || !held.placed.is_empty();
        if self.is_open() || (self.login.is_some() && !shows) {
            return None;
        }
        held.listed |= !shows;
        Some(Auth {
            kind: PrincipalKind::Token,
            id: Arc::from(NOT_NAMED),
            name: Arc::from(NOT_NAMED),
            held: Arc::new(held),
            ..Auth::nobody()
        })
    }

    /// Whether it is that of a token which the request made: that lives in the request's namespace.
    #[must_use]
    pub const fn is_of_login(&self) -> bool {
        self.login.is_some()
    }

    /// The policies that the server names as those that allowed it.
    pub fn granting(&self) -> impl Iterator<Item = Named> + '_ {
        self.granting.iter().map(|policy| Named {
            space: Space::of(&policy.namespace_id, &policy.namespace_path),
            name: Arc::from(&*policy.name),
        })
    }

    /// Whether the token is one that only unwraps a response.
    #[must_use]
    pub fn wrapping(&self) -> bool {
        self.policies == ["response-wrapping"]
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

    /// The principal at work in this namespace, if anybody can be named, and whether the namespace had a part in that.
    #[must_use]
    pub fn auth(&self, group_by: &GroupBy, namespace: &str) -> Option<(Auth, bool)> {
        let held = self.held(namespace);
        // Guessed from a display name, which anybody may have given.
        let mount = self.login.as_deref().map_or_else(|| self.mount(), str::to_owned);
        let mount = secret::path(&mount).into_owned();
        // What is known by a name only is told apart by the namespace of its token; where the log leaves that open, by the
        // namespace it is at work in.
        let (space, is_told) = match &held.space {
            Some(Space::Path(path)) => (path.clone(), true),
            _ if namespace == path::UNTOLD => (Arc::from(""), false),
            _ => (Arc::from(namespace), false),
        };
        let (kind, id, by_name) = self.key(group_by, &mount)?;
        let id = if by_name { format!("{space}{id}") } else { id };
        let of_people = if self.is_child() {
            None
        } else {
            self.first_of(&NAME_KEYS)
        };
        let name = of_people.or(some(&self.display_name)).unwrap_or(&id);
        let auth = Auth {
            kind,
            name: Arc::from(name),
            role: Arc::from(self.role().unwrap_or_default()),
            id: Arc::from(&*secret::path(&id)),
            mount: Arc::from(mount),
            login: self.login.is_some(),
            held: Arc::new(held),
            entity_id: Arc::from(&*self.entity_id),
            display_name: Arc::from(&*self.display_name),
            metadata_keys: self.metadata.keys().map(|k| Arc::from(&**k)).collect(),
        };
        Some((auth, (by_name && !is_told) || self.login.is_some()))
    }

    /// How the principal is known, by which key, and whether that is a name of its namespace only.
    fn key(&self, group_by: &GroupBy, mount: &str) -> Option<(PrincipalKind, String, bool)> {
        let owned = |kind, id: &str, by_name| some(id).map(|id| (kind, id.to_owned(), by_name));
        let entity = || owned(PrincipalKind::Entity, &self.entity_id, false);
        let role = || {
            let role = self.role()?;
            Some((PrincipalKind::Role, format!("{mount}{role}"), true))
        };
        let display_name = || owned(PrincipalKind::Token, &self.display_name, true);
        let token = || owned(PrincipalKind::Token, &secret::accessor(&self.accessor), false);
        if self.policies.iter().any(|p| p == "root") || self.granting.iter().any(|p| p.name == "root") {
            let root = |id: &str, by_name| owned(PrincipalKind::Root, id, by_name);
            let known = root(&self.entity_id, false).or_else(|| root(&self.display_name, true));
            return known
                .or_else(|| root(&secret::accessor(&self.accessor), false))
                .or_else(|| root("root", true));
        }
        let asked = match group_by {
            GroupBy::Entity => None,
            GroupBy::Role => role(),
            GroupBy::DisplayName => display_name(),
            GroupBy::Accessor => token(),
            GroupBy::Metadata(key) => self
                .metadata
                .get(key.as_str())
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
        let [namespace, account] = SERVICE_ACCOUNT.map(get);
        let service = format!("{namespace}-{account}");
        let values = self.metadata.values().map(|value| &**value);
        let mount = values
            .chain([&*service])
            .filter(|value| !value.is_empty())
            .filter_map(|value| name.strip_suffix(value)?.strip_suffix('-'))
            .min_by_key(|mount| mount.len())
            .unwrap_or_else(|| {
                if self.metadata.contains_key("role_name") {
                    // Tokens of an AppRole are called after the mount and nothing else.
                    name
                } else if self.first_of(&ROLE_KEYS).is_some() && !name.contains('@') {
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

/// Whether a text may be the name of a policy, and not what a pipeline put in its place: servers write names in small letters.
fn is_name(text: &str) -> bool {
    let is_hashed = text.starts_with("hmac-sha256:");
    !is_hashed && !text.bytes().any(|c| c.is_ascii_uppercase()) && text.chars().any(char::is_alphanumeric)
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|t| !t.is_empty())
}

fn text(value: &[u8]) -> Cow<'_, str> {
    scan::unquoted(value).map_or(Cow::Borrowed(""), decode)
}

/// The elements of a raw array as texts, empty where one is none.
fn texts(value: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    let elements = if value.first() == Some(&b'[') {
        scan::elements(value, 0).map_or_else(|_| Vec::new(), |(e, _)| e)
    } else {
        Vec::new()
    };
    elements.into_iter().map(text)
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
fn granting(value: &[u8]) -> Option<Granting<'_>> {
    let mut found = Granting::default();
    let mut is_acl = true;
    for (key, value) in members(value) {
        match &*key {
            "name" => found.name = secret::policy(text(value)),
            "namespace_id" => found.namespace_id = secret::identity(text(value)),
            "namespace_path" => found.namespace_path = path::namespace(&secret::identity(text(value))),
            "type" => is_acl = matches!(&*text(value), "acl" | ""),
            _ => {}
        }
    }
    (is_acl && !found.name.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn essence(raw: &str, accessor: &str, group_by: &GroupBy) -> Essence {
        let mut essence = Essence::default();
        essence.read(raw.as_bytes(), group_by);
        essence.came_with(accessor.as_bytes());
        essence
    }

    fn auth(raw: &str, group_by: &str) -> Option<(String, String, String, String)> {
        let group_by = group_by.parse().unwrap();
        let essence = essence(raw, "from-request", &group_by);
        let (auth, _) = Facts::of(&essence).auth(&group_by, "")?;
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
            let essence = essence(raw, "", &GroupBy::Entity);
            assert!(Facts::of(&essence).auth(&GroupBy::Entity, "").is_none(), "{raw}");
        }
        let essence = essence(
            r#"{"policies":["p"],"token_policies":["p","q"],"identity_policies":["i"],"external_namespace_policies":{"nsid":["x"]},"policy_results":{"allowed":false}}"#,
            "",
            &GroupBy::Entity,
        );
        let facts = Facts::of(&essence);
        assert_eq!(facts.policies, ["i", "p", "q"]);
        assert_eq!(facts.external, [("nsid".into(), "x".into())]);
        assert_eq!(facts.allowed, Some(false));
    }

    /// What is held by the `auth` object, seen at work in `team/`: labels, the token's namespace, whether it is listed.
    fn held(raw: &str) -> (Vec<String>, Option<Space>, bool) {
        let essence = essence(raw, "", &GroupBy::Entity);
        let facts = Facts::of(&essence);
        let mut namespaces = crate::usage::Namespaces::default();
        for (id, at) in facts.namespaces() {
            namespaces.note(id, at);
        }
        let held = facts.held("team/");
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
        let role = |raw: &str| {
            let essence = essence(raw, "", &GroupBy::Entity);
            Facts::of(&essence).role().map(str::to_owned)
        };
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
            let essence = essence(raw, "", &GroupBy::Entity);
            let (auth, depends) = Facts::of(&essence).auth(&GroupBy::Entity, namespace).unwrap();
            (auth.id.to_string(), depends)
        };
        let open = r#"{"display_name":"ci","policies":["p"]}"#;
        assert_eq!(id(open, ""), ("ci".to_owned(), true));
        assert_eq!(id(open, "team/"), ("team/ci".to_owned(), true));
        let told = r#"{"display_name":"ci","policies":["p"],"policy_results":{"allowed":true,"granting_policies":[{"name":"p","namespace_id":"root"}]}}"#;
        assert_eq!(id(told, "team/"), ("ci".to_owned(), false));
    }
}
