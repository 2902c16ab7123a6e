//! Templates of policies, and the files of values beside them: what comes out is known to who fills them in.

use super::files::{self, Files};
use super::text::is_so;
use super::{Problem, Reader, opens_policy, suspicious};
use crate::origin::{Origin, SourceText};
use crate::policy::load::{Doubt, Skipped};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Reader<'_> {
    /// The text of a template that shows a policy.
    pub(super) fn shown_template(&self, path: &Path) -> Option<Arc<SourceText>> {
        const ENDS: [&str; 12] = [
            "tpl", "tftpl", "gotpl", "tmpl", "ctmpl", "gotmpl", "template", "j2", "jinja", "jinja2", "erb", "mustache",
        ];
        let end = path.extension().map(|end| end.to_string_lossy().to_lowercase());
        if !end.is_some_and(|end| ENDS.contains(&&*end)) {
            return None;
        }
        let files = Files::around(path, self.options.overlay.clone());
        let source = files.source(path).ok()?;
        (opens_policy(&source.text) || suspicious(&source.text)).then_some(source)
    }

    /// Names a template that shows a policy, whatever stands in it; whether it is named here.
    pub(super) fn template(&mut self, one: &Skipped) -> bool {
        let Some(source) = self.shown_template(&one.path) else {
            return false;
        };
        self.templates
            .push(one.path.parent().map(files::tidy).unwrap_or_default());
        if one.doubt(self.dialect) == Some(Doubt::Policy) {
            return false;
        }
        self.read.unread.push(Problem {
            what: source.file.to_string(),
            why: "it is a template of a policy, and was not rendered".to_owned(),
            origin: Origin::new(Arc::clone(&source.file), 1, 1),
            policy: None,
            same: Some(is_so(&one.path, source.text.as_bytes())),
        });
        true
    }

    /// Names files of values beside templates of policies, or below them: what comes out hangs on them.
    pub(super) fn values(&mut self) {
        if self.templates.is_empty() {
            return;
        }
        let skipped = self.read.skipped.iter().map(|one| &one.path);
        let files: BTreeSet<PathBuf> = self.read.others.iter().chain(skipped).cloned().collect();
        for path in files {
            const ENDS: [&str; 9] = [
                "json",
                "yaml",
                "yml",
                "toml",
                "ini",
                "env",
                "properties",
                "conf",
                "tfvars",
            ];
            let end = path.extension().map(|end| end.to_string_lossy().to_lowercase());
            let tidy = files::tidy(&path);
            let beside = self
                .templates
                .iter()
                .any(|folder| tidy.parent().is_some_and(|own| own.starts_with(folder)));
            if !beside || !end.is_some_and(|end| ENDS.contains(&&*end)) {
                continue;
            }
            let around = Files::around(&path, self.options.overlay.clone());
            let source = around.source(&path);
            let file: Arc<str> = match &source {
                Ok(source) => Arc::clone(&source.file),
                Err(_) => path.display().to_string().into(),
            };
            let problem = |why: String, same| Problem {
                what: file.to_string(),
                why,
                origin: Origin::new(Arc::clone(&file), 1, 1),
                policy: None,
                same,
            };
            match source {
                Ok(source) => self.read.news.push(problem(
                    "a template of a policy lies beside it, and what it makes of it is not known".to_owned(),
                    Some(is_so(&path, source.text.as_bytes())),
                )),
                // Whether it is as it was before is not known either.
                Err(why) => self.read.unread.push(problem(
                    format!("a template of a policy lies beside it, and {why}"),
                    None,
                )),
            }
        }
    }
}
