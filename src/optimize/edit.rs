//! Edits a policy's text: what changes is replaced where it stands, all else (comments, order, spacing) stays as people wrote it.

use super::parameters::Parameters;
use crate::policy::model::{Language, Policy, Stanza};
use crate::policy::syntax::print;
use crate::policy::template::is_templated;
use crate::vault::{Capability, CapabilitySet};
use std::ops::Range;
use std::sync::Arc;

/// What happens to one stanza.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It stays.
    Keep,
    /// It goes.
    Drop,
    /// Its capabilities become these.
    Capabilities(Vec<Capability>),
    /// These come in its place.
    Replace(Vec<NewStanza>),
}

/// A stanza that comes in the place of another.
#[derive(Debug, Clone, PartialEq)]
pub struct NewStanza {
    /// Path as written in a policy.
    pub path: String,
    /// Capabilities.
    pub capabilities: CapabilitySet,
    /// Why it is as it is.
    pub comment: Option<String>,
    /// Which parameters may and must be sent, where that is constrained.
    pub parameters: Option<Parameters>,
}

/// The changes in words, none for one that stays.
#[must_use]
pub fn describe(stanza: &Stanza, change: &Change) -> Option<String> {
    match change {
        Change::Keep => None,
        Change::Drop => Some(format!("`{}` was never used: removed", stanza.path)),
        Change::Capabilities(kept) => {
            let kept: CapabilitySet = kept.iter().copied().collect();
            let gone = stanza.capability_set().difference(kept);
            Some(format!(
                "`{}` was never used for {gone}; what is left: {kept}",
                stanza.path
            ))
        }
        Change::Replace(new) if matches!(&new[..], [only] if *only.path == *stanza.path) => {
            let parameters = new
                .first()
                .and_then(|n| n.parameters.as_ref())
                .map(Parameters::describe);
            Some(format!("`{}`: {}", stanza.path, parameters.unwrap_or_default()))
        }
        Change::Replace(new) => {
            let own = new.iter().find(|n| *n.path == *stanza.path);
            let beside = new.iter().filter(|n| *n.path != *stanza.path);
            let beside: Vec<&NewStanza> = beside.collect();
            let paths: Vec<String> = beside.iter().take(4).map(|n| format!("`{}`", n.path)).collect();
            let more = beside.len().saturating_sub(paths.len());
            let more = if more == 0 {
                String::new()
            } else {
                format!(" and {more} more")
            };
            let what = match own {
                // It stays, with less: what else was used has a place of its own.
                Some(own) => format!("`{}` keeps {}; beside it", stanza.path, own.capabilities),
                None => format!("`{}` narrowed to what was used", stanza.path),
            };
            Some(format!(
                "{what}: {}{more}{}",
                paths.join(", "),
                if new.iter().any(|n| n.parameters.is_some()) {
                    "; parameters as they were sent"
                } else {
                    ""
                }
            ))
        }
    }
}

/// The policy's text with `changes` (parallel to its stanzas) made.
#[must_use]
pub fn apply(policy: &Policy, changes: &[Change]) -> String {
    let text = applied(policy, changes);
    // Servers refuse an empty text.
    if text.trim().is_empty() {
        NOTHING_LEFT.to_owned()
    } else {
        text
    }
}

/// The text of a policy of which nothing is left, and which somebody still hands out.
const NOTHING_LEFT: &str = "# Nothing of this policy was used.\n";

fn applied(policy: &Policy, changes: &[Change]) -> String {
    if policy.language == Language::Json {
        return apply_whole(policy, changes);
    }
    let mut edits: Vec<(Range<usize>, String)> = policy
        .stanzas
        .iter()
        .zip(changes)
        .filter_map(|(stanza, change)| edit(policy, stanza, change))
        .collect();
    edits.sort_by_key(|(span, _)| span.start);
    let mut text = String::with_capacity(policy.source.len());
    let mut at = 0;
    for (span, new) in edits {
        text.push_str(policy.source.get(at..span.start).unwrap_or_default());
        text.push_str(&new);
        at = span.end;
    }
    text.push_str(policy.source.get(at..).unwrap_or_default());
    tidy(&text)
}

fn edit(policy: &Policy, stanza: &Stanza, change: &Change) -> Option<(Range<usize>, String)> {
    match change {
        Change::Keep => None,
        Change::Drop => {
            let start = stanza
                .comment_span
                .as_ref()
                .map_or(stanza.span.start, |c| c.start.min(stanza.span.start));
            Some((start..stanza.span.end, String::new()))
        }
        Change::Capabilities(kept) => Some(match &stanza.capabilities_span {
            // A legacy `policy = "…"` beside the list would add capabilities again: then the whole block is written anew.
            Some(span) if !stanza.keys.iter().any(|k| &*k.name == "policy") => (span.clone(), list(kept)),
            _ => {
                let mut new = stanza.clone();
                new.capabilities.clone_from(kept);
                (stanza.span.clone(), body(&print::commented::<&str>(&[], &new)))
            }
        }),
        Change::Replace(new) => {
            let indent = indent(&policy.source, stanza.span.start);
            let blocks: Vec<String> = new
                .iter()
                .map(|n| {
                    let comments: Vec<String> = n.comment.iter().cloned().collect();
                    body(&print::commented(&comments, &written(n, stanza)))
                })
                .collect();
            Some((stanza.span.clone(), blocks.join(&format!("\n\n{indent}"))))
        }
    }
}

/// The new stanza in the clothes of the one it replaces.
fn written(new: &NewStanza, old: &Stanza) -> Stanza {
    Stanza {
        path: Arc::from(new.path.as_str()),
        templated: is_templated(&new.path),
        capabilities: new.capabilities.iter().collect(),
        comment: Vec::new(),
        comment_span: None,
        keys: Vec::new(),
        in_two_cases: Vec::new(),
        constraints: match &new.parameters {
            Some(parameters) => parameters.constraints(),
            None => old.constraints.clone(),
        },
        ..old.clone()
    }
}

fn body(text: &str) -> String {
    text.trim_end().to_owned()
}

fn list(capabilities: &[Capability]) -> String {
    let words: Vec<String> = capabilities.iter().map(|c| format!("\"{c}\"")).collect();
    format!("[{}]", words.join(", "))
}

fn indent(source: &str, at: usize) -> String {
    let line = source
        .get(..at)
        .unwrap_or_default()
        .rsplit('\n')
        .next()
        .unwrap_or_default();
    line.chars().take_while(|c| *c == ' ' || *c == '\t').collect()
}

/// A policy written anew as HCL: for JSON, which has no comments to lose.
fn apply_whole(policy: &Policy, changes: &[Change]) -> String {
    let mut stanzas = Vec::new();
    for (stanza, change) in policy.stanzas.iter().zip(changes) {
        match change {
            Change::Keep => stanzas.push(stanza.clone()),
            Change::Drop => {}
            Change::Capabilities(kept) => {
                let mut new = stanza.clone();
                new.capabilities.clone_from(kept);
                stanzas.push(new);
            }
            Change::Replace(new) => stanzas.extend(new.iter().map(|n| written(n, stanza))),
        }
    }
    print::policy(&stanzas)
}

/// At most one blank line in a row, none at the start, one line end at the end.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = 0;
    for line in text.lines() {
        let line = line.trim_end();
        if line.is_empty() {
            blank += 1;
            continue;
        }
        if blank > 0 && !out.is_empty() {
            out.push('\n');
        }
        blank = 0;
        out.push_str(line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::profile::Profile;
    use crate::policy::syntax;

    const TEXT: &str = "# head\n\n# one\npath \"a/*\" {\n  capabilities = [\"read\", \"list\"] # why\n}\n\n# two\npath \"b\" {\n  policy = \"write\"\n}\n\npath \"c/*\" { capabilities = [\"read\"] }\n";

    fn policy() -> Policy {
        syntax::parse("p", "p.hcl", TEXT, &Profile::Vault203.dialect()).unwrap()
    }

    #[test]
    fn edits_stay_where_they_belong() {
        let new = |path: &str| NewStanza {
            path: path.to_owned(),
            capabilities: CapabilitySet::of(Capability::Read),
            comment: None,
            parameters: None,
        };
        let changes = [
            Change::Capabilities(vec![Capability::Read]),
            Change::Capabilities(vec![Capability::Update]),
            Change::Replace(vec![new("c/1"), new("c/2")]),
        ];
        let text = apply(&policy(), &changes);
        let again = syntax::parse("p", "p.hcl", &text, &Profile::Vault203.dialect()).unwrap();
        let paths: Vec<&str> = again.stanzas.iter().map(|s| &*s.path).collect();
        assert_eq!(paths, ["a/*", "b", "c/1", "c/2"]);
        assert_eq!(again.stanzas[1].capabilities, [Capability::Update]);
        assert!(
            text.contains("# why") && text.contains("# head") && text.contains("# two"),
            "{text}"
        );
    }

    #[test]
    fn no_policy_is_left_without_a_text() {
        for text in [
            "path \"a\" { capabilities = [\"read\"] }",
            r#"{"path":{"a":{"capabilities":["read"]}}}"#,
        ] {
            let dialect = Profile::Vault203.dialect();
            let policy = syntax::parse("p", "p.hcl", text, &dialect).unwrap();
            let left = apply(&policy, &[Change::Drop]);
            assert_eq!(left, NOTHING_LEFT);
            assert!(syntax::parse("p", "p.hcl", &left, &dialect).unwrap().stanzas.is_empty());
        }
    }

    #[test]
    fn a_dropped_stanza_takes_its_own_comment_along() {
        let text = apply(&policy(), &[Change::Keep, Change::Drop, Change::Keep]);
        assert!(
            !text.contains("# two") && text.contains("# one") && !text.contains("\n\n\n"),
            "{text}"
        );
        assert_eq!(
            apply(&policy(), &[Change::Drop, Change::Drop, Change::Drop]).trim(),
            "# head"
        );
    }
}
