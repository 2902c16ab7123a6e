//! Writes a snapshot as a folder: whole or not at all, and the same bytes for the same server, so that it can live in git.
//!
//! Policies are `policies/NAME.hcl`, those of a namespace `namespaces/NAMESPACE/policies/NAME.hcl`, byte for byte as the
//! server has them. The rest is one JSON file a kind (`super::folder::files`), and [`MARK`] says what the folder is and
//! what the token could not read.
//!
//! A policy's name may hold anything, a file's name may not. In file and folder names every byte but `a-z A-Z 0-9 . _ -`
//! is `%XX` (so `/` is `%2F` and `%` is `%25`), and so is the first byte of a name that begins with `.` or that Windows
//! keeps for itself (`con`, `nul`, ...). [`policy_name`] reads it back. What would be too long is cut, with `~` and a hash at
//! its end, and [`MARK`] says what it is in full.

use super::folder::files;
use super::mark::{MARK, Mark, TemplateSwitch};
use super::snapshot::{PolicyText, Snapshot};
use crate::staged;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of the policies of namespaces.
pub const NAMESPACED: &str = "namespaces";
/// Version of the folder's layout.
const LAYOUT: u32 = 1;
/// The longest file name that file systems take, without `.hcl`.
const MAX_NAME_BYTES: usize = 255 - 4;
/// What is kept of a longer one.
const CUT_NAME_BYTES: usize = 160;

/// What became of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It was not there.
    New,
    /// It was there and is replaced.
    Changed,
    /// It was there, the same to the byte but for the time that it is of.
    Unchanged,
}

/// Why a snapshot could not be written. The folder is then as it was.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file system said no.
    #[error("cannot write `{}`: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder holds something that no snapshot wrote.
    #[error("cannot replace `{}`: no snapshot wrote `{found}` in it", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// What is in it.
        found: String,
    },
    /// Something else than a folder is in the way.
    #[error("cannot write `{}`: it is there and is not a folder", path.display())]
    NotAFolder {
        /// What is in the way.
        path: PathBuf,
    },
    /// A record could not be put into JSON.
    #[error("cannot write `{file}` as JSON: {source}")]
    Json {
        /// The file.
        file: &'static str,
        /// Why.
        source: serde_json::Error,
    },
}

/// Writes `snapshot` as the folder `out`, replacing an earlier snapshot.
///
/// # Errors
/// When the folder can't be written, or holds what no snapshot wrote.
pub fn write(snapshot: &Snapshot, out: &Path) -> Result<Written, WriteError> {
    let planned = plan(snapshot)?;
    let there = match existing(out)? {
        Some(there) if there == planned => return Ok(Written::Unchanged),
        there => there,
    };
    let absolute = std::path::absolute(out).map_err(|source| failed(out, source))?;
    let parent = absolute.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|source| failed(parent, source))?;
    // Beside the target, so that it takes only a rename to put it in place.
    let stage = tempfile::Builder::new()
        .prefix(staged::PREFIX)
        .tempdir_in(parent)
        .map_err(|source| failed(parent, source))?;
    let _unfinished = staged::Unfinished::new(stage.path());
    let new = stage.path().join("new");
    for (name, bytes) in &planned {
        let path = new.join(name);
        let folder = path.parent().unwrap_or(&new);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, bytes))
            .map_err(|source| failed(&path, source))?;
    }
    staged::finish(|| swap(&new, &stage.path().join("old"), &absolute))?;
    Ok(match there.map(untimed) {
        Some(there) if there == untimed(planned) => Written::Unchanged,
        Some(_) => Written::Changed,
        None => Written::New,
    })
}

/// The files without the time that they are of.
fn untimed(mut files: BTreeMap<PathBuf, Vec<u8>>) -> (BTreeMap<PathBuf, Vec<u8>>, Option<Mark>) {
    let mark = files
        .get(Path::new(MARK))
        .and_then(|bytes| serde_json::from_slice::<Mark>(bytes).ok());
    let mark = mark.map(|mark| Mark { taken: None, ..mark });
    if mark.is_some() {
        files.remove(Path::new(MARK));
    }
    (files, mark)
}

/// Puts `new` in the place of `target`, what was there goes to `old`; if that fails, it comes back.
fn swap(new: &Path, old: &Path, target: &Path) -> Result<(), WriteError> {
    let had = target.exists();
    if had {
        fs::rename(target, old).map_err(|source| failed(target, source))?;
    }
    if let Err(source) = fs::rename(new, target) {
        if had {
            fs::rename(old, target).map_err(|source| failed(target, source))?;
        }
        return Err(failed(target, source));
    }
    Ok(())
}

fn failed(path: &Path, source: io::Error) -> WriteError {
    WriteError::Io {
        path: path.to_path_buf(),
        source,
    }
}

/// Every file of the folder, by its path in it.
fn plan(snapshot: &Snapshot) -> Result<BTreeMap<PathBuf, Vec<u8>>, WriteError> {
    let d = &snapshot.deployment;
    let mark = Mark {
        layout: LAYOUT,
        product: snapshot.product.clone(),
        version: snapshot.version.clone(),
        taken: d.as_of,
        secrets_listed: snapshot.secrets_listed,
        missing: snapshot.missing.clone(),
        policies: d.policies.clone(),
        long_names: long_names(snapshot),
        template_switches: snapshot
            .policies
            .iter()
            .filter(|p| p.slashes || p.wildcards)
            .map(|p| TemplateSwitch {
                namespace: p.namespace.clone(),
                name: p.name.clone(),
                slashes: p.slashes,
                wildcards: p.wildcards,
            })
            .collect(),
    };
    let mut planned = BTreeMap::new();
    let mut add = |file: &'static str, json: Result<Vec<u8>, serde_json::Error>| match json {
        Ok(mut bytes) => {
            bytes.push(b'\n');
            planned.insert(PathBuf::from(file), bytes);
            Ok(())
        }
        Err(source) => Err(WriteError::Json { file, source }),
    };
    add(MARK, serde_json::to_vec_pretty(&mark))?;
    add(files::MOUNTS, serde_json::to_vec_pretty(&d.mounts))?;
    add(files::AUTH_MOUNTS, serde_json::to_vec_pretty(&d.auth_mounts))?;
    add(files::ROLES, serde_json::to_vec_pretty(&d.roles))?;
    add(files::ENTITIES, serde_json::to_vec_pretty(&d.entities))?;
    add(files::GROUPS, serde_json::to_vec_pretty(&d.groups))?;
    add(files::NAMESPACES, serde_json::to_vec_pretty(&d.namespaces))?;
    if snapshot.secrets_listed {
        add(files::SECRETS, serde_json::to_vec_pretty(&d.secrets))?;
    }
    for policy in &snapshot.policies {
        planned.insert(policy_path(policy), policy.text.clone().into_bytes());
    }
    Ok(planned)
}

/// Where a policy is kept in the folder.
fn policy_path(policy: &PolicyText) -> PathBuf {
    let mut path = PathBuf::new();
    if !policy.namespace.is_empty() {
        path.push(NAMESPACED);
        path.push(short_stem(policy.namespace.trim_end_matches('/')));
    }
    path.push(files::POLICIES);
    path.push(format!("{}.hcl", short_stem(&policy.name)));
    path
}

/// As [`file_stem`], and short enough for a file: what is cut off is told by a hash.
fn short_stem(name: &str) -> String {
    let mut stem = file_stem(name);
    if stem.len() > MAX_NAME_BYTES {
        stem.truncate(CUT_NAME_BYTES);
        // Not in the middle of a `%XX`.
        if let Some(at) = stem.rfind('%').filter(|at| at + 3 > stem.len()) {
            stem.truncate(at);
        }
        stem.push('~');
        for byte in Sha256::digest(name.as_bytes()).iter().take(16) {
            stem.push_str(&format!("{byte:02x}"));
        }
    }
    stem
}

/// The names that [`short_stem`] cuts.
fn long_names(snapshot: &Snapshot) -> BTreeMap<String, String> {
    let policies = snapshot.policies.iter();
    let names = policies.flat_map(|p| [p.namespace.trim_end_matches('/'), p.name.as_str()]);
    names
        .map(|name| (short_stem(name), name))
        .filter(|(stem, _)| stem.contains('~'))
        .map(|(stem, name)| (stem, name.to_owned()))
        .collect()
}

/// The name of a policy or namespace as a file name holds it.
#[must_use]
pub fn file_stem(name: &str) -> String {
    let mut stem = String::with_capacity(name.len());
    let reserved = is_reserved(name);
    for (at, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let awkward = at == 0 && (byte == b'.' || reserved);
        if plain && !awkward {
            stem.push(char::from(byte));
        } else {
            stem.push_str(&format!("%{byte:02X}"));
        }
    }
    stem
}

/// The name that [`file_stem`] turned into `stem`; nothing if no name turns into it.
#[must_use]
pub fn policy_name(stem: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(stem.len());
    let mut rest = stem;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let digits = after.get(..2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after.get(2..)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok().filter(|name| file_stem(name) == stem)
}

/// Names that Windows keeps for its devices, whatever follows a dot.
fn is_reserved(name: &str) -> bool {
    let first = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered = |device: &str| {
        first
            .strip_prefix(device)
            .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    ["con", "prn", "aux", "nul"].contains(&first.as_str()) || numbered("com") || numbered("lpt")
}

/// The files of the snapshot that is there; nothing if there is none. What no snapshot wrote is an error: it would be lost.
fn existing(out: &Path) -> Result<Option<BTreeMap<PathBuf, Vec<u8>>>, WriteError> {
    let mut found = BTreeMap::new();
    match fs::symlink_metadata(out) {
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(out, source)),
        Ok(data) if data.is_dir() => collect(out, out, &mut found)?,
        Ok(_) => {
            return Err(WriteError::NotAFolder {
                path: out.to_path_buf(),
            });
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    if !found.contains_key(Path::new(MARK)) {
        let first = found.keys().next().cloned().unwrap_or_default();
        return Err(foreign(out, &first));
    }
    Ok(Some(found))
}

fn foreign(out: &Path, found: &Path) -> WriteError {
    WriteError::Foreign {
        path: out.to_path_buf(),
        found: found.display().to_string(),
    }
}

fn collect(out: &Path, folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<(), WriteError> {
    for entry in fs::read_dir(folder).map_err(|source| failed(folder, source))? {
        let entry = entry.map_err(|source| failed(folder, source))?;
        let path = entry.path();
        let name = path.strip_prefix(out).unwrap_or(&path).to_path_buf();
        let kind = entry.file_type().map_err(|source| failed(&path, source))?;
        if kind.is_dir() && is_our_folder(&name) {
            collect(out, &path, found)?;
        } else if kind.is_file() && is_our_file(&name) {
            let bytes = fs::read(&path).map_err(|source| failed(&path, source))?;
            found.insert(name, bytes);
        } else {
            return Err(foreign(out, &name));
        }
    }
    Ok(())
}

fn parts(name: &Path) -> Vec<&str> {
    name.iter().map(|part| part.to_str().unwrap_or_default()).collect()
}

fn is_our_folder(name: &Path) -> bool {
    matches!(
        parts(name).as_slice(),
        [files::POLICIES] | [NAMESPACED] | [NAMESPACED, _] | [NAMESPACED, _, files::POLICIES]
    )
}

fn is_our_file(name: &Path) -> bool {
    match parts(name).as_slice() {
        [file] => [
            MARK,
            files::MOUNTS,
            files::AUTH_MOUNTS,
            files::ROLES,
            files::ENTITIES,
            files::GROUPS,
            files::NAMESPACES,
            files::SECRETS,
        ]
        .contains(file),
        [files::POLICIES, file] | [NAMESPACED, _, files::POLICIES, file] => file.ends_with(".hcl"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::folder;
    use crate::deployment::model::{Deployment, Entity, Group};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn snapshot() -> Snapshot {
        let policy = |namespace: &str, name: &str, text: &str| PolicyText {
            namespace: namespace.into(),
            name: name.into(),
            text: text.into(),
            slashes: name == "default",
            wildcards: false,
        };
        Snapshot {
            deployment: Deployment {
                as_of: Some("2026-05-01T00:00:00Z".parse().unwrap()),
                lists_entities: true,
                entities: vec![Entity {
                    id: "e-1".into(),
                    name: "ann".into(),
                    ..Entity::default()
                }],
                groups: vec![Group {
                    id: "g-1".into(),
                    member_entities: vec!["e-1".into()],
                    ..Group::default()
                }],
                secrets: vec!["secret/data/a".into()],
                namespaces: vec!["a/b/".into()],
                policies: BTreeMap::from([("a/b/".into(), BTreeSet::from(["default".into(), "web".into()]))]),
                ..Deployment::default()
            },
            policies: vec![
                policy("", "web", "path \"a\" {}\r\n"),
                policy("", "odd/../name", ""),
                policy("a/b/", "web", "# no newline"),
            ],
            version: Some("2.4.0".into()),
            secrets_listed: true,
            ..Snapshot::default()
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("deep/snapshot");
        let snapshot = snapshot();
        assert_eq!(write(&snapshot, &out).unwrap(), Written::New);
        assert_eq!(folder::read(&out).unwrap(), snapshot.deployment);
        assert_eq!(fs::read(out.join("policies/web.hcl")).unwrap(), b"path \"a\" {}\r\n");
        assert_eq!(
            fs::read(out.join("namespaces/a%2Fb/policies/web.hcl")).unwrap(),
            b"# no newline"
        );
        assert!(out.join("policies/odd%2F..%2Fname.hcl").exists());
        let beside: Vec<_> = fs::read_dir(out.parent().unwrap()).unwrap().collect();
        assert_eq!(beside.len(), 1, "nothing is left beside it");
    }

    #[test]
    fn names_that_are_too_long_are_cut_and_come_back() {
        use crate::policy::load::{Names, policies};
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("s");
        let (long, longer) = ("n".repeat(300), format!("{}x", "ü/".repeat(100)));
        let policy = |namespace: &str, name: &str| PolicyText {
            namespace: namespace.into(),
            name: name.into(),
            text: "path \"a\" {}".into(),
            slashes: false,
            wildcards: false,
        };
        let snapshot = Snapshot {
            policies: vec![
                policy("", &long),
                policy("", &longer),
                policy(&format!("{long}/"), "web"),
            ],
            ..snapshot()
        };
        write(&snapshot, &out).unwrap();
        assert_eq!(write(&snapshot, &out).unwrap(), Written::Unchanged);
        let loaded = policies(&[out], &crate::policy::syntax::Dialect::default(), Names::Path);
        let mut read: Vec<String> = loaded
            .policies
            .iter()
            .map(|p| format!("{}{}", p.namespace, p.name))
            .collect();
        read.sort();
        let mut want = vec![long.clone(), longer, format!("{long}/web")];
        want.sort();
        assert_eq!(read, want);
    }

    #[test]
    fn the_same_again_is_left_alone_and_a_change_replaces_all() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("s");
        let mut snapshot = snapshot();
        write(&snapshot, &out).unwrap();
        assert_eq!(write(&snapshot, &out).unwrap(), Written::Unchanged);
        snapshot.policies.remove(0);
        snapshot.secrets_listed = false;
        assert_eq!(write(&snapshot, &out).unwrap(), Written::Changed);
        assert!(!out.join("policies/web.hcl").exists());
        assert!(!out.join("secrets.json").exists());
    }

    #[test]
    fn what_no_snapshot_wrote_is_never_lost() {
        let place = tempfile::tempdir().unwrap();
        for strange in ["notes.txt", "policies/readme.md", ".git/config", "policies/a/b.hcl"] {
            let out = place.path().join(file_stem(strange));
            write(&snapshot(), &out).unwrap();
            let path = out.join(strange);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "mine").unwrap();
            let mut changed = snapshot();
            changed.policies.clear();
            let error = write(&changed, &out).unwrap_err();
            assert!(matches!(error, WriteError::Foreign { .. }), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
            assert!(out.join("policies/web.hcl").exists());
        }
        let by_hand = place.path().join("by-hand");
        fs::create_dir_all(by_hand.join("policies")).unwrap();
        fs::write(by_hand.join("policies/web.hcl"), "mine").unwrap();
        assert!(matches!(write(&snapshot(), &by_hand), Err(WriteError::Foreign { .. })));
        let file = by_hand.join("policies/web.hcl");
        assert!(matches!(write(&snapshot(), &file), Err(WriteError::NotAFolder { .. })));
        let empty = place.path().join("empty");
        fs::create_dir(&empty).unwrap();
        assert_eq!(write(&snapshot(), &empty).unwrap(), Written::New);
    }

    #[test]
    fn file_names_are_harmless() {
        for (name, want) in [
            ("team-web", "team-web"),
            ("a/b", "a%2Fb"),
            ("..", "%2E."),
            (".hidden", "%2Ehidden"),
            ("50%", "50%25"),
            ("con", "%63on"),
            ("nul.x", "%6Eul.x"),
            ("com1", "%63om1"),
            ("common", "common"),
            ("ü b", "%C3%BC%20b"),
        ] {
            assert_eq!(file_stem(name), want);
            assert_eq!(policy_name(want).as_deref(), Some(name));
        }
        for not in ["a%2", "a%zz", "%41", "%ff", "a b", "a%2fb"] {
            assert_eq!(policy_name(not), None, "{not}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in any::<String>()) {
            let stem = file_stem(&name);
            prop_assert!(stem.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b'\\'));
            let back = policy_name(&stem);
            prop_assert_eq!(back.as_deref(), Some(name.as_str()));
        }
    }
}
