//! The answers of live servers, understood: mounts, roles, entities, groups. Versions differ in what they leave out and in
//! how they write lists, so everything is optional here.

use super::model::{Alias, AuthRole, Entity, Group, Mount};
use crate::vault::path;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// The names of a LIST answer.
#[must_use]
pub fn keys(data: &Value) -> Vec<String> {
    strings(data, "keys")
}

/// Which product a mount says it runs, by the build of its plugin.
#[must_use]
pub fn product(mount: &Value) -> Option<&'static str> {
    let version = mount.get("running_plugin_version")?.as_str()?;
    match version.split_once("+builtin.")?.1 {
        "bao" => Some("openbao"),
        "vault" => Some("vault"),
        _ => None,
    }
}

/// A table of mounts, each path with `prefix` before it.
#[must_use]
pub fn mounts(namespace: &str, prefix: &str, table: &[(String, Value)]) -> Vec<Mount> {
    table
        .iter()
        .map(|(at, value)| {
            // Inside namespaces OpenBao calls its own engines `ns_token`, `ns_identity`, ...
            let kind = text(value, "type");
            let kind = kind.strip_prefix("ns_").unwrap_or(&kind).to_owned();
            let version = value.pointer("/options/version").and_then(Value::as_str);
            Mount {
                namespace: namespace.to_owned(),
                path: format!("{prefix}{}", path::namespace(at)),
                kv_version: (kind == "kv" || kind == "generic").then_some(if version == Some("2") { 2 } else { 1 }),
                kind,
                accessor: text(value, "accessor"),
                description: text(value, "description"),
            }
        })
        .collect()
}

/// A role, user or group of an auth method.
#[must_use]
pub fn role(mount: &Mount, item: &str, name: &str, value: &Value) -> AuthRole {
    // `policies` is the old name of `token_policies`; servers keep both alike. GitHub's teams have one `value`.
    let mut policies = strings(value, "token_policies");
    policies.extend(strings(value, "policies"));
    let mut allowed_policies = Vec::new();
    match mount.kind.as_str() {
        "github" => policies.extend(strings(value, "value")),
        "radius" => policies.extend(strings(value, "unregistered_user_policies")),
        "token" => {
            allowed_policies = strings(value, "allowed_policies");
            allowed_policies.extend(strings(value, "allowed_policies_glob"));
            // Who is only told what not to hand out hands out all else, whatever its caller has.
            let denied = ["disallowed_policies", "disallowed_policies_glob"];
            if allowed_policies.is_empty() && denied.iter().any(|key| !strings(value, key).is_empty()) {
                allowed_policies.push("*".to_owned());
            }
        }
        _ => {}
    }
    AuthRole {
        namespace: mount.namespace.clone(),
        mount: mount.path.clone(),
        kind: mount.kind.clone(),
        item: item.to_owned(),
        name: name.to_owned(),
        policies: in_order(policies),
        unlisted: false,
        no_default_policy: flag(value, "token_no_default_policy"),
        allowed_policies: in_order(allowed_policies),
    }
}

/// An entity with its aliases.
#[must_use]
pub fn entity(namespace: &str, id: &str, value: &Value) -> Entity {
    let aliases = value.get("aliases").and_then(Value::as_array);
    let mut aliases: Vec<Alias> = aliases.into_iter().flatten().map(alias).collect();
    aliases.sort_by(|a, b| (&a.mount_accessor, &a.name, &a.id).cmp(&(&b.mount_accessor, &b.name, &b.id)));
    Entity {
        namespace: namespace.to_owned(),
        id: id.to_owned(),
        name: text(value, "name"),
        policies: in_order(strings(value, "policies")),
        metadata: table(value, "metadata"),
        aliases,
        disabled: flag(value, "disabled"),
        last_update_time: time(value, "last_update_time"),
    }
}

fn alias(value: &Value) -> Alias {
    Alias {
        id: text(value, "id"),
        name: text(value, "name"),
        mount_accessor: text(value, "mount_accessor"),
        metadata: table(value, "metadata"),
        custom_metadata: table(value, "custom_metadata"),
    }
}

/// A group.
#[must_use]
pub fn group(namespace: &str, id: &str, value: &Value) -> Group {
    Group {
        namespace: namespace.to_owned(),
        id: id.to_owned(),
        name: text(value, "name"),
        policies: in_order(strings(value, "policies")),
        member_entities: in_order(strings(value, "member_entity_ids")),
        member_groups: in_order(strings(value, "member_group_ids")),
        metadata: table(value, "metadata"),
        external: text(value, "type") == "external",
        last_update_time: time(value, "last_update_time"),
    }
}

fn in_order(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}

/// A list of strings: an array, or one string with commas.
fn strings(value: &Value, key: &str) -> Vec<String> {
    match value.get(key) {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(line)) => line
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn time(value: &Value, key: &str) -> Option<Timestamp> {
    value.get(key)?.as_str()?.parse().ok()
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn table(value: &Value, key: &str) -> BTreeMap<String, String> {
    let Some(Value::Object(map)) = value.get(key) else {
        return BTreeMap::new();
    };
    map.iter()
        .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn mount(kind: &str) -> Mount {
        Mount {
            namespace: "ns/".into(),
            path: format!("auth/{kind}/"),
            kind: kind.into(),
            accessor: "a".into(),
            kv_version: None,
            description: String::new(),
        }
    }

    #[test]
    fn mounts_of_every_age() {
        let table = [
            (
                "secret/".to_owned(),
                json!({"type":"kv","accessor":"kv_1","options":{"version":"2"},"running_plugin_version":"v2.4.0+builtin.bao"}),
            ),
            (
                "old/".to_owned(),
                json!({"type":"generic","options":null,"description":"d"}),
            ),
            ("pki/".to_owned(), json!({"type":"pki"})),
        ];
        let found = mounts("", "", &table);
        let versions: Vec<_> = found.iter().map(|m| m.kv_version).collect();
        assert_eq!(versions, [Some(2), Some(1), None]);
        assert_eq!(product(&table[0].1), Some("openbao"));
        assert_eq!(
            product(&json!({"running_plugin_version":"v1.14.0+builtin.vault"})),
            Some("vault")
        );
        assert_eq!(product(&table[2].1), None);
        assert_eq!(mounts("", "auth/", &table)[2].path, "auth/pki/");
    }

    #[test]
    fn roles_with_old_and_new_names() {
        let r = role(
            &mount("approle"),
            "role",
            "web",
            &json!({"token_policies":["b","a"],"policies":["a"],"token_no_default_policy":true}),
        );
        assert_eq!(r.policies, ["a", "b"]);
        assert!(r.no_default_policy);
        let r = role(&mount("ldap"), "group", "dev", &json!({"policies":"b, a"}));
        assert_eq!(
            (r.policies, r.item),
            (vec!["a".to_owned(), "b".to_owned()], "group".to_owned())
        );
        let r = role(&mount("github"), "group", "dev", &json!({"key":"dev","value":"x,y"}));
        assert_eq!(r.policies, ["x", "y"]);
        let r = role(
            &mount("token"),
            "role",
            "t",
            &json!({"allowed_policies":["p"],"allowed_policies_glob":["q-*"]}),
        );
        assert!(r.policies.is_empty());
        assert_eq!(r.allowed_policies, ["p", "q-*"]);
        assert!(role(&mount("aws"), "role", "t", &Value::Null).policies.is_empty());
    }

    #[test]
    fn identity_without_its_empty_parts() {
        let e = entity(
            "ns/",
            "e-1",
            &json!({"name":"ann","metadata":null,"policies":null,"disabled":true,
            "last_update_time":"2026-01-02T03:04:05.678Z","aliases":[{"id":"2","name":"z","mount_accessor":"m"},{"id":"1","name":"ann","mount_accessor":"m","custom_metadata":{"k":"v"}}]}),
        );
        assert_eq!(e.aliases[0].name, "ann");
        assert_eq!(e.aliases[0].custom_metadata["k"], "v");
        assert!(e.disabled && e.metadata.is_empty());
        assert_eq!(e.last_update_time, Some("2026-01-02T03:04:05.678Z".parse().unwrap()));
        let g = group(
            "",
            "g-1",
            &json!({"name":"g","type":"external","member_entity_ids":["b","a"],"member_group_ids":null}),
        );
        assert!(g.external);
        assert_eq!(g.member_entities, ["a", "b"]);
    }
}
