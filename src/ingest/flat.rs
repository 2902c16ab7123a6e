//! Entries whose members were written side by side under dotted names (`request.path`), as tables and search engines do.

use super::scan::Members;
use super::text::decode;
use serde_json::{Map, Value};

/// Members that are lists.
const LISTS: [&str; 3] = ["policies", "token_policies", "identity_policies"];

/// The most names between dots.
const DEEPEST: usize = 16;

/// The member by which such an object is known.
const TELLING: &str = "request.path";

/// The entry as the servers write it; none if the object does not hold all that makes one.
#[must_use]
pub fn nested(object: &[u8]) -> Option<String> {
    memchr::memmem::find(object, TELLING.as_bytes())?;
    let mut pairs = Vec::new();
    let mut members = Members::of(object, 0).ok()?;
    while let Some(member) = members.next().ok()? {
        pairs.push((decode(member.key), member.value));
    }
    let prefix = pairs
        .iter()
        .filter_map(|(key, _)| key.strip_suffix(TELLING))
        .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
        .min_by_key(|prefix| prefix.len())?
        .to_owned();
    let mut entry = Map::new();
    for (key, value) in &pairs {
        let Some(name) = key.strip_prefix(&*prefix) else {
            continue;
        };
        let mut steps: Vec<&str> = name
            .split(['.', '['])
            .map(|step| step.trim_end_matches(']').trim_end_matches("{}"))
            .collect();
        if steps
            .last()
            .is_some_and(|step| step.bytes().all(|c| c.is_ascii_digit()))
        {
            steps.pop();
        }
        if steps.len() > DEEPEST {
            return None;
        }
        if let Some(value) = value_of(value, steps.last().is_some_and(|step| LISTS.contains(step))) {
            put(&mut entry, &steps, value);
        }
    }
    let request = entry.get("request")?;
    let whole = entry.contains_key("type") && request.get("operation").is_some() && request.get("path").is_some();
    whole.then(|| Value::Object(entry).to_string())
}

/// A member's value: what is a list is one, what says true or false is that, and nothing is nothing.
fn value_of(raw: &[u8], list: bool) -> Option<Value> {
    let value: Value = serde_json::from_slice(raw).ok()?;
    match value {
        Value::Null => None,
        Value::String(text) if matches!(text.trim(), "" | "-" | "(empty)" | "null") => None,
        Value::String(text) if list => Some(match serde_json::from_str(&text) {
            Ok(Value::Array(items)) => Value::Array(items),
            _ => text
                .split([',', '\n', ';'])
                .map(|item| Value::from(item.trim()))
                .collect(),
        }),
        Value::String(text) if text == "true" || text == "false" => Some(Value::Bool(text == "true")),
        Value::Array(items) if !list && items.len() == 1 => items.into_iter().next(),
        other => Some(other),
    }
}

/// Puts a value where its steps lead. Lists of one name are one list.
fn put(object: &mut Map<String, Value>, steps: &[&str], value: Value) {
    let Some((first, rest)) = steps.split_first() else {
        return;
    };
    if rest.is_empty() {
        let is_list = LISTS.contains(first);
        match (object.get_mut(*first), value) {
            (Some(Value::Array(known)), Value::Array(more)) if is_list => known.extend(more),
            (None, value @ Value::Array(_)) => {
                object.insert((*first).to_owned(), value);
            }
            (None, value) if is_list => {
                object.insert((*first).to_owned(), Value::Array(vec![value]));
            }
            (_, value) => {
                object.insert((*first).to_owned(), value);
            }
        }
        return;
    }
    let inner = object
        .entry((*first).to_owned())
        .or_insert_with(|| Value::Object(Map::new()));
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    if let Value::Object(inner) = inner {
        put(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_names_are_nested() {
        let want: Value = serde_json::from_str(
            r#"{"type":"request","auth":{"policies":["a","b"],"policy_results":{"allowed":true}},"request":{"id":"1","operation":"read","path":"x.y"}}"#,
        )
        .unwrap();
        for object in [
            r#"{"type":"request","auth.policies":["a","b"],"auth.policy_results.allowed":true,"request.id":"1","request.operation":"read","request.path":"x.y","request.wrap":null}"#,
            r#"{"other":1,"v.type":"request","v.auth.policies{}":"a,b","v.auth.policy_results.allowed":"true","v.request.id":["1"],"v.request.operation":"read","v.request.path":"x.y","v.error":""}"#,
            r#"{"type":"request","auth.policies.0":"a","auth.policies[1]":"b","auth.policy_results.allowed":"true","request.id":"1","request.operation":"read","request.path":"x.y"}"#,
        ] {
            let nested: Value = serde_json::from_str(&nested(object.as_bytes()).unwrap()).unwrap();
            assert_eq!(nested, want, "{object}");
        }
        for object in [
            r#"{"request.path":"x","request.operation":"read"}"#,
            r#"{"type":"request","request.path":"x"}"#,
            r#"{"type":"request","xrequest.path":"x"}"#,
        ] {
            assert_eq!(nested(object.as_bytes()), None, "{object}");
        }
    }
}
