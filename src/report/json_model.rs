//! The document of `advice.json`, version 2, and how an advice becomes one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The version that is written.
pub const VERSION: u32 = 2;

/// Where the schema of what is written can be found.
pub const SCHEMA: &str = "advice.v2.schema.json";

use super::json_account::{Account, Bridge};
use super::json_proposal::{Heat, Proposal};
use crate::advice::{self, Advice, round};

/// The whole of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Document {
    /// Version of this format.
    pub version: u32,
    /// File name of the schema.
    pub schema: String,
    /// What was run, on what.
    pub run: advice::Run,
    /// What the logs covered.
    pub coverage: Coverage,
    /// The numbers that matter.
    pub totals: advice::Totals,
    /// Principals, the riskiest first.
    pub principals: Vec<Principal>,
    /// Policies, by name.
    pub policies: Vec<advice::PolicyView>,
    /// The rules that ran.
    pub rules: Vec<advice::RuleView>,
    /// Findings, the gravest first.
    pub findings: Vec<advice::Finding>,
    /// Sets of changes, each proven.
    pub proposals: Vec<Proposal>,
    /// Risk against complexity.
    pub frontier: Vec<advice::FrontierPoint>,
    /// How a principal can become more than it is.
    pub escalations: Vec<advice::Escalation>,
    /// Groups of principals by groups of paths.
    pub heat: Heat,
    /// From what is unused today to what is unused under the `tighten` proposal, and why.
    pub bridge: Bridge,
    /// What is different from earlier runs, where there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<advice::History>,
}

impl From<&Advice> for Document {
    fn from(from: &Advice) -> Self {
        Self {
            version: VERSION,
            schema: SCHEMA.to_owned(),
            run: from.run.clone(),
            coverage: (&from.coverage).into(),
            totals: from.totals.clone(),
            principals: from.principals.iter().map(Into::into).collect(),
            policies: from.policies.clone(),
            rules: from.rules.clone(),
            findings: from.findings.clone(),
            proposals: from.proposals.iter().map(Into::into).collect(),
            frontier: from.frontier.clone(),
            escalations: from.escalations.clone(),
            heat: (&from.heat).into(),
            bridge: (&from.bridge).into(),
            history: from.history.clone(),
        }
    }
}

/// What the logs covered and what they did not.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Coverage {
    /// First entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// Last entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Days between them.
    pub window_days: f64,
    /// Lines read.
    pub lines: u64,
    /// Lines used.
    pub used: u64,
    /// Lines that belong to a request already used.
    pub paired: u64,
    /// Lines skipped, by reason.
    pub skipped: Vec<advice::Skip>,
    /// Requests counted.
    pub requests: u64,
    /// Demands: principal, path, capability.
    pub demands: u64,
    /// Gaps longer than expected.
    pub gaps: Vec<Gap>,
    /// Nodes seen.
    pub nodes: Vec<String>,
    /// Audit devices switched on or off inside the window.
    pub device_changes: Vec<String>,
    /// Whether the log carries the server's own decision.
    pub has_policy_results: bool,
    /// How healthy the logs are, 0 to 1.
    pub health: f64,
}

impl From<&advice::CoverageView> for Coverage {
    fn from(from: &advice::CoverageView) -> Self {
        Self {
            first: from.first,
            last: from.last,
            window_days: round(from.window_days),
            lines: from.lines,
            used: from.used,
            paired: from.paired,
            skipped: from.skipped.clone(),
            requests: from.requests,
            demands: from.demands,
            gaps: from.gaps.iter().map(|&(start, end)| Gap { start, end }).collect(),
            nodes: from.nodes.clone(),
            device_changes: from.device_changes.clone(),
            has_policy_results: from.has_policy_results,
            health: round(from.health),
        }
    }
}

/// A time without entries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Last entry before it.
    pub start: Timestamp,
    /// First entry after it.
    pub end: Timestamp,
}

/// One principal.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Principal {
    /// Key, such as `entity:…`.
    pub id: String,
    /// The human's word.
    pub name: String,
    /// Kind of principal.
    pub kind: String,
    /// Auth mount.
    pub auth_mount: String,
    /// Namespace where its tokens live.
    pub namespace: String,
    /// What people know it by, for grouping: `group` with the names of its groups, `metadata KEY` with the value of its entity.
    pub marks: BTreeMap<String, Vec<String>>,
    /// Policies in force.
    pub policies: Vec<String>,
    /// (path, capability) pairs granted.
    pub granted: u64,
    /// Of these, used.
    pub used: u64,
    /// Granted and not used.
    pub excess: u64,
    /// Distinct paths reachable.
    pub paths_granted: u64,
    /// Distinct paths used.
    pub paths_used: u64,
    /// Requests.
    pub requests: u64,
    /// Requests denied.
    pub denied: u64,
    /// First seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<Timestamp>,
    /// Last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// Days on which it acted.
    pub active_days: u32,
    /// Risk today.
    pub risk: advice::Risk,
    /// Risk under the `tighten` proposal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk_after: Option<advice::Risk>,
    /// Whether a policy it holds was not among those read.
    pub grants_unknown: bool,
    /// What it used, and what it could do, stanza by stanza.
    pub account: Account,
}

impl From<&advice::PrincipalView> for Principal {
    fn from(from: &advice::PrincipalView) -> Self {
        Self {
            id: from.id.clone(),
            name: from.name.clone(),
            kind: from.kind.clone(),
            auth_mount: from.auth_mount.clone(),
            namespace: from.namespace.clone(),
            marks: from.marks.clone(),
            policies: from.policies.clone(),
            granted: from.granted,
            used: from.used,
            excess: from.excess,
            paths_granted: from.paths_granted,
            paths_used: from.paths_used,
            requests: from.requests,
            denied: from.denied,
            first_seen: from.first_seen,
            last_seen: from.last_seen,
            active_days: from.active_days,
            risk: from.risk.clone(),
            risk_after: from.risk_after.clone(),
            grants_unknown: from.grants_unknown,
            account: (&from.account).into(),
        }
    }
}
