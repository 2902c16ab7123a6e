//! `--version` says what was built, on the program and on every subcommand, and is the same each time; and what an image is
//! built from is all that the program is made of.

#![allow(clippy::unwrap_used, reason = "a test fails loudly")]

use assert_cmd::Command;
use clap::CommandFactory as _;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
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

/// What the program's source includes from outside of `src`, but for what only its tests do, as folders.
fn included(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            included(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let program = text.split("#[cfg(test)]").next().unwrap();
        for piece in program.split("include_str!(").skip(1) {
            let name = piece.trim_start().trim_start_matches('"').split('"').next().unwrap();
            let file = path.parent().unwrap().join(name).canonicalize().unwrap();
            let inside = file.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().unwrap());
            let folder = inside.unwrap().parent().unwrap().to_owned();
            if !folder.starts_with("src") {
                found.insert(folder.display().to_string());
            }
        }
    }
}

#[test]
fn an_image_is_built_from_all_that_the_program_includes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = BTreeSet::new();
    included(&root.join("src"), &mut folders);
    assert!(folders.contains("docs/rules"), "{folders:?}");
    let dockerfile = fs::read_to_string(root.join("Dockerfile")).unwrap();
    let ignored = fs::read_to_string(root.join(".dockerignore")).unwrap();
    for folder in folders {
        let copy = format!("COPY {folder} {folder}");
        assert!(
            dockerfile.lines().any(|line| line == copy),
            "no `{copy}` in the Dockerfile"
        );
        let kept = format!("!{folder}");
        assert!(ignored.lines().any(|line| line == kept), "no `{kept}` in .dockerignore");
    }
}
