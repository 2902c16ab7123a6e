//! Expected wrong denials of every form of every unit, from what was seen before a day.
//!
//! New children of a place come the more seldom the longer the place is watched: `age ^ -fade`. How fast that fades is fitted to the
//! births of the second and the last third of the past, for each kind by itself (`fade.rs`). How often they come at a place, and
//! how often one is used again, are rates pooled over what is alike. What is used again is followed for one horizon at most: a
//! season ends. Where nothing new ever came, what is in use already tells how much a newcomer would be used.
//!
//! What was closed and missed is one more that came, of its nearest like alone, and in no time of its own: what was closed and not
//! missed is not seen either. So it only ever raises what is expected, and the more the more of it there is.
#![allow(
    clippy::indexing_slicing,
    reason = "INVARIANT: cumulated ages are indexed up to the length they were made with; places by their own numbers"
)]

use super::births::{Births, Missed, Unit};
use super::fade::{Fade, Fades, Halves};
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
    /// First uses or new places that were counted of what is like it: how well its rate is known.
    pub known: f64,
    /// Of what is like it, what was closed and missed.
    pub missed: u32,
}

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

/// How much of a first use each unit stands for that was in use from the beginning: nobody knows since when.
const BEFORE: f64 = 0.1;
/// How much what was in use from the beginning tells of how often something new of its like is used again, against what was new
/// itself: what is found early is what is used most. Of what is not alike it tells nothing ([`established`]).
const ESTABLISHED: f64 = 0.05;

/// The day before which births are not told apart from what was there before the past began.
fn burn(until: i32) -> i32 {
    until / 3
}

/// The births at all places of a unit in use, with exposures by the fade of their kind.
fn counted(n: usize, unit: &Unit, until: i32, horizon: i32, fades: &Fades) -> Vec<Counted> {
    let burn = burn(until);
    let follows = unit.follows(until, horizon);
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

/// Sums of what is alike, by key.
#[derive(Default)]
struct Alike(HashMap<u64, (f64, f64)>);

impl Alike {
    fn add(&mut self, key: u64, count: f64, exposure: f64) {
        let sum = self.0.entry(key).or_default();
        *sum = (sum.0 + count, sum.1 + exposure);
    }

    fn of(&self, key: u64) -> (f64, f64) {
        self.0.get(&key).copied().unwrap_or_default()
    }
}

/// What a place is like in how fast births fade: the nearest of what its unit is like, and how deep it lies.
fn kind(unit: &Unit, depth: u8) -> u64 {
    deep(unit.nearest(), depth)
}

/// The key of what lies so deep in what is alike.
fn deep(like: u64, depth: u8) -> u64 {
    like.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(u64::from(depth.min(3)))
}

/// The groups of a place: how deep it lies, and there what its unit is like.
fn placed(likes: &[u64], depth: u8) -> Vec<u64> {
    let alike = likes.iter().map(|like| deep(*like, depth));
    [u64::from(depth.min(3))].into_iter().chain(alike).collect()
}

/// One more that came, in no time of its own.
fn more(groups: Vec<u64>) -> Entry {
    Entry {
        groups,
        count: 1.0,
        exposure: 0.0,
    }
}

/// Expected wrong denials of all forms of all units in `horizon` days after `until`, with what was missed besides.
#[must_use]
pub fn forecast(units: &[Unit], missed: &[Missed], until: i32, horizon: i32) -> Vec<Expected> {
    let most = usize::try_from(until + horizon + 2).unwrap_or(2);
    let counts: Vec<Vec<u32>> = units.par_iter().map(|u| u.counts(until)).collect();
    let (of_units, of_places) = fades(units, until, most);
    let fade_of = |unit: &Unit| of_units.of(kind(unit, 0));

    // Units that were not used: when did any first come into use?
    let burn = burn(until);
    let first: Vec<Entry> = units
        .iter()
        .map(|unit| {
            let first = unit.first(until);
            let seen_after_burn = first.filter(|day| *day >= burn);
            let watched = match first {
                Some(day) if day < burn => 0.0,
                Some(day) => fade_of(unit).between(burn, day + 1),
                None => fade_of(unit).between(burn, until),
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
    let mut known = Alike::default();
    for (unit, entry) in units.iter().zip(&first) {
        known.add(unit.nearest(), entry.count, entry.exposure);
    }
    let whole = missed.iter().filter(|missed| missed.below.is_none());
    let whole: Vec<Entry> = whole.map(|missed| more(missed.likes.clone())).collect();
    let first = Pool::with_more(&first, &whole, (0.5, of_units.whole().between(burn, until) * 50.0));

    let places: Vec<Counted> = units
        .par_iter()
        .enumerate()
        .flat_map_iter(|(n, unit)| counted(n, unit, until, horizon, &of_places))
        .collect();
    let groups = |c: &Counted| -> Vec<u64> {
        let unit = &units[c.unit];
        let depth = unit.places[c.place].depth;
        let mut groups = placed(&unit.likes, depth);
        groups.push(deep(c.unit as u64 ^ 0x5851_f42d_4c95_7f2d, depth));
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
    let below = missed
        .iter()
        .filter_map(|missed| Some(more(placed(&missed.likes, missed.below?))));
    let below: Vec<Entry> = below.collect();
    let born = Pool::with_more(&entries(&|c| (c.births.born, c.exposure)), &below, (0.5, 50.0));
    let mut before: BTreeMap<&[u64], (f64, f64)> = BTreeMap::new();
    let mut told = Alike::default();
    for (c, groups) in places.iter().zip(&groups) {
        let sum = before.entry(&groups[..groups.len() - 1]).or_default();
        *sum = (sum.0 + c.before.0, sum.1 + c.before.1);
        told.add(units[c.unit].nearest(), c.births.born, c.exposure);
    }
    let before = established(before, horizon);
    let again = Pool::told(&entries(&|c| (c.births.uses, c.births.days)), &before, (0.5, 10.0));

    // How often a unit is used once it came into use: told by those that did, a little by its nearest like that always were in use,
    // and, of the widest group alone, by what came new below units in use.
    let busy = Busy::of(units, until, horizon);
    let follow: Vec<Entry> = units
        .par_iter()
        .filter_map(|unit| {
            let day = unit.first(until)?;
            let (uses, days) = unit.follows(until, horizon).first().copied()?;
            (day >= burn).then(|| Entry {
                groups: unit.likes.clone(),
                count: uses,
                exposure: days * busy.is(unit),
            })
        })
        .collect();
    let below = places.iter().filter(|c| c.births.born > 0.0).map(|c| Entry {
        groups: units[c.unit].likes.iter().take(1).copied().collect(),
        count: c.births.uses,
        exposure: c.births.days * busy.is(&units[c.unit]),
    });
    let follow: Vec<Entry> = follow.into_iter().chain(below).collect();
    let mut before: BTreeMap<&[u64], (f64, f64)> = BTreeMap::new();
    for unit in units.iter().filter(|u| u.first(until).is_some_and(|day| day < burn)) {
        let (uses, days) = unit.follows(until, horizon).first().copied().unwrap_or_default();
        let sum = before.entry(unit.likes.as_slice()).or_default();
        *sum = (sum.0 + uses, sum.1 + days * busy.is(unit));
    }
    let follow = Pool::told(&follow, &established(before, horizon), (1.0, 10.0));

    let mut of_like: HashMap<(u64, bool), u32> = HashMap::new();
    for one in missed {
        let nearest = one.likes.last().copied().unwrap_or_default();
        *of_like.entry((nearest, one.below.is_some())).or_default() += 1;
    }

    let asleep = asleep(units, until, horizon);
    let mut expected: Vec<Expected> = units
        .par_iter()
        .zip(counts)
        .map(|(unit, counts)| {
            let unused = unit.first(until).is_none();
            let again = follow.at(&unit.likes) * busy.is(unit);
            let drop = unused.then(|| {
                if unit.idle {
                    return 0.0;
                }
                let rate = first.at(&unit.likes);
                let own = ahead(rate, again, fade_of(unit), until, horizon, true);
                own + asleep.cost(unit)
            });
            Expected {
                drop,
                like: like.of(unit),
                born: (0, until - burn),
                narrow: vec![0.0; unit.places.len()],
                counts,
                burst: 1.0 + again * f64::from(horizon) / 2.0,
                known: if unused { known.of(unit.nearest()).0 } else { 0.0 },
                missed: of_like.get(&(unit.nearest(), !unused)).copied().unwrap_or_default(),
            }
        })
        .collect();
    for (c, groups) in places.iter().zip(&groups) {
        let rate = born.own(groups, c.births.born, c.exposure);
        let of = &units[c.unit];
        let kind = kind(of, of.places[c.place].depth);
        let again = again.own(groups, c.births.uses, c.births.days);
        let fade = of_places.of(kind);
        let cost = ahead(rate, again, fade, c.age, horizon, false);
        let unit = &mut expected[c.unit];
        unit.narrow[c.place] = cost;
        unit.born.0 += c.births.born as u32;
        unit.known = told.of(of.nearest()).0;
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

/// What was in use from the beginning as evidence of how often something new of its like is used again: a little of it, and never
/// more than one newcomer that was watched for a horizon.
fn established(sums: BTreeMap<&[u64], (f64, f64)>, horizon: i32) -> Vec<Entry> {
    let part = |days: f64| ESTABLISHED.min(f64::from(horizon) / days.max(1.0));
    sums.into_iter()
        .map(|(groups, (uses, days))| Entry {
            groups: groups.to_vec(),
            count: uses * part(days),
            exposure: days * part(days),
        })
        .collect()
}

/// How busy blocks are: uses a day of a unit that is in use. What is new in a busy one is expected to be used more.
struct Busy {
    blocks: HashMap<u32, f64>,
    all: f64,
}

impl Busy {
    /// So many days of all count for each block: one that was hardly watched is as busy as others.
    const FEW: f64 = 10.0;
    /// Nothing is less busy.
    const LEAST: f64 = 1e-3;

    fn of(units: &[Unit], until: i32, horizon: i32) -> Self {
        let mut sums: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        let mut all = (0.0, 0.0);
        for unit in units.iter().filter(|u| u.first(until).is_some()) {
            let (uses, days) = unit.follows(until, horizon).first().copied().unwrap_or_default();
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

    fn is(&self, unit: &Unit) -> f64 {
        self.blocks
            .get(&unit.block)
            .copied()
            .unwrap_or(self.all)
            .max(Self::LEAST)
    }
}

/// Blocks of which nothing was used.
struct Asleep {
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
    /// Expected wrong denials of dropping a unit, because all that it belongs to may wake up: then it is used as its like are, or once
    /// and all over, as in an emergency.
    fn cost(&self, unit: &Unit) -> f64 {
        if !self.blocks.contains(&unit.block) {
            return 0.0;
        }
        let uses = 1.0 + self.often.at(&unit.likes) * self.days;
        self.wakes * self.share.at(&unit.likes) * uses.max(unit.breadth.sqrt())
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
    let entry = |unit: &Unit, (count, exposure): (f64, f64)| Entry {
        groups: unit.likes.clone(),
        count,
        exposure,
    };
    let (mut share, mut woken) = (Vec::new(), Vec::new());
    let mut before: BTreeMap<&[u64], (f64, f64)> = BTreeMap::new();
    for unit in units {
        let Some(day) = first.get(&unit.block).copied().flatten() else {
            continue;
        };
        let used = unit.first(until).is_some();
        share.push(entry(unit, (f64::from(u8::from(used)), 1.0)));
        let follows = unit.follows(until, horizon).first().copied().filter(|_| used);
        let Some((uses, days)) = follows else { continue };
        if day >= burn {
            woken.push(entry(unit, (uses, days)));
        } else {
            let sum = before.entry(unit.likes.as_slice()).or_default();
            *sum = (sum.0 + uses, sum.1 + days);
        }
    }
    Asleep {
        blocks: first
            .iter()
            .filter(|(_, day)| day.is_none())
            .map(|(&block, _)| block)
            .collect(),
        wakes: 1.0 - (-(woke / days.max(1.0)) * f64::from(horizon)).exp(),
        share: Pool::learn(&share, (0.5, 2.0)),
        often: Pool::told(&woken, &established(before, horizon), (1.0, 10.0)),
        days: f64::from(horizon) / 2.0,
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
fn fades(units: &[Unit], until: i32, most: usize) -> (Fades, Fades) {
    let (burn, middle) = (burn(until), burn(until) * 2);
    let ages = (f64::from(burn + middle) / 2.0, f64::from(middle + until) / 2.0);
    let of_units = units.iter().map(|unit| {
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
    });
    // Only places that are there from the beginning, so that day and age are one.
    let old = |day: i32| day < burn.min(7);
    let of_places = units.iter().flat_map(|unit| {
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
    });
    (Fades::learn(of_units, ages, most), Fades::learn(of_places, ages, most))
}

#[cfg(test)]
mod tests {
    use super::super::births::Place;
    use super::super::choice;
    use super::*;
    use proptest::prelude::*;

    /// A unit with places below its root, each used on some days.
    fn unit(like: u64, uses: &[Vec<i32>]) -> Unit {
        let first = |days: &[i32]| days.first().copied().unwrap_or(i32::MAX);
        let root = uses.iter().map(|days| first(days)).min();
        let mut places: Vec<Place> = Vec::new();
        if let Some(first) = root.filter(|day| *day < i32::MAX) {
            places.push(Place {
                parent: None,
                depth: 0,
                open: 10.0,
                first,
                uses: Vec::new(),
            });
        }
        places.extend(uses.iter().filter(|days| !days.is_empty()).map(|days| Place {
            parent: Some(0),
            depth: 1,
            open: 0.0,
            first: first(days),
            uses: days.iter().map(|day| (*day, 1)).collect(),
        }));
        Unit {
            likes: vec![1, like],
            places,
            narrows: true,
            free: true,
            open: 10.0,
            breadth: 5.0,
            ..Unit::default()
        }
    }

    fn every(days: i32) -> Vec<i32> {
        (0..90).step_by(days as usize).collect()
    }

    #[test]
    fn a_first_use_is_as_dear_as_its_like_are_used() {
        let cost = |days: i32| {
            let mut units: Vec<Unit> = (0..8).map(|_| unit(7, &[every(days)])).collect();
            units.push(unit(7, &[]));
            // Others came into use, and were used once.
            units.extend((0..4).map(|n| unit(8, &[vec![50 + n]])));
            forecast(&units, &[], 90, 60)[8].drop.unwrap()
        };
        assert!(cost(1) > 2.0 * cost(30), "{} and {}", cost(1), cost(30));
    }

    #[test]
    fn what_came_new_and_was_not_used_again_is_not_made_dear_by_what_always_was() {
        // Four paths that are read every day below each of ten, and below five of them new ones that are read once.
        let make = |again: i32| -> Vec<Unit> {
            let of = |n: i32| {
                let mut uses: Vec<Vec<i32>> = vec![every(1); 4];
                if n % 2 == 0 {
                    let day = 35 + 2 * n;
                    uses.extend((0..3).map(|k| (0..=again).map(|x| day + k + x).collect::<Vec<i32>>()));
                }
                unit(7, &uses)
            };
            (0..10).map(of).collect()
        };
        let cost = |again: i32| {
            forecast(&make(again), &[], 90, 60)
                .iter()
                .map(|e| e.narrow[0])
                .sum::<f64>()
        };
        assert!(cost(0) < cost(20) / 4.0, "{} and {}", cost(0), cost(20));
    }

    #[test]
    fn a_first_use_is_dearer_where_its_policy_is_busy() {
        let mut units: Vec<Unit> = (0..4).map(|_| unit(7, &[every(1), every(1), every(1)])).collect();
        units.extend((0..4).map(|_| unit(8, &[every(15)])));
        units.extend([unit(9, &[]), unit(9, &[])]);
        for (n, unit) in units.iter_mut().enumerate() {
            unit.block = [0, 0, 0, 0, 1, 1, 1, 1, 0, 1][n];
        }
        let found = forecast(&units, &[], 90, 60);
        let (busy, idle) = (found[8].drop.unwrap(), found[9].drop.unwrap());
        assert!(busy > 1.5 * idle, "{busy} and {idle}");
    }

    #[test]
    fn what_a_policy_asleep_may_wake_up_to_is_what_its_like_are_used_for() {
        // Of ten policies with two grants each, three woke up; all that are awake use the first every day, and none the second.
        let mut units = Vec::new();
        for block in 0..10_u32 {
            let uses = match block {
                0 => Vec::new(),
                1..=3 => vec![(40 + 5 * i32::try_from(block).unwrap()..90).collect()],
                _ => vec![every(1)],
            };
            let (mut used, mut never) = (unit(7, &uses), unit(8, &[]));
            (used.block, never.block) = (block, block);
            units.extend([used, never]);
        }
        let found = forecast(&units, &[], 90, 60);
        let (used, never) = (found[0].drop.unwrap(), found[1].drop.unwrap());
        assert!(used > 3.0 * never && used > 2.0, "{used} and {never}");
    }

    #[test]
    fn a_season_is_followed_for_one_horizon_and_not_for_ever() {
        let season = unit(7, &[(10..40).collect()]);
        assert_eq!(season.follows(90, 30)[0], (29.0, 30.0));
        assert_eq!(season.follows(90, 60)[0], (29.0, 60.0));
        assert_eq!(season.follows(20, 60)[1], (9.0, 9.0));
    }

    #[test]
    fn what_comes_every_week_is_expected_to_go_on_beside_what_gets_rarer() {
        // A path a week below one glob; below the others nothing new for long.
        let weekly: Vec<Vec<i32>> = (0..13).map(|n| vec![n * 7]).collect();
        let rare: Vec<Vec<i32>> = [0, 1, 2, 3, 5, 8, 13, 21, 32, 34, 40, 55].map(|day| vec![day]).to_vec();
        let mut units = vec![unit(7, &weekly)];
        units.extend((0..6).map(|_| unit(8, &rare)));
        let found = forecast(&units, &[], 90, 56);
        assert!(found[0].narrow[0] > 5.5, "eight more weeks: {}", found[0].narrow[0]);
        assert!(found[1].narrow[0] < found[0].narrow[0] / 2.0, "{}", found[1].narrow[0]);
    }

    proptest! {
        #[test]
        fn no_order_of_units_matters_and_a_horizon_of_nothing_expects_nothing(
            uses in prop::collection::vec((0_u64..3, prop::collection::vec(prop::collection::btree_set(0_i32..90, 0..6), 0..4)), 2..9),
            at in 0_usize..9,
        ) {
            let units: Vec<Unit> = uses
                .iter()
                .map(|(like, days)| {
                    let days: Vec<Vec<i32>> = days.iter().map(|d| d.iter().copied().collect()).collect();
                    unit(*like, &days)
                })
                .collect();
            let at = at % units.len();
            let mut turned = units.clone();
            turned.rotate_left(at);
            let (mut one, other) = (forecast(&units, &[], 90, 60), forecast(&turned, &[], 90, 60));
            one.rotate_left(at);
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-9);
            for (a, b) in one.iter().zip(&other) {
                prop_assert!(a.drop.zip(b.drop).is_none_or(|(a, b)| close(a, b)) && a.drop.is_some() == b.drop.is_some());
                prop_assert!(a.narrow.iter().zip(&b.narrow).all(|(a, b)| close(*a, *b)), "{a:?} {b:?}");
            }
            for (unit, found) in units.iter().zip(forecast(&units, &[], 90, 0)) {
                prop_assert!(found.narrow.iter().all(|n| *n == 0.0));
                prop_assert!(found.drop.is_none_or(|n| n == 0.0));
                // What was used is never dropped.
                prop_assert_eq!(found.drop.is_none(), unit.first(90).is_some());
            }
        }

        #[test]
        fn what_was_missed_raises_its_own_like_and_lowers_nobody(
            uses in prop::collection::vec((0_u64..3, prop::collection::vec(prop::collection::btree_set(0_i32..90, 0..6), 0..4)), 1..9),
            missed in prop::collection::vec((0_u64..3, prop::option::of(0_u8..2)), 1..5),
            price in 0_i32..5,
        ) {
            let units: Vec<Unit> = uses
                .iter()
                .map(|(like, days)| {
                    let days: Vec<Vec<i32>> = days.iter().filter(|d| !d.is_empty()).map(|d| d.iter().copied().collect()).collect();
                    unit(*like, &days)
                })
                .collect();
            let missed: Vec<Missed> = missed.into_iter().map(|(like, below)| Missed { likes: vec![1, like], below }).collect();
            for n in 0..missed.len() {
                let (fewer, more) = (forecast(&units, &missed[..n], 90, 60), forecast(&units, &missed[..=n], 90, 60));
                for ((unit, one), other) in units.iter().zip(&fewer).zip(&more) {
                    let is_like = unit.likes == missed[n].likes;
                    let mut raised = Vec::new();
                    if let (Some(a), Some(b)) = (one.drop, other.drop) {
                        raised.push((a, b, is_like && missed[n].below.is_none()));
                    }
                    let narrow = unit.places.iter().zip(one.narrow.iter().zip(&other.narrow));
                    for (place, (a, b)) in narrow.filter(|(place, _)| place.uses.is_empty()) {
                        raised.push((*a, *b, is_like && missed[n].below == Some(place.depth)));
                    }
                    for (a, b, is_meant) in raised {
                        prop_assert!(if is_meant { b > a } else { a.to_bits() == b.to_bits() }, "{a} and {b}: {is_meant}");
                    }
                    prop_assert!(is_like || one == other);
                    // So no more of it goes, at whatever price.
                    let best = |e: &Expected| choice::best(unit, e, 10_f64.powi(price), 0.1).open;
                    prop_assert!(best(other) >= best(one));
                }
            }
        }
    }

    #[test]
    fn one_of_a_dozen_alike_that_was_missed_is_news_and_one_in_a_busy_folder_is_little() {
        let missed = |below| {
            [Missed {
                likes: vec![1, 7],
                below,
            }]
        };
        let unused: Vec<Unit> = (0..12).map(|_| unit(7, &[])).chain([unit(8, &[every(1)])]).collect();
        let drop = |missed: &[Missed]| forecast(&unused, missed, 90, 60)[0].drop.unwrap();
        assert!(
            drop(&missed(None)) > 1.5 * drop(&[]),
            "{} and {}",
            drop(&missed(None)),
            drop(&[])
        );
        // A new path each week below each of four.
        let weekly: Vec<Vec<i32>> = (0..13).map(|n| vec![n * 7]).collect();
        let busy: Vec<Unit> = (0..4).map(|_| unit(7, &weekly)).collect();
        let narrow = |missed: &[Missed]| forecast(&busy, missed, 90, 60)[0].narrow[0];
        let (with, without) = (narrow(&missed(Some(0))), narrow(&[]));
        assert!(with > without && with < 1.2 * without, "{with} and {without}");
    }
}
