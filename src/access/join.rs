//! The join itself: every demand decided by the policies that were in force for it.

use super::attribute::{decide, under_other_sets, uses};
use super::besides;
use super::by_name::ByName;
use super::demand::{Holding, JoinedDemand};
use super::doubt::{self};
use super::handed_out::HandedOut;
use super::holder::{Directory, HolderId};
use super::in_force::{self, OfHolders};
use super::joined::{Apart, Gaps, Joined, NotRead, Stays};
use super::lists::MayHold;
use super::logged::Logged;
use super::logins;
use super::meant::Reader;
use super::present::Present;
use super::same;
use super::sets::{AccessSet, Sets, StanzaId};
use super::shown;
use super::universe::Universe;
use super::unseen::{self};
use crate::deployment::Deployment;
use crate::index::IndexVec;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::table::Table;
use crate::usage::demand::PolicySet;
use crate::usage::{Facts, Namespaces};
use crate::vault::PolicyId;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

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

/// Joins.
#[must_use]
pub fn join(
    Inputs {
        facts,
        policies,
        deployment,
        profile,
        now,
    }: Inputs<'_>,
) -> Joined {
    let policies = Table::from(policies);
    let by_name = ByName::new(&policies, deployment);
    let logged = Logged::settled(facts, &policies, &by_name);
    let namespaces = &logged.namespaces;
    let directory = deployment.map(|d| directory(d, namespaces, logged.crosses(), [&logged.sets, &logged.refused]));
    let reader = Reader {
        namespaces,
        by_name: &by_name,
    };
    let mut present = Present::of(&logged, directory.as_ref(), reader);
    let inferred = present.infer_identities(&logged.demands, &policies, &by_name, profile, now);
    let unknown = directory.as_ref().and_then(|directory| unknown(directory, &logged));
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
    let doubles = same::doubles(&holders, &logged.sets);
    let by_several_logins = logins::of_several(&holders, &logged.sets);
    let lists_unread = lists.unread();

    let mut sets = Sets::new(&policies, &by_name, profile, now);
    let OfHolders {
        holders,
        all: sets_of,
        logins,
    } = OfHolders::numbered(&mut sets, holders, ways);
    let lists = in_force::of_lists(&mut sets, &holders, lists);
    let sets = sets.compile();
    let held = in_force::held(&policies, &lists, &sets);
    let not_read = not_read(&sets, &by_name, lists_unread);

    let demands = logged.demands.into_par_iter().zip(holder_of).zip(list_of);
    let demands = demands.map(|((demand, holder), list)| decide(demand, holder, &lists[list].readings, &sets));
    let demands = under_other_sets(demands.collect(), &holders, &sets_of, &sets);
    let (uses, universe) = rayon::join(|| uses(&demands, &sets), || known_paths(&demands, deployment));
    let (doubted, unexplained_by) = doubt::stanzas(&doubt::Known {
        policies: &policies,
        demands: &demands,
        sets: &sets,
        sets_of: &sets_of,
        held: &held,
        may_hold: &may_hold,
        by_name: &by_name,
        namespaces,
    });
    let read = (&policies, &by_name);
    let (unseen, together) = unseen::of(directory.as_ref(), &holders, read, &sets);
    let kept_for = holders_of(together.keys(), &held);
    let kept = besides::kept(&policies, &demands, &sets, &mounted(deployment), (profile, now));
    Joined {
        profile,
        now,
        policies,
        holders,
        sets,
        logins,
        demands: demands.into(),
        uses,
        held,
        may_hold,
        stays: Stays {
            doubted,
            unexplained_by,
            kept: kept.into_iter().chain(together).collect(),
            kept_for,
            lately: BTreeMap::new(),
            doubles,
            by_several_logins,
            made: in_force::made(&lists),
        },
        unseen,
        apart: Apart::default(),
        gaps: Gaps {
            lost,
            cut: logged.cut,
            untold: logged.untold,
        },
        not_read,
        universe,
        inferred,
        handed_out,
    }
}

/// The deployment, with the roles besides that only lists of the log show.
fn directory<'a>(
    deployment: &'a Deployment,
    namespaces: &'a Namespaces,
    crosses: bool,
    lists: [&[PolicySet]; 2],
) -> Directory<'a> {
    let directory = Directory::new(deployment, namespaces, crosses);
    let shown = shown::roles(&directory, lists.into_iter().flatten());
    directory.with(shown)
}

/// What shows that the deployment does not list all who log in, if anything does.
fn unknown(directory: &Directory<'_>, logged: &Logged) -> Option<String> {
    let login = directory.unknown_login(&logged.sets);
    login.or_else(|| directory.unknown_work(&logged.demands))
}

/// The policies that somebody holds and that were not read; those that lists may mean are told already.
fn not_read(sets: &IndexVec<AccessSet>, by_name: &ByName<'_>, may_be: BTreeSet<PolicyId>) -> NotRead {
    let held = in_force::missing(sets);
    let nowhere = held.keys().filter(|policy| by_name.is_nowhere(policy));
    let nowhere = nowhere.cloned().collect();
    NotRead { held, nowhere, may_be }
}

/// Who holds the policies of these stanzas.
fn holders_of<'a>(stanzas: impl Iterator<Item = &'a StanzaId>, held: &IndexVec<Policy, Holding>) -> BTreeSet<HolderId> {
    stanzas.flat_map(|id| held[id.policy()].by.iter().copied()).collect()
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
    use crate::access::{AccessSet, Outcome, StanzaId};
    use crate::policy::syntax;
    use crate::usage::demand::Demand;
    use crate::usage::demand::Principal;
    use crate::usage::held::Held;
    use crate::vault::Capability;
    use crate::vault::PrincipalKind;
    use std::collections::BTreeSet;
    use std::sync::Arc;

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
        assert_eq!(
            j.not_read.held.keys().map(ToString::to_string).collect::<Vec<_>>(),
            ["x"]
        );
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
                .not_read
                .existing()
                .map(|(policy, _)| policy.to_string())
                .collect::<Vec<_>>()
        };
        let is_known = |joined: &Joined| joined.sets.iter().all(AccessSet::is_known);
        let (nowhere, exists) = (with(&["default", "p"]), with(&["default", "p", "x"]));
        assert!(unread(&nowhere).is_empty() && is_known(&nowhere));
        assert_eq!(nowhere.not_read.held.len(), 1, "it stays in the lists");
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
        let doubted: Vec<&str> = joined
            .stays
            .doubted
            .keys()
            .map(|&id| &*joined.policies[id].path)
            .collect();
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
