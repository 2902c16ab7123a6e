//! How `advice.json` writes what a program keeps in another way: days as dates, sums beside their parts, keys of two numbers as
//! lists. What is written here is read here.

use super::{AllowedBy, Bridge, BridgePart, StanzaRef, Unused, UnusedCounts};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why something was allowed, as a word with the stanzas beside it: a list is there whatever the word is.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Allowed {
    reason: Reason,
    stanzas: Vec<Arc<StanzaRef>>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reason {
    Stanza,
    NoneNeeded,
    Unexplained,
    #[default]
    Denied,
}

impl From<AllowedBy> for Allowed {
    fn from(from: AllowedBy) -> Self {
        let (reason, stanzas) = match from {
            AllowedBy::Stanzas(stanzas) => (Reason::Stanza, stanzas),
            AllowedBy::NoneNeeded => (Reason::NoneNeeded, Vec::new()),
            AllowedBy::Unexplained => (Reason::Unexplained, Vec::new()),
            AllowedBy::Denied => (Reason::Denied, Vec::new()),
        };
        Self { reason, stanzas }
    }
}

impl From<Allowed> for AllowedBy {
    fn from(from: Allowed) -> Self {
        match from.reason {
            Reason::Stanza => Self::Stanzas(from.stanzas),
            Reason::NoneNeeded => Self::NoneNeeded,
            Reason::Unexplained => Self::Unexplained,
            Reason::Denied => Self::Denied,
        }
    }
}

/// Counts by their words, in the order of the words; what does not occur is not named.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Counts(BTreeMap<String, u64>);

impl From<UnusedCounts> for Counts {
    fn from(from: UnusedCounts) -> Self {
        let some = from.iter().filter(|(_, count)| *count > 0);
        Self(some.map(|(what, count)| (what.as_str().to_owned(), count)).collect())
    }
}

impl TryFrom<Counts> for UnusedCounts {
    type Error = String;

    fn try_from(from: Counts) -> Result<Self, String> {
        let mut counts = Self::default();
        for (word, count) in from.0 {
            let what = Unused::ALL.into_iter().find(|what| what.as_str() == word);
            counts.add(
                what.ok_or_else(|| format!("`{word}` is not what becomes of something unused"))?,
                count,
            );
        }
        Ok(counts)
    }
}

/// The bridge with its sums: whoever reads it does not have to know which parts make them.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Sums {
    today: u64,
    proposed: u64,
    parts: Vec<BridgePart>,
}

impl From<Bridge> for Sums {
    fn from(from: Bridge) -> Self {
        Self {
            today: from.today(),
            proposed: from.proposed(),
            parts: from.parts,
        }
    }
}

impl From<Sums> for Bridge {
    fn from(from: Sums) -> Self {
        Self { parts: from.parts }
    }
}

/// Days since 1970-01-01 as dates: `2026-07-20`, or `2026-07-20/2026-07-29` for days in a row.
pub(super) mod days {
    use jiff::civil::Date;
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    const EPOCH: Date = Date::constant(1970, 1, 1);

    pub(in super::super) fn serialize<S: Serializer>(spans: &[(i32, i32)], to: S) -> Result<S::Ok, S::Error> {
        let dates: Result<Vec<String>, jiff::Error> = spans.iter().map(|&span| said(span)).collect();
        dates.map_err(S::Error::custom)?.serialize(to)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(i32, i32)>, D::Error> {
        let dates = Vec::<String>::deserialize(from)?;
        dates
            .iter()
            .map(|dates| read(dates).map_err(D::Error::custom))
            .collect()
    }

    fn said((from, to): (i32, i32)) -> Result<String, jiff::Error> {
        let first = date(from)?;
        Ok(if from == to {
            first.to_string()
        } else {
            format!("{first}/{}", date(to)?)
        })
    }

    fn date(day: i32) -> Result<Date, jiff::Error> {
        EPOCH.checked_add(jiff::Span::new().try_days(day)?)
    }

    fn read(dates: &str) -> Result<(i32, i32), jiff::Error> {
        let (from, to) = dates.split_once('/').unwrap_or((dates, dates));
        Ok((day(from)?, day(to)?))
    }

    fn day(date: &str) -> Result<i32, jiff::Error> {
        Ok(EPOCH.until(date.parse::<Date>()?)?.get_days())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn days_in_a_row_are_one() {
            for (span, text) in [
                ((20_654, 20_654), "2026-07-20"),
                ((20_654, 20_663), "2026-07-20/2026-07-29"),
                ((-1, -1), "1969-12-31"),
            ] {
                assert_eq!(said(span).unwrap(), text);
                assert_eq!(read(text).unwrap(), span);
            }
            assert!(
                said((i32::MAX, i32::MAX)).is_err(),
                "no date is made up for a day that has none"
            );
            assert!(read("20 July").is_err());
        }
    }
}

/// Cells with anything in them, as lists: row, column, granted, used.
pub(super) mod cells {
    use super::super::HeatCell;
    use serde::{Deserialize, Deserializer, Serializer};
    use std::collections::BTreeMap;

    type Cells = BTreeMap<(u32, u32), HeatCell>;

    pub(in super::super) fn serialize<S: Serializer>(cells: &Cells, to: S) -> Result<S::Ok, S::Error> {
        let lists = cells.iter();
        to.collect_seq(lists.map(|(&(row, column), cell)| (row, column, cell.granted, cell.used)))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Cells, D::Error> {
        let lists = Vec::<(u32, u32, u64, u64)>::deserialize(from)?;
        let cell = |(row, column, granted, used)| ((row, column), HeatCell { granted, used });
        Ok(lists.into_iter().map(cell).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut counts = UnusedCounts::default();
        counts.add(Unused::Goes, 3);
        counts.add(Unused::Expected, 1);
        let text = serde_json::to_string(&counts).unwrap();
        assert_eq!(text, r#"{"expected":1,"goes":3}"#);
        assert_eq!(serde_json::from_str::<UnusedCounts>(&text).unwrap(), counts);
        assert!(serde_json::from_str::<UnusedCounts>(r#"{"gone":3}"#).is_err());

        for by in [
            AllowedBy::Stanzas(vec![Arc::default()]),
            AllowedBy::NoneNeeded,
            AllowedBy::Unexplained,
            AllowedBy::Denied,
        ] {
            let text = serde_json::to_string(&by).unwrap();
            assert_eq!(serde_json::from_str::<AllowedBy>(&text).unwrap(), by);
        }
    }
}
