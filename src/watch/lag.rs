//! For how long the oldest of what is not in the usage yet has waited.
//!
//! A log that is always written to always has something that is not committed, so that "behind since" says nothing. Instead it
//! is noted how far the logs went when they were looked at; what lies between two notes has waited since the second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Notes closer together than this are one, of the earlier time.
const GRAIN: Duration = Duration::from_millis(250);

/// What waits, and since when.
#[derive(Debug, Default)]
pub struct Lag {
    /// The bytes that were known to be there, all told, and since when; both ascend.
    notes: VecDeque<(u64, Instant)>,
    /// The bytes that are in the usage.
    done: u64,
}

impl Lag {
    /// `read` bytes were read since the start, and the logs are known to hold `unread` more; `behind` tells whether there may be
    /// more than that.
    pub fn see(&mut self, read: u64, unread: u64, behind: bool, now: Instant) {
        if !behind && read == self.done {
            self.notes.clear();
            return;
        }
        let there = read + unread;
        // A file that was cut holds less than was noted.
        let mut since = now;
        while let Some((known, then)) = self.notes.back().copied()
            && known > there
        {
            self.notes.pop_back();
            since = then;
        }
        let known = self.notes.back().map_or(self.done, |(there, _)| *there);
        if there > known {
            match self.notes.back_mut() {
                Some((known, then)) if since.duration_since(*then) < GRAIN => *known = there,
                _ => self.notes.push_back((there, since)),
            }
        } else if behind && self.notes.is_empty() {
            self.notes.push_back((there, since));
        }
    }

    /// All of the `read` bytes are in the usage. With `packed` a compressed file is being read, of which nothing tells how much
    /// is left: then what waited still waits.
    pub fn commit(&mut self, read: u64, behind: bool, packed: bool) {
        self.done = read;
        if !behind {
            self.notes.clear();
        }
        while !packed && self.notes.front().is_some_and(|(there, _)| *there <= read) {
            self.notes.pop_front();
        }
    }

    /// Since when the oldest has waited; none where nothing does.
    #[must_use]
    pub fn since(&self) -> Option<Instant> {
        self.notes.front().map(|(_, since)| *since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_log_that_never_rests_is_as_late_as_its_oldest_entry() {
        let start = Instant::now();
        let mut waiting = Lag::default();
        for second in 0..100 {
            waiting.see(second * 10, 10, true, at(start, second));
            waiting.commit(second * 10, true, false);
            assert_eq!(waiting.since(), Some(at(start, second)), "{second}");
        }
        waiting.commit(1000, false, false);
        assert_eq!(waiting.since(), None);
    }

    #[test]
    fn what_came_at_once_waits_until_all_of_it_is_in() {
        let start = Instant::now();
        let mut waiting = Lag::default();
        waiting.see(0, 1000, true, start);
        for second in 1..10 {
            waiting.see(second * 100, 1000 - second * 100, true, at(start, second));
            waiting.commit(second * 100, true, false);
            assert_eq!(waiting.since(), Some(start));
        }
        waiting.see(1000, 5, true, at(start, 10));
        waiting.commit(1000, true, false);
        assert_eq!(waiting.since(), Some(at(start, 10)), "only what came later is left");
    }

    #[test]
    fn what_was_read_waits_for_its_commit() {
        let start = Instant::now();
        let mut waiting = Lag::default();
        waiting.see(7, 0, false, start);
        assert_eq!(waiting.since(), Some(start));
        waiting.commit(7, false, false);
        assert_eq!(waiting.since(), None);
    }

    #[test]
    fn a_file_that_was_cut_holds_nobody_up() {
        let start = Instant::now();
        let mut waiting = Lag::default();
        waiting.see(0, 1000, true, start);
        waiting.see(400, 5, true, at(start, 1));
        waiting.commit(405, true, false);
        assert_eq!(waiting.since(), None);
        waiting.see(405, 3, false, at(start, 2));
        assert_eq!(
            waiting.since(),
            None,
            "a line without its end waits for its writer, not for us"
        );
    }

    #[test]
    fn a_compressed_file_waits_until_its_end() {
        let start = Instant::now();
        let mut waiting = Lag::default();
        waiting.see(0, 0, true, start);
        waiting.see(50, 0, true, at(start, 5));
        waiting.commit(50, true, true);
        assert_eq!(waiting.since(), Some(start));
        waiting.commit(90, false, false);
        assert_eq!(waiting.since(), None);
    }
}
