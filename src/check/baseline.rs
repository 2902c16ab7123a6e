//! A baseline: the findings that were there when it was written. Later only what is new is shown.
//!
//! A finding is known by its fingerprint, which no moved line changes. Where a file was renamed, and with it the policy, the
//! finding is known by what the policy says.

use super::place::Places;
use crate::advice::Finding;
use crate::analysis::rule::fingerprint;
use crate::staged;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::io::Write;
use std::path::Path;

/// The form of the file.
const VERSION: u32 = 1;

/// The findings of an earlier run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Baseline {
    version: u32,
    findings: Vec<Known>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    fingerprint: String,
    /// What it is by its meaning, whatever the policy is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    meaning: Option<String>,
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
    #[error("`{path}` is no baseline: {source}")]
    Form {
        /// The file.
        path: String,
        /// Why.
        source: serde_json::Error,
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

impl Baseline {
    /// Of findings.
    #[must_use]
    pub fn of(findings: &[Finding], places: &Places) -> Self {
        let meanings = meanings(findings, places);
        let mut findings: Vec<Known> = findings
            .iter()
            .zip(meanings)
            .map(|(f, meaning)| Known {
                fingerprint: f.fingerprint.clone(),
                meaning,
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
        let name = || path.display().to_string();
        let text = std::fs::read(path).map_err(|source| BaselineError::Io {
            what: "read",
            path: name(),
            source,
        })?;
        let read: Self =
            serde_json::from_slice(&text).map_err(|source| BaselineError::Form { path: name(), source })?;
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

    /// Which findings are known: one answer a finding.
    #[must_use]
    pub fn known(&self, findings: &[Finding], places: &Places) -> Vec<bool> {
        let now: BTreeSet<&str> = findings.iter().map(|f| f.fingerprint.as_str()).collect();
        let before: BTreeSet<&str> = self.findings.iter().map(|k| k.fingerprint.as_str()).collect();
        // Only what is no longer there under its own name may have got another.
        let mut gone: HashMap<&str, usize> = HashMap::new();
        for known in self.findings.iter().filter(|k| !now.contains(k.fingerprint.as_str())) {
            if let Some(meaning) = &known.meaning {
                *gone.entry(meaning).or_default() += 1;
            }
        }
        findings
            .iter()
            .zip(meanings(findings, places))
            .map(|(finding, meaning)| {
                before.contains(finding.fingerprint.as_str())
                    || meaning.is_some_and(|m| match gone.get_mut(m.as_str()) {
                        Some(left) if *left > 0 => {
                            *left -= 1;
                            true
                        }
                        _ => false,
                    })
            })
            .collect()
    }
}

fn meanings(findings: &[Finding], places: &Places) -> Vec<Option<String>> {
    findings
        .iter()
        .map(|finding| {
            let spots: BTreeSet<String> = places.of_finding(finding).map(|spot| places.meaning(spot)).collect();
            let all: Vec<String> = spots.into_iter().collect();
            (!all.is_empty()).then(|| fingerprint(&finding.rule, &finding.subject.kind, &all.join("\n")))
        })
        .collect()
}
