//! A rule: one pattern in force, with what every stanza of that pattern adds up to.

use crate::origin::Origin;
use crate::policy::model::Constraints;
use crate::policy::pattern::{Pattern, PatternError};
use crate::policy::template::Unfillable;
use crate::vault::CapabilitySet;
use std::sync::{Arc, LazyLock};

/// A rule of one [`Acl`](super::Acl). Of two rules that match a path the one with the greater id is the stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub(super) u32);

impl RuleId {
    /// Its index in [`Acl::rules`](super::Acl::rules).
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A policy that the list was compiled from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRef {
    /// Its name.
    pub name: Arc<str>,
    /// Its namespace, `""` or `a/`.
    pub namespace: Arc<str>,
    /// The file it was read from.
    pub file: Arc<str>,
}

/// A stanza that a rule was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Index of the policy among those compiled.
    pub policy: usize,
    /// Index of the stanza in its policy.
    pub stanza: usize,
    /// What this stanza alone gives.
    pub capabilities: CapabilitySet,
    /// Where it stands.
    pub origin: Origin,
}

/// One pattern, and what all its stanzas come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The pattern.
    pub pattern: Pattern,
    /// The merged capabilities; `deny` alone where any stanza denies.
    pub capabilities: CapabilitySet,
    /// The stanzas, in the order of the policies.
    pub sources: Vec<Source>,
    pub(super) constraints: Option<Box<Constraints>>,
}

impl Rule {
    /// The merged constraints.
    #[must_use]
    pub fn constraints(&self) -> &Constraints {
        static NONE: LazyLock<Constraints> = LazyLock::new(Constraints::default);
        self.constraints.as_deref().unwrap_or(&NONE)
    }

    /// Whether the rule has no constraint.
    #[must_use]
    pub const fn is_unconstrained(&self) -> bool {
        self.constraints.is_none()
    }
}

/// A stanza (or a whole policy) that is not in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// Index of the policy among those compiled.
    pub policy: usize,
    /// Index of the stanza in its policy.
    pub stanza: usize,
    /// Where it stands.
    pub origin: Origin,
    /// Why.
    pub reason: SkipReason,
}

/// Why a stanza is not in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// Its template cannot be filled: this stanza alone is skipped.
    #[error(transparent)]
    Template(#[from] Unfillable),
    /// Its `expiration` is past: this stanza alone is skipped.
    #[error("its `expiration` is past")]
    Expired,
    /// Its path, templates filled in, is no pattern: the servers refuse the whole policy.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

impl SkipReason {
    /// Whether the whole policy is out of force.
    #[must_use]
    pub const fn takes_whole_policy(&self) -> bool {
        matches!(self, Self::Pattern(_))
    }
}
