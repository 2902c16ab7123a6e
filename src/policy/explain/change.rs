//! The smallest changes that would allow a denied request, each tried out before it is told.

use super::kv;
use super::question::{Question, common_segments, lacks_sudo};
use crate::policy::acl::{Acl, Decision, Reason, Request, Rule, Source};
use crate::policy::constraints::Refusal;
use crate::policy::model::{Policy, Stanza};
use crate::policy::syntax;
use crate::policy::syntax::print::quote;
use crate::vault::{Capability, CapabilitySet, path};
use serde::Serialize;
use std::sync::Arc;

/// A change that would allow the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What to do.
    pub what: String,
    /// The policy to change; none where the request is to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Arc<str>>,
    /// The place to change, where it is there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// A change to a policy, so that it can be tried.
enum Edit {
    /// Capabilities for a stanza.
    Add(Source, Vec<Capability>),
    /// A stanza of a policy, with capabilities.
    Stanza(usize, String, Vec<Capability>),
    /// Stanzas that deny, taken away.
    Remove(Vec<Source>),
}

pub(super) fn smallest(question: &Question<'_>, acl: &Acl, decision: &Decision) -> Vec<Change> {
    let Some(capability) = question.profile.capability(question.request.operation) else {
        return Vec::new();
    };
    if let Some(meant) = kv::meant(question) {
        let request = Request {
            path: &meant.path,
            ..question.request
        };
        let there = Question { request, ..*question };
        let decision = acl.decide(&request);
        let allowed = decision.allowed && !lacks_sudo(&there, &decision);
        let ask = |why: String| Change {
            what: format!("ask for `{}`{why}", meant.path),
            policy: None,
            origin: None,
        };
        match (meant.known, allowed) {
            // No request has the path as it was asked for: a stanza on it would be of no use.
            (true, true) => return vec![ask(format!(", which is allowed: `{}` is KV version 2", meant.mount))],
            (true, false) => {
                let mut changes = vec![ask(format!(": `{}` is KV version 2", meant.mount))];
                changes.extend(smallest(&there, acl, &decision));
                return changes;
            }
            (false, true) => {
                let mut changes = vec![ask(format!(
                    ", which is allowed, where `{}` is KV version 2",
                    meant.mount
                ))];
                changes.extend(by_stanzas(question, acl, &acl.decide(&question.request), capability));
                return changes;
            }
            (false, false) => {}
        }
    }
    by_stanzas(question, acl, decision, capability)
}

fn by_stanzas(question: &Question<'_>, acl: &Acl, decision: &Decision, capability: Capability) -> Vec<Change> {
    let winner = decision.winner.and_then(|id| acl.rule(id));
    let mut needed = vec![capability];
    if question.needs_sudo {
        needed.push(Capability::Sudo);
    }
    let mut changes = Vec::new();
    let mut edits = Vec::new();
    match (&decision.reason, winner) {
        (Reason::Constraint(refusal), Some(rule)) => changes.extend(for_request(refusal, rule, acl)),
        (Reason::Deny, Some(rule)) => {
            edits.extend(exact_stanza(question, acl, rule, &needed));
            let denying = |s: &&Source| s.capabilities.contains(Capability::Deny);
            edits.push(Edit::Remove(rule.sources.iter().filter(denying).cloned().collect()));
        }
        (_, Some(rule)) => {
            let missing = needed
                .iter()
                .copied()
                .filter(|c| !rule.capabilities.contains(*c))
                .collect();
            edits.extend(rule.sources.first().map(|source| Edit::Add(source.clone(), missing)));
            edits.extend(exact_stanza(question, acl, rule, &needed));
        }
        (_, None) => edits.extend(new_stanza(question, acl, &needed)),
    }
    changes.extend(
        edits
            .iter()
            .filter(|edit| allows(edit, question))
            .map(|edit| told(edit, acl)),
    );
    changes
}

/// A stanza for exactly this path, in the policy of the winner, where the winner is a wider pattern.
fn exact_stanza(question: &Question<'_>, acl: &Acl, winner: &Rule, needed: &[Capability]) -> Option<Edit> {
    let policy = winner.sources.first()?.policy;
    if winner.pattern.is_exact() {
        return None;
    }
    // The new stanza decides alone, so it has to keep what the wider one gave here.
    let kept = winner.capabilities.difference(CapabilitySet::of(Capability::Deny));
    let all: CapabilitySet = kept.iter().chain(needed.iter().copied()).collect();
    Some(Edit::Stanza(
        policy,
        relative(question, acl, policy)?,
        all.iter().collect(),
    ))
}

/// A stanza for exactly this path, in the policy that comes nearest to it.
fn new_stanza(question: &Question<'_>, acl: &Acl, needed: &[Capability]) -> Option<Edit> {
    let asked = path::clean(question.request.path);
    let nearest = acl
        .rules()
        .iter()
        .max_by_key(|rule| common_segments(&rule.pattern.text, asked));
    let policy = nearest
        .and_then(|rule| rule.sources.first())
        .map_or(0, |source| source.policy);
    Some(Edit::Stanza(policy, relative(question, acl, policy)?, needed.to_vec()))
}

/// The path as a policy of this namespace would write it.
fn relative(question: &Question<'_>, acl: &Acl, policy: usize) -> Option<String> {
    let namespace = &acl.policies().get(policy)?.namespace;
    path::clean(question.request.path)
        .strip_prefix(&**namespace)
        .map(str::to_owned)
}

fn stanza_text(path: &str, capabilities: &[Capability]) -> String {
    let words: Vec<_> = capabilities.iter().map(|c| quote(c.as_str())).collect();
    format!("path {} {{ capabilities = [{}] }}", quote(path), words.join(", "))
}

/// Decides the request again with the change made.
fn allows(edit: &Edit, question: &Question<'_>) -> bool {
    let mut policies: Vec<Policy> = question.policies.iter().map(|p| (*p).clone()).collect();
    if apply(edit, question, &mut policies).is_none() {
        return false;
    }
    let references: Vec<&Policy> = policies.iter().collect();
    let acl = Acl::compile(question.profile, &references, question.identity, question.now);
    let decision = acl.decide(&question.request);
    decision.allowed && !lacks_sudo(question, &decision)
}

fn apply(edit: &Edit, question: &Question<'_>, policies: &mut [Policy]) -> Option<()> {
    let stanza = |policies: &mut [Policy], source: &Source, change: &dyn Fn(&mut Stanza)| {
        change(policies.get_mut(source.policy)?.stanzas.get_mut(source.stanza)?);
        Some(())
    };
    match edit {
        Edit::Add(source, capabilities) => stanza(policies, source, &|s| s.capabilities.extend(capabilities)),
        Edit::Remove(sources) => sources.iter().try_for_each(|source| {
            // An unfillable template is as good as no stanza, and keeps the numbers of the others.
            stanza(policies, source, &|s| {
                s.path = "{{removed}}".into();
                s.templated = true;
            })
        }),
        Edit::Stanza(policy, path, capabilities) => {
            let text = stanza_text(path, capabilities);
            let parsed = syntax::parse("new", "new", &text, &question.profile.dialect()).ok()?;
            policies.get_mut(*policy)?.stanzas.extend(parsed.stanzas);
            Some(())
        }
    }
}

fn told(edit: &Edit, acl: &Acl) -> Change {
    let name = |policy: usize| acl.policies().get(policy).map(|p| p.name.clone());
    match edit {
        Edit::Add(source, capabilities) => {
            let words: Vec<_> = capabilities.iter().map(|c| format!("`{c}`")).collect();
            Change {
                what: format!("add {} to the stanza", words.join(" and ")),
                policy: name(source.policy),
                origin: Some(source.origin.to_string()),
            }
        }
        Edit::Remove(sources) => {
            let places: Vec<_> = sources.iter().skip(1).map(|s| s.origin.to_string()).collect();
            let also = if places.is_empty() {
                String::new()
            } else {
                format!(", and those at {}", places.join(", "))
            };
            let first = sources.first();
            Change {
                what: format!("take away the stanza that denies{also}"),
                policy: first.and_then(|s| name(s.policy)),
                origin: first.map(|s| s.origin.to_string()),
            }
        }
        Edit::Stanza(policy, path, capabilities) => Change {
            what: format!("add the stanza `{}`", stanza_text(path, capabilities)),
            policy: name(*policy),
            origin: None,
        },
    }
}

/// What to ask for instead, where the capability is there and a constraint refuses.
fn for_request(refusal: &Refusal, rule: &Rule, acl: &Acl) -> Option<Change> {
    let seconds = |ns: i64| ns / 1_000_000_000;
    let constraints = rule.constraints();
    let wrapping = || match (constraints.min_wrapping_ttl_ns, constraints.max_wrapping_ttl_ns) {
        (0, max) => format!("ask for a wrapped response of at most {} s", seconds(max)),
        (min, 0) => format!("ask for a wrapped response of at least {} s", seconds(min)),
        (min, max) => format!("ask for a wrapped response of {} to {} s", seconds(min), seconds(max)),
    };
    let what = match refusal {
        Refusal::NotWrapped(_) | Refusal::WrapTooLong { .. } | Refusal::WrapTooShort { .. } => wrapping(),
        Refusal::WrapContradiction => {
            let source = rule.sources.first()?;
            return Some(Change {
                what: "make `min_wrapping_ttl` and `max_wrapping_ttl` of the merged stanzas agree".to_owned(),
                policy: acl.policies().get(source.policy).map(|p| p.name.clone()),
                origin: Some(source.origin.to_string()),
            });
        }
        Refusal::Missing(name) => format!("send the parameter `{}`", name.to_lowercase()),
        Refusal::AllDenied => "send no parameter".to_owned(),
        Refusal::Denied { name, any_value: true } | Refusal::NotAllowed(name) => {
            format!("leave out the parameter `{name}`")
        }
        Refusal::Denied { name, any_value: false } => format!("send another value for the parameter `{name}`"),
        Refusal::ValueNotAllowed(name) => format!("send an allowed value for the parameter `{name}`"),
        Refusal::Pagination(most) => format!("ask for a `limit` of at most {most}"),
    };
    Some(Change {
        what,
        policy: None,
        origin: None,
    })
}
