//! How fast what is new becomes rarer: for each kind by itself, and like all where a kind tells little.
#![allow(
    clippy::indexing_slicing,
    reason = "INVARIANT: cumulated ages are indexed up to the length they were made with; steps of the grid by a clamped number"
)]

use std::collections::{BTreeMap, HashMap};

/// Sums of `age ^ -fade` for ages from one.
pub(super) struct Fade(Vec<f64>);

impl Fade {
    fn new(fade: f64, most: usize) -> Self {
        let mut sums = Vec::with_capacity(most + 1);
        let mut sum = 0.0;
        sums.push(0.0);
        for age in 1..=most {
            sum += (age as f64).powf(-fade);
            sums.push(sum);
        }
        Self(sums)
    }

    /// Over ages after `from` up to `to`.
    pub(super) fn between(&self, from: i32, to: i32) -> f64 {
        let at = |age: i32| self.0[(age.max(0) as usize).min(self.0.len() - 1)];
        (at(to) - at(from)).max(0.0)
    }
}

/// Births in the second and in the last third of the past, and the days on which they could come.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Halves {
    /// Births.
    pub(super) born: (f64, f64),
    /// Days.
    pub(super) days: (f64, f64),
}

impl Halves {
    fn add(&mut self, more: &Self) {
        self.born = (self.born.0 + more.born.0, self.born.1 + more.born.1);
        self.days = (self.days.0 + more.days.0, self.days.1 + more.days.1);
    }

    /// The fade that these tell of, if so many births more had come as they do with another fade.
    fn fitted(&self, few: f64, other: f64, ages: (f64, f64)) -> f64 {
        let share = (self.days.0 * ages.0.powf(-other), self.days.1 * ages.1.powf(-other));
        let whole = share.0 + share.1;
        if whole <= 0.0 || self.days.0 <= 0.0 || self.days.1 <= 0.0 {
            return other;
        }
        let early = (self.born.0 + few * share.0 / whole) / self.days.0;
        let late = (self.born.1 + few * share.1 / whole) / self.days.1;
        let slope = (early / late).ln() / (ages.1 / ages.0).max(1.01).ln();
        slope.clamp(0.0, 1.0)
    }
}

/// So many births more count for each kind, come as they do everywhere: few of its own tell little.
const FEW: f64 = 4.0;
/// Fades are told apart in so many steps.
const STEPS: f64 = 20.0;

/// How fast births fade, by kind.
pub(super) struct Fades {
    /// By step, from none to `1 / age`.
    steps: Vec<Fade>,
    all: f64,
    kinds: HashMap<u64, f64>,
}

impl Fades {
    /// Learns from the halves of each kind; `ages` are those in the middle of them, `most` is the greatest age that is asked for.
    pub(super) fn learn(list: impl Iterator<Item = (u64, Halves)>, ages: (f64, f64), most: usize) -> Self {
        let mut sums: BTreeMap<u64, Halves> = BTreeMap::new();
        let mut whole = Halves::default();
        for (kind, halves) in list {
            sums.entry(kind).or_default().add(&halves);
            whole.add(&halves);
        }
        let all = whole.fitted(FEW, 0.0, ages);
        Self {
            steps: (0..=STEPS as u32)
                .map(|step| Fade::new(f64::from(step) / STEPS, most))
                .collect(),
            all,
            kinds: sums
                .into_iter()
                .map(|(kind, halves)| (kind, halves.fitted(FEW, all, ages)))
                .collect(),
        }
    }

    /// Of a kind.
    pub(super) fn of(&self, kind: u64) -> &Fade {
        self.step(self.kinds.get(&kind).copied().unwrap_or(self.all))
    }

    /// Of all.
    pub(super) fn whole(&self) -> &Fade {
        self.step(self.all)
    }

    fn step(&self, fade: f64) -> &Fade {
        &self.steps[(fade.clamp(0.0, 1.0) * STEPS).round() as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGES: (f64, f64) = (45.0, 75.0);

    fn halves(early: f64, late: f64) -> Halves {
        Halves {
            born: (early, late),
            days: (30.0, 30.0),
        }
    }

    fn half(fade: &Fade) -> f64 {
        fade.between(80, 81) / fade.between(40, 41)
    }

    #[test]
    fn what_comes_every_week_does_not_fade_beside_what_does() {
        let list = [(1, halves(5.0, 5.0)), (2, halves(60.0, 30.0)), (2, halves(60.0, 30.0))];
        let found = Fades::learn(list.into_iter(), AGES, 200);
        assert!(half(found.of(1)) > 0.8, "steady: {}", half(found.of(1)));
        assert!(half(found.of(2)) < 0.6, "fading: {}", half(found.of(2)));
    }

    #[test]
    fn a_kind_that_tells_nothing_is_like_all() {
        let list = [(1, halves(0.0, 0.0)), (2, halves(60.0, 45.0))];
        let found = Fades::learn(list.into_iter(), AGES, 200);
        assert!((half(found.of(1)) - half(found.whole())).abs() < 1e-9);
        assert!((half(found.of(9)) - half(found.whole())).abs() < 1e-9);
    }
}
