//! The interval that holds what comes nine times of ten.
//!
//! Wrong denials come in bursts (one new need is used again and again), and what makes needs (a project, a season) makes many at
//! once. So a count scatters more than a Poisson count: by the size of bursts, and by factors common to what is alike and to all,
//! whose spread is learned from how much is known of each and from how far earlier estimates were off.

/// A mean with what scatters it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// Variance of counts by themselves, bursts included.
    pub own: f64,
    /// Spread of what is common (its standard deviation, in means).
    pub common: f64,
}

impl Spread {
    /// Both together: bursts are apart from each other, what makes needs is common.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mean = self.mean + other.mean;
        let common = self.common * self.mean + other.common * other.mean;
        Self {
            mean,
            own: self.own + other.own,
            common: if mean > 0.0 { common / mean } else { 0.0 },
        }
    }

    /// From the 5th to the 95th of a hundred, by a negative binomial of that mean and variance.
    #[must_use]
    pub fn interval(&self) -> (f64, f64) {
        let variance = self.own.max(self.mean) + (self.common * self.mean).powi(2);
        let high = quantile(self.mean, variance, 0.95);
        // An interval wider than this tells nothing to go by.
        (quantile(self.mean, variance, 0.05), high.min(4.0 * self.mean + 10.0))
    }
}

/// The least count at which the distribution function reaches `share`.
fn quantile(mean: f64, variance: f64, share: f64) -> f64 {
    if mean <= 0.0 {
        return 0.0;
    }
    let shape = mean * mean / (variance - mean).max(mean * 1e-3);
    let p = shape / (shape + mean);
    let mut sum = 0.0;
    let most = (mean + 12.0 * variance.sqrt() + 20.0).min(5e6);
    let mut n = 0.0;
    let mut log = shape * p.ln();
    while n < most {
        sum += log.exp();
        if sum >= share {
            return n;
        }
        log += ((n + shape) / (n + 1.0)).ln() + (1.0 - p).ln();
        n += 1.0;
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poisson_count_of_ten_lies_between_five_and_fifteen() {
        let spread = Spread {
            mean: 10.0,
            own: 10.0,
            common: 0.0,
        };
        assert_eq!(spread.interval(), (5.0, 15.0));
    }

    #[test]
    fn what_scatters_more_has_the_wider_interval() {
        let at = |common| {
            Spread {
                mean: 40.0,
                own: 80.0,
                common,
            }
            .interval()
        };
        assert!(at(0.5).0 < at(0.1).0 && at(0.5).1 > at(0.1).1);
    }
}
