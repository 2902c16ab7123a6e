//! Files of a repository, read within bounds: regular ones below its root, no links out of it, nothing too large.

use super::globs::Globs;
use crate::origin::SourceText;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The largest file that is read.
pub const MAX_FILE: u64 = 32 * 1024 * 1024;
/// The most that is read through functions of Terraform in all.
const MAX_TOTAL: u64 = 256 * 1024 * 1024;
/// The most files that `fileset` finds.
const MAX_FOUND: usize = 100_000;
/// How many folders deep is looked.
pub const MAX_DEPTH: usize = 16;

/// The files below a root.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
    /// Texts that stand for those of the disk, by their path as read.
    overlay: HashMap<PathBuf, Arc<str>>,
    read: RefCell<HashMap<PathBuf, Arc<SourceText>>>,
    used: RefCell<BTreeSet<PathBuf>>,
    total: Cell<u64>,
}

impl Files {
    /// The files of the repository that `path` is in; of its folder, where it is in none.
    #[must_use]
    pub fn around(path: &Path, overlay: HashMap<PathBuf, Arc<str>>) -> Self {
        let folder = if path.is_dir() {
            path
        } else {
            path.parent()
                .filter(|p| !p.as_os_str().is_empty())
                .unwrap_or(Path::new("."))
        };
        let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
        let root = folder
            .ancestors()
            .find(|candidate| candidate.join(".git").exists())
            .unwrap_or(&folder)
            .to_path_buf();
        Self {
            root,
            overlay,
            read: RefCell::default(),
            used: RefCell::default(),
            total: Cell::new(0),
        }
    }

    /// The root of the repository.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Reads a file that is known to be one of those asked for.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn source(&self, path: &Path) -> Result<Arc<SourceText>, String> {
        if let Some(known) = self.read.borrow().get(path) {
            return Ok(Arc::clone(known));
        }
        let text: Arc<str> = match self.overlay.get(path) {
            Some(text) => Arc::clone(text),
            None => self.text(path)?.into(),
        };
        let source = Arc::new(SourceText::new(path.display().to_string(), text));
        self.read.borrow_mut().insert(path.to_path_buf(), Arc::clone(&source));
        Ok(source)
    }

    fn text(&self, path: &Path) -> Result<String, String> {
        let real = fs::canonicalize(path).map_err(|_| "there is no such file".to_owned())?;
        if !real.starts_with(&self.root) {
            return Err("it is outside of the repository".to_owned());
        }
        let about = fs::metadata(&real).map_err(|_| "it cannot be read".to_owned())?;
        if !about.is_file() {
            return Err("it is no plain file".to_owned());
        }
        if about.len() > MAX_FILE {
            return Err("it is larger than is read".to_owned());
        }
        let total = self.total.get().saturating_add(about.len());
        if total > MAX_TOTAL {
            return Err("the files are more than is read".to_owned());
        }
        self.total.set(total);
        let mut bytes = Vec::new();
        let file = File::open(&real).map_err(|_| "it cannot be read".to_owned())?;
        file.take(MAX_FILE)
            .read_to_end(&mut bytes)
            .map_err(|_| "it cannot be read".to_owned())?;
        String::from_utf8(bytes).map_err(|_| "it has bytes that are no UTF-8".to_owned())
    }

    /// Reads a file for a function such as `file()`, and keeps in mind that it was.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn function(&self, folder: &Path, name: &str) -> Result<Arc<SourceText>, String> {
        let path = joined(folder, name)?;
        let source = self.source(&path)?;
        self.used.borrow_mut().insert(path);
        Ok(source)
    }

    /// Whether a path is in the repository.
    #[must_use]
    pub fn holds(&self, path: &Path) -> bool {
        fs::canonicalize(path).is_ok_and(|real| real.starts_with(&self.root))
    }

    /// Whether there is such a file.
    #[must_use]
    pub fn exists(&self, folder: &Path, name: &str) -> bool {
        joined(folder, name)
            .is_ok_and(|path| fs::canonicalize(path).is_ok_and(|real| real.starts_with(&self.root) && real.is_file()))
    }

    /// The files below a folder that match a pattern, relative to the folder, sorted.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn set(&self, folder: &Path, name: &str, pattern: &str) -> Result<Vec<String>, String> {
        let base = joined(folder, name)?;
        let real = fs::canonicalize(&base).map_err(|_| "there is no such folder".to_owned())?;
        if !real.starts_with(&self.root) {
            return Err("it is outside of the repository".to_owned());
        }
        let glob = Globs::new(std::iter::once(pattern)).map_err(|_| "its pattern is not understood".to_owned())?;
        let mut found = Vec::new();
        self.below(&real, &real, 0, &glob, &mut found)?;
        found.sort();
        Ok(found)
    }

    fn below(
        &self,
        base: &Path,
        folder: &Path,
        depth: usize,
        glob: &Globs,
        found: &mut Vec<String>,
    ) -> Result<(), String> {
        let unread = |_| "it cannot be read".to_owned();
        for entry in fs::read_dir(folder).map_err(unread)? {
            let path = entry.map_err(unread)?.path();
            let kind = fs::symlink_metadata(&path).map_err(unread)?;
            if kind.is_dir() {
                if path.file_name().is_some_and(|n| n == ".git" || n == ".terraform") {
                    continue;
                }
                if depth >= MAX_DEPTH {
                    return Err("there are too many folders in each other".to_owned());
                }
                self.below(base, &path, depth + 1, glob, found)?;
                continue;
            }
            let Some(relative) = path.strip_prefix(base).ok().and_then(Path::to_str) else {
                return Err("a name is no UTF-8".to_owned());
            };
            if glob.matches(Path::new(relative)) {
                if found.len() >= MAX_FOUND {
                    return Err("there are too many files".to_owned());
                }
                found.push(relative.to_owned());
            }
        }
        Ok(())
    }

    /// The files that functions read.
    #[must_use]
    pub fn used(&self) -> BTreeSet<PathBuf> {
        self.used.borrow().clone()
    }
}

/// A path put together, `.` and `..` worked out by name.
fn joined(folder: &Path, name: &str) -> Result<PathBuf, String> {
    if name.is_empty() || name.contains('\0') {
        return Err("it has no name".to_owned());
    }
    if Path::new(name).is_absolute() {
        return Err("it is outside of the repository".to_owned());
    }
    Ok(tidy(&folder.join(name)))
}

/// A path without `.`, and with `..` taken off what stands before it.
#[must_use]
pub fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            _ => out.push(part),
        }
    }
    if out.as_os_str().is_empty() {
        out.push(".");
    }
    out
}
