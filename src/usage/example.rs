//! Where in the logs a use stands: an entry that somebody can look at.
//!
//! Of all entries that let a demand through, the newest one's place is kept; of several at one time the one of a response before that of
//! a request, since only responses tell how a request ended, and of these the last by file and line. Where none was let through it is the
//! newest of those that were refused.

use super::best::Best;
use super::interner::Values;
use crate::index::Idx;
use crate::origin::LogLine;
use std::cmp::Ordering;
use std::sync::Arc;

/// The entries of a log that tell how their requests ended, or those that do not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Log {
    /// Whether they are responses.
    pub(crate) outcome: bool,
    /// As the user named it, or `<stdin>`.
    pub(crate) file: Arc<str>,
    /// Which of its pieces, while it is read by several threads.
    pub(crate) piece: u32,
    /// How many lines stand before those that are counted.
    pub(crate) before: u64,
}

/// The number of a log.
pub type LogId = Idx<Log>;

impl Log {
    /// A log that is read from its beginning.
    #[must_use]
    pub const fn whole(file: Arc<str>, outcome: bool) -> Self {
        Self {
            outcome,
            file,
            piece: 0,
            before: 0,
        }
    }
}

/// The place of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPlace {
    pub(crate) log: LogId,
    /// From one.
    pub(crate) line: u32,
}

impl LogPlace {
    /// A place in a log.
    #[must_use]
    pub fn new(log: LogId, line: u64) -> Self {
        Self {
            log,
            line: u32::try_from(line).unwrap_or(u32::MAX),
        }
    }

    /// Of two at one time the one that is shown is the greater.
    pub(crate) fn compare(self, other: Self, logs: &Values<Log>) -> Ordering {
        if self.log == other.log {
            return self.line.cmp(&other.line);
        }
        let (a, b) = (logs.get(self.log), logs.get(other.log));
        let of = |log: &Log, place: Self| (log.piece, log.before + u64::from(place.line));
        (a.outcome, &a.file)
            .cmp(&(b.outcome, &b.file))
            .then_with(|| of(a, self).cmp(&of(b, other)))
    }

    /// The place in words.
    pub(crate) fn told(self, logs: &Values<Log>) -> LogLine {
        let log = logs.get(self.log);
        LogLine {
            file: Arc::clone(&log.file),
            line: u32::try_from(log.before + u64::from(self.line)).unwrap_or(u32::MAX),
        }
    }
}

/// The entry that is shown of a demand: of a request that was allowed, or, as long as none was, of one that was refused.
#[derive(Debug, Clone)]
pub struct Example {
    allowed: bool,
    place: Best<LogPlace>,
}

impl Example {
    /// Before anything was seen.
    pub(crate) const NONE: Self = Self {
        allowed: false,
        place: Best::NONE,
    };

    /// An entry, if it has a place, and its time.
    pub(crate) const fn seen(place: Option<LogPlace>, time: i64, allowed: bool) -> Self {
        Self {
            allowed,
            place: Best::seen(place, time),
        }
    }

    /// Takes over what was seen.
    pub(crate) fn see(&mut self, seen: Self, logs: &Values<Log>) {
        if seen.place.value().is_none() || (self.allowed && !seen.allowed) {
            return;
        }
        if seen.allowed && !self.allowed {
            *self = seen;
        } else {
            self.place.see(seen.place, |a, b| a.compare(*b, logs));
        }
    }

    /// Its place, where it is of one that was allowed as asked, or else refused.
    pub(crate) fn of(&self, allowed: bool) -> Option<&LogPlace> {
        self.place.value().filter(|_| self.allowed == allowed)
    }

    /// Its time.
    pub(crate) const fn time(&self) -> i64 {
        self.place.time()
    }

    /// The same, with its place told in another way.
    pub(crate) fn told_as(&self, place: impl FnOnce(LogPlace) -> LogPlace) -> Self {
        Self::seen(self.place.value().copied().map(place), self.time(), self.allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::auth::Auth;
    use crate::usage::table::record::{Class, Record, flag};
    use crate::usage::table::{Key, Table};
    use crate::vault::Capability;
    use proptest::prelude::*;

    /// A request: its time, whether its entry is a response, file, line, and whether it was denied.
    type Seen = (i64, bool, &'static str, u32, bool);

    fn seen() -> impl Strategy<Value = Seen> {
        let file = prop::sample::select(vec!["a.log", "b.log", "b.log.1"]);
        (0_i64..3, any::<bool>(), file, 1_u32..4, any::<bool>())
    }

    fn table((time, outcome, file, line, denied): Seen) -> Table {
        let mut table = Table::default();
        let auth = table.auth(Auth::nobody());
        let key = Key {
            principal: table.principal_of(auth),
            namespace: table.text(""),
            path: "secret/data/a",
            capability: Capability::Read,
        };
        let log = table.logs.intern(Log::whole(Arc::from(file), outcome));
        let record = Record {
            row: table.row(&key, false),
            first: time,
            last: time,
            class: if outcome { Class::Response } else { Class::Request },
            flags: if denied {
                flag::RESULT_DENIED
            } else {
                flag::RESULT_ALLOWED
            },
            place: Some(LogPlace { log, line }),
            ..Record::new(1, outcome)
        };
        table.settle(&record);
        table
    }

    fn example(table: &Table) -> Option<LogLine> {
        table.demands().first()?.example.clone()
    }

    fn of_all(tables: impl Iterator<Item = Table>) -> Table {
        tables.fold(Table::default(), |mut all, table| {
            all.merge(table, &[]);
            all
        })
    }

    proptest! {
        #[test]
        fn the_example_is_that_of_the_newest_allowed_request_else_of_the_newest_in_whatever_order_parts_merge(
            (all, turned) in prop::collection::vec(seen(), 1..8)
                .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
            cut in any::<prop::sample::Index>(),
        ) {
            let newest = all.iter().map(|(time, outcome, file, line, denied)| (!denied, time, outcome, file, line)).max();
            let want = newest.map(|(_, _, _, file, line)| LogLine { file: Arc::from(*file), line: *line });
            prop_assert_eq!(example(&of_all(all.iter().copied().map(table))), want.clone());
            let (head, tail) = turned.split_at(cut.index(turned.len()));
            let of = |part: &[Seen]| of_all(part.iter().copied().map(table));
            prop_assert_eq!(example(&of_all([of(head), of(tail)].into_iter())), want);
        }
    }

    #[test]
    fn the_lines_of_a_piece_follow_those_of_the_pieces_before_it() {
        let mut table = Table::default();
        let mut place = |piece, line| {
            let whole = Log::whole(Arc::from("a.log"), true);
            let log = table.logs.intern(Log { piece, ..whole });
            LogPlace { log, line }
        };
        let (first, second) = (place(0, 70), place(1, 2));
        assert_eq!(first.compare(second, &table.logs), Ordering::Less);
        table.place_pieces(|file, piece| if (file, piece) == ("a.log", 1) { 100 } else { 0 });
        assert_eq!(first.compare(second, &table.logs), Ordering::Less);
        assert_eq!(first.told(&table.logs).to_string(), "a.log:70");
        assert_eq!(second.told(&table.logs).to_string(), "a.log:102");
        let read_whole = Log::whole(Arc::from("a.log"), true);
        let same = LogPlace {
            log: table.logs.intern(read_whole),
            line: 102,
        };
        assert_eq!(same.compare(second, &table.logs), Ordering::Equal);
    }
}
