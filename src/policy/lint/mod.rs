//! Warnings: what the servers accept and what is nevertheless a trap. Each has an id and a page in `docs/rules/`.

mod pairs;
mod single;
mod warning;

pub use warning::{Severity, Warning};

use super::model::Policy;

/// What is known besides the policies themselves.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Mounts that are KV version 2: namespace (`""` or `a/`), and path with its last slash (`team/kv/`). Others are told by the
    /// paths in the policies.
    pub kv2_mounts: Vec<(String, String)>,
}

/// Every warning's id, in the order of the documentation.
pub const IDS: [&str; 14] = [
    single::GLOB_IN_MIDDLE,
    single::PLUS_GLOB,
    single::PLUS_IN_SEGMENT,
    single::DUPLICATE_KEY,
    single::REPEATED_PATH,
    single::LEGACY_POLICY,
    single::SUDO_WITHOUT_EFFECT,
    single::KV2_WITHOUT_DATA,
    single::DENY_WITH_OTHERS,
    single::EMPTY_CAPABILITIES,
    single::UNKNOWN_TEMPLATE,
    pairs::CANNOT_WIN,
    pairs::TAKES_AWAY,
    pairs::DENY_DEFEATED,
];

/// The warnings for these policies: about each alone, and about those that one token may hold together. Sorted by place.
#[must_use]
pub fn policies(policies: &[Policy], context: &Context) -> Vec<Warning> {
    let mut warnings = Vec::new();
    single::check(policies, context, &mut warnings);
    pairs::check(policies, &mut warnings);
    warnings.sort_by(|a, b| (&a.origin, a.id).cmp(&(&b.origin, b.id)));
    warnings
}
