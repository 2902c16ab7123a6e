//! Findings of the gate itself.

use super::rules::{self, UNREADABLE};
use super::source::Problem;
use crate::advice::{Finding, Subject};
use crate::analysis::rule::fingerprint;
use crate::origin::Origin;
use std::sync::Arc;

/// A finding of the gate itself.
pub(super) fn own(
    rule: &str,
    kind: &str,
    name: &str,
    key: &str,
    title: String,
    remedy: &str,
    origin: &Origin,
) -> Finding {
    Finding {
        fingerprint: fingerprint(rule, kind, &format!("{name} {key}")),
        rule: Arc::from(rule),
        severity: rules::severity(rule),
        title,
        detail: String::new(),
        subject: Subject {
            kind: kind.to_owned(),
            name: name.to_owned(),
            key: String::new(),
        },
        origins: vec![origin.clone()],
        evidence: None,
        remedy: remedy.to_owned(),
        fixed_in: None,
        stays: None,
        who: Vec::new(),
    }
}

/// What could not be read, or was not checked.
pub(super) fn problem(rule: &str, kind: &str, problem: &Problem) -> Finding {
    let title = match rule {
        UNREADABLE => format!("policy `{}` cannot be used: {}", problem.what, problem.why),
        _ => format!("`{}` was not checked: {}", problem.what, problem.why),
    };
    own(
        rule,
        kind,
        &problem.what,
        &problem.why,
        title,
        problem.remedy,
        &problem.origin,
    )
}
