//! One templated permission in the place of many that differ by their holder's identity only: a hundred policies for a
//! hundred home folders become one.
//!
//! For each holder the template means just the path that it stands for, or, as a glob, nothing that its policies of today do
//! not grant. Groups that are too small stay as they are.

use super::matrix::{Permission, Permissions, User, grants_filled};
use crate::access::Joined;
use crate::access::universe::lead;
use crate::optimize::paths::Price;
use crate::optimize::templates::{filled, templated, variables};
use crate::policy::pattern::Pattern;
use crate::policy::template::is_templated;
use crate::vault::{Capability, CapabilitySet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Namespace and templated path.
type Text = (Arc<str>, String);

/// Which users a template fits, and for which of their paths it would stand.
#[derive(Default)]
struct Group {
    users: BTreeMap<usize, BTreeSet<Arc<str>>>,
    /// What the paths would be without this template: templated to their end.
    exact: BTreeSet<String>,
    capabilities: CapabilitySet,
}

/// Puts templates in the place of paths, for groups of at least `price.min_children` users.
pub(super) fn generalize(joined: &Joined, users: &mut [User], permissions: &mut Permissions, price: &Price) {
    let mut exact: BTreeMap<Text, Group> = BTreeMap::new();
    let mut open: BTreeMap<Text, Group> = BTreeMap::new();
    for (n, user) in users.iter().enumerate() {
        let holder = &joined.holders[user.holder];
        let own = variables(holder);
        for ((namespace, path), capabilities) in paths(user, permissions) {
            for (text, glob) in templated(&path, &own) {
                let both = [(&mut exact, Some(text.clone())), (&mut open, glob)];
                for (groups, key) in both {
                    let Some(key) = key else { continue };
                    let group = groups.entry((namespace.clone(), key)).or_default();
                    group.users.entry(n).or_default().insert(path.clone());
                    group.exact.insert(text.clone());
                    group.capabilities = group.capabilities.union(capabilities);
                }
            }
        }
    }
    let few = price.min_children.max(2);
    for ((namespace, text), mut group) in open {
        group.users.retain(|&n, _| {
            users.get(n).is_some_and(|u| {
                group
                    .capabilities
                    .iter()
                    .all(|c| grants_filled(joined, u, &namespace, &text, c))
            })
        });
        let saved = group.exact.len().saturating_sub(1) as f64;
        let opened = text.split("{{").next().unwrap_or_default();
        let exposure = price.open_end(&format!("{namespace}{opened}"), group.capabilities);
        if group.users.len() >= few && saved > price.lambda * exposure {
            replace(
                joined,
                users,
                permissions,
                &namespace,
                &text,
                group.capabilities,
                &group.users,
            );
        }
    }
    let mut groups: Vec<(Text, Group)> = exact.into_iter().filter(|(_, g)| g.users.len() >= few).collect();
    // The largest first: what one took is no longer there for the next.
    groups.sort_by_key(|(_, g)| std::cmp::Reverse(g.users.len()));
    for ((namespace, text), group) in groups {
        let left: BTreeMap<usize, BTreeSet<Arc<str>>> = group
            .users
            .into_iter()
            .filter(|(n, of)| {
                let needed = users.get(*n).map(|u| paths(u, permissions)).unwrap_or_default();
                of.iter()
                    .any(|path| needed.contains_key(&(namespace.clone(), path.clone())))
            })
            .collect();
        let different: BTreeSet<&Arc<str>> = left.values().flatten().collect();
        if left.len() >= few && different.len() >= 2 {
            replace(
                joined,
                users,
                permissions,
                &namespace,
                &text,
                CapabilitySet::EMPTY,
                &left,
            );
        }
    }
}

/// What a user needs, by path, as far as a template may stand for it.
fn paths(user: &User, permissions: &Permissions) -> BTreeMap<(Arc<str>, Arc<str>), CapabilitySet> {
    let mut found: BTreeMap<(Arc<str>, Arc<str>), CapabilitySet> = BTreeMap::new();
    for p in user.needs.iter().filter_map(|&n| permissions.all.get(n as usize)) {
        if p.source.is_none() && !is_templated(&p.path) {
            found
                .entry((p.namespace.clone(), p.path.clone()))
                .or_default()
                .insert(p.capability);
        }
    }
    found
}

/// Gives the users the templated path instead of theirs, with the capabilities of these and `more`.
fn replace(
    joined: &Joined,
    users: &mut [User],
    permissions: &mut Permissions,
    namespace: &Arc<str>,
    text: &str,
    more: CapabilitySet,
    of: &BTreeMap<usize, BTreeSet<Arc<str>>>,
) {
    for &n in of.keys() {
        let Some(user) = users.get_mut(n) else { continue };
        let Some(own) = filled(text, &joined.holders[user.holder].identity) else {
            continue;
        };
        let Ok(pattern) = Pattern::parse(&own, "") else {
            continue;
        };
        // Every path that the filled template holds goes, so that none of them shadows it.
        let gone: Vec<(u32, Capability)> = user
            .needs
            .iter()
            .filter_map(|&n| Some((n, permissions.all.get(n as usize)?)))
            .filter(|(_, p)| p.source.is_none() && p.namespace == *namespace && covers(&pattern, &p.path))
            .map(|(n, p)| (n, p.capability))
            .collect();
        if gone.is_empty() {
            continue;
        }
        let mut capabilities = more;
        for (n, capability) in gone {
            user.needs.remove(&n);
            capabilities.insert(capability);
        }
        for capability in capabilities.iter() {
            user.needs.insert(permissions.number(Permission {
                namespace: namespace.clone(),
                path: Arc::from(text),
                capability,
                source: None,
            }));
        }
    }
}

/// Whether the filled template holds all that a path as written means.
fn covers(filled: &Pattern, path: &str) -> bool {
    !is_templated(path)
        && Pattern::parse(path, "").is_ok_and(|p| {
            p == *filled || lead(&p).starts_with(lead(filled)) && crate::policy::relation::implies(&p, filled)
        })
}
