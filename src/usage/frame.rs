//! Usage as a data frame, and as Parquet: rows that any tool can read, with their meaning in the file's own metadata.

use super::coverage::{day_of, timestamp};
use super::listing::{Listed, Listing};
use super::part::Usage;
use super::record::NONE;
use super::state::{State, VERSION};
use super::table::{Key, Table};
use crate::vault::{Capability, PrincipalKind};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use jiff::Timestamp;
use polars::prelude::*;
use rayon::prelude::*;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::Arc;

/// Where the metadata keep the version of the columns.
const SCHEMA_KEY: &str = "vault-advisor.schema";
/// Window, coverage and tally, readable.
const ABOUT_KEY: &str = "vault-advisor.about";
/// What a merge needs: JSON, compressed, in base 64.
const STATE_KEY: &str = "vault-advisor.state";

/// Bytes written at once.
const WRITE_BLOCK: usize = 1 << 18;

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
    /// The reader of Parquet gave up in a way that it should not.
    #[error("it is damaged")]
    Damaged,
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
        Ok(frame(table, &table.listing())?)
    }
}

/// Writes a part as Parquet.
pub fn write(usage: &Usage, to: &mut impl Write) -> Result<(), FrameError> {
    let table = usage.settled();
    let listing = table.listing();
    let (frame, state) = std::thread::scope(|scope| {
        let state = scope.spawn(|| packed_state(usage, table, &listing));
        let frame = frame(table, &listing);
        (frame, state.join())
    });
    let state = state.map_err(|_| FrameError::State("packing it failed".to_owned()))??;
    let metadata = vec![
        (SCHEMA_KEY.to_owned(), VERSION.to_string()),
        (ABOUT_KEY.to_owned(), about(usage, table)),
        (STATE_KEY.to_owned(), state),
    ];
    let mut to = BufWriter::with_capacity(WRITE_BLOCK, to);
    ParquetWriter::new(&mut to)
        .with_key_value_metadata(Some(KeyValueMetadata::from_static(metadata)))
        .finish(&mut frame?)?;
    to.flush().map_err(PolarsError::from)?;
    Ok(())
}

/// The state as text.
fn packed_state(usage: &Usage, table: &Table, listing: &Listing<'_>) -> Result<String, FrameError> {
    let rows: Vec<u32> = listing.iter().map(|listed| listed.number).collect();
    let state = State::of(table, &usage.stored_ledger(), usage, &rows);
    let text = serde_json::to_vec(&state).map_err(|e| FrameError::State(e.to_string()))?;
    let packed = zstd::bulk::compress(&text, 3).map_err(|e| FrameError::State(e.to_string()))?;
    Ok(BASE64_STANDARD.encode(packed))
}

/// Window, coverage and tally for people who look into the file with other tools.
fn about(usage: &Usage, table: &Table) -> String {
    let window = usage.window();
    let tally = &table.tally;
    let time = |nanos: Option<i64>| nanos.and_then(timestamp).map(|t| t.to_string());
    let skipped: serde_json::Map<String, serde_json::Value> = tally
        .reasons()
        .map(|(reason, s)| (reason.to_string(), s.count.into()))
        .collect();
    serde_json::json!({
        "window": { "since": window.since, "until": window.until },
        "group_by": usage.group_by(),
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

/// The columns as they fill: all of a row at once, since rows lie far apart in memory.
#[derive(Default)]
struct Columns<'a> {
    principal_id: Vec<&'a str>,
    principal_kind: Vec<&'a str>,
    principal_name: Vec<&'a str>,
    auth_mount: Vec<&'a str>,
    namespace: Vec<&'a str>,
    path: Vec<&'a str>,
    capability: Vec<&'a str>,
    mount_type: Vec<&'a str>,
    allowed: Vec<u64>,
    denied: Vec<u64>,
    first_seen: Vec<Option<String>>,
    last_seen: Vec<Option<String>>,
    active_days: Vec<u64>,
    policies: Vec<Vec<Arc<str>>>,
    failed: Vec<u64>,
    days: Vec<Option<String>>,
    keys_always: Vec<Option<&'a [u32]>>,
    keys_ever: Vec<Option<&'a [u32]>>,
    policies_seen: Vec<Option<String>>,
    state_auth: Vec<Option<u32>>,
}

impl<'a> Columns<'a> {
    fn push(&mut self, table: &'a Table, listed: Listed<'a>) {
        let (principal, row) = (listed.principal, listed.row);
        let time = |time: Option<Timestamp>| time.map(|t| t.to_string());
        self.principal_id.push(&principal.id);
        self.principal_kind.push(principal.kind.as_str());
        self.principal_name.push(&principal.name);
        self.auth_mount.push(&principal.auth_mount);
        self.namespace.push(table.texts.get(row.namespace));
        self.path.push(&row.path);
        self.capability.push(row.capability.as_str());
        self.mount_type.push(table.texts.get(row.mount_type));
        self.allowed.push(row.allowed);
        self.denied.push(row.denied);
        self.first_seen.push(time(row.first_seen()));
        self.last_seen.push(time(row.last_seen()));
        self.active_days.push(row.days.len() as u64);
        let held = table.held_of(listed).map(|held| held.labels(&table.seen.namespaces));
        self.policies.push(held.unwrap_or_default());
        self.failed.push(row.failed);
        let days = Some(&row.days).filter(|days| **days != ends(row.first, row.last));
        self.days.push(days.and_then(|days| serde_json::to_string(days).ok()));
        self.keys_always.push(row.keys_always.as_deref());
        self.keys_ever.push(Some(&row.keys_ever));
        // Only where it is not when the demand was last seen.
        let other = Some(row.auth_time).filter(|time| *time != row.last);
        self.policies_seen.push(time(other.and_then(timestamp)));
        self.state_auth.push(Some(row.auth).filter(|auth| *auth != NONE));
    }

    fn frame(self, table: &Table) -> PolarsResult<DataFrame> {
        let mut known: HashMap<&[u32], String, FixedState> = HashMap::default();
        for names in self.keys_always.iter().chain(&self.keys_ever).flatten() {
            known.entry(names).or_insert_with(|| json(table, names));
        }
        let lists = |names: &[Option<&[u32]>]| -> Vec<Option<&str>> {
            let text = |names: &Option<&[u32]>| known.get((*names)?).map(String::as_str);
            names.iter().map(text).collect()
        };
        let height = self.path.len();
        let mut policies = ListStringChunkedBuilder::new("policies".into(), height, height * 4);
        for set in &self.policies {
            policies.append_values_iter(set.iter().map(|policy| &**policy));
        }
        let columns = vec![
            Column::new("principal_id".into(), self.principal_id),
            Column::new("principal_kind".into(), self.principal_kind),
            Column::new("principal_name".into(), self.principal_name),
            Column::new("auth_mount".into(), self.auth_mount),
            Column::new("namespace".into(), self.namespace),
            Column::new("path".into(), self.path),
            Column::new("capability".into(), self.capability),
            Column::new("mount_type".into(), self.mount_type),
            Column::new("allowed".into(), self.allowed),
            Column::new("denied".into(), self.denied),
            Column::new("first_seen".into(), self.first_seen),
            Column::new("last_seen".into(), self.last_seen),
            Column::new("active_days".into(), self.active_days),
            policies.finish().into_series().into_column(),
            Column::new("failed".into(), self.failed),
            Column::new("days".into(), self.days),
            Column::new("keys_always".into(), lists(&self.keys_always)),
            Column::new("keys_ever".into(), lists(&self.keys_ever)),
            Column::new("policies_seen".into(), self.policies_seen),
            Column::new("state_auth".into(), self.state_auth),
        ];
        DataFrame::new(height, columns)
    }
}

fn frame<'a>(table: &'a Table, listing: &'a Listing<'a>) -> PolarsResult<DataFrame> {
    let mut columns = Columns::default();
    for listed in listing.iter() {
        columns.push(table, listed);
    }
    columns.frame(table)
}

/// Reads a part that [`write()`] wrote.
pub fn read(from: File) -> Result<Usage, FrameError> {
    let bytes = from.metadata().map_err(PolarsError::from)?.len();
    let mut reader = ParquetReader::new(from);
    let state = state_in(&mut reader)?;
    bounded(&mut reader, bytes)?;
    let frame = reader.finish()?;
    let mut table = state.table();
    let rows = restore_rows(&frame, &mut table)?;
    let records = state.records(&mut table, &rows);
    Ok(Usage::restored(table, &records, state.window, state.group_by))
}

/// Refuses a file that says it has more rows than it can: room is made for all of them before the first is read.
fn bounded(reader: &mut ParquetReader<File>, bytes: u64) -> Result<(), FrameError> {
    // Each row has a path of its own, which takes more than an eighth of a byte however it is packed.
    let most = bytes.saturating_mul(8);
    let metadata = reader.get_metadata()?;
    let fits = |count: i64| u64::try_from(count).is_ok_and(|count| count <= most);
    let rows = |count: usize| i64::try_from(count).is_ok_and(fits);
    let groups = metadata.row_groups.iter().all(|group| {
        let columns = group.parquet_columns();
        rows(group.num_rows()) && columns.iter().all(|column| fits(column.num_values()))
    });
    if rows(metadata.num_rows) && groups {
        Ok(())
    } else {
        Err(FrameError::State(
            "it says it has more rows than fit into it".to_owned(),
        ))
    }
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
    let (firsts, lasts, seen) = (times(firsts), times(lasts), times(seen));
    let time = |times: &[Option<i64>], at: usize| times.get(at).copied().flatten();
    let list = |text: Option<&str>| -> Option<Vec<Arc<str>>> {
        match text? {
            "[]" => Some(Vec::new()),
            text => serde_json::from_str(text).ok(),
        }
    };
    let mut rows = Vec::with_capacity(frame.height());
    table.reserve(frame.height());
    // The rows of a principal stand together.
    let mut last = None;
    let mut before: Option<(u32, &str, &str, Capability)> = None;
    let (mut begun, mut ascending) = (HashSet::<u32, FixedState>::default(), true);
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
        let namespace = table.text(namespaces.get(at).unwrap_or_default());
        let principal = match last {
            Some((known, number)) if known == (kind, id) => number,
            _ => table.restored_principal(kind, id),
        };
        last = Some(((kind, id), principal));
        let path = paths.get(at).ok_or_else(|| wrong("path"))?;
        let key = Key {
            principal,
            namespace,
            path,
            capability,
        };
        // As they were written the rows ascend, so that none can be there already.
        let place = (principal, namespaces.get(at).unwrap_or_default(), path, capability);
        ascending &= match before {
            Some((last, ..)) if last != principal => begun.insert(principal),
            Some(before) => before < place,
            None => begun.insert(principal),
        };
        before = Some(place);
        let number = if ascending {
            table.begin_row(&key)
        } else {
            table.row(&key)
        };
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
        row.first = time(&firsts, at).unwrap_or(i64::MAX);
        row.last = time(&lasts, at).unwrap_or(i64::MIN);
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
        row.auth_time = time(&seen, at).unwrap_or(row.last);
        row.keys_always = always.map(sorted);
        row.keys_ever = sorted(ever);
        rows.push(number);
    }
    Ok(rows)
}

/// Times in nanoseconds since 1970; none for what is no time.
fn times(texts: &StringChunked) -> Vec<Option<i64>> {
    let texts: Vec<Option<&str>> = texts.iter().collect();
    let nanos = |text: &Option<&str>| {
        let time: Timestamp = (*text)?.parse().ok()?;
        i64::try_from(time.as_nanosecond()).ok()
    };
    texts.par_iter().map(nanos).collect()
}

/// The days of the first and the last time: all days of most demands, which are not stored then.
fn ends(first: i64, last: i64) -> Vec<i32> {
    let mut days = vec![day_of(first), day_of(last)];
    days.dedup();
    days
}

/// Names as a JSON list, sorted.
fn json(table: &Table, names: &[u32]) -> String {
    let mut names: Vec<&str> = names.iter().map(|n| table.texts.get(*n)).collect();
    names.sort_unstable();
    serde_json::Value::from(names).to_string()
}

fn sorted(mut numbers: Vec<u32>) -> Vec<u32> {
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_come_twice_are_one() {
        let mut table = Table::default();
        let principal = table.restored_principal(PrincipalKind::Entity, "e-1");
        let namespace = table.text("");
        for path in ["b", "a"] {
            let row = table.row(&Key {
                principal,
                namespace,
                path,
                capability: Capability::Read,
            });
            table.rows[row as usize].allowed = 1;
        }
        let written = frame(&table, &table.listing()).unwrap();
        let doubled = written.vstack(&written).unwrap();
        for (frame, numbers) in [(&written, vec![0, 1]), (&doubled, vec![0, 1, 0, 1])] {
            let mut restored = Table::default();
            assert_eq!(restore_rows(frame, &mut restored).unwrap(), numbers);
            let paths: Vec<&str> = restored.rows.iter().map(|row| &*row.path).collect();
            assert_eq!(paths, ["a", "b"]);
        }
    }
}
