//! How the program is installed: the versions of all packages agree, a release is taken only with its checksum, the wheel holds
//! the program, `init` overwrites nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn every_package_is_of_one_version() {
    let hook = read("pyproject.toml");
    assert!(hook.contains(&format!("version = \"{VERSION}\"")));
    assert!(hook.contains(&format!("\"vault-advisor=={VERSION}\"")));
    assert!(read("action.yml").contains(&format!("    default: {VERSION}\n")));
    assert!(read("ci/gitlab.yml").contains(&format!("VAULT_ADVISOR: \"{VERSION}\"")));
}

#[test]
fn images_are_pinned_by_digest() {
    let mut pinned = std::collections::BTreeMap::new();
    for file in ["Dockerfile", "ci/gitlab.yml", "src/commands/init/gitlab.yml"] {
        let text = read(file);
        let images = text.lines().filter_map(|line| {
            let line = line.trim_start();
            line.strip_prefix("FROM ").or_else(|| line.strip_prefix("image: "))
        });
        for image in images
            .filter_map(|line| line.split_whitespace().next())
            .filter(|image| *image != "scratch")
        {
            let (name, digest) = image
                .split_once("@sha256:")
                .unwrap_or_else(|| panic!("{file}: {image}"));
            assert!(
                digest.len() == 64 && digest.bytes().all(|c| c.is_ascii_hexdigit()),
                "{file}: {image}"
            );
            let known = pinned.insert(name.to_owned(), digest.to_owned());
            assert!(
                known.is_none_or(|known| known == digest),
                "{file}: {name} has two digests"
            );
        }
    }
    assert_eq!(pinned.len(), 2);
    let updates = read(".github/dependabot.yml");
    assert!(updates.contains("package-ecosystem: docker") && updates.contains("package-ecosystem: github-actions"));
}

#[test]
fn actions_are_pinned_by_digest() {
    for file in [
        "action.yml",
        ".github/workflows/test.yml",
        ".github/workflows/release.yml",
        "src/commands/init/github.yml",
    ] {
        let text = read(file);
        for line in text
            .lines()
            .filter(|line| line.trim_start().trim_start_matches("- ").starts_with("uses:"))
        {
            let pin = line
                .split('@')
                .nth(1)
                .and_then(|rest| rest.split(' ').next())
                .unwrap_or("");
            assert!(
                pin.len() == 40 && pin.bytes().all(|b| b.is_ascii_hexdigit()),
                "{file}: {line}"
            );
        }
    }
}

#[test]
fn a_release_is_installed_only_with_its_checksum() {
    let target = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "x86_64-unknown-linux-musl",
        ("linux", "aarch64") => "aarch64-unknown-linux-musl",
        ("macos", "x86_64") => "x86_64-apple-darwin",
        _ => "aarch64-apple-darwin",
    };
    let folder = tempfile::tempdir().unwrap();
    let name = format!("vault-advisor-1.2.3-{target}");
    let release = folder.path().join("v1.2.3");
    let inner = folder.path().join(&name);
    fs::create_dir_all(&release).unwrap();
    fs::create_dir_all(&inner).unwrap();
    let program = inner.join("vault-advisor");
    fs::write(&program, "#!/bin/sh\necho vault-advisor 1.2.3\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let run = |script: &str| {
        let output = Command::new("bash")
            .arg("-c")
            .arg(script)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output));
    };
    run(&format!(
        "tar -czf v1.2.3/{name}.tar.gz {name} && cd v1.2.3 && (sha256sum {name}.tar.gz || shasum -a 256 {name}.tar.gz) > SHA256SUMS-{target}"
    ));
    let install = |place: &str| {
        Command::new("bash")
            .arg(root().join("scripts/install.sh"))
            .args(["v1.2.3", place, &format!("file://{}", folder.path().display())])
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    let output = install("bin");
    assert!(output.status.success(), "{}", text(&output));
    assert!(folder.path().join("bin/vault-advisor").is_file());
    run(&format!("echo more >> v1.2.3/{name}.tar.gz"));
    let output = install("other");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output).contains("is not what its checksum says"),
        "{}",
        text(&output)
    );
    assert!(!folder.path().join("other").exists());
}

#[test]
fn a_wheel_holds_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    fs::write(&program, "#!/bin/sh\necho it runs\n").unwrap();
    let build = || {
        Command::new("python3")
            .arg(root().join("scripts/wheel.py"))
            .args(["--target", "x86_64-unknown-linux-musl", "--version", VERSION])
            .arg("--program")
            .arg(&program)
            .arg("--out")
            .arg(folder.path())
            .output()
            .unwrap()
    };
    let output = build();
    assert!(output.status.success(), "{}", text(&output));
    let wheel = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let first = fs::read(&wheel).unwrap();
    assert!(build().status.success());
    assert_eq!(
        fs::read(&wheel).unwrap(),
        first,
        "the same program gives the same bytes"
    );
    let listed = Command::new("python3")
        .args(["-m", "zipfile", "-l", &wheel])
        .output()
        .unwrap();
    assert!(text(&listed).contains(&format!("vault_advisor-{VERSION}.data/scripts/vault-advisor")));
}

#[test]
fn init_asks_nothing_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let init = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_vault-advisor"))
            .arg("init")
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    fs::write(folder.path().join("vault-advisor.toml"), "# mine\n").unwrap();
    let output = init(&["--ci", "github", "--policies", "infra/policies"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(
        fs::read_to_string(folder.path().join("vault-advisor.toml")).unwrap(),
        "# mine\n"
    );
    let job = fs::read_to_string(folder.path().join(".github/workflows/vault-advisor.yml")).unwrap();
    assert!(
        job.contains("--policies 'infra/policies'") && job.contains(VERSION),
        "{job}"
    );
    let policy = fs::read_to_string(folder.path().join("vault-advisor-snapshot.hcl")).unwrap();
    assert!(policy.contains("sys/policies/acl"), "{policy}");
    fs::remove_file(folder.path().join("vault-advisor.toml")).unwrap();
    assert!(init(&["--ci", "gitlab"]).status.success());
    // The settings that are written are settings.
    let settings = fs::read_to_string(folder.path().join("vault-advisor.toml")).unwrap();
    vault_advisor::settings::Settings::parse(settings.as_bytes(), "x.toml".into()).unwrap();
    assert!(folder.path().join(".gitlab/vault-advisor.yml").is_file());
    assert_eq!(init(&["--policies", "a'b"]).status.code(), Some(2));
}
