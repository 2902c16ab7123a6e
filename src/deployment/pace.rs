//! How fast a server may be asked: the rate that the user allows, and the rests that the server asks for. Shared by all
//! workers, so that one told to slow down slows them all.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Requests a second, and how many may come at once after a quiet time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Requests a second.
    pub per_second: f64,
    /// Requests at once.
    pub burst: u32,
}

impl Rate {
    /// `RATE` or `RATE:BURST`, as the servers' own command lines take it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (rate, burst) = text.trim().split_once(':').unwrap_or((text.trim(), ""));
        let per_second: f64 = rate.parse().ok()?;
        let burst = match burst {
            "" => 1,
            number => number.parse().ok()?,
        };
        (per_second.is_finite() && per_second > 0.0 && burst > 0).then_some(Self { per_second, burst })
    }
}

/// Gives each request the moment from which it may be sent.
#[derive(Debug)]
pub struct Pace {
    rate: Option<Rate>,
    /// When the next request is due, if they came evenly.
    due: Mutex<Option<Instant>>,
    /// Nothing is sent before.
    rest_until: Mutex<Option<Instant>>,
}

impl Pace {
    /// A pace of this rate, or as fast as it goes.
    #[must_use]
    pub fn new(rate: Option<Rate>) -> Self {
        Self {
            rate,
            due: Mutex::new(None),
            rest_until: Mutex::new(None),
        }
    }

    /// How long the next request has to wait, seen from `now`.
    pub fn wait(&self, now: Instant) -> Duration {
        let rest = *self.rest_until.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = rest.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let Some(rate) = self.rate else { return rest };
        let interval = Duration::try_from_secs_f64(1.0 / rate.per_second).unwrap_or(Duration::MAX);
        let allowance = interval.saturating_mul(rate.burst - 1);
        let mut slot = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        // A quiet time saves up at most a burst.
        let earliest = now.checked_sub(allowance).unwrap_or(now);
        let due = slot.map_or(earliest, |at| at.max(earliest));
        *slot = due.checked_add(interval);
        rest.max(due.saturating_duration_since(now))
    }

    /// Nobody sends for so long.
    pub fn rest(&self, now: Instant, pause: Duration) {
        let mut slot = self.rest_until.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = (*slot).max(now.checked_add(pause));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_as_people_write_them() {
        let rate = |per_second, burst| Some(Rate { per_second, burst });
        for (text, want) in [
            ("10", rate(10.0, 1)),
            (" 0.5:4 ", rate(0.5, 4)),
            ("0", None),
            ("fast", None),
            ("1:0", None),
            ("1:x", None),
            ("-1", None),
            ("inf", None),
        ] {
            assert_eq!(Rate::parse(text), want, "{text}");
        }
    }

    #[test]
    fn a_burst_then_even_steps() {
        let pace = Pace::new(Rate::parse("10:3"));
        let now = Instant::now() + Duration::from_secs(60);
        let waits: Vec<u128> = (0..6).map(|_| pace.wait(now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 300]);
        let later = now + Duration::from_secs(60);
        let waits: Vec<u128> = (0..4).map(|_| pace.wait(later).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100], "a quiet time saves up one burst, not more");
    }

    #[test]
    fn one_rest_is_for_all() {
        let pace = Pace::new(None);
        let now = Instant::now();
        assert_eq!(pace.wait(now), Duration::ZERO);
        pace.rest(now, Duration::from_secs(3));
        pace.rest(now, Duration::from_secs(1));
        assert_eq!(pace.wait(now), Duration::from_secs(3));
        assert_eq!(pace.wait(now + Duration::from_secs(4)), Duration::ZERO);
    }
}
