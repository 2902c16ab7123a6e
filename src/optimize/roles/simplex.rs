//! The least cost of columns, in any fractions, that together reach what each row demands: the simplex method, for columns and rows that come
//! one after the other, so that it goes on from where it was.
//!
//! Rows are `sum >= demand`. Every row comes with a column that reaches it alone, so that there is a solution at any time.
#![allow(clippy::indexing_slicing, reason = "dense numeric kernel: see the invariant")]
// INVARIANT: `inverse` is square with one row and column a row of the program; columns name rows below that; `basis`, `amounts` and `prices`
// have one entry a row, `place` one a column.

use std::time::Instant;

/// An amount below 0 by less than this is none.
const LACKS: f64 = 1e-9;
/// A column gains something where its cost is less than what its rows pay by more than this.
const GAIN: f64 = 1e-7;
/// So many columns are kept in sight of those that gain.
const NEAR: usize = 60;
/// A factor smaller than this is too small to divide by, ...
const PIVOT: f64 = 1e-6;
/// ... and one smaller than this is 0.
const ZERO: f64 = 1e-12;
/// The column of this number and more is what row `number - SURPLUS` gets beyond its demand.
const SURPLUS: u32 = 1 << 31;
/// The column is in no basis.
const NOWHERE: u32 = u32::MAX;

/// A column: cost, and its factor in each row that it names.
#[derive(Debug, Clone)]
struct Column {
    cost: f64,
    factors: Vec<(u32, f64)>,
}

/// The program with its best solution so far.
#[derive(Debug, Clone, Default)]
pub struct Simplex {
    columns: Vec<Column>,
    /// Where in the basis each column stands.
    place: Vec<u32>,
    /// Which column stands for each row.
    basis: Vec<u32>,
    /// Of the basis.
    inverse: Vec<Vec<f64>>,
    /// How much of each basic column.
    amounts: Vec<f64>,
    /// What one more of each row's demand costs.
    prices: Vec<f64>,
    /// Elementary steps done.
    pub work: u64,
}

impl Simplex {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.basis.len()
    }

    /// What one more of a row's demand costs.
    pub fn price(&self, row: u32) -> f64 {
        self.prices[row as usize]
    }

    /// How much of a column is in the solution.
    pub fn amount(&self, column: u32) -> f64 {
        match self.place[column as usize] {
            NOWHERE => 0.0,
            place => self.amounts[place as usize],
        }
    }

    /// A column more; its number.
    pub fn column(&mut self, cost: f64, factors: Vec<(u32, f64)>) -> u32 {
        self.columns.push(Column { cost, factors });
        self.place.push(NOWHERE);
        self.columns.len() as u32 - 1
    }

    /// A factor more for a column that is not in the solution.
    pub fn join(&mut self, column: u32, row: u32, factor: f64) {
        self.columns[column as usize].factors.push((row, factor));
    }

    /// A row that demands so much of these columns, and a column that reaches it alone; its number.
    pub fn row(&mut self, demand: f64, terms: &[(u32, f64)], cost: f64) -> u32 {
        let row = self.rows();
        self.inverse.iter_mut().for_each(|line| line.push(0.0));
        let (mut line, mut reached) = (vec![0.0; row + 1], -demand);
        for &(column, factor) in terms {
            self.columns[column as usize].factors.push((row as u32, factor));
            let place = self.place[column as usize];
            if place != NOWHERE {
                reached += factor * self.amounts[place as usize];
                let basic = &self.inverse[place as usize];
                line.iter_mut().zip(basic).for_each(|(x, y)| *x += factor * y);
                self.work += basic.len() as u64;
            }
        }
        let alone = self.column(cost, vec![(row as u32, 1.0)]);
        if reached >= 0.0 {
            line[row] = -1.0;
            self.basis.push(SURPLUS + row as u32);
            self.prices.push(0.0);
        } else {
            line[row] = -1.0;
            line.iter_mut().for_each(|x| *x = -*x);
            self.prices.push(0.0);
            self.prices
                .iter_mut()
                .zip(&line)
                .for_each(|(price, x)| *price += cost * x);
            self.basis.push(alone);
            self.place[alone as usize] = row as u32;
        }
        self.inverse.push(line);
        self.amounts.push(reached.abs());
        row as u32
    }

    /// Goes on to the best solution; false where so much work or the time was over before.
    pub fn improve(&mut self, work: u64, deadline: Instant) -> bool {
        let end = self.work.saturating_add(work);
        loop {
            let mut near = self.gaining();
            if near.is_empty() {
                return true;
            }
            while let Some(entering) = self.best(&mut near) {
                if self.work > end || Instant::now() >= deadline {
                    return false;
                }
                self.enter(entering);
            }
        }
    }

    /// What a column costs less what its rows pay for it.
    fn reduced(&self, column: &Column) -> f64 {
        let paid = column.factors.iter().map(|&(row, f)| f * self.prices[row as usize]);
        column.cost - paid.sum::<f64>()
    }

    /// How much a column, or the surplus of a row, gains for its length; below 0 where it does.
    fn gain(&self, entering: u32) -> f64 {
        match entering.checked_sub(SURPLUS) {
            Some(row) => self.prices[row as usize],
            None if self.place[entering as usize] != NOWHERE => 0.0,
            None => {
                let column = &self.columns[entering as usize];
                self.reduced(column) / (1.0 + column.factors.len() as f64).sqrt()
            }
        }
    }

    /// The columns and surpluses that gain most, by number; not all are looked at again before these gain nothing more.
    fn gaining(&mut self) -> Vec<u32> {
        let all = (0..self.columns.len() as u32).chain((0..self.rows() as u32).map(|row| SURPLUS + row));
        let gains = all.map(|entering| (self.gain(entering), entering));
        let mut gaining: Vec<(f64, u32)> = gains.filter(|(gain, _)| *gain < -GAIN).collect();
        self.work += self
            .columns
            .iter()
            .map(|column| column.factors.len() as u64)
            .sum::<u64>();
        gaining.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        gaining.truncate(NEAR);
        gaining.into_iter().map(|(_, entering)| entering).collect()
    }

    /// The one of these that gains most now; those that gain nothing go.
    fn best(&mut self, near: &mut Vec<u32>) -> Option<u32> {
        let mut best = (-GAIN, None);
        near.retain(|&entering| {
            let gain = self.gain(entering);
            if gain < best.0 {
                best = (gain, Some(entering));
            }
            gain < -GAIN
        });
        best.1
    }

    fn enter(&mut self, entering: u32) {
        let surplus = [(entering.wrapping_sub(SURPLUS), -1.0)];
        let (factors, reduced) = if entering >= SURPLUS {
            (&surplus[..], self.prices[surplus[0].0 as usize])
        } else {
            let column = &self.columns[entering as usize];
            (&column.factors[..], self.reduced(column))
        };
        let along = |line: &Vec<f64>| factors.iter().map(|&(row, f)| f * line[row as usize]).sum();
        let by: Vec<f64> = self.inverse.iter().map(along).collect();
        self.work += (by.len() * factors.len()) as u64;
        // No cost is below 0, so that nothing gains without end: something leaves.
        let Some(row) = self.leaving(&by) else { return };
        let mut pivot = std::mem::take(&mut self.inverse[row]);
        pivot.iter_mut().for_each(|x| *x /= by[row]);
        let used: Vec<usize> = (0..pivot.len()).filter(|&i| pivot[i].abs() > ZERO).collect();
        let amount = self.amounts[row] / by[row];
        for (other, &factor) in by.iter().enumerate() {
            if other != row && factor.abs() > ZERO {
                let line = &mut self.inverse[other];
                used.iter().for_each(|&i| line[i] -= factor * pivot[i]);
                self.amounts[other] -= factor * amount;
                self.work += used.len() as u64;
            }
        }
        used.iter().for_each(|&i| self.prices[i] += reduced * pivot[i]);
        self.inverse[row] = pivot;
        self.amounts[row] = amount;
        let left = std::mem::replace(&mut self.basis[row], entering);
        if left < SURPLUS {
            self.place[left as usize] = NOWHERE;
        }
        if entering < SURPLUS {
            self.place[entering as usize] = row as u32;
        }
    }

    /// A row whose basic column comes to nothing first, or next to it: of these the one with the largest factor, for division by small ones
    /// makes errors large (Harris 1973).
    fn leaving(&self, by: &[f64]) -> Option<usize> {
        let rows = || {
            by.iter()
                .zip(&self.amounts)
                .enumerate()
                .filter(|(_, (factor, _))| **factor > PIVOT)
        };
        let least = rows().map(|(_, (factor, amount))| (amount.max(0.0) + LACKS) / factor);
        let least = least.fold(f64::INFINITY, f64::min);
        let first = rows().filter(|(_, (factor, amount))| amount.max(0.0) / **factor <= least);
        let best = first.max_by(|a, b| a.1.0.total_cmp(b.1.0).then(b.0.cmp(&a.0)));
        best.map(|(row, _)| row)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_least_cost_is_what_the_rows_pay(
            columns in prop::collection::vec((0_u8..9, 1_u32..64), 0..20),
            late in prop::collection::vec((0_u8..9, 1_u32..64), 0..20),
            links in prop::collection::vec((0_usize..8, 0_usize..8), 0..4),
        ) {
            let deadline = Instant::now() + Duration::from_secs(60);
            let mut program = Simplex::default();
            for _ in 0..6 {
                program.row(1.0, &[], 5.0);
            }
            let factors = |rows: u32| (0..6).filter(|row| rows >> row & 1 == 1).map(|row| (row, 1.0)).collect();
            for (cost, rows) in columns {
                program.column(f64::from(cost), factors(rows));
            }
            prop_assert!(program.improve(u64::MAX, deadline));
            // Where one column is, there has to be as much of the other.
            for (one, other) in links {
                let columns = program.columns.len();
                program.row(0.0, &[((one % columns) as u32, -1.0), ((other % columns) as u32, 1.0)], 3.0);
            }
            for (cost, rows) in late {
                program.column(f64::from(cost), factors(rows));
            }
            prop_assert!(program.improve(u64::MAX, deadline));
            let mut reached = vec![0.0; program.rows()];
            let mut cost = 0.0;
            for (number, column) in (0..).zip(&program.columns) {
                let amount = program.amount(number);
                prop_assert!(amount > -1e-5);
                cost += amount * column.cost;
                column.factors.iter().for_each(|&(row, f)| reached[row as usize] += f * amount);
                prop_assert!(program.reduced(column) > -1e-6);
            }
            for (row, reached) in reached.iter().enumerate() {
                let demand = f64::from(u8::from(row < 6));
                prop_assert!(*reached > demand - 1e-5);
                prop_assert!(program.prices[row] > -1e-6);
            }
            let paid: f64 = program.prices[..6].iter().sum();
            prop_assert!((cost - paid).abs() < 1e-4, "{} {}", cost, paid);
        }
    }
}
