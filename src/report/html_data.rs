//! The JSON that the page's script draws from: rows as arrays, names once in a list, so that a page of ten thousand
//! principals stays small.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::digest;
use super::escape::visible;
use crate::advice::{Advice, Finding, HeatGroup, PolicyView, PrincipalView, Proposal, Risk};

/// Names, each once.
#[derive(Default)]
struct Names<'a> {
    index: HashMap<&'a str, usize>,
    list: Vec<String>,
}

impl<'a> Names<'a> {
    fn of(&mut self, name: &'a str) -> usize {
        let next = self.list.len();
        *self.index.entry(name).or_insert_with(|| {
            self.list.push(visible(name));
            next
        })
    }

    fn all(&mut self, names: &'a [String]) -> Vec<usize> {
        names.iter().map(|name| self.of(name)).collect()
    }
}

/// What a policy's fate is in a proposal.
#[must_use]
pub fn change_of(proposal: Option<&Proposal>, name: &str) -> &'static str {
    proposal
        .and_then(|proposal| proposal.policies.iter().find(|policy| policy.name == name))
        .map_or("keep", |policy| policy.change.as_str())
}

/// The data, below `room` bytes, and a sentence on what was left out.
///
/// # Errors
/// Never for a value as built here: the error is that of the serializer.
pub fn render(advice: &Advice, room: usize) -> Result<(String, Option<String>), serde_json::Error> {
    // The script, the style and the escaping of `<` take room as well.
    let mut budget = Budget {
        left: room.saturating_sub(room / 50),
    };
    let mut names = Names::default();
    let tighten = digest::proposal(advice, "tighten");

    let heat = heat(advice);
    budget.spend(&heat);
    let mut policies = Vec::new();
    for policy in &advice.policies {
        let row = policy_row(policy, change_of(tighten, &policy.name), &mut names);
        budget.spend(&row);
        policies.push(row);
    }
    // Two thirds of what is left for principals, so that a finding is never crowded out by them.
    let mut for_principals = Budget {
        left: budget.left / 3 * 2,
    };
    let mut principals = Vec::new();
    for principal in &advice.principals {
        let row = principal_row(principal, &mut names);
        if !for_principals.take(&row) {
            break;
        }
        budget.spend(&row);
        principals.push(row);
    }
    budget.left = budget
        .left
        .saturating_sub(names.list.iter().map(|name| name.len() + 3).sum());
    let mut findings = Vec::new();
    for finding in &advice.findings {
        let row = finding_row(finding);
        if !budget.take(&row) {
            break;
        }
        findings.push(row);
    }
    let omitted = omitted(advice, principals.len(), findings.len());
    let data = json!({
        "names": names.list,
        "principals": principals,
        "policies": policies,
        "findings": findings,
        "heat": heat,
    });
    Ok((serde_json::to_string(&data)?, omitted))
}

fn omitted(advice: &Advice, principals: usize, findings: usize) -> Option<String> {
    let mut parts = Vec::new();
    for (word, all, shown) in [
        ("principals", advice.principals.len(), principals),
        ("findings", advice.findings.len(), findings),
    ] {
        if shown < all {
            parts.push(format!("the first {shown} of {all} {word}"));
        }
    }
    (!parts.is_empty()).then(|| {
        format!(
            "To stay small, this page holds {}; advice.json holds all.",
            parts.join(" and ")
        )
    })
}

struct Budget {
    left: usize,
}

impl Budget {
    fn spend(&mut self, value: &Value) {
        self.left = self.left.saturating_sub(size(value));
    }

    fn take(&mut self, value: &Value) -> bool {
        match self.left.checked_sub(size(value)) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

/// Bytes of a value inside the page, a little more where it holds what has to be escaped.
fn size(value: &Value) -> usize {
    match value {
        Value::Null => 5,
        Value::Bool(_) => 6,
        Value::Number(number) => number.to_string().len() + 1,
        Value::String(text) => {
            text.len()
                + 3
                + 5 * text
                    .bytes()
                    .filter(|byte| matches!(byte, b'<' | b'>' | b'&' | b'"' | b'\\'))
                    .count()
        }
        Value::Array(list) => 2 + list.iter().map(size).sum::<usize>(),
        Value::Object(map) => {
            2 + map
                .iter()
                .map(|(key, value)| key.len() + 4 + size(value))
                .sum::<usize>()
        }
    }
}

fn one_digit(value: f64) -> Value {
    json!((value * 10.0).round() / 10.0)
}

fn parts(risk: &Risk) -> Vec<String> {
    risk.parts.iter().map(|part| visible(part)).collect()
}

fn principal_row<'a>(from: &'a PrincipalView, names: &mut Names<'a>) -> Value {
    json!([
        visible(&from.id),
        visible(&from.name),
        names.of(&from.kind),
        names.of(&from.auth_mount),
        names.all(&from.policies),
        from.granted,
        from.used,
        from.excess,
        from.paths_granted,
        from.paths_used,
        from.requests,
        from.denied,
        from.first_seen.map(|time| time.as_second()),
        from.last_seen.map(|time| time.as_second()),
        from.active_days,
        one_digit(from.risk.score),
        from.risk_after.as_ref().map(|risk| one_digit(risk.score)),
        u8::from(from.grants_unknown),
        parts(&from.risk),
    ])
}

fn policy_row<'a>(from: &'a PolicyView, change: &str, names: &mut Names<'a>) -> Value {
    let stanzas: Vec<Value> = from
        .stanzas
        .iter()
        .map(|stanza| {
            let uses: Vec<Value> = stanza
                .capabilities
                .iter()
                .map(|one| {
                    json!([
                        names.of(&one.capability),
                        one.requests,
                        one.principals,
                        one.last_used.map(|time| time.as_second()),
                        one.state.as_str(),
                    ])
                })
                .collect();
            json!([visible(&stanza.path), stanza.origin.line, uses])
        })
        .collect();
    json!([
        visible(&from.name),
        visible(&from.file),
        names.all(&from.holders),
        stanzas,
        one_digit(from.risk.score),
        parts(&from.risk),
        change,
    ])
}

fn finding_row(from: &Finding) -> Value {
    let evidence = from.evidence.as_ref().map(|evidence| {
        json!([
            evidence.state.as_str(),
            one_digit(evidence.window_days),
            one_digit(evidence.dwell_days),
            evidence
                .reasons
                .iter()
                .map(|reason| visible(reason))
                .collect::<Vec<_>>(),
        ])
    });
    let places: Vec<String> = from.origins.iter().map(|origin| visible(&origin.to_string())).collect();
    json!([
        visible(&from.fingerprint),
        visible(&from.rule),
        from.severity.as_str(),
        visible(&from.title),
        visible(&from.detail),
        visible(&from.subject.kind),
        visible(&from.subject.name),
        places,
        evidence,
        visible(&from.remedy),
        from.fixed_in.as_deref().map(visible),
    ])
}

fn heat(advice: &Advice) -> Value {
    let group = |from: &HeatGroup| json!([visible(&from.label), visible(&from.group), from.size]);
    let cells: Vec<u64> = advice
        .heat
        .cells
        .iter()
        .flat_map(|(&(row, column), cell)| [row.into(), column.into(), cell.granted, cell.used])
        .collect();
    json!({
        "rows": advice.heat.rows.iter().map(group).collect::<Vec<_>>(),
        "columns": advice.heat.columns.iter().map(group).collect::<Vec<_>>(),
        "cells": cells,
    })
}
