//! The join itself: every demand decided by the policies that were in force for it.

use super::attribute::{self, Readings, decide, is_open, is_unbound, under_other_sets, uses};
use super::besides;
use super::doubt::{self, Doubt};
use super::handed_out::HandedOut;
use super::holder::{Directory, Holder, HolderId};
use super::infer;
use super::lists::{Listed, Lists, MayHold, Seen};
use super::logins::{self, Login, Way};
use super::meant::{self, HeldSet, Reader};
use super::people::People;
use super::sets::{AccessSet, ByName, PolicyNumber, SetId, Sets, StanzaId};
use super::universe::Universe;
use crate::deployment::Deployment;
use crate::index::{Idx, IndexVec};
use crate::policy::acl::RuleId;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::table::Table;
use crate::usage::demand::{Demand, Principal};
use crate::usage::held::Held;
use crate::usage::{Facts, Untold};
use crate::vault::{Capability, CapabilitySet, Operation, PolicyId, RoleId, path};
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

/// Number of a demand in [`Joined::demands`].
pub type DemandId = Idx<JoinedDemand>;

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
    pub policies: Table,
    /// Who.
    pub holders: IndexVec<Holder>,
    /// Policies in force together.
    pub sets: IndexVec<AccessSet>,
    /// What each holder has today: what it has when it logs in, where the deployment says so; else what it was seen with last.
    pub current: IndexVec<Holder, SetId>,
    /// The ways in that the deployment knows of, with where their policies come from.
    pub logins: Vec<Login>,
    /// Every demand.
    pub demands: IndexVec<JoinedDemand>,
    /// Use by stanza, by capability.
    pub uses: BTreeMap<StanzaId, BTreeMap<Capability, StanzaUse>>,
    /// Who holds each policy.
    pub held_by: IndexVec<Policy, BTreeSet<HolderId>>,
    /// Who was seen with each policy.
    pub seen_with: IndexVec<Policy, BTreeMap<HolderId, SeenWith>>,
    /// Who may hold which policy without that being known.
    pub may_hold: MayHold,
    /// Stanzas that could have explained what the policies as read do not explain: nobody's use of them is known whole.
    pub doubted: BTreeMap<StanzaId, Doubt>,
    /// Who did something that is not explained.
    pub unexplained_by: BTreeSet<HolderId>,
    /// Stanzas that are kept because somebody said so, or because servers may have asked them besides, with the reason.
    pub kept: BTreeMap<StanzaId, Arc<str>>,
    /// Who holds a policy of which something is kept.
    pub kept_for: BTreeSet<HolderId>,
    /// Who came to hold something so lately that nothing is known yet of what they need of it, and whether others speak for them.
    pub lately: BTreeMap<HolderId, bool>,
    /// How changes are kept apart.
    pub apart: Apart,
    /// Whose lines could not be read as far as what they asked for: how many of each.
    pub lost: BTreeMap<HolderId, u64>,
    /// Entries that are cut so far that not even their holder is known, and requests of which no entry is there.
    pub cut: u64,
    /// Tokens of which the log does not say what they hold.
    pub untold: Untold,
    /// Policies that somebody holds and that were not read, with who.
    pub missing: BTreeMap<PolicyId, BTreeSet<HolderId>>,
    /// Those of them that the server does not have.
    pub nowhere: BTreeSet<PolicyId>,
    /// Policies that were not read and that somebody's list may mean, where the namespace of its token is not known.
    pub may_be_missing: BTreeSet<PolicyId>,
    /// Every path known.
    pub universe: Universe,
    /// Values of templates taken from the log, as sentences.
    pub inferred: Vec<String>,
    /// What the deployment hands out; none without a deployment.
    pub handed_out: Option<HandedOut>,
}

/// What the log shows of a holder with a policy: tokens of it whose lists have, or may have, that policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SeenWith {
    /// When first.
    pub first: Option<Timestamp>,
    /// Whether something was allowed to one of these tokens for which policies are asked.
    pub acted: bool,
}

/// How changes are kept apart, so that not everybody is hurt at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Apart {
    /// The teams of policies, where something tells them.
    pub teams: BTreeMap<PolicyNumber, Arc<str>>,
    /// At most so many principals a wave; none for as many as there are.
    pub most_principals: Option<usize>,
}

impl Joined {
    /// The set in force for a holder today.
    #[must_use]
    pub fn current_set(&self, holder: HolderId) -> &AccessSet {
        &self.sets[self.current[holder]]
    }

    /// What every holder used, by path.
    #[must_use]
    pub fn used(&self) -> IndexVec<Holder, HashMap<&str, CapabilitySet>> {
        let mut used: IndexVec<Holder, HashMap<&str, CapabilitySet>> = self.holders.map(|_| HashMap::new());
        for d in self.demands.iter().filter(|d| d.was_allowed()) {
            let on = used[d.holder].entry(&d.path).or_default();
            *on = on.union(d.needs());
        }
        used
    }

    /// Whether what this holder has is to stay as it is: something that it did is not explained, something is kept, or it came to
    /// hold something lately and nobody speaks for it.
    #[must_use]
    pub fn stays(&self, holder: HolderId) -> bool {
        let is_alone = self.lately.get(&holder) == Some(&false);
        is_alone || self.unexplained_by.contains(&holder) || self.kept_for.contains(&holder)
    }

    /// Policies that somebody holds, that were not read, and that may exist, with who.
    pub fn unread(&self) -> impl Iterator<Item = (&PolicyId, &BTreeSet<HolderId>)> {
        let may_exist = |(policy, _): &(&PolicyId, &BTreeSet<HolderId>)| !self.nowhere.contains(policy);
        self.missing.iter().filter(may_exist)
    }

    /// Whether a stanza is not to be touched, for anybody.
    #[must_use]
    pub fn is_fixed(&self, stanza: StanzaId) -> bool {
        self.doubted.contains_key(&stanza) || self.kept.contains_key(&stanza)
    }

    /// Keeps these stanzas, and these policies from being deleted.
    pub fn keep(&mut self, stanzas: BTreeMap<StanzaId, Arc<str>>, policies: &BTreeSet<PolicyNumber>) {
        let held = policies.iter().flat_map(|&policy| &self.held_by[policy]);
        self.kept_for = held.copied().collect();
        self.kept.extend(stanzas);
    }

    /// The stanzas that allowed a demand, each with all that it gives there; none where no stanza explains it.
    pub fn allowed_by(&self, demand: &JoinedDemand) -> impl Iterator<Item = (StanzaId, CapabilitySet)> + '_ {
        attribute::allowed_by(demand, &self.sets)
    }
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
        untold,
        is_untold,
    } = facts;
    let namespaces = &namespaces;
    if is_untold && policies.iter().any(|policy| !policy.namespace.is_empty()) {
        // Where there are others, what does not say its namespace may be in any.
        for demand in demands.iter_mut().filter(|demand| demand.namespace.is_empty()) {
            demand.namespace = Arc::from(path::UNTOLD);
        }
    }
    let policies = Table::from(policies);
    let by_name = ByName::new(&policies, deployment);
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
    let is_crossing = |held: &Held| !held.placed.is_empty() && held.listed;
    let crosses = seen_sets.iter().any(|set| is_crossing(&set.held)) || demands.iter().any(|d| is_crossing(&d.held));
    let directory = deployment.map(|deployment| Directory::new(deployment, namespaces, crosses));
    let (mut people, holder_of) = People::of(&demands, directory.as_ref());
    // Who logged in and asked for nothing, or of whose lines nothing else could be read, holds policies all the same.
    let set_holders: Vec<HolderId> = seen_sets.iter().map(|set| people.number(&set.principal)).collect();
    let lost_holders: Vec<HolderId> = lost_known
        .iter()
        .map(|(principal, ..)| people.number(principal))
        .collect();
    let seen = set_holders.iter().zip(&seen_sets).map(|(&holder, set)| Seen {
        holder,
        held: &set.held,
        first: set.first_seen,
        last: set.last_seen,
        is_lost: false,
        login: directory
            .as_ref()
            .and_then(|d| Some((d.mount_of_login(set)?, &set.role))),
    });
    // The lists that tokens had, also those that nothing was seen to be done with.
    let lost_sets = lost_holders
        .iter()
        .zip(&lost_known)
        .map(|(&holder, (_, held, _))| Seen {
            holder,
            held,
            first: None,
            last: None,
            is_lost: true,
            login: None,
        });
    let seen: Vec<Seen<'_>> = seen.chain(lost_sets).collect();
    let People {
        mut holders,
        at_work_in,
        ..
    } = people;
    let of_demands = demands.iter().zip(&holder_of).map(|(d, &h)| (h, &*d.held));
    let of_lists = seen.iter().map(|seen| (seen.holder, seen.held));
    let mut lists = Lists::new(reader, of_demands.chain(of_lists));
    let list_of = lists.of_demands(&demands, &holder_of, &at_work_in);
    let logged_in_as = lists.of_sets(&seen, &holders, &at_work_in);
    lists.tell(&mut holders);
    if let Some(directory) = &directory {
        for (holder, roles) in holders.iter_mut().zip(&logged_in_as) {
            holder.assigned = directory.assigned(&holder.principal, roles);
        }
    }
    if let Some(directory) = &directory {
        let dormant = directory.dormant(holders.as_slice());
        holders.extend(dormant);
    }

    let unknown = directory.as_ref().and_then(|directory| {
        directory
            .unknown_login(&seen_sets)
            .or_else(|| directory.unknown_work(&demands))
    });
    // What a role gives that the deployment does not list is told by its logins.
    let told: BTreeSet<RoleId> = logged_in_as.into_iter().flatten().collect();
    logins::list(holders.as_mut_slice());
    let ways: Vec<Vec<Way>> = holders.iter().map(logins::ways).collect();
    for (holder, ways) in holders.iter_mut().zip(&ways) {
        logins::first(holder, ways);
    }

    let asked = demands.iter().zip(holder_of.iter().copied()).zip(&list_of);
    let asked = asked.filter(|((demand, _), _)| !is_unbound(demand));
    let asked = asked.map(|((demand, holder), &list)| (demand, holder, &lists.listed[list].meant.likeliest));
    let inferred = infer::identities(&mut holders, asked, &policies, &by_name, profile, now);
    let mut builder = Sets::new(&policies, &by_name, profile, now);
    let mut current: IndexVec<Holder, SetId> = IndexVec::new();
    let mut sets_of: IndexVec<Holder, BTreeSet<SetId>> = IndexVec::new();
    let mut logins = Vec::new();
    for ((id, holder), ways) in holders.numbered().zip(ways) {
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
    let readings = lists.listed.iter().map(|listed| {
        let mut number = |reading| builder.number(listed.holder, &holders[listed.holder], reading, false);
        Readings {
            first: number(&listed.meant.likeliest),
            others: listed.meant.others.iter().map(number).collect(),
        }
    });
    let readings: IndexVec<Listed, Readings> = readings.collect();
    let may_hold = MayHold::by(&lists.listed);
    let mut lost_by: BTreeMap<HolderId, u64> = BTreeMap::new();
    for (&holder, (.., lines)) in lost_holders.iter().zip(&lost_known) {
        *lost_by.entry(holder).or_default() += lines;
    }
    let may_be_missing = lists
        .listed
        .iter()
        .flat_map(|list| list.meant.unread.iter().cloned())
        .collect();
    let acting: BTreeSet<Idx<Listed>> = demands
        .iter()
        .zip(&list_of)
        .filter_map(|(demand, &list)| (demand.allowed > 0 && !is_open(demand)).then_some(list))
        .collect();
    let listed = lists.listed.map(|listed| (listed.holder, listed.first));
    drop(lists);
    let sets = builder.compile(&holders);
    let mut seen_with: IndexVec<Policy, BTreeMap<HolderId, SeenWith>> = policies.map(|_| BTreeMap::new());
    for (list, &(holder, first)) in listed.numbered() {
        let in_lists = readings[list].all().flat_map(|set| &sets[set].policies);
        for &policy in in_lists {
            let seen = seen_with[policy].entry(holder).or_default();
            seen.first = [seen.first, first].into_iter().flatten().min();
            seen.acted |= acting.contains(&list);
        }
    }

    let demands: Vec<JoinedDemand> = demands
        .into_par_iter()
        .zip(holder_of)
        .zip(list_of)
        .map(|((demand, holder), list)| decide(demand, holder, &readings[list], &sets))
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
    let mut held_by: IndexVec<Policy, BTreeSet<HolderId>> = policies.map(|_| BTreeSet::new());
    let mut missing: BTreeMap<PolicyId, BTreeSet<HolderId>> = BTreeMap::new();
    for set in &sets {
        for &p in &set.policies {
            held_by[p].extend(&set.holders);
        }
        for policy in &set.missing {
            missing.entry(policy.clone()).or_default().extend(&set.holders);
        }
    }
    let nowhere = missing
        .keys()
        .filter(|policy| by_name.is_nowhere(policy))
        .cloned()
        .collect();
    let (doubted, unexplained_by) = doubt::stanzas(&doubt::Known {
        policies: &policies,
        demands: &demands,
        sets: &sets,
        sets_of: &sets_of,
        held_by: &held_by,
        may_hold: &may_hold,
        by_name: &by_name,
        namespaces,
    });
    let mounts = deployment.into_iter().flat_map(|d| &d.mounts);
    let mounts: Vec<String> = mounts
        .map(|mount| format!("{}{}", mount.namespace, mount.path))
        .collect();
    let kept = besides::kept(&policies, &demands, &sets, &mounts, (profile, now));
    let handed_out = deployment.map(|d| HandedOut::by(d, &told, holders.iter(), unknown));
    Joined {
        profile,
        now,
        policies,
        holders,
        sets,
        current,
        logins,
        demands: demands.into(),
        uses,
        held_by,
        seen_with,
        may_hold,
        doubted,
        unexplained_by,
        kept,
        kept_for: BTreeSet::new(),
        lately: BTreeMap::new(),
        apart: Apart::default(),
        lost: lost_by,
        cut: lost.cut.saturating_add(lost.whole),
        untold,
        missing,
        nowhere,
        may_be_missing,
        universe,
        inferred,
        handed_out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::syntax;
    use crate::vault::PrincipalKind;

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
            granting: BTreeSet::new(),
            example: None,
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

    /// The first stanza of a policy.
    fn first(joined: &Joined, policy: &str) -> StanzaId {
        let number = joined.policies.position(|one| &*one.name == policy).unwrap();
        joined.policies.stanza(number, 0).unwrap()
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
        assert_eq!(j.uses[&first(&j, "p")][&Capability::Read].requests, 3);
    }

    #[test]
    fn what_the_server_does_not_have_leaves_nothing_unknown() {
        let with = |listed: &[&str]| {
            let names = listed.iter().map(|name| (*name).to_owned()).collect();
            let deployment = Deployment {
                policies: BTreeMap::from([(String::new(), names)]),
                ..Deployment::default()
            };
            join(Inputs {
                facts: vec![demand("s/a", &["p", "x"], 3, 0)].into(),
                policies: vec![policy("p", "path \"s/a\" { capabilities = [\"read\"] }")],
                deployment: Some(&deployment),
                profile: Profile::default(),
                now: None,
            })
        };
        let unread = |joined: &Joined| {
            joined
                .unread()
                .map(|(policy, _)| policy.to_string())
                .collect::<Vec<_>>()
        };
        let is_known = |joined: &Joined| joined.sets.iter().all(AccessSet::is_known);
        let (nowhere, exists) = (with(&["default", "p"]), with(&["default", "p", "x"]));
        assert!(unread(&nowhere).is_empty() && is_known(&nowhere));
        assert_eq!(nowhere.missing.len(), 1, "it stays in the lists");
        assert_eq!(unread(&exists), ["x"]);
        assert!(!is_known(&exists));
    }

    #[test]
    fn a_lease_that_was_renewed_by_its_path_holds_what_may_be_about_it() {
        let stanza = |path: &str| format!("path \"{path}\" {{ capabilities = [\"update\"] }}\n");
        let paths = [
            "sys/leases/renew/*",
            "sys/leases/renew/db/creds/x/*",
            "sys/leases/renew/db/creds/y/*",
            "sys/leases/revoke/*",
        ];
        let text: String = paths.iter().map(|path| stanza(path)).collect();
        let mut renewed = demand("sys/leases/renew/db/creds/x/(lease)", &["p"], 1, 0);
        renewed.capability = Capability::Update;
        let joined = joined(vec![policy("p", &text)], vec![renewed]);
        let doubted: Vec<&str> = joined.doubted.keys().map(|&id| &*joined.policies[id].path).collect();
        assert_eq!(doubted, paths[..2]);
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
        assert_eq!(j.uses[&first(&j, "q")][&Capability::Read].requests, 0);
        assert_eq!(j.uses[&first(&j, "p")][&Capability::Read].requests, 2);
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
            matches!(j.demands.as_slice()[0].outcome, Outcome::Explained(_)),
            "{:?}",
            j.inferred
        );
        assert_eq!(j.inferred.len(), 1);
    }
}
