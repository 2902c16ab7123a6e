//! Values of Terraform, as far as they are known before a provider is asked. A value is the very one that Terraform has, or it is not
//! known: numbers are whole and within bounds, two values are the same only where Terraform's types say so too.

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
/// Numbers from here on are not worked out: Terraform has 512 bits for them, other readers of the same text 53.
const MAX_NUMBER: i64 = 1 << 53;

/// What is said of a number that is not worked out.
const ODD_NUMBER: &str = "a number that is not whole, or large";

/// What a list or map is to Terraform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A tuple or an object: each value has a type of its own.
    Own,
    /// A list or a map; or which of all is not known.
    Any,
    /// A set.
    Set,
}

/// What holds values, with what all of them weigh, each as often as it is reached. What is shared takes no room twice, but
/// whoever walks through it comes by twice: what weighs too much is not made.
#[derive(Debug, Clone)]
pub struct Held<T> {
    inner: T,
    /// What it is to Terraform.
    pub form: Form,
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
    /// A whole number. [`Value::whole`] makes them.
    Number(i64),
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

    /// A number, where it is one that is worked out.
    ///
    /// # Errors
    /// Where it is not.
    pub fn whole(number: Option<i64>) -> Result<Self, Arc<str>> {
        match number {
            Some(number) if number.abs_diff(0) < MAX_NUMBER.abs_diff(0) => Ok(Self::Number(number)),
            _ => Err(ODD_NUMBER.into()),
        }
    }

    /// A number as it is written; unknown where it is not whole, or large.
    #[must_use]
    pub fn written(number: &str) -> Self {
        Self::whole(digits(number)).unwrap_or_else(Self::Unknown)
    }

    /// How many.
    #[must_use]
    pub fn count(number: usize) -> Self {
        Self::whole(i64::try_from(number).ok()).unwrap_or_else(Self::Unknown)
    }

    /// A tuple; unknown where it is too much.
    #[must_use]
    pub fn tuple(items: Vec<Self>) -> Self {
        Self::listed(items, Form::Own)
    }

    /// A list; unknown where it is too much.
    #[must_use]
    pub fn list(items: Vec<Self>) -> Self {
        Self::listed(items, Form::Any)
    }

    /// A list of a form; unknown where it is too much.
    #[must_use]
    pub fn listed(items: Vec<Self>, form: Form) -> Self {
        match weighed(items.iter()) {
            Ok((weight, depth)) => Self::List(Arc::new(Held {
                inner: items,
                form,
                weight,
                depth,
            })),
            Err(why) => Self::Unknown(why),
        }
    }

    /// A map; unknown where it is too much.
    #[must_use]
    pub fn map(entries: BTreeMap<Arc<str>, Self>) -> Self {
        Self::mapped(entries, Form::Any)
    }

    /// A map of a form; unknown where it is too much, or where two of its names may be one to Terraform.
    #[must_use]
    pub fn mapped(entries: BTreeMap<Arc<str>, Self>, form: Form) -> Self {
        if !entries.keys().all(|name| settled(name)) {
            return Self::unknown("a name in a map may be another to Terraform");
        }
        let names: usize = entries.keys().map(|name| name.len()).sum();
        match weighed(entries.values()) {
            Ok((weight, depth)) => Self::Map(Arc::new(Held {
                inner: entries,
                form,
                weight: weight.saturating_add(names),
                depth,
            })),
            Err(why) => Self::Unknown(why),
        }
    }

    /// An object of a few names.
    #[must_use]
    pub fn object<const N: usize>(fields: [(&str, Self); N]) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name.into(), value));
        Self::mapped(fields.collect(), Form::Own)
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
            Self::Number(number) => Ok(Text::made(number.to_string())),
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
    pub fn number(&self) -> Result<i64, Arc<str>> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Text(text) => match Self::whole(digits(&text.text))? {
                Self::Number(number) => Ok(number),
                _ => Err(ODD_NUMBER.into()),
            },
            Self::Unknown(why) => Err(Arc::clone(why)),
            _ => Err("a number is none".into()),
        }
    }

    /// Its items with what they are called: of a list in order, of a map by name; those of a set are called what they are.
    ///
    /// # Errors
    /// Why there are none.
    pub fn items(&self) -> Result<Vec<(Value, Value)>, Arc<str>> {
        match self {
            Self::List(items) if items.form == Form::Set => {
                Ok(items.iter().map(|item| (item.clone(), item.clone())).collect())
            }
            Self::List(items) => Ok(items
                .iter()
                .enumerate()
                .map(|(n, item)| (Self::count(n), item.clone()))
                .collect()),
            Self::Map(entries) => Ok(entries
                .iter()
                .map(|(key, value)| (Self::made(Arc::clone(key)), value.clone()))
                .collect()),
            Self::Unknown(why) => Err(Arc::clone(why)),
            _ => Err("a list or map is none".into()),
        }
    }

    /// Whether a text in it is such a one.
    #[must_use]
    pub fn says(&self, such: fn(&str) -> bool) -> bool {
        match self {
            Self::Text(text) => such(&text.text),
            Self::List(items) => items.iter().any(|item| item.says(such)),
            Self::Map(entries) => entries.values().any(|value| value.says(such)),
            _ => false,
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

    /// Whether both are the same, as `==` says; none where that is not known. To Terraform values of two types are never the same, and a
    /// list is of another type than a tuple: only of what is written out as it is, is it known.
    #[must_use]
    pub fn same(&self, other: &Self) -> Option<bool> {
        Some(match (self, other) {
            (Self::Unknown(_), _) | (_, Self::Unknown(_)) => return None,
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => {
                let same = a.text == b.text;
                let known = same || (settled(&a.text) && settled(&b.text));
                return known.then_some(same);
            }
            (Self::List(a), Self::List(b)) if a.form == Form::Own && b.form == Form::Own => {
                let pairs = a.iter().zip(b.iter());
                a.len() == b.len() && Self::all_same(pairs)?
            }
            (Self::Map(a), Self::Map(b)) if a.form == Form::Own && b.form == Form::Own => {
                let pairs = a.values().zip(b.values());
                a.keys().eq(b.keys()) && Self::all_same(pairs)?
            }
            (Self::List(_), Self::List(_)) | (Self::Map(_), Self::Map(_)) => return None,
            _ => false,
        })
    }

    fn all_same<'v>(pairs: impl Iterator<Item = (&'v Self, &'v Self)>) -> Option<bool> {
        let mut all = true;
        for (a, b) in pairs {
            all &= a.same(b)?;
        }
        Some(all)
    }

    /// Whether it is a set whose order is Terraform's alone.
    #[must_use]
    pub fn without_order(&self) -> bool {
        let simple = |item: &Self| matches!(item, Self::Text(_) | Self::Number(_) | Self::Bool(_));
        matches!(self, Self::List(items) if items.form == Form::Set && items.len() > 1 && !items.iter().all(simple))
    }

    /// Of JSON or YAML.
    #[must_use]
    pub fn of_node(node: &Node) -> Self {
        if node.odd {
            return Self::unknown("a value of YAML that not all readers take for the same");
        }
        match &node.kind {
            Kind::Null => Self::Null,
            Kind::Bool(yes) => Self::Bool(*yes),
            Kind::Number(number) => Self::written(number),
            Kind::Text(text) => Self::Text(text.clone()),
            Kind::List(items) => Self::tuple(items.iter().map(Self::of_node).collect()),
            Kind::Map(entries) => Self::mapped(
                entries
                    .iter()
                    .map(|(key, value)| (Arc::clone(key), Self::of_node(value)))
                    .collect(),
                Form::Own,
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
            Self::Number(number) => Kind::Number(number.to_string().into()),
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
            odd: false,
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
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Text(text) => out.push_str(&json_text(&text.text)?),
            Self::List(_) if self.without_order() => return Err(NO_ORDER.into()),
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
                    out.push_str(&json_text(key)?);
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

/// Why what is made of a set in order is not known.
pub const NO_ORDER: &str = "the order of a set is Terraform's alone";

/// A text in JSON, as Terraform writes it.
fn json_text(text: &str) -> Result<String, Arc<str>> {
    if text.contains(['\u{8}', '\u{c}']) {
        return Err("how a character is written in JSON is not known".into());
    }
    Ok(serde_json::Value::from(text)
        .to_string()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029"))
}

/// A whole number as everybody writes it.
fn digits(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Whether a text stays what it is where Terraform brings it into its normal form (NFC), also beside another such text: no letter in it is
/// written in several ways.
#[must_use]
pub fn settled(text: &str) -> bool {
    text.is_ascii()
        || text.chars().all(|c| {
            matches!(c,
                '\0'..='\u{2ff}'
                | '\u{400}'..='\u{482}'
                | '\u{48a}'..='\u{52f}'
                | '\u{2010}'..='\u{205e}'
                | '\u{2190}'..='\u{22ff}'
                | '\u{2500}'..='\u{27bf}'
                | '\u{3041}'..='\u{3096}'
                | '\u{30a1}'..='\u{30fe}'
                | '\u{4e00}'..='\u{9fff}'
                | '\u{ac00}'..='\u{d7a3}'
                | '\u{1f300}'..='\u{1faff}')
        })
}
