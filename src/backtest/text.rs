//! The answer as text and as CSV.

use super::model::{Backtest, Blame, Comparison, Point, Rule, Scope};
use super::score::share;
use crate::report::csv::Table;
use crate::report::escape;
use std::fmt::Write as _;

/// More lines of blame than this are only in the JSON.
const MOST_BLAMED: usize = 8;

/// A rule in words.
#[must_use]
pub fn name(rule: &Rule) -> String {
    match rule {
        Rule::Today => "today".to_owned(),
        Rule::Proposed {
            proposal,
            budget,
            chosen,
        } => {
            let chosen = if *chosen { " (advise)" } else { "" };
            let budget = (budget * 1e6).round() / 100.0;
            format!("{} {budget}/10000{chosen}", proposal.as_str())
        }
        Rule::Plain { scope, days } => format!("unused {days}d by {}", scope.as_str()),
    }
}

/// For people.
#[must_use]
pub fn render(found: &Backtest) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = writeln!(
        out,
        "{} cuts: proposed on {} days, replayed on the next {} days, every {} days",
        found.windows.len(),
        found.train_days,
        found.test_days,
        found.step_days
    );
    let future: u64 = found.windows.iter().map(|w| w.future).sum();
    let _ = writeln!(out, "{future} later {}s that today's policies allow\n", found.unit);
    points(&mut out, &found.curve);
    let kept = &found.calibration;
    if kept.rows > 0 {
        let _ = writeln!(
            out,
            "\nof {} proposals that promised ten or more, {} were denied as often as promised",
            kept.rows, kept.held
        );
    }
    comparisons(&mut out, &found.comparisons);
    if let Some(chosen) = found
        .curve
        .iter()
        .find(|p| matches!(p.rule, Rule::Proposed { chosen: true, .. }))
    {
        blame(&mut out, "wrong denials of `advise` by principal", &chosen.by_principal);
        blame(
            &mut out,
            "wrong denials of `advise` by the stanza that allows them today",
            &chosen.by_stanza,
        );
    }
    out
}

fn points(out: &mut String, curve: &[Point]) {
    let today = curve.iter().find(|p| p.rule == Rule::Today).map_or(0, |p| p.excess);
    let _ = writeln!(
        out,
        "{:<36} {:>10} {:>7} {:>9} {:>9} {:>10}  promised",
        "rule", "excess", "left", "denied", "share", "newcomers"
    );
    for p in curve {
        let left = share(p.excess, today) * 100.0;
        let unproven = matches!(p.rule, Rule::Proposed { .. }) && !p.proven;
        let _ = writeln!(
            out,
            "{:<36} {:>10} {:>6.1}% {:>9} {:>8.3}% {:>10}{}{}",
            name(&p.rule),
            p.excess,
            left,
            p.denied,
            p.share * 100.0,
            p.denied_newcomers,
            p.promised.map_or_else(String::new, |q| format!(
                "  {:.1} ({:.0} to {:.0})",
                q.promised, q.promised_low, q.promised_high
            )),
            if unproven { "  NOT PROVEN" } else { "" }
        );
    }
}

fn comparisons(out: &mut String, all: &[Comparison]) {
    let told: Vec<&Comparison> = all.iter().filter(|c| c.equal == "excess").collect();
    if told.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\nwrong denials at equal excess, against \"what was not used for N days goes\""
    );
    let _ = writeln!(
        out,
        "{:<36} {:<10} {:>7} {:>9} {:>11} {:>7}",
        "rule", "plain by", "left", "denied", "plain", "ratio"
    );
    for c in told {
        let _ = writeln!(
            out,
            "{:<36} {:<10} {:>6.1}% {:>9} {:>11.1} {:>7}",
            name(&c.rule),
            c.against.as_str(),
            c.left_share * 100.0,
            c.denied,
            c.plain_denied,
            c.ratio.map_or_else(|| "-".to_owned(), |r| format!("{r:.2}"))
        );
    }
}

fn blame(out: &mut String, title: &str, list: &[Blame]) {
    if list.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title}");
    for b in list.iter().take(MOST_BLAMED) {
        let _ = writeln!(out, "{:>9}  {}", b.denied, escape::terminal(&b.name));
    }
    if list.len() > MOST_BLAMED {
        let _ = writeln!(out, "{:>9}  more in the JSON", list.len() - MOST_BLAMED);
    }
}

/// For spreadsheets: a line a cut and rule, and `all` for all cuts together.
#[must_use]
pub fn csv(found: &Backtest) -> String {
    let mut out = Table::new([
        "test_from",
        "rule",
        "proposal",
        "budget",
        "promised",
        "promised_low",
        "promised_high",
        "chosen",
        "scope",
        "days",
        "excess",
        "weight",
        "denied",
        "denied_newcomers",
        "denied_demands",
        "share",
        "proven",
    ]);
    let windows = found
        .windows
        .iter()
        .flat_map(|w| w.points.iter().map(move |p| (w.test_from.as_str(), p)));
    for (from, p) in windows.chain(found.curve.iter().map(|p| ("all", p))) {
        let none = String::new;
        let (rule, proposal, budget, chosen, scope, days) = match &p.rule {
            Rule::Today => ("today", "", none(), false, "", none()),
            Rule::Proposed {
                proposal,
                budget,
                chosen,
            } => ("proposed", proposal.as_str(), budget.to_string(), *chosen, "", none()),
            Rule::Plain { scope, days } => ("plain", "", none(), false, Scope::as_str(*scope), days.to_string()),
        };
        let promised = p.promised.as_ref();
        out.row([
            from,
            rule,
            proposal,
            &budget,
            &promised.map_or_else(none, |q| format!("{:.3}", q.promised)),
            &promised.map_or_else(none, |q| format!("{:.0}", q.promised_low)),
            &promised.map_or_else(none, |q| format!("{:.0}", q.promised_high)),
            &chosen.to_string(),
            scope,
            &days,
            &p.excess.to_string(),
            &format!("{:.1}", p.weight),
            &p.denied.to_string(),
            &p.denied_newcomers.to_string(),
            &p.denied_demands.to_string(),
            &format!("{:.6}", p.share),
            &p.proven.to_string(),
        ]);
    }
    out.text()
}
