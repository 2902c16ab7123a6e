//! Lossless reductions: what can be decided about a covering problem before any search.
//!
//! Free and essential columns are chosen; rows that another row implies go; columns that one no dearer can
//! stand in for go. At least one cheapest cover survives.
#![allow(clippy::indexing_slicing, reason = "dense numeric kernel: see the invariant")]
// INVARIANT: rows and columns come from one `Matrix`, whose indices are in range, and every array here has its length.

use super::clock::Clock;
use super::matrix::{Matrix, set};

/// What is left of a problem.
#[derive(Debug, Clone)]
pub struct Reduced {
    /// Columns that some cheapest cover contains, ascending.
    pub chosen: Vec<u32>,
    /// Rows still to be covered, ascending.
    pub rows: Vec<u32>,
    /// Columns still to be decided, ascending.
    pub columns: Vec<u32>,
}

/// The clock is looked at once in so many columns or rows.
const LOOK: u32 = 1024;

/// Applies every reduction again and again until none applies, `effort` elementary steps are spent or the time is up.
pub fn reduce(matrix: &Matrix, effort: u64, clock: &Clock) -> Reduced {
    let mut state = State::new(matrix, effort, clock);
    loop {
        let before = (state.rows_left, state.columns_left);
        state.choose_free_and_essential();
        state.drop_columns();
        state.choose_free_and_essential();
        state.drop_rows();
        if before == (state.rows_left, state.columns_left) || state.effort == 0 {
            break;
        }
    }
    state.choose_free_and_essential();
    state.finish()
}

/// A part of a matrix that shares no row and no column with the rest, as a matrix of its own.
#[derive(Debug, Clone)]
pub struct Part {
    /// The part itself.
    pub matrix: Matrix,
    /// For each of its columns, the column of the whole.
    pub columns: Vec<u32>,
    /// For each of its rows, the row of the whole.
    pub rows: Vec<u32>,
}

/// The submatrix of these rows and columns (both ascending); columns without a row in it are left out.
pub fn submatrix(matrix: &Matrix, rows: &[u32], columns: &[u32]) -> Part {
    let mut renamed = vec![u32::MAX; matrix.rows()];
    for (index, &row) in rows.iter().enumerate() {
        renamed[row as usize] = index as u32;
    }
    let kept: Vec<u32> = columns
        .iter()
        .copied()
        .filter(|&column| {
            matrix
                .rows_of(column)
                .iter()
                .any(|&row| renamed[row as usize] != u32::MAX)
        })
        .collect();
    let renamed = &renamed;
    let part = Matrix::new(
        rows.len(),
        kept.iter().map(|&column| {
            let members = matrix
                .rows_of(column)
                .iter()
                .map(|&row| renamed[row as usize])
                .filter(|&row| row != u32::MAX);
            (matrix.cost(column), members)
        }),
    );
    Part {
        matrix: part,
        columns: kept,
        rows: rows.to_vec(),
    }
}

/// The matrix of all rows and these columns (ascending).
pub fn of_columns(matrix: &Matrix, columns: &[u32]) -> Part {
    let rows: Vec<u32> = (0..matrix.rows() as u32).collect();
    submatrix(matrix, &rows, columns)
}

/// Splits what is left into its connected components, by first row.
pub fn components(matrix: &Matrix, reduced: &Reduced) -> Vec<Part> {
    let mut leader: Vec<u32> = (0..matrix.rows() as u32).collect();
    let mut alive = vec![false; matrix.rows()];
    for &row in &reduced.rows {
        alive[row as usize] = true;
    }
    for &column in &reduced.columns {
        let mut members = matrix
            .rows_of(column)
            .iter()
            .copied()
            .filter(|&row| alive[row as usize]);
        if let Some(first) = members.next() {
            for row in members {
                let (a, b) = (find(&mut leader, first), find(&mut leader, row));
                leader[a.max(b) as usize] = a.min(b);
            }
        }
    }
    let mut number = vec![u32::MAX; matrix.rows()];
    let mut groups: Vec<(Vec<u32>, Vec<u32>)> = Vec::new();
    for &row in &reduced.rows {
        let root = find(&mut leader, row) as usize;
        if number[root] == u32::MAX {
            number[root] = groups.len() as u32;
            groups.push((Vec::new(), Vec::new()));
        }
        groups[number[root] as usize].0.push(row);
    }
    for &column in &reduced.columns {
        let first = matrix.rows_of(column).iter().copied().find(|&row| alive[row as usize]);
        if let Some(row) = first {
            let root = find(&mut leader, row) as usize;
            groups[number[root] as usize].1.push(column);
        }
    }
    // Renaming through one shared table keeps the work linear where the groups are many and small.
    let mut renamed = vec![0u32; matrix.rows()];
    groups
        .into_iter()
        .map(|(rows, columns)| {
            for (index, &row) in rows.iter().enumerate() {
                renamed[row as usize] = index as u32;
            }
            let (renamed, alive) = (&renamed, &alive);
            let part = Matrix::new(
                rows.len(),
                columns.iter().map(|&column| {
                    let members = matrix.rows_of(column).iter();
                    let members = members.filter(|&&row| alive[row as usize]);
                    (matrix.cost(column), members.map(|&row| renamed[row as usize]))
                }),
            );
            Part {
                matrix: part,
                columns,
                rows,
            }
        })
        .collect()
}

fn find(leader: &mut [u32], mut row: u32) -> u32 {
    while leader[row as usize] != row {
        leader[row as usize] = leader[leader[row as usize] as usize];
        row = leader[row as usize];
    }
    row
}

struct State<'a> {
    matrix: &'a Matrix,
    row_alive: Vec<bool>,
    column_alive: Vec<bool>,
    /// Alive columns in each row, alive rows in each column.
    row_size: Vec<u32>,
    column_size: Vec<u32>,
    /// Rows and columns that changed since they were last looked at.
    row_fresh: Vec<bool>,
    column_fresh: Vec<bool>,
    rows_left: usize,
    columns_left: usize,
    chosen: Vec<u32>,
    effort: u64,
    clock: &'a Clock,
}

impl<'a> State<'a> {
    fn new(matrix: &'a Matrix, effort: u64, clock: &'a Clock) -> Self {
        let (rows, columns) = (matrix.rows(), matrix.columns());
        Self {
            matrix,
            row_alive: vec![true; rows],
            column_alive: vec![true; columns],
            row_size: (0..rows as u32)
                .map(|row| matrix.columns_of(row).len() as u32)
                .collect(),
            column_size: (0..columns as u32)
                .map(|column| matrix.rows_of(column).len() as u32)
                .collect(),
            row_fresh: vec![true; rows],
            column_fresh: vec![true; columns],
            rows_left: rows,
            columns_left: columns,
            chosen: Vec::new(),
            effort,
            clock,
        }
    }

    /// Whether the reductions have to end at this row or column.
    fn must_end(&mut self, at: u32) -> bool {
        if at.is_multiple_of(LOOK) && self.clock.is_over() {
            self.effort = 0;
        }
        self.effort == 0
    }

    fn spend(&mut self, steps: usize) {
        self.effort = self.effort.saturating_sub(steps as u64);
    }

    fn kill_column(&mut self, column: u32) {
        self.column_alive[column as usize] = false;
        self.columns_left -= 1;
        for &row in self.matrix.rows_of(column) {
            self.row_size[row as usize] -= 1;
            self.row_fresh[row as usize] = true;
        }
    }

    fn kill_row(&mut self, row: u32) {
        self.row_alive[row as usize] = false;
        self.rows_left -= 1;
        for &column in self.matrix.columns_of(row) {
            self.column_size[column as usize] -= 1;
            self.column_fresh[column as usize] = true;
        }
    }

    fn choose(&mut self, column: u32) {
        self.chosen.push(column);
        self.kill_column(column);
        for &row in self.matrix.rows_of(column) {
            if self.row_alive[row as usize] {
                self.kill_row(row);
            }
        }
    }

    /// Columns that cost nothing, and columns that are the last of some row.
    fn choose_free_and_essential(&mut self) {
        for column in 0..self.matrix.columns() as u32 {
            let index = column as usize;
            if self.column_alive[index] && self.column_size[index] == 0 {
                self.kill_column(column);
            } else if self.column_alive[index] && self.matrix.cost(column) == 0.0 {
                self.choose(column);
            }
        }
        for row in 0..self.matrix.rows() as u32 {
            if self.row_alive[row as usize] && self.row_size[row as usize] == 1 {
                let columns = self.matrix.columns_of(row);
                let last = columns
                    .iter()
                    .copied()
                    .find(|&column| self.column_alive[column as usize]);
                if let Some(column) = last {
                    self.choose(column);
                }
            }
        }
    }

    /// Columns whose rows one other column covers at no greater cost.
    fn drop_columns(&mut self) {
        let signatures: Vec<u64> = (0..self.matrix.columns() as u32)
            .map(|column| self.signature(self.matrix.rows_of(column), &self.row_alive))
            .collect();
        // From the last, so that of equal columns the first stays.
        for column in (0..self.matrix.columns() as u32).rev() {
            let index = column as usize;
            if self.must_end(column) {
                return;
            }
            if !self.column_alive[index] || !std::mem::take(&mut self.column_fresh[index]) {
                continue;
            }
            if self.column_size[index] == 0 || self.has_better_column(column, &signatures) {
                self.kill_column(column);
            }
        }
    }

    fn has_better_column(&mut self, column: u32, signatures: &[u64]) -> bool {
        let matrix = self.matrix;
        let index = column as usize;
        let rarest = matrix
            .rows_of(column)
            .iter()
            .copied()
            .filter(|&row| self.row_alive[row as usize])
            .min_by_key(|&row| self.row_size[row as usize]);
        let Some(rarest) = rarest else { return true };
        let rivals = matrix.columns_of(rarest);
        self.spend(rivals.len());
        for &rival in rivals {
            let other = rival as usize;
            if signatures[index] & !signatures[other] == 0
                && other != index
                && self.column_alive[other]
                && matrix.cost(rival) <= matrix.cost(column)
                && self.column_size[other] >= self.column_size[index]
            {
                self.spend(matrix.rows_of(column).len() + matrix.rows_of(rival).len());
                if contains(matrix.rows_of(rival), matrix.rows_of(column), &self.row_alive) {
                    return true;
                }
            }
        }
        false
    }

    /// Rows that are covered whenever some other row is.
    fn drop_rows(&mut self) {
        let signatures: Vec<u64> = (0..self.matrix.rows() as u32)
            .map(|row| self.signature(self.matrix.columns_of(row), &self.column_alive))
            .collect();
        for row in 0..self.matrix.rows() as u32 {
            let index = row as usize;
            if self.must_end(row) {
                return;
            }
            if !self.row_alive[index] || !std::mem::take(&mut self.row_fresh[index]) {
                continue;
            }
            let matrix = self.matrix;
            let rarest = matrix
                .columns_of(row)
                .iter()
                .copied()
                .filter(|&column| self.column_alive[column as usize])
                .min_by_key(|&column| self.column_size[column as usize]);
            let Some(rarest) = rarest else { continue };
            self.spend(matrix.columns_of(row).len() + matrix.rows_of(rarest).len());
            for &other in matrix.rows_of(rarest) {
                let implied = other as usize;
                if implied != index
                    && self.row_alive[implied]
                    && self.row_size[implied] >= self.row_size[index]
                    && signatures[index] & !signatures[implied] == 0
                {
                    self.spend(matrix.columns_of(row).len() + matrix.columns_of(other).len());
                    if contains(matrix.columns_of(other), matrix.columns_of(row), &self.column_alive) {
                        self.kill_row(other);
                    }
                }
            }
        }
    }

    /// One bit for each alive member: a set's bits contain those of its subsets.
    fn signature(&self, members: &[u32], alive: &[bool]) -> u64 {
        members
            .iter()
            .filter(|&&member| alive[member as usize])
            .fold(0, |bits, &member| bits | 1 << (member.wrapping_mul(0x9E37_79B9) >> 26))
    }

    fn finish(mut self) -> Reduced {
        self.chosen.sort_unstable();
        Reduced {
            chosen: self.chosen,
            rows: set(&self.row_alive),
            columns: set(&self.column_alive),
        }
    }
}

/// Whether the ascending `outer` contains every alive member of the ascending `inner`.
fn contains(outer: &[u32], inner: &[u32], alive: &[bool]) -> bool {
    let mut candidates = outer.iter();
    inner
        .iter()
        .filter(|&&member| alive[member as usize])
        .all(|member| candidates.by_ref().find(|&candidate| candidate >= member) == Some(member))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn reduced(matrix: &Matrix, effort: u64) -> Reduced {
        reduce(matrix, effort, &Clock::new(Duration::from_secs(60)))
    }

    const EFFORT: u64 = 1_000_000;

    #[test]
    fn essential_free_and_dominated() {
        // Row 0 has only column 0, which also covers row 1; column 1 is free; column 3 is dearer than column 2.
        let matrix = Matrix::new(
            5,
            [
                (5.0, vec![0, 1]),
                (0.0, vec![2]),
                (1.0, vec![3, 4]),
                (2.0, vec![3]),
                (3.0, vec![1, 4]),
            ],
        );
        let reduced = reduced(&matrix, EFFORT);
        assert_eq!(reduced.chosen, [0, 1, 2]);
        assert!(reduced.rows.is_empty());
        assert!(reduced.columns.is_empty());
    }

    #[test]
    fn of_equal_columns_the_first_stays() {
        let matrix = Matrix::new(1, [(1.0, vec![0]), (1.0, vec![0])]);
        assert_eq!(reduced(&matrix, EFFORT).chosen, [0]);
    }

    #[test]
    fn a_cycle_is_left_alone_and_two_cycles_are_two_parts() {
        let cycle = |offset: u32| {
            [
                (1.0, vec![offset, offset + 1]),
                (1.0, vec![offset + 1, offset + 2]),
                (1.0, vec![offset, offset + 2]),
            ]
        };
        let matrix = Matrix::new(6, cycle(0).into_iter().chain(cycle(3)));
        let reduced = reduced(&matrix, EFFORT);
        assert!(reduced.chosen.is_empty());
        let parts = components(&matrix, &reduced);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[1].columns, [3, 4, 5]);
        assert_eq!(parts[1].rows, [3, 4, 5]);
        assert_eq!(parts[1].matrix.rows_of(0), [0, 1]);
    }

    #[test]
    fn no_effort_still_gives_a_right_answer() {
        let matrix = Matrix::new(2, [(1.0, vec![0]), (1.0, vec![0, 1])]);
        let reduced = reduced(&matrix, 0);
        assert_eq!(reduced.chosen, [1]);
    }
}
