//! `regressions`: who is denied because of an applied wave, and what gives it back.

use super::resolve::{Meant, Source};
use super::{Exit, Failure, Talk, answer, material};
use crate::advice::{Change, Proposal, ProposedPolicy, Run};
use crate::cli::{RegressionsArgs, TextOrJson};
use crate::hint::Hint;
use crate::ingest::{self, LogInput};
use crate::policy::profile::Profile;
use crate::report::{self, digest, escape};
use crate::rollout::applied::Applied;
use crate::rollout::regression::{self, Found, Regression, Seen, Writes};
use crate::rollout::restore::{self, Restore};
use crate::rollout::verdict::{Standing, Verdict, standings};
use crate::settings::decisions::{self, About, Decision, Missed, Verdict as Decided};
use crate::shown::line;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

/// More regressions than this are counted, not told, in the text.
const MOST_TOLD: usize = 100;

/// Looks and tells; there being one ends as findings do.
pub(super) fn run(args: &RegressionsArgs, meant: Meant, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let since = args.reading.since;
    if args.reading.logs.is_empty() || !args.reading.usage.is_empty() {
        return Err(RegressionsError::Stored.into());
    }
    let source = Source::of(&args.reading, talk)?;
    let profile = meant.profile;
    if let Some(folder) = &args.out {
        report::write::ready(folder)?;
    }
    talk.step("reading what was applied");
    let applied = Applied::read_applied(&args.applied, profile, since)?;
    let deployment = material::deployment(args.deployment.as_deref())?;
    talk.step("reading usage since");
    let (seen, writes) = read(&source, &applied, talk)?;
    talk.step("deciding again");
    let found = regression::find(&applied, &seen, &writes, deployment.as_ref(), profile);
    let restore = restore::find(&applied, &found.regressions, &seen, deployment.as_ref(), profile);
    if let Some(folder) = &args.out {
        let files = given_back(&restore)?;
        report::write::write(&files, folder)?;
    }
    if args.remember {
        remember(args, &meant, &applied, &found, &restore)?;
    }
    talk.done();
    let standings = standings(&applied, &found.regressions, &BTreeMap::new(), Timestamp::now());
    let text = match args.format {
        TextOrJson::Json => format!("{}\n", document(&applied, &found, &restore, (&standings, profile))),
        TextOrJson::Text => {
            let note = profile.note().map(|note| format!("{note}\n")).unwrap_or_default();
            let text = text(&applied, &found, &restore, &standings);
            format!("{}{note}", escape::visible_lines(&text))
        }
    };
    out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
    let open = found.regressions.iter().any(|regression| !regression.answered);
    Ok(if open { Exit::Findings } else { Exit::Fine })
}

/// Writes what is given back into the file of decisions, so that no later run proposes the same again too soon.
fn remember(
    args: &RegressionsArgs,
    meant: &Meant,
    applied: &Applied,
    found: &Found,
    restore: &Restore,
) -> Result<(), Failure> {
    let path = answer::file(args.decisions.as_deref(), meant.config.as_deref())?;
    let mut all = answer::read(&path)?;
    for regression in &found.regressions {
        let Some((policy, _)) = restore.of(regression) else {
            continue;
        };
        // As the policy writes it: a namespace below its own is a part of the path.
        let asked = format!("{}{}", regression.namespace, regression.path);
        let path = asked.strip_prefix(&*policy.0).unwrap_or(&asked);
        let missed = regression.stanza.iter().map(|stanza| Missed {
            capability: regression.capability,
            policy: label(&regression.policy),
            path: stanza.trim_start_matches('/').to_owned(),
        });
        let decision = Decision {
            verdict: Decided::GivenBack,
            about: About::Grant(label(policy), Some(path.to_owned())),
            owner: regression.principal.clone(),
            reason: format!(
                "{} was denied {} since wave {}",
                regression.capability,
                digest::times(regression.count),
                regression.wave
            ),
            until: until(applied, regression),
            missed: missed.collect(),
            line: 0,
        };
        decisions::put(&mut all, decision);
    }
    Ok(answer::write(&path, &all)?)
}

/// Two of its own rhythm after it was used last. From one use no rhythm is known: it is no shorter than the time from the wave to
/// the use, during which nobody missed it, nor than the horizon, within which it was not expected.
fn until(applied: &Applied, regression: &Regression) -> jiff::civil::Date {
    let last = regression.last_seen.unwrap_or_else(Timestamp::now);
    let begun = applied.waves.iter().find(|wave| wave.number == regression.wave);
    let missed = begun
        .and_then(|wave| wave.begun)
        .map_or(0, |begun| last.duration_since(begun).as_hours() / 24);
    let rhythm = missed.max(applied.horizon_days.map_or(90, i64::from)).clamp(1, 3_650);
    let day = last.to_zoned(jiff::tz::TimeZone::UTC).date();
    day.saturating_add(jiff::Span::new().days(2 * rhythm))
}

/// The logs, time by time: what was denied under which waves.
fn read(source: &Source, applied: &Applied, talk: &Talk) -> Result<(Vec<Seen>, Writes), Failure> {
    let spans = applied.spans();
    if spans.len() > 1 && source.logs.contains(&LogInput::Stdin) {
        return Err(RegressionsError::ReadTwice.into());
    }
    let (mut seen, mut writes) = (Vec::new(), Writes::default());
    for span in spans {
        let options = ingest::Options {
            since: Some(span.from),
            until: span.to.or(source.options.until),
            window: None,
            ..source.options.clone()
        };
        let usage = ingest::read(&source.logs, &options, talk)?;
        material::tell_tally(usage.tally(), talk);
        writes.note(applied, &usage);
        seen.push(Seen::of(span, &usage));
    }
    Ok((seen, writes))
}

fn document(
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
        "by_hand": restore.by_hand.iter().map(|(policy, why)| json!({"policy": label(policy), "why": why})).collect::<Vec<_>>(),
    })
}

fn label(policy: &regression::PolicyKey) -> String {
    format!("{}{}", policy.0, policy.1)
}

fn text(applied: &Applied, found: &Found, restore: &Restore, standings: &[Standing]) -> String {
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
        match (r.answered, restore.of(r), restore.by_hand.get(&r.policy)) {
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
                let why = why.map_or("no change was found", String::as_str);
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

/// A folder that gives it back: diffs, policies, Terraform, and a script that checks what it finds.
fn given_back(restore: &Restore) -> Result<Vec<report::OutputFile>, serde_json::Error> {
    let policies = restore.policies.iter().map(|given| ProposedPolicy {
        namespace: given.policy.0.as_str().into(),
        name: given.policy.1.clone(),
        original: given.now.clone(),
        text: Some(given.text.clone()),
        change: if given.now.is_some() { Change::Edit } else { Change::Add },
        reasons: vec![String::from("gives back what was used after it had been taken away")],
        ..ProposedPolicy::default()
    });
    let proposal = Proposal {
        kind: String::from("restore"),
        policies: policies.collect(),
        ..Proposal::default()
    };
    report::restore(&Run::default(), &proposal)
}

/// Why regressions cannot be looked for.
#[derive(Debug, thiserror::Error)]
enum RegressionsError {
    /// Not in logs.
    #[error(
        "regressions are looked for in logs: usage that an earlier run wrote does not tell when each request was denied"
    )]
    Stored,
    /// Wave by wave, from what can be read once.
    #[error("standard input can be read once only, and several waves were applied")]
    ReadTwice,
}

impl Hint for RegressionsError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Stored => Some(Cow::Borrowed("name audit logs: `--logs audit.log`")),
            Self::ReadTwice => Some(Cow::Borrowed("name files with `--logs`")),
        }
    }
}
