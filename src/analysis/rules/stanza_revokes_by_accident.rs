//! `stanza-revokes-by-accident`: a narrow stanza of one policy takes away what a broad one of another grants to the same holder.

use super::about;
use super::in_force::{Neighbours, combinations};
use crate::access::{AccessSet, HolderId, StanzaId};
use crate::advice::Severity;
use crate::analysis::rule::{Context, Draft, Rule, count};
use crate::policy::acl;
use crate::policy::relation::overlap;
use crate::vault::{Capability, CapabilitySet, Operation};
use std::collections::{BTreeMap, BTreeSet};

/// The rule.
pub struct StanzaRevokesByAccident;

/// What is known of one narrow stanza.
#[derive(Default)]
struct Found {
    broad: BTreeSet<StanzaId>,
    lost: CapabilitySet,
    holders: BTreeSet<HolderId>,
    denied: u64,
    path: String,
}

impl Rule for StanzaRevokesByAccident {
    fn id(&self) -> &'static str {
        "stanza-revokes-by-accident"
    }

    fn severity(&self) -> Severity {
        Severity::Medium
    }

    fn summary(&self) -> &'static str {
        "a narrow stanza that takes away what a broad one of another policy grants"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        let mut narrow: BTreeMap<StanzaId, Found> = BTreeMap::new();
        for combination in combinations(context.joined) {
            let set = combination.set;
            let neighbours = Neighbours::of(&set.acl);
            for (id, rule) in set.acl.rules_with_ids() {
                let Some(stanza) = rule.sources.first().map(|s| set.stanza(s)) else {
                    continue;
                };
                // Next to `*`, every line of the servers' own `default` would be told here.
                let built_in = &*context.joined.policies[stanza.policy()].name == "default";
                if rule.capabilities.contains(Capability::Deny) || built_in {
                    continue;
                }
                let Some((broad, lost)) = taken_away(set, &neighbours, id, rule) else {
                    continue;
                };
                let found = narrow.entry(stanza).or_default();
                found.broad.extend(broad);
                found.lost = found.lost.union(lost);
                found.holders.extend(&combination.holders);
            }
        }
        denied(context, &mut narrow);
        let drafts = narrow.iter().map(|(&id, found)| draft(context, id, found)).collect();
        about::once(drafts)
    }
}

/// What would decide if this rule were not: a broad stanza, what it grants that this one does not.
type TakenAway = (Option<StanzaId>, CapabilitySet);

fn taken_away(set: &AccessSet, neighbours: &Neighbours<'_>, id: acl::RuleId, rule: &acl::Rule) -> Option<TakenAway> {
    for (_, broad) in neighbours.weaker(id, rule) {
        let (whole, both) = if rule.pattern.is_exact() {
            let matched = broad.pattern.matches(&rule.pattern.text);
            (matched, matched.then(|| rule.pattern.text.to_string()))
        } else {
            let overlap = overlap(&rule.pattern, &broad.pattern);
            (overlap.only_first.is_none(), overlap.both)
        };
        let Some(path) = both else { continue };
        // Within one policy the narrower path is what its author wrote on purpose.
        let meant = broad.capabilities.contains(Capability::Deny) || !foreign(rule, broad);
        let lost: CapabilitySet = broad
            .capabilities
            .difference(rule.capabilities)
            .iter()
            .filter(|&c| !meant && is_lost(set, id, c, &path))
            .collect();
        if !lost.is_empty() {
            return Some((broad.sources.first().map(|s| set.stanza(s)), lost));
        }
        if whole {
            return None;
        }
    }
    None
}

fn foreign(one: &acl::Rule, other: &acl::Rule) -> bool {
    one.sources
        .iter()
        .all(|a| other.sources.iter().all(|b| a.policy != b.policy))
}

/// Whether the narrow rule decides there and refuses, which for a LIST hangs on the server's profile.
fn is_lost(set: &AccessSet, narrow: acl::RuleId, capability: Capability, path: &str) -> bool {
    let Some(operation) = Operation::of(capability) else {
        return false;
    };
    let lists = matches!(capability, Capability::List | Capability::Scan);
    // Folders are listed: what names one path only takes no listing away.
    if lists && !path.ends_with('/') {
        return false;
    }
    let check = set.acl.check(operation, path);
    !check.allowed && check.rule == Some(narrow)
}

/// Requests that were denied because of it.
fn denied(context: &Context<'_>, narrow: &mut BTreeMap<StanzaId, Found>) {
    let joined = context.joined;
    for d in joined.demands.iter().filter(|d| d.demand.denied > 0) {
        let set = &joined.sets[d.set];
        let check = set.acl.check(d.operation(), &d.path);
        let Some((id, rule)) = check.rule.and_then(|id| Some((id, set.acl.rule(id)?))) else {
            continue;
        };
        if check.allowed || rule.capabilities.contains(Capability::Deny) {
            continue;
        }
        let matching = set.acl.matching(d.operation(), &d.path);
        let broad = matching
            .into_iter()
            .filter(|&other| other < id)
            .filter_map(|other| set.acl.rule(other))
            .find(|other| foreign(rule, other) && other.capabilities.contains(d.demand.capability));
        let stanza = rule.sources.first().map(|s| set.stanza(s));
        let (Some(broad), Some(stanza)) = (broad, stanza) else {
            continue;
        };
        let found = narrow.entry(stanza).or_default();
        if found.denied == 0 {
            found.path = format!("{} {}", d.demand.capability, d.path);
        }
        found.denied += d.demand.denied;
        found.lost.insert(d.demand.capability);
        found.holders.insert(d.holder);
        found.broad.extend(broad.sources.first().map(|s| set.stanza(s)));
    }
}

fn draft(context: &Context<'_>, id: StanzaId, found: &Found) -> Draft {
    let joined = context.joined;
    let (policy, stanza) = (&joined.policies[id.policy()], &joined.policies[id]);
    let mut draft = about::stanza(context, id);
    let broad = about::stanzas(context, found.broad.iter().copied(), 3);
    draft.title = format!(
        "`{}` of policy `{}` takes away {}",
        stanza.path,
        policy.id(),
        found.lost
    );
    draft.detail = format!(
        "{} {} it together with {broad}, which {} {} there. The narrower path decides alone, so {}.",
        who(context, found),
        if found.holders.len() == 1 { "holds" } else { "hold" },
        if found.broad.len() == 1 { "grants" } else { "grant" },
        found.lost,
        if found.holders.len() == 1 {
            "it is lost there"
        } else {
            "they lose it"
        },
    );
    if found.denied > 0 {
        draft.detail = format!(
            "{} {} denied for that: `{}`.",
            draft.detail,
            were(found.denied),
            found.path
        );
        draft.severity = Some(Severity::High);
    }
    draft
        .origins
        .extend(found.broad.iter().take(3).map(|&id| joined.policies[id].origin.clone()));
    draft.remedy = format!(
        "If it is not meant, name {} in `{}` too; if it is, say so with a comment or an explicit `deny`.",
        found.lost, stanza.path
    );
    draft.mend = None;
    draft.who = found.holders.iter().copied().collect();
    draft
}

fn who(context: &Context<'_>, found: &Found) -> String {
    format!(
        "{} ({})",
        count(found.holders.len(), "principal"),
        context.names(found.holders.iter().copied(), 3)
    )
}

fn were(n: u64) -> String {
    let were = if n == 1 { "was" } else { "were" };
    format!("{} {were}", about::requests(n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::{check, titles};

    #[test]
    fn fixtures() {
        let found = check(
            &StanzaRevokesByAccident,
            include_str!("../../../fixtures/rules/stanza-revokes-by-accident/found.txt"),
        );
        let titles_found: Vec<&str> = found.iter().map(|d| &*d.title).collect();
        assert_eq!(
            titles_found,
            [
                "`secret/data/app/db` of policy `rotate` takes away read",
                "`secret/data/app/cache/*` of policy `rotate` takes away read",
            ]
        );
        assert_eq!(found[0].severity, Some(Severity::High));
        assert!(
            found[0].detail.contains("3 requests were denied"),
            "{}",
            found[0].detail
        );
        assert!(
            found[0].detail.contains(" holds it together with "),
            "{}",
            found[0].detail
        );
        assert_eq!(found[1].severity, None);
        let clean = include_str!("../../../fixtures/rules/stanza-revokes-by-accident/clean.txt");
        assert!(titles(&StanzaRevokesByAccident, clean).is_empty());
    }
}
