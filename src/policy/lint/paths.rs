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
