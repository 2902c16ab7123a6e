//! The whole story on a real server: traffic, snapshot, advice, apply, the same traffic again (nothing that worked fails), what
//! was taken away (all of it is denied), rollback (everything as before, byte for byte).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails loudly, and says what it skips"
)]

mod server;

use serde_json::{Value, json};
use server::Server;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const POLICIES: [(&str, &str); 5] = [
    (
        "team-web",
        "# The web team.\npath \"secret/data/web/*\" {\n  capabilities = [\"create\", \"read\", \"update\", \"delete\"]\n}\n\npath \"secret/metadata/web/*\" {\n  capabilities = [\"list\", \"delete\"]\n}\n",
    ),
    (
        "readers",
        "path \"secret/*\" {\n  capabilities = [\"read\", \"list\"]\n}\npath \"secret/data/pay/*\" {\n  capabilities = [\"deny\"]\n}\n",
    ),
    (
        "home",
        "path \"secret/data/home/{{identity.entity.name}}/*\" {\n  capabilities = [\"create\", \"read\", \"update\", \"delete\"]\n}\n",
    ),
    (
        "operators",
        "path \"sys/mounts*\" {\n  capabilities = [\"read\", \"list\"]\n}\npath \"sys/policies/acl/*\" {\n  capabilities = [\"create\", \"read\", \"update\", \"list\"]\n}\npath \"auth/approle/*\" {\n  capabilities = [\"create\", \"read\", \"update\", \"list\"]\n}\n",
    ),
    (
        "forgotten",
        "path \"secret/data/old/*\" {\n  capabilities = [\"read\"]\n}\n",
    ),
];

fn set_up(server: &Server) {
    for (name, text) in POLICIES {
        server.write(&format!("sys/policies/acl/{name}"), json!({ "policy": text }));
    }
    server.write("sys/auth/userpass", json!({"type": "userpass"}));
    server.write("sys/auth/approle", json!({"type": "approle"}));
    for (name, policies) in [
        ("app-web", "team-web"),
        ("app-report", "readers"),
        ("app-both", "team-web,readers"),
    ] {
        server.write(
            &format!("auth/approle/role/{name}"),
            json!({"token_policies": policies}),
        );
    }
    let mounts = server.ok("GET", "", "sys/auth", None);
    let accessor = mounts["data"]["userpass/"]["accessor"].as_str().unwrap().to_owned();
    for (name, policies) in [
        ("ann", json!(["home", "readers"])),
        ("bob", json!(["home", "operators"])),
    ] {
        server.write(
            &format!("auth/userpass/users/{name}"),
            json!({"password": "CANARY-password"}),
        );
        let entity = server.write("identity/entity", json!({"name": name, "policies": policies}));
        let id = entity["data"]["id"].as_str().unwrap();
        server.write(
            "identity/entity-alias",
            json!({"name": name, "canonical_id": id, "mount_accessor": accessor}),
        );
    }
    for path in ["web/a", "web/b", "web/c", "pay/a", "old/a", "shared/a", "shared/b"] {
        server.write(
            &format!("secret/data/{path}"),
            json!({"data": {"value": "CANARY-value"}}),
        );
    }
}

/// Logs in as everybody; a token by name.
fn log_in(server: &Server) -> BTreeMap<&'static str, String> {
    let mut tokens = BTreeMap::new();
    let token = |answer: &Value| answer["auth"]["client_token"].as_str().unwrap().to_owned();
    for name in ["app-web", "app-report", "app-both"] {
        let role = server.ok("GET", "", &format!("auth/approle/role/{name}/role-id"), None);
        let secret = server.write(&format!("auth/approle/role/{name}/secret-id"), json!({}));
        let answer = server.write(
            "auth/approle/login",
            json!({"role_id": role["data"]["role_id"], "secret_id": secret["data"]["secret_id"]}),
        );
        tokens.insert(name, token(&answer));
    }
    for name in ["ann", "bob"] {
        let answer = server.write(
            &format!("auth/userpass/login/{name}"),
            json!({"password": "CANARY-password"}),
        );
        tokens.insert(name, token(&answer));
    }
    tokens
}

/// What everybody does: who, method, path.
const TRAFFIC: [(&str, &str, &str); 16] = [
    ("app-web", "GET", "secret/data/web/a"),
    ("app-web", "GET", "secret/data/web/b"),
    ("app-web", "POST", "secret/data/web/new"),
    ("app-web", "GET", "secret/data/web/new"),
    ("app-web", "LIST", "secret/metadata/web"),
    ("app-web", "GET", "auth/token/lookup-self"),
    ("app-report", "GET", "secret/data/shared/a"),
    ("app-report", "GET", "secret/data/pay/a"),
    ("app-both", "GET", "secret/data/web/c"),
    ("app-both", "GET", "secret/data/shared/b"),
    ("ann", "POST", "secret/data/home/ann/note"),
    ("ann", "GET", "secret/data/home/ann/note"),
    ("bob", "POST", "secret/data/home/bob/note"),
    ("bob", "GET", "sys/mounts"),
    ("bob", "GET", "sys/policies/acl/readers"),
    ("bob", "LIST", "auth/approle/role"),
];

/// What nobody did, though today's policies allow it.
const EXCESS: [(&str, &str, &str); 7] = [
    ("app-web", "DELETE", "secret/data/web/a"),
    ("app-web", "DELETE", "secret/metadata/web/a"),
    ("app-report", "LIST", "secret/metadata/shared"),
    ("app-report", "GET", "secret/data/old/a"),
    ("ann", "GET", "secret/data/shared/c"),
    ("bob", "POST", "sys/policies/acl/home"),
    ("bob", "POST", "auth/approle/role/app-new"),
];

fn body(method: &str, path: &str) -> Option<Value> {
    (method == "POST").then(|| match path {
        p if p.starts_with("sys/policies") => json!({"policy": POLICIES[2].1}),
        p if p.starts_with("auth/approle") => json!({"token_policies": "readers"}),
        _ => json!({"data": {"value": "CANARY-value"}}),
    })
}

fn ask(server: &Server, tokens: &BTreeMap<&str, String>, list: &[(&str, &str, &str)]) -> Vec<u16> {
    list.iter()
        .map(|(who, method, path)| {
            server
                .send(&tokens[who], method, "", path, body(method, path).as_ref())
                .0
        })
        .collect()
}

fn policies(server: &Server) -> BTreeMap<String, String> {
    let names = server.ok("LIST", "", "sys/policies/acl", None);
    let names = names["data"]["keys"].as_array().unwrap().clone();
    names
        .iter()
        .map(|n| n.as_str().unwrap().to_owned())
        .filter(|n| n != "root")
        .map(|name| {
            let read = server.ok("GET", "", &format!("sys/policies/acl/{name}"), None);
            (name, read["data"]["policy"].as_str().unwrap().to_owned())
        })
        .collect()
}

fn program(server: &Server) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vault-advisor"));
    command
        .env("VAULT_ADDR", server.address())
        .env("VAULT_TOKEN", server.token())
        .env_remove("BAO_ADDR")
        .env_remove("BAO_TOKEN");
    command
}

fn fine(output: &Output) -> String {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}");
    text
}

fn script(server: &Server, path: &Path, arguments: &[&str]) {
    let output = Command::new("bash")
        .arg(path)
        .args(arguments)
        .env("VAULT_CLI", server::binary().unwrap())
        .env("VAULT_ADDR", server.address())
        .env("BAO_ADDR", server.address())
        .env("VAULT_TOKEN", server.token())
        .env("BAO_TOKEN", server.token())
        .output()
        .unwrap();
    fine(&output);
}

#[test]
fn what_worked_works_on_and_what_was_excess_is_denied() {
    let Some(server) = Server::start() else { return };
    set_up(&server);
    let tokens = log_in(&server);
    let before = ask(&server, &tokens, &TRAFFIC);
    assert_eq!(before[7], 403, "the deny of `readers` holds: {before:?}");
    assert_eq!(before.iter().filter(|s| **s >= 400).count(), 1, "{before:?}");

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let original = policies(&server);
    fine(
        &program(&server)
            .args(["snapshot", "--out"])
            .arg(at("deployment"))
            .output()
            .unwrap(),
    );
    fine(
        &program(&server)
            .args(["usage", "--logs"])
            .arg(server.audit_log())
            .arg("-o")
            .arg(at("usage.parquet"))
            .output()
            .unwrap(),
    );
    fine(
        &program(&server)
            .args(["advise", "--time-limit", "2s", "--usage"])
            .arg(at("usage.parquet"))
            .arg("--policies")
            .arg(at("deployment"))
            .arg("--deployment")
            .arg(at("deployment"))
            .arg("--out")
            .arg(at("out"))
            .output()
            .unwrap(),
    );
    let advice: Value = serde_json::from_slice(&fs::read(at("out").join("advice.json")).unwrap()).unwrap();
    for proposal in advice["proposals"].as_array().unwrap() {
        assert_eq!(proposal["proof"]["newly_denied"], 0);
        assert_eq!(proposal["proof"]["newly_granted"], 0);
    }
    assert!(!advice.to_string().contains("CANARY"), "a value came into the advice");

    script(&server, &at("out").join("apply.sh"), &["--yes"]);
    let tight = policies(&server);
    assert_ne!(tight, original);
    assert!(
        !tight.contains_key("forgotten"),
        "nobody held `forgotten`: {:?}",
        tight.keys()
    );
    assert_eq!(
        ask(&server, &tokens, &TRAFFIC),
        before,
        "what worked works on, with the tokens that are out"
    );
    let again = log_in(&server);
    assert_eq!(ask(&server, &again, &TRAFFIC), before, "and with new ones");
    let excess = ask(&server, &again, &EXCESS);
    assert!(
        excess.iter().all(|s| *s == 403),
        "what was taken away is denied: {excess:?} with {tight:#?}"
    );

    script(&server, &at("out").join("apply.sh"), &["--rollback", "--yes"]);
    assert_eq!(policies(&server), original, "byte for byte as before");
    let back = ask(&server, &again, &EXCESS);
    assert!(back.iter().all(|s| *s != 403), "all of it is allowed again: {back:?}");
}
