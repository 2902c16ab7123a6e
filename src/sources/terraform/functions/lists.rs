//! Lists, and what works on lists and maps alike.

use super::{Call, Care, Function, MANY, MAX_ITEMS, TOO_LONG, Why, function};
use crate::sources::terraform::unify::{loosened, unified};
use crate::sources::terraform::value::{Form, NO_ORDER, Value};
use crate::sources::text::Text;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Function] = &[
    function("length", (1, 1), Care::Any, length),
    function("concat", (1, MANY), Care::Any, concat),
    function("flatten", (1, 1), Care::Any, flatten),
    function("distinct", (1, 1), Care::Settled, distinct),
    function("compact", (1, 1), Care::Any, compact),
    function("element", (2, 2), Care::Any, element),
    function("one", (1, 1), Care::Any, one),
    function("slice", (3, 3), Care::Any, slice),
    function("reverse", (1, 1), Care::Any, reverse),
    function("sort", (1, 1), Care::Settled, sort),
    function("range", (1, 3), Care::Plain, range),
    function("contains", (2, 2), Care::Settled, contains),
    function("index", (2, 2), Care::Settled, index),
    function("alltrue", (1, 1), Care::Plain, all_true),
    function("anytrue", (1, 1), Care::Plain, any_true),
    function("coalesce", (1, MANY), Care::Any, coalesce),
    function("coalescelist", (1, MANY), Care::Any, coalesce),
];

fn length(call: &Call<'_>) -> Result<Value, Why> {
    match call.get(0)? {
        text @ Value::Text(letters) if Care::Plain.takes(text) => Ok(Value::count(letters.text.len())),
        Value::Text(_) => Err("`length(…)` of a text that is not plain ASCII".into()),
        Value::List(items) => Ok(Value::count(items.len())),
        Value::Map(entries) => Ok(Value::count(entries.len())),
        _ => Err("`length(…)` of what has none".into()),
    }
}

fn concat(call: &Call<'_>) -> Result<Value, Why> {
    let mut all = Vec::new();
    let mut forms = BTreeSet::new();
    for n in 0..call.arguments.len() {
        if let Value::List(items) = call.get(n)? {
            forms.insert(items.form == Form::Own);
        }
        all.extend(ordered(call, n)?);
        if all.len() > MAX_ITEMS {
            return Err(TOO_LONG.into());
        }
    }
    match (forms.contains(&true), forms.contains(&false)) {
        (true, false) => call.listed(all, Form::Own),
        // Lists alone become one of one type.
        (false, _) => {
            call.world.works(all.iter().map(Value::steps).sum())?;
            call.list(unified(all)?)
        }
        (true, true) => call.list(all),
    }
}

fn flatten(call: &Call<'_>) -> Result<Value, Why> {
    let mut out = Vec::new();
    call.world.works(call.get(0)?.steps())?;
    flatten_into(call.items(0)?, &mut out)?;
    call.listed(out, Form::Own)
}

fn flatten_into(items: Vec<Value>, out: &mut Vec<Value>) -> Result<(), Why> {
    for item in items {
        match item {
            Value::List(_) if item.without_order() => return Err(NO_ORDER.into()),
            Value::List(inner) => flatten_into(inner.to_vec(), out)?,
            Value::Unknown(why) => return Err(why),
            other => out.push(other),
        }
        if out.len() > MAX_ITEMS {
            return Err(TOO_LONG.into());
        }
    }
    Ok(())
}

fn distinct(call: &Call<'_>) -> Result<Value, Why> {
    let mut kept: Vec<Value> = Vec::new();
    let mut seen = BTreeSet::new();
    for item in call.alike(0)? {
        if seen.insert(call.json(&item)?) {
            kept.push(item);
        }
    }
    call.list(kept)
}

fn compact(call: &Call<'_>) -> Result<Value, Why> {
    let items = call.items(0)?;
    // Whether it stays is not known.
    if let Some(why) = items.iter().find_map(|item| match item {
        Value::Unknown(why) => Some(why),
        _ => None,
    }) {
        return Err(Arc::clone(why));
    }
    let texts = items
        .iter()
        .filter(|item| !matches!(item, Value::Null))
        .map(Value::text);
    let texts = texts.collect::<Result<Vec<Text>, Why>>()?.into_iter();
    call.list(texts.filter(|text| !text.text.is_empty()).map(Value::Text).collect())
}

fn element(call: &Call<'_>) -> Result<Value, Why> {
    let items = ordered(call, 0)?;
    let none = || Why::from("`element(…)` has no such item");
    let index = call.place(1)?.checked_rem(items.len()).ok_or_else(none)?;
    items.get(index).cloned().ok_or_else(none)
}

fn one(call: &Call<'_>) -> Result<Value, Why> {
    let items = call.items(0)?;
    match items.as_slice() {
        [] => Ok(Value::Null),
        [only] => Ok(only.clone()),
        _ => Err("`one(…)` is given more than one".into()),
    }
}

fn slice(call: &Call<'_>) -> Result<Value, Why> {
    let items = ordered(call, 0)?;
    match items.get(call.place(1)?..call.place(2)?) {
        Some(part) => as_first(call, part.to_vec()),
        None => Err("`slice(…)` has no such part".into()),
    }
}

/// A list that is a tuple where the first argument, of which it is made, is one.
fn as_first(call: &Call<'_>, items: Vec<Value>) -> Result<Value, Why> {
    let own = matches!(call.get(0)?, Value::List(of) if of.form == Form::Own);
    call.listed(items, if own { Form::Own } else { Form::Any })
}

/// The items of what has an order of its own.
fn ordered(call: &Call<'_>, n: usize) -> Result<Vec<Value>, Why> {
    match call.get(n)? {
        Value::List(of) if of.form == Form::Set => Err(format!("`{}(…)` is given a set", call.name).into()),
        _ => call.items(n),
    }
}

fn reverse(call: &Call<'_>) -> Result<Value, Why> {
    let mut items = call.items(0)?;
    items.reverse();
    as_first(call, items)
}

fn sort(call: &Call<'_>) -> Result<Value, Why> {
    let mut items: Vec<Text> = call.items(0)?.iter().map(Value::text).collect::<Result<_, _>>()?;
    items.sort_by(|a, b| a.text.cmp(&b.text));
    call.list(items.into_iter().map(Value::Text).collect())
}

fn range(call: &Call<'_>) -> Result<Value, Why> {
    let all: Vec<i64> = (0..call.arguments.len())
        .map(|n| call.get(n)?.number())
        .collect::<Result<_, _>>()?;
    // Without a step it goes down where the end is below the start.
    let towards = |from: i64, to: i64| if to < from { -1 } else { 1 };
    let (from, to, step) = match *all.as_slice() {
        [to] => (0, to, towards(0, to)),
        [from, to] => (from, to, towards(from, to)),
        [from, to, step] => (from, to, step),
        _ => return Err("`range(…)` takes one to three numbers".into()),
    };
    let way = to - from;
    if step == 0 || (way != 0 && (way < 0) != (step < 0)) {
        return Err("the step of `range(…)` does not lead to its end".into());
    }
    let count = way.unsigned_abs().div_ceil(step.unsigned_abs());
    if count > MAX_ITEMS as u64 {
        return Err(TOO_LONG.into());
    }
    call.world.works(count as usize)?;
    let numbers = (0..).map(|n| from + step * n).take(count as usize);
    call.list(numbers.map(Value::Number).collect())
}

fn contains(call: &Call<'_>) -> Result<Value, Why> {
    let wanted = call.get(1)?;
    call.world.works(call.get(0)?.steps())?;
    let mut found = false;
    for item in call.items(0)? {
        match item.same(wanted) {
            Some(true) => found = true,
            Some(false) => {}
            None => return Err(item.unknown_inside().unwrap_or_else(|| "it is not known".into())),
        }
    }
    Ok(Value::Bool(found))
}

fn index(call: &Call<'_>) -> Result<Value, Why> {
    let wanted = call.get(1)?;
    call.world.works(call.get(0)?.steps())?;
    let items = ordered(call, 0)?;
    for (n, item) in items.iter().enumerate() {
        match item.same(wanted) {
            Some(true) => return Ok(Value::count(n)),
            Some(false) => {}
            None => return Err(item.unknown_inside().unwrap_or_else(|| "it is not known".into())),
        }
    }
    Err("`index(…)` finds nothing".into())
}

fn all_true(call: &Call<'_>) -> Result<Value, Why> {
    Ok(Value::Bool(truths(call)?.iter().all(|t| *t)))
}

fn any_true(call: &Call<'_>) -> Result<Value, Why> {
    Ok(Value::Bool(truths(call)?.iter().any(|t| *t)))
}

fn truths(call: &Call<'_>) -> Result<Vec<bool>, Why> {
    call.items(0)?.iter().map(Value::truth).collect()
}

fn coalesce(call: &Call<'_>) -> Result<Value, Why> {
    for n in 0..call.arguments.len() {
        let value = call.get(n)?;
        let empty = match value {
            Value::Null => true,
            Value::Text(text) => call.name == "coalesce" && text.text.is_empty(),
            Value::List(items) => call.name == "coalescelist" && items.is_empty(),
            _ => false,
        };
        if empty {
            continue;
        }
        if matches!(value, Value::Text(_)) {
            return Ok(value.clone());
        }
        // All are of one type.
        let all = std::iter::once(value).chain(&call.arguments).cloned();
        call.world.works(call.arguments.iter().map(Value::steps).sum())?;
        let one = unified(all.collect())?.into_iter().next();
        return one.map(loosened).ok_or_else(|| "`coalesce(…)` finds nothing".into());
    }
    Err("`coalesce(…)` finds nothing".into())
}
