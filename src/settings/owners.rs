//! To whom policies and principals belong: patterns of the settings, metadata, or a `CODEOWNERS` file.

use crate::files;
use crate::hint::Cause;
use crate::sources::globs::Globs;
use crate::vault::secret;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The most that a `CODEOWNERS` file may have.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// What the settings say of owners.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnersFile {
    /// A key of the metadata of entities and groups whose value is the owner.
    pub metadata: Option<String>,
    /// A `CODEOWNERS` file for the files of policies, seen from the settings.
    pub codeowners: Option<PathBuf>,
    /// Who owns what.
    pub of: Vec<Owned>,
}

/// What somebody owns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Owned {
    /// Who.
    pub owner: String,
    /// Policies by name, with the namespace in front: patterns.
    pub policies: Vec<String>,
    /// Paths and mounts: what begins so; a policy is theirs if all its stanzas are.
    pub paths: Vec<String>,
}

/// Owners, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    /// The key of metadata.
    pub metadata: Option<String>,
    /// Who owns what.
    pub of: Vec<Owned>,
    /// Patterns of files with their owner, of `CODEOWNERS`: the last that matches counts.
    pub files: Vec<(String, String)>,
    /// The folder that these patterns are seen from.
    pub folder: PathBuf,
}

/// Why owners can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OwnersError {
    /// The `CODEOWNERS` file could not be read.
    #[error("cannot read owners in `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A pattern, or a name that is missing.
    #[error("owners cannot be used: {0}")]
    Form(#[source] Cause),
}

impl Owned {
    /// People put tokens where they do not belong.
    fn without_secrets(self) -> Self {
        let owner = secret::identity(self.owner.into()).into_owned();
        Self { owner, ..self }
    }
}

impl Owners {
    /// Of what the settings in this file say.
    ///
    /// # Errors
    /// When a file can't be read or a pattern is none.
    pub fn new(file: OwnersFile, settings: &Path) -> Result<Self, OwnersError> {
        for owned in &file.of {
            if owned.owner.trim().is_empty() {
                return Err(OwnersError::Form("an entry of `owners.of` has no `owner`".into()));
            }
            Globs::new(owned.policies.iter().map(String::as_str)).map_err(|e| OwnersError::Form(e.into()))?;
        }
        let beside = settings.parent().unwrap_or(Path::new("")).to_path_buf();
        let mut owners = Self {
            metadata: file.metadata,
            of: file.of.into_iter().map(Owned::without_secrets).collect(),
            files: Vec::new(),
            folder: beside.clone(),
        };
        if let Some(named) = file.codeowners {
            let path = beside.join(&named);
            let bytes = files::read_named(&path, MAX_BYTES).map_err(|source| OwnersError::Read {
                path: path.clone(),
                source,
            })?;
            owners.files = codeowners(&String::from_utf8_lossy(&bytes));
            // The forges look for it in these folders too, and its patterns are seen from above them.
            let folder = path.parent().unwrap_or(Path::new(""));
            let above = [".github", ".gitlab", "docs"].iter().any(|name| folder.ends_with(name));
            owners.folder = if above {
                folder.parent().unwrap_or(Path::new(""))
            } else {
                folder
            }
            .to_path_buf();
        }
        Ok(owners)
    }

    /// Whether nothing says who owns anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.metadata.is_none() && self.of.is_empty() && self.files.is_empty()
    }

    /// The owner of a policy, by its name and its file.
    #[must_use]
    pub fn of_policy(&self, label: &str, file: Option<&str>) -> Option<&str> {
        let named = self.of.iter().find(|owned| {
            Globs::new(owned.policies.iter().map(String::as_str)).is_ok_and(|globs| globs.matches(Path::new(label)))
        });
        named.map(|owned| owned.owner.as_str()).or_else(|| self.of_file(file?))
    }

    fn of_file(&self, file: &str) -> Option<&str> {
        let whole = |path: &Path| {
            let path = if path.as_os_str().is_empty() {
                Path::new(".")
            } else {
                path
            };
            std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
        };
        let file = whole(Path::new(file));
        let inside = file.strip_prefix(whole(&self.folder)).ok()?;
        let last = self.files.iter().rev().find(|(pattern, _)| covers(pattern, inside))?;
        (!last.1.is_empty()).then_some(last.1.as_str())
    }

    /// The owner of everything at these paths, where it is one.
    #[must_use]
    pub fn of_paths<'p>(&self, paths: impl IntoIterator<Item = &'p str>) -> Option<&str> {
        let of_path = |path: &str| {
            let owns = |owned: &&Owned| {
                owned.paths.iter().any(|start| {
                    let start = start.trim_end_matches('*');
                    !start.is_empty() && path.trim_start_matches('/').starts_with(start)
                })
            };
            self.of.iter().find(owns).map(|owned| owned.owner.as_str())
        };
        let mut all = paths.into_iter().map(of_path);
        let first = all.next()??;
        all.all(|owner| owner == Some(first)).then_some(first)
    }
}

/// Patterns with their first owner; none named takes the owner away.
fn codeowners(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
    // GitLab's sections stand in brackets.
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(['[', '^']));
    let rules = lines.filter_map(|line| {
        let mut words = line.split_whitespace();
        let pattern = words.next()?.to_owned();
        Some((
            pattern,
            secret::identity(words.next().unwrap_or("").into()).into_owned(),
        ))
    });
    rules.collect()
}

/// Whether a pattern of `CODEOWNERS` covers a file: as in `.gitignore`, without `!`.
fn covers(pattern: &str, file: &Path) -> bool {
    let rooted = pattern.trim_end_matches('/').contains('/');
    let bare = pattern.trim_start_matches('/').trim_end_matches('/');
    let mut forms = vec![format!("{bare}/**")];
    if !pattern.ends_with('/') {
        forms.push(bare.to_owned());
    }
    if !rooted {
        forms = forms
            .into_iter()
            .flat_map(|form| [format!("**/{form}"), form])
            .collect();
    }
    Globs::new(forms.iter().map(String::as_str)).is_ok_and(|globs| globs.matches(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_as_the_forges_have_it() {
        for (pattern, file, is) in [
            ("*", "policies/web.hcl", true),
            ("*.hcl", "policies/web.hcl", true),
            ("policies/", "policies/web.hcl", true),
            ("/policies/web.hcl", "policies/web.hcl", true),
            ("/policies/*", "policies/web.hcl", true),
            ("web.hcl", "policies/web.hcl", true),
            ("/web.hcl", "policies/web.hcl", false),
            ("/policies/web/", "policies/web.hcl", false),
            ("docs/", "policies/web.hcl", false),
        ] {
            assert_eq!(covers(pattern, Path::new(file)), is, "{pattern}");
        }
    }

    #[test]
    fn the_settings_come_first_then_the_last_line_of_codeowners() {
        let folder = tempfile::tempdir().unwrap();
        let text = "# comment\n* @platform\n[web]\n/policies/web-* @web @other\n/policies/free.hcl\n";
        std::fs::write(folder.path().join("CODEOWNERS"), text).unwrap();
        let file = OwnersFile {
            codeowners: Some("CODEOWNERS".into()),
            of: vec![Owned {
                owner: "pay".to_owned(),
                policies: vec!["team-pay*".to_owned()],
                paths: vec!["secret/data/pay/*".to_owned()],
            }],
            ..OwnersFile::default()
        };
        let owners = Owners::new(file, &folder.path().join("vault-advisor.toml")).unwrap();
        let at = |name: &str| folder.path().join("policies").join(name).display().to_string();
        assert_eq!(owners.of_policy("team-pay-x", Some(&at("web-a.hcl"))), Some("pay"));
        assert_eq!(owners.of_policy("a", Some(&at("web-a.hcl"))), Some("@web"));
        assert_eq!(owners.of_policy("b", Some(&at("b.hcl"))), Some("@platform"));
        assert_eq!(owners.of_policy("free", Some(&at("free.hcl"))), None);
        assert_eq!(owners.of_paths(["secret/data/pay/a", "secret/data/pay/b"]), Some("pay"));
        assert_eq!(owners.of_paths(["secret/data/pay/a", "secret/data/web/b"]), None);
        assert_eq!(owners.of_paths([]), None);
    }
}
