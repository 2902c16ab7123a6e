//! The greedy cover, and the lower bound that its own prices prove.
#![allow(clippy::indexing_slicing, reason = "dense numeric kernel: see the invariant")]
// INVARIANT: rows and columns come from one `Matrix`, whose indices are in range, and every array here has its length.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::matrix::Matrix;

/// A cover and the bound that came with it.
#[derive(Debug, Clone)]
pub struct Greedy {
    /// Chosen columns, ascending.
    pub chosen: Vec<u32>,
    /// No cover is cheaper than this.
    pub lower_bound: f64,
}

/// A column with its price per row that it would newly cover.
struct Offer {
    price: f64,
    gain: u32,
    column: u32,
}

impl Ord for Offer {
    // The heap gives the greatest first: the least price, then the most rows, then the lowest index.
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .price
            .total_cmp(&self.price)
            .then(self.gain.cmp(&other.gain))
            .then(other.column.cmp(&self.column))
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

/// Chooses the column of least cost per newly covered row until all rows are covered, then drops needless columns.
///
/// Dual fitting gives the bound: the prices paid for the rows, divided by the largest factor by which they overcharge any
/// column, are feasible for the dual. The factor is at most the harmonic number of the largest column.
pub fn greedy(matrix: &Matrix) -> Greedy {
    let mut paid = vec![f64::NAN; matrix.rows()];
    let mut chosen = Vec::new();
    let mut open = matrix.rows();
    let mut offers: BinaryHeap<Offer> = (0..matrix.columns() as u32)
        .filter_map(|column| offer(matrix, column, &paid))
        .collect();
    while open > 0 {
        let Some(best) = offers.pop() else { break };
        match offer(matrix, best.column, &paid) {
            Some(now) if now.gain == best.gain => {
                for &row in matrix.rows_of(now.column) {
                    if paid[row as usize].is_nan() {
                        paid[row as usize] = now.price;
                        open -= 1;
                    }
                }
                chosen.push(now.column);
            }
            // The offer was made before other columns took some of its rows: it goes back at today's price.
            Some(now) => offers.push(now),
            None => {}
        }
    }
    let total: f64 = paid.iter().sum();
    let overcharge = (0..matrix.columns() as u32)
        .filter(|&column| matrix.cost(column) > 0.0)
        .map(|column| {
            let charged: f64 = matrix.rows_of(column).iter().map(|&row| paid[row as usize]).sum();
            charged / matrix.cost(column)
        })
        .fold(1.0, f64::max);
    matrix.drop_redundant(&mut chosen);
    Greedy {
        chosen,
        lower_bound: matrix.round_bound(total / overcharge),
    }
}

fn offer(matrix: &Matrix, column: u32, paid: &[f64]) -> Option<Offer> {
    let gain = matrix
        .rows_of(column)
        .iter()
        .filter(|&&row| paid[row as usize].is_nan())
        .count() as u32;
    (gain > 0).then(|| Offer {
        price: matrix.cost(column) / f64::from(gain),
        gain,
        column,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_into_its_known_trap_and_bounds_it() {
        // The optimum is the two halves; the greedy order prefers the overlapping doubling sets.
        let matrix = Matrix::new(6, [(1.0, vec![0, 1, 3, 4]), (1.0, vec![0, 1, 2]), (1.0, vec![3, 4, 5])]);
        let found = greedy(&matrix);
        assert_eq!(found.chosen.len(), 2);
        assert!(found.lower_bound <= 2.0);
        assert!(found.lower_bound >= 1.0);
    }

    #[test]
    fn free_columns_cost_nothing() {
        let matrix = Matrix::new(2, [(0.0, vec![0]), (3.0, vec![0, 1]), (0.0, vec![1])]);
        let found = greedy(&matrix);
        assert_eq!(matrix.cost_of(&found.chosen), 0.0);
        assert_eq!(found.lower_bound, 0.0);
    }
}
