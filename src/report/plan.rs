//! The waves of a proposal: those it brings along, else the plain order of adding, giving, taking and deleting.

use crate::advice::{Assignment, Change, Proposal, Step, Text, Wave};
use std::borrow::Cow;

/// The waves of a proposal.
#[must_use]
pub fn waves(proposal: &Proposal) -> Cow<'_, [Wave]> {
    if proposal.waves.is_empty() {
        Cow::Owned(plain(proposal))
    } else {
        Cow::Borrowed(&proposal.waves)
    }
}

/// Adding first, then changing, then taking away. Where lists of policies change the way has two halves: first what only
/// adds, then, when no token needs the old policies any more, what takes away.
fn plain(proposal: &Proposal) -> Vec<Wave> {
    let of = |wanted: Change| {
        let policies = proposal.policies.iter().enumerate();
        policies
            .filter(move |(_, policy)| policy.change == wanted)
            .map(move |(policy, _)| Step::Policy {
                policy,
                to: Text::Proposed,
                free: wanted == Change::Add,
            })
    };
    let lists = |list: fn(&Assignment) -> Vec<String>| {
        let assignments = proposal.assignments.iter().enumerate();
        assignments.map(move |(assignment, one)| Step::Holder {
            assignment,
            to: list(one),
        })
    };
    let changes: Vec<Step> = of(Change::Edit).chain(of(Change::Delete)).collect();
    if proposal.assignments.is_empty() {
        return vec![Wave {
            title: String::from("all changes"),
            steps: of(Change::Add).chain(changes).collect(),
            ..Wave::default()
        }];
    }
    vec![
        Wave {
            title: String::from("new policies, handed out besides the old ones"),
            steps: of(Change::Add).chain(lists(both)).collect(),
            ..Wave::default()
        },
        Wave {
            title: String::from("old policies, once no token needs them any more"),
            second_half: true,
            promised: None,
            steps: lists(|one| one.after.clone()).chain(changes).collect(),
        },
    ]
}

/// The policies of a holder before and after, together.
#[must_use]
pub fn both(assignment: &Assignment) -> Vec<String> {
    let mut all: Vec<String> = assignment.before.iter().chain(&assignment.after).cloned().collect();
    all.sort_unstable();
    all.dedup();
    all
}
