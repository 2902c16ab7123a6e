//! Files of the repository, and templates.

use super::{Call, Care, Function, Scope, Why, World, function};
use crate::origin::{SourceText, Spelling};
use crate::sources::terraform::value::{Form, ITEM, Value};
use crate::sources::text::Text;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Function] = &[
    function("file", (1, 1), Care::Any, file),
    function("templatefile", (2, 2), Care::Any, template_file),
    function("fileset", (2, 2), Care::Settled, file_set),
    function("fileexists", (1, 1), Care::Settled, file_exists),
    function("templatestring", (2, 2), Care::Any, template_string),
];

/// Notes what a function reads, whether it is worked out or not; where the name of that is not known, it may be anything there.
pub(super) fn noted(world: &World<'_>, scope: &Scope<'_>, name: &str, arguments: &[Value]) {
    let reads = name.starts_with("file") && name != "fileexists" || name == "templatefile";
    let Some(folder) = Some(scope).filter(|_| reads).and_then(runs_in) else {
        return;
    };
    match arguments.first().map(Value::text) {
        Some(Ok(named)) => world.reads(folder, &named.text),
        _ => world.reads(folder, "."),
    }
}

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

/// What names of files are relative to.
fn folder(call: &Call<'_>) -> Result<PathBuf, Why> {
    let folder = runs_in(call.scope).map(Path::to_path_buf);
    folder.ok_or_else(|| "a template reads no files".into())
}

/// The folder that Terraform runs in: that of the root module. None for a template.
fn runs_in<'s>(scope: &'s Scope<'_>) -> Option<&'s Path> {
    std::iter::successors(Some(scope), |here| here.parent)
        .find_map(|here| here.module)
        .map(|module| module.root.as_path())
}

fn failed(call: &Call<'_>, name: &str, why: &str) -> Why {
    format!("`{}(\"{}\")`: {why}", call.name, shown(name)).into()
}

/// A file's name as it is told: short, and nothing that a terminal acts on.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}
