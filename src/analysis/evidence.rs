//! What holds back a removal whatever is expected of it.
//!
//! How likely it is that something unused will be needed is the forecast's question (`optimize::foresight`). Here is what has to be
//! so before it is asked at all: the logs are good enough, long enough for what the settings demand, the policy was read, somebody
//! is known to hold it, and its holders acted.
//!
//! ```text
//! days to watch = max(min_days, dormant_days if a holder never acted, changed_days if it was otherwise at first)
//!         × (1 + doubt × (1 − health of the logs)) × 0.8^confirmations          (at least half of the first factor)
//! ```
//!
//! Confirmations are independent: a further node whose log was read, three or more active holders who all leave it unused, several
//! windows of the first factor's length with a holder active in each. The window counts from when the policy could be used as it is,
//! if the log shows that: its last change, the mounting of what its stanzas are about, any move of a mount.
//!
//! A group says that its members need the same: who holds a policy through a group alone and never acted does not hold it
//! back where three or more members of that group did act.

use super::lately::{ENOUGH_ACTIVE, Lately};
use super::newcomers::Newcomers;
use super::since;
use super::words::count;
use crate::access::holder::AssignedBy;
use crate::access::{Holder, HolderId, Joined, PolicyNumber};
use crate::advice::{Evidence, EvidenceState};
use crate::index::IndexVec;
use crate::policy::model::Policy;
use crate::vault::{PolicyId, path};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

pub use super::window::{EvidenceSettings, Since, Watch};

/// How one holder acted in the window.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// Its name, for the reasoning.
    pub name: String,
    /// Whether it acted.
    pub acted: bool,
    /// Days (since the epoch) on which it acted, ascending; none where its entries have no time.
    pub days: Vec<i32>,
    /// Whether a policy it holds was not read, so that what it uses cannot be told apart.
    pub grants_unknown: bool,
}

impl Activity {
    /// The longest pause between days of activity, in days; the whole window where it acted on one day of several.
    #[must_use]
    pub fn rhythm_days(&self, window_days: f64) -> f64 {
        let pauses = self
            .days
            .iter()
            .zip(self.days.iter().skip(1))
            .map(|(a, b)| f64::from(b - a));
        match self.days.len() {
            0 | 1 if window_days <= 1.0 => 0.0,
            0 | 1 => window_days,
            _ => pauses.fold(0.0, f64::max),
        }
    }
}

/// How many windows of so many days the holders' activity spans, if they acted in each of them; else none.
fn windows(holders: &[Activity], days: f64) -> usize {
    if days <= 0.0 {
        return 0;
    }
    let acted: BTreeSet<i32> = holders.iter().flat_map(|h| h.days.iter().copied()).collect();
    let (Some(&first), Some(&last)) = (acted.first(), acted.last()) else {
        return 0;
    };
    let whole = (f64::from(last - first + 1) / days).floor() as usize;
    let seen: BTreeSet<usize> = acted
        .iter()
        .map(|day| (f64::from(day - first) / days).floor() as usize)
        .filter(|window| *window < whole)
        .collect();
    if seen.len() == whole { whole } else { 0 }
}

/// What is held of an unused grant of a policy with these holders, which could be used as it is only `since` then.
#[must_use]
pub fn unused(
    settings: &EvidenceSettings,
    watch: &Watch,
    holders: &[Activity],
    since: Option<&Since>,
    by_others: bool,
) -> Evidence {
    let mut reasons = Vec::new();
    let window = since.map_or(watch.window_days, |since| since.days.min(watch.window_days));
    reasons.push(format!("watched for {}", days(window)));
    if let Some(Since { what, .. }) = since {
        reasons.push(format!(
            "{what}: only what was watched since counts, which is {}",
            days(window)
        ));
    }
    let mut base = settings.min_days.max(since.map_or(0.0, |_| settings.changed_days));
    let active = holders.iter().filter(|h| !h.days.is_empty()).count();
    if let Some(slowest) = holders.iter().filter(|h| !h.days.is_empty()).max_by(|a, b| {
        a.rhythm_days(watch.window_days)
            .total_cmp(&b.rhythm_days(watch.window_days))
    }) {
        let rhythm = slowest.rhythm_days(watch.window_days);
        if rhythm > 1.0 {
            reasons.push(format!("`{}` acts with pauses of up to {}", slowest.name, days(rhythm)));
        }
    }
    let dormant = || holders.iter().filter(|h| !h.acted);
    if let Some(first) = dormant().next() {
        base = base.max(settings.dormant_days);
        reasons.push(format!(
            "{} of its {} never acted with it{} `{}`",
            dormant().count(),
            count(holders.len(), "holder"),
            if dormant().count() == 1 { ":" } else { ", such as" },
            first.name
        ));
    }
    if let Some(undated) = holders.iter().find(|h| h.acted && h.days.is_empty()) {
        base = base.max(settings.dormant_days);
        reasons.push(format!(
            "when `{}` acted is not known: its entries have no time",
            undated.name
        ));
    }
    if by_others {
        base = base.max(settings.dormant_days);
        reasons.push("a group or an auth method hands it out to others as well, who were not seen".to_owned());
    }
    let mut confirmations = 0;
    if active >= ENOUGH_ACTIVE {
        confirmations += 1;
        reasons.push(format!("none of {active} active holders used it"));
    }
    let windows = windows(holders, base);
    if windows >= 2 && since.is_none() {
        confirmations += 1;
        reasons.push(format!(
            "not once in {windows} windows of {}, each with activity",
            days(base)
        ));
    }
    let doubted = base * (1.0 + settings.doubt * (1.0 - watch.health));
    let dwell_days = (doubted * 0.8_f64.powi(confirmations)).max(base / 2.0);
    let unknown = holders.iter().find(|h| h.grants_unknown);
    let state = if let Some(h) = unknown {
        reasons.push(format!("a policy of its holder `{}` was not read", h.name));
        EvidenceState::Suspect
    } else if watch.health < settings.min_health {
        reasons.push(format!("the logs are too incomplete (health {:.2})", watch.health));
        EvidenceState::Suspect
    } else if window < dwell_days {
        reasons.push(format!("needs {} of watching", days(dwell_days)));
        EvidenceState::Suspect
    } else {
        EvidenceState::Removable
    };
    Evidence {
        state,
        window_days: window,
        dwell_days,
        reasons,
    }
}

/// The groups of which enough members acted.
pub struct Peers<'a> {
    joined: &'a Joined,
    lively: BTreeSet<&'a AssignedBy>,
}

impl<'a> Peers<'a> {
    /// Of what is joined.
    #[must_use]
    pub fn of(joined: &'a Joined) -> Self {
        let mut acted: BTreeMap<&AssignedBy, usize> = BTreeMap::new();
        for holder in joined.holders.iter().filter(|holder| holder.is_active()) {
            for place in holder.assigned.iter().filter(|place| place.kind == "group") {
                *acted.entry(place).or_default() += 1;
            }
        }
        let lively = acted.into_iter().filter(|(_, count)| *count >= ENOUGH_ACTIVE);
        Self {
            joined,
            lively: lively.map(|(group, _)| group).collect(),
        }
    }

    /// Whether this holder never acted, and has the policy only through groups of which enough others did.
    #[must_use]
    pub fn speak_for(&self, holder: HolderId, policy: &PolicyId) -> bool {
        let holder = &self.joined.holders[holder];
        let lists = |place: &&AssignedBy| place.policies.iter().any(|p| p == policy);
        let mut from = holder.assigned.iter().filter(lists).peekable();
        !holder.is_active() && from.peek().is_some() && from.all(|place| self.lively.contains(place))
    }
}

/// How well an "unused" is known, by policy of the join; `last` is when the logs end.
#[must_use]
pub fn of_policies(
    joined: &Joined,
    watch: &Watch,
    settings: &EvidenceSettings,
    last: Option<Timestamp>,
) -> IndexVec<Policy, Evidence> {
    let lately = Lately::new(joined, watch, settings, last);
    let since = since::in_force(joined, lately.written(), watch, last);
    let newcomers = Newcomers::of(joined, watch, settings, last);
    let peers = Peers::of(joined);
    let unknown: BTreeSet<HolderId> = joined
        .sets
        .iter()
        .filter(|s| !s.is_known())
        .flat_map(|s| s.holders.iter().copied())
        .collect();
    let activities: IndexVec<Holder, Activity> = joined
        .holders
        .numbered()
        .map(|(h, holder)| Activity {
            name: holder.display().to_owned(),
            acted: holder.acted,
            days: holder.days.iter().copied().collect(),
            grants_unknown: unknown.contains(&h),
        })
        .collect();
    joined
        .policies
        .numbered()
        .map(|(number, policy)| {
            let held = &joined.held[number].by;
            let newest = lately.newest(number);
            let since = [&since[number], &newest].into_iter().flatten();
            let since = since.min_by(|a, b| a.days.total_cmp(&b.days));
            let (spoken_for, others): (Vec<HolderId>, Vec<HolderId>) =
                held.iter().partition(|&&h| peers.speak_for(h, &policy.id()));
            // What one token of a holder did says nothing of another that nothing was done with.
            let with_it = |&holder: &HolderId| {
                let mut activity = activities[holder].clone();
                if !joined.held[number]
                    .seen_with
                    .get(&holder)
                    .is_some_and(|seen| seen.acted)
                {
                    activity.acted = false;
                    activity.days.clear();
                }
                activity
            };
            let holders: Vec<Activity> = others.iter().map(with_it).collect();
            let by_others = newcomers.are_given(&policy.id());
            let mut evidence = unused(settings, watch, &holders, since, by_others);
            if !spoken_for.is_empty() {
                evidence.reasons.push(format!(
                    "{} never acted, but other members of their groups did",
                    spoken_for.len()
                ));
            }
            if held.is_empty()
                && let Some(doubt) = newcomers.why_may_have(&policy.id())
            {
                evidence.reasons.push(doubt);
                evidence.state = EvidenceState::Suspect;
            }
            if let Some(doubt) = doubt_open(joined, number).or_else(|| doubt_lost(joined, number, settings)) {
                evidence.reasons.push(doubt);
                evidence.state = EvidenceState::Suspect;
            }
            evidence
        })
        .collect()
}

/// Why nothing of a policy may be taken away, for all that the log leaves open.
fn doubt_open(joined: &Joined, policy: PolicyNumber) -> Option<String> {
    let (read, unheld) = (&joined.policies[policy], joined.held[policy].by.is_empty());
    let mut stanzas = joined.policies.stanzas_of(policy);
    if let Some(why) = stanzas.find_map(|id| joined.stays.kept.get(&id)).filter(|_| unheld) {
        return Some(why.to_string());
    }
    let mut may_hold = joined.may_hold.who(&read.name);
    if let Some(holder) = may_hold.next().map(|holder| &joined.holders[holder]) {
        return Some(format!(
            "the log does not list what `{}` holds, and this may be part of it",
            holder.display()
        ));
    }
    let may_be_this = |missing: &&PolicyId| unheld && !missing.is_fixed() && may_be_one(joined, read, missing);
    if let Some(missing) = joined.not_read.existing().map(|(missing, _)| missing).find(may_be_this) {
        return Some(format!(
            "nobody holds it, while `{missing}` is held and was not read: this may be that one"
        ));
    }
    if let Some(missing) = joined.not_read.may_be.iter().find(may_be_this) {
        return Some(format!(
            "nobody holds it, while `{missing}`, which was not read, may be held: the log does not say to which namespace a list \
             of policies belongs, and this may be that one"
        ));
    }
    let mut stanzas = joined.policies.stanzas_of(policy);
    let doubt = stanzas.find_map(|id| joined.stays.doubted.get(&id));
    if let Some((doubt, named)) = doubt
        .filter(|_| unheld)
        .and_then(|doubt| Some((doubt, doubt.named.as_ref()?)))
    {
        return Some(format!(
            "the server says that policy `{named}` allowed `{}` on `{}`, and by the policies as read another one did",
            doubt.capability, doubt.path
        ));
    }
    doubt.filter(|_| unheld).map(|doubt| {
        format!(
            "`{}` on `{}` was allowed, no policy that the requester is known to hold explains it, and this one could",
            doubt.capability, doubt.path
        )
    })
}

/// What may have been lost of its use.
fn doubt_lost(joined: &Joined, policy: PolicyNumber, settings: &EvidenceSettings) -> Option<String> {
    if joined.gaps.cut > settings.cut_entries {
        return Some(format!(
            "{} entries are lost, or cut so far that it is unknown whose they were (`evidence.cut_entries` accepts {})",
            joined.gaps.cut, settings.cut_entries
        ));
    }
    let mut held = joined.held[policy].by.iter();
    let (holder, lines) = held.find_map(|holder| Some((holder, joined.gaps.lost.get(holder)?)))?;
    let name = joined.holders[*holder].display();
    Some(format!("what `{name}` asked for in {lines} cut entries is not known"))
}

/// Whether a policy that was read and one that was not may be the same: of two files' names one is often the end of the other, and
/// without a deployment nothing says that files are called as on the server at all.
fn may_be_one(joined: &Joined, read: &Policy, missing: &PolicyId) -> bool {
    let ends = |long: &str, short: &str| {
        let rest = long.strip_suffix(short);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    // Of a namespace that the log does not tell the path of it may be one of any.
    let is_near = read.namespace == missing.namespace || path::is_unplaced(&missing.namespace);
    let is_unsure = joined.handed_out.is_none() && is_near && !missing.is_default();
    is_unsure || ends(&read.name, &missing.name) || ends(&missing.name, &read.name)
}

/// The policies that may be tightened: those whose "unused" is well enough known. `default` is for everybody's own token,
/// and every token has it: what it holds beyond the servers' own is a finding, what it leaves unused is not. Those of the servers that
/// nobody can write stay.
#[must_use]
pub fn removable(joined: &Joined, evidence: &IndexVec<Policy, Evidence>) -> IndexVec<Policy, bool> {
    let is_removable = |(number, policy): (PolicyNumber, &Policy)| {
        let id = policy.id();
        evidence[number].state == EvidenceState::Removable && !id.is_default() && !id.is_fixed()
    };
    joined.policies.numbered().map(is_removable).collect()
}

/// A number of days for people: hours and minutes below one.
#[must_use]
pub fn days(days: f64) -> String {
    let minutes = days * 24.0 * 60.0;
    if minutes < 1.0 {
        "less than a minute".to_owned()
    } else if minutes < 90.0 {
        format!("{minutes:.0} minutes")
    } else if days < 2.0 {
        format!("{:.0} hours", days * 24.0)
    } else {
        format!("{days:.0} days")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(name: &str, days: &[i32]) -> Activity {
        Activity {
            name: name.to_owned(),
            acted: !days.is_empty(),
            days: days.to_vec(),
            grants_unknown: false,
        }
    }

    fn watch(window_days: f64, health: f64) -> Watch {
        Watch {
            window_days,
            health,
            gaps: Vec::new(),
        }
    }

    fn state(watch: &Watch, holders: &[Activity]) -> EvidenceState {
        unused(&EvidenceSettings::default(), watch, holders, None, false).state
    }

    #[test]
    fn several_windows_with_activity_confirm() {
        let settings = EvidenceSettings {
            min_days: 10.0,
            ..EvidenceSettings::default()
        };
        let watch = Watch {
            window_days: 24.0,
            health: 0.6,
            gaps: Vec::new(),
        };
        let daily: Vec<i32> = (0..24).collect();
        let dwell = |days: &[i32]| unused(&settings, &watch, &[holder("a", days)], None, false).dwell_days;
        assert_eq!(windows(&[holder("a", &daily)], 10.0), 2);
        assert_eq!(windows(&[holder("a", &[0, 1, 2])], 10.0), 0);
        assert_eq!(
            windows(&[holder("a", &[0, 30])], 10.0),
            0,
            "a silent window confirms nothing"
        );
        // 10 days, doubted by 1 + 2 × 0.4, and confirmed once.
        assert!((dwell(&daily) - 10.0 * 1.8 * 0.8).abs() < 1e-9);
        assert!((dwell(&[0, 1]) - 10.0 * 1.8).abs() < 1e-9);
    }

    #[test]
    fn a_daily_holder_watched_for_a_month_is_well_known() {
        let daily = holder("app", &(0..30).collect::<Vec<_>>());
        assert_eq!(state(&watch(30.0, 1.0), &[daily]), EvidenceState::Removable);
    }

    #[test]
    fn bad_logs_and_unknown_grants_are_never_enough() {
        let daily = holder("app", &(0..90).collect::<Vec<_>>());
        assert_eq!(
            state(&watch(90.0, 0.3), std::slice::from_ref(&daily)),
            EvidenceState::Suspect
        );
        let unknown = Activity {
            grants_unknown: true,
            ..daily
        };
        assert_eq!(state(&watch(90.0, 1.0), &[unknown]), EvidenceState::Suspect);
    }

    #[test]
    fn dwell_grows_with_doubt_and_shrinks_with_confirmations() {
        let settings = EvidenceSettings {
            min_days: 30.0,
            ..EvidenceSettings::default()
        };
        let one = [holder("a", &[0, 1])];
        let three = [holder("a", &[0, 1]), holder("b", &[0, 1]), holder("c", &[0, 1])];
        let dwell =
            |health, holders: &[Activity]| unused(&settings, &watch(2.0, health), holders, None, false).dwell_days;
        assert!(dwell(0.6, &one) > dwell(1.0, &one));
        assert!(dwell(1.0, &three) < dwell(1.0, &one));
    }

    #[test]
    fn a_change_in_the_window_starts_the_clock_again() {
        let settings = EvidenceSettings {
            min_days: 30.0,
            ..EvidenceSettings::default()
        };
        let daily = [holder("app", &(0..60).collect::<Vec<_>>())];
        let since = Since {
            days: 5.0,
            what: "the policy was changed".to_owned(),
        };
        let e = unused(&settings, &watch(60.0, 1.0), &daily, Some(&since), false);
        assert_eq!(e.state, EvidenceState::Suspect);
    }
}
