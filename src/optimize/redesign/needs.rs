//! What each principal is to keep though it did not use it: a redesign by use alone would write the noise of the past down.
//!
//! Everything that the tightened policies grant to a principal is a unit of the forecast: used ones stay; of the others those go
//! that are not expected to be needed, by what its peers under the same stanza did, within a budget.

use super::matrix::Key;
use crate::access::weight::{Weighed, Weights};
use crate::access::{HolderId, Joined, Outcome, SetId};
use crate::optimize::foresight::ForesightSettings;
use crate::optimize::foresight::births::{Place, Unit};
use crate::optimize::foresight::choice::{self, Form, Limits};
use crate::optimize::foresight::forecast::forecast;
use crate::optimize::foresight::interval::Spread;
use crate::optimize::proof::Scheme;
use crate::optimize::tighten::Span;
use crate::policy::pattern::Pattern;
use crate::vault::{Capability, CapabilitySet};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// What is asked of the future.
#[derive(Debug, Clone, Copy)]
pub struct Ahead<'a> {
    /// The days that were watched, and how many ahead.
    pub span: Span,
    /// Uses that are expected over the horizon.
    pub uses: f64,
    /// The budget for what goes beyond the tightened policies.
    pub budget: f64,
    /// Limits.
    pub settings: &'a ForesightSettings,
}

/// What to keep, by principal and set, and what that is expected to cost.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Policy, stanza (of the tightened scheme) and capability.
    pub(super) kept: HashMap<Key, Vec<(usize, usize, Capability)>>,
    /// Expected wrong denials of what goes.
    pub(super) denied: Spread,
}

fn hashed(parts: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// One thing granted to one principal.
type Granted = (usize, usize, Capability);

/// What is kept; everything used is in the demands, and not told here.
pub(super) fn needs(joined: &Joined, tightened: &Scheme, weighed: &Weighed<'_>, ahead: &Ahead<'_>) -> Needs {
    let span = ahead.span;
    let mut demands: BTreeMap<(SetId, HolderId), Vec<usize>> = BTreeMap::new();
    for (n, d) in joined.demands.iter().enumerate() {
        if matches!(d.outcome, Outcome::Explained(_)) {
            demands.entry((d.set, d.holder)).or_default().push(n);
        }
    }
    let sizes = sizes(tightened, weighed);
    type OfList = ((SetId, HolderId), Vec<(Granted, Unit)>);
    let all: Vec<OfList> = tightened
        .given
        .par_iter()
        .filter(|((set, _), _)| joined.sets[*set].is_known() && !joined.sets[*set].acl.is_root())
        .map(|(&key, given)| {
            let acl = tightened.acl(joined, key.0, key.1, given);
            let mut used: BTreeMap<Granted, BTreeMap<i32, u32>> = BTreeMap::new();
            for d in demands
                .get(&key)
                .into_iter()
                .flatten()
                .filter_map(|&n| joined.demands.get(n))
            {
                let rule = acl.winner(d.operation(), &d.path).and_then(|r| acl.rule(r));
                for source in rule.into_iter().flat_map(|r| &r.sources) {
                    let Some(&policy) = given.get(source.policy) else {
                        continue;
                    };
                    for capability in d.needs().intersection(source.capabilities).iter() {
                        let days = used.entry((policy, source.stanza, capability)).or_default();
                        for &day in &d.demand.days {
                            *days.entry(day - span.first).or_default() += 1;
                        }
                        if d.demand.days.is_empty() {
                            *days.entry(0).or_default() += 1;
                        }
                    }
                }
            }
            let units = given.iter().flat_map(|&p| {
                let stanzas = tightened.policies.get(p).map(|q| q.stanzas.len()).unwrap_or_default();
                (0..stanzas).map(move |s| (p, s))
            });
            let units = units
                .flat_map(|(p, s)| {
                    granted(tightened, p, s)
                        .iter()
                        .map(move |c| (p, s, c))
                        .collect::<Vec<_>>()
                })
                .map(|id| {
                    (
                        id,
                        unit(tightened, key.1, id, used.get(&id), (&sizes, weighed.weights())),
                    )
                })
                .collect();
            (key, units)
        })
        .collect();
    let mut ids: Vec<((SetId, HolderId), Granted)> = Vec::new();
    let mut units: Vec<Unit> = Vec::new();
    for (key, list) in all {
        for (id, unit) in list {
            ids.push((key, id));
            units.push(unit);
        }
    }
    let expected = forecast(&units, span.end - span.first, span.horizon);
    let found = choice::within(
        &units,
        &expected,
        0.0,
        Limits {
            budget: ahead.budget,
            each: ahead.settings.per_principal,
        },
    );
    let mut needs = Needs::default();
    for (((key, id), chosen), expected) in ids.into_iter().zip(&found.chosen).zip(&expected) {
        if chosen.form == Form::Drop {
            needs.denied.own += chosen.denied * (2.0 * expected.burst - 1.0).max(1.0);
        } else {
            needs.kept.entry(key).or_default().push(id);
        }
    }
    needs.denied.mean = found.denied;
    needs
}

/// The capabilities of a stanza that are a grant.
fn granted(tightened: &Scheme, policy: usize, stanza: usize) -> CapabilitySet {
    let found = tightened.policies.get(policy).and_then(|p| p.stanzas.get(stanza));
    let set = found.map(|s| s.capability_set()).unwrap_or_default();
    if set.contains(Capability::Deny) {
        CapabilitySet::EMPTY
    } else {
        set
    }
}

/// Known paths under each stanza, open ends counted as the weights do.
fn sizes(tightened: &Scheme, weighed: &Weighed<'_>) -> Vec<Vec<f64>> {
    let universe = weighed.universe();
    let size = |namespace: &str, path: &str| {
        let Ok(pattern) = Pattern::parse(path, namespace) else {
            return 1.0;
        };
        let lead = crate::access::universe::lead(&pattern);
        let under = universe.under(lead);
        if pattern.is_exact() {
            1.0
        } else if pattern.is_plain_prefix() {
            1.0 + under.len() as f64
        } else {
            let matching = under.filter(|&n| universe.paths().get(n).is_some_and(|p| pattern.matches(p)));
            1.0 + matching.count() as f64
        }
    };
    tightened
        .policies
        .par_iter()
        .map(|p| p.stanzas.iter().map(|s| size(&p.namespace, &s.path)).collect())
        .collect()
}

fn unit(
    tightened: &Scheme,
    holder: HolderId,
    (policy, stanza, capability): Granted,
    used: Option<&BTreeMap<i32, u32>>,
    (sizes, weights): (&[Vec<f64>], &Weights),
) -> Unit {
    let size = sizes.get(policy).and_then(|s| s.get(stanza)).copied().unwrap_or(1.0);
    let found = tightened.policies.get(policy);
    let path = found
        .and_then(|p| p.stanzas.get(stanza))
        .map(|s| &*s.path)
        .unwrap_or_default();
    let engine = path.split('/').next().unwrap_or_default();
    let wide = size.log2() as u32;
    let word = capability.as_str();
    let places = used.map_or_else(Vec::new, |days| {
        let first = days.keys().next().copied().unwrap_or_default();
        let place = |parent, uses: Vec<(i32, u32)>| Place {
            parent,
            depth: u8::from(!uses.is_empty()),
            open: 0.0,
            first,
            uses,
        };
        vec![
            place(None, Vec::new()),
            place(Some(0), days.iter().map(|(&d, &n)| (d, n)).collect()),
        ]
    });
    let weight = CapabilitySet::of(capability);
    Unit {
        likes: vec![
            hashed((word, wide)),
            hashed((word, wide, engine)),
            hashed((word, policy, stanza)),
        ],
        places,
        block: u32::try_from(holder.number()).unwrap_or(u32::MAX),
        shares: vec![(u32::try_from(holder.number()).unwrap_or(u32::MAX), 1.0)],
        breadth: size,
        open: size * weights.of(path, weight),
        narrows: false,
        idle: false,
        free: true,
    }
}

/// All needs of one principal in one set, as a set.
pub(super) fn of(needs: &Needs, key: Key) -> BTreeSet<Granted> {
    needs.kept.get(&key).into_iter().flatten().copied().collect()
}
