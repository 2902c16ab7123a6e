//! Compiled lists, kept: principals with the same policies share one unless templates tell them apart.

use super::table::Acl;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::template::Identity;
use std::collections::HashMap;
use std::ptr;
use std::sync::Arc;

/// Compiles a list once for each set of policies (and identity, where a template asks for one).
#[derive(Debug)]
pub struct AclCache<'p> {
    profile: Profile,
    now: Option<i64>,
    compiled: HashMap<Key<'p>, Arc<Acl>>,
}

/// The policies by address (they are borrowed for as long as the cache lives), and the identity where it matters.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key<'p> {
    policies: Vec<ByAddress<'p>>,
    identity: Option<Identity>,
}

#[derive(Debug, Clone, Copy)]
struct ByAddress<'p>(&'p Policy);

impl PartialEq for ByAddress<'_> {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self.0, other.0)
    }
}

impl Eq for ByAddress<'_> {}

impl std::hash::Hash for ByAddress<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        ptr::hash(self.0, state);
    }
}

impl<'p> AclCache<'p> {
    /// An empty cache.
    #[must_use]
    pub fn new(profile: Profile, now: Option<i64>) -> Self {
        Self {
            profile,
            now,
            compiled: HashMap::new(),
        }
    }

    /// The list of these policies for this identity.
    pub fn get(&mut self, policies: &[&'p Policy], identity: &Identity) -> Arc<Acl> {
        let templated = policies.iter().any(|p| p.stanzas.iter().any(|s| s.templated));
        let key = Key {
            policies: policies.iter().copied().map(ByAddress).collect(),
            identity: templated.then(|| identity.clone()),
        };
        let (profile, now) = (self.profile, self.now);
        let compile = || Arc::new(Acl::compile(profile, policies, identity, now));
        Arc::clone(self.compiled.entry(key).or_insert_with(compile))
    }

    /// How many lists were compiled.
    #[must_use]
    pub fn len(&self) -> usize {
        self.compiled.len()
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.compiled.is_empty()
    }
}
