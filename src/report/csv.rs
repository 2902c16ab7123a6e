//! `findings.csv`, `principals.csv`, `policies.csv`: the tables for a spreadsheet.

use super::digest;
use super::escape;
use super::html_data::Changes;
use crate::advice::{Advice, Unused};
use std::io::{self, Write};

/// Writes tables for spreadsheets (RFC 4180): every CSV of the program goes through it, so that no field is taken for a formula.
#[derive(Debug)]
pub struct Sheet<W: Write>(::csv::Writer<W>);

impl<W: Write> Sheet<W> {
    /// An empty one, written to `to`.
    pub fn new(to: W) -> Self {
        let mut how = ::csv::WriterBuilder::new();
        // A field that holds the mark of a comment is quoted: where the comma parts decimals, the semicolon parts fields.
        how.terminator(::csv::Terminator::CRLF).comment(Some(b';'));
        Self(how.from_writer(to))
    }

    /// Writes a row.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn row<'a>(&mut self, fields: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
        let fields = fields.into_iter().map(escape::csv);
        self.0.write_record(fields).map_err(io::Error::from)
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// When the last of it cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A table in memory.
#[derive(Debug)]
pub struct Table(Sheet<Vec<u8>>);

impl Table {
    /// One with these heads.
    #[must_use]
    pub fn new<const N: usize>(heads: [&str; N]) -> Self {
        let mut table = Self(Sheet::new(Vec::new()));
        table.row(heads);
        table
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, fields: [&str; N]) {
        // Memory takes whatever is written.
        let _ = self.0.row(fields);
    }

    /// Its text.
    #[must_use]
    pub fn text(self) -> String {
        let bytes = self.0.0.into_inner().unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    }
}

/// The findings, one a line.
#[must_use]
pub fn findings(advice: &Advice) -> String {
    let mut out = Table::new([
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
        "stays",
        "who",
    ]);
    for finding in &advice.findings {
        let place = finding.origins.first().map(ToString::to_string).unwrap_or_default();
        out.row([
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
            finding.stays.map_or("", Unused::as_str),
            &finding.who.join("; "),
        ]);
    }
    out.text()
}

/// The principals, one a line.
#[must_use]
pub fn principals(advice: &Advice) -> String {
    let mut out = Table::new([
        "id",
        "name",
        "kind",
        "auth_mount",
        "namespace",
        "policies",
        "risk",
        "risk_after",
        "granted",
        "used",
        "excess",
        "goes",
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
        out.row([
            one.id.as_str(),
            &one.name,
            &one.kind,
            &one.auth_mount,
            &one.namespace,
            &one.policies.join(" "),
            &digest::decimal(one.risk.score),
            &one.risk_after
                .as_ref()
                .map(|risk| digest::decimal(risk.score))
                .unwrap_or_default(),
            &digest::granted(one),
            &one.used.to_string(),
            &one.excess.to_string(),
            &one.account.unused.of(Unused::Goes).to_string(),
            &one.paths_granted.to_string(),
            &one.paths_used.to_string(),
            &one.requests.to_string(),
            &one.denied.to_string(),
            &time(one.first_seen),
            &time(one.last_seen),
            &one.active_days.to_string(),
            if one.grants_unknown { "true" } else { "false" },
        ]);
    }
    out.text()
}

/// Every capability of every stanza, one a line.
#[must_use]
pub fn policies(advice: &Advice) -> String {
    let mut out = Table::new([
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
        "stays",
    ]);
    let changes = Changes::of(digest::proposal(advice, "tighten"));
    for policy in &advice.policies {
        let label = policy.label();
        for stanza in &policy.stanzas {
            for one in &stanza.capabilities {
                out.row([
                    label.as_str(),
                    &policy.file,
                    changes.to(&label),
                    &policy.holders.len().to_string(),
                    &stanza.path,
                    &stanza.origin.line.to_string(),
                    &one.capability,
                    &one.requests.to_string(),
                    &one.principals.to_string(),
                    &one.last_used.map(|time| time.to_string()).unwrap_or_default(),
                    one.state.as_str(),
                    one.stays.map_or("", Unused::as_str),
                ]);
            }
        }
    }
    out.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_neither_broken_nor_run() {
        for (text, want) in [
            ("a/b", "a/b"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("=cmd()", "'=cmd()"),
            ("a;=cmd()", "\"a;=cmd()\""),
            ("-1\n", "\"'-1\n\""),
            ("a\rb", "a\u{fffd}b"),
            ("", ""),
        ] {
            let mut table = Table::new(["a", "b"]);
            table.row([text, "x"]);
            assert_eq!(table.text(), format!("a,b\r\n{want},x\r\n"));
        }
    }
}
