//! Weighted set cover: choose columns of least total cost so that every row is in one.
//!
//! [`solve`] always answers with a cover, a proven lower bound, and whether the two meet. It knows no domain word.

mod clock;
mod dive;
mod exact;
mod greedy;
mod instance;
mod kernel;
mod lagrangian;
#[cfg(test)]
mod laws;
mod local;
mod matrix;
mod reduce;
mod repair;
mod search;

use std::time::Duration;

use crate::random::Random;
use clock::Clock;
pub use instance::{Column, Instance, InstanceError};
use lagrangian::initial_prices;
use matrix::Matrix;
use rayon::prelude::*;
use reduce::{components, reduce};
use search::Search;

/// Elementary steps that reductions may take before the search begins.
const REDUCTION_EFFORT: u64 = 100_000_000;

/// How long a search may take, and from which seed it draws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The search ends about here with the best it has.
    pub time_limit: Duration,
    /// Same instance, same seed, same answer, unless the clock cut the search short.
    pub seed: u64,
    /// The search also ends after this many rounds: a limit that, unlike the clock, cuts everywhere alike.
    pub max_rounds: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time_limit: Duration::from_secs(10),
            seed: 0,
            max_rounds: None,
        }
    }
}

/// A cover with what is known about how good it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Cover {
    /// The chosen columns, ascending.
    pub columns: Vec<u32>,
    /// Their total cost.
    pub cost: f64,
    /// No cover costs less than this.
    pub lower_bound: f64,
    /// Whether the bound proves that no cover is cheaper.
    pub optimal: bool,
}

impl Cover {
    fn of(matrix: &Matrix, columns: Vec<u32>, lower_bound: f64) -> Self {
        let cost = matrix.cost_of(&columns);
        let optimal = matrix.closes(lower_bound, cost);
        Self {
            columns,
            cost,
            lower_bound: if optimal { cost } else { lower_bound },
            optimal,
        }
    }
}

/// The greedy cover: quick, and at most the harmonic number of the largest column above the optimum.
pub fn greedy(instance: &Instance) -> Cover {
    let matrix = Matrix::from(instance);
    let bound = initial_prices(&matrix).bound;
    Cover::of(&matrix, greedy::greedy(&matrix), matrix.round_bound(bound))
}

/// The cheapest cover that can be found within the limits, with the best bound that can be proven.
pub fn solve(instance: &Instance, limits: &Limits) -> Cover {
    let clock = Clock::new(limits.time_limit);
    let matrix = Matrix::from(instance);
    let reduced = reduce(&matrix, REDUCTION_EFFORT, &clock);
    let mut searches: Vec<Search> = components(&matrix, &reduced)
        .into_par_iter()
        .enumerate()
        .map(|(index, part)| Search::new(part, Random::of(limits.seed, index as u64)))
        .collect();
    for _ in 0..limits.max_rounds.unwrap_or(u32::MAX) {
        let mut open: Vec<&mut Search> = searches.iter_mut().filter(|search| !search.is_done()).collect();
        if open.is_empty() || clock.is_over() {
            break;
        }
        open.par_iter_mut().for_each(|search| search.round(&clock));
    }
    let mut columns = reduced.chosen;
    let mut bound = matrix.cost_of(&columns);
    for search in &searches {
        columns.extend(search.columns());
        bound += search.bound();
    }
    matrix.drop_redundant(&mut columns);
    Cover::of(&matrix, columns, matrix.round_bound(bound))
}
