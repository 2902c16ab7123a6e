//! The second proposal: the least set of roles that holds all use, and who gets which.
//!
//! A permission is one capability on one stanza path of the tightened policies; a user is a principal with one of its policy
//! sets. Role mining makes few roles of that matrix, within what is granted today. Roles do not compose by union, so the
//! outcome is proven like any proposal; where it fails, the paths to blame become exact stanzas, which always win.

mod build;
mod idle;
mod keep;
mod kept;
mod label;
mod matrix;
mod model;
mod names;
mod needs;
mod own;
mod repair;
mod size;

use super::proof::{self, ProposedNumber, Scheme};
use super::roles::{self, Matrix, Objective};
use crate::access::{HolderId, Joined, Outcome, SetId, logins};
use crate::optimize::foresight::interval::Spread;
use crate::optimize::paths::Price;
use keep::Kept;
use matrix::{Grantable, Permissions, User};
use needs::Needs;
use rayon::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use kept::only_held;
pub use model::{Bases, Options, Redesign, Role};
pub use needs::Ahead;
pub use size::{Size, excess, measure};

/// How much longer than the search for roles everything may take, proofs and repairs included, before other ways to mine are
/// not begun any more, or given up between two rounds: so many times the limit, and [`GRACE`]. One proof is never cut short.
const MOST_TIMES: u32 = 3;
/// Enough for proofs of an ordinary deployment, so that a small limit tries every way.
const GRACE: Duration = Duration::from_secs(10);

/// The better of two redesigns, and whether it began with all of the budget spent: where half of the budget does less by roles than
/// all of it by tightening, all of it is spent on that, and the roles cost nothing more. So a redesign is never worse than the
/// tightened policies.
#[must_use]
pub fn better(joined: &Joined, bases: Bases<'_>, options: &Options<'_>) -> Option<(Redesign, bool)> {
    let by_half = redesign(joined, bases.half, options);
    let of = |size: &Size| cost(size, options.price);
    let tight = of(&measure(joined, bases.whole, options.weighed));
    let Some(ahead) = options
        .ahead
        .filter(|_| by_half.as_ref().is_none_or(|r| of(&r.size) > tight))
    else {
        return by_half.map(|r| (r, false));
    };
    let free = Options {
        ahead: Some(Ahead { budget: 0.0, ..ahead }),
        ..*options
    };
    let by_whole = redesign(joined, bases.whole, &free);
    let by_whole = by_whole.filter(|one| by_half.as_ref().is_none_or(|r| of(&one.size) < of(&r.size)));
    by_whole.map(|r| (r, true)).or_else(|| by_half.map(|r| (r, false)))
}

/// Redesigns, starting from a tightened scheme that was proven. The tightened policies are handed out anew, and several ways to
/// mine roles are tried (the fewest roles, the least structure; unused permissions dear, cheap, nearly free); each is proven,
/// and the one with the lowest price of policies, stanzas and exposure is taken.
#[must_use]
pub fn redesign(joined: &Joined, tightened: &Scheme, options: &Options<'_>) -> Option<Redesign> {
    // A proof over no request at all proves nothing.
    if !joined
        .demands
        .iter()
        .any(|d| matches!(d.outcome, Outcome::Explained(_)))
    {
        return None;
    }
    let ways = [
        (Objective::Roles, Some(options.over_grant / 250.0)),
        (Objective::Roles, Some(options.over_grant / 25.0)),
        (Objective::Wsc, Some(options.over_grant / 25.0)),
        (Objective::Wsc, Some(options.over_grant)),
        (Objective::Wsc, None),
    ];
    let more = options.ahead.map_or_else(Default::default, |ahead| {
        needs::needs(joined, tightened, options.weighed, &ahead)
    });
    let limit = options.time_limit.div_f64(ways.len() as f64);
    let begun = Instant::now();
    let is_late = || begun.elapsed() > options.time_limit * MOST_TIMES + GRACE;
    let mut found: Vec<Redesign> = kept::kept(joined, tightened, options, &more).into_iter().collect();
    let mut given_up = 0;
    if let Some(material) = Material::new(joined, tightened, options, &more) {
        for (objective, over_grant) in ways {
            // Something has to come of it: while nothing was found no way is given up.
            let may_end = !found.is_empty();
            if may_end && is_late() {
                given_up += 1;
                continue;
            }
            match material.one_way(objective, over_grant, limit, &|| may_end && is_late()) {
                Way::Proven(way) => found.push(*way),
                Way::Late => given_up += 1,
                Way::Fails => {}
            }
        }
    }
    let today = options.today;
    // What is larger than today's in any respect is no redesign that anybody wants, however little it opens.
    let larger = |r: &Redesign| {
        u8::from(r.size.policies >= today.policies)
            + u8::from(r.size.stanzas >= today.stanzas)
            + u8::from(r.size.exposure >= today.exposure)
    };
    let mut best = found.into_iter().min_by(|a, b| {
        larger(a)
            .cmp(&larger(b))
            .then(price(a, options).total_cmp(&price(b, options)))
    })?;
    idle::follow(joined, &mut best, options.weighed);
    if given_up > 0 {
        best.withdrawn.push((
            format!("{given_up} of {} ways to mine roles", ways.len()),
            "there was no time to mine and prove them; `--time-limit` gives more".to_owned(),
        ));
    }
    Some(best)
}

/// The policies of a scheme that were asked to be kept.
fn named(scheme: &Scheme, options: &Options<'_>) -> Vec<Arc<str>> {
    let kept = scheme
        .policies
        .iter()
        .filter(|policy| keep::is_meant(options.keep, policy));
    kept.map(|policy| policy.name.clone()).collect()
}

/// Policies, stanzas and exposure at their price; policies that were asked to be kept are free.
fn price(found: &Redesign, options: &Options<'_>) -> f64 {
    let free: Vec<_> = found
        .scheme
        .policies
        .iter()
        .filter(|policy| keep::is_meant(options.keep, policy))
        .collect();
    let stanzas: usize = free.iter().map(|p| p.stanzas.len()).sum();
    size::price(&found.size, options.price.lambda) - (free.len() + stanzas) as f64
}

/// What a scheme of this size costs: what designs are compared by.
#[must_use]
pub fn cost(size: &Size, price: &Price) -> f64 {
    size::price(size, price.lambda)
}

/// The policies of the tightened scheme that stay, with those who hold them: of which too little is known, of which a stanza is not
/// to be touched for anybody, which nobody holds and tightening kept all the same, or which somebody holds who got it nobody knows how.
fn fixed(joined: &Joined, tightened: &Scheme, options: &Options<'_>) -> Vec<ProposedNumber> {
    let unplaced = logins::unplaced(joined);
    let stays = joined.policies.ids().filter(|&p| {
        !options.removable[p]
            || joined.held_by[p].is_empty()
            || unplaced.contains(&p)
            || joined.policies.stanzas_of(p).any(|id| joined.is_fixed(id))
    });
    tightened.called(&stays.map(|p| joined.policies[p].id()).collect())
}

/// The policies of the tightened scheme that are not deleted, whoever holds them.
fn lingering(joined: &Joined, tightened: &Scheme, options: &Options<'_>) -> Vec<ProposedNumber> {
    let lingering = joined.policies.ids().filter(|&p| options.lingering[p]);
    tightened.called(&lingering.map(|p| joined.policies[p].id()).collect())
}

/// What one way to mine came to.
enum Way {
    /// A redesign that was proven.
    Proven(Box<Redesign>),
    /// Its proof does not hold, whatever is repaired.
    Fails,
    /// It was given up.
    Late,
}

/// What all ways to mine begin with.
struct Material<'a> {
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
    expected: Spread,
}

impl<'a> Material<'a> {
    /// None where there is nobody to give roles to.
    fn new(joined: &'a Joined, tightened: &'a Scheme, options: &'a Options<'a>, more: &Needs) -> Option<Self> {
        let fixed = fixed(joined, tightened, options);
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
            lingering: lingering(joined, tightened, options),
            users,
            untouched,
            permissions,
            kept,
            expected: more.denied,
        })
    }

    /// Mines one way, proves, repairs, until the proof holds, or `is_late` says between two rounds that it is.
    fn one_way(
        &self,
        objective: Objective,
        mut over_grant: Option<f64>,
        limit: Duration,
        is_late: &dyn Fn() -> bool,
    ) -> Way {
        let (joined, options) = (self.joined, self.options);
        let (mut users, mut permissions) = (self.users.clone(), self.permissions.clone());
        let start = Instant::now();
        let mut withdrawn = Vec::new();
        for round in 0..24 {
            if round > 0 && is_late() {
                return Way::Late;
            }
            if round == 16 && over_grant.is_some() {
                over_grant = None;
                withdrawn.push((
                    "granting unused permissions for the sake of fewer roles".to_owned(),
                    "the proof did not hold with them".to_owned(),
                ));
            }
            let left = limit.saturating_sub(start.elapsed()).max(limit / 8);
            let mined = mine(
                joined,
                (&users, &permissions, &self.kept),
                options,
                objective,
                over_grant,
                left,
            );
            let Some((roles, scheme)) = build::build(
                joined,
                self.tightened,
                build::Stays {
                    fixed: &self.fixed,
                    untouched: &self.untouched,
                    lingering: &self.lingering,
                    kept: &self.kept,
                    unread: options.unread,
                },
                &users,
                &permissions,
                &mined,
            ) else {
                return Way::Fails;
            };
            let (proof, failures) = proof::prove(joined, &scheme);
            if failures.is_empty() {
                return Way::Proven(Box::new(Redesign {
                    size: measure(joined, &scheme, options.weighed),
                    roles,
                    kept: named(&scheme, options),
                    scheme,
                    proof,
                    withdrawn,
                    of_held: false,
                    cost: mined.cost,
                    lower_bound: mined.lower_bound,
                    optimal: mined.optimal,
                    untouched: self.untouched.len(),
                    expected: self.expected,
                }));
            }
            if !repair::make_exact(joined, &scheme, &failures, &mut users, &mut permissions, &mut withdrawn)
                && over_grant.take().is_none()
            {
                return Way::Fails;
            }
        }
        Way::Fails
    }
}

/// Steps of each search for every user and permission. Work is counted, so that the same input gives the same proposal on any
/// machine; twenty times the time made no cost better by a hundredth (docs/optimizer.md).
const STEPS: u64 = 40;

fn mine(
    joined: &Joined,
    (users, permissions, kept): (&[User], &Permissions, &[Kept]),
    options: &Options<'_>,
    objective: Objective,
    over_grant: Option<f64>,
    time_limit: Duration,
) -> roles::Mined {
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
            objective,
            time_limit,
            seed: options.seed,
            max_roles_per_user: options.max_roles,
            allowed: Some(&allowed),
            over_grant,
            steps: Some(STEPS * (matrix.users.len() + matrix.permissions.len()) as u64),
            affinity: Some(&labels),
            keep: kept.iter().map(|k| k.permissions.clone()).collect(),
        },
    )
}
