//! Lower bounds for the edges of any set of roles.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: user, permission and cell numbers come from the problem.

use std::time::Instant;

use crate::optimize::roles::problem::{Problem, UNIT};

/// No set of roles has fewer user–role plus role–permission assignments than this.
pub fn edges_bound(problem: &Problem, _seed: u64, _deadline: Instant) -> f64 {
    let mut free = vec![false; problem.permissions()];
    for kept in &problem.keep {
        for &p in &kept.permissions {
            free[p as usize] = true;
        }
    }
    // Every user takes a role, and every permission is in one.
    let memberships: i64 = problem.user_price.iter().sum();
    let permissions = problem.permission_price.iter().zip(&free);
    let contents: i64 = permissions.filter(|(_, free)| !**free).map(|(price, _)| price).sum();
    (memberships + contents) as f64 / UNIT as f64
}
