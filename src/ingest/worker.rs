//! Entries to records: what each says of who asked for what, and how that ended.

use super::book::{Asker, Book, Known, Meanings, Remembered};
use super::entry::{Entry, Request};
use super::essence::Essence;
use super::open_paths;
use super::principal::Facts;
use super::scan::Members;
use super::simd;
use super::text::decode;
use crate::usage::Skip;
use crate::usage::auth::Auth;
use crate::usage::coverage::day_of;
use crate::usage::example::{Log, LogId, LogPlace};
use crate::usage::interner::TextId;
use crate::usage::table::record::{Class, Record, flag, hash_id, join_ids};
use crate::usage::table::{ANY_NAME, AuthId, Key, MAX_KEYS, NamesId, Table, Used};
use crate::usage::{GroupBy, Usage};
use crate::vault::{Operation, path, secret};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use memchr::memmem::Finder;
use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

/// The longest set of names that is known again by its bytes, and how many such are kept.
const LONGEST_SPELLED: usize = 1_024;
const MOST_SPELLED: usize = 16_384;

/// Turns entries into records of one part.
#[derive(Debug, Clone)]
pub struct Worker {
    usage: Usage,
    group_by: Arc<GroupBy>,
    since: i64,
    until: i64,
    nobody: AuthId,
    book: Book,
    meanings: Meanings,
    /// Of the `auth` object that is looked at.
    essence: Essence,
    /// Sets of names, as they were spelled.
    key_sets: HashMap<Box<[u8]>, NamesId, RandomState>,
    spelled: Vec<u8>,
    namespaces: Recall,
    mount_types: Recall,
    /// Of the log that is read: its entries that tell no outcome, and its responses.
    logs: Option<[LogId; 2]>,
}

/// The numbers of the texts that were asked for last: namespaces and mount types are few, and come again with each entry.
#[derive(Debug, Clone, Default)]
struct Recall {
    slots: Vec<(Box<str>, TextId)>,
}

impl Recall {
    const SLOTS: usize = 16;

    /// The number of a text.
    fn number(&mut self, text: &str, table: &mut Table, intern: fn(&mut Table, &str) -> TextId) -> TextId {
        let telling = text.len() + text.as_bytes().first().map_or(0, |c| usize::from(*c));
        let slot = telling % Self::SLOTS;
        if let Some((known, number)) = self.slots.get(slot)
            && **known == *text
        {
            return *number;
        }
        let number = intern(table, text);
        if self.slots.is_empty() {
            self.slots = vec![(Box::from(""), table.text("")); Self::SLOTS];
        }
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = (Box::from(text), number);
        }
        number
    }
}

impl Worker {
    /// A worker without any entry yet.
    #[must_use]
    pub fn new(mut usage: Usage, group_by: Arc<GroupBy>) -> Self {
        let (since, until) = usage.window().nanos();
        Self {
            nobody: usage.table_mut().auth(Auth::nobody()),
            usage,
            group_by,
            since,
            until,
            book: Book::default(),
            meanings: Meanings::default(),
            essence: Essence::default(),
            key_sets: HashMap::default(),
            spelled: Vec::new(),
            namespaces: Recall::default(),
            mount_types: Recall::default(),
            logs: None,
        }
    }

    /// Says which log, or which piece of one, the entries stand in that come next.
    pub fn reads(&mut self, file: &str, piece: u32) {
        let logs = &mut self.usage.table_mut().logs;
        let file: Arc<str> = Arc::from(file);
        self.logs = Some([false, true].map(|outcome| {
            let whole = Log::whole(Arc::clone(&file), outcome);
            logs.intern(Log { piece, ..whole })
        }));
    }

    /// To note what is no entry.
    pub fn usage_mut(&mut self) -> &mut Usage {
        &mut self.usage
    }

    /// Takes out what was read so far, and begins anew.
    pub fn take(&mut self) -> Usage {
        let next = self.usage.alike();
        let taken = std::mem::replace(&mut self.usage, next);
        self.forget();
        taken
    }

    /// Forgets all numbers of the part's table.
    fn forget(&mut self) {
        self.nobody = self.usage.table_mut().auth(Auth::nobody());
        self.book.clear();
        self.meanings.clear();
        self.key_sets.clear();
        self.namespaces = Recall::default();
        self.mount_types = Recall::default();
        self.logs = None;
    }

    /// Adds an entry that begins in a line. Returns why it names no demand, if it names none.
    pub fn entry(&mut self, entry: &Entry<'_>, line: u64) -> Option<Skip> {
        if let Some(reason) = self.outside(entry.time) {
            self.usage.table_mut().tally.skip(reason, 1);
            return Some(reason);
        }
        let record = self.record(entry, Asker::Unread, line);
        self.usage.add(&record);
        (!record.usable()).then(|| Skip::from_index(record.skip)).flatten()
    }

    /// Adds an entry whose end is missing, as far as it can be read. Where its path was lost, it is lost for whoever asked.
    /// Returns why it names no demand, if it names none.
    pub fn cut(&mut self, entry: &Entry<'_>, reason: Skip, line: u64) -> Option<Skip> {
        let outside = self.outside(entry.time);
        if outside == Some(Skip::OutsideWindow) || (outside.is_none() && entry.request.names_a_demand()) {
            return self.entry(entry, line);
        }
        let reason = outside.unwrap_or(reason);
        let space = namespace_of(&entry.request);
        let namespace = self.namespace(&space, &entry.request);
        let known = self.known(Asker::Unread, entry.auth, &entry.request, &space, namespace);
        let table = self.usage.table_mut();
        table.tally.skip(reason, 1);
        if let Some(auth) = known.auth.filter(|_| !known.unnamed) {
            table.lose(auth, 1);
        }
        Some(reason)
    }

    /// Whether an entry of this time is left out, and why.
    pub fn outside(&self, time: Option<i64>) -> Option<Skip> {
        if self.since == i64::MIN && self.until == i64::MAX {
            return None;
        }
        match time {
            None => Some(Skip::NoTime),
            Some(t) if t < self.since || t > self.until => Some(Skip::OutsideWindow),
            Some(_) => None,
        }
    }

    /// The `auth` object at `at`, if it was understood before.
    pub fn remembered(&self, text: &[u8], at: usize) -> Option<Remembered> {
        self.book.find(text, at)
    }

    /// Whether a request needed no token.
    #[must_use]
    pub fn is_open(&self, record: &Record) -> bool {
        record.row.is_some_and(|row| self.usage.table().is_open_row(row))
    }

    /// Whether who is known by an `auth` object made a request.
    #[must_use]
    pub fn is_maker(&self, known: Known, record: &Record) -> bool {
        let is_in = |row| known.holds_in(self.usage.table().namespace_of(row));
        known.auth == record.auth && record.row.is_some_and(is_in)
    }

    /// The end of the `auth` object at `at`, and what is known of it; none if that is no object.
    pub fn asker(&mut self, text: &[u8], at: usize) -> Option<(Asker, usize)> {
        if let Some(found) = self.remembered(text, at) {
            return Some((Asker::Known(found), found.end));
        }
        match self.essence.read_at(text, at, &self.group_by) {
            Some(end) => Some((Asker::Read, end)),
            None => Some((Asker::Unread, simd::container(text, at).ok()?)),
        }
    }

    /// The record of an entry that begins in a line, of whose `auth` something may be known already.
    pub fn record(&mut self, entry: &Entry<'_>, asker: Asker, line: u64) -> Record {
        let mut record = Record::new(0, entry.response);
        record.place = self.logs.map(|[request, response]| {
            let log = if entry.response { response } else { request };
            LogPlace::new(log, line)
        });
        record.flags = if entry.request.has_id() { 0 } else { flag::NO_ID }
            | if entry.error { flag::ERROR } else { 0 }
            | if entry.denied_by_acl || (entry.denied && !entry.response) {
                flag::ERROR_DENIED
            } else {
                0
            }
            | if entry.response || entry.error || entry.cut {
                0
            } else {
                flag::PASSED
            }
            | if entry.forwarded { flag::FORWARDED } else { 0 };
        if let Some(time) = entry.time {
            record.first = time;
            record.last = time;
            self.usage.table_mut().seen.time(time);
        }
        let mut meaning = None;
        match self.demand(entry, asker, &mut record) {
            Ok(demand) => {
                meaning = Some(demand);
                record.class = if entry.response {
                    Class::Response
                } else {
                    Class::Request
                };
            }
            Err(Skip::TooMany | Skip::TooManyRefused) => record = record.without_room(),
            Err(reason) => record.skip = reason.index(),
        }
        record.id = self.id_of(&entry.request, &record, meaning);
        record
    }

    /// Fills in the numbers of the demand, and gives what it means.
    fn demand(&mut self, entry: &Entry<'_>, asker: Asker, record: &mut Record) -> Result<u64, Skip> {
        let request = &entry.request;
        if !request.names_a_demand() || is_hidden(request.path) {
            return Err(self.unsaid(entry, asker, record));
        }
        let operation = match request.operation {
            b"write" => Operation::Update,
            word => Operation::from_word(&decode(word)),
        };
        let Some(capability) = operation.capability() else {
            return Err(match operation {
                Operation::Help => {
                    self.held(entry, asker, record);
                    Skip::Help
                }
                _ if NEVER_ALLOWED.contains(&request.operation) => Skip::UnknownOperation,
                _ => self.unsaid(entry, asker, record),
            });
        };
        let mut asked = decode(request.path);
        if asked.starts_with('/') {
            asked = Cow::Owned(path::clean(&asked).to_owned());
        }
        if matches!(operation, Operation::List | Operation::Scan) && !asked.ends_with('/') {
            asked = Cow::Owned(format!("{asked}/"));
        }
        // A secret that stands in the path goes no further than here.
        if let Cow::Owned(masked) = secret::path(&asked) {
            asked = Cow::Owned(masked);
        }
        let mount_type = decode(request.mount_type);
        let mount_point = decode(request.mount_point);
        let space = namespace_of(request);
        let namespace = self.namespace(&space, request);
        let known = self.known(asker, entry.auth, request, &space, namespace);
        record.flags |= known.flags;
        let endpoint = open_paths::endpoint(&asked, &mount_type, &mount_point);
        // Which of the server's own paths are open changes with its version and its settings, and some ask for a token all the same;
        // of a plugin's it does not.
        let is_own = asked.starts_with("sys/") || asked.starts_with("identity/");
        let shows = is_own && (known.granting.is_some() || (!known.wrapping && self.shows_policies(known)));
        let endpoint = endpoint.filter(|_| !shows);
        let open = endpoint.is_some() || (known.wrapping && asked == "sys/wrapping/unwrap");
        let auth = if open {
            record.auth = self.logged_in(entry, &asked, &mount_point, &space, namespace);
            if record.auth.is_some() || lets_nobody_in(entry) {
                record.flags |= flag::TOLD;
            }
            asked = endpoint.map_or(asked, Cow::Owned);
            self.note_holder(known, record);
            self.nobody
        } else if let Some(auth) = known.auth {
            if known.unnamed && is_refused(entry, known.flags) && !self.shows_policies(known) {
                return Err(Skip::NoPrincipal);
            }
            if known.unnamed && &*asked == "sys/audit/test" {
                return Err(Skip::Probe);
            }
            record.auth = Some(auth);
            record.granting = known.granting;
            if self.made(entry, record.last, &asked, &space, namespace) {
                record.flags |= flag::TOLD;
            }
            auth
        } else {
            record.auth = self.logged_in(entry, &asked, &mount_point, &space, namespace);
            self.nobody
        };
        let refused = known.flags & flag::RESULT_DENIED != 0
            || (known.flags & flag::RESULT_ALLOWED == 0 && record.flags & flag::ERROR_DENIED != 0);
        // Also where its row finds no room, so that what is counted hangs on no order.
        if auth != self.nobody {
            record.keys = self.keys(request.data, request.cut);
        }
        let table = self.usage.table_mut();
        let key = Key {
            principal: table.principal_of(auth),
            namespace,
            path: &asked,
            capability,
        };
        let Some(found) = table.find(&key, refused) else {
            return Err(if refused { Skip::TooManyRefused } else { Skip::TooMany });
        };
        record.row = Some(found.row);
        if !mount_type.is_empty() {
            record.mount_type = Some(self.mount_types.number(&mount_type, table, Table::text));
        }
        Ok(found.meaning)
    }

    /// Notes who showed a token where none was needed: it holds its policies all the same.
    fn note_holder(&mut self, known: Known, record: &Record) {
        let is_used = record.flags & (flag::ERROR | flag::RESULT_DENIED) == 0 && record.first <= record.last;
        if let (true, Some(auth)) = (is_used && self.shows_policies(known), known.auth) {
            self.usage
                .table_mut()
                .use_auth(auth, Used::at(record.first, record.last));
        }
    }

    /// Notes whose entry it is that asked for no more than help.
    fn held(&mut self, entry: &Entry<'_>, asker: Asker, record: &Record) {
        let space = namespace_of(&entry.request);
        let namespace = self.namespace(&space, &entry.request);
        let known = self.known(asker, entry.auth, &entry.request, &space, namespace);
        self.note_holder(known, record);
    }

    /// Notes whose entry it is that does not say what was asked, and says why it is left out.
    fn unsaid(&mut self, entry: &Entry<'_>, asker: Asker, record: &mut Record) -> Skip {
        if entry.of_plugin {
            return Skip::NoPath;
        }
        let request = &entry.request;
        let space = namespace_of(request);
        let namespace = self.namespace(&space, request);
        let known = self.known(asker, entry.auth, request, &space, namespace);
        record.flags |= known.flags;
        // Whoever was refused holds policies all the same, and is to be known for that.
        let is_refused = is_refused(entry, known.flags);
        let is_of_somebody = (is_refused || request.raw.is_empty()) && self.shows_policies(known);
        if !known.unnamed || is_of_somebody {
            record.auth = known.auth;
        } else if is_refused {
            return Skip::NoPath;
        } else if request.raw.is_empty() && !entry.hidden {
            // An object of somebody else's that has the same two keys.
            return Skip::NotAudit;
        }
        Skip::Unsaid
    }

    /// Whether whoever asked is known to hold something.
    fn shows_policies(&mut self, known: Known) -> bool {
        let auths = &self.usage.table_mut().auths;
        known.auth.is_some_and(|auth| {
            let held = &auths.get(auth).held;
            !held.own.is_empty() || !held.placed.is_empty()
        })
    }

    /// What the entries of one request have in common, and no others: its id with who asked, for what and where, since pipelines
    /// put one and the same text in the place of every id. Where there is none, all that was asked, by what, and on which day.
    fn id_of(&mut self, request: &Request<'_>, record: &Record, meaning: Option<u64>) -> u64 {
        let table = self.usage.table_mut();
        let demand = meaning.unwrap_or_else(|| table.meaning(record));
        if record.flags & flag::NO_ID == 0 {
            return join_ids(hash_id(request.id), demand);
        }
        let asked = join_ids(hash_id(request.raw), demand);
        let is_open = record.row.is_some_and(|row| table.is_open_row(row));
        let auth = record.auth.filter(|_| !is_open);
        let held = auth.map_or(0, |auth| {
            hash_id(format!("{:?}", table.auths.get(auth).held).as_bytes())
        });
        let day = if record.first > record.last {
            0
        } else {
            day_of(record.first)
        };
        join_ids(join_ids(asked, held), u64::from(day.unsigned_abs()))
    }

    /// The number of a request's namespace.
    fn namespace(&mut self, path: &str, request: &Request<'_>) -> TextId {
        let table = self.usage.table_mut();
        if !request.namespace.is_empty() && !request.namespace_id.is_empty() && !path::is_unplaced(path) {
            let id = secret::identity(decode(request.namespace_id));
            if !table.seen.namespaces.is_noted(&id, path) {
                table.seen.namespaces.note(&id, path);
            }
        }
        self.namespaces.number(path, table, Table::space)
    }

    /// The meaning of an `auth` object that came with a request in this namespace.
    fn known(&mut self, asker: Asker, raw: &[u8], request: &Request<'_>, namespace: &str, number: TextId) -> Known {
        let found = match asker {
            Asker::Known(found) => Some(found),
            Asker::Read => None,
            Asker::Unread => self.book.find(raw, 0).filter(|found| found.end == raw.len()),
        };
        let found = found.map(|found| found.known);
        if let Some(known) = found.filter(|known| known.holds_in(number)) {
            return known;
        }
        if !matches!(asker, Asker::Read) {
            self.essence.read(raw, &self.group_by);
        }
        self.essence.came_with(request.accessor);
        let known = self.meaning(namespace, number);
        if !self.essence.is_by_request() && found.is_none() {
            self.book.add(raw, known);
        }
        known
    }

    /// The meaning of the essence that was just read.
    fn meaning(&mut self, namespace: &str, number: TextId) -> Known {
        if let Some(known) = self.meanings.find(&self.essence, number) {
            return known;
        }
        let table = self.usage.table_mut();
        let facts = Facts::of(&self.essence);
        for (id, at) in facts.namespaces() {
            table.seen.namespaces.note(id, at);
        }
        let (auth, depends) = facts.auth(&self.group_by, namespace).unzip();
        let unnamed = auth.is_none();
        // Where no token had to be shown the server says so; else it was somebody's.
        let auth = auth.or_else(|| facts.somebody(namespace));
        let granting: Vec<TextId> = facts.granting().map(|one| table.text(&one.text())).collect();
        let granting = (!granting.is_empty()).then(|| table.granting(granting));
        let known = Known {
            auth: auth.map(|auth| table.auth(auth)),
            unnamed,
            flags: match facts.allowed {
                Some(true) => flag::RESULT_ALLOWED,
                Some(false) => flag::RESULT_DENIED,
                None => 0,
            },
            wrapping: facts.wrapping(),
            granting,
            only_in: depends.unwrap_or_else(|| facts.is_of_login()).then_some(number),
        };
        self.meanings.add(&self.essence, known);
        known
    }

    /// Who a login let in, from its response.
    fn logged_in(
        &mut self,
        entry: &Entry<'_>,
        path: &str,
        mount_point: &str,
        namespace: &str,
        number: TextId,
    ) -> Option<AuthId> {
        if !entry.response || entry.error {
            return None;
        }
        let inner = told(entry);
        let mount = open_paths::login_mount(path, mount_point);
        // Whatever the path: a response with an `auth` shows a token.
        let mount = mount.or_else(|| inner.map(|_| path::auth_mount(path)))?;
        [entry.auth, inner.unwrap_or_default()].into_iter().find_map(|raw| {
            self.essence.read(raw, &self.group_by);
            self.essence.of_login(mount);
            let known = self.meaning(namespace, number);
            known.auth.filter(|_| !known.unnamed)
        })
    }

    /// Notes whose a token is that this request made or renewed, from its response: it has its policies before it is ever used.
    /// Whether the response tells them.
    fn made(&mut self, entry: &Entry<'_>, time: i64, asked: &str, namespace: &str, number: TextId) -> bool {
        if !entry.response || entry.error {
            return false;
        }
        let Some(inner) = told(entry) else { return false };
        self.essence.read(inner, &self.group_by);
        self.essence.of_login(if open_paths::gives_a_token(asked) {
            path::TOKEN_MOUNT
        } else {
            path::auth_mount(asked)
        });
        let Some(auth) = self.meaning(namespace, number).auth else {
            return false;
        };
        let table = self.usage.table_mut();
        table.use_auth(auth, Used::at(time, time));
        let held = &table.auths.get(auth).held;
        held.listed && !held.own.is_empty()
    }

    /// The names in a request's data, of which some may be cut off. No more of them are taken over than a demand keeps.
    fn keys(&mut self, data: &[u8], cut: bool) -> Option<NamesId> {
        self.spelled.clear();
        let mut walk = Members::of(data, 0).ok();
        while let Some(Ok(Some(member))) = walk.as_mut().map(Members::next) {
            self.spelled.extend_from_slice(member.key);
            // No raw key holds one.
            self.spelled.push(b'"');
        }
        if cut {
            self.spelled.extend_from_slice(ANY_NAME.as_bytes());
            self.spelled.push(b'"');
        }
        if self.spelled.is_empty() {
            return None;
        }
        if let Some(keys) = self.key_sets.get(&self.spelled[..]) {
            return Some(*keys);
        }
        let spelled = self.spelled.strip_suffix(b"\"").unwrap_or_default();
        let mut names: Vec<Cow<'_, str>> = spelled
            .split(|c| *c == b'"')
            .map(|name| key_name(decode(name)))
            .collect();
        names.sort_unstable();
        names.dedup();
        names.truncate(MAX_KEYS);
        let table = self.usage.table_mut();
        let keys = table.data_keys(&names);
        if self.spelled.len() <= LONGEST_SPELLED {
            if self.key_sets.len() >= MOST_SPELLED {
                self.key_sets.clear();
            }
            self.key_sets.insert(Box::from(&self.spelled[..]), keys);
        }
        Some(keys)
    }
}

/// The name of a data key; where a token stands in its place, that of any.
fn key_name(name: Cow<'_, str>) -> Cow<'_, str> {
    match secret::identity(name.clone()) {
        Cow::Owned(masked) if masked != name => Cow::Borrowed(ANY_NAME),
        _ => name,
    }
}

/// Operations that no client can ask for, and that the ACL never allows.
const NEVER_ALLOWED: [&[u8]; 4] = [b"alias-lookahead", b"resolve-role", b"header", b"rollback"];

/// The `auth` object of a response: the token that it tells of.
fn told<'a>(entry: &Entry<'a>) -> Option<&'a [u8]> {
    static NAME: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\"auth\""));
    NAME.find(entry.answer)?;
    super::envelope::follow(entry.answer, "/auth").filter(|auth| auth.first() == Some(&b'{'))
}

/// Whether a response says that a login failed: its error is that of the method, not of the server.
fn lets_nobody_in(entry: &Entry<'_>) -> bool {
    entry.response && super::envelope::follow(entry.answer, "/data/error").is_some()
}

/// Whether a path is none, but what a device or a pipeline put in its place.
fn is_hidden(path: &[u8]) -> bool {
    path.starts_with(b"hmac-sha256:")
}

/// Whether the server says that the ACL refused it, or that the token was.
const fn is_refused(entry: &Entry<'_>, results: u8) -> bool {
    results & flag::RESULT_DENIED != 0 || (entry.error && results & flag::RESULT_ALLOWED == 0)
}

/// The namespace in the form `a/b/`, empty for the root; or what stands for one of which the path is not told.
fn namespace_of<'a>(request: &Request<'a>) -> Cow<'a, str> {
    match (request.namespace, request.namespace_id) {
        (b"", b"root") => Cow::Borrowed(""),
        (b"", b"") => match open_paths::namespace_of_mount(&decode(request.path), &decode(request.mount_point)) {
            Some(namespace) => Cow::Owned(namespace.to_owned()),
            None => Cow::Borrowed(path::UNTOLD),
        },
        (b"", id) => Cow::Owned(path::namespace_of_id(&secret::identity(decode(id)))),
        (namespace, _) => Cow::Owned(path::namespace(&secret::identity(decode(namespace)))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::essence::tests::{auths, groupings};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// Whoever asks is the same whatever was understood before: by whole objects, by essences, or not at all.
        #[test]
        fn what_is_remembered_changes_nothing(
            auths in prop::collection::vec(auths(), 1..5),
            asked in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..3, 0_usize..3, 0_u8..5), 0..40),
            group_by in groupings(),
        ) {
            let worker = || Worker::new(Usage::default(), Arc::new(group_by.clone()));
            let (mut one, mut other) = (worker(), worker());
            for (which, accessor, namespace, how) in asked {
                // Of some length, as those of servers are, so that they are remembered whole.
                let auth = auths[which.index(auths.len())].replacen('{', &format!("{{\"{}\":1,", "x".repeat(60)), 1);
                let auth = auth.replace(",}", "}");
                let accessor = ["", "hmac-sha256:5", "hmac-sha256:6"][accessor];
                let namespace = ["", "team/", "?:"][namespace];
                let request = Request {
                    accessor: accessor.as_bytes(),
                    ..Request::default()
                };
                let ask = |worker: &mut Worker| {
                    let number = worker.namespace(namespace, &request);
                    let known = if let Some(mount) = ["auth/m/", "auth/n/"].get(usize::from(how)) {
                        worker.essence.read(auth.as_bytes(), &worker.group_by);
                        worker.essence.of_login(mount);
                        worker.meaning(namespace, number)
                    } else {
                        {
                        let asker = if how == 2 {
                            worker.asker(auth.as_bytes(), 0).unwrap().0
                        } else {
                            Asker::Unread
                        };
                        worker.known(asker, auth.as_bytes(), &request, namespace, number)
                    }
                    };
                    let who = known.auth.map(|auth| worker.usage.table_mut().auths.get(auth).clone());
                    (who, known.unnamed, known.flags, known.wrapping)
                };
                other.book.clear();
                other.meanings.clear();
                prop_assert_eq!(ask(&mut one), ask(&mut other), "{} {} {}", auth, accessor, namespace);
            }
            let seen = |worker: &mut Worker| worker.usage.table_mut().seen.clone();
            prop_assert_eq!(seen(&mut one), seen(&mut other));
        }
    }

    #[test]
    fn who_has_no_name_is_known_by_the_accessor_of_the_request() {
        let mut worker = Worker::new(Usage::default(), Arc::new(GroupBy::Entity));
        let auth = format!(r#"{{"client_token":"hmac-sha256:{:064}","policies":["p"]}}"#, 7);
        let mut ids = std::collections::BTreeSet::new();
        for accessor in [
            &b"hmac-sha256:1"[..],
            b"hmac-sha256:2",
            b"hmac-sha256:1",
            b"hmac-sha256:2",
        ] {
            let request = Request {
                accessor,
                ..Request::default()
            };
            let (asker, _) = worker.asker(auth.as_bytes(), 0).unwrap();
            let here = worker.namespace("", &request);
            let known = worker.known(asker, auth.as_bytes(), &request, "", here);
            ids.insert(worker.usage.table_mut().auths.get(known.auth.unwrap()).id.clone());
        }
        assert_eq!(
            ids.iter().map(|id| &**id).collect::<Vec<_>>(),
            ["hmac-sha256:1", "hmac-sha256:2"]
        );
    }
}
