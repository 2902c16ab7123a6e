//! Cuts between past and future, and demands trimmed to one side of a cut.
//!
//! A demand knows the days on which it was seen, but only totals of its requests: a part of its days gets that part of the
//! requests (at least one, where there were any). The policies in force are those last seen, on either side of the cut.

use crate::usage::Facts;
use crate::usage::demand::{Demand, PolicySet};
use jiff::Timestamp;
use std::ops::Range;

/// A cut: days since 1970-01-01.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The past.
    pub train: Range<i32>,
    /// The future.
    pub test: Range<i32>,
}

/// Every cut with a whole past and a whole future, the earliest first.
#[must_use]
pub fn cuts(demands: &[Demand], train_days: i32, test_days: i32, step_days: i32) -> Vec<Cut> {
    let first = demands.iter().filter_map(|d| d.days.first()).min();
    let last = demands.iter().filter_map(|d| d.days.last()).max();
    let (Some(&first), Some(&last)) = (first, last) else {
        return Vec::new();
    };
    let mut cuts = Vec::new();
    let mut start = first;
    while start + train_days + test_days <= last + 1 {
        let at = start + train_days;
        cuts.push(Cut {
            train: start..at,
            test: at..at + test_days,
        });
        start += step_days.max(1);
    }
    cuts
}

/// What the logs say of `days`: their demands, trimmed to them, and the sets that were last in force in them. A set that was in
/// force later says nothing of when it began.
pub(super) fn trim(facts: &Facts, days: &Range<i32>) -> Facts {
    let (start, end) = (start_of(days.start), start_of(days.end));
    let begins = |set: &PolicySet| set.first_seen.or(set.last_seen);
    let inside = |set: &&PolicySet| {
        let is_late = begins(set).zip(end).is_some_and(|(first, end)| first >= end);
        let is_early = set.last_seen.zip(start).is_some_and(|(last, start)| last < start);
        !is_late && !is_early
    };
    let within = |set: &PolicySet| PolicySet {
        first_seen: set.first_seen.max(start.filter(|_| set.first_seen.is_some())),
        last_seen: [set.last_seen, end]
            .into_iter()
            .flatten()
            .min()
            .filter(|_| set.last_seen.is_some()),
        ..set.clone()
    };
    Facts {
        demands: facts.demands.iter().filter_map(|d| trimmed(d, days)).collect(),
        sets: facts.sets.iter().filter(inside).map(within).collect(),
        // When that was is not kept, and days to come are none of it.
        refused: Vec::new(),
        namespaces: facts.namespaces.clone(),
        lost: facts.lost.clone(),
        untold: facts.untold,
        is_untold: facts.is_untold,
    }
}

fn trimmed(demand: &Demand, days: &Range<i32>) -> Option<Demand> {
    let kept: std::collections::BTreeSet<i32> = demand.days.range(days.clone()).copied().collect();
    let (first, last) = (*kept.first()?, *kept.last()?);
    if kept.len() == demand.days.len() {
        return Some(demand.clone());
    }
    let (part, whole) = (kept.len() as u64, demand.days.len() as u64);
    let share = |count: u64| count.saturating_mul(part).div_ceil(whole);
    let inside = |t: &Timestamp| i32::try_from(t.as_second().div_euclid(86_400)).is_ok_and(|day| kept.contains(&day));
    Some(Demand {
        allowed: share(demand.allowed),
        denied: share(demand.denied),
        failed: share(demand.failed),
        first_seen: demand.first_seen.filter(inside).or_else(|| start_of(first)),
        last_seen: demand.last_seen.filter(inside).or_else(|| start_of(last)),
        days: kept,
        ..demand.clone()
    })
}

/// Midnight, UTC, at which a day begins.
pub(super) fn start_of(day: i32) -> Option<Timestamp> {
    Timestamp::from_second(i64::from(day) * 86_400).ok()
}

/// The day as people write it.
pub(super) fn written(day: i32) -> String {
    start_of(day)
        .map(|t| t.strftime("%Y-%m-%d").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Held;
    use crate::usage::demand::Principal;
    use crate::vault::{Capability, PrincipalKind};
    use std::collections::BTreeSet;
    use std::sync::Arc;

    fn demand(days: &[i32]) -> Demand {
        Demand {
            principal: Principal {
                kind: PrincipalKind::Role,
                id: Arc::from("auth/approle/a"),
                name: Arc::from("a"),
                auth_mount: Arc::from("auth/approle/"),
            },
            namespace: Arc::from(""),
            path: Arc::from("secret/data/a"),
            capability: Capability::Read,
            mount_type: Arc::from("kv"),
            allowed: 10,
            denied: 0,
            failed: 0,
            first_seen: start_of(days[0]),
            last_seen: start_of(days[days.len() - 1]),
            days: days.iter().copied().collect(),
            held: Arc::new(Held::nothing()),
            keys_always: BTreeSet::new(),
            keys_ever: BTreeSet::new(),
            granting: BTreeSet::new(),
            example: None,
        }
    }

    #[test]
    fn a_cut_has_a_whole_past_and_a_whole_future() {
        let all = [demand(&[0, 99])];
        let found = cuts(&all, 60, 30, 7);
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[1],
            Cut {
                train: 7..67,
                test: 67..97
            }
        );
        assert!(cuts(&all, 90, 30, 7).is_empty());
        assert!(cuts(&[], 1, 1, 1).is_empty());
    }

    #[test]
    fn each_day_is_on_one_side_alone() {
        let all = [demand(&[0, 1, 2, 70]), demand(&[3])];
        let all = Facts::from(all.to_vec());
        let (past, future) = (trim(&all, &(0..60)).demands, trim(&all, &(60..90)).demands);
        assert_eq!(past.len(), 2);
        assert_eq!(future.len(), 1);
        let days: usize = past.iter().chain(&future).map(|d| d.days.len()).sum();
        assert_eq!(days, 5);
        assert_eq!((past[0].allowed, future[0].allowed), (8, 3));
        assert_eq!(past[0].last_seen, start_of(2));
        assert_eq!(future[0].first_seen, start_of(70));
        assert_eq!(written(0), "1970-01-01");
    }
}
