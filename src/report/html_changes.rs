//! The changes of the HTML report: what becomes of each policy, why, and its diff.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::digest::{self, count, decimal};
use super::escape::{visible, visible_lines};
use super::layout;
use super::{diff, svg};
use crate::advice::{Advice, Change, Proposal, Risk, Unused};

const CHANGES_SHOWN: usize = 500;
const WITHDRAWN_SHOWN: usize = 500;

/// The `tighten` proposal.
#[derive(Serialize)]
pub struct Tighten {
    title: String,
    holds: bool,
    proof: String,
    base: String,
    changes: Vec<ChangeRow>,
    more_changes: Option<String>,
    withdrawn: Vec<WithdrawnRow>,
    withdrawn_total: usize,
}

#[derive(Serialize)]
struct ChangeRow {
    name: String,
    /// Grants that go with it.
    goes: Option<String>,
    risk: Option<String>,
    change: &'static str,
    holders: String,
    plus: usize,
    minus: usize,
    reasons: Vec<String>,
    diff: Option<Vec<Line>>,
    /// Whether the diff as shown is the diff, byte by byte: then it can be copied.
    exact: bool,
    diff_file: String,
}

#[derive(Serialize)]
struct Line {
    kind: &'static str,
    text: String,
}

#[derive(Serialize)]
struct WithdrawnRow {
    what: String,
    reason: String,
}

/// The proposal with its diffs, as many of them as there is room for.
pub fn view(advice: &Advice, proposal: &Proposal, mut room: usize) -> Tighten {
    let risks: HashMap<String, &Risk> = advice
        .policies
        .iter()
        .map(|policy| (policy.label(), &policy.risk))
        .collect();
    let placed = layout::place(&advice.run, proposal);
    let mut changed: Vec<_> = placed
        .iter()
        .filter(|placed| placed.policy.change != Change::Keep)
        .collect();
    let goes = advice.bridge.parts.iter().filter(|part| part.what == Unused::Goes);
    let goes: HashMap<&str, u64> = goes
        .flat_map(|part| &part.policies)
        .map(|share| (share.policy.as_str(), share.count))
        .collect();
    let goes = |placed: &layout::Placed<'_>| goes.get(&*placed.policy.label()).copied().unwrap_or_default();
    // What most goes with comes first; where nothing does, what most people stand to lose by.
    let weight = |placed: &layout::Placed<'_>| {
        let weight = risks.get(&placed.policy.label()).map_or(0.0, |risk| risk.weight);
        svg::length(placed.policy.holders.len()) * weight
    };
    changed.sort_by(|a, b| goes(b).cmp(&goes(a)).then(weight(b).total_cmp(&weight(a))));
    let changes = changed
        .into_iter()
        .take(CHANGES_SHOWN)
        .map(|placed| {
            let body = diff::body(placed).unwrap_or_default();
            let starts = |mark: char, head: &str| {
                body.lines()
                    .skip(2)
                    .filter(|line| line.starts_with(mark) && !line.starts_with(head))
                    .count()
            };
            let fits = body.len() <= room;
            if fits {
                room -= body.len();
            }
            ChangeRow {
                name: visible(&placed.policy.label()),
                change: placed.policy.change.as_str(),
                holders: count(digest::len(&placed.policy.holders), "holder", "holders"),
                goes: (goes(placed) > 0).then(|| count(goes(placed), "grant goes", "grants go")),
                risk: risks.get(&placed.policy.label()).map(|risk| decimal(risk.score)),
                plus: starts('+', "+++ "),
                minus: starts('-', "--- "),
                reasons: placed.policy.reasons.iter().map(|reason| visible(reason)).collect(),
                diff: fits.then(|| lines(&body)),
                exact: fits && visible_lines(&body) == body && body.ends_with('\n'),
                diff_file: visible(&placed.diff),
            }
        })
        .collect();
    Tighten {
        title: sentence(&proposal.title),
        holds: proposal.proof.holds(),
        proof: digest::proof(&proposal.proof),
        base: visible(&layout::diff_base(&advice.run, proposal)),
        changes,
        more_changes: proposal
            .policies
            .iter()
            .filter(|policy| policy.change != Change::Keep)
            .count()
            .checked_sub(CHANGES_SHOWN)
            .filter(|more| *more > 0)
            .map(|more| format!("{more} more changes are in diffs/ and policies/.")),
        withdrawn_total: proposal.withdrawn.len(),
        withdrawn: proposal
            .withdrawn
            .iter()
            .take(WITHDRAWN_SHOWN)
            .map(|one| WithdrawnRow {
                what: visible(&one.what),
                reason: visible(&one.reason),
            })
            .collect(),
    }
}

/// The policies that change as Terraform, by label, as many of them as there is room for.
pub fn terraform(proposal: &Proposal, room: usize) -> BTreeMap<String, String> {
    let mut left = room;
    let changed = proposal.policies.iter().filter(|policy| policy.change != Change::Keep);
    super::terraform::each_policy(proposal)
        .filter(|(policy, _)| changed.clone().any(|one| std::ptr::eq(one, *policy)))
        .filter_map(|(policy, text)| {
            left = left.checked_sub(text.len())?;
            Some((visible(&policy.label()), text))
        })
        .collect()
}

fn lines(body: &str) -> Vec<Line> {
    visible_lines(body)
        .lines()
        .enumerate()
        .map(|(index, text)| Line {
            kind: match text.chars().next() {
                _ if index < 2 => "file",
                Some('+') => "add",
                Some('-') => "del",
                Some('@') => "hunk",
                _ => "same",
            },
            text: text.to_owned(),
        })
        .collect()
}

/// A title as a sentence: other sentences may follow it.
pub fn sentence(title: &str) -> String {
    let mut out = visible(title);
    if !out.is_empty() && !out.ends_with(['.', '!', '?']) {
        out.push('.');
    }
    out
}
