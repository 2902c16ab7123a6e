//! Files of a repository, read within bounds: regular ones below its root, no links out of it, nothing too large.
//!
//! What is decided by which files there are is decided where Terraform runs, not here. So what is there counts only where it
//! is of the repository ([`Files::keeps`]), and that something is not there is never known.

use super::globs::{Globs, Ignored};
use super::text::digest_of;
use crate::files::Left;
use crate::origin::SourceText;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// The largest file that is read.
pub const MAX_FILE: usize = 32 * 1024 * 1024;
/// The most that is read through functions of Terraform in all.
const MAX_TOTAL: usize = 256 * 1024 * 1024;
/// The most files that `fileset` finds.
const MAX_FOUND: usize = 100_000;
/// How many folders deep is looked.
pub const MAX_DEPTH: usize = 16;

/// A file that gives variables of Terraform their values: where it is below its root, and what is read for it.
type FileOfVariables = (PathBuf, PathBuf);

/// The files below a root.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
    /// The folder that the user named, and where it is.
    named: PathBuf,
    real: PathBuf,
    /// Texts that stand for those of the disk, by their path as read.
    overlay: HashMap<PathBuf, Arc<str>>,
    read: RefCell<HashMap<PathBuf, Arc<SourceText>>>,
    used: RefCell<BTreeSet<PathBuf>>,
    listed: RefCell<HashMap<PathBuf, Rc<Vec<String>>>>,
    total: Cell<usize>,
    /// What files and folders are, where that can be read.
    digests: RefCell<HashMap<PathBuf, Option<Arc<str>>>>,
    /// What git knows.
    tracked: Tracked,
    variables: RefCell<Option<Rc<Vec<FileOfVariables>>>>,
}

/// Which files a repository has.
#[derive(Debug, Clone, Default)]
pub enum Tracked {
    /// Nobody asked git.
    #[default]
    Unasked,
    /// All that are here: they were taken out of it.
    All,
    /// These, by their real paths.
    These(Arc<BTreeSet<PathBuf>>),
}

/// What Terraform and those who run it leave in the folder that it runs in, some of each kind.
const LEFT_BEHIND: [&str; 20] = [
    ".terraform.lock.hcl",
    ".terraform.tfstate.lock.info",
    ".terraform/environment",
    ".terraform/modules/m/policies/a.hcl",
    ".terraform/modules/m/policies/a.json",
    ".terraform/modules/modules.json",
    ".terraform/providers/registry.terraform.io/p",
    ".terraform/terraform.tfstate",
    ".terragrunt-cache/a/b/main.tf",
    "backend.tfbackend",
    "crash.log",
    "errored.tfstate",
    "plan.json",
    "plan.out",
    "plan.txt",
    "prod.auto.tfvars",
    "terraform.tfstate",
    "terraform.tfstate.backup",
    "terraform.tfstate.d/prod/terraform.tfstate",
    "tfplan",
];
/// Said of what only the machine knows that Terraform runs on.
const ELSEWHERE: &str = "it is not known whether it is there where Terraform runs";

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
        let named = tidy(folder);
        let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
        let root = folder
            .ancestors()
            .find(|candidate| candidate.join(".git").exists())
            .map_or_else(|| folder.clone(), Path::to_path_buf);
        Self {
            root,
            named,
            real: folder,
            overlay,
            read: RefCell::default(),
            used: RefCell::default(),
            listed: RefCell::default(),
            total: Cell::new(0),
            digests: RefCell::default(),
            tracked: Tracked::Unasked,
            variables: RefCell::default(),
        }
    }

    /// With what git knows.
    #[must_use]
    pub fn tracked(self, tracked: Tracked) -> Self {
        Self { tracked, ..self }
    }

    /// Whether git has a file.
    #[must_use]
    pub fn has(&self, real: &Path) -> bool {
        match &self.tracked {
            Tracked::Unasked => false,
            Tracked::All => fs::symlink_metadata(real).is_ok(),
            Tracked::These(all) => all.contains(real),
        }
    }

    /// Whether a file that is here is there wherever Terraform runs: git has it, or where nobody asked git, it is none of those
    /// that tools leave behind.
    fn keeps(&self, real: &Path) -> bool {
        match &self.tracked {
            Tracked::All | Tracked::These(_) => self.has(real),
            Tracked::Unasked => !real.strip_prefix(&self.root).unwrap_or(real).iter().any(|part| {
                let name = part.to_string_lossy().to_lowercase();
                name.starts_with('.')
                    || [".tfstate", ".tfplan", ".tfvars", ".tfbackend"]
                        .iter()
                        .any(|kind| name.contains(kind))
                    || matches!(&*name, "tfplan" | "crash.log")
            }),
        }
    }

    /// The root of the repository.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path below the root of the repository, as it is read.
    #[must_use]
    pub fn at_root(&self, below: &str) -> PathBuf {
        tidy(&self.named.join(climbing(&self.real, &self.root.join(below))))
    }

    /// Reads a file that is known to be one of those asked for.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn source(&self, path: &Path) -> Result<Arc<SourceText>, String> {
        if let Some(known) = self.read.borrow().get(path) {
            return Ok(Arc::clone(known));
        }
        let over = self.overlay.get(path).cloned();
        let text: Arc<str> = match over.or_else(|| self.overlay.get(&self.plain(path)?).cloned()) {
            Some(text) => text,
            None => self.text(path)?.into(),
        };
        // What a link leads to is what a change has to be made to.
        let named = self.plain(path).unwrap_or_else(|| path.to_path_buf());
        let known = self.read.borrow().get(&named).cloned();
        if let Some(known) = known {
            self.read.borrow_mut().insert(path.to_path_buf(), Arc::clone(&known));
            return Ok(known);
        }
        let source = Arc::new(SourceText::new(named.display().to_string(), text));
        self.read.borrow_mut().insert(named, Arc::clone(&source));
        self.read.borrow_mut().insert(path.to_path_buf(), Arc::clone(&source));
        Ok(source)
    }

    fn text(&self, path: &Path) -> Result<String, String> {
        let real = self.inside(path, "file")?;
        let bytes = crate::files::read(&real, MAX_FILE).map_err(|error| match error.kind() {
            ErrorKind::InvalidInput => "it is no plain file".to_owned(),
            ErrorKind::FileTooLarge => "it is larger than is read".to_owned(),
            _ => "it cannot be read".to_owned(),
        })?;
        let total = self.total.get().saturating_add(bytes.len());
        if total > MAX_TOTAL {
            return Err("the files are more than is read".to_owned());
        }
        self.total.set(total);
        String::from_utf8(bytes).map_err(|_| "it has bytes that are no UTF-8".to_owned())
    }

    /// A path without links on its way below the folder that the user named.
    fn plain(&self, path: &Path) -> Option<PathBuf> {
        let here = self.named == Path::new(".") && path.is_relative();
        if !here && !path.starts_with(&self.named) {
            return None;
        }
        let real = fs::canonicalize(path).ok()?;
        let plain = tidy(&self.named.join(real.strip_prefix(&self.real).ok()?));
        (plain != tidy(path)).then_some(plain)
    }

    /// Reads a file for a function such as `file()`, and keeps in mind that it was.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn function(&self, folder: &Path, name: &str) -> Result<Arc<SourceText>, String> {
        let path = joined(folder, name)?;
        let source = self.source(&path)?;
        if !self.keeps(&self.inside(&path, "file")?) {
            return Err("the repository does not have it, and what it is where Terraform runs is not known".to_owned());
        }
        self.used.borrow_mut().extend([path, PathBuf::from(&*source.file)]);
        Ok(source)
    }

    /// What a file, or a folder with all that the repository has below it, is, and where; no digest where that cannot be read. None
    /// where the repository has nothing of the name. What Terraform itself reads of a folder is none of it.
    #[must_use]
    pub fn is_as(&self, folder: &Path, name: &str) -> Option<(PathBuf, Option<Arc<str>>)> {
        let path = joined(folder, name).ok()?;
        let real = self.inside(&path, "file").ok()?;
        let below = real.strip_prefix(&self.root).ok()?.to_path_buf();
        let is_there = real.is_dir() || self.keeps(&real) || self.overlay.contains_key(&path);
        is_there.then(|| (below, self.digest(&path)))
    }

    /// What a file, or a folder with all that the repository has below it, is; none where that cannot be read.
    #[must_use]
    pub fn digest(&self, path: &Path) -> Option<Arc<str>> {
        let real = self.inside(path, "file").ok()?;
        if let Some(known) = self.digests.borrow().get(&real) {
            return known.clone();
        }
        let is = match real.is_dir() {
            true => self.folder_is(path, &real),
            false => self.file_is(&real),
        };
        self.digests.borrow_mut().insert(real, is.clone());
        is
    }

    fn file_is(&self, real: &Path) -> Option<Arc<str>> {
        let bytes = crate::files::read(real, MAX_FILE).ok()?;
        let total = self.total.get().saturating_add(bytes.len());
        if total > MAX_TOTAL {
            return None;
        }
        self.total.set(total);
        Some(digest_of(&bytes))
    }

    fn folder_is(&self, folder: &Path, base: &Path) -> Option<Arc<str>> {
        let mut said = String::new();
        for name in self.below(folder, ".").ok()?.iter() {
            let file = base.join(name);
            if is_terraform(&file) || !self.keeps(&file) {
                continue;
            }
            // Of a link, what it leads to.
            let is = match self.inside(&file, "file") {
                Ok(real) => self.file_is(&real)?.to_string(),
                Err(_) => fs::read_link(&file).ok()?.display().to_string(),
            };
            said.push_str(&format!("\0{name}\0{is}"));
        }
        Some(digest_of(said.as_bytes()))
    }

    /// Whether a path is in the repository.
    #[must_use]
    pub fn holds(&self, path: &Path) -> bool {
        self.inside(path, "folder").is_ok()
    }

    /// Whether there is such a file.
    ///
    /// # Errors
    /// Where that is not for the repository to say.
    pub fn exists(&self, folder: &Path, name: &str) -> Result<bool, String> {
        let path = joined(folder, name)?;
        // Of what is not there, the folder that would hold it.
        let there = path.ancestors().find(|above| fs::symlink_metadata(above).is_ok());
        let real = self.inside(there.unwrap_or(&path), "file")?;
        if there == Some(&*path) && real.is_file() && self.keeps(&real) {
            return Ok(true);
        }
        Err(ELSEWHERE.to_owned())
    }

    /// The files below a folder that match a pattern, where no other may match it where Terraform runs, in `runs`.
    ///
    /// # Errors
    /// Where the pattern is none, or what it finds there is not known.
    pub fn matching(&self, runs: &Path, folder: &Path, name: &str, pattern: &str) -> Result<Vec<String>, String> {
        let glob = Globs::new(std::iter::once(pattern)).map_err(|_| "its pattern is not understood".to_owned())?;
        let base = self.inside(&joined(folder, name)?, "folder")?;
        let runs = self.inside(runs, "folder")?;
        let found: Vec<String> = self
            .below(folder, name)?
            .iter()
            .filter(|name| glob.matches(Path::new(name)) && self.keeps(&base.join(name)))
            .cloned()
            .collect();
        let other = |real: &Path| {
            let below = real.strip_prefix(&base).is_ok_and(|below| glob.matches(below));
            below && !self.has(real)
        };
        let left = LEFT_BEHIND.iter().any(|name| other(&runs.join(name)));
        // A name that the pattern stands for. What git leaves out comes from elsewhere.
        let example = base.join(pattern.replace("**", "x").replace(['*', '?'], "x"));
        let mut ignored = Ignored::default();
        let mut above: Vec<&Path> = example
            .ancestors()
            .take_while(|above| above.starts_with(&self.root))
            .collect();
        above.reverse();
        let out = above
            .iter()
            .any(|part| ignored.leaves_out(&self.root, part, **part != *example));
        let untold = example.iter().skip(base.iter().count()).any(|part| {
            let part = part.to_string_lossy();
            part.starts_with('.') && part != "." && part != ".."
                || part.contains(".tfstate")
                || part.contains(".tfvars")
        });
        // What nothing of the repository matches is meant for something else.
        if found.is_empty() || left || out || untold {
            return Err("what it finds where Terraform runs is not known".to_owned());
        }
        Ok(found)
    }

    /// The real place of something in the repository, links followed. What git keeps for itself is no part of it: no change
    /// can bring it, and it holds what nobody is to see.
    fn inside(&self, path: &Path, what: &str) -> Result<PathBuf, String> {
        let real = fs::canonicalize(path).map_err(|_| format!("there is no such {what}"))?;
        let Ok(below) = real.strip_prefix(&self.root) else {
            return Err("it is outside of the repository".to_owned());
        };
        if below
            .components()
            .any(|part| part.as_os_str().eq_ignore_ascii_case(".git"))
        {
            return Err("it is git's own".to_owned());
        }
        Ok(real)
    }

    /// All files below a folder, relative to it, sorted.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn below(&self, folder: &Path, name: &str) -> Result<Rc<Vec<String>>, String> {
        let base = self.inside(&joined(folder, name)?, "folder")?;
        if let Some(known) = self.listed.borrow().get(&base) {
            return Ok(Rc::clone(known));
        }
        let mut found = Vec::new();
        list(&base, &base, 0, &mut found)?;
        found.sort();
        let found = Rc::new(found);
        self.listed.borrow_mut().insert(base, Rc::clone(&found));
        Ok(found)
    }

    /// The files of the whole repository that give variables of Terraform values: where each is below its root, and what to
    /// read it by.
    #[must_use]
    pub fn variable_files(&self) -> Rc<Vec<(PathBuf, PathBuf)>> {
        if let Some(known) = &*self.variables.borrow() {
            return Rc::clone(known);
        }
        let all: Vec<PathBuf> = match &self.tracked {
            Tracked::These(all) => all.iter().cloned().collect(),
            Tracked::All | Tracked::Unasked => {
                let listing = crate::files::below(&self.root);
                let links = listing.left.into_iter().filter(|(_, left)| matches!(left, Left::Link));
                let found = listing.found.into_iter().map(|found| found.path);
                found.chain(links.map(|(path, _)| path)).collect()
            }
        };
        let files: Vec<(PathBuf, PathBuf)> = all
            .into_iter()
            .filter(|path| gives_variables(path))
            .filter_map(|path| {
                let below = path.strip_prefix(&self.root).ok()?.to_path_buf();
                Some((below, tidy(&self.named.join(climbing(&self.real, &path)))))
            })
            .collect();
        let files = Rc::new(files);
        *self.variables.borrow_mut() = Some(Rc::clone(&files));
        files
    }

    /// Whether there are files of Terraform in a folder below the root.
    #[must_use]
    pub fn holds_terraform(&self, below: &Path) -> bool {
        let entries = fs::read_dir(self.root.join(below)).into_iter().flatten().flatten();
        let mut names = entries.map(|entry| PathBuf::from(entry.file_name()));
        names.any(|name| is_terraform(&name))
    }

    /// Where a folder is below the root.
    #[must_use]
    pub fn below_root(&self, folder: &Path) -> Option<PathBuf> {
        let real = fs::canonicalize(folder).ok()?;
        real.strip_prefix(&self.root).ok().map(Path::to_path_buf)
    }

    /// The files that functions read.
    #[must_use]
    pub fn used(&self) -> BTreeSet<PathBuf> {
        self.used.borrow().clone()
    }
}

/// Adds the files below `folder` by their names below `base`.
fn list(base: &Path, folder: &Path, depth: usize, found: &mut Vec<String>) -> Result<(), String> {
    let unread = |_| "it cannot be read".to_owned();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        let kind = fs::symlink_metadata(&path).map_err(unread)?;
        if kind.is_dir() {
            if path
                .file_name()
                .is_some_and(|n| n.eq_ignore_ascii_case(".git") || n == ".terraform")
            {
                continue;
            }
            if depth >= MAX_DEPTH {
                return Err("there are too many folders in each other".to_owned());
            }
            list(base, &path, depth + 1, found)?;
            continue;
        }
        let Some(relative) = path.strip_prefix(base).ok().and_then(Path::to_str) else {
            return Err("a name is no UTF-8".to_owned());
        };
        if found.len() >= MAX_FOUND {
            return Err("there are too many files".to_owned());
        }
        found.push(relative.to_owned());
    }
    Ok(())
}

/// Whether a file is of Terraform or OpenTofu. Both go by the letters as they are: `x.TF` is none of theirs.
#[must_use]
pub fn is_terraform(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy()).unwrap_or_default();
    [".tf", ".tofu", ".tf.json", ".tofu.json"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Whether a file gives variables of Terraform their values.
#[must_use]
pub fn gives_variables(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    name.ends_with(".tfvars") || name.ends_with(".tfvars.json")
}

/// The way from one folder to another place that need not be below it.
#[must_use]
pub fn climbing(from: &Path, to: &Path) -> String {
    let mut up = String::new();
    for above in from.ancestors() {
        if let Ok(rest) = to.strip_prefix(above) {
            return format!("{up}{}", rest.display());
        }
        up.push_str("../");
    }
    to.display().to_string()
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
