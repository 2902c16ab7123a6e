//! What a stanza demands of a request besides its capability: how two stanzas merge, and whether a request satisfies it.

use crate::policy::model::Constraints;
use crate::policy::profile::{Profile, ValueRule};
use crate::vault::Operation;
use crate::vault::name::lower;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The data of a request: parameter names and values, as they came.
pub type Data = Map<String, Value>;

/// Which constraint refused a request. Names of parameters only, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The stanza wants a wrapped response, the request asks for none.
    #[error("the stanza wants a wrapped response (`{0}`) and the request asks for none")]
    NotWrapped(&'static str),
    /// Wrapped for longer than `max_wrapping_ttl`.
    #[error("the wrapping TTL is above `max_wrapping_ttl` ({} s)", .max_ns / NS)]
    WrapTooLong {
        /// The largest TTL, in nanoseconds.
        max_ns: i64,
    },
    /// Wrapped for less than `min_wrapping_ttl`.
    #[error("the wrapping TTL is below `min_wrapping_ttl` ({} s)", .min_ns / NS)]
    WrapTooShort {
        /// The least TTL, in nanoseconds.
        min_ns: i64,
    },
    /// The merged stanzas leave no TTL that satisfies both.
    #[error(
        "the merged stanzas demand a `max_wrapping_ttl` below their `min_wrapping_ttl`, which no request can satisfy"
    )]
    WrapContradiction,
    /// A parameter of `required_parameters` is not sent.
    #[error("the required parameter `{0}` is not sent")]
    Missing(String),
    /// `denied_parameters` holds `*`.
    #[error("`denied_parameters` holds `*`: no parameter may be sent")]
    AllDenied,
    /// The parameter, whatever its value, or this value of it, is denied.
    #[error("the parameter `{name}` is denied{}", if *.any_value { "" } else { " with this value" })]
    Denied {
        /// Its name.
        name: String,
        /// Whether every value is denied.
        any_value: bool,
    },
    /// The parameter is not among those allowed.
    #[error("the parameter `{0}` is not in `allowed_parameters`")]
    NotAllowed(String),
    /// The value is not among those allowed.
    #[error("the value of the parameter `{0}` is not one that `allowed_parameters` allows")]
    ValueNotAllowed(String),
    /// More entries asked for than `pagination_limit`, or a limit that is no number.
    #[error("the parameter `limit` is not within `pagination_limit` ({0})")]
    Pagination(i64),
}

const NS: i64 = 1_000_000_000;

/// Merges the constraints of a further stanza with the same pattern into `into`. Neither may be a deny.
pub fn merge(into: &mut Constraints, from: &Constraints) {
    let smaller = |into: &mut i64, from: i64| {
        if from > 0 && (*into == 0 || from < *into) {
            *into = from;
        }
    };
    smaller(&mut into.max_wrapping_ttl_ns, from.max_wrapping_ttl_ns);
    smaller(&mut into.min_wrapping_ttl_ns, from.min_wrapping_ttl_ns);
    merge_parameters(&mut into.allowed_parameters, &from.allowed_parameters);
    merge_parameters(&mut into.denied_parameters, &from.denied_parameters);
    union(&mut into.required_parameters, &from.required_parameters);
    union(&mut into.mfa_methods, &from.mfa_methods);
    union(&mut into.subscribe_event_types, &from.subscribe_event_types);
    union(&mut into.control_groups, &from.control_groups);
    if from.pagination_limit > 0 && (into.pagination_limit <= 0 || from.pagination_limit < into.pagination_limit) {
        into.pagination_limit = from.pagination_limit;
    }
    if into.list_filter.is_none() {
        into.list_filter.clone_from(&from.list_filter);
    }
}

fn merge_parameters(into: &mut BTreeMap<String, Vec<Value>>, from: &BTreeMap<String, Vec<Value>>) {
    for (name, values) in from {
        match into.get_mut(name) {
            None => {
                into.insert(name.clone(), values.clone());
            }
            Some(present) if values.is_empty() || present.is_empty() => present.clear(),
            Some(present) => {
                let mut merged = values.clone();
                merged.append(present);
                *present = merged;
            }
        }
    }
}

fn union(into: &mut Vec<String>, from: &[String]) {
    for word in from {
        if !into.contains(word) {
            into.push(word.clone());
        }
    }
}

/// Whether a request satisfies the constraints, its capability being there.
///
/// `wrap_ttl_ns` is the wrapping TTL asked for, none where the request asks for no wrapping.
///
/// # Errors
///
/// The first constraint, in the servers' order, that refuses it.
pub fn check(
    profile: Profile,
    operation: Operation,
    constraints: &Constraints,
    data: Option<&Data>,
    wrap_ttl_ns: Option<i64>,
) -> Result<(), Refusal> {
    check_wrapping(constraints, wrap_ttl_ns)?;
    match operation {
        Operation::Read | Operation::Create | Operation::Update | Operation::Patch | Operation::Recover => {
            check_parameters(profile, constraints, data)
        }
        Operation::List | Operation::Scan if profile.is_openbao() => check_pagination(constraints, data),
        _ => Ok(()),
    }
}

fn check_wrapping(constraints: &Constraints, ttl_ns: Option<i64>) -> Result<(), Refusal> {
    let (min_ns, max_ns) = (constraints.min_wrapping_ttl_ns, constraints.max_wrapping_ttl_ns);
    if max_ns > 0 {
        match ttl_ns {
            None => return Err(Refusal::NotWrapped("max_wrapping_ttl")),
            Some(ttl) if ttl > max_ns => return Err(Refusal::WrapTooLong { max_ns }),
            Some(_) => {}
        }
    }
    if min_ns > 0 {
        match ttl_ns {
            None => return Err(Refusal::NotWrapped("min_wrapping_ttl")),
            Some(ttl) if ttl < min_ns => return Err(Refusal::WrapTooShort { min_ns }),
            Some(_) => {}
        }
    }
    if min_ns != 0 && max_ns != 0 && max_ns < min_ns {
        return Err(Refusal::WrapContradiction);
    }
    Ok(())
}

fn check_parameters(profile: Profile, constraints: &Constraints, data: Option<&Data>) -> Result<(), Refusal> {
    for name in &constraints.required_parameters {
        if !data.is_some_and(|d| d.contains_key(&*lower(name))) {
            return Err(Refusal::Missing(name.clone()));
        }
    }
    let Some(data) = data.filter(|d| !d.is_empty()) else {
        return Ok(());
    };
    let denied = &constraints.denied_parameters;
    if denied.contains_key("*") {
        return Err(Refusal::AllDenied);
    }
    if !denied.is_empty() {
        for (name, value) in data {
            let key = lower(name);
            let Some(values) = denied.get(&*key) else {
                continue;
            };
            let value = normalized(profile, &key, value);
            if values.is_empty() || is_denied(profile, &value, values) {
                return Err(Refusal::Denied {
                    name: name.clone(),
                    any_value: values.is_empty(),
                });
            }
        }
    }
    let allowed = &constraints.allowed_parameters;
    let any_allowed = allowed.contains_key("*");
    if allowed.is_empty() || (allowed.len() == 1 && any_allowed) {
        return Ok(());
    }
    for (name, value) in data {
        let key = lower(name);
        match allowed.get(&*key) {
            None if any_allowed => {}
            None => return Err(Refusal::NotAllowed(name.clone())),
            Some(values) => {
                let value = normalized(profile, &key, value);
                if !values.is_empty() && !is_allowed(profile, &value, values) {
                    return Err(Refusal::ValueNotAllowed(name.clone()));
                }
            }
        }
    }
    Ok(())
}

/// `OpenBao` bounds the `limit` of LIST and SCAN where the stanza says so.
fn check_pagination(constraints: &Constraints, data: Option<&Data>) -> Result<(), Refusal> {
    let most = constraints.pagination_limit;
    if most <= 0 {
        return Ok(());
    }
    let refused = Err(Refusal::Pagination(most));
    let Some(value) = data.and_then(|d| d.get("limit")) else {
        let required = constraints.required_parameters.iter().any(|p| lower(p) == "limit");
        return if required { refused } else { Ok(()) };
    };
    let limit = match value {
        Value::String(text) if text == "max" => return Ok(()),
        Value::String(text) if text.is_empty() => Some(0),
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_i64(),
        Value::Bool(flag) => Some(i64::from(*flag)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    match limit {
        Some(limit) if (0..=most).contains(&limit) => Ok(()),
        _ => refused,
    }
}

/// Policy names are lower-cased by the newest servers before they are compared.
fn normalized<'v>(profile: Profile, key: &str, value: &'v Value) -> Cow<'v, Value> {
    if !profile.lower_cases_values_of(key) {
        return Cow::Borrowed(value);
    }
    let lowered = |v: &Value| match v {
        Value::String(text) => Value::String(lower(text).into_owned()),
        other => other.clone(),
    };
    match value {
        Value::Array(items) => Cow::Owned(Value::Array(items.iter().map(lowered).collect())),
        Value::String(_) => Cow::Owned(lowered(value)),
        _ => Cow::Borrowed(value),
    }
}

fn is_allowed(profile: Profile, value: &Value, list: &[Value]) -> bool {
    if in_list(value, list) {
        return true;
    }
    match (profile.value_rule(), value) {
        (ValueRule::Elements, Value::Array(items)) => items.iter().all(|v| in_list(v, list)),
        (ValueRule::Elements, Value::String(text)) => comma_parts(text).all(|part| text_in_list(part, list)),
        _ => false,
    }
}

fn is_denied(profile: Profile, value: &Value, list: &[Value]) -> bool {
    if in_list(value, list) {
        return true;
    }
    match (profile.value_rule(), value) {
        (ValueRule::Elements, Value::Array(items)) => items.iter().any(|v| in_list(v, list)),
        (ValueRule::Elements, Value::String(text)) => comma_parts(text).any(|part| text_in_list(part, list)),
        _ => false,
    }
}

/// The parts of a string that the newest servers take for a comma-separated list; the empty string is the empty list.
fn comma_parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(move |_| !text.is_empty())
}

fn in_list(value: &Value, list: &[Value]) -> bool {
    match value {
        Value::String(text) => text_in_list(text, list),
        _ => list.iter().any(|item| deep_equal(item, value, true)),
    }
}

fn text_in_list(text: &str, list: &[Value]) -> bool {
    list.iter()
        .any(|item| matches!(item, Value::String(glob) if glob_matches(glob, text)))
}

/// A `*` at either end of `glob` matches anything; elsewhere, and alone, it is a letter.
fn glob_matches(glob: &str, text: &str) -> bool {
    if glob.len() < 2 {
        return glob == text;
    }
    match (glob.strip_prefix('*'), glob.strip_suffix('*')) {
        (Some(rest), Some(_)) => text.contains(rest.strip_suffix('*').unwrap_or(rest)),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => glob == text,
    }
}

/// Deep equality as the servers' language has it between a value of a policy and one of a request.
///
/// Numbers never equal: a policy's are machine integers or floats, a request's keep the JSON text, and the servers compare types too.
/// An object of a policy equals one of a request only directly inside a list; elsewhere the policy parser makes a list of objects of it.
fn deep_equal(policy: &Value, request: &Value, in_list: bool) -> bool {
    match (policy, request) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| deep_equal(a, b, true))
        }
        (Value::Object(a), Value::Object(b)) => {
            in_list && a.len() == b.len() && a.iter().all(|(k, a)| b.get(k).is_some_and(|b| deep_equal(a, b, false)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn constraints(allowed: &Value, denied: &Value) -> Constraints {
        let lists = |v: &Value| {
            let object = v.as_object().unwrap();
            object
                .iter()
                .map(|(k, v)| (k.clone(), v.as_array().unwrap().clone()))
                .collect()
        };
        Constraints {
            allowed_parameters: lists(allowed),
            denied_parameters: lists(denied),
            ..Constraints::default()
        }
    }

    fn asked(profile: Profile, constraints: &Constraints, data: &Value) -> bool {
        check(profile, Operation::Update, constraints, data.as_object(), None).is_ok()
    }

    #[test]
    fn values_match_whole_or_by_element() {
        let allowed = constraints(&json!({"k": ["a*", "b", true, 1, ["x", "y"], {"m": "n"}]}), &json!({}));
        let denied = constraints(&json!({}), &json!({"k": ["b", "*mid*"]}));
        // Value sent; allowed by the old servers, by the newest; refused by the old ones' denial, by the newest's.
        for (value, old, new, old_denied, new_denied) in [
            (json!("abc"), true, true, false, false),
            (json!("b"), true, true, true, true),
            (json!("a1, b"), true, true, false, true),
            (json!("b,a1"), false, true, false, true),
            (json!("b,c"), false, false, false, true),
            (json!(""), false, true, false, false),
            (json!(["a", "b"]), false, true, false, true),
            (json!([]), false, true, false, false),
            (json!(["x", "y"]), true, true, false, false),
            (json!(true), true, true, false, false),
            (json!(1), false, false, false, false),
            (json!({"m": "n"}), true, true, false, false),
            (json!(null), false, false, false, false),
            (json!("in mid air"), false, false, true, true),
        ] {
            let data = json!({"K": value});
            for (profile, want, want_denied) in [
                (Profile::Vault113, old, old_denied),
                (Profile::Vault203, new, new_denied),
            ] {
                assert_eq!(asked(profile, &allowed, &data), want, "{profile} allows {data}");
                assert_eq!(!asked(profile, &denied, &data), want_denied, "{profile} denies {data}");
            }
        }
    }

    #[test]
    fn policy_names_are_lower_cased_by_the_newest_servers() {
        let denied = constraints(&json!({}), &json!({"token_policies": ["admin"]}));
        for data in [
            json!({"token_policies": "Admin"}),
            json!({"Token_Policies": ["x", "ADMIN"]}),
        ] {
            assert!(asked(Profile::Vault113, &denied, &data));
            assert!(!asked(Profile::Vault203, &denied, &data));
        }
    }

    #[test]
    fn required_parameters_are_lower_cased_and_the_data_is_not() {
        let required = Constraints {
            required_parameters: vec!["TTL".to_owned()],
            ..Constraints::default()
        };
        assert!(asked(Profile::default(), &required, &json!({"ttl": 1})));
        assert!(!asked(Profile::default(), &required, &json!({"TTL": 1})));
        assert!(check(Profile::default(), Operation::Delete, &required, None, None).is_ok());
    }

    #[test]
    fn openbao_bounds_the_limit_of_lists() {
        let bounded = Constraints {
            pagination_limit: 10,
            ..Constraints::default()
        };
        let list = |profile, data: Value| check(profile, Operation::List, &bounded, data.as_object(), None).is_ok();
        for (limit, want) in [
            (json!("max"), true),
            (json!("10"), true),
            (json!(11), false),
            (json!(-1), false),
            (json!("x"), false),
        ] {
            assert_eq!(list(Profile::OpenBao26, json!({"limit": limit})), want, "{limit}");
        }
        assert!(list(Profile::OpenBao26, json!({})));
        assert!(list(Profile::Vault203, json!({"limit": 99})));
    }

    #[test]
    fn merging_keeps_the_smaller_ttl_and_joins_the_lists() {
        let mut merged = Constraints {
            max_wrapping_ttl_ns: 60,
            ..constraints(&json!({"a": ["x"], "b": []}), &json!({}))
        };
        let further = Constraints {
            max_wrapping_ttl_ns: 50,
            min_wrapping_ttl_ns: 55,
            ..constraints(&json!({"a": ["y"], "b": ["z"], "c": ["w"]}), &json!({}))
        };
        merge(&mut merged, &further);
        assert_eq!((merged.min_wrapping_ttl_ns, merged.max_wrapping_ttl_ns), (55, 50));
        assert_eq!(
            json!(merged.allowed_parameters),
            json!({"a": ["y", "x"], "b": [], "c": ["w"]})
        );
        let refused = check(Profile::default(), Operation::Read, &merged, None, Some(50));
        assert_eq!(refused, Err(Refusal::WrapTooShort { min_ns: 55 }));
    }
}
