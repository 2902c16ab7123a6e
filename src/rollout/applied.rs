//! The report of an `advise` whose waves were applied: the policies as each wave left them, and when that was.
//!
//! `waves.json` says what the waves are, `applied.jsonl`, which `apply.sh` writes, when they were brought to the server. The
//! folder is not trusted further than that: no path leads out of it, and every text has to have its hash.

use crate::hint::{Cause, Hint};
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::syntax;
use crate::report::state::trimmed_sha256;
use crate::vault::PolicyId;
use jiff::Timestamp;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Name of the file that says what the waves are.
pub const WAVES: &str = "waves.json";
/// Name of the file that says when they were applied.
pub const EVENTS: &str = "applied.jsonl";

/// Why a report could not be read.
#[derive(Debug, thiserror::Error)]
pub enum AppliedError {
    /// A file could not be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("`{}` is not what `advise` wrote: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        why: Cause,
    },
    /// A text was changed since.
    #[error("`{}` was changed since `advise` wrote it", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Nothing says when anything was applied.
    #[error("nothing in `{}` says when a wave was applied", folder.display())]
    NeverApplied {
        /// The report.
        folder: PathBuf,
    },
}

impl Hint for AppliedError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::Io { .. } => "name the folder that `advise --out` wrote",
            Self::Malformed { .. } | Self::Changed { .. } => "take the report as it was written, from where it is kept",
            Self::NeverApplied { .. } => {
                "`apply.sh --yes` writes it down; for policies that were applied another way, `--since TIME` says it"
            }
        }))
    }
}

/// A wave with when it was in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Wave {
    /// Its number, from 1.
    pub number: usize,
    /// What it is about.
    pub title: String,
    /// Wrong denials that were expected of it, where somebody looked ahead.
    pub promised: Option<f64>,
    /// When its first write was.
    pub begun: Option<Timestamp>,
    /// When its last write was.
    pub done: Option<Timestamp>,
    /// When the first write took something of it back.
    pub taking_back: Option<Timestamp>,
    /// When it was taken back.
    pub taken_back: Option<Timestamp>,
    /// The policies that it changes, by namespace and name.
    pub changes: Vec<(String, String)>,
}

/// A time in which the same waves were in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// From then on.
    pub from: Timestamp,
    /// Until then; none for now.
    pub to: Option<Timestamp>,
    /// How many waves, from the first one on.
    pub waves: usize,
}

/// A place that hands out policies: its kind, its namespace, its key.
pub type PlaceKey = (String, String, String);

/// What places hand out, as far as any wave changes it.
pub type Lists = BTreeMap<PlaceKey, BTreeSet<PolicyId>>;

/// A report and what became of it.
#[derive(Clone)]
pub struct Applied {
    /// What names its steps: what another plan did is another matter.
    pub plan: String,
    /// The waves.
    pub waves: Vec<Wave>,
    /// The policies before the first wave, after the first, after the second, ...
    pub states: Vec<Vec<Policy>>,
    /// What auth roles, entities and groups hand out, of those that change: parallel to `states`.
    pub lists: Vec<Lists>,
    /// Where these places are on the server, by namespace and path.
    pub places: BTreeMap<(String, String), PlaceKey>,
    /// How many days what is promised is for; none where nobody looked ahead.
    pub horizon_days: Option<i32>,
}

#[derive(Deserialize)]
struct Document {
    version: u32,
    plan: String,
    #[serde(default)]
    horizon_days: Option<i32>,
    policies: Vec<Entry>,
    #[serde(default)]
    holders: Vec<Given>,
    waves: Vec<Steps>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    namespace: String,
    name: String,
    file: Option<String>,
    sha256: Option<String>,
}

/// What a place hands out.
#[derive(Deserialize)]
struct Given {
    kind: String,
    #[serde(default)]
    namespace: String,
    id: String,
    #[serde(default)]
    path: Option<String>,
    policies: Vec<String>,
}

/// A step: a policy gets a text, or a place a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Change {
    Holder { holder: Given },
    Policy(Entry),
}

#[derive(Deserialize)]
struct Steps {
    title: String,
    promised: Option<f64>,
    steps: Vec<Change>,
}

#[derive(Deserialize)]
struct Event {
    plan: String,
    wave: usize,
    event: String,
    at: Timestamp,
}

impl Applied {
    /// Reads the report in `folder`. `since` says when all its waves were applied, where the report does not.
    ///
    /// # Errors
    /// When it can't be read, or a text was changed since.
    pub fn read(folder: &Path, profile: Profile, since: Option<Timestamp>) -> Result<Self, AppliedError> {
        let path = folder.join(WAVES);
        let document: Document = serde_json::from_slice(&read(&path)?).map_err(|error| AppliedError::Malformed {
            path: path.clone(),
            why: error.into(),
        })?;
        if document.version != 1 {
            let why = format!("version {} is not known", document.version).into();
            return Err(AppliedError::Malformed { path, why });
        }
        let mut now: BTreeMap<(String, String), Policy> = BTreeMap::new();
        for entry in &document.policies {
            put(&mut now, folder, entry, profile)?;
        }
        let mut given: Lists = document.holders.iter().map(list).collect();
        let places = document.holders.iter().filter_map(|one| {
            let path = one.path.clone()?;
            Some(((one.namespace.clone(), path), list(one).0))
        });
        let mut applied = Self {
            plan: document.plan,
            waves: Vec::new(),
            states: vec![now.values().cloned().collect()],
            lists: vec![given.clone()],
            places: places.collect(),
            horizon_days: document.horizon_days.filter(|days| *days > 0),
        };
        for (number, steps) in (1..).zip(&document.waves) {
            let mut changes = Vec::new();
            for step in &steps.steps {
                match step {
                    Change::Policy(entry) => {
                        put(&mut now, folder, entry, profile)?;
                        changes.push((entry.namespace.clone(), entry.name.clone()));
                    }
                    Change::Holder { holder } => given.extend([list(holder)]),
                }
            }
            applied.states.push(now.values().cloned().collect());
            applied.lists.push(given.clone());
            applied.waves.push(Wave {
                number,
                title: steps.title.clone(),
                promised: steps.promised,
                begun: since,
                done: since,
                taking_back: None,
                taken_back: None,
                changes,
            });
        }
        if since.is_none() {
            applied.events(folder)?;
        }
        Ok(applied)
    }

    /// The same, where some wave has to be in force.
    ///
    /// # Errors
    /// As [`Applied::read`], or when nothing says when anything was applied.
    pub fn read_applied(folder: &Path, profile: Profile, since: Option<Timestamp>) -> Result<Self, AppliedError> {
        let applied = Self::read(folder, profile, since)?;
        if applied.waves.iter().all(|wave| wave.begun.is_none()) {
            return Err(AppliedError::NeverApplied {
                folder: folder.to_owned(),
            });
        }
        Ok(applied)
    }

    /// What `apply.sh` wrote down of this plan: the last of each kind counts. What another plan did is another matter.
    fn events(&mut self, folder: &Path) -> Result<(), AppliedError> {
        let path = folder.join(EVENTS);
        if !path.exists() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&read(&path)?).into_owned();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for line in lines {
            // A line without its end is one that a cut off run left.
            let Some(line) = line.strip_suffix('\n') else { continue };
            let event: Event = serde_json::from_str(line).map_err(|error| AppliedError::Malformed {
                path: path.clone(),
                why: error.into(),
            })?;
            let wave = event.wave.checked_sub(1).and_then(|n| self.waves.get_mut(n));
            let (Some(wave), true) = (wave, event.plan == self.plan) else {
                continue;
            };
            match event.event.as_str() {
                "begun" => {
                    wave.begun = Some(event.at);
                    wave.done = None;
                    (wave.taking_back, wave.taken_back) = (None, None);
                }
                "applied" => {
                    wave.begun = wave.begun.or(Some(event.at));
                    wave.done = Some(event.at);
                    (wave.taking_back, wave.taken_back) = (None, None);
                }
                "taking back" => wave.taking_back = Some(event.at),
                "taken back" => wave.taken_back = Some(event.at),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether something was written by somebody else: since the first wave began, and not by one of them. A wave that is not done
    /// is written still, as far as it is about this policy.
    #[must_use]
    pub fn is_of_another(&self, at: Timestamp, policy: Option<&(String, String)>) -> bool {
        // The clock of the script counts whole seconds.
        let second = jiff::SignedDuration::from_secs(1);
        let within = |wave: &Wave, from: Option<Timestamp>, to: Option<Timestamp>| {
            from.is_some_and(|from| from <= at)
                && match to {
                    Some(to) => to.checked_add(second).is_ok_and(|until| at <= until),
                    None => policy.is_none_or(|policy| wave.changes.contains(policy)),
                }
        };
        let by = |wave: &Wave| within(wave, wave.begun, wave.done) || within(wave, wave.taking_back, wave.taken_back);
        // What was written before the first wave is in the policies that the waves began with.
        let first = self.waves.iter().filter_map(|wave| wave.begun).min();
        first.is_some_and(|first| first <= at) && !self.waves.iter().any(by)
    }

    /// The time in which the most waves were in force, of all in which something between `first` and `last` may have been.
    #[must_use]
    pub fn span_of(&self, first: Timestamp, last: Timestamp) -> Option<Span> {
        let touches = |span: &Span| span.from <= last && span.to.is_none_or(|to| first < to);
        self.spans().into_iter().filter(touches).max_by_key(|span| span.waves)
    }

    /// The times in which waves were in force.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        let began = self.waves.iter().filter_map(|wave| wave.begun);
        let ended = self.waves.iter().filter_map(|wave| wave.taken_back);
        let mut edges: Vec<Timestamp> = began.chain(ended).collect();
        edges.sort_unstable();
        edges.dedup();
        let in_force = |at: Timestamp| {
            let is = |wave: &&Wave| wave.begun.is_some_and(|t| t <= at) && wave.taken_back.is_none_or(|t| t > at);
            self.waves.iter().take_while(is).count()
        };
        let ends = edges.iter().copied().skip(1).map(Some).chain([None]);
        edges
            .iter()
            .zip(ends)
            .map(|(&from, to)| Span {
                from,
                to,
                waves: in_force(from),
            })
            .filter(|span| span.waves > 0)
            .collect()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, AppliedError> {
    fs::read(path).map_err(|source| AppliedError::Io {
        path: path.to_owned(),
        source,
    })
}

/// A place with its policies: all of its own namespace. `default` comes with every token by itself.
fn list(given: &Given) -> (PlaceKey, BTreeSet<PolicyId>) {
    let policies = given
        .policies
        .iter()
        .map(|name| PolicyId::new(given.namespace.as_str(), name.as_str()));
    (
        (given.kind.clone(), given.namespace.clone(), given.id.clone()),
        policies.filter(|policy| !policy.is_default()).collect(),
    )
}

/// Puts a policy, as an entry has it, in the place of the one before it.
fn put(
    now: &mut BTreeMap<(String, String), Policy>,
    folder: &Path,
    entry: &Entry,
    profile: Profile,
) -> Result<(), AppliedError> {
    let key = (entry.namespace.clone(), entry.name.clone());
    let (Some(file), Some(hash)) = (&entry.file, &entry.sha256) else {
        now.remove(&key);
        return Ok(());
    };
    let path = folder.join(file);
    let malformed = |why: Cause| AppliedError::Malformed {
        path: path.clone(),
        why,
    };
    if !Path::new(file)
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        return Err(malformed("it lies outside of the report".into()));
    }
    let text = String::from_utf8(read(&path)?).map_err(|_| malformed("it is not UTF-8".into()))?;
    if trimmed_sha256(&text) != *hash {
        return Err(AppliedError::Changed { path });
    }
    let mut policy = syntax::parse(&entry.name, &path.display().to_string(), &text, &profile.dialect())
        .map_err(|error| malformed(error.into()))?;
    policy.namespace = entry.namespace.as_str().into();
    now.insert(key, policy);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(number: usize, begun: Option<&str>, taken_back: Option<&str>) -> Wave {
        let at = |text: &str| text.parse().unwrap();
        Wave {
            number,
            title: String::new(),
            promised: None,
            begun: begun.map(at),
            done: begun.map(at),
            taking_back: taken_back.map(at),
            taken_back: taken_back.map(at),
            changes: Vec::new(),
        }
    }

    #[test]
    fn waves_are_in_force_from_their_first_write_until_they_are_taken_back() {
        let (one, two, three) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z");
        let applied = Applied {
            plan: String::new(),
            lists: Vec::new(),
            places: BTreeMap::new(),
            horizon_days: None,
            waves: vec![
                wave(1, Some(one), None),
                wave(2, Some(two), Some(three)),
                wave(3, None, None),
            ],
            states: Vec::new(),
        };
        let found: Vec<(String, usize)> = applied.spans().iter().map(|s| (s.from.to_string(), s.waves)).collect();
        assert_eq!(found, [(one.to_owned(), 1), (two.to_owned(), 2), (three.to_owned(), 1)]);
        assert_eq!(applied.spans()[1].to.unwrap().to_string(), three);
        assert_eq!(applied.spans()[2].to, None);
        // What a wave wrote, and what took it back, is nobody else's.
        let is_of_another = |at: &str| applied.is_of_another(at.parse().unwrap(), None);
        assert!(!is_of_another(one) && !is_of_another(two) && !is_of_another(three));
        assert!(is_of_another("2026-01-02T12:00:00Z") && is_of_another("2026-01-03T12:00:00Z"));
    }

    #[test]
    fn no_text_is_taken_that_was_changed_or_lies_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let text = "path \"a\" { capabilities = [\"read\"] }\n";
        fs::write(dir.path().join("a.hcl"), text).unwrap();
        let document = |file: &str| {
            serde_json::json!({"version": 1, "plan": "p", "waves": [{"title": "t", "steps": [{"name": "a"}]}],
                "policies": [{"name": "a", "file": file, "sha256": trimmed_sha256(text)}]})
        };
        let at = Some("2026-01-01T00:00:00Z".parse().unwrap());
        let read = |file: &str, since| {
            fs::write(dir.path().join(WAVES), document(file).to_string()).unwrap();
            Applied::read_applied(dir.path(), Profile::Vault203, since)
        };
        let good = read("a.hcl", at).ok().unwrap();
        assert_eq!(good.states.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0]);
        assert!(matches!(
            read("a.hcl", None).err().unwrap(),
            AppliedError::NeverApplied { .. }
        ));
        assert!(matches!(
            read("../a.hcl", at).err().unwrap(),
            AppliedError::Malformed { .. }
        ));
        fs::write(dir.path().join("a.hcl"), "path \"*\" { capabilities = [\"sudo\"] }").unwrap();
        assert!(matches!(read("a.hcl", at).err().unwrap(), AppliedError::Changed { .. }));
        let events = "{\"plan\":\"other\",\"wave\":1,\"event\":\"begun\",\"at\":\"2026-01-01T00:00:00Z\"}\n{\"plan\":\"p\",\"wave\":1,\"event\":\"begun\",\"at\":\"2026-01-05T00:00:00Z\"}\n{\"plan\":\"p\",\"wa";
        fs::write(dir.path().join("a.hcl"), text).unwrap();
        fs::write(dir.path().join(EVENTS), events).unwrap();
        let applied = read("a.hcl", None).ok().unwrap();
        assert_eq!(applied.spans().len(), 1);
        assert_eq!(applied.spans()[0].from.to_string(), "2026-01-05T00:00:00Z");
    }
}
