//! The result in the terminal: what a person reads after the run.

use std::fmt::Write as _;

use super::digest::{self, count, decimal, number};
use super::escape::terminal;
use super::ink::Ink;
use crate::advice::{Advice, Change, Finding};

const PRINCIPALS_SHOWN: usize = 8;
const RULES_SHOWN: usize = 8;
const NAME_WIDTH: usize = 30;

/// The summary, with colours if `color`.
#[must_use]
pub fn render(advice: &Advice, color: bool) -> String {
    let paint = Ink(color);
    let mut out = String::new();
    let _ = writeln!(out, "{}", paint.bold(&digest::headline(advice)));
    let _ = writeln!(out, "{}", digest::promise(advice));
    let _ = writeln!(
        out,
        "{}",
        paint.dim(&format!(
            "{}; {}",
            digest::window(&advice.coverage),
            digest::skips(&advice.coverage)
        ))
    );
    for skip in &advice.coverage.skipped {
        let first = skip
            .first
            .as_deref()
            .map(|first| format!(", first at {}", terminal(first)))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "  skipped {}: {}{first}",
            number(skip.count),
            terminal(digest::reason(skip))
        );
    }
    for note in &advice.run.notes {
        let _ = writeln!(out, "{} {}", paint.with("33", "note:"), terminal(note));
    }
    principals(&mut out, advice, paint);
    findings(&mut out, advice, paint);
    proposals(&mut out, advice, paint);
    out
}

fn principals(out: &mut String, advice: &Advice, paint: Ink) {
    if advice.principals.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\n{}",
        paint.bold(&format!(
            "  risk → after  {:<NAME_WIDTH$}  used of granted",
            "principal"
        ))
    );
    for one in advice.principals.iter().take(PRINCIPALS_SHOWN) {
        let after = one
            .risk_after
            .as_ref()
            .map_or_else(|| String::from("–"), |risk| decimal(risk.score));
        let _ = writeln!(
            out,
            "{:>6} → {after:<5}  {:<NAME_WIDTH$}  {}",
            decimal(one.risk.score),
            shortened(&terminal(&one.name)),
            digest::use_of_granted(one),
        );
    }
    more(out, advice.principals.len(), PRINCIPALS_SHOWN, paint);
}

fn findings(out: &mut String, advice: &Advice, paint: Ink) {
    let _ = writeln!(
        out,
        "\n{}",
        paint.bold(&count(digest::len(&advice.findings), "finding", "findings"))
    );
    out.push_str(&by_rule(&advice.findings, RULES_SHOWN, paint));
}

/// Findings by rule, the gravest first: how many, and the gravest of them. Several of one rule are one thing to decide.
pub(super) fn by_rule(findings: &[Finding], shown: usize, ink: Ink) -> String {
    let mut groups: Vec<(&Finding, usize)> = Vec::new();
    for finding in findings {
        match groups.iter_mut().find(|(first, _)| first.rule == finding.rule) {
            Some((first, many)) => {
                *many += 1;
                if finding.severity > first.severity {
                    *first = finding;
                }
            }
            None => groups.push((finding, 1)),
        }
    }
    groups.sort_by_key(|(first, _)| std::cmp::Reverse(first.severity));
    let mut out = String::new();
    for (first, many) in groups.iter().take(shown) {
        let _ = writeln!(
            out,
            "  {} {many:>5}  {}",
            ink.severity(first.severity, &format!("{:<8}", first.severity.as_str())),
            terminal(&first.rule),
        );
        let such = if *many == 1 { "" } else { "such as " };
        let _ = writeln!(out, "                 {}{}", ink.dim(such), terminal(&first.title));
    }
    if let Some(more) = groups.len().checked_sub(shown).filter(|more| *more > 0) {
        let rules = if more == 1 { "rule" } else { "rules" };
        let _ = writeln!(out, "{}", ink.dim(&format!("  and {more} more {rules}")));
    }
    out
}

fn proposals(out: &mut String, advice: &Advice, paint: Ink) {
    let mut explained = false;
    for proposal in &advice.proposals {
        let (before, after) = (&proposal.before, &proposal.after);
        let tighten = digest::proposal(advice, "tighten").filter(|_| proposal.kind == "redesign");
        if tighten.is_some_and(|tighten| digest::is_same(proposal, tighten)) {
            let kind = paint.bold(&terminal(&proposal.kind));
            let _ = writeln!(out, "\n{kind}: {}", terminal(&proposal.title));
            continue;
        }
        let _ = writeln!(
            out,
            "\n{}: policies {} → {}, stanzas {} → {}, unused grants {} → {}, mean risk {} → {}",
            paint.bold(&terminal(&proposal.kind)),
            number(before.policies),
            number(after.policies),
            number(before.stanzas),
            number(after.stanzas),
            number(before.exposure),
            number(after.exposure),
            decimal(before.risk_mean),
            decimal(after.risk_mean),
        );
        let changes: Vec<String> = [Change::Edit, Change::Add, Change::Delete, Change::Keep]
            .into_iter()
            .map(|change| (change, digest::changes(proposal, change)))
            .filter(|(_, hits)| *hits > 0)
            .map(|(change, hits)| format!("{} {}", change.as_str(), number(hits)))
            .collect();
        let _ = writeln!(out, "  {}", changes.join(", "));
        let others = proposal.changed_for.len() as u64;
        if others > 0 {
            let _ = writeln!(out, "  other policies for {}", count(others, "principal", "principals"));
        }
        let proof = digest::proof(&proposal.proof);
        let code = if proposal.proof.holds() { "32" } else { "1;31" };
        let _ = writeln!(out, "  proof: {}", paint.with(code, &proof));
        if !std::mem::replace(&mut explained, true) {
            let _ = writeln!(out, "  {}", paint.dim(digest::DEMAND));
        }
    }
}

fn more(out: &mut String, all: usize, shown: usize, paint: Ink) {
    if let Some(more) = all.checked_sub(shown).filter(|more| *more > 0) {
        let _ = writeln!(out, "{}", paint.dim(&format!("  and {more} more")));
    }
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= NAME_WIDTH {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(NAME_WIDTH - 1).collect();
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::{Severity, Subject};

    fn finding(rule: &str, severity: Severity, title: &str) -> Finding {
        Finding {
            fingerprint: title.to_owned(),
            rule: rule.into(),
            severity,
            title: title.to_owned(),
            detail: String::new(),
            subject: Subject {
                kind: "stanza".to_owned(),
                name: title.to_owned(),
                key: String::new(),
            },
            origins: Vec::new(),
            evidence: None,
            remedy: String::new(),
            fixed_in: None,
            stays: None,
            who: Vec::new(),
        }
    }

    #[test]
    fn what_one_rule_finds_often_takes_one_place() {
        let found = [
            finding("escalation-path", Severity::Critical, "ann"),
            finding("broad-glob", Severity::Medium, "`a/*`"),
            finding("broad-glob", Severity::Medium, "`b/*`"),
            finding("broad-glob", Severity::Low, "`c/*`"),
        ];
        assert_eq!(
            by_rule(&found, 2, Ink(false)),
            "  critical     1  escalation-path\n                 ann\n  medium       3  broad-glob\n                 such as `a/*`\n"
        );
        assert!(by_rule(&found, 1, Ink(false)).ends_with("\n  and 1 more rule\n"));
    }
}
