//! What each holder of a policy may be left with by itself, by the same statistics as all of them together, and which of them get a
//! policy of their own for that.

use super::outlook::{Formed, Outlook, Patterns, Span, kept, ladder, whole};
use super::parts::{Group, Prices, Want, left};
use super::units::{Grant, OpenToOne, Own, by_holder, number};
use super::{Fate, Missed, Offer, Tightening, missed};
use crate::access::weight::Weighed;
use crate::access::{HolderId, Joined, PolicyNumber, StanzaId};
use crate::optimize::edit::Change;
use crate::optimize::foresight::ForesightSettings;
use crate::optimize::foresight::births::Unit;
use crate::optimize::foresight::choice::Chosen;
use crate::optimize::foresight::estimate::Estimate;
use crate::optimize::foresight::forecast::Expected;
use crate::optimize::foresight::interval::Spread;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A policy of their own for some holders of one.
#[derive(Debug, Clone)]
pub struct Part {
    /// Of which policy it is a part.
    pub policy: PolicyNumber,
    /// Who gets it in the place of that.
    pub holders: BTreeSet<HolderId>,
    /// What becomes of each stanza of the policy in it.
    pub changes: Vec<Change>,
}

/// What each holder did by each of its policies, by itself, and what is expected of it, whatever the budget.
pub struct Alone {
    holders: BTreeMap<PolicyNumber, BTreeSet<HolderId>>,
    own: Vec<Own>,
    units: Vec<Unit>,
    estimate: Estimate,
    for_newcomers: BTreeSet<PolicyNumber>,
}

/// What a holder has by a policy: grants with the forms that were chosen, and what is expected of them.
type Left<'a> = Vec<(&'a Own, Chosen, &'a Expected)>;

/// Parts of policies, with what they are expected to cost.
pub struct Apart<'a> {
    /// The parts.
    pub parts: Vec<Part>,
    /// Policies to which somebody new is expected to come: they stay for those.
    pub for_newcomers: &'a BTreeSet<PolicyNumber>,
    /// By policy and holder.
    chosen: HashMap<(PolicyNumber, HolderId), Left<'a>>,
    estimate: &'a Estimate,
}

/// What parts are asked for.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The known paths with their weights.
    pub weighed: &'a Weighed<'a>,
    /// The days that were watched, and how many ahead.
    pub span: Span,
    /// Limits.
    pub settings: &'a ForesightSettings,
    /// What was taken away before, and missed.
    pub missed: &'a [Missed],
    /// What stays open against a stanza.
    pub lambda: f64,
}

impl Outlook {
    /// What these holders of these policies did by themselves.
    #[must_use]
    pub fn alone(
        &self,
        joined: &Joined,
        holders: BTreeMap<PolicyNumber, BTreeSet<HolderId>>,
        asked: &Asked<'_>,
    ) -> Alone {
        let span = asked.span;
        let own = by_holder(joined, asked.weighed, &self.units, &holders, span.first);
        let units: Vec<_> = own.iter().map(|own| own.unit.clone()).collect();
        let missed = missed::evidence(asked.missed, joined, &self.units);
        Alone {
            // A place costs nothing here: of what several have in common, all together pay for one.
            estimate: Estimate::new(&units, &missed, (span.end - span.first, span.horizon), 0.0),
            for_newcomers: for_newcomers(joined, span),
            holders,
            own,
            units,
        }
    }

    /// What each holder may be left with by itself within so many wrong denials for each use that is expected.
    #[must_use]
    pub fn forms(&self, alone: &Alone, settings: &ForesightSettings, budget: f64) -> Vec<Chosen> {
        let limits = self.limits(budget, self.uses, settings);
        alone.estimate.within(&alone.units, limits).chosen
    }

    /// The parts that are worth it beside `common`, where each holder is left with these forms by itself.
    #[must_use]
    pub fn apart<'a>(
        &self,
        joined: &Joined,
        alone: &'a Alone,
        common: &Tightening,
        (asked, forms): (&Asked<'_>, &[Chosen]),
    ) -> Apart<'a> {
        let estimate = &alone.estimate;
        let mut chosen: HashMap<_, Left<'_>> = HashMap::new();
        for ((own, form), expected) in alone.own.iter().zip(forms).zip(&estimate.expected) {
            let key = (own.grant.stanza.policy(), own.holder);
            chosen.entry(key).or_default().push((own, form.clone(), expected));
        }
        let mut apart = Apart {
            parts: Vec::new(),
            for_newcomers: &alone.for_newcomers,
            chosen,
            estimate,
        };
        let open = OpenToOne::new(asked.weighed, self.units.worth);
        let mut parts = Vec::new();
        for (&policy, by) in &alone.holders {
            let prices = Prices {
                policy: &joined.policies[policy],
                open: &open,
                lambda: asked.lambda,
                known: RefCell::default(),
            };
            let wants = by.iter().map(|&holder| (holder, apart.want(joined, policy, holder)));
            let today = today(joined, policy, common);
            let groups = prices.parts(wants.collect(), &left(&joined.policies[policy], today.iter()));
            parts.extend(groups.into_iter().map(|group| part(joined, policy, group)));
        }
        apart.parts = parts;
        apart
    }

    /// What is expected of the offer where these holders have parts: by all others, and by those who will come.
    #[must_use]
    pub fn expected_beside(
        &self,
        offer: &Offer,
        apart: &Apart<'_>,
        with: &BTreeMap<PolicyNumber, BTreeSet<HolderId>>,
    ) -> Spread {
        let left = |((grant, unit), chosen): ((&Grant, &Unit), &Chosen)| {
            let policy = grant.stanza.policy();
            let share = match with.get(&policy) {
                // Who comes tomorrow has it whole.
                Some(gone) if !apart.for_newcomers.contains(&policy) => share_without(unit, gone),
                _ => 1.0,
            };
            Chosen {
                denied: chosen.denied * share,
                ..chosen.clone()
            }
        };
        let all = &self.units;
        let forms = all.grants.iter().zip(&all.units).zip(&offer.chosen).map(left);
        let forms: Vec<Chosen> = forms.collect();
        let rest = all.units.iter().zip(&forms).zip(&self.estimate.expected);
        self.estimate
            .spread(rest.map(|((unit, chosen), expected)| (unit, chosen, expected)))
    }
}

/// The part of what a unit's denials would hit that is not of these.
fn share_without(unit: &Unit, gone: &BTreeSet<HolderId>) -> f64 {
    let gone: BTreeSet<u32> = gone.iter().map(|holder| number(*holder)).collect();
    let stay = unit.shares.iter().filter(|(who, _)| !gone.contains(who));
    stay.map(|(_, share)| share).sum()
}

impl Apart<'_> {
    /// What the parts of these holders are expected to cost.
    #[must_use]
    pub fn expected(&self, with: &BTreeMap<PolicyNumber, BTreeSet<HolderId>>) -> Spread {
        let keys = with
            .iter()
            .flat_map(|(&policy, by)| by.iter().map(move |&holder| (policy, holder)));
        let formed = keys.filter_map(|key| self.chosen.get(&key)).flatten();
        self.estimate
            .spread(formed.map(|(own, form, expected)| (&own.unit, form, *expected)))
    }

    /// What one holder may be left with of a policy.
    fn want(&self, joined: &Joined, policy: PolicyNumber, holder: HolderId) -> Want {
        let mut formed: BTreeMap<StanzaId, Vec<Formed<'_>>> = BTreeMap::new();
        for (own, form, expected) in self.chosen.get(&(policy, holder)).into_iter().flatten() {
            let of = formed.entry(own.grant.stanza).or_default();
            of.push((&own.grant, &own.unit, form, expected));
        }
        let mut want = Want::new();
        for id in joined.policies.stanzas_of(policy) {
            let patterns = formed.get(&id).and_then(|formed| kept(joined, id, formed));
            let patterns: Patterns<'static> = match patterns {
                None => BTreeMap::from([(Cow::Owned(whole(joined, id)), joined.policies[id].capability_set())]),
                Some(patterns) => patterns
                    .into_iter()
                    .map(|(text, c)| (Cow::Owned(text.into_owned()), c))
                    .collect(),
            };
            if !patterns.is_empty() {
                want.insert(id.place(), patterns);
            }
        }
        want
    }
}

/// What becomes of each stanza of a policy where it is tightened for all.
fn today(joined: &Joined, policy: PolicyNumber, common: &Tightening) -> Vec<Change> {
    let stanzas = joined.policies.stanzas_of(policy);
    let change = |id: StanzaId| match common.fates.get(&id) {
        Some(Fate::Changed(change) | Fate::Withdrawn(change)) => change.clone(),
        Some(Fate::Held(_) | Fate::Stays) | None => Change::Keep,
    };
    stanzas.map(change).collect()
}

/// A group as changes of the policy's text.
fn part(joined: &Joined, policy: PolicyNumber, group: Group) -> Part {
    let stanzas = joined.policies.stanzas_of(policy);
    let change = |id: StanzaId| -> Change {
        let all = joined.policies[id].capability_set();
        match group.want.get(&id.place()) {
            None => Change::Drop,
            Some(patterns) if patterns.len() == 1 && patterns.get(&*whole(joined, id)) == Some(&all) => Change::Keep,
            Some(patterns) => ladder(joined, id, patterns).into_iter().next().unwrap_or(Change::Keep),
        }
    };
    Part {
        policy,
        changes: stanzas.map(change).collect(),
        holders: group.holders,
    }
}

/// Fewer than so many new holders in the horizon are none.
const FEW_NEW: f64 = 0.1;
/// So many days of one holder, at the rate of all policies, count beside what was seen of a policy itself.
const ALIKE_DAYS: f64 = 300.0;

/// The policies to which somebody new is expected to come: as often as in the last two thirds of the past, where little was seen as often
/// as to all policies.
fn for_newcomers(joined: &Joined, span: Span) -> BTreeSet<PolicyNumber> {
    let since = span.first + (span.end - span.first) / 3;
    let watched = f64::from((span.end - since).max(1));
    let came = |holder: &HolderId| joined.holders[*holder].days.first().is_some_and(|day| *day >= since);
    let counts = joined.held.map(|held| {
        let new = held.by.iter().filter(|holder| came(holder)).count() as f64;
        (new, held.by.len() as f64 * watched)
    });
    let all = counts
        .iter()
        .fold((0.0, 0.0), |sum, (new, days)| (sum.0 + new, sum.1 + days));
    let rate = if all.1 > 0.0 { all.0 / all.1 } else { 0.0 };
    let expected = |(new, days): &(f64, f64)| {
        let own = (new + rate * ALIKE_DAYS) / (days + ALIKE_DAYS);
        own * days / watched * f64::from(span.horizon)
    };
    let numbered = counts.numbered().filter(|(_, count)| expected(count) >= FEW_NEW);
    numbered.map(|(policy, _)| policy).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{demand, joined};
    use super::super::{Options, outlook};
    use super::*;
    use crate::access::weight::Weights;
    use crate::optimize::paths::Price;
    use crate::vault::Capability;

    const SPAN: Span = Span {
        first: 0,
        end: 90,
        horizon: 90,
    };

    /// Two who read below a folder each, of a policy that grants more, and what parts of it come to.
    fn apart<T>(missed: &[Missed], look: impl FnOnce(&Joined, &Outlook, &Apart<'_>) -> T) -> T {
        let text = "path \"kv/web/*\" { capabilities = [\"read\", \"delete\"] }\n";
        let demands = [("ann", "kv/web/a/1"), ("bob", "kv/web/b/1")];
        let demands = demands.map(|(who, path)| demand(who, &["team-web"], path, Capability::Read));
        let (joined, removable) = joined(&[("team-web", text)], demands.to_vec());
        let weights = Weights::default();
        let weighed = Weighed::new(&weights, &joined.universe);
        let price = Price::default();
        let options = Options {
            price: &price,
            removable: &removable,
            mounts: &[],
            missed,
        };
        let settings = ForesightSettings::default();
        let outlook = outlook(&joined, &options, &weighed, SPAN);
        let common = outlook.tighten(&joined, &options, &outlook.within_budget(0.0, &settings));
        let holders = joined
            .held
            .numbered()
            .map(|(policy, held)| (policy, held.by.clone()))
            .collect();
        let asked = Asked {
            weighed: &weighed,
            span: SPAN,
            settings: &settings,
            missed,
            lambda: 100.0,
        };
        let alone = outlook.alone(&joined, holders, &asked);
        let forms = outlook.forms(&alone, &settings, 1.0);
        let apart = outlook.apart(&joined, &alone, &common, (&asked, &forms));
        look(&joined, &outlook, &apart)
    }

    #[test]
    fn each_holder_may_be_left_with_what_it_did() {
        apart(&[], |joined, outlook, apart| {
            let mut told: Vec<String> = apart
                .parts
                .iter()
                .map(|part| format!("{:?} {:?}", part.holders, part.changes))
                .collect();
            told.sort();
            assert_eq!(told.len(), 2, "{told:?}");
            assert!(told[0].contains("kv/web/a") && told[1].contains("kv/web/b"), "{told:?}");
            // Who has a part bears nothing of what the others bear, and what it may miss itself is expected.
            let all = joined
                .held
                .numbered()
                .map(|(policy, held)| (policy, held.by.clone()))
                .collect();
            let offer = outlook.within_budget(1.0, &ForesightSettings::default());
            assert!(offer.denied.mean > 0.0);
            let beside = |with| outlook.expected_beside(&offer, apart, with).mean;
            assert_eq!((beside(&all), beside(&BTreeMap::new())), (0.0, offer.denied.mean));
            assert!(apart.expected(&all).mean > 0.0);
        });
    }

    #[test]
    fn what_was_taken_away_and_missed_makes_parts_dearer() {
        let missed = [Missed {
            capability: Capability::Delete,
            policy: "team-web".to_owned(),
            stanza: "kv/web/*".to_owned(),
            to: "team-web".to_owned(),
            path: "kv/web/c".to_owned(),
        }];
        let dropped = |missed: &[Missed]| {
            apart(missed, |_, _, apart| {
                let all = apart.chosen.values().flatten();
                let of_delete = all.filter(|(own, ..)| own.grant.capability == Capability::Delete);
                of_delete.filter_map(|(_, _, expected)| expected.drop).sum::<f64>()
            })
        };
        let (without, with) = (dropped(&[]), dropped(&missed));
        assert!(with > 1.5 * without, "{without} and {with}");
    }

    #[test]
    fn a_policy_stays_for_those_who_will_come_where_somebody_came() {
        let kept = |days: &[i32]| {
            let demands = days.iter().enumerate().map(|(n, day)| {
                let mut one = demand(&format!("w{n}"), &["team"], "kv/a", Capability::Read);
                one.days = BTreeSet::from([*day]);
                one
            });
            let (joined, _) = joined(
                &[("team", "path \"kv/*\" { capabilities = [\"read\"] }\n")],
                demands.collect(),
            );
            !for_newcomers(&joined, SPAN).is_empty()
        };
        assert!(!kept(&[1, 2, 3]));
        assert!(kept(&[1, 2, 60]));
    }
}
