//! From one type to another.

use super::{Call, Care, Function, Why, function, set};
use crate::sources::terraform::unify::unified;
use crate::sources::terraform::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    function("tostring", (1, 1), Care::Any, to_string),
    function("tobool", (1, 1), Care::Any, to_bool),
    function("tolist", (1, 1), Care::Any, to_list),
    function("toset", (1, 1), Care::Settled, to_set),
    function("tomap", (1, 1), Care::Any, to_map),
    function("nonsensitive", (1, 1), Care::Any, same),
    function("sensitive", (1, 1), Care::Any, same),
    function("ephemeralasnull", (1, 1), Care::Any, same),
];

fn to_string(call: &Call<'_>) -> Result<Value, Why> {
    Ok(Value::Text(call.placed(0)?))
}

fn to_bool(call: &Call<'_>) -> Result<Value, Why> {
    Ok(match call.get(0)? {
        Value::Null => Value::Null,
        value => Value::Bool(value.truth()?),
    })
}

fn to_list(call: &Call<'_>) -> Result<Value, Why> {
    call.list(call.alike(0)?)
}

fn to_set(call: &Call<'_>) -> Result<Value, Why> {
    set(call.world, call.items(0)?)
}

fn to_map(call: &Call<'_>) -> Result<Value, Why> {
    let map = call.map(0)?;
    call.world.works(call.get(0)?.steps())?;
    let values = unified(map.values().cloned().collect())?;
    call.entries(map.keys().cloned().zip(values).collect())
}

fn same(call: &Call<'_>) -> Result<Value, Why> {
    Ok(call.get(0)?.clone())
}
