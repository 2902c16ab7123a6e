//! The second half of the structs of `advice.json`: what is proposed, and the pictures.

use serde::{Deserialize, Serialize};

use super::json_part::rounded;
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
    pub assignments: Vec<Assignment>,
    /// Size and exposure before.
    pub before: Complexity,
    /// Size and exposure after.
    pub after: Complexity,
    /// The proof.
    pub proof: Proof,
    /// Considered and not proposed.
    pub withdrawn: Vec<Withdrawn>,
    /// Steps in order.
    pub migration: Vec<String>,
    /// How close to the best possible.
    pub optimality: Optimality,
    /// Wrong denials that are expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
}

/// Wrong denials that are expected in days ahead.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Expected {
    /// Days ahead.
    pub horizon_days: i32,
    /// How many are expected.
    pub denied: f64,
    /// Nine times of ten at least these.
    pub low: f64,
    /// Nine times of ten at most these.
    pub high: f64,
}

impl From<&advice::Expected> for Expected {
    fn from(from: &advice::Expected) -> Self {
        Self {
            horizon_days: from.horizon_days,
            denied: rounded(from.denied),
            low: rounded(from.low),
            high: rounded(from.high),
        }
    }
}

impl From<&advice::Proposal> for Proposal {
    fn from(from: &advice::Proposal) -> Self {
        Self {
            kind: from.kind.clone(),
            title: from.title.clone(),
            policies: from.policies.iter().map(Into::into).collect(),
            assignments: from.assignments.iter().map(Into::into).collect(),
            before: (&from.before).into(),
            after: (&from.after).into(),
            proof: (&from.proof).into(),
            withdrawn: from.withdrawn.iter().map(Into::into).collect(),
            migration: from.migration.clone(),
            optimality: (&from.optimality).into(),
            expected: from.expected.as_ref().map(Into::into),
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
    pub expected: Option<Expected>,
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
            expected: from.expected.as_ref().map(Into::into),
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

/// The policies of one holder, before and after.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Assignment {
    /// Namespace of the holder and of its policies, with a trailing slash; absent for root.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// `entity`, `group`, `approle`, ...
    pub kind: String,
    /// Key of the holder.
    pub id: String,
    /// Name of the holder.
    pub name: String,
    /// Where it lives.
    pub mount: String,
    /// Policies now.
    pub before: Vec<String>,
    /// Policies proposed.
    pub after: Vec<String>,
}

impl From<&advice::Assignment> for Assignment {
    fn from(from: &advice::Assignment) -> Self {
        Self {
            namespace: from.namespace.to_string(),
            kind: from.kind.clone(),
            id: from.id.clone(),
            name: from.name.clone(),
            mount: from.mount.clone(),
            before: from.before.clone(),
            after: from.after.clone(),
        }
    }
}

/// Size and exposure of a policy set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Complexity {
    /// Policies.
    pub policies: u64,
    /// Stanzas.
    pub stanzas: u64,
    /// Assignments (holder, policy).
    pub assignments: u64,
    /// Granted and unused triples.
    pub exposure: u64,
    /// Policies + assignments + stanzas.
    pub wsc: u64,
    /// Mean risk of the principals.
    pub risk_mean: f64,
}

impl From<&advice::Complexity> for Complexity {
    fn from(from: &advice::Complexity) -> Self {
        Self {
            policies: from.policies,
            stanzas: from.stanzas,
            assignments: from.assignments,
            exposure: from.exposure,
            wsc: from.wsc,
            risk_mean: rounded(from.risk_mean),
        }
    }
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

/// Considered and not proposed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Withdrawn {
    /// What.
    pub what: String,
    /// Why.
    pub reason: String,
}

impl From<&advice::Withdrawn> for Withdrawn {
    fn from(from: &advice::Withdrawn) -> Self {
        Self {
            what: from.what.clone(),
            reason: from.reason.clone(),
        }
    }
}

/// How close to the best possible.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Optimality {
    /// What was minimised.
    pub objective: String,
    /// Its value.
    pub cost: f64,
    /// No solution is cheaper.
    pub lower_bound: f64,
    /// Whether it is proved least.
    pub optimal: bool,
    /// Seconds spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

impl From<&advice::Optimality> for Optimality {
    fn from(from: &advice::Optimality) -> Self {
        Self {
            objective: from.objective.clone(),
            cost: rounded(from.cost),
            lower_bound: rounded(from.lower_bound),
            optimal: from.optimal,
            seconds: from.seconds.map(rounded),
        }
    }
}

/// A point of the trade-off curve.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FrontierPoint {
    /// Wrong denials that may be expected, for each use that is expected.
    pub budget: f64,
    /// What stays open, by weight.
    pub open: f64,
    /// Wrong denials that are expected.
    pub denied: f64,
    /// Nine times of ten at least these.
    pub denied_low: f64,
    /// Nine times of ten at most these.
    pub denied_high: f64,
    /// Whether it is proposed.
    pub chosen: bool,
}

impl From<&advice::FrontierPoint> for FrontierPoint {
    fn from(from: &advice::FrontierPoint) -> Self {
        Self {
            budget: from.budget,
            open: rounded(from.open),
            denied: rounded(from.denied),
            denied_low: rounded(from.denied_low),
            denied_high: rounded(from.denied_high),
            chosen: from.chosen,
        }
    }
}

/// How a principal becomes more than it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Escalation {
    /// Principal; where several have the same policies, the first and how many more.
    pub principal: String,
    /// All for whom the chain holds.
    pub principals: Vec<String>,
    /// What it can become.
    pub target: String,
    /// The steps.
    pub steps: Vec<String>,
    /// The nodes of the chain.
    pub nodes: Vec<String>,
    /// Other ways to the same in one step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

impl From<&advice::Escalation> for Escalation {
    fn from(from: &advice::Escalation) -> Self {
        Self {
            principal: from.principal.clone(),
            principals: from.principals.clone(),
            target: from.target.clone(),
            steps: from.steps.clone(),
            nodes: from.nodes.clone(),
            also: from.also.clone(),
        }
    }
}

/// Groups of principals by groups of paths.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Heat {
    /// Rows.
    pub rows: Vec<HeatGroup>,
    /// Columns.
    pub columns: Vec<HeatGroup>,
    /// Cells with anything in them: row, column, granted, used.
    pub cells: Vec<[u64; 4]>,
    /// Principals that are in no row, since there are too many.
    pub omitted: u64,
}

impl From<&advice::HeatMap> for Heat {
    fn from(from: &advice::HeatMap) -> Self {
        Self {
            rows: from.rows.iter().map(Into::into).collect(),
            columns: from.columns.iter().map(Into::into).collect(),
            cells: from
                .cells
                .iter()
                .map(|(&(row, column), cell)| [row.into(), column.into(), cell.granted, cell.used])
                .collect(),
            omitted: from.omitted,
        }
    }
}

/// A row or column of the heat map.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HeatGroup {
    /// Its label.
    pub label: String,
    /// The group that it belongs to.
    pub group: String,
    /// How many are in it.
    pub size: u64,
}

impl From<&advice::HeatGroup> for HeatGroup {
    fn from(from: &advice::HeatGroup) -> Self {
        Self {
            label: from.label.clone(),
            group: from.group.clone(),
            size: from.size,
        }
    }
}
