//! What every holder is exposed to, today and after a proposal.

use crate::access::weight::Weighed;
use crate::access::{self, Joined};
use crate::analysis::risk::{self, Exposure};
use crate::optimize::proof::Scheme;
use crate::policy::acl::Acl;
use crate::vault::{CapabilitySet, PrincipalKind};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// What every holder used, by path.
fn used(joined: &Joined) -> Vec<HashMap<&str, CapabilitySet>> {
    let mut used: Vec<HashMap<&str, CapabilitySet>> = joined.holders.iter().map(|_| HashMap::new()).collect();
    for d in joined.demands.iter().filter(|d| d.was_allowed()) {
        if let Some(map) = used.get_mut(d.holder) {
            let on = map.entry(&d.path).or_default();
            *on = on.union(d.needs());
        }
    }
    used
}

/// A set, and the holder where a template makes the list its own.
type ListKey = (access::SetId, Option<access::HolderId>);

/// What every holder is exposed to today.
pub(super) fn today(joined: &Joined, weighed: &Weighed<'_>) -> Vec<Exposure> {
    exposures(joined, weighed, None)
}

/// What every holder is exposed to today, or with other lists in force.
fn exposures(joined: &Joined, weighed: &Weighed<'_>, lists: Option<&HashMap<ListKey, Acl>>) -> Vec<Exposure> {
    let used = used(joined);
    let mut by_set: BTreeMap<ListKey, Vec<usize>> = BTreeMap::new();
    for (h, &set) in joined.current.iter().enumerate() {
        let own = lists.is_some_and(|l| l.contains_key(&(set, Some(h))));
        by_set.entry((set, own.then_some(h))).or_default().push(h);
    }
    let by_set: Vec<(ListKey, Vec<usize>)> = by_set.into_iter().collect();
    let mut all: Vec<(usize, Exposure)> = by_set
        .par_iter()
        .flat_map_iter(|(set_id, holders)| {
            let acl = lists
                .and_then(|l| l.get(set_id))
                .or_else(|| joined.sets.get(set_id.0).map(|s| &s.acl));
            let reach = acl.map(|acl| access::reach(acl, &joined.universe)).unwrap_or_default();
            holders
                .iter()
                .filter_map(|&h| {
                    let root = joined.holders.get(h)?.principal.kind == PrincipalKind::Root;
                    let exposure = risk::exposure(&reach, used.get(h), weighed);
                    Some((h, if root { risk::of_root(exposure) } else { exposure }))
                })
                .collect::<Vec<_>>()
        })
        .collect();
    all.sort_by_key(|(h, _)| *h);
    all.into_iter().map(|(_, e)| e).collect()
}

/// The same under a scheme that keeps holders and sets.
pub(super) fn after(joined: &Joined, weighed: &Weighed<'_>, scheme: &Scheme) -> Vec<Exposure> {
    let groups: Vec<_> = scheme.by_list().into_iter().collect();
    let lists = groups
        .par_iter()
        .filter(|((set, ..), _)| joined.sets.get(*set).is_some_and(|s| s.current))
        .filter_map(|((set, given, own), holders)| {
            let acl = scheme.acl(joined, *set, *holders.first()?, given);
            Some(((*set, *own), acl))
        })
        .collect();
    exposures(joined, weighed, Some(&lists))
}
