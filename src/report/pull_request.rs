//! `pull-request/`: the changes of the files that were read as a branch that somebody can push as it is: one commit a wave
//! and owner, with the name of the branch, title and body of the request.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::diff;
use super::digest;
use super::escape::{self, markdown, markdown_code, markdown_prose, shell};
use super::layout::{self, Placed};
use super::output::OutputFile;
use super::plan;
use super::script;
use super::state::State;
use crate::advice::{Advice, Change, Proposal, Wave};

/// GitHub takes 65,536 characters, GitLab more.
const MOST_CHARS: usize = 60_000;
/// What fits a line of `git log`.
const SUBJECT_CHARS: usize = 72;
const FOLDER: &str = "pull-request/";

/// One commit.
struct Commit<'a> {
    wave: usize,
    title: &'a str,
    promised: Option<f64>,
    second_half: bool,
    owner: &'a str,
    /// Policies that it changes, by their labels.
    policies: Vec<String>,
    diff: String,
}

impl Commit<'_> {
    fn name(&self, number: usize) -> String {
        let owner = match self.owner {
            "" => String::new(),
            owner => format!("-{}", escape::file_name(owner.trim_start_matches('@'))),
        };
        let name: String = format!("{number:02}-wave-{}{owner}", self.wave)
            .chars()
            .take(80)
            .collect();
        name
    }

    fn message(&self) -> String {
        let subject = format!("vault policies: wave {}, {}", self.wave, plain(self.title));
        let mut out: String = subject.chars().take(SUBJECT_CHARS).collect();
        out.push('\n');
        if !self.owner.is_empty() {
            let _ = write!(out, "\nOwner: {}\n", plain(self.owner));
        }
        out.push('\n');
        for policy in &self.policies {
            let _ = writeln!(out, "- {}", plain(policy));
        }
        out
    }
}

/// Text in a message of a commit: forges act on `#12` and `@name` there, whoever wrote them.
fn plain(text: &str) -> String {
    escape::visible(text).replace('#', "%23").replace('@', "%40")
}

/// The files; none where no file changes.
pub(super) fn render(advice: &Advice, proposal: &Proposal, placed: &[Placed<'_>]) -> Vec<OutputFile> {
    let waves = plan::waves(proposal);
    let base = layout::diff_base(&advice.run, proposal);
    let chains = script::chains_of(placed, &waves);
    let commits = drawn(proposal, placed, &waves, &chains, &base);
    if commits.is_empty() {
        return Vec::new();
    }
    let mut hash = Sha256::new();
    for commit in &commits {
        hash.update(commit.diff.as_bytes());
    }
    let hash: String = hash
        .finalize()
        .iter()
        .take(5)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let branch = format!("vault-advisor/tighten-{hash}");
    let title = title(proposal);
    let file = |name: &str, text: String| OutputFile::text(format!("{FOLDER}{name}"), text);
    let mut files = vec![
        file("branch", format!("{branch}\n")),
        file("title", format!("{title}\n")),
        file("body.md", body(advice, proposal, &commits)),
        OutputFile {
            executable: true,
            ..file("make-branch.sh", make(&branch, &title, &base, &commits))
        },
    ];
    for (number, commit) in (1..).zip(&commits) {
        let name = commit.name(number);
        files.push(file(&format!("commits/{name}.diff"), commit.diff.clone()));
        files.push(file(&format!("commits/{name}.txt"), commit.message()));
    }
    files
}

/// What each commit changes, in order.
fn drawn<'a>(
    proposal: &'a Proposal,
    placed: &'a [Placed<'_>],
    waves: &'a [Wave],
    chains: &[Vec<State>],
    base: &str,
) -> Vec<Commit<'a>> {
    let mut at = vec![0_usize; placed.len()];
    let mut all = Vec::new();
    for commit in &proposal.commits {
        let before = at.clone();
        for (policy, _) in &commit.changes {
            if let Some(at) = at.get_mut(*policy) {
                *at += 1;
            }
        }
        let (mut policies, mut diff) = (Vec::new(), String::new());
        for (placed, (chain, (&before, &after))) in placed.iter().zip(chains.iter().zip(before.iter().zip(&at))) {
            let (Some(old), Some(new)) = (chain.get(before), chain.get(after)) else {
                continue;
            };
            if !placed.policy.is_its_file() {
                continue;
            }
            if let Some(text) = diff::between(placed, old.text.as_deref(), new.text.as_deref()) {
                policies.push(placed.policy.label());
                diff.push_str(&text);
            }
        }
        for change in &commit.files {
            policies.extend(change.policies.iter().cloned());
            diff.push_str(&diff::body_of_file(change, base));
        }
        let wave = waves.get(commit.wave).filter(|_| !diff.is_empty());
        all.extend(wave.map(|wave| Commit {
            wave: commit.wave + 1,
            title: &wave.title,
            promised: wave.promised,
            second_half: wave.second_half,
            owner: &commit.owner,
            policies,
            diff,
        }));
    }
    all
}

fn title(proposal: &Proposal) -> String {
    let number = |change: Change| digest::changes(proposal, change);
    let (edited, gone, new) = (number(Change::Edit), number(Change::Delete), number(Change::Add));
    let mut parts = Vec::new();
    for (count, what) in [(edited, "tighten"), (gone, "remove"), (new, "add")] {
        if count > 0 {
            parts.push(format!("{what} {}", digest::number(count)));
        }
    }
    format!("Vault policies: {}", parts.join(", "))
}

/// The body, shorter than forges take: what does not fit is counted.
fn body(advice: &Advice, proposal: &Proposal, commits: &[Commit<'_>]) -> String {
    let mut out = format!(
        "{} {}\n\nProof: {}\n\n",
        markdown(&digest::headline(advice)),
        markdown(&digest::promise(advice)),
        markdown(&digest::proof(&proposal.proof))
    );
    out.push_str("Each commit is of one wave and one owner; each can be merged and applied by itself when those before it are in force. ");
    let by_hand = proposal
        .policies
        .iter()
        .filter(|policy| policy.by_hand && policy.change != Change::Keep);
    let by_hand: Vec<String> = by_hand.map(|policy| markdown_code(&policy.label())).collect();
    if !by_hand.is_empty() {
        let _ = write!(
            out,
            "What is proposed for {} stays out of it, and none of these commits needs it: `summary.md` says why. ",
            by_hand.join(", ")
        );
    }
    out.push_str("`report.html` and `summary.md` of the run say more.\n\n");
    out.push_str("| commit | wave | owner | policies | wrong denials expected |\n|---:|---|---|---:|---:|\n");
    let mut lines: Vec<String> = (1..)
        .zip(commits)
        .map(|(number, commit)| {
            let wait = if commit.second_half {
                " (once no token needs the old policies any more)"
            } else {
                ""
            };
            format!(
                "| {number} | {}: {}{wait} | {} | {} | {} |\n",
                commit.wave,
                markdown(commit.title),
                markdown_code(commit.owner),
                digest::number(digest::len(&commit.policies)),
                commit.promised.map_or_else(|| String::from("–"), digest::decimal),
            )
        })
        .collect();
    lines.push(String::from("\n## Changes\n\n"));
    for policy in proposal.policies.iter().filter(|policy| policy.change != Change::Keep) {
        let reasons: Vec<String> = policy.reasons.iter().map(|reason| markdown_prose(reason)).collect();
        let held = digest::count(digest::len(&policy.holders), "holder", "holders");
        lines.push(format!(
            "- **{}** {} ({held}){}{}\n",
            policy.change.as_str(),
            markdown_code(&policy.label()),
            if reasons.is_empty() { "" } else { ": " },
            reasons.join("; ")
        ));
    }
    let (mut chars, mut left) = (out.chars().count(), 0_u64);
    for line in lines {
        let more = line.chars().count();
        if left > 0 || chars + more > MOST_CHARS {
            left += 1;
        } else {
            chars += more;
            out.push_str(&line);
        }
    }
    if left > 0 {
        let _ = write!(
            out,
            "\nand {} that do not fit here.\n",
            digest::count(left, "line", "lines")
        );
    }
    out.push_str(
        "\n## Back\n\nRevert the commit of the wave, or run `rollback/restore.sh` of the run on the server.\n",
    );
    out
}

/// The script that makes the branch.
fn make(branch: &str, title: &str, base: &str, commits: &[Commit<'_>]) -> String {
    let mut out = String::from(
        "#!/bin/sh\n# Makes a branch of these changes: one commit a wave and owner. Pushes nothing.\n# Run it in the folder where vault-advisor ran, or name that folder.\nset -eu\nhere=$(CDPATH='' cd -- \"$(dirname -- \"$0\")\" && pwd)\n",
    );
    let base = shell(base);
    let _ = writeln!(out, "cd -- \"${{1:-.}}\"\ncd -- {base}");
    let _ = writeln!(out, "git switch --quiet --create {}", shell(branch));
    out.push_str("commit() {\n  git apply --index -- \"$here/commits/$1.diff\"\n  git commit --quiet --cleanup=verbatim --file=\"$here/commits/$1.txt\"\n}\n");
    for (number, commit) in (1..).zip(commits) {
        let _ = writeln!(out, "commit {}", shell(&commit.name(number)));
    }
    let _ = writeln!(
        out,
        "cat <<'END'\nThe branch is made. To ask for the changes:\n  git push --set-upstream origin {branch}\nthen one of:\n  gh pr create --title \"$(cat title)\" --body-file body.md\n  glab mr create --title \"$(cat title)\" --description \"$(cat body.md)\"\n  or open it by hand as: {title}\nwith title and body.md from:\nEND\nprintf '%s\\n' \"$here\""
    );
    out
}
