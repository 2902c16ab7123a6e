//! What is remembered from run to run: decisions, which `advise` and `check` honour alike, the history of runs, and to whom
//! things belong.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

const POLICY: &str =
    "path \"kv/a\" {\n  capabilities = [\"read\", \"delete\"]\n}\npath \"kv/b\" {\n  capabilities = [\"read\"]\n}\n";

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::cargo_bin("vault-advisor")
        .unwrap()
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn place() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("policies")).unwrap();
    fs::write(folder.path().join("policies/app.hcl"), POLICY).unwrap();
    let entry = |day: u32, kind: &str| {
        serde_json::json!({
            "time": format!("2026-03-{day:02}T10:00:00Z"), "type": kind,
            "auth": {"client_token": "hmac-sha256:00", "accessor": "hmac-sha256:01", "display_name": "token-ci",
                "policies": ["app"], "token_policies": ["app"], "policy_results": {"allowed": true}, "token_type": "service"},
            "request": {"id": format!("{day:08x}-0000-4000-8000-000000000000"), "operation": "read", "mount_type": "kv",
                "namespace": {"id": "root"}, "path": "kv/a"},
        })
    };
    let log: String = (1..29)
        .flat_map(|day| ["request", "response"].map(|kind| format!("{}\n", entry(day, kind))))
        .collect();
    fs::write(folder.path().join("audit.log"), log).unwrap();
    folder
}

const ADVISE: [&str; 12] = [
    "advise",
    "--quiet",
    "--horizon",
    "0",
    "--time-limit",
    "1s",
    "--logs",
    "audit.log",
    "--policies",
    "policies",
    "--out",
    "out",
];

/// What the report says, and the policy that it proposes.
fn advise(folder: &Path) -> (Value, String) {
    let output = run(folder, &ADVISE);
    assert!(output.status.success(), "{}", told(&output));
    let advice = serde_json::from_slice(&fs::read(folder.join("out/advice.json")).unwrap()).unwrap();
    let proposed = fs::read_to_string(folder.join("out/policies/app.hcl")).unwrap();
    (advice, proposed)
}

fn fingerprint(advice: &Value, rule: &str, title: &str) -> Option<String> {
    let findings = advice["findings"].as_array().unwrap();
    let found = findings
        .iter()
        .find(|one| one["rule"] == rule && one["title"].as_str().unwrap().contains(title))?;
    Some(found["fingerprint"].as_str().unwrap().to_owned())
}

#[test]
fn what_is_postponed_stays_is_said_and_comes_back() {
    let place = place();
    let folder = place.path();
    let (advice, proposed) = advise(folder);
    assert!(!proposed.contains("kv/b") && !proposed.contains("delete"), "{proposed}");
    let unused = fingerprint(&advice, "unused-stanza", "kv/b").unwrap();
    let answer = |word: &str, until: &str, more: &[&str]| {
        let mut all = vec![
            "answer",
            word,
            "--owner",
            "ann",
            "--reason",
            "a \"quarterly\" job",
            "--until",
            until,
        ];
        all.extend(more);
        let output = run(folder, &all);
        assert!(output.status.success(), "{}", told(&output));
        told(&output)
    };

    let stanza = ["--policy", "app", "--path", "kv/b"];
    answer("postpone", "2999-01-31", &stanza);
    let (advice, proposed) = advise(folder);
    assert!(
        proposed.contains("kv/b") && !proposed.contains("delete"),
        "the other change goes on: {proposed}"
    );
    assert_eq!(fingerprint(&advice, "unused-stanza", "kv/b"), None);
    assert!(
        advice.to_string().contains("postponed by ann until 2999-01-31"),
        "what is hidden is said"
    );
    let gate = [
        "check",
        "--policies",
        "policies",
        "--logs",
        "audit.log",
        "--fail-on",
        "info",
    ];
    assert!(
        !told(&run(folder, &gate)).contains("kv/b"),
        "{}",
        told(&run(folder, &gate))
    );
    assert!(told(&run(folder, &["answer"])).contains("`kv/b` of policy `app`: postponed by ann"));

    // Its day is over: it comes back, and the gate says so.
    answer("postpone", "2026-01-31", &stanza);
    assert!(!advise(folder).1.contains("kv/b"));
    assert!(told(&run(folder, &gate)).contains("ended on 2026-01-31"));
    assert!(told(&run(folder, &["answer"])).contains("ended"));

    // A single finding, and nothing else.
    let output = run(folder, &["answer", "forget", "--policy", "app", "--path", "kv/b"]);
    assert!(output.status.success(), "{}", told(&output));
    answer("reject", "2999-01-31", &["--finding", &unused]);
    let (advice, proposed) = advise(folder);
    assert_eq!(fingerprint(&advice, "unused-stanza", "kv/b"), None);
    assert!(proposed.contains("kv/b"), "what it is about stays: {proposed}");

    // What is accepted stays in sight.
    answer("accept", "2026-01-31", &["--finding", &unused]);
    let (advice, proposed) = advise(folder);
    assert!(fingerprint(&advice, "unused-stanza", "kv/b").is_some() && !proposed.contains("kv/b"));
    assert!(advice.to_string().contains("Overdue"), "{advice}");
}

#[test]
fn a_decision_says_who_why_and_until_when() {
    let place = place();
    let stanza = ["--policy", "app", "--path", "kv/b"];
    for (more, word) in [
        (&["--owner", "ann", "--until", "2999-01-31"][..], "--reason"),
        (&["--reason", "r", "--until", "2999-01-31"], "--owner"),
        (&["--owner", "ann", "--reason", "r"], "--until"),
        (&["--owner", "ann", "--reason", "r", "--until", "soon"], "no date"),
    ] {
        let mut all = vec!["answer", "reject"];
        all.extend(stanza);
        all.extend(more);
        let output = run(place.path(), &all);
        assert_eq!(output.status.code(), Some(2));
        assert!(told(&output).contains(word), "{}", told(&output));
    }
    assert!(!place.path().join("vault-advisor.decisions.toml").exists());
    // A file that says what can't be stops every run: nothing is hidden by what nobody can read.
    fs::write(
        place.path().join("vault-advisor.decisions.toml"),
        "version = 1\n[[decisions]]\n",
    )
    .unwrap();
    let output = run(place.path(), &ADVISE);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(
        told(&output).contains("vault-advisor.decisions.toml"),
        "{}",
        told(&output)
    );
}

#[test]
fn each_run_leaves_a_line_and_the_next_says_what_is_new_gone_and_back() {
    let place = place();
    let folder = place.path();
    let summary = || fs::read_to_string(folder.join("out/summary.md")).unwrap();
    advise(folder);
    assert!(!summary().contains("Since the run of"), "{}", summary());
    fs::write(
        folder.join("policies/app.hcl"),
        "path \"kv/a\" {\n  capabilities = [\"read\"]\n}\n",
    )
    .unwrap();
    advise(folder);
    assert!(summary().contains("0 findings are new, 0 are back"), "{}", summary());
    fs::write(folder.join("policies/app.hcl"), POLICY).unwrap();
    let (advice, _) = advise(folder);
    let all = advice["findings"].as_array().unwrap().len();
    assert!(summary().contains("0 findings are new"), "{}", summary());
    let html = fs::read_to_string(folder.join("out/report.html")).unwrap();
    assert!(html.contains("Since the last run") && html.contains("run by run"));
    let lines = fs::read_to_string(folder.join("out/history.jsonl")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2]["fingerprints"].as_array().unwrap().len(), all);
    assert!(lines[0]["excess"].as_u64() > lines[1]["excess"].as_u64(), "{lines:?}");
    // What must be the same from run to run keeps no history.
    let mut again = ADVISE.to_vec();
    again.push("--reproducible");
    assert!(run(folder, &again).status.success());
    let lines = fs::read_to_string(folder.join("out/history.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 3);
}

#[test]
fn each_owner_has_a_page_of_its_own() {
    let place = place();
    let folder = place.path();
    fs::write(folder.join("policies/pay.hcl"), POLICY.replace("kv/", "pay/")).unwrap();
    fs::write(folder.join("policies/free.hcl"), POLICY.replace("kv/", "free/")).unwrap();
    let mut per_owner = ADVISE.to_vec();
    per_owner.push("--per-owner");
    let output = run(folder, &per_owner);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("[owners]"), "{}", told(&output));

    fs::write(folder.join("CODEOWNERS"), "/policies/app.hcl @acme/web\n").unwrap();
    let settings = "[owners]\ncodeowners = \"CODEOWNERS\"\n\n[[owners.of]]\nowner = \"pay\"\npaths = [\"pay/*\"]\n";
    fs::write(folder.join("vault-advisor.toml"), settings).unwrap();
    let output = run(folder, &per_owner);
    assert!(output.status.success(), "{}", told(&output));
    let read = |path: &str| fs::read_to_string(folder.join("out/owners").join(path)).unwrap();
    let there = |path: &str| folder.join("out/owners").join(path).exists();
    let index = read("README.md");
    assert!(
        index.contains("acme-web/summary.md") && index.contains("pay/summary.md"),
        "{index}"
    );
    assert!(read("acme-web/summary.md").contains("kv/b") && !read("acme-web/summary.md").contains("pay/b"));
    assert!(read("acme-web/findings.csv").contains("kv/b") && !read("acme-web/findings.csv").contains("pay/"));
    assert!(
        there("acme-web/diffs/app.hcl.diff") || there("acme-web/diffs/app.diff"),
        "{index}"
    );
    assert!(read("acme-web/report.html").contains("kv/b") && !read("acme-web/report.html").contains("pay/b"));
    assert!(read("pay/findings.csv").contains("pay") && !read("pay/findings.csv").contains("kv/"));
    assert!(read("nobody/findings.csv").contains("free"), "{index}");
}

#[test]
fn waves_concern_no_more_principals_than_they_may_and_teams_go_apart() {
    let place = place();
    let folder = place.path();
    let log = fs::read_to_string(folder.join("audit.log")).unwrap();
    let mut all = log.clone();
    for (n, name) in ["pay", "web"].iter().enumerate() {
        fs::write(folder.join(format!("policies/{name}.hcl")), POLICY).unwrap();
        all.push_str(
            &log.replace("\"app\"", &format!("\"{name}\""))
                .replace("token-ci", &format!("token-{name}"))
                .replace("-0000-4000-", &format!("-000{}-4000-", n + 1)),
        );
    }
    fs::write(folder.join("audit.log"), all).unwrap();
    let waves = |settings: &str| -> Vec<(String, usize)> {
        fs::write(folder.join("vault-advisor.toml"), settings).unwrap();
        advise(folder);
        let waves: Value = serde_json::from_slice(&fs::read(folder.join("out/waves.json")).unwrap()).unwrap();
        let waves = waves["waves"].as_array().unwrap().clone();
        let told = waves.iter().map(|wave| {
            let title = wave["title"].as_str().unwrap().to_owned();
            (title, wave["steps"].as_array().unwrap().len())
        });
        told.collect()
    };
    let whole = waves("");
    assert_eq!(whole.len(), 1, "{whole:?}");
    assert_eq!(whole[0].1, 3, "{whole:?}");
    let cut = waves("[waves]\nmost_principals = 2\n");
    assert_eq!(
        cut.iter().map(|(_, steps)| *steps).collect::<Vec<_>>(),
        [2, 1],
        "{cut:?}"
    );
    assert!(cut[0].0.ends_with("(1 of 2)"), "{cut:?}");
    let owners = "[waves]\nteams = true\n[[owners.of]]\nowner = \"pay\"\npolicies = [\"pay\"]\n";
    let apart = waves(owners);
    assert_eq!(apart.len(), 2, "{apart:?}");
    assert!(
        apart
            .iter()
            .any(|(title, steps)| title.ends_with(" of pay") && *steps == 1),
        "{apart:?}"
    );
}
