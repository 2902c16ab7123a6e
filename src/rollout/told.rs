//! Who is denied because of an applied wave, and what gives it back: for people and for programs.

use super::applied::Applied;
use super::regression::{Found, PolicyKey};
use super::restore::Restore;
use super::verdict::{Standing, Verdict};
use crate::policy::profile::Profile;
use crate::report::digest;
use crate::shown::line;
use serde_json::{Value, json};

/// More regressions than this are counted, not told, in the text.
const MOST_TOLD: usize = 100;

/// A policy with its namespace in front.
#[must_use]
pub fn label(policy: &PolicyKey) -> String {
    format!("{}{}", policy.0, policy.1)
}

/// For programs.
#[must_use]
pub fn json(
    applied: &Applied,
    found: &Found,
    restore: &Restore,
    (standings, profile): (&[Standing], Profile),
) -> Value {
    let regressions = found.regressions.iter().map(|r| {
        json!({
            "principal": r.principal,
            "namespace": r.namespace,
            "path": r.path,
            "capability": r.capability.as_str(),
            "count": r.count,
            "first_seen": r.first_seen.map(|t| t.to_string()),
            "last_seen": r.last_seen.map(|t| t.to_string()),
            "policy": label(&r.policy),
            "wave": r.wave,
            "answered": r.answered,
            "restore": restore.of(r).map(|(policy, stanza)| json!({"policy": label(policy), "stanza": stanza})),
        })
    });
    let waves = applied.waves.iter().zip(standings).map(|(wave, standing)| {
        json!({
            "wave": wave.number,
            "title": wave.title,
            "applied": wave.begun.map(|t| t.to_string()),
            "taken_back": wave.taken_back.map(|t| t.to_string()),
            "promised": wave.promised,
            "horizon_days": applied.horizon_days,
            "seen": standing.seen,
            "requests": standing.requests,
            "verdict": standing.verdict.as_str(),
        })
    });
    json!({
        "version": 1,
        "server": profile.to_string(),
        "regressions": regressions.collect::<Vec<_>>(),
        "waves": waves.collect::<Vec<_>>(),
        "denied": {
            "requests": found.denied,
            "before_as_well": found.before_as_well,
            "by_something_else": found.elsewhere,
            "by_older_tokens": found.older_tokens,
            "unknown": found.unknown,
        },
        "by_hand": restore.by_hand.iter().map(|((policy, (namespace, path)), why)| {
            json!({"policy": label(policy), "path": format!("{namespace}{path}"), "why": why})
        }).collect::<Vec<_>>(),
    })
}

/// For people.
#[must_use]
pub fn text(applied: &Applied, found: &Found, restore: &Restore, standings: &[Standing]) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    for r in found.regressions.iter().take(MOST_TOLD) {
        let _ = line(
            &mut out,
            format_args!(
                "{}: {} on `{}{}` denied {} since wave {}, {} to {}",
                r.principal,
                r.capability,
                r.namespace,
                r.path,
                digest::times(r.count),
                r.wave,
                r.first_seen.map(|t| t.to_string()).unwrap_or_default(),
                r.last_seen.map(|t| t.to_string()).unwrap_or_default()
            ),
        );
        match (r.answered, restore.of(r), restore.why_not(r)) {
            (true, ..) => {
                let _ = line(
                    &mut out,
                    format_args!("  policy `{}` was written since", label(&r.policy)),
                );
            }
            (_, Some((policy, stanza)), _) => {
                let _ = line(
                    &mut out,
                    format_args!("  policy `{}` gives it back with:", label(policy)),
                );
                for row in stanza.lines() {
                    let _ = line(&mut out, format_args!("    {row}"));
                }
            }
            (_, None, why) => {
                let why = why.unwrap_or("no change was found");
                let _ = line(
                    &mut out,
                    format_args!("  policy `{}` allowed it before; by hand: {why}", label(&r.policy)),
                );
            }
        }
    }
    if let Some(more) = found.regressions.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
        let _ = line(&mut out, format_args!("and {more} more (`--format json` has all)"));
    }
    for (wave, standing) in applied.waves.iter().zip(standings) {
        if standing.verdict == Verdict::NotInForce && standing.seen == 0 {
            continue;
        }
        let _ = line(
            &mut out,
            format_args!(
                "wave {} ({}): {}{}",
                wave.number,
                wave.title,
                standing.verdict.as_str(),
                told(standing, applied.horizon_days)
            ),
        );
    }
    let _ = line(
        &mut out,
        format_args!(
            "{} denied requests: {} denied before as well, {} denied by something else, {} by tokens that are older than a wave, {} \
         with unknown cause",
            found.denied, found.before_as_well, found.elsewhere, found.older_tokens, found.unknown
        ),
    );
    out
}

/// What was seen of a wave, and what was expected.
fn told(standing: &Standing, horizon_days: Option<i32>) -> String {
    let stop = if standing.verdict == Verdict::Worse {
        ": stop here"
    } else {
        ""
    };
    let expected = match (standing.promised, horizon_days) {
        (Some(promised), Some(days)) => format!(", {promised:.1} were expected in {days} days"),
        (Some(promised), None) => format!(", {promised:.1} were expected"),
        (None, _) => String::new(),
    };
    match (standing.seen, standing.requests) {
        (0, _) => expected,
        (seen, requests) => format!(
            "{stop}; {} ({}){expected}",
            digest::count(seen, "wrong denial", "wrong denials"),
            digest::count(requests, "request", "requests")
        ),
    }
}
