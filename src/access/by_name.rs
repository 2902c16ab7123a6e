//! The policies that were read, by namespace and name.

use crate::deployment::Deployment;
use crate::index::Idx;
use crate::policy::model::Policy;
use crate::policy::table::Table;
use crate::vault::PolicyId;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Number of a policy in [`super::Joined::policies`].
pub type PolicyNumber = Idx<Policy>;

/// Policies by namespace and name.
pub(super) struct ByName<'a> {
    read: HashMap<(&'a str, &'a str), PolicyNumber>,
    /// The names of all that the server has, by namespace, as far as that is known.
    listed: Option<&'a BTreeMap<String, BTreeSet<String>>>,
}

impl<'a> ByName<'a> {
    pub(super) fn new(policies: &'a Table, deployment: Option<&'a Deployment>) -> Self {
        let read = policies.numbered().map(|(n, p)| ((&*p.namespace, &*p.name), n));
        Self {
            read: read.collect(),
            listed: deployment.map(|deployment| &deployment.policies),
        }
    }

    /// The policy that this means, where it was read.
    pub(super) fn of(&self, policy: &PolicyId) -> Option<PolicyNumber> {
        self.find(&policy.namespace, &policy.name)
    }

    /// Whether the server has no policy of that name, and had none when it was asked.
    pub(super) fn is_nowhere(&self, policy: &PolicyId) -> bool {
        let of_space = self.listed.and_then(|listed| listed.get(&*policy.namespace));
        of_space.is_some_and(|names| !names.contains(&*policy.name))
    }

    /// The namespaces that have policies, and the root namespace.
    pub(super) fn namespaces(&self) -> BTreeSet<&'a str> {
        self.read.keys().map(|(namespace, _)| *namespace).chain([""]).collect()
    }

    /// The policy of that name in that namespace, and in no other.
    pub(super) fn find(&self, namespace: &str, name: &str) -> Option<PolicyNumber> {
        self.read.get(&(namespace, name)).copied()
    }
}
