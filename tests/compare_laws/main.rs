//! `compare` against a naive decider written after the rules alone: no request may contradict what it says, and every
//! example that it gives must hold.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test is told by its panic"
)]

mod plain;
mod random;

use plain::{Ask, Plain};
use proptest::prelude::*;
use random::Draft;
use vault_advisor::policy::acl::{Acl, Request};
use vault_advisor::policy::compare::{
    Aspect, Decider, Options, Verdict, compare, compare_policies, grants_nothing_new,
};
use vault_advisor::policy::effective;
use vault_advisor::policy::model::Policy;
use vault_advisor::policy::pattern::Pattern;
use vault_advisor::policy::profile::Profile;
use vault_advisor::policy::syntax;
use vault_advisor::policy::template::{Entity, Identity};
use vault_advisor::vault::{Capability, Operation};

fn compile(profile: Profile, policies: &[Policy]) -> Acl {
    let all: Vec<&Policy> = policies.iter().collect();
    Acl::compile(profile, &all, &Identity::default(), Some(0))
}

fn pattern_of(plain: &Plain, winner: Option<usize>) -> Option<&str> {
    winner.map(|n| plain.rules[n].0.as_str())
}

fn check_pair(profile: Profile, drafts: &[Draft], asks: &[Ask]) -> Result<(), TestCaseError> {
    let (old, new) = random::texts(profile, drafts);
    let found = compare(&compile(profile, &old), &compile(profile, &new));
    let quick = grants_nothing_new(&compile(profile, &old), &compile(profile, &new), Options::default());
    let (old, new) = (Plain::new(profile, &old), Plain::new(profile, &new));
    // Which of two patterns decides that differ by case alone is not known of some servers; all else is compared completely.
    let open_case = |text: &String| profile.deny_ignores_case() && text.contains("by case alone");
    prop_assert!(
        found.incomplete.as_ref().is_none_or(open_case),
        "{:?}",
        found.incomplete
    );
    match &quick {
        Verdict::Proven => prop_assert!(found.gained.is_empty()),
        Verdict::Witness(_) => prop_assert!(!found.gained.is_empty()),
        Verdict::Undecided(_) => {
            prop_assert!(found.gained.is_empty());
            prop_assert!(!found.open_gained.is_empty() || found.incomplete.is_some());
        }
    }
    for (differences, more, less) in [(&found.gained, &new, &old), (&found.lost, &old, &new)] {
        for d in differences {
            let ask = Ask {
                operation: d.asked.operation,
                path: d.asked.path.clone(),
                data: d.asked.data.clone().unwrap_or_default(),
                wrap_s: d.asked.wrap_ttl_ns.map(|ns| ns / 1_000_000_000),
            };
            prop_assert!(!ask.path.starts_with('/'), "{}", d.asked);
            prop_assert!(more.allows(profile, &ask), "{} should be allowed", d.asked);
            prop_assert_eq!(less.allows(profile, &ask), d.aspect != Aspect::Access, "{}", d.asked);
        }
    }
    let is = |decider: &Option<Decider>, want: Option<&str>| decider.as_ref().map(|d| d.pattern.as_str()) == want;
    for ask in asks {
        let before = old.allows(profile, ask);
        let after = new.allows(profile, ask);
        let winners = (
            old.winner(profile, ask.operation, &ask.path),
            new.winner(profile, ask.operation, &ask.path),
        );
        let (told, open) = if after {
            (&found.gained, &found.open_gained)
        } else {
            (&found.lost, &found.open_lost)
        };
        if before != after {
            let pair = (pattern_of(&old, winners.0), pattern_of(&new, winners.1));
            let same =
                |o: Operation| o == ask.operation || (ask.operation == Operation::Revoke && o == Operation::Update);
            let shown = told.iter().any(|d| {
                d.aspect == Aspect::Access && same(d.asked.operation) && is(&d.old, pair.0) && is(&d.new, pair.1)
            });
            let left = open
                .iter()
                .any(|d| same(d.asked.operation) && is(&d.old, pair.0) && is(&d.new, pair.1));
            prop_assert!(
                shown || left,
                "{:?} is {} and not told: {:?}",
                ask,
                if after { "gained" } else { "lost" },
                pair
            );
        } else if before {
            let sudo = |plain: &Plain, n: Option<usize>| plain.rules[n.unwrap()].1.contains(Capability::Sudo);
            let (had, has) = (sudo(&old, winners.0), sudo(&new, winners.1));
            if had != has {
                let told = if has { &found.gained } else { &found.lost };
                prop_assert!(!told.is_empty(), "{:?}: sudo differs and is not told", ask);
            }
        }
    }
    Ok(())
}

/// What `capabilities` tells: as one policy it decides alike, and what is said to decide nothing decides nothing.
fn check_told(profile: Profile, drafts: &[Draft], asks: &[Ask]) -> Result<(), TestCaseError> {
    let (one, other) = random::texts(profile, drafts);
    let held: Vec<&Policy> = one.iter().chain(&other).collect();
    let acl = Acl::compile(profile, &held, &Identity::default(), Some(0));
    let text = effective::policy(&acl, None, |_| Vec::new());
    let whole = syntax::parse("whole", "whole", &text, &profile.dialect());
    prop_assert!(whole.is_ok(), "{profile}: {text}");
    let whole = compile(profile, &[whole.unwrap()]);
    let found = compare(&acl, &whole);
    prop_assert!(found.gained.is_empty() && found.lost.is_empty(), "{profile}: {text}");
    let rows = effective::rows(&acl, None);
    for ask in asks {
        let request = Request {
            operation: ask.operation,
            path: &ask.path,
            data: Some(&ask.data),
            wrap_ttl_ns: ask.wrap_s.map(|s| s * 1_000_000_000),
        };
        let (before, after) = (acl.decide(&request), whole.decide(&request));
        prop_assert_eq!(
            (before.allowed, before.sudo, &before.capabilities),
            (after.allowed, after.sudo, &after.capabilities),
            "{}: {:?} with {}",
            profile,
            ask,
            text
        );
        let Some(winner) = before.winner else { continue };
        let row = rows.iter().find(|row| row.rule == winner);
        prop_assert!(row.is_some(), "{profile}: what decides {ask:?} is not told");
        let row = row.unwrap();
        prop_assert!(row.decided_by.is_none(), "{profile}: {} decides {ask:?}", row.path);
        // What is looked at below a path is all that decides there.
        let below = Pattern {
            text: ask.path.as_str().into(),
            prefix: true,
            segment_wildcards: false,
        };
        prop_assert!(
            effective::rows(&acl, Some(&below)).iter().any(|r| r.rule == winner),
            "{profile}: {} is left out below {}",
            row.path,
            ask.path
        );
    }
    Ok(())
}

fn check_templates(
    profile: Profile,
    drafts: &[Draft],
    values: &[(String, String)],
    asks: &[Ask],
) -> Result<(), TestCaseError> {
    let (old, new) = random::texts(profile, drafts);
    let sets = compare_policies(profile, &old, &new, None, 0, Options::default());
    let found = &sets.policies[0].comparison;
    for (name, metadata) in values {
        let identity = Identity {
            entity: Some(Entity {
                name: name.clone(),
                metadata: [("k".to_owned(), metadata.clone())].into_iter().collect(),
                ..Entity::default()
            }),
            groups: Vec::new(),
        };
        let [old, new] = [&old, &new].map(|p| Acl::compile(profile, &[&p[0]], &identity, Some(0)));
        // A value that makes a path of a policy illegal puts the whole policy out of force; that is no question of stanzas.
        let refused = |list: &Acl| list.skips().iter().any(|s| s.reason.takes_whole_policy());
        if refused(&old) || refused(&new) {
            continue;
        }
        for ask in asks {
            let request = Request {
                operation: ask.operation,
                path: &ask.path,
                data: Some(&ask.data),
                wrap_ttl_ns: ask.wrap_s.map(|s| s * 1_000_000_000),
            };
            let (before, after) = (old.decide(&request).allowed, new.decide(&request).allowed);
            if after && !before {
                prop_assert!(
                    !found.grants_nothing_new(),
                    "{profile}: {ask:?} is gained with `{name}`, `{metadata}`"
                );
            }
            if before && !after {
                let told = !found.lost.is_empty() || !found.open_lost.is_empty();
                prop_assert!(told, "{profile}: {ask:?} is lost with `{name}`, `{metadata}`");
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() })]
    #[test]
    fn no_request_contradicts_the_comparison(drafts in random::drafts(9, false), asks in random::asks(300)) {
        for profile in Profile::ALL {
            check_pair(profile, &drafts, &asks)?;
        }
    }

    #[test]
    fn all_that_somebody_may_do_is_told_as_it_is_decided(drafts in random::drafts(7, false), asks in random::asks(40)) {
        for profile in Profile::ALL {
            check_told(profile, &drafts, &asks)?;
        }
    }

    #[test]
    fn no_holder_contradicts_what_is_said_without_one(
        drafts in random::drafts(4, true),
        values in prop::collection::vec((random::value(), random::value()), 12),
        asks in random::asks(60),
    ) {
        for profile in Profile::ALL {
            check_templates(profile, &drafts, &values, &asks)?;
        }
    }
}
