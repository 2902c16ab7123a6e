//! The way from a matrix to roles for the exact objectives: merge, reduce, solve the kernel, improve, unfold the classes again.

use std::time::Instant;

use crate::optimize::roles::bound::edges_bound;
use crate::optimize::roles::kernel::cover_kernel;
use crate::optimize::roles::matrix::Matrix;
use crate::optimize::roles::model::{Mined, Objective, Options, Role};
use crate::optimize::roles::problem::{Problem, UNIT};
use crate::optimize::roles::reduce::reduce;
use crate::optimize::roles::search::{Effort, improve};
use crate::optimize::roles::state::{Slot, State};

/// Finds roles that grant exactly the pairs of `matrix` (and, where over-grant has a price, few others).
pub fn mine_exactly(matrix: &Matrix, options: &Options<'_>) -> Mined {
    let started = Instant::now();
    // What comes after the search (unfolding, counting) takes its share of the time as well.
    let deadline = started + options.time_limit.mul_f64(0.96);
    let problem = Problem::new(matrix, options);
    if problem.cells() == 0 {
        return Mined {
            optimal: true,
            ..Mined::default()
        };
    }

    let counting = options.objective == Objective::Roles;
    let counted = fewest(&problem, options, deadline);
    let start = if options.over_grant.is_some() {
        own_rows(&problem)
    } else {
        counted.roles
    };
    let bound = match options.objective {
        Objective::Roles => counted.lower_bound as f64,
        Objective::Edges | Objective::Natural => edges_bound(&problem, options.seed, deadline),
        Objective::Wsc => edges_bound(&problem, options.seed, deadline) + counted.lower_bound as f64,
    };

    let proved = counting && start.len() == counted.lower_bound && options.over_grant.is_none();
    let size = (problem.users() + problem.permissions()) as u64;
    let steps = options.steps.unwrap_or(if proved {
        // Only the edges of a fewest cover are left to improve.
        (6_000_000 / problem.cells() as u64).clamp(200, 20_000)
    } else {
        (4_000 * size).max(40_000)
    });
    let target = match options.objective {
        Objective::Roles => 0,
        Objective::Edges | Objective::Natural => (bound.ceil() as i64 * UNIT).saturating_add(UNIT - 1),
        Objective::Wsc => bound.ceil() as i64 * UNIT,
    };
    let effort = Effort {
        deadline,
        steps,
        target,
    };
    let found = improve(&problem, &start, options.seed, effort);
    let mut mined = unfold(&problem, &found.roles, matrix, options);
    mined.lower_bound = bound.min(mined.cost);
    mined.optimal = mined.cost <= mined.lower_bound + 1e-6;
    mined.timed_out = (found.stopped && !mined.optimal) || counted.stopped;
    mined
}

/// A cover with few roles, and how many there must be at least.
struct Counted {
    roles: Vec<Slot>,
    lower_bound: usize,
    stopped: bool,
}

fn fewest(problem: &Problem, options: &Options<'_>, deadline: Instant) -> Counted {
    let left = deadline.saturating_duration_since(Instant::now());
    // For the other objectives the fewest roles are only the start of the search.
    let share = if options.objective == Objective::Roles {
        0.6
    } else {
        0.1
    };
    let end = Instant::now() + left.mul_f64(share);

    // Existing roles cost nothing, so what they grant needs no other role.
    let mut state = State::new(problem);
    for (r, kept) in (0_u32..).zip(&problem.keep) {
        for u in problem.common_users(&kept.permissions) {
            if state.has_room(u) && state.allows_free(u, &kept.permissions) {
                state.join(r, u);
            }
        }
    }
    let open = |&(cell, count): &(usize, &u32)| *count == 0 && problem.needed.get(cell).is_some_and(|&n| n);
    let mut alive = vec![false; problem.cells()];
    for (cell, _) in state.count.iter().enumerate().filter(open) {
        if let Some(live) = alive.get_mut(cell) {
            *live = true;
        }
    }
    let now = Instant::now();
    let half = now + end.saturating_duration_since(now) / 2;
    let reduced = reduce(problem, alive, half);
    let kernel = cover_kernel(problem, &reduced.kernel, options.seed, end);
    let mut roles = state.roles();
    let fixed = reduced.fixed.len();
    let found = reduced.fixed.into_iter().chain(kernel.roles);
    roles.extend(found.map(|(users, permissions)| Slot {
        users,
        permissions,
        kept: false,
    }));
    Counted {
        roles,
        lower_bound: fixed + kernel.lower_bound,
        stopped: reduced.stopped || kernel.stopped,
    }
}

/// Every user class with a role of its own: what it has to have.
fn own_rows(problem: &Problem) -> Vec<Slot> {
    let mut cell = 0_usize;
    (0_u32..)
        .zip(&problem.rows)
        .map(|(u, row)| {
            let needed = problem.needed.get(cell..cell + row.len()).unwrap_or_default();
            cell += row.len();
            let permissions = row.iter().zip(needed).filter(|&(_, &n)| n).map(|(&p, _)| p);
            Slot {
                users: vec![u],
                permissions: permissions.collect(),
                kept: false,
            }
        })
        .collect()
}

/// From classes back to users and permissions, with everything counted on the result itself.
fn unfold(problem: &Problem, slots: &[Slot], matrix: &Matrix, options: &Options<'_>) -> Mined {
    let members = |classes: &[u32], members: &[Vec<u32>]| {
        let mut all: Vec<u32> = classes
            .iter()
            .filter_map(|&c| members.get(c as usize))
            .flatten()
            .copied()
            .collect();
        all.sort_unstable();
        all
    };
    let mut roles: Vec<Role> = slots
        .iter()
        .map(|slot| {
            let users = members(&slot.users, &problem.user_members);
            let kept = problem
                .keep
                .iter()
                .find(|k| slot.kept && k.permissions == slot.permissions);
            Role {
                label: options.affinity.and_then(|labels| shared_label(&users, labels)),
                users,
                permissions: members(&slot.permissions, &problem.permission_members),
                kept: kept.map(|k| k.index),
                near: Vec::new(),
            }
        })
        .collect();
    roles.sort_by(|a, b| (&a.users, &a.permissions).cmp(&(&b.users, &b.permissions)));

    let mut added: Vec<(u32, u32)> = Vec::new();
    if options.over_grant.is_some() {
        for role in &roles {
            for &u in &role.users {
                let extra = role.permissions.iter().filter(|&&p| !matrix.has(u, p));
                added.extend(extra.map(|&p| (u, p)));
            }
        }
        added.sort_unstable();
        added.dedup();
    }
    let mut mined = Mined {
        added,
        ..Mined::of(roles)
    };
    let new = mined.roles.iter().filter(|r| r.kept.is_none());
    let (new_roles, new_permissions) = new.fold((0, 0), |(n, p), r| (n + 1, p + r.permissions.len()));
    let memberships: usize = mined.roles.iter().map(|r| r.users.len()).sum();
    let price = match options.objective {
        Objective::Roles => new_roles,
        Objective::Edges | Objective::Natural => memberships + new_permissions,
        Objective::Wsc => memberships + new_permissions + new_roles,
    };
    mined.cost = price as f64 + mined.added.len() as f64 * options.over_grant.unwrap_or_default().max(0.0);
    mined
}

/// The label that all of these users have.
fn shared_label(users: &[u32], labels: &[String]) -> Option<String> {
    let mut found = users.iter().map(|&u| labels.get(u as usize));
    let first = found.next().flatten()?;
    (!first.is_empty() && found.all(|label| label == Some(first))).then(|| first.clone())
}
