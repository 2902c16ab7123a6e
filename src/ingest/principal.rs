//! Who asks: the meaning of an entry's `auth` object.

use super::group::GroupBy;
use super::scan::{self, Members};
use super::text::decode;
use crate::usage::auth::Auth;
use crate::vault::{PrincipalKind, secret};
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
    "username",
    "role_name",
    "role",
    "service_account_name",
    "common_name",
    "cert_name",
    "user",
    "email",
    "name",
];

/// What an `auth` object says.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    entity_id: String,
    display_name: String,
    accessor: String,
    policies: Vec<String>,
    metadata: BTreeMap<String, String>,
    /// What `policy_results` says, where there is one.
    pub allowed: Option<bool>,
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
                    facts.policies.extend(texts(value));
                }
                "external_namespace_policies" => {
                    for (namespace, policies) in members(value) {
                        let named = texts(policies).map(|p| format!("{namespace}/{p}"));
                        facts.policies.extend(named);
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
                        }
                    }
                }
                _ => {}
            }
        }
        facts.policies.sort_unstable();
        facts.policies.dedup();
        facts
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

    /// The principal, if anybody can be named. `accessor` is what the request says of the token.
    #[must_use]
    pub fn auth(&self, group_by: &GroupBy, accessor: &str) -> Option<Auth> {
        let accessor = if self.accessor.is_empty() {
            accessor
        } else {
            &self.accessor
        };
        let (kind, id) = self.key(group_by, accessor)?;
        let name = self.first_of(&NAME_KEYS).or(some(&self.display_name)).unwrap_or(&id);
        let name = secret::name(name);
        Some(Auth {
            kind,
            name: Arc::from(name),
            id: Arc::from(&*id),
            mount: Arc::from(self.mount()),
            login: false,
            policies: self.policies.iter().map(|p| Arc::from(&**p)).collect(),
            entity_id: Arc::from(&*self.entity_id),
            display_name: Arc::from(secret::name(&self.display_name)),
            metadata_keys: self.metadata.keys().map(|k| Arc::from(&**k)).collect(),
        })
    }

    fn key(&self, group_by: &GroupBy, accessor: &str) -> Option<(PrincipalKind, String)> {
        let owned = |kind, id: &str| some(id).map(|id| (kind, id.to_owned()));
        let entity = || owned(PrincipalKind::Entity, &self.entity_id);
        let role = || {
            let role = self.first_of(&ROLE_KEYS)?;
            let mount = self.mount();
            Some((PrincipalKind::Role, format!("{mount}{role}")))
        };
        let display_name = || owned(PrincipalKind::Token, &self.display_name);
        let accessor = secret::accessor(accessor);
        let token = || owned(PrincipalKind::Token, &accessor);
        if self.policies.iter().any(|p| p == "root") {
            let id = some(&self.entity_id)
                .or(some(&self.display_name))
                .or(some(&accessor))
                .unwrap_or("root");
            return owned(PrincipalKind::Root, id);
        }
        let asked = match group_by {
            GroupBy::Entity => None,
            GroupBy::Role => role(),
            GroupBy::DisplayName => display_name(),
            GroupBy::Accessor => token(),
            GroupBy::Metadata(key) => self
                .metadata
                .get(key)
                .and_then(|value| owned(PrincipalKind::Role, value)),
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
        if name == "token" || name.starts_with("token-") {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(raw: &str, group_by: &str) -> Option<(String, String, String, String)> {
        let group_by = group_by.parse().unwrap();
        let auth = Facts::of(raw.as_bytes()).auth(&group_by, "from-request")?;
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
            assert!(Facts::of(raw.as_bytes()).auth(&GroupBy::Entity, "").is_none(), "{raw}");
        }
        let facts = Facts::of(br#"{"policies":["p"],"token_policies":["p","q"],"identity_policies":["i"],"external_namespace_policies":{"nsid":["x"]},"policy_results":{"allowed":false}}"#);
        assert_eq!(facts.policies, ["i", "nsid/x", "p", "q"]);
        assert_eq!(facts.allowed, Some(false));
    }
}
