//! What several commands read alike: usage, policies, deployment, settings; each trouble told once, with its place.

use super::{Exit, Failure, Talk};
use crate::access;
use crate::analysis::rule::quoted;
use crate::cli::{Common, Granting, PolicyNames, Reading};
use crate::deployment::{self, Deployment};
use crate::ingest;
use crate::policy::load::{self, LoadCause, Names, Skipped};
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::syntax::Style;
use crate::report::digest;
use crate::report::escape;
use crate::settings::Settings;
use crate::sources;
use crate::staged;
use crate::usage::demand::PolicySet;
use crate::usage::held::Namespaces;
use crate::usage::tally::Tally;
use crate::usage::{Bounds, Overlap, Unlike, Usage, Window, store};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where to look when settings are wrong.
pub(super) const SETTINGS_HINT: &str = "docs/settings.md lists every setting";

/// Options of the reader, from the flags.
pub(super) fn ingest_options(reading: &Reading) -> ingest::Options {
    ingest::Options {
        bounds: Bounds::default(),
        since: reading.since,
        until: reading.until,
        window: reading.window,
        group_by: reading.group_by.clone().unwrap_or_default(),
        envelope: reading.envelope,
        unwrap: reading.unwrap.clone(),
        strict: reading.strict,
        threads: reading.threads,
    }
}

/// Reads logs and stored usage, and says what was skipped.
pub(super) fn usage(reading: &Reading, talk: &Talk) -> Result<Usage, Failure> {
    let usage = silent_usage(reading, talk)?;
    tell_tally(usage.tally(), talk);
    Ok(usage)
}

/// Reads logs and stored usage, for those whose own output says what was skipped.
pub(super) fn silent_usage(reading: &Reading, talk: &Talk) -> Result<Usage, Failure> {
    if reading.logs.is_empty() && reading.usage.is_empty() {
        return Err(Failure::new(
            "nothing to read: neither `--logs` nor `--usage` is given",
            Some("name audit logs: `--logs audit.log`"),
        ));
    }
    let mut options = ingest_options(reading);
    let stored = stored_usage(reading, options.asked_window(), talk)?;
    if reading.logs.is_empty() {
        return Ok(stored);
    }
    if let Some(by) = stored.group_by() {
        options.group_by = by.clone();
    }
    let failed = |e: &ingest::IngestError| Failure::from_error(e, e.hint());
    let inputs = logs(&reading.logs, talk)?;
    let read = ingest::read(&inputs, &options, talk).map_err(|e| failed(&e))?;
    if read.tally().used == 0 {
        tell_what_they_are(&inputs, talk);
    }
    read.merge(stored)
        .map_err(|unlike| Failure::from_error(&unlike, Some(SAME_GROUPING)))
}

/// The logs that names stand for; what is left out of folders is said.
pub(super) fn logs(names: &[String], talk: &Talk) -> Result<Vec<ingest::LogInput>, Failure> {
    let named = ingest::expand(names).map_err(|e| Failure::from_error(&e, e.hint()))?;
    if let Some(error) = named.unread.first() {
        return Err(Failure::from_error(error, error.hint()));
    }
    if !named.left_out.is_empty() {
        let left_out = named.left_out.iter();
        let left_out: Vec<String> = left_out.map(|name| escape::terminal(name)).collect();
        talk.warn(&format!(
            "left out of the folders of `--logs`, since neither their names nor their first bytes are those of a log: {}",
            quoted(&left_out, 3)
        ));
    }
    Ok(named.logs)
}

const SAME_GROUPING: &str = "usage of one grouping cannot be turned into that of another: read its logs again with the `--group-by` that is wanted";

/// The sum of all stored usage, as far as it is of the time asked for, and grouped as asked for.
fn stored_usage(reading: &Reading, window: Window, talk: &Talk) -> Result<Usage, Failure> {
    let mut sum = reading.group_by.clone().map_or_else(Usage::default, Usage::grouped);
    for file in &reading.usage {
        let part = store::read_parquet(file).map_err(|e| Failure::from_error(&e, e.hint()))?;
        let name = format!("`{}`", file.display());
        match part.overlap(window) {
            Overlap::Inside => {}
            Overlap::Outside => {
                talk.note(&format!("left out {name}: all of it is outside of the time asked for"));
                continue;
            }
            Overlap::Across => return Err(across(&name, &part)),
        }
        if part.group_by().is_none() && !part.is_empty() {
            talk.note(&format!(
                "{name} is of an earlier version and does not say by what it groups principals: it is taken to be as asked for"
            ));
        }
        sum = sum.merge(part).map_err(|Unlike(wanted, theirs)| {
            Failure::new(
                format!("{name} groups principals by {theirs}, and not by {wanted}"),
                Some(SAME_GROUPING),
            )
        })?;
    }
    Ok(sum)
}

/// Usage of which a part is wanted.
fn across(name: &str, part: &Usage) -> Failure {
    let coverage = part.coverage();
    let time = |time: Option<Timestamp>| time.map_or_else(|| "an unknown time".to_owned(), |time| time.to_string());
    Failure::new(
        format!(
            "{name} is from {} to {}, which is not all inside of the time asked for, and usage does not keep when each request was",
            time(coverage.first),
            time(coverage.last)
        ),
        Some(
            "leave out `--since`, `--until` and `--window`, or give them with the logs; with a file a day or a month, whole files \
             are taken and left out",
        ),
    )
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
        talk.note(&format!("  skipped {}: {}{first}", skipped.count, reason.text()));
    }
}

/// That a file could not be written.
pub(super) fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        format!("cannot write `{}`: {error}", path.display()),
        Some("check that the folder exists, is writable and has room"),
    )
}

/// Whether what is asked for can be written where it is to go: said before anything is read.
pub(super) fn ready(path: Option<&Path>) -> Result<(), Failure> {
    path.map_or(Ok(()), |path| {
        staged::ready(path).map_err(|error| unwritten(path, &error))
    })
}

/// Usage without a single record is no basis for anything.
pub(super) fn not_empty(usage: &Usage) -> Result<(), Failure> {
    if usage.is_empty() {
        return Err(Failure {
            message: "no usable record in the logs".to_owned(),
            hint: Some(
                "is it an audit log (one JSON object on each line)? `--envelope` and `--unwrap` tell how its lines are wrapped; \
                 `--since`, `--until` and `--window` may leave nothing"
                    .to_owned(),
            ),
            exit: Exit::NoRecord,
        });
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

impl From<PolicyNames> for Names {
    fn from(by: PolicyNames) -> Self {
        match by {
            PolicyNames::Path => Self::Path,
            PolicyNames::File => Self::File,
        }
    }
}

impl Granted {
    /// Gives policies the longer names under which log or deployment hold them, and says so.
    pub(super) fn meant(&mut self, usage: Option<&Usage>, deployment: Option<&Deployment>, talk: &Talk) {
        let notes = load::meant(&mut self.policies, &held(usage, deployment));
        notes.iter().for_each(|note| talk.note(note));
        self.notes.extend(notes);
    }
}

/// The policies that log and deployment hold, by namespace and name. Where a log leaves the namespace open it is the root one: a
/// folder of another is a snapshot's, and named in full.
pub(super) fn held(usage: Option<&Usage>, deployment: Option<&Deployment>) -> BTreeSet<(Arc<str>, Arc<str>)> {
    let sets = usage.map(Usage::policy_sets).unwrap_or_default();
    held_by(usage.map(|usage| (&*sets, usage.namespaces())), deployment)
}

/// As [`held`], of what was taken out of a log.
pub(super) fn held_by(
    seen: Option<(&[PolicySet], &Namespaces)>,
    deployment: Option<&Deployment>,
) -> BTreeSet<(Arc<str>, Arc<str>)> {
    let root: Arc<str> = "".into();
    let mut held = BTreeSet::new();
    if let Some((sets, namespaces)) = seen {
        for set in sets {
            let own = set.held.space.as_ref().and_then(|space| namespaces.path(space));
            let own = own.unwrap_or_else(|| Arc::clone(&root));
            held.extend(set.held.own.iter().map(|name| (Arc::clone(&own), Arc::clone(name))));
            let placed = set.held.placed.iter();
            held.extend(placed.filter_map(|policy| Some((namespaces.path(&policy.space)?, Arc::clone(&policy.name)))));
        }
    }
    let mut all = |namespace: &str, names: &[String]| {
        held.extend(
            names
                .iter()
                .map(|name| (namespace.into(), crate::vault::name::policy(name).into())),
        );
    };
    if let Some(deployment) = deployment {
        deployment
            .roles
            .iter()
            .for_each(|role| all(&role.namespace, &role.policies));
        deployment
            .entities
            .iter()
            .for_each(|one| all(&one.namespace, &one.policies));
        deployment
            .groups
            .iter()
            .for_each(|group| all(&group.namespace, &group.policies));
    }
    held
}

/// Ends the run where the deployment contradicts the log: who holds what cannot be told from them together.
pub(super) fn agree(
    sets: &[PolicySet],
    namespaces: &Namespaces,
    deployment: Option<&Deployment>,
    settings: &Settings,
) -> Result<(), Failure> {
    let found = deployment.map(|deployment| access::contradictions(sets, namespaces, deployment));
    let mut found = found.unwrap_or_default();
    found.retain(|one| !settings.changed_roles.contains(&one.role));
    let Some(first) = found.first() else { return Ok(()) };
    let names = |names: &[Arc<str>]| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let last = first.last.map(|at| format!(", last used {at},")).unwrap_or_default();
    let others = match found.len() - 1 {
        0 => String::new(),
        n => format!("; so do {}", digest::count(n as u64, "more role", "more roles")),
    };
    Err(Failure::new(
        format!(
            "the deployment contradicts the log: role `{}` hands out {}, but its newest login{last} had {} instead{others}",
            first.role,
            names(&first.lacked),
            names(&first.had),
        ),
        Some(
            "give the deployment and the logs of one server, and a snapshot as new as the logs; a role that was changed since \
             its last login is named in `changed_roles` in the settings",
        ),
    ))
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
pub(super) fn policies(
    paths: &[PathBuf],
    names: PolicyNames,
    common: &Common,
    profile: Profile,
    unusable: impl Into<Unusable>,
    talk: &Talk,
) -> Result<Granted, Failure> {
    let places = settings_places(paths.iter());
    let settings =
        Settings::load(common.config.as_deref(), &places).map_err(|e| Failure::from_error(&e, Some(SETTINGS_HINT)))?;
    let read = sources::read(paths, &profile.dialect(), names.into(), &self::sources(&settings))
        .map_err(|e| Failure::from_error(&e, Some(SETTINGS_HINT)))?;
    let mut notes = left_out(&read.skipped, profile, talk);
    let unread = read.unread;
    let loaded = load::unique(read.files);
    let style = if talk.colour() { Style::Coloured } else { Style::Plain };
    let mut fatal = None;
    for error in &loaded.errors {
        match &error.cause {
            LoadCause::Parse(parse) => talk.refusal(&parse.render(style)),
            LoadCause::Io { .. } => fatal = fatal.or(Some(error.to_string())),
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
    if let Some(message) = fatal {
        return Err(Failure::new(
            message,
            Some("name a policy file, or a folder of .hcl or .json files"),
        ));
    }
    let bad = loaded.errors.len() + unread.len();
    let policies = digest::count(u64::try_from(bad).unwrap_or(u64::MAX), "policy", "policies");
    let it = if bad == 1 { "it" } else { "them" };
    match unusable.into() {
        Unusable::Strict if bad > 0 => {
            return Err(Failure::new(
                format!("`--strict`: {policies} cannot be used"),
                Some("fix the policies shown above, or leave `--strict` out"),
            ));
        }
        Unusable::Refused if bad > 0 => {
            return Err(Failure::new(
                format!("{policies} cannot be used, and the answer may differ without {it}"),
                Some("fix the policies shown above"),
            ));
        }
        Unusable::LeftOut | Unusable::Strict | Unusable::Refused => {}
    }
    if loaded.policies.is_empty() {
        let places: Vec<String> = paths.iter().map(|p| format!("`{}`", p.display())).collect();
        return Err(Failure::new(
            format!("no policy in {}", places.join(", ")),
            Some(
                "`vault policy read NAME > NAME.hcl` exports one; docs/sources.md lists where policies are looked for",
            ),
        ));
    }
    Ok(Granted {
        unread: loaded.unread(),
        policies: loaded.policies,
        notes,
    })
}

/// What settings say of where policies are.
pub(super) fn sources(settings: &Settings) -> sources::Options {
    sources::Options {
        sources: settings.sources.clone(),
        exclude: settings.exclude.clone(),
        ..sources::Options::default()
    }
}

/// Reads a deployment, where one is named.
pub(super) fn deployment(path: Option<&Path>) -> Result<Option<Deployment>, Failure> {
    path.map(|p| {
        deployment::read(p).map_err(|e| {
            Failure::from_error(
                &e,
                Some("`vault-advisor snapshot --out DIR` writes a deployment folder"),
            )
        })
    })
    .transpose()
}

/// Folders in which settings are looked for: beside what was named, and this one.
pub(super) fn settings_places<'a>(named: impl Iterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = Vec::new();
    for path in named {
        places.push(path.clone());
        places.extend(path.parent().map(Path::to_path_buf));
    }
    places.push(PathBuf::from("."));
    places
}

/// Reads settings: those named, or those beside the policies or in this folder.
pub(super) fn settings(common: &Common, granting: &Granting, talk: &Talk) -> Result<Settings, Failure> {
    let places = settings_places(granting.policies.iter().chain(&granting.deployment));
    let settings =
        Settings::load(common.config.as_deref(), &places).map_err(|e| Failure::from_error(&e, Some(SETTINGS_HINT)))?;
    if let Some(file) = &settings.file {
        talk.note(&format!("settings from {}", file.display()));
    }
    Ok(settings)
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
