//! `check`: the gate for policy repositories.

use super::{Exit, Failure, Talk, material};
use crate::advice::Severity;
use crate::analysis::evidence::Watch;
use crate::check::baseline::Baseline;
use crate::check::source::{self, Read};
use crate::check::{self, Checked, Material, Options, Seen, git};
use crate::cli::{CheckArgs, Common, GateFormat};
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::report::gate::{self, Gate};
use crate::staged;
use crate::usage::Usage;
use crate::usage::tally::Tally;
use jiff::Timestamp;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Reads, checks, tells.
pub(super) fn run(
    args: &CheckArgs,
    common: &Common,
    profile: Profile,
    out: &mut dyn Write,
    talk: &Talk,
) -> Result<Exit, Failure> {
    let settings = material::settings(common, &args.granting, talk)?;
    let budgets = args.budget.iter().map(|b| budget(b)).collect::<Result<Vec<_>, _>>()?;
    if args.max_risk.is_some_and(|most| !(0.0..=100.0).contains(&most)) {
        return Err(Failure::new("`--max-risk` has to be between 0 and 100", None));
    }
    let mut notes = Vec::new();
    // Usage is the larger part of what is read; what is said of it comes after what is wrong with the policies.
    let (granted, seen) = rayon::join(|| granted(args, profile, &mut notes), || seen(args, talk));
    let (read, base) = granted?;
    if read.policies.is_empty() && read.broken.is_empty() && read.unchecked.is_empty() && base.is_none() {
        let places: Vec<String> = args
            .granting
            .policies
            .iter()
            .map(|p| format!("`{}`", p.display()))
            .collect();
        return Err(Failure::new(
            format!("no policy in {}", places.join(", ")),
            Some("policies are files that end in .hcl, .json or .policy, or `vault_policy` resources in .tf files"),
        ));
    }
    let deployment = material::deployment(args.granting.deployment.as_deref())?;
    let seen = match seen? {
        Some((seen, tally)) => {
            material::tell_tally(&tally, talk);
            Some(seen)
        }
        None => None,
    };
    let before = args
        .baseline
        .as_deref()
        .map(Baseline::load)
        .transpose()
        .map_err(|e| Failure::from_error(&e, Some("`--write-baseline FILE` writes one")))?;
    let checked = check::check(
        Material {
            read,
            base,
            seen,
            deployment,
        },
        &Options {
            profile,
            settings: &settings,
            fail_on: args.fail_on.into(),
            max_risk: args.max_risk,
            budgets: &budgets,
            baseline: before.as_ref(),
            now: Timestamp::now(),
        },
        &mut |step| talk.step(step),
    );
    talk.done();
    if let Some(file) = &args.write_baseline {
        checked.baseline.save(file).map_err(|e| Failure::from_error(&e, None))?;
        talk.note(&format!(
            "wrote {} findings to {}",
            checked.baseline.len(),
            file.display()
        ));
        return Ok(Exit::Fine);
    }
    let exit = if checked.reasons.is_empty() {
        Exit::Fine
    } else {
        Exit::Findings
    };
    let color = talk.colour_out && args.output.is_none();
    let text = render(view(checked, args.fail_on.into(), notes), args.format, color)?;
    match &args.output {
        None => out.write_all(text.as_bytes()).map_err(Failure::from_output)?,
        Some(path) => write(path, &text)?,
    }
    Ok(exit)
}

fn view(checked: Checked, fail_on: Severity, notes: Vec<String>) -> Gate {
    Gate {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        findings: checked.findings,
        rules: checked.rules,
        fail_on,
        reasons: checked.reasons,
        policies: checked.policies,
        waived: checked.waived,
        unchanged: checked.unchanged,
        known: checked.known,
        notes,
    }
}

fn render(gate: Gate, format: GateFormat, color: bool) -> Result<String, Failure> {
    let json = |e: serde_json::Error| Failure::from_error(&e, None);
    Ok(match format {
        GateFormat::Text => gate::text::render(&gate, color),
        GateFormat::Markdown => gate::markdown::render(&gate),
        GateFormat::Junit => gate::junit::render(&gate),
        GateFormat::Github => gate::annotations::render(&gate),
        GateFormat::Sarif => gate::sarif::render(&gate).map_err(json)?,
        GateFormat::Gitlab => gate::gitlab::render(&gate).map_err(json)?,
    })
}

/// Writes a file, whole or not at all.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |e: std::io::Error| {
        Failure::new(
            format!("cannot write `{}`: {e}", path.display()),
            Some("check that the folder exists, is writable and has room"),
        )
    };
    staged::write(path, failed, |file| file.write_all(text.as_bytes()).map_err(failed))
}

/// `high=3`
fn budget(text: &str) -> Result<(Severity, usize), Failure> {
    let wrong = || {
        Failure::new(
            format!("`--budget {text}` is no severity and number such as medium=10"),
            None,
        )
    };
    let (severity, most) = text.split_once('=').ok_or_else(wrong)?;
    let severity = Severity::ALL
        .into_iter()
        .find(|s| s.as_str() == severity)
        .ok_or_else(wrong)?;
    Ok((severity, most.parse().map_err(|_| wrong())?))
}

/// The policies of the base: of a folder or file, or of a git revision.
fn base(base: &str, policies: &[PathBuf], profile: Profile, notes: &mut Vec<String>) -> Result<Vec<Policy>, Failure> {
    let dialect = profile.dialect();
    let folder = PathBuf::from(base);
    let read = if folder.exists() {
        source::read(&[folder], &dialect)
    } else {
        let hint = "`--base` takes a folder, or a git revision of the repository that holds the policies (a shallow clone lacks \
                    earlier ones: `git fetch` them)";
        let export = git::export(base, policies).map_err(|e| Failure::from_error(&e, Some(hint)))?;
        notes.extend(
            export
                .left_out
                .iter()
                .map(|(name, why)| format!("`{name}` of the base was left out: {why}")),
        );
        if export.paths.is_empty() {
            notes.push(format!("the base `{base}` has no policies at this place: all are new"));
        }
        source::read(&export.paths, &dialect).map(|mut read| {
            source::relabel(&mut read.policies, export.folder(), base);
            read
        })
    };
    let read = read.map_err(|e| Failure::from_error(&e, Some("name a folder, or a git revision")))?;
    notes.extend(
        read.broken
            .iter()
            .map(|p| format!("policy `{}` of the base cannot be used: {}", p.what, p.why)),
    );
    Ok(read.policies)
}

/// The policies, and those of the base.
fn granted(
    args: &CheckArgs,
    profile: Profile,
    notes: &mut Vec<String>,
) -> Result<(Read, Option<Vec<Policy>>), Failure> {
    let read = source::read(&args.granting.policies, &profile.dialect())
        .map_err(|e| Failure::from_error(&e, Some("name a policy file or folder")))?;
    let base = match &args.base {
        Some(base) => Some(self::base(base, &args.granting.policies, profile, notes)?),
        None => None,
    };
    Ok((read, base))
}

/// Usage, where it is asked for, and its account. What is empty or can't be read never passes.
fn seen(args: &CheckArgs, talk: &Talk) -> Result<Option<(Seen, Tally)>, Failure> {
    let reading = &args.reading;
    if reading.logs.is_empty() && reading.usage.is_empty() {
        return Ok(None);
    }
    material::ingest_options(reading)?;
    let usage = material::silent_usage(reading, talk).map_err(|failure| Failure {
        exit: Exit::NoRecord,
        ..failure
    })?;
    material::not_empty(&usage)?;
    let seen = Seen {
        watch: watch(&usage),
        last: usage.coverage().last,
        demands: usage.demands(),
        sets: usage.policy_sets(),
    };
    let tally = usage.tally().clone();
    // Nobody waits for what is given back.
    rayon::spawn(move || drop(usage));
    Ok(Some((seen, tally)))
}

/// What the logs are worth.
fn watch(usage: &Usage) -> Watch {
    let seen = usage.coverage();
    let days = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64() / 86_400.0;
    let window_days = match (seen.first, seen.last) {
        (Some(first), Some(last)) => days(first, last),
        _ => 0.0,
    };
    let gap_days: f64 = seen.gaps.iter().map(|g| days(g.from, g.to)).sum();
    let gap_share = if window_days > 0.0 {
        (gap_days / window_days).min(1.0)
    } else {
        0.0
    };
    Watch {
        window_days,
        health: ((1.0 - seen.skipped_share) * (1.0 - gap_share)).clamp(0.0, 1.0),
        nodes: seen.nodes.len().max(1),
    }
}
