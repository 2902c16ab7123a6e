//! The cells that the reductions leave, covered with few roles: from below by fooling sets and contradictions, from above by roles that grow
//! from them, in rounds of counted work until both meet or nothing gets better.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: the field's cells are numbered as the kernel's are.

use std::time::Instant;

use crate::optimize::roles::anchors::Growth;
use crate::optimize::roles::field::Field;
use crate::optimize::roles::fooling::Fooling;
use crate::optimize::roles::problem::Problem;
use crate::optimize::roles::refute::{self, Verdict};
use crate::optimize::roles::wide::{KernelCover, cover_widely};
use crate::random::Random;

/// Work of the first round for each cell, and at least; each further round doubles it.
const WORK_PER_CELL: u64 = 200;
const LEAST_WORK: u64 = 100_000;
/// So many rounds in which nothing gets better are enough.
const PATIENCE: u32 = 5;
/// A better bound is reason to go on only where it is so near.
const NEAR: usize = 6;
/// The first roles are grown whatever the clock says, as long as it takes no more work than this.
const GRACE: u64 = 30_000_000;

/// Covers the kernel cells with few cliques.
pub fn cover_kernel(problem: &Problem, kernel: &[u32], seed: u64, deadline: Instant) -> KernelCover {
    if kernel.is_empty() {
        return KernelCover::default();
    }
    let Some(field) = Field::new(problem, kernel) else {
        return cover_widely(problem, kernel, deadline);
    };
    let mut hunt = Hunt::new(&field, seed, deadline);
    hunt.run();
    let cliques = hunt.best.cliques().into_iter();
    KernelCover {
        cliques: cliques
            .map(|clique| clique.into_iter().map(|cell| kernel[cell as usize]).collect())
            .collect(),
        lower_bound: hunt.bound,
    }
}

/// The best that is known from both sides, and two ways to make it fewer.
struct Hunt<'a> {
    field: &'a Field<'a>,
    fooling: Fooling<'a>,
    best: Growth<'a>,
    bound: usize,
    /// Each goes on from where it was left; the second starts anew when it gets no further.
    chains: [Chain<'a>; 2],
    leads_on: bool,
    deadline: Instant,
}

struct Chain<'a> {
    growth: Growth<'a>,
    rng: Random,
}

impl Chain<'_> {
    /// Whether it got any further.
    fn run(&mut self, enough: usize, work: u64, deadline: Instant) -> bool {
        let before = self.growth.len();
        self.growth.shrink_all(&mut self.rng);
        self.growth.improve(enough, work, &mut self.rng, deadline);
        self.growth.len() < before
    }
}

impl<'a> Hunt<'a> {
    /// Starts with roles grown from a fooling set, and with those of single users or permissions where these are fewer.
    fn new(field: &'a Field<'a>, seed: u64, deadline: Instant) -> Self {
        let mut rng = Random::new(seed);
        let mut fooling = Fooling::new(field, Random::new(rng.bits()));
        fooling.begin(GRACE, deadline);
        let plain = Growth::plain(field);
        let mut grown = Growth::from_fooling(field, fooling.best());
        if !grown.finish(usize::MAX, 0.0, GRACE, &mut rng, deadline) {
            grown = plain.clone();
        }
        let best = if grown.len() <= plain.len() { &grown } else { &plain };
        Self {
            bound: fooling.best().len(),
            field,
            fooling,
            best: best.clone(),
            chains: [grown, plain].map(|growth| Chain {
                growth,
                rng: Random::new(rng.bits()),
            }),
            leads_on: true,
            deadline,
        }
    }

    fn is_over(&self) -> bool {
        self.bound >= self.best.len() || Instant::now() >= self.deadline
    }

    fn run(&mut self) {
        let mut work = (WORK_PER_CELL * self.field.cells() as u64).max(LEAST_WORK);
        let mut stale = 0;
        while stale < PATIENCE && !self.is_over() {
            let before = self.bound;
            let fewer = self.round(work);
            let near = self.best.len() - self.bound <= NEAR;
            stale = if fewer || (near && self.bound > before) {
                0
            } else {
                stale + 1
            };
            work *= 2;
        }
    }

    /// Whether some way got further.
    fn round(&mut self, work: u64) -> bool {
        let (field, deadline, most, bound) = (self.field, self.deadline, self.best.len(), self.bound);
        // While the first way leads on, the second may wait.
        let second_work = if self.leads_on { work / 8 } else { work };
        let fooling = &mut self.fooling;
        let [first, second] = &mut self.chains;
        let (below, further) = rayon::join(
            || {
                // Far from the best a better bound proves nothing yet.
                let share = if most - bound <= NEAR { work } else { work / 8 };
                fooling.run(share, most, deadline);
                raise(field, fooling.best(), bound, most, share, deadline)
            },
            || {
                rayon::join(
                    || first.run(bound, work, deadline),
                    || second.run(bound, second_work, deadline),
                )
            },
        );
        self.bound = below.0;
        let found = self.chains.iter().map(|chain| &chain.growth).chain(below.1.as_deref());
        if let Some(found) = found.min_by_key(|growth| growth.len())
            && found.len() < self.best.len()
        {
            self.best = found.clone();
        }
        self.leads_on = further.0;
        let [first, second] = &mut self.chains;
        if !further.0 && self.best.len() < first.growth.len() {
            first.growth = self.best.clone();
        }
        if !further.1 {
            let mut grown = Growth::from_fooling(field, self.fooling.best());
            let grew = grown.finish(usize::MAX, 1.0, 0, &mut second.rng, deadline);
            second.growth = if grew { grown } else { self.best.clone() };
        }
        further.0 || further.1 || self.best.len() < most
    }
}

/// A better bound than the fooling set's where fewer roles lead to a contradiction, or fewer roles where they do not.
fn raise<'a>(
    field: &'a Field<'a>,
    fooling: &[u32],
    bound: usize,
    most: usize,
    work: u64,
    deadline: Instant,
) -> (usize, Option<Box<Growth<'a>>>) {
    let mut bound = bound.max(fooling.len());
    let mut left = work;
    while bound < most {
        let (verdict, used) = refute::fits(field, fooling, bound - fooling.len(), left, deadline);
        left = left.saturating_sub(used);
        match verdict {
            Verdict::Impossible => bound += 1,
            Verdict::Possible(growth) => return (bound, Some(growth)),
            Verdict::Open => break,
        }
    }
    (bound, None)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::optimize::roles::matrix::Matrix;
    use crate::optimize::roles::model::Options;

    /// All cells, unreduced; how many roles there are and must be.
    fn cover(permissions: usize, bits: &[u32], limit: Duration) -> (usize, usize) {
        let row = |b: &u32| (0..permissions as u32).filter(|p| b >> p & 1 == 1).collect();
        let matrix = Matrix::from_rows(permissions, bits.iter().map(row).collect());
        let problem = Problem::new(&matrix, &Options::default());
        let cells: Vec<u32> = (0..problem.cells() as u32).collect();
        let found = cover_kernel(&problem, &cells, 1, Instant::now() + limit);
        let mut covered = vec![false; problem.cells()];
        let at = problem.coordinates();
        for clique in &found.cliques {
            for &a in clique {
                covered[a as usize] = true;
                let (u, _) = at[a as usize];
                assert!(clique.iter().all(|&b| problem.cell(u, at[b as usize].1) != u32::MAX));
            }
        }
        assert!(covered.iter().all(|&covered| covered));
        assert!(found.lower_bound <= found.cliques.len());
        (found.cliques.len(), found.lower_bound)
    }

    /// The fewest roles, by trying all sets of largest roles, fewer first.
    fn fewest(permissions: usize, bits: &[u32]) -> usize {
        let cell = |u: usize, p: usize| 1_u32 << (u * permissions + p);
        let mut roles: Vec<u32> = Vec::new();
        for set in 1_u32..1 << permissions {
            let users = (0..bits.len()).filter(|&u| bits[u] & set == set);
            let cells = users.flat_map(|u| (0..permissions).filter(|&p| set >> p & 1 == 1).map(move |p| cell(u, p)));
            roles.push(cells.fold(0, |all, cell| all | cell));
        }
        let full = roles.iter().fold(0, |all, role| all | role);
        let mut reached = vec![0_u32];
        for count in 0.. {
            if reached.contains(&full) {
                return count;
            }
            let mut next: Vec<u32> = reached
                .iter()
                .flat_map(|&mask| roles.iter().map(move |&role| mask | role))
                .collect();
            next.sort_unstable();
            next.dedup();
            reached = next;
        }
        unreachable!()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn bounds_hold_and_small_kernels_are_solved(bits in prop::collection::vec(1_u32..16, 1..6)) {
            let optimum = fewest(4, &bits);
            prop_assert_eq!(cover(4, &bits, Duration::from_secs(60)), (optimum, optimum));
            let (found, bound) = cover(4, &bits, Duration::ZERO);
            prop_assert!(bound <= optimum && optimum <= found);
        }
    }

    #[test]
    fn contradictions_prove_what_no_fooling_set_does() {
        // Everybody has all but one of six: no fooling set has more than three, and four roles are needed.
        let crown: Vec<u32> = (0..6).map(|u| 63 & !(1 << u)).collect();
        assert_eq!(cover(6, &crown, Duration::from_secs(60)), (4, 4));
        assert_eq!(fewest(5, &[30, 29, 27, 23, 15]), 4);
        assert_eq!(cover(5, &[30, 29, 27, 23, 15], Duration::from_secs(60)), (4, 4));
    }
}
