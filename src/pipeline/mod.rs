//! Logs and policies in, [`Advice`] out: the whole flow on one screen.

mod account;
pub mod analysis;
mod assignments;
mod exposure;
mod handover;
pub mod kept;
mod owners;
pub mod place;
mod proposals;
mod views;
pub mod waiver;

pub use analysis::{Analysis, Question, analyse};

use crate::access::weight::Weighed;
use crate::access::{self, Inputs, Joined};
use crate::advice::{Advice, FrontierPoint, RuleView, Run};
use crate::analysis::evidence::{self, Watch};
use crate::analysis::rules;
use crate::deployment::Deployment;
use crate::optimize::foresight::ForesightSettings;
use crate::optimize::proof::Scheme;
use crate::optimize::redesign;
use crate::optimize::tighten::{self, Outlook, Span, Tightening};
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::settings::Settings;
use crate::usage::{Facts, Usage};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What advice is made of.
pub struct Material {
    /// What the logs say.
    pub usage: Usage,
    /// The policies in force.
    pub policies: Vec<Policy>,
    /// What is known of the deployment.
    pub deployment: Option<Deployment>,
    /// Inputs as the user named them.
    pub inputs: Vec<String>,
    /// The folder of policies, as the user named it.
    pub policies_dir: String,
    /// Names of policies that are there and could not be read.
    pub unread: Vec<Arc<str>>,
    /// What a reader should know first: policies that could not be read and the like.
    pub notes: Vec<String>,
}

/// How advice is made.
pub struct Options<'a> {
    /// Whose rules decide.
    pub profile: Profile,
    /// Weights, thresholds, prices, rule levels.
    pub settings: &'a Settings,
    /// Time for the search of roles.
    pub time_limit: Duration,
    /// Fixes every random choice.
    pub seed: u64,
    /// At most so many roles a principal in the redesign.
    pub max_roles: Option<u32>,
    /// Whether the trade-off curve is worked out too.
    pub frontier: bool,
    /// When it ran; none for outputs that must not change from run to run.
    pub generated_at: Option<Timestamp>,
}

/// Works out advice. `step` is told what comes next.
#[must_use]
pub fn advise(material: Material, options: &Options<'_>, step: &mut dyn FnMut(&str)) -> Advice {
    let Material {
        usage,
        policies,
        deployment,
        inputs,
        policies_dir,
        unread,
        mut notes,
    } = material;
    notes.extend(options.profile.note());
    let settings = options.settings;
    step("sorting demands");
    let facts = Facts::from(&usage);
    let coverage = views::coverage(&usage, facts.demands.len() as u64);

    step("joining usage with grants");
    let mut analysis = analyse(Question {
        inputs: Inputs {
            facts,
            policies,
            deployment: deployment.as_ref(),
            profile: options.profile,
            now: coverage.last.map(Timestamp::as_second),
        },
        watch: Watch::of(&usage.coverage()),
        last: coverage.last,
        evidence: &settings.evidence,
        weights: &settings.weights,
        kv2_closure: settings.price.kv2_closure,
    });
    if let Some(kept) = analysis.kept_kv2 {
        notes.push(format!(
            "KV version 2, as `optimize.kv2_closure` asks: {kept} accesses to metadata that belong to reads of secrets count as \
             needed though nobody used them"
        ));
    }
    notes.extend(views::notes(&analysis.joined, &coverage));
    notes.extend(deployment.as_ref().and_then(views::unread));

    step("looking for what is not used");
    let waivers = kept::Waivers::of(&analysis.joined, settings, today(options, &coverage));
    notes.extend(kept::keep(&mut analysis, settings, &waivers));
    notes.extend(kept::told(settings, today(options, &coverage)));
    analysis.joined.apart = access::Apart {
        teams: if settings.waves.teams {
            owners::teams(&analysis.joined, &settings.owners)
        } else {
            BTreeMap::new()
        },
        most_principals: settings.waves.most_principals.filter(|most| *most > 0),
    };
    let joined = &analysis.joined;
    notes.extend(views::held_back(joined, &analysis.evidence, &settings.evidence));
    step("weighing what is exposed");
    let weighed = analysis.weighed();
    let exposures = analysis.exposures();
    step("following who can take over what");
    let chains = analysis.chains();

    step("tightening policies");
    let removable = analysis.removable();
    let mounts = access::mounts(joined, deployment.as_ref());
    let how = tighten::Options {
        price: &settings.price,
        removable: &removable,
        mounts: &mounts,
        missed: &kept::missed(settings),
    };
    let foreseen = foreseen(joined, &how, &weighed, &settings.foresight, &coverage);
    if let Some(said) = &foreseen.said {
        notes.insert(0, said.clone());
    }
    let tightened = foreseen.tightened;
    step("weighing what stays exposed");
    let after = exposure::after(joined, &weighed, &tightened.scheme);

    let frontier = if options.frontier {
        step("working out the trade-off");
        foreseen
            .outlook
            .as_ref()
            .map(|o| frontier(o, &settings.foresight))
            .unwrap_or_default()
    } else {
        Vec::new()
    };

    step("measuring the policies of today");
    let today = redesign::measure(joined, &Scheme::today(joined), &weighed);

    step("designing roles");
    let bases = redesign::Bases {
        half: foreseen.base.as_ref().map_or(&tightened.scheme, |base| &base.scheme),
        whole: &tightened.scheme,
    };
    let how = redesign::Options {
        weighed: &weighed,
        time_limit: options.time_limit,
        seed: options.seed,
        max_roles: options.max_roles,
        over_grant: settings.over_grant,
        price: &settings.price,
        keep: &settings.keep,
        unread: &unread,
        today,
        removable: &removable,
        lingering: &analysis.lingering(),
        ahead: foreseen.ahead,
    };
    let (redesigned, from_whole) = redesign::better(joined, bases, &how).unzip();
    let tight = redesign::measure(joined, &tightened.scheme, &weighed);
    // What the redesign began with, where that are not the tightened policies.
    let base = foreseen.base.filter(|_| from_whole != Some(true));

    step("looking for findings");
    let mut findings = analysis.findings(&settings.rules, Some(tightened.scheme.policies.as_slice()));
    findings.retain(|finding| waivers.of_finding(finding).is_none());
    step("drawing up what each principal used");
    let accounts = account::accounts(joined, &tightened, settings.foresight.horizon_days > 0);
    step("putting proposals together");
    let proposals = proposals::all(
        joined,
        &weighed,
        (today, tight),
        tightened,
        redesigned,
        (settings.foresight.horizon_days, base),
    );

    step("describing principals and policies");
    let mut advice = Advice {
        run: Run {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            server: options.profile.to_string(),
            generated_at: options.generated_at,
            inputs,
            policies_dir,
            notes,
        },
        rules: rule_views(),
        totals: views::totals(joined, exposures.as_slice()),
        principals: views::principals(joined, exposures, &after, accounts.of),
        policies: views::policies(joined, &analysis.evidence, &weighed),
        heat: views::heat(joined),
        escalations: views::escalations(joined, chains),
        frontier,
        coverage,
        findings,
        proposals,
        bridge: accounts.bridge,
        history: None,
        owners: crate::advice::Owners::default(),
    };
    advice.owners = owners::of(joined, &settings.owners, &advice);
    advice
}

/// The day that waivers are judged by: that of the run, or where that is not to matter the last of the logs.
fn today(options: &Options<'_>, coverage: &crate::advice::CoverageView) -> jiff::civil::Date {
    let at = options.generated_at.or(coverage.last).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// What is proposed with an eye on tomorrow.
struct Foreseen<'a> {
    tightened: Tightening,
    outlook: Option<Outlook>,
    /// What a redesign begins with: tightened within half of the budget, so that the other half is for its roles.
    base: Option<Tightening>,
    /// What a redesign has to ask of the future.
    ahead: Option<redesign::Ahead<'a>>,
    /// What a reader should know first.
    said: Option<String>,
}

/// Fewer days than these have no earlier day at which to see what came next.
const FEWEST_DAYS: i32 = 14;

/// Tightens within the budget of wrong denials that may be expected; without a horizon, to what was used.
fn foreseen<'a>(
    joined: &Joined,
    how: &tighten::Options<'_>,
    weighed: &Weighed<'_>,
    foresight: &'a ForesightSettings,
    coverage: &crate::advice::CoverageView,
) -> Foreseen<'a> {
    let day = |t: Timestamp| i32::try_from(t.as_second().div_euclid(86_400)).unwrap_or_default();
    let (first, end) = (coverage.first.map_or(0, day), coverage.last.map_or(0, day) + 1);
    if foresight.horizon_days == 0 {
        return Foreseen {
            tightened: tighten::tighten(joined, how),
            outlook: None,
            base: None,
            ahead: None,
            said: Some(
                "No horizon is set: what was not used in the logs goes, whatever may be needed tomorrow.".to_owned(),
            ),
        };
    }
    let span = Span {
        first,
        end,
        horizon: foresight.horizon_days,
    };
    let outlook = tighten::outlook(joined, how, weighed, span);
    let short = end - first < FEWEST_DAYS;
    let offer = if short {
        outlook.within_budget(0.0, foresight)
    } else {
        outlook.within(foresight)
    };
    let said = if short {
        Some(format!(
            "The logs cover {}: too short to learn from them what will be needed, so nothing is proposed to be taken away. \
             Give the logs of at least {FEWEST_DAYS} days, or better of months; `--horizon 0` looks at the past alone.",
            evidence::days(coverage.window_days)
        ))
    } else {
        outlook.on_own_past(foresight)
    };
    let half = match short {
        true => 0.0,
        false => foresight.budget / 2.0,
    };
    Foreseen {
        base: Some(outlook.tighten(joined, how, &outlook.within_budget(half, foresight))),
        ahead: Some(redesign::Ahead {
            span,
            off: outlook.off(),
            budget: outlook.allowed(half, foresight),
            settings: foresight,
        }),
        tightened: outlook.tighten(joined, how, &offer),
        outlook: Some(outlook),
        said,
    }
}

/// The budgets that the curve is drawn through, for 10,000 uses.
const BUDGETS: [f64; 9] = [0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0];

/// Excess against expected wrong denials.
fn frontier(outlook: &Outlook, foresight: &ForesightSettings) -> Vec<FrontierPoint> {
    let mut budgets: Vec<f64> = BUDGETS.iter().map(|n| n / 10_000.0).collect();
    budgets.push(foresight.budget);
    budgets.sort_by(f64::total_cmp);
    budgets.dedup();
    budgets
        .into_iter()
        .map(|budget| {
            let offer = outlook.within_budget(budget, foresight);
            let (low, high) = offer.denied.interval();
            FrontierPoint {
                budget,
                open: offer.open,
                denied: offer.denied.mean,
                denied_low: low,
                denied_high: high,
                chosen: budget == foresight.budget,
            }
        })
        .collect()
}

/// The rules, for the help that goes with findings.
pub(crate) fn rule_views() -> Vec<RuleView> {
    rules::all()
        .into_iter()
        .map(|r| RuleView {
            id: r.id().to_owned(),
            severity: r.severity(),
            summary: r.summary().to_owned(),
            help: rules::page(r.id()).to_owned(),
        })
        .collect()
}
