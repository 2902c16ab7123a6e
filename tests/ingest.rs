//! Reading logs: every shape of log gives the same usage, every line is accounted for, nothing secret gets through.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may stop at what it does not expect"
)]

#[path = "support/skip.rs"]
mod skip;

use proptest::prelude::*;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use vault_advisor::hint::Hint;
use vault_advisor::ingest::{self, Envelope, GroupBy, IngestError, LogInput, Options, Quiet, Reader};
use vault_advisor::report::usage as rows;
use vault_advisor::usage::{Demand, Skip, Usage, store};

fn logs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/logs")
}

/// Data shared between projects, beside this one; a test that needs it says so when it is not there.
fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(path);
    if path.exists() {
        return Some(path);
    }
    skip::skipped(format_args!("no {}", path.display()));
    None
}

fn read_with(path: &Path, options: &Options) -> Usage {
    ingest::read(&[LogInput::File(path.to_owned())], options, &Quiet).unwrap()
}

fn read(name: &str) -> Usage {
    read_with(&logs().join(name), &Options::default())
}

fn feed(text: &[u8]) -> Usage {
    let mut reader = Reader::new(&Options::default());
    reader.feed("log", text);
    reader.finish_file("log");
    reader.take()
}

/// The demands, without where they stand in the log.
fn placeless(usage: &Usage) -> Vec<Demand> {
    let without = |demand| Demand {
        example: None,
        ..demand
    };
    usage.demands().into_iter().map(without).collect()
}

/// The demands, as those of a log of this name.
fn as_of(name: &str, usage: &Usage) -> Vec<Demand> {
    let mut demands = usage.demands();
    for example in demands.iter_mut().filter_map(|demand| demand.example.as_mut()) {
        example.file = name.into();
    }
    demands
}

fn find<'a>(demands: &'a [Demand], name: &str, path: &str, capability: &str) -> &'a Demand {
    demands
        .iter()
        .find(|d| &*d.principal.name == name && &*d.path == path && d.capability.as_str() == capability)
        .unwrap_or_else(|| panic!("no demand {name} {capability} {path}"))
}

#[test]
fn a_plain_log_says_who_did_what_how_often() {
    let usage = read("plain.log");
    let demands = usage.demands();
    let counts = |name, path, capability| {
        let d = find(&demands, name, path, capability);
        (d.allowed, d.denied, d.failed)
    };
    assert_eq!(counts("eve", "secret/data/a/db", "read"), (2, 0, 0));
    assert_eq!(counts("eve", "secret/metadata/a/", "list"), (1, 0, 0));
    assert_eq!(counts("web", "secret/data/a/db", "update"), (1, 0, 0));
    assert_eq!(counts("web", "secret/data/a/new", "create"), (1, 0, 0));
    assert_eq!(counts("eve", "secret/metadata/a/db", "delete"), (0, 1, 0));
    assert_eq!(counts("token-ci", "kv1/a <b> & c", "read"), (1, 0, 0));
    assert_eq!(counts("eve", "secret/data/a/db", "patch"), (1, 0, 0));
    assert_eq!(counts("web", "secret/data/a/late", "read"), (1, 0, 0));
    assert_eq!(counts("unauthenticated", "auth/userpass/login/+", "update"), (1, 0, 0));
    assert_eq!(counts("unauthenticated", "pki/cert/+", "read"), (1, 0, 1));
    assert_eq!(demands.len(), 11);
    let there = find(&demands, "eve", "kv/data/t", "read");
    assert_eq!(&*there.namespace, "team/");
    let eve = find(&demands, "eve", "secret/data/a/db", "read");
    assert_eq!(&*eve.principal.auth_mount, "auth/userpass/");
    assert_eq!(eve.principal.kind.as_str(), "entity");
    assert_eq!(
        eve.held.own.iter().map(|p| &**p).collect::<Vec<_>>(),
        ["default", "readers", "team-a"]
    );
    assert_eq!(eve.days.len(), 1);
    assert_eq!(eve.first_seen.unwrap().to_string(), "2026-03-01T08:00:01Z");
    assert_eq!(eve.last_seen.unwrap().to_string(), "2026-03-01T08:00:01.75Z");
    let update = find(&demands, "web", "secret/data/a/db", "update");
    assert_eq!(
        update.keys_ever.iter().map(|k| &**k).collect::<Vec<_>>(),
        ["data", "options"]
    );
    let tally = usage.tally();
    assert!(tally.balanced());
    assert_eq!((tally.lines, tally.used, tally.paired), (27, 12, 12));
    assert_eq!(tally.skipped(Skip::Help), 1);
    assert_eq!((tally.skipped(Skip::NoPrincipal), tally.skipped(Skip::Probe)), (1, 1));
    let first = tally.skipped[&Skip::Probe].first.as_ref().unwrap();
    assert_eq!(first.line, 1);
    let unpaired = usage.unpaired();
    assert_eq!((unpaired.requests, unpaired.responses), (2, 1));
}

#[test]
fn every_envelope_gives_the_same_demands() {
    let want = read("plain.log");
    for name in [
        "alphabetical.log",
        "prefix.log",
        "cee.log",
        "syslog-rfc3164.log",
        "syslog-rfc5424.log",
        "cri.log",
        "docker.log",
        "cloudwatch-export.log",
        "cloudwatch-subscription.json",
        "cloudwatch-events.json",
        "message.log",
        "elastic.ndjson",
        "splunk.json",
        "gcp.json",
        "crlf.log",
        "bom.log",
        "nul.log",
        "pretty.json",
        "array.json",
        "array-lines.json",
        "array-pretty.json",
        "concatenated.json",
    ] {
        let usage = read(name);
        assert_eq!(placeless(&usage), placeless(&want), "{name}");
        let text = std::fs::read_to_string(logs().join(name)).unwrap();
        for demand in usage.demands().iter().filter(|demand| demand.allowed > 0) {
            let line = demand.example.as_ref().unwrap().line as usize;
            let mut lines = text.lines().skip(line - 1);
            let mut line = lines.next().unwrap().to_owned();
            let path = demand.path.split(['+', '<']).next().unwrap().trim_end_matches('/');
            // Of an entry over several lines it is the first.
            let begins = name != "plain.log" && line.trim_end().ends_with('{');
            if ["cri.log", "docker.log"].contains(&name) {
                line.extend(lines.take(3));
            }
            let is_there = line.contains(path) || line.replace("\\/", "/").contains(path);
            assert!(begins || is_there, "{name}: {path} in {line}");
        }
        let tally = usage.tally();
        assert!(tally.balanced(), "{name}: {tally:?}");
        assert_eq!((tally.used, tally.paired), (12, 12), "{name}");
        assert_eq!(tally.lost(), 0, "{name}: {tally:?}");
    }
    for name in [
        "syslog-rfc3164.log",
        "syslog-rfc5424.log",
        "message.log",
        "elastic.ndjson",
        "splunk.json",
    ] {
        let nodes = read(name).coverage().nodes;
        assert_eq!(nodes.iter().map(|n| &**n).collect::<Vec<_>>(), ["node-1"], "{name}");
    }
    let jsonx = read("jsonx.log");
    assert_eq!(jsonx.tally().skipped(Skip::Jsonx), 3);
    assert!(jsonx.is_empty());
}

#[test]
fn an_envelope_can_be_named_and_a_pointer_given() {
    let want = placeless(&read("plain.log"));
    let by = |name: &str, envelope: Option<Envelope>, unwrap: Option<&str>| {
        let options = Options {
            envelope,
            unwrap: unwrap.map(str::to_owned),
            ..Options::default()
        };
        placeless(&read_with(&logs().join(name), &options))
    };
    for (name, envelope) in [
        ("plain.log", Envelope::Json),
        ("prefix.log", Envelope::Prefix),
        ("syslog-rfc5424.log", Envelope::Syslog),
        ("cri.log", Envelope::Cri),
        ("docker.log", Envelope::Docker),
        ("cloudwatch-subscription.json", Envelope::CloudWatch),
        ("message.log", Envelope::Message),
        ("elastic.ndjson", Envelope::Elastic),
        ("splunk.json", Envelope::Splunk),
        ("gcp.json", Envelope::Gcp),
    ] {
        assert_eq!(by(name, Some(envelope), None), want, "{name} as {envelope}");
    }
    assert_eq!(by("message.log", None, Some("/message")), want);
    assert_eq!(by("elastic.ndjson", None, Some("/hashicorp_vault/audit")), want);
    assert!(by("message.log", Some(Envelope::Json), None).is_empty());
    assert!(by("message.log", None, Some("/none")).is_empty());
}

#[test]
fn copies_and_forwarded_entries_count_once() {
    let text = std::fs::read_to_string(logs().join("plain.log")).unwrap();
    let once = feed(text.as_bytes());
    let mut twice = String::new();
    for line in text.lines() {
        let _ = writeln!(twice, "{line}");
        let _ = writeln!(twice, "{}", line.replace("hmac-sha256:0000", "hmac-sha256:ffff"));
    }
    let twice = feed(twice.as_bytes());
    assert_eq!(placeless(&twice), placeless(&once));
    assert_eq!(twice.coverage().copies, 2);
    let after = feed(format!("{text}{text}").as_bytes());
    assert_eq!(placeless(&after), placeless(&once));
    assert!(after.tally().balanced() && twice.tally().balanced());
    let forwarded = text
        .replace("\"}}\n", "\"},\"forwarded_from\":\"10.0.0.2:8201\"}\n")
        .replace("}}\n", "},\"forwarded_from\":\"10.0.0.2:8201\"}\n");
    let whole = feed(format!("{forwarded}{text}").as_bytes());
    assert_eq!(placeless(&whole), placeless(&once));
    assert_eq!(
        whole.coverage().nodes.len(),
        0,
        "the log of who forwarded them was not read"
    );
}

/// Entries of one request without `policy_results`, each with its error.
fn halves(id: &str, request: &str, response: &str) -> [String; 2] {
    [("request", request), ("response", response)].map(|(kind, error)| {
        let error = if error.is_empty() { String::new() } else { format!(r#","error":"{error}""#) };
        format!(
            r#"{{"time":"2026-01-01T00:00:00Z","type":"{kind}","auth":{{"display_name":"d","policies":["p"]}},"request":{{"id":"{id}","operation":"read","path":"db/{id}"}}{error}}}"#
        )
    })
}

#[test]
fn a_backend_that_says_permission_denied_was_asked_after_the_acl() {
    let acl = r"1 error occurred:\n\t* permission denied\n\n";
    let backend = r"1 error occurred:\n\t* failed to execute: ERROR: permission denied for schema public\n\n";
    let counts = |lines: &[&str]| {
        let usage = feed((lines.join("\n") + "\n").as_bytes());
        assert!(usage.tally().balanced());
        let demands = usage.demands();
        (demands[0].allowed, demands[0].denied, demands[0].failed)
    };
    for [request, response] in [halves("1", "", backend), halves("2", "", acl)] {
        // The request entry has no error: it passed the ACL, whatever was said afterwards.
        assert_eq!(counts(&[&request, &response]), (1, 0, 1), "{response}");
        assert_eq!(counts(&[&response, &request]), (1, 0, 1), "{response}");
        assert_eq!(counts(&[&format!(" {request}"), &response]), (1, 0, 1), "{response}");
    }
    let [request, response] = halves("3", "permission denied", acl);
    assert_eq!(counts(&[&request, &response]), (0, 1, 0));
    assert_eq!(counts(&[&request]), (0, 1, 0));
    assert_eq!(counts(&[&response]), (0, 1, 0));
    let [_, response] = halves("4", "", backend);
    assert_eq!(counts(&[&response]), (1, 0, 1));
}

#[test]
fn a_refused_token_used_nothing_and_a_nameless_request_is_somebody_s() {
    let line = |error: &str| {
        format!(
            r#"{{"time":"2026-01-01T00:00:00Z","type":"request","auth":{{"token_type":"default"}},"request":{{"id":"1","operation":"read","path":"secret/data/x"}}{error}}}"#
        )
    };
    let refused = feed(line(r#","error":"permission denied""#).as_bytes());
    assert_eq!(refused.tally().skipped(Skip::NoPrincipal), 1);
    assert_eq!((refused.tally().lost(), refused.lost().unknown), (0, 0));
    let nameless = feed(line("").as_bytes());
    assert_eq!((nameless.tally().lost(), nameless.lost().unknown), (0, 0));
    let demands = nameless.demands();
    assert_eq!((&*demands[0].principal.id, demands[0].allowed), ("(not named)", 1));
    // Where the server says that no token had to be shown, it was nobody's.
    let open = line("").replace(
        r#""token_type":"default""#,
        r#""token_type":"default","policy_results":{"allowed":true}"#,
    );
    assert_eq!(&*feed(open.as_bytes()).demands()[0].principal.id, "unauthenticated");
    let shown = open.replace(r#""token_type":"default""#, r#""token_type":"service""#);
    assert_eq!(&*feed(shown.as_bytes()).demands()[0].principal.id, "(not named)");
}

#[test]
fn requests_without_token_keep_the_place_and_not_the_name() {
    let entry = |n: usize, path: &str| {
        format!(
            r#"{{"time":"2026-01-01T00:00:00Z","type":"request","auth":{{"token_type":"default"}},"request":{{"id":"{n}","operation":"update","path":"{path}","data":{{"name{n}":"x"}}}}}}"#
        ) + "\n"
    };
    let logins: String = (0..100)
        .map(|n| entry(n, &format!("auth/userpass/login/user{n}")))
        .collect();
    let demands = feed(logins.as_bytes()).demands();
    assert_eq!(demands.len(), 1);
    assert_eq!((&*demands[0].path, demands[0].allowed), ("auth/userpass/login/+", 100));
    assert!(demands[0].keys_ever.is_empty());
    // Mounts that are not there can be named as well: what is beyond the bound is counted in one row.
    let mounts: String = (0..9_000).map(|n| entry(n, &format!("auth/m{n}/login"))).collect();
    let half = mounts.len() / 2;
    let half = half + mounts[half..].find('\n').unwrap() + 1;
    for usage in [
        feed(mounts.as_bytes()),
        feed(&mounts.as_bytes()[..half])
            .merge(feed(&mounts.as_bytes()[half..]))
            .unwrap(),
    ] {
        let demands = usage.demands();
        assert!(demands.len() < 4_200, "{}", demands.len());
        assert_eq!(demands.iter().map(|d| d.allowed).sum::<u64>(), 9_000);
        assert!(find(&demands, "unauthenticated", "+", "update").allowed > 4_000);
        assert!(usage.tally().balanced());
    }
}

#[test]
fn names_of_data_are_bounded_and_sets_are_told_apart() {
    let entry = |id: &str, names: &[String]| {
        let data: Vec<String> = names.iter().map(|name| format!(r#""{name}":"x""#)).collect();
        format!(
            r#"{{"time":"2026-01-01T00:00:00Z","type":"request","auth":{{"display_name":"d","policies":["p"]}},"request":{{"id":"{id}","operation":"update","path":"a/{id}","data":{{{}}}}}}}"#,
            data.join(",")
        ) + "\n"
    };
    let names = |names: std::ops::Range<usize>| names.map(|n| format!("n{n:06}")).collect::<Vec<_>>();
    let usage =
        feed((entry("1", &names(0..20_000)) + &entry("2", &names(5..6)) + &entry("3", &names(6..7))).as_bytes());
    let demands = usage.demands();
    assert_eq!(demands[0].keys_ever.len(), 512);
    assert!(demands[0].keys_ever.contains("n000511"));
    assert_eq!(
        demands[1].keys_ever.iter().map(|k| &**k).collect::<Vec<_>>(),
        ["n000005"]
    );
    assert_eq!(
        demands[2].keys_ever.iter().map(|k| &**k).collect::<Vec<_>>(),
        ["n000006"]
    );
}

#[test]
fn what_came_first_decides_nothing() {
    let text = std::fs::read_to_string(logs().join("plain.log")).unwrap();
    let want = placeless(&feed(text.as_bytes()));
    let mut lines: Vec<&str> = text.lines().collect();
    lines.reverse();
    assert_eq!(placeless(&feed(lines.join("\n").as_bytes())), want);
    lines.sort_unstable();
    assert_eq!(placeless(&feed(lines.join("\n").as_bytes())), want);
}

#[test]
fn a_window_leaves_out_what_is_outside() {
    let options = Options {
        since: "2026-03-01T08:00:01Z".parse().ok(),
        until: "2026-03-01T08:00:01.75Z".parse().ok(),
        ..Options::default()
    };
    let usage = read_with(&logs().join("plain.log"), &options);
    assert_eq!(usage.demands().len(), 1);
    assert_eq!(usage.demands()[0].allowed, 2);
    let tally = usage.tally();
    assert_eq!(tally.skipped(Skip::OutsideWindow), 23);
    assert!(tally.balanced());
}

#[test]
fn groupings_change_who_is_one() {
    let kinds = |group_by: &str| -> Vec<String> {
        let options = Options {
            group_by: group_by.parse::<GroupBy>().unwrap(),
            ..Options::default()
        };
        let mut ids: Vec<String> = read_with(&logs().join("plain.log"), &options)
            .demands()
            .iter()
            .map(|d| format!("{}:{}", d.principal.kind, d.principal.id))
            .collect();
        ids.dedup();
        ids
    };
    assert_eq!(
        kinds("role"),
        [
            "role:auth/approle/web",
            "role:auth/userpass/eve",
            "token:token-ci",
            "unauthenticated:unauthenticated"
        ]
    );
    assert_eq!(
        kinds("display-name"),
        [
            "token:approle",
            "token:token-ci",
            "token:userpass-eve",
            "unauthenticated:unauthenticated"
        ]
    );
    assert_eq!(kinds("accessor").len(), 4);
    assert!(kinds("metadata.username").contains(&"role:eve".to_owned()));
}

#[test]
fn strict_stops_at_what_may_be_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    let strict = Options {
        strict: true,
        ..Options::default()
    };
    let line = r#"{"time":"2026-01-01T00:00:00Z","type":"request","auth":{"display_name":"d"},"request":{"id":"1","operation":"read","path":"a"}}"#;
    std::fs::write(&path, format!("{line}\n\n")).unwrap();
    assert_eq!(read_with(&path, &strict).demands().len(), 1);
    std::fs::write(&path, format!("{line}\nwhat\n")).unwrap();
    let error = ingest::read(&[LogInput::File(path)], &strict, &Quiet).unwrap_err();
    let IngestError::Strict {
        count: 1,
        first,
        reason: Skip::NotJson,
    } = &error
    else {
        panic!("{error}");
    };
    assert!(first.ends_with("a.log:2:1"), "{first}");
    assert!(error.hint().is_some());
}

/// The text of a log, which may be compressed.
fn unpacked(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text).unwrap();
    } else {
        text.push_str(&String::from_utf8(bytes).unwrap());
    }
    text
}

#[test]
fn the_line_that_is_named_for_a_use_is_its_entry() {
    let dir = tempfile::tempdir().unwrap();
    let plain = std::fs::read_to_string(logs().join("plain.log")).unwrap();
    let day = |day: u32| {
        let many = (0..200).map(|n| {
            let id = format!("{day:04}{n:04}-0000-4000-a000");
            plain.replace("00000000-0000-4000-a000", &id)
        });
        many.collect::<String>()
            .replace("2026-03-01T08", &format!("2026-03-{day:02}T08"))
            .replace("secret/data/a/new", &format!("secret/data/a/new-{day}"))
    };
    // Of a pair the response stands in the next file; the middle one is large enough to be read in pieces.
    let middle = (2..=3).map(day).collect::<String>();
    let middle = format!("{middle}{}", day(3)[..plain.len()].replace("new-3", "split"));
    let response = middle[..middle.rfind("split").unwrap()].rfind('\n').unwrap();
    let (middle, rest) = middle.split_at(response + 1);
    assert!(middle.len() > 8 << 20);
    let mut old = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut old, day(1).as_bytes()).unwrap();
    let files = [
        ("old.log.gz", old.finish().unwrap()),
        ("audit.log.1", middle.as_bytes().to_vec()),
        ("audit.log", format!("{rest}\n{}", day(4)).into_bytes()),
    ];
    let inputs: Vec<LogInput> = files
        .map(|(name, bytes)| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            LogInput::File(path)
        })
        .into();
    let read = |threads| {
        let options = Options {
            threads: Some(threads),
            ..Options::default()
        };
        ingest::read(&inputs, &options, &Quiet).unwrap()
    };
    let demands = read(1).demands();
    assert_eq!(read(3).demands(), demands);
    let mut texts = std::collections::BTreeMap::new();
    let mut named = std::collections::BTreeSet::new();
    for demand in &demands {
        let Some(example) = &demand.example else {
            assert_eq!(demand.allowed, 0, "{demand:?}");
            continue;
        };
        let path = Path::new(&*example.file);
        let text = texts.entry(path).or_insert_with(|| unpacked(path));
        let line = text.lines().nth(example.line as usize - 1).unwrap();
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let asked = entry["request"]["path"].as_str().unwrap();
        assert!(
            asked.starts_with(demand.path.trim_end_matches(['+', '/'])),
            "{asked} {demand:?}"
        );
        let time: jiff::Timestamp = entry["time"].as_str().unwrap().parse().unwrap();
        assert!(demand.denied > 0 || Some(time) == demand.last_seen, "{time} {demand:?}");
        if demand.principal.kind.as_str() == "entity" {
            assert_eq!(entry["auth"]["entity_id"].as_str(), Some(&*demand.principal.id));
        }
        // Only of what has no response, the request is named.
        let is_alone = demand.capability.as_str() == "patch";
        assert_eq!(entry["type"] == "request", is_alone, "{line}");
        if asked.ends_with("split") {
            assert!(path.ends_with("audit.log") && example.line == 1, "{example}");
        }
        named.insert(path.file_name().unwrap().to_owned());
    }
    assert_eq!(named.len(), 3, "{named:?}");
}

#[test]
fn compressed_logs_and_many_threads_give_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = String::new();
    let plain = std::fs::read_to_string(logs().join("plain.log")).unwrap();
    for n in 0..40 {
        text.push_str(&plain.replace("00000000-0000-4000-a000", &format!("{n:08}-0000-4000-a000")));
    }
    let want = feed(text.as_bytes());
    let gz = dir.path().join("a.log.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let (head, tail) = text.split_at(text.len() / 3);
    std::io::Write::write_all(&mut encoder, head.as_bytes()).unwrap();
    let mut members = encoder.finish().unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, tail.as_bytes()).unwrap();
    members.extend(encoder.finish().unwrap());
    std::fs::write(&gz, members).unwrap();
    let zst = dir.path().join("a.log.zst");
    std::fs::write(&zst, zstd::encode_all(text.as_bytes(), 3).unwrap()).unwrap();
    let file = dir.path().join("a.log");
    std::fs::write(&file, &text).unwrap();
    for path in [&gz, &zst, &file] {
        for threads in [1, 3] {
            let options = Options {
                threads: Some(threads),
                ..Options::default()
            };
            let usage = read_with(path, &options);
            assert_eq!(as_of("log", &usage), want.demands(), "{}", path.display());
            assert_eq!(usage.tally().lines, want.tally().lines);
        }
    }
    let cut: Vec<LogInput> = text
        .as_bytes()
        .chunks(text.len() / 7)
        .enumerate()
        .map(|(n, piece)| {
            let path = dir.path().join(format!("piece{n}.log"));
            std::fs::write(&path, piece).unwrap();
            LogInput::File(path)
        })
        .collect();
    let pieces = ingest::read(
        &cut,
        &Options {
            threads: Some(4),
            ..Options::default()
        },
        &Quiet,
    )
    .unwrap();
    assert!(pieces.tally().balanced());
    let corrupt = dir.path().join("b.log.gz");
    let mut bytes = std::fs::read(&gz).unwrap();
    bytes.truncate(bytes.len() / 2);
    std::fs::write(&corrupt, bytes).unwrap();
    let error = ingest::read(&[LogInput::File(corrupt)], &Options::default(), &Quiet).unwrap_err();
    assert!(error.to_string().contains("b.log.gz"), "{error}");
}

#[test]
fn broken_lines_are_named_by_their_fault() {
    let line = r#"{"time":"2026-01-01T00:00:00Z","type":"response","auth":{"display_name":"d"},"request":{"id":"1","operation":"read","path":"a"},"response":{"data":{"x":"y"}}}"#;
    for end in 1..line.len() {
        let cut = &line[..end];
        let usage = feed(cut.as_bytes());
        let tally = usage.tally();
        // Who, what and where stand before what makes entries long: they are read also where the end is missing.
        let asked = cut.contains(r#""path":"a""#);
        assert_eq!(
            (tally.used, tally.skipped(Skip::Truncated)),
            (u64::from(asked), u64::from(!asked)),
            "{cut}"
        );
        let holder = cut.contains(r#""auth":{"display_name":"d"}"#) && !asked;
        let lost = usage.lost();
        assert_eq!(
            (lost.known.len(), lost.unknown),
            (usize::from(holder), u64::from(!asked && !holder)),
            "{cut}"
        );
        assert!(tally.balanced());
    }
    for (text, reason) in [
        ("", None),
        ("\n", Some(Skip::Blank)),
        ("\0\0\0\n", Some(Skip::Blank)),
        ("hello\n", Some(Skip::NotJson)),
        ("{nonsense}\n", Some(Skip::NotJson)),
        ("{\"a\":1}\n", Some(Skip::NotAudit)),
        ("[1,2]\n", Some(Skip::NotAudit)),
        (
            r#"{"type":"kmip-request","time":"2026-01-01T00:00:00Z","request":{"operation":"x"}}"#,
            Some(Skip::NoPath),
        ),
        (
            r#"{"type":"request","auth":{"display_name":"d"},"request":{"id":"1","path":"a","operation":"header"}}"#,
            Some(Skip::UnknownOperation),
        ),
    ] {
        let usage = feed(text.as_bytes());
        let reasons: Vec<Skip> = usage.tally().reasons().map(|(r, _)| r).collect();
        if reason == Some(Skip::NotAudit) && text.starts_with('[') {
            assert!(usage.tally().used == 0);
        } else {
            assert_eq!(reasons, reason.into_iter().collect::<Vec<_>>(), "{text}");
        }
        assert!(usage.tally().balanced(), "{text}");
    }
    // A text that seems to go on in the next line, inside of what is no entry.
    for text in [
        r#"{"message":"{\"a\""}x"#,
        r#"{"logEvents":[{"message":"{\"a\""},{"message":"{\"b\""}]}{]"#,
        r#"x{"message":"{\"a\""}"#,
    ] {
        assert!(feed(text.as_bytes()).tally().balanced(), "{text}");
    }
    // A line that a crash cut, and the next entry behind it.
    let usage = feed(format!("{}{line}\n", &line[..40]).as_bytes());
    assert_eq!(usage.tally().used, 1);
}

#[test]
fn no_value_gets_through() {
    let canary = |n: u32| format!("canary{n:04}secret");
    let mut n = 0;
    let mut next = || {
        n += 1;
        canary(n)
    };
    let mut text = String::new();
    for (id, error) in [("1", ""), ("2", "x"), ("3", "")] {
        for kind in ["request", "response"] {
            let _ = writeln!(
                text,
                r#"{{"time":"2026-01-01T00:00:00Z","type":"{kind}","auth":{{"client_token":"{}","accessor":"{}","display_name":"d","policies":["p"],"metadata":{{"team":"{}"}},"entity_id":"e"}},"request":{{"id":"{id}","operation":"update","client_token":"{}","client_token_accessor":"{}","path":"secret/a","data":{{"k":"{}","m":{{"inner":["{}",{{"deep":"{}"}}]}}}},"headers":{{"x-h":["{}"]}},"remote_address":"{}"}},"response":{{"auth":{{"client_token":"{}"}},"data":{{"r":"{}"}},"secret":{{"lease_id":"{}"}},"warnings":["{}"],"redirect":"{}","wrap_info":{{"token":"{}"}}}},"error":"{error}{}"}}"#,
                next(),
                next(),
                next(),
                next(),
                next(),
                next(),
                next(),
                next(),
                next(),
                next(),
                next(),
                next(),
                next(),
                next(),
                next(),
                next(),
                next(),
            );
        }
    }
    for line in [
        r#"{"time":"2026","type":"request","request":{"id":"4","data":{"x":"CANARY"}"#,
        "CANARY",
        r#"{"message":"CANARY {"}"#,
        r#"{"type":"request","auth":{"display_name":"d"},"request":{"id":"5","operation":"CANARY","path":"p","data":{"k":"CANARY"}}}"#,
        r#"{"type":"request","auth":{"client_token":"CANARY"},"request":{"id":"6","operation":"read","path":"p","data":"CANARY"}}"#,
    ] {
        let _ = writeln!(text, "{}", line.replace("CANARY", &next()));
    }
    let mut reader = Reader::new(&Options::default());
    reader.feed("log", text.as_bytes());
    let usage = reader.snapshot();
    assert!(usage.tally().used >= 3);
    let demands = usage.demands();
    let mut out = format!(
        "{:?}{:?}{:?}{:?}",
        usage.tally(),
        usage.coverage(),
        demands,
        usage.principals()
    );
    let mut bytes = Vec::new();
    rows::write_jsonl(&usage, &mut bytes).unwrap();
    rows::write_csv(&usage, &mut bytes).unwrap();
    let dir = tempfile::tempdir().unwrap();
    for name in ["u.jsonl", "u.csv", "u.parquet"] {
        let path = dir.path().join(name);
        rows::write(&usage, rows::format_of(&path).unwrap(), &path).unwrap();
        bytes.extend(std::fs::read(path).unwrap());
    }
    let path = dir.path().join("strict.log");
    std::fs::write(&path, &text).unwrap();
    let strict = Options {
        strict: true,
        ..Options::default()
    };
    let error = ingest::read(&[LogInput::File(path)], &strict, &Quiet).unwrap_err();
    let _ = write!(out, "{error}{error:?}");
    out.push_str(&String::from_utf8_lossy(&bytes));
    for number in 1..=n {
        assert!(!out.contains(&canary(number)), "{} got through", canary(number));
    }
}

#[test]
fn every_line_of_logs_found_in_the_wild_is_accounted_for() {
    let Some(dir) = shared("data/third-party/auditlogs") else {
        return;
    };
    let mut files = Vec::new();
    let mut folders = vec![dir];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                files.push(path)
            }
        }
    }
    assert!(files.len() > 30);
    for path in files {
        let usage = read_with(&path, &Options::default());
        let tally = usage.tally();
        let text = std::fs::read(&path).unwrap();
        let lines = memchr::memchr_iter(b'\n', &text).count() + usize::from(!text.ends_with(b"\n"));
        assert!(tally.balanced(), "{}: {tally:?}", path.display());
        assert!(tally.lines >= lines as u64, "{}: {lines} {tally:?}", path.display());
        let general = read_with(
            &path,
            &Options {
                threads: Some(1),
                ..Options::default()
            },
        );
        assert_eq!(general.demands(), usage.demands());
        if path.extension().is_some_and(|e| e != "md") {
            assert!(
                tally.used + tally.skipped(Skip::Probe) > 0,
                "{}: {tally:?}",
                path.display()
            );
        }
    }
}

fn shapes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/shapes")
}

/// The lines of a small log: a login, a read, an update with data, a list, each with its response.
fn small() -> Vec<String> {
    let text = std::fs::read_to_string(shapes().join("plain.log")).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// What was asked, without what a shape may have lost of it: names of data, and times of entries that are cut.
fn asked(usage: &Usage) -> Vec<(String, String, String, u64, u64)> {
    let tally = usage.tally();
    assert!(tally.balanced(), "{tally:?}");
    let row = |d: &Demand| {
        let principal = format!("{} {:?}", d.principal.id, d.held.own);
        (
            principal,
            d.path.to_string(),
            d.capability.to_string(),
            d.allowed,
            d.denied,
        )
    };
    usage.demands().iter().map(row).collect()
}

fn text_of(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn every_shape_of_the_docs_is_read_unaided() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/log-shapes.md");
    let page = std::fs::read_to_string(page).unwrap();
    let want = asked(&read_with(&shapes().join("plain.log"), &Options::default()));
    assert_eq!(want.len(), 4);
    let mut files: Vec<PathBuf> = shapes()
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() > 45);
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(page.contains(&format!("`{name}`")), "{name} is not in the docs");
        let usage = read_with(&path, &Options::default());
        assert_eq!(asked(&usage), want, "{name}");
        let tally = usage.tally();
        assert_eq!((tally.used, tally.paired), (4, 4), "{name}: {tally:?}");
        assert_eq!(
            tally.skipped_total() - tally.skipped(Skip::Blank),
            0,
            "{name}: {tally:?}"
        );
        if !["bz2", "xz", "zip", "gz"].iter().any(|end| name.ends_with(end)) && name != "utf-16.log" {
            // The same in pieces, as a log that grows.
            let mut reader = Reader::new(&Options::default());
            for piece in std::fs::read(&path).unwrap().chunks(301) {
                reader.feed("log", piece);
            }
            assert!(reader.snapshot().tally().balanced(), "{name}");
            reader.finish_file("log");
            assert_eq!(asked(&reader.take()), want, "{name} in pieces");
        }
    }
}

#[test]
fn a_damaged_file_is_counted_and_the_others_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let text = text_of(&small());
    std::fs::write(dir.path().join("a.log"), &text).unwrap();
    let want = asked(&feed(text.as_bytes()));
    for (name, bytes) in [
        ("b.log.gz", {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        }),
        ("b.log.bz2", std::fs::read(shapes().join("audit.log.bz2")).unwrap()),
        ("b.log.xz", std::fs::read(shapes().join("audit.log.xz")).unwrap()),
        ("b.log.zst", zstd::encode_all(text.as_bytes(), 3).unwrap()),
        ("b.zip", std::fs::read(shapes().join("audit.zip")).unwrap()),
        ("b.tar.gz", std::fs::read(shapes().join("audit.tar.gz")).unwrap()),
    ] {
        let path = dir.path().join(name);
        let folder = || ingest::expand(&[dir.path().display().to_string()]).unwrap().logs;
        std::fs::write(&path, &bytes).unwrap();
        let whole = ingest::read(&folder(), &Options::default(), &Quiet).unwrap();
        assert_eq!((asked(&whole).len(), whole.tally().skipped_total()), (4, 0), "{name}");
        std::fs::write(&path, &bytes[..bytes.len() * 2 / 3]).unwrap();
        let usage = ingest::read(&folder(), &Options::default(), &Quiet).unwrap();
        assert_eq!(asked(&usage).len(), want.len(), "{name}");
        let tally = usage.tally();
        assert!(
            tally.skipped(Skip::Truncated) >= 1 && tally.lost() >= 1,
            "{name}: {tally:?}"
        );
        let first = tally.skipped[&Skip::Truncated].first.as_ref().unwrap();
        assert!(first.file.contains(name), "{first}");
        let alone = ingest::read(&[LogInput::File(path.clone())], &Options::default(), &Quiet);
        let early = alone.unwrap_err();
        assert!(
            matches!(&early, IngestError::Damaged { cut: true, name: of, .. } if of.ends_with(name)),
            "{name}: {early}"
        );
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_log_that_is_cut_off_says_how_far_it_goes() {
    let packed = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/acme/audit.log.gz")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log.gz");
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        ingest::read(&[LogInput::File(path.clone())], &Options::default(), &Quiet).unwrap_err()
    };
    let early = read(&packed[..packed.len() / 2]);
    let IngestError::Damaged { cut: true, lines, .. } = early else {
        panic!("{early}");
    };
    assert!(lines > 1_000, "{early}");
    assert!(early.to_string().contains("a.log.gz` ends early, after 1,"), "{early}");
    let hint = early.hint().unwrap();
    assert!(
        hint.contains("only in part") && hint.contains("still being written"),
        "{hint}"
    );
    // What is wrong in the middle is no end.
    let mut wrong = packed;
    let middle = wrong.len() / 2;
    wrong[middle..middle + 16].fill(0xff);
    let damaged = read(&wrong);
    assert!(matches!(damaged, IngestError::Damaged { cut: false, .. }), "{damaged}");
    assert!(
        damaged.to_string().contains("a.log.gz` is damaged after 1,"),
        "{damaged}"
    );
}

#[test]
fn a_star_in_a_pointer_goes_through_lists() {
    let want = asked(&feed(text_of(&small()).as_bytes()));
    for (name, pointer) in [
        ("datadog-api.json", "/data/*/attributes/attributes"),
        ("datadog-api.json", "/data/attributes/attributes"),
        ("azure-query.json", "/tables/*/rows/*/1"),
        ("cloudwatch-insights.json", "/results/*/*/value"),
        ("cloudwatch-lambda.json", "/awslogs/data/logEvents/*/message"),
    ] {
        let options = Options {
            unwrap: Some(pointer.to_owned()),
            ..Options::default()
        };
        assert_eq!(
            asked(&read_with(&shapes().join(name), &options)),
            want,
            "{name} {pointer}"
        );
    }
}

/// Records of a container's log whose texts end without a line feed, cut into pieces of so many bytes.
fn records(lines: &[String], size: usize, more: impl Fn(usize, usize, usize) -> String) -> Vec<String> {
    let mut records = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        let pieces: Vec<&[u8]> = line.as_bytes().chunks(size).collect();
        for (k, piece) in pieces.iter().enumerate() {
            let text = serde_json::to_string(std::str::from_utf8(piece).unwrap()).unwrap();
            records.push(format!(
                r#"{{"source":"stdout","log":{text}{}}}"#,
                more(n, k, pieces.len())
            ));
        }
    }
    records
}

#[test]
fn pieces_are_put_together_and_a_lost_one_ends_with_its_entry() {
    let lines = small();
    let want = asked(&feed(text_of(&lines).as_bytes()));
    let plain = |_: usize, _: usize, _: usize| String::new();
    for size in [100, 300, 701] {
        let usage = feed(text_of(&records(&lines, size, plain)).as_bytes());
        assert_eq!(asked(&usage), want, "{size}");
        assert_eq!(
            usage.tally().skipped_total(),
            0,
            "{size}: pieces that came to an entry are no skips"
        );
    }
    // A line that a collector split is put together too.
    for size in [100, 300, 701] {
        let pieces: Vec<String> = lines
            .iter()
            .flat_map(|line| {
                line.as_bytes()
                    .chunks(size)
                    .map(|piece| String::from_utf8(piece.to_vec()).unwrap())
            })
            .collect();
        let usage = feed(text_of(&pieces).as_bytes());
        assert_eq!(
            (asked(&usage), usage.tally().skipped_total()),
            (want.clone(), 0),
            "{size}"
        );
    }
    // One piece after the other is lost: nobody else's entry is, and what is lost is told.
    let marked = |n: usize, k: usize, of: usize| {
        format!(
            r#","partial_message":"true","partial_id":"{n}","partial_ordinal":"{}","partial_last":"{}""#,
            k + 1,
            k + 1 == of
        )
    };
    let tagged = |_: usize, k: usize, of: usize| format!(r#","logtag":"{}""#, if k + 1 == of { "F" } else { "P" });
    for (kind, all) in [
        ("plain", records(&lines, 250, plain)),
        ("marked", records(&lines, 250, marked)),
        ("tagged", records(&lines, 250, tagged)),
    ] {
        for gone in 0..all.len() {
            let mut left = all.clone();
            left.remove(gone);
            let usage = feed(text_of(&left).as_bytes());
            let tally = usage.tally();
            assert!(tally.balanced());
            let found = asked(&usage);
            let others: u64 = found.iter().map(|row| row.3).sum();
            assert!(others >= 3, "{kind} without {gone}: {found:?} {tally:?}");
            for row in &found {
                // Without a number nothing tells that a piece is missing where those around it fit together.
                let known = |w: &(String, String, String, u64, u64)| (&w.0, &w.1, &w.2) == (&row.0, &row.1, &row.2);
                assert!(kind != "marked" || want.iter().any(known), "{kind} {gone}: {row:?}");
            }
            assert!(tally.used + tally.paired >= 7, "{kind} without {gone}: {tally:?}");
        }
    }
}

#[test]
fn pieces_of_two_streams_do_not_mix() {
    let lines = small();
    let want = asked(&feed(text_of(&lines).as_bytes()));
    let (mut cri, mut docker) = (String::new(), String::new());
    for line in &lines {
        let (head, tail) = line.split_at(line.len() / 2);
        let noise = "2026-05-04T10:00:00.000Z [INFO]  core: something";
        let _ = writeln!(cri, "2026-05-04T10:00:00Z stdout P {head}");
        let _ = writeln!(cri, "2026-05-04T10:00:00Z stderr F {noise}");
        let _ = writeln!(cri, "2026-05-04T10:00:00Z stdout F {tail}");
        for (text, stream) in [
            (head.to_owned(), "stdout"),
            (format!("{noise}\n"), "stderr"),
            (format!("{tail}\n"), "stdout"),
        ] {
            let text = serde_json::to_string(&text).unwrap();
            let _ = writeln!(
                docker,
                r#"{{"log":{text},"stream":"{stream}","time":"2026-05-04T10:00:00Z"}}"#
            );
        }
    }
    for text in [cri, docker] {
        let usage = feed(text.as_bytes());
        assert_eq!(asked(&usage), want);
        let tally = usage.tally();
        assert_eq!(
            (tally.lost(), tally.joined, tally.skipped(Skip::ServerLog)),
            (0, 8, 8),
            "{tally:?}"
        );
    }
}

#[test]
fn a_line_without_its_end_is_read_as_far_as_it_goes() {
    let lines = small();
    let update = lines
        .iter()
        .position(|line| line.contains(r#""operation":"update","mount_point":"secret/""#))
        .unwrap();
    // As far as the data, of which one name more may have been there.
    let cut = |line: &String| line[..line.find(r#""data""#).map_or(line.len(), |at| at + 20)].to_owned();
    let headers: [fn(&str) -> String; 4] = [
        str::to_owned,
        |line| format!("<134>May  4 10:00:00 vault-0 vault[812]: {line}"),
        |line| format!("2026-05-04T10:00:00Z stdout F {line}"),
        |line| {
            format!(
                r#"{{"log":{},"stream":"stdout"}}"#,
                serde_json::to_string(&format!("{line}\n")).unwrap()
            )
        },
    ];
    let want = asked(&feed(text_of(&lines).as_bytes()));
    for header in headers {
        let text: String = lines.iter().map(|line| header(&cut(line)) + "\n").collect();
        let usage = feed(text.as_bytes());
        assert_eq!(asked(&usage), want, "{text}");
        let demands = usage.demands();
        let update = demands
            .iter()
            .find(|d| d.capability.as_str() == "update" && d.path.starts_with("secret"))
            .unwrap();
        assert!(update.keys_ever.contains("*"), "names of data may be missing");
        assert_eq!(usage.tally().lost(), 0);
    }
    // Newer servers write keys in order: where data come first, only the holder is known.
    let sorted = r#"{"auth":{"display_name":"d","entity_id":"e","policies":["p","q"]},"request":{"client_id":"x","data":{"k":"v","#;
    let usage = feed(sorted.as_bytes());
    let lost = usage.lost();
    let ((principal, policies), count) = lost.known.iter().next().unwrap();
    assert_eq!(
        (&*principal.id, policies.own.len(), *count, lost.unknown),
        ("e", 2, 1, 0)
    );
    assert_eq!(usage.tally().lost(), 1);
    // It goes with the part, whole and merged.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("u.parquet");
    let merged = usage.clone().merge(feed(sorted.as_bytes())).unwrap();
    store::write(&merged, &path).unwrap();
    assert_eq!(
        store::read_parquet(&path).unwrap().lost().known.values().sum::<u64>(),
        2
    );
    assert!(update > 0);
}

/// An entry as a caller may write it into the data of a request, in a log that hashes nothing.
const FORGED: &str = r#"{"auth":{"entity_id":"victim","policies":["admin"],"policy_results":{"allowed":true}},"request":{"id":"f","operation":"delete","path":"secret/data/prod/x"},"time":"2026-05-04T00:00:00Z","type":"response"}"#;

#[test]
fn what_callers_write_is_never_an_entry() {
    let own = |data: &str| {
        format!(
            r#"{{"time":"2026-05-04T10:00:00Z","type":"response","auth":{{"entity_id":"caller","policies":["low"]}},"request":{{"id":"1","operation":"update","path":"secret/data/own","data":{{"junk":"{}","z":{data}}},"remote_address":"192.0.2.1"}}}}"#,
            "x".repeat(400)
        )
    };
    let line = own(FORGED);
    let nested = line.find(FORGED).unwrap();
    let behind = nested + FORGED.len();
    let good = small().concat();
    let first = small()[0].clone();
    let check = |text: &str| {
        let usage = feed(text.as_bytes());
        assert!(usage.tally().balanced());
        let demands = usage.demands();
        assert!(
            demands.iter().all(|d| &*d.principal.id != "victim"),
            "{text}\n{:?}",
            usage.tally()
        );
    };
    // Cut anywhere, with and without what comes before and behind, in lines of their own.
    for at in (0..line.len())
        .step_by(7)
        .chain([nested, nested - 1, nested + 1, behind, behind - 1])
    {
        let (head, tail) = line.split_at(at);
        check(&format!("{head}\n{tail}\n"));
        check(&format!("{first}\n{head}\n{tail}\n{first}\n"));
        check(&format!("{head}\n{first}\n"));
        if at != nested {
            check(&format!("{tail}\n"));
            check(&format!("<134>May  4 10:00:00 h vault[1]: {tail}\n"));
            check(&format!("{first}\n{tail}\n{first}\n"));
        }
        let wrapped = |text: &str| serde_json::to_string(text).unwrap();
        check(&format!(
            "{{\"log\":{}}}\n{{\"log\":{}}}\n",
            wrapped(head),
            wrapped(tail)
        ));
    }
    // Cut such that a piece is an entry by itself.
    let (a, b, c) = (&line[..nested], &line[nested..behind], &line[behind..]);
    check(&format!("{a}\n{b}\n{c}\n"));
    check(&format!("{a}\n{b}{c}\n"));
    check(&format!("{good}\n{a}\n{b}\n{c}\n{good}\n"));
    // Lists, and several one after the other.
    check(&own(&format!("[{FORGED},{FORGED}]"))[nested + 1..]);
    check(&own(&format!("{{\"a\":{FORGED},\"b\":{FORGED}}}"))[nested + 5..]);
    // Lines of the server's own log that quote what somebody sent.
    for quote in [
        format!("2026-05-04T10:00:00.000Z [ERROR] core: could not parse {FORGED}"),
        format!("[pod/vault-0/vault] 2026-05-04T10:00:00.000Z [WARN]  core: could not parse {FORGED}"),
        serde_json::json!({"@level": "error", "@message": format!("plugin says: {FORGED}"), "@module": "db"})
            .to_string(),
        serde_json::json!({"@level": "error", "@message": FORGED, "@module": "db"}).to_string(),
        serde_json::json!({"level": "error", "msg": format!("said \"{FORGED}\"")}).to_string(),
    ] {
        check(&format!("{quote}\n"));
        check(&format!("{quote}\n{}\n", text_of(&small())));
        check(&format!("{}\n{quote}\n", text_of(&small())));
        let logged = serde_json::json!({"log": format!("{quote}\n"), "stream": "stderr"}).to_string();
        check(&format!("{logged}\n"));
    }
    // Where entries stand bare, an object with one inside is something else.
    check(&format!("{}{{\"app\":{FORGED}}}\n", text_of(&small())));
    check(&format!("{}note: {FORGED}\n", text_of(&small())));
}

#[test]
fn the_rest_of_a_line_that_is_too_long_is_passed_over() {
    let line = format!(
        r#"{{"time":"2026-05-04T10:00:00Z","type":"request","auth":{{"entity_id":"caller","policies":["low"]}},"request":{{"id":"1","operation":"update","path":"secret/data/own","data":{{"junk":"{}","z":{FORGED}}}}}}}"#,
        r"\u003c".repeat(28 << 20)
    );
    let text = format!("{line}\n{}\n", small()[2]);
    let mut reader = Reader::new(&Options::default());
    for piece in text.as_bytes().chunks(1 << 22) {
        reader.feed("log", piece);
    }
    assert_eq!(
        reader.rest("log").map(|rest| (rest.lines, rest.unfinished)),
        Some((2, 0))
    );
    reader.finish_file("log");
    let grown = reader.take();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    std::fs::write(&path, &text).unwrap();
    for usage in [grown, read_with(&path, &Options::default())] {
        let ids: Vec<String> = usage.demands().iter().map(|d| d.principal.id.to_string()).collect();
        assert_eq!(ids, ["caller", "e-1"]);
        assert_eq!(
            (usage.tally().lines, usage.tally().used, usage.tally().lost()),
            (2, 2, 0)
        );
    }
}

#[test]
fn depth_ends_nothing_and_takes_no_time() {
    let before = std::time::Instant::now();
    for open in ["[", "{\"a\":", "[[{\"a\":", "x {\"a\":[", "{\"log\":\"["] {
        for text in [open.repeat(200_000), open.repeat(200_000) + "\n" + &small()[2]] {
            let usage = feed(text.as_bytes());
            assert!(usage.tally().balanced());
        }
    }
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let entry = small()[4].replace(r#""data":{"#, &format!(r#""data":{{"deep":{deep},"#));
    let usage = feed(format!("{deep}\n{entry}\n").as_bytes());
    assert_eq!((usage.tally().used, usage.tally().skipped(Skip::NotAudit)), (1, 1));
    assert!(before.elapsed().as_secs() < 60, "{:?}", before.elapsed());
}

/// Entries of a few requests of which some have copies, some miss a partner, and some are odd.
fn entries() -> impl Strategy<Value = Vec<String>> {
    let entry = (0_u32..12, any::<bool>(), 0_u32..4, 0_u32..3, 0_u32..50, 0_u32..8).prop_map(
        |(id, response, who, how, second, odd)| {
            let auth = match who {
                0 => "{}".to_owned(),
                1 => r#"{"display_name":"root","policies":["root"]}"#.to_owned(),
                _ => format!(
                    r#"{{"client_token":"hmac-sha256:{who:064}","accessor":"hmac-sha256:{who:064}","display_name":"d{who}","policies":["p{}","q"],"entity_id":"e{who}"}}"#,
                    id % 2
                ),
            };
            let operation = ["read", "update", "list"][how as usize];
            let data = if how == 1 { format!(r#","data":{{"k{}":"v"}}"#, id % 3) } else { String::new() };
            let kind = if response { "response" } else { "request" };
            let answer = if response { r#","response":{"data":{"x":"}"}}"# } else { "" };
            let error = match odd {
                0 => r#","error":"permission denied""#,
                1 => r#","error":"backend"}"#.trim_end_matches('}'),
                _ => "",
            };
            let time = format!("2026-01-01T00:{:02}:{second:02}.5Z", id % 60);
            // A name of a member may be spelled with escapes.
            let path = if odd == 3 { r"p\u0061th" } else { "path" };
            if odd == 2 {
                format!(
                    r#"{{"auth":{auth},"request":{{"id":"id-{id}","operation":"{operation}","path":"s/{}"{data}}}{answer},"time":"{time}","type":"{kind}"}}"#,
                    id % 4
                )
            } else {
                format!(
                    r#"{{"time":"{time}","type":"{kind}","auth":{auth},"request":{{"id":"id-{id}","operation":"{operation}","{path}":"s/{}"{data}}}{answer}{error}}}"#,
                    id % 4
                )
            }
        },
    );
    let line = prop_oneof![
        20 => entry,
        1 => Just(String::new()),
        1 => Just("{\"type\":\"requ".to_owned()),
        1 => Just("noise".to_owned()),
    ];
    prop::collection::vec(line, 0..40)
}

/// Everything that must not depend on how a log was cut.
fn essence(usage: &Usage) -> (Vec<Demand>, Vec<u64>, String) {
    let tally = usage.tally();
    assert!(tally.balanced(), "{tally:?}");
    let mut counts = vec![tally.lines, tally.used, tally.paired];
    counts.extend(Skip::ALL.map(|reason| tally.skipped(reason)));
    let coverage = usage.coverage();
    (
        as_of("log", usage),
        counts,
        format!("{:?} {:?} {coverage:?}", usage.unpaired(), usage.principals()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn cutting_anywhere_and_merging_is_reading_whole(lines in entries(), cut in any::<prop::sample::Index>(), cut2 in any::<prop::sample::Index>()) {
        let whole = feed(lines.join("\n").as_bytes());
        let (a, b) = (cut.index(lines.len() + 1), cut2.index(lines.len() + 1));
        let (a, b) = (a.min(b), a.max(b));
        let part = |range: std::ops::Range<usize>| {
            let mut reader = Reader::new(&Options::default());
            reader.resume("log", range.start as u64);
            reader.feed("log", lines[range].iter().fold(String::new(), |text, line| text + line + "\n").as_bytes());
            reader.finish_file("log");
            reader.take()
        };
        let whole = if lines.is_empty() { part(0..0) } else { let _ = whole; part(0..lines.len()) };
        let parts = || (part(0..a), part(a..b), part(b..lines.len()));
        let (x, y, z) = parts();
        prop_assert_eq!(essence(&x.merge(y).unwrap().merge(z).unwrap()), essence(&whole));
        let (x, y, z) = parts();
        prop_assert_eq!(essence(&z.merge(x.merge(y).unwrap()).unwrap()), essence(&whole));
        let (x, y, z) = parts();
        prop_assert_eq!(essence(&y.merge(z).unwrap().merge(x).unwrap()), essence(&whole));
    }

    #[test]
    fn the_quick_way_agrees_with_the_general_way(lines in entries(), step in 1_usize..900) {
        // A blank before each line makes it one that the quick way leaves alone.
        let quick = feed(lines.iter().fold(String::new(), |text, line| text + line + "\n").as_bytes());
        let general = feed(lines.iter().fold(String::new(), |text, line| text + " " + line + "\n").as_bytes());
        prop_assert_eq!(essence(&quick), essence(&general));
        let mut reader = Reader::new(&Options::default());
        let text = lines.iter().fold(String::new(), |text, line| text + line + "\n");
        for piece in text.as_bytes().chunks(step) {
            reader.feed("log", piece);
        }
        prop_assert_eq!(essence(&reader.snapshot()), essence(&quick));
        reader.finish_file("log");
        prop_assert_eq!(essence(&reader.take()), essence(&quick));
    }

    #[test]
    fn any_bytes_are_accounted_for(bytes in prop::collection::vec(prop_oneof![Just(b'{'), Just(b'}'), Just(b'"'), Just(b'\n'), Just(b'['), Just(b','), Just(b':'), any::<u8>()], 0..400)) {
        let usage = feed(&bytes);
        prop_assert!(usage.tally().balanced(), "{:?}", usage.tally());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// A log of any shape that was damaged in transport: each line is in its bin, however the log comes, and nobody is seen
    /// to do what nobody did.
    #[test]
    fn a_damaged_log_of_any_shape_is_accounted_for(
        shape in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..400, 0_u8..4), 1..4),
        step in 1_usize..3000,
    ) {
        let mut files: Vec<PathBuf> = shapes().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| !path.to_string_lossy().contains("audit.") && !path.ends_with("utf-16.log"));
        files.sort();
        let mut text = std::fs::read(&files[shape.index(files.len())]).unwrap();
        for (at, size, how) in damage {
            let at = at.index(text.len() + 1);
            let end = (at + size).min(text.len());
            match how {
                0 => { text.drain(at..end); }
                1 => { text.insert(at, b'\n'); }
                2 => { let piece = text[at..end].to_vec(); text.splice(at..at, piece); }
                _ => { text.splice(at..at, *b"\n2026-05-04T10:00:00.000Z [INFO]  core: words\n"); }
            }
        }
        let whole = feed(&text);
        prop_assert!(whole.tally().balanced(), "{:?}", whole.tally());
        let mut reader = Reader::new(&Options::default());
        for piece in text.chunks(step) {
            reader.feed("log", piece);
        }
        prop_assert!(reader.snapshot().tally().balanced());
        reader.finish_file("log");
        prop_assert_eq!(essence(&reader.take()), essence(&whole));
    }
}

proptest! {
    // Each case is a log of a megabyte.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_file_read_in_blocks_is_the_log_read_at_once(lines in entries(), sizes in prop::collection::vec(prop_oneof![3 => 0_usize..300, 1 => 200_000_usize..300_000], 40)) {
        // Now and then a response about as large as a block, so that blocks end everywhere and partners lie in different ones.
        let filler = |n: usize, size: usize| {
            let data = "x".repeat(size);
            format!(
                r#"{{"time":"2026-01-02T00:00:00Z","type":"response","auth":{{"display_name":"a","policies":["p"],"entity_id":"e"}},"request":{{"id":"filler-{n}","operation":"read","path":"secret/data/{n}"}},"response":{{"data":{{"x":"{data}"}}}}}}"#
            )
        };
        let between = sizes.iter().enumerate().map(|(n, size)| filler(n, *size));
        let mut lines = lines.iter().cloned();
        let mut text = String::new();
        for filler in between {
            for line in lines.by_ref().take(1).chain([filler]) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        std::fs::write(&path, &text).unwrap();
        let from_file = read_with(&path, &Options::default());
        prop_assert_eq!(essence(&from_file), essence(&feed(text.as_bytes())));
    }
}
