//! The tightened policies that stand inside of other files, as changes of those files: worked out, then proven by reading the
//! changed files again.

use super::resolve::Grants;
use crate::advice::{Advice, Change, FileChange, Proposal, ProposedPolicy, Text};
use crate::policy::model::Policy;
use crate::policy::syntax::{self, Dialect};
use crate::report::plan::{self, Changed};
use crate::sources::back::{self, Wanted};
use crate::sources::{self, Options, Owners};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Puts the files that change beside the proposal; what stays out of them says why.
pub(super) fn files(advice: &mut Advice, grants: &Grants) {
    if let Some(proposal) = advice.proposals.iter_mut().find(|p| p.kind == "tighten") {
        proposal.owners = owners(proposal, grants);
        let files = settled(proposal, grants);
        let waves = plan::waves(proposal).into_owned();
        let of_waves = plan::changes(&waves);
        let mut commits = plan::commits(proposal, &waves);
        let changed = |(policy, to)| Changed { policy, to };
        let of_commits: Vec<Vec<Changed<'_>>> = commits
            .iter()
            .map(|commit| {
                commit
                    .changes
                    .iter()
                    .map(|(policy, to)| changed((*policy, to)))
                    .collect()
            })
            .collect();
        let wave_files = group_by_group(proposal, &of_waves, &files, grants);
        // Every group reads all files again: mostly each wave is one commit.
        let commit_files = if of_commits == of_waves {
            wave_files.clone()
        } else {
            group_by_group(proposal, &of_commits, &files, grants)
        };
        for (commit, files) in commits.iter_mut().zip(commit_files) {
            commit.files = files;
        }
        (proposal.wave_files, proposal.commits) = (wave_files, commits);
        proposal.files = files;
    }
}

/// The files as they are to be. What cannot be written back is made by hand, and with it what must not come before that.
fn settled(proposal: &mut Proposal, grants: &Grants) -> Vec<FileChange> {
    loop {
        let (files, left) = changes(proposal, &proposed(proposal), grants);
        let mut is_new = false;
        for (n, why) in left {
            if let Some(policy) = proposal
                .policies
                .get_mut(n)
                .filter(|p| p.change != Change::Keep && !p.by_hand)
            {
                policy.reasons.push(format!("stays out of its file: {why}"));
                policy.by_hand = true;
                is_new = true;
            }
        }
        let waves = plan::waves(proposal).into_owned();
        let by_hand = |n: usize| proposal.policies.get(n).is_some_and(|policy| policy.by_hand);
        for (n, before) in plan::held_up(proposal, &waves, by_hand) {
            if let Some(policy) = proposal.policies.get_mut(n) {
                policy.reasons.push(format!(
                    "stays out of its file: the change of `{before}` has to come first, and stays out of its own"
                ));
                policy.by_hand = true;
                is_new = true;
            }
        }
        if !is_new {
            return files;
        }
    }
}

type Left = Vec<(usize, String)>;

/// A text for each policy; none where there is no policy.
type Texts = Vec<Option<Arc<str>>>;

/// The texts that are proposed; of what is made by hand those that are there.
fn proposed(proposal: &Proposal) -> Texts {
    let text = |p: &ProposedPolicy| match p.by_hand {
        true => p.original.clone(),
        false => p.text.as_deref().filter(|_| p.change != Change::Delete).map(Arc::from),
    };
    proposal.policies.iter().map(text).collect()
}

/// Who owns the files of the policies.
fn owners(proposal: &Proposal, grants: &Grants) -> BTreeMap<Arc<str>, String> {
    let all: Vec<Owners> = grants.paths.iter().map(|path| Owners::around(path)).collect();
    let pieces = |policy: &ProposedPolicy| -> Vec<Arc<str>> {
        let written = policy.written.iter().flat_map(|written| &written.pieces);
        let levels = written.flat_map(|piece| &piece.levels);
        levels.map(|level| Arc::clone(&level.source.file)).collect()
    };
    let files: BTreeSet<Arc<str>> = proposal
        .policies
        .iter()
        .flat_map(|policy| pieces(policy).into_iter().chain(policy.file.clone()))
        .collect();
    files
        .into_iter()
        .filter_map(|file| {
            let owner = all.iter().find_map(|owners| owners.of(Path::new(&*file)))?.to_owned();
            Some((file, owner))
        })
        .collect()
}

/// What each of these groups of changes does to the files, from what the one before left.
fn group_by_group(
    proposal: &Proposal,
    groups: &[Vec<Changed<'_>>],
    last: &[FileChange],
    grants: &Grants,
) -> Vec<Vec<FileChange>> {
    if last.is_empty() {
        return Vec::new();
    }
    let original = |p: &ProposedPolicy| p.original.clone().filter(|_| p.change != Change::Add);
    let mut texts: Texts = proposal.policies.iter().map(original).collect();
    let end = proposed(proposal);
    let mut before: BTreeMap<Arc<str>, FileChange> = BTreeMap::new();
    let mut all = Vec::new();
    for (n, group) in groups.iter().enumerate() {
        let mut moved = BTreeSet::new();
        for change in group {
            let Some(policy) = proposal.policies.get(change.policy).filter(|policy| !policy.by_hand) else {
                continue;
            };
            let then = match change.to {
                Text::Between(text) => Some(Arc::clone(text)),
                Text::Proposed => end.get(change.policy).cloned().flatten(),
            };
            if let Some(text) = texts.get_mut(change.policy) {
                *text = then;
                moved.insert(policy.label());
            }
        }
        let files = if n + 1 == groups.len() {
            last.to_vec()
        } else {
            changes(proposal, &texts, grants).0
        };
        let after: BTreeMap<Arc<str>, FileChange> = files
            .into_iter()
            .map(|change| (Arc::clone(&change.file), change))
            .collect();
        let names: BTreeSet<&Arc<str>> = before.keys().chain(after.keys()).collect();
        let changed = names.into_iter().filter_map(|file| {
            let any = before.get(file).or_else(|| after.get(file))?;
            let text = |side: &BTreeMap<Arc<str>, FileChange>| {
                side.get(file)
                    .map_or_else(|| any.old.to_string(), |change| change.new.clone())
            };
            let (old, new) = (text(&before), text(&after));
            let policies = after.get(file).map_or_else(Vec::new, |change| change.policies.clone());
            (old != new).then(|| FileChange {
                file: Arc::clone(file),
                old: old.into(),
                new,
                // What of an earlier group came no sooner is named with those of this one.
                policies: match policies
                    .iter()
                    .filter(|p| moved.contains(*p))
                    .cloned()
                    .collect::<Vec<_>>()
                {
                    none if none.is_empty() => policies,
                    some => some,
                },
            })
        });
        all.push(changed.collect());
        before = after;
    }
    all
}

/// The files as they are to be for these texts, and the policies that stay out of them.
fn changes(proposal: &Proposal, texts: &Texts, grants: &Grants) -> (Vec<FileChange>, Left) {
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
            new: texts.get(n).and_then(Option::as_deref),
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
    let bad = unproven(proposal, texts, &edited.files, &numbers, grants);
    let mut files = Vec::new();
    for file in edited.files {
        let policies: Vec<usize> = file.policies.iter().filter_map(|n| number(*n)).collect();
        if policies.iter().any(|n| bad.contains(n)) {
            let why = format!("`{}` would not say the same when it is read again", file.file);
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
    texts: &Texts,
    files: &[back::FileEdit],
    numbers: &[usize],
    grants: &Grants,
) -> BTreeSet<usize> {
    let dialect = grants.profile.dialect();
    let overlay: HashMap<PathBuf, Arc<str>> = files
        .iter()
        .map(|file| (PathBuf::from(&*file.file), Arc::from(file.new.as_str())))
        .collect();
    let options = Options {
        overlay,
        ..grants.sources.clone()
    };
    let changed: BTreeSet<usize> = files
        .iter()
        .flat_map(|file| &file.policies)
        .filter_map(|n| numbers.get(*n).copied())
        .collect();
    let Ok(read) = sources::read(&grants.paths, &dialect, grants.names, &options) else {
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
                texts.get(*n).and_then(Option::as_deref)
            } else {
                policy.original.as_deref()
            };
            let there = now.get(&(Arc::clone(&policy.namespace), Arc::from(policy.name.as_str())));
            match (there, text) {
                (None, None) => false,
                (Some(there), Some(text)) => !says(there, text, &dialect),
                _ => true,
            }
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
