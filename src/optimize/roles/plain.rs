//! Roles that need no search: one for each user, one for each permission, and those of the cheapest heuristic. No answer is worse than these.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: all numbers come from the state and its problem.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::optimize::roles::problem::{NONE, Problem};
use crate::optimize::roles::state::{Slot, State};

/// Every permission class with a role of its own: who has to have it.
pub fn own_columns(problem: &Problem) -> Vec<Slot> {
    let slots = (0_u32..).zip(&problem.columns).map(|(p, column)| Slot {
        users: needed(problem, column.iter().copied()).collect(),
        permissions: vec![p],
        kept: false,
    });
    slots.filter(|slot| !slot.users.is_empty()).collect()
}

/// Every user class with a role of its own: what it has to have.
pub fn own_rows(problem: &Problem) -> Vec<Slot> {
    let rows = (0_u32..).zip(&problem.rows);
    rows.map(|(u, row)| Slot {
        users: vec![u],
        permissions: needed(problem, row.iter().copied().zip(problem.starts[u as usize]..)).collect(),
        kept: false,
    })
    .collect()
}

/// Those whose cell has to be granted.
fn needed(problem: &Problem, cells: impl Iterator<Item = (u32, u32)>) -> impl Iterator<Item = u32> {
    cells.filter(|&(_, cell)| problem.needed[cell as usize]).map(|(x, _)| x)
}

/// The greedy heuristic of Ene et al. 2008: whichever user or permission has the fewest open cells gets one role for them all, which everybody
/// and everything joins that may. What users without room are left with stays open.
pub fn peeled(problem: &Problem) -> Vec<Slot> {
    let mut state = State::new(problem);
    let has = |u: u32, p: u32| {
        let cell = problem.cell(u, p);
        cell != NONE && problem.needed[cell as usize]
    };
    let mut left: [Vec<usize>; 2] = [vec![0; problem.users()], vec![0; problem.permissions()]];
    for (u, p) in problem.coordinates() {
        if has(u, p) {
            left[0][u as usize] += 1;
            left[1][p as usize] += 1;
        }
    }
    let mut next: BinaryHeap<Reverse<(usize, usize, u32)>> = BinaryHeap::new();
    for (side, left) in left.iter().enumerate() {
        next.extend((0_u32..).zip(left).map(|(x, &open)| Reverse((open, side, x))));
    }
    while let Some(Reverse((open, side, x))) = next.pop() {
        let now = left[side][x as usize];
        if now == 0 || now > open {
            continue;
        }
        if now < open {
            next.push(Reverse((now, side, x)));
            continue;
        }
        let is_open = |cell: u32| state.count[cell as usize] == 0 && problem.needed[cell as usize];
        let (users, permissions): (Vec<u32>, Vec<u32>) = if side == 0 {
            let row = problem.rows[x as usize].iter().zip(problem.starts[x as usize]..);
            let permissions: Vec<u32> = row.filter(|&(_, cell)| is_open(cell)).map(|(&p, _)| p).collect();
            let mut users = problem.common_users(&permissions);
            users.retain(|&u| state.has_room(u) && permissions.iter().all(|&p| has(u, p)));
            (users, permissions)
        } else {
            let column = problem.columns[x as usize].iter();
            let users: Vec<u32> = column.filter(|&&(_, cell)| is_open(cell)).map(|&(u, _)| u).collect();
            let mut permissions = problem.common_permissions(&users);
            permissions.retain(|&p| users.iter().all(|&u| has(u, p)));
            (users, permissions)
        };
        if !users.iter().all(|&u| state.has_room(u)) || users.is_empty() {
            continue;
        }
        for &u in &users {
            for &p in &permissions {
                if state.count[problem.cell(u, p) as usize] == 0 {
                    left[0][u as usize] -= 1;
                    left[1][p as usize] -= 1;
                }
            }
        }
        state.add_role(&users, &permissions);
    }
    state.roles()
}
