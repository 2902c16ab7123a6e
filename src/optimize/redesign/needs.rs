//! What each principal is to keep though it did not use it: a redesign by use alone would write the noise of the past down.
//!
//! Everything that a tightened policy grants is a unit of the forecast, and its places are those who used it. It stays for all who
//! hold the policy, or goes for those who did not use it: that costs what those use who come to use it later, be they new or not. How
//! often that happens is told by the grant itself and by its like in other policies.

use crate::access::weight::{Weighed, Weights};
use crate::access::{HolderId, Joined, JoinedDemand, Outcome, SetId};
use crate::optimize::foresight::ForesightSettings;
use crate::optimize::foresight::births::{self, Place, Unit};
use crate::optimize::foresight::choice::{Form, Limits};
use crate::optimize::foresight::estimate::{Estimate, Off};
use crate::optimize::foresight::interval::Spread;
use crate::optimize::proof::{Proposed, ProposedNumber, Scheme};
use crate::optimize::tighten::{Missed, Names, Offer, Outlook, Span, shapes};
use crate::policy::model::Stanza;
use crate::policy::pattern::Pattern;
use crate::policy::table::{StanzaIdx, stanza_in};
use crate::vault::{Capability, CapabilitySet};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A policy set and who acts with it.
pub(super) type Key = (SetId, HolderId);

/// What is asked of the future.
#[derive(Clone, Copy)]
pub struct Ahead<'a> {
    /// The days that were watched, and how many ahead.
    pub span: Span,
    /// How far off such estimates were at earlier days.
    pub off: Off,
    /// The budget for what goes beyond the tightened policies.
    pub budget: f64,
    /// Limits.
    pub settings: &'a ForesightSettings,
    /// All that is expected of today's policies, ...
    pub outlook: &'a Outlook,
    /// ... and what half of the budget comes to.
    pub half: &'a Offer,
    /// What was taken away before, and missed.
    pub missed: &'a [Missed],
}

/// What to keep, by principal and set, and what that is expected to cost.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Stanzas of the tightened scheme, with their capabilities.
    pub(super) kept: HashMap<Key, Vec<Granted>>,
    /// Expected wrong denials of what goes.
    pub(super) denied: Spread,
}

fn hashed(parts: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// One thing granted by a policy.
type Granted = (StanzaIdx<Proposed>, Capability);

/// Who used a grant: the days, with how often.
type Used = BTreeMap<HolderId, BTreeMap<i32, u32>>;

/// What is kept; everything used is in the demands, and not told here.
pub(super) fn needs(joined: &Joined, tightened: &Scheme, weighed: &Weighed<'_>, ahead: &Ahead<'_>) -> Needs {
    let span = ahead.span;
    let judged = |set: SetId| joined.sets[set].is_known() && !joined.sets[set].acl.is_root();
    let mut holders: BTreeMap<ProposedNumber, BTreeSet<HolderId>> = BTreeMap::new();
    for ((_, holder), given) in tightened.given.iter().filter(|((set, _), _)| judged(*set)) {
        for &policy in given {
            holders.entry(policy).or_default().insert(*holder);
        }
    }
    let used = used(joined, tightened, span.first);
    let (shapes, names) = shapes(&tightened.policies);
    let ids: Vec<Granted> = holders
        .keys()
        .flat_map(|&policy| tightened.policies.stanzas_of(policy))
        .flat_map(|id| {
            granted(&tightened.policies[id])
                .iter()
                .map(move |capability| (id, capability))
        })
        .collect();
    let nobody = BTreeSet::new();
    let units: Vec<Unit> = ids
        .par_iter()
        .map(|id| {
            let (policy, place) = (id.0.policy(), id.0.place());
            let all = holders.get(&policy).unwrap_or(&nobody);
            let size = size(tightened, id.0, weighed);
            let shape = shapes[policy].stanzas.get(place);
            let likes = likes(id.1, shape.map_or("", String::as_str));
            unit(tightened, *id, all, used.get(id), (size, weighed.weights()), likes)
        })
        .collect();
    let watched = (span.end - span.first, span.horizon);
    let missed = missed(ahead.missed, &names);
    let estimate = Estimate::known(&units, &missed, watched, 0.0, ahead.off);
    let limits = Limits {
        budget: ahead.budget,
        each: ahead.settings.per_principal,
        worth: worth(&units),
    };
    let found = estimate.within(&units, limits);
    let all = units.iter().zip(&found.chosen).zip(&estimate.expected);
    let denied = estimate.spread(all.map(|((unit, chosen), expected)| (unit, chosen, expected)));
    let mut stays: BTreeMap<ProposedNumber, Vec<Granted>> = BTreeMap::new();
    for (id, chosen) in ids.into_iter().zip(&found.chosen) {
        if chosen.form == Form::Keep {
            stays.entry(id.0.policy()).or_default().push(id);
        }
    }
    let mut kept: HashMap<Key, Vec<Granted>> = HashMap::new();
    for (&key, given) in tightened.given.iter().filter(|((set, _), _)| judged(*set)) {
        let mine = given.iter().filter_map(|p| stays.get(p)).flatten().copied();
        kept.insert(key, mine.collect());
    }
    Needs { kept, denied }
}

/// What a grant is like: its capability, then the shape of its stanza too.
fn likes(capability: Capability, shape: &str) -> Vec<u64> {
    vec![hashed(capability.as_str()), hashed((capability.as_str(), shape))]
}

/// What was taken away and missed: somebody came to use what others had used, of each grant once.
fn missed(missed: &[Missed], names: &Names) -> Vec<births::Missed> {
    let grants: BTreeSet<(&str, &str, Capability)> = missed
        .iter()
        .map(|one| (one.policy.as_str(), one.stanza.as_str(), one.capability))
        .collect();
    let told = grants.into_iter().map(|(policy, stanza, capability)| {
        let name = policy.rsplit('/').next().unwrap_or(policy);
        births::Missed {
            likes: likes(capability, &names.shape(name, stanza)),
            below: Some(0),
        }
    });
    told.collect()
}

/// What one access of one principal leaves open, in the mean.
fn worth(units: &[Unit]) -> f64 {
    let sums = units.iter().fold((0.0, 0.0), |(open, accesses), unit| {
        (open + unit.open, accesses + unit.shares.len() as f64 * unit.breadth)
    });
    if sums.1 > 0.0 { sums.0 / sums.1 } else { 0.0 }
}

/// Who used what of the tightened policies, and when, counted from the first day of the past.
fn used(joined: &Joined, tightened: &Scheme, first: i32) -> BTreeMap<Granted, Used> {
    let mut demands: BTreeMap<Key, Vec<&JoinedDemand>> = BTreeMap::new();
    for d in joined
        .demands
        .iter()
        .filter(|d| matches!(d.outcome, Outcome::Explained(_)))
    {
        demands.entry((d.set, d.holder)).or_default().push(d);
    }
    let demands: Vec<(Key, Vec<&JoinedDemand>)> = demands.into_iter().collect();
    let by_key: Vec<BTreeMap<Granted, Used>> = demands
        .par_iter()
        .map(|(key, demands)| {
            let mut found: BTreeMap<Granted, Used> = BTreeMap::new();
            let Some(given) = tightened.given.get(key) else {
                return found;
            };
            let acl = tightened.acl(joined, key.0, key.1, given);
            for d in demands {
                let rule = acl.winner(d.operation(), &d.path).and_then(|r| acl.rule(r));
                for source in rule.into_iter().flat_map(|r| &r.sources) {
                    for capability in d.needs().intersection(source.capabilities).iter() {
                        let used = found.entry((stanza_in(given, source), capability)).or_default();
                        let days = used.entry(key.1).or_default();
                        for &day in &d.demand.days {
                            *days.entry(day - first).or_default() += 1;
                        }
                        if d.demand.days.is_empty() {
                            *days.entry(0).or_default() += 1;
                        }
                    }
                }
            }
            found
        })
        .collect();
    let mut all: BTreeMap<Granted, Used> = BTreeMap::new();
    for (id, used) in by_key.into_iter().flatten() {
        let of_all = all.entry(id).or_default();
        for (holder, days) in used {
            let mine = of_all.entry(holder).or_default();
            for (day, n) in days {
                *mine.entry(day).or_default() += n;
            }
        }
    }
    all
}

/// The capabilities of a stanza that are a grant.
fn granted(stanza: &Stanza) -> CapabilitySet {
    let set = stanza.capability_set();
    if set.contains(Capability::Deny) {
        CapabilitySet::EMPTY
    } else {
        set
    }
}

/// Known paths under a stanza, open ends counted as the weights do.
fn size(tightened: &Scheme, id: StanzaIdx<Proposed>, weighed: &Weighed<'_>) -> f64 {
    let universe = weighed.universe();
    let namespace = &tightened.policies[id.policy()].namespace;
    let Ok(pattern) = Pattern::parse(&tightened.policies[id].path, namespace) else {
        return 1.0;
    };
    let under = universe.under(crate::access::universe::lead(&pattern));
    if pattern.is_exact() {
        1.0
    } else if pattern.is_plain_prefix() {
        1.0 + under.len() as f64
    } else {
        let matching = under.filter(|&n| universe.paths().get(n).is_some_and(|p| pattern.matches(p)));
        1.0 + matching.count() as f64
    }
}

/// A grant as a unit: those who used it are its places; what is open is open to those who did not.
fn unit(
    tightened: &Scheme,
    (id, capability): Granted,
    holders: &BTreeSet<HolderId>,
    used: Option<&Used>,
    (size, weights): (f64, &Weights),
    likes: Vec<u64>,
) -> Unit {
    let path = &tightened.policies[id].path;
    let number = |h: HolderId| u32::try_from(h.number()).unwrap_or(u32::MAX);
    let is_user = |h: &&HolderId| used.is_some_and(|used| used.contains_key(h));
    let others: Vec<u32> = holders.iter().filter(|h| !is_user(h)).map(|h| number(*h)).collect();
    let count = others.len() as f64;
    let open = count * size * weights.of(path, CapabilitySet::of(capability));
    let leaves = used.into_iter().flatten().filter_map(|(_, days)| {
        Some(Place {
            parent: Some(0),
            depth: 1,
            open: 0.0,
            first: *days.keys().next()?,
            uses: days.iter().map(|(&day, &n)| (day, n)).collect(),
        })
    });
    let leaves: Vec<Place> = leaves.collect();
    let root = leaves.iter().map(|p| p.first).min().map(|first| Place {
        parent: None,
        depth: 0,
        open,
        first,
        uses: Vec::new(),
    });
    Unit {
        likes,
        places: root.into_iter().chain(leaves).collect(),
        block: u32::try_from(id.policy().number()).unwrap_or(u32::MAX),
        shares: others.into_iter().map(|h| (h, 1.0 / count)).collect(),
        breadth: size,
        open,
        narrows: true,
        idle: false,
        free: open > 0.0,
    }
}

/// All needs of one principal in one set, as a set.
pub(super) fn of(needs: &Needs, key: Key) -> BTreeSet<Granted> {
    needs.kept.get(&key).into_iter().flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_once_is_told_of_all_that_are_like_it_once_for_each_grant() {
        let one = |path: &str| Missed {
            capability: Capability::Delete,
            policy: "team1/team-web".to_owned(),
            stanza: "kv/web/*".to_owned(),
            to: "team-web".to_owned(),
            path: path.to_owned(),
        };
        let names = Names::default();
        let told = missed(&[one("kv/web/a"), one("kv/web/b")], &names);
        let like = likes(Capability::Delete, &names.shape("team-pay", "kv/pay/*"));
        assert_eq!(
            told.iter().map(|one| (&one.likes, one.below)).collect::<Vec<_>>(),
            [(&like, Some(0))]
        );
        assert_ne!(
            told[0].likes,
            likes(Capability::Read, &names.shape("team-pay", "kv/pay/*"))
        );
    }
}
