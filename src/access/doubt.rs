//! What is not explained: which stanzas bear on it.
//!
//! A request that was allowed and that the policies as read do not allow was allowed by something: a policy that was not read,
//! one that was read under another name, an older or newer text of one that was. Every stanza that matches its path, in any
//! policy that its maker holds or may hold or that nobody is known to hold, could have been what allowed it, or could decide
//! it once another is changed. Such a stanza is in doubt: it is not touched, for anybody.

use super::holder::{Holder, HolderId};
use super::join::{JoinedDemand, Outcome};
use super::lists::MayHold;
use super::sets::{AccessSet, SetId, StanzaId};
use crate::index::IndexVec;
use crate::policy::model::{Policy, Stanza};
use crate::policy::pattern::Pattern;
use crate::policy::template::{is_templated, literal_start};
use crate::vault::Capability;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// Why a stanza is in doubt: the first request that it may have allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Doubt {
    /// The path, namespace in front.
    pub path: Arc<str>,
    /// What was asked for.
    pub capability: Capability,
    /// By whom.
    pub holder: HolderId,
}

/// What doubts are made of.
pub(super) struct Known<'a> {
    pub(super) policies: &'a [Policy],
    pub(super) demands: &'a [JoinedDemand],
    pub(super) sets: &'a IndexVec<AccessSet>,
    pub(super) sets_of: &'a IndexVec<Holder, BTreeSet<SetId>>,
    pub(super) held_by: &'a [BTreeSet<HolderId>],
    pub(super) may_hold: &'a MayHold,
}

/// The stanzas in doubt, and whose requests put them there.
pub(super) fn stanzas(known: &Known<'_>) -> (BTreeMap<StanzaId, Doubt>, BTreeSet<HolderId>) {
    let mut doubted = BTreeMap::new();
    let by_holder = unexplained(known);
    if by_holder.is_empty() {
        return (doubted, BTreeSet::new());
    }
    let all: Asked = by_holder
        .values()
        .flatten()
        .map(|(path, doubt)| (path.clone(), doubt.clone()))
        .collect();
    for (&holder, asked) in &by_holder {
        let held = known.sets_of[holder].iter();
        let held = held.flat_map(|&set| known.sets[set].policies.iter().copied());
        let may = known.policies.iter().enumerate();
        let may = may.filter(|(_, policy)| known.may_hold.is_open(holder, &policy.name));
        let may = may.map(|(policy, _)| policy);
        let policies: BTreeSet<usize> = held.chain(may).collect();
        for policy in policies {
            doubt_policy(known.policies, policy, asked, &mut doubted);
        }
    }
    for (policy, held) in known.held_by.iter().enumerate() {
        if held.is_empty() {
            doubt_policy(known.policies, policy, &all, &mut doubted);
        }
    }
    (doubted, by_holder.into_keys().collect())
}

/// Unexplained paths, sorted, each with what asked for it.
type Asked = BTreeMap<Arc<str>, Doubt>;

/// What was allowed and is explained by none of its maker's sets, by its maker.
fn unexplained(known: &Known<'_>) -> BTreeMap<HolderId, Asked> {
    let mut by_holder: BTreeMap<HolderId, Asked> = BTreeMap::new();
    let open = || known.demands.iter().filter(|d| d.outcome == Outcome::NotExplained);
    let makers: BTreeSet<HolderId> = open().map(|d| d.holder).collect();
    let explained = known.demands.iter().filter(|d| makers.contains(&d.holder));
    let explained = explained.filter(|d| matches!(d.outcome, Outcome::Explained(_)));
    let explained: BTreeSet<(HolderId, &str, Capability)> = explained
        .map(|d| (d.holder, d.path.as_str(), d.demand.capability))
        .collect();
    for d in open().filter(|d| !explained.contains(&(d.holder, d.path.as_str(), d.demand.capability))) {
        let path: Arc<str> = Arc::from(d.path.as_str());
        let doubt = Doubt {
            path: path.clone(),
            capability: d.demand.capability,
            holder: d.holder,
        };
        by_holder.entry(d.holder).or_default().entry(path).or_insert(doubt);
    }
    by_holder
}

fn doubt_policy(policies: &[Policy], number: usize, asked: &Asked, doubted: &mut BTreeMap<StanzaId, Doubt>) {
    let Some(policy) = policies.get(number) else { return };
    for (n, stanza) in policy.stanzas.iter().enumerate() {
        if let Some(doubt) = first_match(&policy.namespace, stanza, asked) {
            let known = doubted.entry((number, n)).or_insert_with(|| doubt.clone());
            if doubt < known {
                *known = doubt.clone();
            }
        }
    }
}

/// The first of the paths that the stanza may match. A template may be filled with anything.
fn first_match<'a>(namespace: &str, stanza: &Stanza, asked: &'a Asked) -> Option<&'a Doubt> {
    let matches: Box<dyn Fn(&str) -> bool> = if is_templated(&stanza.path) {
        Box::new(|_| true)
    } else {
        match Pattern::parse(&stanza.path, namespace) {
            Ok(pattern) => Box::new(move |path: &str| {
                pattern.matches(path) || path.strip_suffix('/').is_some_and(|path| pattern.matches(path))
            }),
            // What is no pattern to us may be one to the server.
            Err(_) => Box::new(|_| true),
        }
    };
    let lead = format!("{namespace}{}", literal_start(&stanza.path));
    // An exact `a` answers the list of `a/` as well, which begins with it.
    let from = asked.range::<str, _>((Bound::Included(lead.as_str()), Bound::Unbounded));
    from.take_while(|(path, _)| path.starts_with(&lead))
        .find(|(path, _)| matches(path))
        .map(|(_, doubt)| doubt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::syntax::{self, Dialect};

    fn first(stanza: &str, paths: &[&str]) -> Option<String> {
        let text = format!("path \"{stanza}\" {{ capabilities = [\"read\"] }}");
        let policy = syntax::parse("p", "p.hcl", &text, &Dialect::default()).unwrap();
        let asked: Asked = paths
            .iter()
            .map(|path| {
                let path: Arc<str> = Arc::from(*path);
                let doubt = Doubt {
                    path: path.clone(),
                    capability: Capability::Read,
                    holder: IndexVec::<Holder, ()>::new().push(()),
                };
                (path, doubt)
            })
            .collect();
        first_match("team/", &policy.stanzas[0], &asked).map(|doubt| doubt.path.to_string())
    }

    #[test]
    fn whatever_may_match_is_in_doubt() {
        let paths = ["team/kv/a", "team/kv/b/", "other"];
        assert_eq!(first("kv/*", &paths).as_deref(), Some("team/kv/a"));
        assert_eq!(first("kv/b", &paths).as_deref(), Some("team/kv/b/"));
        assert_eq!(first("+/b", &paths).as_deref(), Some("team/kv/b/"));
        assert_eq!(
            first("{{identity.entity.name}}/x", &paths).as_deref(),
            Some("team/kv/a")
        );
        assert_eq!(first("kv/c*", &paths), None);
        assert_eq!(first("other", &paths), None);
    }
}
