//! A baseline: the findings that were there when it was written. Later only what is new is shown.
//!
//! A finding is known by its fingerprint, which no moved line changes. A policy of another name is another policy: who holds
//! what goes by names.

use crate::advice::Finding;
use crate::files;
use crate::hint::Hint;
use crate::staged;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

/// The form of the file.
const VERSION: u32 = 1;
/// The most that a baseline may have.
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// The findings of an earlier run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Baseline {
    version: u32,
    findings: Vec<Known>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    fingerprint: String,
    rule: String,
    subject: String,
}

/// Why a baseline can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The file can't be read or written.
    #[error("cannot {what} baseline `{path}`: {source}")]
    Io {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("`{path}` is not a baseline: {why}")]
    Form {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// A later version.
    #[error("baseline `{path}` is of version {version}, which this program does not know")]
    Version {
        /// The file.
        path: String,
        /// Its version.
        version: u32,
    },
}

impl Hint for BaselineError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Io { what: "write", .. } => None,
            Self::Io { .. } | Self::Form { .. } | Self::Version { .. } => {
                Some(Cow::Borrowed("`--write-baseline FILE` writes one"))
            }
        }
    }
}

impl Baseline {
    /// Of findings.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Self {
        let mut findings: Vec<Known> = findings
            .iter()
            .map(|f| Known {
                fingerprint: f.fingerprint.clone(),
                rule: f.rule.to_string(),
                subject: f.subject.name.clone(),
            })
            .collect();
        findings.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
        Self {
            version: VERSION,
            findings,
        }
    }

    fn fingerprints(&self) -> BTreeSet<&str> {
        self.findings.iter().map(|known| known.fingerprint.as_str()).collect()
    }

    /// How many findings it knows that another does not.
    #[must_use]
    pub fn more_than(&self, other: Option<&Self>) -> usize {
        let known = other.map(Self::fingerprints).unwrap_or_default();
        self.fingerprints().difference(&known).count()
    }

    /// Whether it knows a finding.
    pub fn knows(&self) -> impl Fn(&Finding) -> bool {
        let known = self.fingerprints();
        move |finding| known.contains(finding.fingerprint.as_str())
    }

    /// How many findings it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.findings.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Reads one.
    ///
    /// # Errors
    /// Where the file can't be read or is none.
    pub fn load(path: &Path) -> Result<Self, BaselineError> {
        let bytes = files::read_named(path, MAX_BYTES).map_err(|source| BaselineError::Io {
            what: "read",
            path: path.display().to_string(),
            source,
        })?;
        Self::parse(&bytes, path)
    }

    /// From the bytes of a file that is called `path`.
    ///
    /// # Errors
    /// Where they are none.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, BaselineError> {
        let name = || path.display().to_string();
        let read: Self = serde_json::from_slice(bytes).map_err(|e| BaselineError::Form {
            path: name(),
            why: files::json_fault(&e),
        })?;
        if read.version != VERSION {
            return Err(BaselineError::Version {
                path: name(),
                version: read.version,
            });
        }
        Ok(read)
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub fn save(&self, path: &Path) -> Result<(), BaselineError> {
        let io = |source| BaselineError::Io {
            what: "write",
            path: path.display().to_string(),
            source,
        };
        let mut text = serde_json::to_string_pretty(self).map_err(|e| io(e.into()))?;
        text.push('\n');
        staged::write(path, io, |file| file.write_all(text.as_bytes()).map_err(io))
    }
}
