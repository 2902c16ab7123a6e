//! The functions of Terraform that need nothing but their arguments and files of the repository.

use super::eval::{Scope, Why, World};
use super::value::{Entries, ITEM, Value};
use crate::origin::{Level, Piece, SourceText, Spelling};
use crate::sources::node::{self, Kind, Node};
use crate::sources::text::{Builder, Cutter, Text};
use crate::sources::yaml;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex_automata::meta;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// The longest list that is made.
const MAX_ITEMS: usize = 100_000;
const TOO_LONG: &str = "a list is longer than is made";
/// How large a regular expression may get, in bytes, and how many steps making one counts for.
const PATTERN_SIZE: usize = 64 * 1024;
const PATTERN_STEPS: usize = 2_000;
/// What it takes to hold a piece of a text, in bytes.
const PIECE: usize = size_of::<Piece>() + size_of::<Level>();

/// Calls a function.
///
/// # Errors
/// What is not known, or not understood.
pub fn call(world: &World<'_>, scope: &Scope<'_>, name: &str, arguments: Vec<Value>) -> Result<Value, Why> {
    let call = Call {
        world,
        scope,
        name,
        arguments,
    };
    call.run()
}

struct Call<'c> {
    world: &'c World<'c>,
    scope: &'c Scope<'c>,
    name: &'c str,
    arguments: Vec<Value>,
}

impl Call<'_> {
    fn run(&self) -> Result<Value, Why> {
        match self.name {
            "file" | "templatefile" | "fileset" | "fileexists" | "templatestring" => self.files(),
            "jsonencode" | "jsondecode" | "yamldecode" | "base64encode" | "base64decode" => self.encodings(),
            "upper" | "lower" | "title" | "trim" | "trimspace" | "trimprefix" | "trimsuffix" | "chomp" | "replace"
            | "substr" | "split" | "join" | "format" | "formatlist" | "indent" | "startswith" | "endswith"
            | "strcontains" | "strrev" | "basename" | "dirname" | "tostring" => self.texts(),
            "abs" | "ceil" | "floor" | "max" | "min" | "sum" | "tonumber" | "parseint" => self.numbers(),
            _ => self.collections(),
        }
    }

    fn get(&self, n: usize) -> Result<&Value, Why> {
        match self.arguments.get(n) {
            Some(Value::Unknown(why)) => Err(Arc::clone(why)),
            Some(value) => Ok(value),
            None => Err(format!("`{}(…)` lacks an argument", self.name).into()),
        }
    }

    fn text(&self, n: usize) -> Result<Arc<str>, Why> {
        Ok(self.get(n)?.text()?.text)
    }

    fn items(&self, n: usize) -> Result<Vec<Value>, Why> {
        let items = self.world.items(self.get(n)?)?;
        Ok(items.into_iter().map(|(_, value)| value).collect())
    }

    fn map(&self, n: usize) -> Result<&Arc<Entries>, Why> {
        match self.get(n)? {
            Value::Map(entries) => Ok(entries),
            _ => Err(format!("`{}(…)` is given no map", self.name).into()),
        }
    }

    /// The items of a list, as texts: a set is sorted, each once.
    fn set(&self, n: usize) -> Result<BTreeSet<Arc<str>>, Why> {
        self.items(n)?.iter().map(|item| Ok(item.text()?.text)).collect()
    }

    /// `replace` with a regular expression: what is between the matches stays what it was, `$1` and `${name}` are groups.
    fn replace_matches(&self, whole: &Text, pattern: &str) -> Result<Value, Why> {
        let text: &str = &whole.text;
        // Terraform's `\d`, `\w` and `\b` are ASCII alone, those here are not: of other texts nothing is said.
        if !text.is_ascii() {
            return Err("`replace(…)` with a regular expression of a text that is not ASCII alone".into());
        }
        let with = self.get(2)?.text()?;
        self.world.works(PATTERN_STEPS + text.len())?;
        let regex = meta::Builder::new()
            .configure(
                meta::Config::new()
                    .nfa_size_limit(Some(PATTERN_SIZE))
                    .onepass_size_limit(Some(PATTERN_SIZE)),
            )
            .build(pattern)
            .map_err(|_| Why::from("`replace(…)` has a regular expression that is not understood, or large"))?;
        // No more than this comes into the place of a match.
        let longest = with.text.len() + with.text.matches('$').count().saturating_mul(text.len());
        let mut builder = Builder::default();
        let mut cutter = Cutter::new(whole);
        let mut at = 0;
        for found in regex.captures_iter(text) {
            let Some(span) = found.get_match().map(|m| m.range()) else {
                continue;
            };
            self.world.makes(longest.saturating_add(PIECE))?;
            let mut made = String::new();
            found.interpolate_string_into(text, &with.text, &mut made);
            cutter.part(&mut builder, at..span.start);
            builder.made(&made);
            at = span.end;
        }
        cutter.part(&mut builder, at..text.len());
        let made = builder.finish();
        self.world.makes(made.cost())?;
        Ok(Value::Text(made))
    }

    fn made(&self, text: String) -> Result<Value, Why> {
        self.world.makes(text.len())?;
        Ok(Value::made(text))
    }

    fn list(&self, items: Vec<Value>) -> Result<Value, Why> {
        list(self.world, items)
    }

    fn entries(&self, entries: BTreeMap<Arc<str>, Value>) -> Result<Value, Why> {
        let one = size_of::<Value>() + size_of::<Arc<str>>();
        self.world.works(entries.len())?;
        self.world.makes(entries.len().saturating_mul(one))?;
        Ok(Value::map(entries))
    }

    /// A value as JSON.
    fn json(&self, value: &Value) -> Result<String, Why> {
        json(self.world, value)
    }

    fn files(&self) -> Result<Value, Why> {
        let folder = self.folder()?;
        let files = self.world.files;
        let failed = |name: &str, why: String| Why::from(format!("`{}(\"{name}\")`: {why}", self.name));
        let name = self.text(0)?;
        let shown = shown(&name);
        match self.name {
            "file" => {
                let source = files.function(&folder, &name).map_err(|why| failed(&shown, why))?;
                self.world.makes(source.text.len())?;
                Ok(Value::Text(Text::file(&source, Spelling::Plain)))
            }
            "templatefile" => {
                let source = files.function(&folder, &name).map_err(|why| failed(&shown, why))?;
                let text = Text::file(&source, Spelling::Template);
                let names = self.map(1)?;
                self.world
                    .deeper(|| Ok(Value::Text(self.world.template_text(&text, names)?)))
            }
            "templatestring" => {
                let names = self.map(1)?;
                let text = Text::made(name);
                self.world
                    .deeper(|| Ok(Value::Text(self.world.template_text(&text, names)?)))
            }
            "fileexists" => {
                let there = files.exists(&folder, &name).map_err(|why| failed(&shown, why))?;
                Ok(Value::Bool(there))
            }
            _ => {
                let below = files.below(&folder, &name).map_err(|why| failed(&shown, why))?;
                // A pattern is tried on each of them.
                self.world.works(below.len().saturating_mul(ITEM))?;
                let found = files
                    .matching(&folder, &folder, &name, &self.text(1)?)
                    .map_err(|why| failed(&shown, why))?;
                self.list(found.into_iter().map(Value::made).collect())
            }
        }
    }

    /// What names of files are relative to: Terraform runs in the folder of the root module.
    fn folder(&self) -> Result<PathBuf, Why> {
        let mut scope = Some(self.scope);
        while let Some(here) = scope {
            if let Some(module) = here.module {
                return Ok(module.root.clone());
            }
            scope = here.parent;
        }
        Err("a template reads no files".into())
    }

    fn encodings(&self) -> Result<Value, Why> {
        match self.name {
            "jsonencode" => {
                let value = self.get(0)?;
                let mut text = Text::made(self.json(value)?);
                text.json = Some(Arc::new(value.node()?));
                Ok(Value::Text(text))
            }
            "jsondecode" | "yamldecode" => {
                let text = self.get(0)?.text()?;
                self.world.makes(text.text.len())?;
                if let Some(node) = &text.json {
                    return Ok(Value::of_node(node));
                }
                let whole = match &*text.pieces {
                    [piece] => piece.levels.first().filter(|level| {
                        piece.levels.len() == 1
                            && level.spelling == Spelling::Plain
                            && level.range == (0..level.source.text.len())
                    }),
                    _ => None,
                };
                let source = whole.map_or_else(
                    || Arc::new(SourceText::new("", Arc::clone(&text.text))),
                    |level| Arc::clone(&level.source),
                );
                let read = if self.name == "jsondecode" {
                    node::json(&source, Spelling::Json)
                } else {
                    yaml::documents(&source).map(|mut all| all.pop().unwrap_or_else(nothing))
                };
                let mut node = read.map_err(|t| Why::from(format!("`{}(…)`: {}", self.name, t.why)))?;
                if whole.is_none() {
                    placeless(&mut node);
                }
                Ok(Value::of_node(&node))
            }
            "base64encode" => self.made(STANDARD.encode(self.text(0)?.as_bytes())),
            _ => {
                let bytes = STANDARD
                    .decode(self.text(0)?.as_bytes())
                    .map_err(|_| Why::from("`base64decode(…)` is given no base64"))?;
                let text = String::from_utf8(bytes).map_err(|_| Why::from("`base64decode(…)` makes no text"))?;
                self.made(text)
            }
        }
    }

    fn texts(&self) -> Result<Value, Why> {
        match self.name {
            "join" => return self.join(),
            "format" => return Ok(Value::Text(self.format(&self.arguments)?)),
            "formatlist" => return self.format_list(),
            "tostring" => return Ok(Value::Text(self.get(0)?.text()?)),
            _ => {}
        }
        let whole = self.get(0)?.text()?;
        let text = &*whole.text;
        // What only cuts keeps its places.
        let cut = |kept: &str| {
            let start = kept.as_ptr() as usize - text.as_ptr() as usize;
            Ok(Value::Text(whole.part(start..start + kept.len())))
        };
        match self.name {
            "upper" => self.made(text.to_uppercase()),
            "lower" => self.made(text.to_lowercase()),
            "title" => self.made(titled(text)),
            "strrev" => self.made(text.chars().rev().collect()),
            "trimspace" => cut(text.trim()),
            "chomp" => cut(text.trim_end_matches(['\n', '\r'])),
            "trim" => {
                let off: BTreeSet<char> = self.text(1)?.chars().collect();
                cut(text.trim_matches(|c| off.contains(&c)))
            }
            "trimprefix" => cut(text.strip_prefix(&*self.text(1)?).unwrap_or(text)),
            "trimsuffix" => cut(text.strip_suffix(&*self.text(1)?).unwrap_or(text)),
            "replace" => {
                let what = self.text(1)?;
                if what.len() > 1 && what.starts_with('/') && what.ends_with('/') {
                    return self.replace_matches(&whole, what.get(1..what.len() - 1).unwrap_or_default());
                }
                let with = self.get(2)?.text()?;
                let mut builder = Builder::default();
                let mut cutter = Cutter::new(&whole);
                let mut at = 0;
                for (found, _) in text.match_indices(&*what) {
                    self.world.makes(with.text.len() + PIECE)?;
                    cutter.part(&mut builder, at..found);
                    builder.made(&with.text);
                    at = found + what.len();
                }
                cutter.part(&mut builder, at..text.len());
                let made = builder.finish();
                self.world.makes(made.cost())?;
                Ok(Value::Text(made))
            }
            "substr" => {
                let (offset, length) = (self.get(1)?.number()?, self.get(2)?.number()?);
                let count = text.chars().count();
                let offset = if offset < 0.0 { count as f64 + offset } else { offset };
                let skipped: String = text.chars().skip(offset.max(0.0) as usize).collect();
                let taken = if length < 0.0 { usize::MAX } else { length as usize };
                self.made(skipped.chars().take(taken).collect())
            }
            "split" => {
                let (by, text) = (text, self.get(1)?.text()?);
                if by.is_empty() {
                    self.world.makes(text.text.len().saturating_mul(PIECE))?;
                    return self.list(text.text.chars().map(|c| Value::made(c.to_string())).collect());
                }
                let mut at = 0;
                let mut parts = Vec::new();
                let mut cutter = Cutter::new(&text);
                for part in text.text.split(by) {
                    self.world.makes(PIECE)?;
                    let mut builder = Builder::default();
                    cutter.part(&mut builder, at..at + part.len());
                    parts.push(Value::Text(builder.finish()));
                    at += part.len() + by.len();
                }
                self.list(parts)
            }
            "indent" => {
                let spaces = self.get(0)?.number()?.clamp(0.0, 1000.0) as usize;
                let text = self.get(1)?.text()?;
                let spaces = " ".repeat(spaces);
                let mut builder = Builder::default();
                let mut cutter = Cutter::new(&text);
                let mut at = 0;
                for (found, _) in text.text.match_indices('\n') {
                    self.world.makes(spaces.len() + PIECE)?;
                    cutter.part(&mut builder, at..found + 1);
                    builder.made(&spaces);
                    at = found + 1;
                }
                cutter.part(&mut builder, at..text.text.len());
                let made = builder.finish();
                self.world.makes(made.cost())?;
                Ok(Value::Text(made))
            }
            "startswith" => Ok(Value::Bool(text.starts_with(&*self.text(1)?))),
            "endswith" => Ok(Value::Bool(text.ends_with(&*self.text(1)?))),
            "strcontains" => Ok(Value::Bool(text.contains(&*self.text(1)?))),
            "basename" => {
                let tail = text.trim_end_matches('/').rsplit('/').next().unwrap_or("");
                self.made(if text.is_empty() { "." } else { tail }.to_owned())
            }
            _ => self.made(match text.trim_end_matches('/').rsplit_once('/') {
                Some(("", _)) => "/".to_owned(),
                Some((head, _)) => head.to_owned(),
                None => ".".to_owned(),
            }),
        }
    }

    fn join(&self) -> Result<Value, Why> {
        let by = self.text(0)?;
        let mut builder = Builder::default();
        let mut first = true;
        for n in 1..self.arguments.len() {
            for item in self.items(n)? {
                if !first {
                    builder.made(&by);
                }
                first = false;
                let item = item.text()?;
                self.world.makes(item.cost() + by.len())?;
                builder.text(&item);
            }
        }
        let made = builder.finish();
        self.world.makes(made.cost())?;
        Ok(Value::Text(made))
    }

    fn format(&self, arguments: &[Value]) -> Result<Text, Why> {
        let odd = || Why::from(format!("`{}(…)` has a form that is not understood", self.name));
        let (form, mut rest) = arguments.split_first().ok_or_else(odd)?;
        let form = form.text()?;
        let mut builder = Builder::default();
        let mut at = 0;
        let text = &*form.text;
        let mut cutter = Cutter::new(&form);
        while let Some(found) = text.get(at..).and_then(|t| t.find('%')).map(|n| at + n) {
            self.world.makes(PIECE)?;
            cutter.part(&mut builder, at..found);
            let verb_at = found + 1;
            let verb = text.get(verb_at..).and_then(|t| t.chars().next()).ok_or_else(odd)?;
            if verb == '%' {
                builder.made("%");
            } else {
                let (value, others) = rest.split_first().ok_or_else(odd)?;
                rest = others;
                match verb {
                    's' | 'v' => match value {
                        Value::List(_) | Value::Map(_) if verb == 'v' => builder.made(&self.json(value)?),
                        _ => {
                            let text = value.text()?;
                            self.world.makes(text.cost())?;
                            builder.text(&text);
                        }
                    },
                    'd' => builder.made(&super::value::number_text(value.number()?.trunc())),
                    'q' => builder.made(&self.json(&Value::Text(value.text()?))?),
                    't' => builder.made(if value.truth()? { "true" } else { "false" }),
                    _ => return Err(odd()),
                }
            }
            at = verb_at + verb.len_utf8();
        }
        cutter.part(&mut builder, at..text.len());
        if !rest.is_empty() {
            return Err(odd());
        }
        let made = builder.finish();
        self.world.makes(made.cost())?;
        Ok(made)
    }

    fn format_list(&self) -> Result<Value, Why> {
        let mut count = None;
        for n in 0..self.arguments.len() {
            if let Value::List(items) = self.get(n)?
                && *count.get_or_insert(items.len()) != items.len()
            {
                return Err("`formatlist(…)` is given lists of several lengths".into());
            }
        }
        let mut out = Vec::new();
        for n in 0..count.unwrap_or(1) {
            let row: Vec<Value> = self
                .arguments
                .iter()
                .map(|value| match value {
                    Value::List(items) => items.get(n).cloned().unwrap_or(Value::Null),
                    other => other.clone(),
                })
                .collect();
            out.push(Value::Text(self.format(&row)?));
        }
        self.list(out)
    }

    fn numbers(&self) -> Result<Value, Why> {
        let numbers = |all: &[Value]| all.iter().map(Value::number).collect::<Result<Vec<f64>, Why>>();
        let number = match self.name {
            "abs" => self.get(0)?.number()?.abs(),
            "ceil" => self.get(0)?.number()?.ceil(),
            "floor" => self.get(0)?.number()?.floor(),
            "tonumber" => self.get(0)?.number()?,
            "max" => numbers(&self.arguments)?.into_iter().fold(f64::NEG_INFINITY, f64::max),
            "min" => numbers(&self.arguments)?.into_iter().fold(f64::INFINITY, f64::min),
            "sum" => numbers(&self.items(0)?)?.into_iter().sum(),
            _ => return Err(format!("`{}(…)`", self.name).into()),
        };
        Ok(Value::Number(number))
    }

    fn collections(&self) -> Result<Value, Why> {
        match self.name {
            "toset" => set(self.world, self.items(0)?),
            "tolist" | "nonsensitive" | "sensitive" | "tomap" | "tobool" | "ephemeralasnull" => {
                Ok(self.get(0)?.clone())
            }
            "length" => Ok(Value::Number(match self.get(0)? {
                Value::Text(text) => text.text.chars().count() as f64,
                Value::List(items) => items.len() as f64,
                Value::Map(entries) => entries.len() as f64,
                _ => return Err("`length(…)` of what has none".into()),
            })),
            "concat" => {
                let mut all = Vec::new();
                for n in 0..self.arguments.len() {
                    all.extend(self.items(n)?);
                    if all.len() > MAX_ITEMS {
                        return Err(TOO_LONG.into());
                    }
                }
                self.list(all)
            }
            "flatten" => {
                let mut out = Vec::new();
                self.world.works(self.get(0)?.steps())?;
                flatten(&self.items(0)?, &mut out)?;
                self.list(out)
            }
            "distinct" => {
                let mut kept: Vec<Value> = Vec::new();
                let mut seen = BTreeSet::new();
                for item in self.items(0)? {
                    if seen.insert(self.json(&item)?) {
                        kept.push(item);
                    }
                }
                self.list(kept)
            }
            "compact" => {
                let items = self.items(0)?;
                // Whether it stays is not known.
                if let Some(why) = items.iter().find_map(|item| match item {
                    Value::Unknown(why) => Some(why),
                    _ => None,
                }) {
                    return Err(Arc::clone(why));
                }
                let kept = items.into_iter().filter(|item| match item {
                    Value::Null => false,
                    Value::Text(text) => !text.text.is_empty(),
                    _ => true,
                });
                self.list(kept.collect())
            }
            "keys" => {
                let keys = self.map(0)?;
                self.world.works(keys.len())?;
                self.world.makes(keys.len().saturating_mul(PIECE))?;
                self.list(keys.keys().map(|k| Value::made(Arc::clone(k))).collect())
            }
            "values" => {
                let values = self.map(0)?;
                self.world.works(values.len())?;
                self.list(values.values().cloned().collect())
            }
            "merge" => {
                let mut all = BTreeMap::new();
                for n in 0..self.arguments.len() {
                    if matches!(self.get(n)?, Value::Null) {
                        continue;
                    }
                    self.world.works(self.map(n)?.len())?;
                    all.extend(self.map(n)?.iter().map(|(k, v)| (Arc::clone(k), v.clone())));
                }
                self.entries(all)
            }
            "lookup" => {
                let key = self.text(1)?;
                match self.map(0)?.get(&*key) {
                    Some(value) => Ok(value.clone()),
                    None => Ok(self.get(2)?.clone()),
                }
            }
            "zipmap" => {
                let keys = self.items(0)?;
                let mut all = BTreeMap::new();
                for (key, value) in keys.iter().zip(self.items(1)?) {
                    all.insert(key.text()?.text, value);
                }
                self.entries(all)
            }
            "element" => {
                let items = self.items(0)?;
                let index = self.get(1)?.number()?;
                if items.is_empty() || index < 0.0 {
                    return Err("`element(…)` has no such item".into());
                }
                items
                    .get(index as usize % items.len())
                    .cloned()
                    .ok_or_else(|| "`element(…)` has no such item".into())
            }
            "one" => {
                let items = self.items(0)?;
                match items.as_slice() {
                    [] => Ok(Value::Null),
                    [only] => Ok(only.clone()),
                    _ => Err("`one(…)` is given more than one".into()),
                }
            }
            "contains" => {
                let wanted = self.get(1)?;
                self.world.works(self.get(0)?.steps())?;
                let mut found = false;
                for item in self.items(0)? {
                    match item.same(wanted) {
                        Some(true) => found = true,
                        Some(false) => {}
                        None => return Err(item.unknown_inside().unwrap_or_else(|| "it is not known".into())),
                    }
                }
                Ok(Value::Bool(found))
            }
            "coalesce" | "coalescelist" => {
                for n in 0..self.arguments.len() {
                    let value = self.get(n)?;
                    let empty = match value {
                        Value::Null => true,
                        Value::Text(text) => text.text.is_empty(),
                        Value::List(items) => items.is_empty(),
                        _ => false,
                    };
                    if !empty {
                        return Ok(value.clone());
                    }
                }
                Err("`coalesce(…)` finds nothing".into())
            }
            "reverse" => {
                let mut items = self.items(0)?;
                items.reverse();
                self.list(items)
            }
            "sort" => {
                let mut items: Vec<Text> = self.items(0)?.iter().map(Value::text).collect::<Result<_, _>>()?;
                items.sort_by(|a, b| a.text.cmp(&b.text));
                self.list(items.into_iter().map(Value::Text).collect())
            }
            "slice" => {
                let (from, to) = (self.get(1)?.number()? as usize, self.get(2)?.number()? as usize);
                let items = self.items(0)?;
                match items.get(from..to.max(from)) {
                    Some(part) => self.list(part.to_vec()),
                    None => Err("`slice(…)` has no such part".into()),
                }
            }
            "range" => {
                let all: Vec<f64> = (0..self.arguments.len())
                    .map(|n| self.get(n)?.number())
                    .collect::<Result<_, _>>()?;
                // Without a step it goes down where the end is below the start.
                let towards = |from: f64, to: f64| if to < from { -1.0 } else { 1.0 };
                let (from, to, step) = match *all.as_slice() {
                    [to] => (0.0, to, towards(0.0, to)),
                    [from, to] => (from, to, towards(from, to)),
                    [from, to, step] => (from, to, step),
                    _ => return Err("`range(…)` takes one to three numbers".into()),
                };
                if step == 0.0 || (to - from) * step < 0.0 {
                    return Err("the step of `range(…)` does not lead to its end".into());
                }
                let count = ((to - from) / step).ceil();
                if count.is_nan() || count > MAX_ITEMS as f64 {
                    return Err(TOO_LONG.into());
                }
                self.world.works(count as usize)?;
                self.list(
                    (0..count as usize)
                        .map(|n| Value::Number(step.mul_add(n as f64, from)))
                        .collect(),
                )
            }
            "setunion" | "setintersection" | "setsubtract" => {
                let mut all = self.set(0)?;
                for n in 1..self.arguments.len() {
                    let other = self.set(n)?;
                    match self.name {
                        "setunion" => all.extend(other),
                        "setintersection" => all.retain(|item| other.contains(item)),
                        _ => all.retain(|item| !other.contains(item)),
                    }
                }
                self.list(all.into_iter().map(Value::made).collect())
            }
            "setproduct" => {
                let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
                for n in 0..self.arguments.len() {
                    let items = self.items(n)?;
                    let count = rows.len().saturating_mul(items.len());
                    if count > MAX_ITEMS {
                        return Err(TOO_LONG.into());
                    }
                    self.world.works(count)?;
                    self.world.makes(count.saturating_mul((n + 1) * size_of::<Value>()))?;
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
                self.list(rows.into_iter().map(Value::list).collect())
            }
            "alltrue" | "anytrue" => {
                let all: Vec<bool> = self.items(0)?.iter().map(Value::truth).collect::<Result<_, _>>()?;
                Ok(Value::Bool(if self.name == "alltrue" {
                    all.iter().all(|t| *t)
                } else {
                    all.iter().any(|t| *t)
                }))
            }
            "index" => {
                let wanted = self.get(1)?;
                self.world.works(self.get(0)?.steps())?;
                let items = self.items(0)?;
                for (n, item) in items.iter().enumerate() {
                    match item.same(wanted) {
                        Some(true) => return Ok(Value::Number(n as f64)),
                        Some(false) => {}
                        None => return Err(item.unknown_inside().unwrap_or_else(|| "it is not known".into())),
                    }
                }
                Err("`index(…)` finds nothing".into())
            }
            other => Err(format!("`{other}(…)`").into()),
        }
    }
}

/// Items as a set: each once; texts sorted.
///
/// # Errors
/// What is not known.
pub fn set(world: &World<'_>, items: Vec<Value>) -> Result<Value, Why> {
    let mut by_json: BTreeMap<String, Value> = BTreeMap::new();
    for item in items {
        let key = match &item {
            Value::Text(text) => text.text.to_string(),
            other => json(world, other)?,
        };
        by_json.entry(key).or_insert(item);
    }
    list(world, by_json.into_values().collect())
}

/// A list within bounds.
fn list(world: &World<'_>, items: Vec<Value>) -> Result<Value, Why> {
    if items.len() > MAX_ITEMS {
        return Err(TOO_LONG.into());
    }
    world.makes(items.len().saturating_mul(size_of::<Value>()))?;
    Ok(Value::list(items))
}

/// A value as JSON, within bounds.
fn json(world: &World<'_>, value: &Value) -> Result<String, Why> {
    world.works(value.steps())?;
    let json = value.json()?;
    world.makes(json.len())?;
    Ok(json)
}

fn flatten(items: &[Value], out: &mut Vec<Value>) -> Result<(), Why> {
    for item in items {
        match item {
            Value::List(inner) => flatten(inner, out)?,
            Value::Unknown(why) => return Err(Arc::clone(why)),
            other => out.push(other.clone()),
        }
        if out.len() > MAX_ITEMS {
            return Err(TOO_LONG.into());
        }
    }
    Ok(())
}

fn titled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut start = true;
    for c in text.chars() {
        if start {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        start = !c.is_alphanumeric() && c != '_' && c != '\'';
    }
    out
}

/// A file's name as it is told: short, and nothing that a terminal acts on.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}

fn nothing() -> Node {
    Node {
        kind: Kind::Null,
        range: 0..0,
        line: None,
    }
}

/// Takes the places off a value that was read out of a text which is no file.
pub fn placeless(node: &mut Node) {
    match &mut node.kind {
        Kind::Text(text) => *text = Text::made(Arc::clone(&text.text)),
        Kind::List(items) => items.iter_mut().for_each(placeless),
        Kind::Map(entries) => entries.iter_mut().for_each(|(_, value)| placeless(value)),
        _ => {}
    }
}
