//! The first minutes with every subcommand: no flags, wrong flags, help, an empty folder, a full disk, a closed pipe, an
//! interruption, no colour, a narrow terminal. Each has to be fit for a person.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails loudly"
)]

#[path = "support/skip.rs"]
mod skip;

use clap::CommandFactory as _;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use vault_advisor::cli::Cli;

const LOG: &str = "fixtures/acme/audit.log.gz";
const POLICIES: &str = "fixtures/acme/policies";

/// A short run of every subcommand that writes to stdout, on what is shipped.
const SPEAKING: &[&[&str]] = &[
    &["usage", "--logs", LOG],
    &["decide"],
    &[
        "explain",
        "read",
        "secret/data/x",
        "--as",
        "web",
        "--policies",
        "policies/example",
    ],
    &["who-can", "secret/data/web/x", "--policies", "policies/example"],
    &["lint", POLICIES],
    &["capabilities", "--as", "web", "--policies", "policies/example"],
    &["diff-access", "as:web", "as:rotate", "--policies", "policies/example"],
    &["generate", "--logs", LOG],
    &["test", "policies/tests/web.yaml", "--policies", "policies/example"],
    &["compare", "policies/example", "policies/example-changed"],
    &["replay", "--logs", LOG, "--policies", POLICIES],
    &[
        "check",
        "--policies",
        "policies/example-changed",
        "--base-dir",
        "policies/example",
    ],
    &["roles", "--matrix", "MATRIX"],
    &["snapshot", "--print-policy"],
    &["completions", "bash"],
    &["--help"],
    &["--version"],
    &["help", "advise"],
];

/// Those without one: why.
const SILENT: &[(&str, &str)] = &[
    ("advise", "writes a folder: see the tests of its own below"),
    ("backtest", "needs months of logs"),
    ("regressions", "needs a report that was applied"),
    ("answer", "writes into the working folder: see tests/decisions.rs"),
    ("watch", "waits for what comes"),
    ("man", "writes a folder"),
    ("init", "writes into the working folder: see tests/packaging.rs"),
];

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vault-advisor"));
    command
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .env_remove("NO_COLOR")
        .env_remove("VAULT_TOKEN")
        .env_remove("BAO_TOKEN")
        .env("HOME", "/nonexistent");
    command
}

fn run(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn subcommands() -> Vec<String> {
    Cli::command()
        .get_subcommands()
        .map(|c| c.get_name().to_owned())
        .collect()
}

/// What must never be seen.
fn fit(text: &str, what: &str) {
    for word in ["panicked", "RUST_BACKTRACE", "src/", "Os {", "Error(", "\u{1b}["] {
        assert!(!text.contains(word), "{what}: `{word}` in\n{text}");
    }
}

#[test]
fn every_subcommand_is_looked_at() {
    for name in subcommands() {
        let known = SPEAKING.iter().any(|line| line[0] == name) || SILENT.iter().any(|(silent, _)| *silent == name);
        assert!(known, "`{name}` is in no table of this test");
    }
}

#[test]
fn without_flags_each_says_what_it_lacks_and_shows_an_example() {
    for name in subcommands() {
        // The first reads standard input, which is empty here; the second needs nothing and writes at once; the third lists.
        if name == "decide" || name == "init" || name == "answer" {
            continue;
        }
        let output = run(&[&name]);
        let text = err(&output);
        assert_eq!(output.status.code(), Some(2), "{name}: {text}");
        assert!(text.starts_with("error: "), "{name}: {text}");
        assert!(
            text.contains(&format!("  vault-advisor {name} ")) || text.contains("Example"),
            "{name}: {text}"
        );
        fit(&text, &name);
        assert!(output.stdout.is_empty(), "{name} talks on stdout");
    }
}

#[test]
fn wrong_flags_and_words_are_named() {
    for name in subcommands() {
        let output = run(&[&name, "--no-such-flag"]);
        let text = err(&output);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(
            text.contains("--no-such-flag") && text.contains("--help"),
            "{name}: {text}"
        );
        fit(&text, &name);
    }
    let text = err(&run(&["adivse"]));
    assert!(text.contains("a similar subcommand exists: 'advise'"), "{text}");
    let text = err(&run(&["lint", "--server", "vault-9", POLICIES]));
    assert!(
        text.contains("`vault-9` is not a server profile") && text.contains("hint: "),
        "{text}"
    );
}

#[test]
fn help_has_an_example_and_fits_a_narrow_terminal() {
    for name in subcommands() {
        let output = program(&[&name, "--help"]).env("COLUMNS", "40").output().unwrap();
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(output.status.success(), "{name}");
        assert!(text.contains("Example"), "the help of `{name}` has no example");
        fit(&text, &name);
        // Words may be longer than the line, such as a path; sentences may not. Examples are to be copied, so they are whole.
        let prose = text.split("\nExample").next().unwrap();
        for line in prose
            .lines()
            .filter(|l| l.chars().count() > 40 && !l.starts_with("Usage: "))
        {
            let words = line.split_whitespace().count();
            assert!(words <= 6, "`{name} --help` at 40 columns: {line}");
        }
    }
}

#[test]
fn an_empty_folder_is_told() {
    let empty = tempfile::tempdir().unwrap();
    let (empty, out) = (empty.path().to_str().unwrap(), empty.path().join("out"));
    let out = out.to_str().unwrap();
    let lines: &[&[&str]] = &[
        &["advise", "--logs", empty, "--policies", POLICIES, "--out", out],
        &["advise", "--logs", LOG, "--policies", empty, "--out", out],
        &["usage", "--logs", empty],
        &["usage", "--usage", empty],
        &["explain", "read", "x", "--as", "web", "--policies", empty],
        &["who-can", "x", "--policies", empty],
        &["lint", empty],
        &["test", empty, "--policies", POLICIES],
        &["compare", empty, empty],
        &["replay", "--logs", empty, "--policies", POLICIES],
        &["regressions", "--applied", empty, "--logs", LOG],
        &["check", "--policies", empty],
        &["backtest", "--logs", empty, "--policies", POLICIES],
        &["roles", "--logs", empty],
        &["roles", "--matrix", empty],
        &["snapshot", "--out", out],
    ];
    for line in lines {
        let output = run(line);
        let text = err(&output);
        assert_eq!(output.status.code(), Some(2), "{line:?}: {text}");
        assert!(text.contains("error: ") && text.contains("hint: "), "{line:?}: {text}");
        fit(&text, &format!("{line:?}"));
        assert!(!Path::new(out).exists(), "{line:?} wrote something");
    }
}

/// The flags, with a matrix where one is named.
fn filled(line: &[&str], matrix: &Path) -> Vec<String> {
    line.iter()
        .map(|word| match *word {
            "MATRIX" => matrix.display().to_string(),
            other => other.to_owned(),
        })
        .collect()
}

fn matrix() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"ann read write\nbob read\n").unwrap();
    file
}

/// A case for `decide`.
fn feed(command: &mut Command) {
    let mut case = tempfile::tempfile().unwrap();
    writeln!(
        case,
        r#"{{"id":1,"policies":[],"requests":[{{"operation":"read","path":"x"}}]}}"#
    )
    .unwrap();
    std::io::Seek::rewind(&mut case).unwrap();
    command.stdin(case);
}

#[test]
fn a_full_disk_is_an_error() {
    // A device that is always full: only Linux has it, and only a device will do.
    let full = Path::new("/dev/full");
    if !fs::metadata(full).is_ok_and(|m| !m.is_file()) {
        skip::skipped("there is no /dev/full");
        return;
    }
    let matrix = matrix();
    for line in SPEAKING {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vault-advisor"));
        command
            .args(filled(line, matrix.path()))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .stdout(File::options().write(true).open(full).unwrap());
        if line[0] == "decide" {
            feed(&mut command);
        }
        let output = command.output().unwrap();
        let text = err(&output);
        assert_eq!(output.status.code(), Some(2), "{line:?}: {text}");
        assert!(text.contains("No space left"), "{line:?}: {text}");
        fit(&text, &format!("{line:?}"));
    }
    // As a file that is named: it is written to, and not replaced.
    let output = run(&["check", "--policies", "policies/example", "-o", "/dev/full"]);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert!(!fs::metadata(full).unwrap().is_file());
}

#[test]
fn a_reader_that_goes_is_no_error() {
    let matrix = matrix();
    for line in SPEAKING {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_vault-advisor"));
        command
            .args(filled(line, matrix.path()))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .stdout(writer);
        if line[0] == "decide" {
            feed(&mut command);
        }
        let output = command.output().unwrap();
        let text = err(&output);
        assert_eq!(output.status.code(), Some(0), "{line:?}: {text}");
        assert!(!text.contains("error"), "{line:?}: {text}");
        fit(&text, &format!("{line:?}"));
    }
}

#[test]
fn colour_is_for_those_who_want_it() {
    let wanted = run(&["lint", "--color", "always", POLICIES]);
    assert!(wanted.stdout.contains(&0x1b));
    for line in [&["lint", POLICIES][..], &["lint", "--color", "never", POLICIES]] {
        assert!(!run(line).stdout.contains(&0x1b), "{line:?}");
    }
    let error = program(&["lint", "nope"]).env("NO_COLOR", "1").output().unwrap();
    assert!(!error.stderr.contains(&0x1b));
}

/// `advise` under way, far enough to be interrupted: it reads what comes through a pipe that stays open.
#[test]
fn an_interruption_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for signal in ["INT", "TERM"] {
        let mut child = program(&["advise", "--verbose", "--logs", "-", "--policies", POLICIES, "--out"])
            .arg(folder.path().join("report"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(300));
        let killed = Command::new("kill")
            .args([format!("-{signal}"), child.id().to_string()])
            .status()
            .unwrap();
        assert!(killed.success());
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "SIG{signal} is not heard");
            std::thread::sleep(Duration::from_millis(10));
        };
        let number = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(number, Some(if signal == "INT" { 2 } else { 15 }), "{status}");
        let mut text = String::new();
        child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        fit(&text, signal);
        assert!(text.ends_with("stopped, nothing written\n"), "{text}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something is left");
    }
}

#[test]
fn a_report_is_written_whole_or_not_at_all() {
    // A file in the place of the folder, a folder that nothing may be written to: an error each, and nothing else.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    for out in [file.clone(), file.join("below")] {
        let output = program(&[
            "advise",
            "--logs",
            LOG,
            "--policies",
            POLICIES,
            "--time-limit",
            "1s",
            "--out",
        ])
        .arg(&out)
        .output()
        .unwrap();
        let text = err(&output);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("hint: "), "{text}");
        fit(&text, "advise");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn completions_and_man_pages_know_every_subcommand() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = run(&["completions", shell]);
        let text = String::from_utf8(output.stdout).unwrap();
        for name in subcommands() {
            assert!(text.contains(&name), "{shell} does not complete `{name}`");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(run(&["man", "--out", folder.path().to_str().unwrap()]).status.success());
    for name in subcommands() {
        let page = fs::read_to_string(folder.path().join(format!("vault-advisor-{name}.1"))).unwrap();
        assert!(page.contains(".TH") && page.contains("Example"), "{name}");
    }
    let pages = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(
        pages,
        subcommands().len() + 1,
        "a page each, one for the whole, and nothing else"
    );
}
