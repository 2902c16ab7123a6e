//! Usage as a data frame, and as Parquet: rows that any tool can read, with their meaning in the file's own metadata.

use super::coverage::day_of;
use super::demand::Demand;
use super::part::Usage;
use super::state::{State, VERSION};
use super::table::{Key, Table};
use crate::vault::{Capability, PrincipalKind};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use polars::prelude::*;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;

/// Where the metadata keep the version of the columns.
const SCHEMA_KEY: &str = "vault-advisor.schema";
/// Window, coverage and tally, readable.
const ABOUT_KEY: &str = "vault-advisor.about";
/// What a merge needs: JSON, compressed, in base 64.
const STATE_KEY: &str = "vault-advisor.state";

/// The most bytes that a state may unpack to.
const MOST_STATE_BYTES: usize = 1 << 30;

/// Usage could not be turned into a frame or back.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Polars.
    #[error("{0}")]
    Polars(#[from] PolarsError),
    /// The file holds no state of ours.
    #[error("no `vault-advisor.state` in its metadata")]
    NoState,
    /// The state cannot be read.
    #[error("its state cannot be read: {0}")]
    State(String),
    /// Another version.
    #[error("it has version {0}, and this program reads version {VERSION}")]
    Version(u32),
}

impl Usage {
    /// The demands as a data frame.
    ///
    /// # Errors
    /// When there is not enough memory for its columns.
    pub fn to_frame(&self) -> Result<DataFrame, FrameError> {
        let table = self.settled();
        Ok(frame(table, &table.numbered())?)
    }
}

/// Writes a part as Parquet.
pub fn write(usage: &Usage, to: &mut impl Write) -> Result<(), FrameError> {
    let (table, ledger) = (usage.settled(), usage.stored_ledger());
    let numbered = table.numbered();
    let rows: Vec<u32> = numbered.iter().map(|(_, row)| *row).collect();
    let state = State::of(table, &ledger, usage.window, &rows);
    let text = serde_json::to_vec(&state).map_err(|e| FrameError::State(e.to_string()))?;
    let packed = zstd::bulk::compress(&text, 3).map_err(|e| FrameError::State(e.to_string()))?;
    let metadata = vec![
        (SCHEMA_KEY.to_owned(), VERSION.to_string()),
        (ABOUT_KEY.to_owned(), about(usage, table)),
        (STATE_KEY.to_owned(), BASE64_STANDARD.encode(packed)),
    ];
    let mut frame = frame(table, &numbered)?;
    ParquetWriter::new(&mut *to)
        .with_key_value_metadata(Some(KeyValueMetadata::from_static(metadata)))
        .set_parallel(false)
        .finish(&mut frame)?;
    to.flush().map_err(PolarsError::from)?;
    Ok(())
}

/// Window, coverage and tally for people who look into the file with other tools.
fn about(usage: &Usage, table: &Table) -> String {
    let window = usage.window();
    let tally = &table.tally;
    let time = |nanos: Option<i64>| nanos.and_then(super::coverage::timestamp).map(|t| t.to_string());
    let skipped: serde_json::Map<String, serde_json::Value> = tally
        .reasons()
        .map(|(reason, s)| (reason.to_string(), s.count.into()))
        .collect();
    serde_json::json!({
        "window": { "since": window.since, "until": window.until },
        "coverage": {
            "first": time(table.seen.first),
            "last": time(table.seen.last),
            "nodes": table.seen.nodes,
        },
        "tally": {
            "lines": tally.lines,
            "used": tally.used,
            "paired": tally.paired,
            "skipped": skipped,
        },
    })
    .to_string()
}

fn frame(table: &Table, numbered: &[(Demand, u32)]) -> PolarsResult<DataFrame> {
    let texts = |name: &str, get: &dyn Fn(&Demand) -> &str| {
        let values: Vec<&str> = numbered.iter().map(|(d, _)| get(d)).collect();
        Column::new(name.into(), values)
    };
    let counts = |name: &str, get: &dyn Fn(&Demand) -> u64| {
        let values: Vec<u64> = numbered.iter().map(|(d, _)| get(d)).collect();
        Column::new(name.into(), values)
    };
    let options = |name: &str, get: &dyn Fn(&Demand, u32) -> Option<String>| {
        let values: Vec<Option<String>> = numbered.iter().map(|(d, n)| get(d, *n)).collect();
        Column::new(name.into(), values)
    };
    let row = |number: u32| table.rows.get(number as usize);
    let mut policies = ListStringChunkedBuilder::new("policies".into(), numbered.len(), numbered.len() * 4);
    for (demand, _) in numbered {
        policies.append_values_iter(demand.policies.iter().map(|p| &**p));
    }
    let auths: Vec<Option<u32>> = numbered
        .iter()
        .map(|(_, n)| row(*n).map(|r| r.auth).filter(|a| *a != u32::MAX))
        .collect();
    let columns = vec![
        texts("principal_id", &|d| &d.principal.id),
        texts("principal_kind", &|d| d.principal.kind.as_str()),
        texts("principal_name", &|d| &d.principal.name),
        texts("auth_mount", &|d| &d.principal.auth_mount),
        texts("namespace", &|d| &d.namespace),
        texts("path", &|d| &d.path),
        texts("capability", &|d| d.capability.as_str()),
        texts("mount_type", &|d| &d.mount_type),
        counts("allowed", &|d| d.allowed),
        counts("denied", &|d| d.denied),
        options("first_seen", &|d, _| d.first_seen.map(|t| t.to_string())),
        options("last_seen", &|d, _| d.last_seen.map(|t| t.to_string())),
        counts("active_days", &|d| d.days.len() as u64),
        policies.finish().into_series().into_column(),
        counts("failed", &|d| d.failed),
        options("days", &|d, n| {
            let known = row(n).is_some_and(|r| r.days == ends(r.first, r.last));
            if known {
                None
            } else {
                serde_json::to_string(&d.days).ok()
            }
        }),
        options("keys_always", &|d, n| {
            row(n)?.keys_always.as_ref()?;
            json(&d.keys_always)
        }),
        options("keys_ever", &|d, _| json(&d.keys_ever)),
        // Only where it is not when the demand was last seen.
        options("policies_seen", &|_, n| {
            let row = row(n).filter(|r| r.auth_time != r.last)?;
            super::coverage::timestamp(row.auth_time).map(|t| t.to_string())
        }),
        Column::new("state_auth".into(), auths),
    ];
    DataFrame::new(numbered.len(), columns)
}

/// Reads a part that [`write()`] wrote.
pub fn read(from: File) -> Result<Usage, FrameError> {
    let mut reader = ParquetReader::new(from);
    let state = state_in(&mut reader)?;
    let frame = reader.finish()?;
    let mut table = state.table();
    let rows = restore_rows(&frame, &mut table)?;
    let records = state.records(&mut table, &rows);
    Ok(Usage::restored(table, &records, state.window))
}

fn state_in(reader: &mut ParquetReader<File>) -> Result<State, FrameError> {
    let metadata = reader.get_metadata()?;
    let find = |key: &str| {
        let pairs = metadata.key_value_metadata().as_ref()?;
        pairs.iter().find(|pair| pair.key == key)?.value.clone()
    };
    let version = find(SCHEMA_KEY).and_then(|v| v.parse().ok());
    if let Some(version) = version.filter(|v| *v != VERSION) {
        return Err(FrameError::Version(version));
    }
    let packed = find(STATE_KEY).ok_or(FrameError::NoState)?;
    let wrong = |e: &dyn std::fmt::Display| FrameError::State(e.to_string());
    let packed = BASE64_STANDARD.decode(packed).map_err(|e| wrong(&e))?;
    let text = zstd::bulk::decompress(&packed, MOST_STATE_BYTES.min(packed.len().saturating_mul(4096)))
        .map_err(|e| wrong(&e))?;
    let state: State = serde_json::from_slice(&text).map_err(|e| wrong(&e))?;
    if state.version != VERSION {
        return Err(FrameError::Version(state.version));
    }
    Ok(state)
}

/// Adds the rows of a frame to a table, and returns their numbers.
fn restore_rows(frame: &DataFrame, table: &mut Table) -> Result<Vec<u32>, FrameError> {
    let text = |name: &str| frame.column(name).and_then(|c| c.str());
    let (ids, kinds) = (text("principal_id")?, text("principal_kind")?);
    let (namespaces, paths) = (text("namespace")?, text("path")?);
    let (capabilities, mount_types) = (text("capability")?, text("mount_type")?);
    let (firsts, lasts) = (text("first_seen")?, text("last_seen")?);
    let (days, always, ever) = (text("days")?, text("keys_always")?, text("keys_ever")?);
    let seen = text("policies_seen")?;
    let count = |name: &str| frame.column(name).and_then(|c| c.u64());
    let (allowed, denied, failed) = (count("allowed")?, count("denied")?, count("failed")?);
    let auths = frame.column("state_auth").and_then(|c| c.u32())?;
    let wrong = |what: &str| FrameError::State(format!("a row without `{what}`"));
    let nanos = |text: Option<&str>| {
        let time: Timestamp = text?.parse().ok()?;
        i64::try_from(time.as_nanosecond()).ok()
    };
    let list = |text: Option<&str>| -> Option<Vec<Arc<str>>> { serde_json::from_str(text?).ok() };
    let mut rows = Vec::with_capacity(frame.height());
    for at in 0..frame.height() {
        let kind = kinds
            .get(at)
            .and_then(PrincipalKind::from_word)
            .ok_or_else(|| wrong("principal_kind"))?;
        let capability: Capability = capabilities
            .get(at)
            .and_then(|word| word.parse().ok())
            .ok_or_else(|| wrong("capability"))?;
        let id = ids.get(at).ok_or_else(|| wrong("principal_id"))?;
        let number = table.restore_row(
            kind,
            id,
            &Key {
                principal: 0,
                namespace: namespaces.get(at).unwrap_or_default(),
                path: paths.get(at).ok_or_else(|| wrong("path"))?,
                capability,
            },
        );
        let mount_type = match mount_types.get(at) {
            None | Some("") => u32::MAX,
            Some(mount_type) => table.text(mount_type),
        };
        let always: Option<Vec<u32>> = list(always.get(at)).map(|names| names.iter().map(|n| table.text(n)).collect());
        let ever: Vec<u32> = list(ever.get(at))
            .unwrap_or_default()
            .iter()
            .map(|n| table.text(n))
            .collect();
        let known_auths = table.auths.len();
        let Some(row) = table.rows.get_mut(number as usize) else {
            continue;
        };
        row.mount_type = mount_type;
        row.allowed = allowed.get(at).unwrap_or(0);
        row.denied = denied.get(at).unwrap_or(0);
        row.failed = failed.get(at).unwrap_or(0);
        row.first = nanos(firsts.get(at)).unwrap_or(i64::MAX);
        row.last = nanos(lasts.get(at)).unwrap_or(i64::MIN);
        row.days = days
            .get(at)
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_else(|| ends(row.first, row.last));
        row.days.sort_unstable();
        row.days.dedup();
        row.auth = auths
            .get(at)
            .filter(|a| (*a as usize) < known_auths)
            .unwrap_or(u32::MAX);
        row.auth_time = nanos(seen.get(at)).unwrap_or(row.last);
        row.keys_always = always.map(sorted);
        row.keys_ever = sorted(ever);
        rows.push(number);
    }
    Ok(rows)
}

/// The days of the first and the last time: all days of most demands, which are not stored then.
fn ends(first: i64, last: i64) -> Vec<i32> {
    let mut days = vec![day_of(first), day_of(last)];
    days.dedup();
    days
}

fn json(names: &BTreeSet<Arc<str>>) -> Option<String> {
    if names.is_empty() {
        return Some("[]".to_owned());
    }
    serde_json::to_string(names).ok()
}

fn sorted(mut numbers: Vec<u32>) -> Vec<u32> {
    numbers.sort_unstable();
    numbers
}
