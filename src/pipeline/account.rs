//! What each principal used and could do, stanza by stanza, and what becomes of what it never used: from the same join, the same
//! rights and the same proposal that everything else is counted from.

use crate::access::{
    AccessSet, Holder, HolderId, Joined, JoinedDemand, Outcome, PolicyNumber, SetId, StanzaId, reach, rights_on,
};
use crate::advice::{
    Account, AllowedBy, Bridge, BridgePart, PathUse, PolicyShare, StanzaRef, StanzaRight, Unused, UnusedCounts,
    UnusedShare,
};
use crate::index::IndexVec;
use crate::optimize::edit::Change;
use crate::optimize::proof::{ProposedNumber, Scheme};
use crate::optimize::tighten::{Fate, Hold, Tightening};
use crate::origin::LogLine;
use crate::policy::acl::{Acl, RuleId};
use crate::policy::model::Policy;
use crate::policy::pattern::Pattern;
use crate::vault::{Capability, CapabilitySet};
use jiff::Timestamp;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// So many uses and so many stanzas are told of all principals together.
const ROOM: usize = 60_000;
/// At most so many of each are told of one principal, however few there are.
const MOST: usize = 500;
/// And at least so many, however many there are.
const LEAST: usize = 3;
/// So many paths are named for a stanza.
const EXAMPLES: usize = 3;
/// Among so many of its first paths they are looked for.
const LOOKED_AT: usize = 64;

/// The accounts of all holders, and what they come to.
pub(super) struct Accounts {
    /// Of every holder.
    pub(super) of: IndexVec<Holder, Account>,
    /// From today to the proposal.
    pub(super) bridge: Bridge,
}

/// Draws up the accounts of all holders under a tightening, of which `staying` says what stays.
pub(super) fn accounts(joined: &Joined, tightening: &Tightening, staying: &Staying) -> Accounts {
    let names = Names::of(joined);
    let each = (ROOM / joined.holders.len().max(1)).clamp(LEAST, MOST);
    let used = joined.used();
    let judge = Judge::new(joined, staying);
    let lists: Vec<_> = tightening.scheme.by_list().into_iter().collect();
    let parts: Vec<(Vec<(HolderId, Account)>, ByPolicy)> = lists
        .par_iter()
        .filter_map(|((set, given, _), holders)| {
            let here = holders.iter().copied();
            let here = here.filter(|&h| joined.holders[h].current == *set && joined.holders[h].is_bound());
            let here: Vec<HolderId> = here.collect();
            let of = &joined.sets[*set];
            let after = after(joined, &tightening.scheme, *set, *here.first()?, given);
            let ground = Ground::new(joined, of, after.as_ref(), &judge);
            let all = ground.by_policy();
            let mut total = ByPolicy::new();
            let account = |h: HolderId| {
                let mut own = all.clone();
                let mut account = ground.account(joined, &names, &used[h], each, &mut own);
                for (&key, count) in &own {
                    *total.entry(key).or_default() += count;
                }
                account.shares = names.shares(&own);
                (h, account)
            };
            let accounts = here.into_iter().map(account).collect();
            Some((accounts, total))
        })
        .collect();
    let mut of: IndexVec<Holder, Account> = joined.holders.map(|_| Account::default());
    let mut all = ByPolicy::new();
    for (accounts, total) in parts {
        for (h, account) in accounts {
            of[h] = account;
        }
        for (key, count) in total {
            *all.entry(key).or_default() += count;
        }
    }
    for (account, (uses, total)) in of.iter_mut().zip(uses(joined, &names, each)) {
        account.uses = uses;
        account.uses_total = total;
    }
    Accounts {
        of,
        bridge: bridge(joined, &all),
    }
}

/// What the holder has under the proposal; none where no policy of it changes.
fn after(joined: &Joined, scheme: &Scheme, set: SetId, holder: HolderId, given: &[ProposedNumber]) -> Option<Acl> {
    let today = &joined.sets[set].policies;
    let same = today.len() == given.len()
        && today.iter().zip(given).all(|(&old, &new)| {
            let (old, new) = (&joined.policies[old], &scheme.policies[new]);
            old.id() == new.id() && old.source == new.source
        });
    (!same).then(|| scheme.acl(joined, set, holder, given))
}

/// Stanzas and policies as reports name them.
struct Names {
    stanzas: BTreeMap<StanzaId, Arc<StanzaRef>>,
    policies: IndexVec<Policy, Arc<str>>,
}

impl Names {
    fn of(joined: &Joined) -> Self {
        let named = joined.policies.stanzas().map(|id| {
            let (policy, stanza) = (&joined.policies[id.policy()], &joined.policies[id]);
            let named = StanzaRef {
                policy: format!("{}{}", policy.namespace, policy.name),
                path: stanza.path.to_string(),
                origin: stanza.origin.clone(),
            };
            (id, Arc::new(named))
        });
        Self {
            stanzas: named.collect(),
            policies: joined
                .policies
                .map(|policy| Arc::from(format!("{}{}", policy.namespace, policy.name))),
        }
    }

    fn get(&self, id: StanzaId) -> Option<Arc<StanzaRef>> {
        self.stanzas.get(&id).cloned()
    }

    /// What one holder never used, by policy.
    fn shares(&self, of: &ByPolicy) -> Vec<UnusedShare> {
        let left = of.iter().filter(|(_, count)| **count > 0);
        left.map(|(&(what, policy), &count)| UnusedShare {
            what,
            policy: policy.map_or_else(|| Arc::from(ROOT), |p| self.policies[p].clone()),
            count,
        })
        .collect()
    }
}

/// What grants where no policy does.
const ROOT: &str = "root";

/// What a stanza lets go of, and why not of the rest.
enum Verdict {
    /// All of it stays, for this reason.
    All(Unused),
    /// It keeps what these patterns cover; what is covered by as much as the stanza itself covers stays for the second reason.
    Covered(Vec<(Pattern, CapabilitySet, Unused)>),
}

impl Verdict {
    /// Why what this is true of stays; none where none of it does.
    fn why(&self, is: impl Fn(&Pattern, CapabilitySet) -> bool) -> Option<Unused> {
        match self {
            Self::All(why) => Some(*why),
            Self::Covered(patterns) => {
                let found = patterns
                    .iter()
                    .find(|(pattern, capabilities, _)| is(pattern, *capabilities));
                found.map(|(_, _, why)| *why)
            }
        }
    }
}

/// Knows of every stanza what becomes of it.
struct Judge<'a> {
    staying: &'a Staying,
    /// What anybody used through each stanza, by number of the path.
    used: HashMap<StanzaId, HashMap<u32, CapabilitySet>>,
    kept: BTreeSet<StanzaId>,
}

impl<'a> Judge<'a> {
    fn new(joined: &Joined, staying: &'a Staying) -> Self {
        let mut used: HashMap<StanzaId, HashMap<u32, CapabilitySet>> = HashMap::new();
        for d in &joined.demands {
            // INVARIANT: the known paths are those of the demands, and those listed besides.
            let Some(path) = joined.universe.number(&d.path) else {
                continue;
            };
            for (id, capabilities) in joined.allowed_by(d) {
                let on = used.entry(id).or_default().entry(path).or_default();
                // To a client `create` and `update` are one request.
                *on = on.union(d.needs().with_write_twin().intersection(capabilities));
            }
        }
        Self {
            staying,
            used,
            kept: joined.stays.kept.keys().copied().collect(),
        }
    }

    /// Why `capability` on a path stays, which one of these stanzas grants, and the stanza that is the reason.
    fn why(
        &self,
        ids: &[(StanzaId, CapabilitySet)],
        (number, path): (u32, &str),
        capability: Capability,
    ) -> (Unused, usize) {
        let granting = || ids.iter().enumerate().filter(|(_, (_, all))| all.contains(capability));
        let first =
            |reason: &dyn Fn(StanzaId) -> Option<Unused>| granting().find_map(|(at, (id, _))| Some((reason(*id)?, at)));
        first(&|id| self.kept.contains(&id).then_some(Unused::Protected))
            .or_else(|| {
                first(&|id| {
                    let used = self.used.get(&id).and_then(|used| used.get(&number));
                    used.is_some_and(|used| used.contains(capability))
                        .then_some(Unused::Shared)
                })
            })
            .or_else(|| first(&|id| self.staying.on(id, path, capability)))
            .unwrap_or((Unused::Elsewhere, granting().next().map_or(0, |(at, _)| at)))
    }
}

/// Why what nobody used stays, by stanza and capability: of what changes, of what does not.
pub(super) struct Staying(BTreeMap<StanzaId, Verdict>);

impl Staying {
    /// What stays under a tightening; `foreseen` says whether it looked ahead.
    pub(super) fn of(joined: &Joined, tightening: &Tightening, foreseen: bool) -> Self {
        let whole = if foreseen { Unused::Expected } else { Unused::Glob };
        let fates = tightening.fates.iter();
        let decided = fates.map(|(&id, fate)| (id, verdict(joined, id, fate, whole)));
        let kept = joined.stays.kept.keys();
        let kept = kept.map(|&id| (id, Verdict::All(Unused::Protected)));
        Self(decided.chain(kept).collect())
    }

    /// Why the stanza stays, all of it or some; none where it goes or where nothing was decided about it.
    pub(super) fn stanza(&self, id: StanzaId) -> Option<Unused> {
        self.0.get(&id)?.why(|_, _| true)
    }

    /// Why one capability of it stays, on all paths or on some; none where it goes or where nothing was decided about it.
    pub(super) fn capability(&self, id: StanzaId, capability: Capability) -> Option<Unused> {
        self.0
            .get(&id)?
            .why(|_, capabilities| capabilities.contains(capability))
    }

    /// Why one capability of it stays on a path.
    fn on(&self, id: StanzaId, path: &str, capability: Capability) -> Option<Unused> {
        let verdict = self.0.get(&id)?;
        verdict.why(|pattern, capabilities| capabilities.contains(capability) && pattern.matches(path))
    }
}

fn verdict(joined: &Joined, id: StanzaId, fate: &Fate, whole: Unused) -> Verdict {
    let (change, other) = match fate {
        Fate::Held(Hold::Kept) => return Verdict::All(Unused::Protected),
        Fate::Held(Hold::Doubted) => return Verdict::All(Unused::Unexplained),
        Fate::Held(Hold::Suspect) => return Verdict::All(Unused::Suspect),
        Fate::Held(Hold::Template) => return Verdict::All(Unused::Template),
        Fate::Stays => return Verdict::All(whole),
        Fate::Withdrawn(change) => (change, Some(Unused::Withdrawn)),
        Fate::Changed(change) => (change, None),
    };
    let (stanza, policy) = (&joined.policies[id], &joined.policies[id.policy()]);
    let own = Pattern::parse(&stanza.path, &policy.namespace).ok();
    let covered = match change {
        Change::Keep => return Verdict::All(other.unwrap_or(whole)),
        Change::Drop => Vec::new(),
        Change::Capabilities(kept) => match own {
            Some(pattern) => vec![(pattern, kept.iter().copied().collect(), other.unwrap_or(whole))],
            None => return Verdict::All(other.unwrap_or(whole)),
        },
        Change::Replace(new) => new
            .iter()
            .filter_map(|new| {
                let pattern = Pattern::parse(&new.path, &policy.namespace).ok()?;
                let as_wide = own.as_ref().is_some_and(|own| own.text == pattern.text);
                let why = other.unwrap_or(if as_wide { whole } else { Unused::Glob });
                Some((pattern, new.capabilities, why))
            })
            .collect(),
    };
    Verdict::Covered(covered)
}

/// Capabilities on one path that one rule grants and that share a fate.
struct Entry {
    path: u32,
    slot: usize,
    /// The stanza that is the reason, by its place among those of the slot.
    source: usize,
    what: Unused,
    capabilities: CapabilitySet,
}

/// One rule of a list with what it grants.
struct Slot {
    stanzas: Vec<(StanzaId, CapabilitySet)>,
    granted: u64,
    unused: UnusedCounts,
    first: Vec<u32>,
}

/// By what becomes of it and the policy: how many.
type ByPolicy = BTreeMap<(Unused, Option<PolicyNumber>), u64>;

/// What one list grants on known paths and what becomes of each, as if nobody used any of it.
struct Ground {
    slots: Vec<Slot>,
    /// Ascending by path.
    entries: Vec<Entry>,
}

impl Ground {
    fn new(joined: &Joined, set: &AccessSet, after: Option<&Acl>, judge: &Judge<'_>) -> Self {
        let mut slots: Vec<Slot> = Vec::new();
        let mut slot_of: HashMap<Option<RuleId>, usize> = HashMap::new();
        let mut entries: Vec<Entry> = Vec::new();
        for (number, _) in reach(&set.acl, &joined.universe).granted {
            let path = joined.universe.path(number);
            let left = after.map(|acl| crate::access::granted_on(acl, path));
            for right in rights_on(&set.acl, path) {
                let slot = *slot_of.entry(right.rule).or_insert_with(|| {
                    slots.push(Slot {
                        stanzas: right.rule.into_iter().flat_map(|rule| set.sources(rule)).collect(),
                        granted: 0,
                        unused: UnusedCounts::default(),
                        first: Vec::new(),
                    });
                    slots.len() - 1
                });
                let Some(own) = slots.get_mut(slot) else { continue };
                own.granted += right.capabilities.len() as u64;
                if own.first.len() < LOOKED_AT {
                    own.first.push(number);
                }
                let start = entries.len();
                for capability in right.capabilities.iter() {
                    let goes = left.is_some_and(|left| !left.contains(capability));
                    let (what, source) = match goes {
                        true => {
                            let granting = own.stanzas.iter().position(|(_, all)| all.contains(capability));
                            (Unused::Goes, granting.unwrap_or(0))
                        }
                        false => judge.why(&own.stanzas, (number, path), capability),
                    };
                    own.unused.add(what, 1);
                    let same = entries
                        .iter_mut()
                        .skip(start)
                        .find(|e| e.what == what && e.source == source);
                    match same {
                        Some(entry) => entry.capabilities.insert(capability),
                        None => entries.push(Entry {
                            path: number,
                            slot,
                            source,
                            what,
                            capabilities: CapabilitySet::of(capability),
                        }),
                    }
                }
            }
        }
        Self { slots, entries }
    }

    fn key(&self, entry: &Entry) -> (Unused, Option<PolicyNumber>) {
        let slot = self.slots.get(entry.slot);
        let source = slot.and_then(|slot| slot.stanzas.get(entry.source));
        (entry.what, source.map(|(id, _)| id.policy()))
    }

    /// The same by policy.
    fn by_policy(&self) -> ByPolicy {
        let mut total = ByPolicy::new();
        for entry in &self.entries {
            *total.entry(self.key(entry)).or_default() += entry.capabilities.len() as u64;
        }
        total
    }

    /// What is left for a holder that `used` some of it; that is taken off `by_policy`.
    fn account(
        &self,
        joined: &Joined,
        names: &Names,
        used: &HashMap<&str, CapabilitySet>,
        most: usize,
        by_policy: &mut ByPolicy,
    ) -> Account {
        let mut left: Vec<(u64, UnusedCounts)> = self.slots.iter().map(|slot| (0, slot.unused)).collect();
        let mut touched: BTreeSet<u32> = BTreeSet::new();
        for (path, on_path) in used {
            let Some(number) = joined.universe.number(path) else {
                continue;
            };
            touched.insert(number);
            let start = self.entries.partition_point(|entry| entry.path < number);
            let here = self.entries.iter().skip(start).take_while(|entry| entry.path == number);
            for entry in here {
                let in_use = entry.capabilities.intersection(*on_path).len() as u64;
                if let (true, Some((used, unused))) = (in_use > 0, left.get_mut(entry.slot)) {
                    *used += in_use;
                    unused.take(entry.what, in_use);
                    *by_policy.entry(self.key(entry)).or_default() -= in_use;
                }
            }
        }
        let mut account = Account {
            rights_total: self.slots.len() as u64,
            ..Account::default()
        };
        let mut rights: Vec<(&Slot, u64, UnusedCounts)> = Vec::with_capacity(self.slots.len());
        for (slot, (used, unused)) in self.slots.iter().zip(left) {
            for (what, count) in unused.iter() {
                account.unused.add(what, count);
            }
            rights.push((slot, used, unused));
        }
        // Stable: what has equally many stays in the order of its paths.
        rights.sort_by_key(|(slot, used, _)| std::cmp::Reverse(slot.granted - used));
        account.rights = rights
            .into_iter()
            .take(most)
            .map(|(slot, used, unused)| StanzaRight {
                stanzas: slot.stanzas.iter().filter_map(|(id, _)| names.get(*id)).collect(),
                granted: slot.granted,
                used,
                unused,
                examples: slot
                    .first
                    .iter()
                    .filter(|number| !touched.contains(number))
                    .take(EXAMPLES)
                    .map(|&number| Arc::from(joined.universe.path(number)))
                    .collect(),
            })
            .collect();
        account
    }
}

fn bridge(joined: &Joined, all: &ByPolicy) -> Bridge {
    let parts = Unused::ALL.into_iter().filter_map(|what| {
        let of = all.iter().filter(|((kind, _), count)| *kind == what && **count > 0);
        let mut policies: Vec<PolicyShare> = of
            .map(|((_, policy), count)| {
                let policy = policy.map(|p| &joined.policies[p]);
                let label = policy.map_or_else(|| ROOT.to_owned(), |p| format!("{}{}", p.namespace, p.name));
                PolicyShare {
                    policy: label,
                    count: *count,
                }
            })
            .collect();
        policies.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.policy.cmp(&b.policy)));
        let count = policies.iter().map(|share| share.count).sum();
        (count > 0).then_some(BridgePart { what, count, policies })
    });
    Bridge { parts: parts.collect() }
}

/// What each holder asked for, with how many there are in all: parallel to the holders.
fn uses(joined: &Joined, names: &Names, most: usize) -> Vec<(Vec<PathUse>, u64)> {
    let mut of: IndexVec<Holder, Vec<&JoinedDemand>> = joined.holders.map(|_| Vec::new());
    for d in &joined.demands {
        of[d.holder].push(d);
    }
    of.as_slice()
        .par_iter()
        .map(|demands| uses_of(joined, names, demands, most))
        .collect()
}

/// One path and one capability of a holder, while it is put together from the demands of all its policy sets.
#[derive(Default)]
struct Gathered<'a> {
    allowed: u64,
    denied: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    days: BTreeSet<i32>,
    /// The last, and the time of its demand.
    example: Option<(Option<Timestamp>, &'a LogLine)>,
    stanzas: BTreeSet<StanzaId>,
    none_needed: bool,
    unexplained: bool,
}

fn uses_of(joined: &Joined, names: &Names, demands: &[&JoinedDemand], most: usize) -> (Vec<PathUse>, u64) {
    let mut found: BTreeMap<(&str, Capability), Gathered<'_>> = BTreeMap::new();
    for &d in demands {
        let one = found.entry((&d.path, d.demand.capability)).or_default();
        one.allowed += d.demand.allowed;
        one.denied += d.demand.denied;
        one.first = [one.first, d.demand.first_seen].into_iter().flatten().min();
        one.last = one.last.max(d.demand.last_seen);
        one.days.extend(&d.demand.days);
        let example = d.demand.example.as_ref().map(|place| (d.demand.last_seen, place));
        one.example = one.example.max(example);
        match &d.outcome {
            Outcome::Explained(_) => {
                let granting = joined.allowed_by(d);
                let granting = granting.filter(|(_, all)| !all.intersection(d.needs()).is_empty());
                one.stanzas.extend(granting.map(|(id, _)| id));
            }
            Outcome::NeedsNone => one.none_needed = true,
            Outcome::NotExplained => one.unexplained = true,
            Outcome::Denied | Outcome::DeniedButAllowed => {}
        }
    }
    let total = found.len() as u64;
    let mut all: Vec<((&str, Capability), Gathered<'_>)> = found.into_iter().collect();
    all.sort_by_key(|(_, one)| std::cmp::Reverse(one.allowed + one.denied));
    let uses = all.into_iter().take(most).map(|((path, capability), one)| PathUse {
        path: Arc::from(path),
        capability: Arc::from(capability.to_string()),
        allowed: one.allowed,
        denied: one.denied,
        first: one.first,
        last: one.last,
        days: spans(&one.days),
        example: one.example.map(|(_, place)| place.clone()),
        by: match () {
            () if !one.stanzas.is_empty() => {
                AllowedBy::Stanzas(one.stanzas.iter().filter_map(|id| names.get(*id)).collect())
            }
            () if one.none_needed => AllowedBy::NoneNeeded,
            () if one.unexplained => AllowedBy::Unexplained,
            () => AllowedBy::Denied,
        },
    });
    (uses.collect(), total)
}

/// Days in a row as one.
fn spans(days: &BTreeSet<i32>) -> Vec<(i32, i32)> {
    let mut spans: Vec<(i32, i32)> = Vec::new();
    for &day in days {
        match spans.last_mut() {
            Some((_, to)) if *to + 1 == day => *to = day,
            _ => spans.push((day, day)),
        }
    }
    spans
}
