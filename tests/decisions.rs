//! What is decided by `answer` is honoured by `advise` and `check` alike, said, and over on its day.

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
