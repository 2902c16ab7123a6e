//! Who there is: the principals of usage, each once, with where something was allowed to it.

use super::attribute::is_open;
use super::holder::{Directory, Holder, HolderId};
use crate::index::IndexVec;
use crate::policy::template::{Entity, Identity};
use crate::usage::demand::{Demand, Principal};
use crate::vault::{PrincipalKind, path};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The principals of usage.
pub(super) struct People<'a> {
    pub(super) holders: IndexVec<Holder>,
    /// The namespaces where something was allowed to each; a token is refused wherever it has nothing to say. Parallel to
    /// `holders`.
    pub(super) at_work_in: IndexVec<Holder, BTreeSet<&'a str>>,
    number: HashMap<Principal, HolderId>,
    directory: Option<&'a Directory<'a>>,
}

impl<'a> People<'a> {
    /// Who asked, and by whom each demand is.
    pub(super) fn of(demands: &'a [Demand], directory: Option<&'a Directory<'a>>) -> (Self, Vec<HolderId>) {
        let mut people = Self {
            holders: IndexVec::new(),
            at_work_in: IndexVec::new(),
            number: HashMap::new(),
            directory,
        };
        let mut holder_of = Vec::with_capacity(demands.len());
        // Usage lists the demands of a principal one after the other.
        let mut before: Option<(&Principal, HolderId)> = None;
        for demand in demands {
            let id = match before {
                Some((principal, id)) if is_same(principal, &demand.principal) => id,
                _ => people.number_in(&demand.principal, &demand.namespace),
            };
            before = Some((&demand.principal, id));
            holder_of.push(id);
            people.holders[id].asked = true;
            if demand.allowed == 0 {
                continue;
            }
            // What anybody may ask shows nothing of what it needs.
            if !is_open(demand) {
                people.holders[id].acted = true;
                people.holders[id].days.extend(&demand.days);
            }
            if !path::is_unplaced(&demand.namespace) {
                people.at_work_in[id].insert(&demand.namespace);
            }
        }
        (people, holder_of)
    }

    /// The number of a principal, who may be new.
    pub(super) fn number(&mut self, principal: &Principal) -> HolderId {
        self.number_in(principal, "")
    }

    fn number_in(&mut self, principal: &Principal, namespace: &str) -> HolderId {
        let (holders, at_work_in, directory) = (&mut self.holders, &mut self.at_work_in, self.directory);
        *self.number.entry(key(principal)).or_insert_with(|| {
            at_work_in.push(BTreeSet::new());
            holders.push(new_holder(principal, namespace, directory))
        })
    }
}

/// Principals are one when kind and id agree; the name is only a word.
fn key(principal: &Principal) -> Principal {
    Principal {
        kind: principal.kind,
        id: principal.id.clone(),
        name: Arc::from(""),
        auth_mount: Arc::from(""),
    }
}

fn is_same(a: &Principal, b: &Principal) -> bool {
    a.kind == b.kind && (Arc::ptr_eq(&a.id, &b.id) || a.id == b.id)
}

pub(super) fn new_holder(principal: &Principal, namespace: &str, directory: Option<&Directory<'_>>) -> Holder {
    let principal = principal.clone();
    let known = directory.and_then(|d| d.identity(&principal.id));
    let principal_id = Arc::clone(&principal.id);
    let identity_known = known.is_some();
    let identity = known.unwrap_or_else(|| match principal.kind {
        PrincipalKind::Entity => Identity {
            entity: Some(Entity {
                id: principal.id.to_string(),
                ..Entity::default()
            }),
            groups: Vec::new(),
        },
        _ => Identity::default(),
    });
    Holder {
        assigned: Vec::new(),
        label: principal.auth_mount.to_string(),
        principal,
        namespace: Arc::from(namespace),
        sets: Vec::new(),
        identity,
        identity_known,
        identity_written: directory.and_then(|d| d.written(&principal_id)),
        asked: false,
        acted: false,
        days: BTreeSet::new(),
    }
}
