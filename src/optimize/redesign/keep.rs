//! Policies that people want to keep: roles that cost nothing but their memberships, so that a proposal does not churn.

use super::matrix::{Permissions, permission};
use super::model::Options;
use crate::access::Joined;
use crate::optimize::proof::{ProposedNumber, Scheme};
use crate::policy::model::Policy;
use crate::vault::Capability;

/// A policy to keep.
pub(super) struct Kept {
    /// Its number in the tightened scheme.
    pub(super) policy: ProposedNumber,
    /// What it holds, sorted.
    pub(super) permissions: Vec<u32>,
}

/// Whether a policy is among those to keep.
pub(super) fn is_meant(keep: &[String], policy: &Policy) -> bool {
    let id = policy.id();
    keep.iter().any(|entry| id.is_meant_by(entry))
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
        let named = is_meant(options.keep, policy) && !fixed.contains(&n);
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
