//! Puts the rendered files into a folder: all of them, or none.
//!
//! Everything is first written into a hidden folder beside the target and then moved in. A list of what was written lies
//! in the folder: a later run takes away only what an earlier one put there and nobody changed since the list names it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::output::OutputFile;
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
    #[error("cannot write `{file}` to `{folder}`: a file of that name is there which vault-advisor did not write")]
    Foreign {
        /// The file.
        file: String,
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

impl WriteError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NotAFolder(_) => "name another folder with `--out`",
            Self::Foreign { .. } => "name an empty folder with `--out`, or move that file away",
            Self::Outside(_) => "rename the policy file",
            Self::Io { .. } => "check that the folder exists, is writable and has room",
        }
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
    fs::write(&list, manifest(files)).map_err(at(&list))?;

    if !folder.exists() {
        make_readable(hidden.path())?;
        fs::rename(hidden.path(), folder).map_err(at(folder))?;
        drop(unfinished);
        // Its old name is gone, and nothing is left to be taken away.
        let _ = hidden.keep();
        return Ok(());
    }
    staged::finish(|| {
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

/// The list, one path a line in JSON strings: a path may hold a line end.
fn manifest(files: &[OutputFile]) -> String {
    let mut paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    paths.sort_unstable();
    let mut out = String::new();
    for path in paths {
        out.push_str(&serde_json::Value::from(path).to_string());
        out.push('\n');
    }
    out
}

fn earlier_files(folder: &Path) -> BTreeSet<String> {
    fs::read_to_string(folder.join(MANIFEST))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|path: &String| stays_inside(path))
        .collect()
}

fn refuse_foreign(files: &[OutputFile], folder: &Path, earlier: &BTreeSet<String>) -> Result<(), WriteError> {
    let foreign = files
        .iter()
        .find(|file| !earlier.contains(&file.path) && folder.join(&file.path).symlink_metadata().is_ok());
    match foreign {
        Some(file) => Err(WriteError::Foreign {
            file: file.path.clone(),
            folder: folder.to_owned(),
        }),
        None => Ok(()),
    }
}

/// Takes away what an earlier run wrote and this one did not, and folders left empty by it. What cannot be taken away stays.
fn remove_stale(files: &[OutputFile], folder: &Path, earlier: &BTreeSet<String>) {
    let now: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    for stale in earlier.iter().filter(|path| !now.contains(path.as_str())) {
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
