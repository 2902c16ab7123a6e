//! What is not explained is not touched: what `advise` proposes where the log leaves something open, each case as somebody met it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

#[path = "common/given.rs"]
mod given;

use assert_cmd::Command;
use given::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[test]
fn entries_without_a_list_of_policies_may_mean_any() {
    let (web, pay) = (
        Token::new("e-1", "kubernetes-web", &[]),
        Token::new("e-2", "kubernetes-pay", &[]),
    );
    let (web, pay) = (web.without_lists(), pay.without_lists());
    let log = Log::default()
        .asks(web.granted("web", ROOT), "read", "secret/data/web/db", ROOT)
        .asks(pay.granted("pay", ROOT), "update", "secret/data/pay/db", ROOT);
    let policies = [
        ("web.hcl", stanza("secret/data/web/*", &["read", "update", "delete"])),
        (
            "pay.hcl",
            stanza("secret/*", &["create", "read", "update", "delete", "list"]),
        ),
        ("other.hcl", stanza("kv/*", &["read"])),
        ("default.hcl", default()),
    ];
    assert_eq!(Given::new(&log.text(), &policies).changes(), BTreeMap::new());
}

#[test]
fn a_policy_of_another_namespace_is_known_by_the_id_of_that() {
    let token = Token::new("0a1b2c3d-0000-4000-8000-000000000001", "kubernetes-web", &["default"]);
    let token = token.with("external_namespace_policies", json!({"aB3xY": ["cross"]}));
    let log = Log::default().asks(token.granted("cross", TEAM), "read", "secret/data/web/db", TEAM);
    let policies = [
        ("policies/default.hcl", default()),
        (
            "namespaces/team1/policies/cross.hcl",
            stanza("secret/data/web/*", &["read", "delete"]),
        ),
    ];
    let changes = Given::new(&log.text(), &policies).changes();
    assert_eq!(
        changes.get("tighten team1/cross").map(String::as_str),
        Some("edit"),
        "{changes:?}"
    );
    assert!(changes.values().all(|change| change == "edit"), "{changes:?}");
}

#[test]
fn a_token_of_the_parent_has_the_parent_s_policies() {
    let token = Token::new(
        "0a1b2c3d-0000-4000-8000-000000000001",
        "kubernetes-boss",
        &["admin", "default"],
    );
    let log = Log::default().asks(token.granted("admin", ROOT), "read", "secret/data/web/db", TEAM);
    let policies = [
        ("policies/default.hcl", default()),
        (
            "policies/admin.hcl",
            stanza("team1/secret/data/web/*", &["read", "update"]),
        ),
        ("namespaces/team1/policies/default.hcl", default()),
        (
            "namespaces/team1/policies/admin.hcl",
            stanza("secret/data/other/*", &["read", "delete"]),
        ),
    ];
    let given = Given::new(&log.text(), &policies);
    let changes = given.changes();
    assert_ne!(
        changes.get("tighten admin").map(String::as_str),
        Some("delete"),
        "{changes:?}"
    );
    assert!(!changes.keys().any(|what| what.ends_with("default")), "{changes:?}");
    let advice = read(&given.folder.path().join("out/advice.json"));
    assert_eq!(advice["proposals"][0]["proof"]["requests_replayed"], 120);
}

#[test]
fn a_namespace_with_some_of_the_names_comes_into_question_too() {
    let token = Token::new("", "ci", &["admin", "default", "ops"]);
    // No granting policy tells the token's namespace, and `ops` of the root was not read.
    let log = Log::default().asks(token.auth.clone(), "list", "kv/y/", TEAM);
    let policies = [
        ("policies/default.hcl", default()),
        ("policies/admin.hcl", stanza("team1/kv/*", &["list"])),
        ("namespaces/team1/policies/admin.hcl", stanza("kv/*", &["list"])),
        ("namespaces/team1/policies/ops.hcl", stanza("kv/x", &["read"])),
    ];
    let given = Given::new(&log.text(), &policies).with(&["--horizon", "0"]);
    assert_eq!(given.changes(), BTreeMap::new());
}

#[test]
fn a_namespace_with_none_of_the_names_may_have_one_that_is_called_otherwise() {
    // The token may be of the root namespace, of which `app` was read, or of team1, of which one was read that nobody holds.
    let token = Token::new("", "ci", &["app", "default"]);
    let log = Log::default().asks(token.auth.clone(), "update", "kv/x", TEAM);
    for root in ["app", "renamed"] {
        let policies = [
            ("policies/default.hcl", default()),
            (&*format!("policies/{root}.hcl"), stanza("team1/kv/*", &["update"])),
            ("namespaces/team1/policies/app-v2.hcl", stanza("kv/*", &["update"])),
        ];
        let changes = Given::new(&log.text(), &policies).with(&["--horizon", "0"]).changes();
        assert!(
            !changes.values().any(|change| change == "delete"),
            "{root}: {changes:?}"
        );
    }
}

#[test]
fn a_policy_of_a_namespace_that_is_not_told_may_be_one_that_is_called_otherwise() {
    // A group of a namespace gives `ops` of it; the log never tells that namespace's path.
    let token =
        Token::new("", "ci", &["app", "default"]).with("external_namespace_policies", json!({"cD4wZ": ["ops"]}));
    let log = Log::default().asks(token.granted("app", ROOT), "read", "kv/a", ROOT);
    let policies = [
        ("policies/default.hcl", default()),
        ("policies/app.hcl", stanza("kv/a", &["read"])),
        ("namespaces/team1/policies/ops-v2.hcl", stanza("kv/x", &["read"])),
    ];
    let given = Given::new(&log.text(), &policies).with(&["--horizon", "0"]);
    assert_eq!(given.changes(), BTreeMap::new());
}

#[test]
fn tokens_of_one_name_in_two_namespaces_are_two() {
    let token = Token::new("", "ci", &["app", "default"]);
    let log = Log::default()
        .asks(token.granted("app", ROOT), "read", "kv/a", ROOT)
        .asks(token.granted("app", TEAM), "delete", "kv/b", TEAM);
    let wide = || stanza("kv/*", &["read", "delete"]);
    let policies = [
        ("policies/default.hcl", default()),
        ("policies/app.hcl", wide()),
        ("namespaces/team1/policies/app.hcl", wide()),
    ];
    let given = Given::new(&log.text(), &policies);
    let (_, advice) = given.run();
    let ids: Vec<&str> = advice["principals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    let texts = |namespace: &str| {
        let all = advice["proposals"][0]["policies"].as_array().unwrap();
        let own = all
            .iter()
            .find(|p| p["name"] == "app" && p["namespace"].as_str().unwrap_or_default() == namespace);
        own.unwrap()["text"].as_str().unwrap().to_owned()
    };
    assert!(texts("").contains("read"));
    assert!(texts("team1/").contains("delete"));
}

#[test]
fn a_token_seen_below_two_policies_of_its_names_keeps_both() {
    let token = Token::new("ent-root", "approle", &["web", "default"]);
    let log = Log::default().asks(token.auth.clone(), "read", "secret/data/shared/a", TEAM);
    let both = stanza("secret/data/web/*", &["read", "update", "delete"]);
    let policies = [
        ("policies/default.hcl", default()),
        (
            "policies/web.hcl",
            both.clone() + &stanza("team1/secret/data/shared/*", &["read"]),
        ),
        (
            "namespaces/team1/policies/web.hcl",
            both + &stanza("secret/data/shared/*", &["read"]),
        ),
    ];
    assert_eq!(Given::new(&log.text(), &policies).changes(), BTreeMap::new());
}

#[test]
fn metadata_of_a_child_token_name_nobody() {
    let child = Token::new("e-ci", "token", &["ci", "default"]).with("metadata", json!({"username": "backup"}));
    let log = Log::default().asks(child.auth.clone(), "read", "secret/data/ci/a", ROOT);
    let policies = [
        ("default.hcl", default()),
        ("ci.hcl", stanza("secret/data/ci/*", &["read"])),
        ("backup.hcl", stanza("secret/data/backup/*", &["read", "update"])),
    ];
    let deployment = json!({
        "mounts": {"secret/": {"type": "kv", "options": {"version": "2"}, "accessor": "kv_1"}},
        "auth": {"approle/": {"type": "approle", "accessor": "auth_approle_1"}, "token/": {"type": "token", "accessor": "t"}},
        "approle": {"ci": {"policies": ["ci"]}, "backup": {"policies": ["backup"]}},
    });
    // Sixty days: too few to take anything from a role that was never seen.
    let text = log.text().split_inclusive('\n').take(120).collect::<String>();
    let changes = Given::new(&text, &policies).deployment(&deployment).changes();
    assert!(!changes.keys().any(|what| what.contains("backup")), "{changes:?}");
}

#[test]
fn a_group_of_another_namespace_may_give_its_members_what_it_has() {
    let policies = |deny: &str| {
        [
            ("policies/global.hcl", stanza("team1/kv/a", &["read"])),
            (
                "namespaces/team1/policies/app.hcl",
                format!("{}{deny}", stanza("kv/b", &["read"])),
            ),
        ]
    };
    let given = Given::new("", &policies(&stanza("kv/a", &["deny"])));
    let deployment = given.folder.path().join("deployment");
    fs::create_dir(&deployment).unwrap();
    let entity = json!([{"namespace": "team1/", "id": "e-1.aB3xY", "name": "ann", "policies": ["app"]}]);
    let group = json!([{"id": "g-1", "name": "g", "policies": ["global"], "member_entities": ["e-1.aB3xY"]}]);
    fs::write(deployment.join("entities.json"), entity.to_string()).unwrap();
    fs::write(deployment.join("groups.json"), group.to_string()).unwrap();
    let new = Given::new("", &policies(""));
    let mut command = Command::cargo_bin("vault-advisor").unwrap();
    command
        .arg("compare")
        .arg(given.folder.path().join("policies"))
        .arg(new.folder.path().join("policies"));
    command.arg("--deployment").arg(&deployment);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("held together by ann: global, team1/app"), "{text}");
}

#[test]
fn what_is_protected_or_waived_stays() {
    let token = Token::new("e-1", "userpass-ann", &["ops", "default"]);
    let log = Log::default().asks(token.granted("ops", ROOT), "read", "secret/data/ops/a", ROOT);
    let wide = stanza("secret/data/ops/*", &["read", "delete", "list"]);
    let policies = |text: &str| [("default.hcl", default()), ("ops.hcl", text.to_owned())];
    let changed = Given::new(&log.text(), &policies(&wide)).changes();
    assert!(changed.contains_key("tighten ops"), "{changed:?}");
    let protected = Given::new(&log.text(), &policies(&wide)).settings("protect = [\"ops\"]\n");
    assert_eq!(protected.changes(), BTreeMap::new());
    let waived = format!("# vault-advisor: allow unused-capability until 2099-01-01 owner=ops reason=rotation\n{wide}");
    let waived = Given::new(&log.text(), &policies(&waived));
    assert_eq!(waived.changes(), BTreeMap::new());
    let advice = read(&waived.folder.path().join("out/advice.json"));
    let rules: Vec<&str> = advice["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["rule"].as_str().unwrap())
        .collect();
    assert!(!rules.contains(&"unused-capability"), "{rules:?}");
}

#[test]
fn a_finding_is_fixed_only_where_its_grant_is_gone_from_the_text() {
    let token = Token::new("e-1", "userpass-ann", &["ops", "default"]);
    let log = Log::default().asks(token.granted("ops", ROOT), "read", "secret/data/ops/a", ROOT);
    let wide = stanza("secret/data/ops/*", &["read", "delete", "list"]);
    let short = log.text().lines().take(2).collect::<Vec<_>>().join("\n") + "\n";
    // Of a single request nothing is learned: nothing is proposed, and nothing called fixed.
    for (log, fixed) in [(log.text(), true), (short, false)] {
        let given = Given::new(&log, &[("default.hcl", default()), ("ops.hcl", wide.clone())]);
        let (_, advice) = given.run();
        let findings = advice["findings"].as_array().unwrap();
        let unused = findings.iter().find(|f| f["rule"] == "unused-capability").unwrap();
        assert_eq!(unused["fixed_in"].as_str(), fixed.then_some("ops"), "{unused}");
    }
    // A narrower stanza that was there before decides its own path, whatever becomes of the wide one.
    let log = log.asks(token.granted("ops", ROOT), "create", "secret/data/ops/b", ROOT);
    let both = stanza("secret/data/ops/*", &["create", "read"]) + &stanza("secret/data/ops/a", &["read"]);
    let given = Given::new(&log.text(), &[("default.hcl", default()), ("ops.hcl", both)]);
    let (_, advice) = given.run();
    let findings = advice["findings"].as_array().unwrap();
    let unused = findings.iter().find(|f| f["rule"] == "unused-capability").unwrap();
    assert_eq!(unused["fixed_in"].as_str(), Some("ops"), "{unused}");
}

#[test]
fn a_cut_entry_without_a_holder_holds_everything_back() {
    let token = Token::new("e-1", "userpass-ann", &["ops", "default"]);
    let log = Log::default().asks(token.granted("ops", ROOT), "read", "secret/data/ops/a", ROOT);
    let policies = [
        ("default.hcl", default()),
        ("ops.hcl", stanza("secret/data/ops/*", &["read", "delete"])),
    ];
    let cut = format!(
        "{}{{\"time\":\"2026-03-01T08:00:00Z\",\"type\":\"request\",\"auth\":{{\"client_to\n",
        log.text()
    );
    let given = Given::new(&cut, &policies);
    assert_eq!(given.changes(), BTreeMap::new());
    let accepted = Given::new(&cut, &policies).settings("[evidence]\ncut_entries = 1\n");
    assert!(accepted.changes().contains_key("tighten ops"));
}

#[test]
fn a_deployment_that_contradicts_the_log_ends_the_run() {
    let token = |policy: &str| {
        let role = json!({"role_name": "web"});
        let token = Token::new("", "approle", &[policy, "default"]).with("metadata", role);
        token.granted(policy, ROOT)
    };
    let log = Log::default().asks(token("api"), "read", "secret/data/api/a", ROOT);
    let policies = [
        ("default.hcl", default()),
        ("api.hcl", stanza("secret/data/api/*", &["read", "delete"])),
        ("web.hcl", stanza("secret/data/web/*", &["read"])),
    ];
    let deployment = json!({"approle": {"web": {"policies": ["web"]}}});
    let given = Given::new(&log.text(), &policies).deployment(&deployment);
    let said = given.fails();
    assert!(
        said.contains("role `auth/approle/web` hands out `web`") && said.contains("had `api` instead"),
        "{said}"
    );
    // Changed since, says somebody: what its tokens did counts for what they had.
    let given = Given::new(&log.text(), &policies)
        .deployment(&deployment)
        .settings("changed_roles = [\"auth/approle/web\"]\n");
    let changes = given.changes();
    assert_eq!(changes["tighten api"], "edit");
}

#[test]
fn what_a_device_leaves_out_of_an_entry_may_have_been_used() {
    let (log, policies) = two();
    let who = ["/auth/entity_id", "/auth/display_name", "/auth/accessor"];
    for gone in [
        &["/request/path"][..],
        &["/request/operation"],
        &["/request"],
        &["/type"],
        &["/auth"],
        &who,
        &[&who[..], &["/auth/policy_results"]].concat(),
        &[&who[..], &["/auth/policies", "/auth/token_policies"]].concat(),
    ] {
        let given = Given::new(&changed(&log, 1, without(gone)), &policies);
        for text in left(&given, "web") {
            assert!(text.contains("update") || text.is_empty(), "{gone:?}\n{text}");
        }
        let deleted: Vec<_> = given
            .changes()
            .into_iter()
            .filter(|(_, change)| change == "delete")
            .collect();
        assert!(deleted.is_empty(), "{gone:?} {deleted:?}");
    }
}

#[test]
fn what_a_pipeline_puts_in_the_place_of_something_is_not_that() {
    let (log, policies) = two();
    for (member, mark) in [
        ("/request/path", json!("hmac-sha256:00")),
        ("/request/path", json!("[REDACTED]")),
        ("/request/operation", json!("UPDATE")),
        ("/request/operation", json!("***")),
        ("/auth/policies", json!(["hmac-sha256:00"])),
        ("/auth/policies", json!(["[REDACTED]"])),
        ("/auth/policies", json!([])),
    ] {
        let put = |entry: &mut Value| {
            *entry.pointer_mut(member).unwrap() = mark.clone();
            let auth = entry["auth"].as_object_mut().unwrap();
            if member.starts_with("/auth") {
                auth.remove("token_policies");
                auth.remove("policy_results");
            }
        };
        let given = Given::new(&changed(&log, 1, put), &policies);
        for text in left(&given, "web") {
            assert!(text.contains("update") || text.is_empty(), "{member} {mark}\n{text}");
        }
    }
}

#[test]
fn a_part_of_a_list_is_no_list() {
    // Ann has `pay` of a group; the log has only what her token itself holds.
    let ann = Token::new("e-1", "kubernetes-web", &["default"]).with("policies", json!(["default", "pay"]));
    let bob = Token::new("e-2", "kubernetes-pay", &["default", "pay"]);
    let log = Log::default()
        .asks(bob.granted("pay", ROOT), "read", "secret/data/pay/db", ROOT)
        .asks(ann.granted("pay", ROOT), "update", "secret/data/pay/db", ROOT);
    let (_, policies) = two();
    let gone = ["/auth/policies", "/auth/policy_results"];
    let given = Given::new(&changed(&log, 1, without(&gone)), &policies);
    assert!(
        left(&given, "pay")
            .iter()
            .all(|text| text.contains("update") || text.is_empty())
    );
    // The same of a policy of another namespace that somebody else holds as well.
    let ann = Token::new("0a1b2c3d-0000-4000-8000-000000000001", "kubernetes-web", &["default"]);
    let ann = ann.with("external_namespace_policies", json!({"aB3xY": ["cross"]}));
    let dave = Token::new(
        "0a1b2c3d-0000-4000-8000-000000000002.aB3xY",
        "kubernetes-dave",
        &["cross", "default"],
    );
    let log = Log::default()
        .asks(dave.granted("cross", TEAM), "read", "kv/a", TEAM)
        .asks(ann.granted("cross", TEAM), "update", "kv/a", TEAM);
    let policies = [
        ("policies/default.hcl", default()),
        ("namespaces/team1/policies/default.hcl", default()),
        (
            "namespaces/team1/policies/cross.hcl",
            stanza("kv/*", &["read", "update", "delete"]),
        ),
    ];
    let gone = ["/auth/external_namespace_policies", "/auth/policy_results"];
    let given = Given::new(&changed(&log, 1, without(&gone)), &policies);
    assert!(
        left(&given, "cross")
            .iter()
            .all(|text| text.contains("update") || text.is_empty())
    );
}

#[test]
fn a_request_that_does_not_say_its_namespace_may_be_of_any() {
    let ann = Token::new("", "ci", &["app", "default"]);
    let log = Log::default()
        .asks(ann.granted("app", ROOT), "read", "kv/a", ROOT)
        .asks(ann.granted("app", TEAM), "delete", "kv/b", TEAM);
    let wide = || stanza("kv/*", &["read", "delete", "list"]);
    let policies = [
        ("policies/default.hcl", default()),
        ("policies/app.hcl", wide()),
        ("namespaces/team1/policies/app.hcl", wide()),
    ];
    for without_what in [
        &["/request/namespace/path", "/auth/policy_results"][..],
        &["/request/namespace", "/auth/policy_results"],
    ] {
        for number in [0, 1] {
            let given = Given::new(&changed(&log, number, without(without_what)), &policies);
            let changes = given.changes();
            // A redesign may put another policy in the place of one.
            let gone = |what: &str, change: &str| what.starts_with("tighten") && change == "delete";
            let deleted: Vec<_> = changes.iter().filter(|(what, change)| gone(what, change)).collect();
            assert!(deleted.is_empty(), "{without_what:?} {number} {changes:?}");
        }
        assert_eq!(
            Given::new(&every(&log, without(without_what)), &policies).changes(),
            BTreeMap::new(),
            "{without_what:?}"
        );
    }
}

#[test]
fn requests_without_an_id_are_one_only_if_the_same_made_them() {
    let (web, pay) = (
        Token::new("e-1", "kubernetes-web", &["web", "default"]),
        Token::new("e-2", "kubernetes-pay", &["pay", "default"]),
    );
    let log = Log::default()
        .asks(web.granted("web", ROOT), "read", "kv/a", ROOT)
        .asks(pay.granted("pay", ROOT), "read", "kv/a", ROOT);
    let policies = [
        ("web.hcl", stanza("kv/a", &["read", "delete"])),
        ("pay.hcl", stanza("kv/a", &["read", "update"])),
        ("default.hcl", default()),
    ];
    let without_ids = every(&log, without(&["/request/id"]));
    for text in [
        vec![without_ids],
        MARKS.map(|mark| every(&log, put("/request/id", mark))).to_vec(),
    ]
    .concat()
    {
        let given = Given::new(&text, &policies);
        for name in ["web", "pay"] {
            assert!(left(&given, name)[0].contains("read"), "{name}");
        }
    }
}

/// What pipelines write in the place of what they hide: marks, and values that are as the server writes them.
const MARKS: [&str; 6] = [
    "[REDACTED]",
    "***",
    "hmac-sha256:00000000000000000000000000000000",
    "00000000-0000-0000-0000-000000000000",
    "7fc38dd7-5313-9b7a-0ebf-dbd767902dce",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

/// Two services of one namespace and one of another, each with its own policy, of which all but `delete` is used.
fn three() -> (Log, [(&'static str, String); 5]) {
    let of = |n: u8, space: &str| format!("0a1b2c3d-0000-4000-8000-00000000000{n}{space}");
    let (web, pay, far) = (
        Token::new(&of(1, ""), "kubernetes-web", &["default", "web"]),
        Token::new(&of(2, ""), "kubernetes-pay", &["default", "pay"]),
        Token::new(&of(3, ".aB3xY"), "kubernetes-web", &["default", "web"]),
    );
    let log = Log::default()
        .asks(web.granted("web", ROOT), "read", "kv/a", ROOT)
        .asks(web.granted("web", ROOT), "update", "kv/a", ROOT)
        .asks(web.granted("web", ROOT), "read", "kv/b", ROOT)
        .asks(pay.granted("pay", ROOT), "read", "kv/a", ROOT)
        .asks(pay.granted("pay", ROOT), "update", "kv/c", ROOT)
        .asks(far.granted("web", TEAM), "update", "kv/a", TEAM)
        .asks(far.granted("web", TEAM), "read", "kv/d", TEAM);
    let own = || stanza("kv/*", &["read", "update", "delete"]);
    let policies = [
        ("policies/default.hcl", default()),
        ("policies/web.hcl", own()),
        ("policies/pay.hcl", own()),
        ("namespaces/team1/policies/default.hcl", default()),
        ("namespaces/team1/policies/web.hcl", own()),
    ];
    (log, policies)
}

#[test]
fn one_text_in_the_place_of_each_takes_nothing() {
    let (log, policies) = three();
    for member in [
        "/request/id",
        "/time",
        "/auth/accessor",
        "/auth/client_token",
        "/auth/entity_id",
        "/auth/display_name",
        "/request/mount_type",
        "/request/namespace/id",
        "/request/namespace/path",
        "/auth/token_type",
    ] {
        for mark in MARKS {
            let given = Given::new(&every(&log, put(member, mark)), &policies);
            let (output, advice) = given.run();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let tighten = &advice["proposals"][0]["policies"];
            for policy in tighten.as_array().unwrap() {
                let id = format!(
                    "{}{}",
                    policy["namespace"].as_str().unwrap_or_default(),
                    policy["name"].as_str().unwrap()
                );
                let used: &[&str] = match &*id {
                    "web" => &["update", "kv/a", "kv/b"],
                    "pay" => &["update", "kv/a", "kv/c"],
                    "team1/web" => &["update", "kv/a", "kv/d"],
                    _ => continue,
                };
                let text = policy["text"].as_str().unwrap_or_default();
                for used in used {
                    let is_kept = text.contains(used) || (used.starts_with("kv/") && text.contains("kv/*"));
                    assert!(is_kept, "{member} {mark}: {id} loses {used}\n{text}");
                }
            }
        }
    }
}

#[test]
fn one_id_for_all_requests_is_an_id_of_none() {
    let (log, _) = three();
    let usage = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.log");
        fs::write(&file, text).unwrap();
        let mut command = Command::cargo_bin("vault-advisor").unwrap();
        let output = command
            .args(["usage", "-q", "--format", "jsonl", "--logs"])
            .arg(file)
            .output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let whole = usage(&log.text());
    assert_eq!(whole.lines().count(), 7);
    for mark in ["[REDACTED]", "***", "00000000-0000-0000-0000-000000000000"] {
        assert_eq!(usage(&every(&log, put("/request/id", mark))), whole, "{mark}");
    }
}

#[test]
fn what_a_token_role_hands_out_by_a_pattern_is_handed_out() {
    let ci = Token::new("e-1", "approle", &["ci", "default"]);
    let log = Log::default().asks(ci.granted("ci", ROOT), "read", "kv/a", ROOT);
    let policies = [
        ("ci.hcl", stanza("kv/*", &["read", "delete"])),
        ("job-nightly.hcl", stanza("kv/nightly/*", &["read", "update"])),
        ("old.hcl", stanza("kv/old/*", &["read"])),
        ("default.hcl", default()),
    ];
    let mut jobs = role("auth/token/", "token", "role", "jobs", &[]);
    jobs["allowed_policies"] = json!(["job-*"]);
    let given = Given::new(&log.text(), &policies);
    deployed(&given, &[jobs]);
    let changes = given.changes();
    assert_eq!(
        changes.get("tighten old").map(String::as_str),
        Some("delete"),
        "{changes:?}"
    );
    assert_eq!(changes.get("tighten job-nightly"), None, "{changes:?}");
}

#[test]
fn what_a_token_is_made_with_is_held_before_it_is_used() {
    let ci = Token::new("e-1", "approle", &["ci", "default"]);
    let log = Log::default()
        .asks(ci.granted("ci", ROOT), "read", "kv/a", ROOT)
        .asks(ci.granted("ci", ROOT), "update", "auth/token/create", ROOT)
        .asks(ci.granted("ci", ROOT), "update", "auth/token/renew", ROOT);
    let policies = [
        (
            "ci.hcl",
            stanza("kv/*", &["read"]) + &stanza("auth/token/*", &["update", "sudo"]),
        ),
        ("made.hcl", stanza("kv/made/*", &["read"])),
        ("renewed.hcl", stanza("kv/renewed/*", &["read"])),
        ("nameless.hcl", stanza("kv/nameless/*", &["read"])),
        ("old.hcl", stanza("kv/old/*", &["read"])),
        ("default.hcl", default()),
    ];
    let gives = |entry: &mut Value| {
        if entry["type"] == "response" {
            let name = if entry["request"]["path"] == "auth/token/create" {
                "made"
            } else {
                "renewed"
            };
            let mut auth = Token::new("", &format!("token-{name}"), &[name, "default"]).auth;
            if name == "made" && entry["request"]["id"].as_str().unwrap().starts_with("7-") {
                auth = json!({"policies": ["nameless"]});
            }
            entry["response"] = json!({"auth": auth});
        }
    };
    let given = Given::new(&every(&log, gives), &policies);
    deployed(&given, &[]);
    let gone: Vec<String> = given
        .changes()
        .into_iter()
        .filter(|(_, change)| change == "delete")
        .map(|(of, _)| of)
        .collect();
    assert_eq!(gone, ["redesign old", "tighten old"]);
}

#[test]
fn a_role_of_which_nobody_knows_what_it_gives_may_give_anything() {
    let ci = Token::new("e-1", "approle", &["ci", "default"]);
    let log = Log::default().asks(ci.granted("ci", ROOT), "read", "kv/a", ROOT);
    let policies = ci_and_old();
    for unlisted in [false, true] {
        let given = Given::new(&log.text(), &policies).settings("[evidence]\ndormant_days = 200\n");
        let mut role = approle("nightly", &[]);
        role["unlisted"] = json!(unlisted);
        deployed(&given, &[role]);
        let changes = given.changes();
        assert_eq!(changes.contains_key("tighten old"), !unlisted, "{changes:?}");
    }
}

#[test]
fn what_an_export_leaves_out_may_hand_out_anything() {
    let ci = Token::new("e-1", "approle", &["ci", "default"]);
    let log = Log::default().asks(ci.granted("ci", ROOT), "read", "kv/a", ROOT);
    let policies = ci_and_old();
    let deleted = |change: &dyn Fn(&Path)| {
        // As long as that is longer than the log, nobody who could come by what is left out has to have come.
        let given = Given::new(&log.text(), &policies).settings("[evidence]\ndormant_days = 200\n");
        deployed(&given, &[]);
        change(&given.folder.path().join("deployment.json"));
        given.changes().contains_key("tighten old")
    };
    assert!(deleted(&|_| ()));
    for name in ["roles.json", "entities.json", "groups.json", "auth.json"] {
        assert!(
            !deleted(&|folder| fs::remove_file(folder.join(name)).unwrap()),
            "{name}"
        );
    }
    let another = r#"[{"namespace":"","path":"auth/approle/","kind":"approle","accessor":"a","kv_version":null,"description":""},
        {"namespace":"","path":"auth/k8s/","kind":"kubernetes","accessor":"b","kv_version":null,"description":""}]"#;
    assert!(!deleted(&|folder| fs::write(folder.join("auth.json"), another).unwrap()));
}

#[test]
fn tokens_of_which_the_log_does_not_say_what_they_hold_may_hold_anything() {
    let ci = Token::new("e-1", "approle", &["ci", "default"]);
    let made = Log::default()
        .asks(ci.granted("ci", ROOT), "update", "auth/token/create", ROOT)
        .asks(ci.granted("ci", ROOT), "read", "kv/a", ROOT);
    let policies = |sudo: &[&str]| {
        [
            ("ci.hcl", stanza("kv/*", &["read"]) + &stanza("auth/token/create", sudo)),
            ("old.hcl", stanza("kv/old/*", &["read"])),
            ("default.hcl", default()),
        ]
    };
    let deleted = |sudo: &[&str], answer: &Value| {
        let log = every(&made, |entry| {
            if entry["type"] == "response" && entry["request"]["path"] == "auth/token/create" {
                entry["response"] = answer.clone();
            }
        });
        let given = Given::new(&log, &policies(sudo));
        deployed(&given, &[]);
        given.changes().contains_key("tighten old")
    };
    let told = json!({"auth": Token::new("", "token-job", &["ci", "default"]).auth});
    let wrapped = json!({"wrap_info": {"ttl": 300, "creation_path": "auth/token/create"}});
    assert!(deleted(&["update", "sudo"], &told));
    assert!(!deleted(&["update", "sudo"], &wrapped));
    // Without `sudo` a child has none but policies of its maker.
    assert!(deleted(&["update"], &wrapped));
    // What a token role allows is not bound to what its caller has: so it is known only where the deployment has the role.
    let by_role = Log::default()
        .asks(ci.granted("ci", ROOT), "update", "auth/token/create/job", ROOT)
        .asks(ci.granted("ci", ROOT), "read", "kv/a", ROOT);
    let log = every(&by_role, |entry| {
        if entry["type"] == "response" && entry["request"]["path"] == "auth/token/create/job" {
            entry["response"] = wrapped.clone();
        }
    });
    let mut by_role = policies(&["update"]);
    by_role[0].1 += &stanza("auth/token/create/job", &["update"]);
    let job = json!({"namespace": "", "mount": "auth/token/", "kind": "token", "item": "role", "name": "job", "policies": [],
        "allowed_policies": ["ci"]});
    for (roles, is_deleted) in [(vec![], false), (vec![job], true)] {
        let given = Given::new(&log, &by_role);
        deployed(&given, &roles);
        assert_eq!(given.changes().contains_key("tighten old"), is_deleted);
    }
}

#[test]
fn whom_a_login_let_in_may_have_anything_where_nothing_tells() {
    let ci = Token::new("e-1", "approle", &["ci", "default"]);
    let log = Log::default().asks(ci.granted("ci", ROOT), "read", "kv/a", ROOT).asks(
        json!({}),
        "update",
        "auth/approle/login",
        ROOT,
    );
    let policies = ci_and_old();
    let deleted = |answer: &Value| {
        let log = every(&log, |entry| {
            if entry["type"] == "response" && entry["request"]["path"] == "auth/approle/login" {
                entry["response"] = answer.clone();
            }
        });
        let given = Given::new(&log, &policies).settings("[foresight]\nhorizon = 0\n");
        given.changes().contains_key("tighten old")
    };
    assert!(deleted(&json!({"auth": ci.auth})));
    // The method refused it.
    assert!(deleted(&json!({"data": {"error": "hmac-sha256:00"}})));
    assert!(!deleted(&json!({})));
}

#[test]
fn what_was_written_of_late_and_nobody_lists_may_hand_out_anything() {
    let ci = Token::new("e-1", "approle", &["ci", "default"]);
    let ops = Token::new("e-2", "userpass-ops", &["ops", "default"]);
    let policies = [
        ("ci.hcl", stanza("kv/*", &["read"])),
        (
            "ops.hcl",
            stanza("auth/*", &["update"]) + &stanza("identity/*", &["update"]),
        ),
        ("old.hcl", stanza("kv/old/*", &["read"])),
        ("default.hcl", default()),
    ];
    let deleted = |path: &'static str, others: &[Value], is_deployed: bool| {
        let log = Log::default().asks(ci.granted("ci", ROOT), "read", "kv/a", ROOT).asks(
            ops.granted("ops", ROOT),
            "update",
            path,
            ROOT,
        );
        let given = Given::new(&log.text(), &policies);
        if is_deployed {
            deployed(&given, others);
        }
        given.changes().contains_key("tighten old")
    };
    let nightly = approle("nightly", &[]);
    for path in [
        "auth/approle/role/nightly",
        "auth/ldap/groups/x",
        "identity/group/name/x",
        "auth/token/roles/x",
    ] {
        assert!(!deleted(path, &[], true), "{path}");
        assert!(!deleted(path, &[], false), "{path}");
    }
    // One of that name is listed, as it was at some time or other.
    assert!(!deleted("auth/approle/role/nightly", &[nightly], true));
    assert!(deleted("auth/approle/role/ci/secret-id", &[], true));
}

#[test]
fn an_alias_is_the_role_of_its_name_at_no_method_with_roles() {
    let ci = Token::new("e-1", "approle", &["ci", "default"]);
    let log = Log::default().asks(ci.granted("ci", ROOT), "read", "kv/a", ROOT);
    let policies = [
        ("ci.hcl", stanza("kv/*", &["read"])),
        ("web.hcl", stanza("kv/web/*", &["read"])),
        ("default.hcl", default()),
    ];
    let changes = |alias: &str| {
        let given = Given::new(&log.text(), &policies).settings("[evidence]\ndormant_days = 200\n");
        let web = approle("web", &["web"]);
        deployed(&given, &[web]);
        let entity =
            json!([{"id": "e-1", "name": "x", "aliases": [{"id": "a-1", "name": alias, "mount_accessor": "a"}]}]);
        fs::write(
            given.folder.path().join("deployment.json/entities.json"),
            entity.to_string(),
        )
        .unwrap();
        given.changes()
    };
    assert_eq!(changes("web"), changes("c0ffee"));
}

#[test]
fn an_entry_without_a_request_is_one_of_whoever_holds_what_it_lists() {
    let (web, other) = (
        Token::new("e-1", "kubernetes-web", &["web", "default"]),
        Token::new("", "", &["web", "default"]),
    );
    let log = Log::default()
        .asks(web.granted("web", ROOT), "read", "kv/a", ROOT)
        .asks(other.granted("web", ROOT), "delete", "kv/a", ROOT);
    let log = changed(&log, 1, |entry| {
        let entry = entry.as_object_mut().unwrap();
        entry.remove("request");
        let auth = entry["auth"].as_object_mut().unwrap();
        for key in ["accessor", "display_name", "token_type"] {
            auth.remove(key);
        }
    });
    let given = Given::new(
        &log,
        &[
            ("web.hcl", stanza("kv/*", &["read", "delete"])),
            ("default.hcl", default()),
        ],
    );
    assert!(given.changes().is_empty());
}

#[test]
fn what_decides_which_keys_a_list_shows_is_used_by_the_list() {
    let ann = Token::new("e-1", "userpass-ann", &["team", "default"]);
    let log = Log::default()
        .asks(ann.granted("team", ROOT), "list", "kv/names/", ROOT)
        .asks(ann.granted("team", ROOT), "read", "kv/data/a", ROOT);
    let filter = "path \"kv/names/\" {\n  capabilities = [\"list\"]\n  list_scan_response_keys_filter_path = \"kv/data/{{ .key }}\"\n}\n";
    let text =
        |filter: &str| filter.to_owned() + &stanza("kv/data/*", &["read", "delete"]) + &stanza("kw/*", &["read"]);
    let left_of = |filter: &str| {
        let policies = [("team.hcl", text(filter)), ("default.hcl", default())];
        let given = Given::new(&log.text(), &policies)
            .settings("[foresight]\nhorizon = 0\n")
            .with(&["--server", "openbao-2.6"]);
        left(&given, "team").concat()
    };
    let kept = left_of(filter);
    assert!(
        kept.contains("kv/data/*") && kept.contains("delete") && !kept.contains("kw/"),
        "{kept}"
    );
}

#[test]
fn what_decides_which_events_come_is_used_by_whoever_subscribes() {
    let ann = Token::new("e-1", "userpass-ann", &["team", "default"]);
    let log = Log::default()
        .asks(
            ann.granted("team", ROOT),
            "read",
            "sys/events/subscribe/kv-v2/data-write",
            ROOT,
        )
        .asks(ann.granted("team", ROOT), "read", "secret/data/a", ROOT);
    let text = stanza("sys/events/subscribe/*", &["read"])
        + &stanza("secret/data/*", &["read", "delete"])
        + "path \"secret/+/team/*\" {\n  capabilities = [\"list\", \"subscribe\"]\n  subscribe_event_types = [\"*\"]\n}\n";
    let policies = [("team.hcl", text), ("default.hcl", default())];
    let given = Given::new(&log.text(), &policies)
        .settings("[foresight]\nhorizon = 0\n")
        .with(&["--server", "vault-2.0.3"]);
    let kept = left(&given, "team");
    assert!(
        kept.iter()
            .all(|text| text.contains("subscribe_event_types") && !text.contains("delete")),
        "{kept:?}"
    );
}

/// The roles of the redesign that are told what to give, as `ID: POLICIES`.
fn assigned(given: &Given) -> BTreeMap<String, String> {
    let (output, advice) = given.run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let redesign = advice["proposals"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["kind"] == "redesign")
        .unwrap();
    let assignments = redesign["assignments"].as_array().unwrap().iter();
    assignments
        .map(|one| {
            (
                one["id"].as_str().unwrap_or_default().to_owned(),
                one["policies"].to_string(),
            )
        })
        .collect()
}

#[test]
fn who_came_by_a_policy_nobody_knows_how_may_have_come_by_any_place_that_gives_it() {
    // The device leaves out who asks: the holder of `web` is not named, and the role `web` was seen with less.
    let (web, somebody) = (
        Token::new("e-1", "approle", &["web", "c", "default"]),
        Token::new("", "", &["web", "default"]),
    );
    let log = Log::default()
        .asks(web.granted("c", ROOT), "read", "kv/c/x", ROOT)
        .asks(somebody.granted("web", ROOT), "delete", "kv/web/x", ROOT);
    let log = changed(&log, 1, |entry| {
        let auth = entry["auth"].as_object_mut().unwrap();
        for key in ["accessor", "display_name"] {
            auth.remove(key);
        }
    });
    let policies = [
        ("web.hcl", stanza("kv/web/*", &["read", "delete"])),
        ("c.hcl", stanza("kv/c/*", &["read"])),
        ("default.hcl", default()),
    ];
    let given = Given::new(&log, &policies).settings("[evidence]\nmin_days = 0\ndormant_days = 0\n");
    let role = approle("web", &["web", "c"]);
    deployed(&given, &[role]);
    for (id, policies) in assigned(&given) {
        assert!(!id.ends_with("/web") || policies.contains("\"web\""), "{id} {policies}");
    }
    assert_ne!(given.changes().get("redesign web").map(String::as_str), Some("delete"));
}

#[test]
fn two_mounts_that_begin_alike_are_two() {
    let approle =
        |name: &str, policies: &[&str]| Token::new("", name, policies).with("metadata", json!({"role_name": "web"}));
    let (one, other) = (
        approle("approle", &["a", "default"]),
        approle("approle-prod", &["b", "default"]),
    );
    let log = Log::default()
        .asks(one.granted("a", ROOT), "read", "kv/a/x", ROOT)
        .asks(other.granted("b", ROOT), "delete", "kv/b/x", ROOT);
    let policies = [
        ("a.hcl", stanza("kv/a/*", &["read"])),
        ("b.hcl", stanza("kv/b/*", &["read", "delete"])),
        ("default.hcl", default()),
    ];
    let given = Given::new(&log.text(), &policies).settings("[evidence]\nmin_days = 0\ndormant_days = 0\n");
    let role = |mount: &str, policy: &str| role(mount, "approle", "role", "web", &[policy]);
    deployed(&given, &[role("auth/approle/", "a"), role("auth/approle-prod/", "b")]);
    for (id, policies) in assigned(&given) {
        let policy = if id.contains("prod") { "\"b\"" } else { "\"a\"" };
        assert!(!id.contains("web") || policies.contains(policy), "{id} {policies}");
    }
    let changes = given.changes();
    assert!(changes.values().all(|change| change != "delete"), "{changes:?}");
}

#[test]
fn a_role_names_policies_as_it_was_written() {
    let ci = Token::new("e-1", "approle", &["ci", "default"]);
    let log = Log::default().asks(ci.granted("ci", ROOT), "read", "kv/a", ROOT);
    let policies = [
        ("ci.hcl", stanza("kv/*", &["read"])),
        ("fin.hcl", stanza("kv/fin/*", &["read"])),
        ("default.hcl", default()),
    ];
    let changes = |name: &str| {
        let given = Given::new(&log.text(), &policies);
        let fin = approle("fin", &[name]);
        deployed(&given, &[fin]);
        given.changes()
    };
    assert_eq!(changes("Fin "), changes("fin"));
    assert_ne!(changes("other"), changes("fin"));
}

#[test]
fn what_others_hand_out_is_not_deleted_whatever_is_moved() {
    let (ann, bob) = (
        Token::new("e-1", "userpass-ann", &["ann", "fin", "default"]),
        Token::new("e-2", "userpass-bob", &["big", "fin", "default"]),
    );
    let log = Log::default()
        .asks(ann.granted("ann", ROOT), "read", "secret/data/ann/x", ROOT)
        .asks(bob.granted("fin", ROOT), "read", "secret/data/fin/x", ROOT)
        .asks(bob.granted("big", ROOT), "read", "secret/data/big/x", ROOT)
        .asks(bob.granted("fin", ROOT), "read", "secret/data/fin/y0", ROOT)
        .asks(bob.granted("fin", ROOT), "read", "secret/data/fin/y1", ROOT)
        .asks(bob.granted("fin", ROOT), "read", "secret/data/fin/y2", ROOT);
    let policies = [
        ("ann.hcl", stanza("secret/data/ann/*", &["read"])),
        ("big.hcl", stanza("secret/data/big/*", &["read", "delete"])),
        ("fin.hcl", stanza("secret/data/fin/*", &["read", "delete"])),
        ("default.hcl", default()),
    ];
    let redesigned = |others: &[Value]| {
        let given = Given::new(&log.text(), &policies).settings("[evidence]\nmin_days = 0\ndormant_days = 0\n");
        let user = |name: &str, policies: &[&str]| role("auth/userpass/", "userpass", "user", name, policies);
        let users = [user("ann", &["ann", "fin"]), user("bob", &["big", "fin"])];
        deployed(&given, &[&users, others].concat());
        let mounts = r#"[{"namespace":"","path":"auth/userpass/","kind":"userpass","accessor":"u","kv_version":null,"description":""}]"#;
        let entity = |id: &str, name: &str| json!({"id": id, "name": name, "aliases": [{"id": name, "name": name, "mount_accessor": "u"}]});
        let entities = json!([entity("e-1", "ann"), entity("e-2", "bob")]).to_string();
        let folder = given.folder.path().join("deployment.json");
        fs::write(folder.join("auth.json"), mounts).unwrap();
        fs::write(folder.join("entities.json"), entities).unwrap();
        given.changes().get("redesign fin").cloned()
    };
    assert_eq!(redesigned(&[]).as_deref(), Some("delete"));
    let other = |kind: &str, item: &str, policies: &[&str], allowed: &[&str]| {
        let mut role = role(&format!("auth/{kind}/"), kind, item, "ops", policies);
        role["allowed_policies"] = json!(allowed);
        role
    };
    for other in [
        other("ldap", "group", &["fin"], &[]),
        other("ldap", "config", &["fin"], &[]),
        other("token", "role", &[], &["fin"]),
        other("token", "role", &[], &["f*"]),
    ] {
        assert_ne!(
            redesigned(std::slice::from_ref(&other)).as_deref(),
            Some("delete"),
            "{other}"
        );
    }
}

#[test]
fn what_the_server_names_a_policy_for_was_asked_of_it() {
    let ops = Token::new("e-1", "userpass-ops", &["ops", "default"]);
    let log = Log::default()
        .asks(ops.granted("ops", ROOT), "read", "kv/a", ROOT)
        .asks(ops.granted("ops", ROOT), "update", "sys/rekey/init", ROOT)
        .asks(ops.granted("ops", ROOT), "read", "sys/replication/status", ROOT);
    let policies = [
        (
            "ops.hcl",
            stanza("kv/*", &["read"]) + &stanza("sys/rekey/*", &["update"]) + &stanza("sys/replication/*", &["read"]),
        ),
        ("default.hcl", default()),
    ];
    let given = Given::new(&log.text(), &policies).settings("[foresight]\nhorizon = 0\n");
    let text = left(&given, "ops").concat();
    assert!(
        text.contains("sys/rekey/") && text.contains("sys/replication/"),
        "{text}"
    );
}

#[test]
fn what_could_not_be_used_before_is_watched_from_then_on() {
    let (ci, ops) = (
        Token::new("e-1", "approle", &["ci", "old", "default"]),
        Token::new("e-2", "userpass-ops", &["ops", "default"]),
    );
    let log = Log::default()
        .asks(ci.granted("ci", ROOT), "read", "kv/a", ROOT)
        .asks(ci.granted("old", ROOT), "read", "kw/x", ROOT)
        .asks(ops.granted("ops", ROOT), "update", "sys/tools/hash", ROOT);
    let policies = [
        ("ci.hcl", stanza("kv/*", &["read"]) + &stanza("new/*", &["read"])),
        ("old.hcl", stanza("kw/*", &["read"])),
        ("ops.hcl", stanza("sys/*", &["read", "update", "sudo"])),
        ("default.hcl", default()),
    ];
    let late = |path: &str, data: Value| {
        let mut entry: Value = serde_json::from_str(log.text().lines().last().unwrap()).unwrap();
        entry["time"] = json!("2026-06-28T09:00:00Z");
        entry["request"]["id"] = json!("late");
        entry["request"]["operation"] = json!("update");
        entry["request"]["path"] = json!(path);
        entry["request"]["data"] = data;
        log.text() + &entry.to_string() + "\n"
    };
    let touched = |log: &str| {
        // The past alone, so that nothing else holds them back.
        let given = Given::new(log, &policies).settings("[evidence]\nchanged_days = 30\n[foresight]\nhorizon = 0\n");
        let changes = given.changes();
        ["ci", "old"].map(|name| changes.contains_key(&format!("tighten {name}")))
    };
    let (lease, version) = (json!({"max_lease_ttl": "1h"}), json!({"options": {"version": "2"}}));
    assert_eq!(touched(&late("sys/mounts/new/tune", lease)), [true, true]);
    // Another version has other paths; so it may where the entry does not say what was set.
    assert_eq!(touched(&late("sys/mounts/new/tune", version)), [false, true]);
    assert_eq!(touched(&late("sys/mounts/new/tune", Value::Null)), [false, true]);
    assert_eq!(touched(&late("sys/mounts/new", Value::Null)), [false, true]);
    assert_eq!(touched(&late("sys/remount", Value::Null)), [false, false]);
    // An engine gives nothing out before it is configured; what was at work before was configured before.
    assert_eq!(touched(&late("new/config/pg", Value::Null)), [false, true]);
    assert_eq!(touched(&late("kv/config", Value::Null)), [true, true]);
}

#[test]
fn a_list_of_which_nothing_explains_what_was_allowed_is_not_whole() {
    let app = Token::new("e-1", "approle", &["a", "default"]);
    let bob = Token::new("e-2", "userpass-bob", &["z", "default"]);
    let log = Log::default()
        .asks(app.granted("a", ROOT), "read", "kv/a/x", ROOT)
        .asks(app.auth.clone(), "delete", "kv/z/x", ROOT)
        .asks(bob.granted("z", ROOT), "read", "kv/z/y", ROOT);
    let policies = [
        ("a.hcl", stanza("kv/a/*", &["read"])),
        ("z.hcl", stanza("kv/z/*", &["read", "delete"])),
        ("default.hcl", default()),
    ];
    let changes = |log: &str| {
        Given::new(log, &policies)
            .settings("[foresight]\nhorizon = 0\n")
            .changes()
    };
    assert_eq!(changes(&log.text()).get("tighten z"), None);
    // Nor is one that holds something else than names.
    let log = Log::default()
        .asks(app.granted("a", ROOT), "read", "kv/a/x", ROOT)
        .asks(bob.granted("z", ROOT), "read", "kv/z/y", ROOT);
    assert!(changes(&log.text()).contains_key("tighten z"));
    for hole in [Value::Null, json!(7), json!({"name": "z"})] {
        let log = changed(&log, 0, |entry| {
            entry["auth"]["policies"] = json!(["a", hole, "default"])
        });
        assert_eq!(changes(&log), BTreeMap::new(), "{hole}");
    }
}

#[test]
fn a_deployment_that_lacks_what_somebody_logged_in_by_lacks_more() {
    let web = Token::new("e-1", "approle", &["web", "default"]).with("metadata", json!({"role_name": "web"}));
    let log = Log::default()
        .asks(web.granted("web", ROOT), "read", "kv/a", ROOT)
        .asks(json!({}), "update", "auth/approle/login", ROOT);
    let policies = [
        ("web.hcl", stanza("kv/*", &["read"])),
        ("old.hcl", stanza("kv/old/*", &["read"])),
        ("default.hcl", default()),
    ];
    let deleted = |mount: &str, name: &str| {
        let log = every(&log, |entry| {
            if entry["type"] == "response" && entry["request"]["path"] == "auth/approle/login" {
                entry["request"]["path"] = json!(format!("auth/{mount}/login"));
                entry["response"] = json!({"auth": web.auth});
            }
        });
        let given = Given::new(&log, &policies).settings("[evidence]\ndormant_days = 200\n");
        let role = approle(name, &["web"]);
        deployed(&given, &[role]);
        given.changes().contains_key("tighten old")
    };
    assert!(deleted("approle", "web"));
    assert!(!deleted("approle", "other"));
    assert!(!deleted("okta", "web"));
}

#[test]
fn a_member_without_a_record_is_one_who_never_acted() {
    let ann = Token::new("e-1", "userpass-ann", &["fin", "default"]).with("identity_policies", json!(["fin"]));
    let log = Log::default().asks(ann.granted("fin", ROOT), "read", "kv/fin/x", ROOT);
    let policies = [
        ("fin.hcl", stanza("kv/fin/*", &["read", "delete"])),
        ("default.hcl", default()),
    ];
    let touched = |members: &[&str], groups: &[&str]| {
        let given = Given::new(&log.text(), &policies).settings("[evidence]\ndormant_days = 200\n");
        deployed(&given, &[]);
        let folder = given.folder.path().join("deployment.json");
        let group = json!([{"id": "g-1", "name": "g1", "policies": ["fin"], "member_entities": members, "member_groups": groups}]);
        fs::write(folder.join("groups.json"), group.to_string()).unwrap();
        fs::write(folder.join("entities.json"), r#"[{"id": "e-1", "name": "ann"}]"#).unwrap();
        given.changes().contains_key("tighten fin")
    };
    assert!(touched(&["e-1"], &[]));
    assert!(!touched(&["e-1", "e-77"], &[]));
    assert!(!touched(&["e-1"], &["g-77"]));
}

#[test]
fn what_protects_nothing_is_said() {
    let ann = Token::new("e-1", "userpass-ann", &["web", "default"]);
    let log = Log::default().asks(ann.granted("web", ROOT), "read", "kv/a", ROOT);
    let policies = [
        ("web.hcl", stanza("kv/*", &["read", "delete"])),
        ("default.hcl", default()),
    ];
    for (entry, protects) in [
        ("Web", true),
        ("we*", true),
        ("userpass-ann", true),
        ("webb", false),
        ("web.hcl", false),
    ] {
        let given = Given::new(&log.text(), &policies)
            .settings(&format!("protect = [\"{entry}\"]\n[foresight]\nhorizon = 0\n"));
        assert_eq!(given.changes().is_empty(), protects, "{entry}");
        let summary = fs::read_to_string(given.folder.path().join("out/summary.md")).unwrap();
        assert_eq!(summary.contains("protect nothing"), !protects, "{summary}");
    }
}

#[test]
fn an_id_of_two_namespaces_is_the_id_of_neither() {
    // One text stands in the place of each namespace's id: nobody knows which `cross` it is that Ann has.
    let ann = Token::new("0a1b2c3d-0000-4000-8000-000000000001", "kubernetes-ann", &["default"])
        .with("external_namespace_policies", json!({"[REDACTED]": ["cross"]}));
    let (at_a, at_b) = (("[REDACTED]", "a/"), ("[REDACTED]", "b/"));
    let bob = Token::new(
        "0a1b2c3d-0000-4000-8000-000000000002.x",
        "kubernetes-bob",
        &["cross", "default"],
    );
    let log = Log::default()
        .asks(bob.granted("cross", at_a), "read", "kv/a", at_a)
        .asks(ann.auth.clone(), "update", "kv/b", at_b);
    let own = || stanza("kv/*", &["read", "update", "delete"]);
    let policies = [
        ("policies/default.hcl", default()),
        ("namespaces/a/policies/default.hcl", default()),
        ("namespaces/a/policies/cross.hcl", own()),
        ("namespaces/b/policies/default.hcl", default()),
        ("namespaces/b/policies/cross.hcl", own()),
    ];
    let changes = Given::new(&log.text(), &policies).changes();
    assert!(!changes.contains_key("tighten b/cross"), "{changes:?}");
}

#[test]
fn tokens_of_a_log_without_times_are_all_of_its_principal() {
    let (one, two) = (
        Token::new("e-1", "approle", &["ci", "default"]),
        Token::new("e-1", "approle", &["default", "web"]),
    );
    let log = Log::default().asks(one.granted("ci", ROOT), "read", "kv/a", ROOT).asks(
        two.granted("web", ROOT),
        "read",
        "kv/a",
        ROOT,
    );
    let policies = [
        ("ci.hcl", stanza("kv/*", &["read", "delete"])),
        ("web.hcl", stanza("kv/a", &["read", "update"])),
        ("default.hcl", default()),
    ];
    for gone in [
        every(&log, without(&["/time"])),
        every(&log, put("/time", "[REDACTED]")),
    ] {
        let changes = Given::new(&gone, &policies).changes();
        assert!(changes.values().all(|change| change != "delete"), "{changes:?}");
    }
}

#[test]
fn what_is_not_explained_bears_on_what_its_maker_may_hold() {
    let ann = Token::new(
        "0a1b2c3d-0000-4000-8000-000000000001",
        "kubernetes-ann",
        &["default", "extra"],
    );
    let bob = Token::new(
        "0a1b2c3d-0000-4000-8000-000000000002",
        "kubernetes-bob",
        &["default", "ops"],
    );
    let log = Log::default()
        .asks(ann.granted("extra", ROOT), "update", "kv/a", ROOT)
        .asks(bob.granted("ops", ROOT), "read", "kv/b", ROOT);
    let wide = || stanza("kv/*", &["read", "update", "delete"]);
    // The text of `extra` is not there; that `ops` is not what she has is known.
    let policies = [("default.hcl", default()), ("ops.hcl", wide())];
    let changes = Given::new(&log.text(), &policies).changes();
    assert_eq!(
        changes.get("tighten ops").map(String::as_str),
        Some("edit"),
        "{changes:?}"
    );
    // What nobody is known to hold may be it, and so may what a list of another namespace would name.
    let policies = [
        ("policies/default.hcl", default()),
        ("policies/ops.hcl", wide()),
        ("policies/other.hcl", wide()),
        ("namespaces/team1/policies/far.hcl", stanza("x/*", &["read", "delete"])),
    ];
    let far = Token::new(
        "0a1b2c3d-0000-4000-8000-000000000003.aB3xY",
        "kubernetes-far",
        &["default", "far"],
    );
    let log =
        log.asks(far.granted("far", TEAM), "read", "x/a", TEAM)
            .asks(ann.granted("extra", ROOT), "delete", "x/b", TEAM);
    let changes = Given::new(&log.text(), &policies).changes();
    assert!(changes.contains_key("tighten ops"), "{changes:?}");
    assert!(
        !changes.contains_key("tighten other") && !changes.contains_key("tighten team1/far"),
        "{changes:?}"
    );
}

#[test]
fn a_line_that_shows_an_entry_and_is_none_is_lost() {
    let (log, policies) = two();
    let whole = log.text();
    let lines = |change: &dyn Fn(&str) -> String| -> String {
        let of = |line: &str| {
            if line.contains("\"update\"") {
                change(line)
            } else {
                line.to_owned()
            }
        };
        whole.lines().map(|line| of(line) + "\n").collect()
    };
    let half = |line: &str| line.len() / 2;
    let first = whole.lines().next().unwrap();
    let cut = format!("{first}\n{}\n", &first[..first.len() * 9 / 10]);
    assert!(!Given::new(&(cut.clone() + &whole), &policies).changes().is_empty());
    for broken in [
        lines(&|line| line[half(line)..].to_owned()),
        // Soon after an entry that was cut, one that has more than its rest; and long after.
        cut.clone() + &lines(&|line| line[3..].to_owned()),
        cut.clone() + &lines(&|line| line[line.find("policies").unwrap()..].to_owned()),
        cut.clone()
            + &lines(&|line| {
                if line.contains("\"119-") {
                    line[half(line)..].to_owned()
                } else {
                    line.to_owned()
                }
            }),
        lines(&|line| line.replace('"', "'")),
        // Zeros where a disk or a machine failed: whole lines, the end of one, most of one.
        lines(&|line| "\0".repeat(line.len())),
        whole
            .lines()
            .enumerate()
            .map(|(n, line)| {
                if n == 9 {
                    format!("{}{line}\n", "\0".repeat(5000))
                } else {
                    format!("{line}\n")
                }
            })
            .collect(),
        // Between two texts, so that what is left is JSON.
        whole.replacen("\"display_name\":\"kube", "\"display_name\":\"\0\0\0kube", 1),
        whole.clone() + &"\0".repeat(300_000),
        whole
            .lines()
            .enumerate()
            .map(|(n, line)| {
                if n == 9 {
                    format!("{}{}\n", &line[..line.len() - 20], "\0".repeat(5000))
                } else {
                    format!("{line}\n")
                }
            })
            .collect(),
        lines(&|line| format!("{}...", &line[..30])),
        lines(&|line| json!({"host": "a", "inner": serde_json::from_str::<Value>(line).unwrap()}).to_string()),
        lines(&|line| json!({"host": "a", "message": line}).to_string()),
        whole
            .lines()
            .map(|line| {
                let text = if line.contains("\"update\"") {
                    Value::Null
                } else {
                    json!(line)
                };
                json!({"host": "a", "message": text}).to_string() + "\n"
            })
            .collect(),
    ] {
        let given = Given::new(&broken, &policies);
        assert_eq!(given.changes(), BTreeMap::new(), "{}", broken.lines().nth(2).unwrap());
    }
}

#[test]
fn entries_in_another_notation_are_lost_and_not_nothing() {
    let web = Token::new("e-1", "approle", &["web", "default"]);
    let log = Log::default().asks(web.granted("web", ROOT), "read", "kv/web/db", ROOT);
    let policies = [
        ("web.hcl", stanza("kv/web/*", &["read", "delete"])),
        ("default.hcl", default()),
    ];
    let changes = |line: &str| {
        let lines = log.text();
        let (first, rest) = lines.split_at(lines.find('\n').unwrap() + 1);
        let given = Given::new(&format!("{first}{line}\n{rest}"), &policies).settings("[foresight]\nhorizon = 0\n");
        given.changes()
    };
    assert!(!changes("GET /healthz 200 path=/").is_empty());
    for line in [
        r#"<json:object name="auth"><json:string name="display_name">approle</json:string></json:object><json:object name="request"><json:string name="operation">delete</json:string><json:string name="path">kv/web/db</json:string></json:object>"#,
        "map[auth:map[accessor:x display_name:approle policies:[default web]] request:map[operation:delete path:kv/web/db] type:response]",
        "auth_display_name=approle auth_policies=web request_operation=delete request_path=kv/web/db",
        r#"{"auth_display_name":"approle","request_operation":"delete","request_path":"kv/web/db"}"#,
        r#"{"TYPE":"request","AUTH":{"DISPLAY_NAME":"approle"},"REQUEST":{"OPERATION":"delete","PATH":"kv/web/db"}}"#,
        r#"{:auth=>{:display_name=>"approle"}, :request=>{:operation=>"delete", :path=>"kv/web/db"}}"#,
        "eyJhdXRoIjp7ImRpc3BsYXlfbmFtZSI6ImFwcHJvbGUifSwicmVxdWVzdCI6eyJvcGVyYXRpb24iOiJkZWxldGUiLCJwYXRoIjoia3Yvd2ViL2RiIn19",
    ] {
        assert_eq!(changes(line), BTreeMap::new(), "{line}");
    }
}

#[test]
fn a_path_that_is_masked_narrows_nothing() {
    let ann = Token::new("e-1", "kubernetes-web", &["web", "default"]);
    for path in [
        "secret/data/web/hvs.CAESIAbcdefghijkl1234567890",
        "secret/data/s.AbCdEfGh12345678/x",
        "sys/leases/revoke/database/creds/ro/AbCdEfGh12345678",
        "auth/token/lookup/hvs.CAESIAbcdefghijkl1234567890",
        // What pipelines put in the place of what they hide.
        "secret/data/app/[REDACTED]",
        "secret/data/*/db",
        "secret/data/app/*",
        "secret/data/:id/db",
        "secret/data/<redacted>/x",
        "secret/data/app/hmac-sha256:594e519ae499312b29433b7dd8a97ff068defcba9755b6d5d00e84c524d67b06",
        "secret/data/app/xxxxxx",
        "secret/data/jo***@example.org/x",
        "secret/data/app/redacted",
        "secret/data/app/%EMAIL%",
        "secret/data/app/None",
    ] {
        let log = Log::default()
            .asks(ann.granted("web", ROOT), "update", path, ROOT)
            .asks(ann.granted("web", ROOT), "read", "secret/data/web/a", ROOT);
        let mount = &path[..path.find('/').unwrap() + 1];
        for stanzas in [
            stanza(&format!("{mount}*"), &["read", "update"]),
            stanza(path, &["update", "read"]) + &stanza(&format!("{mount}*"), &["read", "list"]),
        ] {
            let policies = [("web.hcl", stanzas.clone()), ("default.hcl", default())];
            let given = Given::new(&log.text(), &policies);
            for text in left(&given, "web").iter().filter(|text| !text.is_empty()) {
                let first = stanzas.lines().next().unwrap();
                assert!(
                    text.contains(first) && text.contains("update"),
                    "{path}\n{stanzas}\n{text}"
                );
            }
        }
    }
}

#[test]
fn sudo_stays_where_it_may_be_needed() {
    let ann = Token::new("e-1", "kubernetes-web", &["web", "default"]);
    for (path, kind) in [
        ("pki/root/sign-self-issued", None),
        ("team/a/pki/root/sign-self-issued", Some("pki")),
        ("x/protected", Some("vault-plugin-secrets-x")),
        // What children get beyond their maker's policies only `sudo` gives.
        ("auth/token/create", Some("token")),
        ("auth/token/create/jobs", None),
        // The handler asks for it itself, on most versions.
        ("auth/token/revoke-orphan", Some("token")),
        ("sys/internal/counters/activity/export", Some("system")),
    ] {
        let log = Log::default().asks(ann.granted("web", ROOT), "update", path, ROOT);
        let text = every(&log, |entry| {
            entry["request"]["mount_type"] = kind.map_or(Value::Null, |kind| json!(kind));
        });
        let policies = [
            (
                "web.hcl",
                stanza(path, &["update", "sudo"]) + &stanza("kv/*", &["read"]),
            ),
            ("default.hcl", default()),
        ];
        let given = Given::new(&text, &policies);
        assert!(given.changes().contains_key("tighten web"), "{path}");
        for text in left(&given, "web") {
            assert!(text.contains("sudo"), "{path}\n{text}");
        }
    }
}

#[test]
fn who_was_not_seen_may_have_what_roles_and_external_groups_give() {
    let app = Token::new("e-1", "approle", &["app", "default"]).with("metadata", json!({"role_name": "web"}));
    let log = Log::default()
        .asks(app.granted("app", ROOT), "read", "kv/a", ROOT)
        .asks(json!({}), "update", "auth/approle/login", ROOT);
    let log = every(&log, |entry| {
        if entry["type"] == "response" && entry["request"]["path"] == "auth/approle/login" {
            entry["response"] = json!({"auth": app.auth});
        }
    });
    let policies = [
        ("app.hcl", stanza("kv/*", &["read", "delete"])),
        ("default.hcl", default()),
    ];
    let settings = "[evidence]\ndormant_days = 300\n[foresight]\nhorizon = 0\n";
    let touched_at = |accessor: &str, groups: &Value, others: &[Value]| {
        let given = Given::new(&log, &policies).settings(settings);
        let folder = given.folder.path().join("deployment.json");
        deployed_with(&given, &[], groups);
        let mount = json!([{"namespace": "", "path": "auth/approle/", "kind": "approle", "accessor": accessor,
            "kv_version": null, "description": ""}]);
        fs::write(folder.join("auth.json"), mount.to_string()).unwrap();
        fs::write(folder.join("roles.json"), json!([approle("web", &["app"])]).to_string()).unwrap();
        let own =
            json!({"id": "e-1", "name": "e-1", "aliases": [{"id": "a-1", "name": "c0ffee", "mount_accessor": "a"}]});
        let entities: Vec<&Value> = std::iter::once(&own).chain(others).collect();
        fs::write(folder.join("entities.json"), json!(entities).to_string()).unwrap();
        given.changes().contains_key("tighten app")
    };
    let touched = |groups: &Value, others: &[Value]| touched_at("a", groups, others);
    let unseen = |accessor: &str| {
        json!({"id": "e-9", "name": "e-9", "policies": ["default"],
            "aliases": [{"id": "a-9", "name": "decaf", "mount_accessor": accessor}]})
    };
    let group = |external: bool| json!([{"namespace": "", "id": "g", "name": "g", "policies": ["app"], "external": external, "member_entities": ["e-1"]}]);
    assert!(touched(&json!([]), &[]));
    assert!(touched(&json!([]), &[unseen("userpass")]));
    assert!(!touched(&json!([]), &[unseen("a")]));
    // Where the deployment does not tell which accessor a mount has it may be any.
    assert!(touched_at("", &json!([]), &[]));
    assert!(!touched_at("", &json!([]), &[unseen("a")]));
    assert!(touched(&group(false), &[]));
    assert!(!touched(&group(true), &[]));
}

#[test]
fn a_deployment_that_lacks_who_is_at_work_lacks_more() {
    let (ci, bob) = (
        Token::new("e-1", "approle", &["ci", "default"]),
        Token::new("e-2", "approle", &["ci", "default"]),
    );
    let log = Log::default().asks(ci.granted("ci", ROOT), "read", "kv/a", ROOT).asks(
        bob.granted("ci", ROOT),
        "read",
        "kv/b",
        ROOT,
    );
    let settings = "[evidence]\ndormant_days = 300\n[foresight]\nhorizon = 0\n";
    let deleted = |log: &str, entities: &[&str], taken: Option<&str>| {
        let given = Given::new(log, &ci_and_old()).settings(settings);
        deployed(&given, &[]);
        let folder = given.folder.path().join("deployment.json");
        let entities: Vec<Value> = entities.iter().map(|id| json!({"id": id, "name": id})).collect();
        fs::write(folder.join("entities.json"), json!(entities).to_string()).unwrap();
        if let Some(taken) = taken {
            let mark = json!({"layout": 1, "product": null, "version": null, "taken": taken});
            fs::write(folder.join("snapshot.json"), mark.to_string()).unwrap();
        }
        given.changes().contains_key("tighten old")
    };
    let (all, after) = (log.text(), Some("2026-07-01T00:00:00Z"));
    assert!(deleted(&all, &["e-1", "e-2"], None));
    assert!(!deleted(&all, &["e-1"], None));
    assert!(!deleted(&all, &["e-1"], after));
    assert!(!deleted(&all, &["e-1"], Some("2026-05-01T00:00:00Z")));
    // Who came after the deployment was made is no part of it, and who was last seen long ago may be gone.
    let part = |keeps: &dyn Fn(usize) -> bool| -> String {
        let kept = all
            .lines()
            .enumerate()
            .filter(|(n, line)| keeps(*n) || !line.contains("\"e-2\""));
        kept.map(|(_, line)| format!("{line}\n")).collect()
    };
    assert!(deleted(&part(&|n| n > 400), &["e-1"], Some("2026-05-01T00:00:00Z")));
    assert!(deleted(&part(&|n| n < 100), &["e-1"], after));
    let untimed = |line: &str| {
        let mut entry: Value = serde_json::from_str(line).unwrap();
        if entry["auth"]["entity_id"] == "e-2" {
            entry.as_object_mut().unwrap().remove("time");
        }
        entry.to_string() + "\n"
    };
    let never: String = part(&|n| n < 100).lines().map(untimed).collect();
    assert!(!deleted(&never, &["e-1"], after));
    let deletion = all.lines().last().unwrap().replace("\"e-2\"", "\"e-1\"");
    let deletion = deletion
        .replace("\"read\"", "\"delete\"")
        .replace("kv/b", "identity/entity/id/e-2");
    let told = |log: &str| {
        let given = Given::new(log, &ci_and_old()).settings(settings);
        deployed(&given, &[]);
        let folder = given.folder.path().join("deployment.json");
        fs::write(
            folder.join("entities.json"),
            json!([{"id": "e-1", "name": "e-1"}]).to_string(),
        )
        .unwrap();
        given.run().1.to_string().contains("`e-2`, which is at work")
    };
    assert!(told(&all));
    assert!(!told(&(all.clone() + &deletion + "\n")));
    // A namespace of which the deployment knows nothing.
    let elsewhere = Log::default().asks(ci.granted("ci", ROOT), "read", "kv/a", ROOT).asks(
        ci.granted("ci", ROOT),
        "read",
        "kv/a",
        TEAM,
    );
    assert!(!deleted(&elsewhere.text(), &["e-1"], None));
}

#[test]
fn a_token_made_in_another_namespace_does_not_tell_where_one_of_its_name_is_from() {
    // Root's token and one of team1 are both called so; the log, without `policy_results`, shows that one was made in team1.
    let (svc, adm) = (
        Token::new("", "token-svc", &["app", "default"]),
        Token::new(
            "0a1b2c3d-0000-4000-8000-000000000001.aB3xY",
            "userpass-adm",
            &["default", "adm"],
        ),
    );
    let log = Log::default().asks(svc.auth.clone(), "read", "kv/a", TEAM).asks(
        adm.auth.clone(),
        "update",
        "auth/token/create",
        TEAM,
    );
    let log = every(&log, |entry| {
        if entry["type"] == "response" && entry["request"]["path"] == "auth/token/create" {
            entry["response"] = json!({"auth": svc.auth});
        }
    });
    let policies = [
        ("policies/default.hcl", default()),
        ("policies/app.hcl", stanza("team1/kv/*", &["read"])),
        ("namespaces/team1/policies/app.hcl", stanza("kv/*", &["read"])),
        ("namespaces/team1/policies/adm.hcl", stanza("auth/token/*", &["update"])),
        ("namespaces/team1/policies/default.hcl", default()),
    ];
    let given = Given::new(&log, &policies).settings("[foresight]\nhorizon = 0\n");
    let changed: Vec<String> = given.changes().into_keys().filter(|key| key.ends_with("app")).collect();
    assert_eq!(changed, [""; 0]);
}

#[test]
fn a_new_role_is_not_called_as_a_policy_that_could_not_be_read() {
    let tokens: Vec<Token> = (1..=4)
        .map(|n| Token::new(&format!("e-{n}"), "approle", &[&format!("p{n}"), "default"]))
        .collect();
    let log = tokens.iter().zip(1..).fold(Log::default(), |log, (token, n)| {
        log.asks(token.granted(&format!("p{n}"), ROOT), "read", "kv/shared/a", ROOT)
    });
    let texts: Vec<(String, String)> = (1..=4)
        .map(|n| (format!("p{n}.hcl"), stanza("kv/shared/*", &["read", "delete"])))
        .collect();
    let mut policies: Vec<(&str, String)> = texts.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    policies.push(("default.hcl", default()));
    let made = |broken: &[String]| -> Vec<String> {
        let files = broken.iter().map(|name| (name.as_str(), "path \"x".to_owned()));
        let policies: Vec<(&str, String)> = policies.iter().cloned().chain(files).collect();
        let given = Given::new(&log.text(), &policies).settings("[foresight]\nhorizon = 0\n");
        let changes = given.changes().into_iter();
        let made = changes.filter(|(_, change)| change == "add");
        made.filter_map(|(of, _)| Some(of.strip_prefix("redesign ")?.trim().to_owned()))
            .collect()
    };
    let first = made(&[]);
    assert!(!first.is_empty());
    let broken: Vec<String> = first.iter().map(|name| format!("{name}.hcl")).collect();
    let second = made(&broken);
    assert!(
        !second.is_empty() && second.iter().all(|name| !first.contains(name)),
        "{first:?} {second:?}"
    );
}

#[test]
fn what_one_of_two_logins_by_a_role_uses_stays_with_the_role() {
    let paths = [
        "kw/0/x", "kw/1/x", "kw/2/x", "kw/3/x", "kw/4/x", "kw/5/x", "kw/6/x", "kw/7/x",
    ];
    let role = json!({"role_name": "web"});
    let known = Token::new("e-1", "approle", &["p1", "p2", "default"]).with("metadata", role.clone());
    // The same workload, where a device leaves the entity out.
    let unknown = Token::new("", "approle", &["p1", "p2", "default"]).with("metadata", role);
    let log = Log::default()
        .asks(known.granted("p1", ROOT), "read", "kv/a", ROOT)
        .asks(unknown.granted("p1", ROOT), "read", "kv/a", ROOT)
        .asks(json!({}), "update", "auth/approle/login", ROOT);
    let asked = paths.into_iter();
    let log = asked.fold(log, |log, path| {
        log.asks(unknown.granted("p2", ROOT), "read", path, ROOT)
    });
    let log = every(&log, |entry| {
        if entry["type"] == "response" && entry["request"]["path"] == "auth/approle/login" {
            entry["response"] = json!({"auth": known.auth});
        }
    });
    let policies = [
        ("p1.hcl", stanza("kv/*", &["read"])),
        (
            "p2.hcl",
            (0..8).map(|n| stanza(&format!("kw/{n}/*"), &["read"])).collect(),
        ),
        ("default.hcl", default()),
    ];
    let given = Given::new(&log, &policies).settings("[foresight]\nhorizon = 0\n");
    deployed_with(&given, &[], &json!([]));
    let folder = given.folder.path().join("deployment.json");
    let roles = json!([approle("web", &["p1", "p2"])]).to_string();
    fs::write(folder.join("roles.json"), roles).unwrap();
    let (output, advice) = given.run();
    assert!(output.status.success());
    let proposals = advice["proposals"].as_array().unwrap();
    let redesign = proposals.iter().find(|p| p["kind"] == "redesign");
    let texts = |name: &str| {
        let policies = redesign.unwrap()["policies"].as_array().unwrap();
        let policy = policies.iter().find(|p| p["name"] == name);
        policy.and_then(|p| p["text"].as_str()).unwrap_or_default().to_owned()
    };
    let lists = redesign.map_or(Vec::new(), |r| r["assignments"].as_array().unwrap().clone());
    let web = lists.iter().find(|a| a["name"] == "web");
    let given: Vec<String> = match web {
        Some(list) => list["after"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n.as_str().unwrap().to_owned())
            .collect(),
        None => vec!["p1".to_owned(), "p2".to_owned()],
    };
    for path in ["kv/", "kw/"] {
        assert!(
            redesign.is_none() || given.iter().any(|name| texts(name).contains(path)),
            "{path} {lists:?}"
        );
    }
    assert!(lists.iter().all(|list| list["kind"] != "token"), "{lists:?}");
}

#[test]
fn what_tokens_did_that_nobody_is_named_for_may_be_what_any_holder_did() {
    let ann = Token::new("e-1", "userpass-ann", &["a", "b", "default"]);
    let bob = Token::new("e-2", "userpass-bob", &["b", "c", "default"]);
    let of_ann = |other: Token| {
        let log = Log::default()
            .asks(ann.auth.clone(), "read", "kv/a/x", ROOT)
            .asks(bob.auth.clone(), "read", "kv/b/x", ROOT)
            .asks(other.auth, "read", "kv/b/y", ROOT);
        let policies = [
            ("a.hcl", stanza("kv/a/*", &["read"])),
            ("b.hcl", stanza("kv/b/*", &["read"])),
            ("c.hcl", stanza("kv/c/*", &["read"])),
            ("default.hcl", default()),
        ];
        let (output, advice) = Given::new(&log.text(), &policies).run();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let redesign = &advice["proposals"][1];
        assert_eq!(redesign["kind"], "redesign");
        let moved = redesign["assignments"].as_array().unwrap();
        let moved = moved.iter().find(|one| one["id"].as_str().unwrap().contains("e-1"));
        moved.map(|one| one["after"].to_string())
    };
    let carl = Token::new("e-3", "userpass-carl", &["b", "c", "default"]);
    let narrowed = of_ann(carl).unwrap();
    assert!(!narrowed.contains("\"b\""), "ann never used it: {narrowed}");
    // Who is known by its accessor alone is one token of somebody.
    let mut nobody = Token::new("", "", &["b", "c", "default"]);
    for key in ["display_name", "accessor"] {
        nobody.auth.as_object_mut().unwrap().remove(key);
        let auth = nobody.auth.clone();
        assert_eq!(of_ann(Token { auth }), None);
    }
}

/// How many lists a redesign changes where nothing but the log tells who there is.
fn moved(log: &str) -> usize {
    let policies = [
        ("a.hcl", stanza("kv/a/*", &["read"])),
        ("b.hcl", stanza("kv/b/*", &["read"])),
        ("default.hcl", default()),
    ];
    let (output, advice) = Given::new(log, &policies).run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let redesign = advice["proposals"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["kind"] == "redesign");
    let moved = redesign.map(|redesign| redesign["assignments"].as_array().unwrap().len());
    moved.unwrap_or_default()
}

#[test]
fn whom_the_log_names_in_two_ways_keeps_what_was_done_under_both_names() {
    let metadata = serde_json::json!({ "role_name": "job" });
    let job = Token::new("", "approle", &["a", "b", "default"]).with("metadata", metadata.clone());
    let pay = Token::new("e-1", "kubernetes-x-pay", &["a", "b", "default"]);
    let lacking = |token: &Token, key: &str| {
        let mut auth = token.auth.clone();
        auth.as_object_mut().unwrap().remove(key);
        auth
    };
    let asked = |first: Value, second: Value| {
        let log = Log::default()
            .asks(first, "read", "kv/a/x", ROOT)
            .asks(second, "read", "kv/b/x", ROOT);
        log.text()
    };
    // Somebody else is somebody else.
    let web =
        Token::new("", "approle", &["a", "b", "default"]).with("metadata", serde_json::json!({ "role_name": "web" }));
    let app = Token::new("e-2", "kubernetes-x-app", &["a", "b", "default"]);
    let others = [asked(job.auth.clone(), web.auth), asked(pay.auth.clone(), app.auth)];
    assert_eq!(others.map(|log| moved(&log)), [2, 2]);
    for (whole, lacks) in [(&job, lacking(&job, "metadata")), (&pay, lacking(&pay, "entity_id"))] {
        assert_eq!(moved(&asked(whole.auth.clone(), lacks.clone())), 0, "{lacks}");
    }
    // Made anew, by the next login: from then on nothing is seen of the one that was.
    let anew = Token::new("e-9", "kubernetes-x-pay", &["a", "b", "default"]);
    let both = asked(pay.auth, anew.auth);
    assert_eq!(moved(&both), 2);
    let is_late = |line: &&str| ["2026-05", "2026-06"].iter().any(|month| line.contains(month));
    let then = both.lines().filter(|line| line.contains("\"e-9\"") == is_late(line));
    let then: String = then.map(|line| format!("{line}\n")).collect();
    assert!(then.contains("\"e-1\"") && then.contains("\"e-9\""));
    assert_eq!(moved(&then), 0);
}

#[test]
fn an_entity_that_logs_in_by_several_roles_keeps_its_lists_where_nothing_tells_which_gives_what() {
    let by = |display: &str, user: &str, policies: &[&str]| {
        let name = serde_json::json!({ "role": user });
        Token::new("e-1", display, policies).with("metadata", name).auth
    };
    let asked = |first: &Value, second: &Value| {
        let log = Log::default().asks(first.clone(), "read", "kv/a/x", ROOT);
        log.asks(second.clone(), "read", "kv/b/x", ROOT).text()
    };
    let all = ["a", "b", "default"];
    let jwt = by("jwt-bob", "dev", &all);
    assert_eq!(moved(&asked(&jwt, &jwt)), 1);
    // Other roles, and other mounts of one type; with one list, or with two.
    for second in [
        by("jwt-bob", "ops", &all),
        by("userpass-bob", "bob", &["b", "default"]),
        by("jwt2-bob", "dev", &all),
    ] {
        assert_eq!(moved(&asked(&jwt, &second)), 0, "{second}");
    }
}

#[test]
fn a_child_token_with_what_a_login_gives_too_is_told_by_itself() {
    let people = ["ann", "bob", "cleo", "dora", "emil"];
    let mounts = ["kv", "apps", "team", "infra", "secret"];
    // Of the two that a member of the group may have, the one was made with another token and names its policy itself.
    let with = |display_name: &str| {
        let paths = [
            ["kv/ann/0", "kv/ann/1"],
            ["apps/bob/0", "apps/bob/1"],
            ["team/cleo/0", "team/cleo/1"],
            ["infra/dora/0", "infra/dora/1"],
            ["secret/emil/0", "secret/emil/1"],
        ];
        let mut log = Log::default();
        for (name, paths) in people.into_iter().zip(paths) {
            let called = format!("userpass-{name}");
            let called = if name == "ann" { display_name } else { &called };
            let token = Token::new(&format!("e-{name}"), called, &["audit"]);
            let token = if called.starts_with("token") {
                token
            } else {
                token
                    .with("metadata", json!({"username": name}))
                    .with("token_policies", json!([]))
            };
            for path in paths {
                log = log.asks(token.granted("audit", ROOT), "read", path, ROOT);
            }
        }
        let text: String = mounts
            .iter()
            .map(|mount| stanza(&format!("{mount}/*"), &["read", "list", "create", "update", "delete"]))
            .collect();
        let given = Given::new(&log.text(), &[("audit.hcl", text)]).settings("[foresight]\nhorizon = 0\n");
        let group = json!({"id": "g1", "name": "aud", "policies": ["audit"],
            "member_entities": people.map(|name| format!("e-{name}"))});
        deployed_with(&given, &[], &json!([group]));
        let folder = given.folder.path().join("deployment.json");
        let user = |name| json!({"namespace": "", "mount": "auth/userpass/", "kind": "userpass", "item": "user", "name": name, "policies": [], "no_default_policy": true});
        let alias = |name| json!({"id": format!("a-{name}"), "name": name, "mount_accessor": "up"});
        let entity = |name| json!({"id": format!("e-{name}"), "name": name, "aliases": [alias(name)]});
        for (file, records) in [
            ("roles.json", json!(people.map(user))),
            ("entities.json", json!(people.map(entity))),
            (
                "auth.json",
                json!([{"namespace": "", "path": "auth/userpass/", "kind": "userpass", "accessor": "up", "kv_version": null, "description": ""}]),
            ),
        ] {
            fs::write(folder.join(file), records.to_string()).unwrap();
        }
        let (output, advice) = given.run();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let proposals = advice["proposals"].as_array().unwrap();
        let redesign = proposals.iter().find(|p| p["kind"] == "redesign");
        let lists = redesign.map_or(Vec::new(), |r| r["assignments"].as_array().unwrap().clone());
        let of_ann = |list: &&Value| list["name"].as_str().is_some_and(|name| name.contains("ann"));
        let kinds = lists
            .iter()
            .filter(of_ann)
            .map(|list| list["kind"].as_str().unwrap().to_owned());
        (lists.len(), kinds.collect::<Vec<_>>())
    };
    let (lists, of_login) = with("userpass-ann");
    assert!(lists > 0 && of_login.iter().all(|kind| kind != "token"), "{of_login:?}");
    let (lists, of_child) = with("token-ann");
    assert!(
        lists == 0 || of_child.iter().any(|kind| kind == "token"),
        "{of_child:?}"
    );
}
