//! Audit logs to usage: files of any shape in, demands with an exact account of every line out.

mod book;
mod entry;
mod envelope;
mod error;
mod group;
mod open_paths;
mod principal;
mod quick;
mod read;
mod reader;
mod scan;
mod simd;
mod source;
mod stream;
mod text;
mod time;
mod worker;

pub use envelope::{Envelope, UnknownEnvelope};
pub use error::IngestError;
pub use group::{GroupBy, UnknownGrouping};
pub use open_paths::needs_no_token;
pub use reader::{Reader, Rest};
pub use source::{LogInput, Stored, decoder, expand};

use crate::usage::{Usage, Window};
use jiff::{SignedDuration, Timestamp};

/// What to read, and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Not after this time.
    pub until: Option<Timestamp>,
    /// So far back from `until`, or else from now.
    pub window: Option<SignedDuration>,
    /// What a principal is.
    pub group_by: GroupBy,
    /// How lines are wrapped, if that shall not be found out.
    pub envelope: Option<Envelope>,
    /// A JSON pointer to the entry, or to its text, in wrapping objects.
    pub unwrap: Option<String>,
    /// A line that is skipped and may have held a request is an error.
    pub strict: bool,
    /// Threads; all cores if none is given.
    pub threads: Option<usize>,
}

impl Options {
    fn window(&self) -> Window {
        Window::new(self.since, self.until, self.window, Timestamp::now())
    }
}

/// Whoever wants to know how far the reading is. Bytes are counted as stored.
pub trait Progress: Sync {
    /// Reading begins; the total is unknown where a pipe is read.
    fn begin(&self, total_bytes: Option<u64>) {
        let _ = total_bytes;
    }
    /// So many bytes more were read.
    fn advance(&self, bytes: u64) {
        let _ = bytes;
    }
    /// Reading is over.
    fn end(&self) {}
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {}

/// Reads logs to usage.
pub fn read(inputs: &[LogInput], options: &Options, progress: &dyn Progress) -> Result<Usage, IngestError> {
    let usage = read::read(inputs, options, options.window(), progress)?;
    if options.strict {
        let tally = usage.tally();
        if let Some((reason, skipped)) = tally.reasons().find(|(reason, _)| !reason.benign()) {
            return Err(IngestError::Strict {
                count: tally.lost(),
                first: skipped.first.as_ref().map_or_else(String::new, ToString::to_string),
                reason,
            });
        }
    }
    Ok(usage)
}
