//! The policy language: agreement with the servers' parser, errors that help, hostile texts, and printing that reads back.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may fail loudly, and says what it skips"
)]

#[path = "support/skip.rs"]
mod skip;

use flate2::read::GzDecoder;
use proptest::prelude::*;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;
use vault_advisor::origin::Origin;
use vault_advisor::policy::model::{Constraints, Stanza};
use vault_advisor::policy::syntax::{self, Dialect, print};
use vault_advisor::policy::{lint, lint_json};
use vault_advisor::vault::Capability;

/// A file of the shared data, unpacked; nothing, and a word about it, where the folder is absent.
fn shared(name: &str) -> Option<Box<dyn Read>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data")
        .join(name);
    match File::open(&path) {
        Ok(file) if name.ends_with(".gz") => Some(Box::new(GzDecoder::new(file))),
        Ok(file) => Some(Box::new(file)),
        Err(_) => {
            skip::skipped(format_args!("no `{}`", path.display()));
            None
        }
    }
}

/// The recordings were made by a parser that takes a key twice, as servers did before Vault 1.21.
const RECORDED: Dialect = Dialect {
    repeated_keys: true,
    ..Dialect::VAULT
};

/// How our reading of a text differs from what the servers' parser made of it.
fn disagreement(case: &Value) -> Option<String> {
    let rules = case["rules"].as_str().unwrap();
    let read = syntax::parse("p", "p.hcl", rules, &RECORDED);
    let ours = lint_json::document("p.hcl", read.as_ref());
    if let Some(refused) = case.get("error") {
        return read
            .is_ok()
            .then(|| format!("{}: accepted, but the servers say {refused}", case["id"]));
    }
    let none = Value::Array(Vec::new());
    let same = ours.get("error").is_none()
        && ours["stanzas"] == *case.get("stanzas").unwrap_or(&none)
        && ours["templated"] == *case.get("templated").unwrap_or(&Value::Bool(false));
    (!same).then(|| format!("{}: {ours}", case["id"]))
}

fn disagreements(reader: impl Read) -> (usize, Vec<String>) {
    let cases: Vec<Value> = BufReader::new(reader)
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    (cases.len(), cases.iter().filter_map(disagreement).collect())
}

#[test]
fn texts_whole_and_broken_are_read_as_the_servers_read_them() {
    let Some(reader) = shared("policy-syntax.jsonl.gz") else {
        return;
    };
    let (count, wrong) = disagreements(reader);
    assert!(count >= 1580);
    assert!(
        wrong.is_empty(),
        "{} of {count}: {:#?}",
        wrong.len(),
        wrong.get(..5.min(wrong.len()))
    );
}

#[test]
fn policies_found_in_the_wild_are_read_as_the_servers_read_them() {
    let Some(reader) = shared("third-party/policies-parsed.jsonl") else {
        return;
    };
    let (count, wrong) = disagreements(reader);
    assert!(count >= 500);
    // One is left: it has `expiration`, which OpenBao knows and Vault refuses; the data were made by a parser that knows it.
    assert!(
        wrong.iter().all(|text| text.contains("unknown key `expiration`")) && wrong.len() <= 1,
        "{wrong:#?}"
    );
}

#[test]
fn our_own_texts_are_read_as_the_servers_read_them() {
    let file =
        File::open(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/policies-syntax/cases.jsonl")).unwrap();
    let (count, wrong) = disagreements(file);
    assert!(count > 100);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn newer_servers_refuse_a_key_that_is_set_twice_and_nothing_else() {
    let file =
        File::open(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/policies-syntax/cases.jsonl")).unwrap();
    let mut refused = 0;
    for line in BufReader::new(file).lines() {
        let case: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let rules = case["rules"].as_str().unwrap();
        let older = syntax::parse("p", "p.hcl", rules, &RECORDED);
        let newer = syntax::parse("p", "p.hcl", rules, &Dialect::VAULT);
        if older.is_ok() && newer.is_err() {
            assert!(case["id"].as_str().unwrap().starts_with("twice-"), "{}", case["id"]);
            refused += 1;
        }
    }
    assert!(refused > 10);
    let stanza = |inside: &str| format!("path \"a\" {{ {inside} }}");
    for (text, fine) in [
        (
            "path \"a\" { capabilities = [\"read\"] }\npath \"a\" { capabilities = [\"read\"] }".to_owned(),
            true,
        ),
        (stanza("capabilities = [\"read\"]\n capabilities = [\"list\"]"), false),
        (stanza("allowed_parameters = { \"a\" = []\n \"a\" = [\"x\"] }"), false),
        (
            stanza("allowed_parameters = { \"a\" = [] }\n denied_parameters = { \"a\" = [] }"),
            true,
        ),
        ("name = \"x\"\nname = \"y\"".to_owned(), false),
        (
            r#"{"path":{"a":{"capabilities":["read"],"capabilities":["list"]}}}"#.to_owned(),
            true,
        ),
    ] {
        let read = syntax::parse("p", "p.hcl", &text, &Dialect::VAULT);
        assert_eq!(read.is_ok(), fine, "{text}");
        assert!(syntax::parse("p", "p.hcl", &text, &Dialect::OPENBAO).is_ok(), "{text}");
    }
}

#[test]
fn what_is_no_text_is_named() {
    let utf_16: Vec<u8> = "path \"a\" {}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, word) in [
        (&b"\x1f\x8b\x08\x00"[..], "gzip"),
        (b"\x28\xb5\x2f\xfd\x00", "zstd"),
        (b"PK\x03\x04", "zip"),
        (b"\xff\xfep\x00", "UTF-16"),
        (b"\xfe\xff\x00p", "UTF-16"),
        (&utf_16, "UTF-16"),
    ] {
        let error = syntax::parse_bytes("p", "p.hcl", bytes, &Dialect::default()).unwrap_err();
        assert!(error.message.contains(word) && error.hint.is_some(), "{error}");
    }
    assert!(syntax::parse_bytes("p", "p.hcl", b"path \"a\" {}", &Dialect::default()).is_ok());
}

#[test]
fn errors_show_the_place_and_what_to_do() {
    for (text, line, column, message, advice) in [
        (
            "path \"a\" {\n  capability = [\"read\"]\n}",
            2,
            3,
            "unknown key `capability`",
            "did you mean `capabilities`?",
        ),
        (
            "path \"a\" { capabilities = [\"Read\"] }",
            1,
            28,
            "unknown capability `Read`",
            "did you mean `read`?",
        ),
        (
            "path \"a\" { capabilities = [\"write\"] }",
            1,
            28,
            "unknown capability `write`",
            "`create` and `update`",
        ),
        (
            "path \"a\" { capabilities = \"read\" }",
            1,
            27,
            "expected a list, found a string",
            "write `[\"read\"]`",
        ),
        (
            "path \"a\" { capabilities = [\"read\" \"list\"] }",
            1,
            35,
            "found a string in a list",
            "comma is missing",
        ),
        (
            "path \"a\" { capabilities = [read] }",
            1,
            28,
            "found a bare word",
            "double quotes around it",
        ),
        (
            "path \"a\" = { }",
            1,
            10,
            "block with a label and `=`",
            "leave out the `=`",
        ),
        (
            "path \"a\" {\n capabilities = [\"read\"]\n",
            3,
            1,
            "block opened on line 1 is not closed",
            "`}`",
        ),
        ("path 'a' { }", 1, 6, "illegal character `'`", "double quotes"),
        ("path \"a { }\n", 1, 6, "string without an end", "closing"),
        ("path \"a/+*\" { }", 1, 6, "`+*` in path", "refused by the servers"),
        ("path \"a\" { max_wrapping_ttl = \"soon\" }", 1, 31, "is no time", "90s"),
        (
            "path \"a\" { capabilities = var.caps }",
            1,
            27,
            "found a bare word as a value",
            "no variables",
        ),
        (
            "\u{feff}path \"a\" { }",
            1,
            1,
            "byte order mark",
            "without a byte order mark",
        ),
        ("path \"a/{{x}\" { }", 1, 6, "unbalanced", "pairs"),
        (
            "{\"path\": {\"a\": {\"caps\": []}}}",
            1,
            17,
            "unknown key `caps`",
            "`capabilities`",
        ),
        ("path \"a\" { scan = 1 }", 1, 12, "unknown key `scan`", "another key"),
        (
            "path \"a\" { capabilities = [\"scan\"] }",
            1,
            28,
            "unknown capability `scan`",
            "only OpenBao",
        ),
        (
            "path \"a\" { control_group = {} }",
            1,
            12,
            "unknown key `control_group`",
            "Vault Enterprise",
        ),
    ] {
        let error = syntax::parse("p", "p.hcl", text, &Dialect::default()).unwrap_err();
        assert_eq!(
            (error.origin.line, error.origin.column),
            (line, column),
            "{text}\n{error}"
        );
        assert!(error.message.contains(message), "{text}\n{error}");
        assert!(error.one_line().contains(advice), "{text}\n{}", error.one_line());
    }
    let text = "path \"secret/*\" {\n\tcapability = [\"read\"]\n}\n";
    let error = syntax::parse("p", "ops.hcl", text, &Dialect::default()).unwrap_err();
    assert_eq!(
        error.render(syntax::Style::Plain),
        "error: unknown key `capability` in path `secret/*`\n --> ops.hcl:2:2\n  |\n2 |  capability = [\"read\"]\n  |  ^^^^^^^^^^\n  \
         = expected: `capabilities` or another key of a `path` block\n  = hint: did you mean `capabilities`?\n"
    );
}

#[test]
fn other_editions_are_read_where_that_is_asked_for() {
    let text = "path \"a\" {\n capabilities = [\"read\"]\n max_wrapping_ttl = \"2d\"\n control_group = {\n  factor \"ops\" {\n   identity { group_names = [\"ops\"] approvals = 1 }\n  }\n }\n}";
    let any = Dialect::VAULT.any_edition();
    let policy = syntax::parse("p", "p.hcl", text, &any).unwrap();
    let constraints = &policy.stanzas[0].constraints;
    assert_eq!(constraints.control_groups.len(), 1);
    assert_eq!(constraints.max_wrapping_ttl_ns, 172_800_000_000_000);
    let printed = print::policy(&policy.stanzas);
    let again = syntax::parse("p", "p.hcl", &printed, &any).unwrap();
    assert_eq!(again.stanzas[0].constraints, *constraints, "{printed}");
    assert!(
        syntax::parse(
            "p",
            "p.hcl",
            "path \"a\" { expiration = \"2030-01-01T00:00:00Z\" }",
            &Dialect::OPENBAO
        )
        .is_ok()
    );
}

#[test]
fn places_and_comments_are_kept() {
    let text = "# about this file\n\n# Read the\n# secrets.\npath \"a/*\" { # trailing\n  capabilities = [\"read\",\r\n \"list\"]\n}\r\n/* one\n * two */\npath \"ä\" { policy = \"read\" }\n";
    let policy = syntax::parse(" Ops ", "ops.hcl", text, &Dialect::default()).unwrap();
    assert_eq!(&*policy.name, "ops");
    let [first, second] = &policy.stanzas[..] else {
        panic!("two stanzas")
    };
    assert_eq!(first.comment, ["Read the", "secrets."]);
    assert_eq!(&text[first.comment_span.clone().unwrap()], "# Read the\n# secrets.");
    assert_eq!(first.origin, Origin::new("ops.hcl", 5, 1));
    assert!(text[first.span.clone()].starts_with("path \"a/*\"") && text[first.span.clone()].ends_with('}'));
    assert_eq!(
        &text[first.capabilities_span.clone().unwrap()],
        "[\"read\",\r\n \"list\"]"
    );
    assert_eq!(&text[first.keys[0].key.clone()], "capabilities");
    assert_eq!(first.keys[0].origin, Origin::new("ops.hcl", 6, 3));
    assert_eq!(second.comment, ["one", "two"]);
    assert_eq!(second.capabilities, [Capability::Read, Capability::List]);
    assert_eq!(&text[second.keys[0].value.clone()], "\"read\"");
}

/// No error or warning hands the escape sequences of a terminal on.
#[test]
fn what_a_terminal_would_act_on_is_shown_as_text() {
    let text = "path \"a\\x1b[31m\\u202e\" { capabilities = [\"\\x1b]0;x\\x07\"] }";
    let error = syntax::parse("p", "p.hcl", text, &Dialect::default()).unwrap_err();
    for shown in [error.to_string(), error.one_line(), error.render(syntax::Style::Plain)] {
        assert!(
            !shown.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
            "{shown:?}"
        );
    }
    let text = "path \"a\\x1b[31m/*/\\u202e\" { capabilities = [\"read\"] }";
    let policy = syntax::parse("p", "p.hcl", text, &Dialect::default()).unwrap();
    for warning in lint::policies(&[policy], &lint::Context::default()) {
        let shown = warning.message.clone() + &warning.render(syntax::Style::Plain);
        assert!(
            !shown.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
            "{shown:?}"
        );
    }
}

#[test]
fn hostile_texts_end_in_an_answer() {
    let deep = |open: &str, close: &str| {
        format!(
            "path \"a\" {{ allowed_parameters = {{ a = {}{} }} }}",
            open.repeat(100_000),
            close.repeat(100_000)
        )
    };
    let json_deep = format!("{{\"path\":{}{}}}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let refused: Vec<String> = vec![
        deep("[", "]"),
        deep("{ a = ", "}"),
        deep("[{ a = ", "}]"),
        "{".repeat(100_000),
        "[".repeat(100_000),
        "path \"a\" {".repeat(100_000),
        json_deep,
        "{\"a\":".repeat(100_000),
        "path \"a\0b\" { capabilities = [\"read\"] }".to_owned(),
        "#".repeat(1000) + "\0",
        "\"".repeat(100_001),
        "path \"${".to_owned() + &"{".repeat(100_000),
        "/*".repeat(100_000),
        "<<E\n".repeat(10_000),
        "x".repeat(syntax::MAX_BYTES + 1),
    ];
    for text in refused {
        let error = syntax::parse("p", "p.hcl", &text, &Dialect::default()).unwrap_err();
        assert!(error.render(syntax::Style::Plain).len() < 2000, "{error}");
    }
    let segments = format!("path \"{}\" {{ capabilities = [\"read\"] }}", "a/".repeat(1_000_000));
    assert_eq!(
        syntax::parse("p", "p.hcl", &segments, &Dialect::default())
            .unwrap()
            .stanzas
            .len(),
        1
    );
    let plus = format!("path \"{}\" {{ capabilities = [\"read\"] }}", "+/".repeat(10_000));
    let policy = syntax::parse("p", "p.hcl", &plus, &Dialect::default()).unwrap();
    assert!(lint::policies(&[policy], &lint::Context::default()).is_empty());
    let many = "path \"a\" { capabilities = [\"read\"] }".repeat(100_000);
    let policy = syntax::parse("p", "p.hcl", &many, &Dialect::default()).unwrap();
    assert_eq!(policy.stanzas.last().unwrap().origin.line, 1);
    assert_eq!(lint::policies(&[policy], &lint::Context::default()).len(), 99_999);
    let error = syntax::parse_bytes("p", "p.hcl", b"path \"a\" {\n \xff }", &Dialect::default()).unwrap_err();
    assert_eq!(error.to_string(), "p.hcl:2:2: bytes that are no UTF-8");
}

fn stanza(path: &str, capabilities: Vec<Capability>, constraints: Constraints, comment: Vec<String>) -> Stanza {
    Stanza {
        path: path.into(),
        templated: false,
        capabilities,
        constraints,
        origin: Origin::new("x", 1, 1),
        span: 0..0,
        capabilities_span: None,
        comment,
        comment_span: None,
        keys: Vec::new(),
        in_two_cases: Vec::new(),
    }
}

/// Texts full of what means something somewhere.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("${".to_owned()),
        Just("%{".to_owned()),
        Just("}".to_owned()),
        Just("\\".to_owned()),
        Just("\"".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\0".to_owned()),
        Just("\u{e123}".to_owned()),
        Just("\u{202e}".to_owned()),
        Just("\u{fffd}".to_owned()),
        Just("\u{1f600}".to_owned()),
        Just("*/".to_owned()),
        Just("<<EOF\n".to_owned()),
        Just("#".to_owned()),
        "[a-z/+*$]{0,6}",
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("finite", |x| x.is_finite())
            .prop_map(Value::from),
        nasty().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(nasty(), inner, 0..3)
                .prop_map(|map| Value::Array(vec![Value::Object(map.into_iter().collect())])),
        ]
    })
}

fn parameters() -> impl Strategy<Value = std::collections::BTreeMap<String, Vec<Value>>> {
    proptest::collection::btree_map(
        nasty().prop_map(|key| key.to_lowercase()),
        proptest::collection::vec(values(), 0..3),
        0..3,
    )
    .prop_map(|map| {
        map.into_iter()
            .map(|(key, values)| (key.to_lowercase(), values))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_printed_reads_back(
        path in nasty(),
        comment in proptest::collection::vec(nasty(), 0..3),
        caps in proptest::sample::subsequence(
            vec![Capability::Create, Capability::Read, Capability::Update, Capability::Delete, Capability::List, Capability::Sudo, Capability::Patch],
            0..7,
        ),
        allowed in parameters(),
        denied in parameters(),
        required in proptest::collection::vec(nasty(), 0..3),
        ttl in (0_i64.., any::<u32>()),
    ) {
        prop_assume!(!path.contains("+*") && !path.contains("{{") && !path.contains("}}"));
        let constraints = Constraints {
            allowed_parameters: allowed,
            denied_parameters: denied,
            required_parameters: required,
            min_wrapping_ttl_ns: ttl.0,
            max_wrapping_ttl_ns: if ttl.0 == 0 { i64::from(ttl.1) } else { ttl.0.saturating_add(i64::from(ttl.1)) },
            ..Constraints::default()
        };
        let stanzas = [
            stanza(&path, caps.clone(), constraints.clone(), comment),
            stanza("other", vec![Capability::Deny], Constraints::default(), Vec::new()),
        ];
        let text = print::policy(&stanzas);
        let read = syntax::parse("p", "p.hcl", &text, &Dialect::default());
        prop_assert!(read.is_ok(), "{}\n{}", read.unwrap_err(), text);
        let read = read.unwrap().stanzas;
        prop_assert_eq!(read.len(), 2);
        prop_assert_eq!(&*read[0].path, path.as_str(), "{}", text);
        prop_assert_eq!(&read[0].capabilities, &caps);
        prop_assert_eq!(&read[0].constraints, &constraints, "{}", text);
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    }

    #[test]
    fn any_text_gives_an_answer(text in nasty(), cut in 0_usize..200) {
        let whole = format!("path \"a\" {{ capabilities = [\"read\"]\n comment = {text} }}");
        let end = (0..=cut.min(whole.len())).rev().find(|n| whole.is_char_boundary(*n)).unwrap_or(0);
        for text in [&text, &whole, &whole[..end], &format!("{{\"path\":{{{text}}}}}")] {
            if let Err(error) = syntax::parse("p", "p.hcl", text, &Dialect::default()) {
                prop_assert!(error.render(syntax::Style::Coloured).contains(&error.origin.to_string()));
            }
        }
    }
}
