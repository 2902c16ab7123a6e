//! `check`: the gate for policy repositories.

use super::resolve::{self, Meant, Source, sources_of};
use super::{Exit, Failure, Talk, material};
use crate::access;
use crate::advice::{Finding, Severity};
use crate::analysis::evidence::Watch;
use crate::check::base::{Base, Before};
use crate::check::baseline::Baseline;
use crate::check::git::GitError;
use crate::check::source::{self, Read};
use crate::check::{self, Checked, Material, Options, Seen, brought};
use crate::cli::{CheckArgs, GateFormat};
use crate::hint::Hint;
use crate::pipeline::waiver::{self, Waiver};
use crate::policy::load;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::report::digest;
use crate::report::gate::{self, Gate};
use crate::settings::{self, Settings, SettingsError, decisions};
use crate::sources;
use crate::staged::{self, Unwritten};
use crate::usage::Facts;
use crate::usage::tally::Tally;
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads, checks, tells.
pub(super) fn run(args: &CheckArgs, meant: Meant, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    if args.max_risk.is_some_and(|most| !(0.0..=100.0).contains(&most)) {
        return Err(CheckError::MaxRisk.into());
    }
    material::ready(args.output.as_deref())?;
    material::ready(args.write_baseline.as_deref())?;
    let mut base = base(args, talk)?;
    let profile = meant.profile;
    let judge = judge(args, meant, base.as_mut(), talk)?;
    let settings = judge.settings;
    let mut notes: Vec<String> = profile.note().into_iter().collect();
    let mut options = sources_of(&settings);
    options.ignores_nothing = base.is_some();
    options.every_way = true;
    if let Some(base) = &base {
        options.tracked = base.tracked()?;
    }
    // Usage is the larger part of what is read; what is said of it comes after what is wrong with the policies.
    let (granted, seen) = rayon::join(
        || granted(args, profile, base.as_mut(), &options, &mut notes),
        || seen(judge.usage.as_ref(), talk),
    );
    let (mut read, mut base) = granted?;
    if read.policies.is_empty() && read.broken.is_empty() && read.unchecked.is_empty() {
        return Err(nothing_read(args).into());
    }
    notes.extend(unread(&read));
    notes.extend(excluded(&read.excluded));
    let deployment = material::deployment(judge.deployment.as_deref())?;
    let seen = match seen? {
        Some((seen, tally)) => {
            material::tell_tally(&tally, talk);
            Some(seen)
        }
        None => None,
    };
    if let Some(seen) = &seen {
        access::agree(
            &seen.facts.sets,
            &seen.facts.namespaces,
            deployment.as_ref(),
            &settings.changed_roles,
        )?;
    }
    let held = access::names_held(
        seen.as_ref().map(|s| (&*s.facts.sets, &s.facts.namespaces)),
        deployment.as_ref(),
    );
    notes.extend(renamed(&mut read, &held));
    if let Some(base) = &mut base {
        renamed(base, &held);
    }
    let before = judge.baseline;
    let checked = check::check(
        Material {
            read,
            base,
            brought: judge.brought,
            seen,
            deployment,
        },
        &Options {
            profile,
            settings: &settings,
            fail_on: args.fail_on.into(),
            max_risk: args.max_risk,
            budgets: &args.budget,
            baseline: before.as_ref(),
            now: Timestamp::now(),
        },
        &mut |step| talk.step(step),
    );
    talk.done();
    match &args.write_baseline {
        Some(file) => {
            save_baseline(&checked.baseline, file, talk)?;
            Ok(Exit::Fine)
        }
        None => tell(checked, args, notes, out, talk),
    }
}

fn nothing_read(args: &CheckArgs) -> CheckError {
    let places = args.granting.policies.iter();
    let places: Vec<String> = places.map(|p| format!("`{}`", p.display())).collect();
    CheckError::Nothing(places.join(", "))
}

fn save_baseline(baseline: &Baseline, file: &Path, talk: &Talk) -> Result<(), Failure> {
    no_link(file)?;
    baseline.save(file)?;
    talk.note(&format!(
        "wrote {} to {}",
        digest::count(baseline.len() as u64, "finding", "findings"),
        file.display()
    ));
    Ok(())
}

/// Tells what the gate says, and with it whether the run is fine.
fn tell(
    checked: Checked,
    args: &CheckArgs,
    notes: Vec<String>,
    out: &mut dyn Write,
    talk: &Talk,
) -> Result<Exit, Failure> {
    let exit = if checked.reasons.is_empty() {
        Exit::Fine
    } else {
        Exit::Findings
    };
    let color = talk.colour_out() && args.output.is_none();
    let text = render(view(checked, args.fail_on.into(), notes), args.format, color)?;
    match &args.output {
        None => {
            let text = if args.format == GateFormat::Text {
                talk.fitted(&text)
            } else {
                text
            };
            out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
        }
        Some(path) => write(path, &text)?,
    }
    Ok(exit)
}

/// Gives policies the names that are held, in each of their ways.
fn renamed(read: &mut Read, held: &BTreeSet<(Arc<str>, Arc<str>)>) -> Vec<String> {
    let id = |policy: &Policy| (Arc::clone(&policy.namespace), Arc::clone(&policy.name));
    let before: Vec<_> = read.policies.iter().map(id).collect();
    let notes = load::meant(&mut read.policies, held);
    let after = read.policies.iter().map(|policy| Arc::clone(&policy.name));
    let names: BTreeMap<_, _> = before
        .into_iter()
        .zip(after)
        .filter(|(id, name)| id.1 != *name)
        .collect();
    read.ways.renamed(&names);
    notes
}

fn view(checked: Checked, fail_on: Severity, mut notes: Vec<String>) -> Gate {
    notes.extend(checked.unseen);
    Gate {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        findings: checked.findings,
        rules: checked.rules,
        fail_on,
        reasons: checked.reasons,
        policies: checked.policies,
        waived: checked.waived,
        unchanged: checked.unchanged,
        known: checked.known,
        notes,
    }
}

fn render(gate: Gate, format: GateFormat, color: bool) -> Result<String, serde_json::Error> {
    Ok(match format {
        GateFormat::Text => gate::text::render(&gate, color),
        GateFormat::Markdown => gate::markdown::render(&gate),
        GateFormat::Junit => gate::junit::render(&gate),
        GateFormat::Github => gate::annotations::render(&gate),
        GateFormat::Sarif => gate::sarif::render(&gate)?,
        GateFormat::Gitlab => gate::gitlab::render(&gate)?,
    })
}

/// A file to write to is no link, nor is a folder on the way to it from here: the folder that is checked is filled by
/// others, and what is written would land where they choose. Devices and pipes stay what they are.
fn no_link(path: &Path) -> Result<(), CheckError> {
    let relative = if path.is_absolute() {
        std::env::current_dir()
            .ok()
            .and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf))
    } else {
        Some(path.to_path_buf())
    };
    let mut at = PathBuf::new();
    for part in relative.iter().flat_map(|path| path.components()) {
        at.push(part);
        let leads_to_file = std::fs::metadata(&at).map_or(true, |there| there.is_file() || there.is_dir());
        if at.is_symlink() && leads_to_file {
            return Err(CheckError::Link {
                path: path.to_owned(),
                at,
            });
        }
    }
    Ok(())
}

/// Writes a file, whole or not at all.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    no_link(path)?;
    let failed = |source| Unwritten::new(path, source);
    staged::write(path, failed, |file| file.write_all(text.as_bytes()).map_err(failed))?;
    Ok(())
}

/// What was there before the change. A revision is git's, whatever folder is called so; only where there is no repository
/// at all a folder can be meant.
fn base(args: &CheckArgs, talk: &Talk) -> Result<Option<Base>, Failure> {
    let policies = &args.granting.policies;
    if !args.base_dir.is_empty() {
        if let Some(none) = args.base_dir.iter().find(|folder| !folder.exists()) {
            return Err(CheckError::NoBase(none.clone()).into());
        }
        return Ok(Some(Base::folders(&args.base_dir, policies)));
    }
    let Some(revision) = &args.base else {
        return Ok(None);
    };
    match Base::revision(revision, policies) {
        Ok(base) => Ok(Some(base)),
        Err(GitError::NoRepo(_)) if Path::new(revision).exists() => {
            talk.warn("`--base` takes a git revision, and there is no git repository: taken as `--base-dir`");
            Ok(Some(Base::folders(&[PathBuf::from(revision)], policies)))
        }
        Err(error) => Err(error.into()),
    }
}

/// What the gate goes by: all of it as it was before the change.
struct Judge {
    settings: Settings,
    baseline: Option<Baseline>,
    deployment: Option<PathBuf>,
    usage: Option<Source>,
    /// What of it the change would have otherwise.
    brought: Vec<Finding>,
}

fn judge(args: &CheckArgs, meant: Meant, base: Option<&mut Base>, talk: &Talk) -> Result<Judge, Failure> {
    let load = Baseline::load;
    let Some(base) = base else {
        meant.tell_settings(talk);
        return Ok(Judge {
            settings: meant.settings,
            baseline: args.baseline.as_deref().map(load).transpose()?,
            deployment: args.granting.deployment.clone(),
            usage: Source::if_named(&args.reading, talk).map_err(passes_nothing)?,
            brought: Vec::new(),
        });
    };
    let mut brought = Vec::new();
    let settings = settings(args, meant.config.as_deref(), base, talk, &mut brought)?;
    let baseline = match args.baseline.as_deref() {
        None => None,
        Some(file) => match before(base, file)? {
            Before::Own => Some(load(file)?),
            Before::There(was) => {
                let was = load(&was)?;
                // One that is no baseline any more, or that is gone, adds nothing.
                let now = Baseline::load(file).ok();
                brought.extend(now.and_then(|now| brought::baseline(Some(&was), &now, file)));
                Some(was)
            }
            Before::Absent => {
                brought.extend(brought::baseline(None, &load(file)?, file));
                None
            }
        },
    };
    let mut as_it_was = |kind: &str, path: &Path| -> Result<PathBuf, Failure> {
        Ok(match before(base, path)? {
            Before::There(was) => was,
            Before::Own => path.to_path_buf(),
            Before::Absent => {
                brought.push(brought::file(kind, path, false));
                path.to_path_buf()
            }
        })
    };
    let deployment = args.granting.deployment.as_deref();
    let deployment = deployment.map(|path| as_it_was("deployment", path)).transpose()?;
    let mut reading = args.reading.clone();
    for usage in &mut reading.usage {
        *usage = as_it_was("usage", usage)?;
    }
    Ok(Judge {
        settings,
        baseline,
        deployment,
        usage: Source::if_named(&reading, talk).map_err(passes_nothing)?,
        brought,
    })
}

/// What a file was before the change.
fn before(base: &mut Base, path: &Path) -> Result<Before, GitError> {
    base.before(path)
}

/// The settings before the change, and what the change would have otherwise.
fn settings(
    args: &CheckArgs,
    named: Option<&Path>,
    base: &mut Base,
    talk: &Talk,
    brought: &mut Vec<Finding>,
) -> Result<Settings, Failure> {
    let places = resolve::beside(args.granting.policies.iter().chain(&args.granting.deployment));
    let mut was: Option<PathBuf> = None;
    match named {
        Some(file) => {
            was = match before(base, file)? {
                Before::Own => Some(file.to_path_buf()),
                Before::There(was) => Some(was),
                Before::Absent => None,
            }
        }
        None if base.is_revision() => {
            for place in &places {
                let file = place.join(settings::FILE_NAME);
                match before(base, &file)? {
                    Before::Own if file.exists() => was = Some(file),
                    Before::There(there) => was = Some(there),
                    Before::Own | Before::Absent => continue,
                }
                break;
            }
        }
        None => was = Settings::found(&base.places(&places)),
    }
    let mut settings = match was {
        None => Settings::default(),
        Some(file) => {
            let mut settings = Settings::load(Some(&file), &[])?;
            settings.file = Some(base.label(&file));
            settings
        }
    };
    // Decisions count as they were, too.
    let beside = named.and_then(Path::parent).map(Path::to_path_buf);
    let near: Vec<PathBuf> = beside.into_iter().chain(places.iter().cloned()).collect();
    let mut decided = None;
    if base.is_revision() {
        for place in &near {
            let file = place.join(decisions::FILE_NAME);
            match before(base, &file)? {
                Before::Own if file.exists() => decided = Some(file),
                Before::There(there) => decided = Some(there),
                Before::Own | Before::Absent => continue,
            }
            break;
        }
    } else {
        decided = decisions::found(&base.places(&near));
    }
    settings.decide(decided)?;
    settings.decisions_file = settings.decisions_file.take().map(|file| base.label(&file));
    // Those of the change need not be good for anything: they do not count.
    match Settings::load(named, &places) {
        Ok(now) => {
            brought.extend(brought::settings(&settings, &now));
            let (before, _) = waiver::of_settings(&settings);
            let known: BTreeSet<[String; 5]> = before.iter().map(Waiver::key).collect();
            let (now, _) = waiver::of_settings(&now);
            brought.extend(now.iter().filter(|w| !known.contains(&w.key())).map(brought::waiver));
        }
        Err(SettingsError::Read { path, source }) if source.kind() == std::io::ErrorKind::NotFound => {
            brought.push(brought::file("settings", &path, true));
        }
        Err(error) => return Err(error.into()),
    }
    if let Some(file) = &settings.file {
        talk.note(&format!("settings from {}", file.display()));
    }
    Ok(settings)
}

/// Files told of at most.
const MOST_TOLD: usize = 20;

/// What `exclude` and `.gitignore` leave out.
fn excluded(files: &[PathBuf]) -> Option<String> {
    (!files.is_empty()).then(|| format!("{} left out by `exclude` or `.gitignore`", files.len()))
}

/// What was not read: because it shows no policy, or because nobody sees what it writes or holds.
fn unread(read: &Read) -> impl Iterator<Item = String> {
    let opaque: BTreeSet<&str> = read.opaque.iter().map(|one| &*one.what).collect();
    let others = read.others.iter().map(|file| file.display().to_string());
    let others: Vec<String> = others.filter(|file| !opaque.contains(&**file)).collect();
    let opaque: Vec<String> = opaque.into_iter().map(str::to_owned).collect();
    [
        listed("not read, and no policies", &others),
        listed("not read, and may write policies or hold some", &opaque),
    ]
    .into_iter()
    .flatten()
}

/// The first of these files, and how many more there are.
fn listed(what: &str, files: &[String]) -> Option<String> {
    let names = files.get(..MOST_TOLD).unwrap_or(files).join(", ");
    let more = match files.len().saturating_sub(MOST_TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!files.is_empty()).then(|| format!("{what}: {names}{more}"))
}

/// The policies, and those of the base.
fn granted(
    args: &CheckArgs,
    profile: Profile,
    base: Option<&mut Base>,
    options: &sources::Options,
    notes: &mut Vec<String>,
) -> Result<(Read, Option<Read>), Failure> {
    let (dialect, names) = (profile.dialect(), args.granting.policy_names.into());
    let mut read = source::read(&args.granting.policies, &dialect, names, options)?;
    notes.extend(load::nested(&read.policies));
    let Some(base) = base else {
        // A plan says what was before it; what it does not speak of stays.
        let before = read.before.clone().map(|before| Read {
            policies: with_others(before, &read.policies),
            ..Read::default()
        });
        return Ok((read, before));
    };
    let submodules = base.submodules(&args.granting.policies)?;
    read.unchecked.extend(submodules.iter().map(source::submodule));
    // Files beside the policies say what variables are, too, and may have said it before.
    let is_terraform = |policy: &Policy| sources::is_terraform(Path::new(&*policy.file));
    // So do files that Terragrunt or a kustomization names.
    let wide = !(read.unchecked.is_empty() && read.news.is_empty() && read.opaque.is_empty())
        || read.policies.iter().any(is_terraform);
    let before = base.read(&dialect, names, options, wide)?;
    notes.append(&mut base.notes);
    Ok((read, Some(before)))
}

/// The policies before a plan, with those of other files, which it does not change.
fn with_others(mut before: Vec<Policy>, now: &[Policy]) -> Vec<Policy> {
    let other = |policy: &&Policy| policy.written.as_ref().is_none_or(|w| w.fixed.is_none());
    before.extend(now.iter().filter(other).cloned());
    before
}

/// Usage that can't be read never passes.
fn passes_nothing(failure: Failure) -> Failure {
    Failure {
        exit: Exit::NoRecord,
        ..failure
    }
}

/// Usage, where it is asked for, and its account. What is empty never passes.
fn seen(source: Option<&Source>, talk: &Talk) -> Result<Option<(Seen, Tally)>, Failure> {
    let Some(source) = source else {
        return Ok(None);
    };
    let usage = material::silent_usage(source, talk).map_err(passes_nothing)?;
    material::not_empty(&usage)?;
    let seen = Seen {
        watch: Watch::of(&usage.coverage()),
        last: usage.coverage().last,
        facts: Facts::from(&usage),
    };
    let tally = usage.tally().clone();
    // Nobody waits for what is given back.
    rayon::spawn(move || drop(usage));
    Ok(Some((seen, tally)))
}

/// Why nothing is checked.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    /// A share of all risk.
    #[error("`--max-risk` has to be between 0 and 100")]
    MaxRisk,
    /// There is no policy.
    #[error("no policy in {0}: nothing was checked")]
    Nothing(String),
    /// What is written would land elsewhere.
    #[error("cannot write `{}`: `{}` is a link", path.display(), at.display())]
    Link { path: PathBuf, at: PathBuf },
    /// What it is compared with.
    #[error("`{}` is not there", .0.display())]
    NoBase(PathBuf),
}

impl Hint for CheckError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::MaxRisk => None,
            Self::Nothing(..) => Some(Cow::Borrowed("docs/sources.md lists where policies are looked for")),
            Self::Link { .. } => Some(Cow::Borrowed(
                "name a file in a folder that is no part of what is checked",
            )),
            Self::NoBase(..) => Some(Cow::Borrowed(
                "`--base-dir` takes the folder with the policies before the change",
            )),
        }
    }
}
