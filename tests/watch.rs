//! `watch`: rotation of every kind, one watcher a state, a clean end, and no entry lost or counted twice by `kill -9`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[path = "watch/outlets.rs"]
mod outlets;

const PROGRAM: &str = env!("CARGO_BIN_EXE_vault-advisor");

/// Request and response of one read, as the servers write them.
fn pair(n: u64) -> String {
    let time = format!(
        "2026-03-{:02}T{:02}:{:02}:{:02}.{n:09}Z",
        n / 86_400 % 28 + 1,
        n / 3600 % 24,
        n / 60 % 60,
        n % 60
    );
    let who = n % 7;
    let auth = format!(
        r#"{{"client_token":"hmac-sha256:{who:064}","accessor":"hmac-sha256:a{who:063}","display_name":"approle","policies":["default","p{who}"],"token_policies":["default","p{who}"],"policy_results":{{"allowed":true,"granting_policies":[{{"name":"p{who}","namespace_id":"root","type":"acl"}}]}},"entity_id":"entity-{who}","token_type":"service"}}"#
    );
    let request = format!(
        r#"{{"id":"{n:08x}-0000-4000-8000-{n:012x}","client_id":"entity-{who}","operation":"read","mount_point":"secret/","mount_type":"kv","client_token":"hmac-sha256:{who:064}","client_token_accessor":"hmac-sha256:a{who:063}","namespace":{{"id":"root"}},"path":"secret/data/app{}/k{}","remote_address":"10.0.0.{who}"}}"#,
        n % 11,
        n % 13
    );
    let mut text = String::new();
    writeln!(
        text,
        r#"{{"time":"{time}","type":"request","auth":{auth},"request":{request}}}"#
    )
    .unwrap();
    writeln!(
        text,
        r#"{{"time":"{time}","type":"response","auth":{auth},"request":{request},"response":{{"mount_type":"kv"}}}}"#
    )
    .unwrap();
    text
}

fn pairs(range: std::ops::Range<u64>) -> String {
    range.map(pair).collect()
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn start(logs: &Path, state: &Path, more: &[&str]) -> Child {
    Command::new(PROGRAM)
        .args(["watch", "-q", "--commit-every", "0.02s", "--logs"])
        .arg(logs)
        .arg("--state")
        .arg(state)
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads what is there and ends.
fn once(logs: &Path, state: &Path) -> String {
    let out = start(logs, state, &["--once"]).wait_with_output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn terminate(mut child: Child) {
    let status = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(status.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// The file of usage that the state names.
fn usage_file(state: &Path) -> Option<PathBuf> {
    let text = fs::read(state.join("state.json")).ok()?;
    let json: serde_json::Value = serde_json::from_slice(&text).ok()?;
    Some(state.join(json["usage"].as_str()?))
}

fn rows(from: &[&std::ffi::OsStr]) -> String {
    let out = Command::new(PROGRAM)
        .arg("usage")
        .arg("-q")
        .args(from)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn watched(state: &Path) -> String {
    rows(&["--usage".as_ref(), usage_file(state).unwrap().as_os_str()])
}

/// What one run over a text gives.
fn batch(text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("audit.log");
    fs::write(&log, text).unwrap();
    rows(&["--logs".as_ref(), log.as_os_str()])
}

/// Waits until the state holds what a run over the text gives.
fn wait_for(state: &Path, text: &str) {
    let want = batch(text);
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        // The file may be exchanged between reading its name and opening it.
        if let Some(file) = usage_file(state) {
            let out = Command::new(PROGRAM)
                .args(["usage", "-q", "--usage"])
                .arg(file)
                .output()
                .unwrap();
            if out.stdout == want.as_bytes() {
                return;
            }
        }
        assert!(Instant::now() < end, "the state never held what was written");
        std::thread::sleep(Duration::from_millis(50));
    }
}

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("logs")).unwrap();
        Self { dir }
    }

    fn logs(&self) -> PathBuf {
        self.dir.path().join("logs")
    }

    fn log(&self) -> PathBuf {
        self.logs().join("audit.log")
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Watches `what` while `change` happens to logs with 20 pairs, and wants 60 in the end.
    fn rotation(&self, what: &Path, change: impl FnOnce(&Self)) {
        append(&self.log(), &pairs(0..20));
        let child = start(what, &self.state(), &[]);
        wait_for(&self.state(), &pairs(0..20));
        change(self);
        wait_for(&self.state(), &pairs(0..60));
        terminate(child);
        assert_eq!(watched(&self.state()), batch(&pairs(0..60)));
        assert_eq!(once(what, &self.state()), "");
        assert_eq!(watched(&self.state()), batch(&pairs(0..60)));
    }
}

#[test]
fn a_log_renamed_goes_on_under_its_new_name() {
    let place = Place::new();
    place.rotation(&place.logs(), |p| {
        let old = p.logs().join("audit.log.1");
        fs::rename(p.log(), &old).unwrap();
        append(&p.log(), &pairs(40..60));
        append(&old, &pairs(20..40));
    });
}

#[test]
fn a_single_log_renamed_is_read_to_its_end_too() {
    let place = Place::new();
    place.rotation(&place.log(), |p| {
        append(&p.log(), &pairs(20..40));
        fs::rename(p.log(), p.logs().join("audit.log.1")).unwrap();
        append(&p.log(), &pairs(40..60));
    });
}

#[test]
fn a_log_copied_and_truncated_is_read_once() {
    let place = Place::new();
    place.rotation(&place.logs(), |p| {
        append(&p.log(), &pairs(20..40));
        fs::copy(p.log(), p.logs().join("audit.log.1")).unwrap();
        File::options().write(true).truncate(true).open(p.log()).unwrap();
        append(&p.log(), &pairs(40..60));
    });
}

#[test]
fn new_dated_logs_are_found() {
    let place = Place::new();
    place.rotation(&place.logs(), |p| {
        append(&p.logs().join("audit-2026-03-02.log"), &pairs(20..40));
        fs::create_dir(p.logs().join("more")).unwrap();
        append(&p.logs().join("more/audit-2026-03-03.log"), &pairs(40..60));
    });
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

#[test]
fn a_log_compressed_is_no_new_log_and_new_compressed_ones_are_read() {
    let place = Place::new();
    place.rotation(&place.logs(), |p| {
        append(&p.log(), &pairs(20..40));
        fs::write(p.logs().join("audit.log.1.gz"), gzip(&pairs(0..40))).unwrap();
        fs::remove_file(p.log()).unwrap();
        let packed = zstd::encode_all(pairs(40..60).as_bytes(), 1).unwrap();
        fs::write(p.logs().join("audit.log.2.zst"), packed).unwrap();
    });
}

#[test]
fn logs_may_vanish_and_come_back() {
    let place = Place::new();
    place.rotation(&place.log(), |p| {
        fs::remove_file(p.log()).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        append(&p.log(), &pairs(20..60));
    });
}

#[test]
fn a_half_written_line_waits_for_its_end() {
    let place = Place::new();
    let text = pairs(20..60);
    place.rotation(&place.log(), |p| {
        let (first, second) = text.split_at(text.len() - 300);
        append(&p.log(), first);
        std::thread::sleep(Duration::from_millis(200));
        append(&p.log(), second);
    });
}

#[test]
fn a_line_nested_without_end_ends_neither_this_run_nor_the_next() {
    // Whatever stands in a line is written by whoever made the request: deep brackets end a recursive reader.
    let place = Place::new();
    for (n, open) in ["[", "{\"a\":", "[{\"request\":"].into_iter().enumerate() {
        let deep = open.repeat(100_000);
        append(&place.log(), &pair(n as u64));
        append(&place.log(), &format!("{deep}\n"));
        append(
            &place.log(),
            &pair(20 + n as u64).replace(
                "\"remote_address\":",
                &format!("\"data\":{{\"x\":{deep}}},\"remote_address\":"),
            ),
        );
        append(&place.log(), &pair(40 + n as u64));
        once(&place.logs(), &place.state());
        // The same once more, as after a restart.
        once(&place.logs(), &place.state());
    }
    let watched = watched(&place.state());
    for good in (0..3).chain(40..43) {
        let path = format!("secret/data/app{}/k{}", good % 11, good % 13);
        assert!(watched.contains(&path), "{path} is lost: {watched}");
    }
}

#[test]
fn what_rotates_while_nobody_watches_is_read_later() {
    let place = Place::new();
    append(&place.log(), &pairs(0..20));
    once(&place.log(), &place.state());
    append(&place.log(), &pairs(20..40));
    fs::rename(place.log(), place.logs().join("audit.log.1")).unwrap();
    append(&place.log(), &pairs(40..60));
    once(&place.log(), &place.state());
    assert_eq!(watched(&place.state()), batch(&pairs(0..60)));
}

#[test]
fn two_watchers_on_one_state_refuse_each_other() {
    let place = Place::new();
    append(&place.log(), &pairs(0..20));
    let first = start(&place.logs(), &place.state(), &[]);
    wait_for(&place.state(), &pairs(0..20));
    let second = start(&place.logs(), &place.state(), &["--once"])
        .wait_with_output()
        .unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use by another watcher"));
    terminate(first);
    once(&place.logs(), &place.state());
}

#[test]
fn a_state_read_another_way_is_refused() {
    let place = Place::new();
    append(&place.log(), &pairs(0..20));
    once(&place.logs(), &place.state());
    let other = start(&place.logs(), &place.state(), &["--once", "--group-by", "role"]);
    let other = other.wait_with_output().unwrap();
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&other.stderr).contains("--group-by"));
}

#[test]
fn news_are_told_once_learned() {
    let place = Place::new();
    append(&place.log(), &pairs(0..1001));
    assert_eq!(once(&place.logs(), &place.state()), "");
    let news = pair(1_001).replace("secret/data/app0/k0", "secret/data/new");
    append(&place.log(), &news);
    let told = start(&place.logs(), &place.state(), &["--once", "--format", "json"]);
    let told = String::from_utf8(told.wait_with_output().unwrap().stdout).unwrap();
    let event: serde_json::Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&event["kind"], &event["path"]),
        (&"first_use".into(), &"secret/data/new".into())
    );
    assert_eq!(told.lines().count(), 1);
    assert_eq!(once(&place.logs(), &place.state()), "");
}

/// A generator that needs no package.
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// A number from the environment.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// Rotates a log in one of the ways that are there, or not at all.
fn rotate(place: &Place, n: u64, way: u64) {
    let (log, logs) = (place.log(), place.logs());
    match way {
        0 => fs::rename(&log, logs.join(format!("audit-{n:08}.log"))).unwrap(),
        1 => {
            fs::copy(&log, logs.join(format!("audit.log.{n:08}"))).unwrap();
            File::options().write(true).truncate(true).open(&log).unwrap();
        }
        // Compressed where it is, and under its final name from the first byte on.
        2 => {
            let text = fs::read_to_string(&log).unwrap();
            fs::write(logs.join(format!("audit.log.{n:08}.gz")), gzip(&text)).unwrap();
            fs::remove_file(&log).unwrap();
        }
        // Renamed, then compressed, as logrotate does.
        3 => {
            let old = logs.join(format!("audit.log.{n:08}"));
            fs::rename(&log, &old).unwrap();
            let text = fs::read_to_string(&old).unwrap();
            let hidden = logs.join(format!(".{n:08}.gz"));
            fs::write(&hidden, gzip(&text)).unwrap();
            fs::rename(hidden, logs.join(format!("audit.log.{n:08}.gz"))).unwrap();
            fs::remove_file(old).unwrap();
        }
        _ => {}
    }
}

/// Kills at random, 20 times or as often as `VAULT_ADVISOR_KILLS` says, while a log is written and rotated in all ways.
/// `VAULT_ADVISOR_SEED` gives another course of events.
#[test]
fn kill_at_any_moment_loses_and_doubles_nothing() {
    let kills = number("VAULT_ADVISOR_KILLS", 20);
    let chance = number("VAULT_ADVISOR_SEED", 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let place = Place::new();
    let stop = AtomicBool::new(false);
    append(&place.log(), "");
    let written = std::thread::scope(|scope| {
        let (place, stop) = (&place, &stop);
        let writer = scope.spawn(move || {
            let mut n = 0;
            let mut seed = chance;
            while !stop.load(Ordering::Relaxed) {
                let text = pairs(n..n + 10);
                // Pieces end anywhere, in the middle of lines too.
                let cut = usize::try_from(next(&mut seed)).unwrap_or(0) % text.len();
                append(&place.log(), &text[..cut]);
                std::thread::sleep(Duration::from_millis(next(&mut seed) % 16));
                append(&place.log(), &text[cut..]);
                n += 10;
                rotate(place, n, next(&mut seed) % 60);
            }
            n
        });
        let mut seed = !chance;
        for _ in 0..kills {
            let mut child = start(&place.logs(), &place.state(), &[]);
            std::thread::sleep(Duration::from_millis(10 + next(&mut seed) % 400));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    once(&place.logs(), &place.state());
    assert!(
        watched(&place.state()) == batch(&pairs(0..written)),
        "the rows differ after {written} requests"
    );
}
