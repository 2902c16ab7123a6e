//! `advise`: the main job.

use super::{Exit, Failure, Talk, material, write_back};
use crate::cli::{AdviseArgs, Common};
use crate::optimize::foresight::parse_days;
use crate::pipeline::{self, Material, Options};
use crate::policy::profile::Profile;
use crate::report;
use jiff::Timestamp;
use std::io::Write;

/// Reads, works out, writes.
pub(super) fn run(
    args: &AdviseArgs,
    common: &Common,
    profile: Profile,
    out: &mut dyn Write,
    talk: &Talk,
) -> Result<Exit, Failure> {
    let mut settings = material::settings(common, &args.granting, talk)?;
    if let Some(budget) = &args.budget {
        settings.foresight.budget = material::share("--budget", budget)?;
    }
    if let Some(horizon) = &args.horizon {
        settings.foresight.horizon_days = parse_days(horizon).ok_or_else(|| {
            Failure::new(
                format!("`--horizon {horizon}` is not a number of whole days"),
                Some("write 90d, or 0 to look at the past alone"),
            )
        })?;
    }
    settings.keep.extend(args.keep.iter().cloned());
    report::write::ready(&args.out).map_err(|e| Failure::from_error(&e, Some(e.hint())))?;
    talk.step("reading policies");
    let mut granted = material::policies(
        &args.granting.policies,
        args.granting.policy_names,
        profile,
        args.reading.strict,
        talk,
    )?;
    talk.step("reading the deployment");
    let deployment = material::deployment(args.granting.deployment.as_deref())?;
    talk.step("reading usage");
    let usage = material::silent_usage(&args.reading, talk)?;
    if usage.is_empty() {
        // There is no report that would say what was skipped.
        material::tell_tally(usage.tally(), talk);
    }
    material::not_empty(&usage)?;
    granted.meant(Some(&usage), deployment.as_ref(), talk);
    material::agree(&usage.policy_sets(), usage.namespaces(), deployment.as_ref(), &settings)?;
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
    let reading = write_back::Reading {
        paths: &args.granting.policies,
        names: args.granting.policy_names.into(),
        profile,
        options: material::sources(&settings),
    };
    write_back::files(&mut advice, &reading);
    talk.step("laying out the report");
    let files = report::render(&advice, &report::Options::default()).map_err(|e| Failure::from_error(&e, None))?;
    talk.step("writing the report");
    report::write::write(&files, &args.out).map_err(|e| Failure::from_error(&e, Some(e.hint())))?;
    talk.done();
    if !common.quiet {
        let text = report::text::render(&advice, talk.colour_out);
        out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
        writeln!(out, "report: {}", args.out.join("report.html").display()).map_err(Failure::from_output)?;
    }
    Ok(Exit::Fine)
}
