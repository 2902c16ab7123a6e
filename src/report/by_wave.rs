//! `waves.json` and `waves/`: what each wave changes, for whoever goes on from there: a program that looks what it did, a
//! person who wants the diffs of one wave, a pipeline that brings Terraform's policies to the server.

use serde::Serialize;

use super::diff;
use super::holder::Holder;
use super::layout::Placed;
use super::output::OutputFile;
use super::state::State;
use super::terraform;
use crate::advice::{self, Assignment, Proposal, ProposedPolicy, Step, Wave};

/// Version of `waves.json`.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    about: &'static str,
    plan: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    horizon_days: Option<i32>,
    policies: Vec<Policy<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    holders: Vec<Given<'a>>,
    waves: Vec<OneWave<'a>>,
}

/// A policy at one point of the way; without a file where there is none.
#[derive(Serialize)]
struct Policy<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<&'a str>,
}

/// What an auth role, an entity or a group hands out at one point of the way.
#[derive(Serialize)]
struct Given<'a> {
    kind: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'a str,
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    policies: &'a [String],
}

impl<'a> Given<'a> {
    fn of(assignment: &'a Assignment, policies: &'a [String]) -> Self {
        Self {
            kind: &assignment.kind,
            namespace: &assignment.namespace,
            id: &assignment.id,
            name: &assignment.name,
            path: Holder::of(assignment).map(|holder| holder.path),
            policies,
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Change<'a> {
    Policy(Policy<'a>),
    Holder { holder: Given<'a> },
}

#[derive(Serialize)]
struct OneWave<'a> {
    wave: usize,
    title: &'a str,
    second_half: bool,
    promised: Option<f64>,
    steps: Vec<Change<'a>>,
}

fn policy<'a>(placed: &'a Placed<'_>, state: &'a State) -> Policy<'a> {
    Policy {
        namespace: &placed.policy.namespace,
        name: &placed.policy.name,
        file: state.text.as_ref().map(|_| state.file.as_str()),
        sha256: state.text.as_ref().map(|_| state.hash.as_str()),
    }
}

/// `chains` has the states of every policy, the first one included.
///
/// # Errors
/// Never for a proposal as it is: the error is that of the JSON serializer.
pub(super) fn render(
    proposal: &Proposal,
    placed: &[Placed<'_>],
    waves: &[Wave],
    chains: &[Vec<State>],
    folder: &str,
    plan: &str,
    base: &str,
) -> Result<Vec<OutputFile>, serde_json::Error> {
    let mut files = Vec::new();
    let mut at = vec![0_usize; placed.len()];
    let mut steps_of = Vec::new();
    for (number, wave) in (1..).zip(waves) {
        let before = at.clone();
        let mut steps = Vec::new();
        for step in &wave.steps {
            match step {
                Step::Policy { policy: index, .. } => {
                    let here = at.get_mut(*index).zip(chains.get(*index).zip(placed.get(*index)));
                    steps.extend(here.and_then(|(at, (chain, placed))| {
                        *at += 1;
                        chain.get(*at).map(|state| Change::Policy(policy(placed, state)))
                    }));
                }
                Step::Holder { assignment, to } => {
                    let one = proposal.assignments.get(*assignment);
                    steps.extend(one.map(|one| Change::Holder {
                        holder: Given::of(one, to),
                    }));
                }
            }
        }
        if waves.len() > 1 {
            files.extend(diffs(
                placed,
                chains,
                &before,
                &at,
                &format!("{folder}waves/{number}/diffs/"),
            ));
            for change in proposal.wave_files.get(number - 1).into_iter().flatten() {
                let (name, text) = diff::of_file(change, base);
                files.push(OutputFile::text(format!("{folder}waves/{number}/diffs/{name}"), text));
            }
            if proposal.assignments.is_empty() {
                let then = as_of(proposal, chains, &at);
                files.extend(terraform::render(&then, &format!("{folder}waves/{number}/terraform/")));
            }
        }
        steps_of.push(OneWave {
            wave: number,
            title: &wave.title,
            second_half: wave.second_half,
            promised: wave.promised.map(crate::advice::round),
            steps,
        });
    }
    let first = placed.iter().zip(chains).filter_map(|(placed, chain)| {
        let state = chain.first().filter(|state| state.text.is_some())?;
        Some(policy(placed, state))
    });
    let mut json = serde_json::to_string_pretty(&Document {
        version: VERSION,
        about: "policies as they were, and as each wave leaves those that it changes; sha256 is of the text without white space \
                around it; applied.jsonl, which apply.sh writes, says when",
        plan,
        horizon_days: proposal.expected.map(|expected| expected.horizon_days),
        policies: first.collect(),
        holders: proposal
            .assignments
            .iter()
            .map(|one| Given::of(one, &one.before))
            .collect(),
        waves: steps_of,
    })?;
    json.push('\n');
    files.push(OutputFile::text(format!("{folder}waves.json"), json));
    Ok(files)
}

/// The proposal as it is when so many states of each policy are done.
fn as_of(proposal: &Proposal, chains: &[Vec<State>], at: &[usize]) -> Proposal {
    let policies = proposal.policies.iter().zip(chains.iter().zip(at));
    let policies = policies.filter_map(|(policy, (chain, &at))| {
        let text = chain.get(at)?.text.clone();
        // What is not there yet is no part of it.
        if text.is_none() && policy.change == advice::Change::Add {
            return None;
        }
        let (change, text) = match (policy.change, text) {
            // What it gets on its way to a file it has in the state already.
            (advice::Change::Add, _) => (advice::Change::Add, policy.text.clone()),
            (change, None) => (change, None),
            (_, text) => (advice::Change::Edit, text),
        };
        Some(ProposedPolicy {
            change,
            text,
            reasons: if at == 0 { Vec::new() } else { policy.reasons.clone() },
            ..policy.clone()
        })
    });
    Proposal {
        policies: policies.collect(),
        ..Proposal::default()
    }
}

/// What one wave changes, a diff a policy.
fn diffs(
    placed: &[Placed<'_>],
    chains: &[Vec<State>],
    before: &[usize],
    after: &[usize],
    folder: &str,
) -> Vec<OutputFile> {
    let places = placed.iter().zip(chains.iter().zip(before.iter().zip(after)));
    let changed = places.filter_map(|(placed, (chain, (&before, &after)))| {
        // A file with several policies in it changes as a whole.
        if before == after || !placed.policy.is_its_file() {
            return None;
        }
        let (old, new) = (chain.get(before)?.text.as_deref(), chain.get(after)?.text.as_deref());
        let text = diff::between(placed, old, new)?;
        Some(OutputFile::text(format!("{folder}{}", placed.diff), text))
    });
    changed.collect()
}
