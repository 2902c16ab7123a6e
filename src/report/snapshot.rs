//! What a snapshot found, in words.

use super::digest;
use crate::deployment::save::SnapshotReport;
use crate::deployment::snapshot::Missing;

/// How many of each kind were read.
#[must_use]
pub fn counted(report: &SnapshotReport) -> String {
    let counted: Vec<String> = [
        (report.policies, "policy", "policies"),
        (report.mounts, "mount", "mounts"),
        (report.auth_mounts, "auth mount", "auth mounts"),
        (report.roles, "role", "roles"),
        (report.entities, "entity", "entities"),
        (report.groups, "group", "groups"),
        (report.namespaces, "namespace", "namespaces"),
        (report.secrets, "secret name", "secret names"),
    ]
    .into_iter()
    .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
    .collect();
    counted.join(", ")
}

/// What could not be read, and why.
#[must_use]
pub fn missing(missing: &Missing) -> String {
    format!(
        "not read: {} on `{}{}` ({}, {})",
        missing.capability,
        missing.namespace,
        missing.path,
        missing.reason,
        digest::times(missing.count)
    )
}
