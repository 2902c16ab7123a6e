//! The proof of a proposal: every allowed demand decided again with the whole proposed set in force, and every combination of
//! policies that occurs compared completely with today's. A proposal that fails here is repaired or withdrawn, never shipped.

use super::parameters;
use crate::access::{AccessSet, DemandId, HolderId, Joined, JoinedDemand, Outcome, PolicyNumber, SetId};
use crate::index::Idx;
use crate::policy::acl::{Acl, Check};
use crate::policy::compare::{self, Verdict};
use crate::policy::model::Policy;
use crate::policy::table::Table;
use crate::policy::template::Identity;
use crate::vault::PolicyId;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What the policies of a scheme are numbered by.
pub enum Proposed {}

/// The number of a policy in a scheme.
pub type ProposedNumber = Idx<Proposed>;

/// For every access set and holder of it: the policies, ascending.
pub type Given = BTreeMap<(SetId, HolderId), Vec<ProposedNumber>>;

/// A set of policies and who would get which.
pub struct Scheme {
    /// The policies.
    pub policies: Table<Proposed>,
    /// Who gets which.
    pub given: Given,
}

/// What makes a list: a set, its policies, and the holder where a template makes the list its own.
pub type ListKey<'a> = (SetId, &'a [ProposedNumber], Option<HolderId>);

impl Scheme {
    /// Today's policies and holders.
    #[must_use]
    pub fn today(joined: &Joined) -> Self {
        let mut policies = Table::default();
        let number = joined.policies.map(|policy| policies.push(policy.clone()));
        let listed = |set: &AccessSet| set.policies.iter().map(|&p| number[p]).collect::<Vec<ProposedNumber>>();
        let sets = joined.sets.numbered();
        let given = sets.flat_map(|(n, set)| set.holders.iter().map(move |&h| ((n, h), listed(set))));
        let given = given.collect();
        Self { policies, given }
    }

    /// Whether any of these policies holds a template.
    #[must_use]
    pub fn is_templated(&self, given: &[ProposedNumber]) -> bool {
        let mut stanzas = given.iter().flat_map(|&policy| &self.policies[policy].stanzas);
        stanzas.any(|stanza| stanza.templated)
    }

    /// The policies of these names.
    #[must_use]
    pub fn called(&self, names: &BTreeSet<PolicyId>) -> Vec<ProposedNumber> {
        let named = self
            .policies
            .numbered()
            .filter(|(_, policy)| names.contains(&policy.id()));
        named.map(|(number, _)| number).collect()
    }

    /// The list that these policies make for a holder in an access set.
    #[must_use]
    pub fn acl(&self, joined: &Joined, set: SetId, holder: HolderId, given: &[ProposedNumber]) -> Acl {
        Acl::compile(
            joined.profile,
            &self.policies.listed(given),
            identity(joined, set, holder),
            joined.now,
        )
    }

    /// Who has the same list: by set and policies, and one by one where a template makes the list its holder's own.
    #[must_use]
    pub fn by_list(&self) -> BTreeMap<ListKey<'_>, Vec<HolderId>> {
        let mut groups: BTreeMap<ListKey<'_>, Vec<HolderId>> = BTreeMap::new();
        for (&(set, holder), given) in &self.given {
            let own = self.is_templated(given).then_some(holder);
            groups.entry((set, given, own)).or_default().push(holder);
        }
        groups
    }
}

/// From what templates are filled for a holder. A set without templates today is shared, and knows of no identity.
pub(super) fn identity(joined: &Joined, set: SetId, holder: HolderId) -> &Identity {
    let of_set = &joined.sets[set].identity;
    if of_set.entity.is_some() || !of_set.groups.is_empty() {
        of_set
    } else {
        &joined.holders[holder].identity
    }
}

/// What was proven.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// Demands decided again.
    pub demands_replayed: u64,
    /// Allowed requests behind them.
    pub requests_replayed: u64,
    /// Allowed demands that the scheme would deny.
    pub newly_denied: u64,
    /// Combinations in which the scheme would grant something new, or might.
    pub newly_granted: u64,
    /// Principals replayed.
    pub principals: u64,
    /// Combinations of policies compared.
    pub combinations: u64,
    /// Of these, proven over all requests.
    pub combinations_proven: u64,
    /// Demands that today's policies do not explain.
    pub not_explained: u64,
}

/// What is wrong with a scheme.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// An allowed demand would be denied, or decided under other constraints.
    Denied {
        /// The demand.
        demand: DemandId,
    },
    /// Something new would be granted; the path of the witness.
    Granted {
        /// In this access set.
        set: SetId,
        /// To these holders.
        holders: Vec<HolderId>,
        /// By this request's path.
        path: String,
        /// And operation.
        operation: crate::vault::Operation,
    },
    /// The comparison could not be finished.
    Undecided {
        /// In this access set.
        set: SetId,
        /// For these holders.
        holders: Vec<HolderId>,
        /// Why.
        reason: String,
    },
}

impl Failure {
    /// Whom it is about, with their sets.
    #[must_use]
    pub fn concerned(&self, joined: &Joined) -> Vec<(SetId, HolderId)> {
        match self {
            Self::Denied { demand } => vec![(joined.demands[*demand].set, joined.demands[*demand].holder)],
            Self::Granted { set, holders, .. } | Self::Undecided { set, holders, .. } => {
                holders.iter().map(|&h| (*set, h)).collect()
            }
        }
    }
}

/// One comparison: the set, the policies given, who.
struct Case<'a> {
    set: SetId,
    given: &'a [ProposedNumber],
    holders: Vec<HolderId>,
    demands: Vec<DemandId>,
}

/// Proves `scheme` against what is joined, or says what fails.
#[must_use]
pub fn prove(joined: &Joined, scheme: &Scheme) -> (Proof, Vec<Failure>) {
    prove_some(joined, scheme, joined.demands.ids())
}

/// The same with these demands alone: for a scheme that gives policies in some sets only.
#[must_use]
pub fn prove_some(joined: &Joined, scheme: &Scheme, demands: impl Iterator<Item = DemandId>) -> (Proof, Vec<Failure>) {
    let cases = cases(joined, scheme, demands);
    let results: Vec<(Proof, Vec<Failure>)> = cases.par_iter().map(|case| examine(joined, scheme, case)).collect();
    let mut proof = Proof::default();
    let mut failures = Vec::new();
    for (part, mut failed) in results {
        proof.demands_replayed += part.demands_replayed;
        proof.requests_replayed += part.requests_replayed;
        proof.newly_denied += part.newly_denied;
        proof.newly_granted += part.newly_granted;
        proof.combinations += part.combinations;
        proof.combinations_proven += part.combinations_proven;
        proof.not_explained += part.not_explained;
        failures.append(&mut failed);
    }
    let known = |h: &HolderId| joined.holders[*h].is_known();
    let principals: BTreeSet<HolderId> = scheme.given.keys().map(|(_, h)| *h).filter(known).collect();
    proof.principals = principals.len() as u64;
    (proof, failures)
}

fn cases<'a>(joined: &Joined, scheme: &'a Scheme, demands: impl Iterator<Item = DemandId>) -> Vec<Case<'a>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    let mut case_of: HashMap<(SetId, HolderId), usize> = HashMap::new();
    for ((set, given, _), holders) in scheme.by_list() {
        for &holder in &holders {
            case_of.insert((set, holder), cases.len());
        }
        cases.push(Case {
            set,
            given,
            holders,
            demands: Vec::new(),
        });
    }
    for n in demands {
        let demand = &joined.demands[n];
        let case = case_of
            .get(&(demand.set, demand.holder))
            .and_then(|&c| cases.get_mut(c));
        if let Some(case) = case {
            case.demands.push(n);
        }
    }
    cases
}

fn examine(joined: &Joined, scheme: &Scheme, case: &Case<'_>) -> (Proof, Vec<Failure>) {
    let mut proof = Proof {
        combinations: 1,
        ..Proof::default()
    };
    let mut failures = Vec::new();
    let set = &joined.sets[case.set];
    let chosen = scheme.policies.listed(case.given);
    let Some(&holder) = case.holders.first() else {
        let reason = "a list that nobody holds".to_owned();
        let set = case.set;
        return (
            proof,
            vec![Failure::Undecided {
                set,
                holders: Vec::new(),
                reason,
            }],
        );
    };
    let acl = scheme.acl(joined, case.set, holder, case.given);
    for &n in &case.demands {
        let demand = &joined.demands[n];
        match demand.outcome {
            Outcome::Explained(rule) => {
                proof.demands_replayed += 1;
                proof.requests_replayed += demand.demand.allowed;
                let check = acl.check(demand.operation(), &demand.path);
                let same_constraints = || {
                    let old = set.acl.rule(rule).map(|r| r.constraints());
                    let new = check.rule.and_then(|r| acl.rule(r)).map(|r| r.constraints());
                    old.zip(new)
                        .is_some_and(|(old, new)| parameters::hold(old, new, demand))
                };
                if !(still_allowed(demand, check) && same_constraints()) {
                    proof.newly_denied += 1;
                    failures.push(Failure::Denied { demand: n });
                }
            }
            Outcome::NotExplained => proof.not_explained += 1,
            Outcome::NeedsNone | Outcome::Denied | Outcome::DeniedButAllowed => {}
        }
    }
    if unchanged(joined, &set.policies, &chosen) {
        proof.combinations_proven += 1;
        return (proof, failures);
    }
    match compare::grants_nothing_new(&set.acl, &acl, compare::Options::default()) {
        Verdict::Proven => proof.combinations_proven += 1,
        Verdict::Witness(difference) => {
            proof.newly_granted += 1;
            failures.push(Failure::Granted {
                set: case.set,
                holders: case.holders.clone(),
                path: difference.asked.path.clone(),
                operation: difference.asked.operation,
            });
        }
        Verdict::Undecided(reason) => {
            proof.newly_granted += 1;
            failures.push(Failure::Undecided {
                set: case.set,
                holders: case.holders.clone(),
                reason: reason.to_string(),
            });
        }
    }
    (proof, failures)
}

/// Whether a proof speaks of all that was allowed: each such demand is explained and was decided again, or is counted as not
/// explained, or needs no stanza, and its maker and set are part of the scheme. What it leaves out it proves nothing about.
#[must_use]
pub fn is_whole(joined: &Joined, scheme: &Scheme, proof: &Proof) -> bool {
    let (mut explained, mut not_explained) = (0, 0);
    for d in &joined.demands {
        match d.outcome {
            Outcome::Explained(_) => explained += 1,
            Outcome::NotExplained => not_explained += 1,
            Outcome::NeedsNone => {}
            Outcome::Denied | Outcome::DeniedButAllowed if d.was_allowed() => return false,
            Outcome::Denied | Outcome::DeniedButAllowed => continue,
        }
        if !scheme.given.contains_key(&(d.set, d.holder)) {
            return false;
        }
    }
    (explained, not_explained) == (proof.demands_replayed, proof.not_explained)
}

/// Whether the policies given are today's, word for word.
fn unchanged(joined: &Joined, today: &[PolicyNumber], chosen: &[&Policy]) -> bool {
    today.len() == chosen.len()
        && today.iter().zip(chosen).all(|(&p, new)| {
            let old = &joined.policies[p];
            old.source == new.source && old.name == new.name && old.namespace == new.namespace
        })
}

/// Whether the check allows what the demand needs, `sudo` included.
#[must_use]
pub fn still_allowed(demand: &JoinedDemand, check: Check) -> bool {
    check.allowed && (!demand.needs_sudo || check.sudo)
}
