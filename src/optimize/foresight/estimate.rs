//! All that is expected of a list of units, how far such estimates can be trusted, and what a choice promises.
//!
//! Estimates are raised by how far they were off at earlier days. A promise scatters by three things: new needs are used again and
//! again; what is alike comes or stays away together; and there may always come what never came.

use super::births::{Missed, Unit};
use super::choice::{self, Choice, Chosen, Limits};
use super::forecast::{Expected, forecast};
use super::interval::Spread;
use super::origin::{Checked, Origin, origins};
use std::collections::BTreeMap;

/// How far off estimates are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Off {
    /// By which factor.
    pub factor: f64,
    /// How much that scatters (its standard deviation, in means).
    pub scatter: f64,
}

/// Expectations of units.
pub struct Estimate {
    /// By unit.
    pub expected: Vec<Expected>,
    /// How far off they are.
    pub off: Off,
    /// Earlier days.
    origins: Vec<Origin>,
    /// What one place more is worth, in what stays open.
    piece: f64,
}

/// The scatter that is common to all estimates: what it is at least, and at most.
const COMMON: (f64, f64) = (0.6, 1.0);
/// The scatter that is common to all that is alike, however well its rate is known: what came for months may stop for good.
const ALIKE: f64 = 1.5;

impl Estimate {
    /// Looks `horizon` days ahead from the end of the past; earlier days tell how far off that is, as if nothing had been missed.
    #[must_use]
    pub fn new(units: &[Unit], missed: &[Missed], (end, horizon): (i32, i32), piece: f64) -> Self {
        let origins = origins(units, end, horizon);
        Self {
            expected: forecast(units, missed, end, horizon),
            off: off(&origins, units, piece),
            origins,
            piece,
        }
    }

    /// The same where it is known how far off estimates are.
    #[must_use]
    pub fn known(units: &[Unit], (end, horizon): (i32, i32), piece: f64, off: Off) -> Self {
        Self {
            expected: forecast(units, &[], end, horizon),
            off,
            origins: Vec::new(),
            piece,
        }
    }

    /// The forms that leave the least open within the limits.
    #[must_use]
    pub fn within(&self, units: &[Unit], limits: Limits) -> Choice {
        let limits = Limits {
            budget: limits.budget / self.off.factor,
            each: limits.each / self.off.factor,
            worth: limits.worth * self.off.factor,
        };
        let mut found = choice::within(units, &self.expected, self.piece, limits);
        found.denied *= self.off.factor;
        found
    }

    /// What some of the units are expected to cost in their forms.
    #[must_use]
    pub fn spread<'a>(&self, list: impl Iterator<Item = (&'a Unit, &'a Chosen, &'a Expected)>) -> Spread {
        let mut spread = Spread::default();
        let mut alike: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
        for (unit, chosen, expected) in list {
            let denied = chosen.denied * self.off.factor;
            spread.mean += denied;
            spread.own += denied * (2.0 * expected.burst - 1.0).max(1.0);
            let group = alike.entry(unit.nearest()).or_default();
            *group = (group.0 + denied, group.1.max(expected.known));
        }
        if spread.mean > 0.0 {
            // Half a first use more than was counted: nothing is known for sure never to come.
            let of_group = |(denied, known): &(f64, f64)| {
                let share = denied / spread.mean;
                share * share * (ALIKE * ALIKE + 1.0 / (known + 0.5))
            };
            let groups: f64 = alike.values().map(of_group).sum();
            spread.common = (self.off.scatter * self.off.scatter + groups).sqrt();
        }
        spread
    }

    /// What the same choice at earlier days of the past promised, and what came; the longest look ahead first.
    #[must_use]
    pub fn checked(&self, units: &[Unit], price: f64) -> Vec<(i32, Checked)> {
        let check = |o: &Origin| (o.end - o.at, o.check(units, price, self.piece));
        self.origins.iter().map(check).collect()
    }
}

impl Off {
    /// Where no earlier day tells.
    #[must_use]
    pub const fn unknown() -> Self {
        Self {
            factor: 1.0,
            scatter: COMMON.1,
        }
    }
}

/// How far off the estimates were at earlier days, over prices: the middle factor, and how much factors scatter.
fn off(origins: &[Origin], units: &[Unit], piece: f64) -> Off {
    /// So many wrong denials more on both sides, so that few of them say little.
    const FEW: f64 = 10.0;
    let mut factors: Vec<f64> = Vec::new();
    for power in 0..6 {
        for origin in origins {
            let found = origin.check(units, 10_f64.powi(power), piece);
            // Where nothing was chosen nothing is learned.
            if found.promised + found.denied < 1.0 {
                continue;
            }
            factors.push((found.denied + FEW) / (found.promised + FEW));
        }
    }
    factors.sort_by(f64::total_cmp);
    let Some(middle) = factors.get(factors.len() / 2).copied() else {
        return Off::unknown();
    };
    let squares: f64 = factors.iter().map(|f| (f / middle).ln().powi(2)).sum();
    let scatter = (squares / factors.len() as f64).sqrt();
    Off {
        factor: middle.clamp(0.8, 3.0),
        scatter: (COMMON.0 + scatter / 2.0).min(COMMON.1),
    }
}

#[cfg(test)]
mod tests {
    use super::super::births::Place;
    use super::super::choice::Form;
    use super::*;
    use proptest::prelude::*;

    fn dropped(like: u64, denied: f64, known: f64) -> (Unit, Chosen, Expected) {
        let unit = Unit {
            likes: vec![like],
            ..Unit::default()
        };
        let chosen = Chosen {
            form: Form::Drop,
            open: 0.0,
            denied,
        };
        let expected = Expected {
            drop: Some(denied),
            burst: 1.0,
            known,
            ..Expected::default()
        };
        (unit, chosen, expected)
    }

    fn promise(list: &[(Unit, Chosen, Expected)]) -> Spread {
        let off = Off {
            factor: 1.0,
            scatter: COMMON.0,
        };
        let nothing = Estimate::known(&[], (90, 60), 0.0, off);
        nothing.spread(list.iter().map(|(u, c, e)| (u, c, e)))
    }

    #[test]
    fn a_promise_that_hangs_on_one_kind_may_come_to_nothing_and_one_of_many_does_not() {
        let one = promise(&[dropped(1, 60.0, 40.0)]);
        let many: Vec<_> = (0..20).map(|like| dropped(like, 3.0, 40.0)).collect();
        let many = promise(&many);
        assert!((one.mean - many.mean).abs() < 1e-9);
        assert_eq!(one.interval().0, 0.0);
        assert!(many.interval().0 >= 3.0, "{:?}", many.interval());
        assert!(many.interval().1 < one.interval().1);
    }

    #[test]
    fn a_rate_that_few_told_scatters_more() {
        assert!(promise(&[dropped(1, 10.0, 0.0)]).common > promise(&[dropped(1, 10.0, 30.0)]).common);
    }

    #[test]
    fn earlier_days_raise_what_was_too_little() {
        // Nothing new in the first sixty days; then a new path every day, below each of many.
        let unit = |shift: i32| {
            let leaf = |day: i32| Place {
                parent: Some(0),
                depth: 1,
                open: 0.0,
                first: day,
                uses: (day..90).map(|d| (d, 1)).collect(),
            };
            let mut places = vec![Place {
                parent: None,
                depth: 0,
                open: 100.0,
                first: 0,
                uses: Vec::new(),
            }];
            places.push(leaf(0));
            places.extend((62 + shift..90).map(leaf));
            Unit {
                likes: vec![7],
                places,
                open: 100.0,
                narrows: true,
                free: true,
                ..Unit::default()
            }
        };
        let units: Vec<Unit> = (0..6).map(unit).collect();
        let found = Estimate::new(&units, &[], (90, 60), 5.0);
        assert!(found.off.factor > 1.5, "{:?}", found.off);
    }

    proptest! {
        #[test]
        fn what_is_promised_lies_within_its_interval_and_no_order_matters(
            list in prop::collection::vec((0_u64..4, 1_u32..200, 0_u32..9), 1..12),
        ) {
            let list: Vec<_> = list.into_iter().map(|(like, denied, known)| dropped(like, f64::from(denied) / 10.0, f64::from(known))).collect();
            let found = promise(&list);
            let (low, high) = found.interval();
            prop_assert!(low <= found.mean && found.mean.floor() <= high, "{found:?}: {low} to {high}");
            prop_assert!(high <= 4.0 * found.mean + 10.0);
            let turned: Vec<_> = list.iter().rev().cloned().collect();
            prop_assert!((promise(&turned).common - found.common).abs() < 1e-9);
        }
    }
}
