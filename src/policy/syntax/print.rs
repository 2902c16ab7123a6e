//! Stanzas to HCL, as a person would have written them, and so that the servers read the same stanzas back: for any path.
//!
//! HCL 1 can say any text in double quotes: `${` would begin an interpolation, in which nothing is unescaped, so its `$` is
//! written as `\x24` unless what stands inside is harmless; `%{` means nothing in HCL 1.

use super::cursor::RESERVED;
use super::duration;
use super::error::hidden;
pub use super::quote::quote;
use crate::policy::model::{Constraints, Stanza};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A whole policy: its stanzas in the given order, a blank line between them.
#[must_use]
pub fn policy(stanzas: &[Stanza]) -> String {
    let blocks: Vec<String> = stanzas.iter().map(stanza).collect();
    blocks.join("\n")
}

/// One stanza with the comment lines that stood above it.
#[must_use]
pub fn stanza(stanza: &Stanza) -> String {
    commented(&stanza.comment, stanza)
}

/// One stanza with these comment lines above it, whatever stood there before.
#[must_use]
pub fn commented<S: AsRef<str>>(comment_lines: &[S], stanza: &Stanza) -> String {
    let mut out = String::new();
    for line in comment_lines {
        out.push_str(&comment(line.as_ref()));
    }
    let _ = writeln!(out, "path {} {{", quote(&stanza.path));
    let words: Vec<String> = stanza.capabilities.iter().map(|c| quote(c.as_str())).collect();
    let mut body = Body::default();
    body.line("capabilities", list(&words));
    constraints(&mut body, &stanza.constraints);
    body.write(&mut out);
    out.push_str("}\n");
    out
}

fn constraints(body: &mut Body, constraints: &Constraints) {
    if !constraints.required_parameters.is_empty() {
        body.line("required_parameters", strings(&constraints.required_parameters));
    }
    for (key, nanoseconds) in [
        ("min_wrapping_ttl", constraints.min_wrapping_ttl_ns),
        ("max_wrapping_ttl", constraints.max_wrapping_ttl_ns),
    ] {
        if nanoseconds != 0 {
            body.line(key, quote(&duration::text(nanoseconds)));
        }
    }
    if !constraints.mfa_methods.is_empty() {
        body.line("mfa_methods", strings(&constraints.mfa_methods));
    }
    if !constraints.subscribe_event_types.is_empty() {
        body.line("subscribe_event_types", strings(&constraints.subscribe_event_types));
    }
    if constraints.pagination_limit != 0 {
        body.line("pagination_limit", constraints.pagination_limit.to_string());
    }
    if let Some(seconds) = constraints.expiration {
        body.line("expiration", quote(&expiration(seconds)));
    }
    if let Some(filter) = &constraints.list_filter {
        body.line("list_scan_response_keys_filter_path", quote(filter));
    }
    body.block("allowed_parameters", &constraints.allowed_parameters);
    body.block("denied_parameters", &constraints.denied_parameters);
    for text in &constraints.control_groups {
        body.raw(format!("control_group = {text}"));
    }
}

fn expiration(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

/// The lines of a block: neighbours of one line each have their `=` in one column.
#[derive(Default)]
struct Body {
    lines: Vec<(&'static str, String)>,
    tail: String,
}

impl Body {
    fn line(&mut self, key: &'static str, value: String) {
        self.lines.push((key, value));
    }

    fn block(&mut self, key: &str, lists: &BTreeMap<String, Vec<Value>>) {
        if lists.is_empty() {
            return;
        }
        let entries: Vec<(String, String)> = lists
            .iter()
            .map(|(key, values)| (quote(key), list(&values.iter().map(value).collect::<Vec<_>>())))
            .collect();
        let _ = writeln!(self.tail, "  {key} = {{");
        let width = entries.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
        for (key, values) in entries {
            let _ = writeln!(self.tail, "    {key:width$} = {values}");
        }
        self.tail.push_str("  }\n");
    }

    fn raw(&mut self, text: String) {
        for line in text.lines() {
            let _ = writeln!(self.tail, "  {line}");
        }
    }

    fn write(&self, out: &mut String) {
        let width = self.lines.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
        for (key, value) in &self.lines {
            let _ = writeln!(out, "  {key:width$} = {value}");
        }
        out.push_str(&self.tail);
    }
}

fn strings(words: &[String]) -> String {
    list(&words.iter().map(|word| quote(word)).collect::<Vec<_>>())
}

fn list(items: &[String]) -> String {
    format!("[{}]", items.join(", "))
}

/// A value of a parameter list.
fn value(value: &Value) -> String {
    match value {
        Value::Null => quote(""),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.as_i64().map_or_else(
            || n.as_f64().map_or_else(|| n.to_string(), |x| format!("{x:?}")),
            |n| n.to_string(),
        ),
        Value::String(s) => quote(s),
        Value::Array(items) => list(&items.iter().map(self::value).collect::<Vec<_>>()),
        Value::Object(map) => {
            let entries: Vec<String> = map
                .iter()
                .map(|(key, inner)| format!("{} = {}", quote(key), self::value(inner)))
                .collect();
            if entries.is_empty() {
                "{}".to_owned()
            } else {
                format!("{{ {} }}", entries.join(", "))
            }
        }
    }
}

/// Comment lines, each with its `#`; nothing in the text can end the comment early or hide in it.
#[must_use]
pub fn comment(text: &str) -> String {
    let mut out = String::new();
    for line in text.split(['\n', '\r']) {
        out.push('#');
        let line = line.trim_end();
        if !line.is_empty() {
            out.push(' ');
        }
        for c in line.chars() {
            if c == '\t' {
                out.push(' ');
            } else if hidden(c) || c == RESERVED {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            } else {
                out.push(c);
            }
        }
        out.push('\n');
    }
    out
}
