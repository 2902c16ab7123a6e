//! What `advise` says of a log when all that is unused may go, and how many random cases a law is held to.

use proptest::prelude::ProptestConfig;
use std::time::Duration;
use vault_advisor::advice::Advice;
use vault_advisor::analysis::evidence::EvidenceSettings;
use vault_advisor::deployment::Deployment;
use vault_advisor::ingest::{self, Reader};
use vault_advisor::optimize::foresight::ForesightSettings;
use vault_advisor::pipeline::{self, Material};
use vault_advisor::policy::model::Policy;
use vault_advisor::policy::profile::Profile;
use vault_advisor::settings::Settings;
use vault_advisor::usage::Usage;

/// The usage of a log.
pub fn usage(log: &str) -> Usage {
    let mut reader = Reader::new(&ingest::Options::default());
    reader.feed("audit.log", log.as_bytes());
    reader.finish_file("audit.log");
    reader.take()
}

/// Settings by which all that is unused may go.
pub fn settings() -> Settings {
    Settings {
        evidence: EvidenceSettings {
            dormant_days: 0.0,
            ..EvidenceSettings::default()
        },
        foresight: ForesightSettings {
            horizon_days: 0,
            ..ForesightSettings::default()
        },
        ..Settings::default()
    }
}

/// What `advise` says, with so much time for the search of roles.
pub fn advise(
    log: &str,
    (policies, deployment): (Vec<Policy>, Option<Deployment>),
    (profile, settings): (Profile, &Settings),
    time_limit: Duration,
) -> Advice {
    pipeline::advise(
        Material {
            usage: usage(log),
            policies,
            deployment,
            inputs: Vec::new(),
            policies_dir: "policies".to_owned(),
            unread: Vec::new(),
            notes: Vec::new(),
        },
        &pipeline::Options {
            profile,
            settings,
            time_limit,
            seed: 1,
            max_roles: None,
            frontier: false,
            generated_at: None,
        },
        &mut |_| {},
    )
}

/// So many cases as `PROPTEST_CASES` says, else these.
pub fn cases(usually: u32, shrinking: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: asked.and_then(|n| n.parse().ok()).unwrap_or(usually),
        max_shrink_iters: shrinking,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
