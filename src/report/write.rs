//! Puts the rendered files into a folder: all of them, or none.
//!
//! Everything is first written into a hidden folder beside the target and then moved in. A list of what was written lies
//! in the folder, with hashes: a later run replaces and takes away only what still is what an earlier one put there. No link
//! below the folder is followed.

use crate::hint::Hint;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::output::OutputFile;
use super::state::sha256;
use crate::staged;

/// The list of the files that a run wrote.
const MANIFEST: &str = ".vault-advisor-files";

/// Why a folder could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The target is there and is no folder.
    #[error("cannot write to `{0}`: it is not a folder")]
    NotAFolder(PathBuf),
    /// The target is there, has files, and none of them are ours.
    #[error(
        "cannot write `{file}` to `{folder}`: a file of that name is there which vault-advisor did not write, or which \
         was changed since"
    )]
    Foreign {
        /// The file.
        file: String,
        /// The folder.
        folder: PathBuf,
    },
    /// A link lies where a folder or a file of the output belongs.
    #[error("cannot write to `{folder}`: `{link}` in it is a link")]
    Link {
        /// The link, below the folder.
        link: String,
        /// The folder.
        folder: PathBuf,
    },
    /// A path of the output would leave the folder.
    #[error("cannot write `{0}`: the path leaves the output folder")]
    Outside(String),
    /// Reading or writing failed.
    #[error("cannot write `{path}`: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Hint for WriteError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::NotAFolder(_) => "name another folder with `--out`",
            Self::Foreign { .. } => "name an empty folder with `--out`, or move that file away",
            Self::Link { .. } => "name another folder with `--out`, or take the link away",
            Self::Outside(_) => "rename the policy file",
            Self::Io { .. } => "check that the folder exists, is writable and has room",
        }))
    }
}

/// Whether a folder can be written to, as far as that can be known before there is anything to write: nobody should wait for
/// an analysis to be told that it has no place.
///
/// # Errors
/// When it can't.
pub fn ready(folder: &Path) -> Result<(), WriteError> {
    let absolute = std::path::absolute(folder).map_err(at(folder))?;
    let Some(there) = absolute.ancestors().find(|path| path.exists()) else {
        return Ok(());
    };
    if !there.is_dir() {
        return Err(WriteError::NotAFolder(there.to_owned()));
    }
    tempfile::Builder::new()
        .prefix(staged::PREFIX)
        .tempfile_in(there)
        .map(drop)
        .map_err(staged::bare)
        .map_err(at(there))
}

/// Writes `files` below `folder`, which is made if it is not there. Files of an earlier run that are not among them go;
/// files of others stay.
///
/// # Errors
/// When the folder cannot be written. It is then as it was, save if the disk fails in the very last step.
pub fn write(files: &[OutputFile], folder: &Path) -> Result<(), WriteError> {
    for file in files {
        if !stays_inside(&file.path) {
            return Err(WriteError::Outside(file.path.clone()));
        }
    }
    if folder.exists() && !folder.is_dir() {
        return Err(WriteError::NotAFolder(folder.to_owned()));
    }
    refuse_links(files, folder)?;
    let earlier = earlier_files(folder);
    refuse_foreign(files, folder, &earlier)?;

    // In the target, or beside it while it is not there: moving in is then a rename within one file system.
    let stage = match folder.parent() {
        _ if folder.is_dir() => folder,
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(stage).map_err(at(stage))?;
    let hidden = tempfile::Builder::new()
        .prefix(staged::PREFIX)
        .tempdir_in(stage)
        .map_err(staged::bare)
        .map_err(at(stage))?;
    let unfinished = staged::Unfinished::new(hidden.path());
    for file in files {
        let path = hidden.path().join(&file.path);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(at(dir))?;
        }
        // Told by the name it was to have.
        fs::write(&path, &file.bytes).map_err(at(&folder.join(&file.path)))?;
        if file.executable {
            make_executable(&path)?;
        }
    }
    let list = hidden.path().join(MANIFEST);
    fs::write(&list, manifest(hashes(files))).map_err(at(&list))?;
    // Whatever of these files is in place when something cuts this off is known to be ours.
    let old = earlier
        .iter()
        .flat_map(|(path, hashes)| hashes.iter().map(|hash| (path.as_str(), hash.clone())));
    let both = hidden.path().join(format!("{MANIFEST}.both"));
    fs::write(&both, manifest(hashes(files).chain(old))).map_err(at(&both))?;

    if !folder.exists() {
        fs::remove_file(&both).map_err(at(&both))?;
        make_readable(hidden.path())?;
        fs::rename(hidden.path(), folder).map_err(at(folder))?;
        drop(unfinished);
        // Its old name is gone, and nothing is left to be taken away.
        let _ = hidden.keep();
        return Ok(());
    }
    staged::finish(|| {
        let target = folder.join(MANIFEST);
        fs::rename(&both, &target).map_err(at(&target))?;
        for path in files.iter().map(|file| file.path.as_str()).chain([MANIFEST]) {
            let target = folder.join(path);
            if let Some(dir) = target.parent() {
                fs::create_dir_all(dir).map_err(at(dir))?;
            }
            fs::rename(hidden.path().join(path), &target).map_err(at(&target))?;
        }
        remove_stale(files, folder, &earlier);
        Ok(())
    })
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> WriteError + '_ {
    move |source| WriteError::Io {
        path: path.to_owned(),
        source,
    }
}

fn stays_inside(path: &str) -> bool {
    let path = Path::new(path);
    path.components().count() > 0 && path.components().all(|part| matches!(part, Component::Normal(_)))
}

/// Paths with the hashes of what was written there.
type Earlier = BTreeMap<String, BTreeSet<String>>;

/// A file of the list.
#[derive(Debug, Serialize, Deserialize)]
struct Listed {
    path: String,
    sha256: String,
}

/// The list, one file a line in JSON: a path may hold a line end.
fn manifest<'a>(listed: impl Iterator<Item = (&'a str, String)>) -> String {
    let listed: BTreeSet<(&str, String)> = listed.collect();
    let mut out = String::new();
    for (path, sha256) in listed {
        out.push_str(&serde_json::json!({ "path": path, "sha256": sha256 }).to_string());
        out.push('\n');
    }
    out
}

fn hashes(files: &[OutputFile]) -> impl Iterator<Item = (&str, String)> {
    files.iter().map(|file| (file.path.as_str(), sha256(&file.bytes)))
}

/// What earlier runs wrote: paths, each with its hashes (two, where a run was cut off). The list may have been written by anybody: nothing in it is done without a look
/// at the file.
fn earlier_files(folder: &Path) -> Earlier {
    let list = fs::read_to_string(folder.join(MANIFEST)).unwrap_or_default();
    let listed = list
        .lines()
        .filter_map(|line| serde_json::from_str::<Listed>(line).ok());
    let mut earlier = Earlier::new();
    for one in listed.filter(|listed| stays_inside(&listed.path)) {
        earlier.entry(one.path).or_default().insert(one.sha256);
    }
    earlier
}

/// The first link on the way from `folder` down to `path`, the last part included.
fn link_on_the_way(folder: &Path, path: &str) -> Option<PathBuf> {
    let mut below = PathBuf::new();
    for part in Path::new(path).components() {
        below.push(part);
        match folder.join(&below).symlink_metadata() {
            Ok(there) if there.is_symlink() => return Some(below),
            Ok(_) => {}
            // What is not there leads nowhere.
            Err(_) => return None,
        }
    }
    None
}

fn refuse_links(files: &[OutputFile], folder: &Path) -> Result<(), WriteError> {
    let paths = files.iter().map(|file| file.path.as_str()).chain([MANIFEST]);
    match paths.into_iter().find_map(|path| link_on_the_way(folder, path)) {
        Some(link) => Err(WriteError::Link {
            link: link.display().to_string(),
            folder: folder.to_owned(),
        }),
        None => Ok(()),
    }
}

/// Whether a file is what an earlier run put there.
fn is_ours(folder: &Path, path: &str, earlier: &Earlier) -> bool {
    let file = folder.join(path);
    earlier.get(path).is_some_and(|hashes| {
        file.symlink_metadata().is_ok_and(|there| there.is_file())
            && fs::read(&file).is_ok_and(|bytes| hashes.contains(&sha256(&bytes)))
    })
}

fn refuse_foreign(files: &[OutputFile], folder: &Path, earlier: &Earlier) -> Result<(), WriteError> {
    let foreign = files.iter().find(|file| {
        let there = folder.join(&file.path);
        // What is there and says the same already is no loss; a run that was cut off may have left it.
        there.symlink_metadata().is_ok()
            && !is_ours(folder, &file.path, earlier)
            && !fs::read(&there).is_ok_and(|bytes| bytes == file.bytes)
    });
    match foreign {
        Some(file) => Err(WriteError::Foreign {
            file: file.path.clone(),
            folder: folder.to_owned(),
        }),
        None => Ok(()),
    }
}

/// Takes away what an earlier run wrote and this one did not, and folders left empty by it. What was changed since stays, and
/// so does what cannot be taken away.
fn remove_stale(files: &[OutputFile], folder: &Path, earlier: &Earlier) {
    let now: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    for stale in earlier.keys().filter(|path| !now.contains(path.as_str())) {
        if link_on_the_way(folder, stale).is_some() || !is_ours(folder, stale, earlier) {
            continue;
        }
        let path = folder.join(stale);
        if fs::remove_file(&path).is_ok() {
            let mut dir = path.parent();
            while let Some(inner) = dir.filter(|inner| *inner != folder) {
                if fs::remove_dir(inner).is_err() {
                    break;
                }
                dir = inner.parent();
            }
        }
    }
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<(), WriteError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(at(path))
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) -> Result<(), WriteError> {
    Ok(())
}

/// The hidden folder is private while it is filled; the result is as open as any new folder.
#[cfg(unix)]
fn make_readable(path: &Path) -> Result<(), WriteError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(at(path))
}

#[cfg(not(unix))]
fn make_readable(_path: &Path) -> Result<(), WriteError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> OutputFile {
        OutputFile {
            path: path.to_owned(),
            bytes: text.as_bytes().to_vec(),
            executable: false,
        }
    }

    #[test]
    fn a_second_run_replaces_its_own_files_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("a/out");
        write(&[file("x", "1"), file("d/e/y", "1")], &out).unwrap();
        fs::write(out.join("mine"), "keep").unwrap();
        write(&[file("x", "2")], &out).unwrap();
        assert_eq!(fs::read_to_string(out.join("x")).unwrap(), "2");
        assert!(!out.join("d").exists());
        assert_eq!(fs::read_to_string(out.join("mine")).unwrap(), "keep");
        assert_eq!(
            fs::read_dir(dir.path().join("a")).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn a_foreign_file_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("x"), "mine").unwrap();
        let error = write(&[file("a", "1"), file("x", "1")], dir.path()).unwrap_err();
        assert!(matches!(error, WriteError::Foreign { .. }), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_changed_since_is_neither_replaced_nor_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        write(&[file("x", "1"), file("y", "1")], dir.path()).unwrap();
        fs::write(dir.path().join("y"), "mine now").unwrap();
        write(&[file("x", "2")], dir.path()).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("y")).unwrap(), "mine now");
        fs::write(dir.path().join("x"), "mine too").unwrap();
        let error = write(&[file("x", "3")], dir.path()).unwrap_err();
        assert!(matches!(error, WriteError::Foreign { .. }), "{error}");
        assert_eq!(fs::read_to_string(dir.path().join("x")).unwrap(), "mine too");
    }

    #[test]
    #[cfg(unix)]
    fn no_link_below_the_folder_is_followed() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let [out, there] = ["out", "there"].map(|name| dir.path().join(name));
        fs::create_dir(&out).unwrap();
        fs::create_dir(&there).unwrap();
        for name in ["app.hcl", "precious"] {
            fs::write(there.join(name), "theirs").unwrap();
        }
        let planted: String = ["policies/app.hcl", "sub/precious"]
            .map(|path| format!("{}\n", serde_json::json!({"path": path, "sha256": sha256(b"theirs")})))
            .concat();
        fs::write(out.join(MANIFEST), planted).unwrap();
        symlink(&there, out.join("sub")).unwrap();
        // A link that nothing is written through only keeps what is behind it from being taken away.
        write(&[file("x", "1")], &out).unwrap();
        symlink(&there, out.join("policies")).unwrap();
        let error = write(&[file("policies/app.hcl", "1")], &out).unwrap_err();
        assert!(matches!(error, WriteError::Link { .. }), "{error}");
        for path in ["x", MANIFEST] {
            fs::rename(out.join(path), there.join("moved")).unwrap();
            symlink(there.join("moved"), out.join(path)).unwrap();
            let error = write(&[file("x", "1")], &out).unwrap_err();
            assert!(matches!(error, WriteError::Link { .. }), "{path}: {error}");
            fs::remove_file(out.join(path)).unwrap();
        }
        for name in ["app.hcl", "precious"] {
            assert_eq!(fs::read_to_string(there.join(name)).unwrap(), "theirs");
        }
        // The folder itself may be one: the user named it.
        let named = dir.path().join("named");
        symlink(&out, &named).unwrap();
        write(&[file("y", "1")], &named).unwrap();
        assert_eq!(fs::read_to_string(out.join("y")).unwrap(), "1");
    }

    #[test]
    fn paths_cannot_leave_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["../x", "/x", "a/../../x", "", "./x"] {
            assert!(
                matches!(write(&[file(path, "")], dir.path()), Err(WriteError::Outside(_))),
                "{path}"
            );
        }
        let not_a_folder = dir.path().join("f");
        fs::write(&not_a_folder, "").unwrap();
        assert!(matches!(write(&[], &not_a_folder), Err(WriteError::NotAFolder(_))));
        for place in [not_a_folder.clone(), not_a_folder.join("below/it")] {
            assert!(matches!(ready(&place), Err(WriteError::NotAFolder(_))));
        }
        ready(&dir.path().join("new/place")).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "asking writes nothing");
    }
}
