//! A whole run on a log and policies written by an attacker: every output is still what its format says, and nothing of
//! theirs runs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed"
)]

#[path = "support/advice.rs"]
mod advice;
#[path = "support/browser.rs"]
mod browser;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use advice::HOSTILE;
use browser::Page;
use serde_json::{Value, json};
use vault_advisor::report::{escape, json as advice_json};

/// Each hostile string is a display name, a path, a policy's name and a value of the metadata.
fn write_log(file: &Path) {
    let mut lines = String::new();
    for (index, text) in HOSTILE.iter().enumerate() {
        let policy = if text.is_empty() { "empty" } else { text };
        for (kind, round) in [("request", 0), ("response", 0), ("request", 1), ("response", 1)] {
            let path = if round == 0 {
                format!("secret/data/{text}")
            } else {
                format!("{text}/data/x")
            };
            let entry = json!({
                "time": format!("2026-01-{:02}T10:00:00Z", index % 28 + 1),
                "type": kind,
                "auth": {
                    "client_token": format!("hmac-sha256:{index:064x}"),
                    "accessor": format!("hmac-sha256:{index:064x}"),
                    "display_name": text,
                    "policies": ["default", policy, "web"],
                    "token_policies": ["default", policy, "web"],
                    "policy_results": {"allowed": true, "granting_policies": [{"name": "web", "namespace_id": "root", "type": "acl"}]},
                    "metadata": {"username": text, "role_name": text, (*text): text},
                    "entity_id": format!("6d1f{index:04}-aaaa-bbbb-cccc-dddddddddddd{text}"),
                    "token_type": "service",
                },
                "request": {
                    "id": format!("{index}-{round}"),
                    "operation": "read",
                    "mount_type": "kv",
                    "mount_point": "secret/",
                    "client_token": format!("hmac-sha256:{index:064x}"),
                    "namespace": {"id": "root"},
                    "path": path,
                    "remote_address": text,
                },
            });
            lines.push_str(&entry.to_string());
            lines.push('\n');
        }
    }
    fs::write(file, lines).unwrap();
}

/// Policies with hostile paths and comments, in files whose names are as hostile as a file system lets them be.
fn write_policies(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("web.hcl"), "path \"secret/*\" {\n  capabilities = [\"create\", \"read\", \"list\"]\n}\npath \"+/data/*\" {\n  capabilities = [\"read\", \"delete\"]\n}\n").unwrap();
    fs::write(
        folder.join("default.hcl"),
        "path \"sys/*\" {\n  capabilities = [\"sudo\", \"update\"]\n}\n",
    )
    .unwrap();
    for text in HOSTILE.iter().filter(|text| !text.is_empty() && !text.contains('\0')) {
        let name: String = text.replace('/', "_").chars().take(60).collect();
        let quoted: String = text
            .chars()
            .map(|c| match c {
                '"' => String::from("\\\""),
                '\\' => String::from("\\\\"),
                '\n' => String::from("\\n"),
                '\r' => String::from("\\r"),
                '\t' => String::from("\\t"),
                '{' | '$' | '%' | '*' | '+' => String::from("_"),
                c if c.is_control() => String::from("_"),
                c => c.to_string(),
            })
            .collect();
        let comment = text.replace(['\n', '\r'], " ");
        let rules =
            format!("# {comment}\npath \"secret/data/x{quoted}\" {{\n  capabilities = [\"read\", \"update\"]\n}}\n");
        fs::write(folder.join(format!("{name}.hcl")), rules).unwrap();
    }
}

fn advise(dir: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vault-advisor"))
        .current_dir(dir)
        .args([
            "advise",
            "--logs",
            "audit.log",
            "--policies",
            "policies",
            "--time-limit",
            "0s",
            "--out",
            "out",
        ])
        .output()
        .unwrap()
}

fn no_control(what: &str, text: &str) {
    let found = text
        .chars()
        .find(|c| escape::is_deceptive(*c) && *c != '\n' && *c != '\t');
    assert_eq!(found, None, "{what}");
}

#[test]
fn every_output_of_a_hostile_run_is_inert() {
    let dir = tempfile::tempdir().unwrap();
    write_log(&dir.path().join("audit.log"));
    write_policies(&dir.path().join("policies"));
    let output = advise(dir.path());
    let (out, err) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(output.status.success(), "{err}");
    no_control("stdout", &out);
    no_control("stderr", &err);

    let folder = dir.path().join("out");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let document = advice_json::load(read("advice.json").as_bytes()).unwrap();
    assert!(
        document.principals.len() >= HOSTILE.len() - 2,
        "{}",
        document.principals.len()
    );
    assert!(document.proposals.iter().all(|proposal| proposal.proof.holds));
    let sarif: Value = serde_json::from_str(&read("findings.sarif")).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    for name in [
        "summary.md",
        "roles/README.md",
        "report.html",
        "apply.sh",
        "terraform/policies.tf",
    ] {
        no_control(name, &read(name));
    }
    for script in ["apply.sh", "roles/apply.sh", "rollback/restore.sh"] {
        let output = Command::new("bash")
            .arg(folder.join(script))
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{script}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        no_control(script, &String::from_utf8(output.stdout).unwrap());
    }
    assert!(!Path::new("/tmp/pwned").exists());
    // Nothing was written beside the three that were meant.
    let mut names: Vec<String> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().display().to_string())
        .collect();
    names.sort();
    assert_eq!(names, ["audit.log", "out", "policies"]);

    if Command::new("terraform").arg("version").output().is_ok() {
        let output = Command::new("terraform")
            .args(["fmt", "-check", "-diff", "-recursive", "out/terraform"])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    } else {
        browser::skip::skipped("no terraform");
    }

    let Some(chromium) = browser::find() else {
        return;
    };
    let mut page = Page::open(&chromium, &folder.join("report.html"), false);
    page.js("document.querySelectorAll('button.open').forEach((b) => b.click())");
    page.js("document.querySelectorAll('details').forEach((d) => { d.open = true; })");
    page.js("new Promise((done) => setTimeout(done, 200))");
    assert_eq!(page.js("document.title"), json!("Vault access review"));
    assert_eq!(page.js("document.querySelectorAll('script').length"), json!(2));
    assert_eq!(
        page.js("document.querySelectorAll('img, iframe, object, embed, form').length"),
        json!(0)
    );
    assert!(page.complaints.is_empty(), "{:#?}", page.complaints);
}

/// A deployment in which a token stands wherever a text may: names, ids, metadata, descriptions, owners. Each with its own letters, so
/// that what is told of one is found.
fn write_deployment_of_tokens(folder: &Path) {
    let token = |of: &str| format!("hvs.{of}AAAAAAAAAAAAAAAAAAAAAAAA");
    let mount = |path: &str, kind: &str| json!({"namespace": "", "path": path, "kind": kind, "accessor": token(kind), "kv_version": 2, "description": format!("with {} of", token("description"))});
    let role = |name: &str, policies: Value| json!({"namespace": "", "mount": "auth/userpass/", "kind": "userpass", "item": "user", "name": name, "policies": policies, "no_default_policy": true, "allowed_policies": [token("Allowed")]});
    let entity = |id: &str, user: &str| {
        json!({"namespace": "", "id": token(id), "name": token("entity"), "policies": [token("OfEntity")], "disabled": false,
            "metadata": {(token("key")): token("value"), "owner": token("owner")},
            "aliases": [{"id": token("alias"), "name": user, "mount_accessor": token("userpass"),
                "metadata": {(token("aliaskey")): token("aliasvalue")}, "custom_metadata": {(token("customkey")): token("customvalue")}}]})
    };
    let (ann, bob) = (token("ann"), token("bob"));
    let group = json!({"namespace": "", "id": token("groupid"), "name": token("group"), "policies": ["web"], "external": false,
        "member_entities": [token("e1")], "member_groups": [token("member")], "metadata": {(token("groupkey")): token("groupvalue")}});
    fs::create_dir_all(folder).unwrap();
    for (name, records) in [
        (
            "mounts.json",
            json!([
                mount(&format!("secret/{}/", token("mount")), "kv"),
                mount("secret/", "kv")
            ]),
        ),
        ("auth.json", json!([mount("auth/userpass/", "userpass")])),
        (
            "roles.json",
            json!([role(&ann, json!(["web"])), role(&bob, json!(["web", token("OfRole")]))]),
        ),
        ("entities.json", json!([entity("e1", &ann), entity("e2", &bob)])),
        ("groups.json", json!([group])),
        ("secrets.json", json!([format!("secret/data/{}", token("secret"))])),
        ("namespaces.json", json!([format!("{}/", token("namespace"))])),
    ] {
        fs::write(folder.join(name), records.to_string()).unwrap();
    }
}

/// The files of a folder and of those in it that have this text.
fn with_text(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(with_text(&path, text));
        } else if String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(text)
            || path.to_string_lossy().contains(text)
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn no_token_that_stands_in_a_deployment_or_in_settings_reaches_an_output() {
    let dir = tempfile::tempdir().unwrap();
    write_deployment_of_tokens(&dir.path().join("deployment"));
    fs::create_dir(dir.path().join("policies")).unwrap();
    let rules = "path \"secret/*\" {\n  capabilities = [\"create\", \"read\", \"list\"]\n}\npath \"sys/*\" {\n  capabilities = [\"sudo\", \"update\"]\n}\n";
    fs::write(dir.path().join("policies/web.hcl"), rules).unwrap();
    fs::write(dir.path().join("policies/other.hcl"), rules).unwrap();
    fs::write(
        dir.path().join("vault-advisor.toml"),
        "[owners]\nmetadata = \"owner\"\ncodeowners = \"CODEOWNERS\"\n\n[[owners.of]]\nowner = \"hvs.settingsAAAAAAAAAAAAAAAAAAAAAAAA\"\npolicies = [\"web\"]\n",
    )
    .unwrap();
    fs::write(
        dir.path().join("CODEOWNERS"),
        "other.hcl hvs.codeownersAAAAAAAAAAAAAAAA\n",
    )
    .unwrap();
    let mut lines = String::new();
    for (n, (id, user)) in (0..240).zip([("e1", "ann"), ("e2", "bob")].into_iter().cycle()) {
        let token = |of: &str| format!("hvs.{of}AAAAAAAAAAAAAAAAAAAAAAAA");
        let time = jiff::civil::date(2026, 1, 1)
            .checked_add(jiff::Span::new().days(n / 2))
            .unwrap();
        for kind in ["request", "response"] {
            let entry = json!({"time": format!("{time}T10:00:00Z"), "type": kind,
                "auth": {"accessor": format!("hmac-sha256:{n:064x}"), "display_name": format!("userpass-{}", token(user)), "policies": ["web"],
                    "token_policies": ["web"], "policy_results": {"allowed": true}, "metadata": {"username": token(user)}, "entity_id": token(id), "token_type": "service"},
                "request": {"id": format!("r{n}"), "operation": "read", "mount_type": "kv", "mount_point": "secret/", "namespace": {"id": "root"}, "path": "secret/data/app"}});
            lines.push_str(&entry.to_string());
            lines.push('\n');
        }
    }
    fs::write(dir.path().join("audit.log"), lines).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_vault-advisor"))
            .current_dir(dir.path())
            .args(arguments)
            .output()
            .unwrap();
        for said in [&output.stdout, &output.stderr] {
            let said = String::from_utf8_lossy(said);
            assert!(!said.contains("hvs."), "{arguments:?}: {said}");
        }
        output
    };
    let inputs = ["--policies", "policies", "--deployment", "deployment"];
    let logs = ["--config", "vault-advisor.toml", "--logs", "audit.log"];
    for _ in 0..2 {
        let advised = run(&[&["advise"], &inputs[..], &logs[..], &["--per-owner", "--out", "out"]].concat());
        assert!(advised.status.success(), "{}", String::from_utf8_lossy(&advised.stderr));
    }
    let known = with_text(&dir.path().join("out"), "(token-");
    assert!(known.iter().any(|file| file.ends_with("advice.json")), "{known:?}");
    run(&[&["who-can", "secret/data/app"], &inputs[..]].concat());
    run(&[&["explain", "read", "secret/data/app", "--as", "web"], &inputs[..2]].concat());
    run(&[&["check"], &inputs[..]].concat());
    assert_eq!(with_text(&dir.path().join("out"), "hvs."), Vec::<String>::new());
}
