//! The promise, on random deployments: what was allowed and used stays allowed, and nobody gains anything. Checked beside the
//! optimizer's own proof: the texts and assignments that come out are put in force for everybody (as the server knows them,
//! which may be more than the program was told), then each logged request is decided by the plain scan, and each list is
//! compared completely with today's.
//!
//! `PROPTEST_CASES=10000 cargo test --release --test proposals_safe` looks at more of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test is told by its panic"
)]

#[path = "common/advised.rs"]
mod advised;
#[path = "common/plain_scan.rs"]
mod plain_scan;
#[path = "common/worlds.rs"]
mod worlds;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use vault_advisor::advice::{Advice, Change, Proposal};
use vault_advisor::policy::compare;
use vault_advisor::policy::model::Policy;
use vault_advisor::settings::Settings;
use vault_advisor::vault::Operation;
use worlds::{Place, World, permits, world};

/// What `advise` says when all that is unused may go.
fn advise(world: &World, settings: &Settings) -> Advice {
    advise_of(world, &world.log(), settings)
}

fn advise_of(world: &World, log: &str, settings: &Settings) -> Advice {
    let given = (world.read(), world.deployment());
    advised::advise(log, given, (world.profile, settings), Duration::from_millis(40))
}

/// Policy sets that the program can know of: those that something was allowed with, and those that the snapshot gives.
fn known_sets(world: &World) -> BTreeSet<(usize, Vec<String>)> {
    let allowed = world.events().into_iter().filter(|event| event.allowed);
    let mut known: BTreeSet<(usize, Vec<String>)> = allowed.map(|event| (event.person, event.policies)).collect();
    for demand in advised::usage(&world.log()).demands() {
        let person = world
            .people()
            .find(|&n| world.name(n) == &*demand.principal.name)
            .unwrap();
        known.insert((person, demand.held.own.iter().map(ToString::to_string).collect()));
    }
    if world.deployment().is_some() {
        for person in world.people() {
            known.insert((person, world.sets(person).into_iter().next().unwrap()));
        }
    }
    known
}

/// The names that a token of `person` with `set` has when the lists of a proposal are in force: a login has what its places
/// list, other tokens what they are told, and so has everybody where nobody knows the places.
fn listed(world: &World, proposal: &Proposal, person: usize, set: &[String]) -> Vec<String> {
    let known = world.deployment().is_some();
    if !known || set != world.sets(person)[0] {
        let told = proposal.assignments.iter().find(|a| {
            let of_token = a.kind == "token" || !known;
            of_token && a.name == world.name(person) && a.before == set
        });
        return told.map_or_else(|| set.to_vec(), |a| a.after.clone());
    }
    let mut names: BTreeSet<String> = world
        .places(person)
        .into_iter()
        .flat_map(|place| {
            let mut changed = proposal.assignments.iter();
            let changed = changed.find(|a| a.kind == place.kind && a.id == place.id);
            changed.map_or(place.policies, |a| a.after.clone())
        })
        .collect();
    names.extend(set.iter().filter(|name| *name == "default").cloned());
    names.into_iter().collect()
}

/// The policies that a proposal puts in force for a token of `person` that has `set`.
fn in_force(world: &World, proposal: &Proposal, person: usize, set: &[String]) -> Vec<Policy> {
    let hidden = world.hidden();
    let is_hidden = |name: &String| Some(name) == hidden.as_ref();
    let texts = world.texts();
    let proposed: BTreeMap<&str, Option<&str>> = proposal
        .policies
        .iter()
        .map(|p| (p.name.as_str(), p.text.as_deref()))
        .collect();
    listed(world, proposal, person, set)
        .iter()
        .filter_map(|name| {
            let text = if is_hidden(name) {
                Some(texts[name].as_str())
            } else {
                proposed.get(name.as_str()).copied().flatten()
            };
            text.map(|text| world.parse(name, text))
        })
        .collect()
}

/// Everything that a proposal promises.
fn holds(world: &World, proposal: &Proposal) -> Result<(), TestCaseError> {
    let kind = &proposal.kind;
    prop_assert!(proposal.proof.holds(), "{kind}: {:?}", proposal.proof);
    let texts = world.texts();
    let events = world.events();
    let probes = world.probes();
    for (person, set) in known_sets(world) {
        let today: Vec<Policy> = set.iter().map(|name| world.parse(name, &texts[name])).collect();
        let then = in_force(world, proposal, person, &set);
        let (old, new) = (world.acl(person, &today), world.acl(person, &then));
        let who = world.name(person);
        let told = || {
            let texts: String = then.iter().map(|p| format!("# {}\n{}", p.name, p.source)).collect();
            format!("{texts}{:?}", proposal.assignments)
        };
        for event in events
            .iter()
            .filter(|e| e.person == person && e.policies == set && e.allowed)
        {
            prop_assert!(
                permits(&new, event.operation, &event.path, event.needs_sudo),
                "{kind}: `{who}` with {set:?} loses {} {}\n{}",
                event.operation,
                event.path,
                told()
            );
            let constraints = |acl: &vault_advisor::policy::acl::Acl| {
                let rule = acl.winner(event.operation, &event.path).and_then(|r| acl.rule(r));
                rule.map(|r| r.constraints().clone()).unwrap_or_default()
            };
            let asked = constraints(&new);
            prop_assert!(
                asked.is_empty() || asked == constraints(&old),
                "{kind}: {} {} is put under other conditions",
                event.operation,
                event.path
            );
        }
        let found = compare::compare(&old, &new);
        prop_assert!(
            found.gained.is_empty(),
            "{kind}: `{who}` with {set:?} gains {}\n{}",
            found.gained[0].asked,
            told()
        );
        prop_assert!(found.open_gained.is_empty() && found.incomplete.is_none());
        for path in &probes {
            for operation in [Operation::Read, Operation::List, Operation::Update, Operation::Delete] {
                for sudo in [false, true] {
                    prop_assert!(
                        !permits(&new, operation, path, sudo) || permits(&old, operation, path, sudo),
                        "{kind}: `{who}` with {set:?} gains {operation} {path}\n{}",
                        told()
                    );
                }
            }
        }
    }
    Ok(())
}

/// Two assignments of one place that say different things would undo each other.
fn applies(world: &World, proposal: &Proposal) -> Result<(), TestCaseError> {
    let kept = proposal.policies.iter().filter(|p| p.change != Change::Delete);
    let hidden = world.hidden();
    let names: BTreeSet<&str> = kept.map(|p| p.name.as_str()).chain(hidden.as_deref()).collect();
    for name in world.of_others() {
        let deleted = proposal
            .policies
            .iter()
            .any(|p| p.name == name && p.change == Change::Delete);
        prop_assert!(
            !deleted,
            "`{name}` is deleted, and handed out to people who were never seen"
        );
    }
    let places: Vec<Place> = world.people().flat_map(|person| world.places(person)).collect();
    for a in &proposal.assignments {
        // What a place is said to list now is what it lists: else the script would refuse.
        if let Some(place) = places.iter().find(|p| p.kind == a.kind && p.id == a.id)
            && world.deployment().is_some()
        {
            prop_assert_eq!(&a.before, &place.policies, "{} {}", &a.kind, &a.id);
        }
    }
    let mut places: BTreeMap<(&str, &str, &str), &Vec<String>> = BTreeMap::new();
    for a in proposal.assignments.iter().filter(|a| a.kind != "token") {
        for name in &a.after {
            prop_assert!(names.contains(name.as_str()), "`{name}` is given and does not exist");
        }
        let after = *places.entry((&a.kind, &a.id, &a.mount)).or_insert(&a.after);
        prop_assert_eq!(after, &a.after, "{} {} is told two things", &a.kind, &a.id);
    }
    Ok(())
}

/// Every number of what is unused comes from the same count: by principal, by stanza, by what becomes of it, and in all.
fn adds_up(advice: &Advice) -> Result<(), TestCaseError> {
    let tighten = &advice.proposals[0];
    prop_assert_eq!(advice.bridge.today(), tighten.before.exposure);
    prop_assert_eq!(advice.bridge.proposed(), tighten.after.exposure);
    for part in &advice.bridge.parts {
        let by_policy: u64 = part.policies.iter().map(|share| share.count).sum();
        prop_assert_eq!(part.count, by_policy);
        let by_principal: u64 = advice.principals.iter().map(|p| p.account.unused.of(part.what)).sum();
        prop_assert_eq!(part.count, by_principal, "{:?}", part.what);
    }
    for principal in &advice.principals {
        let account = &principal.account;
        let told: u64 = account.uses.iter().map(|one| one.allowed + one.denied).sum();
        prop_assert_eq!(account.uses.len() as u64, account.uses_total);
        prop_assert_eq!(told, principal.requests);
        prop_assert_eq!(account.uses.iter().map(|one| one.denied).sum::<u64>(), principal.denied);
        if principal.kind == "root" {
            continue;
        }
        prop_assert_eq!(account.rights.len() as u64, account.rights_total);
        let (mut granted, mut used) = (0, 0);
        for right in &account.rights {
            granted += right.granted;
            used += right.used;
            prop_assert_eq!(right.granted, right.used + right.unused.sum());
        }
        prop_assert_eq!((granted, used), (principal.granted, principal.used));
        prop_assert_eq!(account.unused.sum(), principal.excess);
    }
    let of = advice.totals.requests;
    prop_assert_eq!(of.denied, advice.totals.denied_requests);
    prop_assert_eq!(
        of.by_stanza + of.none_needed + of.unexplained + of.denied,
        advice.coverage.requests
    );
    prop_assert_eq!(of.by_stanza, tighten.proof.requests_replayed);
    Ok(())
}

proptest! {
    #![proptest_config(advised::cases(60, 400))]

    #[test]
    fn what_is_unused_adds_up_and_so_does_why_it_stays(world in world(), ahead in any::<bool>()) {
        let settings = if ahead { Settings::default() } else { advised::settings() };
        adds_up(&advise(&world, &settings))?;
    }

    #[test]
    fn proposals_take_nothing_that_was_used_and_give_nothing_new(world in world(), ahead in any::<bool>()) {
        let advice = match ahead {
            true => advise_of(&world, &advised::over_weeks(&world.log()), &advised::ahead()),
            false => advise(&world, &advised::settings()),
        };
        prop_assert_eq!(&advice.proposals[0].kind, "tighten");
        for proposal in &advice.proposals {
            holds(&world, proposal)?;
            applies(&world, proposal)?;
        }
    }
}
