//! The result in the terminal: what a person reads after the run.

use std::fmt::Write as _;

use super::digest::{self, count, decimal, number};
use super::escape::terminal;
use crate::advice::{Advice, Change, Severity};

const PRINCIPALS_SHOWN: usize = 8;
const FINDINGS_SHOWN: usize = 8;
const NAME_WIDTH: usize = 30;

/// Colours, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Paint(bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn severity(self, severity: Severity) -> String {
        let code = match severity {
            Severity::Critical => "1;31",
            Severity::High => "31",
            Severity::Medium => "33",
            Severity::Low => "36",
            Severity::Info => "2",
        };
        self.with(code, &format!("{:<8}", severity.as_str()))
    }
}

/// The summary, with colours if `color`.
#[must_use]
pub fn render(advice: &Advice, color: bool) -> String {
    let paint = Paint(color);
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
            "  skipped, {}: {}{first}",
            terminal(&skip.reason),
            number(skip.count)
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

fn principals(out: &mut String, advice: &Advice, paint: Paint) {
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
        let granted = digest::granted(one);
        let _ = writeln!(
            out,
            "{:>6} → {after:<5}  {:<NAME_WIDTH$}  {} of {granted}",
            decimal(one.risk.score),
            shortened(&terminal(&one.name)),
            number(one.used),
        );
    }
    more(out, advice.principals.len(), PRINCIPALS_SHOWN, paint);
}

fn findings(out: &mut String, advice: &Advice, paint: Paint) {
    let _ = writeln!(
        out,
        "\n{}",
        paint.bold(&count(digest::len(&advice.findings), "finding", "findings"))
    );
    for finding in advice.findings.iter().take(FINDINGS_SHOWN) {
        let place = finding
            .origins
            .first()
            .map(|origin| paint.dim(&format!("  {}", terminal(&origin.to_string()))))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "  {} {} {}{place}",
            paint.severity(finding.severity),
            terminal(&finding.title),
            paint.dim(&format!("[{}]", terminal(&finding.rule))),
        );
    }
    more(out, advice.findings.len(), FINDINGS_SHOWN, paint);
}

fn proposals(out: &mut String, advice: &Advice, paint: Paint) {
    for proposal in &advice.proposals {
        let (before, after) = (&proposal.before, &proposal.after);
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
        let proof = digest::proof(&proposal.proof);
        let code = if proposal.proof.holds() { "32" } else { "1;31" };
        let _ = writeln!(out, "  proof: {}", paint.with(code, &proof));
    }
}

fn more(out: &mut String, all: usize, shown: usize, paint: Paint) {
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
