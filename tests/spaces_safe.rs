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
use vault_advisor::analysis::evidence::EvidenceSettings;
use vault_advisor::ingest::{self, Reader};
use vault_advisor::optimize::foresight::ForesightSettings;
use vault_advisor::pipeline::{self, Material};
use vault_advisor::policy::compare;
use vault_advisor::policy::model::Policy;
use vault_advisor::policy::profile::Profile;
use vault_advisor::settings::Settings;
use vault_advisor::vault::PolicyId;
use worlds::permits;

fn advise(company: &Company, log: &str) -> Advice {
    let mut reader = Reader::new(&ingest::Options::default());
    reader.feed("audit.log", log.as_bytes());
    reader.finish_file("audit.log");
    let settings = Settings {
        evidence: EvidenceSettings {
            dormant_days: 0.0,
            ..EvidenceSettings::default()
        },
        foresight: ForesightSettings {
            horizon_days: 0,
            ..ForesightSettings::default()
        },
        ..Settings::default()
    };
    pipeline::advise(
        Material {
            usage: reader.take(),
            policies: company.read(),
            deployment: None,
            inputs: Vec::new(),
            policies_dir: "policies".to_owned(),
            unread: Vec::new(),
            notes: Vec::new(),
        },
        &pipeline::Options {
            profile: Profile::Vault203,
            settings: &settings,
            time_limit: Duration::from_millis(20),
            seed: 1,
            max_roles: None,
            frontier: false,
            generated_at: None,
        },
        &mut |_| {},
    )
}

/// The policies once the proposal is in force.
fn after(company: &Company, proposal: &Proposal) -> Vec<Policy> {
    let proposed = proposal.policies.iter().filter_map(|policy| {
        let id = company.meant(PolicyId::new(policy.namespace.clone(), policy.name.as_str()));
        Some(company.parse(&id, policy.text.as_deref()?))
    });
    proposed.collect()
}

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: std::env::var("PROPTEST_CASES")
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(200),
        max_shrink_iters: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases())]

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
    #![proptest_config(cases())]

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
