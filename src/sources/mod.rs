//! Policies where people keep them: HCL and JSON files, Terraform and OpenTofu, plans and states, resources of Kubernetes,
//! and what settings name. One reader for all commands; each policy knows where its text is written.

pub mod back;
mod files;
pub mod globs;
mod manifest;
mod node;
mod owners;
mod plan;
mod terraform;
mod text;
mod yaml;

use crate::origin::{Hold, Origin, SourceText, Spelling, Written};
use crate::policy::load::{self, Doubt, LoadCause, LoadError, Names, Skipped, Why};
use crate::policy::model::Policy;
use crate::policy::syntax::{self, Dialect, ParseError};
use crate::vault::{name, path as vault_path};
use files::Files;
use globs::{Globs, Ignored};
use node::{Kind, Node};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use text::Text;

/// A kind of files that settings name as holding policies.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// Which files, as a pattern such as `deploy/**/*.yaml`.
    pub files: String,
    /// Where the text of a policy stands, as a JSON pointer; `*` stands for any name or number.
    pub policy: String,
    /// Where its name stands; the last `*` of `policy` is the name where this is missing.
    pub name: Option<String>,
    /// Where its namespace stands.
    pub namespace: Option<String>,
}

/// How policies are read.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What settings say of files.
    pub sources: Vec<SourceSettings>,
    /// Patterns of files that are left out.
    pub exclude: Vec<String>,
    /// Whether `.gitignore` leaves nothing out: a change may bring one, with the file that it names.
    pub ignores_nothing: bool,
    /// Texts that stand for those of files.
    pub overlay: HashMap<PathBuf, Arc<str>>,
    /// Whether policies are read in each way that files of the repository may set the variables of Terraform, and what wraps
    /// Terraform is named.
    pub every_way: bool,
    /// Which files git has.
    pub tracked: Tracked,
}

/// A policy that depends on variables which files may give other values.
#[derive(Debug, Clone)]
pub struct InWay {
    /// Those variables.
    pub asked: BTreeSet<Arc<str>>,
    /// Which of them have the value that a file gives, and which file.
    pub way: Way,
    /// The policy then.
    pub policy: Policy,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Read {
    /// Each policy with the file that it is in, or what was wrong with it.
    pub files: Vec<(PathBuf, Result<Policy, LoadError>)>,
    /// What was found and is not understood.
    pub unread: Vec<Problem>,
    /// The policies before a plan, where one was read.
    pub before: Option<Vec<Policy>>,
    /// What may make other policies of those that are there: told where the base lacks it.
    pub news: Vec<Problem>,
    /// What was left out for other reasons, and may hold a policy.
    pub skipped: Vec<Skipped>,
    /// Files that hold no policy.
    pub others: Vec<PathBuf>,
    /// Files that `exclude` or `.gitignore` leave out.
    pub excluded: Vec<PathBuf>,
    /// The policies that depend on variables which files may give other values, in each way.
    pub ways: Vec<InWay>,
    /// These variables, with the files.
    pub given: BTreeSet<(Arc<str>, Arc<str>)>,
}

/// Something that was found and is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The resource, or the file.
    pub what: String,
    /// What is the matter, as a sentence without its end.
    pub why: String,
    /// Where.
    pub origin: Origin,
    /// Namespace and name of the policy, where they are known.
    pub policy: Option<(Arc<str>, Arc<str>)>,
    /// What it is, where it is nothing but what may write policies: the very same that was there before is no news.
    pub same: Option<Arc<str>>,
}

/// A policy that stands inside of another file.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its namespace, as written.
    pub namespace: String,
    /// The address of its server, where that is said.
    pub server: Arc<str>,
    /// Its text.
    pub text: Text,
    /// What makes it.
    pub address: String,
    /// The file of that.
    pub source: Arc<SourceText>,
    /// Where in it.
    pub at: usize,
    /// Why nothing can be written back.
    pub fixed: Option<Arc<str>>,
    /// What of the file makes this policy and nothing else, where it can go as it is.
    pub whole: Option<Range<usize>>,
    /// What it depends on, of variables that files may give.
    asked: BTreeSet<Arc<str>>,
    /// Which files give them their values here.
    way: Way,
}

pub use files::Tracked;
pub use globs::PatternError;
pub use owners::Owners;
pub use terraform::{Way, is_terraform, said as way_said};
pub use text::is_so;

/// How much room the recursive readers get.
const STACK: usize = 64 * 1024 * 1024;

/// Reads all policies in `paths`, each a file or a folder.
///
/// # Errors
/// Where a pattern of the options cannot be used.
pub fn read(paths: &[PathBuf], dialect: &Dialect, names: Names, options: &Options) -> Result<Read, PatternError> {
    let exclude = Globs::new(options.exclude.iter().map(String::as_str))?;
    let by_settings: Vec<(Globs, &SourceSettings)> = options
        .sources
        .iter()
        .map(|source| Ok((Globs::new(std::iter::once(source.files.as_str()))?, source)))
        .collect::<Result<_, PatternError>>()?;
    let work = || {
        let mut reader = Reader {
            dialect,
            names,
            options,
            exclude: &exclude,
            by_settings: &by_settings,
            plain: BTreeMap::new(),
            templates: Vec::new(),
            through: Vec::new(),
            providers: Vec::new(),
            taking: Vec::new(),
            objects: BTreeMap::new(),
            read: Read::default(),
        };
        reader.all(paths);
        reader.read
    };
    // Deep expressions need more room than a thread of a pool has.
    let read = std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        match reader {
            Ok(reader) => reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => work(),
        }
    });
    Ok(read)
}

/// What functions of Terraform read.
#[derive(Default)]
struct Used {
    files: BTreeSet<PathBuf>,
    /// Which of their bytes stand in a policy that was found, as they are or as a word put in.
    said: HashMap<PathBuf, BTreeSet<(usize, usize)>>,
    /// The policies that were found.
    texts: BTreeSet<Arc<str>>,
}

impl Used {
    fn says(&mut self, found: &Found) {
        self.texts.insert(Arc::clone(&found.text.text));
        for level in found.text.pieces.iter().flat_map(|piece| &piece.levels) {
            let as_it_is = level.hold != Hold::Made;
            let word = || {
                level
                    .source
                    .text
                    .get(level.range.clone())
                    .is_some_and(|t| t.starts_with("${"))
            };
            if as_it_is || word() {
                self.said
                    .entry(PathBuf::from(&*level.source.file))
                    .or_default()
                    .insert((level.range.start, level.range.end));
            }
        }
    }

    /// The first stanza of a policy in a file of its own that no policy found says.
    fn lacks(&self, file: &Path, policy: &Policy) -> Option<Origin> {
        let said = self.said_of(file);
        let stanza = policy.stanzas.iter().find(|stanza| !said(&stanza.span))?;
        Some(stanza.origin.clone())
    }

    /// Whether each path of a file stands in a policy that was found; where none is written so, all of the file, or what is packed in it.
    fn says_all(&self, file: &Path, text: &str) -> bool {
        let said = self.said_of(file);
        let mut paths = text.match_indices("path").peekable();
        if paths.peek().is_none() {
            let packed = syntax::packed(text.as_bytes());
            let is_found = |packed: &str| self.texts.iter().any(|found| found.contains(packed.trim()));
            return said(&(0..text.trim_end().len())) || packed.is_some_and(|packed| is_found(&packed));
        }
        paths.all(|(at, word)| said(&(at..at + word.len())))
    }

    /// Whether a part of a file stands in a policy that was found.
    fn said_of(&self, file: &Path) -> impl Fn(&Range<usize>) -> bool {
        let mut whole: Vec<(usize, usize)> = Vec::new();
        for (start, end) in self.said.get(file).into_iter().flatten() {
            match whole.last_mut().filter(|last| *start <= last.1) {
                Some(last) => last.1 = last.1.max(*end),
                None => whole.push((*start, *end)),
            }
        }
        move |span| {
            let before = whole.partition_point(|(start, _)| *start <= span.start);
            before
                .checked_sub(1)
                .and_then(|n| whole.get(n))
                .is_some_and(|(_, end)| *end >= span.end)
        }
    }
}

/// Below a folder.
#[derive(Default)]
struct Listing {
    /// All plain files that nothing leaves out.
    files: Vec<PathBuf>,
    /// What `exclude` leaves out.
    excluded: Vec<PathBuf>,
    /// Those whose name, or that of a folder between, begins with a dot.
    hidden: Vec<PathBuf>,
}

struct Reader<'r> {
    dialect: &'r Dialect,
    names: Names,
    options: &'r Options,
    exclude: &'r Globs,
    by_settings: &'r [(Globs, &'r SourceSettings)],
    /// What JSON files are as policies: they may be something else.
    plain: BTreeMap<PathBuf, Result<Policy, LoadError>>,
    /// The folders that hold templates of policies.
    templates: Vec<PathBuf>,
    /// Policies of Crossplane, and what they are written through, of all files.
    through: Vec<manifest::Through>,
    providers: Vec<manifest::Provider>,
    /// What takes values from resources: which of `read.news`, and the names of those.
    taking: Vec<(usize, BTreeSet<Arc<str>>)>,
    /// What these are, by name; no digest where that cannot be read.
    objects: BTreeMap<Arc<str>, BTreeSet<Option<Arc<str>>>>,
    read: Read,
}

impl Reader<'_> {
    fn all(&mut self, paths: &[PathBuf]) {
        let mut listing = Listing::default();
        let mut folders: Vec<&PathBuf> = Vec::new();
        let mut named: BTreeSet<PathBuf> = BTreeSet::new();
        for path in paths {
            if path.is_dir() {
                folders.push(path);
                self.list(path, &mut listing);
            } else {
                named.insert(files::tidy(path));
            }
        }
        let kept: BTreeSet<PathBuf> = listing.files.iter().map(|path| files::tidy(path)).collect();
        let used = self.terraform(&kept, &named, paths);
        self.policies(paths, &kept, &named, &used, &listing.excluded);
        let used = used.files;
        self.documents(&listing.files, &named, paths);
        if self.options.every_way {
            self.hidden(&listing.hidden);
        }
        self.taken();
        self.values();
        self.read.excluded.append(&mut listing.excluded);
        self.read.others.retain(|other| !used.contains(&files::tidy(other)));
    }

    /// The files below a folder that nothing leaves out.
    fn list(&self, folder: &Path, listing: &mut Listing) {
        let files = Files::around(folder, HashMap::new());
        let real = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
        let mut ignored = Ignored::default();
        for found in crate::files::below(folder).found {
            let mut above: Vec<&Path> = found.below.ancestors().filter(|a| !a.as_os_str().is_empty()).collect();
            above.reverse();
            let out = above.iter().any(|part| {
                self.exclude.matches(part)
                    || self.exclude.matches(&files::tidy(&folder.join(part)))
                    || (!self.options.ignores_nothing
                        && ignored.leaves_out(files.root(), &real.join(part), **part != *found.below))
            });
            if out {
                listing.excluded.push(found.path);
            } else if found.hidden {
                listing.hidden.push(found.path);
            } else {
                listing.files.push(found.path);
            }
        }
    }

    /// Reads Terraform, and says which files its functions read.
    fn terraform(&mut self, kept: &BTreeSet<PathBuf>, named: &BTreeSet<PathBuf>, paths: &[PathBuf]) -> Used {
        let mut used = Used::default();
        let parent = |path: &Path| match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let folders_of = |all: &BTreeSet<PathBuf>| -> BTreeSet<PathBuf> {
            all.iter()
                .filter(|path| terraform::is_terraform(path))
                .map(|path| parent(path))
                .collect()
        };
        let below = folders_of(kept);
        let alone: BTreeSet<PathBuf> = named
            .iter()
            .filter(|path| terraform::is_terraform(path))
            .cloned()
            .collect();
        let mut take = |folders: &BTreeSet<PathBuf>, only: &BTreeSet<PathBuf>, around: &Path| {
            let files = Files::around(around, self.options.overlay.clone()).tracked(self.options.tracked.clone());
            let content = terraform::read(&files, folders, only, self.options.every_way);
            used.files.extend(files.used());
            self.read.given.extend(content.given);
            for found in content.found {
                used.says(&found);
                self.in_way(&found);
            }
            self.read.unread.extend(content.unread);
        };
        if !below.is_empty() {
            // The repository that the first folder is in; what lies elsewhere is read by itself.
            let mut left = below;
            for path in paths.iter().filter(|path| path.is_dir()) {
                let root = files::tidy(path);
                let here: BTreeSet<PathBuf> = left
                    .iter()
                    .filter(|folder| root == Path::new(".") && folder.is_relative() || folder.starts_with(&root))
                    .cloned()
                    .collect();
                left.retain(|folder| !here.contains(folder));
                take(&here, &BTreeSet::new(), &root);
            }
        }
        for folder in folders_of(&alone) {
            let only: BTreeSet<PathBuf> = alone.iter().filter(|path| parent(path) == folder).cloned().collect();
            take(&BTreeSet::from([folder.clone()]), &only, &folder);
        }
        used
    }

    /// Adds a policy of Terraform, as it is in its way.
    fn in_way(&mut self, found: &Found) {
        if found.asked.is_empty() {
            return self.found(found);
        }
        match self.parsed(found) {
            Ok(policy) => self.read.ways.push(InWay {
                asked: found.asked.clone(),
                way: found.way.clone(),
                policy,
            }),
            Err(_) if found.way.is_empty() => {}
            error => self.read.files.push((PathBuf::from(&*found.source.file), error)),
        }
        if found.way.is_empty() {
            self.found(found);
        }
    }

    /// Adds a policy that stands inside of another file.
    fn found(&mut self, found: &Found) {
        let policy = self.parsed(found);
        self.read.files.push((PathBuf::from(&*found.source.file), policy));
    }

    fn parsed(&self, found: &Found) -> Result<Policy, LoadError> {
        let namespace: Arc<str> = vault_path::namespace(&found.namespace).into();
        let mut written = found.text.written(&found.address, &found.source, found.at);
        written.fixed.clone_from(&found.fixed);
        written.server = Arc::clone(&found.server);
        written.whole = found.whole.clone().map(|range| (Arc::clone(&found.source), range));
        let file = &found.source.file;
        match syntax::parse(&found.name, file, &found.text.text, self.dialect) {
            Ok(mut policy) => {
                policy.namespace = namespace;
                placed(&mut policy, written);
                Ok(policy)
            }
            Err(error) => Err(LoadError {
                path: PathBuf::from(&**file),
                name: Some(name::policy(&found.name).into()),
                namespace,
                cause: LoadCause::Parse(Box::new(self::moved(error, &found.text.text, &written))),
            }),
        }
    }

    /// Reads the files that are policies themselves.
    fn policies(
        &mut self,
        paths: &[PathBuf],
        kept: &BTreeSet<PathBuf>,
        named: &BTreeSet<PathBuf>,
        used: &Used,
        excluded: &[PathBuf],
    ) {
        let alone = |path: &Path| is_document(path) || terraform::is_terraform(path);
        let wanted: Vec<PathBuf> = paths
            .iter()
            .filter(|path| path.is_dir() || !alone(path))
            .cloned()
            .collect();
        let listed = load::files(&wanted, self.dialect, self.names);
        let out: BTreeSet<PathBuf> = excluded.iter().map(|path| files::tidy(path)).collect();
        let excluded = |path: &Path| path.ancestors().any(|above| out.contains(above));
        for (path, read) in listed.files {
            let tidy = files::tidy(&path);
            let by_name = named.contains(&tidy);
            let broken = matches!(&read, Err(error) if matches!(error.cause, LoadCause::Parse(_)));
            if !by_name && excluded(&tidy) {
                continue;
            }
            if broken && !by_name && self.is_other(&path) {
                self.wrapper(&path);
                self.read.others.push(path);
            } else if by_name || !(used.files.contains(&tidy) || is_document(&path) && kept.contains(&tidy)) {
                self.read.files.push((path, read));
            } else if used.files.contains(&tidy) {
                // A policy that something else reads too, and does not say as it is, could hide behind that.
                if let Some(stanza) = read.ok().and_then(|policy| used.lacks(&tidy, &policy)) {
                    let what = path.display().to_string();
                    let why = "Terraform reads it, and no policy that is found there says all of it: whether it is a policy by itself is not known";
                    self.unread(&what, why.to_owned(), stanza);
                }
            } else {
                // What is read as a document, and is a policy, keeps the name that its place gives it.
                self.plain.insert(tidy, read);
            }
        }
        for one in listed.skipped {
            let tidy = files::tidy(&one.path);
            let ours = matches!(one.why, Why::Ending | Why::NoPolicy)
                && kept.contains(&tidy)
                && (alone(&one.path) || files::gives_variables(&one.path) || self.is_used(&one, &tidy, used));
            if !ours && !excluded(&tidy) {
                let is_hidden = matches!(one.why, Why::Hidden) && !self.is_left_behind(&one.path);
                if matches!(one.why, Why::NoPolicy) || is_hidden && !one.is_suspect(self.dialect) {
                    self.wrapper(&one.path);
                }
                let is_open = matches!(one.why, Why::Ending) || is_hidden;
                if self.options.every_way && is_open && self.template(&one) {
                    continue;
                }
                self.read.skipped.push(one);
            }
        }
    }

    /// Whether a file is what Terraform reads and nothing else: it says no policy that is not found there.
    fn is_used(&self, one: &Skipped, tidy: &Path, used: &Used) -> bool {
        if !used.files.contains(tidy) {
            return false;
        }
        let shows = |source: &Arc<SourceText>| opens_policy(&source.text) || load::holds_policy(&source.text);
        let is_template = self.shown_template(&one.path).filter(shows).is_some();
        let says_some = used.said.contains_key(tidy);
        match one.doubt(self.dialect) {
            None => says_some || !is_template,
            // What is left out of a template was put out by what fills it in.
            Some(_) if is_template => says_some,
            Some(_) => {
                let files = Files::around(&one.path, self.options.overlay.clone());
                files
                    .source(&one.path)
                    .is_ok_and(|source| used.says_all(tidy, &source.text))
            }
        }
    }

    /// The text of a template that shows a policy.
    fn shown_template(&self, path: &Path) -> Option<Arc<SourceText>> {
        const ENDS: [&str; 12] = [
            "tpl", "tftpl", "gotpl", "tmpl", "ctmpl", "gotmpl", "template", "j2", "jinja", "jinja2", "erb", "mustache",
        ];
        let end = path.extension().map(|end| end.to_string_lossy().to_lowercase());
        if !end.is_some_and(|end| ENDS.contains(&&*end)) {
            return None;
        }
        let files = Files::around(path, self.options.overlay.clone());
        let source = files.source(path).ok()?;
        (opens_policy(&source.text) || suspicious(&source.text)).then_some(source)
    }

    /// Names a template that shows a policy, whatever stands in it; whether it is named here.
    fn template(&mut self, one: &Skipped) -> bool {
        let Some(source) = self.shown_template(&one.path) else {
            return false;
        };
        self.templates
            .push(one.path.parent().map(files::tidy).unwrap_or_default());
        if one.doubt(self.dialect) == Some(Doubt::Policy) {
            return false;
        }
        self.read.unread.push(Problem {
            what: source.file.to_string(),
            why: "it is a template of a policy, and was not rendered".to_owned(),
            origin: Origin::new(Arc::clone(&source.file), 1, 1),
            policy: None,
            same: Some(is_so(&one.path, source.text.as_bytes())),
        });
        true
    }

    /// Whether Terraform leaves a file in its folder, and git does not have it: no change brings it.
    fn is_left_behind(&self, path: &Path) -> bool {
        let is_own = |part: &std::ffi::OsStr| part == ".terraform" || part == ".terragrunt-cache";
        path.iter().any(is_own) && {
            let files = Files::around(path, HashMap::new()).tracked(self.options.tracked.clone());
            !std::fs::canonicalize(path).is_ok_and(|real| files.has(&real))
        }
    }

    /// Names what is hidden and would be read, or named, if it were not: whoever deploys from a folder may name a hidden one.
    fn hidden(&mut self, hidden: &[PathBuf]) {
        let mut folders: BTreeMap<&Path, Vec<&PathBuf>> = BTreeMap::new();
        for path in hidden {
            if self.is_left_behind(path) {
                continue;
            }
            let name = path.file_name().unwrap_or_default();
            match path.parent() {
                // Terraform passes over names that begin with a dot, not over folders.
                Some(_) if terraform::is_terraform(path) && name.as_encoded_bytes().starts_with(b".") => {}
                Some(folder) if terraform::is_terraform(path) => folders.entry(folder).or_default().push(path),
                _ if is_document(path) => self.hidden_document(path),
                _ => {}
            }
        }
        for (folder, all) in folders {
            self.hidden_module(folder, &all);
        }
    }

    fn hidden_document(&mut self, path: &PathBuf) {
        let mut aside = Reader {
            dialect: self.dialect,
            names: self.names,
            options: self.options,
            exclude: self.exclude,
            by_settings: self.by_settings,
            plain: BTreeMap::new(),
            templates: Vec::new(),
            through: Vec::new(),
            providers: Vec::new(),
            taking: Vec::new(),
            objects: BTreeMap::new(),
            read: Read::default(),
        };
        aside.document(path, false);
        let before = self.read.news.len();
        let taking = aside.taking.into_iter();
        self.taking.extend(taking.map(|(n, names)| (before + n, names)));
        for (name, is) in aside.objects {
            self.objects.entry(name).or_default().extend(is);
        }
        self.read.news.append(&mut aside.read.news);
        if !(aside.read.files.is_empty() && aside.read.unread.is_empty() && aside.through.is_empty()) {
            self.hides(&[path], &[]);
        }
    }

    fn hidden_module(&mut self, folder: &Path, all: &[&PathBuf]) {
        let read = self.read.files.iter().map(|(path, _)| path.as_path());
        let named = self.read.unread.iter().map(|one| Path::new(&*one.origin.file));
        // One that others call is read as they call it.
        if read.chain(named).any(|path| path.parent() == Some(folder)) {
            return;
        }
        let files = Files::around(folder, self.options.overlay.clone()).tracked(self.options.tracked.clone());
        let content = terraform::read(&files, &BTreeSet::from([folder.to_path_buf()]), &BTreeSet::new(), true);
        if content.found.is_empty() && content.unread.is_empty() {
            return;
        }
        let found = content.found.iter();
        let mut said: Vec<&str> = found
            .flat_map(|one| [&*one.namespace, &one.name, &one.text.text])
            .collect();
        said.extend(content.unread.iter().map(|one| one.same.as_deref().unwrap_or(&one.why)));
        self.hides(all, &said);
    }

    /// Names hidden files that hold policies, or what may write some, once.
    fn hides(&mut self, all: &[&PathBuf], said: &[&str]) {
        let Some(first) = all.first() else { return };
        let is_here = |one: &Skipped| all.iter().any(|path| **path == one.path);
        let of_them = |one: &&Skipped| is_here(one) && one.is_suspect(self.dialect);
        if self.read.skipped.iter().filter(of_them).count() > 0 {
            // It is named as it is.
            return;
        }
        self.read.skipped.retain(|one| !is_here(one));
        let is_so = |path: &&PathBuf| {
            let bytes = crate::files::read(path, files::MAX_FILE).ok()?;
            Some(is_so(path, &bytes).to_string())
        };
        // What cannot be read is not known to be the same.
        let whole: Option<Vec<String>> = all.iter().map(is_so).collect();
        let whole = whole.map(|mut whole| {
            whole.extend(said.iter().map(|one| (*one).to_owned()));
            text::digest(&whole.join("\0"))
        });
        let file = first.display().to_string();
        self.read.unread.push(Problem {
            why: format!(
                "it was not read: {}, and it holds a policy, or what may write one",
                Why::Hidden
            ),
            origin: Origin::new(file.as_str(), 1, 1),
            what: file,
            policy: None,
            same: whole,
        });
    }

    /// What takes values from resources is made of these, too.
    fn taken(&mut self) {
        for (n, names) in std::mem::take(&mut self.taking) {
            let Some(one) = self.read.news.get_mut(n) else { continue };
            let all = names.iter().filter_map(|name| self.objects.get(name)).flatten();
            let said: Option<Vec<&str>> = all.map(Option::as_deref).collect();
            let both = one.same.take().zip(said);
            one.same = both.map(|(own, said)| text::digest(&format!("{own}\0{}", said.join("\0"))));
        }
    }

    /// Names files of values beside templates of policies, or below them: what comes out hangs on them.
    fn values(&mut self) {
        if self.templates.is_empty() {
            return;
        }
        let skipped = self.read.skipped.iter().map(|one| &one.path);
        let files: BTreeSet<PathBuf> = self.read.others.iter().chain(skipped).cloned().collect();
        for path in files {
            const ENDS: [&str; 9] = [
                "json",
                "yaml",
                "yml",
                "toml",
                "ini",
                "env",
                "properties",
                "conf",
                "tfvars",
            ];
            let end = path.extension().map(|end| end.to_string_lossy().to_lowercase());
            let tidy = files::tidy(&path);
            let beside = self
                .templates
                .iter()
                .any(|folder| tidy.parent().is_some_and(|own| own.starts_with(folder)));
            if !beside || !end.is_some_and(|end| ENDS.contains(&&*end)) {
                continue;
            }
            let around = Files::around(&path, self.options.overlay.clone());
            let source = around.source(&path);
            let file: Arc<str> = match &source {
                Ok(source) => Arc::clone(&source.file),
                Err(_) => path.display().to_string().into(),
            };
            let problem = |why: String, same| Problem {
                what: file.to_string(),
                why,
                origin: Origin::new(Arc::clone(&file), 1, 1),
                policy: None,
                same,
            };
            match source {
                Ok(source) => self.read.news.push(problem(
                    "a template of a policy lies beside it, and what it makes of it is not known".to_owned(),
                    Some(is_so(&path, source.text.as_bytes())),
                )),
                // Whether it is as it was before is not known either.
                Err(why) => self.read.unread.push(problem(
                    format!("a template of a policy lies beside it, and {why}"),
                    None,
                )),
            }
        }
    }

    /// Names HCL of other programs that may write policies: what wraps Terraform, since where its modules are, and what their variables
    /// are, is not read; and what shows a policy.
    fn wrapper(&mut self, path: &Path) {
        let files = Files::around(path, self.options.overlay.clone());
        let hcl = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("hcl"));
        if !self.options.every_way || !hcl {
            return;
        }
        let Ok(source) = files.source(path) else { return };
        let runs = terraform::wraps(&files, &source).or_else(|| terraform::gives(&source).map(Some));
        let (same, why) = match (runs, terraform::holds_one(&source)) {
            (Some(same), _) => (
                same,
                "it runs Terraform with a module or with variables of its own, and is not read",
            ),
            (None, Some(same)) => (
                Some(same),
                "it holds a policy, or the place of one, and what reads it is not known",
            ),
            (None, None) => return,
        };
        self.read.unread.push(Problem {
            what: source.file.to_string(),
            why: why.to_owned(),
            origin: Origin::new(Arc::clone(&source.file), 1, 1),
            policy: None,
            same,
        });
    }

    /// Whether a file that is no policy is other HCL, such as of Terragrunt or of an agent.
    fn is_other(&self, path: &Path) -> bool {
        let files = Files::around(path, self.options.overlay.clone());
        files.source(path).is_ok_and(|source| terraform::is_other(&source))
    }

    /// Reads YAML and JSON.
    fn documents(&mut self, listed: &[PathBuf], named: &BTreeSet<PathBuf>, paths: &[PathBuf]) {
        let given = paths.iter().filter(|path| named.contains(&files::tidy(path)));
        let all: Vec<PathBuf> = listed
            .iter()
            .chain(given)
            .filter(|path| is_document(path))
            .cloned()
            .collect();
        for path in all {
            if terraform::is_terraform(&path) {
                continue;
            }
            self.document(&path, named.contains(&files::tidy(&path)));
        }
        for through in std::mem::take(&mut self.through) {
            match through.placed(&self.providers) {
                Ok(found) => self.found(&found),
                Err(problem) => self.read.unread.push(problem),
            }
        }
    }

    fn document(&mut self, path: &Path, by_name: bool) {
        let files = Files::around(path, self.options.overlay.clone());
        let source = match files.source(path) {
            Ok(source) => source,
            Err(why) => {
                let file: Arc<str> = path.display().to_string().into();
                return self.unread(&file, why, Origin::new(Arc::clone(&file), 1, 1));
            }
        };
        let json = is_json(path);
        let roots: Vec<Node> = if json {
            match node::stream(&source, Spelling::Json) {
                Ok(all) => all,
                Err(trouble) if trouble.is_bound() => {
                    let origin = source.place(trouble.offset);
                    return self.unread(&source.file, trouble.why, origin);
                }
                // What is broken may be a policy all the same: its own reader tells.
                Err(_) if self.is_policy(path) => return self.policy_file(path, by_name),
                Err(trouble) => match yaml::documents(&source) {
                    // Who reads YAML takes it, comments, several documents and all.
                    Ok(roots)
                        if roots
                            .iter()
                            .any(|root| matches!(root.kind, Kind::Map(_) | Kind::List(_))) =>
                    {
                        roots
                    }
                    _ if suspicious(&source.text) || load::holds_policy(&source.text) => {
                        let origin = source.place(trouble.offset);
                        return self.unread(&source.file, format!("it cannot be read: {}", trouble.why), origin);
                    }
                    _ => return self.policy_file(path, by_name),
                },
            }
        } else {
            match yaml::documents(&source) {
                Ok(roots) => roots,
                Err(_) if source.text.contains("{{") => {
                    if suspicious(&source.text) {
                        self.chart(path);
                        let origin = Origin::new(Arc::clone(&source.file), 1, 1);
                        self.unread(
                            &source.file,
                            "it is a template, and was not rendered".to_owned(),
                            origin,
                        );
                    } else {
                        self.read.others.push(path.to_path_buf());
                    }
                    return;
                }
                Err(trouble) => {
                    if suspicious(&source.text) || by_name || trouble.is_bound() {
                        let origin = source.place(trouble.offset);
                        self.unread(&source.file, format!("it cannot be read: {}", trouble.why), origin);
                    } else {
                        self.read.others.push(path.to_path_buf());
                    }
                    return;
                }
            }
        };
        if source.text.contains("{{") && suspicious(&source.text) {
            self.chart(path);
        }
        let before = self.read.files.len() + self.read.unread.len();
        let mut known = false;
        for root in &roots {
            known |= self.root(path, &source, root);
        }
        let nothing = !known && self.read.files.len() + self.read.unread.len() == before;
        let is_policy = roots.iter().any(|root| root.get("path").is_some());
        // A policy may stand beside something else, as a value of its own.
        if json && (is_policy && (nothing || roots.len() > 1) || by_name && nothing) {
            self.policy_file(path, by_name);
        } else if nothing {
            self.read.others.push(path.to_path_buf());
        }
    }

    /// Whether a document that cannot be read is a policy that grants something, or shows that it was to be one.
    fn is_policy(&self, path: &Path) -> bool {
        let is_one = |read: &Result<Policy, LoadError>| match read {
            Ok(policy) => !policy.stanzas.is_empty(),
            Err(error) => matches!(error.cause, LoadCause::Parse(_)),
        };
        match self.plain.get(&files::tidy(path)) {
            Some(read) => is_one(read),
            None => {
                let listed = load::files(&[path.to_path_buf()], self.dialect, self.names);
                listed.files.iter().any(|(_, read)| is_one(read))
            }
        }
    }

    /// Notes a template of a chart: its values lie beside it, or beside its folder.
    fn chart(&mut self, path: &Path) {
        let folder = path.parent().map(files::tidy).unwrap_or_default();
        let chart = folder
            .ancestors()
            .find(|above| above.ends_with("templates"))
            .and_then(Path::parent);
        let chart = chart.map(Path::to_path_buf);
        self.templates.push(chart.unwrap_or(folder));
    }

    /// Reads a document; whether it is one of the kinds known.
    fn root(&mut self, path: &Path, source: &Arc<SourceText>, root: &Node) -> bool {
        let tidy = files::tidy(path);
        let settings = self.by_settings.iter().find(|(glob, _)| {
            let mut tails = tidy.ancestors().filter_map(|above| tidy.strip_prefix(above).ok());
            glob.matches(&tidy) || tails.any(|tail| glob.matches(tail))
        });
        if let Some((_, settings)) = settings {
            let content = manifest::by_settings(source, root, settings);
            let any = !content.found.is_empty() || !content.unread.is_empty();
            content.found.iter().for_each(|found| self.found(found));
            self.read.unread.extend(content.unread);
            return any;
        }
        if let Some(content) = plan::read(source, root) {
            content.found.iter().for_each(|found| self.found(found));
            self.read.unread.extend(content.unread);
            if let Some(before) = content.before {
                let parsed: Vec<Policy> = before.iter().filter_map(|found| self.parsed(found).ok()).collect();
                self.read.before.get_or_insert_default().extend(parsed);
            }
            return true;
        }
        if is_json(path) && root.get("path").is_some() && root.get("kind").is_none() {
            // A policy in JSON.
            return false;
        }
        let mut content = manifest::read(source, root);
        let read = self.beside(path, &content.names);
        for one in content.news.iter_mut().filter(|_| read.as_deref() != Some("")) {
            let both = one.same.take().zip(read.as_deref());
            one.same = both.map(|(own, read)| text::digest(&format!("{own}{read}")));
        }
        let any = !content.found.is_empty()
            || !content.through.is_empty()
            || !content.unread.is_empty()
            || !content.news.is_empty();
        self.through.extend(content.through);
        self.providers.extend(content.providers);
        content.found.iter().for_each(|found| self.found(found));
        self.read.unread.extend(content.unread);
        if !content.sources.is_empty() && !content.news.is_empty() {
            self.taking.push((self.read.news.len(), content.sources));
        }
        self.read.news.extend(content.news);
        for one in content.objects {
            let files = self.beside(path, &one.files);
            let is = files.map(|files| text::digest(&format!("{}{files}", one.is)));
            self.objects.entry(one.name).or_default().insert(is);
        }
        any
    }

    /// What files beside one say, of those that words in it name; none where one is there and cannot be read.
    fn beside(&self, path: &Path, names: &[Arc<str>]) -> Option<String> {
        let files = Files::around(path, self.options.overlay.clone());
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut said = String::new();
        for name in names.iter().filter(|name| !name.is_empty() && !name.starts_with('/')) {
            let named = files::tidy(&folder.join(&**name));
            let is = match files.source(&named) {
                Ok(source) => text::digest(&source.text),
                // Most words name no file. What is no text is as its bytes are.
                Err(_) if std::fs::metadata(&named).is_ok_and(|found| found.is_file()) => {
                    text::digest_of(&crate::files::read(&named, files::MAX_FILE).ok()?)
                }
                Err(_) => continue,
            };
            said.push_str(&format!("\0{name}\0{is}"));
        }
        Some(said)
    }

    /// A file that is a policy itself.
    fn policy_file(&mut self, path: &Path, by_name: bool) {
        if let Some(read) = self.plain.remove(&files::tidy(path)) {
            return self.read.files.push((path.to_path_buf(), read));
        }
        let listed = load::files(&[path.to_path_buf()], self.dialect, self.names);
        for (path, read) in listed.files {
            match read {
                Err(error) if !by_name && matches!(error.cause, LoadCause::NoPolicy { .. }) => {
                    self.read.others.push(path);
                }
                read => self.read.files.push((path, read)),
            }
        }
    }

    fn unread(&mut self, what: &str, why: String, origin: Origin) {
        self.read.unread.push(Problem {
            what: what.to_owned(),
            why,
            origin,
            policy: None,
            same: None,
        });
    }
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"))
}

/// Whether a file is read as a document of JSON or YAML.
fn is_document(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    if name == "kustomization" {
        return true;
    }
    [".json", ".yaml", ".yml", ".tfstate"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Whether a template opens the block of a path, whatever its path and what is granted there are.
fn opens_policy(text: &str) -> bool {
    text.lines().any(|line| {
        let rest = line.trim_start().strip_prefix("path").map(str::trim_start);
        rest.is_some_and(|rest| {
            rest.starts_with(['"', '{', '$', '<']) && (rest.ends_with('{') || rest.contains("\" {"))
        })
    })
}

/// Whether a text that cannot be read may hold a policy.
fn suspicious(text: &str) -> bool {
    terraform::looks_like_policy(text) || text.contains("externalConfig") || text.contains("kind: Policy")
}

/// Puts the places of a policy's text where they are in its files.
fn placed(policy: &mut Policy, written: Written) {
    for stanza in &mut policy.stanzas {
        stanza.origin = written.place(stanza.span.start);
        for key in &mut stanza.keys {
            key.origin = written.place(key.key.start);
        }
    }
    policy.written = Some(Arc::new(written));
}

/// Puts the place of an error where it is in its file.
fn moved(mut error: ParseError, text: &str, written: &Written) -> ParseError {
    let text = SourceText::new("", text);
    error.origin = written.place(text.offset(error.origin.line, error.origin.column));
    error
}
