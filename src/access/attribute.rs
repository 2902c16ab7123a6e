//! What decided each demand: the stanza that allowed it, and how much each capability of a stanza is used.

use super::demand::{JoinedDemand, Outcome, StanzaUse};
use super::holder::{Holder, HolderId};
use super::sets::{AccessSet, SetId, StanzaId};
use super::today::Today;
use crate::index::IndexVec;
use crate::usage::demand::Demand;
use crate::vault::{Capability, CapabilitySet, Operation, PrincipalKind, protected};
use std::collections::{BTreeMap, BTreeSet};

/// Whether no policy says what its maker may do.
pub(super) fn is_unbound(demand: &Demand) -> bool {
    matches!(
        demand.principal.kind,
        PrincipalKind::Unauthenticated | PrincipalKind::Root
    )
}

/// Whether servers ask for no stanza there, or not all versions of them do.
pub(super) fn is_open(demand: &Demand) -> bool {
    demand.path.starts_with("sys/internal/ui/mounts") || protected::unauthenticated(&demand.mount_type, &demand.path)
}

/// The sets that a list may mean: one at least, the likeliest first.
pub(super) struct Readings {
    pub(super) first: SetId,
    pub(super) others: Vec<SetId>,
}

impl Readings {
    /// Each of them.
    pub(super) fn all(&self) -> impl Iterator<Item = SetId> + '_ {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }
}

/// Decides a demand by the first reading of its list that explains it; by the likeliest one where none does.
pub(super) fn decide(
    demand: Demand,
    holder: HolderId,
    readings: &Readings,
    sets: &IndexVec<AccessSet>,
) -> JoinedDemand {
    let path = format!("{}{}", demand.namespace, demand.path);
    let needs_sudo = protected::needs_sudo(&demand.mount_type, &demand.path);
    let may_need_sudo = protected::may_need_sudo(&demand.mount_type, &demand.path);
    let operation = Operation::of(demand.capability).filter(|_| !is_unbound(&demand));
    // A stanza that explains it all the same is held to have been asked.
    let is_open = is_open(&demand);
    let outcome = |set: &AccessSet| {
        let Some(operation) = operation else {
            return Outcome::NeedsNone;
        };
        let check = set.acl.check(operation, &path);
        let allowed = check.allowed && (!needs_sudo || check.sudo);
        match (demand.allowed > 0, allowed, check.rule) {
            (true, true, Some(rule)) => Outcome::Explained(rule),
            (true, true, None) => Outcome::NeedsNone,
            (_, false, _) | (false, ..) if is_open => Outcome::NeedsNone,
            (true, false, _) => Outcome::NotExplained,
            (false, true, _) => Outcome::DeniedButAllowed,
            (false, false, _) => Outcome::Denied,
        }
    };
    let explained = |found: &(SetId, Outcome)| matches!(found.1, Outcome::Explained(_) | Outcome::NeedsNone);
    let first = (readings.first, outcome(&sets[readings.first]));
    let (set, outcome) = match first {
        (_, Outcome::NotExplained) => {
            let mut others = readings.others.iter().map(|&set| (set, outcome(&sets[set])));
            others.find(explained).unwrap_or(first)
        }
        first => first,
    };
    // Where it may be needed, what gives it is held to give it on.
    let gives_sudo = match (&outcome, operation.filter(|_| may_need_sudo)) {
        (Outcome::Explained(_), Some(operation)) => sets[set].acl.check(operation, &path).sudo,
        _ => false,
    };
    let needs_sudo = needs_sudo || gives_sudo;
    JoinedDemand {
        demand,
        path,
        holder,
        set,
        outcome,
        needs_sudo,
    }
}

/// Adds, for principals that act with several policy sets (a child token, a second login), each demand again under every other
/// of their sets that allows it. Usage keeps the set seen last for a demand; what was done with one token may have been done
/// with another before, so it has to stay possible with each. Such a demand counts no request.
pub(super) fn under_other_sets(
    mut demands: Vec<JoinedDemand>,
    holders: &IndexVec<Holder, Today>,
    sets_of: &IndexVec<Holder, BTreeSet<SetId>>,
    sets: &IndexVec<AccessSet>,
) -> Vec<JoinedDemand> {
    let mut more = Vec::new();
    for d in &demands {
        let several = &sets_of[d.holder];
        // What the set seen last does not explain (a policy of it was not read) another may: it was allowed all the same.
        if several.len() < 2 || !matches!(d.outcome, Outcome::Explained(_) | Outcome::NotExplained) {
            continue;
        }
        if holders[d.holder].principal.kind == PrincipalKind::Root {
            continue;
        }
        for &set in several.iter().filter(|&&s| s != d.set) {
            let check = sets[set].acl.check(d.operation(), &d.path);
            let needs_sudo = protected::needs_sudo(&d.demand.mount_type, &d.demand.path);
            if let (true, Some(rule)) = (check.allowed && (!needs_sudo || check.sudo), check.rule) {
                more.push(JoinedDemand {
                    demand: Demand {
                        allowed: 0,
                        denied: 0,
                        failed: 0,
                        ..d.demand.clone()
                    },
                    path: d.path.clone(),
                    holder: d.holder,
                    set,
                    outcome: Outcome::Explained(rule),
                    needs_sudo: needs_sudo || (check.sudo && may_need_sudo(d)),
                });
            }
        }
    }
    demands.append(&mut more);
    demands
}

fn may_need_sudo(d: &JoinedDemand) -> bool {
    protected::may_need_sudo(&d.demand.mount_type, &d.demand.path)
}

/// The stanzas that allowed a demand, each with all that it gives there; none where no stanza explains it.
pub(super) fn allowed_by<'a>(
    demand: &JoinedDemand,
    sets: &'a IndexVec<AccessSet>,
) -> impl Iterator<Item = (StanzaId, CapabilitySet)> + 'a {
    let rule = match demand.outcome {
        Outcome::Explained(rule) => Some(rule),
        _ => None,
    };
    let set = rule.map(|rule| (rule, &sets[demand.set]));
    set.into_iter().flat_map(|(rule, set)| set.sources(rule))
}

pub(super) fn uses(
    demands: &[JoinedDemand],
    sets: &IndexVec<AccessSet>,
) -> BTreeMap<StanzaId, BTreeMap<Capability, StanzaUse>> {
    let mut uses: BTreeMap<StanzaId, BTreeMap<Capability, StanzaUse>> = BTreeMap::new();
    for d in demands {
        for (stanza, given) in allowed_by(d, sets) {
            for capability in d.needs().intersection(given).iter() {
                let used = uses.entry(stanza).or_default().entry(capability).or_default();
                used.requests += d.demand.allowed;
                used.holders.insert(d.holder);
                used.last = used.last.max(d.demand.last_seen);
            }
        }
    }
    uses
}
