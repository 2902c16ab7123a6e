//! Past and future of a cut, each joined with what is granted.

use super::model::Input;
use super::split::{self, Cut};
use crate::access::{self, Inputs, Joined, Universe};
use crate::policy::profile::Profile;
use crate::usage::Lost;
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
    pub(super) future: Joined,
    pub(super) cut: &'a Cut,
    /// Every path known on either side.
    pub(super) universe: Universe,
    pub(super) profile: Profile,
    pub(super) now: Option<i64>,
}

impl<'a> Sides<'a> {
    /// Joins both sides of `cut`.
    pub(super) fn new(input: &Input<'_>, cut: &'a Cut) -> Self {
        let now = split::start_of(cut.test.start).map(jiff::Timestamp::as_second);
        let join = |days| {
            access::join(Inputs {
                demands: split::trim(input.demands, days),
                sets: Vec::new(),
                namespaces: input.namespaces,
                lost: &Lost::default(),
                policies: input.policies.to_vec(),
                deployment: input.deployment,
                profile: input.profile,
                now,
            })
        };
        let (past, future) = (join(&cut.train), join(&cut.test));
        let mut known = past.universe.paths().to_vec();
        known.extend_from_slice(future.universe.paths());
        Self {
            past,
            future,
            cut,
            universe: Universe::new(known),
            profile: input.profile,
            now,
        }
    }
}
