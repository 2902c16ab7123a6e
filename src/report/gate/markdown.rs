//! The gate's findings in Markdown, short enough for a comment on a pull request.

use super::{Gate, file};
use crate::report::escape::{markdown, markdown_code, markdown_prose};
use std::fmt::Write as _;

/// A comment on GitHub holds 65,536 characters.
const MOST_BYTES: usize = 60_000;

/// Verdict, numbers, and a table of findings.
#[must_use]
pub fn render(gate: &Gate) -> String {
    let mut out = String::from("# Vault policy check\n\n");
    let _ = writeln!(
        out,
        "**{}** ({})\n",
        markdown(&gate.verdict()),
        markdown(&gate.numbers())
    );
    for note in &gate.notes {
        let _ = writeln!(out, "- {}", markdown_prose(note));
    }
    if gate.findings.is_empty() {
        return out;
    }
    out.push_str("\n| severity | rule | where | what |\n|---|---|---|---|\n");
    for (n, finding) in gate.findings.iter().enumerate() {
        let place = finding.origins.first().map_or_else(String::new, |origin| {
            markdown_code(&format!("{}:{}", file(&origin.file), origin.line))
        });
        let what: Vec<String> = super::told(finding).into_iter().map(markdown_prose).collect();
        let row = format!(
            "| {} | {} | {place} | {} |\n",
            finding.severity.as_str(),
            markdown(&finding.rule),
            what.join("<br>")
        );
        if out.len() + row.len() > MOST_BYTES {
            let _ = writeln!(out, "\nand {} more.", gate.findings.len() - n);
            break;
        }
        out.push_str(&row);
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::report::gate::testing::gate;

    #[test]
    fn a_finding_is_one_row() {
        let text = super::render(&gate());
        let rows: Vec<&str> = text.lines().filter(|l| l.starts_with("| high")).collect();
        assert_eq!(rows.len(), 1, "{text}");
        assert!(!text.contains("<b>"), "{text}");
        let mut many = gate();
        many.findings = vec![many.findings[0].clone(); 2000];
        assert!(super::render(&many).len() < 65_536);
    }
}
