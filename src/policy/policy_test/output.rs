//! The reports of test files as text, JSON and `JUnit` XML.

use super::run::{Outcome, Report};
use crate::shown::line;
use serde::Serialize;
use std::borrow::Cow;
use std::fmt::Write as _;

/// For people: the failures told in full, then a line of counts.
#[must_use]
pub fn text(reports: &[Report]) -> String {
    let mut out = String::new();
    let (mut passed, mut failed) = (0, 0);
    for report in reports {
        passed += report.passed;
        failed += report.failed;
        for test in &report.tests {
            let mark = if test.passed { "ok  " } else { "FAIL" };
            let _ = line(
                &mut out,
                format_args!("{mark} {}:{} {}", report.file, test.line, test.name),
            );
            if !test.passed {
                failure(&mut out, test);
            }
        }
    }
    let _ = line(&mut out, format_args!("{passed} passed, {failed} failed"));
    for (file, note) in reports.iter().filter_map(|r| Some((&r.file, r.note.as_ref()?))) {
        let _ = line(&mut out, format_args!("{file} {note}"));
    }
    out
}

fn failure(out: &mut String, test: &Outcome) {
    let _ = line(out, format_args!("       expected: {}", test.expect));
    if let Some(because) = &test.because {
        let _ = line(out, format_args!("       because: {because}"));
    }
    for failure in &test.failures {
        let _ = line(out, format_args!("       {failure}"));
    }
    for explanation in &test.explanations {
        for row in explanation.to_string().lines().skip(2) {
            let _ = line(out, format_args!("       {row}"));
        }
    }
}

#[derive(Serialize)]
struct Document<'r> {
    version: u32,
    passed: usize,
    failed: usize,
    files: &'r [Report],
}

/// For programs: one document.
#[must_use]
pub fn json(reports: &[Report]) -> String {
    let document = Document {
        version: 1,
        passed: reports.iter().map(|r| r.passed).sum(),
        failed: reports.iter().map(|r| r.failed).sum(),
        files: reports,
    };
    // INVARIANT: structs of strings, numbers and lists always serialise.
    let mut out = serde_json::to_string_pretty(&document).unwrap_or_default();
    out.push('\n');
    out
}

/// For build servers: `JUnit` XML, a suite a file.
#[must_use]
pub fn junit(reports: &[Report]) -> String {
    let total: usize = reports.iter().map(|r| r.tests.len()).sum();
    let failed: usize = reports.iter().map(|r| r.failed).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(out, "<testsuites tests=\"{total}\" failures=\"{failed}\" errors=\"0\">");
    for report in reports {
        let file = escape(&report.file);
        let (tests, failures) = (report.tests.len(), report.failed);
        let _ = writeln!(
            out,
            "  <testsuite name=\"{file}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">"
        );
        for test in &report.tests {
            let name = escape(&test.name);
            let _ = write!(
                out,
                "    <testcase classname=\"{file}\" name=\"{name}\" file=\"{file}\" line=\"{}\"",
                test.line
            );
            if test.passed {
                out.push_str("/>\n");
                continue;
            }
            let mut told = String::new();
            failure(&mut told, test);
            let message = test.failures.first().map(String::as_str).unwrap_or_default();
            let (message, told) = (escape(message), escape(told.trim_end()));
            let _ = writeln!(
                out,
                ">\n      <failure message=\"{message}\">{told}</failure>\n    </testcase>"
            );
        }
        if let Some(note) = &report.note {
            let _ = writeln!(out, "    <system-out>{}</system-out>", escape(note));
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// Text that may stand in XML content and attributes; characters that XML 1.0 has no way to write become `U+FFFD`.
fn escape(text: &str) -> Cow<'_, str> {
    let plain = |c: char| !matches!(c, '<' | '>' | '&' | '"' | '\'') && (c >= ' ' || c == '\n') && !is_forbidden(c);
    if text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push(c),
            '\t' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c if c < ' ' || is_forbidden(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

const fn is_forbidden(c: char) -> bool {
    matches!(c, '\u{fffe}' | '\u{ffff}')
}
