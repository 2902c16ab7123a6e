//! Large neighbourhoods: take a connected piece out of the best cover and fill the hole as cheaply as can be proven.
#![allow(clippy::indexing_slicing, reason = "dense numeric kernel: see the invariant")]
// INVARIANT: rows and columns come from one `Matrix`, whose indices are in range; prices have one entry a row; the maps of
// a `Part` point into the matrix it was cut from.

use super::clock::Clock;
use super::exact::{Tree, has_dead_row};
use super::lagrangian::{Climb, climb, price_out};
use super::matrix::Matrix;
use super::reduce::{of_columns, reduce, submatrix};
use crate::random::Random;

/// Columns of the first hole, and of the smallest.
const FIRST_SIZE: f64 = 12.0;
const LEAST_SIZE: f64 = 4.0;
/// A hole that was closed makes the next one larger; one that was too hard, smaller.
const GROWTH: f64 = 1.03;
const SHRINKAGE: f64 = 0.9;
/// A hole is too hard when it takes more than this share of a slice.
const SHARE_OF_SLICE: u64 = 8;
/// So much work without a cheaper cover is enough.
const PATIENCE: u64 = 200_000_000;
/// Steps that reductions may take for each one of the hole.
const REDUCTION_SHARE: u64 = 60;

/// How large the holes are by now.
#[derive(Debug)]
pub struct Repair {
    size: f64,
    base: Vec<u32>,
    /// Work since the base last got cheaper.
    stale: u64,
    random: Random,
}

/// What became of a hole.
enum Outcome {
    Cheaper(Vec<u32>),
    Closed,
    TooHard,
}

impl Repair {
    /// Starts with small holes in a cover.
    pub fn new(base: Vec<u32>, random: Random) -> Self {
        Self {
            size: FIRST_SIZE,
            base,
            stale: 0,
            random,
        }
    }

    /// Goes on from another cover.
    pub fn restart(&mut self, base: Vec<u32>) {
        self.base = base;
        self.stale = 0;
    }

    /// The cover that is worked on.
    pub fn base(&self) -> &[u32] {
        &self.base
    }

    /// Whether long work has brought nothing.
    pub fn is_stale(&self) -> bool {
        self.stale > PATIENCE
    }

    /// Works for about `work` elementary steps on making its cover cheaper.
    pub fn run(&mut self, matrix: &Matrix, prices: &[f64], work: u64, clock: &Clock) {
        let mut left = work;
        while left > 0 && !clock.is_over() && !self.base.is_empty() {
            let hole = self.hole(matrix);
            let most = work / SHARE_OF_SLICE;
            let (outcome, used) = fill(matrix, &self.base, &hole, prices, most, clock);
            left = left.saturating_sub(used);
            self.stale += used;
            match outcome {
                Outcome::Cheaper(cheaper) => self.restart(cheaper),
                Outcome::Closed if hole.len() == self.base.len() => break,
                Outcome::Closed => self.size *= GROWTH,
                Outcome::TooHard => self.size = (self.size * SHRINKAGE).max(LEAST_SIZE),
            }
        }
    }

    /// Columns of the cover that hang together: grown from a random row through columns that could replace them.
    fn hole(&mut self, matrix: &Matrix) -> Vec<u32> {
        let wanted = (self.size as usize).min(self.base.len());
        let mut in_cover = vec![false; matrix.columns()];
        for &column in &self.base {
            in_cover[column as usize] = true;
        }
        let mut freed = Vec::new();
        let mut rows: Vec<u32> = vec![self.random.below(matrix.rows()) as u32];
        let mut attempts = 0;
        while freed.len() < wanted {
            attempts += 1;
            let row = if attempts % (20 * wanted) == 0 {
                // Nothing new within reach: go on elsewhere.
                self.random.below(matrix.rows()) as u32
            } else {
                rows[self.random.below(rows.len())]
            };
            let columns = matrix.columns_of(row);
            let through = columns[self.random.below(columns.len())];
            for &reached in matrix.rows_of(through) {
                for &column in matrix.columns_of(reached) {
                    if freed.len() < wanted && std::mem::take(&mut in_cover[column as usize]) {
                        freed.push(column);
                        rows.extend_from_slice(matrix.rows_of(column));
                    }
                }
            }
        }
        freed
    }
}

/// The cheapest way to cover what only the hole's columns cover, if it can be found with the work allowed.
fn fill(matrix: &Matrix, cover: &[u32], hole: &[u32], prices: &[f64], work: u64, clock: &Clock) -> (Outcome, u64) {
    let kept: Vec<u32> = cover.iter().copied().filter(|column| !hole.contains(column)).collect();
    let rows = matrix.open_rows(&kept);
    let mut columns: Vec<u32> = rows.iter().flat_map(|&row| matrix.columns_of(row)).copied().collect();
    columns.sort_unstable();
    columns.dedup();
    let open = submatrix(matrix, &rows, &columns);
    let entries = open.matrix.entries() as u64;
    let reduced = reduce(&open.matrix, entries * REDUCTION_SHARE, clock);
    let mut used = entries * 20 + matrix.rows() as u64;
    let upper = matrix.cost_of(hole);
    let chosen: Vec<u32> = reduced
        .chosen
        .iter()
        .map(|&column| open.columns[column as usize])
        .collect();
    let spent = matrix.cost_of(&chosen);
    let inner = submatrix(&open.matrix, &reduced.rows, &reduced.columns);
    let done = |found: Vec<u32>| {
        let mut whole = kept.clone();
        whole.extend(&chosen);
        whole.extend(found);
        matrix.drop_redundant(&mut whole);
        if matrix.improves(matrix.cost_of(&whole), matrix.cost_of(cover)) {
            Outcome::Cheaper(whole)
        } else {
            Outcome::Closed
        }
    };
    if reduced.rows.is_empty() {
        return (done(Vec::new()), used);
    }
    let of_inner = |column: u32| open.columns[inner.columns[column as usize] as usize];
    let start = inner
        .rows
        .iter()
        .map(|&row| prices[open.rows[row as usize] as usize])
        .collect();
    let how = Climb {
        steps: 300,
        patience: 100,
        gain: 0.0005,
        width: 0.05,
    };
    used += 200 * inner.matrix.entries() as u64;
    let climbed = climb(&inner.matrix, start, upper - spent, how, clock);
    let (costs, bound) = price_out(&inner.matrix, &climbed.rows);
    if matrix.closes(bound + spent, upper) {
        return (Outcome::Closed, used);
    }
    let columns: Vec<u32> = (0u32..)
        .zip(&costs)
        .filter(|&(_, &cost)| !matrix.closes(bound + spent + cost, upper))
        .map(|(column, _)| column)
        .collect();
    let kernel = of_columns(&inner.matrix, &columns);
    if has_dead_row(&kernel.matrix) {
        return (Outcome::Closed, used);
    }
    let mut tree = Tree::new(kernel.matrix, climbed.rows, bound);
    let found = tree.run(upper - spent, work, clock);
    used += tree.work();
    match found {
        Some(found) => {
            let found = found
                .iter()
                .map(|&column| of_inner(kernel.columns[column as usize]))
                .collect();
            (done(found), used)
        }
        None if tree.is_closed() => (Outcome::Closed, used),
        None => (Outcome::TooHard, used),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn fills_a_hole_more_cheaply() {
        let matrix = Matrix::new(
            6,
            [
                (2.0, vec![0, 1]),
                (2.0, vec![2, 3]),
                (3.0, vec![0, 1, 2, 3]),
                (1.0, vec![4, 5]),
            ],
        );
        let clock = Clock::new(Duration::from_secs(60));
        let mut repair = Repair::new(vec![0, 1, 3], Random::of(1, 0));
        repair.run(&matrix, &[0.0; 6], 100_000, &clock);
        assert_eq!(repair.base(), [2, 3]);
        assert!(!repair.is_stale());
    }
}
