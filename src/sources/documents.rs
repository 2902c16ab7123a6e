//! Documents of YAML and JSON: resources of Kubernetes, plans, answers of servers, what settings name, and policies in JSON.

use super::files::{self, Files};
use super::node::{self, Kind, Node};
use super::{Reader, manifest, plan, suspicious, text, yaml};
use crate::origin::{Origin, SourceText, Spelling};
use crate::policy::load::{self, LoadCause, LoadError};
use crate::policy::model::Policy;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Reader<'_> {
    /// Reads YAML and JSON.
    pub(super) fn documents(&mut self, listed: &[PathBuf], named: &BTreeSet<PathBuf>, paths: &[PathBuf]) {
        let given = paths.iter().filter(|path| named.contains(&files::tidy(path)));
        let all: Vec<PathBuf> = listed
            .iter()
            .chain(given)
            .filter(|path| is_document(path))
            .cloned()
            .collect();
        for path in all {
            if files::is_terraform(&path) {
                continue;
            }
            self.document(&path, named.contains(&files::tidy(&path)));
        }
        for through in std::mem::take(&mut self.through) {
            match through.placed(&self.providers) {
                Ok(found) => self.found(&found),
                Err(problem) => self.read.unread.push(problem),
            }
        }
    }

    pub(super) fn document(&mut self, path: &Path, by_name: bool) {
        let files = Files::around(path, self.options.overlay.clone());
        let source = match files.source(path) {
            Ok(source) => source,
            Err(why) => {
                let file: Arc<str> = path.display().to_string().into();
                return self.unread(&file, why, Origin::new(Arc::clone(&file), 1, 1));
            }
        };
        let json = is_json(path);
        let roots: Vec<Node> = if json {
            match node::stream(&source, Spelling::Json) {
                Ok(all) => all,
                Err(trouble) if trouble.is_bound() => {
                    let origin = source.place(trouble.offset);
                    return self.unread(&source.file, trouble.why, origin);
                }
                // What is broken may be a policy all the same: its own reader tells.
                Err(_) if self.is_policy(path) => return self.policy_file(path, by_name),
                Err(trouble) => match yaml::documents(&source) {
                    // Who reads YAML takes it, comments, several documents and all.
                    Ok(roots)
                        if roots
                            .iter()
                            .any(|root| matches!(root.kind, Kind::Map(_) | Kind::List(_))) =>
                    {
                        roots
                    }
                    _ if suspicious(&source.text) || load::holds_policy(&source.text) => {
                        let origin = source.place(trouble.offset);
                        return self.unread(&source.file, format!("it cannot be read: {}", trouble.why), origin);
                    }
                    _ => return self.policy_file(path, by_name),
                },
            }
        } else {
            match yaml::documents(&source) {
                Ok(roots) => roots,
                Err(_) if source.text.contains("{{") => {
                    if suspicious(&source.text) {
                        self.chart(path);
                        let origin = Origin::new(Arc::clone(&source.file), 1, 1);
                        self.unread(
                            &source.file,
                            "it is a template, and was not rendered".to_owned(),
                            origin,
                        );
                    } else {
                        self.read.others.push(path.to_path_buf());
                    }
                    return;
                }
                Err(trouble) => {
                    if suspicious(&source.text) || by_name || trouble.is_bound() {
                        let origin = source.place(trouble.offset);
                        self.unread(&source.file, format!("it cannot be read: {}", trouble.why), origin);
                    } else {
                        self.read.others.push(path.to_path_buf());
                    }
                    return;
                }
            }
        };
        if source.text.contains("{{") && suspicious(&source.text) {
            self.chart(path);
        }
        let before = self.read.files.len() + self.read.unread.len();
        let mut known = false;
        for root in &roots {
            known |= self.root(path, &source, root);
        }
        let nothing = !known && self.read.files.len() + self.read.unread.len() == before;
        let is_policy = roots.iter().any(|root| root.get("path").is_some());
        // A policy may stand beside something else, as a value of its own.
        if json && (is_policy && (nothing || roots.len() > 1) || by_name && nothing) {
            self.policy_file(path, by_name);
        } else if nothing {
            self.read.others.push(path.to_path_buf());
        }
    }

    /// Whether a document that cannot be read is a policy that grants something, or shows that it was to be one.
    pub(super) fn is_policy(&self, path: &Path) -> bool {
        let is_one = |read: &Result<Policy, LoadError>| match read {
            Ok(policy) => !policy.stanzas.is_empty(),
            Err(error) => matches!(error.cause, LoadCause::Parse(_)),
        };
        match self.plain.get(&files::tidy(path)) {
            Some(read) => is_one(read),
            None => {
                let listed = load::files(&[path.to_path_buf()], self.dialect, self.names);
                listed.files.iter().any(|(_, read)| is_one(read))
            }
        }
    }

    /// Notes a template of a chart: its values lie beside it, or beside its folder.
    pub(super) fn chart(&mut self, path: &Path) {
        let folder = path.parent().map(files::tidy).unwrap_or_default();
        let chart = folder
            .ancestors()
            .find(|above| above.ends_with("templates"))
            .and_then(Path::parent);
        let chart = chart.map(Path::to_path_buf);
        self.templates.push(chart.unwrap_or(folder));
    }

    /// Reads a document; whether it is one of the kinds known.
    pub(super) fn root(&mut self, path: &Path, source: &Arc<SourceText>, root: &Node) -> bool {
        let tidy = files::tidy(path);
        let settings = self.by_settings.iter().find(|(glob, _)| {
            let mut tails = tidy.ancestors().filter_map(|above| tidy.strip_prefix(above).ok());
            glob.matches(&tidy) || tails.any(|tail| glob.matches(tail))
        });
        if let Some((_, settings)) = settings {
            let content = manifest::by_settings(source, root, settings);
            let any = !content.found.is_empty() || !content.unread.is_empty();
            content.found.iter().for_each(|found| self.found(found));
            self.read.unread.extend(content.unread);
            return any;
        }
        if let Some(content) = plan::read(source, root) {
            self.plans.insert(files::tidy(path));
            content.found.iter().for_each(|found| self.found(found));
            self.read.unread.extend(content.unread);
            if let Some(before) = content.before {
                let parsed: Vec<Policy> = before.iter().filter_map(|found| self.parsed(found).ok()).collect();
                self.read.before.get_or_insert_default().extend(parsed);
            }
            return true;
        }
        if is_json(path) && root.get("path").is_some() && root.get("kind").is_none() {
            // A policy in JSON.
            return false;
        }
        let mut content = manifest::read(source, root);
        let read = self.beside(path, &content.names);
        for one in content.news.iter_mut().filter(|_| read.as_deref() != Some("")) {
            let both = one.same.take().zip(read.as_deref());
            one.same = both.map(|(own, read)| text::digest(&format!("{own}{read}")));
        }
        let any = !content.found.is_empty()
            || !content.through.is_empty()
            || !content.unread.is_empty()
            || !content.news.is_empty();
        self.through.extend(content.through);
        self.providers.extend(content.providers);
        content.found.iter().for_each(|found| self.found(found));
        self.read.unread.extend(content.unread);
        if !content.sources.is_empty() && !content.news.is_empty() {
            self.taking.push((self.read.news.len(), content.sources));
        }
        self.read.news.extend(content.news);
        for one in content.objects {
            let files = self.beside(path, &one.files);
            let is = files.map(|files| text::digest(&format!("{}{files}", one.is)));
            self.objects.entry(one.name).or_default().insert(is);
        }
        any
    }

    /// What files beside one say, of those that words in it name; none where one is there and cannot be read.
    pub(super) fn beside(&self, path: &Path, names: &[Arc<str>]) -> Option<String> {
        let files = Files::around(path, self.options.overlay.clone());
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut said = String::new();
        for name in names.iter().filter(|name| !name.is_empty() && !name.starts_with('/')) {
            let named = files::tidy(&folder.join(&**name));
            let is = match files.source(&named) {
                Ok(source) => text::digest(&source.text),
                // Most words name no file. What is no text is as its bytes are.
                Err(_) if std::fs::metadata(&named).is_ok_and(|found| found.is_file()) => {
                    text::digest_of(&crate::files::read(&named, files::MAX_FILE).ok()?)
                }
                Err(_) => continue,
            };
            said.push_str(&format!("\0{name}\0{is}"));
        }
        Some(said)
    }

    /// What takes values from resources is made of these, too.
    pub(super) fn taken(&mut self) {
        for (n, names) in std::mem::take(&mut self.taking) {
            let Some(one) = self.read.news.get_mut(n) else { continue };
            let all = names.iter().filter_map(|name| self.objects.get(name)).flatten();
            let said: Option<Vec<&str>> = all.map(Option::as_deref).collect();
            let both = one.same.take().zip(said);
            one.same = both.map(|(own, said)| text::digest(&format!("{own}\0{}", said.join("\0"))));
        }
    }

    /// A file that is a policy itself.
    pub(super) fn policy_file(&mut self, path: &Path, by_name: bool) {
        if let Some(read) = self.plain.remove(&files::tidy(path)) {
            return self.read.files.push((path.to_path_buf(), read));
        }
        let listed = load::files(&[path.to_path_buf()], self.dialect, self.names);
        for (path, read) in listed.files {
            match read {
                Err(error) if !by_name && matches!(error.cause, LoadCause::NoPolicy { .. }) => {
                    self.read.others.push(path);
                }
                read => self.read.files.push((path, read)),
            }
        }
    }
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"))
}

/// Whether a file is read as a document of JSON or YAML.
pub(super) fn is_document(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    if name == "kustomization" {
        return true;
    }
    [".json", ".yaml", ".yml", ".tfstate"]
        .iter()
        .any(|end| name.ends_with(end))
}
