//! Warnings: what the servers accept and what is nevertheless a trap. Each has an id and a page in `docs/rules/`.

mod engines;
mod mounts;
mod pairs;
mod paths;
mod single;
mod warning;

pub use pairs::CANNOT_WIN;
pub use warning::{Severity, Warning};

use super::model::Policy;
use super::profile::Profile;
use std::collections::BTreeSet;

/// What is known besides the policies themselves.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The mounts. Others are told by their names and by the paths in the policies.
    pub mounts: Vec<Mounted>,
    /// The server that the policies are for.
    pub profile: Profile,
    /// Policies that somebody holds together: pairs of their places among those looked at, the lesser first; none where it
    /// is not known who holds what.
    pub held_together: Option<BTreeSet<(usize, usize)>>,
}

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// Its path, namespace in front, with its last slash: `team/kv/`, `auth/approle/`.
    pub path: String,
    /// Its type.
    pub kind: String,
    /// The version, where it is of the type `kv`.
    pub kv_version: Option<u8>,
}

/// Every warning's id, in the order of the documentation.
pub const IDS: [&str; 20] = [
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
    paths::NEVER_MATCHES,
    paths::GRANTS_NOTHING,
    paths::NOT_KNOWN,
    engines::NEVER_ASKED,
    engines::KV2_PARAMETERS,
    engines::PARAMETERS_WITHOUT_EFFECT,
];

/// The warnings for these policies: about each alone, and about those that one token may hold together. Sorted by place.
#[must_use]
pub fn policies(policies: &[Policy], context: &Context) -> Vec<Warning> {
    let mut warnings = Vec::new();
    single::check(policies, context, &mut warnings);
    pairs::check(policies, context, &mut warnings);
    paths::check(policies, context, &mut warnings);
    engines::check(policies, &mounts::Mounts::new(policies, context), &mut warnings);
    warnings.sort_by(|a, b| (&a.origin, a.id).cmp(&(&b.origin, b.id)));
    warnings
}
