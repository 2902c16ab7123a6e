//! Branch and bound: proves the cheapest cover of a kernel, with Lagrangian bounds and the reductions at every node.
//!
//! A node picks a row and tries its columns in turn, each time without the ones tried before it. The open nodes are kept
//! on a fixed number of stacks that are worked on in parallel and in slices of counted work, so that a run can be cut
//! anywhere, always has a bound, and gives the same answer on any number of threads.
#![allow(clippy::indexing_slicing, reason = "dense numeric kernel: see the invariant")]
// INVARIANT: rows and columns come from one `Matrix`, whose indices are in range; prices have one entry a row; the maps of
// a `Part` have one entry for each of its rows and columns and point into the kernel.

use std::sync::Arc;

use rayon::prelude::*;

use super::clock::Clock;
use super::lagrangian::{Climb, climb, price_out};
use super::matrix::{Matrix, set};
use super::reduce::{Part, reduce, submatrix};

/// Stacks of open nodes; more than there are threads, so that none waits long.
const STACKS: usize = 4;
/// Reductions at a node may take so many steps for each of its ones.
const REDUCTION_SHARE: u64 = 60;

/// A subproblem after its node was worked on: what its children start from.
#[derive(Debug)]
struct Sub {
    part: Part,
    fixed: Vec<u32>,
    prices: Vec<f64>,
}

/// A subproblem still to be worked on: its parent's, with one column chosen and some ruled out.
#[derive(Debug)]
struct Node {
    parent: Arc<Sub>,
    include: Option<u32>,
    exclude: Vec<u32>,
    bound: f64,
    /// Its share of the whole tree, as far as can be told: that of its parent, split evenly.
    share: f64,
}

/// The tree of one kernel.
#[derive(Debug)]
pub struct Tree {
    kernel: Matrix,
    stacks: Vec<Vec<Node>>,
    work: u64,
}

/// The best cover known to a worker, and the work it may still do.
struct Worker<'a> {
    kernel: &'a Matrix,
    upper: f64,
    cover: Option<Vec<u32>>,
    work: u64,
    clock: &'a Clock,
}

impl Tree {
    /// The tree of a kernel, starting from row prices that prove `bound`.
    pub fn new(kernel: Matrix, prices: Vec<f64>, bound: f64) -> Self {
        let part = Part {
            rows: (0..kernel.rows() as u32).collect(),
            columns: (0..kernel.columns() as u32).collect(),
            matrix: kernel.clone(),
        };
        let root = Node {
            parent: Arc::new(Sub {
                part,
                fixed: Vec::new(),
                prices,
            }),
            include: None,
            exclude: Vec::new(),
            bound,
            share: 1.0,
        };
        let mut stacks: Vec<Vec<Node>> = (0..STACKS).map(|_| Vec::new()).collect();
        stacks[0].push(root);
        Self {
            kernel,
            stacks,
            work: 0,
        }
    }

    /// Whether every node is closed: no cover is cheaper than the one the search was last given.
    pub fn is_closed(&self) -> bool {
        self.stacks.iter().all(Vec::is_empty)
    }

    /// Elementary steps done so far.
    pub fn work(&self) -> u64 {
        self.work
    }

    /// Which share of the tree is done, by a rough estimate.
    pub fn progress(&self) -> f64 {
        let open: f64 = self.stacks.iter().flatten().map(|node| node.share).sum();
        1.0 - open
    }

    /// Closes every node: it was decided elsewhere that there is nothing cheaper to be found.
    pub fn close(&mut self) {
        self.stacks.iter_mut().for_each(Vec::clear);
    }

    /// No cover that is still to be found is cheaper; infinite when the tree is closed.
    pub fn bound(&self) -> f64 {
        let nodes = self.stacks.iter().flatten();
        nodes.map(|node| node.bound).fold(f64::INFINITY, f64::min)
    }

    /// Works on for about `work` steps a stack; gives a cover cheaper than `upper` if it finds one.
    pub fn run(&mut self, upper: f64, work: u64, clock: &Clock) -> Option<Vec<u32>> {
        self.balance();
        let kernel = &self.kernel;
        let found: Vec<(Option<Vec<u32>>, u64)> = self
            .stacks
            .par_iter_mut()
            .map(|stack| {
                let mut worker = Worker {
                    kernel,
                    upper,
                    cover: None,
                    work,
                    clock,
                };
                worker.run(stack);
                (worker.cover, work - worker.work)
            })
            .collect();
        self.work += found.iter().map(|(_, work)| work).sum::<u64>();
        found
            .into_iter()
            .filter_map(|(cover, _)| cover)
            .min_by(|a, b| kernel.cost_of(a).total_cmp(&kernel.cost_of(b)))
    }

    /// Empty stacks take the shallowest node of the fullest.
    fn balance(&mut self) {
        for empty in 0..STACKS {
            if !self.stacks[empty].is_empty() {
                continue;
            }
            let fullest = (0..STACKS).rev().max_by_key(|&stack| self.stacks[stack].len());
            if let Some(from) = fullest.filter(|&stack| self.stacks[stack].len() > 1) {
                let node = self.stacks[from].remove(0);
                self.stacks[empty].push(node);
            }
        }
    }
}

impl Worker<'_> {
    fn run(&mut self, stack: &mut Vec<Node>) {
        while self.work > 0 && !self.clock.is_over() {
            let Some(node) = stack.pop() else { break };
            if self.kernel.closes(node.bound, self.upper) {
                continue;
            }
            match self.expand(&node) {
                Some(children) => stack.extend(children),
                // Cut by the clock: the node stays open.
                None => stack.push(node),
            }
        }
    }

    fn spend(&mut self, steps: u64) {
        self.work = self.work.saturating_sub(steps);
    }

    /// Works on a node: its open children, the most promising last; nothing where the clock ended the work.
    fn expand(&mut self, node: &Node) -> Option<Vec<Node>> {
        let Some((mut part, mut fixed)) = child(node) else {
            return Some(Vec::new());
        };
        let prices: Vec<f64> = {
            let of_row = &node.parent;
            let mut rows = of_row.part.rows.iter().zip(&of_row.prices);
            part.rows
                .iter()
                .map(|row| {
                    rows.by_ref()
                        .find(|(other, _)| *other == row)
                        .map_or(0.0, |(_, &price)| price)
                })
                .collect()
        };
        let entries = part.matrix.entries() as u64;
        self.spend(entries * 10);
        let reduced = reduce(&part.matrix, entries * REDUCTION_SHARE + 1000, self.clock);
        fixed.extend(reduced.chosen.iter().map(|&column| part.columns[column as usize]));
        if reduced.rows.is_empty() {
            self.offer(fixed);
            return Some(Vec::new());
        }
        let prices = reduced.rows.iter().map(|&row| prices[row as usize]).collect();
        part = cut(&part, &reduced.rows, &reduced.columns);
        let spent = self.kernel.cost_of(&fixed);
        let how = Climb {
            steps: 60,
            patience: 30,
            gain: 0.001,
            width: 0.05,
        };
        self.spend(60 * part.matrix.entries() as u64);
        let prices = climb(&part.matrix, prices, self.upper - spent, how, self.clock).rows;
        let (costs, bound) = price_out(&part.matrix, &prices);
        let bound = (bound + spent).max(node.bound);
        if self.kernel.closes(bound, self.upper) {
            return Some(Vec::new());
        }
        if self.clock.is_over() {
            return None;
        }
        let sub = Arc::new(Sub { part, fixed, prices });
        Some(self.branch(sub, &costs, bound, node.share))
    }

    /// Children by the columns of the row that has fewest.
    fn branch(&self, sub: Arc<Sub>, costs: &[f64], bound: f64, share: f64) -> Vec<Node> {
        let matrix = &sub.part.matrix;
        let row = (0..matrix.rows() as u32).min_by(|&a, &b| {
            let size = |row| matrix.columns_of(row).len();
            size(a)
                .cmp(&size(b))
                .then(sub.prices[b as usize].total_cmp(&sub.prices[a as usize]))
        });
        let Some(row) = row else { return Vec::new() };
        let mut columns = matrix.columns_of(row).to_vec();
        columns.sort_by(|&a, &b| costs[a as usize].total_cmp(&costs[b as usize]).then(a.cmp(&b)));
        let mut without = 0.0;
        let mut children = Vec::new();
        for (index, &column) in columns.iter().enumerate() {
            let cost = costs[column as usize];
            let bound = bound + without + cost.max(0.0);
            if !self.kernel.closes(bound, self.upper) {
                children.push(Node {
                    parent: Arc::clone(&sub),
                    include: Some(column),
                    exclude: columns[..index].to_vec(),
                    bound,
                    share: 0.0,
                });
            }
            without += (-cost).max(0.0);
        }
        let count = children.len();
        for child in &mut children {
            child.share = share / count as f64;
        }
        children.reverse();
        children
    }

    fn offer(&mut self, mut cover: Vec<u32>) {
        self.kernel.drop_redundant(&mut cover);
        let cost = self.kernel.cost_of(&cover);
        if self.kernel.improves(cost, self.upper) {
            self.upper = cost;
            self.cover = Some(cover);
        }
    }
}

/// The subproblem of a node before any work; nothing where some row has no column left.
fn child(node: &Node) -> Option<(Part, Vec<u32>)> {
    let parent = &node.parent;
    let matrix = &parent.part.matrix;
    let mut fixed = parent.fixed.clone();
    fixed.extend(node.include.map(|column| parent.part.columns[column as usize]));
    let rows = matrix.open_rows(node.include.as_slice());
    let mut left = vec![true; matrix.columns()];
    for &column in node.include.iter().chain(&node.exclude) {
        left[column as usize] = false;
    }
    let part = cut(&parent.part, &rows, &set(&left));
    (!has_dead_row(&part.matrix)).then_some((part, fixed))
}

/// A part of a part, with maps into the kernel.
fn cut(part: &Part, rows: &[u32], columns: &[u32]) -> Part {
    let inner = submatrix(&part.matrix, rows, columns);
    Part {
        columns: inner
            .columns
            .iter()
            .map(|&column| part.columns[column as usize])
            .collect(),
        rows: inner.rows.iter().map(|&row| part.rows[row as usize]).collect(),
        matrix: inner.matrix,
    }
}

/// Whether no column covers some row.
pub fn has_dead_row(matrix: &Matrix) -> bool {
    (0..matrix.rows() as u32).any(|row| matrix.columns_of(row).is_empty())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::greedy::greedy;
    use super::*;

    fn solve(kernel: &Matrix) -> (f64, bool) {
        let clock = Clock::new(Duration::from_secs(60));
        let mut upper = kernel.cost_of(&greedy(kernel));
        let mut tree = Tree::new(kernel.clone(), vec![0.0; kernel.rows()], 0.0);
        for _ in 0..1000 {
            if let Some(cover) = tree.run(upper, 100_000, &clock) {
                upper = kernel.cost_of(&cover);
            }
            if tree.is_closed() {
                return (upper, true);
            }
        }
        (upper, false)
    }

    #[test]
    fn odd_cycle_needs_more_than_half() {
        for length in [3u32, 5, 9] {
            let kernel = Matrix::new(
                length as usize,
                (0..length).map(|at| {
                    let mut rows = vec![at, (at + 1) % length];
                    rows.sort_unstable();
                    (1.0, rows)
                }),
            );
            assert_eq!(solve(&kernel), (f64::from(length.div_ceil(2)), true));
        }
    }
}
