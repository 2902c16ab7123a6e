//! The description of a matrix by roles, and what it costs in bits.
#![allow(clippy::indexing_slicing, reason = "hot loops over dense tables")]
// INVARIANT: user and permission classes come from the problem; every role's bit table has `words` words, enough for all permission classes.

use std::time::Instant;

use crate::optimize::roles::bits::ones;
use crate::optimize::roles::model::Options;
use crate::optimize::roles::problem::{NONE, Problem};

/// A role of the description.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Explained {
    pub users: Vec<u32>,
    pub permissions: Vec<u32>,
    pub bits: Vec<u64>,
    /// An existing role: its permissions are fixed and cost nothing.
    pub kept: Option<usize>,
}

/// The matrix, a description of it, and the prices of errors.
pub struct Model<'a> {
    pub problem: &'a Problem,
    pub words: usize,
    pub user_weight: Vec<f64>,
    pub permission_weight: Vec<f64>,
    pub all_users: f64,
    pub all_permissions: f64,
    pub over_grant: f64,
    pub roles: Vec<Explained>,
    pub user_roles: Vec<Vec<u32>>,
    /// Price of a pair that no role explains.
    pub unexplained: f64,
    /// Price of a pair that a role explains but the matrix lacks.
    pub lacking: f64,
    /// Error bits of every user.
    pub errors: Vec<f64>,
    pub max_roles: usize,
    pub deadline: Instant,
}

impl<'a> Model<'a> {
    pub fn new(problem: &'a Problem, options: &Options<'_>, deadline: Instant) -> Self {
        let weights = |members: &[Vec<u32>]| -> Vec<f64> { members.iter().map(|m| m.len() as f64).collect() };
        let user_weight = weights(&problem.user_members);
        let permission_weight = weights(&problem.permission_members);
        Self {
            problem,
            words: problem.permissions().div_ceil(64),
            all_users: user_weight.iter().sum(),
            all_permissions: permission_weight.iter().sum(),
            over_grant: options.over_grant.unwrap_or_default().max(0.0),
            user_weight,
            permission_weight,
            roles: Vec::new(),
            user_roles: Vec::new(),
            unexplained: 0.0,
            lacking: 0.0,
            errors: Vec::new(),
            max_roles: problem.max_roles,
            deadline,
        }
    }

    pub fn reset(&mut self) {
        self.roles.clear();
        self.user_roles = vec![Vec::new(); self.problem.users()];
        self.price_errors(0.03, 0.03);
        for kept in &self.problem.keep {
            let role = self.role_of(kept.permissions.clone(), Some(kept.index));
            self.roles.push(role);
        }
        for k in 0..self.roles.len() {
            self.fit(k);
        }
    }

    pub fn role_of(&self, permissions: Vec<u32>, kept: Option<usize>) -> Explained {
        let mut bits = vec![0_u64; self.words];
        for &p in &permissions {
            bits[p as usize / 64] |= 1 << (p % 64);
        }
        Explained {
            users: Vec::new(),
            permissions,
            bits,
            kept,
        }
    }

    /// Sets the prices for these rates of error and counts all errors anew.
    pub fn price_errors(&mut self, lacking: f64, unexplained: f64) {
        self.unexplained = ((1.0 - lacking) / unexplained).log2();
        self.lacking = ((1.0 - unexplained) / lacking).log2() + self.over_grant;
        self.errors = (0..self.problem.users() as u32).map(|u| self.errors_of(u)).collect();
    }

    /// Estimates the rates of error from the description and prices them.
    pub fn learn(&mut self) {
        let (mut explained, mut lacking, mut unexplained) = (0.0, 0.0, 0.0);
        for u in 0..self.problem.users() as u32 {
            let union = self.union_without(u, NONE);
            let weight = self.user_weight[u as usize];
            for p in ones(&union) {
                let pairs = weight * self.permission_weight[p as usize];
                explained += pairs;
                lacking += if self.problem.cell(u, p) == NONE { pairs } else { 0.0 };
            }
            for &p in &self.problem.rows[u as usize] {
                if union[p as usize / 64] >> (p % 64) & 1 == 0 {
                    unexplained += weight * self.permission_weight[p as usize];
                }
            }
        }
        let others = (self.all_users * self.all_permissions - explained).max(1.0);
        let lacking = ((lacking + 1.0) / (explained + 20.0)).clamp(0.002, 0.3);
        let unexplained = ((unexplained + 1.0) / (others + 20.0)).clamp(1e-5, 0.2);
        self.price_errors(lacking, unexplained);
    }

    /// What the user's roles, all but one, explain.
    pub fn union_without(&self, u: u32, but: u32) -> Vec<u64> {
        let mut union = vec![0_u64; self.words];
        for &k in self.user_roles[u as usize].iter().filter(|&&k| k != but) {
            union
                .iter_mut()
                .zip(&self.roles[k as usize].bits)
                .for_each(|(x, b)| *x |= b);
        }
        union
    }

    pub fn errors_of(&self, u: u32) -> f64 {
        let union = self.union_without(u, NONE);
        let mut bits = 0.0;
        for &p in &self.problem.rows[u as usize] {
            if union[p as usize / 64] >> (p % 64) & 1 == 0 {
                bits += self.permission_weight[p as usize] * self.unexplained;
            }
        }
        for p in ones(&union) {
            if self.problem.cell(u, p) == NONE {
                bits += self.permission_weight[p as usize] * self.lacking;
            }
        }
        bits * self.user_weight[u as usize]
    }

    /// Bits of the list of members.
    pub fn members_bits(&self, members: f64) -> f64 {
        binomial_bits(self.all_users, members) + (self.all_users + 1.0).log2()
    }

    /// Bits of a role: its members and its permissions.
    pub fn role_bits(&self, role: &Explained) -> f64 {
        let members: f64 = role.users.iter().map(|&u| self.user_weight[u as usize]).sum();
        let contents: f64 = role
            .permissions
            .iter()
            .map(|&p| self.permission_weight[p as usize])
            .sum();
        if role.users.is_empty() {
            return 0.0;
        }
        let own = if role.kept.is_some() {
            0.0
        } else {
            binomial_bits(self.all_permissions, contents) + (self.all_permissions + 1.0).log2()
        };
        own + self.members_bits(members)
    }

    /// Bits of everything that a change can change, at the present prices.
    pub fn cost(&self) -> f64 {
        self.errors.iter().sum::<f64>() + self.roles.iter().map(|r| self.role_bits(r)).sum::<f64>()
    }

    /// Bits of the whole matrix with the error rates that fit best: comparable between searches.
    pub fn description(&mut self) -> f64 {
        self.learn();
        let ones: f64 = (0_usize..)
            .zip(&self.problem.rows)
            .map(|(u, row)| row.iter().map(|&p| self.permission_weight[p as usize]).sum::<f64>() * self.user_weight[u])
            .sum();
        let zeros = self.all_users * self.all_permissions - ones;
        // From the prices back to the rates, for what correct pairs cost.
        let (a, b) = (self.unexplained.exp2(), (self.lacking - self.over_grant).exp2());
        let unexplained = ((b - 1.0) / (a * b - 1.0)).clamp(1e-12, 0.5);
        let lacking = ((a - 1.0) / (a * b - 1.0)).clamp(1e-12, 0.5);
        self.cost() - ones * (1.0 - lacking).log2() - zeros * (1.0 - unexplained).log2()
    }
}

/// log2 of the number of ways to choose `k` of `n`, for real `n` and `k`.
pub fn binomial_bits(n: f64, k: f64) -> f64 {
    if k <= 0.0 || k >= n {
        return 0.0;
    }
    let f = k / n;
    // The entropy bound is within half a logarithm of the exact value, which no comparison here needs.
    n * (-f * f.log2() - (1.0 - f) * (1.0 - f).log2())
}
