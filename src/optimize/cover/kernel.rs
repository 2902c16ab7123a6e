//! The exact side of a search: the columns that a cheaper cover could still have, given to the integer program solver where
//! that is quickest and to the branch-and-bound tree otherwise.

use super::clock::Clock;
use super::exact::Tree;
use super::lagrangian::{Prices, price_out};
use super::matrix::Matrix;
use super::reduce::of_columns;
use crate::optimize::ilp::{self, IlpError, Program, Row};

/// A tree is grown on kernels of at most so many columns and ones.
const MOST_COLUMNS: usize = 20_000;
const MOST_ENTRIES: usize = 300_000;
/// The integer program solver gets kernels whose bound is at least this share of the cost: there its linear programs
/// leave little to branch on.
const TIGHT: f64 = 0.9;
/// It may take this share of the time that is left, for it can't be cut and continued.
const SHARE_OF_TIME: u32 = 4;
/// A tree that would take more work than this in all, by the part of it that is done, is not likely to be finished.
const HOPELESS_WORK: f64 = 5e10;
/// Before so much work is done, nothing can be told.
const HOPELESS_AFTER: u64 = 300_000_000;

/// What is left to be decided exactly.
#[derive(Debug)]
pub struct Kernel {
    matrix: Matrix,
    columns: Vec<u32>,
    tree: Tree,
    for_solver: bool,
}

impl Kernel {
    /// The columns that a cover cheaper than `cost` can have, where they are few enough, and at most `few`.
    pub fn new(matrix: &Matrix, prices: &Prices, cost: f64, few: Option<usize>) -> Option<Self> {
        let (reduced, bound) = price_out(matrix, &prices.rows);
        let columns: Vec<u32> = (0u32..)
            .zip(&reduced)
            .filter(|&(_, &reduced)| !matrix.closes(bound + reduced, cost))
            .map(|(column, _)| column)
            .collect();
        if columns.len() > few.unwrap_or(MOST_COLUMNS) {
            return None;
        }
        let part = of_columns(matrix, &columns);
        let entries = part.matrix.entries();
        (entries <= MOST_ENTRIES).then(|| Self {
            tree: Tree::new(part.matrix.clone(), prices.rows.clone(), bound),
            for_solver: entries <= ilp::ENTRIES_AT_EASE && bound >= TIGHT * cost,
            matrix: part.matrix,
            columns: part.columns,
        })
    }

    /// How many columns it has.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// No cover that is still to be found is cheaper; infinite when nothing is left to be found.
    pub fn bound(&self) -> f64 {
        self.tree.bound()
    }

    /// Which share of the tree is done, by a rough estimate.
    pub fn progress(&self) -> f64 {
        self.tree.progress()
    }

    /// Whether the work done so far says that far too much is left.
    pub fn is_hopeless(&self) -> bool {
        let work = self.tree.work();
        work > HOPELESS_AFTER && work as f64 > HOPELESS_WORK * self.tree.progress()
    }

    /// Works on for about `work` elementary steps; a cover cheaper than `upper`, if it finds one.
    pub fn run(&mut self, upper: f64, work: u64, clock: &Clock) -> Option<Vec<u32>> {
        let found = if std::mem::take(&mut self.for_solver) {
            self.solve(upper, clock)
        } else {
            self.tree.run(upper, work, clock)
        }?;
        Some(
            found
                .iter()
                .filter_map(|&column| self.columns.get(column as usize).copied())
                .collect(),
        )
    }

    /// Lets the integer program solver decide the whole kernel.
    fn solve(&mut self, upper: f64, clock: &Clock) -> Option<Vec<u32>> {
        let rows = 0..self.matrix.rows() as u32;
        let program = Program {
            costs: self.matrix.costs().to_vec(),
            rows: rows
                .map(|row| Row::any_of(self.matrix.columns_of(row).iter().copied()))
                .collect(),
        };
        match ilp::solve(&program, clock.left() / SHARE_OF_TIME) {
            Ok(best) => {
                if best.optimal {
                    self.tree.close();
                }
                let mut cover = best.chosen;
                self.matrix.drop_redundant(&mut cover);
                let cost = self.matrix.cost_of(&cover);
                self.matrix.improves(cost, upper).then_some(cover)
            }
            Err(IlpError::Infeasible { .. }) => {
                // No cover has only columns that a cheaper one can have: there is no cheaper one.
                self.tree.close();
                None
            }
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn triangle() -> Matrix {
        Matrix::new(3, [(2.0, vec![0, 1]), (2.0, vec![1, 2]), (2.0, vec![0, 2])])
    }

    fn decide(bound_at: f64, cost: f64) -> (Option<Vec<u32>>, f64) {
        let clock = Clock::new(Duration::from_secs(60));
        let matrix = triangle();
        let prices = Prices {
            rows: vec![bound_at; 3],
            bound: 3.0 * bound_at,
            work: 0,
        };
        let mut kernel = Kernel::new(&matrix, &prices, cost, None).unwrap();
        let mut found = None;
        for _ in 0..10 {
            found = kernel.run(cost, 10_000, &clock).or(found);
        }
        (found, kernel.bound())
    }

    #[test]
    fn solver_and_tree_agree() {
        for price in [0.0, 1.0] {
            let (found, bound) = decide(price, 6.0);
            assert_eq!(found.map(|cover| cover.len()), Some(2));
            assert_eq!(bound, f64::INFINITY);
            assert_eq!(decide(price, 4.0), (None, f64::INFINITY));
        }
    }
}
