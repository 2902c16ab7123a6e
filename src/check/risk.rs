//! The budget of risk: the holders, or where none are known the policies, whose risk is over it.

use super::rules::{OVER_BUDGET, severity};
use crate::access::weight::Weighed;
use crate::access::{self, Joined, Universe};
use crate::advice::{Finding, Subject};
use crate::analysis::risk::{self, Exposure};
use crate::analysis::rule::fingerprint;
use crate::policy::acl::Acl;
use crate::policy::pattern::Pattern;
use crate::policy::template::Identity;
use crate::settings::Settings;
use rayon::prelude::*;
use std::sync::Arc;

/// Who is over the budget.
#[must_use]
pub fn over_budget(joined: &Joined, exposures: &[Exposure], settings: &Settings, most: f64) -> Vec<Finding> {
    if joined.holders.is_empty() {
        return of_policies(joined, settings, most);
    }
    joined
        .holders
        .iter()
        .zip(exposures)
        .filter(|(_, exposure)| exposure.risk.score > most)
        .map(|(holder, exposure)| finding("principal", holder.display(), &holder.key(), exposure, most))
        .collect()
}

/// Each policy as if it were held alone, over the paths that the policies name.
fn of_policies(joined: &Joined, settings: &Settings, most: f64) -> Vec<Finding> {
    let named = joined.policies.iter().flat_map(|policy| {
        policy.stanzas.iter().filter_map(|stanza| {
            let pattern = Pattern::parse(&stanza.path, &policy.namespace).ok()?;
            pattern.is_exact().then_some(pattern.text.to_string())
        })
    });
    let universe = Universe::new(named.collect());
    let weighed = Weighed::new(&settings.weights, &universe);
    joined
        .policies
        .as_slice()
        .par_iter()
        .filter_map(|policy| {
            let acl = Acl::compile(joined.profile, &[policy], &Identity::default(), joined.now);
            let reach = access::reach(&acl, &universe);
            let exposure = risk::exposure(&reach, None, &weighed);
            let key = policy.id().to_string();
            (exposure.risk.score > most).then(|| {
                let mut found = finding("policy", &key, &key, &exposure, most);
                found.origins.extend(policy.stanzas.first().map(|s| s.origin.clone()));
                found
            })
        })
        .collect()
}

fn finding(kind: &str, name: &str, key: &str, exposure: &Exposure, most: f64) -> Finding {
    let parts: Vec<&str> = exposure.risk.parts.iter().take(3).map(String::as_str).collect();
    Finding {
        fingerprint: fingerprint(OVER_BUDGET, kind, key),
        rule: Arc::from(OVER_BUDGET),
        severity: severity(OVER_BUDGET),
        title: format!(
            "the risk of {kind} `{name}` is {:.1}, and the budget {most:.1}",
            exposure.risk.score
        ),
        detail: format!("Made of: {}.", parts.join("; ")),
        subject: Subject {
            kind: kind.to_owned(),
            name: name.to_owned(),
            key: String::new(),
        },
        origins: Vec::new(),
        evidence: None,
        remedy: "Grant less, or raise the budget.".to_owned(),
        fixed_in: None,
        stays: None,
        who: Vec::new(),
    }
}
