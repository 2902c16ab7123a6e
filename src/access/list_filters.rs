//! Lists that show only some keys: those for which whoever asks is granted something on another path (OpenBao's
//! `list_scan_response_keys_filter_path`). What grants something there decides what such a list shows, used or not.

use super::sets::{AccessSet, StanzaId};
use crate::policy::model::{Policy, Stanza};
use crate::policy::template::literal_start;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The stanzas that decide what a list shows, with the reason.
pub(super) fn kept<'a>(policies: &[Policy], sets: impl Iterator<Item = &'a AccessSet>) -> BTreeMap<StanzaId, Arc<str>> {
    let mut kept = BTreeMap::new();
    for set in sets {
        let stanzas = || {
            let held = set
                .policies
                .iter()
                .filter_map(|&number| Some((number, policies.get(number)?)));
            held.flat_map(|(number, policy)| {
                let stanzas = policy.stanzas.iter().enumerate();
                stanzas.map(move |(n, stanza)| ((number, n), policy, stanza))
            })
        };
        let filters = stanzas()
            .filter_map(|(_, policy, stanza)| Some((policy, stanza, stanza.constraints.list_filter.as_deref()?)));
        for (policy, list, filter) in filters {
            let shown = format!("{}{}", policy.namespace, literal_start(filter).trim_start_matches('/'));
            let reason: Arc<str> = Arc::from(format!("it decides which keys the list of `{}` shows", list.path));
            let deciding = stanzas().filter(|(_, policy, stanza)| may_meet(policy, stanza, &shown));
            kept.extend(deciding.map(|(id, ..)| (id, reason.clone())));
        }
    }
    kept
}

/// Whether a stanza may match something that begins so.
fn may_meet(policy: &Policy, stanza: &Stanza, begins: &str) -> bool {
    let lead = format!("{}{}", policy.namespace, literal_start(&stanza.path));
    lead.starts_with(begins) || begins.starts_with(&lead)
}
