//! What is brought to a repository part by part: each part leaves nobody with more than before, whatever is left out of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

#[path = "common/given.rs"]
mod given;

use given::*;
use std::fs;
use std::path::Path;

/// A list of one stanza that nobody uses, and that hides what the wide one of the other policy would give.
const HIDES: (&str, &[&str]) = ("secret/data/web/vip", &["list"]);

fn log() -> String {
    let web = Token::new("e-1", "kubernetes-web", &["a", "b", "default"]);
    let log = Log::default().asks(web.granted("b", ROOT), "read", "secret/data/web/db", ROOT);
    log.text()
}

fn wide() -> String {
    stanza("secret/data/web/*", &["read"])
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_must_not_come_before_what_is_made_by_hand_is_made_by_hand_too() {
    let yaml = format!(
        "apiVersion: redhatcop.redhat.io/v1alpha1\nkind: Policy\nmetadata:\n  name: b\nspec:\n  policy: {}\n",
        serde_json::json!(wide())
    );
    let other = stanza("kv/*", &["read"]);
    let given = Given::new(
        &log(),
        &[
            ("a.hcl", stanza(HIDES.0, HIDES.1)),
            ("b.yaml", yaml),
            ("other.hcl", other),
            ("default.hcl", default()),
        ],
    )
    .with(&["--horizon", "0"]);
    let (output, advice) = given.run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let policies = advice["proposals"][0]["policies"].as_array().unwrap();
    let of = |name: &str| policies.iter().find(|policy| policy["name"] == name).unwrap();
    let says = |name: &str| of(name)["reasons"].to_string();
    assert!(says("b").contains("stays out of its file"), "{}", of("b"));
    assert!(says("a").contains("the change of `b` has to come first"), "{}", of("a"));
    let out = given.folder.path().join("out");
    // What has nothing to do with it is brought.
    assert_eq!(names(&out.join("diffs")), ["other.diff"]);
    let commits = names(&out.join("pull-request/commits"));
    assert_eq!(commits.len(), 2, "{commits:?}");
    let diff = fs::read_to_string(out.join("pull-request/commits").join(&commits[0])).unwrap();
    assert!(diff.contains("other.hcl") && !diff.contains("a.hcl"), "{diff}");
    let body = fs::read_to_string(out.join("pull-request/body.md")).unwrap();
    assert!(body.contains("`a`, `b` stays out of it"), "{body}");
    // On the server the two go in their order.
    let script = fs::read_to_string(out.join("apply.sh")).unwrap();
    let at = |name: &str| script.find(&format!("policy '' '{name}' ")).unwrap();
    assert!(at("b") < at("a"));
}

#[test]
fn commits_of_owners_keep_the_order_that_was_proven() {
    let both = [("a.hcl", stanza(HIDES.0, HIDES.1)), ("b.hcl", wide())];
    let owners = |text: &str| {
        let mut policies = both.to_vec();
        policies.extend([("c.hcl", stanza("kv/*", &["read"])), ("default.hcl", default())]);
        policies.push(("CODEOWNERS", text.to_owned()));
        let given = Given::new(&log(), &policies).with(&["--horizon", "0"]);
        assert!(given.output().status.success());
        let commits = names(&given.folder.path().join("out/pull-request/commits"));
        let owner = |name: &String| name.strip_suffix(".txt").map(|name| name[3..].to_owned());
        commits.iter().filter_map(owner).collect::<Vec<_>>()
    };
    // `b` has to come before `a`; `c`, which nobody holds, may stand anywhere, and has a wave of its own.
    let of = |a: &str, b: &str| owners(&format!("a.hcl @{a}\nb.hcl @{b}\nc.hcl @{a}\n"));
    assert_eq!(of("x", "z"), ["wave-1-x", "wave-2-z", "wave-2-x"]);
    assert_eq!(of("z", "x"), ["wave-1-z", "wave-2-x", "wave-2-z"]);
    assert_eq!(of("x", "x"), ["wave-1-x", "wave-2-x"]);
}
