//! The lists of policies in a log: whose each is, what it means, and when it was last in force.

use super::attribute::is_open;
use super::holder::{Holder, HolderId};
use super::meant::{HeldSet, Meant, Reader, speaks_for};
use crate::index::{Idx, IndexVec};
use crate::usage::demand::{Demand, Principal};
use crate::usage::held::{Held, Namespaces};
use crate::vault::{PolicyId, PrincipalKind, RoleId, identity, path};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// A list that a token had, also if nothing was seen to be done with it.
pub(super) struct Seen<'a> {
    pub(super) holder: HolderId,
    pub(super) held: &'a Held,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
    /// Whether lines of it could not be read as far as what was asked for.
    pub(super) is_lost: bool,
    /// Whether it is one of a token that somebody made with another token.
    pub(super) made: bool,
    /// Mount and role of its login, as the server vouches for them.
    pub(super) login: Option<(Arc<str>, &'a Arc<str>)>,
}

/// Policy sets of one principal, with when each was last seen in force.
type SeenLast = BTreeMap<HeldSet, Option<Timestamp>>;

/// A list of policies in the log: whose, what it means, and when it was in force.
pub(super) struct Listed {
    pub(super) holder: HolderId,
    pub(super) meant: Meant,
    pub(super) first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// Whether something was allowed with it for which policies are asked.
    pub(super) acted: bool,
    /// Whether a token that somebody made with another token had it.
    pub(super) made: bool,
}

/// The namespaces that lists of these names are known to be of, by principal.
type Told<'a> = HashMap<(HolderId, &'a [Arc<str>]), BTreeSet<Arc<str>>>;

/// The lists of policies in the log, each read once.
pub(super) struct Lists<'a> {
    reader: Reader<'a>,
    /// Namespaces that tokens of a principal with a list of these names are known to be of.
    told: Told<'a>,
    pub(super) listed: IndexVec<Listed>,
    number: HashMap<(HolderId, &'a Held, &'a str, bool), Idx<Listed>>,
    /// The lists with which something was allowed.
    worked: HashSet<(HolderId, &'a Held)>,
}

impl<'a> Lists<'a> {
    /// No list yet, with what `all` lists tell of the namespaces of each other.
    pub(super) fn new(reader: Reader<'a>, all: impl Iterator<Item = (HolderId, &'a Held)>) -> Self {
        Self {
            told: told(all, reader.namespaces),
            reader,
            listed: IndexVec::new(),
            number: HashMap::new(),
            worked: HashSet::new(),
        }
    }

    /// The number of the list that each demand was made with.
    pub(super) fn of_demands(
        &mut self,
        demands: &'a [Demand],
        holder_of: &[HolderId],
        at_work_in: &IndexVec<Holder, BTreeSet<&'a str>>,
    ) -> Vec<Idx<Listed>> {
        let mut list_of = Vec::with_capacity(demands.len());
        // Most demands of a principal come one after the other, under the same policies.
        let mut before: Option<(HolderId, &Demand, Idx<Listed>)> = None;
        for (demand, &holder) in demands.iter().zip(holder_of) {
            let list = match before {
                Some((h, last, list))
                    if h == holder
                        && (last.allowed > 0) == (demand.allowed > 0)
                        && Arc::ptr_eq(&last.held, &demand.held)
                        && (Arc::ptr_eq(&last.namespace, &demand.namespace) || last.namespace == demand.namespace) =>
                {
                    list
                }
                _ => {
                    let is_of_all =
                        demand.principal.kind == PrincipalKind::Entity && !path::is_unplaced(&demand.namespace);
                    let elsewhere = is_of_all.then(|| &at_work_in[holder]);
                    let at = elsewhere.map_or(&*demand.namespace, |all| identity::common(&demand.namespace, all));
                    self.number(holder, &demand.principal, &demand.held, at, demand.allowed > 0)
                }
            };
            if demand.allowed > 0 && before.is_none_or(|(_, _, last)| last != list) {
                self.worked.insert((holder, &demand.held));
            }
            before = Some((holder, demand, list));
            // Of the lists that it was made with a demand keeps the last one.
            self.used(list, (demand.last_seen, demand.last_seen));
            self.listed[list].acted |= demand.allowed > 0 && !is_open(demand);
            list_of.push(list);
        }
        list_of
    }

    /// Takes in the lists of tokens; gives the roles that each holder logged in as.
    pub(super) fn of_sets(
        &mut self,
        seen: &[Seen<'a>],
        holders: &IndexVec<Holder>,
        at_work_in: &IndexVec<Holder, BTreeSet<&'a str>>,
    ) -> IndexVec<Holder, BTreeSet<RoleId>> {
        let mut logged_in_as = holders.map(|_| BTreeSet::new());
        for seen in seen {
            let (holder, roles) = (&holders[seen.holder], &mut logged_in_as[seen.holder]);
            let all = at_work_in[seen.holder].clone();
            let places = match all.first() {
                None => BTreeSet::from([path::UNTOLD]),
                Some(first) if holder.principal.kind == PrincipalKind::Entity => {
                    BTreeSet::from([identity::common(first, &all)])
                }
                Some(_) => all,
            };
            for at in places {
                let worked = seen.is_lost || self.worked.contains(&(seen.holder, seen.held));
                let list = self.number(seen.holder, &holder.principal, seen.held, at, worked);
                self.used(list, (seen.first, seen.last));
                self.listed[list].made |= seen.made;
                let space = self.listed[list].meant.space();
                if let (Some(space), Some((mount, role))) = (space, &seen.login) {
                    roles.insert(RoleId::new(space.clone(), mount.clone(), Arc::clone(role)));
                }
            }
        }
        logged_in_as
    }

    /// Tells each holder the sets that it had, the newest first, and the namespace where its tokens live.
    pub(super) fn tell(&self, holders: &mut IndexVec<Holder>) {
        let mut seen_last: IndexVec<Holder, SeenLast> = holders.map(|_| BTreeMap::new());
        let mut newest: IndexVec<Holder, Option<Option<Timestamp>>> = holders.map(|_| None);
        for listed in &self.listed {
            for reading in listed.meant.readings() {
                let last = seen_last[listed.holder].entry(reading.clone()).or_default();
                *last = (*last).max(listed.last);
            }
            // Where its tokens live, by the last of them that tells.
            let newest = &mut newest[listed.holder];
            if let Some(space) = listed.meant.space()
                && newest.is_none_or(|last| listed.last >= last)
            {
                *newest = Some(listed.last);
                holders[listed.holder].namespace = space.clone();
            }
        }
        for (holder, seen) in holders.iter_mut().zip(&seen_last) {
            let mut sets: Vec<_> = seen.iter().collect();
            // The newest first; a set of the same time that holds more is the fuller picture.
            sets.sort_by_key(|(set, last)| {
                (
                    std::cmp::Reverse(**last),
                    std::cmp::Reverse(set.policies.len()),
                    (*set).clone(),
                )
            });
            holder.sets = sets
                .into_iter()
                .map(|(set, _)| set.clone())
                .filter(|set| !set.policies.is_empty() || set.open)
                .collect();
        }
    }

    /// What they may mean in namespaces of which none of their names was read.
    pub(super) fn unread(&self) -> BTreeSet<PolicyId> {
        let unread = self.listed.iter().flat_map(|list| &list.meant.unread);
        unread.cloned().collect()
    }

    fn number(
        &mut self,
        holder: HolderId,
        principal: &Principal,
        held: &'a Held,
        at: &'a str,
        worked: bool,
    ) -> Idx<Listed> {
        let (reader, told, listed) = (&self.reader, &self.told, &mut self.listed);
        *self.number.entry((holder, held, at, worked)).or_insert_with(|| {
            let none = BTreeSet::new();
            let told = told
                .get(&(holder, &*held.own))
                .filter(|_| speaks_for(principal, worked));
            let told = told.unwrap_or(&none);
            listed.push(Listed {
                holder,
                meant: reader.read(principal, held, at, told),
                first: None,
                last: None,
                acted: false,
                made: false,
            })
        })
    }

    fn used(&mut self, number: Idx<Listed>, (first, last): (Option<Timestamp>, Option<Timestamp>)) {
        let listed = &mut self.listed[number];
        listed.first = [listed.first, first].into_iter().flatten().min();
        listed.last = listed.last.max(last);
    }
}

/// The namespaces that lists of these names are known to be of, by principal.
fn told<'a>(held: impl Iterator<Item = (HolderId, &'a Held)>, namespaces: &Namespaces) -> Told<'a> {
    let mut told = Told::new();
    let mut before: Option<(HolderId, *const Held)> = None;
    for (holder, held) in held {
        if before.replace((holder, held)) == Some((holder, held)) {
            continue;
        }
        if let Some(space) = held.space.as_ref().and_then(|space| namespaces.path(space)) {
            told.entry((holder, &held.own)).or_default().insert(space);
        }
    }
    told
}

/// Who may hold which policy without that being known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MayHold {
    /// Whose lists are not in the log. A group may hand out policies of any namespace, so these may hold any.
    anything: BTreeSet<HolderId>,
    /// Whose lists name a policy without its namespace, by the policy's name.
    by_name: BTreeMap<Arc<str>, BTreeSet<HolderId>>,
    /// Whose lists are all there and all of one and the same namespace: of that one they hold nothing else. Policies of other
    /// namespaces are in lists of their own, which servers leave out where they are empty, and pipelines where they are not.
    settled: BTreeMap<HolderId, Arc<str>>,
}

impl MayHold {
    /// Whoever was refused everything holds what its lists say all the same.
    pub(super) fn by(listed: &IndexVec<Listed>) -> Self {
        let mut found = Self::default();
        let mut spaces: BTreeMap<HolderId, Option<&Arc<str>>> = BTreeMap::new();
        for list in listed {
            let HeldSet { policies, open } = &list.meant.likeliest;
            // A list of nothing is one that was emptied as well as one of a token that has nothing.
            let is_told = |space: &&Arc<str>| policies.iter().any(|policy| policy.namespace == **space);
            let space = list.meant.space().filter(|_| !open).filter(is_told);
            let known = spaces.entry(list.holder).or_insert(space);
            if *known != space {
                *known = None;
            }
        }
        let settled = spaces
            .into_iter()
            .filter_map(|(holder, space)| Some((holder, space?.clone())));
        found.settled = settled.collect();
        for list in listed {
            if list.meant.is_unlisted {
                found.anything.insert(list.holder);
            }
            for name in &list.meant.somewhere {
                found.by_name.entry(name.clone()).or_default().insert(list.holder);
            }
        }
        found
    }

    /// Who may hold a policy of this name, in whatever namespace.
    pub fn who(&self, name: &str) -> impl Iterator<Item = HolderId> + '_ {
        self.anything
            .iter()
            .chain(self.by_name.get(name).into_iter().flatten())
            .copied()
    }

    /// The namespace of which this holder has no policies but those of its lists.
    pub(super) fn settled_in(&self, holder: HolderId) -> Option<&str> {
        self.settled.get(&holder).map(|space| &**space)
    }
}
