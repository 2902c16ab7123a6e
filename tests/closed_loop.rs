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

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use server::{Server, fine};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

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
    let mut people = Vec::new();
    for (name, by_user, policies) in [
        ("ann", "readers", json!(["home"])),
        ("bob", "", json!(["home", "operators"])),
    ] {
        server.write(
            &format!("auth/userpass/users/{name}"),
            json!({"password": "CANARY-password", "token_policies": by_user}),
        );
        let entity = server.write("identity/entity", json!({"name": name, "policies": policies}));
        let id = entity["data"]["id"].as_str().unwrap();
        server.write(
            "identity/entity-alias",
            json!({"name": name, "canonical_id": id, "mount_accessor": accessor}),
        );
        people.push(id.to_owned());
    }
    server.write(
        "identity/group",
        json!({"name": "web", "policies": ["team-web"], "member_entity_ids": people}),
    );
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
const TRAFFIC: [(&str, &str, &str); 17] = [
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
    ("ann", "GET", "secret/data/web/a"),
    ("bob", "POST", "secret/data/home/bob/note"),
    ("bob", "GET", "sys/mounts"),
    ("bob", "GET", "sys/policies/acl/readers"),
    ("bob", "LIST", "auth/approle/role"),
];

/// What nobody did, though today's policies allow it.
const EXCESS: [(&str, &str, &str); 8] = [
    ("app-web", "DELETE", "secret/data/web/a"),
    ("app-web", "DELETE", "secret/metadata/web/a"),
    ("app-report", "LIST", "secret/metadata/shared"),
    ("app-report", "GET", "secret/data/old/a"),
    ("ann", "GET", "secret/data/shared/c"),
    ("bob", "DELETE", "secret/metadata/web/a"),
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

/// A running watch; dropping it kills it.
struct Watch(Child);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A server on which people worked, and what the program says of it.
struct Story {
    server: Server,
    folder: tempfile::TempDir,
    tokens: BTreeMap<&'static str, String>,
    /// The answers to the traffic.
    before: Vec<u16>,
}

impl Story {
    /// From set-up to advice; none where there is no server to start.
    fn begin() -> Option<Self> {
        let server = Server::start()?;
        set_up(&server);
        let tokens = log_in(&server);
        let before = ask(&server, &tokens, &TRAFFIC);
        assert_eq!(before[7], 403, "the deny of `readers` holds: {before:?}");
        assert_eq!(before.iter().filter(|s| **s >= 400).count(), 1, "{before:?}");
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let run = |command: &mut Command| fine(&command.output().unwrap());
        // The server tells its time in whole seconds: what is of the same second may be later.
        thread::sleep(Duration::from_secs(1));
        run(server.program().args(["snapshot", "--out"]).arg(at("deployment")));
        run(server
            .program()
            .args(["usage", "--logs"])
            .arg(server.audit_log())
            .arg("-o")
            .arg(at("usage.parquet")));
        run(server
            .program()
            .args(["advise", "--horizon", "0", "--time-limit", "2s", "--usage"])
            .arg(at("usage.parquet"))
            .arg("--policies")
            .arg(at("deployment"))
            .arg("--deployment")
            .arg(at("deployment"))
            .arg("--out")
            .arg(at("out")));
        let advice: Value = serde_json::from_slice(&fs::read(at("out").join("advice.json")).unwrap()).unwrap();
        for proposal in advice["proposals"].as_array().unwrap() {
            assert_eq!(proposal["proof"]["newly_denied"], 0);
            assert_eq!(proposal["proof"]["newly_granted"], 0);
        }
        assert!(!advice.to_string().contains("CANARY"), "a value came into the advice");
        Some(Self {
            server,
            folder,
            tokens,
            before,
        })
    }

    /// Who is denied because of what was applied; with what gives it back in a folder of that name.
    fn regressions(&self, back: &str) -> (Option<i32>, Value) {
        self.regressions_of("out", back)
    }

    fn regressions_of(&self, applied: &str, back: &str) -> (Option<i32>, Value) {
        let at = |name: &str| self.folder.path().join(name);
        let output = self
            .server
            .program()
            .args([
                "regressions",
                "--quiet",
                "--format",
                "json",
                "--remember",
                "--decisions",
            ])
            .arg(at("vault-advisor.decisions.toml"))
            .arg("--applied")
            .arg(at(applied))
            .arg("--logs")
            .arg(self.server.audit_log())
            .arg("--deployment")
            .arg(at("deployment"))
            .arg("--out")
            .arg(at(back))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let found = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {text}"));
        (output.status.code(), found)
    }

    /// The regressions that it tells, until there are as many: by the id of each, so that one told twice is one.
    fn told(events: &Receiver<Value>, count: usize) -> BTreeMap<String, Value> {
        let asked = Instant::now();
        let mut told = BTreeMap::new();
        while told.len() < count {
            // It says so within seconds; a machine that is busy gets more.
            let left = Duration::from_secs(60).saturating_sub(asked.elapsed());
            let event = events.recv_timeout(left);
            let event = event.unwrap_or_else(|_| panic!("only {told:?} in a minute"));
            if event["kind"] == "regression" {
                told.insert(event["id"].as_str().unwrap().to_owned(), event);
            }
        }
        eprintln!("watch told {count} after {:?}", asked.elapsed());
        told
    }

    /// A watch on what was applied: its events as they come.
    fn watch(&self) -> (Watch, Receiver<Value>) {
        let at = |name: &str| self.folder.path().join(name);
        let mut child = self
            .server
            .program()
            .args([
                "watch",
                "--quiet",
                "--format",
                "json",
                "--commit-every",
                "0.2s",
                "--logs",
            ])
            .arg(self.server.audit_log())
            .arg("--state")
            .arg(at("state"))
            .arg("--applied")
            .arg(at("out"))
            .arg("--deployment")
            .arg(at("deployment"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (to, events) = channel();
        thread::spawn(move || {
            for line in lines {
                if to.send(serde_json::from_str(&line.unwrap()).unwrap()).is_err() {
                    return;
                }
            }
        });
        (Watch(child), events)
    }

    fn give_back(&self, arguments: &[&str]) {
        self.server
            .script(&self.folder.path().join("back/restore.sh"), arguments);
    }

    fn script(&self, path: &str, arguments: &[&str]) {
        self.server
            .script(&self.folder.path().join("out").join(path), arguments);
    }

    /// What was taken away is denied.
    fn excess_is_denied(&self, tokens: &BTreeMap<&str, String>) {
        let excess = ask(&self.server, tokens, &EXCESS);
        assert!(
            excess.iter().all(|s| *s == 403),
            "what was taken away is denied: {excess:?} with {:#?}",
            policies(&self.server)
        );
    }

    fn excess_is_allowed(&self, tokens: &BTreeMap<&str, String>) {
        let back = ask(&self.server, tokens, &EXCESS);
        assert!(back.iter().all(|s| *s != 403), "all of it is allowed again: {back:?}");
    }
}

#[test]
fn what_worked_works_on_and_what_was_excess_is_denied() {
    let Some(story) = Story::begin() else { return };
    let server = &story.server;
    let original = policies(server);
    story.script("apply.sh", &["--yes"]);
    let tight = policies(server);
    assert_ne!(tight, original);
    assert!(
        !tight.contains_key("forgotten"),
        "nobody held `forgotten`: {:?}",
        tight.keys()
    );
    assert_eq!(
        ask(server, &story.tokens, &TRAFFIC),
        story.before,
        "what worked works on, with the tokens that are out"
    );
    let again = log_in(server);
    assert_eq!(ask(server, &again, &TRAFFIC), story.before, "and with new ones");
    story.excess_is_denied(&again);

    story.script("apply.sh", &["--rollback", "--yes"]);
    assert_eq!(policies(server), original, "byte for byte as before");
    story.excess_is_allowed(&again);
}

/// What auth roles, entities and groups hand out.
fn handed_out(server: &Server) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut read = |path: String, field: &str| {
        let answer = server.ok("GET", "", &path, None);
        let mut list = answer["data"][field].clone();
        // To the server a list is a set: it gives the same policies in whatever order they were written.
        if let Some(names) = list.as_array_mut() {
            names.sort_by_key(ToString::to_string);
        }
        found.insert(path, list);
    };
    for name in ["app-web", "app-report", "app-both"] {
        read(format!("auth/approle/role/{name}"), "token_policies");
    }
    for name in ["ann", "bob"] {
        read(format!("auth/userpass/users/{name}"), "token_policies");
        read(format!("identity/entity/name/{name}"), "policies");
    }
    read("identity/group/name/web".to_owned(), "policies");
    found
}

#[test]
fn the_redesign_is_brought_to_roles_entities_and_groups() {
    let Some(story) = Story::begin() else { return };
    let server = &story.server;
    let (original, places) = (policies(server), handed_out(server));
    story.script("roles/apply.sh", &["--check"]);
    story.script("roles/apply.sh", &["--yes"]);
    assert_eq!(
        ask(server, &story.tokens, &TRAFFIC),
        story.before,
        "half the way, with the tokens that are out"
    );
    let halfway = log_in(server);
    assert_eq!(ask(server, &halfway, &TRAFFIC), story.before, "and with new ones");
    story.script("roles/apply.sh", &["--finish", "--yes"]);
    let again = log_in(server);
    // A policy that somebody looks at may be gone by now: that is an answer, and no denial.
    let denied = |answers: &[u16]| answers.iter().map(|status| *status == 403).collect::<Vec<_>>();
    assert_eq!(
        denied(&ask(server, &again, &TRAFFIC)),
        denied(&story.before),
        "all the way"
    );
    story.excess_is_denied(&again);
    what_the_redesign_took_is_noticed_and_given_back(&story, &again);
    let now = handed_out(server);
    assert_ne!(
        now["identity/group/name/web"], places["identity/group/name/web"],
        "{now:?}"
    );
    assert_ne!(
        now["auth/userpass/users/ann"], places["auth/userpass/users/ann"],
        "{now:?}"
    );

    story.script("roles/apply.sh", &["--rollback", "--yes"]);
    assert_eq!(policies(server), original, "byte for byte as before");
    assert_eq!(handed_out(server), places);
    story.excess_is_allowed(&log_in(server));
}

/// What a role, an entity or a group does not hand out any more is a regression too, and goes to a policy that its holder has.
fn what_the_redesign_took_is_noticed_and_given_back(story: &Story, tokens: &BTreeMap<&str, String>) {
    let (code, found) = story.regressions_of("out/roles", "back");
    assert_eq!(code, Some(1), "{found:#}");
    let wanted = EXCESS[0];
    let regressions = found["regressions"].as_array().unwrap();
    let one = regressions
        .iter()
        .find(|one| one["path"] == wanted.2 && one["capability"] == "delete")
        .unwrap_or_else(|| panic!("{found:#}"));
    assert!(one["restore"]["policy"].is_string(), "{found:#}");
    story.give_back(&["--yes"]);
    assert!(ask(&story.server, tokens, &[wanted])[0] != 403, "{found:#}");
    let denied = |answers: &[u16]| answers.iter().map(|status| *status == 403).collect::<Vec<_>>();
    assert_eq!(denied(&ask(&story.server, tokens, &TRAFFIC)), denied(&story.before));
    story.give_back(&["--rollback", "--yes"]);
}

#[test]
fn what_hurts_is_noticed_and_given_back() {
    let Some(story) = Story::begin() else { return };
    let server = &story.server;
    let original = policies(server);
    let waves: Value = serde_json::from_slice(&fs::read(story.folder.path().join("out/waves.json")).unwrap()).unwrap();
    let waves = waves["waves"].as_array().unwrap().len();
    assert!(waves > 1, "{waves}");
    for wave in 1..=waves {
        story.script("apply.sh", &["--wave", &wave.to_string(), "--yes"]);
        assert_eq!(ask(server, &story.tokens, &TRAFFIC), story.before, "after wave {wave}");
    }
    // `pay` was denied before: its denial is nobody's fault.
    let (code, found) = story.regressions("none");
    assert_eq!(
        (code, found["regressions"].as_array().unwrap().len()),
        (Some(0), 0),
        "{found}"
    );
    assert_eq!(found["waves"][0]["verdict"], "as promised");

    // Something that was thought to be excess is wanted after all.
    let wanted = [EXCESS[0], EXCESS[3]];
    let (watch, events) = story.watch();
    assert_eq!(ask(server, &story.tokens, &wanted), [403, 403]);
    let told = Story::told(&events, wanted.len());
    let told: BTreeSet<(String, String)> = told
        .values()
        .map(|event| {
            ["path", "policy"]
                .map(|key| event[key].as_str().unwrap().to_owned())
                .into()
        })
        .collect();
    let expected = [("secret/data/old/a", "readers"), ("secret/data/web/a", "team-web")];
    assert_eq!(
        told,
        expected
            .map(|(path, policy)| (path.to_owned(), policy.to_owned()))
            .into()
    );
    drop(watch);
    let (code, found) = story.regressions("back");
    assert_eq!(code, Some(1), "{found}");
    let regressions = found["regressions"].as_array().unwrap();
    assert_eq!(regressions.len(), 2, "{found}");
    for (path, capability, policy) in [
        ("secret/data/web/a", "delete", "team-web"),
        ("secret/data/old/a", "read", "readers"),
    ] {
        let one = regressions.iter().find(|one| one["path"] == path).unwrap();
        assert_eq!(one["capability"], capability, "{one}");
        assert_eq!(one["policy"], policy, "{one}");
        assert_eq!(one["count"], 1, "{one}");
        assert!(one["restore"]["stanza"].as_str().unwrap().contains(capability), "{one}");
        let wave = usize::try_from(one["wave"].as_u64().unwrap()).unwrap();
        assert_eq!(found["waves"][wave - 1]["verdict"], "worse than promised");
    }

    let tight = policies(server);
    story.give_back(&["--yes"]);
    assert!(ask(server, &story.tokens, &wanted).iter().all(|status| *status != 403));
    let denied = |answers: &[u16]| answers.iter().map(|status| *status == 403).collect::<Vec<_>>();
    assert_eq!(denied(&ask(server, &story.tokens, &TRAFFIC)), denied(&story.before));
    let rest: Vec<_> = EXCESS.iter().copied().filter(|one| !wanted.contains(one)).collect();
    assert!(
        ask(server, &story.tokens, &rest).iter().all(|status| *status == 403),
        "no more than that"
    );
    let (_, found) = story.regressions("again");
    let answered = |one: &Value| wanted.iter().any(|(_, _, path)| one["path"] == *path) == (one["answered"] == true);
    assert!(found["regressions"].as_array().unwrap().iter().all(answered), "{found}");

    story.give_back(&["--rollback", "--yes"]);
    assert_eq!(policies(server), tight);
    story.script("apply.sh", &["--rollback", "--yes"]);
    assert_eq!(policies(server), original, "byte for byte as before");
}

#[test]
fn two_policies_of_one_name_are_two() {
    let Some(server) = Server::start() else { return };
    let (status, _) = server.send(server.token(), "POST", "", "sys/namespaces/team-b", Some(&json!({})));
    if status >= 400 {
        server::skip::skipped("the server has no namespaces");
        return;
    }
    let text = "path \"kv/a\" {\n  capabilities = [\"read\"]\n}\n\npath \"kv/b\" {\n  capabilities = [\"read\"]\n}\n";
    let mut tokens = BTreeMap::new();
    for namespace in ["", "team-b"] {
        let write = |path: &str, body: Value| server.ok("POST", namespace, path, Some(&body));
        write("sys/mounts/kv", json!({"type": "kv", "options": {"version": "1"}}));
        write("sys/policies/acl/app", json!({ "policy": text }));
        for path in ["kv/a", "kv/b"] {
            write(path, json!({"v": "CANARY-value"}));
        }
        let answer = write(
            "auth/token/create",
            json!({"policies": ["app"], "no_default_policy": true, "display_name": format!("{namespace}-svc")}),
        );
        tokens.insert(namespace, answer["auth"]["client_token"].as_str().unwrap().to_owned());
    }
    let ask = |namespace: &str, path: &str| server.send(&tokens[namespace], "GET", namespace, path, None).0;
    for (namespace, path) in [("", "kv/a"), ("", "kv/b"), ("team-b", "kv/a")] {
        assert_eq!(ask(namespace, path), 200);
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fine(
        &server
            .program()
            .args(["snapshot", "--out"])
            .arg(at("snap"))
            .output()
            .unwrap(),
    );
    let advise = |policies: &Path, out: &Path| {
        fine(
            &server
                .program()
                .args(["advise", "--horizon", "0", "--time-limit", "1s", "--logs"])
                .arg(server.audit_log())
                .arg("--policies")
                .arg(policies)
                .arg("--deployment")
                .arg(at("snap"))
                .arg("--out")
                .arg(out)
                .output()
                .unwrap(),
        )
    };
    advise(&at("snap"), &at("out"));
    server.script(&at("out/apply.sh"), &["--yes"]);
    assert_eq!(
        [ask("", "kv/a"), ask("", "kv/b"), ask("team-b", "kv/a")],
        [200; 3],
        "what worked works on"
    );
    assert_eq!(ask("team-b", "kv/b"), 403, "what nobody used is gone");
    server.script(&at("out/apply.sh"), &["--rollback", "--yes"]);
    assert_eq!([ask("", "kv/b"), ask("team-b", "kv/b")], [200; 2]);
    // What it wrote is read again as what it is.
    advise(&at("out/policies"), &at("again"));
    let read = |path: &str| fs::read_to_string(at(path)).unwrap();
    assert_eq!(
        read("again/policies/namespaces/team-b/policies/app.hcl"),
        read("out/policies/namespaces/team-b/policies/app.hcl")
    );
}

/// Two namespaces, alike: an application that never deletes, and a policy that nobody holds.
const SPACES: [&str; 3] = ["", "bank", "shop"];
const DAYS: i64 = 100;

impl Story {
    /// The same in two namespaces, with months of use.
    fn of_months() -> Option<Self> {
        let server = Server::start()?;
        let (status, _) = server.send(server.token(), "POST", "", "sys/namespaces/bank", Some(&json!({})));
        if status >= 400 {
            server::skip::skipped("the server has no namespaces");
            return None;
        }
        server.write("sys/namespaces/shop", json!({}));
        let mut tokens = BTreeMap::new();
        for space in ["bank", "shop"] {
            let write = |path: &str, body: Value| server.ok("POST", space, path, Some(&body));
            write("sys/mounts/kv", json!({"type": "kv", "options": {"version": "1"}}));
            let app = "# Of the application.\npath \"kv/app/*\" {\n  capabilities = [\"create\", \"read\", \"update\", \"delete\"]\n}\n";
            let old = "path \"kv/old/*\" {\n  capabilities = [\"read\"]\n}";
            for (name, text) in [("app", app), ("old", old)] {
                write(&format!("sys/policies/acl/{name}"), json!({ "policy": text }));
            }
            for path in ["kv/app/a", "kv/app/b", "kv/app/c"] {
                write(path, json!({"value": "CANARY-value"}));
            }
            let body = json!({"policies": ["app"], "no_default_policy": true, "display_name": format!("{space}-app")});
            let answer = write("auth/token/create", body);
            tokens.insert(space, answer["auth"]["client_token"].as_str().unwrap().to_owned());
        }
        let mut story = Self {
            server,
            folder: tempfile::tempdir().unwrap(),
            tokens,
            before: Vec::new(),
        };
        story.before = story.use_of_a_day();
        assert!(story.before.iter().all(|status| *status < 300), "{:?}", story.before);
        story.spread();
        // The server tells its time in whole seconds: what is of the same second may be later.
        thread::sleep(Duration::from_secs(1));
        story.snapshot("deployment");
        story.foresee("out", &[]);
        Some(story)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn use_of_a_day(&self) -> Vec<u16> {
        let asked = [("GET", "kv/app/a"), ("GET", "kv/app/b"), ("POST", "kv/app/c")];
        let each = ["bank", "shop"]
            .into_iter()
            .flat_map(|space| asked.map(|(method, path)| (space, method, path)));
        each.map(|(space, method, path)| self.asked(space, method, path))
            .collect()
    }

    /// What the application of a namespace is answered.
    fn asked(&self, space: &str, method: &str, path: &str) -> u16 {
        let body = json!({"value": "CANARY-value"});
        let body = (method == "POST").then_some(&body);
        self.server.send(&self.tokens[space], method, space, path, body).0
    }

    /// What the applications did, as if they had done it every day for months: the server's own entries, with other times.
    fn spread(&self) {
        let log = fs::read_to_string(self.server.audit_log()).unwrap();
        let entries = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let entries: Vec<Value> = entries
            .filter(|entry| {
                entry["auth"]["display_name"]
                    .as_str()
                    .is_some_and(|name| name.ends_with("-app"))
            })
            .collect();
        assert_eq!(entries.len(), 2 * self.before.len());
        let mut text = String::new();
        for day in (0..DAYS).rev() {
            let earlier = |time: &Value, days: i64| {
                let time: Timestamp = time.as_str().unwrap().parse().unwrap();
                json!((time - SignedDuration::from_hours(24 * days)).to_string())
            };
            for entry in &entries {
                let mut entry = entry.clone();
                entry["time"] = earlier(&entry["time"], day);
                entry["auth"]["token_issue_time"] = earlier(&entry["auth"]["token_issue_time"], DAYS);
                entry["request"]["id"] = json!(format!("{day}-{}", entry["request"]["id"].as_str().unwrap()));
                text += &format!("{entry}\n");
            }
        }
        fs::write(self.at("months.log"), text).unwrap();
    }

    fn snapshot(&self, name: &str) {
        let mut snapshot = self.server.program();
        fine(
            &snapshot
                .args(["snapshot", "--out"])
                .arg(self.at(name))
                .output()
                .unwrap(),
        );
    }

    /// Advice on the months, for the next ones.
    fn foresee(&self, out: &str, more: &[&str]) -> Value {
        let mut advise = self.server.program();
        advise
            .current_dir(self.folder.path())
            .args(["advise", "--time-limit", "2s", "--logs", "months.log"])
            .args(["--policies", "deployment", "--deployment", "deployment", "--out", out])
            .args(more);
        fine(&advise.output().unwrap());
        serde_json::from_slice(&fs::read(self.at(out).join("advice.json")).unwrap()).unwrap()
    }

    /// Which requests the policies of one snapshot allow and those of another do not: policy, operation, path.
    fn gained(&self, old: &str, new: &str) -> BTreeSet<[String; 3]> {
        let mut compare = self.server.program();
        compare
            .args(["compare", "--format", "json"])
            .arg(self.at(old))
            .arg(self.at(new));
        let output = compare.output().unwrap();
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let policies = found["policies"].as_array().unwrap().iter();
        let gained = policies.flat_map(|policy| {
            assert_eq!(policy["not_decided"]["gained"], json!([]), "{policy}");
            let gained = policy["gained"].as_array().unwrap().iter();
            gained.map(|one| {
                let request = &one["request"];
                [&policy["policy"], &request["operation"], &request["path"]]
                    .map(|word| word.as_str().unwrap().to_owned())
            })
        });
        gained.collect()
    }

    /// How often policies were written or deleted, by which path.
    fn writes(&self) -> BTreeMap<String, usize> {
        let log = fs::read_to_string(self.server.audit_log()).unwrap();
        let mut writes = BTreeMap::new();
        for entry in log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let path = entry["request"]["path"].as_str().unwrap_or_default();
            let is_write = ["update", "delete", "create"]
                .iter()
                .any(|word| entry["request"]["operation"] == *word);
            if entry["type"] == "response" && is_write && path.starts_with("sys/policies/acl/") {
                assert!(entry["error"].is_null(), "{entry}");
                let space = entry["request"]["namespace"]["path"].as_str().unwrap_or_default();
                *writes.entry(format!("{space}{path}")).or_default() += 1;
            }
        }
        writes
    }

    /// Runs a script that is killed before and after each of its writes; each of these is made once, and what is used works on.
    fn through_kills(&self, script: &str, arguments: &[&str], writes: &[&str]) {
        let before = self.writes();
        let killed = self.server.script_through_kills(&self.at(script), arguments, || {
            assert_eq!(self.use_of_a_day(), self.before, "{script} {arguments:?}, killed");
        });
        assert_eq!(killed, 2 * writes.len(), "{script} {arguments:?}");
        let mut after = self.writes();
        for (path, count) in &mut after {
            *count -= before.get(path).copied().unwrap_or_default();
        }
        after.retain(|_, count| *count > 0);
        let once: BTreeMap<String, usize> = writes.iter().map(|path| ((*path).to_owned(), 1)).collect();
        assert_eq!(after, once, "{script} {arguments:?}");
        assert_eq!(self.use_of_a_day(), self.before);
    }
}

/// All of it, from months of use to the last rollback, on a server with namespaces, and whatever writes is killed at every step.
#[test]
fn the_loop_is_closed_through_kills() {
    let Some(story) = Story::of_months() else { return };
    let server = &story.server;
    let original = server.handing_out(&SPACES);
    let (apps, olds) = (
        ["bank/sys/policies/acl/app", "shop/sys/policies/acl/app"],
        ["bank/sys/policies/acl/old", "shop/sys/policies/acl/old"],
    );

    let (watch, events) = story.watch();
    story.through_kills("out/apply.sh", &["--wave", "1", "--yes"], &olds);
    story.through_kills("out/apply.sh", &["--wave", "2", "--yes"], &apps);
    let applied = fs::read_to_string(story.at("out/applied.jsonl")).unwrap();
    let applied: Vec<Value> = applied
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let applied: Vec<(&Value, &Value)> = applied.iter().map(|line| (&line["wave"], &line["event"])).collect();
    let (one, two) = (json!(1), json!(2));
    let (begun, done) = (json!("begun"), json!("applied"));
    assert_eq!(applied, [(&one, &begun), (&one, &done), (&two, &begun), (&two, &done)]);

    // What was foreseen as unlikely: one while the watch follows, one after it was killed.
    assert_eq!(story.asked("bank", "DELETE", "kv/app/a"), 403);
    let first = Story::told(&events, 1);
    drop(watch);
    assert_eq!(story.asked("shop", "DELETE", "kv/app/b"), 403);
    let (watch, events) = story.watch();
    let mut told = first;
    while told.len() < 2 {
        told.extend(Story::told(&events, 1));
    }
    drop(watch);
    let attributed: BTreeSet<(&str, &str, bool)> = told
        .values()
        .map(|event| {
            let word = |key: &str| event[key].as_str().unwrap();
            (
                word("path"),
                word("policy"),
                word("message").contains("because of wave 2 "),
            )
        })
        .collect();
    let expected = [("bank/kv/app/a", "bank/app", true), ("shop/kv/app/b", "shop/app", true)];
    assert_eq!(attributed, BTreeSet::from(expected));

    let (code, found) = story.regressions("back");
    assert_eq!(code, Some(1), "{found:#}");
    assert_eq!(found["regressions"].as_array().unwrap().len(), 2, "{found:#}");
    story.snapshot("tight");
    let tight = server.handing_out(&SPACES);
    story.through_kills("back/restore.sh", &["--yes"], &apps);
    story.snapshot("given-back");
    let given = ["bank/app", "shop/app"].map(str::to_owned);
    let gained: BTreeSet<[String; 3]> = given
        .into_iter()
        .zip(["bank/kv/app/a", "shop/kv/app/b"])
        .map(|(policy, path)| [policy, "delete".to_owned(), path.to_owned()])
        .collect();
    assert_eq!(story.gained("tight", "given-back"), gained, "just that");
    assert_eq!(story.gained("deployment", "given-back"), BTreeSet::new());
    assert_eq!(story.asked("bank", "DELETE", "kv/app/c"), 403);
    assert!(story.asked("bank", "DELETE", "kv/app/a") < 300);
    assert!(story.asked("shop", "DELETE", "kv/app/b") < 300);
    let write = |space: &str, path: &str| server.ok("POST", space, path, Some(&json!({"value": "CANARY-value"})));
    write("bank", "kv/app/a");
    write("shop", "kv/app/b");

    story.through_kills("back/restore.sh", &["--rollback", "--yes"], &apps);
    assert_eq!(server.handing_out(&SPACES), tight);
    story.through_kills("out/apply.sh", &["--rollback", "--yes"], &[apps, olds].concat());
    assert_eq!(server.handing_out(&SPACES), original, "byte for byte as before");

    // What was missed is remembered: both had been thought to need no `delete`, and neither is any more.
    let deletes = |out: &str| {
        let text =
            |space: &str| fs::read_to_string(story.at(&format!("{out}/policies/namespaces/{space}/policies/app.hcl")));
        ["bank", "shop"].map(|space| text(space).unwrap().contains("delete"))
    };
    story.foresee("again", &[]);
    assert_eq!((deletes("out"), deletes("again")), ([false; 2], [true; 2]));
}
