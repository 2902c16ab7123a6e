//! The gate's findings for a terminal.

use super::Gate;
use crate::report::escape::visible;
use crate::report::ink::Ink;
use crate::report::text::by_rule;
use std::fmt::Write as _;

/// More findings than this are counted by rule in the end.
const A_SCREEN: usize = 8;

/// The findings, then the numbers, then the verdict.
#[must_use]
pub fn render(gate: &Gate, color: bool) -> String {
    let ink = Ink(color);
    let mut out = String::new();
    for note in &gate.notes {
        let _ = writeln!(out, "note: {}", visible(note));
    }
    for finding in &gate.findings {
        let head = format!("{}[{}]", finding.severity.as_str(), finding.rule);
        let _ = writeln!(
            out,
            "{}: {}",
            ink.severity(finding.severity, &head),
            visible(&finding.title)
        );
        for origin in &finding.origins {
            let _ = writeln!(out, "  --> {}", visible(&origin.to_string()));
        }
        for line in [&finding.detail, &finding.remedy].into_iter().filter(|l| !l.is_empty()) {
            let _ = writeln!(out, "  {}", visible(line));
        }
        let _ = writeln!(out, "  fingerprint: {}", finding.fingerprint);
    }
    // Where they do not fit a screen, what they are of.
    if gate.findings.len() > A_SCREEN {
        out.push('\n');
        out.push_str(&by_rule(&gate.findings, usize::MAX, ink));
        out.push('\n');
    }
    let _ = writeln!(out, "{}", gate.numbers());
    let code = if gate.reasons.is_empty() { "1;32" } else { "1;31" };
    let _ = writeln!(out, "check {}", ink.with(code, &visible(&gate.verdict())));
    out
}

#[cfg(test)]
mod tests {
    use crate::report::gate::testing::gate;

    #[test]
    fn a_name_stays_on_its_line() {
        let text = super::render(&gate(), false);
        assert!(text.starts_with("high[r]: policy `a\\n::error::x`"), "{text}");
        assert!(
            text.ends_with(
                "1 policy checked, 1 finding, 2 waived\ncheck failed: 1 finding of severity medium or above\n"
            )
        );
    }
}
