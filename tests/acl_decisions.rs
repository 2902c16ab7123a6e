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
        "line 3 of the cases, column 21, is not a case: invalid type: map, expected a string"
    );
    assert_eq!(String::from_utf8(output).unwrap(), "{\"results\":[]}\n");

    let secret = "{\"requests\":[{\"operation\":\"read\",\"path\":\"a\",\"data\":\"hunter2, expected nothing\"}]}";
    let error = decide::run(secret.as_bytes(), Vec::new(), Profile::default())
        .unwrap_err()
        .to_string();
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn nulls_and_the_fields_of_answers_are_taken() {
    let case = r#"{"id":7,"results":[{"allowed":true}],"errors":{},"namespace":null,"entity":null,"groups":null,"policies":[{"name":"P ","rules":"path \"a\" { capabilities = [\"read\"] }"}],"requests":[{"operation":"read","path":"//a","data":null,"wrap_ttl":null},{"operation":"alias-lookahead","path":"a"},{"operation":"help","path":"b"}]}"#;
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

/// What is answered to the requests of one case.
fn allowed(server: &str, case: &str) -> Vec<bool> {
    let mut output = Vec::new();
    decide::run(case.as_bytes(), &mut output, server.parse().unwrap()).unwrap();
    let answer: Value = serde_json::from_slice(&output).unwrap();
    let results = answer["results"].as_array().unwrap();
    results.iter().map(|r| r["allowed"].as_bool().unwrap()).collect()
}

#[test]
fn lists_of_parameters_are_taken_by_element_from_the_version_on_that_does() {
    let case = r#"{"policies":[{"name":"p","rules":"path \"r/*\" { capabilities=[\"update\"]\n allowed_parameters = { \"token_policies\" = [\"a\",\"b\"]\n \"*\"=[] } }\npath \"g\" { capabilities=[\"update\"]\n denied_parameters = { \"policies\" = [\"*admin*\"] } }"}],
        "requests":[{"operation":"update","path":"r/x","data":{"token_policies":["a","b"]}},{"operation":"update","path":"r/x","data":{"token_policies":"a,b"}},{"operation":"update","path":"g","data":{"policies":["admin","x"]}},{"operation":"update","path":"g","data":{"policies":["ADMIN"]}},{"operation":"list","path":"r/"}]}"#.replace("\n        ", "");
    for (server, want) in [
        ("vault@1.20.4", [false, false, true, true, false]),
        ("vault@1.21.0", [true, true, false, true, false]),
        ("vault@1.21.4", [true, true, false, true, false]),
        ("vault@2.0.2", [true, true, false, true, false]),
        ("vault@2.0.3", [true, true, false, false, false]),
        ("openbao@2.6.0", [false, false, true, true, false]),
    ] {
        assert_eq!(allowed(server, &case), want, "{server}");
    }
}

#[test]
fn a_deny_covers_other_spellings_from_the_version_on_that_does() {
    let case = r#"{"policies":[{"name":"p","rules":"path \"secret/data/*\" { capabilities=[\"read\",\"list\"] }\npath \"secret/data/example\" { capabilities=[\"deny\"] }\npath \"secret/data/Team/*\" { capabilities=[\"deny\"] }\npath \"secret/data/+/Open\" { capabilities=[\"deny\"] }\npath \"secret/data/TEAM/open/x\" { capabilities=[\"read\"] }"}],
        "requests":[{"operation":"read","path":"secret/data/EXAMPLE"},{"operation":"read","path":"secret/data/example"},{"operation":"read","path":"secret/data/examples"},{"operation":"read","path":"secret/data/TEAM/x"},{"operation":"read","path":"secret/data/TEAM/open/x"},{"operation":"read","path":"secret/data/team/open/x"},{"operation":"read","path":"secret/data/a/OPEN"},{"operation":"list","path":"secret/data/tEAM/"},{"operation":"read","path":"SECRET/data/x"}]}"#.replace("\n        ", "");
    let before = [true, false, true, true, true, true, true, true, false];
    let after = [false, false, true, false, true, false, false, false, false];
    for (server, want) in [("vault@2.2.1", before), ("vault@2.2.2", after), ("vault@2.3.0", after)] {
        assert_eq!(allowed(server, &case), want, "{server}");
    }
}

#[test]
fn plus_is_a_letter_before_it_was_a_wildcard() {
    let case = r#"{"policies":[{"name":"p","rules":"path \"a/+/c\" { capabilities=[\"read\"] }\npath \"b/+*\" { capabilities=[\"read\"] }"}],"requests":[{"operation":"read","path":"a/b/c"},{"operation":"read","path":"a/+/c"},{"operation":"read","path":"b/+x"}]}"#;
    assert_eq!(allowed("vault@1.0.3", case), [false, true, true]);
    let mut output = Vec::new();
    decide::run(case.as_bytes(), &mut output, "vault@1.1.0".parse().unwrap()).unwrap();
    assert!(String::from_utf8(output).unwrap().contains("+*"), "refused since");
}

#[test]
fn an_entity_is_taken_in_both_spellings_and_nothing_that_is_not_known() {
    let case = |entity: &str| {
        format!(
            r#"{{"policies":[{{"name":"t","rules":"path \"s/{{{{identity.entity.name}}}}\" {{ capabilities = [\"read\"] }}\npath \"g/{{{{identity.groups.names.ops.id}}}}\" {{ capabilities = [\"read\"] }}"}}],{entity},"requests":[{{"operation":"read","path":"s/ann"}},{{"operation":"read","path":"g/g1"}}]}}"#
        )
    };
    for entity in [
        r#""entity":{"id":"e1","name":"ann"},"groups":[{"id":"g1","name":"ops"}]"#,
        r#""entity":{"ID":"e1","Name":"ann"},"groups":[{"ID":"g1","Name":"ops","NamespaceID":"root"}]"#,
    ] {
        assert_eq!(allowed("vault-2.0.3", &case(entity)), [true, true], "{entity}");
    }
    for wrong in [
        r#""entity":{"Id":"e1"}"#,
        r#""namespaces":"x""#,
        r#""groups":[{"members":[]}]"#,
    ] {
        let error = decide::run(case(wrong).as_bytes(), Vec::new(), Profile::default()).unwrap_err();
        assert!(error.to_string().contains("unknown field"), "{error}");
    }
    let request = r#"{"requests":[{"operation":"read","path":"a","Data":{}}]}"#;
    assert!(decide::run(request.as_bytes(), Vec::new(), Profile::default()).is_err());
}

#[test]
fn cases_and_answers_follow_their_schema() {
    let schema: Value =
        serde_json::from_slice(&std::fs::read(project().join("docs/schema/decide.v1.schema.json")).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(File::open(project().join("fixtures/acl/openbao-2.6.jsonl.gz")).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let mut answers = Vec::new();
    decide::run(text.as_bytes(), &mut answers, "vault-2.2.2".parse().unwrap()).unwrap();
    let answers = String::from_utf8(answers).unwrap();
    for line in text.lines().chain(answers.lines()) {
        let value: Value = serde_json::from_str(line).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?} in {line}");
    }
    let first: Value = serde_json::from_str(answers.lines().next().unwrap()).unwrap();
    assert!(first["server"].as_str().unwrap().contains("not verified"));
    let unknown = serde_json::json!({"requests": [], "namespaces": ""});
    assert!(!validator.is_valid(&unknown));
}
