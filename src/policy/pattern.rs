//! The pattern of a stanza as the servers keep it, what it matches, and which of two patterns is the stronger.

use crate::hint::Hint;
use crate::vault::name::lower;
use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::fmt;
use std::sync::Arc;

/// The pattern of one stanza: namespace prepended, leading slash and trailing `*` taken off.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// The path without its trailing `*`.
    pub text: Arc<str>,
    /// Whether it ended in `*`: any suffix matches.
    pub prefix: bool,
    /// Whether it counts as a `+` pattern: it is `+`, begins with `+/`, or contains `/+`.
    pub segment_wildcards: bool,
}

/// A path that the servers refuse as a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// `+*` in the path.
    #[error("path `{0}` holds `+*`, which the servers refuse")]
    PlusStar(String),
}

impl Hint for PatternError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("a pattern is written as in a policy"))
    }
}

impl Pattern {
    /// From a stanza's path, its templates filled in, and the namespace of its policy (`""` or `a/`).
    ///
    /// # Errors
    ///
    /// Where the path holds `+*`.
    pub fn parse(path: &str, namespace: &str) -> Result<Self, PatternError> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let mut text = String::with_capacity(namespace.len() + path.len());
        text.push_str(namespace);
        text.push_str(path);
        if text.contains("+*") {
            return Err(PatternError::PlusStar(text));
        }
        let segment_wildcards = text == "+" || text.starts_with("+/") || text.contains("/+");
        let prefix = text.ends_with('*');
        if prefix {
            text.pop();
        }
        Ok(Self {
            text: text.into(),
            prefix,
            segment_wildcards,
        })
    }

    /// As servers before Vault 1.1 read the path: `+` is a character like others.
    #[must_use]
    pub fn without_plus(path: &str, namespace: &str) -> Self {
        let path = path.strip_prefix('/').unwrap_or(path);
        let (path, prefix) = path.strip_suffix('*').map_or((path, false), |before| (before, true));
        Self {
            text: format!("{namespace}{path}").into(),
            prefix,
            segment_wildcards: false,
        }
    }

    /// The pattern that matches what this one does when both it and the path are put into lower case.
    #[must_use]
    pub fn lower_case(&self) -> Self {
        Self {
            text: lower(&self.text).into(),
            ..self.clone()
        }
    }

    /// Whether a segment of it stands for any.
    #[must_use]
    pub fn is_plus(&self, segment: &str) -> bool {
        self.segment_wildcards && segment == "+"
    }

    /// Whether it matches one path only.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        !self.prefix && !self.segment_wildcards
    }

    /// Whether it is a prefix without `+`, of which only the longest that matches is a candidate.
    #[must_use]
    pub const fn is_plain_prefix(&self) -> bool {
        self.prefix && !self.segment_wildcards
    }

    /// The segments of the pattern; the last of a prefix pattern is itself a prefix.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.text.split('/')
    }

    /// Whether it matches `path` (namespace in front, no leading slash), by the letter of the rule.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        if !self.segment_wildcards {
            return if self.prefix {
                path.starts_with(&*self.text)
            } else {
                path == &*self.text
            };
        }
        let (mut want, mut have) = (self.text.as_bytes(), path.as_bytes());
        // Each turn begins at the beginning of a segment of both.
        loop {
            let (segment, later) = want.split_at(segment_end(want));
            let rest = match segment {
                b"+" => have.get(segment_end(have)..),
                _ if self.prefix && later.is_empty() => return have.starts_with(segment),
                _ => have.strip_prefix(segment),
            };
            match (later, rest) {
                ([], Some([])) => return true,
                ([b'/', later @ ..], Some([b'/', rest @ ..])) => (want, have) = (later, rest),
                _ => return false,
            }
        }
    }

    /// The index of the first wildcard, as the servers count it: the end of a prefix, the first `+` of a `+` pattern.
    #[must_use]
    pub fn first_wildcard(&self) -> usize {
        if self.segment_wildcards {
            self.text.find('+').unwrap_or(self.text.len())
        } else {
            self.text.len()
        }
    }

    /// How many segments are `+`.
    #[must_use]
    pub fn wildcard_segments(&self) -> usize {
        if self.segment_wildcards {
            self.segments().filter(|s| *s == "+").count()
        } else {
            0
        }
    }

    /// Which is stronger where both match: the greater decides.
    #[must_use]
    pub fn cmp_strength(&self, other: &Self) -> Ordering {
        self.strength().cmp(&other.strength())
    }

    /// The key of the order: exact; later first wildcard; no trailing `*`; fewer `+`; longer; lexicographically larger.
    #[must_use]
    pub fn strength(&self) -> Strength<'_> {
        Strength {
            exact: self.is_exact(),
            first_wildcard: self.first_wildcard(),
            not_prefix: !self.prefix,
            wildcards: Reverse(self.wildcard_segments()),
            len: self.text.len(),
            text: &self.text,
        }
    }
}

/// How strong a pattern is; see [`Pattern::strength`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Strength<'p> {
    /// One path only.
    pub exact: bool,
    /// See [`Pattern::first_wildcard`].
    pub first_wildcard: usize,
    /// Whether there is no trailing `*`.
    pub not_prefix: bool,
    /// See [`Pattern::wildcard_segments`].
    pub wildcards: Reverse<usize>,
    /// Length without the `*`.
    pub len: usize,
    /// The pattern without the `*`.
    pub text: &'p str,
}

impl Strength<'_> {
    /// Why `self` beats `weaker`, in words that continue "it loses to the winner, which …".
    #[must_use]
    pub fn why_over(&self, weaker: &Self) -> &'static str {
        if self.exact {
            "is exactly the path"
        } else if self.first_wildcard != weaker.first_wildcard {
            "has its first wildcard later"
        } else if self.not_prefix != weaker.not_prefix {
            "does not end in `*`"
        } else if self.wildcards != weaker.wildcards {
            "has fewer `+` segments"
        } else if self.len != weaker.len {
            "is longer"
        } else {
            "comes later in the alphabet"
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if self.prefix { f.write_str("*") } else { Ok(()) }
    }
}

/// Where the first segment ends.
fn segment_end(path: &[u8]) -> usize {
    path.iter().position(|byte| *byte == b'/').unwrap_or(path.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(path: &str) -> Pattern {
        Pattern::parse(path, "").unwrap()
    }

    #[test]
    fn paths_become_patterns_as_the_servers_keep_them() {
        for (path, text, prefix, plus) in [
            ("/a/b*", "a/b", true, false),
            ("*", "", true, false),
            ("", "", false, false),
            ("a*b", "a*b", false, false),
            ("+", "+", false, true),
            ("+b", "+b", false, false),
            ("a/+b", "a/+b", false, true),
            ("a+/b", "a+/b", false, false),
            ("a/+/b*", "a/+/b", true, true),
            ("//a", "/a", false, false),
        ] {
            let p = pattern(path);
            assert_eq!(
                (&*p.text, p.prefix, p.segment_wildcards),
                (text, prefix, plus),
                "{path}"
            );
        }
        let inside = Pattern::parse("+", "ns1/").unwrap();
        assert_eq!((&*inside.text, inside.segment_wildcards), ("ns1/+", true));
        assert!(Pattern::parse("a/+*", "").is_err());
    }

    #[test]
    fn matching_follows_the_segments() {
        for (path, request, want) in [
            ("a/*", "a/", true),
            ("a/*", "a", false),
            ("a*", "a/b/c", true),
            ("+", "", true),
            ("+/b", "/b", true),
            ("a/+/c", "a//c", true),
            ("a/+/c", "a/b/c/d", false),
            ("a/+/c*", "a/b/cd/e", true),
            ("a/+/*", "a/b", false),
            ("a/+/*", "a/b/", true),
            ("a/+b", "a/xb", false),
            ("a/+b", "a/+b", true),
        ] {
            assert_eq!(pattern(path).matches(request), want, "{path} on {request}");
        }
    }

    proptest! {
        #[test]
        fn matching_is_segment_by_segment(path in "[ab+/]{0,7}[*]?", request in "[ab+/]{0,8}") {
            if let Ok(pattern) = Pattern::parse(&path, "") {
                prop_assert_eq!(pattern.matches(&request), by_segments(&pattern, &request));
            }
        }
    }

    /// The rule as it is told: each segment equal or `+`, and behind a prefix anything.
    fn by_segments(pattern: &Pattern, path: &str) -> bool {
        if !pattern.segment_wildcards {
            return path == &*pattern.text || (pattern.prefix && path.starts_with(&*pattern.text));
        }
        let wanted: Vec<&str> = pattern.segments().collect();
        let given: Vec<&str> = path.split('/').collect();
        let enough = given.len() == wanted.len() || (pattern.prefix && given.len() > wanted.len());
        enough
            && wanted.iter().zip(&given).enumerate().all(|(n, (want, have))| {
                let open = pattern.prefix && n + 1 == wanted.len();
                *want == "+" || want == have || (open && have.starts_with(want))
            })
    }

    #[test]
    fn strength_follows_the_five_steps() {
        for (stronger, weaker) in [
            ("a/b", "a/b*"),
            ("a/b/+", "a/+/b"),
            ("a/+", "a/*"),
            ("a/+/b", "a/+/b*"),
            ("a/+/b/*", "a/+/+/*"),
            ("a/+/bc*", "a/+/b*"),
            ("a/+/c", "a/+/b"),
            ("a/*", "a/+/b*"),
        ] {
            assert_eq!(
                pattern(stronger).cmp_strength(&pattern(weaker)),
                Ordering::Greater,
                "{stronger} over {weaker}"
            );
        }
    }
}
