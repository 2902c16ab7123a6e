//! What is proposed, as `advice.json` says it. It has types of its own because the model is more than the contract: beside what is said
//! here it has what scripts and diffs are made of (texts as read, waves, files), and whether a proof holds is worked out there.

use serde::{Deserialize, Serialize};

use crate::advice;

/// A set of changes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Proposal {
    /// `tighten` or `redesign`.
    pub kind: String,
    /// One line.
    pub title: String,
    /// Policies as they would be.
    pub policies: Vec<ProposedPolicy>,
    /// Who gets what, where it changes.
    pub assignments: Vec<advice::Assignment>,
    /// Size and exposure before.
    pub before: advice::Complexity,
    /// Size and exposure after.
    pub after: advice::Complexity,
    /// The proof.
    pub proof: Proof,
    /// Considered and not proposed.
    pub withdrawn: Vec<advice::Withdrawn>,
    /// Steps in order.
    pub migration: Vec<String>,
    /// How close to the best possible.
    pub optimality: advice::Optimality,
    /// Wrong denials that are expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<advice::Expected>,
}

impl From<&advice::Proposal> for Proposal {
    fn from(from: &advice::Proposal) -> Self {
        Self {
            kind: from.kind.clone(),
            title: from.title.clone(),
            policies: from.policies.iter().map(Into::into).collect(),
            assignments: from.assignments.clone(),
            before: from.before.clone(),
            after: from.after.clone(),
            proof: (&from.proof).into(),
            withdrawn: from.withdrawn.clone(),
            migration: from.migration.clone(),
            optimality: from.optimality.clone(),
            expected: from.expected,
        }
    }
}

/// One policy of a proposal.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProposedPolicy {
    /// Namespace, with a trailing slash; absent for root.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Name.
    pub name: String,
    /// The file as read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// `keep`, `edit`, `add`, `delete`.
    pub change: String,
    /// The proposed text; absent where the policy goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Why.
    pub reasons: Vec<String>,
    /// Wrong denials that are expected of its change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<advice::Expected>,
    /// Its stanzas.
    pub stanzas: Vec<ProposedStanza>,
    /// Who holds it.
    pub holders: Vec<String>,
    /// What all holders of a new role share, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<String>,
    /// Whether it stays because it was asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}

impl From<&advice::ProposedPolicy> for ProposedPolicy {
    fn from(from: &advice::ProposedPolicy) -> Self {
        Self {
            namespace: from.namespace.to_string(),
            name: from.name.clone(),
            file: from.file.as_ref().map(ToString::to_string),
            change: from.change.as_str().to_owned(),
            text: from.text.clone(),
            reasons: from.reasons.clone(),
            expected: from.expected,
            stanzas: from
                .stanzas
                .iter()
                .map(|(path, capabilities)| ProposedStanza {
                    path: path.clone(),
                    capabilities: capabilities.clone(),
                })
                .collect(),
            holders: from.holders.clone(),
            shared: from.shared.clone(),
            kept: from.kept,
        }
    }
}

/// A stanza of a proposed policy.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProposedStanza {
    /// Path.
    pub path: String,
    /// Capabilities.
    pub capabilities: Vec<String>,
}

/// The proof of a proposal.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Proof {
    /// Demands decided again.
    pub demands_replayed: u64,
    /// Allowed requests behind them.
    pub requests_replayed: u64,
    /// Allowed demands that it would deny.
    pub newly_denied: u64,
    /// Accesses that it would newly grant.
    pub newly_granted: u64,
    /// Principals replayed.
    pub principals: u64,
    /// Combinations of policies compared.
    pub combinations: u64,
    /// Of these, proven over all requests.
    pub combinations_proven: u64,
    /// Demands that today's policies do not explain.
    pub not_explained: u64,
    /// Whether nothing breaks and nothing is gained.
    pub holds: bool,
}

impl From<&advice::Proof> for Proof {
    fn from(from: &advice::Proof) -> Self {
        Self {
            demands_replayed: from.demands_replayed,
            requests_replayed: from.requests_replayed,
            newly_denied: from.newly_denied,
            newly_granted: from.newly_granted,
            principals: from.principals,
            combinations: from.combinations,
            combinations_proven: from.combinations_proven,
            not_explained: from.not_explained,
            holds: from.holds(),
        }
    }
}
