//! `answer`: what is decided about a finding or a proposal, written down where all runs honour it.

use super::resolve::Meant;
use super::{Exit, Failure};
use crate::cli::{Answer, AnswerArgs};
use crate::hint::Hint;
use crate::report::escape;
use crate::settings::decisions::{self, About, Decision, DecisionsError, Verdict};
use crate::settings::{Settings, SettingsError};
use crate::staged;
use jiff::civil::Date;
use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Lists decisions, or makes one.
pub(super) fn run(args: &AnswerArgs, meant: &Meant, out: &mut dyn Write) -> Result<Exit, Failure> {
    let Some(word) = args.word else {
        let path = file(args.file.as_deref(), meant.config.as_deref())?;
        list(&read(&path)?, &path, out)?;
        return Ok(Exit::Fine);
    };
    let about = match (&args.finding, &args.policy) {
        (Some(finding), _) => About::Finding(finding.clone()),
        (None, Some(policy)) => About::Grant(policy.clone(), args.path.clone()),
        (None, None) => {
            return Err(AnswerError::Unnamed.into());
        }
    };
    // What the flags lack is said before any file is read.
    let decision = match word {
        Answer::Forget => None,
        Answer::Accept | Answer::Reject | Answer::Postpone => Some(decision(args, word, about.clone())?),
    };
    let path = file(args.file.as_deref(), meant.config.as_deref())?;
    let mut all = read(&path)?;
    let said = match decision {
        None => {
            let before = all.len();
            all.retain(|one| one.about != about);
            if all.len() == before {
                return Err(AnswerError::Undecided(path).into());
            }
            String::from("forgotten")
        }
        Some(decision) => {
            let said = decision.sentence();
            decisions::put(&mut all, decision);
            said
        }
    };
    write(&path, &all)?;
    writeln!(
        out,
        "{}: {}",
        escape::terminal(&path.display().to_string()),
        escape::terminal(&said)
    )
    .map_err(Failure::from_output)?;
    Ok(Exit::Fine)
}

fn decision(args: &AnswerArgs, word: Answer, about: About) -> Result<Decision, AnswerError> {
    let needs = |flag: &'static str, value: &Option<String>| {
        let value = value.as_ref().filter(|value| !value.trim().is_empty());
        value.cloned().ok_or(AnswerError::Lacks(flag))
    };
    let until = needs("--until", &args.until)?;
    Ok(Decision {
        verdict: match word {
            Answer::Accept => Verdict::Accept,
            Answer::Reject => Verdict::Reject,
            Answer::Postpone | Answer::Forget => Verdict::Postpone,
        },
        about,
        owner: needs("--owner", &args.owner)?,
        reason: needs("--reason", &args.reason)?,
        until: until.parse::<Date>().map_err(|_| AnswerError::NoDate(until.clone()))?,
        missed: Vec::new(),
        line: 0,
    })
}

/// The file named, the one that is there, or the one that is to be: beside the settings, or in this folder.
pub(super) fn file(named: Option<&Path>, config: Option<&Path>) -> Result<PathBuf, SettingsError> {
    if let Some(file) = named {
        return Ok(file.to_path_buf());
    }
    let settings = Settings::load(config, &[PathBuf::from(".")])?;
    Ok(settings.decisions_file.unwrap_or_else(|| {
        let folder = settings.file.as_deref().and_then(Path::parent);
        folder.unwrap_or(Path::new("")).join(decisions::FILE_NAME)
    }))
}

/// What a file says; one that is not there says nothing.
pub(super) fn read(path: &Path) -> Result<Vec<Decision>, DecisionsError> {
    match decisions::read(path) {
        Ok(all) => Ok(all),
        Err(DecisionsError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Writes it anew, whole or not at all.
pub(super) fn write(path: &Path, all: &[Decision]) -> Result<(), AnswerError> {
    let text = decisions::render(all);
    let failed = |source| AnswerError::Unwritten {
        path: path.to_owned(),
        source,
    };
    staged::write(path, failed, |file| file.write_all(text.as_bytes()).map_err(failed))
}

fn list(all: &[Decision], path: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    if all.is_empty() {
        let path = escape::terminal(&path.display().to_string());
        return writeln!(out, "nothing was decided in {path}").map_err(Failure::from_output);
    }
    for one in all {
        let over = match (one.is_expired(today), one.verdict) {
            (false, _) => "",
            (true, Verdict::Accept) => " OVERDUE",
            (true, _) => " ended",
        };
        writeln!(out, "{}{over}", escape::terminal(&one.sentence())).map_err(Failure::from_output)?;
    }
    Ok(())
}

/// Why nothing is decided.
#[derive(Debug, thiserror::Error)]
pub(super) enum AnswerError {
    /// It is not said about what.
    #[error("neither a finding nor a policy is named")]
    Unnamed,
    /// Nothing to forget.
    #[error("nothing was decided about that in `{}`", .0.display())]
    Undecided(PathBuf),
    /// Somebody answers for it, for a reason, and until some day.
    #[error("a decision needs `{0}`")]
    Lacks(&'static str),
    /// The day.
    #[error("`--until {0}` is not a date")]
    NoDate(String),
    /// The file.
    #[error("cannot write `{}`: {source}", path.display())]
    Unwritten {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Hint for AnswerError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::Unnamed => "give `--finding` or `--policy`",
            Self::Undecided(_) => "`vault-advisor answer` lists what was",
            Self::Lacks(_) => "who answers for it, why, and until when: `--owner`, `--reason`, `--until 2027-01-31`",
            Self::NoDate(_) => "write it as 2027-01-31",
            Self::Unwritten { .. } => "name another file with `--file`",
        }))
    }
}
