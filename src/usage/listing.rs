//! A table told: its demands and principals in a fixed order, with texts in place of numbers.

use super::coverage::timestamp;
use super::demand::{Demand, PolicySet, Principal, PrincipalSeen};
use super::held::Held;
use super::record::NONE;
use super::table::{Row, SOME_TIME, Table};
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
    row: u32,
}

/// A row of a listing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed<'a> {
    pub principal: &'a Principal,
    pub row: &'a Row,
    pub number: u32,
}

impl<'a> Listing<'a> {
    fn of(table: &'a Table) -> Self {
        let mut named: Vec<(Principal, u32)> = (0..number_of(table.principals.len()))
            .map(|number| (table.principal_named(number), number))
            .collect();
        named.sort_unstable();
        let principal_ranks = ranks(named.iter().map(|(_, number)| *number));
        let mut namespaces: Vec<u32> = table.rows.iter().map(|row| row.namespace).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        namespaces.sort_unstable_by_key(|number| table.texts.get(*number));
        let namespace_ranks = ranks(namespaces.iter().copied());
        let rank = |ranks: &[u32], number: u32| ranks.get(number as usize).copied().unwrap_or(NONE);
        let mut rows: Vec<Place> = (0..)
            .zip(&table.rows)
            .filter(|(_, row)| row.allowed + row.denied > 0)
            .map(|(number, row)| Place {
                principal: rank(&principal_ranks, row.principal),
                namespace: rank(&namespace_ranks, row.namespace),
                path: first_bytes(&row.path),
                row: number,
            })
            .collect();
        let rest = |place: &Place| {
            table
                .rows
                .get(place.row as usize)
                .map(|row| (&*row.path, row.capability))
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
            row: self.table.rows.get(place.row as usize)?,
            number: place.row,
        })
    }
}

/// For each number its place among the others.
fn ranks(numbers: impl Iterator<Item = u32> + Clone) -> Vec<u32> {
    let most = numbers.clone().max().map_or(0, |most| most as usize + 1);
    let mut ranks = vec![NONE; most];
    for (rank, number) in (0..).zip(numbers) {
        if let Some(place) = ranks.get_mut(number as usize) {
            *place = rank;
        }
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
        self.auths.get(listed.row.auth).map(|auth| &auth.held)
    }

    /// Whether no request says of a namespace other than the root that it is in it.
    pub(crate) fn says_no_namespace(&self) -> bool {
        let is_root = |row: &Row| matches!(self.texts.get(row.namespace), "" | path::UNTOLD);
        self.seen.namespaces.is_empty() && self.rows.iter().all(is_root)
    }

    /// Whether requests that do not say their namespace were taken for those of the root namespace: old servers have no other.
    pub(crate) fn is_untold(&self) -> bool {
        let untold = |row: &Row| {
            row.allowed > 0 && !self.is_open(row.principal) && self.texts.get(row.namespace) == path::UNTOLD
        };
        self.says_no_namespace() && self.rows.iter().any(untold)
    }

    /// The namespace of a row: one that is known by its id has the path that the log shows with that elsewhere.
    pub(crate) fn namespace(&self, number: u32, all_root: bool) -> Arc<str> {
        let text = self.texts.shared(number);
        if all_root {
            return Arc::from("");
        }
        let told = path::namespace_id(&text).and_then(|id| self.seen.namespaces.path_of(id));
        told.map_or(text, Arc::clone)
    }

    fn demand(&self, listed: Listed<'_>, all_root: bool) -> Demand {
        let names = |names: &[u32]| -> BTreeSet<Arc<str>> { names.iter().map(|n| self.texts.shared(*n)).collect() };
        let row = listed.row;
        Demand {
            principal: listed.principal.clone(),
            namespace: self.namespace(row.namespace, all_root),
            path: Arc::clone(&row.path),
            capability: row.capability,
            mount_type: self.texts.shared(row.mount_type),
            allowed: row.allowed,
            denied: row.denied,
            failed: row.failed,
            first_seen: row.first_seen(),
            last_seen: row.last_seen(),
            days: row.days.iter().copied().collect(),
            held: self
                .held_of(listed)
                .map_or_else(|| Arc::new(Held::nothing()), Arc::clone),
            keys_always: names(row.keys_always.as_deref().unwrap_or_default()),
            keys_ever: names(&row.keys_ever),
        }
    }

    pub(crate) fn principal_named(&self, number: u32) -> Principal {
        let empty = || Arc::from("");
        let Some(who) = self.principals.get(number as usize) else {
            return Principal {
                kind: PrincipalKind::Token,
                id: empty(),
                name: empty(),
                auth_mount: empty(),
            };
        };
        let auth = self.auths.get(who.auth);
        Principal {
            kind: who.kind,
            id: Arc::clone(&who.id),
            name: auth.map_or_else(|| Arc::clone(&who.id), |a| Arc::clone(&a.name)),
            auth_mount: match &who.login {
                Some((_, mount)) => Arc::clone(mount),
                None => auth.map_or_else(empty, |a| Arc::clone(&a.mount)),
            },
        }
    }

    /// The sets of policies that principals acted with, in a fixed order. A demand keeps the last of them only.
    pub(crate) fn policy_sets(&self) -> Vec<PolicySet> {
        self.sets(|used| used.map(used_at))
    }

    /// The sets of policies that somebody asked with, whether or not anything was allowed.
    pub(crate) fn sets_asked_with(&self) -> Vec<PolicySet> {
        self.sets(|used| Some(used.and_then(used_at)))
    }

    /// The sets for which `last` says when something was last allowed.
    fn sets(&self, last: impl Fn(Option<i64>) -> Option<Option<Timestamp>>) -> Vec<PolicySet> {
        let used = (0..).zip(self.auths.iter()).filter_map(|(number, auth)| {
            let last_seen = last(self.auth_used(number))?;
            let has_policies = auth.kind != PrincipalKind::Unauthenticated && !auth.held.is_nothing();
            has_policies.then(|| PolicySet {
                principal: self.principal_named(self.principal_of(number)),
                held: Arc::clone(&auth.held),
                mount: Arc::clone(&auth.mount),
                role: Arc::clone(&auth.role),
                by_login: auth.login,
                last_seen,
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
                && later.by_login == kept.by_login;
            if is_same {
                kept.last_seen = later.last_seen;
            }
            is_same
        });
        sets
    }

    /// The principals in a fixed order.
    pub(crate) fn principals(&self) -> Vec<PrincipalSeen> {
        let mut seen: Vec<PrincipalSeen> = (0..number_of(self.principals.len()))
            .filter_map(|number| {
                let who = self.principals.get(number as usize)?;
                let auth = self.auths.get(who.auth)?;
                Some(PrincipalSeen {
                    principal: self.principal_named(number),
                    held: Arc::clone(&auth.held),
                    last_seen: timestamp(who.time).filter(|_| who.time != i64::MIN),
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

/// The time when something was last allowed, if entries told it.
fn used_at(time: i64) -> Option<Timestamp> {
    timestamp(time).filter(|_| time > SOME_TIME)
}

fn number_of(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(NONE)
}
