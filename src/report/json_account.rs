//! What a principal used and could do, and what becomes of the rest, as `advice.json` says it: in words, dates and sums.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::advice::{self, AllowedBy, UnusedCounts};
use crate::origin::LogLine;

/// By what becomes of it, how many (principal, known path, capability) triples; what does not occur is not named.
pub type Unused = BTreeMap<String, u64>;

fn unused(from: &UnusedCounts) -> Unused {
    let some = from.iter().filter(|(_, count)| *count > 0);
    some.map(|(what, count)| (what.as_str().to_owned(), count)).collect()
}

/// What a principal used, and what it could do, stanza by stanza.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// What it asked for, the most frequent first.
    pub uses: Vec<PathUse>,
    /// How many there are in all; fewer are listed where there are very many.
    pub uses_total: u64,
    /// What each stanza lets it do on known paths.
    pub rights: Vec<StanzaRight>,
    /// How many there are in all; fewer are listed where there are very many.
    pub rights_total: u64,
    /// What becomes of what it never used.
    pub unused: Unused,
}

impl From<&advice::Account> for Account {
    fn from(from: &advice::Account) -> Self {
        Self {
            uses: from.uses.iter().map(Into::into).collect(),
            uses_total: from.uses_total,
            rights: from.rights.iter().map(Into::into).collect(),
            rights_total: from.rights_total,
            unused: unused(&from.unused),
        }
    }
}

/// What a principal asked for: one path, one capability.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PathUse {
    /// The path, namespace in front.
    pub path: String,
    /// The capability.
    pub capability: String,
    /// Requests that were allowed.
    pub allowed: u64,
    /// Requests that were denied.
    pub denied: u64,
    /// First seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// Last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// The days on which it was seen, UTC: `2026-07-20`, or `2026-07-20/2026-07-29` for days in a row.
    pub days: Vec<String>,
    /// Why it was allowed: `stanza`, `none-needed`, `unexplained`, or `denied` where it never was.
    pub reason: String,
    /// The stanzas that allowed it.
    pub stanzas: Vec<advice::StanzaRef>,
    /// Where the last request that was allowed stands in the logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<LogLine>,
}

impl From<&advice::PathUse> for PathUse {
    fn from(from: &advice::PathUse) -> Self {
        let (reason, stanzas) = match &from.by {
            AllowedBy::Stanzas(stanzas) => (
                "stanza",
                stanzas.iter().map(|one| advice::StanzaRef::clone(one)).collect(),
            ),
            AllowedBy::NoneNeeded => ("none-needed", Vec::new()),
            AllowedBy::Unexplained => ("unexplained", Vec::new()),
            AllowedBy::Denied => ("denied", Vec::new()),
        };
        Self {
            path: from.path.to_string(),
            capability: from.capability.to_string(),
            allowed: from.allowed,
            denied: from.denied,
            first: from.first,
            last: from.last,
            days: from.days.iter().map(|&span| days(span)).collect(),
            reason: reason.to_owned(),
            stanzas,
            example: from.example.clone(),
        }
    }
}

fn days((from, to): (i32, i32)) -> String {
    if from == to {
        date(from)
    } else {
        format!("{}/{}", date(from), date(to))
    }
}

fn date(day: i32) -> String {
    let epoch = Date::constant(1970, 1, 1);
    let date = epoch.checked_add(jiff::Span::new().days(i64::from(day)));
    date.unwrap_or(epoch).to_string()
}

/// What a principal may do by one stanza, or by several of one path, which decide together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StanzaRight {
    /// The stanzas; none for the root policy.
    pub stanzas: Vec<advice::StanzaRef>,
    /// (known path, capability) pairs that it decides and allows.
    pub granted: u64,
    /// Of these, used.
    pub used: u64,
    /// What becomes of the others.
    pub unused: Unused,
    /// Some known paths of which nothing was used.
    pub examples: Vec<String>,
}

impl From<&advice::StanzaRight> for StanzaRight {
    fn from(from: &advice::StanzaRight) -> Self {
        Self {
            stanzas: from.stanzas.iter().map(|one| advice::StanzaRef::clone(one)).collect(),
            granted: from.granted,
            used: from.used,
            unused: unused(&from.unused),
            examples: from.examples.iter().map(ToString::to_string).collect(),
        }
    }
}

/// From what is unused today to what is unused under the `tighten` proposal.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Bridge {
    /// Granted and unused today: the sum of the parts.
    pub today: u64,
    /// Granted and unused under the proposal: the sum of the parts that do not go.
    pub proposed: u64,
    /// What becomes of how many.
    pub parts: Vec<BridgePart>,
}

impl From<&advice::Bridge> for Bridge {
    fn from(from: &advice::Bridge) -> Self {
        Self {
            today: from.today(),
            proposed: from.proposed(),
            parts: from.parts.iter().map(Into::into).collect(),
        }
    }
}

/// One part of the bridge.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BridgePart {
    /// What becomes of it: `goes`, or why it stays.
    pub what: String,
    /// How many (principal, known path, capability) triples.
    pub count: u64,
    /// The policies that grant them.
    pub policies: Vec<PolicyShare>,
}

impl From<&advice::BridgePart> for BridgePart {
    fn from(from: &advice::BridgePart) -> Self {
        Self {
            what: from.what.as_str().to_owned(),
            count: from.count,
            policies: from
                .policies
                .iter()
                .map(|(policy, count)| PolicyShare {
                    policy: policy.clone(),
                    count: *count,
                })
                .collect(),
        }
    }
}

/// How much of a part one policy grants.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyShare {
    /// The policy.
    pub policy: String,
    /// How many.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_in_a_row_are_one() {
        assert_eq!(days((20_654, 20_654)), "2026-07-20");
        assert_eq!(days((20_654, 20_663)), "2026-07-20/2026-07-29");
        assert_eq!(date(-1), "1969-12-31");
    }
}
