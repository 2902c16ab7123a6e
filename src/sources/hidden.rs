//! What is hidden: files and folders whose names begin with a dot. Whoever deploys from a folder may name a hidden one, so what would be read,
//! or named, if it were not hidden is named.

use super::documents::is_document;
use super::files::{self, Files};
use super::terraform;
use super::text::{self, is_so};
use super::{Problem, Reader};
use crate::origin::Origin;
use crate::policy::load::{Skipped, Why};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

impl Reader<'_> {
    /// Whether Terraform leaves a file in its folder, and git does not have it: no change brings it.
    pub(super) fn is_left_behind(&self, path: &Path) -> bool {
        let is_own = |part: &std::ffi::OsStr| part == ".terraform" || part == ".terragrunt-cache";
        path.iter().any(is_own) && {
            let files = Files::around(path, HashMap::new()).tracked(self.options.tracked.clone());
            !std::fs::canonicalize(path).is_ok_and(|real| files.has(&real))
        }
    }

    /// Names what is hidden and would be read, or named, if it were not: whoever deploys from a folder may name a hidden one.
    pub(super) fn hidden(&mut self, hidden: &[PathBuf]) {
        let mut folders: BTreeMap<&Path, Vec<&PathBuf>> = BTreeMap::new();
        for path in hidden {
            if self.is_left_behind(path) {
                continue;
            }
            let name = path.file_name().unwrap_or_default();
            match path.parent() {
                // Terraform passes over names that begin with a dot, not over folders.
                Some(_) if files::is_terraform(path) && name.as_encoded_bytes().starts_with(b".") => {}
                Some(folder) if files::is_terraform(path) => folders.entry(folder).or_default().push(path),
                _ if is_document(path) => self.hidden_document(path),
                _ => {}
            }
        }
        for (folder, all) in folders {
            self.hidden_module(folder, &all);
        }
    }

    pub(super) fn hidden_document(&mut self, path: &PathBuf) {
        let mut aside = Reader::new(self.dialect, self.names, self.options, self.exclude, self.by_settings);
        aside.document(path, false);
        self.plans.append(&mut aside.plans);
        let before = self.read.news.len();
        let taking = aside.taking.into_iter();
        self.taking.extend(taking.map(|(n, names)| (before + n, names)));
        for (name, is) in aside.objects {
            self.objects.entry(name).or_default().extend(is);
        }
        self.read.news.append(&mut aside.read.news);
        if !(aside.read.files.is_empty() && aside.read.unread.is_empty() && aside.through.is_empty()) {
            self.hides(&[path], &[]);
        }
    }

    pub(super) fn hidden_module(&mut self, folder: &Path, all: &[&PathBuf]) {
        let read = self.read.files.iter().map(|(path, _)| path.as_path());
        let named = self.read.unread.iter().map(|one| Path::new(&*one.origin.file));
        // One that others call is read as they call it.
        if read.chain(named).any(|path| path.parent() == Some(folder)) {
            return;
        }
        let files = Files::around(folder, self.options.overlay.clone()).tracked(self.options.tracked.clone());
        let content = terraform::read(&files, &BTreeSet::from([folder.to_path_buf()]), &BTreeSet::new(), true);
        if content.found.is_empty() && content.unread.is_empty() {
            return;
        }
        let found = content.found.iter();
        let mut said: Vec<&str> = found
            .flat_map(|one| [&*one.namespace, &one.name, &one.text.text])
            .collect();
        said.extend(content.unread.iter().map(|one| one.same.as_deref().unwrap_or(&one.why)));
        self.hides(all, &said);
    }

    /// Names hidden files that hold policies, or what may write some, once.
    pub(super) fn hides(&mut self, all: &[&PathBuf], said: &[&str]) {
        let Some(first) = all.first() else { return };
        let is_here = |one: &Skipped| all.iter().any(|path| **path == one.path);
        let of_them = |one: &&Skipped| is_here(one) && one.is_suspect(self.dialect);
        if self.read.skipped.iter().filter(of_them).count() > 0 {
            // It is named as it is.
            return;
        }
        self.read.skipped.retain(|one| !is_here(one));
        let is_so = |path: &&PathBuf| {
            let bytes = crate::files::read(path, files::MAX_FILE).ok()?;
            Some(is_so(path, &bytes).to_string())
        };
        // What cannot be read is not known to be the same.
        let whole: Option<Vec<String>> = all.iter().map(is_so).collect();
        let whole = whole.map(|mut whole| {
            whole.extend(said.iter().map(|one| (*one).to_owned()));
            text::digest(&whole.join("\0"))
        });
        let file = first.display().to_string();
        self.read.unread.push(Problem {
            why: format!(
                "it was not read: {}, and it holds a policy, or what may write one",
                Why::Hidden
            ),
            origin: Origin::new(file.as_str(), 1, 1),
            what: file,
            policy: None,
            same: whole,
        });
    }
}
