//! What clients make without end: it is bounded, and nobody loses by it what may be in use.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

#[path = "common/given.rs"]
mod given;

use assert_cmd::Command;
use given::*;
use vault_advisor::ingest::{Options, Reader};
use vault_advisor::usage::{Bounds, Skip, Usage, store};

/// Usage of a log, in parts of so many bytes, within bounds.
fn within(bounds: Bounds, log: &str, piece: usize) -> Usage {
    let options = Options {
        bounds,
        ..Options::default()
    };
    let mut reader = Reader::new(&options);
    let mut sum = Usage::default().bounded(bounds);
    for bytes in log.as_bytes().chunks(piece) {
        reader.feed("log", bytes);
        sum = sum.merge(reader.take()).unwrap();
    }
    reader.finish_file("log");
    sum.merge(reader.take()).unwrap()
}

/// What `advise` leaves of a policy, by usage that is stored.
fn left_by(usage: &Usage, given: &Given, name: &str) -> String {
    let at = |name: &str| given.folder.path().join(name);
    store::write(usage, &at("u.parquet")).unwrap();
    let output = Command::cargo_bin("vault-advisor")
        .unwrap()
        .args(["advise", "-q", "--time-limit", "1s", "--usage"])
        .arg(at("u.parquet"))
        .arg("--policies")
        .arg(at("policies"))
        .arg("--out")
        .arg(at("out"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let advice = read(&at("out/advice.json"));
    let policies = advice["proposals"][0]["policies"].as_array().unwrap();
    let policy = policies.iter().find(|policy| policy["name"] == name).unwrap();
    policy["text"].as_str().unwrap_or_default().to_owned()
}

/// The two, of whom the first asks for many paths more, which its policy may have allowed or not.
fn many(refused: bool) -> (String, Vec<(&'static str, String)>) {
    let (mut log, policies) = two();
    let mut auth = log.requests[0].0.clone();
    if refused {
        auth["policy_results"] = serde_json::json!({"allowed": false});
    }
    for n in 0..30 {
        let path: &'static str = Box::leak(format!("secret/data/web/x{n}").into_boxed_str());
        log = log.asks(auth.clone(), "read", path, ROOT);
    }
    (log.text(), policies.to_vec())
}

const SMALL: Bounds = Bounds {
    used: 8,
    refused: 8,
    all_used: 1_000,
    all_refused: 1_000,
    auths: 1_000,
    namespaces: 1_000,
    names: 100_000,
};

#[test]
fn who_uses_more_than_is_kept_keeps_what_it_holds_and_others_do_not() {
    let (log, policies) = many(false);
    let given = Given::new(&log, &policies);
    let all = within(Bounds::default(), &log, log.len());
    assert!(!left_by(&all, &given, "web").contains("delete"));
    for piece in [log.len(), 9_000, 50_000] {
        let usage = within(SMALL, &log, piece);
        assert!(usage.tally().skipped(Skip::TooMany) > 0 && usage.tally().balanced());
        assert!(left_by(&usage, &given, "web").contains("delete"), "{piece}");
        assert!(!left_by(&usage, &given, "pay").contains("update"), "{piece}");
        assert!(usage.demands().len() <= 9);
    }
}

#[test]
fn what_is_refused_without_end_is_counted_and_keeps_nothing() {
    let (log, policies) = many(true);
    let given = Given::new(&log, &policies);
    for piece in [log.len(), 9_000] {
        let usage = within(SMALL, &log, piece);
        assert!(usage.tally().skipped(Skip::TooManyRefused) > 0 && usage.tally().balanced());
        assert_eq!(usage.tally().lost(), 0);
        let web = left_by(&usage, &given, "web");
        assert!(!web.contains("delete") && web.contains("update"), "{web}");
    }
}

#[test]
fn where_all_is_too_much_nothing_is_taken_from_anybody() {
    let (log, policies) = many(false);
    let given = Given::new(&log, &policies);
    let bounds = Bounds { all_used: 2, ..SMALL };
    let usage = within(bounds, &log, log.len());
    for name in ["web", "pay"] {
        let text = left_by(&usage, &given, name);
        assert!(text.contains("update"), "{name}: {text}");
    }
}

#[test]
fn too_many_who_ask_are_kept_as_others() {
    let token = |n: usize| Token::new("", &format!("token-{n}"), &["web", "default"]);
    let mut log = Log::default();
    for n in 0..20 {
        log = log.asks(token(n).granted("web", ROOT), "read", "secret/data/web/db", ROOT);
    }
    let (_, policies) = two();
    let log = log.text();
    let given = Given::new(&log, &policies);
    let usage = within(Bounds { auths: 5, ..SMALL }, &log, log.len());
    assert!(usage.principals().len() <= 7, "{:?}", usage.principals().len());
    assert!(usage.tally().balanced());
    assert!(left_by(&usage, &given, "web").contains("delete"));
}

#[test]
fn what_a_log_holds_many_times_is_read_in_one_pass() {
    let many = 200_000;
    let arrays = "[]".repeat(many);
    let row = format!("when,message\n1,\"{{\"\"a\"\":\n{}", "x\n".repeat(many));
    for (log, skipped) in [(arrays, 1), (row, many + 1)] {
        let usage = within(Bounds::default(), &log, 1 << 20);
        let all: u64 = usage.tally().skipped.values().map(|skip| skip.count).sum();
        assert_eq!(usize::try_from(all).unwrap(), skipped, "{:?}", usage.tally());
    }
}
