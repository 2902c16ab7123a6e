//! Who owns which file of a repository, as its `CODEOWNERS` says.

use super::globs::Globs;
use crate::files;
use std::path::{Path, PathBuf};

/// The largest `CODEOWNERS` that is read.
const MAX_BYTES: usize = 3 * 1024 * 1024;
/// Where GitHub and GitLab look for it, the first one counts.
const PLACES: [&str; 4] = [
    ".github/CODEOWNERS",
    ".gitlab/CODEOWNERS",
    "CODEOWNERS",
    "docs/CODEOWNERS",
];

/// The owners of files.
#[derive(Debug, Default)]
pub struct Owners {
    root: PathBuf,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    patterns: Globs,
    owners: String,
}

impl Owners {
    /// Of the repository that a path is in; nobody's where it has no `CODEOWNERS`.
    #[must_use]
    pub fn around(path: &Path) -> Self {
        let root = super::files::Files::around(path, Default::default())
            .root()
            .to_path_buf();
        let text = PLACES
            .iter()
            .find_map(|place| files::read(&root.join(place), MAX_BYTES).ok())
            .unwrap_or_default();
        let rules = String::from_utf8_lossy(&text).lines().filter_map(rule).collect();
        Self { root, rules }
    }

    /// The owners of a file, as they are written; none where there are none.
    #[must_use]
    pub fn of(&self, file: &Path) -> Option<&str> {
        if self.rules.is_empty() {
            return None;
        }
        let real = std::fs::canonicalize(file).ok()?;
        let below = real.strip_prefix(&self.root).ok()?;
        // The last rule that matches counts, also where it names nobody.
        let rule = self.rules.iter().rev().find(|rule| rule.patterns.matches(below))?;
        (!rule.owners.is_empty()).then_some(rule.owners.as_str())
    }
}

/// A line of a `CODEOWNERS`. Heads of sections and what is no pattern say nothing.
fn rule(line: &str) -> Option<Rule> {
    let line = line.split(" #").next().unwrap_or(line).trim();
    if line.is_empty() || line.starts_with(['#', '[', '^']) {
        return None;
    }
    let (pattern, owners) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let folder = pattern.ends_with('/');
    let bare = pattern.trim_matches('/');
    // Without a slash inside it is about names anywhere.
    let anchored = pattern.trim_end_matches('/').contains('/');
    let top = if anchored || bare == "*" || bare == "**" {
        bare.to_owned()
    } else {
        format!("**/{bare}")
    };
    let mut patterns = vec![format!("{top}/**/*")];
    if !folder {
        // `docs/*` is about the files there, and not about those of folders below.
        if anchored && bare.ends_with("/*") {
            patterns.clear();
        }
        patterns.push(if bare == "*" { "**/*".to_owned() } else { top });
    }
    Some(Rule {
        patterns: Globs::new(patterns.iter().map(String::as_str)).ok()?,
        owners: owners.split_whitespace().collect::<Vec<_>>().join(" "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_last_rule_that_matches_says_who_owns_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [
            ".git/HEAD",
            "a/x.hcl",
            "a/b/x.hcl",
            "a/b/y.tf",
            "docs/d/x",
            "docs/x",
            "free/x",
        ] {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs::write(at(name), "").unwrap();
        }
        let owners = |text: &str, file: &str| {
            fs::write(at("CODEOWNERS"), text).unwrap();
            Owners::around(&at("a")).of(&at(file)).map(str::to_owned)
        };
        let text = "# all\n* @all\n*.tf   @infra  @net # so\n/a/b/ @b\n/docs/* @docs\n[Section]\nfree/\n";
        let says = |file: &str, owner: Option<&str>| assert_eq!(owners(text, file).as_deref(), owner, "{file}");
        says("a/x.hcl", Some("@all"));
        says("a/b/x.hcl", Some("@b"));
        says("a/b/y.tf", Some("@b"));
        says("docs/x", Some("@docs"));
        says("docs/d/x", Some("@all"));
        says("free/x", None);
        assert_eq!(owners("*.tf @infra @net\n", "a/b/y.tf").as_deref(), Some("@infra @net"));
        assert_eq!(owners("", "a/x.hcl"), None);
        assert_eq!(owners("* @all\n", "gone"), None);
    }
}
