//! Files of the repository, and templates.

use super::{Call, Care, Function, Why, function};
use crate::origin::{SourceText, Spelling};
use crate::sources::terraform::value::{Form, ITEM, Value};
use crate::sources::text::Text;
use std::path::PathBuf;
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Function] = &[
    function("file", (1, 1), Care::Any, file),
    function("templatefile", (2, 2), Care::Any, template_file),
    function("fileset", (2, 2), Care::Settled, file_set),
    function("fileexists", (1, 1), Care::Settled, file_exists),
    function("templatestring", (2, 2), Care::Any, template_string),
];

fn file(call: &Call<'_>) -> Result<Value, Why> {
    let source = read(call)?;
    call.world.makes(source.text.len())?;
    Ok(Value::Text(Text::file(&source, Spelling::Plain)))
}

fn template_file(call: &Call<'_>) -> Result<Value, Why> {
    let source = read(call)?;
    filled(call, &Text::file(&source, Spelling::Template))
}

fn template_string(call: &Call<'_>) -> Result<Value, Why> {
    let (_, text) = named(call)?;
    filled(call, &Text::made(text))
}

fn file_exists(call: &Call<'_>) -> Result<Value, Why> {
    let (folder, name) = named(call)?;
    let there = call.world.files.exists(&folder, &name);
    Ok(Value::Bool(there.map_err(|why| failed(call, &name, &why))?))
}

fn file_set(call: &Call<'_>) -> Result<Value, Why> {
    let (folder, name) = named(call)?;
    let files = call.world.files;
    let below = files.below(&folder, &name).map_err(|why| failed(call, &name, &why))?;
    // A pattern is tried on each of them.
    call.world.works(below.len().saturating_mul(ITEM))?;
    let found = files
        .matching(&folder, &folder, &name, &call.text(1)?)
        .map_err(|why| failed(call, &name, &why))?;
    call.listed(found.into_iter().map(Value::made).collect(), Form::Set)
}

/// The file that is named first.
fn read(call: &Call<'_>) -> Result<Arc<SourceText>, Why> {
    let (folder, name) = named(call)?;
    let read = call.world.files.function(&folder, &name);
    read.map_err(|why| failed(call, &name, &why))
}

/// A template with the values that are given to it.
fn filled(call: &Call<'_>, template: &Text) -> Result<Value, Why> {
    let names = call.map(1)?;
    call.world
        .deeper(|| Ok(Value::Text(call.world.template_text(template, names)?)))
}

/// The folder that names are relative to, and the first argument.
fn named(call: &Call<'_>) -> Result<(PathBuf, Arc<str>), Why> {
    Ok((folder(call)?, call.text(0)?))
}

/// What names of files are relative to: Terraform runs in the folder of the root module.
fn folder(call: &Call<'_>) -> Result<PathBuf, Why> {
    let mut scope = Some(call.scope);
    while let Some(here) = scope {
        if let Some(module) = here.module {
            return Ok(module.root.clone());
        }
        scope = here.parent;
    }
    Err("a template reads no files".into())
}

fn failed(call: &Call<'_>, name: &str, why: &str) -> Why {
    format!("`{}(\"{}\")`: {why}", call.name, shown(name)).into()
}

/// A file's name as it is told: short, and nothing that a terminal acts on.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}
