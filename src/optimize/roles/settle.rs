//! From the description to grants: nobody gets what it may not have, everybody keeps what it has.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: tables by user have one entry for every user of the matrix, and roles hold classes of the problem made from that matrix.

use crate::optimize::roles::description::Explained;
use crate::optimize::roles::matrix::Matrix;
use crate::optimize::roles::model::{Mined, Options, Role};
use crate::optimize::roles::problem::{Problem, members};

/// From the description to grants: nobody gets what it may not have, everybody keeps what it has.
pub fn settle(problem: &Problem, roles: &[Explained], matrix: &Matrix, options: &Options<'_>) -> Mined {
    let allowed = options.allowed.map(|a| matrix.translate(a));
    let may = |u: u32, p: u32| {
        matrix.has(u, p)
            || allowed
                .as_ref()
                .and_then(|rows| rows.get(u as usize))
                .is_some_and(|row| row.binary_search(&p).is_ok())
    };
    let mut held: Vec<usize> = vec![0; matrix.rows.len()];
    let mut granted: Vec<Vec<u32>> = vec![Vec::new(); matrix.rows.len()];
    let mut settled: Vec<Role> = Vec::new();
    let most = options.max_roles_per_user.map_or(usize::MAX, |k| k.max(1) as usize);
    let mut order: Vec<&Explained> = roles.iter().filter(|r| !r.users.is_empty()).collect();
    order.sort_by_key(|r| std::cmp::Reverse(r.users.len() * r.permissions.len()));
    for role in order {
        let permissions = members(&role.permissions, &problem.permission_members);
        let (mut users, mut near) = (Vec::new(), Vec::new());
        for u in members(&role.users, &problem.user_members) {
            if permissions.iter().all(|&p| may(u, p)) && held[u as usize] < most {
                held[u as usize] += 1;
                granted[u as usize].extend_from_slice(&permissions);
                users.push(u);
            } else {
                near.push(u);
            }
        }
        if users.is_empty() {
            continue;
        }
        settled.push(Role {
            label: options.shared_label(&users),
            users,
            permissions,
            kept: role.kept,
            near,
        });
    }
    settled.sort_by(|a, b| (&a.users, &a.permissions).cmp(&(&b.users, &b.permissions)));
    let mut mined = Mined::of(settled);
    for (u, (row, have)) in (0_u32..).zip(matrix.rows.iter().zip(&mut granted)) {
        have.sort_unstable();
        have.dedup();
        mined
            .direct
            .extend(row.iter().filter(|p| have.binary_search(p).is_err()).map(|&p| (u, p)));
        mined
            .added
            .extend(have.iter().filter(|p| row.binary_search(p).is_err()).map(|&p| (u, p)));
    }
    mined
}
