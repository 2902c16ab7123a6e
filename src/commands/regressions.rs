//! `regressions`: who is denied because of an applied wave, and what gives it back.

use super::resolve::{Meant, Source};
use super::{Exit, Failure, Talk, answer, material};
use crate::advice::{Change, Proposal, ProposedPolicy, Run};
use crate::cli::{RegressionsArgs, TextOrJson};
use crate::hint::Hint;
use crate::ingest::{self, LogInput};
use crate::report::{self, digest, escape};
use crate::rollout::applied::Applied;
use crate::rollout::regression::{self, Found, Regression, Seen, Writes};
use crate::rollout::restore::{self, Restore};
use crate::rollout::told;
use crate::rollout::verdict::standings;
use crate::settings::decisions::{self, About, Decision, Missed, Verdict as Decided};
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

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
        TextOrJson::Json => format!("{}\n", told::json(&applied, &found, &restore, (&standings, profile))),
        TextOrJson::Text => {
            let note = profile.note().map(|note| format!("{note}\n")).unwrap_or_default();
            let text = told::text(&applied, &found, &restore, &standings);
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
            policy: told::label(&regression.policy),
            path: stanza.trim_start_matches('/').to_owned(),
        });
        let decision = Decision {
            verdict: Decided::GivenBack,
            about: About::Grant(told::label(policy), Some(path.to_owned())),
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
