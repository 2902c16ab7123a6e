//! Maps.

use super::{Call, Care, Function, MANY, PIECE, Why, function};
use crate::sources::terraform::unify::unified;
use crate::sources::terraform::value::{Form, Value, settled};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Function] = &[
    function("keys", (1, 1), Care::Any, keys),
    function("values", (1, 1), Care::Any, values),
    function("merge", (0, MANY), Care::Any, merge),
    function("lookup", (2, 3), Care::Any, lookup),
    function("zipmap", (2, 2), Care::Any, zip),
];

fn keys(call: &Call<'_>) -> Result<Value, Why> {
    let keys = call.map(0)?;
    call.world.works(keys.len())?;
    call.world.makes(keys.len().saturating_mul(PIECE))?;
    call.list(keys.keys().map(|k| Value::made(Arc::clone(k))).collect())
}

fn values(call: &Call<'_>) -> Result<Value, Why> {
    let values = call.map(0)?;
    call.world.works(values.len())?;
    call.list(values.values().cloned().collect())
}

fn merge(call: &Call<'_>) -> Result<Value, Why> {
    let mut all = BTreeMap::new();
    for n in 0..call.arguments.len() {
        if matches!(call.get(n)?, Value::Null) {
            continue;
        }
        call.world.works(call.map(n)?.len())?;
        all.extend(call.map(n)?.iter().map(|(k, v)| (Arc::clone(k), v.clone())));
    }
    call.entries(all)
}

fn lookup(call: &Call<'_>) -> Result<Value, Why> {
    let key = call.text(1)?;
    let map = call.map(0)?;
    if !settled(&key) {
        return Err("`lookup(…)` of a name that may be another to Terraform".into());
    }
    let (value, other) = (map.get(&*key), call.arguments.get(2));
    let one = match (value, other) {
        (Some(value), _) => value,
        (None, Some(other)) => other,
        (None, None) => return Err("`lookup(…)` finds nothing".into()),
    };
    // In a map all values are of one type, and so is what stands for one.
    let texts = |value: &Value| matches!(value, Value::Text(_) | Value::Null);
    if map.form == Form::Own || (map.values().all(texts) && texts(one)) {
        return Ok(one.clone());
    }
    if other.is_some_and(texts) {
        return Err("`lookup(…)` in a map of other values".into());
    }
    let others = map.values().chain(other).cloned();
    call.world.works(call.get(0)?.steps())?;
    let all = unified(std::iter::once(one.clone()).chain(others).collect())?;
    all.into_iter().next().ok_or_else(|| "`lookup(…)` finds nothing".into())
}

fn zip(call: &Call<'_>) -> Result<Value, Why> {
    let keys = call.items(0)?;
    let values = call.items(1)?;
    if keys.len() != values.len() {
        return Err("`zipmap(…)` is given lists of several lengths".into());
    }
    let mut all = BTreeMap::new();
    for (key, value) in keys.iter().zip(values) {
        all.insert(key.text()?.text, value);
    }
    call.entries(all)
}
