//! Usage for people and their tools: JSON lines and CSV, a row a demand; and which form a file's name asks for.

use super::csv::Sheet;
use crate::hint::Hint;
use crate::staged::{self, Readers};
use crate::usage::store::{self, StoreError};
use crate::usage::{Demand, Namespaces, Usage};
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The columns in their order.
pub const COLUMNS: [&str; 14] = [
    "principal_id",
    "principal_kind",
    "principal_name",
    "auth_mount",
    "namespace",
    "path",
    "capability",
    "mount_type",
    "allowed",
    "denied",
    "first_seen",
    "last_seen",
    "active_days",
    "policies",
];

/// The name of a file does not say how it is to be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot tell the format of `{}`", .0.display())]
pub struct UnknownFormat(PathBuf);

impl Hint for UnknownFormat {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(
            "end the name in .parquet, .jsonl or .csv, or say which with `--format`, or use - for standard output",
        ))
    }
}

/// How usage is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// All that a merge needs.
    Parquet,
    /// The rows as JSON lines.
    Jsonl,
    /// The rows as CSV.
    Csv,
}

/// The format that a file's name asks for: `.parquet`, `.jsonl` (or `.ndjson`, `.json`), `.csv`.
pub fn format_of(path: &Path) -> Result<Format, UnknownFormat> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("parquet") => Ok(Format::Parquet),
        Some("jsonl" | "ndjson" | "json") => Ok(Format::Jsonl),
        Some("csv") => Ok(Format::Csv),
        _ => Err(UnknownFormat(path.to_owned())),
    }
}

/// A row as JSON.
#[derive(Debug, Serialize)]
struct Line<'a> {
    principal_id: &'a str,
    principal_kind: &'a str,
    principal_name: &'a str,
    auth_mount: &'a str,
    namespace: &'a str,
    path: &'a str,
    capability: &'a str,
    mount_type: &'a str,
    allowed: u64,
    denied: u64,
    first_seen: Option<String>,
    last_seen: Option<String>,
    active_days: usize,
    policies: Vec<Arc<str>>,
}

impl<'a> Line<'a> {
    fn of(demand: &'a Demand, namespaces: &Namespaces) -> Self {
        Self {
            principal_id: &demand.principal.id,
            principal_kind: demand.principal.kind.as_str(),
            principal_name: &demand.principal.name,
            auth_mount: &demand.principal.auth_mount,
            namespace: &demand.namespace,
            path: &demand.path,
            capability: demand.capability.as_str(),
            mount_type: &demand.mount_type,
            allowed: demand.allowed,
            denied: demand.denied,
            first_seen: demand.first_seen.map(|t| t.to_string()),
            last_seen: demand.last_seen.map(|t| t.to_string()),
            active_days: demand.days.len(),
            policies: demand.held.labels(namespaces),
        }
    }
}

/// Writes one JSON object a demand.
pub fn write_jsonl(usage: &Usage, to: &mut dyn Write) -> io::Result<()> {
    let mut to = BufWriter::new(to);
    for demand in &usage.demands() {
        serde_json::to_writer(&mut to, &Line::of(demand, usage.namespaces()))?;
        to.write_all(b"\n")?;
    }
    to.flush()
}

/// Writes a header and one row a demand; the policies are joined by blanks, since no policy's name holds one.
pub fn write_csv(usage: &Usage, to: &mut dyn Write) -> io::Result<()> {
    let mut sheet = Sheet::new(BufWriter::new(to));
    sheet.row(COLUMNS)?;
    for demand in &usage.demands() {
        let line = Line::of(demand, usage.namespaces());
        sheet.row([
            line.principal_id,
            line.principal_kind,
            line.principal_name,
            line.auth_mount,
            line.namespace,
            line.path,
            line.capability,
            line.mount_type,
            &line.allowed.to_string(),
            &line.denied.to_string(),
            &line.first_seen.unwrap_or_default(),
            &line.last_seen.unwrap_or_default(),
            &line.active_days.to_string(),
            &line.policies.join(" "),
        ])?;
    }
    sheet.finish()
}

/// Writes usage to a stream.
///
/// # Errors
/// When it cannot be made, or the stream does not take it.
pub fn write_to(usage: &Usage, format: Format, to: &mut dyn Write) -> Result<(), StoreError> {
    match format {
        Format::Parquet => return store::write_to(usage, to),
        Format::Csv => write_csv(usage, to),
        Format::Jsonl => write_jsonl(usage, to),
    }
    .map_err(StoreError::Stream)
}

/// Writes usage to a file, whatever its name. The file appears whole or not at all.
///
/// # Errors
/// When it cannot be made or written.
pub fn write(usage: &Usage, format: Format, path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Write {
        path: path.to_owned(),
        source,
    };
    match format {
        Format::Parquet => store::write(usage, path),
        Format::Csv => staged::write_for(path, Readers::Owner, failed, |file| {
            write_csv(usage, file).map_err(failed)
        }),
        Format::Jsonl => staged::write_for(path, Readers::Owner, failed, |file| {
            write_jsonl(usage, file).map_err(failed)
        }),
    }
}
