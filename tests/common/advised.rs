//! What `advise` says of a log when all that is unused may go, and how many random cases a law is held to.

#![allow(
    dead_code,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails loudly, and each uses a part"
)]

use proptest::prelude::ProptestConfig;
use serde_json::Value;
use std::collections::HashMap;
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

/// The same with an eye on tomorrow, and a budget that takes all that is worth taking.
pub fn ahead() -> Settings {
    Settings {
        foresight: ForesightSettings {
            budget: 1.0,
            at_least: 1e6,
            horizon_days: 90,
            per_principal: 1e6,
        },
        ..settings()
    }
}

/// A log with its requests spread over four weeks: of a shorter one nothing is learned of what will come.
pub fn over_weeks(log: &str) -> String {
    let mut days: HashMap<String, usize> = HashMap::new();
    let lines = log.lines().map(|line| {
        let mut entry: Value = serde_json::from_str(line).expect("an entry");
        let next = days.len();
        let id = entry["request"]["id"].as_str().unwrap_or_default().to_owned();
        let day = 1 + *days.entry(id).or_insert(next) * 9 % 28;
        let time = entry["time"].as_str().unwrap_or_default().to_owned();
        entry["time"] = format!("2026-03-{day:02}{}", time.get(10..).unwrap_or_default()).into();
        format!("{entry}\n")
    });
    lines.collect()
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
