//! JSON, YAML and base64.

use super::{Call, Care, Function, Why, function};
use crate::origin::{SourceText, Spelling};
use crate::sources::node::{self, Kind, Node, Trouble};
use crate::sources::terraform::value::Value;
use crate::sources::text::Text;
use crate::sources::yaml;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Function] = &[
    function("jsonencode", (1, 1), Care::Any, json_encode),
    function("jsondecode", (1, 1), Care::Any, json_decode),
    function("yamldecode", (1, 1), Care::Any, yaml_decode),
    function("base64encode", (1, 1), Care::Settled, base64_encode),
    function("base64decode", (1, 1), Care::Plain, base64_decode),
];

fn json_encode(call: &Call<'_>) -> Result<Value, Why> {
    let value = call.get(0)?;
    let mut text = Text::made(call.json(value)?);
    text.json = Some(Arc::new(value.node()?));
    Ok(Value::Text(text))
}

fn json_decode(call: &Call<'_>) -> Result<Value, Why> {
    decoded(call, |source| node::json(source, Spelling::Json))
}

fn yaml_decode(call: &Call<'_>) -> Result<Value, Why> {
    decoded(call, yaml_document)
}

/// What a text holds; of a text that is a whole file, with its places there.
fn decoded(call: &Call<'_>, read: impl Fn(&Arc<SourceText>) -> Result<Node, Trouble>) -> Result<Value, Why> {
    let text = call.placed(0)?;
    call.world.makes(text.text.len())?;
    if let Some(node) = &text.json {
        return Ok(Value::of_node(node));
    }
    let file = whole_file(&text);
    let source = file.map_or_else(|| Arc::new(SourceText::new("", Arc::clone(&text.text))), Arc::clone);
    let mut node = read(&source).map_err(|t| Why::from(format!("`{}(…)`: {}", call.name, t.why)))?;
    if file.is_none() {
        placeless(&mut node);
    }
    Ok(Value::of_node(&node))
}

/// The file that a text is, as it stands there.
fn whole_file(text: &Text) -> Option<&Arc<SourceText>> {
    let [piece] = &*text.pieces else {
        return None;
    };
    let level = piece.levels.first().filter(|_| piece.levels.len() == 1)?;
    let is_whole = level.spelling == Spelling::Plain && level.range == (0..level.source.text.len());
    is_whole.then_some(&level.source)
}

/// The one document of a text of YAML.
fn yaml_document(source: &Arc<SourceText>) -> Result<Node, Trouble> {
    let trouble = |why: &str| Trouble {
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

/// Takes the places off a value that was read out of a text which is no file.
pub fn placeless(node: &mut Node) {
    match &mut node.kind {
        Kind::Text(text) => *text = Text::made(Arc::clone(&text.text)),
        Kind::List(items) => items.iter_mut().for_each(placeless),
        Kind::Map(entries) => entries.iter_mut().for_each(|(_, value)| placeless(value)),
        _ => {}
    }
}

fn base64_encode(call: &Call<'_>) -> Result<Value, Why> {
    call.made(STANDARD.encode(call.text(0)?.as_bytes()))
}

fn base64_decode(call: &Call<'_>) -> Result<Value, Why> {
    let bytes = STANDARD
        .decode(call.text(0)?.as_bytes())
        .map_err(|_| Why::from("`base64decode(…)` is given no base64"))?;
    let text = String::from_utf8(bytes).map_err(|_| Why::from("`base64decode(…)` makes no text"))?;
    call.made(text)
}
