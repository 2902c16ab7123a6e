//! A table told: its demands and principals in a fixed order, with texts in place of numbers.

use super::coverage::timestamp;
use super::demand::{Demand, PolicySet, Principal, PrincipalSeen};
use super::held::{Granting, Held};
use super::interner::{Text, TextId};
use super::table::{ANY_NAME, NEVER_FIRST, Row, RowId, SOME_TIME, Table, Used, Who, WhoId};
use crate::index::{Idx, IndexVec};
use crate::origin::LogLine;
use crate::vault::{PrincipalKind, path};
use jiff::Timestamp;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The rows that count for something, in a fixed order: by principal, namespace, path and capability.
#[derive(Debug)]
pub(crate) struct Listing<'a> {
    table: &'a Table,
    principals: Vec<Principal>,
    rows: Vec<Place>,
}

/// A row and what orders it: the first of what differs decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    principal: u32,
    namespace: u32,
    /// The path's first bytes, so that most comparisons need not look at the path.
    path: u64,
    row: RowId,
}

/// A row of a listing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed<'a> {
    pub principal: &'a Principal,
    pub row: &'a Row,
    pub number: RowId,
}

impl<'a> Listing<'a> {
    fn of(table: &'a Table) -> Self {
        let mut named: Vec<(Principal, WhoId)> = table
            .principals
            .ids()
            .map(|number| (table.principal_named(number), number))
            .collect();
        named.sort_unstable();
        let principal_ranks: IndexVec<Who, u32> =
            ranks(named.iter().map(|(_, number)| *number), table.principals.len());
        let mut namespaces: Vec<TextId> = table.rows.iter().map(|row| row.namespace).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        namespaces.sort_unstable_by_key(|number| table.texts.get(*number));
        let namespace_ranks: IndexVec<Text, u32> = ranks(namespaces.iter().copied(), table.texts.len());
        let mut rows: Vec<Place> = table
            .rows
            .numbered()
            .filter(|(_, row)| row.allowed + row.denied > 0)
            .map(|(number, row)| Place {
                principal: principal_ranks[row.principal],
                namespace: namespace_ranks[row.namespace],
                path: first_bytes(&row.path),
                row: number,
            })
            .collect();
        let rest = |place: &Place| {
            let row = &table.rows[place.row];
            (&*row.path, row.capability)
        };
        rows.sort_unstable_by(|a, b| {
            (a.principal, a.namespace, a.path)
                .cmp(&(b.principal, b.namespace, b.path))
                .then_with(|| rest(a).cmp(&rest(b)))
        });
        Self {
            table,
            principals: named.into_iter().map(|(principal, _)| principal).collect(),
            rows,
        }
    }

    /// The rows in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Listed<'_>> {
        self.rows.iter().filter_map(|place| self.at(place))
    }

    fn at(&self, place: &Place) -> Option<Listed<'_>> {
        Some(Listed {
            principal: self.principals.get(place.principal as usize)?,
            row: &self.table.rows[place.row],
            number: place.row,
        })
    }
}

/// For each of so many numbers its place among the given ones; the first for those that are not given.
fn ranks<T>(numbers: impl Iterator<Item = Idx<T>>, all: usize) -> IndexVec<T, u32> {
    let mut ranks = IndexVec::from(vec![0; all]);
    for (rank, number) in (0..).zip(numbers) {
        ranks[number] = rank;
    }
    ranks
}

/// The first eight bytes as a number of the same order; a shorter text comes before those that it begins.
fn first_bytes(text: &str) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    u64::from_be_bytes(first)
}

impl Row {
    /// When it was first seen.
    pub(crate) fn first_seen(&self) -> Option<Timestamp> {
        timestamp(self.first).filter(|_| self.first <= self.last)
    }

    /// When it was last seen.
    pub(crate) fn last_seen(&self) -> Option<Timestamp> {
        timestamp(self.last).filter(|_| self.first <= self.last)
    }
}

impl Table {
    /// The rows in a fixed order.
    pub(crate) fn listing(&self) -> Listing<'_> {
        Listing::of(self)
    }

    /// The demands in a fixed order.
    pub(crate) fn demands(&self) -> Vec<Demand> {
        let listing = self.listing();
        let all_root = self.says_no_namespace();
        let demands = listing.rows.par_iter().filter_map(|place| listing.at(place));
        demands.map(|listed| self.demand(listed, all_root)).collect()
    }

    /// The policies that granted a row's demand when it was seen last.
    pub(crate) fn held_of(&self, listed: Listed<'_>) -> Option<&Arc<Held>> {
        if listed.principal.kind == PrincipalKind::Unauthenticated {
            return None;
        }
        listed.row.auth.value().map(|auth| &self.auths.get(*auth).held)
    }

    /// Whether no request says of a namespace other than the root that it is in it.
    pub(crate) fn says_no_namespace(&self) -> bool {
        let is_root = |row: &Row| matches!(self.texts.get(row.namespace), "" | path::UNTOLD);
        self.seen.namespaces.is_empty() && !self.is_past_a_bound() && self.rows.iter().all(is_root)
    }

    /// Whether requests that do not say their namespace were taken for those of the root namespace: old servers have no other.
    pub(crate) fn is_untold(&self) -> bool {
        let untold = |row: &Row| {
            row.allowed > 0 && !self.is_open(row.principal) && self.texts.get(row.namespace) == path::UNTOLD
        };
        self.says_no_namespace() && self.rows.iter().any(untold)
    }

    /// The namespace of a row: one that is known by its id has the path that the log shows with that elsewhere.
    pub(crate) fn namespace(&self, number: TextId, all_root: bool) -> Arc<str> {
        let text = self.texts.shared(number);
        if all_root {
            return Arc::from("");
        }
        let told = path::namespace_id(&text).and_then(|id| self.seen.namespaces.path_of(id));
        told.map_or(text, Arc::clone)
    }

    /// The place of the last request that was allowed; of the last one where none was.
    pub(crate) fn example(&self, row: &Row) -> Option<LogLine> {
        let place = row.example.of(row.allowed > 0)?;
        Some(place.told(&self.logs))
    }

    fn demand(&self, listed: Listed<'_>, all_root: bool) -> Demand {
        let names = |names: &[TextId]| -> BTreeSet<Arc<str>> { names.iter().map(|n| self.texts.shared(*n)).collect() };
        let row = listed.row;
        let mut keys_always = names(row.keys_always.as_deref().unwrap_or_default());
        let mut keys_ever = names(&row.keys_ever);
        if self.has_lost_names(row.principal) && row.allowed > 0 {
            keys_always.clear();
            keys_ever.insert(Arc::from(ANY_NAME));
        }
        Demand {
            principal: listed.principal.clone(),
            namespace: self.namespace(row.namespace, all_root),
            path: Arc::clone(&row.path),
            capability: row.capability,
            mount_type: row
                .mount_type
                .map_or_else(|| Arc::from(""), |text| self.texts.shared(text)),
            allowed: row.allowed,
            denied: row.denied,
            failed: row.failed,
            first_seen: row.first_seen(),
            last_seen: row.last_seen(),
            days: row.days.iter().copied().collect(),
            held: self
                .held_of(listed)
                .map_or_else(|| Arc::new(Held::nothing()), Arc::clone),
            keys_always,
            keys_ever,
            granting: row
                .granting
                .iter()
                .filter_map(|text| Granting::of_text(self.texts.get(*text)))
                .collect(),
            example: self.example(row),
        }
    }

    pub(crate) fn principal_named(&self, number: WhoId) -> Principal {
        let who = &self.principals[number];
        let auth = who.auth.value().map(|auth| self.auths.get(*auth));
        let mount = who.login.value().or_else(|| auth.map(|auth| &auth.mount));
        Principal {
            kind: who.kind,
            id: Arc::clone(&who.id),
            name: Arc::clone(auth.map_or(&who.id, |auth| &auth.name)),
            auth_mount: mount.map_or_else(|| Arc::from(""), Arc::clone),
        }
    }

    /// The sets of policies that principals acted with, in a fixed order. A demand keeps the last of them only.
    pub(crate) fn policy_sets(&self) -> Vec<PolicySet> {
        self.sets(|used| used.map(Some))
    }

    /// The sets of policies that somebody asked with, whether or not anything was allowed.
    pub(crate) fn sets_asked_with(&self) -> Vec<PolicySet> {
        self.sets(Some)
    }

    /// The sets of policies that somebody asked with to whom nothing was allowed with them.
    pub(crate) fn sets_refused(&self) -> Vec<PolicySet> {
        self.sets(|used| used.is_none().then_some(None))
    }

    /// The sets that `is_one` lets through by when something was allowed to them.
    fn sets(&self, is_one: impl Fn(Option<Used>) -> Option<Option<Used>>) -> Vec<PolicySet> {
        let used = self.auths.numbered().filter_map(|(number, auth)| {
            let used = is_one(self.auth_used(number))?;
            let has_policies = auth.kind != PrincipalKind::Unauthenticated && !auth.held.is_nothing();
            has_policies.then(|| PolicySet {
                principal: self.principal_named(self.principal_of(number)),
                held: Arc::clone(&auth.held),
                mount: Arc::clone(&auth.mount),
                role: Arc::clone(&auth.role),
                display_name: Arc::clone(&auth.display_name),
                by_login: auth.login,
                first_seen: used.and_then(|used| timestamp(used.first).filter(|_| used.first != NEVER_FIRST)),
                last_seen: used.and_then(|used| timestamp(used.last).filter(|_| used.last > SOME_TIME)),
            })
        });
        let mut sets: Vec<PolicySet> = used.collect();
        sets.sort_unstable();
        // Of equal sets the one used last stands last.
        sets.dedup_by(|later, kept| {
            let is_same = later.principal == kept.principal
                && later.held == kept.held
                && later.mount == kept.mount
                && later.role == kept.role
                && later.display_name == kept.display_name
                && later.by_login == kept.by_login;
            if is_same {
                kept.last_seen = later.last_seen;
                kept.first_seen = [kept.first_seen, later.first_seen].into_iter().flatten().min();
            }
            is_same
        });
        sets
    }

    /// The principals in a fixed order.
    pub(crate) fn principals(&self) -> Vec<PrincipalSeen> {
        let mut seen: Vec<PrincipalSeen> = self
            .principals
            .numbered()
            .filter_map(|(number, who)| {
                let auth = self.auths.get(*who.auth.value()?);
                Some(PrincipalSeen {
                    principal: self.principal_named(number),
                    held: Arc::clone(&auth.held),
                    last_seen: timestamp(who.auth.time()).filter(|_| who.auth.time() != i64::MIN),
                    entity_id: Arc::clone(&auth.entity_id),
                    display_name: Arc::clone(&auth.display_name),
                    metadata_keys: Arc::clone(&auth.metadata_keys),
                })
            })
            .collect();
        seen.sort_unstable_by(|a, b| a.principal.cmp(&b.principal));
        seen
    }
}
