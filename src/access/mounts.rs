//! Where mounts are, as far as it is known: a glob never opens more than one.

use super::joined::Joined;
use crate::deployment::Deployment;
use std::collections::BTreeSet;

/// Mount paths, namespace in front, as the deployment or the logs show them.
#[must_use]
pub fn mounts(joined: &Joined, deployment: Option<&Deployment>) -> Vec<String> {
    let mut mounts: BTreeSet<String> = deployment
        .into_iter()
        .flat_map(|d| d.mounts.iter().chain(&d.auth_mounts))
        .map(|m| format!("{}{}", m.namespace, m.path))
        .collect();
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
