//! Values as the types of variables make them: what is left out gets its default, what is not declared goes, numbers become
//! texts. An expression that looks at any of that sees what Terraform sees.

use super::eval::{Scope, World};
use super::model::Expr;
use super::unify::unified;
use super::value::{Form, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A type, as far as it changes values.
#[derive(Debug, Clone)]
pub enum Type {
    /// Of anything.
    Any,
    /// `string`
    Text,
    /// `number`
    Number,
    /// `bool`
    Bool,
    /// `list(…)`
    List(Box<Type>),
    /// `set(…)`
    Set(Box<Type>),
    /// `map(…)`
    Map(Box<Type>),
    /// `tuple([…])`
    Tuple(Vec<Type>),
    /// `object({…})`: by name the type, whether it may be left out, and what it is then.
    Object(Vec<(Arc<str>, Type, bool, Option<Expr>)>),
    /// What is not understood.
    Odd,
}

/// A value as its variable's type makes it.
pub fn typed(world: &World<'_>, expr: Option<&Expr>, value: Value) -> Value {
    match expr {
        Some(expr) => made(world, &expr.as_type(), value),
        None => value,
    }
}

fn made(world: &World<'_>, kind: &Type, value: Value) -> Value {
    let inside = || -> Result<Value, Arc<str>> {
        world.works(1)?;
        if matches!(value, Value::Unknown(_) | Value::Null) {
            return Ok(value.clone());
        }
        let items = |kind: &Type| -> Result<Vec<Value>, Arc<str>> {
            if !matches!(value, Value::List(_)) {
                return Err("a variable of a list is given none".into());
            }
            let items = world.items(&value)?.into_iter();
            Ok(items.map(|(_, item)| made(world, kind, item)).collect())
        };
        Ok(match kind {
            Type::Any => value.clone(),
            Type::Text => Value::Text(value.text()?),
            Type::Number => Value::whole(Some(value.number()?))?,
            Type::Bool => Value::Bool(value.truth()?),
            Type::List(of) => Value::list(unified(items(of)?)?),
            Type::Set(of) => super::functions::set(world, items(of)?)?,
            Type::Map(of) => {
                let Value::Map(entries) = &value else {
                    return Err("a variable of a map is given none".into());
                };
                let items = entries.values().map(|item| made(world, of, item.clone())).collect();
                Value::map(entries.keys().cloned().zip(unified(items)?).collect())
            }
            Type::Tuple(kinds) => {
                let Value::List(items) = &value else {
                    return Err("a variable of a tuple is given none".into());
                };
                if items.len() != kinds.len() {
                    return Err("a variable of a tuple is given another".into());
                }
                let pairs = kinds.iter().zip(items.iter());
                Value::tuple(pairs.map(|(kind, item)| made(world, kind, item.clone())).collect())
            }
            Type::Object(fields) => {
                let Value::Map(entries) = &value else {
                    return Err("a variable of an object is given none".into());
                };
                let mut all = BTreeMap::new();
                for (name, kind, may_lack, default) in fields {
                    let given = entries
                        .get(name)
                        .filter(|v| !matches!(v, Value::Null) || default.is_none());
                    let item = match (given, default) {
                        (Some(item), _) => made(world, kind, item.clone()),
                        (None, Some(default)) => made(world, kind, world.value(default, &Scope::nothing())),
                        (None, None) if *may_lack => Value::Null,
                        (None, None) => return Err(format!("an object lacks `{name}`").into()),
                    };
                    all.insert(Arc::clone(name), item);
                }
                Value::mapped(all, Form::Own)
            }
            Type::Odd => return Err("the type of a variable is not understood".into()),
        })
    };
    inside().unwrap_or_else(Value::Unknown)
}
