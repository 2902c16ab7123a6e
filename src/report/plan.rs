//! The waves of a proposal: those it brings along, else the plain order of adding, giving, taking and deleting.

use crate::advice::{Assignment, Change, Commit, Proposal, ProposedPolicy, Step, Text, Wave};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

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

/// A step that changes a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed<'w> {
    /// Index into [`Proposal::policies`].
    pub policy: usize,
    /// What it is then.
    pub to: &'w Text,
}

/// What the waves change, wave by wave.
#[must_use]
pub fn changes(waves: &[Wave]) -> Vec<Vec<Changed<'_>>> {
    let of = |step| match step {
        &Step::Policy { policy, ref to, .. } => Some(Changed { policy, to }),
        Step::Holder { .. } => None,
    };
    waves
        .iter()
        .map(|wave| wave.steps.iter().filter_map(of).collect())
        .collect()
}

/// Policies with a step that comes after one that is left out, where the two may decide one request: each with the policy of that. All by
/// their places among the policies.
#[must_use]
pub fn held_up(proposal: &Proposal, waves: &[Wave], is_out: impl Fn(usize) -> bool) -> BTreeMap<usize, String> {
    let mut out: BTreeMap<usize, String> = BTreeMap::new();
    let mut held_up = BTreeMap::new();
    for change in changes(waves).into_iter().flatten() {
        let Some((policy, tied)) = policy_of(proposal, change).and_then(|policy| Some((policy, policy.tied?))) else {
            continue;
        };
        if is_out(change.policy) {
            out.entry(tied).or_insert_with(|| policy.label());
        } else if let Some(before) = out.get(&tied) {
            held_up.insert(change.policy, before.clone());
        }
    }
    held_up
}

/// The commits of a branch, in order: steps of policies that are tied stay in theirs. What is made by hand is in none.
#[must_use]
pub fn commits(proposal: &Proposal, waves: &[Wave]) -> Vec<Commit> {
    let owner = |policy: &ProposedPolicy| {
        let owner = policy.file.as_ref().and_then(|file| proposal.owners.get(file));
        owner.map_or("", String::as_str)
    };
    let mut commits = Vec::new();
    for (wave, changes) in changes(waves).into_iter().enumerate() {
        let with_policy = |change| Some((change, policy_of(proposal, change)?));
        let with_policy = changes.into_iter().filter_map(with_policy);
        let mut open: Vec<Open<'_>> = with_policy
            .filter(|(_, policy)| !policy.by_hand)
            .map(|(change, policy)| Open {
                change,
                tied: policy.tied,
                owner: owner(policy),
            })
            .collect();
        // Who comes first by name; where all of that one has to wait, whose step is the first.
        while let Some((by_name, by_step)) = open
            .iter()
            .map(|one| one.owner)
            .min()
            .zip(open.first().map(|one| one.owner))
        {
            let of = if taken(&open, by_name).contains(&true) {
                by_name
            } else {
                by_step
            };
            let taken = taken(&open, of);
            let (now, later): (Vec<_>, Vec<_>) = open.into_iter().zip(taken).partition(|(_, is_taken)| *is_taken);
            open = later.into_iter().map(|(one, _)| one).collect();
            commits.push(Commit {
                wave,
                owner: of.to_owned(),
                changes: now
                    .into_iter()
                    .map(|(one, _)| (one.change.policy, one.change.to.clone()))
                    .collect(),
                files: Vec::new(),
            });
        }
    }
    commits
}

fn policy_of<'p>(proposal: &'p Proposal, change: Changed<'_>) -> Option<&'p ProposedPolicy> {
    proposal.policies.get(change.policy)
}

/// A change that is in no commit yet.
struct Open<'p> {
    change: Changed<'p>,
    tied: Option<usize>,
    owner: &'p str,
}

/// Which of these an owner may make before all others: those that wait for none of another's.
fn taken(open: &[Open<'_>], owner: &str) -> Vec<bool> {
    let mut waiting = BTreeSet::new();
    let of = |one: &Open<'_>| {
        let is_taken = one.owner == owner && one.tied.is_none_or(|tied| !waiting.contains(&tied));
        waiting.extend(one.tied.filter(|_| !is_taken));
        is_taken
    };
    open.iter().map(of).collect()
}
