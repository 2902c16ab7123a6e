//! What servers ask policies for besides the path of a request: which keys a list shows (OpenBao's
//! `list_scan_response_keys_filter_path`), and which events a subscription gets (Vault Enterprise). No log tells that these stanzas
//! were asked, so whatever may have been counts as used.

use super::holder::HolderId;
use super::join::JoinedDemand;
use super::sets::{AccessSet, StanzaId};
use crate::policy::model::{Policy, Stanza};
use crate::policy::table::Table;
use crate::policy::template::literal_start;
use crate::vault::Capability;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A stanza with its policy.
type Held<'a> = (StanzaId, &'a Policy, &'a Stanza);

/// The stanzas that may have been asked, with the reason.
pub(super) fn kept<'a>(
    policies: &Table,
    demands: &[JoinedDemand],
    sets: impl Iterator<Item = &'a AccessSet>,
) -> BTreeMap<StanzaId, Arc<str>> {
    let subscribed = demands
        .iter()
        .filter(|d| d.was_allowed() && d.demand.path.starts_with("sys/events/subscribe/"));
    let subscribers: BTreeSet<HolderId> = subscribed.map(|d| d.holder).collect();
    let mut kept = BTreeMap::new();
    for set in sets {
        let held: Vec<Held<'_>> = held(policies, set).collect();
        for (_, policy, list) in &held {
            if let Some(filter) = list.constraints.list_filter.as_deref() {
                let shown = format!("{}{}", policy.namespace, literal_start(filter));
                let reason: Arc<str> = Arc::from(format!("it decides which keys the list of `{}` shows", list.path));
                let deciding = held
                    .iter()
                    .filter(|(_, policy, stanza)| may_meet(policy, stanza, &shown));
                kept.extend(deciding.map(|(id, ..)| (*id, reason.clone())));
            }
        }
        if !set.holders.is_disjoint(&subscribers) {
            let reason: Arc<str> = Arc::from("it decides which events its holders get that subscribe to them");
            let deciding = held.iter().filter(|(_, _, stanza)| may_be_of_events(stanza));
            kept.extend(deciding.map(|(id, ..)| (*id, reason.clone())));
        }
    }
    kept
}

fn held<'a>(policies: &'a Table, set: &'a AccessSet) -> impl Iterator<Item = Held<'a>> {
    let stanzas = set.policies.iter().flat_map(|&policy| policies.stanzas_of(policy));
    stanzas.map(|id| (id, &policies[id.policy()], &policies[id]))
}

/// Whether a stanza may match something that begins so.
fn may_meet(policy: &Policy, stanza: &Stanza, begins: &str) -> bool {
    let lead = format!("{}{}", policy.namespace, literal_start(&stanza.path));
    lead.starts_with(begins) || begins.starts_with(&lead)
}

/// Whether a stanza is about events: it grants them, or takes them away.
fn may_be_of_events(stanza: &Stanza) -> bool {
    let capabilities = stanza.capability_set();
    let of_events = capabilities.contains(Capability::Subscribe) || capabilities.contains(Capability::Deny);
    of_events || !stanza.constraints.subscribe_event_types.is_empty()
}
