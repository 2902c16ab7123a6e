//! The whole way from a matrix to roles: merge, reduce, solve, improve, and unfold the classes again.

use std::time::{Duration, Instant};

use crate::optimize::roles::kernel::cover_kernel;
use crate::optimize::roles::matrix::Matrix;
use crate::optimize::roles::model::{Mined, Objective, Options, Role};
use crate::optimize::roles::problem::{Problem, UNIT};
use crate::optimize::roles::reduce::reduce;
use crate::optimize::roles::search::{Effort, improve};
use crate::optimize::roles::state::Slot;

/// Finds roles that grant exactly the pairs of `matrix`.
pub fn mine(matrix: &Matrix, options: &Options<'_>) -> Mined {
    let started = Instant::now();
    let deadline = started + options.time_limit;
    let problem = Problem::new(matrix, options);
    let alive = problem.needed.clone();
    let t = Instant::now();
    let reduced = reduce(&problem, alive, deadline);
    eprintln!(
        "classes {}x{} cells {} fixed {} kernel {} in {:?}",
        problem.users(),
        problem.permissions(),
        problem.cells(),
        reduced.fixed.len(),
        reduced.kernel.len(),
        t.elapsed()
    );
    let t = Instant::now();
    let kernel = cover_kernel(&problem, &reduced.kernel, options.seed, deadline);
    eprintln!(
        "kernel cover {} lb {} {:?}",
        kernel.cliques.len(),
        kernel.lower_bound,
        t.elapsed()
    );
    let coordinates = problem.coordinates();
    let mut slots: Vec<Slot> = Vec::new();
    for (users, permissions) in reduced.fixed {
        slots.push(Slot {
            users,
            permissions,
            kept: false,
        });
    }
    for clique in &kernel.cliques {
        let mut users: Vec<u32> = clique
            .iter()
            .filter_map(|&c| coordinates.get(c as usize))
            .map(|c| c.0)
            .collect();
        users.sort_unstable();
        users.dedup();
        let permissions = problem.common_permissions(&users);
        let users = problem.common_users(&permissions);
        slots.push(Slot {
            users,
            permissions,
            kept: false,
        });
    }
    let found = improve(
        &problem,
        &slots,
        options.seed,
        Effort {
            deadline,
            steps: u64::MAX,
            target: 0,
        },
    );
    eprintln!("cost {} roles {}", found.cost / UNIT, found.roles.len());
    let mut mined = Mined::default();
    mined.roles = found
        .roles
        .iter()
        .map(|slot| {
            let unfold = |classes: &[u32], members: &[Vec<u32>]| {
                let mut all: Vec<u32> = classes
                    .iter()
                    .filter_map(|&c| members.get(c as usize))
                    .flatten()
                    .copied()
                    .collect();
                all.sort_unstable();
                all
            };
            Role {
                users: unfold(&slot.users, &problem.user_members),
                permissions: unfold(&slot.permissions, &problem.permission_members),
                ..Role::default()
            }
        })
        .collect();
    mined.count = mined.roles.len();
    mined.edges = mined.roles.iter().map(|r| r.users.len() + r.permissions.len()).sum();
    mined.wsc = mined.count + mined.edges;
    mined.lower_bound = kernel.lower_bound as f64;
    let _ = (Objective::Roles, Duration::ZERO);
    mined
}
