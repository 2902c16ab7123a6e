//! The structs of `advice.json`, version 2, and how an advice becomes one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The version that is written.
pub const VERSION: u32 = 2;

/// Where the schema of what is written can be found.
pub const SCHEMA: &str = "advice.v2.schema.json";

use super::json_account::{Account, Bridge};
use super::json_history::History;
use super::json_part::{Place, rounded};
use super::json_proposal::{Escalation, FrontierPoint, Heat, Proposal};
use crate::advice::{self, Advice, EvidenceState, Severity};

/// The whole of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Document {
    /// Version of this format.
    pub version: u32,
    /// File name of the schema.
    pub schema: String,
    /// What was run, on what.
    pub run: Run,
    /// What the logs covered.
    pub coverage: Coverage,
    /// The numbers that matter.
    pub totals: Totals,
    /// Principals, the riskiest first.
    pub principals: Vec<Principal>,
    /// Policies, by name.
    pub policies: Vec<Policy>,
    /// The rules that ran.
    pub rules: Vec<Rule>,
    /// Findings, the gravest first.
    pub findings: Vec<Finding>,
    /// Sets of changes, each proven.
    pub proposals: Vec<Proposal>,
    /// Risk against complexity.
    pub frontier: Vec<FrontierPoint>,
    /// How a principal can become more than it is.
    pub escalations: Vec<Escalation>,
    /// Groups of principals by groups of paths.
    pub heat: Heat,
    /// From what is unused today to what is unused under the `tighten` proposal, and why.
    pub bridge: Bridge,
    /// What is different from earlier runs, where there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
}

impl From<&Advice> for Document {
    fn from(from: &Advice) -> Self {
        Self {
            version: VERSION,
            schema: SCHEMA.to_owned(),
            run: (&from.run).into(),
            coverage: (&from.coverage).into(),
            totals: (&from.totals).into(),
            principals: from.principals.iter().map(Into::into).collect(),
            policies: from.policies.iter().map(Into::into).collect(),
            rules: from.rules.iter().map(Into::into).collect(),
            findings: from.findings.iter().map(Into::into).collect(),
            proposals: from.proposals.iter().map(Into::into).collect(),
            frontier: from.frontier.iter().map(Into::into).collect(),
            escalations: from.escalations.iter().map(Into::into).collect(),
            heat: (&from.heat).into(),
            bridge: (&from.bridge).into(),
            history: from.history.as_ref().map(Into::into),
        }
    }
}

/// What was run, on what.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// Version of the program.
    pub version: String,
    /// Profile of the server's rules.
    pub server: String,
    /// When it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated_at: Option<Timestamp>,
    /// Files and folders read, as named by the user.
    pub inputs: Vec<String>,
    /// The folder of policies, as named by the user.
    pub policies_dir: String,
    /// What a reader should see first.
    pub notes: Vec<String>,
}

impl From<&advice::Run> for Run {
    fn from(from: &advice::Run) -> Self {
        Self {
            version: from.version.clone(),
            server: from.server.clone(),
            generated_at: from.generated_at,
            inputs: from.inputs.clone(),
            policies_dir: from.policies_dir.clone(),
            notes: from.notes.clone(),
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
    pub skipped: Vec<Skip>,
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
            window_days: rounded(from.window_days),
            lines: from.lines,
            used: from.used,
            paired: from.paired,
            skipped: from.skipped.iter().map(Into::into).collect(),
            requests: from.requests,
            demands: from.demands,
            gaps: from.gaps.iter().map(|&(start, end)| Gap { start, end }).collect(),
            nodes: from.nodes.clone(),
            device_changes: from.device_changes.clone(),
            has_policy_results: from.has_policy_results,
            health: rounded(from.health),
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

/// Lines skipped for one reason.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Skip {
    /// The reason's id.
    pub reason: String,
    /// How many lines.
    pub count: u64,
    /// File and line of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
}

impl From<&advice::Skip> for Skip {
    fn from(from: &advice::Skip) -> Self {
        Self {
            reason: from.reason.clone(),
            count: from.count,
            first: from.first.clone(),
        }
    }
}

/// The numbers that matter.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Principals that hold policies.
    pub principals: u64,
    /// Of these, how many acted in the window.
    pub active_principals: u64,
    /// Policies.
    pub policies: u64,
    /// Stanzas.
    pub stanzas: u64,
    /// Granted (principal, known path, capability) triples.
    pub granted: u64,
    /// Of these, used.
    pub used: u64,
    /// Requests that were denied.
    pub denied_requests: u64,
    /// What allowed the requests.
    pub requests: RequestTotals,
    /// The largest risk, 0 to 100.
    pub risk_max: f64,
    /// The mean risk.
    pub risk_mean: f64,
}

impl From<&advice::Totals> for Totals {
    fn from(from: &advice::Totals) -> Self {
        Self {
            principals: from.principals,
            active_principals: from.active_principals,
            policies: from.policies,
            stanzas: from.stanzas,
            granted: from.granted,
            used: from.used,
            denied_requests: from.denied_requests,
            requests: from.requests.into(),
            risk_max: rounded(from.risk_max),
            risk_mean: rounded(from.risk_mean),
        }
    }
}

/// Requests by what allowed them: adds up to those counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestTotals {
    /// Allowed by a stanza of the policies as read: these are decided again in a proof.
    pub by_stanza: u64,
    /// Allowed without one: logins, root, and what any token may ask.
    pub none_needed: u64,
    /// Allowed, and the policies as read do not say why.
    pub unexplained: u64,
    /// Denied.
    pub denied: u64,
}

impl From<advice::RequestTotals> for RequestTotals {
    fn from(from: advice::RequestTotals) -> Self {
        Self {
            by_stanza: from.by_stanza,
            none_needed: from.none_needed,
            unexplained: from.unexplained,
            denied: from.denied,
        }
    }
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
    pub risk: Risk,
    /// Risk under the `tighten` proposal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk_after: Option<Risk>,
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
            risk: (&from.risk).into(),
            risk_after: from.risk_after.as_ref().map(Into::into),
            grants_unknown: from.grants_unknown,
            account: (&from.account).into(),
        }
    }
}

/// A risk score and its parts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Risk {
    /// 0 to 100.
    pub score: f64,
    /// The weight behind the score.
    pub weight: f64,
    /// Plain sentences.
    pub parts: Vec<String>,
}

impl From<&advice::Risk> for Risk {
    fn from(from: &advice::Risk) -> Self {
        Self {
            score: rounded(from.score),
            weight: rounded(from.weight),
            parts: from.parts.clone(),
        }
    }
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Name.
    pub name: String,
    /// File.
    pub file: String,
    /// Who holds it.
    pub holders: Vec<String>,
    /// Its stanzas.
    pub stanzas: Vec<Stanza>,
    /// What one holder more would be exposed to.
    pub risk: Risk,
}

impl From<&advice::PolicyView> for Policy {
    fn from(from: &advice::PolicyView) -> Self {
        Self {
            name: from.name.clone(),
            file: from.file.clone(),
            holders: from.holders.clone(),
            stanzas: from.stanzas.iter().map(Into::into).collect(),
            risk: (&from.risk).into(),
        }
    }
}

/// One stanza.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Stanza {
    /// Path as written.
    pub path: String,
    /// Where.
    pub origin: Place,
    /// Capabilities and their use.
    pub capabilities: Vec<CapabilityUse>,
}

impl From<&advice::StanzaView> for Stanza {
    fn from(from: &advice::StanzaView) -> Self {
        Self {
            path: from.path.clone(),
            origin: (&from.origin).into(),
            capabilities: from.capabilities.iter().map(Into::into).collect(),
        }
    }
}

/// Use of one capability of one stanza.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CapabilityUse {
    /// The capability.
    pub capability: String,
    /// Requests that it allowed.
    pub requests: u64,
    /// Principals that used it.
    pub principals: u64,
    /// Last used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
    /// What is held of it: `inuse`, `suspect`, `removable`.
    pub state: EvidenceState,
}

impl From<&advice::CapabilityUse> for CapabilityUse {
    fn from(from: &advice::CapabilityUse) -> Self {
        Self {
            capability: from.capability.clone(),
            requests: from.requests,
            principals: from.principals,
            last_used: from.last_used,
            state: from.state,
        }
    }
}

/// Why an "unused" is believed or doubted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// The state.
    pub state: EvidenceState,
    /// Days watched.
    pub window_days: f64,
    /// Days that had to pass first.
    pub dwell_days: f64,
    /// The reasoning.
    pub reasons: Vec<String>,
}

impl From<&advice::Evidence> for Evidence {
    fn from(from: &advice::Evidence) -> Self {
        Self {
            state: from.state,
            window_days: rounded(from.window_days),
            dwell_days: rounded(from.dwell_days),
            reasons: from.reasons.clone(),
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Finding {
    /// Stable over runs; the anchor in `report.html`.
    pub fingerprint: String,
    /// The rule's id.
    pub rule: String,
    /// How grave.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// A few sentences.
    pub detail: String,
    /// What it is about.
    pub subject: Subject,
    /// Places in policy files.
    pub places: Vec<Place>,
    /// How well it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// What to do.
    pub remedy: String,
    /// The policy of the `tighten` proposal that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed_in: Option<String>,
    /// Who is meant, all by name, where it is about several principals.
    pub who: Vec<String>,
}

impl From<&advice::Finding> for Finding {
    fn from(from: &advice::Finding) -> Self {
        Self {
            fingerprint: from.fingerprint.clone(),
            rule: from.rule.to_string(),
            severity: from.severity,
            title: from.title.clone(),
            detail: from.detail.clone(),
            subject: (&from.subject).into(),
            places: from.origins.iter().map(Into::into).collect(),
            evidence: from.evidence.as_ref().map(Into::into),
            remedy: from.remedy.clone(),
            fixed_in: from.fixed_in.clone(),
            who: from.who.clone(),
        }
    }
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// How grave its findings are, where nothing says otherwise.
    pub severity: Severity,
    /// What it finds.
    pub summary: String,
    /// Its page of the docs, in Markdown.
    pub help: String,
}

impl From<&advice::RuleView> for Rule {
    fn from(from: &advice::RuleView) -> Self {
        Self {
            id: from.id.clone(),
            severity: from.severity,
            summary: from.summary.clone(),
            help: from.help.clone(),
        }
    }
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Subject {
    /// `policy`, `stanza`, `principal`, ...
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl From<&advice::Subject> for Subject {
    fn from(from: &advice::Subject) -> Self {
        Self {
            kind: from.kind.clone(),
            name: from.name.clone(),
        }
    }
}
