//! Roles that people would write: of a company whose roles are known, the redesign finds them again from what their holders did.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

#[path = "common/advised.rs"]
mod advised;

use std::collections::BTreeSet;
use std::time::Duration;
use vault_advisor::advice::{Advice, Change, Proposal};
use vault_advisor::backtest::generate::{self, Company, Plan, PlantedRole, Year, log};
use vault_advisor::optimize::foresight::ForesightSettings;
use vault_advisor::policy::profile::Profile;
use vault_advisor::settings::Settings;

/// What is advised of 150 days, with so many wrong denials for 10,000 uses.
fn advised(year: &Year, budget: f64) -> Advice {
    let mut text = Vec::new();
    log::write(year, &mut text).unwrap();
    let settings = Settings {
        foresight: ForesightSettings {
            budget: budget / 10_000.0,
            ..ForesightSettings::default()
        },
        ..Settings::default()
    };
    let given = (year.policies(), None);
    let text = String::from_utf8(text).unwrap();
    advised::advise(&text, given, (Profile::default(), &settings), Duration::from_secs(5))
}

/// Who has what: holders of a policy with the areas that it is about.
fn pairs(policy: (&BTreeSet<String>, &BTreeSet<&str>)) -> BTreeSet<(String, String)> {
    let of = |holder: &String| {
        policy
            .1
            .iter()
            .map(|area| (holder.clone(), (*area).to_owned()))
            .collect::<Vec<_>>()
    };
    policy.0.iter().flat_map(of).collect()
}

/// How many of the planted roles are found again: some policy has at least four fifths of its holders and areas, and no more than a
/// quarter besides (Jaccard).
fn found(year: &Year, redesign: &Proposal) -> usize {
    let areas: BTreeSet<&str> = year
        .roles
        .iter()
        .flat_map(|role| &role.areas)
        .map(String::as_str)
        .collect();
    let all: Vec<BTreeSet<(String, String)>> = redesign
        .policies
        .iter()
        .filter(|policy| policy.change != Change::Delete)
        .map(|policy| {
            let about = policy.stanzas.iter().flat_map(|(path, _)| {
                let lead = path.trim_end_matches('*').to_owned();
                areas
                    .iter()
                    .copied()
                    .filter(move |area| lead.starts_with(area) || area.starts_with(&lead))
            });
            let holders: BTreeSet<String> = policy.holders.iter().map(|name| format!("entity-{name}")).collect();
            pairs((&holders, &about.collect()))
        })
        .collect();
    let is_found = |role: &&PlantedRole| {
        let own = pairs((&role.holders, &role.areas.iter().map(String::as_str).collect()));
        all.iter().any(|pairs| {
            let both = own.intersection(pairs).count() as f64;
            both / (own.len() + pairs.len()) as f64 >= 0.8 / 1.8
        })
    };
    year.roles.iter().filter(is_found).count()
}

#[test]
fn planted_roles_are_found_again() {
    let mut all = 0;
    for (seed, budget) in [(1, 10.0), (2, 10.0), (3, 10.0)] {
        let year = generate::year(&Plan {
            seed,
            company: Company::Planted,
            days: 150,
            ..Plan::default()
        });
        let advice = advised(&year, budget);
        let [tighten, redesign] = &advice.proposals[..] else {
            panic!("two proposals")
        };
        let found = found(&year, redesign);
        let told = format!("seed {seed} at {budget}: {found} of 10, {}", redesign.title);
        assert!(redesign.proof.holds() && found >= 8, "{told}");
        // Of what tightening leaves open they leave little, and the title says what the policies and stanzas more are for.
        assert!(redesign.after.exposure * 4 < tighten.after.exposure, "{told}");
        assert!(
            redesign.title.contains("unused grants left, where tightening leaves"),
            "{told}"
        );
        let promised = |proposal: &Proposal| proposal.expected.as_ref().map_or(f64::MAX, |expected| expected.denied);
        assert!(promised(redesign) <= budget / 10_000.0 * year_uses(&year), "{told}");
        all += found;
    }
    assert!(all >= 27, "{all} of 30");
}

/// Uses that are expected in 90 days, if they come as in these 150.
fn year_uses(year: &Year) -> f64 {
    let days: usize = year.demands.iter().map(|demand| demand.days.len()).sum();
    days as f64 * 90.0 / 150.0 + 1.0
}
