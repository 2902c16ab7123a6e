//! The search on one connected part of a problem: rounds in which a dive, a local walk and a branch-and-bound tree go on
//! side by side and share what they found.
//!
//! Rounds are slices of counted work, not of time, so that what is found does not depend on the machine.

use super::clock::{Clock, Random};
use super::dive::{Effort, dive, keep};
use super::exact::Tree;
use super::greedy::greedy;
use super::lagrangian::{Climb, Prices, climb, initial_prices, price_out, promising};
use super::local::Local;
use super::reduce::{Part, submatrix};

/// Work of the first slice of the walk and the tree, and the most that a slice grows to.
const FIRST_SLICE: u64 = 1_000_000;
const LONGEST_SLICE: u64 = 60_000_000;
/// A tree is grown on kernels of at most so many columns and ones.
const TREE_COLUMNS: usize = 20_000;
const TREE_ENTRIES: usize = 300_000;
/// A better cover plants a new tree when it leaves at most this share of the old tree's columns.
const REPLANT: f64 = 0.8;
/// Share of the rows whose best columns a dive keeps: where it starts, how it grows, and where it starts over.
const FIRST_SHARE: f64 = 0.3;
const SHARE_GROWTH: f64 = 1.1;
const LAST_SHARE: f64 = 0.9;

/// One part with the best that is known of it.
#[derive(Debug)]
pub struct Search {
    part: Part,
    best: Vec<u32>,
    cost: f64,
    prices: Prices,
    work: Option<Work>,
    slice: u64,
    random: Random,
}

/// What the rounds carry on.
#[derive(Debug)]
struct Work {
    /// The part cut to its promising columns: what the dives and the walk see.
    near: Part,
    local: Local,
    local_cost: f64,
    share: f64,
    tree: Option<Planted>,
}

/// A tree and the columns of the part that its kernel has.
#[derive(Debug)]
struct Planted {
    tree: Tree,
    columns: Vec<u32>,
}

impl Search {
    /// Starts from the greedy cover.
    pub fn new(part: Part, random: Random) -> Self {
        let found = greedy(&part.matrix);
        Self {
            cost: part.matrix.cost_of(&found.chosen),
            best: found.chosen,
            prices: Prices {
                rows: initial_prices(&part.matrix),
                bound: found.lower_bound,
            },
            work: None,
            slice: FIRST_SLICE,
            part,
            random,
        }
    }

    /// Whether the best cover is proven to be the cheapest.
    pub fn is_done(&self) -> bool {
        self.part.matrix.closes(self.prices.bound, self.cost)
    }

    /// No cover of the part is cheaper.
    pub fn bound(&self) -> f64 {
        self.part.matrix.round_bound(self.prices.bound).min(self.cost)
    }

    /// The best cover, in columns of the whole.
    pub fn columns(&self) -> impl Iterator<Item = u32> {
        self.best
            .iter()
            .filter_map(|&column| self.part.columns.get(column as usize).copied())
    }

    /// The next slice of the search; the first one only climbs to a good bound.
    pub fn round(&mut self, clock: &Clock) {
        match self.work.take() {
            None => self.work = Some(self.begin(clock)),
            Some(mut work) => {
                self.plant(&mut work);
                self.go_on(&mut work, clock);
                self.slice = (self.slice * 2).min(LONGEST_SLICE);
                self.work = Some(work);
            }
        }
    }

    fn climbing(&self) -> Climb {
        Climb {
            steps: (10 * self.part.matrix.rows() as u32).clamp(300, 20_000),
            patience: 300,
            gain: 0.0005,
            width: 0.1,
        }
    }

    fn begin(&mut self, clock: &Clock) -> Work {
        let matrix = &self.part.matrix;
        let start = self.prices.rows.clone();
        let climbed = climb(matrix, start, self.cost, self.climbing(), clock);
        let (reduced, _) = price_out(matrix, &climbed.rows);
        if climbed.bound > self.prices.bound {
            self.prices = climbed;
        }
        let columns = promising(matrix, &reduced, 20, 20);
        let near = of_columns(&self.part, &columns);
        let base = translate(&self.best, &near.columns);
        let local = Local::new(near.matrix.clone(), &base, self.random.fork());
        Work {
            near,
            local,
            local_cost: self.cost,
            share: 0.0,
            tree: None,
        }
    }

    /// Plants a tree where there is none, or where a better cover rules out many more columns.
    fn plant(&mut self, work: &mut Work) {
        let matrix = &self.part.matrix;
        let (reduced, bound) = price_out(matrix, &self.prices.rows);
        let columns: Vec<u32> = (0u32..)
            .zip(&reduced)
            .filter(|&(_, &reduced)| !matrix.closes(bound + reduced, self.cost))
            .map(|(column, _)| column)
            .collect();
        let few = work.tree.as_ref().map_or(TREE_COLUMNS, |planted| {
            (REPLANT * planted.tree.columns() as f64) as usize
        });
        if columns.len() > few {
            return;
        }
        let kernel = of_columns(&self.part, &columns);
        if kernel.matrix.entries() <= TREE_ENTRIES {
            work.tree = Some(Planted {
                tree: Tree::new(kernel.matrix, self.prices.rows.clone(), bound),
                columns: kernel.columns,
            });
        }
    }

    fn go_on(&mut self, work: &mut Work, clock: &Clock) {
        let cost = self.cost;
        let slice = self.slice;
        let mut random = self.random.fork();
        let effort = Effort {
            first: self.climbing(),
            next: Climb {
                steps: 1000,
                patience: 300,
                gain: 0.001,
                width: 0.1,
            },
            covers: 200,
        };
        let near = &work.near;
        let base = translate(&self.best, &near.columns);
        let prices = &self.prices.rows;
        let share = work.share;
        if cost < work.local_cost {
            work.local.restart(&base);
        }
        let (local, tree) = (&mut work.local, &mut work.tree);
        let (dived, (walked, grown)) = rayon::join(
            || {
                let fixed = keep(&near.matrix, &base, prices, share, &mut random);
                let start = prices
                    .iter()
                    .map(|price| price * (1.0 + 0.1 * (2.0 * random.unit() - 1.0)))
                    .collect();
                dive(&near.matrix, &fixed, start, cost, effort, &mut random, clock).cover
            },
            || {
                rayon::join(
                    || local.run(cost, slice, clock),
                    || {
                        let planted = tree.as_mut()?;
                        let found = planted.tree.run(cost, slice, clock)?;
                        Some(carry(&found, &planted.columns))
                    },
                )
            },
        );
        let dived = dived.map(|cover| carry(&cover, &near.columns));
        let walked = walked.map(|cover| carry(&cover, &near.columns));
        work.share = match share {
            _ if dived.is_some() => FIRST_SHARE,
            share if share == 0.0 => FIRST_SHARE,
            share if share > LAST_SHARE => 0.0,
            share => share * SHARE_GROWTH,
        };
        for found in [dived, walked, grown].into_iter().flatten() {
            let cost = self.part.matrix.cost_of(&found);
            if self.part.matrix.improves(cost, self.cost) {
                self.best = found;
                self.cost = cost;
            }
        }
        work.local_cost = self.cost;
        if let Some(planted) = &work.tree {
            self.prices.bound = self.prices.bound.max(planted.tree.bound().min(self.cost));
        }
    }
}

fn of_columns(part: &Part, columns: &[u32]) -> Part {
    let rows: Vec<u32> = (0..part.matrix.rows() as u32).collect();
    submatrix(&part.matrix, &rows, columns)
}

/// Columns of the part as columns of a cut of it (ascending); those that were cut away are left out.
fn translate(cover: &[u32], columns: &[u32]) -> Vec<u32> {
    cover
        .iter()
        .filter_map(|column| columns.binary_search(column).ok())
        .map(|index| index as u32)
        .collect()
}

/// Columns of a cut as columns of the part.
fn carry(cover: &[u32], columns: &[u32]) -> Vec<u32> {
    cover
        .iter()
        .filter_map(|&column| columns.get(column as usize).copied())
        .collect()
}
