//! The blocks of Terraform files, of HCL and of its JSON form alike.

use super::types::Type;
use crate::origin::{SourceText, Spelling};
use crate::sources::node::{self, Kind, Node};
use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Block as HclBlock, Body, Structure};
use hcl_edit::visit::{self, Visit};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// More entries in one pair of braces than this are not read: the parser looks for names that come twice.
const MAX_ENTRIES: usize = 20_000;

/// An expression of either form.
#[derive(Debug, Clone)]
pub enum Expr {
    /// Of HCL.
    Hcl(Arc<SourceText>, Arc<Expression>),
    /// A value of JSON, whose texts are templates.
    Json(Arc<SourceText>, Arc<Node>),
}

impl Expr {
    /// Where it stands.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        match self {
            Self::Hcl(_, expression) => expression.span().unwrap_or(0..0),
            Self::Json(_, node) => node.range.clone(),
        }
    }
}

impl Expr {
    /// How it is written.
    #[must_use]
    pub fn raw(&self) -> &str {
        let (Self::Hcl(source, _) | Self::Json(source, _)) = self;
        source.text.get(self.range()).unwrap_or("")
    }

    /// The expressions right within it.
    #[must_use]
    pub fn within(&self) -> Vec<Self> {
        let parts = |source: &Arc<SourceText>, visit: &dyn Fn(&mut Parts)| {
            let mut parts = Parts {
                source: Arc::clone(source),
                found: Vec::new(),
            };
            visit(&mut parts);
            parts.found
        };
        match self {
            Self::Hcl(source, expression) => parts(source, &|parts| visit::visit_expr(parts, expression)),
            Self::Json(source, node) => match &node.kind {
                Kind::Text(text) => {
                    let inner = Arc::new(SourceText::new(Arc::clone(&source.file), Arc::clone(&text.text)));
                    let template = hcl_edit::parser::parse_template(&text.text);
                    template.map_or_else(
                        |_| Vec::new(),
                        |template| parts(&inner, &|parts| parts.visit_template(&template)),
                    )
                }
                Kind::List(items) => items.iter().map(|item| Self::of_node(source, item)).collect(),
                Kind::Map(entries) => entries.iter().map(|(_, item)| Self::of_node(source, item)).collect(),
                _ => Vec::new(),
            },
        }
    }

    fn of_node(source: &Arc<SourceText>, node: &Node) -> Self {
        Self::Json(Arc::clone(source), Arc::new(node.clone()))
    }

    /// As the name of a provider, such as `vault.b`.
    #[must_use]
    pub fn provider(&self) -> Option<String> {
        match self {
            Self::Hcl(..) => provider_name(self.raw()),
            Self::Json(_, node) => provider_name(node.str()?),
        }
    }

    /// As the providers that a module gets: by their names in it, those of its caller.
    #[must_use]
    pub fn pairs(&self) -> Option<Vec<(String, String)>> {
        match self {
            Self::Hcl(source, expression) => {
                let name = |expression: &Expression| provider_name(source.text.get(expression.span()?)?);
                let pairs = expression.as_object()?.iter().map(|(key, value)| {
                    let key = match key {
                        ObjectKey::Ident(word) => provider_name(word.as_str()),
                        ObjectKey::Expression(key) => name(key),
                    };
                    Some((key?, name(value.expr())?))
                });
                pairs.collect()
            }
            Self::Json(_, node) => {
                let Kind::Map(entries) = &node.kind else { return None };
                let pairs = entries
                    .iter()
                    .map(|(key, value)| Some((provider_name(key)?, provider_name(value.str()?)?)));
                pairs.collect()
            }
        }
    }

    /// As the type of a variable.
    #[must_use]
    pub fn as_type(&self) -> Type {
        match self {
            Self::Hcl(source, expression) => type_of(source, expression, 0),
            Self::Json(source, node) => {
                let expression = node.str().and_then(|text| text.parse::<Expression>().ok());
                expression.map_or(Type::Odd, |expression| type_of(source, &expression, 0))
            }
        }
    }
}

/// The expressions right within another.
struct Parts {
    source: Arc<SourceText>,
    found: Vec<Expr>,
}

impl Visit for Parts {
    fn visit_expr(&mut self, expression: &Expression) {
        self.found
            .push(Expr::Hcl(Arc::clone(&self.source), Arc::new(expression.clone())));
    }
}

/// A name such as `vault` or `vault.b`, as it is written.
fn provider_name(written: &str) -> Option<String> {
    let bare = written.trim().trim_matches('"');
    let bare = bare
        .strip_prefix("${")
        .and_then(|bare| bare.strip_suffix('}'))
        .unwrap_or(bare);
    let bare = bare.trim();
    let word = |part: &str| !part.is_empty() && part.chars().all(word_char);
    (bare.split('.').count() < 3 && bare.split('.').all(word)).then(|| bare.to_owned())
}

/// How deep types may be in each other.
const MAX_TYPES: usize = 32;

fn type_of(source: &Arc<SourceText>, expression: &Expression, depth: usize) -> Type {
    if depth > MAX_TYPES {
        return Type::Odd;
    }
    let inner = |expression: &Expression| Box::new(type_of(source, expression, depth + 1));
    let named = |name: &str| match name {
        "string" => Type::Text,
        "number" => Type::Number,
        "bool" => Type::Bool,
        "any" => Type::Any,
        "map" => Type::Map(Box::new(Type::Any)),
        "list" => Type::List(Box::new(Type::Any)),
        "set" => Type::Set(Box::new(Type::Any)),
        _ => Type::Odd,
    };
    match expression {
        Expression::Variable(name) => named(name.as_str()),
        Expression::String(name) => named(name.as_str()),
        Expression::Parenthesis(within) => type_of(source, within.inner(), depth + 1),
        Expression::FuncCall(call) => {
            let Some(first) = call.args.iter().next() else {
                return Type::Odd;
            };
            match (call.name.name.as_str(), first) {
                ("list", of) => Type::List(inner(of)),
                ("set", of) => Type::Set(inner(of)),
                ("map", of) => Type::Map(inner(of)),
                ("tuple", Expression::Array(kinds)) => Type::Tuple(kinds.iter().map(|kind| *inner(kind)).collect()),
                ("object", Expression::Object(fields)) => {
                    let fields = fields.iter().map(|(key, value)| {
                        let name = match key {
                            ObjectKey::Ident(name) => Some(name.as_str()),
                            ObjectKey::Expression(key) => key.as_str(),
                        };
                        let (kind, may_lack, default) = match value.expr() {
                            Expression::FuncCall(call) if call.name.name.as_str() == "optional" => {
                                let mut arguments = call.args.iter();
                                let kind = arguments.next().map_or(Type::Odd, |kind| *inner(kind));
                                let default = arguments.next().cloned();
                                (kind, true, default.map(|e| Expr::Hcl(Arc::clone(source), Arc::new(e))))
                            }
                            kind => (*inner(kind), false, None),
                        };
                        Some((Arc::from(name?), kind, may_lack, default))
                    });
                    fields.collect::<Option<Vec<_>>>().map_or(Type::Odd, Type::Object)
                }
                _ => Type::Odd,
            }
        }
        _ => Type::Odd,
    }
}

/// A block, such as a resource.
#[derive(Debug, Clone)]
pub struct Block {
    /// Its file.
    pub source: Arc<SourceText>,
    /// Its first word.
    pub kind: Arc<str>,
    /// Its labels.
    pub labels: Vec<Arc<str>>,
    /// Its attributes.
    pub attributes: BTreeMap<Arc<str>, Expr>,
    /// The blocks inside.
    pub blocks: Vec<Block>,
    /// Where it stands.
    pub range: Range<usize>,
}

impl Block {
    /// A label, or nothing.
    #[must_use]
    pub fn label(&self, n: usize) -> &str {
        self.labels.get(n).map_or("", |l| l)
    }
}

/// What is wrong with a file.
pub type Trouble = node::Trouble;

/// The blocks of a file.
///
/// # Errors
/// Where the file cannot be read.
pub fn blocks(source: &Arc<SourceText>) -> Result<Vec<Block>, Trouble> {
    if source.file.to_lowercase().ends_with(".json") {
        let root = node::json(source, Spelling::JsonTemplate)?;
        let mut found = Vec::new();
        for body in bodies(&root)? {
            json_blocks(source, body, &mut found);
        }
        return Ok(found);
    }
    let body = parse(source)?;
    Ok(body
        .iter()
        .filter_map(|structure| match structure {
            Structure::Block(block) => Some(block_of(source, block)),
            Structure::Attribute(_) => None,
        })
        .collect())
}

/// The attributes at the top of a file, as of `.tfvars`.
///
/// # Errors
/// Where the file cannot be read.
pub fn attributes(source: &Arc<SourceText>) -> Result<BTreeMap<Arc<str>, Expr>, Trouble> {
    if source.file.to_lowercase().ends_with(".json") {
        let root = node::json(source, Spelling::Json)?;
        let entries = bodies(&root)?.iter().flat_map(Node::entries);
        return Ok(entries
            .map(|(name, value)| {
                (
                    Arc::clone(name),
                    Expr::Json(Arc::clone(source), Arc::new(value.clone())),
                )
            })
            .collect());
    }
    Ok(attributes_of(source, &parse(source)?))
}

/// The bodies that a file of JSON is made of: an object, or a list of them, as Terraform takes both.
fn bodies(root: &Node) -> Result<&[Node], Trouble> {
    let all = match &root.kind {
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(root),
    };
    match all.iter().find(|body| !matches!(body.kind, Kind::Map(_))) {
        Some(odd) => Err(Trouble {
            offset: odd.range.start,
            why: "neither an object nor a list of objects".to_owned(),
        }),
        None => Ok(all),
    }
}

/// Parses HCL 2, within bounds.
///
/// # Errors
/// Where it is none.
pub fn parse(source: &Arc<SourceText>) -> Result<Body, Trouble> {
    bounded(&source.text)?;
    hcl_edit::parser::parse_body(&source.text).map_err(|error| Trouble {
        offset: error.location().offset(),
        why: why(error.message()),
    })
}

/// The parser's words, without anything of the file.
fn why(message: &str) -> String {
    let line = message.split('\n').next().unwrap_or(message);
    line.trim().trim_end_matches('.').to_owned()
}

/// What a scanner of HCL is inside of.
enum Inside<'t> {
    /// Brackets of any kind, with how many entries they have.
    Brackets(usize),
    /// A text in quotes.
    Quotes,
    /// A heredoc, with the word that ends it.
    Heredoc(&'t str),
}

/// Refuses what would take the parser longer than its length: it looks at all earlier names of a block for each.
fn bounded(text: &str) -> Result<(), Trouble> {
    let mut inside = vec![Inside::Brackets(0)];
    let mut at = 0;
    let bytes = text.as_bytes();
    let starts = |at: usize, with: &str| bytes.get(at..).is_some_and(|rest| rest.starts_with(with.as_bytes()));
    let line_end = |at: usize| {
        let rest = bytes.get(at..).unwrap_or(&[]);
        at + rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |n| n + 1)
    };
    while let Some(byte) = bytes.get(at) {
        let depth = inside.len();
        let opens_template = matches!(byte, b'$' | b'%') && bytes.get(at + 1) == Some(&b'{');
        match inside.last_mut() {
            Some(Inside::Quotes) => match byte {
                b'\\' => at += 1,
                b'"' => {
                    inside.pop();
                }
                _ if opens_template => {
                    if bytes.get(at.wrapping_sub(1)) != Some(byte) {
                        inside.push(Inside::Brackets(0));
                    }
                    at += 1;
                }
                _ => {}
            },
            Some(Inside::Heredoc(word)) => {
                if opens_template {
                    if bytes.get(at.wrapping_sub(1)) != Some(byte) {
                        inside.push(Inside::Brackets(0));
                    }
                    at += 1;
                } else if *byte == b'\n' {
                    let end = line_end(at + 1);
                    let line = text.get(at + 1..end).unwrap_or("").trim_start_matches([' ', '\t']);
                    if line
                        .strip_prefix(*word)
                        .is_some_and(|rest| !rest.starts_with(word_char))
                    {
                        at = end - line.len() + word.len() - 1;
                        inside.pop();
                    }
                }
            }
            Some(Inside::Brackets(count)) => match byte {
                b'"' => inside.push(Inside::Quotes),
                b'{' | b'[' | b'(' => inside.push(Inside::Brackets(0)),
                b'}' | b']' | b')' if depth > 1 => {
                    inside.pop();
                }
                b'#' => at = line_end(at) - 1,
                b'/' if starts(at, "//") => at = line_end(at) - 1,
                b'/' if starts(at, "/*") => {
                    at = text
                        .get(at + 2..)
                        .and_then(|rest| rest.find("*/"))
                        .map_or(bytes.len(), |n| at + n + 3);
                }
                b'<' if starts(at, "<<") => {
                    let end = line_end(at);
                    let rest = text.get(at + 2..end).unwrap_or("");
                    let rest = rest.strip_prefix('-').unwrap_or(rest);
                    let word = rest.trim_end_matches(['\n', '\r']);
                    if !word.is_empty() && word.chars().all(word_char) {
                        inside.push(Inside::Heredoc(word));
                        // The line end is looked at again: the heredoc may end with the next line.
                        at = end.saturating_sub(2).max(at);
                    }
                }
                b'=' | b':' | b',' => {
                    *count += 1;
                    if *count > MAX_ENTRIES {
                        return Err(Trouble {
                            offset: at,
                            why: "one block or list has too many entries".to_owned(),
                        });
                    }
                }
                _ => {}
            },
            None => return Ok(()),
        }
        at += 1;
    }
    Ok(())
}

fn word_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

/// Whether a file is HCL of another kind: it has no `path` at its top, as every policy has.
#[must_use]
pub fn is_other(source: &SourceText) -> bool {
    let parsed = bounded(&source.text)
        .ok()
        .and_then(|()| hcl_edit::parser::parse_body(&source.text).ok());
    parsed.is_some_and(|body| {
        body.iter().all(|structure| match structure {
            Structure::Block(block) => block.ident.as_str() != "path",
            Structure::Attribute(attribute) => attribute.key.as_str() != "path",
        })
    })
}

fn attributes_of(source: &Arc<SourceText>, body: &Body) -> BTreeMap<Arc<str>, Expr> {
    body.attributes()
        .map(|attribute| {
            let expr = Expr::Hcl(Arc::clone(source), Arc::new(attribute.value.clone()));
            (Arc::from(attribute.key.as_str()), expr)
        })
        .collect()
}

fn block_of(source: &Arc<SourceText>, block: &HclBlock) -> Block {
    Block {
        source: Arc::clone(source),
        kind: block.ident.as_str().into(),
        labels: block.labels.iter().map(|label| Arc::from(label.as_str())).collect(),
        attributes: attributes_of(source, &block.body),
        blocks: block.body.blocks().map(|inner| block_of(source, inner)).collect(),
        range: block.span().unwrap_or(0..0),
    }
}

/// How many labels a block has in the JSON form.
fn label_count(kind: &str) -> Option<usize> {
    match kind {
        "resource" | "data" | "ephemeral" | "action" => Some(2),
        "variable" | "output" | "module" | "provider" | "check" => Some(1),
        "locals" | "terraform" => Some(0),
        _ => None,
    }
}

fn json_blocks(source: &Arc<SourceText>, body: &Node, found: &mut Vec<Block>) {
    for (kind, value) in body.entries() {
        if let Some(count) = label_count(kind) {
            labelled(source, kind, &mut Vec::new(), count, value, found);
        }
    }
}

fn labelled(
    source: &Arc<SourceText>,
    kind: &Arc<str>,
    labels: &mut Vec<Arc<str>>,
    count: usize,
    value: &Node,
    found: &mut Vec<Block>,
) {
    match &value.kind {
        Kind::List(items) => {
            for item in items {
                labelled(source, kind, labels, count, item, found);
            }
        }
        Kind::Map(entries) if count > 0 => {
            for (label, inner) in entries {
                labels.push(Arc::clone(label));
                labelled(source, kind, labels, count - 1, inner, found);
                labels.pop();
            }
        }
        Kind::Map(_) => found.push(json_block(source, kind, labels.clone(), value)),
        _ => {}
    }
}

/// A block of JSON: each value is an attribute, and may be a block inside as well; who reads it knows which.
fn json_block(source: &Arc<SourceText>, kind: &Arc<str>, labels: Vec<Arc<str>>, value: &Node) -> Block {
    let mut blocks = Vec::new();
    if &**kind == "check" {
        json_blocks(source, value, &mut blocks);
    }
    for (name, inner) in value.entries() {
        let items = match &inner.kind {
            Kind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(inner),
        };
        for item in items.iter().filter(|item| matches!(item.kind, Kind::Map(_))) {
            if matches!(&**name, "rule" | "allowed_parameter" | "denied_parameter") {
                blocks.push(json_block(source, name, Vec::new(), item));
            }
        }
    }
    Block {
        source: Arc::clone(source),
        kind: Arc::clone(kind),
        labels,
        attributes: value
            .entries()
            .iter()
            .map(|(name, inner)| {
                (
                    Arc::clone(name),
                    Expr::Json(Arc::clone(source), Arc::new(inner.clone())),
                )
            })
            .collect(),
        blocks,
        range: value.range.clone(),
    }
}
