//! Lines that are no entry, and show that one was there.

use super::{Found, MOST_PLACES, Outside, Reading};
use crate::ingest::header;
use crate::usage::Skip;

/// By so much of a line it is told whether it begins as an entry does.
const LONGEST_BEGINNING: usize = 16;

impl Reading<'_> {
    /// What has nothing that an entry does not have, or nothing at all: left of an entry where entries stand, and of nothing where
    /// none do. Whether any does is known at the end of the log at the latest.
    pub(super) fn left(&mut self, outside: Outside<'_>) -> Found {
        let place = outside.place;
        if self.stream.stood(place) {
            return Found::Nothing(Skip::Unsaid);
        }
        if outside.doubtful || (self.stream.left.len() >= MOST_PLACES && !self.stream.left.contains_key(place)) {
            return Found::Nothing(Skip::NotAudit);
        }
        let line = self.stream.lines;
        let (_, count) = self.stream.left.entry(place.to_vec()).or_insert((line, 0));
        *count += 1;
        Found::Done
    }

    /// The log ends: what may be left of entries is, where some stood after it.
    pub(super) fn settle_what_is_left(&mut self) {
        for (place, (line, count)) in std::mem::take(&mut self.stream.left) {
            self.stream.lines = line;
            let is_left = self.stream.stood(&place);
            self.bin(if is_left { Skip::Unsaid } else { Skip::NotAudit }, count);
        }
    }

    /// Whether a line says that entries are lost: so many, or, among entries, one.
    pub(super) fn says_that_entries_are_lost(&self, text: &[u8]) -> bool {
        header::says_that_entries_are_lost(text)
            || (!self.stream.stood.is_empty() && header::says_an_entry_is_gone(text))
    }

    /// Whether a line that is no entry shows that it was one, or a part of one, or may be anything: its beginning is lost, it is no
    /// JSON any more, it stands where no other does, or it is no text (encrypted, compressed, lost when a disk failed). The first line may be the end of one from before the log.
    pub(super) fn is_part_of_entry(&self, raw: &[u8], reason: Skip) -> bool {
        if header::is_no_text(raw) {
            return true;
        }
        if self.stream.lines <= 1 || (self.stream.is_torn() && !header::is_more_than_a_rest(raw)) {
            return false;
        }
        let marks = header::MARKS_OF_ENTRIES.iter();
        let marks = marks
            .filter(|mark| memchr::memmem::find(raw, mark).is_some())
            .take(2)
            .count();
        let dense: Vec<u8> = raw
            .iter()
            .copied()
            .filter(|c| *c != b' ')
            .take(LONGEST_BEGINNING)
            .collect();
        let begins = header::BEGINNINGS_OF_ENTRIES
            .iter()
            .any(|begin| dense.starts_with(begin));
        let hidden = || {
            let inner = header::from_base64(raw);
            inner.is_some_and(|inner| header::tells_of_a_request(&inner) || header::is_no_text(&inner))
        };
        marks > usize::from(reason == Skip::NotAudit)
            || (begins && reason == Skip::NotJson)
            || header::tells_of_a_request(raw)
            || hidden()
    }
}
