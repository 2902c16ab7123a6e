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
        (&["--owner", "ann", "--reason", "r", "--until", "soon"], "not a date"),
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
    assert!(summary().contains(": no new findings"), "{}", summary());
    fs::write(folder.join("policies/app.hcl"), POLICY).unwrap();
    let (advice, _) = advise(folder);
    let all = advice["findings"].as_array().unwrap().len();
    assert!(
        !summary().contains(" new findings,") || summary().contains(": no new findings,"),
        "{}",
        summary()
    );
    let past = &advice["history"];
    assert_eq!(past["points"].as_array().unwrap().len(), 3);
    assert_eq!(past["points"][2]["findings"].as_u64(), Some(all as u64));
    assert!(
        past["gone"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["title"].is_string()),
        "{past}"
    );
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

/// Teams alike, of which the first was made tight before: months in which all read every other day, and nobody deletes.
fn teams() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("policies")).unwrap();
    let mut log = String::new();
    let teams = [
        "web", "pay", "ops", "hub", "geo", "sky", "sea", "ice", "sun", "oak", "elm", "ash",
    ];
    for (n, team) in teams.into_iter().enumerate() {
        let given = "path \"kv/web/*\" {\n  capabilities = [\"read\"]\n}\npath \"kv/web/a\" {\n  capabilities = [\"read\", \"delete\"]\n}\n";
        let whole = format!(
            "path \"kv/{team}/*\" {{\n  capabilities = [\"read\", \"delete\"]\n}}\npath \"sys/{team}\" {{\n  capabilities = [\"read\"]\n}}\n"
        );
        let text = if n == 0 { given } else { &whole };
        fs::write(folder.path().join(format!("policies/team-{team}.hcl")), text).unwrap();
        for day in (0..90).step_by(2) {
            let date = jiff::civil::date(2026, 1, 1).saturating_add(jiff::Span::new().days(day));
            for (m, path) in ["a", "b"].into_iter().enumerate() {
                for kind in ["request", "response"] {
                    let entry = serde_json::json!({
                        "time": format!("{date}T10:{n:02}:0{m}Z"), "type": kind,
                        "auth": {"client_token": "hmac-sha256:00", "accessor": format!("hmac-sha256:{n}"),
                            "display_name": format!("token-{team}"), "policies": [format!("team-{team}")],
                            "token_policies": [format!("team-{team}")], "policy_results": {"allowed": true},
                            "token_type": "service"},
                        "request": {"id": format!("{n:04x}{day:04x}-000{m}-4000-8000-000000000000"), "operation": "read",
                            "mount_type": "kv", "namespace": {"id": "root"}, "path": format!("kv/{team}/{path}")},
                    });
                    log.push_str(&format!("{entry}\n"));
                }
            }
        }
    }
    fs::write(folder.path().join("audit.log"), log).unwrap();
    folder
}

/// Of the change of each policy, and of each of its stanzas, how many wrong denials are expected, and why.
fn foreseen(folder: &Path, budget: &str) -> Vec<(String, f64, String)> {
    let mut arguments = ADVISE.to_vec();
    arguments.retain(|word| !["--horizon", "0"].contains(word));
    arguments.extend(["--budget", budget]);
    let output = run(folder, &arguments);
    assert!(output.status.success(), "{}", told(&output));
    let advice: Value = serde_json::from_slice(&fs::read(folder.join("out/advice.json")).unwrap()).unwrap();
    let proposals = advice["proposals"].as_array().unwrap();
    let tighten = proposals.iter().find(|one| one["kind"] == "tighten").unwrap();
    let reasons = tighten["policies"].as_array().unwrap().iter().flat_map(|policy| {
        let reasons = policy["reasons"].as_array().unwrap().iter();
        reasons.map(|reason| (policy["name"].as_str().unwrap(), reason.as_str().unwrap()))
    });
    let expected = reasons.filter_map(|(policy, reason)| {
        let (stanza, rest) = reason.split_once(": expected ")?;
        let (number, why) = rest.trim_start_matches("less than ").split_once(' ')?;
        Some((format!("{policy} {stanza}"), number.parse().unwrap(), why.to_owned()))
    });
    expected.collect()
}

/// A regression is a wrong denial that was seen: it makes others like it more likely, and what is not like it as likely as it was.
#[test]
fn what_was_given_back_raises_what_is_expected_of_its_like() {
    const WIDE: &str = "1000/10000";
    let place = teams();
    let folder = place.path();
    let given_back = |path: &str, missed: &str| {
        let text = format!(
            "version = 1\n\n[[decisions]]\nverdict = \"given-back\"\npolicy = \"team-web\"\npath = \"{path}\"\nowner = \"web\"\n\
             reason = \"r\"\nuntil = \"2026-01-31\"\n{missed}"
        );
        fs::write(folder.join("vault-advisor.decisions.toml"), text).unwrap();
    };
    let (before, small) = (foreseen(folder, WIDE), foreseen(folder, "10/10000"));
    assert_eq!(before.len(), 24, "{before:?}");
    // One that says nothing of what was missed tells of nothing, nor does what was missed of another kind.
    given_back("kv/web/a", "");
    assert_eq!(foreseen(folder, WIDE), before);
    given_back(
        "kv/all/a",
        "missed = [{ capability = \"delete\", policy = \"team-web\", path = \"kv/all/*\" }]\n",
    );
    assert_eq!(foreseen(folder, WIDE), before);
    // Its day is past, and it tells of its like all the same.
    given_back(
        "kv/web/a",
        "missed = [{ capability = \"delete\", policy = \"team-web\", path = \"kv/web/*\" }]\n",
    );
    let after = foreseen(folder, WIDE);
    let itself = |(stanza, ..): &(String, f64, String)| stanza == "team-web `kv/web/a`";
    assert!(before.iter().any(itself) && !after.iter().any(itself), "{after:?}");
    let others: Vec<_> = before.iter().filter(|one| !itself(one)).collect();
    assert_eq!(others.len(), after.len(), "{after:?}");
    for ((stanza, before, why), (same, after, because)) in others.into_iter().zip(&after) {
        assert_eq!(stanza, same);
        // What all others may delete; what is read by the tight one is of another kind.
        if stanza.contains("`kv/") && !stanza.ends_with("`kv/web/*`") {
            assert!(*after > 1.5 * before, "{stanza}: {before} and {after}");
            assert!(
                because.contains("and 1 that had been taken away had to be given back"),
                "{because}"
            );
        } else {
            assert_eq!((before, why), (after, because), "{stanza}");
        }
    }
    // Within what may be denied there is room for fewer of them.
    let fewer = foreseen(folder, "10/10000");
    assert!(fewer.len() < small.len(), "{small:?} and {fewer:?}");
}
