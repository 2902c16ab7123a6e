//! The search on one connected part of a problem: rounds in which dives, a local walk, repairs and a branch-and-bound tree
//! go on side by side and share what they found.
//!
//! Rounds are slices of counted work, not of time, so that what is found does not depend on the machine.

use super::clock::Clock;
use super::dive::{Catch, Effort, dive, keep};
use super::greedy::greedy;
use super::kernel::Kernel;
use super::lagrangian::{Climb, Prices, climb, initial_prices, price_out, promising};
use super::local::Local;
use super::reduce::{Part, of_columns};
use super::repair::Repair;
use crate::random::Random;

/// Work of the first slices, and the most that a slice grows to.
const FIRST_SLICE: u64 = 1_000_000;
const LONGEST_SLICE: u64 = 60_000_000;
/// A dive may take so many slices at once, which it pays for in later rounds, and at least so much work.
const DIVE_SLICES: u64 = 8;
const SHORTEST_DIVE: u64 = 20_000_000;
/// Of each row and, for each row, of all: so many promising columns are what dives, walk and repairs see.
const NEAR_PER_ROW: usize = 20;
/// A better cover makes a new kernel when it leaves at most this share of the old one's columns.
const NEW_KERNEL: f64 = 0.8;
/// What hopeless exact work still gets.
const HOPELESS_SLICE: u64 = LONGEST_SLICE / 8;
/// A search may go on for so many rounds without a better cover or bound, and for as many times the rounds until the last.
const PATIENCE: u32 = 24;
const MORE_PATIENCE: u32 = 2;
/// A tree that is done by so much more is getting on.
const PROGRESS: f64 = 0.002;
/// Share of the rows whose best columns a dive keeps: where it starts, how it grows, and where it starts over.
const FIRST_SHARE: f64 = 0.3;
const SHARE_GROWTH: f64 = 1.1;
const LAST_SHARE: f64 = 0.9;
/// Prices are shaken by at most this share before a dive.
const SHAKE: f64 = 0.1;
/// A fresh start for repairs may cost so much more than the best cover.
const FRESH_COST: f64 = 1.1;

/// One part with the best that is known of it.
#[derive(Debug)]
pub struct Search {
    part: Part,
    best: Vec<u32>,
    cost: f64,
    prices: Prices,
    work: Option<Work>,
    random: Random,
    rounds: u32,
    /// The round that last got anything better, with the bound and the part of the tree done then.
    gained: (u32, f64, f64),
}

/// What the rounds carry on.
#[derive(Debug)]
struct Work {
    /// The part cut to its promising columns: what dives, walk and repairs see.
    near: Part,
    local: Local,
    repair: Repair,
    kernel: Option<Kernel>,
    /// Share of the rows that the next dive keeps covered.
    share: f64,
    /// Work that the dives have left; below nothing after a long one.
    dive_credit: i64,
    slices: Slices,
}

/// How much each kind of work gets in a round.
#[derive(Debug, Clone, Copy)]
struct Slices {
    dive: u64,
    walk: u64,
    repair: u64,
    exact: u64,
}

impl Search {
    /// Starts from the greedy cover.
    pub fn new(part: Part, random: Random) -> Self {
        let best = greedy(&part.matrix);
        Self {
            cost: part.matrix.cost_of(&best),
            best,
            prices: initial_prices(&part.matrix),
            work: None,
            part,
            random,
            rounds: 0,
            gained: (0, 0.0, 0.0),
        }
    }

    /// Whether the best cover is proven to be the cheapest, or nothing has got better for long.
    pub fn is_done(&self) -> bool {
        let patience = PATIENCE.max(MORE_PATIENCE * self.gained.0);
        self.part.matrix.closes(self.prices.bound, self.cost) || self.rounds >= self.gained.0 + patience
    }

    /// Notes the round, and whether anything got better in it.
    fn count_round(&mut self, cost_before: f64) {
        self.rounds += 1;
        let kernel = self.work.as_ref().and_then(|work| work.kernel.as_ref());
        let progress = kernel
            .filter(|kernel| !kernel.is_hopeless())
            .map_or(0.0, Kernel::progress);
        let bound = self.bound();
        let (_, bound_then, progress_then) = self.gained;
        if self.cost < cost_before || bound > bound_then || progress > progress_then + PROGRESS {
            self.gained = (self.rounds, bound, progress);
        }
        // A new kernel's tree begins anew.
        self.gained.2 = self.gained.2.min(progress);
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
        let before = self.cost;
        match self.work.take() {
            None => self.work = Some(self.begin(clock)),
            Some(mut work) => {
                self.renew_kernel(&mut work);
                self.go_on(&mut work, clock);
                self.work = Some(work);
            }
        }
        self.count_round(before);
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
        let mut columns = promising(matrix, &reduced, NEAR_PER_ROW, NEAR_PER_ROW);
        columns.extend(&self.best);
        columns.sort_unstable();
        columns.dedup();
        let near = of_columns(matrix, &columns);
        let base = translate(&self.best, &near.columns);
        Work {
            local: Local::new(near.matrix.clone(), &base, self.random.fork()),
            repair: Repair::new(base, self.random.fork()),
            near,
            kernel: None,
            share: 0.0,
            dive_credit: 0,
            slices: Slices {
                dive: FIRST_SLICE,
                walk: FIRST_SLICE,
                repair: FIRST_SLICE,
                exact: FIRST_SLICE,
            },
        }
    }

    /// Cuts the kernel where there is none, or where a better cover rules out many more columns.
    fn renew_kernel(&self, work: &mut Work) {
        let few = work
            .kernel
            .as_ref()
            .map(|kernel| (NEW_KERNEL * kernel.columns() as f64) as usize);
        if let Some(kernel) = Kernel::new(&self.part.matrix, &self.prices, self.cost, few) {
            work.kernel = Some(kernel);
        }
    }

    fn go_on(&mut self, work: &mut Work, clock: &Clock) {
        let cost = self.cost;
        let slices = work.slices;
        let mut random = self.random.fork();
        let near = &work.near;
        let base = translate(&self.best, &near.columns);
        let prices = &self.prices.rows;
        let effort = Effort {
            first: self.climbing(),
            next: Climb {
                steps: 1000,
                patience: 300,
                gain: 0.001,
                width: 0.1,
            },
            covers: 200,
            most: (slices.dive * DIVE_SLICES).max(SHORTEST_DIVE),
        };
        // Stale repairs need a start far from the best cover: a dive that keeps nothing and may be dearer.
        let fresh = work.repair.is_stale();
        let (share, upper) = match fresh {
            true => (0.0, cost * FRESH_COST),
            false => (work.share, cost),
        };
        work.dive_credit += slices.dive as i64;
        let may_dive = fresh || work.dive_credit >= 0;
        let dive_once = || {
            may_dive.then(|| {
                let fixed = keep(&near.matrix, &base, prices, share, &mut random);
                let start = prices
                    .iter()
                    .map(|price| price * (1.0 + SHAKE * (2.0 * random.unit() - 1.0)))
                    .collect();
                dive(&near.matrix, &fixed, start, upper, effort, &mut random, clock)
            })
        };
        let (local, repair, kernel) = (&mut work.local, &mut work.repair, &mut work.kernel);
        let ((dived, ()), (walked, grown)) = rayon::join(
            || rayon::join(dive_once, || repair.run(&near.matrix, prices, slices.repair, clock)),
            || {
                rayon::join(
                    || local.run(cost, slices.walk, clock),
                    || kernel.as_mut()?.run(cost, slices.exact, clock),
                )
            },
        );
        let dived = dived.and_then(|Catch { cover, work: done }| {
            work.dive_credit -= done as i64;
            cover
        });
        if fresh && let Some(cover) = &dived {
            work.repair.restart(cover.clone());
        }
        let dived = dived.map(|cover| carry(&cover, &near.columns));
        let walked = walked.map(|cover| carry(&cover, &near.columns));
        let repaired = Some(carry(work.repair.base(), &near.columns));
        let better = [
            self.take(dived),
            self.take(walked),
            self.take(repaired),
            self.take(grown),
        ];
        if better.contains(&true) {
            let base = translate(&self.best, &work.near.columns);
            work.local.restart(&base);
            work.repair.restart(base);
        }
        if let Some(kernel) = &work.kernel {
            let bound = kernel.bound().min(self.cost);
            self.prices.bound = self.prices.bound.max(bound);
        }
        if !fresh && may_dive {
            work.share = match share {
                _ if better[0] => FIRST_SHARE,
                0.0 => FIRST_SHARE,
                share if share > LAST_SHARE => 0.0,
                share => share * SHARE_GROWTH,
            };
        }
        work.slices = work.slices.next(better, work.kernel.as_ref());
    }

    /// Whether the cover is there and the best by now.
    fn take(&mut self, found: Option<Vec<u32>>) -> bool {
        let Some(found) = found else { return false };
        let cost = self.part.matrix.cost_of(&found);
        let better = self.part.matrix.open_rows(&found).is_empty() && self.part.matrix.improves(cost, self.cost);
        if better {
            self.best = found;
            self.cost = cost;
        }
        better
    }
}

impl Slices {
    /// All grow round by round; who alone found something better gains on the others.
    fn next(self, [dived, walked, repaired, _]: [bool; 4], kernel: Option<&Kernel>) -> Self {
        let anyone = dived || walked || repaired;
        let next = |slice: u64, found: bool| {
            let grown = if anyone && !found { slice } else { slice * 2 };
            grown.min(LONGEST_SLICE)
        };
        let exact = if kernel.is_some_and(Kernel::is_hopeless) {
            HOPELESS_SLICE
        } else {
            (self.exact * 2).min(LONGEST_SLICE)
        };
        Self {
            dive: next(self.dive, dived),
            walk: next(self.walk, walked),
            repair: next(self.repair, repaired),
            exact,
        }
    }
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
