//! `terraform/`: the proposed policies and assignments as resources of the `vault` provider.
//!
//! The text is laid out as `terraform fmt` lays it out.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::escape::{comment, shell, terraform_name, terraform_string, terraform_text};
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
    finished(each_policy(proposal).map(|(_, text)| text).collect())
}

/// Every policy as a resource of its own; one that goes as a line that says so.
pub(super) fn each_policy(proposal: &Proposal) -> impl Iterator<Item = (&ProposedPolicy, String)> {
    let mut labels = BTreeSet::new();
    proposal.policies.iter().map(move |policy| {
        let mut out = String::new();
        let Some(text) = hcl::file(policy) else {
            let _ = write!(out, "# Deleted: {}\n\n", comment(&policy.label()));
            return (policy, out);
        };
        let label = label(&mut labels, &policy.label());
        if policy.change != Change::Add {
            import(&mut out, &policy.namespace, "vault_policy", &label, &policy.name);
        }
        reasons(&mut out, policy);
        let text = terraform_text(&text);
        let name = terraform_string(&policy.name);
        let mut rows = vec![("name", name), ("policy", text)];
        if let Some(namespace) = namespace(&policy.namespace) {
            rows.insert(0, ("namespace", namespace));
        }
        let _ = write!(
            out,
            "resource \"vault_policy\" \"{label}\" {{\n{}}}\n\n",
            attributes(&rows)
        );
        (policy, out)
    })
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

/// The namespace as the provider wants it: from its own namespace on, which is the root namespace, without the final slash.
fn namespace(path: &str) -> Option<String> {
    let path = path.trim_end_matches('/');
    (!path.is_empty()).then(|| terraform_string(path))
}

/// The attributes of a block, lined up as `terraform fmt` does it: what spans several lines is not lined up with its neighbours
/// when it is a call.
fn attributes(rows: &[(&str, String)]) -> String {
    let alone = |value: &str| value.starts_with("chomp(");
    let lined = rows.iter().filter(|(_, value)| !alone(value));
    let width = lined.map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut out = String::new();
    for (name, value) in rows {
        let width = if alone(value) { name.len() } else { width };
        let _ = writeln!(out, "  {name:width$} = {value}");
    }
    out
}

/// A resource, in its namespace.
fn resource(out: &mut String, kind: &str, label: &str, path: &str, mut rows: Vec<(&str, String)>) {
    if let Some(namespace) = namespace(path) {
        rows.insert(0, ("namespace", namespace));
    }
    let _ = write!(out, "resource \"{kind}\" \"{label}\" {{\n{}}}\n\n", attributes(&rows));
}

/// The policies of the group with this id, an expression.
fn group(out: &mut String, label: &str, path: &str, id: String, policies: String) {
    let rows = vec![
        ("group_id", id),
        ("exclusive", String::from("true")),
        ("policies", policies),
    ];
    resource(out, "vault_identity_group_policies", label, path, rows);
}

fn assignments(proposal: &Proposal) -> String {
    let mut out = String::new();
    let mut labels = BTreeSet::new();
    for assignment in &proposal.assignments {
        let name = &assignment.name;
        let place = &assignment.namespace;
        let policies = list(&assignment.after);
        let label = label(&mut labels, &format!("{place}{}_{name}", assignment.kind));
        match Holder::of(assignment) {
            Some(Holder {
                place: Place::Entity(id),
                ..
            }) => {
                let _ = writeln!(out, "# Entity {}", comment(name));
                let rows = vec![
                    ("entity_id", terraform_string(&id)),
                    ("exclusive", String::from("true")),
                    ("policies", policies),
                ];
                resource(&mut out, "vault_identity_entity_policies", &label, place, rows);
            }
            Some(Holder {
                place: Place::Group(id),
                ..
            }) => {
                let _ = writeln!(out, "# Group {}", comment(name));
                group(&mut out, &label, place, terraform_string(&id), policies);
            }
            Some(Holder {
                place: Place::NamedGroup(named),
                ..
            }) => {
                let mut rows = vec![("group_name", terraform_string(&named))];
                if let Some(namespace) = namespace(place) {
                    rows.insert(0, ("namespace", namespace));
                }
                let _ = write!(
                    out,
                    "# Group {}\ndata \"vault_identity_group\" \"{label}\" {{\n{}}}\n\n",
                    comment(name),
                    attributes(&rows),
                );
                let id = format!("data.vault_identity_group.{label}.id");
                group(&mut out, &label, place, id, policies);
            }
            Some(Holder {
                place: Place::AppRole(mount),
                path,
                ..
            }) => {
                import(&mut out, place, "vault_approle_auth_backend_role", &label, &path);
                let mut rows = vec![
                    ("backend", terraform_string(&mount)),
                    ("role_name", terraform_string(path.rsplit('/').next().unwrap_or(name))),
                    ("token_policies", policies),
                ];
                if let Some(namespace) = namespace(place) {
                    rows.insert(0, ("namespace", namespace));
                }
                let _ = write!(
                    out,
                    "resource \"vault_approle_auth_backend_role\" \"{label}\" {{\n{}\n  lifecycle {{\n    ignore_changes = [{}]\n  }}\n}}\n\n",
                    attributes(&rows),
                    APPROLE_LEFT_ALONE.join(", "),
                );
            }
            // The provider would write the list alone, and the server would forget the rest.
            Some(Holder { path, whole: true, .. }) => {
                let _ = write!(
                    out,
                    "# By hand, in the resource that has its other fields: {}{} gets {}\n\n",
                    comment(place),
                    comment(&path),
                    comment(&assignment.after.join(", ")),
                );
            }
            Some(Holder {
                path,
                field,
                place: Place::Other,
                ..
            }) => {
                let rows = vec![
                    ("path", terraform_string(&path)),
                    ("disable_delete", String::from("true")),
                    ("ignore_absent_fields", String::from("true")),
                    ("data_json", format!("jsonencode({{ {field} = {policies} }})")),
                ];
                resource(&mut out, "vault_generic_endpoint", &label, place, rows);
            }
            None => {
                let _ = write!(
                    out,
                    "# By hand: {} {}{} gets {}\n\n",
                    comment(&assignment.kind),
                    comment(place),
                    comment(name),
                    comment(&assignment.after.join(", ")),
                );
            }
        }
    }
    finished(out)
}

/// The provider imports into one namespace at a time, which its environment names: an `import` block of a namespace would
/// read the resource of that name in the root namespace.
fn import(out: &mut String, path: &str, kind: &str, label: &str, id: &str) {
    let place = path.trim_end_matches('/');
    let _ = if place.is_empty() {
        write!(
            out,
            "import {{\n  to = {kind}.{label}\n  id = {}\n}}\n\n",
            terraform_string(id)
        )
    } else {
        writeln!(
            out,
            "# Import: TERRAFORM_VAULT_NAMESPACE_IMPORT={} terraform import {kind}.{label} {}",
            comment(&shell(place)),
            comment(&shell(id)),
        )
    };
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
