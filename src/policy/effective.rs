//! All that a list of policies gives: one row a pattern, what decides nothing marked, and the same as one policy.

use crate::origin::Origin;
use crate::policy::acl::{Acl, Rule, RuleId};
use crate::policy::model::{Constraints, Stanza};
use crate::policy::pattern::Pattern;
use crate::policy::relation;
use crate::policy::syntax::print;
use crate::policy::template::is_templated;
use crate::vault::Capability;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;

/// One pattern of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The pattern, templates filled in, namespace in front.
    pub path: String,
    /// What it gives.
    pub capabilities: Vec<&'static str>,
    /// The stanzas that it was merged from.
    pub through: Vec<Through>,
    /// Whether parameters, wrapping or the like are asked for besides.
    pub constrained: bool,
    /// The stronger pattern that decides wherever this one matches, so that it gives nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// Which rule it is.
    #[serde(skip)]
    pub rule: RuleId,
}

/// A stanza.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Through {
    /// Its policy, namespace in front.
    pub policy: Arc<str>,
    /// `file:line:column`.
    pub origin: String,
}

/// The patterns that match something of `below`, or all where there is none, by path.
#[must_use]
pub fn rows(acl: &Acl, below: Option<&Pattern>) -> Vec<Row> {
    let mut rows: Vec<Row> = within(acl, below)
        .map(|(id, rule)| Row {
            path: rule.pattern.to_string(),
            capabilities: rule.capabilities.iter().map(Capability::as_str).collect(),
            through: rule
                .sources
                .iter()
                .filter_map(|source| {
                    let policy = acl.policies().get(source.policy)?;
                    Some(Through {
                        policy: format!("{}{}", policy.namespace, policy.name).into(),
                        origin: source.origin.to_string(),
                    })
                })
                .collect(),
            constrained: !rule.is_unconstrained(),
            decided_by: master(acl, id, rule).map(|rule| rule.pattern.to_string()),
            rule: id,
        })
        .collect();
    rows.sort_by(|a, b| a.path.cmp(&b.path));
    rows
}

fn within<'a>(acl: &'a Acl, below: Option<&'a Pattern>) -> impl Iterator<Item = (RuleId, &'a Rule)> {
    acl.rules_with_ids()
        .filter(move |(_, rule)| below.is_none_or(|below| may_decide(acl, rule, below)))
}

/// Whether the rule may decide something that `below` matches: a LIST of `a/` may be decided by `a`, and on some servers a deny
/// by other spellings of it.
fn may_decide(acl: &Acl, rule: &Rule, below: &Pattern) -> bool {
    let bare = below.text.strip_suffix('/').map(|bare| Pattern {
        text: bare.into(),
        prefix: false,
        segment_wildcards: below.segment_wildcards,
    });
    let any_case = acl.profile().deny_ignores_case() && rule.capabilities.contains(Capability::Deny);
    let meet = |asked: &Pattern| {
        !relation::disjoint(asked, &rule.pattern)
            || any_case && !relation::disjoint(&asked.lower_case(), &rule.pattern.lower_case())
    };
    meet(below) || bare.as_ref().is_some_and(meet)
}

/// The stronger rule that decides all that `rule` matches. Newer servers let one that grants list, or denies it, win a LIST
/// against a stronger one that does neither. A deny that looks at no case matches spellings that no other rule covers.
fn master<'a>(acl: &'a Acl, id: RuleId, rule: &Rule) -> Option<&'a Rule> {
    if acl.profile().deny_ignores_case() && rule.capabilities.contains(Capability::Deny) {
        return None;
    }
    let lists = [Capability::List, Capability::Deny]
        .iter()
        .any(|c| rule.capabilities.contains(*c));
    acl.rules_with_ids()
        .filter(|(other, _)| *other > id)
        .map(|(_, other)| other)
        .filter(|other| !lists || other.capabilities.contains(Capability::List))
        .find(|other| relation::implies(&rule.pattern, &other.pattern))
}

/// The same as one policy: on its own it decides every request as the list does. `comment` says something of each row, a line
/// each. Paths are written relative to the namespace that all policies are of; else in full.
#[must_use]
pub fn policy(acl: &Acl, below: Option<&Pattern>, comment: impl Fn(&Row) -> Vec<String>) -> String {
    let namespace = common_namespace(acl);
    let blocks: Vec<String> = rows(acl, below)
        .iter()
        .filter_map(|row| {
            let rule = acl.rule(row.rule)?;
            let path = row.path.strip_prefix(&*namespace).unwrap_or(&row.path);
            if is_templated(path) {
                return Some(print::comment(&format!(
                    "left out, since it would be read as a template: {path}"
                )));
            }
            // Of a path that begins with `/`, the servers drop the first.
            let path = match path.starts_with('/') {
                true => Cow::Owned(format!("/{path}")),
                false => Cow::Borrowed(path),
            };
            Some(print::commented(&comment(row), &stanza(&path, rule)))
        })
        .collect();
    blocks.join("\n")
}

/// The namespace that all policies are of; root's where they are of several.
#[must_use]
pub fn common_namespace(acl: &Acl) -> Arc<str> {
    let mut all = acl.policies().iter().map(|p| &p.namespace);
    match all.next() {
        Some(first) if all.all(|other| other == first) => Arc::clone(first),
        _ => "".into(),
    }
}

fn stanza(path: &str, rule: &Rule) -> Stanza {
    let capabilities: Vec<Capability> = rule.capabilities.iter().collect();
    // A deny looks at nothing else.
    let constraints = if capabilities.contains(&Capability::Deny) {
        Constraints::default()
    } else {
        rule.constraints().clone()
    };
    Stanza {
        path: path.into(),
        templated: false,
        capabilities,
        constraints,
        origin: Origin::new("effective", 1, 1),
        span: 0..0,
        capabilities_span: None,
        comment: Vec::new(),
        comment_span: None,
        keys: Vec::new(),
        in_two_cases: Vec::new(),
    }
}
