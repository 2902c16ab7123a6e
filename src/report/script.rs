//! `apply.sh` and `rollback/`: a proposal brought to a server, and taken back.
//!
//! The script's working parts are a template; here are the steps. With assignments the way has two halves: first what only
//! adds (new policies beside the old), then, when no token needs the old ones any more, what takes away.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::escape::{comment, shell};
use super::hcl;
use super::holder::Holder;
use super::layout::Placed;
use super::output::OutputFile;
use crate::advice::{Assignment, Change, Proposal};

const TEMPLATE: &str = include_str!("templates/apply.sh");
const RESTORE: &str = "#!/usr/bin/env bash\n# Takes back what apply.sh did. Prints the steps; does them with --yes.\nset -euo pipefail\nexec bash \"$(cd \"$(dirname \"${BASH_SOURCE[0]}\")/..\" && pwd)/apply.sh\" --rollback \"$@\"\n";

/// What is kept of a policy for the way back.
#[derive(Debug, Serialize)]
struct Kept<'a> {
    order: usize,
    name: &'a str,
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256_proposed: Option<String>,
}

/// `apply.sh` and the folder `rollback/` of a proposal, below `folder` (empty, or with its final `/`). `texts` is where the
/// proposed policies lie, seen from the script (empty, or with its final `/`).
///
/// # Errors
/// Never for a proposal as it is: the error is that of the JSON serializer.
pub fn render(
    proposal: &Proposal,
    placed: &[Placed<'_>],
    folder: &str,
    texts: &str,
) -> Result<Vec<OutputFile>, serde_json::Error> {
    let changed: Vec<Step<'_>> = placed.iter().filter_map(Step::of).collect();
    let mut files = Vec::new();
    for step in &changed {
        if let Some(original) = step.original() {
            files.push(OutputFile::text(
                format!("{folder}rollback/policies/{}", step.placed.file),
                original,
            ));
        }
    }
    let back: Vec<Kept<'_>> = in_order(&changed)
        .into_iter()
        .rev()
        .enumerate()
        .map(|(at, step)| step.kept(at + 1))
        .collect();
    let mut order = serde_json::to_string_pretty(&serde_json::json!({
        "about": "policies in the order in which rollback/restore.sh restores them; sha256 is of the file in rollback/policies",
        "policies": back,
        "assignments": proposal.assignments.iter().rev().map(super::json_proposal::Assignment::from).collect::<Vec<_>>(),
    }))?;
    order.push('\n');
    files.push(OutputFile::text(format!("{folder}rollback/order.json"), order));
    files.push(OutputFile {
        executable: true,
        ..OutputFile::text(format!("{folder}rollback/restore.sh"), RESTORE)
    });
    files.push(OutputFile {
        executable: true,
        ..OutputFile::text(format!("{folder}apply.sh"), script(proposal, &changed, texts))
    });
    Ok(files)
}

/// One policy that changes.
struct Step<'a> {
    placed: &'a Placed<'a>,
    proposed: Option<String>,
}

impl<'a> Step<'a> {
    fn of(placed: &'a Placed<'a>) -> Option<Self> {
        (placed.policy.change != Change::Keep).then(|| Self {
            placed,
            proposed: hcl::file(placed.policy),
        })
    }

    fn original(&self) -> Option<&str> {
        self.placed
            .policy
            .original
            .as_deref()
            .filter(|_| self.placed.policy.change != Change::Add)
    }

    fn kept(&self, order: usize) -> Kept<'a> {
        Kept {
            order,
            name: &self.placed.policy.name,
            change: self.placed.policy.change.as_str(),
            file: self.original().map(|_| format!("policies/{}", self.placed.file)),
            sha256: self.original().map(|text| sha256(text.as_bytes())),
            sha256_proposed: self.proposed.as_deref().map(|text| sha256(text.as_bytes())),
        }
    }

    /// A line of the script: what to do, with the policy, its file and its hashes before and after.
    fn line(&self, verb: &str) -> String {
        let policy = self.placed.policy;
        let tame = is_tame(&policy.name);
        if !tame || (policy.change != Change::Add && policy.original.is_none()) {
            let why = if tame {
                "its text was not read"
            } else {
                "its name is unusual"
            };
            return format!(
                "  byhand {}\n",
                shell(&format!("{verb} policy {} ({why})", comment(&policy.name)))
            );
        }
        format!(
            "  {verb} {} {} {} {}\n",
            shell(&policy.name),
            shell(&self.placed.file),
            self.original().map_or_else(|| String::from("-"), trimmed_sha256),
            self.proposed
                .as_deref()
                .map_or_else(|| String::from("-"), trimmed_sha256),
        )
    }
}

/// Adding first, then changing, then taking away.
fn in_order<'s, 'a>(steps: &'s [Step<'a>]) -> Vec<&'s Step<'a>> {
    [Change::Add, Change::Edit, Change::Delete]
        .iter()
        .flat_map(|change| steps.iter().filter(move |step| step.placed.policy.change == *change))
        .collect()
}

fn script(proposal: &Proposal, steps: &[Step<'_>], texts: &str) -> String {
    let two_halves = !proposal.assignments.is_empty();
    let (mut apply, mut finish, mut back) = (String::new(), String::new(), String::new());
    for step in in_order(steps) {
        let (verb, half) = match step.placed.policy.change {
            Change::Add => ("add", &mut apply),
            Change::Edit => ("edit", if two_halves { &mut finish } else { &mut apply }),
            _ => ("delete", if two_halves { &mut finish } else { &mut apply }),
        };
        half.push_str(&step.line(verb));
    }
    // Between adding and taking away each holder has its old and its new policies.
    let mut narrow = String::new();
    for assignment in &proposal.assignments {
        apply.push_str(&assign(assignment, &assignment.before, &both(assignment)));
        narrow.push_str(&assign(assignment, &both(assignment), &assignment.after));
    }
    finish.insert_str(0, &narrow);
    for step in in_order(steps).into_iter().rev() {
        let verb = match step.placed.policy.change {
            Change::Add => continue,
            Change::Edit => "unedit",
            _ => "undelete",
        };
        back.push_str(&step.line(verb));
    }
    for assignment in proposal.assignments.iter().rev() {
        back.push_str(&unassign(assignment));
    }
    for step in in_order(steps)
        .into_iter()
        .rev()
        .filter(|step| step.placed.policy.change == Change::Add)
    {
        back.push_str(&step.line("unadd"));
    }
    // The steps go in last: nothing in them is taken for a mark of the template.
    let mut out = String::new();
    for line in TEMPLATE.split_inclusive('\n') {
        match line.trim_end() {
            "@APPLY@}" => out.push_str(&format!("{apply}}}\n")),
            "@FINISH@}" => out.push_str(&format!("{finish}}}\n")),
            "@ROLLBACK@}" => out.push_str(&format!("{back}}}\n")),
            _ => out.push_str(&line.replace("@FOLDER@", texts)),
        }
    }
    out
}

fn both(assignment: &Assignment) -> Vec<String> {
    assignment.before.iter().chain(&assignment.after).cloned().collect()
}

fn assign(assignment: &Assignment, now: &[String], then: &[String]) -> String {
    match tame_holder(assignment) {
        Some(holder) if list(now) == list(then) => {
            format!("  # {}: nothing changes in this half\n", comment(&holder.path))
        }
        Some(holder) => format!(
            "  assign {} {} {} {}\n",
            shell(&holder.path),
            holder.field,
            shell(&list(now)),
            shell(&list(then))
        ),
        None => by_hand(assignment, then),
    }
}

fn unassign(assignment: &Assignment) -> String {
    match tame_holder(assignment) {
        Some(holder) => format!(
            "  back {} {} {} {} {}\n",
            shell(&holder.path),
            holder.field,
            shell(&list(&assignment.before)),
            shell(&list(&both(assignment))),
            shell(&list(&assignment.after)),
        ),
        None => by_hand(assignment, &assignment.before),
    }
}

fn by_hand(assignment: &Assignment, policies: &[String]) -> String {
    let words = format!(
        "{} {} gets {}",
        comment(&assignment.kind),
        comment(&assignment.name),
        comment(&list(policies))
    );
    format!("  byhand {}\n", shell(&words))
}

fn tame_holder(assignment: &Assignment) -> Option<Holder> {
    let names = assignment.before.iter().chain(&assignment.after);
    Holder::of(assignment).filter(|holder| is_tame(&holder.path) && names.into_iter().all(|name| is_tame(name)))
}

/// Sorted, each once, with commas: as the script's own `sorted` has it. `default` comes with every token by itself, so
/// that whether a holder lists it says nothing.
fn list(names: &[String]) -> String {
    let mut names: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| *name != "default")
        .collect();
    names.sort_unstable();
    names.dedup();
    names.join(",")
}

/// Whether a name means itself in the path of a request and on a command line. Others are left to a person.
fn is_tame(name: &str) -> bool {
    !name.is_empty()
        && !name.contains("..")
        && !name.contains("//")
        && !name.starts_with(['-', '/'])
        && !name.ends_with('/')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/' | b'@' | b':' | b'+'))
}

fn sha256(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// The hash without the white space around the text, as the script's own `digest` has it.
fn trimmed_sha256(text: &str) -> String {
    sha256(text.trim_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tame_names_are_scripted() {
        for name in ["team-web", "a/b", "svc@x.y", "a:b+c"] {
            assert!(is_tame(name), "{name}");
        }
        for name in [
            "", "-x", "a b", "a;b", "a/../b", "/a", "a/", "a?b", "a%2f", "ü", "a\nb", "$(x)",
        ] {
            assert!(!is_tame(name), "{name}");
        }
    }

    #[test]
    fn white_space_around_a_policy_does_not_count() {
        assert_eq!(trimmed_sha256("\n a b \r\n"), sha256(b"a b"));
    }
}
