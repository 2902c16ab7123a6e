//! `unused-capability`: a stanza that is used, with a capability that is not.

use crate::advice::Severity;
use crate::analysis::rule::{Context, Draft, Rule, count};
use crate::vault::{Capability, CapabilitySet};

/// The rule.
pub struct UnusedCapability;

impl Rule for UnusedCapability {
    fn id(&self) -> &'static str {
        "unused-capability"
    }

    fn severity(&self) -> Severity {
        Severity::Medium
    }

    fn summary(&self) -> &'static str {
        "a capability of a used stanza that nobody used in what was seen"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        let joined = context.joined;
        let mut drafts = Vec::new();
        for (&(p, s), uses) in &joined.uses {
            let (Some(policy), Some(stanza)) = (joined.policies.get(p), joined.stanza((p, s))) else { continue };
            let used: CapabilitySet = uses.keys().copied().collect();
            // An unused `sudo` has a rule of its own.
            let unused = stanza.capability_set().difference(used).difference(CapabilitySet::of(Capability::Sudo));
            if unused.is_empty() || &*policy.name == "default" {
                continue;
            }
            let requests: u64 = uses.values().map(|u| u.requests).sum();
            drafts.push(Draft {
                kind: "capability",
                name: format!("{} {}", policy.name, stanza.path),
                key: format!("{}{} {}", policy.namespace, policy.name, stanza.path),
                title: format!("`{}` of policy `{}` was never used for {unused}", stanza.path, policy.name),
                detail: format!(
                    "{} were decided by it, all of them {used}; it also grants {unused} to {}.",
                    count(usize::try_from(requests).unwrap_or(usize::MAX), "request"),
                    count(joined.held_by.get(p).map_or(0, |h| h.len()), "holder"),
                ),
                origins: vec![stanza.origin.clone()],
                evidence: Some(context.evidence_of(p)),
                remedy: format!("Take {unused} out of its capabilities."),
                fixed_in: Some(policy.name.to_string()),
                severity: None,
            });
        }
        drafts
    }
}
