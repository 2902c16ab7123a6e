//! `format` and `formatlist`.

use super::{Call, Care, Function, MANY, PIECE, Why, function};
use crate::sources::terraform::value::{NO_ORDER, Value};
use crate::sources::text::{Builder, Cutter, Text};

pub(super) const FUNCTIONS: &[Function] = &[
    function("format", (1, MANY), Care::Any, format_one),
    function("formatlist", (1, MANY), Care::Any, format_list),
];

fn format_one(call: &Call<'_>) -> Result<Value, Why> {
    Ok(Value::Text(formatted(call, &call.arguments)?))
}

fn format_list(call: &Call<'_>) -> Result<Value, Why> {
    let mut out = Vec::new();
    for n in 0..rows(call)? {
        let row: Vec<Value> = call
            .arguments
            .iter()
            .map(|value| match value {
                Value::List(items) => items.get(n).cloned().unwrap_or(Value::Null),
                other => other.clone(),
            })
            .collect();
        out.push(Value::Text(formatted(call, &row)?));
    }
    call.list(out)
}

/// How many items each list that is given has.
fn rows(call: &Call<'_>) -> Result<usize, Why> {
    let mut count = None;
    for n in 0..call.arguments.len() {
        let value = call.get(n)?;
        if value.without_order() {
            return Err(NO_ORDER.into());
        }
        if let Value::List(items) = value
            && *count.get_or_insert(items.len()) != items.len()
        {
            return Err("`formatlist(…)` is given lists of several lengths".into());
        }
    }
    Ok(count.unwrap_or(1))
}

/// What a form makes of the arguments behind it.
fn formatted(call: &Call<'_>, arguments: &[Value]) -> Result<Text, Why> {
    let (form, mut rest) = arguments.split_first().ok_or_else(|| odd(call))?;
    let form = form.text()?;
    let mut builder = Builder::default();
    let mut at = 0;
    let text = &*form.text;
    let mut cutter = Cutter::new(&form);
    while let Some(found) = text.get(at..).and_then(|t| t.find('%')).map(|n| at + n) {
        call.world.makes(PIECE)?;
        cutter.part(&mut builder, at..found);
        let verb_at = found + 1;
        let verb = text.get(verb_at..).and_then(|t| t.chars().next());
        let verb = verb.ok_or_else(|| odd(call))?;
        if verb == '%' {
            builder.made("%");
        } else {
            let (value, others) = rest.split_first().ok_or_else(|| odd(call))?;
            rest = others;
            write(call, &mut builder, verb, value)?;
        }
        at = verb_at + verb.len_utf8();
    }
    cutter.part(&mut builder, at..text.len());
    if !rest.is_empty() {
        return Err(odd(call));
    }
    call.built(builder)
}

/// Writes one value as its verb says.
fn write(call: &Call<'_>, builder: &mut Builder, verb: char, value: &Value) -> Result<(), Why> {
    match (verb, value) {
        ('v', Value::List(_) | Value::Map(_)) => builder.made(&call.json(value)?),
        // Longer ones have an exponent.
        ('v', Value::Number(number)) if number.abs() >= 100_000 => return Err(odd(call)),
        ('s' | 'v', _) => {
            let text = value.text()?;
            call.world.makes(text.cost())?;
            builder.text(&text);
        }
        ('d', _) => builder.made(&value.number()?.to_string()),
        ('q', _) => builder.made(&call.json(&Value::Text(value.text()?))?),
        ('t', _) => builder.made(if value.truth()? { "true" } else { "false" }),
        _ => return Err(odd(call)),
    }
    Ok(())
}

fn odd(call: &Call<'_>) -> Why {
    format!("`{}(…)` has a form that is not understood", call.name).into()
}
