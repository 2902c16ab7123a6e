//! Values that Terraform makes of one type: the items of a list, and the two that a condition chooses from. Where that changes what
//! is in them, or may, they are not known.

use super::value::{Form, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why values are not known that are to be of one type.
const UNLIKE: &str = "values of several types become ones of one type";

/// The type of a value, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Null,
    Unknown,
    Bool,
    Number,
    Text,
    Tuple(Vec<Kind>),
    List(Box<Kind>),
    Set(Box<Kind>),
    Object(BTreeMap<Arc<str>, Kind>),
    Map(Box<Kind>),
}

/// Values as they are when they are of one type.
///
/// # Errors
/// Where something in them may change.
pub fn unified(values: Vec<Value>) -> Result<Vec<Value>, Arc<str>> {
    if let [] | [_] = values.as_slice() {
        return Ok(values);
    }
    let simple = |value: &Value| matches!(value, Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_));
    if values.iter().any(|value| matches!(value, Value::Text(_))) && values.iter().all(simple) {
        return values
            .into_iter()
            .map(|value| match value {
                Value::Null => Ok(value),
                value => Ok(Value::Text(value.text()?)),
            })
            .collect();
    }
    let kinds: Vec<Kind> = values.iter().map(kind).collect::<Result<_, _>>()?;
    let (first, others) = kinds.split_first().ok_or(UNLIKE)?;
    let alike = others.iter().all(|other| other == first) && surely(first);
    both_all(&kinds)?;
    Ok(if alike {
        values
    } else {
        values.into_iter().map(loosened).collect()
    })
}

/// A value that may be of another form than it is written in.
#[must_use]
pub fn loosened(value: Value) -> Value {
    match value {
        Value::List(items) => {
            let form = if items.form == Form::Set { Form::Set } else { Form::Any };
            Value::listed(items.iter().cloned().map(loosened).collect(), form)
        }
        Value::Map(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| (Arc::clone(key), loosened(value.clone())));
            Value::mapped(entries.collect(), Form::Any)
        }
        other => other,
    }
}

fn kind(value: &Value) -> Result<Kind, Arc<str>> {
    Ok(match value {
        Value::Null => Kind::Null,
        Value::Unknown(_) => Kind::Unknown,
        Value::Bool(_) => Kind::Bool,
        Value::Number(_) => Kind::Number,
        Value::Text(_) => Kind::Text,
        Value::List(items) => {
            let kinds: Vec<Kind> = items.iter().map(kind).collect::<Result<_, _>>()?;
            match items.form {
                Form::Own => Kind::Tuple(kinds),
                Form::Any => Kind::List(Box::new(both_all(&kinds)?)),
                Form::Set => Kind::Set(Box::new(both_all(&kinds)?)),
            }
        }
        Value::Map(entries) => {
            let kinds: BTreeMap<Arc<str>, Kind> = entries
                .iter()
                .map(|(key, value)| Ok((Arc::clone(key), kind(value)?)))
                .collect::<Result<_, Arc<str>>>()?;
            match (entries.form, both_all(kinds.values())) {
                (Form::Any | Form::Set, Ok(one)) => Kind::Map(Box::new(one)),
                _ => Kind::Object(kinds),
            }
        }
    })
}

/// Whether nothing about a type is open.
fn surely(kind: &Kind) -> bool {
    match kind {
        Kind::Null | Kind::Unknown | Kind::List(_) | Kind::Set(_) | Kind::Map(_) => false,
        Kind::Bool | Kind::Number | Kind::Text => true,
        Kind::Tuple(kinds) => kinds.iter().all(surely),
        Kind::Object(kinds) => kinds.values().all(surely),
    }
}

fn both_all<'k>(kinds: impl IntoIterator<Item = &'k Kind>) -> Result<Kind, Arc<str>> {
    kinds.into_iter().try_fold(Kind::Null, |all, kind| both(&all, kind))
}

/// What values of two types are together, where no value in them changes.
fn both(one: &Kind, other: &Kind) -> Result<Kind, Arc<str>> {
    let boxed = |kinds: &mut dyn Iterator<Item = &Kind>| both_all(kinds).map(Box::new);
    Ok(match (one, other) {
        (Kind::Null, kind) | (kind, Kind::Null) => kind.clone(),
        (Kind::Unknown, Kind::Unknown) => Kind::Unknown,
        // Whatever it is, a text stays what it is beside it.
        (Kind::Unknown, Kind::Text) | (Kind::Text, Kind::Unknown) | (Kind::Text, Kind::Text) => Kind::Text,
        (Kind::Bool, Kind::Bool) => Kind::Bool,
        (Kind::Number, Kind::Number) => Kind::Number,
        (Kind::Tuple(a), Kind::Tuple(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).map(|(a, b)| both(a, b));
            Kind::Tuple(pairs.collect::<Result<_, _>>()?)
        }
        (Kind::Tuple(a), Kind::Tuple(b)) => Kind::List(boxed(&mut a.iter().chain(b))?),
        (Kind::Tuple(items), Kind::List(of)) | (Kind::List(of), Kind::Tuple(items)) => {
            Kind::List(boxed(&mut items.iter().chain([&**of]))?)
        }
        (Kind::List(a), Kind::List(b)) => Kind::List(Box::new(both(a, b)?)),
        (Kind::Set(a), Kind::Set(b)) => Kind::Set(Box::new(both(a, b)?)),
        (Kind::Object(a), Kind::Object(b)) if a.keys().eq(b.keys()) => {
            let pairs = a
                .iter()
                .zip(b.values())
                .map(|((key, a), b)| Ok((Arc::clone(key), both(a, b)?)));
            Kind::Object(pairs.collect::<Result<_, Arc<str>>>()?)
        }
        (Kind::Object(a), Kind::Object(b)) => Kind::Map(boxed(&mut a.values().chain(b.values()))?),
        (Kind::Object(entries), Kind::Map(of)) | (Kind::Map(of), Kind::Object(entries)) => {
            Kind::Map(boxed(&mut entries.values().chain([&**of]))?)
        }
        (Kind::Map(a), Kind::Map(b)) => Kind::Map(Box::new(both(a, b)?)),
        _ => return Err(UNLIKE.into()),
    })
}
