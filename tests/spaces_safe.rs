//! The promise over namespaces and over logs that lack something: whatever the log leaves open, nothing that was allowed and that
//! it shows a trace of is taken away, and nobody whose policies it lists gains anything.
//!
//! `PROPTEST_CASES=20000 cargo test --test spaces_safe` looks at more companies.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    reason = "a failing test is told by its panic; parts of the other worlds are not used here"
)]

#[path = "common/advised.rs"]
mod advised;
#[path = "common/plain_scan.rs"]
mod plain_scan;
#[path = "common/spaces.rs"]
mod spaces;
#[path = "common/worlds.rs"]
mod worlds;

use proptest::prelude::*;
use spaces::{Company, Lack, company};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use vault_advisor::advice::{Advice, Proposal};
use vault_advisor::policy::compare;
use vault_advisor::policy::model::Policy;
use vault_advisor::policy::profile::Profile;
use vault_advisor::vault::PolicyId;
use worlds::permits;

fn advise(company: &Company, log: &str) -> Advice {
    let how = (Profile::Vault203, &advised::settings());
    advised::advise(log, (company.read(), None), how, Duration::from_millis(20))
}

/// The policies once the proposal is in force.
fn after(company: &Company, proposal: &Proposal) -> Vec<Policy> {
    let proposed = proposal.policies.iter().filter_map(|policy| {
        let id = company.meant(PolicyId::new(policy.namespace.clone(), policy.name.as_str()));
        Some(company.parse(&id, policy.text.as_deref()?))
    });
    proposed.collect()
}

proptest! {
    #![proptest_config(advised::cases(200, 2000))]

    #[test]
    fn what_is_not_explained_is_not_touched(company in company()) {
        let log = company.log();
        let advice = advise(&company, &log);
        let tighten = &advice.proposals[0];
        prop_assert_eq!(&tighten.kind, "tighten");
        prop_assert!(tighten.proof.holds());
        let (old, new) = (company.policies(), after(&company, tighten));
        let mut listed: BTreeMap<usize, bool> = BTreeMap::new();
        for event in company.events() {
            if event.lack != Lack::All && event.allowed {
                prop_assert!(
                    permits(&company.acl(event.person, &new), event.operation, &event.path, false),
                    "person {} ({:?}) loses {} {} ({:?})\n{}\n{}",
                    event.person,
                    company.held(event.person),
                    event.operation,
                    event.path,
                    event.lack,
                    texts(&new),
                    log
                );
            }
            let is_listed = matches!(event.lack, Lack::Nothing | Lack::Results | Lack::Request | Lack::Response);
            *listed.entry(event.person).or_default() |= is_listed && event.allowed;
        }
        for person in listed.into_iter().filter(|(_, listed)| *listed).map(|(person, _)| person) {
            let found = compare::compare(&company.acl(person, &old), &company.acl(person, &new));
            prop_assert!(
                found.gained.is_empty(),
                "person {person} gains {}\n{}\n{}",
                found.gained[0].asked,
                texts(&new),
                log
            );
        }
    }
}

proptest! {
    #![proptest_config(advised::cases(200, 2000))]

    /// A log that lacks something never leads to taking more than the whole log does: whatever the proposal of the whole one
    /// leaves to somebody, the other leaves too.
    #[test]
    fn a_log_that_lacks_something_takes_no_more(company in company()) {
        let (whole, less) = (company.with(|_, _| Lack::Nothing), company.with(Lack::of_what_is_there));
        let proposed = |company: &Company| after(company, &advise(company, &company.log()).proposals[0]);
        let (whole, lacking) = (proposed(&whole), proposed(&less));
        // Of whom the log shows nothing at all, it tells nothing either.
        let seen: BTreeSet<usize> = company.events().iter().map(|event| event.person).collect();
        for person in seen {
            let found = compare::compare(&company.acl(person, &lacking), &company.acl(person, &whole));
            prop_assert!(
                found.gained.is_empty(),
                "person {person} ({:?}) keeps {} by the whole log\n# whole\n{}\n# lacking\n{}\n{}",
                company.held(person),
                found.gained[0].asked,
                texts(&whole),
                texts(&lacking),
                less.log()
            );
        }
    }
}

fn texts(policies: &[Policy]) -> String {
    policies
        .iter()
        .map(|policy| format!("# {}\n{}", policy.id(), policy.source))
        .collect()
}
