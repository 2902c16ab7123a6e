//! How often something new comes below places that are in use, and how often that is used again.
#![allow(
    clippy::indexing_slicing,
    reason = "INVARIANT: places and units are indexed by their own numbers; each place has a group at least"
)]

use super::births::{Births, Missed, Unit};
use super::expected::Expected;
use super::fade::{Fades, Halves};
use super::past::{Alike, Past, deep, kind, more, placed};
use super::pool::{Entry, Pool};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Counts of one place.
struct Counted {
    unit: usize,
    place: usize,
    births: Births,
    exposure: f64,
    /// The age at the end.
    age: i32,
    /// Uses and days of children that were there from the beginning.
    before: (f64, f64),
}

/// Births at the places of units in use.
pub(super) struct Places<'u> {
    past: Past<'u>,
    fades: Fades,
    all: Vec<Counted>,
    /// What each place is like, from the widest group to itself.
    groups: Vec<Vec<u64>>,
    born: Pool,
    again: Pool,
    known: Alike,
}

impl<'u> Places<'u> {
    /// What the places tell, and those below which something was missed.
    pub(super) fn learn(past: Past<'u>, missed: &[Missed]) -> Self {
        let fades = Fades::learn(
            past.units.iter().flat_map(|unit| halves(past, unit)),
            past.ages(),
            past.most(),
        );
        let all: Vec<Counted> = past
            .units
            .par_iter()
            .enumerate()
            .flat_map_iter(|(n, unit)| counted(n, unit, past, &fades))
            .collect();
        let groups: Vec<Vec<u64>> = all.par_iter().map(|c| groups(past, c)).collect();
        let below = missed
            .iter()
            .filter_map(|missed| Some(more(placed(&missed.likes, missed.below?))));
        let below: Vec<Entry> = below.collect();
        let births = entries(&all, &groups, |c| (c.births.born, c.exposure));
        let born = Pool::with_more(&births, &below, (0.5, 50.0));
        let mut before: BTreeMap<&[u64], (f64, f64)> = BTreeMap::new();
        let mut known = Alike::default();
        for (c, groups) in all.iter().zip(&groups) {
            let sum = before.entry(&groups[..groups.len() - 1]).or_default();
            *sum = (sum.0 + c.before.0, sum.1 + c.before.1);
            known.add(past.units[c.unit].nearest(), c.births.born, c.exposure);
        }
        let before = past.established(before);
        let uses = entries(&all, &groups, |c| (c.births.uses, c.births.days));
        let again = Pool::told(&uses, &before, (0.5, 10.0));
        Self {
            past,
            fades,
            all,
            groups,
            born,
            again,
            known,
        }
    }

    /// The places below which something new came, each with its unit and what followed.
    pub(super) fn with_births(&self) -> impl Iterator<Item = (&'u Unit, &Births)> {
        let born = self.all.iter().filter(|c| c.births.born > 0.0);
        born.map(|c| (&self.past.units[c.unit], &c.births))
    }

    /// Tells each unit what narrowing it to these places is expected to cost.
    pub(super) fn tell(&self, expected: &mut [Expected]) {
        for (c, groups) in self.all.iter().zip(&self.groups) {
            let rate = self.born.own(groups, c.births.born, c.exposure);
            let of = &self.past.units[c.unit];
            let fade = self.fades.of(kind(of, of.places[c.place].depth));
            let again = self.again.own(groups, c.births.uses, c.births.days);
            let unit = &mut expected[c.unit];
            unit.narrow[c.place] = self.past.ahead(rate, again, fade, c.age, false);
            unit.born.0 += c.births.born as u32;
            unit.known = self.known.of(of.nearest()).0;
            unit.burst = self.past.burst(again);
        }
    }
}

/// The births at all places of a unit in use, with exposures by the fade of their kind.
fn counted(n: usize, unit: &Unit, past: Past<'_>, fades: &Fades) -> Vec<Counted> {
    let (burn, until) = (past.burn(), past.until);
    let follows = unit.follows(until, past.horizon);
    let mut all: Vec<Counted> = Vec::new();
    let mut number: Vec<Option<usize>> = vec![None; unit.places.len()];
    for (p, place) in unit.places.iter().enumerate() {
        if place.first >= until {
            continue;
        }
        if let Some(parent) = place.parent.map(|p| p as usize) {
            let above = &unit.places[parent];
            if let Some(c) = number[parent].map(|n| &mut all[n]) {
                let new = place.first > above.first && place.first >= burn;
                let (uses, days) = follows[p];
                if new {
                    c.births.born += 1.0;
                    c.births.uses += uses;
                    c.births.days += days;
                } else {
                    c.before = (c.before.0 + uses, c.before.1 + days);
                }
            }
        }
        if place.uses.is_empty() {
            let from = (burn - 1 - place.first).max(0);
            number[p] = Some(all.len());
            all.push(Counted {
                unit: n,
                place: p,
                births: Births::default(),
                exposure: fades.of(kind(unit, place.depth)).between(from, until - 1 - place.first),
                age: until - 1 - place.first,
                before: (0.0, 0.0),
            });
        }
    }
    all
}

/// What a place is like: how deep it lies, there what its unit is like, and the unit itself.
fn groups(past: Past<'_>, c: &Counted) -> Vec<u64> {
    let unit = &past.units[c.unit];
    let depth = unit.places[c.place].depth;
    let mut groups = placed(&unit.likes, depth);
    groups.push(deep(c.unit as u64 ^ 0x5851_f42d_4c95_7f2d, depth));
    groups
}

fn entries(all: &[Counted], groups: &[Vec<u64>], count: impl Fn(&Counted) -> (f64, f64)) -> Vec<Entry> {
    all.iter()
        .zip(groups)
        .map(|(c, groups)| {
            let (count, exposure) = count(c);
            Entry {
                groups: groups.clone(),
                count,
                exposure,
            }
        })
        .collect()
}

/// Births in both halves of the past; only below places that are there from the beginning, so that day and age are one.
fn halves(past: Past<'_>, unit: &Unit) -> Vec<(u64, Halves)> {
    let (burn, middle, until) = (past.burn(), past.middle(), past.until);
    let old = |day: i32| day < burn.min(7);
    let mut found: Vec<(u64, Halves)> = Vec::new();
    let mut number: Vec<Option<usize>> = vec![None; unit.places.len()];
    for (n, place) in unit.places.iter().enumerate() {
        if let Some(halves) = place.parent.and_then(|p| number[p as usize]).map(|at| &mut found[at].1) {
            halves.born.0 += f64::from(u8::from((burn..middle).contains(&place.first)));
            halves.born.1 += f64::from(u8::from((middle..until).contains(&place.first)));
        }
        if place.uses.is_empty() && old(place.first) {
            number[n] = Some(found.len());
            let halves = Halves {
                born: (0.0, 0.0),
                days: (f64::from(middle - burn), f64::from(until - middle)),
            };
            found.push((kind(unit, place.depth), halves));
        }
    }
    found
}
