//! `summary.md`: what a person sees first, short enough for a comment on a pull request.

use std::fmt::Write as _;

use super::diff;
use super::digest;
use super::escape::{markdown, markdown_block, markdown_code, markdown_prose};
use super::history;
use super::layout::{self, Placed};
use crate::advice::{Advice, Change, Finding, Noted, Proposal};

/// A comment on GitHub holds 65,536 characters.
const MOST_BYTES: usize = 60_000;
const PRINCIPALS_SHOWN: usize = 10;
const FINDINGS_SHOWN: usize = 25;
const NOTED_SHOWN: usize = 10;
const CHANGES_SHOWN: usize = 50;

/// The summary.
#[must_use]
pub fn render(advice: &Advice) -> String {
    let mut out = String::from("# Vault access review\n\n");
    let _ = writeln!(
        out,
        "**{} {}**\n",
        markdown(&digest::headline(advice)),
        markdown(&digest::promise(advice))
    );
    if let Some(history) = &advice.history {
        let _ = writeln!(out, "{}\n", markdown(&history::sentence(history)));
        noted(&mut out, "New", &history.new);
        noted(&mut out, "Back", &history.back);
        noted(&mut out, "Fixed", &history.gone);
    }
    coverage(&mut out, advice);
    numbers(&mut out, advice);
    principals(&mut out, advice);
    if let Some(tighten) = digest::proposal(advice, "tighten") {
        changes(&mut out, advice, tighten);
    }
    findings(&mut out, advice);
    if let Some(redesign) = digest::proposal(advice, "redesign") {
        roles(&mut out, redesign, digest::proposal(advice, "tighten"));
    }
    if let Some(tighten) = digest::proposal(advice, "tighten") {
        diffs(&mut out, advice, tighten);
    }
    out
}

/// Findings by their titles, as far as they are known.
fn noted(out: &mut String, what: &str, all: &[Noted]) {
    let titles = all.iter().filter_map(|one| one.title.as_ref());
    let told: Vec<String> = titles.take(NOTED_SHOWN).map(|title| markdown_prose(title)).collect();
    if told.is_empty() {
        return;
    }
    for title in &told {
        let _ = writeln!(out, "- {what}: {title}");
    }
    if let Some(more) = all.len().checked_sub(told.len()).filter(|more| *more > 0) {
        let _ = writeln!(out, "- {what}: and {more} more, in `advice.json`");
    }
    out.push('\n');
}

fn coverage(out: &mut String, advice: &Advice) {
    let coverage = &advice.coverage;
    let _ = writeln!(
        out,
        "Covered: {}; {}; health of the logs {} %.",
        markdown(&digest::window(coverage)),
        markdown(&digest::skips(coverage)),
        digest::health(coverage),
    );
    for skip in &coverage.skipped {
        let first = skip
            .first
            .as_deref()
            .map(|first| format!(", first at {}", markdown_code(first)))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "- skipped {}: {}{first}",
            digest::number(skip.count),
            markdown(digest::reason(skip))
        );
    }
    for gap in &coverage.gaps {
        let _ = writeln!(
            out,
            "- no entries from {} to {}",
            digest::moment(gap.start),
            digest::moment(gap.end)
        );
    }
    for note in coverage.device_changes.iter().chain(&advice.run.notes) {
        let _ = writeln!(out, "- {}", markdown_prose(note));
    }
    out.push('\n');
}

fn numbers(out: &mut String, advice: &Advice) {
    let totals = &advice.totals;
    let tighten = digest::proposal(advice, "tighten");
    out.push_str("| | today | proposed |\n|---|---:|---:|\n");
    let mut row = |what: &str, today: String, then: Option<String>| {
        let _ = writeln!(
            out,
            "| {what} | {today} | {} |",
            then.unwrap_or_else(|| String::from("–"))
        );
    };
    row(
        "principals (active)",
        format!(
            "{} ({})",
            digest::number(totals.principals),
            digest::number(totals.active_principals)
        ),
        None,
    );
    row(
        "policies",
        digest::number(totals.policies),
        tighten.map(|p| digest::number(p.after.policies)),
    );
    row(
        "stanzas",
        digest::number(totals.stanzas),
        tighten.map(|p| digest::number(p.after.stanzas)),
    );
    row(
        "granted and never used",
        digest::number(totals.granted.saturating_sub(totals.used)),
        tighten.map(|p| digest::number(p.after.exposure)),
    );
    row(
        "mean risk (0–100)",
        digest::decimal(totals.risk_mean),
        tighten.map(|p| digest::decimal(p.after.risk_mean)),
    );
    row("requests denied", digest::number(totals.denied_requests), None);
    out.push('\n');
}

fn principals(out: &mut String, advice: &Advice) {
    if advice.principals.is_empty() {
        return;
    }
    out.push_str("## Most over-privileged\n\n| principal | kind | used of granted | risk | after | why |\n|---|---|---:|---:|---:|---|\n");
    for principal in advice.principals.iter().take(PRINCIPALS_SHOWN) {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            markdown_code(&principal.name),
            markdown(&principal.kind),
            digest::use_of_granted(principal),
            digest::decimal(principal.risk.score),
            principal
                .risk_after
                .as_ref()
                .map_or_else(|| String::from("–"), |risk| digest::decimal(risk.score)),
            markdown(
                &principal
                    .risk
                    .parts
                    .iter()
                    .take(2)
                    .cloned()
                    .collect::<Vec<_>>()
                    .join("; ")
            ),
        );
    }
    out.push('\n');
}

fn changes(out: &mut String, advice: &Advice, tighten: &Proposal) {
    let changed: Vec<_> = tighten
        .policies
        .iter()
        .filter(|policy| policy.change != Change::Keep)
        .collect();
    out.push_str("## What to change\n\n");
    let _ = writeln!(
        out,
        "Proof: {} {}\n",
        markdown(&digest::proof(&tighten.proof)),
        digest::DEMAND
    );
    for policy in changed.iter().take(CHANGES_SHOWN) {
        let reasons = policy
            .reasons
            .iter()
            .map(|reason| markdown_prose(reason))
            .collect::<Vec<_>>()
            .join("; ");
        let held = digest::count(digest::len(&policy.holders), "holder", "holders");
        let _ = writeln!(
            out,
            "- **{}** {} ({held}){}{reasons}",
            policy.change.as_str(),
            markdown_code(&policy.label()),
            if reasons.is_empty() { "" } else { ": " }
        );
    }
    if let Some(more) = changed.len().checked_sub(CHANGES_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(out, "- and {more} more, see `policies/` and `diffs/`");
    }
    if changed.is_empty() {
        out.push_str("Nothing.\n");
    } else {
        let base = layout::diff_base(&advice.run, tighten);
        let place = if base == "." {
            String::from("the folder where vault-advisor ran")
        } else {
            markdown_code(&base)
        };
        let _ = writeln!(
            out,
            "\nThe new texts are in `policies/`. To change the files that were read, run `git apply` on `diffs/*.diff` in {place}. `apply.sh` shows what it would do to a server, and does it with `--yes`."
        );
    }
    for withdrawn in &tighten.withdrawn {
        let _ = writeln!(
            out,
            "- considered and withdrawn: {} ({})",
            markdown_prose(&withdrawn.what),
            markdown_prose(&withdrawn.reason)
        );
    }
    out.push('\n');
}

fn findings(out: &mut String, advice: &Advice) {
    let _ = writeln!(out, "## Findings\n");
    let counted: Vec<String> = digest::severities(advice)
        .into_iter()
        .filter(|(_, hits)| *hits > 0)
        .map(|(severity, hits)| format!("{} {}", digest::number(hits), severity.as_str()))
        .collect();
    if counted.is_empty() {
        out.push_str("None.\n\n");
        return;
    }
    let _ = writeln!(out, "{}\n", counted.join(", "));
    out.push_str("| severity | finding | where | what to do |\n|---|---|---|---|\n");
    for finding in advice.findings.iter().take(FINDINGS_SHOWN) {
        let place = finding
            .origins
            .first()
            .map_or_else(|| String::from("–"), |origin| markdown_code(&origin.to_string()));
        let _ = writeln!(
            out,
            "| {} | {} ({}) | {place} | {} |",
            finding.severity.as_str(),
            markdown_prose(&finding.title),
            markdown_code(&finding.rule),
            what_to_do(finding),
        );
    }
    if let Some(more) = advice
        .findings
        .len()
        .checked_sub(FINDINGS_SHOWN)
        .filter(|more| *more > 0)
    {
        let _ = writeln!(out, "\nAnd {more} more, see `report.html`.");
    }
    out.push('\n');
}

/// What to do about a finding, in a cell of a table: why nothing is proposed first.
fn what_to_do(finding: &Finding) -> String {
    let remedy = digest::remedy(finding);
    let stays = digest::stays(finding).map(|stays| markdown(&stays) + " By hand: ");
    let mut out = stays.unwrap_or_default() + &markdown_prose(remedy.says);
    for line in remedy.grant.into_iter().flat_map(str::lines) {
        out.push(' ');
        out.push_str(&match line.strip_prefix("# ") {
            Some(words) => markdown(words),
            None => markdown_code(line),
        });
    }
    if !remedy.or.is_empty() {
        out.push_str(". ");
        out.push_str(&markdown_prose(remedy.or));
    }
    out
}

fn roles(out: &mut String, redesign: &Proposal, tighten: Option<&Proposal>) {
    if tighten.is_some_and(|tighten| digest::is_same(redesign, tighten)) {
        let _ = writeln!(out, "## Redesign\n\n{}.\n", markdown(&redesign.title));
        return;
    }
    let than = tighten.map_or_else(String::new, |tighten| {
        format!(", where tightening leaves {}", digest::number(tighten.after.exposure))
    });
    let _ = writeln!(
        out,
        "## Redesign\n\n{} with {} would do ({} today with {}), leaving {} unused grants{than}. {} See `roles/`.\n",
        digest::count(redesign.after.policies, "policy", "policies"),
        digest::count(redesign.after.stanzas, "stanza", "stanzas"),
        digest::number(redesign.before.policies),
        digest::number(redesign.before.stanzas),
        digest::number(redesign.after.exposure),
        markdown(&digest::proof(&redesign.proof)),
    );
}

/// Diffs come last: as many as there is room for.
fn diffs(out: &mut String, advice: &Advice, tighten: &Proposal) {
    let all: Vec<(Placed<'_>, String)> = layout::place(&advice.run, tighten)
        .into_iter()
        .filter_map(|placed| diff::body(&placed).map(|body| (placed, body)))
        .collect();
    if all.is_empty() {
        return;
    }
    out.push_str("## Diffs\n\n");
    let mut left = all.len();
    for (placed, body) in &all {
        let block = format!(
            "<details><summary><code>{}</code></summary>\n\n{}\n</details>\n\n",
            super::escape::html(&placed.policy.label()),
            markdown_block("diff", body),
        );
        if out.len() + block.len() > MOST_BYTES {
            break;
        }
        out.push_str(&block);
        left -= 1;
    }
    if left > 0 {
        let _ = writeln!(out, "{left} more in `diffs/`.");
    }
}
