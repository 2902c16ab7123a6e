//! `terraform/`: the proposed policies and assignments as resources of the `vault` provider.
//!
//! The text is laid out as `terraform fmt` lays it out.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::escape::{comment, terraform_name, terraform_string, terraform_text};
use super::hcl;
use super::holder::{Holder, Place};
use super::output::OutputFile;
use crate::advice::{Change, Proposal, ProposedPolicy};

const VERSIONS: &str = r#"terraform {
  required_version = ">= 1.5"

  required_providers {
    vault = {
      source  = "hashicorp/vault"
      version = ">= 4.0"
    }
  }
}
"#;

/// What an `AppRole` role has besides its policies: left as it is.
const APPROLE_LEFT_ALONE: [&str; 12] = [
    "bind_secret_id",
    "secret_id_bound_cidrs",
    "secret_id_num_uses",
    "secret_id_ttl",
    "token_bound_cidrs",
    "token_explicit_max_ttl",
    "token_max_ttl",
    "token_no_default_policy",
    "token_num_uses",
    "token_period",
    "token_ttl",
    "token_type",
];

/// The files of one proposal, below `folder` (with its final `/`).
#[must_use]
pub fn render(proposal: &Proposal, folder: &str) -> Vec<OutputFile> {
    let mut files = vec![
        OutputFile::text(format!("{folder}versions.tf"), VERSIONS),
        OutputFile::text(format!("{folder}policies.tf"), policies(proposal)),
    ];
    let assignments = assignments(proposal);
    if !assignments.is_empty() {
        files.push(OutputFile::text(format!("{folder}assignments.tf"), assignments));
    }
    files
}

fn policies(proposal: &Proposal) -> String {
    let mut out = String::new();
    let mut labels = BTreeSet::new();
    for policy in &proposal.policies {
        let Some(text) = hcl::file(policy) else {
            let _ = write!(out, "# Deleted: {}\n\n", comment(&policy.name));
            continue;
        };
        let label = label(&mut labels, &policy.name);
        if policy.change != Change::Add {
            import(&mut out, "vault_policy", &label, &policy.name);
        }
        reasons(&mut out, policy);
        let text = terraform_text(&text);
        // A call over several lines is not lined up with its neighbours.
        let space = if text.starts_with("chomp(") { "" } else { "  " };
        let _ = write!(
            out,
            "resource \"vault_policy\" \"{label}\" {{\n  name {space}= {}\n  policy = {text}\n}}\n\n",
            terraform_string(&policy.name),
        );
    }
    finished(out)
}

fn reasons(out: &mut String, policy: &ProposedPolicy) {
    // A new policy says them in its own text.
    if policy.change == Change::Add {
        return;
    }
    for reason in &policy.reasons {
        let _ = writeln!(out, "# {}", comment(reason));
    }
}

/// The policies of the group with this id, an expression.
fn group(out: &mut String, label: &str, id: &str, policies: &str) {
    let _ = write!(
        out,
        "resource \"vault_identity_group_policies\" \"{label}\" {{\n  group_id  = {id}\n  exclusive = true\n  policies  = {policies}\n}}\n\n",
    );
}

fn assignments(proposal: &Proposal) -> String {
    let mut out = String::new();
    let mut labels = BTreeSet::new();
    for assignment in &proposal.assignments {
        let name = &assignment.name;
        let policies = list(&assignment.after);
        let label = label(&mut labels, &format!("{}_{name}", assignment.kind));
        match Holder::of(assignment) {
            Some(Holder {
                place: Place::Entity(id),
                ..
            }) => {
                let _ = write!(
                    out,
                    "# Entity {}\nresource \"vault_identity_entity_policies\" \"{label}\" {{\n  entity_id = {}\n  exclusive = true\n  policies  = {policies}\n}}\n\n",
                    comment(name),
                    terraform_string(&id),
                );
            }
            Some(Holder {
                place: Place::Group(id),
                ..
            }) => {
                let _ = writeln!(out, "# Group {}", comment(name));
                group(&mut out, &label, &terraform_string(&id), &policies);
            }
            Some(Holder {
                place: Place::NamedGroup(named),
                ..
            }) => {
                let _ = write!(
                    out,
                    "# Group {}\ndata \"vault_identity_group\" \"{label}\" {{\n  group_name = {}\n}}\n\n",
                    comment(name),
                    terraform_string(&named),
                );
                group(
                    &mut out,
                    &label,
                    &format!("data.vault_identity_group.{label}.id"),
                    &policies,
                );
            }
            Some(Holder {
                place: Place::AppRole(mount),
                path,
                ..
            }) => {
                import(&mut out, "vault_approle_auth_backend_role", &label, &path);
                let _ = write!(
                    out,
                    "resource \"vault_approle_auth_backend_role\" \"{label}\" {{\n  backend        = {}\n  role_name      = {}\n  token_policies = {policies}\n\n  lifecycle {{\n    ignore_changes = [{}]\n  }}\n}}\n\n",
                    terraform_string(&mount),
                    terraform_string(path.rsplit('/').next().unwrap_or(name)),
                    APPROLE_LEFT_ALONE.join(", "),
                );
            }
            Some(Holder {
                path,
                field,
                place: Place::Other,
            }) => {
                let _ = write!(
                    out,
                    "resource \"vault_generic_endpoint\" \"{label}\" {{\n  path                 = {}\n  disable_delete       = true\n  ignore_absent_fields = true\n  data_json            = jsonencode({{ {field} = {policies} }})\n}}\n\n",
                    terraform_string(&path),
                );
            }
            None => {
                let _ = write!(
                    out,
                    "# By hand: {} {} gets {}\n\n",
                    comment(&assignment.kind),
                    comment(name),
                    comment(&assignment.after.join(", ")),
                );
            }
        }
    }
    finished(out)
}

fn import(out: &mut String, kind: &str, label: &str, id: &str) {
    let _ = write!(
        out,
        "import {{\n  to = {kind}.{label}\n  id = {}\n}}\n\n",
        terraform_string(id)
    );
}

fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| terraform_string(name)).collect();
    format!("[{}]", quoted.join(", "))
}

fn label(taken: &mut BTreeSet<String>, name: &str) -> String {
    let stem = terraform_name(name);
    let mut label = stem.clone();
    let mut number = 1_u32;
    while !taken.insert(label.clone()) {
        number += 1;
        label = format!("{stem}_{number}");
    }
    label
}

/// One final line end.
fn finished(mut text: String) -> String {
    let end = text.trim_end_matches('\n').len();
    text.truncate(end);
    if !text.is_empty() {
        text.push('\n');
    }
    text
}
