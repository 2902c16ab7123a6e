//! `unused-stanza`: a stanza of a held policy through which nothing was done in what was seen.

use crate::advice::Severity;
use crate::analysis::rule::{Context, Draft, Rule, count};
use crate::vault::Capability;

/// The rule.
pub struct UnusedStanza;

impl Rule for UnusedStanza {
    fn id(&self) -> &'static str {
        "unused-stanza"
    }

    fn severity(&self) -> Severity {
        Severity::Medium
    }

    fn summary(&self) -> &'static str {
        "a stanza through which nothing was done in what was seen"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        let joined = context.joined;
        let mut drafts = Vec::new();
        for (p, (policy, held)) in joined.policies.iter().zip(&joined.held_by).enumerate() {
            // The servers' own `default` policy is for everybody's own token: unused lines there are no excess worth a finding.
            if held.is_empty() || &*policy.name == "default" {
                continue;
            }
            for (s, stanza) in policy.stanzas.iter().enumerate() {
                let grants = stanza.capability_set();
                let unfilled = joined.sets.iter().any(|set| set.unfilled.contains(&(p, s)));
                if joined.uses.contains_key(&(p, s)) || grants.is_empty() || grants.contains(Capability::Deny) || unfilled {
                    continue;
                }
                drafts.push(Draft {
                    kind: "stanza",
                    name: format!("{} {}", policy.name, stanza.path),
                    key: format!("{}{} {}", policy.namespace, policy.name, stanza.path),
                    title: format!("nobody used `{}` of policy `{}`", stanza.path, policy.name),
                    detail: format!(
                        "It grants {grants} to {} ({}); no allowed request in what was seen was decided by it.",
                        count(held.len(), "holder"),
                        context.names(held.iter().copied(), 3),
                    ),
                    origins: vec![stanza.origin.clone()],
                    evidence: Some(context.evidence_of(p)),
                    remedy: "Remove the stanza.".to_owned(),
                    fixed_in: Some(policy.name.to_string()),
                    severity: None,
                });
            }
        }
        drafts
    }
}
