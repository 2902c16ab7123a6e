//! The stretch of time that was asked for.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// From when to when entries were wanted; an open end is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
}

impl Window {
    /// The window of `--since`, `--until` and `--window`, the length of which counts back from `until` or else from `now`.
    /// Of two starts the later one holds.
    #[must_use]
    pub fn new(
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        length: Option<SignedDuration>,
        now: Timestamp,
    ) -> Self {
        let back = length.and_then(|length| until.unwrap_or(now).checked_sub(length).ok());
        Self {
            since: since.max(back),
            until,
        }
    }

    /// Whether nothing was asked for.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    /// The window that covers both: what a merge of two parts was asked for.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            since: self.since.zip(other.since).map(|(a, b)| a.min(b)),
            until: self.until.zip(other.until).map(|(a, b)| a.max(b)),
        }
    }

    /// The bounds in nanoseconds since 1970, both inclusive.
    #[must_use]
    pub fn nanos(&self) -> (i64, i64) {
        let nanos = |t: Timestamp| i64::try_from(t.as_nanosecond()).ok();
        (
            self.since.and_then(nanos).unwrap_or(i64::MIN),
            self.until.and_then(nanos).unwrap_or(i64::MAX),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_counts_back_from_the_end() {
        let at = |text: &str| text.parse::<Timestamp>().ok();
        let now = Timestamp::UNIX_EPOCH;
        let day = SignedDuration::from_hours(24);
        let window = Window::new(None, at("2026-03-02T00:00:00Z"), Some(day), now);
        assert_eq!(window.since, at("2026-03-01T00:00:00Z"));
        let window = Window::new(None, None, Some(day), now);
        assert_eq!(window.since, at("1969-12-31T00:00:00Z"));
        let later = Window::new(at("1969-12-31T12:00:00Z"), None, Some(day), now);
        assert_eq!(later.since, at("1969-12-31T12:00:00Z"));
        assert!(Window::default().union(later).is_open());
    }
}
