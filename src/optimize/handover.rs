//! Orders in which places hand out other policies, safe after every step.
//!
//! A token has what its places list together, and its places change one after the other: first each gets the new policies
//! beside the old, then the old ones go. What an auth role gave a token stays on it for as long as it lives; what entities and
//! groups give changes at once. So with every state of the places come the tokens of earlier states. None of them may have
//! more than today, and those that were made since the new policies are there none less than in the end, or where an old
//! narrow stanza hides part of a new wide one for a while, none less than all that was ever used.

use super::proof;
use crate::access::{DemandId, HolderId, Joined, Outcome, SetId};
use crate::index::Idx;
use crate::policy::acl::Acl;
use crate::policy::compare;
use crate::policy::pattern::Pattern;
use crate::policy::table::Table;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;

/// How much work a comparison may take.
const BUDGET: u64 = 10_000_000;

/// What the policies are numbered by that are in force at some step.
pub enum Pooled {}

/// A place that hands out policies: what it lists before, with old and new together, and in the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The three lists.
    pub stages: [BTreeSet<Idx<Pooled>>; 3],
    /// Whether a token keeps what it got from here.
    pub stays_on_tokens: bool,
    /// Those of a lower rank get the new policies first, as far as that is safe.
    pub rank: u8,
}

/// A way to a token: whose, and from which places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The set of policies that its tokens have today.
    pub set: SetId,
    /// Who.
    pub holder: HolderId,
    /// Its places, as indexes.
    pub places: Vec<usize>,
    /// Policies that every such token has besides, whatever its places list.
    pub always: Vec<Idx<Pooled>>,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handover {
    /// Places in an order in which they get the new policies, and one in which the old ones go.
    Safe {
        /// The first half.
        first: Vec<usize>,
        /// The second half.
        second: Vec<usize>,
    },
    /// These places cannot change without somebody having more or less for a while.
    Stuck(BTreeSet<usize>),
}

/// Looks for both orders.
#[must_use]
pub fn order(joined: &Joined, pool: &Table<Pooled>, places: &[Place], ways: &[Way]) -> Handover {
    let search = Search::new(joined, pool, places, ways);
    let mut stage = vec![0_u8; places.len()];
    let (first, mut stuck) = search.half(&mut stage, 1);
    let (second, more) = if stuck.is_empty() {
        search.half(&mut stage, 2)
    } else {
        (Vec::new(), BTreeSet::new())
    };
    stuck.extend(more);
    if stuck.is_empty() {
        Handover::Safe { first, second }
    } else {
        Handover::Stuck(stuck)
    }
}

/// A list of policies for a set, and for one holder alone where a template makes it its own.
type ListKey = (SetId, Option<HolderId>, Vec<Idx<Pooled>>);

/// A list, and the one of the end that it has to hold, where it has to.
type Looked = (ListKey, Option<Vec<Idx<Pooled>>>);

struct Search<'a> {
    joined: &'a Joined,
    pool: &'a Table<Pooled>,
    places: &'a [Place],
    ways: &'a [Way],
    ways_of: Vec<Vec<usize>>,
    /// What was used with each set.
    used: HashMap<SetId, Vec<DemandId>>,
    /// Ways that are the same for all that counts here are looked at once.
    known: Mutex<HashMap<Looked, bool>>,
}

impl<'a> Search<'a> {
    fn new(joined: &'a Joined, pool: &'a Table<Pooled>, places: &'a [Place], ways: &'a [Way]) -> Self {
        let mut ways_of = vec![Vec::new(); places.len()];
        for (n, way) in ways.iter().enumerate() {
            for &place in &way.places {
                if let Some(of) = ways_of.get_mut(place) {
                    of.push(n);
                }
            }
        }
        let sets: BTreeSet<SetId> = ways.iter().map(|way| way.set).collect();
        let mut used: HashMap<SetId, Vec<DemandId>> = HashMap::new();
        for (n, demand) in joined.demands.numbered() {
            if sets.contains(&demand.set) && matches!(demand.outcome, Outcome::Explained(_)) {
                used.entry(demand.set).or_default().push(n);
            }
        }
        Self {
            joined,
            pool,
            places,
            ways,
            ways_of,
            used,
            known: Mutex::new(HashMap::new()),
        }
    }

    /// Brings every place to `to`, as far as that is safe: in which order, and which can't go.
    fn half(&self, stage: &mut [u8], to: u8) -> (Vec<usize>, BTreeSet<usize>) {
        let mut open: Vec<usize> = (0..self.places.len()).collect();
        open.sort_by_cached_key(|&place| {
            let rank = self.places.get(place).filter(|_| to == 1).map_or(0, |place| place.rank);
            (rank, self.width(place, to), place)
        });
        let mut done = Vec::new();
        loop {
            let before = open.len();
            open.retain(|&place| {
                let Some(was) = stage.get_mut(place).map(|stage| std::mem::replace(stage, to)) else {
                    return false;
                };
                if self.is_safe(place, stage, to) {
                    done.push(place);
                    return false;
                }
                if let Some(stage) = stage.get_mut(place) {
                    *stage = was;
                }
                true
            });
            if open.is_empty() || open.len() == before {
                return (done, open.into_iter().collect());
            }
        }
    }

    /// Where the widest stanza of what goes has its first wildcard: the widest goes first.
    fn width(&self, place: usize, to: u8) -> usize {
        let Some(place) = self.places.get(place).filter(|_| to == 2) else {
            return 0;
        };
        let [_, both, after] = &place.stages;
        let gone = both.difference(after).map(|&policy| &self.pool[policy]);
        gone.flat_map(|policy| policy.stanzas.iter().map(|stanza| (stanza, &policy.namespace)))
            .filter_map(|(stanza, namespace)| Pattern::parse(&stanza.path, namespace).ok())
            .map(|pattern| pattern.first_wildcard())
            .min()
            .unwrap_or(usize::MAX)
    }

    fn is_safe(&self, place: usize, stage: &[u8], to: u8) -> bool {
        let ways = self.ways_of.get(place).map_or(&[][..], Vec::as_slice);
        ways.par_iter().filter_map(|&way| self.ways.get(way)).all(|way| {
            let last = self.list(way, |_| 2);
            self.tokens(way, stage).into_iter().all(|token| {
                let list = self.list(way, |place| token.get(&place).copied().unwrap_or_default());
                // Tokens from before the new policies were there end before the old ones go.
                let stays_whole = to == 1 || way.places.iter().all(|place| token.get(place) != Some(&0));
                self.holds(way, &list, stays_whole.then_some(&last))
            })
        })
    }

    /// The stages that the places of a way can have on a token that is out there.
    fn tokens(&self, way: &Way, stage: &[u8]) -> Vec<BTreeMap<usize, u8>> {
        let mut tokens = vec![BTreeMap::new()];
        for &place in &way.places {
            let now = stage.get(place).copied().unwrap_or_default();
            let stays = self.places.get(place).is_some_and(|place| place.stays_on_tokens);
            let stages = if stays { 0..=now } else { now..=now };
            tokens = tokens
                .into_iter()
                .flat_map(|token| stages.clone().map(move |stage| with(&token, place, stage)))
                .collect();
        }
        tokens
    }

    fn list(&self, way: &Way, stage: impl Fn(usize) -> u8) -> Vec<Idx<Pooled>> {
        let listed = way.places.iter().flat_map(|&place| {
            let stages = self.places.get(place).map(|place| &place.stages);
            let list = stages.and_then(|stages| stages.get(usize::from(stage(place))));
            list.into_iter().flatten().copied()
        });
        let all: BTreeSet<Idx<Pooled>> = way.always.iter().copied().chain(listed).collect();
        all.into_iter().collect()
    }

    /// Whether all that was used with the set, by this holder alone where the list is its own, stays possible.
    fn keeps_used(&self, way: &Way, own: Option<HolderId>, now: &Acl) -> bool {
        let used = self.used.get(&way.set).into_iter().flatten();
        let used = used.map(|&n| &self.joined.demands[n]);
        let mut used = used.filter(|demand| own.is_none_or(|holder| holder == demand.holder));
        used.all(|demand| proof::still_allowed(demand, now.check(demand.operation(), &demand.path)))
    }

    fn holds(&self, way: &Way, list: &[Idx<Pooled>], last: Option<&Vec<Idx<Pooled>>>) -> bool {
        let is_templated =
            |list: &[Idx<Pooled>]| list.iter().any(|&p| self.pool[p].stanzas.iter().any(|s| s.templated));
        let own = (is_templated(list) || last.is_some_and(|last| is_templated(last))).then_some(way.holder);
        let key = ((way.set, own, list.to_vec()), last.cloned());
        if let Some(&known) = self.known.lock().ok().as_ref().and_then(|known| known.get(&key)) {
            return known;
        }
        let identity = proof::identity(self.joined, way.set, way.holder);
        let compile = |list: &[Idx<Pooled>]| {
            Acl::compile(self.joined.profile, &self.pool.listed(list), identity, self.joined.now)
        };
        let options = compare::Options {
            budget: BUDGET,
            ..compare::Options::default()
        };
        let proven = |old: &Acl, new: &Acl| compare::grants_nothing_new(old, new, options).is_proven();
        let now = compile(list);
        let holds = proven(&self.joined.sets[way.set].acl, &now)
            && last.is_none_or(|last| last == list || proven(&now, &compile(last)) || self.keeps_used(way, own, &now));
        if let Ok(mut known) = self.known.lock() {
            known.insert(key, holds);
        }
        holds
    }
}

fn with(token: &BTreeMap<usize, u8>, place: usize, stage: u8) -> BTreeMap<usize, u8> {
    let mut token = token.clone();
    token.insert(place, stage);
    token
}
