//! The proposed policies as files. Their text comes ready in the advice; here it gets what belongs to a file.

use std::fmt::Write as _;

use super::escape;
use crate::advice::{Change, ProposedPolicy};

/// How many holders a header names.
const HOLDERS_NAMED: usize = 12;

/// The file of a policy that remains; none for one that goes. A policy that was read keeps its own words, and is byte for
/// byte the text of the proposal; a new one gets a header that says what it is for.
#[must_use]
pub fn file(policy: &ProposedPolicy) -> Option<String> {
    let text = match policy.change {
        Change::Delete => return None,
        Change::Keep => policy.original.as_deref().or(policy.text.as_deref())?,
        Change::Edit => policy.text.as_deref()?,
        Change::Add => return policy.text.as_deref().map(|text| with_header(policy, text)),
    };
    Some(text.to_owned())
}

fn with_header(policy: &ProposedPolicy, text: &str) -> String {
    let mut out = format!("# {}\n", escape::comment(&policy.label()));
    for reason in &policy.reasons {
        let _ = writeln!(out, "# {}", escape::comment(reason));
    }
    if !policy.holders.is_empty() {
        let mut named: Vec<String> = policy
            .holders
            .iter()
            .take(HOLDERS_NAMED)
            .map(|name| escape::comment(name))
            .collect();
        if let Some(more) = policy.holders.len().checked_sub(HOLDERS_NAMED).filter(|more| *more > 0) {
            named.push(format!("{more} more"));
        }
        let _ = writeln!(out, "# Holders: {}", named.join(", "));
    }
    out.push('\n');
    out.push_str(text);
    out
}
