//! Who may get other policies than today, and who keeps what it has: of whom not all is known that decides for it, or of whom others need
//! its policies as they are.

use crate::access::universe::lead;
use crate::access::{AccessSet, Holder, HolderId, Joined, JoinedDemand, Login, PolicyNumber, SetId};
use crate::index::IndexVec;
use crate::policy::model::Policy;
use std::collections::BTreeSet;

/// Who may be moved, as far as it is the same for all sets of policies.
pub(super) struct Movable<'a> {
    joined: &'a Joined,
    makes_tokens: BTreeSet<HolderId>,
    by_hand: BTreeSet<HolderId>,
    open_ways: BTreeSet<(SetId, HolderId)>,
    anybodys: IndexVec<Policy, bool>,
    /// What everybody did, where something is unsure; else it is not asked for.
    used: IndexVec<Holder, Vec<&'a JoinedDemand>>,
}

impl<'a> Movable<'a> {
    pub(super) fn of(joined: &'a Joined) -> Self {
        let mut used: IndexVec<Holder, Vec<&JoinedDemand>> = joined.holders.map(|_| Vec::new());
        if joined.sets.iter().any(|set| !set.unsure.is_empty()) {
            for d in &joined.demands {
                used[d.holder].push(d);
            }
        }
        Self {
            joined,
            makes_tokens: token_makers(joined),
            by_hand: by_hand(joined),
            open_ways: open_ways(joined),
            anybodys: anybodys(joined),
            used,
        }
    }

    /// Whether a holder may get other policies in the place of this set.
    pub(super) fn is(&self, (set_id, holder): (SetId, HolderId)) -> bool {
        let set = &self.joined.sets[set_id];
        let keeps = self.makes_tokens.contains(&holder)
            || self.by_hand.contains(&holder)
            || self.open_ways.contains(&(set_id, holder))
            || self.joined.stays.doubles.some.contains(&holder)
            || set.policies.iter().any(|&policy| self.anybodys[policy]);
        let is_open = !set.is_known() || self.joined.stays.holds(holder);
        !(keeps || is_open || set.acl.is_root() || is_unsure(set, &self.used[holder]))
    }
}

/// Who makes tokens for others. What these get has to be a part of what their maker has, by name: servers refuse them else.
fn token_makers(joined: &Joined) -> BTreeSet<HolderId> {
    let makes = |d: &&JoinedDemand| {
        let path = d.demand.path.strip_prefix("auth/token/create");
        d.was_allowed() && path.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '-']))
    };
    joined.demands.iter().filter(makes).map(|d| d.holder).collect()
}

/// Ways in by which somebody whom nobody has seen yet may come tomorrow, with the same policies. What such a one needs is what
/// the auth role gives today; a user or an `AppRole` role is one principal, and nobody else comes by it.
fn open_ways(joined: &Joined) -> BTreeSet<(SetId, HolderId)> {
    let one_principal = |kind: &str| matches!(kind, "entity" | "group" | "approle" | "userpass" | "token");
    let is_open = |way: &&Login| {
        let assigned = &joined.holders[way.holder].assigned;
        let mut places = way.places.iter().filter_map(|&place| assigned.get(place));
        places.any(|place| !one_principal(&place.kind))
    };
    let open = joined.logins.iter().filter(is_open);
    open.map(|way| (way.set, way.holder)).collect()
}

/// Who has tokens that no login gave: whoever made them chose their policies by name, and does so again. Without a deployment
/// nothing tells where anybody's come from, and each is told what it gets; but an entity that logs in by several roles or users has a list
/// at each, and nothing says which of them gives what.
fn by_hand(joined: &Joined) -> BTreeSet<HolderId> {
    if joined.handed_out.is_none() {
        return joined.stays.by_several_logins.clone();
    }
    let log_in: BTreeSet<HolderId> = joined.logins.iter().map(|login| login.holder).collect();
    joined.holders.ids().filter(|holder| !log_in.contains(holder)).collect()
}

/// The policies of tokens of which the log does not say whose they are. What was done with them may have been done by anybody who holds
/// one of these; `default`, which all tokens have, tells of nobody.
fn anybodys(joined: &Joined) -> IndexVec<Policy, bool> {
    let mut anybodys = joined.policies.map(|_| false);
    let acted = joined.demands.iter().filter(|d| d.was_allowed());
    let unnamed: BTreeSet<SetId> = acted
        .filter(|d| !d.demand.principal.is_named() || joined.stays.doubles.anybodys.contains(&d.holder))
        .map(|d| d.set)
        .collect();
    let held: BTreeSet<PolicyNumber> = unnamed
        .into_iter()
        .flat_map(|set| joined.sets[set].policies.iter().copied())
        .collect();
    for policy in held
        .into_iter()
        .filter(|&policy| !joined.policies[policy].id().is_default())
    {
        anybodys[policy] = true;
    }
    anybodys
}

/// Whether a stanza that could not be filled, for want of the identity, may decide what another stanza of the set decides, or
/// what the holder used.
fn is_unsure(set: &AccessSet, used: &[&JoinedDemand]) -> bool {
    !set.unsure.is_empty()
        && (set.acl.rules().iter().any(|r| set.may_meet(lead(&r.pattern)))
            || used.iter().any(|d| d.was_allowed() && set.may_meet(&d.path)))
}
