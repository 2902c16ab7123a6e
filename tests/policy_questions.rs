//! The questions people ask of policies: explain, who-can, test and replay.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test is told by its panic"
)]

use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use vault_advisor::policy::acl::Request;
use vault_advisor::policy::explain::{Explanation, Question, explain};
use vault_advisor::policy::model::Policy;
use vault_advisor::policy::policy_test::{self, Policies};
use vault_advisor::policy::profile::Profile;
use vault_advisor::policy::replay::{Asked, replay};
use vault_advisor::policy::syntax;
use vault_advisor::policy::template::{Entity, Identity};
use vault_advisor::policy::who_can::{Holder, Target, who_can};
use vault_advisor::vault::{Capability, Operation, PolicyId};

fn policy(name: &str, text: &str) -> Policy {
    syntax::parse(name, &format!("{name}.hcl"), text, &Profile::default().dialect()).unwrap()
}

fn bob() -> Identity {
    Identity {
        entity: Some(Entity {
            name: "bob".to_owned(),
            ..Entity::default()
        }),
        groups: Vec::new(),
    }
}

fn ask(profile: Profile, policies: &[&Policy], request: Request<'_>) -> Explanation {
    explain(&Question {
        profile,
        policies,
        identity: &Identity::default(),
        request,
        needs_sudo: false,
        now: Some(0),
        kv: None,
    })
}

fn whats(explanation: &Explanation) -> Vec<String> {
    explanation.changes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_narrow_stanza_that_takes_away_is_explained() {
    let wide = policy("web", "path \"secret/data/*\" {\n  capabilities = [\"read\"]\n}\n");
    let narrow = policy("ops", "\npath \"secret/data/x\" {\n  capabilities = [\"update\"]\n}\n");
    let told = ask(
        Profile::Vault203,
        &[&wide, &narrow],
        Request::new(Operation::Read, "secret/data/x"),
    );
    assert_eq!(
        told.to_string(),
        "denied: read of `secret/data/x` on vault-2.0.3\n  \
           why: the winning stanza lacks `read`\n  \
           winner: `secret/data/x` gives update\n    \
             ops.hcl:2:1 (policy `ops`)\n  \
           beaten: `secret/data/*` gives read\n    \
             web.hcl:1:1 (policy `web`)\n    \
             because the winner is exactly the path; it would have allowed this\n  \
           to allow it, the smallest change first:\n    \
             - add `read` to the stanza at ops.hcl:2:1 (policy `ops`)\n"
    );
    let json = serde_json::to_value(&told).unwrap();
    assert_eq!(json["winner"]["stanzas"][0]["origin"], "ops.hcl:2:1");
    assert_eq!(json["beaten"][0]["would_allow"], true);
}

#[test]
fn a_denial_names_what_denies_and_what_would_allow() {
    let deny = policy("guard", "path \"a/*\" { capabilities = [\"deny\"] }");
    let wide = policy("wide", "path \"*\" { capabilities = [\"read\"] }");
    let told = ask(Profile::Vault203, &[&deny, &wide], Request::new(Operation::Read, "a/b"));
    assert_eq!(told.why, "the winning stanza denies");
    assert_eq!(
        whats(&told),
        [
            "add the stanza `path \"a/b\" { capabilities = [\"read\"] }` to policy `guard`",
            "take away the stanza that denies at guard.hcl:1:1 (policy `guard`)",
        ]
    );
    let alone = ask(Profile::Vault203, &[&deny], Request::new(Operation::Read, "a/b"));
    assert_eq!(
        whats(&alone).len(),
        1,
        "without another grant, taking the deny away allows nothing"
    );
}

#[test]
fn an_exact_stanza_keeps_what_the_wider_one_gave() {
    let wide = policy("web", "path \"a/*\" { capabilities = [\"read\", \"list\"] }");
    let told = ask(Profile::Vault203, &[&wide], Request::new(Operation::Delete, "a/b"));
    assert_eq!(
        whats(&told),
        [
            "add `delete` to the stanza at web.hcl:1:1 (policy `web`)",
            "add the stanza `path \"a/b\" { capabilities = [\"read\", \"delete\", \"list\"] }` to policy `web`",
        ]
    );
}

#[test]
fn nothing_that_matches_and_no_policies_are_told() {
    let web = policy("web", "path \"secret/app/*\" { capabilities = [\"read\"] }");
    let told = ask(
        Profile::Vault203,
        &[&web],
        Request::new(Operation::Read, "secret/data/app/x"),
    );
    assert_eq!(told.why, "no stanza matches the path");
    let nearest = told.nearest.as_ref().unwrap();
    assert_eq!(nearest.rule.pattern, "secret/app/*");
    assert!(
        nearest
            .hint
            .as_ref()
            .unwrap()
            .starts_with("on a KV v2 mount the path has `data/` after the mount")
    );
    assert_eq!(
        whats(&told),
        ["add the stanza `path \"secret/data/app/x\" { capabilities = [\"read\"] }` to policy `web`"]
    );
    let told = ask(Profile::Vault203, &[], Request::new(Operation::Read, "a"));
    assert_eq!((told.why.as_str(), told.changes.len()), ("no stanza is in force", 0));
    let told = ask(Profile::Vault203, &[&web], Request::new(Operation::Scan, "a"));
    assert!(told.why.contains("know no operation `scan`"), "{}", told.why);
}

#[test]
fn constraints_and_sudo_are_reasons() {
    let web = policy(
        "web",
        "path \"a\" {\n capabilities = [\"update\"]\n allowed_parameters = { ttl = [\"1h\"] }\n max_wrapping_ttl = \"60s\" }",
    );
    let data = json!({"Key": "secret-value"});
    let request = Request {
        data: data.as_object(),
        wrap_ttl_ns: Some(1),
        ..Request::new(Operation::Update, "a")
    };
    let told = ask(Profile::Vault203, &[&web], request);
    assert!(
        told.why.ends_with("the parameter `Key` is not in `allowed_parameters`"),
        "{}",
        told.why
    );
    assert_eq!(whats(&told), ["leave out the parameter `Key`"]);
    assert!(!told.to_string().contains("secret-value"));
    let told = ask(Profile::Vault203, &[&web], Request::new(Operation::Update, "a"));
    assert_eq!(whats(&told), ["ask for a wrapped response of at most 60 s"]);

    let ops = policy("ops", "path \"sys/*\" { capabilities = [\"update\"] }");
    let told = explain(&Question {
        profile: Profile::Vault203,
        policies: &[&ops],
        identity: &Identity::default(),
        request: Request::new(Operation::Update, "sys/raw/x"),
        needs_sudo: true,
        now: Some(0),
        kv: None,
    });
    assert!(!told.allowed && told.why.contains("root-protected"), "{}", told.why);
    assert_eq!(
        whats(&told)[0],
        "add `sudo` to the stanza at ops.hcl:1:1 (policy `ops`)"
    );
}

#[test]
fn list_lookups_are_told_as_the_server_makes_them() {
    let policies = [
        policy("one", "path \"kv/+\" { capabilities = [\"list\"] }"),
        policy("two", "path \"kv/private/*\" { capabilities = [\"read\"] }"),
    ];
    let held: Vec<_> = policies.iter().collect();
    for (profile, allowed, because) in [
        (Profile::Vault112, false, None),
        (
            Profile::Vault113,
            true,
            Some("it matches only `kv/private/`, and this server looks up `kv/private` first"),
        ),
        (
            Profile::Vault203,
            true,
            Some("it is the stronger, and this server prefers a stanza that grants `list`"),
        ),
        (
            Profile::OpenBao26,
            false,
            Some("it matches only `kv/private`, and this server looks up `kv/private/` first"),
        ),
    ] {
        let told = ask(profile, &held, Request::new(Operation::List, "kv/private/"));
        assert_eq!(told.allowed, allowed, "{profile}");
        let said = told.beaten.first().map(|b| b.because.clone());
        assert_eq!(said.is_some(), because.is_some(), "{profile}: {said:?}");
        assert!(
            said.unwrap_or_default().starts_with(because.unwrap_or_default()),
            "{profile}"
        );
    }
}

#[test]
fn stanzas_out_of_force_are_named() {
    let own = policy(
        "own",
        "path \"secret/{{identity.entity.name}}/*\" { capabilities = [\"read\"] }",
    );
    let told = ask(
        Profile::Vault203,
        &[&own],
        Request::new(Operation::Read, "secret/bob/x"),
    );
    assert_eq!(
        told.not_in_force[0].because,
        "`identity.entity.name` needs an entity, and the token has none"
    );
}

#[test]
fn who_can_names_holders_and_stanzas() {
    let own = policy(
        "own",
        "path \"secret/{{identity.entity.name}}/*\" { capabilities = [\"read\", \"list\"] }",
    );
    let wide = policy("wide", "path \"secret/*\" { capabilities = [\"update\"] }");
    let root = policy("root", "");
    let holder = |kind: &str, name: &str, policies: Vec<_>, identity| Holder {
        kind: kind.into(),
        name: name.into(),
        policies,
        identity,
    };
    let holders = [
        holder("entity", "bob", vec![&own, &wide], bob()),
        holder("auth role", "approle/web", vec![&own, &wide], Identity::default()),
        holder("policy", "wide", vec![&wide], Identity::default()),
        holder("principal", "root", vec![&root], Identity::default()),
        holder("group", "none", Vec::new(), Identity::default()),
    ];
    let names = |capability| {
        let found = who_can(
            Profile::Vault203,
            &Target::parse("/secret/bob/x").unwrap(),
            capability,
            &holders,
        );
        found
            .into_iter()
            .map(|r| (r.name.to_string(), r.capabilities.join(",")))
            .collect::<Vec<_>>()
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    // Whose tokens the role gives out is not known, so neither is what fills its template.
    assert_eq!(
        names(Some(Capability::Read)),
        [pair("bob", "read"), pair("approle/web", ""), pair("root", "read")]
    );
    assert_eq!(
        names(Some(Capability::Update)),
        [
            pair("approle/web", "update"),
            pair("wide", "update"),
            pair("root", "update")
        ]
    );
    assert_eq!(names(None)[0], pair("bob", "read,list"));
    let found = who_can(
        Profile::Vault203,
        &Target::parse("secret/bob/x").unwrap(),
        Some(Capability::List),
        &holders,
    );
    assert_eq!(found[0].through[0].origin, "own.hcl:1:1");
    assert_eq!(found[0].through[0].pattern, "secret/bob/*");
}

const TESTS: &str = r#"
server: vault-1.13
tests:
  - name: web reads <its> own & "more"
    as: [web, default]
    path: secret/data/web/db
    operation: read
    expect: allow
    because: the web team owns it
  - as: web
    path: secret/data/ops/x
    capabilities: [read, update]
    expect: deny
  - name: fails
    as: web
    path: secret/data/web/db
    operation: delete
    expect: allow
    because: "they'd like to"
  - as: nobody
    path: a
    operation: read
    expect: deny
"#;

#[test]
fn policy_tests_run_and_report() {
    let policies = [
        policy("web", "path \"secret/data/web/*\" { capabilities = [\"read\"] }"),
        policy(
            "default",
            "path \"auth/token/lookup-self\" { capabilities = [\"read\"] }",
        ),
    ];
    let file = policy_test::parse("t.yaml", TESTS).unwrap();
    let report = policy_test::run(&file, &Policies::new(&policies), Profile::default());
    assert_eq!((&*report.server, report.passed, report.failed), ("vault-1.13", 2, 2));
    assert_eq!(
        report.tests[2].failures,
        ["delete of `secret/data/web/db` is denied: the winning stanza lacks `delete`"]
    );
    assert_eq!(report.tests[3].failures, ["there is no policy `nobody`"]);
    let reports = [report];

    let text = policy_test::text(&reports);
    assert!(text.contains("FAIL t.yaml:14 fails\n"), "{text}");
    assert!(text.contains("because: they'd like to"), "{text}");
    assert!(text.contains("add `delete` to the stanza at web.hcl:1:1"), "{text}");
    assert!(text.ends_with("2 passed, 2 failed\n"), "{text}");

    let json: serde_json::Value = serde_json::from_str(&policy_test::json(&reports)).unwrap();
    assert_eq!((&json["version"], &json["failed"]), (&json!(1), &json!(2)));
    assert_eq!(json["files"][0]["tests"][2]["explanations"][0]["allowed"], false);

    let xml = policy_test::junit(&reports);
    assert!(
        xml.contains("name=\"web reads &lt;its&gt; own &amp; &quot;more&quot;\""),
        "{xml}"
    );
    assert!(
        xml.contains("<testsuites tests=\"4\" failures=\"2\" errors=\"0\">"),
        "{xml}"
    );
    assert!(xml.contains("they&apos;d like to"), "{xml}");
    assert_eq!(xml.matches("<testcase").count(), 4);
}

#[test]
fn broken_test_files_are_told_by_place() {
    for (yaml, want) in [
        (
            "- as: a\n  path: b\n  operation: raed\n  expect: allow\n",
            "t.yaml:1:3: `raed` is not an operation",
        ),
        (
            "- as: a\n  path: b\n  expect: allow\n",
            "t.yaml:1:3: the test needs `operation` or `capabilities`",
        ),
        (
            "- as: a\n  path: b\n  capabilities: [sudo]\n  expect: allow\n",
            "no request asks for `sudo` alone",
        ),
        (
            "- as: a\n  path: b\n  operation: read\n  expcet: allow\n",
            "unknown field",
        ),
        ("tests: [\n", "t.yaml:"),
        (
            "server: consul\ntests: []\n",
            "t.yaml:1:9: `consul` is not a server profile",
        ),
        ("", "t.yaml:"),
    ] {
        let error = policy_test::parse("t.yaml", yaml).unwrap_err().to_string();
        assert!(error.contains(want), "{error:?} for {yaml:?}");
        assert!(!error.contains('\n'), "{error:?}");
    }
    let secret = "- as: a\n  path: b\n  operation: read\n  expect: allow\n  wrap_ttl: [hunter2]\n";
    let error = policy_test::parse("t.yaml", secret).unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn replay_tells_who_loses_and_gains() {
    let policies = [
        policy(
            "web",
            "path \"secret/data/web/*\" { capabilities = [\"read\"] }\npath \"sys/raw/*\" { capabilities = [\"read\"] }",
        ),
        policy(
            "bound",
            "path \"kv/*\" {\n capabilities = [\"update\"]\n allowed_parameters = { a = [] } }",
        ),
    ];
    let identity = Identity::default();
    let names = |list: &[&str]| list.iter().map(|n| PolicyId::new("", *n)).collect::<Vec<_>>();
    let (web, bound, stale, root) = (
        names(&["web"]),
        names(&["bound"]),
        names(&["web", "gone"]),
        names(&["root"]),
    );
    let is_root = PolicyId::new("", "root");
    let asked = |policies, path, capability, allowed, denied| Asked {
        principal: "role:web".into(),
        unauthenticated: false,
        root: <[PolicyId]>::contains(policies, &is_root),
        policies,
        identity: &identity,
        namespace: "",
        path,
        mount_type: "",
        capability,
        allowed,
        denied,
    };
    let replayed = replay(
        Profile::Vault203,
        &policies,
        [
            asked(&web[..], "secret/data/web/x", Capability::Read, 5, 2),
            asked(&web[..], "secret/data/web/x", Capability::Update, 3, 4),
            asked(&stale[..], "other", Capability::Read, 1, 0),
            asked(&bound[..], "kv/x", Capability::Update, 6, 0),
            asked(&web[..], "sys/raw/x", Capability::Read, 1, 0),
            asked(&web[..], "sys/internal/ui/mounts/kv", Capability::Read, 7, 0),
            asked(&root[..], "any", Capability::Read, 8, 0),
            asked(&web[..], "auth/approle/login", Capability::Update, 9, 0),
            asked(&web[..], "secret/data/web/x", Capability::Deny, 1, 0),
        ],
    );
    assert_eq!((replayed.requests, replayed.same), (47, 9));
    assert_eq!(
        (
            replayed.no_stanza_needed,
            replayed.not_decidable,
            replayed.not_replayable
        ),
        (24, 6, 1)
    );
    assert_eq!((replayed.denied_requests(), replayed.allowed_requests()), (5, 2));
    let denied: Vec<_> = replayed.newly_denied.iter().map(|c| (&*c.path, c.requests)).collect();
    assert_eq!(denied, [("other", 1), ("secret/data/web/x", 3), ("sys/raw/x", 1)]);
    assert_eq!(replayed.newly_denied[0].without, [Arc::from("gone")]);
    assert!(
        replayed.newly_denied[2].why.contains("lacks `sudo`"),
        "{}",
        replayed.newly_denied[2].why
    );
    assert_eq!(replayed.missing_policies, BTreeMap::from([("gone".into(), 1)]));
    let conformance = replayed.conformance(Profile::Vault203).unwrap();
    assert!(
        conformance.starts_with("7 of 47 requests were decided otherwise"),
        "{conformance}"
    );
}

#[test]
fn replay_decides_by_the_policies_of_the_token_s_namespace() {
    let mut parent = policy("web", "path \"b/secret/x\" { capabilities = [\"read\"] }");
    parent.namespace = "a/".into();
    let identity = Identity::default();
    let names = [PolicyId::new("a/", "web")];
    let replayed = replay(
        Profile::Vault203,
        &[parent],
        [Asked {
            principal: "p".into(),
            unauthenticated: false,
            policies: &names,
            root: false,
            identity: &identity,
            namespace: "a/b/",
            path: "secret/x",
            mount_type: "kv",
            capability: Capability::Read,
            allowed: 1,
            denied: 0,
        }],
    );
    assert_eq!((replayed.same, replayed.missing_policies.len()), (1, 0));
}
