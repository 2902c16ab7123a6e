//! Policies that people want to keep: roles that cost nothing but their memberships, so that a proposal does not churn.

use super::matrix::{Permission, Permissions};
use super::model::Options;
use crate::access::Joined;
use crate::optimize::proof::Scheme;
use crate::vault::{Capability, glob};
use std::sync::Arc;

/// A policy to keep.
pub(super) struct Kept {
    /// Its index in the tightened scheme.
    pub(super) policy: usize,
    /// What it holds, sorted.
    pub(super) permissions: Vec<u32>,
}

/// Whether a name is among those to keep: `*` at the end stands for any rest.
pub(super) fn is_named(keep: &[String], name: &str) -> bool {
    keep.iter().any(|entry| glob::is_named(entry, name))
}

/// The policies to keep as sets of permissions. One with a `deny` takes from others and is no role.
pub(super) fn kept(
    joined: &Joined,
    tightened: &Scheme,
    options: &Options<'_>,
    fixed: &[usize],
    permissions: &mut Permissions,
) -> Vec<Kept> {
    let mut found = Vec::new();
    for (n, policy) in tightened.policies.iter().enumerate() {
        let plain = policy
            .stanzas
            .iter()
            .all(|s| !s.capability_set().contains(Capability::Deny));
        let named = is_named(options.keep, &policy.name) && !fixed.contains(&n);
        if !named || !plain || policy.is_root() || joined.policies.is_empty() || policy.stanzas.is_empty() {
            continue;
        }
        let mut list = Vec::new();
        for (s, stanza) in policy.stanzas.iter().enumerate() {
            for capability in stanza.capability_set().iter() {
                list.push(permissions.number(Permission {
                    namespace: policy.namespace.clone(),
                    path: Arc::from(stanza.path.strip_prefix('/').unwrap_or(&stanza.path)),
                    capability,
                    source: (!stanza.constraints.is_empty()).then_some((n, s)),
                }));
            }
        }
        list.sort_unstable();
        list.dedup();
        if !list.is_empty() {
            found.push(Kept {
                policy: n,
                permissions: list,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_end_in_a_star() {
        let keep = ["team-*".to_owned(), "ops".to_owned()];
        assert!(is_named(&keep, "team-web") && is_named(&keep, "ops"));
        assert!(!is_named(&keep, "ops-2") && !is_named(&keep, "web"));
    }
}
