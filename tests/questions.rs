//! `capabilities`, `diff-access` and `generate` from end to end, and by whose rules they and the others decide.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

use assert_cmd::Command;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;
use vault_advisor::policy::acl::{Acl, Request};
use vault_advisor::policy::model::Policy;
use vault_advisor::policy::profile::Profile;
use vault_advisor::policy::syntax;
use vault_advisor::policy::template::{Alias, Entity, Identity};
use vault_advisor::vault::{Operation, protected};

fn acme(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/acme").join(name);
    path.display().to_string()
}

/// Runs the program in a folder, where nobody's settings are.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::cargo_bin("vault-advisor")
        .unwrap()
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn told(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

#[track_caller]
fn document(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&told(folder, arguments)).unwrap()
}

/// The exit status and all that was said.
#[track_caller]
fn refused(folder: &Path, arguments: &[&str], words: &[&str]) -> Option<i32> {
    let output = run(folder, arguments);
    assert!(output.stdout.is_empty(), "{arguments:?}: {}", stdout(&output));
    let said = stderr(&output);
    for word in words {
        assert!(said.contains(word), "no `{word}` in {said}");
    }
    output.status.code()
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn ground(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    folder
}

const WEB: &str = "path \"secret/data/web/*\" { capabilities = [\"read\"] }\n\
                   path \"secret/data/web/admin/*\" { capabilities = [\"deny\"] }\n\
                   path \"secret/+/web/*\" { capabilities = [\"update\"] }\n\
                   path \"secret/data/web/*\" { capabilities = [\"list\"] }\n\
                   path \"secret/+/*\" { capabilities = [\"read\"] }\n\
                   path \"secret/+/+/*\" { capabilities = [\"read\"] }\n";
const OPS: &str = "path \"secret/data/web/*\" { capabilities = [\"read\", \"list\"] }\n\
                   path \"sys/seal\" {\n  capabilities = [\"update\", \"sudo\"]\n  max_wrapping_ttl = \"60s\"\n}\n\
                   path \"home/{{identity.entity.name}}/*\" { capabilities = [\"read\"] }\n";

/// An entry of an audit log.
struct Entry<'e> {
    who: &'e str,
    policies: &'e [&'e str],
    operation: &'e str,
    path: &'e str,
    day: &'e str,
}

impl Entry<'_> {
    fn line(&self, number: usize) -> String {
        let root = self.policies == ["root"];
        let auth = json!({
            "accessor": format!("hmac-sha256:{}", self.who),
            "display_name": "approle",
            "entity_id": if root { String::new() } else { format!("id-{}", self.who) },
            "metadata": {"role_name": self.who.split('-').next()},
            "policies": self.policies,
            "token_policies": self.policies,
            "token_type": "service",
        });
        let mount_type = match self.path.split('/').next() {
            Some("sys") => "system",
            Some("secret") => "kv",
            _ => "",
        };
        json!({
            "time": format!("{}T10:00:{:02}Z", self.day, number % 60),
            "type": "response",
            "auth": auth,
            "request": {
                "id": format!("r{number}"),
                "operation": self.operation,
                "path": self.path,
                "mount_type": mount_type,
                "mount_point": if mount_type == "kv" { "secret/" } else { "" },
                "namespace": {"id": "root"},
            },
            "response": {"mount_type": mount_type},
        })
        .to_string()
    }
}

fn log(entries: &[Entry<'_>]) -> String {
    let lines = entries.iter().enumerate().map(|(n, entry)| entry.line(n) + "\n");
    lines.collect()
}

fn reads<'e>(who: &'e str, policies: &'e [&'e str], day: &'e str, paths: &[&'e str]) -> Vec<Entry<'e>> {
    let entry = |path: &&'e str| Entry {
        who,
        policies,
        operation: "read",
        path,
        day,
    };
    paths.iter().map(entry).collect()
}

// ---- capabilities

#[test]
fn all_that_policies_give_is_one_row_a_pattern() {
    let ground = ground(&[("p/web.hcl", WEB), ("p/ops.hcl", OPS)]);
    let text = told(ground.path(), &["capabilities", "--as", "web,ops", "--policies", "p"]);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("  secret") || line.starts_with("  sys"))
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect()
        })
        .collect();
    assert_eq!(
        rows,
        [
            ["secret/+/*", "read", "web (p/web.hcl:5:1)"],
            [
                "secret/+/+/*",
                "read",
                "web (p/web.hcl:6:1), never decides: `secret/+/*` is stronger"
            ],
            ["secret/+/web/*", "update", "web (p/web.hcl:3:1)"],
            [
                "secret/data/web/*",
                "read, list",
                "web (p/web.hcl:1:1), web (p/web.hcl:4:1), ops (p/ops.hcl:1:1)"
            ],
            ["secret/data/web/admin/*", "deny", "web (p/web.hcl:2:1)"],
            ["sys/seal", "update, sudo", "ops (p/ops.hcl:2:1), under constraints"],
        ],
        "{text}"
    );
    assert!(text.starts_with("web, ops may, on vault-2.0.3:\n"), "{text}");
    // What no template value is known for is told, and counts as nothing.
    assert!(
        text.contains("not in force:\n  p/ops.hcl:6:1 (policy ops): `identity.entity.name` needs an entity"),
        "{text}"
    );
}

#[test]
fn capabilities_can_be_asked_below_a_path() {
    let ground = ground(&[
        ("p/web.hcl", WEB),
        (
            "p/lists.hcl",
            "path \"secret/metadata/web\" { capabilities = [\"list\"] }\n",
        ),
    ]);
    let paths = |typed: &str| -> Vec<String> {
        let asked = [
            "capabilities",
            "--as",
            "web,lists",
            "--policies",
            "p",
            "--format",
            "json",
        ];
        let found = document(ground.path(), &[&asked[..], &["--path", typed]].concat());
        let rows = found["rows"].as_array().unwrap();
        rows.iter()
            .map(|row| row["path"].as_str().unwrap().to_owned())
            .collect()
    };
    let below_admin = [
        "secret/+/*",
        "secret/+/+/*",
        "secret/+/web/*",
        "secret/data/web/*",
        "secret/data/web/admin/*",
    ];
    assert_eq!(paths("secret/data/web/admin/"), below_admin);
    assert_eq!(paths("/v1/secret/data/web/admin/"), below_admin);
    assert_eq!(paths("secret/data/web/+/x"), below_admin);
    // A LIST of `secret/metadata/web/` is decided by the stanza without its last slash.
    assert!(paths("secret/metadata/web/").contains(&"secret/metadata/web".to_owned()));
    assert_eq!(paths("sys/"), [""; 0]);
    let text = told(
        ground.path(),
        &["capabilities", "--as", "web", "--policies", "p", "--path", "sys/"],
    );
    assert_eq!(text, "web may do nothing there, on vault-2.0.3\n");
}

#[test]
fn as_one_policy_it_decides_alike() {
    let folder = tempfile::tempdir().unwrap();
    let policies = acme("policies");
    let ground = folder.path();
    // Sets as they occur: a policy with a path twice among them, denies, `+`, and templates that are filled.
    for (name, asked) in [
        ("person28", ["--principal", "person28"]),
        ("app-ops-11", ["--principal", "app-ops-11"]),
        ("person5", ["--principal", "person5"]),
        (
            "sets",
            ["--as", "operators,readers,ci,team-web,team-pay,transit-ops,default"],
        ),
    ] {
        let logs = acme("audit.log.gz");
        let mut arguments = vec!["capabilities", "--hcl", "--policies", &policies, "--logs", &logs, "-q"];
        arguments.extend(asked);
        let text = told(ground, &arguments);
        write(ground, &[(&format!("{name}/whole.hcl"), &text)]);
        let mut arguments = vec!["capabilities", "--format", "json", "--policies", name, "--as", "whole"];
        let whole = document(ground, &arguments);
        arguments = vec![
            "capabilities",
            "--format",
            "json",
            "--policies",
            &policies,
            "--logs",
            &logs,
            "-q",
        ];
        arguments.extend(asked);
        let parts = document(ground, &arguments);
        let told = |document: &Value| -> Vec<(String, Vec<String>, bool, Value)> {
            let rows = document["rows"].as_array().unwrap();
            let words = |row: &Value| {
                row["capabilities"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|w| w.to_string())
                    .collect()
            };
            rows.iter()
                .map(|row| {
                    (
                        row["path"].to_string(),
                        words(row),
                        row["constrained"] == true,
                        row["decided_by"].clone(),
                    )
                })
                .collect()
        };
        assert!(!told(&parts).is_empty());
        assert_eq!(told(&parts), told(&whole), "{name}");
    }
}

#[test]
fn what_was_used_is_counted_where_it_was_decided() {
    let folder = tempfile::tempdir().unwrap();
    let (policies, logs) = (acme("policies"), acme("audit.log.gz"));
    for name in ["person28", "app-ops-11", "person11"] {
        let found = document(
            folder.path(),
            &[
                "capabilities",
                "--principal",
                name,
                "--policies",
                &policies,
                "--logs",
                &logs,
                "-q",
                "--format",
                "json",
            ],
        );
        let rows = found["rows"].as_array().unwrap();
        let requests: u64 = rows.iter().map(|row| row["requests"].as_u64().unwrap()).sum();
        let used: Vec<Demand> = demands(&logs).into_iter().filter(|d| d.name == name).collect();
        assert!(requests > 0, "{name}");
        assert_eq!(requests, used.iter().map(|d| d.allowed).sum::<u64>(), "{name}");
        let last = rows.iter().filter_map(|row| row["last_used"].as_str()).max().unwrap();
        assert_eq!(last, used.iter().map(|d| d.last.as_str()).max().unwrap(), "{name}");
        assert!(
            rows.iter()
                .any(|row| row["requests"] == 0 && row["last_used"].is_null()),
            "{name} uses all"
        );
    }
}

#[test]
fn roles_have_default_and_root_has_everything() {
    let folder = tempfile::tempdir().unwrap();
    let (policies, deployment) = (acme("policies"), acme("deployment.json"));
    let asked = ["capabilities", "--policies", &policies, "--deployment", &deployment];
    let of_role = told(folder.path(), &[&asked[..], &["--role", "approle/app-web-0"]].concat());
    assert!(
        of_role.starts_with("auth/approle/app-web-0 may, on vault-2.0.3:\n"),
        "{of_role}"
    );
    assert!(of_role.contains("  auth/token/lookup-self "), "{of_role}");
    assert!(of_role.contains("  secret/data/+/web/* "), "{of_role}");
    let root = told(folder.path(), &[&asked[..], &["--as", "root"]].concat());
    assert_eq!(root, "root may do everything (root)\n");
    let status = refused(
        folder.path(),
        &[&asked[..], &["--as", "root", "--hcl"]].concat(),
        &["holds the root policy"],
    );
    assert_eq!(status, Some(2));
    for (asker, word) in [
        (["--as", "nobody"], "no policy `nobody`"),
        (["--role", "nobody"], "no auth role `nobody`"),
        (["--principal", "nobody"], "no principal `nobody`"),
    ] {
        assert_eq!(refused(folder.path(), &[&asked[..], &asker].concat(), &[word]), Some(2));
    }
    assert_eq!(refused(folder.path(), &asked, &["who asks"]), Some(2));
}

#[test]
fn names_of_several_namespaces_are_told_apart() {
    let policy = |path: &str| format!("path \"{path}\" {{\n  capabilities = [\"read\"]\n}}\n");
    let entity = |id: &str, namespace: &str| json!({"id": id, "name": "bob", "namespace": namespace, "policies": ["app"], "aliases": []});
    let entities = json!([entity("e1", "team/"), entity("e2", "")]).to_string();
    let ground = ground(&[
        ("p/policies/app.hcl", &policy("a")),
        ("p/namespaces/team/policies/app.hcl", &policy("b")),
        ("d/entities.json", &entities),
    ]);
    // Of two names each means one policy, in whatever order they come.
    for named in ["app,team/app", "team/app,app"] {
        let text = told(ground.path(), &["capabilities", "--as", named, "--policies", "p"]);
        assert!(
            text.contains("\n  a       read  app (") && text.contains("\n  team/b  read  team/app ("),
            "{text}"
        );
    }
    let given = ["--policies", "p", "--deployment", "d"];
    let text = told(ground.path(), &[&["who-can", "team/b"][..], &given].concat());
    assert!(text.contains("\n  team/bob: read [1]\n"), "{text}");
    let text = told(ground.path(), &[&["who-can", "a"][..], &given].concat());
    assert!(text.contains("\n  bob: read [1]\n"), "{text}");
    // Who is told so can be asked for so.
    let text = told(
        ground.path(),
        &[&["capabilities", "--principal", "team/bob"][..], &given].concat(),
    );
    assert!(
        text.starts_with("team/bob may") && text.contains("  team/b  read"),
        "{text}"
    );
    let said = refused(
        ground.path(),
        &[&["capabilities", "--principal", "bob"][..], &given].concat(),
        &["2 principals"],
    );
    assert_eq!(said, Some(2));
}

#[test]
fn what_looks_like_a_policy_and_is_none_says_what_to_do() {
    let ground = ground(&[
        (
            "request.hcl",
            r#"{"policy": "path \"a\" { capabilities = [\"read\"] }"}"#,
        ),
        (
            "request.json",
            r#"{"policy": "path \"a\" { capabilities = [\"read\"] }"}"#,
        ),
        ("quotes.hcl", "path secret/* {\n  capabilities = [\"read\"]\n}\n"),
        ("other.hcl", "hvs.secret of somebody\n"),
        ("case.hcl", "path \"a\" {\n  capabilities = [\"LIST\"]\n}\n"),
        ("write.hcl", "path \"a\" {\n  capabilities = [\"write\"]\n}\n"),
        (
            "n/namespaces/team/sub/policies/a.hcl",
            "path \"a\" {\n  capabilities = [\"read\"]\n}\n",
        ),
    ]);
    for (file, word) in [
        ("request.hcl", "a request to the API around a policy"),
        ("request.json", "a request to the API around a policy"),
        ("quotes.hcl", "needs double quotes"),
        ("other.hcl", "it has no `path` at its top"),
        ("case.hcl", "did you mean `list`?"),
        ("case.hcl", "`invalid capability`"),
        ("write.hcl", "did you mean `create` and `update`?"),
        ("n", "`namespaces/team%2Fsub/policies/`"),
    ] {
        let output = run(ground.path(), &["lint", file]);
        let said = format!("{}{}", stdout(&output), stderr(&output));
        assert!(said.contains(word), "{file}: {said}");
        assert!(!said.contains("hvs."), "{said}");
    }
}

// ---- diff-access

#[test]
fn two_askers_are_told_apart_with_a_request_each() {
    let ground = ground(&[("p/web.hcl", WEB), ("p/ops.hcl", OPS)]);
    let text = told(ground.path(), &["diff-access", "web", "as:ops", "--policies", "p"]);
    let differ: Vec<&str> = text
        .lines()
        .filter(|l| l.starts_with("  + ") || l.starts_with("  - "))
        .collect();
    assert!(
        text.starts_with("+ what ops may do and web may not; - the other way round"),
        "{text}"
    );
    assert!(differ.contains(&"  + update sys/seal wrapped for 1s"), "{text}");
    assert!(differ.contains(&"  + read secret/data/web/admin/x"), "{text}");
    assert!(
        differ.iter().any(|line| line.starts_with("  - update secret/")),
        "{text}"
    );
    // Turned round, it says the same the other way round.
    let turned = told(ground.path(), &["diff-access", "ops", "web", "--policies", "p"]);
    let swap = |line: &&str| {
        line.replacen("  + ", "  ? ", 1)
            .replacen("  - ", "  + ", 1)
            .replacen("  ? ", "  - ", 1)
    };
    let mut there: Vec<String> = differ.iter().map(swap).collect();
    let mut back: Vec<String> = turned
        .lines()
        .filter(|l| l.starts_with("  + ") || l.starts_with("  - "))
        .map(str::to_owned)
        .collect();
    there.sort();
    back.sort();
    assert_eq!(there, back);
    let same = told(ground.path(), &["diff-access", "web", "web", "--policies", "p"]);
    assert!(same.ends_with("  = decides every request alike (proven)\n"), "{same}");
    let found = document(
        ground.path(),
        &["diff-access", "web", "ops", "--policies", "p", "--format", "json"],
    );
    assert_eq!((&found["first"], &found["second"]), (&json!("web"), &json!("ops")));
    assert_eq!(
        (&found["equal"], &found["grants_nothing_new"]),
        (&json!(false), &json!(false))
    );
    // Each request that is named is decided so.
    for (gained, side) in [("gained", "ops"), ("lost", "web")] {
        for one in found[gained].as_array().unwrap() {
            let request = &one["request"];
            let (operation, path) = (
                request["operation"].as_str().unwrap(),
                request["path"].as_str().unwrap(),
            );
            for name in ["web", "ops"] {
                let said = told(
                    ground.path(),
                    &["explain", operation, path, "--as", name, "--policies", "p"],
                );
                // A wrapped response is asked for besides.
                let allowed = said.starts_with("allowed") || said.contains("ask for a wrapped response");
                assert_eq!(allowed, name == side, "{operation} {path} as {name}: {said}");
            }
        }
    }
}

#[test]
fn the_same_principal_is_told_apart_by_day() {
    let mut entries = reads("ann", &["web"], "2026-03-01", &["secret/data/web/a"]);
    entries.extend(reads("ann", &["ops", "web"], "2026-03-05", &["secret/data/web/b"]));
    entries.extend(reads("bob", &["ops"], "2026-03-05", &["secret/data/web/b"]));
    let ground = ground(&[("p/web.hcl", WEB), ("p/ops.hcl", OPS), ("a.log", &log(&entries))]);
    let asked = |first: &str, second: &str| {
        run(
            ground.path(),
            &["diff-access", first, second, "--policies", "p", "--logs", "a.log", "-q"],
        )
    };
    let days = stdout(&asked("ann@2026-03-01", "ann@2026-03-05"));
    assert!(
        days.starts_with("+ what ann on 2026-03-05 may do and ann on 2026-03-01 may not"),
        "{days}"
    );
    assert!(days.contains("  + update sys/seal wrapped for 1s\n"), "{days}");
    // What it holds today is what it acted with last.
    assert!(stdout(&asked("ann", "ann@2026-03-05")).contains("alike (proven)"));
    assert!(
        stdout(&asked("ann", "bob")).contains("  - update secret/"),
        "ann has web besides"
    );
    for (first, second, word) in [
        ("ann@2026-03-02", "ann", "`ann` did nothing on 2026-03-02"),
        ("ann", "bob@2026-03-01", "`bob` did nothing on 2026-03-01"),
        ("role:web@2026-03-01", "ann", "no auth role `web@2026-03-01`"),
    ] {
        let idle = asked(first, second);
        assert_eq!(idle.status.code(), Some(2));
        assert!(stderr(&idle).contains(word), "{}", stderr(&idle));
    }
    // What was asked for again later is no witness of the policies of then.
    let mut entries = reads("ann", &["web"], "2026-03-01", &["secret/data/web/a"]);
    entries.extend(reads("ann", &["ops"], "2026-03-05", &["secret/data/web/a"]));
    write(ground.path(), &[("a.log", &log(&entries))]);
    let days = stdout(&asked("principal:ann@2026-03-01", "as:web"));
    assert!(days.contains("alike (proven)"), "{days}");
    told(ground.path(), &["usage", "--logs", "a.log", "-q", "-o", "a.parquet"]);
    let stored = [
        "diff-access",
        "ann@2026-03-01",
        "ann",
        "--policies",
        "p",
        "--usage",
        "a.parquet",
    ];
    assert_eq!(refused(ground.path(), &stored, &["is told by logs alone"]), Some(2));
    let unknown = asked("nobody", "ann");
    assert!(
        stderr(&unknown).contains("`nobody` is not a principal, role or policy"),
        "{}",
        stderr(&unknown)
    );
}

// ---- generate

/// What somebody used.
struct Demand {
    name: String,
    kind: String,
    operation: String,
    path: String,
    mount_type: String,
    allowed: u64,
    last: String,
}

fn demands(logs: &str) -> Vec<Demand> {
    let folder = tempfile::tempdir().unwrap();
    let text = told(folder.path(), &["usage", "--logs", logs, "-q"]);
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let word = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.map(|row| Demand {
        name: word(&row, "principal_name"),
        kind: word(&row, "principal_kind"),
        operation: word(&row, "capability"),
        path: word(&row, "path"),
        mount_type: word(&row, "mount_type"),
        allowed: row["allowed"].as_u64().unwrap(),
        last: word(&row, "last_seen"),
    })
    .filter(|demand| demand.allowed > 0)
    .collect()
}

impl Demand {
    /// Whether a policy has to allow it.
    fn needs_a_policy(&self) -> bool {
        self.kind != "unauthenticated"
            && !protected::is_mount_question(&self.path)
            && !protected::unauthenticated(&self.mount_type, &self.path)
    }
}

fn parsed(text: &str) -> Policy {
    syntax::parse("made", "made.hcl", text, &Profile::default().dialect())
        .unwrap_or_else(|error| panic!("{}: {text}", error.one_line()))
}

/// Decides as a server would that has this policy alone.
fn allows(policy: &Policy, who: &str, operation: &str, path: &str) -> (bool, bool) {
    let alias = |accessor: &str| Alias {
        mount_accessor: accessor.to_owned(),
        name: who.to_owned(),
        ..Alias::default()
    };
    let identity = Identity {
        entity: Some(Entity {
            name: who.to_owned(),
            aliases: vec![alias("auth_userpass_db417825")],
            ..Entity::default()
        }),
        groups: Vec::new(),
    };
    let acl = Acl::compile(Profile::default(), &[policy], &identity, Some(0));
    let decision = acl.decide(&Request::new(Operation::from_word(operation), path));
    (decision.allowed, decision.sudo)
}

fn paths(policy: &Policy) -> BTreeSet<String> {
    policy.stanzas.iter().map(|stanza| stanza.path.to_string()).collect()
}

#[test]
fn a_policy_from_a_log_allows_what_was_used_in_every_style() {
    let folder = tempfile::tempdir().unwrap();
    let (logs, deployment) = (acme("audit.log.gz"), acme("deployment.json"));
    let used = demands(&logs);
    let mut sizes = BTreeMap::new();
    for style in ["exact", "folders", "templates"] {
        for whose in ["everybody", "root", "app-web-0", "person28"] {
            let mut arguments = vec![
                "generate",
                "--logs",
                &logs,
                "--deployment",
                &deployment,
                "--style",
                style,
                "-q",
            ];
            match whose {
                "everybody" => {}
                "root" => arguments.push("--root"),
                name => arguments.extend(["--principal", name]),
            }
            let text = told(folder.path(), &arguments);
            let policy = parsed(&text);
            sizes.insert((whose, style), policy.stanzas.len());
            let theirs: Vec<&Demand> = used
                .iter()
                .filter(|d| d.needs_a_policy())
                .filter(|d| match whose {
                    "everybody" => d.kind != "root",
                    "root" => d.kind == "root",
                    name => d.name == name,
                })
                .collect();
            assert!(!theirs.is_empty(), "{whose}");
            for demand in &theirs {
                let (allowed, sudo) = allows(&policy, &demand.name, &demand.operation, &demand.path);
                assert!(allowed, "{whose}, {style}: {} of {}", demand.operation, demand.path);
                let needs_sudo = protected::needs_sudo(&demand.mount_type, &demand.path);
                assert!(sudo || !needs_sudo, "{whose}, {style}: sudo of {}", demand.path);
            }
            if style == "exact" {
                let want: BTreeSet<String> = theirs.iter().map(|d| d.path.clone()).collect();
                assert_eq!(paths(&policy), want, "{whose}");
            }
            // Each stanza says what it was made of; all requests are told of, each once.
            let told: u64 = text
                .lines()
                .filter_map(|line| line.strip_prefix("# ")?.split_once(" request"))
                .filter(|(_, rest)| rest.contains(" by "))
                .map(|(count, _)| count.parse::<u64>().unwrap())
                .sum();
            assert_eq!(told, theirs.iter().map(|d| d.allowed).sum::<u64>(), "{whose}, {style}");
        }
    }
    // Folders make less to read of much; never more.
    for whose in ["everybody", "root", "app-web-0", "person28"] {
        assert!(sizes[&(whose, "folders")] <= sizes[&(whose, "exact")], "{sizes:?}");
        assert!(sizes[&(whose, "templates")] <= sizes[&(whose, "exact")], "{sizes:?}");
    }
    assert!(
        sizes[&("everybody", "folders")] * 3 < sizes[&("everybody", "exact")],
        "{sizes:?}"
    );
}

#[test]
fn each_one_s_own_becomes_a_template() {
    let people = ["ann", "bob", "cid", "dan"];
    let own: Vec<Vec<String>> = people
        .iter()
        .map(|who| {
            ["a", "b", "c", "d"]
                .map(|key| format!("secret/data/home/{who}/{key}"))
                .to_vec()
        })
        .collect();
    let mut entries = Vec::new();
    for (who, paths) in people.iter().zip(&own) {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        entries.extend(reads(who, &["self"], "2026-03-01", &paths));
    }
    let known: Vec<Value> = people
        .iter()
        .map(|who| json!({"id": format!("id-{who}"), "name": who, "policies": ["self"]}))
        .collect();
    let known = Value::Array(known).to_string();
    let ground = ground(&[
        ("a.log", &log(&entries)),
        ("d/mounts.json", MOUNTS),
        ("d/entities.json", &known),
    ]);
    let asked = ["generate", "--logs", "a.log", "--deployment", "d", "-q", "--style"];
    let made = |style| parsed(&told(ground.path(), &[&asked[..], &[style]].concat()));
    let templates = made("templates");
    assert_eq!(
        paths(&templates),
        BTreeSet::from(["secret/data/home/{{identity.entity.name}}/*".to_owned()])
    );
    assert!(allows(&templates, "ann", "read", "secret/data/home/ann/a").0);
    assert!(!allows(&templates, "ann", "read", "secret/data/home/bob/a").0);
    assert_eq!(made("exact").stanzas.len(), 16);
    assert!(paths(&made("folders")).iter().all(|path| !path.contains("{{")));
}

#[test]
fn a_role_is_all_that_logged_in_by_it_and_since_cuts() {
    let mut entries = reads("web-1", &["x"], "2026-03-01", &["secret/data/old"]);
    entries.extend(reads("web-2", &["x"], "2026-04-01", &["secret/data/new"]));
    entries.extend(reads("db-1", &["x"], "2026-04-01", &["secret/data/db"]));
    let ground = ground(&[("a.log", &log(&entries))]);
    let made = |more: &[&str]| {
        let asked = ["generate", "--logs", "a.log", "--style", "exact", "-q"];
        paths(&parsed(&told(ground.path(), &[&asked[..], more].concat())))
    };
    let set = |all: &[&str]| {
        all.iter()
            .map(|path| format!("secret/data/{path}"))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(made(&[]), set(&["old", "new", "db"]));
    assert_eq!(made(&["--role", "web"]), set(&["old", "new"]));
    assert_eq!(made(&["--role", "web", "--since", "2026-03-15"]), set(&["new"]));
    assert_eq!(made(&["--principal", "id-db-1"]), set(&["db"]));
    for (more, word) in [
        (&["--role", "nobody"][..], "no role `nobody` in the logs"),
        (&["--root"], "nothing was used that needs a policy"),
    ] {
        let status = refused(
            ground.path(),
            &[&["generate", "--logs", "a.log"][..], more].concat(),
            &[word],
        );
        assert_eq!(status, Some(3), "{more:?}");
    }
    let status = refused(
        ground.path(),
        &["generate", "--logs", "a.log", "--principal", "nobody"],
        &["nobody"],
    );
    assert_eq!(status, Some(2));
    let both = ["generate", "--logs", "a.log", "--root", "--role", "web"];
    assert_eq!(refused(ground.path(), &both, &["cannot be used with"]), Some(2));
}

#[test]
fn odd_names_and_paths_stay_what_they_are() {
    let mut entries = reads(
        "eve\npath \"*\" { capabilities = [\"sudo\"] }\n#",
        &["x"],
        "2026-03-01",
        &[
            "secret/data/we\"ird ${x} %{y}\\z",
            "secret/data/a\nb",
            "secret/data/star*",
            "secret/data/x/+/y",
            "secret/data/{{identity.entity.name}}/z",
        ],
    );
    entries.push(Entry {
        who: "root",
        policies: &["root"],
        operation: "update",
        path: "sys/audit/file",
        day: "2026-03-01",
    });
    let ground = ground(&[("a.log", &log(&entries))]);
    let output = run(ground.path(), &["generate", "--logs", "a.log", "--style", "exact"]);
    let (text, said) = (stdout(&output), stderr(&output));
    let policy = parsed(&text);
    assert_eq!(
        paths(&policy),
        BTreeSet::from([
            "secret/data/we\"ird ${x} %{y}\\z".to_owned(),
            "secret/data/a\nb".to_owned()
        ])
    );
    // The name is in a comment, in one line.
    let comments = text.lines().filter(|line| line.contains("sudo"));
    assert!(
        comments.clone().count() > 0 && comments.clone().all(|line| line.starts_with("# 1 request by eve path")),
        "{text}"
    );
    for left in ["star*", "x/+/y", "{{identity.entity.name}}/z"] {
        assert!(
            text.contains("# Left out, since no stanza can name it alone: "),
            "{text}"
        );
        assert!(
            said.contains(&format!("1 request for `secret/data/{left}` left out")),
            "{said}"
        );
    }
    assert!(
        said.ends_with("proof: 2 requests to 2 paths, decided again with 2 stanzas on vault-2.0.3: all are allowed\n"),
        "{said}"
    );
    let root = parsed(&told(ground.path(), &["generate", "--logs", "a.log", "--root", "-q"]));
    assert_eq!(allows(&root, "", "update", "sys/audit/file"), (true, true));
}

#[test]
fn what_was_made_is_proven_by_replay() {
    let mut entries = reads("ann", &["made"], "2026-03-01", &["secret/data/a/1", "secret/data/a/2"]);
    for (operation, path) in [
        ("list", "secret/metadata/a/"),
        ("create", "secret/data/a/new"),
        ("delete", "secret/data/a/1"),
        ("update", "sys/seal"),
    ] {
        entries.push(Entry {
            who: "bob",
            policies: &["made"],
            operation,
            path,
            day: "2026-03-02",
        });
    }
    let ground = ground(&[("a.log", &log(&entries)), ("p/other.hcl", WEB)]);
    for style in ["exact", "folders", "templates"] {
        let output = run(
            ground.path(),
            &["generate", "--logs", "a.log", "--style", style, "-o", "p/made.hcl"],
        );
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(output.stdout.is_empty() && stderr(&output).contains("wrote p/made.hcl"));
        let found = document(
            ground.path(),
            &["replay", "--logs", "a.log", "--policies", "p", "--format", "json", "-q"],
        );
        let counts = ["requests", "same", "not_decidable"].map(|key| found[key].as_u64().unwrap());
        assert_eq!(counts, [6, 6, 0], "{style}: {found}");
        assert_eq!(found["newly_denied"], json!([]), "{style}");
        assert_eq!(found["server"], "vault-2.0.3");
    }
}

// ---- by whose rules

const UNVERIFIED: &str = "2.4.0 is newer than 2.0.3, the newest that was verified, and may decide otherwise";

#[test]
fn a_server_that_was_never_verified_is_named_in_every_output() {
    let entries = reads("ann", &["web"], "2026-03-01", &["secret/data/web/a"]);
    let tests = "tests:\n  - as: web\n    path: secret/data/web/a\n    operation: read\n    expect: allow\n";
    let ground = ground(&[
        ("p/web.hcl", WEB),
        ("a.log", &log(&entries)),
        ("t.yaml", tests),
        (
            "case.jsonl",
            "{\"id\":\"1\",\"policies\":[{\"name\":\"web\",\"rules\":\"\"}],\"requests\":[]}\n",
        ),
    ]);
    let granting = ["--policies", "p"];
    let reading = ["--logs", "a.log"];
    let all: Vec<Vec<&str>> = vec![
        [&["explain", "read", "secret/data/web/a", "--as", "web"][..], &granting].concat(),
        [
            &[
                "explain",
                "read",
                "secret/data/web/a",
                "--as",
                "web",
                "--format",
                "json",
            ][..],
            &granting,
        ]
        .concat(),
        [&["who-can", "secret/data/web/a"][..], &granting].concat(),
        [&["who-can", "secret/data/web/a", "--format", "json"][..], &granting].concat(),
        [&["who-can", "nowhere/", "--format", "json"][..], &granting].concat(),
        [&["capabilities", "--as", "web"][..], &granting].concat(),
        [&["capabilities", "--as", "web", "--hcl"][..], &granting].concat(),
        [&["capabilities", "--as", "web", "--format", "json"][..], &granting].concat(),
        [&["diff-access", "web", "web"][..], &granting].concat(),
        [&["diff-access", "web", "web", "--format", "json"][..], &granting].concat(),
        [&["generate"][..], &reading].concat(),
        vec!["lint", "p"],
        vec!["lint", "p", "--format", "json"],
        [&["test", "t.yaml"][..], &granting].concat(),
        [&["test", "t.yaml", "--format", "json"][..], &granting].concat(),
        vec!["compare", "p", "p"],
        vec!["compare", "p", "p", "--format", "json"],
        [&["replay"][..], &reading, &granting].concat(),
        [&["replay", "--format", "json"][..], &reading, &granting].concat(),
        [&["check"][..], &granting].concat(),
        [&["check", "--format", "sarif"][..], &granting].concat(),
        [&["check", "--format", "markdown"][..], &granting].concat(),
        [&["check", "--format", "github"][..], &granting].concat(),
        [&["check", "--format", "junit"][..], &granting].concat(),
    ];
    for arguments in all {
        let output = run(ground.path(), &[&arguments[..], &["--server", "vault@2.4.0"]].concat());
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{arguments:?}: {}",
            stderr(&output)
        );
        // Markdown escapes some of it.
        let text = stdout(&output).replace('\\', "");
        assert!(text.contains(UNVERIFIED), "{arguments:?}: {text}");
        let warned = format!("warning: decided as vault-2.2.2: {UNVERIFIED}");
        assert_eq!(stderr(&output).matches(&warned).count(), 1, "{arguments:?}");
        let verified = run(ground.path(), &[&arguments[..], &["--server", "vault@2.0.3"]].concat());
        assert!(!stdout(&verified).contains("verified"), "{arguments:?}");
    }
    let decided = Command::cargo_bin("vault-advisor")
        .unwrap()
        .current_dir(ground.path())
        .args(["decide", "--server", "vault@2.4.0"])
        .write_stdin(fs::read_to_string(ground.path().join("case.jsonl")).unwrap())
        .output()
        .unwrap();
    assert!(stdout(&decided).contains(UNVERIFIED), "{}", stdout(&decided));
    // The report, all of it.
    let arguments = [
        &[
            "advise",
            "--out",
            "report",
            "--horizon",
            "0",
            "--time-limit",
            "1s",
            "-q",
            "--server",
            "vault@2.4.0",
        ][..],
        &reading,
        &granting,
    ]
    .concat();
    told(ground.path(), &arguments);
    for file in ["advice.json", "summary.md", "report.html", "findings.sarif"] {
        let text = fs::read_to_string(ground.path().join("report").join(file)).unwrap();
        assert!(text.replace('\\', "").contains(UNVERIFIED), "{file}");
    }
}

fn mark(product: &str, version: &str) -> String {
    json!({"layout": 1, "product": product, "version": version}).to_string()
}

/// The mounts of a snapshot.
const MOUNTS: &str =
    r#"[{"namespace": "", "path": "secret/", "kind": "kv", "accessor": "kv_1", "kv_version": 2, "description": ""}]"#;

#[test]
fn the_server_is_the_one_that_the_snapshot_saw() {
    let ground = ground(&[("d/mounts.json", MOUNTS), ("d/policies/web.hcl", WEB)]);
    let asked = [
        "explain",
        "read",
        "secret/data/web/a",
        "--as",
        "web",
        "--policies",
        "d/policies",
    ];
    let decided = |more: &[&str]| {
        let output = run(ground.path(), &[&asked[..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        (stdout(&output).lines().next().unwrap().to_owned(), stderr(&output))
    };
    let on = |server: &str| format!("allowed: read of `secret/data/web/a` on {server}");
    let by_snapshot = ["--deployment", "d"];
    // No snapshot: the newest that was verified.
    assert_eq!(decided(&[]), (on("vault-2.0.3"), String::new()));
    for (product, version, server, said) in [
        (
            "openbao",
            "2.5.1",
            "openbao-2.0",
            "decided as openbao-2.0: the snapshot is of openbao 2.5.1",
        ),
        (
            "vault",
            "1.18.2+ent",
            "vault-1.13",
            "decided as vault-1.13: the snapshot is of vault 1.18.2+ent",
        ),
        ("vault", "2.0.3", "vault-2.0.3", ""),
        (
            "vault",
            "2.2.2",
            "vault-2.2.2 (after its release notes, not verified on a server)",
            "warning: decided as vault-2.2.2: after its release notes",
        ),
        (
            "consul",
            "1.2.3",
            "vault-2.0.3",
            "does not tell the server's product and version (only 1.2.3)",
        ),
    ] {
        write(ground.path(), &[("d/snapshot.json", &mark(product, version))]);
        let (first, talk) = decided(&by_snapshot);
        assert_eq!(first, on(server), "{product} {version}");
        assert!(
            talk.contains(said) && said.is_empty() == talk.is_empty(),
            "{product} {version}: {talk}"
        );
    }
    // What is asked for wins, and the difference is told.
    write(ground.path(), &[("d/snapshot.json", &mark("openbao", "2.6.1"))]);
    let (first, talk) = decided(&["--deployment", "d", "--server", "vault@1.18.2"]);
    assert_eq!(first, on("vault-1.13"));
    assert!(
        talk.contains("warning: the snapshot is of openbao 2.6.1, whose rules are those of openbao-2.6; `--server` asks for vault-1.13"),
        "{talk}"
    );
    let (_, talk) = decided(&["--deployment", "d", "--server", "openbao@2.6.2"]);
    assert_eq!(talk, "", "the rules are the same");
    write(ground.path(), &[("d/snapshot.json", "{")]);
    let broken = run(ground.path(), &[&asked[..], &by_snapshot].concat());
    assert_eq!(broken.status.code(), Some(2));
    assert!(
        stderr(&broken).contains("cannot read `d/snapshot.json`"),
        "{}",
        stderr(&broken)
    );
    let unknown = run(ground.path(), &[&asked[..], &["--server", "consul@1.2.3"]].concat());
    assert!(
        stderr(&unknown).contains("`consul@1.2.3` is not a server profile; known are `vault-1.0`"),
        "{}",
        stderr(&unknown)
    );
}

const HOME: &str = "path \"secret/data/{{identity.entity.name}}/*\" { capabilities = [\"read\"] }\n";

#[test]
fn switches_come_from_the_settings_and_the_snapshot() {
    let tests = |name: &str, path: &str, expect: &str| {
        format!(
            "- as: home\n  entity: {{ id: e1, name: \"{name}\" }}\n  path: {path}\n  operation: read\n  expect: {expect}\n"
        )
    };
    let slash = |expect| tests("oidc/ann", "secret/data/oidc/ann/x", expect);
    let wild = |expect| tests("an+", "secret/data/an+/x", expect);
    let ground = ground(&[("p/policies/home.hcl", HOME)]);
    // The server, the settings, what the snapshot says of the policy, and whether values with `/` and with `+` are filled in.
    for (server, settings, switch, slashes, wildcards) in [
        ("vault@2.0.3", "", None, "allow", "deny"),
        ("vault@1.18.2", "", None, "allow", "allow"),
        ("vault@1.21.6", "", None, "allow", "deny"),
        (
            "vault@2.0.3",
            "deny_slash_in_templated_paths = true",
            None,
            "deny",
            "deny",
        ),
        ("openbao@2.5.1", "", None, "allow", "allow"),
        ("openbao@2.6.1", "", None, "deny", "deny"),
        (
            "openbao@2.6.1",
            "allow_slashes_in_identity_templates = [\"ho*\"]",
            None,
            "allow",
            "deny",
        ),
        (
            "openbao@2.6.1",
            "allow_wildcards_in_identity_templates = [\"home\"]",
            None,
            "deny",
            "allow",
        ),
        (
            "openbao@2.6.1",
            "allow_slashes_in_identity_templates = [\"other\"]",
            None,
            "deny",
            "deny",
        ),
        ("openbao@2.6.1", "", Some((true, false)), "allow", "deny"),
        ("openbao@2.6.1", "", Some((false, true)), "deny", "allow"),
    ] {
        let switches: Vec<Value> = switch
            .into_iter()
            .map(|(slashes, wildcards)| {
                json!({"namespace": "", "name": "home", "slashes": slashes, "wildcards": wildcards})
            })
            .collect();
        let mark = json!({"layout": 1, "product": "openbao", "version": "2.6.1", "template_switches": switches});
        write(
            ground.path(),
            &[
                ("settings.toml", &format!("[server]\n{settings}\n")),
                ("p/snapshot.json", &mark.to_string()),
                ("slash.yaml", &slash(slashes)),
                ("wild.yaml", &wild(wildcards)),
            ],
        );
        for file in ["slash.yaml", "wild.yaml"] {
            let arguments = [
                "test",
                file,
                "--policies",
                "p",
                "--server",
                server,
                "--config",
                "settings.toml",
            ];
            let output = run(ground.path(), &arguments);
            assert_eq!(
                output.status.code(),
                Some(0),
                "{file} on {server} with {settings} and {switch:?}: {}",
                stdout(&output)
            );
        }
    }
}

#[test]
fn a_rule_that_does_not_exist_was_meant_to_be_another() {
    let ground = ground(&[
        ("p/web.hcl", WEB),
        ("settings.toml", "[rules]\n\"capability-never-aksed\" = \"off\"\n"),
    ]);
    for command in [
        &["lint", "p"][..],
        &["check", "--policies", "p"],
        &["capabilities", "--as", "web", "--policies", "p"],
    ] {
        let status = refused(
            ground.path(),
            &[command, &["--config", "settings.toml"]].concat(),
            &[
                "there is no rule `capability-never-aksed`",
                "did you mean `capability-never-asked`?",
            ],
        );
        assert_eq!(status, Some(2), "{command:?}");
    }
}

#[test]
fn a_key_twice_is_an_error_where_the_server_refuses_it() {
    let twice = "path \"secret/data/app\" {\n  capabilities = [\"read\"]\n  capabilities = [\"update\"]\n}\n";
    let ground = ground(&[("p/app.hcl", twice), ("p/web.hcl", WEB)]);
    let said = |arguments: &[&str], server: &str| {
        let output = run(ground.path(), &[arguments, &["--server", server]].concat());
        (output.status.code(), stdout(&output) + &stderr(&output))
    };
    let message = "key `capabilities` stands in line 2 already";
    for (server, refuses) in [
        ("vault@1.20.4", false),
        ("openbao@2.6.1", false),
        ("vault@1.21.0", true),
        ("vault@2.0.3", true),
        ("vault@2.2.2", true),
    ] {
        let (status, text) = said(&["lint", "p"], server);
        assert_eq!(status, Some(i32::from(refuses)), "{server}: {text}");
        let head = if refuses { "error: " } else { "warning[duplicate-key]: " };
        assert!(text.contains(&format!("{head}{message}")), "{server}: {text}");
        let (status, text) = said(&["check", "--policies", "p"], server);
        let rule = if refuses { "policy-unreadable" } else { "duplicate-key" };
        assert_eq!(text.contains(&format!("high[{rule}]")), refuses, "{server}: {text}");
        assert_eq!(status, Some(i32::from(refuses)), "{server}: {text}");
        // What the server would refuse to use decides nothing.
        let asked = ["explain", "read", "secret/data/app", "--as", "app", "--policies", "p"];
        let (status, text) = said(&asked, server);
        assert_eq!(
            status == Some(0) && text.contains("allowed: read"),
            !refuses,
            "{server}: {text}"
        );
        assert_eq!(text.contains(message), refuses, "{server}: {text}");
    }
}

// ---- what is told before any work

#[test]
fn flags_are_checked_before_any_work_with_an_example() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing of what is named is there: the flag is told first.
    let logs = ["--logs", "none.log"];
    let both = ["--logs", "none.log", "--policies", "none"];
    for (arguments, flag, value, example) in [
        (
            [&["usage"][..], &logs].concat(),
            "--window",
            "30",
            "such as 90d, 12h, 30m or 45s",
        ),
        ([&["usage"][..], &logs].concat(), "--since", "yesterday", "(2026-01-31)"),
        (
            [&["usage"][..], &logs].concat(),
            "--until",
            "2026-13-01",
            "(2026-01-31)",
        ),
        (
            [&["usage"][..], &logs].concat(),
            "--group-by",
            "team",
            "use entity, role, display-name",
        ),
        (
            [&["generate"][..], &logs].concat(),
            "--style",
            "short",
            "exact, folders, templates",
        ),
        (
            vec!["roles", "--matrix", "none"],
            "--time-limit",
            "5",
            "such as 90d, 12h, 30m or 45s",
        ),
        (
            [&["advise", "--out", "o"][..], &both].concat(),
            "--time-limit",
            "ten",
            "such as 90d",
        ),
        (
            [&["advise", "--out", "o"][..], &both].concat(),
            "--horizon",
            "5",
            "write 90d, or 0",
        ),
        (
            [&["advise", "--out", "o"][..], &both].concat(),
            "--budget",
            "10",
            "such as 10/10000",
        ),
        ([&["backtest"][..], &both].concat(), "--train", "30", "such as 90d"),
        (
            [&["backtest"][..], &both].concat(),
            "--budgets",
            "0,x",
            "such as 10/10000",
        ),
        (
            vec!["check", "--policies", "none"],
            "--budget",
            "much=1",
            "such as medium=10",
        ),
        (
            vec!["watch", "--logs", "none.log", "--state", "s"],
            "--poll",
            "5",
            "such as 90d",
        ),
        (
            vec!["who-can", "a", "--policies", "none"],
            "--capability",
            "raed",
            "use create, read",
        ),
        (vec!["lint", "none"], "--server", "vault", "`vault@1.16.3`"),
        (vec!["decide"], "--server", "consul@1", "`vault@1.16.3`"),
    ] {
        let status = refused(
            folder.path(),
            &[&arguments[..], &[flag, value]].concat(),
            &["error: invalid value '", flag, example],
        );
        assert_eq!(status, Some(2), "{arguments:?} {flag}");
    }
    let asked = ["explain", "raed", "a", "--as", "a", "--policies", "none"];
    assert_eq!(refused(folder.path(), &asked, &["use create, read, update"]), Some(2));
}

#[test]
fn what_is_packed_or_in_another_encoding_is_named() {
    let utf16: Vec<u8> = "\u{feff}path \"a\" {}\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (bytes, what) in [
        (&b"\x1f\x8b\x08\x00rest"[..], "compressed (gzip)"),
        (b"\xfd7zXZ\0rest", "compressed (xz)"),
        (b"PK\x03\x04rest", "an archive (zip)"),
        (&utf16, "text in UTF-16"),
    ] {
        let ground = ground(&[("p/other.hcl", WEB)]);
        fs::write(ground.path().join("p/web.hcl"), bytes).unwrap();
        for (arguments, status) in [
            (&["lint", "p"][..], 1),
            (&["lint", "p/web.hcl"], 1),
            (&["check", "--policies", "p"], 1),
            (&["explain", "read", "a", "--as", "other", "--policies", "p"], 0),
        ] {
            let output = run(ground.path(), arguments);
            let said = stdout(&output) + &stderr(&output);
            assert!(said.contains(&format!("the file is {what}")), "{arguments:?}: {said}");
            assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        }
    }
}
