//! The past that is learned from, and what all that is learned of it shares: what is alike, and what lies ahead.

use super::births::Unit;
use super::fade::Fade;
use super::pool::Entry;
use std::collections::{BTreeMap, HashMap};

/// Units as they were seen until a day, and for how many days after it something is expected of them.
#[derive(Clone, Copy)]
pub(super) struct Past<'u> {
    pub(super) units: &'u [Unit],
    pub(super) until: i32,
    pub(super) horizon: i32,
}

impl Past<'_> {
    /// The day before which births are not told apart from what was there before the past began.
    pub(super) const fn burn(self) -> i32 {
        self.until / 3
    }

    /// The day at which the rest of the past has two halves.
    pub(super) const fn middle(self) -> i32 {
        self.burn() * 2
    }

    /// The ages in the middle of these halves.
    pub(super) fn ages(self) -> (f64, f64) {
        let middle = self.middle();
        (
            f64::from(self.burn() + middle) / 2.0,
            f64::from(middle + self.until) / 2.0,
        )
    }

    /// The greatest age that is asked for.
    pub(super) fn most(self) -> usize {
        usize::try_from(self.until + self.horizon + 2).unwrap_or(2)
    }

    /// The uses that followed the first one of a unit, and the days on which they could come.
    pub(super) fn follows(self, unit: &Unit) -> Option<(f64, f64)> {
        unit.follows(self.until, self.horizon).first().copied()
    }

    /// What is expected of something that is used so often a day from some day of the horizon on, its first use included.
    pub(super) fn burst(self, again: f64) -> f64 {
        1.0 + again * f64::from(self.horizon) / 2.0
    }

    /// Uses on what is born in the horizon, each from its birth to the end of it. `once`: only the first birth counts.
    pub(super) fn ahead(self, rate: f64, again: f64, fade: &Fade, age: i32, once: bool) -> f64 {
        let mut sum = 0.0;
        let mut left = 1.0;
        for day in 0..self.horizon {
            let mut born = rate * fade.between(age + day, age + day + 1);
            if once {
                born = born.min(1.0) * left;
                left -= born;
            }
            sum += born * (1.0 + again * f64::from(self.horizon - 1 - day));
        }
        sum
    }

    /// What was in use from the beginning as evidence of how often something new of its like is used again: a little of it, and never
    /// more than one newcomer that was watched for a horizon.
    pub(super) fn established(self, sums: BTreeMap<&[u64], (f64, f64)>) -> Vec<Entry> {
        let part = |days: f64| ESTABLISHED.min(f64::from(self.horizon) / days.max(1.0));
        sums.into_iter()
            .map(|(groups, (uses, days))| Entry {
                groups: groups.to_vec(),
                count: uses * part(days),
                exposure: days * part(days),
            })
            .collect()
    }
}

/// How much what was in use from the beginning tells of how often something new of its like is used again, against what was new
/// itself: what is found early is what is used most. Of what is not alike it tells nothing ([`Past::established`]).
const ESTABLISHED: f64 = 0.05;

/// Sums of what is alike, by key.
#[derive(Default)]
pub(super) struct Alike(HashMap<u64, (f64, f64)>);

impl Alike {
    pub(super) fn add(&mut self, key: u64, count: f64, exposure: f64) {
        let sum = self.0.entry(key).or_default();
        *sum = (sum.0 + count, sum.1 + exposure);
    }

    pub(super) fn of(&self, key: u64) -> (f64, f64) {
        self.0.get(&key).copied().unwrap_or_default()
    }
}

/// What a place is like in how fast births fade: the nearest of what its unit is like, and how deep it lies.
pub(super) fn kind(unit: &Unit, depth: u8) -> u64 {
    deep(unit.nearest(), depth)
}

/// The key of what lies so deep in what is alike.
pub(super) fn deep(like: u64, depth: u8) -> u64 {
    like.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(u64::from(depth.min(3)))
}

/// The groups of a place: how deep it lies, and there what its unit is like.
pub(super) fn placed(likes: &[u64], depth: u8) -> Vec<u64> {
    let alike = likes.iter().map(|like| deep(*like, depth));
    [u64::from(depth.min(3))].into_iter().chain(alike).collect()
}

/// One more that came, in no time of its own.
pub(super) fn more(groups: Vec<u64>) -> Entry {
    Entry {
        groups,
        count: 1.0,
        exposure: 0.0,
    }
}
