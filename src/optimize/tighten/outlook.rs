//! What tightening would cost tomorrow, and the forms that are best within a budget.

use super::units::{self, Grant, Units};
use super::{Ladders, Options, Tightening, changeable, settle};
use crate::access::weight::Weighed;
use crate::access::{Joined, JoinedDemand, Outcome, StanzaId};
use crate::optimize::edit::{Change, NewStanza};
use crate::optimize::foresight::choice::{self, Chosen, Form};
use crate::optimize::foresight::forecast::{Expected, forecast};
use crate::optimize::foresight::interval::Spread;
use crate::optimize::foresight::origin::{Checked, Origin, origins};
use crate::policy::pattern::Pattern;
use crate::policy::relation;
use crate::vault::{Capability, CapabilitySet};
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
    units: Units,
    expected: Vec<Expected>,
    origins: Vec<Origin>,
    piece: f64,
    /// Uses that are expected over the horizon.
    pub uses: f64,
}

/// What a price of an expected wrong denial comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The price.
    pub price: f64,
    /// What stays open, by weight.
    pub open: f64,
    /// Expected wrong denials, with what scatters them.
    pub denied: Spread,
    chosen: Vec<Chosen>,
}

/// Looks ahead.
#[must_use]
pub fn outlook(joined: &Joined, options: &Options<'_>, weighed: &Weighed<'_>, span: Span) -> Outlook {
    let free: BTreeSet<StanzaId> = changeable(joined, options.removable).into_iter().collect();
    let units = units::read(joined, weighed, &free, (span.first, span.end));
    let expected = forecast(&units.units, span.end - span.first, span.horizon);
    Outlook {
        uses: uses(joined, span),
        origins: origins(&units.units, span.end - span.first, span.horizon),
        units,
        expected,
        piece: 5.0,
    }
}

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
    /// What the same choice at earlier days of the past promised, and what came.
    #[must_use]
    pub fn checked(&self, offer: &Offer) -> Vec<Checked> {
        let origins = self.origins.iter();
        origins
            .map(|o| o.check(&self.units.units, offer.price, self.piece))
            .collect()
    }

    /// What is best at this price of an expected wrong denial.
    #[must_use]
    pub fn at(&self, price: f64) -> Offer {
        let (chosen, open, denied) = choice::at(&self.units.units, &self.expected, price, self.piece);
        let own = chosen
            .iter()
            .zip(&self.expected)
            .map(|(c, e)| c.denied * (2.0 * e.burst - 1.0).max(1.0))
            .sum();
        Offer {
            price,
            open,
            denied: Spread {
                mean: denied,
                own,
                common: 0.6,
            },
            chosen,
        }
    }

    /// The offer that leaves the least open within this many wrong denials for each use that is expected, or `at_least`.
    #[must_use]
    pub fn within(&self, budget: f64, at_least: f64) -> Offer {
        let budget = (budget * self.uses).max(if budget > 0.0 { at_least } else { 0.0 });
        let (mut low, mut high) = (-6.0_f64, 12.0_f64);
        let mut best = self.at(10_f64.powf(high));
        for _ in 0..36 {
            let middle = (low + high) / 2.0;
            let offer = self.at(10_f64.powf(middle));
            if offer.denied.mean <= budget {
                best = offer;
                high = middle;
            } else {
                low = middle;
            }
        }
        best
    }

    /// The offer as changes, proven.
    #[must_use]
    pub fn tighten(&self, joined: &Joined, options: &Options<'_>, offer: &Offer) -> Tightening {
        let mut by_stanza: BTreeMap<StanzaId, Vec<(&Grant, &Chosen)>> = BTreeMap::new();
        for (grant, chosen) in self.units.grants.iter().zip(&offer.chosen) {
            by_stanza.entry(grant.stanza).or_default().push((grant, chosen));
        }
        let ladders: Ladders = by_stanza
            .into_iter()
            .filter_map(|(id, grants)| Some((id, ladder(joined, id, &grants)?)))
            .collect();
        settle::settle(joined, options, &ladders).into_tightening()
    }
}

/// The changes of one stanza, the tightest first; none where all of it stays.
fn ladder(joined: &Joined, id: StanzaId, grants: &[(&Grant, &Chosen)]) -> Option<Vec<Change>> {
    let stanza = joined.stanza(id)?;
    let namespace = &joined.policies.get(id.0)?.namespace;
    let whole = format!("{namespace}{}", stanza.path.strip_prefix('/').unwrap_or(&stanza.path));
    if grants.iter().all(|(_, c)| c.form == Form::Keep) {
        return None;
    }
    let mut patterns: BTreeMap<&str, CapabilitySet> = BTreeMap::new();
    for (grant, chosen) in grants {
        match &chosen.form {
            Form::Keep => patterns.entry(&whole).or_default().insert(grant.capability),
            Form::Drop => {}
            Form::Places(places) => {
                for place in places.iter().filter_map(|&n| grant.places.get(n as usize)) {
                    patterns.entry(place).or_default().insert(grant.capability);
                }
            }
        }
    }
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
        let stanzas = merged(&patterns).into_iter().map(|(path, capabilities)| NewStanza {
            path: path.strip_prefix(&**namespace).unwrap_or(&path).to_owned(),
            capabilities,
            comment: None,
            parameters: None,
        });
        Change::Replace(stanzas.collect())
    });
    Some(narrow.into_iter().chain(step).collect())
}

/// Each pattern with all that wider ones of them have, since it decides alone; without those that say nothing new.
fn merged(patterns: &BTreeMap<&str, CapabilitySet>) -> Vec<(String, CapabilitySet)> {
    let plus: Vec<(&str, Pattern)> = patterns
        .keys()
        .filter(|text| text.contains('+'))
        .filter_map(|text| Some((*text, Pattern::parse(text, "").ok()?)))
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
            .filter_map(|(key, _)| Some((*key, Pattern::parse(key, "").ok()?)))
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
        .map(|text| (*text, full(text)))
        .filter(|(text, own)| wider(text).first().is_none_or(|nearest| full(nearest) != *own))
        .map(|(text, own)| (text.to_owned(), own))
        .collect()
}
