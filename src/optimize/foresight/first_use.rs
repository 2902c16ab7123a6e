//! How often units come into use that were not used at first.

use super::births::{Missed, Unit};
use super::fade::{Fade, Fades, Halves};
use super::past::{Alike, Past, kind, more};
use super::pool::{Entry, Pool};
use std::collections::HashMap;

/// How much of a first use each unit stands for that was in use from the beginning: nobody knows since when.
const BEFORE: f64 = 0.1;

/// First uses of units.
pub(super) struct FirstUses {
    rate: Pool,
    fades: Fades,
    known: Alike,
    like: Like,
}

impl FirstUses {
    /// What the units tell, and those that were missed whole.
    pub(super) fn learn(past: Past<'_>, missed: &[Missed]) -> Self {
        let fades = Fades::learn(
            past.units.iter().map(|unit| halves(past, unit)),
            past.ages(),
            past.most(),
        );
        let entry = |unit: &Unit| entry(past, unit, fades.of(kind(unit, 0)));
        let entries: Vec<Entry> = past.units.iter().map(entry).collect();
        let mut known = Alike::default();
        for (unit, entry) in past.units.iter().zip(&entries) {
            known.add(unit.nearest(), entry.count, entry.exposure);
        }
        let whole = missed.iter().filter(|missed| missed.below.is_none());
        let whole: Vec<Entry> = whole.map(|missed| more(missed.likes.clone())).collect();
        let prior = (0.5, fades.whole().between(past.burn(), past.until) * 50.0);
        Self {
            rate: Pool::with_more(&entries, &whole, prior),
            like: Like::of(past, &entries),
            fades,
            known,
        }
    }

    /// Expected uses of a unit that was not used, if it is used `again` so often a day once it came into use.
    pub(super) fn ahead(&self, past: Past<'_>, unit: &Unit, again: f64) -> f64 {
        let fade = self.fades.of(kind(unit, 0));
        past.ahead(self.rate.at(&unit.likes), again, fade, past.until, true)
    }

    /// How many first uses were counted of what is like a unit.
    pub(super) fn known(&self, unit: &Unit) -> f64 {
        self.known.of(unit.nearest()).0
    }

    /// How many units are like this one, and how many of them came into use.
    pub(super) fn like(&self, unit: &Unit) -> (u32, u32) {
        self.like.nearest(unit)
    }
}

/// When did a unit come into use, of those that were not used at first?
fn entry(past: Past<'_>, unit: &Unit, fade: &Fade) -> Entry {
    let burn = past.burn();
    let first = unit.first(past.until);
    let seen_after_burn = first.filter(|day| *day >= burn);
    let watched = match first {
        Some(day) if day < burn => 0.0,
        Some(day) => fade.between(burn, day + 1),
        None => fade.between(burn, past.until),
    };
    // What was in use from the beginning came into use at some time before: a little of that was as late as this.
    let before = first.is_some_and(|day| day < burn);
    Entry {
        groups: unit.likes.clone(),
        count: f64::from(u8::from(seen_after_burn.is_some())) + if before { BEFORE } else { 0.0 },
        exposure: watched,
    }
}

/// First uses in both halves of the past.
fn halves(past: Past<'_>, unit: &Unit) -> (u64, Halves) {
    let (burn, middle, until) = (past.burn(), past.middle(), past.until);
    let first = unit.first(until).unwrap_or(until);
    let halves = Halves {
        born: (
            f64::from(u8::from((burn..middle).contains(&first))),
            f64::from(u8::from((middle..until).contains(&first))),
        ),
        days: (
            f64::from((first.min(middle) - burn).max(0)),
            f64::from((first - middle).max(0)),
        ),
    };
    (kind(unit, 0), halves)
}

/// How many units there are of each kind, and how many came into use: to be told, nothing is worked out of it.
struct Like(Vec<HashMap<u64, (u32, u32)>>);

impl Like {
    fn of(past: Past<'_>, first: &[Entry]) -> Self {
        let floors = past.units.iter().map(|u| u.likes.len()).max().unwrap_or_default();
        let mut found = Self(vec![HashMap::new(); floors]);
        for (unit, entry) in past.units.iter().zip(first).filter(|(_, e)| e.exposure > 0.0) {
            let came = u32::from(unit.first(past.until).is_some());
            for (like, floor) in entry.groups.iter().zip(&mut found.0) {
                let sum = floor.entry(*like).or_default();
                *sum = (sum.0 + 1, sum.1 + came);
            }
        }
        found
    }

    /// Of the nearest kind that has some.
    fn nearest(&self, unit: &Unit) -> (u32, u32) {
        const SOME: u32 = 10;
        let found = unit
            .likes
            .iter()
            .zip(&self.0)
            .rev()
            .filter_map(|(like, floor)| floor.get(like));
        let mut last = (0, 0);
        for &(all, came) in found {
            last = (all, came);
            if all >= SOME {
                break;
            }
        }
        last
    }
}
