//! How large a scheme is, and what it opens beyond use.

use crate::access::weight::{Weighed, score};
use crate::access::{HolderId, Joined, Reach, SetId, reach};
use crate::optimize::proof::Scheme;
use crate::vault::CapabilitySet;
use rayon::prelude::*;
use std::collections::HashMap;

/// Size and exposure of a scheme.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Size {
    /// Policies in force.
    pub policies: u64,
    /// Their stanzas.
    pub stanzas: u64,
    /// (principal, policy) pairs.
    pub assignments: u64,
    /// Granted and unused (principal, known path, capability) triples.
    pub exposure: u64,
    /// Their weight, open ends included.
    pub weight: f64,
    /// Mean risk score of the principals.
    pub risk_mean: f64,
}

impl Size {
    /// Policies, stanzas, and a tenth for an assignment.
    #[must_use]
    pub fn structure(&self) -> f64 {
        self.policies as f64 + self.stanzas as f64 + self.assignments as f64 / 10.0
    }
}

/// Size and exposure of a scheme over the sets that are in force today.
#[must_use]
pub fn measure(joined: &Joined, scheme: &Scheme, weighed: &Weighed<'_>) -> Size {
    let used = joined.used();
    let mut size = Size::default();
    for (&(set, holder), given) in &scheme.given {
        if counts(joined, (set, holder)) {
            size.assignments += given.len() as u64;
        }
    }
    // A policy that nobody holds is still one to read, and one to attach by mistake.
    size.policies = scheme.policies.len() as u64;
    size.stanzas = scheme.policies.iter().map(|p| p.stanzas.len() as u64).sum();
    let cases: Vec<_> = scheme
        .by_list()
        .into_iter()
        .map(|(key, mut holders)| {
            holders.retain(|&h| counts(joined, (key.0, h)));
            (key, holders)
        })
        .filter(|(_, holders)| !holders.is_empty())
        .collect();
    let parts: Vec<Vec<(u64, f64)>> = cases
        .par_iter()
        .filter_map(|((set, given, _), holders)| {
            let acl = scheme.acl(joined, *set, *holders.first()?, given);
            let reach = reach(&acl, &joined.universe);
            Some(
                holders
                    .iter()
                    .map(|h| excess(&reach, Some(&used[*h]), weighed))
                    .collect(),
            )
        })
        .collect();
    let each: Vec<(u64, f64)> = parts.into_iter().flatten().collect();
    for (pairs, weight) in &each {
        size.exposure += pairs;
        size.weight += weight;
        size.risk_mean += score(*weight) / each.len() as f64;
    }
    size
}

/// Whether a list of this set is the one that the holder is measured by: it is in force, and policies bind the holder.
pub(super) fn counts(joined: &Joined, (set, holder): (SetId, HolderId)) -> bool {
    let holder = &joined.holders[holder];
    holder.current == set && holder.is_bound()
}

/// Granted and unused pairs of one holder, and their weight with open ends.
#[must_use]
pub fn excess(reach: &Reach, used: Option<&HashMap<&str, CapabilitySet>>, weighed: &Weighed<'_>) -> (u64, f64) {
    let mut pairs = 0;
    let mut weight = 0.0;
    for &(n, granted) in &reach.granted {
        let path = weighed.universe().path(n);
        let unused = granted.difference(used.and_then(|u| u.get(path)).copied().unwrap_or_default());
        pairs += unused.len() as u64;
        weight += weighed.of(n, unused);
    }
    weight += reach
        .open_ends
        .iter()
        .map(|(lead, c)| weighed.weights().open_end(lead, *c))
        .sum::<f64>();
    (pairs, weight)
}
