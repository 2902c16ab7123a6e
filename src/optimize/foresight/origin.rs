//! The same choice made at an earlier day of the past, where it is known what came next: how far off it would have been.
#![allow(
    clippy::indexing_slicing,
    reason = "INVARIANT: places are indexed by their own numbers"
)]

use super::births::Unit;
use super::choice::{self, Chosen, Form};
use super::forecast::{Expected, forecast};
use rayon::prelude::*;

/// An earlier day with what is expected from it.
pub struct Origin {
    /// The day.
    pub at: i32,
    /// The day after the last that is known.
    pub end: i32,
    pub(super) expected: Vec<Expected>,
}

/// What a choice at an earlier day promised, and what came.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Checked {
    /// Expected wrong denials until the end of the past.
    pub promised: f64,
    /// Those that came.
    pub denied: f64,
    /// All uses that came.
    pub uses: f64,
}

/// Earlier days that have at least twice as much past as what is known of their future.
#[must_use]
pub fn origins(units: &[Unit], end: i32, horizon: i32) -> Vec<Origin> {
    let longest = horizon.min(end / 3);
    [longest, longest / 2]
        .into_iter()
        .filter(|ahead| *ahead >= 5)
        .map(|ahead| Origin {
            at: end - ahead,
            end,
            expected: forecast(units, &[], end - ahead, ahead),
        })
        .collect()
}

impl Origin {
    /// What the best forms at this price would have denied.
    #[must_use]
    pub fn check(&self, units: &[Unit], price: f64, piece: f64) -> Checked {
        let pairs = units.par_iter().zip(&self.expected);
        let all = pairs.map(|(unit, expected)| self.came(unit, &choice::best(unit, expected, price, piece)));
        all.collect::<Vec<_>>()
            .into_iter()
            .fold(Checked::default(), Checked::and)
    }

    /// What these forms would have denied.
    #[must_use]
    pub fn tried(&self, units: &[Unit], chosen: &[Chosen]) -> Checked {
        let pairs = units.par_iter().zip(chosen);
        let all = pairs.map(|(unit, chosen)| self.came(unit, chosen));
        all.collect::<Vec<_>>()
            .into_iter()
            .fold(Checked::default(), Checked::and)
    }

    /// What came for a unit in its form.
    fn came(&self, unit: &Unit, chosen: &Chosen) -> Checked {
        let came = |n: usize| -> f64 {
            let uses = unit.places[n].uses.iter();
            uses.filter(|(day, _)| (self.at..self.end).contains(day))
                .map(|(_, n)| f64::from(*n))
                .sum()
        };
        let mut whole = vec![false; unit.places.len()];
        if let Form::Places(kept) = &chosen.form {
            for &n in kept {
                whole[n as usize] = true;
            }
        }
        let mut checked = Checked {
            promised: chosen.denied,
            ..Checked::default()
        };
        for (n, place) in unit.places.iter().enumerate() {
            whole[n] |= place.parent.is_some_and(|p| whole[p as usize]);
            let uses = came(n);
            checked.uses += uses;
            let denied = match chosen.form {
                Form::Keep => false,
                Form::Drop => true,
                Form::Places(_) => !whole[n],
            };
            if denied {
                checked.denied += uses;
            }
        }
        checked
    }
}

impl Checked {
    fn and(self, other: Self) -> Self {
        Self {
            promised: self.promised + other.promised,
            denied: self.denied + other.denied,
            uses: self.uses + other.uses,
        }
    }
}
