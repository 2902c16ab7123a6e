//! What the fuzz targets for files do with an input: policies, logs, deployments, settings and waivers, Terraform, usage in
//! Parquet, and the tail of `watch`. Their seeds, and changes of them by chance, run as a test too (`tests/fuzz_files.rs`).

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use vault_advisor::check::baseline::Baseline;
use vault_advisor::check::source;
use vault_advisor::deployment;
use vault_advisor::ingest::{Options, Reader};
use vault_advisor::pipeline::waiver;
use vault_advisor::policy::load::Names;
use vault_advisor::policy::profile::Profile;
use vault_advisor::policy::syntax::{self, Dialect, Style, print};
use vault_advisor::policy::table::Table;
use vault_advisor::policy::{lint, lint_json};
use vault_advisor::settings::Settings;
use vault_advisor::usage::{Demand, Skip, Usage, store};
use vault_advisor::watch::tail::Tail;

/// A word that only the input has: no message may repeat a value of JSON.
pub const CANARY: &str = "hvs.CANARYvalue";

/// A name of a target and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const ALL: [Target; 7] = [
    ("policy_parse", policy_parse),
    ("ingest", ingest),
    ("deployment", deployment),
    ("settings", settings),
    ("terraform", terraform),
    ("usage", usage),
    ("tail", tail),
];

/// Any bytes as a policy: no crash, and what is accepted is linted and printed so that it reads back as it was.
pub fn policy_parse(bytes: &[u8]) {
    for dialect in [
        Dialect::VAULT,
        Dialect::VAULT.any_edition(),
        Dialect::OPENBAO.any_edition(),
    ] {
        let read = syntax::parse_bytes("fuzz", "fuzz.hcl", bytes, &dialect);
        let _ = lint_json::document("fuzz.hcl", read.as_ref());
        let policy = match read {
            Ok(policy) => policy,
            Err(error) => {
                let _ = error.render(Style::Coloured);
                continue;
            }
        };
        for stanza in &policy.stanzas {
            assert!(policy.source.get(stanza.span.clone()).is_some());
            for key in &stanza.keys {
                assert!(policy.source.get(key.key.clone()).is_some() && policy.source.get(key.value.clone()).is_some());
            }
        }
        let printed = print::policy(&policy.stanzas);
        let again = syntax::parse("fuzz", "fuzz.hcl", &printed, &dialect).expect("what is printed can be read");
        assert_eq!(again.stanzas.len(), policy.stanzas.len());
        for (new, old) in again.stanzas.iter().zip(&policy.stanzas) {
            assert_eq!(new.path, old.path);
            assert_eq!(new.capabilities, old.capabilities);
            assert_eq!(new.constraints, old.constraints, "{printed}");
        }
        for warning in lint::policies(&[policy], &lint::Context::default()) {
            let _ = warning.render(Style::Plain);
        }
    }
}

fn essence(usage: &Usage) -> (Vec<Demand>, Vec<u64>) {
    let tally = usage.tally();
    assert!(tally.balanced(), "{tally:?}");
    let mut counts = vec![tally.lines, tally.used, tally.paired];
    counts.extend(Skip::ALL.map(|reason| tally.skipped(reason)));
    (usage.demands(), counts)
}

/// Any bytes as a log: nothing panics, every line is accounted for, and cutting the log changes nothing.
pub fn ingest(bytes: &[u8]) {
    let mut whole = Reader::new(&Options::default());
    whole.feed("log", bytes);
    whole.finish_file("log");
    let want = essence(&whole.take());

    // The same bytes in pieces, whose lengths the input chooses.
    let mut pieces = Reader::new(&Options::default());
    let mut rest = bytes;
    while let Some(length) = rest.first() {
        let (piece, next) = rest.split_at((usize::from(*length) + 1).min(rest.len()));
        pieces.feed("log", piece);
        rest = next;
    }
    pieces.finish_file("log");
    assert_eq!(essence(&pieces.take()), want);
}

/// Any bytes as each file of a deployment.
pub fn deployment(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "deployment.json",
        "mounts.json",
        "auth.json",
        "roles.json",
        "entities.json",
        "groups.json",
        "secrets.json",
        "namespaces.json",
        "snapshot.json",
    ] {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        for place in [folder.path(), &file] {
            if let Err(error) = deployment::read(place) {
                assert!(!error.to_string().contains(CANARY), "{error}");
            }
        }
        fs::remove_file(file).unwrap();
    }
}

/// Any bytes as settings, as a baseline, and as a policy with waivers in its comments.
pub fn settings(bytes: &[u8]) {
    if let Ok(settings) = Settings::parse(bytes, "vault-advisor.toml".into()) {
        let (waivers, invalid) = waiver::of_settings(&settings);
        assert_eq!(waivers.len() + invalid.len(), settings.waivers.len());
    }
    if let Err(error) = Baseline::parse(bytes, Path::new("b.json")) {
        assert!(!error.to_string().contains(CANARY), "{error}");
    }
    if let Ok(policy) = syntax::parse_bytes("p", "p.hcl", bytes, &Profile::default().dialect()) {
        let (mut waivers, mut invalid) = (Vec::new(), Vec::new());
        let policies = Table::from(vec![policy]);
        for id in policies.ids() {
            waiver::of_policy(&policies, id, &mut waivers, &mut invalid);
        }
        assert!(waivers.iter().all(|w| !w.rule.is_empty() && !w.owner.is_empty()));
    }
}

/// Any bytes as Terraform, in both of its forms, as a plan, and as a resource of Kubernetes.
pub fn terraform(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["main.tf", "main.tf.json", "plan.json", "x.yaml"] {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        let _ = source::read(
            &[folder.path().to_path_buf()],
            &Profile::default().dialect(),
            Names::Path,
            &vault_advisor::sources::Options::default(),
        );
        fs::remove_file(file).unwrap();
    }
}

/// Any bytes as stored usage: what can be read can be stored, and is the same then.
pub fn usage(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("usage.parquet");
    fs::write(&file, bytes).unwrap();
    match store::read_parquet(&file) {
        Ok(usage) => {
            let _ = usage.demands();
            let _ = Usage::default().merge(usage).map(|sum| sum.policy_sets());
        }
        Err(error) => assert!(error.to_string().contains("usage.parquet"), "{error}"),
    }
}

/// Any bytes as what happens to a log: pieces appended, a rotation, a truncation, something that is no log beside it.
pub fn tail(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.log");
    fs::write(&log, "").unwrap();
    let names = vec![format!("{}/*", folder.path().display())];
    let mut tail = Tail::new(names.clone(), Options::default(), Vec::new());
    let mut rest = bytes;
    let mut rotated = 0;
    while let Some((what, more)) = rest.split_first() {
        let (length, more) = more.split_first().unwrap_or((&0, more));
        let (piece, next) = more.split_at((usize::from(*length) * 4).min(more.len()));
        rest = next;
        match what % 16 {
            0 => {
                rotated += 1;
                fs::rename(&log, folder.path().join(format!("audit.log.{rotated}"))).unwrap();
                fs::write(&log, piece).unwrap();
            }
            1 => fs::write(&log, piece).unwrap(),
            2 => fs::write(folder.path().join(format!("other{rotated}.gz")), piece).unwrap(),
            3 => {
                // It is killed, and begins anew from what it had committed.
                let usage = tail.take();
                drop(usage);
                tail = Tail::new(names.clone(), Options::default(), tail.positions());
            }
            _ => {
                let mut file = OpenOptions::new().append(true).create(true).open(&log).unwrap();
                file.write_all(piece).unwrap();
            }
        }
        tail.scan();
        for _ in 0..64 {
            if !tail.is_behind() {
                break;
            }
            tail.read();
        }
        let _ = (tail.end_vanished(), tail.notes());
    }
    if let Some(usage) = tail.take() {
        assert!(usage.tally().balanced(), "{:?}", usage.tally());
    }
}
