//! What may have been lost: lines that could not be read, and requests of which no entry is there.

use super::count::Counts;
use super::{AuthId, Table};
use crate::usage::demand::Lost;
use crate::usage::tally::Skip;
use std::sync::Arc;

impl Table {
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
}
