//! The tightened policies that stand inside of other files, as changes of those files: worked out, then proven by reading the
//! changed files again.

use crate::advice::{Advice, Change, FileChange, Proposal};
use crate::policy::load::Names;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::syntax::{self, Dialect};
use crate::sources::back::{self, Wanted};
use crate::sources::{self, Options};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

/// How the policies were read.
pub(super) struct Reading<'r> {
    pub(super) paths: &'r [PathBuf],
    pub(super) names: Names,
    pub(super) profile: Profile,
    pub(super) options: Options,
}

/// Puts the files that change beside the proposal; what stays out of them says why.
pub(super) fn files(advice: &mut Advice, reading: &Reading<'_>) {
    if let Some(proposal) = advice.proposals.iter_mut().find(|p| p.kind == "tighten") {
        let (files, left) = changes(proposal, reading);
        for (n, why) in left {
            if let Some(policy) = proposal.policies.get_mut(n).filter(|p| p.change != Change::Keep) {
                policy.reasons.push(format!("stays out of its file: {why}"));
            }
        }
        proposal.files = files;
    }
}

type Left = Vec<(usize, String)>;

fn changes(proposal: &Proposal, reading: &Reading<'_>) -> (Vec<FileChange>, Left) {
    let labels: Vec<String> = proposal.policies.iter().map(|p| p.label()).collect();
    let mut numbers = Vec::new();
    let mut wanted = Vec::new();
    for (n, policy) in proposal.policies.iter().enumerate() {
        let (Some(written), Some(old), Some(name)) = (&policy.written, policy.original.as_deref(), labels.get(n))
        else {
            continue;
        };
        numbers.push(n);
        wanted.push(Wanted {
            name,
            written,
            old,
            new: policy.text.as_deref().filter(|_| policy.change != Change::Delete),
        });
    }
    if wanted.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let edited = back::edited(&wanted);
    let number = |n: usize| numbers.get(n).copied();
    let mut left: Left = edited
        .left
        .into_iter()
        .filter_map(|(n, why)| Some((number(n)?, why)))
        .collect();
    let bad = unproven(proposal, &edited.files, &numbers, reading);
    let mut files = Vec::new();
    for file in edited.files {
        let policies: Vec<usize> = file.policies.iter().filter_map(|n| number(*n)).collect();
        if policies.iter().any(|n| bad.contains(n)) {
            let why = format!("`{}` would not say it when it is read again", file.file);
            left.extend(policies.into_iter().map(|n| (n, why.clone())));
            continue;
        }
        files.push(FileChange {
            policies: policies.iter().filter_map(|n| labels.get(*n).cloned()).collect(),
            file: file.file,
            old: file.old,
            new: file.new,
        });
    }
    (files, left)
}

/// Policies that would not say what they are to say, were the files changed so.
fn unproven(
    proposal: &Proposal,
    files: &[back::FileEdit],
    numbers: &[usize],
    reading: &Reading<'_>,
) -> BTreeSet<usize> {
    let dialect = reading.profile.dialect();
    let overlay: HashMap<PathBuf, Arc<str>> = files
        .iter()
        .map(|file| (PathBuf::from(&*file.file), Arc::from(file.new.as_str())))
        .collect();
    let options = Options {
        overlay,
        ..reading.options.clone()
    };
    let changed: BTreeSet<usize> = files
        .iter()
        .flat_map(|file| &file.policies)
        .filter_map(|n| numbers.get(*n).copied())
        .collect();
    let Ok(read) = sources::read(reading.paths, &dialect, reading.names, &options) else {
        return changed;
    };
    let now: BTreeMap<(Arc<str>, Arc<str>), Policy> = read
        .files
        .into_iter()
        .filter_map(|(_, policy)| policy.ok())
        .map(|policy| ((Arc::clone(&policy.namespace), Arc::clone(&policy.name)), policy))
        .collect();
    numbers
        .iter()
        .copied()
        .filter(|n| {
            let Some(policy) = proposal.policies.get(*n) else {
                return true;
            };
            let text = if changed.contains(n) {
                policy.text.as_deref()
            } else {
                policy.original.as_deref()
            };
            let there = now.get(&(Arc::clone(&policy.namespace), Arc::from(policy.name.as_str())));
            !there.is_some_and(|there| text.is_some_and(|text| says(there, text, &dialect)))
        })
        .collect()
}

/// Whether a policy says what a text says.
fn says(policy: &Policy, text: &str, dialect: &Dialect) -> bool {
    let Ok(wanted) = syntax::parse(&policy.name, "", text, dialect) else {
        return false;
    };
    policy.stanzas.len() == wanted.stanzas.len()
        && policy
            .stanzas
            .iter()
            .zip(&wanted.stanzas)
            .all(|(a, b)| a.path == b.path && a.capabilities == b.capabilities && a.constraints == b.constraints)
}
