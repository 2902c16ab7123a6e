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
        let expected = forecast(units, missed, end, horizon);
        Self::of(expected, origins(units, end, horizon), units, piece)
    }

    /// Of what is expected, with earlier days that tell how far off it is.
    fn of(expected: Vec<Expected>, origins: Vec<Origin>, units: &[Unit], piece: f64) -> Self {
        Self {
            expected,
            off: off(&origins, units, piece),
            origins,
            piece,
        }
    }

    /// The same where it is known how far off estimates are.
    #[must_use]
    pub fn known(units: &[Unit], missed: &[Missed], (end, horizon): (i32, i32), piece: f64, off: Off) -> Self {
        Self {
            expected: forecast(units, missed, end, horizon),
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

    /// What would have been chosen at the earliest of these days, with limits for the uses that were expected then, how it was promised,
    /// and what came of it; none where there is no earlier day.
    #[must_use]
    pub fn on_own_past(&self, units: &[Unit], limits: impl Fn(f64) -> Limits) -> Option<Tried> {
        let origin = self.origins.first()?;
        let days = origin.end - origin.at;
        let seen = units.iter().filter_map(|unit| unit.counts(origin.at).first().copied());
        let seen: f64 = seen.map(f64::from).sum();
        // Nothing that was seen later.
        let before = origins(units, origin.at, days);
        let then = Self::of(origin.expected.clone(), before, units, self.piece);
        let choice = then.within(units, limits(seen * f64::from(days) / f64::from(origin.at.max(1))));
        let formed = units.iter().zip(&choice.chosen).zip(&then.expected);
        let promised = then.spread(formed.map(|((unit, chosen), expected)| (unit, chosen, expected)));
        Some(Tried {
            days,
            promised,
            came: origin.tried(units, &choice.chosen),
        })
    }
}

/// What came of a choice that was made at an earlier day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried {
    /// So many days before the end of the past.
    pub days: i32,
    /// What it promised.
    pub promised: Spread,
    /// What came.
    pub came: Checked,
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
        let nothing = Estimate::known(&[], &[], (90, 60), 0.0, off);
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

    /// Six units in use from the first day on, to which a new path comes on each of these days, and on each is used for good.
    fn growing(days: impl Fn(i32) -> std::ops::Range<i32>) -> Vec<Unit> {
        let leaf = |day: i32| Place {
            parent: Some(0),
            depth: 1,
            open: 0.0,
            first: day,
            uses: (day..90).map(|d| (d, 1)).collect(),
        };
        let unit = |shift: i32| {
            let mut places = vec![Place {
                parent: None,
                depth: 0,
                open: 100.0,
                first: 0,
                uses: Vec::new(),
            }];
            places.push(leaf(0));
            places.extend(days(shift).map(leaf));
            Unit {
                likes: vec![7],
                places,
                open: 100.0,
                narrows: true,
                free: true,
                ..Unit::default()
            }
        };
        (0..6).map(unit).collect()
    }

    #[test]
    fn earlier_days_raise_what_was_too_little() {
        // Nothing new in the first sixty days; then a new path every day, below each of many.
        let found = Estimate::new(&growing(|shift| 62 + shift..90), &[], (90, 60), 5.0);
        assert!(found.off.factor > 1.5, "{:?}", found.off);
    }

    #[test]
    fn what_an_earlier_day_would_have_chosen_keeps_to_its_budget() {
        // New paths until the fortieth day: to close what is around them costs little today, and cost much then.
        let units = growing(|shift| 20..34 + shift);
        let found = Estimate::new(&units, &[], (90, 60), 5.0);
        let limits = |uses: f64| Limits {
            budget: uses / 10.0,
            each: 1e9,
            worth: 0.0,
        };
        let today = found.within(&units, limits(5000.0));
        let tried = found.on_own_past(&units, limits).unwrap();
        assert!(today.open < 600.0, "something goes today: {today:?}");
        assert_eq!(tried.days, 30);
        assert!(tried.promised.mean <= tried.came.uses / 10.0, "{tried:?}");
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
