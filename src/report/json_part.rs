//! What several parts of `advice.json` are made of: a place in a file, and numbers that are short enough to be read.

use crate::origin::Origin;
use serde::{Deserialize, Serialize};

/// A place in a policy file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// File.
    pub file: String,
    /// Line, from one.
    pub line: u32,
    /// Column in characters, from one.
    pub column: u32,
}

impl From<&Origin> for Place {
    fn from(from: &Origin) -> Self {
        Self {
            file: from.file.to_string(),
            line: from.line,
            column: from.column,
        }
    }
}

/// Four digits after the point: more would differ between machines and say nothing.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}
