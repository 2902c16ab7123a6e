//! What proposals are made of, end to end from a log: templates in the place of many policies, policies that are kept, what
//! belongs together in KV version 2, and parameters as they were sent.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test is told by its panic"
)]

use serde_json::{Value, json};
use std::time::Duration;
use vault_advisor::advice::{Advice, Change, Proposal};
use vault_advisor::analysis::evidence::EvidenceSettings;
use vault_advisor::deployment::{Deployment, Entity, Group};
use vault_advisor::ingest::{Options, Reader};
use vault_advisor::optimize::foresight::ForesightSettings;
use vault_advisor::optimize::parameters::ParameterRule;
use vault_advisor::optimize::paths::Price;
use vault_advisor::pipeline::{self, Material};
use vault_advisor::policy::profile::Profile;
use vault_advisor::policy::syntax;
use vault_advisor::settings::Settings;

#[derive(Default)]
struct Case {
    policies: Vec<(String, String)>,
    deployment: Option<Deployment>,
    log: String,
    requests: usize,
    dormant_days: f64,
}

impl Case {
    fn policy(&mut self, name: &str, text: &str) {
        self.policies.push((name.to_owned(), text.to_owned()));
    }

    /// An entity that may be named in templates.
    fn entity(&mut self, name: &str, policies: &[&str], groups: &[&str]) {
        let deployment = self.deployment.get_or_insert_default();
        deployment.entities.push(Entity {
            id: format!("e-{name}"),
            name: name.to_owned(),
            policies: policies.iter().map(|p| (*p).to_owned()).collect(),
            ..Entity::default()
        });
        for group in groups {
            let known = deployment.groups.iter_mut().find(|g| g.name == *group);
            match known {
                Some(known) => known.member_entities.push(format!("e-{name}")),
                None => deployment.groups.push(Group {
                    id: format!("g-{group}"),
                    name: (*group).to_owned(),
                    member_entities: vec![format!("e-{name}")],
                    ..Group::default()
                }),
            }
        }
    }

    fn request(&mut self, who: &str, policies: &[&str], operation: &str, mount_type: &str, path: &str, data: Value) {
        let n = self.requests;
        self.requests += 1;
        for kind in ["request", "response"] {
            let entry = json!({
                "time": format!("2026-03-01T{:02}:{:02}:{:02}Z", 10 + n / 3600, n / 60 % 60, n % 60),
                "type": kind,
                "auth": {
                    "entity_id": format!("e-{who}"), "display_name": format!("userpass-{who}"), "metadata": {"username": who},
                    "policies": policies, "token_policies": policies, "policy_results": {"allowed": true}, "accessor": who,
                },
                "request": {
                    "id": format!("r{n}"), "operation": operation, "path": path, "mount_type": mount_type, "data": data,
                    "namespace": {"id": "root"},
                },
            });
            self.log.push_str(&entry.to_string());
            self.log.push('\n');
        }
    }

    fn advise(&self, price: Price, keep: &[&str]) -> Advice {
        let mut reader = Reader::new(&Options::default());
        reader.feed("audit.log", self.log.as_bytes());
        reader.finish_file("audit.log");
        let profile = Profile::default();
        let parse = |(name, text): &(String, String)| syntax::parse(name, name, text, &profile.dialect()).unwrap();
        let settings = Settings {
            price,
            keep: keep.iter().map(|k| (*k).to_owned()).collect(),
            evidence: EvidenceSettings {
                dormant_days: self.dormant_days,
                ..EvidenceSettings::default()
            },
            foresight: ForesightSettings {
                horizon_days: 0,
                ..ForesightSettings::default()
            },
            ..Settings::default()
        };
        let material = Material {
            usage: reader.take(),
            policies: self.policies.iter().map(parse).collect(),
            deployment: self.deployment.clone(),
            inputs: Vec::new(),
            policies_dir: String::new(),
            unread: Vec::new(),
            notes: Vec::new(),
        };
        let options = pipeline::Options {
            profile,
            settings: &settings,
            time_limit: Duration::from_millis(500),
            seed: 1,
            max_roles: None,
            frontier: false,
            generated_at: None,
        };
        pipeline::advise(material, &options, &mut |_| {})
    }
}

fn of_kind<'a>(advice: &'a Advice, kind: &str) -> &'a Proposal {
    let found = advice.proposals.iter().find(|p| p.kind == kind).unwrap();
    assert!(found.proof.holds(), "{:?}", found.proof);
    found
}

fn text<'a>(proposal: &'a Proposal, policy: &str) -> &'a str {
    let found = proposal.policies.iter().find(|p| p.name == policy).unwrap();
    found.text.as_deref().unwrap_or_default()
}

fn homes(people: usize) -> Case {
    let mut case = Case::default();
    for n in 0..people {
        let (who, policy) = (format!("user{n:03}"), format!("home-{n:03}"));
        case.policy(
            &policy,
            &format!("path \"secret/data/home/{who}/*\" {{\n  capabilities = [\"create\", \"read\", \"update\", \"delete\"]\n}}\n"),
        );
        case.entity(&who, &[&policy], &["people"]);
        for (operation, secret) in [
            ("update", "note"),
            ("read", "note"),
            ("read", "todo"),
            ("read", &*format!("s{}", n % 10)),
        ] {
            let path = format!("secret/data/home/{who}/{secret}");
            case.request(&who, &[&policy], operation, "kv", &path, Value::Null);
        }
    }
    case
}

#[test]
fn a_hundred_policies_for_a_hundred_homes_become_one() {
    let advice = homes(100).advise(Price::default(), &[]);
    let redesign = of_kind(&advice, "redesign");
    let new: Vec<_> = redesign.policies.iter().filter(|p| p.change == Change::Add).collect();
    assert_eq!(
        redesign.after.policies,
        1,
        "{:?}",
        new.iter().map(|p| &p.text).collect::<Vec<_>>()
    );
    assert_eq!(new[0].stanzas[0].0, "secret/data/home/{{identity.entity.name}}/*");
    assert_eq!(new[0].holders.len(), 100);
    assert!(new[0].shared.as_deref().unwrap().contains("group `people`"));
    assert!(
        new[0].reasons[0].contains("all of group `people`"),
        "{:?}",
        new[0].reasons
    );
    // The group gives it to all of them, and the entities give up their own.
    let (groups, own): (Vec<_>, Vec<_>) = redesign.assignments.iter().partition(|a| a.kind == "group");
    assert_eq!((groups.len(), own.len()), (1, 100));
    assert_eq!(groups[0].after, [new[0].name.clone()]);
    assert!(own.iter().all(|a| a.kind == "entity" && a.after.is_empty()));
    assert!(redesign.after.exposure <= redesign.before.exposure);
}

#[test]
fn a_token_whose_policies_are_last_on_no_demand_keeps_what_it_did() {
    let mut case = Case::default();
    case.policy("wide", "path \"secret/data/*\" {\n  capabilities = [\"read\"]\n}\n");
    case.policy("narrow", "path \"secret/data/x\" {\n  capabilities = [\"read\"]\n}\n");
    case.entity("ann", &["narrow", "wide"], &[]);
    case.request("ann", &["wide"], "read", "kv", "secret/data/x", Value::Null);
    case.request("ann", &["narrow", "wide"], "read", "kv", "secret/data/x", Value::Null);
    let advice = case.advise(Price::default(), &[]);
    let tight = of_kind(&advice, "tighten");
    assert!(
        text(tight, "wide").contains("\"secret/data/x\""),
        "{}",
        text(tight, "wide")
    );
    assert_eq!(tight.proof.combinations, 2, "the login's and the child token's");
}

#[test]
fn who_never_acted_holds_back_what_it_holds_and_that_is_said() {
    let mut case = Case {
        dormant_days: 90.0,
        ..Case::default()
    };
    case.policy("shared", "path \"secret/data/*\" {\n  capabilities = [\"read\"]\n}\n");
    case.entity("ann", &["shared"], &[]);
    case.request("ann", &["shared"], "read", "kv", "secret/data/x", Value::Null);
    let told = |advice: &Advice| {
        advice.run.notes.iter().any(|note| {
            note.starts_with("1 principal that never acted holds 1 policy that nobody else speaks for: it stays")
        })
    };
    let alone = case.advise(Price::default(), &[]);
    assert!(!told(&alone) && of_kind(&alone, "tighten").policies[0].change == Change::Edit);
    case.entity("bob", &["shared"], &[]);
    let both = case.advise(Price::default(), &[]);
    assert!(told(&both), "{:?}", both.run.notes);
    assert_eq!(of_kind(&both, "tighten").policies[0].change, Change::Keep);
}

#[test]
fn members_of_a_group_speak_for_one_who_never_acted() {
    let tightened = |active: &[&str]| {
        let mut case = Case {
            dormant_days: 90.0,
            ..Case::default()
        };
        case.policy("default", "path \"cubbyhole/*\" {\n  capabilities = [\"read\"]\n}\n");
        case.policy(
            "team",
            "path \"secret/data/*\" {\n  capabilities = [\"read\", \"update\"]\n}\n",
        );
        for who in active.iter().chain(&["idle"]) {
            case.entity(who, &[], &["team"]);
        }
        case.deployment.as_mut().unwrap().groups[0].policies = vec!["team".to_owned()];
        for who in active {
            case.request(who, &["default", "team"], "read", "kv", "secret/data/x", Value::Null);
        }
        let advice = case.advise(Price::default(), &[]);
        let team = of_kind(&advice, "tighten").policies.iter().find(|p| p.name == "team");
        team.unwrap().change
    };
    assert_eq!(tightened(&["ann", "bob"]), Change::Keep, "two are too few");
    assert_eq!(tightened(&["ann", "bob", "cleo"]), Change::Edit);
}

#[test]
fn a_member_who_never_acted_keeps_what_its_whole_group_uses() {
    let mut case = Case::default();
    case.policy("default", "path \"cubbyhole/*\" {\n  capabilities = [\"read\"]\n}\n");
    case.policy(
        "team",
        "path \"secret/data/*\" {\n  capabilities = [\"read\", \"update\"]\n}\n",
    );
    case.policy(
        "other",
        "path \"secret/metadata/*\" {\n  capabilities = [\"list\"]\n}\n",
    );
    for who in ["ann", "bob", "cleo"] {
        case.entity(who, &[], &["team"]);
    }
    case.deployment.as_mut().unwrap().groups[0].policies = vec!["other".to_owned(), "team".to_owned()];
    for who in ["ann", "bob"] {
        case.request(
            who,
            &["default", "other", "team"],
            "read",
            "kv",
            "secret/data/x",
            Value::Null,
        );
    }
    let advice = case.advise(Price::default(), &[]);
    let redesign = of_kind(&advice, "redesign");
    let [group] = &redesign.assignments[..] else {
        panic!("the group alone is written: {:?}", redesign.assignments)
    };
    assert_eq!((&*group.kind, group.after.len()), ("group", 1), "{group:?}");
    let role = redesign.policies.iter().find(|p| p.name == group.after[0]).unwrap();
    assert!(role.holders.iter().any(|h| h == "cleo"), "{:?}", role.holders);
}

#[test]
fn a_shared_stanza_narrows_to_a_template_that_each_holder_fills_for_itself() {
    let mut case = Case::default();
    case.policy(
        "homes",
        "path \"secret/data/home/*\" {\n  capabilities = [\"read\", \"update\"]\n}\n",
    );
    for who in ["ann", "bob", "cleo", "dora", "emil"] {
        case.entity(who, &["homes"], &[]);
        for secret in ["note", "todo", "x", "y"] {
            case.request(
                who,
                &["homes"],
                "read",
                "kv",
                &format!("secret/data/home/{who}/{secret}"),
                Value::Null,
            );
        }
    }
    let advice = case.advise(Price::default(), &[]);
    let tighten = of_kind(&advice, "tighten");
    let text = text(tighten, "homes");
    assert!(
        text.contains("secret/data/home/{{identity.entity.name}}/*"),
        "{text}\n{:?}",
        tighten.withdrawn
    );
    assert!(!text.contains("update"), "{text}");
    assert!(tighten.after.exposure < tighten.before.exposure);
}

#[test]
fn two_templates_in_one_path() {
    let mut case = Case::default();
    case.policy("teams", "path \"secret/data/*\" {\n  capabilities = [\"read\"]\n}\n");
    for (n, who) in ["ann", "bob", "cleo", "dora", "emil", "fred"].into_iter().enumerate() {
        let team = ["web", "pay", "ops"][n % 3];
        case.entity(who, &["teams"], &[]);
        let entities = &mut case.deployment.as_mut().unwrap().entities;
        entities
            .last_mut()
            .unwrap()
            .metadata
            .insert("team".to_owned(), team.to_owned());
        for secret in ["note", "todo", "x", "y"] {
            case.request(
                who,
                &["teams"],
                "read",
                "kv",
                &format!("secret/data/{team}/{who}/{secret}"),
                Value::Null,
            );
        }
    }
    let advice = case.advise(Price::default(), &[]);
    let text = text(of_kind(&advice, "tighten"), "teams");
    let both = "secret/data/{{identity.entity.metadata.team}}/{{identity.entity.name}}/*";
    assert!(text.contains(both), "{text}");
}

#[test]
fn policies_to_keep_are_kept_as_roles() {
    let mut case = Case::default();
    for team in ["web", "pay"] {
        case.policy(
            &format!("team-{team}"),
            &format!("path \"secret/data/{team}/*\" {{\n  capabilities = [\"read\"]\n}}\npath \"secret/data/{team}/own\" {{\n  capabilities = [\"update\"]\n}}\n"),
        );
    }
    for who in ["ann", "bob", "cleo"] {
        case.entity(who, &["team-web", "team-pay"], &[]);
        for path in ["web/a", "web/b", "pay/a", "pay/b"] {
            let both = ["team-web", "team-pay"];
            case.request(who, &both, "read", "kv", &format!("secret/data/{path}"), Value::Null);
        }
    }
    let free = case.advise(Price::default(), &[]);
    let redesign = of_kind(&free, "redesign");
    assert_eq!(redesign.after.policies, 1, "{}", redesign.title);
    let kept = case.advise(Price::default(), &["team-*"]);
    let redesign = of_kind(&kept, "redesign");
    let names: Vec<(&str, bool)> = redesign
        .policies
        .iter()
        .filter(|p| p.change != Change::Delete)
        .map(|p| (p.name.as_str(), p.kept))
        .collect();
    assert_eq!(names, [("team-web", true), ("team-pay", true)], "{}", redesign.title);
    assert!(redesign.assignments.is_empty(), "{:?}", redesign.assignments);
}

#[test]
fn what_belongs_together_in_kv2_is_kept_where_it_is_asked_for_and_said() {
    let mut case = Case::default();
    case.policy(
        "web",
        "path \"secret/data/web/*\" {\n  capabilities = [\"read\", \"update\"]\n}\npath \"secret/metadata/web/*\" {\n  capabilities = [\"read\", \"list\", \"delete\"]\n}\n",
    );
    case.entity("ann", &["web"], &[]);
    case.request("ann", &["web"], "read", "kv", "secret/data/web/a", Value::Null);
    let off = case.advise(Price::default(), &[]);
    let tight = text(of_kind(&off, "tighten"), "web");
    assert!(!tight.contains("metadata"), "{tight}");
    let on = Price {
        kv2_closure: true,
        ..Price::default()
    };
    let on = case.advise(on, &[]);
    let tight = text(of_kind(&on, "tighten"), "web");
    assert!(
        tight.contains("secret/metadata/web/") && tight.contains("list"),
        "{tight}"
    );
    assert!(!tight.contains("delete") && !tight.contains("update"), "{tight}");
    assert!(
        on.run
            .notes
            .iter()
            .any(|n| n.contains("kv2_closure") && n.contains("2 accesses")),
        "{:?}",
        on.run.notes
    );
}

fn issuing() -> Case {
    let mut case = Case::default();
    case.policy(
        "issue",
        "path \"pki/issue/web\" {\n  capabilities = [\"update\"]\n}\npath \"pki/sign/web\" {\n  capabilities = [\"update\"]\n}\npath \"secret/data/*\" {\n  capabilities = [\"update\"]\n}\n",
    );
    case.entity("ann", &["issue"], &[]);
    for n in 0..5 {
        let mut data = json!({"Common_Name": "hmac-sha256:1", "ttl": "hmac-sha256:2"});
        case.request("ann", &["issue"], "update", "pki", "pki/issue/web", data.clone());
        case.request("ann", &["issue"], "update", "kv", "secret/data/a", json!({"data": {}}));
        data = if n == 3 {
            Value::Null
        } else {
            json!({"csr": "hmac-sha256:3"})
        };
        case.request("ann", &["issue"], "update", "pki", "pki/sign/web", data);
    }
    case
}

#[test]
fn parameters_as_they_were_sent_where_it_is_asked_for() {
    let case = issuing();
    let off = case.advise(Price::default(), &[]);
    assert!(!text(of_kind(&off, "tighten"), "issue").contains("parameters"));
    let with = |parameters| {
        case.advise(
            Price {
                parameters,
                ..Price::default()
            },
            &[],
        )
    };
    let advice = with(ParameterRule::Allowed);
    let tighten = of_kind(&advice, "tighten");
    let profile = Profile::default();
    let stanza = |text: &str, path: &str| {
        let policy = syntax::parse("issue", "issue", text, &profile.dialect()).unwrap();
        policy
            .stanzas
            .iter()
            .find(|s| &*s.path == path)
            .unwrap()
            .constraints
            .clone()
    };
    let text = text(tighten, "issue");
    let keys: Vec<String> = stanza(text, "pki/issue/web").allowed_parameters.into_keys().collect();
    assert_eq!(keys, ["common_name", "ttl"], "{text}");
    assert!(stanza(text, "pki/issue/web").required_parameters.is_empty());
    // A request without known keys, and KV version 2: nothing is said.
    assert!(
        stanza(text, "pki/sign/web").is_empty() && stanza(text, "secret/data/a").is_empty(),
        "{text}"
    );
    let reasons = tighten.policies[0].reasons.join("\n");
    assert!(reasons.contains("a log does not tell values"), "{reasons}");
    // The servers look for required parameters by the lower-case name: `Common_Name` would not be found.
    let advice = with(ParameterRule::Required);
    let required = stanza(super_text(&advice), "pki/issue/web").required_parameters;
    assert_eq!(required, ["ttl"]);
}

fn super_text(advice: &Advice) -> &str {
    text(of_kind(advice, "tighten"), "issue")
}

#[test]
fn constraints_that_another_policy_would_merge_into_something_tighter_are_given_up() {
    let mut case = issuing();
    case.policy("other", "path \"pki/issue/web\" {\n  capabilities = [\"update\"]\n}\n");
    case.entity("bob", &["other"], &[]);
    case.entity("cleo", &["issue", "other"], &[]);
    case.request(
        "cleo",
        &["issue", "other"],
        "update",
        "pki",
        "pki/issue/web",
        json!({"alt_names": "hmac-sha256:4"}),
    );
    case.request(
        "bob",
        &["other"],
        "update",
        "pki",
        "pki/issue/web",
        json!({"ip_sans": "hmac-sha256:4"}),
    );
    let parameters = ParameterRule::Required;
    let advice = case.advise(
        Price {
            parameters,
            ..Price::default()
        },
        &[],
    );
    // Merged, `required_parameters` of the one would bind requests by the other: the proof decides, whatever is proposed.
    of_kind(&advice, "tighten");
    of_kind(&advice, "redesign");
}
