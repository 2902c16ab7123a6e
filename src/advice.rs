//! Advice: all that a report sees. Plain values, worked out before; no frame, no graph, no engine behind them.
//!
//! Every name in here may come from an attacker: a face of `report` escapes it for its own grammar.
//!
//! What has a shape that `advice.json` promises is written and read as it stands here (`docs/schema/` holds it); what is said there
//! otherwise has a type of its own in `report`.

mod written;

use crate::origin::{LogLine, Origin, Written};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The whole result of a run.
#[derive(Debug, Clone, Default)]
pub struct Advice {
    /// Name and version of the program, server profile, inputs.
    pub run: Run,
    /// What the logs covered and what they did not.
    pub coverage: CoverageView,
    /// The numbers that matter, before and after.
    pub totals: Totals,
    /// Principals, the riskiest first.
    pub principals: Vec<PrincipalView>,
    /// Policies, by name.
    pub policies: Vec<PolicyView>,
    /// Groups of principals × groups of secrets: granted, used, excess.
    pub heat: HeatMap,
    /// The rules that ran, by id: what the help of a finding says.
    pub rules: Vec<RuleView>,
    /// Findings, the gravest first.
    pub findings: Vec<Finding>,
    /// Proposals: always `tighten` and `redesign`.
    pub proposals: Vec<Proposal>,
    /// Risk against complexity: the trade-off curve, where it was asked for.
    pub frontier: Vec<FrontierPoint>,
    /// How a principal can become more than it is.
    pub escalations: Vec<Escalation>,
    /// From what is unused today to what is unused under the `tighten` proposal, and why.
    pub bridge: Bridge,
    /// What is different from earlier runs; none where there was none.
    pub history: Option<History>,
    /// To whom things belong, where the settings say so.
    pub owners: Owners,
}

/// To whom things belong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    /// Of policies, by namespace and name.
    pub policies: BTreeMap<(String, String), String>,
    /// Of principals, by key.
    pub principals: BTreeMap<String, String>,
    /// Of findings, by fingerprint.
    pub findings: BTreeMap<String, String>,
}

/// What is different from earlier runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// When the last run was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Findings that no earlier run had.
    pub new: Vec<Noted>,
    /// Findings that the last run did not have and an earlier one had.
    pub back: Vec<Noted>,
    /// Findings of the last run that are gone.
    pub gone: Vec<Noted>,
    /// How it went from run to run, this one last.
    pub points: Vec<HistoryPoint>,
}

/// A finding as a run noted it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Noted {
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its title; none where the run did not note it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// One run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HistoryPoint {
    /// When it was.
    pub at: Timestamp,
    /// Accesses granted and not used.
    pub excess: u64,
    /// Mean risk of the principals.
    #[serde(serialize_with = "rounded")]
    pub risk_mean: f64,
    /// How many findings it had; none where it did not note them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<u64>,
}

/// What was run, on what.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// Version of the program.
    pub version: String,
    /// Profile of the server's rules.
    pub server: String,
    /// When it ran; absent in golden outputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated_at: Option<Timestamp>,
    /// Files and folders read, as the user named them.
    pub inputs: Vec<String>,
    /// The folder of policies, as the user named it: files below keep their place in it.
    pub policies_dir: String,
    /// Notes that a reader should see first (what is unknown, what could not be decided).
    pub notes: Vec<String>,
}

/// What the logs covered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CoverageView {
    /// First entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// Last entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Days between them, at least the part of a day.
    #[serde(serialize_with = "rounded")]
    pub window_days: f64,
    /// Lines read.
    pub lines: u64,
    /// Lines used.
    pub used: u64,
    /// Lines that belong to a request already used (its other entries).
    pub paired: u64,
    /// Lines skipped, by reason.
    pub skipped: Vec<Skip>,
    /// Requests counted.
    pub requests: u64,
    /// Demands (principal, path, capability).
    pub demands: u64,
    /// Gaps longer than expected.
    pub gaps: Vec<Gap>,
    /// Nodes seen.
    pub nodes: Vec<String>,
    /// Audit devices that were switched on or off inside the window, as sentences.
    pub device_changes: Vec<String>,
    /// Whether the log carries the server's own decision (`policy_results`).
    pub has_policy_results: bool,
    /// How healthy the logs are, 0 (blind) to 1.
    #[serde(serialize_with = "rounded")]
    pub health: f64,
}

/// A time without entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Last entry before it.
    pub start: Timestamp,
    /// First entry after it.
    pub end: Timestamp,
}

/// Lines skipped for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Skip {
    /// The reason's id.
    pub reason: String,
    /// How many lines.
    pub count: u64,
    /// File and line of the first, never its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
}

/// The numbers that matter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Principals that hold policies.
    pub principals: u64,
    /// Of these, how many did anything in the window.
    pub active_principals: u64,
    /// Policies.
    pub policies: u64,
    /// Stanzas.
    pub stanzas: u64,
    /// (principal, known path, capability) triples granted.
    pub granted: u64,
    /// Of these, used.
    pub used: u64,
    /// Requests that were denied.
    pub denied_requests: u64,
    /// What allowed the requests: adds up to those counted.
    pub requests: RequestTotals,
    /// Risk of the deployment, 0 to 100 (the largest of its principals' scores and their mean).
    #[serde(serialize_with = "rounded")]
    pub risk_max: f64,
    /// Mean risk of its principals.
    #[serde(serialize_with = "rounded")]
    pub risk_mean: f64,
}

/// Requests by what allowed them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestTotals {
    /// Allowed by a stanza of the policies as read: these are decided again.
    pub by_stanza: u64,
    /// Allowed without one: logins, root, and what any token may ask.
    pub none_needed: u64,
    /// Allowed, and the policies as read do not say why.
    pub unexplained: u64,
    /// Denied.
    pub denied: u64,
}

/// One principal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PrincipalView {
    /// Key, such as `entity:6d1f…`.
    pub id: String,
    /// The human's word.
    pub name: String,
    /// `entity`, `role`, `token`, ...
    pub kind: String,
    /// Auth mount.
    pub auth_mount: String,
    /// Namespace where its tokens live, `""` or `a/`.
    pub namespace: String,
    /// What people know it by, for grouping: `group` with the names of its groups, `metadata KEY` with the value of its entity.
    pub marks: BTreeMap<String, Vec<String>>,
    /// Policies in force.
    pub policies: Vec<String>,
    /// (known path, capability) pairs granted.
    pub granted: u64,
    /// Of these, used.
    pub used: u64,
    /// Granted and not used.
    pub excess: u64,
    /// Distinct known paths reachable, and of these used.
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
    /// Its risk today.
    pub risk: Risk,
    /// Its risk under the `tighten` proposal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk_after: Option<Risk>,
    /// Whether a policy it holds was not among those read, so that its grants are unknown.
    pub grants_unknown: bool,
    /// What it used, and what it could do, stanza by stanza.
    pub account: Account,
}

/// What a principal used, and what it could do, stanza by stanza.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// What it asked for, the most frequent first; at most so many as there is room for.
    pub uses: Vec<PathUse>,
    /// How many there are in all.
    pub uses_total: u64,
    /// What each stanza lets it do on known paths, the most that was never used first; at most so many as there is room for.
    pub rights: Vec<StanzaRight>,
    /// How many there are in all.
    pub rights_total: u64,
    /// What becomes of what it never used.
    pub unused: UnusedCounts,
    /// The same by the policies that grant it: adds up to it.
    #[serde(skip)]
    pub shares: Vec<UnusedShare>,
}

/// How much of what a principal never used one policy grants and meets one fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedShare {
    /// What becomes of it.
    pub what: Unused,
    /// The policy.
    pub policy: Arc<str>,
    /// How many.
    pub count: u64,
}

/// What a principal asked for: one path, one capability.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PathUse {
    /// The path, namespace in front.
    pub path: Arc<str>,
    /// The capability.
    pub capability: Arc<str>,
    /// Requests that were allowed.
    pub allowed: u64,
    /// Requests that were denied.
    pub denied: u64,
    /// First seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// Last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Days (since 1970-01-01, UTC) on which it was seen: from, to.
    #[serde(with = "written::days")]
    pub days: Vec<(i32, i32)>,
    /// Why it was allowed.
    #[serde(flatten)]
    pub by: AllowedBy,
    /// Where the last request that was allowed stands, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<LogLine>,
}

/// Why something was allowed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "written::Allowed", from = "written::Allowed")]
pub enum AllowedBy {
    /// These stanzas allowed it: several where they are of one path, or where tokens held different policies.
    Stanzas(Vec<Arc<StanzaRef>>),
    /// No stanza is needed for it, or the token is root.
    NoneNeeded,
    /// The log says that it was allowed, and the policies as read do not say why.
    Unexplained,
    /// It was not allowed.
    #[default]
    Denied,
}

/// A stanza, by its policy and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StanzaRef {
    /// The policy, with its namespace in front where it has one.
    pub policy: String,
    /// The path as written.
    pub path: String,
    /// Where.
    #[serde(rename = "place")]
    pub origin: Origin,
}

/// What a principal may do by one stanza, or by several of one path, which decide together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StanzaRight {
    /// The stanzas; none for the root policy.
    pub stanzas: Vec<Arc<StanzaRef>>,
    /// (known path, capability) pairs that it decides and allows.
    pub granted: u64,
    /// Of these, used.
    pub used: u64,
    /// What becomes of the others.
    pub unused: UnusedCounts,
    /// Some known paths of which nothing was used.
    pub examples: Vec<Arc<str>>,
}

/// What becomes of something that is granted and was never used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unused {
    /// The changes take it away.
    Goes,
    /// Somebody else who holds the same policy uses it.
    Shared,
    /// It is expected to be needed.
    Expected,
    /// It lies below a glob that stays.
    Glob,
    /// Another stanza grants it too.
    Elsewhere,
    /// It is granted by a template that could not be filled in, or beside one.
    Template,
    /// It was not watched well enough.
    Suspect,
    /// It may explain what the policies as read do not.
    Unexplained,
    /// Settings or a waiver protect it.
    Protected,
    /// A change that would have taken it away could not be proven.
    Withdrawn,
}

impl Unused {
    /// All, what goes first.
    pub const ALL: [Self; 10] = [
        Self::Goes,
        Self::Shared,
        Self::Expected,
        Self::Glob,
        Self::Elsewhere,
        Self::Template,
        Self::Suspect,
        Self::Unexplained,
        Self::Protected,
        Self::Withdrawn,
    ];

    /// The word in files for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Goes => "goes",
            Self::Shared => "shared",
            Self::Expected => "expected",
            Self::Glob => "glob",
            Self::Elsewhere => "elsewhere",
            Self::Template => "template",
            Self::Suspect => "suspect",
            Self::Unexplained => "unexplained",
            Self::Protected => "protected",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// How many unused accesses meet each fate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "written::Counts", try_from = "written::Counts")]
pub struct UnusedCounts([u64; Unused::ALL.len()]);

impl UnusedCounts {
    /// How many meet this one.
    #[must_use]
    pub fn of(&self, what: Unused) -> u64 {
        self.0.get(what as usize).copied().unwrap_or_default()
    }

    /// So many more meet it.
    pub fn add(&mut self, what: Unused, more: u64) {
        if let Some(count) = self.0.get_mut(what as usize) {
            *count += more;
        }
    }

    /// So many fewer meet it.
    pub fn take(&mut self, what: Unused, fewer: u64) {
        if let Some(count) = self.0.get_mut(what as usize) {
            *count = count.saturating_sub(fewer);
        }
    }

    /// How many there are in all.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Each with its number.
    pub fn iter(&self) -> impl Iterator<Item = (Unused, u64)> + '_ {
        Unused::ALL.into_iter().zip(self.0.iter().copied())
    }
}

/// From what is unused today to what is unused under the `tighten` proposal. Its parts add up to what is unused today; those that
/// do not go add up to what is unused then.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "written::Sums", from = "written::Sums")]
pub struct Bridge {
    /// What becomes of how many, and by which policies: only what occurs, in the order of [`Unused::ALL`].
    pub parts: Vec<BridgePart>,
}

/// One part of the bridge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BridgePart {
    /// What becomes of it.
    pub what: Unused,
    /// How many (principal, known path, capability) triples.
    pub count: u64,
    /// The policies that grant them, with how many each, the most first.
    pub policies: Vec<PolicyShare>,
}

/// How much of a part one policy grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyShare {
    /// The policy.
    pub policy: String,
    /// How many.
    pub count: u64,
}

impl Bridge {
    /// What these principals never used, by what becomes of it and by the policies that grant it.
    #[must_use]
    pub fn of<'a>(principals: impl IntoIterator<Item = &'a PrincipalView>) -> Self {
        let mut sums: BTreeMap<Unused, BTreeMap<&str, u64>> = BTreeMap::new();
        for share in principals.into_iter().flat_map(|one| &one.account.shares) {
            *sums.entry(share.what).or_default().entry(&share.policy).or_default() += share.count;
        }
        let parts = sums.into_iter().map(|(what, by_policy)| {
            let mut policies: Vec<PolicyShare> = by_policy
                .into_iter()
                .map(|(policy, count)| PolicyShare {
                    policy: policy.to_owned(),
                    count,
                })
                .collect();
            policies.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.policy.cmp(&b.policy)));
            BridgePart {
                what,
                count: policies.iter().map(|share| share.count).sum(),
                policies,
            }
        });
        Self { parts: parts.collect() }
    }

    /// What is granted and unused today.
    #[must_use]
    pub fn today(&self) -> u64 {
        self.parts.iter().map(|part| part.count).sum()
    }

    /// What is granted and unused under the proposal.
    #[must_use]
    pub fn proposed(&self) -> u64 {
        let stays = self.parts.iter().filter(|part| part.what != Unused::Goes);
        stays.map(|part| part.count).sum()
    }
}

/// A risk score with its parts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Risk {
    /// 0 to 100.
    #[serde(serialize_with = "rounded")]
    pub score: f64,
    /// The weight behind the score, before the curve.
    #[serde(serialize_with = "rounded")]
    pub weight: f64,
    /// Plain sentences: "can read 500 secrets, used 5".
    pub parts: Vec<String>,
}

/// One policy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyView {
    /// Its namespace, `""` or `a/`.
    #[serde(skip)]
    pub namespace: Arc<str>,
    /// Name.
    pub name: String,
    /// File.
    pub file: String,
    /// Who holds it.
    pub holders: Vec<String>,
    /// Its stanzas.
    pub stanzas: Vec<StanzaView>,
    /// Its risk: what one holder more would be exposed to.
    pub risk: Risk,
}

impl PolicyView {
    /// Its name for people: with the namespace in front, where there is one.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}{}", self.namespace, self.name)
    }
}

/// One stanza.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StanzaView {
    /// Path as written.
    pub path: String,
    /// Where.
    pub origin: Origin,
    /// Capabilities with their use: capability, requests that this stanza allowed, principals that used it.
    pub capabilities: Vec<CapabilityUse>,
}

/// Use of one capability of one stanza.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CapabilityUse {
    /// The capability.
    pub capability: String,
    /// Requests.
    pub requests: u64,
    /// Principals.
    pub principals: u64,
    /// Last used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
    /// What is held of it: in use, suspect, removable.
    pub state: EvidenceState,
    /// Why it stays, where nobody used it and no change takes it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stays: Option<Unused>,
}

/// How sure an "unused" is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvidenceState {
    /// It was used in what was seen.
    #[default]
    InUse,
    /// Not used in what was seen, but not long or well enough observed.
    Suspect,
    /// Not used, and well enough observed to propose its removal.
    Removable,
}

impl EvidenceState {
    /// The word in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InUse => "in use",
            Self::Suspect => "suspect",
            Self::Removable => "removable",
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
    #[serde(serialize_with = "rounded")]
    pub window_days: f64,
    /// Days that had to pass before it may be removed.
    #[serde(serialize_with = "rounded")]
    pub dwell_days: f64,
    /// The reasoning, as sentences.
    pub reasons: Vec<String>,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    #[default]
    Info,
    /// Tidy up.
    Low,
    /// Should be changed.
    Medium,
    /// Should be changed soon.
    High,
    /// Change today.
    Critical,
}

impl Severity {
    /// All, the least first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word in outputs and settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// A rule, for the help that goes with its findings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleView {
    /// Its id.
    pub id: String,
    /// How grave its findings are, where nothing says otherwise.
    pub severity: Severity,
    /// One line: what it finds.
    pub summary: String,
    /// Its page of the docs, in Markdown; empty where there is none.
    pub help: String,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Subject {
    /// `policy`, `stanza`, `capability`, `principal`, `role`, `group`, `server`.
    pub kind: String,
    /// Its name: policy name, principal name, ...
    pub name: String,
    /// What tells it from others of its name, for whoever matches it: `entity:6d1f…` for a principal.
    #[serde(skip)]
    pub key: String,
}

/// One finding of one rule.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Finding {
    /// Stable over runs, moved lines and renamed files: rule and subject, hashed. Also the anchor in the report.
    pub fingerprint: String,
    /// The rule's id.
    pub rule: Arc<str>,
    /// How grave.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// A few sentences.
    pub detail: String,
    /// What it is about.
    pub subject: Subject,
    /// Places in policy files.
    #[serde(rename = "places")]
    pub origins: Vec<Origin>,
    /// How well it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// What to do.
    pub remedy: String,
    /// The policy whose diff (in the `tighten` proposal) mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed_in: Option<String>,
    /// Why no change is proposed that would mend it, where it is about something that was not used and stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stays: Option<Unused>,
    /// Who is meant, all by name, where it is about several principals.
    pub who: Vec<String>,
}

/// A set of changes, proven.
#[derive(Debug, Clone, Default)]
pub struct Proposal {
    /// `tighten` or `redesign`.
    pub kind: String,
    /// One line.
    pub title: String,
    /// Policies as they would be.
    pub policies: Vec<ProposedPolicy>,
    /// Who gets what: only where it changes.
    pub assignments: Vec<Assignment>,
    /// Size and exposure before.
    pub before: Complexity,
    /// Size and exposure after.
    pub after: Complexity,
    /// The proof.
    pub proof: Proof,
    /// Changes that were considered and withdrawn, with the reason.
    pub withdrawn: Vec<Withdrawn>,
    /// Steps in the order to take them.
    pub migration: Vec<String>,
    /// The same for a program, in waves; empty where nobody worked out an order.
    pub waves: Vec<Wave>,
    /// The objective's value, its lower bound, whether it is optimal.
    pub optimality: Optimality,
    /// Wrong denials that are expected; none where nothing was asked of the future.
    pub expected: Option<Expected>,
    /// Files that change with it, where policies stand inside of other files.
    pub files: Vec<FileChange>,
    /// The same, wave by wave: each from what the wave before left.
    pub wave_files: Vec<Vec<FileChange>>,
    /// The commits of a branch with these changes, in order; none where nobody worked them out.
    pub commits: Vec<Commit>,
    /// Who owns the files that policies were read from, where somebody says so.
    pub owners: BTreeMap<Arc<str>, String>,
    /// Ids of the principals that get other policies than they hold.
    pub changed_for: BTreeSet<String>,
}

/// Wrong denials that are expected in days ahead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Expected {
    /// Days ahead.
    pub horizon_days: i32,
    /// How many are expected.
    #[serde(serialize_with = "rounded")]
    pub denied: f64,
    /// Nine times of ten at least these.
    #[serde(serialize_with = "rounded")]
    pub low: f64,
    /// Nine times of ten at most these.
    #[serde(serialize_with = "rounded")]
    pub high: f64,
}

/// A commit of a branch: what an owner changes in a wave, as far as nobody else's step has to come between.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Commit {
    /// Index of the wave.
    pub wave: usize,
    /// Whose files it changes; empty where nobody says so.
    pub owner: String,
    /// The policies that it changes, in order: their places in [`Proposal::policies`], and what each is then.
    pub changes: Vec<(usize, Text)>,
    /// The files that change with it, where policies stand inside of other files: each from what the commit before left.
    pub files: Vec<FileChange>,
}

/// A file of a repository that changes with the policies in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileChange {
    /// The file as read.
    pub file: Arc<str>,
    /// As it was read.
    pub old: Arc<str>,
    /// As it is to be.
    pub new: String,
    /// The policies that change, by their labels.
    pub policies: Vec<String>,
}

/// Steps that can be applied by themselves, with all earlier waves in force.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wave {
    /// One line: what they have in common.
    pub title: String,
    /// Whether it has to wait until no token needs what it takes away.
    pub second_half: bool,
    /// Wrong denials that are expected of it, where somebody looked ahead.
    pub promised: Option<f64>,
    /// Steps in order.
    pub steps: Vec<Step>,
}

/// One write on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A policy gets another text, appears or goes.
    Policy {
        /// Index into [`Proposal::policies`].
        policy: usize,
        /// What it is then.
        to: Text,
        /// Whether it matters to nobody when it is done.
        free: bool,
    },
    /// A holder gets another list of policies.
    Holder {
        /// Index into [`Proposal::assignments`].
        assignment: usize,
        /// Its policies then.
        to: Vec<String>,
    },
}

/// What a policy is after a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// A text on the way to the one proposed.
    Between(Arc<str>),
    /// As proposed: gone, where it is to go.
    Proposed,
}

/// One policy of a proposal.
#[derive(Debug, Clone, Default)]
pub struct ProposedPolicy {
    /// Its namespace, `""` or `a/`.
    pub namespace: Arc<str>,
    /// Name.
    pub name: String,
    /// The file as read, where there was one.
    pub file: Option<Arc<str>>,
    /// The text as read, where there was one.
    pub original: Option<Arc<str>>,
    /// The proposed text; none where the policy is to be deleted.
    pub text: Option<String>,
    /// What happens to it.
    pub change: Change,
    /// Why, a sentence a change.
    pub reasons: Vec<String>,
    /// Wrong denials that are expected of its change.
    pub expected: Option<Expected>,
    /// Stanzas: path, capabilities (for Terraform and tables).
    pub stanzas: Vec<(String, Vec<String>)>,
    /// Who holds it.
    pub holders: Vec<String>,
    /// What all its holders share (group, metadata, mount), where it is a new role.
    pub shared: Option<String>,
    /// Whether it stays because it was asked for.
    pub kept: bool,
    /// Where its text is written, where that is inside of another file.
    pub written: Option<Arc<Written>>,
    /// Those with the same number keep the order of their steps; it may stand anywhere where there is none.
    pub tied: Option<usize>,
    /// Whether its change stays out of the files that were read, and is made by hand or on the server.
    pub by_hand: bool,
}

impl ProposedPolicy {
    /// Whether its file is its text, and changes with it.
    #[must_use]
    pub fn is_its_file(&self) -> bool {
        self.written.is_none() && !self.by_hand
    }

    /// Its name for people: with the namespace in front, where there is one.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}{}", self.namespace, self.name)
    }
}

/// What happens to a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Change {
    /// It stays.
    #[default]
    Keep,
    /// Its text changes.
    Edit,
    /// It is new.
    Add,
    /// It goes.
    Delete,
}

impl Change {
    /// The word in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Edit => "edit",
            Self::Add => "add",
            Self::Delete => "delete",
        }
    }
}

/// The policies of one holder, before and after.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Assignment {
    /// Its namespace, `""` or `a/`.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub namespace: Arc<str>,
    /// `entity`, `group`, `approle`, `userpass`, `role`, `token`, ...
    pub kind: String,
    /// Key of the holder (entity id, `auth/approle/role`), for scripts.
    pub id: String,
    /// Name of the holder.
    pub name: String,
    /// Auth mount where it logs in.
    pub mount: String,
    /// Policies now.
    pub before: Vec<String>,
    /// Policies proposed.
    pub after: Vec<String>,
}

/// Size and exposure of a policy set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Complexity {
    /// Policies.
    pub policies: u64,
    /// Stanzas.
    pub stanzas: u64,
    /// Assignments (holder, policy).
    pub assignments: u64,
    /// Granted and unused (principal, known path, capability) triples.
    pub exposure: u64,
    /// Weighted structural complexity: policies + assignments + stanzas.
    pub wsc: u64,
    /// Mean risk of the principals.
    #[serde(serialize_with = "rounded")]
    pub risk_mean: f64,
}

/// The proof of a proposal.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Proof {
    /// Demands decided again.
    pub demands_replayed: u64,
    /// Allowed requests behind them.
    pub requests_replayed: u64,
    /// Allowed demands that the proposal would deny.
    pub newly_denied: u64,
    /// Accesses that the proposal would grant and today's set does not.
    pub newly_granted: u64,
    /// Principals replayed.
    pub principals: u64,
    /// Combinations of policies compared.
    pub combinations: u64,
    /// Combinations compared completely (proven over all requests, not only the logged ones).
    pub combinations_proven: u64,
    /// Demands that today's policies do not explain (stale policies, or a holder whose grants are unknown).
    pub not_explained: u64,
}

impl Proof {
    /// Whether nothing breaks and nothing is gained.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.newly_denied == 0 && self.newly_granted == 0
    }
}

/// Something considered and not proposed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Withdrawn {
    /// What.
    pub what: String,
    /// Why.
    pub reason: String,
}

/// How close to the best possible.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Optimality {
    /// What was minimised.
    pub objective: String,
    /// Its value.
    #[serde(serialize_with = "rounded")]
    pub cost: f64,
    /// No solution is cheaper than this.
    #[serde(serialize_with = "rounded")]
    pub lower_bound: f64,
    /// Whether the value is proved to be the least.
    pub optimal: bool,
    /// Seconds spent; absent in golden outputs.
    #[serde(serialize_with = "rounded_if_any", skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// A point of the trade-off curve.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FrontierPoint {
    /// Wrong denials that may be expected, for each use that is expected.
    pub budget: f64,
    /// What stays open within it, by weight.
    #[serde(serialize_with = "rounded")]
    pub open: f64,
    /// Wrong denials that are expected.
    #[serde(serialize_with = "rounded")]
    pub denied: f64,
    /// Nine times of ten there are at least these.
    #[serde(serialize_with = "rounded")]
    pub denied_low: f64,
    /// And at most these.
    #[serde(serialize_with = "rounded")]
    pub denied_high: f64,
    /// Whether this is the point proposed.
    pub chosen: bool,
}

/// A chain by which a principal becomes more than it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Escalation {
    /// Principal; where several have the same policies, the first and how many more.
    pub principal: String,
    /// All for whom the chain holds, by name.
    pub principals: Vec<String>,
    /// What it can become: `root`, a policy, another principal.
    pub target: String,
    /// What it can do at the end: "can give itself any policy".
    #[serde(skip)]
    pub says: String,
    /// The steps, each a sentence, the shortest chain.
    pub steps: Vec<String>,
    /// The nodes of the chain, for drawing.
    pub nodes: Vec<String>,
    /// Other ways to the same in one step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

/// Groups of principals × groups of paths.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeatMap {
    /// Rows: label, principals in it.
    pub rows: Vec<HeatGroup>,
    /// Columns: label, paths in it.
    pub columns: Vec<HeatGroup>,
    /// Cells with anything granted or used: (row, column) → counts.
    #[serde(with = "written::cells")]
    pub cells: BTreeMap<(u32, u32), HeatCell>,
    /// Principals that are in no row, since there are too many.
    pub omitted: u64,
}

impl HeatMap {
    /// What of it is about some principals, by their ids: their rows, and the columns in which one of them has anything.
    #[must_use]
    pub fn of(&self, principals: &BTreeSet<&str>) -> Self {
        let is_meant = |at: &u32| {
            let row = self.rows.get(*at as usize);
            row.is_some_and(|row| principals.contains(row.id.as_str()))
        };
        let meant: Vec<(&(u32, u32), &HeatCell)> = self.cells.iter().filter(|((row, _), _)| is_meant(row)).collect();
        let rows = Lines::of((0_u32..).zip(&self.rows).map(|(at, _)| at).filter(is_meant).collect());
        let columns = Lines::of(meant.iter().map(|((_, column), _)| *column).collect());
        let cells = meant
            .iter()
            .filter_map(|((row, column), cell)| Some(((rows.at(*row)?, columns.at(*column)?), **cell)));
        Self {
            cells: cells.collect(),
            omitted: (principals.len() as u64).saturating_sub(rows.0.len() as u64),
            rows: rows.take(&self.rows),
            columns: columns.take(&self.columns),
        }
    }
}

/// Some of the rows or columns of a heat map, in their order.
struct Lines(Vec<u32>);

impl Lines {
    fn of(meant: BTreeSet<u32>) -> Self {
        Self(meant.into_iter().collect())
    }

    /// The place among these.
    fn at(&self, line: u32) -> Option<u32> {
        u32::try_from(self.0.binary_search(&line).ok()?).ok()
    }

    fn take(&self, all: &[HeatGroup]) -> Vec<HeatGroup> {
        self.0.iter().filter_map(|at| all.get(*at as usize)).cloned().collect()
    }
}

/// One row or column of the heat map.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeatGroup {
    /// Of a row of one principal: its id.
    #[serde(skip)]
    pub id: String,
    /// Its label: a principal, or a folder of paths.
    pub label: String,
    /// Label of the group that it belongs to (auth mount or team; mount), for zooming.
    pub group: String,
    /// How many principals or paths are in it.
    pub size: u64,
}

/// Counts of one cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeatCell {
    /// (principal, path, capability) triples granted.
    pub granted: u64,
    /// Of these, used.
    pub used: u64,
}

/// Four digits after the point: more would differ between machines and say nothing.
#[must_use]
pub fn round(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

fn rounded<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(round(*value))
}

fn rounded_if_any<S: Serializer>(value: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    value.map(round).serialize(to)
}
