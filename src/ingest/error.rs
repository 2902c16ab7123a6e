//! What can stop the reading, and what to do about it.

use super::object::Trouble;
use super::source;
use crate::usage::Skip;
use std::path::PathBuf;

/// Reading logs failed.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// A file or folder that is not there, or cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Standard input cannot be read.
    #[error("cannot read standard input: {0}")]
    Stdin(std::io::Error),
    /// A log in object storage.
    #[error("`{0}` is in object storage, which is not read from here")]
    Remote(String),
    /// An object, or what a name stands for, cannot be had.
    #[error("cannot read `{name}`: {}", trouble.why)]
    Object {
        /// The object.
        name: String,
        /// Why.
        trouble: Trouble,
    },
    /// A pattern that fits nothing.
    #[error("no log matches `{0}`")]
    NoMatch(String),
    /// A folder without a log.
    #[error("no log in `{0}`")]
    EmptyFolder(String),
    /// A link in a folder that leads nowhere.
    #[error("`{}` is a link that leads nowhere: the log that it stood for cannot be read", .0.display())]
    Gone(PathBuf),
    /// `--strict`, and a line was skipped.
    #[error("`--strict`: {count} lines skipped, first `{first}`: {}", reason.text())]
    Strict {
        /// How many lines.
        count: u64,
        /// Where the first one stands.
        first: String,
        /// Why it was skipped.
        reason: Skip,
    },
    /// A reading thread ended early.
    #[error("a reading thread ended before its time")]
    Thread,
}

impl IngestError {
    /// What the user can do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { .. } => Some("name a file, a folder, a glob in quotes, or - for standard input"),
            Self::Gone(_) => Some("take the link away if its log is read elsewhere, or name the files themselves"),
            Self::Remote(name) => source::pipe_for(name),
            Self::Object { trouble, .. } => Some(trouble.hint),
            Self::NoMatch(_) => Some("check the pattern; quote it if the shell must not expand it"),
            Self::EmptyFolder(_) => Some(
                "a file in a folder is read if its name ends as that of a log, or its first bytes show an entry; name other files themselves",
            ),
            Self::Strict { .. } => Some(
                "leave --strict out to count such lines and go on, or name the wrapping with --envelope or --unwrap",
            ),
            Self::Stdin(_) | Self::Thread => None,
        }
    }
}
