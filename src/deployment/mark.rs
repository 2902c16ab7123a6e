//! What marks a folder as a snapshot, and says what it is and what could not be read.

use super::snapshot::Missing;
use crate::files;
use crate::hint::{Cause, Hint};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The file that marks a folder as a snapshot.
pub const MARK: &str = "snapshot.json";

/// What [`MARK`] holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Version of the layout.
    pub layout: u32,
    /// `openbao` or `vault`, where it could be told.
    pub product: Option<String>,
    /// The server's version, where it said it.
    pub version: Option<String>,
    /// When it was begun, by the clock of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Timestamp>,
    /// Whether names of secrets were asked for.
    #[serde(default)]
    pub secrets_listed: bool,
    /// What the token could not read.
    #[serde(default)]
    pub missing: Vec<Missing>,
    /// Names of the policies that the server has, by namespace, where all of them were listed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<String, BTreeSet<String>>,
    /// Names that are too long for a file, by what their files and folders are called.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub long_names: BTreeMap<String, String>,
    /// Policies whose templates may be filled with more than others' (OpenBao).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub template_switches: Vec<TemplateSwitch>,
}

/// The most that a mark may have.
const MAX_BYTES: usize = 16 * 1024 * 1024;

impl Mark {
    /// From its file.
    ///
    /// # Errors
    /// When it can't be read or is no mark.
    pub fn read(file: &Path) -> Result<Self, MarkError> {
        let wrong = |source: Cause| MarkError {
            file: file.to_owned(),
            source,
        };
        let text = files::read(file, MAX_BYTES).map_err(|e| wrong(e.into()))?;
        serde_json::from_slice(&text).map_err(|e| wrong(e.into()))
    }
}

/// A mark that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{}`: {source}", file.display())]
pub struct MarkError {
    file: PathBuf,
    source: Cause,
}

impl Hint for MarkError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("`vault-advisor snapshot` writes it again"))
    }
}

/// A policy whose templates may be filled with more than others'.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateSwitch {
    /// Its namespace, `""` or `a/`.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `allow_slashes_in_identity_templates`.
    pub slashes: bool,
    /// `allow_wildcards_in_identity_templates`.
    pub wildcards: bool,
}
