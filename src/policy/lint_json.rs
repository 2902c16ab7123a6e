//! The JSON form of `lint`: one object a file, with the stanzas as the servers keep them.

use super::lint::Warning;
use super::model::{Policy, Stanza};
use super::syntax::ParseError;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The object for a file that was read, or could not be.
#[must_use]
pub fn document(file: &str, read: Result<&Policy, &ParseError>) -> Value {
    let mut document = Map::new();
    document.insert("file".to_owned(), json!(file));
    match read {
        Ok(policy) => {
            let templated = policy.stanzas.iter().any(|stanza| stanza.templated);
            document.insert("templated".to_owned(), json!(templated));
            let stanzas: Vec<Value> = policy.stanzas.iter().map(stanza).collect();
            document.insert("stanzas".to_owned(), Value::Array(stanzas));
        }
        Err(error) => {
            document.insert("error".to_owned(), json!(error.one_line()));
            document.insert("line".to_owned(), json!(error.origin.line));
            document.insert("column".to_owned(), json!(error.origin.column));
            document.insert("templated".to_owned(), json!(false));
            document.insert("stanzas".to_owned(), json!([]));
        }
    }
    Value::Object(document)
}

/// Adds the warnings about a file to its object.
pub fn add_warnings<'w>(document: &mut Value, warnings: impl IntoIterator<Item = &'w Warning>) {
    if let Some(object) = document.as_object_mut() {
        object.insert("warnings".to_owned(), warnings.into_iter().map(Warning::json).collect());
    }
}

/// The path as the servers keep it: no leading `/`, and no trailing `*` on a prefix stanza; then whether it is one, and
/// whether it counts as a `+` pattern.
#[must_use]
pub fn kept_path(path: &str) -> (&str, bool, bool) {
    let path = path.strip_prefix('/').unwrap_or(path);
    let segment_wildcards = path == "+" || path.starts_with("+/") || path.contains("/+");
    match path.strip_suffix('*') {
        Some(prefix) if !segment_wildcards => (prefix, true, false),
        _ => (path, false, segment_wildcards),
    }
}

fn stanza(stanza: &Stanza) -> Value {
    let (path, prefix, segment_wildcards) = kept_path(&stanza.path);
    let mut object = Map::new();
    object.insert("path".to_owned(), json!(path));
    object.insert("prefix".to_owned(), json!(prefix));
    object.insert("segment_wildcards".to_owned(), json!(segment_wildcards));
    let capabilities = if stanza.capabilities.is_empty() && stanza.capabilities_span.is_none() {
        Value::Null
    } else {
        stanza.capabilities.iter().map(|c| json!(c.as_str())).collect()
    };
    object.insert("capabilities".to_owned(), capabilities);
    let constraints = &stanza.constraints;
    insert_lists(&mut object, "allowed_parameters", &constraints.allowed_parameters);
    insert_lists(&mut object, "denied_parameters", &constraints.denied_parameters);
    if !constraints.required_parameters.is_empty() {
        object.insert("required_parameters".to_owned(), json!(constraints.required_parameters));
    }
    insert_seconds(&mut object, "min_wrapping_ttl_s", constraints.min_wrapping_ttl_ns);
    insert_seconds(&mut object, "max_wrapping_ttl_s", constraints.max_wrapping_ttl_ns);
    Value::Object(object)
}

fn insert_lists(object: &mut Map<String, Value>, key: &str, lists: &BTreeMap<String, Vec<Value>>) {
    if !lists.is_empty() {
        object.insert(key.to_owned(), json!(lists));
    }
}

fn insert_seconds(object: &mut Map<String, Value>, key: &str, nanoseconds: i64) {
    const SECOND: i64 = 1_000_000_000;
    if nanoseconds % SECOND != 0 {
        #[allow(
            clippy::cast_precision_loss,
            reason = "a time of less than a second needs few digits"
        )]
        object.insert(key.to_owned(), json!(nanoseconds as f64 / SECOND as f64));
    } else if nanoseconds != 0 {
        object.insert(key.to_owned(), json!(nanoseconds / SECOND));
    }
}
