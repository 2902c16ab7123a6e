//! Mines identity templates: where a path segment equals something of the principal's own identity for every holder that
//! used it, one templated stanza stands for all of them (`secret/data/home/{{identity.entity.name}}/*`).
//!
//! Only identities that are known (from a deployment, or settled by the log) are looked at, and only values that a newer
//! server lets into a path: no `*`, `+` or `/`.

use super::paths::{Chosen, Price};
use crate::access::{HolderId, Joined};
use crate::policy::pattern::Pattern;
use crate::policy::relation;
use crate::policy::template::Identity;
use crate::vault::CapabilitySet;
use std::collections::{BTreeMap, BTreeSet};

/// One use: a path (by its number in the field), by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Use<'a> {
    /// Number of the path in the field.
    pub number: u32,
    /// The path.
    pub path: &'a str,
    /// What was used on it.
    pub capabilities: CapabilitySet,
    /// Who.
    pub holder: HolderId,
}

/// What a template variable is called, and its value for one identity.
fn variables(identity: &Identity) -> Vec<(String, &str)> {
    let Some(entity) = &identity.entity else {
        return Vec::new();
    };
    let mut found = vec![("identity.entity.name".to_owned(), entity.name.as_str())];
    found.push(("identity.entity.id".to_owned(), entity.id.as_str()));
    for (key, value) in &entity.metadata {
        found.push((format!("identity.entity.metadata.{key}"), value.as_str()));
    }
    for alias in &entity.aliases {
        found.push((
            format!("identity.entity.aliases.{}.name", alias.mount_accessor),
            alias.name.as_str(),
        ));
    }
    let fits = |v: &str| v.len() >= 2 && !v.contains(['*', '+', '/', '{', '}']);
    found.retain(|(_, value)| fits(value));
    found
}

/// What a group of uses has in common.
#[derive(Default)]
struct Group {
    covers: BTreeSet<u32>,
    holders: BTreeSet<HolderId>,
    capabilities: CapabilitySet,
}

/// Templated stanzas within `within` that several holders' uses suggest.
pub(super) fn candidates(joined: &Joined, uses: &[Use<'_>], within: &Pattern, price: &Price) -> Vec<Chosen> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for used in uses {
        let Some(holder) = joined.holders.get(used.holder) else {
            continue;
        };
        for (name, value) in variables(&holder.identity) {
            for text in texts(used.path, &name, value) {
                let group = groups.entry(text).or_default();
                group.covers.insert(used.number);
                group.holders.insert(used.holder);
                group.capabilities = group.capabilities.union(used.capabilities);
            }
        }
    }
    let few = price.min_children.max(2);
    groups
        .into_iter()
        .filter(|(_, group)| group.holders.len() >= few)
        .filter(|(text, _)| stays_within(text, within))
        .map(|(text, group)| {
            let exposure = exposure(joined, uses, &text, &group, price);
            Chosen {
                path: text,
                capabilities: group.capabilities,
                exposure,
                covers: group.covers.into_iter().collect(),
            }
        })
        .collect()
}

/// The path with one segment as a template: to its end, and with a glob for what follows.
fn texts(path: &str, name: &str, value: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut start = 0;
    for segment in path.split('/') {
        let end = start + segment.len();
        if segment == value && start > 0 {
            let before = path.get(..start).unwrap_or_default();
            let after = path.get(end..).unwrap_or_default();
            found.push(format!("{before}{{{{{name}}}}}{after}"));
            if after.len() > 1 {
                found.push(format!("{before}{{{{{name}}}}}/*"));
            }
        }
        start = end + 1;
    }
    found
}

/// Whether the templated path, whatever one segment fills it, stays within the pattern of today.
fn stays_within(text: &str, within: &Pattern) -> bool {
    let Some((before, rest)) = text.split_once("{{") else {
        return false;
    };
    let Some((_, after)) = rest.split_once("}}") else {
        return false;
    };
    Pattern::parse(&format!("{before}+{after}"), "").is_ok_and(|p| relation::implies(&p, within))
}

/// What the template opens beyond use, for one holder in the mean.
fn exposure(joined: &Joined, uses: &[Use<'_>], text: &str, group: &Group, price: &Price) -> f64 {
    let Some((before, rest)) = text.split_once("{{") else {
        return 0.0;
    };
    let Some((name, after)) = rest.split_once("}}") else {
        return 0.0;
    };
    let mut sum = 0.0;
    for &h in &group.holders {
        let identity = joined.holders.get(h).map(|h| &h.identity);
        let value = identity.and_then(|i| {
            variables(i)
                .into_iter()
                .find(|(n, _)| n == name)
                .map(|(_, v)| v.to_owned())
        });
        let Some(value) = value else { continue };
        let Ok(pattern) = Pattern::parse(&format!("{before}{value}{after}"), "") else {
            continue;
        };
        if pattern.is_exact() {
            continue;
        }
        for n in joined.universe.under(&pattern.text) {
            let Some(known) = joined.universe.paths().get(n) else {
                break;
            };
            let used = uses
                .iter()
                .filter(|u| u.holder == h && u.path == known)
                .fold(CapabilitySet::EMPTY, |all, u| all.union(u.capabilities));
            sum += price.weigh(known, group.capabilities.difference(used));
        }
        sum += price.open_end(&pattern.text, group.capabilities);
    }
    sum / group.holders.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_of_ones_own_becomes_a_template() {
        assert_eq!(
            texts("secret/data/home/ann/note", "identity.entity.name", "ann"),
            [
                "secret/data/home/{{identity.entity.name}}/note",
                "secret/data/home/{{identity.entity.name}}/*"
            ]
        );
        assert!(texts("ann/x", "identity.entity.name", "ann").is_empty());
        let within = Pattern::parse("secret/data/home/*", "").unwrap();
        assert!(stays_within("secret/data/home/{{identity.entity.name}}/*", &within));
        let narrow = Pattern::parse("secret/data/home/+/note", "").unwrap();
        assert!(stays_within("secret/data/home/{{identity.entity.name}}/note", &narrow));
        assert!(!stays_within("secret/data/home/{{identity.entity.name}}/*", &narrow));
    }
}
