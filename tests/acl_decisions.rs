//! The decisions of the servers' own ACL code, recorded, against ours: all of them, on every profile.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test is told by its panic"
)]

#[path = "support/skip.rs"]
mod skip;

use serde_json::{Map, Value};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use vault_advisor::policy::decide;
use vault_advisor::policy::profile::Profile;

const PROFILES: [Profile; 4] = [
    Profile::Vault112,
    Profile::Vault113,
    Profile::Vault203,
    Profile::OpenBao26,
];

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn failing(case: &Value) -> Vec<&String> {
    let mut names: Vec<_> = case
        .get("errors")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::keys)
        .collect();
    names.sort();
    names
}

/// Decides every case of a recording; gives the number of results compared.
fn compare(profile: Profile, recording: &Path) -> usize {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(File::open(recording).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let mut output = Vec::new();
    let counts = decide::run(BufReader::new(text.as_bytes()), &mut output, profile).unwrap();
    let output = String::from_utf8(output).unwrap();
    assert_eq!(output.lines().count(), text.lines().count());
    let mut compared = 0;
    for (want, got) in text.lines().zip(output.lines()) {
        let want: Value = serde_json::from_str(want).unwrap();
        let got: Value = serde_json::from_str(got).unwrap();
        assert_eq!(got["id"], want["id"]);
        assert_eq!(
            failing(&got),
            failing(&want),
            "failing policies of {} on {profile}",
            want["id"]
        );
        let (got, results) = (got["results"].as_array().unwrap(), want["results"].as_array().unwrap());
        assert_eq!(got.len(), results.len());
        for (index, (got, result)) in got.iter().zip(results).enumerate() {
            assert_eq!(
                got, result,
                "{profile} {} request {index}: {}",
                want["id"], want["requests"][index]
            );
            compared += 1;
        }
    }
    assert_eq!(counts.requests, compared as u64);
    compared
}

#[test]
fn the_shipped_decisions_are_met() {
    for profile in PROFILES {
        let recording = project().join(format!("fixtures/acl/{profile}.jsonl.gz"));
        assert!(compare(profile, &recording) > 2_000);
    }
}

#[test]
fn all_recorded_decisions_are_met() {
    for profile in PROFILES {
        let recording = project().join(format!("../shared/data/acl/{profile}.jsonl.gz"));
        if !recording.exists() {
            skip::skipped(format_args!("{} is not there", recording.display()));
            continue;
        }
        let compared = compare(profile, &recording);
        eprintln!("{profile}: {compared} decisions, all equal");
    }
}

#[test]
fn a_line_that_is_no_case_is_named_without_its_values() {
    let cases = "{\"policies\":[],\"requests\":[]}\n\n{\"policies\":[{\"name\":{\"x\":1}}]}\n";
    let mut output = Vec::new();
    let error = decide::run(cases.as_bytes(), &mut output, Profile::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 3 of the cases, column 21, is no case: invalid type: map, expected a string"
    );
    assert_eq!(String::from_utf8(output).unwrap(), "{\"results\":[]}\n");

    let secret = "{\"requests\":[{\"operation\":\"read\",\"path\":\"a\",\"data\":\"hunter2, expected nothing\"}]}";
    let error = decide::run(secret.as_bytes(), Vec::new(), Profile::default())
        .unwrap_err()
        .to_string();
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn unknown_fields_and_nulls_are_taken() {
    let case = r#"{"id":7,"more":true,"namespace":null,"entity":null,"groups":null,"policies":[{"name":"P ","rules":"path \"a\" { capabilities = [\"read\"] }","x":1}],"requests":[{"operation":"read","path":"//a","data":null,"wrap_ttl":null},{"operation":"alias-lookahead","path":"a"},{"operation":"help","path":"b"}]}"#;
    let mut output = Vec::new();
    decide::run(case.as_bytes(), &mut output, Profile::default()).unwrap();
    let answer: Value = serde_json::from_slice(&output).unwrap();
    assert_eq!(
        answer,
        serde_json::json!({"id":7,"results":[
            {"allowed":true,"sudo":false,"granting":["p"],"capabilities":["read"]},
            {"allowed":false,"sudo":false,"capabilities":["read"]},
            {"allowed":true,"sudo":false,"capabilities":["deny"]},
        ]})
    );
}

/// On older servers a template may put a wildcard into a path; where `+*` comes of it, the server refuses the whole policy.
#[test]
fn wildcards_in_template_values_follow_the_profile() {
    let case = r#"{"policies":[{"name":"P","rules":"path \"a/{{identity.entity.name}}*\" { capabilities = [\"read\"] }\npath \"b\" { capabilities = [\"read\"] }"}],"entity":{"Name":"+"},"requests":[{"operation":"read","path":"b"}]}"#;
    for (profile, allowed, failing_policies) in [
        (Profile::Vault113, false, 1),
        (Profile::Vault203, true, 0),
        (Profile::OpenBao26, true, 0),
    ] {
        let mut output = Vec::new();
        decide::run(case.as_bytes(), &mut output, profile).unwrap();
        let answer: Value = serde_json::from_slice(&output).unwrap();
        assert_eq!(answer["results"][0]["allowed"], allowed, "{profile}");
        assert_eq!(failing(&answer).len(), failing_policies, "{profile}");
    }
}

#[test]
fn hostile_cases_are_answered_or_refused() {
    let deep = format!(
        "{{\"requests\":[{{\"operation\":\"read\",\"data\":{}1{}}}]}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(decide::run(deep.as_bytes(), Vec::new(), Profile::default()).is_err());
    assert!(decide::run(&b"{\"id\":\"\xff\"}"[..], Vec::new(), Profile::default()).is_err());
    assert!(decide::run(&b"{"[..], Vec::new(), Profile::default()).is_err());
    let long = serde_json::json!({
        "policies": [{"name": "p", "rules": format!("path \"{}\" {{ capabilities = [\"read\"] }}", "+/".repeat(10_000))}],
        "requests": [
            {"operation": "list", "path": "a/".repeat(1_000_000)},
            {"operation": "read", "path": "a/".repeat(10_000)},
            {"operation": "read", "path": "\u{0}"},
        ],
    });
    let mut output = Vec::new();
    decide::run(long.to_string().as_bytes(), &mut output, Profile::default()).unwrap();
    let answer: Value = serde_json::from_slice(&output).unwrap();
    let allowed: Vec<_> = (0..3)
        .map(|i| answer["results"][i]["allowed"].as_bool().unwrap())
        .collect();
    assert_eq!(allowed, [false, true, false]);
}
