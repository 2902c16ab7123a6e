//! A table told: its demands and principals in a fixed order, with texts in place of numbers.

use super::coverage::timestamp;
use super::demand::{Demand, Principal, PrincipalSeen};
use super::record::NONE;
use super::table::{Row, Table};
use crate::vault::{Capability, PrincipalKind};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Table {
    fn place<'a>(&'a self, row: &'a Row) -> (&'a str, &'a str, Capability) {
        (self.texts.get(row.namespace), &row.path, row.capability)
    }

    /// The demands in a fixed order, each with the number of its row.
    pub(crate) fn numbered(&self) -> Vec<(Demand, u32)> {
        let mut named: Vec<(Principal, u32)> = (0..number_of(self.principals.len()))
            .map(|number| (self.principal_named(number), number))
            .collect();
        named.sort_unstable();
        let mut ranks = vec![0_u32; named.len()];
        for (rank, (_, number)) in (0..).zip(&named) {
            if let Some(place) = ranks.get_mut(*number as usize) {
                *place = rank;
            }
        }
        let mut rows: Vec<(u32, &Row, u32)> = (0..)
            .zip(&self.rows)
            .filter(|(_, row)| row.allowed + row.denied > 0)
            .map(|(number, row)| (ranks.get(row.principal as usize).copied().unwrap_or(NONE), row, number))
            .collect();
        rows.sort_unstable_by(|(a_rank, a, _), (b_rank, b, _)| {
            a_rank.cmp(b_rank).then_with(|| self.place(a).cmp(&self.place(b)))
        });
        rows.into_iter()
            .map(|(rank, row, number)| {
                let principal = named.get(rank as usize).map(|(p, _)| p.clone());
                (self.demand(row, principal), number)
            })
            .collect()
    }

    /// The demands in a fixed order.
    pub(crate) fn demands(&self) -> Vec<Demand> {
        self.numbered().into_iter().map(|(demand, _)| demand).collect()
    }

    fn demand(&self, row: &Row, principal: Option<Principal>) -> Demand {
        let names = |names: &[u32]| -> BTreeSet<Arc<str>> { names.iter().map(|n| self.texts.shared(*n)).collect() };
        let kind = self
            .principals
            .get(row.principal as usize)
            .map_or(PrincipalKind::Token, |w| w.kind);
        let policies = self
            .auths
            .get(row.auth)
            .filter(|_| kind != PrincipalKind::Unauthenticated)
            .map_or_else(|| Arc::from([]), |auth| Arc::clone(&auth.policies));
        Demand {
            principal: principal.unwrap_or_else(|| self.principal_named(row.principal)),
            namespace: self.texts.shared(row.namespace),
            path: Arc::clone(&row.path),
            capability: row.capability,
            mount_type: self.texts.shared(row.mount_type),
            allowed: row.allowed,
            denied: row.denied,
            failed: row.failed,
            first_seen: timestamp(row.first).filter(|_| row.first <= row.last),
            last_seen: timestamp(row.last).filter(|_| row.first <= row.last),
            days: row.days.iter().copied().collect(),
            policies,
            keys_always: names(row.keys_always.as_deref().unwrap_or_default()),
            keys_ever: names(&row.keys_ever),
        }
    }

    fn principal_named(&self, number: u32) -> Principal {
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

    /// The principals in a fixed order.
    pub(crate) fn principals(&self) -> Vec<PrincipalSeen> {
        let mut seen: Vec<PrincipalSeen> = (0..number_of(self.principals.len()))
            .filter_map(|number| {
                let who = self.principals.get(number as usize)?;
                let auth = self.auths.get(who.auth)?;
                Some(PrincipalSeen {
                    principal: self.principal_named(number),
                    policies: Arc::clone(&auth.policies),
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

fn number_of(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(NONE)
}
