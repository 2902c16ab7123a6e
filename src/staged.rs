//! Files and folders that appear whole or not at all: also when the disk is full, and when the program is interrupted.
//!
//! What is not finished yet lies under a hidden name beside its target and is listed here. An interruption takes away what
//! is listed, and waits for whoever is just moving things into place.

use crate::hint::Hint;
use crate::shown::visible;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How hidden names begin.
pub const PREFIX: &str = ".vault-advisor-";

static LISTED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn listed() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    LISTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something unfinished: listed as long as this lives.
#[derive(Debug)]
#[must_use]
pub struct Unfinished(PathBuf);

impl Unfinished {
    /// Lists a file or folder.
    pub fn new(path: &Path) -> Self {
        listed().insert(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        listed().remove(&self.0);
    }
}

/// Whether anything was moved into place, or written to what takes it as it comes.
static PLACED: AtomicBool = AtomicBool::new(false);

/// Moves things into place: no interruption comes between.
pub fn finish<T>(work: impl FnOnce() -> T) -> T {
    let _waits = listed();
    PLACED.store(true, Ordering::Relaxed);
    work()
}

/// What an interruption left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swept {
    /// No file was written.
    Nothing,
    /// Files that were moved into place before it, each whole.
    SomethingStays,
}

/// The program ends now: takes away all that is unfinished, and lets nobody finish any more. What cannot be taken away stays.
pub fn sweep() -> Swept {
    let unfinished = listed();
    take_away(&unfinished);
    // Whoever wants to go on waits for the end.
    std::mem::forget(unfinished);
    if PLACED.load(Ordering::Relaxed) {
        Swept::SomethingStays
    } else {
        Swept::Nothing
    }
}

fn take_away(unfinished: &BTreeSet<PathBuf>) {
    for path in unfinished {
        let _ = fs::remove_dir_all(path).or_else(|_| fs::remove_file(path));
    }
}

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Whoever may read what this user makes.
    Usual,
    /// This user alone.
    Owner,
}

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{}`: {source}", visible(&path.display().to_string()))]
pub struct Unwritten {
    path: PathBuf,
    source: io::Error,
}

impl Unwritten {
    /// Of the file and why.
    #[must_use]
    pub fn new(path: &Path, source: io::Error) -> Self {
        Self {
            path: path.to_owned(),
            source,
        }
    }
}

impl Hint for Unwritten {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("check that the folder exists, is writable and has room"))
    }
}

/// Whether a file can be written, as far as that can be known before there is anything to write: nobody should wait for an answer to be
/// told that it has no place.
///
/// # Errors
/// When it can't.
pub fn ready(target: &Path) -> io::Result<()> {
    let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
    let there = fs::metadata(&target).ok();
    if there.as_ref().is_some_and(fs::Metadata::is_dir) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // A device or a pipe is there, and says by itself what it takes.
    if there.is_some_and(|there| !there.is_file()) {
        return Ok(());
    }
    tempfile::Builder::new()
        .prefix(PREFIX)
        .tempfile_in(folder_of(&target))
        .map(drop)
        .map_err(bare)
}

/// An error about a hidden file without its name, which nobody asked for and which is gone.
pub fn bare(error: io::Error) -> io::Error {
    let told = error.to_string();
    match told.split_once(" at path ") {
        Some((what, _)) => io::Error::new(error.kind(), what.to_owned()),
        None => error,
    }
}

/// Where a file stands.
fn folder_of(target: &Path) -> &Path {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Writes the file `target` through `fill`; `failed` tells what went wrong in the caller's words. A device or a pipe is
/// written to as it is: it must not be replaced. A new file is as open as any other.
///
/// # Errors
/// As [`write_for`].
pub fn write<E>(
    target: &Path,
    failed: impl Fn(io::Error) -> E,
    fill: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<(), E> {
    write_for(target, Readers::Usual, failed, fill)
}

/// As [`write()`], and a new file is for these readers.
///
/// # Errors
/// When `fill` fails or the file can't be written. It is then as it was.
pub fn write_for<E>(
    target: &Path,
    readers: Readers,
    failed: impl Fn(io::Error) -> E,
    fill: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<(), E> {
    // A link stays one: what it leads to is replaced.
    let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
    let there = fs::metadata(&target).ok();
    if there.as_ref().is_some_and(|there| !there.is_file()) {
        PLACED.store(true, Ordering::Relaxed);
        return fill(&mut OpenOptions::new().write(true).open(&target).map_err(failed)?);
    }
    let mut options = tempfile::Builder::new();
    options.prefix(PREFIX);
    // One that is replaced stays as open as it was.
    options.permissions(there.map_or_else(|| new_file(readers), |there| there.permissions()));
    let mut file = options
        .tempfile_in(folder_of(&target))
        .map_err(|error| failed(bare(error)))?;
    let unfinished = Unfinished::new(file.path());
    fill(file.as_file_mut())?;
    finish(|| file.persist(&target)).map_err(|e| failed(e.error))?;
    drop(unfinished);
    Ok(())
}

#[cfg(unix)]
fn new_file(readers: Readers) -> Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    Permissions::from_mode(match readers {
        Readers::Usual => 0o666,
        Readers::Owner => 0o600,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn put(path: &Path, text: &str) -> io::Result<()> {
        write(path, |e| e, |file| file.write_all(text.as_bytes()))
    }

    fn names(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn an_error_names_no_hidden_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = ready(&folder.path().join("gone/a.hcl")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!error.to_string().contains(PREFIX), "{error}");
    }

    #[test]
    fn what_cannot_be_written_is_known_before() {
        let folder = tempfile::tempdir().unwrap();
        let kind = |path: &Path| ready(path).map_err(|error| error.kind());
        assert_eq!(kind(&folder.path().join("new")), Ok(()));
        assert_eq!(kind(&folder.path().join("none/new")), Err(io::ErrorKind::NotFound));
        assert_eq!(kind(folder.path()), Err(io::ErrorKind::IsADirectory));
        assert_eq!(kind(Path::new("/dev/null")), Ok(()));
        assert_eq!(names(folder.path()), 0, "and nothing is left of the look");
    }

    #[test]
    fn a_failed_write_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        put(&path, "old").unwrap();
        let error = write(
            &path,
            |e| e,
            |file| {
                file.write_all(b"half")?;
                Err(io::Error::other("full"))
            },
        );
        assert!(error.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), 1);
    }

    #[test]
    fn links_and_permissions_stay() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("x"), folder.path().join("link"));
        put(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        put(&link, "new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn what_is_for_its_owner_is_read_by_nobody_else() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write_for(&path, Readers::Owner, |e| e, |file| file.write_all(b"1")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_unfinished_is_taken_away_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let [file, dir, mine] = ["file", "dir", "mine"].map(|name| folder.path().join(name));
        fs::write(&file, "").unwrap();
        fs::write(&mine, "").unwrap();
        fs::create_dir_all(dir.join("below")).unwrap();
        let (file, dir) = (Unfinished::new(&file), Unfinished::new(&dir));
        let finished = Unfinished::new(&mine);
        drop(finished);
        take_away(
            &listed()
                .iter()
                .filter(|p| p.starts_with(folder.path()))
                .cloned()
                .collect(),
        );
        assert_eq!(names(folder.path()), 1);
        assert!(mine.exists());
        drop((file, dir));
    }

    #[test]
    fn a_device_is_never_replaced() {
        put(Path::new("/dev/null"), "x").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
