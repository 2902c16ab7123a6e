//! Random companies of several namespaces: the same policy names in each, tokens of a parent at work in the child, groups of one
//! namespace with members of another, tokens of one display name in two; and logs of them that lack this and that.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use vault_advisor::policy::acl::Acl;
use vault_advisor::policy::model::Policy;
use vault_advisor::policy::profile::Profile;
use vault_advisor::policy::syntax;
use vault_advisor::policy::template::Identity;
use vault_advisor::vault::{Capability, Operation, PolicyId};

use super::worlds::permits;

/// Path and id of each namespace.
pub const SPACES: [(&str, &str); 4] = [("", "root"), ("a/", "aB3xY"), ("a/b/", "cD4wZ"), ("c/", "eF5vU")];
const NAMES: [&str; 4] = ["app", "admin", "ops", "default"];
const WORDS: [&str; 4] = ["x", "y", "xy", "z"];
const PROFILE: Profile = Profile::Vault203;

#[derive(Debug, Clone)]
struct Rule {
    below: Index,
    words: Vec<&'static str>,
    end: &'static str,
    capabilities: Vec<Capability>,
}

#[derive(Debug, Clone)]
struct Person {
    home: usize,
    entity: bool,
    own: Vec<usize>,
    /// Of a group: namespace and policy.
    external: Option<(usize, usize)>,
    display: &'static str,
    liar: bool,
}

/// What a log lacks of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Nothing.
    Nothing,
    /// What `policy_results` says.
    Results,
    /// Every list of policies.
    Lists,
    /// Both of that.
    Both,
    /// The ends of its lines, from so many hundredths on.
    End(usize),
    /// Whatever tells who asks.
    Identity,
    /// Whatever tells who asks, and every list.
    Who,
    /// The list of all policies and that of the identity, and what `policy_results` says.
    Own,
    /// The lists of other namespaces, and what `policy_results` says.
    External,
    /// The namespace, and what `policy_results` says.
    Space,
    /// The path of the namespace, and what `policy_results` says.
    SpacePath,
    /// What was asked.
    Operation,
    /// Where it was asked for.
    Path,
    /// The path, which a mark stands in place of.
    Hidden,
    /// Whether it is a request or a response.
    Type,
    /// The request as a whole.
    Asked,
    /// The beginnings of its lines, up to so many hundredths.
    Beginning(usize),
    /// The response entry.
    Response,
    /// The request entry.
    Request,
    /// All of it.
    All,
}

impl Lack {
    /// The same, as far as it leaves a trace: what is dropped as a whole is never known to have been there, and of a refusal that
    /// tells neither who was refused nor what they held there is nothing to learn.
    pub fn of_what_is_there(self, allowed: bool) -> Self {
        match self {
            Self::All | Self::Request | Self::Response | Self::Beginning(_) => Self::Nothing,
            Self::Who if !allowed => Self::Nothing,
            other => other,
        }
    }
}

#[derive(Debug, Clone)]
struct Deed {
    person: Index,
    below: Index,
    aim: Index,
    words: Vec<&'static str>,
    operation: Operation,
    lack: Lack,
}

/// A company.
#[derive(Debug, Clone)]
pub struct Company {
    policies: BTreeMap<(usize, usize), Vec<Rule>>,
    people: Vec<Person>,
    deeds: Vec<Deed>,
    misnamed: Option<Index>,
}

/// What a policy is called that the program was given under a wrong name.
const WRONG: &str = "wrong";

/// A request.
#[derive(Debug, Clone)]
pub struct Event {
    /// Number of the person.
    pub person: usize,
    /// What it asked to do.
    pub operation: Operation,
    /// Path, namespace in front.
    pub path: String,
    /// What the server said.
    pub allowed: bool,
    /// What the log lacks of it.
    pub lack: Lack,
    at: usize,
    relative: String,
}

fn below(home: usize) -> Vec<usize> {
    (0..SPACES.len())
        .filter(|&n| SPACES[n].0.starts_with(SPACES[home].0))
        .collect()
}

/// Random companies.
pub fn company() -> impl Strategy<Value = Company> {
    let capability = select(vec![
        Capability::Read,
        Capability::List,
        Capability::Update,
        Capability::Delete,
    ]);
    let capabilities = prop_oneof![
        8 => vec(capability, 1..4).prop_map(|mut c| { c.sort_unstable(); c.dedup(); c }),
        1 => Just(vec![Capability::Deny]),
    ];
    let rule = (
        any::<Index>(),
        vec(select(&WORDS[..]), 0..3),
        select(&["", "*", "/*", "/*"][..]),
        capabilities,
    )
        .prop_map(|(below, words, end, capabilities)| Rule {
            below,
            words,
            end,
            capabilities,
        });
    let place = (0..SPACES.len(), 0..NAMES.len());
    let person = (
        0..SPACES.len(),
        prop::bool::weighted(0.6),
        vec(0..NAMES.len(), 1..3),
        prop::option::weighted(0.3, place.clone()),
        select(&["ci", "ci", "kube", "web"][..]),
        prop::bool::weighted(0.3),
    )
        .prop_map(|(home, entity, own, external, display, liar)| Person {
            home,
            entity,
            own,
            external,
            display,
            liar,
        });
    let lack = prop_oneof![
        24 => Just(Lack::Nothing),
        2 => Just(Lack::Results),
        1 => Just(Lack::Lists),
        1 => Just(Lack::Both),
        1 => (20..99usize).prop_map(Lack::End),
        1 => select(vec![
            Lack::Identity, Lack::Who, Lack::Own, Lack::External, Lack::Space, Lack::SpacePath, Lack::Operation, Lack::Path,
            Lack::Hidden, Lack::Type, Lack::Asked,
        ]),
        1 => (1..60usize).prop_map(Lack::Beginning),
        1 => Just(Lack::Response),
        1 => Just(Lack::Request),
        1 => Just(Lack::All),
    ];
    let operation = select(vec![
        Operation::Read,
        Operation::Read,
        Operation::List,
        Operation::Update,
        Operation::Delete,
    ]);
    let deed = (
        any::<Index>(),
        any::<Index>(),
        any::<Index>(),
        vec(select(&WORDS[..]), 1..3),
        operation,
        lack,
    )
        .prop_map(|(person, below, aim, words, operation, lack)| Deed {
            person,
            below,
            aim,
            words,
            operation,
            lack,
        });
    (
        prop::collection::btree_map(place, vec(rule, 1..4), 2..10),
        vec(person, 1..6),
        vec(deed, 1..40),
        prop::option::weighted(0.2, any::<Index>()),
    )
        .prop_map(|(policies, people, deeds, misnamed)| Company {
            policies,
            people,
            deeds,
            misnamed,
        })
}

impl Company {
    /// The same company, with logs that lack something else of each request, by what they lack and whether it was allowed.
    pub fn with(&self, lack: impl Fn(Lack, bool) -> Lack) -> Self {
        let mut other = self.clone();
        for (deed, event) in other.deeds.iter_mut().zip(self.events()) {
            deed.lack = lack(deed.lack, event.allowed);
        }
        other
    }

    /// Every policy that exists.
    pub fn policies(&self) -> Vec<Policy> {
        let all = self.policies.iter().map(|(&(space, name), rules)| {
            let text: String = rules.iter().map(|rule| rule_text(space, rule)).collect();
            self.parse(&PolicyId::new(SPACES[space].0, NAMES[name]), &text)
        });
        all.collect()
    }

    /// The policies as the program is given them: one may have another name than on the server.
    pub fn read(&self) -> Vec<Policy> {
        let mut read = self.policies();
        if let Some(n) = self
            .misnamed
            .map(|n| n.index(read.len()))
            .filter(|&n| &*read[n].name != "default")
        {
            let id = PolicyId::new(read[n].namespace.clone(), WRONG);
            read[n] = self.parse(&id, read[n].source.as_ref());
        }
        read
    }

    /// What a policy that the program was given is on the server.
    pub fn meant(&self, id: PolicyId) -> PolicyId {
        let all = self.policies();
        match self.misnamed {
            Some(n) if &*id.name == WRONG => all[n.index(all.len())].id(),
            _ => id,
        }
    }

    /// A policy of that text.
    pub fn parse(&self, id: &PolicyId, text: &str) -> Policy {
        let file = format!("{id}.hcl");
        let mut policy =
            syntax::parse(&id.name, &file, text, &PROFILE.dialect()).unwrap_or_else(|e| panic!("{e}\n{text}"));
        policy.namespace = id.namespace.clone();
        policy
    }

    /// The policies that a person's tokens name, those that do not exist as well.
    pub fn held(&self, person: usize) -> BTreeSet<PolicyId> {
        let who = &self.people[person];
        let own = who.own.iter().map(|&name| (who.home, name)).chain([(who.home, 3)]);
        own.chain(who.external)
            .map(|(space, name)| PolicyId::new(SPACES[space].0, NAMES[name]))
            .collect()
    }

    /// The list in force for a person, of these policies.
    pub fn acl(&self, person: usize, policies: &[Policy]) -> Acl {
        let held = self.held(person);
        let chosen: Vec<&Policy> = policies.iter().filter(|policy| held.contains(&policy.id())).collect();
        Acl::compile(PROFILE, &chosen, &Identity::default(), None)
    }

    /// What happened, as the server decided it.
    pub fn events(&self) -> Vec<Event> {
        let policies = self.policies();
        self.deeds.iter().map(|deed| self.event(deed, &policies)).collect()
    }

    fn event(&self, deed: &Deed, policies: &[Policy]) -> Event {
        let person = deed.person.index(self.people.len());
        let spaces = below(self.people[person].home);
        let mut at = *deed.below.get(&spaces);
        let held = self.held(person);
        let aims: Vec<String> = policies
            .iter()
            .filter(|policy| held.contains(&policy.id()))
            .flat_map(|policy| {
                policy
                    .stanzas
                    .iter()
                    .map(|stanza| format!("{}{}", policy.namespace, stanza.path))
            })
            .collect();
        let mut path = if aims.is_empty() {
            format!("{}kv/{}", SPACES[at].0, deed.words.join("/"))
        } else {
            let aim = deed.aim.get(&aims);
            match aim.strip_suffix('*') {
                Some(lead) => format!("{lead}{}", deed.words.join("/")),
                None => aim.clone(),
            }
        };
        // Where the path lies is where the request is made, if its maker may act there at all.
        let home = SPACES[self.people[person].home].0;
        let deepest = (0..SPACES.len()).filter(|&n| path.starts_with(SPACES[n].0) && SPACES[n].0.starts_with(home));
        match deepest.max_by_key(|&n| SPACES[n].0.len()) {
            Some(space) => at = space,
            None => path = format!("{}kv/x", SPACES[at].0),
        }
        if deed.operation == Operation::List && !path.ends_with('/') {
            path.push('/');
        }
        let allowed = permits(&self.acl(person, policies), deed.operation, &path, false);
        Event {
            person,
            operation: deed.operation,
            relative: path.strip_prefix(SPACES[at].0).unwrap().to_owned(),
            path,
            allowed,
            lack: deed.lack,
            at,
        }
    }

    /// The log, as far as it is whole.
    pub fn log(&self) -> String {
        let policies = self.policies();
        let mut lines = String::new();
        for (n, event) in self.events().iter().enumerate() {
            let auth = self.auth(event, &policies);
            for kind in ["request", "response"] {
                let left_out = match event.lack {
                    Lack::All => true,
                    Lack::Request => kind == "request",
                    Lack::Response => kind == "response",
                    _ => false,
                };
                if left_out {
                    continue;
                }
                let (path, id) = SPACES[event.at];
                let mut entry = json!({
                    "time": format!("2026-03-01T10:{:02}:{:02}Z", n / 60, n % 60),
                    "type": kind,
                    "auth": auth,
                    "request": {
                        "id": format!("r-{n}"),
                        "operation": event.operation.capability().unwrap().as_str(),
                        "mount_type": "kv",
                        "namespace": if path.is_empty() { json!({"id": id}) } else { json!({"id": id, "path": path}) },
                        "path": event.relative,
                        "data": {"k": "hmac-sha256:0"},
                    },
                });
                if !event.allowed {
                    entry["error"] = json!("1 error occurred:\n\t* permission denied\n\n");
                }
                // Where neither policies nor the rest of the log know of a namespace, nobody could tell that one is left out.
                if event.lack != Lack::Space || self.policies.keys().any(|(space, _)| *space != 0) {
                    leave_out(&mut entry, event.lack);
                }
                let line = entry.to_string();
                match event.lack {
                    Lack::End(hundredths) => lines.push_str(&line[..line.len() * hundredths / 100]),
                    Lack::Beginning(hundredths) => lines.push_str(&line[line.len() * hundredths / 100..]),
                    _ => lines.push_str(&line),
                }
                lines.push('\n');
            }
        }
        lines
    }

    fn auth(&self, event: &Event, policies: &[Policy]) -> Value {
        let who = &self.people[event.person];
        let own: BTreeSet<&str> = who.own.iter().map(|&name| NAMES[name]).chain(["default"]).collect();
        let lacks = |what: &[Lack]| what.contains(&event.lack);
        let mut auth = json!({
            "accessor": format!("hmac-sha256:{}", event.person),
            "display_name": if who.liar { "token-made" } else { who.display },
            "token_type": "service",
        });
        if !lacks(&[Lack::Lists, Lack::Both]) {
            auth["policies"] = json!(own);
            auth["token_policies"] = json!(own);
            if let Some((space, name)) = who.external.filter(|(space, _)| *space != who.home) {
                auth["external_namespace_policies"] = json!({SPACES[space].1: [NAMES[name]]});
            }
            if let Some((_, name)) = who.external.filter(|(space, _)| *space == who.home) {
                let own: BTreeSet<&str> = own.iter().copied().chain([NAMES[name]]).collect();
                auth["policies"] = json!(own);
                auth["identity_policies"] = json!([NAMES[name]]);
            }
        }
        if who.liar {
            auth["metadata"] = json!({"username": "somebody", "role_name": "admin"});
        }
        if who.entity {
            let end = if who.home == 0 {
                String::new()
            } else {
                format!(".{}", SPACES[who.home].1)
            };
            auth["entity_id"] = json!(format!("0a1b2c3d-0000-4000-8000-{:012}{end}", event.person));
        }
        let no_results = [
            Lack::Results,
            Lack::Both,
            Lack::Own,
            Lack::External,
            Lack::Space,
            Lack::SpacePath,
        ];
        if !lacks(&no_results) {
            let mut results = json!({"allowed": event.allowed});
            if event.allowed {
                let acl = self.acl(event.person, policies);
                let rule = acl
                    .winner(event.operation, &event.path)
                    .and_then(|id| acl.rule(id))
                    .unwrap();
                let held = self.held(event.person);
                let chosen: Vec<&Policy> = policies.iter().filter(|policy| held.contains(&policy.id())).collect();
                // Servers name those that give what was asked for.
                let wanted = PROFILE.capability(event.operation).unwrap();
                let giving = rule
                    .sources
                    .iter()
                    .filter(|source| source.capabilities.contains(wanted));
                let granting = giving.map(|source| chosen[source.policy]).map(|policy| {
                    let (path, id) = SPACES
                        .into_iter()
                        .find(|(path, _)| *path == &*policy.namespace)
                        .unwrap();
                    if path.is_empty() {
                        json!({"name": &*policy.name, "namespace_id": id, "type": "acl"})
                    } else {
                        json!({"name": &*policy.name, "namespace_id": id, "namespace_path": path, "type": "acl"})
                    }
                });
                results["granting_policies"] = granting.collect();
            }
            auth["policy_results"] = results;
        }
        auth
    }
}

/// Takes out of an entry what is not there.
fn leave_out(entry: &mut Value, lack: Lack) {
    let who = ["accessor", "display_name", "entity_id", "metadata"];
    let gone: Vec<(&str, &str)> = match lack {
        Lack::Identity => who.map(|key| ("auth", key)).to_vec(),
        Lack::Who => [
            &who[..],
            &[
                "policies",
                "token_policies",
                "identity_policies",
                "external_namespace_policies",
            ],
        ]
        .concat()
        .into_iter()
        .map(|key| ("auth", key))
        .collect(),
        Lack::Own => vec![("auth", "policies"), ("auth", "identity_policies")],
        Lack::External => vec![("auth", "external_namespace_policies")],
        Lack::Space => vec![("request", "namespace")],
        Lack::Operation => vec![("request", "operation")],
        Lack::Path => vec![("request", "path")],
        Lack::SpacePath => {
            if let Some(namespace) = entry["request"]["namespace"].as_object_mut() {
                namespace.remove("path");
            }
            return;
        }
        Lack::Hidden => {
            entry["request"]["path"] = json!("hmac-sha256:00");
            return;
        }
        Lack::Type | Lack::Asked => {
            let key = if lack == Lack::Type { "type" } else { "request" };
            entry.as_object_mut().unwrap().remove(key);
            return;
        }
        _ => return,
    };
    for (object, key) in gone {
        if let Some(object) = entry[object].as_object_mut() {
            object.remove(key);
        }
    }
}

fn rule_text(home: usize, rule: &Rule) -> String {
    let spaces = below(home);
    let into = SPACES[*rule.below.get(&spaces)].0.strip_prefix(SPACES[home].0).unwrap();
    let end = if rule.words.is_empty() { "*" } else { rule.end };
    let words: Vec<String> = rule.capabilities.iter().map(|c| format!("\"{c}\"")).collect();
    format!(
        "path \"{into}kv/{}{end}\" {{\n  capabilities = [{}]\n}}\n",
        rule.words.join("/"),
        words.join(", ")
    )
}
