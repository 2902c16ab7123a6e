//! Covers of kernels too large for a graph: the closures of single permissions or of single users, and a fooling set as the bound.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: user, permission and cell numbers come from the problem.

use std::time::Instant;

use crate::optimize::roles::problem::{NONE, Problem};

/// A cover of the kernel by roles and what is known of the least number of them.
#[derive(Debug, Clone, Default)]
pub struct KernelCover {
    /// Maximal roles that hold all cells: users and permissions.
    pub roles: Vec<(Vec<u32>, Vec<u32>)>,
    /// No cover has fewer.
    pub lower_bound: usize,
    /// Whether the clock cut the work short.
    pub stopped: bool,
}

/// Covers the kernel with the closures of permissions (all users of one, and all that they have in common) or of users, whichever are fewer.
pub fn cover_widely(problem: &Problem, kernel: &[u32], deadline: Instant) -> KernelCover {
    let coordinates = problem.coordinates();
    let now = Instant::now();
    let left = deadline.saturating_duration_since(now);
    let (lower_bound, cut) = fooling_set(problem, kernel, &coordinates, now + left / 3);
    let now = Instant::now();
    let left = deadline.saturating_duration_since(now);
    let mut best: Option<(Vec<(Vec<u32>, Vec<u32>)>, bool)> = None;
    for (by_user, end) in [(false, now + left / 2), (true, deadline)] {
        let (roles, cut) = closures(problem, kernel, &coordinates, by_user, end);
        if best.as_ref().is_none_or(|(least, _)| roles.len() < least.len()) {
            best = Some((roles, cut));
        }
    }
    let (roles, late) = best.unwrap_or_default();
    KernelCover {
        roles,
        lower_bound,
        stopped: cut || late,
    }
}

type Roles = Vec<(Vec<u32>, Vec<u32>)>;

/// The closures of users or of permissions that hold something open, rare ones first; whether the clock left some unclosed (still a cover).
fn closures(
    problem: &Problem,
    kernel: &[u32],
    coordinates: &[(u32, u32)],
    by_user: bool,
    end: Instant,
) -> (Roles, bool) {
    let mut open = vec![false; problem.cells()];
    for &cell in kernel {
        open[cell as usize] = true;
    }
    let owner = |cell: u32| {
        let (u, p) = coordinates[cell as usize];
        if by_user { u } else { p }
    };
    let mut cells: Vec<u32> = kernel.to_vec();
    cells.sort_by_key(|&cell| (owner(cell), cell));
    let mut groups: Vec<&[u32]> = cells.chunk_by(|&a, &b| owner(a) == owner(b)).collect();
    let extent = |cell: u32| {
        let (u, p) = coordinates[cell as usize];
        if by_user {
            problem.rows[u as usize].len()
        } else {
            problem.columns[p as usize].len()
        }
    };
    groups.sort_by_key(|group| group.first().map(|&cell| (extent(cell), owner(cell))));
    let (mut roles, mut late) = (Roles::new(), false);
    for group in groups {
        let Some(&cell) = group.iter().find(|&&cell| open[cell as usize]) else {
            continue;
        };
        let (u, p) = coordinates[cell as usize];
        late = late || Instant::now() >= end;
        let (users, permissions) = match (late, by_user) {
            (true, true) => (vec![u], problem.rows[u as usize].clone()),
            (true, false) => (problem.common_users(&[p]), vec![p]),
            (false, true) => {
                let row = &problem.rows[u as usize];
                (problem.common_users(row), row.clone())
            }
            (false, false) => {
                let users = problem.common_users(&[p]);
                let permissions = problem.common_permissions(&users);
                (users, permissions)
            }
        };
        for &u in &users {
            for &p in &permissions {
                open[problem.cell(u, p) as usize] = false;
            }
        }
        roles.push((users, permissions));
    }
    (roles, late)
}

/// How many cells a greedy search finds of which no two fit one role; whether the clock cut it.
fn fooling_set(problem: &Problem, kernel: &[u32], coordinates: &[(u32, u32)], end: Instant) -> (usize, bool) {
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
            return (size, true);
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
    (size, false)
}
