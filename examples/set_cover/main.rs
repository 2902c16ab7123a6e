//! Solves a covering problem of the OR-Library and prints one line of JSON, with the chosen columns (numbered from 1, as the files
//! number them), so that anybody can check the cover:
//! `cargo run --release --example set_cover -- FILE [--time-limit 60s] [--format scp|rail|stein] [--seed N]`.

mod orlib;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;
use vault_advisor::optimize::cover::{self, Limits};

const USAGE: &str = "usage: set_cover FILE [--time-limit 60s] [--format scp|rail|stein] [--seed N] [--rounds N]";

type Failure = Box<dyn std::error::Error>;

struct Request {
    file: PathBuf,
    format: Option<orlib::Format>,
    limits: Limits,
}

fn main() -> ExitCode {
    let outcome = request(std::env::args().skip(1)).and_then(|request| run(&request));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to be done where even the error can't be told.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}

fn request(mut arguments: impl Iterator<Item = String>) -> Result<Request, Failure> {
    let mut file = None;
    let mut format = None;
    let mut limits = Limits {
        time_limit: Duration::from_secs(60),
        ..Limits::default()
    };
    while let Some(argument) = arguments.next() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (argument.as_str(), None),
        };
        let mut value = || {
            value
                .clone()
                .or_else(|| arguments.next())
                .ok_or_else(|| format!("cannot use `{name}`: it needs a value; {USAGE}"))
        };
        match name {
            "--time-limit" => limits.time_limit = time(&value()?)?,
            "--format" => format = Some(value()?.parse()?),
            "--seed" => limits.seed = count(name, &value()?)?,
            "--rounds" => limits.max_rounds = Some(count(name, &value()?)?),
            _ if name.starts_with("--") => {
                return Err(format!("cannot use `{name}`: unknown option; {USAGE}").into());
            }
            _ if file.is_none() => file = Some(PathBuf::from(&argument)),
            _ => return Err(format!("cannot use `{argument}`: one file at a time; {USAGE}").into()),
        }
    }
    Ok(Request {
        file: file.ok_or(USAGE)?,
        format,
        limits,
    })
}

fn count<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, Failure> {
    value
        .parse()
        .map_err(|_| format!("cannot use `{name} {value}`: not a whole number in range").into())
}

/// A time such as `60s`, `2m` or `500ms`; a bare number is in seconds.
fn time(value: &str) -> Result<Duration, Failure> {
    let bare = value.parse::<f64>().ok();
    let time = match bare {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => value
            .parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|time| Duration::try_from(time).ok()),
    };
    time.ok_or_else(|| format!("cannot use time limit `{value}`: expected one such as `60s`").into())
}

fn run(request: &Request) -> Result<(), Failure> {
    let started = Instant::now();
    let name = request.file.display();
    let text = std::fs::read_to_string(&request.file).map_err(|error| format!("cannot read `{name}`: {error}"))?;
    let (format, instance) =
        orlib::parse(&text, request.format).map_err(|error| format!("cannot load `{name}`: {error}"))?;
    drop(text);
    let limits = Limits {
        time_limit: request.limits.time_limit.saturating_sub(started.elapsed()),
        ..request.limits.clone()
    };
    let cover = cover::solve(&instance, &limits);
    let line = json!({
        "file": file_name(&request.file),
        "format": format.name(),
        "rows": instance.rows(),
        "columns": instance.columns().len(),
        "cost": number(cover.cost),
        "lower_bound": number(cover.lower_bound),
        "optimal": cover.optimal,
        "seconds": (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        "chosen": cover.columns.len(),
        "columns_chosen": cover.columns.iter().map(|column| column + 1).collect::<Vec<_>>(),
    });
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

/// Whole numbers without a fraction.
fn number(value: f64) -> serde_json::Value {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        json!(value as i64)
    } else {
        json!(value)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
