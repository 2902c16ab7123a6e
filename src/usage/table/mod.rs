//! The demands as they accumulate: rows of numbers, with the texts, principals and sets that the numbers stand for.

mod count;
mod lost;
mod merge;
pub mod record;
mod room;
mod row;

pub(crate) use count::Counts;
pub(crate) use room::Room;
pub use row::Row;

use record::{Meanings, Record, hash_id, join_ids};

use super::auth::Auth;
use super::best::Best;
use super::bounds::{Bounds, Filled, Passed, weight};
use super::coverage::Seen;
use super::example::{Example, Log, LogPlace};
use super::held::Held;
use super::interner::{HASHER, TextId, Texts, Values};
use super::tally::Tally;
use crate::index::{Idx, IndexVec};
use crate::vault::{Capability, PrincipalKind, path};
use foldhash::fast::RandomState;
use hashbrown::{HashSet, HashTable};
use row::bounded;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::BuildHasher;
use std::sync::Arc;

/// The most names of request data that one demand keeps: the alphabetically first ones.
pub(crate) const MAX_KEYS: usize = 512;

/// The most rows of requests that need no token, and the longest path of one: who sends them chooses what they name.
const MOST_OPEN_ROWS: usize = 4_096;
const LONGEST_OPEN_PATH: usize = 1_024;

/// Stands among the names of a request's data for those that are not known.
pub(crate) const ANY_NAME: &str = "*";

/// Who stands for those of whom there are too many.
const OTHERS: &str = "(others)";

/// The path of the row in which all others without token are counted.
pub(crate) const ANY_OPEN_PATH: &str = "+";

/// Stands for a time that no entry tells.
pub(crate) const SOME_TIME: i64 = i64::MIN + 1;

/// Stands for a first time that no entry tells.
pub(crate) const NEVER_FIRST: i64 = i64::MAX;

/// The number of a demand.
pub type RowId = Idx<Row>;
/// The number of a principal.
pub type WhoId = Idx<Who>;
/// The number of what an entry says of the one who asks.
pub type AuthId = Idx<Auth>;
/// The number of a set of names.
pub type NamesId = Idx<Names>;

/// A set of names, of request data or of policies, sorted by number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Names {
    numbers: Vec<TextId>,
    /// Whether clients choose them.
    of_data: bool,
}

impl Names {
    /// Their numbers, sorted.
    pub(crate) fn numbers(&self) -> &[TextId] {
        &self.numbers
    }
}

/// What a row is the row of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key<'a> {
    /// The principal.
    pub principal: WhoId,
    /// The namespace.
    pub namespace: TextId,
    /// The path.
    pub path: &'a str,
    /// The capability.
    pub capability: Capability,
}

impl Who {
    /// Takes over what was seen.
    fn see(&mut self, auth: Best<AuthId>, login: Best<Arc<str>>, auths: &Values<Auth>) {
        self.auth.see(auth, |a, b| auths.get(*a).cmp(auths.get(*b)));
        self.login.see(login, Ord::cmp);
    }
}

/// A row that was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Its number.
    pub row: RowId,
    /// Hash of its key, the same in every part.
    pub meaning: u64,
}

/// Where a row stands, with its key, so that a look-up need not touch the row: there are more rows than the caches hold.
#[derive(Debug, Clone)]
struct Place {
    row: RowId,
    /// See [`Found::meaning`].
    meaning: u64,
    principal: WhoId,
    namespace: TextId,
    capability: Capability,
    /// Whether something of it is known to have been allowed.
    used: bool,
    path: Arc<str>,
}

impl Place {
    fn hash(&self) -> u64 {
        hash_key(self.principal, self.namespace, self.capability, &self.path)
    }
}

/// A principal and what was last seen of it.
#[derive(Debug, Clone)]
pub struct Who {
    pub(crate) kind: PrincipalKind,
    pub(crate) id: Arc<str>,
    pub(crate) auth: Best<AuthId>,
    /// The mount of the login that was seen last.
    pub(crate) login: Best<Arc<str>>,
    /// What its rows take of its bounds.
    pub(crate) room: Room,
}

impl Who {
    /// Without any row yet.
    pub(crate) fn new(kind: PrincipalKind, id: Arc<str>) -> Self {
        Self {
            kind,
            id,
            auth: Best::NONE,
            login: Best::NONE,
            room: Room::default(),
        }
    }

    /// Whether not all is known that was allowed to it.
    pub(crate) const fn is_over(&self) -> bool {
        self.room.over
    }
}

/// When something was allowed to an auth: first and last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Used {
    /// [`NEVER_FIRST`] where no entry tells.
    pub(crate) first: i64,
    /// [`SOME_TIME`] where no entry tells.
    pub(crate) last: i64,
}

impl Used {
    /// At times that the entries may not tell.
    pub(crate) fn at(first: i64, last: i64) -> Self {
        Self {
            first,
            last: last.max(SOME_TIME),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

/// What a table keeps of an auth.
#[derive(Debug, Clone)]
struct Kept {
    principal: WhoId,
    /// When something was allowed to it.
    used: Option<Used>,
    /// Lines of it that could not be read, beyond who asked.
    lost: u64,
}

/// Rows, and everything that their numbers mean.
#[derive(Debug, Clone, Default)]
pub struct Table {
    pub(crate) texts: Texts,
    pub(crate) auths: Values<Auth>,
    pub(crate) key_sets: Values<Names>,
    pub(crate) logs: Values<Log>,
    index: HashTable<Place>,
    /// So many of the rows are in the index; the others join them when the index is next asked.
    indexed: usize,
    pub(crate) rows: IndexVec<Row>,
    /// How many of the rows are of requests without token.
    open_rows: usize,
    principal_index: HashTable<WhoId>,
    pub(crate) principals: IndexVec<Who>,
    kept: IndexVec<Auth, Kept>,
    pub(crate) tally: Tally,
    pub(crate) seen: Seen,
    pub(crate) counts: Counts,
    pub(crate) bounds: Bounds,
    filled: Filled,
    /// The namespaces that count.
    spaces: HashSet<TextId, RandomState>,
    pub(crate) passed: Passed,
}

impl Table {
    /// Makes room for so many rows more.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.rows.reserve(rows);
        // Most rows have a path of their own.
        self.texts.reserve(rows);
    }

    /// The number of a text.
    pub fn text(&mut self, text: &str) -> TextId {
        self.texts.intern(text)
    }

    /// The number of the text that a namespace has; where there are too many, of that which stands for any.
    pub fn space(&mut self, text: &str) -> TextId {
        if let Some(known) = self.texts.find(text).filter(|known| self.spaces.contains(known)) {
            return known;
        }
        let taken = weight(text.len());
        if self.filled.namespaces + taken > self.bounds.namespaces {
            self.passed.all = true;
            return self.texts.intern(path::UNTOLD);
        }
        self.filled.namespaces += taken;
        let number = self.texts.intern(text);
        self.spaces.insert(number);
        number
    }

    /// The namespaces that count and are those of no row.
    pub(crate) fn spaces_without_rows(&self) -> Vec<Arc<str>> {
        let of_rows: HashSet<TextId, RandomState> = self.rows.iter().map(|row| row.namespace).collect();
        let without = self.spaces.difference(&of_rows);
        let mut texts: Vec<Arc<str>> = without.map(|number| self.texts.shared(*number)).collect();
        texts.sort_unstable();
        texts
    }

    /// The number of a set of names of request data; where there are too many, of one that stands for any.
    pub fn data_keys(&mut self, names: &[Cow<'_, str>]) -> NamesId {
        let bytes: usize = names.iter().map(|name| 16 + name.len()).sum();
        if self.filled.names + bytes > self.bounds.names {
            let numbers: Option<Vec<TextId>> = names.iter().map(|name| self.texts.find(name)).collect();
            let known = numbers.and_then(|numbers| self.key_sets.find(&self.set(numbers, true)));
            return known.unwrap_or_else(|| {
                self.passed.names = true;
                let any = self.texts.intern(ANY_NAME);
                let any = self.set(vec![any], true);
                self.key_sets.intern(any)
            });
        }
        let numbers = names.iter().map(|name| self.texts.intern(name)).collect();
        let before = self.key_sets.len();
        let set = self.set(numbers, true);
        let number = self.key_sets.intern(set);
        if self.key_sets.len() > before {
            self.filled.names += bytes;
        }
        number
    }

    fn set(&self, mut names: Vec<TextId>, of_data: bool) -> Names {
        names.sort_unstable();
        names.dedup();
        Names {
            numbers: bounded(names, &self.texts),
            of_data,
        }
    }

    /// The number of a set of names of policies.
    pub fn granting(&mut self, names: Vec<TextId>) -> NamesId {
        let set = self.set(names, false);
        self.key_sets.intern(set)
    }

    /// The number of an auth.
    pub fn auth(&mut self, auth: Auth) -> AuthId {
        let taken = weight(auth.bytes());
        let has_room = self.filled.auths + taken <= self.bounds.auths || &*auth.id == OTHERS;
        if !has_room && auth.kind != PrincipalKind::Unauthenticated && self.auths.find(&auth).is_none() {
            self.passed.all = true;
            return self.auth(others());
        }
        let kind = auth.kind;
        let id = Arc::clone(&auth.id);
        let number = self.auths.intern(auth);
        if number.number() == self.kept.len() {
            self.filled.auths += taken;
            let principal = self.principal(kind, id);
            self.kept.push(Kept {
                principal,
                used: None,
                lost: 0,
            });
        }
        number
    }

    /// Says of logs that were read in pieces how many lines stand before each piece.
    pub(crate) fn place_pieces(&mut self, before: impl Fn(&str, u32) -> u64) {
        self.logs.change(|log| {
            log.before += before(&log.file, log.piece);
            log.piece = 0;
        });
    }

    /// When something was allowed to an auth.
    pub(crate) fn auth_used(&self, auth: AuthId) -> Option<Used> {
        self.kept[auth].used
    }

    /// Notes that something was allowed to an auth.
    pub(crate) fn use_auth(&mut self, auth: AuthId, at: Used) {
        let used = &mut self.kept[auth].used;
        *used = Some(used.map_or(at, |used| used.and(at)));
    }

    fn principal(&mut self, kind: PrincipalKind, id: Arc<str>) -> WhoId {
        let hash_of = |who: &Who| HASHER.hash_one((who.kind, who.id.as_bytes()));
        let who = Who::new(kind, id);
        let (hash, known) = (hash_of(&who), &self.principals);
        let is_it = |&number: &WhoId| known[number].kind == kind && known[number].id == who.id;
        if let Some(number) = self.principal_index.find(hash, is_it) {
            return *number;
        }
        let number = self.principals.push(who);
        let known = &self.principals;
        self.principal_index
            .insert_unique(hash, number, |&number| hash_of(&known[number]));
        number
    }

    /// Takes a principal over from a stored part.
    pub(crate) fn restore_principal(&mut self, who: Who, is_over: bool) {
        let number = self.principal(who.kind, Arc::clone(&who.id));
        self.principals[number] = who;
        if is_over {
            self.note_over(number);
        }
    }

    /// The number of a stored demand's principal, which is named in full.
    pub(crate) fn restored_principal(&mut self, kind: PrincipalKind, id: &str) -> WhoId {
        self.principal(kind, Arc::from(id))
    }

    /// The number of the principal of an auth.
    #[must_use]
    pub fn principal_of(&self, auth: AuthId) -> WhoId {
        self.kept[auth].principal
    }

    /// The row of a demand, which is begun if it is new; none where there is no room for it.
    pub fn row(&mut self, key: &Key<'_>, refused: bool) -> Option<RowId> {
        self.find(key, refused).map(|found| found.row)
    }

    /// The same, with what the row means.
    pub fn find(&mut self, key: &Key<'_>, refused: bool) -> Option<Found> {
        if self.indexed < self.rows.len() {
            self.index_rows();
        }
        let namespace = key.namespace;
        let hash = hash_key(key.principal, namespace, key.capability, key.path);
        if let Some(place) = self.index.find_mut(hash, |place| {
            place.principal == key.principal
                && place.namespace == namespace
                && place.capability == key.capability
                && *place.path == *key.path
        }) {
            let (row, meaning) = (place.row, place.meaning);
            if !refused && !std::mem::replace(&mut place.used, true) {
                self.use_row(row);
            }
            return Some(Found { row, meaning });
        }
        if self.is_open(key.principal) && key.path != ANY_OPEN_PATH {
            if self.open_rows >= MOST_OPEN_ROWS || key.path.len() > LONGEST_OPEN_PATH {
                let any = Key {
                    path: ANY_OPEN_PATH,
                    ..*key
                };
                return self.find(&any, refused);
            }
            self.open_rows += 1;
        } else if !self.is_open(key.principal) && !self.has_room(key, refused) {
            return None;
        }
        let row = self.begin_row(key, refused);
        self.index_rows();
        let meaning = self.rows[row].meaning;
        Some(Found { row, meaning })
    }

    /// What a record is about: who asks for what and where, or only who where it does not say more. The same in every part.
    pub(crate) fn meaning(&self, record: &Record) -> u64 {
        match (record.row, record.auth) {
            (Some(row), _) => self.rows[row].meaning,
            (None, Some(auth)) => self.meaning_of_principal(self.principal_of(auth)),
            (None, None) => 0,
        }
    }

    fn meaning_of_principal(&self, principal: WhoId) -> u64 {
        let who = &self.principals[principal];
        join_ids(hash_id(who.id.as_bytes()), who.kind as u64)
    }

    /// The namespace of a row.
    pub(crate) fn namespace_of(&self, row: RowId) -> TextId {
        self.rows[row].namespace
    }

    /// Whether a row is of requests without token.
    pub(crate) fn is_open_row(&self, row: RowId) -> bool {
        self.is_open(self.rows[row].principal)
    }

    pub(crate) fn is_open(&self, principal: WhoId) -> bool {
        self.principals[principal].kind == PrincipalKind::Unauthenticated
    }

    /// Begins a row that is known to be new.
    pub(crate) fn begin_row(&mut self, key: &Key<'_>, refused: bool) -> RowId {
        self.take_room(key.principal, key.path, refused);
        let path = self.texts.intern(key.path);
        let asked = join_ids(hash_id(key.path.as_bytes()), key.capability as u64);
        let place = hash_id(self.texts.get(key.namespace).as_bytes());
        self.rows.push(Row {
            principal: key.principal,
            namespace: key.namespace,
            path: self.texts.shared(path),
            capability: key.capability,
            meaning: join_ids(join_ids(asked, place), self.meaning_of_principal(key.principal)),
            used: !refused,
            mount_type: None,
            allowed: 0,
            denied: 0,
            failed: 0,
            first: i64::MAX,
            last: i64::MIN,
            auth: Best::NONE,
            example: Example::NONE,
            days: Vec::new(),
            keys_always: None,
            keys_ever: Box::default(),
            granting: Box::default(),
            keys_recent: None,
        })
    }

    /// Brings the rows into the index that are not in it yet.
    fn index_rows(&mut self) {
        self.index.reserve(self.rows.len() - self.indexed, Place::hash);
        for (number, row) in self.rows.numbered_from(self.indexed) {
            let place = Place {
                row: number,
                meaning: row.meaning,
                principal: row.principal,
                namespace: row.namespace,
                capability: row.capability,
                used: row.used,
                path: Arc::clone(&row.path),
            };
            self.index.insert_unique(place.hash(), place, Place::hash);
        }
        self.indexed = self.rows.len();
    }

    fn row_meaning(&self, row: RowId) -> (PrincipalKind, &str, &str, &str, Capability) {
        let row = &self.rows[row];
        let who = &self.principals[row.principal];
        (
            who.kind,
            &who.id,
            self.texts.get(row.namespace),
            &row.path,
            row.capability,
        )
    }

    fn names_told(&self, keys: NamesId) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .key_sets
            .get(keys)
            .numbers()
            .iter()
            .map(|n| self.texts.get(*n))
            .collect();
        names.sort_unstable();
        names
    }
}

impl Meanings for Table {
    fn rows(&self, a: RowId, b: RowId) -> Ordering {
        self.row_meaning(a).cmp(&self.row_meaning(b))
    }

    fn auths(&self, a: AuthId, b: AuthId) -> Ordering {
        self.auths.get(a).cmp(self.auths.get(b))
    }

    fn names(&self, a: NamesId, b: NamesId) -> Ordering {
        self.names_told(a).cmp(&self.names_told(b))
    }

    fn texts(&self, a: TextId, b: TextId) -> Ordering {
        self.texts.get(a).cmp(self.texts.get(b))
    }

    fn places(&self, a: LogPlace, b: LogPlace) -> Ordering {
        a.compare(b, &self.logs)
    }
}

/// Whoever is one too many: nobody knows what they hold.
fn others() -> Auth {
    let others: Arc<str> = Arc::from(OTHERS);
    Auth {
        kind: PrincipalKind::Token,
        id: Arc::clone(&others),
        name: others,
        held: Arc::new(Held {
            listed: false,
            ..Held::nothing()
        }),
        ..Auth::nobody()
    }
}

fn hash_key(principal: WhoId, namespace: TextId, capability: Capability, path: &str) -> u64 {
    HASHER.hash_one((principal, namespace, capability as u8, path.as_bytes()))
}
