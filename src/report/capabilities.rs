//! All that somebody may do, pattern by pattern: for people, for programs, and as one policy.

use super::{digest, escape};
use crate::policy::acl::Acl;
use crate::policy::effective::{self, Row};
use crate::policy::pattern::Pattern;
use crate::policy::profile::Profile;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write as _;

/// What was done through each rule of a list.
pub type Uses = HashMap<usize, Use>;

/// How often, and when last, something was done through a pattern.
#[derive(Debug, Clone, Copy, Default)]
pub struct Use {
    /// How often.
    pub requests: u64,
    /// When last.
    pub last: Option<Timestamp>,
}

/// A row for programs.
#[must_use]
pub fn json(row: &Row, uses: Option<&Uses>) -> Value {
    let mut value = json!(row);
    if let (Some(object), Some(uses)) = (value.as_object_mut(), uses) {
        let used = uses.get(&row.rule.index()).copied().unwrap_or_default();
        object.insert("requests".to_owned(), json!(used.requests));
        object.insert("last_used".to_owned(), json!(used.last.map(|t| t.to_string())));
    }
    value
}

/// When a pattern was used last, in words.
fn used_words(row: &Row, uses: &Uses) -> String {
    match uses.get(&row.rule.index()) {
        Some(Use {
            requests,
            last: Some(last),
        }) => format!(
            "{}, last on {}",
            digest::count(*requests, "request", "requests"),
            last.strftime("%Y-%m-%d")
        ),
        _ => "not used in what was seen".to_owned(),
    }
}

/// For people.
#[must_use]
pub fn text(name: &str, acl: &Acl, rows: &[Row], uses: Option<&Uses>, profile: Profile) -> String {
    let mut out = String::new();
    let name = escape::terminal(name);
    // Writing into a string cannot fail.
    if acl.is_root() {
        let _ = writeln!(out, "{name} may do everything (root)");
        return out;
    }
    if rows.is_empty() {
        let _ = writeln!(out, "{name} may do nothing there, on {profile}");
        return out;
    }
    let _ = writeln!(out, "{name} may, on {profile}:\n");
    let path = |row: &Row| escape::terminal(&row.path);
    let capabilities = |row: &Row| match row.capabilities.as_slice() {
        [] => "nothing".to_owned(),
        words => words.join(", "),
    };
    let width = |text: &dyn Fn(&Row) -> String| rows.iter().map(|r| text(r).chars().count()).max().unwrap_or(0);
    let (first, second) = (width(&path), width(&capabilities));
    for row in rows {
        let through: Vec<String> = row
            .through
            .iter()
            .map(|t| format!("{} ({})", t.policy, t.origin))
            .collect();
        let _ = write!(
            out,
            "  {:first$}  {:second$}  {}",
            path(row),
            capabilities(row),
            escape::terminal(&through.join(", "))
        );
        if row.constrained {
            out.push_str(", under constraints");
        }
        if let Some(master) = &row.decided_by {
            let _ = write!(out, ", never decides: `{}` is stronger", escape::terminal(master));
        } else if let Some(uses) = uses {
            let _ = write!(out, ", {}", used_words(row, uses));
        }
        out.push('\n');
    }
    if !acl.skips().is_empty() {
        let _ = writeln!(out, "\nnot in force:");
    }
    for skip in acl.skips() {
        let policy = acl.policies().get(skip.policy).map(|p| &*p.name).unwrap_or_default();
        let _ = writeln!(
            out,
            "  {} (policy {}): {}",
            escape::terminal(&skip.origin.to_string()),
            escape::terminal(policy),
            escape::terminal(&skip.reason.to_string())
        );
    }
    out
}

/// As one policy.
#[must_use]
pub fn hcl(name: &str, acl: &Acl, below: Option<&Pattern>, uses: Option<&Uses>, profile: Profile) -> String {
    let one_line = |text: &str| text.replace(['\n', '\r'], " ");
    let namespace = effective::common_namespace(acl);
    let place = if namespace.is_empty() {
        String::new()
    } else {
        format!(", in namespace {namespace}")
    };
    let mut out = format!(
        "# All that {} may do{place}, on {profile}.\n\n",
        one_line(&escape::terminal(name))
    );
    out.push_str(&effective::policy(acl, below, |row| {
        let mut lines: Vec<String> = vec![
            row.through
                .iter()
                .map(|t| format!("{} ({})", t.policy, t.origin))
                .collect::<Vec<_>>()
                .join(", "),
        ];
        if let Some(master) = &row.decided_by {
            lines.push(format!("never decides: {master} is stronger"));
        } else if let Some(uses) = uses {
            lines.push(used_words(row, uses));
        }
        lines
    }));
    out
}
