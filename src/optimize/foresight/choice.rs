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
use rayon::prelude::*;

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
    let keep = Chosen {
        form: Form::Keep,
        open: unit.open,
        denied: 0.0,
    };
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
pub fn at(units: &[Unit], expected: &[Expected], price: f64, piece: f64) -> (Vec<Chosen>, f64, f64) {
    let chosen: Vec<Chosen> = units
        .par_iter()
        .zip(expected)
        .map(|(unit, e)| best(unit, e, price, piece))
        .collect();
    let (open, denied) = chosen
        .iter()
        .fold((0.0, 0.0), |sum, c| (sum.0 + c.open, sum.1 + c.denied));
    (chosen, open, denied)
}
