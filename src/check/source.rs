//! Reads the policies of a repository: HCL, JSON and Terraform, each policy with its place, and all that could not be read.

use super::terraform::{self, Place};
use crate::files;
use crate::origin::Origin;
use crate::policy::load::{self, LoadCause, Names, Why};
use crate::policy::model::Policy;
use crate::policy::syntax::{self, Dialect, ParseError};
use crate::vault::path as vault_path;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
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
    /// Files that were not read as policies and show none.
    pub others: Vec<PathBuf>,
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
}

const REFUSED: &str = "Mend it: the server would refuse it, and nothing in it was checked.";
const TWICE: &str = "Give each policy one file: a policy is named as its path below the folder, or with `--policy-names file` as its file.";
const EVALUATED: &str = "Check what `terraform show -json` says of it, or write its text out.";
const UNREAD: &str = "Write it as a plain file that is named as policies are, or take it out of the folder.";

/// A file or folder that can't be read at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{path}`: {source}")]
pub struct ReadError {
    /// Which.
    pub path: String,
    /// Why.
    pub source: std::io::Error,
}

/// Reads all policies in `paths`, files and folders. What may hold a policy and is not read is among `unchecked`.
///
/// # Errors
/// Where a file or folder can't be read.
pub fn read(paths: &[PathBuf], dialect: &Dialect, names: Names) -> Result<Read, ReadError> {
    let mut terraform_files = Vec::new();
    let mut all = All::default();
    let others: Vec<PathBuf> = paths
        .iter()
        .filter(|path| path.is_dir() || !is_terraform(path))
        .cloned()
        .collect();
    terraform_files.extend(paths.iter().filter(|path| !others.contains(path)).cloned());
    let listed = load::files(&others, dialect, names);
    for (path, read) in listed.files {
        match read {
            Ok(policy) => all.add(policy),
            Err(error) => match error.cause {
                LoadCause::Io { path, source } => return Err(ReadError { path, source }),
                LoadCause::Parse(parse) => {
                    let name = error.name.as_deref().unwrap_or("?").to_owned();
                    let origin = parse.origin.clone();
                    all.broken(name, &parse, origin);
                }
                cause @ (LoadCause::NoPolicy { .. } | LoadCause::Duplicate { .. }) => {
                    all.unchecked(&path, cause.to_string());
                }
            },
        }
    }
    for one in listed.skipped {
        let is_ours = is_terraform(&one.path);
        match one.why {
            Why::Ending if is_ours => terraform_files.push(one.path),
            _ if one.is_suspect(dialect) || (is_ours && names_policies(&one.path)) => {
                all.unchecked(&one.path, format!("it was not read: {}", one.why));
            }
            _ => all.read.others.push(one.path),
        }
    }
    for path in terraform_files {
        all.terraform(&path, dialect)?;
    }
    Ok(Read {
        policies: all.policies.into_values().collect(),
        ..all.read
    })
}

/// The most bytes of a file of Terraform.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// Whether a file of Terraform that is left out speaks of policies; one that can't be read may.
fn names_policies(path: &Path) -> bool {
    files::read(path, MAX_BYTES).map_or(true, |bytes| {
        let says = |word: &[u8]| memchr::memmem::find(&bytes, word).is_some();
        says(b"vault_policy") || says(b"sys/policies") || says(b"sys/policy")
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
        });
    }

    fn unchecked(&mut self, path: &Path, why: String) {
        let file = path.display().to_string();
        self.read.unchecked.push(Problem {
            origin: Origin::new(file.as_str(), 1, 1),
            what: file,
            why,
            remedy: UNREAD,
        });
    }

    fn terraform(&mut self, path: &Path, dialect: &Dialect) -> Result<(), ReadError> {
        let file: Arc<str> = path.display().to_string().into();
        let bytes = files::read_named(path, MAX_BYTES).map_err(|source| ReadError {
            path: file.to_string(),
            source,
        })?;
        let unread = |why: String| Problem {
            what: file.to_string(),
            why,
            origin: Origin::new(Arc::clone(&file), 1, 1),
            remedy: EVALUATED,
        };
        let Ok(text) = String::from_utf8(bytes) else {
            self.read
                .unchecked
                .push(unread("it has bytes that are no UTF-8".to_owned()));
            return Ok(());
        };
        let content = if file.ends_with(".json") {
            match terraform::read_json(&text) {
                Ok(content) => content,
                Err(error) => {
                    self.read.unchecked.push(unread(format!(
                        "it is no JSON (line {}, column {})",
                        error.line(),
                        error.column()
                    )));
                    return Ok(());
                }
            }
        } else {
            terraform::read(&text)
        };
        for one in content.unread {
            self.read.unchecked.push(Problem {
                what: one.what,
                why: one.why,
                origin: Origin::new(Arc::clone(&file), one.line, one.column),
                remedy: EVALUATED,
            });
        }
        for found in content.found {
            match syntax::parse(&found.name, &file, &found.text, dialect) {
                Ok(mut policy) => {
                    policy.namespace = vault_path::namespace(&found.namespace).into();
                    moved(&mut policy, found.place);
                    self.add(policy);
                }
                Err(error) => {
                    let origin = found.place.of(&file, &error.origin);
                    self.broken(syntax::policy_name(&found.name), &error, origin);
                }
            }
        }
        Ok(())
    }
}

/// Puts the places of a policy's text where they are in its file.
fn moved(policy: &mut Policy, place: Place) {
    let file = Arc::clone(&policy.file);
    for stanza in &mut policy.stanzas {
        stanza.origin = place.of(&file, &stanza.origin);
        for key in &mut stanza.keys {
            key.origin = place.of(&file, &key.origin);
        }
    }
}

/// Calls files below `folder` what they are called in messages.
pub fn relabel(policies: &mut [Policy], folder: &Path, name: &str) {
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

fn is_terraform(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase());
    name.is_some_and(|n| n.ends_with(".tf") || n.ends_with(".tf.json"))
}
