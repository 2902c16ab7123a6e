//! The main job from end to end, on the recorded log that is shipped: what it writes, what it proves, and how it fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn program() -> Command {
    let mut command = Command::cargo_bin("vault-advisor").unwrap();
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("NO_COLOR");
    command
}

fn advise(out: &Path) -> Command {
    let mut command = program();
    command
        .args([
            "advise",
            "--logs",
            "fixtures/acme/audit.log.gz",
            "--policies",
            "fixtures/acme/policies",
        ])
        .args([
            "--deployment",
            "fixtures/acme/deployment.json",
            "--time-limit",
            "5s",
            "--out",
        ])
        .arg(out);
    command
}

fn proposal<'a>(advice: &'a Value, kind: &str) -> &'a Value {
    advice["proposals"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["kind"] == kind)
        .unwrap_or_else(|| panic!("no proposal `{kind}`"))
}

#[test]
fn the_recorded_log_becomes_proven_advice() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report");
    advise(&out).assert().success();
    for file in [
        "report.html",
        "advice.json",
        "summary.md",
        "findings.sarif",
        "apply.sh",
        "policies/readers.hcl",
    ] {
        assert!(out.join(file).is_file(), "{file} is missing");
    }
    for folder in ["policies", "diffs", "roles", "terraform", "rollback"] {
        assert!(out.join(folder).is_dir(), "{folder}/ is missing");
    }
    let advice: Value = serde_json::from_slice(&fs::read(out.join("advice.json")).unwrap()).unwrap();
    for kind in ["tighten", "redesign"] {
        let p = proposal(&advice, kind);
        assert_eq!(p["proof"]["newly_denied"], 0, "{kind}");
        assert_eq!(p["proof"]["newly_granted"], 0, "{kind}");
        assert_eq!(p["proof"]["combinations"], p["proof"]["combinations_proven"], "{kind}");
        assert!(p["proof"]["demands_replayed"].as_u64().unwrap() > 50, "{kind}");
        assert!(
            p["after"]["exposure"].as_u64() < p["before"]["exposure"].as_u64(),
            "{kind} opens no less"
        );
    }
    assert!(
        !out.join("policies/unused-legacy.hcl").exists(),
        "what nobody holds is proposed to go"
    );
    uses_name_their_lines(&advice, &fs::read_to_string(out.join("report.html")).unwrap());
}

/// Whatever was asked names the line of its response: of one that was allowed, if any was.
fn uses_name_their_lines(advice: &Value, page: &str) {
    let log = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/acme/audit.log.gz")).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(&log[..]), &mut text).unwrap();
    let entries: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let principals = advice["principals"].as_array().unwrap();
    let uses = principals.iter().flat_map(|p| p["account"]["uses"].as_array().unwrap());
    let (mut seen, mut refused) = (0, 0);
    for one in uses {
        let line = one["example"]["line"].as_u64().unwrap();
        assert_eq!(one["example"]["file"], "fixtures/acme/audit.log.gz");
        let entry = &entries[usize::try_from(line).unwrap() - 1];
        let path = one["path"].as_str().unwrap().trim_end_matches(['/', '+']);
        assert!(entry["request"]["path"].as_str().unwrap().starts_with(path), "{one}");
        assert_eq!(entry["type"], "response", "{one}");
        assert!(one["denied"] != 0 || entry["time"] == one["last"], "{one} {entry}");
        let is_refused = entry["error"]
            .as_str()
            .is_some_and(|error| error.contains("permission denied"));
        assert_eq!(one["allowed"] == 0, is_refused, "{one} {entry}");
        seen += 1;
        refused += usize::from(is_refused);
    }
    assert!(seen > 300 && refused > 0, "{seen} {refused}");
    assert!(page.contains("Log line") && page.contains("fixtures/acme/audit.log.gz"));
}

#[test]
fn what_is_proposed_is_what_was_proven() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report");
    advise(&out).assert().success();
    let replay = program()
        .args([
            "replay",
            "--format",
            "json",
            "--logs",
            "fixtures/acme/audit.log.gz",
            "--policies",
        ])
        .arg(out.join("policies"))
        .args(["--deployment", "fixtures/acme/deployment.json"])
        .assert()
        .success();
    let replay: Value = serde_json::from_slice(&replay.get_output().stdout).unwrap();
    assert_eq!(
        replay["newly_denied"].as_array().unwrap().len(),
        0,
        "{}",
        replay["newly_denied"]
    );
    let compare = program()
        .args(["compare", "--format", "json", "fixtures/acme/policies"])
        .arg(out.join("policies"))
        .args(["--deployment", "fixtures/acme/deployment.json"])
        .assert();
    let compare: Value = serde_json::from_slice(&compare.get_output().stdout).unwrap();
    let combinations = compare["combinations"].as_array().unwrap();
    assert!(combinations.len() > 10);
    for combination in combinations {
        assert_eq!(combination["grants_nothing_new"], true, "{}", combination["holders"]);
    }
}

fn fails(arguments: &[&str], code: i32, words: &[&str]) {
    let assert = program().args(arguments).assert().code(code);
    let stderr = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    for word in words {
        assert!(stderr.contains(word), "`{word}` is not in: {stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

fn scratch(name: &str, text: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    fs::write(&file, text).unwrap();
    (folder, file)
}

#[test]
fn bad_input_says_what_where_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    let policies = "fixtures/acme/policies";
    fails(
        &["advise", "--logs", "none.log", "--policies", policies, "--out", out],
        2,
        &["none.log", "hint"],
    );
    let (_a, empty) = scratch("empty.log", b"");
    fails(
        &[
            "advise",
            "--logs",
            empty.to_str().unwrap(),
            "--policies",
            policies,
            "--out",
            out,
        ],
        3,
        &["no usable record", "hint"],
    );
    let (_b, text) = scratch("text.log", b"hello\nworld\n");
    fails(
        &[
            "advise",
            "--logs",
            text.to_str().unwrap(),
            "--policies",
            policies,
            "--out",
            out,
        ],
        3,
        &["no usable record", "skipped 2"],
    );
    let log = "fixtures/acme/audit.log.gz";
    let (nothing, _c) = scratch("README", b"x");
    fails(
        &[
            "advise",
            "--logs",
            log,
            "--policies",
            nothing.path().to_str().unwrap(),
            "--out",
            out,
        ],
        2,
        &["no policy in"],
    );
    let (_d, file) = scratch("file", b"x");
    let below = file.join("out");
    fails(
        &[
            "advise",
            "--logs",
            log,
            "--policies",
            policies,
            "--out",
            below.to_str().unwrap(),
        ],
        2,
        &["cannot write"],
    );
    fails(
        &["usage", "--logs", text.to_str().unwrap(), "--strict"],
        2,
        &["--strict", "text.log"],
    );
    fails(&["usage", "--logs", log, "--server", "vault-9"], 2, &["vault-9"]);
    assert!(!Path::new(out).exists(), "a failed run left something behind");
}

#[test]
fn a_broken_policy_is_named_and_the_others_work_on() {
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policies");
    fs::create_dir(&policies).unwrap();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/acme/policies")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, policies.join(path.file_name().unwrap())).unwrap();
    }
    fs::write(
        policies.join("team-web.hcl"),
        "path \"secret/*\" {\n  capability = [\"read\"]\n}\n",
    )
    .unwrap();
    let out = folder.path().join("out");
    let arguments = [
        "advise",
        "--time-limit",
        "2s",
        "--logs",
        "fixtures/acme/audit.log.gz",
        "--policies",
    ];
    let assert = program()
        .args(arguments)
        .arg(&policies)
        .arg("--out")
        .arg(&out)
        .assert()
        .success();
    let stderr = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(
        stderr.contains("team-web.hcl:2:") && stderr.contains("capabilities"),
        "{stderr}"
    );
    let advice: Value = serde_json::from_slice(&fs::read(out.join("advice.json")).unwrap()).unwrap();
    let notes = advice["run"]["notes"].to_string();
    assert!(notes.contains("team-web"), "{notes}");
    // Nothing is taken from those whose grants are unknown: policies that they hold stay as they are.
    let edited: Vec<&str> = proposal(&advice, "tighten")["policies"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["change"] != "keep")
        .filter_map(|p| p["name"].as_str())
        .collect();
    assert!(
        !edited.contains(&"readers") && !edited.contains(&"self-service"),
        "{edited:?}"
    );
    let strict = program()
        .args(arguments)
        .arg(&policies)
        .arg("--strict")
        .arg("--out")
        .arg(folder.path().join("o2"))
        .assert();
    strict.code(2);
}

#[test]
fn the_recorded_demands_are_the_true_ones() {
    let folder = tempfile::tempdir().unwrap();
    let usage = folder.path().join("usage.jsonl");
    program()
        .args(["usage", "--logs", "fixtures/acme/audit.log.gz", "-o"])
        .arg(&usage)
        .assert()
        .success();
    let truth: Value = serde_json::from_slice(
        &fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/acme/truth.json")).unwrap(),
    )
    .unwrap();
    let mut found = std::collections::BTreeMap::<String, std::collections::BTreeSet<(String, String)>>::new();
    for line in fs::read_to_string(&usage).unwrap().lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let path = row["path"].as_str().unwrap();
        let own = ["lookup-self", "renew-self", "revoke-self"]
            .iter()
            .any(|s| path.ends_with(s));
        if own || path.contains("/login") || row["allowed"] == 0 {
            continue;
        }
        let capability = match row["capability"].as_str().unwrap() {
            "create" | "update" => "write",
            other => other,
        };
        let path = if capability == "list" {
            path.trim_end_matches('/')
        } else {
            path
        };
        // A token that nobody logged in for is known by its display name.
        let name = row["principal_name"].as_str().unwrap();
        let name = name.strip_prefix("token-").unwrap_or(name);
        found
            .entry(name.to_owned())
            .or_default()
            .insert((capability.to_owned(), path.to_owned()));
    }
    for (name, did) in truth.as_object().unwrap() {
        let want: std::collections::BTreeSet<(String, String)> = did["allowed"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| {
                let (c, p) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
                (
                    c.to_owned(),
                    if c == "list" { p.trim_end_matches('/') } else { p }.to_owned(),
                )
            })
            .collect();
        assert_eq!(found.get(name).cloned().unwrap_or_default(), want, "{name}");
    }
}

#[test]
fn the_branch_of_the_changes_says_what_the_diffs_say() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("vault/texts")).unwrap();
    // The policies of one team each: a third in files of their own, a third in heredocs, a third behind `file()`.
    let mut main = String::new();
    let mut files: Vec<_> = fs::read_dir("fixtures/acme/policies")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for (n, file) in files.iter().enumerate() {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(file).unwrap();
        let resource = |text: &str| {
            format!("resource \"vault_policy\" \"p{n}\" {{\n  name   = \"{name}\"\n  policy = {text}\n}}\n\n")
        };
        match n % 3 {
            0 => fs::write(at(&format!("vault/{name}.hcl")), text).unwrap(),
            1 => {
                let lines: String = text
                    .replace("${", "$${")
                    .split_inclusive('\n')
                    .map(|line| {
                        if line.trim().is_empty() {
                            line.to_owned()
                        } else {
                            format!("    {line}")
                        }
                    })
                    .collect();
                main.push_str(&resource(&format!("<<-EOT\n{lines}  EOT")));
            }
            _ => {
                fs::write(at(&format!("vault/texts/{name}.txt")), text).unwrap();
                main.push_str(&resource(&format!("file(\"${{path.module}}/texts/{name}.txt\")")));
            }
        }
    }
    fs::write(at("vault/main.tf"), &main).unwrap();
    fs::write(at("CODEOWNERS"), "* @platform\n*.tf @infra #1\n").unwrap();
    let git = |arguments: &[&str]| {
        let done = std::process::Command::new("git")
            .current_dir(folder.path())
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(done.status.success(), "{arguments:?}: {done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "base"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    program()
        .current_dir(folder.path())
        .args([
            "advise",
            "--quiet",
            "--policies",
            "vault",
            "--time-limit",
            "5s",
            "--out",
            ".out",
        ])
        .arg("--logs")
        .arg(root.join("fixtures/acme/audit.log.gz"))
        .arg("--deployment")
        .arg(root.join("fixtures/acme/deployment.json"))
        .assert()
        .success();
    let read = |name: &str| fs::read_to_string(at(&format!(".out/pull-request/{name}"))).unwrap();
    // What all diffs together say.
    for diff in fs::read_dir(at(".out/diffs")).unwrap() {
        git(&["apply", "--whitespace=nowarn", diff.unwrap().path().to_str().unwrap()]);
    }
    let changed = git(&["diff", "--", "vault"]);
    assert!(changed.contains("vault/main.tf") && changed.contains("vault/texts/") && changed.contains(".hcl"));
    git(&["checkout", "-q", "--", "vault"]);
    let script = std::process::Command::new("sh")
        .current_dir(folder.path())
        .envs([("GIT_AUTHOR_NAME", "t"), ("GIT_AUTHOR_EMAIL", "t@example.com")])
        .envs([("GIT_COMMITTER_NAME", "t"), ("GIT_COMMITTER_EMAIL", "t@example.com")])
        .arg(".out/pull-request/make-branch.sh")
        .output()
        .unwrap();
    assert!(script.status.success(), "{script:?}");
    assert_eq!(git(&["branch", "--show-current"]), read("branch"));
    assert_eq!(git(&["diff", "main", "--", "vault"]), changed);
    // A commit for each wave and owner.
    let waves: Value = serde_json::from_slice(&fs::read(at(".out/waves.json")).unwrap()).unwrap();
    let owners = git(&["log", "--reverse", "--format=%s %b", "main..HEAD"]);
    let commits = git(&["rev-list", "--count", "main..HEAD"])
        .trim()
        .parse::<usize>()
        .unwrap();
    assert!(commits >= waves["waves"].as_array().unwrap().len(), "{owners}");
    assert!(owners.contains("wave 1") && owners.contains("Owner: %40platform") && owners.contains("Owner: %40infra"));
    // Nothing that a forge would act on.
    assert!(!owners.contains('@') && !owners.contains('#'), "{owners}");
    // The tree of every commit holds policies that can be read.
    for commit in git(&["rev-list", "main..HEAD"]).lines() {
        git(&["checkout", "-q", commit]);
        program()
            .current_dir(folder.path())
            .args(["lint", "--quiet", "vault"])
            .assert()
            .success();
    }
    assert!(read("body.md").chars().count() < 65_536 && read("title").lines().count() == 1);
}
