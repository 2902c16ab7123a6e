//! Waves that were applied, without a server: who is denied because of one, also where it changed who gets which policies, what
//! gives it back, and the same told by a running `watch`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

#[path = "support/skip.rs"]
mod skip;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_vault-advisor");

const WIDE: &str = "path \"kv/*\" {\n  capabilities = [\"read\", \"delete\"]\n}\n";
const NEW: &str = "path \"kv/a\" {\n  capabilities = [\"read\"]\n}\n";

/// Request and response as servers write them: a token of the `AppRole` role `web` with these policies.
fn entry(id: u32, time: &str, policies: &[&str], operation: &str, path: &str, denied: bool) -> String {
    let auth = json!({
        "client_token": "hmac-sha256:00", "accessor": "hmac-sha256:01", "display_name": "approle",
        "policies": policies, "token_policies": policies, "metadata": {"role_name": "web"},
        "policy_results": {"allowed": !denied}, "token_type": "service",
    });
    let request = json!({
        "id": format!("{id:08x}-0000-4000-8000-000000000000"), "operation": operation, "mount_point": "kv/",
        "mount_type": "kv", "namespace": {"id": "root"}, "path": path, "remote_address": "10.0.0.1",
    });
    let mut text = String::new();
    for kind in ["request", "response"] {
        let mut line = json!({"time": time, "type": kind, "auth": auth, "request": request});
        if denied {
            line["error"] = "1 error occurred:\n\t* permission denied\n\n".into();
        }
        writeln!(text, "{line}").unwrap();
    }
    text
}

fn sha(text: &str) -> String {
    let digest = Sha256::digest(text.trim().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("report")).unwrap();
        fs::create_dir_all(dir.path().join("deployment")).unwrap();
        let deployment = json!({
            "auth": {"approle/": {"type": "approle", "accessor": "auth_approle_1"}},
            "approle": {"web": {"policies": ["wide"]}},
        });
        let place = Self { dir };
        place.write("deployment/deployment.json", &deployment.to_string());
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).unwrap();
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.at(name))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn policy(&self, name: &str, text: &str) -> Value {
        self.write(&format!("report/{name}.hcl"), text);
        json!({"name": name, "file": format!("{name}.hcl"), "sha256": sha(text)})
    }

    fn default(&self) -> Value {
        self.policy(
            "default",
            "path \"auth/token/lookup-self\" {\n  capabilities = [\"read\"]\n}\n",
        )
    }

    fn applied(&self, wave: usize, at: &str) {
        for event in ["begun", "applied"] {
            let line = json!({"plan": "p", "wave": wave, "event": event, "at": at});
            self.append("report/applied.jsonl", &format!("{line}\n"));
        }
    }

    /// One wave: `delete` goes from the policy `wide`.
    fn tightened(&self) {
        self.without_delete(WIDE);
    }

    fn without_delete(&self, text: &str) {
        let old = self.policy("wide", text);
        let tight = text.replace(", \"delete\"", "");
        self.write("report/new.hcl", &tight);
        let new = json!({"name": "wide", "file": "new.hcl", "sha256": sha(&tight)});
        let waves = json!([{"title": "capabilities", "promised": 0.2, "steps": [new]}]);
        let document =
            json!({"version": 1, "plan": "p", "horizon_days": 90, "policies": [old, self.default()], "waves": waves});
        self.write("report/waves.json", &document.to_string());
    }

    /// Four waves: a new policy, the role has both, the role has the new one alone, the old one goes.
    fn redesigned(&self) {
        let role = |policies: &[&str]| json!({"kind": "approle", "id": "auth/approle/web", "name": "web", "path": "auth/approle/role/web", "policies": policies});
        let old = self.policy("wide", WIDE);
        let new = self.policy("role-web", NEW);
        let waves = json!([
            {"title": "new", "steps": [new]},
            {"title": "besides", "steps": [{"holder": role(&["wide", "role-web"])}]},
            {"title": "narrow", "steps": [{"holder": role(&["role-web"])}]},
            {"title": "delete", "steps": [{"name": "wide"}]},
        ]);
        let document = json!({"version": 1, "plan": "p", "policies": [old, self.default()], "holders": [role(&["wide"])], "waves": waves});
        self.write("report/waves.json", &document.to_string());
    }

    fn regressions(&self) -> (Output, Value) {
        let output = Command::new(PROGRAM)
            .args(["regressions", "--quiet", "--format", "json", "--applied"])
            .arg(self.at("report"))
            .arg("--logs")
            .arg(self.at("audit.log"))
            .arg("--deployment")
            .arg(self.at("deployment"))
            .arg("--out")
            .arg(self.at("back"))
            .output()
            .unwrap();
        let found = serde_json::from_slice(&output.stdout);
        let found = found.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        (output, found)
    }

    fn watch(&self, more: &[&str]) -> Child {
        Command::new(PROGRAM)
            .args(["watch", "--commit-every", "0.05s", "--format", "json", "--logs"])
            .arg(self.at("audit.log"))
            .arg("--state")
            .arg(self.at("state"))
            .arg("--applied")
            .arg(self.at("report"))
            .arg("--deployment")
            .arg(self.at("deployment"))
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

#[test]
fn what_a_role_does_not_hand_out_any_more_is_a_regression_of_that_wave_and_goes_to_what_its_tokens_have() {
    let place = Place::new();
    place.redesigned();
    for wave in 1..=3 {
        place.applied(wave, &format!("2026-03-0{wave}T00:00:00Z"));
    }
    let (both, narrow) = (["default", "role-web", "wide"], ["default", "role-web"]);
    // While the role had both nothing was denied that was allowed before.
    place.append(
        "audit.log",
        &entry(1, "2026-03-02T10:00:00Z", &both, "update", "kv/b", true),
    );
    place.append(
        "audit.log",
        &entry(2, "2026-03-04T10:00:00Z", &narrow, "read", "kv/b", true),
    );
    place.append(
        "audit.log",
        &entry(3, "2026-03-05T10:00:00Z", &narrow, "read", "kv/b", true),
    );
    // Nobody ever had that.
    place.append(
        "audit.log",
        &entry(4, "2026-03-05T10:00:00Z", &narrow, "create", "kv/b", true),
    );
    let (output, found) = place.regressions();
    assert_eq!(output.status.code(), Some(1), "{found}");
    let regressions = found["regressions"].as_array().unwrap();
    assert_eq!(regressions.len(), 1, "{found:#}");
    let one = &regressions[0];
    assert_eq!(
        (
            &one["path"],
            &one["capability"],
            &one["wave"],
            &one["policy"],
            &one["count"]
        ),
        (&"kv/b".into(), &"read".into(), &3.into(), &"wide".into(), &2.into()),
        "{found:#}"
    );
    assert_eq!(one["restore"]["policy"], "role-web", "{found:#}");
    assert!(one["restore"]["stanza"].as_str().unwrap().contains("\"kv/b\""), "{one}");
    assert_eq!(found["denied"]["before_as_well"], 2, "{found:#}");
    assert_eq!(found["waves"][2]["seen"], 2, "two days: {found:#}");
    let text = fs::read_to_string(place.at("back/policies/role-web.hcl")).unwrap();
    assert!(text.starts_with(NEW) && text.contains("path \"kv/b\""), "{text}");
    assert!(!text.contains("delete"), "no more than was used: {text}");
}

#[test]
fn a_request_that_no_stanza_can_give_back_holds_up_no_other() {
    let place = Place::new();
    place.redesigned();
    for wave in 1..=3 {
        place.applied(wave, &format!("2026-03-0{wave}T00:00:00Z"));
    }
    let narrow = ["default", "role-web"];
    // A shell that does not fill in its star asks for just that.
    for (id, path) in [(1, "kv/b"), (2, "kv/x/*"), (3, "kv/c"), (4, "kv/+/d"), (5, "kv/e")] {
        place.append(
            "audit.log",
            &entry(id, "2026-03-04T10:00:00Z", &narrow, "read", path, true),
        );
    }
    let (_, found) = place.regressions();
    let regressions = found["regressions"].as_array().unwrap();
    let back: Vec<&str> = regressions
        .iter()
        .filter(|one| one["restore"]["policy"] == "role-web")
        .filter_map(|one| one["path"].as_str())
        .collect();
    assert_eq!(back, ["kv/b", "kv/c", "kv/e"], "{found:#}");
    let by_hand = found["by_hand"].as_array().unwrap();
    let by_hand: Vec<&str> = by_hand.iter().filter_map(|one| one["path"].as_str()).collect();
    assert_eq!(by_hand, ["kv/+/d", "kv/x/*"], "{found:#}");
    let text = fs::read_to_string(place.at("back/policies/role-web.hcl")).unwrap();
    assert!(
        text.contains("\"kv/b\"") && text.contains("\"kv/c\"") && !text.contains("kv/x"),
        "{text}"
    );
}

#[test]
fn a_token_that_is_older_than_the_wave_is_told_apart() {
    let place = Place::new();
    place.redesigned();
    for wave in 1..=4 {
        place.applied(wave, &format!("2026-03-0{wave}T00:00:00Z"));
    }
    // It names the policy that is gone; another login would have what it asks for, and not the second one.
    let old = ["default", "wide"];
    place.append(
        "audit.log",
        &entry(1, "2026-03-05T10:00:00Z", &old, "read", "kv/a", true),
    );
    place.append(
        "audit.log",
        &entry(2, "2026-03-05T10:00:01Z", &old, "read", "kv/b", true),
    );
    let (_, found) = place.regressions();
    assert_eq!(found["denied"]["by_older_tokens"], 1, "{found:#}");
    let regressions = found["regressions"].as_array().unwrap();
    assert_eq!(regressions.len(), 1, "{found:#}");
    assert_eq!(regressions[0]["path"], "kv/b");
}

#[test]
fn whoever_changed_the_role_in_between_is_another_matter() {
    let place = Place::new();
    place.redesigned();
    for wave in 1..=3 {
        place.applied(wave, &format!("2026-03-0{wave}T00:00:00Z"));
    }
    let admin = ["admin", "default"];
    let write = entry(
        1,
        "2026-03-04T09:00:00Z",
        &admin,
        "update",
        "auth/approle/role/web",
        false,
    );
    place.append("audit.log", &write);
    let narrow = ["default", "role-web"];
    place.append(
        "audit.log",
        &entry(2, "2026-03-04T10:00:00Z", &narrow, "read", "kv/b", true),
    );
    let (output, found) = place.regressions();
    assert_eq!(output.status.code(), Some(0), "{found:#}");
    assert_eq!(found["denied"]["unknown"], 1, "{found:#}");
}

#[test]
fn what_was_given_back_and_is_allowed_since_is_answered() {
    let place = Place::new();
    place.tightened();
    place.applied(1, "2026-03-01T00:00:00Z");
    let (held, admin) = (["default", "wide"], ["admin", "default"]);
    let given_back = |id: u32, time: &str| entry(id, time, &admin, "update", "sys/policies/acl/wide", false);
    let asked = |id: u32, time: &str, denied| entry(id, time, &held, "delete", "kv/a", denied);
    place.append("audit.log", &asked(1, "2026-03-02T10:00:00Z", true));
    place.append("audit.log", &given_back(2, "2026-03-02T11:00:00Z"));
    place.append("audit.log", &asked(3, "2026-03-05T12:00:00Z", false));
    let (output, found) = place.regressions();
    assert_eq!(output.status.code(), Some(0), "{found:#}");
    assert_eq!(found["regressions"][0]["answered"], true, "{found:#}");
    assert_eq!(found["waves"][0]["seen"], 1, "{found:#}");
    // Written once more, and denied again perhaps: nobody knows.
    place.append("audit.log", &given_back(4, "2026-03-06T11:00:00Z"));
    place.append("audit.log", &asked(5, "2026-03-07T12:00:00Z", true));
    let (_, found) = place.regressions();
    assert_eq!(found["denied"]["unknown"], 2, "{found:#}");
}

/// As the policy writes it: a policy of the parent grants in the namespace of the request by a longer path.
#[test]
fn what_is_given_back_is_remembered_once_with_what_had_granted_it() {
    let place = Place::new();
    place.without_delete(&WIDE.replace("kv/", "team/kv/"));
    place.applied(1, "2026-03-01T00:00:00Z");
    for (id, path) in [(1, "kv/a"), (2, "kv/b")] {
        let asked = entry(id, "2026-03-02T10:00:00Z", &["default", "wide"], "delete", path, true);
        let inside = asked.replace(
            r#""namespace":{"id":"root"}"#,
            r#""namespace":{"id":"t","path":"team/"}"#,
        );
        assert_ne!(asked, inside);
        place.append("audit.log", &inside);
    }
    let remember = || {
        let output = Command::new(PROGRAM)
            .args(["regressions", "--quiet", "--remember", "--decisions"])
            .arg(place.at("decisions.toml"))
            .arg("--applied")
            .arg(place.at("report"))
            .arg("--logs")
            .arg(place.at("audit.log"))
            .arg("--deployment")
            .arg(place.at("deployment"))
            .arg("--out")
            .arg(place.at("back"))
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(1),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        fs::read_to_string(place.at("decisions.toml")).unwrap()
    };
    let text = remember();
    for path in ["team/kv/a", "team/kv/b"] {
        assert!(
            text.contains(&format!("policy = \"wide\"\npath = \"{path}\"\n")),
            "{text}"
        );
    }
    let missed = "missed = [{ capability = \"delete\", policy = \"wide\", path = \"team/kv/*\" }]\n";
    assert_eq!(text.matches(missed).count(), 2, "{text}");
    assert_eq!(remember(), text, "no more for being told again");
}

fn metrics(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn end(mut child: Child) {
    let pid = child.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    child.wait().unwrap();
}

/// Lines as they come, so that nobody waits for ever.
fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (to, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            if to.send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    lines
}

fn line_with(from: &Receiver<String>, word: &str) -> String {
    let mut before = Vec::new();
    loop {
        let Ok(line) = from.recv_timeout(Duration::from_secs(60)) else {
            panic!("no `{word}` in {before:#?}");
        };
        if line.contains(word) {
            return line;
        }
        before.push(line);
    }
}

#[test]
fn watch_tells_who_is_denied_because_of_a_wave_and_that_it_does_worse() {
    let place = Place::new();
    place.tightened();
    let held = ["default", "wide"];
    place.append(
        "audit.log",
        &entry(1, "2026-02-01T10:00:00Z", &held, "read", "kv/a", false),
    );
    let learned = place.watch(&["--once", "-q"]).wait_with_output().unwrap();
    assert!(learned.stdout.is_empty(), "{learned:?}");
    let mut child = place.watch(&["--listen", "127.0.0.1:0"]);
    let said = lines(child.stderr.take().unwrap());
    let told = lines(child.stdout.take().unwrap());
    let line = line_with(&said, "listening at http://");
    let address = line
        .trim()
        .rsplit_once("http://")
        .unwrap()
        .1
        .trim_end_matches('/')
        .to_owned();
    // Nothing is applied yet: a denial is one as any other.
    place.append(
        "audit.log",
        &entry(2, "2026-03-01T09:00:00Z", &held, "update", "kv/a", true),
    );
    assert!(line_with(&told, "{").contains("new_denial"));

    place.applied(1, "2026-03-01T10:00:00Z");
    place.append(
        "audit.log",
        &entry(3, "2026-03-01T11:00:00Z", &held, "delete", "kv/a", true),
    );
    place.append(
        "audit.log",
        &entry(4, "2026-03-01T11:00:01Z", &held, "update", "kv/b", true),
    );
    let event: Value = serde_json::from_str(&line_with(&told, "\"regression\"")).unwrap();
    assert_eq!(
        (
            &event["path"],
            &event["capability"],
            &event["policy"],
            &event["principal"]
        ),
        (
            &"kv/a".into(),
            &"delete".into(),
            &"wide".into(),
            &"auth/approle/web".into()
        ),
        "{event}"
    );
    let message = event["message"].as_str().unwrap();
    assert!(
        message.contains("wave 1") && message.contains("path \"kv/a\""),
        "{message}"
    );
    let worse = line_with(&told, "wave_worse");
    assert!(worse.contains("stop here"), "{worse}");
    let page = metrics(&address);
    for row in [
        "vault_advisor_regressions_total{wave=\"1\"} 1",
        "vault_advisor_regressions_expected{wave=\"1\"} 0.2",
        "vault_advisor_wave_worse_than_promised{wave=\"1\"} 1",
        "vault_advisor_regressions_open 1",
    ] {
        assert!(page.contains(row), "{row} in {page}");
    }
    end(child);

    // Given back by somebody, then denied once more: news again, also after a restart.
    let admin = ["admin", "default"];
    place.append(
        "audit.log",
        &entry(
            5,
            "2026-03-02T09:00:00Z",
            &admin,
            "update",
            "sys/policies/acl/wide",
            false,
        ),
    );
    let once = |place: &Place| -> Vec<Value> {
        let told = place.watch(&["--once", "-q"]).wait_with_output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        let events = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.filter(|event| event["kind"] == "regression").collect()
    };
    assert_eq!(once(&place), Vec::<Value>::new());
    place.append(
        "audit.log",
        &entry(6, "2026-03-02T10:00:00Z", &held, "delete", "kv/a", true),
    );
    assert_eq!(
        once(&place),
        Vec::<Value>::new(),
        "somebody wrote it: nobody knows what is in force"
    );
}

/// The watch that comes first sees how policies came to be, and each write of a wave before the wave is done.
#[test]
fn a_watch_from_before_the_first_wave_tells_what_it_takes() {
    let place = Place::new();
    place.tightened();
    let write = |id: u32, time: &str| {
        entry(
            id,
            time,
            &["admin", "default"],
            "update",
            "sys/policies/acl/wide",
            false,
        )
    };
    place.append("audit.log", &write(1, "2026-02-01T10:00:00Z"));
    place.watch(&["--once"]).wait_with_output().unwrap();
    let mut child = place.watch(&[]);
    let told = lines(child.stdout.take().unwrap());
    let wave = |event: &str, at: &str| {
        let line = json!({"plan": "p", "wave": 1, "event": event, "at": at});
        place.append("report/applied.jsonl", &format!("{line}\n"));
    };
    wave("begun", "2026-03-01T10:00:00Z");
    place.append("audit.log", &write(2, "2026-03-01T10:00:07Z"));
    line_with(&told, "\"policy_changed\"");
    wave("applied", "2026-03-01T10:00:09Z");
    let asked = entry(3, "2026-03-01T11:00:00Z", &["default", "wide"], "delete", "kv/a", true);
    place.append("audit.log", &asked);
    let event = line_with(&told, "\"regression\"");
    end(child);
    assert!(event.contains("because of wave 1"), "{event}");
}

/// Every metric that the dashboard and the rules ask for is one that `watch` serves.
#[test]
fn dashboards_and_rules_name_metrics_that_are_there() {
    let place = Place::new();
    place.tightened();
    place.applied(1, "2026-03-01T10:00:00Z");
    place.append(
        "audit.log",
        &entry(1, "2026-03-01T11:00:00Z", &["wide"], "delete", "kv/a", true),
    );
    let mut child = place.watch(&["--listen", "127.0.0.1:0"]);
    let said = lines(child.stderr.take().unwrap());
    let told = lines(child.stdout.take().unwrap());
    let line = line_with(&said, "listening at http://");
    let address = line
        .trim()
        .rsplit_once("http://")
        .unwrap()
        .1
        .trim_end_matches('/')
        .to_owned();
    line_with(&told, "\"regression\"");
    let page = metrics(&address);
    end(child);
    let page = page.split_once("\r\n\r\n").unwrap().1;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("integrations");
    let dashboard = fs::read_to_string(folder.join("grafana/vault-advisor.json")).unwrap();
    let rules = fs::read_to_string(folder.join("prometheus/vault-advisor.rules.yml")).unwrap();
    for text in [&dashboard, &rules] {
        let mut names = 0;
        for piece in text.split("vault_advisor_").skip(1) {
            let name: String = piece
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            assert!(
                page.contains(&format!("# TYPE vault_advisor_{name} ")),
                "vault_advisor_{name} is served by nobody"
            );
            names += 1;
        }
        assert!(names > 3, "{names}");
    }
    if let Some(promtool) = promtool() {
        prometheus_agrees(&promtool, &["check", "metrics"], &folder, page);
    }
}

/// Prometheus' own word on what it is given: every alert comes when it should and not when it should not, and every panel asks
/// something that can be asked.
#[test]
fn prometheus_takes_the_alert_rules_and_the_dashboard() {
    let Some(promtool) = promtool() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("integrations");
    let rules = folder.join("prometheus");
    prometheus_agrees(&promtool, &["check", "rules", "vault-advisor.rules.yml"], &rules, "");
    prometheus_agrees(&promtool, &["test", "rules", "vault-advisor.test.yml"], &rules, "");
    let dashboard = fs::read_to_string(folder.join("grafana/vault-advisor.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    // What Grafana fills in itself is filled in here.
    let asked: Vec<Value> = targets
        .map(|target| target["expr"].as_str().unwrap().replace("$__rate_interval", "5m"))
        .map(|expression| json!({"record": "panel", "expr": expression, "labels": {"of": expression}}))
        .collect();
    assert!(asked.len() > 3, "{asked:?}");
    let place = tempfile::tempdir().unwrap();
    let file = json!({"groups": [{"name": "panels", "rules": asked}]}).to_string();
    fs::write(place.path().join("panels.yml"), file).unwrap();
    prometheus_agrees(&promtool, &["check", "rules", "panels.yml"], place.path(), "");
}

/// Prometheus' own tool: where it is named, where `.ci/run` puts it, or on the search path.
fn promtool() -> Option<PathBuf> {
    let named = std::env::var_os("VAULT_ADVISOR_PROMTOOL").map(PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    let cached = cache.map(|cache| cache.join("vault-advisor/tools/bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = cached.into_iter().chain(std::env::split_paths(&path));
    let found = named.or_else(|| {
        folders
            .map(|folder| folder.join("promtool"))
            .find(|file| file.is_file())
    });
    if found.is_none() {
        skip::skipped("no promtool (VAULT_ADVISOR_PROMTOOL names it)");
    }
    found
}

fn prometheus_agrees(promtool: &Path, arguments: &[&str], folder: &Path, input: &str) {
    let mut child = Command::new(promtool)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&said)
    );
}
