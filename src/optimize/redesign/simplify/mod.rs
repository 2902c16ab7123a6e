//! Roles put together, made shorter, and handed out anew: a heuristic search that begins with a redesign that was proven.
//!
//! Roles are mined from what each holder used, and parts are made policy by policy. What one holder listed and another did not then becomes two
//! roles that differ in that, and who has two roles has a third of their sum. Here two roles become one, paths become their folder, and
//! a role gives up what another has that its holders may get. Each step lowers the price (policies, stanzas, assignments, and
//! what stays open at its price), and after each everybody has at least what he had before, so that no wrong denial more is expected, and
//! nobody more than today: both are compared completely. How far from the least price this ends is not known.

mod judge;
mod moves;
#[cfg(test)]
mod tests;

use super::model::{Made, Options, Redesign, Role};
use super::names::Names;
use super::size::measure;
use super::{kept, label, matrix};
use crate::access::{HolderId, Joined, SetId};
use crate::optimize::proof::{self, ProposedNumber, Scheme};
use crate::policy::model::Policy;
use crate::policy::syntax;
use crate::policy::table::Table;
use crate::vault::PolicyId;
use judge::Judge;
use moves::Move;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// A holder with one of its sets.
type Key = (SetId, HolderId);

/// So many lists may be worked out for each policy of the redesign, ...
const LISTS_EACH: u64 = 400;
/// ... and so many in all.
const MOST_LISTS: u64 = 200_000;
/// A step has to lower the price by more than this.
const WORTH: f64 = 0.05;

/// A move that waits: with what it saves at the most, or what it was last found to save.
struct Waiting {
    saves: f64,
    /// When it was worked out; none as long as it is a bound.
    at: Option<u64>,
    what: Move,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.saves
            .total_cmp(&other.saves)
            .then_with(|| other.what.cmp(&self.what))
    }
}

/// The redesign, simpler where that is found; nothing of it leaves more open than `most_open`. The search ends when `is_late` says so.
pub(super) fn simplify(
    joined: &Joined,
    found: Redesign,
    options: &Options<'_>,
    (most_open, is_late): (f64, &dyn Fn() -> bool),
) -> Redesign {
    let new: BTreeSet<PolicyId> = found
        .roles
        .iter()
        .map(|role| PolicyId::new(role.namespace.clone(), role.name.as_str()))
        .collect();
    let mut judge = Judge::new(joined, &found, &new, options, most_open);
    let work = (LISTS_EACH * found.scheme.policies.len() as u64).min(MOST_LISTS);
    if !search(&mut judge, work, is_late) {
        return found;
    }
    let Some((scheme, roles)) = named(joined, judge.scheme(), judge.new_ones(), options) else {
        return found;
    };
    let (proof, failures) = proof::prove(joined, &scheme);
    let size = measure(joined, &scheme, options.weighed);
    // Each step was compared; that the whole holds, and costs less, is asked once more of all that was used.
    if !failures.is_empty() || options.cost(&size) >= options.cost(&found.size) {
        return found;
    }
    Redesign {
        roles: label::held(joined, &scheme, roles),
        kept: super::named(&scheme, options),
        made: Made::Simplified,
        cost: options.cost(&size),
        lower_bound: 0.0,
        optimal: false,
        scheme,
        proof,
        size,
        ..found
    }
}

/// Takes the best move as long as one is worth it; whether any was.
fn search(judge: &mut Judge<'_>, work: u64, is_late: &dyn Fn() -> bool) -> bool {
    let mut waiting: BinaryHeap<Waiting> = BinaryHeap::new();
    let wait = |waiting: &mut BinaryHeap<Waiting>, moves: Vec<(Move, f64)>| {
        waiting.extend(
            moves
                .into_iter()
                .filter(|(_, saves)| *saves > WORTH)
                .map(|(what, saves)| Waiting { saves, at: None, what }),
        );
    };
    wait(&mut waiting, moves::all(judge.roles()));
    let mut taken = 0_u64;
    while let Some(next) = waiting.pop() {
        if judge.lists() > work || is_late() {
            break;
        }
        if !judge.is_there(&next.what) {
            continue;
        }
        if next.at == Some(taken) {
            let Some(made) = judge.take(&next.what) else { continue };
            taken += 1;
            wait(&mut waiting, moves::with(judge.roles(), &made));
        } else if let Some(saves) = judge.saves(&next.what).filter(|saves| *saves > WORTH) {
            waiting.push(Waiting {
                saves,
                at: Some(taken),
                what: next.what,
            });
        }
    }
    taken > 0
}

/// The policies that somebody has or that are of today, the new ones with names that say what they are about.
fn named(
    joined: &Joined,
    scheme: &Scheme,
    new: &BTreeSet<PolicyId>,
    options: &Options<'_>,
) -> Option<(Scheme, Vec<Role>)> {
    let is_new = |policy: &Policy| new.contains(&policy.id());
    let stays = scheme.policies.numbered().filter(|(_, policy)| !is_new(policy));
    let scheme = kept::handed_out(scheme, &scheme.given, &stays.map(|(number, _)| number).collect());
    let mut names = Names::new(joined, options.unread);
    let mut policies = Table::default();
    let mut roles = Vec::new();
    let mut number: BTreeMap<ProposedNumber, ProposedNumber> = BTreeMap::new();
    for (old, policy) in scheme.policies.numbered() {
        let policy = match is_new(policy) {
            true => {
                let named = renamed(joined, policy, &scheme, old, &mut names)?;
                roles.push(Role::of(&named));
                named
            }
            false => policy.clone(),
        };
        number.insert(old, policies.push(policy));
    }
    let listed = |list: &Vec<ProposedNumber>| {
        let mut list: Vec<ProposedNumber> = list.iter().filter_map(|p| number.get(p).copied()).collect();
        list.sort_unstable();
        list
    };
    let given = scheme.given.iter().map(|(key, list)| (*key, listed(list))).collect();
    Some((Scheme { policies, given }, roles))
}

fn renamed(
    joined: &Joined,
    policy: &Policy,
    scheme: &Scheme,
    number: ProposedNumber,
    names: &mut Names<'_>,
) -> Option<Policy> {
    let granted = scheme.policies.stanzas_of(number).flat_map(|id| {
        let capabilities = scheme.policies[id].capability_set();
        let permission = move |capability| matrix::permission(scheme, id, capability);
        capabilities.iter().map(permission).collect::<Vec<_>>()
    });
    let granted: Vec<matrix::Permission> = granted.collect();
    let name = names.of(&policy.namespace, &granted.iter().collect::<Vec<_>>())?;
    let dialect = joined.profile.dialect();
    let mut named = syntax::parse(&name, &format!("{name}.hcl"), &policy.source, &dialect).ok()?;
    named.namespace = policy.namespace.clone();
    Some(named)
}
