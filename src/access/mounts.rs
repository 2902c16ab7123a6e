//! Where mounts are, as far as it is known: a glob never opens more than one.

use super::joined::Joined;
use crate::deployment::{Deployment, Mount};
use crate::policy::explain::KvMount;
use std::collections::BTreeSet;

/// A mount with its path, namespace in front.
pub struct Mounted<'d> {
    /// Namespace and path, with its last slash.
    pub path: String,
    mount: &'d Mount,
}

impl<'d> Mounted<'d> {
    /// The mount of a deployment that a path lies on.
    #[must_use]
    pub fn around(path: &str, deployment: Option<&'d Deployment>) -> Option<Self> {
        let around = all(deployment).filter(|mounted| path.starts_with(&mounted.path));
        around.max_by_key(|mounted| mounted.path.len())
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.mount.kind
    }

    /// It as a KV mount, where it is one.
    #[must_use]
    pub fn kv(&self) -> Option<KvMount<'_>> {
        let version = self.mount.kv_version?;
        Some(KvMount {
            path: &self.path,
            version,
        })
    }
}

/// Every mount that the deployment knows.
fn all(deployment: Option<&Deployment>) -> impl Iterator<Item = Mounted<'_>> {
    let mounts = deployment
        .into_iter()
        .flat_map(|d| d.mounts.iter().chain(&d.auth_mounts));
    mounts.map(|mount| Mounted {
        path: format!("{}{}", mount.namespace, mount.path),
        mount,
    })
}

/// Mount paths, namespace in front, as the deployment or the logs show them.
#[must_use]
pub fn mounts(joined: &Joined, deployment: Option<&Deployment>) -> Vec<String> {
    let mut mounts: BTreeSet<String> = all(deployment).map(|mounted| mounted.path).collect();
    if mounts.is_empty() {
        for d in &joined.demands {
            let depth = if d.demand.path.starts_with("auth/") { 2 } else { 1 };
            let mut ends = d.demand.path.match_indices('/').map(|(at, _)| at);
            if let Some(mount) = ends.nth(depth - 1).and_then(|at| d.demand.path.get(..=at)) {
                mounts.insert(format!("{}{mount}", d.demand.namespace));
            }
        }
    }
    mounts.into_iter().collect()
}
