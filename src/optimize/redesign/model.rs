//! The question and the answer: what a redesign has to respect, and what it is.

use super::needs::Ahead;
use super::size::Size;
use crate::access::HolderId;
use crate::access::weight::Weighed;
use crate::index::IndexVec;
use crate::optimize::foresight::interval::Spread;
use crate::optimize::paths::Price;
use crate::optimize::proof::{Proof, Scheme};
use crate::optimize::tighten::Tightening;
use crate::policy::model::Policy;
use crate::vault::{CapabilitySet, PolicyId};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

impl Options<'_> {
    /// What stays open with this size: by weight and by number of accesses alike, as when forms are chosen.
    #[must_use]
    pub fn open(&self, size: &Size) -> f64 {
        self.open_of((size.exposure, size.weight))
    }

    /// The same of so many accesses with their weight.
    pub(super) fn open_of(&self, (accesses, weight): (u64, f64)) -> f64 {
        let worth = match self.today.exposure {
            0 => 0.0,
            pairs => self.today.weight / pairs as f64,
        };
        f64::midpoint(weight, accesses as f64 * worth)
    }

    /// What designs are compared by: policies, stanzas, a tenth for an assignment, and what stays open at its price.
    #[must_use]
    pub fn cost(&self, size: &Size) -> f64 {
        size.structure() + self.price.lambda * self.open(size)
    }
}

/// What a redesign has to respect.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// The known paths with their weights.
    pub weighed: &'a Weighed<'a>,
    /// Time for role mining, all ways together.
    pub time_limit: Duration,
    /// Fixes every random choice.
    pub seed: u64,
    /// At most so many roles a principal.
    pub max_roles: Option<u32>,
    /// The price of granting a permission that was not used but is granted today, against one of role, membership or stanza.
    pub over_grant: f64,
    /// Prices of stanzas and exposure: for templates, and when one redesign is chosen of several.
    pub price: &'a Price,
    /// Policies that cost nothing as roles, by name; a `*` at the end stands for any rest.
    pub keep: &'a [String],
    /// Names of policies that are there and could not be read: no role is called so.
    pub unread: &'a [Arc<str>],
    /// Size and exposure of what is in force today.
    pub today: Size,
    /// What is asked of the future; none looks at the past alone.
    pub ahead: Option<Ahead<'a>>,
    /// For every policy of the join: whether what is unused in it may go. All others stay, with those who hold them.
    pub removable: &'a IndexVec<Policy, bool>,
    /// For every policy of the join: whether it is not deleted though no known holder gets it any more.
    pub lingering: &'a IndexVec<Policy, bool>,
}

/// The tightened policies that a redesign may begin with, each proven.
#[derive(Clone, Copy)]
pub struct Bases<'a> {
    /// Within half of the budget, so that the other half is for the roles.
    pub half: &'a Tightening,
    /// Within all of it.
    pub whole: &'a Tightening,
}

/// What a redesign began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// What is tightened within half of the budget.
    Half,
    /// What is tightened within all of it.
    Whole,
}

/// How a redesign was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It hands out the tightened policies anew, and has no roles.
    Held,
    /// It hands out these and parts of them.
    Parts,
    /// By mining roles.
    Mined,
    /// Its roles were put together and made shorter after that.
    Simplified,
}

/// A role: a policy of the redesign.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// The namespace it lives in.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: String,
    /// Its policy text.
    pub text: String,
    /// Stanzas: path and capabilities.
    pub stanzas: Vec<(String, CapabilitySet)>,
    /// Who gets it.
    pub holders: BTreeSet<HolderId>,
    /// What all of them share (group, metadata, mount), in words.
    pub shared: Option<String>,
}

impl Role {
    /// The policy as a role of which it is not said yet who gets it.
    pub(super) fn of(policy: &Policy) -> Self {
        let stanzas = policy.stanzas.iter();
        Self {
            namespace: policy.namespace.clone(),
            name: policy.name.to_string(),
            text: policy.source.to_string(),
            stanzas: stanzas
                .map(|stanza| (stanza.path.to_string(), stanza.capability_set()))
                .collect(),
            holders: BTreeSet::new(),
            shared: None,
        }
    }
}

/// A redesign with its proof.
pub struct Redesign {
    /// The roles, by name.
    pub roles: Vec<Role>,
    /// Names of the policies that were kept as roles because it was asked for.
    pub kept: Vec<Arc<str>>,
    /// All policies as they would be, and who holds them.
    pub scheme: Scheme,
    /// The proof.
    pub proof: Proof,
    /// What was given up on the way.
    pub withdrawn: Vec<(String, String)>,
    /// How it was made: cost and bound are of that alone.
    pub made: Made,
    /// Objective, bound, optimality of the role mining.
    pub cost: f64,
    /// No role set is cheaper.
    pub lower_bound: f64,
    /// Whether the cost is proved least.
    pub optimal: bool,
    /// Principals and sets that keep what they have, since it is not fully known.
    pub untouched: usize,
    /// Policies of which today's holders have parts, and that stay for those who will come.
    pub for_newcomers: BTreeSet<PolicyId>,
    /// What it began with.
    pub from: From,
    /// Wrong denials that are expected of it; none where nothing was asked of the future.
    pub expected: Option<Spread>,
    /// Size and exposure.
    pub size: Size,
}
