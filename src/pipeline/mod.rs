//! Logs and policies in, [`Advice`] out: the whole flow on one screen.

mod account;
pub mod analysis;
mod assignments;
mod designs;
mod exposure;
mod handover;
pub mod kept;
mod owners;
pub mod place;
mod proposals;
mod views;
pub mod waiver;
mod waves;

pub use analysis::{Analysis, Question, analyse};

use crate::access::{Apart, Inputs, Joined};
use crate::advice::{Advice, Finding, RuleView, Run};
use crate::analysis::evidence::Watch;
use crate::analysis::rule::Proposed;
use crate::analysis::rules;
use crate::deployment::Deployment;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::settings::Settings;
use crate::usage::{Facts, Usage};
use account::Staying;
use designs::Designs;
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
    let today = today(options, &coverage);

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
    notes.extend(analysis.kept_kv2.map(kept_kv2));
    notes.extend(views::notes(&analysis.joined, &coverage));
    notes.extend(deployment.as_ref().and_then(views::unread));

    step("looking for what is not used");
    let waivers = kept::Waivers::of(&analysis.joined, settings, today);
    notes.extend(kept::keep(&mut analysis, settings, &waivers));
    notes.extend(kept::told(settings, today));
    analysis.joined.apart = apart(&analysis.joined, settings);
    let joined = &analysis.joined;
    notes.extend(views::held_back(joined, &analysis.evidence, &settings.evidence));
    step("weighing what is exposed");
    let weighed = analysis.weighed();
    let exposures = analysis.exposures();
    step("following who can take over what");
    let chains = analysis.chains();

    let designs = Designs::of(&analysis, &weighed, &coverage, &unread, options, step);
    if let Some(said) = &designs.said {
        notes.insert(0, said.clone());
    }

    step("looking for findings");
    let horizon_days = settings.foresight.horizon_days;
    let staying = Staying::of(joined, &designs.tightened, horizon_days > 0);
    let mut findings = findings(&analysis, settings, &designs, &staying);
    findings.retain(|finding| waivers.of_finding(finding).is_none());
    step("drawing up what each principal used");
    let accounts = account::accounts(joined, &designs.tightened, &staying);
    step("putting proposals together");
    let proposals = proposals::all(
        joined,
        &weighed,
        (designs.today, designs.tight),
        designs.tightened,
        designs.redesigned,
        (horizon_days, designs.base),
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
        principals: views::principals(joined, exposures, &designs.after, accounts.of),
        policies: views::policies(joined, &analysis.evidence, &weighed, &staying),
        heat: views::heat(joined),
        escalations: views::escalations(joined, chains),
        frontier: designs.frontier,
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

/// What is found, and whether what is proposed mends it.
fn findings(analysis: &Analysis<'_>, settings: &Settings, designs: &Designs, staying: &Staying) -> Vec<Finding> {
    let proposed = Proposed {
        policies: designs.tightened.scheme.policies.as_slice(),
        stays: &|id, capability| match capability {
            Some(capability) => staying.capability(id, capability),
            None => staying.stanza(id),
        },
    };
    analysis.findings(&settings.rules, Some(proposed))
}

/// The day that waivers are judged by: that of the run, or where that is not to matter the last of the logs.
fn today(options: &Options<'_>, coverage: &crate::advice::CoverageView) -> jiff::civil::Date {
    let at = options.generated_at.or(coverage.last).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// What a reader should know of accesses that count as needed though nobody used them.
fn kept_kv2(kept: usize) -> String {
    format!(
        "KV version 2, as `optimize.kv2_closure` asks: {kept} accesses to metadata that belong to reads of secrets count as \
         needed though nobody used them"
    )
}

/// How changes are kept apart, as the settings ask.
fn apart(joined: &Joined, settings: &Settings) -> Apart {
    Apart {
        teams: if settings.waves.teams {
            owners::teams(joined, &settings.owners)
        } else {
            BTreeMap::new()
        },
        most_principals: settings.waves.most_principals.filter(|most| *most > 0),
    }
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
