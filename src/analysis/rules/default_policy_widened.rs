//! `default-policy-widened`: the `default` policy grants more than the servers put into it.

use super::about;
use crate::access::{HolderId, PolicyNumber, StanzaId};
use crate::advice::Severity;
use crate::analysis::rule::{Context, Draft, Rule, count};
use crate::policy::model::{Policy, Stanza};
use crate::policy::pattern::Pattern;
use crate::policy::relation::implies;
use crate::vault::{Capability, CapabilitySet};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The rule.
pub struct DefaultPolicyWidened;

/// The servers' own stanzas: pattern, template or not, and capabilities.
static BUILT_IN: LazyLock<Vec<(Pattern, CapabilitySet)>> = LazyLock::new(|| {
    include_str!("default_policy.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut columns = line.split('\t');
            let pattern = Pattern::parse(columns.next()?, "").ok()?;
            let capabilities = columns
                .next()?
                .split(',')
                .filter_map(|word| word.parse().ok())
                .collect();
            Some((pattern, capabilities))
        })
        .collect()
});

impl Rule for DefaultPolicyWidened {
    fn id(&self) -> &'static str {
        "default-policy-widened"
    }

    fn severity(&self) -> Severity {
        Severity::Medium
    }

    fn summary(&self) -> &'static str {
        "the default policy, which everybody holds, grants more than the servers put into it"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        let joined = context.joined;
        let mut drafts = Vec::new();
        let is_default = |(_, policy): &(PolicyNumber, &Policy)| &*policy.name == "default";
        for (number, _) in joined.policies.numbered().filter(is_default) {
            for id in joined.policies.stanzas_of(number) {
                let stanza = &joined.policies[id];
                let added = added(stanza);
                if added.is_empty() {
                    continue;
                }
                let mut draft = about::stanza(context, id);
                let users = users(context, id);
                let all = joined.held[number].by.len();
                draft.title = format!("`default` grants {added} on `{}` to everybody", stanza.path);
                draft.detail = format!(
                    "The servers' own `default` does not. {} have the policy, as every token does that is not made without it; {} used \
                     this.",
                    count(all, "principal"),
                    match users.len() {
                        0 => "nobody".to_owned(),
                        _ => format!("{} ({})", users.len(), context.names(users.iter().copied(), 3)),
                    }
                );
                draft.remedy = match users.is_empty() {
                    true => "Remove it from `default`.".to_owned(),
                    false => "Move it to a policy of its own, and give that to those who use it.".to_owned(),
                };
                let control = ["sys/", "auth/", "identity/"]
                    .iter()
                    .any(|area| stanza.path.trim_start_matches('/').starts_with(area));
                let reading: CapabilitySet = [Capability::Read, Capability::List].into_iter().collect();
                let grave = (control && !added.is_subset(reading)) || stanza.path.trim_start_matches('/') == "*";
                draft.severity = grave.then_some(Severity::High);
                draft.evidence = users.is_empty().then(|| context.evidence_of(number));
                if !users.is_empty() {
                    draft.mend = None;
                }
                draft.who = users.iter().copied().collect();
                drafts.push(draft);
            }
        }
        about::once(drafts)
    }
}

/// What a stanza grants that the servers' own stanzas do not.
fn added(stanza: &Stanza) -> CapabilitySet {
    let path: String = stanza
        .path
        .split("{{")
        .map(trim_template)
        .collect::<Vec<_>>()
        .join("{{");
    let deny = CapabilitySet::of(Capability::Deny);
    let grants = stanza.capability_set().difference(deny);
    let Ok(pattern) = Pattern::parse(&path, "") else {
        return grants;
    };
    BUILT_IN
        .iter()
        .filter(|(own, _)| implies(&pattern, own))
        .fold(grants, |left, (_, capabilities)| left.difference(*capabilities))
}

/// ` identity.entity.id }}/x` without the white space that a template may have.
fn trim_template(piece: &str) -> String {
    match piece.split_once("}}") {
        Some((name, rest)) => format!("{}}}}}{rest}", name.trim()),
        None => piece.to_owned(),
    }
}

fn users(context: &Context<'_>, id: StanzaId) -> BTreeSet<HolderId> {
    let uses = context.joined.uses.get(&id);
    uses.into_iter()
        .flat_map(|u| u.values())
        .flat_map(|u| u.holders.iter().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::{check, titles};

    #[test]
    fn fixtures() {
        let found = check(
            &DefaultPolicyWidened,
            include_str!("../../../fixtures/rules/default-policy-widened/found.txt"),
        );
        let titles_found: Vec<&str> = found.iter().map(|d| &*d.title).collect();
        assert_eq!(
            titles_found,
            [
                "`default` grants update on `auth/token/lookup-self` to everybody",
                "`default` grants read on `secret/data/shared/*` to everybody",
            ]
        );
        assert!(found[1].detail.contains("1 (`web`) used this"), "{}", found[1].detail);
        let clean = include_str!("../../../fixtures/rules/default-policy-widened/clean.txt");
        assert!(titles(&DefaultPolicyWidened, clean).is_empty());
    }

    #[test]
    fn the_table_is_whole() {
        let rows = include_str!("default_policy.tsv")
            .lines()
            .filter(|l| !l.starts_with('#'))
            .count();
        assert_eq!(BUILT_IN.len(), rows);
        assert!(BUILT_IN.iter().all(|(_, c)| !c.is_empty()));
    }
}
