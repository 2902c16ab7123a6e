//! What became of every line: used, paired away, or skipped for a named reason. Nothing is dropped in silence.

use crate::origin::Origin;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a line was not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skip {
    /// Nothing but white space or NUL bytes.
    Blank,
    /// A line of the server's own log, which often goes the same way.
    // Parts of earlier versions count further lines of an entry under this number; see `Tally::joined`.
    #[serde(alias = "continuation")]
    ServerLog,
    /// Neither JSON nor anything around JSON.
    NotJson,
    /// JSON that ends too early.
    Truncated,
    /// Longer than the reader holds in memory.
    TooLong,
    /// The `jsonx` format (XML), which the servers no longer write.
    Jsonx,
    /// JSON, but no audit entry.
    NotAudit,
    /// No path or no operation, as in KMIP entries.
    NoPath,
    /// Refused, and nobody can be named: the token was refused before it was looked up.
    NoPrincipal,
    /// The server's own trial of an audit device that is switched on.
    Probe,
    /// `help`, which every token may ask for.
    Help,
    /// An operation that no capability answers.
    UnknownOperation,
    /// Before `--since` or after `--until`.
    OutsideWindow,
    /// No time, where a window was asked for.
    NoTime,
    /// Nobody is named, though nothing says that the request was refused.
    // Of parts of earlier versions: such a request counts for somebody now.
    Nameless,
    /// An entry of the server that does not say what was asked, or where.
    Unsaid,
    /// One of more different requests than are kept, which may have been allowed.
    TooMany,
    /// One of more different requests than are kept, which was refused.
    TooManyRefused,
}

impl Skip {
    /// Every reason.
    pub const ALL: [Self; 18] = [
        Self::Blank,
        Self::ServerLog,
        Self::NotJson,
        Self::Truncated,
        Self::TooLong,
        Self::Jsonx,
        Self::NotAudit,
        Self::NoPath,
        Self::NoPrincipal,
        Self::Probe,
        Self::Help,
        Self::UnknownOperation,
        Self::OutsideWindow,
        Self::NoTime,
        Self::Nameless,
        Self::Unsaid,
        Self::TooMany,
        Self::TooManyRefused,
    ];

    /// The word in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::ServerLog => "server-log",
            Self::NotJson => "not-json",
            Self::Truncated => "truncated",
            Self::TooLong => "too-long",
            Self::Jsonx => "jsonx",
            Self::NotAudit => "not-audit",
            Self::NoPath => "no-path",
            Self::NoPrincipal => "no-principal",
            Self::Probe => "probe",
            Self::Help => "help",
            Self::UnknownOperation => "unknown-operation",
            Self::OutsideWindow => "outside-window",
            Self::NoTime => "no-time",
            Self::Nameless => "nameless",
            Self::Unsaid => "unsaid",
            Self::TooMany => "too-many",
            Self::TooManyRefused => "too-many-refused",
        }
    }

    /// The reason in words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Blank => "blank line",
            Self::ServerLog => "line of the server's own log",
            Self::NotJson => "not JSON",
            Self::Truncated => "cut off: the entry, or the file, ends early",
            Self::TooLong => "line too long",
            Self::Jsonx => "jsonx (XML) format, which is not read",
            Self::NotAudit => "JSON, but not an audit entry",
            Self::NoPath => "audit entry without path or operation",
            Self::NoPrincipal => "no principal: the token was refused before it was looked up",
            Self::Probe => "the server's own trial of an audit device",
            Self::Help => "help, which is always allowed",
            Self::UnknownOperation => "operation that no capability answers",
            Self::OutsideWindow => "outside the window asked for",
            Self::NoTime => "no time, and a window was asked for",
            Self::Nameless => "nobody is named, though the request was not refused",
            Self::Unsaid => "audit entry that does not say what was asked, or where",
            Self::TooMany => "one of more different requests than are kept",
            Self::TooManyRefused => "refused, one of more different requests than are kept",
        }
    }

    /// Whether nothing was lost by it: the line holds no request, or one that the user left out himself. A token that was refused before it was looked up used nothing.
    #[must_use]
    pub const fn benign(self) -> bool {
        matches!(
            self,
            Self::Blank
                | Self::ServerLog
                | Self::NoPrincipal
                | Self::Probe
                | Self::Help
                | Self::OutsideWindow
                | Self::TooManyRefused
        )
    }

    pub(crate) const fn index(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_index(index: u8) -> Option<Self> {
        Self::ALL.get(usize::from(index)).copied()
    }
}

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The lines skipped for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many.
    pub count: u64,
    /// Where the first one stands.
    pub first: Option<Origin>,
}

/// The account of all lines. `used + paired + joined + skipped = lines`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines read. Each entry of an array counts as a line.
    pub lines: u64,
    /// Requests counted: one line of each.
    pub used: u64,
    /// Further lines of a request that was counted or skipped by another line.
    pub paired: u64,
    /// Further lines of an entry that was written over several, and lines that hold nothing but the frame of entries:
    /// brackets between them, the head of a table.
    pub joined: u64,
    /// The rest, by reason.
    pub skipped: BTreeMap<Skip, Skipped>,
}

impl Tally {
    /// Counts `count` lines as skipped.
    pub fn skip(&mut self, reason: Skip, count: u64) {
        self.skipped.entry(reason).or_default().count += count;
    }

    /// Keeps `origin` as the example of `reason` if it stands before the one known.
    pub fn example(&mut self, reason: Skip, origin: Origin) {
        let skipped = self.skipped.entry(reason).or_default();
        if skipped.first.as_ref().is_none_or(|known| origin < *known) {
            skipped.first = Some(origin);
        }
    }

    /// Lines skipped for `reason`.
    #[must_use]
    pub fn skipped(&self, reason: Skip) -> u64 {
        self.skipped.get(&reason).map_or(0, |s| s.count)
    }

    /// Lines skipped for any reason.
    #[must_use]
    pub fn skipped_total(&self) -> u64 {
        self.skipped.values().map(|s| s.count).sum()
    }

    /// Lines skipped by which something may have been lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.reasons()
            .filter(|(reason, _)| !reason.benign())
            .map(|(_, s)| s.count)
            .sum()
    }

    /// The reasons that occurred.
    pub fn reasons(&self) -> impl Iterator<Item = (Skip, &Skipped)> {
        self.skipped
            .iter()
            .filter(|(_, s)| s.count > 0)
            .map(|(reason, s)| (*reason, s))
    }

    /// The invariant: every line is in exactly one bin.
    #[must_use]
    pub fn balanced(&self) -> bool {
        self.used + self.paired + self.joined + self.skipped_total() == self.lines
    }

    /// Adds another account.
    pub fn merge(&mut self, other: Self) {
        self.lines += other.lines;
        self.used += other.used;
        self.paired += other.paired;
        self.joined += other.joined;
        for (reason, skipped) in other.skipped {
            self.skip(reason, skipped.count);
            if let Some(origin) = skipped.first {
                self.example(reason, origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_agree() {
        for (n, reason) in Skip::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(reason.index()), n);
            assert_eq!(Skip::from_index(reason.index()), Some(reason));
            assert_eq!(serde_json::to_string(&reason).ok(), Some(format!("\"{reason}\"")));
        }
    }

    #[test]
    fn what_was_refused_or_is_the_servers_own_is_not_lost() {
        let mut tally = Tally::default();
        for reason in [Skip::NoPrincipal, Skip::ServerLog] {
            tally.skip(reason, 3);
        }
        assert_eq!(tally.lost(), 0);
        tally.skip(Skip::Nameless, 2);
        assert_eq!(tally.lost(), 2);
        tally.lines = 9;
        tally.joined = 1;
        assert!(tally.balanced());
    }

    #[test]
    fn the_first_example_stays_whatever_the_order() {
        let mut a = Tally::default();
        a.skip(Skip::NotJson, 2);
        a.example(Skip::NotJson, Origin::new("x", 7, 1));
        let mut b = Tally::default();
        b.skip(Skip::NotJson, 1);
        b.example(Skip::NotJson, Origin::new("x", 3, 1));
        let mut ab = a.clone();
        ab.merge(b.clone());
        let mut ba = b;
        ba.merge(a);
        assert_eq!(ab, ba);
        assert_eq!(ab.skipped(Skip::NotJson), 3);
        assert_eq!(ab.lost(), 3);
    }
}
