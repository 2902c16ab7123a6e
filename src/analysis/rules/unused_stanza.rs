//! `unused-stanza`: a stanza of a held policy through which nothing was done in what was seen.

use super::about;
use crate::access::StanzaId;
use crate::advice::Severity;
use crate::analysis::rule::{Context, Draft, Rule, count};
use crate::vault::Capability;
use std::collections::HashSet;

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
        // Where a template could not be filled in, what was done through the stanza cannot be told.
        let unfilled: HashSet<StanzaId> = joined
            .sets
            .iter()
            .flat_map(|set| set.unfilled.iter().copied())
            .collect();
        let mut drafts = Vec::new();
        for (number, policy) in joined.policies.numbered() {
            let held = &joined.held[number].by;
            // The servers' own `default` policy is for everybody's own token: unused lines there are no excess worth a finding.
            if held.is_empty() || about::is_built_in(&policy.name) {
                continue;
            }
            for id in joined.policies.stanzas_of(number) {
                let stanza = &joined.policies[id];
                let grants = stanza.capability_set();
                let denies = grants.contains(Capability::Deny);
                if joined.uses.contains_key(&id) || grants.is_empty() || denies || unfilled.contains(&id) {
                    continue;
                }
                let mut draft = about::stanza(context, id);
                draft.title = format!("nobody used `{}` of policy `{}`", stanza.path, policy.id());
                draft.detail = format!(
                    "It grants {grants} to {} ({}); no allowed request in what was seen was decided by it.",
                    count(held.len(), "holder"),
                    context.names(held.iter().copied(), 3),
                );
                draft.evidence = Some(context.evidence_of(number));
                draft.remedy = "Remove the stanza.".to_owned();
                drafts.push(draft);
            }
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
            &UnusedStanza,
            include_str!("../../../fixtures/rules/unused-stanza/found.txt"),
        );
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].title, "nobody used `secret/data/reports/*` of policy `app`");
        assert_eq!(found[0].origins[0].line, 2);
        assert!(
            titles(
                &UnusedStanza,
                include_str!("../../../fixtures/rules/unused-stanza/clean.txt")
            )
            .is_empty()
        );
    }

    #[test]
    fn a_path_that_stands_twice_is_one_finding_with_both_places() {
        let found = check(
            &UnusedStanza,
            "== policy app\npath \"a\" { capabilities = [\"read\"] }\npath \"a\" { capabilities = [\"list\"] }\n== usage\nweb (app): read b denied 1",
        );
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].origins.len(), 2);
    }
}
