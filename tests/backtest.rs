//! The backtest on synthetic years whose truth is known: proposals are proven, wrong denials are counted where they belong, and
//! at equal excess there are fewer of them than under the plain rule.

use vault_advisor::access::weight::Weights;
use vault_advisor::analysis::evidence::EvidenceSettings;
use vault_advisor::backtest::generate::{self, Company, Plan, Year};
use vault_advisor::backtest::{self, Backtest, Input, Options, Point, Rule, Scope, text};
use vault_advisor::optimize::foresight::ForesightSettings;
use vault_advisor::optimize::paths::Price;
use vault_advisor::policy::profile::Profile;

fn plan(seed: u64) -> Plan {
    Plan {
        seed,
        teams: 2,
        days: 180,
        ..Plan::default()
    }
}

fn run(year: &Year) -> Backtest {
    over(
        year,
        (60, 30),
        vec![0.0, ForesightSettings::default().budget, 0.01],
        vec![30, 60],
    )
}

/// The backtest with so many days of past and future.
fn over(year: &Year, (train_days, test_days): (i32, i32), budgets: Vec<f64>, plain_days: Vec<i32>) -> Backtest {
    let price = Price::default();
    let options = Options {
        train_days,
        test_days,
        step_days: 30,
        budgets,
        foresight: ForesightSettings::default(),
        over_grant: 0.5,
        price,
        evidence: EvidenceSettings::default(),
        plain_days,
        weights: Weights::default(),
    };
    let input = Input {
        facts: &year.demands.clone().into(),
        policies: &year.policies(),
        deployment: None,
        profile: Profile::default(),
        health: 1.0,
    };
    backtest::run(&input, &options, &mut |_| {})
}

fn tightened(found: &Backtest) -> impl Iterator<Item = &Point> {
    found.curve.iter().filter(|p| matches!(p.rule, Rule::Proposed { .. }))
}

fn plain(found: &Backtest, wanted: Scope, n: i32) -> (u64, u64) {
    let is = |p: &&Point| matches!(p.rule, Rule::Plain { scope, days } if scope == wanted && days == n);
    found.curve.iter().find(is).map_or((0, 0), |p| (p.denied, p.excess))
}

#[test]
fn a_plan_gives_one_year_and_a_seed_another() {
    let (a, b, other) = (
        generate::year(&plan(1)),
        generate::year(&plan(1)),
        generate::year(&plan(2)),
    );
    assert_eq!(a.demands, b.demands);
    assert_eq!(a.texts, b.texts);
    assert_ne!(a.demands, other.demands);
    assert_eq!(a.policies().len(), a.texts.len(), "every text is a policy");
    let days = || a.demands.iter().flat_map(|d| d.days.iter().copied());
    let first = Plan::default().first_day;
    assert!(days().all(|d| (first..first + 180).contains(&d)));
    assert!(a.demands.iter().all(|d| a.kinds.contains_key(&*d.principal.id)));
}

#[test]
fn every_request_of_a_year_is_allowed_by_its_policies() {
    let year = generate::year(&plan(3));
    let found = run(&year);
    let first = found.windows.first().unwrap();
    let from = Plan::default().first_day + 60;
    let later: u64 = year
        .demands
        .iter()
        .map(|d| d.days.range(from..from + 30).count() as u64)
        .sum();
    assert_eq!(first.future, later);
    let today = found.curve.first().unwrap();
    assert_eq!((&today.rule, today.denied), (&Rule::Today, 0));
}

#[test]
fn proposals_are_proven_and_hurt_less_than_the_plain_rule() {
    let mut better = 0;
    for seed in 1..=3 {
        let found = run(&generate::year(&plan(seed)));
        assert_eq!(found.windows.len(), 4);
        let today = found.curve.first().unwrap().excess;
        for point in tightened(&found) {
            assert!(point.proven, "{}", text::name(&point.rule));
            assert!(point.excess <= today);
            let told: u64 = point.by_principal.iter().map(|b| b.denied).sum();
            assert_eq!(told, point.denied);
            let told: u64 = point.by_stanza.iter().map(|b| b.denied).sum();
            assert_eq!(told, point.denied);
        }
        let half = |c: &&backtest::Comparison| {
            c.equal == "excess"
                && c.against == Scope::Principal
                && matches!(c.rule, Rule::Proposed { chosen: true, .. })
        };
        let ratio = found.comparisons.iter().find(half).and_then(|c| c.ratio);
        better += usize::from(ratio.is_some_and(|r| r <= 0.5));
    }
    assert!(
        better >= 2,
        "at equal excess, at most half of the wrong denials in {better} of 3 years"
    );
}

/// The advice is worth having only where no line of SQL is as good.
#[test]
fn no_plain_rule_is_as_good_in_both_as_the_default_advice() {
    for company in [Company::Teams, Company::Turnover] {
        let plan = Plan {
            seed: 1,
            days: 210,
            company,
            ..Plan::default()
        };
        let budget = ForesightSettings::default().budget;
        let found = over(&generate::year(&plan), (90, 60), vec![budget], vec![30, 60, 90]);
        let chosen = |p: &&Point| matches!(p.rule, Rule::Proposed { chosen: true, .. });
        let advice = found.curve.iter().find(chosen).unwrap();
        for plain in found.curve.iter().filter(|p| matches!(p.rule, Rule::Plain { .. })) {
            let is_as_good = plain.excess <= advice.excess && plain.denied <= advice.denied;
            assert!(!is_as_good, "{company:?}: {}", text::name(&plain.rule));
        }
    }
}

#[test]
fn the_plain_rule_denies_less_the_longer_it_waits_and_the_coarser_it_is() {
    let found = run(&generate::year(&plan(4)));
    for scope in [Scope::Principal, Scope::Policy, Scope::Stanza] {
        let (short, long) = (plain(&found, scope, 30), plain(&found, scope, 60));
        assert!(short.0 >= long.0 && short.1 <= long.1 && short.0 > 0, "{scope:?}");
    }
    let of = |scope| plain(&found, scope, 60).0;
    assert!(of(Scope::Principal) >= of(Scope::Policy) && of(Scope::Policy) >= of(Scope::Stanza));
}

#[test]
fn the_answer_is_the_same_every_time_and_in_every_form() {
    let year = generate::year(&plan(5));
    let (a, b) = (run(&year), run(&year));
    assert_eq!(a, b);
    let value = serde_json::to_value(&a).unwrap();
    assert_eq!(value["curve"].as_array().unwrap().len(), a.curve.len());
    assert_eq!(value["curve"][0]["rule"], "today");
    let lines = text::csv(&a).lines().count();
    assert_eq!(lines, 1 + a.curve.len() * (a.windows.len() + 1));
    assert!(text::render(&a).contains("ratio"));
}

#[test]
fn logs_that_are_too_short_give_no_cut() {
    let year = generate::year(&Plan { days: 40, ..plan(1) });
    assert!(run(&year).windows.is_empty());
}
