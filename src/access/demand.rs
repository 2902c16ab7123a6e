//! A demand as it was decided: by which stanza, with which policies.

use super::holder::HolderId;
use super::sets::SetId;
use crate::index::Idx;
use crate::policy::acl::RuleId;
use crate::usage::demand::Demand;
use crate::vault::{Capability, CapabilitySet, Operation};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What the engine says of a demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Allowed by this rule of its access set.
    Explained(RuleId),
    /// Needs no stanza: unauthenticated, root, help, or a path that any grant allows.
    NeedsNone,
    /// The log allowed it, the policies at hand do not.
    NotExplained,
    /// The log denied it, and so do the policies at hand.
    Denied,
    /// The log denied it, the policies at hand would allow it.
    DeniedButAllowed,
}

/// A demand with who, which policies, and what the engine says.
pub struct JoinedDemand {
    /// The demand.
    pub demand: Demand,
    /// The path with its namespace.
    pub path: String,
    /// Who.
    pub holder: HolderId,
    /// By which policies.
    pub set: SetId,
    /// What the engine says.
    pub outcome: Outcome,
    /// Whether the path asked for `sudo` besides.
    pub needs_sudo: bool,
}

impl JoinedDemand {
    /// The operation that asks for its capability.
    #[must_use]
    pub fn operation(&self) -> Operation {
        Operation::of(self.demand.capability).unwrap_or(Operation::Other)
    }

    /// The capabilities it needs of the winning stanza.
    #[must_use]
    pub fn needs(&self) -> CapabilitySet {
        let mut needs = CapabilitySet::of(self.demand.capability);
        if self.needs_sudo {
            needs.insert(Capability::Sudo);
        }
        needs
    }

    /// Whether it was allowed at least once.
    #[must_use]
    pub const fn was_allowed(&self) -> bool {
        self.demand.allowed > 0
    }
}

/// Number of a demand in [`super::Joined::demands`].
pub type DemandId = Idx<JoinedDemand>;

/// Use of one capability of one stanza.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StanzaUse {
    /// Requests that it allowed.
    pub requests: u64,
    /// By whom.
    pub holders: BTreeSet<HolderId>,
    /// Last time.
    pub last: Option<Timestamp>,
}

/// What the log shows of a holder with a policy: tokens of it whose lists have, or may have, that policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SeenWith {
    /// When first.
    pub first: Option<Timestamp>,
    /// Whether something was allowed to one of these tokens for which policies are asked.
    pub acted: bool,
}

/// Who holds a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding {
    /// All who hold it.
    pub by: BTreeSet<HolderId>,
    /// Who was seen with it.
    pub seen_with: BTreeMap<HolderId, SeenWith>,
}
