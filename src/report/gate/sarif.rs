//! The gate's findings in SARIF, as the report writes it.

use super::Gate;
use crate::advice::{Advice, Run};

/// The log.
///
/// # Errors
/// Never for a value as built here: the error is that of the serializer.
pub fn render(gate: &Gate) -> Result<String, serde_json::Error> {
    crate::report::sarif::render(&Advice {
        run: Run {
            version: gate.version.clone(),
            notes: gate.notes.clone(),
            ..Run::default()
        },
        rules: gate.rules.clone(),
        findings: gate.findings.clone(),
        ..Advice::default()
    })
}
