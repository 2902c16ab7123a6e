//! One cut: the rules applied to its past, each scored on its future.

use super::model::{Blame, Input, Options, Point, Promise, Proposal, Rule, Scope, Window};
use super::plain::{self, Plain};
use super::sides::{Sides, key};
use super::split::{self, Cut};
use crate::access::weight::Weighed;
use crate::access::{self, Joined, JoinedDemand, Outcome, PolicyNumber};
use crate::index::IndexVec;
use crate::optimize::proof::{self, Proof, ProposedNumber, Scheme};
use crate::optimize::redesign::{self, excess};
use crate::optimize::tighten::{self, Span};
use crate::policy::acl::Acl;
use crate::policy::model::Policy;
use crate::vault::{CapabilitySet, PrincipalKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What a principal used, by path.
type UsedBy<'a> = HashMap<(PrincipalKind, Arc<str>), HashMap<&'a str, CapabilitySet>>;

/// Applies every rule to one cut.
pub(super) fn window(input: &Input<'_>, options: &Options, cut: &Cut) -> Window {
    let sides = Sides::new(input, options, cut);
    let used = used(&sides.future);
    let score = |rule, list: &[Policy], proven| by_policies(&sides, &used, options, rule, list, proven);
    let mut points = vec![score(Rule::Today, input.policies, true)];
    let mounts = access::mounts(&sides.past, input.deployment);
    let removable = &sides.removable;
    let how = tighten::Options {
        price: &options.price,
        removable,
        mounts: &mounts,
        // It would be told of what is to come.
        missed: &[],
    };
    let weighed = Weighed::new(&options.weights, &sides.past.universe);
    let span = Span {
        first: cut.train.start,
        end: cut.train.end,
        horizon: cut.test.end - cut.test.start,
    };
    let outlook = tighten::outlook(&sides.past, &how, &weighed, span);
    let today = redesign::measure(&sides.past, &Scheme::today(&sides.past), &weighed);
    let mut redesigned: Vec<Point> = Vec::new();
    for &budget in &options.budgets {
        let rule = |proposal| Rule::Proposed {
            proposal,
            budget,
            chosen: budget == options.foresight.budget,
        };
        let is_proven = |proof: &Proof| proof.newly_denied == 0 && proof.newly_granted == 0;
        let offer = outlook.within_budget(budget, &options.foresight);
        let whole = outlook.tighten(&sides.past, &how, &offer);
        let (proven, policies) = (is_proven(&whole.proof), whole.scheme.policies.as_slice());
        let mut point = score(rule(Proposal::Tighten), policies, proven);
        point.promised = Some(Promise::of(offer.denied));
        points.push(point);
        let of_half = outlook.within_budget(budget / 2.0, &options.foresight);
        let half = outlook.tighten(&sides.past, &how, &of_half);
        let bases = redesign::Bases {
            half: &half,
            whole: &whole,
        };
        let ways = redesign::Options {
            weighed: &weighed,
            time_limit: std::time::Duration::ZERO,
            seed: 1,
            max_roles: None,
            over_grant: options.over_grant,
            price: &options.price,
            keep: &[],
            unread: &[],
            today,
            removable,
            lingering: &sides.lingering,
            ahead: Some(redesign::Ahead {
                span,
                off: outlook.off(),
                budget: outlook.allowed(budget / 2.0, &options.foresight),
                settings: &options.foresight,
                outlook: &outlook,
                half: &of_half,
                missed: how.missed,
            }),
        };
        let Some(found) = redesign::better(&sides.past, bases, &ways) else {
            continue;
        };
        let (proven, rule) = (is_proven(&found.proof), rule(Proposal::Redesign));
        let mut point = by_scheme(&sides, &used, options, rule, &found.scheme, proven);
        point.promised = found.expected.map(Promise::of);
        redesigned.push(point);
    }
    points.extend(redesigned);
    for &days in options
        .plain_days
        .iter()
        .filter(|&&n| n <= cut.train.end - cut.train.start)
    {
        for scope in [Scope::Principal, Scope::Policy] {
            let plain = Plain::new(&sides, scope, days);
            points.push(by_plain(&sides, &used, options, scope, days, &plain));
        }
        let rule = Rule::Plain {
            scope: Scope::Stanza,
            days,
        };
        points.push(score(rule, &plain::stanzas(&sides, days), false));
    }
    Window {
        train_from: split::written(cut.train.start),
        test_from: split::written(cut.test.start),
        test_to: split::written(cut.test.end - 1),
        future: asked(&sides.future).map(days).sum(),
        points,
    }
}

/// The demands that can be denied wrongly: the log allowed them, and so do today's policies.
fn asked(future: &Joined) -> impl Iterator<Item = &JoinedDemand> {
    future
        .demands
        .iter()
        .filter(|d| d.was_allowed() && matches!(d.outcome, Outcome::Explained(_)))
}

fn days(d: &JoinedDemand) -> u64 {
    d.demand.days.len() as u64
}

/// What everybody used in the future.
fn used(future: &Joined) -> UsedBy<'_> {
    let mut used = UsedBy::new();
    for d in future.demands.iter().filter(|d| d.was_allowed()) {
        let on = used
            .entry(key(&d.demand.principal))
            .or_default()
            .entry(&d.path)
            .or_default();
        *on = on.union(d.needs());
    }
    used
}

/// Scores policies that are handed out anew: who was there before has what the scheme gives; who is new has the policies of today that
/// are still there, and where some are not, what most have whose policies of today are the same.
fn by_scheme(
    sides: &Sides<'_>,
    used: &UsedBy<'_>,
    options: &Options,
    rule: Rule,
    scheme: &Scheme,
    proven: bool,
) -> Point {
    type Lists<'a> = Vec<(&'a [PolicyNumber], &'a Vec<ProposedNumber>)>;
    let mut by_holder: HashMap<(PrincipalKind, Arc<str>), Lists<'_>> = HashMap::new();
    let mut by_set: HashMap<&[PolicyNumber], (usize, BTreeMap<ProposedNumber, usize>)> = HashMap::new();
    for ((set, holder), given) in &scheme.given {
        let (set, holder) = (&sides.past.sets[*set], &sides.past.holders[*holder]);
        by_holder
            .entry(key(&holder.principal))
            .or_default()
            .push((&set.policies, given));
        let of_set = by_set.entry(&set.policies).or_default();
        of_set.0 += 1;
        for &p in given {
            *of_set.1.entry(p).or_default() += 1;
        }
    }
    let named: HashMap<(&str, &str), ProposedNumber> = scheme
        .policies
        .numbered()
        .map(|(n, p)| ((&*p.namespace, &*p.name), n))
        .collect();
    let given = |d: &JoinedDemand| -> Vec<ProposedNumber> {
        let policies = sides.future.sets[d.set].policies.as_slice();
        let mine = by_holder.get(&key(&d.demand.principal));
        let same = mine.and_then(|all| all.iter().find(|(set, _)| *set == policies));
        if let Some((_, given)) = same {
            return (*given).clone();
        }
        let today = sides.future.policies.listed(policies);
        let mut today = today
            .into_iter()
            .map(|p| named.get(&(&*p.namespace, &*p.name)).copied());
        let still_there: Vec<ProposedNumber> = today.clone().flatten().collect();
        match by_set.get(policies) {
            Some((all, counts)) if today.any(|p| p.is_none()) => {
                let most = counts.iter().filter(|(_, n)| **n * 2 >= *all).map(|(&p, _)| p);
                let both: BTreeSet<ProposedNumber> = most.chain(still_there).collect();
                both.into_iter().collect()
            }
            _ => still_there,
        }
    };
    let compile = |given: &[ProposedNumber], set: &access::AccessSet| {
        Acl::compile(sides.profile, &scheme.policies.listed(given), &set.identity, sides.now)
    };
    let mut lists: HashMap<(access::SetId, Vec<ProposedNumber>), Acl> = HashMap::new();
    let mut tally = Tally::default();
    for d in asked(&sides.future) {
        let set = &sides.future.sets[d.set];
        let given = given(d);
        let acl = lists
            .entry((d.set, given.clone()))
            .or_insert_with(|| compile(&given, set));
        if !proof::still_allowed(d, acl.check(d.operation(), &d.path)) {
            tally.denied(sides, d);
        }
    }
    let weighed = Weighed::new(&options.weights, &sides.universe);
    let mut left = (0, 0.0);
    for (&(n, h), given) in &scheme.given {
        let (set, holder) = (&sides.past.sets[n], &sides.past.holders[h]);
        if holder.current != n || is_apart(holder.principal.kind) {
            continue;
        }
        let reach = access::reach(&compile(given, set), &sides.universe);
        let (pairs, weight) = excess(&reach, used.get(&key(&holder.principal)), &weighed);
        left = (left.0 + pairs, left.1 + weight);
    }
    tally.point(sides, rule, left, proven)
}

/// Scores policies that stand in the place of today's of the same name.
fn by_policies(
    sides: &Sides<'_>,
    used: &UsedBy<'_>,
    options: &Options,
    rule: Rule,
    list: &[Policy],
    proven: bool,
) -> Point {
    let by_name: HashMap<(&str, &str), &Policy> = list.iter().map(|p| ((&*p.namespace, &*p.name), p)).collect();
    let compile = |joined: &Joined, set: &access::AccessSet| {
        let today = joined.policies.listed(&set.policies).into_iter();
        let chosen: Vec<&Policy> = today
            .filter_map(|p| by_name.get(&(&*p.namespace, &*p.name)).copied())
            .collect();
        Acl::compile(sides.profile, &chosen, &set.identity, sides.now)
    };
    let lists: IndexVec<access::AccessSet, Acl> = sides.future.sets.map(|set| compile(&sides.future, set));
    let mut tally = Tally::default();
    for d in asked(&sides.future) {
        if !proof::still_allowed(d, lists[d.set].check(d.operation(), &d.path)) {
            tally.denied(sides, d);
        }
    }
    let weighed = Weighed::new(&options.weights, &sides.universe);
    let mut left = (0, 0.0);
    for (n, set) in sides.past.sets.numbered() {
        let mut reach = None;
        for &h in &set.holders {
            let holder = &sides.past.holders[h];
            if holder.current != n || is_apart(holder.principal.kind) {
                continue;
            }
            let reach = reach.get_or_insert_with(|| access::reach(&compile(&sides.past, set), &sides.universe));
            let (pairs, weight) = excess(reach, used.get(&key(&holder.principal)), &weighed);
            left = (left.0 + pairs, left.1 + weight);
        }
    }
    tally.point(sides, rule, left, proven)
}

/// Scores a plain rule over single accesses.
fn by_plain(
    sides: &Sides<'_>,
    used: &UsedBy<'_>,
    options: &Options,
    scope: Scope,
    days: i32,
    plain: &Plain<'_>,
) -> Point {
    let mut tally = Tally::default();
    for d in asked(&sides.future) {
        if !plain.allows(&sides.future, d) {
            tally.denied(sides, d);
        }
    }
    let mut left = (0, 0.0);
    for (h, holder) in sides.past.holders.numbered() {
        if is_apart(holder.principal.kind) {
            continue;
        }
        let mut kept: BTreeMap<&str, CapabilitySet> = plain.kept(&sides.past, h);
        if let Some(mine) = used.get(&key(&holder.principal)) {
            for (path, capabilities) in mine {
                if let Some(on) = kept.get_mut(path) {
                    *on = on.difference(*capabilities);
                }
            }
        }
        left.0 += kept.values().map(|c| c.len() as u64).sum::<u64>();
        left.1 += kept.iter().map(|(path, c)| options.weights.of(path, *c)).sum::<f64>();
    }
    tally.point(sides, Rule::Plain { scope, days }, left, false)
}

/// Principals that no policy says anything about.
fn is_apart(kind: PrincipalKind) -> bool {
    matches!(kind, PrincipalKind::Root | PrincipalKind::Unauthenticated)
}

/// Wrong denials as they come.
#[derive(Default)]
struct Tally {
    denied: u64,
    newcomers: u64,
    demands: u64,
    by_principal: BTreeMap<String, u64>,
    by_stanza: BTreeMap<String, u64>,
}

impl Tally {
    fn denied(&mut self, sides: &Sides<'_>, d: &JoinedDemand) {
        let n = days(d);
        self.denied += n;
        self.demands += 1;
        let known = sides
            .past
            .holders
            .iter()
            .any(|h| h.is_active() && key(&h.principal) == key(&d.demand.principal));
        if !known {
            self.newcomers += n;
        }
        let who = sides.future.holders[d.holder].display();
        *self.by_principal.entry(who.to_owned()).or_default() += n;
        *self.by_stanza.entry(stanza(&sides.future, d)).or_default() += n;
    }

    fn point(self, sides: &Sides<'_>, rule: Rule, (excess, weight): (u64, f64), proven: bool) -> Point {
        let future: u64 = asked(&sides.future).map(days).sum();
        Point {
            rule,
            excess,
            weight,
            denied: self.denied,
            promised: None,
            denied_newcomers: self.newcomers,
            denied_demands: self.demands,
            share: share(self.denied, future),
            proven,
            by_principal: ranked(self.by_principal),
            by_stanza: ranked(self.by_stanza),
        }
    }
}

/// A part of a whole; nothing of nothing is nothing.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The most first, by name where equal.
pub(super) fn ranked(counts: BTreeMap<String, u64>) -> Vec<Blame> {
    let mut list: Vec<Blame> = counts
        .into_iter()
        .map(|(name, denied)| Blame { name, denied })
        .collect();
    list.sort_by(|a, b| b.denied.cmp(&a.denied).then_with(|| a.name.cmp(&b.name)));
    list
}

/// The stanza that allows a demand today, in words.
fn stanza(joined: &Joined, d: &JoinedDemand) -> String {
    let Outcome::Explained(rule) = d.outcome else {
        return String::new();
    };
    let found = joined.sets[d.set].sources(rule).next();
    found.map_or_else(String::new, |(id, _)| {
        format!("{} `{}`", joined.policies[id.policy()].name, joined.policies[id].path)
    })
}
