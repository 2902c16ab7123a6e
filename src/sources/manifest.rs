//! Policies in the resources of Kubernetes, and where settings say that there are some.

use super::node::{Kind, Node};
use super::terraform::{looks_like_policy, unpacked};
use super::text::digest;
use super::yaml;
use super::{Found, Problem, SourceSettings};
use crate::origin::SourceText;
use crate::policy::load::{REQUEST, holds_policy};
use crate::vault::Capability;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The policies of a document.
#[derive(Debug, Default)]
pub struct Content {
    /// The policies.
    pub found: Vec<Found>,
    /// What looks like one and is none of the kinds known.
    pub unread: Vec<Problem>,
    /// What makes other resources of those that are there.
    pub news: Vec<Problem>,
    /// Policies whose namespace is said by what they are written through, of any file.
    pub through: Vec<Through>,
    /// What policies are written through.
    pub providers: Vec<Provider>,
    /// Words that may name files of which `news` are made.
    pub names: Vec<Arc<str>>,
    /// The names of resources that `news` take values from.
    pub sources: BTreeSet<Arc<str>>,
    /// Resources that hold no policy: others may take values from them.
    pub objects: Vec<Object>,
}

/// A resource that others may take values from.
#[derive(Debug)]
pub struct Object {
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub is: Arc<str>,
    /// Words that may name files which it is made of.
    pub files: Vec<Arc<str>>,
}

/// A policy of Crossplane.
#[derive(Debug)]
pub struct Through {
    found: Found,
    /// The name of its `ProviderConfig`.
    provider: String,
}

/// A `ProviderConfig` of Crossplane.
#[derive(Debug)]
pub struct Provider {
    name: String,
    /// Its namespace, where that is known.
    namespace: Option<String>,
}

/// The `ProviderConfig` of what names none.
const DEFAULT_PROVIDER: &str = "default";

impl Through {
    /// The policy, in its namespace.
    ///
    /// # Errors
    /// Where that is not known.
    pub fn placed(mut self, providers: &[Provider]) -> Result<Found, Problem> {
        let mut named = providers.iter().filter(|one| one.name == self.provider);
        let base = match named.next() {
            Some(first) if named.all(|other| other.namespace == first.namespace) => first.namespace.as_deref(),
            Some(_) => None,
            // Who says nothing of namespaces has none.
            None => (self.provider == DEFAULT_PROVIDER).then_some(""),
        };
        let Some(base) = base else {
            let why = format!("that of the `ProviderConfig` `{}` is not known", self.provider);
            return Err(unplaced(&self.found.source, self.found.at, &self.found.address, &why));
        };
        self.found.namespace = format!("{}/{}", base.trim_matches('/'), self.found.namespace.trim_matches('/'));
        Ok(self.found)
    }
}

/// What the place of a namespace says; none where that is not known.
fn namespace(node: Option<&Node>) -> Option<&str> {
    match node.map(|node| &node.kind) {
        None | Some(Kind::Null) => Some(""),
        // A name has none of these: it is put in by something else.
        Some(Kind::Text(text)) => Some(&*text.text).filter(|text| !text.contains(['{', '$'])),
        Some(_) => None,
    }
}

fn unplaced(source: &Arc<SourceText>, at: usize, what: &str, why: &str) -> Problem {
    Problem {
        what: what.to_owned(),
        why: format!("its namespace cannot be worked out: {why}"),
        origin: source.place(at),
        policy: None,
        same: None,
    }
}

/// Reads a document as a resource of Kubernetes, or as the settings of bank-vaults.
#[must_use]
pub fn read(source: &Arc<SourceText>, root: &Node) -> Content {
    let mut resources = Resources {
        source,
        content: Content::default(),
        known: BTreeSet::new(),
    };
    resources.read(&Resource::of(root, false));
    let Resources { mut content, known, .. } = resources;
    if let Some(made) = kustomization(source, root).or_else(|| replacement(source, root)) {
        content.news.push(made.problem);
        content.names = made.names;
        content.sources = made.sources;
    }
    if content.found.is_empty() && content.through.is_empty() {
        objects(source, root, &mut content.objects);
    }
    // What stands behind it is known to who decrypts it alone.
    if root.get("sops").is_some()
        && let Some(node) = ["data", "policy", "rules"].iter().find_map(|name| root.get(name))
        && node.str().is_some_and(|text| text.starts_with("ENC["))
    {
        content.unread.push(Problem {
            what: source.file.to_string(),
            why: "it is encrypted".to_owned(),
            origin: source.place(node.range.start),
            policy: None,
            same: None,
        });
    }
    let mut places = Vec::new();
    suspicious(root, &known, &mut places);
    // Once for a document: it may hold as many as somebody likes.
    if let Some(first) = places.first() {
        let is_request = matches!(&root.kind, Kind::Map(entries) if entries.len() < 3 && entries.iter().any(|(name, _)| &**name == "policy"));
        let why = match places.len() {
            1 if is_request => return request(content, source, *first),
            1 => "a part of it looks like a policy".to_owned(),
            n => format!("{n} parts of it, of which this is the first, look like policies"),
        };
        content.unread.push(Problem {
            what: source.file.to_string(),
            why: format!("{why}, and no `[[sources]]` of the settings says how to read it"),
            origin: source.place(*first),
            policy: None,
            same: None,
        });
    }
    content
}

/// Names a document that is but the request to the API around a policy.
fn request(mut content: Content, source: &Arc<SourceText>, at: usize) -> Content {
    content.unread.push(Problem {
        what: source.file.to_string(),
        why: REQUEST.to_owned(),
        origin: source.place(at),
        policy: None,
        same: None,
    });
    content
}

/// Reads a document as settings say.
#[must_use]
pub fn by_settings(source: &Arc<SourceText>, root: &Node, settings: &SourceSettings) -> Content {
    let mut content = Content::default();
    let mut names = Names::default();
    for One { keys, node, item } in all_at(root, &settings.policy) {
        let Some(text) = node.text() else {
            content.unread.push(Problem {
                what: source.file.to_string(),
                why: format!("`{}` leads to no text", settings.policy),
                origin: source.place(node.range.start),
                policy: None,
                same: None,
            });
            continue;
        };
        let pointer = settings.name.as_ref().map(|name| filled(name, &keys));
        let named = match &pointer {
            Some(pointer) => names.at(root, pointer).and_then(Node::str).map(str::to_owned),
            None => keys
                .last()
                .map(|key| key.strip_suffix(".hcl").unwrap_or(key).to_owned()),
        };
        let place = settings.namespace.as_ref();
        let place = place.and_then(|pointer| names.at(root, &filled(pointer, &keys)));
        let Some(name) = named else {
            content.unread.push(Problem {
                what: source.file.to_string(),
                why: "it has no name where the settings say".to_owned(),
                origin: source.place(node.range.start),
                policy: None,
                same: None,
            });
            continue;
        };
        let address = format!("{name} at {}", filled(&settings.policy, &keys));
        let Some(namespace) = namespace(place) else {
            content
                .unread
                .push(unplaced(source, node.range.start, &address, NO_NAME));
            continue;
        };
        content.found.push(Found {
            address,
            name,
            namespace: namespace.to_owned(),
            server: Arc::default(),
            text: unpacked(text),
            source: Arc::clone(source),
            at: node.range.start,
            fixed: None,
            whole: item.and_then(|item| yaml::lines_of(source, item)),
            asked: Default::default(),
            way: Default::default(),
        });
    }
    content
}

/// What the maps of a document hold by name, each made once: a document may hold very many policies in one map.
#[derive(Default)]
struct Names<'n>(HashMap<usize, HashMap<&'n str, &'n Node>>);

impl<'n> Names<'n> {
    /// What a JSON pointer leads to.
    fn at(&mut self, root: &'n Node, pointer: &str) -> Option<&'n Node> {
        let mut here = root;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            here = match &here.kind {
                Kind::Map(entries) => {
                    let named = || entries.iter().map(|(name, value)| (&**name, value)).collect();
                    self.0
                        .entry(std::ptr::from_ref(here).addr())
                        .or_insert_with(named)
                        .get(part.as_str())
                        .copied()?
                }
                _ => here.items().get(part.parse::<usize>().ok()?)?,
            };
        }
        Some(here)
    }
}

/// What a pointer leads to.
struct One<'n> {
    /// What each `*` of the pointer stands for.
    keys: Vec<String>,
    node: &'n Node,
    /// What the last `*` stands for: the policy, with all that belongs to it.
    item: Option<&'n Node>,
}

/// All that a pointer leads to.
fn all_at<'n>(root: &'n Node, pointer: &str) -> Vec<One<'n>> {
    let mut here = vec![One {
        keys: Vec::new(),
        node: root,
        item: None,
    }];
    for part in pointer.split('/').skip(1) {
        let mut next = Vec::new();
        for one in here {
            if part != "*" {
                if let Some(node) = one.node.at(&format!("/{part}")) {
                    next.push(One { node, ..one });
                }
                continue;
            }
            let with = |key: String, node: &'n Node| One {
                keys: one.keys.iter().cloned().chain([key]).collect(),
                node,
                item: Some(node),
            };
            match &one.node.kind {
                Kind::Map(entries) => next.extend(entries.iter().map(|(key, value)| with(key.to_string(), value))),
                Kind::List(items) => next.extend(items.iter().enumerate().map(|(n, item)| with(n.to_string(), item))),
                _ => {}
            }
        }
        here = next;
    }
    here
}

/// A pointer with its `*` as they were found.
fn filled(pointer: &str, keys: &[String]) -> String {
    let mut keys = keys.iter();
    let parts = pointer.split('/').map(|part| match part {
        "*" => keys
            .next()
            .map_or_else(|| "*".to_owned(), |key| key.replace('~', "~0").replace('/', "~1")),
        other => other.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Why a namespace is not known.
const NO_NAME: &str = "what is said of it is not the name of one";

/// Takes the policies out of the resources of a document.
struct Resources<'s> {
    source: &'s Arc<SourceText>,
    content: Content,
    /// Where texts stand that are known to be policies.
    known: BTreeSet<usize>,
}

/// A resource of Kubernetes.
struct Resource<'n> {
    root: &'n Node,
    version: &'n str,
    kind: &'n str,
    /// Whether it is an item of a list of resources, and not a document by itself.
    is_item: bool,
    /// What it is written to: a server, or what somewhere else says of one.
    server: Arc<str>,
}

impl<'n> Resource<'n> {
    fn of(root: &'n Node, is_item: bool) -> Self {
        let word = |pointer: &str| root.at(pointer).and_then(Node::str);
        let server = word("/spec/connection/address").or_else(|| word("/spec/providerConfigRef/name"));
        Self {
            root,
            version: word("/apiVersion").unwrap_or(""),
            kind: word("/kind").unwrap_or(""),
            is_item,
            server: server.unwrap_or("").into(),
        }
    }

    fn word(&self, pointer: &str) -> Option<&'n str> {
        self.root.at(pointer).and_then(Node::str)
    }

    fn is_of_crossplane(&self) -> bool {
        let group = self.version.split('/').next();
        group.is_some_and(|group| group.contains("vault"))
    }

    /// Whether it is a template, or a patch: what its policy says comes from elsewhere.
    fn is_unfinished(&self) -> bool {
        (self.version.is_empty() || self.version.contains("{{")) && self.root.get("spec").is_some()
    }
}

/// What a resource says of a policy.
struct Said<'n> {
    what: &'n str,
    name: Option<&'n str>,
    namespace: Option<&'n Node>,
    text: Option<&'n Node>,
    /// The item of the resource that is the policy; none where the whole resource is.
    item: Option<&'n Node>,
}

impl Resources<'_> {
    fn read(&mut self, one: &Resource<'_>) {
        match one.kind {
            "List" if !one.is_item => {
                for item in one.root.get("items").map(Node::items).unwrap_or_default() {
                    self.read(&Resource::of(item, true));
                }
            }
            "Policy" if one.version.starts_with("redhatcop.redhat.io/") => self.of_red_hat(one),
            "Policy" if one.is_of_crossplane() => self.of_crossplane(one),
            "ProviderConfig" | "ClusterProviderConfig" if one.is_of_crossplane() => self.provider(one),
            "Policy" if one.is_unfinished() => self.content.unread.push(Problem {
                what: self.source.file.to_string(),
                why: "it is a policy whose server or text is not said in it".to_owned(),
                origin: self.source.place(one.root.range.start),
                policy: None,
                same: Some(digest(&self.source.text)),
            }),
            "Vault" => self.of_settings(one, one.root.at("/spec/externalConfig/policies")),
            "" => self.of_settings(one, one.root.get("policies")),
            _ => {}
        }
    }

    fn of_red_hat(&mut self, one: &Resource<'_>) {
        self.add(
            one,
            &Said {
                what: "Policy",
                name: one.word("/spec/name").or_else(|| one.word("/metadata/name")),
                // What signs in to a namespace writes there.
                namespace: one.root.at("/spec/authentication/namespace"),
                text: one.root.at("/spec/policy"),
                item: None,
            },
        );
    }

    fn of_crossplane(&mut self, one: &Resource<'_>) {
        let before = self.content.found.len();
        self.add(
            one,
            &Said {
                what: "Policy",
                name: one
                    .word("/spec/forProvider/name")
                    .or_else(|| one.word("/metadata/annotations/crossplane.io~1external-name"))
                    .or_else(|| one.word("/metadata/name")),
                namespace: one.root.at("/spec/forProvider/namespace"),
                text: one.root.at("/spec/forProvider/policy"),
                item: None,
            },
        );
        let provider = one.word("/spec/providerConfigRef/name").unwrap_or(DEFAULT_PROVIDER);
        let through = self.content.found.drain(before..).map(|found| Through {
            found,
            provider: provider.to_owned(),
        });
        self.content.through.extend(through);
    }

    fn provider(&mut self, one: &Resource<'_>) {
        let of_token = one.root.at("/spec/setNamespaceFromToken");
        let of_token = of_token.is_some_and(|node| !matches!(node.kind, Kind::Bool(false) | Kind::Null));
        let namespace = namespace(one.root.at("/spec/namespace")).filter(|said| !said.is_empty() || !of_token);
        self.content.providers.push(Provider {
            name: one.word("/metadata/name").unwrap_or("").to_owned(),
            namespace: namespace.map(str::to_owned),
        });
    }

    /// The settings of bank-vaults.
    fn of_settings(&mut self, one: &Resource<'_>, policies: Option<&Node>) {
        for policy in policies.map(Node::items).unwrap_or_default() {
            self.add(
                one,
                &Said {
                    what: "the policy",
                    name: policy.get("name").and_then(Node::str),
                    namespace: policy.get("namespace"),
                    text: policy.get("rules"),
                    item: Some(policy),
                },
            );
        }
    }

    fn add(&mut self, one: &Resource<'_>, said: &Said<'_>) {
        let source = self.source;
        let Some(node) = said.text else { return };
        self.known.insert(node.range.start);
        let (Some(name), Some(text)) = (said.name, node.text()) else {
            self.content.unread.push(Problem {
                what: said.what.to_owned(),
                why: "its name or its text is missing".to_owned(),
                origin: source.place(node.range.start),
                policy: None,
                same: None,
            });
            return;
        };
        let address = format!("{} {name}", said.what);
        let Some(namespace) = namespace(said.namespace) else {
            let unplaced = unplaced(source, node.range.start, &address, NO_NAME);
            self.content.unread.push(unplaced);
            return;
        };
        self.content.found.push(Found {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            server: Arc::clone(&one.server),
            text: unpacked(text),
            address,
            source: Arc::clone(source),
            at: node.range.start,
            fixed: None,
            whole: match said.item {
                Some(item) => yaml::lines_of(source, item),
                None if one.is_item => yaml::lines_of(source, one.root),
                None => yaml::document_of(source, one.root),
            },
            asked: Default::default(),
            way: Default::default(),
        });
    }
}

/// Whether a text says that something beside it is a policy: the place where servers have them, or the type of a resource.
fn is_of_a_policy(text: &str) -> bool {
    let is_one_line = !text.trim().contains('\n');
    is_one_line
        && [
            "sys/policies/acl/",
            "sys/policy/",
            "vault:index/policy:Policy",
            "vault:Policy",
        ]
        .iter()
        .any(|mark| text.contains(mark))
}

/// What makes other resources of those around it.
struct Makes {
    problem: Problem,
    /// The words in it that may name files.
    names: Vec<Arc<str>>,
    /// The resources that it takes values from.
    sources: BTreeSet<Arc<str>>,
}

/// Kustomize, and Flux where it runs that.
fn kustomization(source: &Arc<SourceText>, root: &Node) -> Option<Makes> {
    const CHANGES: [&str; 13] = [
        "namePrefix",
        "nameSuffix",
        "patches",
        "patchesStrategicMerge",
        "patchesJson6902",
        "replacements",
        "vars",
        "transformers",
        "generators",
        "helmCharts",
        "configurations",
        "components",
        "postBuild",
    ];
    let word = |name: &str| root.get(name).and_then(Node::str).unwrap_or("");
    let (kind, version) = (word("kind"), word("apiVersion"));
    let file = source.file.rsplit('/').next().unwrap_or("").to_lowercase();
    let is_named = file.split('.').next() == Some("kustomization") && kind.is_empty();
    let is_one = matches!(kind, "Kustomization" | "Component") && version.starts_with("kustomize.");
    if !is_named && !is_one {
        return None;
    }
    let place = match version.starts_with("kustomize.toolkit.") {
        true => root.get("spec")?,
        false => root,
    };
    let changes = CHANGES.iter().filter_map(|name| Some((*name, place.get(name)?)));
    let fetched = ["resources", "bases"]
        .iter()
        .filter_map(|name| place.get(name))
        .flat_map(Node::items)
        .filter(|item| item.str().is_some_and(is_elsewhere))
        .map(|item| ("resources", item));
    let all: Vec<(&str, &Node)> = changes.chain(fetched).collect();
    let (first, at) = all.first()?;
    let said: Vec<&str> = all
        .iter()
        .flat_map(|(name, node)| [*name, source.text.get(node.range.clone()).unwrap_or("")])
        .collect();
    let problem = Problem {
        what: source.file.to_string(),
        why: format!("it makes other resources of those that are there (`{first}`), and is not followed"),
        origin: source.place(at.range.start),
        policy: None,
        same: Some(digest(&said.join("\n"))),
    };
    let mut names = Vec::new();
    all.iter().for_each(|(_, node)| words(node, &mut names));
    let mut sources = BTreeSet::new();
    for (name, node) in &all {
        match *name {
            "replacements" => node
                .items()
                .iter()
                .for_each(|one| named(one.get("source"), &mut sources)),
            "vars" => node
                .items()
                .iter()
                .for_each(|one| named(one.get("objref"), &mut sources)),
            "postBuild" => {
                let from = node.get("substituteFrom").map(Node::items).unwrap_or_default();
                from.iter().for_each(|one| named(Some(one), &mut sources));
            }
            _ => {}
        }
    }
    Some(Makes {
        problem,
        names,
        sources,
    })
}

/// A file of replacements, or one of these, which a kustomization may name.
fn replacement(source: &Arc<SourceText>, root: &Node) -> Option<Makes> {
    let all = match &root.kind {
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(root),
    };
    let is_one =
        |one: &&Node| one.get("source").is_some_and(|from| from.get("kind").is_some()) && one.get("targets").is_some();
    let mut sources = BTreeSet::new();
    all.iter()
        .filter(is_one)
        .for_each(|one| named(one.get("source"), &mut sources));
    (!sources.is_empty()).then(|| Makes {
        problem: Problem {
            what: source.file.to_string(),
            why: "it puts values of one resource into others, and is not followed".to_owned(),
            origin: source.place(root.range.start),
            policy: None,
            same: Some(digest(source.text.get(root.range.clone()).unwrap_or(""))),
        },
        names: Vec::new(),
        sources,
    })
}

/// The name of the resource that a reference is to.
fn named(reference: Option<&Node>, found: &mut BTreeSet<Arc<str>>) {
    let name = reference.and_then(|node| node.get("name")).and_then(Node::str);
    found.extend(name.map(Arc::from));
}

/// The resources of a document that others may take values from, and what generates some.
fn objects(source: &Arc<SourceText>, root: &Node, found: &mut Vec<Object>) {
    let mut add = |name: Option<&Node>, node: &Node, files: Vec<Arc<str>>| {
        if let Some(name) = name.and_then(Node::str) {
            found.push(Object {
                name: name.into(),
                is: digest(source.text.get(node.range.clone()).unwrap_or("")),
                files,
            });
        }
    };
    let listed = root.get("items").map(Node::items).unwrap_or_default();
    for one in listed.iter().chain([root]) {
        if one.get("kind").is_some() {
            add(one.at("/metadata/name"), one, Vec::new());
        }
    }
    for kind in ["configMapGenerator", "secretGenerator"] {
        for one in root.get(kind).map(Node::items).unwrap_or_default() {
            let mut files = Vec::new();
            words(one, &mut files);
            // `key=file`
            let behind = files.iter().filter_map(|word| word.split_once('='));
            let behind: Vec<Arc<str>> = behind.map(|(_, file)| file.into()).collect();
            files.extend(behind);
            add(one.get("name"), one, files);
        }
    }
}

/// The texts of one line in a value.
fn words(node: &Node, found: &mut Vec<Arc<str>>) {
    match &node.kind {
        Kind::Text(text) if !text.text.contains('\n') => found.push(Arc::clone(&text.text)),
        Kind::List(items) => items.iter().for_each(|item| words(item, found)),
        Kind::Map(entries) => entries.iter().for_each(|(_, value)| words(value, found)),
        _ => {}
    }
}

/// Whether a resource of a kustomization is fetched from elsewhere.
fn is_elsewhere(resource: &str) -> bool {
    let first = resource.split('/').next().unwrap_or("");
    let host = first.contains('.') && !first.starts_with('.') && resource.contains('/');
    resource.contains("://") || resource.contains('@') || resource.contains("?ref=") || host
}

/// Whether a value is a list of capabilities, or a word that is one, as a policy grants them.
fn are_capabilities(node: &Node) -> bool {
    let is_one = |text: &str| text.trim().parse::<Capability>().is_ok();
    match &node.kind {
        Kind::Text(text) => text.text.split(',').all(is_one),
        Kind::List(items) => !items.is_empty() && items.iter().all(|item| item.str().is_some_and(is_one)),
        _ => false,
    }
}

/// Whether a list holds the lines of a policy.
fn are_lines(items: &[Node]) -> bool {
    let lines: Option<Vec<&str>> = items.iter().map(Node::str).collect();
    lines.is_some_and(|lines| lines.len() > 1 && holds_policy(&lines.join("\n")))
}

/// Where texts stand that look like policies and were not read as such, and values that say what one does.
fn suspicious(node: &Node, known: &BTreeSet<usize>, places: &mut Vec<usize>) {
    match &node.kind {
        Kind::List(items)
            if are_lines(items) && !items.iter().any(|item| item.str().is_some_and(looks_like_policy)) =>
        {
            places.push(node.range.start);
        }
        Kind::Text(text)
            if (looks_like_policy(&text.text) || is_of_a_policy(&text.text)) && !known.contains(&node.range.start) =>
        {
            places.push(node.range.start);
        }
        Kind::List(items) => items.iter().for_each(|item| suspicious(item, known, places)),
        Kind::Map(entries) => {
            for (key, value) in entries {
                if key.contains("hashivault_policy") || &**key == "capabilities" && are_capabilities(value) {
                    places.push(value.range.start);
                }
                suspicious(value, known, places);
            }
        }
        _ => {}
    }
}
