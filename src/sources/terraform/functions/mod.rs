//! The functions of Terraform that need nothing but their arguments and files of the repository.

mod encodings;
mod files;
mod format;
mod lists;
mod maps;
mod numbers;
mod replace;
mod sets;
mod texts;
mod types;

pub use encodings::placeless;

use super::eval::{Scope, Why, World};
use super::unify::unified;
use super::value::{Entries, Form, NO_ORDER, Value, settled};
use crate::origin::{Level, Piece};
use crate::sources::text::{Builder, Text};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest list that is made.
const MAX_ITEMS: usize = 100_000;
const TOO_LONG: &str = "a list is longer than is made";
/// What it takes to hold a piece of a text, in bytes.
const PIECE: usize = size_of::<Piece>() + size_of::<Level>();

/// All functions that are worked out, by subject.
const FUNCTIONS: [&[Function]; 10] = [
    files::FUNCTIONS,
    encodings::FUNCTIONS,
    texts::FUNCTIONS,
    replace::FUNCTIONS,
    format::FUNCTIONS,
    numbers::FUNCTIONS,
    types::FUNCTIONS,
    lists::FUNCTIONS,
    maps::FUNCTIONS,
    sets::FUNCTIONS,
];

/// A function, with how many arguments it takes.
struct Function {
    name: &'static str,
    least: usize,
    most: usize,
    care: Care,
    work: Work,
}

/// What a function makes of the arguments of a call.
type Work = fn(&Call<'_>) -> Result<Value, Why>;

const MANY: usize = usize::MAX;

const fn function(name: &'static str, (least, most): (usize, usize), care: Care, work: Work) -> Function {
    Function {
        name,
        least,
        most,
        care,
        work,
    }
}

/// Which texts a function makes of them what Terraform makes: there a text is a row of what people see as letters, in their normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Care {
    /// All: it hands them on.
    Any,
    /// Those that have no other form.
    Settled,
    /// Those of ASCII alone, each letter of which stands for itself.
    Plain,
}

impl Care {
    fn takes(self, value: &Value) -> bool {
        match value {
            Value::Text(text) => match self {
                Self::Any => true,
                Self::Settled => settled(&text.text),
                Self::Plain => text.text.is_ascii() && !text.text.contains('\r'),
            },
            Value::List(items) => self == Self::Any || items.iter().all(|item| self.takes(item)),
            Value::Map(entries) => self == Self::Any || entries.values().all(|item| self.takes(item)),
            _ => true,
        }
    }
}

/// Calls a function.
///
/// # Errors
/// What is not known, or not understood.
pub fn call(world: &World<'_>, scope: &Scope<'_>, name: &str, arguments: Vec<Value>) -> Result<Value, Why> {
    files::noted(world, scope, name, &arguments);
    let mut all = FUNCTIONS.into_iter().flatten();
    let known = all.find(|function| function.name == name);
    let function = known.ok_or_else(|| Why::from(format!("`{name}(…)`")))?;
    if !(function.least..=function.most).contains(&arguments.len()) {
        return Err(format!("`{name}(…)` is given too many or too few").into());
    }
    for argument in &arguments {
        world.works(argument.steps())?;
        if !function.care.takes(argument) {
            return Err(format!("`{name}(…)` of a text that is not plain ASCII").into());
        }
    }
    (function.work)(&Call {
        world,
        scope,
        name,
        arguments,
    })
}

/// A call: its arguments, and what is made of them within bounds.
struct Call<'c> {
    world: &'c World<'c>,
    scope: &'c Scope<'c>,
    name: &'c str,
    arguments: Vec<Value>,
}

impl Call<'_> {
    fn get(&self, n: usize) -> Result<&Value, Why> {
        match self.arguments.get(n) {
            Some(Value::Unknown(why)) => Err(Arc::clone(why)),
            Some(value) => Ok(value),
            None => Err(format!("`{}(…)` lacks an argument", self.name).into()),
        }
    }

    /// A text with its places.
    fn placed(&self, n: usize) -> Result<Text, Why> {
        self.get(n)?.text()
    }

    fn text(&self, n: usize) -> Result<Arc<str>, Why> {
        Ok(self.placed(n)?.text)
    }

    /// The items of a list, in an order that is known.
    fn items(&self, n: usize) -> Result<Vec<Value>, Why> {
        let value = self.get(n)?;
        if !matches!(value, Value::List(_)) {
            return Err(format!("`{}(…)` is given no list", self.name).into());
        }
        if value.without_order() {
            return Err(NO_ORDER.into());
        }
        let items = self.world.items(self.get(n)?)?;
        Ok(items.into_iter().map(|(_, value)| value).collect())
    }

    fn map(&self, n: usize) -> Result<&Arc<Entries>, Why> {
        match self.get(n)? {
            Value::Map(entries) => Ok(entries),
            _ => Err(format!("`{}(…)` is given no map", self.name).into()),
        }
    }

    /// The items of a list of one type.
    fn alike(&self, n: usize) -> Result<Vec<Value>, Why> {
        let items = self.items(n)?;
        self.world.works(self.get(n)?.steps())?;
        unified(items)
    }

    /// A number that is an index or a length.
    fn place(&self, n: usize) -> Result<usize, Why> {
        usize::try_from(self.get(n)?.number()?).map_err(|_| format!("`{}(…)` of a number below zero", self.name).into())
    }

    /// A text that was put together.
    fn built(&self, builder: Builder) -> Result<Text, Why> {
        let built = builder.finish();
        self.world.makes(built.cost())?;
        Ok(built)
    }

    fn made(&self, text: String) -> Result<Value, Why> {
        self.world.makes(text.len())?;
        Ok(Value::made(text))
    }

    fn list(&self, items: Vec<Value>) -> Result<Value, Why> {
        self.listed(items, Form::Any)
    }

    fn listed(&self, items: Vec<Value>, form: Form) -> Result<Value, Why> {
        listed(self.world, items, form)
    }

    fn entries(&self, entries: BTreeMap<Arc<str>, Value>) -> Result<Value, Why> {
        let one = size_of::<Value>() + size_of::<Arc<str>>();
        self.world.works(entries.len())?;
        self.world.makes(entries.len().saturating_mul(one))?;
        Ok(Value::map(entries))
    }

    fn json(&self, value: &Value) -> Result<String, Why> {
        json(self.world, value)
    }
}

/// Items as a set: each once, in Terraform's order where it is known.
///
/// # Errors
/// What is not known.
pub fn set(world: &World<'_>, items: Vec<Value>) -> Result<Value, Why> {
    world.works(items.iter().map(Value::steps).sum())?;
    let items = unified(items)?;
    let texts = items.iter().any(|item| matches!(item, Value::Text(_)));
    if !items.iter().all(|item| Care::Settled.takes(item)) {
        return Err("a set of texts that may be others to Terraform".into());
    }
    // Numbers by what they are, all others by how they are written.
    let mut by_key: BTreeMap<(i64, String), Value> = BTreeMap::new();
    for item in items {
        let key = match &item {
            Value::Null if texts => return Err("a set that holds `null`".into()),
            Value::Text(text) => (0, text.text.to_string()),
            Value::Number(number) => (*number, String::new()),
            other => (0, json(world, other)?),
        };
        by_key.entry(key).or_insert(item);
    }
    listed(world, by_key.into_values().collect(), Form::Set)
}

/// A list within bounds.
fn listed(world: &World<'_>, items: Vec<Value>, form: Form) -> Result<Value, Why> {
    if items.len() > MAX_ITEMS {
        return Err(TOO_LONG.into());
    }
    world.makes(items.len().saturating_mul(size_of::<Value>()))?;
    Ok(Value::listed(items, form))
}

/// A value as JSON, within bounds.
fn json(world: &World<'_>, value: &Value) -> Result<String, Why> {
    world.works(value.steps())?;
    let json = value.json()?;
    world.makes(json.len())?;
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_function_has_one_place() {
        let mut seen = BTreeSet::new();
        for function in FUNCTIONS.into_iter().flatten() {
            assert!(seen.insert(function.name), "`{}` is there twice", function.name);
        }
    }
}
