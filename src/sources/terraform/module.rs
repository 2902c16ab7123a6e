//! A module: its variables, locals, documents, resources and the modules below it, worked out when they are asked for.

use super::document;
use super::eval::{Scope, Why, World};
use super::model::{self, Block, Expr, Trouble};
use super::types;
use super::value::Value;
use super::ways::{Given, Needs, Way};
use crate::origin::SourceText;
use crate::sources::files::{self, Files, is_terraform};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// How many modules deep is looked.
const MAX_MODULES: usize = 16;
/// What it takes to hold a module beside its arguments, in bytes.
const MODULE: usize = 4096;

/// Where a provider writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Server {
    /// The namespace, without slashes around it.
    pub namespace: String,
    /// The address, as far as it is known: else how it is written.
    pub address: String,
}

/// The instances of a block: what stands in brackets after the address of each, and the names that it may use.
pub type Instances = Vec<(Value, Vec<(Arc<str>, Value)>)>;

/// The providers that a module gets from its caller, by their names in it; `*` stands for any.
type Passed = BTreeMap<String, Result<Server, Why>>;

/// The files of a folder, read.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    /// All blocks.
    pub blocks: Arc<Vec<Block>>,
    /// Files that cannot be read, and why.
    pub troubles: Arc<Vec<(Arc<SourceText>, Trouble)>>,
    /// Files that could not even be opened.
    pub unread: Arc<Vec<(PathBuf, String)>>,
    /// Where in `blocks` each of them is.
    index: Arc<Index>,
}

/// Where the blocks of a folder are: the same for each module that is made of it.
#[derive(Debug, Default)]
struct Index {
    /// By kind and labels.
    by_name: HashMap<String, usize>,
    locals: HashMap<Arc<str>, Expr>,
    /// The providers, by their number.
    providers: Vec<usize>,
}

impl Index {
    fn new(blocks: &[Block]) -> Self {
        let mut index = Self::default();
        for (n, block) in blocks.iter().enumerate() {
            if &*block.kind == "locals" {
                let locals = block.attributes.iter().map(|(k, v)| (Arc::clone(k), v.clone()));
                index.locals.extend(locals);
                continue;
            }
            if &*block.kind == "provider" {
                index.providers.push(n);
            }
            index.by_name.insert(name_of(block), n);
        }
        index
    }
}

/// What is known of a name.
#[derive(Debug, Clone)]
enum Memo {
    Working,
    /// And what it is made of beside.
    Done(Value, Needs),
}

/// A module with its arguments.
pub struct Module {
    /// What stands before the addresses of its resources, such as `module.x.`.
    pub address: String,
    /// The folder that Terraform runs in.
    pub root: PathBuf,
    /// The folder of the module.
    pub folder: PathBuf,
    /// All its blocks.
    pub blocks: Arc<Vec<Block>>,
    index: Arc<Index>,
    arguments: BTreeMap<Arc<str>, (Value, Needs)>,
    passed: Passed,
    /// What files may give its variables beside that, and which of it counts here.
    given: Rc<Given>,
    way: Way,
    memo: RefCell<HashMap<String, Memo>>,
    below: RefCell<HashMap<String, Rc<Module>>>,
    depth: usize,
}

/// Whether a file gives variables their values by itself.
fn is_automatic(name: &str) -> bool {
    matches!(name, "terraform.tfvars" | "terraform.tfvars.json")
        || name.ends_with(".auto.tfvars")
        || name.ends_with(".auto.tfvars.json")
}

/// Names of what is in a folder, sorted.
fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Whether the blocks of a file override those of the others.
fn is_override(name: &str) -> bool {
    let ends = [".tf", ".tofu", ".tf.json", ".tofu.json"];
    let stem = ends.iter().find_map(|end| name.strip_suffix(end));
    stem.is_some_and(|stem| stem == "override" || stem.ends_with("_override"))
}

/// Reads the Terraform files of a folder. Of two that differ only in `.tf` and `.tofu`, OpenTofu reads the second alone.
pub fn folder(world: &World<'_>, path: &Path) -> Folder {
    if let Some(known) = world.folders.borrow().get(path) {
        return known.clone();
    }
    // Those that begin with a dot are not Terraform's.
    let names: BTreeSet<String> = names_in(path)
        .into_iter()
        .filter(|name| !name.starts_with('.'))
        .collect();
    let mut blocks: Vec<Block> = Vec::new();
    let (mut overrides, mut troubles, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    for name in names.iter().filter(|name| is_terraform(Path::new(name))) {
        let twin = [(".tf", ".tofu"), (".tf.json", ".tofu.json")]
            .iter()
            .find_map(|(end, other)| Some(format!("{}{other}", name.strip_suffix(end)?)));
        let file = files::tidy(&path.join(name));
        // Which of the two programs runs is not known: what each reads has to be the same.
        if let Some(twin) = twin.filter(|twin| names.contains(twin)) {
            let both = (
                world.files.source(&file),
                world.files.source(&files::tidy(&path.join(&twin))),
            );
            if !matches!(&both, (Ok(one), Ok(other)) if one.text == other.text) {
                let why = format!(
                    "OpenTofu reads `{twin}` in its place, Terraform does not: which of them runs is not known"
                );
                unread.push((file, why));
            }
            continue;
        }
        if is_override(name) && name.contains(".tofu") {
            unread.push((
                file.clone(),
                "OpenTofu alone reads what it overrides: whether that runs is not known".to_owned(),
            ));
        }
        match world.files.source(&file) {
            Err(why) => unread.push((file, why)),
            Ok(source) => match model::blocks(&source) {
                Ok(found) if is_override(name) => overrides.extend(found),
                Ok(found) => blocks.extend(found),
                Err(trouble) => troubles.push((source, trouble)),
            },
        }
    }
    twice(&blocks, &mut troubles);
    overridden(&mut blocks, overrides, &mut troubles);
    let read = Folder {
        index: Arc::new(Index::new(&blocks)),
        blocks: Arc::new(blocks),
        troubles: Arc::new(troubles),
        unread: Arc::new(unread),
    };
    world.folders.borrow_mut().insert(path.to_path_buf(), read.clone());
    read
}

/// What is said twice, of which Terraform takes none, and a program that does not read one of the files the other.
fn twice(blocks: &[Block], troubles: &mut Vec<(Arc<SourceText>, Trouble)>) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for block in blocks {
        let names = match &*block.kind {
            "locals" => block
                .attributes
                .iter()
                .map(|(name, expr)| (format!("local.{name}"), expr.range().start))
                .collect(),
            "resource" | "data" | "variable" | "module" | "output" | "provider" => {
                vec![(override_name(block), block.range.start)]
            }
            _ => Vec::new(),
        };
        for (name, offset) in names {
            if let Some(name) = seen.replace(name) {
                let why = format!("`{}` is said twice: which counts is not known", name.trim());
                troubles.push((Arc::clone(&block.source), Trouble { offset, why }));
            }
        }
    }
}

/// Puts what override files say into the blocks that it is about: an attribute takes the place of one of its name, and blocks
/// take that of all of their kind.
fn overridden(blocks: &mut [Block], overrides: Vec<Block>, troubles: &mut Vec<(Arc<SourceText>, Trouble)>) {
    if overrides.is_empty() {
        return;
    }
    let mut by_name: HashMap<String, usize> = HashMap::new();
    let mut by_local: HashMap<Arc<str>, usize> = HashMap::new();
    for (n, block) in blocks.iter().enumerate() {
        if &*block.kind == "locals" {
            by_local.extend(block.attributes.keys().map(|name| (Arc::clone(name), n)));
        } else {
            by_name.insert(override_name(block), n);
        }
    }
    for over in overrides {
        let mut missing = |range: Range<usize>| {
            let why = "it overrides what is not there".to_owned();
            let offset = range.start;
            troubles.push((Arc::clone(&over.source), Trouble { offset, why }));
        };
        if &*over.kind == "locals" {
            for (name, expr) in over.attributes {
                match by_local.get(&name).and_then(|n| blocks.get_mut(*n)) {
                    Some(block) => drop(block.attributes.insert(name, expr)),
                    None => missing(expr.range()),
                }
            }
            continue;
        }
        // What sets Terraform itself up says nothing of policies, and may stand in an override alone.
        if &*over.kind == "terraform" {
            continue;
        }
        let Some(block) = by_name.get(&override_name(&over)).and_then(|n| blocks.get_mut(*n)) else {
            missing(over.range.clone());
            continue;
        };
        let kind_of = |inner: &Block| match &*inner.kind {
            "dynamic" => inner.labels.first().cloned().unwrap_or_default(),
            _ => Arc::clone(&inner.kind),
        };
        let kinds: BTreeSet<Arc<str>> = over.blocks.iter().map(kind_of).collect();
        block.blocks.retain(|inner| !kinds.contains(&kind_of(inner)));
        block.blocks.extend(over.blocks);
        block.attributes.extend(over.attributes);
    }
}

/// What an override calls a block: of a provider its alias counts too.
fn override_name(block: &Block) -> String {
    let alias = match block.attributes.get("alias") {
        Some(expr) if &*block.kind == "provider" => {
            let (Expr::Hcl(source, _) | Expr::Json(source, _)) = expr;
            source.text.get(expr.range()).unwrap_or("").to_owned()
        }
        _ => String::new(),
    };
    format!("{} {alias}", name_of(block))
}

/// The values that files beside a root module give to its variables.
fn given(world: &World<'_>, path: &Path) -> BTreeMap<Arc<str>, Value> {
    let mut all = BTreeMap::new();
    let mut names: Vec<String> = names_in(path).into_iter().filter(|name| is_automatic(name)).collect();
    // `terraform.tfvars` first, then the others by name: the last one counts.
    names.sort_by_key(|name| {
        let place = ["terraform.tfvars", "terraform.tfvars.json"]
            .iter()
            .position(|first| name == first);
        (place.unwrap_or(2), name.clone())
    });
    for name in names {
        all.extend(variables(world, &path.join(&name)));
    }
    all
}

/// What a file gives to variables. Where it cannot be read it may give any: `*` stands for them.
fn variables(world: &World<'_>, path: &Path) -> BTreeMap<Arc<str>, Value> {
    let nothing = Scope::nothing();
    let attributes = world
        .files
        .source(path)
        .ok()
        .and_then(|source| model::attributes(&source).ok());
    let Some(attributes) = attributes else {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        return BTreeMap::from([("*".into(), Value::unknown(format!("`{name}` cannot be read")))]);
    };
    let value = |(name, expr)| (name, world.value(&expr, &nothing));
    attributes.into_iter().map(value).collect()
}

/// What the files of a repository that Terraform does not read by itself may give to the variables of a root module.
#[must_use]
pub fn may_be_given(world: &World<'_>, root: &Path) -> Given {
    let mut given = Given::default();
    if !world.every_way {
        return given;
    }
    let Some(here) = world.files.below_root(root) else {
        return given;
    };
    for (file, path) in world.files.variable_files().iter() {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if is_automatic(&name) && file.parent() == Some(&*here) {
            continue;
        }
        // Those beside another root module, or below it, are for that.
        let whose = file
            .ancestors()
            .skip(1)
            .find(|above| world.files.holds_terraform(above));
        if whose.is_some_and(|whose| !here.starts_with(whose)) {
            continue;
        }
        let called: Arc<str> = files::climbing(&here, file).into();
        for (name, value) in variables(world, path) {
            given.add(name, &called, value);
        }
    }
    given
}

impl Module {
    /// The module of a folder that nobody calls.
    pub fn root(world: &World<'_>, path: &Path, may: &Rc<Given>, way: Way) -> Self {
        let known = given(world, path).into_iter();
        let arguments = known.map(|(name, value)| (name, (value, Needs::default()))).collect();
        let mut root = Self::new(world, String::new(), path, path, arguments, 0);
        root.given = Rc::clone(may);
        root.way = way;
        root
    }

    fn new(
        world: &World<'_>,
        address: String,
        root: &Path,
        path: &Path,
        arguments: BTreeMap<Arc<str>, (Value, Needs)>,
        depth: usize,
    ) -> Self {
        let Folder { blocks, index, .. } = folder(world, path);
        Self {
            address,
            root: root.to_path_buf(),
            folder: path.to_path_buf(),
            blocks,
            index,
            arguments,
            passed: Passed::new(),
            given: Rc::default(),
            way: Way::new(),
            memo: RefCell::default(),
            below: RefCell::default(),
            depth,
        }
    }

    /// Where a provider of it writes, such as `vault` or `vault.b`.
    ///
    /// # Errors
    /// Where that is said, and not understood.
    pub fn server(&self, world: &World<'_>, provider: &str) -> Result<Server, Why> {
        let (name, alias) = match provider.split_once('.') {
            Some((name, alias)) => (name, Some(alias)),
            None => (provider, None),
        };
        let value = |expr: &Expr| world.value(expr, &Scope::of(self));
        let own = self.index.providers.iter().filter_map(|n| self.blocks.get(*n));
        let own = own.filter(|block| block.label(0) == name).find(|block| {
            let called = block.attributes.get("alias").map(value);
            match (alias, called) {
                (None, None) => true,
                (Some(wanted), Some(Value::Text(text))) => *text.text == *wanted,
                _ => false,
            }
        });
        if let Some(block) = own {
            let address = block.attributes.get("address").map(|expr| match value(expr).text() {
                Ok(text) => text.text.to_string(),
                Err(_) => expr.raw().to_owned(),
            });
            return Ok(Server {
                namespace: self.namespace(world, block)?,
                address: address.unwrap_or_default(),
            });
        }
        match self.passed.get(provider).or_else(|| self.passed.get("*")) {
            Some(passed) => passed.clone(),
            None if alias.is_some() => Err(format!("provider `{provider}` is not known").into()),
            None => Ok(Server::default()),
        }
    }

    /// The namespace that a provider writes to.
    fn namespace(&self, world: &World<'_>, provider: &Block) -> Result<String, Why> {
        let value = |name: &str| match provider.attributes.get(name) {
            Some(expr) => world.value(expr, &Scope::of(self)),
            None => Value::Null,
        };
        match value("namespace") {
            Value::Null => {}
            value => return Ok(value.text()?.text.trim_matches('/').to_owned()),
        }
        if let Some(named) = self.header(world, provider)? {
            return Ok(named);
        }
        let logs_in = |kind: &str| kind.starts_with("auth_login");
        let mut blocks = provider.blocks.iter();
        let in_block = blocks.any(|block| {
            // `dynamic "auth_login"` too.
            let kind = block.labels.first().unwrap_or(&block.kind);
            let mut bodies = block.blocks.iter().chain([block]);
            logs_in(kind) && bodies.any(|body| body.attributes.contains_key("namespace"))
        });
        let mut attributes = provider.attributes.iter();
        let in_json = attributes.any(|(name, expr)| logs_in(name) && expr.raw().contains("\"namespace\""));
        let of_token = match value("set_namespace_from_token") {
            Value::Bool(false) => false,
            Value::Null => in_block || in_json,
            _ => true,
        };
        match of_token {
            true => Err("it is that of the token that its provider gets".into()),
            false => Ok(String::new()),
        }
    }

    /// The namespace that a provider names in a header of its own.
    fn header(&self, world: &World<'_>, provider: &Block) -> Result<Option<String>, Why> {
        let scope = Scope::of(self);
        let is_header = |block: &&Block| &**block.labels.first().unwrap_or(&block.kind) == "headers";
        let mut said: Vec<(Value, Value)> = Vec::new();
        for block in provider.blocks.iter().filter(is_header) {
            let value = |name: &str| match block.attributes.get(name) {
                Some(expr) => world.value(expr, &scope),
                None => Value::unknown("a header of its provider is not known"),
            };
            said.push((value("name"), value("value")));
        }
        if let Some(expr) = provider.attributes.get("headers") {
            let all = match world.value(expr, &scope) {
                Value::List(all) => all.to_vec(),
                one => vec![one],
            };
            said.extend(all.into_iter().map(|one| match one {
                Value::Map(header) => {
                    let value = |name: &str| header.get(name).cloned().unwrap_or(Value::Null);
                    (value("name"), value("value"))
                }
                odd => (odd.clone(), odd),
            }));
        }
        for (name, value) in said {
            if name.text()?.text.eq_ignore_ascii_case("x-vault-namespace") {
                return Ok(Some(value.text()?.text.trim_matches('/').to_owned()));
            }
        }
        Ok(None)
    }

    /// What a call of a module hands on of its providers.
    fn handed_on(&self, world: &World<'_>, block: &Block) -> Passed {
        let Some(expr) = block.attributes.get("providers") else {
            // Those without an alias.
            let own = self.index.providers.iter().filter_map(|n| self.blocks.get(*n));
            let own = own.filter(|block| !block.attributes.contains_key("alias"));
            let own = own.map(|block| block.label(0).to_owned());
            let passed = self.passed.keys().filter(|name| !name.contains('.')).cloned();
            let names: BTreeSet<String> = own.chain(passed).collect();
            return names
                .into_iter()
                .map(|name| {
                    let server = match &*name {
                        "*" => Err("which providers its module gets is not understood".into()),
                        name => self.server(world, name),
                    };
                    (name, server)
                })
                .collect();
        };
        match expr.pairs() {
            Some(pairs) => pairs
                .into_iter()
                .map(|(name, outer)| {
                    let server = self.server(world, &outer);
                    (name, server)
                })
                .collect(),
            None => {
                let why = "which providers its module gets is not understood";
                Passed::from([("*".to_owned(), Err(why.into()))])
            }
        }
    }

    /// A block by its kind and labels.
    #[must_use]
    pub fn block(&self, name: &str) -> Option<&Block> {
        self.index.by_name.get(name).and_then(|n| self.blocks.get(*n))
    }

    /// Works something out once.
    fn once(&self, world: &World<'_>, name: String, work: impl FnOnce() -> Value) -> Value {
        match self.memo.borrow().get(&name) {
            Some(Memo::Done(value, needs)) => {
                world.needs(needs);
                return value.clone();
            }
            Some(Memo::Working) => return Value::unknown(format!("`{name}` leads to itself")),
            None => {}
        }
        self.memo.borrow_mut().insert(name.clone(), Memo::Working);
        let (value, needs) = world.noting(work);
        world.needs(&needs);
        self.memo.borrow_mut().insert(name, Memo::Done(value.clone(), needs));
        value
    }

    /// The module at an address, as far as it was called.
    pub fn at<T>(&self, address: &str, work: impl FnOnce(&Self) -> T) -> Option<T> {
        if self.address == address {
            return Some(work(self));
        }
        let below = self.below.borrow();
        let next = below
            .values()
            .find(|below| address.starts_with(&below.address))
            .cloned();
        drop(below);
        next?.at(address, work)
    }

    /// What a name such as `var.x` stands for, and how many words after the first were used. The block that it names is noted where
    /// it is not known what that makes.
    ///
    /// # Errors
    /// Why that is not known.
    pub fn reference(&self, world: &World<'_>, words: &[&str]) -> Result<(Value, usize), Why> {
        let read = self.referred(world, words);
        let name = match *words {
            ["var" | "local" | "path" | "each" | "count" | "self" | "terraform", ..] => return read,
            ["data" | "ephemeral", kind, name, ..] => format!("{}.{kind}.{name}", words.first().unwrap_or(&"")),
            ["module", name, ..] => format!("module.{name}"),
            [kind, name, ..] => format!("resource.{kind}.{name}"),
            _ => return read,
        };
        if read.is_err() && self.block(&name).is_some() {
            world.leans(&self.address, &name);
        }
        read
    }

    /// A value that a block makes: where not all of it is known, that block is noted.
    fn leaning(&self, world: &World<'_>, name: &str, value: Value) -> Value {
        if world.works(value.steps()).is_err() || value.unknown_inside().is_some() {
            world.leans(&self.address, name);
        }
        value
    }

    fn referred(&self, world: &World<'_>, words: &[&str]) -> Result<(Value, usize), Why> {
        let unknown = || {
            // A long one is cut.
            let shown = match words.get(..4) {
                Some(some) if words.len() > 4 => format!("{}.…", some.join(".")),
                _ => words.join("."),
            };
            Why::from(format!("`{shown}` is not known before Terraform runs"))
        };
        let (Some(first), second) = (words.first(), words.get(1)) else {
            return Err(unknown());
        };
        let Some(second) = second else {
            return Err(unknown());
        };
        match *first {
            "var" => Ok((self.variable(world, second), 1)),
            "local" => Ok((self.local(world, second), 1)),
            "path" => {
                let module = match self.folder.strip_prefix(&self.root) {
                    Ok(relative) if relative.as_os_str().is_empty() => ".".to_owned(),
                    Ok(relative) => relative.display().to_string(),
                    Err(_) => files::climbing(&self.root, &self.folder),
                };
                match *second {
                    "module" => Ok((Value::made(module), 1)),
                    "root" => Ok((Value::made("."), 1)),
                    _ => Err(unknown()),
                }
            }
            "module" => Ok((
                self.output(world, second, words.get(2).copied())?,
                words.len().min(3) - 1,
            )),
            "data" => {
                let (Some(kind), Some(name)) = (words.get(1), words.get(2)) else {
                    return Err(unknown());
                };
                if *kind != "vault_policy_document" {
                    return Err(unknown());
                }
                let block = self.block(&format!("data.{kind}.{name}")).ok_or_else(unknown)?;
                let value = self.once(world, format!("data.{kind}.{name}"), || {
                    self.spread(world, block, |scope| {
                        let text = document::text(world, block, scope).map_or_else(Value::Unknown, Value::Text);
                        let text = self.leaning(world, &format!("data.{kind}.{name}"), text);
                        let other = || Value::unknown("what a policy document is beside its `hcl` is not known");
                        Value::object([
                            ("hcl", text),
                            ("id", other()),
                            ("namespace", other()),
                            ("rule", other()),
                        ])
                    })
                });
                Ok((value, 2))
            }
            kind @ "vault_policy" => {
                let block = self.block(&format!("resource.{kind}.{second}")).ok_or_else(unknown)?;
                let value = self.once(world, format!("{kind}.{second}"), || {
                    self.spread(world, block, |scope| {
                        let field = |name: &str| match block.attributes.get(name) {
                            Some(expr) => {
                                self.leaning(world, &format!("resource.{kind}.{second}"), world.value(expr, scope))
                            }
                            None => Value::Null,
                        };
                        Value::object([
                            ("name", field("name")),
                            ("id", field("name")),
                            ("policy", field("policy")),
                            ("namespace", field("namespace")),
                        ])
                    })
                });
                Ok((value, 1))
            }
            _ => Err(unknown()),
        }
    }

    /// A value for each instance of a block, as a reference to it sees them.
    fn spread(&self, world: &World<'_>, block: &Block, make: impl Fn(&Scope<'_>) -> Value) -> Value {
        let instances = match self.instances(world, block) {
            Ok(instances) => instances,
            Err(why) => return Value::Unknown(why),
        };
        let base = Scope::of(self);
        let each = block.attributes.contains_key("for_each");
        if !each && !block.attributes.contains_key("count") {
            return make(&base);
        }
        let values: Vec<(Value, Value)> = instances
            .into_iter()
            .map(|(key, names)| (key, make(&base.with(names))))
            .collect();
        if each {
            let named = values
                .into_iter()
                .filter_map(|(key, value)| Some((key.text().ok()?.text, value)));
            Value::map(named.collect())
        } else {
            Value::list(values.into_iter().map(|(_, value)| value).collect())
        }
    }

    /// The value of a variable: what its caller or a file gives it, else its default, each as its type makes it.
    fn variable(&self, world: &World<'_>, name: &str) -> Value {
        let Some(block) = self.block(&format!("variable.{name}")) else {
            return Value::unknown(format!("there is no variable `{name}`"));
        };
        if let Some((anything, needs)) = self.arguments.get("*") {
            world.needs(needs);
            return anything.clone();
        }
        let typed = |value: Value| types::typed(world, block.attributes.get("type"), value);
        let nullable = block.attributes.get("nullable").is_none_or(|expr| {
            let value = world.value(expr, &Scope::of(self));
            !matches!(value, Value::Bool(false))
        });
        let mut value = self.arguments.get(name).map(|(value, needs)| {
            world.needs(needs);
            value.clone()
        });
        let default = block.attributes.get("default");
        // One that has no value at all is not known, whatever some file would give it.
        if (value.is_some() || default.is_some()) && self.given.has(name) {
            world.asks(name);
            if let Some(file) = self.way.get(name) {
                value = Some(self.given.value(name, file));
            }
        }
        match (value, default) {
            (Some(value), _) if nullable || !matches!(value, Value::Null) => typed(value),
            (_, Some(expr)) => self.once(world, format!("var.{name}"), || {
                typed(world.value(expr, &Scope::of(self)))
            }),
            _ => Value::unknown(format!("variable `{name}` has no value here")),
        }
    }

    /// How a local is written.
    #[must_use]
    pub fn written_local(&self, name: &str) -> Option<&Expr> {
        self.index.locals.get(name)
    }

    fn local(&self, world: &World<'_>, name: &str) -> Value {
        let Some(expr) = self.index.locals.get(name) else {
            return Value::unknown(format!("there is no local `{name}`"));
        };
        self.once(world, format!("local.{name}"), || world.value(expr, &Scope::of(self)))
    }

    fn output(&self, world: &World<'_>, name: &str, output: Option<&str>) -> Result<Value, Why> {
        let unknown = || Why::from(format!("`module.{name}` is not known before Terraform runs"));
        let block = self.block(&format!("module.{name}")).ok_or_else(unknown)?;
        if block.attributes.contains_key("for_each") || block.attributes.contains_key("count") {
            return Err(unknown());
        }
        let output = output.ok_or_else(unknown)?;
        let below = self.call(world, block, &Value::Null, Vec::new())?;
        let block = below.block(&format!("output.{output}")).ok_or_else(unknown)?;
        let expr = block.attributes.get("value").ok_or_else(unknown)?;
        let name = format!("output.{output}");
        Ok(below.once(world, name.clone(), || {
            below.leaning(world, &name, world.value(expr, &Scope::of(&below)))
        }))
    }

    /// The instances of a block: what stands in brackets after its address, and the names that it may use.
    ///
    /// # Errors
    /// Why they are not known.
    pub fn instances(&self, world: &World<'_>, block: &Block) -> Result<Instances, Why> {
        let scope = Scope::of(self);
        if let Some(expr) = block.attributes.get("for_each") {
            let value = world.value(expr, &scope);
            let set = matches!(value, Value::List(_));
            let mut out = Vec::new();
            for (key, value) in world.items(&value)? {
                let key = if set { value.clone() } else { key };
                let key = Value::Text(key.text()?);
                let value = if set { key.clone() } else { value };
                let each = Value::object([("key", key.clone()), ("value", value)]);
                out.push((key, vec![(Arc::from("each"), each)]));
            }
            return Ok(out);
        }
        if let Some(expr) = block.attributes.get("count") {
            let count = match world.value(expr, &scope) {
                Value::Bool(_) | Value::Null => return Err("`count` is no number".into()),
                value => value.number()?,
            };
            let count = usize::try_from(count).ok().filter(|count| *count <= 100_000);
            let count = count.ok_or_else(|| Why::from("`count` is no number of instances"))?;
            world.works(count)?;
            return Ok((0..count)
                .map(|n| {
                    let index = Value::count(n);
                    let count = Value::object([("index", index.clone())]);
                    (index, vec![(Arc::from("count"), count)])
                })
                .collect());
        }
        Ok(vec![(Value::Null, Vec::new())])
    }

    /// A module below, with its arguments.
    ///
    /// # Errors
    /// Why it is not known.
    pub fn call(
        &self,
        world: &World<'_>,
        block: &Block,
        key: &Value,
        names: Vec<(Arc<str>, Value)>,
    ) -> Result<Rc<Self>, Why> {
        let address = format!("{}module.{}{}.", self.address, block.label(0), bracketed(key));
        if let Some(known) = self.below.borrow().get(&address) {
            return Ok(Rc::clone(known));
        }
        if self.depth >= MAX_MODULES {
            return Err("its modules are nested too deep".into());
        }
        world.makes(MODULE)?;
        let path = self.source(world, block)?;
        let base = Scope::of(self);
        let scope = base.with(names);
        let arguments: BTreeMap<Arc<str>, (Value, Needs)> = block
            .attributes
            .iter()
            .filter(|(name, _)| {
                !matches!(
                    &***name,
                    "source" | "version" | "providers" | "for_each" | "count" | "depends_on"
                )
            })
            .map(|(name, expr)| {
                // What a value is made of that is not known stands in the call.
                let value = || self.leaning(world, &name_of(block), world.value(expr, &scope));
                (Arc::clone(name), world.noting(value))
            })
            .collect();
        let mut below = Self::new(world, address.clone(), &self.root, &path, arguments, self.depth + 1);
        below.passed = self.handed_on(world, block);
        let below = Rc::new(below);
        self.below.borrow_mut().insert(address, Rc::clone(&below));
        Ok(below)
    }

    /// The folder of a module that is called.
    ///
    /// # Errors
    /// Why it is not read.
    pub fn source(&self, world: &World<'_>, block: &Block) -> Result<PathBuf, Why> {
        let Some(expr) = block.attributes.get("source") else {
            return Err("it has no `source`".into());
        };
        let source = world.value(expr, &Scope::of(self)).text()?.text;
        if !(source.starts_with("./") || source.starts_with("../") || &*source == "." || &*source == "..") {
            return Err("its module is not in this repository".into());
        }
        let path = files::tidy(&self.folder.join(&*source));
        if !within(world.files, &path) {
            return Err("the folder of its module is not there".into());
        }
        Ok(path)
    }
}

/// Whether a folder is there, and in the repository.
fn within(files: &Files, path: &Path) -> bool {
    path.is_dir() && files.holds(path)
}

/// `["web"]`, `[0]` or nothing.
#[must_use]
pub fn bracketed(key: &Value) -> String {
    match key {
        Value::Text(text) => format!("[{}]", serde_json::Value::from(&*text.text)),
        Value::Number(number) => format!("[{number}]"),
        _ => String::new(),
    }
}

fn name_of(block: &Block) -> String {
    let mut name = block.kind.to_string();
    for label in &block.labels {
        name.push('.');
        name.push_str(label);
    }
    name
}
