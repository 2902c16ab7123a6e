//! Expected wrong denials of every form of every unit, from what was seen before a day.
//!
//! New children of a place come the more seldom the longer the place is watched: `age ^ -fade`. How fast that fades is fitted to the
//! births of the second and the last third of the past, for each kind by itself (`fade.rs`). How often they come at a place, and
//! how often one is used again, are rates pooled over what is alike. What is used again is followed for one horizon at most: a
//! season ends. Where nothing new ever came, what is in use already tells how much a newcomer would be used.
//!
//! What was closed and missed is one more that came, of its nearest like alone, and in no time of its own: what was closed and not
//! missed is not seen either. So it only ever raises what is expected, and the more the more of it there is.

use super::births::{Missed, Unit};
use super::blocks::{Asleep, Busy};
pub use super::expected::Expected;
use super::first_use::FirstUses;
use super::past::Past;
use super::places::Places;
use super::pool::{Entry, Pool};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// Expected wrong denials of all forms of all units in `horizon` days after `until`, with what was missed besides.
#[must_use]
pub fn forecast(units: &[Unit], missed: &[Missed], until: i32, horizon: i32) -> Vec<Expected> {
    let past = Past { units, until, horizon };
    let first = FirstUses::learn(past, missed);
    let places = Places::learn(past, missed);
    let busy = Busy::of(past);
    let follow = follow(past, &places, &busy);
    let asleep = Asleep::of(past);
    let missed = by_like(missed);
    let mut expected: Vec<Expected> = units
        .par_iter()
        .map(|unit| {
            let is_unused = unit.first(until).is_none();
            let again = follow.at(&unit.likes) * busy.is(unit);
            let drop = is_unused.then(|| match unit.idle {
                true => 0.0,
                false => first.ahead(past, unit, again) + asleep.cost(unit),
            });
            Expected {
                drop,
                like: first.like(unit),
                born: (0, until - past.burn()),
                narrow: vec![0.0; unit.places.len()],
                counts: unit.counts(until),
                burst: past.burst(again),
                known: if is_unused { first.known(unit) } else { 0.0 },
                missed: missed.get(&(unit.nearest(), !is_unused)).copied().unwrap_or_default(),
            }
        })
        .collect();
    places.tell(&mut expected);
    expected
}

/// How often a unit is used once it came into use: told by those that did, a little by its nearest like that always were in use,
/// and, of the widest group alone, by what came new below units in use.
fn follow(past: Past<'_>, places: &Places<'_>, busy: &Busy) -> Pool {
    let burn = past.burn();
    let came: Vec<Entry> = past
        .units
        .par_iter()
        .filter_map(|unit| {
            let day = unit.first(past.until)?;
            let (uses, days) = past.follows(unit)?;
            (day >= burn).then(|| Entry {
                groups: unit.likes.clone(),
                count: uses,
                exposure: days * busy.is(unit),
            })
        })
        .collect();
    let below = places.with_births().map(|(unit, births)| Entry {
        groups: unit.likes.iter().take(1).copied().collect(),
        count: births.uses,
        exposure: births.days * busy.is(unit),
    });
    let entries: Vec<Entry> = came.into_iter().chain(below).collect();
    let mut before: BTreeMap<&[u64], (f64, f64)> = BTreeMap::new();
    let always = |unit: &&Unit| unit.first(past.until).is_some_and(|day| day < burn);
    for unit in past.units.iter().filter(always) {
        let (uses, days) = past.follows(unit).unwrap_or_default();
        let sum = before.entry(unit.likes.as_slice()).or_default();
        *sum = (sum.0 + uses, sum.1 + days * busy.is(unit));
    }
    Pool::told(&entries, &past.established(before), (1.0, 10.0))
}

/// How much was missed of what is alike: of units in use, and of others.
fn by_like(missed: &[Missed]) -> HashMap<(u64, bool), u32> {
    let mut of_like: HashMap<(u64, bool), u32> = HashMap::new();
    for one in missed {
        let nearest = one.likes.last().copied().unwrap_or_default();
        *of_like.entry((nearest, one.below.is_some())).or_default() += 1;
    }
    of_like
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
