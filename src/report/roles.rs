//! `roles/`: the redesigned set of policies, and who gets what.

use std::fmt::Write as _;

use serde::Serialize;

use super::digest;
use super::escape::{markdown, markdown_code, markdown_prose};
use super::hcl;
use super::json_proposal::Proof;
use super::layout::{self, Placed};
use super::output::OutputFile;
use crate::advice::{Assignment, Complexity, Optimality, Proposal, Run};

/// Version of `assignments.json`.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Assignments<'a> {
    version: u32,
    policies: Vec<Role<'a>>,
    assignments: &'a [Assignment],
    before: &'a Complexity,
    after: &'a Complexity,
    proof: Proof,
    optimality: &'a Optimality,
    migration: &'a [String],
}

#[derive(Serialize)]
struct Role<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    change: &'static str,
    holders: &'a [String],
    reasons: &'a [String],
}

/// The files of the folder.
///
/// # Errors
/// Never for a proposal as it is: the error is that of the JSON serializer.
pub fn render(run: &Run, redesign: &Proposal) -> Result<Vec<OutputFile>, serde_json::Error> {
    let placed = layout::place(run, redesign);
    let mut files: Vec<OutputFile> = placed
        .iter()
        .filter_map(|placed| {
            Some(OutputFile::text(
                format!("roles/{}", placed.file),
                hcl::file(placed.policy)?,
            ))
        })
        .collect();
    if layout::is_snapshot(run, redesign) {
        let (name, mark) = layout::SNAPSHOT_MARK;
        files.push(OutputFile::text(format!("roles/{name}"), mark));
    }
    let document = Assignments {
        version: VERSION,
        policies: placed
            .iter()
            .map(|placed| Role {
                namespace: &placed.policy.namespace,
                name: &placed.policy.name,
                file: hcl::file(placed.policy).map(|_| placed.file.as_str()),
                change: placed.policy.change.as_str(),
                holders: &placed.policy.holders,
                reasons: &placed.policy.reasons,
            })
            .collect(),
        assignments: &redesign.assignments,
        before: &redesign.before,
        after: &redesign.after,
        proof: (&redesign.proof).into(),
        optimality: &redesign.optimality,
        migration: &redesign.migration,
    };
    let mut json = serde_json::to_string_pretty(&document)?;
    json.push('\n');
    files.push(OutputFile::text("roles/assignments.json", json));
    files.push(OutputFile::text("roles/README.md", readme(redesign, &placed)));
    Ok(files)
}

fn readme(redesign: &Proposal, placed: &[Placed<'_>]) -> String {
    let mut out = format!(
        "# {}\n\n",
        markdown(if redesign.title.is_empty() {
            "The minimal set of policies"
        } else {
            &redesign.title
        })
    );
    let _ = writeln!(out, "Proof: {}\n", markdown(&digest::proof(&redesign.proof)));
    if let Some(words) = digest::optimality(&redesign.optimality) {
        let _ = writeln!(out, "{words}\n");
    }
    out.push_str("| | today | redesigned |\n|---|---:|---:|\n");
    let (before, after) = (&redesign.before, &redesign.after);
    for (what, today, then) in [
        ("policies", before.policies, after.policies),
        ("stanzas", before.stanzas, after.stanzas),
        ("assignments", before.assignments, after.assignments),
        ("granted and never used", before.exposure, after.exposure),
    ] {
        let _ = writeln!(out, "| {what} | {} | {} |", digest::number(today), digest::number(then));
    }
    out.push_str("\n## Policies\n\n| policy | change | file | holders | stanzas |\n|---|---|---|---:|---:|\n");
    for placed in placed {
        let policy = placed.policy;
        let file = hcl::file(policy).map_or_else(|| String::from("–"), |_| markdown_code(&placed.file));
        let _ = writeln!(
            out,
            "| {} | {} | {file} | {} | {} |",
            markdown_code(&policy.label()),
            policy.change.as_str(),
            digest::number(digest::len(&policy.holders)),
            digest::number(digest::len(&policy.stanzas)),
        );
    }
    out.push_str("\n## Who gets what\n\n");
    if redesign.assignments.is_empty() {
        out.push_str("Nobody's policies change.\n");
    } else {
        out.push_str("| where | kind | mount | policies now | policies then |\n|---|---|---|---|---|\n");
        for one in &redesign.assignments {
            let list = |names: &[String]| {
                let names: Vec<String> = names.iter().map(|name| markdown_code(name)).collect();
                if names.is_empty() {
                    "(none)".to_owned()
                } else {
                    names.join(" ")
                }
            };
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} |",
                markdown_code(&format!("{}{}", one.namespace, one.name)),
                markdown(&one.kind),
                markdown_code(&one.mount),
                list(&one.before),
                list(&one.after),
            );
        }
    }
    if !redesign.migration.is_empty() {
        out.push_str("\n## In this order\n\n");
        for (index, step) in redesign.migration.iter().enumerate() {
            let _ = writeln!(out, "{}. {}", index + 1, markdown_prose(step));
        }
    }
    out
}
