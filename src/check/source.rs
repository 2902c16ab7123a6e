//! Reads the policies of a repository: HCL, JSON and Terraform, each policy with its place, and all that could not be read.

use super::git::Submodule;
use crate::files;
use crate::hint::Hint;
use crate::origin::Origin;
use crate::policy::load::{Doubt, LoadCause, Names};
use crate::policy::model::Policy;
use crate::policy::syntax::{Dialect, MAX_BYTES, ParseError};
use crate::sources::{self, InWay, Options, PatternError, Way};
use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was read.
#[derive(Debug, Default)]
pub struct Read {
    /// The policies, by namespace and name.
    pub policies: Vec<Policy>,
    /// Policies that are in error, or twice.
    pub broken: Vec<Problem>,
    /// What was not checked: it needs evaluation, or it was not read and may hold a policy.
    pub unchecked: Vec<Problem>,
    /// What may make other policies of those that are there: told where the base lacks the very same.
    pub news: Vec<Problem>,
    /// What writes policies when somebody runs it, and what is sealed.
    pub opaque: Vec<Problem>,
    /// Files that were not read as policies and show none.
    pub others: Vec<PathBuf>,
    /// Files that `exclude` or `.gitignore` leave out.
    pub excluded: Vec<PathBuf>,
    /// The policies before a plan, where one was read.
    pub before: Option<Vec<Policy>>,
    /// The policies of Terraform whose variables files may set.
    pub ways: Ways,
}

/// Policies that depend on variables which files may give other values, such as a `prod.tfvars` that Terraform does not read
/// by itself: each way that they may be.
#[derive(Debug, Default)]
pub struct Ways {
    /// Each policy in each of its ways.
    pub all: Vec<InWay>,
    /// The variables, with the files that give them values.
    pub given: BTreeSet<(Arc<str>, Arc<str>)>,
}

impl Ways {
    /// The ways that files set something.
    pub fn set(&self) -> impl Iterator<Item = &Way> {
        self.all.iter().map(|one| &one.way).filter(|way| !way.is_empty())
    }

    /// The policies in one way. What no file gives here is as it is without.
    #[must_use]
    pub fn taken(&self, policies: &[Policy], way: &Way) -> Vec<Policy> {
        let is_so = |one: &&InWay| {
            one.asked.iter().all(|name| {
                let file = way.get(name).filter(|file| {
                    let given = |name: &Arc<str>| self.given.contains(&(Arc::clone(name), Arc::clone(file)));
                    given(name) || given(&"*".into())
                });
                file == one.way.get(name)
            })
        };
        let other: BTreeSet<_> = self.all.iter().map(|one| one.policy.id()).collect();
        let kept = policies.iter().filter(|policy| !other.contains(&policy.id())).cloned();
        let mut taken = BTreeMap::new();
        for one in self.all.iter().filter(is_so) {
            taken.entry(one.policy.id()).or_insert_with(|| one.policy.clone());
        }
        kept.chain(taken.into_values()).collect()
    }

    /// Gives policies the names that others of theirs have got.
    pub fn renamed(&mut self, names: &BTreeMap<(Arc<str>, Arc<str>), Arc<str>>) {
        for one in &mut self.all {
            let id = (Arc::clone(&one.policy.namespace), Arc::clone(&one.policy.name));
            if let Some(name) = names.get(&id) {
                one.policy.name = Arc::clone(name);
            }
        }
    }
}

/// Something that is not among the policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The policy's name, or the resource, or the file.
    pub what: String,
    /// What is the matter, as a sentence without its end.
    pub why: String,
    /// Where.
    pub origin: Origin,
    /// What to do about it.
    pub remedy: &'static str,
    /// What it is, where the very same that was there before is no news.
    pub same: Option<Arc<str>>,
}

impl Problem {
    /// What the reader of policies did not understand, with what to do about it.
    fn of(remedy: &'static str, one: sources::Problem) -> Self {
        Self {
            what: one.what,
            why: one.why,
            origin: one.origin,
            remedy,
            same: one.same,
        }
    }
}

const REFUSED: &str = "Fix it: the server would refuse it, and nothing in it was checked.";
const TWICE: &str = "Give each policy one file: a policy is named as its path below the folder, or with `--policy-names file` as its file.";
const EVALUATED: &str = "Check what `terraform show -json` says of it (`--policies plan.json`), give the variable a value, or write its text out.";
const OUTSIDE: &str = "Look at what it writes, and let somebody answer for it with a waiver; `terraform show -json` says what its modules make (`--policies plan.json`).";
const RENDERED: &str =
    "Check what comes out of it (`kustomize build`, `helm template`), and let somebody answer for it with a waiver.";
const UNSEEN: &str = "Look at what it writes or holds, and let somebody answer for it with a waiver.";
const SUBMODULE: &str = "Check the policies in that repository too, or take it out of the folder.";
const UNREAD: &str = "Write it as a plain file that is named as policies are, or take it out of the folder.";

/// Why policies can't be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file or folder can't be read.
    #[error("cannot read `{path}`: {source}")]
    Io {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The settings name files in a way that is not understood.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

impl Hint for ReadError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("name a policy file or folder"))
    }
}

/// Reads all policies in `paths`, files and folders. What may hold a policy and is not read is among `unchecked`.
///
/// # Errors
/// Where a file or folder can't be read.
pub fn read(paths: &[PathBuf], dialect: &Dialect, names: Names, options: &Options) -> Result<Read, ReadError> {
    let found = sources::read(paths, dialect, names, options)?;
    let mut all = All::default();
    for (path, read) in found.files {
        match read {
            Ok(policy) => all.add(policy),
            Err(error) => match error.cause {
                LoadCause::Io { path, source } => return Err(ReadError::Io { path, source }),
                LoadCause::Parse(parse) => {
                    let name = error.name.as_deref().unwrap_or("?").to_owned();
                    let origin = parse.origin.clone();
                    all.broken(name, &parse, origin);
                }
                cause @ (LoadCause::NoPolicy { .. } | LoadCause::Duplicate { .. }) => {
                    all.unchecked(&path, cause.to_string(), None);
                }
            },
        }
    }
    for one in found.skipped {
        match one.doubt(dialect) {
            Some(doubt) => {
                let same = (doubt == Doubt::Holder).then(|| said(&one.path)).flatten();
                all.unchecked(&one.path, format!("it was not read: {}", one.why), same);
            }
            None => all.read.others.push(one.path),
        }
    }
    let outside = |one: &sources::Problem| if one.same.is_some() { OUTSIDE } else { EVALUATED };
    let unread = found.unread.into_iter();
    all.read
        .unchecked
        .extend(unread.map(|one| Problem::of(outside(&one), one)));
    let news = found.news.into_iter();
    all.read.news.extend(news.map(|one| Problem::of(RENDERED, one)));
    let opaque = found.opaque.into_iter();
    all.read.opaque.extend(opaque.map(|one| Problem::of(UNSEEN, one)));
    all.read.others.extend(found.others);
    Ok(Read {
        policies: all.policies.into_values().collect(),
        excluded: found.excluded,
        before: found.before,
        ways: Ways {
            all: found.ways,
            given: found.given,
        },
        ..all.read
    })
}

#[derive(Default)]
struct All {
    policies: BTreeMap<(Arc<str>, Arc<str>), Policy>,
    read: Read,
}

impl All {
    fn add(&mut self, policy: Policy) {
        match self.policies.entry((policy.namespace.clone(), policy.name.clone())) {
            Entry::Vacant(place) => {
                place.insert(policy);
            }
            // Two resources that write one text to one name do no harm.
            Entry::Occupied(first)
                if policy.written.is_some() && first.get().written.is_some() && first.get().source == policy.source => {
            }
            Entry::Occupied(first) => {
                let origin = policy
                    .stanzas
                    .first()
                    .map_or_else(|| Origin::new(policy.file.clone(), 1, 1), |s| s.origin.clone());
                self.read.broken.push(Problem {
                    what: policy.name.to_string(),
                    why: format!(
                        "two files are the policy of this name, the other is `{}`",
                        first.get().file
                    ),
                    origin,
                    remedy: TWICE,
                    same: None,
                });
            }
        }
    }

    fn broken(&mut self, name: String, error: &ParseError, origin: Origin) {
        let mut why = error.message.to_string();
        if let Some(expected) = &error.expected {
            why.push_str(&format!("; expected {expected}"));
        }
        self.read.broken.push(Problem {
            what: name,
            why,
            origin,
            remedy: REFUSED,
            same: None,
        });
    }

    fn unchecked(&mut self, path: &Path, why: String, same: Option<Arc<str>>) {
        let file = path.display().to_string();
        self.read.unchecked.push(Problem {
            origin: Origin::new(file.as_str(), 1, 1),
            what: file,
            why,
            remedy: UNREAD,
            same,
        });
    }
}

/// A submodule among the policies: whoever checks it out with its submodules has other files there.
pub fn submodule(one: &Submodule) -> Problem {
    Problem {
        what: one.path.clone(),
        why: format!("it is a submodule at commit `{}`, of which nothing is read", one.commit),
        origin: Origin::new(one.path.as_str(), 1, 1),
        remedy: SUBMODULE,
        same: Some(Arc::from(format!("{} {}", one.path, one.commit))),
    }
}

/// What a program is: what it says. One that is there just so in the base is told, and no more.
fn said(path: &Path) -> Option<Arc<str>> {
    let bytes = files::read(path, MAX_BYTES).ok()?;
    Some(sources::is_so(path, &bytes))
}

/// Calls files below `folder` what they are called in messages.
pub fn relabel<'p>(policies: impl Iterator<Item = &'p mut Policy>, folder: &Path, name: &str) {
    for policy in policies {
        let Some(file) = label(Path::new(&*policy.file), folder, name) else {
            continue;
        };
        let file: Arc<str> = file.into();
        for stanza in &mut policy.stanzas {
            stanza.origin.file = Arc::clone(&file);
        }
        policy.file = file;
    }
}

/// What a file below `folder` is called: below that comes the number of the path that was asked for.
pub fn label(file: &Path, folder: &Path, name: &str) -> Option<String> {
    let mut below = file.strip_prefix(folder).ok()?.components();
    below.next()?;
    Some(format!("{name}:{}", below.as_path().display()))
}
