//! The requests that may still meet a partner: what makes pairing exact over file, thread and part borders,
//! within a bound.

use super::table::record::{Class, Meanings, Record, flag};

/// How many records a trimmed ledger keeps.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// Complete ones with the earliest times.
    pub head: usize,
    /// Complete ones with the latest times.
    pub tail: usize,
    /// Incomplete, forwarded or nameless ones with the earliest times.
    pub open_head: usize,
    /// Such with the latest times.
    pub open_tail: usize,
}

/// Requests by their id.
///
/// Records are added at the end, which costs nothing; [`Ledger::tidy`] then folds those of one request together.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Sorted by id, each id once.
    tidy: Vec<Record>,
    /// As they came.
    fresh: Vec<Record>,
}

impl Ledger {
    /// Adds a record.
    pub fn add(&mut self, record: &Record) {
        self.fresh.push(*record);
    }

    /// Makes room for so many more.
    pub fn reserve(&mut self, more: usize) {
        self.fresh.reserve(more);
    }

    /// How many, those of one request not yet folded together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tidy.len() + self.fresh.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether each request has one record.
    #[must_use]
    pub fn is_tidy(&self) -> bool {
        self.fresh.is_empty()
    }

    /// Folds the records of one request together.
    pub fn tidy(&mut self, meanings: &impl Meanings) {
        if self.is_tidy() {
            return;
        }
        let fresh = std::mem::take(&mut self.fresh);
        let mut order: Vec<(u64, u32)> = fresh.iter().map(|r| r.id).zip(0..).collect();
        order.sort_unstable();
        let mut sorted: Vec<Record> = Vec::with_capacity(order.len());
        for (_, at) in order {
            let Some(record) = fresh.get(at as usize) else { continue };
            match sorted.last_mut() {
                Some(known) if known.id == record.id => known.fold(record, meanings),
                _ => sorted.push(*record),
            }
        }
        self.join(sorted, |known, other| known.fold(other, meanings));
    }

    /// Takes in other records, sorted by id and each id once. `both` is called for each request that is in both, with the
    /// record that stays first.
    pub fn join(&mut self, others: Vec<Record>, mut both: impl FnMut(&mut Record, &Record)) {
        if self.tidy.is_empty() {
            self.tidy = others;
            return;
        }
        let mine = std::mem::take(&mut self.tidy);
        self.tidy.reserve_exact(mine.len() + others.len());
        let mut others = others.into_iter().peekable();
        for mut record in mine {
            while let Some(other) = others.next_if(|other| other.id < record.id) {
                self.tidy.push(other);
            }
            if let Some(other) = others.next_if(|other| other.id == record.id) {
                both(&mut record, &other);
            }
            self.tidy.push(record);
        }
        self.tidy.extend(others);
    }

    /// What [`Ledger::join`] and then a trim to `keep` leave, without bringing all records together first: a record is among
    /// the earliest or latest of both ledgers only if it is in its own.
    pub fn join_likely(&mut self, others: Vec<Record>, keep: Keep, mut both: impl FnMut(&mut Record, &Record)) {
        let mut others = Self {
            tidy: others,
            fresh: Vec::new(),
        };
        let mut mine = self.tidy.iter_mut().peekable();
        others.tidy.retain(|other| {
            while mine.next_if(|record| record.id < other.id).is_some() {}
            match mine.next_if(|record| record.id == other.id) {
                Some(record) => {
                    both(record, other);
                    false
                }
                None => true,
            }
        });
        self.keep_likely(keep);
        others.keep_likely(keep);
        self.join(others.tidy, &mut both);
        self.keep_likely(keep);
    }

    /// The records of a tidy ledger, sorted by id.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.tidy
    }

    /// Takes the records of a tidy ledger out, sorted by id.
    pub fn drain(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.tidy)
    }

    /// Of a tidy ledger the records most likely to meet a partner.
    #[must_use]
    pub fn likely(&self, keep: Keep) -> Self {
        let judged = self.tidy.iter().zip(self.judge(keep));
        Self {
            tidy: judged.filter(|(_, likely)| *likely).map(|(r, _)| *r).collect(),
            fresh: Vec::new(),
        }
    }

    /// Reduces a tidy ledger to the records most likely to meet a partner, and returns the others, which are settled by that.
    pub fn trim(&mut self, keep: Keep) -> Vec<Record> {
        let judged = self.judge(keep);
        let (mut likely, mut settled) = (Vec::new(), Vec::new());
        for (record, is_likely) in self.drain().into_iter().zip(judged) {
            if is_likely {
                likely.push(record);
            } else {
                settled.push(record);
            }
        }
        self.tidy = likely;
        settled
    }

    /// Reduces a tidy ledger to the records most likely to meet a partner.
    pub fn keep_likely(&mut self, keep: Keep) {
        let mut judged = self.judge(keep).into_iter();
        self.tidy.retain(|_| judged.next().unwrap_or(false));
    }

    /// For each record whether it is kept.
    fn judge(&self, keep: Keep) -> Vec<bool> {
        let mut open: Vec<(i64, u64, usize)> = Vec::new();
        let mut whole: Vec<(i64, u64, usize)> = Vec::with_capacity(self.tidy.len());
        for (at, record) in self.tidy.iter().enumerate() {
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
        let mut kept = vec![false; self.tidy.len()];
        let mut mark = |likely: &[(i64, u64, usize)]| {
            for (_, _, at) in likely {
                if let Some(kept) = kept.get_mut(*at) {
                    *kept = true;
                }
            }
        };
        for (records, head, tail) in [
            (&mut open, keep.open_head, keep.open_tail),
            (&mut whole, keep.head, keep.tail),
        ] {
            let between = records.len().saturating_sub(head + tail);
            if between == 0 {
                mark(records);
                continue;
            }
            let (first, rest) = split(records, head);
            mark(first);
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
    use super::super::table::record::tests::Themselves;
    use super::*;
    use proptest::prelude::*;

    fn ledger(entries: &[(u64, i64, bool)]) -> Ledger {
        let mut ledger = Ledger::default();
        for (id, time, response) in entries {
            let mut record = Record::new(*id, *response);
            record.class = if *response { Class::Response } else { Class::Request };
            (record.first, record.last) = (*time, *time);
            ledger.add(&record);
        }
        ledger.tidy(&Themselves);
        ledger
    }

    fn entries() -> impl Strategy<Value = Vec<(u64, i64, bool)>> {
        prop::collection::vec((0_u64..60, 0_i64..40, any::<bool>()), 0..80)
    }

    proptest! {
        #[test]
        fn joining_the_likely_is_joining_and_trimming(
            a in entries(),
            b in entries(),
            (head, tail, open_head, open_tail) in (0_usize..9, 0_usize..9, 0_usize..9, 0_usize..9),
        ) {
            let keep = Keep { head, tail, open_head, open_tail };
            let fold = |mine: &mut Record, theirs: &Record| mine.fold(theirs, &Themselves);
            let mut plain = ledger(&a);
            plain.join(ledger(&b).drain(), fold);
            let plain = plain.likely(keep);
            let mut quick = ledger(&a);
            quick.join_likely(ledger(&b).drain(), keep, fold);
            prop_assert_eq!(plain.records(), quick.records());
        }
    }

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
            ledger.add(&request);
            if n != 50 {
                ledger.add(&response);
            }
        }
        ledger.tidy(&Themselves);
        assert_eq!(ledger.records().len(), 100);
        let settled = ledger.trim(Keep {
            head: 2,
            tail: 3,
            open_head: 4,
            open_tail: 5,
        });
        assert_eq!(settled.len(), 94);
        let mut left: Vec<u64> = ledger.records().iter().map(|r| r.id).collect();
        left.sort_unstable();
        assert_eq!(left, [0, 1, 50, 97, 98, 99]);
    }
    #[test]
    fn of_too_many_open_ones_those_at_both_ends_are_kept() {
        let mut ledger = Ledger::default();
        for n in 0..100_u32 {
            let mut request = Record::new(u64::from(n), false);
            request.first = i64::from(n);
            request.last = i64::from(n);
            ledger.add(&request);
        }
        ledger.tidy(&Themselves);
        let kept = ledger.likely(Keep {
            head: 0,
            tail: 0,
            open_head: 2,
            open_tail: 3,
        });
        let kept: Vec<u64> = kept.records().iter().map(|r| r.id).collect();
        assert_eq!(kept, [0, 1, 97, 98, 99]);
    }
}
