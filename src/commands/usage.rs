//! `usage`: logs to demands.

use super::{Exit, Failure, Talk, material};
use crate::cli::{UsageArgs, UsageFormat};
use crate::report::usage::{self as rows, Format, UnknownFormat};
use crate::usage::store::StoreError;
use std::io::Write;
use std::path::Path;

/// Reads and writes.
pub(super) fn run(args: &UsageArgs, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let failed = |e: &StoreError| Failure::from_error(e, e.hint());
    let path = Path::new(&args.output);
    let to_stdout = args.output == "-";
    let format = match args.format {
        Some(UsageFormat::Parquet) => Format::Parquet,
        Some(UsageFormat::Jsonl) => Format::Jsonl,
        Some(UsageFormat::Csv) => Format::Csv,
        None if to_stdout => Format::Jsonl,
        None => rows::format_of(path).map_err(|e| Failure::from_error(&e, Some(UnknownFormat::HINT)))?,
    };
    let usage = material::usage(&args.reading, talk)?;
    if !args.allow_empty {
        material::not_empty(&usage)?;
    }
    if to_stdout {
        rows::write_to(&usage, format, out).map_err(|e| match e {
            StoreError::Stream(error) => Failure::from_output(error),
            other => failed(&other),
        })?;
        return Ok(Exit::Fine);
    }
    rows::write(&usage, format, path).map_err(|e| failed(&e))?;
    talk.note(&format!("wrote {}", path.display()));
    Ok(Exit::Fine)
}
