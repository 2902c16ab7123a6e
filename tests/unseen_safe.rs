//! The promise over logins that nobody saw: an entity may log in by any role of the auth method of its alias, and has the policies of
//! its groups besides. Whatever is proposed, no such list gives more than before, in the end and after each step on the way, and nobody
//! who was seen loses what they used. Whoever may choose what a token that they make has, by a token role or of what they have, can choose
//! nothing that gives more than before: no policy does by itself, and none that is new is called as the pattern of a token role says.
//!
//! `PROPTEST_CASES=20000 cargo test --test unseen_safe` looks at more deployments.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test is told by its panic"
)]

#[path = "common/advised.rs"]
mod advised;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use vault_advisor::advice::{Advice, Proposal, Step, Text};
use vault_advisor::deployment::Deployment;
use vault_advisor::policy::acl::Acl;
use vault_advisor::policy::compare;
use vault_advisor::policy::model::Policy;
use vault_advisor::policy::profile::Profile;
use vault_advisor::policy::syntax;
use vault_advisor::policy::template::Identity;
use vault_advisor::vault::{Operation, glob};

const PROFILE: Profile = Profile::Vault203;
const PATHS: [&str; 8] = ["kv/*", "kv/x", "kv/x/*", "kv/+", "kv/+/y", "kv/y*", "kv/x/y", "tr/*"];
const ASKED: [&str; 5] = ["kv/x", "kv/y", "kv/x/y", "kv/z/y", "tr/x"];
const POLICIES: usize = 4;

/// A path with what is granted there.
type Rule = (&'static str, BTreeSet<&'static str>);

#[derive(Debug, Clone)]
struct Person {
    own: BTreeSet<usize>,
    groups: BTreeSet<usize>,
    /// The role that it is seen to log in by.
    seen: Option<usize>,
    asked: Vec<(&'static str, bool)>,
}

#[derive(Debug, Clone)]
struct World {
    policies: Vec<Vec<Rule>>,
    roles: Vec<BTreeSet<usize>>,
    groups: Vec<BTreeSet<usize>>,
    people: Vec<Person>,
    /// The policies that tokens of a token role may have.
    handed_out: &'static str,
    /// Whether it is asked what tomorrow will need.
    ahead: bool,
    /// A role that the export lacks: what it gives is told by the log, if somebody was seen to log in by it.
    lacking: Option<usize>,
}

fn world() -> impl Strategy<Value = World> {
    let granted = prop_oneof![
        8 => btree_set(select(&["read", "update", "list"][..]), 1..3),
        1 => Just(BTreeSet::from(["deny"])),
    ];
    let policy = vec((select(&PATHS[..]), granted), 1..4);
    let list = || btree_set(0..POLICIES, 0..3);
    let person = (
        btree_set(0..POLICIES, 0..2),
        btree_set(0..2_usize, 0..3),
        prop::option::of(0..3_usize),
        vec((select(&ASKED[..]), any::<bool>()), 1..5),
    );
    let person = person.prop_map(|(own, groups, seen, asked)| Person {
        own,
        groups,
        seen,
        asked,
    });
    let handed_out = select(&["ci", "kv-*", "*-read", "*"][..]);
    (
        vec(policy, POLICIES),
        vec(list(), 3),
        vec(list(), 2),
        vec(person, 2..5),
        handed_out,
        any::<bool>(),
        prop::option::weighted(0.3, 0..3_usize),
    )
        .prop_map(|(policies, roles, groups, people, handed_out, ahead, lacking)| World {
            policies,
            roles,
            groups,
            people,
            handed_out,
            ahead,
            lacking,
        })
}

/// Where policies come from: which each role, group and entity gives.
#[derive(Debug, Clone)]
struct Lists(BTreeMap<String, BTreeSet<String>>);

impl Lists {
    /// What a person's token has that logs in by a role.
    fn of(&self, world: &World, person: usize, role: usize) -> BTreeSet<String> {
        let groups = world.people[person].groups.iter().map(|group| format!("g{group}"));
        let places = groups.chain([entity(person), format!("auth/kubernetes/r{role}")]);
        places
            .filter_map(|place| self.0.get(&place))
            .flatten()
            .cloned()
            .collect()
    }
}

fn entity(person: usize) -> String {
    format!("0a1b2c3d-0000-4000-8000-{person:012}")
}

fn names(list: &BTreeSet<usize>) -> BTreeSet<String> {
    list.iter().map(|n| format!("p{n}")).collect()
}

impl World {
    fn policies(&self) -> Vec<Policy> {
        let text = |rules: &Vec<Rule>| -> String {
            rules
                .iter()
                .map(|(path, granted)| {
                    let granted: Vec<&str> = granted.iter().copied().collect();
                    format!("path {path:?} {{ capabilities = {granted:?} }}\n")
                })
                .collect()
        };
        let all = self.policies.iter().enumerate();
        all.map(|(n, rules)| parsed(&format!("p{n}"), &text(rules))).collect()
    }

    fn lists(&self) -> Lists {
        let roles = self.roles.iter().enumerate();
        let roles = roles.map(|(n, list)| (format!("auth/kubernetes/r{n}"), names(list)));
        let groups = self
            .groups
            .iter()
            .enumerate()
            .map(|(n, list)| (format!("g{n}"), names(list)));
        let people = self
            .people
            .iter()
            .enumerate()
            .map(|(n, one)| (entity(n), names(&one.own)));
        Lists(roles.chain(groups).chain(people).collect())
    }

    fn deployment(&self) -> Deployment {
        let mount = json!({"namespace": "", "path": "auth/kubernetes/", "kind": "kubernetes", "accessor": "a1", "kv_version": null, "description": ""});
        let token_role = json!({"namespace": "", "mount": "auth/token/", "kind": "token", "item": "role", "name": "ci", "policies": [], "allowed_policies": [self.handed_out]});
        let role = |(n, list)| json!({"namespace": "", "mount": "auth/kubernetes/", "kind": "kubernetes", "item": "role", "name": format!("r{n}"), "policies": names(list), "no_default_policy": true});
        let group = |(n, list)| {
            let members = self
                .people
                .iter()
                .enumerate()
                .filter(|(_, one)| one.groups.contains(&n));
            json!({"namespace": "", "id": format!("g{n}"), "name": format!("g{n}"), "policies": names(list), "member_entities": members.map(|(n, _)| entity(n)).collect::<Vec<_>>()})
        };
        let person = |(n, one): (usize, &Person)| {
            let alias = json!({"id": format!("al{n}"), "name": format!("account-{n}"), "mount_accessor": "a1"});
            json!({"namespace": "", "id": entity(n), "name": format!("e{n}"), "policies": names(&one.own), "aliases": [alias]})
        };
        serde_json::from_value(json!({
            "auth_mounts": [mount],
            "roles": self.roles.iter().enumerate().filter(|(n, _)| self.lacking != Some(*n)).map(role).chain([token_role]).collect::<Vec<_>>(),
            "groups": self.groups.iter().enumerate().map(group).collect::<Vec<_>>(),
            "entities": self.people.iter().enumerate().map(person).collect::<Vec<_>>(),
            "lists_entities": true,
        }))
        .unwrap()
    }

    /// What was asked for by those who were seen: who, by which role, what, and whether it was allowed.
    fn events(&self) -> Vec<(usize, usize, Operation, &'static str, bool)> {
        let (policies, lists) = (self.policies(), self.lists());
        let mut events = Vec::new();
        for (n, person) in self.people.iter().enumerate() {
            let Some(role) = person.seen else { continue };
            let acl = acl(&policies, &lists.of(self, n, role));
            for &(path, writes) in &person.asked {
                let operation = if writes { Operation::Update } else { Operation::Read };
                events.push((n, role, operation, path, acl.check(operation, path).allowed));
            }
        }
        events
    }

    fn log(&self) -> String {
        let lists = self.lists();
        let mut lines = String::new();
        for (at, (person, role, operation, path, allowed)) in self.events().into_iter().enumerate() {
            let held = lists.of(self, person, role);
            let of_role = &lists.0[&format!("auth/kubernetes/r{role}")];
            let login = json!({
                "client_token": "hmac-sha256:1", "accessor": format!("hmac-sha256:{person}"), "display_name": "kubernetes", "policies": held,
                "token_policies": of_role, "identity_policies": held.difference(of_role).collect::<Vec<_>>(),
                "metadata": {"role": format!("r{role}")}, "entity_id": entity(person), "token_type": "service",
            });
            for kind in ["request", "response"] {
                let mut entry = json!({
                    "time": format!("2026-03-01T10:{:02}:{:02}Z", at / 60, at % 60),
                    "type": kind,
                    "auth": login,
                    "request": {"id": format!("r-{at}"), "operation": operation.as_str(), "mount_type": "kv", "mount_point": "kv/", "namespace": {"id": "root"}, "path": path},
                });
                if !allowed {
                    entry["error"] = json!("1 error occurred:\n\t* permission denied\n\n");
                }
                lines.push_str(&format!("{entry}\n"));
            }
        }
        lines
    }

    fn advise(&self) -> Advice {
        let given = (self.policies(), Some(self.deployment()));
        let (log, settings) = match self.ahead {
            true => (advised::over_weeks(&self.log()), advised::ahead()),
            false => (self.log(), advised::settings()),
        };
        advised::advise(&log, given, (PROFILE, &settings), Duration::from_millis(20))
    }
}

fn parsed(name: &str, text: &str) -> Policy {
    let read = syntax::parse(name, &format!("{name}.hcl"), text, &PROFILE.dialect());
    read.unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn acl(policies: &[Policy], held: &BTreeSet<String>) -> Acl {
    let chosen: Vec<&Policy> = policies.iter().filter(|policy| held.contains(&*policy.name)).collect();
    Acl::compile(PROFILE, &chosen, &Identity::default(), None)
}

/// Policies and lists as they are at some time.
type State = (Vec<Policy>, Lists);

/// What is in force after each step of a proposal; the last is the end.
fn on_the_way(world: &World, proposal: &Proposal) -> Vec<State> {
    let mut policies: BTreeMap<String, Policy> = world
        .policies()
        .into_iter()
        .map(|policy| (policy.name.to_string(), policy))
        .collect();
    let mut lists = world.lists();
    let mut states = Vec::new();
    for step in proposal.waves.iter().flat_map(|wave| &wave.steps) {
        match step {
            Step::Policy { policy, to, .. } => {
                let one = &proposal.policies[*policy];
                let text = match to {
                    Text::Between(text) => Some(&**text),
                    Text::Proposed => one.text.as_deref(),
                };
                match text {
                    Some(text) => drop(policies.insert(one.name.clone(), parsed(&one.name, text))),
                    None => drop(policies.remove(&one.name)),
                }
            }
            Step::Holder { assignment, to } => {
                let one = &proposal.assignments[*assignment];
                lists.0.insert(one.id.clone(), to.iter().cloned().collect());
            }
        }
        states.push((policies.values().cloned().collect(), lists.clone()));
    }
    states
}

/// Policies and lists once a proposal is in force.
fn after(world: &World, proposal: &Proposal) -> State {
    let proposed = proposal.policies.iter();
    let policies = proposed.filter_map(|policy| Some(parsed(&policy.name, policy.text.as_deref()?)));
    let mut lists = world.lists();
    for one in &proposal.assignments {
        lists.0.insert(one.id.clone(), one.after.iter().cloned().collect());
    }
    (policies.collect(), lists)
}

/// What somebody has more than today by a login of any entity by any role, or by a token with one policy. Of a role that neither the export
/// nor the log has nothing can be known.
fn gained(world: &World, (new, lists): &State) -> Option<String> {
    let is_shown = |role: usize| world.lacking != Some(role) || world.people.iter().any(|one| one.seen == Some(role));
    let (old, today) = (world.policies(), world.lists());
    let gained = |before: &BTreeSet<String>, after: &BTreeSet<String>| {
        let found = compare::compare(&acl(&old, before), &acl(new, after));
        found.gained.first().map(|gained| format!("{:?}", gained.asked))
    };
    let logins = (0..world.people.len()).flat_map(|person| (0..world.roles.len()).map(move |role| (person, role)));
    let logins = logins.filter(|(_, role)| is_shown(*role));
    let mut by_login = logins.filter_map(|(person, role)| {
        let more = gained(&today.of(world, person, role), &lists.of(world, person, role))?;
        let seen = world.people[person].seen;
        Some(format!("e{person} (seen {seen:?}) by r{role} gains {more}\n{lists:?}"))
    });
    let alone = (0..POLICIES).map(|n| BTreeSet::from([format!("p{n}")]));
    let mut alone = alone.filter_map(|one| Some(format!("{one:?} alone gains {}", gained(&one, &one)?)));
    by_login.next().or_else(|| alone.next())
}

/// The promise, kept for a deployment.
fn holds(world: &World) -> Result<(), TestCaseError> {
    let advice = world.advise();
    let known: BTreeSet<String> = (0..POLICIES).map(|n| format!("p{n}")).collect();
    for proposal in &advice.proposals {
        prop_assert!(proposal.proof.holds());
        let end = after(world, proposal);
        for (person, role, operation, path, allowed) in world.events() {
            let still = acl(&end.0, &end.1.of(world, person, role))
                .check(operation, path)
                .allowed;
            prop_assert!(
                still || !allowed,
                "{}: e{person} by r{role} loses {operation} {path}",
                proposal.kind
            );
        }
        let way = on_the_way(world, proposal);
        for (n, state) in way.iter().chain([&end]).enumerate() {
            let gained = gained(world, state);
            prop_assert!(
                gained.is_none(),
                "{}, step {n} of {}: {gained:?}\n{:?}",
                proposal.kind,
                way.len(),
                proposal.waves
            );
        }
        let new = end
            .0
            .iter()
            .map(|policy| &*policy.name)
            .filter(|name| !known.contains(*name));
        let meant: Vec<&str> = new
            .filter(|name| world.handed_out != "*" && glob::matches(world.handed_out, name))
            .collect();
        prop_assert!(
            meant.is_empty(),
            "{}: a token role of {} hands out {meant:?}",
            proposal.kind,
            world.handed_out
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(advised::cases(200, 2000))]

    #[test]
    fn nobody_gains_by_a_login_that_nobody_saw(world in world()) {
        holds(&world)?;
    }
}

#[test]
fn what_an_entity_gets_for_itself_alone_gives_nothing_beside_a_role_that_it_was_not_seen_with() {
    let person = |own: &[usize], seen, asked| Person {
        own: own.iter().copied().collect(),
        groups: BTreeSet::from([0]),
        seen,
        asked,
    };
    // The group gives what the one who never acted has today; the exact stanza of r2 decides kv/x for it there.
    let world = World {
        policies: vec![
            vec![("kv/x", BTreeSet::from(["list"]))],
            vec![("kv/x", BTreeSet::from(["update"]))],
            vec![("kv/*", BTreeSet::from(["read", "update"]))],
            vec![("kv/x", BTreeSet::from(["read"]))],
        ],
        roles: vec![BTreeSet::new(), BTreeSet::from([1]), BTreeSet::from([0])],
        groups: vec![BTreeSet::from([2]), BTreeSet::new()],
        people: vec![
            person(&[], None, Vec::new()),
            person(&[], Some(1), vec![("kv/y", false), ("kv/x", true)]),
            // For this one it would be more than today: so it is no matter of the group.
            person(&[3], None, Vec::new()),
        ],
        handed_out: "ci",
        ahead: false,
        lacking: None,
    };
    holds(&world).unwrap();
}

#[test]
fn a_role_that_hides_what_the_entity_has_is_not_emptied_before_the_entity() {
    let person = |own: &[usize], seen, asked: &[(&'static str, bool)]| Person {
        own: own.iter().copied().collect(),
        groups: BTreeSet::new(),
        seen,
        asked: asked.to_vec(),
    };
    // What the one who never acted has of its own is denied by each role that it may log in by.
    let world = World {
        policies: vec![
            vec![("kv/*", BTreeSet::from(["update"]))],
            vec![
                ("kv/*", BTreeSet::from(["deny"])),
                ("tr/*", BTreeSet::from(["list", "read", "update"])),
            ],
            Vec::new(),
            Vec::new(),
        ],
        roles: vec![BTreeSet::from([1]), BTreeSet::from([1]), BTreeSet::from([1])],
        groups: vec![BTreeSet::new(), BTreeSet::new()],
        people: vec![person(&[0], None, &[]), person(&[], Some(0), &[("tr/x", false)])],
        handed_out: "ci",
        ahead: false,
        lacking: None,
    };
    holds(&world).unwrap();
}

#[test]
fn a_role_that_the_export_lacks_and_the_log_shows_hides_what_it_hides_today() {
    let person = |groups: &[usize], seen, asked: &[(&'static str, bool)]| Person {
        own: BTreeSet::new(),
        groups: groups.iter().copied().collect(),
        seen,
        asked: asked.to_vec(),
    };
    // `kv/x` of r1 decides for whoever has the group besides: narrowed away, the wide stanza of the group decides.
    let world = World {
        policies: vec![
            vec![
                ("kv/+", BTreeSet::from(["read", "update"])),
                ("tr/*", BTreeSet::from(["read"])),
            ],
            vec![("kv/x", BTreeSet::from(["read"])), ("kv/y*", BTreeSet::from(["read"]))],
            Vec::new(),
            Vec::new(),
        ],
        roles: vec![BTreeSet::from([0]), BTreeSet::from([1]), BTreeSet::new()],
        groups: vec![BTreeSet::from([0]), BTreeSet::new()],
        people: vec![
            person(&[0], None, &[]),
            person(&[], Some(1), &[("kv/y", false)]),
            person(&[], Some(0), &[("tr/x", false), ("kv/z/y", false)]),
        ],
        handed_out: "ci",
        ahead: false,
        lacking: Some(1),
    };
    holds(&world).unwrap();
}
