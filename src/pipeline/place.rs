//! Which policy and stanza a place in a file belongs to, and which of them differ from the base.

use crate::access::{PolicyNumber, StanzaId};
use crate::advice::Finding;
use crate::index::IndexVec;
use crate::origin::Origin;
use crate::policy::model::{Policy, Stanza};
use crate::policy::table::Table;
use crate::vault::PolicyId;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// A policy, or a stanza in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Spot {
    /// The policy.
    pub policy: PolicyNumber,
    /// The stanza; none for the policy as a whole.
    pub stanza: Option<StanzaId>,
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
    by_name: HashMap<Arc<str>, Vec<PolicyNumber>>,
    names: IndexVec<Policy, Named>,
}

/// What a policy and its stanzas are called.
struct Named {
    id: PolicyId,
    paths: Vec<(StanzaId, Arc<str>)>,
}

impl Places {
    /// Of policies.
    #[must_use]
    pub fn new(policies: &Table) -> Self {
        let mut by_file: HashMap<Arc<str>, Vec<(u32, u32, Spot)>> = HashMap::new();
        let mut by_name: HashMap<Arc<str>, Vec<PolicyNumber>> = HashMap::new();
        for (p, policy) in policies.numbered() {
            by_name.entry(policy.id().to_string().into()).or_default().push(p);
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
            all.extend(policies.stanzas_of(p).map(|id| {
                let spot = Spot {
                    policy: p,
                    stanza: Some(id),
                };
                let origin = &policies[id].origin;
                (origin.line, origin.column, spot)
            }));
        }
        for all in by_file.values_mut() {
            all.sort_unstable();
        }
        Self {
            by_file,
            by_name,
            names: policies
                .numbered()
                .map(|(number, policy)| Named {
                    id: policy.id(),
                    paths: policies
                        .stanzas_of(number)
                        .map(|id| (id, policies[id].path.clone()))
                        .collect(),
                })
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

    /// Whether a place is that policy ([`PolicyId::is_meant_by`]), and that stanza where one is named.
    #[must_use]
    pub fn is_named(&self, spot: Spot, policy: &str, path: Option<&str>) -> bool {
        let named = &self.names[spot.policy];
        let is_path = |path: &str| {
            let stanza = named.paths.iter().find(|(id, _)| spot.stanza == Some(*id));
            stanza.is_some_and(|(_, stanza)| stanza.trim_start_matches('/') == path.trim_start_matches('/'))
        };
        named.id.is_meant_by(policy) && path.is_none_or(is_path)
    }

    /// Every place that is called so.
    pub fn named<'a>(&'a self, policy: &'a str, path: Option<&'a str>) -> impl Iterator<Item = Spot> + 'a {
        let all = self.names.numbered().flat_map(move |(policy, named)| {
            let stanzas = named.paths.iter().map(|(id, _)| *id);
            let whole = path.is_none().then_some(Spot { policy, stanza: None });
            let single = stanzas.filter(move |_| path.is_some()).map(move |stanza| Spot {
                policy,
                stanza: Some(stanza),
            });
            whole.into_iter().chain(single)
        });
        all.filter(move |spot| self.is_named(*spot, policy, path))
    }
}

/// What of the policies is not as it was in the base.
pub struct Changed {
    stanzas: HashSet<Spot>,
    /// Those of them that say something that no stanza of the same path said before.
    wider: HashSet<Spot>,
    policies: HashSet<PolicyNumber>,
    /// Numbers of the base's policies that are gone.
    pub gone: Vec<usize>,
    gone_names: BTreeSet<Arc<str>>,
    /// Numbers of the policies that differ, new side and old side.
    pub differ: (Vec<PolicyNumber>, Vec<usize>),
}

impl Changed {
    /// Compares by what is said, not by where.
    #[must_use]
    pub fn new(old: &[Policy], new: &Table) -> Self {
        type Id<'p> = (&'p str, &'p str);
        fn id(policy: &Policy) -> Id<'_> {
            (&policy.namespace, &policy.name)
        }
        let before: BTreeMap<Id<'_>, usize> = old.iter().enumerate().map(|(n, p)| (id(p), n)).collect();
        let after: BTreeSet<Id<'_>> = new.iter().map(id).collect();
        let mut out = Self {
            stanzas: HashSet::new(),
            wider: HashSet::new(),
            policies: HashSet::new(),
            gone: (0..old.len())
                .filter(|n| old.get(*n).is_some_and(|p| !after.contains(&id(p))))
                .collect(),
            gone_names: old
                .iter()
                .filter(|p| !after.contains(&id(p)))
                .map(|p| p.id().to_string().into())
                .collect(),
            differ: (Vec::new(), Vec::new()),
        };
        for (p, policy) in new.numbered() {
            let same_name = before.get(&id(policy));
            let twin = same_name.and_then(|&n| old.get(n));
            let before = twin.map_or(&[][..], |twin| &twin.stanzas);
            let said: HashSet<_> = before.iter().map(saying).collect();
            for id in new.stanzas_of(p) {
                let stanza = &new[id];
                if said.contains(&saying(stanza)) {
                    continue;
                }
                let spot = Spot {
                    policy: p,
                    stanza: Some(id),
                };
                out.stanzas.insert(spot);
                if !before.iter().any(|old| says_all_of(old, stanza)) {
                    out.wider.insert(spot);
                }
            }
            // One that is said twice now may stand in the place of another, which is said no more.
            let differs = twin.is_none() || counted(before) != counted(&policy.stanzas);
            if differs {
                out.policies.insert(p);
            }
            if differs || same_name.is_none() {
                out.differ.0.push(p);
                out.differ.1.extend(same_name);
            }
        }
        out.differ.1.extend(&out.gone);
        out
    }

    /// Whether a finding is about a stanza that says more than it did.
    #[must_use]
    pub fn widens(&self, finding: &Finding, places: &Places) -> bool {
        places.of_finding(finding).any(|spot| self.wider.contains(&spot))
    }

    /// Whether a finding is about what changed.
    #[must_use]
    pub fn touches(&self, finding: &Finding, places: &Places) -> bool {
        self.gone_names.contains(finding.subject.name.as_str())
            || places.of_finding(finding).any(|spot| match spot.stanza {
                Some(_) => self.stanzas.contains(&spot),
                None => self.policies.contains(&spot.policy),
            })
    }
}

/// What stanzas say, each as often as it is said.
fn counted(stanzas: &[Stanza]) -> BTreeMap<(&str, u16, String), usize> {
    let mut counted = BTreeMap::new();
    for stanza in stanzas {
        *counted.entry(saying(stanza)).or_default() += 1;
    }
    counted
}

/// Whether a stanza of the same path grants all that the other does, under the same conditions.
fn says_all_of(old: &Stanza, new: &Stanza) -> bool {
    let ((path, had, before), (same, has, now)) = (saying(old), saying(new));
    path == same && before == now && had & has == has
}

/// What a stanza says: itself, not a hash of it, of which another stanza could be made to have the same.
fn saying(stanza: &Stanza) -> (&str, u16, String) {
    let constraints = if stanza.constraints.is_empty() {
        String::new()
    } else {
        format!("{:?}", stanza.constraints)
    };
    let path = stanza.bare_path();
    (path, stanza.capability_set().bits(), constraints)
}
