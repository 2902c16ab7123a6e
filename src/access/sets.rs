//! Policy sets: what is in force together for one identity or for many, found by name and compiled once each.

use super::by_name::{ByName, PolicyNumber};
use super::holder::{Holder, HolderId};
use super::meant::HeldSet;
use crate::index::{Idx, IndexVec};
use crate::policy::acl::{Acl, RuleId};
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::table::{InList, StanzaIdx, Table, stanza_in};
use crate::policy::template::{Identity, is_templated, literal_start};
use crate::vault::{CapabilitySet, PolicyId};
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};

/// Number of an access set in [`super::Joined::sets`].
pub type SetId = Idx<AccessSet>;

/// Number of a stanza of these.
pub type StanzaId = StanzaIdx<Policy>;

/// Policies in force together, for one identity or for all.
pub struct AccessSet {
    /// Its policies, ascending.
    pub policies: Vec<PolicyNumber>,
    /// Policies of it that were not read.
    pub missing: Vec<PolicyId>,
    /// Whether one of these may exist.
    pub unread: bool,
    /// Whether the list may hold others, for all that the log says.
    pub open: bool,
    /// The compiled list.
    pub acl: Acl,
    /// From what templates were filled.
    pub identity: Identity,
    /// Stanzas whose template could not be filled.
    pub unfilled: Vec<StanzaId>,
    /// Where those of them may lie that the server can fill, for all that is known: the literal text before the template.
    pub unsure: Vec<String>,
    /// Who has it.
    pub holders: BTreeSet<HolderId>,
    /// Whether a holder has it today (and not only earlier in the window).
    pub current: bool,
}

impl AccessSet {
    /// The stanza that something of its list came from.
    #[must_use]
    pub fn stanza(&self, found: &impl InList) -> StanzaId {
        stanza_in(&self.policies, found)
    }

    /// The stanzas that make up a rule of its list.
    pub fn sources(&self, rule: RuleId) -> impl Iterator<Item = (StanzaId, CapabilitySet)> + '_ {
        let sources = self.acl.rule(rule).into_iter().flat_map(|rule| &rule.sources);
        sources.map(|source| (self.stanza(source), source.capabilities))
    }

    /// Whether all its policies are known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.unread && !self.open
    }

    /// Whether a stanza that could not be filled for want of the identity may decide something below `lead`.
    #[must_use]
    pub fn may_meet(&self, lead: &str) -> bool {
        self.unsure
            .iter()
            .any(|unsure| unsure.starts_with(lead) || lead.starts_with(unsure.as_str()))
    }
}

/// Collects the distinct access sets, then compiles each once.
pub(super) struct Sets<'a> {
    policies: &'a Table,
    by_name: &'a ByName<'a>,
    profile: Profile,
    now: Option<i64>,
    numbers: HashMap<SetKey, SetId>,
    found: IndexVec<AccessSet, FoundSet>,
}

/// An access set before it is compiled.
struct FoundSet {
    policies: Vec<PolicyNumber>,
    missing: Vec<PolicyId>,
    open: bool,
    identity: Identity,
    holders: BTreeSet<HolderId>,
    /// Whether the identity of each of them is known.
    known: bool,
    current: bool,
}

/// Policies, those that were not read, whether the list is open; and the holder, where a template makes the set its own.
type SetKey = (Vec<PolicyNumber>, Vec<PolicyId>, bool, Option<HolderId>);

impl<'a> Sets<'a> {
    pub(super) fn new(policies: &'a Table, by_name: &'a ByName<'a>, profile: Profile, now: Option<i64>) -> Self {
        Self {
            policies,
            by_name,
            profile,
            now,
            numbers: HashMap::new(),
            found: IndexVec::new(),
        }
    }

    pub(super) fn number(&mut self, id: HolderId, holder: &Holder, held: &HeldSet, current: bool) -> SetId {
        let (policies, missing) = resolve(self.by_name, &held.policies);
        let templated = policies
            .iter()
            .map(|&p| &self.policies[p])
            .any(|p| p.stanzas.iter().any(|s| s.templated));
        let key = (policies, missing, held.open, templated.then_some(id));
        let found = &mut self.found;
        let n = *self
            .numbers
            .entry(key)
            .or_insert_with_key(|(policies, missing, open, own)| {
                let identity = own.map(|_| holder.identity.clone()).unwrap_or_default();
                found.push(FoundSet {
                    policies: policies.clone(),
                    missing: missing.clone(),
                    open: *open,
                    identity,
                    holders: BTreeSet::new(),
                    known: true,
                    current: false,
                })
            });
        let set = &mut found[n];
        set.holders.insert(id);
        set.known &= holder.identity_known;
        set.current |= current;
        n
    }

    pub(super) fn compile(self) -> IndexVec<AccessSet> {
        let (all, by_name, profile, now) = (self.policies, self.by_name, self.profile, self.now);
        let compiled: Vec<AccessSet> = Vec::from(self.found)
            .into_par_iter()
            .map(|found| {
                let FoundSet {
                    policies,
                    missing,
                    open,
                    identity,
                    holders,
                    known,
                    current,
                } = found;
                let acl = Acl::compile(profile, &all.listed(&policies), &identity, now);
                let unfilled: Vec<StanzaId> = acl
                    .skips()
                    .iter()
                    .map(|skip| stanza_in(&policies, skip))
                    .filter(|&id| is_templated(&all[id].path))
                    .collect();
                let unsure = if known {
                    Vec::new()
                } else {
                    unfilled.iter().map(|&id| before_template(all, id)).collect()
                };
                AccessSet {
                    policies,
                    unread: missing.iter().any(|policy| !by_name.is_nowhere(policy)),
                    missing,
                    open,
                    acl,
                    identity,
                    unfilled,
                    unsure,
                    holders,
                    current,
                }
            })
            .collect();
        compiled.into()
    }
}

/// The literal text before a stanza's template, namespace in front.
fn before_template(policies: &Table, id: StanzaId) -> String {
    let policy = &policies[id.policy()];
    format!("{}{}", policy.namespace, literal_start(&policies[id].path))
}

/// The numbers of these policies, and those that were not read.
pub(super) fn resolve(by_name: &ByName<'_>, policies: &[PolicyId]) -> (Vec<PolicyNumber>, Vec<PolicyId>) {
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for policy in policies {
        match by_name.of(policy) {
            Some(n) => found.push(n),
            // `root` needs no text: it stands alone and allows everything.
            None if policy.is_root() => {}
            None => missing.push(policy.clone()),
        }
    }
    found.sort_unstable();
    found.dedup();
    missing.sort();
    missing.dedup();
    (found, missing)
}
