//! The rules: one file each, with its id, severity, test and a page in `docs/rules/`.

mod unused_capability;
mod unused_policy;
mod unused_stanza;

use super::rule::Rule;

/// Every rule, in the order of the documentation.
#[must_use]
pub fn all() -> Vec<&'static dyn Rule> {
    vec![
        &unused_policy::UnusedPolicy,
        &unused_stanza::UnusedStanza,
        &unused_capability::UnusedCapability,
    ]
}
