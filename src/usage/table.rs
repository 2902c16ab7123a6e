//! The demands as they accumulate: rows of numbers, with the texts, principals and sets that the numbers stand for.

use super::auth::Auth;
use super::coverage::{Seen, day_of};
use super::demand::{Lost, Untold};
use super::interner::{HASHER, Texts, Values};
use super::record::{Field, NONE, Record, flag, hash_id, join_ids};
use super::tally::{Skip, Tally};
use crate::vault::{Capability, PrincipalKind, path};
use hashbrown::HashTable;
use std::hash::BuildHasher;
use std::sync::Arc;

/// The most names of request data that one demand keeps: the alphabetically first ones.
pub(crate) const MAX_KEYS: usize = 512;

/// The most rows of requests that need no token, and the longest path of one: who sends them chooses what they name.
const MOST_OPEN_ROWS: usize = 4_096;
const LONGEST_OPEN_PATH: usize = 1_024;

/// The path of the row in which all others without token are counted.
pub(crate) const ANY_OPEN_PATH: &str = "+";

/// Stands for a time that no entry tells.
pub(crate) const SOME_TIME: i64 = i64::MIN + 1;

/// What a row is the row of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key<'a> {
    /// Number of the principal.
    pub principal: u32,
    /// Number of the namespace's text.
    pub namespace: u32,
    /// The path.
    pub path: &'a str,
    /// The capability.
    pub capability: Capability,
}

/// A demand in numbers.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub principal: u32,
    pub namespace: u32,
    pub path: Arc<str>,
    pub capability: Capability,
    /// Hash of these four, the same in every part.
    meaning: u64,
    pub mount_type: u32,
    pub allowed: u64,
    pub denied: u64,
    pub failed: u64,
    pub first: i64,
    pub last: i64,
    pub auth: u32,
    pub auth_time: i64,
    /// Sorted.
    pub days: Vec<i32>,
    /// Numbers of texts, sorted by number; `None` before the first allowed request.
    pub keys_always: Option<Vec<u32>>,
    /// Numbers of texts, sorted by number.
    pub keys_ever: Vec<u32>,
    keys_recent: u32,
}

/// What one request, or all requests of another table, tell of a demand.
struct Sighting<'a> {
    first: i64,
    last: i64,
    days: &'a [i32],
    mount_type: u32,
    auth: u32,
    auth_time: i64,
    /// The names that all allowed requests had, sorted; none where none was allowed.
    keys_always: Option<&'a [u32]>,
    keys_ever: &'a [u32],
}

impl Row {
    /// Takes over what was seen. Nothing depends on the order in which it comes.
    fn see(&mut self, seen: &Sighting<'_>, texts: &Texts, auths: &Values<Auth>) {
        self.first = self.first.min(seen.first);
        self.last = self.last.max(seen.last);
        for day in seen.days {
            note_day(&mut self.days, *day);
        }
        let (timeless, at) = (&mut 0, (seen.mount_type, 0));
        latest(&mut self.mount_type, timeless, at, |number| texts.get(number));
        latest(
            &mut self.auth,
            &mut self.auth_time,
            (seen.auth, seen.auth_time),
            |number| auths.get(number),
        );
        if let Some(names) = seen.keys_always {
            match &mut self.keys_always {
                None => self.keys_always = Some(names.to_vec()),
                Some(always) => always.retain(|n| names.binary_search(n).is_ok()),
            }
        }
        if let Some(ever) = with_all(&self.keys_ever, seen.keys_ever) {
            self.keys_ever = bounded(ever, texts);
        }
    }
}

impl Who {
    /// Takes over a login. The latest holds, and of two at one time that at the greater mount.
    fn see_login(&mut self, login: Option<(i64, Arc<str>)>) {
        if login > self.login {
            self.login = login;
        }
    }
}

/// The one rule of which value holds: that seen last, and of two at one time the one that means more.
fn latest<T: Ord>(number: &mut u32, time: &mut i64, seen: (u32, i64), meaning: impl Fn(u32) -> T) {
    let (other, at) = seen;
    if other == NONE || (other == *number && at <= *time) {
        return;
    }
    if *number == NONE || at > *time || (at == *time && meaning(other) > meaning(*number)) {
        (*number, *time) = seen;
    }
}

/// Where a row stands, with its key, so that a look-up need not touch the row.
#[derive(Debug, Clone)]
struct Place {
    row: u32,
    principal: u32,
    namespace: u32,
    capability: Capability,
    path: Arc<str>,
}

impl Place {
    fn hash(&self) -> u64 {
        hash_key(self.principal, self.namespace, self.capability, &self.path)
    }
}

/// A principal and what was last seen of it.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub kind: PrincipalKind,
    pub id: Arc<str>,
    pub auth: u32,
    pub time: i64,
    pub login: Option<(i64, Arc<str>)>,
}

/// Counts that belong to no row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub with_results: u64,
    pub unpaired_requests: u64,
    pub unpaired_responses: u64,
    /// Tokens of which the log does not say what they hold.
    pub untold: Untold,
}

/// Rows, and everything that their numbers mean.
#[derive(Debug, Clone, Default)]
pub struct Table {
    pub(crate) texts: Texts,
    pub(crate) auths: Values<Auth>,
    pub(crate) key_sets: Values<Vec<u32>>,
    index: HashTable<Place>,
    /// So many of the rows are in the index; the others join them when the index is next asked.
    indexed: usize,
    pub(crate) rows: Vec<Row>,
    /// How many of the rows are of requests without token.
    open_rows: usize,
    principal_index: HashTable<u32>,
    pub(crate) principals: Vec<Who>,
    auth_principals: Vec<u32>,
    /// When something was last allowed to each auth; `i64::MIN` where nothing was.
    auth_used: Vec<i64>,
    /// Lines of each auth that could not be read, beyond who asked.
    auth_lost: Vec<u64>,
    pub(crate) tally: Tally,
    pub(crate) seen: Seen,
    pub(crate) counts: Counts,
}

impl Table {
    /// Makes room for so many rows more.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.rows.reserve(rows);
        // Most rows have a path of their own.
        self.texts.reserve(rows);
    }

    /// The number of a text.
    pub fn text(&mut self, text: &str) -> u32 {
        self.texts.intern(text)
    }

    /// The number of a set of names, given as numbers of texts.
    pub fn keys(&mut self, mut names: Vec<u32>) -> u32 {
        names.sort_unstable();
        names.dedup();
        if names.len() > MAX_KEYS {
            self.shorten(&mut names);
        }
        self.key_sets.intern(names)
    }

    fn shorten(&self, names: &mut Vec<u32>) {
        names.sort_unstable_by(|a, b| self.texts.get(*a).cmp(self.texts.get(*b)));
        names.truncate(MAX_KEYS);
        names.sort_unstable();
    }

    /// The number of an auth.
    pub fn auth(&mut self, auth: Auth) -> u32 {
        let kind = auth.kind;
        let id = Arc::clone(&auth.id);
        let number = self.auths.intern(auth);
        if number as usize == self.auth_principals.len() {
            let principal = self.principal(kind, id);
            self.auth_principals.push(principal);
            self.auth_used.push(i64::MIN);
            self.auth_lost.push(0);
        }
        number
    }

    /// When something was last allowed to an auth.
    pub(crate) fn auth_used(&self, auth: u32) -> Option<i64> {
        self.auth_used
            .get(auth as usize)
            .copied()
            .filter(|time| *time != i64::MIN)
    }

    /// Notes that something was allowed to an auth, at a time that the entry may not tell.
    pub(crate) fn use_auth(&mut self, auth: u32, time: i64) {
        if let Some(known) = self.auth_used.get_mut(auth as usize) {
            *known = (*known).max(time.max(SOME_TIME));
        }
    }

    /// Lines of an auth that could not be read, beyond who asked.
    pub(crate) fn auth_lost(&self, auth: u32) -> u64 {
        self.auth_lost.get(auth as usize).copied().unwrap_or(0)
    }

    /// Notes lines of an auth of which nothing else could be read.
    pub fn lose(&mut self, auth: u32, lines: u64) {
        if let Some(known) = self.auth_lost.get_mut(auth as usize) {
            *known += lines;
        }
    }

    /// The lines by which something may have been lost, by whose they were.
    pub(crate) fn lost(&self) -> Lost {
        let mut lost = Lost::default();
        for (number, lines) in (0..).zip(&self.auth_lost).filter(|(_, lines)| **lines > 0) {
            if let Some(auth) = self.auths.get(number) {
                let of = (self.principal_named(self.principal_of(number)), Arc::clone(&auth.held));
                *lost.known.entry(of).or_default() += lines;
            }
        }
        let known: u64 = lost.known.values().sum();
        lost.unknown = self.tally.lost().saturating_sub(known);
        let skipped = |reason| self.tally.skipped.get(&reason).map_or(0, |skipped| skipped.count);
        let cut = [Skip::Truncated, Skip::TooLong, Skip::Unsaid, Skip::Jsonx]
            .into_iter()
            .map(skipped)
            .sum::<u64>();
        lost.cut = cut.saturating_sub(known);
        lost
    }

    fn principal(&mut self, kind: PrincipalKind, id: Arc<str>) -> u32 {
        let hash = HASHER.hash_one((kind, id.as_bytes()));
        let known = &self.principals;
        if let Some(number) = self.principal_index.find(hash, |&n| {
            known.get(n as usize).is_some_and(|w| w.kind == kind && w.id == id)
        }) {
            return *number;
        }
        let number = number_of(self.principals.len());
        self.principals.push(Who {
            kind,
            id,
            auth: NONE,
            time: i64::MIN,
            login: None,
        });
        let known = &self.principals;
        self.principal_index.insert_unique(hash, number, |&n| {
            known
                .get(n as usize)
                .map_or(0, |w| HASHER.hash_one((w.kind, w.id.as_bytes())))
        });
        number
    }

    /// Takes a principal over from a stored part.
    pub(crate) fn restore_principal(&mut self, who: Who) {
        let number = self.principal(who.kind, Arc::clone(&who.id));
        if let Some(known) = self.principals.get_mut(number as usize) {
            *known = who;
        }
    }

    /// The number of a stored demand's principal, which is named in full.
    pub(crate) fn restored_principal(&mut self, kind: PrincipalKind, id: &str) -> u32 {
        self.principal(kind, Arc::from(id))
    }

    /// The number of the principal of an auth.
    #[must_use]
    pub fn principal_of(&self, auth: u32) -> u32 {
        self.auth_principals.get(auth as usize).copied().unwrap_or(NONE)
    }

    /// The row of a demand, which is begun if it is new.
    pub fn row(&mut self, key: &Key<'_>) -> u32 {
        if self.indexed < self.rows.len() {
            self.index_rows();
        }
        let namespace = key.namespace;
        let hash = hash_key(key.principal, namespace, key.capability, key.path);
        if let Some(place) = self.index.find(hash, |place| {
            place.principal == key.principal
                && place.namespace == namespace
                && place.capability == key.capability
                && *place.path == *key.path
        }) {
            return place.row;
        }
        if self.is_open(key.principal) && key.path != ANY_OPEN_PATH {
            if self.open_rows >= MOST_OPEN_ROWS || key.path.len() > LONGEST_OPEN_PATH {
                return self.row(&Key {
                    path: ANY_OPEN_PATH,
                    ..*key
                });
            }
            self.open_rows += 1;
        }
        let at = self.begin_row(key);
        self.index_rows();
        at
    }

    /// What a record is about: who asks for what and where, or only who where it does not say more. The same in every part.
    pub(crate) fn meaning(&self, record: &Record) -> u64 {
        match self.rows.get(record.row as usize) {
            Some(row) => row.meaning,
            None => self.meaning_of_principal(self.principal_of(record.auth)),
        }
    }

    fn meaning_of_principal(&self, principal: u32) -> u64 {
        let who = self.principals.get(principal as usize);
        who.map_or(0, |who| join_ids(hash_id(who.id.as_bytes()), who.kind as u64))
    }

    /// The number of a row's namespace.
    pub(crate) fn namespace_of(&self, row: u32) -> Option<u32> {
        self.rows.get(row as usize).map(|row| row.namespace)
    }

    /// Whether a row is of requests without token.
    pub(crate) fn is_open_row(&self, row: u32) -> bool {
        let row = self.rows.get(row as usize);
        row.is_some_and(|row| self.is_open(row.principal))
    }

    pub(crate) fn is_open(&self, principal: u32) -> bool {
        let who = self.principals.get(principal as usize);
        who.is_some_and(|who| who.kind == PrincipalKind::Unauthenticated)
    }

    /// Begins a row that is known to be new.
    pub(crate) fn begin_row(&mut self, key: &Key<'_>) -> u32 {
        let path = self.texts.intern(key.path);
        let asked = join_ids(hash_id(key.path.as_bytes()), key.capability as u64);
        let place = hash_id(self.texts.get(key.namespace).as_bytes());
        self.rows.push(Row {
            principal: key.principal,
            namespace: key.namespace,
            path: self.texts.shared(path),
            capability: key.capability,
            meaning: join_ids(join_ids(asked, place), self.meaning_of_principal(key.principal)),
            mount_type: NONE,
            allowed: 0,
            denied: 0,
            failed: 0,
            first: i64::MAX,
            last: i64::MIN,
            auth: NONE,
            auth_time: i64::MIN,
            days: Vec::new(),
            keys_always: None,
            keys_ever: Vec::new(),
            keys_recent: NONE,
        });
        number_of(self.rows.len() - 1)
    }

    /// Brings the rows into the index that are not in it yet.
    fn index_rows(&mut self) {
        let new = self.rows.get(self.indexed..).unwrap_or_default();
        self.index.reserve(new.len(), Place::hash);
        for (row, number) in new.iter().zip(number_of(self.indexed)..) {
            let place = Place {
                row: number,
                principal: row.principal,
                namespace: row.namespace,
                capability: row.capability,
                path: Arc::clone(&row.path),
            };
            self.index.insert_unique(place.hash(), place, Place::hash);
        }
        self.indexed = self.rows.len();
    }

    /// Of two numbers the one whose meaning is greater, so that the pick does not depend on the order of arrival.
    #[must_use]
    pub fn greater(&self, field: Field, a: u32, b: u32) -> u32 {
        let a_is_greater = match field {
            Field::Row => self.row_meaning(a) > self.row_meaning(b),
            Field::Auth => self.auths.get(a) > self.auths.get(b),
            Field::Keys => self.names(a) > self.names(b),
            Field::MountType => self.texts.get(a) > self.texts.get(b),
        };
        if a_is_greater { a } else { b }
    }

    fn row_meaning(&self, row: u32) -> Option<(PrincipalKind, &str, &str, &str, Capability)> {
        let row = self.rows.get(row as usize)?;
        let who = self.principals.get(row.principal as usize)?;
        Some((
            who.kind,
            &who.id,
            self.texts.get(row.namespace),
            &row.path,
            row.capability,
        ))
    }

    fn names(&self, keys: u32) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .key_sets
            .get(keys)
            .into_iter()
            .flatten()
            .map(|n| self.texts.get(*n))
            .collect();
        names.sort_unstable();
        names
    }

    /// Counts a request for good.
    pub fn settle(&mut self, record: &Record) {
        self.count(record, true);
        self.seen.copies = self.seen.copies.max(if record.is_of_several() {
            1
        } else {
            record.requests.max(record.responses)
        });
        if record.auth != NONE {
            self.observe(record);
        }
        if !record.usable() {
            return;
        }
        let denied = record.denied();
        if !denied {
            self.use_auth(record.auth, record.last);
        }
        let (texts, auths) = (&self.texts, &self.auths);
        let Some(row) = self.rows.get_mut(record.row as usize) else {
            return;
        };
        // The names that came last with it need not be looked at again.
        let is_new = !denied && (row.keys_always.is_none() || row.keys_recent != record.keys);
        if is_new {
            row.keys_recent = record.keys;
        }
        let names = self.key_sets.get(record.keys).map_or(&[][..], Vec::as_slice);
        let days = [day_of(record.first), day_of(record.last)];
        let has_time = record.first <= record.last;
        let seen = Sighting {
            first: record.first,
            last: record.last,
            days: if has_time { &days } else { &[] },
            mount_type: record.mount_type,
            auth: record.auth,
            auth_time: record.last,
            keys_always: is_new.then_some(names),
            keys_ever: if is_new { names } else { &[] },
        };
        row.see(&seen, texts, auths);
    }

    /// Adds the counts of a record, or takes them back.
    pub(crate) fn count(&mut self, record: &Record, add: bool) {
        let change = |n: &mut u64, by: u64| {
            *n = if add {
                n.saturating_add(by)
            } else {
                n.saturating_sub(by)
            };
        };
        let count = record.count();
        change(&mut self.tally.paired, record.entries().saturating_sub(count));
        if record.requests == 0 {
            change(&mut self.counts.unpaired_responses, 1);
        }
        if record.responses == 0 {
            change(&mut self.counts.unpaired_requests, 1);
        }
        if !record.usable() {
            let reason = Skip::from_index(record.skip).unwrap_or(Skip::NotAudit);
            if reason == Skip::Unsaid
                && let Some(lost) = self.auth_lost.get_mut(record.auth as usize)
            {
                change(lost, count);
            }
            change(&mut self.tally.skipped.entry(reason).or_default().count, count);
            return;
        }
        change(&mut self.tally.used, count);
        if record.flags & (flag::RESULT_ALLOWED | flag::RESULT_DENIED) != 0 {
            change(&mut self.counts.with_results, count);
        }
        if let Some(row) = self.rows.get_mut(record.row as usize) {
            if record.denied() {
                change(&mut row.denied, count);
            } else {
                change(&mut row.allowed, count);
                if record.failed() {
                    change(&mut row.failed, count);
                } else if record.flags & flag::TOLD == 0 && row.path.starts_with("auth/") {
                    if path::makes_a_child(&row.path) {
                        change(&mut self.counts.untold.children, count);
                    } else if path::lets_in(&row.path) {
                        change(&mut self.counts.untold.logins, count);
                    }
                }
            }
        }
    }

    /// Notes what a record tells of its principal.
    fn observe(&mut self, record: &Record) {
        let principal = self.principal_of(record.auth);
        let (Some(who), Some(auth)) = (self.principals.get_mut(principal as usize), self.auths.get(record.auth)) else {
            return;
        };
        latest(&mut who.auth, &mut who.time, (record.auth, record.last), |a| {
            self.auths.get(a)
        });
        if auth.login {
            who.see_login(Some((record.last, Arc::clone(&auth.mount))));
        }
    }

    /// Adds another table, and says how its numbers are called here.
    pub(crate) fn merge(&mut self, other: Self) -> Renumbered {
        let texts: Vec<u32> = other.texts.iter().map(|t| self.texts.intern(t)).collect();
        let auths: Vec<u32> = other.auths.iter().map(|a| self.auth(a.clone())).collect();
        for (&auth, &time) in auths
            .iter()
            .zip(&other.auth_used)
            .filter(|(_, time)| **time != i64::MIN)
        {
            self.use_auth(auth, time);
        }
        for (&auth, &lines) in auths.iter().zip(&other.auth_lost) {
            self.lose(auth, lines);
        }
        let to_text = |n: u32| texts.get(n as usize).copied().unwrap_or(NONE);
        let to_auth = |n: u32| auths.get(n as usize).copied().unwrap_or(NONE);
        let to_names = |names: &[u32]| {
            let mut names: Vec<u32> = names.iter().map(|n| to_text(*n)).collect();
            names.sort_unstable();
            names
        };
        let keys: Vec<u32> = other
            .key_sets
            .iter()
            .map(|set| self.key_sets.intern(to_names(set)))
            .collect();
        let mut principals = Vec::with_capacity(other.principals.len());
        for theirs in other.principals {
            let number = self.principal(theirs.kind, theirs.id);
            principals.push(number);
            let (known, auths) = (&mut self.principals, &self.auths);
            if let Some(mine) = known.get_mut(number as usize) {
                let seen = (to_auth(theirs.auth), theirs.time);
                latest(&mut mine.auth, &mut mine.time, seen, |a| auths.get(a));
                mine.see_login(theirs.login);
            }
        }
        let mut rows = Vec::with_capacity(other.rows.len());
        self.reserve(other.rows.len() / 2);
        for theirs in other.rows {
            let at = self.row(&Key {
                principal: principals.get(theirs.principal as usize).copied().unwrap_or(NONE),
                namespace: to_text(theirs.namespace),
                path: &theirs.path,
                capability: theirs.capability,
            });
            rows.push(at);
            let (mine, texts, auths) = (&mut self.rows, &self.texts, &self.auths);
            let Some(mine) = mine.get_mut(at as usize) else {
                continue;
            };
            mine.allowed += theirs.allowed;
            mine.denied += theirs.denied;
            mine.failed += theirs.failed;
            let always = theirs.keys_always.as_deref().map(to_names);
            let seen = Sighting {
                first: theirs.first,
                last: theirs.last,
                days: &theirs.days,
                mount_type: to_text(theirs.mount_type),
                auth: to_auth(theirs.auth),
                auth_time: theirs.auth_time,
                keys_always: always.as_deref(),
                keys_ever: &to_names(&theirs.keys_ever),
            };
            mine.see(&seen, texts, auths);
            mine.keys_recent = NONE;
        }
        self.tally.merge(other.tally);
        self.seen.merge(other.seen);
        self.counts.with_results += other.counts.with_results;
        self.counts.unpaired_requests += other.counts.unpaired_requests;
        self.counts.unpaired_responses += other.counts.unpaired_responses;
        self.counts.untold.children += other.counts.untold.children;
        self.counts.untold.logins += other.counts.untold.logins;
        Renumbered {
            rows,
            auths,
            keys,
            texts,
        }
    }
}

/// What the numbers of one table are called in another.
#[derive(Debug)]
pub(crate) struct Renumbered {
    rows: Vec<u32>,
    auths: Vec<u32>,
    keys: Vec<u32>,
    texts: Vec<u32>,
}

impl Renumbered {
    /// The record in the other table's numbers.
    pub fn record(&self, record: &Record) -> Record {
        let to = |map: &[u32], n: u32| map.get(n as usize).copied().unwrap_or(NONE);
        Record {
            row: to(&self.rows, record.row),
            auth: to(&self.auths, record.auth),
            keys: to(&self.keys, record.keys),
            mount_type: to(&self.texts, record.mount_type),
            ..*record
        }
    }
}

fn hash_key(principal: u32, namespace: u32, capability: Capability, path: &str) -> u64 {
    let numbers = (u64::from(principal) << 32) | u64::from(namespace);
    HASHER.hash_one((numbers, capability as u8, path.as_bytes()))
}

fn number_of(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(NONE)
}

fn note_day(days: &mut Vec<i32>, day: i32) {
    if days.last() == Some(&day) {
        return;
    }
    if let Err(at) = days.binary_search(&day) {
        days.insert(at, day);
    }
}

/// The union of two sorted sets, if it is larger than the first.
fn with_all(set: &[u32], more: &[u32]) -> Option<Vec<u32>> {
    if more.iter().all(|n| set.binary_search(n).is_ok()) {
        return None;
    }
    let mut union: Vec<u32> = set.iter().chain(more).copied().collect();
    union.sort_unstable();
    union.dedup();
    Some(union)
}

fn bounded(mut names: Vec<u32>, texts: &Texts) -> Vec<u32> {
    if names.len() > MAX_KEYS {
        names.sort_unstable_by(|a, b| texts.get(*a).cmp(texts.get(*b)));
        names.truncate(MAX_KEYS);
        names.sort_unstable();
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_seen_last_holds_in_whatever_order_it_comes(
            seen in prop::collection::vec((prop_oneof![0_u32..5, Just(NONE)], 0_i64..4), 0..12),
            turn in any::<prop::sample::Index>(),
        ) {
            let meaning = |number: u32| [3, 1, 4, 0, 2].get(number as usize).copied();
            let of = |seen: &[(u32, i64)]| {
                let (mut number, mut time) = (NONE, i64::MIN);
                for one in seen {
                    latest(&mut number, &mut time, *one, meaning);
                }
                (number != NONE).then_some((time, meaning(number)))
            };
            let want = seen.iter().filter(|(number, _)| *number != NONE).map(|(number, time)| (*time, meaning(*number))).max();
            let mut turned = seen.clone();
            turned.rotate_left(turn.index(seen.len() + 1).min(seen.len()));
            prop_assert_eq!(of(&seen), want);
            prop_assert_eq!(of(&turned), want);
        }
    }
}
