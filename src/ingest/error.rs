//! What can stop the reading, and what to do about it.

use crate::hint::Hint;
use crate::units;
use crate::usage::Skip;
use std::borrow::Cow;
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
    /// A log that is cut off or damaged, and there is no other.
    #[error("`{name}` {} after {}: {source}", if *cut { "ends early," } else { "is damaged" }, units::count(*lines, "line", "lines"))]
    Damaged {
        /// The log.
        name: String,
        /// Whether it ends before it should; else what is there is wrong.
        cut: bool,
        /// Lines that could be read.
        lines: u64,
        /// What the reader says of it.
        source: std::io::Error,
    },
    /// Standard input cannot be read.
    #[error("cannot read standard input: {0}")]
    Stdin(#[source] std::io::Error),
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
    #[error("`--strict`: {} skipped, first `{first}`: {}", units::count(*count, "line", "lines"), reason.text())]
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

impl Hint for IngestError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::Read { .. } => Some("name a file, a folder, a glob in quotes, or - for standard input"),
            Self::Damaged { cut: true, .. } => Some(
                "was it copied or uploaded only in part, or is it still being written? Take it whole; or unpack what is there and \
                 give that to `--logs`, as in `gzip -dc FILE.gz > FILE.log`: then what is lost is counted",
            ),
            Self::Damaged { cut: false, .. } => Some(
                "copy it again from where it was written, and compare checksums; or unpack what can be had and give that to `--logs`, as in \
                 `gzip -dc FILE.gz > FILE.log`: then what is lost is counted",
            ),
            Self::Gone(_) => Some("take the link away if its log is read elsewhere, or name the files themselves"),
            Self::Remote(name) => pipe_for(name),
            Self::Object { trouble, .. } => Some(trouble.hint),
            Self::NoMatch(_) => Some("check the pattern; quote it if the shell must not expand it"),
            Self::EmptyFolder(_) => Some(
                "a file in a folder is read if its name ends as that of a log, or its first bytes show an entry; name other files themselves",
            ),
            Self::Strict { .. } => Some(
                "leave --strict out to count such lines and go on, or name the wrapping with --envelope or --unwrap",
            ),
            Self::Stdin(_) | Self::Thread => None,
        };
        hint.map(Cow::Borrowed)
    }
}

/// Why bytes could not be had, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Trouble {
    /// Why.
    pub why: String,
    /// What the user can do.
    pub hint: &'static str,
}

/// What brings a log from object storage to standard input, where that is what a name is of.
#[must_use]
pub fn pipe_for(name: &str) -> Option<&'static str> {
    const PIPES: [(&[&str], &str); 3] = [
        (
            &["s3", "s3a"],
            "`aws s3 cp s3://BUCKET/KEY - | vault-advisor usage --logs -` reads one, whatever it is compressed with; `aws s3 sync` brings many",
        ),
        (
            &["gs"],
            "`gcloud storage cat gs://BUCKET/OBJECT | vault-advisor usage --logs -` reads one, whatever it is compressed with; \
             `gcloud storage rsync` brings many",
        ),
        (
            &["az", "abfs", "abfss"],
            "`azcopy cp URL --from-to BlobPipe | vault-advisor usage --logs -` reads one, whatever it is compressed with; `azcopy sync` brings many",
        ),
    ];
    let (scheme, _) = name.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let found = PIPES.iter().find(|(schemes, _)| schemes.contains(&&*scheme));
    found.map(|(_, pipe)| *pipe)
}
