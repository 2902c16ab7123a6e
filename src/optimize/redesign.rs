//! The second proposal: the least set of roles that holds all use, and who gets which.
//!
//! A permission is one capability on one stanza path of the tightened policies; a user is a principal with one of its policy
//! sets. Role mining makes few roles of that matrix, within what is granted today. Roles do not compose by union, so the
//! outcome is proven like any proposal; where it fails, the paths to blame become exact stanzas, which always win.

use super::cover::{self, Column, Instance, Limits};
use super::proof::{self, Failure, Proof, Scheme};
use super::roles::{self, Matrix, Objective};
use crate::access::weight::{Weights, score};
use crate::access::{HolderId, Joined, Outcome, Reach, SetId, Universe, reach};
use crate::origin::Origin;
use crate::policy::acl::Acl;
use crate::policy::model::{Constraints, Policy, Stanza};
use crate::policy::syntax::{self, print};
use crate::policy::template::is_templated;
use crate::vault::{Capability, CapabilitySet, Operation, PrincipalKind};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a redesign has to respect.
pub struct Options<'a> {
    /// Weights of exposure.
    pub weights: &'a Weights,
    /// Time for role mining, a point of the curve.
    pub time_limit: Duration,
    /// Fixes every random choice.
    pub seed: u64,
    /// At most so many roles a principal.
    pub max_roles: Option<u32>,
    /// The price of granting a permission that was not used but is granted today, against one of role, membership or stanza.
    pub over_grant: f64,
    /// How much one unit of exposure weighs against one stanza, when one redesign is chosen of several.
    pub lambda: f64,
    /// Size and exposure of what is in force today.
    pub today: Size,
    /// Policies that stay as they are and need not be assigned (`default`).
    pub fixed: &'a [Arc<str>],
}

/// A role: a policy of the redesign.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its policy text.
    pub text: String,
    /// Stanzas: path and capabilities.
    pub stanzas: Vec<(String, CapabilitySet)>,
    /// Who gets it.
    pub holders: BTreeSet<HolderId>,
}

/// Size and exposure of a scheme.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Size {
    /// Policies in force.
    pub policies: u64,
    /// Their stanzas.
    pub stanzas: u64,
    /// (principal, policy) pairs.
    pub assignments: u64,
    /// Granted and unused (principal, known path, capability) triples.
    pub exposure: u64,
    /// Their weight, open ends included.
    pub weight: f64,
    /// Mean risk score of the principals.
    pub risk_mean: f64,
}

/// A redesign with its proof.
pub struct Redesign {
    /// The roles, by name.
    pub roles: Vec<Role>,
    /// Policies that stay beside them.
    pub fixed: Vec<usize>,
    /// All policies as they would be, and who holds them.
    pub scheme: Scheme,
    /// The proof.
    pub proof: Proof,
    /// What was given up on the way.
    pub withdrawn: Vec<(String, String)>,
    /// Objective, bound, optimality of the role mining.
    pub cost: f64,
    /// No role set is cheaper.
    pub lower_bound: f64,
    /// Whether the cost is proved least.
    pub optimal: bool,
    /// Principals and sets that keep what they have, since it is not fully known.
    pub untouched: usize,
    /// Size and exposure.
    pub size: Size,
}

/// One principal with one of its policy sets, and the permissions it used.
struct User {
    set: SetId,
    holder: HolderId,
    needs: BTreeSet<u32>,
    /// Permissions that would open something new in its set: never granted for the sake of fewer roles.
    barred: BTreeSet<u32>,
}

/// One capability on one stanza path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Permission {
    namespace: Arc<str>,
    path: Arc<str>,
    capability: Capability,
    /// Where constraints are to be copied from: policy and stanza of the tightened scheme.
    source: Option<(usize, usize)>,
}

#[derive(Default)]
struct Permissions {
    all: Vec<Permission>,
    number: HashMap<Permission, u32>,
}

impl Permissions {
    fn number(&mut self, permission: Permission) -> u32 {
        if let Some(&n) = self.number.get(&permission) {
            return n;
        }
        let n = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(permission.clone());
        self.number.insert(permission, n);
        n
    }
}

impl Permissions {
    /// The permissions on a stanza path as written.
    fn of<'a>(&'a self, text: &'a str) -> impl Iterator<Item = u32> + 'a {
        let text = text.strip_prefix('/').unwrap_or(text);
        self.all
            .iter()
            .zip(0_u32..)
            .filter(move |(p, _)| &*p.path == text)
            .map(|(_, n)| n)
    }
}

/// Redesigns, starting from a tightened scheme that was proven. Several ways to mine roles are tried (the fewest roles, the
/// least structure; unused permissions dear, cheap, nearly free; the tightened policies handed out anew), each is proven, and
/// the one with the lowest price of policies, stanzas and exposure is taken.
#[must_use]
pub fn redesign(joined: &Joined, tightened: &Scheme, options: &Options<'_>) -> Option<Redesign> {
    let ways = [
        (Objective::Roles, Some(options.over_grant / 250.0)),
        (Objective::Roles, Some(options.over_grant / 25.0)),
        (Objective::Wsc, Some(options.over_grant / 25.0)),
        (Objective::Wsc, Some(options.over_grant)),
        (Objective::Wsc, None),
    ];
    let limit = options.time_limit.div_f64(ways.len() as f64);
    let mined = ways
        .into_iter()
        .filter_map(|(objective, over_grant)| one_way(joined, tightened, options, objective, over_grant, limit));
    let found: Vec<Redesign> = mined.chain(kept(joined, tightened, options)).collect();
    let today = options.today;
    // What is larger than today's in any respect is no redesign that anybody wants, however little it opens.
    let larger = |r: &Redesign| {
        u8::from(r.size.policies >= today.policies)
            + u8::from(r.size.stanzas >= today.stanzas)
            + u8::from(r.size.exposure >= today.exposure)
    };
    found.into_iter().min_by(|a, b| {
        larger(a)
            .cmp(&larger(b))
            .then(price(&a.size, options.lambda).total_cmp(&price(&b.size, options.lambda)))
    })
}

/// Policies, stanzas, a tenth for an assignment, and exposure at its price.
fn price(size: &Size, lambda: f64) -> f64 {
    size.policies as f64 + size.stanzas as f64 + size.assignments as f64 / 10.0 + lambda * size.weight
}

/// The tightened policies as roles: each principal gets the fewest of those it holds that cover its use. Where that fails the
/// proof, it keeps all of them, which the tightening has proven.
fn kept(joined: &Joined, tightened: &Scheme, options: &Options<'_>) -> Option<Redesign> {
    let mut permissions = Permissions::default();
    let (users, untouched) = users(joined, tightened, &[], &mut permissions);
    let mut given = tightened.given.clone();
    let mut cost = 0.0;
    let mut lower_bound = 0.0;
    for user in &users {
        let Some(held) = tightened.given.get(&(user.set, user.holder)) else {
            continue;
        };
        let chosen = fewest(tightened, held, user, &permissions, options.fixed)?;
        cost += chosen.1;
        lower_bound += chosen.2;
        given.insert((user.set, user.holder), chosen.0);
    }
    let mut withdrawn = Vec::new();
    loop {
        let scheme = handed_out(tightened, &given);
        let (proof, failures) = proof::prove(joined, &scheme);
        if failures.is_empty() {
            return Some(Redesign {
                size: measure(joined, &scheme, options.weights),
                roles: Vec::new(),
                fixed: (0..scheme.policies.len()).collect(),
                scheme,
                proof,
                withdrawn,
                cost,
                lower_bound,
                optimal: cost <= lower_bound,
                untouched,
            });
        }
        let mut changed = false;
        for (set, holder) in failures.iter().flat_map(|f| concerned(joined, f)) {
            if let Some(all) = tightened.given.get(&(set, holder))
                && given.get(&(set, holder)) != Some(all)
            {
                given.insert((set, holder), all.clone());
                changed = true;
                let who = joined.holders.get(holder).map_or("somebody", |h| h.display());
                withdrawn.push((
                    format!("fewer policies for `{who}`"),
                    "without all of them the proof does not hold".to_owned(),
                ));
            }
        }
        if !changed {
            return None;
        }
    }
}

/// The holders that a failure is about.
fn concerned(joined: &Joined, failure: &Failure) -> Vec<(SetId, HolderId)> {
    match failure {
        Failure::Denied { demand } => joined
            .demands
            .get(*demand)
            .map(|d| (d.set, d.holder))
            .into_iter()
            .collect(),
        Failure::Granted { set, holders, .. } | Failure::Undecided { set, holders, .. } => {
            holders.iter().map(|&h| (*set, h)).collect()
        }
    }
}

/// The fewest of `held` that have what the user needs, by set cover, with what every token has; its cost and bound.
fn fewest(
    tightened: &Scheme,
    held: &[usize],
    user: &User,
    permissions: &Permissions,
    fixed: &[Arc<str>],
) -> Option<(Vec<usize>, f64, f64)> {
    let needs: Vec<u32> = user.needs.iter().copied().collect();
    let has = |policy: &Policy, p: &Permission| {
        policy.namespace == p.namespace
            && policy.stanzas.iter().any(|s| {
                s.path.strip_prefix('/').unwrap_or(&s.path) == &*p.path && s.capability_set().contains(p.capability)
            })
    };
    let columns: Vec<Column> = held
        .iter()
        .filter_map(|&p| tightened.policies.get(p))
        .map(|policy| Column {
            cost: if fixed.contains(&policy.name) { 0.0 } else { 1.0 },
            rows: needs
                .iter()
                .zip(0_u32..)
                .filter(|(n, _)| permissions.all.get(**n as usize).is_some_and(|p| has(policy, p)))
                .map(|(_, row)| row)
                .collect(),
        })
        .collect();
    let instance = Instance::new(needs.len(), columns).ok()?;
    let limits = Limits {
        max_rounds: Some(50),
        ..Limits::default()
    };
    let solved = cover::solve(&instance, &limits);
    let mut chosen: Vec<usize> = solved
        .columns
        .iter()
        .filter_map(|&c| held.get(c as usize).copied())
        .collect();
    chosen.extend(
        held.iter()
            .copied()
            .filter(|&p| tightened.policies.get(p).is_some_and(|q| fixed.contains(&q.name))),
    );
    chosen.sort_unstable();
    chosen.dedup();
    Some((chosen, solved.cost, solved.lower_bound))
}

/// The scheme without the policies that nobody gets any more.
fn handed_out(tightened: &Scheme, given: &BTreeMap<(SetId, HolderId), Vec<usize>>) -> Scheme {
    let used: BTreeSet<usize> = given.values().flatten().copied().collect();
    let number: BTreeMap<usize, usize> = used.iter().enumerate().map(|(new, &old)| (old, new)).collect();
    Scheme {
        policies: used
            .iter()
            .filter_map(|&p| tightened.policies.get(p).cloned())
            .collect(),
        given: given
            .iter()
            .map(|(key, list)| (*key, list.iter().filter_map(|p| number.get(p).copied()).collect()))
            .collect(),
    }
}

/// Mines one way, proves, repairs, until the proof holds.
fn one_way(
    joined: &Joined,
    tightened: &Scheme,
    options: &Options<'_>,
    objective: Objective,
    mut over_grant: Option<f64>,
    limit: Duration,
) -> Option<Redesign> {
    let fixed: Vec<usize> = (0..tightened.policies.len())
        .filter(|&p| {
            tightened
                .policies
                .get(p)
                .is_some_and(|q| options.fixed.contains(&q.name))
        })
        .collect();
    let mut permissions = Permissions::default();
    let (mut users, untouched) = users(joined, tightened, &fixed, &mut permissions);
    if users.is_empty() {
        return None;
    }
    let start = Instant::now();
    let mut withdrawn = Vec::new();
    for round in 0..24 {
        if round == 16 && over_grant.is_some() {
            over_grant = None;
            withdrawn.push((
                "granting unused permissions for the sake of fewer roles".to_owned(),
                "the proof did not hold with them".to_owned(),
            ));
        }
        let left = limit.saturating_sub(start.elapsed()).max(limit / 8);
        let mined = mine(joined, &users, &permissions, options, objective, over_grant, left);
        let (roles, scheme) = build(joined, tightened, &fixed, &users, &permissions, &mined)?;
        let (proof, failures) = proof::prove(joined, &scheme);
        if failures.is_empty() {
            return Some(Redesign {
                size: measure(joined, &scheme, options.weights),
                roles,
                fixed,
                scheme,
                proof,
                withdrawn,
                cost: mined.cost,
                lower_bound: mined.lower_bound,
                optimal: mined.optimal,
                untouched,
            });
        }
        if !make_exact(joined, &scheme, &failures, &mut users, &mut permissions, &mut withdrawn) {
            over_grant.take()?;
        }
    }
    None
}

/// The matrix's users. Sets with unknown policies, or without any explained demand, keep what they have.
fn users(joined: &Joined, tightened: &Scheme, fixed: &[usize], permissions: &mut Permissions) -> (Vec<User>, usize) {
    let mut demands: BTreeMap<(SetId, HolderId), Vec<usize>> = BTreeMap::new();
    for (n, d) in joined.demands.iter().enumerate() {
        if matches!(d.outcome, Outcome::Explained(_)) {
            demands.entry((d.set, d.holder)).or_default().push(n);
        }
    }
    let mut users = Vec::new();
    let mut untouched = 0;
    for (&(set_id, holder), given) in &tightened.given {
        let Some(set) = joined.sets.get(set_id) else { continue };
        if !set.is_known() || set.acl.is_root() {
            untouched += 1;
            continue;
        }
        let chosen: Vec<&Policy> = given.iter().filter_map(|&p| tightened.policies.get(p)).collect();
        let acl = Acl::compile(joined.profile, &chosen, &set.identity, joined.now);
        let mut needs = BTreeSet::new();
        for d in demands
            .get(&(set_id, holder))
            .into_iter()
            .flatten()
            .filter_map(|&n| joined.demands.get(n))
        {
            let Some(rule) = acl.winner(d.operation(), &d.path).and_then(|r| acl.rule(r)) else {
                continue;
            };
            for capability in d.needs().iter() {
                let source = rule.sources.iter().find(|s| s.capabilities.contains(capability));
                let Some(&policy) = source.and_then(|s| given.get(s.policy)) else {
                    continue;
                };
                let Some(source) = source else { continue };
                let by_fixed = rule.sources.iter().any(|s| {
                    s.capabilities.contains(capability) && given.get(s.policy).is_some_and(|p| fixed.contains(p))
                });
                if by_fixed {
                    continue;
                }
                let Some(stanza) = tightened
                    .policies
                    .get(policy)
                    .and_then(|p| p.stanzas.get(source.stanza))
                else {
                    continue;
                };
                needs.insert(
                    permissions.number(Permission {
                        namespace: tightened
                            .policies
                            .get(policy)
                            .map_or_else(|| Arc::from(""), |p| p.namespace.clone()),
                        path: Arc::from(stanza.path.strip_prefix('/').unwrap_or(&stanza.path)),
                        capability,
                        source: (!stanza.constraints.is_empty()).then_some((policy, source.stanza)),
                    }),
                );
            }
        }
        users.push(User {
            set: set_id,
            holder,
            needs,
            barred: BTreeSet::new(),
        });
    }
    (users, untouched)
}

fn mine(
    joined: &Joined,
    users: &[User],
    permissions: &Permissions,
    options: &Options<'_>,
    objective: Objective,
    over_grant: Option<f64>,
    time_limit: Duration,
) -> roles::Mined {
    let names = |n: usize| n.to_string();
    let matrix = Matrix {
        users: (0..users.len()).map(names).collect(),
        permissions: (0..permissions.all.len()).map(names).collect(),
        rows: users.iter().map(|u| u.needs.iter().copied().collect()).collect(),
    };
    let allowed = Matrix {
        rows: users.par_iter().map(|u| allowed(joined, u, permissions)).collect(),
        users: matrix.users.clone(),
        permissions: matrix.permissions.clone(),
    };
    let labels: Vec<String> = users
        .iter()
        .map(|u| {
            joined
                .holders
                .get(u.holder)
                .map(|h| h.label.clone())
                .unwrap_or_default()
        })
        .collect();
    roles::mine(
        &matrix,
        &roles::Options {
            objective,
            time_limit,
            seed: options.seed,
            max_roles_per_user: options.max_roles,
            allowed: Some(&allowed),
            over_grant,
            affinity: Some(&labels),
            ..roles::Options::default()
        },
    )
}

/// The permissions that a user's policies of today hold word for word in a stanza at least as wide.
fn allowed(joined: &Joined, user: &User, permissions: &Permissions) -> Vec<u32> {
    let Some(set) = joined.sets.get(user.set) else {
        return Vec::new();
    };
    permissions
        .all
        .iter()
        .zip(0_u32..)
        .filter(|(p, n)| user.needs.contains(n) || !user.barred.contains(n) && grants_pattern(joined, set, p))
        .map(|(_, n)| n)
        .collect()
}

fn grants_pattern(joined: &Joined, set: &crate::access::AccessSet, permission: &Permission) -> bool {
    if permission.source.is_some() {
        return false;
    }
    if is_templated(&permission.path) {
        return set.policies.iter().filter_map(|&p| joined.policies.get(p)).any(|p| {
            p.namespace == permission.namespace
                && p.stanzas.iter().any(|s| {
                    s.path.strip_prefix('/').unwrap_or(&s.path) == &*permission.path
                        && s.capability_set().contains(permission.capability)
                })
        });
    }
    let Ok(pattern) = crate::policy::pattern::Pattern::parse(&permission.path, &permission.namespace) else {
        return false;
    };
    set.acl.rules().iter().any(|rule| {
        rule.is_unconstrained()
            && rule.capabilities.contains(permission.capability)
            && crate::policy::relation::implies(&pattern, &rule.pattern)
    })
}

/// Roles as policies, and who gets them.
fn build(
    joined: &Joined,
    tightened: &Scheme,
    fixed: &[usize],
    users: &[User],
    permissions: &Permissions,
    mined: &roles::Mined,
) -> Option<(Vec<Role>, Scheme)> {
    let mut policies: Vec<Policy> = fixed
        .iter()
        .filter_map(|&p| tightened.policies.get(p).cloned())
        .collect();
    let mut taken: BTreeSet<String> = joined.policies.iter().map(|p| p.name.to_string()).collect();
    let mut given_to: Vec<Vec<usize>> = users.iter().map(|_| Vec::new()).collect();
    let mut roles = Vec::new();
    for role in &mined.roles {
        let chosen: Vec<&Permission> = role
            .permissions
            .iter()
            .filter_map(|&p| permissions.all.get(p as usize))
            .collect();
        let (Some(first), false) = (chosen.first(), role.users.is_empty()) else {
            continue;
        };
        let name = name(&chosen, &mut taken);
        let stanzas = stanzas(tightened, &chosen);
        let policy = policy(joined, &name, first.namespace.clone(), &stanzas)?;
        let holders = role
            .users
            .iter()
            .filter_map(|&u| users.get(u as usize))
            .map(|u| u.holder)
            .collect();
        roles.push(Role {
            name,
            text: policy.source.to_string(),
            stanzas: stanzas
                .iter()
                .map(|s| (s.path.to_string(), s.capability_set()))
                .collect(),
            holders,
        });
        for &u in &role.users {
            if let Some(list) = given_to.get_mut(u as usize) {
                list.push(policies.len());
            }
        }
        policies.push(policy);
    }
    let mut given = BTreeMap::new();
    for (user, mut list) in users.iter().zip(given_to) {
        let today = joined
            .sets
            .get(user.set)
            .map(|s| s.policies.as_slice())
            .unwrap_or_default();
        for (n, &p) in fixed.iter().enumerate() {
            let held = tightened.policies.get(p).is_some_and(|policy| {
                today
                    .iter()
                    .filter_map(|&t| joined.policies.get(t))
                    .any(|t| t.name == policy.name && t.namespace == policy.namespace)
            });
            if held {
                list.push(n);
            }
        }
        list.sort_unstable();
        list.dedup();
        given.insert((user.set, user.holder), list);
    }
    Some((roles, Scheme { policies, given }))
}

/// The stanzas of a set of permissions: one a path.
fn stanzas(tightened: &Scheme, chosen: &[&Permission]) -> Vec<Stanza> {
    let mut by_path: BTreeMap<(&str, Option<(usize, usize)>), Vec<Capability>> = BTreeMap::new();
    for p in chosen {
        by_path.entry((&p.path, p.source)).or_default().push(p.capability);
    }
    by_path
        .into_iter()
        .map(|((path, source), mut capabilities)| {
            capabilities.sort_unstable();
            let constraints = source
                .and_then(|(p, s)| tightened.policies.get(p).and_then(|p| p.stanzas.get(s)))
                .map(|s| s.constraints.clone())
                .unwrap_or_default();
            stanza(path, capabilities, constraints)
        })
        .collect()
}

fn stanza(path: &str, capabilities: Vec<Capability>, constraints: Constraints) -> Stanza {
    Stanza {
        path: Arc::from(path),
        templated: is_templated(path),
        capabilities,
        constraints,
        origin: Origin::new("<proposed>", 1, 1),
        span: 0..0,
        capabilities_span: None,
        comment: Vec::new(),
        comment_span: None,
        keys: Vec::new(),
    }
}

fn policy(joined: &Joined, name: &str, namespace: Arc<str>, stanzas: &[Stanza]) -> Option<Policy> {
    let text = print::policy(stanzas);
    let mut policy = syntax::parse(name, &format!("{name}.hcl"), &text, &joined.profile.dialect()).ok()?;
    policy.namespace = namespace;
    Some(policy)
}

/// A name that says what the role is about: the words that all its paths share, or its first path's.
fn name(chosen: &[&Permission], taken: &mut BTreeSet<String>) -> String {
    const DULL: [&str; 7] = ["data", "metadata", "+", "*", "", "acl", "policies"];
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let paths: BTreeSet<&str> = chosen.iter().map(|p| &*p.path).collect();
    for path in &paths {
        let words: BTreeSet<&str> = path
            .split('/')
            .filter(|w| !DULL.contains(w) && !w.contains(['{', '}', '*', '+']))
            .collect();
        for word in words {
            *counts.entry(word).or_default() += 1;
        }
    }
    let first: Vec<&str> = paths.first().map(|p| p.split('/').collect()).unwrap_or_default();
    let mut words: Vec<(&str, usize)> = counts.into_iter().collect();
    words.sort_by_key(|(word, n)| {
        let place = first.iter().position(|w| w == word).unwrap_or(usize::MAX);
        (std::cmp::Reverse(*n), place, *word)
    });
    let writes = chosen
        .iter()
        .any(|p| !matches!(p.capability, Capability::Read | Capability::List | Capability::Scan));
    let mut parts: Vec<String> = words
        .iter()
        .take(2)
        .map(|(w, _)| slug(w))
        .filter(|w| !w.is_empty())
        .collect();
    if parts.is_empty() {
        parts.push("role".to_owned());
    }
    parts.push(if writes { "write" } else { "read" }.to_owned());
    let base = parts.join("-");
    let mut name = base.clone();
    let mut n = 2;
    while !taken.insert(name.clone()) {
        name = format!("{base}-{n}");
        n += 1;
    }
    name
}

/// Letters, digits and dashes of a word, lower case, at most 24.
fn slug(word: &str) -> String {
    let mut slug: String = word
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(24)
        .collect();
    while slug.contains("--") {
        slug = slug.replace("--", "-");
    }
    slug.trim_matches('-').to_owned()
}

/// Makes the paths that failures name exact for the users concerned; whether anything changed.
fn make_exact(
    joined: &Joined,
    scheme: &Scheme,
    failures: &[Failure],
    users: &mut [User],
    permissions: &mut Permissions,
    withdrawn: &mut Vec<(String, String)>,
) -> bool {
    let mut changed = false;
    for failure in failures {
        match failure {
            Failure::Denied { demand } => {
                let Some(d) = joined.demands.get(*demand) else { continue };
                let Some(user) = users.iter_mut().find(|u| u.set == d.set && u.holder == d.holder) else {
                    continue;
                };
                // An unused permission that took this one away is not worth it.
                let winner = winner(joined, scheme, user, &d.path, d.operation());
                let before = user.barred.len();
                user.barred.extend(
                    winner
                        .iter()
                        .flat_map(|text| permissions.of(text))
                        .filter(|n| !user.needs.contains(n)),
                );
                changed |= user.barred.len() > before;
                // An exact stanza always wins: it has to hold all that this principal uses of the path.
                for other in joined
                    .demands
                    .iter()
                    .filter(|o| o.set == d.set && o.holder == d.holder && o.path == d.path)
                {
                    if matches!(other.outcome, Outcome::Explained(_)) {
                        for capability in other.needs().iter() {
                            changed |= user.needs.insert(permissions.number(exact(
                                other.demand.namespace.clone(),
                                &other.demand.path,
                                capability,
                            )));
                        }
                    }
                }
            }
            Failure::Granted {
                set,
                holders,
                path,
                operation,
            } => {
                for &holder in holders {
                    let Some(user) = users.iter_mut().find(|u| u.set == *set && u.holder == holder) else {
                        continue;
                    };
                    changed |= unwiden(joined, scheme, user, permissions, path, *operation, withdrawn);
                }
            }
            Failure::Undecided { set, holders, .. } => {
                for &holder in holders {
                    let Some(user) = users.iter_mut().find(|u| u.set == *set && u.holder == holder) else {
                        continue;
                    };
                    let all: BTreeSet<u32> = user.needs.iter().copied().collect();
                    changed |= replace(joined, user, permissions, &all);
                }
            }
        }
    }
    changed
}

fn exact(namespace: Arc<str>, path: &str, capability: Capability) -> Permission {
    Permission {
        namespace,
        path: Arc::from(path),
        capability,
        source: None,
    }
}

/// The paths, as written, of the stanzas that decide a request of this user under the scheme.
fn winner(joined: &Joined, scheme: &Scheme, user: &User, path: &str, operation: Operation) -> BTreeSet<Arc<str>> {
    let Some(given) = scheme.given.get(&(user.set, user.holder)) else {
        return BTreeSet::new();
    };
    let Some(set) = joined.sets.get(user.set) else {
        return BTreeSet::new();
    };
    let chosen: Vec<&Policy> = given.iter().filter_map(|&p| scheme.policies.get(p)).collect();
    let acl = Acl::compile(joined.profile, &chosen, &set.identity, joined.now);
    let rule = acl.winner(operation, path).and_then(|r| acl.rule(r));
    rule.into_iter()
        .flat_map(|r| &r.sources)
        .filter_map(|s| chosen.get(s.policy).and_then(|p| p.stanzas.get(s.stanza)))
        .map(|s| s.path.clone())
        .collect()
}

/// Takes the pattern that grants `path` anew from a user and gives it the exact paths that it used instead.
fn unwiden(
    joined: &Joined,
    scheme: &Scheme,
    user: &mut User,
    permissions: &mut Permissions,
    path: &str,
    operation: Operation,
    withdrawn: &mut Vec<(String, String)>,
) -> bool {
    let texts = winner(joined, scheme, user, path, operation);
    let wide: BTreeSet<u32> = texts.iter().flat_map(|text| permissions.of(text)).collect();
    let before = user.barred.len();
    user.barred.extend(&wide);
    let barred = user.barred.len() > before;
    let needed = wide.intersection(&user.needs).copied().collect();
    let who = joined.holders.get(user.holder).map_or("somebody", |h| h.display());
    if let (Some(text), true) = (texts.first(), barred) {
        withdrawn.push((
            format!("`{text}` for `{who}`"),
            format!("it would open `{path}`; exact paths instead"),
        ));
    }
    replace(joined, user, permissions, &needed) || barred
}

/// Replaces permissions of a user by the exact paths that it used through them.
fn replace(joined: &Joined, user: &mut User, permissions: &mut Permissions, wide: &BTreeSet<u32>) -> bool {
    let patterns: Vec<(u32, crate::policy::pattern::Pattern, Capability)> = wide
        .iter()
        .filter_map(|&n| {
            let p = permissions.all.get(n as usize)?;
            let pattern = crate::policy::pattern::Pattern::parse(&p.path, &p.namespace).ok()?;
            (!pattern.is_exact() && p.source.is_none() && !is_templated(&p.path)).then_some((n, pattern, p.capability))
        })
        .collect();
    if patterns.is_empty() {
        return false;
    }
    for (n, _, _) in &patterns {
        user.needs.remove(n);
    }
    let mine = joined
        .demands
        .iter()
        .filter(|d| d.set == user.set && d.holder == user.holder);
    for d in mine.filter(|d| matches!(d.outcome, Outcome::Explained(_))) {
        if patterns
            .iter()
            .any(|(_, p, c)| p.matches(&d.path) && d.needs().contains(*c))
        {
            for capability in d.needs().iter() {
                user.needs
                    .insert(permissions.number(exact(d.demand.namespace.clone(), &d.demand.path, capability)));
            }
        }
    }
    true
}

/// Size and exposure of a scheme over the sets that are in force today.
#[must_use]
pub fn measure(joined: &Joined, scheme: &Scheme, weights: &Weights) -> Size {
    let mut used: HashMap<HolderId, HashMap<&str, CapabilitySet>> = HashMap::new();
    for d in joined.demands.iter().filter(|d| d.was_allowed()) {
        let on = used.entry(d.holder).or_default().entry(&d.path).or_default();
        *on = on.union(d.needs());
    }
    let mut in_force: BTreeSet<usize> = BTreeSet::new();
    let mut by_case: BTreeMap<(SetId, &[usize]), Vec<HolderId>> = BTreeMap::new();
    let mut size = Size::default();
    for (&(set, holder), given) in &scheme.given {
        in_force.extend(given);
        let who = joined.holders.get(holder).map(|h| h.principal.kind);
        if matches!(who, Some(PrincipalKind::Root | PrincipalKind::Unauthenticated)) {
            continue;
        }
        if joined.current.get(holder) == Some(&set) {
            size.assignments += given.len() as u64;
            by_case.entry((set, given)).or_default().push(holder);
        }
    }
    // A policy that nobody holds is still one to read, and one to attach by mistake.
    in_force.extend(0..scheme.policies.len());
    size.policies = in_force.len() as u64;
    size.stanzas = scheme.policies.iter().map(|p| p.stanzas.len() as u64).sum();
    let cases: Vec<_> = by_case.into_iter().collect();
    let parts: Vec<Vec<(u64, f64)>> = cases
        .par_iter()
        .filter_map(|((set, given), holders)| {
            let set = joined.sets.get(*set)?;
            let chosen: Vec<&Policy> = given.iter().filter_map(|&p| scheme.policies.get(p)).collect();
            let acl = Acl::compile(joined.profile, &chosen, &set.identity, joined.now);
            let reach = reach(&acl, &joined.universe);
            Some(
                holders
                    .iter()
                    .map(|h| excess(&reach, &joined.universe, used.get(h), weights))
                    .collect(),
            )
        })
        .collect();
    let each: Vec<(u64, f64)> = parts.into_iter().flatten().collect();
    for (pairs, weight) in &each {
        size.exposure += pairs;
        size.weight += weight;
        size.risk_mean += score(*weight) / each.len() as f64;
    }
    size
}

/// Granted and unused pairs of one holder, and their weight with open ends.
#[must_use]
pub fn excess(
    reach: &Reach,
    universe: &Universe,
    used: Option<&HashMap<&str, CapabilitySet>>,
    weights: &Weights,
) -> (u64, f64) {
    let mut pairs = 0;
    let mut weight = 0.0;
    for &(n, granted) in &reach.granted {
        let path = universe.path(n);
        let unused = granted.difference(used.and_then(|u| u.get(path)).copied().unwrap_or_default());
        pairs += unused.len() as u64;
        weight += weights.of(path, unused);
    }
    weight += reach
        .open_ends
        .iter()
        .map(|(lead, c)| weights.open_end(lead, *c))
        .sum::<f64>();
    (pairs, weight)
}
