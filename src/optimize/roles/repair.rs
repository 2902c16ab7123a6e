//! Closing open cells greedily, and dropping what became redundant: the two halves of every step of the search.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: all numbers come from the state and its problem; offers hold role numbers of live slots or indexes of `pool`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::optimize::roles::problem::Problem;
use crate::optimize::roles::state::State;
use crate::random::Random;

/// A way to close open cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Offer {
    Join(u32, u32),
    Gain(u32, u32),
    New(u32),
}

/// How offers are weighed in one repair.
#[derive(Debug, Clone, Copy)]
pub struct Taste {
    /// Offers are made up to this share dearer at random.
    pub noise: f64,
    /// At most so many candidates for new roles are made up from the open cells.
    pub fresh: usize,
}

/// Closes all open cells. `pool` holds permission sets worth trying as new roles.
pub fn repair(state: &mut State<'_>, mut pool: Vec<Vec<u32>>, taste: Taste, rng: &mut Random) {
    let problem = state.problem;
    let coordinates = Coordinates::of_open(state);
    propose(state, &coordinates, taste.fresh, &mut pool, rng);
    pool.sort_unstable();
    pool.dedup();
    pool.retain(|set| !set.is_empty());
    let factors: Vec<f64> = pool.iter().map(|_| 1.0 + taste.noise * rng.unit()).collect();
    let mut heap: BinaryHeap<Reverse<(u64, Offer)>> = BinaryHeap::new();
    let mut seen: Vec<u32> = Vec::new();
    for (u, permissions) in &coordinates.by_user {
        if !state.has_room(*u) {
            continue;
        }
        seen.clear();
        seen.extend(permissions.iter().flat_map(|&p| &state.permission_roles[p as usize]));
        seen.sort_unstable();
        seen.dedup();
        for &r in &seen {
            let slot = &state.slots[r as usize];
            if problem.may_have(*u, &slot.permissions) {
                push(
                    &mut heap,
                    state,
                    &pool,
                    Offer::Join(r, *u),
                    1.0 + taste.noise * rng.unit(),
                );
            }
        }
    }
    for (p, users) in &coordinates.by_permission {
        seen.clear();
        seen.extend(users.iter().flat_map(|&u| &state.user_roles[u as usize]));
        seen.sort_unstable();
        seen.dedup();
        for &r in &seen {
            let slot = &state.slots[r as usize];
            if !slot.kept && problem.may_be_had(*p, &slot.users) {
                push(
                    &mut heap,
                    state,
                    &pool,
                    Offer::Gain(r, *p),
                    1.0 + taste.noise * rng.unit(),
                );
            }
        }
    }
    for (i, factor) in factors.iter().enumerate() {
        push(&mut heap, state, &pool, Offer::New(i as u32), *factor);
    }
    while !state.open.is_empty() {
        let Some(Reverse((stale, offer))) = heap.pop() else {
            finish(state);
            break;
        };
        // Prices only rise as cells are closed, so an offer is the best one when its new price still beats the next one's old price.
        let Some(score) = score(state, &pool, offer) else {
            continue;
        };
        let factor = if let Offer::New(i) = offer {
            factors[i as usize]
        } else {
            1.0
        };
        let fresh = rank(score * factor).max(stale);
        if heap.peek().is_some_and(|Reverse((next, _))| fresh > *next) && fresh > stale {
            heap.push(Reverse((fresh, offer)));
            continue;
        }
        match offer {
            Offer::Join(r, u) => state.join(r, u),
            Offer::Gain(r, p) => state.gain(r, p),
            Offer::New(i) => {
                if let Some(shape) = shape(state, &pool[i as usize]) {
                    state.add_role(&shape.users, &shape.permissions);
                    heap.push(Reverse((fresh, offer)));
                }
            }
        }
    }
}

fn rank(score: f64) -> u64 {
    // Positive floats order as their bits do.
    score.max(0.0).to_bits()
}

fn push(heap: &mut BinaryHeap<Reverse<(u64, Offer)>>, state: &State<'_>, pool: &[Vec<u32>], offer: Offer, factor: f64) {
    if let Some(score) = score(state, pool, offer) {
        heap.push(Reverse((rank(score * factor), offer)));
    }
}

/// Price a closed cell, or `None` when the offer closes none (any more) or is not possible.
fn score(state: &State<'_>, pool: &[Vec<u32>], offer: Offer) -> Option<f64> {
    let (closed, price) = match offer {
        Offer::Join(r, u) => {
            let slot = &state.slots[r as usize];
            if slot.permissions.is_empty()
                || !state.has_room(u)
                || slot.users.binary_search(&u).is_ok()
                || !state.problem.may_have(u, &slot.permissions)
            {
                return None;
            }
            state.join_offer(u, &slot.permissions)
        }
        Offer::Gain(r, p) => {
            let slot = &state.slots[r as usize];
            if slot.users.is_empty()
                || slot.permissions.binary_search(&p).is_ok()
                || !state.problem.may_be_had(p, &slot.users)
            {
                return None;
            }
            state.gain_offer(p, &slot.users)
        }
        Offer::New(i) => {
            let shape = shape(state, &pool[i as usize])?;
            (shape.closed, shape.price)
        }
    };
    (closed > 0).then(|| price as f64 / f64::from(closed))
}

/// The best part of a candidate role for what is open.
struct Shape {
    users: Vec<u32>,
    permissions: Vec<u32>,
    closed: u32,
    price: i64,
}

fn shape(state: &State<'_>, candidate: &[u32]) -> Option<Shape> {
    let problem = state.problem;
    let mut permissions: Vec<u32> = candidate.to_vec();
    let everyone = problem.common_users(candidate);
    let mut best = choose_users(state, &everyone, &permissions)?;
    for _ in 0..2 {
        // A permission dearer a closed cell than the whole makes the whole dearer.
        let ratio = best.price as f64 / f64::from(best.closed);
        permissions.retain(|&p| {
            let mut closed = 0_u32;
            for &u in &best.users {
                let cell = problem.cell(u, p) as usize;
                closed += u32::from(state.count[cell] == 0 && problem.needed[cell]);
            }
            closed > 0 && problem.permission_price[p as usize] as f64 <= ratio * f64::from(closed)
        });
        if permissions.len() == best.permissions.len() {
            break;
        }
        let Some(next) = choose_users(state, &everyone, &permissions) else {
            break;
        };
        let better = (next.price as f64) / f64::from(next.closed) <= ratio;
        if !better {
            break;
        }
        best = next;
    }
    Some(best)
}

fn choose_users(state: &State<'_>, everyone: &[u32], permissions: &[u32]) -> Option<Shape> {
    let problem = state.problem;
    let mut offers: Vec<(f64, u32, u32, i64)> = everyone
        .iter()
        .filter(|&&u| state.has_room(u))
        .filter_map(|&u| {
            let (closed, price) = state.join_offer(u, permissions);
            (closed > 0).then(|| (price as f64 / f64::from(closed), u, closed, price))
        })
        .collect();
    offers.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let fixed: i64 = problem.role_price
        + permissions
            .iter()
            .map(|&p| problem.permission_price[p as usize])
            .sum::<i64>();
    let (mut closed, mut price, mut taken) = (0_u32, fixed, 0);
    for &(ratio, _, more, cost) in &offers {
        if closed > 0 && ratio >= price as f64 / f64::from(closed) {
            break;
        }
        closed += more;
        price += cost;
        taken += 1;
    }
    offers.truncate(taken);
    let mut users: Vec<u32> = offers.into_iter().map(|(_, u, ..)| u).collect();
    users.sort_unstable();
    (closed > 0).then(|| Shape {
        users,
        permissions: permissions.to_vec(),
        closed,
        price,
    })
}

/// The open cells by user and by permission.
struct Coordinates {
    by_user: Vec<(u32, Vec<u32>)>,
    by_permission: Vec<(u32, Vec<u32>)>,
}

impl Coordinates {
    fn of_open(state: &State<'_>) -> Self {
        let problem = state.problem;
        let mut pairs: Vec<(u32, u32)> = state.open.iter().map(|&cell| pair(problem, cell)).collect();
        pairs.sort_unstable();
        let by_user = group(&pairs);
        for pair in &mut pairs {
            *pair = (pair.1, pair.0);
        }
        pairs.sort_unstable();
        Self {
            by_user,
            by_permission: group(&pairs),
        }
    }
}

fn group(pairs: &[(u32, u32)]) -> Vec<(u32, Vec<u32>)> {
    pairs
        .chunk_by(|a, b| a.0 == b.0)
        .map(|chunk| (chunk[0].0, chunk.iter().map(|&(_, x)| x).collect()))
        .collect()
}

/// The user and the permission of a cell.
fn pair(problem: &Problem, cell: u32) -> (u32, u32) {
    let u = problem.starts.partition_point(|&start| start <= cell) - 1;
    (u as u32, problem.rows[u][(cell - problem.starts[u]) as usize])
}

/// Makes up candidates for new roles: what is open at one user, at two, at all users of a permission, closed or not.
fn propose(state: &State<'_>, open: &Coordinates, fresh: usize, pool: &mut Vec<Vec<u32>>, rng: &mut Random) {
    let problem = state.problem;
    if open.by_user.is_empty() || open.by_permission.is_empty() {
        return;
    }
    let intersect =
        |a: &[u32], b: &[u32]| -> Vec<u32> { a.iter().copied().filter(|x| b.binary_search(x).is_ok()).collect() };
    for i in 0..fresh {
        let (u, permissions) = &open.by_user[rng.below(open.by_user.len())];
        match i % 4 {
            0 => pool.push(permissions.clone()),
            1 => {
                let (_, others) = &open.by_user[rng.below(open.by_user.len())];
                pool.push(intersect(permissions, others));
            }
            2 => {
                let Some(p) = rng.pick(permissions) else { continue };
                let column = &problem.columns[p as usize];
                let (v, _) = column[rng.below(column.len())];
                if v != *u {
                    pool.push(intersect(permissions, &problem.rows[v as usize]));
                }
            }
            _ => {
                let (_, users) = &open.by_permission[rng.below(open.by_permission.len())];
                let common = open
                    .by_permission
                    .iter()
                    .filter(|(_, have)| users.iter().all(|u| have.binary_search(u).is_ok()));
                pool.push(common.map(|&(p, _)| p).collect());
            }
        }
    }
}

/// Last resort, when limits on roles a user leave no offer: the user gives its roles up for one that is its whole row.
fn finish(state: &mut State<'_>) {
    let problem = state.problem;
    while let Some(&cell) = state.open.first() {
        let (u, _) = pair(problem, cell);
        while let Some(&r) = state.user_roles[u as usize].last() {
            state.leave(r, u);
            if state.slots[r as usize].users.is_empty() {
                state.drop_role(r);
            }
        }
        let row: Vec<u32> = (problem.starts[u as usize]..)
            .zip(&problem.rows[u as usize])
            .filter(|&(cell, _)| problem.needed[cell as usize])
            .map(|(_, &p)| p)
            .collect();
        state.add_role(&[u], &row);
    }
}

/// Drops memberships and permissions that nothing needs any more, around what changed since the last commit.
pub fn prune(state: &mut State<'_>, rng: &mut Random) {
    let (mut users, mut permissions) = state.touched();
    let permissions_first = rng.chance(0.5);
    rng.shuffle(&mut users);
    rng.shuffle(&mut permissions);
    if permissions_first {
        prune_permissions(state, &permissions, rng);
    }
    prune_users(state, &users, rng);
    if !permissions_first {
        prune_permissions(state, &permissions, rng);
    }
}

/// Drops the redundant memberships of these users.
pub fn prune_users(state: &mut State<'_>, users: &[u32], rng: &mut Random) {
    for &u in users {
        let mut roles = state.user_roles[u as usize].clone();
        rng.shuffle(&mut roles);
        for r in roles {
            if state.may_leave(r, u) {
                state.leave(r, u);
                if state.slots[r as usize].users.is_empty() {
                    state.drop_role(r);
                }
            }
        }
    }
}

/// Drops these permissions from roles that do without them.
pub fn prune_permissions(state: &mut State<'_>, permissions: &[u32], rng: &mut Random) {
    for &p in permissions {
        let mut roles = state.permission_roles[p as usize].clone();
        rng.shuffle(&mut roles);
        for r in roles {
            if state.may_lose(r, p) {
                state.lose(r, p);
                if state.slots[r as usize].permissions.is_empty() {
                    state.drop_role(r);
                }
            }
        }
    }
}
