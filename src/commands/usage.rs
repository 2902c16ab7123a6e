//! `usage`: logs to demands, and questions about them.

use super::resolve::Source;
use super::{Exit, Failure, Talk, material};
use crate::cli::{UsageArgs, UsageFormat};
use crate::report::answer as faces;
use crate::report::usage::{self as rows, Format};
use crate::staged::{self, Readers};
use crate::usage::Usage;
use crate::usage::answer::{self, Answer};
use crate::usage::ask::{Question, told_apart};
use crate::usage::store::StoreError;
use jiff::Timestamp;
use std::io::{self, Write};
use std::path::Path;

/// Reads and writes.
pub(super) fn run(args: &UsageArgs, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let path = (args.output != "-").then(|| Path::new(&args.output));
    material::ready(path)?;
    let source = Source::of(&args.reading, talk)?;
    let asks = !args.by.is_empty() || args.condition.is_some() || !args.sort.is_empty() || args.top.is_some();
    if asks || matches!(args.format, Some(UsageFormat::Json | UsageFormat::Table)) {
        return ask(args, &source, path, out, talk);
    }
    let format = match (args.format, path) {
        (Some(UsageFormat::Parquet), _) => Format::Parquet,
        (Some(UsageFormat::Csv), _) => Format::Csv,
        (Some(_), _) | (None, None) => Format::Jsonl,
        (None, Some(path)) => rows::format_of(path)?,
    };
    let usage = read(args, &source, talk)?;
    let Some(path) = path else {
        rows::write_to(&usage, format, out).map_err(failed)?;
        return Ok(Exit::Fine);
    };
    rows::write(&usage, format, path).map_err(failed)?;
    talk.note(&format!("wrote {}", path.display()));
    Ok(Exit::Fine)
}

fn read(args: &UsageArgs, source: &Source, talk: &Talk) -> Result<Usage, Failure> {
    let usage = material::usage(source, talk)?;
    if !args.allow_empty {
        material::not_empty(&usage)?;
    }
    Ok(usage)
}

fn failed(error: StoreError) -> Failure {
    match error {
        StoreError::Stream(error) => Failure::from_output(error),
        other => other.into(),
    }
}

/// Answers a question.
fn ask(
    args: &UsageArgs,
    source: &Source,
    path: Option<&Path>,
    out: &mut dyn Write,
    talk: &Talk,
) -> Result<Exit, Failure> {
    let format = match (args.format, path) {
        (Some(format), _) => format,
        (None, None) => UsageFormat::Table,
        (None, Some(path)) => match rows::format_of(path)? {
            Format::Parquet => UsageFormat::Parquet,
            Format::Jsonl => UsageFormat::Jsonl,
            Format::Csv => UsageFormat::Csv,
        },
    };
    let question =
        |by: &[String], end: Option<Timestamp>| Question::new(by, args.condition.as_deref(), &args.sort, args.top, end);
    // What is wrong with it is told before anything is read.
    question(&args.by, None)?;
    let usage = read(args, source, talk)?;
    let coverage = usage.coverage();
    let demands = usage.demands();
    let first = demands.first().map(|demand| &demand.namespace);
    let several = demands.iter().any(|demand| Some(&demand.namespace) != first);
    let apart = told_apart(&args.by).filter(|_| several);
    if apart.is_some() {
        talk.note("there are requests to several namespaces: they are told apart by `namespace`");
    }
    let question = question(apart.as_ref().unwrap_or(&args.by), coverage.last)?;
    if let (Some(asked), Some(first)) = (question.earliest(), coverage.first)
        && asked < first
    {
        talk.warn(&format!(
            "the condition looks back to {asked}, and what was read begins at {first}: what was before that is not known"
        ));
    }
    let answer = answer::answer(&demands, &question).map_err(|e| failed(StoreError::Frame(e)))?;
    if answer.height < answer.found {
        talk.note(&format!("the first {} of {} rows", answer.height, answer.found));
    }
    let width = talk.width_out().unwrap_or(faces::USUAL_WIDTH);
    let Some(path) = path else {
        write(&answer, &question, format, width, out).map_err(failed)?;
        return Ok(Exit::Fine);
    };
    let broken = |source| StoreError::Write {
        path: path.to_owned(),
        source,
    };
    staged::write_for(path, Readers::Owner, broken, |file| {
        write(&answer, &question, format, faces::USUAL_WIDTH, file).map_err(|e| match e {
            StoreError::Stream(error) => broken(error),
            other => other,
        })
    })
    .map_err(failed)?;
    talk.note(&format!("wrote {}", path.display()));
    Ok(Exit::Fine)
}

fn write(
    answer: &Answer,
    question: &Question,
    format: UsageFormat,
    width: usize,
    to: &mut dyn Write,
) -> Result<(), StoreError> {
    let written: io::Result<()> = match format {
        UsageFormat::Parquet => return Ok(answer::write_parquet(answer, to)?),
        UsageFormat::Jsonl => faces::write_jsonl(answer, to),
        UsageFormat::Json => faces::write_json(answer, to),
        UsageFormat::Csv => faces::write_csv(answer, to),
        UsageFormat::Table => to.write_all(faces::table(answer, question, width).as_bytes()),
    };
    written.map_err(StoreError::Stream)
}
