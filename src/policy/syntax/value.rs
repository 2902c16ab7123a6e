//! Values as the servers' decoder makes them: strings, lists, maps and anything, with what happens when a key comes twice.

use super::ast::{Fault, Item, Kind, Node, Token};
use super::quote::{self as unquote, quote};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The text and the language a tree was read from: what is needed to take a token's value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub text: &'a str,
    pub json: bool,
}

impl<'a> Source<'a> {
    pub(super) fn raw(&self, token: &Token) -> &'a str {
        self.text.get(token.span()).unwrap_or("")
    }

    /// The value of a word, string or heredoc.
    pub(super) fn word(&self, token: &Token) -> Result<String, Fault> {
        unquote::value(token.kind, self.raw(token), self.json).map_err(|what| Fault::new(token.pos, what))
    }
}

/// A value of any kind. A list of blocks is a kind of its own, since a repeated key is added to it as a block.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Any {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Any>),
    Blocks(Vec<BTreeMap<String, Any>>),
    Block(BTreeMap<String, Any>),
}

impl Any {
    pub(super) fn into_json(self) -> Value {
        match self {
            Self::Bool(b) => Value::Bool(b),
            Self::Int(n) => Value::from(n),
            Self::Float(x) => Value::from(x),
            Self::Text(s) => Value::String(s),
            Self::List(items) => Value::Array(items.into_iter().map(Self::into_json).collect()),
            Self::Blocks(blocks) => Value::Array(blocks.into_iter().map(block_json).collect()),
            Self::Block(block) => block_json(block),
        }
    }
}

fn block_json(block: BTreeMap<String, Any>) -> Value {
    Value::Object(block.into_iter().map(|(key, value)| (key, value.into_json())).collect())
}

/// What is decoded: the value of `key = ...` and `key { ... }`, or the labelled blocks `key "label" { ... }` of one key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Given<'t> {
    Node(&'t Node),
    /// Items with how many of their keys are used up.
    Labelled(&'t [(&'t Item, usize)]),
}

impl Given<'_> {
    pub(super) fn fault(&self, message: &str) -> Fault {
        let (pos, what) = match self {
            Self::Node(node) => (node.pos(), node.describe()),
            Self::Labelled(items) => (
                items
                    .first()
                    .and_then(|(item, _)| item.keys.first())
                    .map_or_else(Default::default, |key| key.pos),
                "a labelled block",
            ),
        };
        Fault::new(pos, format!("{message}, found {what}"))
    }
}

/// A string: a string, a heredoc or a number as it is written.
pub(super) fn text(source: Source<'_>, given: Given<'_>) -> Result<String, Fault> {
    match given {
        Given::Node(Node::Literal(token)) if token.kind == Kind::Number => Ok(source.raw(token).to_owned()),
        Given::Node(Node::Literal(token)) if matches!(token.kind, Kind::Str | Kind::Heredoc | Kind::Null) => {
            source.word(token)
        }
        _ => Err(given.fault("expected a string")),
    }
}

/// A list of strings; more of them are added to `into`. Each comes with its token, for messages.
pub(super) fn texts<'t>(
    source: Source<'_>,
    given: Given<'t>,
    into: &mut Vec<(String, Option<&'t Token>)>,
) -> Result<(), Fault> {
    match given {
        Given::Node(Node::List(list)) => {
            for node in &list.items {
                let token = match node {
                    Node::Literal(token) => Some(token),
                    _ => None,
                };
                into.push((text(source, Given::Node(node))?, token));
            }
            Ok(())
        }
        // An empty block is an empty list.
        Given::Node(Node::Object(object)) if object.items.is_empty() => Ok(()),
        _ => Err(given
            .fault("expected a list")
            .expected("a list of strings: `[\"...\", \"...\"]`")),
    }
}

/// A whole number.
pub(super) fn int(source: Source<'_>, given: Given<'_>) -> Result<i64, Fault> {
    match given {
        Given::Node(Node::Literal(token)) if token.kind == Kind::Number => parse_int(source.raw(token), token),
        Given::Node(Node::Literal(token)) if token.kind == Kind::Str => parse_int(&source.word(token)?, token),
        _ => Err(given.fault("expected a whole number")),
    }
}

fn parse_int(text: &str, token: &Token) -> Result<i64, Fault> {
    go_int(text).ok_or_else(|| Fault::new(token.pos, format!("`{text}` is no whole number of 64 bits")))
}

/// Go's integers with the base told by the text: `0x1f`, `017`, `0o17`, `0b1`, underscores between digits.
pub(super) fn go_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, body, prefixed) = if let Some(body) = lower.strip_prefix("0x") {
        (16, body, true)
    } else if let Some(body) = lower.strip_prefix("0b") {
        (2, body, true)
    } else if let Some(body) = lower.strip_prefix("0o") {
        (8, body, true)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, lower.get(1..)?, true)
    } else {
        (10, lower.as_str(), false)
    };
    let underscores_fit = !body.ends_with('_') && !body.contains("__") && (prefixed || !body.starts_with('_'));
    if body.is_empty() || !underscores_fit || body.contains(['+', '-']) {
        return None;
    }
    let magnitude = i128::from_str_radix(&body.replace('_', ""), base).ok()?;
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// A map of lists of anything, the form of `allowed_parameters`; more is added to `into`.
pub(super) fn lists(source: Source<'_>, given: Given<'_>, into: &mut BTreeMap<String, Vec<Any>>) -> Result<(), Fault> {
    for_each_key(source, given, |key, value| {
        let list = into.entry(key).or_default();
        match value {
            Given::Node(Node::List(items)) => {
                for node in &items.items {
                    list.push(any(source, Given::Node(node), None, true)?);
                }
                Ok(())
            }
            Given::Node(node @ Node::Object(_)) => {
                list.push(any(source, Given::Node(node), None, true)?);
                Ok(())
            }
            _ => Err(value
                .fault("expected a list of values")
                .expected("a list: `[]` for any value, `[\"...\"]` for these")),
        }
    })
}

/// Calls `f` with each key of a block and what was given for it.
fn for_each_key<'t>(
    source: Source<'_>,
    given: Given<'t>,
    mut f: impl FnMut(String, Given<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let items: Vec<(&'t Item, usize)> = match given {
        Given::Node(Node::Object(object)) => object.items.iter().map(|item| (item, 0)).collect(),
        Given::Labelled(items) => items.to_vec(),
        Given::Node(_) => return Err(given.fault("expected a block")),
    };
    let mut words = Vec::with_capacity(items.len());
    for (item, used) in &items {
        match item.keys.get(*used) {
            Some(token) => words.push(source.word(token)?),
            None => return Err(Fault::new(item.value.pos(), "block without a key")),
        }
    }
    // Blocks with labels: all that carry one key, whatever its case, count as one.
    let mut labelled: BTreeMap<String, Vec<(&'t Item, usize)>> = BTreeMap::new();
    if items.iter().any(|(item, used)| item.keys.len() > used + 1) {
        for ((item, used), word) in items.iter().zip(&words) {
            labelled.entry(word.to_lowercase()).or_default().push((*item, used + 1));
        }
    }
    let mut done = BTreeSet::new();
    for ((item, used), key) in items.into_iter().zip(words) {
        if done.contains(&key) {
            continue;
        }
        if item.keys.len() > used + 1 {
            let same = labelled.get(&key.to_lowercase()).map_or(&[][..], Vec::as_slice);
            done.insert(key.clone());
            f(key, Given::Labelled(same))?;
        } else {
            f(key, Given::Node(&item.value))?;
        }
    }
    Ok(())
}

/// Anything. `old` is what an earlier occurrence of the key left; `in_list` is whether it stands directly in a list.
pub(super) fn any(source: Source<'_>, given: Given<'_>, old: Option<Any>, in_list: bool) -> Result<Any, Fault> {
    match old {
        Some(Any::Bool(_)) => boolean(source, given).map(Any::Bool),
        Some(Any::Int(_)) => int(source, given).map(Any::Int),
        Some(Any::Float(_)) => float(source, given).map(Any::Float),
        Some(Any::Text(_)) => text(source, given).map(Any::Text),
        Some(Any::List(mut list)) => {
            match given {
                Given::Node(Node::List(items)) => {
                    for node in &items.items {
                        list.push(any(source, Given::Node(node), None, true)?);
                    }
                }
                Given::Node(node @ Node::Object(_)) => list.push(any(source, Given::Node(node), None, true)?),
                _ => return Err(given.fault("expected a list")),
            }
            Ok(Any::List(list))
        }
        Some(Any::Blocks(mut blocks)) => {
            match given {
                Given::Node(Node::List(items)) => {
                    for node in &items.items {
                        blocks.push(block(source, Given::Node(node), BTreeMap::new())?);
                    }
                }
                Given::Node(Node::Object(_)) => blocks.push(block(source, given, BTreeMap::new())?),
                Given::Labelled(items) => {
                    for item in items {
                        blocks.push(block(source, Given::Labelled(&[*item]), BTreeMap::new())?);
                    }
                }
                Given::Node(Node::Literal(_)) => return Err(given.fault("expected a block")),
            }
            Ok(Any::Blocks(blocks))
        }
        Some(Any::Block(old)) => block(source, given, old).map(Any::Block),
        None => fresh(source, given, in_list),
    }
}

fn fresh(source: Source<'_>, given: Given<'_>, in_list: bool) -> Result<Any, Fault> {
    match given {
        Given::Node(Node::Literal(token)) => match token.kind {
            Kind::Bool => boolean(source, given).map(Any::Bool),
            Kind::Float => float(source, given).map(Any::Float),
            Kind::Number => int(source, given).map(Any::Int),
            _ => text(source, given).map(Any::Text),
        },
        Given::Node(Node::List(_)) => any(source, given, Some(Any::List(Vec::new())), in_list),
        Given::Node(Node::Object(_)) if in_list => block(source, given, BTreeMap::new()).map(Any::Block),
        Given::Node(Node::Object(_)) | Given::Labelled(_) => any(source, given, Some(Any::Blocks(Vec::new())), in_list),
    }
}

fn block(source: Source<'_>, given: Given<'_>, mut old: BTreeMap<String, Any>) -> Result<BTreeMap<String, Any>, Fault> {
    for_each_key(source, given, |key, value| {
        let before = old.remove(&key);
        let now = any(source, value, before, false)?;
        old.insert(key, now);
        Ok(())
    })?;
    Ok(old)
}

fn boolean(source: Source<'_>, given: Given<'_>) -> Result<bool, Fault> {
    match given {
        Given::Node(Node::Literal(token)) if token.kind == Kind::Bool => Ok(source.raw(token) == "true"),
        _ => Err(given.fault("expected `true` or `false`")),
    }
}

fn float(source: Source<'_>, given: Given<'_>) -> Result<f64, Fault> {
    match given {
        Given::Node(Node::Literal(token)) if matches!(token.kind, Kind::Float | Kind::Number) => source
            .raw(token)
            .parse::<f64>()
            .ok()
            .filter(|x| x.is_finite())
            .ok_or_else(|| given.fault("expected a number")),
        _ => Err(given.fault("expected a number")),
    }
}

/// A value as HCL again, its comments left out.
pub(super) fn write_hcl(source: Source<'_>, node: &Node, depth: usize, out: &mut String) -> Result<(), Fault> {
    match node {
        Node::Literal(token) if matches!(token.kind, Kind::Str | Kind::Heredoc | Kind::Null) => {
            out.push_str(&quote(&source.word(token)?));
        }
        Node::Literal(token) => out.push_str(source.raw(token)),
        Node::List(list) => {
            out.push('[');
            for (at, item) in list.items.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write_hcl(source, item, depth + 1, out)?;
            }
            out.push(']');
        }
        Node::Object(object) => {
            out.push_str("{\n");
            for item in &object.items {
                out.push_str(&"  ".repeat(depth + 1));
                for (at, key) in item.keys.iter().enumerate() {
                    let word = source.word(key)?;
                    let plain = at == 0
                        && !matches!(word.as_str(), "" | "true" | "false")
                        && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                    out.push_str(&if plain { word } else { quote(&word) });
                    out.push(' ');
                }
                if !matches!(item.value, Node::Object(_)) {
                    out.push_str("= ");
                }
                write_hcl(source, &item.value, depth + 1, out)?;
                out.push('\n');
            }
            out.push_str(&"  ".repeat(depth));
            out.push('}');
        }
    }
    Ok(())
}
