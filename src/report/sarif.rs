//! `findings.sarif`: the findings in SARIF 2.1.0, for code scanning.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::escape::{uri_path, visible};
use crate::advice::{Advice, Finding, RuleView, Severity};
use crate::origin::Origin;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The log.
///
/// # Errors
/// Never for a value as built here: the error is that of the serializer.
pub fn render(advice: &Advice) -> Result<String, serde_json::Error> {
    let rules = rules(advice);
    let index: BTreeMap<&str, usize> = rules
        .iter()
        .enumerate()
        .map(|(at, rule)| (rule.id.as_str(), at))
        .collect();
    let results: Vec<Value> = advice
        .findings
        .iter()
        .map(|finding| result(finding, index.get(&*finding.rule).copied()))
        .collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "vault-advisor",
                "version": advice.run.version,
                "rules": rules.iter().map(descriptor).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": advice.run.notes.iter().map(|note| json!({
                    "level": "note",
                    "message": { "text": visible(note) },
                })).collect::<Vec<_>>(),
            }],
            "results": results,
        }],
    });
    let mut text = serde_json::to_string_pretty(&log)?;
    text.push('\n');
    Ok(text)
}

/// Every rule that ran or has a finding, by id.
fn rules(advice: &Advice) -> Vec<RuleView> {
    let mut rules: BTreeMap<String, RuleView> = advice
        .rules
        .iter()
        .map(|rule| (rule.id.clone(), rule.clone()))
        .collect();
    for finding in &advice.findings {
        rules.entry(finding.rule.to_string()).or_insert_with(|| RuleView {
            id: finding.rule.to_string(),
            severity: finding.severity,
            summary: finding.title.clone(),
            help: finding.remedy.clone(),
        });
    }
    rules.into_values().collect()
}

fn descriptor(rule: &RuleView) -> Value {
    let text = if rule.help.is_empty() {
        &rule.summary
    } else {
        &rule.help
    };
    json!({
        "id": rule.id,
        "shortDescription": { "text": filled(&rule.summary) },
        "fullDescription": { "text": filled(&rule.summary) },
        "help": { "text": filled(text), "markdown": filled(text) },
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": {
            "tags": ["security", "vault", "least-privilege"],
            "security-severity": security_severity(rule.severity),
        },
    })
}

fn result(finding: &Finding, rule: Option<usize>) -> Value {
    let message = [finding.title.as_str(), &finding.detail, &finding.remedy]
        .into_iter()
        .filter(|part| !part.is_empty())
        .map(visible)
        .collect::<Vec<_>>()
        .join("\n");
    let logical = json!([{
        "name": visible(&finding.subject.name),
        "fullyQualifiedName": format!("{}/{}", visible(&finding.subject.kind), visible(&finding.subject.name)),
        "kind": "resource",
    }]);
    let locations: Vec<Value> = if finding.origins.is_empty() {
        vec![json!({ "logicalLocations": logical })]
    } else {
        finding
            .origins
            .iter()
            .map(|origin| json!({ "physicalLocation": place(origin), "logicalLocations": logical }))
            .collect()
    };
    let mut result = json!({
        "ruleId": &*finding.rule,
        "level": level(finding.severity),
        "message": { "text": filled(&message) },
        "locations": locations,
        "partialFingerprints": { "vaultAdvisor/v1": finding.fingerprint },
        "properties": { "severity": finding.severity.as_str() },
    });
    if let (Some(map), Some(rule)) = (result.as_object_mut(), rule) {
        map.insert(String::from("ruleIndex"), json!(rule));
    }
    if let (Some(evidence), Some(Value::Object(properties))) = (&finding.evidence, result.get_mut("properties")) {
        properties.insert(String::from("evidence"), json!(evidence.state.as_str()));
        properties.insert(String::from("reasons"), json!(evidence.reasons));
    }
    result
}

fn place(origin: &Origin) -> Value {
    let file = origin.file.strip_prefix("./").unwrap_or(&origin.file);
    json!({
        "artifactLocation": { "uri": if file.starts_with('/') { format!("file://{}", uri_path(file)) } else { uri_path(file) } },
        "region": { "startLine": origin.line.max(1), "startColumn": origin.column.max(1) },
    })
}

/// SARIF wants text in every message.
fn filled(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// The scale of CVSS, which code scanning sorts by.
const fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
        Severity::Info => "0.0",
    }
}
