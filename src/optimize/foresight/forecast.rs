//! Expected wrong denials of every form of every unit, from what was seen before a day.
//!
//! New children of a place come the more seldom the longer the place is watched: `age ^ -fade`, with one `fade` for all places
//! (and one for units that were not used at all), fitted to the births of the second and the last third of the past. How often
//! they come at a place, and how often one is used again, are rates pooled over what is alike.
#![allow(
    clippy::indexing_slicing,
    reason = "INVARIANT: cumulated ages are indexed up to the length they were made with; places by their own numbers"
)]

use super::births::{Births, Unit};
use super::pool::{Entry, Pool};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Expected wrong denials of a unit's forms.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expected {
    /// Of dropping it; nothing where it is in use, and cannot be dropped.
    pub drop: Option<f64>,
    /// By place, of narrowing there to the children that were used.
    pub narrow: Vec<f64>,
    /// Uses by place so far.
    pub counts: Vec<u32>,
    /// Units like this one that were not used at first, and how many of them came into use.
    pub like: (u32, u32),
    /// New places that came below it, and the days in which that was watched.
    pub born: (u32, i32),
    /// The mean of what follows one birth (itself included): how much one surprise costs.
    pub burst: f64,
}

/// Sums of `age ^ -fade` for ages from one.
struct Fade(Vec<f64>);

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
    fn between(&self, from: i32, to: i32) -> f64 {
        let at = |age: i32| self.0[(age.max(0) as usize).min(self.0.len() - 1)];
        (at(to) - at(from)).max(0.0)
    }
}

/// Counts of one place.
struct Counted {
    unit: usize,
    place: usize,
    births: Births,
    exposure: f64,
    /// The age at the end.
    age: i32,
}

/// How much of a first use each unit stands for that was in use from the beginning: nobody knows since when.
const BEFORE: f64 = 0.1;

/// The day before which births are not told apart from what was there before the past began.
fn burn(until: i32) -> i32 {
    until / 3
}

/// The births at all places of a unit in use, with exposures by `fade`.
fn counted(n: usize, unit: &Unit, until: i32, fade: &Fade, counts: &[u32]) -> Vec<Counted> {
    let burn = burn(until);
    let mut all: Vec<Counted> = Vec::new();
    let mut number: Vec<Option<usize>> = vec![None; unit.places.len()];
    for (p, place) in unit.places.iter().enumerate() {
        if place.first >= until {
            continue;
        }
        if let Some(parent) = place.parent.map(|p| p as usize) {
            let above = &unit.places[parent];
            if let Some(c) = number[parent].map(|n| &mut all[n])
                && place.first > above.first
                && place.first >= burn
            {
                c.births.born += 1.0;
                c.births.uses += f64::from(counts[p].saturating_sub(1));
                c.births.days += f64::from(until - 1 - place.first);
            }
        }
        if place.uses.is_empty() {
            let from = (burn - 1 - place.first).max(0);
            number[p] = Some(all.len());
            all.push(Counted {
                unit: n,
                place: p,
                births: Births::default(),
                exposure: fade.between(from, until - 1 - place.first),
                age: until - 1 - place.first,
            });
        }
    }
    all
}

/// The fade that the births of the second and of the last third of the past tell of.
fn fitted(early: (f64, f64), late: (f64, f64), ages: (f64, f64)) -> f64 {
    // A few births more on either side, so that little news changes little.
    let rate = |(n, e): (f64, f64)| (n + 3.0) / (e + 3.0 * (early.1 + late.1).max(1.0) / (early.0 + late.0).max(1.0));
    let slope = (rate(early) / rate(late)).ln() / (ages.1 / ages.0).max(1.01).ln();
    slope.clamp(0.0, 1.0)
}

/// Expected wrong denials of all forms of all units in `horizon` days after `until`.
#[must_use]
pub fn forecast(units: &[Unit], until: i32, horizon: i32) -> Vec<Expected> {
    let most = usize::try_from(until + horizon + 2).unwrap_or(2);
    let counts: Vec<Vec<u32>> = units.par_iter().map(|u| u.counts(until)).collect();
    let fades = fades(units, until);
    let (fade_of_units, fade_of_places) = (Fade::new(fades.0, most), Fade::new(fades.1, most));

    // Units that were not used: when did any first come into use?
    let burn = burn(until);
    let first: Vec<Entry> = units
        .iter()
        .map(|unit| {
            let first = unit.first(until);
            let seen_after_burn = first.filter(|day| *day >= burn);
            let watched = match first {
                Some(day) if day < burn => 0.0,
                Some(day) => fade_of_units.between(burn, day + 1),
                None => fade_of_units.between(burn, until),
            };
            // What was in use from the beginning came into use at some time before: a little of that was as late as this.
            let before = first.is_some_and(|day| day < burn);
            Entry {
                groups: unit.likes.clone(),
                count: f64::from(u8::from(seen_after_burn.is_some())) + if before { BEFORE } else { 0.0 },
                exposure: watched,
            }
        })
        .collect();
    let like = like(units, &first, until);
    let first = Pool::learn(&first, (0.5, fade_of_units.between(burn, until) * 50.0));

    let places: Vec<Counted> = units
        .par_iter()
        .enumerate()
        .flat_map_iter(|(n, unit)| counted(n, unit, until, &fade_of_places, &counts[n]))
        .collect();
    let groups = |c: &Counted| -> Vec<u64> {
        let unit = &units[c.unit];
        let depth = u64::from(unit.places[c.place].depth.min(3));
        let with = |like: &u64| like.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(depth);
        let mut groups: Vec<u64> = vec![depth];
        groups.extend(unit.likes.iter().map(with));
        groups.push(with(&(c.unit as u64 ^ 0x5851_f42d_4c95_7f2d)));
        groups
    };
    let groups: Vec<Vec<u64>> = places.par_iter().map(groups).collect();
    let entries = |count: &(dyn Fn(&Counted) -> (f64, f64) + Sync)| -> Vec<Entry> {
        places
            .iter()
            .zip(&groups)
            .map(|(c, groups)| {
                let (count, exposure) = count(c);
                Entry {
                    groups: groups.clone(),
                    count,
                    exposure,
                }
            })
            .collect()
    };
    let born = Pool::learn(&entries(&|c| (c.births.born, c.exposure)), (0.5, 50.0));
    let again = Pool::learn(&entries(&|c| (c.births.uses, c.births.days)), (0.5, 10.0));

    // First uses of units are followed up as births of children of the root are, where nothing nearer is known.
    let follow: Vec<Entry> = units
        .iter()
        .zip(&counts)
        .filter_map(|(unit, counts)| {
            let day = unit.first(until).filter(|day| *day >= burn)?;
            Some(Entry {
                groups: unit.likes.clone(),
                count: f64::from(counts.first().copied().unwrap_or_default().saturating_sub(1)),
                exposure: f64::from(until - 1 - day),
            })
        })
        .collect();
    let follow = Pool::learn(&follow, (1.0, 10.0));

    let asleep = asleep(units, until, horizon);
    let mut expected: Vec<Expected> = units
        .par_iter()
        .zip(counts)
        .map(|(unit, counts)| {
            let unused = unit.first(until).is_none();
            let again = follow.at(&unit.likes);
            let drop = unused.then(|| {
                if unit.idle {
                    return 0.0;
                }
                let rate = first.at(&unit.likes);
                let own = ahead(rate, again, &fade_of_units, until, horizon, true);
                own + asleep.cost(unit)
            });
            Expected {
                drop,
                like: like.of(unit),
                born: (0, until - burn),
                narrow: vec![0.0; unit.places.len()],
                counts,
                burst: 1.0 + again * f64::from(horizon) / 2.0,
            }
        })
        .collect();
    for (c, groups) in places.iter().zip(&groups) {
        let rate = born.own(groups, c.births.born, c.exposure);
        let again = again.own(groups, c.births.uses, c.births.days);
        let cost = ahead(rate, again, &fade_of_places, c.age, horizon, false);
        let unit = &mut expected[c.unit];
        unit.narrow[c.place] = cost;
        unit.born.0 += c.births.born as u32;
        unit.burst = 1.0 + again * f64::from(horizon) / 2.0;
    }
    expected
}

/// How many units there are of each kind, and how many came into use: to be told, nothing is worked out of it.
struct Like(Vec<HashMap<u64, (u32, u32)>>);

impl Like {
    /// Of the nearest kind that has some.
    fn of(&self, unit: &Unit) -> (u32, u32) {
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

fn like(units: &[Unit], first: &[Entry], until: i32) -> Like {
    let floors = units.iter().map(|u| u.likes.len()).max().unwrap_or_default();
    let mut found = Like(vec![HashMap::new(); floors]);
    for (unit, entry) in units.iter().zip(first).filter(|(_, e)| e.exposure > 0.0) {
        let came = u32::from(unit.first(until).is_some());
        for (like, floor) in entry.groups.iter().zip(&mut found.0) {
            let sum = floor.entry(*like).or_default();
            *sum = (sum.0 + 1, sum.1 + came);
        }
    }
    found
}

/// Blocks of which nothing was used.
struct Asleep {
    blocks: HashSet<u32>,
    /// The chance that one of them wakes up in the horizon.
    wakes: f64,
    /// The share of units in use, of blocks that are awake.
    share: f64,
}

impl Asleep {
    /// Expected wrong denials of dropping a unit, because all that it belongs to may wake up.
    fn cost(&self, unit: &Unit) -> f64 {
        if self.blocks.contains(&unit.block) {
            self.wakes * self.share * unit.breadth.max(1.0).sqrt()
        } else {
            0.0
        }
    }
}

fn asleep(units: &[Unit], until: i32, horizon: i32) -> Asleep {
    let mut first: BTreeMap<u32, Option<i32>> = BTreeMap::new();
    for unit in units {
        let known = first.entry(unit.block).or_default();
        *known = [*known, unit.first(until)].into_iter().flatten().min();
    }
    let burn = burn(until);
    let (mut woke, mut days) = (0.5, f64::from(until));
    for day in first.values() {
        woke += f64::from(u8::from(day.is_some_and(|day| day >= burn)));
        days += f64::from((day.unwrap_or(until) - burn).max(0));
    }
    let awake = |unit: &&Unit| first.get(&unit.block).is_some_and(Option::is_some);
    let of_awake = units.iter().filter(awake).count();
    let used = units.iter().filter(|unit| unit.first(until).is_some()).count();
    Asleep {
        blocks: first
            .iter()
            .filter(|(_, day)| day.is_none())
            .map(|(&block, _)| block)
            .collect(),
        wakes: 1.0 - (-(woke / days.max(1.0)) * f64::from(horizon)).exp(),
        share: (used as f64 + 1.0) / (of_awake as f64 + 2.0),
    }
}

/// Uses on what is born in the horizon, each from its birth to the end of it. `once`: only the first birth counts.
fn ahead(rate: f64, again: f64, fade: &Fade, age: i32, horizon: i32, once: bool) -> f64 {
    let mut sum = 0.0;
    let mut left = 1.0;
    for day in 0..horizon {
        let mut born = rate * fade.between(age + day, age + day + 1);
        if once {
            born = born.min(1.0) * left;
            left -= born;
        }
        sum += born * (1.0 + again * f64::from(horizon - 1 - day));
    }
    sum
}

/// How fast births fade: of units, of places.
fn fades(units: &[Unit], until: i32) -> (f64, f64) {
    let (burn, middle) = (burn(until), burn(until) * 2);
    let mut of_units = ((0.0, 0.0), (0.0, 0.0));
    let mut of_places = ((0.0, 0.0), (0.0, 0.0));
    for unit in units {
        let first = unit.first(until).unwrap_or(until);
        of_units.0.0 += f64::from(u8::from((burn..middle).contains(&first)));
        of_units.1.0 += f64::from(u8::from((middle..until).contains(&first)));
        of_units.0.1 += f64::from((first.min(middle) - burn).max(0));
        of_units.1.1 += f64::from((first - middle).max(0));
        // Only places that are there from the beginning, so that day and age are one.
        for place in unit
            .places
            .iter()
            .filter(|p| p.uses.is_empty() && p.first < burn.min(7))
        {
            of_places.0.1 += f64::from(middle - burn);
            of_places.1.1 += f64::from(until - middle);
            let _ = place;
        }
        for place in &unit.places {
            let old = place
                .parent
                .is_some_and(|p| unit.places[p as usize].first < burn.min(7));
            of_places.0.0 += f64::from(u8::from(old && (burn..middle).contains(&place.first)));
            of_places.1.0 += f64::from(u8::from(old && (middle..until).contains(&place.first)));
        }
    }
    let ages = (f64::from(burn + middle) / 2.0, f64::from(middle + until) / 2.0);
    (
        fitted(of_units.0, of_units.1, ages),
        fitted(of_places.0, of_places.1, ages),
    )
}
