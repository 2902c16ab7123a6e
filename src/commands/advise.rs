//! `advise`: the main job.

use super::resolve::{Meant, Source};
use super::{Exit, Failure, Talk, material, write_back};
use crate::access;
use crate::advice::Advice;
use crate::cli::AdviseArgs;
use crate::hint::Hint;
use crate::pipeline::{self, Material, Options};
use crate::report::{self, history};
use jiff::Timestamp;
use std::borrow::Cow;
use std::io::Write;

/// Compares with the runs before, of which the folder keeps a line each: the line of this one.
fn remembered(advice: &mut Advice, earlier: &[history::Entry]) -> history::Entry {
    let entry = history::Entry::of(advice, "advise", Timestamp::now());
    advice.history = history::compare(earlier, &entry);
    entry
}

/// Reads, works out, writes.
pub(super) fn run(args: &AdviseArgs, meant: Meant, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let grants = meant.granted(&args.granting);
    let source = Source::of(&args.reading, talk)?;
    meant.tell_settings(talk);
    let Meant {
        profile, mut settings, ..
    } = meant;
    if args.per_owner && settings.owners.is_empty() {
        return Err(NoOwners.into());
    }
    if let Some(budget) = args.budget {
        settings.foresight.budget = budget;
    }
    if let Some(horizon) = args.horizon {
        settings.look_ahead(horizon);
    }
    settings.keep.extend(args.keep.iter().cloned());
    report::write::ready(&args.out)?;
    let kept = args.out.join(history::FILE_NAME);
    let earlier = (!args.reproducible).then(|| history::read(&kept)).transpose()?;
    talk.step("reading policies");
    let mut granted = material::policies(&grants, args.reading.strict, talk)?;
    talk.step("reading the deployment");
    let deployment = material::deployment(args.granting.deployment.as_deref())?;
    talk.step("reading usage");
    let usage = material::silent_usage(&source, talk)?;
    if usage.is_empty() {
        // There is no report that would say what was skipped.
        material::tell_tally(usage.tally(), talk);
    }
    material::not_empty(&usage)?;
    granted.meant(Some(&usage), deployment.as_ref(), talk);
    access::agree(
        &usage.policy_sets(),
        usage.namespaces(),
        deployment.as_ref(),
        &settings.changed_roles,
    )?;
    let mut inputs: Vec<String> = args.reading.logs.clone();
    inputs.extend(args.reading.usage.iter().map(|p| p.display().to_string()));
    inputs.extend(args.granting.policies.iter().map(|p| p.display().to_string()));
    inputs.extend(args.granting.deployment.iter().map(|p| p.display().to_string()));
    let mut advice = pipeline::advise(
        Material {
            usage,
            policies: granted.policies,
            deployment,
            inputs,
            policies_dir: material::policies_dir(&args.granting.policies),
            unread: granted.unread,
            notes: granted.notes,
        },
        &Options {
            profile,
            settings: &settings,
            time_limit: args.time_limit,
            seed: args.seed,
            max_roles: args.max_roles,
            frontier: args.frontier,
            generated_at: (!args.reproducible).then(Timestamp::now),
        },
        &mut |step| talk.step(step),
    );
    talk.step("writing the changes back");
    write_back::files(&mut advice, &grants);
    let run = earlier.map(|earlier| remembered(&mut advice, &earlier));
    talk.step("laying out the report");
    let files = report::render(&advice, &report::Options::default())?;
    let mut files = files;
    if args.per_owner {
        talk.step("laying out the report of each owner");
        let bytes = report::Options::default().html_bytes;
        files.extend(report::owners::render(&advice, bytes)?);
    }
    talk.step("writing the report");
    report::write::write(&files, &args.out)?;
    if let Some(entry) = run {
        history::append(&kept, &entry)?;
    }
    talk.done();
    if !talk.is_quiet() {
        let text = talk.fitted(&report::text::render(&advice, talk.colour_out()));
        out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
        writeln!(out, "report: {}", args.out.join("report.html").display()).map_err(Failure::from_output)?;
    }
    Ok(Exit::Fine)
}

/// Nothing says to whom what belongs.
#[derive(Debug, thiserror::Error)]
#[error("`--per-owner` needs to know who owns what")]
struct NoOwners;

impl Hint for NoOwners {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(
            "`[owners]` in vault-advisor.toml says it: docs/settings.md",
        ))
    }
}
