//! Covers of kernels too large for a graph: the closures of single permissions or of single users, and a fooling set as the bound.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: user, permission and cell numbers come from the problem.

use std::time::Instant;

use crate::optimize::roles::problem::{NONE, Problem};

/// A cover of the kernel by roles and what is known of the least number of them.
#[derive(Debug, Clone, Default)]
pub struct KernelCover {
    /// Sets of cells that fit one role each.
    pub cliques: Vec<Vec<u32>>,
    /// No cover has fewer.
    pub lower_bound: usize,
}

/// Covers the kernel with roles grown around single cells; what the clock leaves open with all users of a permission each.
pub fn cover_widely(problem: &Problem, kernel: &[u32], deadline: Instant) -> KernelCover {
    let coordinates = problem.coordinates();
    let now = Instant::now();
    let left = deadline.saturating_duration_since(now);
    KernelCover {
        lower_bound: fooling_set(problem, kernel, &coordinates, now + left / 3),
        cliques: grow_all(problem, kernel, &coordinates, deadline),
    }
}

/// Roles grown around open cells, those of rare permissions first.
fn grow_all(problem: &Problem, kernel: &[u32], coordinates: &[(u32, u32)], end: Instant) -> Vec<Vec<u32>> {
    let mut open = vec![false; problem.cells()];
    for &cell in kernel {
        open[cell as usize] = true;
    }
    let mut order: Vec<u32> = kernel.to_vec();
    order.sort_by_cached_key(|&cell| {
        let (u, p) = coordinates[cell as usize];
        (
            problem.columns[p as usize].len(),
            p,
            problem.rows[u as usize].len(),
            cell,
        )
    });
    let mut shared = vec![0_u32; problem.permissions()];
    let (mut cliques, mut late) = (Vec::new(), false);
    for cell in order {
        if !open[cell as usize] {
            continue;
        }
        let (u, p) = coordinates[cell as usize];
        late = late || Instant::now() >= end;
        let (users, permissions) = if late {
            (problem.common_users(&[p]), vec![p])
        } else {
            grow(problem, &open, u, p, &mut shared)
        };
        let mut clique = Vec::new();
        for &u in &users {
            for &p in &permissions {
                let cell = problem.cell(u, p);
                if std::mem::take(&mut open[cell as usize]) {
                    clique.push(cell);
                }
            }
        }
        cliques.push(clique);
    }
    cliques
}

/// The role around the cell that holds most open cells among those met on the way from all users of its permission to fewer users with
/// more permissions in common, always by the permission of its user that keeps the most users.
fn grow(problem: &Problem, open: &[bool], u: u32, p: u32, shared: &mut [u32]) -> (Vec<u32>, Vec<u32>) {
    let row = &problem.rows[u as usize];
    let mut users = problem.common_users(&[p]);
    let mut best: (usize, Vec<u32>, Vec<u32>) = (0, Vec::new(), Vec::new());
    loop {
        for &q in row {
            shared[q as usize] = 0;
        }
        for &v in &users {
            for &q in &problem.rows[v as usize] {
                shared[q as usize] += 1;
            }
        }
        let everyone = users.len() as u32;
        let permissions: Vec<u32> = row
            .iter()
            .copied()
            .filter(|&q| shared[q as usize] == everyone)
            .collect();
        let gain = |&v: &u32| {
            permissions
                .iter()
                .filter(|&&q| open[problem.cell(v, q) as usize])
                .count()
        };
        let gained: usize = users.iter().map(gain).sum();
        let next = row
            .iter()
            .copied()
            .filter(|&q| shared[q as usize] < everyone)
            .max_by_key(|&q| (shared[q as usize], q));
        if gained > best.0 {
            best = (gained, users.clone(), permissions);
        }
        let Some(q) = next.filter(|&q| shared[q as usize] as usize * row.len() > best.0) else {
            break;
        };
        users.retain(|&v| problem.cell(v, q) != NONE);
    }
    (best.1, best.2)
}

/// How many cells a greedy search finds of which no two fit one role.
fn fooling_set(problem: &Problem, kernel: &[u32], coordinates: &[(u32, u32)], end: Instant) -> usize {
    // Cells of rare permissions of small users have the fewest neighbours.
    let mut order: Vec<u32> = kernel.to_vec();
    order.sort_by_cached_key(|&cell| {
        let (u, p) = coordinates[cell as usize];
        (problem.rows[u as usize].len() * problem.columns[p as usize].len(), cell)
    });
    // It has one cell at most in a row or a column, so only the chosen users of the cell's column have to be asked.
    let mut chosen_of_user: Vec<u32> = vec![NONE; problem.users()];
    let mut taken = vec![false; problem.permissions()];
    let mut size = 0;
    for (i, &cell) in order.iter().enumerate() {
        if i % 256 == 0 && Instant::now() >= end {
            break;
        }
        let (u, p) = coordinates[cell as usize];
        if taken[p as usize] || chosen_of_user[u as usize] != NONE {
            continue;
        }
        let clash = |&(v, _): &(u32, u32)| {
            let q = chosen_of_user[v as usize];
            q != NONE && problem.cell(u, q) != NONE
        };
        if !problem.columns[p as usize].iter().any(clash) {
            chosen_of_user[u as usize] = p;
            taken[p as usize] = true;
            size += 1;
        }
    }
    size
}
