//! Who reaches a path, and through which stanza: asked of principals, entities, groups, auth roles and policies alike.

use crate::policy::acl::{Acl, AclCache, RuleId, SkipReason};
use crate::policy::model::Policy;
use crate::policy::pattern::{Pattern, PatternError};
use crate::policy::profile::Profile;
use crate::policy::relation;
use crate::policy::template::{self, Identity};
use crate::vault::{Capability, CapabilitySet, Operation, path};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whoever holds policies.
#[derive(Debug, Clone)]
pub struct Holder<'p> {
    /// What it is: `principal`, `entity`, `group`, `auth role`, `policy`, …
    pub kind: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Its policies.
    pub policies: Vec<&'p Policy>,
    /// What templates are filled from.
    pub identity: Identity,
}

/// A holder that reaches the path, or something below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// What it is.
    pub kind: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// What it may do there, of what was asked for.
    pub capabilities: Vec<&'static str>,
    /// Whether it holds the root policy.
    pub root: bool,
    /// How much of what was asked it reaches, where that was more than one path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extent: Option<Extent>,
    /// The stanzas that let it.
    pub through: Vec<Through>,
    /// Stanzas that may let it besides, once their templates are filled in: whose token it is is not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub maybe: Vec<Through>,
}

/// How much of many paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    /// A part.
    Part,
    /// Every path.
    All,
}

/// A stanza that lets a holder reach the path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Through {
    /// Its policy.
    pub policy: Arc<str>,
    /// `file:line:column`.
    pub origin: String,
    /// Its pattern, templates filled in, namespace in front.
    pub pattern: String,
    /// What it gives of what was asked for.
    pub capabilities: Vec<&'static str>,
    /// Whether a constraint (parameters, wrapping) may refuse a request all the same.
    pub constrained: bool,
}

/// What is asked about: one path, or all that a pattern matches; a path that ends in `/` is all below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One path, namespace in front.
    Path(String),
    /// Every path that matches.
    Below(Pattern),
}

impl Target {
    /// From a path as a person writes it.
    ///
    /// # Errors
    /// Where it is a pattern that the servers refuse.
    pub fn parse(asked: &str) -> Result<Self, PatternError> {
        let bare = path::clean(asked);
        let pattern = Pattern::parse(bare, "")?;
        if bare.ends_with('/') || bare.is_empty() {
            return Ok(Self::Below(Pattern {
                prefix: true,
                ..pattern
            }));
        }
        Ok(if pattern.is_exact() {
            Self::Path(bare.to_owned())
        } else {
            Self::Below(pattern)
        })
    }
}

/// The holders that may use what is asked about: with `capability`, or with any where none is asked for.
///
/// LIST and SCAN are asked of `path/`, as the servers do. `sudo` asks whose winning stanza has it. Of many paths a stanza counts
/// that decides at least one of them.
#[must_use]
pub fn who_can(profile: Profile, asked: &Target, capability: Option<Capability>, holders: &[Holder<'_>]) -> Vec<Reach> {
    let wanted: CapabilitySet = match capability {
        Some(one) => CapabilitySet::of(one),
        None => Operation::REQUESTABLE
            .iter()
            .filter_map(|o| profile.capability(*o))
            .collect(),
    };
    let mut cache = AclCache::new(profile, None);
    holders
        .iter()
        .filter_map(|holder| {
            let acl = cache.get(&holder.policies, &holder.identity);
            reach(&acl, holder, asked, wanted)
        })
        .collect()
}

fn reach(acl: &Acl, holder: &Holder<'_>, asked: &Target, wanted: CapabilitySet) -> Option<Reach> {
    let mut by_rule: BTreeMap<RuleId, CapabilitySet> = BTreeMap::new();
    let mut granted = CapabilitySet::EMPTY;
    for capability in wanted.iter().filter(|c| *c != Capability::Deny) {
        let operation = Operation::of(capability).unwrap_or(Operation::Read);
        if acl.is_root() {
            let reached = match asked {
                Target::Path(path) => acl.check(operation, &operation.path_asked(path)).allowed,
                Target::Below(pattern) => acl.check(operation, &format!("{}x", pattern.text)).allowed,
            };
            if reached {
                granted.insert(capability);
            }
            continue;
        }
        let gives = |id: &RuleId| acl.rule(*id).is_some_and(|rule| rule.capabilities.contains(capability));
        let deciding: Vec<RuleId> = match asked {
            Target::Path(path) => acl.winner(operation, &operation.path_asked(path)).into_iter().collect(),
            Target::Below(pattern) => {
                let ids = acl.rules_with_ids().map(|(id, _)| id);
                ids.filter(|id| gives(id) && may_decide(acl, *id, operation, pattern))
                    .collect()
            }
        };
        for id in deciding.into_iter().filter(gives) {
            granted.insert(capability);
            by_rule.entry(id).or_default().insert(capability);
        }
    }
    let maybe = maybe(acl, holder, asked, wanted);
    if granted.is_empty() && maybe.is_empty() {
        return None;
    }
    let extent = match asked {
        Target::Path(_) => None,
        Target::Below(_) if acl.is_root() => Some(Extent::All),
        Target::Below(pattern) => {
            let all = |(id, used): (&RuleId, &CapabilitySet)| decides_all(acl, *id, *used, pattern);
            Some(if by_rule.iter().any(all) {
                Extent::All
            } else {
                Extent::Part
            })
        }
    };
    let mut through: Vec<_> = by_rule
        .into_iter()
        .filter_map(|(id, used)| Some((acl.rule(id)?, used)))
        .flat_map(|(rule, used)| {
            rule.sources.iter().filter_map(move |source| {
                let gives = source.capabilities.intersection(used);
                (!gives.is_empty()).then(|| Through {
                    policy: name_of(acl, source.policy),
                    origin: source.origin.to_string(),
                    pattern: rule.pattern.to_string(),
                    capabilities: gives.iter().map(Capability::as_str).collect(),
                    constrained: !rule.is_unconstrained(),
                })
            })
        })
        .collect();
    through.sort_unstable();
    Some(Reach {
        kind: Arc::clone(&holder.kind),
        name: Arc::clone(&holder.name),
        capabilities: granted.iter().map(Capability::as_str).collect(),
        root: acl.is_root(),
        extent,
        through,
        maybe,
    })
}

/// Whether the rule decides the operation on a path that the pattern matches. Where that is neither shown nor ruled out, yes:
/// who asks who reaches something must not be told too few.
fn may_decide(acl: &Acl, id: RuleId, operation: Operation, pattern: &Pattern) -> bool {
    let Some(rule) = acl.rule(id) else { return false };
    let lists = matches!(operation, Operation::List | Operation::Scan);
    let overlap = relation::overlap(&rule.pattern, pattern);
    let Some(both) = overlap.both else {
        // A LIST of `a/` is decided by a stanza for `a`, where nothing else matches.
        return lists
            && rule.pattern.is_exact()
            && pattern.matches(&operation.path_asked(&rule.pattern.text))
            && acl.winner(operation, &operation.path_asked(&rule.pattern.text)) == Some(id);
    };
    let open = rule.pattern.prefix || pattern.prefix;
    let further = ["", "x", "x/y", "/x", "/x/y/z"]
        .into_iter()
        .take(if open { 5 } else { 1 });
    let decided = further
        .map(|end| format!("{both}{end}"))
        .filter(|path| rule.pattern.matches(path) && pattern.matches(path))
        .any(|path| acl.winner(operation, &operation.path_asked(&path)) == Some(id));
    let stronger = || {
        acl.rules_with_ids()
            .filter(|(other, _)| *other > id)
            .map(|(_, rule)| &rule.pattern)
    };
    decided || !stronger().any(|s| relation::implies(&rule.pattern, s) || relation::implies(pattern, s))
}

/// Whether the rule decides every path that the pattern matches, or what decides some of them gives as much.
fn decides_all(acl: &Acl, id: RuleId, used: CapabilitySet, pattern: &Pattern) -> bool {
    acl.rule(id)
        .is_some_and(|rule| relation::implies(pattern, &rule.pattern))
        && acl
            .rules_with_ids()
            .filter(|(other, _)| *other > id)
            .all(|(_, other)| used.is_subset(other.capabilities) || relation::disjoint(&other.pattern, pattern))
}

/// Stanzas with templates that nothing filled, and that may match all the same.
fn maybe(acl: &Acl, holder: &Holder<'_>, asked: &Target, wanted: CapabilitySet) -> Vec<Through> {
    let mut found: Vec<Through> = acl
        .skips()
        .iter()
        .filter(|skip| matches!(skip.reason, SkipReason::Template(_)) && holder.identity == Identity::default())
        .filter_map(|skip| {
            let policy = holder.policies.get(skip.policy)?;
            let stanza = policy.stanzas.get(skip.stanza)?;
            let gives = stanza.capability_set().intersection(wanted).difference(DENY);
            let meets = acl.profile().template_rule(policy).slashes;
            (!gives.is_empty() && may_meet(&policy.namespace, &stanza.path, meets, asked)).then(|| Through {
                policy: name_of(acl, skip.policy),
                origin: skip.origin.to_string(),
                pattern: format!("{}{}", policy.namespace, path::clean(&stanza.path)),
                capabilities: gives.iter().map(Capability::as_str).collect(),
                constrained: !stanza.constraints.is_empty(),
            })
        })
        .collect();
    found.sort_unstable();
    found
}

const DENY: CapabilitySet = CapabilitySet::of(Capability::Deny);

/// Whether the templated path may match something of what is asked, with values that may or may not hold a slash.
fn may_meet(namespace: &str, templated: &str, slashes: bool, asked: &Target) -> bool {
    let start = format!("{namespace}{}", template::literal_start(templated));
    let path = match asked {
        Target::Path(path) => path.as_str(),
        Target::Below(pattern) => {
            let open = Pattern {
                text: start.into(),
                prefix: true,
                segment_wildcards: false,
            };
            return !relation::disjoint(&open, pattern);
        }
    };
    if slashes || !path.starts_with(&start) {
        return path.starts_with(&start);
    }
    // One segment for a template, and what stands around it.
    let (mut wanted, mut given) = (
        path::clean(templated).split('/'),
        path.get(namespace.len()..).unwrap_or(path).split('/'),
    );
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(want), Some(have)) if want.ends_with('*') => {
                return want.contains("{{") || have.starts_with(want.trim_end_matches('*'));
            }
            (Some(want), Some(have)) => {
                let before = want.split("{{").next().unwrap_or(want);
                let fits = if want.contains("{{") {
                    have.starts_with(before)
                } else {
                    want == have
                };
                if !fits {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// The policy's name, namespace in front.
fn name_of(acl: &Acl, policy: usize) -> Arc<str> {
    acl.policies()
        .get(policy)
        .map(|p| format!("{}{}", p.namespace, p.name).into())
        .unwrap_or_default()
}
