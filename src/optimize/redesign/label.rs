//! What the holders of a role have in common, as people know them: a group, metadata, the mount they log in at.

use super::model::Role;
use crate::access::{Holder, HolderId, Joined};
use crate::optimize::proof::Scheme;
use crate::vault::PolicyId;
use std::collections::{BTreeMap, BTreeSet};

/// The one label of a holder that roles are drawn together by: its first group, else its auth mount.
pub(super) fn of(holder: &Holder) -> String {
    match holder.identity.groups.iter().map(|g| &g.name).min() {
        Some(group) => format!("group {group}"),
        None => holder.label.clone(),
    }
}

/// What all of several holders share.
pub(super) fn shared(joined: &Joined, holders: &BTreeSet<HolderId>) -> Option<String> {
    let mut all = holders.iter().map(|&h| features(&joined.holders[h]));
    let first = all.next()?;
    if holders.len() < 2 {
        return None;
    }
    let common = all.fold(first, |common, next| common.intersection(&next).cloned().collect());
    let words: Vec<String> = common.into_iter().map(|(_, text)| text).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// The roles that somebody has, with who and what these share.
pub(super) fn held(joined: &Joined, scheme: &Scheme, mut roles: Vec<Role>) -> Vec<Role> {
    let mut by: BTreeMap<PolicyId, BTreeSet<HolderId>> = BTreeMap::new();
    for (&(_, holder), list) in &scheme.given {
        for &policy in list {
            by.entry(scheme.policies[policy].id()).or_default().insert(holder);
        }
    }
    roles.retain_mut(|role| {
        let holders = by.remove(&PolicyId::new(role.namespace.clone(), role.name.as_str()));
        role.holders = holders.unwrap_or_default();
        role.shared = shared(joined, &role.holders);
        !role.holders.is_empty()
    });
    roles
}

/// Groups first, then metadata, then the mount.
fn features(holder: &Holder) -> BTreeSet<(u8, String)> {
    let mut found: BTreeSet<(u8, String)> = BTreeSet::new();
    for group in &holder.identity.groups {
        found.insert((0, format!("group `{}`", group.name)));
    }
    if let (true, Some(entity)) = (holder.identity_known, &holder.identity.entity) {
        for (key, value) in &entity.metadata {
            found.insert((1, format!("metadata `{key}` = `{value}`")));
        }
    }
    if !holder.principal.auth_mount.is_empty() {
        found.insert((2, format!("mount `{}`", holder.principal.auth_mount)));
    }
    found
}
