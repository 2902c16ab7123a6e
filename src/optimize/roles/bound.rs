//! Lower bounds for the edges of any set of roles.
//!
//! Every user takes a role and every permission is in one: that much is certain. Beyond it, a user with one role only has a role that is exactly
//! its row, and then every permission of the row is once more in a role; any other user has two roles at least. Whichever it is, someone pays:
//! a price on each permission, at most what it costs, is collected from every user up to what its second role costs.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: user and permission numbers come from the problem; `pack` gets sets of items below `item_prices.len()`, one set an owner.

use std::collections::HashMap;

use crate::optimize::roles::problem::{Problem, UNIT};

/// No set of roles has fewer user–role plus role–permission assignments than this (kept roles and prices considered).
pub fn edges_bound(problem: &Problem) -> f64 {
    let memberships: i64 = problem.user_price.iter().sum();
    if !problem.keep.is_empty() || problem.needed.iter().any(|needed| !needed) {
        // Kept roles hold permissions for nothing, and with over-grant a single role may be more than the row.
        let mut free = vec![false; problem.permissions()];
        for &p in problem.keep.iter().flat_map(|kept| &kept.permissions) {
            free[p as usize] = true;
        }
        let permissions = problem.permission_price.iter().zip(&free);
        let contents: i64 = permissions.filter(|(_, free)| !**free).map(|(price, _)| price).sum();
        return (memberships + contents) as f64 / UNIT as f64;
    }
    let contents: i64 = problem.permission_price.iter().sum();
    // Users who differ in their label only may share the role that is their row.
    let mut first: HashMap<&[u32], usize> = HashMap::new();
    let mut limits = vec![0_i64; problem.users()];
    for (u, row) in problem.rows.iter().enumerate() {
        limits[*first.entry(row).or_insert(u)] += problem.user_price[u];
    }
    let columns: Vec<Vec<u32>> = problem
        .columns
        .iter()
        .map(|column| column.iter().map(|&(u, _)| u).collect())
        .collect();
    // The same holds with users and permissions in each other's place; the better one counts.
    let by_user = pack(&problem.rows, &limits, &columns, &problem.permission_price);
    let by_permission = pack(&columns, &problem.permission_price, &problem.rows, &problem.user_price);
    (memberships + contents + by_user.max(by_permission)) as f64 / UNIT as f64
}

/// Chooses a price of each item, from 0 to its own, that makes much of: what the owners pay (each the prices of its items, up to its limit)
/// less what the items cost. Item after item gets its best price while the others stay.
fn pack(sets: &[Vec<u32>], limits: &[i64], owners: &[Vec<u32>], item_prices: &[i64]) -> i64 {
    let mut prices = vec![0_i64; item_prices.len()];
    let mut left: Vec<i64> = limits.to_vec();
    let mut order: Vec<usize> = (0..owners.len()).collect();
    order.sort_by_key(|&item| (std::cmp::Reverse(owners[item].len()), item));
    for _ in 0..8 {
        for &item in &order {
            // One more unit is worth while at least two owners have not reached their limit: up to the second largest rest.
            let (mut first, mut second) = (0, 0);
            for &owner in &owners[item] {
                let rest = left[owner as usize] + prices[item];
                if rest > first {
                    (first, second) = (rest, first);
                } else if rest > second {
                    second = rest;
                }
            }
            let price = second.min(item_prices[item]);
            for &owner in &owners[item] {
                left[owner as usize] += prices[item] - price;
            }
            prices[item] = price;
        }
    }
    let paid = sets.iter().zip(limits).map(|(set, &limit)| {
        let all: i64 = set.iter().map(|&item| prices[item as usize]).sum();
        all.min(limit)
    });
    paid.sum::<i64>() - prices.iter().sum::<i64>()
}
