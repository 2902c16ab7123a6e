//! What goes in and what comes out.

use crate::access::weight::Weights;
use crate::analysis::evidence::EvidenceSettings;
use crate::deployment::Deployment;
use crate::optimize::foresight::ForesightSettings;
use crate::optimize::foresight::interval::Spread;
use crate::optimize::paths::Price;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::usage::Facts;
use serde::Serialize;

/// What is replayed.
pub struct Input<'a> {
    /// What the logs say, with the days of every demand.
    pub facts: &'a Facts,
    /// The policies in force.
    pub policies: &'a [Policy],
    /// What is known of the deployment.
    pub deployment: Option<&'a Deployment>,
    /// Whose rules decide.
    pub profile: Profile,
    /// How complete the logs are, 0 to 1.
    pub health: f64,
}

/// How it is replayed.
pub struct Options {
    /// Days of the past that a proposal is made on.
    pub train_days: i32,
    /// Days of the future that it is replayed on.
    pub test_days: i32,
    /// Days between one cut and the next.
    pub step_days: i32,
    /// Prices of stanzas and exposure.
    pub price: Price,
    /// The budgets that the curve is drawn through: expected wrong denials for each use that is expected.
    pub budgets: Vec<f64>,
    /// The budget that `advise` would take, and how much is allowed whatever it comes to.
    pub foresight: ForesightSettings,
    /// Price of an unused permission in a redesign.
    pub over_grant: f64,
    /// When an unused grant may be removed.
    pub evidence: EvidenceSettings,
    /// The N of the plain rule.
    pub plain_days: Vec<i32>,
    /// Weights of exposure.
    pub weights: Weights,
}

/// What happened at one cut.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Window {
    /// First day of the past, `2026-01-31`.
    pub train_from: String,
    /// First day of the future.
    pub test_from: String,
    /// Last day of the future.
    pub test_to: String,
    /// Demand-days of the future that today's policies explain: what a proposal can deny wrongly.
    pub future: u64,
    /// One point a rule.
    pub points: Vec<Point>,
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backtest {
    /// Version of this output.
    pub version: u32,
    /// Days of the past.
    pub train_days: i32,
    /// Days of the future.
    pub test_days: i32,
    /// Days from cut to cut.
    pub step_days: i32,
    /// What is counted.
    pub unit: &'static str,
    /// Every cut.
    pub windows: Vec<Window>,
    /// The points of all cuts together: the curve.
    pub curve: Vec<Point>,
    /// How well promises held.
    pub calibration: Calibration,
    /// The proposed points against the plain rules at equal excess.
    pub comparisons: Vec<Comparison>,
}

/// How well promises held, over all cuts and budgets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Calibration {
    /// Proposals that promised ten wrong denials or more.
    pub rows: u64,
    /// Of these, those where what came lay within the interval.
    pub held: u64,
    /// Promised, over all proposals.
    pub promised: f64,
    /// Denied, over all proposals.
    pub denied: u64,
}

impl Calibration {
    /// Of all points of all cuts.
    #[must_use]
    pub fn of(windows: &[Window]) -> Self {
        let mut found = Self::default();
        for point in windows.iter().flat_map(|w| &w.points) {
            let Some(promise) = point.promised else { continue };
            found.promised += promise.promised;
            found.denied += point.denied;
            if promise.promised >= 10.0 {
                let came = point.denied as f64;
                found.rows += 1;
                found.held += u64::from(promise.promised_low <= came && came <= promise.promised_high);
            }
        }
        found
    }
}

/// What keeps what was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Each principal, its own accesses.
    Principal,
    /// Each policy, the accesses of its holders.
    Policy,
    /// Each stanza, its capabilities.
    Stanza,
}

impl Scope {
    /// The word in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::Policy => "policy",
            Self::Stanza => "stanza",
        }
    }
}

/// Which proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Proposal {
    /// Policies keep their names and holders.
    Tighten,
    /// Policies by role.
    Redesign,
}

impl Proposal {
    /// The word in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tighten => "tighten",
            Self::Redesign => "redesign",
        }
    }
}

/// What was applied to the past.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "rule", rename_all = "lowercase")]
pub enum Rule {
    /// Nothing: today's policies.
    Today,
    /// Proposed within a budget, and proven.
    Proposed {
        /// Which proposal.
        proposal: Proposal,
        /// Expected wrong denials, for each use that is expected.
        budget: f64,
        /// Whether these are the settings that `advise` would take.
        chosen: bool,
    },
    /// What was not used in the last days goes.
    Plain {
        /// Of whom or what.
        scope: Scope,
        /// How many days.
        days: i32,
    },
}

/// Wrong denials that share something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blame {
    /// The principal, or the policy and the path of its stanza.
    pub name: String,
    /// Wrong denials, in demand-days.
    pub denied: u64,
}

/// Wrong denials that were expected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Promise {
    /// The mean.
    pub promised: f64,
    /// Nine times of ten it is at least this.
    pub promised_low: f64,
    /// And at most this.
    pub promised_high: f64,
    /// What scatters it.
    #[serde(skip)]
    pub spread: Spread,
}

impl Promise {
    /// Of a mean and what scatters it.
    #[must_use]
    pub fn of(spread: Spread) -> Self {
        let (promised_low, promised_high) = spread.interval();
        Self {
            promised: spread.mean,
            promised_low,
            promised_high,
            spread,
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::of(self.spread.and(other.spread))
    }
}

/// A point of the curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// What was applied.
    #[serde(flatten)]
    pub rule: Rule,
    /// Pairs (path, capability), summed over principals, that stay granted on known paths and were not used in the future.
    pub excess: u64,
    /// The weight of that excess, open ends of globs included.
    pub weight: f64,
    /// Wrong denials, in demand-days.
    pub denied: u64,
    /// What was promised of them; nothing for rules that promise nothing.
    pub promised: Option<Promise>,
    /// Of these, of principals that the past does not know.
    pub denied_newcomers: u64,
    /// Distinct demands denied wrongly.
    pub denied_demands: u64,
    /// Share of the future's demand-days that is denied wrongly.
    pub share: f64,
    /// Whether the proposal was proven safe on its past (plain rules are not proven).
    pub proven: bool,
    /// Wrong denials by principal, the most first.
    pub by_principal: Vec<Blame>,
    /// Wrong denials by the stanza that allows them today, the most first.
    pub by_stanza: Vec<Blame>,
}

/// A tightened point against a plain rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The tightened point.
    #[serde(flatten)]
    pub rule: Rule,
    /// How the plain rule is meant.
    pub against: Scope,
    /// What both leave: `excess` or `weight`.
    pub equal: &'static str,
    /// How much of it is left.
    pub left: f64,
    /// That, of what is left today.
    pub left_share: f64,
    /// Wrong denials of the tightened policies, in demand-days.
    pub denied: u64,
    /// Wrong denials of the plain rule at the same excess.
    pub plain_denied: f64,
    /// The first in terms of the second; none where the plain rule denies nothing.
    pub ratio: Option<f64>,
}
