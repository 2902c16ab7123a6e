//! What may write policies and is not read as such: commands that Terraform runs, texts of policies given to something else,
//! what wraps Terraform. It is named; where it was there before, just so, it is told and no more.

use super::eval::{Scope, World};
use super::looks_like_policy;
use super::model::Block;
use super::module::Module;
use crate::origin::SourceText;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::sync::Arc;

/// Why a block may write policies without being one, where it may.
#[must_use]
pub fn writes(block: &Block) -> Option<&'static str> {
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
    let names = raw.contains("sys/polic") || raw.contains("policy write") || raw.contains("policy_write");
    // Of a container, for one, there are paths and capabilities too.
    let opens = ["path \"", "path \\\"", "\"path\""];
    let holds = looks_like_policy(raw) && opens.iter().any(|word| raw.contains(word));
    (names || holds).then_some("it holds a policy, or the place of one, and what it does with it is not known")
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

/// A file of a program that runs Terraform, and says where its module is or what its variables are (Terragrunt): what it is.
#[must_use]
pub fn wraps(source: &Arc<SourceText>) -> Option<Arc<str>> {
    if !source.text.contains("inputs") && !source.text.contains("terraform") {
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
            &*block.kind == "terraform" && (block.attributes.contains_key("source") || !block.blocks.is_empty())
        });
        attributes.contains_key("inputs") || leads
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

fn hex(bytes: &[u8]) -> Arc<str> {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}
