//! `watch`: live logs.

use super::{Exit, Failure, Talk};
use crate::cli::{TextOrJson, WatchArgs};
use crate::ingest::{self, GroupBy};
use crate::report::escape;
use crate::units;
use crate::usage::{Usage, store};
use crate::watch::events::Event;
use crate::watch::run::{Audience, Options};
use crate::watch::state::Store;
use crate::watch::{WatchError, watch};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// Follows, until a signal comes.
pub(super) fn run(args: &WatchArgs, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let options = options(args)?;
    let mut voice = Voice {
        out,
        talk,
        format: args.format,
    };
    match watch(&options, Parquet, &mut voice) {
        Ok(()) => Ok(Exit::Fine),
        Err(WatchError::Output(e)) => Err(Failure::from_output(e)),
        Err(e) => {
            let hint = match &e {
                WatchError::State(state) => Some(state.hint()),
                WatchError::Signals(_) | WatchError::Output(_) => None,
            };
            Err(Failure::from_error(&e, hint))
        }
    }
}

fn options(args: &WatchArgs) -> Result<Options, Failure> {
    let wrong = |e: units::UnitError| Failure::from_error(&e, None);
    let since = args.since.as_deref().map(units::time).transpose().map_err(wrong)?;
    let group_by = args
        .group_by
        .parse::<GroupBy>()
        .map_err(|e| Failure::from_error(&e, None))?;
    let envelope = args
        .envelope
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|e: ingest::UnknownEnvelope| Failure::from_error(&e, None))?;
    let mut reading = format!("--group-by {}", args.group_by);
    for (flag, value) in [
        ("since", &args.since),
        ("envelope", &args.envelope),
        ("unwrap", &args.unwrap),
    ] {
        if let Some(value) = value {
            reading.push_str(&format!(" --{flag} {value}"));
        }
    }
    apart(&args.logs, &args.state)?;
    Ok(Options {
        names: args.logs.clone(),
        state: args.state.clone(),
        ingest: ingest::Options {
            since,
            group_by,
            envelope,
            unwrap: args.unwrap.clone(),
            ..ingest::Options::default()
        },
        reading,
        commit_every: duration(&args.commit_every)?,
        poll: duration(&args.poll)?,
        once: args.once,
    })
}

fn duration(text: &str) -> Result<Duration, Failure> {
    let duration = super::material::duration(text)?;
    if duration.is_zero() {
        return Err(Failure::new(
            format!("`{text}` is too short"),
            Some("give a time such as 1s"),
        ));
    }
    Ok(duration)
}

/// The state must not be among the logs: it would be read as one.
fn apart(logs: &[String], state: &Path) -> Result<(), Failure> {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if logs.iter().any(|log| log == "-") {
        return Err(Failure::new(
            "standard input cannot be watched: there is no position to go on from",
            Some("name files or folders"),
        ));
    }
    match logs
        .iter()
        .find(|log| Path::new(log).is_dir() && whole(state).starts_with(whole(Path::new(log))))
    {
        Some(log) => Err(Failure::new(
            format!("the state `{}` is inside of the logs `{log}`", state.display()),
            Some("keep the state in a folder of its own, such as /var/lib/vault-advisor"),
        )),
        None => Ok(()),
    }
}

/// Usage as Parquet files.
struct Parquet;

impl Store for Parquet {
    fn save(&self, usage: &Usage, path: &Path) -> Result<(), String> {
        store::write(usage, path).map_err(|e| e.to_string())
    }

    fn load(&self, path: &Path) -> Result<Usage, String> {
        store::read_parquet(path).map_err(|e| e.to_string())
    }

    fn extension(&self) -> &'static str {
        "parquet"
    }
}

/// News on stdout, the rest on stderr.
struct Voice<'a> {
    out: &'a mut dyn Write,
    talk: &'a Talk,
    format: TextOrJson,
}

impl Audience for Voice<'_> {
    fn note(&mut self, text: &str) {
        self.talk.note(&escape::terminal(text));
    }

    fn warn(&mut self, text: &str) {
        self.talk.warn(text);
    }

    fn tell(&mut self, events: &[Event]) -> io::Result<()> {
        for event in events {
            match self.format {
                TextOrJson::Json => serde_json::to_writer(&mut *self.out, event)?,
                TextOrJson::Text => {
                    let time = event.time.map(|t| t.to_string()).unwrap_or_default();
                    let message = escape::terminal(&event.message);
                    write!(self.out, "{time} {}: {message}", event.kind.as_str())?;
                }
            }
            self.out.write_all(b"\n")?;
        }
        self.out.flush()
    }
}
