//! The demands as they accumulate: rows of numbers, with the texts, principals and sets that the numbers stand for.

use super::auth::Auth;
use super::best::{Best, greatest};
use super::bounds::{Bounds, Filled, Passed, is_own, weight};
use super::coverage::{Seen, day_of};
use super::demand::{Lost, Untold};
use super::example::{Log, LogId, LogPlace};
use super::held::Held;
use super::interner::{HASHER, Text, TextId, Texts, Values};
use super::record::{Meanings, Record, flag, hash_id, join_ids};
use super::tally::{Skip, Tally};
use crate::index::{Idx, IndexVec};
use crate::vault::{Capability, PrincipalKind, path};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet, HashTable};
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

/// A demand in numbers.
#[derive(Debug, Clone)]
pub struct Row {
    pub(crate) principal: WhoId,
    pub(crate) namespace: TextId,
    pub(crate) path: Arc<str>,
    pub(crate) capability: Capability,
    /// Hash of these four, the same in every part.
    meaning: u64,
    /// Whether something of it may have been allowed.
    used: bool,
    pub(crate) mount_type: Option<TextId>,
    pub(crate) allowed: u64,
    pub(crate) denied: u64,
    pub(crate) failed: u64,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) auth: Best<AuthId>,
    /// Where the last request that was allowed stands, and its time.
    pub(crate) example: Best<LogPlace>,
    /// Sorted.
    pub(crate) days: Vec<i32>,
    /// Sorted by number; `None` before the first allowed request.
    pub(crate) keys_always: Option<Box<[TextId]>>,
    /// Sorted by number.
    pub(crate) keys_ever: Box<[TextId]>,
    /// The policies that the server named as those that allowed it, as [`super::held::Granting`] has them; sorted by number.
    pub(crate) granting: Box<[TextId]>,
    /// The names that came last, if any were taken over from a request.
    keys_recent: Option<Option<NamesId>>,
}

/// What one request, or all requests of another table, tell of a demand.
struct Sighting<'a> {
    first: i64,
    last: i64,
    days: &'a [i32],
    mount_type: Option<TextId>,
    auth: Best<AuthId>,
    example: Best<LogPlace>,
    /// The names that all allowed requests had, sorted; none where none was allowed.
    keys_always: Option<&'a [TextId]>,
    keys_ever: &'a [TextId],
    granting: &'a [TextId],
}

impl Row {
    /// For how many rows its names count.
    fn weight_of_names(&self) -> usize {
        self.keys_ever.len() / 32
    }

    /// Takes over what was seen. Nothing depends on the order in which it comes.
    fn see(&mut self, seen: &Sighting<'_>, texts: &Texts, auths: &Values<Auth>, logs: &Values<Log>) {
        self.first = self.first.min(seen.first);
        self.last = self.last.max(seen.last);
        for day in seen.days {
            note_day(&mut self.days, *day);
        }
        greatest(&mut self.mount_type, seen.mount_type, |a, b| {
            texts.get(*a).cmp(texts.get(*b))
        });
        self.auth.see(seen.auth, |a, b| auths.get(*a).cmp(auths.get(*b)));
        self.example.see(seen.example, |a, b| a.compare(*b, logs));
        if let Some(names) = seen.keys_always {
            match &mut self.keys_always {
                None => self.keys_always = Some(Box::from(names)),
                Some(always) => {
                    let stays = |n: &TextId| names.binary_search(n).is_ok();
                    if !always.iter().all(stays) {
                        *always = always.iter().copied().filter(stays).collect();
                    }
                }
            }
        }
        if let Some(ever) = with_all(&self.keys_ever, seen.keys_ever) {
            self.keys_ever = bounded(ever, texts).into();
        }
        if let Some(granting) = with_all(&self.granting, seen.granting) {
            self.granting = granting.into();
        }
    }
}

impl Who {
    /// Takes over what was seen.
    fn see(&mut self, auth: Best<AuthId>, login: Best<Arc<str>>, auths: &Values<Auth>) {
        self.auth.see(auth, |a, b| auths.get(*a).cmp(auths.get(*b)));
        self.login.see(login, Ord::cmp);
    }
}

/// Where a row stands, with its key, so that a look-up need not touch the row.
#[derive(Debug, Clone)]
struct Place {
    row: RowId,
    principal: WhoId,
    namespace: TextId,
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
pub struct Who {
    pub(crate) kind: PrincipalKind,
    pub(crate) id: Arc<str>,
    pub(crate) auth: Best<AuthId>,
    /// The mount of the login that was seen last.
    pub(crate) login: Best<Arc<str>>,
    /// What its rows take of its bounds.
    pub(crate) room: Room,
}

/// What the rows of a principal take of its bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Room {
    used: usize,
    refused: usize,
    /// Whether more was asked for than there is room for, so that not all of it is known.
    over: bool,
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
    /// Sets other bounds.
    pub(crate) fn bound(&mut self, bounds: Bounds) {
        let own = self.rows.iter().filter(|row| row.used && is_own(&row.path));
        let own: usize = own
            .filter(|row| !self.is_open(row.principal))
            .map(|row| weight(row.path.len()) + row.weight_of_names())
            .sum();
        let of = |who: &Who| if who.is_over() { bounds.used } else { who.room.used };
        self.filled.used = own + self.principals.iter().map(of).sum::<usize>();
        self.bounds = bounds;
    }

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

    /// Lines of an auth that could not be read, beyond who asked.
    pub(crate) fn auth_lost(&self, auth: AuthId) -> u64 {
        self.kept[auth].lost
    }

    /// Notes lines of an auth of which nothing else could be read.
    pub fn lose(&mut self, auth: AuthId, lines: u64) {
        self.kept[auth].lost += lines;
    }

    /// The lines by which something may have been lost, by whose they were.
    pub(crate) fn lost(&self) -> Lost {
        let mut lost = Lost::default();
        for (number, kept) in self.kept.numbered().filter(|(_, kept)| kept.lost > 0) {
            let of = (
                self.principal_named(kept.principal),
                Arc::clone(&self.auths.get(number).held),
            );
            *lost.known.entry(of).or_default() += kept.lost;
        }
        let known: u64 = lost.known.values().sum();
        lost.unknown = self.tally.lost().saturating_sub(known);
        if self.passed.all {
            lost.unknown = lost.unknown.max(1);
        }
        // What found no room is not known of any list of its principal: which of them it was hangs on what came first.
        for (number, kept) in self.kept.numbered() {
            if self.principals[kept.principal].is_over() {
                let of = (
                    self.principal_named(kept.principal),
                    Arc::clone(&self.auths.get(number).held),
                );
                lost.known.entry(of).or_insert(1);
            }
        }
        let skipped = |reason| self.tally.skipped.get(&reason).map_or(0, |skipped| skipped.count);
        let cut = [Skip::Truncated, Skip::TooLong, Skip::Unsaid, Skip::Jsonx]
            .into_iter()
            .map(skipped)
            .sum::<u64>();
        lost.cut = cut.saturating_sub(known.saturating_sub(skipped(Skip::TooMany)));
        lost.whole = self.lost_whole();
        lost
    }

    /// How many requests have lost both of their entries, where either is lost as often whatever became of the other: of those
    /// whose response is there as large a share lacks the request entry as of those whose response is not. A log that has only the
    /// one kind of entries tells nothing by that.
    fn lost_whole(&self) -> u64 {
        let Counts {
            unpaired_requests,
            unpaired_responses,
            ..
        } = self.counts;
        let halves = u128::from(unpaired_requests) * u128::from(unpaired_responses);
        u64::try_from(halves / u128::from(self.tally.paired).max(1)).unwrap_or(u64::MAX)
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
            let row = place.row;
            if !refused {
                self.use_row(row);
            }
            return Some(row);
        }
        if self.is_open(key.principal) && key.path != ANY_OPEN_PATH {
            if self.open_rows >= MOST_OPEN_ROWS || key.path.len() > LONGEST_OPEN_PATH {
                let any = Key {
                    path: ANY_OPEN_PATH,
                    ..*key
                };
                return self.row(&any, refused);
            }
            self.open_rows += 1;
        } else if !self.is_open(key.principal) && !self.has_room(key, refused) {
            return None;
        }
        let at = self.begin_row(key, refused);
        self.index_rows();
        Some(at)
    }

    /// Whether there is room for a row more. Where there is none and it may have been allowed, that is noted.
    fn has_room(&mut self, key: &Key<'_>, refused: bool) -> bool {
        let taken = weight(key.path.len());
        let room = self.principals[key.principal].room;
        if refused {
            return room.refused + taken <= self.bounds.refused
                && self.filled.refused + taken <= self.bounds.all_refused;
        }
        let is_own = is_own(key.path);
        if !is_own && room.used + taken > self.bounds.used {
            self.note_over(key.principal);
            return false;
        }
        // Whoever is over counts for as much as the bound already.
        let is_counted = is_own || !room.over;
        if is_counted && self.filled.used + taken > self.bounds.all_used {
            self.passed.all = true;
            return false;
        }
        true
    }

    /// Takes the room of a row.
    fn take_room(&mut self, principal: WhoId, path: &str, refused: bool) {
        let taken = weight(path.len());
        let who = &mut self.principals[principal];
        if who.kind == PrincipalKind::Unauthenticated {
            return;
        }
        if refused {
            who.room.refused += taken;
            self.filled.refused += taken;
            return;
        }
        self.take(principal, is_own(path), taken);
    }

    /// Takes the room of the names that a row has got beyond those of before.
    pub(crate) fn take_names(&mut self, at: RowId, before: usize) {
        let row = &self.rows[at];
        let taken = row.weight_of_names().saturating_sub(before);
        if taken > 0 {
            self.take(row.principal, is_own(&row.path), taken);
        }
    }

    /// Whether the names of request data that the rows of a principal have are not all that were sent.
    pub(crate) fn has_lost_names(&self, principal: WhoId) -> bool {
        self.passed.names || self.passed.all || self.principals[principal].is_over()
    }

    /// Whether further names of request data are kept. Of whoever is over only those count that were sent to the server itself.
    fn keeps_names(&self, principal: WhoId, path: &str) -> bool {
        !self.has_lost_names(principal) || (!self.passed.names && !self.passed.all && is_own(path))
    }

    /// Takes room for something that may have been allowed.
    fn take(&mut self, principal: WhoId, is_own: bool, taken: usize) {
        let who = &mut self.principals[principal];
        if !is_own {
            who.room.used += taken;
        }
        let over = who.room.used > self.bounds.used;
        // Whoever is over counts for as much as the bound, whatever was kept.
        if is_own || !who.room.over {
            self.filled.used += taken;
        }
        if over {
            self.note_over(principal);
        }
        self.passed.all |= self.filled.used > self.bounds.all_used;
    }

    /// Notes that not all is known that was allowed to a principal.
    fn note_over(&mut self, principal: WhoId) {
        let room = &mut self.principals[principal].room;
        if !room.over {
            room.over = true;
            self.filled.used = (self.filled.used + self.bounds.used).saturating_sub(room.used);
            self.passed.all |= self.filled.used > self.bounds.all_used;
        }
    }

    /// Notes that something of a row may have been allowed.
    fn use_row(&mut self, at: RowId) {
        let row = &mut self.rows[at];
        if row.used {
            return;
        }
        row.used = true;
        let (principal, path) = (row.principal, Arc::clone(&row.path));
        let who = &mut self.principals[principal];
        if who.kind != PrincipalKind::Unauthenticated {
            let taken = weight(path.len());
            who.room.refused = who.room.refused.saturating_sub(taken);
            self.filled.refused = self.filled.refused.saturating_sub(taken);
            self.take_room(principal, &path, false);
        }
    }

    /// Whether somebody asked for more than there is room for.
    pub(crate) fn is_past_a_bound(&self) -> bool {
        self.passed.all || self.principals.iter().any(Who::is_over)
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
            example: Best::NONE,
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
                principal: row.principal,
                namespace: row.namespace,
                capability: row.capability,
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

    /// Counts a request for good.
    pub fn settle(&mut self, record: &Record) {
        self.count(record, true);
        self.seen.copies = self.seen.copies.max(if record.is_of_several() {
            1
        } else {
            record.requests.max(record.responses)
        });
        if let Some(auth) = record.auth {
            self.observe(auth, record.last);
        }
        let denied = record.denied();
        let is_used = record.usable() || record.skip == Skip::TooMany.index();
        if let Some(auth) = record.auth.filter(|_| is_used && !denied) {
            self.use_auth(auth, Used::at(record.first, record.last));
        }
        if !record.usable() {
            return;
        }
        let Some(row) = record.row else { return };
        let at = row;
        let keeps_names = self.keeps_names(self.rows[at].principal, &self.rows[at].path);
        let (texts, auths, logs) = (&self.texts, &self.auths, &self.logs);
        let row = &mut self.rows[at];
        let before = row.weight_of_names();
        // The names that came last with it need not be looked at again.
        let is_new = !denied && keeps_names && row.keys_recent != Some(record.keys);
        if is_new {
            row.keys_recent = Some(record.keys);
        }
        let numbers = |set: Option<NamesId>| set.map_or(&[][..], |set| self.key_sets.get(set).numbers());
        let (names, granting) = (numbers(record.keys), numbers(record.granting));
        let days = [day_of(record.first), day_of(record.last)];
        let has_time = record.first <= record.last;
        let seen = Sighting {
            first: record.first,
            last: record.last,
            days: if has_time { &days } else { &[] },
            mount_type: record.mount_type,
            auth: Best::seen(record.auth, record.last),
            example: Best::seen(record.place.filter(|_| !denied), record.last),
            keys_always: is_new.then_some(names),
            keys_ever: if is_new { names } else { &[] },
            granting: if denied { &[] } else { granting },
        };
        row.see(&seen, texts, auths, logs);
        self.take_names(at, before);
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
        // What has no id of its own has no partner that is known, nor has what is not kept.
        let is_kept = ![Skip::TooMany, Skip::TooManyRefused]
            .map(Skip::index)
            .contains(&record.skip);
        let has_id = record.flags & flag::NO_ID == 0 && (record.usable() || is_kept);
        if has_id && record.requests == 0 {
            change(&mut self.counts.unpaired_responses, 1);
        }
        if has_id && record.responses == 0 {
            change(&mut self.counts.unpaired_requests, 1);
        }
        if !record.usable() {
            let reason = match Skip::from_index(record.skip).unwrap_or(Skip::NotAudit) {
                Skip::TooMany if record.denied() => Skip::TooManyRefused,
                reason => reason,
            };
            if matches!(reason, Skip::Unsaid | Skip::TooMany)
                && let Some(auth) = record.auth
            {
                change(&mut self.kept[auth].lost, count);
            }
            change(&mut self.tally.skipped.entry(reason).or_default().count, count);
            return;
        }
        change(&mut self.tally.used, count);
        if record.flags & (flag::RESULT_ALLOWED | flag::RESULT_DENIED) != 0 {
            change(&mut self.counts.with_results, count);
        }
        if let Some(row) = record.row {
            let row = &mut self.rows[row];
            if record.denied() {
                change(&mut row.denied, count);
            } else {
                change(&mut row.allowed, count);
                if record.failed() {
                    change(&mut row.failed, count);
                } else if record.flags & flag::TOLD == 0
                    && let Some(untold) = self.counts.untold.at(&row.path)
                {
                    change(untold, count);
                }
            }
        }
    }

    /// Counts all tokens that were made as such of which nothing says what they hold.
    pub(crate) fn tells_of_no_token(&mut self) {
        for row in &self.rows {
            if let Some(untold) = self.counts.untold.at(&row.path) {
                *untold += row.allowed.saturating_sub(row.failed);
            }
        }
    }

    /// Notes what a request tells of its principal.
    fn observe(&mut self, number: AuthId, time: i64) {
        let (auths, who) = (&self.auths, &mut self.principals[self.kept[number].principal]);
        let auth = auths.get(number);
        let mount = auth.login.then(|| Arc::clone(&auth.mount));
        who.see(Best::seen(Some(number), time), Best::seen(mount, time), auths);
    }

    /// Adds another table, and says how its numbers are called here, as far as the rows that find room and these records have
    /// them.
    pub(crate) fn merge(&mut self, other: Self, records: &[Record]) -> Renumbered {
        let mut to = Renumbered {
            texts: IndexVec::from(vec![None; other.texts.len()]),
            auths: other.auths.iter().map(|a| self.auth(a.clone())).collect(),
            logs: other.logs.iter().map(|log| self.logs.intern(log.clone())).collect(),
            ..Renumbered::default()
        };
        for (kept, &auth) in other.kept.iter().zip(&to.auths) {
            if let Some(time) = kept.used {
                self.use_auth(auth, time);
            }
            self.lose(auth, kept.lost);
        }
        let theirs = &other.texts;
        for record in records {
            if let Some(mount_type) = record.mount_type {
                to.text(mount_type, theirs, &mut self.texts);
            }
        }
        for set in other.key_sets.iter() {
            let number = if set.of_data {
                let names = set.numbers().iter().map(|name| Cow::Borrowed(theirs.get(*name)));
                self.data_keys(&names.collect::<Vec<_>>())
            } else {
                let names = to.names(set.numbers(), theirs, &mut self.texts);
                self.granting(names)
            };
            to.sets.push(number);
        }
        let mut spaces: Vec<TextId> = other.spaces.into_iter().collect();
        spaces.sort_unstable();
        for number in spaces {
            to.spaces.insert(number, self.space(theirs.get(number)));
        }
        let mut principals: IndexVec<Who, WhoId> = IndexVec::new();
        for theirs in other.principals {
            let is_over = theirs.is_over();
            let number = self.principal(theirs.kind, theirs.id);
            principals.push(number);
            if is_over {
                self.note_over(number);
            }
            let auth = to.seen(&theirs.auth);
            self.principals[number].see(auth, theirs.login, &self.auths);
        }
        self.reserve(other.rows.len() / 2);
        let mut without_room = [0_u64; 2];
        for row in other.rows {
            let key = Key {
                principal: principals[row.principal],
                namespace: *to
                    .spaces
                    .entry(row.namespace)
                    .or_insert_with(|| self.space(theirs.get(row.namespace))),
                path: &row.path,
                capability: row.capability,
            };
            let at = self.row(&key, !row.used);
            to.rows.push(at);
            let Some(at) = at else {
                without_room[0] += row.allowed;
                without_room[1] += row.denied;
                if let Some(auth) = to.seen(&row.auth).value() {
                    self.lose(*auth, row.allowed);
                }
                continue;
            };
            let keeps_names = self.keeps_names(key.principal, key.path);
            let texts = &mut self.texts;
            let always = row.keys_always.as_deref().filter(|_| keeps_names);
            let always = always.map(|names| to.names(names, theirs, texts));
            let ever = if keeps_names { &*row.keys_ever } else { &[] };
            let ever = to.names(ever, theirs, texts);
            let granting = to.names(&row.granting, theirs, texts);
            let mount_type = row.mount_type.map(|text| to.text(text, theirs, texts));
            let theirs = row;
            let mine = &mut self.rows[at];
            mine.allowed += theirs.allowed;
            mine.denied += theirs.denied;
            mine.failed += theirs.failed;
            let seen = Sighting {
                first: theirs.first,
                last: theirs.last,
                days: &theirs.days,
                mount_type,
                auth: to.seen(&theirs.auth),
                example: Best::seen(
                    theirs.example.value().map(|place| to.place(*place)),
                    theirs.example.time(),
                ),
                keys_always: always.as_deref(),
                keys_ever: &ever,
                granting: &granting,
            };
            let before = mine.weight_of_names();
            mine.see(&seen, &self.texts, &self.auths, &self.logs);
            mine.keys_recent = None;
            self.take_names(at, before);
        }
        self.tally.merge(other.tally);
        let [allowed, refused] = without_room;
        self.tally.used = self.tally.used.saturating_sub(allowed + refused);
        self.tally.skip(Skip::TooMany, allowed);
        self.tally.skip(Skip::TooManyRefused, refused);
        self.passed.merge(other.passed);
        self.seen.merge(other.seen);
        self.counts.with_results += other.counts.with_results;
        self.counts.unpaired_requests += other.counts.unpaired_requests;
        self.counts.unpaired_responses += other.counts.unpaired_responses;
        self.counts.untold.children += other.counts.untold.children;
        self.counts.untold.logins += other.counts.untold.logins;
        to
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

/// What the numbers of one table are called in another.
#[derive(Debug, Default)]
pub(crate) struct Renumbered {
    rows: IndexVec<Row, Option<RowId>>,
    auths: IndexVec<Auth, AuthId>,
    sets: IndexVec<Names, NamesId>,
    spaces: HashMap<TextId, TextId, RandomState>,
    texts: IndexVec<Text, Option<TextId>>,
    logs: IndexVec<Log, LogId>,
}

impl Renumbered {
    /// The record in the other table's numbers.
    pub fn record(&self, record: &Record) -> Record {
        let known = Record {
            row: record.row.and_then(|row| self.rows[row]),
            auth: record.auth.map(|auth| self.auths[auth]),
            keys: record.keys.map(|keys| self.sets[keys]),
            granting: record.granting.map(|names| self.sets[names]),
            mount_type: record.mount_type.and_then(|text| self.texts[text]),
            place: record.place.map(|place| self.place(place)),
            ..*record
        };
        if record.row.is_some() && known.row.is_none() {
            known.without_room()
        } else {
            known
        }
    }

    /// A text's number, which is kept if it is new.
    fn text(&mut self, number: TextId, theirs: &Texts, mine: &mut Texts) -> TextId {
        *self.texts[number].get_or_insert_with(|| mine.intern(theirs.get(number)))
    }

    fn place(&self, place: LogPlace) -> LogPlace {
        LogPlace {
            log: self.logs[place.log],
            ..place
        }
    }

    fn seen(&self, auth: &Best<AuthId>) -> Best<AuthId> {
        Best::seen(auth.value().map(|auth| self.auths[*auth]), auth.time())
    }

    fn names(&mut self, names: &[TextId], theirs: &Texts, mine: &mut Texts) -> Vec<TextId> {
        let mut names: Vec<TextId> = names.iter().map(|name| self.text(*name, theirs, mine)).collect();
        names.sort_unstable();
        names
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

fn note_day(days: &mut Vec<i32>, day: i32) {
    if days.last() == Some(&day) {
        return;
    }
    if let Err(at) = days.binary_search(&day) {
        days.insert(at, day);
    }
}

/// The union of two sorted sets, if it is larger than the first.
fn with_all(set: &[TextId], more: &[TextId]) -> Option<Vec<TextId>> {
    if more.iter().all(|n| set.binary_search(n).is_ok()) {
        return None;
    }
    let mut union: Vec<TextId> = set.iter().chain(more).copied().collect();
    union.sort_unstable();
    union.dedup();
    Some(union)
}

fn bounded(mut names: Vec<TextId>, texts: &Texts) -> Vec<TextId> {
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
    use crate::usage::record::Class;

    /// A table with one allowed request, and what such a one is with other names.
    fn with_names(names: &[&str]) -> (Table, impl Fn(&mut Table, &[&str]) -> Record + use<>) {
        let request = |table: &mut Table, names: &[&str]| {
            let auth = table.auth(Auth::nobody());
            let key = Key {
                principal: table.principal_of(auth),
                namespace: table.text(""),
                path: "secret/data/a",
                capability: Capability::Update,
            };
            let row = table.row(&key, false);
            let names: Vec<Cow<'_, str>> = names.iter().map(|name| Cow::Borrowed(*name)).collect();
            Record {
                class: Class::Request,
                row,
                keys: (!names.is_empty()).then(|| table.data_keys(&names)),
                ..Record::new(1, false)
            }
        };
        let mut table = Table::default();
        let first = request(&mut table, names);
        table.settle(&first);
        (table, request)
    }

    #[test]
    fn a_request_without_names_counts_after_a_merge_too() {
        let (mut table, request) = with_names(&["a"]);
        table.merge(with_names(&["a", "b"]).0, &[]);
        let always = |table: &Table| table.rows.iter().find_map(|row| Some(row.keys_always.as_ref()?.len()));
        assert_eq!(always(&table), Some(1));
        let without = request(&mut table, &[]);
        table.settle(&without);
        assert_eq!(always(&table), Some(0));
    }
}
