//! Large-neighbourhood search with annealing: a few roles, users or permissions are taken out, what opened is closed again by the best offers,
//! what became redundant goes, and the result is kept when it is cheaper or, while warm, not much dearer.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: all numbers come from the state and its problem.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Instant;

use crate::optimize::cover;
use crate::optimize::roles::problem::{Problem, UNIT};
use crate::optimize::roles::repair::{Taste, prune, prune_permissions, prune_users, repair};
use crate::optimize::roles::state::{Slot, State};
use crate::random::Random;

/// Temperatures that the rounds begin with, in edges: which one gets out of a trap depends on the matrix.
const HEATS: [f64; 5] = [1.5, 0.7, 6.0, 3.0, 12.0];

/// Beyond this many cells the matrix is not copied to search under other prices.
const MOST_DETOUR: usize = 300_000;

/// Up to this many cells the search also starts from nothing now and then, and combines what its rounds found.
const MOST_FRESH: usize = 3_000;

/// More roles than this are not combined.
const MOST_POOLED: usize = 6_000;

/// So many rounds in which nothing gets better are enough: rounds grow, so these are more steps than ten times all before them.
const PATIENCE: u64 = 20;

/// How long a search goes on.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// The clock's limit.
    pub deadline: Instant,
    /// The search ends after this many steps of each chain.
    pub steps: u64,
    /// The search ends when the cost is this low.
    pub target: i64,
}

/// What a search found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The roles.
    pub roles: Vec<Slot>,
    /// Their cost in the problem's prices.
    pub cost: i64,
}

/// A state with these roles.
fn load<'a>(problem: &'a Problem, roles: &[Slot]) -> State<'a> {
    let mut state = State::new(problem);
    for role in roles {
        let kept = problem
            .keep
            .iter()
            .position(|k| role.kept && k.permissions == role.permissions);
        if let Some(r) = kept {
            for &u in &role.users {
                if state.has_room(u) {
                    state.join(r as u32, u);
                }
            }
        } else {
            state.add_role(&role.users, &role.permissions);
        }
    }
    state.commit();
    state
}

/// What these roles cost once all cells are closed.
pub fn price(problem: &Problem, roles: &[Slot]) -> i64 {
    let mut state = load(problem, roles);
    repair(
        &mut state,
        Vec::new(),
        Taste { noise: 0.0, fresh: 64 },
        &mut Random::new(0),
    );
    state.cost
}

/// A state with these roles, all open cells closed and, as far as the time goes, redundancies dropped.
fn start<'a>(problem: &'a Problem, roles: &[Slot], seed: u64, deadline: Instant) -> State<'a> {
    let mut rng = Random::new(seed);
    let mut state = load(problem, roles);
    repair(&mut state, Vec::new(), Taste { noise: 0.0, fresh: 64 }, &mut rng);
    // Permissions are dropped from many users at once, so they go first, the dear ones before the others.
    let users: Vec<u32> = (0..problem.users() as u32).collect();
    let mut permissions: Vec<u32> = (0..problem.permissions() as u32).collect();
    permissions.sort_by_key(|&p| Reverse(problem.permission_price[p as usize]));
    for round in 0..3 {
        let list = if round == 1 { &users } else { &permissions };
        for part in list.chunks(64) {
            if Instant::now() >= deadline {
                break;
            }
            if round == 1 {
                prune_users(&mut state, part, &mut rng);
            } else {
                prune_permissions(&mut state, part, &mut rng);
            }
        }
    }
    state.commit();
    state
}

/// Improves the roles by two chains in parallel, which meet after every round and go on from the better one.
pub fn improve(problem: &Problem, roles: &[Slot], seed: u64, effort: Effort) -> Found {
    let state = start(problem, roles, seed, effort.deadline);
    let mut best = Found {
        roles: state.roles(),
        cost: state.cost,
    };
    drop(state);
    let mut done = 0;
    // Short rounds first: small matrices need many starts, large ones come to the long rounds.
    let size = (problem.users() + problem.permissions()) as u64;
    let mut length = (20 * size).min(effort.steps / 16).max(64);
    let mut round = 0_u64;
    let detours: Vec<Problem> = if problem.role_price <= UNIT && problem.cells() <= MOST_DETOUR {
        let away = |&price: &i64| {
            let mut other = problem.clone();
            other.role_price = price;
            other
        };
        let prices = [1, UNIT / 8, UNIT / 2, 2 * UNIT];
        prices.iter().map(away).collect()
    } else {
        Vec::new()
    };
    let mut pool = Pool::default();
    // The second chain goes its own way for some rounds before it comes back to the best.
    let mut wanderer = best.clone();
    let mut gained = 0;
    let is_over = || Instant::now() >= effort.deadline;
    while done < effort.steps && best.cost > effort.target && !is_over() && round < gained + PATIENCE {
        length = length.min(effort.steps - done);
        let heat = |chain: usize| HEATS[(round as usize + 2 * chain) % HEATS.len()];
        let seeds = [1, 2, 3].map(|i| seed ^ (round * 3 + i).wrapping_mul(0x9e37_79b9));
        if problem.cells() <= MOST_FRESH && round % 8 == 4 {
            let state = fresh(problem, seeds[2]);
            wanderer = Found {
                roles: state.roles(),
                cost: state.cost,
            };
        } else if round.is_multiple_of(4) {
            wanderer = best.clone();
        }
        let straight = || anneal(problem, &best, seeds[0], length, heat(0), effort);
        let detour = || {
            // Other prices lead elsewhere; half the way under them, half under the true ones.
            let Some(other) = detours.get(round as usize % 5) else {
                return anneal(problem, &wanderer, seeds[1], length, heat(1), effort);
            };
            let there = Effort { target: 0, ..effort };
            let away = anneal(other, &wanderer, seeds[1], length / 2, heat(1), there);
            let cost = load(problem, &away.roles).cost;
            anneal(problem, &Found { cost, ..away }, seeds[2], length / 2, HEATS[1], effort)
        };
        let (a, b) = rayon::join(straight, detour);
        pool.add(&a.roles);
        pool.add(&b.roles);
        wanderer = b.clone();
        let next = if a.cost <= b.cost { a } else { b };
        let before = best.cost;
        if next.cost < best.cost {
            best.cost = next.cost;
            best.roles = next.roles;
        }
        if round % 8 == 7 && problem.cells() <= MOST_FRESH && !is_over() {
            let roles = pool.combine(problem, seeds[0], effort.deadline);
            let state = start(problem, &roles, seeds[0], effort.deadline);
            if state.cost < best.cost {
                best.cost = state.cost;
                best.roles = state.roles();
            }
        }
        done += length;
        length += length / 8;
        round += 1;
        if best.cost < before {
            gained = round;
        }
    }
    best
}

/// A state grown from nothing, with some chance in it.
fn fresh(problem: &Problem, seed: u64) -> State<'_> {
    let mut rng = Random::new(seed);
    let mut state = State::new(problem);
    let fresh = (problem.users() + problem.permissions()).min(400);
    repair(&mut state, Vec::new(), Taste { noise: 1.0, fresh }, &mut rng);
    prune(&mut state, &mut rng);
    state.commit();
    state
}

/// The roles of what the rounds found: the best choice among all of them may be better than every one.
#[derive(Debug, Default)]
struct Pool {
    roles: BTreeSet<(Vec<u32>, Vec<u32>)>,
}

impl Pool {
    fn add(&mut self, roles: &[Slot]) {
        if self.roles.len() < MOST_POOLED {
            let new = roles.iter().filter(|slot| !slot.kept);
            self.roles
                .extend(new.map(|slot| (slot.users.clone(), slot.permissions.clone())));
        }
    }

    /// The cheapest cover of the cells by roles of the pool.
    fn combine(&self, problem: &Problem, seed: u64, deadline: Instant) -> Vec<Slot> {
        let column = |(users, permissions): &(Vec<u32>, Vec<u32>)| {
            let users_price: i64 = users.iter().map(|&u| problem.user_price[u as usize]).sum();
            let permissions_price: i64 = permissions.iter().map(|&p| problem.permission_price[p as usize]).sum();
            let cells = users
                .iter()
                .flat_map(|&u| permissions.iter().map(move |&p| problem.cell(u, p)));
            let price = (problem.role_price + users_price + permissions_price) as f64;
            cover::Column::new(price / UNIT as f64, cells.filter(|&c| problem.needed[c as usize]))
        };
        let Ok(instance) = cover::Instance::new(problem.cells(), self.roles.iter().map(column).collect()) else {
            return Vec::new();
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let limits = cover::Limits {
            time_limit: left / 8,
            seed,
            max_rounds: Some(4),
        };
        let chosen = cover::solve(&instance, &limits).columns;
        let all: Vec<&(Vec<u32>, Vec<u32>)> = self.roles.iter().collect();
        let chosen = chosen.iter().filter_map(|&c| all.get(c as usize));
        let slot = |(users, permissions): &(Vec<u32>, Vec<u32>)| Slot {
            users: users.clone(),
            permissions: permissions.clone(),
            kept: false,
        };
        chosen.map(|role| slot(role)).collect()
    }
}

/// One chain: `length` steps from `from` under falling temperature.
fn anneal(problem: &Problem, from: &Found, seed: u64, length: u64, heat: f64, effort: Effort) -> Found {
    let mut rng = Random::new(seed);
    let mut state = load(problem, &from.roles);
    // The best state is copied only when the search leaves it.
    let mut best = Found {
        roles: Vec::new(),
        cost: state.cost,
    };
    let mut at_best = true;
    let hot = heat * UNIT as f64;
    let cold = 0.05 * UNIT as f64;
    for step in 0..length {
        if Instant::now() >= effort.deadline {
            break;
        }
        let temperature = hot * (cold / hot).powf(step as f64 / length as f64);
        let before = state.cost;
        let hints = destroy(&mut state, &mut rng);
        let taste = Taste {
            noise: if rng.chance(0.5) { 0.0 } else { 0.5 },
            fresh: 8,
        };
        repair(&mut state, hints, taste, &mut rng);
        prune(&mut state, &mut rng);
        let worse = (state.cost - before) as f64;
        if worse > 0.0 && rng.unit() >= (-worse / temperature).exp() {
            state.roll_back();
            continue;
        }
        if at_best && state.cost > best.cost {
            best.roles = state.roles_before();
            at_best = false;
        }
        state.commit();
        if state.cost < best.cost {
            best.cost = state.cost;
            at_best = true;
            if best.cost <= effort.target {
                break;
            }
        }
    }
    if at_best {
        best.roles = state.roles();
    }
    best
}

/// Takes something out; gives back permission sets worth trying as new roles.
fn destroy(state: &mut State<'_>, rng: &mut Random) -> Vec<Vec<u32>> {
    let problem = state.problem;
    let mut hints: Vec<Vec<u32>> = Vec::new();
    let user = rng.below(problem.users()) as u32;
    let permission = rng.below(problem.permissions()) as u32;
    match rng.below(8) {
        // Roles that share a user, or a permission, or both.
        0..=4 => {
            let near = match rng.below(3) {
                0 => state.user_roles[user as usize].clone(),
                1 => state.permission_roles[permission as usize].clone(),
                _ => neighbours(state, user, rng),
            };
            let mut near = near;
            rng.shuffle(&mut near);
            let most = if rng.chance(0.1) { 10 } else { 4 };
            near.truncate(1 + rng.below(most));
            for r in near {
                hints.push(state.slots[r as usize].permissions.clone());
                let users = &state.slots[r as usize].users;
                if !users.is_empty() {
                    hints.push(problem.common_permissions(users));
                }
                state.drop_role(r);
            }
            if hints.len() >= 4 {
                let both: Vec<u32> = hints[0]
                    .iter()
                    .copied()
                    .filter(|p| hints[2].binary_search(p).is_ok())
                    .collect();
                let mut either = [hints[0].as_slice(), hints[2].as_slice()].concat();
                either.sort_unstable();
                either.dedup();
                let rest = hints[0]
                    .iter()
                    .copied()
                    .filter(|p| hints[2].binary_search(p).is_err())
                    .collect();
                hints.extend([both, either, rest]);
            }
        }
        // A user, or a few alike, loses all its roles.
        5 | 6 => {
            strip_user(state, user);
            if rng.chance(0.5) {
                let row = &problem.rows[user as usize];
                if let Some(p) = rng.pick(row) {
                    for _ in 0..1 + rng.below(3) {
                        let column = &problem.columns[p as usize];
                        strip_user(state, column[rng.below(column.len())].0);
                    }
                }
            }
        }
        // A permission leaves all its roles.
        _ => {
            strip_permission(state, permission);
            if rng.chance(0.5) {
                let column = &problem.columns[permission as usize];
                let (u, _) = column[rng.below(column.len())];
                for _ in 0..1 + rng.below(3) {
                    if let Some(p) = rng.pick(&problem.rows[u as usize]) {
                        strip_permission(state, p);
                    }
                }
            }
        }
    }
    hints
}

/// Roles that have users in common with one of the user's roles.
fn neighbours(state: &State<'_>, user: u32, rng: &mut Random) -> Vec<u32> {
    let Some(r) = rng.pick(&state.user_roles[user as usize]) else {
        return Vec::new();
    };
    let slot = &state.slots[r as usize];
    let mut near = vec![r];
    for _ in 0..3 {
        if let Some(u) = rng.pick(&slot.users) {
            near.extend(rng.pick(&state.user_roles[u as usize]));
        }
        if let Some(p) = rng.pick(&slot.permissions) {
            near.extend(rng.pick(&state.permission_roles[p as usize]));
        }
    }
    near.sort_unstable();
    near.dedup();
    near
}

fn strip_user(state: &mut State<'_>, user: u32) {
    while let Some(&r) = state.user_roles[user as usize].last() {
        state.leave(r, user);
        if state.slots[r as usize].users.is_empty() {
            state.drop_role(r);
        }
    }
}

fn strip_permission(state: &mut State<'_>, permission: u32) {
    for r in state.permission_roles[permission as usize].clone() {
        if state.slots[r as usize].kept {
            continue;
        }
        state.lose(r, permission);
        if state.slots[r as usize].permissions.is_empty() {
            state.drop_role(r);
        }
    }
}
