//! `escalation-path`: a principal can raise its own privileges.

use super::about;
use crate::access::{HolderId, StanzaId};
use crate::advice::Severity;
use crate::analysis::access_graph::{Chain, Target};
use crate::analysis::rule::{Context, Draft, Mend, Rule, count};
use crate::vault::{CapabilitySet, Operation};
use std::collections::{BTreeMap, HashSet};

/// So many of the other ways are told in a finding; the escalation that it is about has all.
const WAYS_TOLD: usize = 5;

/// The rule.
pub struct EscalationPath;

impl Rule for EscalationPath {
    fn id(&self) -> &'static str {
        "escalation-path"
    }

    fn severity(&self) -> Severity {
        Severity::High
    }

    fn summary(&self) -> &'static str {
        "a principal that can raise its own privileges"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        let administrators = administrators(context);
        // Holders of different lists that do the same are one finding: what mends it is the same stanza.
        let mut alike: BTreeMap<Way<'_>, Vec<&Chain>> = BTreeMap::new();
        for chain in context.chains {
            alike
                .entry((&chain.target, &chain.via, &chain.steps))
                .or_default()
                .push(chain);
        }
        let drafts = alike
            .into_values()
            .filter_map(|chains| draft(context, &chains, &administrators))
            .collect();
        about::once(drafts)
    }
}

/// What a chain ends in, the stanzas that allow its first step, and its steps.
type Way<'a> = (&'a Target, &'a [StanzaId], &'a [String]);

/// Who was seen to write below `sys/`, `auth/` or `identity/`, its own token aside.
fn administrators(context: &Context<'_>) -> HashSet<HolderId> {
    let writes = |operation| matches!(operation, Operation::Create | Operation::Update | Operation::Delete);
    let control = |path: &str| {
        [
            "sys/polic",
            "sys/auth",
            "sys/audit",
            "sys/mounts",
            "sys/raw",
            "auth/",
            "identity/",
        ]
        .iter()
        .any(|c| path.starts_with(c))
            && !path.contains("-self")
            && !path.contains("/login")
    };
    let demands = context.joined.demands.iter();
    demands
        .filter(|d| d.was_allowed() && writes(d.operation()) && control(&d.demand.path))
        .map(|d| d.holder)
        .collect()
}

fn draft(context: &Context<'_>, chains: &[&Chain], administrators: &HashSet<HolderId>) -> Option<Draft> {
    let joined = context.joined;
    let chain = chains.first()?;
    let holders: Vec<HolderId> = chains.iter().flat_map(|c| c.holders.iter().copied()).collect();
    let first = &joined.holders[*holders.first()?];
    let mut draft = about::principal(first);
    let who = match holders.len() {
        1 => format!("`{}`", first.display()),
        n => format!("`{}` and {} more", first.display(), n - 1),
    };
    let via = about::stanzas(context, chain.via.iter().copied(), 3);
    let via_keys: Vec<String> = chain
        .via
        .iter()
        .map(|&id| about::stanza_key(&joined.policies[id.policy()], &joined.policies[id]))
        .collect();
    // The stanza that opens the way keeps the finding the same, not who happens to hold it.
    draft.key = format!("{:?} {} {}", chain.target, via_keys.join(" "), chain.steps.join(" "));
    draft.title = format!("{who} {}", chain.target.can(holders.len() > 1));
    draft.detail = format!(
        "In {}: {}.{}{}",
        count(chain.steps.len(), "step"),
        chain.steps.join("; then "),
        if via.is_empty() {
            String::new()
        } else {
            let step = if chain.steps.len() == 1 { "It" } else { "The first" };
            format!(" {step} is allowed by {via}.")
        },
        match chain.also.len() {
            0 => String::new(),
            n => format!(
                " {} besides: {}{}.",
                count(n, "other way"),
                chain
                    .also
                    .iter()
                    .take(WAYS_TOLD)
                    .cloned()
                    .collect::<Vec<_>>()
                    .join("; "),
                match n.saturating_sub(WAYS_TOLD) {
                    0 => String::new(),
                    more => format!("; and {more} more"),
                }
            ),
        }
    );
    draft.who.clone_from(&holders);
    draft.origins = chain.via.iter().map(|&id| joined.policies[id].origin.clone()).collect();
    let everything = matches!(chain.target, Target::Everything | Target::Storage);
    let meant = holders.iter().any(|h| administrators.contains(h));
    draft.severity = Some(match (everything, meant) {
        (true, false) => Severity::Critical,
        (true, true) => Severity::High,
        (false, _) => Severity::Medium,
    });
    draft.remedy = if everything && meant {
        "Its holders administer the server; make sure that they are meant to be as powerful as root, and few."
            .to_owned()
    } else {
        "Narrow the stanza that allows the first step to the paths in use, or take `create`, `update` and `sudo` out of it.".to_owned()
    };
    draft.mend = chain.via.first().filter(|_| !meant).map(|&id| Mend {
        policy: id.policy(),
        stanza: Some(id),
        capabilities: CapabilitySet::EMPTY,
    });
    Some(draft)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::{check, titles};

    #[test]
    fn one_step_is_no_first_and_what_is_left_out_is_counted() {
        let text = "== policy own\npath \"sys/policies/acl/own\" { capabilities = [\"update\"] }\n== usage\nweb (own): read kv/a";
        let detail = &check(&EscalationPath, text)[0].detail;
        assert!(detail.contains(" It is allowed by "), "{detail}");
        let all = "== policy own\npath \"sys/*\" { capabilities = [\"create\", \"update\"] }\npath \"auth/*\" { capabilities = [\"create\", \"update\"] }\n== policy a\n== policy b\n== policy c\n== policy d\n== policy e\n== usage\nweb (own, a, b, c, d, e): read kv/a";
        let detail = &check(&EscalationPath, all)[0].detail;
        let (told, more) = detail.split_once("; and ").unwrap_or_else(|| panic!("{detail}"));
        let besides = told.split_once(" besides: ").unwrap();
        let ways: usize = besides.0.rsplit(' ').nth(2).unwrap().parse().unwrap();
        assert_eq!(besides.1.matches("; ").count() + 1, WAYS_TOLD, "{detail}");
        assert!(more.starts_with(&format!("{} more", ways - WAYS_TOLD)), "{detail}");
    }

    #[test]
    fn fixtures() {
        let found = check(
            &EscalationPath,
            include_str!("../../../fixtures/rules/escalation-path/found.txt"),
        );
        let titles_found: BTreeMap<&str, Option<Severity>> = found.iter().map(|d| (&*d.title, d.severity)).collect();
        assert_eq!(
            titles_found,
            BTreeMap::from([
                ("`ann` can give itself any policy", Some(Severity::High)),
                ("`ci` can become `deploy`", Some(Severity::Medium)),
                ("`web` can give itself any policy", Some(Severity::Critical)),
            ])
        );
        assert!(
            titles(
                &EscalationPath,
                include_str!("../../../fixtures/rules/escalation-path/clean.txt")
            )
            .is_empty()
        );
    }
}
