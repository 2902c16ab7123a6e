//! What bounds a search: the time that is left.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_beyond_time_is_never_over() {
        assert!(!Clock::new(Duration::MAX).is_over());
        assert!(Clock::new(Duration::ZERO).is_over());
    }
}
