//! `regressions`: who is denied because of an applied wave, and what gives it back.

use super::{Exit, Failure, Talk, material};
use crate::advice::{Change, Proposal, ProposedPolicy, Run};
use crate::cli::{RegressionsArgs, TextOrJson};
use crate::ingest;
use crate::policy::profile::Profile;
use crate::report::{self, escape};
use crate::rollout::applied::{Applied, AppliedError, Wave};
use crate::rollout::regression::{self, Found, Regression, Seen};
use crate::rollout::restore::{self, Restore};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write;

/// More regressions than this are counted, not told, in the text.
const MOST_TOLD: usize = 100;

/// Looks and tells; there being one ends as findings do.
pub(super) fn run(args: &RegressionsArgs, profile: Profile, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let since = args.reading.since;
    talk.step("reading what was applied");
    let applied = Applied::read(&args.applied, profile, since)
        .map_err(|e: AppliedError| Failure::from_error(&e, Some(e.hint())))?;
    let deployment = material::deployment(args.deployment.as_deref())?;
    talk.step("reading usage since");
    let seen = read(args, &applied, talk)?;
    talk.step("deciding again");
    let found = regression::find(&applied, &seen, deployment.as_ref(), profile);
    let restore = restore::find(&applied, &found.regressions, &seen, deployment.as_ref(), profile);
    if let Some(folder) = &args.out {
        let files = given_back(&restore).map_err(|e| Failure::from_error(&e, None))?;
        report::write::write(&files, folder).map_err(|e| Failure::from_error(&e, Some(e.hint())))?;
    }
    talk.done();
    let text = match args.format {
        TextOrJson::Json => format!("{}\n", document(&applied, &found, &restore, profile)),
        TextOrJson::Text => {
            let note = profile.note().map(|note| format!("{note}\n")).unwrap_or_default();
            format!("{}{note}", escape::visible_lines(&text(&applied, &found, &restore)))
        }
    };
    out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
    let open = found.regressions.iter().any(|regression| !regression.answered);
    Ok(if open { Exit::Findings } else { Exit::Fine })
}

/// The logs, time by time: what was denied under which waves.
fn read(args: &RegressionsArgs, applied: &Applied, talk: &Talk) -> Result<Vec<Seen>, Failure> {
    if args.reading.logs.is_empty() || !args.reading.usage.is_empty() {
        return Err(Failure::new(
            "regressions are looked for in logs: usage that an earlier run wrote does not tell when each request was denied",
            Some("name audit logs: `--logs audit.log`"),
        ));
    }
    let options = material::ingest_options(&args.reading);
    let failed = |e: &ingest::IngestError| Failure::from_error(e, e.hint());
    let inputs = ingest::expand(&args.reading.logs).map_err(|e| failed(&e))?;
    let spans = applied.spans();
    if spans.len() > 1 && args.reading.logs.iter().any(|log| log == "-") {
        return Err(Failure::new(
            "standard input can be read once only, and several waves were applied",
            Some("name files with `--logs`"),
        ));
    }
    let mut seen = Vec::new();
    for span in spans {
        let options = ingest::Options {
            since: Some(span.from),
            until: span.to.or(options.until),
            window: None,
            ..options.clone()
        };
        let usage = ingest::read(&inputs, &options, talk).map_err(|e| failed(&e))?;
        material::tell_tally(usage.tally(), talk);
        seen.push(Seen { span, usage });
    }
    Ok(seen)
}

/// How a wave did against what was promised. Where nobody looked ahead, nothing was to be denied.
fn verdict(wave: &Wave, seen: u64) -> &'static str {
    let promised = wave.promised.unwrap_or_default();
    match seen {
        0 if promised >= 1.0 => "better than promised",
        0 => "as promised",
        seen if seen as f64 <= promised => "as promised",
        _ => "worse than promised",
    }
}

fn of_wave(found: &Found, wave: usize) -> impl Iterator<Item = &Regression> {
    found
        .regressions
        .iter()
        .filter(move |regression| regression.wave == wave)
}

fn document(applied: &Applied, found: &Found, restore: &Restore, profile: Profile) -> Value {
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
            "restore": restore.stanza(r).map(|stanza| json!({"policy": label(&r.policy), "stanza": stanza})),
        })
    });
    let waves = applied.waves.iter().map(|wave| {
        let seen: u64 = of_wave(found, wave.number).map(|r| r.count).sum();
        json!({
            "wave": wave.number,
            "title": wave.title,
            "applied": wave.begun.map(|t| t.to_string()),
            "taken_back": wave.taken_back.map(|t| t.to_string()),
            "promised": wave.promised,
            "seen": seen,
            "verdict": if wave.begun.is_some() { verdict(wave, seen) } else { "not applied" },
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
            "unknown": found.unknown,
        },
        "by_hand": restore.by_hand.iter().map(|(policy, why)| json!({"policy": label(policy), "why": why})).collect::<Vec<_>>(),
    })
}

fn label(policy: &regression::PolicyKey) -> String {
    format!("{}{}", policy.0, policy.1)
}

fn text(applied: &Applied, found: &Found, restore: &Restore) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    for r in found.regressions.iter().take(MOST_TOLD) {
        let _ = writeln!(
            out,
            "{}: {} on `{}{}` denied {} times since wave {}, {} to {}",
            r.principal,
            r.capability,
            r.namespace,
            r.path,
            r.count,
            r.wave,
            r.first_seen.map(|t| t.to_string()).unwrap_or_default(),
            r.last_seen.map(|t| t.to_string()).unwrap_or_default(),
        );
        match (r.answered, restore.stanza(r), restore.by_hand.get(&r.policy)) {
            (true, ..) => {
                let _ = writeln!(out, "  policy `{}` was written since", label(&r.policy));
            }
            (_, Some(stanza), _) => {
                let _ = writeln!(out, "  policy `{}` gives it back with:", label(&r.policy));
                for line in stanza.lines() {
                    let _ = writeln!(out, "    {line}");
                }
            }
            (_, None, why) => {
                let why = why.map_or("no change was found", String::as_str);
                let _ = writeln!(out, "  policy `{}` allowed it before; by hand: {why}", label(&r.policy));
            }
        }
    }
    if let Some(more) = found.regressions.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
        let _ = writeln!(out, "and {more} more (`--format json` has all)");
    }
    for wave in applied.waves.iter().filter(|wave| wave.begun.is_some()) {
        let seen: u64 = of_wave(found, wave.number).map(|r| r.count).sum();
        let _ = writeln!(
            out,
            "wave {} ({}): {}{}",
            wave.number,
            wave.title,
            verdict(wave, seen),
            match (seen, wave.promised) {
                (0, _) => String::new(),
                (_, Some(promised)) => format!(", {seen} denied requests, {promised:.1} were expected"),
                (_, None) => format!(", {seen} denied requests"),
            }
        );
    }
    let _ = writeln!(
        out,
        "{} denied requests: {} denied before as well, {} denied by something else, {} not told apart",
        found.denied, found.before_as_well, found.elsewhere, found.unknown
    );
    out
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
