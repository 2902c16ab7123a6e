//! What a step saves, and whether it may be taken: told by the lists that everybody whom it concerns has before and after it.

use super::super::model::{Options, Redesign};
use super::super::size::{counts, excess};
use super::super::{build, matrix};
use super::Key;
use super::moves::{self, Grants, Move, Plain, Roles};
use crate::access::{Holder, HolderId, Joined, SetId, reach};
use crate::index::IndexVec;
use crate::optimize::movable::Movable;
use crate::optimize::proof::{self, ProposedNumber, Scheme};
use crate::policy::acl::Acl;
use crate::policy::compare;
use crate::policy::model::Policy;
use crate::vault::{Capability, CapabilitySet, PolicyId};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What is asked of a set of today: a path in a namespace.
type Asked = (SetId, Arc<str>, Arc<str>);

/// Roles as they are on the way, and what stays open to whom.
pub(super) struct Judge<'a> {
    joined: &'a Joined,
    options: &'a Options<'a>,
    used: IndexVec<Holder, HashMap<&'a str, CapabilitySet>>,
    scheme: Scheme,
    /// The policies that are new.
    new: BTreeSet<PolicyId>,
    /// Those of them that may change.
    roles: Roles,
    open: BTreeMap<Key, f64>,
    total: f64,
    most: f64,
    lists: u64,
    may_have: HashMap<Asked, CapabilitySet>,
}

/// A role that comes: what it grants, and as a policy.
struct Put {
    policy: Policy,
    grants: Grants,
}

/// What a step does: roles that go and come, and who gets which of them.
struct Effect {
    gone: Vec<ProposedNumber>,
    put: Vec<Put>,
    /// For each holder: those of the policies that are there, and of those that come.
    lists: BTreeMap<Key, (Vec<ProposedNumber>, Vec<usize>)>,
}

/// A list before and after, and who has it: one, for whom templates are filled, and others.
struct Case<'e> {
    set: SetId,
    before: &'e [ProposedNumber],
    after: Vec<&'e Policy>,
    one: HolderId,
    others: Vec<HolderId>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        joined: &'a Joined,
        found: &Redesign,
        new: &BTreeSet<PolicyId>,
        options: &'a Options<'a>,
        most: f64,
    ) -> Self {
        let scheme = Scheme {
            policies: found.scheme.policies.clone(),
            given: found.scheme.given.clone(),
        };
        let movable = Movable::of(joined);
        let mut holders: BTreeMap<ProposedNumber, BTreeSet<Key>> = BTreeMap::new();
        for (&key, list) in &scheme.given {
            for &policy in list {
                holders.entry(policy).or_default().insert(key);
            }
        }
        let mut roles = Roles::default();
        for (number, policy) in scheme
            .policies
            .numbered()
            .filter(|(_, policy)| new.contains(&policy.id()))
        {
            let holders = holders.remove(&number).unwrap_or_default();
            if let Some(grants) = plain(policy)
                && !holders.is_empty()
                && holders.iter().all(|&key| movable.is(key))
            {
                let namespace = policy.namespace.clone();
                roles.insert(
                    number,
                    Plain {
                        namespace,
                        grants,
                        holders,
                    },
                );
            }
        }
        let mut judge = Self {
            joined,
            options,
            used: joined.used(),
            new: new.clone(),
            open: BTreeMap::new(),
            total: options.open(&found.size),
            most,
            lists: 0,
            may_have: HashMap::new(),
            roles,
            scheme,
        };
        let now = judge.roles.holders().filter_map(|key| {
            let list = judge.scheme.given.get(&key)?;
            Some((key, (list.clone(), Vec::new())))
        });
        let as_it_is = Effect {
            gone: Vec::new(),
            put: Vec::new(),
            lists: now.collect(),
        };
        judge.open = judge.opened(&as_it_is);
        judge
    }

    pub(super) const fn roles(&self) -> &Roles {
        &self.roles
    }

    /// The roles as they are now.
    pub(super) const fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// The names of the roles that are new: those on the way are no names yet.
    pub(super) const fn new_ones(&self) -> &BTreeSet<PolicyId> {
        &self.new
    }

    /// How many lists were worked out.
    pub(super) const fn lists(&self) -> u64 {
        self.lists
    }

    /// Whether the roles that a step is about are still there.
    pub(super) fn is_there(&self, what: &Move) -> bool {
        what.roles().all(|role| self.roles.get(role).is_some())
    }

    /// How much lower the price is after a step; none where it is no step that could be taken.
    pub(super) fn saves(&mut self, what: &Move) -> Option<f64> {
        let effect = self.effect(what)?;
        self.lists += effect.lists.len() as u64;
        let saved = self.structure(&effect);
        if saved <= super::WORTH || !self.is_granted(&effect) {
            return None;
        }
        let more = self.more_open(&self.opened(&effect));
        (self.total + more <= self.most.max(self.total)).then_some(saved - self.options.price.lambda * more)
    }

    /// Takes a step, where everybody has at least what he had, and no more than today; what came of it.
    pub(super) fn take(&mut self, what: &Move) -> Option<Vec<ProposedNumber>> {
        let effect = self.effect(what)?;
        self.lists += effect.lists.len() as u64;
        if !self.is_safe(&effect) {
            return None;
        }
        let opened = self.opened(&effect);
        self.total += self.more_open(&opened);
        self.open.extend(opened);
        for &gone in &effect.gone {
            self.roles.remove(gone);
        }
        let mut made = Vec::new();
        for Put { policy, grants } in effect.put {
            let namespace = policy.namespace.clone();
            self.new.insert(policy.id());
            let number = self.scheme.policies.push(policy);
            let holders = BTreeSet::new();
            self.roles.insert(
                number,
                Plain {
                    namespace,
                    grants,
                    holders,
                },
            );
            made.push(number);
        }
        for (key, (mut list, put)) in effect.lists {
            list.extend(put.iter().filter_map(|&n| made.get(n)));
            list.sort_unstable();
            for &number in &list {
                self.roles.give(number, key);
            }
            self.scheme.given.insert(key, list);
        }
        if let Move::Lean(_, onto) = what {
            made.push(*onto);
        }
        Some(made)
    }

    fn effect(&self, what: &Move) -> Option<Effect> {
        let role = |number: &ProposedNumber| self.roles.get(*number);
        let (gone, grants, also) = match what {
            Move::Merge(a, b) => (vec![*a, *b], vec![moves::merged(role(a)?, role(b)?)], None),
            Move::Lean(a, b) => {
                let rest = moves::rest(role(a)?, role(b)?);
                (
                    vec![*a],
                    Some(rest).filter(|rest| !rest.is_empty()).into_iter().collect(),
                    Some(*b),
                )
            }
            Move::Share(a, b) => {
                let (one, other) = (role(a)?, role(b)?);
                let shared = moves::shared(one, other);
                let without = |role: &Plain| {
                    let kept = role.grants.iter().filter(|(path, _)| !shared.contains_key(*path));
                    kept.map(|(path, granted)| (path.clone(), *granted)).collect::<Grants>()
                };
                let (first, second) = (without(one), without(other));
                (vec![*a, *b], vec![shared, first, second], None)
            }
            Move::Lift(a, folder) => (vec![*a], vec![moves::lifted(role(a)?, folder)], None),
        };
        let namespace = role(gone.first()?)?.namespace.clone();
        let mut lists: BTreeMap<Key, (Vec<ProposedNumber>, Vec<usize>)> = BTreeMap::new();
        for (n, number) in gone.iter().enumerate() {
            let put: Vec<usize> = match what {
                Move::Share(..) => vec![0, n + 1],
                Move::Merge(..) | Move::Lean(..) | Move::Lift(..) => (0..grants.len()).collect(),
            };
            for &key in &role(number)?.holders {
                let kept = || {
                    let mut kept: Vec<ProposedNumber> = self.scheme.given.get(&key).cloned().unwrap_or_default();
                    kept.retain(|policy| !gone.contains(policy));
                    kept.extend(also.filter(|also| !kept.contains(also)));
                    kept.sort_unstable();
                    (kept, Vec::new())
                };
                let (_, own) = lists.entry(key).or_insert_with(kept);
                own.extend(&put);
                own.sort_unstable();
                own.dedup();
            }
        }
        if let Some(most) = self.options.max_roles {
            let is_role = |policy: &&ProposedNumber| self.new.contains(&self.scheme.policies[**policy].id());
            let many =
                |(kept, put): &(Vec<ProposedNumber>, Vec<usize>)| kept.iter().filter(is_role).count() + put.len();
            if lists.values().any(|list| many(list) > most as usize) {
                return None;
            }
        }
        let put = grants.into_iter().enumerate().map(|(n, grants)| {
            // No name yet: what it will be about is known in the end.
            let name = format!("new role {}", self.scheme.policies.len() + n);
            let policy = build::plain(self.joined, &name, namespace.clone(), &grants)?;
            Some(Put { policy, grants })
        });
        Some(Effect {
            put: put.collect::<Option<_>>()?,
            gone,
            lists,
        })
    }

    /// Policies, stanzas and a tenth for each assignment that are saved.
    fn structure(&self, effect: &Effect) -> f64 {
        let size = |policy: &Policy| 1.0 + policy.stanzas.len() as f64;
        let gone: f64 = effect.gone.iter().map(|&p| size(&self.scheme.policies[p])).sum();
        let put: f64 = effect.put.iter().map(|put| size(&put.policy)).sum();
        let assigned = effect
            .lists
            .iter()
            .filter(|(key, _)| counts(self.joined, **key))
            .map(|(key, (kept, put))| {
                let before = self.scheme.given.get(key).map_or(0, Vec::len);
                before as f64 - (kept.len() + put.len()) as f64
            });
        gone - put + assigned.sum::<f64>() / 10.0
    }

    /// Whether everybody has today, in a stanza at least as wide, what it would get.
    fn is_granted(&mut self, effect: &Effect) -> bool {
        let given: BTreeSet<(SetId, ProposedNumber)> = effect
            .lists
            .iter()
            .flat_map(|((set, _), (kept, _))| kept.iter().map(|&policy| (*set, policy)))
            .collect();
        let put: BTreeSet<(SetId, usize)> = effect
            .lists
            .iter()
            .flat_map(|((set, _), (_, put))| put.iter().map(|&n| (*set, n)))
            .collect();
        let mut asked: Vec<(SetId, Arc<str>, Arc<str>, CapabilitySet)> = Vec::new();
        let mut ask = |set: SetId, namespace: &Arc<str>, grants: &Grants| {
            asked.extend(
                grants
                    .iter()
                    .map(|(path, granted)| (set, namespace.clone(), path.clone(), *granted)),
            );
        };
        for (set, policy) in given {
            if let Some(role) = self.roles.get(policy) {
                ask(set, &role.namespace, &role.grants);
            }
        }
        for (set, n) in put {
            if let Some(put) = effect.put.get(n) {
                ask(set, &put.policy.namespace, &put.grants);
            }
        }
        asked.into_iter().all(|(set, namespace, path, granted)| {
            let of = &self.joined.sets[set];
            let key = (set, namespace.clone(), path.clone());
            let has = self.may_have.entry(key).or_insert_with(|| {
                let has = |capability: &Capability| matrix::grants_text(of, &namespace, &path, *capability);
                Capability::ALL.into_iter().filter(has).collect()
            });
            granted.is_subset(*has)
        })
    }

    fn cases<'e>(&'e self, effect: &'e Effect) -> Vec<Case<'e>> {
        let mut cases: BTreeMap<_, Case<'e>> = BTreeMap::new();
        for (&(set, holder), (kept, put)) in &effect.lists {
            let before = self
                .scheme
                .given
                .get(&(set, holder))
                .map(Vec::as_slice)
                .unwrap_or_default();
            let own = (self.scheme.is_templated(before) || self.scheme.is_templated(kept)).then_some(holder);
            let new = || {
                let mut after = self.scheme.policies.listed(kept);
                after.extend(put.iter().filter_map(|&n| effect.put.get(n)).map(|put| &put.policy));
                Case {
                    set,
                    before,
                    after,
                    one: holder,
                    others: Vec::new(),
                }
            };
            cases
                .entry((set, before, kept, put, own))
                .and_modify(|case| case.others.push(holder))
                .or_insert_with(new);
        }
        cases.into_values().collect()
    }

    fn acl(&self, case: &Case<'_>, policies: &[&Policy]) -> Acl {
        let identity = proof::identity(self.joined, case.set, case.one);
        Acl::compile(self.joined.profile, policies, identity, self.joined.now)
    }

    /// What stays open to each whom a step concerns.
    fn opened(&self, effect: &Effect) -> BTreeMap<Key, f64> {
        let each = |case: &Case<'_>| -> Vec<(Key, f64)> {
            let all = case.others.iter().chain([&case.one]).map(|&h| (case.set, h));
            let counted: Vec<Key> = all.filter(|&key| counts(self.joined, key)).collect();
            if counted.is_empty() {
                return Vec::new();
            }
            let reach = reach(&self.acl(case, &case.after), &self.joined.universe);
            let open = |key: Key| {
                let own = excess(&reach, Some(&self.used[key.1]), self.options.weighed);
                (key, self.options.open_of(own))
            };
            counted.into_iter().map(open).collect()
        };
        let all: Vec<Vec<(Key, f64)>> = self.cases(effect).par_iter().map(each).collect();
        all.into_iter().flatten().collect()
    }

    fn more_open(&self, opened: &BTreeMap<Key, f64>) -> f64 {
        opened
            .iter()
            .map(|(key, open)| open - self.open.get(key).copied().unwrap_or(0.0))
            .sum()
    }

    /// Whether nobody gets less than he had, nor more than today; what is not decided is not taken.
    fn is_safe(&self, effect: &Effect) -> bool {
        let holds =
            |old: &Acl, new: &Acl| compare::grants_nothing_new(old, new, compare::Options::default()).is_proven();
        self.cases(effect).par_iter().all(|case| {
            let before = self.acl(case, &self.scheme.policies.listed(case.before));
            let after = self.acl(case, &case.after);
            holds(&self.joined.sets[case.set].acl, &after) && holds(&after, &before)
        })
    }
}

/// The grants of a policy that says nothing else: no condition, no template, no deny, each path once.
fn plain(policy: &Policy) -> Option<Grants> {
    let mut grants = Grants::new();
    for stanza in &policy.stanzas {
        let granted = stanza.capability_set();
        let path: Arc<str> = Arc::from(stanza.bare_path());
        let is_plain = stanza.constraints.is_empty()
            && !stanza.templated
            && !granted.is_empty()
            && !granted.contains(Capability::Deny);
        if !is_plain || grants.insert(path, granted).is_some() {
            return None;
        }
    }
    (!grants.is_empty()).then_some(grants)
}
