//! Values of Terraform, as far as they are known before a provider is asked.

use crate::sources::node::{Kind, Node};
use crate::sources::text::Text;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

/// The most that a value may weigh: its letters, and [`ITEM`] for each value in it.
const MAX_WEIGHT: usize = 32 * 1024 * 1024;
/// What a value in a list or map weighs beside its letters.
pub const ITEM: usize = 16;
/// How deep values may be in each other.
const MAX_DEPTH: usize = 200;

/// What holds values, with what all of them weigh, each as often as it is reached. What is shared takes no room twice, but
/// whoever walks through it comes by twice: what weighs too much is not made.
#[derive(Debug, Clone)]
pub struct Held<T> {
    inner: T,
    weight: usize,
    depth: usize,
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

/// The entries of a map.
pub type Entries = Held<BTreeMap<Arc<str>, Value>>;

/// A value.
#[derive(Debug, Clone)]
pub enum Value {
    /// `null`
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(Text),
    /// A list, tuple or set.
    List(Arc<Held<Vec<Value>>>),
    /// A map or object.
    Map(Arc<Entries>),
    /// What is not known here, and why.
    Unknown(Arc<str>),
}

impl Value {
    /// Unknown, and why.
    #[must_use]
    pub fn unknown(why: impl Into<Arc<str>>) -> Self {
        Self::Unknown(why.into())
    }

    /// A text that was worked out.
    #[must_use]
    pub fn made(text: impl Into<Arc<str>>) -> Self {
        Self::Text(Text::made(text))
    }

    /// A list; unknown where it is too much.
    #[must_use]
    pub fn list(items: Vec<Self>) -> Self {
        match weighed(items.iter()) {
            Ok((weight, depth)) => Self::List(Arc::new(Held {
                inner: items,
                weight,
                depth,
            })),
            Err(why) => Self::Unknown(why),
        }
    }

    /// A map; unknown where it is too much.
    #[must_use]
    pub fn map(entries: BTreeMap<Arc<str>, Self>) -> Self {
        let names: usize = entries.keys().map(|name| name.len()).sum();
        match weighed(entries.values()) {
            Ok((weight, depth)) => Self::Map(Arc::new(Held {
                inner: entries,
                weight: weight.saturating_add(names),
                depth,
            })),
            Err(why) => Self::Unknown(why),
        }
    }

    /// A map of a few names.
    #[must_use]
    pub fn object<const N: usize>(fields: [(&str, Self); N]) -> Self {
        Self::map(fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    /// Its letters, and [`ITEM`] for each value in it.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.text.len().saturating_add(ITEM),
            Self::List(items) => items.weight,
            Self::Map(entries) => entries.weight,
            _ => ITEM,
        }
    }

    /// How many steps it takes to walk through it.
    #[must_use]
    pub fn steps(&self) -> usize {
        match self {
            Self::List(_) | Self::Map(_) => self.weight() / ITEM,
            _ => 1,
        }
    }

    fn depth(&self) -> usize {
        match self {
            Self::List(items) => items.depth,
            Self::Map(entries) => entries.depth,
            _ => 0,
        }
    }

    /// As a text; numbers and truth as they are written.
    ///
    /// # Errors
    /// Why it is none.
    pub fn text(&self) -> Result<Text, Arc<str>> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Bool(yes) => Ok(Text::made(yes.to_string())),
            Self::Number(number) => Ok(Text::made(number_text(*number))),
            Self::Unknown(why) => Err(Arc::clone(why)),
            Self::Null => Err("a text is `null`".into()),
            Self::List(_) | Self::Map(_) => Err("a text is a list or a map".into()),
        }
    }

    /// As true or false.
    ///
    /// # Errors
    /// Why it is neither.
    pub fn truth(&self) -> Result<bool, Arc<str>> {
        match self {
            Self::Bool(yes) => Ok(*yes),
            Self::Text(text) if &*text.text == "true" => Ok(true),
            Self::Text(text) if &*text.text == "false" => Ok(false),
            Self::Unknown(why) => Err(Arc::clone(why)),
            _ => Err("a condition is neither true nor false".into()),
        }
    }

    /// As a number.
    ///
    /// # Errors
    /// Why it is none.
    pub fn number(&self) -> Result<f64, Arc<str>> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Text(text) => {
                let digits = text.text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
                let number = text
                    .text
                    .parse()
                    .ok()
                    .filter(|number: &f64| digits && number.is_finite());
                number.ok_or_else(|| "a number is none".into())
            }
            Self::Unknown(why) => Err(Arc::clone(why)),
            _ => Err("a number is none".into()),
        }
    }

    /// Its items: of a list in order, of a map by name.
    ///
    /// # Errors
    /// Why there are none.
    pub fn items(&self) -> Result<Vec<(Value, Value)>, Arc<str>> {
        match self {
            Self::List(items) => Ok(items
                .iter()
                .enumerate()
                .map(|(n, item)| (Self::Number(n as f64), item.clone()))
                .collect()),
            Self::Map(entries) => Ok(entries
                .iter()
                .map(|(key, value)| (Self::made(Arc::clone(key)), value.clone()))
                .collect()),
            Self::Unknown(why) => Err(Arc::clone(why)),
            _ => Err("a list or map is none".into()),
        }
    }

    /// The first thing in it that is not known.
    #[must_use]
    pub fn unknown_inside(&self) -> Option<Arc<str>> {
        match self {
            Self::Unknown(why) => Some(Arc::clone(why)),
            Self::List(items) => items.iter().find_map(Self::unknown_inside),
            Self::Map(entries) => entries.values().find_map(Self::unknown_inside),
            _ => None,
        }
    }

    /// Whether both are the same, as `==` says; none where that is not known.
    #[must_use]
    pub fn same(&self, other: &Self) -> Option<bool> {
        Some(match (self, other) {
            (Self::Unknown(_), _) | (_, Self::Unknown(_)) => return None,
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a.text == b.text,
            (Self::List(a), Self::List(b)) => {
                if a.len() != b.len() {
                    return Some(false);
                }
                for (a, b) in a.iter().zip(b.iter()) {
                    if !a.same(b)? {
                        return Some(false);
                    }
                }
                true
            }
            (Self::Map(a), Self::Map(b)) => {
                if a.len() != b.len() || !a.keys().eq(b.keys()) {
                    return Some(false);
                }
                for (a, b) in a.values().zip(b.values()) {
                    if !a.same(b)? {
                        return Some(false);
                    }
                }
                true
            }
            _ => false,
        })
    }

    /// Of JSON or YAML.
    #[must_use]
    pub fn of_node(node: &Node) -> Self {
        match &node.kind {
            Kind::Null => Self::Null,
            Kind::Bool(yes) => Self::Bool(*yes),
            Kind::Number(number) => Self::Number(*number),
            Kind::Text(text) => Self::Text(text.clone()),
            Kind::List(items) => Self::list(items.iter().map(Self::of_node).collect()),
            Kind::Map(entries) => Self::map(
                entries
                    .iter()
                    .map(|(key, value)| (Arc::clone(key), Self::of_node(value)))
                    .collect(),
            ),
        }
    }

    /// As JSON with its places.
    ///
    /// # Errors
    /// What in it is not known.
    pub fn node(&self) -> Result<Node, Arc<str>> {
        let kind = match self {
            Self::Null => Kind::Null,
            Self::Bool(yes) => Kind::Bool(*yes),
            Self::Number(number) => Kind::Number(*number),
            Self::Text(text) => Kind::Text(text.clone()),
            Self::List(items) => Kind::List(items.iter().map(Self::node).collect::<Result<_, _>>()?),
            Self::Map(entries) => Kind::Map(
                entries
                    .iter()
                    .map(|(key, value)| Ok((Arc::clone(key), value.node()?)))
                    .collect::<Result<_, Arc<str>>>()?,
            ),
            Self::Unknown(why) => return Err(Arc::clone(why)),
        };
        Ok(Node {
            kind,
            range: 0..0,
            line: None,
        })
    }

    /// As JSON, as `jsonencode` writes it.
    ///
    /// # Errors
    /// What in it is not known.
    pub fn json(&self) -> Result<String, Arc<str>> {
        let mut out = String::new();
        self.write_json(&mut out)?;
        Ok(out)
    }

    fn write_json(&self, out: &mut String) -> Result<(), Arc<str>> {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&number_text(*number)),
            Self::Text(text) => out.push_str(&json_text(&text.text)),
            Self::List(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    item.write_json(out)?;
                }
                out.push(']');
            }
            Self::Map(entries) => {
                out.push('{');
                for (n, (key, value)) in entries.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    out.push_str(&json_text(key));
                    out.push(':');
                    value.write_json(out)?;
                }
                out.push('}');
            }
            Self::Unknown(why) => return Err(Arc::clone(why)),
        }
        Ok(())
    }
}

/// What values weigh together, and how deep they are in each other.
fn weighed<'v>(values: impl Iterator<Item = &'v Value>) -> Result<(usize, usize), Arc<str>> {
    let (weight, depth) = values.fold((ITEM, 0), |(weight, depth), value| {
        (weight.saturating_add(value.weight()), depth.max(value.depth()))
    });
    if weight > MAX_WEIGHT || depth >= MAX_DEPTH {
        return Err("a list or map is larger than is made".into());
    }
    Ok((weight, depth + 1))
}

/// A text in JSON, `<`, `>` and `&` spelt out as Terraform does.
fn json_text(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

/// A number as Terraform writes it.
#[must_use]
pub fn number_text(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        format!("{number:.0}")
    } else {
        number.to_string()
    }
}
