//! `waves.json` and `waves/`: what each wave changes, for whoever goes on from there: a program that looks what it did, a
//! person who wants the diffs of one wave, a pipeline that brings Terraform's policies to the server.

use serde::Serialize;

use super::diff;
use super::layout::Placed;
use super::output::OutputFile;
use super::script::State;
use super::terraform;
use crate::advice::{Change, Proposal, ProposedPolicy, Step, Wave};

/// Version of `waves.json`.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    about: &'static str,
    plan: &'a str,
    policies: Vec<Policy<'a>>,
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

#[derive(Serialize)]
struct OneWave<'a> {
    wave: usize,
    title: &'a str,
    second_half: bool,
    promised: Option<f64>,
    steps: Vec<Policy<'a>>,
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
) -> Result<Vec<OutputFile>, serde_json::Error> {
    let mut files = Vec::new();
    let mut at = vec![0_usize; placed.len()];
    let mut steps_of = Vec::new();
    for (number, wave) in (1..).zip(waves) {
        let before = at.clone();
        let mut steps = Vec::new();
        for step in &wave.steps {
            let Step::Policy { policy: index, .. } = step else {
                continue;
            };
            let (Some(at), Some(chain), Some(placed)) = (at.get_mut(*index), chains.get(*index), placed.get(*index))
            else {
                continue;
            };
            *at += 1;
            steps.extend(chain.get(*at).map(|state| policy(placed, state)));
        }
        if waves.len() > 1 {
            files.extend(diffs(
                placed,
                chains,
                &before,
                &at,
                &format!("{folder}waves/{number}/diffs/"),
            ));
            if proposal.assignments.is_empty() {
                let then = as_of(proposal, chains, &at);
                files.extend(terraform::render(&then, &format!("{folder}waves/{number}/terraform/")));
            }
        }
        steps_of.push(OneWave {
            wave: number,
            title: &wave.title,
            second_half: wave.second_half,
            promised: wave.promised.map(super::json_model::rounded),
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
        policies: first.collect(),
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
        if text.is_none() && policy.change == Change::Add {
            return None;
        }
        let (change, text) = match (policy.change, text) {
            // What it gets on its way to a file it has in the state already.
            (Change::Add, _) => (Change::Add, policy.text.clone()),
            (change, None) => (change, None),
            (_, text) => (Change::Edit, text),
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
        // A file with several policies in it changes as a whole, in `diffs/` alone.
        if before == after || placed.policy.written.is_some() {
            return None;
        }
        let (old, new) = (chain.get(before)?.text.as_deref(), chain.get(after)?.text.as_deref());
        let text = diff::between(placed, old, new)?;
        Some(OutputFile::text(format!("{folder}{}", placed.diff), text))
    });
    changed.collect()
}
