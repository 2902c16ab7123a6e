//! The rules that the gate itself has, besides those of the analysis and the warnings of `lint`.

use crate::advice::{RuleView, Severity};

/// Access that the base does not grant.
pub const NEW_ACCESS: &str = "new-access";
/// A policy that can't be read.
pub const UNREADABLE: &str = "policy-unreadable";
/// Something that may hold a policy and was not read.
pub const NOT_CHECKED: &str = "not-checked";
/// A policy of the base that is there no more.
pub const POLICY_GONE: &str = "policy-gone";
/// Settings or a baseline that the change brings along.
pub const GATE_CHANGED: &str = "gate-changed";
/// A waiver that the change brings along.
pub const WAIVER_NEW: &str = "waiver-new";
/// More risk than `--max-risk` allows.
pub const OVER_BUDGET: &str = "risk-over-budget";
/// A waiver whose day is past.
pub const WAIVER_EXPIRED: &str = "waiver-expired";
/// A waiver that covers nothing.
pub const WAIVER_UNUSED: &str = "waiver-unused";
/// A waiver that lacks something.
pub const WAIVER_INVALID: &str = "waiver-invalid";

/// Id, severity, summary and page of each.
pub const ALL: [(&str, Severity, &str, &str); 10] = [
    (
        NEW_ACCESS,
        Severity::High,
        "access that the base does not grant",
        include_str!("../../docs/rules/new-access.md"),
    ),
    (
        UNREADABLE,
        Severity::High,
        "a policy that cannot be used",
        include_str!("../../docs/rules/policy-unreadable.md"),
    ),
    (
        NOT_CHECKED,
        Severity::High,
        "something that may hold a policy and was not read",
        include_str!("../../docs/rules/not-checked.md"),
    ),
    (
        POLICY_GONE,
        Severity::Low,
        "a policy of the base that is gone",
        include_str!("../../docs/rules/policy-gone.md"),
    ),
    (
        GATE_CHANGED,
        Severity::High,
        "settings or a baseline that the change brings with it",
        include_str!("../../docs/rules/gate-changed.md"),
    ),
    (
        WAIVER_NEW,
        Severity::High,
        "a waiver that the change brings with it",
        include_str!("../../docs/rules/waiver-new.md"),
    ),
    (
        OVER_BUDGET,
        Severity::High,
        "more risk than the budget allows",
        include_str!("../../docs/rules/risk-over-budget.md"),
    ),
    (
        WAIVER_EXPIRED,
        Severity::Medium,
        "a waiver whose last day is past",
        include_str!("../../docs/rules/waiver-expired.md"),
    ),
    (
        WAIVER_UNUSED,
        Severity::Medium,
        "a waiver that covers no finding",
        include_str!("../../docs/rules/waiver-unused.md"),
    ),
    (
        WAIVER_INVALID,
        Severity::Medium,
        "a waiver that lacks rule, day, owner or reason",
        include_str!("../../docs/rules/waiver-invalid.md"),
    ),
];

/// Rules that no waiver covers and no baseline knows: they are about these.
pub const UNWAIVED: [&str; 2] = [GATE_CHANGED, WAIVER_NEW];

/// Rules of the analysis that say nothing without usage.
pub const NEED_USAGE: [&str; 9] = [
    "unused-policy",
    "unused-stanza",
    "unused-capability",
    "broad-glob",
    "dormant-principal",
    "root-token-in-use",
    "sudo-unused",
    "repeated-denials",
    "policy-held-only-through-delegation",
];

/// The views of the gate's own rules.
pub fn views() -> impl Iterator<Item = RuleView> {
    ALL.into_iter().map(|(id, severity, summary, help)| RuleView {
        id: id.to_owned(),
        severity,
        summary: summary.to_owned(),
        help: help.to_owned(),
    })
}

/// How grave one of them is by itself.
#[must_use]
pub fn severity(id: &str) -> Severity {
    ALL.iter()
        .find(|(known, ..)| *known == id)
        .map_or(Severity::Medium, |(_, severity, ..)| *severity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_page() {
        for (id, _, summary, page) in ALL {
            assert!(page.starts_with(&format!("# {id}: ")), "{id}");
            assert!(!summary.is_empty() && !summary.ends_with('.'), "{id}");
        }
        let known: Vec<&str> = crate::analysis::rules::all().iter().map(|r| r.id()).collect();
        for id in NEED_USAGE {
            assert!(known.contains(&id), "{id}");
        }
    }
}
