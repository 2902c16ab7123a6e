//! Ways to mine roles: each is mined, proven and repaired until its proof holds.
//!
//! What is mined first mostly fails its proof, and what is learned of that changes the matrix. So each way is searched with little work
//! until its proof holds, and those that come near the best with more work after that. Work is counted, so that the same input gives the same
//! proposal on any machine, wherever the clock does not end it.

use super::keep::{self, Kept};
use super::matrix::{self, Grantable, Permissions, User};
use super::model::{Made, Options, Redesign};
use super::needs::Needs;
use super::size::measure;
use super::{Base, build, label, own, repair};
use crate::access::{HolderId, Joined, SetId};
use crate::optimize::foresight::interval::Spread;
use crate::optimize::proof::{self, ProposedNumber, Scheme};
use crate::optimize::roles::{self, Matrix, Objective};
use rayon::prelude::*;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// How much longer than the search for roles everything may take, proofs and repairs included, before other ways to mine are
/// not begun any more, or given up between two rounds: so many times the limit, and [`GRACE`]. One proof is never cut short.
const MOST_TIMES: u32 = 3;
/// Enough for proofs of an ordinary deployment, so that a small limit tries every way.
const GRACE: Duration = Duration::from_secs(10);
/// Steps of a search for every user and permission, until a proof holds, ...
pub(super) const FIRST_STEPS: u64 = 1;
/// ... and for what comes near the best: ten times as many again made no cost better by a hundredth (docs/optimizer.md).
pub(super) const LAST_STEPS: u64 = 10;
/// The most that one search may take of the time that is left.
const SHARE: u32 = 4;
/// So many rounds of mining and repairing.
const MOST_ROUNDS: usize = 24;
/// From this round on nothing is granted for the sake of fewer roles.
const EXACT_FROM: usize = 16;

/// The time that all searches for roles have together.
pub(super) struct Clock {
    begun: Instant,
    limit: Duration,
    searched: Cell<Duration>,
}

impl Clock {
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            begun: Instant::now(),
            limit,
            searched: Cell::new(Duration::ZERO),
        }
    }

    /// Whether it is time to be content with what there is.
    pub(super) fn is_late(&self) -> bool {
        self.begun.elapsed() > self.limit * MOST_TIMES + GRACE
    }

    /// One search, with the time that it may take.
    fn search<T>(&self, search: impl FnOnce(Duration) -> T) -> T {
        let begun = Instant::now();
        let found = search(self.limit.saturating_sub(self.searched.get()) / SHARE);
        self.searched.set(self.searched.get() + begun.elapsed());
        found
    }
}

/// What one way to mine came to.
pub(super) enum Outcome {
    /// A redesign that was proven.
    Proven(Box<Redesign>),
    /// Its proof does not hold, whatever is repaired.
    Fails,
    /// It was given up.
    Late,
}

/// One way to mine, with what its repairs have come to.
#[derive(Clone)]
pub(super) struct Way {
    objective: Objective,
    over_grant: Option<f64>,
    users: Vec<User>,
    permissions: Permissions,
    withdrawn: Vec<(String, String)>,
}

/// What all ways to mine begin with.
pub(super) struct Material<'a> {
    joined: &'a Joined,
    tightened: &'a Scheme,
    options: &'a Options<'a>,
    /// Policies of the tightened scheme that stay as they are.
    fixed: Vec<ProposedNumber>,
    /// Policies of the tightened scheme that are not deleted.
    lingering: Vec<ProposedNumber>,
    users: Vec<User>,
    untouched: Vec<(SetId, HolderId)>,
    permissions: Permissions,
    kept: Vec<Kept>,
    base: &'a Base<'a>,
    expected: Option<Spread>,
}

impl<'a> Material<'a> {
    /// None where there is nobody to give roles to.
    pub(super) fn new(joined: &'a Joined, base: &'a Base<'a>, options: &'a Options<'a>, more: &Needs) -> Option<Self> {
        let tightened = base.scheme;
        let fixed = super::fixed(joined, tightened, options);
        let mut permissions = Permissions::default();
        let (mut users, untouched) = matrix::users(joined, tightened, &fixed, more, &mut permissions);
        if users.is_empty() {
            return None;
        }
        own::generalize(joined, &mut users, &mut permissions, options.price);
        let kept = keep::kept(joined, tightened, options, &fixed, &mut permissions);
        Some(Self {
            joined,
            tightened,
            options,
            fixed,
            lingering: super::lingering(joined, base, options),
            users,
            untouched,
            permissions,
            kept,
            base,
            expected: base.expected.map(|expected| expected.and(more.denied)),
        })
    }

    /// A way, as it begins.
    pub(super) fn way(&self, objective: Objective, over_grant: Option<f64>) -> Way {
        Way {
            objective,
            over_grant,
            users: self.users.clone(),
            permissions: self.permissions.clone(),
            withdrawn: Vec::new(),
        }
    }

    /// Mines a way with so many steps for each user and permission, proves, repairs, until the proof holds, or `is_late` says between two
    /// rounds that it is.
    pub(super) fn go(&self, way: &mut Way, steps: u64, clock: &Clock, is_late: &dyn Fn() -> bool) -> Outcome {
        let (joined, options) = (self.joined, self.options);
        for round in 0..MOST_ROUNDS {
            if round > 0 && is_late() {
                return Outcome::Late;
            }
            if round == EXACT_FROM && way.over_grant.take().is_some() {
                way.withdrawn.push((
                    "granting unused permissions for the sake of fewer roles".to_owned(),
                    "the proof did not hold with them".to_owned(),
                ));
            }
            let mined = clock.search(|limit| self.mine(way, steps, limit));
            let stays = build::Stays {
                fixed: &self.fixed,
                untouched: &self.untouched,
                lingering: &self.lingering,
                kept: &self.kept,
                unread: options.unread,
            };
            let built = build::build(joined, self.tightened, stays, &way.users, &way.permissions, &mined);
            let Some((roles, scheme)) = built else {
                return Outcome::Fails;
            };
            let (proof, failures) = proof::prove(joined, &scheme);
            if failures.is_empty() {
                return Outcome::Proven(Box::new(Redesign {
                    size: measure(joined, &scheme, options.weighed),
                    roles,
                    kept: super::named(&scheme, options),
                    scheme,
                    proof,
                    withdrawn: way.withdrawn.clone(),
                    made: Made::Mined,
                    cost: mined.cost,
                    lower_bound: mined.lower_bound,
                    optimal: mined.optimal,
                    untouched: self.untouched.len(),
                    for_newcomers: self.base.for_newcomers.clone(),
                    from: self.base.from,
                    expected: self.expected,
                }));
            }
            let learned = repair::make_exact(
                joined,
                &scheme,
                &failures,
                &mut way.users,
                &mut way.permissions,
                &mut way.withdrawn,
            );
            if !learned && way.over_grant.take().is_none() {
                return Outcome::Fails;
            }
        }
        Outcome::Fails
    }

    fn mine(&self, way: &Way, steps: u64, time_limit: Duration) -> roles::Mined {
        let (joined, options) = (self.joined, self.options);
        let (users, permissions) = (&way.users, &way.permissions);
        let names = |n: usize| n.to_string();
        let matrix = Matrix {
            users: (0..users.len()).map(names).collect(),
            permissions: (0..permissions.all.len()).map(names).collect(),
            rows: users.iter().map(|u| u.needs.iter().copied().collect()).collect(),
        };
        let grantable = Grantable::of(permissions);
        let allowed = Matrix {
            rows: users.par_iter().map(|u| grantable.to(joined, u)).collect(),
            users: matrix.users.clone(),
            permissions: matrix.permissions.clone(),
        };
        let labels: Vec<String> = users.iter().map(|u| label::of(&joined.holders[u.holder])).collect();
        roles::mine(
            &matrix,
            &roles::Options {
                objective: way.objective,
                time_limit,
                seed: options.seed,
                max_roles_per_user: options.max_roles,
                allowed: Some(&allowed),
                over_grant: way.over_grant,
                steps: Some(steps * (matrix.users.len() + matrix.permissions.len()) as u64),
                affinity: Some(&labels),
                keep: self.kept.iter().map(|k| k.permissions.clone()).collect(),
            },
        )
    }
}
