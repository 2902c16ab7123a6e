//! The reference pages are made from the program: `UPDATE_GOLDEN=1 cargo test --test docs_reference` writes them anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

use clap::{Arg, ArgAction, Command, CommandFactory as _};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use vault_advisor::cli::Cli;
use vault_advisor::settings::Settings;

fn docs() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

fn hold(name: &str, text: &str) {
    let path = docs().join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, text).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        there, text,
        "docs/{name} is not what the program says: UPDATE_GOLDEN=1 cargo test --test docs_reference"
    );
}

/// `-o, --output <FILE>`
fn name_of(arg: &Arg) -> String {
    let mut names = Vec::new();
    if let Some(short) = arg.get_short() {
        names.push(format!("-{short}"));
    }
    if let Some(long) = arg.get_long() {
        names.push(format!("--{long}"));
    }
    let mut text = names.join(", ");
    if matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) {
        let values: Vec<String> = arg
            .get_value_names()
            .unwrap_or_default()
            .iter()
            .map(|v| format!("<{v}>"))
            .collect();
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&values.join(" "));
        if arg.get_num_args().is_some_and(|n| n.max_values() > 1) {
            text.push_str("...");
        }
    }
    text
}

fn argument(out: &mut String, arg: &Arg) {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    write!(out, "- `{}`: {help}", name_of(arg)).unwrap();
    let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|_| takes_value)
        .map(|v| format!("`{}`", v.get_name()))
        .collect();
    if !values.is_empty() {
        write!(out, "; one of {}", values.join(", ")).unwrap();
    }
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .filter(|_| takes_value)
        .map(|v| format!("`{}`", v.to_string_lossy()))
        .collect();
    if !defaults.is_empty() {
        write!(out, " (default {})", defaults.join(", ")).unwrap();
    }
    out.push('\n');
}

fn arguments(out: &mut String, command: &Command, global: bool) {
    for arg in command.get_arguments() {
        if arg.is_global_set() == global && !["help", "version"].contains(&arg.get_id().as_str()) {
            argument(out, arg);
        }
    }
}

fn subcommand(out: &mut String, command: &mut Command) {
    let name = command.get_name().to_owned();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim();
    writeln!(out, "\n## {name}\n\n{about}.\n\n```text\n{usage}\n```\n").unwrap();
    arguments(out, command, false);
    if let Some(after) = command.get_after_help() {
        let after = after.to_string();
        let (examples, rest) = after.split_once("\n\n").unwrap_or((&after, ""));
        let examples = examples.split_once('\n').map_or(examples, |(_, lines)| lines);
        let lines: Vec<&str> = examples
            .lines()
            .map(|line| line.strip_prefix("  ").unwrap_or(line))
            .collect();
        writeln!(out, "\n```sh\n{}\n```", lines.join("\n")).unwrap();
        for line in rest.lines().filter(|line| !line.trim().is_empty()) {
            writeln!(out, "\n{}", line.trim()).unwrap();
        }
    }
}

/// What status 1 means, in the reference.
const ENDS_WITH_1: &str = "| 1 | something to look at: findings at or above the threshold (`check`, `lint`), new access (`compare`), \
                           a failed test (`test`), a regression that nobody has answered (`regressions`) |";

/// The subcommands whose files may end with status 1.
fn may_find() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands");
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "rs"))
        .filter(|path| fs::read_to_string(path).unwrap().contains("Exit::Findings"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .map(|name| name.replace("_command", "").replace("policy_", ""))
        .collect();
    names.sort();
    names
}

#[test]
fn every_command_that_may_end_with_1_is_named() {
    let names = may_find();
    assert!(names.contains(&"check".to_owned()), "{names:?}");
    let help = Cli::command().get_after_help().unwrap().to_string();
    let (_, of_help) = help.split_once("1 ").unwrap();
    let (of_help, _) = of_help.split_once("; 2 ").unwrap();
    for name in names {
        assert!(
            Cli::command().find_subcommand(&name).is_some(),
            "{name} is no subcommand"
        );
        let words = |text: &str| text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word == name);
        assert!(words(of_help), "help does not name {name}: {of_help}");
        assert!(words(ENDS_WITH_1), "the reference does not name {name}");
    }
}

#[test]
fn the_flags() {
    let mut program = Cli::command();
    program.build();
    let mut out = String::from(
        "# Commands and flags\n\nMade from the program itself; `vault-advisor help COMMAND` says the same, and \
         `vault-advisor man --out DIR` writes it as man pages.\n",
    );
    out.push_str("\n## Flags that every command knows\n\n");
    arguments(&mut out, &program, true);
    out.push_str(
        "- `-h, --help`, `-V, --version`: `--version` names the commit, the solver, the features and the target\n",
    );
    write!(
        out,
        "\n## How it ends\n\n| status | means |\n|---:|---|\n| 0 | fine |\n\
         {ENDS_WITH_1}\n\
         | 2 | an error; the message says what, where, why and what to do |\n\
         | 3 | no usable record in the logs |\n\
         | 130, 143 | interrupted (Ctrl-C, SIGTERM): nothing half-written is left. `watch` commits what it read and ends with 0 |\n\n\
         Data goes to stdout, talk to stderr. A reader of stdout that goes (`| head`) is no error; a full disk is. \
         A file appears whole or not at all.\n",
    )
    .unwrap();
    for command in program.get_subcommands_mut().filter(|c| c.get_name() != "help") {
        subcommand(&mut out, command);
    }
    hold("reference/cli.md", &out);
}

#[test]
fn the_rules() {
    let mut rules: Vec<(String, String)> = fs::read_dir(docs().join("rules"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("README.md"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            let title = text.lines().next().unwrap().trim_start_matches("# ");
            let (id, what) = title
                .split_once(": ")
                .expect("a title is the rule and what it is about");
            assert_eq!(id, name, "the title of {}", path.display());
            (name, what.to_owned())
        })
        .collect();
    rules.sort();
    let mut out = String::from(
        "# Every rule\n\nEach page says what the rule does, why it matters, an example, and what to use instead. Severities \
         are set, and rules are switched off, under `[rules]` in the [settings](../settings.md).\n\n| rule | about |\n|---|---|\n",
    );
    for (name, what) in rules {
        writeln!(out, "| [{name}]({name}.md) | {what} |").unwrap();
    }
    hold("rules/README.md", &out);
}

#[test]
fn the_settings_shown_are_settings() {
    let text = fs::read_to_string(docs().join("settings.md")).unwrap();
    let (_, rest) = text.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vault-advisor.toml");
    fs::write(&file, example).unwrap();
    Settings::load(Some(&file), &[]).unwrap();
}
