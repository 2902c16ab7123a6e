//! The fuzz targets, as a test: each target's seeds, then changes of them by chance for a moment, or for
//! `VAULT_ADVISOR_FUZZ_SECONDS`. An input that takes too long, or all of them too much memory, fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a failing test is told by its panic"
)]

#[path = "common/fuzz_decide.rs"]
mod fuzz_decide;
#[path = "common/fuzz_files.rs"]
mod fuzz_files;
#[path = "common/plain_scan.rs"]
mod plain_scan;

use fuzz_files::{ALL, CANARY, Target};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use vault_advisor::ingest::{Options, Reader};
use vault_advisor::usage::store;

/// The longest that one input may take, unoptimized and on a busy machine.
const MOST_TIME: Duration = Duration::from_secs(10);
/// The most memory that this process may ever have had.
const MOST_KIB: u64 = 3 << 20;

/// A generator that needs no package.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below.max(1)
    }
}

/// What texts of these kinds are made of.
const WORDS: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "\n",
    "null",
    "1e999",
    "-1",
    "${",
    "<<EOT\n",
    "EOT\n",
    "\u{202e}",
    "/*",
    "*/",
    "#",
    "path",
    "capabilities",
    "vault-advisor: allow x until 2030-01-01 owner=a reason=b",
    "[[waivers]]",
    "\0",
    "\u{fffd}",
    "9223372036854775807",
];

/// One change: bytes other, gone, twice, or a word in between.
fn change(seed: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=chance.next(4) {
        let at = chance.next(bytes.len() + 1);
        let length = chance.next(bytes.len() - at + 1).min(1 + chance.next(64));
        match chance.next(5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.next(8),
            1 => drop(bytes.drain(at..at + length)),
            2 => {
                let again = bytes[at..at + length].to_vec();
                drop(bytes.splice(at..at, again));
            }
            3 => bytes.truncate(at.max(1)),
            _ => drop(bytes.splice(at..at, WORDS[chance.next(WORDS.len())].bytes())),
        }
    }
    bytes
}

fn files(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found)
            } else {
                found.push(path)
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    found.retain(|path| path.to_string_lossy().ends_with(ending));
    found.sort();
    found.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

const SETTINGS: &str = "[rules]\nbroad-glob = \"off\"\n[evidence]\nmin_days = 30\n[[risk.classes]]\nname = \"x\"\nfactor = 1.0\npaths = [\"a/*\"]\n\
    [[waivers]]\nrule = \"a\"\nscope = \"b*\"\nowner = \"c\"\nreason = \"d\"\nexpires = \"2030-01-01\"\n[watch]\nmute = [\"drift\"]\n";
const WAIVED: &str =
    "# vault-advisor: allow a until 2030-01-01 owner=\"b c\" reason=d\npath \"a\" { capabilities = [\"read\"] }\n";
const BASELINE: &str = "{\"version\":1,\"findings\":[{\"fingerprint\":\"a\",\"rule\":\"b\",\"subject\":\"c\"}]}";

const TERRAFORM: &str = r#"variable "envs" {
  type    = map(object({ read = optional(list(string), ["a"]), n = number }))
  default = { dev = { n = 1 }, prod = { read = ["b", "c"], n = 2.5 } }
}
locals {
  all   = { for k, v in var.envs : k => join(",", sort(v.read)) if v.n < 3 && k != "x" }
  words = [for w in split("-", "a-b-c") : upper(format("%s%02d", w, length(w)))]
  doc   = jsondecode(jsonencode({ a = [1, true, null], b = try(local.words[7], "none") }))
  text  = yamldecode("a: [1, 2]\nb: &x {c: yes}\n")
}
resource "vault_policy" "each" {
  for_each = local.all
  name     = "team-${each.key}"
  policy   = <<-EOT
    %{for p in split(",", each.value)~}
    path "secret/data/${each.key}/${p}" {
      capabilities = ["read"${each.key == "prod" ? ", \"list\"" : ""}]
    }
    %{endfor~}
  EOT
}
data "vault_policy_document" "d" {
  rule {
    path         = replace("kv/*", "/k(v)/", "$1")
    capabilities = distinct(concat(["read"], ["list", "read"]))
    allowed_parameter {
      key   = "k"
      value = ["v"]
    }
  }
}
module "m" {
  source = "./m"
  count  = length(local.words)
}
"#;
const TERRAFORM_JSON: &str = r#"{"locals":{"n":"${1 + 2}"},"resource":{"vault_policy":{"p":[{"name":"p${local.n}","policy":"path \"a\" { capabilities = [\"read\"] }"}]}}}"#;
const PLAN: &str = r#"{"format_version":"1.2","planned_values":{"root_module":{"resources":[{"address":"vault_policy.p","mode":"managed","type":"vault_policy","name":"p","values":{"name":"p","policy":"path \"a\" { capabilities = [\"read\"] }"}}]}},"resource_changes":[]}"#;
const MANIFEST: &str = "apiVersion: redhatcop.redhat.io/v1alpha1\nkind: Policy\nmetadata: {name: p}\nspec:\n  policy: |\n    path \"a\" { capabilities = [\"read\"] }\n---\n\
    a: &x [1, *x, !!str 2]\nb: >-\n  two\n  lines\n";

/// What a target begins with.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let canary = format!("[{{\"id\":\"{CANARY}\",\"x\":\"{CANARY}\"}},\"{CANARY}\"]").into_bytes();
    let log = files("fixtures/logs", ".log")
        .into_iter()
        .filter(|log| log.len() < 1 << 16);
    match target {
        "policy_parse" => {
            let cases = fs::read_to_string("fixtures/policies-syntax/cases.jsonl").unwrap();
            let rules = |line: &str| {
                let case: serde_json::Value = serde_json::from_str(line).unwrap();
                case["rules"].as_str().map(|rules| rules.as_bytes().to_vec())
            };
            cases.lines().filter_map(rules).collect()
        }
        "decide" => files("fixtures/fuzz-decide", ""),
        "ingest" => log.collect(),
        "deployment" => {
            let mut seeds = files("fixtures", "deployment.json");
            seeds.retain(|seed| seed.len() < 1 << 16);
            seeds.push(br#"{"mounts":{"secret/":{"type":"kv","options":{"version":"2"}}},"groups":{"g":{"policies":["p"],"members":["e"]}},"secrets":["a"]}"#.to_vec());
            seeds.push(br#"[{"namespace":"","id":"e1","name":"ann","policies":["p"],"aliases":[{"name":"ann","mount_accessor":"a"}]}]"#.to_vec());
            seeds.push(br#"[{"namespace":"","mount":"auth/approle/","kind":"approle","item":"role","name":"r","policies":["p"]}]"#.to_vec());
            seeds.push(canary);
            seeds
        }
        "settings" => vec![SETTINGS.into(), WAIVED.into(), BASELINE.into(), canary],
        "terraform" => {
            let more = [TERRAFORM, TERRAFORM_JSON, PLAN, MANIFEST].map(|text| text.as_bytes().to_vec());
            files("fixtures/check/terraform", "").into_iter().chain(more).collect()
        }
        "usage" => {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("usage.parquet");
            let mut reader = Reader::new(&Options::default());
            for (n, text) in log.enumerate() {
                let name = format!("log{n}");
                reader.feed(&name, &text);
                reader.finish_file(&name);
            }
            store::write(&reader.take(), &file).unwrap();
            vec![fs::read(&file).unwrap(), b"PAR1PAR1".to_vec()]
        }
        _ => log
            .take(4)
            .map(|text| {
                // Pieces of it, each with what happens before.
                let pieces = text.chunks(600).enumerate();
                pieces
                    .flat_map(|(n, piece)| [&[(n % 7) as u8 + 1, 150][..], piece].concat())
                    .collect()
            })
            .collect(),
    }
}

fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

#[test]
fn every_target_holds_on_its_seeds_and_on_changes_of_them() {
    let asked = std::env::var("VAULT_ADVISOR_FUZZ_SECONDS").ok();
    let time = asked
        .and_then(|s| s.parse().ok())
        .map_or(Duration::from_secs(2), Duration::from_secs);
    let only = std::env::var("VAULT_ADVISOR_FUZZ_TARGET").ok();
    let begun = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let seed = std::env::var("VAULT_ADVISOR_FUZZ_SEED")
        .ok()
        .and_then(|s| s.parse().ok());
    let seed: u64 = seed.unwrap_or(begun.as_nanos() as u64) | 1;
    let decide: Target = ("decide", fuzz_decide::check);
    for (name, check) in ALL.into_iter().chain([decide]) {
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has no seed");
        let run = |bytes: &[u8]| {
            let begun = Instant::now();
            // What ends the process is found in this file.
            let kept = std::env::temp_dir().join(format!("fuzz-{name}-{}.bin", std::process::id()));
            fs::write(&kept, bytes).unwrap();
            check(bytes);
            let took = begun.elapsed();
            assert!(took < MOST_TIME, "{name}: an input took {took:?}: {}", kept.display());
            fs::remove_file(&kept).unwrap();
        };
        seeds.iter().for_each(|bytes| run(bytes));
        let mut chance = Chance(seed);
        let until = Instant::now() + time;
        let mut count = 0;
        while Instant::now() < until {
            let at = chance.next(seeds.len());
            run(&change(&seeds[at], &mut chance));
            count += 1;
        }
        eprintln!(
            "{name}: {} seeds, {count} changes of them from {seed}, {} MiB at most",
            seeds.len(),
            peak_kib() >> 10
        );
        assert!(peak_kib() < MOST_KIB, "{name}: {} KiB", peak_kib());
    }
}
