//! What a token would hold if auth roles, entities and groups handed out what they did at another time.
//!
//! Identity is asked at each request, so what an entity or a group hands out changes for every token at once. What an auth role
//! gave stays on the token: one that has all that its role hands out now would have come by it with what the role handed out then.

use super::applied::{Lists, PlaceKey};
use crate::access::{Holder, HolderId, Joined, SetId};
use crate::usage::Facts;
use crate::usage::demand::{Demand, PolicySet};
use crate::usage::held::{Held, Placed, Space};
use crate::vault::PolicyId;
use std::collections::BTreeSet;
use std::sync::Arc;

/// From what is handed out at one time to what is at another.
pub(super) struct Shift<'a> {
    /// The one.
    pub(super) from: &'a Lists,
    /// The other.
    pub(super) to: &'a Lists,
    /// Only what auth roles gave tokens: as if their holders had logged in anew.
    pub(super) logins_only: bool,
}

impl Shift<'_> {
    /// Whether anything is handed out otherwise.
    pub(super) fn is_none(&self) -> bool {
        self.from == self.to
    }

    /// What somebody would hold instead.
    pub(super) fn ids(&self, holder: &Holder, held: &BTreeSet<PolicyId>) -> BTreeSet<PolicyId> {
        let (mut goes, mut comes) = (BTreeSet::new(), BTreeSet::new());
        let keys = keys(holder);
        for (key, (old, new)) in keys
            .iter()
            .filter_map(|key| Some((key, self.from.get(key).zip(self.to.get(key))?)))
        {
            let is_identity = matches!(key.0.as_str(), "entity" | "group");
            if (is_identity && !self.logins_only) || (!is_identity && old.is_subset(held)) {
                goes.extend(old.difference(new));
                comes.extend(new);
            }
        }
        // What another place gives as well stays.
        let unchanged = holder.assigned.iter().filter(|place| {
            !self
                .from
                .contains_key(&(place.kind.clone(), place.namespace.to_string(), place.id.clone()))
        });
        for policy in unchanged.flat_map(|place| &place.policies) {
            goes.remove(policy);
        }
        let stays = held.iter().filter(|policy| !goes.contains(policy));
        stays.chain(comes).cloned().collect()
    }

    /// What was seen, with what tokens would hold instead of what they hold in `now`.
    pub(super) fn facts(&self, now: &Joined, seen: &Facts) -> Facts {
        let demands = now.demands.iter().map(|joined| Demand {
            held: self.held(now, joined.holder, joined.set, &joined.demand.held),
            ..joined.demand.clone()
        });
        let sets = now.sets.numbered();
        let sets = sets.flat_map(|(id, set)| set.holders.iter().map(move |&holder| (id, holder)));
        let nothing = Arc::new(Held::nothing());
        let sets = sets.map(|(id, holder)| PolicySet {
            principal: now.holders[holder].principal.clone(),
            held: self.held(now, holder, id, &nothing),
            mount: Arc::from(""),
            role: Arc::from(""),
            display_name: Arc::clone(&now.holders[holder].principal.id),
            by_login: false,
            last_seen: None,
            first_seen: None,
        });
        Facts {
            demands: demands.collect(),
            sets: sets.collect(),
            ..seen.clone()
        }
    }

    fn held(&self, now: &Joined, holder: HolderId, set: SetId, was: &Arc<Held>) -> Arc<Held> {
        let who = &now.holders[holder];
        let ids = self.ids(who, &ids_of(now, set));
        let placed = ids.into_iter().map(|policy| Placed {
            space: Space::Path(policy.namespace),
            name: policy.name,
        });
        Arc::new(Held {
            own: Arc::from([]),
            placed: placed.collect(),
            space: was.space.clone().or_else(|| Some(Space::Path(who.namespace.clone()))),
            listed: was.listed,
        })
    }
}

/// The policies of a set, those that were not read too.
pub(super) fn ids_of(joined: &Joined, set: SetId) -> BTreeSet<PolicyId> {
    let set = &joined.sets[set];
    let read = set.policies.iter().map(|&policy| joined.policies[policy].id());
    read.chain(set.missing.iter().cloned()).collect()
}

/// The places that hand out policies to somebody; without a deployment itself.
fn keys(holder: &Holder) -> BTreeSet<PlaceKey> {
    let places = holder.assigned.iter();
    let mut keys: BTreeSet<PlaceKey> = places
        .map(|place| (place.kind.clone(), place.namespace.to_string(), place.id.clone()))
        .collect();
    let kind = holder.principal.kind.to_string();
    keys.insert((kind, holder.namespace.to_string(), holder.principal.id.to_string()));
    keys
}
