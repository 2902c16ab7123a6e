//! The requests that may still meet a partner: what makes pairing exact over file, thread and part borders,
//! within a bound.

use super::record::{Class, Field, Record, flag};
use hashbrown::HashTable;

/// How many records a trimmed ledger keeps.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// Complete ones with the earliest times.
    pub head: usize,
    /// Complete ones with the latest times.
    pub tail: usize,
    /// Incomplete, forwarded or nameless ones.
    pub open: usize,
}

/// Requests by their id, each once.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    index: HashTable<u32>,
    records: Vec<Record>,
}

impl Ledger {
    /// Adds a record, folded with the one of the same request if there is one.
    pub fn add(&mut self, record: &Record, greater: impl Fn(Field, u32, u32) -> u32) {
        let records = &mut self.records;
        if let Some(&at) = self.index.find(record.id, |&at| {
            records.get(at as usize).is_some_and(|known| known.id == record.id)
        }) {
            if let Some(known) = records.get_mut(at as usize) {
                known.fold(record, greater);
            }
            return;
        }
        let at = u32::try_from(records.len()).unwrap_or(u32::MAX);
        records.push(*record);
        self.index
            .insert_unique(record.id, at, |&at| records.get(at as usize).map_or(0, |r| r.id));
    }

    /// Makes room for so many more.
    pub fn reserve(&mut self, more: usize) {
        self.records.reserve(more);
        let records = &self.records;
        self.index
            .reserve(more, |&at| records.get(at as usize).map_or(0, |r| r.id));
    }

    /// The records.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Takes all records out.
    pub fn drain(&mut self) -> Vec<Record> {
        self.index.clear();
        std::mem::take(&mut self.records)
    }

    /// The records most likely to meet a partner.
    #[must_use]
    pub fn likely(&self, keep: Keep) -> Self {
        let mut ledger = Self::default();
        for (record, likely) in self.records.iter().zip(self.judge(keep)) {
            if likely {
                ledger.add(record, |_, a, _| a);
            }
        }
        ledger
    }

    /// Reduces the ledger to the records most likely to meet a partner, and returns the others, which are settled by that.
    pub fn trim(&mut self, keep: Keep) -> Vec<Record> {
        let judged = self.judge(keep);
        let mut settled = self.drain();
        let mut likely = judged.iter();
        settled.retain(|record| {
            let likely = likely.next() == Some(&true);
            if likely {
                self.add(record, |_, a, _| a);
            }
            !likely
        });
        settled
    }

    /// For each record whether it is kept.
    fn judge(&self, keep: Keep) -> Vec<bool> {
        let mut open: Vec<(i64, u64, usize)> = Vec::new();
        let mut whole: Vec<(i64, u64, usize)> = Vec::with_capacity(self.records.len());
        for (at, record) in self.records.iter().enumerate() {
            let key = (record.last, record.id, at);
            if !record.complete()
                || record.class < Class::Request
                || record.flags & (flag::FORWARDED | flag::NO_ID) != 0
            {
                open.push(key);
            } else {
                whole.push(key);
            }
        }
        let mut kept = vec![false; self.records.len()];
        let mut mark = |likely: &[(i64, u64, usize)]| {
            for (_, _, at) in likely {
                if let Some(kept) = kept.get_mut(*at) {
                    *kept = true;
                }
            }
        };
        let older = open.len().saturating_sub(keep.open);
        let (_, latest) = split(&mut open, older);
        mark(latest);
        if whole.len() <= keep.head + keep.tail {
            mark(&whole);
        } else {
            let between = whole.len() - keep.head - keep.tail;
            let (head, rest) = split(&mut whole, keep.head);
            mark(head);
            let (_, last) = split(rest, between);
            mark(last);
        }
        kept
    }
}

/// So many of the smallest, and the others.
fn split<T: Ord>(values: &mut [T], count: usize) -> (&mut [T], &mut [T]) {
    if count > 0 && count < values.len() {
        values.select_nth_unstable(count);
    }
    values.split_at_mut(count.min(values.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trim_keeps_the_open_and_both_ends() {
        let mut ledger = Ledger::default();
        for n in 0..100_u32 {
            let mut request = Record::new(u64::from(n), false);
            request.class = Class::Request;
            request.first = i64::from(n);
            request.last = i64::from(n);
            let mut response = request;
            response.class = Class::Response;
            response.requests = 0;
            response.responses = 1;
            ledger.add(&request, |_, a, b| a.max(b));
            if n != 50 {
                ledger.add(&response, |_, a, b| a.max(b));
            }
        }
        let settled = ledger.trim(Keep {
            head: 2,
            tail: 3,
            open: 9,
        });
        assert_eq!(settled.len(), 94);
        let mut left: Vec<u64> = ledger.records().iter().map(|r| r.id).collect();
        left.sort_unstable();
        assert_eq!(left, [0, 1, 50, 97, 98, 99]);
    }
}
