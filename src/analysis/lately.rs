//! Who came to hold a policy so lately that nothing is known yet of what they need of it.
//!
//! What somebody got yesterday was not unused for as long as the logs are: it counts from the first entry that shows them with it, or
//! from the end of the logs where only the deployment does. Three or more who have it for long, and act, speak for the others as far as
//! the policy itself goes; who gets it at all only those of the same place do.

use super::window::{EvidenceSettings, Since, Watch};
use crate::access::holder::AssignedBy;
use crate::access::{Holder, HolderId, Joined, JoinedDemand, PolicyNumber, SeenWith};
use crate::deployment::required;
use crate::vault::{Operation, PolicyId};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// So many who act speak for others.
pub(super) const ENOUGH_ACTIVE: usize = 3;

/// Since when a holder has a policy, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Has {
    /// For long enough.
    Long,
    /// Only since then.
    Lately(Timestamp),
    /// It is not seen with it.
    Unseen,
}

/// When the places that give policies to holders were last written, and at which path.
pub type Written<'a> = BTreeMap<&'a AssignedBy, (Timestamp, &'a str)>;

/// The allowed writes of what hands out policies.
pub(super) fn writes_of_places(joined: &Joined) -> impl Iterator<Item = &JoinedDemand> {
    let sets = |d: &JoinedDemand| matches!(d.operation(), Operation::Update | Operation::Create | Operation::Patch);
    let allowed = joined.demands.iter().filter(move |d| sets(d) && d.was_allowed());
    allowed.filter(|d| required::written_place(&d.demand.path).is_some())
}

/// What the log shows of writes of the places that give policies to holders.
fn written(joined: &Joined, last: Option<Timestamp>) -> Written<'_> {
    let writes: Vec<&JoinedDemand> = writes_of_places(joined).collect();
    if writes.is_empty() {
        return Written::new();
    }
    let places: BTreeSet<&AssignedBy> = joined.holders.iter().flat_map(|holder| &holder.assigned).collect();
    let last_of = |place: &AssignedBy| {
        let of_it = writes
            .iter()
            .filter(|d| place.may_be_at(&d.demand.namespace, &d.demand.path));
        of_it
            .filter_map(|d| Some((d.demand.last_seen.or(last)?, &*d.demand.path)))
            .max()
    };
    places
        .into_iter()
        .filter_map(|place| Some((place, last_of(place)?)))
        .collect()
}

/// Since when holders have policies.
pub struct Lately<'a> {
    joined: &'a Joined,
    watch: &'a Watch,
    changed_days: f64,
    last: Option<Timestamp>,
    /// What hands out policies and was written, with when last.
    written: Written<'a>,
}

impl<'a> Lately<'a> {
    /// Of what is joined; `last` is when the logs end.
    #[must_use]
    pub fn new(joined: &'a Joined, watch: &'a Watch, settings: &EvidenceSettings, last: Option<Timestamp>) -> Self {
        Self {
            joined,
            watch,
            changed_days: settings.changed_days,
            last,
            written: written(joined, last),
        }
    }

    /// When the places that give policies to holders were last written.
    pub(super) const fn written(&self) -> &Written<'a> {
        &self.written
    }

    fn has(&self, holder: HolderId, policy: PolicyNumber) -> Has {
        let (known, Some(last)) = (&self.joined.holders[holder], self.last) else {
            return Has::Long;
        };
        if !known.is_bound() {
            return Has::Long;
        }
        let is_lately = |at| self.watch.days_since(at, last) < self.changed_days;
        match self.joined.held[policy].seen_with.get(&holder) {
            Some(SeenWith { first: Some(first), .. }) if late(*first, self.watch, last) && is_lately(*first) => {
                Has::Lately(*first)
            }
            // When that was nobody knows.
            Some(SeenWith { first: None, .. }) if is_lately(last) => Has::Lately(last),
            Some(_) => Has::Long,
            // Groups and the entity itself are asked at each request: each entry since then would show it.
            None if known.asked && self.is_by_identity(known, policy) && is_lately(last) => Has::Lately(last),
            None if self.is_stale(last) && is_lately(last) => Has::Lately(last),
            None => self.given(known, policy).map_or(Has::Unseen, Has::Lately),
        }
    }

    /// Whether the logs end a day and more before the deployment was made: what was given since then they cannot show.
    fn is_stale(&self, last: Timestamp) -> bool {
        let day_after = last.saturating_add(SignedDuration::from_hours(24)).unwrap_or(last);
        let deployment = self.joined.handed_out.as_ref();
        deployment.is_some_and(|known| known.is_after(day_after))
    }

    /// When something was last written of late by which a holder has a policy that it was never seen with.
    fn given(&self, holder: &Holder, policy: PolicyNumber) -> Option<Timestamp> {
        if self.written.is_empty() {
            return None;
        }
        let policy = self.joined.policies[policy].id();
        let giving = holder.assigned.iter().filter(|place| place.policies.contains(&policy));
        let at = giving.filter_map(|place| self.written.get(place)).max()?.0;
        (self.watch.days_since(at, self.last?) < self.changed_days).then_some(at)
    }

    fn is_by_identity(&self, holder: &Holder, policy: PolicyNumber) -> bool {
        let policy = self.joined.policies[policy].id();
        let mut places = holder.assigned.iter();
        places.any(|place| matches!(&*place.kind, "entity" | "group") && place.policies.contains(&policy))
    }

    /// Since when the holder has a policy who has it for the shortest time; none where all have it for long, or enough of them.
    #[must_use]
    pub fn newest(&self, policy: PolicyNumber) -> Option<Since> {
        let (mut newest, mut long) = (None, 0);
        for &holder in &self.joined.held[policy].by {
            match self.has(holder, policy) {
                Has::Lately(at) => newest = newest.max(Some((at, holder))),
                Has::Long if self.joined.holders[holder].is_active() => long += 1,
                Has::Long | Has::Unseen => {}
            }
        }
        let (at, holder) = newest.filter(|_| long < ENOUGH_ACTIVE)?;
        Some(Since {
            days: self.watch.days_since(at, self.last?),
            what: format!("`{}` got it only recently", self.joined.holders[holder].display()),
        })
    }

    /// Who has something only lately, and whether enough others speak for each: those who have it for long from the same place.
    #[must_use]
    pub fn holders(&self) -> BTreeMap<HolderId, bool> {
        let mut found: BTreeMap<HolderId, Vec<PolicyId>> = BTreeMap::new();
        for (number, policy) in self.joined.policies.numbered() {
            // What everybody has is nobody's to lose.
            if policy.id().is_default() {
                continue;
            }
            for &holder in &self.joined.held[number].by {
                if matches!(self.has(holder, number), Has::Lately(_)) {
                    found.entry(holder).or_default().push(policy.id());
                }
            }
        }
        if found.is_empty() {
            return BTreeMap::new();
        }
        let mut long: BTreeMap<&AssignedBy, usize> = BTreeMap::new();
        for (id, holder) in self.joined.holders.numbered() {
            if holder.is_active() && !found.contains_key(&id) {
                for place in &holder.assigned {
                    *long.entry(place).or_default() += 1;
                }
            }
        }
        let speaks = |place: &AssignedBy| long.get(place).is_some_and(|&many| many >= ENOUGH_ACTIVE);
        let is_spoken_for = |holder: HolderId, new: &[PolicyId]| {
            let mut places = self.joined.holders[holder]
                .assigned
                .iter()
                .filter(|place| speaks(place));
            new.iter()
                .all(|policy| places.clone().any(|place| place.policies.contains(policy)))
                && places.next().is_some()
        };
        let found = found.into_iter();
        found
            .map(|(holder, new)| (holder, is_spoken_for(holder, &new)))
            .collect()
    }
}

/// Whether what the log first shows then was not there from its beginning: what nobody had nobody could use.
#[must_use]
pub fn late(first: Timestamp, watch: &Watch, last: Timestamp) -> bool {
    /// What begins within so many days of the first entry may have been before.
    const FIRST_DAYS: f64 = 1.0;
    watch.window_days - last.duration_since(first).as_secs_f64() / 86_400.0 > FIRST_DAYS
}
