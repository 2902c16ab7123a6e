//! What may write policies and is not read as such: commands that Terraform runs, texts of policies given to something else,
//! what wraps Terraform. It is named; where it was there before, just so, it is told and no more.

use super::eval::{Scope, World};
use super::looks_like_policy;
use super::model::Block;
use super::module::Module;
use super::value::Value;
use crate::origin::SourceText;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::sync::Arc;

/// Why a block may write policies without being one, where it may.
#[must_use]
pub fn writes(world: &World<'_>, module: &Module, block: &Block) -> Option<&'static str> {
    if !matches!(&*block.kind, "resource" | "data" | "ephemeral" | "action") {
        return None;
    }
    match (&*block.kind, block.label(0)) {
        (_, "vault_policy" | "vault_generic_endpoint" | "vault_generic_secret" | "vault_policy_document") => {
            return runs(block).then_some(RUNS);
        }
        ("data", "external") | ("resource", "shell_script") | ("action", "local_command") => return Some(RUNS),
        _ if runs(block) => return Some(RUNS),
        _ => {}
    }
    let raw = block.source.text.get(block.range.clone()).unwrap_or("");
    (shows(raw) || is_given(world, module, block))
        .then_some("it holds a policy, or the place of one, and what it does with it is not known")
}

/// Whether a text holds a policy, the place of one, or a command that writes one.
#[must_use]
pub fn shows(text: &str) -> bool {
    let names = text.contains("sys/polic") || text.contains("policy write") || text.contains("policy_write");
    // Of a container, for one, there are paths and capabilities too.
    let opens = ["path \"", "path \\\"", "\"path\""];
    names || looks_like_policy(text) && opens.iter().any(|word| text.contains(word))
}

/// Whether what a block is given from elsewhere, as far as it can be worked out, shows one.
fn is_given(world: &World<'_>, module: &Module, block: &Block) -> bool {
    let scope = Scope::of(module);
    let mut open = vec![block];
    while let Some(block) = open.pop() {
        for expr in block.attributes.values() {
            let value = world.value(expr, &scope);
            if world.works(value.steps()).is_err() || holds(&value) {
                return true;
            }
        }
        open.extend(&block.blocks);
    }
    false
}

fn holds(value: &Value) -> bool {
    match value {
        Value::Text(text) => shows(&text.text),
        Value::List(items) => items.iter().any(holds),
        Value::Map(entries) => entries.values().any(holds),
        _ => false,
    }
}

const RUNS: &str = "it runs a command, and what that writes is not known";

/// Whether a block runs commands where Terraform runs, or elsewhere.
fn runs(block: &Block) -> bool {
    let commands = ["local-exec", "remote-exec"];
    let hcl = |inner: &Block| &*inner.kind == "provisioner" && commands.contains(&inner.label(0));
    let raw = block.attributes.get("provisioner").map(|expr| {
        let range = expr.range();
        block.source.text.get(range).unwrap_or("")
    });
    block.blocks.iter().any(hcl) || raw.is_some_and(|raw| commands.iter().any(|command| raw.contains(command)))
}

/// What such a block is: its text, and what its attributes are here.
#[must_use]
pub fn same(world: &World<'_>, module: &Module, block: &Block) -> Arc<str> {
    let mut hash = Sha256::new();
    hash.update(block.source.text.get(block.range.clone()).unwrap_or(""));
    let scope = Scope::of(module);
    // Those of blocks inside, such as the command of a provisioner, too.
    let mut open = vec![block];
    while let Some(block) = open.pop() {
        for (name, expr) in &block.attributes {
            let value = world.value(expr, &scope);
            let said = match world.works(value.steps()) {
                Ok(()) => value.json().unwrap_or_else(|why| why.to_string()),
                Err(why) => why.to_string(),
            };
            hash.update([0]);
            hash.update(&**name);
            hash.update([0]);
            hash.update(said);
        }
        open.extend(&block.blocks);
    }
    hex(&hash.finalize())
}

/// A file of a program that runs Terraform, and says where its modules are, what their variables are, or what is written beside them
/// (Terragrunt): what it is.
#[must_use]
pub fn wraps(source: &Arc<SourceText>) -> Option<Arc<str>> {
    const WORDS: [&str; 5] = ["inputs", "terraform", "generate", "source", "run_cmd"];
    if !WORDS.iter().any(|word| source.text.contains(word)) {
        return None;
    }
    // What cannot be read may give anything.
    let read = || {
        Some((
            super::model::attributes(source).ok()?,
            super::model::blocks(source).ok()?,
        ))
    };
    let gives = read().is_none_or(|(attributes, blocks)| {
        let leads = blocks.iter().any(|block| {
            let names = block.attributes.contains_key("source");
            match &*block.kind {
                "terraform" => names || !block.blocks.is_empty(),
                "unit" | "stack" => names,
                "generate" => block.attributes.contains_key("contents"),
                _ => false,
            }
        });
        // A command runs wherever a value is worked out.
        let gives = ["inputs", "generate"].iter().any(|name| attributes.contains_key(*name));
        gives || leads || source.text.contains("run_cmd(")
    });
    gives.then(|| hex(&Sha256::digest(&*source.text)))
}

/// A file of a stack of Terraform that says what its modules are given: what it is.
#[must_use]
pub fn gives(source: &Arc<SourceText>) -> Option<Arc<str>> {
    const ENDS: [&str; 3] = [".tfdeploy.hcl", ".tfstack.hcl", ".tfcomponent.hcl"];
    if !ENDS.iter().any(|end| source.file.ends_with(end)) {
        return None;
    }
    // What cannot be read may give anything.
    let gives = super::model::blocks(source).map_or(true, |blocks| {
        blocks.iter().any(|block| block.attributes.contains_key("inputs"))
    });
    (gives || looks_like_policy(&source.text)).then(|| hex(&Sha256::digest(&*source.text)))
}

/// A file of another program that holds a policy, the place of one, or a command that writes one: what it is.
#[must_use]
pub fn holds_one(source: &Arc<SourceText>) -> Option<Arc<str>> {
    shows(&source.text).then(|| hex(&Sha256::digest(&*source.text)))
}

fn hex(bytes: &[u8]) -> Arc<str> {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}
