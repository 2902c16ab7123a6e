//! Reads policies from files and folders: every one that can be read, and what was wrong with the others.
//!
//! A file is a policy whatever its ending. Of a folder, files that end in `.hcl`, `.json` or `.policy` are policies, those
//! in folders below it too; what begins with a dot is left out. A folder that holds `policies/` (a snapshot) is read as
//! `policies/` and `namespaces/NAMESPACE/policies/` alone. A policy is named as its file without the ending, lower-cased;
//! `%XX` in file and folder names of a snapshot stands for a byte (`%2F` for `/`).

use super::model::Policy;
use super::syntax::{self, Dialect, MAX_BYTES, ParseError};
use crate::vault::path as vault_path;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was read.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The policies, by namespace and name.
    pub policies: Vec<Policy>,
    /// What could not be read.
    pub errors: Vec<LoadError>,
    /// Files and folders that were left out, and why.
    pub skipped: Vec<(PathBuf, &'static str)>,
}

/// A policy could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct LoadError {
    /// The file.
    pub path: PathBuf,
    /// The policy's name, where there is one: its holders' grants are unknown.
    pub name: Option<Arc<str>>,
    /// The policy's namespace.
    pub namespace: Arc<str>,
    /// What went wrong.
    pub cause: LoadCause,
}

/// What went wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum LoadCause {
    /// The file system said no.
    #[error("cannot read `{path}`: {source}")]
    Io {
        /// The file or folder.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The text is no policy.
    #[error(transparent)]
    Parse(Box<ParseError>),
    /// Two files hold the policy of one name; the first counts.
    #[error("policy `{name}` is in `{first}` and again in `{second}`: the first one counts")]
    Duplicate {
        /// The policy's name.
        name: Arc<str>,
        /// The file that counts.
        first: Arc<str>,
        /// The file that does not.
        second: Arc<str>,
    },
}

/// Reads all policies in `paths`, each a file or a folder: each name once, sorted by namespace and name.
#[must_use]
pub fn policies(paths: &[PathBuf], dialect: &Dialect) -> Loaded {
    let mut found: BTreeMap<(Arc<str>, Arc<str>), Policy> = BTreeMap::new();
    let (files, mut loaded) = listed(paths);
    for (path, namespace) in files {
        match read(&path, &namespace, dialect) {
            Err(error) => loaded.errors.push(error),
            Ok(policy) => match found.entry((Arc::clone(&namespace), Arc::clone(&policy.name))) {
                Entry::Vacant(place) => {
                    place.insert(policy);
                }
                Entry::Occupied(first) => loaded.errors.push(LoadError {
                    path,
                    name: Some(Arc::clone(&policy.name)),
                    namespace,
                    cause: LoadCause::Duplicate {
                        name: policy.name,
                        first: Arc::clone(&first.get().file),
                        second: policy.file,
                    },
                }),
            },
        }
    }
    loaded.policies = found.into_values().collect();
    loaded
}

/// Reads every policy file in `paths`, in the order of `paths`, a name that comes again as well. Each with its path.
#[must_use]
pub fn files(paths: &[PathBuf], dialect: &Dialect) -> Vec<(PathBuf, Result<Policy, LoadError>)> {
    let (files, folders) = listed(paths);
    let unread = folders.errors.into_iter().map(|error| (error.path.clone(), Err(error)));
    let read = files.into_iter().map(|(path, namespace)| {
        let policy = read(&path, &namespace, dialect);
        (path, policy)
    });
    read.chain(unread).collect()
}

/// The policy files in `paths` with their namespaces; what was left out, and folders that can't be read.
fn listed(paths: &[PathBuf]) -> (Vec<(PathBuf, Arc<str>)>, Loaded) {
    let mut loaded = Loaded::default();
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files, &mut loaded);
    }
    (files, loaded)
}

/// How many folders deep is looked.
const MAX_DEPTH: usize = 16;

/// The policy files of `path`, each with its namespace.
fn collect(path: &Path, files: &mut Vec<(PathBuf, Arc<str>)>, loaded: &mut Loaded) {
    let root: Arc<str> = "".into();
    if !path.is_dir() {
        files.push((path.to_path_buf(), root));
        return;
    }
    if !path.join("policies").is_dir() {
        walk(path, &root, 0, files, loaded);
        return;
    }
    walk(&path.join("policies"), &root, 0, files, loaded);
    let namespaces = path.join("namespaces");
    if namespaces.is_dir() {
        for folder in entries(&namespaces, loaded) {
            let inside = folder.join("policies");
            if inside.is_dir() {
                let name = folder
                    .file_name()
                    .map(|name| decoded(&name.to_string_lossy()))
                    .unwrap_or_default();
                walk(&inside, &vault_path::namespace(&name).into(), 0, files, loaded);
            }
        }
    }
}

fn walk(folder: &Path, namespace: &Arc<str>, depth: usize, files: &mut Vec<(PathBuf, Arc<str>)>, loaded: &mut Loaded) {
    for path in entries(folder, loaded) {
        if hidden(&path) {
            continue;
        }
        if path.is_dir() {
            if depth >= MAX_DEPTH {
                loaded.skipped.push((path, "too many folders deep"));
            } else if path.is_symlink() {
                loaded.skipped.push((path, "a link to a folder"));
            } else {
                walk(&path, namespace, depth + 1, files, loaded);
            }
        } else if ending(&path).is_some() {
            files.push((path, Arc::clone(namespace)));
        } else {
            loaded
                .skipped
                .push((path, "no policy by its name (.hcl, .json, .policy)"));
        }
    }
}

/// The entries of a folder, sorted.
fn entries(folder: &Path, loaded: &mut Loaded) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder).and_then(|entries| {
        entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<_>>>()
    });
    match listed {
        Ok(mut paths) => {
            paths.sort();
            paths
        }
        Err(source) => {
            loaded.errors.push(LoadError {
                path: folder.to_path_buf(),
                name: None,
                namespace: "".into(),
                cause: LoadCause::Io {
                    path: folder.display().to_string(),
                    source,
                },
            });
            Vec::new()
        }
    }
}

fn hidden(path: &Path) -> bool {
    path.file_name()
        .is_none_or(|name| name.to_string_lossy().starts_with('.'))
}

/// The ending of a policy's file name, its dot included.
fn ending(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    [".hcl", ".json", ".policy"]
        .into_iter()
        .find(|ending| name.ends_with(ending))
}

/// A policy's name from its file's.
fn name_of(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let cut = ending(path).map_or_else(|| Path::new(&name).extension().map_or(0, |e| e.len() + 1), str::len);
    let stem = name.get(..name.len().saturating_sub(cut)).unwrap_or(&name);
    syntax::policy_name(&decoded(stem))
}

/// `%XX` to bytes. What is no such code stays.
fn decoded(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let code = after
            .get(..2)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or("");
            }
            None => {
                bytes.push(b'%');
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap_or_else(|_| name.to_owned())
}

fn read(path: &Path, namespace: &Arc<str>, dialect: &Dialect) -> Result<Policy, LoadError> {
    let name = name_of(path);
    let file = path.display().to_string();
    let error = |cause| LoadError {
        path: path.to_path_buf(),
        name: Some(name.as_str().into()),
        namespace: Arc::clone(namespace),
        cause,
    };
    let bytes = bytes_of(path).map_err(|source| {
        error(LoadCause::Io {
            path: file.clone(),
            source,
        })
    })?;
    let mut policy =
        syntax::parse_bytes(&name, &file, &bytes, dialect).map_err(|cause| error(LoadCause::Parse(Box::new(cause))))?;
    policy.namespace = Arc::clone(namespace);
    Ok(policy)
}

/// The bytes of a file, one more than is accepted at most.
fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: &str = "path \"a\" { capabilities = [\"read\"] }\n";

    fn write(folder: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    fn names(loaded: &Loaded) -> Vec<String> {
        loaded
            .policies
            .iter()
            .map(|p| format!("{}{}", p.namespace, p.name))
            .collect()
    }

    #[test]
    fn a_folder_is_read_in_order_and_the_rest_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write(
            folder.path(),
            &[
                ("b.hcl", READ),
                ("Team/A.policy", READ),
                ("c.json", r#"{"path":{"c":{"capabilities":["read"]}}}"#),
                ("broken.hcl", "path \"a\" {"),
                ("sub/B.HCL", READ),
                ("notes.txt", "x"),
                (".git/d.hcl", READ),
            ],
        );
        let loaded = policies(&[folder.path().to_path_buf()], &Dialect::default());
        assert_eq!(names(&loaded), ["a", "b", "c"]);
        assert_eq!(loaded.skipped.len(), 1);
        let errors: Vec<String> = loaded.errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 2);
        assert!(errors.iter().any(|e| e.contains("broken.hcl:1:11")), "{errors:?}");
        assert!(errors.iter().any(|e| e.contains("policy `b` is in")), "{errors:?}");
    }

    #[test]
    fn a_snapshot_is_read_with_its_namespaces() {
        let folder = tempfile::tempdir().unwrap();
        write(
            folder.path(),
            &[
                ("policies/a.hcl", READ),
                ("policies/x%2Fy.hcl", READ),
                ("namespaces/team%2Fone/policies/a.hcl", READ),
                ("snapshot.json", "{}"),
                ("mounts.json", "[]"),
            ],
        );
        let loaded = policies(&[folder.path().to_path_buf()], &Dialect::default());
        assert_eq!(names(&loaded), ["a", "x/y", "team/one/a"]);
        assert!(loaded.errors.is_empty() && loaded.skipped.is_empty());
    }

    #[test]
    fn what_is_not_there_and_what_is_no_text_are_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x.hcl"), b"path \"a\xff\" {}").unwrap();
        let paths = [folder.path().join("none.hcl"), folder.path().to_path_buf()];
        let loaded = policies(&paths, &Dialect::default());
        let errors: Vec<String> = loaded.errors.iter().map(ToString::to_string).collect();
        assert!(errors.first().unwrap().starts_with("cannot read `"), "{errors:?}");
        assert!(
            errors.last().unwrap().contains("x.hcl:1:8: bytes that are no UTF-8"),
            "{errors:?}"
        );
    }
}
