//! What may write policies and is not read as such: commands that Terraform runs, texts of policies given to something else,
//! what wraps Terraform. It is named; where it was there before, just so, it is told and no more.

use super::eval::{Scope, Why, World};
use super::looks_like_policy;
use super::model::{Block, Expr};
use super::module::{Instances, Module};
use super::value::Value;
use crate::origin::SourceText;
use crate::policy::load::holds_policy;
use crate::sources::calls;
use crate::sources::files::Files;
use crate::sources::text::digest;
use crate::vault::path;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a block may write policies without being one, where it may.
#[must_use]
pub fn writes(world: &World<'_>, module: &Module, block: &Block) -> Option<&'static str> {
    if &*block.kind == "terraform" {
        return is_another_provider(world, module, block).then_some(ANOTHER);
    }
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
    if shows(raw) || is_given(world, module, block) {
        return Some(HOLDS);
    }
    let of_a_policy = matches!(block.label(0), "openbao_policy" | "bao_policy");
    (of_a_policy || sends(world, module, block)).then_some(SENDS)
}

/// Why a block that sends requests is named.
const SENDS: &str = "it may write a policy: what it is given is not known";

/// Whether a block sends requests to wherever it is told, and that is not known.
fn sends(world: &World<'_>, module: &Module, block: &Block) -> bool {
    const SENDERS: [&str; 4] = ["restapi_object", "http", "terracurl_request", "rest_operation"];
    let is_place = |name: &str| name == "path" || name.ends_with("_path") || name == "url" || name.ends_with("_url");
    if !SENDERS.contains(&block.label(0)) {
        return false;
    }
    let mut found = false;
    look(world, module, block, &mut |name, value, is_part| {
        let may = || block.attributes.get(name).is_none_or(may_lead_to_policies);
        found = !is_part && is_place(name) && value.unknown_inside().is_some() && may();
        if found {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    found
}

/// Whether a path that is not known may be one of policies, by what it begins with: no mount lies there. What stands before may be
/// a namespace, and `..` leads anywhere.
pub fn may_lead_to_policies(path: &Expr) -> bool {
    let raw = path.raw().trim_start_matches('"').trim_start_matches('/');
    if raw.contains("..") {
        return true;
    }
    if raw.starts_with("${vault_") || raw.starts_with("vault_") {
        return false;
    }
    match (path.raw().starts_with('"'), raw.split_once("${")) {
        (true, Some((start, _))) => {
            // As an address of the API.
            let start = start.rsplit_once("v1/").map_or(start, |(_, rest)| rest);
            let begins = |rest: &str| {
                rest.starts_with("sys") && ("sys/polic".starts_with(rest) || rest.starts_with("sys/polic"))
            };
            "sys/polic".starts_with(start) || path::tails(start).any(begins)
        }
        _ => true,
    }
}

/// Why a block that shows a policy is named.
pub const HOLDS: &str = "it holds a policy, or the place of one, and what it does with it is not known";

/// Whether a text holds a policy, the place of one, or a command that writes one.
#[must_use]
pub fn shows(text: &str) -> bool {
    let commands = ["policy write", "policy_write"];
    calls::places(text).next().is_some() || commands.iter().any(|command| text.contains(command)) || holds_policy(text)
}

/// Whether a text may be a part of what shows one.
#[must_use]
pub fn leads(text: &str) -> bool {
    ["sys", "polic", "capabilities"].iter().any(|word| text.contains(word)) || shows(text)
}

/// Whether what a block is given from elsewhere shows one.
fn is_given(world: &World<'_>, module: &Module, block: &Block) -> bool {
    let mut found = false;
    look(world, module, block, &mut |_, value, _| {
        found = value.says(shows);
        if found {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    found
}

/// Who is told of values, by the names of their attributes and whether each is but a part of what is given, and says when that is enough.
type Told<'t> = dyn FnMut(&str, &Value, bool) -> ControlFlow<()> + 't;

/// Tells what a block is given, and the blocks inside, in each of its instances: the values, and of what is not known what that is made of.
/// It ends where there is too much to look at, which is told elsewhere.
fn look(world: &World<'_>, module: &Module, block: &Block, told: &mut Told<'_>) {
    let base = Scope::of(module);
    // Where the instances are not known, what stands in all of them is.
    let instances = of_unknown(world, || module.instances(world, block), instances_are_known);
    let instances = instances.unwrap_or_else(|_| vec![(Value::Null, Vec::new())]);
    let mut looking = Looking {
        world,
        module,
        seen: BTreeSet::new(),
        told,
    };
    for (_, names) in instances {
        let scope = base.with(names);
        let mut open = vec![block];
        while let Some(block) = open.pop() {
            let mut attributes = block.attributes.iter();
            if attributes.any(|(name, expr)| looking.at(name, expr, &scope, false).is_break()) {
                return;
            }
            open.extend(&block.blocks);
        }
    }
}

/// Works something out, and notes what it needed: where all of it is known, it says itself what files and blocks gave it.
fn of_unknown<T>(world: &World<'_>, work: impl FnOnce() -> T, is_known: impl FnOnce(&T) -> bool) -> T {
    let (done, needs) = world.noting(work);
    world.needs(&if is_known(&done) { needs.of_known() } else { needs });
    done
}

/// Whether all that the instances of a block are given is known.
pub fn instances_are_known(instances: &Result<Instances, Why>) -> bool {
    let mut given = instances.iter().flatten().flat_map(|(_, names)| names);
    instances.is_ok() && given.all(|(_, value)| value.unknown_inside().is_none())
}

struct Looking<'a, 'w, 't> {
    world: &'a World<'w>,
    module: &'a Module,
    /// Locals that were looked into.
    seen: BTreeSet<String>,
    told: &'a mut Told<'t>,
}

impl Looking<'_, '_, '_> {
    fn at(&mut self, name: &str, expr: &Expr, scope: &Scope<'_>, is_part: bool) -> ControlFlow<()> {
        let is_known = |value: &Value| value.unknown_inside().is_none();
        let value = of_unknown(self.world, || self.world.value(expr, scope), is_known);
        if self.world.works(value.steps()).is_err() {
            return ControlFlow::Break(());
        }
        (self.told)(name, &value, is_part)?;
        match value.unknown_inside() {
            Some(_) => self.within(name, expr, scope),
            None => ControlFlow::Continue(()),
        }
    }

    /// What an expression is made of; of a local, what that is.
    fn within(&mut self, name: &str, expr: &Expr, scope: &Scope<'_>) -> ControlFlow<()> {
        let module = self.module;
        let local: String = expr
            .raw()
            .strip_prefix("local.")
            .unwrap_or("")
            .chars()
            .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
            .collect();
        if let Some(own) = module.written_local(&local)
            && self.seen.insert(local)
        {
            self.at(name, own, &Scope::of(module), true)?;
        }
        expr.within()
            .iter()
            .try_for_each(|part| self.at(name, part, scope, true))
    }
}

const ANOTHER: &str = "its provider `vault` is not that of HashiCorp: what it makes of policies is not known";

/// Whether it says that the provider `vault` is another program.
fn is_another_provider(world: &World<'_>, module: &Module, block: &Block) -> bool {
    let scope = Scope::of(module);
    let required = block.blocks.iter().filter(|inner| &*inner.kind == "required_providers");
    let in_hcl = required.filter_map(|inner| inner.attributes.get("vault"));
    let in_hcl = in_hcl.map(|expr| world.value(expr, &scope));
    let in_json = block
        .attributes
        .get("required_providers")
        .map(|expr| world.value(expr, &scope));
    let in_json = in_json.into_iter().flat_map(|said| match said {
        Value::List(all) => all.to_vec(),
        said => vec![said],
    });
    let in_json = in_json.filter_map(|said| match said {
        Value::Map(entries) => entries.get("vault").cloned(),
        _ => None,
    });
    let is_other = |said: Value| match said {
        Value::Map(entries) => entries.get("source").is_some_and(|source| {
            let text = source.text().map(|text| text.text);
            !text.is_ok_and(|text| text.to_lowercase().ends_with("hashicorp/vault"))
        }),
        // In the old form a version stands alone.
        _ => false,
    };
    in_hcl.chain(in_json).any(is_other)
}

/// Why a block that runs commands is named.
pub const RUNS: &str = "it runs a command, and what that writes is not known";

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

/// What such a block is: its text, and what it is given here. What it needs beside is noted: the files that it names among them.
#[must_use]
pub fn same(world: &World<'_>, module: &Module, block: &Block) -> Arc<str> {
    let mut said = block.source.text.get(block.range.clone()).unwrap_or("").to_owned();
    look(world, module, block, &mut |name, value, is_part| {
        said.push('\0');
        said.push_str(name);
        said.push('\0');
        said.push_str(&value.json().unwrap_or_else(|why| why.to_string()));
        // Where a command runs says nothing of what it reads there.
        if name != "working_dir" {
            named(world, &module.root, value, is_part);
        }
        ControlFlow::Continue(())
    });
    digest(&said)
}

/// Notes the files that texts in a value name, and the folders where they are not but a part of a name.
fn named(world: &World<'_>, folder: &Path, value: &Value, is_part: bool) {
    /// No name is longer.
    const LONGEST: usize = 1024;
    match value {
        Value::Text(text) if text.text.len() <= LONGEST && !text.text.contains('\n') => {
            let is_folder = || folder.join(&*text.text).is_dir();
            if !(is_part && is_folder()) {
                world.reads(folder, &text.text);
            }
        }
        Value::List(items) => items.iter().for_each(|item| named(world, folder, item, is_part)),
        Value::Map(entries) => entries.values().for_each(|value| named(world, folder, value, is_part)),
        _ => {}
    }
}

/// A file of a program that runs Terraform, and says where its modules are, what their variables are, or what is written beside them
/// (Terragrunt): what it is.
#[must_use]
pub fn wraps(files: &Files, source: &Arc<SourceText>) -> Option<Wraps> {
    const WORDS: [&str; 6] = ["inputs", "terraform", "generate", "source", "run_cmd", "include"];
    if !WORDS.iter().any(|word| source.text.contains(word)) {
        return None;
    }
    // What cannot be read may give anything.
    let attributes = super::model::attributes(source).ok();
    let read = attributes.zip(super::model::blocks(source).ok());
    let gives = read.as_ref().is_none_or(|(attributes, blocks)| {
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
    let mut all = BTreeMap::new();
    let is_known = reads(files, source, 0, &mut all);
    // What it includes may give anything.
    let of_kind = |blocks: &[Block]| blocks.iter().any(|block| &*block.kind == "include");
    let includes = read.as_ref().is_none_or(|(_, blocks)| of_kind(blocks)) && !(is_known && all.is_empty());
    (gives || includes).then(|| {
        let beside: String = all
            .iter()
            .map(|(path, is)| format!("\0{}\0{is}", path.display()))
            .collect();
        is_known.then(|| digest(&format!("{}{beside}", source.text)))
    })
}

/// What wraps Terraform, with all that it reads: none where some of that is not known.
pub type Wraps = Option<Arc<str>>;

/// Adds the files that one of Terragrunt reads, and those that they read: what it includes, and what it names. Whether all that it includes
/// is known.
fn reads(files: &Files, source: &Arc<SourceText>, depth: usize, found: &mut BTreeMap<PathBuf, Arc<str>>) -> bool {
    const DEEPEST: usize = 8;
    const UP: &str = "find_in_parent_folders(";
    let folder = Path::new(&*source.file).parent().unwrap_or(Path::new("")).to_path_buf();
    let mut named: Vec<PathBuf> = Vec::new();
    // What is named in quotes, below the folder or that of the repository.
    for word in source
        .text
        .split(['"', '\n'])
        .filter(|word| !word.is_empty() && word.len() < 1024)
    {
        let here = ["${get_terragrunt_dir()}/", "${get_parent_terragrunt_dir()}/"];
        let relative = here.iter().find_map(|place| word.strip_prefix(place)).unwrap_or(word);
        named.push(folder.join(relative));
        if let Some(below) = word.strip_prefix("${get_repo_root()}/") {
            named.push(files.at_root(below));
        }
    }
    for (at, _) in source.text.match_indices(UP) {
        let argument = source.text.get(at + UP.len()..).unwrap_or_default().trim_start();
        let names = match argument.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
            Some((name, _)) => vec![name],
            None if argument.starts_with(')') => vec!["terragrunt.hcl", "root.hcl"],
            None => return false,
        };
        let mut up = folder.clone();
        for _ in 0..=DEEPEST * 2 {
            up.push("..");
            named.extend(names.iter().map(|name| up.join(name)));
        }
    }
    let mut is_known = true;
    for path in named {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .filter(|_| !path.is_dir());
        let folder = path.parent().unwrap_or(Path::new(""));
        let Some((place, is)) = name.and_then(|name| files.is_as(folder, name)) else {
            continue;
        };
        if found.contains_key(&place) {
            continue;
        }
        let Some(is) = is else { return false };
        found.insert(place, is);
        let below = path
            .extension()
            .is_some_and(|end| end == "hcl")
            .then(|| files.source(&path));
        if let Some(below) = below {
            is_known &= depth < DEEPEST && below.is_ok_and(|below| reads(files, &below, depth + 1, found));
        }
    }
    is_known
}

/// A file of a stack of Terraform, or of its tests, that says what its modules are given: what it is.
#[must_use]
pub fn gives(source: &Arc<SourceText>) -> Option<Arc<str>> {
    const STACKS: [&str; 3] = [".tfdeploy.hcl", ".tfstack.hcl", ".tfcomponent.hcl"];
    const TESTS: [&str; 2] = [".tftest.hcl", ".tofutest.hcl"];
    let is_one_of = |ends: &[&str]| ends.iter().any(|end| source.file.ends_with(end));
    let gives = |blocks: &[Block]| match is_one_of(&TESTS) {
        true => applies(blocks),
        false => blocks.iter().any(|block| block.attributes.contains_key("inputs")),
    };
    if !is_one_of(&STACKS) && !is_one_of(&TESTS) {
        return None;
    }
    // What cannot be read may give anything.
    let gives = super::model::blocks(source).map_or(true, |blocks| gives(&blocks));
    (gives || looks_like_policy(&source.text)).then(|| digest(&source.text))
}

/// Whether a test applies something else than what is checked, on the server that the provider names: a run plans only where it says so.
fn applies(blocks: &[Block]) -> bool {
    let of_kind = |blocks: &[Block], kind: &str| blocks.iter().any(|block| &*block.kind == kind);
    let is_mocked = blocks
        .iter()
        .any(|block| &*block.kind == "mock_provider" && block.label(0) == "vault");
    let given = of_kind(blocks, "variables");
    let mut runs = blocks.iter().filter(|block| &*block.kind == "run");
    !is_mocked
        && runs.any(|run| {
            let command = run.attributes.get("command");
            let plans = command.is_some_and(|command| command.raw().trim() == "plan");
            !plans && (given || of_kind(&run.blocks, "variables") || of_kind(&run.blocks, "module"))
        })
}

/// A file of another program that holds a policy, the place of one, or a command that writes one: what it is.
#[must_use]
pub fn holds_one(source: &Arc<SourceText>) -> Option<Arc<str>> {
    shows(&without_variables_of_nomad(source)).then(|| digest(&source.text))
}

/// A text without what a policy of Nomad grants on variables of Nomad's own: `namespace "a" { variables { path "b" { ... } } }`.
fn without_variables_of_nomad(source: &Arc<SourceText>) -> String {
    let blocks = super::model::blocks(source).unwrap_or_default();
    let inside = |blocks: &[Block], kind: &str| -> Vec<Block> {
        let all = blocks.iter().filter(|block| &*block.kind == kind);
        all.flat_map(|block| block.blocks.clone()).collect()
    };
    let granted = inside(&inside(&blocks, "namespace"), "variables");
    let grants_alone = |block: &&Block| {
        let only = block.attributes.keys().all(|name| &**name == "capabilities");
        &*block.kind == "path" && only && block.blocks.is_empty() && !shows(block.label(0))
    };
    let mut text = source.text.to_string();
    // From the end, so that the places before stay.
    for block in granted.iter().filter(grants_alone).rev() {
        text.replace_range(block.range.clone(), "");
    }
    text
}
