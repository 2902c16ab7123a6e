//! What the stories of the unknown are told with: tokens and logs of many days, policies, a deployment, and what `advise` makes of them.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly, and each uses a part"
)]

use assert_cmd::Command;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

pub const DAYS: usize = 120;

/// A token in the log: its `auth` object.
pub struct Token {
    pub auth: Value,
}

impl Token {
    pub fn new(entity: &str, display_name: &str, policies: &[&str]) -> Self {
        let mut auth = json!({
            "accessor": format!("hmac-sha256:{entity}{display_name}"),
            "display_name": display_name,
            "policies": policies,
            "token_policies": policies,
            "token_type": "service",
        });
        if !entity.is_empty() {
            auth["entity_id"] = json!(entity);
        }
        Self { auth }
    }

    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.auth[key] = value;
        self
    }

    pub fn without_lists(mut self) -> Self {
        let auth = self.auth.as_object_mut().unwrap();
        auth.remove("policies");
        auth.remove("token_policies");
        self
    }

    /// As allowed by a policy of this namespace.
    pub fn granted(&self, policy: &str, (id, path): (&str, &str)) -> Value {
        let mut by = json!({"name": policy, "namespace_id": id, "type": "acl"});
        if !path.is_empty() {
            by["namespace_path"] = json!(path);
        }
        let mut auth = self.auth.clone();
        auth["policy_results"] = json!({"allowed": true, "granting_policies": [{"type": ""}, by]});
        auth
    }
}

pub const ROOT: (&str, &str) = ("root", "");
pub const TEAM: (&str, &str) = ("aB3xY", "team1/");

/// A log of many days, each request on each of them.
#[derive(Default)]
pub struct Log {
    pub requests: Vec<(Value, &'static str, &'static str, (&'static str, &'static str))>,
}

impl Log {
    pub fn asks(
        mut self,
        auth: Value,
        operation: &'static str,
        path: &'static str,
        namespace: (&'static str, &'static str),
    ) -> Self {
        self.requests.push((auth, operation, path, namespace));
        self
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        let start: jiff::civil::Date = "2026-03-01".parse().unwrap();
        for day in 0..DAYS {
            let date = start
                .checked_add(jiff::Span::new().days(i64::try_from(day).unwrap()))
                .unwrap();
            for (n, (auth, operation, path, (id, at))) in self.requests.iter().enumerate() {
                let namespace = if at.is_empty() {
                    json!({"id": id})
                } else {
                    json!({"id": id, "path": at})
                };
                for kind in ["request", "response"] {
                    let entry = json!({
                        "time": format!("{date}T08:{:02}:00Z", n % 60),
                        "type": kind,
                        "auth": auth,
                        "request": {
                            "id": format!("{day}-{n}"),
                            "operation": operation,
                            "mount_type": "kv",
                            "namespace": namespace,
                            "path": path,
                        },
                    });
                    text.push_str(&entry.to_string());
                    text.push('\n');
                }
            }
        }
        text
    }
}

pub fn stanza(path: &str, capabilities: &[&str]) -> String {
    format!("path \"{path}\" {{\n  capabilities = {}\n}}\n", json!(capabilities))
}

/// A log of which entries are changed, those of the requests of a number in each day.
pub fn changed(log: &Log, number: usize, change: impl Fn(&mut Value)) -> String {
    let lines = log.text();
    let lines = lines.lines().map(|line| {
        let mut entry: Value = serde_json::from_str(line).unwrap();
        if entry["request"]["id"]
            .as_str()
            .unwrap()
            .ends_with(&format!("-{number}"))
        {
            change(&mut entry);
        }
        entry.to_string() + "\n"
    });
    lines.collect()
}

/// A log of which every entry is changed.
pub fn every(log: &Log, change: impl Fn(&mut Value)) -> String {
    let lines = log.text();
    let lines = lines.lines().map(|line| {
        let mut entry: Value = serde_json::from_str(line).unwrap();
        change(&mut entry);
        entry.to_string() + "\n"
    });
    lines.collect()
}

/// Takes members out of an entry, by their pointers.
pub fn without(members: &[&str]) -> impl Fn(&mut Value) {
    move |entry| {
        for member in members {
            let (holder, name) = member.rsplit_once('/').unwrap();
            if let Some(holder) = entry.pointer_mut(holder).and_then(Value::as_object_mut) {
                holder.remove(name);
            }
        }
    }
}

/// What is given to the program.
pub struct Given {
    pub folder: TempDir,
    pub flags: Vec<&'static str>,
    /// What `--logs` names, where that is not the log given.
    pub logs: Option<String>,
}

impl Given {
    pub fn new(log: &str, policies: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("audit.log"), log).unwrap();
        for (file, text) in policies {
            let path = folder.path().join("policies").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self {
            folder,
            flags: Vec::new(),
            logs: None,
        }
    }

    pub fn with(mut self, flags: &[&'static str]) -> Self {
        self.flags.extend(flags);
        self
    }

    pub fn settings(self, text: &str) -> Self {
        fs::write(self.folder.path().join("policies/vault-advisor.toml"), text).unwrap();
        self
    }

    pub fn deployment(self, deployment: &Value) -> Self {
        fs::write(self.folder.path().join("deployment.json"), deployment.to_string()).unwrap();
        self
    }

    pub fn output(&self) -> std::process::Output {
        let at = |name: &str| self.folder.path().join(name);
        let mut command = Command::cargo_bin("vault-advisor").unwrap();
        command.args(["advise", "-q", "--time-limit", "1s", "--logs"]).arg(
            self.logs
                .clone()
                .unwrap_or_else(|| at("audit.log").display().to_string()),
        );
        command
            .arg("--policies")
            .arg(at("policies"))
            .arg("--out")
            .arg(at("out"))
            .args(&self.flags);
        if at("deployment.json").exists() {
            command.arg("--deployment").arg(at("deployment.json"));
        }
        command.output().unwrap()
    }

    pub fn run(&self) -> (std::process::Output, Value) {
        let output = self.output();
        (output, read(&self.folder.path().join("out/advice.json")))
    }

    /// What is said of a run that fails, before anything is written.
    pub fn fails(&self) -> String {
        let output = self.output();
        assert!(!output.status.success());
        assert!(!self.folder.path().join("out/advice.json").exists());
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Of each proposal the policies that would change, as `KIND NAMESPACE/NAME` and what happens.
    pub fn changes(&self) -> BTreeMap<String, String> {
        let (output, advice) = self.run();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut changes = BTreeMap::new();
        for proposal in advice["proposals"].as_array().unwrap() {
            let kind = proposal["kind"].as_str().unwrap();
            for policy in proposal["policies"].as_array().unwrap() {
                let change = policy["change"].as_str().unwrap();
                let space = policy["namespace"].as_str().unwrap_or_default();
                if change != "keep" {
                    changes.insert(
                        format!("{kind} {space}{}", policy["name"].as_str().unwrap()),
                        change.to_owned(),
                    );
                }
            }
        }
        changes
    }
}

pub fn read(path: &Path) -> Value {
    fs::read_to_string(path).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
}

pub fn default() -> String {
    stanza("auth/token/lookup-self", &["read"])
}

/// Two who each use a policy of their own, one of them for two things.
pub fn two() -> (Log, [(&'static str, String); 3]) {
    let (web, pay) = (
        Token::new("e-1", "kubernetes-web", &["web", "default"]),
        Token::new("e-2", "kubernetes-pay", &["pay", "default"]),
    );
    let log = Log::default()
        .asks(web.granted("web", ROOT), "read", "secret/data/web/db", ROOT)
        .asks(web.granted("web", ROOT), "update", "secret/data/web/db", ROOT)
        .asks(pay.granted("pay", ROOT), "read", "secret/data/pay/db", ROOT);
    let policies = [
        ("web.hcl", stanza("secret/data/web/*", &["read", "update", "delete"])),
        ("pay.hcl", stanza("secret/data/pay/*", &["read", "update"])),
        ("default.hcl", default()),
    ];
    (log, policies)
}

/// What `tighten` and `redesign` each leave of a policy: its text.
pub fn left(given: &Given, name: &str) -> Vec<String> {
    let (output, advice) = given.run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let of = |proposal: &Value| {
        let all = proposal["policies"].as_array().unwrap();
        let policy = all.iter().find(|policy| policy["name"] == name);
        policy.map_or(String::new(), |policy| {
            policy["text"].as_str().unwrap_or_default().to_owned()
        })
    };
    advice["proposals"].as_array().unwrap().iter().map(of).collect()
}

/// A role, user or group of an auth method, as a deployment has it.
pub fn role(mount: &str, kind: &str, item: &str, name: &str, policies: &[&str]) -> Value {
    json!({"namespace": "", "mount": mount, "kind": kind, "item": item, "name": name, "policies": policies})
}

pub fn approle(name: &str, policies: &[&str]) -> Value {
    role("auth/approle/", "approle", "role", name, policies)
}

/// A policy that is used, and one that nobody holds.
pub fn ci_and_old() -> [(&'static str, String); 3] {
    [
        ("ci.hcl", stanza("kv/*", &["read"])),
        ("old.hcl", stanza("kv/old/*", &["read"])),
        ("default.hcl", default()),
    ]
}

/// A deployment with one AppRole that hands out `ci`, and with these roles.
pub fn deployed(given: &Given, others: &[Value]) {
    deployed_with(given, others, &json!([]));
}

/// The same, with groups.
pub fn deployed_with(given: &Given, others: &[Value], groups: &Value) {
    let groups = groups.to_string();
    let log = fs::read_to_string(given.folder.path().join("audit.log")).unwrap();
    let entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let at_work: std::collections::BTreeSet<String> = entries
        .filter_map(|entry| Some(entry["auth"]["entity_id"].as_str()?.to_owned()))
        .filter(|id| !id.is_empty())
        .collect();
    let entities: Vec<Value> = at_work.iter().map(|id| json!({"id": id, "name": id})).collect();
    let entities = json!(entities).to_string();
    let ci = approle("ci", &["ci"]);
    let roles: Vec<&Value> = std::iter::once(&ci).chain(others).collect();
    // A folder stands in the place of the file.
    let folder = given.folder.path().join("deployment.json");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("roles.json"), json!(roles).to_string()).unwrap();
    for (name, text) in [
        (
            "auth.json",
            r#"[{"namespace":"","path":"auth/approle/","kind":"approle","accessor":"a","kv_version":null,"description":""}]"#,
        ),
        ("entities.json", entities.as_str()),
        ("groups.json", groups.as_str()),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}

/// Writes a text at a place.
pub fn put<'a>(member: &'a str, text: &'a str) -> impl Fn(&mut Value) + 'a {
    move |entry| {
        if let Some(value) = entry.pointer_mut(member) {
            *value = json!(text);
        }
    }
}
