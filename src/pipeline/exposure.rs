//! What every holder is exposed to, today and after a proposal.

use crate::access::weight::Weighed;
use crate::access::{self, Holder, HolderId, Joined};
use crate::analysis::risk::{self, Exposure};
use crate::index::IndexVec;
use crate::optimize::proof::Scheme;
use crate::policy::acl::Acl;
use crate::vault::PrincipalKind;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// A set, and the holder where a template makes the list its own.
type ListKey = (access::SetId, Option<access::HolderId>);

/// What every holder is exposed to today.
pub(super) fn today(joined: &Joined, weighed: &Weighed<'_>) -> IndexVec<Holder, Exposure> {
    exposures(joined, weighed, None)
}

/// What every holder is exposed to today, or with other lists in force.
fn exposures(
    joined: &Joined,
    weighed: &Weighed<'_>,
    lists: Option<&HashMap<ListKey, Acl>>,
) -> IndexVec<Holder, Exposure> {
    let used = joined.used();
    let mut by_set: BTreeMap<ListKey, Vec<HolderId>> = BTreeMap::new();
    for (h, holder) in joined.holders.numbered() {
        let set = holder.current;
        let own = lists.is_some_and(|l| l.contains_key(&(set, Some(h))));
        by_set.entry((set, own.then_some(h))).or_default().push(h);
    }
    let by_set: Vec<(ListKey, Vec<HolderId>)> = by_set.into_iter().collect();
    let mut all: Vec<(HolderId, Exposure)> = by_set
        .par_iter()
        .flat_map_iter(|(set_id, holders)| {
            let acl = lists.and_then(|l| l.get(set_id)).unwrap_or(&joined.sets[set_id.0].acl);
            let reach = access::reach(acl, &joined.universe);
            holders
                .iter()
                .map(|&h| {
                    let root = joined.holders[h].principal.kind == PrincipalKind::Root;
                    let exposure = risk::exposure(&reach, Some(&used[h]), weighed);
                    (h, if root { risk::of_root(exposure) } else { exposure })
                })
                .collect::<Vec<_>>()
        })
        .collect();
    all.sort_by_key(|(h, _)| *h);
    all.into_iter().map(|(_, e)| e).collect()
}

/// The same under a scheme that keeps holders and sets.
pub(super) fn after(joined: &Joined, weighed: &Weighed<'_>, scheme: &Scheme) -> IndexVec<Holder, Exposure> {
    let groups: Vec<_> = scheme.by_list().into_iter().collect();
    let lists = groups
        .par_iter()
        .filter(|((set, ..), _)| joined.sets[*set].current)
        .filter_map(|((set, given, own), holders)| {
            let acl = scheme.acl(joined, *set, *holders.first()?, given);
            Some(((*set, *own), acl))
        })
        .collect();
    exposures(joined, weighed, Some(&lists))
}
