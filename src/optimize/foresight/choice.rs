//! The forms that leave the least open within a budget of expected wrong denials: a knapsack with one form for each unit.
//!
//! With a price for an expected wrong denial, the best form of every unit is found by itself, place by place from the leaves up.
//! The sum over all units then is the least that can be left open at what it costs (Lagrange); the right price is looked for by
//! bisection. What is left of the budget at the end is filled by an integer program over the units whose form changes next.
#![allow(
    clippy::indexing_slicing,
    reason = "INVARIANT: places and costs of a unit are as long as each other"
)]

use super::births::Unit;
use super::forecast::Expected;
use crate::optimize::ilp;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What becomes of a unit.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// It stays whole.
    Keep,
    /// It goes.
    Drop,
    /// These places stay, each whole; all others go.
    Places(Vec<u32>),
}

/// A form with what it leaves and costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// The form.
    pub form: Form,
    /// What stays open.
    pub open: f64,
    /// Expected wrong denials.
    pub denied: f64,
}

/// The form that is best at a price of an expected wrong denial; `piece` is the price of one place more.
#[must_use]
pub fn best(unit: &Unit, expected: &Expected, price: f64, piece: f64) -> Chosen {
    let keep = kept(unit);
    if !unit.free {
        return keep;
    }
    let used = expected.counts.first().is_some_and(|n| *n > 0);
    if !used {
        return match expected.drop {
            Some(denied) if price * denied < unit.open + piece => Chosen {
                form: Form::Drop,
                open: 0.0,
                denied,
            },
            _ => keep,
        };
    }
    if !unit.narrows {
        return keep;
    }
    // From the leaves up: what is best below each place, by price, what stays open and what is denied.
    let count = unit.places.len();
    let mut below: Vec<(f64, f64, f64)> = vec![(0.0, 0.0, 0.0); count];
    let mut whole = vec![true; count];
    for n in (0..count).rev() {
        let place = &unit.places[n];
        if expected.counts[n] == 0 {
            continue;
        }
        let stays = (place.open + piece, place.open, 0.0);
        let mut best = stays;
        if place.uses.is_empty() {
            let (sum, open, denied) = below[n];
            let narrow = (sum + price * expected.narrow[n], open, denied + expected.narrow[n]);
            if narrow.0 < stays.0 - 1e-9 {
                best = narrow;
                whole[n] = false;
            }
        }
        below[n] = best;
        if let Some(parent) = place.parent {
            let above = &mut below[parent as usize];
            above.0 += best.0;
            above.1 += best.1;
            above.2 += best.2;
        }
    }
    if whole[0] {
        return keep;
    }
    let mut places = Vec::new();
    let mut open: Vec<bool> = vec![false; count];
    for n in 0..count {
        let place = &unit.places[n];
        let reached = place.parent.is_none_or(|p| open[p as usize]);
        if !reached || expected.counts[n] == 0 {
            continue;
        }
        if whole[n] {
            places.push(u32::try_from(n).unwrap_or(u32::MAX));
        } else {
            open[n] = true;
        }
    }
    Chosen {
        form: Form::Places(places),
        open: below[0].1,
        denied: below[0].2,
    }
}

/// The best forms of all units at one price, and their sums: what stays open, what is denied.
#[must_use]
pub fn at(units: &[Unit], expected: &[Expected], stays: &[bool], price: f64, piece: f64) -> (Vec<Chosen>, f64, f64) {
    let chosen: Vec<Chosen> = units
        .par_iter()
        .zip(expected)
        .zip(stays)
        .map(|((unit, e), stays)| {
            if *stays {
                kept(unit)
            } else {
                best(unit, e, price, piece)
            }
        })
        .collect();
    let (open, denied) = chosen
        .iter()
        .fold((0.0, 0.0), |sum, c| (sum.0 + c.open, sum.1 + c.denied));
    (chosen, open, denied)
}

/// The unit as it is.
fn kept(unit: &Unit) -> Chosen {
    Chosen {
        form: Form::Keep,
        open: unit.open,
        denied: 0.0,
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Expected wrong denials of all.
    pub budget: f64,
    /// Of one of those who would be denied.
    pub each: f64,
    /// What an expected wrong denial is worth at the least, in what stays open, whatever the budget.
    pub worth: f64,
}

/// The best that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// A form for each unit.
    pub chosen: Vec<Chosen>,
    /// What stays open.
    pub open: f64,
    /// Expected wrong denials.
    pub denied: f64,
    /// Nothing within the budget leaves less open than this.
    pub bound: f64,
    /// The price at which the forms were looked for.
    pub price: f64,
}

/// Prices are looked for between these powers of ten.
const PRICES: (f64, f64) = (-6.0, 12.0);
/// How often the price is halved towards the budget.
const HALVINGS: usize = 36;
/// How often others are looked for in the place of those for whom it is too much.
const ROUNDS: usize = 3;
/// So many forms are weighed against each other for what is left of the budget.
const MOST_FORMS: usize = 120;

/// The forms that leave the least open within the limits.
#[must_use]
pub fn within(units: &[Unit], expected: &[Expected], piece: f64, limits: Limits) -> Choice {
    let mut stays = vec![false; units.len()];
    let mut choice = cheapest(units, expected, &stays, piece, limits);
    let bound = choice.bound;
    for _ in 0..ROUNDS {
        if !spare(units, &choice, limits.each, &mut stays) {
            break;
        }
        choice = cheapest(units, expected, &stays, piece, limits);
    }
    // Whoever still bears too much after that is spared without looking for something else to take.
    if spare(units, &choice, limits.each, &mut stays) {
        for ((unit, chosen), stays) in units.iter().zip(&mut choice.chosen).zip(&stays) {
            if *stays && chosen.form != Form::Keep {
                choice.open += unit.open - chosen.open;
                choice.denied -= chosen.denied;
                *chosen = kept(unit);
            }
        }
    }
    // The bound without limits for each holds with them too.
    choice.bound = bound.min(choice.open);
    choice
}

/// Marks units to stay, until nobody would be denied too often: those first that gain the least for it. Whether any was marked.
fn spare(units: &[Unit], choice: &Choice, each: f64, stays: &mut [bool]) -> bool {
    let mut borne: BTreeMap<u32, (f64, Vec<(usize, f64)>)> = BTreeMap::new();
    for (n, (unit, chosen)) in units.iter().zip(&choice.chosen).enumerate() {
        for (who, share) in unit.shares.iter().filter(|(_, share)| share * chosen.denied > 0.0) {
            let all = borne.entry(*who).or_default();
            all.0 += share * chosen.denied;
            all.1.push((n, share * chosen.denied));
        }
    }
    let mut any = false;
    for (mut sum, mut list) in borne.into_values().filter(|(sum, _)| *sum > each * (1.0 + 1e-9)) {
        let worth = |n: usize| {
            let gain = units
                .get(n)
                .zip(choice.chosen.get(n))
                .map_or(0.0, |(u, c)| u.open - c.open);
            let cost = choice.chosen.get(n).map_or(1.0, |c| c.denied);
            gain / cost.max(1e-12)
        };
        list.sort_by(|a, b| worth(a.0).total_cmp(&worth(b.0)).then(a.0.cmp(&b.0)));
        for (n, part) in list {
            if sum <= each {
                break;
            }
            sum -= part;
            if let Some(stays) = stays.get_mut(n) {
                any |= !*stays;
                *stays = true;
            }
        }
    }
    any
}

fn cheapest(units: &[Unit], expected: &[Expected], stays: &[bool], piece: f64, limits: Limits) -> Choice {
    let at = |power: f64| {
        let price = 10_f64.powf(power);
        let (chosen, open, denied) = at(units, expected, stays, price, piece);
        Choice {
            chosen,
            open,
            denied,
            bound: 0.0,
            price,
        }
    };
    // Whatever the price: what leaves the least at it says how little can be left within the budget.
    let bound = |c: &Choice| c.open + c.price * (c.denied - limits.budget);
    let (mut low, mut high) = (PRICES.0.max(limits.worth.log10()), PRICES.1);
    let all = at(low);
    if limits.worth > 0.0 && all.denied <= limits.budget {
        // What costs more than it is worth stays, however much of the budget is left.
        return Choice { bound: all.open, ..all };
    }
    let mut best = at(high);
    let mut least = bound(&best).max(0.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        let found = at(middle);
        least = least.max(bound(&found));
        if found.denied <= limits.budget {
            best = found;
            high = middle;
        } else {
            low = middle;
        }
    }
    // No budget at all means no expectation at all, however small.
    if limits.budget > 0.0 {
        fill(units, expected, stays, piece, limits, &mut best);
    }
    best.bound = least.min(best.open);
    best
}

/// Fills what is left of the budget: an integer program over the forms that come next.
fn fill(units: &[Unit], expected: &[Expected], stays: &[bool], piece: f64, limits: Limits, best: &mut Choice) {
    let left = limits.budget - best.denied;
    if left <= 1e-9 {
        return;
    }
    let mut offers: Vec<(usize, Chosen, f64, f64)> = Vec::new();
    for step in 1..=8 {
        let price = (best.price * 0.5_f64.powi(step)).max(limits.worth);
        for (n, ((unit, e), stays)) in units.iter().zip(expected).zip(stays).enumerate() {
            let (Some(now), false) = (best.chosen.get(n), *stays) else {
                continue;
            };
            let other = self::best(unit, e, price, piece);
            let (gain, cost) = (now.open - other.open, other.denied - now.denied);
            let known = offers
                .iter()
                .rev()
                .any(|(m, form, _, _)| *m == n && form.form == other.form);
            if gain > limits.worth * cost && cost > 0.0 && cost <= left && !known {
                offers.push((n, other, gain, cost));
            }
        }
        if offers.len() >= MOST_FORMS {
            break;
        }
    }
    offers.sort_by(|a, b| (b.2 / b.3).total_cmp(&(a.2 / a.3)).then(a.0.cmp(&b.0)));
    offers.truncate(MOST_FORMS);
    for n in picked(&offers, left) {
        let Some((unit, form, gain, cost)) = offers.get(n) else {
            continue;
        };
        if let Some(now) = best.chosen.get_mut(*unit) {
            *now = form.clone();
            best.open -= gain;
            best.denied += cost;
        }
    }
}

/// Which offers to take: at most one a unit, within what is left.
fn picked(offers: &[(usize, Chosen, f64, f64)], left: f64) -> Vec<usize> {
    if offers.is_empty() {
        return Vec::new();
    }
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut by_unit: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for (n, (unit, ..)) in offers.iter().enumerate() {
        by_unit.entry(*unit).or_default().push(number(n));
    }
    let row = |terms: Vec<(u32, f64)>, bound: f64| ilp::Row {
        terms,
        sense: ilp::Sense::AtMost,
        bound,
    };
    let mut rows = vec![row(
        offers.iter().enumerate().map(|(n, o)| (number(n), o.3)).collect(),
        left,
    )];
    let several = by_unit.into_values().filter(|list| list.len() > 1);
    rows.extend(several.map(|list| row(list.into_iter().map(|n| (n, 1.0)).collect(), 1.0)));
    let program = ilp::Program {
        costs: offers.iter().map(|o| -o.2).collect(),
        rows,
    };
    let solved = ilp::solve(&program, Duration::from_millis(400));
    let greedy = || {
        let mut left = left;
        let mut taken: BTreeSet<usize> = BTreeSet::new();
        let mut picked = Vec::new();
        for (n, (unit, _, _, cost)) in offers.iter().enumerate() {
            if *cost <= left && taken.insert(*unit) {
                left -= cost;
                picked.push(n);
            }
        }
        picked
    };
    match solved {
        // An answer that the clock cut short differs from run to run: the same input has to give the same.
        Ok(found) if found.optimal => found.chosen.into_iter().map(|n| n as usize).collect(),
        _ => greedy(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::births::Place;
    use super::*;
    use proptest::prelude::*;

    fn unused(open: f64, denied: f64, who: u32) -> (Unit, Expected) {
        let unit = Unit {
            open,
            free: true,
            shares: vec![(who, 1.0)],
            ..Unit::default()
        };
        let expected = Expected {
            drop: Some(denied),
            ..Expected::default()
        };
        (unit, expected)
    }

    fn limits(budget: f64) -> Limits {
        Limits {
            budget,
            each: 1e9,
            worth: 0.0,
        }
    }

    #[test]
    fn what_is_left_of_a_budget_is_filled() {
        let (units, expected): (Vec<_>, Vec<_>) = [unused(100.0, 1.0, 0), unused(90.0, 3.0, 1), unused(20.0, 1.0, 2)]
            .into_iter()
            .unzip();
        let found = within(&units, &expected, 0.0, limits(2.0));
        assert_eq!((found.open, found.denied), (90.0, 2.0));
        assert!(found.bound <= found.open);
    }

    #[test]
    fn what_costs_more_than_it_closes_stays_however_large_the_budget() {
        let (units, expected): (Vec<_>, Vec<_>) = [unused(100.0, 1.0, 0), unused(90.0, 300.0, 1)].into_iter().unzip();
        let worth = |worth: f64| {
            let limits = Limits { worth, ..limits(1e6) };
            let found = within(&units, &expected, 0.0, limits);
            assert!(found.bound <= found.open);
            found.open
        };
        assert_eq!((worth(0.0), worth(0.5), worth(200.0)), (0.0, 90.0, 190.0));
    }

    #[test]
    fn nobody_bears_more_than_one_may() {
        let (units, expected): (Vec<_>, Vec<_>) = [unused(100.0, 1.0, 7), unused(90.0, 1.0, 7), unused(20.0, 1.0, 8)]
            .into_iter()
            .unzip();
        let found = within(
            &units,
            &expected,
            0.0,
            Limits {
                budget: 3.0,
                each: 1.0,
                worth: 0.0,
            },
        );
        let of_seven = found.chosen.iter().take(2).map(|c| c.denied).sum::<f64>();
        assert!(of_seven <= 1.0 && found.denied > 0.0, "{found:?}");
    }

    #[test]
    fn a_folder_where_something_new_comes_stays_and_a_steady_one_is_narrowed() {
        let place = |parent, depth, open, uses: &[(i32, u32)]| Place {
            parent,
            depth,
            open,
            first: 0,
            uses: uses.to_vec(),
        };
        let unit = Unit {
            places: vec![
                place(None, 0, 100.0, &[]),
                place(Some(0), 1, 40.0, &[]),
                place(Some(1), 2, 0.0, &[(0, 1)]),
                place(Some(0), 1, 0.0, &[(0, 1)]),
            ],
            open: 100.0,
            narrows: true,
            free: true,
            ..Unit::default()
        };
        let expected = Expected {
            drop: None,
            narrow: vec![0.1, 50.0, 0.0, 0.0],
            counts: vec![2, 1, 1, 1],
            burst: 1.0,
            ..Expected::default()
        };
        let found = best(&unit, &expected, 10.0, 0.0);
        assert_eq!(found.form, Form::Places(vec![1, 3]));
        assert_eq!((found.open, found.denied), (40.0, 0.1));
    }

    proptest! {
        #[test]
        fn a_larger_budget_never_leaves_more(
            list in prop::collection::vec((1_u32..100, 1_u32..100), 1..12),
            small in 0_u32..200,
            more in 0_u32..200,
            worth in 0_u32..30,
        ) {
            let (units, expected): (Vec<_>, Vec<_>) = list
                .iter()
                .zip(0..)
                .map(|((open, denied), who)| unused(f64::from(*open), f64::from(*denied) / 10.0, who))
                .unzip();
            let worth = f64::from(worth);
            let open = |budget: u32| within(&units, &expected, 0.0, Limits { worth, ..limits(f64::from(budget) / 10.0) });
            let (less, much) = (open(small), open(small + more));
            prop_assert!(much.open <= less.open + 1e-6);
            prop_assert!(less.denied <= f64::from(small) / 10.0 + 1e-6);
        }
    }
}
