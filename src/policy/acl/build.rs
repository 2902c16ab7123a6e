//! Policies into rules: templates filled in, equal patterns merged, the rules put in the order of their strength.

use super::rule::{PolicyRef, Rule, Skip, SkipReason, Source};
use crate::policy::constraints;
use crate::policy::model::{Constraints, Policy, Stanza};
use crate::policy::pattern::Pattern;
use crate::policy::profile::Profile;
use crate::policy::template::{Filler, Identity};
use crate::vault::{Capability, CapabilitySet};
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the policies come to, before the matcher is made.
pub(super) struct Built {
    /// The rules, weakest first.
    pub rules: Vec<Rule>,
    pub policies: Vec<PolicyRef>,
    pub skips: Vec<Skip>,
}

pub(super) fn build(profile: Profile, policies: &[&Policy], identity: &Identity, now: Option<i64>) -> Built {
    let now = now.unwrap_or_else(seconds_since_epoch);
    let mut table = Table::default();
    let mut skips = Vec::new();
    for (index, policy) in policies.iter().enumerate() {
        let filler = Filler {
            identity,
            namespace: &policy.namespace,
            rule: profile.template_rule(policy),
            now,
        };
        let mut in_force = Vec::with_capacity(policy.stanzas.len());
        let mut refused = false;
        for (position, stanza) in policy.stanzas.iter().enumerate() {
            match pattern_of(profile, stanza, &filler, now) {
                Ok(pattern) => in_force.push((position, stanza, pattern)),
                Err(reason) => {
                    refused |= reason.takes_whole_policy();
                    skips.push(Skip {
                        policy: index,
                        stanza: position,
                        origin: stanza.origin.clone(),
                        reason,
                    });
                }
            }
        }
        if refused {
            continue;
        }
        for (position, stanza, pattern) in in_force {
            table.add(index, position, stanza, pattern);
        }
    }
    let mut rules = table.rules;
    rules.sort_by_cached_key(|rule| Key::of(&rule.pattern));
    Built {
        rules,
        policies: policies
            .iter()
            .map(|p| PolicyRef {
                name: p.name.clone(),
                namespace: p.namespace.clone(),
                file: p.file.clone(),
            })
            .collect(),
        skips,
    }
}

fn seconds_since_epoch() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn pattern_of(profile: Profile, stanza: &Stanza, filler: &Filler<'_>, now: i64) -> Result<Pattern, SkipReason> {
    if stanza.constraints.expiration.is_some_and(|at| now > at) {
        return Err(SkipReason::Expired);
    }
    let path = if stanza.templated {
        filler.fill(&stanza.path)?
    } else {
        (&*stanza.path).into()
    };
    if !profile.knows_plus() {
        return Ok(Pattern::without_plus(&path, filler.namespace));
    }
    Ok(Pattern::parse(&path, filler.namespace)?)
}

/// [`Pattern::strength`] in a form that owns nothing but its text, so that it can be kept while sorting.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    exact: bool,
    first_wildcard: usize,
    not_prefix: bool,
    wildcards: std::cmp::Reverse<usize>,
    len: usize,
    text: std::sync::Arc<str>,
}

impl Key {
    fn of(pattern: &Pattern) -> Self {
        let strength = pattern.strength();
        Self {
            exact: strength.exact,
            first_wildcard: strength.first_wildcard,
            not_prefix: strength.not_prefix,
            wildcards: strength.wildcards,
            len: strength.len,
            text: pattern.text.clone(),
        }
    }
}

#[derive(Default)]
struct Table {
    rules: Vec<Rule>,
    by_pattern: HashMap<Pattern, usize>,
}

impl Table {
    fn add(&mut self, policy: usize, position: usize, stanza: &Stanza, pattern: Pattern) {
        let capabilities = stanza.capability_set();
        let source = Source {
            policy,
            stanza: position,
            capabilities,
            origin: stanza.origin.clone(),
        };
        let present = self.by_pattern.get(&pattern).and_then(|at| self.rules.get_mut(*at));
        let Some(rule) = present else {
            self.by_pattern.insert(pattern.clone(), self.rules.len());
            self.rules.push(Rule {
                pattern,
                capabilities,
                sources: vec![source],
                constraints: boxed(&stanza.constraints),
            });
            return;
        };
        rule.sources.push(source);
        let deny = CapabilitySet::of(Capability::Deny);
        if rule.capabilities.contains(Capability::Deny) {
            return;
        }
        if capabilities.contains(Capability::Deny) {
            rule.capabilities = deny;
            rule.constraints = None;
            return;
        }
        rule.capabilities = rule.capabilities.union(capabilities);
        if !stanza.constraints.is_empty() {
            let merged = rule.constraints.get_or_insert_default();
            constraints::merge(merged, &stanza.constraints);
        }
    }
}

fn boxed(constraints: &Constraints) -> Option<Box<Constraints>> {
    (!constraints.is_empty()).then(|| Box::new(constraints.clone()))
}
