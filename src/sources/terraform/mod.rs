//! Policies in the files of Terraform and OpenTofu: what is literal, and what can be worked out without a provider.

mod document;
mod each;
mod eval;
mod functions;
mod model;
mod module;
mod outside;
mod types;
mod unify;
mod value;
mod ways;

pub use functions::placeless;
pub use model::is_other;
pub use outside::{HOLDS, RUNS, gives, holds_one, shows, wraps};
pub use ways::{Way, said};

use super::files::Files;
use super::node::{self, Node};
use super::text::{Text, digest};
use super::{Found, Problem};
use crate::origin::{Origin, SourceText, Spelling};
use crate::policy::syntax;
use crate::vault::path;
use eval::{Scope, Why, World};
use model::{Block, Expr};
use module::{Module, bracketed};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use value::Value;
use ways::{Asked, Given, MAX_WAYS, Needs, Place};

/// What folders of Terraform hold.
#[derive(Debug, Default)]
pub struct Content {
    /// The policies.
    pub found: Vec<Found>,
    /// What was found and is not known.
    pub unread: Vec<Problem>,
    /// Variables that files may give other values, with those files.
    pub given: BTreeSet<(Arc<str>, Arc<str>)>,
}

/// Reads the modules in `folders`. With `only`, what other files hold is left out; with `every_way`, the policies are those of
/// each value that a file of the repository may give to a variable.
#[must_use]
pub fn read(files: &Files, folders: &BTreeSet<PathBuf>, only: &BTreeSet<PathBuf>, every_way: bool) -> Content {
    let world = World::new(files, every_way);
    let mut reader = Reader {
        world: &world,
        content: Content::default(),
        visited: BTreeSet::new(),
        names: HashMap::new(),
        told: HashSet::new(),
        asked: Vec::new(),
        told_at: HashSet::new(),
        may: Vec::new(),
        given: Rc::default(),
        way: Way::new(),
        leaned: HashMap::new(),
    };
    let modules: Vec<(PathBuf, Rc<Given>, Module)> = folders
        .iter()
        .map(|folder| {
            let given = Rc::new(module::may_be_given(&world, folder));
            let module = Module::root(&world, folder, &given, Way::new());
            (folder.clone(), given, module)
        })
        .collect();
    let mut called = BTreeSet::new();
    for (folder, _, module) in &modules {
        for block in module.blocks.iter().filter(|b| &*b.kind == "module") {
            if let Ok(path) = module.source(&world, block)
                && path != *folder
            {
                called.insert(path);
            }
        }
    }
    for (folder, given, module) in modules.iter().filter(|(folder, ..)| !called.contains(folder)) {
        reader.visited.insert(folder.clone());
        reader.root(module, given);
    }
    // Modules that only call each other, or that are called in a way that is not known.
    for (folder, given, module) in &modules {
        if reader.visited.insert(folder.clone()) {
            reader.root(module, given);
        }
    }
    if world.spent()
        && let Some(folder) = folders.first()
    {
        // Once: what was not come to is not counted.
        let file: Arc<str> = folder.display().to_string().into();
        reader.content.unread.push(Problem {
            what: file.to_string(),
            why: "its Terraform takes more work than is done: some of it was not read".to_owned(),
            origin: Origin::new(file, 1, 1),
            policy: None,
            same: None,
        });
    }
    let visited = std::mem::take(&mut reader.visited);
    for folder in &visited {
        reader.troubles(folder);
    }
    let mut content = reader.content;
    if !only.is_empty() {
        let named = |origin: &Origin| only.contains(Path::new(&*origin.file));
        content.found.retain(|found| named(&found.source.place(found.at)));
        let spent = world.spent();
        content.unread.retain(|problem| spent || named(&problem.origin));
    }
    content
}

/// One of the policies that a resource makes.
struct Instance<'b> {
    block: &'b Block,
    address: String,
    /// What stands in brackets after the address.
    key: Value,
}

struct Reader<'w, 'f> {
    world: &'w World<'f>,
    content: Content,
    visited: BTreeSet<PathBuf>,
    /// What the files of a folder name of their resources.
    names: HashMap<PathBuf, HashSet<String>>,
    /// Blocks that were named as unread, by file and place, and what they are there: one of a module may be several.
    told: HashSet<(Arc<str>, usize, Arc<str>)>,
    /// What the blocks depend on, of variables that files may give.
    asked: Vec<Asked>,
    /// Where blocks of this root were named as unread.
    told_at: HashSet<(Arc<str>, usize, String)>,
    /// What blocks depend on that are none of policies here, of variables that files may give.
    may: Vec<Asked>,
    /// What files may give to the root that is read.
    given: Rc<Given>,
    /// And which of it counts.
    way: Way,
    /// What blocks are that others lean on, by module and name; of the root that is read, in its way.
    leaned: HashMap<Place, (Arc<str>, Needs)>,
}

impl Reader<'_, '_> {
    /// Reads a module that nobody calls: as it is, and each way that its variables may be set besides, as far as anything
    /// depends on them.
    fn root(&mut self, module: &Module, given: &Rc<Given>) {
        self.given = Rc::clone(given);
        self.told_at.clear();
        let mut open = vec![Way::new()];
        let mut done: BTreeSet<Way> = open.iter().cloned().collect();
        let mut seen: HashSet<(String, Way)> = HashSet::new();
        while let Some(way) = open.pop() {
            let (found, unread) = (self.content.found.len(), self.content.unread.len());
            self.leaned.clear();
            self.way.clone_from(&way);
            if way.is_empty() {
                self.module((module, module), &Needs::default());
            } else {
                let other = Module::root(self.world, &module.folder, given, way.clone());
                self.module((&other, &other), &Needs::default());
            }
            for asked in std::mem::take(&mut self.asked) {
                let beside = given.beside(&way, &asked).into_iter();
                open.extend(beside.filter(|other| done.insert(other.clone())));
            }
            let may = std::mem::take(&mut self.may);
            open.extend(
                made_of_policies(given, &way, &may)
                    .into_iter()
                    .filter(|other| done.insert(other.clone())),
            );
            // What does not depend on what is other here was found before.
            let of = |asked: &Asked| -> Way {
                let kept = way.iter().filter(|(name, _)| asked.contains(*name));
                kept.map(|(name, file)| (Arc::clone(name), Arc::clone(file))).collect()
            };
            let mut fresh = Vec::new();
            for mut one in self.content.found.split_off(found) {
                one.way = of(&one.asked);
                if seen.insert((one.address.clone(), one.way.clone())) {
                    fresh.push(one);
                }
            }
            self.content.found.append(&mut fresh);
            if !way.is_empty() {
                let (before, these) = self.content.unread.split_at(unread);
                let known: HashSet<(&str, &str)> = before.iter().map(|p| (&*p.what, &*p.why)).collect();
                let fresh: Vec<Problem> = these
                    .iter()
                    .filter(|p| !known.contains(&(&*p.what, &*p.why)))
                    .cloned()
                    .collect();
                self.content.unread.truncate(unread);
                self.content.unread.extend(fresh);
            }
            if done.len() > MAX_WAYS {
                let file: Arc<str> = module.folder.display().to_string().into();
                return self.content.unread.push(Problem {
                    what: file.to_string(),
                    why: format!("files may set its variables in more than {MAX_WAYS} ways: not all were tried"),
                    origin: Origin::new(file, 1, 1),
                    policy: None,
                    same: None,
                });
            }
        }
        if done.len() > 1 {
            self.content.given.extend(given.pairs());
        }
    }

    fn troubles(&mut self, folder: &Path) {
        let read = module::folder(self.world, folder);
        for (source, trouble) in read.troubles.iter() {
            self.content.unread.push(Problem {
                what: source.file.to_string(),
                why: format!("it cannot be read: {}", trouble.why),
                origin: source.place(trouble.offset),
                policy: None,
                same: None,
            });
        }
        for (file, why) in read.unread.iter() {
            let file: Arc<str> = file.display().to_string().into();
            self.content.unread.push(Problem {
                what: file.to_string(),
                why: why.clone(),
                origin: Origin::new(file, 1, 1),
                policy: None,
                same: None,
            });
        }
    }

    /// Reads a module below a root; `above` is what it depends on that it is there at all.
    fn module(&mut self, (root, module): (&Module, &Module), above: &Needs) {
        // Where that is too much, it is told at the end.
        let _ = self.world.works(module.blocks.len());
        for block in module.blocks.iter() {
            if self.world.spent() {
                return;
            }
            let found = self.content.found.len();
            match (&*block.kind, block.label(0)) {
                ("resource", "vault_policy" | "vault_generic_endpoint" | "vault_generic_secret") => {
                    let ((), needs) = self.world.noting(|| self.resource((root, module), block, above));
                    let mut asked = needs.asked;
                    asked.extend(above.asked.iter().cloned());
                    for one in self.content.found.iter_mut().skip(found) {
                        one.asked.clone_from(&asked);
                    }
                    if !asked.is_empty() {
                        self.asked.push(asked);
                    }
                }
                ("module", _) => self.call((root, module), block, above),
                _ => {}
            }
            // A check reads data of its own.
            let within = block.blocks.iter().filter(|_| &*block.kind == "check");
            for block in within.chain([block]) {
                let (why, mut needs) = self.world.noting(|| outside::writes(self.world, module, block));
                if let Some(why) = why {
                    let address = format!("{}{}", module.address, block.labels.join("."));
                    self.outside((root, module), block, &address, why, above);
                } else if &*block.kind != "module" {
                    needs.asked.retain(|name| self.given.has(name));
                    self.may.extend(Some(needs.asked).filter(|asked| !asked.is_empty()));
                }
            }
        }
    }

    /// Names what may write policies and is not read. Where the base has the very same, it is told alone.
    fn outside(&mut self, (root, module): (&Module, &Module), block: &Block, address: &str, why: &str, above: &Needs) {
        let (same, mut needs) = self.world.noting(|| outside::same(self.world, module, block));
        needs.add(above);
        let mut said = same.to_string();
        // What other blocks make that it is given, they make of what they are given.
        let mut done: BTreeSet<Place> = BTreeSet::new();
        while let Some(next) = needs.blocks.difference(&done).next().cloned() {
            let (same, more) = self.leaned(root, &next);
            said.push_str(&format!("\0{}{}\0{same}", next.0, next.1));
            needs.add(&more);
            done.insert(next);
        }
        // So are files, where they can be read.
        let mut is_known = !self.world.spent();
        for (path, is) in &needs.files {
            is_known &= is.is_some();
            said.push_str(&format!("\0{}\0{}", path.display(), is.as_deref().unwrap_or("")));
        }
        // What files may give to it is a part of what it is. It is not told in each of these ways: nothing of it is read.
        for name in &needs.asked {
            for file in self.given.files(name) {
                let value = self.given.value(name, file).json();
                let value = value.unwrap_or_else(|why| why.to_string());
                said.push_str(&format!("\0{name}\0{file}\0{value}"));
            }
        }
        let same = digest(&said);
        let at = (Arc::clone(&block.source.file), block.range.start, address.to_owned());
        if !self.told_at.insert(at) && !self.way.is_empty() {
            return;
        }
        let told = (Arc::clone(&block.source.file), block.range.start, Arc::clone(&same));
        if !self.told.insert(told) {
            return;
        }
        self.content.unread.push(Problem {
            what: address.to_owned(),
            why: match self.way.is_empty() {
                true => why.to_owned(),
                false => format!("with {}, {why}", ways::said(&self.way)),
            },
            origin: block.source.place(block.range.start),
            policy: None,
            same: is_known.then_some(same),
        });
    }

    /// What a block is that others lean on, and what it needs itself.
    fn leaned(&mut self, root: &Module, place: &Place) -> (Arc<str>, Needs) {
        if let Some(known) = self.leaned.get(place) {
            return known.clone();
        }
        let world = self.world;
        let same = |module: &Module| {
            let block = module.block(&place.1)?;
            Some(outside::same(world, module, block))
        };
        let (same, needs) = world.noting(|| root.at(&place.0, same).flatten());
        let known = (same.unwrap_or_default(), needs);
        self.leaned.insert(place.clone(), known.clone());
        known
    }

    fn unread(&mut self, address: &str, why: &str, block: &Block, at: usize, policy: Option<(Arc<str>, Arc<str>)>) {
        self.content.unread.push(Problem {
            what: address.to_owned(),
            why: why.to_owned(),
            origin: block.source.place(at),
            policy,
            same: None,
        });
    }

    fn resource(&mut self, (root, module): (&Module, &Module), block: &Block, above: &Needs) {
        let kind = block.label(0);
        let address = format!("{}{kind}.{}", module.address, block.label(1));
        let instances = match module.instances(self.world, block) {
            Ok(instances) => instances,
            Err(why) => {
                if kind == "vault_policy" || self.may_be_policy(module, block) {
                    let why = format!("its instances need {why}");
                    self.unread(&address, &why, block, block.range.start, None);
                }
                return;
            }
        };
        let base = Scope::of(module);
        for (key, names) in instances {
            if self.world.spent() {
                return;
            }
            let instance = Instance {
                block,
                address: format!("{address}{}", bracketed(&key)),
                key,
            };
            let scope = base.with(names);
            if kind == "vault_policy" {
                self.policy(module, &instance, &scope);
            } else {
                self.endpoint((root, module), &instance, &scope, above);
            }
        }
    }

    /// Whether an endpoint whose path is not known may be one of policies.
    fn may_be_policy(&self, module: &Module, block: &Block) -> bool {
        let scope = Scope::of(module);
        let shows = |name: &str| {
            block
                .attributes
                .get(name)
                .is_some_and(|expr| mentions(expr, &self.world.value(expr, &scope)))
        };
        shows("data_json") || shows("path")
    }

    /// The namespace that a resource writes to, and the address of its server.
    fn server(&self, module: &Module, block: &Block, scope: &Scope<'_>) -> Result<(String, Arc<str>), Why> {
        let own = match block.attributes.get("namespace") {
            Some(expr) => match self.world.value(expr, scope) {
                Value::Null => String::new(),
                value => value.text()?.text.to_string(),
            },
            None => String::new(),
        };
        let provider = match block.attributes.get("provider") {
            Some(expr) => expr.provider().ok_or("its `provider` is not understood")?,
            None => "vault".to_owned(),
        };
        let module::Server {
            namespace: base,
            address,
        } = module.server(self.world, &provider)?;
        Ok((path::below(&base, &own), address.into()))
    }

    fn policy(&mut self, module: &Module, instance: &Instance<'_>, scope: &Scope<'_>) {
        let Instance { block, address, .. } = instance;
        let value = |name: &str| match block.attributes.get(name) {
            Some(expr) => self.world.value(expr, scope).text(),
            None => Err(format!("it has no `{name}`").into()),
        };
        let at = |name: &str| {
            block
                .attributes
                .get(name)
                .map_or(block.range.start, |e| e.range().start)
        };
        let name = match value("name") {
            Ok(name) => name.text,
            Err(why) => {
                return self.unread(
                    address,
                    &format!("its name cannot be worked out: {why}"),
                    block,
                    at("name"),
                    None,
                );
            }
        };
        let (namespace, server) = match self.server(module, block, scope) {
            Ok(server) => server,
            Err(why) => {
                return self.unread(
                    address,
                    &format!("its namespace cannot be worked out: {why}"),
                    block,
                    at("namespace"),
                    None,
                );
            }
        };
        self.found((&name, &namespace, server), value("policy"), instance, at("policy"));
    }

    fn found(
        &mut self,
        (name, namespace, server): (&str, &str, Arc<str>),
        text: Result<Text, Why>,
        instance: &Instance<'_>,
        at: usize,
    ) {
        let Instance { block, address, .. } = instance;
        // Each policy is parsed, also where many are of one text.
        let counted = text.and_then(|text| self.world.makes(text.cost()).map(|()| text));
        let text = match counted {
            Ok(text) => unpacked(&text),
            Err(why) => {
                let id = Some((Arc::from(namespace), Arc::from(name)));
                return self.unread(address, &format!("its text cannot be worked out: {why}"), block, at, id);
            }
        };
        let whole = self.alone(instance);
        self.content.found.push(Found {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            server,
            text,
            address: address.to_owned(),
            source: Arc::clone(&block.source),
            at,
            fixed: None,
            whole,
            asked: Asked::new(),
            way: Way::new(),
        });
    }

    /// What goes with a policy that goes: its resource, where that makes one policy and nothing else names it, or what makes it one of
    /// several, where that is written out; with the comment right above it.
    fn alone(&mut self, instance: &Instance<'_>) -> Option<Range<usize>> {
        let Instance { block, address, key } = instance;
        let source = &block.source;
        let resource = format!("{}.{}", block.label(0), block.label(1));
        let own = *address == format!("{resource}{}", bracketed(key));
        if !own || block.attributes.contains_key("count") || source.file.to_lowercase().ends_with(".json") {
            return None;
        }
        let folder = Path::new(&*source.file)
            .parent()
            .map(Path::to_path_buf)
            .unwrap_or_default();
        let names = self
            .names
            .entry(folder)
            .or_insert_with_key(|folder| named(self.world, folder));
        if names.contains(&resource) {
            return None;
        }
        match (block.attributes.get("for_each"), key) {
            (None, _) => each::lines(source, &block.range),
            (Some(Expr::Hcl(written, each)), Value::Text(key)) if Arc::ptr_eq(written, source) => {
                each::one(source, each, &key.text)
            }
            (Some(_), _) => None,
        }
    }

    /// An endpoint that writes a policy.
    fn endpoint(
        &mut self,
        (root, module): (&Module, &Module),
        instance: &Instance<'_>,
        scope: &Scope<'_>,
        above: &Needs,
    ) {
        let Instance { block, address, .. } = instance;
        let (Some(path_expr), Some(data_expr)) = (block.attributes.get("path"), block.attributes.get("data_json"))
        else {
            return;
        };
        let data = self.world.value(data_expr, scope);
        let path = match self.world.value(path_expr, scope).text() {
            Ok(path) => path.text,
            Err(why) => {
                if mentions(path_expr, &Value::Null) || mentions(data_expr, &data) {
                    self.unread(
                        address,
                        &format!("its path cannot be worked out: {why}"),
                        block,
                        path_expr.range().start,
                        None,
                    );
                } else if outside::may_lead_to_policies(path_expr) {
                    let why = format!("its path may be one of policies, and cannot be worked out: {why}");
                    self.outside((root, module), block, address, &why, above);
                }
                return;
            }
        };
        let Some((above, name)) = path::policy_written_at(&path) else {
            return;
        };
        let text = body(&data);
        // Below a mount that is called like the system backend's paths there may be anything else.
        if !above.is_empty() && text.is_err() && data.text().is_ok() {
            return;
        }
        let at = data_expr.range().start;
        let (namespace, server) = match self.server(module, block, scope) {
            Ok(server) => server,
            Err(why) => {
                return self.unread(
                    address,
                    &format!("its namespace cannot be worked out: {why}"),
                    block,
                    at,
                    None,
                );
            }
        };
        self.found((&name, &path::below(&namespace, &above), server), text, instance, at);
    }

    fn call(&mut self, (root, module): (&Module, &Module), block: &Block, above: &Needs) {
        let address = format!("{}module.{}", module.address, block.label(0));
        if let Some(why) = module.source(self.world, block).err() {
            let scope = Scope::of(module);
            let here = &*why == "its module is not in this repository";
            let tells = block.attributes.iter().any(|(name, expr)| {
                let value = self.world.value(expr, &scope);
                let named = matches!(&**name, "source") && source_names_policies(&value);
                named || value.says(looks_like_policy)
            });
            if tells || !here {
                self.unread(&address, &why, block, block.range.start, None);
            } else {
                self.outside((root, module), block, &address, &why, above);
            }
            return;
        }
        let (instances, mut needs) = self.world.noting(|| module.instances(self.world, block));
        if outside::instances_are_known(&instances) {
            needs = needs.of_known();
        }
        needs.add(above);
        if !needs.asked.is_empty() {
            self.asked.push(needs.asked.clone());
        }
        let instances = match instances {
            Ok(instances) => instances,
            Err(why) => {
                let why = format!("its instances need {why}");
                return self.unread(&address, &why, block, block.range.start, None);
            }
        };
        for (key, names) in instances {
            if self.world.spent() {
                return;
            }
            match module.call(self.world, block, &key, names) {
                Ok(below) => {
                    self.visited.insert(below.folder.clone());
                    self.module((root, &below), &needs);
                }
                // Once for each call: modules that lead to each other fail in as many ways as there are through them.
                Err(why) => {
                    let told = (Arc::clone(&block.source.file), block.range.start, Arc::default());
                    if self.told.insert(told) {
                        self.unread(&address, &why, block, block.range.start, None);
                    }
                }
            }
        }
    }
}

/// The ways in which blocks that are none of policies may become such: with all that one file gives, and where a value that a file gives
/// may be a part of one, with each beside what the other files give.
fn made_of_policies(given: &Given, way: &Way, may: &[Asked]) -> Vec<Way> {
    let mut all = Vec::new();
    if way.is_empty() {
        let mut by_file: BTreeMap<&Arc<str>, Way> = BTreeMap::new();
        for name in may.iter().flatten() {
            for file in given.files(name) {
                let way = by_file.entry(file).or_default();
                way.insert(Arc::clone(name), Arc::clone(file));
            }
        }
        all.extend(by_file.into_values());
    }
    let leads = |name: &Arc<str>| {
        given
            .files(name)
            .any(|file| given.value(name, file).says(outside::leads))
    };
    let leading = may.iter().filter(|asked| asked.iter().any(leads));
    all.extend(leading.flat_map(|asked| given.beside(way, asked)));
    all
}

/// The resources that a folder's files name anywhere, such as `vault_policy.a`.
fn named(world: &World<'_>, folder: &Path) -> HashSet<String> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let read = module::folder(world, folder);
    let mut sources: Vec<&Arc<SourceText>> = read.blocks.iter().map(|block| &block.source).collect();
    sources.dedup_by(|a, b| Arc::ptr_eq(a, b));
    let mut names = HashSet::new();
    for source in sources {
        for kind in ["vault_policy.", "vault_generic_endpoint.", "vault_generic_secret."] {
            for (at, _) in source.text.match_indices(kind) {
                let rest = source.text.get(at + kind.len()..).unwrap_or("");
                let name: String = rest
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
                    .collect();
                names.insert(format!("{kind}{name}"));
            }
        }
    }
    names
}

/// The text of a policy in the body of a request that writes it.
fn body(data: &Value) -> Result<Text, Why> {
    let text = data.text()?;
    let node = match &text.json {
        Some(node) => Arc::clone(node),
        None => {
            let source = Arc::new(SourceText::new("", Arc::clone(&text.text)));
            let mut node: Node =
                node::json(&source, Spelling::Json).map_err(|t| Why::from(format!("JSON: {}", t.why)))?;
            placeless(&mut node);
            Arc::new(node)
        }
    };
    let policy = node.get("policy").or_else(|| node.get("rules")).and_then(Node::text);
    let policy = policy.ok_or_else(|| Why::from("there is no `policy` in it"))?;
    Ok(policy.clone())
}

/// The servers take the text of a policy in base64 too.
#[must_use]
pub fn unpacked(policy: &Text) -> Text {
    syntax::packed(policy.text.as_bytes()).map_or_else(|| policy.clone(), Text::made)
}

fn source_names_policies(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.text.to_lowercase().contains("polic"))
}

/// Whether an expression mentions what policies are written to, or a text that looks like one.
fn mentions(expr: &Expr, value: &Value) -> bool {
    let raw = match expr {
        Expr::Hcl(source, _) | Expr::Json(source, _) => source.text.get(expr.range()).unwrap_or(""),
    };
    raw.contains("sys/polic") || looks_like_policy(raw) || value.says(looks_like_policy)
}

pub use crate::policy::load::looks_like_policy;
