//! Roles that need no search: one for each user, and one for each permission. No answer is worse than these.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: cells come from the problem.

use crate::optimize::roles::problem::Problem;
use crate::optimize::roles::state::Slot;

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
