//! The functions of Terraform that need nothing but their arguments and files of the repository.

use super::eval::{Scope, Why, World};
use super::unify::{loosened, unified};
use super::value::{Entries, Form, ITEM, NO_ORDER, Value, settled};
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

/// A function, with how many arguments it takes.
struct Function {
    name: &'static str,
    least: usize,
    most: usize,
    care: Care,
    part: Part,
}

/// Where a function is worked out.
#[derive(Debug, Clone, Copy)]
enum Part {
    Files,
    Encodings,
    Texts,
    Numbers,
    Collections,
}

const MANY: usize = usize::MAX;

/// All functions that are worked out.
const FUNCTIONS: &[Function] = &{
    const fn function(name: &'static str, (least, most): (usize, usize), care: Care, part: Part) -> Function {
        Function {
            name,
            least,
            most,
            care,
            part,
        }
    }
    [
        function("file", (1, 1), Care::Any, Part::Files),
        function("templatefile", (2, 2), Care::Any, Part::Files),
        function("fileset", (2, 2), Care::Settled, Part::Files),
        function("fileexists", (1, 1), Care::Settled, Part::Files),
        function("templatestring", (2, 2), Care::Any, Part::Files),
        function("jsonencode", (1, 1), Care::Any, Part::Encodings),
        function("jsondecode", (1, 1), Care::Any, Part::Encodings),
        function("yamldecode", (1, 1), Care::Any, Part::Encodings),
        function("base64encode", (1, 1), Care::Settled, Part::Encodings),
        function("base64decode", (1, 1), Care::Plain, Part::Encodings),
        function("upper", (1, 1), Care::Plain, Part::Texts),
        function("lower", (1, 1), Care::Plain, Part::Texts),
        function("title", (1, 1), Care::Plain, Part::Texts),
        function("trim", (2, 2), Care::Settled, Part::Texts),
        function("trimspace", (1, 1), Care::Settled, Part::Texts),
        function("trimprefix", (2, 2), Care::Settled, Part::Texts),
        function("trimsuffix", (2, 2), Care::Settled, Part::Texts),
        function("chomp", (1, 1), Care::Settled, Part::Texts),
        function("replace", (3, 3), Care::Settled, Part::Texts),
        function("substr", (3, 3), Care::Plain, Part::Texts),
        function("split", (2, 2), Care::Settled, Part::Texts),
        function("join", (2, MANY), Care::Any, Part::Texts),
        function("format", (1, MANY), Care::Any, Part::Texts),
        function("formatlist", (1, MANY), Care::Any, Part::Texts),
        function("indent", (2, 2), Care::Settled, Part::Texts),
        function("startswith", (2, 2), Care::Settled, Part::Texts),
        function("endswith", (2, 2), Care::Settled, Part::Texts),
        function("strcontains", (2, 2), Care::Settled, Part::Texts),
        function("strrev", (1, 1), Care::Plain, Part::Texts),
        function("basename", (1, 1), Care::Plain, Part::Texts),
        function("dirname", (1, 1), Care::Plain, Part::Texts),
        function("tostring", (1, 1), Care::Any, Part::Texts),
        function("abs", (1, 1), Care::Plain, Part::Numbers),
        function("ceil", (1, 1), Care::Plain, Part::Numbers),
        function("floor", (1, 1), Care::Plain, Part::Numbers),
        function("max", (1, MANY), Care::Plain, Part::Numbers),
        function("min", (1, MANY), Care::Plain, Part::Numbers),
        function("sum", (1, 1), Care::Plain, Part::Numbers),
        function("tonumber", (1, 1), Care::Plain, Part::Numbers),
        function("toset", (1, 1), Care::Settled, Part::Collections),
        function("tolist", (1, 1), Care::Any, Part::Collections),
        function("tomap", (1, 1), Care::Any, Part::Collections),
        function("tobool", (1, 1), Care::Any, Part::Collections),
        function("nonsensitive", (1, 1), Care::Any, Part::Collections),
        function("sensitive", (1, 1), Care::Any, Part::Collections),
        function("ephemeralasnull", (1, 1), Care::Any, Part::Collections),
        function("length", (1, 1), Care::Any, Part::Collections),
        function("concat", (1, MANY), Care::Any, Part::Collections),
        function("flatten", (1, 1), Care::Any, Part::Collections),
        function("distinct", (1, 1), Care::Settled, Part::Collections),
        function("compact", (1, 1), Care::Any, Part::Collections),
        function("keys", (1, 1), Care::Any, Part::Collections),
        function("values", (1, 1), Care::Any, Part::Collections),
        function("merge", (0, MANY), Care::Any, Part::Collections),
        function("lookup", (2, 3), Care::Any, Part::Collections),
        function("zipmap", (2, 2), Care::Any, Part::Collections),
        function("element", (2, 2), Care::Any, Part::Collections),
        function("one", (1, 1), Care::Any, Part::Collections),
        function("contains", (2, 2), Care::Settled, Part::Collections),
        function("coalesce", (1, MANY), Care::Any, Part::Collections),
        function("coalescelist", (1, MANY), Care::Any, Part::Collections),
        function("reverse", (1, 1), Care::Any, Part::Collections),
        function("sort", (1, 1), Care::Settled, Part::Collections),
        function("slice", (3, 3), Care::Any, Part::Collections),
        function("range", (1, 3), Care::Plain, Part::Collections),
        function("setunion", (1, MANY), Care::Settled, Part::Collections),
        function("setintersection", (1, MANY), Care::Settled, Part::Collections),
        function("setsubtract", (2, 2), Care::Settled, Part::Collections),
        function("setproduct", (2, MANY), Care::Any, Part::Collections),
        function("alltrue", (1, 1), Care::Plain, Part::Collections),
        function("anytrue", (1, 1), Care::Plain, Part::Collections),
        function("index", (2, 2), Care::Settled, Part::Collections),
    ]
};

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
        let known = FUNCTIONS.iter().find(|function| function.name == self.name);
        let function = known.ok_or_else(|| Why::from(format!("`{}(…)`", self.name)))?;
        if !(function.least..=function.most).contains(&self.arguments.len()) {
            return Err(format!("`{}(…)` is given too many or too few", self.name).into());
        }
        for argument in &self.arguments {
            self.world.works(argument.steps())?;
            if !function.care.takes(argument) {
                return Err(format!("`{}(…)` of a text that is not plain ASCII", self.name).into());
            }
        }
        match function.part {
            Part::Files => self.files(),
            Part::Encodings => self.encodings(),
            Part::Texts => self.texts(),
            Part::Numbers => self.numbers(),
            Part::Collections => self.collections(),
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

    /// The texts of a set, sorted.
    fn set(&self, n: usize) -> Result<BTreeSet<Arc<str>>, Why> {
        let items = self.items(n)?.into_iter();
        items
            .map(|item| match item {
                Value::Text(text) => Ok(text.text),
                _ => Err(format!("`{}(…)` of what is no text", self.name).into()),
            })
            .collect()
    }

    /// A list that is a tuple where what it is made of is one.
    fn as_of(&self, n: usize, items: Vec<Value>) -> Result<Value, Why> {
        let own = matches!(self.get(n)?, Value::List(of) if of.form == Form::Own);
        listed(self.world, items, if own { Form::Own } else { Form::Any })
    }

    /// The items of what has an order of its own.
    fn ordered(&self, n: usize) -> Result<Vec<Value>, Why> {
        match self.get(n)? {
            Value::List(of) if of.form == Form::Set => Err(format!("`{}(…)` is given a set", self.name).into()),
            _ => self.items(n),
        }
    }

    /// A number that is an index or a length.
    fn place(&self, n: usize) -> Result<usize, Why> {
        usize::try_from(self.get(n)?.number()?).map_err(|_| format!("`{}(…)` of a number below zero", self.name).into())
    }

    /// `replace` with a regular expression: what is between the matches stays what it was, `$1` and `${name}` are groups.
    fn replace_matches(&self, whole: &Text, pattern: &str) -> Result<Value, Why> {
        let text: &str = &whole.text;
        // Terraform's `\d`, `\w` and `\b` are ASCII alone, those here are not: of other texts nothing is said.
        if !text.is_ascii() {
            return Err("`replace(…)` with a regular expression of a text that is not ASCII alone".into());
        }
        let with = self.get(2)?.text()?;
        if !is_common(pattern) || text.contains('\u{b}') {
            return Err("`replace(…)` has a regular expression that is not understood".into());
        }
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
                listed(self.world, found.into_iter().map(Value::made).collect(), Form::Set)
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
                    yaml_of(&source)
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
                if what.is_empty() && !text.is_ascii() {
                    return Err("`replace(…)` between the letters of a text that is not ASCII alone".into());
                }
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
                let back = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
                let skipped = if offset < 0 {
                    text.len().saturating_sub(back)
                } else {
                    back
                };
                let taken = usize::try_from(length).unwrap_or(usize::MAX);
                self.made(text.chars().skip(skipped).take(taken).collect())
            }
            "split" => {
                let (by, text) = (text, self.get(1)?.text()?);
                if by.is_empty() && !text.text.is_ascii() {
                    return Err("`split(…)` of the letters of a text that is not ASCII alone".into());
                }
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
                let spaces = self.place(0)?.min(1000);
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
            "basename" => self.made(match (text, text.trim_end_matches('/')) {
                ("", _) => ".".to_owned(),
                (_, "") => "/".to_owned(),
                (_, path) => path.rsplit('/').next().unwrap_or(path).to_owned(),
            }),
            _ => {
                let Some((folder, _)) = text.rsplit_once('/') else {
                    return self.made(".".to_owned());
                };
                let below = folder.strip_prefix('/').unwrap_or(folder);
                if below
                    .split('/')
                    .any(|part| matches!(part, "." | "..") || (part.is_empty() && !below.is_empty()))
                {
                    return Err("`dirname(…)` of a path that has a shorter form".into());
                }
                self.made(if folder.is_empty() { "/" } else { folder }.to_owned())
            }
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
                        // Longer ones have an exponent.
                        Value::Number(number) if verb == 'v' && number.abs() >= 100_000 => return Err(odd()),
                        _ => {
                            let text = value.text()?;
                            self.world.makes(text.cost())?;
                            builder.text(&text);
                        }
                    },
                    'd' => builder.made(&value.number()?.to_string()),
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
            let value = self.get(n)?;
            if value.without_order() {
                return Err(NO_ORDER.into());
            }
            if let Value::List(items) = value
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
        let numbers = |all: &[Value]| all.iter().map(Value::number).collect::<Result<Vec<i64>, Why>>();
        Value::whole(match self.name {
            "abs" => self.get(0)?.number()?.checked_abs(),
            "max" => numbers(&self.arguments)?.into_iter().max(),
            "min" => numbers(&self.arguments)?.into_iter().min(),
            "sum" => numbers(&self.items(0)?)?.into_iter().try_fold(0_i64, i64::checked_add),
            _ => Some(self.get(0)?.number()?),
        })
    }

    fn collections(&self) -> Result<Value, Why> {
        match self.name {
            "toset" => set(self.world, self.items(0)?),
            "tolist" => self.list(self.alike(0)?),
            "tomap" => {
                let map = self.map(0)?;
                self.world.works(self.get(0)?.steps())?;
                let values = unified(map.values().cloned().collect())?;
                self.entries(map.keys().cloned().zip(values).collect())
            }
            "tobool" => Ok(match self.get(0)? {
                Value::Null => Value::Null,
                value => Value::Bool(value.truth()?),
            }),
            "nonsensitive" | "sensitive" | "ephemeralasnull" => Ok(self.get(0)?.clone()),
            "length" => match self.get(0)? {
                text @ Value::Text(letters) if Care::Plain.takes(text) => Ok(Value::count(letters.text.len())),
                Value::Text(_) => Err("`length(…)` of a text that is not plain ASCII".into()),
                Value::List(items) => Ok(Value::count(items.len())),
                Value::Map(entries) => Ok(Value::count(entries.len())),
                _ => Err("`length(…)` of what has none".into()),
            },
            "concat" => {
                let mut all = Vec::new();
                let mut forms = BTreeSet::new();
                for n in 0..self.arguments.len() {
                    if let Value::List(items) = self.get(n)? {
                        forms.insert(items.form == Form::Own);
                    }
                    all.extend(self.ordered(n)?);
                    if all.len() > MAX_ITEMS {
                        return Err(TOO_LONG.into());
                    }
                }
                match (forms.contains(&true), forms.contains(&false)) {
                    (true, false) => listed(self.world, all, Form::Own),
                    // Lists alone become one of one type.
                    (false, _) => {
                        self.world.works(all.iter().map(Value::steps).sum())?;
                        self.list(unified(all)?)
                    }
                    (true, true) => self.list(all),
                }
            }
            "flatten" => {
                let mut out = Vec::new();
                self.world.works(self.get(0)?.steps())?;
                flatten(self.items(0)?, &mut out)?;
                listed(self.world, out, Form::Own)
            }
            "distinct" => {
                let mut kept: Vec<Value> = Vec::new();
                let mut seen = BTreeSet::new();
                for item in self.alike(0)? {
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
                let texts = items
                    .iter()
                    .filter(|item| !matches!(item, Value::Null))
                    .map(Value::text);
                let texts = texts.collect::<Result<Vec<Text>, Why>>()?.into_iter();
                self.list(texts.filter(|text| !text.text.is_empty()).map(Value::Text).collect())
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
                let map = self.map(0)?;
                if !settled(&key) {
                    return Err("`lookup(…)` of a name that may be another to Terraform".into());
                }
                let (value, other) = (map.get(&*key), self.arguments.get(2));
                let one = match (value, other) {
                    (Some(value), _) => value,
                    (None, Some(other)) => other,
                    (None, None) => return Err("`lookup(…)` finds nothing".into()),
                };
                // In a map all values are of one type, and so is what stands for one.
                let texts = |value: &Value| matches!(value, Value::Text(_) | Value::Null);
                if map.form == Form::Own || (map.values().all(texts) && texts(one)) {
                    return Ok(one.clone());
                }
                if other.is_some_and(texts) {
                    return Err("`lookup(…)` in a map of other values".into());
                }
                let others = map.values().chain(other).cloned();
                self.world.works(self.get(0)?.steps())?;
                let all = unified(std::iter::once(one.clone()).chain(others).collect())?;
                all.into_iter().next().ok_or_else(|| "`lookup(…)` finds nothing".into())
            }
            "zipmap" => {
                let keys = self.items(0)?;
                let values = self.items(1)?;
                if keys.len() != values.len() {
                    return Err("`zipmap(…)` is given lists of several lengths".into());
                }
                let mut all = BTreeMap::new();
                for (key, value) in keys.iter().zip(values) {
                    all.insert(key.text()?.text, value);
                }
                self.entries(all)
            }
            "element" => {
                let items = self.ordered(0)?;
                let none = || Why::from("`element(…)` has no such item");
                let index = self.place(1)?.checked_rem(items.len()).ok_or_else(none)?;
                items.get(index).cloned().ok_or_else(none)
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
                        Value::Text(text) => self.name == "coalesce" && text.text.is_empty(),
                        Value::List(items) => self.name == "coalescelist" && items.is_empty(),
                        _ => false,
                    };
                    if empty {
                        continue;
                    }
                    if matches!(value, Value::Text(_)) {
                        return Ok(value.clone());
                    }
                    // All are of one type.
                    let all = std::iter::once(value).chain(&self.arguments).cloned();
                    self.world.works(self.arguments.iter().map(Value::steps).sum())?;
                    let one = unified(all.collect())?.into_iter().next();
                    return one.map(loosened).ok_or_else(|| "`coalesce(…)` finds nothing".into());
                }
                Err("`coalesce(…)` finds nothing".into())
            }
            "reverse" => {
                let mut items = self.items(0)?;
                items.reverse();
                self.as_of(0, items)
            }
            "sort" => {
                let mut items: Vec<Text> = self.items(0)?.iter().map(Value::text).collect::<Result<_, _>>()?;
                items.sort_by(|a, b| a.text.cmp(&b.text));
                self.list(items.into_iter().map(Value::Text).collect())
            }
            "slice" => {
                let items = self.ordered(0)?;
                match items.get(self.place(1)?..self.place(2)?) {
                    Some(part) => self.as_of(0, part.to_vec()),
                    None => Err("`slice(…)` has no such part".into()),
                }
            }
            "range" => {
                let all: Vec<i64> = (0..self.arguments.len())
                    .map(|n| self.get(n)?.number())
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
                self.world.works(count as usize)?;
                let numbers = (0..).map(|n| from + step * n).take(count as usize);
                self.list(numbers.map(Value::Number).collect())
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
                listed(self.world, all.into_iter().map(Value::made).collect(), Form::Set)
            }
            "setproduct" => {
                let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
                for n in 0..self.arguments.len() {
                    if matches!(self.get(n)?, Value::List(of) if of.form == Form::Set) {
                        return Err(NO_ORDER.into());
                    }
                    let items = self.alike(n)?;
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
                self.list(rows.into_iter().map(Value::tuple).collect())
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
                let items = self.ordered(0)?;
                for (n, item) in items.iter().enumerate() {
                    match item.same(wanted) {
                        Some(true) => return Ok(Value::count(n)),
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
fn list(world: &World<'_>, items: Vec<Value>) -> Result<Value, Why> {
    listed(world, items, Form::Any)
}

fn listed(world: &World<'_>, items: Vec<Value>, form: Form) -> Result<Value, Why> {
    if items.len() > MAX_ITEMS {
        return Err(TOO_LONG.into());
    }
    world.makes(items.len().saturating_mul(size_of::<Value>()))?;
    Ok(Value::listed(items, form))
}

/// The one document of a text of YAML.
fn yaml_of(source: &Arc<SourceText>) -> Result<Node, node::Trouble> {
    let trouble = |why: &str| node::Trouble {
        offset: 0,
        why: why.to_owned(),
    };
    let text = source.text.replace("\r\n", "\n");
    if text.contains(['\r', '\u{85}', '\u{2028}', '\u{2029}', '\u{feff}']) {
        return Err(trouble("where its lines end is not known"));
    }
    let mut all = yaml::documents(source)?;
    match (all.pop(), all.is_empty()) {
        (Some(one), true) => Ok(one),
        _ => Err(trouble("it does not hold one document")),
    }
}

/// Whether a regular expression means the same to Go and here: what only one of them knows is not in it.
fn is_common(pattern: &str) -> bool {
    let mut rest = pattern.chars().peekable();
    let mut class = false;
    while let Some(c) = rest.next() {
        let next = rest.peek().copied();
        let fine = match c {
            '\\' => {
                let escaped = rest.next();
                let letter = matches!(escaped, Some('d' | 'D' | 'w' | 'W' | 's' | 'S' | 'n' | 't' | 'r'));
                let edge = !class && matches!(escaped, Some('b' | 'B')) && rest.peek() != Some(&'{');
                let sign = escaped.is_some_and(|c| c.is_ascii_punctuation() && !matches!(c, '<' | '>'));
                letter || edge || sign
            }
            '[' if class => false,
            '[' => {
                class = true;
                // What a class begins with may stand for itself.
                rest.next_if_eq(&'^');
                next != Some(']') && rest.peek() != Some(&']')
            }
            ']' if class => {
                class = false;
                true
            }
            ']' => false,
            '&' | '-' | '~' if class => next != Some(c),
            '(' if !class && next == Some('?') => {
                rest.next();
                let mut word = String::new();
                while let Some(c) = rest.next_if(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '<' | '>')) {
                    word.push(c);
                }
                let name = word.strip_prefix("P<").and_then(|name| name.strip_suffix('>'));
                matches!(&*word, ":" | "i" | "m" | "s" | "im" | "is" | "ms" | "i:" | "m:" | "s:")
                    || name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
            }
            '{' if !class => {
                let mut word = String::new();
                while let Some(c) = rest.next_if(|c| c.is_ascii_digit() || *c == ',') {
                    word.push(c);
                }
                let closed = rest.next() == Some('}');
                closed && word.starts_with(|c: char| c.is_ascii_digit()) && word.matches(',').count() < 2
            }
            '}' if !class => false,
            c => c.is_ascii(),
        };
        if !fine {
            return false;
        }
    }
    !class
}

/// A value as JSON, within bounds.
fn json(world: &World<'_>, value: &Value) -> Result<String, Why> {
    world.works(value.steps())?;
    let json = value.json()?;
    world.makes(json.len())?;
    Ok(json)
}

fn flatten(items: Vec<Value>, out: &mut Vec<Value>) -> Result<(), Why> {
    for item in items {
        match item {
            Value::List(_) if item.without_order() => return Err(NO_ORDER.into()),
            Value::List(inner) => flatten(inner.to_vec(), out)?,
            Value::Unknown(why) => return Err(why),
            other => out.push(other),
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
        out.push(if start { c.to_ascii_uppercase() } else { c });
        start = !c.is_ascii_alphanumeric() && c != '_';
    }
    out
}

/// A file's name as it is told: short, and nothing that a terminal acts on.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(80).collect()
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
