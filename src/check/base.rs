//! The policies before a change, and all else that the gate goes by: settings, waivers, baseline, deployment. A change must
//! not bring its own judge, so what it can change is read as it was before it.

use super::git::{GitError, Repo, Submodule};
use super::source::{self, Read, ReadError};
use crate::hint::Hint;
use crate::policy::load::Names;
use crate::policy::syntax::Dialect;
use crate::sources::{Options, Tracked};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// What was there before the change.
#[derive(Debug)]
pub struct Base {
    kind: Kind,
    /// The policies before the change.
    policies: Vec<PathBuf>,
    /// The submodules among them.
    submodules: Vec<Submodule>,
    /// What to know about it.
    pub notes: Vec<String>,
}

#[derive(Debug)]
enum Kind {
    Git {
        repo: Repo,
        revision: String,
        commit: String,
        /// What was taken out of the repository, each thing in a folder of its own number.
        folder: TempDir,
        taken: usize,
    },
    Folders {
        /// The policies after the change, and before it.
        pairs: Vec<(PathBuf, PathBuf)>,
    },
}

/// What a file that the gate goes by was before the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// No change brings it: it is as it is.
    Own,
    /// It was there; this is how it was.
    There(PathBuf),
    /// It was not there.
    Absent,
}

/// Why the base can't be read.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Hint for BaseError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("name a policy file or folder"))
    }
}

impl Base {
    /// The policies at a git revision.
    ///
    /// # Errors
    /// Where there is no git, no repository or no such revision.
    pub fn revision(revision: &str, policies: &[PathBuf]) -> Result<Self, GitError> {
        let first = policies.first().map_or(Path::new("."), PathBuf::as_path);
        let repo = Repo::holding(first)?;
        let commit = repo.commit(revision)?;
        let folder = tempfile::tempdir().map_err(GitError::Write)?;
        let mut base = Self {
            kind: Kind::Git {
                repo,
                revision: revision.to_owned(),
                commit,
                folder,
                taken: 0,
            },
            policies: Vec::new(),
            submodules: Vec::new(),
            notes: Vec::new(),
        };
        for path in policies {
            let taken = base.take(path)?;
            base.policies.extend(taken);
        }
        if base.policies.is_empty() {
            base.notes.push(format!(
                "the base `{revision}` has no policies at this place: all are new"
            ));
        }
        Ok(base)
    }

    /// The policies in other files and folders.
    #[must_use]
    pub fn folders(folders: &[PathBuf], policies: &[PathBuf]) -> Self {
        Self {
            kind: Kind::Folders {
                pairs: policies.iter().cloned().zip(folders.iter().cloned()).collect(),
            },
            policies: folders.to_vec(),
            submodules: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Takes what a path was out of the repository.
    fn take(&mut self, path: &Path) -> Result<Option<PathBuf>, GitError> {
        let Kind::Git {
            repo,
            commit,
            folder,
            taken,
            ..
        } = &mut self.kind
        else {
            return Ok(None);
        };
        let below = repo.below(path)?;
        // With the names of its own: what it is called says what it is.
        let place = folder.path().join(taken.to_string()).join(&below);
        *taken += 1;
        let export = repo.export(commit, &below, &place)?;
        self.submodules.extend(export.submodules);
        let left = export.left_out.iter();
        self.notes
            .extend(left.map(|(name, why)| format!("`{name}` of the base was left out: {why}")));
        Ok((export.files > 0).then_some(place))
    }

    /// Takes the whole repository out, for policies that lead to files beside them; whether there is one.
    fn widen(&mut self) -> Result<bool, GitError> {
        let Kind::Git {
            repo,
            commit,
            folder,
            taken,
            ..
        } = &mut self.kind
        else {
            return Ok(false);
        };
        let place = folder.path().join(taken.to_string());
        *taken += 1;
        repo.export(commit, Path::new(""), &place)?;
        // Where the repository ends.
        std::fs::create_dir_all(place.join(".git")).map_err(GitError::Write)?;
        for policies in &mut self.policies {
            if let Ok(below) = policies.strip_prefix(folder.path()) {
                *policies = place.join(below.components().skip(1).collect::<PathBuf>());
            }
        }
        Ok(true)
    }

    /// The submodules among these policies as they are now.
    ///
    /// # Errors
    /// Where git can't say.
    pub fn submodules(&self, policies: &[PathBuf]) -> Result<Vec<Submodule>, GitError> {
        let Kind::Git { repo, .. } = &self.kind else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for path in policies {
            found.extend(repo.submodules(&repo.below(path)?)?);
        }
        Ok(found)
    }

    /// Which files of the repository a change can bring.
    ///
    /// # Errors
    /// Where git can't say.
    pub fn tracked(&self) -> Result<Tracked, GitError> {
        match &self.kind {
            Kind::Git { repo, .. } => Ok(Tracked::These(Arc::new(repo.tracked()?))),
            Kind::Folders { .. } => Ok(Tracked::Unasked),
        }
    }

    /// Reads the policies. With `wide`, all of the repository counts.
    ///
    /// # Errors
    /// Where a file can't be read.
    pub fn read(&mut self, dialect: &Dialect, names: Names, options: &Options, wide: bool) -> Result<Read, BaseError> {
        let options = &Options {
            // All that is taken out of git is git's.
            tracked: match &self.kind {
                Kind::Git { .. } => Tracked::All,
                Kind::Folders { .. } => Tracked::Unasked,
            },
            ..options.clone()
        };
        let widened = wide && self.widen()?;
        let mut read = source::read(&self.policies, dialect, names, options)?;
        // What lies beside the policies, such as a module of Terraform, is taken out only where they lead there.
        if !widened && !read.unchecked.is_empty() && self.widen()? {
            read = source::read(&self.policies, dialect, names, options)?;
        }
        if let Kind::Git { folder, revision, .. } = &self.kind {
            let ways = read.ways.all.iter_mut().map(|one| &mut one.policy);
            source::relabel(read.policies.iter_mut().chain(ways), folder.path(), revision);
        }
        read.unchecked.extend(self.submodules.iter().map(source::submodule));
        let broken = read.broken.iter();
        self.notes
            .extend(broken.map(|p| format!("policy `{}` of the base cannot be used: {}", p.what, p.why)));
        Ok(read)
    }

    /// What a file or folder that the gate goes by was before the change.
    ///
    /// # Errors
    /// Where git can't say.
    pub fn before(&mut self, path: &Path) -> Result<Before, GitError> {
        match &self.kind {
            Kind::Git { repo, .. } => {
                let holding = match Repo::holding(path) {
                    Ok(holding) => holding,
                    Err(GitError::NoRepo(_)) => return Ok(Before::Own),
                    Err(error) => return Err(error),
                };
                if holding != *repo {
                    return Ok(Before::Own);
                }
                let below = repo.below(path)?;
                let tracked = repo.tracks(&below)?;
                match self.take(path)? {
                    Some(place) => Ok(Before::There(place)),
                    // What git does not know is not of the change: somebody put it there beside it.
                    None if !tracked && path.exists() => Ok(Before::Own),
                    None => Ok(Before::Absent),
                }
            }
            Kind::Folders { pairs } => {
                let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
                let path = absolute(path);
                for (after, before) in pairs {
                    if let Ok(below) = path.strip_prefix(absolute(after)) {
                        let before = before.join(below);
                        return Ok(match before.exists() {
                            true => Before::There(before),
                            false => Before::Absent,
                        });
                    }
                }
                Ok(Before::Own)
            }
        }
    }

    /// Folders in which what the gate goes by was looked for before the change, given where it is looked for now.
    #[must_use]
    pub fn places(&self, now: &[PathBuf]) -> Vec<PathBuf> {
        match &self.kind {
            Kind::Git { .. } => now.to_vec(),
            Kind::Folders { pairs } => pairs
                .iter()
                .flat_map(|(_, before)| [Some(before.clone()), before.parent().map(Path::to_path_buf)])
                .flatten()
                .collect(),
        }
    }

    /// Whether places are named as they are now ([`Self::before`] tells what they were), not as they were.
    #[must_use]
    pub const fn is_revision(&self) -> bool {
        matches!(self.kind, Kind::Git { .. })
    }

    /// What a file of the base is called in messages.
    #[must_use]
    pub fn label(&self, place: &Path) -> PathBuf {
        match &self.kind {
            Kind::Git { folder, revision, .. } => {
                source::label(place, folder.path(), revision).map_or_else(|| place.to_path_buf(), PathBuf::from)
            }
            Kind::Folders { .. } => place.to_path_buf(),
        }
    }
}
