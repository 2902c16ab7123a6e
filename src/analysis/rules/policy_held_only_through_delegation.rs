//! `policy-held-only-through-delegation`: a policy that nobody has by login, only tokens that somebody made.

use super::about;
use crate::access::{HolderId, Joined, PolicyNumber};
use crate::advice::Severity;
use crate::analysis::rule::{Context, Draft, Rule, count, quoted};
use crate::vault::PolicyId;
use crate::vault::PrincipalKind;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The rule.
pub struct PolicyHeldOnlyThroughDelegation;

impl Rule for PolicyHeldOnlyThroughDelegation {
    fn id(&self) -> &'static str {
        "policy-held-only-through-delegation"
    }

    fn severity(&self) -> Severity {
        Severity::Info
    }

    fn summary(&self) -> &'static str {
        "a policy that only child tokens hold, and nobody by login"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        let joined = context.joined;
        let makers = makers(joined);
        let mut holders_of: BTreeMap<PolicyNumber, BTreeSet<HolderId>> = BTreeMap::new();
        let held = joined.held.numbered().map(|(p, held)| (p, &held.by));
        for (p, held) in held.filter(|(_, held)| !held.is_empty()) {
            let policy = joined.policies[p].id();
            if !about::is_built_in(&policy.name) && held.iter().all(|&h| is_delegated(joined, &makers, p, &policy, h)) {
                holders_of.insert(p, held.clone());
            }
        }
        holders_of
            .into_iter()
            .map(|(p, held)| draft(context, &makers, p, &held))
            .collect()
    }
}

/// Who made tokens, and with which policies in force.
type Makers = HashMap<HolderId, HashSet<PolicyNumber>>;

fn makers(joined: &Joined) -> Makers {
    let mut makers = Makers::new();
    for d in joined
        .demands
        .iter()
        .filter(|d| d.was_allowed() && d.demand.path.starts_with("auth/token/create"))
    {
        let policies = joined.sets[d.set].policies.iter().copied();
        makers.entry(d.holder).or_default().extend(policies);
    }
    makers
}

/// Whether a holder has the policy only by tokens that it, or somebody, made.
fn is_delegated(joined: &Joined, makers: &Makers, p: PolicyNumber, policy: &PolicyId, h: HolderId) -> bool {
    let holder = &joined.holders[h];
    // What the deployment says it gets is the better witness.
    if !holder.assigned.is_empty() {
        let by_login = holder
            .assigned
            .iter()
            .any(|place| place.mount != "auth/token/" && place.policies.contains(policy));
        let login_known = holder.assigned.iter().any(|place| place.kind != "group");
        return !by_login && login_known && holder.is_active();
    }
    if holder.principal.kind == PrincipalKind::Token && &*holder.principal.auth_mount == "auth/token/" {
        return true;
    }
    // It made tokens, but never with a token that has this policy itself.
    makers.get(&h).is_some_and(|own| !own.contains(&p))
}

fn draft(context: &Context<'_>, makers: &Makers, p: PolicyNumber, held: &BTreeSet<HolderId>) -> Draft {
    let joined = context.joined;
    let policy = &joined.policies[p];
    let mut draft = about::policy(policy);
    draft.title = format!("policy `{}` is held only by tokens that somebody made", policy.id());
    let made: Vec<HolderId> = held.iter().copied().filter(|h| makers.contains_key(h)).collect();
    let roles: Vec<&str> = context
        .deployment
        .into_iter()
        .flat_map(|d| &d.roles)
        .filter(|r| {
            r.namespace == *policy.namespace
                && r.kind == "token"
                && r.allowed_policies.iter().any(|glob| fits(glob, &policy.name))
        })
        .map(|r| r.name.as_str())
        .collect();
    draft.detail = format!(
        "{} ({}) held it, and none of them by login, entity or group.{}{}",
        count(held.len(), "principal"),
        context.names(held.iter().copied(), 3),
        if made.is_empty() {
            String::new()
        } else {
            format!(" Made by {}.", context.names(made, 3))
        },
        if roles.is_empty() {
            String::new()
        } else {
            format!(" Token roles that may hand it out: {}.", quoted(&roles, 5))
        },
    );
    draft.remedy =
        "No auth role, entity or group hands it out, so it cannot be taken away there: look first at what makes these tokens. \
                    A token role (`auth/token/roles/`) with this policy in `allowed_policies` makes the delegation visible."
            .to_owned();
    draft
}

fn fits(glob: &str, name: &str) -> bool {
    match glob.split_once('*') {
        Some((start, end)) => name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
        None => glob == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::{check, titles};

    #[test]
    fn fixtures() {
        let found = check(
            &PolicyHeldOnlyThroughDelegation,
            include_str!("../../../fixtures/rules/policy-held-only-through-delegation/found.txt"),
        );
        let titles_found: Vec<&str> = found.iter().map(|d| &*d.title).collect();
        assert_eq!(
            titles_found,
            [
                "policy `job` is held only by tokens that somebody made",
                "policy `loose` is held only by tokens that somebody made",
            ]
        );
        assert!(found[0].detail.contains("Made by `ci`"), "{}", found[0].detail);
        assert!(
            found[0].detail.contains("Token roles that may hand it out: `runner`"),
            "{}",
            found[0].detail
        );
        let clean = include_str!("../../../fixtures/rules/policy-held-only-through-delegation/clean.txt");
        assert!(titles(&PolicyHeldOnlyThroughDelegation, clean).is_empty());
    }
}
