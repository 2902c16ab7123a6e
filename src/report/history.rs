//! `history.jsonl`: a line for each run, so that a report can say what is new, gone and back since the last one, and draw how it went.

use super::digest;
use crate::advice::{Advice, History, HistoryPoint, Noted, round};
use crate::files;
use crate::hint::Hint;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// The name of the file.
pub const FILE_NAME: &str = "history.jsonl";
/// The form of a line.
const VERSION: u32 = 2;
/// Lines that are looked at, the last ones.
const MOST_LINES: usize = 2_000;
/// Bytes that are looked at, the last ones.
const MOST_BYTES: u64 = 256 << 20;
/// Findings whose titles a line remembers.
const MOST_TITLES: usize = 500;
/// Findings that a line remembers one by one.
const MOST_FINDINGS: usize = 10_000;

/// What a run found. Whatever a line of another version does not say is unknown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// The form of the line.
    pub version: u32,
    /// When the run was.
    pub at: Option<Timestamp>,
    /// The command.
    pub by: String,
    /// The first and last entry of the logs.
    pub window: Option<(Timestamp, Timestamp)>,
    /// Accesses granted and not used.
    pub excess: Option<u64>,
    /// Mean risk of the principals.
    pub risk_mean: Option<f64>,
    /// The worst.
    pub risk_max: Option<f64>,
    /// Findings by severity.
    pub findings: Option<BTreeMap<String, u64>>,
    /// Their fingerprints.
    pub fingerprints: BTreeSet<String>,
    /// Titles of the gravest, by fingerprint. Version 1 has none.
    pub titles: BTreeMap<String, String>,
    /// Wrong denials that the proposal is expected to make over the horizon.
    pub promised: Option<f64>,
    /// Wrong denials that were seen since waves were applied.
    pub seen: Option<u64>,
}

impl Entry {
    /// Of a run at that time.
    #[must_use]
    pub fn of(advice: &Advice, by: &str, at: Timestamp) -> Self {
        let totals = &advice.totals;
        let mut findings: BTreeMap<String, u64> = BTreeMap::new();
        for finding in &advice.findings {
            *findings.entry(finding.severity.as_str().to_owned()).or_default() += 1;
        }
        let fingerprints = advice.findings.iter().map(|finding| finding.fingerprint.clone());
        let tighten = digest::proposal(advice, "tighten");
        Self {
            version: VERSION,
            at: Some(at),
            by: by.to_owned(),
            window: advice.coverage.first.zip(advice.coverage.last),
            excess: Some(totals.granted.saturating_sub(totals.used)),
            risk_mean: Some(round(totals.risk_mean)),
            risk_max: Some(round(totals.risk_max)),
            findings: Some(findings),
            titles: advice
                .findings
                .iter()
                .take(MOST_TITLES)
                .map(|finding| (finding.fingerprint.clone(), finding.title.clone()))
                .collect(),
            fingerprints: fingerprints.take(MOST_FINDINGS).collect(),
            promised: tighten
                .and_then(|proposal| proposal.expected)
                .map(|expected| round(expected.denied)),
            seen: None,
        }
    }
}

/// The lines of a file, the oldest first; none where there is no file. What is no line of ours is left out: a run that was cut off
/// may have left half of one.
///
/// # Errors
/// When it is there and can't be read.
pub fn read(path: &Path) -> Result<Vec<Entry>, HistoryError> {
    let bytes = last_bytes(path, MOST_BYTES).map_err(|source| HistoryError::Read {
        path: path.to_owned(),
        source,
    })?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    let all: Vec<Entry> = lines.collect();
    let skip = all.len().saturating_sub(MOST_LINES);
    Ok(all.into_iter().skip(skip).collect())
}

/// Appends a line.
///
/// # Errors
/// When it can't be written.
pub fn append(path: &Path, entry: &Entry) -> Result<(), HistoryError> {
    append_line(path, entry).map_err(|source| HistoryError::Write {
        path: path.to_owned(),
        source,
    })
}

fn append_line(path: &Path, entry: &Entry) -> io::Result<()> {
    let mut line = serde_json::to_string(entry)?;
    line.push('\n');
    // After half a line a new one begins.
    if last_bytes(path, 1)?.iter().any(|byte| *byte != b'\n') {
        line.insert(0, '\n');
    }
    files::append(path, line.as_bytes())
}

/// The history cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// What earlier runs left is there and cannot be read.
    #[error("cannot read what earlier runs noted in `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// This run is not noted.
    #[error("the report is written, but this run cannot be noted in `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Hint for HistoryError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::Read { .. } => {
                "reports tell by it what is new since the last run: make it a file that may be read, or move it away to begin anew"
            }
            Self::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "make room on the disk: what is new in the next report is told against the last run that was noted"
            }
            Self::Write { .. } => {
                "make it a file that may be written, or move it away to begin anew: what is new in the next report is told against the \
                 last run that was noted"
            }
        }))
    }
}

/// The last bytes of a file; none where there is no file.
fn last_bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    match files::tail(path, most) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        found => found,
    }
}

/// What is different from earlier runs; none where there is none.
#[must_use]
pub fn compare(earlier: &[Entry], now: &Entry) -> Option<History> {
    let (last, before) = earlier.split_last()?;
    let ever: BTreeSet<&String> = before.iter().flat_map(|entry| &entry.fingerprints).collect();
    let fresh = now.fingerprints.difference(&last.fingerprints);
    let (back, new): (Vec<&String>, Vec<&String>) = fresh.partition(|one| ever.contains(one));
    let point = |entry: &Entry| {
        Some(HistoryPoint {
            at: entry.at?,
            excess: entry.excess?,
            risk_mean: entry.risk_mean?,
            findings: entry.findings.as_ref().map(|by_severity| by_severity.values().sum()),
        })
    };
    let noted = |entry: &Entry, fingerprint: &String| Noted {
        fingerprint: fingerprint.clone(),
        title: entry.titles.get(fingerprint).cloned(),
    };
    let gone = last.fingerprints.difference(&now.fingerprints);
    Some(History {
        last: last.at,
        new: new.into_iter().map(|one| noted(now, one)).collect(),
        back: back.into_iter().map(|one| noted(now, one)).collect(),
        gone: gone.map(|one| noted(last, one)).collect(),
        points: earlier.iter().chain([now]).filter_map(point).collect(),
    })
}

/// In a sentence.
#[must_use]
pub fn sentence(history: &History) -> String {
    let since = history.last.map_or_else(
        || String::from("the last run"),
        |at| format!("the run of {}", digest::moment(at)),
    );
    let mut told = vec![match history.new.len() as u64 {
        0 => String::from("no new findings"),
        new => digest::count(new, "new finding", "new findings"),
    }];
    for (of, what) in [(&history.back, "back"), (&history.gone, "fixed")] {
        if !of.is_empty() {
            told.push(format!("{} {what}", digest::number(digest::len(of))));
        }
    }
    let mut out = format!("Since {since}: {}", told.join(", "));
    if let [.., before, now] = history.points.as_slice() {
        out.push_str(&format!(
            "; granted and never used: {} then, {} now",
            digest::number(before.excess),
            digest::number(now.excess)
        ));
    }
    out.push('.');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn entry(day: i64, excess: u64, fingerprints: &[&str]) -> Entry {
        Entry {
            version: VERSION,
            at: Timestamp::from_second(day * 86_400).ok(),
            excess: Some(excess),
            risk_mean: Some(10.0),
            fingerprints: fingerprints.iter().map(|one| (*one).to_owned()).collect(),
            titles: fingerprints
                .iter()
                .map(|one| ((*one).to_owned(), format!("title of {one}")))
                .collect(),
            findings: Some(BTreeMap::from([("low".to_owned(), fingerprints.len() as u64)])),
            ..Entry::default()
        }
    }

    #[test]
    fn new_gone_and_back_are_told_apart() {
        let earlier = [entry(1, 100, &["a", "b"]), entry(2, 90, &["b", "c"])];
        let found = compare(&earlier, &entry(3, 50, &["a", "b", "d"])).unwrap();
        let all = [&found.new, &found.back, &found.gone];
        let names = all.map(|of| of.iter().map(|one| one.fingerprint.as_str()).collect::<Vec<_>>());
        assert_eq!(names, [vec!["d"], vec!["a"], vec!["c"]]);
        assert_eq!(found.gone[0].title.as_deref(), Some("title of c"));
        assert!(
            sentence(&found).contains(": 1 new finding, 1 back, 1 fixed; granted and never used: 90 then, 50 now."),
            "{}",
            sentence(&found)
        );
        let same = compare(&earlier, &entry(3, 90, &["b"])).unwrap();
        assert!(
            sentence(&same).contains(": no new findings, 1 fixed;"),
            "{}",
            sentence(&same)
        );
        let findings: Vec<Option<u64>> = found.points.iter().map(|point| point.findings).collect();
        assert_eq!(findings, [Some(2), Some(2), Some(3)]);
        assert_eq!(compare(&[], &entry(3, 50, &[])), None);
    }

    #[test]
    fn no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, there) = (folder.path().join(FILE_NAME), folder.path().join("theirs"));
        fs::write(&there, "theirs").unwrap();
        std::os::unix::fs::symlink(&there, &path).unwrap();
        assert!(read(&path).is_err());
        assert!(append(&path, &entry(1, 1, &[])).is_err());
        assert_eq!(fs::read_to_string(&there).unwrap(), "theirs");
    }

    #[test]
    fn old_lines_load_and_half_ones_do_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        assert_eq!(read(&path).unwrap(), []);
        fs::write(
            &path,
            "{\"at\":\"2026-01-01T00:00:00Z\",\"later\":1}\n{\"version\":1,\"findings\":{\"low\":3},\"fingerprints\":[\"x\"]}\n{\"version\":1,\"exc",
        )
        .unwrap();
        append(&path, &entry(2, 7, &["a"])).unwrap();
        let all = read(&path).unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!((all[0].excess, all[2].excess), (None, Some(7)));
        assert_eq!((&all[0].findings, all[1].findings.as_ref().unwrap()["low"]), (&None, 3));
        assert_eq!(all[2], entry(2, 7, &["a"]));
        // What an old line does not say of its findings is not known: they are counted by their fingerprints.
        let gone = compare(&all[..2], &all[2]).unwrap().gone;
        assert_eq!((gone[0].fingerprint.as_str(), &gone[0].title), ("x", &None));
    }
}
