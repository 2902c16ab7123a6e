//! `unused-capability`: a stanza that is used, with a capability that is not.

use super::about;
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
        // An unused `sudo` has a rule of its own; `subscribe` leaves no audited operation behind, so its use cannot be seen.
        let untold: CapabilitySet = [Capability::Sudo, Capability::Subscribe].into_iter().collect();
        let mut drafts = Vec::new();
        for (&id, uses) in &joined.uses {
            let (policy, stanza) = (&joined.policies[id.policy()], &joined.policies[id]);
            let used: CapabilitySet = uses.keys().copied().collect();
            // To a client `create` and `update` are one request: the one is not unused while the other is in use.
            let unused = stanza
                .capability_set()
                .difference(used.with_write_twin())
                .difference(untold);
            if unused.is_empty() || about::is_built_in(&policy.name) {
                continue;
            }
            let mut draft = about::stanza(context, id);
            let in_use: Vec<String> = uses
                .iter()
                .filter(|(capability, _)| **capability != Capability::Sudo)
                .map(|(capability, u)| format!("{capability} ({})", about::requests(u.requests)))
                .collect();
            draft.kind = "capability";
            draft.title = format!(
                "`{}` of policy `{}` was never used for {unused}",
                stanza.path,
                policy.id()
            );
            draft.detail = format!(
                "It was used for {}; it also grants {unused} to {}.",
                in_use.join(", "),
                count(joined.held[id.policy()].by.len(), "holder"),
            );
            draft.evidence = Some(context.evidence_of(id.policy()));
            if let Some(mend) = &mut draft.mend {
                mend.capabilities = unused;
            }
            draft.remedy = format!("Take {unused} out of its capabilities.");
            drafts.push(draft);
        }
        about::once(drafts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::{check, titles};

    #[test]
    fn fixtures() {
        let found = check(
            &UnusedCapability,
            include_str!("../../../fixtures/rules/unused-capability/found.txt"),
        );
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].title,
            "`secret/data/app/*` of policy `app` was never used for create, update, delete"
        );
        assert!(found[0].detail.contains("read (12 requests)"), "{}", found[0].detail);
        assert!(
            titles(
                &UnusedCapability,
                include_str!("../../../fixtures/rules/unused-capability/clean.txt")
            )
            .is_empty()
        );
    }
}
