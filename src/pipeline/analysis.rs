//! The one analysis: usage joined with grants, how far each "unused" can be believed, what is exposed, who can take over what,
//! and the findings of the rules. `advise`, `check` and `backtest` each read from it, and none makes its own.

use super::exposure;
use crate::access::weight::{Weighed, Weights};
use crate::access::{self, Holder, Inputs, Joined, PolicyNumber, StanzaId};
use crate::advice::{Evidence, Finding};
use crate::analysis::access_graph::{self, Chain};
use crate::analysis::evidence::{self, EvidenceSettings, Watch};
use crate::analysis::lately::Lately;
use crate::analysis::newcomers::Newcomers;
use crate::analysis::risk::Exposure;
use crate::analysis::rule::{self, Context, Proposed};
use crate::analysis::rules;
use crate::deployment::Deployment;
use crate::index::IndexVec;
use crate::policy::model::Policy;
use crate::settings::RuleLevel;
use jiff::Timestamp;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// What is analysed, and how.
pub struct Question<'a> {
    /// What the logs say and what is granted.
    pub inputs: Inputs<'a>,
    /// What the logs are worth.
    pub watch: Watch,
    /// When they end.
    pub last: Option<Timestamp>,
    /// What an "unused" needs to be believed.
    pub evidence: &'a EvidenceSettings,
    /// Weights of exposure.
    pub weights: &'a Weights,
    /// Whether what belongs together in KV version 2 counts as needed together.
    pub kv2_closure: bool,
}

/// What there is to know before anything is proposed.
pub struct Analysis<'a> {
    /// Usage joined with grants.
    pub joined: Joined,
    /// The deployment, where one was given.
    pub deployment: Option<&'a Deployment>,
    /// What the logs are worth.
    pub watch: Watch,
    /// How far each policy's "unused" can be believed, by policy.
    pub evidence: IndexVec<Policy, Evidence>,
    /// Accesses to KV version 2 that count as needed though nobody used them; none where that was not asked for.
    pub kept_kv2: Option<usize>,
    last: Option<Timestamp>,
    settings: &'a EvidenceSettings,
    weights: &'a Weights,
    exposures: OnceLock<IndexVec<Holder, Exposure>>,
    chains: OnceLock<Vec<Chain>>,
}

/// Analyses.
#[must_use]
pub fn analyse(question: Question<'_>) -> Analysis<'_> {
    let Question {
        inputs,
        watch,
        last,
        evidence: settings,
        weights,
        kv2_closure,
    } = question;
    let deployment = inputs.deployment;
    let mut joined = access::join(inputs);
    joined.stays.lately = Lately::new(&joined, &watch, settings, last).holders();
    let kept_kv2 = kv2_closure.then(|| access::closures::keep_kv2(&mut joined, deployment));
    Analysis {
        evidence: evidence::of_policies(&joined, &watch, settings, last),
        joined,
        deployment,
        watch,
        kept_kv2,
        last,
        settings,
        weights,
        exposures: OnceLock::new(),
        chains: OnceLock::new(),
    }
}

impl Analysis<'_> {
    /// Keeps these stanzas, and these policies from being deleted; what is known of each policy's "unused" follows.
    pub fn keep(&mut self, stanzas: BTreeMap<StanzaId, Arc<str>>, policies: &BTreeSet<PolicyNumber>) {
        self.joined.keep(stanzas, policies);
        self.evidence = evidence::of_policies(&self.joined, &self.watch, self.settings, self.last);
    }

    /// The policies that may be tightened.
    #[must_use]
    pub fn removable(&self) -> IndexVec<Policy, bool> {
        evidence::removable(&self.joined, &self.evidence)
    }

    /// The policies that are not deleted, whatever known holders get.
    #[must_use]
    pub fn lingering(&self) -> IndexVec<Policy, bool> {
        let newcomers = Newcomers::of(&self.joined, &self.watch, self.settings, self.last);
        self.joined.policies.map(|policy| newcomers.may_have(&policy.id()))
    }

    /// What each path and capability weighs.
    #[must_use]
    pub fn weighed(&self) -> Weighed<'_> {
        Weighed::new(self.weights, &self.joined.universe)
    }

    /// What every holder is exposed to today.
    pub fn exposures(&self) -> &IndexVec<Holder, Exposure> {
        self.exposures
            .get_or_init(|| exposure::today(&self.joined, &self.weighed()))
    }

    /// Who can take over what.
    pub fn chains(&self) -> &[Chain] {
        self.chains
            .get_or_init(|| access_graph::chains(&self.joined, self.deployment))
    }

    /// Findings of every rule that is on, the gravest first; `after` are the policies as they are proposed.
    #[must_use]
    pub fn findings(&self, levels: &BTreeMap<String, RuleLevel>, after: Option<Proposed<'_>>) -> Vec<Finding> {
        let context = Context {
            joined: &self.joined,
            deployment: self.deployment,
            evidence: &self.evidence,
            exposures: self.exposures(),
            chains: self.chains(),
            watch: &self.watch,
            after,
        };
        let mut findings: Vec<_> = rules::all()
            .into_par_iter()
            .filter_map(|r| {
                let level = levels.get(r.id()).map_or(Some(r.severity()), |l| l.severity());
                level.map(|severity| rule::run(r, severity, &context))
            })
            .flatten()
            .collect();
        findings.sort_by(|a, b| {
            (b.severity, &a.rule, &a.subject, &a.fingerprint).cmp(&(a.severity, &b.rule, &b.subject, &b.fingerprint))
        });
        findings
    }
}
