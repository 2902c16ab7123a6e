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
mod ways;

use super::proof::{ProposedNumber, Scheme};
use super::roles::Objective;
use crate::access::{Joined, Outcome, logins};
use crate::optimize::paths::Price;
use needs::Needs;
use std::cmp::Ordering;
use std::sync::Arc;
use ways::{Clock, Material, Way};

pub use kept::only_held;
pub use model::{Bases, Options, Redesign, Role};
pub use needs::Ahead;
pub use size::{Size, excess, measure};

/// The better of two redesigns, and whether it began with all of the budget spent: where half of the budget does less by roles than
/// all of it by tightening, all of it is spent on that, and the roles cost nothing more. So a redesign is never worse than the
/// tightened policies.
#[must_use]
pub fn better(joined: &Joined, bases: Bases<'_>, options: &Options<'_>) -> Option<(Redesign, bool)> {
    let clock = Clock::new(options.time_limit);
    let by_half = redesign(joined, bases.half, options, &clock);
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
    let by_whole = redesign(joined, bases.whole, &free, &clock);
    let by_whole = by_whole.filter(|one| by_half.as_ref().is_none_or(|r| of(&one.size) < of(&r.size)));
    by_whole.map(|r| (r, true)).or_else(|| by_half.map(|r| (r, false)))
}

/// Redesigns, starting from a tightened scheme that was proven. The tightened policies are handed out anew, and several ways to
/// mine roles are tried (the fewest roles, the least structure; unused permissions dear, cheap, nearly free); each is proven,
/// and the one with the lowest price of policies, stanzas and exposure is taken.
fn redesign(joined: &Joined, tightened: &Scheme, options: &Options<'_>, clock: &Clock) -> Option<Redesign> {
    // A proof over no request at all proves nothing.
    if !joined
        .demands
        .iter()
        .any(|d| matches!(d.outcome, Outcome::Explained(_)))
    {
        return None;
    }
    let more = options.ahead.map_or_else(Default::default, |ahead| {
        needs::needs(joined, tightened, options.weighed, &ahead)
    });
    let best = kept::kept(joined, tightened, options, &more);
    let (mined, given_up) = mined(joined, tightened, options, &more, (clock, best.as_ref()));
    let best = best.into_iter().chain(mined);
    let mut best = best.min_by(|a, b| compared(a, b, options))?;
    idle::follow(joined, &mut best, options.weighed);
    if given_up > 0 {
        best.withdrawn.push((
            format!("{given_up} of {WAYS} ways to mine roles"),
            "there was no time to mine and prove them; `--time-limit` gives more".to_owned(),
        ));
    }
    Some(best)
}

/// How many ways to mine there are.
const WAYS: usize = 5;

/// More steps made nothing better by more than this: a way that is further behind the best is not searched again.
const WORTH_MORE: f64 = 1.1;

/// The best redesign by mined roles, and how many ways were given up. Something has to come of it: while nothing was found, neither here
/// nor in what is `known`, no way is given up.
fn mined(
    joined: &Joined,
    tightened: &Scheme,
    options: &Options<'_>,
    more: &Needs,
    (clock, known): (&Clock, Option<&Redesign>),
) -> (Option<Redesign>, usize) {
    let ways: [(Objective, Option<f64>); WAYS] = [
        (Objective::Roles, Some(options.over_grant / 250.0)),
        (Objective::Roles, Some(options.over_grant / 25.0)),
        (Objective::Wsc, Some(options.over_grant / 25.0)),
        (Objective::Wsc, Some(options.over_grant)),
        (Objective::Wsc, None),
    ];
    let Some(material) = Material::new(joined, tightened, options, more) else {
        return (None, 0);
    };
    let mut found: Vec<(Box<Redesign>, Way)> = Vec::new();
    let mut given_up = 0;
    for (objective, over_grant) in ways {
        let may_end = known.is_some() || !found.is_empty();
        let is_late = || may_end && clock.is_late();
        if is_late() {
            given_up += 1;
            continue;
        }
        let mut way = material.way(objective, over_grant);
        match material.go(&mut way, ways::FIRST_STEPS, clock, &is_late) {
            ways::Outcome::Proven(redesign) => found.push((redesign, way)),
            ways::Outcome::Late => given_up += 1,
            ways::Outcome::Fails => {}
        }
    }
    let all = || known.into_iter().chain(found.iter().map(|(redesign, _)| &**redesign));
    let Some(best) = all().min_by(|a, b| compared(a, b, options)) else {
        return (None, given_up);
    };
    let most = WORTH_MORE * price(best, options);
    let is_near = |one: &Redesign| larger(one, options) <= larger(best, options) && price(one, options) <= most;
    let near: Vec<Way> = found
        .iter()
        .filter(|(redesign, _)| is_near(redesign))
        .map(|(_, way)| way.clone())
        .collect();
    let mut best: Vec<Box<Redesign>> = found.into_iter().map(|(redesign, _)| redesign).collect();
    for mut way in near {
        if !clock.is_late()
            && let ways::Outcome::Proven(more) = material.go(&mut way, ways::LAST_STEPS, clock, &|| clock.is_late())
        {
            best.push(more);
        }
    }
    let best = best.into_iter().min_by(|a, b| compared(a, b, options));
    (best.map(|best| *best), given_up)
}

/// In how many respects a redesign is as large as what there is today, or larger.
fn larger(found: &Redesign, options: &Options<'_>) -> u8 {
    let (size, today) = (&found.size, &options.today);
    u8::from(size.policies >= today.policies)
        + u8::from(size.stanzas >= today.stanzas)
        + u8::from(size.exposure >= today.exposure)
}

/// Which of two redesigns is better. What is larger than today's in any respect is no redesign that anybody wants, however little it
/// opens.
fn compared(a: &Redesign, b: &Redesign, options: &Options<'_>) -> Ordering {
    let by_size = larger(a, options).cmp(&larger(b, options));
    by_size.then_with(|| price(a, options).total_cmp(&price(b, options)))
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
            || joined.held[p].by.is_empty()
            || unplaced.contains(&p)
            || joined.policies.stanzas_of(p).any(|id| joined.stays.is_fixed(id))
    });
    tightened.called(&stays.map(|p| joined.policies[p].id()).collect())
}

/// The policies of the tightened scheme that are not deleted, whoever holds them.
fn lingering(joined: &Joined, tightened: &Scheme, options: &Options<'_>) -> Vec<ProposedNumber> {
    let lingering = joined.policies.ids().filter(|&p| options.lingering[p]);
    tightened.called(&lingering.map(|p| joined.policies[p].id()).collect())
}
