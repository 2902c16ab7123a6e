//! The second proposal: the least set of roles that holds all use, and who gets which.
//!
//! A permission is one capability on one stanza path of the tightened policies; a user is a principal with one of its policy
//! sets. Role mining makes few roles of that matrix, within what is granted today. Roles do not compose by union, so the
//! outcome is proven like any proposal; where it fails, the paths to blame become exact stanzas, which always win.

mod apart;
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
mod simplify;
mod size;
mod ways;

use super::proof::{ProposedNumber, Scheme};
use super::roles::Objective;
use crate::access::{Joined, Outcome, logins};
use crate::optimize::foresight::interval::Spread;
use crate::optimize::tighten::Tightening;
use crate::vault::PolicyId;
use needs::Needs;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;
use ways::{Clock, Material, Way};

pub use kept::only_held;
pub use model::{Bases, From, Made, Options, Redesign, Role};
pub use needs::Ahead;
pub use size::{Size, excess, measure};

/// What one redesign begins with: policies that were proven, and who has which.
struct Base<'a> {
    scheme: &'a Scheme,
    /// Those of the policies that are new: parts of others.
    roles: &'a [Role],
    for_newcomers: BTreeSet<PolicyId>,
    from: From,
    /// Expected wrong denials.
    expected: Option<Spread>,
    /// What is asked of the future beside.
    ahead: Option<Ahead<'a>>,
}

impl<'a> Base<'a> {
    fn of(tightening: &'a Tightening, from: From, ahead: Option<Ahead<'a>>) -> Self {
        Self {
            scheme: &tightening.scheme,
            roles: &[],
            for_newcomers: BTreeSet::new(),
            from,
            expected: tightening.expected,
            ahead,
        }
    }
}

/// The best of several redesigns. One begins with what is tightened within half of the budget, and has the other half for handing out
/// less; one with parts of policies for some of their holders, within what the others leave of the budget. Where neither leaves less than all of the budget
/// spent on tightening, that is handed out anew: a redesign never leaves more open than the tightened policies.
#[must_use]
pub fn better(joined: &Joined, bases: Bases<'_>, options: &Options<'_>) -> Option<Redesign> {
    let clock = Clock::new(options.time_limit);
    let tight = measure(joined, &bases.whole.scheme, options.weighed);
    let most = Most {
        price: f64::INFINITY,
        open: options.open(&tight),
    };
    let half = Base::of(bases.half, From::Half, options.ahead);
    let by_half = redesign(joined, &half, options, (&clock, most));
    let Some(ahead) = options.ahead else {
        return by_half;
    };
    // All that is asked of the future has been asked.
    let free = Some(Ahead { budget: 0.0, ..ahead });
    let dearest = by_half.as_ref().map_or(f64::INFINITY, |half| price(half, options));
    let parts = apart::parts(joined, bases, options, &ahead);
    let price = dearest.min(options.cost(&tight));
    let by_parts = parts.iter().enumerate().filter_map(|(n, parts)| {
        let base = Base {
            scheme: &parts.scheme,
            roles: &parts.roles,
            for_newcomers: parts.for_newcomers.clone(),
            from: From::Half,
            expected: Some(parts.expected),
            ahead: free,
        };
        // Roles are mined of the first alone: the others are for being put together.
        let price = if n == 0 { price } else { f64::NEG_INFINITY };
        redesign(joined, &base, options, (&clock, Most { price, ..most }))
    });
    let leaves_less = |one: &Redesign| options.open(&one.size) <= most.open;
    let found = by_half.into_iter().chain(by_parts).filter(leaves_less);
    let best = found.min_by(|a, b| compared(a, b, options));
    if best
        .as_ref()
        .is_some_and(|best| options.cost(&best.size) <= options.cost(&tight))
    {
        return best;
    }
    let whole = Base::of(bases.whole, From::Whole, free);
    let by_whole = redesign(joined, &whole, options, (&clock, most)).filter(leaves_less);
    best.into_iter().chain(by_whole).min_by(|a, b| compared(a, b, options))
}

/// What a redesign is not to go beyond.
#[derive(Clone, Copy)]
struct Most {
    /// Roles are mined only of policies that by themselves have a lower price.
    price: f64,
    /// No more is opened than this for the sake of fewer policies and stanzas.
    open: f64,
}

/// Redesigns, starting from a scheme that was proven. Its policies are handed out anew, and several ways to mine roles are tried (the
/// fewest roles, the least structure; unused permissions dear, cheap, nearly free); each is proven, and the one with the lowest price of
/// policies, stanzas and exposure is taken.
fn redesign(
    joined: &Joined,
    base: &Base<'_>,
    options: &Options<'_>,
    (clock, most): (&Clock, Most),
) -> Option<Redesign> {
    // A proof over no request at all proves nothing.
    if !joined
        .demands
        .iter()
        .any(|d| matches!(d.outcome, Outcome::Explained(_)))
    {
        return None;
    }
    let more = base.ahead.map_or_else(Default::default, |ahead| {
        needs::needs(joined, base.scheme, options.weighed, &ahead)
    });
    let simpler = |found: Redesign| simplify::simplify(joined, found, options, (most.open, &|| clock.is_late()));
    let kept = kept::kept(joined, base, options, &more).map(simpler);
    let is_behind = |kept: &Redesign| price(kept, options) >= most.price;
    if kept.as_ref().is_some_and(is_behind) {
        return kept;
    }
    let (mined, given_up) = mined(joined, base, options, &more, (clock, kept.as_ref()));
    // What was taken apart and is put together again as more than that is the noise of the past.
    let is_larger =
        |mined: &Redesign| !base.roles.is_empty() && kept.as_ref().is_some_and(|kept| is_more(&mined.size, &kept.size));
    let mined = mined.map(simpler).filter(|mined| !is_larger(mined));
    let best = kept.into_iter().chain(mined);
    let mut best = best.min_by(|a, b| of_base(base, a, b, options))?;
    idle::follow(joined, &mut best, options.weighed);
    if given_up > 0 {
        best.withdrawn.push((
            format!("{given_up} of {WAYS} ways to mine roles"),
            "there was no time to mine and prove them; `--time-limit` gives more".to_owned(),
        ));
    }
    Some(best)
}

fn is_more(one: &Size, other: &Size) -> bool {
    one.policies > other.policies || one.stanzas > other.stanzas
}

/// How many ways to mine there are.
const WAYS: usize = 5;

/// More steps made nothing better by more than this: a way that is further behind the best is not searched again.
const WORTH_MORE: f64 = 1.1;

/// The best redesign by mined roles, and how many ways were given up. Something has to come of it: while nothing was found, neither here
/// nor in what is `known`, no way is given up.
fn mined(
    joined: &Joined,
    base: &Base<'_>,
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
    let Some(material) = Material::new(joined, base, options, more) else {
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
    let Some(best) = all().min_by(|a, b| of_base(base, a, b, options)) else {
        return (None, given_up);
    };
    let most = WORTH_MORE * price(best, options);
    let is_as_small = |one: &Redesign| !base.roles.is_empty() || larger(one, options) <= larger(best, options);
    let is_near = |one: &Redesign| is_as_small(one) && price(one, options) <= most;
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
    let best = best.into_iter().min_by(|a, b| of_base(base, a, b, options));
    (best.map(|best| *best), given_up)
}

/// In how many respects a redesign is as large as what there is today, or larger.
fn larger(found: &Redesign, options: &Options<'_>) -> u8 {
    let (size, today) = (&found.size, &options.today);
    u8::from(size.policies >= today.policies)
        + u8::from(size.stanzas >= today.stanzas)
        + u8::from(size.exposure >= today.exposure)
}

/// Which of two redesigns of the same base is better. What is larger than today's in any respect is no redesign that anybody wants,
/// however little it opens; but parts are more by intention, and each has to pay for itself.
fn of_base(base: &Base<'_>, a: &Redesign, b: &Redesign, options: &Options<'_>) -> Ordering {
    let by_size = match base.roles {
        [] => larger(a, options).cmp(&larger(b, options)),
        _ => Ordering::Equal,
    };
    by_size.then_with(|| compared(a, b, options))
}

/// Which of two redesigns is better: by their price, in which each policy and stanza more has to pay for itself.
fn compared(a: &Redesign, b: &Redesign, options: &Options<'_>) -> Ordering {
    price(a, options).total_cmp(&price(b, options))
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
    options.cost(&found.size) - (free.len() + stanzas) as f64
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

/// The policies that are not deleted, whoever holds them.
fn lingering(joined: &Joined, base: &Base<'_>, options: &Options<'_>) -> Vec<ProposedNumber> {
    let lingering = joined.policies.ids().filter(|&p| options.lingering[p]);
    let lingering = lingering.map(|p| joined.policies[p].id());
    base.scheme
        .called(&lingering.chain(base.for_newcomers.iter().cloned()).collect())
}
