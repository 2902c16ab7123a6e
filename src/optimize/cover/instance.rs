//! A weighted covering problem, checked once so that no solver has to doubt it.

use thiserror::Error;

/// Why a covering problem was refused.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum InstanceError {
    /// A row that no column covers: no cover exists.
    #[error("cannot cover row `{row}`: no column contains it")]
    UncoverableRow {
        /// The row nobody covers.
        row: usize,
    },
    /// A column names a row that does not exist.
    #[error("cannot use column `{column}`: it names row `{row}`, but there are only `{rows}` rows")]
    RowOutOfRange {
        /// The column at fault.
        column: usize,
        /// The row it names.
        row: u32,
        /// How many rows there are.
        rows: usize,
    },
    /// A cost that is negative, infinite or not a number.
    #[error("cannot use column `{column}`: its cost `{cost}` is not a finite number of at least 0")]
    BadCost {
        /// The column at fault.
        column: usize,
        /// Its cost as given.
        cost: f64,
    },
    /// More rows, columns or entries than 32-bit indices can name.
    #[error("cannot hold the covering problem: `{size}` entries are too many for 32-bit indices")]
    TooLarge {
        /// The count that does not fit.
        size: usize,
    },
}

/// One column: what it costs and which rows it covers.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Price of choosing the column: finite, at least 0.
    pub cost: f64,
    /// The rows it covers: ascending, each once (an [`Instance`] sorts them).
    pub rows: Vec<u32>,
}

impl Column {
    /// A column from its price and the rows it covers, in any order.
    pub fn new(cost: f64, rows: impl IntoIterator<Item = u32>) -> Self {
        Self {
            cost,
            rows: rows.into_iter().collect(),
        }
    }
}

/// A weighted set cover problem: choose columns of least total cost so that every row is in one.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    rows: usize,
    columns: Vec<Column>,
}

impl Instance {
    /// Checks the problem; the rows of each column are sorted and freed of repetitions.
    ///
    /// # Errors
    /// A row in no column, a row index beyond `rows`, a cost that is negative or not finite, or sizes beyond 32 bits.
    pub fn new(rows: usize, mut columns: Vec<Column>) -> Result<Self, InstanceError> {
        let limit = u32::MAX as usize;
        let entries: usize = columns.iter().map(|column| column.rows.len()).sum();
        if let Some(&size) = [rows, columns.len(), entries].iter().find(|&&size| size >= limit) {
            return Err(InstanceError::TooLarge { size });
        }
        let mut covered = vec![false; rows];
        for (index, column) in columns.iter_mut().enumerate() {
            if !column.cost.is_finite() || column.cost < 0.0 {
                return Err(InstanceError::BadCost {
                    column: index,
                    cost: column.cost,
                });
            }
            column.rows.sort_unstable();
            column.rows.dedup();
            for &row in &column.rows {
                match covered.get_mut(row as usize) {
                    Some(seen) => *seen = true,
                    None => {
                        return Err(InstanceError::RowOutOfRange {
                            column: index,
                            row,
                            rows,
                        });
                    }
                }
            }
        }
        match covered.iter().position(|seen| !seen) {
            Some(row) => Err(InstanceError::UncoverableRow { row }),
            None => Ok(Self { rows, columns }),
        }
    }

    /// How many rows have to be covered.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns to choose from.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_and_frees_rows_of_repetitions() {
        let instance = Instance::new(3, vec![Column::new(1.0, [2, 0, 2, 1])]).unwrap();
        assert_eq!(instance.columns()[0].rows, vec![0, 1, 2]);
    }

    #[test]
    fn refuses_what_cannot_be_solved() {
        let uncoverable = Instance::new(2, vec![Column::new(1.0, [0])]).unwrap_err();
        assert_eq!(uncoverable.to_string(), "cannot cover row `1`: no column contains it");
        let beyond = Instance::new(1, vec![Column::new(1.0, [0, 1])]);
        assert!(matches!(beyond, Err(InstanceError::RowOutOfRange { .. })));
        for cost in [-1.0, f64::NAN, f64::INFINITY] {
            let bad = Instance::new(1, vec![Column::new(cost, [0])]);
            assert!(matches!(bad, Err(InstanceError::BadCost { .. })));
        }
    }

    #[test]
    fn nothing_to_cover_is_a_problem_too() {
        assert_eq!(Instance::new(0, vec![]).unwrap().rows(), 0);
    }
}
