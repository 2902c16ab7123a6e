//! The tightened policies handed out anew: no new role, each principal gets the fewest that cover its use.

use super::Base;
use super::label;
use super::matrix::{Permission, Permissions, User, users};
use super::model::{Made, Options, Redesign};
use super::needs::Needs;
use super::size::measure;
use crate::access::Joined;
use crate::optimize::cover::{self, Column, Instance, Limits};
use crate::optimize::proof::{self, Given, ProposedNumber, Scheme};
use crate::policy::model::Policy;
use crate::policy::table::Table;
use crate::vault::PolicyId;
use std::collections::{BTreeMap, BTreeSet};

/// The tightened policies as roles: each principal gets the fewest of those it holds that cover its use. Where that fails the
/// proof, it keeps all of them, which the tightening has proven.
pub(super) fn kept(joined: &Joined, base: &Base<'_>, options: &Options<'_>, more: &Needs) -> Option<Redesign> {
    let tightened = base.scheme;
    let mut permissions = Permissions::default();
    let fixed: BTreeSet<ProposedNumber> = super::fixed(joined, tightened, options).into_iter().collect();
    let (users, untouched) = users(joined, tightened, &[], more, &mut permissions);
    let mut given = tightened.given.clone();
    let mut cost = 0.0;
    let mut lower_bound = 0.0;
    for user in &users {
        let Some(held) = tightened.given.get(&(user.set, user.holder)) else {
            continue;
        };
        let chosen = fewest(tightened, held, user, &permissions, &fixed)?;
        cost += chosen.1;
        lower_bound += chosen.2;
        given.insert((user.set, user.holder), chosen.0);
    }
    let mut withdrawn = Vec::new();
    let lingering = super::lingering(joined, base, options);
    let stays: BTreeSet<ProposedNumber> = lingering.into_iter().chain(fixed.iter().copied()).collect();
    loop {
        let scheme = handed_out(tightened, &given, &stays);
        let (proof, failures) = proof::prove(joined, &scheme);
        if failures.is_empty() {
            let size = measure(joined, &scheme, options.weighed);
            let (made, cost, lower_bound) = match base.roles {
                [] => (Made::Held, cost, lower_bound),
                _ => (Made::Parts, options.cost(&size), 0.0),
            };
            return Some(Redesign {
                size,
                roles: label::held(joined, &scheme, base.roles.to_vec()),
                kept: super::named(&scheme, options),
                scheme,
                proof,
                // Whoever got all of its policies back may do with fewer.
                optimal: cost <= lower_bound && withdrawn.is_empty(),
                withdrawn,
                made,
                cost,
                lower_bound,
                untouched: untouched.len(),
                for_newcomers: base.for_newcomers.clone(),
                from: base.from,
                expected: base.expected.map(|expected| expected.and(more.denied)),
            });
        }
        let mut changed = false;
        for (set, holder) in failures.iter().flat_map(|f| f.concerned(joined)) {
            if let Some(all) = tightened.given.get(&(set, holder))
                && given.get(&(set, holder)) != Some(all)
            {
                given.insert((set, holder), all.clone());
                changed = true;
                let who = joined.holders[holder].display();
                withdrawn.push((
                    format!("fewer policies for `{who}`"),
                    "without all of them the proof does not hold".to_owned(),
                ));
            }
        }
        if !changed {
            return None;
        }
    }
}

/// The fewest of `held` that have what the user needs, by set cover, with what every token has; its cost and bound.
fn fewest(
    tightened: &Scheme,
    held: &[ProposedNumber],
    user: &User,
    permissions: &Permissions,
    fixed: &BTreeSet<ProposedNumber>,
) -> Option<(Vec<ProposedNumber>, f64, f64)> {
    let needs: Vec<u32> = user.needs.iter().copied().collect();
    let has = |policy: &Policy, p: &Permission| {
        policy.namespace == p.namespace
            && policy
                .stanzas
                .iter()
                .any(|s| s.bare_path() == &*p.path && s.capability_set().contains(p.capability))
    };
    let columns: Vec<Column> = held
        .iter()
        .map(|&p| Column {
            cost: if fixed.contains(&p) { 0.0 } else { 1.0 },
            rows: needs
                .iter()
                .zip(0_u32..)
                .filter(|(n, _)| {
                    permissions
                        .all
                        .get(**n as usize)
                        .is_some_and(|permission| has(&tightened.policies[p], permission))
                })
                .map(|(_, row)| row)
                .collect(),
        })
        .collect();
    let instance = Instance::new(needs.len(), columns).ok()?;
    let limits = Limits {
        max_rounds: Some(50),
        ..Limits::default()
    };
    let solved = cover::solve(&instance, &limits);
    let mut chosen: Vec<ProposedNumber> = solved
        .columns
        .iter()
        .filter_map(|&c| held.get(c as usize).copied())
        .collect();
    chosen.extend(held.iter().copied().filter(|p| fixed.contains(p)));
    chosen.sort_unstable();
    chosen.dedup();
    Some((chosen, solved.cost, solved.lower_bound))
}

/// Takes the new roles out that nobody gets in the end, and tells the others who does.
pub fn only_held(joined: &Joined, redesign: &mut Redesign) {
    let today: BTreeSet<PolicyId> = joined.policies.iter().map(Policy::id).collect();
    let scheme = &redesign.scheme;
    let stays = scheme
        .policies
        .numbered()
        .filter(|(_, policy)| today.contains(&policy.id()));
    let stays = stays.map(|(number, _)| number).collect();
    let scheme = handed_out(scheme, &scheme.given, &stays);
    redesign.roles = label::held(joined, &scheme, std::mem::take(&mut redesign.roles));
    redesign.scheme = scheme;
}

/// The scheme without the policies that nobody gets any more, but for those that stay.
pub(super) fn handed_out(tightened: &Scheme, given: &Given, stays: &BTreeSet<ProposedNumber>) -> Scheme {
    let used: BTreeSet<ProposedNumber> = given.values().flatten().chain(stays).copied().collect();
    let mut policies = Table::default();
    let taken = |&old: &ProposedNumber| (old, policies.push(tightened.policies[old].clone()));
    let number: BTreeMap<ProposedNumber, ProposedNumber> = used.iter().map(taken).collect();
    Scheme {
        policies,
        given: given
            .iter()
            .map(|(key, list)| (*key, list.iter().filter_map(|p| number.get(p).copied()).collect()))
            .collect(),
    }
}
