//! Local search with row weights: always on the edge of a cover cheaper than the best, rows that stay uncovered grow heavier.
//!
//! The scheme is that of Gao, Weise and Li (2015) for covers of fewest columns, with scores per cost for weighted ones:
//! drop the column that is missed least, then cover random open rows by the column that gains most, while the cost stays
//! below the best. A column just dropped may not return before one of its neighbours has changed; one just added stays a
//! step.
#![allow(clippy::indexing_slicing, reason = "dense numeric kernel: see the invariant")]
// INVARIANT: rows and columns come from one `Matrix`, whose indices are in range; arrays have one entry a row or a column;
// `place` of a chosen column is its index in `chosen`, `open_place` of an open row its index in `open`.

use super::clock::Clock;
use super::matrix::Matrix;
use crate::random::Random;

/// The clock is looked at once in so many steps.
const STEPS_PER_LOOK: u64 = 64;

/// The state of a walk; it goes on from where it was left.
#[derive(Debug)]
pub struct Local {
    matrix: Matrix,
    chosen: Vec<u32>,
    place: Vec<u32>,
    cost: f64,
    /// How many chosen columns cover each row, and the exclusive or of which.
    times: Vec<u32>,
    coverers: Vec<u32>,
    open: Vec<u32>,
    open_place: Vec<u32>,
    weight: Vec<u64>,
    /// Weight of the rows that the column would newly cover, or alone covers.
    score: Vec<u64>,
    may_return: Vec<bool>,
    changed_at: Vec<u64>,
    just_added: Vec<u32>,
    step: u64,
    work: u64,
    random: Random,
}

impl Local {
    /// A walk from a cover.
    pub fn new(matrix: Matrix, cover: &[u32], random: Random) -> Self {
        let (rows, columns) = (matrix.rows(), matrix.columns());
        let mut local = Self {
            chosen: Vec::new(),
            place: vec![0; columns],
            cost: 0.0,
            times: vec![0; rows],
            coverers: vec![0; rows],
            open: (0..rows as u32).collect(),
            open_place: (0..rows as u32).collect(),
            weight: vec![1; rows],
            score: (0..columns as u32)
                .map(|column| matrix.rows_of(column).len() as u64)
                .collect(),
            may_return: vec![true; columns],
            changed_at: vec![0; columns],
            just_added: Vec::new(),
            step: 0,
            work: 0,
            random,
            matrix,
        };
        for &column in cover {
            local.add(column);
        }
        local
    }

    /// Makes the walk stand on another cover, keeping what the weights have learned.
    pub fn restart(&mut self, cover: &[u32]) {
        for column in self.chosen.clone() {
            self.remove(column);
        }
        for &column in cover {
            self.add(column);
        }
    }

    /// Walks for about `work` elementary steps; the cheapest cover met that is cheaper than `upper`, if any.
    pub fn run(&mut self, mut upper: f64, work: u64, clock: &Clock) -> Option<Vec<u32>> {
        let mut best = None;
        self.work = work;
        while self.work > 0 {
            self.step += 1;
            if self.step.is_multiple_of(STEPS_PER_LOOK) && clock.is_over() {
                break;
            }
            while self.open.is_empty() {
                if self.matrix.improves(self.cost, upper) {
                    let mut cover = self.chosen.clone();
                    self.matrix.drop_redundant(&mut cover);
                    upper = self.matrix.cost_of(&cover);
                    best = Some(cover);
                }
                let Some(column) = self.least_missed(false) else {
                    return best;
                };
                self.drop_column(column);
            }
            if let Some(column) = self.least_missed(true) {
                self.drop_column(column);
            }
            self.just_added.clear();
            while !self.open.is_empty() {
                let row = self.open[self.random.below(self.open.len())];
                let Some(column) = self.best_for(row) else {
                    break;
                };
                if !self.matrix.improves(self.cost + self.matrix.cost(column), upper) {
                    break;
                }
                self.add(column);
                self.just_added.push(column);
                self.changed_at[column as usize] = self.step;
                self.free_neighbours(column);
                self.weigh_open_rows();
            }
            if self.open.is_empty() {
                continue;
            }
            self.weigh_open_rows();
        }
        best
    }

    /// The chosen column whose loss per cost is least; of equal ones the one longest untouched.
    fn least_missed(&mut self, spare_new: bool) -> Option<u32> {
        self.work = self.work.saturating_sub(self.chosen.len() as u64);
        let mut best: Option<(f64, u64, u32)> = None;
        for &column in &self.chosen {
            if spare_new && self.just_added.contains(&column) {
                continue;
            }
            let index = column as usize;
            let loss = self.score[index] as f64 / self.matrix.cost(column);
            let better =
                best.is_none_or(|(least, at, _)| loss < least || (loss == least && self.changed_at[index] < at));
            if better {
                best = Some((loss, self.changed_at[index], column));
            }
        }
        best.map(|(_, _, column)| column)
    }

    /// The allowed column that gains most per cost among those covering the row.
    fn best_for(&mut self, row: u32) -> Option<u32> {
        let columns = self.matrix.columns_of(row);
        self.work = self.work.saturating_sub(columns.len() as u64);
        let mut best: Option<(f64, u64, u32)> = None;
        for &column in columns {
            let index = column as usize;
            if !self.may_return[index] {
                continue;
            }
            let gain = self.score[index] as f64 / self.matrix.cost(column);
            let better = best.is_none_or(|(most, at, _)| gain > most || (gain == most && self.changed_at[index] < at));
            if better {
                best = Some((gain, self.changed_at[index], column));
            }
        }
        best.map(|(_, _, column)| column)
    }

    fn drop_column(&mut self, column: u32) {
        self.remove(column);
        self.changed_at[column as usize] = self.step;
        self.free_neighbours(column);
        self.may_return[column as usize] = false;
    }

    fn free_neighbours(&mut self, column: u32) {
        for &row in self.matrix.rows_of(column) {
            let columns = self.matrix.columns_of(row);
            self.work = self.work.saturating_sub(columns.len() as u64);
            for &other in columns {
                self.may_return[other as usize] = true;
            }
        }
    }

    fn weigh_open_rows(&mut self) {
        for &row in &self.open {
            self.weight[row as usize] += 1;
            let columns = self.matrix.columns_of(row);
            self.work = self.work.saturating_sub(columns.len() as u64);
            for &column in columns {
                self.score[column as usize] += 1;
            }
        }
    }

    fn add(&mut self, column: u32) {
        let index = column as usize;
        self.place[index] = self.chosen.len() as u32;
        self.chosen.push(column);
        self.cost += self.matrix.cost(column);
        for &row in self.matrix.rows_of(column) {
            let at = row as usize;
            let weight = self.weight[at];
            match self.times[at] {
                0 => {
                    let columns = self.matrix.columns_of(row);
                    self.work = self.work.saturating_sub(columns.len() as u64);
                    for &other in columns {
                        self.score[other as usize] -= weight;
                    }
                    // What the column gained is now what it alone covers.
                    self.score[index] += weight;
                    close(&mut self.open, &mut self.open_place, row);
                }
                1 => self.score[self.coverers[at] as usize] -= weight,
                _ => {}
            }
            self.times[at] += 1;
            self.coverers[at] ^= column;
        }
    }

    fn remove(&mut self, column: u32) {
        let index = column as usize;
        let place = self.place[index] as usize;
        self.chosen.swap_remove(place);
        if let Some(&moved) = self.chosen.get(place) {
            self.place[moved as usize] = place as u32;
        }
        self.cost -= self.matrix.cost(column);
        for &row in self.matrix.rows_of(column) {
            let at = row as usize;
            let weight = self.weight[at];
            self.times[at] -= 1;
            self.coverers[at] ^= column;
            match self.times[at] {
                0 => {
                    let columns = self.matrix.columns_of(row);
                    self.work = self.work.saturating_sub(columns.len() as u64);
                    for &other in columns {
                        self.score[other as usize] += weight;
                    }
                    self.score[index] -= weight;
                    self.open_place[at] = self.open.len() as u32;
                    self.open.push(row);
                }
                1 => self.score[self.coverers[at] as usize] += weight,
                _ => {}
            }
        }
        if self.chosen.is_empty() {
            self.cost = 0.0;
        }
    }
}

fn close(open: &mut Vec<u32>, open_place: &mut [u32], row: u32) {
    let place = open_place[row as usize] as usize;
    open.swap_remove(place);
    if let Some(&moved) = open.get(place) {
        open_place[moved as usize] = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn leaves_the_greedy_trap() {
        let matrix = Matrix::new(
            8,
            [
                (1.0, vec![0, 1, 2, 3]),
                (1.0, vec![4, 5, 6, 7]),
                (1.0, vec![1, 2, 3, 5, 6, 7]),
                (1.0, vec![0]),
                (1.0, vec![4]),
            ],
        );
        let clock = Clock::new(Duration::from_secs(60));
        let mut local = Local::new(matrix.clone(), &[2, 3, 4], Random::of(1, 1));
        let found = local.run(3.0, 10_000, &clock);
        assert_eq!(found, Some(vec![0, 1]));
        assert_eq!(local.run(2.0, 10_000, &clock), None);
        local.restart(&[2, 3, 4]);
        assert_eq!(local.run(3.0, 10_000, &clock), Some(vec![0, 1]));
    }

    #[test]
    fn scores_stay_true() {
        let matrix = Matrix::new(
            4,
            [
                (2.0, vec![0, 1]),
                (1.0, vec![1, 2]),
                (3.0, vec![2, 3]),
                (1.0, vec![0, 3]),
                (2.0, vec![1, 3]),
            ],
        );
        let clock = Clock::new(Duration::from_secs(60));
        let mut local = Local::new(matrix.clone(), &[0, 2], Random::of(3, 0));
        let _ = local.run(5.0, 5_000, &clock);
        for column in 0..5u32 {
            let true_score: u64 = matrix
                .rows_of(column)
                .iter()
                .filter(|&&row| {
                    let times = matrix
                        .columns_of(row)
                        .iter()
                        .filter(|&&other| local.chosen.contains(&other) && other != column)
                        .count();
                    times == 0
                })
                .map(|&row| local.weight[row as usize])
                .sum();
            assert_eq!(local.score[column as usize], true_score, "column {column}");
        }
    }
}
