//! `ineffective-deny`: a deny that does not hold, or that denies what nobody is granted anyway.

use super::about;
use super::in_force::{Neighbours, combinations};
use crate::access::{Outcome, SetId, StanzaId};
use crate::advice::Severity;
use crate::analysis::rule::{Context, Draft, Rule};
use crate::policy::acl;
use crate::policy::pattern::Pattern;
use crate::policy::relation::{Relation, relation};
use crate::vault::Capability;
use std::collections::{BTreeMap, BTreeSet};

/// The rule.
pub struct IneffectiveDeny;

/// What is known of one deny.
#[derive(Default)]
struct Found {
    /// Stronger stanzas that allow something of what it denies.
    lifted_by: BTreeSet<StanzaId>,
    /// Whether one of these matches all that it matches.
    wholly: bool,
    /// Whether a weaker stanza grants something of what it denies, so that it has an effect.
    effect: bool,
    /// Requests allowed though it matches their path, the first path, and whether another policy's stanza let them through.
    passed: u64,
    path: String,
    by_other_policy: bool,
}

impl Rule for IneffectiveDeny {
    fn id(&self) -> &'static str {
        "ineffective-deny"
    }

    fn severity(&self) -> Severity {
        Severity::Medium
    }

    fn summary(&self) -> &'static str {
        "a deny that a more specific stanza lifts, or that denies what nobody is granted"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        let mut denies: BTreeMap<StanzaId, Found> = BTreeMap::new();
        for combination in combinations(context.joined) {
            let set = combination.set;
            if !set.acl.rules().iter().any(is_deny) {
                continue;
            }
            let neighbours = Neighbours::of(&set.acl);
            for (id, rule) in set.acl.rules_with_ids().filter(|(_, r)| is_deny(r)) {
                let lifting: Vec<(StanzaId, Relation)> = neighbours
                    .stronger(id, rule)
                    .into_iter()
                    .filter(|(_, other)| grants(other))
                    .map(|(_, other)| (other, relation(&other.pattern, &rule.pattern)))
                    .filter(|(_, r)| *r != Relation::Disjoint)
                    .filter_map(|(other, r)| Some((set.stanza(other.sources.first()?), r)))
                    .collect();
                let effect = rule
                    .sources
                    .iter()
                    .any(|s| !s.capabilities.contains(Capability::Deny) && !s.capabilities.is_empty())
                    || neighbours.weaker(id, rule).into_iter().any(|(_, other)| {
                        grants(other) && relation(&other.pattern, &rule.pattern) != Relation::Disjoint
                    });
                for source in rule
                    .sources
                    .iter()
                    .filter(|s| s.capabilities.contains(Capability::Deny))
                {
                    let stanza = set.stanza(source);
                    let found = denies.entry(stanza).or_default();
                    found.effect |= effect;
                    found.wholly |= lifting
                        .iter()
                        .any(|(_, r)| matches!(r, Relation::Subsumes | Relation::Equal));
                    found.by_other_policy |= lifting.iter().any(|(by, _)| by.policy() != stanza.policy());
                    found.lifted_by.extend(lifting.iter().map(|(by, _)| *by));
                }
            }
        }
        passed(context, &mut denies);
        let drafts = denies
            .iter()
            .filter_map(|(&id, found)| draft(context, id, found))
            .collect();
        about::once(drafts)
    }
}

fn is_deny(rule: &acl::Rule) -> bool {
    rule.capabilities.contains(Capability::Deny)
}

fn grants(rule: &acl::Rule) -> bool {
    !is_deny(rule) && !rule.capabilities.is_empty()
}

/// Requests that were allowed though a deny of a policy in force matches their path.
fn passed(context: &Context<'_>, denies: &mut BTreeMap<StanzaId, Found>) {
    let joined = context.joined;
    let mut wide: BTreeMap<SetId, Vec<(&Pattern, Vec<StanzaId>)>> = BTreeMap::new();
    for (n, set) in joined.sets.numbered() {
        let patterns: Vec<_> = set
            .acl
            .rules()
            .iter()
            .filter(|r| is_deny(r) && !r.pattern.is_exact())
            .map(|r| {
                let stanzas = r.sources.iter().filter(|s| s.capabilities.contains(Capability::Deny));
                (&r.pattern, stanzas.map(|s| set.stanza(s)).collect())
            })
            .collect();
        if !patterns.is_empty() {
            wide.insert(n, patterns);
        }
    }
    for d in &joined.demands {
        let (Outcome::Explained(_), Some(patterns)) = (&d.outcome, wide.get(&d.set)) else {
            continue;
        };
        let by = joined.allowed_by(d).next().map(|(stanza, _)| stanza);
        for (_, stanzas) in patterns.iter().filter(|(p, _)| p.matches(&d.path)) {
            for stanza in stanzas {
                let found = denies.entry(*stanza).or_default();
                if found.passed == 0 {
                    found.path = d.path.clone();
                }
                found.passed += d.demand.allowed;
                found.lifted_by.extend(by);
                found.by_other_policy |= by.is_some_and(|by| by.policy() != stanza.policy());
            }
        }
    }
}

fn draft(context: &Context<'_>, id: StanzaId, found: &Found) -> Option<Draft> {
    let joined = context.joined;
    let (policy, stanza) = (&joined.policies[id.policy()], &joined.policies[id]);
    let mut draft = about::stanza(context, id);
    draft.mend = None;
    let lifted = about::stanzas(context, found.lifted_by.iter().copied(), 3);
    if found.lifted_by.is_empty() {
        if found.effect {
            return None;
        }
        draft.title = format!(
            "the deny of `{}` in policy `{}` denies nothing",
            stanza.path,
            policy.id()
        );
        draft.detail =
            "No holder of it is granted anything there by another stanza, and what is not granted is denied already."
                .to_owned();
        draft.remedy = "Keep it only if it guards against grants to come; else remove it.".to_owned();
        draft.severity = Some(Severity::Info);
        return Some(draft);
    }
    draft.origins.extend(
        found
            .lifted_by
            .iter()
            .take(3)
            .map(|&id| joined.policies[id].origin.clone()),
    );
    if found.passed > 0 {
        draft.title = format!("the deny of `{}` in policy `{}` did not hold", stanza.path, policy.id());
        draft.detail = format!(
            "{} for paths below it, such as `{}`: {lifted} is more specific, and only the most specific stanza counts.",
            if found.passed == 1 {
                "1 request was allowed".to_owned()
            } else {
                format!("{} were allowed", about::requests(found.passed))
            },
            found.path
        );
        draft.severity = Some(if found.by_other_policy {
            Severity::High
        } else {
            Severity::Low
        });
    } else {
        draft.title = format!(
            "the deny of `{}` in policy `{}` does not hold everywhere",
            stanza.path,
            policy.id()
        );
        draft.detail = if found.wholly {
            format!("{lifted} matches all that it matches and is stronger: it never denies anything there.")
        } else {
            format!(
                "{lifted} is more specific and allows there what was to be denied; only the most specific stanza counts."
            )
        };
        draft.severity = (!found.by_other_policy).then_some(Severity::Low);
    }
    draft.remedy =
        "If the exception is not meant, deny the more specific path too, or take its capabilities away.".to_owned();
    Some(draft)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::{check, titles};

    #[test]
    fn fixtures() {
        let found = check(
            &IneffectiveDeny,
            include_str!("../../../fixtures/rules/ineffective-deny/found.txt"),
        );
        let titles_found: Vec<&str> = found.iter().map(|d| &*d.title).collect();
        assert_eq!(
            titles_found,
            [
                "the deny of `secret/data/hr/*` in policy `guard` did not hold",
                "the deny of `secret/data/ops/*` in policy `guard` does not hold everywhere",
                "the deny of `pki/*` in policy `guard` denies nothing",
            ]
        );
        assert_eq!(found[0].severity, Some(Severity::High));
        assert!(
            found[0].detail.contains("7 requests were allowed"),
            "{}",
            found[0].detail
        );
        assert_eq!(found[2].severity, Some(Severity::Info));
        assert!(
            titles(
                &IneffectiveDeny,
                include_str!("../../../fixtures/rules/ineffective-deny/clean.txt")
            )
            .is_empty()
        );
    }

    #[test]
    fn a_prefix_beats_a_deny_with_a_plus_at_the_same_place() {
        let found = check(
            &IneffectiveDeny,
            "== policy a\npath \"kv/*\" { capabilities = [\"read\"] }\n== policy b\npath \"kv/+/private/*\" { capabilities = [\"deny\"] }\n\
             == usage\nweb (a, b): read kv/x",
        );
        assert_eq!(found.len(), 1);
        assert!(
            found[0].detail.contains("matches all that it matches"),
            "{}",
            found[0].detail
        );
    }
}
