//! What a replay found, for people.

use super::digest::{count, number};
use crate::policy::profile::Profile;
use crate::policy::replay::{Change, Replay};
use crate::shown::line;

/// More changes than this are counted, not told.
const MOST_TOLD: usize = 100;

/// The changes, and how many requests are decided as before.
#[must_use]
pub fn text(found: &Replay, profile: Profile) -> String {
    let mut out = String::new();
    list(&mut out, "newly denied", &found.newly_denied);
    list(&mut out, "newly allowed", &found.newly_allowed);
    list(&mut out, "not decidable from the log", &found.undecided);
    for (name, requests) in &found.missing_policies {
        // Writing into a string cannot fail.
        let _ = line(
            &mut out,
            format_args!(
                "policy `{name}` was not given; {} made under it",
                count(*requests, "request was", "requests were")
            ),
        );
    }
    let _ = line(
        &mut out,
        format_args!(
            "{}: {} decided as before, {} {} no stanza, {} newly denied, {} newly allowed, {} not decidable",
            count(found.requests, "request", "requests"),
            number(found.same),
            number(found.no_stanza_needed),
            if found.no_stanza_needed == 1 { "needs" } else { "need" },
            number(found.denied_requests()),
            number(found.allowed_requests()),
            number(found.not_decidable)
        ),
    );
    if let Some(text) = found.conformance(profile) {
        let _ = line(&mut out, format_args!("if these policies were in force: {text}"));
    }
    if let Some(note) = profile.note() {
        let _ = line(&mut out, format_args!("{note}"));
    }
    out
}

fn list(out: &mut String, title: &str, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    let _ = line(out, format_args!("{title}:"));
    for c in changes.iter().take(MOST_TOLD) {
        let _ = line(
            out,
            format_args!(
                "  {} {} `{}{}` ({}): {}",
                c.principal,
                c.capability,
                c.namespace,
                c.path,
                count(c.requests, "request", "requests"),
                c.why
            ),
        );
    }
    if let Some(more) = changes.len().checked_sub(MOST_TOLD).filter(|m| *m > 0) {
        let _ = line(out, format_args!("  and {more} more (`--format json` has all)"));
    }
}
