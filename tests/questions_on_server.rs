//! `generate` and `capabilities` on a real server, and the table of the engines' paths against what the server says of itself.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly, and says what it skips"
)]

mod server;

use serde_json::{Value, json};
use server::Server;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The server as `--server` names it.
fn version(server: &Server) -> String {
    let product = if server::binary().unwrap().ends_with("bao") {
        "openbao"
    } else {
        "vault"
    };
    let status = server.ok("GET", "", "sys/seal-status", None);
    format!("{product}@{}", status["version"].as_str().unwrap())
}

fn told(server: &Server, folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_vault-advisor"))
        .current_dir(folder)
        .args(arguments)
        .args(["--server", &version(server)])
        .arg("-q")
        .output()
        .unwrap();
    let (text, said) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{arguments:?}: {said}");
    text
}

fn body(path: &str) -> Value {
    match path {
        "sys/auth/approle" => json!({"type": "approle"}),
        "auth/approle/role/web" => json!({"token_policies": "web"}),
        path if path.starts_with("sys/policies") => {
            json!({"policy": "path \"secret/data/app/*\" { capabilities = [\"read\"] }"})
        }
        _ => json!({"data": {"value": "CANARY-value"}}),
    }
}

fn ask(server: &Server, token: &str, (method, path): (&str, &str)) -> u16 {
    let body = (method == "POST").then(|| body(path));
    server.send(token, method, "", path, body.as_ref()).0
}

/// What an operator does with a root token.
const DONE: [(&str, &str); 12] = [
    ("POST", "sys/auth/approle"),
    ("POST", "sys/policies/acl/web"),
    ("GET", "sys/policies/acl/web"),
    ("POST", "auth/approle/role/web"),
    ("POST", "secret/data/app/db"),
    ("POST", "secret/data/app/db"),
    ("GET", "secret/data/app/db"),
    ("GET", "secret/data/odd \"name"),
    ("LIST", "secret/metadata/app"),
    ("DELETE", "secret/data/app/db"),
    ("GET", "sys/audit"),
    ("GET", "sys/mounts"),
];

/// What it did not do.
const NOT_DONE: [(&str, &str); 10] = [
    ("GET", "secret/data/other"),
    ("GET", "secret/data/app/db2"),
    ("DELETE", "secret/metadata/app/db"),
    ("LIST", "secret/metadata/other"),
    ("LIST", "auth/approle/role"),
    ("GET", "auth/approle/role/web"),
    ("GET", "sys/auth"),
    ("POST", "sys/seal"),
    ("DELETE", "sys/policies/acl/web"),
    ("POST", "sys/policies/acl/other"),
];

fn address(path: &str) -> String {
    path.replace(' ', "%20").replace('"', "%22")
}

#[test]
fn the_policy_made_of_a_log_allows_what_was_done_and_nothing_else() {
    let Some(server) = Server::start() else { return };
    for (method, path) in DONE {
        let status = ask(&server, server.token(), (method, &address(path)));
        assert!(status < 400 || status == 404, "{method} {path}: {status}");
    }
    let folder = tempfile::tempdir().unwrap();
    let log = server.audit_log().display().to_string();
    for style in ["exact", "folders"] {
        let text = told(
            &server,
            folder.path(),
            &["generate", "--root", "--style", style, "--logs", &log],
        );
        assert!(!text.contains("CANARY"), "{text}");
        let name = format!("made-{style}");
        server.write(&format!("sys/policies/acl/{name}"), json!({"policy": text}));
        let token = server.token_with(&[&name]);
        for (method, path) in DONE {
            let status = ask(&server, &token, (method, &address(path)));
            // What is there already is a mistake (400), and no denial.
            assert_ne!(status, 403, "{method} {path} with: {text}");
        }
        for (method, path) in NOT_DONE {
            let status = ask(&server, &token, (method, path));
            if style == "exact" {
                assert_eq!(status, 403, "{method} {path} with: {text}");
            }
        }
    }
}

const POLICIES: [(&str, &str); 3] = [
    (
        "web",
        "path \"secret/data/web/*\" { capabilities = [\"read\", \"update\"] }\n\
         path \"secret/data/web/admin/*\" { capabilities = [\"deny\"] }\n\
         path \"secret/metadata/+/web\" { capabilities = [\"list\"] }\n\
         path \"kv/+/+/x\" { capabilities = [\"read\"] }\n\
         path \"kv/+/*\" { capabilities = [\"list\"] }\n",
    ),
    (
        "more",
        "path \"secret/data/web/*\" { capabilities = [\"delete\"] }\n\
         path \"sys/auth/*\" { capabilities = [\"sudo\", \"read\"] }\n\
         path \"secret/*\" { capabilities = [\"patch\", \"scan\"] }\n\
         path \"exact/path\" { capabilities = [\"create\"] }\n",
    ),
    (
        "narrow",
        "path \"secret/data/web/a/b\" { capabilities = [\"read\"] }\n\
         path \"exact/path\" { capabilities = [\"read\"] }\n\
         path \"secret/data/+/a/*\" { capabilities = [\"create\"] }\n",
    ),
];

/// A path that the pattern matches: its wildcards filled with these.
fn witness(pattern: &str, segment: &str, rest: &str) -> String {
    let (pattern, rest) = pattern.strip_suffix('*').map_or((pattern, ""), |start| (start, rest));
    let segments: Vec<&str> = pattern.split('/').map(|s| if s == "+" { segment } else { s }).collect();
    format!("{}{rest}", segments.join("/"))
}

fn matches(pattern: &str, path: &str) -> bool {
    let (start, open) = pattern
        .strip_suffix('*')
        .map_or((pattern, false), |start| (start, true));
    let (mut wanted, mut given) = (start.split('/').peekable(), path.split('/'));
    while let Some(want) = wanted.next() {
        let Some(have) = given.next() else { return false };
        let last = wanted.peek().is_none();
        let fits = want == "+" || want == have || (open && last && have.starts_with(want));
        if !fits {
            return false;
        }
    }
    open || given.next().is_none()
}

/// What the server says that a token may do, by path.
fn capabilities(server: &Server, token: &str, paths: &BTreeSet<String>) -> BTreeMap<String, Vec<String>> {
    let answer = server.write("sys/capabilities", json!({"token": token, "paths": paths}));
    let words = |value: &Value| {
        let mut words: Vec<String> = value
            .as_array()
            .unwrap()
            .iter()
            .map(|w| w.as_str().unwrap().to_owned())
            .collect();
        words.sort();
        words
    };
    paths
        .iter()
        .map(|path| (path.clone(), words(&answer["data"][path])))
        .collect()
}

#[test]
fn all_that_somebody_may_do_is_what_the_server_says() {
    let Some(server) = Server::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in POLICIES {
        server.write(&format!("sys/policies/acl/{name}"), json!({"policy": text}));
        fs::write(folder.path().join(format!("{name}.hcl")), text).unwrap();
    }
    let mut compared = 0;
    for set in [
        &["web"][..],
        &["web", "more"],
        &["web", "more", "narrow"],
        &["more", "narrow"],
    ] {
        let names = set.join(",");
        let asked = ["capabilities", "--as", &names, "--policies", "."];
        let rows: Value = serde_json::from_str(&told(
            &server,
            folder.path(),
            &[&asked[..], &["--format", "json"]].concat(),
        ))
        .unwrap();
        let rows = rows["rows"].as_array().unwrap();
        let whole = told(&server, folder.path(), &[&asked[..], &["--hcl"]].concat());
        server.write("sys/policies/acl/whole", json!({"policy": whole}));
        let (parts, one) = (server.token_with(set), server.token_with(&["whole"]));
        let patterns: Vec<&str> = rows.iter().map(|row| row["path"].as_str().unwrap()).collect();
        let paths: BTreeSet<String> = patterns
            .iter()
            .flat_map(|p| {
                ["zz", "web", "a"]
                    .into_iter()
                    .flat_map(move |s| [witness(p, s, "zz"), witness(p, s, "a/b"), witness(p, s, "")])
            })
            .filter(|path| !path.ends_with('/'))
            .collect();
        let said = capabilities(&server, &parts, &paths);
        assert_eq!(
            said,
            capabilities(&server, &one, &paths),
            "{names} as one policy: {whole}"
        );
        for row in rows {
            let pattern = row["path"].as_str().unwrap();
            let path = witness(pattern, "zz", "zz");
            // Where it alone matches, it decides.
            if patterns.iter().filter(|other| matches(other, &path)).count() != 1 {
                continue;
            }
            let mut words: Vec<&str> = row["capabilities"]
                .as_array()
                .unwrap()
                .iter()
                .map(|w| w.as_str().unwrap())
                .collect();
            words.sort_unstable();
            assert_eq!(said[&path], words, "{names}: {pattern}");
            compared += 1;
        }
    }
    assert!(compared >= 10, "only {compared} rows were compared");
}

/// Where each engine of the table is mounted here.
const MOUNTED: [(&str, &str, &str); 12] = [
    ("kv2", "", "secret/"),
    ("transit", "sys/mounts/transit", "transit/"),
    ("pki", "sys/mounts/pki", "pki/"),
    ("database", "sys/mounts/database", "database/"),
    ("ssh", "sys/mounts/ssh", "ssh/"),
    ("totp", "sys/mounts/totp", "totp/"),
    ("approle", "sys/auth/approle", "auth/approle/"),
    ("userpass", "sys/auth/userpass", "auth/userpass/"),
    ("kubernetes", "sys/auth/kubernetes", "auth/kubernetes/"),
    ("jwt", "sys/auth/jwt", "auth/jwt/"),
    ("token", "", "auth/token/"),
    ("system", "", "sys/"),
];

/// What the server's own description says that can be asked of a path.
fn described(methods: &Value) -> BTreeSet<&'static str> {
    let mut words = BTreeSet::new();
    for (method, about) in methods.as_object().unwrap() {
        match method.as_str() {
            "get" => {
                let parameters = about["parameters"].as_array().cloned().unwrap_or_default();
                let names: Vec<(&str, bool)> = parameters
                    .iter()
                    .map(|p| (p["name"].as_str().unwrap_or_default(), p["required"] == true))
                    .collect();
                let lists = names.iter().find(|(name, _)| *name == "list");
                let scans = names.iter().find(|(name, _)| *name == "scan");
                words.extend(lists.map(|_| "list"));
                words.extend(scans.map(|_| "scan"));
                // Where it has to be said that a list is wanted, nothing is read.
                if !lists.or(scans).is_some_and(|(_, required)| *required) {
                    words.insert("read");
                }
            }
            "post" | "put" => words.extend(["create", "update"]),
            "delete" => words.extend(["delete"]),
            "patch" => words.extend(["patch"]),
            "list" => words.extend(["list"]),
            "scan" => words.extend(["scan"]),
            _ => {}
        }
    }
    words
}

#[test]
fn nothing_that_the_server_can_be_asked_is_missing_in_the_table_of_engines() {
    let Some(server) = Server::start() else { return };
    for (kind, at, _) in MOUNTED {
        if !at.is_empty() {
            server.write(at, json!({"type": kind}));
        }
    }
    let document = server.ok("GET", "", "sys/internal/specs/openapi", None);
    let paths = document["paths"].as_object().unwrap();
    let table = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/policy/lint/engines.tsv")).unwrap();
    let mut rows = 0;
    let mut unknown = Vec::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [kind, pattern, words] = columns[..] else {
            panic!("{line}")
        };
        let (.., mount) = MOUNTED
            .iter()
            .find(|(of, ..)| *of == kind)
            .unwrap_or_else(|| panic!("{kind} is mounted nowhere"));
        let mut known: BTreeSet<&str> = words.split(',').collect();
        if known.contains("create") || known.contains("update") {
            known.extend(["create", "update"]);
        }
        let mut found = 0;
        for (path, methods) in paths {
            let Some(below) = path.strip_prefix('/').and_then(|path| path.strip_prefix(mount)) else {
                continue;
            };
            // A list has its `/` in the description; the stanza without it decides it as well.
            // A list has its `/` in the description, and may stand in it for any folder; the stanza without it decides it as well.
            let list = !pattern.ends_with('*') && words.split(',').all(|word| matches!(word, "list" | "scan"));
            let bare = pattern.trim_end_matches('/');
            if list && (matches(bare, below) || matches(&format!("{bare}/*"), below)) {
                found += 1;
            }
            let is_list = below.ends_with('/') && pattern == below.trim_end_matches('/');
            if !matches(pattern, below) && !is_list {
                continue;
            }
            found += 1;
            let asked = described(methods);
            let missing: Vec<&&str> = asked.difference(&known).collect();
            assert!(
                missing.is_empty(),
                "`{line}` lacks {missing:?}, which {path} can be asked"
            );
        }
        rows += 1;
        if found == 0 {
            unknown.push(line);
        }
    }
    // Some paths are of other versions; were many not found, nothing would have been compared.
    assert!(
        rows > 80 && unknown.len() * 20 < rows,
        "{} of {rows}: {unknown:?}",
        unknown.len()
    );
}
