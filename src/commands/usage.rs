//! `usage`: logs to demands.

use super::{Exit, Failure, Talk, material};
use crate::cli::UsageArgs;
use crate::usage::store;
use std::io::Write;
use std::path::Path;

/// Reads and writes.
pub(super) fn run(args: &UsageArgs, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    if args.output != "-" {
        store::format_of(Path::new(&args.output)).map_err(|e| Failure::from_error(&e, e.hint()))?;
    }
    let usage = material::usage(&args.reading, talk)?;
    material::not_empty(&usage)?;
    if args.output == "-" {
        store::write_jsonl(&usage.demands(), out).map_err(Failure::from_output)?;
        return Ok(Exit::Fine);
    }
    let path = Path::new(&args.output);
    store::write(&usage, path).map_err(|e| Failure::from_error(&e, e.hint()))?;
    talk.note(&format!("wrote {}", path.display()));
    Ok(Exit::Fine)
}
