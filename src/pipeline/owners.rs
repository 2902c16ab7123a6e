//! To whom each policy, principal and finding belongs.

use super::place::Places;
use crate::access::{Holder, HolderId, Joined, PolicyNumber};
use crate::advice::{Advice, Finding, Owners};
use crate::index::IndexVec;
use crate::policy::model::Policy;
use crate::settings::owners::Owners as Settings;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The team of each policy: what the settings say, else the one group that all its holders are in.
pub(super) fn teams(joined: &Joined, settings: &Settings) -> BTreeMap<PolicyNumber, Arc<str>> {
    let group = |held: &BTreeSet<HolderId>| {
        let of = held.iter().map(|&holder| &joined.holders[holder]).map(|holder| {
            let groups = holder.assigned.iter().filter(|place| place.kind == "group");
            only(groups.map(|group| Some(group.name.clone())))
        });
        only(of)
    };
    let owned = of_policies(joined, settings);
    let team = |number: PolicyNumber| owned[number].clone().or_else(|| group(&joined.held[number].by));
    let teams = joined.policies.ids();
    teams
        .filter_map(|number| Some((number, Arc::from(team(number)?))))
        .collect()
}

/// The owners of what is in the advice.
pub(super) fn of(joined: &Joined, settings: &Settings, advice: &Advice) -> Owners {
    if settings.is_empty() {
        return Owners::default();
    }
    let by_metadata = by_metadata(joined, settings);
    let policies = of_policies(joined, settings);
    let mut owners = Owners::default();
    for (policy, owner) in joined.policies.iter().zip(&policies) {
        if let Some(owner) = owner {
            let key = (policy.namespace.to_string(), policy.name.to_string());
            owners.policies.insert(key, owner.clone());
        }
    }
    for (number, holder) in joined.holders.numbered() {
        let held = joined.held.numbered().filter(|(_, held)| held.by.contains(&number));
        // What nobody owns is everybody's: `default` and the like say nothing of their holders.
        let owned = held.map(|(policy, _)| policies[policy].clone()).filter(Option::is_some);
        let owner = by_metadata[number].clone().or_else(|| only(owned));
        if let Some(owner) = owner {
            owners.principals.insert(holder.key(), owner);
        }
    }
    let places = Places::new(&joined.policies);
    let of_finding = |finding: &Finding| {
        if finding.subject.kind == "principal" {
            return owners.principals.get(&finding.subject.key).cloned();
        }
        let spots = places.of_finding(finding);
        let by_place = only(spots.map(|spot| policies[spot.policy].clone()));
        by_place.or_else(|| {
            let named = joined.policies.iter().zip(&policies);
            let mut named = named.filter(|(policy, _)| finding.fixed_in.as_deref() == Some(&*policy.name));
            named.next().and_then(|(_, owner)| owner.clone())
        })
    };
    let findings = advice.findings.iter();
    let findings = findings.filter_map(|finding| Some((finding.fingerprint.clone(), of_finding(finding)?)));
    owners.findings = findings.collect();
    owners
}

/// The owner of each principal, as its metadata says it.
fn by_metadata(joined: &Joined, settings: &Settings) -> IndexVec<Holder, Option<String>> {
    let key = settings.metadata.as_ref();
    joined.holders.map(|holder| key.and_then(|key| of_holder(holder, key)))
}

/// The owner of each policy.
fn of_policies(joined: &Joined, settings: &Settings) -> IndexVec<Policy, Option<String>> {
    let by_metadata = by_metadata(joined, settings);
    joined
        .policies
        .numbered()
        .map(|(number, policy)| {
            let label = policy.id().to_string();
            let named = settings.of_policy(&label, Some(&*policy.file));
            let paths = policy.stanzas.iter().map(|stanza| &*stanza.path);
            let by_path = || settings.of_paths(paths);
            named.or_else(by_path).map(str::to_owned).or_else(|| {
                let holders = joined.held[number].by.iter().map(|&holder| by_metadata[holder].clone());
                only(holders)
            })
        })
        .collect()
}

/// The one owner of all; none where they differ or one has none.
fn only(all: impl Iterator<Item = Option<String>>) -> Option<String> {
    let distinct: BTreeSet<Option<String>> = all.collect();
    let mut distinct = distinct.into_iter();
    match (distinct.next(), distinct.next()) {
        (Some(owner), None) => owner,
        _ => None,
    }
}

/// What the metadata of an entity says, else that of its groups where it is one.
fn of_holder(holder: &Holder, key: &str) -> Option<String> {
    let entity = holder.identity.entity.as_ref();
    let own = entity.and_then(|entity| entity.metadata.get(key)).cloned();
    own.or_else(|| {
        let groups = holder.identity.groups.iter();
        let named = groups.filter_map(|group| group.metadata.get(key).cloned());
        only(named.map(Some))
    })
}
