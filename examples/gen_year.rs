//! Synthetic years with a ground truth, and what the backtest says of them.
//!
//! `cargo run --release --example gen_year -- --seeds 10` makes ten years, backtests each, and prints the medians.
//!
//! `cargo run --release --example gen_year -- --seed 3 --out FOLDER` writes one year: `audit.log`, `policies/` and `truth.json`.
//! The same flags give the same bytes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use vault_advisor::access::weight::Weights;
use vault_advisor::analysis::evidence::EvidenceSettings;
use vault_advisor::backtest::generate::{self, Company, Kind, Plan, Year, log};
use vault_advisor::backtest::{self, Backtest, Comparison, Input, Options, Rule, text};
use vault_advisor::optimize::foresight::{ForesightSettings, parse_ratio};
use vault_advisor::optimize::paths::Price;
use vault_advisor::policy::profile::Profile;

const USAGE: &str = "usage: gen_year [--seeds 10 | --seed 1] [--teams 6] [--days 365] [--train 60] [--test 30] [--step 30] \
[--company teams] [--budgets 0,0.001,0.01] [--out FOLDER]";

struct Flags {
    plan: Plan,
    seeds: u64,
    train: i32,
    test: i32,
    step: i32,
    budgets: Vec<f64>,
    out: Option<String>,
}

impl Flags {
    fn of(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let mut flags = Self {
            plan: Plan::default(),
            seeds: 1,
            train: 60,
            test: 30,
            step: 30,
            budgets: [0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0]
                .map(|n| n / 10_000.0)
                .to_vec(),
            out: None,
        };
        while let Some(flag) = words.next() {
            let value = words.next()?;
            match &*flag {
                "--seeds" => flags.seeds = value.parse().ok().filter(|n| *n > 0)?,
                "--seed" => flags.plan.seed = value.parse().ok()?,
                "--teams" => flags.plan.teams = value.parse().ok().filter(|n| *n > 0)?,
                "--days" => flags.plan.days = value.parse().ok().filter(|n| *n > 0)?,
                "--train" => flags.train = value.parse().ok()?,
                "--test" => flags.test = value.parse().ok()?,
                "--step" => flags.step = value.parse().ok()?,
                "--budgets" => flags.budgets = value.split(',').map(parse_ratio).collect::<Option<_>>()?,
                "--company" => flags.plan.company = Company::ALL.into_iter().find(|c| c.as_str() == value)?,
                "--out" => flags.out = Some(value),
                _ => return None,
            }
        }
        Some(flags)
    }
}

fn main() -> io::Result<()> {
    let Some(flags) = Flags::of(std::env::args().skip(1)) else {
        return writeln!(io::stderr(), "{USAGE}");
    };
    if let Some(out) = &flags.out {
        return write(&generate::year(&flags.plan), Path::new(out));
    }
    let mut found = Vec::new();
    let mut out = io::stdout().lock();
    for seed in flags.plan.seed..flags.plan.seed + flags.seeds {
        let year = generate::year(&Plan {
            seed,
            ..flags.plan.clone()
        });
        let one = measure(&year, &flags);
        if flags.seeds == 1 {
            writeln!(out, "{}", text::render(&one))?;
        }
        by_kind(&mut out, seed, &year, &one)?;
        found.push(one);
    }
    if flags.seeds > 1 {
        medians(&mut out, &found)?;
    }
    Ok(())
}

fn measure(year: &Year, flags: &Flags) -> Backtest {
    backtest::run(
        &Input {
            facts: &year.demands.clone().into(),
            policies: &year.policies(),
            deployment: None,
            profile: Profile::default(),
            health: 1.0,
        },
        &Options {
            train_days: flags.train,
            test_days: flags.test,
            step_days: flags.step,
            price: Price::default(),
            budgets: flags.budgets.clone(),
            foresight: ForesightSettings::default(),
            over_grant: 0.5,
            evidence: EvidenceSettings::default(),
            plain_days: vec![7, 14, 30, 45, 60, 90],
            weights: Weights::default(),
        },
        &mut |_| {},
    )
}

/// Wrong denials by what the principals are: tightened as `advise` would, and the plain rule with the longest N.
fn by_kind(out: &mut dyn Write, seed: u64, year: &Year, found: &Backtest) -> io::Result<()> {
    let name = |id: &str| {
        id.trim_start_matches("auth/approle/")
            .trim_start_matches("entity-")
            .to_owned()
    };
    let kinds: BTreeMap<String, Kind> = year.kinds.iter().map(|(id, kind)| (name(id), *kind)).collect();
    let told = |p: &backtest::Point| match &p.rule {
        Rule::Proposed { chosen, .. } => *chosen,
        Rule::Plain { days, .. } => *days == 60,
        Rule::Today => false,
    };
    for point in found.curve.iter().filter(|p| told(p)) {
        let mut counts: BTreeMap<Kind, u64> = BTreeMap::new();
        for blame in &point.by_principal {
            if let Some(kind) = kinds.get(&blame.name) {
                *counts.entry(*kind).or_default() += blame.denied;
            }
        }
        writeln!(out, "seed {seed}, {}: {counts:?}", text::name(&point.rule))?;
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let at = |n: usize| values.get(n).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 {
        at(half)
    } else {
        (at(half.saturating_sub(1)) + at(half)) / 2.0
    }
}

fn medians(out: &mut dyn Write, found: &[Backtest]) -> io::Result<()> {
    writeln!(out, "\nmedians over {} years", found.len())?;
    let mut points: BTreeMap<usize, (String, Vec<(f64, f64)>)> = BTreeMap::new();
    for one in found {
        let today = one.curve.first().map_or(1.0, |p| p.excess as f64).max(1.0);
        for (n, p) in one.curve.iter().enumerate() {
            let list = points.entry(n).or_insert_with(|| (text::name(&p.rule), Vec::new()));
            list.1.push((p.excess as f64 / today, p.share));
        }
    }
    for (name, list) in points.values() {
        let (left, share): (Vec<f64>, Vec<f64>) = list.iter().copied().unzip();
        writeln!(
            out,
            "| {name} | {:.1} % | {:.3} % |",
            median(left) * 100.0,
            median(share) * 100.0
        )?;
    }
    let mut ratios: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for c in found.iter().flat_map(|b| &b.comparisons) {
        let Comparison {
            rule,
            against,
            equal,
            ratio,
            ..
        } = c;
        if let Some(ratio) = ratio {
            let name = format!("{} against {}, equal {equal}", text::name(rule), against.as_str());
            ratios.entry(name).or_default().push(*ratio);
        }
    }
    for (name, list) in ratios {
        let years = list.len();
        let (low, high) = list
            .iter()
            .fold((f64::MAX, f64::MIN), |(l, h), r| (l.min(*r), h.max(*r)));
        writeln!(
            out,
            "| {name} | {:.2} | {low:.2} to {high:.2} | {years} |",
            median(list)
        )?;
    }
    Ok(())
}

/// Writes a year: its log, its policies, and what is true of it.
fn write(year: &Year, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder.join("policies"))?;
    for (name, text) in &year.texts {
        fs::write(folder.join("policies").join(format!("{name}.hcl")), text)?;
    }
    fs::write(folder.join("truth.json"), serde_json::to_string_pretty(&year.kinds)?)?;
    let mut file = BufWriter::new(fs::File::create(folder.join("audit.log"))?);
    log::write(year, &mut file)?;
    file.flush()
}
