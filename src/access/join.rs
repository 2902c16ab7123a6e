//! The join itself: every demand decided by the policies that were in force for it.

use super::doubt::{self, Doubt};
use super::holder::{self, Directory, Holder, HolderId};
use super::infer;
use super::logins::{self, Login, Way};
use super::meant::{self, HeldSet, Meant, Reader};
use super::sets::{AccessSet, ByName, SetId, Sets, StanzaId};
use super::universe::Universe;
use crate::deployment::Deployment;
use crate::policy::acl::RuleId;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::template::{Entity, Identity};
use crate::usage::Facts;
use crate::usage::demand::{Demand, Principal};
use crate::usage::held::{Held, Namespaces};
use crate::vault::{Capability, CapabilitySet, Operation, PolicyId, PrincipalKind, RoleId, identity, protected};
use jiff::Timestamp;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What is joined.
pub struct Inputs<'a> {
    /// What the logs say.
    pub facts: Facts,
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
    /// Who may hold which policy without that being known.
    pub may_hold: MayHold,
    /// Stanzas that could have explained what the policies as read do not explain: nobody's use of them is known whole.
    pub doubted: BTreeMap<StanzaId, Doubt>,
    /// Who did something that is not explained.
    pub unexplained_by: BTreeSet<HolderId>,
    /// Stanzas that are kept because somebody said so, with the reason.
    pub kept: BTreeMap<StanzaId, Arc<str>>,
    /// Who holds a policy of which something is kept.
    pub kept_for: BTreeSet<HolderId>,
    /// Whose lines could not be read as far as what they asked for: how many of each.
    pub lost: BTreeMap<HolderId, u64>,
    /// Entries that are cut so far that not even their holder is known.
    pub cut: u64,
    /// Policies that somebody holds and that were not read, with who.
    pub missing: BTreeMap<PolicyId, BTreeSet<HolderId>>,
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
    /// The policies.
    pub policies: BTreeSet<PolicyId>,
    /// Whether all that hands out policies was read.
    pub whole: bool,
}

impl Joined {
    /// The set in force for a holder today.
    #[must_use]
    pub fn current_set(&self, holder: HolderId) -> Option<&AccessSet> {
        self.current.get(holder).and_then(|&s| self.sets.get(s))
    }

    /// Whether what this holder has is to stay as it is: something that it did is not explained, or something is kept.
    #[must_use]
    pub fn stays(&self, holder: HolderId) -> bool {
        self.unexplained_by.contains(&holder) || self.kept_for.contains(&holder)
    }

    /// Whether a stanza is not to be touched, for anybody.
    #[must_use]
    pub fn is_fixed(&self, stanza: StanzaId) -> bool {
        self.doubted.contains_key(&stanza) || self.kept.contains_key(&stanza)
    }

    /// Keeps these stanzas, and these policies from being deleted.
    pub fn keep(&mut self, stanzas: BTreeMap<StanzaId, Arc<str>>, policies: &BTreeSet<usize>) {
        let held = policies.iter().filter_map(|&policy| self.held_by.get(policy));
        self.kept_for = held.flatten().copied().collect();
        self.kept = stanzas;
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
type SeenLast = BTreeMap<HeldSet, Option<Timestamp>>;

/// A list of policies in the log: whose, what it means, and when it was last in force.
struct Listed {
    holder: HolderId,
    meant: Meant,
    last: Option<Timestamp>,
    /// Whether something was allowed by it that needs a stanza, or it is not listed: then its holder may have any.
    is_used: bool,
}

/// The namespaces that lists of these names are known to be of, by principal.
type Told<'a> = HashMap<(HolderId, &'a [Arc<str>]), BTreeSet<Arc<str>>>;

/// The lists of policies in the log, each read once.
struct Lists<'a> {
    reader: Reader<'a>,
    /// Namespaces that tokens of a principal with a list of these names are known to be of.
    told: Told<'a>,
    listed: Vec<Listed>,
    number: HashMap<(HolderId, &'a Held, &'a str), usize>,
}

impl<'a> Lists<'a> {
    fn number(&mut self, holder: HolderId, principal: &Principal, held: &'a Held, at: &'a str) -> usize {
        let (reader, told, listed) = (&self.reader, &self.told, &mut self.listed);
        *self.number.entry((holder, held, at)).or_insert_with(|| {
            let none = BTreeSet::new();
            let told = told.get(&(holder, &*held.own)).unwrap_or(&none);
            listed.push(Listed {
                holder,
                meant: reader.read(principal, held, at, told),
                last: None,
                is_used: false,
            });
            listed.len() - 1
        })
    }

    fn used(&mut self, number: usize, last: Option<Timestamp>, is_used: bool) {
        if let Some(listed) = self.listed.get_mut(number) {
            listed.last = listed.last.max(last);
            listed.is_used |= is_used;
        }
    }
}

/// The namespaces that lists of these names are known to be of, by principal.
fn told<'a>(held: impl Iterator<Item = (HolderId, &'a Held)>, namespaces: &Namespaces) -> Told<'a> {
    let mut told = Told::new();
    let mut before: Option<(HolderId, *const Held)> = None;
    for (holder, held) in held {
        if before.replace((holder, held)) == Some((holder, held)) {
            continue;
        }
        if let Some(space) = held.space.as_ref().and_then(|space| namespaces.path(space)) {
            told.entry((holder, &held.own)).or_default().insert(space);
        }
    }
    told
}

/// Joins.
#[must_use]
pub fn join(inputs: Inputs<'_>) -> Joined {
    let Inputs {
        facts,
        policies,
        deployment,
        profile,
        now,
    } = inputs;
    let Facts {
        mut demands,
        sets: mut seen_sets,
        namespaces,
        lost,
    } = facts;
    let namespaces = &namespaces;
    let by_name = ByName::new(&policies);
    let reader = Reader {
        namespaces,
        by_name: &by_name,
    };
    let settled = meant::settle(&mut demands, &mut seen_sets, &reader);
    let whose = |(principal, held): &(Principal, Arc<Held>)| {
        let settled = settled.get(&(principal.clone(), held.clone()));
        settled.unwrap_or(principal).clone()
    };
    let lost_known: Vec<(Principal, &Held, u64)> = lost
        .known
        .iter()
        .map(|(of, lines)| (whose(of), &*of.1, *lines))
        .collect();
    let crosses = seen_sets
        .iter()
        .any(|set| !set.held.placed.is_empty() && set.held.listed)
        || demands.iter().any(|d| !d.held.placed.is_empty() && d.held.listed);
    let directory = deployment.map(|deployment| Directory::new(deployment, crosses));
    let mut holders: Vec<Holder> = Vec::new();
    let mut number: HashMap<Principal, HolderId> = HashMap::new();
    // Where something was allowed to each; a token is refused wherever it has nothing to say.
    let mut at_work_in: Vec<BTreeSet<&str>> = Vec::new();
    let mut holder_of: Vec<HolderId> = Vec::with_capacity(demands.len());
    // Usage lists the demands of a principal one after the other, most of them under the same policies.
    let mut before: Option<(&Principal, HolderId)> = None;
    for demand in &demands {
        let id = match before {
            Some((principal, id)) if is_same(principal, &demand.principal) => id,
            _ => *number.entry(key(&demand.principal)).or_insert_with(|| {
                holders.push(new_holder(&demand.principal, &demand.namespace, directory.as_ref()));
                at_work_in.push(BTreeSet::new());
                holders.len() - 1
            }),
        };
        before = Some((&demand.principal, id));
        holder_of.push(id);
        if let Some(holder) = holders.get_mut(id) {
            holder.days.extend(&demand.days);
        }
        if let Some(namespaces) = at_work_in.get_mut(id).filter(|_| demand.allowed > 0) {
            namespaces.insert(&demand.namespace);
        }
    }
    // Who logged in and asked for nothing, or of whose lines nothing else could be read, holds policies all the same.
    let mut holder = |principal: &Principal| {
        *number.entry(key(principal)).or_insert_with(|| {
            holders.push(new_holder(principal, "", directory.as_ref()));
            at_work_in.push(BTreeSet::new());
            holders.len() - 1
        })
    };
    let set_holders: Vec<HolderId> = seen_sets.iter().map(|set| holder(&set.principal)).collect();
    let lost_holders: Vec<HolderId> = lost_known.iter().map(|(principal, ..)| holder(principal)).collect();
    // The lists that tokens had, also those that nothing was seen to be done with.
    let lost_sets = lost_holders.iter().zip(&lost_known);
    let lost_sets = lost_sets.map(|(&holder, (_, held, _))| (holder, *held, None));
    let seen = set_holders.iter().zip(&seen_sets);
    let seen = seen.map(|(&holder, set)| (holder, &*set.held, set.last_seen));
    let lists_seen: Vec<(HolderId, &Held, Option<Timestamp>)> = seen.chain(lost_sets).collect();
    let of_demands = demands.iter().zip(&holder_of).map(|(d, &h)| (h, &*d.held));
    let of_lists = lists_seen.iter().map(|(holder, held, _)| (*holder, *held));
    let mut lists = Lists {
        reader,
        told: told(of_demands.chain(of_lists), namespaces),
        listed: Vec::new(),
        number: HashMap::new(),
    };
    let mut list_of: Vec<usize> = Vec::with_capacity(demands.len());
    let mut before: Option<(HolderId, &Demand, usize)> = None;
    for (demand, &holder) in demands.iter().zip(&holder_of) {
        let list = match before {
            Some((h, last, list))
                if h == holder
                    && Arc::ptr_eq(&last.held, &demand.held)
                    && (Arc::ptr_eq(&last.namespace, &demand.namespace) || last.namespace == demand.namespace) =>
            {
                list
            }
            _ => {
                let elsewhere = at_work_in
                    .get(holder)
                    .filter(|_| demand.principal.kind == PrincipalKind::Entity);
                let at = elsewhere.map_or(&*demand.namespace, |all| identity::common(&demand.namespace, all));
                lists.number(holder, &demand.principal, &demand.held, at)
            }
        };
        before = Some((holder, demand, list));
        lists.used(
            list,
            demand.last_seen,
            (demand.allowed > 0 && !needs_no_stanza(demand)) || !demand.held.listed,
        );
        list_of.push(list);
    }
    let mut logged_in_as: Vec<BTreeSet<RoleId>> = holders.iter().map(|_| BTreeSet::new()).collect();
    let roles = seen_sets.iter().map(Some).chain(std::iter::repeat(None));
    for (&(holder, held, last), set) in lists_seen.iter().zip(roles) {
        let Some(principal) = holders.get(holder).map(|holder| holder.principal.clone()) else {
            continue;
        };
        let all = at_work_in.get(holder).cloned().unwrap_or_default();
        let places = match all.first() {
            None => BTreeSet::from([""]),
            Some(first) if principal.kind == PrincipalKind::Entity => BTreeSet::from([identity::common(first, &all)]),
            Some(_) => all,
        };
        for at in places {
            let list = lists.number(holder, &principal, held, at);
            lists.used(list, last, true);
            let space = lists.listed.get(list).and_then(|listed| listed.meant.space());
            let role = set.filter(|set| !set.role.is_empty());
            if let (Some(space), Some(roles), Some(set)) = (space, logged_in_as.get_mut(holder), role) {
                roles.insert(RoleId::new(space.clone(), set.mount.clone(), set.role.clone()));
            }
        }
    }
    let mut seen_last: Vec<SeenLast> = holders.iter().map(|_| BTreeMap::new()).collect();
    let mut newest: Vec<Option<Option<Timestamp>>> = vec![None; holders.len()];
    for listed in &lists.listed {
        if let Some(seen) = seen_last.get_mut(listed.holder) {
            for reading in &listed.meant.readings {
                let last = seen.entry(reading.clone()).or_default();
                *last = (*last).max(listed.last);
            }
        }
        // Where its tokens live, by the last of them that tells.
        if let (Some(space), Some(newest), Some(holder)) = (
            listed.meant.space(),
            newest.get_mut(listed.holder),
            holders.get_mut(listed.holder),
        ) && newest.is_none_or(|last| listed.last >= last)
        {
            *newest = Some(listed.last);
            holder.namespace = space.clone();
        }
    }
    for ((holder, seen), roles) in holders.iter_mut().zip(&seen_last).zip(&logged_in_as) {
        let mut sets: Vec<_> = seen.iter().collect();
        // The newest first; a set of the same time that holds more is the fuller picture.
        sets.sort_by_key(|(set, last)| {
            (
                std::cmp::Reverse(**last),
                std::cmp::Reverse(set.policies.len()),
                (*set).clone(),
            )
        });
        holder.sets = sets
            .into_iter()
            .map(|(set, _)| set.clone())
            .filter(|set| !set.policies.is_empty() || set.open)
            .collect();
        if let Some(directory) = &directory {
            holder.assigned = directory.assigned(&holder.principal, roles);
        }
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

    let asked = demands.iter().zip(holder_of.iter().copied()).zip(&list_of);
    let asked = asked.filter(|((demand, _), _)| !needs_no_stanza(demand));
    let asked = asked.filter_map(|((demand, holder), &list)| {
        Some((demand, holder, lists.listed.get(list)?.meant.readings.first()?))
    });
    let inferred = infer::identities(&mut holders, asked, &policies, &by_name, profile, now);
    let mut builder = Sets::new(&policies, &by_name, profile, now);
    let mut current = Vec::with_capacity(holders.len());
    let mut sets_of: Vec<BTreeSet<SetId>> = Vec::with_capacity(holders.len());
    let mut logins = Vec::new();
    for (id, (holder, ways)) in holders.iter().zip(ways).enumerate() {
        let first = holder.sets.first().cloned().unwrap_or_else(|| HeldSet::of([]));
        let today = builder.number(id, holder, &first, true);
        current.push(today);
        let others = holder.sets.iter().skip(1);
        let mut held: BTreeSet<SetId> = others.map(|held| builder.number(id, holder, held, false)).collect();
        held.insert(today);
        sets_of.push(held);
        for way in ways {
            logins.push(Login {
                holder: id,
                set: builder.number(id, holder, &way.held, false),
                places: way.places,
            });
        }
    }
    let readings: Vec<Vec<SetId>> = lists
        .listed
        .iter()
        .map(|listed| {
            let holder = holders.get(listed.holder);
            let sets = listed.meant.readings.iter();
            sets.filter_map(|reading| Some(builder.number(listed.holder, holder?, reading, false)))
                .collect()
        })
        .collect();
    let may_hold = MayHold::by(&lists.listed);
    let mut lost_by: BTreeMap<HolderId, u64> = BTreeMap::new();
    for (&holder, (.., lines)) in lost_holders.iter().zip(&lost_known) {
        *lost_by.entry(holder).or_default() += lines;
    }
    drop(lists);
    let sets = builder.compile(&holders);

    let demands: Vec<JoinedDemand> = demands
        .into_par_iter()
        .zip(holder_of)
        .zip(list_of)
        .map(|((demand, holder), list)| {
            let readings = readings.get(list).map_or(&[][..], Vec::as_slice);
            decide(demand, holder, readings, &sets)
        })
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
    let mut missing: BTreeMap<PolicyId, BTreeSet<HolderId>> = BTreeMap::new();
    for set in &sets {
        for &p in &set.policies {
            if let Some(h) = held_by.get_mut(p) {
                h.extend(&set.holders);
            }
        }
        for policy in &set.missing {
            missing.entry(policy.clone()).or_default().extend(&set.holders);
        }
    }
    let (doubted, unexplained_by) = doubt::stanzas(&doubt::Known {
        policies: &policies,
        demands: &demands,
        sets: &sets,
        sets_of: &sets_of,
        held_by: &held_by,
        may_hold: &may_hold,
    });
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
        may_hold,
        doubted,
        unexplained_by,
        kept: BTreeMap::new(),
        kept_for: BTreeSet::new(),
        lost: lost_by,
        cut: lost.cut,
        missing,
        universe,
        inferred,
        handed_out: deployment.map(|d| HandedOut {
            policies: policies_named(d).collect(),
            whole: d.unread.is_empty(),
        }),
    }
}

/// Every policy that something of the deployment hands out, or may hand out.
fn policies_named(deployment: &Deployment) -> impl Iterator<Item = PolicyId> {
    let roles = deployment.roles.iter().flat_map(|role| {
        let given = holder::policies_of(&role.namespace, &role.policies);
        given
            .into_iter()
            .chain(holder::policies_of(&role.namespace, &role.allowed_policies))
    });
    let groups = deployment
        .groups
        .iter()
        .flat_map(|g| holder::policies_of(&g.namespace, &g.policies));
    let entities = deployment
        .entities
        .iter()
        .flat_map(|e| holder::policies_of(&e.namespace, &e.policies));
    roles.chain(groups).chain(entities)
}

/// Who may hold which policy without that being known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MayHold {
    /// Whose lists are not in the log. A group may hand out policies of any namespace, so these may hold any.
    anything: BTreeSet<HolderId>,
    /// Whose lists name a policy without its namespace, by the policy's name.
    by_name: BTreeMap<Arc<str>, BTreeSet<HolderId>>,
}

impl MayHold {
    fn by(listed: &[Listed]) -> Self {
        let mut found = Self::default();
        for list in listed.iter().filter(|list| list.is_used) {
            if list.meant.is_unlisted {
                found.anything.insert(list.holder);
            }
            for name in &list.meant.somewhere {
                found.by_name.entry(name.clone()).or_default().insert(list.holder);
            }
        }
        found
    }

    /// Who may hold a policy of this name, in whatever namespace.
    pub fn who(&self, name: &str) -> impl Iterator<Item = HolderId> + '_ {
        self.anything
            .iter()
            .chain(self.by_name.get(name).into_iter().flatten())
            .copied()
    }

    /// Whether this holder may hold a policy of this name.
    #[must_use]
    pub fn is_open(&self, holder: HolderId, name: &str) -> bool {
        self.anything.contains(&holder) || self.by_name.get(name).is_some_and(|who| who.contains(&holder))
    }
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

fn new_holder(principal: &Principal, namespace: &str, directory: Option<&Directory<'_>>) -> Holder {
    let principal = principal.clone();
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
        assigned: Vec::new(),
        label: principal.auth_mount.to_string(),
        principal,
        namespace: Arc::from(namespace),
        sets: Vec::new(),
        identity,
        identity_known,
        days: BTreeSet::new(),
    }
}

/// Decides a demand by the first reading of its list that explains it; by the likeliest one where none does.
fn decide(demand: Demand, holder: HolderId, readings: &[SetId], sets: &[AccessSet]) -> JoinedDemand {
    let path = format!("{}{}", demand.namespace, demand.path);
    let needs_sudo = protected::needs_sudo(&demand.mount_type, &demand.path);
    let operation = Operation::of(demand.capability).filter(|_| !needs_no_stanza(&demand));
    let outcome = |set: &AccessSet| {
        let Some(operation) = operation else {
            return Outcome::NeedsNone;
        };
        let check = set.acl.check(operation, &path);
        let allowed = check.allowed && (!needs_sudo || check.sudo);
        match (demand.allowed > 0, allowed, check.rule) {
            (true, true, Some(rule)) => Outcome::Explained(rule),
            (true, true, None) => Outcome::NeedsNone,
            (true, false, _) => Outcome::NotExplained,
            (false, true, _) => Outcome::DeniedButAllowed,
            (false, false, _) => Outcome::Denied,
        }
    };
    let mut decided = readings.iter().filter_map(|&set| Some((set, outcome(sets.get(set)?))));
    let first = decided.next();
    let explained = |found: &(SetId, Outcome)| matches!(found.1, Outcome::Explained(_) | Outcome::NeedsNone);
    let found = match first {
        Some((_, Outcome::NotExplained)) => decided.find(explained).or(first),
        first => first,
    };
    // INVARIANT: every list has a reading, and each a set. Were one lost, nothing would explain the demand, which holds back
    // whatever could have.
    let (set, outcome) = found.unwrap_or((0, Outcome::NotExplained));
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
            held: Arc::new(Held::named(policies.iter().map(|p| Arc::from(*p)).collect())),
            keys_always: BTreeSet::new(),
            keys_ever: BTreeSet::new(),
        }
    }

    fn joined(policies: Vec<Policy>, demands: Vec<Demand>) -> Joined {
        join(Inputs {
            facts: demands.into(),
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
        assert_eq!(j.missing.keys().map(ToString::to_string).collect::<Vec<_>>(), ["x"]);
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
