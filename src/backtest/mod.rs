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
mod model;
mod plain;
mod score;
mod sides;
mod split;
pub mod text;

pub use model::{
    Backtest, Blame, Calibration, Comparison, Input, Options, Point, Promise, Proposal, Rule, Scope, Window,
};
pub use split::{Cut, cuts};

/// Proposes on the past and replays the future, over all cuts; `step` is told what comes next.
#[must_use]
pub fn run(input: &Input<'_>, options: &Options, step: &mut dyn FnMut(&str)) -> Backtest {
    let cuts = split::cuts(
        &input.facts.demands,
        options.train_days,
        options.test_days,
        options.step_days,
    );
    let mut windows = Vec::new();
    for (n, cut) in cuts.iter().enumerate() {
        step(&format!("cut {} of {}", n + 1, cuts.len()));
        windows.push(score::window(input, options, cut));
    }
    let curve = curve::sum(&windows);
    let comparisons = curve::compare(&curve);
    Backtest {
        version: 2,
        train_days: options.train_days,
        test_days: options.test_days,
        step_days: options.step_days,
        unit: "demand-day",
        calibration: Calibration::of(&windows),
        windows,
        curve,
        comparisons,
    }
}
