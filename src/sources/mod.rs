//! Policies where people keep them: HCL and JSON files, Terraform and OpenTofu, plans and states, resources of Kubernetes,
//! and what settings name. One reader for all commands; each policy knows where its text is written.

pub mod back;
mod calls;
mod documents;
mod files;
pub mod globs;
mod hidden;
mod manifest;
mod node;
mod opaque;
mod owners;
mod plan;
mod templates;
mod terraform;
mod text;
mod used;
mod yaml;

use crate::origin::{Origin, SourceText, Written};
use crate::policy::load::{self, LoadCause, LoadError, Names, Skipped, Why};
use crate::policy::model::Policy;
use crate::policy::syntax::{self, Dialect, ParseError};
use crate::vault::{name, path as vault_path};
use documents::is_document;
use files::Files;
use globs::{Globs, Ignored};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use text::Text;
use used::Used;

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
    /// What writes policies when somebody runs it, and what is sealed: told where the base lacks it.
    pub opaque: Vec<Problem>,
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

pub use files::{Tracked, is_terraform};
pub use globs::PatternError;
pub use owners::Owners;
pub use terraform::{Way, said as way_said};
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
        let mut reader = Reader::new(dialect, names, options, &exclude, &by_settings);
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
    /// The plans and states: they write nothing.
    plans: BTreeSet<PathBuf>,
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

impl<'r> Reader<'r> {
    /// One that has read nothing yet.
    fn new(
        dialect: &'r Dialect,
        names: Names,
        options: &'r Options,
        exclude: &'r Globs,
        by_settings: &'r [(Globs, &'r SourceSettings)],
    ) -> Self {
        Self {
            dialect,
            names,
            options,
            exclude,
            by_settings,
            plain: BTreeMap::new(),
            plans: BTreeSet::new(),
            templates: Vec::new(),
            through: Vec::new(),
            providers: Vec::new(),
            taking: Vec::new(),
            objects: BTreeMap::new(),
            read: Read::default(),
        }
    }

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
        if self.options.every_way {
            let given = paths.iter().filter(|path| named.contains(&files::tidy(path)));
            let all: Vec<&PathBuf> = listing.files.iter().chain(&listing.hidden).chain(given).collect();
            self.opaque(&all, &folders, &used);
        }
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
                .filter(|path| is_terraform(path))
                .map(|path| parent(path))
                .collect()
        };
        let below = folders_of(kept);
        let alone: BTreeSet<PathBuf> = named.iter().filter(|path| is_terraform(path)).cloned().collect();
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
        let alone = |path: &Path| is_document(path) || is_terraform(path);
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
