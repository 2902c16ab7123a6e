//! What belongs together in KV version 2, for whom it is switched on: reading a secret, reading its metadata, listing its folder.
//!
//! Each is an access that nobody used and that today's policies grant: kept, never added. It counts no request.

use super::attribute;
use super::demand::{JoinedDemand, Outcome, StanzaUse};
use super::holder::HolderId;
use super::joined::Joined;
use super::sets::SetId;
use crate::deployment::Deployment;
use crate::usage::demand::Demand;
use crate::vault::{Capability, Operation};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Adds what belongs to the reads of KV version 2; returns how many accesses that nobody used are kept by it.
pub fn keep_kv2(joined: &mut Joined, deployment: Option<&Deployment>) -> usize {
    let mut seen: BTreeSet<(HolderId, SetId, String, Capability)> = joined
        .demands
        .iter()
        .map(|d| (d.holder, d.set, d.path.clone(), d.demand.capability))
        .collect();
    let mut more = Vec::new();
    for d in &joined.demands {
        let reads = d.demand.capability == Capability::Read && matches!(d.outcome, Outcome::Explained(_));
        let Some((mount, secret)) = reads.then(|| data_path(d, deployment)).flatten() else {
            continue;
        };
        let folder = secret.rsplit_once('/').map_or("", |(folder, _)| folder);
        let slash = if folder.is_empty() { "" } else { "/" };
        let belongs = [
            (format!("{mount}metadata/{secret}"), Capability::Read),
            (format!("{mount}metadata/{folder}{slash}"), Capability::List),
        ];
        for (path, capability) in belongs {
            let full = format!("{}{path}", d.demand.namespace);
            let operation = Operation::of(capability).unwrap_or(Operation::Other);
            let check = joined.sets[d.set].acl.check(operation, &full);
            let (true, Some(rule)) = (check.allowed, check.rule) else {
                continue;
            };
            if !seen.insert((d.holder, d.set, full.clone(), capability)) {
                continue;
            }
            more.push(JoinedDemand {
                demand: Demand {
                    path: Arc::from(path),
                    capability,
                    allowed: 0,
                    denied: 0,
                    failed: 0,
                    keys_always: BTreeSet::new(),
                    keys_ever: BTreeSet::new(),
                    granting: BTreeSet::new(),
                    ..d.demand.clone()
                },
                path: full,
                holder: d.holder,
                set: d.set,
                outcome: Outcome::Explained(rule),
                needs_sudo: false,
            });
        }
    }
    for d in &more {
        let giving = attribute::allowed_by(d, &joined.sets).filter(|(_, given)| given.contains(d.demand.capability));
        for (stanza, _) in giving {
            let uses = joined.uses.entry(stanza).or_default();
            let used: &mut StanzaUse = uses.entry(d.demand.capability).or_default();
            used.holders.insert(d.holder);
        }
    }
    let kept = more.len();
    joined.demands.extend(more);
    kept
}

/// The mount and the secret of a read below `data/` of KV version 2.
fn data_path<'a>(d: &'a JoinedDemand, deployment: Option<&Deployment>) -> Option<(&'a str, &'a str)> {
    let path: &str = &d.demand.path;
    let mounts = deployment.map(|d| d.mounts.as_slice()).unwrap_or_default();
    let listed = mounts
        .iter()
        .filter(|m| *m.namespace == *d.demand.namespace && path.starts_with(&m.path))
        .max_by_key(|m| m.path.len());
    let mount = match listed {
        Some(m) if m.kind == "kv" && m.kv_version == Some(2) => m.path.len(),
        Some(_) => return None,
        None if &*d.demand.mount_type == "kv" => path.find('/')? + 1,
        None => return None,
    };
    let (mount, rest) = path.split_at_checked(mount)?;
    let secret = rest.strip_prefix("data/")?;
    (!secret.is_empty()).then_some((mount, secret))
}
