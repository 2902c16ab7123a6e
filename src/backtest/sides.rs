//! Past and future of a cut, each joined with what is granted.

use super::model::{Input, Options};
use super::split::{self, Cut};
use crate::access::{self, Inputs, Joined, Universe};
use crate::analysis::evidence::Watch;
use crate::index::IndexVec;
use crate::pipeline::{self, Question};
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::usage::demand::Principal;
use crate::vault::PrincipalKind;
use std::sync::Arc;

/// The key that a principal keeps from join to join.
pub(super) fn key(principal: &Principal) -> (PrincipalKind, Arc<str>) {
    (principal.kind, principal.id.clone())
}

/// Past and future of a cut, joined.
pub(super) struct Sides<'a> {
    pub(super) past: Joined,
    /// What may be tightened for all that the past tells, by policy.
    pub(super) removable: IndexVec<Policy, bool>,
    /// What is not deleted, by policy.
    pub(super) lingering: IndexVec<Policy, bool>,
    pub(super) future: Joined,
    pub(super) cut: &'a Cut,
    /// Every path known on either side.
    pub(super) universe: Universe,
    pub(super) profile: Profile,
    pub(super) now: Option<i64>,
}

impl<'a> Sides<'a> {
    /// Joins both sides of `cut`.
    pub(super) fn new(input: &Input<'_>, options: &Options, cut: &'a Cut) -> Self {
        let now = split::start_of(cut.test.start).map(jiff::Timestamp::as_second);
        let inputs = |days| Inputs {
            facts: split::trim(input.facts, days),
            policies: input.policies.to_vec(),
            deployment: input.deployment,
            profile: input.profile,
            now,
        };
        let past = pipeline::analyse(Question {
            inputs: inputs(&cut.train),
            watch: Watch {
                window_days: f64::from(cut.train.end - cut.train.start),
                health: input.health,
                gaps: Vec::new(),
            },
            last: split::start_of(cut.train.end),
            evidence: &options.evidence,
            weights: &options.weights,
            kv2_closure: options.price.kv2_closure,
        });
        let (removable, lingering, past) = (past.removable(), past.lingering(), past.joined);
        let future = access::join(inputs(&cut.test));
        let mut known = past.universe.paths().to_vec();
        known.extend_from_slice(future.universe.paths());
        Self {
            past,
            removable,
            lingering,
            future,
            cut,
            universe: Universe::new(known),
            profile: input.profile,
            now,
        }
    }
}
