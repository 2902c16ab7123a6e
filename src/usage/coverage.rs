//! What the logs saw: from when to when, with which gaps, of which nodes. "Unused" is never claimed beyond it.

use super::held::Namespaces;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const BIN_SECONDS: i64 = 300;
const BINS_A_DAY: i64 = 288;
const DAY_SECONDS: i64 = 86_400;
const SHORTEST_GAP_SECONDS: i64 = 3_600;
const MAX_NODES: usize = 256;
const MAX_GAPS: usize = 100;

/// A time without entries, longer than the log's rhythm lets expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// End of the last five minutes with entries before it.
    pub from: Timestamp,
    /// Start of the first five minutes with entries after it.
    pub to: Timestamp,
}

/// An audit device was switched on or off inside the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSwitch {
    /// When.
    pub time: Option<Timestamp>,
    /// The device's path, as `file/`.
    pub device: String,
    /// On, else off.
    pub on: bool,
}

/// What was covered, ready for a report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Coverage {
    /// First entry.
    pub first: Option<Timestamp>,
    /// Last entry.
    pub last: Option<Timestamp>,
    /// Times without entries.
    pub gaps: Vec<Gap>,
    /// Hosts named by envelopes. Who forwarded requests is none: a node that answers some by itself writes them into a log of its own.
    pub nodes: Vec<Arc<str>>,
    /// The most copies of one entry that were seen: how many devices or nodes wrote the same request.
    pub copies: u32,
    /// Requests counted.
    pub requests: u64,
    /// Requests whose entries say what the ACL decided (`policy_results`).
    pub with_policy_results: u64,
    /// Audit devices switched on or off.
    pub switched: Vec<AuditSwitch>,
    /// Share of lines by which something may have been lost, 0 to 1.
    pub skipped_share: f64,
}

impl Coverage {
    /// Days between the first and the last entry.
    #[must_use]
    pub fn window_days(&self) -> f64 {
        match (self.first, self.last) {
            (Some(first), Some(last)) => days(first, last),
            _ => 0.0,
        }
    }

    /// How complete the logs are: 0 (blind) to 1.
    #[must_use]
    pub fn health(&self) -> f64 {
        let window = self.window_days();
        let gaps: f64 = self.gaps.iter().map(|g| days(g.from, g.to)).sum();
        let gap_share = if window > 0.0 { (gaps / window).min(1.0) } else { 0.0 };
        ((1.0 - self.skipped_share) * (1.0 - gap_share)).clamp(0.0, 1.0)
    }
}

fn days(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() / 86_400.0
}

/// The state that a [`Coverage`] is read from. A union of two is exact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    pub(crate) first: Option<i64>,
    pub(crate) last: Option<i64>,
    /// A bit for each five minutes, by day.
    pub(crate) bins: BTreeMap<i32, [u64; 5]>,
    pub(crate) nodes: BTreeSet<Arc<str>>,
    pub(crate) copies: u32,
    /// Namespaces whose id and path were seen together.
    pub(crate) namespaces: Namespaces,
    recent_bin: Option<i64>,
}

impl Seen {
    /// Notes an entry at `nanos` since 1970.
    pub fn time(&mut self, nanos: i64) {
        if self.first.is_none_or(|t| nanos < t) {
            self.first = Some(nanos);
        }
        if self.last.is_none_or(|t| nanos > t) {
            self.last = Some(nanos);
        }
        let bin = nanos.div_euclid(BIN_SECONDS * 1_000_000_000);
        if self.recent_bin != Some(bin) {
            self.recent_bin = Some(bin);
            self.mark(bin);
        }
    }

    fn mark(&mut self, bin: i64) {
        let day = i32::try_from(bin.div_euclid(BINS_A_DAY)).unwrap_or(0);
        let within = bin.rem_euclid(BINS_A_DAY);
        let words = self.bins.entry(day).or_default();
        if let Some(word) = words.get_mut(usize::try_from(within / 64).unwrap_or(0)) {
            *word |= 1 << (within % 64);
        }
    }

    /// Notes a node.
    pub fn node(&mut self, name: &str) {
        if !name.is_empty() && !self.nodes.contains(name) {
            self.nodes.insert(Arc::from(name));
            while self.nodes.len() > MAX_NODES {
                self.nodes.pop_last();
            }
        }
    }

    /// Adds what another part saw.
    pub fn merge(&mut self, other: Self) {
        for nanos in [other.first, other.last].into_iter().flatten() {
            self.time(nanos);
        }
        for (day, words) in other.bins {
            let mine = self.bins.entry(day).or_default();
            for (a, b) in mine.iter_mut().zip(words) {
                *a |= b;
            }
        }
        self.namespaces.merge(&other.namespaces);
        self.nodes.extend(other.nodes);
        while self.nodes.len() > MAX_NODES {
            self.nodes.pop_last();
        }
        self.copies = self.copies.max(other.copies);
        self.recent_bin = None;
    }

    /// Times without an entry, of at least an hour, that the log's own days and weeks do not lead one to expect: nights and weekends
    /// are silent every time. Of logs of less than [`FEWEST_DAYS`] days: pauses of more than four times what nine in ten last.
    pub(crate) fn gaps(&self) -> Vec<Gap> {
        let pauses = self.pauses();
        let mut gaps: Vec<(i64, i64)> = match self.week() {
            Some(week) => pauses
                .into_iter()
                .filter(|(from, to)| to - from >= SHORTEST_GAP_SECONDS / BIN_SECONDS && week.is_odd(*from, *to))
                .collect(),
            None => long(pauses),
        };
        if gaps.len() > MAX_GAPS {
            gaps.sort_by_key(|(from, to)| (from - to, *from));
            gaps.truncate(MAX_GAPS);
            gaps.sort_unstable();
        }
        let second = |bin: i64| Timestamp::from_second(bin * BIN_SECONDS).ok();
        gaps.into_iter()
            .filter_map(|(from, to)| {
                Some(Gap {
                    from: second(from)?,
                    to: second(to)?,
                })
            })
            .collect()
    }

    /// Stretches of five minutes and more without an entry, between entries.
    fn pauses(&self) -> Vec<(i64, i64)> {
        let mut pauses: Vec<(i64, i64)> = Vec::new();
        let mut previous: Option<i64> = None;
        for (day, words) in &self.bins {
            for within in (0..BINS_A_DAY).filter(|within| is_marked(words, *within)) {
                let bin = i64::from(*day) * BINS_A_DAY + within;
                if let Some(before) = previous.filter(|before| bin - before > 1) {
                    pauses.push((before + 1, bin));
                }
                previous = Some(bin);
            }
        }
        pauses
    }

    /// When in a week there are entries; none of too few days.
    fn week(&self) -> Option<Week> {
        let (first, last) = (*self.bins.keys().next()?, *self.bins.keys().next_back()?);
        if last - first + 1 < FEWEST_DAYS {
            return None;
        }
        let mut week = Week {
            days: [0; 7],
            marked: vec![[0; 7]; usize::try_from(BINS_A_DAY).unwrap_or(0)],
        };
        for day in first..=last {
            let weekday = usize::try_from(day.rem_euclid(7)).unwrap_or(0);
            if let Some(n) = week.days.get_mut(weekday) {
                *n += 1;
            }
        }
        for (day, words) in &self.bins {
            let weekday = usize::try_from(day.rem_euclid(7)).unwrap_or(0);
            for (within, marked) in (0..BINS_A_DAY).zip(&mut week.marked) {
                if let Some(n) = marked.get_mut(weekday).filter(|_| is_marked(words, within)) {
                    *n += 1;
                }
            }
        }
        Some(week)
    }
}

/// Logs of fewer days have no days to compare with.
const FEWEST_DAYS: i32 = 4;

/// A silence is odd where its chance is less than one in so many, as a logarithm: e to the 12th, a hundred and sixty thousand.
const ODD: f64 = 12.0;

fn is_marked(words: &[u64; 5], within: i64) -> bool {
    let word = words
        .get(usize::try_from(within / 64).unwrap_or(0))
        .copied()
        .unwrap_or(0);
    word & (1 << (within % 64)) != 0
}

/// On how many days of each weekday there were entries in each five minutes.
struct Week {
    days: [u32; 7],
    marked: Vec<[u32; 7]>,
}

impl Week {
    /// Whether the silence would be rare, were these five minutes as likely to have an entry as on the other days.
    fn is_odd(&self, from: i64, to: i64) -> bool {
        let mut odd = 0.0;
        for bin in from..to {
            let day = usize::try_from(bin.div_euclid(BINS_A_DAY).rem_euclid(7)).unwrap_or(0);
            let within = usize::try_from(bin.rem_euclid(BINS_A_DAY)).unwrap_or(0);
            let Some(marked) = self.marked.get(within) else {
                continue;
            };
            // The day itself is silent, and is no witness.
            let same = |of: &[u32; 7]| f64::from(of.get(day).copied().unwrap_or_default());
            let all = |of: &[u32; 7]| of.iter().map(|n| f64::from(*n)).sum::<f64>();
            let (mut seen, mut days) = (same(marked), (same(&self.days) - 1.0).max(0.0));
            if days < 2.0 {
                // Too few of this weekday: all days, of which those of a weekend may be more silent.
                seen = all(marked) / 2.0;
                days = (all(&self.days) - 1.0).max(1.0);
            }
            let chance = (seen / (days + 1.0)).min(0.95);
            odd -= (1.0 - chance).ln();
            if odd >= ODD {
                return true;
            }
        }
        false
    }
}

/// Pauses of at least an hour that are more than four times as long as nine in ten of them.
fn long(pauses: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    let mut lengths: Vec<i64> = pauses.iter().map(|(from, to)| to - from).collect();
    lengths.sort_unstable();
    let usual = if lengths.len() < 10 {
        0
    } else {
        lengths.get(lengths.len() * 9 / 10 - 1).copied().unwrap_or(0)
    };
    let least = (SHORTEST_GAP_SECONDS / BIN_SECONDS).max(4 * usual);
    pauses.into_iter().filter(|(from, to)| to - from >= least).collect()
}

/// The day (since 1970-01-01, UTC) of a time.
#[must_use]
pub fn day_of(nanos: i64) -> i32 {
    i32::try_from(nanos.div_euclid(DAY_SECONDS * 1_000_000_000)).unwrap_or(0)
}

/// The time of nanoseconds since 1970.
#[must_use]
pub fn timestamp(nanos: i64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(nanos)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    #[test]
    fn a_long_silence_is_a_gap_and_a_short_one_is_not() {
        let mut seen = Seen::default();
        for minute in 0..60 {
            seen.time(minute * HOUR / 60);
        }
        for minute in 0..60 {
            seen.time(9 * HOUR + minute * HOUR / 60);
        }
        let gaps = seen.gaps();
        assert_eq!(gaps.len(), 1);
        assert_eq!(gaps[0].from.to_string(), "1970-01-01T01:00:00Z");
        assert_eq!(gaps[0].to.to_string(), "1970-01-01T09:00:00Z");
    }

    #[test]
    fn nights_and_weekends_are_no_gaps_and_a_lost_day_is_one() {
        let mut seen = Seen::default();
        // Five weeks of weekdays from 8 to 18; 1970-01-05 was a Monday. One Wednesday is lost.
        for day in 4..39 {
            let weekday = (day - 4) % 7;
            if weekday >= 5 || day == 20 {
                continue;
            }
            for minute in 0..600 {
                seen.time(day * 24 * HOUR + 8 * HOUR + minute * HOUR / 60);
            }
        }
        let gaps = seen.gaps();
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        assert_eq!(gaps[0].from.to_string(), "1970-01-20T18:00:00Z");
        assert_eq!(gaps[0].to.to_string(), "1970-01-22T08:00:00Z");
    }

    #[test]
    fn hours_lost_of_a_log_that_never_sleeps_are_a_gap() {
        let mut seen = Seen::default();
        for minute in (0..20 * 24 * 60).filter(|m| !(14_000..14_180).contains(m)) {
            seen.time(minute * HOUR / 60);
        }
        assert_eq!(seen.gaps().len(), 1);
    }

    #[test]
    fn union_is_the_same_either_way() {
        let mut a = Seen::default();
        a.time(5 * HOUR);
        a.node("n1");
        let mut b = Seen::default();
        b.time(-3 * HOUR);
        b.time(50 * HOUR);
        b.node("n2");
        let mut ab = a.clone();
        ab.merge(b.clone());
        let mut ba = b;
        ba.merge(a);
        assert_eq!(ab, ba);
        assert_eq!(ab.first, Some(-3 * HOUR));
        assert_eq!(ab.last, Some(50 * HOUR));
    }
}
