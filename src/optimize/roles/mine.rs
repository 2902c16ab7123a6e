//! The way from a matrix to roles for the exact objectives: merge, reduce, solve the kernel, improve, unfold the classes again.

use std::time::Instant;

use crate::optimize::roles::bound::edges_bound;
use crate::optimize::roles::kernel::cover_kernel;
use crate::optimize::roles::matrix::Matrix;
use crate::optimize::roles::model::{Mined, Objective, Options, Role};
use crate::optimize::roles::plain::{own_columns, own_rows};
use crate::optimize::roles::pricing::Costs;
use crate::optimize::roles::problem::{Problem, UNIT, members};
use crate::optimize::roles::reduce::reduce;
use crate::optimize::roles::relaxation::{is_worth_it, relaxed};
use crate::optimize::roles::search::{Effort, improve, price};
use crate::optimize::roles::state::{Slot, State};

/// With more cells than this the search gets little done, and the start has to be good.
const WIDE: usize = 300_000;
/// A cost that is above the bound by no more than this is the least.
const CLOSE: f64 = 1e-6;
/// Elementary steps of the linear relaxation for a step of the search, and in all.
const RELAXING_A_STEP: u64 = 10_000;
const MOST_RELAXING: u64 = 40_000_000_000;
/// Of the time, so much is for the search where the bound is worth the rest.
const SEARCHING: f64 = 0.7;

/// Finds roles that grant exactly the pairs of `matrix` (and, where over-grant has a price, few others).
pub fn mine_exactly(matrix: &Matrix, options: &Options<'_>) -> Mined {
    let started = Instant::now();
    // What comes after the search (unfolding, counting) takes its share of the time as well.
    let deadline = started + options.time_limit.mul_f64(0.96);
    let mut problem = Problem::new(matrix, options);
    if problem.cells() == 0 {
        return Mined {
            optimal: true,
            ..Mined::default()
        };
    }

    let counted = fewest(&problem, options, deadline);
    let bound = match options.objective {
        Objective::Roles => counted.lower_bound as f64,
        Objective::Edges | Objective::Natural => edges_bound(&problem),
        Objective::Wsc => edges_bound(&problem) + counted.lower_bound as f64,
    };
    let counting = options.objective == Objective::Roles;
    // The number of roles is decided where nothing but it counts: only the edges of as few roles are left to improve.
    let is_decided = counting && options.over_grant.is_none() && problem.max_roles == usize::MAX;
    let is_decided = is_decided && (problem.keep.is_empty() || counted.new_roles() == counted.lower_bound);
    let start = least(&problem, counted.roles);

    let size = (problem.users() + problem.permissions()) as u64;
    let steps = options.steps.unwrap_or(if is_decided {
        (6_000_000 / problem.cells() as u64).clamp(200, 20_000)
    } else {
        (20_000 * size).max(100_000)
    });
    let target = match options.objective {
        Objective::Roles => 0,
        Objective::Edges | Objective::Natural => {
            (bound.ceil() as i64 * UNIT).saturating_add(counted.lower_bound as i64)
        }
        Objective::Wsc => bound.ceil() as i64 * UNIT,
    };
    // Where the fewest roles are counted the bound is good already.
    // Of a trial with a step for each user and permission nobody asks how far it is from the least.
    let trial = (matrix.users.len() + matrix.permissions.len()) as u64;
    let is_trial = options.steps.is_some_and(|steps| steps <= trial);
    let may_relax = (!counting || options.over_grant.is_some()) && !is_trial && is_worth_it(&problem);
    let effort = Effort {
        deadline: if may_relax {
            started + options.time_limit.mul_f64(SEARCHING)
        } else {
            deadline
        },
        steps,
        target,
    };
    let start = if problem.role_price > 1 && !is_decided {
        // Prices that hold roles dear freeze the search, for whatever is rebuilt has more roles on the way: it goes where roles cost next to
        // nothing first, and on from there unless the start was better.
        let role_price = std::mem::replace(&mut problem.role_price, 1);
        let now = Instant::now();
        let half = Effort {
            deadline: now + effort.deadline.saturating_duration_since(now).mul_f64(0.6),
            steps,
            target: 0,
        };
        let found = improve(&problem, &start, options.seed, half);
        problem.role_price = role_price;
        cheapest(&problem, [start, found.roles])
    } else {
        start
    };
    let found = improve(&problem, &start, options.seed, effort);
    let mut mined = unfold(&problem, &found.roles, matrix, options);
    mined.lower_bound = bound.min(mined.cost);
    if may_relax && mined.cost > mined.lower_bound + CLOSE {
        let work = MOST_RELAXING.min(steps.saturating_mul(RELAXING_A_STEP));
        let relaxed = relaxed(&problem, &Costs::new(&problem, options), &found.roles, work, deadline);
        mined.lower_bound = mined.lower_bound.max(relaxed).min(mined.cost);
    }
    mined.optimal = mined.cost <= mined.lower_bound + CLOSE;
    mined
}

/// A cover with few roles, and how many there must be at least.
struct Counted {
    roles: Vec<Slot>,
    lower_bound: usize,
}

impl Counted {
    fn new_roles(&self) -> usize {
        self.roles.iter().filter(|role| !role.kept).count()
    }
}

fn fewest(problem: &Problem, options: &Options<'_>, deadline: Instant) -> Counted {
    let left = deadline.saturating_duration_since(Instant::now());
    // For the other objectives the fewest roles are only the start of the search.
    let share = match options.objective {
        Objective::Roles => 0.7,
        _ if problem.cells() > WIDE => 0.5,
        _ => 0.4,
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
    let half = now + end.saturating_duration_since(now).mul_f64(0.6);
    let reduced = reduce(problem, alive, half);
    let kernel = cover_kernel(problem, &reduced.kernel, options.seed, end);
    let mut roles = state.roles();
    let fixed = reduced.fixed.len();
    let cliques = reduced.fixed.iter().cloned().chain(kernel.cliques);
    let found = reduced.unfold(problem, cliques);
    roles.extend(found.into_iter().map(|(users, permissions)| Slot {
        users,
        permissions,
        kept: false,
    }));
    Counted {
        roles,
        lower_bound: fixed + kernel.lower_bound,
    }
}

/// The cheapest to start from: what was found, or what needs no search.
fn least(problem: &Problem, found: Vec<Slot>) -> Vec<Slot> {
    if problem.cells() > WIDE {
        // Not even pricing them all is worth its time.
        return plain_if_fewer(problem, found);
    }
    let ways = [found, own_rows(problem), own_columns(problem)];
    cheapest(problem, ways)
}

fn cheapest<const N: usize>(problem: &Problem, ways: [Vec<Slot>; N]) -> Vec<Slot> {
    let ways = ways.into_iter().map(|roles| (price(problem, &roles), roles));
    ways.min_by_key(|(price, _)| *price)
        .map(|(_, roles)| roles)
        .unwrap_or_default()
}

/// A role for each user class, or one for each permission class, where the clock left these fewer than what was found.
fn plain_if_fewer(problem: &Problem, found: Vec<Slot>) -> Vec<Slot> {
    if !problem.keep.is_empty() {
        return found;
    }
    let has_room = problem.rows.iter().all(|row| row.len() <= problem.max_roles);
    let (rows, columns) = (problem.rows.len(), problem.columns.len());
    if has_room && columns < found.len().min(rows) {
        own_columns(problem)
    } else if rows < found.len() {
        own_rows(problem)
    } else {
        found
    }
}

/// From classes back to users and permissions, with everything counted on the result itself.
fn unfold(problem: &Problem, slots: &[Slot], matrix: &Matrix, options: &Options<'_>) -> Mined {
    let mut roles: Vec<Role> = slots
        .iter()
        .map(|slot| {
            let users = members(&slot.users, &problem.user_members);
            let kept = problem
                .keep
                .iter()
                .find(|k| slot.kept && k.permissions == slot.permissions);
            Role {
                label: options.shared_label(&users),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::optimize::roles::generate::{Shape, plant};
    use crate::optimize::roles::model::verify;
    use crate::optimize::roles::wide::cover_widely;

    fn options(objective: Objective) -> Options<'static> {
        Options {
            objective,
            steps: Some(300),
            ..Options::default()
        }
    }

    fn matrix(permissions: usize, bits: &[u32]) -> Matrix {
        let row = |b: &u32| (0..permissions as u32).filter(|p| b >> p & 1 == 1).collect();
        Matrix::from_rows(permissions, bits.iter().map(row).collect())
    }

    /// The least cost by trying every role on every set of covered cells; `price` is what a role of that many users and permissions costs.
    fn least(permissions: usize, bits: &[u32], price: impl Fn(u32, u32) -> u32) -> u32 {
        let users = bits.len();
        let cell = |u: usize, p: usize| 1_usize << (u * permissions + p);
        let mut full = 0;
        for (u, b) in bits.iter().enumerate() {
            for p in (0..permissions).filter(|p| b >> p & 1 == 1) {
                full |= cell(u, p);
            }
        }
        let mut roles = Vec::new();
        for members in 1_usize..1 << users {
            for set in 1_usize..1 << permissions {
                let mut mask = 0;
                for u in (0..users).filter(|u| members >> u & 1 == 1) {
                    for p in (0..permissions).filter(|p| set >> p & 1 == 1) {
                        mask |= cell(u, p);
                    }
                }
                if mask & !full == 0 {
                    roles.push((mask, price(members.count_ones(), set.count_ones())));
                }
            }
        }
        let mut cost = vec![u32::MAX; full + 1];
        cost[0] = 0;
        for covered in 0..=full {
            if cost[covered] == u32::MAX || covered & !full != 0 {
                continue;
            }
            for &(mask, price) in &roles {
                let next = covered | mask;
                cost[next] = cost[next].min(cost[covered] + price);
            }
        }
        cost[full]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn tiny_matrices_are_solved_to_the_optimum(bits in prop::collection::vec(0_u32..8, 1..4)) {
            let m = matrix(3, &bits);
            for (objective, optimum) in [
                (Objective::Roles, least(3, &bits, |_, _| 1)),
                (Objective::Edges, least(3, &bits, |u, p| u + p)),
                (Objective::Wsc, least(3, &bits, |u, p| u + p + 1)),
            ] {
                let options = options(objective);
                let mined = mine_exactly(&m, &options);
                verify(&m, &options, &mined).unwrap();
                prop_assert_eq!(mined.cost, f64::from(optimum), "{}", objective.name());
                prop_assert!(mined.lower_bound <= mined.cost);
            }
        }

        #[test]
        fn any_matrix_is_granted_exactly_and_again_alike(
            bits in prop::collection::vec(0_u32..4096, 1..25),
            seed in 0_u64..1000,
        ) {
            let m = matrix(12, &bits);
            for objective in [Objective::Roles, Objective::Edges, Objective::Wsc] {
                let options = Options { seed, steps: Some(100), ..options(objective) };
                let mined = mine_exactly(&m, &options);
                verify(&m, &options, &mined).unwrap();
                prop_assert!(mined.lower_bound <= mined.cost);
                prop_assert_eq!(&mined, &mine_exactly(&m, &options));
                let worst = mined.roles.len() <= m.rows.len().min(m.permissions.len());
                prop_assert!(objective != Objective::Roles || worst);
            }
        }

        #[test]
        fn the_fewest_roles_cover_by_themselves(bits in prop::collection::vec(0_u32..65536, 1..30)) {
            let m = matrix(16, &bits);
            let options = options(Objective::Roles);
            let problem = Problem::new(&m, &options);
            prop_assume!(problem.cells() > 0);
            let deadline = Instant::now() + options.time_limit;
            let counted = fewest(&problem, &options, deadline);
            let reduced = reduce(&problem, problem.needed.clone(), deadline);
            let wide = cover_widely(&problem, &reduced.kernel, deadline);
            let widely = reduced.unfold(&problem, reduced.fixed.iter().cloned().chain(wide.cliques));
            let counted_roles: Vec<_> = counted.roles.iter().map(|r| (r.users.clone(), r.permissions.clone())).collect();
            prop_assert!(reduced.fixed.len() + wide.lower_bound <= counted_roles.len());
            prop_assert!(counted.lower_bound <= widely.len());
            for roles in [counted_roles, widely] {
                let mut covered = vec![false; problem.cells()];
                for (users, permissions) in &roles {
                    for &u in users {
                        for &p in permissions {
                            covered[problem.cell(u, p) as usize] = true;
                        }
                    }
                }
                prop_assert!(covered.iter().all(|&c| c));
            }
        }

        #[test]
        fn labels_change_no_bound(
            bits in prop::collection::vec(0_u32..16, 1..8),
            labels in prop::collection::vec(0_u32..2, 8),
        ) {
            let m = matrix(4, &bits);
            let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
            let plain = mine_exactly(&m, &options(Objective::Edges));
            let labelled = Options { affinity: Some(&labels), ..options(Objective::Edges) };
            let mined = mine_exactly(&m, &labelled);
            verify(&m, &labelled, &mined).unwrap();
            prop_assert!(mined.lower_bound <= plain.cost && plain.lower_bound <= mined.cost);
        }

        #[test]
        fn limits_kept_roles_and_prices_hold(
            bits in prop::collection::vec(0_u32..1024, 1..15),
            today in prop::collection::vec(0_u32..1024, 15),
            kept in prop::collection::vec(0_u32..10, 1..5),
            most in 1_u32..4,
        ) {
            let m = matrix(10, &bits);
            let allowed: Vec<u32> = bits.iter().zip(&today).map(|(b, t)| b | t).collect();
            let allowed = matrix(10, &allowed);
            let plain = mine_exactly(&m, &options(Objective::Wsc));
            // What has to hold however far a search came needs none that goes far.
            let short = |objective| Options { steps: Some(100), ..options(objective) };
            for objective in [Objective::Roles, Objective::Edges, Objective::Wsc] {
                let limited = Options { max_roles_per_user: Some(most), ..short(objective) };
                verify(&m, &limited, &mine_exactly(&m, &limited)).unwrap();

                let keeping = Options { keep: vec![kept.clone()], ..short(objective) };
                let mined = mine_exactly(&m, &keeping);
                verify(&m, &keeping, &mined).unwrap();
                prop_assert!(mined.lower_bound <= mined.cost);
                for role in mined.roles.iter().filter(|r| r.kept.is_some()) {
                    let mut set = kept.clone();
                    set.sort_unstable();
                    set.dedup();
                    prop_assert_eq!(&role.permissions, &set);
                }

                let priced = Options { over_grant: Some(0.5), allowed: Some(&allowed), ..short(objective) };
                let mined = mine_exactly(&m, &priced);
                verify(&m, &priced, &mined).unwrap();
                prop_assert!(mined.lower_bound <= mined.cost);
            }
            let free = Options { over_grant: Some(0.0), ..options(Objective::Wsc) };
            let mined = mine_exactly(&m, &free);
            verify(&m, &free, &mined).unwrap();
            prop_assert!(mined.cost <= plain.cost + 1e-9);
        }
    }

    /// What roles, in classes, come to under the objective.
    fn comes_to(matrix: &Matrix, options: &Options<'_>, roles: &[Slot]) -> f64 {
        unfold(&Problem::new(matrix, options), roles, matrix, options).cost
    }

    fn never_worse(m: &Matrix, hurry: &Options<'static>) {
        let by = |objective| Options {
            objective,
            ..hurry.clone()
        };
        let mined = [Objective::Roles, Objective::Edges, Objective::Wsc].map(|objective| {
            let options = by(objective);
            let mined = mine_exactly(m, &options);
            verify(m, &options, &mined).unwrap();
            assert!(mined.lower_bound <= mined.cost);
            let problem = Problem::new(m, &options);
            for plain in [own_rows(&problem), own_columns(&problem)] {
                assert!(mined.cost <= comes_to(m, &options, &plain), "{}", objective.name());
            }
            mined
        });
        let [roles, edges, wsc] = mined;
        assert!(roles.count <= edges.count.min(wsc.count));
        assert!(roles.count <= m.users.len().min(m.permissions.len()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn never_worse_than_what_needs_no_search_nor_than_other_objectives(
            pairs in prop::collection::vec((0u8..12, 0u8..9), 1..60),
            milliseconds in prop_oneof![Just(0_u64), 1_u64..20, Just(60_000)],
        ) {
            let text: String = pairs.iter().map(|(u, p)| format!("u{u} p{p}\n")).collect();
            let m = Matrix::read_upa(&text).unwrap();
            let time_limit = Duration::from_millis(milliseconds);
            never_worse(&m, &Options { time_limit, ..options(Objective::Roles) });
        }

        #[test]
        fn planted_roles_are_an_upper_bound(
            (roles, users, permissions) in (2_usize..12, 4_usize..30, 6_usize..40),
            (most, skew, overlap, bundles) in (1_usize..8, 0_u8..3, 0_u8..3, 0_usize..6),
            seed in 0_u64..1000,
            milliseconds in prop_oneof![Just(0_u64), Just(60_000)],
        ) {
            let shape = Shape {
                roles,
                users,
                permissions,
                smallest_role: 1,
                largest_role: 8,
                roles_per_user: most,
                skew: f64::from(skew) / 2.0,
                overlap: f64::from(overlap) / 3.0,
                bundles,
                ..Shape::default()
            };
            let planted = plant(&shape, seed);
            prop_assert_eq!(&planted, &plant(&shape, seed));
            let time_limit = Duration::from_millis(milliseconds);
            never_worse(&planted.clean, &Options { time_limit, ..options(Objective::Roles) });
            if milliseconds > 0 {
                let mined = mine_exactly(&planted.clean, &options(Objective::Roles));
                prop_assert!(mined.count <= planted.roles.len());
                prop_assert!(mined.lower_bound <= planted.roles.len() as f64);
            }
        }
    }

    #[test]
    fn a_dense_planted_instance_is_solved_and_proved() {
        // About thirty permissions a user: own rows would be 100 roles.
        let shape = Shape {
            users: 100,
            permissions: 200,
            roles: 50,
            smallest_role: 2,
            largest_role: 10,
            roles_per_user: 12,
            ..Shape::default()
        };
        let planted = plant(&shape, 1);
        let options = Options {
            steps: Some(50),
            ..options(Objective::Roles)
        };
        let mined = mine_exactly(&planted.clean, &options);
        verify(&planted.clean, &options, &mined).unwrap();
        assert!(
            mined.optimal && mined.count <= planted.roles.len(),
            "{} of {}",
            mined.count,
            planted.roles.len()
        );
    }

    #[test]
    fn nothing_to_grant_needs_no_role() {
        let m = Matrix::read_upa("ann\nbob\n").unwrap();
        let mined = mine_exactly(&m, &options(Objective::Roles));
        assert!(mined.roles.is_empty() && mined.optimal);
    }

    #[test]
    fn a_kept_role_is_preferred_and_free() {
        let m = Matrix::read_upa("a x y\nb x y z\nc z\n").unwrap();
        let keeping = Options {
            keep: vec![vec![0, 1]],
            ..options(Objective::Roles)
        };
        let mined = mine_exactly(&m, &keeping);
        verify(&m, &keeping, &mined).unwrap();
        assert_eq!((mined.count, mined.cost, mined.optimal), (2, 1.0, true));
        assert!(mined.roles.iter().any(|r| r.kept == Some(0)));
    }

    #[test]
    fn among_equals_roles_of_one_label_win() {
        // Six users with two permissions each: grouped by the first or by the second, at the same price.
        let m = Matrix::read_upa("a p s\nb p t\nc q s\nd q t\n").unwrap();
        for (labels, same) in [(["1", "1", "2", "2"], 2), (["1", "2", "1", "2"], 2)] {
            let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
            let labelled = Options {
                affinity: Some(&labels),
                ..options(Objective::Edges)
            };
            let mined = mine_exactly(&m, &labelled);
            verify(&m, &labelled, &mined).unwrap();
            assert!(mined.roles.iter().filter(|r| r.label.is_some()).count() >= same);
        }
    }
}
