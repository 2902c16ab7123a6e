//! The gate from end to end: bases, Terraform, baselines, waivers, formats, exit status, and what runs it in CI.

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
use std::process::Output;

const READ: &str = "path \"secret/data/app\" {\n  capabilities = [\"read\"]\n}\n";
const WIDE: &str = "path \"secret/data/app\" {\n  capabilities = [\"read\"]\n}\npath \"secret/data/*\" {\n  capabilities = [\"update\"]\n}\n";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Runs `check` in `folder`.
fn check(folder: &Path, arguments: &[&str]) -> Output {
    Command::cargo_bin("vault-advisor")
        .unwrap()
        .current_dir(folder)
        .arg("check")
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

#[track_caller]
fn expect(folder: &Path, arguments: &[&str], status: i32, words: &[&str]) -> String {
    let output = check(folder, arguments);
    let text = told(&output);
    assert_eq!(output.status.code(), Some(status), "{text}");
    for word in words {
        assert!(text.contains(word), "no `{word}` in: {text}");
    }
    text
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    folder
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn git(folder: &Path, arguments: &[&str]) {
    let done = std::process::Command::new("git")
        .current_dir(folder)
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.com",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(arguments)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn new_access_is_told_with_a_witness() {
    let at = folder(&[("old/app.hcl", READ), ("new/app.hcl", WIDE)]);
    let policies = ["--policies", "new", "--base-dir", "old"];
    expect(
        at.path(),
        &policies,
        1,
        &[
            "high[new-access]",
            "`update secret/data/",
            "new/app.hcl:4:1",
            "check failed",
        ],
    );
    expect(
        at.path(),
        &["--policies", "old", "--base-dir", "new"],
        0,
        &["check passed"],
    );
    expect(
        at.path(),
        &["--policies", "old", "--base-dir", "old"],
        0,
        &["check passed"],
    );
    expect(
        at.path(),
        &["--policies", "new", "--base-dir", "old", "--fail-on", "critical"],
        0,
        &["new-access"],
    );
}

#[test]
fn a_deny_that_goes_opens_what_others_grant() {
    let deny = "path \"secret/data/prod/*\" {\n  capabilities = [\"deny\"]\n}\n";
    let wide = "path \"secret/data/+/key\" {\n  capabilities = [\"read\"]\n}\npath \"secret/data/*\" {\n  capabilities = [\"read\"]\n}\n";
    let people = r#"[{"id": "e1", "name": "ann", "policies": ["wide", "guard"]}]"#;
    let at = folder(&[
        ("old/guard.hcl", deny),
        ("old/wide.hcl", wide),
        (
            "new/guard.hcl",
            "path \"cubbyhole/x\" {\n  capabilities = [\"deny\"]\n}\n",
        ),
        ("new/wide.hcl", wide),
        ("people/entities.json", people),
    ]);
    expect(
        at.path(),
        &["--policies", "new", "--base-dir", "old", "--deployment", "people"],
        1,
        &["new-access", "secret/data/prod/"],
    );
}

#[test]
fn a_deployment_tells_which_mounts_are_of_kv_version_2() {
    let folder = folder(&[
        ("p/app.hcl", "path \"team/kv/app\" {\n  capabilities = [\"read\"]\n}\n"),
        (
            "people.json",
            r#"{"mounts":{"team/kv/":{"type":"kv","options":{"version":"2"},"accessor":"kv_1"}}}"#,
        ),
    ]);
    expect(folder.path(), &["--policies", "p"], 0, &[]);
    let known = ["--policies", "p", "--deployment", "people.json", "--fail-on", "low"];
    expect(folder.path(), &known, 1, &["kv2-without-data", "team/kv/data/app"]);
}

#[test]
fn a_base_is_read_from_git() {
    let at = folder(&[("policies/app.hcl", READ), ("policies/sub/x.hcl", READ)]);
    git(at.path(), &["init", "-q"]);
    git(at.path(), &["add", "-A"]);
    git(at.path(), &["commit", "-q", "-m", "one"]);
    expect(
        at.path(),
        &["--policies", "policies", "--base", "HEAD"],
        0,
        &["check passed"],
    );
    write(at.path(), &[("policies/app.hcl", WIDE)]);
    expect(
        at.path(),
        &["--policies", "policies", "--base", "HEAD"],
        1,
        &["new-access"],
    );
    expect(
        at.path(),
        &["--policies", "policies/app.hcl", "--base", "HEAD"],
        1,
        &["new-access"],
    );
    expect(
        &at.path().join("policies"),
        &["--policies", ".", "--base", "HEAD"],
        1,
        &["new-access"],
    );
    for wrong in ["no-such-revision", "--base=--output=x", "a..b"] {
        let flag = if wrong.starts_with("--") {
            wrong.to_owned()
        } else {
            format!("--base={wrong}")
        };
        expect(at.path(), &["--policies", "policies", &flag], 2, &["error"]);
    }
    assert!(!at.path().join("x").exists());
}

#[test]
fn usage_shows_what_is_too_much_and_an_empty_one_never_passes() {
    let at = folder(&[("empty.log", ""), ("not.log", "hello\n"), ("not.parquet", "hello\n")]);
    let policies = fixtures().join("acme/policies");
    let log = fixtures().join("acme/audit.log.gz");
    let (policies, log) = (policies.to_str().unwrap(), log.to_str().unwrap());
    expect(
        at.path(),
        &["--policies", policies, "--logs", log],
        1,
        &["unused-", "check failed"],
    );
    for (flag, file) in [
        ("--logs", "empty.log"),
        ("--logs", "not.log"),
        ("--logs", "gone.log"),
        ("--usage", "not.parquet"),
        ("--usage", "gone.parquet"),
    ] {
        expect(at.path(), &["--policies", policies, flag, file], 3, &["error"]);
    }
}

#[test]
fn a_baseline_survives_moved_lines_and_no_new_name() {
    let trap = "path \"secret/data/a*b\" {\n  capabilities = [\"read\"]\n}\n";
    let at = folder(&[("p/app.hcl", trap)]);
    let low = ["--policies", "p", "--fail-on", "info"];
    expect(at.path(), &low, 1, &["glob-in-middle"]);
    expect(at.path(), &["--policies", "p", "--write-baseline", "b.json"], 0, &[]);
    let with = ["--policies", "p", "--fail-on", "info", "--baseline", "b.json"];
    expect(at.path(), &with, 0, &["in the baseline"]);
    write(at.path(), &[("p/app.hcl", &format!("# more\n\n\n{trap}"))]);
    expect(at.path(), &with, 0, &["in the baseline"]);
    fs::rename(at.path().join("p/app.hcl"), at.path().join("p/other.hcl")).unwrap();
    // Who holds what goes by names.
    expect(at.path(), &with, 1, &["policy `other`"]);
    fs::rename(at.path().join("p/other.hcl"), at.path().join("p/app.hcl")).unwrap();
    write(at.path(), &[("p/more.hcl", &trap.replace("a*b", "c*d"))]);
    let text = expect(at.path(), &with, 1, &["c*d"]);
    assert!(!text.contains("a*b"), "{text}");
    write(at.path(), &[("b.json", "{}")]);
    expect(at.path(), &with, 2, &["is not a baseline"]);
}

#[test]
fn waivers_cover_until_their_day() {
    // A waiver counts once it has gone in: it is in the base.
    let waived = |day: &str, text: &str| {
        format!("# vault-advisor: allow new-access until {day} owner=team-a reason=the migration\n\n{text}")
    };
    let at = folder(&[]);
    let arguments = ["--policies", "new", "--base-dir", "old"];
    let both = |waiver: &dyn Fn(&str) -> String| {
        write(
            at.path(),
            &[("old/app.hcl", &waiver(READ)), ("new/app.hcl", &waiver(WIDE))],
        );
    };
    both(&|text| waived("9999-01-31", text));
    expect(at.path(), &arguments, 0, &["1 waived"]);
    both(&|text| waived("2020-01-31", text));
    expect(
        at.path(),
        &arguments,
        1,
        &["waiver-expired", "new-access", "ended on 2020-01-31", "team-a"],
    );
    both(&|text| waived("9999-01-31", text).replace("new-access", "repeated-path"));
    expect(at.path(), &arguments, 1, &["waiver-unused"]);
    both(&|text| waived("9999-01-31", text).replace("owner=team-a", ""));
    expect(at.path(), &arguments, 1, &["waiver-invalid", "`owner`"]);
    let settings = "[[waivers]]\nrule = \"new-access\"\nscope = \"app\"\nreason = \"r\"\nowner = \"o\"\nexpires = \"9999-01-31\"\n";
    both(&str::to_owned);
    write(at.path(), &[("vault-advisor.toml", settings)]);
    expect(at.path(), &arguments, 0, &["1 waived"]);
    write(at.path(), &[("vault-advisor.toml", &settings.replace("9999", "2020"))]);
    expect(at.path(), &arguments, 1, &["waiver-expired", "vault-advisor.toml:1:1"]);
}

#[test]
fn terraform_is_read_as_far_as_it_is_known() {
    let at = fixtures().join("check");
    let text = expect(
        &at,
        &["--policies", "terraform", "--fail-on", "info"],
        1,
        &[
            "`vault_policy.team` was not checked: its name cannot be worked out: variable `team`",
            "`vault_policy.filed` was not checked: its text cannot be worked out: `file(\"./filed.hcl\")`: there is no such file",
            "policy `wrong` cannot be used",
            "terraform/main.tf:23:",
            "2 policies checked",
        ],
    );
    assert!(!text.contains("vault_policy.web"), "{text}");
    expect(
        &at,
        &["--policies", "policies", "--fail-on", "info"],
        0,
        &["2 policies checked"],
    );
}

#[test]
fn a_budget_of_risk_is_held() {
    let at = folder(&[(
        "p/all.hcl",
        "path \"secret/*\" {\n  capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\"]\n}\n",
    )]);
    expect(
        at.path(),
        &["--policies", "p", "--max-risk", "0"],
        1,
        &["risk-over-budget"],
    );
    expect(at.path(), &["--policies", "p", "--max-risk", "100"], 0, &[]);
    expect(at.path(), &["--policies", "p", "--max-risk", "101"], 2, &["--max-risk"]);
    expect(at.path(), &["--policies", "p", "--budget", "much=1"], 2, &["--budget"]);
}

#[test]
fn every_format_is_what_it_says() {
    let at = folder(&[("old/app.hcl", READ), ("new/app.hcl", WIDE)]);
    let run = |format: &str| {
        let output = check(
            at.path(),
            &["--policies", "new", "--base-dir", "old", "-q", "--format", format],
        );
        assert_eq!(output.status.code(), Some(1), "{format}");
        String::from_utf8(output.stdout).unwrap()
    };
    let sarif: Value = serde_json::from_str(&run("sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "new-access");
    let gitlab: Value = serde_json::from_str(&run("gitlab")).unwrap();
    assert_eq!(gitlab[0]["location"]["path"], "new/app.hcl");
    assert_eq!(gitlab[0]["location"]["lines"]["begin"], 4);
    assert!(run("junit").contains("<failure type=\"high\""));
    assert!(run("github").starts_with("::error file=new/app.hcl,line=4,col=1,title=new-access (high)::"));
    assert!(run("markdown").contains("| high | new-access | `new/app.hcl:4` |"));
    let file = [
        "--policies",
        "new",
        "--base-dir",
        "old",
        "--format",
        "sarif",
        "-o",
        "out.sarif",
    ];
    assert_eq!(check(at.path(), &file).status.code(), Some(1));
    assert!(at.path().join("out.sarif").is_file());
}

/// The text of the block scalar that follows `key` in a YAML file.
/// Without usage and deployment nothing is known of holders and use: no format says that there are none.
#[test]
fn what_is_not_known_is_not_told_as_none() {
    let policy = "path \"sys/*\" {\n  capabilities = [\"create\", \"update\"]\n}\npath \"sys/policies/acl/x\" {\n  capabilities = [\"read\"]\n}\npath \"sys/policies/acl/x\" {\n  capabilities = [\"deny\"]\n}\n";
    let at = folder(&[("policies/ops.hcl", policy)]);
    for format in ["text", "sarif", "gitlab", "junit", "github", "markdown"] {
        let output = check(at.path(), &["--policies", "policies", "-q", "--format", format]);
        let text = told(&output);
        assert!(text.contains("wildcard-on-control-paths"), "{format}: {text}");
        for words in ["0 holder", "0 requests", "no request was made"] {
            assert!(!text.contains(words), "{format}: {text}");
        }
    }
}

fn script(file: &str, key: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let (_, after) = text.split_once(key).unwrap();
    let lines: Vec<&str> = after.lines().skip(1).collect();
    let indent = lines[0].len() - lines[0].trim_start().len();
    let inside = lines
        .iter()
        .take_while(|l| l.len() - l.trim_start().len() >= indent || l.trim().is_empty());
    inside.map(|l| format!("{}\n", l.get(indent..).unwrap_or(""))).collect()
}

fn shell(folder: &Path, script: &str, variables: &[(&str, &str)]) -> Output {
    let program = Command::cargo_bin("vault-advisor").unwrap().get_program().to_owned();
    let bin = Path::new(&program).parent().unwrap().to_owned();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    std::process::Command::new("bash")
        .current_dir(folder)
        .args(["-e", "-c", script])
        .env("PATH", path)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn what_runs_it_in_ci_runs() {
    let at = folder(&[("old/app.hcl", READ), ("new/app.hcl", WIDE)]);
    let action = script("action.yml", "}}\n      run: |");
    let summary = at.path().join("summary.md");
    let variables = |policies: &'static str| {
        [
            ("POLICIES", policies),
            ("BASE", ""),
            ("BASE_DIR", "old"),
            ("USAGE", ""),
            ("DEPLOYMENT", ""),
            ("BASELINE", ""),
            ("FAIL_ON", "medium"),
            ("MAX_RISK", ""),
            ("SARIF", "x.sarif"),
            ("PROGRAM", "vault-advisor"),
            ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()),
        ]
    };
    let output = shell(at.path(), &action, &variables("new"));
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(told(&output).contains("::error file=new/app.hcl"));
    assert!(at.path().join("x.sarif").is_file() && summary.is_file());
    assert_eq!(shell(at.path(), &action, &variables("old")).status.code(), Some(0));
    assert_eq!(shell(at.path(), &action, &variables("gone")).status.code(), Some(2));

    let gitlab = script("ci/gitlab.yml", "script:\n    - |");
    let variables = [
        ("POLICIES", "new"),
        ("FAIL_ON", "medium"),
        ("USAGE", ""),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", "old"),
    ];
    let output = shell(at.path(), &gitlab, &variables);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(at.path().join("gl-code-quality-report.json").is_file() && at.path().join("vault-advisor.xml").is_file());

    let hooks = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".pre-commit-hooks.yaml")).unwrap();
    let entry = hooks.lines().find_map(|l| l.trim().strip_prefix("entry: ")).unwrap();
    git(at.path(), &["init", "-q"]);
    git(at.path(), &["add", "-A"]);
    git(at.path(), &["commit", "-q", "-m", "one"]);
    let hook = format!("{entry} --policies new");
    assert_eq!(shell(at.path(), &hook, &[]).status.code(), Some(0));
    write(
        at.path(),
        &[("new/app.hcl", &WIDE.replace("secret/data/*", "secret/*"))],
    );
    assert_eq!(shell(at.path(), &hook, &[]).status.code(), Some(1));
}
