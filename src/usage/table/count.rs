//! Requests as they are counted: for a row, for an auth, for the log as a whole.

use super::record::{Record, flag};
use super::row::Sighting;
use super::{AuthId, NamesId, Table, Used};
use crate::usage::best::Best;
use crate::usage::coverage::day_of;
use crate::usage::demand::Untold;
use crate::usage::example::Example;
use crate::usage::tally::Skip;
use std::sync::Arc;

/// Counts that belong to no row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub with_results: u64,
    pub unpaired_requests: u64,
    pub unpaired_responses: u64,
    /// Tokens of which the log does not say what they hold.
    pub untold: Untold,
}

impl Counts {
    pub(super) fn merge(&mut self, other: Self) {
        self.with_results += other.with_results;
        self.unpaired_requests += other.unpaired_requests;
        self.unpaired_responses += other.unpaired_responses;
        self.untold.children += other.untold.children;
        self.untold.logins += other.untold.logins;
    }
}

impl Table {
    /// Looks at what these requests will be counted in. Rows come in no order, and there are more than the caches hold: so the machine
    /// waits once for all of them, and not for each.
    pub fn warm(&self, records: &[Record]) {
        let looked = records.iter().filter_map(|record| record.row).map(|row| {
            let row = &self.rows[row];
            let inner = row.days.first().map_or(0, |day| i64::from(*day))
                ^ row.granting.first().map_or(0, |name| name.number() as i64)
                ^ row.path.as_bytes().first().map_or(0, |c| i64::from(*c));
            row.last ^ row.auth.time() ^ row.example.time() ^ row.allowed.cast_signed() ^ inner
        });
        std::hint::black_box(looked.fold(0, |all, row| all ^ row));
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
            example: Example::seen(record.place, record.last, !denied),
            keys_always: is_new.then_some(names),
            keys_ever: if is_new { names } else { &[] },
            granting: if denied { &[] } else { granting },
        };
        row.see(seen, texts, auths, logs);
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
}
