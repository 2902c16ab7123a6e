//! Mined roles as policies: stanzas, texts, names, and who gets them.

use super::keep::Kept;
use super::label;
use super::matrix::{Permission, Permissions, User};
use super::model::Role;
use super::names::Names;
use crate::access::{HolderId, Joined, SetId};
use crate::optimize::proof::{Proposed, ProposedNumber, Scheme};
use crate::optimize::roles;
use crate::origin::Origin;
use crate::policy::model::{Constraints, Policy, Stanza};
use crate::policy::syntax::{self, print};
use crate::policy::table::{StanzaIdx, Table};
use crate::policy::template::is_templated;
use crate::vault::{Capability, CapabilitySet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What stays of today.
pub(super) struct Stays<'a> {
    /// Policies, with those who hold them.
    pub(super) fixed: &'a [ProposedNumber],
    /// Who keeps what it has.
    pub(super) untouched: &'a [(SetId, HolderId)],
    /// Policies that are not deleted, whoever holds them.
    pub(super) lingering: &'a [ProposedNumber],
    /// Policies that may be kept as roles.
    pub(super) kept: &'a [Kept],
    /// Names of policies that could not be read.
    pub(super) unread: &'a [Arc<str>],
}

/// Roles as policies, and who gets them.
pub(super) fn build(
    joined: &Joined,
    tightened: &Scheme,
    Stays {
        fixed,
        untouched,
        lingering,
        kept,
        unread,
    }: Stays<'_>,
    users: &[User],
    permissions: &Permissions,
    mined: &roles::Mined,
) -> Option<(Vec<Role>, Scheme)> {
    let mut build = Build {
        joined,
        users,
        taken_over: TakenOver {
            from: tightened,
            policies: Table::default(),
            at: BTreeMap::new(),
        },
        names: Names::new(joined, unread),
        given_to: users.iter().map(|_| Vec::new()).collect(),
        roles: Vec::new(),
    };
    for &p in fixed {
        build.taken_over.number(p);
    }
    for role in &mined.roles {
        let chosen: Vec<&Permission> = role
            .permissions
            .iter()
            .filter_map(|&p| permissions.all.get(p as usize))
            .collect();
        if chosen.is_empty() || role.users.is_empty() {
            continue;
        }
        let number = match role.kept.and_then(|k| kept.get(k)) {
            Some(kept) => build.taken_over.number(kept.policy),
            None => build.role(&chosen, &role.users)?,
        };
        build.give(number, &role.users);
    }
    let given = build.given(fixed, untouched);
    for &p in lingering {
        build.taken_over.number(p);
    }
    let policies = build.taken_over.policies;
    Some((build.roles, Scheme { policies, given }))
}

/// A scheme of roles that is being built.
struct Build<'a> {
    joined: &'a Joined,
    users: &'a [User],
    taken_over: TakenOver<'a>,
    names: Names<'a>,
    /// The policies of each user.
    given_to: Vec<Vec<ProposedNumber>>,
    roles: Vec<Role>,
}

impl Build<'_> {
    /// A new role of these permissions, for these users.
    fn role(&mut self, chosen: &[&Permission], users: &[u32]) -> Option<ProposedNumber> {
        let namespace = chosen.first()?.namespace.clone();
        let name = self.names.of(&namespace, chosen)?;
        let stanzas = stanzas(self.taken_over.from, chosen);
        let policy = policy(self.joined, &name, namespace, &stanzas)?;
        let holders = users.iter().filter_map(|&u| self.users.get(u as usize));
        let holders: BTreeSet<HolderId> = holders.map(|u| u.holder).collect();
        self.roles.push(Role {
            namespace: policy.namespace.clone(),
            name,
            text: policy.source.to_string(),
            stanzas: stanzas
                .iter()
                .map(|s| (s.path.to_string(), s.capability_set()))
                .collect(),
            shared: label::shared(self.joined, &holders),
            holders,
        });
        Some(self.taken_over.policies.push(policy))
    }

    fn give(&mut self, policy: ProposedNumber, users: &[u32]) {
        for &u in users {
            if let Some(list) = self.given_to.get_mut(u as usize) {
                list.push(policy);
            }
        }
    }

    /// Who gets what in the end: its roles, and those of its policies that stay.
    fn given(
        &mut self,
        fixed: &[ProposedNumber],
        untouched: &[(SetId, HolderId)],
    ) -> BTreeMap<(SetId, HolderId), Vec<ProposedNumber>> {
        let tightened = self.taken_over.from;
        let mut given = BTreeMap::new();
        for (user, mut list) in self.users.iter().zip(std::mem::take(&mut self.given_to)) {
            let today = self.joined.policies.listed(&self.joined.sets[user.set].policies);
            for &p in fixed {
                let policy = &tightened.policies[p];
                if today
                    .iter()
                    .any(|t| t.name == policy.name && t.namespace == policy.namespace)
                {
                    list.push(self.taken_over.number(p));
                }
            }
            list.sort_unstable();
            list.dedup();
            given.insert((user.set, user.holder), list);
        }
        // Who keeps what it has needs its policies to stay.
        for key in untouched {
            let given_now = tightened.given.get(key).into_iter().flatten();
            let mut list: Vec<ProposedNumber> = given_now.map(|&p| self.taken_over.number(p)).collect();
            list.sort_unstable();
            given.insert(*key, list);
        }
        given
    }
}

/// The policies of a new scheme, with those that it takes over from another.
struct TakenOver<'a> {
    from: &'a Scheme,
    policies: Table<Proposed>,
    at: BTreeMap<ProposedNumber, ProposedNumber>,
}

impl TakenOver<'_> {
    /// The number here of a policy of the other scheme.
    fn number(&mut self, theirs: ProposedNumber) -> ProposedNumber {
        let taken = || self.policies.push(self.from.policies[theirs].clone());
        *self.at.entry(theirs).or_insert_with(taken)
    }
}

/// A path, and the stanza that its constraints come from.
type StanzaKey<'a> = (&'a str, Option<StanzaIdx<Proposed>>);

/// The stanzas of a set of permissions: one a path.
fn stanzas(tightened: &Scheme, chosen: &[&Permission]) -> Vec<Stanza> {
    let mut by_path: BTreeMap<StanzaKey<'_>, Vec<Capability>> = BTreeMap::new();
    for p in chosen {
        by_path.entry((&p.path, p.source)).or_default().push(p.capability);
    }
    by_path
        .into_iter()
        .map(|((path, source), mut capabilities)| {
            capabilities.sort_unstable();
            let constraints = source.map(|id| tightened.policies[id].constraints.clone());
            let constraints = constraints.unwrap_or_default();
            stanza(path, capabilities, constraints)
        })
        .collect()
}

fn stanza(path: &str, capabilities: Vec<Capability>, constraints: Constraints) -> Stanza {
    Stanza {
        path: Arc::from(path),
        templated: is_templated(path),
        capabilities,
        constraints,
        origin: Origin::new("<proposed>", 1, 1),
        span: 0..0,
        capabilities_span: None,
        comment: Vec::new(),
        comment_span: None,
        keys: Vec::new(),
        in_two_cases: Vec::new(),
    }
}

/// A policy of plain grants.
pub(super) fn plain(
    joined: &Joined,
    name: &str,
    namespace: Arc<str>,
    grants: &BTreeMap<Arc<str>, CapabilitySet>,
) -> Option<Policy> {
    let stanzas = grants
        .iter()
        .map(|(path, granted)| stanza(path, granted.iter().collect(), Constraints::default()));
    policy(joined, name, namespace, &stanzas.collect::<Vec<_>>())
}

fn policy(joined: &Joined, name: &str, namespace: Arc<str>, stanzas: &[Stanza]) -> Option<Policy> {
    let text = print::policy(stanzas);
    let mut policy = syntax::parse(name, &format!("{name}.hcl"), &text, &joined.profile.dialect()).ok()?;
    policy.namespace = namespace;
    Some(policy)
}
