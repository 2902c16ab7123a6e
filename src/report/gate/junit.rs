//! The gate's findings as JUnit XML: a test case a finding, failed where it is at or above the threshold.

use super::{Gate, file};
use crate::report::escape::svg as xml;
use std::fmt::Write as _;

/// One suite.
#[must_use]
pub fn render(gate: &Gate) -> String {
    let failures = gate.findings.iter().filter(|f| f.severity >= gate.fail_on).count();
    // A failure that no single finding stands for (a budget) is a case of its own.
    let other = usize::from(failures == 0 && !gate.reasons.is_empty());
    let failures = failures + other;
    // A suite without a single case counts as broken for some servers.
    let passed = usize::from(gate.findings.is_empty() && other == 0);
    let tests = gate.findings.len() + other + passed;
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">"
    );
    let _ = writeln!(
        out,
        "  <testsuite name=\"vault-advisor check\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">"
    );
    for finding in &gate.findings {
        let name = xml(&format!("{} {}", finding.title, finding.fingerprint));
        let _ = write!(
            out,
            "    <testcase classname=\"{}\" name=\"{name}\"",
            xml(&finding.rule)
        );
        if let Some(origin) = finding.origins.first() {
            let _ = write!(out, " file=\"{}\" line=\"{}\"", xml(file(&origin.file)), origin.line);
        }
        let body: Vec<String> = super::told(finding).into_iter().map(xml).collect();
        let body = body.join("\n");
        let severity = finding.severity.as_str();
        let _ = if finding.severity >= gate.fail_on {
            writeln!(
                out,
                ">\n      <failure type=\"{severity}\" message=\"{}\">{body}</failure>\n    </testcase>",
                xml(&finding.title)
            )
        } else {
            writeln!(
                out,
                ">\n      <system-out>{severity}: {body}</system-out>\n    </testcase>"
            )
        };
    }
    if other > 0 {
        let why = xml(&gate.verdict());
        let _ = writeln!(
            out,
            "    <testcase classname=\"budget\" name=\"budget\">\n      <failure message=\"{why}\">{why}</failure>\n    </testcase>"
        );
    }
    if passed > 0 {
        let _ = writeln!(
            out,
            "    <testcase classname=\"check\" name=\"{}\"/>",
            xml(&gate.numbers())
        );
    }
    if !gate.notes.is_empty() {
        let _ = writeln!(out, "    <system-out>{}</system-out>", xml(&gate.notes.join("\n")));
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

#[cfg(test)]
mod tests {
    use crate::report::gate::testing::gate;

    #[test]
    fn names_cannot_break_out() {
        let text = super::render(&gate());
        assert!(text.contains("<failure type=\"high\""), "{text}");
        assert!(!text.contains("<b>") && !text.contains("]]>"), "{text}");
        let mut none = gate();
        none.findings.clear();
        none.reasons.clear();
        assert!(super::render(&none).contains("tests=\"1\" failures=\"0\""));
    }
}
