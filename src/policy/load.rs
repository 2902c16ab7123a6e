//! Reads policies from files and folders: every one that can be read, what was wrong with the others, and what was left out.
//!
//! A file is a policy whatever its ending. Of a folder, files that end in `.hcl`, `.json` or `.policy` are policies, those
//! in folders below it too, unless they show no policy at all; what begins with a dot, links and devices are left out. A
//! snapshot is a folder with the mark that `snapshot` writes (`snapshot.json`): it is read as `policies/` and
//! `namespaces/NAMESPACE/policies/` alone. A folder without the mark that holds its policies in these places, all of them,
//! is laid out by namespace too; one file elsewhere, and it is a folder like any other. Nothing is left out in silence: see
//! [`Skipped`].
//!
//! A policy is named as its path below the folder given, without the ending, lower-cased (`salt/minions.hcl` is
//! `salt/minions`), or as its file alone (see [`Names`]); `%XX` stands for a byte (`salt%2Fminions.hcl` is the same).

mod meant;
mod shows;

pub use meant::meant;
pub use shows::{REQUEST, holds_policy, looks_like_policy};

use super::model::Policy;
use super::syntax::{self, Dialect, MAX_BYTES, ParseError};
use crate::files::{self, Found, Left};
use crate::vault::{name, path as vault_path};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a policy in a folder is named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// Its path below the folder: `team/web.hcl` is `team/web`.
    #[default]
    Path,
    /// Its file alone: `team/web.hcl` is `web`.
    File,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The policies, by namespace and name.
    pub policies: Vec<Policy>,
    /// What could not be read.
    pub errors: Vec<LoadError>,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
}

impl Loaded {
    /// The names of policies that are there and could not be read.
    #[must_use]
    pub fn unread(&self) -> Vec<Arc<str>> {
        self.errors.iter().filter_map(|error| error.name.clone()).collect()
    }
}

/// What the files hold, one by one.
#[derive(Debug, Default)]
pub struct Listed {
    /// Each policy file with its policy, in the order of the paths given.
    pub files: Vec<(PathBuf, Result<Policy, LoadError>)>,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
}

/// Something in a folder that was not read as a policy.
#[derive(Debug)]
pub struct Skipped {
    /// The file or folder.
    pub path: PathBuf,
    /// Why.
    pub why: Why,
}

/// Why something in a folder was not read as a policy.
#[derive(Debug)]
pub enum Why {
    /// It is not opened at all: a link, a device, too deep.
    Left(Left),
    /// Its name, or that of its folder, begins with a dot.
    Hidden,
    /// Its name does not end as a policy's does.
    Ending,
    /// It lies in a snapshot, where no snapshot puts policies.
    Outside,
    /// It ends as a policy does and shows none: other JSON or HCL.
    NoPolicy,
}

impl Skipped {
    /// Whether it may be a policy all the same, or hold one: it can't be known, or it shows one.
    #[must_use]
    pub fn is_suspect(&self, dialect: &Dialect) -> bool {
        self.doubt(dialect).is_some()
    }

    /// What it may be all the same.
    #[must_use]
    pub fn doubt(&self, dialect: &Dialect) -> Option<Doubt> {
        match &self.why {
            Why::Left(_) => Some(Doubt::Policy),
            Why::Hidden | Why::Ending | Why::Outside => doubt(&self.path, dialect),
            Why::NoPolicy => None,
        }
    }
}

/// What a file that was left out may be all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// A policy.
    Policy,
    /// Something that holds a policy, such as a program that writes it when somebody runs it.
    Holder,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left(left) => left.fmt(f),
            Self::Hidden => f.write_str("its name begins with a dot"),
            Self::Ending => f.write_str("no policy by its name (.hcl, .json, .policy)"),
            Self::Outside => f.write_str("no part of the snapshot that it lies in"),
            Self::NoPolicy => f.write_str("it shows no policy: it has no `path` at its top"),
        }
    }
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
    /// The text shows no policy: nothing of it is quoted, it may be anybody's.
    #[error("`{path}` shows no policy: {}", looks.unwrap_or("it has no `path` at its top"))]
    NoPolicy {
        /// The file.
        path: String,
        /// What it looks like instead, and what to do; nothing of the file is in it.
        looks: Option<&'static str>,
    },
    /// Two files are the policy of one name.
    #[error("policy `{name}` is in `{first}` and again in `{second}`: {}", said(*.same))]
    Duplicate {
        /// The policy's name.
        name: Arc<str>,
        /// The file that comes first.
        first: Arc<str>,
        /// The other.
        second: Arc<str>,
        /// Whether both say the same.
        same: bool,
    },
}

fn said(same: bool) -> &'static str {
    if same {
        "they say the same, and one of them is enough"
    } else {
        "they differ, and which one is in force is not known, so neither counts"
    }
}

/// Reads all policies in `paths`, each a file or a folder: each name once, sorted by namespace and name. Where two files of
/// one name differ, neither counts.
#[must_use]
pub fn policies(paths: &[PathBuf], dialect: &Dialect, names: Names) -> Loaded {
    let listed = files(paths, dialect, names);
    Loaded {
        skipped: listed.skipped,
        ..unique(listed.files)
    }
}

/// Each name once, sorted by namespace and name. Where two of one name differ, neither counts.
#[must_use]
pub fn unique(files: Vec<(PathBuf, Result<Policy, LoadError>)>) -> Loaded {
    let mut found: BTreeMap<(Arc<str>, Arc<str>), (Policy, bool)> = BTreeMap::new();
    let mut errors = Vec::new();
    for (path, read) in files {
        match read {
            Err(error) => errors.push(error),
            Ok(policy) => match found.entry((Arc::clone(&policy.namespace), Arc::clone(&policy.name))) {
                Entry::Vacant(place) => {
                    place.insert((policy, true));
                }
                Entry::Occupied(mut first) => {
                    let (first, counts) = first.get_mut();
                    let same = first.source == policy.source;
                    *counts &= same;
                    errors.push(LoadError {
                        path,
                        name: Some(Arc::clone(&policy.name)),
                        namespace: policy.namespace,
                        cause: LoadCause::Duplicate {
                            name: policy.name,
                            first: Arc::clone(&first.file),
                            second: policy.file,
                            same,
                        },
                    });
                }
            },
        }
    }
    let counts = found.into_values().filter(|(_, counts)| *counts);
    Loaded {
        policies: counts.map(|(policy, _)| policy).collect(),
        errors,
        skipped: Vec::new(),
    }
}

/// Policies that stand in the folder of a namespace within another, where they are not read as those of that namespace.
#[must_use]
pub fn nested(policies: &[Policy]) -> Option<String> {
    let folder = |policy: &&Policy| {
        let (namespace, _) = policy.name.strip_prefix("namespaces/")?.rsplit_once("/policies/")?;
        (policy.namespace.is_empty() && namespace.contains('/')).then(|| namespace.to_owned())
    };
    let namespace = policies.iter().find_map(|policy| folder(&policy))?;
    Some(format!(
        "a namespace within another has one folder of its own: `namespaces/{}/policies/`; what is below `namespaces/{namespace}/` is taken for \
         policies of the root namespace that are called by their paths",
        namespace.replace('/', "%2F")
    ))
}

/// Reads every policy file in `paths`, in the order of `paths`, a name that comes again as well.
#[must_use]
pub fn files(paths: &[PathBuf], dialect: &Dialect, names: Names) -> Listed {
    let mut listed = Listed::default();
    for path in paths {
        for source in sources(path, names, &mut listed) {
            match read(&source, dialect) {
                Err(LoadError {
                    path,
                    cause: LoadCause::NoPolicy { .. },
                    ..
                }) if !source.named => listed.skipped.push(Skipped {
                    path,
                    why: Why::NoPolicy,
                }),
                read => listed.files.push((source.path, read)),
            }
        }
    }
    listed
}

/// What a file that was left out may be all the same: it is read as a policy, or it shows one and can't be read.
#[must_use]
pub fn doubt(path: &Path, dialect: &Dialect) -> Option<Doubt> {
    let bytes = match files::read(path, MAX_BYTES) {
        Ok(bytes) => bytes,
        // What a server would never take is none.
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return is_code(path).then_some(Doubt::Holder),
        Err(_) => return Some(Doubt::Policy),
    };
    match syntax::parse_bytes("", "", &bytes, dialect) {
        Ok(policy) if policy.stanzas.is_empty() => None,
        Ok(_) if is_code(path) => Some(Doubt::Holder),
        Ok(_) => Some(Doubt::Policy),
        Err(_) if ending(path).is_some() => {
            (shows::policy(&bytes) || syntax::is_other_than_text(&bytes)).then_some(Doubt::Policy)
        }
        // Whatever it is called, nothing but a policy is a policy in base64.
        Err(_) if syntax::packed(&bytes).is_some() && shows::policy(&bytes) => Some(Doubt::Policy),
        Err(_) => {
            let text = String::from_utf8_lossy(&bytes);
            let holds = match () {
                () if is_code(path) || text.starts_with("#!") => looks_like_policy(&text),
                () => !is_prose(path) && !is_read_elsewhere(path) && holds_policy(&text),
            };
            holds.then_some(Doubt::Holder)
        }
    }
}

/// The ending of a file's name, in small letters, without the dot.
fn ends(path: &Path) -> Option<String> {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase())
}

/// Whether a file is a program, or data of one, that may write policies when somebody runs it: by the ending of its name.
fn is_code(path: &Path) -> bool {
    const ENDINGS: [&str; 45] = [
        "bash",
        "bzl",
        "c",
        "cc",
        "cjs",
        "cpp",
        "cs",
        "cts",
        "cue",
        "dhall",
        "ex",
        "exs",
        "fs",
        "go",
        "groovy",
        "ini",
        "java",
        "js",
        "jsonnet",
        "jsx",
        "ksh",
        "kt",
        "kts",
        "libsonnet",
        "lua",
        "mjs",
        "mts",
        "nix",
        "php",
        "pkl",
        "pl",
        "ps1",
        "psm1",
        "py",
        "rb",
        "rs",
        "scala",
        "sh",
        "star",
        "swift",
        "toml",
        "ts",
        "tsx",
        "vb",
        "zsh",
    ];
    ends(path).is_some_and(|ending| ENDINGS.contains(&&*ending))
}

/// Whether a file is for people to read: it shows policies, and nobody runs it. Of any other file that is not known.
#[must_use]
pub fn is_prose(path: &Path) -> bool {
    const ENDINGS: [&str; 18] = [
        "adoc", "asciidoc", "diff", "htm", "html", "log", "markdown", "md", "mdown", "mdx", "org", "patch", "rst",
        "sarif", "tex", "text", "textile", "txt",
    ];
    const NAMES: [&str; 7] = [
        "authors",
        "changelog",
        "codeowners",
        "contributing",
        "license",
        "notice",
        "readme",
    ];
    match ends(path) {
        Some(ending) => ENDINGS.contains(&&*ending),
        None => path
            .file_name()
            .is_some_and(|name| NAMES.contains(&&*name.to_string_lossy().to_lowercase())),
    }
}

/// Whether a file is one of those that other readers read, and say more of.
fn is_read_elsewhere(path: &Path) -> bool {
    ends(path).is_some_and(|ending| matches!(&*ending, "json" | "tf" | "tfstate" | "tofu" | "yaml" | "yml"))
}

/// A file that is to be read.
struct Source {
    path: PathBuf,
    name: String,
    namespace: Arc<str>,
    /// Whether the user named it, so that a link is followed.
    named: bool,
}

/// What `snapshot.json` has to say to be a snapshot's mark.
#[derive(Deserialize)]
struct Mark {
    #[serde(rename = "layout")]
    _layout: u32,
    /// Names that are too long for a file, by what is in their place.
    #[serde(default)]
    long_names: BTreeMap<String, String>,
}

/// The file that marks a snapshot.
const MARK: &str = "snapshot.json";
/// The most that a mark may have.
const MAX_MARK_BYTES: usize = 16 * 1024 * 1024;

/// The mark of a snapshot: by that alone a folder is one, whatever its folders are called.
fn mark(folder: &Path) -> Option<Mark> {
    let bytes = files::read(&folder.join(MARK), MAX_MARK_BYTES).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The policy files of `path`.
fn sources(path: &Path, names: Names, listed: &mut Listed) -> Vec<Source> {
    if !path.is_dir() {
        return vec![Source {
            path: path.to_path_buf(),
            name: name_of(Path::new(path.file_name().unwrap_or_default()), Names::File),
            namespace: "".into(),
            named: true,
        }];
    }
    let listing = files::below(path);
    for (path, left) in listing.left {
        match left {
            Left::Unreadable(source) => {
                let cause = LoadCause::Io {
                    path: path.display().to_string(),
                    source,
                };
                let error = LoadError {
                    path: path.clone(),
                    name: None,
                    namespace: "".into(),
                    cause,
                };
                listed.files.push((path, Err(error)));
            }
            left => listed.skipped.push(Skipped {
                path,
                why: Why::Left(left),
            }),
        }
    }
    let layout = match mark(path) {
        Some(mark) => Layout::Snapshot(mark),
        None if is_by_namespace(&listing.found) => Layout::ByNamespace,
        None => Layout::Folder,
    };
    let mut sources = Vec::new();
    for found in listing.found {
        match placed(&found, &layout, names) {
            Ok((namespace, name)) => sources.push(Source {
                path: found.path,
                name,
                namespace: namespace.into(),
                named: false,
            }),
            Err(Some(why)) => listed.skipped.push(Skipped { path: found.path, why }),
            // What a snapshot has beside its policies.
            Err(None) => {}
        }
    }
    sources
}

/// How a folder says where policies live.
enum Layout {
    /// By its mark.
    Snapshot(Mark),
    /// By where all of them stand.
    ByNamespace,
    /// All are of the root namespace.
    Folder,
}

/// The namespace that a file's place says, and the rest of its path.
fn in_namespace(below: &Path) -> Option<(String, &Path)> {
    if let Ok(rest) = below.strip_prefix("policies") {
        return Some((String::new(), rest));
    }
    let mut parts = below.strip_prefix("namespaces").ok()?.components();
    let namespace = decoded(&parts.next()?.as_os_str().to_string_lossy());
    let rest = parts.as_path().strip_prefix("policies").ok()?;
    Some((vault_path::namespace(&namespace), rest))
}

/// Whether all files that may be policies stand where a snapshot has its own.
fn is_by_namespace(found: &[Found]) -> bool {
    let mut policies = found.iter().filter(|file| !file.hidden && ending(&file.path).is_some());
    let mut some = false;
    let all = policies.all(|file| {
        let inside = in_namespace(&file.below).is_some();
        some |= inside;
        inside || !shows_policy(&file.path)
    });
    all && some
}

/// Namespace and name of the policy that a file holds by its place, or why it holds none.
fn placed(found: &Found, layout: &Layout, names: Names) -> Result<(String, String), Option<Why>> {
    if found.hidden {
        return Err(Some(Why::Hidden));
    }
    let mark = match layout {
        Layout::Snapshot(mark) => mark,
        Layout::ByNamespace | Layout::Folder if ending(&found.path).is_none() => return Err(Some(Why::Ending)),
        Layout::Folder => return Ok((String::new(), name_of(&found.below, names))),
        Layout::ByNamespace => {
            return match in_namespace(&found.below) {
                Some((namespace, rest)) => Ok((namespace, name_of(rest, names))),
                // What stands beside them shows no policy.
                None => Err(None),
            };
        }
    };
    let parts: Vec<String> = found
        .below
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (namespace, file) = match parts.as_slice() {
        ["policies", file] => ("", *file),
        ["namespaces", namespace, "policies", file] => (*namespace, *file),
        [file] if file.ends_with(".json") && !shows_policy(&found.path) => return Err(None),
        _ => return Err(Some(Why::Outside)),
    };
    let Some(ending) = ending(&found.path) else {
        return Err(Some(Why::Ending));
    };
    // Only what is cut has another name than its file: nobody else may say what a file is called.
    let long = |stem: &str| {
        let name = mark.long_names.get(stem)?;
        let (_, hash) = stem.rsplit_once('~')?;
        let digest = Sha256::digest(name.as_bytes());
        let digest: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        (*hash == digest).then(|| name.clone())
    };
    let name = long(file.get(..file.len() - ending.len()).unwrap_or(file));
    let namespace = long(namespace).unwrap_or_else(|| decoded(namespace));
    Ok((
        vault_path::namespace(&namespace),
        name.map_or_else(|| name_of(Path::new(file), Names::File), |name| name::policy(&name)),
    ))
}

fn shows_policy(path: &Path) -> bool {
    files::read(path, MAX_BYTES).map_or(true, |bytes| shows::policy(&bytes))
}

/// The ending of a policy's file name, its dot included.
fn ending(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    // Terraform's.
    if name.ends_with(".tf.json") || name.ends_with(".tofu.json") {
        return None;
    }
    [".hcl", ".json", ".policy"]
        .into_iter()
        .find(|ending| name.ends_with(ending))
}

/// A policy's name from its file's path below the folder.
fn name_of(below: &Path, names: Names) -> String {
    let file = below.file_name().unwrap_or_default().to_string_lossy();
    let cut = ending(below).map_or_else(|| Path::new(&*file).extension().map_or(0, |e| e.len() + 1), str::len);
    let stem = file.get(..file.len().saturating_sub(cut)).unwrap_or(&file);
    let mut name = String::new();
    if names == Names::Path {
        for folder in below.parent().into_iter().flatten() {
            name.push_str(&decoded(&folder.to_string_lossy()));
            name.push('/');
        }
    }
    name.push_str(&decoded(stem));
    name::policy(&name)
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

fn read(source: &Source, dialect: &Dialect) -> Result<Policy, LoadError> {
    let path = &source.path;
    let file = path.display().to_string();
    let error = |cause| LoadError {
        path: path.clone(),
        name: Some(source.name.as_str().into()),
        namespace: Arc::clone(&source.namespace),
        cause,
    };
    // A server takes no more; what is larger is no policy.
    let bytes = if source.named {
        files::read_named(path, MAX_BYTES)
    } else {
        files::read(path, MAX_BYTES)
    };
    let bytes = bytes.map_err(|source| {
        error(LoadCause::Io {
            path: file.clone(),
            source,
        })
    })?;
    match syntax::parse_bytes(&source.name, &file, &bytes, dialect) {
        Ok(mut policy) => {
            policy.namespace = Arc::clone(&source.namespace);
            Ok(policy)
        }
        // What is packed or in another encoding shows nothing, and may be one.
        Err(cause) if shows::policy(&bytes) || syntax::is_other_than_text(&bytes) => {
            Err(error(LoadCause::Parse(Box::new(cause))))
        }
        Err(_) => Err(error(LoadCause::NoPolicy {
            path: file,
            looks: shows::instead(&bytes),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const READ: &str = "path \"a\" { capabilities = [\"read\"] }\n";

    fn write(folder: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    fn load(folder: &Path, names: Names) -> Loaded {
        policies(&[folder.to_path_buf()], &Dialect::default(), names)
    }

    fn names(loaded: &Loaded) -> Vec<String> {
        loaded
            .policies
            .iter()
            .map(|p| format!("{}{}", p.namespace, p.name))
            .collect()
    }

    fn skipped(loaded: &Loaded, folder: &Path) -> Vec<String> {
        let told = |s: &Skipped| format!("{}: {}", s.path.strip_prefix(folder).unwrap().display(), s.why);
        loaded.skipped.iter().map(told).collect()
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
                ("package.json", r#"{"name":"path","dependencies":{"path":"1"}}"#),
                (
                    "agent.hcl",
                    "sink \"file\" {\n  config = {\n    path = \"/x\"\n  }\n}\n",
                ),
                ("sub/B.HCL", READ),
                ("notes.txt", "x"),
                (".hidden/d.hcl", READ),
                (".git/d.hcl", READ),
            ],
        );
        std::os::unix::fs::symlink("b.hcl", folder.path().join("link.hcl")).unwrap();
        let loaded = load(folder.path(), Names::Path);
        assert_eq!(names(&loaded), ["b", "c", "sub/b", "team/a"]);
        assert_eq!(
            skipped(&loaded, folder.path()),
            [
                "link.hcl: a link, which is not followed",
                ".hidden/d.hcl: its name begins with a dot",
                "notes.txt: no policy by its name (.hcl, .json, .policy)",
                "agent.hcl: it shows no policy: it has no `path` at its top",
                "package.json: it shows no policy: it has no `path` at its top",
            ]
        );
        let errors: Vec<String> = loaded.errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].contains("broken.hcl:1:11"), "{errors:?}");
        let flat = load(folder.path(), Names::File);
        assert_eq!(names(&flat), ["a", "b", "c"]);
        assert!(flat.errors.iter().any(|e| e.to_string().contains("policy `b` is in")));
    }

    #[test]
    fn of_two_files_of_one_name_that_differ_neither_counts() {
        let folder = tempfile::tempdir().unwrap();
        let other = READ.replace("read", "list");
        write(
            folder.path(),
            &[
                ("x/app.hcl", READ),
                ("y/app.hcl", &other),
                ("salt%2Fm.hcl", READ),
                ("salt/m.hcl", READ),
            ],
        );
        let loaded = load(folder.path(), Names::Path);
        assert_eq!(names(&loaded), ["salt/m", "x/app", "y/app"]);
        assert!(loaded.errors[0].to_string().ends_with("one of them is enough"));
        let loaded = load(folder.path(), Names::File);
        assert_eq!(names(&loaded), ["m", "salt/m"]);
        assert!(loaded.errors[0].to_string().ends_with("so neither counts"));
    }

    #[test]
    fn a_snapshot_is_known_by_its_mark() {
        let folder = tempfile::tempdir().unwrap();
        write(
            folder.path(),
            &[
                ("policies/a.hcl", READ),
                ("policies/x%2Fy.hcl", READ),
                ("namespaces/team%2Fone/policies/a.hcl", READ),
                ("mounts.json", "[]"),
            ],
        );
        assert_eq!(
            names(&load(folder.path(), Names::Path)),
            ["a", "x/y", "team/one/a"],
            "all that are there stand where a snapshot has its own"
        );
        write(folder.path(), &[("web.hcl", READ)]);
        assert_eq!(
            names(&load(folder.path(), Names::Path)),
            ["namespaces/team/one/policies/a", "policies/a", "policies/x/y", "web"],
            "one stands elsewhere: a folder like any other"
        );
        fs::remove_file(folder.path().join("web.hcl")).unwrap();
        write(folder.path(), &[("snapshot.json", r#"{"layout":1}"#)]);
        let loaded = load(folder.path(), Names::Path);
        assert_eq!(names(&loaded), ["a", "x/y", "team/one/a"]);
        assert!(loaded.errors.is_empty() && loaded.skipped.is_empty());
        write(folder.path(), &[("web.hcl", READ), ("policies/deep/web.hcl", READ)]);
        let loaded = load(folder.path(), Names::Path);
        // A mark does not call files as it likes.
        write(
            folder.path(),
            &[("snapshot.json", r#"{"layout":1,"long_names":{"a":"root2","x~0":"y"}}"#)],
        );
        assert_eq!(names(&load(folder.path(), Names::Path)), names(&loaded));
        let outside = ["policies/deep/web.hcl", "web.hcl"].map(|f| format!("{f}: {}", Why::Outside));
        assert_eq!(skipped(&loaded, folder.path()), outside);
        fs::remove_dir_all(folder.path().join("policies")).unwrap();
        assert_eq!(names(&load(folder.path(), Names::Path)), ["team/one/a"]);
    }

    #[test]
    fn what_is_not_there_and_what_is_no_text_are_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x.hcl"), b"path \"a\xff\" {}").unwrap();
        let paths = [folder.path().join("none.hcl"), folder.path().to_path_buf()];
        let loaded = policies(&paths, &Dialect::default(), Names::Path);
        let errors: Vec<String> = loaded.errors.iter().map(ToString::to_string).collect();
        assert!(errors.first().unwrap().starts_with("cannot read `"), "{errors:?}");
        assert!(
            errors.last().unwrap().contains("x.hcl:1:8: bytes that are no UTF-8"),
            "{errors:?}"
        );
    }

    #[test]
    fn of_a_file_that_shows_no_policy_nothing_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token.hcl");
        fs::write(&file, "hvs.CAESIJsecret\n").unwrap();
        let loaded = policies(&[file], &Dialect::default(), Names::Path);
        assert!(!format!("{:?}", loaded.errors).contains("hvs"), "{:?}", loaded.errors);
    }

    #[test]
    fn what_may_be_a_policy_is_told_from_what_is_none() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text, may) in [
            (".web.hcl", READ, true),
            ("web", READ, true),
            (".broken.hcl", "path \"a\" {", true),
            (".terraform.lock.hcl", "provider \"x\" {\n  version = \"1\"\n}\n", false),
            ("README.md", "# Policies\n\nSuch as this:\n\n    path \"a\" {}\n", false),
            ("empty.txt", "", false),
            ("x.ts", "const p = `path \"a\" { capabilities = [\"read\"] }`;", true),
            ("x.cue", "p: \"path \\\"a\\\" { policy = \\\"sudo\\\" }\"", true),
            ("x.py", "path = 'a'\npolicy = load(path)\n", false),
            ("notes.md", "`path \"a\" { capabilities = [\"read\"] }`", false),
            (
                "Makefile",
                "x:\n\techo 'path \"a\" { capabilities = [\"read\"] }' | vault policy write x -\n",
                true,
            ),
            ("plain", "x:\n\tvault policy write a policies/a.hcl\n", false),
            ("apply", "#!/bin/sh\necho path $1 { capabilities = $2 }\n", true),
            (
                "x.json5",
                "{a: \"\\u0070ath \\\"a\\\" { capabilities = [\\\"sudo\\\"] }\"}",
                true,
            ),
            ("build", "aws deploy --path x --capabilities CAPABILITY_IAM\n", false),
            (
                "README",
                "Such as:\n\n path \"a\" { capabilities = [\"read\"] }\n",
                false,
            ),
        ] {
            write(folder.path(), &[(name, text)]);
            assert_eq!(
                doubt(&folder.path().join(name), &Dialect::default()).is_some(),
                may,
                "{name}"
            );
        }
    }
}
