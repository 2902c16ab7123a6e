//! The 0/1 matrix of a covering problem, by columns and by rows, as flat arrays for the solvers' inner loops.
#![allow(clippy::indexing_slicing, reason = "dense numeric kernel: see the invariant")]
// INVARIANT: `column_starts` and `row_starts` have one entry more than there are columns and rows, ascend, and end at
// the length of the arrays they index; every stored row is below `rows()` and every stored column below `columns()`.
// `Matrix::new` establishes this and nothing changes the arrays afterwards.

use super::instance::Instance;

/// Costs at least this close to an integer count as that integer.
const INTEGER_TOLERANCE: f64 = 1e-9;
/// Integers above this are not told apart safely by a double's sums.
const LARGEST_INTEGER: f64 = 1e9;
/// Relative slack below which two costs are the same.
const COST_TOLERANCE: f64 = 1e-9;

/// Columns with their rows and rows with their columns, both ascending.
#[derive(Debug, Clone)]
pub struct Matrix {
    costs: Vec<f64>,
    column_starts: Vec<u32>,
    column_rows: Vec<u32>,
    row_starts: Vec<u32>,
    row_columns: Vec<u32>,
    grain: Option<f64>,
}

impl Matrix {
    /// Builds both views from columns given as (cost, ascending rows below `rows`).
    pub fn new<R: IntoIterator<Item = u32>>(rows: usize, columns: impl IntoIterator<Item = (f64, R)>) -> Self {
        let mut costs = Vec::new();
        let mut column_starts = vec![0u32];
        let mut column_rows = Vec::new();
        for (cost, members) in columns {
            costs.push(cost);
            column_rows.extend(members);
            column_starts.push(column_rows.len() as u32);
        }
        let mut row_starts = vec![0u32; rows + 1];
        for &row in &column_rows {
            row_starts[row as usize + 1] += 1;
        }
        for row in 0..rows {
            row_starts[row + 1] += row_starts[row];
        }
        let mut next = row_starts.clone();
        let mut row_columns = vec![0u32; column_rows.len()];
        for column in 0..costs.len() {
            let range = column_starts[column] as usize..column_starts[column + 1] as usize;
            for &row in &column_rows[range] {
                row_columns[next[row as usize] as usize] = column as u32;
                next[row as usize] += 1;
            }
        }
        let grain = common_grain(&costs);
        Self {
            costs,
            column_starts,
            column_rows,
            row_starts,
            row_columns,
            grain,
        }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.row_starts.len() - 1
    }

    /// How many columns.
    pub fn columns(&self) -> usize {
        self.costs.len()
    }

    /// How many ones.
    pub fn entries(&self) -> usize {
        self.column_rows.len()
    }

    /// The price of a column.
    pub fn cost(&self, column: u32) -> f64 {
        self.costs[column as usize]
    }

    /// All prices, by column.
    pub fn costs(&self) -> &[f64] {
        &self.costs
    }

    /// The rows of a column, ascending.
    pub fn rows_of(&self, column: u32) -> &[u32] {
        let column = column as usize;
        &self.column_rows[self.column_starts[column] as usize..self.column_starts[column + 1] as usize]
    }

    /// The columns of a row, ascending.
    pub fn columns_of(&self, row: u32) -> &[u32] {
        let row = row as usize;
        &self.row_columns[self.row_starts[row] as usize..self.row_starts[row + 1] as usize]
    }

    /// The total cost of some columns.
    pub fn cost_of(&self, chosen: &[u32]) -> f64 {
        chosen.iter().map(|&column| self.cost(column)).sum()
    }

    /// The least cost a cover can have, knowing that none is below `bound`: where all costs are multiples of a whole
    /// number, so is every cover's cost.
    pub fn round_bound(&self, bound: f64) -> f64 {
        match self.grain {
            Some(grain) => {
                let steps = bound / grain;
                ((steps - (steps.abs() * COST_TOLERANCE).max(1e-6)).ceil() * grain).max(0.0)
            }
            None => bound.max(0.0),
        }
    }

    /// Whether a subproblem with this lower bound can be dropped: no cover in it is cheaper than `cost`.
    pub fn closes(&self, bound: f64, cost: f64) -> bool {
        self.round_bound(bound) >= cost - COST_TOLERANCE * cost.abs()
    }

    /// Whether `cost` is below `upper` by more than rounding.
    pub fn improves(&self, cost: f64, upper: f64) -> bool {
        cost < upper - COST_TOLERANCE * upper.abs()
    }

    /// The rows that none of the columns covers, ascending.
    pub fn open_rows(&self, chosen: &[u32]) -> Vec<u32> {
        let mut open = vec![true; self.rows()];
        for &column in chosen {
            for &row in self.rows_of(column) {
                open[row as usize] = false;
            }
        }
        set(&open)
    }

    /// Removes columns that the others make needless, dearest first; the rest ascends.
    pub fn drop_redundant(&self, chosen: &mut Vec<u32>) {
        let mut times = vec![0u32; self.rows()];
        for &column in chosen.iter() {
            for &row in self.rows_of(column) {
                times[row as usize] += 1;
            }
        }
        chosen.sort_unstable_by(|&a, &b| {
            self.cost(b)
                .total_cmp(&self.cost(a))
                .then(self.rows_of(a).len().cmp(&self.rows_of(b).len()))
                .then(b.cmp(&a))
        });
        chosen.retain(|&column| {
            let rows = self.rows_of(column);
            let needless = rows.iter().all(|&row| times[row as usize] > 1);
            if needless {
                for &row in rows {
                    times[row as usize] -= 1;
                }
            }
            !needless
        });
        chosen.sort_unstable();
    }
}

/// The numbers whose flag is set, ascending.
pub fn set(flags: &[bool]) -> Vec<u32> {
    let numbered = (0u32..).zip(flags);
    numbered.filter(|&(_, &set)| set).map(|(index, _)| index).collect()
}

/// The greatest number that divides every cost, if all are whole; none if every cost is 0.
fn common_grain(costs: &[f64]) -> Option<f64> {
    let mut grain = 0u64;
    for cost in costs {
        let count = cost.round();
        if (count - cost).abs() > INTEGER_TOLERANCE || count > LARGEST_INTEGER {
            return None;
        }
        grain = greatest_common_divisor(grain, count as u64);
    }
    (grain > 0).then_some(grain as f64)
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl From<&Instance> for Matrix {
    fn from(instance: &Instance) -> Self {
        Self::new(
            instance.rows(),
            instance
                .columns()
                .iter()
                .map(|column| (column.cost, column.rows.iter().copied())),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_views_agree() {
        let matrix = Matrix::new(3, [(1.0, vec![0, 2]), (2.5, vec![]), (1.0, vec![0, 1])]);
        assert_eq!(matrix.rows_of(0), [0, 2]);
        assert_eq!(matrix.columns_of(0), [0, 2]);
        assert_eq!(matrix.columns_of(2), [0]);
        assert_eq!((matrix.rows(), matrix.columns(), matrix.entries()), (3, 3, 4));
    }

    #[test]
    fn bounds_round_up_to_what_the_costs_allow() {
        let even = Matrix::new(1, [(2.0, [0]), (4.0, [0]), (0.0, [0])]);
        assert_eq!(even.round_bound(2.2), 4.0);
        assert_eq!(even.round_bound(2.0 + 1e-9), 2.0);
        assert!(even.closes(2.2, 4.0));
        let halves = Matrix::new(1, [(1.5, [0]), (2.0, [0])]);
        assert_eq!(halves.round_bound(1.2), 1.2);
        let rough = Matrix::new(1, [(std::f64::consts::PI, [0])]);
        assert_eq!(rough.round_bound(1.2), 1.2);
        assert!(!rough.closes(1.2, 1.5));
        let free = Matrix::new(1, [(0.0, [0])]);
        assert!(free.closes(0.0, 0.0));
    }

    #[test]
    fn needless_columns_go_dearest_first() {
        let matrix = Matrix::new(2, [(5.0, vec![0, 1]), (1.0, vec![0]), (1.0, vec![1])]);
        let mut chosen = vec![0, 1, 2];
        matrix.drop_redundant(&mut chosen);
        assert_eq!(chosen, [1, 2]);
    }
}
