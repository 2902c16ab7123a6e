//! Reads the policies of a repository: HCL, JSON and Terraform, each policy with its place, and all that could not be read.

use super::terraform::{self, Place};
use crate::origin::Origin;
use crate::policy::load::{self, LoadCause};
use crate::policy::model::Policy;
use crate::policy::syntax::{self, Dialect, ParseError};
use crate::vault::path as vault_path;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was read.
#[derive(Debug, Default)]
pub struct Read {
    /// The policies, by namespace and name.
    pub policies: Vec<Policy>,
    /// Policies that are in error, or twice.
    pub broken: Vec<Problem>,
    /// What was not checked because it needs evaluation.
    pub unchecked: Vec<Problem>,
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
}

/// A file or folder that can't be read at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{path}`: {source}")]
pub struct ReadError {
    /// Which.
    pub path: String,
    /// Why.
    pub source: std::io::Error,
}

/// How many folders deep Terraform files are looked for.
const MAX_DEPTH: usize = 16;

/// Reads all policies in `paths`, files and folders.
///
/// # Errors
/// Where a file or folder can't be read.
pub fn read(paths: &[PathBuf], dialect: &Dialect) -> Result<Read, ReadError> {
    let mut terraform_files = Vec::new();
    let mut others = Vec::new();
    for path in paths {
        if path.is_dir() {
            walk(path, 0, &mut terraform_files)?;
            others.push(path.clone());
        } else if is_terraform(path) {
            terraform_files.push(path.clone());
        } else {
            others.push(path.clone());
        }
    }
    let mut all = All::default();
    for (path, read) in load::files(&others, dialect) {
        if is_terraform(&path) {
            continue;
        }
        match read {
            Ok(policy) => all.add(policy),
            Err(error) => match error.cause {
                LoadCause::Io { path, source } => return Err(ReadError { path, source }),
                LoadCause::Parse(parse) => {
                    let name = error.name.as_deref().unwrap_or("?").to_owned();
                    let origin = parse.origin.clone();
                    all.broken(name, &parse, origin);
                }
                LoadCause::Duplicate { .. } => {}
            },
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
                    why: format!("is in `{}` too, which counts", first.get().file),
                    origin,
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
        });
    }

    fn terraform(&mut self, path: &Path, dialect: &Dialect) -> Result<(), ReadError> {
        let file: Arc<str> = path.display().to_string().into();
        let bytes = fs::read(path).map_err(|source| ReadError {
            path: file.to_string(),
            source,
        })?;
        let unread = |why: String| Problem {
            what: file.to_string(),
            why,
            origin: Origin::new(Arc::clone(&file), 1, 1),
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
    let folder = folder.display().to_string();
    for policy in policies {
        let Some(rest) = policy.file.strip_prefix(folder.as_str()) else {
            continue;
        };
        // Below the folder comes the number of the path that was asked for.
        let rest = rest.trim_start_matches('/').split_once('/').map_or(rest, |(_, r)| r);
        let file: Arc<str> = format!("{name}:{rest}").into();
        for stanza in &mut policy.stanzas {
            stanza.origin.file = Arc::clone(&file);
        }
        policy.file = file;
    }
}

fn is_terraform(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase());
    name.is_some_and(|n| n.ends_with(".tf") || n.ends_with(".tf.json"))
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), ReadError> {
    let failed = |source| ReadError {
        path: folder.display().to_string(),
        source,
    };
    let mut entries = fs::read_dir(folder)
        .and_then(|all| all.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>())
        .map_err(failed)?;
    entries.sort();
    for path in entries {
        let hidden = path
            .file_name()
            .is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            if depth < MAX_DEPTH && !path.is_symlink() {
                walk(&path, depth + 1, found)?;
            }
        } else if is_terraform(&path) {
            found.push(path);
        }
    }
    Ok(())
}
