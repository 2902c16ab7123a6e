//! What a stored part carries besides its rows, so that a merge is exact: principals, tally, coverage, open requests.

use super::auth::Auth;
use super::best::Best;
use super::bounds::Passed;
use super::coverage::Seen;
use super::demand::Untold;
use super::example::{Log, LogId, LogPlace};
use super::group::GroupBy;
use super::held::{Held, Namespaces, Placed, Space};
use super::interner::TextId;
use super::ledger::Ledger;
use super::part::Usage;
use super::table::record::{Class, Record};
use super::table::{AuthId, Counts, NEVER_FIRST, NamesId, RowId, Table, Used, Who};
use super::tally::{Skip, Skipped, Tally};
use super::window::Window;
use crate::index::Idx;
use crate::origin::{LogLine, Origin};
use crate::vault::PrincipalKind;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The version of the state and of the columns. A file of a later version is refused.
pub const VERSION: u32 = 2;

/// Stands in a stored request for the number of nothing.
pub(super) const NONE: u32 = u32::MAX;

/// The number that a stored request has in the place of one of ours.
pub(super) fn number_of<T>(id: Option<Idx<T>>) -> u32 {
    id.and_then(|id| u32::try_from(id.number()).ok()).unwrap_or(NONE)
}

/// The state.
#[derive(Debug)]
pub(crate) struct State {
    pub head: Head,
    pub bulk: Bulk,
}

/// What there is one of.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) version: u32,
    pub(crate) window: Option<Window>,
    /// Parts of earlier versions do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group_by: Option<GroupBy>,
    tally: StoredTally,
    seen: StoredSeen,
    counts: [u64; 3],
    /// Parts of earlier versions do not say it.
    #[serde(default)]
    pub(crate) untold: Option<Untold>,
    /// Parts of earlier versions had no bounds.
    #[serde(default, skip_serializing_if = "Passed::none")]
    passed: Passed,
    /// Namespaces that are those of no row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    spaces: Vec<Arc<str>>,
}

/// What there are many of. Version 1 had them as JSON, later ones have them as tables.
#[derive(Debug, Deserialize)]
pub(crate) struct Bulk {
    pub(super) auths: Vec<StoredAuth>,
    pub(super) principals: Vec<StoredPrincipal>,
    pub(super) key_sets: Vec<Vec<Arc<str>>>,
    pub(super) mount_types: Vec<Arc<str>>,
    /// Parts of earlier versions name none.
    #[serde(default)]
    pub(super) files: Vec<Arc<str>>,
    pub(super) records: Vec<StoredRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredTally {
    lines: u64,
    used: u64,
    paired: u64,
    /// Parts of earlier versions counted these lines as skipped, under the number of `Skip::ServerLog`.
    #[serde(default)]
    joined: Option<u64>,
    skipped: Vec<StoredSkip>,
}

/// Reason, count, and the place of the first example.
#[derive(Debug, Serialize, Deserialize)]
struct StoredSkip(Skip, u64, Option<(Arc<str>, u32, u32)>);

#[derive(Debug, Serialize, Deserialize)]
struct StoredSeen {
    first: Option<i64>,
    last: Option<i64>,
    bins: BTreeMap<i32, [u64; 5]>,
    nodes: BTreeSet<Arc<str>>,
    copies: u32,
    #[serde(default, skip_serializing_if = "Namespaces::is_empty")]
    namespaces: Namespaces,
}

/// An [`Auth`].
#[derive(Debug, Deserialize)]
pub(crate) struct StoredAuth {
    pub(super) kind: PrincipalKind,
    pub(super) id: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) mount: Arc<str>,
    pub(super) login: bool,
    pub(super) policies: Arc<[Arc<str>]>,
    #[serde(default)]
    pub(super) space: Option<Space>,
    #[serde(default)]
    pub(super) placed: Vec<Placed>,
    /// Whether its entries list no policies.
    #[serde(default)]
    pub(super) unlisted: bool,
    #[serde(default = "no_text")]
    pub(super) role: Arc<str>,
    pub(super) entity_id: Arc<str>,
    pub(super) display_name: Arc<str>,
    pub(super) metadata_keys: Arc<[Arc<str>]>,
    /// When something was last allowed to it; parts of earlier versions do not say.
    #[serde(default)]
    pub(super) used: Option<i64>,
    /// When something was first allowed to it; parts of earlier versions do not say.
    #[serde(default)]
    pub(super) first_used: Option<i64>,
    /// Lines of it that could not be read.
    #[serde(default)]
    pub(super) lost: u64,
}

/// Kind, id, number of the auth, when that was seen, the last login, and whether not all is known that was allowed to it.
#[derive(Debug, Deserialize)]
pub(super) struct StoredPrincipal(
    pub(super) PrincipalKind,
    pub(super) Arc<str>,
    pub(super) Option<u32>,
    pub(super) i64,
    pub(super) Option<(i64, Arc<str>)>,
    #[serde(default)] pub(super) bool,
);

/// Id, times, numbers (row, auth, keys, mount type), entries, class, flags, skip; file and line, and the set of the policies that allowed
/// it, which parts of earlier versions do not say.
#[derive(Debug, Deserialize)]
pub(super) struct StoredRecord(
    pub(super) u64,
    pub(super) [i64; 2],
    pub(super) [u32; 4],
    pub(super) [u32; 2],
    pub(super) [u8; 3],
    #[serde(default)] pub(super) Option<(u32, u32)>,
    #[serde(default)] pub(super) Option<u32>,
);

impl State {
    /// The state of a table whose rows stand in the file in the order of `rows`, and of its ledger.
    pub(crate) fn of(table: &Table, ledger: &Ledger, usage: &Usage, rows: &[RowId]) -> Self {
        let places: HashMap<RowId, u32> = rows.iter().copied().zip(0..).collect();
        let mut mount_types: Vec<Arc<str>> = Vec::new();
        let mut mount_numbers: HashMap<TextId, u32> = HashMap::new();
        let mut files: Vec<Arc<str>> = Vec::new();
        let mut file_numbers: HashMap<Arc<str>, u32> = HashMap::new();
        let records = ledger
            .records()
            .iter()
            .map(|r| {
                let mount_type = r.mount_type.map_or(NONE, |text| {
                    *mount_numbers.entry(text).or_insert_with(|| {
                        mount_types.push(table.texts.shared(text));
                        u32::try_from(mount_types.len() - 1).unwrap_or(NONE)
                    })
                });
                let example = r.place.map(|place| {
                    let LogLine { file, line } = place.told(&table.logs);
                    let number = *file_numbers.entry(file).or_insert_with_key(|file| {
                        files.push(Arc::clone(file));
                        u32::try_from(files.len() - 1).unwrap_or(NONE)
                    });
                    (number, line)
                });
                let row = r.row.and_then(|row| places.get(&row).copied()).unwrap_or(NONE);
                StoredRecord(
                    r.id,
                    [r.first, r.last],
                    [row, number_of(r.auth), number_of(r.keys), mount_type],
                    [r.requests, r.responses],
                    [r.class as u8, r.flags, r.skip],
                    example,
                    r.granting.map(|names| number_of(Some(names))),
                )
            })
            .collect();
        let head = Head {
            version: VERSION,
            window: usage.window,
            group_by: usage.group_by.clone(),
            tally: StoredTally::of(&table.tally),
            seen: StoredSeen {
                first: table.seen.first,
                last: table.seen.last,
                bins: table.seen.bins.clone(),
                nodes: table.seen.nodes.clone(),
                copies: table.seen.copies,
                namespaces: table.seen.namespaces.clone(),
            },
            counts: [
                table.counts.with_results,
                table.counts.unpaired_requests,
                table.counts.unpaired_responses,
            ],
            untold: Some(table.counts.untold),
            passed: table.passed,
            spaces: table.spaces_without_rows(),
        };
        let bulk = Bulk {
            auths: table
                .auths
                .numbered()
                .map(|(number, auth)| StoredAuth::of(auth, table.auth_used(number), table.auth_lost(number)))
                .collect(),
            principals: table.principals.iter().map(StoredPrincipal::of).collect(),
            key_sets: table
                .key_sets
                .iter()
                .map(|set| set.numbers().iter().map(|n| table.texts.shared(*n)).collect())
                .collect(),
            mount_types,
            files,
            records,
        };
        Self { head, bulk }
    }

    /// A table with everything but its rows, and what the auths of the state are called in it.
    pub(crate) fn table(&self) -> (Table, Vec<AuthId>) {
        let mut table = Table::default();
        let mut auths = Vec::with_capacity(self.bulk.auths.len());
        for auth in &self.bulk.auths {
            let number = table.auth(auth.auth());
            auths.push(number);
            if let Some(last) = auth.used {
                table.use_auth(number, Used::at(auth.first_used.unwrap_or(NEVER_FIRST), last));
            }
            table.lose(number, auth.lost);
        }
        for StoredPrincipal(kind, id, auth, time, login, is_over) in &self.bulk.principals {
            let auth = auth.and_then(|number| auths.get(number as usize).copied());
            let login = login.clone();
            let who = Who {
                auth: Best::seen(auth, *time),
                login: login.map_or(Best::NONE, |(time, mount)| Best::seen(Some(mount), time)),
                ..Who::new(*kind, Arc::clone(id))
            };
            table.restore_principal(who, *is_over);
        }
        for space in &self.head.spaces {
            table.space(space);
        }
        table.passed.merge(self.head.passed);
        table.tally = self.head.tally.tally();
        table.seen = Seen::default();
        table.seen.first = self.head.seen.first;
        table.seen.last = self.head.seen.last;
        table.seen.bins.clone_from(&self.head.seen.bins);
        table.seen.nodes.clone_from(&self.head.seen.nodes);
        table.seen.copies = self.head.seen.copies;
        table.seen.namespaces.clone_from(&self.head.seen.namespaces);
        let [with_results, unpaired_requests, unpaired_responses] = self.head.counts;
        table.counts = Counts {
            with_results,
            unpaired_requests,
            unpaired_responses,
            untold: self.head.untold.unwrap_or_default(),
        };
        (table, auths)
    }

    /// The open requests, in the numbers of `table`, in which the rows and auths of the file are called `rows` and `auths`.
    pub(crate) fn records(&self, table: &mut Table, rows: &[RowId], auths: &[AuthId]) -> Vec<Record> {
        let mut sets: HashMap<(u32, bool), NamesId> = HashMap::new();
        let mut set = |table: &mut Table, number: u32, of_data: bool| -> Option<NamesId> {
            let names = self.bulk.key_sets.get(number as usize)?;
            Some(*sets.entry((number, of_data)).or_insert_with(|| {
                if of_data {
                    let names: Vec<_> = names.iter().map(|name| Cow::Borrowed(&**name)).collect();
                    table.data_keys(&names)
                } else {
                    let names = names.iter().map(|name| table.text(name)).collect();
                    table.granting(names)
                }
            }))
        };
        let mount_types: Vec<TextId> = self.bulk.mount_types.iter().map(|m| table.text(m)).collect();
        let log =
            |file: &Arc<str>| [false, true].map(|outcome| table.logs.intern(Log::whole(Arc::clone(file), outcome)));
        let logs: Vec<[LogId; 2]> = self.bulk.files.iter().map(log).collect();
        fn to<T>(map: &[Idx<T>], number: u32) -> Option<Idx<T>> {
            map.get(number as usize).copied()
        }
        self.bulk
            .records
            .iter()
            .filter_map(
                |StoredRecord(id, times, numbers, entries, [class, flags, skip], example, granting)| {
                    let ([first, last], [row, auth, keys, mount_type]) = (*times, *numbers);
                    let [requests, responses] = *entries;
                    let class = match class {
                        0 => Class::UnusableRequest,
                        1 => Class::UnusableResponse,
                        2 => Class::Request,
                        3 => Class::Response,
                        _ => return None,
                    };
                    let outcome = matches!(class, Class::UnusableResponse | Class::Response);
                    let place = example.and_then(|(file, line)| {
                        let log = *logs.get(file as usize)?.get(usize::from(outcome))?;
                        Some(LogPlace { log, line })
                    });
                    Some(Record {
                        id: *id,
                        first,
                        last,
                        row: to(rows, row),
                        auth: to(auths, auth),
                        keys: set(table, keys, true),
                        granting: granting.and_then(|number| set(table, number, false)),
                        mount_type: to(&mount_types, mount_type),
                        place,
                        requests,
                        responses,
                        class,
                        flags: *flags,
                        skip: *skip,
                    })
                },
            )
            .collect()
    }
}

fn no_text() -> Arc<str> {
    Arc::from("")
}

impl StoredPrincipal {
    fn of(who: &Who) -> Self {
        let auth = who.auth.value().map(|auth| number_of(Some(*auth)));
        let login = who.login.value().map(|mount| (who.login.time(), Arc::clone(mount)));
        Self(
            who.kind,
            Arc::clone(&who.id),
            auth,
            who.auth.time(),
            login,
            who.is_over(),
        )
    }
}

impl StoredAuth {
    fn of(auth: &Auth, used: Option<Used>, lost: u64) -> Self {
        Self {
            kind: auth.kind,
            id: Arc::clone(&auth.id),
            name: Arc::clone(&auth.name),
            mount: Arc::clone(&auth.mount),
            login: auth.login,
            policies: Arc::clone(&auth.held.own),
            space: auth.held.space.clone(),
            placed: auth.held.placed.to_vec(),
            unlisted: !auth.held.listed,
            role: Arc::clone(&auth.role),
            entity_id: Arc::clone(&auth.entity_id),
            display_name: Arc::clone(&auth.display_name),
            metadata_keys: Arc::clone(&auth.metadata_keys),
            used: used.map(|used| used.last),
            first_used: used.map(|used| used.first).filter(|first| *first != NEVER_FIRST),
            lost,
        }
    }

    fn auth(&self) -> Auth {
        Auth {
            kind: self.kind,
            id: Arc::clone(&self.id),
            name: Arc::clone(&self.name),
            mount: Arc::clone(&self.mount),
            login: self.login,
            role: Arc::clone(&self.role),
            held: Arc::new(Held {
                own: Arc::clone(&self.policies),
                placed: Arc::from(&*self.placed),
                space: self.space.clone(),
                listed: !self.unlisted,
            }),
            entity_id: Arc::clone(&self.entity_id),
            display_name: Arc::clone(&self.display_name),
            metadata_keys: Arc::clone(&self.metadata_keys),
        }
    }
}

impl StoredTally {
    fn of(tally: &Tally) -> Self {
        Self {
            lines: tally.lines,
            used: tally.used,
            paired: tally.paired,
            joined: Some(tally.joined),
            skipped: tally
                .reasons()
                .map(|(reason, skipped)| {
                    let first = skipped.first.as_ref();
                    let first = first.map(|o| (Arc::clone(&o.file), o.line, o.column));
                    StoredSkip(reason, skipped.count, first)
                })
                .collect(),
        }
    }

    fn tally(&self) -> Tally {
        let skipped = self.skipped.iter().map(|StoredSkip(reason, count, first)| {
            let first = first.as_ref();
            let first = first.map(|(file, line, column)| Origin::new(Arc::clone(file), *line, *column));
            (*reason, Skipped { count: *count, first })
        });
        let mut skipped: BTreeMap<Skip, Skipped> = skipped.collect();
        let joined = self
            .joined
            .unwrap_or_else(|| skipped.remove(&Skip::ServerLog).map_or(0, |earlier| earlier.count));
        Tally {
            lines: self.lines,
            used: self.used,
            paired: self.paired,
            joined,
            skipped,
        }
    }
}
