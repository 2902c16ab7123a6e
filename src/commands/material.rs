//! What several commands read alike: usage, policies, deployment; each trouble told once, with its place.

use super::resolve::{Grants, Source};
use super::{Failure, Talk};
use crate::access;
use crate::deployment::{self, Deployment, DeploymentError};
use crate::hint::Hint;
use crate::ingest;
use crate::policy::load::{self, LoadCause, LoadError, Skipped};
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::syntax::Style;
use crate::report::digest;
use crate::sources;
use crate::staged::{self, Unwritten};
use crate::usage::tally::Tally;
use crate::usage::{Overlap, Unlike, Usage, Window, store};
use jiff::Timestamp;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads logs and stored usage, and says what was skipped.
pub(super) fn usage(source: &Source, talk: &Talk) -> Result<Usage, Failure> {
    let usage = silent_usage(source, talk)?;
    tell_tally(usage.tally(), talk);
    Ok(usage)
}

/// Reads logs and stored usage, for those whose own output says what was skipped.
pub(super) fn silent_usage(source: &Source, talk: &Talk) -> Result<Usage, Failure> {
    let mut options = source.options.clone();
    let stored = stored_usage(source, options.asked_window(), talk)?;
    if source.logs.is_empty() {
        return Ok(stored);
    }
    if let Some(by) = stored.group_by() {
        options.group_by = by.clone();
    }
    let read = ingest::read(&source.logs, &options, talk)?;
    if read.tally().used == 0 {
        tell_what_they_are(&source.logs, talk);
    }
    Ok(read.merge(stored)?)
}

/// The sum of all stored usage, as far as it is of the time asked for, and grouped as asked for.
fn stored_usage(source: &Source, window: Window, talk: &Talk) -> Result<Usage, Failure> {
    let mut sum = source.group_by.clone().map_or_else(Usage::default, Usage::grouped);
    for file in &source.stored {
        let part = store::read_parquet(file)?;
        let name = format!("`{}`", file.display());
        match part.overlap(window) {
            Overlap::Inside => {}
            Overlap::Outside => {
                talk.note(&format!("left out {name}: all of it is outside of the time asked for"));
                continue;
            }
            Overlap::Across => {
                let coverage = part.coverage();
                let (first, last) = (coverage.first, coverage.last);
                return Err(UsageError::Across { name, first, last }.into());
            }
        }
        if part.group_by().is_none() && !part.is_empty() {
            talk.note(&format!(
                "{name} is of an earlier version and does not say by what it groups principals: it is taken to be as asked for"
            ));
        }
        sum = sum
            .merge(part)
            .map_err(|unlike| UsageError::Grouping { name, unlike })?;
    }
    Ok(sum)
}

/// What the logs are of which nothing could be read, and what would read them.
fn tell_what_they_are(inputs: &[ingest::LogInput], talk: &Talk) {
    for input in inputs.iter().take(3) {
        if let Some(what) = ingest::what_is(input) {
            talk.note(&format!("`{}` is {what}", input.name()));
        }
    }
}

/// The account of all lines, on stderr.
pub(super) fn tell_tally(tally: &Tally, talk: &Talk) {
    let joined = match tally.joined {
        0 => String::new(),
        lines => format!("{} joined to them, ", digest::number(lines)),
    };
    talk.note(&format!(
        "read {}: {} used, {} paired with them, {joined}{} skipped",
        digest::count(tally.lines, "line", "lines"),
        digest::number(tally.used),
        digest::number(tally.paired),
        digest::number(tally.skipped_total())
    ));
    for (reason, skipped) in tally.reasons() {
        let first = skipped
            .first
            .as_ref()
            .map(|o| format!(", first at {}:{}", o.file, o.line))
            .unwrap_or_default();
        let count = digest::number(skipped.count);
        talk.note(&format!("  skipped {count}: {}{first}", reason.text()));
    }
}

/// Whether what is asked for can be written where it is to go: said before anything is read.
pub(super) fn ready(path: Option<&Path>) -> Result<(), Unwritten> {
    path.map_or(Ok(()), |path| {
        staged::ready(path).map_err(|source| Unwritten::new(path, source))
    })
}

/// Usage without a single record is no basis for anything.
pub(super) fn not_empty(usage: &Usage) -> Result<(), UsageError> {
    if usage.is_empty() {
        return Err(UsageError::Empty);
    }
    Ok(())
}

/// Policies that could be read, and what to know about the others.
pub(super) struct Granted {
    pub(super) policies: Vec<Policy>,
    /// Names of policies that are there and could not be read.
    pub(super) unread: Vec<Arc<str>>,
    pub(super) notes: Vec<String>,
}

impl Granted {
    /// Gives policies the longer names under which log or deployment hold them, and says so.
    pub(super) fn meant(&mut self, usage: Option<&Usage>, deployment: Option<&Deployment>, talk: &Talk) {
        let sets = usage.map(|usage| (usage.policy_sets(), usage.namespaces()));
        let seen = sets.as_ref().map(|(sets, namespaces)| (&**sets, *namespaces));
        let notes = load::meant(&mut self.policies, &access::names_held(seen, deployment));
        notes.iter().for_each(|note| talk.note(note));
        self.notes.extend(notes);
    }
}

/// Things told of one kind at most.
const MOST_TOLD: usize = 10;

/// What to know about files that were not read: those that may hold a policy each, the others as a count.
pub(super) fn left_out(skipped: &[Skipped], profile: Profile, talk: &Talk) -> Vec<String> {
    let dialect = profile.dialect();
    let suspects: Vec<&Skipped> = skipped.iter().filter(|one| one.is_suspect(&dialect)).collect();
    let mut notes: Vec<String> = suspects
        .iter()
        .take(MOST_TOLD)
        .map(|one| format!("Not read: `{}`: {}", one.path.display(), one.why))
        .collect();
    if let Some(more) = suspects.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
        notes.push(format!("Not read: {more} more"));
    }
    notes.iter().for_each(|note| talk.warn(note));
    match skipped.len() - suspects.len() {
        0 => {}
        n => talk.note(&format!(
            "left out {} no policy",
            digest::count(
                u64::try_from(n).unwrap_or(u64::MAX),
                "file that holds",
                "files that hold"
            )
        )),
    }
    notes
}

/// What is done where a policy cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    /// It is told, and left out.
    LeftOut,
    /// It ends the run, as `--strict` asks for.
    Strict,
    /// It ends the run: the answer would be about other policies than those asked about.
    Refused,
}

impl From<bool> for Unusable {
    fn from(strict: bool) -> Self {
        if strict { Self::Strict } else { Self::LeftOut }
    }
}

/// Reads policies. What can't be read is shown with its place, however quiet the run is to be.
pub(super) fn policies(grants: &Grants, unusable: impl Into<Unusable>, talk: &Talk) -> Result<Granted, Failure> {
    let (paths, profile) = (&grants.paths, grants.profile);
    let read = sources::read(paths, &profile.dialect(), grants.names, &grants.sources)?;
    let mut notes = left_out(&read.skipped, profile, talk);
    let unread = read.unread;
    let mut loaded = load::unique(read.files);
    let style = if talk.colour() { Style::Coloured } else { Style::Plain };
    for error in &loaded.errors {
        match &error.cause {
            LoadCause::Parse(parse) => talk.refusal(&parse.render(style)),
            LoadCause::Io { .. } => {}
            LoadCause::Duplicate { .. } | LoadCause::NoPolicy { .. } => talk.warn(&error.to_string()),
        }
        if !matches!(error.cause, LoadCause::Io { .. }) {
            notes.push(format!("Policy left out: {error}"));
        }
    }
    for problem in &unread {
        let text = format!("{}: `{}` was not read: {}", problem.origin, problem.what, problem.why);
        talk.warn(&text);
        notes.push(format!("Policy not read: {text}"));
    }
    let is_gone = |error: &LoadError| matches!(error.cause, LoadCause::Io { .. });
    if let Some(n) = loaded.errors.iter().position(is_gone) {
        return Err(PoliciesError::Unread(loaded.errors.swap_remove(n)).into());
    }
    let bad = loaded.errors.len() + unread.len();
    match unusable.into() {
        Unusable::Strict if bad > 0 => return Err(PoliciesError::Strict(bad).into()),
        Unusable::Refused if bad > 0 => return Err(PoliciesError::Refused(bad).into()),
        Unusable::LeftOut | Unusable::Strict | Unusable::Refused => {}
    }
    if let Some(hint) = load::nested(&loaded.policies) {
        talk.warn(&hint);
        notes.push(hint);
    }
    if loaded.policies.is_empty() {
        let places: Vec<String> = paths.iter().map(|p| format!("`{}`", p.display())).collect();
        return Err(PoliciesError::None(places.join(", ")).into());
    }
    Ok(Granted {
        unread: loaded.unread(),
        policies: loaded.policies,
        notes,
    })
}

/// Reads a deployment, where one is named.
pub(super) fn deployment(path: Option<&Path>) -> Result<Option<Deployment>, DeploymentError> {
    path.map(deployment::read).transpose()
}

/// The folder that policy files keep their place in: the one named, or the one that the first file named is in.
pub(super) fn policies_dir(paths: &[PathBuf]) -> String {
    let folder = match paths.first() {
        Some(path) if path.is_dir() => Some(path.as_path()),
        Some(path) => path.parent(),
        None => None,
    };
    folder.map(|f| f.display().to_string()).unwrap_or_default()
}

/// Why there is no usage to go by.
#[derive(Debug, thiserror::Error)]
pub(super) enum UsageError {
    /// Stored usage of other principals.
    #[error("{name} groups principals by {theirs}, and not by {wanted}", wanted = unlike.0, theirs = unlike.1)]
    Grouping {
        /// The file.
        name: String,
        /// By what they are grouped.
        unlike: Unlike,
    },
    /// Stored usage of which a part is wanted.
    #[error(
        "{name} is from {} to {}, which is not all inside of the time asked for, and usage does not keep when each request was",
        known(*first),
        known(*last)
    )]
    Across {
        /// The file.
        name: String,
        /// When it begins.
        first: Option<Timestamp>,
        /// When it ends.
        last: Option<Timestamp>,
    },
    /// It has no record.
    #[error("no usable record in the logs")]
    Empty,
}

fn known(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "an unknown time".to_owned(), |time| time.to_string())
}

impl Hint for UsageError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::Grouping { unlike, .. } => return unlike.hint(),
            Self::Across { .. } => {
                "leave out `--since`, `--until` and `--window`, or give them with the logs; with a file a day or a month, whole \
                 files are taken and left out"
            }
            Self::Empty => {
                "is it an audit log (one JSON object on each line)? `--envelope` and `--unwrap` tell how its lines are wrapped; \
                 `--since`, `--until` and `--window` may leave nothing"
            }
        }))
    }

    fn found_nothing(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

/// Why there are no policies to go by.
#[derive(Debug, thiserror::Error)]
enum PoliciesError {
    /// A file or folder can't be read.
    #[error("{0}")]
    Unread(LoadError),
    /// Some cannot be used, and that is to end the run.
    #[error("`--strict`: {} cannot be used", counted(*.0))]
    Strict(usize),
    /// Some cannot be used, and the answer is about them.
    #[error(
        "{} cannot be used, and the answer may differ without {}",
        counted(*.0),
        if *.0 == 1 { "it" } else { "them" }
    )]
    Refused(usize),
    /// There is none.
    #[error("no policy in {0}")]
    None(String),
}

fn counted(policies: usize) -> String {
    digest::count(u64::try_from(policies).unwrap_or(u64::MAX), "policy", "policies")
}

impl Hint for PoliciesError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::Unread(_) => "name a policy file, or a folder of .hcl or .json files",
            Self::Strict(_) => "fix the policies shown above, or leave `--strict` out",
            Self::Refused(_) => "fix the policies shown above",
            Self::None(_) => {
                "`vault policy read NAME > NAME.hcl` exports one; docs/sources.md lists where policies are looked for"
            }
        }))
    }
}
