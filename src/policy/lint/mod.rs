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
use crate::units;
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

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The warnings, sorted by place.
    pub warnings: Vec<Warning>,
    /// How many stanzas were not compared with all others: there are more than are compared.
    pub cut_short: usize,
}

impl Found {
    /// What was not looked at, where something was not.
    #[must_use]
    pub fn unseen(&self) -> Option<String> {
        (self.cut_short > 0).then(|| {
            format!(
                "there are more pairs of stanzas than are compared: {} not compared with all others, so what one takes from another there is not told",
                units::count(self.cut_short as u64, "stanza was", "stanzas were")
            )
        })
    }
}

/// The warnings for these policies. Sorted by place.
#[must_use]
pub fn policies(policies: &[Policy], context: &Context) -> Vec<Warning> {
    look(policies, context).warnings
}

/// What there is to say of these policies: about each alone, and about those that one token may hold together.
#[must_use]
pub fn look(policies: &[Policy], context: &Context) -> Found {
    let mut warnings = Vec::new();
    single::check(policies, context, &mut warnings);
    let cut_short = pairs::check(policies, context, &mut warnings);
    paths::check(policies, context, &mut warnings);
    engines::check(policies, &mounts::Mounts::new(policies, context), &mut warnings);
    warnings.sort_by(|a, b| (&a.origin, a.id).cmp(&(&b.origin, b.id)));
    Found { warnings, cut_short }
}
