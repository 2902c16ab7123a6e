//! Would it have hurt? Proposals made on the past, replayed on the future that the logs hold.
//!
//! Usage is cut at a day, again and again: what was seen before (the past) is joined and tightened, each proposal proven on it as
//! `advise` proves its own; what was seen after (the future) is decided by the proposal. Every later request that today's
//! policies allow and the proposal denies is a wrong denial. The price of a proposal is set against its gain, the excess that is
//! left: what principals may do on known paths and did not do in the future either.
//!
//! The same is done with the plain rule that everybody knows, "what was not used for N days goes", and the two are compared at
//! equal excess.
//!
//! The unit is the demand-day: one principal, one path, one capability, on one day. A demand of thirty days counts thirty, its
//! requests of one day count one.

mod curve;
pub mod generate;
mod plain;
mod score;
mod split;
pub mod text;

use crate::access::weight::Weights;
use crate::analysis::evidence::EvidenceSettings;
use crate::deployment::Deployment;
use crate::optimize::paths::Price;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::usage::demand::Demand;
use serde::Serialize;

pub use curve::Comparison;
pub use plain::Scope;
pub use score::{Blame, Point, Rule};
pub use split::{Cut, cuts};

/// What is replayed.
pub struct Input<'a> {
    /// Usage, with the days of every demand.
    pub demands: &'a [Demand],
    /// The policies in force.
    pub policies: &'a [Policy],
    /// What is known of the deployment.
    pub deployment: Option<&'a Deployment>,
    /// Whose rules decide.
    pub profile: Profile,
    /// How complete the logs are, 0 to 1.
    pub health: f64,
    /// Nodes whose logs were read.
    pub nodes: usize,
}

/// How it is replayed.
pub struct Options {
    /// Days of the past that a proposal is made on.
    pub train_days: i32,
    /// Days of the future that it is replayed on.
    pub test_days: i32,
    /// Days between one cut and the next.
    pub step_days: i32,
    /// Prices; its lambda is the one that `advise` would take.
    pub price: Price,
    /// The weights of exposure that the curve is drawn through.
    pub lambdas: Vec<f64>,
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
    /// The tightened points against the plain rules at equal excess.
    pub comparisons: Vec<Comparison>,
}

/// Proposes on the past and replays the future, over all cuts; `step` is told what comes next.
#[must_use]
pub fn run(input: &Input<'_>, options: &Options, step: &mut dyn FnMut(&str)) -> Backtest {
    let cuts = split::cuts(input.demands, options.train_days, options.test_days, options.step_days);
    let mut windows = Vec::new();
    for (n, cut) in cuts.iter().enumerate() {
        step(&format!("cut {} of {}", n + 1, cuts.len()));
        windows.push(score::window(input, options, cut));
    }
    let curve = curve::sum(&windows);
    let comparisons = curve::compare(&curve);
    Backtest {
        version: 1,
        train_days: options.train_days,
        test_days: options.test_days,
        step_days: options.step_days,
        unit: "demand-day",
        windows,
        curve,
        comparisons,
    }
}
