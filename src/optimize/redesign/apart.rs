//! A beginning in which some holders of a policy have a part of it as a policy of their own, with its proof.
//!
//! Of a policy that is not to be touched, or of whose holders too little is known, there are no parts. Who could not do with one, or would
//! have more by it, has the policy of all again.

use super::matrix::Permission;
use super::model::{Bases, Options, Role};
use super::names::Names;
use super::needs::Ahead;
use super::{fixed, keep, label};
use crate::access::{HolderId, Joined, PolicyNumber, SetId};
use crate::optimize::edit;
use crate::optimize::foresight::choice::Chosen;
use crate::optimize::foresight::interval::Spread;
use crate::optimize::movable::Movable;
use crate::optimize::proof::{self, Given, ProposedNumber, Scheme};
use crate::optimize::tighten::{Apart, Asked, Part, Tightening};
use crate::policy::model::Policy;
use crate::policy::syntax;
use crate::policy::table::Table;
use crate::vault::PolicyId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Policies of their own for some, beside those of all.
pub(super) struct Parts {
    /// All policies, and who has which.
    pub(super) scheme: Scheme,
    /// The parts.
    pub(super) roles: Vec<Role>,
    /// Policies that stay for those who will come.
    pub(super) for_newcomers: BTreeSet<PolicyId>,
    /// Expected wrong denials of all, ...
    pub(super) expected: Spread,
    /// ... and of those who have no part.
    of_others: Spread,
}

/// What stays open at its price, ...
const AS_IT_IS: f64 = 1.0;
/// ... and so much dearer that holders are together who need the same: roles are put together after that.
const DEARER: [f64; 2] = [4.0, 16.0];

/// The parts within the budget, beside what is tightened within half of it; none where nobody has one. What those who have parts do not
/// bear of that half any more is for the parts, too. There are several ways, the first of which counts what stays open as it is.
pub(super) fn parts(joined: &Joined, bases: Bases<'_>, options: &Options<'_>, ahead: &Ahead<'_>) -> Vec<Parts> {
    let common = bases.half;
    let holders = split(joined, &common.scheme, options);
    let asked = |dearer: f64| Asked {
        weighed: options.weighed,
        span: ahead.span,
        settings: ahead.settings,
        missed: ahead.missed,
        lambda: options.price.lambda * dearer,
    };
    let alone = ahead.outlook.alone(joined, holders, &asked(AS_IT_IS));
    let forms = |budget: f64| ahead.outlook.forms(&alone, ahead.settings, budget);
    let with = |forms: &[Chosen], dearer: f64| {
        let apart = ahead.outlook.apart(joined, &alone, common, (&asked(dearer), forms));
        proven(joined, common, options, (ahead, apart))
    };
    let Some(by_half) = with(&forms(ahead.half.budget), AS_IT_IS) else {
        return Vec::new();
    };
    let all = ahead.outlook.allowed(2.0 * ahead.half.budget, ahead.settings);
    let left = all - by_half.of_others.mean;
    let rest = forms(left / ahead.outlook.uses.max(1.0));
    let by_rest = |dearer: f64| with(&rest, dearer).filter(|parts| parts.expected.mean <= all);
    let first = by_rest(AS_IT_IS).unwrap_or(by_half);
    let dearer = DEARER.iter().filter_map(|&dearer| by_rest(dearer));
    std::iter::once(first).chain(dearer).collect()
}

/// The parts that can be proven.
fn proven(
    joined: &Joined,
    common: &Tightening,
    options: &Options<'_>,
    (ahead, apart): (&Ahead<'_>, Apart<'_>),
) -> Option<Parts> {
    let (mut scheme, roles) = written(joined, &common.scheme, options, &apart)?;
    loop {
        let (_, failures) = proof::prove(joined, &scheme);
        if failures.is_empty() {
            break;
        }
        let mut changed = false;
        for key in failures.iter().flat_map(|failure| failure.concerned(joined)) {
            if let Some(all) = common.scheme.given.get(&key) {
                changed |= scheme.given.insert(key, all.clone()).as_ref() != Some(all);
            }
        }
        if !changed {
            return None;
        }
    }
    let with = with_parts(joined, &common.scheme, &scheme);
    let split = apart.for_newcomers.iter().filter(|policy| with.contains_key(*policy));
    let of_others = ahead.outlook.expected_beside(ahead.half, &apart, &with);
    (!with.is_empty()).then(|| Parts {
        for_newcomers: split.map(|&policy| joined.policies[policy].id()).collect(),
        expected: of_others.and(apart.expected(&with)),
        of_others,
        roles: label::held(joined, &scheme, roles),
        scheme,
    })
}

/// Of which policies parts may be made, and for whom: who may have another in each of its sets that has it.
fn split(joined: &Joined, common: &Scheme, options: &Options<'_>) -> BTreeMap<PolicyNumber, BTreeSet<HolderId>> {
    let stays: BTreeSet<PolicyId> = fixed(joined, common, options)
        .iter()
        .map(|&p| common.policies[p].id())
        .collect();
    let may = joined.policies.map(|policy| {
        let id = policy.id();
        !stays.contains(&id) && !id.is_default() && !policy.is_root() && !keep::is_meant(options.keep, policy)
    });
    let movable = Movable::of(joined);
    let moves = |key: &(SetId, HolderId)| {
        let is_known = joined.holders[key.1].is_active() && !joined.stays.lately.contains_key(&key.1);
        movable.is(*key) && is_known
    };
    in_each_set(common.given.keys().flat_map(|key| {
        let (moves, held) = (moves(key), joined.sets[key.0].policies.iter());
        let held = held.filter(|&&policy| may[policy]);
        held.map(move |&policy| (policy, key.1, moves))
    }))
}

/// By policy, the holders of whom it is true in each of their sets that have it.
fn in_each_set(
    told: impl Iterator<Item = (PolicyNumber, HolderId, bool)>,
) -> BTreeMap<PolicyNumber, BTreeSet<HolderId>> {
    let (mut with, mut without) = (BTreeMap::<_, BTreeSet<_>>::new(), Vec::new());
    for (policy, holder, is_true) in told {
        if is_true {
            with.entry(policy).or_default().insert(holder);
        } else {
            without.push((policy, holder));
        }
    }
    for (policy, holder) in without {
        if let Some(by) = with.get_mut(&policy) {
            by.remove(&holder);
        }
    }
    with.retain(|_, by| !by.is_empty());
    with
}

/// The policies with the parts, and who has which; none where there is no part.
fn written(joined: &Joined, common: &Scheme, options: &Options<'_>, apart: &Apart<'_>) -> Option<(Scheme, Vec<Role>)> {
    let mut policies = Table::default();
    let number: BTreeMap<ProposedNumber, ProposedNumber> = common
        .policies
        .numbered()
        .map(|(number, policy)| (number, policies.push(policy.clone())))
        .collect();
    let listed = |list: &Vec<ProposedNumber>| -> Vec<ProposedNumber> {
        list.iter().filter_map(|p| number.get(p).copied()).collect()
    };
    let mut given: Given = common.given.iter().map(|(key, list)| (*key, listed(list))).collect();
    let mut keys: BTreeMap<HolderId, Vec<SetId>> = BTreeMap::new();
    for &(set, holder) in common.given.keys() {
        keys.entry(holder).or_default().push(set);
    }
    let mut names = Names::new(joined, options.unread);
    let mut roles = Vec::new();
    for part in &apart.parts {
        let of = joined.policies[part.policy].id();
        let Some(&whole) = common.called(&BTreeSet::from([of])).first() else {
            continue;
        };
        let Some(policy) = policy(joined, part, &mut names) else {
            continue;
        };
        let own = match policy.stanzas.is_empty() {
            true => None,
            false => {
                roles.push(Role::of(&policy));
                Some(policies.push(policy))
            }
        };
        let whole = number.get(&whole).copied();
        for (set, holder) in part
            .holders
            .iter()
            .flat_map(|&h| keys.get(&h).into_iter().flatten().map(move |&set| (set, h)))
        {
            if let Some(list) = given.get_mut(&(set, holder))
                && let Some(at) = list.iter().position(|p| Some(*p) == whole)
            {
                list.remove(at);
                list.extend(own);
                list.sort_unstable();
            }
        }
    }
    (!apart.parts.is_empty()).then_some((Scheme { policies, given }, roles))
}

/// The part as a policy of a name that says what it is about.
fn policy(joined: &Joined, part: &Part, names: &mut Names<'_>) -> Option<Policy> {
    let of = &joined.policies[part.policy];
    let text = edit::apply(of, &part.changes);
    let parse = |name: &str| syntax::parse(name, &format!("{name}.hcl"), &text, &joined.profile.dialect());
    let mut policy = parse(&of.name).ok()?;
    policy.namespace = of.namespace.clone();
    let granted = policy.stanzas.iter().flat_map(|stanza| {
        let path: Arc<str> = Arc::from(stanza.bare_path());
        let capabilities = stanza.capability_set();
        let permission = move |capability| Permission {
            namespace: of.namespace.clone(),
            path: path.clone(),
            capability,
            source: None,
        };
        capabilities.iter().map(permission).collect::<Vec<_>>()
    });
    let granted: Vec<Permission> = granted.collect();
    if granted.is_empty() {
        return Some(policy);
    }
    let name = names.of(&of.namespace, &granted.iter().collect::<Vec<_>>())?;
    let mut policy = parse(&name).ok()?;
    policy.namespace = of.namespace.clone();
    Some(policy)
}

/// Who has parts of which policies in all its sets.
fn with_parts(joined: &Joined, common: &Scheme, scheme: &Scheme) -> BTreeMap<PolicyNumber, BTreeSet<HolderId>> {
    in_each_set(scheme.given.iter().flat_map(|(&(set, holder), list)| {
        let now: BTreeSet<PolicyId> = list.iter().map(|&p| scheme.policies[p].id()).collect();
        let before = common.given.get(&(set, holder)).into_iter().flatten();
        let before: BTreeSet<PolicyId> = before.map(|&p| common.policies[p].id()).collect();
        joined.sets[set].policies.iter().map(move |&policy| {
            let id = joined.policies[policy].id();
            (policy, holder, before.contains(&id) && !now.contains(&id))
        })
    }))
}
