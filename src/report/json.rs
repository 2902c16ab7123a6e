//! `advice.json`: the whole advice for other programs.
//!
//! What is promised is the closed JSON Schema in `docs/schema/`: fields are added, never renamed or taken away within a version, and
//! tests hold what is written to it. An advice is written as it is (`advice.rs`), except for its proposals, which have more than is
//! promised (`json_proposal.rs`).

use serde::{Deserialize, Serialize};

use super::json_model::Document;
pub use super::json_model::{SCHEMA, VERSION};

/// Why a document could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is not JSON, or not of the shape that its version promises.
    #[error("cannot read `advice.json`: {0}")]
    Shape(#[from] serde_json::Error),
    /// A newer program wrote it.
    #[error("cannot read `advice.json`: its version is {0}, this program knows versions up to {VERSION}")]
    Newer(u32),
    /// There is no version of that number.
    #[error("cannot read `advice.json`: there is no version {0}")]
    Unknown(u32),
}

/// The document as JSON, indented, with a final line end.
///
/// # Errors
/// Never for a document made from an advice: the error is that of the serializer.
pub fn render(document: &Document) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(document)?;
    text.push('\n');
    Ok(text)
}

/// Loads a document of any version that was ever written.
///
/// # Errors
/// When it is not such a document, or a newer program wrote it.
pub fn load(bytes: &[u8]) -> Result<Document, LoadError> {
    let head: Head = serde_json::from_slice(bytes)?;
    match head.version {
        // Version 1 has another trade-off curve, and expects nothing.
        1 | VERSION => Ok(serde_json::from_slice(bytes)?),
        version if version > VERSION => Err(LoadError::Newer(version)),
        version => Err(LoadError::Unknown(version)),
    }
}

/// What every version has in common.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    version: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_versions_are_named() {
        assert!(matches!(load(b"{\"version\":99}"), Err(LoadError::Newer(99))));
        assert!(matches!(load(b"{\"version\":0}"), Err(LoadError::Unknown(0))));
        assert!(matches!(load(b"[]"), Err(LoadError::Shape(_))));
    }
}
