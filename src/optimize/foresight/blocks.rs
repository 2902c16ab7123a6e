//! Blocks of units: how busy each is, and what would come of one that wakes up.

use super::births::Unit;
use super::past::Past;
use super::pool::{Entry, Pool};
use std::collections::{BTreeMap, HashMap, HashSet};

/// How busy blocks are: uses a day of a unit that is in use. What is new in a busy one is expected to be used more.
pub(super) struct Busy {
    blocks: HashMap<u32, f64>,
    all: f64,
}

impl Busy {
    /// So many days of all count for each block: one that was hardly watched is as busy as others.
    const FEW: f64 = 10.0;
    /// Nothing is less busy.
    const LEAST: f64 = 1e-3;

    pub(super) fn of(past: Past<'_>) -> Self {
        let mut sums: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        let mut all = (0.0, 0.0);
        for unit in past.units.iter().filter(|u| u.first(past.until).is_some()) {
            let (uses, days) = past.follows(unit).unwrap_or_default();
            let sum = sums.entry(unit.block).or_default();
            *sum = (sum.0 + uses, sum.1 + days);
            all = (all.0 + uses, all.1 + days);
        }
        let all = if all.1 > 0.0 { all.0 / all.1 } else { 1.0 };
        let mean = |(uses, days): (f64, f64)| (uses + Self::FEW * all) / (days + Self::FEW);
        Self {
            blocks: sums.into_iter().map(|(block, sum)| (block, mean(sum))).collect(),
            all,
        }
    }

    pub(super) fn is(&self, unit: &Unit) -> f64 {
        self.blocks
            .get(&unit.block)
            .copied()
            .unwrap_or(self.all)
            .max(Self::LEAST)
    }
}

/// Blocks of which nothing was used.
pub(super) struct Asleep {
    blocks: HashSet<u32>,
    /// The chance that one of them wakes up in the horizon.
    wakes: f64,
    /// How likely a unit is in use where its block is.
    share: Pool,
    /// Uses a day of a unit in use.
    often: Pool,
    /// Days from the middle of the horizon to its end: a block wakes up on any day of it.
    days: f64,
}

impl Asleep {
    pub(super) fn of(past: Past<'_>) -> Self {
        let (until, burn, horizon) = (past.until, past.burn(), f64::from(past.horizon));
        let mut first: BTreeMap<u32, Option<i32>> = BTreeMap::new();
        for unit in past.units {
            let known = first.entry(unit.block).or_default();
            *known = [*known, unit.first(until)].into_iter().flatten().min();
        }
        let (mut woke, mut days) = (0.5, f64::from(until));
        for day in first.values() {
            woke += f64::from(u8::from(day.is_some_and(|day| day >= burn)));
            days += f64::from((day.unwrap_or(until) - burn).max(0));
        }
        let entry = |unit: &Unit, (count, exposure): (f64, f64)| Entry {
            groups: unit.likes.clone(),
            count,
            exposure,
        };
        let (mut share, mut woken) = (Vec::new(), Vec::new());
        let mut before: BTreeMap<&[u64], (f64, f64)> = BTreeMap::new();
        for unit in past.units {
            let Some(day) = first.get(&unit.block).copied().flatten() else {
                continue;
            };
            let used = unit.first(until).is_some();
            share.push(entry(unit, (f64::from(u8::from(used)), 1.0)));
            let follows = past.follows(unit).filter(|_| used);
            let Some((uses, days)) = follows else { continue };
            if day >= burn {
                woken.push(entry(unit, (uses, days)));
            } else {
                let sum = before.entry(unit.likes.as_slice()).or_default();
                *sum = (sum.0 + uses, sum.1 + days);
            }
        }
        Self {
            blocks: first
                .iter()
                .filter(|(_, day)| day.is_none())
                .map(|(&block, _)| block)
                .collect(),
            wakes: 1.0 - (-(woke / days.max(1.0)) * horizon).exp(),
            share: Pool::learn(&share, (0.5, 2.0)),
            often: Pool::told(&woken, &past.established(before), (1.0, 10.0)),
            days: horizon / 2.0,
        }
    }

    /// Expected wrong denials of dropping a unit, because all that it belongs to may wake up: then it is used as its like are, or once
    /// and all over, as in an emergency.
    pub(super) fn cost(&self, unit: &Unit) -> f64 {
        if !self.blocks.contains(&unit.block) {
            return 0.0;
        }
        let uses = 1.0 + self.often.at(&unit.likes) * self.days;
        self.wakes * self.share.at(&unit.likes) * uses.max(unit.breadth.sqrt())
    }
}
