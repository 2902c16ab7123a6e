//! Random small deployments: policies, who holds them, what was done with them, and the log and the snapshot of it all.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use vault_advisor::deployment::{self, Deployment};
use vault_advisor::policy::acl::Acl;
use vault_advisor::policy::model::Policy;
use vault_advisor::policy::profile::Profile;
use vault_advisor::policy::syntax;
use vault_advisor::policy::template::{Entity, Group, Identity};
use vault_advisor::vault::{Capability, Operation, protected};

use super::plain_scan::Scan;

/// Folders that stanzas and requests lie in, each with its mount's type and, where it is no root namespace, that.
const FOLDERS: [(&str, &str, &str); 7] = [
    ("secret/data/", "kv", ""),
    ("secret/data/home/", "kv", ""),
    ("secret/metadata/", "kv", ""),
    ("kv/", "kv", ""),
    ("sys/raw/", "system", ""),
    ("sys/policies/acl/", "system", ""),
    ("team/secret/data/", "kv", "team/"),
];
const WORDS: [&str; 8] = ["a", "b", "ab", "ann", "bob", "ops", "x", "123456789"];
const NAMES: [&str; 5] = ["ann", "bob", "cleo", "dora", "emil"];
const TEMPLATES: [&str; 4] = [
    "{{identity.entity.name}}",
    "{{ identity.entity.id }}",
    "{{identity.entity.metadata.team}}",
    "{{identity.groups.names.ops.id}}",
];
const CONSTRAINTS: [&str; 4] = [
    "allowed_parameters = { \"a\" = [], \"b\" = [\"x\"] }",
    "required_parameters = [\"a\"]",
    "denied_parameters = { \"b\" = [] }",
    "max_wrapping_ttl = \"60s\"",
];
/// What the log is dated with.
const DAY: &str = "2026-03-01T";
/// That day's noon.
pub const NOW: i64 = 1_772_366_400;

#[derive(Debug, Clone)]
struct Rule {
    folder: Index,
    segments: Vec<Segment>,
    end: &'static str,
    capabilities: Vec<Capability>,
    constraint: Option<&'static str>,
}

#[derive(Debug, Clone)]
enum Segment {
    Word(&'static str),
    Any,
    Own(&'static str),
}

impl Rule {
    fn path(&self) -> String {
        let mut path = FOLDERS[self.folder.index(FOLDERS.len())].0.to_owned();
        for (n, segment) in self.segments.iter().enumerate() {
            if n > 0 {
                path.push('/');
            }
            path.push_str(match segment {
                Segment::Word(word) | Segment::Own(word) => word,
                Segment::Any => "+",
            });
        }
        match (self.end, path.ends_with('+')) {
            ("*", true) => path.push_str("/*"),
            ("/*", _) if self.segments.is_empty() => path.push('*'),
            (end, _) => path.push_str(end),
        }
        path
    }

    fn text(&self) -> String {
        let words: Vec<String> = self.capabilities.iter().map(|c| format!("\"{c}\"")).collect();
        let constraint = self.constraint.map(|c| format!("  {c}\n")).unwrap_or_default();
        format!(
            "path \"{}\" {{\n  capabilities = [{}]\n{constraint}}}\n",
            self.path(),
            words.join(", ")
        )
    }
}

fn rule() -> impl Strategy<Value = Rule> {
    let segment = prop_oneof![
        6 => select(&WORDS[..]).prop_map(Segment::Word),
        2 => Just(Segment::Any),
        1 => select(&TEMPLATES[..]).prop_map(Segment::Own),
    ];
    let capability = select(vec![
        Capability::Read,
        Capability::List,
        Capability::Create,
        Capability::Update,
        Capability::Delete,
        Capability::Patch,
        Capability::Sudo,
    ]);
    let capabilities = prop_oneof![
        8 => vec(capability, 1..5).prop_map(|mut c| { c.sort_unstable(); c.dedup(); c }),
        1 => Just(vec![Capability::Deny]),
    ];
    let constraint = prop_oneof![12 => Just(None), 1 => select(&CONSTRAINTS[..]).prop_map(Some)];
    (
        any::<Index>(),
        vec(segment, 0..4),
        select(&["", "", "/", "*", "/*", "/*", "/*"][..]),
        capabilities,
        constraint,
    )
        .prop_map(|(folder, segments, end, capabilities, constraint)| Rule {
            folder,
            segments,
            end,
            capabilities,
            constraint,
        })
}

#[derive(Debug, Clone)]
struct Person {
    entity: bool,
    team: Option<&'static str>,
    in_ops: bool,
    sets: Vec<Vec<Index>>,
    /// How many policies of the first set its auth role gives, and not the entity.
    by_role: usize,
}

#[derive(Debug, Clone)]
struct Deed {
    person: Index,
    set: Index,
    /// Which stanza of the set the path is made to fit, if any.
    aim: Option<Index>,
    folder: Index,
    words: Vec<&'static str>,
    tail: &'static str,
    operation: Operation,
}

/// A deployment with what happened on it.
#[derive(Debug, Clone)]
pub struct World {
    /// Whose rules decide.
    pub profile: Profile,
    with_default: bool,
    with_deployment: bool,
    hidden: Option<Index>,
    policies: Vec<Vec<Rule>>,
    /// What the group gives to all its members.
    shared: Vec<Index>,
    people: Vec<Person>,
    deeds: Vec<Deed>,
    /// What hands out policies to people who were never seen: which kind of thing, and what.
    others: Vec<(&'static str, Vec<Index>)>,
}

/// A place on the server that lists policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `entity`, `group`, or the type of the auth method.
    pub kind: &'static str,
    /// Its id, or mount and name.
    pub id: String,
    /// What it lists.
    pub policies: Vec<String>,
}

/// A request with what the server said.
#[derive(Debug, Clone)]
pub struct Event {
    /// Number of the person.
    pub person: usize,
    /// Policies of its token, sorted.
    pub policies: Vec<String>,
    /// What it asked to do.
    pub operation: Operation,
    /// Path, namespace in front.
    pub path: String,
    /// Whether `sudo` is needed besides.
    pub needs_sudo: bool,
    /// What the server said.
    pub allowed: bool,
    mount_type: &'static str,
    namespace: &'static str,
}

/// Things that hand out policies and that nobody who was seen came by.
const OTHERS: [&str; 4] = ["group", "ldap-group", "ldap-config", "token-role"];

/// Random worlds.
pub fn world() -> impl Strategy<Value = World> {
    let person = (
        prop::bool::weighted(0.7),
        prop::option::of(select(&["ops", "web", "a/b", "a*"][..])),
        any::<bool>(),
        vec(vec(any::<Index>(), 1..4), 1..3),
        0..4usize,
    )
        .prop_map(|(entity, team, in_ops, sets, by_role)| Person {
            entity,
            team,
            in_ops,
            sets,
            by_role,
        });
    let operation = select(vec![
        Operation::Read,
        Operation::Read,
        Operation::List,
        Operation::Create,
        Operation::Update,
        Operation::Delete,
        Operation::Patch,
    ]);
    let deed = (
        any::<Index>(),
        any::<Index>(),
        prop_oneof![6 => any::<Index>().prop_map(Some), 1 => Just(None)],
        any::<Index>(),
        vec(select(&WORDS[..]), 4),
        select(&["", "", "a", "b", "x/y", "ann/x"][..]),
        operation,
    )
        .prop_map(|(person, set, aim, folder, words, tail, operation)| Deed {
            person,
            set,
            aim,
            folder,
            words,
            tail,
            operation,
        });
    (
        select(Profile::ALL.to_vec()),
        any::<bool>(),
        any::<bool>(),
        prop_oneof![5 => Just(None), 1 => any::<Index>().prop_map(Some)],
        vec(vec(rule(), 1..5), 1..6),
        vec(any::<Index>(), 0..3),
        vec(person, 1..NAMES.len()),
        vec(deed, 1..40),
        vec((select(&OTHERS[..]), vec(any::<Index>(), 1..3)), 0..3),
    )
        .prop_map(
            |(profile, with_default, with_deployment, hidden, policies, shared, people, deeds, others)| World {
                profile,
                with_default,
                with_deployment,
                hidden,
                policies,
                shared,
                people,
                deeds,
                others,
            },
        )
}

impl World {
    fn policy_name(&self, n: usize) -> String {
        if n == 0 && self.with_default {
            "default".to_owned()
        } else {
            format!("p{n}")
        }
    }

    /// Every policy of the server, with its text.
    pub fn texts(&self) -> BTreeMap<String, String> {
        let text = |rules: &Vec<Rule>| rules.iter().map(Rule::text).collect::<Vec<_>>().join("\n");
        let texts = self.policies.iter().map(text);
        texts.enumerate().map(|(n, text)| (self.policy_name(n), text)).collect()
    }

    /// The policy that nobody gave to the program.
    pub fn hidden(&self) -> Option<String> {
        let hidden = self.hidden.filter(|_| self.policies.len() > 2)?;
        Some(self.policy_name(1 + hidden.index(self.policies.len() - 1)))
    }

    /// The policies that the program reads.
    pub fn read(&self) -> Vec<Policy> {
        let hidden = self.hidden();
        let texts = self.texts();
        let texts = texts.iter().filter(|(name, _)| Some(*name) != hidden.as_ref());
        texts.map(|(name, text)| self.parse(name, text)).collect()
    }

    /// A policy of this server.
    pub fn parse(&self, name: &str, text: &str) -> Policy {
        syntax::parse(name, &format!("{name}.hcl"), text, &self.profile.dialect())
            .unwrap_or_else(|e| panic!("`{name}` does not parse: {e}\n{text}"))
    }

    /// The numbers of the people.
    pub fn people(&self) -> std::ops::Range<usize> {
        0..self.people.len()
    }

    /// What a person is called.
    pub fn name(&self, person: usize) -> &'static str {
        NAMES[person]
    }

    fn names(&self, policies: &[Index]) -> BTreeSet<String> {
        let name = |i: &Index| self.policy_name(i.index(self.policies.len()));
        policies.iter().map(name).collect()
    }

    /// Policy sets of a person's tokens, the first from a login, others from tokens that it made of it.
    pub fn sets(&self, person: usize) -> Vec<Vec<String>> {
        let mut sets: Vec<BTreeSet<String>> = self.people[person].sets.iter().map(|set| self.names(set)).collect();
        sets[0] = self.places(person).into_iter().flat_map(|p| p.policies).collect();
        if self.with_default {
            for set in &mut sets {
                set.insert("default".to_owned());
            }
        }
        sets.into_iter().map(|set| set.into_iter().collect()).collect()
    }

    /// Where the policies of a person's login come from.
    pub fn places(&self, person: usize) -> Vec<Place> {
        let who = &self.people[person];
        let own = self.names(&who.sets[0]).into_iter().filter(|name| name != "default");
        let own: Vec<String> = own.collect();
        let place = |kind, id, policies: &[String]| Place {
            kind,
            id,
            policies: policies.to_vec(),
        };
        let name = NAMES[person];
        if !who.entity {
            return vec![place("approle", format!("auth/approle/{name}"), &own)];
        }
        let (by_role, by_entity) = own.split_at(who.by_role.min(own.len()));
        let mut places = vec![place("entity", entity_id(person), by_entity)];
        if who.by_role > 0 {
            places.push(place("userpass", format!("auth/userpass/{name}"), by_role));
        }
        if who.in_ops {
            let shared: Vec<String> = self.names(&self.shared).into_iter().collect();
            places.push(place("group", "g-ops".to_owned(), &shared));
        }
        places
    }

    /// What the server fills templates from.
    pub fn identity(&self, person: usize) -> Identity {
        let who = &self.people[person];
        if !who.entity {
            return Identity::default();
        }
        let group = |_| Group {
            id: "g-ops".to_owned(),
            name: "ops".to_owned(),
            ..Group::default()
        };
        Identity {
            entity: Some(Entity {
                id: entity_id(person),
                name: NAMES[person].to_owned(),
                metadata: who
                    .team
                    .map(|t| ("team".to_owned(), t.to_owned()))
                    .into_iter()
                    .collect(),
                aliases: Vec::new(),
            }),
            groups: Some(()).filter(|()| who.in_ops).map(group).into_iter().collect(),
        }
    }

    /// The list in force for a person that holds `policies`.
    pub fn acl(&self, person: usize, policies: &[Policy]) -> Acl {
        let policies: Vec<&Policy> = policies.iter().collect();
        Acl::compile(self.profile, &policies, &self.identity(person), Some(NOW))
    }

    /// What happened, as the server decided it.
    pub fn events(&self) -> Vec<Event> {
        self.deeds.iter().map(|deed| self.event(deed)).collect()
    }

    fn event(&self, deed: &Deed) -> Event {
        let person = deed.person.index(self.people.len());
        let sets = self.sets(person);
        let names = deed.set.get(&sets).clone();
        let texts = self.texts();
        let held: Vec<Policy> = names.iter().map(|n| self.parse(n, &texts[n])).collect();
        let stanzas: Vec<&str> = held.iter().flat_map(|p| &p.stanzas).map(|s| &*s.path).collect();
        let aim = match deed.aim {
            Some(aim) => (*aim.get(&stanzas)).to_owned(),
            None => format!("{}+/*", FOLDERS[deed.folder.index(FOLDERS.len())].0),
        };
        let mut path = self.fit(person, &aim, &deed.words, deed.tail);
        if deed.operation == Operation::List && !path.ends_with('/') {
            path.push('/');
        }
        let (_, mount_type, namespace) = FOLDERS
            .into_iter()
            .find(|(folder, _, _)| path.starts_with(folder))
            .unwrap_or(("", "", ""));
        let needs_sudo = protected::needs_sudo(mount_type, path.strip_prefix(namespace).unwrap());
        let allowed = permits(&self.acl(person, &held), deed.operation, &path, needs_sudo);
        Event {
            person,
            policies: names,
            operation: deed.operation,
            path,
            needs_sudo,
            allowed,
            mount_type,
            namespace,
        }
    }

    /// A path that `pattern` fits, when its templates are filled as for this person.
    fn fit(&self, person: usize, pattern: &str, words: &[&'static str], tail: &str) -> String {
        let mut words = words.iter().cycle();
        let mut next = || *words.next().unwrap();
        let own = |segment: &str| {
            let identity = self.identity(person);
            let entity = identity.entity?;
            let value = match segment {
                "{{identity.entity.name}}" => entity.name,
                "{{ identity.entity.id }}" => entity.id,
                "{{identity.entity.metadata.team}}" => entity.metadata.get("team").cloned()?,
                _ => identity.groups.first()?.id.clone(),
            };
            Some(value).filter(|v| !v.contains(['*', '+', '/']))
        };
        let filled: Vec<String> = pattern
            .split('/')
            .map(|segment| {
                if segment == "+" {
                    return next().to_owned();
                }
                let (segment, open) = segment.strip_suffix('*').map_or((segment, false), |s| (s, true));
                let mut word = if segment.contains("{{") {
                    own(segment).unwrap_or_else(|| next().to_owned())
                } else {
                    segment.to_owned()
                };
                if open {
                    word.push_str(tail);
                }
                word
            })
            .collect();
        filled.join("/")
    }

    /// The audit log of it.
    pub fn log(&self) -> String {
        let mut lines = String::new();
        for (n, event) in self.events().iter().enumerate() {
            let who = &self.people[event.person];
            let name = NAMES[event.person];
            let mut auth = json!({
                "accessor": format!("hmac-sha256:{name}"),
                "display_name": if who.entity { format!("userpass-{name}") } else { "approle".to_owned() },
                "policies": event.policies,
                "token_policies": event.policies,
                "policy_results": {"allowed": event.allowed},
                "metadata": if who.entity { json!({"username": name}) } else { json!({"role_name": name}) },
                "token_type": "service",
            });
            if who.entity {
                auth["entity_id"] = json!(entity_id(event.person));
            }
            for kind in ["request", "response"] {
                let mut entry = json!({
                    "time": format!("{DAY}10:{:02}:{:02}Z", n / 60, n % 60),
                    "type": kind,
                    "auth": auth,
                    "request": {
                        "id": format!("r-{n}"),
                        "operation": event.operation.capability().unwrap().as_str(),
                        "mount_type": event.mount_type,
                        "namespace": if event.namespace.is_empty() { json!({"id": "root"}) } else { json!({"id": "n1", "path": event.namespace}) },
                        "path": event.path.strip_prefix(event.namespace).unwrap(),
                    },
                });
                if !event.allowed {
                    entry["error"] = json!("1 error occurred:\n\t* permission denied\n\n");
                }
                lines.push_str(&entry.to_string());
                lines.push('\n');
            }
        }
        lines
    }

    /// The snapshot of it, where there is one.
    pub fn deployment(&self) -> Option<Deployment> {
        if !self.with_deployment {
            return None;
        }
        let mut deployment = Deployment::default();
        deployment.auth_mounts.push(deployment::Mount {
            namespace: String::new(),
            path: "auth/userpass/".to_owned(),
            kind: "userpass".to_owned(),
            accessor: "auth_userpass_1".to_owned(),
            kv_version: None,
            description: String::new(),
        });
        for n in self.people() {
            for place in self.places(n) {
                match place.kind {
                    "entity" => deployment.entities.push(deployment::Entity {
                        id: place.id,
                        name: NAMES[n].to_owned(),
                        policies: place.policies,
                        metadata: self.identity(n).entity.unwrap().metadata,
                        aliases: vec![deployment::Alias {
                            name: NAMES[n].to_owned(),
                            mount_accessor: "auth_userpass_1".to_owned(),
                            ..deployment::Alias::default()
                        }],
                        ..deployment::Entity::default()
                    }),
                    "group" => {}
                    kind => deployment.roles.push(deployment::AuthRole {
                        namespace: String::new(),
                        mount: format!("auth/{kind}/"),
                        kind: kind.to_owned(),
                        item: if kind == "userpass" { "user" } else { "role" }.to_owned(),
                        name: NAMES[n].to_owned(),
                        policies: place.policies,
                        unlisted: false,
                        no_default_policy: !self.with_default,
                        allowed_policies: Vec::new(),
                    }),
                }
            }
        }
        let members = self
            .people()
            .filter(|&n| self.people[n].entity && self.people[n].in_ops);
        deployment.groups.push(deployment::Group {
            id: "g-ops".to_owned(),
            name: "ops".to_owned(),
            policies: self.names(&self.shared).into_iter().collect(),
            member_entities: members.map(entity_id).collect(),
            ..deployment::Group::default()
        });
        for (n, (kind, policies)) in self.others.iter().enumerate() {
            let policies: Vec<String> = self.names(policies).into_iter().collect();
            let role =
                |kind: &str, item: &str, policies: Vec<String>, allowed_policies: Vec<String>| deployment::AuthRole {
                    namespace: String::new(),
                    mount: format!("auth/{kind}/"),
                    kind: kind.to_owned(),
                    item: item.to_owned(),
                    name: format!("other-{n}"),
                    policies,
                    unlisted: false,
                    no_default_policy: false,
                    allowed_policies,
                };
            match *kind {
                "group" => deployment.groups.push(deployment::Group {
                    id: format!("g-other-{n}"),
                    name: format!("other-{n}"),
                    policies,
                    external: true,
                    ..deployment::Group::default()
                }),
                "ldap-group" => deployment.roles.push(role("ldap", "group", policies, Vec::new())),
                "ldap-config" => deployment.roles.push(role("ldap", "config", policies, Vec::new())),
                _ => deployment.roles.push(role("token", "role", Vec::new(), policies)),
            }
        }
        Some(deployment)
    }

    /// The policies that people get who were never seen.
    pub fn of_others(&self) -> BTreeSet<String> {
        let others = self.others.iter().filter(|_| self.with_deployment);
        others.flat_map(|(_, policies)| self.names(policies)).collect()
    }

    /// Paths that tell the patterns of this world apart: everything that a stanza of it may mean, and what was asked for.
    pub fn probes(&self) -> BTreeSet<String> {
        let mut probes: BTreeSet<String> = self.events().into_iter().map(|e| e.path).collect();
        for rule in self.policies.iter().flatten() {
            for person in self.people() {
                for (word, tail) in [("a", ""), ("b", "x"), ("ann", "x/y"), ("123456789", "b")] {
                    probes.insert(self.fit(person, &rule.path(), &[word], tail));
                }
            }
        }
        let folders: Vec<String> = probes.iter().map(|p| format!("{p}/")).collect();
        probes.extend(folders);
        probes
    }
}

fn entity_id(person: usize) -> String {
    format!("e-{}", NAMES[person])
}

/// Whether a list allows a request, by the plain scan.
pub fn permits(acl: &Acl, operation: Operation, path: &str, needs_sudo: bool) -> bool {
    let rule = Scan(acl).winner(operation, path).and_then(|id| acl.rule(id));
    let wanted = acl.profile().capability(operation);
    rule.zip(wanted).is_some_and(|(rule, wanted)| {
        rule.capabilities.contains(wanted) && (!needs_sudo || rule.capabilities.contains(Capability::Sudo))
    })
}
