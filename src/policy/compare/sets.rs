//! Two sets of policies: each policy by itself, and every combination that somebody holds.

use super::outcome::{Comparison, Difference};
use super::unfilled;
use crate::policy::acl::Acl;
use crate::policy::model::{Policy, Stanza};
use crate::policy::profile::Profile;
use crate::policy::syntax;
use crate::policy::template::Identity;
use crate::vault::{Capability, CapabilitySet, PolicyId};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// More moments than this, at which a stanza's `expiration` passes, are not looked at.
const MOST_MOMENTS: usize = 8;
/// More pairs of a policy gone and a policy come are not looked at for a change of name.
const MOST_RENAMES: usize = 400;

/// Somebody who holds policies.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The name that is shown.
    pub name: String,
    /// The policies.
    pub policies: Vec<PolicyId>,
    /// What templates are filled from; none where nothing is known of it.
    pub identity: Option<Identity>,
}

/// On which side a policy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// On both.
    Both,
    /// On the new side only.
    Added,
    /// On the old side only.
    Removed,
}

/// One policy by itself.
#[derive(Debug, Clone)]
pub struct PolicyComparison {
    /// Which.
    pub policy: PolicyId,
    /// Where it is.
    pub presence: Presence,
    /// The policy that decides as this one on the other side, where this one is missing there.
    pub renamed: Option<PolicyId>,
    /// How the policy alone decides before and after.
    pub comparison: Comparison,
    /// What the policy withheld, and withholds no more, from whoever may do so by another policy: its `deny` that is gone.
    pub unguarded: Vec<Difference>,
}

/// Policies that somebody holds together.
#[derive(Debug, Clone)]
pub struct Combination {
    /// The policies.
    pub policies: Vec<PolicyId>,
    /// Those of them that are on neither side.
    pub unknown: Vec<PolicyId>,
    /// Who holds them.
    pub holders: Vec<String>,
    /// How they decide together before and after.
    pub comparison: Comparison,
}

/// Two sets of policies compared.
#[derive(Debug, Clone)]
pub struct SetComparison {
    /// The servers' profile.
    pub profile: Profile,
    /// Each policy by itself, by name.
    pub policies: Vec<PolicyComparison>,
    /// Each combination that somebody holds; none where holders are not known.
    pub combinations: Option<Vec<Combination>>,
}

impl SetComparison {
    /// The comparisons that count: combinations that are held, and besides only policies that are in none of them. Where
    /// holders are not known, every policy; one that changed its name is another, since who holds what goes by names.
    pub fn counting(&self) -> impl Iterator<Item = &Comparison> {
        let alone = self.alone().map(|p| &p.comparison);
        self.combinations.iter().flatten().map(|c| &c.comparison).chain(alone)
    }

    /// The policies of which nobody is known to hold them.
    fn alone(&self) -> impl Iterator<Item = &PolicyComparison> {
        let held: BTreeSet<&PolicyId> = self.combinations.iter().flatten().flat_map(|c| &c.policies).collect();
        self.policies.iter().filter(move |p| !held.contains(&p.policy))
    }

    /// The policies that withhold less than they did, where nobody knows who holds them with others.
    pub fn unguarded(&self) -> impl Iterator<Item = &PolicyComparison> {
        self.alone().filter(|p| !p.unguarded.is_empty())
    }

    /// Whether it is proven that nothing new is granted.
    #[must_use]
    pub fn grants_nothing_new(&self) -> bool {
        self.counting().all(Comparison::grants_nothing_new) && self.unguarded().next().is_none()
    }

    /// Whether both sides are proven to decide alike.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.counting().all(Comparison::is_equal) && self.unguarded().next().is_none()
    }
}

/// Compares two sets of policies. `compare` compares two lists.
pub(super) fn compare_policies(
    profile: Profile,
    old: &[Policy],
    new: &[Policy],
    holders: Option<&[Holder]>,
    now: i64,
    compare: impl Fn(&Acl, &Acl) -> Comparison + Sync,
) -> SetComparison {
    let work = Work {
        profile,
        now,
        old: by_id(old),
        new: by_id(new),
        compare,
    };
    let ids: BTreeSet<&PolicyId> = work.old.keys().chain(work.new.keys()).collect();
    let ids: Vec<&PolicyId> = ids.into_iter().collect();
    let mut policies: Vec<PolicyComparison> = ids
        .par_iter()
        .map(|id| PolicyComparison {
            policy: (*id).clone(),
            presence: match (work.old.contains_key(id), work.new.contains_key(id)) {
                (true, false) => Presence::Removed,
                (false, true) => Presence::Added,
                _ => Presence::Both,
            },
            renamed: None,
            comparison: work.together(std::slice::from_ref(id), None),
            unguarded: work.unguarded(id),
        })
        .collect();
    work.name_changes(&mut policies);
    SetComparison {
        profile,
        policies,
        combinations: holders.map(|holders| work.combinations(holders)),
    }
}

fn is_withheld(capabilities: CapabilitySet) -> bool {
    capabilities.is_empty() || capabilities.contains(Capability::Deny)
}

/// A policy that allows everything where this one lives, by `*`, and by the very patterns that it denied and now says something else
/// of, which merges with what others say of them; none where the servers know no such text.
fn everything(profile: Profile, of: &Policy, new: Option<&Policy>) -> Option<Policy> {
    const NAME: &str = "(any other policy)";
    let with = |more: &str| {
        let text =
            format!(r#"path "*" {{ capabilities = ["create", "read", "update", "delete", "list", "sudo"{more}] }}"#);
        syntax::parse(NAME, NAME, &text, &profile.dialect()).ok()
    };
    let mut policy = with(r#", "patch""#).or_else(|| with(""))?;
    policy.namespace = of.namespace.clone();
    let all = policy.stanzas.first()?.clone();
    let denies = |stanza: &Stanza| stanza.capability_set().contains(Capability::Deny);
    let lets_go = |stanza: &&Stanza| {
        let now = new.into_iter().flat_map(|new| &new.stanzas);
        let mut same = now.filter(|new| new.path == stanza.path).peekable();
        same.peek().is_some() && !same.any(denies)
    };
    let denied = of.stanzas.iter().filter(|stanza| denies(stanza)).filter(lets_go);
    policy.stanzas.extend(denied.map(|stanza| Stanza {
        path: stanza.path.clone(),
        templated: stanza.templated,
        ..all.clone()
    }));
    Some(policy)
}

fn by_id(policies: &[Policy]) -> BTreeMap<PolicyId, &Policy> {
    policies.iter().map(|p| (p.id(), p)).collect()
}

struct Work<'p, F> {
    profile: Profile,
    now: i64,
    old: BTreeMap<PolicyId, &'p Policy>,
    new: BTreeMap<PolicyId, &'p Policy>,
    compare: F,
}

impl<'p, F: Fn(&Acl, &Acl) -> Comparison + Sync> Work<'p, F> {
    fn together(&self, ids: &[&PolicyId], identity: Option<&Identity>) -> Comparison {
        let of = |side: &BTreeMap<PolicyId, &'p Policy>| -> Vec<&'p Policy> {
            ids.iter().filter_map(|id| side.get(*id).copied()).collect()
        };
        self.over_time(&of(&self.old), &of(&self.new), identity)
    }

    /// What a policy withheld from those who hold it and may do everything by another one, and withholds no more.
    fn unguarded(&self, id: &PolicyId) -> Vec<Difference> {
        let (old, new) = (self.old.get(id).copied(), self.new.get(id).copied());
        let withholds = |policy: &&Policy| policy.stanzas.iter().any(|s| is_withheld(s.capability_set()));
        let Some((old, all)) = old
            .filter(withholds)
            .and_then(|old| Some((old, everything(self.profile, old, new)?)))
        else {
            return Vec::new();
        };
        let after: Vec<&Policy> = new.into_iter().chain([&all]).collect();
        let found = self.over_time(&[old, &all], &after, None);
        let by_another = |d: &Difference| {
            let before = d.old.as_ref().is_some_and(|old| is_withheld(old.capabilities));
            let now = d.new.as_ref().map(|new| &new.sources);
            before && now.is_some_and(|sources| sources.iter().any(|(policy, _)| **policy == *all.name))
        };
        found.gained.into_iter().filter(by_another).collect()
    }

    /// Compares now, and again after each moment at which a stanza expires.
    fn over_time(&self, old: &[&Policy], new: &[&Policy], identity: Option<&Identity>) -> Comparison {
        let at = |now: i64| match identity {
            None => unfilled::compare(self.profile, old, new, Some(now), &self.compare),
            Some(identity) => {
                let [old, new] = [old, new].map(|p| Acl::compile(self.profile, p, identity, Some(now)));
                (self.compare)(&old, &new)
            }
        };
        let mut found = at(self.now);
        let moments: BTreeSet<i64> = old
            .iter()
            .chain(new)
            .flat_map(|p| &p.stanzas)
            .filter_map(|s| s.constraints.expiration)
            .filter(|moment| *moment >= self.now)
            .collect();
        for moment in moments.iter().take(MOST_MOMENTS) {
            let later = at(moment.saturating_add(1));
            let when = [format!(
                "after {} (seconds since 1970), when a stanza has expired",
                moment
            )];
            unfilled::add(&mut found.gained, later.gained, &when);
            unfilled::add(&mut found.lost, later.lost, &when);
            found.incomplete = found.incomplete.take().or(later.incomplete);
        }
        if moments.len() > MOST_MOMENTS {
            found.incomplete.get_or_insert_with(|| {
                format!(
                    "stanzas expire at {} moments, of which {MOST_MOMENTS} were looked at",
                    moments.len()
                )
            });
        }
        found
    }

    /// Finds policies that are on one side only and decide as one that is on the other only.
    fn name_changes(&self, policies: &mut [PolicyComparison]) {
        let only = |presence: Presence| -> Vec<PolicyId> {
            let one_sided = policies.iter().filter(|p| p.presence == presence);
            one_sided.map(|p| p.policy.clone()).collect()
        };
        let (gone, mut come) = (only(Presence::Removed), only(Presence::Added));
        let mut changes: BTreeMap<PolicyId, PolicyId> = BTreeMap::new();
        let mut pairs = 0;
        for before in gone {
            let found = come.iter().position(|after| {
                let (Some(old), Some(new)) = (self.old.get(&before), self.new.get(after)) else {
                    return false;
                };
                if old.is_root() || new.is_root() || old.stanzas.is_empty() || new.stanzas.is_empty() {
                    return false;
                }
                pairs += 1;
                old.source == new.source || (pairs <= MOST_RENAMES && self.over_time(&[*old], &[*new], None).is_equal())
            });
            if let Some(at) = found {
                let after = come.swap_remove(at);
                changes.insert(before.clone(), after.clone());
                changes.insert(after, before);
            }
        }
        for policy in policies {
            policy.renamed = changes.remove(&policy.policy);
        }
    }

    fn combinations(&self, holders: &[Holder]) -> Vec<Combination> {
        let mut held: Vec<(Vec<&PolicyId>, Option<&Identity>, Vec<String>)> = Vec::new();
        let mut places: BTreeMap<Vec<&PolicyId>, Vec<usize>> = BTreeMap::new();
        for holder in holders {
            let ids: Vec<&PolicyId> = holder.policies.iter().collect::<BTreeSet<_>>().into_iter().collect();
            let templated = ids.iter().any(|id| {
                [self.old.get(*id), self.new.get(*id)]
                    .into_iter()
                    .flatten()
                    .any(|p| p.stanzas.iter().any(|s| s.templated))
            });
            // Where nothing is to be filled in, it does not matter who holds them.
            let identity = if templated { holder.identity.as_ref() } else { None };
            let known = places.entry(ids.clone()).or_default();
            let present = known
                .iter()
                .copied()
                .find(|n| held.get(*n).is_some_and(|h| h.1 == identity));
            match present.and_then(|n| held.get_mut(n)) {
                Some((_, _, names)) => names.push(holder.name.clone()),
                None => {
                    known.push(held.len());
                    held.push((ids, identity, vec![holder.name.clone()]));
                }
            }
        }
        held.into_par_iter()
            .map(|(ids, identity, holders)| Combination {
                unknown: ids
                    .iter()
                    .filter(|id| !self.old.contains_key(**id) && !self.new.contains_key(**id))
                    .map(|id| (*id).clone())
                    .collect(),
                comparison: self.together(&ids, identity),
                policies: ids.into_iter().cloned().collect(),
                holders,
            })
            .collect()
    }
}
