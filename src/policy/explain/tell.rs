//! The explanation, gathered from the compiled list.

use super::change::{self, Change};
use super::kv;
use super::question::{Question, common_segments, lacks_sudo};
use crate::policy::acl::{Acl, Decision, Reason, Request, Rule, RuleId};
use crate::policy::pattern::Pattern;
use crate::policy::profile::ListRule;
use crate::vault::{Capability, Operation, path};
use serde::Serialize;
use std::sync::Arc;

/// A decision and how it came about.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The operation asked for.
    pub operation: &'static str,
    /// The path asked for, namespace in front.
    pub path: String,
    /// The server, with what is not known of it.
    pub server: String,
    /// Whether the request is allowed, `sudo` included where it is needed.
    pub allowed: bool,
    /// Why, in one sentence.
    pub why: String,
    /// Whether the path is root-protected.
    pub needs_sudo: bool,
    /// The policies that grant it.
    pub granting: Vec<Arc<str>>,
    /// What the capabilities endpoint would say of the path.
    pub capabilities: Vec<&'static str>,
    /// The pattern that decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub winner: Option<RuleView>,
    /// The patterns that match as well, strongest first.
    pub beaten: Vec<Beaten>,
    /// Where nothing matches: the pattern that comes nearest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Nearest>,
    /// Stanzas of these policies that are not in force.
    pub not_in_force: Vec<NotInForce>,
    /// For a denial: changes that would allow it, each checked by deciding again; the smallest first.
    pub changes: Vec<Change>,
}

/// A pattern in force.
#[derive(Debug, Clone, Serialize)]
pub struct RuleView {
    /// The pattern, namespace in front.
    pub pattern: String,
    /// Its merged capabilities.
    pub capabilities: Vec<&'static str>,
    /// The stanzas that it was merged from.
    pub stanzas: Vec<StanzaView>,
}

/// A stanza.
#[derive(Debug, Clone, Serialize)]
pub struct StanzaView {
    /// Its policy.
    pub policy: Arc<str>,
    /// `file:line:column`.
    pub origin: String,
    /// Its own capabilities.
    pub capabilities: Vec<&'static str>,
}

/// A pattern that matches and does not decide.
#[derive(Debug, Clone, Serialize)]
pub struct Beaten {
    /// The pattern.
    #[serde(flatten)]
    pub rule: RuleView,
    /// Why it lost.
    pub because: String,
    /// Whether it would have allowed the operation.
    pub would_allow: bool,
}

/// The pattern that comes nearest to matching.
#[derive(Debug, Clone, Serialize)]
pub struct Nearest {
    /// The pattern.
    #[serde(flatten)]
    pub rule: RuleView,
    /// What the writer may have meant, where it is a usual slip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A stanza that is not in force.
#[derive(Debug, Clone, Serialize)]
pub struct NotInForce {
    /// Its policy.
    pub policy: Arc<str>,
    /// `file:line:column`.
    pub origin: String,
    /// Why.
    pub because: String,
}

/// Explains a decision.
#[must_use]
pub fn explain(question: &Question<'_>) -> Explanation {
    let path = question.request.operation.path_asked(question.request.path);
    let question = &Question {
        request: Request {
            path: &path,
            ..question.request
        },
        ..*question
    };
    let acl = Acl::compile(question.profile, question.policies, question.identity, question.now);
    let decision = acl.decide(&question.request);
    let asked = path::clean(question.request.path);
    let lacks_sudo = lacks_sudo(question, &decision);
    let winner = decision.winner.and_then(|id| acl.rule(id).map(|rule| (id, rule)));
    let changes = if decision.allowed && !lacks_sudo {
        Vec::new()
    } else {
        change::smallest(question, &acl, &decision)
    };
    Explanation {
        operation: question.request.operation.as_str(),
        path: asked.to_owned(),
        server: question.profile.to_string(),
        allowed: decision.allowed && !lacks_sudo,
        why: why(&acl, question, &decision, lacks_sudo),
        needs_sudo: question.needs_sudo,
        winner: winner.map(|(_, rule)| view(&acl, rule)),
        beaten: beaten(&acl, question.request.operation, asked, winner),
        nearest: (decision.reason == Reason::NoMatch)
            .then(|| nearest(&acl, asked, question))
            .flatten(),
        not_in_force: acl.skips().iter().filter_map(|skip| not_in_force(&acl, skip)).collect(),
        granting: decision.granting,
        capabilities: decision.capabilities,
        changes,
    }
}

fn why(acl: &Acl, question: &Question<'_>, decision: &Decision, lacks_sudo: bool) -> String {
    let names = |policies: &[Arc<str>]| {
        let quoted: Vec<_> = policies.iter().map(|p| format!("`{p}`")).collect();
        quoted.join(", ")
    };
    if lacks_sudo {
        return "the path is root-protected, so `sudo` is needed besides, and the winning stanza lacks it".to_owned();
    }
    match &decision.reason {
        Reason::Root => "the root policy allows everything".to_owned(),
        Reason::RootNotAlone => "the root policy stands beside others, and the servers refuse such a token".to_owned(),
        Reason::Help => "`help` is always allowed".to_owned(),
        Reason::Granted => format!("the winning stanza grants it, by policy {}", names(&decision.granting)),
        Reason::UnknownOperation => format!(
            "servers of profile {} know no operation `{}` and deny it",
            question.profile, question.request.operation
        ),
        Reason::NoMatch if acl.rules().is_empty() => "no stanza is in force".to_owned(),
        Reason::NoMatch => "no stanza matches the path".to_owned(),
        Reason::Deny => "the winning stanza denies".to_owned(),
        Reason::MissingCapability(capability) => format!("the winning stanza lacks `{capability}`"),
        Reason::Constraint(refusal) => {
            format!("the winning stanza has the capability, and a constraint refuses: {refusal}")
        }
    }
}

fn view(acl: &Acl, rule: &Rule) -> RuleView {
    RuleView {
        pattern: rule.pattern.to_string(),
        capabilities: rule.capabilities.iter().map(Capability::as_str).collect(),
        stanzas: rule
            .sources
            .iter()
            .map(|source| StanzaView {
                policy: acl
                    .policies()
                    .get(source.policy)
                    .map(|p| p.name.clone())
                    .unwrap_or_default(),
                origin: source.origin.to_string(),
                capabilities: source.capabilities.iter().map(Capability::as_str).collect(),
            })
            .collect(),
    }
}

/// The pattern that shares the most segments with the path, at least one; first of all one that a usual slip keeps from matching.
fn nearest(acl: &Acl, asked: &str, question: &Question<'_>) -> Option<Nearest> {
    let slipped = slips(asked, question).into_iter().find_map(|(meant, hint)| {
        let rule = acl.rules().iter().rev().find(|rule| rule.pattern.matches(&meant))?;
        Some((rule, Some(hint)))
    });
    let closest = || {
        let shared = |rule: &&Rule| common_segments(&rule.pattern.text, asked);
        let rule = acl.rules().iter().max_by_key(shared).filter(|rule| shared(rule) > 0)?;
        Some((rule, None))
    };
    let (rule, hint) = slipped.or_else(closest)?;
    Some(Nearest {
        rule: view(acl, rule),
        hint,
    })
}

/// Paths that a policy's writer may have had in mind for this one, with the slip told.
fn slips(asked: &str, question: &Question<'_>) -> Vec<(String, String)> {
    let mut meant = Vec::new();
    if let Some(kv::Meant { path, mount, known }) = kv::meant(question) {
        let hint = if known {
            format!("`{mount}` is KV version 2, where the path is `{path}`")
        } else {
            format!("did you mean `{path}`? That is the path if `{mount}` is KV version 2")
        };
        meant.push((path, hint));
    }
    // A mount that is deeper than this is rare, and a path may have a million segments.
    for (start, _) in asked.match_indices('/').take(8) {
        let (mount, rest) = asked.split_at(start);
        let Some((kind, rest)) = rest.trim_start_matches('/').split_once('/') else {
            continue;
        };
        let other = question
            .kv
            .is_some_and(|kv| kv.version != 2 && asked.starts_with(kv.path));
        if kv::PARTS.contains(&kind) && !other {
            let hint = format!("on a KV v2 mount the path has `{kind}/` after the mount: `{mount}/{kind}/…`");
            meant.push((format!("{mount}/{rest}"), hint));
        }
    }
    match asked.strip_suffix('/') {
        Some(bare) => meant.push((
            bare.to_owned(),
            "the path ends in a slash, the stanza's does not".to_owned(),
        )),
        None => meant.push((
            format!("{asked}/"),
            "the stanza's path ends in a slash, this one does not".to_owned(),
        )),
    }
    meant
}

fn not_in_force(acl: &Acl, skip: &crate::policy::acl::Skip) -> Option<NotInForce> {
    let policy = acl.policies().get(skip.policy)?;
    let scope = if skip.reason.takes_whole_policy() {
        "; the server refuses the whole policy"
    } else {
        ""
    };
    Some(NotInForce {
        policy: policy.name.clone(),
        origin: skip.origin.to_string(),
        because: format!("{}{scope}", skip.reason),
    })
}

fn beaten(acl: &Acl, operation: Operation, asked: &str, winner: Option<(RuleId, &Rule)>) -> Vec<Beaten> {
    let Some((winner_id, winner)) = winner else {
        return Vec::new();
    };
    let capability = acl.profile().capability(operation);
    acl.matching(operation, asked)
        .into_iter()
        .filter(|id| *id != winner_id)
        .filter_map(|id| {
            let rule = acl.rule(id)?;
            Some(Beaten {
                rule: view(acl, rule),
                because: because(
                    acl.profile().list_rule(operation),
                    asked,
                    (id, &rule.pattern),
                    (winner_id, &winner.pattern),
                ),
                would_allow: capability.is_some_and(|c| rule.capabilities.contains(c)),
            })
        })
        .collect()
}

/// Why a rule lost to the winner. Mostly the winner is the stronger; on LIST the order of the look-ups counts first.
fn because(
    list_rule: Option<ListRule>,
    asked: &str,
    (id, pattern): (RuleId, &Pattern),
    (winner_id, winner): (RuleId, &Pattern),
) -> String {
    let bare = asked.strip_suffix('/').unwrap_or(asked);
    let by_lookup = match list_rule {
        Some(ListRule::BareThenSlash) if winner.matches(bare) && !pattern.matches(bare) => {
            Some(format!("it matches only `{asked}`, and this server looks up `{bare}` first"))
        }
        Some(ListRule::SlashThenBare) if winner.matches(asked) && !pattern.matches(asked) => {
            Some(format!("it matches only `{bare}`, and this server looks up `{asked}` first"))
        }
        Some(ListRule::Together) if id > winner_id => {
            Some("it is the stronger, and this server prefers a stanza that grants `list` to one that neither grants nor denies it".to_owned())
        }
        _ => None,
    };
    let unknown = if winner.lower_case() == pattern.lower_case() {
        "; the two differ by the case of letters alone, and the release notes do not say which of them decides"
    } else {
        ""
    };
    by_lookup.unwrap_or_else(|| {
        format!(
            "the winner {}{unknown}",
            winner.strength().why_over(&pattern.strength())
        )
    })
}
