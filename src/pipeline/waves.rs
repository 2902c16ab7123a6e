//! The steps of a tightening as waves of a proposal.

use crate::access::{Joined, PolicyNumber};
use crate::advice::{Step, Text, Wave};
use crate::optimize;
use crate::optimize::steps::Planned;
use crate::optimize::tighten::Tightening;
use std::collections::BTreeMap;

/// The steps of a tightening as waves. Its policies are those of the joined ones, by number.
pub(super) fn waves(joined: &Joined, tightening: &Tightening) -> Vec<Wave> {
    let expected: BTreeMap<PolicyNumber, f64> = tightening
        .changed
        .iter()
        .filter_map(|changed| Some((changed.policy, changed.expected.as_ref()?.mean)))
        .collect();
    // What is expected of a policy is expected of the step that makes it what it is to be.
    let of_wave = |steps: &[&Planned]| {
        let last = steps.iter().filter(|step| step.between.is_none());
        let known: Vec<f64> = last.filter_map(|step| expected.get(&step.policy).copied()).collect();
        (!expected.is_empty()).then(|| known.into_iter().sum())
    };
    optimize::waves::titled(joined, &tightening.steps)
        .into_iter()
        .map(|(title, steps)| Wave {
            title,
            second_half: false,
            promised: of_wave(&steps),
            steps: steps
                .into_iter()
                .map(|step| Step::Policy {
                    policy: step.policy.number(),
                    to: step.between.clone().map_or(Text::Proposed, Text::Between),
                    free: step.free,
                })
                .collect(),
        })
        .collect()
}
