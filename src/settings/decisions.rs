//! What people decided about findings and proposals: a file beside the settings, kept in git, written by `answer` and read by
//! `advise`, `check` and `watch` alike.

use crate::files;
use crate::hint::{Cause, Hint};
use crate::vault::Capability;
use jiff::civil::Date;
use serde::Deserialize;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// The name of the file.
pub const FILE_NAME: &str = "vault-advisor.decisions.toml";
/// The form of the file.
const VERSION: u32 = 1;
/// The most that it may have.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// How each file begins.
const ABOUT: &str = "# What was decided about findings and proposals. Written by `vault-advisor answer`, read by advise, check and watch.\n";

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is right and will be done: it stays in sight, and is overdue after its day.
    Accept,
    /// It is wrong: not shown, and what it is about stays.
    Reject,
    /// Not now: the same until its day, then it comes back by itself.
    Postpone,
    /// It was taken away, and somebody needed it.
    GivenBack,
}

impl Verdict {
    /// The word in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Postpone => "postpone",
            Self::GivenBack => "given-back",
        }
    }

    /// What was done, for a sentence.
    const fn done(self) -> &'static str {
        match self {
            Self::Accept => "accepted",
            Self::Reject => "rejected",
            Self::Postpone => "postponed",
            Self::GivenBack => "given back",
        }
    }
}

/// What it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A finding, by its fingerprint.
    Finding(String),
    /// What is proposed for a policy, or for one stanza of it: the name with its namespace in front, and the path of the stanza.
    Grant(String, Option<String>),
}

/// A grant that was taken away, and that somebody needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missed {
    /// What was needed.
    pub capability: Capability,
    /// The policy that had granted it, with its namespace in front.
    pub policy: String,
    /// The path of the stanza by which it had.
    pub path: String,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What was decided.
    pub verdict: Verdict,
    /// About what.
    pub about: About,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day on which it holds.
    pub until: Date,
    /// What was missed when it had been taken away: it tells of its like, whatever is decided and until when.
    pub missed: Vec<Missed>,
    /// The line on which it begins.
    pub line: u32,
}

impl Decision {
    /// Whether its day is past.
    #[must_use]
    pub fn is_expired(&self, today: Date) -> bool {
        today > self.until
    }

    /// Whether it hides what it is about, and keeps it.
    #[must_use]
    pub const fn hides(&self) -> bool {
        !matches!(self.verdict, Verdict::Accept)
    }

    /// What it is about, in words.
    #[must_use]
    pub fn subject(&self) -> String {
        match &self.about {
            About::Finding(fingerprint) => format!("finding {fingerprint}"),
            About::Grant(policy, Some(path)) => format!("`{path}` of policy `{policy}`"),
            About::Grant(policy, None) => format!("policy `{policy}`"),
        }
    }

    /// All of it in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!(
            "{}: {} by {} until {} ({})",
            self.subject(),
            self.verdict.done(),
            self.owner,
            self.until,
            self.reason
        )
    }

    /// As it stands in the file.
    fn render(&self, out: &mut String) {
        let about = match &self.about {
            About::Finding(fingerprint) => vec![("finding", fingerprint.as_str())],
            About::Grant(policy, path) => [("policy", policy.as_str())]
                .into_iter()
                .chain(path.as_ref().map(|path| ("path", path.as_str())))
                .collect(),
        };
        let until = self.until.to_string();
        let rest = [
            ("owner", self.owner.as_str()),
            ("reason", &self.reason),
            ("until", &until),
        ];
        let verdict = [("verdict", self.verdict.as_str())];
        out.push_str("\n[[decisions]]\n");
        for (key, value) in verdict.into_iter().chain(about).chain(rest) {
            // Writing into a string cannot fail.
            let _ = writeln!(out, "{key} = {}", quoted(value));
        }
        let missed = self.missed.iter().map(|missed| {
            let [policy, path] = [&missed.policy, &missed.path].map(|text| quoted(text));
            format!(
                "{{ capability = \"{}\", policy = {policy}, path = {path} }}",
                missed.capability
            )
        });
        let missed: Vec<String> = missed.collect();
        if !missed.is_empty() {
            let _ = writeln!(out, "missed = [{}]", missed.join(", "));
        }
    }
}

/// A string as TOML writes it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    #[serde(default)]
    decisions: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    verdict: Verdict,
    finding: Option<String>,
    policy: Option<String>,
    path: Option<String>,
    owner: String,
    reason: String,
    until: String,
    #[serde(default)]
    missed: Vec<Missed>,
}

/// Why decisions can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DecisionsError {
    /// The file could not be read.
    #[error("cannot read decisions `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("decisions `{}` cannot be used: {why}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Why, with its place.
        #[source]
        why: Cause,
    },
}

impl Hint for DecisionsError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("docs/settings.md says what belongs in it"))
    }
}

/// The file in the first of `places` that has one.
#[must_use]
pub fn found(places: &[PathBuf]) -> Option<PathBuf> {
    let mut candidates = places.iter().map(|place| place.join(FILE_NAME));
    candidates.find(|candidate| candidate.symlink_metadata().is_ok())
}

/// Reads a file.
///
/// # Errors
/// When it can't be read or says what can't be.
pub fn read(path: &Path) -> Result<Vec<Decision>, DecisionsError> {
    let bytes = files::read(path, MAX_BYTES).map_err(|source| DecisionsError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&bytes).map_err(|why| DecisionsError::Form {
        path: path.to_owned(),
        why,
    })
}

fn parse(bytes: &[u8]) -> Result<Vec<Decision>, Cause> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it has bytes that are not UTF-8")?;
    let document: Document = toml::from_str(text)?;
    if document.version != VERSION {
        return Err(format!("version {} is not known", document.version).into());
    }
    let lines = text.lines().zip(1_u32..);
    let lines = lines.filter(|(line, _)| line.trim_start().starts_with("[[decisions]]"));
    let mut lines = lines.map(|(_, number)| number);
    let entries = document.decisions.into_iter();
    entries
        .map(|entry| decision(entry, lines.next().unwrap_or(1)).map_err(Cause::from))
        .collect()
}

fn decision(entry: Entry, line: u32) -> Result<Decision, String> {
    let wrong = |what: &str| format!("the decision on line {line} {what}");
    let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
    let about = match (given(&entry.finding), given(&entry.policy), &entry.path) {
        (true, false, None) => About::Finding(entry.finding.unwrap_or_default()),
        (false, true, _) => About::Grant(entry.policy.unwrap_or_default(), entry.path),
        _ => return Err(wrong("needs a `finding`, or a `policy` with or without a `path`")),
    };
    for (what, text) in [("owner", &entry.owner), ("reason", &entry.reason)] {
        if text.trim().is_empty() {
            return Err(wrong(&format!("has no `{what}`")));
        }
    }
    Ok(Decision {
        verdict: entry.verdict,
        about,
        owner: entry.owner,
        reason: entry.reason,
        until: entry
            .until
            .parse()
            .map_err(|_| wrong("does not end on a date such as 2027-01-31"))?,
        missed: entry.missed,
        line,
    })
}

/// The text of a file with these decisions.
#[must_use]
pub fn render(decisions: &[Decision]) -> String {
    let mut out = format!("{ABOUT}version = {VERSION}\n");
    for decision in decisions {
        decision.render(&mut out);
    }
    out
}

/// Puts a decision in the place of an older one about the same, or at the end. What was missed stays remembered.
pub fn put(decisions: &mut Vec<Decision>, mut new: Decision) {
    match decisions.iter_mut().find(|one| one.about == new.about) {
        Some(old) => {
            new.missed.append(&mut old.missed);
            new.missed.sort();
            new.missed.dedup();
            *old = new;
        }
        None => decisions.push(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_decision() -> impl Strategy<Value = Decision> {
        let about = prop_oneof![
            "[0-9a-f]{8}".prop_map(About::Finding),
            ("\\PC{0,6}[a-z\"\\\\]", proptest::option::of("[ -~]{1,9}"))
                .prop_map(|(policy, path)| About::Grant(policy, path)),
        ];
        let verdict = prop_oneof![
            Just(Verdict::Accept),
            Just(Verdict::Reject),
            Just(Verdict::Postpone),
            Just(Verdict::GivenBack)
        ];
        let missed = (
            prop_oneof![Just(Capability::Read), Just(Capability::Delete)],
            "[ -~]{1,9}",
            "\\PC{0,6}",
        );
        let missed = missed.prop_map(|(capability, policy, path)| Missed {
            capability,
            policy,
            path,
        });
        let missed = proptest::collection::vec(missed, 0..3);
        (
            verdict,
            about,
            "[a-z]{1,5}",
            "[a-z\"\\\\\n\t#=\\[\\]]{0,9}x",
            1_i16..28,
            missed,
        )
            .prop_map(|(verdict, about, owner, reason, day, missed)| Decision {
                verdict,
                about,
                owner,
                reason,
                until: jiff::civil::date(2027, 2, i8::try_from(day).unwrap()),
                missed,
                line: 0,
            })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(decisions in proptest::collection::vec(any_decision(), 0..5)) {
            let read = parse(render(&decisions).as_bytes()).unwrap();
            let without_lines: Vec<Decision> = read.into_iter().map(|one| Decision { line: 0, ..one }).collect();
            prop_assert_eq!(without_lines, decisions);
        }
    }

    #[test]
    fn what_cannot_be_is_named_with_its_line() {
        let file = |fields: &str| {
            format!(
                "version = 1\n\n[[decisions]]\nverdict = \"reject\"\nowner = \"a\"\nuntil = \"2027-01-31\"\n{fields}"
            )
        };
        for (fields, word) in [
            ("reason = \"r\"\n", "needs a `finding`"),
            ("reason = \"r\"\nfinding = \"f\"\npolicy = \"p\"\n", "needs a `finding`"),
            ("reason = \" \"\npolicy = \"p\"\n", "line 3 has no `reason`"),
            ("reason = \"r\"\npolicy = \"p\"\nwhy = \"x\"\n", "why"),
            (
                "reason = \"r\"\npolicy = \"p\"\nmissed = [{capability = \"red\", policy = \"p\", path = \"x\"}]\n",
                "red",
            ),
        ] {
            let error = parse(file(fields).as_bytes()).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
        assert!(parse(b"version = 2\n").unwrap_err().to_string().contains("version 2"));
    }

    #[test]
    fn of_two_about_the_same_the_later_counts() {
        let one = |verdict, path: &str| Decision {
            verdict,
            about: About::Grant("p".to_owned(), Some(path.to_owned())),
            owner: "a".to_owned(),
            reason: "r".to_owned(),
            until: jiff::civil::date(2027, 1, 31),
            missed: Vec::new(),
            line: 1,
        };
        let mut all = vec![one(Verdict::Postpone, "x"), one(Verdict::Postpone, "y")];
        put(&mut all, one(Verdict::Reject, "x"));
        let verdicts: Vec<Verdict> = all.iter().map(|one| one.verdict).collect();
        assert_eq!(verdicts, [Verdict::Reject, Verdict::Postpone]);
        assert!(!all[0].is_expired(all[0].until) && all[0].is_expired(all[0].until.tomorrow().unwrap()));
    }

    #[test]
    fn what_was_missed_is_kept_once_whatever_is_decided_after_it() {
        let one = |verdict, capability: Option<Capability>| Decision {
            verdict,
            about: About::Grant("p".to_owned(), Some("kv/a".to_owned())),
            owner: "a".to_owned(),
            reason: "r".to_owned(),
            until: jiff::civil::date(2027, 1, 31),
            missed: Vec::from_iter(capability.map(|capability| Missed {
                capability,
                policy: "p".to_owned(),
                path: "kv/*".to_owned(),
            })),
            line: 1,
        };
        let mut all = Vec::new();
        for capability in [Capability::Delete, Capability::Read, Capability::Delete] {
            put(&mut all, one(Verdict::GivenBack, Some(capability)));
        }
        put(&mut all, one(Verdict::Postpone, None));
        let missed: Vec<Capability> = all[0].missed.iter().map(|missed| missed.capability).collect();
        assert_eq!((all.len(), missed), (1, vec![Capability::Read, Capability::Delete]));
    }
}
