//! A part of the usage: the demands of some logs, and what is needed to merge it with the parts of others.

use super::bounds::Bounds;
use super::coverage::{AuditSwitch, Coverage, timestamp};
use super::demand::{Demand, Lost, PolicySet, PrincipalSeen, Untold};
use super::group::GroupBy;
use super::held::Namespaces;
use super::ledger::{Keep, Ledger};
use super::table::Table;
use super::table::record::Record;
use super::tally::Tally;
use super::window::Window;
use crate::hint::Hint;
use crate::vault::Capability;
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

/// Requests of which only one entry was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpaired {
    /// Request entries without a response.
    pub requests: u64,
    /// Response entries without a request.
    pub responses: u64,
}

/// Parts of which one takes other things for a principal than the other: their principals are not the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("one groups principals by {0}, the other by {1}")]
pub struct Unlike(pub GroupBy, pub GroupBy);

impl Hint for Unlike {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(
            "usage of one grouping cannot be turned into that of another: read its logs again with the `--group-by` that is wanted",
        ))
    }
}

/// How the time that a part is of lies to a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// All of it is inside.
    Inside,
    /// All of it is outside.
    Outside,
    /// Some of it may be outside: a part keeps how often something was asked for, and not when each time.
    Across,
}

/// Demands, tally and coverage of some logs.
#[derive(Debug, Clone)]
pub struct Usage {
    pub(crate) table: Table,
    pub(crate) ledger: Ledger,
    pub(crate) window: Option<Window>,
    /// What a principal is; none where that is not known, as in parts that earlier versions stored, or where there is none.
    pub(crate) group_by: Option<GroupBy>,
    /// Whether the table counts what is in the ledger. Where it does, the ledger only serves to take back what turns
    /// out to be counted twice.
    counted: bool,
    /// The most requests kept for partners to come.
    most_records: usize,
    /// The table with every request counted, once somebody asked for it.
    settled: OnceLock<Arc<Table>>,
}

/// The most requests kept in memory for partners to come, over all threads.
const MOST_RECORDS: usize = 1 << 19;

/// So many requests are settled after their rows were looked at together.
const AT_ONCE: usize = 32;

/// What a part keeps that is read whole, and what a stored one carries.
pub(crate) const WHEN_STORED: Keep = Keep {
    head: 2048,
    tail: 2048,
    open_head: 1 << 14,
    open_tail: 3 << 14,
};

impl Default for Usage {
    fn default() -> Self {
        Self::of(Table::default(), Ledger::default())
    }
}

impl Usage {
    const fn of(table: Table, ledger: Ledger) -> Self {
        Self {
            table,
            ledger,
            window: None,
            group_by: None,
            counted: false,
            most_records: MOST_RECORDS,
            settled: OnceLock::new(),
        }
    }

    /// Keeps to its share of memory, as one of several parts that are made at once.
    pub fn share_memory(&mut self, parts: usize) {
        self.most_records = MOST_RECORDS / parts.max(1);
    }

    /// An empty part that is asked for a window and a grouping.
    #[must_use]
    pub fn asked(window: Window, group_by: GroupBy) -> Self {
        Self {
            window: Some(window),
            ..Self::grouped(group_by)
        }
    }

    /// An empty part with which only parts of this grouping merge.
    #[must_use]
    pub fn grouped(group_by: GroupBy) -> Self {
        Self {
            group_by: Some(group_by),
            ..Self::default()
        }
    }

    /// An empty part that is asked for the same.
    #[must_use]
    pub fn alike(&self) -> Self {
        Self {
            window: self.window,
            group_by: self.group_by.clone(),
            ..Self::default()
        }
        .bounded(self.table.bounds)
    }

    /// The same with other bounds on what clients make many of.
    #[must_use]
    pub fn bounded(mut self, bounds: Bounds) -> Self {
        self.table.bound(bounds);
        self
    }

    /// What a principal is in it, where that is known.
    #[must_use]
    pub const fn group_by(&self) -> Option<&GroupBy> {
        self.group_by.as_ref()
    }

    /// How the time that it is of lies to a window. What has no time may be outside of any.
    #[must_use]
    pub fn overlap(&self, window: Window) -> Overlap {
        let table = self.settled();
        let (Some(first), Some(last)) = (table.seen.first, table.seen.last) else {
            return if window.is_open() || table.tally.used == 0 {
                Overlap::Inside
            } else {
                Overlap::Across
            };
        };
        let (since, until) = window.nanos();
        let timeless = || table.rows.iter().any(|row| row.first > row.last);
        if window.is_open() {
            Overlap::Inside
        } else if timeless() {
            Overlap::Across
        } else if last < since || first > until {
            Overlap::Outside
        } else if since <= first && last <= until {
            Overlap::Inside
        } else {
            Overlap::Across
        }
    }

    /// The table as it is.
    pub(crate) const fn table(&self) -> &Table {
        &self.table
    }

    /// The table that entries are added to.
    pub fn table_mut(&mut self) -> &mut Table {
        self.changed();
        &mut self.table
    }

    /// Makes room for so many requests more, as far as they are kept.
    pub fn expect(&mut self, requests: usize) {
        let most = self.most_records + 1;
        self.ledger
            .reserve(requests.min(most.saturating_sub(self.ledger.len())));
    }

    /// Adds an entry or the fold of several of one request.
    pub fn add(&mut self, record: &Record) {
        self.changed();
        if self.counted {
            for known in self.ledger.records() {
                self.table.count(known, false);
            }
            self.counted = false;
        }
        self.ledger.add(record);
        if self.ledger.len() > self.most_records {
            self.tidy();
            self.trim(self.share());
        }
    }

    /// What stays in memory when there are more requests than are kept.
    const fn share(&self) -> Keep {
        Keep {
            head: self.most_records / 8,
            tail: self.most_records / 4,
            open_head: self.most_records / 16,
            open_tail: self.most_records / 4,
        }
    }

    fn tidy(&mut self) {
        self.ledger.tidy(&self.table);
    }

    /// Counts all requests, as when no more entries are to come. What still comes later is settled with them all the same.
    pub fn count(&mut self) {
        self.changed();
        self.tidy();
        if !self.counted {
            for records in self.ledger.records().chunks(AT_ONCE) {
                self.table.warm(records);
                for record in records {
                    self.table.settle(record);
                }
            }
            self.counted = true;
        }
    }

    fn changed(&mut self) {
        if self.settled.get().is_some() {
            self.settled.take();
        }
    }

    /// Counts all requests and keeps only those that are likely to meet a partner in another part.
    pub fn seal(&mut self) {
        self.count();
        self.ledger.keep_likely(WHEN_STORED);
    }

    /// The sum of several parts that are the whole of what is read: all counted, and sealed.
    #[must_use]
    pub fn whole(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut parts = parts.into_iter().peekable();
        let mut whole = parts.next()?;
        while let Some(mut part) = parts.next() {
            whole.count();
            part.count();
            let last = parts.peek().is_none();
            whole = whole.sum(part, last.then_some(WHEN_STORED));
        }
        whole.seal();
        Some(whole)
    }

    /// The ledger as it is stored.
    pub(crate) fn stored_ledger(&self) -> Ledger {
        if self.ledger.is_tidy() {
            return self.ledger.likely(WHEN_STORED);
        }
        let mut part = self.clone();
        part.tidy();
        part.ledger.likely(WHEN_STORED)
    }

    /// A part from a table in which all of the ledger is counted.
    pub(crate) fn restored(
        table: Table,
        records: &[Record],
        window: Option<Window>,
        group_by: Option<GroupBy>,
    ) -> Self {
        let mut part = Self {
            window,
            group_by,
            ..Self::of(table, Ledger::default())
        };
        for record in records {
            part.ledger.add(record);
        }
        part.tidy();
        part.counted = true;
        part
    }

    /// Forgets the requests that are not likely to meet a partner.
    fn trim(&mut self, keep: Keep) {
        let gone = self.ledger.trim(keep);
        if !self.counted {
            for record in gone {
                self.table.settle(&record);
            }
        }
    }

    /// The sum of two parts. What is not known to be of another grouping is taken for one of the same.
    ///
    /// # Errors
    /// When their principals are known to be grouped in different ways.
    pub fn merge(self, other: Self) -> Result<Self, Unlike> {
        match (&self.group_by, &other.group_by) {
            (Some(mine), Some(theirs)) if mine != theirs => Err(Unlike(mine.clone(), theirs.clone())),
            _ => Ok(self.sum(other, None)),
        }
    }

    /// The sum of two parts that were read with the same options.
    #[must_use]
    pub(crate) fn join(self, other: Self) -> Self {
        self.sum(other, None)
    }

    /// The sum of two parts, of whose requests only the likely ones are kept if `keep` says so and both are counted.
    fn sum(mut self, mut other: Self, keep: Option<Keep>) -> Self {
        if other.table.rows.len() > self.table.rows.len() {
            std::mem::swap(&mut self, &mut other);
        }
        self.changed();
        self.most_records = self.most_records.max(other.most_records);
        if self.counted || other.counted {
            self.count();
            other.count();
        } else {
            self.tidy();
            other.tidy();
        }
        let mut records = other.ledger.drain();
        let renumbered = self.table.merge(other.table, &records);
        for record in &mut records {
            *record = renumbered.record(record);
        }
        let (table, counted) = (&mut self.table, self.counted);
        let both = |mine: &mut Record, theirs: &Record| {
            if counted {
                table.count(mine, false);
                table.count(theirs, false);
            }
            mine.fold(theirs, &*table);
            if counted {
                table.settle(mine);
            }
        };
        match keep.filter(|_| counted) {
            Some(keep) => self.ledger.join_likely(records, keep, both),
            None => self.ledger.join(records, both),
        }
        if self.ledger.len() > self.most_records {
            self.trim(self.share());
        }
        self.window = match (self.window, other.window) {
            (Some(a), Some(b)) => Some(a.union(b)),
            (a, b) => a.or(b),
        };
        self.group_by = self.group_by.or(other.group_by);
        self
    }

    /// The table with every request counted.
    pub(crate) fn settled(&self) -> &Table {
        if self.counted {
            return &self.table;
        }
        self.settled.get_or_init(|| {
            let mut part = self.clone();
            part.count();
            Arc::new(part.table)
        })
    }

    /// The demands, sorted by principal, namespace, path and capability.
    #[must_use]
    pub fn demands(&self) -> Vec<Demand> {
        self.settled().demands()
    }

    /// Whether requests that do not say their namespace were taken for those of the root namespace.
    #[must_use]
    pub fn is_untold(&self) -> bool {
        self.settled().is_untold()
    }

    /// The principals, sorted.
    #[must_use]
    pub fn principals(&self) -> Vec<PrincipalSeen> {
        self.settled().principals()
    }

    /// The sets of policies that principals acted with, sorted.
    #[must_use]
    pub fn policy_sets(&self) -> Vec<PolicySet> {
        self.settled().policy_sets()
    }

    /// The sets of policies that principals asked with, also where nothing was allowed, sorted.
    #[must_use]
    pub fn sets_asked_with(&self) -> Vec<PolicySet> {
        self.settled().sets_asked_with()
    }

    /// The sets of policies that somebody asked with to whom nothing was allowed with them.
    #[must_use]
    pub fn sets_refused(&self) -> Vec<PolicySet> {
        self.settled().sets_refused()
    }

    /// The namespaces whose id and path the log shows together.
    #[must_use]
    pub fn namespaces(&self) -> &Namespaces {
        &self.settled().seen.namespaces
    }

    /// The account of all lines.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.settled().tally
    }

    /// Tokens of which the log does not say what they hold.
    #[must_use]
    pub fn untold(&self) -> Untold {
        self.settled().counts.untold
    }

    /// The lines by which a request may have been lost, by whose they were. Their sum is [`Tally::lost`].
    #[must_use]
    pub fn lost(&self) -> Lost {
        self.settled().lost()
    }

    /// What stayed without a partner.
    #[must_use]
    pub fn unpaired(&self) -> Unpaired {
        let counts = self.settled().counts;
        Unpaired {
            requests: counts.unpaired_requests,
            responses: counts.unpaired_responses,
        }
    }

    /// What was covered.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        let table = self.settled();
        Coverage {
            first: table.seen.first.and_then(timestamp),
            last: table.seen.last.and_then(timestamp),
            gaps: table.seen.gaps(),
            nodes: table.seen.nodes.iter().cloned().collect(),
            copies: table.seen.copies,
            requests: table.tally.used,
            with_policy_results: table.counts.with_results.min(table.tally.used),
            switched: switched(table),
            skipped_share: share(table.tally.lost(), table.tally.lines),
        }
    }

    /// The window asked for.
    #[must_use]
    pub fn window(&self) -> Window {
        self.window.unwrap_or_default()
    }

    /// Whether there is no demand.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.rows.is_empty() || self.tally().used == 0
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The audit devices that requests to `sys/audit/*` switched.
fn switched(table: &Table) -> Vec<AuditSwitch> {
    let mut switched: Vec<AuditSwitch> = table
        .rows
        .iter()
        .filter(|row| row.allowed > row.failed)
        .filter_map(|row| {
            let device = row.path.strip_prefix("sys/audit/")?.trim_matches('/');
            let on = match row.capability {
                Capability::Create | Capability::Update => true,
                Capability::Delete => false,
                _ => return None,
            };
            Some(AuditSwitch {
                time: row.last_seen(),
                device: format!("{device}/"),
                on,
            })
        })
        .collect();
    switched.sort_by(|a, b| (a.time, &a.device, a.on).cmp(&(b.time, &b.device, b.on)));
    switched
}
