//! Stanzas and their capabilities as units of the forecast: what each was used for, by whom, on which days, and what it is like.

use super::expressible;
use super::shape::{Names, Shape, shapes};
use crate::access::weight::Weighed;
use crate::access::{HolderId, Joined, PolicyNumber, StanzaId};
use crate::index::IndexVec;
use crate::optimize::foresight::births::{Place, Unit};
use crate::policy::model::Policy;
use crate::policy::pattern::Pattern;
use crate::vault::{Capability, CapabilitySet};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// One capability of one stanza.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    /// The stanza.
    pub(super) stanza: StanzaId,
    /// The capability.
    pub(super) capability: Capability,
    /// The patterns of its places, namespace included, as stanzas write them.
    pub(super) places: Vec<String>,
}

/// All grants as units, and how many uses there were.
#[derive(Debug, Default)]
pub(super) struct Units {
    /// What each unit is.
    pub(super) grants: Vec<Grant>,
    /// The units.
    pub(super) units: Vec<Unit>,
    /// What one access leaves open, in the mean.
    pub(super) worth: f64,
    /// The shape of each stanza, by policy.
    pub(super) shapes: IndexVec<Policy, Shape>,
    /// Which words of paths are names.
    pub(super) names: Names,
}

/// What was used through one unit: by path, the days with how often.
type Used<'a> = BTreeMap<&'a str, BTreeMap<i32, u32>>;

/// A sum over known paths in order, so that all below a folder is one difference.
struct Sums {
    listed: Vec<Both>,
    others: Vec<Both>,
}

/// What stays open by weight, and by number of accesses.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Both {
    weight: f64,
    pairs: f64,
}

impl Both {
    fn and(self, other: Self) -> Self {
        Self {
            weight: self.weight + other.weight,
            pairs: self.pairs + other.pairs,
        }
    }

    fn without(self, other: Self) -> Self {
        Self {
            weight: (self.weight - other.weight).max(0.0),
            pairs: (self.pairs - other.pairs).max(0.0),
        }
    }

    fn times(self, n: f64) -> Self {
        Self {
            weight: self.weight * n,
            pairs: self.pairs * n,
        }
    }

    /// Weight and number of accesses count the same over all, where one access weighs so much in the mean.
    fn measure(&self, worth: f64) -> f64 {
        f64::midpoint(self.weight, self.pairs * worth)
    }
}

impl Sums {
    fn new(weighed: &Weighed<'_>) -> Self {
        let (mut listed, mut others) = (vec![Both::default()], vec![Both::default()]);
        let (mut a, mut b) = (Both::default(), Both::default());
        for (n, path) in weighed.universe().paths().iter().enumerate() {
            let one = Both {
                weight: weighed.class(u32::try_from(n).unwrap_or(u32::MAX)).1,
                pairs: 1.0,
            };
            if path.ends_with('/') || path.is_empty() {
                a = a.and(one);
            } else {
                b = b.and(one);
            }
            listed.push(a);
            others.push(b);
        }
        Self { listed, others }
    }

    /// Factors and numbers of the paths that can be asked for a capability.
    fn of(&self, range: std::ops::Range<usize>, capability: Capability) -> Both {
        let over = |sums: &[Both]| {
            let at = |n: usize| sums.get(n).copied().unwrap_or_default();
            at(range.end).without(at(range.start))
        };
        match capability {
            Capability::List | Capability::Scan => over(&self.listed),
            Capability::Sudo => over(&self.listed).and(over(&self.others)),
            _ => over(&self.others),
        }
    }
}

fn hashed(parts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// Reads all grants off the join; `days` is the first day of the past and the one after its last.
pub(super) fn read(joined: &Joined, weighed: &Weighed<'_>, free: &BTreeSet<StanzaId>, days: (i32, i32)) -> Units {
    let mut used: HashMap<(StanzaId, Capability), Used<'_>> = HashMap::new();
    let mut by: HashMap<(StanzaId, Capability), BTreeMap<HolderId, f64>> = HashMap::new();
    let mut pairs: HashMap<(StanzaId, Capability), HashSet<(HolderId, &str)>> = HashMap::new();
    for d in &joined.demands {
        for (stanza, given) in joined.allowed_by(d) {
            for capability in d.needs().intersection(given).iter() {
                let key = (stanza, capability);
                // The same use under another set of the same holder counts once.
                if !pairs.entry(key).or_default().insert((d.holder, &d.path)) {
                    continue;
                }
                *by.entry(key).or_default().entry(d.holder).or_default() += d.demand.days.len().max(1) as f64;
                let by_day = used.entry(key).or_default().entry(&d.path).or_default();
                for &day in &d.demand.days {
                    *by_day.entry(day - days.0).or_default() += 1;
                }
                if d.demand.days.is_empty() {
                    *by_day.entry(0).or_default() += 1;
                }
            }
        }
    }
    let (shapes, names) = shapes(&joined.policies);
    let sums = Sums::new(weighed);
    let holders = current_holders(joined);
    let ids: Vec<(StanzaId, Capability)> = joined
        .policies
        .stanzas()
        .flat_map(|id| {
            let set = joined.policies[id].capability_set();
            let denies = set.contains(Capability::Deny);
            set.iter().filter(move |_| !denies).map(move |c| (id, c))
        })
        .collect();
    let empty = Used::new();
    let (grants, units): (Vec<Grant>, Vec<(Unit, Vec<Both>)>) = ids
        .par_iter()
        .filter_map(|&(id, capability)| {
            let (number, stanza) = (id.policy(), &joined.policies[id]);
            let policy = &joined.policies[number];
            let pattern = Pattern::parse(&stanza.path, &policy.namespace).ok()?;
            let mine = used.get(&(id, capability)).unwrap_or(&empty);
            let likes = likes(&shapes[number], id.place(), capability);
            let pairs = pairs.get(&(id, capability));
            let count = holders[number].max(0.5);
            let open = Open {
                weighed,
                sums: &sums,
                capability,
                holders: count,
            };
            let narrows = !stanza.templated
                && stanza.constraints.is_empty()
                && !pattern.is_exact()
                && mine.keys().all(|p| pattern.matches(p) && expressible(p));
            let (texts, places) = tree(&pattern, mine, narrows);
            let mut by_path: HashMap<&str, f64> = HashMap::new();
            for (_, path) in pairs.into_iter().flatten() {
                *by_path.entry(path).or_default() += 1.0;
            }
            let opens = match places.is_empty() {
                true => vec![open.under(&pattern)],
                false => open.places(&pattern, &texts, &places, &by_path),
            };
            Some((
                Grant {
                    stanza: id,
                    capability,
                    places: texts,
                },
                (
                    Unit {
                        likes,
                        places,
                        shares: shares(by.get(&(id, capability)), &joined.held[number].by),
                        block: u32::try_from(number.number()).unwrap_or(u32::MAX),
                        breadth: opens.first().map_or(1.0, |all| all.pairs / count),
                        open: 0.0,
                        narrows,
                        idle: idle(joined, number),
                        free: free.contains(&id),
                    },
                    opens,
                ),
            ))
        })
        .unzip();
    let worth = worth(&units);
    Units {
        grants,
        units: units
            .into_iter()
            .map(|(unit, opens)| measured(unit, &opens, worth))
            .collect(),
        worth,
        shapes,
        names,
    }
}

/// One capability of one stanza, as one of its holders used it.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) holder: HolderId,
    /// With the places that this holder used.
    pub(super) grant: Grant,
    pub(super) unit: Unit,
}

/// The grants that may change, for each of the holders of their policies by itself, in the measure of `all`.
pub(super) fn by_holder(
    joined: &Joined,
    weighed: &Weighed<'_>,
    all: &Units,
    holders: &BTreeMap<PolicyNumber, BTreeSet<HolderId>>,
    first: i32,
) -> Vec<Own> {
    let mut used: HashMap<(StanzaId, Capability, HolderId), Used<'_>> = HashMap::new();
    let mut seen: HashSet<(StanzaId, Capability, HolderId, &str)> = HashSet::new();
    for d in &joined.demands {
        for (stanza, given) in joined.allowed_by(d) {
            if !holders.get(&stanza.policy()).is_some_and(|by| by.contains(&d.holder)) {
                continue;
            }
            for capability in d.needs().intersection(given).iter() {
                // The same use under another set counts once, as it does for all of them together.
                if !seen.insert((stanza, capability, d.holder, &d.path)) {
                    continue;
                }
                let by_day = used
                    .entry((stanza, capability, d.holder))
                    .or_default()
                    .entry(&d.path)
                    .or_default();
                for &day in &d.demand.days {
                    *by_day.entry(day - first).or_default() += 1;
                }
                if d.demand.days.is_empty() {
                    *by_day.entry(0).or_default() += 1;
                }
            }
        }
    }
    let sums = Sums::new(weighed);
    let free = all.grants.iter().zip(&all.units).filter(|(_, unit)| unit.free);
    let pairs: Vec<(&Grant, &Unit, HolderId)> = free
        .flat_map(|(grant, unit)| {
            let by = holders.get(&grant.stanza.policy()).into_iter().flatten();
            by.map(move |&holder| (grant, unit, holder))
        })
        .collect();
    let mut blocks: HashMap<(PolicyNumber, HolderId), u32> = HashMap::new();
    for (grant, _, holder) in &pairs {
        let next = u32::try_from(blocks.len()).unwrap_or(u32::MAX);
        blocks.entry((grant.stanza.policy(), *holder)).or_insert(next);
    }
    let empty = Used::new();
    pairs
        .par_iter()
        .filter_map(|&(of, unit, holder)| {
            let (id, capability) = (of.stanza, of.capability);
            let pattern = Pattern::parse(&joined.policies[id].path, &joined.policies[id.policy()].namespace).ok()?;
            let mine = used.get(&(id, capability, holder)).unwrap_or(&empty);
            let (texts, places) = tree(&pattern, mine, unit.narrows);
            let open = Open {
                weighed,
                sums: &sums,
                capability,
                holders: 1.0,
            };
            let by_path: HashMap<&str, f64> = mine.keys().map(|path| (*path, 1.0)).collect();
            let opens = match places.is_empty() {
                true => vec![open.under(&pattern)],
                false => open.places(&pattern, &texts, &places, &by_path),
            };
            // Nothing is more like it than the same grant of another holder.
            let same = hashed(&[
                capability.as_str(),
                &joined.policies[id.policy()].id().to_string(),
                &joined.policies[id].path,
            ]);
            let own = Unit {
                likes: unit.likes.iter().copied().chain([same]).collect(),
                places,
                shares: vec![(number(holder), 1.0)],
                block: blocks.get(&(id.policy(), holder)).copied().unwrap_or(u32::MAX),
                breadth: opens.first().map_or(1.0, |all| all.pairs),
                open: 0.0,
                narrows: unit.narrows,
                idle: false,
                free: true,
            };
            let grant = Grant {
                stanza: id,
                capability,
                places: texts,
            };
            Some(Own {
                holder,
                grant,
                unit: measured(own, &opens, all.worth),
            })
        })
        .collect()
}

/// What a pattern leaves open to one holder, of a capability, in the measure of units.
pub(super) struct OpenToOne<'a> {
    weighed: &'a Weighed<'a>,
    sums: Sums,
    worth: f64,
}

impl<'a> OpenToOne<'a> {
    pub(super) fn new(weighed: &'a Weighed<'a>, worth: f64) -> Self {
        Self {
            weighed,
            sums: Sums::new(weighed),
            worth,
        }
    }

    pub(super) fn under(&self, pattern: &Pattern, capabilities: CapabilitySet) -> f64 {
        let open = |capability| {
            let open = Open {
                weighed: self.weighed,
                sums: &self.sums,
                capability,
                holders: 1.0,
            };
            open.under(pattern).measure(self.worth)
        };
        capabilities.iter().map(open).sum()
    }
}

/// A holder as the statistics know it.
pub(super) fn number(holder: HolderId) -> u32 {
    u32::try_from(holder.number()).unwrap_or(u32::MAX)
}

/// Who would be denied: those who used it, by how often; where nobody did, its holders alike.
fn shares(used: Option<&BTreeMap<HolderId, f64>>, held: &BTreeSet<HolderId>) -> Vec<(u32, f64)> {
    if let Some(used) = used {
        let all: f64 = used.values().sum();
        return used.iter().map(|(&h, n)| (number(h), n / all)).collect();
    }
    let all = held.len().max(1) as f64;
    held.iter().map(|&h| (number(h), 1.0 / all)).collect()
}

/// What one access weighs in the mean.
fn worth(units: &[(Unit, Vec<Both>)]) -> f64 {
    let all = units.iter().filter_map(|(_, opens)| opens.first());
    let all = all.fold(Both::default(), |sum, one| sum.and(*one));
    if all.pairs > 0.0 { all.weight / all.pairs } else { 0.0 }
}

/// A unit with what it leaves open in one measure.
fn measured(mut unit: Unit, opens: &[Both], worth: f64) -> Unit {
    unit.open = opens.first().map_or(0.0, |both| both.measure(worth));
    for (place, open) in unit.places.iter_mut().zip(opens) {
        place.open = open.measure(worth);
    }
    unit
}

/// Whether nobody holds the policy, and it is known that nothing hands it out.
fn idle(joined: &Joined, policy: PolicyNumber) -> bool {
    let known = joined.handed_out.as_ref().filter(|known| known.is_complete());
    joined.held[policy].by.is_empty() && known.is_some_and(|known| !known.names(&joined.policies[policy].id()))
}

/// What a grant is like, from the widest to the nearest: the capability, then the shape of stanza and policy. Nothing that follows from
/// use (how many hold it, how often they act) is in it: it would tell those apart that have been used from those that will be.
fn likes(shape: &Shape, stanza: usize, capability: Capability) -> Vec<u64> {
    let word = capability.as_str();
    let text = shape.stanzas.get(stanza).map_or("", String::as_str);
    vec![hashed(&[word]), hashed(&[word, text, &shape.policy])]
}

/// How many hold each policy today.
fn current_holders(joined: &Joined) -> IndexVec<Policy, f64> {
    let mut count = joined.policies.map(|_| 0.0);
    for holder in &joined.holders {
        for &p in &joined.sets[holder.current].policies {
            count[p] += 1.0;
        }
    }
    count
}

/// What stays open of a capability where a pattern is kept.
struct Open<'a> {
    weighed: &'a Weighed<'a>,
    sums: &'a Sums,
    capability: Capability,
    holders: f64,
}

impl Open<'_> {
    fn one(&self) -> CapabilitySet {
        CapabilitySet::of(self.capability)
    }

    /// All known paths, and the open end, for all holders.
    fn under(&self, pattern: &Pattern) -> Both {
        let universe = self.weighed.universe();
        let weights = self.weighed.weights();
        let lead = crate::access::universe::lead(pattern);
        if pattern.is_exact() {
            let known = Both {
                weight: weights.of(lead, self.one()),
                pairs: 1.0,
            };
            return known.times(self.holders);
        }
        let known = if pattern.is_plain_prefix() {
            self.sums.of(universe.under(lead), self.capability)
        } else {
            universe
                .under(lead)
                .filter(|&n| universe.paths().get(n).is_some_and(|p| pattern.matches(p)))
                .map(|n| self.sums.of(n..n + 1, self.capability))
                .fold(Both::default(), Both::and)
        };
        let all = Both {
            weight: known.weight * weights.of_capabilities(self.one()) + weights.open_end(lead, self.one()),
            pairs: known.pairs,
        };
        all.times(self.holders)
    }

    /// What each place leaves open: what is under it, without what is used.
    fn places(&self, pattern: &Pattern, texts: &[String], places: &[Place], used: &HashMap<&str, f64>) -> Vec<Both> {
        let mut own: Vec<Both> = vec![Both::default(); places.len()];
        for ((text, place), own) in texts.iter().zip(places).zip(&mut own) {
            if !place.uses.is_empty() {
                let holders = used.get(text.as_str()).copied().unwrap_or_default();
                *own = Both {
                    weight: self.weighed.weights().of(text, self.one()),
                    pairs: 1.0,
                }
                .times(holders);
            }
        }
        for n in (1..places.len()).rev() {
            let below = own.get(n).copied().unwrap_or_default();
            let parent = places.get(n).and_then(|p| p.parent);
            if let Some(above) = parent.and_then(|p| own.get_mut(p as usize)) {
                *above = above.and(below);
            }
        }
        let whole = |n: usize, text: &String| match n {
            0 => self.under(pattern),
            _ => Pattern::parse(text, "").map_or(Both::default(), |p| self.under(&p)),
        };
        texts
            .iter()
            .zip(own)
            .enumerate()
            .map(|(n, (text, own))| whole(n, text).without(own))
            .collect()
    }
}

/// The tree of places below a pattern, and the pattern of each place.
fn tree(pattern: &Pattern, used: &Used<'_>, narrows: bool) -> (Vec<String>, Vec<Place>) {
    let mut texts: Vec<String> = Vec::new();
    let mut places: Vec<Place> = Vec::new();
    if used.is_empty() {
        return (texts, places);
    }
    let root = format!("{}{}", pattern.text, if pattern.prefix { "*" } else { "" });
    texts.push(root);
    places.push(Place {
        parent: None,
        depth: 0,
        open: 0.0,
        first: i32::MAX,
        uses: Vec::new(),
    });
    let mut children: HashMap<(u32, String), u32> = HashMap::new();
    for (path, days) in used {
        let uses: Vec<(i32, u32)> = days.iter().map(|(&day, &n)| (day, n)).collect();
        let first = uses.first().map_or(0, |(day, _)| *day);
        let steps = match narrows {
            true => steps(pattern, path),
            false => vec![(*path).to_owned()],
        };
        let mut at = 0_u32;
        let last = steps.len().saturating_sub(1);
        for (n, text) in steps.into_iter().enumerate() {
            if let Some(above) = places.get_mut(at as usize) {
                above.first = above.first.min(first);
            }
            // What ends here and what goes on here are two places.
            let key = if n == last { format!("={text}") } else { text.clone() };
            let next = *children.entry((at, key)).or_insert_with(|| {
                texts.push(text);
                places.push(Place {
                    parent: Some(at),
                    depth: u8::try_from(n + 1).unwrap_or(u8::MAX),
                    open: 0.0,
                    first: i32::MAX,
                    uses: Vec::new(),
                });
                u32::try_from(places.len() - 1).unwrap_or(u32::MAX)
            });
            at = next;
        }
        if let Some(leaf) = places.get_mut(at as usize) {
            leaf.first = first;
            leaf.uses = uses;
        }
    }
    (texts, places)
}

/// The patterns from the one below the root to the path itself: wildcards filled in one after the other, then folder by folder.
pub(super) fn steps(pattern: &Pattern, path: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let want: Vec<&str> = pattern.text.split('/').collect();
    let have: Vec<&str> = path.split('/').collect();
    let star = if pattern.prefix { "*" } else { "" };
    for (n, segment) in want.iter().enumerate() {
        if *segment == "+" && n + 1 < want.len() {
            let head = have.get(..=n).unwrap_or_default().join("/");
            let tail = want.get(n + 1..).unwrap_or_default().join("/");
            found.push(format!("{head}/{tail}{star}"));
        }
    }
    if pattern.prefix {
        // How long the part of the path is that the pattern's own text takes.
        let start = have
            .iter()
            .take(want.len().saturating_sub(1))
            .map(|s| s.len() + 1)
            .sum::<usize>()
            + want.last().map_or(0, |s| s.len());
        let rest = path.get(start..).unwrap_or_default();
        for (at, _) in rest.match_indices('/') {
            found.extend(path.get(..=start + at).map(|head| format!("{head}*")));
        }
    }
    // Where the last wildcard was filled in, the pattern is the path.
    found.retain(|text| text != path);
    found.push(path.to_owned());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_filled_one_after_the_other() {
        let of = |pattern: &str, path: &str| steps(&Pattern::parse(pattern, "").unwrap(), path);
        assert_eq!(of("s/data/*", "s/data/a/b"), ["s/data/a/*", "s/data/a/b"]);
        assert_eq!(of("s/data/*", "s/data/a/"), ["s/data/a/*", "s/data/a/"]);
        assert_eq!(of("db/web-*", "db/web-ro"), ["db/web-ro"]);
        assert_eq!(of("s/+/app/*", "s/x/app/k"), ["s/x/app/*", "s/x/app/k"]);
        assert_eq!(of("t/+/web", "t/encrypt/web"), ["t/encrypt/web"]);
        assert_eq!(of("t/+", "t/a"), ["t/a"]);
    }
}
