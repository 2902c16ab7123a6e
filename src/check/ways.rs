//! Findings about policies of Terraform in the ways that files may set their variables: whether Terraform is told to read a
//! `prod.tfvars` is not known, so each way has to be as good as the one without.

use super::given::{Options, Seen};
use super::source::Ways;
use super::{access, warnings};
use crate::access::{Inputs, Joined};
use crate::advice::Finding;
use crate::pipeline::place::{Changed, Places};
use crate::pipeline::{self, Question};
use crate::policy::model::Policy;
use crate::policy::table::Table;
use crate::settings::RuleLevel;
use crate::sources::{Way, way_said};
use crate::usage::Facts;
use crate::vault::PolicyId;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What was there before: the policies, and the ways that they may be.
pub struct Before<'b> {
    /// The policies.
    pub policies: &'b [Policy],
    /// In each way.
    pub ways: &'b Ways,
}

/// What is found in any of the ways.
pub fn findings(
    joined: &Joined,
    ways: &Ways,
    before: Option<&Before<'_>>,
    levels: &BTreeMap<String, RuleLevel>,
    options: &Options<'_>,
    known: &[Finding],
) -> Vec<Finding> {
    // One finding may say more in one way than in another: only what says the same is the same.
    let id = |finding: &Finding| {
        (
            finding.fingerprint.clone(),
            finding.title.clone(),
            finding.detail.clone(),
        )
    };
    let mut seen: HashSet<_> = known.iter().map(id).collect();
    let all: BTreeSet<&Way> = ways.set().chain(before.iter().flat_map(|b| b.ways.set())).collect();
    let now = options.now.as_second();
    let plain: HashMap<PolicyId, &Policy> = joined.policies.iter().map(|policy| (policy.id(), policy)).collect();
    let mut found = Vec::new();
    for way in all {
        let new = ways.taken(joined.policies.as_slice(), way);
        let differ = |policy: &&Policy| plain.get(&policy.id()) != Some(policy);
        let other: Vec<Policy> = new.iter().filter(differ).cloned().collect();
        let mut these = alone(other, levels, options);
        if let Some(before) = before {
            let old = before.ways.taken(before.policies, way);
            let new = Table::from(new);
            let (changed, places) = (Changed::new(&old, &new), Places::new(&new));
            these.retain(|finding| changed.touches(finding, &places));
            these.extend(access::findings(options.profile, &old, &new, joined, &changed, now));
        }
        for mut finding in these.into_iter().filter(|finding| seen.insert(id(finding))) {
            finding.detail = format!("{}{}.", told(&finding.detail), said(way));
            found.push(finding);
        }
    }
    found
}

/// What the policies are by themselves, without anybody who used them.
fn alone(policies: Vec<Policy>, levels: &BTreeMap<String, RuleLevel>, options: &Options<'_>) -> Vec<Finding> {
    if policies.is_empty() {
        return Vec::new();
    }
    let settings = options.settings;
    let nothing = Seen::nothing();
    let analysis = pipeline::analyse(Question {
        inputs: Inputs {
            facts: Facts::default(),
            policies,
            deployment: None,
            profile: options.profile,
            now: Some(options.now.as_second()),
        },
        watch: nothing.watch,
        last: None,
        evidence: &settings.evidence,
        weights: &settings.weights,
        kv2_closure: settings.price.kv2_closure,
    });
    let mut found = analysis.findings(levels, None);
    found.extend(warnings::warnings(&analysis.joined, None).0);
    found
}

fn told(detail: &str) -> String {
    if detail.is_empty() {
        String::new()
    } else {
        format!("{detail} ")
    }
}

/// Which files set which variables.
fn said(way: &Way) -> String {
    format!("So with {}", way_said(way))
}
