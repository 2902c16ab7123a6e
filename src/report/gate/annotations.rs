//! The gate's findings as workflow commands of GitHub Actions, which show them beside the lines of a pull request.

use super::{Gate, file};
use crate::advice::Severity;
use crate::report::escape::visible;
use std::fmt::Write as _;

/// One command a finding, one for each other reason, and the numbers in plain text.
#[must_use]
pub fn render(gate: &Gate) -> String {
    let mut out = String::new();
    for note in &gate.notes {
        let _ = writeln!(out, "::notice title=check::{}", data(note));
    }
    for finding in &gate.findings {
        let command = match finding.severity {
            severity if severity >= gate.fail_on => "error",
            Severity::Info | Severity::Low => "notice",
            _ => "warning",
        };
        let mut properties = Vec::new();
        if let Some(origin) = finding.origins.first() {
            properties.push(format!("file={}", property(file(&origin.file))));
            properties.push(format!("line={},col={}", origin.line.max(1), origin.column.max(1)));
        }
        properties.push(format!(
            "title={}",
            property(&format!("{} ({})", finding.rule, finding.severity.as_str()))
        ));
        let message: Vec<String> = super::told(finding).into_iter().map(data).collect();
        let _ = writeln!(out, "::{command} {}::{}", properties.join(","), message.join("%0A"));
    }
    if !gate.reasons.is_empty() {
        let _ = writeln!(out, "::error title=check::{}", data(&gate.verdict()));
    }
    let _ = writeln!(out, "{}", visible(&gate.numbers()));
    out
}

/// The text of a command.
fn data(text: &str) -> String {
    visible(text).replace('%', "%25")
}

/// A property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use crate::report::gate::testing::gate;

    #[test]
    fn a_name_is_no_command() {
        let text = super::render(&gate());
        let commands = text.lines().filter(|l| l.starts_with("::")).count();
        assert_eq!(commands, 2, "{text}");
        assert!(text.starts_with("::error file=p/a%2Cb%3Ac.hcl,line=3,col=1,title=r (high)::policy `a\\n::error"));
        assert!(text.contains("%25,:%0Adetail"), "{text}");
    }
}
