//! A warning: which, where, and what to do.

use crate::origin::Origin;
use crate::policy::model::{Policy, Stanza};
use crate::policy::syntax::{Excerpt, Style, Tone, render, shortened};
use serde_json::{Value, json};
use std::ops::Range;
use std::sync::Arc;

/// How much a warning weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// May well be meant so.
    Note,
    /// Hardly does what it looks like.
    Warning,
}

impl Severity {
    /// The word in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
        }
    }
}

/// Something that is legal and a trap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Which kind: the name of its page in `docs/rules/`.
    pub id: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// The policy.
    pub policy: Arc<str>,
    /// The stanza's path as written.
    pub path: Arc<str>,
    /// Where.
    pub origin: Origin,
    /// The bytes it is about.
    pub span: Range<usize>,
    /// What is the matter.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
    /// The line itself.
    pub excerpt: Excerpt,
}

impl Warning {
    /// A warning about a stanza as a whole.
    #[must_use]
    pub fn about(
        id: &'static str,
        severity: Severity,
        policy: &Policy,
        stanza: &Stanza,
        message: String,
        hint: Option<String>,
    ) -> Self {
        Self::at(
            id,
            severity,
            policy,
            stanza,
            &stanza.origin,
            &stanza.span,
            message,
            hint,
        )
    }

    /// A warning about a policy as a whole.
    #[must_use]
    pub fn whole(id: &'static str, severity: Severity, policy: &Policy, message: String, hint: String) -> Self {
        let width = policy.source.lines().next().unwrap_or("").chars().count();
        Self {
            id,
            severity,
            policy: Arc::clone(&policy.name),
            path: "".into(),
            origin: Origin::new(Arc::clone(&policy.file), 1, 1),
            span: 0..0,
            message: shortened(&message),
            hint: Some(shortened(&hint)),
            excerpt: Excerpt::of(&policy.source, 0, width),
        }
    }

    /// A warning about a place in a stanza.
    #[allow(clippy::too_many_arguments, reason = "the parts of a warning, each given once")]
    #[must_use]
    pub fn at(
        id: &'static str,
        severity: Severity,
        policy: &Policy,
        stanza: &Stanza,
        origin: &Origin,
        span: &Range<usize>,
        message: String,
        hint: Option<String>,
    ) -> Self {
        let text = policy.source.get(span.clone()).unwrap_or("");
        // No more than is shown is counted.
        let width = text
            .lines()
            .next()
            .unwrap_or("")
            .trim_end()
            .trim_end_matches('{')
            .trim_end()
            .chars()
            .count();
        Self {
            id,
            severity,
            policy: Arc::clone(&policy.name),
            path: Arc::clone(&stanza.path),
            origin: origin.clone(),
            span: span.clone(),
            message: shortened(&message),
            hint: hint.as_deref().map(shortened),
            excerpt: Excerpt::of(&policy.source, span.start, width),
        }
    }

    /// The warning as several lines for a terminal.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let (tone, label) = match self.severity {
            Severity::Note => (Tone::Note, format!("note[{}]", self.id)),
            Severity::Warning => (Tone::Warning, format!("warning[{}]", self.id)),
        };
        let notes = [("hint", self.hint.as_deref())];
        render(style, tone, &label, &self.message, &self.origin, &self.excerpt, &notes)
    }

    /// The warning as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut value = json!({
            "id": self.id,
            "severity": self.severity.as_str(),
            "path": self.path,
            "line": self.origin.line,
            "column": self.origin.column,
            "message": self.message,
        });
        if let (Some(hint), Some(object)) = (&self.hint, value.as_object_mut()) {
            object.insert("hint".to_owned(), json!(hint));
        }
        value
    }
}
