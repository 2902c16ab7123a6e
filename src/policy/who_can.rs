//! Who reaches a path, and through which stanza: asked of principals, entities, groups, auth roles and policies alike.

use crate::policy::acl::{Acl, AclCache, RuleId};
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::template::Identity;
use crate::vault::{Capability, CapabilitySet, Operation, path};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whoever holds policies.
#[derive(Debug, Clone)]
pub struct Holder<'p> {
    /// What it is: `principal`, `entity`, `group`, `auth role`, `policy`, …
    pub kind: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its policies.
    pub policies: Vec<&'p Policy>,
    /// What templates are filled from.
    pub identity: Identity,
}

/// A holder that reaches the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// What it is.
    pub kind: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// What it may do with the path, of what was asked for.
    pub capabilities: Vec<&'static str>,
    /// Whether it holds the root policy.
    pub root: bool,
    /// The stanzas that let it.
    pub through: Vec<Through>,
}

/// A stanza that lets a holder reach the path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Through {
    /// Its policy.
    pub policy: Arc<str>,
    /// `file:line:column`.
    pub origin: String,
    /// Its pattern, templates filled in, namespace in front.
    pub pattern: String,
    /// What it gives of what was asked for.
    pub capabilities: Vec<&'static str>,
    /// Whether a constraint (parameters, wrapping) may refuse a request all the same.
    pub constrained: bool,
}

/// The holders that may use the path (namespace in front): with `capability`, or with any where none is asked for.
///
/// LIST and SCAN are asked of `path/`, as the servers do. `sudo` asks whose winning stanza has it.
#[must_use]
pub fn who_can(profile: Profile, asked: &str, capability: Option<Capability>, holders: &[Holder<'_>]) -> Vec<Reach> {
    let bare = path::clean(asked);
    let folder = format!("{}/", bare.trim_end_matches('/'));
    let wanted: CapabilitySet = match capability {
        Some(one) => CapabilitySet::of(one),
        None => Operation::REQUESTABLE
            .iter()
            .filter_map(|o| profile.capability(*o))
            .collect(),
    };
    let mut cache = AclCache::new(profile, None);
    holders
        .iter()
        .filter_map(|holder| {
            let acl = cache.get(&holder.policies, &holder.identity);
            reach(&acl, holder, bare, &folder, wanted)
        })
        .collect()
}

fn reach(acl: &Acl, holder: &Holder<'_>, bare: &str, folder: &str, wanted: CapabilitySet) -> Option<Reach> {
    let mut by_rule: BTreeMap<RuleId, CapabilitySet> = BTreeMap::new();
    let mut granted = CapabilitySet::EMPTY;
    for capability in wanted.iter() {
        let operation = operation_for(capability);
        let asked = match operation {
            Operation::List | Operation::Scan => folder,
            _ => bare,
        };
        if acl.is_root() && acl.check(operation, asked).allowed {
            granted.insert(capability);
            continue;
        }
        let winner = acl.winner(operation, asked);
        let Some((id, rule)) = winner.and_then(|id| Some((id, acl.rule(id)?))) else {
            continue;
        };
        if rule.capabilities.contains(capability) && capability != Capability::Deny {
            granted.insert(capability);
            by_rule.entry(id).or_default().insert(capability);
        }
    }
    if granted.is_empty() {
        return None;
    }
    let mut through: Vec<_> = by_rule
        .into_iter()
        .filter_map(|(id, used)| Some((acl.rule(id)?, used)))
        .flat_map(|(rule, used)| {
            rule.sources.iter().filter_map(move |source| {
                let gives = source.capabilities.intersection(used);
                (!gives.is_empty()).then(|| Through {
                    policy: acl
                        .policies()
                        .get(source.policy)
                        .map(|p| p.name.clone())
                        .unwrap_or_default(),
                    origin: source.origin.to_string(),
                    pattern: rule.pattern.to_string(),
                    capabilities: gives.iter().map(Capability::as_str).collect(),
                    constrained: !rule.is_unconstrained(),
                })
            })
        })
        .collect();
    through.sort_unstable();
    Some(Reach {
        kind: Arc::clone(&holder.kind),
        name: Arc::clone(&holder.name),
        capabilities: granted.iter().map(Capability::as_str).collect(),
        root: acl.is_root(),
        through,
    })
}

/// The operation whose look-up finds the stanza; those without one are looked up as a read.
const fn operation_for(capability: Capability) -> Operation {
    match Operation::of(capability) {
        Some(operation) => operation,
        None => Operation::Read,
    }
}
