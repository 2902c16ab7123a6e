//! `--version` says what was built, on the program and on every subcommand, and is the same each time.

#![allow(clippy::unwrap_used, reason = "a test fails loudly")]

use assert_cmd::Command;
use clap::CommandFactory as _;
use vault_advisor::cli::Cli;

fn version(arguments: &[&str]) -> String {
    let output = Command::cargo_bin("vault-advisor")
        .unwrap()
        .args(arguments)
        .assert()
        .success();
    String::from_utf8(output.get_output().stdout.clone()).unwrap()
}

#[test]
fn the_long_version_names_commit_solver_features_and_target() {
    let text = version(&["--version"]);
    let first = format!("vault-advisor {}\n", env!("CARGO_PKG_VERSION"));
    assert!(text.starts_with(&first), "{text}");
    for line in ["commit: ", "solver: ", "features: ", "target: "] {
        assert!(text.lines().any(|l| l.starts_with(line)), "{line} is missing in {text}");
    }
    assert_eq!(text, version(&["--version"]));
    assert_eq!(version(&["-V"]), first);
}

#[test]
fn every_subcommand_has_it() {
    let whole = version(&["--version"]);
    let (_, built) = whole.split_once('\n').unwrap();
    for command in Cli::command().get_subcommands() {
        let text = version(&[command.get_name(), "--version"]);
        assert!(text.ends_with(built), "{text}");
    }
}
