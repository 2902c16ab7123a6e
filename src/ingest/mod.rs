//! Audit logs to usage: files of any shape in, demands with an exact account of every line out.

mod attributes;
mod book;
#[cfg(feature = "object-storage")]
mod bucket;
mod columns;
mod entry;
mod envelope;
mod error;
mod essence;
mod expand;
mod fault;
mod flat;
mod grammar;
mod gunzip;
mod header;
mod look;
mod object;
mod open_paths;
mod options;
mod place;
mod principal;
mod quick;
mod read;
mod reader;
mod scan;
mod simd;
mod source;
mod stream;
mod telling;
mod text;
mod time;
mod utf16;
mod worker;
mod zip;

pub use envelope::{Envelope, UnknownEnvelope};
pub use error::{IngestError, Trouble, pipe_for};
pub use expand::expand;
pub use look::{not_followed, what_is};
pub use object::{Bytes, Object, Pieces};
pub use open_paths::needs_no_token;
pub use options::{Options, Progress, Quiet};
pub use reader::{Reader, Rest};
pub use source::{LogInput, Named, Stored, decoder};

pub use crate::usage::group::{GroupBy, UnknownGrouping};

use crate::usage::Usage;

/// Reads logs to usage.
pub fn read(inputs: &[LogInput], options: &Options, progress: &dyn Progress) -> Result<Usage, IngestError> {
    let usage = read::read(inputs, options, options.asked_window(), progress)?;
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
