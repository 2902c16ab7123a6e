//! Warnings about paths that no request has, and policies that hold none.

use super::Context;
use super::warning::{Severity, Warning};
use crate::policy::model::{Policy, Stanza};
use crate::vault::path;
use base64::Engine as _;

/// A path that no request can have.
pub(super) const NEVER_MATCHES: &str = "path-never-matches";
/// A policy without any stanza.
pub(super) const GRANTS_NOTHING: &str = "policy-grants-nothing";
/// A capability that came with a later version of the server.
pub(super) const NOT_KNOWN: &str = "capability-not-known";

pub(super) fn check(policies: &[Policy], context: &Context, warnings: &mut Vec<Warning>) {
    for policy in policies {
        if policy.stanzas.is_empty() && !policy.is_root() {
            warnings.push(nothing(policy));
        }
        for stanza in &policy.stanzas {
            if let Some((what, hint)) = never(stanza, context) {
                let message = format!("no request has the path `{}`: {what}", stanza.path);
                warnings.push(Warning::about(
                    NEVER_MATCHES,
                    Severity::Warning,
                    policy,
                    stanza,
                    message,
                    Some(hint),
                ));
            }
            let to_come = stanza
                .capability_set()
                .intersection(context.profile.capabilities_to_come());
            for (capability, version) in to_come.iter().zip(context.profile.version()) {
                warnings.push(Warning::about(
                    NOT_KNOWN,
                    Severity::Warning,
                    policy,
                    stanza,
                    format!("Vault {version} does not know `{capability}` and refuses the policy"),
                    Some("leave it out until the server is newer".to_owned()),
                ));
            }
        }
    }
}

/// Why no request has the path, and what to write.
fn never(stanza: &Stanza, context: &Context) -> Option<(&'static str, String)> {
    let written = &*stanza.path;
    let (before, has_query) = path::before_query(written);
    let (meant, of_the_api) = path::as_typed(before);
    // A mount may be called `v1`, where somebody says so.
    let v1_is_mounted = context.mounts.iter().any(|m| m.path.ends_with("v1/"));
    if of_the_api && !v1_is_mounted {
        let what = if written.contains("://") {
            "it is an address; policies name what follows `/v1/` in it"
        } else {
            "`v1/` belongs to the address of the API, and not to the path"
        };
        return Some((what, format!("write `{meant}`")));
    }
    if written.contains("://") {
        return Some(("it is an address", "write what follows `/v1/` in it".to_owned()));
    }
    if written.trim() != written {
        return Some((
            "a blank stands at its beginning or end",
            format!("write `{}`", written.trim()),
        ));
    }
    let templates = [("${", "}"), ("%{", "}"), ("{%", "%}"), ("<%", "%>"), ("$(", ")")];
    if let Some((open, _)) = templates
        .iter()
        .find(|(open, close)| written.split_once(open).is_some_and(|(_, rest)| rest.contains(close)))
    {
        return Some((
            "it looks like a template that was never filled in",
            format!("`{open}` is a character like others to the server: render the file first, then write the policy"),
        ));
    }
    if let Some(segment) = written
        .trim_end_matches('*')
        .split('/')
        .find(|segment| is_unfilled(segment))
    {
        return Some((
            "it looks like a template that was never filled in",
            format!("`{segment}` stands for itself to the server: render the file first, then write the policy"),
        ));
    }
    if let Some(found) = spelled_otherwise(written) {
        return Some(found);
    }
    if has_query {
        return Some((
            "what follows `?` in an address is no part of the path",
            format!("write `{before}`"),
        ));
    }
    if looks_like_class(written) {
        return Some((
            "brackets are characters like others, and no choice of letters",
            "name each path, or use `+` for a segment and `*` at the end".to_owned(),
        ));
    }
    None
}

/// Why no client sends a path that is spelled so, and what to write.
fn spelled_otherwise(written: &str) -> Option<(&'static str, String)> {
    let is_invisible = |c: char| {
        c.is_control()
            || matches!(
                c,
                '\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
            )
    };
    if written.contains(is_invisible) {
        let seen: String = written.chars().filter(|c| !is_invisible(*c)).collect();
        return Some(("a character that nobody sees stands in it", format!("write `{seen}`")));
    }
    let (first, rest) = written.split_once('/').unwrap_or((written, ""));
    if rest
        .split([',', ' '])
        .skip(1)
        .any(|next| !first.is_empty() && next.starts_with(&format!("{first}/")))
    {
        return Some(("two paths stand in it", "write a block for each".to_owned()));
    }
    // What stands before the first segment is told elsewhere.
    if written.trim_start_matches('/').contains("//") {
        return Some((
            "clients and servers make one slash of several",
            format!("write `{}`", joined(written)),
        ));
    }
    let is_step = |segment: &str| matches!(segment, "." | "..");
    if written.split('/').any(is_step) {
        return Some((
            "clients and servers resolve `.` and `..`",
            "write the path that it leads to".to_owned(),
        ));
    }
    if written.contains('\\') {
        return Some((
            "`/` alone separates segments",
            format!("write `{}`", written.replace('\\', "/")),
        ));
    }
    if written.starts_with('^') || written.ends_with('$') || written.ends_with("/.*") || written.ends_with("/?") {
        return Some((
            "it is a regular expression, which policies do not know",
            "use `+` for a segment and `*` at the end".to_owned(),
        ));
    }
    None
}

/// The path without empty segments.
fn joined(path: &str) -> String {
    let ends = if path.ends_with('/') { "/" } else { "" };
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    segments.join("/") + ends
}

/// Whether a segment is a name that something else was to fill in: `$ENV`, `<env>`, `{env}`, `%ENV%`, `@ENV@`, `__ENV__`, `:env`.
fn is_unfilled(segment: &str) -> bool {
    let is_word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    };
    let is_loud = |text: &str| is_word(text) && !text.contains(|c: char| c.is_ascii_lowercase());
    let within = |open: &str, close: &str| segment.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    [("<", ">"), ("{", "}")]
        .into_iter()
        .any(|(open, close)| within(open, close).is_some_and(is_word))
        || [("%", "%"), ("@", "@"), ("__", "__")]
            .into_iter()
            .any(|(open, close)| within(open, close).is_some_and(is_loud))
        || segment.strip_prefix('$').is_some_and(is_loud)
        || segment.strip_prefix(':').is_some_and(is_word)
}

/// `[a-z]`, `[abc]`, `(a|b)`, `{a,b}`: what shells and regular expressions know, and policies do not.
fn looks_like_class(text: &str) -> bool {
    let inside = |open: char, close: char| {
        let (_, rest) = text.split_once(open)?;
        let (inside, _) = rest.split_once(close)?;
        (!inside.contains('/')).then_some(inside)
    };
    inside('[', ']').is_some_and(|inside| !inside.is_empty())
        || inside('(', ')').is_some_and(|inside| inside.contains('|'))
        || (!text.contains("{{") && inside('{', '}').is_some_and(|inside| inside.contains(',')))
}

fn nothing(policy: &Policy) -> Warning {
    let text = policy.source.trim();
    let (message, hint) = if text.is_empty() {
        (
            "the policy is empty, and servers refuse to write it".to_owned(),
            "write a stanza, or delete the file".to_owned(),
        )
    } else if is_base64_of_a_policy(text) {
        (
            "the policy has no stanza: the text is base64".to_owned(),
            "decode it first: `base64 -d`".to_owned(),
        )
    } else {
        (
            "the policy has no stanza: it grants nothing".to_owned(),
            "write a `path` block, or delete the file".to_owned(),
        )
    };
    Warning::whole(GRANTS_NOTHING, Severity::Warning, policy, message, hint)
}

fn is_base64_of_a_policy(text: &str) -> bool {
    let packed: String = text.chars().filter(|c| !c.is_whitespace()).take(4096).collect();
    let whole = packed.len() / 4 * 4;
    packed
        .get(..whole)
        .and_then(|packed| base64::engine::general_purpose::STANDARD.decode(packed).ok())
        .is_some_and(|bytes| String::from_utf8_lossy(&bytes).contains("path"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_client_sends_is_told_and_what_one_may_send_is_not() {
        for path in [
            "secret//data/b",
            "secret/data/a/..",
            "secret/./data/a",
            "secret\\data\\b",
            "^secret/data/a",
            "secret/data/a$",
            "secret/data/.*",
            "secret/data/?",
            "secret/data/a\u{200b}b",
            "secret/data/a,secret/data/b",
        ] {
            assert!(spelled_otherwise(path).is_some(), "{path}");
        }
        for path in [
            "secret/data/a",
            "//secret/a",
            "secret/data/",
            "secret/data/a.b*",
            "secret/data/a..b",
            "auth/ldap/groups/cn=a,ou=b",
            "+/data/*",
            "*",
            "",
        ] {
            assert_eq!(spelled_otherwise(path), None, "{path}");
        }
        for segment in ["$ENV", "<env>", "{env}", "%ENV%", "@ENV@", "__ENV__", ":name"] {
            assert!(is_unfilled(segment), "{segment}");
        }
        for segment in [
            "a",
            "$",
            "$name",
            "{{identity.entity.id}}",
            "__init__",
            "@scope",
            "a:b",
            ":",
            "100%",
            "<>",
            "+",
        ] {
            assert!(!is_unfilled(segment), "{segment}");
        }
    }
}
