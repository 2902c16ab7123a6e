//! Lossless reductions for the fewest roles (Ene et al. 2008), on the cells of the merged matrix.
//!
//! Two cells are neighbours when one role can hold both, so a role is a clique and the fewest roles are the fewest cliques that hold every
//! cell. A cell whose neighbours are among another's lets the other go (a role for the first can always take the second as well); a cell whose
//! neighbours all fit one role fixes that role. Both hold again on what is left, and are repeated until nothing changes.
//!
//! All neighbours of cell (u, p) lie in row `u`'s permissions, so a user's cells are worked on together with one bit a permission of its row.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: users and permissions come from the problem and are below its counts; a row's local bit i stands for its i-th permission and
// `words` is the row's length in 64-bit words; mask tables hold users() × words words.

use std::time::Instant;

use crate::optimize::roles::bits::ones;
use crate::optimize::roles::problem::{NONE, Problem};

/// What the reductions leave.
#[derive(Debug, Clone, Default)]
pub struct Reduced {
    /// Sets of cells that some fewest cover has in one role each.
    pub fixed: Vec<Vec<u32>>,
    /// For every cell that was let go the one that implies it, else [`NONE`].
    pub implied_by: Vec<u32>,
    /// The cells that are neither covered by these nor implied by others, sorted.
    pub kernel: Vec<u32>,
}

impl Reduced {
    /// The largest roles that hold these sets of cells and every cell that they imply.
    ///
    /// A cell fits whatever role holds the cell it was implied by, and so on through what was implied later; which of several
    /// largest roles holds them all is only known from the whole set.
    pub fn unfold(&self, problem: &Problem, cliques: impl Iterator<Item = Vec<u32>>) -> Vec<(Vec<u32>, Vec<u32>)> {
        let mut implied: Vec<(u32, u32)> = (0_u32..)
            .zip(&self.implied_by)
            .filter(|&(_, &by)| by != NONE)
            .map(|(cell, &by)| (by, cell))
            .collect();
        implied.sort_unstable();
        let coordinates = problem.coordinates();
        let mut placed = vec![false; problem.cells()];
        let close = |clique: Vec<u32>| {
            // A cell in two roles needs to take what it implies along only once.
            let mut cells: Vec<u32> = clique;
            let mut next = 0;
            while let Some(&cell) = cells.get(next) {
                next += 1;
                if !std::mem::replace(&mut placed[cell as usize], true) {
                    let from = implied.partition_point(|&(by, _)| by < cell);
                    let more = implied[from..].iter().take_while(|&&(by, _)| by == cell);
                    cells.extend(more.map(|&(_, cell)| cell));
                }
            }
            let mut users: Vec<u32> = cells.iter().map(|&cell| coordinates[cell as usize].0).collect();
            users.sort_unstable();
            users.dedup();
            problem.close_users(&users)
        };
        cliques.map(close).collect()
    }
}

/// Reduces the cells that are `alive`, as far as the time goes; the others are taken as covered.
pub fn reduce(problem: &Problem, mut alive: Vec<bool>, deadline: Instant) -> Reduced {
    let mut result = Reduced {
        implied_by: vec![NONE; problem.cells()],
        ..Reduced::default()
    };
    let mut scratch = Scratch {
        full: Vec::new(),
        alive: Vec::new(),
        touched: Vec::new(),
        seen: vec![false; problem.users()],
    };
    let mut dirty = vec![true; problem.permissions()];
    'all: loop {
        let mut next = vec![false; problem.permissions()];
        let (mut changed, mut looked) = (false, 0_u32);
        for u in 0..problem.users() as u32 {
            if !problem.rows[u as usize].iter().any(|&p| dirty[p as usize]) {
                continue;
            }
            looked += 1;
            if looked % 16 == 1 && Instant::now() >= deadline {
                break 'all;
            }
            changed |= reduce_user(problem, u, &mut alive, &mut scratch, &mut next, &mut result);
        }
        if !changed {
            break;
        }
        dirty = next;
    }
    result.kernel = (0_u32..)
        .zip(&alive)
        .filter(|&(_, &live)| live)
        .map(|(cell, _)| cell)
        .collect();
    result
}

/// For the user in hand: which of its permissions every neighbour user has (`full`) and with a living cell (`alive`).
struct Scratch {
    full: Vec<u64>,
    alive: Vec<u64>,
    touched: Vec<u32>,
    seen: Vec<bool>,
}

impl Scratch {
    fn load(&mut self, problem: &Problem, u: u32, alive: &[bool]) -> usize {
        let row = &problem.rows[u as usize];
        let words = row.len().div_ceil(64);
        self.full.resize(self.full.len().max(problem.users() * words), 0);
        self.alive.resize(self.full.len(), 0);
        for (i, &p) in row.iter().enumerate() {
            for &(a, cell) in &problem.columns[p as usize] {
                let base = a as usize * words;
                if !self.seen[a as usize] {
                    self.seen[a as usize] = true;
                    self.touched.push(a);
                    self.full[base..base + words].fill(0);
                    self.alive[base..base + words].fill(0);
                }
                self.full[base + i / 64] |= 1 << (i % 64);
                if alive[cell as usize] {
                    self.alive[base + i / 64] |= 1 << (i % 64);
                }
            }
        }
        words
    }

    fn clear(&mut self) {
        for a in self.touched.drain(..) {
            self.seen[a as usize] = false;
        }
    }
}

fn reduce_user(
    problem: &Problem,
    u: u32,
    alive: &mut [bool],
    scratch: &mut Scratch,
    dirty: &mut [bool],
    result: &mut Reduced,
) -> bool {
    let row = &problem.rows[u as usize];
    let start = problem.starts[u as usize];
    if !(start..).zip(row).any(|(cell, _)| alive[cell as usize]) {
        return false;
    }
    let words = scratch.load(problem, u, alive);
    let mut changed = false;
    let (mut union, mut common) = (vec![0_u64; words], vec![0_u64; words]);
    for (i, (&p, cell)) in row.iter().zip(start..).enumerate() {
        if !alive[cell as usize] {
            continue;
        }
        union.fill(0);
        common.fill(u64::MAX);
        let column = &problem.columns[p as usize];
        for &(a, _) in column {
            let span = a as usize * words..(a as usize + 1) * words;
            let living = &scratch.alive[span.clone()];
            if living.iter().any(|&w| w != 0) {
                union.iter_mut().zip(living).for_each(|(x, w)| *x |= w);
                common.iter_mut().zip(&scratch.full[span]).for_each(|(x, w)| *x &= w);
            }
        }
        let holds_union = |full: &[u64], a: u32| (0..words).all(|w| union[w] & !full[a as usize * words + w] == 0);
        let users: Vec<u32> = column
            .iter()
            .map(|&(a, _)| a)
            .filter(|&a| holds_union(&scratch.full, a))
            .collect();
        if union.iter().zip(&common).all(|(x, c)| x & !c == 0) {
            // All neighbours fit one role: take it as large as it gets.
            let mut inside = vec![u64::MAX; words];
            for &a in &users {
                inside
                    .iter_mut()
                    .zip(&scratch.full[a as usize * words..])
                    .for_each(|(x, w)| *x &= w);
            }
            let mut cells = Vec::new();
            for &a in &users {
                for j in ones(&inside).map(|j| j as usize).take_while(|&j| j < row.len()) {
                    let covered = problem.cell(a, row[j]);
                    if std::mem::take(&mut alive[covered as usize]) {
                        dirty[row[j] as usize] = true;
                        cells.push(covered);
                    }
                    scratch.alive[a as usize * words + j / 64] &= !(1 << (j % 64));
                }
            }
            result.fixed.push(cells);
            changed = true;
            continue;
        }
        for &a in &users {
            let living = &scratch.alive[a as usize * words..(a as usize + 1) * words];
            let implied: Vec<u64> = common.iter().zip(living).map(|(c, l)| c & l).collect();
            for j in ones(&implied).map(|j| j as usize) {
                if (a, j) == (u, i) {
                    continue;
                }
                let other = problem.cell(a, row[j]) as usize;
                if std::mem::take(&mut alive[other]) {
                    scratch.alive[a as usize * words + j / 64] &= !(1 << (j % 64));
                    result.implied_by[other] = cell;
                    dirty[row[j] as usize] = true;
                    changed = true;
                }
            }
        }
    }
    scratch.clear();
    changed
}
