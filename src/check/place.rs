//! Which policy and stanza a place in a file belongs to, and which of them differ from the base.

use crate::advice::Finding;
use crate::origin::Origin;
use crate::policy::model::{Policy, Stanza};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A policy, or a stanza in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Spot {
    /// Number of the policy.
    pub policy: usize,
    /// Number of the stanza; none for the policy as a whole.
    pub stanza: Option<usize>,
}

impl Spot {
    /// Whether it is the other, or the whole that the other is part of.
    #[must_use]
    pub fn covers(&self, other: Self) -> bool {
        self.policy == other.policy && (self.stanza.is_none() || self.stanza == other.stanza)
    }
}

/// All places.
pub struct Places {
    by_file: HashMap<Arc<str>, Vec<(u32, u32, Spot)>>,
    by_name: HashMap<Arc<str>, Vec<usize>>,
    names: Vec<Arc<str>>,
    digests: Vec<u64>,
    paths: Vec<Vec<Arc<str>>>,
}

impl Places {
    /// Of policies.
    #[must_use]
    pub fn new(policies: &[Policy]) -> Self {
        let mut by_file: HashMap<Arc<str>, Vec<(u32, u32, Spot)>> = HashMap::new();
        let mut by_name: HashMap<Arc<str>, Vec<usize>> = HashMap::new();
        for (p, policy) in policies.iter().enumerate() {
            by_name.entry(policy.name.clone()).or_default().push(p);
            let all = by_file.entry(policy.file.clone()).or_default();
            if policy.stanzas.is_empty() {
                all.push((
                    1,
                    1,
                    Spot {
                        policy: p,
                        stanza: None,
                    },
                ));
            }
            all.extend(policy.stanzas.iter().enumerate().map(|(s, stanza)| {
                let spot = Spot {
                    policy: p,
                    stanza: Some(s),
                };
                (stanza.origin.line, stanza.origin.column, spot)
            }));
        }
        for all in by_file.values_mut() {
            all.sort_unstable();
        }
        Self {
            by_file,
            by_name,
            names: policies.iter().map(|p| p.name.clone()).collect(),
            digests: policies.iter().map(digest).collect(),
            paths: policies
                .iter()
                .map(|p| p.stanzas.iter().map(|s| s.path.clone()).collect())
                .collect(),
        }
    }

    /// The stanza that a place is in: the last that begins before it.
    #[must_use]
    pub fn at(&self, origin: &Origin) -> Option<Spot> {
        let all = self.by_file.get(&origin.file)?;
        let after = all.partition_point(|(line, column, _)| (*line, *column) <= (origin.line, origin.column));
        let (.., spot) = all.get(after.saturating_sub(1))?;
        Some(*spot)
    }

    /// All that a finding is about. One about a policy is about the whole of it.
    pub fn of_finding<'a>(&'a self, finding: &'a Finding) -> impl Iterator<Item = Spot> + 'a {
        let whole = finding.subject.kind == "policy";
        let named = self
            .by_name
            .get(finding.subject.name.as_str())
            .filter(|_| whole && finding.origins.is_empty());
        let named = named.into_iter().flatten().map(|&policy| Spot { policy, stanza: None });
        let placed = finding.origins.iter().filter_map(|o| self.at(o)).map(move |spot| Spot {
            stanza: spot.stanza.filter(|_| !whole),
            ..spot
        });
        named.chain(placed)
    }

    /// The name of a policy.
    #[must_use]
    pub fn policy_name(&self, spot: Spot) -> &str {
        self.names.get(spot.policy).map_or("", |n| n)
    }

    /// What a spot says, whatever the policy is called and wherever it stands.
    #[must_use]
    pub fn meaning(&self, spot: Spot) -> String {
        let digest = self.digests.get(spot.policy).copied().unwrap_or_default();
        let path = spot.stanza.and_then(|s| self.paths.get(spot.policy)?.get(s));
        format!("{digest:016x} {}", path.map_or("", |p| p))
    }
}

/// What of the policies is not as it was in the base.
pub struct Changed {
    stanzas: HashSet<Spot>,
    policies: HashSet<usize>,
    /// Policies of the base that are gone, by name.
    gone: BTreeSet<Arc<str>>,
    /// Numbers of the policies that differ, new side and old side.
    pub differ: (Vec<usize>, Vec<usize>),
}

impl Changed {
    /// Compares by what is said, not by where.
    #[must_use]
    pub fn new(old: &[Policy], new: &[Policy]) -> Self {
        type Id<'p> = (&'p str, &'p str);
        fn id(policy: &Policy) -> Id<'_> {
            (&policy.namespace, &policy.name)
        }
        let before: BTreeMap<Id<'_>, usize> = old.iter().enumerate().map(|(n, p)| (id(p), n)).collect();
        let after: BTreeSet<Id<'_>> = new.iter().map(id).collect();
        // A policy that only got another name says what it said.
        let renamed: HashMap<u64, usize> = old
            .iter()
            .enumerate()
            .filter(|(_, p)| !after.contains(&id(p)))
            .map(|(n, p)| (digest(p), n))
            .collect();
        let mut out = Self {
            stanzas: HashSet::new(),
            policies: HashSet::new(),
            gone: old
                .iter()
                .filter(|p| !after.contains(&id(p)))
                .map(|p| p.name.clone())
                .collect(),
            differ: (Vec::new(), Vec::new()),
        };
        for (p, policy) in new.iter().enumerate() {
            let same_name = before.get(&id(policy));
            let twin = same_name
                .or_else(|| renamed.get(&digest(policy)))
                .and_then(|&n| old.get(n));
            let said: HashSet<u64> = twin
                .map(|t| t.stanzas.iter().map(stanza_digest).collect())
                .unwrap_or_default();
            let mut differs = twin.is_none_or(|t| t.stanzas.len() != policy.stanzas.len());
            for (s, stanza) in policy.stanzas.iter().enumerate() {
                if !said.contains(&stanza_digest(stanza)) {
                    differs = true;
                    out.stanzas.insert(Spot {
                        policy: p,
                        stanza: Some(s),
                    });
                }
            }
            if differs {
                out.policies.insert(p);
            }
            if differs || same_name.is_none() {
                out.differ.0.push(p);
                out.differ.1.extend(same_name);
            }
        }
        out.differ.1.extend(
            old.iter()
                .enumerate()
                .filter(|(_, p)| !after.contains(&id(p)))
                .map(|(n, _)| n),
        );
        out
    }

    /// Whether a finding is about what changed.
    #[must_use]
    pub fn touches(&self, finding: &Finding, places: &Places) -> bool {
        self.gone.contains(finding.subject.name.as_str())
            || places.of_finding(finding).any(|spot| match spot.stanza {
                Some(_) => self.stanzas.contains(&spot),
                None => self.policies.contains(&spot.policy),
            })
    }
}

/// FNV-1a: a baseline keeps what it gives, so it has to stay the same whatever the program is built with.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

fn stanza_digest(stanza: &Stanza) -> u64 {
    let mut hasher = Fnv::default();
    let path = stanza.path.strip_prefix('/').unwrap_or(&stanza.path);
    (path, stanza.capability_set().bits()).hash(&mut hasher);
    if !stanza.constraints.is_empty() {
        format!("{:?}", stanza.constraints).hash(&mut hasher);
    }
    hasher.finish()
}

/// What a policy says, whatever it is called and in whatever order.
fn digest(policy: &Policy) -> u64 {
    let mut all: Vec<u64> = policy.stanzas.iter().map(stanza_digest).collect();
    all.sort_unstable();
    let mut hasher = Fnv::default();
    (&policy.namespace, all).hash(&mut hasher);
    hasher.finish()
}
