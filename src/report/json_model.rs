//! The document of `advice.json`, version 2, and how an advice becomes one.

use serde::{Deserialize, Serialize};

/// The version that is written.
pub const VERSION: u32 = 2;

/// Where the schema of what is written can be found.
pub const SCHEMA: &str = "advice.v2.schema.json";

use super::json_proposal::Proposal;
use crate::advice::{self, Advice};

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
    pub coverage: advice::CoverageView,
    /// The numbers that matter.
    pub totals: advice::Totals,
    /// Principals, the riskiest first.
    pub principals: Vec<advice::PrincipalView>,
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
    pub heat: advice::HeatMap,
    /// From what is unused today to what is unused under the `tighten` proposal, and why.
    pub bridge: advice::Bridge,
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
            coverage: from.coverage.clone(),
            totals: from.totals.clone(),
            principals: from.principals.clone(),
            policies: from.policies.clone(),
            rules: from.rules.clone(),
            findings: from.findings.clone(),
            proposals: from.proposals.iter().map(Into::into).collect(),
            frontier: from.frontier.clone(),
            escalations: from.escalations.clone(),
            heat: from.heat.clone(),
            bridge: from.bridge.clone(),
            history: from.history.clone(),
        }
    }
}
