//! `unused-policy`: a policy that nobody held in what was seen.

use crate::advice::Severity;
use crate::analysis::rule::{Context, Draft, Rule};
use crate::origin::Origin;

/// The rule.
pub struct UnusedPolicy;

impl Rule for UnusedPolicy {
    fn id(&self) -> &'static str {
        "unused-policy"
    }

    fn severity(&self) -> Severity {
        Severity::Low
    }

    fn summary(&self) -> &'static str {
        "a policy that nobody held in what was seen"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        let joined = context.joined;
        joined
            .policies
            .iter()
            .zip(&joined.held_by)
            .enumerate()
            .filter(|(_, (policy, held))| held.is_empty() && !policy.is_root() && &*policy.name != "default")
            .map(|(p, (policy, _))| Draft {
                kind: "policy",
                name: policy.name.to_string(),
                key: format!("{}{}", policy.namespace, policy.name),
                title: format!("policy `{}` was held by nobody", policy.name),
                detail: format!(
                    "No token, entity, group or role in what was seen held it. Its {} stanzas grant nothing today, and whatever they \
                     say to whoever gets it tomorrow.",
                    policy.stanzas.len()
                ),
                origins: vec![
                    policy
                        .stanzas
                        .first()
                        .map_or_else(|| Origin::new(policy.file.clone(), 1, 1), |s| s.origin.clone()),
                ],
                evidence: Some(context.evidence_of(p)),
                remedy: "Delete the policy, or name who needs it.".to_owned(),
                fixed_in: Some(policy.name.to_string()),
                severity: None,
            })
            .collect()
    }
}
