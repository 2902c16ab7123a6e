//! Lower bounds by Lagrangian relaxation: prices of rows, raised by subgradient steps towards the best bound they prove.
//!
//! For row prices `u >= 0` every cover costs at least `sum u + sum over columns min(0, reduced cost)`, where a column's
//! reduced cost is its cost less the prices of its rows. Large problems are worked on through a core of promising columns
//! that is renewed by pricing out all columns (Caprara, Fischetti and Toth 1999); only bounds over all columns are reported.
#![allow(clippy::indexing_slicing, reason = "dense numeric kernel: see the invariant")]
// INVARIANT: rows and columns come from one `Matrix`, whose indices are in range; prices and counts have one entry a row.

use super::clock::Clock;
use super::matrix::Matrix;

/// Below this many ones, a core saves nothing.
const CORE_FROM_ENTRIES: usize = 30_000;
/// Cheapest columns of each row that the core always holds.
const CORE_PER_ROW: usize = 5;
/// Reduced costs below this share of the mean cost attract a column into the core.
const CORE_REDUCED_COST: f64 = 0.1;
/// The core is cut to this many columns a row.
const CORE_COLUMNS_PER_ROW: usize = 5;
/// Steps after which the step width is judged.
const WINDOW: u32 = 20;

/// Row prices and the bound that they prove.
#[derive(Debug, Clone)]
pub struct Prices {
    /// One price a row.
    pub rows: Vec<f64>,
    /// No cover is cheaper (not rounded).
    pub bound: f64,
}

/// Prices to start from: what the cheapest column asks per row.
pub fn initial_prices(matrix: &Matrix) -> Vec<f64> {
    (0..matrix.rows() as u32)
        .map(|row| {
            matrix
                .columns_of(row)
                .iter()
                .map(|&column| matrix.cost(column) / matrix.rows_of(column).len() as f64)
                .fold(f64::INFINITY, f64::min)
        })
        .collect()
}

/// A column's cost less the prices of its rows.
pub fn reduced_cost(matrix: &Matrix, column: u32, prices: &[f64]) -> f64 {
    let rows = matrix.rows_of(column).iter();
    matrix.cost(column) - rows.map(|&row| prices[row as usize]).sum::<f64>()
}

/// All reduced costs, and the bound that the prices prove.
pub fn price_out(matrix: &Matrix, prices: &[f64]) -> (Vec<f64>, f64) {
    let reduced: Vec<f64> = (0..matrix.columns() as u32)
        .map(|column| reduced_cost(matrix, column, prices))
        .collect();
    let negative: f64 = reduced.iter().filter(|&&cost| cost < 0.0).sum();
    (reduced, prices.iter().sum::<f64>() + negative)
}

/// The walk of the prices: where it is, how it steps, and the best it saw.
#[derive(Debug, Clone)]
pub struct Walk {
    /// Prices now.
    pub prices: Vec<f64>,
    /// Best prices seen, with their bound over the matrix walked on.
    pub best: Prices,
    covered: Vec<i32>,
    step_width: f64,
    steps: u32,
    window: (f64, f64),
}

impl Walk {
    /// A walk from the given prices.
    pub fn new(prices: Vec<f64>, step_width: f64) -> Self {
        Self {
            covered: vec![0; prices.len()],
            best: Prices {
                rows: prices.clone(),
                bound: f64::NEG_INFINITY,
            },
            prices,
            step_width,
            steps: 0,
            window: (f64::INFINITY, f64::NEG_INFINITY),
        }
    }

    /// One step: takes the bound of the prices and moves them along the subgradient towards `upper`.
    /// False where no direction is left: the prices are the best there are.
    pub fn step(&mut self, matrix: &Matrix, upper: f64) -> bool {
        self.covered.fill(1);
        let mut bound: f64 = self.prices.iter().sum();
        for column in 0..matrix.columns() as u32 {
            let rows = matrix.rows_of(column);
            let reduced = matrix.cost(column) - rows.iter().map(|&row| self.prices[row as usize]).sum::<f64>();
            if reduced < 0.0 {
                bound += reduced;
                for &row in rows {
                    self.covered[row as usize] -= 1;
                }
            }
        }
        if bound > self.best.bound {
            self.best.bound = bound;
            self.best.rows.copy_from_slice(&self.prices);
        }
        let norm: f64 = self
            .covered
            .iter()
            .zip(&self.prices)
            .filter(|&(&slack, &price)| slack > 0 || price > 0.0)
            .map(|(&slack, _)| f64::from(slack) * f64::from(slack))
            .sum();
        if norm == 0.0 {
            return false;
        }
        self.judge_width(bound);
        let gap = (upper - bound).max(1e-3 * upper.abs()).max(1e-9);
        let width = self.step_width * gap / norm;
        for (price, &slack) in self.prices.iter_mut().zip(&self.covered) {
            *price = (*price + width * f64::from(slack)).max(0.0);
        }
        true
    }

    /// Steps get narrower while the bounds swing, wider while they creep.
    fn judge_width(&mut self, bound: f64) {
        self.window = (self.window.0.min(bound), self.window.1.max(bound));
        self.steps += 1;
        if self.steps.is_multiple_of(WINDOW) {
            let swing = (self.window.1 - self.window.0) / self.window.1.abs().max(1e-9);
            if swing > 0.01 {
                self.step_width *= 0.5;
            } else if swing < 0.001 {
                self.step_width *= 1.5;
            }
            self.window = (f64::INFINITY, f64::NEG_INFINITY);
        }
    }

    fn forget_best(&mut self) {
        self.best.bound = f64::NEG_INFINITY;
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
        let mut walk = Walk::new(start, how.width);
        let mut checked = f64::NEG_INFINITY;
        for step in 1..=how.steps {
            if !walk.step(matrix, upper) || matrix.closes(walk.best.bound, upper) || clock.is_over() {
                break;
            }
            if step.is_multiple_of(how.patience) {
                if walk.best.bound - checked < how.gain * walk.best.bound.abs() {
                    break;
                }
                checked = walk.best.bound;
            }
        }
        if walk.best.bound == f64::NEG_INFINITY {
            walk.best.bound = price_out(matrix, &walk.best.rows).1;
        }
        return walk.best;
    }
    climb_through_core(matrix, start, upper, how, clock)
}

fn climb_through_core(matrix: &Matrix, start: Vec<f64>, upper: f64, how: Climb, clock: &Clock) -> Prices {
    let (mut reduced, bound) = price_out(matrix, &start);
    let mut best = Prices {
        rows: start.clone(),
        bound,
    };
    let mut walk = Walk::new(start, how.width);
    let mut checked = (0, f64::NEG_INFINITY);
    let mut pricing_after = 10;
    let mut steps = 0;
    while steps < how.steps && !clock.is_over() && !matrix.closes(best.bound, upper) {
        let core = core_of(matrix, &reduced);
        walk.forget_best();
        let mut moving = true;
        for _ in 0..pricing_after {
            steps += 1;
            moving = walk.step(&core, upper);
            if !moving || clock.is_over() {
                break;
            }
        }
        let core_bound = walk.best.bound;
        let (of_best, true_bound) = price_out(matrix, &walk.best.rows);
        if true_bound > best.bound {
            best = Prices {
                rows: walk.best.rows.clone(),
                bound: true_bound,
            };
        }
        // How much the core hides decides how soon to price again.
        let hidden = (core_bound - true_bound) / upper.abs().max(1e-9);
        pricing_after = match hidden {
            hidden if hidden <= 1e-6 => (pricing_after * 10).min((matrix.rows() as u32 / 3).clamp(10, 1000)),
            hidden if hidden <= 0.02 => (pricing_after * 5).min(how.patience),
            hidden if hidden <= 0.2 => (pricing_after * 2).min(how.patience),
            _ => 10,
        };
        if !moving && hidden <= 1e-9 {
            break;
        }
        reduced = of_best;
        if steps - checked.0 >= how.patience {
            if best.bound - checked.1 < how.gain * best.bound.abs() {
                break;
            }
            checked = (steps, best.bound);
        }
    }
    best
}

/// Every row's best few columns and the most promising of all, over all rows.
fn core_of(matrix: &Matrix, reduced: &[f64]) -> Matrix {
    let columns = promising(matrix, reduced, CORE_PER_ROW, CORE_COLUMNS_PER_ROW);
    Matrix::new(
        matrix.rows(),
        columns
            .iter()
            .map(|&column| (matrix.cost(column), matrix.rows_of(column).iter().copied())),
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
