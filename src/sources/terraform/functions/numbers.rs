//! Numbers.

use super::{Call, Care, Function, MANY, Why, function};
use crate::sources::terraform::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    function("abs", (1, 1), Care::Plain, absolute),
    // All numbers are whole.
    function("ceil", (1, 1), Care::Plain, number),
    function("floor", (1, 1), Care::Plain, number),
    function("tonumber", (1, 1), Care::Plain, number),
    function("max", (1, MANY), Care::Plain, max),
    function("min", (1, MANY), Care::Plain, min),
    function("sum", (1, 1), Care::Plain, sum),
];

fn number(call: &Call<'_>) -> Result<Value, Why> {
    Value::whole(Some(call.get(0)?.number()?))
}

fn absolute(call: &Call<'_>) -> Result<Value, Why> {
    Value::whole(call.get(0)?.number()?.checked_abs())
}

fn numbers(all: &[Value]) -> Result<Vec<i64>, Why> {
    all.iter().map(Value::number).collect()
}

fn max(call: &Call<'_>) -> Result<Value, Why> {
    Value::whole(numbers(&call.arguments)?.into_iter().max())
}

fn min(call: &Call<'_>) -> Result<Value, Why> {
    Value::whole(numbers(&call.arguments)?.into_iter().min())
}

fn sum(call: &Call<'_>) -> Result<Value, Why> {
    let numbers = numbers(&call.items(0)?)?;
    Value::whole(numbers.into_iter().try_fold(0_i64, i64::checked_add))
}
