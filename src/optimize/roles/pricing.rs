//! Which role is worth more than it costs, where every needed cell has a price that is paid to each role that holds it.
//!
//! A tree over permission sets: the best users of a set are known, each decides for itself. A branch ends where even what is left to be added
//! could not make a role worth it.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: users and permissions come from the problem, whose cells index `paid` and `shares`; tables by permission have one entry each.

use std::time::Instant;

use crate::optimize::roles::model::{Objective, Options};
use crate::optimize::roles::problem::{NONE, Problem};

/// Worth no more than this beyond the cost is rounding.
const BAR: f64 = 1e-7;
/// A bound may be off by such a share.
const ROUNDING: f64 = 1e-6;
/// More pairs than these are not added in thought.
const MOST_ADDED: f64 = 1e6;

/// What roles cost by an objective, in its own unit.
#[derive(Debug, Clone)]
pub struct Costs {
    /// A role that is not kept.
    pub role: f64,
    /// A membership, by user class.
    pub users: Vec<f64>,
    /// A permission in a role that is not kept, by permission class.
    pub permissions: Vec<f64>,
    /// A cell beyond need, once, in however many roles.
    pub added: Vec<f64>,
    /// One pair beyond need, where there may be any.
    pub each_added: Option<f64>,
}

impl Costs {
    /// What `options` count of the problem's prices.
    pub fn new(problem: &Problem, options: &Options<'_>) -> Self {
        let (role, edge) = match options.objective {
            Objective::Roles => (1.0, 0.0),
            Objective::Edges | Objective::Natural => (0.0, 1.0),
            Objective::Wsc => (1.0, 1.0),
        };
        // By the members themselves: the search's whole-number prices are rounded, and rounded up a bound could lie above the least cost.
        let weight = |members: &Vec<u32>| members.len() as f64;
        let each = |classes: &[Vec<u32>]| classes.iter().map(|members| edge * weight(members)).collect();
        let price = options.over_grant.unwrap_or_default().max(0.0);
        let pairs = |(u, p): (u32, u32)| {
            weight(&problem.user_members[u as usize]) * weight(&problem.permission_members[p as usize])
        };
        let added = |(cell, needed): ((u32, u32), &bool)| if *needed { 0.0 } else { price * pairs(cell) };
        let may_add = problem.needed.iter().any(|needed| !needed);
        Self {
            role,
            users: each(&problem.user_members),
            permissions: each(&problem.permission_members),
            added: problem
                .coordinates()
                .into_iter()
                .zip(&problem.needed)
                .map(added)
                .collect(),
            each_added: may_add.then_some(price),
        }
    }

    /// The least cost that there can be of at least this much: whole numbers, and so many times the price of an added pair.
    pub fn reached(&self, bound: f64) -> f64 {
        let whole = |bound: f64| (bound - bound * ROUNDING).ceil().max(0.0);
        let Some(price) = self.each_added else {
            return whole(bound);
        };
        let most = bound / price;
        if most.is_nan() || most > MOST_ADDED {
            return bound;
        }
        (0..=most.ceil() as u32)
            .map(|added| f64::from(added) * price)
            .map(|added| added + whole(bound - added))
            .fold(f64::INFINITY, f64::min)
    }

    /// What these users and permissions as one role cost, without what is added.
    pub fn of(&self, users: &[u32], permissions: &[u32]) -> f64 {
        let users = users.iter().map(|&u| self.users[u as usize]);
        let permissions = permissions.iter().map(|&p| self.permissions[p as usize]);
        self.role + users.chain(permissions).sum::<f64>()
    }
}

/// What is paid for each cell, and how the price of an added cell is shared by the cells of its user that may come with it.
#[derive(Debug, Clone)]
pub struct Prices {
    /// For needed cells; 0 for others.
    pub paid: Vec<f64>,
    /// For an added cell, which needed cells of its user it takes how much from.
    pub shares: Vec<Vec<(u32, f64)>>,
}

impl Prices {
    /// Nothing is paid.
    pub fn none(cells: usize) -> Self {
        Self {
            paid: vec![0.0; cells],
            shares: vec![Vec::new(); cells],
        }
    }

    /// So much of these prices, and the rest of the others.
    pub fn mix(&mut self, other: &Self, part: f64) {
        for (paid, other) in self.paid.iter_mut().zip(&other.paid) {
            *paid = part * *paid + (1.0 - part) * other;
        }
        for (shares, other) in self.shares.iter_mut().zip(&other.shares) {
            shares.iter_mut().for_each(|(_, share)| *share *= part);
            for &(from, more) in other {
                match shares.iter_mut().find(|(cell, _)| *cell == from) {
                    Some((_, share)) => *share += (1.0 - part) * more,
                    None => shares.push((from, (1.0 - part) * more)),
                }
            }
        }
    }
}

/// A role that is worth more than it costs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer {
    /// Its users.
    pub users: Vec<u32>,
    /// Its permissions.
    pub permissions: Vec<u32>,
    /// The needed cells that make it worth it.
    pub cells: Vec<u32>,
}

/// The search for such roles.
pub struct Pricing<'a> {
    problem: &'a Problem,
    costs: &'a Costs,
    /// What is left of each price beside the permissions chosen.
    rest: Vec<f64>,
    /// Only what is worth more than this beyond its cost is offered.
    bar: f64,
    deadline: Instant,
    /// Elementary steps that are left.
    pub work: u64,
    /// What was found, each better than those before, and how many times its cost it is paid.
    pub offers: Vec<(Offer, f64)>,
    worth: Vec<f64>,
    row: Vec<f64>,
    is_cut: bool,
    prices: &'a Prices,
    over: f64,
}

impl<'a> Pricing<'a> {
    /// A search by these prices.
    pub fn new(problem: &'a Problem, costs: &'a Costs, prices: &'a Prices, deadline: Instant) -> Self {
        Self {
            problem,
            costs,
            rest: prices.paid.clone(),
            bar: 0.0,
            deadline,
            work: 0,
            over: 1.0,
            prices,
            offers: Vec::new(),
            worth: vec![0.0; problem.permissions()],
            row: vec![0.0; problem.users()],
            is_cut: false,
        }
    }

    /// Looks for roles of these permissions with `first` among them that are worth more than their cost and `bar`, with so much work.
    /// True where it is certain that nothing was missed but what is worse than what is offered.
    pub fn look(&mut self, first: u32, permissions: &[u32], over: f64, work: u64) -> bool {
        if over != self.over {
            self.over = over;
            self.rest
                .iter_mut()
                .zip(&self.prices.paid)
                .for_each(|(rest, paid)| *rest = paid / over);
        }
        (self.bar, self.work, self.is_cut) = (BAR, work, false);
        let users = self.problem.columns[first as usize].iter();
        let users: Vec<u32> = users.map(|&(u, _)| u).collect();
        let mut chosen = Vec::new();
        self.with(first, &mut chosen, users, permissions.to_vec());
        !self.is_cut
    }

    fn is_over(&mut self, steps: usize) -> bool {
        let before = self.work >> 20;
        self.work = self.work.saturating_sub(steps as u64);
        if self.work >> 20 != before && Instant::now() >= self.deadline {
            self.work = 0;
        }
        self.work == 0
    }

    /// With one permission more, for the users who may have it.
    fn with(&mut self, p: u32, chosen: &mut Vec<u32>, users: Vec<u32>, left: Vec<u32>) {
        let mut taken: Vec<(u32, f64)> = Vec::new();
        for &u in &users {
            let cell = self.problem.cell(u, p) as usize;
            for &(from, share) in &self.prices.shares[cell] {
                taken.push((from, self.rest[from as usize]));
                self.rest[from as usize] -= share / self.over;
            }
        }
        chosen.push(p);
        self.node(chosen, users, left);
        chosen.pop();
        for (from, before) in taken.into_iter().rev() {
            self.rest[from as usize] = before;
        }
    }

    fn offer(&self, mut users: Vec<u32>, chosen: &[u32]) -> Offer {
        let mut permissions = chosen.to_vec();
        users.sort_unstable();
        permissions.sort_unstable();
        let pairs = users.iter().flat_map(|&u| permissions.iter().map(move |&p| (u, p)));
        let worth = pairs.filter(|&(u, p)| self.value(u, p) > 0.0);
        Offer {
            cells: worth.map(|(u, p)| self.problem.cell(u, p)).collect(),
            users,
            permissions,
        }
    }

    fn value(&self, u: u32, p: u32) -> f64 {
        match self.problem.cell(u, p) {
            NONE => 0.0,
            cell => self.rest[cell as usize].max(0.0),
        }
    }

    fn node(&mut self, chosen: &mut Vec<u32>, mut users: Vec<u32>, mut left: Vec<u32>) {
        let held: Vec<f64> = users
            .iter()
            .map(|&u| chosen.iter().map(|&p| self.value(u, p)).sum::<f64>() - self.costs.users[u as usize])
            .collect();
        let mut steps = users.len() * chosen.len();
        users
            .iter()
            .zip(&held)
            .for_each(|(&u, &held)| self.row[u as usize] = held);
        let spent = self.costs.role + chosen.iter().map(|&p| self.costs.permissions[p as usize]).sum::<f64>();
        let now = users.iter().zip(held).filter(|(_, held)| *held > 0.0);
        let (members, held): (Vec<u32>, Vec<f64>) = now.map(|(&u, held)| (u, held)).unzip();
        let excess = held.iter().sum::<f64>() - spent;
        if excess > self.bar {
            self.bar = excess;
            let cost = self.costs.of(&members, chosen);
            self.offers
                .push((self.offer(members, chosen), (excess + cost) * self.over / cost));
        }
        loop {
            steps += self.shrink(&mut users, &mut left);
            if self.is_over(std::mem::take(&mut steps)) {
                self.is_cut = true;
                return;
            }
            let Some((most, next)) = self.most(&users, &left) else {
                return;
            };
            steps += users.len() * left.len();
            if most - spent <= self.bar {
                return;
            }
            left.retain(|&p| p != next);
            let with: Vec<u32> = users
                .iter()
                .copied()
                .filter(|&u| self.problem.cell(u, next) != NONE)
                .collect();
            let saved: Vec<f64> = users.iter().map(|&u| self.row[u as usize]).collect();
            self.with(next, chosen, with, left.clone());
            users
                .iter()
                .zip(saved)
                .for_each(|(&u, held)| self.row[u as usize] = held);
            if self.is_cut {
                return;
            }
        }
    }

    /// Lets go what can be no part of a role worth it: permissions that all users together pay no more for than they cost, and users to whom
    /// all permissions together are worth no more than a membership. Leaves the worth of each permission; returns the steps taken.
    fn shrink(&mut self, users: &mut Vec<u32>, left: &mut Vec<u32>) -> usize {
        let mut steps = 0;
        loop {
            let before = (users.len(), left.len());
            steps += before.0 * before.1;
            left.retain(|&p| {
                let worth: f64 = users.iter().map(|&u| self.value(u, p)).sum();
                self.worth[p as usize] = worth;
                worth > self.costs.permissions[p as usize]
            });
            users.retain(|&u| self.row[u as usize] + left.iter().map(|&p| self.value(u, p)).sum::<f64>() > 0.0);
            if before.0 == users.len() {
                return steps;
            }
        }
    }

    /// At most so much is any role with more of these permissions worth, memberships paid: each user pays for each permission by what it gains.
    /// And the permission that promises most.
    fn most(&self, users: &[u32], left: &[u32]) -> Option<(f64, u32)> {
        let gain = |p: u32| self.worth[p as usize] - self.costs.permissions[p as usize];
        let next = left
            .iter()
            .copied()
            .max_by(|&a, &b| gain(a).total_cmp(&gain(b)).then(b.cmp(&a)))?;
        let keeps: Vec<f64> = left.iter().map(|&p| gain(p) / self.worth[p as usize]).collect();
        let of = |&u: &u32| {
            let more: f64 = left
                .iter()
                .zip(&keeps)
                .map(|(&p, keeps)| self.value(u, p) * keeps)
                .sum();
            (self.row[u as usize] + more).max(0.0)
        };
        Some((users.iter().map(of).sum(), next))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::optimize::roles::matrix::Matrix;

    /// What users and permissions as one role are worth beyond their cost, each cell for itself.
    fn excess(problem: &Problem, costs: &Costs, prices: &Prices, users: &[u32], permissions: &[u32]) -> f64 {
        let of = |&u: &u32| -> f64 {
            let mut rest: Vec<(u32, f64)> = permissions
                .iter()
                .map(|&p| problem.cell(u, p))
                .map(|cell| (cell, prices.paid[cell as usize]))
                .collect();
            for &p in permissions {
                for &(from, share) in &prices.shares[problem.cell(u, p) as usize] {
                    rest.iter_mut()
                        .filter(|(cell, _)| *cell == from)
                        .for_each(|(_, rest)| *rest -= share);
                }
            }
            rest.iter().map(|(_, rest)| rest.max(0.0)).sum()
        };
        users.iter().map(of).sum::<f64>() - costs.of(users, permissions)
    }

    proptest! {
        #[test]
        fn the_best_role_is_found(
            bits in prop::collection::vec(1_u32..16, 1..5),
            more in prop::collection::vec(0_u32..16, 5),
            paid in prop::collection::vec(0_u32..12, 20),
            share in prop::collection::vec(0_u32..3, 20),
            over in prop::sample::select(vec![1.0, 1.5]),
        ) {
            let matrix = |bits: &[u32]| {
                let row = |b: &u32| (0..4).filter(|p| b >> p & 1 == 1).collect();
                Matrix::from_rows(4, bits.iter().map(row).collect())
            };
            let allowed: Vec<u32> = bits.iter().zip(&more).map(|(a, b)| a | b).collect();
            let (m, allowed) = (matrix(&bits), matrix(&allowed));
            let options = Options {
                objective: Objective::Wsc,
                over_grant: Some(0.5),
                allowed: Some(&allowed),
                ..Options::default()
            };
            let problem = Problem::new(&m, &options);
            let costs = Costs::new(&problem, &options);
            let mut prices = Prices::none(problem.cells());
            for (u, p) in problem.coordinates() {
                let cell = problem.cell(u, p) as usize;
                if problem.needed[cell] {
                    prices.paid[cell] = f64::from(paid[cell]) / 2.0;
                } else {
                    let needed = problem.rows[u as usize].iter().map(|&p| problem.cell(u, p));
                    let needed = needed.filter(|&cell| problem.needed[cell as usize]);
                    prices.shares[cell] = needed.map(|from| (from, f64::from(share[from as usize]) / 4.0)).collect();
                }
            }
            let permissions: Vec<u32> = (0..problem.permissions() as u32).collect();
            let deadline = Instant::now() + Duration::from_secs(60);
            let mut scaled = prices.clone();
            scaled.paid.iter_mut().for_each(|paid| *paid /= over);
            scaled.shares.iter_mut().flatten().for_each(|(_, share)| *share /= over);
            let mut pricing = Pricing::new(&problem, &costs, &prices, deadline);
            for (first, after) in permissions.iter().zip(1..) {
                prop_assert!(pricing.look(*first, &permissions[after..], over, 1_000_000));
                let mut best = 0.0_f64;
                for set in (0_u32..1 << permissions.len()).filter(|set| set.trailing_zeros() == *first) {
                    let set: Vec<u32> = permissions.iter().copied().filter(|p| set >> p & 1 == 1).collect();
                    let users = problem.common_users(&set);
                    for chosen in 1_u32..1 << users.len() {
                        let chosen: Vec<u32> = (0..).zip(&users).filter(|(i, _)| chosen >> i & 1 == 1).map(|(_, &u)| u).collect();
                        best = best.max(excess(&problem, &costs, &scaled, &chosen, &set));
                    }
                }
                let found = pricing.offers.last().map_or(0.0, |(offer, ratio)| {
                    let found = excess(&problem, &costs, &scaled, &offer.users, &offer.permissions);
                    let cost = costs.of(&offer.users, &offer.permissions);
                    assert!((ratio * cost / over - cost - found).abs() < 1e-6);
                    found
                });
                prop_assert!((found - best).abs() < 1e-6, "{} {}", found, best);
                pricing.offers.clear();
            }
        }
    }

    #[test]
    fn what_can_be_reached_is_whole_but_for_added_pairs() {
        let costs = |each_added| Costs {
            role: 1.0,
            users: Vec::new(),
            permissions: Vec::new(),
            added: Vec::new(),
            each_added,
        };
        assert_eq!(costs(None).reached(4.2), 5.0);
        assert_eq!(costs(None).reached(5.000_001), 5.0);
        assert_eq!(costs(Some(0.5)).reached(4.2), 4.5);
        assert_eq!(costs(Some(0.4)).reached(4.7), 4.8);
        assert_eq!(costs(Some(0.0)).reached(4.2), 4.2);
    }
}
