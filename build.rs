//! Tells the program which commit it is built from. Everything works without git, and no time goes into the program.
//!
//! The commit is taken from the variable `VAULT_ADVISOR_COMMIT`, else from git, else from the note that `cargo package`
//! leaves in a package; else it is `unknown`.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What the program is made of: a change in one of these makes the commit say `+changes`.
const SOURCES: [&str; 4] = ["src", "Cargo.toml", "Cargo.lock", "build.rs"];

/// As many digits as are shown of a commit.
const DIGITS: usize = 12;

fn main() {
    if env::var_os("CARGO_CFG_WINDOWS").is_some() {
        println!("cargo::error=vault-advisor does not run on Windows: build it for Linux or macOS, or inside of WSL");
        return;
    }
    println!("cargo::rerun-if-env-changed=VAULT_ADVISOR_COMMIT");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    let commit = given().or_else(from_git).or_else(from_package);
    println!(
        "cargo::rustc-env=VAULT_ADVISOR_COMMIT={}",
        commit.as_deref().unwrap_or("unknown")
    );
    let target = env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=VAULT_ADVISOR_TARGET={target}");
}

fn given() -> Option<String> {
    env::var("VAULT_ADVISOR_COMMIT").ok().and_then(|text| hash(&text))
}

/// The first digits, if it is a hash at all: nothing else may get into the program.
fn hash(text: &str) -> Option<String> {
    let text = text.trim();
    let whole = text.len() >= DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit());
    whole.then(|| text.chars().take(DIGITS).collect())
}

fn from_git() -> Option<String> {
    // A repository around this one, such as that of a home folder, says nothing about this source.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if fs::canonicalize(top).ok()? != fs::canonicalize(".").ok()? {
        return None;
    }
    let branch = git(&["rev-parse", "--symbolic-full-name", "HEAD"]).unwrap_or_default();
    for name in ["HEAD", "packed-refs", &branch] {
        let file = git(&["rev-parse", "--git-path", name]).filter(|file| Path::new(file).is_file());
        if let Some(file) = file {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    let commit = hash(&git(&["rev-parse", "HEAD"])?)?;
    let mut status = vec!["status", "--porcelain", "--untracked-files=no", "--"];
    status.extend(SOURCES);
    let changed = git(&status).is_some();
    Some(if changed { format!("{commit}+changes") } else { commit })
}

fn from_package() -> Option<String> {
    let note = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let after = note.split_once("\"sha1\"")?.1;
    hash(after.split('"').nth(1)?)
}

/// What git answers; nothing where it answers nothing or is not there.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
