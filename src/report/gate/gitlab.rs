//! The gate's findings as a GitLab code quality report.

use super::{Gate, file};
use crate::advice::Severity;
use crate::report::escape::visible;
use serde_json::{Value, json};

/// A JSON list. Findings without a place in a file stand at the first line of `.`, since the form wants one.
///
/// # Errors
/// Never for a value as built here: the error is that of the serializer.
pub fn render(gate: &Gate) -> Result<String, serde_json::Error> {
    let all: Vec<Value> = gate
        .findings
        .iter()
        .map(|finding| {
            let severity = match finding.severity {
                Severity::Critical => "blocker",
                Severity::High => "critical",
                Severity::Medium => "major",
                Severity::Low => "minor",
                Severity::Info => "info",
            };
            let (path, line) = finding
                .origins
                .first()
                .map_or((".".to_owned(), 1), |o| (visible(file(&o.file)), o.line.max(1)));
            let description: Vec<String> = super::told(finding).into_iter().map(visible).collect();
            json!({
                "description": description.join(" "),
                "check_name": &*finding.rule,
                "fingerprint": finding.fingerprint,
                "severity": severity,
                "location": { "path": path, "lines": { "begin": line } },
            })
        })
        .collect();
    let mut text = serde_json::to_string_pretty(&all)?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use crate::report::gate::testing::gate;

    #[test]
    fn it_has_what_the_form_asks_for() {
        let value: serde_json::Value = serde_json::from_str(&super::render(&gate()).unwrap()).unwrap();
        assert_eq!(value[0]["severity"], "critical");
        assert_eq!(value[0]["location"]["path"], "p/a,b:c.hcl");
        assert_eq!(value[0]["location"]["lines"]["begin"], 3);
    }
}
