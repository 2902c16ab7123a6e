//! Covers built column after column, each time by the one that asks least for a row that is open yet.
#![allow(clippy::indexing_slicing, reason = "dense numeric kernel: see the invariant")]
// INVARIANT: rows and columns come from one `Matrix`, whose indices are in range, and every array here has its length.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::matrix::Matrix;

/// The greedy cover, ascending: at most the harmonic number of the largest column above the optimum.
pub fn greedy(matrix: &Matrix) -> Vec<u32> {
    let mut chosen = Vec::new();
    complete(matrix, &vec![0.0; matrix.rows()], &mut chosen, usize::MAX);
    matrix.drop_redundant(&mut chosen);
    chosen
}

/// A column with what it asks for each row that it would newly cover.
struct Offer {
    score: f64,
    column: u32,
}

impl Ord for Offer {
    // The heap gives the least score first, then the lowest column.
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(other.column.cmp(&self.column))
    }
}

impl PartialOrd for Offer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Offer {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Offer {}

/// Completes `chosen` to a cover, each time by the column that the prices favour most per uncovered row; at most `most` more.
pub fn complete(matrix: &Matrix, prices: &[f64], chosen: &mut Vec<u32>, most: usize) {
    let mut covered = vec![false; matrix.rows()];
    let mut open = matrix.rows();
    for &column in chosen.iter() {
        open -= cover(matrix, column, &mut covered);
    }
    let mut offers: BinaryHeap<Offer> = (0..matrix.columns() as u32)
        .filter_map(|column| offer(matrix, column, prices, &covered))
        .collect();
    let mut added = 0;
    while open > 0 && added < most {
        let Some(best) = offers.pop() else { break };
        // Covered rows only ever worsen an offer, so the first that still stands is the best.
        match offer(matrix, best.column, prices, &covered) {
            Some(now) if now.score <= best.score => {
                open -= cover(matrix, now.column, &mut covered);
                chosen.push(now.column);
                added += 1;
            }
            Some(now) => offers.push(now),
            None => {}
        }
    }
}

/// Covers the rows of a column; how many were open.
pub fn cover(matrix: &Matrix, column: u32, covered: &mut [bool]) -> usize {
    let mut newly = 0;
    for &row in matrix.rows_of(column) {
        if !std::mem::replace(&mut covered[row as usize], true) {
            newly += 1;
        }
    }
    newly
}

/// What the column asks now; nothing where it has no open row.
fn offer(matrix: &Matrix, column: u32, prices: &[f64], covered: &[bool]) -> Option<Offer> {
    let mut gain = 0;
    let mut rest = matrix.cost(column);
    for &row in matrix.rows_of(column) {
        if !covered[row as usize] {
            gain += 1;
            rest -= prices[row as usize];
        }
    }
    let gain = (gain > 0).then_some(f64::from(gain))?;
    Some(Offer {
        score: if rest > 0.0 { rest / gain } else { rest * gain },
        column,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_into_its_known_trap() {
        // The optimum is the two halves; the greedy order prefers the overlapping doubling sets.
        let matrix = Matrix::new(6, [(1.0, vec![0, 1, 3, 4]), (1.0, vec![0, 1, 2]), (1.0, vec![3, 4, 5])]);
        assert_eq!(greedy(&matrix).len(), 2);
    }

    #[test]
    fn free_columns_cost_nothing() {
        let matrix = Matrix::new(2, [(0.0, vec![0]), (3.0, vec![0, 1]), (0.0, vec![1])]);
        assert_eq!(greedy(&matrix), [0, 2]);
    }
}
