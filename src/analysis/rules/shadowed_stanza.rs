//! `shadowed-stanza`: a stanza that decides nothing for any holder, because another always decides in its place.

use super::about;
use super::in_force::{Neighbours, combinations};
use crate::access::{AccessSet, PolicyNumber, StanzaId};
use crate::advice::Severity;
use crate::analysis::rule::{Context, Draft, Rule, count};
use crate::policy::acl;
use crate::policy::relation::{Relation, relation};
use crate::vault::Capability;
use std::collections::{BTreeMap, HashMap};

/// Its id.
pub const ID: &str = "shadowed-stanza";

/// The rule.
pub struct ShadowedStanza;

/// Why a stanza decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shadow {
    /// Another of the same path denies.
    Denied(StanzaId),
    /// A stronger one matches all that it matches.
    Beaten(StanzaId),
    /// Another of the same path gives all that it gives.
    Repeated(StanzaId),
    /// Its template can be filled in for nobody.
    Unfillable,
    /// Its `expiration` is past.
    Expired,
}

impl Rule for ShadowedStanza {
    fn id(&self) -> &'static str {
        ID
    }

    fn severity(&self) -> Severity {
        Severity::Low
    }

    fn summary(&self) -> &'static str {
        "a stanza that never decides for any holder"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        // A stanza stays in here as long as every combination of policies shadows it.
        let mut verdicts: BTreeMap<StanzaId, Option<Shadow>> = BTreeMap::new();
        for combination in combinations(context.joined) {
            in_one(context, combination.set, &mut verdicts);
        }
        never_in_force(context, &mut verdicts);
        let drafts = verdicts
            .into_iter()
            .filter_map(|(id, shadow)| draft(context, id, shadow?))
            .collect();
        about::once(drafts)
    }
}

fn in_one(context: &Context<'_>, set: &AccessSet, verdicts: &mut BTreeMap<StanzaId, Option<Shadow>>) {
    let neighbours = Neighbours::of(&set.acl);
    for (id, rule) in set.acl.rules_with_ids() {
        let beaten = beaten(&neighbours, id, rule).and_then(|by| Some(set.stanza(by.sources.first()?)));
        for source in rule
            .sources
            .iter()
            .filter(|s| !s.capabilities.contains(Capability::Deny))
        {
            let stanza = set.stanza(source);
            let denied = || {
                let deny = rule
                    .sources
                    .iter()
                    .find(|s| s.capabilities.contains(Capability::Deny))?;
                Some(Shadow::Denied(set.stanza(deny)))
            };
            let shadow = denied()
                .or_else(|| beaten.map(Shadow::Beaten))
                .or_else(|| repeated(context, set, rule, stanza).map(Shadow::Repeated));
            let verdict = verdicts.entry(stanza).or_insert(shadow);
            *verdict = verdict.and(shadow).map(|kept| shadow.map_or(kept, |new| kept.min(new)));
        }
    }
}

/// The stronger rule that matches all that this one matches.
fn beaten<'a>(neighbours: &Neighbours<'a>, id: acl::RuleId, rule: &acl::Rule) -> Option<&'a acl::Rule> {
    if rule.pattern.is_exact() {
        return None;
    }
    let text = crate::access::universe::lead(&rule.pattern);
    let found = neighbours.stronger(id, rule).into_iter().find(|(_, stronger)| {
        // What matches all that varies here has its first wildcard at the same place.
        !stronger.pattern.is_exact()
            && crate::access::universe::lead(&stronger.pattern) == text
            && matches!(
                relation(&stronger.pattern, &rule.pattern),
                Relation::Subsumes | Relation::Equal
            )
    });
    let (_, stronger) = found?;
    // Newer servers let a stanza that grants list win a LIST over a stronger one that does not.
    let lists = |r: &acl::Rule| r.capabilities.contains(Capability::List);
    (!lists(rule) || lists(stronger)).then_some(stronger)
}

/// Another stanza of the same path that gives at least as much under the same conditions. Of two that are alike the later
/// one repeats the earlier, so that never both are called superfluous.
fn repeated(context: &Context<'_>, set: &AccessSet, rule: &acl::Rule, own: StanzaId) -> Option<StanzaId> {
    if rule.sources.len() < 2 {
        return None;
    }
    let policies = &context.joined.policies;
    let stanza = &policies[own];
    let capabilities = stanza.capability_set();
    rule.sources.iter().map(|s| set.stanza(s)).find(|&id| {
        let (other, all) = (&policies[id], policies[id].capability_set());
        let more = all != capabilities || id < own;
        id != own && capabilities.is_subset(all) && more && other.constraints == stanza.constraints
    })
}

/// Stanzas that are in force for no holder at all.
fn never_in_force(context: &Context<'_>, verdicts: &mut BTreeMap<StanzaId, Option<Shadow>>) {
    let joined = context.joined;
    let mut unfilled: HashMap<StanzaId, usize> = HashMap::new();
    let mut sets_of: HashMap<PolicyNumber, usize> = HashMap::new();
    for set in joined.sets.iter().filter(|s| s.current) {
        for &p in &set.policies {
            *sets_of.entry(p).or_default() += 1;
        }
        for &stanza in &set.unfilled {
            *unfilled.entry(stanza).or_default() += 1;
        }
    }
    let known = |p: PolicyNumber| {
        let mut holders = joined.held[p].by.iter();
        holders.all(|&h| joined.holders[h].identity_known)
    };
    for (stanza, times) in unfilled {
        if sets_of.get(&stanza.policy()) == Some(&times) && known(stanza.policy()) {
            verdicts.insert(stanza, Some(Shadow::Unfillable));
        }
    }
    for id in sets_of.keys().flat_map(|&policy| joined.policies.stanzas_of(policy)) {
        let expires = joined.policies[id].constraints.expiration;
        if expires.zip(joined.now).is_some_and(|(at, now)| now > at) {
            verdicts.insert(id, Some(Shadow::Expired));
        }
    }
}

fn draft(context: &Context<'_>, id: StanzaId, shadow: Shadow) -> Option<Draft> {
    let joined = context.joined;
    let (policy, stanza) = (&joined.policies[id.policy()], &joined.policies[id]);
    let used = joined.uses.contains_key(&id);
    let built_in = &*policy.name == "default";
    // What was seen to decide can decide.
    if built_in || (used && !matches!(shadow, Shadow::Repeated(_))) {
        return None;
    }
    let mut draft = about::stanza(context, id);
    let (path, name) = (&stanza.path, policy.id());
    let known = context.knows_holders();
    let of = |all: &str| match known {
        true => format!("{all} of its {}", count(joined.held[id.policy()].by.len(), "holder")),
        false => format!("{all} of its holders"),
    };
    let other = |other: StanzaId| {
        let (of, at) = (&joined.policies[other.policy()], &joined.policies[other]);
        format!("`{}` of policy `{}` ({})", at.path, of.name, at.origin)
    };
    match shadow {
        Shadow::Denied(by) => {
            draft.title = format!("`{path}` of policy `{name}` is denied for every holder");
            draft.detail = format!(
                "{} denies the same path, and a deny is stronger: it grants nothing to {}.",
                other(by),
                of("any")
            );
            draft.remedy = "Remove the stanza, or the deny if the grant was meant.".to_owned();
        }
        Shadow::Beaten(by) => {
            draft.title = format!("`{path}` of policy `{name}` can never decide");
            draft.detail = format!(
                "{} matches all that it matches and is the stronger of the two, for {}; stanzas of different paths never add up.",
                other(by),
                of("every one")
            );
            draft.remedy = "Remove the stanza, or add its capabilities to the other where they are needed.".to_owned();
        }
        Shadow::Repeated(by) => {
            draft.title = format!("`{path}` of policy `{name}` adds nothing");
            draft.detail = format!("{} has all of it from {} already.", of("Each"), other(by));
            draft.remedy = "Remove the stanza: nothing changes for anybody.".to_owned();
            draft.severity = Some(Severity::Info);
        }
        Shadow::Unfillable => {
            draft.title = format!("`{path}` of policy `{name}` applies to nobody");
            draft.detail = format!(
                "Its template can be filled in for {}, so the servers skip it.",
                of("none")
            );
            draft.remedy =
                "Correct the template (metadata key, mount accessor, group name), or remove the stanza.".to_owned();
        }
        Shadow::Expired => {
            draft.title = format!("`{path}` of policy `{name}` has expired");
            draft.detail = format!("Its `expiration` is past: the servers skip it for {}.", of("all"));
            draft.remedy = "Remove the stanza.".to_owned();
        }
    }
    if used {
        draft.mend = None;
    } else {
        draft.evidence = Some(context.evidence_of(id.policy()));
    }
    Some(draft)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::{check, titles};

    #[test]
    fn fixtures() {
        let found = check(
            &ShadowedStanza,
            include_str!("../../../fixtures/rules/shadowed-stanza/found.txt"),
        );
        let titles_found: Vec<&str> = found.iter().map(|d| &*d.title).collect();
        assert_eq!(
            titles_found,
            [
                "`kv/+/config/*` of policy `app` can never decide",
                "`secret/data/locked` of policy `app` is denied for every holder",
                "`secret/data/shared` of policy `team` adds nothing",
                "`secret/data/{{identity.entity.metadata.tier}}/*` of policy `team` applies to nobody",
            ]
        );
        assert!(
            titles(
                &ShadowedStanza,
                include_str!("../../../fixtures/rules/shadowed-stanza/clean.txt")
            )
            .is_empty()
        );
    }

    #[test]
    fn two_that_repeat_each_other_are_never_both_superfluous() {
        let one = "path \"a\" { capabilities = [\"read\"] }";
        let text = format!("== policy a\n{one}\n== policy b\n{one}\n== usage\nweb (a, b): read a");
        assert_eq!(titles(&ShadowedStanza, &text), ["`a` of policy `b` adds nothing"]);
    }
}
