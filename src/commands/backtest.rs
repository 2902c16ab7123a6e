//! `backtest`: would it have hurt?

use super::resolve::{Meant, Source};
use super::{Exit, Failure, Talk, material};
use crate::access;
use crate::backtest::{self, Input, Options, text};
use crate::cli::{BacktestArgs, BacktestFormat};
use crate::hint::Hint;
use crate::usage::Facts;
use jiff::SignedDuration;
use std::borrow::Cow;
use std::io::Write;

/// Reads, replays, tells.
pub(super) fn run(args: &BacktestArgs, meant: Meant, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let (train_days, test_days) = (days("--train", args.train)?, days("--test", args.test)?);
    let step_days = days("--step", args.step)?;
    let grants = meant.granted(&args.granting);
    let source = Source::of(&args.reading, talk)?;
    meant.tell_settings(talk);
    let Meant { profile, settings, .. } = meant;
    let mut budgets = args.budgets.clone();
    budgets.push(settings.foresight.budget);
    budgets.sort_by(f64::total_cmp);
    budgets.dedup();
    let mut plain_days: Vec<i32> = args.plain.iter().map(|n| i32::from(*n)).collect();
    // The longest N that the past can tell of is the plain rule at its best.
    plain_days.push(train_days);
    plain_days.sort_unstable();
    plain_days.dedup();
    let mut granted = material::policies(&grants, args.reading.strict, talk)?;
    let deployment = material::deployment(args.granting.deployment.as_deref())?;
    let usage = material::usage(&source, talk)?;
    material::not_empty(&usage)?;
    granted.meant(Some(&usage), deployment.as_ref(), talk);
    let facts = Facts::from(&usage);
    access::agree(
        &facts.sets,
        &facts.namespaces,
        deployment.as_ref(),
        &settings.changed_roles,
    )?;
    let coverage = usage.coverage();
    let found = backtest::run(
        &Input {
            facts: &facts,
            policies: &granted.policies,
            deployment: deployment.as_ref(),
            profile,
            health: coverage.health(),
        },
        &Options {
            train_days,
            test_days,
            step_days,
            price: settings.price,
            budgets,
            foresight: settings.foresight,
            over_grant: settings.over_grant,
            evidence: settings.evidence,
            plain_days,
            weights: settings.weights,
        },
        &mut |step| talk.step(step),
    );
    talk.done();
    if found.windows.is_empty() {
        return Err(BacktestError::TooShort {
            covered: coverage.window_days().ceil(),
            train_days,
            test_days,
        }
        .into());
    }
    let rendered = match args.format {
        BacktestFormat::Text => {
            let mut rendered = text::render(&found);
            if let Some(note) = profile.note() {
                rendered.push_str(&format!("\n{note}\n"));
            }
            rendered
        }
        BacktestFormat::Csv => text::csv(&found),
        BacktestFormat::Json => {
            let mut document = serde_json::to_value(&found)?;
            if let Some(object) = document.as_object_mut() {
                object.insert("server".to_owned(), profile.to_string().into());
            }
            format!("{document}\n")
        }
    };
    out.write_all(rendered.as_bytes()).map_err(Failure::from_output)?;
    Ok(Exit::Fine)
}

/// A flag in whole days.
fn days(flag: &'static str, duration: SignedDuration) -> Result<i32, BacktestError> {
    let seconds = duration.as_secs();
    match i32::try_from(seconds / 86_400) {
        Ok(days) if days > 0 && seconds % 86_400 == 0 => Ok(days),
        _ => Err(BacktestError::PartOfDay { flag, seconds }),
    }
}

/// Why there is nothing to replay.
#[derive(Debug, thiserror::Error)]
enum BacktestError {
    /// The logs.
    #[error(
        "the logs cover {covered} {}: too short for {train_days} days of past and {test_days} of future",
        if *covered > 1.0 { "days" } else { "day" }
    )]
    TooShort {
        covered: f64,
        train_days: i32,
        test_days: i32,
    },
    /// A flag.
    #[error("`{flag}` is {seconds} seconds, not a number of whole days")]
    PartOfDay { flag: &'static str, seconds: i64 },
}

impl Hint for BacktestError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::TooShort { .. } => "take shorter ones (`--train 14d --test 7d`), or give older logs too",
            Self::PartOfDay { .. } => "usage is cut between days: write 30d",
        }))
    }
}
