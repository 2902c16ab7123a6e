//! Roles under noise: the shortest description of the matrix.
//!
//! Usage is a noisy sample of need, and an exact cover explains the noise too. Here a description in bits is minimised: every role pays for its
//! list of members and its list of permissions, every pair that no role explains and every pair that a role explains but the matrix lacks pays
//! what a rare event costs (its rate is estimated from the data as it goes). The search grows roles from what is unexplained yet, fits members
//! and permissions to each other in turn, and takes roles out and grows them anew while that shortens the description.
//!
//! What comes out breaks nobody and opens nothing: a user gets a role only if all of it is in its row or in what it is allowed today; pairs that
//! are not granted by its roles then are granted directly (`Mined::direct`). Users whom a role fits otherwise are named in `Role::near`.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: user and permission classes come from the problem; every role's bit table has `words` words, enough for all permission classes.

use std::time::Instant;

use crate::optimize::roles::bits::ones;
use crate::optimize::roles::description::{Explained, Model};
use crate::optimize::roles::matrix::Matrix;
use crate::optimize::roles::model::{Mined, Options};
use crate::optimize::roles::problem::{NONE, Problem};
use crate::optimize::roles::settle::settle;
use crate::random::Random;

/// Finds roles that describe the matrix shortly.
pub fn mine_naturally(matrix: &Matrix, options: &Options<'_>) -> Mined {
    let deadline = Instant::now() + options.time_limit.mul_f64(0.9);
    let problem = Problem::new(matrix, options);
    if problem.cells() == 0 {
        return Mined {
            optimal: true,
            ..Mined::default()
        };
    }
    let mut model = Model::new(&problem, options, deadline);
    let mut best: Option<(f64, Vec<Explained>)> = None;
    let restarts = 3;
    for restart in 0..restarts {
        let mut rng = Random::new(options.seed.wrapping_add(restart));
        model.reset();
        model.search(&mut rng, options.steps);
        let bits = model.description();
        if best.as_ref().is_none_or(|(least, _)| bits < *least) {
            best = Some((bits, model.roles.clone()));
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    let (bits, roles) = best.unwrap_or_default();
    let mut mined = settle(&problem, &roles, matrix, options);
    mined.cost = bits;
    mined
}

impl Model<'_> {
    /// What the user would win by the role, before the membership is paid.
    fn win(&self, u: u32, k: u32, permissions: &[u32]) -> f64 {
        let union = self.union_without(u, k);
        let mut bits = 0.0;
        for &p in permissions {
            if union[p as usize / 64] >> (p % 64) & 1 == 0 {
                let weight = self.permission_weight[p as usize];
                bits += weight
                    * if self.problem.cell(u, p) == NONE {
                        -self.lacking
                    } else {
                        self.unexplained
                    };
            }
        }
        bits
    }

    /// The users who win by the role more than their membership costs.
    fn winners(&self, k: u32, permissions: &[u32]) -> Vec<u32> {
        let mut offers: Vec<(f64, u32)> = Vec::new();
        let mut near = vec![0_u32; self.problem.users()];
        for &p in permissions {
            for &(u, _) in &self.problem.columns[p as usize] {
                near[u as usize] += 1;
            }
        }
        for (u, &shared) in (0_u32..).zip(&near) {
            let held = self.user_roles[u as usize].iter().filter(|&&x| x != k).count();
            if shared as usize * 2 >= permissions.len() && shared > 0 && held < self.max_roles {
                let bits = self.win(u, k, permissions);
                if bits > 0.0 {
                    offers.push((bits, u));
                }
            }
        }
        // Members are cheaper the more there are: the best prefix in order of what they win.
        offers.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let (mut members, mut won, mut best, mut taken) = (0.0, 0.0, 0.0, 0);
        for (i, &(bits, u)) in offers.iter().enumerate() {
            let weight = self.user_weight[u as usize];
            members += weight;
            won += bits * weight;
            let net = won - self.members_bits(members);
            if net > best || taken == 0 {
                best = net;
                taken = i + 1;
            }
        }
        offers.truncate(taken);
        let mut users: Vec<u32> = offers.into_iter().map(|(_, u)| u).collect();
        users.sort_unstable();
        users
    }

    /// The permissions that, given the members, shorten the description.
    fn contents(&self, k: u32, users: &[u32]) -> Vec<u32> {
        let both = self.lacking + self.unexplained;
        let mut score: Vec<(u32, f64)> = Vec::new();
        let mut at = vec![NONE; self.problem.permissions()];
        let mut note = |p: u32, bits: f64, score: &mut Vec<(u32, f64)>| {
            let place = &mut at[p as usize];
            if *place == NONE {
                *place = score.len() as u32;
                score.push((p, 0.0));
            }
            score[*place as usize].1 += bits;
        };
        let mut members = 0.0;
        for &u in users {
            let weight = self.user_weight[u as usize];
            members += weight;
            let union = self.union_without(u, k);
            for &p in &self.problem.rows[u as usize] {
                if union[p as usize / 64] >> (p % 64) & 1 == 0 {
                    note(p, weight * both, &mut score);
                }
            }
            for p in ones(&union) {
                note(p, weight * self.lacking, &mut score);
            }
        }
        let base = members * self.lacking;
        // A permission's place in the role's list.
        let own = (self.all_permissions / 8.0).max(2.0).log2();
        let mut permissions: Vec<u32> = score
            .into_iter()
            .filter(|&(_, bits)| bits - base > own)
            .map(|(p, _)| p)
            .collect();
        permissions.sort_unstable();
        permissions
    }

    /// Takes the role's users away from it.
    fn empty(&mut self, k: usize) {
        for u in std::mem::take(&mut self.roles[k].users) {
            self.user_roles[u as usize].retain(|&x| x as usize != k);
            self.errors[u as usize] = self.errors_of(u);
        }
    }

    /// Gives the role these users and permissions.
    fn fill(&mut self, k: usize, users: Vec<u32>, permissions: Vec<u32>) {
        let kept = self.roles[k].kept;
        self.roles[k] = self.role_of(permissions, kept);
        for &u in &users {
            self.user_roles[u as usize].push(k as u32);
            self.errors[u as usize] = self.errors_of(u);
        }
        self.roles[k].users = users;
    }

    /// Fits members and permissions to each other, in turn, until they stay.
    pub fn fit(&mut self, k: usize) {
        self.empty(k);
        let mut permissions = self.roles[k].permissions.clone();
        let mut users = self.winners(k as u32, &permissions);
        if self.roles[k].kept.is_none() {
            for _ in 0..6 {
                let next = self.contents(k as u32, &users);
                if next == permissions || next.is_empty() {
                    break;
                }
                permissions = next;
                users = self.winners(k as u32, &permissions);
            }
        }
        self.fill(k, users, permissions);
        let worth = self.worth(k);
        if worth <= 0.0 {
            self.empty(k);
        }
    }

    /// What the description would be longer by without the role.
    fn worth(&self, k: usize) -> f64 {
        let role = &self.roles[k];
        let won: f64 = role
            .users
            .iter()
            .map(|&u| self.win(u, k as u32, &role.permissions) * self.user_weight[u as usize])
            .sum();
        won - self.role_bits(role)
    }

    /// A free place for a role.
    fn place(&mut self) -> usize {
        if let Some(k) = self.roles.iter().position(|r| r.users.is_empty() && r.kept.is_none()) {
            return k;
        }
        self.roles.push(Explained {
            bits: vec![0; self.words],
            ..Explained::default()
        });
        self.roles.len() - 1
    }

    /// Grows the best role of some candidates; whether one was worth it.
    fn grow(&mut self, candidates: Vec<Vec<u32>>) -> bool {
        let mut best: Option<(f64, Explained)> = None;
        for permissions in candidates {
            if best.is_some() && Instant::now() >= self.deadline {
                break;
            }
            if permissions.is_empty() {
                continue;
            }
            let k = self.place();
            self.roles[k] = self.role_of(permissions, None);
            self.fit(k);
            let worth = if self.roles[k].users.is_empty() {
                0.0
            } else {
                self.worth(k)
            };
            if worth > 1e-9 && best.as_ref().is_none_or(|(most, _)| worth > *most) {
                best = Some((worth, self.roles[k].clone()));
            }
            self.empty(k);
        }
        let Some((_, role)) = best else { return false };
        let k = self.place();
        self.fill(k, role.users, role.permissions);
        true
    }

    /// Permission sets worth growing: what is unexplained at one user, what two users have unexplained in common, what goes with a permission.
    fn seeds(&self, count: usize, rng: &mut Random) -> Vec<Vec<u32>> {
        let users = self.problem.users();
        let rest = |u: u32| -> Vec<u32> {
            let union = self.union_without(u, NONE);
            let row = self.problem.rows[u as usize].iter().copied();
            row.filter(|&p| union[p as usize / 64] >> (p % 64) & 1 == 0).collect()
        };
        let mut seeds = Vec::with_capacity(count);
        for i in 0..count {
            let u = rng.below(users) as u32;
            let own = rest(u);
            match i % 5 {
                0 => seeds.push(own),
                1 => {
                    let Some(p) = rng.pick(&own) else { continue };
                    let column = &self.problem.columns[p as usize];
                    let other = rest(column[rng.below(column.len())].0);
                    seeds.push(own.into_iter().filter(|p| other.binary_search(p).is_ok()).collect());
                }
                2 | 3 => {
                    // What two or three users with an unexplained permission have in common, explained already or not.
                    let Some(p) = rng.pick(&own) else { continue };
                    let column = &self.problem.columns[p as usize];
                    let mut common = self.problem.rows[u as usize].clone();
                    for _ in 0..i % 5 - 1 {
                        let (v, _) = column[rng.below(column.len())];
                        common.retain(|&p| self.problem.cell(v, p) != NONE);
                    }
                    seeds.push(common);
                }
                _ => {
                    // What at least half (or three quarters) of the users with this permission, sampled, have as well.
                    let Some(p) = rng.pick(&own) else { continue };
                    let column = &self.problem.columns[p as usize];
                    let sample = column.len().min(40);
                    let mut seen: Vec<u32> = Vec::new();
                    for _ in 0..sample {
                        seen.extend(rest(column[rng.below(column.len())].0));
                    }
                    seen.sort_unstable();
                    let share = if rng.chance(0.5) { 0.5 } else { 0.75 };
                    let often = seen
                        .chunk_by(|a, b| a == b)
                        .filter(|c| c.len() as f64 >= share * sample as f64);
                    seeds.push(often.filter_map(|c| c.first().copied()).collect());
                }
            }
        }
        seeds
    }

    /// Grows, fits and replaces roles until nothing gets better, as far as the time goes.
    fn search(&mut self, rng: &mut Random, steps: Option<u64>) {
        let deadline = self.deadline;
        for _ in 0..4 {
            while self.grow_some(rng) {
                if Instant::now() >= deadline {
                    return;
                }
            }
            for k in 0..self.roles.len() {
                self.fit(k);
            }
            for _ in 0..6 {
                for k in 0..self.roles.len() {
                    self.split(k, rng);
                }
                if Instant::now() >= deadline {
                    return;
                }
            }
            self.learn();
        }
        let limit = steps.unwrap_or(400);
        let mut best = (self.cost(), self.roles.clone(), self.user_roles.clone());
        for step in 0..limit {
            if Instant::now() >= deadline {
                return;
            }
            let heat = 20.0 * (1.0 - step as f64 / limit as f64).powi(2);
            let changed = if rng.chance(0.5) {
                let k = rng.below(self.roles.len());
                !self.roles.is_empty() && self.split(k, rng)
            } else {
                self.replace(heat, rng)
            };
            if changed && self.cost() < best.0 - 1e-9 {
                best = (self.cost(), self.roles.clone(), self.user_roles.clone());
            }
        }
        (_, self.roles, self.user_roles) = best;
        self.learn();
        while self.grow_some(rng) {
            if Instant::now() >= deadline {
                return;
            }
        }
    }

    fn grow_some(&mut self, rng: &mut Random) -> bool {
        let seeds = self.seeds(24, rng);
        self.grow(seeds)
    }

    /// Roles that should be two are the usual trap: users of either come to hold the union. Splits one along a member who lacks some of it;
    /// takes it back unless the description got shorter.
    fn split(&mut self, k: usize, rng: &mut Random) -> bool {
        let role = &self.roles[k];
        if role.kept.is_some() {
            return false;
        }
        let Some(u) = rng.pick(&role.users) else { return false };
        let (own, rest): (Vec<u32>, Vec<u32>) =
            role.permissions.iter().partition(|&&p| self.problem.cell(u, p) != NONE);
        if own.is_empty() || rest.is_empty() {
            return false;
        }
        let before = self.cost();
        let saved = (self.roles.clone(), self.user_roles.clone(), self.errors.clone());
        self.empty(k);
        for part in [own, rest] {
            let place = self.place();
            self.roles[place] = self.role_of(part, None);
            self.fit(place);
        }
        self.fit_overlapping(&saved.0[k].permissions);
        if self.cost() < before - 1e-9 {
            return true;
        }
        (self.roles, self.user_roles, self.errors) = saved;
        false
    }

    /// Fits all roles anew that have one of these permissions.
    fn fit_overlapping(&mut self, permissions: &[u32]) {
        for k in 0..self.roles.len() {
            let role = &self.roles[k];
            let shares = |&p: &u32| role.bits[p as usize / 64] >> (p % 64) & 1 == 1;
            if !role.users.is_empty() && permissions.iter().any(shares) {
                self.fit(k);
            }
        }
    }

    /// Takes one or a few roles out and grows others in their place; takes it back when the description got longer by more than the heat allows.
    fn replace(&mut self, heat: f64, rng: &mut Random) -> bool {
        let live: Vec<u32> = (0_u32..)
            .zip(&self.roles)
            .filter(|(_, r)| !r.users.is_empty())
            .map(|(k, _)| k)
            .collect();
        let Some(first) = rng.pick(&live) else { return false };
        let before = self.cost();
        let saved = (self.roles.clone(), self.user_roles.clone(), self.errors.clone());
        let mut out = vec![first];
        for _ in 0..rng.below(4) {
            let users = &self.roles[first as usize].users;
            if let Some(other) = rng.pick(users).and_then(|u| rng.pick(&self.user_roles[u as usize])) {
                out.push(other);
            }
        }
        out.sort_unstable();
        out.dedup();
        let mut seeds = Vec::new();
        for &k in &out {
            seeds.push(self.roles[k as usize].permissions.clone());
            self.empty(k as usize);
        }
        let mut pool = self.seeds(9, rng);
        pool.extend(seeds.iter().cloned());
        let mut grown = 0;
        while grown < out.len() + 2 && self.grow(pool.clone()) {
            grown += 1;
        }
        // Those that overlap with what changed may fit better otherwise now.
        let mut changed: Vec<u32> = seeds.concat();
        changed.sort_unstable();
        changed.dedup();
        self.fit_overlapping(&changed);
        let worse = self.cost() - before;
        if worse <= 1e-9 || (heat > 0.0 && rng.unit() < (-worse / heat).exp()) {
            return true;
        }
        (self.roles, self.user_roles, self.errors) = saved;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimize::roles::generate::{Shape, found_again, plant};
    use crate::optimize::roles::model::{Objective, verify};

    fn options() -> Options<'static> {
        Options {
            objective: Objective::Natural,
            steps: Some(60),
            ..Options::default()
        }
    }

    #[test]
    fn planted_roles_are_found_again_under_noise() {
        let shape = Shape {
            users: 120,
            permissions: 60,
            smallest_role: 4,
            largest_role: 8,
            roles: 8,
            roles_per_user: 3,
            missing: 0.05,
            added: 0.02,
            ..Shape::default()
        };
        let planted = plant(&shape, 5);
        let mined = mine_naturally(&planted.noisy, &options());
        verify(&planted.noisy, &options(), &mined).unwrap();
        assert!(mined.added.is_empty());
        let found = mined.roles.iter().map(|r| r.permissions.as_slice());
        assert!(found_again(&planted.roles, found, 0.9) >= 7);

        // With today's grants known, users get whole roles back, and never more than that.
        let within = Options {
            allowed: Some(&planted.clean),
            ..options()
        };
        let mined = mine_naturally(&planted.noisy, &within);
        verify(&planted.noisy, &within, &mined).unwrap();
        assert!(!mined.added.is_empty());
        assert_eq!(mined, mine_naturally(&planted.noisy, &within));
    }

    #[test]
    fn limits_and_kept_roles_hold() {
        let planted = plant(
            &Shape {
                users: 40,
                permissions: 20,
                roles: 5,
                smallest_role: 2,
                largest_role: 5,
                missing: 0.1,
                added: 0.05,
                ..Shape::default()
            },
            9,
        );
        let limited = Options {
            max_roles_per_user: Some(1),
            keep: vec![planted.roles[0].clone()],
            ..options()
        };
        let mined = mine_naturally(&planted.noisy, &limited);
        verify(&planted.noisy, &limited, &mined).unwrap();
        let empty = Matrix::read_upa("ann\n").unwrap();
        let mined = mine_naturally(&empty, &options());
        verify(&empty, &options(), &mined).unwrap();
        assert!(mined.roles.is_empty() && mined.optimal);
    }
}
