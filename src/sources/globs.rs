//! Patterns of file names, and what `.gitignore` leaves out.

use crate::hint::Hint;
use glob::{MatchOptions, Pattern};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The most patterns that one with `{a,b}` stands for.
const MAX_SPREAD: usize = 100;
/// The largest `.gitignore` that is read.
const MAX_RULES: u64 = 1024 * 1024;

const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// Why a pattern cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the pattern `{0}` is not understood")]
pub struct PatternError(pub String);

impl Hint for PatternError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("docs/settings.md lists every setting"))
    }
}

/// Patterns, any of which may match.
#[derive(Debug, Default)]
pub struct Globs(Vec<Pattern>);

impl Globs {
    /// Of patterns with `*`, `**`, `?`, `[…]` and `{a,b}`.
    ///
    /// # Errors
    /// Where one is none.
    pub fn new<'p>(patterns: impl Iterator<Item = &'p str>) -> Result<Self, PatternError> {
        let mut all = Vec::new();
        for pattern in patterns {
            let odd = || PatternError(pattern.to_owned());
            for one in spread(pattern).ok_or_else(odd)? {
                all.push(Pattern::new(&one).map_err(|_| odd())?);
            }
        }
        Ok(Self(all))
    }

    /// Whether one of them matches.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        self.0.iter().any(|pattern| pattern.matches_path_with(path, OPTIONS))
    }
}

/// `{a,b}` written out.
fn spread(pattern: &str) -> Option<Vec<String>> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(next) = open.pop() {
        if done.len() + open.len() > MAX_SPREAD {
            return None;
        }
        // The innermost first: it holds no other.
        let Some(end) = next.find('}') else {
            done.push(next);
            continue;
        };
        let start = next.get(..end)?.rfind('{')?;
        let (before, inner, after) = (next.get(..start)?, next.get(start + 1..end)?, next.get(end + 1..)?);
        open.extend(inner.split(',').map(|choice| format!("{before}{choice}{after}")));
    }
    Some(done)
}

/// A line of a `.gitignore`.
#[derive(Debug)]
struct Rule {
    patterns: Globs,
    keeps: bool,
    folders_only: bool,
    /// Whether it is about the path below its folder, and not about names anywhere.
    anchored: bool,
}

/// What the `.gitignore` files of a repository leave out.
#[derive(Debug, Default)]
pub struct Ignored {
    rules: HashMap<PathBuf, Vec<Rule>>,
}

impl Ignored {
    /// Whether a file or folder is left out by the files from `top` down to it.
    pub fn leaves_out(&mut self, top: &Path, path: &Path, folder: bool) -> bool {
        let Some(parent) = path.parent() else {
            return false;
        };
        let mut above: Vec<&Path> = parent.ancestors().take_while(|a| a.starts_with(top)).collect();
        above.reverse();
        let mut out = false;
        for base in above {
            let Ok(below) = path.strip_prefix(base) else { continue };
            for rule in self.rules.entry(base.to_path_buf()).or_insert_with(|| rules(base)) {
                let name = Path::new(path.file_name().unwrap_or_default());
                let subject = if rule.anchored { below } else { name };
                if (folder || !rule.folders_only) && rule.patterns.matches(subject) {
                    out = !rule.keeps;
                }
            }
        }
        out
    }
}

/// The rules of a folder's `.gitignore`. A line that is not understood leaves nothing out.
fn rules(folder: &Path) -> Vec<Rule> {
    let file = folder.join(".gitignore");
    let plain = fs::symlink_metadata(&file).is_ok_and(|about| about.is_file() && about.len() <= MAX_RULES);
    if !plain {
        return Vec::new();
    }
    let text = fs::read(&file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines()
        .filter_map(|line| {
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                return None;
            }
            let (keeps, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
            let (folders_only, line) = line.strip_suffix('/').map_or((false, line), |rest| (true, rest));
            let anchored = line.contains('/');
            let line = line
                .strip_prefix('/')
                .unwrap_or(line)
                .replace('{', "[{]")
                .replace('}', "[}]");
            let pattern = Pattern::new(&line).ok()?;
            Some(Rule {
                patterns: Globs(vec![pattern]),
                keeps,
                folders_only,
                anchored,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_terraform_and_people_mean_them() {
        let check = |pattern: &str, path: &str| Globs::new(std::iter::once(pattern)).unwrap().matches(Path::new(path));
        assert!(check("*.hcl", "a.hcl") && !check("*.hcl", "b/a.hcl"));
        assert!(check("**/*.hcl", "a.hcl") && check("**/*.hcl", "b/c/a.hcl"));
        assert!(check("{a,b/{c,d}}.hcl", "b/d.hcl") && !check("{a,b}.hcl", "c.hcl"));
        assert!(Globs::new(std::iter::once("a}")).is_err());
        assert!(Globs::new(std::iter::once("{a,b}".repeat(20).as_str())).is_err());
    }

    #[test]
    fn ignore_files_leave_out_what_git_leaves_out() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        fs::create_dir_all(top.join("a/b")).unwrap();
        fs::write(top.join(".gitignore"), "# so\nout/\n*.tmp\n!keep.tmp\n/a/b/x\n").unwrap();
        fs::write(top.join("a/.gitignore"), "y\n").unwrap();
        let mut ignored = Ignored::default();
        let mut out = |path: &str, folder: bool| ignored.leaves_out(top, &top.join(path), folder);
        assert!(out("out", true) && !out("out", false));
        assert!(out("a/b/c.tmp", false) && !out("a/keep.tmp", false));
        assert!(out("a/b/x", false) && !out("x", false));
        assert!(out("a/b/y", false) && !out("y", false));
    }
}
