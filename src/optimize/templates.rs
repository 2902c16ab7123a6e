//! Mines identity templates: where a path segment equals something of the principal's own identity for every holder that
//! used it, one templated stanza stands for all of them (`secret/data/home/{{identity.entity.name}}/*`).
//!
//! Only identities that the deployment tells are looked at (of others only the entity's id, which the log has), and only values
//! that a newer server lets into a path: no `*`, `+` or `/`. At most two templates stand in a path.

use super::paths::{Chosen, Price};
use crate::access::{Holder, HolderId, Joined};
use crate::policy::pattern::Pattern;
use crate::policy::profile::TemplateRule;
use crate::policy::relation;
use crate::policy::template::{Filler, Identity};
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

/// What a template variable is called, and its value for one holder.
pub(super) type Variables<'a> = Vec<(String, &'a str)>;

/// The variables of a holder.
pub(super) fn variables(holder: &Holder) -> Variables<'_> {
    let Some(entity) = &holder.identity.entity else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if holder.identity_known {
        found.push(("identity.entity.name".to_owned(), entity.name.as_str()));
        for (key, value) in &entity.metadata {
            found.push((format!("identity.entity.metadata.{key}"), value.as_str()));
        }
        for alias in &entity.aliases {
            let alias_name = format!("identity.entity.aliases.{}", alias.mount_accessor);
            found.push((format!("{alias_name}.name"), alias.name.as_str()));
            for (key, value) in &alias.metadata {
                found.push((format!("{alias_name}.metadata.{key}"), value.as_str()));
            }
            for (key, value) in &alias.custom_metadata {
                found.push((format!("{alias_name}.custom_metadata.{key}"), value.as_str()));
            }
        }
    }
    found.push(("identity.entity.id".to_owned(), entity.id.as_str()));
    let fits = |v: &str| v.len() >= 2 && !v.contains(['*', '+', '/', '{', '}']);
    let named = |name: &str| !name.contains(['{', '}', ' ', '/', '*', '+']);
    found.retain(|(name, value)| fits(value) && named(name));
    found
}

/// A path with the templates filled in as a server of any version would.
pub(super) fn filled(text: &str, identity: &Identity) -> Option<String> {
    let filler = Filler {
        identity,
        namespace: "",
        rule: TemplateRule {
            wildcards: false,
            slashes: false,
        },
        now: 0,
    };
    filler.fill(text).ok().map(std::borrow::Cow::into_owned)
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
        let holder = &joined.holders[used.holder];
        for text in texts(used.path, &variables(holder)) {
            let group = groups.entry(text).or_default();
            group.covers.insert(used.number);
            group.holders.insert(used.holder);
            group.capabilities = group.capabilities.union(used.capabilities);
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

/// The path with one or two of its segments as templates: to its end, and with a glob for what follows the last.
fn texts(path: &str, variables: &[(String, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    for (text, open) in templated(path, variables) {
        found.push(text);
        found.extend(open);
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Every way to write one or two segments of the path as templates; each with the glob below the last of them, where
/// something follows it.
pub(super) fn templated(path: &str, variables: &[(String, &str)]) -> Vec<(String, Option<String>)> {
    let segments: Vec<&str> = path.split('/').collect();
    let places: Vec<(usize, &str)> = segments
        .iter()
        .enumerate()
        .skip(1)
        .flat_map(|(n, segment)| {
            let equal = variables.iter().filter(move |(_, value)| value == segment);
            equal.map(move |(name, _)| (n, name.as_str()))
        })
        .collect();
    let ones = places.iter().map(|&one| vec![one]);
    let twos = places.iter().flat_map(|&one| {
        let later = places.iter().filter(move |two| two.0 > one.0);
        later.map(move |&two| vec![one, two])
    });
    ones.chain(twos)
        .map(|chosen| {
            let mut text: Vec<String> = segments.iter().map(|&s| s.to_owned()).collect();
            let mut last = 0;
            for (n, name) in chosen {
                if let Some(segment) = text.get_mut(n) {
                    *segment = format!("{{{{{name}}}}}");
                }
                last = n;
            }
            let follows = segments
                .get(last + 1..)
                .is_some_and(|rest| rest.iter().any(|s| !s.is_empty()));
            let open = follows.then(|| {
                let head: Vec<&str> = text.iter().take(last + 1).map(String::as_str).collect();
                format!("{}/*", head.join("/"))
            });
            (text.join("/"), open)
        })
        .collect()
}

/// The path with every template as `+`.
fn any_filling(text: &str) -> Option<String> {
    let mut out = String::new();
    for (n, piece) in text.split("{{").enumerate() {
        if n == 0 {
            out.push_str(piece);
        } else {
            out.push('+');
            out.push_str(piece.split_once("}}")?.1);
        }
    }
    Some(out)
}

/// Whether the templated path, whatever segments fill it, stays within the pattern of today.
fn stays_within(text: &str, within: &Pattern) -> bool {
    any_filling(text).is_some_and(|any| Pattern::parse(&any, "").is_ok_and(|p| relation::implies(&p, within)))
}

/// What the template opens beyond use, for one holder in the mean.
fn exposure(joined: &Joined, uses: &[Use<'_>], text: &str, group: &Group, price: &Price) -> f64 {
    let mut sum = 0.0;
    for &h in &group.holders {
        let Some(own) = filled(text, &joined.holders[h].identity) else {
            continue;
        };
        let Ok(pattern) = Pattern::parse(&own, "") else {
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

    fn own(pairs: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect()
    }

    #[test]
    fn a_segment_of_ones_own_becomes_a_template() {
        let ann = own(&[("identity.entity.name", "ann")]);
        assert_eq!(
            texts("secret/data/home/ann/note", &ann),
            [
                "secret/data/home/{{identity.entity.name}}/*",
                "secret/data/home/{{identity.entity.name}}/note"
            ]
        );
        assert!(texts("ann/x", &ann).is_empty());
        let within = Pattern::parse("secret/data/home/*", "").unwrap();
        assert!(stays_within("secret/data/home/{{identity.entity.name}}/*", &within));
        let narrow = Pattern::parse("secret/data/home/+/note", "").unwrap();
        assert!(stays_within("secret/data/home/{{identity.entity.name}}/note", &narrow));
        assert!(!stays_within("secret/data/home/{{identity.entity.name}}/*", &narrow));
    }

    #[test]
    fn two_templates_stand_in_one_path() {
        let ann = own(&[
            ("identity.entity.metadata.team", "web"),
            ("identity.entity.name", "ann"),
        ]);
        let found = texts("secret/data/web/ann/note", &ann);
        let both = "secret/data/{{identity.entity.metadata.team}}/{{identity.entity.name}}";
        assert!(
            found.contains(&format!("{both}/note")) && found.contains(&format!("{both}/*")),
            "{found:?}"
        );
        let within = Pattern::parse("secret/data/web/*", "").unwrap();
        assert!(
            !stays_within(&format!("{both}/*"), &within),
            "another team's folder is not within"
        );
        let within = Pattern::parse("secret/data/*", "").unwrap();
        assert!(stays_within(&format!("{both}/*"), &within));
    }
}
