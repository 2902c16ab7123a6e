//! `findings.csv`, `principals.csv`, `policies.csv`: the tables for a spreadsheet.

use super::digest;
use super::escape::csv;
use super::html_data::Changes;
use crate::advice::Advice;

/// A line of fields.
fn line<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = fields.into_iter().map(csv).collect::<Vec<_>>().join(",");
    out.push_str("\r\n");
    out
}

/// The findings, one a line.
#[must_use]
pub fn findings(advice: &Advice) -> String {
    let mut out = line([
        "fingerprint",
        "severity",
        "rule",
        "title",
        "detail",
        "subject_kind",
        "subject",
        "place",
        "evidence",
        "remedy",
        "fixed_in",
    ]);
    for finding in &advice.findings {
        let place = finding.origins.first().map(ToString::to_string).unwrap_or_default();
        out.push_str(&line([
            finding.fingerprint.as_str(),
            finding.severity.as_str(),
            &finding.rule,
            &finding.title,
            &finding.detail,
            &finding.subject.kind,
            &finding.subject.name,
            &place,
            finding.evidence.as_ref().map_or("", |evidence| evidence.state.as_str()),
            &finding.remedy,
            finding.fixed_in.as_deref().unwrap_or_default(),
        ]));
    }
    out
}

/// The principals, one a line.
#[must_use]
pub fn principals(advice: &Advice) -> String {
    let mut out = line([
        "id",
        "name",
        "kind",
        "auth_mount",
        "policies",
        "risk",
        "risk_after",
        "granted",
        "used",
        "excess",
        "paths_granted",
        "paths_used",
        "requests",
        "denied",
        "first_seen",
        "last_seen",
        "active_days",
        "grants_unknown",
    ]);
    for one in &advice.principals {
        let time = |time: Option<jiff::Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
        out.push_str(&line([
            one.id.as_str(),
            &one.name,
            &one.kind,
            &one.auth_mount,
            &one.policies.join(" "),
            &digest::decimal(one.risk.score),
            &one.risk_after
                .as_ref()
                .map(|risk| digest::decimal(risk.score))
                .unwrap_or_default(),
            &one.granted.to_string(),
            &one.used.to_string(),
            &one.excess.to_string(),
            &one.paths_granted.to_string(),
            &one.paths_used.to_string(),
            &one.requests.to_string(),
            &one.denied.to_string(),
            &time(one.first_seen),
            &time(one.last_seen),
            &one.active_days.to_string(),
            if one.grants_unknown { "true" } else { "false" },
        ]));
    }
    out
}

/// Every capability of every stanza, one a line.
#[must_use]
pub fn policies(advice: &Advice) -> String {
    let mut out = line([
        "policy",
        "file",
        "change",
        "holders",
        "path",
        "line",
        "capability",
        "requests",
        "principals",
        "last_used",
        "state",
    ]);
    let changes = Changes::of(digest::proposal(advice, "tighten"));
    for policy in &advice.policies {
        for stanza in &policy.stanzas {
            for one in &stanza.capabilities {
                out.push_str(&line([
                    policy.name.as_str(),
                    &policy.file,
                    changes.to(&policy.name),
                    &policy.holders.len().to_string(),
                    &stanza.path,
                    &stanza.origin.line.to_string(),
                    &one.capability,
                    &one.requests.to_string(),
                    &one.principals.to_string(),
                    &one.last_used.map(|time| time.to_string()).unwrap_or_default(),
                    one.state.as_str(),
                ]));
            }
        }
    }
    out
}
