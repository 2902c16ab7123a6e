//! `apply.sh` and `rollback/`: a proposal brought to a server, and taken back.
//!
//! The script's working parts are a template; here are the steps, each with what it finds and what it leaves, so that the
//! script can tell by itself where it stands. Texts on the way between two others lie in `between/`.

use std::fmt::Write as _;

use serde::Serialize;

use super::escape::{comment, shell};
use super::hcl;
use super::holder::Holder;
use super::layout::Placed;
use super::output::OutputFile;
use super::state::{State, sha256};
use super::{by_wave, plan};
use crate::advice::{Assignment, Change, Proposal, Step, Text, Wave};

const TEMPLATE: &str = include_str!("templates/apply.sh");
const RESTORE: &str = "#!/usr/bin/env bash\n# Takes back what apply.sh did. Prints the steps; does them with --yes.\nset -euo pipefail\nexec bash \"$(cd \"$(dirname \"${BASH_SOURCE[0]}\")/..\" && pwd)/apply.sh\" --rollback \"$@\"\n";

/// What is kept of a policy for the way back.
#[derive(Debug, Serialize)]
struct Kept<'a> {
    order: usize,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'a str,
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
/// proposed policies lie, seen from the script (empty, or with its final `/`); `base` is where diffs are applied.
///
/// # Errors
/// Never for a proposal as it is: the error is that of the JSON serializer.
pub fn render(
    proposal: &Proposal,
    placed: &[Placed<'_>],
    folder: &str,
    texts: &str,
    base: &str,
) -> Result<Vec<OutputFile>, serde_json::Error> {
    let waves = plan::waves(proposal);
    let way = Way::of(proposal, placed, &waves, texts);
    let mut files: Vec<OutputFile> = way
        .between
        .iter()
        .map(|(path, text)| OutputFile::text(format!("{folder}{path}"), text.clone()))
        .collect();
    for placed in placed.iter().filter(|placed| placed.policy.change != Change::Keep) {
        if let Some(original) = original(placed) {
            files.push(OutputFile::text(
                format!("{folder}rollback/policies/{}", placed.file),
                original,
            ));
        }
    }
    files.extend(by_wave::render(
        proposal,
        placed,
        &waves,
        &way.chains,
        folder,
        &way.plan(&waves),
        base,
    )?);
    let mut order = serde_json::to_string_pretty(&serde_json::json!({
        "about": "policies in the order in which rollback/restore.sh restores them; sha256 is of the file in rollback/policies",
        "policies": kept(placed, &waves),
        "assignments": proposal.assignments.iter().rev().collect::<Vec<_>>(),
    }))?;
    order.push('\n');
    files.push(OutputFile::text(format!("{folder}rollback/order.json"), order));
    files.push(OutputFile {
        executable: true,
        ..OutputFile::text(format!("{folder}rollback/restore.sh"), RESTORE)
    });
    let named = |namespace: &str| !namespace.is_empty();
    let absolute = placed.iter().any(|placed| named(&placed.policy.namespace))
        || proposal.assignments.iter().any(|one| named(&one.namespace));
    files.push(OutputFile {
        executable: true,
        ..OutputFile::text(format!("{folder}apply.sh"), way.script(&waves, absolute))
    });
    Ok(files)
}

/// The policies that change, the last to change first.
fn kept<'a>(placed: &'a [Placed<'a>], waves: &[Wave]) -> Vec<Kept<'a>> {
    let mut last_first: Vec<usize> = Vec::new();
    for step in waves.iter().flat_map(|wave| &wave.steps).rev() {
        if let Step::Policy { policy, .. } = step
            && !last_first.contains(policy)
        {
            last_first.push(*policy);
        }
    }
    last_first
        .iter()
        .filter_map(|&policy| placed.get(policy))
        .zip(1..)
        .map(|(placed, order)| Kept {
            order,
            namespace: &placed.policy.namespace,
            name: &placed.policy.name,
            change: placed.policy.change.as_str(),
            file: original(placed).map(|_| format!("policies/{}", placed.file)),
            sha256: original(placed).map(|text| sha256(text.as_bytes())),
            sha256_proposed: hcl::file(placed.policy).map(|text| sha256(text.as_bytes())),
        })
        .collect()
}

fn original<'a>(placed: &'a Placed<'_>) -> Option<&'a str> {
    let text = placed.policy.original.as_deref();
    text.filter(|_| placed.policy.change != Change::Add)
}

/// All steps as lines of the script.
struct Way {
    /// Of every policy the states on its way, the first one included.
    chains: Vec<Vec<State>>,
    /// Of every wave, the lines in order.
    lines: Vec<Vec<String>>,
    /// Texts on the way between two others: path and text.
    between: Vec<(String, String)>,
}

impl Way {
    fn of(proposal: &Proposal, placed: &[Placed<'_>], waves: &[Wave], texts: &str) -> Self {
        let mut between = Vec::new();
        let chains = chains(placed, waves, texts, &mut between);
        let lists = lists(proposal, waves);
        let mut done = vec![0_usize; placed.len()];
        let mut set = vec![0_usize; proposal.assignments.len()];
        let lines = waves
            .iter()
            .map(|wave| {
                let mut lines = Vec::new();
                for step in &wave.steps {
                    let line = match step {
                        Step::Policy { policy, free, .. } => next(&mut done, *policy)
                            .zip(placed.get(*policy).zip(chains.get(*policy)))
                            .map(|(at, (placed, chain))| policy_line(placed, chain, at, *free)),
                        Step::Holder { assignment, .. } => next(&mut set, *assignment)
                            .zip(proposal.assignments.get(*assignment).zip(lists.get(*assignment)))
                            .map(|(at, (assignment, chain))| {
                                lines.extend(warning(assignment, at));
                                list_line(assignment, chain, at)
                            }),
                    };
                    lines.extend(line);
                }
                lines
            })
            .collect();
        Self { chains, lines, between }
    }

    fn forward(&self, waves: &[Wave]) -> String {
        let mut forward = String::new();
        for (number, (wave, lines)) in (1..).zip(waves.iter().zip(&self.lines)) {
            heading(&mut forward, number, wave);
            forward.extend(lines.iter().map(String::as_str));
        }
        forward
    }

    /// What names the plan: what was done by another one says nothing of this one.
    fn plan(&self, waves: &[Wave]) -> String {
        let mut plan = sha256(self.forward(waves).as_bytes());
        plan.truncate(16);
        plan
    }

    fn script(&self, waves: &[Wave], absolute: bool) -> String {
        let forward = self.forward(waves);
        let mut backward = String::new();
        let numbered: Vec<_> = (1..).zip(waves.iter().zip(&self.lines)).collect();
        for (number, (wave, lines)) in numbered.into_iter().rev() {
            heading(&mut backward, number, wave);
            backward.extend(lines.iter().rev().map(String::as_str));
        }
        let first_half = waves.iter().take_while(|wave| !wave.second_half).count();
        let plan = self.plan(waves);
        let wher = if absolute {
            "The steps\n# name the namespace of each policy, from the root namespace on: VAULT_NAMESPACE does not count."
        } else {
            "All steps\n# are in the namespace of VAULT_NAMESPACE, or in the root namespace."
        };
        // The steps go in last: nothing in them is taken for a mark of the template.
        let mut out = String::new();
        for line in TEMPLATE.split_inclusive('\n') {
            match line.trim_end() {
                "@FORWARD@}" => out.push_str(&format!("{forward}}}\n")),
                "@BACKWARD@}" => out.push_str(&format!("{backward}}}\n")),
                _ => out.push_str(
                    &line
                        .replace("@WHERE@", wher)
                        .replace("@PLAN@", &plan)
                        .replace("@WAVES@", &waves.len().to_string())
                        .replace("@FIRST_HALF@", &first_half.to_string())
                        .replace("@ABSOLUTE@", if absolute { "yes" } else { "no" }),
                ),
            }
        }
        out
    }
}

fn heading(out: &mut String, number: usize, wave: &Wave) {
    let _ = writeln!(out, "  wave {number} {}", shell(&comment(&wave.title)));
}

/// How far a thing has come, and one further.
fn next(done: &mut [usize], index: usize) -> Option<usize> {
    let count = done.get_mut(index)?;
    let now = *count;
    *count += 1;
    Some(now)
}

/// Of every policy the states on its way, the first one included.
pub(super) fn chains_of(placed: &[Placed<'_>], waves: &[Wave]) -> Vec<Vec<State>> {
    chains(placed, waves, "", &mut Vec::new())
}

/// Of every policy the states on its way, the first one included; texts between two others are put beside.
fn chains(placed: &[Placed<'_>], waves: &[Wave], texts: &str, between: &mut Vec<(String, String)>) -> Vec<Vec<State>> {
    let mut chains: Vec<Vec<State>> = placed
        .iter()
        .map(|placed| {
            let file = match placed.policy.change {
                Change::Keep => format!("{texts}{}", placed.file),
                _ => format!("rollback/policies/{}", placed.file),
            };
            vec![original(placed).map_or_else(State::none, |text| State::of(text.to_owned(), file))]
        })
        .collect();
    for step in waves.iter().flat_map(|wave| &wave.steps) {
        let Step::Policy { policy, to, .. } = step else {
            continue;
        };
        let Some((placed, chain)) = placed.get(*policy).zip(chains.get_mut(*policy)) else {
            continue;
        };
        chain.push(match to {
            Text::Between(text) => {
                let file = format!("between/{}/{}", between.len() + 1, placed.file);
                between.push((file.clone(), text.to_string()));
                State::of(text.to_string(), file)
            }
            Text::Proposed => hcl::file(placed.policy)
                .map_or_else(State::none, |text| State::of(text, format!("{texts}{}", placed.file))),
        });
    }
    chains
}

/// Of every assignment the lists on its way, the first one included.
fn lists(proposal: &Proposal, waves: &[Wave]) -> Vec<Vec<String>> {
    let mut lists: Vec<Vec<String>> = proposal.assignments.iter().map(|one| vec![list(&one.before)]).collect();
    for step in waves.iter().flat_map(|wave| &wave.steps) {
        if let Step::Holder { assignment, to } = step
            && let Some(chain) = lists.get_mut(*assignment)
        {
            chain.push(list(to));
        }
    }
    lists
}

/// The states before the one that a step finds, and those behind the one it leaves.
fn around<T: AsRef<str>>(chain: &[T], at: usize) -> (String, String) {
    let words = |part: &[T]| part.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(" ");
    (
        words(chain.get(..at).unwrap_or_default()),
        words(chain.get(at + 2..).unwrap_or_default()),
    )
}

/// A policy from one state to the next.
fn policy_line(placed: &Placed<'_>, chain: &[State], at: usize, free: bool) -> String {
    let policy = placed.policy;
    let (Some(from), Some(to)) = (chain.get(at), chain.get(at + 1)) else {
        return String::new();
    };
    let unread = policy.change != Change::Add && policy.original.is_none();
    let tame = is_tame(&policy.name) && is_tame_namespace(&policy.namespace);
    if !tame || unread {
        let why = if tame {
            "its text was not read"
        } else {
            "its name is unusual"
        };
        let verb = policy.change.as_str();
        let words = format!("{verb} policy {} ({why})", comment(&policy.label()));
        return format!("  byhand {}\n", shell(&words));
    }
    let (earlier, later) = around(chain, at);
    format!(
        "  policy {} {} {} {} {} {} {} {} {} {}\n",
        namespace(&policy.namespace),
        shell(&policy.name),
        if free { "free" } else { "bound" },
        from.hash,
        shell(&from.file),
        to.hash,
        shell(&to.file),
        shell(&earlier),
        shell(&later),
        shell(&placed.file),
    )
}

/// A holder's list from one state to the next.
fn list_line(assignment: &Assignment, chain: &[String], at: usize) -> String {
    let (Some(from), Some(to)) = (chain.get(at), chain.get(at + 1)) else {
        return String::new();
    };
    let Some(holder) = tame_holder(assignment) else {
        let mut words = format!(
            "{} {}{}",
            comment(&assignment.kind),
            comment(&assignment.namespace),
            comment(&assignment.name)
        );
        for (what, value) in [("id", &assignment.id), ("mount", &assignment.mount)] {
            if !value.is_empty() && *value != assignment.name {
                let _ = write!(words, ", {what} {}", comment(value));
            }
        }
        let _ = write!(words, " gets {}", comment(to));
        return format!("  byhand {}\n", shell(&words));
    };
    if from == to {
        return format!("  # {}: nothing changes here\n", comment(&holder.path));
    }
    let (earlier, later) = around(chain, at);
    format!(
        "  list {} {} {} {} bound {} {} {} {}\n",
        namespace(&assignment.namespace),
        shell(&holder.path),
        holder.field,
        if holder.whole { "whole" } else { "field" },
        shell(from),
        shell(to),
        shell(&earlier),
        shell(&later),
    )
}

/// What one should know before the list of a holder changes.
fn warning(assignment: &Assignment, at: usize) -> Option<String> {
    let words = format!(
        "tokens that {} {} has now cannot be renewed once its policies change",
        comment(&assignment.kind),
        comment(&assignment.name)
    );
    (at == 0 && super::holder::ends_renewal(&assignment.kind)).then(|| format!("  note {}\n", shell(&words)))
}

/// The namespace as the command wants it: without its final slash.
fn namespace(path: &str) -> String {
    shell(path.trim_end_matches('/'))
}

fn tame_holder(assignment: &Assignment) -> Option<Holder> {
    let names = assignment.before.iter().chain(&assignment.after);
    Holder::of(assignment).filter(|holder| {
        is_tame(&holder.path) && is_tame_namespace(&assignment.namespace) && names.into_iter().all(|name| is_tame(name))
    })
}

/// Sorted, each once, with commas, `-` where there is none: as the script's own `sorted` has it. `default` comes with every
/// token by itself, so that whether a holder lists it says nothing.
fn list(names: &[String]) -> String {
    let mut names: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| *name != "default")
        .collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        String::from("-")
    } else {
        names.join(",")
    }
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

fn is_tame_namespace(path: &str) -> bool {
    path.is_empty() || is_tame(path.strip_suffix('/').unwrap_or(path))
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
        assert!(is_tame_namespace("") && is_tame_namespace("a/b/"));
        assert!(!is_tame_namespace("a b/") && !is_tame_namespace("/") && !is_tame_namespace("a//"));
    }
}
