//! The cells that the reductions leave, as a graph: its maximal cliques are the candidate roles, an exact cover of the cells by them the
//! fewest roles, and cells of which no two are neighbours (a fooling set) a lower bound.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: vertices are 0..n, every bitset has `words` = ceil(n / 64) words.

use std::time::{Duration, Instant};

use crate::optimize::cover;
use crate::optimize::roles::bits::ones;
use crate::optimize::roles::problem::{NONE, Problem};
use crate::optimize::roles::rng::Rng;
use crate::optimize::roles::wide::{KernelCover, cover_widely};

/// Kernels with more cells are covered greedily: the graph itself would be too large.
const MOST_VERTICES: usize = 12_000;
/// With more maximal cliques than this the exact cover is given up.
const MOST_CLIQUES: usize = 60_000;

/// Covers the kernel cells with few cliques, exactly where it is small enough.
pub fn cover_kernel(problem: &Problem, kernel: &[u32], seed: u64, deadline: Instant) -> KernelCover {
    if kernel.is_empty() {
        return KernelCover::default();
    }
    if kernel.len() > MOST_VERTICES {
        return cover_widely(problem, kernel, deadline);
    }
    let graph = Graph::new(problem, kernel);
    let mut result = KernelCover::default();
    let components = graph.components();
    for component in &components {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left.mul_f64(component.len() as f64 / kernel.len() as f64).max(left / 4);
        let part = graph.cover_component(component, seed, Instant::now() + share, share);
        result.lower_bound += part.lower_bound;
        result.stopped |= part.stopped;
        let cells = |clique: Vec<u32>| clique.iter().map(|&v| kernel[v as usize]).collect();
        result.cliques.extend(part.cliques.into_iter().map(cells));
    }
    result
}

/// A cover of one component, in vertices.
struct Part {
    cliques: Vec<Vec<u32>>,
    lower_bound: usize,
    stopped: bool,
}

struct Graph {
    n: usize,
    words: usize,
    /// Neighbours of every vertex, without itself.
    adjacent: Vec<u64>,
}

impl Graph {
    fn new(problem: &Problem, kernel: &[u32]) -> Self {
        let coordinates = problem.coordinates();
        let at: Vec<(u32, u32)> = kernel.iter().map(|&cell| coordinates[cell as usize]).collect();
        let (n, words) = (at.len(), at.len().div_ceil(64));
        let mut adjacent = vec![0_u64; n * words];
        for (i, &(u, p)) in at.iter().enumerate() {
            for (j, &(v, q)) in at.iter().enumerate().skip(i + 1) {
                if problem.cell(u, q) != NONE && problem.cell(v, p) != NONE {
                    adjacent[i * words + j / 64] |= 1 << (j % 64);
                    adjacent[j * words + i / 64] |= 1 << (i % 64);
                }
            }
        }
        Self { n, words, adjacent }
    }

    fn row(&self, v: usize) -> &[u64] {
        &self.adjacent[v * self.words..(v + 1) * self.words]
    }

    fn components(&self) -> Vec<Vec<u32>> {
        let mut seen = vec![false; self.n];
        let mut components = Vec::new();
        for root in 0..self.n {
            if std::mem::replace(&mut seen[root], true) {
                continue;
            }
            let (mut component, mut next) = (vec![root as u32], 0);
            while let Some(&v) = component.get(next) {
                next += 1;
                for w in ones(self.row(v as usize)) {
                    if !std::mem::replace(&mut seen[w as usize], true) {
                        component.push(w);
                    }
                }
            }
            component.sort_unstable();
            components.push(component);
        }
        components
    }

    fn cover_component(&self, component: &[u32], seed: u64, deadline: Instant, limit: Duration) -> Part {
        let fooling = self.fooling_set(component, seed);
        let start = Instant::now();
        let Some(cliques) = self.maximal_cliques(component, start + limit / 3) else {
            let cliques = self.greedy_cliques(component, seed, deadline);
            let stopped = Instant::now() >= deadline;
            return Part {
                lower_bound: fooling.len(),
                cliques,
                stopped,
            };
        };
        let mut place = vec![NONE; self.n];
        for (i, &v) in component.iter().enumerate() {
            place[v as usize] = i as u32;
        }
        let columns = cliques
            .iter()
            .map(|c| cover::Column::new(1.0, c.iter().map(|&v| place[v as usize])))
            .collect();
        let Ok(instance) = cover::Instance::new(component.len(), columns) else {
            // Every vertex is in a maximal clique, so the instance is sound; single cells are a cover whatever happens.
            return Part {
                cliques: component.iter().map(|&v| vec![v]).collect(),
                lower_bound: fooling.len(),
                stopped: true,
            };
        };
        let time_limit = deadline.saturating_duration_since(Instant::now());
        let found = cover::solve(
            &instance,
            &cover::Limits {
                time_limit,
                seed,
                ..cover::Limits::default()
            },
        );
        Part {
            cliques: found.columns.iter().map(|&c| cliques[c as usize].clone()).collect(),
            lower_bound: fooling.len().max((found.lower_bound - 1e-6).ceil().max(0.0) as usize),
            stopped: !found.optimal,
        }
    }

    /// Vertices of which no two are neighbours, as many as greedy restarts find.
    fn fooling_set(&self, component: &[u32], seed: u64) -> Vec<u32> {
        let mut rng = Rng::new(seed);
        let mut best: Vec<u32> = Vec::new();
        let restarts = (200_000 / component.len().max(1)).clamp(1, 64);
        let mut order: Vec<u32> = component.to_vec();
        for _ in 0..restarts {
            rng.shuffle(&mut order);
            order.sort_by_cached_key(|&v| {
                let degree: u32 = self.row(v as usize).iter().map(|w| w.count_ones()).sum();
                // A little noise: equal and nearly equal degrees change places between restarts.
                u64::from(degree) * 8 + rng.next_u64() % 24
            });
            let mut blocked = vec![0_u64; self.words];
            let mut set = Vec::new();
            for &v in &order {
                if blocked[v as usize / 64] >> (v % 64) & 1 == 0 {
                    blocked.iter_mut().zip(self.row(v as usize)).for_each(|(b, a)| *b |= a);
                    set.push(v);
                }
            }
            if set.len() > best.len() {
                best = set;
            }
        }
        best
    }

    /// All maximal cliques (Bron and Kerbosch with Tomita's pivot), or `None` when they are too many.
    fn maximal_cliques(&self, component: &[u32], deadline: Instant) -> Option<Vec<Vec<u32>>> {
        let mut candidates = vec![0_u64; self.words];
        for &v in component {
            candidates[v as usize / 64] |= 1 << (v % 64);
        }
        let mut found = Vec::new();
        let mut steps = 0;
        let excluded = vec![0_u64; self.words];
        self.expand(&mut Vec::new(), candidates, excluded, &mut found, &mut steps, deadline)
            .then_some(found)
    }

    fn expand(
        &self,
        clique: &mut Vec<u32>,
        mut candidates: Vec<u64>,
        mut excluded: Vec<u64>,
        found: &mut Vec<Vec<u32>>,
        steps: &mut u64,
        deadline: Instant,
    ) -> bool {
        *steps += 1;
        if found.len() > MOST_CLIQUES || (steps.is_multiple_of(256) && Instant::now() >= deadline) {
            return false;
        }
        if candidates.iter().all(|&w| w == 0) {
            if excluded.iter().all(|&w| w == 0) {
                found.push(clique.clone());
            }
            return true;
        }
        let reach = |v: u32| -> u32 {
            self.row(v as usize)
                .iter()
                .zip(&candidates)
                .map(|(a, c)| (a & c).count_ones())
                .sum()
        };
        let Some(pivot) = ones(&candidates).chain(ones(&excluded)).max_by_key(|&v| reach(v)) else {
            return true;
        };
        let branch: Vec<u64> = candidates
            .iter()
            .zip(self.row(pivot as usize))
            .map(|(c, a)| c & !a)
            .collect();
        for v in ones(&branch) {
            let row = self.row(v as usize);
            let inner = candidates.iter().zip(row).map(|(c, a)| c & a).collect();
            let outer = excluded.iter().zip(row).map(|(x, a)| x & a).collect();
            clique.push(v);
            let complete = self.expand(clique, inner, outer, found, steps, deadline);
            clique.pop();
            if !complete {
                return false;
            }
            candidates[v as usize / 64] &= !(1 << (v % 64));
            excluded[v as usize / 64] |= 1 << (v % 64);
        }
        true
    }

    /// Few cliques without the whole list of candidates: grown around one uncovered vertex after the other, the best of restarts.
    fn greedy_cliques(&self, component: &[u32], seed: u64, deadline: Instant) -> Vec<Vec<u32>> {
        let mut rng = Rng::new(seed);
        let mut best: Vec<Vec<u32>> = component.iter().map(|&v| vec![v]).collect();
        for _ in 0..32 {
            let mut open = vec![0_u64; self.words];
            for &v in component {
                open[v as usize / 64] |= 1 << (v % 64);
            }
            let mut cliques = Vec::new();
            while cliques.len() + 1 < best.len() {
                let Some(first) = ones(&open).min_by_key(|&v| {
                    let degree: u32 = self
                        .row(v as usize)
                        .iter()
                        .zip(&open)
                        .map(|(a, o)| (a & o).count_ones())
                        .sum();
                    u64::from(degree) * 4 + rng.next_u64() % 8
                }) else {
                    break;
                };
                let mut clique = vec![first];
                let mut reachable = self.row(first as usize).to_vec();
                while let Some(next) = ones(&reachable).max_by_key(|&v| {
                    let row = self.row(v as usize);
                    let gain: u32 = (0..self.words)
                        .map(|w| (row[w] & reachable[w] & open[w]).count_ones())
                        .sum();
                    let own = (open[v as usize / 64] >> (v % 64) & 1) as u32;
                    u64::from(gain + own) * 4 + rng.next_u64() % 6
                }) {
                    reachable
                        .iter_mut()
                        .zip(self.row(next as usize))
                        .for_each(|(r, a)| *r &= a);
                    clique.push(next);
                }
                for &v in &clique {
                    open[v as usize / 64] &= !(1 << (v % 64));
                }
                cliques.push(clique);
                if Instant::now() >= deadline {
                    break;
                }
            }
            let rest: Vec<u32> = ones(&open).collect();
            cliques.extend(rest.into_iter().map(|v| vec![v]));
            if cliques.len() < best.len() {
                best = cliques;
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        best
    }
}
