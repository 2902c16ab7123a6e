//! The names that policies are held by, in a log or a deployment: what files of policies are called by other names than these may be
//! meant by them.

use crate::deployment::Deployment;
use crate::usage::demand::PolicySet;
use crate::usage::held::Namespaces;
use crate::vault::name;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The policies that log and deployment hold, by namespace and name. Where a log leaves the namespace of a list open it is the root
/// one: a folder of another is a snapshot's, and named in full. A policy of a namespace that nothing names is called nothing that
/// a file could be called.
#[must_use]
pub fn names_held(
    seen: Option<(&[PolicySet], &Namespaces)>,
    deployment: Option<&Deployment>,
) -> BTreeSet<(Arc<str>, Arc<str>)> {
    let root: Arc<str> = "".into();
    let mut held = BTreeSet::new();
    if let Some((sets, namespaces)) = seen {
        for set in sets {
            let own = set.held.space.as_ref().and_then(|space| namespaces.path(space));
            let own = own.unwrap_or_else(|| Arc::clone(&root));
            held.extend(set.held.own.iter().map(|name| (Arc::clone(&own), Arc::clone(name))));
            let placed = set.held.placed.iter();
            held.extend(placed.filter_map(|policy| Some((namespaces.path(&policy.space)?, Arc::clone(&policy.name)))));
        }
    }
    if let Some(deployment) = deployment {
        let roles = deployment.roles.iter().map(|role| (&role.namespace, &role.policies));
        let entities = deployment.entities.iter().map(|one| (&one.namespace, &one.policies));
        let groups = deployment
            .groups
            .iter()
            .map(|group| (&group.namespace, &group.policies));
        for (namespace, names) in roles.chain(entities).chain(groups) {
            let of_one = names
                .iter()
                .map(|name| (namespace.as_str().into(), name::policy(name).into()));
            held.extend(of_one);
        }
    }
    held
}
