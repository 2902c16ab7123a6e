//! The examples of other tools that read usage: each is run as it stands on the page, and prints what stands below it. Where a
//! tool is not there, that is told.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at what it does not expect"
)]

#[path = "support/skip.rs"]
mod skip;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PAGE: &str = "docs/how-to/usage-data.md";

/// What runs Python: the one that is named, the one beside the other caches of tests, the one on the path.
fn pythons() -> Vec<PathBuf> {
    let named = std::env::var_os("VAULT_ADVISOR_PYTHON").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let kept = home.map(|home| home.join(".cache/vault-advisor/usage-tools/bin/python"));
    named
        .into_iter()
        .chain(kept)
        .chain([PathBuf::from("python3")])
        .collect()
}

fn python_with(module: &str) -> Option<PathBuf> {
    let has = |python: &PathBuf| {
        let mut command = Command::new(python);
        // Spark runs on Java besides.
        let java = if module == "pyspark" {
            "; import shutil; assert shutil.which('java')"
        } else {
            ""
        };
        command.args(["-c", &format!("import {module}{java}")]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    pythons().into_iter().find(has)
}

/// The blocks of the page: what is run, the lines on which its output stands, and the output.
fn examples(lines: &[&str]) -> Vec<(String, (usize, usize))> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if lines[at] != "```python" {
            at += 1;
            continue;
        }
        let end = (at..lines.len()).find(|n| lines[*n] == "```").unwrap();
        let code = lines[at + 1..end].join("\n");
        let shown = (end..lines.len()).find(|n| lines[*n] == "```text").unwrap();
        let over = (shown..lines.len()).find(|n| lines[*n] == "```").unwrap();
        found.push((code, (shown + 1, over)));
        at = over;
    }
    found
}

#[test]
fn other_tools_read_usage_as_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_vault-advisor"))
        .args(["usage", "--quiet", "--logs", "fixtures/acme/audit.log.gz", "-o"])
        .arg(dir.path().join("usage.parquet"))
        .current_dir(root)
        .status();
    assert!(status.unwrap().success());
    let page = std::fs::read_to_string(root.join(PAGE)).unwrap();
    let lines: Vec<&str> = page.lines().collect();
    let examples = examples(&lines);
    assert!(examples.len() >= 6);
    let mut changed: Vec<String> = page.lines().map(str::to_owned).collect();
    for (code, (from, to)) in examples.iter().rev() {
        let modules = ["duckdb", "pandas", "polars", "pyspark", "pyarrow"];
        let module = modules
            .into_iter()
            .find(|module| code.contains(&format!("import {module}")) || code.contains(&format!("from {module}")));
        let module = module.unwrap_or_else(|| panic!("what does it need?\n{code}"));
        let Some(python) = python_with(module) else {
            skip::skipped(format!("an example of {PAGE}: no Python here has {module}"));
            continue;
        };
        // Threads of pyarrow and pandas now and then abort a process that has done its work and exits by itself.
        let exit = match module {
            "pyarrow" | "pandas" => "\nimport os, sys\nsys.stdout.flush()\nos._exit(0)",
            _ => "",
        };
        let output = Command::new(python)
            .args(["-c", &format!("{code}{exit}")])
            .current_dir(dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{code}\n{said}");
        let printed = String::from_utf8(output.stdout).unwrap();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            changed.splice(*from..*to, printed.lines().map(str::to_owned));
            continue;
        }
        assert_eq!(printed.trim_end(), lines[*from..*to].join("\n"), "{code}");
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(root.join(PAGE), changed.join("\n") + "\n").unwrap();
    }
}
