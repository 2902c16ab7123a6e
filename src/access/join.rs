//! The join itself: every demand decided by the policies that were in force for it.

use super::holder::{Directory, Holder, HolderId};
use super::infer;
use super::logins::{self, Login, Way};
use super::sets::{AccessSet, ByName, SetId, Sets, StanzaId};
use super::universe::Universe;
use crate::deployment::Deployment;
use crate::policy::acl::RuleId;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::template::{Entity, Identity};
use crate::usage::demand::{Demand, PolicySet, Principal};
use crate::vault::{Capability, CapabilitySet, Operation, PrincipalKind, protected};
use jiff::Timestamp;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What is joined.
pub struct Inputs<'a> {
    /// Usage.
    pub demands: Vec<Demand>,
    /// The sets of policies that principals acted with, beside those that the demands name.
    pub sets: Vec<PolicySet>,
    /// The policies read.
    pub policies: Vec<Policy>,
    /// What is known of the deployment.
    pub deployment: Option<&'a Deployment>,
    /// Whose rules decide.
    pub profile: Profile,
    /// Seconds since the epoch, for stanzas that expire.
    pub now: Option<i64>,
}

/// What the engine says of a demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Allowed by this rule of its access set.
    Explained(RuleId),
    /// Needs no stanza: unauthenticated, root, help, or a path that any grant allows.
    NeedsNone,
    /// The log allowed it, the policies at hand do not.
    NotExplained,
    /// The log denied it, and so do the policies at hand.
    Denied,
    /// The log denied it, the policies at hand would allow it.
    DeniedButAllowed,
}

/// A demand with who, which policies, and what the engine says.
pub struct JoinedDemand {
    /// The demand.
    pub demand: Demand,
    /// The path with its namespace.
    pub path: String,
    /// Who.
    pub holder: HolderId,
    /// By which policies.
    pub set: SetId,
    /// What the engine says.
    pub outcome: Outcome,
    /// Whether the path asked for `sudo` besides.
    pub needs_sudo: bool,
}

impl JoinedDemand {
    /// The operation that asks for its capability.
    #[must_use]
    pub fn operation(&self) -> Operation {
        Operation::of(self.demand.capability).unwrap_or(Operation::Other)
    }

    /// The capabilities it needs of the winning stanza.
    #[must_use]
    pub fn needs(&self) -> CapabilitySet {
        let mut needs = CapabilitySet::of(self.demand.capability);
        if self.needs_sudo {
            needs.insert(Capability::Sudo);
        }
        needs
    }

    /// Whether it was allowed at least once.
    #[must_use]
    pub const fn was_allowed(&self) -> bool {
        self.demand.allowed > 0
    }
}

/// Use of one capability of one stanza.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StanzaUse {
    /// Requests that it allowed.
    pub requests: u64,
    /// By whom.
    pub holders: BTreeSet<HolderId>,
    /// Last time.
    pub last: Option<Timestamp>,
}

/// Usage joined with grants.
pub struct Joined {
    /// Whose rules decide.
    pub profile: Profile,
    /// Now, for stanzas that expire.
    pub now: Option<i64>,
    /// The policies read.
    pub policies: Vec<Policy>,
    /// Who.
    pub holders: Vec<Holder>,
    /// Policies in force together.
    pub sets: Vec<AccessSet>,
    /// What each holder has today: what it has when it logs in, where the deployment says so; else what it was seen with last.
    pub current: Vec<SetId>,
    /// The ways in that the deployment knows of, with where their policies come from.
    pub logins: Vec<Login>,
    /// Every demand.
    pub demands: Vec<JoinedDemand>,
    /// Use by (policy, stanza), by capability.
    pub uses: BTreeMap<StanzaId, BTreeMap<Capability, StanzaUse>>,
    /// Who holds each policy: parallel to `policies`.
    pub held_by: Vec<BTreeSet<HolderId>>,
    /// Policies that somebody holds and that were not read, with who.
    pub missing: BTreeMap<Arc<str>, BTreeSet<HolderId>>,
    /// Every path known.
    pub universe: Universe,
    /// Values of templates taken from the log, as sentences.
    pub inferred: Vec<String>,
    /// What the deployment hands out; none without a deployment.
    pub handed_out: Option<HandedOut>,
}

/// The policies that roles, groups and entities of a deployment hand out or may hand out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandedOut {
    /// Their names.
    pub policies: BTreeSet<Arc<str>>,
    /// Whether all that hands out policies was read.
    pub whole: bool,
}

impl Joined {
    /// The set in force for a holder today.
    #[must_use]
    pub fn current_set(&self, holder: HolderId) -> Option<&AccessSet> {
        self.current.get(holder).and_then(|&s| self.sets.get(s))
    }

    /// A stanza.
    #[must_use]
    pub fn stanza(&self, id: StanzaId) -> Option<&crate::policy::model::Stanza> {
        self.policies.get(id.0).and_then(|p| p.stanzas.get(id.1))
    }
}

/// The path that any grant under the mount allows: every CLI `kv` call asks it.
fn needs_no_stanza(demand: &Demand) -> bool {
    matches!(
        demand.principal.kind,
        PrincipalKind::Unauthenticated | PrincipalKind::Root
    ) || demand.path.starts_with("sys/internal/ui/mounts")
        || protected::unauthenticated(&demand.mount_type, &demand.path)
}

/// Policy sets of one principal, with when each was last seen in force.
type SeenLast = BTreeMap<Arc<[Arc<str>]>, Option<Timestamp>>;

/// Joins.
#[must_use]
pub fn join(inputs: Inputs<'_>) -> Joined {
    let Inputs {
        demands,
        sets,
        policies,
        deployment,
        profile,
        now,
    } = inputs;
    let directory = deployment.map(Directory::new);
    let mut holders: Vec<Holder> = Vec::new();
    let mut number: HashMap<Principal, HolderId> = HashMap::new();
    let mut seen_last: Vec<SeenLast> = Vec::new();
    let mut holder_of: Vec<HolderId> = Vec::with_capacity(demands.len());
    // Usage lists the demands of a principal one after the other, most of them under the same policies.
    let mut before: Option<(&Principal, HolderId)> = None;
    for demand in &demands {
        let id = match before {
            Some((principal, id)) if is_same(principal, &demand.principal) => id,
            _ => *number.entry(key(&demand.principal)).or_insert_with(|| {
                holders.push(new_holder(demand, directory.as_ref()));
                seen_last.push(BTreeMap::new());
                holders.len() - 1
            }),
        };
        before = Some((&demand.principal, id));
        holder_of.push(id);
        if let Some(holder) = holders.get_mut(id) {
            holder.days.extend(&demand.days);
        }
        if let Some(seen) = seen_last.get_mut(id) {
            match seen.get_mut(&demand.policies) {
                Some(last) => *last = (*last).max(demand.last_seen),
                None => {
                    seen.insert(demand.policies.clone(), demand.last_seen);
                }
            }
        }
    }
    for set in sets {
        let seen = number.get(&key(&set.principal)).and_then(|&id| seen_last.get_mut(id));
        if let Some(seen) = seen {
            let last = seen.entry(set.policies).or_default();
            *last = (*last).max(set.last_seen);
        }
    }
    for (holder, seen) in holders.iter_mut().zip(&seen_last) {
        let mut sets: Vec<_> = seen.iter().collect();
        // The newest first; a set of the same time that holds more is the fuller picture.
        sets.sort_by_key(|(set, last)| (std::cmp::Reverse(**last), std::cmp::Reverse(set.len()), (*set).clone()));
        holder.sets = sets
            .into_iter()
            .map(|(set, _)| set.clone())
            .filter(|s| !s.is_empty())
            .collect();
    }
    if let Some(directory) = &directory {
        let dormant = directory.dormant(&holders);
        holders.extend(dormant);
    }

    logins::list(&mut holders);
    let ways: Vec<Vec<Way>> = holders.iter().map(logins::ways).collect();
    for (holder, ways) in holders.iter_mut().zip(&ways) {
        logins::first(holder, ways);
    }

    let by_name = ByName::new(&policies);
    let asked = demands.iter().zip(holder_of.iter().copied());
    let asked = asked.filter(|(demand, _)| !needs_no_stanza(demand));
    let inferred = infer::identities(&mut holders, asked, &policies, &by_name, profile, now);
    let mut builder = Sets::new(&policies, &by_name, profile, now);
    let mut current = Vec::with_capacity(holders.len());
    let mut sets_of: Vec<BTreeSet<SetId>> = Vec::with_capacity(holders.len());
    let mut logins = Vec::new();
    for (id, (holder, ways)) in holders.iter().zip(ways).enumerate() {
        let first = holder.sets.first().cloned().unwrap_or_else(|| Arc::from([]));
        let today = builder.number(id, holder, &first, true);
        current.push(today);
        let others = holder.sets.iter().skip(1);
        let mut held: BTreeSet<SetId> = others.map(|names| builder.number(id, holder, names, false)).collect();
        held.insert(today);
        sets_of.push(held);
        for way in ways {
            logins.push(Login {
                holder: id,
                set: builder.number(id, holder, &way.policies, false),
                places: way.places,
            });
        }
    }
    let mut set_of: Vec<SetId> = Vec::with_capacity(demands.len());
    let mut before: Option<(HolderId, &Demand, SetId)> = None;
    for (d, &h) in demands.iter().zip(&holder_of) {
        let set = match before {
            Some((holder, last, set)) if holder == h && Arc::ptr_eq(&last.policies, &d.policies) => set,
            _ => holders
                .get(h)
                .map_or(0, |holder| builder.number(h, holder, &d.policies, false)),
        };
        before = Some((h, d, set));
        set_of.push(set);
    }
    let sets = builder.compile(&holders);

    let demands: Vec<JoinedDemand> = demands
        .into_par_iter()
        .zip(holder_of)
        .zip(set_of)
        .map(|((demand, holder), set)| decide(demand, holder, set, &sets))
        .collect();
    let demands = under_other_sets(demands, &holders, &sets_of, &sets);
    let (uses, universe) = rayon::join(
        || uses(&demands, &sets),
        || {
            let seen = demands.iter().map(|d| d.path.clone());
            let listed = deployment.into_iter().flat_map(|d| d.secrets.iter().cloned());
            Universe::new(seen.chain(listed).collect())
        },
    );
    let mut held_by: Vec<BTreeSet<HolderId>> = policies.iter().map(|_| BTreeSet::new()).collect();
    let mut missing: BTreeMap<Arc<str>, BTreeSet<HolderId>> = BTreeMap::new();
    for set in &sets {
        for &p in &set.policies {
            if let Some(h) = held_by.get_mut(p) {
                h.extend(&set.holders);
            }
        }
        for name in &set.missing {
            missing.entry(name.clone()).or_default().extend(&set.holders);
        }
    }
    Joined {
        profile,
        now,
        policies,
        holders,
        sets,
        current,
        logins,
        demands,
        uses,
        held_by,
        missing,
        universe,
        inferred,
        handed_out: deployment.map(|d| HandedOut {
            policies: policies_named(d).map(Arc::from).collect(),
            whole: d.unread.is_empty(),
        }),
    }
}

/// Every policy that something of the deployment hands out, or may hand out.
fn policies_named(deployment: &Deployment) -> impl Iterator<Item = &str> {
    let roles = deployment
        .roles
        .iter()
        .flat_map(|r| r.policies.iter().chain(&r.allowed_policies));
    let groups = deployment.groups.iter().flat_map(|g| &g.policies);
    let entities = deployment.entities.iter().flat_map(|e| &e.policies);
    roles.chain(groups).chain(entities).map(String::as_str)
}

/// Principals are one when kind and id agree; the name is only a word.
fn key(principal: &Principal) -> Principal {
    Principal {
        kind: principal.kind,
        id: principal.id.clone(),
        name: Arc::from(""),
        auth_mount: Arc::from(""),
    }
}

fn is_same(a: &Principal, b: &Principal) -> bool {
    a.kind == b.kind && (Arc::ptr_eq(&a.id, &b.id) || a.id == b.id)
}

fn new_holder(demand: &Demand, directory: Option<&Directory<'_>>) -> Holder {
    let principal = demand.principal.clone();
    let known = directory.and_then(|d| d.identity(&principal.id));
    let identity_known = known.is_some();
    let identity = known.unwrap_or_else(|| match principal.kind {
        PrincipalKind::Entity => Identity {
            entity: Some(Entity {
                id: principal.id.to_string(),
                ..Entity::default()
            }),
            groups: Vec::new(),
        },
        _ => Identity::default(),
    });
    Holder {
        assigned: directory.map(|d| d.assigned(&principal)).unwrap_or_default(),
        label: principal.auth_mount.to_string(),
        principal,
        namespace: demand.namespace.clone(),
        sets: Vec::new(),
        identity,
        identity_known,
        days: BTreeSet::new(),
    }
}

fn decide(demand: Demand, holder: HolderId, set: SetId, sets: &[AccessSet]) -> JoinedDemand {
    let path = format!("{}{}", demand.namespace, demand.path);
    let needs_sudo = protected::needs_sudo(&demand.mount_type, &demand.path);
    let outcome = match (
        needs_no_stanza(&demand),
        Operation::of(demand.capability),
        sets.get(set),
    ) {
        (true, _, _) | (_, None, _) | (_, _, None) => Outcome::NeedsNone,
        (false, Some(operation), Some(set)) => {
            let check = set.acl.check(operation, &path);
            let allowed = check.allowed && (!needs_sudo || check.sudo);
            match (demand.allowed > 0, allowed, check.rule) {
                (true, true, Some(rule)) => Outcome::Explained(rule),
                (true, true, None) => Outcome::NeedsNone,
                (true, false, _) => Outcome::NotExplained,
                (false, true, _) => Outcome::DeniedButAllowed,
                (false, false, _) => Outcome::Denied,
            }
        }
    };
    JoinedDemand {
        demand,
        path,
        holder,
        set,
        outcome,
        needs_sudo,
    }
}

/// Adds, for principals that act with several policy sets (a child token, a second login), each demand again under every other
/// of their sets that allows it. Usage keeps the set seen last for a demand; what was done with one token may have been done
/// with another before, so it has to stay possible with each. Such a demand counts no request.
fn under_other_sets(
    mut demands: Vec<JoinedDemand>,
    holders: &[Holder],
    sets_of: &[BTreeSet<SetId>],
    sets: &[AccessSet],
) -> Vec<JoinedDemand> {
    let mut more = Vec::new();
    for d in &demands {
        let several = sets_of.get(d.holder).filter(|of| of.len() > 1);
        // What the set seen last does not explain (a policy of it was not read) another may: it was allowed all the same.
        let (Some(several), Outcome::Explained(_) | Outcome::NotExplained) = (several, &d.outcome) else {
            continue;
        };
        if holders
            .get(d.holder)
            .is_none_or(|h| h.principal.kind == PrincipalKind::Root)
        {
            continue;
        }
        for &set in several.iter().filter(|&&s| s != d.set) {
            let Some(acl) = sets.get(set).map(|s| &s.acl) else {
                continue;
            };
            let check = acl.check(d.operation(), &d.path);
            if let (true, Some(rule)) = (check.allowed && (!d.needs_sudo || check.sudo), check.rule) {
                more.push(JoinedDemand {
                    demand: Demand {
                        allowed: 0,
                        denied: 0,
                        failed: 0,
                        ..d.demand.clone()
                    },
                    path: d.path.clone(),
                    holder: d.holder,
                    set,
                    outcome: Outcome::Explained(rule),
                    needs_sudo: d.needs_sudo,
                });
            }
        }
    }
    demands.append(&mut more);
    demands
}

fn uses(demands: &[JoinedDemand], sets: &[AccessSet]) -> BTreeMap<StanzaId, BTreeMap<Capability, StanzaUse>> {
    let mut uses: BTreeMap<StanzaId, BTreeMap<Capability, StanzaUse>> = BTreeMap::new();
    for d in demands {
        let Outcome::Explained(rule) = d.outcome else { continue };
        let Some(set) = sets.get(d.set) else { continue };
        let Some(rule) = set.acl.rule(rule) else { continue };
        for source in &rule.sources {
            let Some(&policy) = set.policies.get(source.policy) else {
                continue;
            };
            for capability in d.needs().intersection(source.capabilities).iter() {
                let used = uses
                    .entry((policy, source.stanza))
                    .or_default()
                    .entry(capability)
                    .or_default();
                used.requests += d.demand.allowed;
                used.holders.insert(d.holder);
                used.last = used.last.max(d.demand.last_seen);
            }
        }
    }
    uses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::syntax;

    fn policy(name: &str, text: &str) -> Policy {
        syntax::parse(name, &format!("{name}.hcl"), text, &Profile::default().dialect()).unwrap()
    }

    fn demand(path: &str, policies: &[&str], allowed: u64, denied: u64) -> Demand {
        Demand {
            principal: Principal {
                kind: PrincipalKind::Entity,
                id: Arc::from("e-1"),
                name: Arc::from("app"),
                auth_mount: Arc::from("auth/approle/"),
            },
            namespace: Arc::from(""),
            path: Arc::from(path),
            capability: Capability::Read,
            mount_type: Arc::from("kv"),
            allowed,
            denied,
            failed: 0,
            first_seen: None,
            last_seen: None,
            days: BTreeSet::from([1]),
            policies: policies.iter().map(|p| Arc::from(*p)).collect(),
            keys_always: BTreeSet::new(),
            keys_ever: BTreeSet::new(),
        }
    }

    fn joined(policies: Vec<Policy>, demands: Vec<Demand>) -> Joined {
        join(Inputs {
            demands,
            sets: Vec::new(),
            policies,
            deployment: None,
            profile: Profile::default(),
            now: None,
        })
    }

    #[test]
    fn a_demand_is_decided_by_the_policies_in_force_for_it() {
        let j = joined(
            vec![policy("p", "path \"s/a\" { capabilities = [\"read\"] }")],
            vec![
                demand("s/a", &["p"], 3, 0),
                demand("s/b", &["p"], 0, 1),
                demand("s/c", &["p", "x"], 1, 0),
            ],
        );
        let outcome = |path: &str| {
            j.demands
                .iter()
                .find(|d| d.path == path)
                .map(|d| d.outcome.clone())
                .unwrap()
        };
        assert!(matches!(outcome("s/a"), Outcome::Explained(_)));
        assert_eq!(outcome("s/b"), Outcome::Denied);
        assert_eq!(outcome("s/c"), Outcome::NotExplained);
        assert_eq!(j.missing.keys().map(|n| &**n).collect::<Vec<_>>(), ["x"]);
        assert_eq!(j.uses[&(0, 0)][&Capability::Read].requests, 3);
    }

    #[test]
    fn what_one_token_did_stays_possible_with_the_other_tokens_of_its_principal() {
        let j = joined(
            vec![
                policy("p", "path \"s/*\" { capabilities = [\"read\"] }"),
                policy("q", "path \"s/a\" { capabilities = [\"read\"] }"),
            ],
            vec![demand("s/a", &["p"], 2, 0), demand("s/a/b", &["q"], 0, 1)],
        );
        // `q` allows `s/a` as well: its stanza counts as used, for no further request.
        assert_eq!(j.uses[&(1, 0)][&Capability::Read].requests, 0);
        assert_eq!(j.uses[&(0, 0)][&Capability::Read].requests, 2);
        assert_eq!(j.demands.iter().map(|d| d.demand.allowed).sum::<u64>(), 2);
    }

    #[test]
    fn a_template_is_filled_from_what_the_log_settles() {
        let j = joined(
            vec![policy(
                "home",
                "path \"s/home/{{identity.entity.name}}/*\" { capabilities = [\"read\"] }",
            )],
            vec![demand("s/home/ann/x", &["home"], 1, 0)],
        );
        assert!(
            matches!(j.demands[0].outcome, Outcome::Explained(_)),
            "{:?}",
            j.inferred
        );
        assert_eq!(j.inferred.len(), 1);
    }
}
