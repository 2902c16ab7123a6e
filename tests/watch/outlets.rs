//! Who else is told, and who may look: the webhook, the server, reports, and settings read anew.

use super::{PROGRAM, Place, append, once, pair, pairs, terminate, wait_for};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECRET: &str = "a secret that nobody may see";

/// Something a principal never did before.
fn news(n: u64) -> String {
    pair(n).replace("secret/data/app", &format!("secret/data/new{n}/app"))
}

/// A watcher whose every word is heard.
struct Watcher {
    child: Child,
    told: Receiver<String>,
    said: Receiver<String>,
}

impl Watcher {
    fn start(place: &Place, more: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            // The name as people type it, not from the root on.
            .args([
                "watch",
                "--commit-every",
                "0.02s",
                "--format",
                "json",
                "--logs",
                "logs",
                "--state",
            ])
            .arg(place.state())
            .args(more)
            .env("VAULT_ADVISOR_NOTIFY_SECRET", SECRET)
            .current_dir(place.dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told = lines(child.stdout.take().unwrap());
        let said = lines(child.stderr.take().unwrap());
        Self { child, told, said }
    }

    /// The next event told on stdout.
    fn event(&self) -> Value {
        let line = self.told.recv_timeout(Duration::from_secs(60)).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// The next line on stderr that holds a word.
    fn says(&self, word: &str) -> String {
        loop {
            let line = self.said.recv_timeout(Duration::from_secs(60)).unwrap();
            assert!(!line.contains(SECRET));
            if line.contains(word) {
                return line;
            }
        }
    }

    /// Where it serves.
    fn address(&self) -> SocketAddr {
        let line = self.says("listening at http://");
        let address = line.split("http://").nth(1).unwrap().trim_end_matches('/');
        address.parse().unwrap()
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = send.send(line);
        }
    });
    receive
}

/// What arrived at a webhook: its signature and its body.
type Delivery = (String, String);

/// A webhook that answers with the status codes it is given, in turn.
fn webhook() -> (String, Sender<u16>, Receiver<Delivery>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (answer, answers) = channel::<u16>();
    let (send, deliveries) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut signature, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                let (name, value) = line.trim_end().split_once(": ").unwrap_or_default();
                match name.to_lowercase().as_str() {
                    "x-vault-advisor-signature" => signature = value.to_owned(),
                    "content-length" => length = value.parse().unwrap(),
                    _ if line == "\r\n" => break,
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let _ = send.send((signature, String::from_utf8(body).unwrap()));
            let Ok(status) = answers.recv() else { return };
            let text = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            // Whoever asked may have been killed.
            let _ = stream.get_mut().write_all(text.as_bytes());
        }
    });
    (url, answer, deliveries)
}

/// The message, its signature verified as the docs say.
fn verified((signature, body): &Delivery) -> Value {
    let (time, mac) = signature.strip_prefix("t=").and_then(|s| s.split_once(",v1=")).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(now - time.parse::<u64>().unwrap() < 120);
    let mut hmac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    hmac.update(format!("{time}.{body}").as_bytes());
    let want: String = hmac
        .finalize()
        .into_bytes()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(mac, want);
    assert!(!body.contains("hmac-sha256"), "no token may leave");
    serde_json::from_str(body).unwrap()
}

fn next(deliveries: &Receiver<Delivery>) -> Delivery {
    deliveries.recv_timeout(Duration::from_secs(60)).unwrap()
}

/// The answer to a GET: head and body.
fn get(address: SocketAddr, path: &str, host: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// Asks until a page holds a word.
fn wait_for_page(address: SocketAddr, path: &str, word: &str) -> (String, String) {
    for _ in 0..600 {
        let page = get(address, path, &address.to_string());
        if page.0.starts_with("HTTP/1.1 200") && page.1.contains(word) {
            return page;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!(
        "`{path}` never said `{word}`: {:?}",
        get(address, path, &address.to_string())
    );
}

/// A place whose first thousand requests were learned.
fn learned() -> Place {
    let place = Place::new();
    append(&place.log(), &pairs(0..1001));
    assert_eq!(once(&place.logs(), &place.state()), "");
    place
}

#[test]
fn news_reach_the_webhook_signed_and_again_where_it_fails() {
    let place = learned();
    let (url, answer, deliveries) = webhook();
    let watcher = Watcher::start(&place, &["--notify", &url]);
    append(&place.log(), &news(2_000));
    let first = next(&deliveries);
    answer.send(500).unwrap();
    watcher.says("does not take events: it answers 500; 1 wait");
    let second = next(&deliveries);
    answer.send(204).unwrap();
    watcher.says("takes events again");
    let (first, second) = (verified(&first), verified(&second));
    assert_eq!(first["events"], second["events"]);
    assert_eq!(second["version"], 1);
    assert_eq!(second["dropped"], 0);
    assert_eq!(second["events"][0]["kind"], "first_use");
    assert_eq!(second["events"][0], watcher.event());
    terminate(watcher.child);
    let state = fs::read_to_string(place.state().join("state.json")).unwrap();
    let state: Value = serde_json::from_str(&state).unwrap();
    assert_eq!(state["undelivered"], serde_json::json!({"events": [], "dropped": 0}));
}

#[test]
fn news_outlive_the_watcher_and_what_has_no_room_is_counted() {
    let place = learned();
    let (url, answer, deliveries) = webhook();
    let more = ["--notify", &url, "--notify-queue", "2", "--listen", "127.0.0.1:0"];
    let mut watcher = Watcher::start(&place, &more);
    let address = watcher.address();
    for n in 2_000..2_005 {
        append(&place.log(), &news(n));
        watcher.event();
    }
    watcher.says("queue is full: 1 event is not sent to it");
    wait_for_page(address, "/metrics", "vault_advisor_notify_dropped_total 3\n");
    let first = next(&deliveries);
    // What is dropped is known a moment before it is committed.
    let state = place.state().join("state.json");
    let until = std::time::Instant::now() + Duration::from_secs(10);
    while !fs::read_to_string(&state).unwrap().contains("\"dropped\":3") {
        assert!(std::time::Instant::now() < until);
        std::thread::sleep(Duration::from_millis(20));
    }
    watcher.child.kill().unwrap();
    watcher.child.wait().unwrap();
    // The one that was under way when it was killed is answered, but nobody hears it.
    answer.send(200).unwrap();
    let watcher = Watcher::start(&place, &more);
    let again = verified(&next(&deliveries));
    answer.send(200).unwrap();
    assert_eq!(again["events"].as_array().unwrap().len(), 2);
    assert_eq!(again["events"][0], verified(&first)["events"][0]);
    assert_eq!(again["dropped"], 3);
    let address = watcher.address();
    wait_for_page(address, "/metrics", "vault_advisor_notify_delivered_total 2\n");
    terminate(watcher.child);
}

#[test]
fn a_webhook_needs_a_secret_and_a_safe_address() {
    let place = learned();
    let run = |url: &str, secret: Option<&str>| {
        let mut command = Command::new(PROGRAM);
        command
            .args(["watch", "--once", "--notify", url, "--logs"])
            .arg(place.logs());
        command
            .arg("--state")
            .arg(place.state())
            .env_remove("VAULT_ADVISOR_NOTIFY_SECRET");
        if let Some(secret) = secret {
            command.env("VAULT_ADVISOR_NOTIFY_SECRET", secret);
        }
        let out = command.output().unwrap();
        assert_eq!(out.status.code(), Some(2));
        String::from_utf8(out.stderr).unwrap()
    };
    assert!(run("https://hooks.example/x", None).contains("needs a secret"));
    assert!(run("https://hooks.example/x", Some("short")).contains("too short"));
    let plain = run("http://hooks.example/x?key=hidden", Some(SECRET));
    assert!(
        plain.contains("begins with http") && !plain.contains("hidden"),
        "{plain}"
    );
}

#[test]
fn metrics_health_and_the_summary_are_served() {
    let place = learned();
    let watcher = Watcher::start(&place, &["--listen", "127.0.0.1:0"]);
    let address = watcher.address();
    wait_for_page(address, "/metrics", "vault_advisor_lines_total 2002\n");
    append(&place.log(), &news(2_000));
    wait_for_page(
        address,
        "/metrics",
        "vault_advisor_events_total{kind=\"first_use\"} 1\n",
    );
    let (_, metrics) = wait_for_page(address, "/metrics", "vault_advisor_lines_total 2004\n");
    assert!(metrics.contains("vault_advisor_entries_used_total 1002\n"));
    assert!(metrics.contains("vault_advisor_lag_bytes 0\n"));
    let (head, health) = get(address, "/health", &address.to_string());
    assert!(head.starts_with("HTTP/1.1 200") && health.contains("\"status\":\"ok\""));
    let (head, page) = wait_for_page(address, "/", "entity-1");
    assert!(head.contains("Content-Security-Policy: default-src 'none'; style-src 'sha256-"));
    assert!(page.contains("<h2>Principals</h2>"));
    assert!(get(address, "/", "evil.example").0.starts_with("HTTP/1.1 421"));
    assert!(
        get(address, "/../state.json", &address.to_string())
            .0
            .starts_with("HTTP/1.1 404")
    );
    terminate(watcher.child);
}

#[test]
fn the_use_of_a_grant_that_the_report_called_unused_is_told() {
    let place = learned();
    let policies = place.dir.path().join("policies");
    fs::create_dir(&policies).unwrap();
    for who in 0..7 {
        let text = "path \"secret/data/*\" {\n  capabilities = [\"read\", \"delete\"]\n}\n";
        fs::write(policies.join(format!("p{who}.hcl")), text).unwrap();
    }
    let policies = policies.display().to_string();
    let watcher = Watcher::start(&place, &["--listen", "127.0.0.1:0", "--policies", &policies]);
    let address = watcher.address();
    let (head, _) = wait_for_page(address, "/", "secret/data/");
    assert!(head.contains("script-src 'sha256-"));
    append(
        &place.log(),
        &pair(1_002).replace("\"operation\":\"read\"", "\"operation\":\"delete\""),
    );
    // The path is not new, what is done on it is.
    let event = watcher.event();
    assert_eq!(event["kind"], "refuted");
    assert_eq!(event["policy"], "p1");
    assert_eq!(event["capability"], "delete");
    terminate(watcher.child);
}

#[test]
fn a_report_of_a_watch_says_what_decisions_hide() {
    let place = learned();
    let policies = place.dir.path().join("policies");
    fs::create_dir(&policies).unwrap();
    let text = "path \"secret/data/*\" {\n  capabilities = [\"read\", \"delete\"]\n}\n";
    fs::write(policies.join("p1.hcl"), text).unwrap();
    let decision = "version = 1\n\n[[decisions]]\nverdict = \"postpone\"\npolicy = \"p1\"\nowner = \"ann\"\nreason = \"quarterly\"\nuntil = \"2999-01-31\"\n";
    fs::write(policies.join("vault-advisor.decisions.toml"), decision).unwrap();
    let policies = policies.display().to_string();
    let watcher = Watcher::start(&place, &["--listen", "127.0.0.1:0", "--policies", &policies]);
    let (_, page) = wait_for_page(watcher.address(), "/", "Decided, and not shown");
    assert!(page.contains("postponed by ann until 2999-01-31 (quarterly)"), "{page}");
    terminate(watcher.child);
}

#[test]
fn a_report_is_made_though_the_history_cannot_be_read() {
    let place = learned();
    let policies = place.dir.path().join("policies");
    fs::create_dir(&policies).unwrap();
    fs::write(
        policies.join("p1.hcl"),
        "path \"secret/data/*\" {\n  capabilities = [\"read\"]\n}\n",
    )
    .unwrap();
    fs::create_dir_all(place.state().join("history.jsonl")).unwrap();
    let policies = policies.display().to_string();
    let watcher = Watcher::start(&place, &["--listen", "127.0.0.1:0", "--policies", &policies]);
    let address = watcher.address();
    let told = watcher.says("history.jsonl");
    assert!(told.contains("cannot read what earlier runs noted in"), "{told}");
    assert!(told.contains("move it away to begin anew"), "{told}");
    wait_for_page(address, "/", "Vault access review");
    terminate(watcher.child);
}

#[test]
fn settings_are_read_again_on_sighup_and_stay_where_they_are_wrong() {
    let place = learned();
    let settings = place.dir.path().join("vault-advisor.toml");
    fs::write(&settings, "[watch]\npoll = \"30s\"\n").unwrap();
    let watcher = Watcher::start(&place, &["--listen", "127.0.0.1:0"]);
    watcher.address();
    let hang_up = || {
        let pid = watcher.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    };
    fs::write(&settings, "[watch]\npoll = \"20s\"\nmute = [\"first_use\"]\n").unwrap();
    hang_up();
    let said = watcher.says("settings read again");
    assert!(
        said.contains("poll is 20s (was 30s); mute is first_use (was nothing)"),
        "{said}"
    );
    fs::write(&settings, "[watch]\nmute = [\"loud\"]\n").unwrap();
    hang_up();
    let said = watcher.says("the settings stay as they were");
    assert!(said.contains("`loud` is not a kind of event"), "{said}");
    // What is muted is learned, but not told.
    append(&place.log(), &news(2_000));
    wait_for(&place.state(), &(pairs(0..1001) + &news(2_000)));
    append(
        &place.log(),
        &pair(2_001).replace("\"policies\":[\"default\"", "\"policies\":[\"other\",\"default\""),
    );
    assert_eq!(watcher.event()["kind"], "new_policy");
    terminate(watcher.child);
}
