//! The join itself: every demand decided by the policies that were in force for it.

use super::attribute::{self, decide, under_other_sets, uses};
use super::besides;
use super::doubt::{self, Doubt};
use super::handed_out::HandedOut;
use super::holder::{Directory, Holder, HolderId};
use super::in_force::{self, OfHolders};
use super::lists::MayHold;
use super::logged::Logged;
use super::logins::Login;
use super::meant::Reader;
use super::present::Present;
use super::sets::{AccessSet, ByName, PolicyNumber, SetId, Sets, StanzaId};
use super::universe::Universe;
use super::unseen::{self, Unseen};
use crate::deployment::Deployment;
use crate::index::{Idx, IndexVec};
use crate::policy::acl::RuleId;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::table::Table;
use crate::usage::demand::Demand;
use crate::usage::{Facts, Untold};
use crate::vault::{Capability, CapabilitySet, Operation, PolicyId};
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
    /// What logins may bring that nobody saw.
    pub unseen: Unseen,
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
        self.kept_for.extend(held.copied());
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
    let policies = Table::from(policies);
    let by_name = ByName::new(&policies, deployment);
    let logged = Logged::settled(facts, &policies, &by_name);
    let namespaces = &logged.namespaces;
    let directory = deployment.map(|deployment| Directory::new(deployment, namespaces, logged.crosses()));
    let reader = Reader {
        namespaces,
        by_name: &by_name,
    };
    let mut present = Present::of(&logged, directory.as_ref(), reader);
    let inferred = present.infer_identities(&logged.demands, &policies, &by_name, profile, now);
    let unknown = directory.as_ref().and_then(|directory| {
        directory
            .unknown_login(&logged.sets)
            .or_else(|| directory.unknown_work(&logged.demands))
    });
    let Present {
        holders,
        ways,
        holder_of,
        list_of,
        lists,
        roles,
        lost,
    } = present;
    // What a role gives that the deployment does not list is told by its logins.
    let handed_out = deployment.map(|d| HandedOut::by(d, &roles, holders.iter(), unknown));
    let may_hold = MayHold::by(&lists.listed);
    let may_be_missing = lists.unread();

    let mut sets = Sets::new(&policies, &by_name, profile, now);
    let of_holders = OfHolders::numbered(&mut sets, &holders, ways);
    let lists = in_force::of_lists(&mut sets, &holders, lists);
    let sets = sets.compile(&holders);
    let seen_with = in_force::seen_with(&policies, &lists, &sets);
    let held_by = in_force::held_by(&policies, &sets);
    let missing = in_force::missing(&sets);
    let nowhere = missing.keys().filter(|policy| by_name.is_nowhere(policy));
    let nowhere = nowhere.cloned().collect();

    let demands = logged.demands.into_par_iter().zip(holder_of).zip(list_of);
    let demands = demands.map(|((demand, holder), list)| decide(demand, holder, &lists[list].readings, &sets));
    let demands = under_other_sets(demands.collect(), &holders, &of_holders.all, &sets);
    let (uses, universe) = rayon::join(|| uses(&demands, &sets), || known_paths(&demands, deployment));
    let (doubted, unexplained_by) = doubt::stanzas(&doubt::Known {
        policies: &policies,
        demands: &demands,
        sets: &sets,
        sets_of: &of_holders.all,
        held_by: &held_by,
        may_hold: &may_hold,
        by_name: &by_name,
        namespaces,
    });
    let read = (&policies, &by_name);
    let (unseen, together) = unseen::of(directory.as_ref(), &holders, read, &sets, (profile, now));
    let kept_for = together
        .keys()
        .flat_map(|id| held_by[id.policy()].iter().copied())
        .collect();
    let mut kept = besides::kept(&policies, &demands, &sets, &mounted(deployment), (profile, now));
    kept.extend(together);
    Joined {
        profile,
        now,
        policies,
        holders,
        sets,
        current: of_holders.current,
        logins: of_holders.logins,
        demands: demands.into(),
        uses,
        held_by,
        seen_with,
        may_hold,
        doubted,
        unexplained_by,
        kept,
        kept_for,
        unseen,
        lately: BTreeMap::new(),
        apart: Apart::default(),
        lost,
        cut: logged.cut,
        untold: logged.untold,
        missing,
        nowhere,
        may_be_missing,
        universe,
        inferred,
        handed_out,
    }
}

/// The paths that were asked for, and those of secrets that the deployment lists.
fn known_paths(demands: &[JoinedDemand], deployment: Option<&Deployment>) -> Universe {
    let asked = demands.iter().map(|d| d.path.clone());
    let listed = deployment.into_iter().flat_map(|d| d.secrets.iter().cloned());
    Universe::new(asked.chain(listed).collect())
}

/// Where the deployment has secrets engines mounted, with the namespace in front.
fn mounted(deployment: Option<&Deployment>) -> Vec<String> {
    let mounts = deployment.into_iter().flat_map(|d| &d.mounts);
    mounts
        .map(|mount| format!("{}{}", mount.namespace, mount.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::syntax;
    use crate::usage::demand::Principal;
    use crate::usage::held::Held;
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
