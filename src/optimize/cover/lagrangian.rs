//! Lower bounds by Lagrangian relaxation: prices of rows, raised by subgradient steps towards the best bound they prove.
//!
//! For row prices `u >= 0` every cover costs at least `sum u + sum over columns min(0, reduced cost)`, where a column's
//! reduced cost is its cost less the prices of its rows. Large problems are worked on through a core of promising columns
//! that is renewed by pricing out all columns (Caprara, Fischetti and Toth 1999); only bounds over all columns are reported.
#![allow(clippy::indexing_slicing, reason = "dense numeric kernel: see the invariant")]
// INVARIANT: rows and columns come from one `Matrix`, whose indices are in range; prices and counts have one entry a row.

use rayon::prelude::*;

use super::clock::Clock;
use super::matrix::Matrix;

/// Below this many ones, a core saves nothing.
const CORE_FROM_ENTRIES: usize = 30_000;
/// From this many ones on, pricing out pays in parallel.
const PARALLEL_FROM_ENTRIES: usize = 500_000;
/// Cheapest columns of each row that the core always holds.
const CORE_PER_ROW: usize = 5;
/// Reduced costs below this share of the mean cost attract a column into the core.
const CORE_REDUCED_COST: f64 = 0.1;
/// The core is cut to this many columns a row.
const CORE_COLUMNS_PER_ROW: usize = 5;

/// Row prices and the bound that they prove.
#[derive(Debug, Clone)]
pub struct Prices {
    /// One price a row.
    pub rows: Vec<f64>,
    /// No cover is cheaper (not rounded).
    pub bound: f64,
    /// Elementary steps that it took to find them.
    pub work: u64,
}

/// Prices to start from: what the cheapest column asks per row. No column's rows pay more than its cost.
pub fn initial_prices(matrix: &Matrix) -> Prices {
    let rows: Vec<f64> = (0..matrix.rows() as u32)
        .map(|row| {
            matrix
                .columns_of(row)
                .iter()
                .map(|&column| matrix.cost(column) / matrix.rows_of(column).len() as f64)
                .fold(f64::INFINITY, f64::min)
        })
        .collect();
    Prices {
        bound: price_out(matrix, &rows).1,
        rows,
        work: 0,
    }
}

/// A column's cost less the prices of its rows.
pub fn reduced_cost(matrix: &Matrix, column: u32, prices: &[f64]) -> f64 {
    let rows = matrix.rows_of(column).iter();
    matrix.cost(column) - rows.map(|&row| prices[row as usize]).sum::<f64>()
}

/// All reduced costs, and the bound that the prices prove.
pub fn price_out(matrix: &Matrix, prices: &[f64]) -> (Vec<f64>, f64) {
    let columns = 0..matrix.columns() as u32;
    let reduced: Vec<f64> = if matrix.entries() < PARALLEL_FROM_ENTRIES {
        columns.map(|column| reduced_cost(matrix, column, prices)).collect()
    } else {
        columns
            .into_par_iter()
            .map(|column| reduced_cost(matrix, column, prices))
            .collect()
    };
    let negative: f64 = reduced.iter().filter(|&&cost| cost < 0.0).sum();
    (reduced, prices.iter().sum::<f64>() + negative)
}

/// The volume algorithm (Barahona and Anbil 2000): steps from the best prices along an average of subgradients, which
/// swings less than single ones.
#[derive(Debug, Clone)]
pub struct Volume {
    /// Best prices seen, with their bound over the matrix climbed on.
    pub best: Prices,
    /// Prices of the next step.
    pub trial: Vec<f64>,
    slack: Vec<f64>,
    mean: Vec<f64>,
    width: f64,
    share: f64,
    failures: u32,
    steps: u32,
    checked: f64,
}

impl Volume {
    /// A climb from the given prices.
    pub fn new(prices: Vec<f64>, width: f64) -> Self {
        Self {
            trial: prices.clone(),
            slack: vec![0.0; prices.len()],
            mean: Vec::new(),
            best: Prices {
                rows: prices,
                bound: f64::NEG_INFINITY,
                work: 0,
            },
            width,
            share: 0.1,
            failures: 0,
            steps: 0,
            checked: f64::NEG_INFINITY,
        }
    }

    /// One step; false where no direction is left.
    pub fn step(&mut self, matrix: &Matrix, upper: f64) -> bool {
        self.slack.fill(1.0);
        let mut bound: f64 = self.trial.iter().sum();
        for column in 0..matrix.columns() as u32 {
            let rows = matrix.rows_of(column);
            let reduced = matrix.cost(column) - rows.iter().map(|&row| self.trial[row as usize]).sum::<f64>();
            if reduced < 0.0 {
                bound += reduced;
                for &row in rows {
                    self.slack[row as usize] -= 1.0;
                }
            }
        }
        self.steps += 1;
        if self.mean.is_empty() {
            self.mean = self.slack.clone();
        } else {
            // The share of the new subgradient that makes the mean shortest.
            let (mut up, mut down, mut agree) = (0.0, 0.0, 0.0);
            for (mean, slack) in self.mean.iter().zip(&self.slack) {
                let differ = mean - slack;
                up += mean * differ;
                down += differ * differ;
                agree += mean * slack;
            }
            let ideal = if down > 0.0 { up / down } else { self.share };
            let share = if ideal < 0.0 {
                self.share / 10.0
            } else {
                ideal.min(self.share)
            };
            for (mean, slack) in self.mean.iter_mut().zip(&self.slack) {
                *mean += share * (slack - *mean);
            }
            if bound > self.best.bound && agree >= 0.0 {
                self.width = (self.width * 1.1).min(2.0);
            }
        }
        if bound > self.best.bound {
            self.best.bound = bound;
            self.best.rows.copy_from_slice(&self.trial);
            self.failures = 0;
        } else {
            self.failures += 1;
            if self.failures.is_multiple_of(20) {
                self.width *= 0.66;
            }
        }
        if self.steps.is_multiple_of(100) {
            if self.best.bound - self.checked < 0.01 * self.best.bound.abs() {
                self.share = (self.share * 0.5).max(1e-3);
            }
            self.checked = self.best.bound;
        }
        let norm: f64 = self
            .mean
            .iter()
            .zip(&self.best.rows)
            .filter(|&(&slack, &price)| slack > 0.0 || price > 0.0)
            .map(|(slack, _)| slack * slack)
            .sum();
        if norm < 1e-12 {
            return false;
        }
        let size = self.best.bound.abs().max(1e-3 * upper.abs());
        let rise = (upper - self.best.bound).clamp(0.001 * size, 0.05 * size);
        let width = self.width * rise / norm;
        for ((trial, price), slack) in self.trial.iter_mut().zip(&self.best.rows).zip(&self.mean) {
            *trial = (price + width * slack).max(0.0);
        }
        true
    }

    fn return_to(&mut self, prices: &Prices) {
        self.best.rows.copy_from_slice(&prices.rows);
        self.best.bound = prices.bound;
        self.trial.copy_from_slice(&prices.rows);
    }
}

/// How long to climb.
#[derive(Debug, Clone, Copy)]
pub struct Climb {
    /// At most this many steps.
    pub steps: u32,
    /// Stop when so many steps gained less than `gain`.
    pub patience: u32,
    /// As a share of the bound.
    pub gain: f64,
    /// Width of the first step.
    pub width: f64,
}

/// Climbs from the given prices; stops early when the bound closes the gap to `upper`.
pub fn climb(matrix: &Matrix, start: Vec<f64>, upper: f64, how: Climb, clock: &Clock) -> Prices {
    if matrix.entries() < CORE_FROM_ENTRIES {
        let mut volume = Volume::new(start, how.width);
        let mut checked = f64::NEG_INFINITY;
        for step in 1..=how.steps {
            volume.best.work += matrix.entries() as u64;
            if !volume.step(matrix, upper) || matrix.closes(volume.best.bound, upper) || clock.is_over() {
                break;
            }
            if step.is_multiple_of(how.patience) {
                if volume.best.bound - checked < how.gain * volume.best.bound.abs() {
                    break;
                }
                checked = volume.best.bound;
            }
        }
        return volume.best;
    }
    climb_through_core(matrix, start, upper, how, clock)
}

fn climb_through_core(matrix: &Matrix, start: Vec<f64>, upper: f64, how: Climb, clock: &Clock) -> Prices {
    let (mut reduced, bound) = price_out(matrix, &start);
    let mut best = Prices {
        rows: start.clone(),
        bound,
        work: 0,
    };
    let mut work = 0;
    let mut volume = Volume::new(start, how.width);
    let mut in_core = vec![false; matrix.columns()];
    enlarge(matrix, &reduced, &mut in_core);
    let mut core = core_of(matrix, &in_core);
    let mut checked = (0, f64::NEG_INFINITY);
    let mut pricing_after = 10;
    let mut steps = 0;
    while steps < how.steps && !clock.is_over() && !matrix.closes(best.bound, upper) {
        let mut moving = true;
        for _ in 0..pricing_after {
            steps += 1;
            work += core.entries() as u64;
            moving = volume.step(&core, upper);
            if !moving || clock.is_over() {
                break;
            }
        }
        let core_bound = volume.best.bound;
        let bound;
        (reduced, bound) = price_out(matrix, &volume.best.rows);
        work += matrix.entries() as u64;
        let hidden = (core_bound - bound) / upper.abs().max(1e-9);
        if hidden > 1e-9 {
            enlarge(matrix, &reduced, &mut in_core);
            core = core_of(matrix, &in_core);
            pricing_after = if hidden > 0.01 {
                (pricing_after / 2).max(10)
            } else {
                pricing_after
            };
        } else {
            pricing_after = (pricing_after * 2).min(how.patience);
        }
        if bound > best.bound {
            best = Prices {
                rows: volume.best.rows.clone(),
                bound,
                work,
            };
        }
        if hidden > 1e-9 {
            // What the core did not see made the steps too bold: back to the best prices.
            volume.return_to(&best);
        } else if !moving {
            break;
        }
        if steps - checked.0 >= how.patience {
            if best.bound - checked.1 < how.gain * best.bound.abs() {
                break;
            }
            checked = (steps, best.bound);
        }
    }
    best.work = work;
    best
}

/// Adds columns of negative reduced cost, or close to it, and every row's best few.
fn enlarge(matrix: &Matrix, reduced: &[f64], in_core: &mut [bool]) {
    for column in promising(matrix, reduced, CORE_PER_ROW, CORE_COLUMNS_PER_ROW) {
        in_core[column as usize] = true;
    }
}

fn core_of(matrix: &Matrix, in_core: &[bool]) -> Matrix {
    let columns = (0u32..).zip(in_core).filter(|&(_, &inside)| inside);
    Matrix::new(
        matrix.rows(),
        columns.map(|(column, _)| (matrix.cost(column), matrix.rows_of(column).iter().copied())),
    )
}

/// The `per_row` columns of least reduced cost of each row, and at most `limit` columns a row of small reduced cost.
pub fn promising(matrix: &Matrix, reduced: &[f64], per_row: usize, limit: usize) -> Vec<u32> {
    let mean = matrix.costs().iter().sum::<f64>() / matrix.columns().max(1) as f64;
    let mut low: Vec<u32> = (0..matrix.columns() as u32)
        .filter(|&column| reduced[column as usize] < CORE_REDUCED_COST * mean)
        .collect();
    let most = limit * matrix.rows();
    if low.len() > most {
        low.select_nth_unstable_by(most, |&a, &b| {
            reduced[a as usize].total_cmp(&reduced[b as usize]).then(a.cmp(&b))
        });
        low.truncate(most);
    }
    let mut of_row: Vec<u32> = Vec::new();
    for row in 0..matrix.rows() as u32 {
        of_row.clear();
        of_row.extend_from_slice(matrix.columns_of(row));
        if of_row.len() > per_row {
            of_row.select_nth_unstable_by(per_row, |&a, &b| {
                reduced[a as usize].total_cmp(&reduced[b as usize]).then(a.cmp(&b))
            });
            of_row.truncate(per_row);
        }
        low.extend_from_slice(&of_row);
    }
    low.sort_unstable();
    low.dedup();
    low
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn climbs_to_the_relaxed_optimum() {
        // A triangle: relaxed optimum one and a half, integer optimum two.
        let matrix = Matrix::new(3, [(1.0, vec![0, 1]), (1.0, vec![1, 2]), (1.0, vec![0, 2])]);
        let how = Climb {
            steps: 500,
            patience: 500,
            gain: 0.0,
            width: 0.1,
        };
        let clock = Clock::new(Duration::from_secs(60));
        let prices = climb(&matrix, vec![0.0; 3], 3.0, how, &clock);
        assert!(prices.bound <= 1.5 + 1e-9);
        assert!(prices.bound > 1.45, "{}", prices.bound);
        assert_eq!(price_out(&matrix, &prices.rows).1, prices.bound);
    }

    #[test]
    fn a_row_keeps_its_best_columns() {
        let matrix = Matrix::new(1, [(3.0, [0]), (1.0, [0]), (2.0, [0])]);
        let (reduced, _) = price_out(&matrix, &[0.0]);
        assert_eq!(promising(&matrix, &reduced, 2, 5), [1, 2]);
    }
}
