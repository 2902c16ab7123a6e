//! Usage as Parquet: a table of demands that any tool reads as it is, and in the same file the tables that a merge needs.
//!
//! Version 1 had all of that as text in the metadata; it is read, and no more written.

use super::best::Best;
use super::coverage::{day_of, timestamp};
use super::example::{Example, Log, LogPlace};
use super::interner::TextId;
use super::listing::Listing;
use super::parquet::{self, Stored, Table as Columns};
use super::part::Usage;
use super::state::{Bulk, Head, State, VERSION};
use super::table::record::{flag, join_ids};
use super::table::{AuthId, Key, Row as TableRow, RowId, Table, WhoId};
use crate::hint::Cause;
use crate::origin::LogLine;
use crate::vault::{Capability, PrincipalKind};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use jiff::Timestamp;
use polars::prelude::{PolarsError, PolarsResult};
use rayon::prelude::*;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;

/// Where the metadata keep the version of the columns.
const SCHEMA_KEY: &str = "vault-advisor.schema";
/// Window, coverage and tally, readable.
const ABOUT_KEY: &str = "vault-advisor.about";
/// What a merge needs and is no table: JSON; of version 1 all that a merge needs, compressed, in base 64.
const STATE_KEY: &str = "vault-advisor.state";

/// The tables in the file beside that of the demands: what belongs to each demand and tells nobody else anything; what was said
/// of those who asked; who asked; requests that may still meet a partner in another part.
const DEMANDS: &str = "demands";
const AUTHS: &str = "auths";
const PRINCIPALS: &str = "principals";
const REQUESTS: &str = "requests";

/// The version that had its state in the metadata.
const STATE_AS_TEXT: u32 = 1;

/// The most bytes that a state of version 1 may unpack to.
const MOST_STATE_BYTES: usize = 1 << 30;

/// Usage could not be turned into a table or back.
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
    State(#[source] Cause),
    /// The reader of Parquet gave up in a way that it should not.
    #[error("it is damaged")]
    Damaged,
    /// Another version.
    #[error("it has version {0}, and this program reads versions up to {VERSION}")]
    Version(u32),
}

/// Writes a part as Parquet.
pub fn write(usage: &Usage, to: &mut impl Write) -> Result<(), FrameError> {
    let table = usage.settled();
    let listing = table.listing();
    let (demands, state) = rayon::join(
        || demands(table, &listing),
        || -> Result<_, FrameError> {
            let rows: Vec<RowId> = listing.iter().map(|listed| listed.number).collect();
            let state = State::of(table, &usage.stored_ledger(), usage, &rows);
            let head = serde_json::to_string(&state.head).map_err(|e| FrameError::State(e.into()))?;
            let bulk = [
                (DEMANDS, of_demands(table, &listing)?),
                (AUTHS, state.bulk.auth_columns()?),
                (PRINCIPALS, state.bulk.principal_columns()),
                (REQUESTS, state.bulk.request_columns()?),
            ];
            Ok((head, bulk))
        },
    );
    let (head, bulk) = state?;
    let metadata = [
        (SCHEMA_KEY, VERSION.to_string()),
        (ABOUT_KEY, about(usage, table)),
        (STATE_KEY, head),
    ];
    Ok(parquet::write(to, &demands?, &metadata, &bulk)?)
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

/// A count as every reader knows numbers.
fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The microseconds of a time, and the nanoseconds beyond them.
const fn parts(nanos: i64) -> (i64, i64) {
    (nanos.div_euclid(1_000), nanos.rem_euclid(1_000))
}

/// The demands, a row each, for everybody.
fn demands(table: &Table, listing: &Listing<'_>) -> PolarsResult<Columns> {
    let all_root = table.says_no_namespace();
    let rows: Vec<_> = listing.iter().collect();
    let mut columns = Columns::default();
    columns.texts(
        "principal_id",
        &rows.iter().map(|r| &*r.principal.id).collect::<Vec<_>>(),
    );
    columns.texts(
        "principal_kind",
        &rows.iter().map(|r| r.principal.kind.as_str()).collect::<Vec<_>>(),
    );
    columns.texts(
        "principal_name",
        &rows.iter().map(|r| &*r.principal.name).collect::<Vec<_>>(),
    );
    columns.texts(
        "auth_mount",
        &rows.iter().map(|r| &*r.principal.auth_mount).collect::<Vec<_>>(),
    );
    let namespaces: Vec<Arc<str>> = rows
        .iter()
        .map(|r| table.namespace(r.row.namespace, all_root))
        .collect();
    columns.texts("namespace", &namespaces);
    columns.texts("path", &rows.iter().map(|r| &*r.row.path).collect::<Vec<_>>());
    columns.texts(
        "capability",
        &rows.iter().map(|r| r.row.capability.as_str()).collect::<Vec<_>>(),
    );
    columns.texts(
        "mount_type",
        &rows
            .iter()
            .map(|r| r.row.mount_type.map_or("", |text| table.texts.get(text)))
            .collect::<Vec<_>>(),
    );
    columns.numbers("allowed", rows.iter().map(|r| count(r.row.allowed)).collect());
    columns.numbers("denied", rows.iter().map(|r| count(r.row.denied)).collect());
    let is_timed = |first: i64, last: i64| first <= last;
    let micros = |nanos: i64, there: bool| there.then(|| parts(nanos).0);
    columns.times(
        "first_seen",
        rows.iter()
            .map(|r| micros(r.row.first, is_timed(r.row.first, r.row.last))),
    );
    columns.times(
        "last_seen",
        rows.iter()
            .map(|r| micros(r.row.last, is_timed(r.row.first, r.row.last))),
    );
    columns.numbers(
        "active_days",
        rows.iter().map(|r| count(r.row.days.len() as u64)).collect(),
    );
    let policies: Vec<Option<Vec<Arc<str>>>> = rows
        .par_iter()
        .map(|listed| {
            let held = table.held_of(*listed).map(|held| held.labels(&table.seen.namespaces));
            Some(held.unwrap_or_default())
        })
        .collect();
    columns.lists_of_texts("policies", &policies)?;
    columns.numbers("failed", rows.iter().map(|r| count(r.row.failed)).collect());
    columns.lists_of_days("days", rows.iter().map(|r| &*r.row.days))?;
    let names = |names: Option<&[TextId]>| -> Option<Vec<&str>> {
        let mut names: Vec<&str> = names?.iter().map(|n| table.texts.get(*n)).collect();
        names.sort_unstable();
        Some(names)
    };
    let always: Vec<_> = rows.iter().map(|r| names(r.row.keys_always.as_deref())).collect();
    columns.lists_of_texts("keys_always", &always)?;
    let ever: Vec<_> = rows.iter().map(|r| names(Some(&r.row.keys_ever))).collect();
    columns.lists_of_texts("keys_ever", &ever)?;
    let examples: Vec<Option<LogLine>> = rows.iter().map(|r| table.example(r.row)).collect();
    let files: Vec<Option<&str>> = examples.iter().map(|one| Some(&*one.as_ref()?.file)).collect();
    columns.some_texts("example_file", &files);
    columns.some_numbers(
        "example_line",
        examples.iter().map(|one| Some(i64::from(one.as_ref()?.line))),
    );
    Ok(columns)
}

/// What a merge needs of the demands beyond what everybody sees, row by row.
fn of_demands(table: &Table, listing: &Listing<'_>) -> PolarsResult<Columns> {
    let all_root = table.says_no_namespace();
    let rows: Vec<_> = listing.iter().map(|listed| listed.row).collect();
    let mut columns = Columns::default();
    let auth = |auth: Option<&AuthId>| i64::try_from(auth?.number()).ok();
    columns.some_numbers("auth", rows.iter().map(|row| auth(row.auth.value())));
    // Only where it is not when the demand was last seen.
    let other = |time: i64, last: i64| Some(time).filter(|time| *time != last);
    columns.some_numbers("auth_time", rows.iter().map(|row| other(row.auth.time(), row.last)));
    columns.numbers("first_nanos", rows.iter().map(|row| parts(row.first).1).collect());
    columns.numbers("last_nanos", rows.iter().map(|row| parts(row.last).1).collect());
    // As the log tells it, only where that is not what is shown.
    let told = |number: TextId| {
        let told = table.texts.get(number);
        (*table.namespace(number, all_root) != *told).then_some(told)
    };
    let told: Vec<Option<&str>> = rows.iter().map(|row| told(row.namespace)).collect();
    columns.some_texts("namespace", &told);
    columns.some_numbers(
        "example_time",
        rows.iter().map(|row| other(row.example.time(), row.last)),
    );
    let outcome = |row: &&TableRow| {
        let place = row.example.of(row.allowed > 0);
        place.is_some_and(|place| table.logs.get(place.log).outcome)
    };
    columns.flags("example_outcome", &rows.iter().map(outcome).collect::<Vec<_>>());
    let granting = |row: &&TableRow| Some(row.granting.iter().map(|text| table.texts.get(*text)).collect());
    let granting: Vec<Option<Vec<&str>>> = rows.iter().map(granting).collect();
    columns.lists_of_texts("granting", &granting)?;
    Ok(columns)
}

/// Reads a part that [`write()`] wrote.
pub fn read(from: File) -> Result<Usage, FrameError> {
    let stored = Stored::open(from)?;
    let version = stored.text(SCHEMA_KEY).and_then(|v| v.parse().ok());
    let version = version.ok_or(FrameError::NoState)?;
    let text = stored.text(STATE_KEY).ok_or(FrameError::NoState)?;
    let (state, rows) = match version {
        STATE_AS_TEXT => (state_of_text(text)?, rows_of_text(&stored)?),
        VERSION => {
            let head: Head = serde_json::from_str(text).map_err(|e| FrameError::State(e.into()))?;
            let bulk = Bulk::of(
                &stored.inside(AUTHS)?,
                &stored.inside(PRINCIPALS)?,
                &stored.inside(REQUESTS)?,
            )?;
            (State { head, bulk }, rows(&stored)?)
        }
        other => return Err(FrameError::Version(other)),
    };
    if state.head.version != version {
        return Err(FrameError::Version(state.head.version));
    }
    let (mut table, auths) = state.table();
    let numbers = restore(&rows, &mut table, &auths);
    if state.head.untold.is_none() {
        table.tells_of_no_token();
    }
    let mut records = state.records(&mut table, &numbers, &auths);
    if version == STATE_AS_TEXT {
        // What the entries of a request have in common was its id alone.
        for record in records.iter_mut().filter(|record| record.flags & flag::NO_ID == 0) {
            record.id = join_ids(record.id, table.meaning(record));
        }
    }
    Ok(Usage::restored(table, &records, state.head.window, state.head.group_by))
}

fn state_of_text(text: &str) -> Result<State, FrameError> {
    let wrong = |e: Cause| FrameError::State(e);
    let packed = BASE64_STANDARD.decode(text).map_err(|e| wrong(e.into()))?;
    let text = zstd::bulk::decompress(&packed, MOST_STATE_BYTES.min(packed.len().saturating_mul(4096)))
        .map_err(|e| wrong(e.into()))?;
    Ok(State {
        head: serde_json::from_slice(&text).map_err(|e| wrong(e.into()))?,
        bulk: serde_json::from_slice(&text).map_err(|e| wrong(e.into()))?,
    })
}

/// A demand as it is stored, of whichever version.
struct Row {
    kind: PrincipalKind,
    id: String,
    namespace: String,
    path: String,
    capability: Capability,
    mount_type: String,
    allowed: u64,
    denied: u64,
    failed: u64,
    first: i64,
    last: i64,
    days: Vec<i32>,
    keys_always: Option<Vec<String>>,
    keys_ever: Vec<String>,
    granting: Vec<String>,
    auth: Option<u32>,
    auth_time: Option<i64>,
    example: Option<StoredExample>,
}

/// Where the last request that was allowed stands.
struct StoredExample {
    place: LogLine,
    outcome: bool,
    time: Option<i64>,
}

/// What both versions keep alike.
struct Alike {
    columns: [parquet::Values; 9],
}

impl Alike {
    fn of(stored: &Stored) -> PolarsResult<Self> {
        let column = |name| stored.column(name);
        Ok(Self {
            columns: [
                column("principal_kind")?,
                column("principal_id")?,
                column("namespace")?,
                column("path")?,
                column("capability")?,
                column("mount_type")?,
                column("allowed")?,
                column("denied")?,
                column("failed")?,
            ],
        })
    }

    fn rows(&self) -> Result<Vec<Row>, FrameError> {
        let [
            kinds,
            ids,
            namespaces,
            paths,
            capabilities,
            mount_types,
            allowed,
            denied,
            failed,
        ] = &self.columns;
        let (kinds, ids, namespaces) = (kinds.texts()?, ids.texts()?, namespaces.texts()?);
        let (paths, capabilities, mount_types) = (paths.texts()?, capabilities.texts()?, mount_types.texts()?);
        let (allowed, denied, failed) = (allowed.numbers()?, denied.numbers()?, failed.numbers()?);
        let wrong = |what: &str| FrameError::State(format!("a row without `{what}`").into());
        let text = |texts: &[Option<&str>], at: usize| texts.get(at).copied().flatten().map(str::to_owned);
        let count = |counts: &[Option<i64>], at: usize| {
            let count = counts.get(at).copied().flatten().unwrap_or(0);
            u64::try_from(count).unwrap_or(0)
        };
        let row = |at: usize| {
            let kind = kinds.get(at).copied().flatten().and_then(PrincipalKind::from_word);
            let capability = capabilities.get(at).copied().flatten();
            Ok(Row {
                kind: kind.ok_or_else(|| wrong("principal_kind"))?,
                id: text(&ids, at).ok_or_else(|| wrong("principal_id"))?,
                namespace: text(&namespaces, at).unwrap_or_default(),
                path: text(&paths, at).ok_or_else(|| wrong("path"))?,
                capability: capability
                    .and_then(|word| word.parse().ok())
                    .ok_or_else(|| wrong("capability"))?,
                mount_type: text(&mount_types, at).unwrap_or_default(),
                allowed: count(&allowed, at),
                denied: count(&denied, at),
                failed: count(&failed, at),
                first: i64::MAX,
                last: i64::MIN,
                days: Vec::new(),
                keys_always: None,
                keys_ever: Vec::new(),
                granting: Vec::new(),
                auth: None,
                auth_time: None,
                example: None,
            })
        };
        (0..kinds.len()).map(row).collect()
    }
}

/// The columns that say where requests stand; files of earlier versions have none.
#[derive(Default)]
struct Examples<'a> {
    files: Vec<Option<&'a str>>,
    lines: Vec<Option<i64>>,
    outcomes: Vec<bool>,
    times: Vec<Option<i64>>,
}

impl<'a> Examples<'a> {
    fn of(columns: &'a [Option<parquet::Values>; 4]) -> PolarsResult<Self> {
        let [Some(files), Some(lines), Some(outcomes), Some(times)] = columns else {
            return Ok(Self::default());
        };
        Ok(Self {
            files: files.texts()?,
            lines: lines.numbers()?,
            outcomes: outcomes.flags()?,
            times: times.numbers()?,
        })
    }

    fn at(&self, row: usize) -> Option<StoredExample> {
        let (file, line) = ((*self.files.get(row)?)?, (*self.lines.get(row)?)?);
        Some(StoredExample {
            place: LogLine {
                file: Arc::from(file),
                line: u32::try_from(line).ok()?,
            },
            outcome: self.outcomes.get(row).copied().unwrap_or(false),
            time: self.times.get(row).copied().flatten(),
        })
    }
}

/// The rows of a file.
fn rows(stored: &Stored) -> Result<Vec<Row>, FrameError> {
    let mut rows = Alike::of(stored)?.rows()?;
    let more = stored.inside(DEMANDS)?;
    if more.height() != stored.height() {
        return Err(FrameError::State("its tables are of different demands".into()));
    }
    let numbers = |stored: &Stored, name: &str| stored.column(name)?.numbers();
    let (firsts, lasts) = (numbers(stored, "first_seen")?, numbers(stored, "last_seen")?);
    let (first_rest, last_rest) = (numbers(&more, "first_nanos")?, numbers(&more, "last_nanos")?);
    let (auths, auth_times) = (numbers(&more, "auth")?, numbers(&more, "auth_time")?);
    let told = more.column("namespace")?;
    let told = told.texts()?;
    let days = stored.column("days")?.lists_of_numbers()?;
    let always = stored.column("keys_always")?.lists_of_texts()?;
    let ever = stored.column("keys_ever")?.lists_of_texts()?;
    let granting = more.later_column("granting")?;
    let granting = granting
        .as_ref()
        .map(parquet::Values::lists_of_texts)
        .transpose()?
        .unwrap_or_default();
    let mut granting = granting.into_iter();
    let examples = [
        stored.later_column("example_file")?,
        stored.later_column("example_line")?,
        more.later_column("example_outcome")?,
        more.later_column("example_time")?,
    ];
    let examples = Examples::of(&examples)?;
    let number = |numbers: &[Option<i64>], at: usize| numbers.get(at).copied().flatten();
    let time = |micros: &[Option<i64>], rest: &[Option<i64>], at: usize| {
        let rest = number(rest, at)?;
        number(micros, at)?.checked_mul(1_000)?.checked_add(rest)
    };
    let lists = days.into_iter().zip(always).zip(ever);
    for ((at, row), ((days, always), ever)) in rows.iter_mut().enumerate().zip(lists) {
        row.first = time(&firsts, &first_rest, at).unwrap_or(i64::MAX);
        row.last = time(&lasts, &last_rest, at).unwrap_or(i64::MIN);
        let days = days.unwrap_or_default().into_iter();
        row.days = days.filter_map(|day| i32::try_from(day).ok()).collect();
        (row.keys_always, row.keys_ever) = (always, ever.unwrap_or_default());
        row.granting = granting.next().flatten().unwrap_or_default();
        row.auth = number(&auths, at).and_then(|auth| u32::try_from(auth).ok());
        row.auth_time = number(&auth_times, at);
        row.example = examples.at(at);
        if let Some(told) = told.get(at).copied().flatten() {
            told.clone_into(&mut row.namespace);
        }
    }
    Ok(rows)
}

/// The rows of a file of version 1, which has times and lists as text.
fn rows_of_text(stored: &Stored) -> Result<Vec<Row>, FrameError> {
    let mut rows = Alike::of(stored)?.rows()?;
    let columns = [
        "first_seen",
        "last_seen",
        "policies_seen",
        "days",
        "keys_always",
        "keys_ever",
    ]
    .map(|name| stored.column(name));
    let columns = columns.into_iter().collect::<PolarsResult<Vec<_>>>()?;
    let texts: Vec<Vec<Option<&str>>> = columns
        .iter()
        .map(parquet::Values::texts)
        .collect::<PolarsResult<_>>()?;
    let auths = stored.column("state_auth")?.numbers()?;
    let text = |column: usize, at: usize| texts.get(column)?.get(at).copied().flatten();
    let time = |column: usize, at: usize| {
        let time: Timestamp = text(column, at)?.parse().ok()?;
        i64::try_from(time.as_nanosecond()).ok()
    };
    rows.par_iter_mut().enumerate().for_each(|(at, row)| {
        row.first = time(0, at).unwrap_or(i64::MAX);
        row.last = time(1, at).unwrap_or(i64::MIN);
        row.auth_time = time(2, at);
        // All days of most demands are those of the first and the last time, and are not stored then.
        let days = text(3, at).and_then(|text| serde_json::from_str(text).ok());
        row.days = days.unwrap_or_else(|| vec![day_of(row.first), day_of(row.last)]);
        let list = |column: usize| text(column, at).and_then(|text| serde_json::from_str(text).ok());
        (row.keys_always, row.keys_ever) = (list(4), list(5).unwrap_or_default());
        row.auth = auths
            .get(at)
            .copied()
            .flatten()
            .and_then(|auth| u32::try_from(auth).ok());
    });
    Ok(rows)
}

/// Adds stored rows to a table, in which the auths of the file are called `auths`, and returns their numbers.
fn restore(rows: &[Row], table: &mut Table, auths: &[AuthId]) -> Vec<RowId> {
    let mut numbers = Vec::with_capacity(rows.len());
    table.reserve(rows.len());
    // The rows of a principal stand together.
    let mut last = None;
    let mut before: Option<(WhoId, &str, &str, Capability)> = None;
    let (mut begun, mut ascending) = (HashSet::<WhoId, FixedState>::default(), true);
    for stored in rows {
        let namespace = table.space(&stored.namespace);
        let principal = match last {
            Some((known, number)) if known == (stored.kind, &stored.id) => number,
            _ => table.restored_principal(stored.kind, &stored.id),
        };
        last = Some(((stored.kind, &stored.id), principal));
        let key = Key {
            principal,
            namespace,
            path: &stored.path,
            capability: stored.capability,
        };
        // As they were written the rows ascend, so that none can be there already.
        let place = (principal, &*stored.namespace, &*stored.path, stored.capability);
        ascending &= match before {
            Some((last, ..)) if last != principal => begun.insert(principal),
            Some(before) => before < place,
            None => begun.insert(principal),
        };
        before = Some(place);
        // Of too many namespaces several are one.
        ascending &= table.texts.get(namespace) == &*stored.namespace;
        let number = if ascending {
            table.begin_row(&key, stored.allowed == 0)
        } else {
            let known = table.row(&key, stored.allowed == 0);
            known.unwrap_or_else(|| table.begin_row(&key, stored.allowed == 0))
        };
        let mount_type = match &*stored.mount_type {
            "" => None,
            mount_type => Some(table.text(mount_type)),
        };
        let mut names = |names: &[String]| -> Vec<TextId> {
            let mut numbers: Vec<TextId> = names.iter().map(|name| table.text(name)).collect();
            numbers.sort_unstable();
            numbers
        };
        let always = stored.keys_always.as_deref().map(&mut names);
        let ever = names(&stored.keys_ever);
        let granting = names(&stored.granting);
        let example = stored.example.as_ref().map(|StoredExample { place, outcome, time }| {
            let log = Log::whole(Arc::clone(&place.file), *outcome);
            let place = LogPlace {
                log: table.logs.intern(log),
                line: place.line,
            };
            Example::seen(Some(place), time.unwrap_or(stored.last), stored.allowed > 0)
        });
        let row = &mut table.rows[number];
        row.example = example.unwrap_or(Example::NONE);
        row.mount_type = mount_type;
        (row.allowed, row.denied, row.failed) = (stored.allowed, stored.denied, stored.failed);
        (row.first, row.last) = (stored.first, stored.last);
        row.days.clone_from(&stored.days);
        row.days.sort_unstable();
        row.days.dedup();
        let auth = stored.auth.and_then(|auth| auths.get(auth as usize).copied());
        row.auth = Best::seen(auth, stored.auth_time.unwrap_or(row.last));
        row.keys_always = always.map(Into::into);
        row.keys_ever = ever.into();
        row.granting = granting.into();
        table.take_names(number, 0);
        numbers.push(number);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(path: &str) -> Row {
        Row {
            kind: PrincipalKind::Entity,
            id: "e-1".to_owned(),
            namespace: String::new(),
            path: path.to_owned(),
            capability: Capability::Read,
            mount_type: String::new(),
            allowed: 1,
            denied: 0,
            failed: 0,
            first: 1,
            last: 2,
            days: vec![0],
            keys_always: None,
            keys_ever: Vec::new(),
            granting: Vec::new(),
            auth: None,
            auth_time: None,
            example: None,
        }
    }

    #[test]
    fn rows_that_come_twice_are_one() {
        for (paths, numbers) in [(&["a", "b"][..], vec![0, 1]), (&["a", "b", "a", "b"], vec![0, 1, 0, 1])] {
            let mut restored = Table::default();
            let rows: Vec<Row> = paths.iter().map(|path| row(path)).collect();
            let restored_as = restore(&rows, &mut restored, &[]);
            assert_eq!(restored_as.iter().map(|row| row.number()).collect::<Vec<_>>(), numbers);
            let paths: Vec<&str> = restored.rows.iter().map(|row| &*row.path).collect();
            assert_eq!(paths, ["a", "b"]);
        }
    }

    #[test]
    fn the_first_columns_are_those_of_the_contract() {
        let table = Table::default();
        let columns = demands(&table, &table.listing()).unwrap();
        let names = columns.names();
        let contract = crate::report::usage::COLUMNS;
        assert_eq!(names[..contract.len()], contract);
    }
}
