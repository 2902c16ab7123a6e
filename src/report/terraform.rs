//! `terraform/`: the proposed policies and assignments as resources of the `vault` provider.
//!
//! The text is laid out as `terraform fmt` lays it out.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::escape::{comment, shell, terraform_name, terraform_string, terraform_text};
use super::hcl;
use super::holder::{Holder, Place};
use super::output::OutputFile;
use crate::advice::{Assignment, Change, Proposal, ProposedPolicy};

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

fn assignments(proposal: &Proposal) -> String {
    let mut out = String::new();
    let mut labels = BTreeSet::new();
    for assignment in &proposal.assignments {
        let Assignment {
            kind, name, namespace, ..
        } = assignment;
        let block = Block {
            out: &mut out,
            label: label(&mut labels, &format!("{namespace}{kind}_{name}")),
            policies: list(&assignment.after),
            assignment,
        };
        let in_namespace = |what: &str| format!("{}{}", comment(namespace), comment(what));
        let Some(holder) = Holder::of(assignment) else {
            block.by_hand(&format!(": {} {}", comment(kind), in_namespace(name)));
            continue;
        };
        match &holder.place {
            Place::Entity(id) => block.entity(id),
            Place::Group(id) => block.known_group(id),
            Place::NamedGroup(named) => block.named_group(named),
            Place::AppRole(mount) => block.app_role(mount, &holder.path),
            // The provider would write the list alone, and the server would forget the rest.
            Place::Other if holder.whole => {
                let at = in_namespace(&holder.path);
                block.by_hand(&format!(", in the resource that has its other fields: {at}"));
            }
            Place::Other => block.endpoint(&holder.path, holder.field),
        }
    }
    finished(out)
}

/// What hands policies to one holder.
struct Block<'a> {
    out: &'a mut String,
    assignment: &'a Assignment,
    /// What the block is called.
    label: String,
    /// All policies that the holder gets, as a list.
    policies: String,
}

impl Block<'_> {
    fn name(&self) -> String {
        comment(&self.assignment.name)
    }

    fn entity(self, id: &str) {
        let _ = writeln!(self.out, "# Entity {}", self.name());
        let rows = vec![
            ("entity_id", terraform_string(id)),
            ("exclusive", String::from("true")),
            ("policies", self.policies),
        ];
        let place = &self.assignment.namespace;
        resource(self.out, "vault_identity_entity_policies", &self.label, place, rows);
    }

    /// A group with this id, an expression.
    fn group(self, id: String) {
        let rows = vec![
            ("group_id", id),
            ("exclusive", String::from("true")),
            ("policies", self.policies),
        ];
        let place = &self.assignment.namespace;
        resource(self.out, "vault_identity_group_policies", &self.label, place, rows);
    }

    fn known_group(self, id: &str) {
        let _ = writeln!(self.out, "# Group {}", self.name());
        self.group(terraform_string(id));
    }

    /// A group whose id is asked for by its name.
    fn named_group(self, named: &str) {
        let mut rows = vec![("group_name", terraform_string(named))];
        if let Some(namespace) = namespace(&self.assignment.namespace) {
            rows.insert(0, ("namespace", namespace));
        }
        let (name, label) = (self.name(), &self.label);
        let _ = write!(
            self.out,
            "# Group {name}\ndata \"vault_identity_group\" \"{label}\" {{\n{}}}\n\n",
            attributes(&rows),
        );
        let id = format!("data.vault_identity_group.{label}.id");
        self.group(id);
    }

    fn app_role(self, mount: &str, path: &str) {
        let (label, place) = (&self.label, &self.assignment.namespace);
        import(self.out, place, "vault_approle_auth_backend_role", label, path);
        let name = path.rsplit('/').next().unwrap_or(&self.assignment.name);
        let mut rows = vec![
            ("backend", terraform_string(mount)),
            ("role_name", terraform_string(name)),
            ("token_policies", self.policies),
        ];
        if let Some(namespace) = namespace(place) {
            rows.insert(0, ("namespace", namespace));
        }
        let _ = write!(
            self.out,
            "resource \"vault_approle_auth_backend_role\" \"{label}\" {{\n{}\n  lifecycle {{\n    ignore_changes = [{}]\n  }}\n}}\n\n",
            attributes(&rows),
            APPROLE_LEFT_ALONE.join(", "),
        );
    }

    /// Something else that has a path and keeps what is not written.
    fn endpoint(self, path: &str, field: &str) {
        let rows = vec![
            ("path", terraform_string(path)),
            ("disable_delete", String::from("true")),
            ("ignore_absent_fields", String::from("true")),
            ("data_json", format!("jsonencode({{ {field} = {} }})", self.policies)),
        ];
        let place = &self.assignment.namespace;
        resource(self.out, "vault_generic_endpoint", &self.label, place, rows);
    }

    fn by_hand(self, what: &str) {
        let policies = comment(&self.assignment.after.join(", "));
        let _ = write!(self.out, "# By hand{what} gets {policies}\n\n");
    }
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
