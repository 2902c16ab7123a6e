//! Sets.

use super::{Call, Care, Function, MANY, MAX_ITEMS, TOO_LONG, Why, function};
use crate::sources::terraform::value::{Form, NO_ORDER, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

type Texts = BTreeSet<Arc<str>>;

pub(super) const FUNCTIONS: &[Function] = &[
    function("setunion", (1, MANY), Care::Settled, union),
    function("setintersection", (1, MANY), Care::Settled, intersection),
    function("setsubtract", (2, 2), Care::Settled, difference),
    function("setproduct", (2, MANY), Care::Any, product),
];

fn union(call: &Call<'_>) -> Result<Value, Why> {
    folded(call, |all, other| all.extend(other))
}

fn intersection(call: &Call<'_>) -> Result<Value, Why> {
    folded(call, |all, other| all.retain(|item| other.contains(item)))
}

fn difference(call: &Call<'_>) -> Result<Value, Why> {
    folded(call, |all, other| all.retain(|item| !other.contains(item)))
}

/// The first set, and what each other one makes of it.
fn folded(call: &Call<'_>, with: impl Fn(&mut Texts, Texts)) -> Result<Value, Why> {
    let mut all = texts(call, 0)?;
    for n in 1..call.arguments.len() {
        with(&mut all, texts(call, n)?);
    }
    call.listed(all.into_iter().map(Value::made).collect(), Form::Set)
}

/// The texts of a set, sorted.
fn texts(call: &Call<'_>, n: usize) -> Result<Texts, Why> {
    let items = call.items(n)?.into_iter();
    items
        .map(|item| match item {
            Value::Text(text) => Ok(text.text),
            _ => Err(format!("`{}(…)` of what is no text", call.name).into()),
        })
        .collect()
}

fn product(call: &Call<'_>) -> Result<Value, Why> {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for n in 0..call.arguments.len() {
        if matches!(call.get(n)?, Value::List(of) if of.form == Form::Set) {
            return Err(NO_ORDER.into());
        }
        let items = call.alike(n)?;
        let count = rows.len().saturating_mul(items.len());
        if count > MAX_ITEMS {
            return Err(TOO_LONG.into());
        }
        call.world.works(count)?;
        call.world.makes(count.saturating_mul((n + 1) * size_of::<Value>()))?;
        rows = rows
            .iter()
            .flat_map(|row| {
                items.iter().map(|item| {
                    let mut longer = row.clone();
                    longer.push(item.clone());
                    longer
                })
            })
            .collect();
    }
    call.list(rows.into_iter().map(Value::tuple).collect())
}
