//! `unused-policy`: a policy that nobody held in what was seen.

use super::about;
use crate::advice::{EvidenceState, Severity};
use crate::analysis::rule::{Context, Draft, Mend, Rule, count, quoted};
use crate::vault::{CapabilitySet, PolicyId};
use std::collections::HashMap;

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
        let given_by = given_by(context);
        joined
            .policies
            .numbered()
            .filter(|(number, policy)| joined.held[*number].by.is_empty() && !about::is_built_in(&policy.name))
            .map(|(number, policy)| {
                let mut evidence = context.evidence_of(number);
                let mut draft = about::policy(policy);
                draft.title = format!("policy `{}` was held by nobody", policy.id());
                let stanzas = count(policy.stanzas.len(), "stanza");
                if let Some(givers) = given_by.get(&policy.id()) {
                    // Who gets it through one of these may just not have logged in: that is no reason to delete it.
                    let givers = quoted(givers, 3);
                    evidence.state = evidence.state.min(EvidenceState::Suspect);
                    evidence.reasons.push(format!("it is handed out by {givers}"));
                    draft.detail = format!("Nobody seen held it, though it is handed out by {givers}. It has {stanzas}.");
                    draft.remedy = format!("Find out who still needs it; if nobody, take it out of {givers} first, then delete it.");
                } else if let (EvidenceState::Suspect, Some(why)) = (evidence.state, evidence.reasons.last()) {
                    draft.title = format!("nobody was seen with policy `{}`", policy.id());
                    draft.detail = format!(
                        "No list of policies in the logs names it. That does not show that nobody holds it: {why}. It has {stanzas}."
                    );
                    draft.remedy = "Find out who may hold it; only if nobody does, delete it.".to_owned();
                } else {
                    draft.detail = format!(
                        "No token, entity, group or role in what was seen held it. Its {stanzas} grant nothing today, and whatever \
                         they say to whoever gets it tomorrow."
                    );
                    draft.remedy = "Delete the policy, or name who needs it.".to_owned();
                    draft.mend = Some(Mend {
                        policy: number,
                        stanza: None,
                        capabilities: CapabilitySet::EMPTY,
                    });
                }
                draft.evidence = Some(evidence);
                draft
            })
            .collect()
    }
}

/// Roles and groups of the deployment by the policies that they hand out.
fn given_by(context: &Context<'_>) -> HashMap<PolicyId, Vec<String>> {
    let mut by_policy: HashMap<PolicyId, Vec<String>> = HashMap::new();
    let Some(deployment) = context.deployment else {
        return by_policy;
    };
    for role in &deployment.roles {
        for policy in role.policies.iter().chain(&role.allowed_policies) {
            by_policy
                .entry(PolicyId::new(role.namespace.as_str(), policy.as_str()))
                .or_default()
                .push(format!("{}{}{}", role.namespace, role.mount, role.name));
        }
    }
    for group in &deployment.groups {
        for policy in &group.policies {
            by_policy
                .entry(PolicyId::new(group.namespace.as_str(), policy.as_str()))
                .or_default()
                .push(format!("group {}{}", group.namespace, group.name));
        }
    }
    by_policy
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::{check, titles};

    #[test]
    fn fixtures() {
        let found = check(
            &UnusedPolicy,
            include_str!("../../../fixtures/rules/unused-policy/found.txt"),
        );
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].title, "policy `forgotten` was held by nobody");
        assert!(found[0].mend.is_some());
        assert_eq!(
            found[0].evidence.as_ref().map(|e| e.state),
            Some(EvidenceState::Removable)
        );
        assert_eq!(found[1].name, "on-call");
        assert_eq!(found[1].mend, None);
        assert_eq!(
            found[1].evidence.as_ref().map(|e| e.state),
            Some(EvidenceState::Suspect)
        );
        let unread = include_str!("../../../fixtures/rules/unused-policy/found.txt").replace(
            r#"{"groups""#,
            r#"{"unread": ["read auth/approle/role/+ (denied)"], "groups""#,
        );
        let found = check(&UnusedPolicy, &unread);
        assert_eq!(&*found[0].name, "forgotten");
        assert_eq!(
            found[0].evidence.as_ref().map(|e| e.state),
            Some(EvidenceState::Suspect)
        );
        assert!(
            titles(
                &UnusedPolicy,
                include_str!("../../../fixtures/rules/unused-policy/clean.txt")
            )
            .is_empty()
        );
    }
}
