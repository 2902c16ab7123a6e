//! `watch`: live logs.

use super::resolve::Meant;
use super::watch_report::{self, Advisor};
use super::{Exit, Failure, Talk, material};
use crate::cli::{TextOrJson, WatchArgs};
use crate::hint::Cause;
use crate::hint::Hint;
use crate::ingest;
use crate::policy::profile::Profile;
use crate::report::escape;
use crate::rollout::applied::Applied;
use crate::settings::WatchSettings;
use crate::units;
use crate::usage::Usage;
use crate::usage::store::{self, StoreError};
use crate::watch::events::{Event, UnknownKind};
use crate::watch::hook::{Limits, Secret};
use crate::watch::page::Summary;
use crate::watch::post::Webhook;
use crate::watch::report_worker::Reporter;
use crate::watch::rollout;
use crate::watch::run::{Audience, Options, Outlets, Tuning};
use crate::watch::state::Store;
use crate::watch::{WatchError, watch};
use jiff::Timestamp;
use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SECRET_VARIABLE: &str = "VAULT_ADVISOR_NOTIFY_SECRET";

/// Follows, until a signal comes.
pub(super) fn run(args: &WatchArgs, meant: Meant, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let options = options(args, &meant)?;
    let mut outlets = Outlets {
        hook: None,
        listen: args.listen.map(|address| (address, args.listen_host.clone())),
        reporter: reporter(args, &meant, talk)?,
    };
    if let Some(url) = &args.notify {
        let limits = Limits {
            capacity: args.notify_queue.max(1),
            ..Limits::default()
        };
        outlets.hook = Some((Box::new(Webhook::new(url)?), secret(args)?, limits));
    }
    if let Some(address) = args.listen.filter(|a| !a.ip().is_loopback()) {
        talk.warn(&format!(
            "{address} can be reached by other machines, and whoever reaches it may read the report"
        ));
    }
    let mut voice = Voice {
        out,
        talk,
        format: args.format,
        args,
        config: meant.config.as_deref(),
    };
    match watch(&options, outlets, Parquet, &mut voice) {
        Ok(()) => Ok(Exit::Fine),
        Err(WatchError::Output(e)) => Err(Failure::from_output(e)),
        Err(e) => Err(e.into()),
    }
}

fn options(args: &WatchArgs, meant: &Meant) -> Result<Options, Failure> {
    let since = args.since.as_deref().map(units::time).transpose()?;
    let mut reading = format!("--group-by {}", args.group_by);
    let envelope = args.envelope.map(|e| e.to_string());
    for (flag, value) in [
        ("since", &args.since),
        ("envelope", &envelope),
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
            group_by: args.group_by.clone(),
            envelope: args.envelope,
            unwrap: args.unwrap.clone(),
            ..ingest::Options::default()
        },
        reading,
        tuning: tuning(args, &meant.settings.watch)?,
        applied: applied(args, meant.profile, since)?,
        once: args.once,
    })
}

/// The report whose waves are followed. One that can't be read at the start is an error; later it is told.
fn applied(args: &WatchArgs, profile: Profile, since: Option<Timestamp>) -> Result<Option<rollout::Options>, Failure> {
    let Some(folder) = &args.applied else {
        return Ok(None);
    };
    Applied::read(folder, profile, None)?;
    Ok(Some(rollout::Options {
        folder: folder.clone(),
        profile,
        deployment: material::deployment(args.deployment.as_deref())?,
        since,
    }))
}

/// What may change while it runs: flags before the settings' file before the defaults.
fn tuning(args: &WatchArgs, file: &WatchSettings) -> Result<Tuning, Failure> {
    let pick = |flag: &Option<String>, file: &Option<String>, default: &str| {
        duration(flag.as_deref().or(file.as_deref()).unwrap_or(default))
    };
    let mute = file.mute.iter().map(|kind| kind.parse());
    Ok(Tuning {
        commit_every: pick(&args.commit_every, &file.commit_every, "1s")?,
        poll: pick(&args.poll, &file.poll, "60s")?,
        report_every: pick(&args.report_every, &file.report_every, "15m")?,
        mute: mute.collect::<Result<_, UnknownKind>>()?,
    })
}

/// Whoever makes reports: with policies the advisor, else a summary where somebody may look at it.
fn reporter(args: &WatchArgs, meant: &Meant, talk: &Talk) -> Result<Option<Box<dyn Reporter>>, Failure> {
    if args.policies.is_empty() {
        if args.deployment.is_some() && args.applied.is_none() {
            return Err(Wrong::DeploymentAlone.into());
        }
        return Ok(args.listen.map(|_| Box::new(Summary) as Box<dyn Reporter>));
    }
    // What is wrong at the start ends the run; what goes wrong later is told, and the last report stays.
    material::policies(&meant.grants(&args.policies, args.policy_names), false, talk)?;
    material::deployment(args.deployment.as_deref())?;
    Ok(Some(Box::new(Advisor::new(args, meant))))
}

/// The secret of the webhook: from a file or the environment, never from the command line, which others can see.
fn secret(args: &WatchArgs) -> Result<Secret, Wrong> {
    let text = match &args.notify_secret_file {
        Some(path) => std::fs::read(path).map_err(|source| Wrong::Secret {
            path: path.clone(),
            source,
        })?,
        None => std::env::var_os(SECRET_VARIABLE)
            .map(std::ffi::OsString::into_encoded_bytes)
            .ok_or(Wrong::NoSecret)?,
    };
    Secret::new(&text).ok_or(Wrong::ShortSecret)
}

fn duration(text: &str) -> Result<Duration, Failure> {
    let duration = units::waiting(text)?;
    if duration.is_zero() {
        return Err(Wrong::TooShort(text.to_owned()).into());
    }
    Ok(duration)
}

/// The state must not be among the logs: it would be read as one.
fn apart(logs: &[String], state: &Path) -> Result<(), Wrong> {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if logs.iter().any(|log| log == "-") {
        return Err(Wrong::Stdin);
    }
    if let Some(log) = logs.iter().find(|log| ingest::pipe_for(log).is_some()) {
        return Err(Wrong::Stored(log.clone()));
    }
    let holds = |log: &&String| Path::new(log).is_dir() && whole(state).starts_with(whole(Path::new(log)));
    match logs.iter().find(holds) {
        Some(log) => Err(Wrong::Inside {
            state: state.to_owned(),
            log: log.clone(),
        }),
        None => Ok(()),
    }
}

/// Usage as Parquet files.
struct Parquet;

impl Store for Parquet {
    fn save(&self, usage: &Usage, path: &Path) -> Result<(), StoreError> {
        store::write(usage, path)
    }

    fn load(&self, path: &Path) -> Result<Usage, StoreError> {
        store::read_parquet(path)
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
    args: &'a WatchArgs,
    config: Option<&'a Path>,
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

    fn settings(&mut self) -> Result<Tuning, Cause> {
        let settings = watch_report::settings(self.config, &self.args.policies, self.args.deployment.as_ref())?;
        tuning(self.args, &settings.watch).map_err(Cause::from)
    }
}

/// What cannot be watched as asked.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    /// A deployment that is for nothing.
    #[error("`--deployment` goes with `--policies` or `--applied`")]
    DeploymentAlone,
    /// The file with the secret of the webhook.
    #[error("cannot read the secret in `{}`: {source}", path.display())]
    Secret { path: PathBuf, source: io::Error },
    /// None.
    #[error("`--notify` needs a secret to sign with")]
    NoSecret,
    /// One that can be guessed.
    #[error("the secret of the webhook is too short")]
    ShortSecret,
    /// A time.
    #[error("`{0}` is too short")]
    TooShort(String),
    /// What has no position.
    #[error("standard input cannot be watched: there is no position to go on from")]
    Stdin,
    /// What does not grow.
    #[error("`{0}` is in object storage, which is not watched: an object does not grow")]
    Stored(String),
    /// The state among the logs.
    #[error("the state `{}` is inside of the logs `{log}`", state.display())]
    Inside { state: PathBuf, log: String },
}

impl Hint for Wrong {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::DeploymentAlone => "name the policies for the reports",
            Self::Secret { .. } => "`openssl rand -hex 32 > FILE` makes one",
            Self::NoSecret => {
                let hint = format!("set {SECRET_VARIABLE}, or name a file with `--notify-secret-file`");
                return Some(Cow::Owned(hint));
            }
            Self::ShortSecret => "it needs at least 16 bytes: `openssl rand -hex 32` makes one",
            Self::TooShort(_) => "give a time such as 1s",
            Self::Stdin => "name files or folders",
            Self::Stored(_) => "watch the log before it is shipped there, or read what is there with `usage`",
            Self::Inside { .. } => "keep the state in a folder of its own, such as /var/lib/vault-advisor",
        }))
    }
}
