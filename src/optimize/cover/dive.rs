//! The Lagrangian heuristic of Caprara, Fischetti and Toth: climb, build covers from the prices on the way, fix the columns
//! that look certain, and go on with the rest until nothing is left.
#![allow(clippy::indexing_slicing, reason = "dense numeric kernel: see the invariant")]
// INVARIANT: rows and columns come from one `Matrix`, whose indices are in range; prices have one entry a row; the maps of
// a `Part` have one entry for each of its rows and columns and point into the matrix it was cut from.

use super::clock::Clock;
use super::greedy::{complete, cover};
use super::lagrangian::{Climb, Volume, climb, price_out, promising, reduced_cost};
use super::matrix::Matrix;
use super::reduce::{Part, of_columns, submatrix};
use crate::random::Random;

/// Columns of clearly negative reduced cost may be fixed.
const FIXED_BELOW: f64 = -0.001;
/// Prices are shaken by at most this share after a fixing.
const SHAKE: f64 = 0.1;

/// Building one cover takes about this many steps for each one of the matrix.
const COVER_WORK: u64 = 8;

/// How hard a dive tries.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// The climb before the first fixing.
    pub first: Climb,
    /// The climbs after each.
    pub next: Climb,
    /// Covers built between two fixings.
    pub covers: u32,
    /// Elementary steps after which it ends with what it has.
    pub most: u64,
}

impl Effort {
    /// So many steps of a climb take at most a quarter of all.
    fn climb(&self, how: Climb, entries: u64) -> Climb {
        let most = self.most / 4 / entries.max(1);
        Climb {
            steps: how.steps.min(most.clamp(20, u64::from(u32::MAX)) as u32),
            ..how
        }
    }

    /// So many covers take at most a quarter of all.
    fn covers(&self, entries: u64) -> u64 {
        let most = self.most / 4 / (COVER_WORK * entries).max(1);
        u64::from(self.covers).min(most.max(5))
    }
}

/// What a dive brought up.
#[derive(Debug)]
pub struct Catch {
    /// A cover cheaper than the given cost, if it found one.
    pub cover: Option<Vec<u32>>,
    /// Elementary steps that it took.
    pub work: u64,
}

/// Dives into `matrix` with some columns fixed from the start, looking for covers cheaper than `upper`.
pub fn dive(
    matrix: &Matrix,
    fixed: &[u32],
    start: Vec<f64>,
    mut upper: f64,
    effort: Effort,
    random: &mut Random,
    clock: &Clock,
) -> Catch {
    let mut fixed = fixed.to_vec();
    let mut best: Option<Vec<u32>> = None;
    let mut prices = start;
    let all: Vec<u32> = (0..matrix.columns() as u32).collect();
    let Some(mut part) = rest(matrix, &fixed, &all) else {
        matrix.drop_redundant(&mut fixed);
        let cover = matrix.improves(matrix.cost_of(&fixed), upper).then_some(fixed);
        return Catch { cover, work: 1 };
    };
    let mut how = effort.first;
    let mut work = 1;
    loop {
        let spent = matrix.cost_of(&fixed);
        let local: Vec<f64> = part.rows.iter().map(|&row| prices[row as usize]).collect();
        let how_here = effort.climb(how, part.matrix.entries() as u64);
        let climbed = climb(&part.matrix, local, upper - spent, how_here, clock);
        for (&row, &price) in part.rows.iter().zip(&climbed.rows) {
            prices[row as usize] = price;
        }
        work += climbed.work;
        if matrix.closes(climbed.bound + spent, upper) {
            break;
        }
        let (reduced, _) = price_out(&part.matrix, &climbed.rows);
        let near = near_core(&part, &reduced);
        let mut volume = Volume::new(climbed.rows.clone(), how.width);
        let entries = near.matrix.entries() as u64;
        for _ in 0..effort.covers(entries) {
            let mut found = Vec::new();
            complete(&near.matrix, &volume.trial, &mut found, usize::MAX);
            near.matrix.drop_redundant(&mut found);
            work += COVER_WORK * entries;
            if matrix.improves(near.matrix.cost_of(&found) + spent, upper) {
                let mut whole = fixed.clone();
                whole.extend(
                    found
                        .iter()
                        .map(|&column| part.columns[near.columns[column as usize] as usize]),
                );
                matrix.drop_redundant(&mut whole);
                upper = matrix.cost_of(&whole);
                best = Some(whole);
                if matrix.closes(climbed.bound + spent, upper) {
                    break;
                }
            }
            if !volume.step(&near.matrix, upper - spent) || clock.is_over() {
                break;
            }
        }
        if work > effort.most || clock.is_over() || matrix.closes(climbed.bound + spent, upper) {
            break;
        }
        let certain = fixable(&part.matrix, &climbed.rows, &reduced);
        fixed.extend(certain.iter().map(|&column| part.columns[column as usize]));
        let Some(next) = rest(matrix, &fixed, &part.columns) else {
            matrix.drop_redundant(&mut fixed);
            if matrix.improves(matrix.cost_of(&fixed), upper) {
                best = Some(fixed);
            }
            break;
        };
        part = next;
        for &row in &part.rows {
            prices[row as usize] *= 1.0 + SHAKE * (2.0 * random.unit() - 1.0);
        }
        how = effort.next;
    }
    Catch { cover: best, work }
}

/// What the fixed columns leave to be covered; nothing where they are a cover.
fn rest(matrix: &Matrix, fixed: &[u32], columns: &[u32]) -> Option<Part> {
    let rows = matrix.open_rows(fixed);
    (!rows.is_empty()).then(|| submatrix(matrix, &rows, columns))
}

/// The columns of the part that covers are built from.
fn near_core(part: &Part, reduced: &[f64]) -> Part {
    of_columns(&part.matrix, &promising(&part.matrix, reduced, 5, 5))
}

/// Columns of negative reduced cost that alone cover some row among those, and a few more that the prices favour.
fn fixable(matrix: &Matrix, prices: &[f64], reduced: &[f64]) -> Vec<u32> {
    let wanted: Vec<u32> = (0..matrix.columns() as u32)
        .filter(|&column| reduced[column as usize] < FIXED_BELOW)
        .collect();
    let mut times = vec![0u32; matrix.rows()];
    for &column in &wanted {
        for &row in matrix.rows_of(column) {
            times[row as usize] += 1;
        }
    }
    let mut certain: Vec<u32> = wanted
        .into_iter()
        .filter(|&column| {
            let rows = matrix.rows_of(column);
            rows.iter().any(|&row| times[row as usize] == 1)
        })
        .collect();
    let few = (matrix.rows() / 200).max(1);
    complete(matrix, prices, &mut certain, few);
    certain
}

/// Columns of a cover that are kept for another dive: those that waste least, until they cover the `share` of all rows.
pub fn keep(matrix: &Matrix, chosen: &[u32], prices: &[f64], share: f64, random: &mut Random) -> Vec<u32> {
    let mut times = vec![0u32; matrix.rows()];
    for &column in chosen {
        for &row in matrix.rows_of(column) {
            times[row as usize] += 1;
        }
    }
    let mut wasted: Vec<(f64, u32)> = chosen
        .iter()
        .map(|&column| {
            let shared: f64 = matrix
                .rows_of(column)
                .iter()
                .map(|&row| {
                    let times = f64::from(times[row as usize]);
                    prices[row as usize] * (times - 1.0) / times
                })
                .sum();
            let waste = reduced_cost(matrix, column, prices).max(0.0) + shared;
            (waste * (1.0 + SHAKE * random.unit()), column)
        })
        .collect();
    wasted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let enough = (share * matrix.rows() as f64) as usize;
    let mut covered = vec![false; matrix.rows()];
    let mut count = 0;
    let mut kept = Vec::new();
    for (_, column) in wasted {
        if count >= enough {
            break;
        }
        count += cover(matrix, column, &mut covered);
        kept.push(column);
    }
    kept
}
