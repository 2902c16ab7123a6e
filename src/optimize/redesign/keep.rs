//! Policies that people want to keep: roles that cost nothing but their memberships, so that a proposal does not churn.

use super::matrix::{Permissions, permission};
use super::model::Options;
use crate::access::Joined;
use crate::optimize::proof::{ProposedNumber, Scheme};
use crate::vault::{Capability, glob};

/// A policy to keep.
pub(super) struct Kept {
    /// Its number in the tightened scheme.
    pub(super) policy: ProposedNumber,
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
    fixed: &[ProposedNumber],
    permissions: &mut Permissions,
) -> Vec<Kept> {
    let mut found = Vec::new();
    for (n, policy) in tightened.policies.numbered() {
        let plain = policy
            .stanzas
            .iter()
            .all(|s| !s.capability_set().contains(Capability::Deny));
        let named = is_named(options.keep, &policy.name) && !fixed.contains(&n);
        if !named || !plain || policy.is_root() || joined.policies.is_empty() || policy.stanzas.is_empty() {
            continue;
        }
        let mut list = Vec::new();
        for id in tightened.policies.stanzas_of(n) {
            for capability in tightened.policies[id].capability_set().iter() {
                list.push(permissions.number(permission(tightened, id, capability)));
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
