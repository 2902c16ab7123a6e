//! What tightening would cost tomorrow, and the forms that are best within a budget.

use super::units::{self, Grant, Units};
use super::{Ladders, Options, Tightening, changeable, missed, settle};
use crate::access::weight::Weighed;
use crate::access::{Joined, JoinedDemand, Outcome, StanzaId};
use crate::optimize::edit::{Change, NewStanza};
use crate::optimize::foresight::ForesightSettings;
use crate::optimize::foresight::births::Unit;
use crate::optimize::foresight::choice::{Chosen, Form, Limits};
use crate::optimize::foresight::estimate::{Estimate, Off, Tried};
use crate::optimize::foresight::forecast::Expected;
use crate::optimize::foresight::interval::Spread;
use crate::policy::pattern::Pattern;
use crate::policy::relation;
use crate::vault::{Capability, CapabilitySet};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The days that were watched, and how many ahead are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first day of the past, since 1970-01-01.
    pub first: i32,
    /// The day after its last.
    pub end: i32,
    /// Days ahead.
    pub horizon: i32,
}

/// All that is expected, worked out once for all budgets.
pub struct Outlook {
    pub(super) units: Units,
    pub(super) estimate: Estimate,
    /// Uses that are expected over the horizon.
    pub uses: f64,
    /// Days ahead.
    pub horizon: i32,
}

/// A grant with its unit, its form and what is expected of it.
pub(super) type Formed<'a> = (&'a Grant, &'a Unit, &'a Chosen, &'a Expected);

/// Patterns with their capabilities.
pub(super) type Patterns<'a> = BTreeMap<Cow<'a, str>, CapabilitySet>;

/// What a budget comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The budget: wrong denials for each use that is expected.
    pub budget: f64,
    /// What stays open, by weight and number of accesses alike.
    pub open: f64,
    /// Nothing within the budget leaves less open than this.
    pub bound: f64,
    /// Expected wrong denials, with what scatters them.
    pub denied: Spread,
    pub(super) chosen: Vec<Chosen>,
}

/// Looks ahead.
#[must_use]
pub fn outlook(joined: &Joined, options: &Options<'_>, weighed: &Weighed<'_>, span: Span) -> Outlook {
    let free: BTreeSet<StanzaId> = changeable(joined, options.removable).into_iter().collect();
    let units = units::read(joined, weighed, &free, (span.first, span.end));
    let missed = missed::evidence(options.missed, joined, &units);
    let days = (span.end - span.first, span.horizon);
    let estimate = Estimate::new(&units.units, &missed, days, PIECE);
    Outlook {
        horizon: span.horizon,
        uses: uses(joined, span),
        units,
        estimate,
    }
}

/// What one stanza more is worth, in what stays open.
const PIECE: f64 = 5.0;

/// Uses that are expected over the horizon, if they come as before.
fn uses(joined: &Joined, span: Span) -> f64 {
    let explained = |d: &&JoinedDemand| d.was_allowed() && matches!(d.outcome, Outcome::Explained(_));
    let so_far: usize = joined
        .demands
        .iter()
        .filter(explained)
        .map(|d| d.demand.days.len())
        .sum();
    so_far as f64 * f64::from(span.horizon) / f64::from((span.end - span.first).max(1))
}

impl Outlook {
    /// How far off estimates were at earlier days.
    #[must_use]
    pub fn off(&self) -> Off {
        self.estimate.off
    }

    /// The same choice made at an earlier day of the past, within the same budget and knowing no more than was known then, in a sentence;
    /// none where there is too little of the past.
    #[must_use]
    pub fn on_own_past(&self, settings: &ForesightSettings) -> Option<String> {
        let limits = |uses| self.limits(settings.budget, uses, settings);
        let Tried { days, promised, came } = self.estimate.on_own_past(&self.units.units, limits)?;
        let (low, high) = promised.interval();
        Some(format!(
            "Tried on your own past: this advice, made {days} days before the logs end, would have denied {:.0} of {:.0} later uses ({low:.0} to {high:.0} were expected).",
            came.denied, came.uses
        ))
    }

    /// What leaves the least open within the settings' budget.
    #[must_use]
    pub fn within(&self, settings: &ForesightSettings) -> Offer {
        self.within_budget(settings.budget, settings)
    }

    /// How many wrong denials a budget comes to.
    #[must_use]
    pub fn allowed(&self, budget: f64, settings: &ForesightSettings) -> f64 {
        self.limits(budget, self.uses, settings).budget
    }

    /// What a budget comes to where so many uses are expected.
    pub(super) fn limits(&self, budget: f64, uses: f64, settings: &ForesightSettings) -> Limits {
        Limits {
            budget: match budget > 0.0 {
                true => (budget * uses).max(settings.at_least),
                false => 0.0,
            },
            // A larger budget is for those who would go beyond what one may bear, too.
            each: (settings.per_principal * budget / settings.budget.max(1e-12)).max(settings.at_least),
            worth: self.units.worth,
        }
    }

    /// The same with another budget: wrong denials for each use that is expected.
    #[must_use]
    pub fn within_budget(&self, budget: f64, settings: &ForesightSettings) -> Offer {
        let limits = self.limits(budget, self.uses, settings);
        let found = self.estimate.within(&self.units.units, limits);
        let all = self.units.units.iter().zip(&found.chosen).zip(&self.estimate.expected);
        let denied = self
            .estimate
            .spread(all.map(|((unit, chosen), expected)| (unit, chosen, expected)));
        Offer {
            budget,
            open: found.open,
            bound: found.bound,
            denied,
            chosen: found.chosen,
        }
    }

    /// The offer as changes, proven.
    #[must_use]
    pub fn tighten(&self, joined: &Joined, options: &Options<'_>, offer: &Offer) -> Tightening {
        let mut by_stanza: BTreeMap<StanzaId, Vec<Formed<'_>>> = BTreeMap::new();
        let all = self.units.grants.iter().zip(&self.units.units);
        let formed = offer.chosen.iter().zip(&self.estimate.expected);
        for ((grant, unit), (chosen, expected)) in all.zip(formed) {
            by_stanza
                .entry(grant.stanza)
                .or_default()
                .push((grant, unit, chosen, expected));
        }
        let ladders: Ladders = by_stanza
            .iter()
            .filter_map(|(&id, formed)| Some((id, ladder(joined, id, &kept(joined, id, formed)?))))
            .collect();
        let settled = settle::settle(joined, options, &ladders);
        let levels = settled.levels.clone();
        let mut tightening = settled.into_tightening();
        for changed in &mut tightening.changed {
            let taken =
                |id: &StanzaId| id.policy() == changed.policy && levels.get(id).copied().unwrap_or_default() == 0;
            let stanzas = ladders.keys().filter(|id| taken(id));
            let formed: Vec<(&StanzaId, &Vec<Formed<'_>>)> =
                stanzas.filter_map(|id| Some((id, by_stanza.get(id)?))).collect();
            let said = formed.iter().filter_map(|(id, formed)| self.said(joined, **id, formed));
            changed.reasons.extend(said);
            changed.expected = Some(self.spread(formed.iter().flat_map(|(_, formed)| *formed)));
        }
        tightening.expected = Some(offer.denied);
        tightening.price = (offer.open, offer.bound, offer.open <= offer.bound * (1.0 + 1e-9));
        tightening
    }

    /// What is expected of some grants in their forms.
    fn spread<'a>(&self, formed: impl Iterator<Item = &'a Formed<'a>>) -> Spread {
        self.estimate
            .spread(formed.map(|(_, unit, chosen, expected)| (*unit, *chosen, *expected)))
    }

    /// What the change of a stanza is expected to cost, and how that is known, in a sentence.
    fn said(&self, joined: &Joined, id: StanzaId, formed: &[Formed<'_>]) -> Option<String> {
        let mine = || formed.iter().filter(|(_, _, chosen, _)| chosen.form != Form::Keep);
        let spread = self.spread(mine());
        let (low, high) = spread.interval();
        let (_, _, chosen, expected) = mine().max_by(|a, b| a.2.denied.total_cmp(&b.2.denied))?;
        let why = match &chosen.form {
            Form::Places(_) => {
                let (born, days) = expected.born;
                let missed = match expected.missed {
                    0 => String::new(),
                    n => format!("; {n} below what is like it had been taken away and had to be given back"),
                };
                format!("in the last {days} days {born} new paths or folders came below it{missed}")
            }
            _ => {
                let (all, came) = expected.like;
                let like = match all {
                    1 => "the one grant like this one that was".to_owned(),
                    _ => format!("{all} grants like this one that were"),
                };
                let often = match expected.burst.round() {
                    times if times <= 1.0 => "once".to_owned(),
                    times => format!("{times:.0} times"),
                };
                let missed = match expected.missed {
                    0 => String::new(),
                    n => format!(" and {n} that had been taken away had to be given back"),
                };
                format!(
                    "of {like} unused at first, {came} came into use later{missed}; one that does is used about {often} in that time"
                )
            }
        };
        let stanza = &joined.policies[id];
        let mean = if spread.mean < 0.01 {
            "less than 0.01".to_owned()
        } else {
            format!("{:.2}", spread.mean)
        };
        Some(format!(
            "`{}`: expected {mean} wrong denials in {} days ({low:.0} to {high:.0}): {why}",
            stanza.path, self.horizon
        ))
    }
}

/// What the forms of one stanza's grants keep: patterns, the namespace in front, with their capabilities; none where all of it stays.
pub(super) fn kept<'a>(joined: &Joined, id: StanzaId, grants: &[Formed<'a>]) -> Option<Patterns<'a>> {
    let stanza = &joined.policies[id];
    let whole = whole(joined, id);
    if grants.iter().all(|(_, _, c, _)| c.form == Form::Keep) {
        return None;
    }
    let mut patterns = Patterns::new();
    let mut keep = |text: Cow<'a, str>, capability| patterns.entry(text).or_default().insert(capability);
    for (grant, _, chosen, _) in grants {
        match &chosen.form {
            Form::Keep => keep(Cow::Owned(whole.clone()), grant.capability),
            Form::Drop => {}
            Form::Places(places) => {
                for place in places.iter().filter_map(|&n| grant.places.get(n as usize)) {
                    keep(Cow::Borrowed(place), grant.capability);
                }
            }
        }
    }
    // To a client `create` and `update` are one request: whoever keeps the one on a path of its own keeps the other.
    let all = stanza.capability_set();
    for (text, kept) in &mut patterns {
        if Pattern::parse(text, "").is_ok_and(|pattern| pattern.is_exact()) {
            *kept = kept.union(kept.with_write_twin().intersection(all));
        }
    }
    (patterns.get(&*whole) != Some(&all)).then_some(patterns)
}

/// The changes of one stanza to what it keeps, the tightest first.
pub(super) fn ladder(joined: &Joined, id: StanzaId, patterns: &Patterns<'_>) -> Vec<Change> {
    let stanza = &joined.policies[id];
    let namespace = &joined.policies[id.policy()].namespace;
    let whole = whole(joined, id);
    let left: CapabilitySet = patterns.values().fold(CapabilitySet::EMPTY, |all, c| all.union(*c));
    let kept: Vec<Capability> = stanza
        .capabilities
        .iter()
        .copied()
        .filter(|c| left.contains(*c))
        .collect();
    let step = if kept.is_empty() {
        Some(Change::Drop)
    } else if kept.len() < stanza.capabilities.len() {
        Some(Change::Capabilities(kept))
    } else {
        None
    };
    let narrow = (!patterns.keys().all(|text| *text == whole)).then(|| {
        let stanzas = merged(patterns).into_iter().map(|(path, capabilities)| NewStanza {
            path: path.strip_prefix(&**namespace).unwrap_or(&path).to_owned(),
            capabilities,
            comment: None,
            parameters: None,
        });
        Change::Replace(stanzas.collect())
    });
    narrow.into_iter().chain(step).collect()
}

/// The path of a stanza, the namespace in front.
pub(super) fn whole(joined: &Joined, id: StanzaId) -> String {
    let (namespace, path) = (&joined.policies[id.policy()].namespace, &joined.policies[id].path);
    format!("{namespace}{}", path.strip_prefix('/').unwrap_or(path))
}

/// Each pattern with all that wider ones of them have, since it decides alone; without those that say nothing new.
pub(super) fn merged(patterns: &Patterns<'_>) -> Vec<(String, CapabilitySet)> {
    let plus: Vec<(&str, Pattern)> = patterns
        .keys()
        .filter(|text| text.contains('+'))
        .filter_map(|text| Some((&**text, Pattern::parse(text, "").ok()?)))
        .collect();
    // The wider ones, the nearest first: folder globs on the way up, and patterns with `+`.
    let wider = |text: &str| -> Vec<&str> {
        let Ok(own) = Pattern::parse(text, "") else {
            return Vec::new();
        };
        let body = text.strip_suffix('*').unwrap_or(text);
        let mut found: Vec<(&str, Pattern)> = body
            .char_indices()
            .map(|(at, c)| at + c.len_utf8())
            .chain([0])
            .filter_map(|end| body.get(..end))
            .filter_map(|lead| patterns.get_key_value(&*format!("{lead}*")))
            .filter_map(|(key, _)| Some((&**key, Pattern::parse(key, "").ok()?)))
            .chain(plus.iter().cloned())
            .filter(|(key, wide)| *key != text && relation::implies(&own, wide))
            .collect();
        found.sort_by(|a, b| b.1.cmp_strength(&a.1));
        found.into_iter().map(|(key, _)| key).collect()
    };
    let full = |text: &str| {
        let all = wider(text).into_iter().chain([text]);
        all.filter_map(|t| patterns.get(t))
            .fold(CapabilitySet::EMPTY, |all, c| all.union(*c))
    };
    patterns
        .keys()
        .map(|text| (&**text, full(text)))
        .filter(|(text, own)| wider(text).first().is_none_or(|nearest| full(nearest) != *own))
        .map(|(text, own)| (text.to_owned(), own))
        .collect()
}
