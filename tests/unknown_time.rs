//! What is not known of time and of who was there is not touched: who got a policy of late, who is seen only where no policy is
//! needed, what began when, and logs that are passed over.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

#[path = "common/given.rs"]
mod given;

use given::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;

/// The past alone, so that nothing but time holds back what is unused.
const PAST_ALONE: &str = "[evidence]\nchanged_days = 30\n[foresight]\nhorizon = 0\n";

/// What becomes of a policy in each proposal; nothing where it stays.
fn fate(given: &Given, name: &str) -> Vec<String> {
    let changes = given.changes().into_iter();
    changes
        .filter(|(of, _)| of.ends_with(&format!(" {name}")))
        .map(|(of, change)| format!("{of}: {change}"))
        .collect()
}

/// The log with other lists on its last days.
fn lately(log: &Log, days: usize, change: impl Fn(&mut Value)) -> String {
    every(log, |entry| {
        let day: usize = entry["request"]["id"]
            .as_str()
            .unwrap()
            .split('-')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        if day >= DAYS - days {
            change(entry);
        }
    })
}

fn app_and_db() -> [(&'static str, String); 3] {
    [
        ("app.hcl", stanza("kv/*", &["read"]) + &stanza("old/*", &["read"])),
        ("db.hcl", stanza("database/creds/x", &["read"])),
        ("default.hcl", default()),
    ]
}

#[test]
fn what_nobody_had_before_nobody_could_use() {
    let app = Token::new("e-1", "approle", &["app", "default"]);
    let log = Log::default().asks(app.granted("app", ROOT), "read", "kv/a", ROOT);
    let with_db = |entry: &mut Value| {
        for list in ["policies", "token_policies"] {
            entry["auth"][list] = json!(["app", "db", "default"]);
        }
    };
    for (days, stays) in [(3, true), (60, false), (DAYS, false)] {
        let given = Given::new(&lately(&log, days, with_db), &app_and_db()).settings(PAST_ALONE);
        assert_eq!(fate(&given, "db").is_empty(), stays, "{days}");
        // What was always there is judged as ever.
        assert!(!fate(&given, "app").is_empty());
    }
    // By default as well, where the future is asked.
    let given = Given::new(&lately(&log, 3, with_db), &app_and_db());
    assert_eq!(fate(&given, "db"), [""; 0]);
}

#[test]
fn what_somebody_got_lately_is_new_to_them_whoever_had_it_before() {
    let (old, app) = (
        Token::new("e-1", "approle", &["db", "default"]),
        Token::new("e-7", "approle", &["app", "default"]),
    );
    let log = Log::default()
        .asks(old.granted("db", ROOT), "read", "database/creds/x", ROOT)
        .asks(app.granted("app", ROOT), "read", "kv/a", ROOT);
    let policies = [
        ("app.hcl", stanza("kv/a", &["read"])),
        (
            "db.hcl",
            stanza("database/creds/x", &["read"]) + &stanza("database/creds/y", &["read"]),
        ),
        ("default.hcl", default()),
    ];
    let with_db = |entry: &mut Value| {
        if entry["auth"]["entity_id"] == "e-7" {
            for list in ["policies", "token_policies"] {
                entry["auth"][list] = json!(["app", "db", "default"]);
            }
        }
    };
    let assigned = |advice: &Value| -> Vec<Value> {
        let given = advice["proposals"][1]["assignments"].as_array().unwrap().iter();
        given.map(|one| one["after"].clone()).collect()
    };
    for (days, stays) in [(3, true), (60, false)] {
        let given = Given::new(&lately(&log, days, with_db), &policies).settings(PAST_ALONE);
        assert_eq!(fate(&given, "db").is_empty(), stays, "{days}");
        let (_, advice) = given.run();
        assert_eq!(assigned(&advice).is_empty(), stays, "{advice}");
    }
    // Somebody who is new altogether.
    let without = |days: usize| -> String {
        let text = lately(&log, days, |entry| entry["kept"] = json!(true));
        let is_there = |line: &&str| !line.contains("\"e-7\"") || line.contains("\"kept\"");
        text.lines()
            .filter(is_there)
            .map(|line| line.to_owned() + "\n")
            .collect()
    };
    let both = |text: &str| text.replace("[\"app\",\"default\"]", "[\"app\",\"db\",\"default\"]");
    for (days, stays) in [(3, true), (60, false)] {
        let given = Given::new(&both(&without(days)), &policies).settings(PAST_ALONE);
        assert_eq!(fate(&given, "db").is_empty(), stays, "{days}");
    }
    // It logged in, and asked for nothing yet; or nothing says when it came.
    let login = |change: &dyn Fn(&mut Value)| -> String {
        let text = both(&without(1));
        let lines = text.lines().filter(|line| line.contains("\"e-7\""));
        let logins = lines.map(|line| {
            let mut entry: Value = serde_json::from_str(line).unwrap();
            if entry["type"] == "response" {
                entry["response"] = json!({"auth": entry["auth"]});
            }
            entry["auth"] = json!({});
            entry["request"]["path"] = json!("auth/approle/login");
            entry["request"]["operation"] = json!("update");
            change(&mut entry);
            entry.to_string() + "\n"
        });
        without(0) + &logins.collect::<String>()
    };
    let old_alone = without(0);
    assert!(!fate(&Given::new(&old_alone, &policies).settings(PAST_ALONE), "db").is_empty());
    for text in [
        login(&|_| ()),
        both(&without(1))
            .lines()
            .map(|line| {
                let mut entry: Value = serde_json::from_str(line).unwrap();
                if entry["auth"]["entity_id"] == "e-7" {
                    entry.as_object_mut().unwrap().remove("time");
                }
                entry.to_string() + "\n"
            })
            .collect(),
    ] {
        let given = Given::new(&text, &policies).settings(PAST_ALONE);
        assert_eq!(fate(&given, "db"), [""; 0], "{}", text.lines().last().unwrap());
    }
    // The deployment gives it, and no entry shows it yet.
    let given = Given::new(&log.text(), &policies).settings(PAST_ALONE);
    deployed(&given, &[]);
    let entities = json!([
        {"id": "e-1", "name": "old", "policies": ["db"]},
        {"id": "e-7", "name": "app", "policies": ["app", "db"]},
    ]);
    fs::write(
        given.folder.path().join("deployment.json/entities.json"),
        entities.to_string(),
    )
    .unwrap();
    assert_eq!(fate(&given, "db"), [""; 0]);
}

#[test]
fn a_role_written_of_late_gives_of_late() {
    let (old, adm) = (
        Token::new("e-1", "approle", &["db", "default"]),
        Token::new("e-2", "userpass-adm", &["adm", "default"]),
    );
    let log = Log::default().asks(old.granted("db", ROOT), "read", "kv/a", ROOT).asks(
        adm.granted("adm", ROOT),
        "update",
        "sys/tools/hash",
        ROOT,
    );
    let policies = [
        ("db.hcl", stanza("kv/a", &["read"]) + &stanza("kv/b", &["read"])),
        ("adm.hcl", stanza("*", &["update", "sudo"])),
        ("default.hcl", default()),
    ];
    for (days, path, stays) in [
        (3, "auth/approle/role/b", true),
        (60, "auth/approle/role/b", false),
        (3, "auth/approle/role/other", false),
        (3, "auth/approle/role/b/secret-id", false),
    ] {
        let written = every(&log, |entry| {
            if entry["request"]["id"] == json!(format!("{}-1", DAYS - days)) {
                entry["request"]["path"] = json!(path);
            }
        });
        let given = Given::new(&written, &policies).settings(PAST_ALONE);
        deployed(&given, &[approle("b", &["db"]), approle("other", &["adm"])]);
        assert_eq!(fate(&given, "db").is_empty(), stays, "{days} {path}");
    }
}

#[test]
fn what_one_token_did_says_nothing_of_another_of_its_name() {
    let (busy, spare) = (
        Token::new("", "token", &["a", "default"]),
        Token::new("", "token", &["b", "default"]),
    );
    let open = |path: &str| {
        let once = Log::default().asks(spare.auth.clone(), "read", "kv/b", ROOT).text();
        let mut entries = once
            .lines()
            .take(2)
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let entries = entries.by_ref().map(|mut entry| {
            entry["request"]["path"] = json!(path);
            entry.to_string() + "\n"
        });
        entries.collect::<String>()
    };
    let log = Log::default()
        .asks(busy.granted("a", ROOT), "read", "kv/a", ROOT)
        .text();
    let policies = [
        ("a.hcl", stanza("kv/a", &["read", "update"])),
        ("b.hcl", stanza("kv/b", &["read", "update"])),
        ("default.hcl", default()),
    ];
    let settings = "[evidence]\ndormant_days = 300\n[foresight]\nhorizon = 0\n";
    for path in ["sys/health", "sys/internal/ui/mounts/kv"] {
        let given = Given::new(&(log.clone() + &open(path)), &policies).settings(settings);
        assert_eq!(
            (fate(&given, "a").is_empty(), fate(&given, "b").len()),
            (false, 0),
            "{path}"
        );
    }
    // It was at work itself.
    let given = Given::new(&(log + &open("kv/b")), &policies).settings(settings);
    assert!(!fate(&given, "b").is_empty());
}

#[test]
fn what_was_made_lately_nobody_could_use_before() {
    let (app, adm) = (
        Token::new("e-1", "approle", &["app", "default"]),
        Token::new("e-2", "userpass-adm", &["adm", "default"]),
    );
    let log = Log::default()
        .asks(app.granted("app", ROOT), "read", "kv/a", ROOT)
        .asks(adm.granted("adm", ROOT), "update", "sys/tools/hash", ROOT);
    let touched = |mount_type: &str, operation: &str, path: &str, unused: &str| {
        let late = lately(&log, 3, |entry| {
            if entry["auth"]["entity_id"] == "e-2" {
                entry["request"]["path"] = json!(path);
                entry["request"]["operation"] = json!(operation);
                entry["request"]["mount_type"] = json!(mount_type);
            }
        });
        let policies = [
            ("app.hcl", stanza("kv/a", &["read"]) + &stanza(unused, &["read"])),
            (
                "adm.hcl",
                stanza("+/*", &["create", "update", "sudo"]) + &stanza("sys/*", &["create", "update", "sudo"]),
            ),
            ("default.hcl", default()),
        ];
        !fate(&Given::new(&late, &policies).settings(PAST_ALONE), "app").is_empty()
    };
    for (mount_type, operation, path, unused) in [
        ("database", "create", "database/roles/new", "database/creds/new"),
        ("database", "create", "database/roles/n-1", "database/creds/n-*"),
        ("transit", "update", "transit/keys/new", "transit/encrypt/new"),
        ("kv", "create", "secret/data/app/new", "secret/metadata/app/new"),
        ("kv", "create", "secret/data/app/new", "secret/data/app/new/*"),
        ("kv", "create", "secret/data/app/new", "secret/data/app/*"),
        ("kv", "create", "secret/new", "secret/new"),
        ("ns_system", "update", "sys/namespaces/team-x", "team-x/secret/data/a"),
    ] {
        assert!(!touched(mount_type, operation, path, unused), "{path} {unused}");
    }
    for (mount_type, operation, path, unused) in [
        ("database", "create", "database/roles/new", "database/creds/old"),
        ("kv", "create", "secret/data/app/new", "secret/data/app/old"),
        ("kv", "update", "secret/data/app/new", "secret/data/app/new"),
        // What is made anew was there before.
        ("kv", "create", "kv/a", "kv/a/*"),
    ] {
        assert!(touched(mount_type, operation, path, unused), "{path} {unused}");
    }
}

#[test]
fn who_is_only_refused_did_not_act() {
    let app = Token::new("e-1", "approle", &["app", "db", "default"]);
    let refused = |entry: &mut Value| {
        entry["auth"]["policy_results"] = json!({"allowed": false});
        entry["request"]["path"] = json!("other/a");
        entry["error"] = json!("1 error occurred:\n\t* permission denied\n\n");
    };
    let settings = "[evidence]\nchanged_days = 30\ndormant_days = 300\n[foresight]\nhorizon = 0\n";
    let log = Log::default().asks(app.granted("app", ROOT), "read", "kv/a", ROOT);
    for (log, stays) in [(log.text(), false), (every(&log, refused), true)] {
        let given = Given::new(&log, &app_and_db()).settings(settings);
        assert_eq!(fate(&given, "db").is_empty(), stays);
    }
}

#[test]
fn what_a_deployment_gives_and_no_entry_shows_is_new() {
    let app = Token::new("e-1", "app", &["app", "default"]);
    let log = Log::default().asks(app.granted("app", ROOT), "read", "kv/a", ROOT);
    for (own, of_group) in [(vec!["db"], vec![]), (vec![], vec!["db"])] {
        let given = Given::new(&log.text(), &app_and_db()).settings(PAST_ALONE);
        deployed(&given, &[]);
        let folder = given.folder.path().join("deployment.json");
        let entity = json!([{"id": "e-1", "name": "app", "policies": own}]);
        let group = json!([{"id": "g-1", "name": "g", "policies": of_group, "member_entities": ["e-1"]}]);
        fs::write(folder.join("entities.json"), entity.to_string()).unwrap();
        fs::write(folder.join("groups.json"), group.to_string()).unwrap();
        assert_eq!(fate(&given, "db"), [""; 0]);
        assert!(!fate(&given, "app").is_empty());
    }
}

#[test]
fn what_a_place_gives_is_as_old_as_its_last_write() {
    let (app, adm) = (
        Token::new("e-1", "approle", &["app", "default"]),
        Token::new("e-2", "userpass-adm", &["adm", "default"]),
    );
    let log = Log::default()
        .asks(app.granted("app", ROOT), "read", "kv/a", ROOT)
        .asks(adm.granted("adm", ROOT), "update", "sys/tools/hash", ROOT);
    let mut policies = app_and_db().to_vec();
    policies.push(("adm.hcl", stanza("sys/*", &["update"]) + &stanza("auth/*", &["update"])));
    let fate_of_db = |days: usize| {
        let written = every(&log, |entry| {
            if entry["request"]["id"] == json!(format!("{}-1", DAYS - days)) {
                entry["request"]["path"] = json!("auth/approle/role/b");
            }
        });
        let given = Given::new(&written, &policies).settings(PAST_ALONE);
        deployed(&given, &[approle("app", &["app"]), approle("b", &["db"])]);
        fate(&given, "db")
    };
    // Nobody logged in by it: so long is `dormant_days`.
    assert_eq!(fate_of_db(3), [""; 0]);
    assert!(!fate_of_db(110).is_empty());
}

#[test]
fn who_was_refused_yesterday_is_new_as_well() {
    let (app, ann) = (
        Token::new("e-1", "approle", &["app", "default"]),
        Token::new("e-7", "userpass-ann", &["db", "default"]),
    );
    let log = Log::default().asks(app.granted("app", ROOT), "read", "kv/a", ROOT);
    let mut text = log.text();
    let mut refused = ann.auth.clone();
    refused["policy_results"] = json!({"allowed": false});
    for kind in ["request", "response"] {
        let entry = json!({
            "time": "2026-06-28T07:00:00Z", "type": kind, "auth": refused, "error": "permission denied",
            "request": {"id": "ann", "operation": "read", "mount_type": "database", "namespace": {"id": "root"}, "path": "database/creds/y"},
        });
        text.push_str(&(entry.to_string() + "\n"));
    }
    let given = Given::new(&text, &app_and_db());
    assert_eq!(fate(&given, "db"), [""; 0]);
}

#[test]
fn who_shows_a_token_where_none_is_needed_holds_its_policies() {
    let (app, bob) = (
        Token::new("e-1", "approle", &["app", "default"]),
        Token::new("", "token-bob", &["db", "default"]),
    );
    for (operation, path) in [
        ("read", "sys/internal/ui/mounts/kv/x/y"),
        ("read", "sys/health"),
        ("help", "kv/x"),
        ("update", "sys/wrapping/lookup"),
    ] {
        let log = Log::default()
            .asks(app.granted("app", ROOT), "read", "kv/a", ROOT)
            .asks(bob.auth.clone(), operation, path, ROOT);
        let given = Given::new(&log.text(), &app_and_db());
        deployed(&given, &[approle("app", &["app"])]);
        let found = fate(&given, "db");
        assert!(!found.iter().any(|fate| fate.ends_with("delete")), "{path} {found:?}");
    }
    let log = Log::default().asks(app.granted("app", ROOT), "read", "kv/a", ROOT);
    let given = Given::new(&log.text(), &app_and_db());
    deployed(&given, &[approle("app", &["app"])]);
    assert_eq!(fate(&given, "db"), ["redesign db: delete", "tighten db: delete"]);
}

#[test]
fn a_response_that_tells_of_a_token_shows_who_holds_what() {
    let app = Token::new("e-1", "approle", &["app", "default"]);
    let bob = Token::new("e-9", "bob", &["db", "default"]);
    for path in [
        "sys/mfa/validate",
        "auth/saml/token",
        "auth/custom/v2/login/x",
        "auth/custom/exchange",
    ] {
        let log = Log::default()
            .asks(app.granted("app", ROOT), "read", "kv/a", ROOT)
            .asks(json!({}), "update", path, ROOT);
        let text = every(&log, |entry| {
            if entry["request"]["path"] == path && entry["type"] == "response" {
                entry["response"] = json!({"auth": bob.auth});
            }
        });
        let given = Given::new(&text, &app_and_db());
        deployed(&given, &[approle("app", &["app"])]);
        let found = fate(&given, "db");
        assert!(!found.iter().any(|fate| fate.ends_with("delete")), "{path} {found:?}");
    }
}

#[test]
fn a_mount_that_was_asked_for_keeps_a_grant_below_it() {
    let app = Token::new("e-1", "approle", &["app", "kv", "default"]);
    let policies = |kv: &str| {
        [
            ("app.hcl", stanza("secret/data/app/*", &["read"])),
            ("kv.hcl", stanza(kv, &["read"])),
            ("default.hcl", default()),
        ]
    };
    let log = |used: &'static str, question: &'static str| {
        Log::default()
            .asks(app.granted("app", ROOT), "read", used, ROOT)
            .asks(app.auth.clone(), "read", question, ROOT)
    };
    let run = |log: Log, kv: &str| {
        let given = Given::new(&log.text(), &policies(kv)).settings(PAST_ALONE);
        fate(&given, "kv")
    };
    let used = "secret/data/app/a";
    assert_eq!(run(log(used, "sys/internal/ui/mounts/kv/x/y"), "kv/data/x/*"), [""; 0]);
    assert_eq!(run(log(used, "sys/internal/ui/mounts/kv"), "kv/data/x/*"), [""; 0]);
    assert_eq!(
        run(log(used, "sys/internal/ui/mounts/team/kv/x"), "team/kv/data/*"),
        [""; 0]
    );
    // What is asked for lies in the mount that is used: another grant there may go.
    let own = "sys/internal/ui/mounts/secret/app/a";
    assert!(!run(log(used, own), "kv/data/x/*").is_empty());
    assert!(!run(log(used, own), "secret/data/old/*").is_empty());
}

/// Somebody who holds `db` and does not use it, and an operator who writes at a path.
fn app_and_ops(path: &'static str) -> Log {
    let (app, ops) = (
        Token::new("e-1", "approle", &["app", "db", "default"]),
        Token::new("e-2", "userpass-ops", &["ops", "default"]),
    );
    Log::default()
        .asks(app.granted("app", ROOT), "read", "kv/a", ROOT)
        .asks(ops.granted("ops", ROOT), "update", path, ROOT)
}

#[test]
fn another_storage_starts_the_clock_again() {
    let log = app_and_ops("sys/tools/hash");
    let policies = |path: &str| {
        let mut policies = app_and_db().to_vec();
        policies.push(("ops.hcl", stanza("sys/*", &["read", "update", "sudo"])));
        let mut entry: Value = serde_json::from_str(log.text().lines().last().unwrap()).unwrap();
        entry["time"] = json!("2026-06-28T09:00:00Z");
        entry["request"]["id"] = json!("late");
        entry["request"]["path"] = json!(path);
        let given = Given::new(&(log.text() + &entry.to_string() + "\n"), &policies).settings(PAST_ALONE);
        fate(&given, "db")
    };
    assert_eq!(policies("sys/storage/raft/snapshot-force"), [""; 0]);
    assert_eq!(policies("sys/storage/raft/snapshot"), [""; 0]);
    assert_eq!(policies("sys/replication/performance/secondary/enable"), [""; 0]);
    assert_eq!(policies("sys/raw/core/cluster"), [""; 0]);
    assert!(!policies("sys/tools/random").is_empty());
}

#[test]
fn a_silence_is_no_watching() {
    let log = app_and_ops("sys/policies/acl/other");
    let mut policies = app_and_db().to_vec();
    policies.push(("ops.hcl", stanza("sys/*", &["update", "sudo"])));
    // The policy is written three days before the end; then nothing, and one more entry after fifty days.
    let written = lately(&log, 3, |entry| {
        let id = entry["request"]["id"].as_str().unwrap();
        if id.ends_with("-1") && id.starts_with("117-") {
            entry["request"]["path"] = json!("sys/policies/acl/db");
        }
    });
    let mut late: Value = serde_json::from_str(written.lines().next().unwrap()).unwrap();
    late["time"] = json!("2026-08-17T08:00:00Z");
    late["request"]["id"] = json!("late");
    let settings = "[evidence]\nchanged_days = 30\nmin_health = 0.1\n[foresight]\nhorizon = 0\n";
    let given = Given::new(&(written + &late.to_string() + "\n"), &policies).settings(settings);
    assert_eq!(fate(&given, "db"), [""; 0]);
}

#[test]
fn who_forwards_requests_is_no_witness() {
    let app = Token::new("e-1", "approle", &["app", "default"]);
    let log = Log::default().asks(app.granted("app", ROOT), "read", "kv/a", ROOT);
    let policies = app_and_db();
    let fate_of_db = |dormant: usize, change: &dyn Fn(&mut Value)| {
        let settings = format!("[evidence]\ndormant_days = {dormant}\n[foresight]\nhorizon = 0\n");
        let given = Given::new(&every(&log, change), &policies).settings(&settings);
        deployed(&given, &[approle("app", &["app"]), approle("b", &["db"])]);
        fate(&given, "db")
    };
    let forwarded = |entry: &mut Value| {
        let day: usize = entry["request"]["id"]
            .as_str()
            .unwrap()
            .split('-')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        entry["forwarded_from"] = json!(format!("10.0.0.{}:8201", day % 2));
    };
    assert!(!fate_of_db(DAYS - 20, &forwarded).is_empty());
    assert_eq!(fate_of_db(DAYS + 10, &forwarded), [""; 0]);
}

#[test]
fn no_log_is_passed_over() {
    let (log, policies) = two();
    let whole = log.text();
    let (rest, update): (String, String) = whole
        .lines()
        .map(|line| line.to_owned() + "\n")
        .partition(|line| !line.contains("\"update\""));
    type Write = fn(&Given, &[u8]);
    let further: [(&str, Write); 4] = [
        ("*", |given, log| {
            fs::create_dir(given.folder.path().join("logs/node1")).unwrap();
            fs::write(given.folder.path().join("logs/node1/audit.log"), log).unwrap();
        }),
        ("", |given, log| {
            fs::write(given.folder.path().join("logs/.audit.log.1"), log).unwrap();
        }),
        ("", |given, log| {
            // A frame that is to be skipped comes first.
            let mut stored = vec![0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
            stored.extend(zstd::encode_all(log, 3).unwrap());
            fs::write(given.folder.path().join("logs/b.log.zst"), stored).unwrap();
        }),
        ("", |given, log| {
            // Nothing of it can be read: it may be anything.
            let hidden: Vec<u8> = log.iter().map(|c| c ^ 0x35).collect();
            fs::write(given.folder.path().join("logs/b.log"), hidden).unwrap();
        }),
    ];
    for (number, (pattern, write)) in further.into_iter().enumerate() {
        let given = Given::new("", &policies);
        fs::create_dir(given.folder.path().join("logs")).unwrap();
        fs::write(given.folder.path().join("logs/audit.log"), &rest).unwrap();
        write(&given, update.as_bytes());
        fs::remove_file(given.folder.path().join("audit.log")).unwrap();
        let logs = Some(format!("{}/{pattern}", given.folder.path().join("logs").display()));
        let kept = left(&Given { logs, ..given }, "web");
        assert!(kept.iter().all(|text| text.contains("update")), "{number}: {kept:?}");
    }
}

#[test]
fn what_is_unread_beside_text_is_said() {
    let (log, policies) = two();
    let given = Given::new(&(log.text() + "\u{1}\u{2}\u{0}\u{0}\u{0}\u{0}\n"), &policies);
    assert_eq!(given.changes(), BTreeMap::new());
}

#[test]
fn an_entry_of_which_nothing_is_left_is_of_anybody() {
    let (log, policies) = two();
    let bare = |entry: &mut Value| {
        *entry = json!({"time": entry["time"], "type": entry["type"]});
    };
    let masked = |entry: &mut Value| {
        *entry = json!({"time": entry["time"], "type": entry["type"], "host": "a", "auth": "[REDACTED]", "request": "[REDACTED]"});
    };
    let wrapped = |change: &dyn Fn(&mut Value)| -> String {
        let text = changed(&log, 1, change);
        let lines = text.lines().map(|line| {
            let entry: Value = serde_json::from_str(line).unwrap();
            let text = if entry["gone"].is_null() {
                json!(line)
            } else {
                entry["gone"].clone()
            };
            let mut record = json!({"@timestamp": "x", "host": {"name": "n"}, "message": text});
            let members = record.as_object_mut().unwrap();
            match text.as_str() {
                Some("no text") => {
                    members.remove("message");
                }
                Some("another program's") => {
                    members.insert("level".into(), json!("info"));
                    members.remove("message");
                }
                _ => {}
            }
            record.to_string() + "\n"
        });
        lines.collect()
    };
    let gone = |text: &str| wrapped(&|entry| *entry = json!({"gone": text}));
    let started = "==> Vault server started";
    let others = |entry: &mut Value| {
        *entry = json!({"time": entry["time"], "type": entry["type"], "method": "GET", "url": "/"});
    };
    let whole = Given::new(&log.text(), &policies);
    for (text, stays) in [
        (changed(&log, 1, bare), true),
        (changed(&log, 1, masked), true),
        (gone("[REDACTED]"), true),
        (gone("-"), true),
        (gone("message too large, dropped"), true),
        (wrapped(&|entry| *entry = json!({"gone": {}})), true),
        (gone(started), false),
        // A record without a text where all others hold an entry held one; where a server's own lines stand too, it may be one of these.
        (gone(""), true),
        (gone("no text"), true),
        (gone("another program's"), false),
        (gone(started) + &gone("2 old files removed"), false),
        (gone(started) + &gone(""), false),
        // Lines of somebody else's beside the log are nothing.
        (log.text() + &changed(&log, 1, others), false),
    ] {
        let given = Given::new(&text, &policies);
        assert_eq!(
            given.changes() == BTreeMap::new(),
            stays,
            "{}",
            text.lines().last().unwrap()
        );
    }
    assert!(!whole.changes().is_empty());
}

#[test]
fn what_has_nothing_but_what_entries_have_is_left_of_one_where_entries_stand() {
    let (log, policies) = two();
    let whole = log.text();
    let rare = |change: &dyn Fn(&Value) -> String| -> String {
        let lines = whole.lines().map(|line| {
            let entry: Value = serde_json::from_str(line).unwrap();
            if entry["request"]["operation"] == "update" {
                change(&entry) + "\n"
            } else {
                line.to_owned() + "\n"
            }
        });
        lines.collect()
    };
    let stays = |text: &str| Given::new(text, &policies).changes() == BTreeMap::new();
    assert!(!stays(&rare(&|_| String::new())));
    for change in [
        &(|_: &Value| "{}".to_owned()) as &dyn Fn(&Value) -> String,
        &|_| "null".to_owned(),
        &|_| "[]".to_owned(),
        &|entry| json!({"time": entry["time"]}).to_string(),
        &|entry| json!({"time": entry["time"], "auth": {}, "request": {"id": entry["request"]["id"]}}).to_string(),
        &|_| "2026-06-01T00:00:00Z vault: message too long, dropped".to_owned(),
        &|_| "[REDACTED]".to_owned(),
    ] {
        let text = rare(change);
        assert!(stays(&text), "{text}");
        // Before the first entry as well.
        let left = |line: &&str| !line.contains("\"request\":{\"") || line.contains("\"auth\":{}");
        let (left, entries): (Vec<&str>, Vec<&str>) = text.lines().partition(left);
        if left[0].starts_with(['{', 'n']) {
            assert!(stays(&[left, entries].concat().join("\n")), "{text}");
        }
    }
    // Behind the header of whoever wrote the others; and of somebody else, where no entry stands.
    let behind = |header: &str, line: &str| format!("{header}{line}\n");
    let text: String = rare(&|_| "{}".to_owned())
        .lines()
        .map(|line| behind("<34>Oct 11 22:14:15 node vault[1]: ", line))
        .collect();
    assert!(stays(&text));
    for line in [
        "cron: {}",
        r#"{"time":"2026-05-02T10:00:00Z","level":"info","msg":"x"}"#,
        r#"{"@level":"info","@message":"event dropped","@timestamp":"2026-05-02T10:00:00.000000Z"}"#,
        "2026-05-02T10:00:00.000Z [INFO]  core: vault is unsealed",
        "==> Vault server started! Log data will stream in below:",
        "",
    ] {
        assert!(!stays(&(whole.clone() + line + "\n")), "{line}");
    }
}

#[test]
fn what_is_written_by_a_name_in_its_body_may_be_new() {
    let (ci, adm) = (
        Token::new("e-1", "approle", &["ci", "default"]),
        Token::new("e-2", "userpass-adm", &["adm", "default"]),
    );
    let log = Log::default().asks(ci.granted("ci", ROOT), "read", "kv/a", ROOT).asks(
        adm.granted("adm", ROOT),
        "update",
        "sys/tools/hash",
        ROOT,
    );
    let mut policies = ci_and_old().to_vec();
    policies.push(("adm.hcl", stanza("*", &["update"])));
    let start: jiff::Timestamp = "2026-03-01T08:01:00Z".parse().unwrap();
    let day = |day: usize| start + jiff::SignedDuration::from_hours(24 * i64::try_from(day).unwrap());
    let (before, at) = (day(DAYS - 6), day(DAYS - 5));
    for (path, group, stays) in [
        ("identity/group", None, true),
        ("identity/group", Some(before), true),
        // A deployment with a group that was written no earlier has this one too, as far as it can be read.
        ("identity/group", Some(at), false),
        ("identity/entity", Some(at), true),
        ("sys/tools/random", None, false),
    ] {
        let written = every(&log, |entry| {
            if entry["request"]["id"] == json!(format!("{}-1", DAYS - 5)) {
                entry["request"]["path"] = json!(path);
            }
        });
        let given = Given::new(&written, &policies);
        let groups = json!([{"namespace": "", "id": "g", "name": "g", "policies": [], "last_update_time": group}]);
        deployed_with(&given, &[], &groups);
        assert_eq!(fate(&given, "old").is_empty(), stays, "{path} {group:?}");
    }
}

#[test]
fn what_was_written_after_the_deployment_may_be_otherwise() {
    let (ci, adm) = (
        Token::new("e-1", "approle", &["ci", "default"]),
        Token::new("e-2", "userpass-adm", &["adm", "default"]),
    );
    let asked = Log::default().asks(ci.granted("ci", ROOT), "read", "kv/a", ROOT).asks(
        adm.granted("adm", ROOT),
        "update",
        "sys/tools/hash",
        ROOT,
    );
    let mut policies = ci_and_old().to_vec();
    policies.push(("adm.hcl", stanza("*", &["update"])));
    let groups = |day: &str| {
        let time = format!("2026-{day}T00:00:00Z");
        json!([{"namespace": "", "id": "g", "name": "g", "policies": [], "last_update_time": time}])
    };
    let stays = |path: &str, groups: &Value, taken: Option<&str>, settings: &str| {
        let written = every(&asked, |entry| {
            if entry["request"]["id"] == json!("115-1") {
                entry["request"]["path"] = json!(path);
            }
        });
        let given = Given::new(&written, &policies).settings(settings);
        deployed_with(&given, &[], groups);
        if let Some(taken) = taken {
            let mark = json!({"layout": 1, "product": null, "version": null, "taken": taken});
            fs::write(
                given.folder.path().join("deployment.json/snapshot.json"),
                mark.to_string(),
            )
            .unwrap();
        }
        fate(&given, "old").is_empty()
    };
    // Day 115 is the 24th of June; the logs end on the 28th.
    let (before, after) = ("2026-06-23T00:00:00Z", "2026-06-26T00:00:00Z");
    for (path, of_group) in [("auth/approle/role/ci", "06-01"), ("identity/group/name/g", "06-20")] {
        let groups = groups(of_group);
        assert!(stays(path, &groups, None, ""), "{path}");
        assert!(stays(path, &groups, Some(before), ""), "{path}");
        assert!(!stays(path, &groups, Some(after), ""), "{path}");
        let stated = format!("[evidence]\ndeployment_as_of = \"{after}\"\n");
        assert!(!stays(path, &groups, None, &stated), "{path}");
    }
    assert!(!stays("identity/group/name/g", &groups("06-25"), None, ""));
    assert!(stays("auth/approle/role/ci", &groups("06-25"), None, ""));
}

#[test]
fn the_policy_that_the_server_names_was_used() {
    let app = Token::new("e-1", "approle", &["app", "wide", "default"]);
    let policies = [
        ("app.hcl", stanza("kv/a", &["read"])),
        ("wide.hcl", stanza("kv/*", &["read"]) + &stanza("old/*", &["read"])),
        ("default.hcl", default()),
    ];
    let run = |log: Log| {
        let given = Given::new(&log.text(), &policies).settings(PAST_ALONE);
        ["app", "wide"].map(|name| left(&given, name)[0].clone())
    };
    // By the texts the exact path decides; the server says otherwise: its texts are others.
    let [own, wide] = run(Log::default().asks(app.granted("wide", ROOT), "read", "kv/a", ROOT));
    assert!(own.contains("kv/a") && wide.contains("kv/*"), "{own}{wide}");
    assert!(!wide.contains("old/*"), "{wide}");
    let [own, wide] = run(Log::default().asks(app.granted("app", ROOT), "read", "kv/a", ROOT));
    assert!(own.contains("kv/a") && !wide.contains("kv/*"), "{own}{wide}");
    // One that the list lacks, and of which no text is about the path, is another on the server.
    let unlisted = Token::new("e-1", "approle", &["app", "default"]);
    let [_, wide] = run(Log::default().asks(unlisted.granted("wide", ROOT), "read", "kv/a", ROOT));
    assert!(wide.contains("kv/*"), "{wide}");
    let elsewhere = [
        ("app.hcl", stanza("kv/a", &["read"])),
        ("x.hcl", stanza("other/*", &["read"])),
        ("default.hcl", default()),
    ];
    let log = Log::default().asks(unlisted.granted("x", ROOT), "read", "kv/a", ROOT);
    let given = Given::new(&log.text(), &elsewhere).settings(PAST_ALONE);
    assert!(left(&given, "x")[0].contains("other/*"));
}

#[test]
fn what_decides_a_list_on_another_version_is_used_where_nothing_says_which_it_is() {
    let app = Token::new("e-1", "approle", &["app", "default"]);
    let log = Log::default().asks(app.granted("app", ROOT), "list", "secret/metadata/app/", ROOT);
    let policies = [
        (
            "app.hcl",
            stanza("secret/metadata/*", &["list"])
                + &stanza("secret/metadata/+", &["list"])
                + &stanza("old/*", &["list"]),
        ),
        ("default.hcl", default()),
    ];
    let texts = |flags: &[&'static str]| {
        let texts = left(
            &Given::new(&log.text(), &policies).settings(PAST_ALONE).with(flags),
            "app",
        )
        .concat();
        assert!(!texts.contains("old/*"), "{texts}");
        texts
    };
    let (unknown, newest) = (texts(&[]), texts(&["--server", "vault-2.0.3"]));
    assert!(unknown.contains("secret/metadata/*"), "{unknown}");
    assert!(!newest.contains("secret/metadata/*"), "{newest}");
}

#[test]
fn who_writes_may_have_to_write_anew() {
    let app = Token::new("e-1", "approle", &["app", "default"]);
    let log = Log::default().asks(app.granted("app", ROOT), "update", "secret/data/a", ROOT);
    let policies = [
        ("app.hcl", stanza("secret/data/a", &["create", "read", "update"])),
        ("default.hcl", default()),
    ];
    // By default as by the past alone.
    for settings in ["", PAST_ALONE] {
        let texts = left(&Given::new(&log.text(), &policies).settings(settings), "app");
        assert!(texts.iter().all(|text| text.contains("create")), "{texts:?}");
    }
}

#[test]
fn what_the_log_says_is_lost_may_have_been_used() {
    let (log, policies) = two();
    let touched = |line: &str| !Given::new(&(log.text() + line + "\n"), &policies).changes().is_empty();
    for line in [
        "May 02 10:00:00 node-1 systemd-journald[312]: Suppressed 512 messages from vault.service",
        "2026-05-02T10:00:00Z node-1 rsyslogd: imuxsock lost 123 messages from pid 77 due to rate-limiting",
        "[... 120 lines omitted ...]",
        "May 02 10:00:00 node-1 kernel: audit: Missed 12 messages",
        "May 02 10:00:00 node-1 syslog-ng[99]: Destination queue full, dropping messages; queue_len=10000",
        "May 02 10:00:00 node-1 rsyslogd: imuxsock[pid 77]: begin to drop messages due to rate-limiting",
        "2026-05-02T10:00:00.000Z [ERROR] core: failed to audit response: request_path=kv/a error=\"no space left on device\"",
    ] {
        assert!(!touched(line), "{line}");
    }
    let records = |last: &str| {
        let text = log.text() + last;
        let lines = text
            .lines()
            .map(|line| json!({"MESSAGE": line, "_HOSTNAME": "a"}).to_string() + "\n");
        !Given::new(&lines.collect::<String>(), &policies).changes().is_empty()
    };
    assert!(!records("imjournal: 8102 messages lost due to rate-limiting"));
    assert!(records("==> Vault server started!"));
    for line in [
        "2026-05-02T10:00:00.000Z [WARN]  core: leadership lost, stopping active operation",
        "2026-05-02T10:00:00.000Z [INFO]  events: dropped 5 events",
        "May 02 10:00:00 node-1 backup[7]: context deadline lost after 30 s",
        "May 02 10:00:00 node-1 shipper[7]: 0 records dropped",
        "2026-05-02T10:00:00.000Z [INFO]  expiration: revoked lease: lease_id=auth/token/create/h1",
        "==> Vault server started! Log data will stream in below:",
    ] {
        assert!(touched(line), "{line}");
    }
}

#[test]
fn a_template_is_as_old_as_what_it_is_filled_from() {
    let (app, adm) = (
        Token::new("e-1", "approle", &["app", "default"]),
        Token::new("e-2", "userpass-adm", &["adm", "default"]),
    );
    let log = Log::default()
        .asks(app.granted("app", ROOT), "read", "kv/a", ROOT)
        .asks(adm.granted("adm", ROOT), "update", "sys/tools/hash", ROOT);
    let touched = |path: &str, template: &str| {
        let late = lately(&log, 3, |entry| {
            if entry["auth"]["entity_id"] == "e-2" {
                entry["request"]["path"] = json!(path);
            }
        });
        let policies = [
            ("app.hcl", stanza("kv/a", &["read"]) + &stanza(template, &["read"])),
            ("adm.hcl", stanza("*", &["update", "sudo"])),
            ("default.hcl", default()),
        ];
        !fate(&Given::new(&late, &policies).settings(PAST_ALONE), "app").is_empty()
    };
    let of_entity = "old/{{identity.entity.id}}/x";
    let of_group = "old/{{identity.groups.names.ops.metadata.x}}/x";
    for (path, template) in [
        ("identity/entity/id/e-1", of_entity),
        ("identity/entity", of_entity),
        ("identity/entity-alias/id/a-1", of_entity),
        ("identity/group/name/ops", of_group),
    ] {
        assert!(!touched(path, template), "{path} {template}");
    }
    for (path, template) in [
        ("identity/entity/id/e-2", of_entity),
        ("identity/group/name/ops", of_entity),
        ("identity/entity/id/e-1", "old/x"),
    ] {
        assert!(touched(path, template), "{path} {template}");
    }
}

#[test]
fn what_takes_over_when_a_stanza_expires_is_used() {
    let app = Token::new("e-1", "approle", &["app", "default"]);
    let log = Log::default().asks(app.granted("app", ROOT), "read", "kv/x", ROOT);
    let until = |time: &str| format!("path \"kv/x\" {{\n  capabilities = [\"read\"]\n  expiration = \"{time}\"\n}}\n");
    let kept = |exact: String| {
        let policies = [
            (
                "app.hcl",
                exact + &stanza("kv/*", &["read"]) + &stanza("old/*", &["read"]),
            ),
            ("default.hcl", default()),
        ];
        let given = Given::new(&log.text(), &policies).settings(PAST_ALONE);
        let given = given.with(&["--server", "openbao-2.6"]);
        let texts = left(&given, "app");
        assert!(texts.iter().all(|text| !text.contains("old/*")), "{texts:?}");
        texts.iter().all(|text| text.contains("kv/*"))
    };
    assert!(kept(until("2026-07-15T00:00:00Z")));
    assert!(!kept(stanza("kv/x", &["read"])));
}

#[test]
fn halves_without_the_other_tell_of_requests_of_which_nothing_is_left() {
    let (log, policies) = two();
    // Of each update both lines are lost, of the other requests now the one line and now the other.
    let lines = |keeps: &dyn Fn(usize, &Value) -> bool| -> String {
        let text = log.text();
        let kept = text.lines().enumerate().filter(|(n, line)| {
            let entry: Value = serde_json::from_str(line).unwrap();
            keeps(*n, &entry)
        });
        kept.map(|(_, line)| format!("{line}\n")).collect()
    };
    let touched = |log: &str| !Given::new(log, &policies).settings(PAST_ALONE).changes().is_empty();
    let not_updates = |entry: &Value| entry["request"]["operation"] != "update";
    assert!(!touched(&lines(&|n, entry| not_updates(entry) && n % 5 < 3)));
    // A device that writes the one kind alone, and a log that begins and ends within a request.
    assert!(touched(&lines(
        &|_, entry| not_updates(entry) && entry["type"] == "response"
    )));
    let whole = lines(&|_, entry| not_updates(entry));
    let (_, rest) = whole.split_once('\n').unwrap();
    let (rest, _) = rest.trim_end().rsplit_once('\n').unwrap();
    assert!(touched(&format!("{rest}\n")));
}
