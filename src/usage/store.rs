//! Usage on disk: Parquet, which holds all that a merge needs, and JSON lines and CSV, which hold the rows.

use super::demand::Demand;
use super::frame::{self, FrameError};
use super::held::Namespaces;
use super::part::Usage;
use crate::staged::{self, Readers};
use serde::Serialize;
use std::io::{self, BufWriter, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};

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

/// Usage could not be stored or loaded.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The name does not say how to store it.
    #[error("cannot tell the format of `{}`", .0.display())]
    Format(PathBuf),
    /// The content.
    #[error("`{}` is not usage: {source}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// Why.
        source: FrameError,
    },
    /// Making the content.
    #[error("cannot store usage: {0}")]
    Frame(#[from] FrameError),
    /// Whoever should take it.
    #[error("cannot write usage: {0}")]
    Stream(io::Error),
}

impl StoreError {
    /// What the user can do.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Format(_) => Some(
                "end the name in .parquet, .jsonl or .csv, or say which with `--format`, or use - for standard output",
            ),
            Self::Write { .. } | Self::Frame(_) => Some("check that the folder exists, is writable and has room"),
            Self::Read { .. } => None,
            Self::Content { .. } => Some("give a .parquet file that `usage -o` wrote"),
            Self::Stream(_) => None,
        }
    }
}

/// How usage is stored.
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
pub fn format_of(path: &Path) -> Result<Format, StoreError> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("parquet") => Ok(Format::Parquet),
        Some("jsonl" | "ndjson" | "json") => Ok(Format::Jsonl),
        Some("csv") => Ok(Format::Csv),
        _ => Err(StoreError::Format(path.to_owned())),
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
    let mut to = BufWriter::new(to);
    writeln!(to, "{}", COLUMNS.join(","))?;
    for demand in &usage.demands() {
        let line = Line::of(demand, usage.namespaces());
        let numbers = [
            line.allowed.to_string(),
            line.denied.to_string(),
            line.first_seen.unwrap_or_default(),
            line.last_seen.unwrap_or_default(),
            line.active_days.to_string(),
            line.policies.join(" "),
        ];
        let texts = [
            line.principal_id,
            line.principal_kind,
            line.principal_name,
            line.auth_mount,
            line.namespace,
            line.path,
            line.capability,
            line.mount_type,
        ];
        let fields: Vec<String> = texts
            .into_iter()
            .chain(numbers.iter().map(|n| &**n))
            .map(field)
            .collect();
        writeln!(to, "{}", fields.join(","))?;
    }
    to.flush()
}

/// A CSV field. One that a spreadsheet would take for a formula gets an apostrophe: paths come from whoever asks.
fn field(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// Writes usage to a stream.
pub fn write_to(usage: &Usage, format: Format, to: &mut dyn Write) -> Result<(), StoreError> {
    match format {
        Format::Parquet => {
            let mut whole = Vec::new();
            frame::write(usage, &mut whole)?;
            to.write_all(&whole).and_then(|()| to.flush())
        }
        Format::Csv => write_csv(usage, to),
        Format::Jsonl => write_jsonl(usage, to),
    }
    .map_err(StoreError::Stream)
}

/// Writes usage to a file whose name says how (see [`format_of`]). The file appears whole or not at all.
pub fn write(usage: &Usage, path: &Path) -> Result<(), StoreError> {
    write_as(usage, format_of(path)?, path)
}

/// Writes usage to a file, whatever its name. The file appears whole or not at all.
pub fn write_as(usage: &Usage, format: Format, path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Write {
        path: path.to_owned(),
        source,
    };
    staged::write_for(path, Readers::Owner, failed, |file| match format {
        Format::Parquet => Ok(frame::write(usage, file)?),
        Format::Csv => write_csv(usage, file).map_err(failed),
        Format::Jsonl => write_jsonl(usage, file).map_err(failed),
    })
}

/// Reads a part that [`write()`] stored as Parquet.
pub fn read_parquet(path: &Path) -> Result<Usage, StoreError> {
    let file = std::fs::File::open(path).map_err(|source| StoreError::Read {
        path: path.to_owned(),
        source,
    })?;
    // The reader of Parquet is not made for files that are damaged on purpose: where it panics, that is an answer too.
    let read = quietly(|| frame::read(file)).unwrap_or(Err(FrameError::Damaged));
    read.map_err(|source| StoreError::Content {
        path: path.to_owned(),
        source,
    })
}

/// What `work` gives; nothing where it panics, which is told to nobody else.
fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    static QUIET: AtomicUsize = AtomicUsize::new(0);
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if QUIET.load(Ordering::SeqCst) == 0 {
                usual(info);
            }
        }));
    });
    // It reads with several threads: the hook hears of a panic there, and it comes to us as one of this thread.
    QUIET.fetch_add(1, Ordering::SeqCst);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.fetch_sub(1, Ordering::SeqCst);
    done.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_answer() {
        assert_eq!(quietly(|| 1), Some(1));
        assert_eq!(quietly(|| -> i32 { panic!("on purpose") }), None);
    }

    #[test]
    fn a_field_is_neither_broken_nor_run() {
        for (text, want) in [
            ("a/b", "a/b"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("=cmd()", "'=cmd()"),
            ("-1\n", "\"'-1\n\""),
        ] {
            assert_eq!(field(text), want);
        }
    }
}
