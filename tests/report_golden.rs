//! The reports of the recorded log that is shipped, one a format, held in `reports/acme`.
//!
//! `UPDATE_GOLDEN=1 cargo test --test report_golden` writes them anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const GOLDEN: &str = "reports/acme";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Nothing of the clock is in it: no moment of the run, and a search that stops where its first step ends.
fn advise(out: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_vault-advisor"))
        .current_dir(root())
        .args([
            "advise",
            "--logs",
            "fixtures/acme/audit.log.gz",
            "--policies",
            "fixtures/acme/policies",
            "--deployment",
            "fixtures/acme/deployment.json",
        ])
        .args(["--frontier", "--reproducible", "--time-limit", "0s", "--out"])
        .arg(out)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

#[test]
fn reports_are_as_they_were() {
    let golden = root().join(GOLDEN);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        // What was merged by hand is no longer what the program wrote.
        let _ = fs::remove_dir_all(&golden);
        advise(&golden);
        return;
    }
    assert!(
        golden.is_dir(),
        "{GOLDEN} is not there: UPDATE_GOLDEN=1 cargo test --test report_golden writes it"
    );
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("acme");
    advise(&out);
    let (want, got) = (files(&golden), files(&out));
    let again = "UPDATE_GOLDEN=1 cargo test --test report_golden writes them anew";
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&want), names(&got), "{again}");
    for (name, bytes) in &want {
        let (before, after) = (String::from_utf8_lossy(bytes), String::from_utf8_lossy(&got[name]));
        for (number, (before, after)) in before.lines().zip(after.lines()).enumerate() {
            let short = |line: &str| line.chars().take(400).collect::<String>();
            assert_eq!(short(before), short(after), "{GOLDEN}/{name}:{}; {again}", number + 1);
        }
        assert!(*bytes == got[name], "{GOLDEN}/{name} differs; {again}");
    }
}
