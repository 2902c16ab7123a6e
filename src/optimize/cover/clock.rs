//! What bounds and steers a search: the time that is left, and chance that repeats for a seed.

use std::time::{Duration, Instant};

/// The moment at which a search has to end.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Nothing where the limit is too far away to be a moment.
    deadline: Option<Instant>,
}

impl Clock {
    /// A clock that is over in `limit` from now.
    pub fn new(limit: Duration) -> Self {
        Self {
            deadline: Instant::now().checked_add(limit),
        }
    }

    /// Whether the time is up.
    pub fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// How much time is left.
    pub fn left(&self) -> Duration {
        self.deadline.map_or(Duration::MAX, |deadline| {
            deadline.saturating_duration_since(Instant::now())
        })
    }
}

/// A small generator (SplitMix64): equal seeds, equal numbers, on every machine.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The generator of one purpose: different streams of a seed don't repeat each other.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self { state: seed };
        random.state = random.next() ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03);
        random
    }

    /// A generator of its own for some part of the work.
    pub fn fork(&mut self) -> Self {
        Self { state: self.next() }
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number of at least 0 and below 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// An index below `count`, which is above 0.
    pub fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.next()) * count as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_repeats_and_stays_in_range() {
        let mut first = Random::new(7, 1);
        let mut again = Random::new(7, 1);
        let mut other = Random::new(7, 2);
        let numbers: Vec<u64> = (0..5).map(|_| first.next()).collect();
        assert_eq!(numbers, (0..5).map(|_| again.next()).collect::<Vec<_>>());
        assert_ne!(numbers[0], other.next());
        for _ in 0..1000 {
            assert!((0.0..1.0).contains(&first.unit()));
            assert!(first.below(3) < 3);
        }
    }

    #[test]
    fn a_limit_beyond_time_is_never_over() {
        assert!(!Clock::new(Duration::MAX).is_over());
        assert!(Clock::new(Duration::ZERO).is_over());
    }
}
