//! `policy-missing`: a name that is attached to somebody and that no policy was read for.

use super::about;
use crate::access::Outcome;
use crate::advice::Severity;
use crate::analysis::rule::{Context, Draft, Rule, count};
use crate::vault::PolicyId;
use std::collections::HashMap;

/// The rule.
pub struct PolicyMissing;

impl Rule for PolicyMissing {
    fn id(&self) -> &'static str {
        "policy-missing"
    }

    fn severity(&self) -> Severity {
        Severity::Medium
    }

    fn summary(&self) -> &'static str {
        "a policy that is attached and was not among those read"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        let joined = context.joined;
        // Requests that the policies read do not explain, by the missing names that may explain them.
        let mut unexplained: HashMap<&PolicyId, u64> = HashMap::new();
        for d in joined.demands.iter().filter(|d| d.outcome == Outcome::NotExplained) {
            for policy in &joined.sets[d.set].missing {
                *unexplained.entry(policy).or_default() += d.demand.allowed;
            }
        }
        joined
            .not_read.held
            .iter()
            .filter(|(policy, _)| !["response-wrapping", "control-group"].contains(&&*policy.name))
            .map(|(policy, holders)| {
                let name = policy.to_string();
                let does_something = unexplained.get(policy).copied().unwrap_or(0);
                let who = format!("{} ({})", count(holders.len(), "principal"), context.names(holders.iter().copied(), 3));
                let mut draft = Draft {
                    kind: "policy",
                    name: name.clone(),
                    key: name.clone(),
                    title: format!("policy `{name}` is attached, and was not read"),
                    who: holders.iter().copied().collect(),
                    ..Draft::default()
                };
                if policy.is_default() {
                    draft.detail = format!("The servers attach it to {who} by themselves; what it allows here is not known.");
                    draft.remedy = "Export `default` with the other policies.".to_owned();
                    draft.severity = Some(Severity::Info);
                } else if joined.not_read.nowhere.contains(policy) {
                    draft.title = format!("policy `{name}` is attached, and does not exist");
                    draft.detail = format!(
                        "It was in force for {who}, and the server had no such policy when the snapshot was taken: whoever may write \
                         `sys/policies/acl/{name}` decides what they can do."
                    );
                    draft.remedy = "Detach the name, or write the policy that was meant.".to_owned();
                } else if does_something > 0 {
                    draft.detail = format!(
                        "It was in force for {who}. {} of theirs were allowed that the policies read do not explain, so it does exist \
                         on the server. What it allows besides is unknown, and nothing of theirs is taken away.",
                        about::requests(does_something)
                    );
                    draft.remedy = "Export it with the other policies and run again.".to_owned();
                } else {
                    draft.detail = format!(
                        "It was in force for {who}, and every request of theirs is explained without it. Either it was not exported, or \
                         it does not exist: then whoever may write `sys/policies/acl/{name}` decides what they can do."
                    );
                    draft.remedy = "If it exists, export it; if not, detach the name or write the policy that was meant.".to_owned();
                }
                draft
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::{check, titles};

    #[test]
    fn fixtures() {
        let found = check(
            &PolicyMissing,
            include_str!("../../../fixtures/rules/policy-missing/found.txt"),
        );
        let names: Vec<&str> = found.iter().map(|d| &*d.name).collect();
        assert_eq!(names, ["default", "legacy", "typo"]);
        assert!(
            found[1].detail.contains("4 requests of theirs were allowed"),
            "{}",
            found[1].detail
        );
        assert!(found[2].remedy.contains("detach"));
        assert!(
            titles(
                &PolicyMissing,
                include_str!("../../../fixtures/rules/policy-missing/clean.txt")
            )
            .is_empty()
        );
    }
}
