//! What the reading is asked for, and whoever wants to know how far it is.

use super::envelope::Envelope;
use crate::usage::{Bounds, GroupBy, Window};
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
    /// Bounds on what clients make many of.
    pub bounds: Bounds,
    /// Threads; all cores if none is given.
    pub threads: Option<usize>,
}

impl Options {
    /// The window that was asked for.
    #[must_use]
    pub fn asked_window(&self) -> Window {
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
