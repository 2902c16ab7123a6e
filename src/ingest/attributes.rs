//! Objects that other notations stand for: the values of OpenTelemetry, which say of what kind each is, and lines of `name=value`
//! (logfmt). Both become the object that they mean, in which the entry is looked for as in any other.

use super::scan;
use serde_json::{Map, Value};

/// The longest line of `name=value` that is taken apart.
const MOST_BYTES: usize = 64 << 20;

/// The member of OpenTelemetry's values that are objects.
const KVLIST: &str = "kvlistValue";

/// An object with the values of OpenTelemetry that are objects in plain; none if there are none in it.
#[must_use]
pub fn plain(object: &[u8]) -> Option<String> {
    memchr::memmem::find(object, KVLIST.as_bytes())?;
    let mut value: Value = serde_json::from_slice(object).ok()?;
    in_plain(&mut value).then(|| value.to_string())
}

/// Puts each value that is an object into plain; whether there was one.
fn in_plain(value: &mut Value) -> bool {
    if let Some(meant) = as_list(value).map(|pairs| pairs.map(Value::Object)) {
        return meant.is_some_and(|meant| {
            *value = meant;
            true
        });
    }
    match value {
        Value::Object(members) => members.values_mut().fold(false, |any, value| in_plain(value) | any),
        Value::Array(items) => items.iter_mut().fold(false, |any, value| in_plain(value) | any),
        _ => false,
    }
}

/// The members of a value that is an object; none inside if it is otherwise than OpenTelemetry writes it.
fn as_list(value: &Value) -> Option<Option<Map<String, Value>>> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    let pairs = object.get(KVLIST)?.get("values").and_then(Value::as_array)?;
    let pairs = pairs.iter().map(|pair| {
        let key = pair.get("key")?.as_str()?.to_owned();
        Some((key, meant(pair.get("value")?)?))
    });
    Some(pairs.collect())
}

/// What a value of OpenTelemetry means.
fn meant(value: &Value) -> Option<Value> {
    let object = value.as_object()?;
    let Some((kind, inner)) = object.iter().next().filter(|_| object.len() == 1) else {
        return object.is_empty().then_some(Value::Null);
    };
    match &**kind {
        "intValue" => match inner {
            Value::String(digits) => digits.parse::<i64>().ok().map(Value::from),
            number => Some(number.clone()),
        },
        "stringValue" | "boolValue" | "doubleValue" | "bytesValue" => Some(inner.clone()),
        "arrayValue" => {
            let items = inner.get("values").and_then(Value::as_array)?;
            items.iter().map(meant).collect::<Option<_>>().map(Value::Array)
        }
        KVLIST => as_list(value)?.map(Value::Object),
        _ => None,
    }
}

/// The object that a line of `name=value` stands for; none if it is none, or no object stands in it.
#[must_use]
pub fn of_pairs(line: &[u8]) -> Option<String> {
    if line.len() > MOST_BYTES {
        return None;
    }
    memchr::memmem::find(line, b"=\"{")?;
    let mut rest = line.trim_ascii();
    let mut pairs = Map::new();
    while !rest.is_empty() {
        let is_name = |c: &u8| c.is_ascii_alphanumeric() || b"_-.@/".contains(c);
        let name = rest.iter().position(|c| !is_name(c))?;
        let (name, behind) = rest.split_at(name);
        let behind = behind.strip_prefix(b"=").filter(|_| !name.is_empty())?;
        let end = match behind.first() {
            Some(b'"') => scan::string(behind, 0).ok()?,
            _ => behind.iter().position(u8::is_ascii_whitespace).unwrap_or(behind.len()),
        };
        let (value, next) = behind.split_at(end);
        if !next.first().is_none_or(u8::is_ascii_whitespace) {
            return None;
        }
        let text = match scan::unquoted(value) {
            Some(_) => serde_json::from_slice(value).ok()?,
            None => Value::from(std::str::from_utf8(value).ok()?),
        };
        pairs.insert(String::from_utf8_lossy(name).into_owned(), text);
        rest = next.trim_ascii_start();
    }
    Some(Value::Object(pairs).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_say_their_kind_are_read_as_what_they_are() {
        let text = r#"{"logs":[{"body":{"kvlistValue":{"values":[{"key":"a","value":{"stringValue":"x"}},{"key":"n","value":{"intValue":"7"}},
            {"key":"l","value":{"arrayValue":{"values":[{"boolValue":true},{"kvlistValue":{"values":[]}}]}}},{"key":"o","value":{}}]}},"host":{"stringValue":"h"}}]}"#;
        let want = serde_json::json!({"logs": [{"body": {"a": "x", "n": 7, "l": [true, {}], "o": null}, "host": {"stringValue": "h"}}]});
        let plain: Value = serde_json::from_str(&plain(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(plain, want);
        for text in [
            r#"{"body":{"stringValue":"x"}}"#,
            r#"{"body":{"kvlistValue":{"values":[{"key":"a","value":{"odd":1}}]}}}"#,
            r#"{"body":{"kvlistValue":7}}"#,
        ] {
            assert_eq!(super::plain(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn pairs_are_an_object_if_all_of_the_line_is() {
        let object = of_pairs(br#"time=2026 level=info msg="{\"a\":\"b\"}""#).unwrap();
        let object: Value = serde_json::from_str(&object).unwrap();
        let want = serde_json::json!({"time": "2026", "level": "info", "msg": r#"{"a":"b"}"#});
        assert_eq!(object, want);
        for line in [
            r#"core: got msg="{\"a\":1}""#,
            r#"msg="{\"a\":1}" and more"#,
            r#"msg="{\"a\":1}"x"#,
            r#"msg="{\"a\":1"#,
            "a=1 b=2",
            "",
        ] {
            assert_eq!(of_pairs(line.as_bytes()), None, "{line}");
        }
    }
}
