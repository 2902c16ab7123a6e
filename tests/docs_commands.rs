//! Every command that the documentation shows is run, and what it prints is held against what is shown.
//!
//! A block marked `console` holds commands after `$ ` and below each what it prints; nothing below it: what it prints is not
//! shown. A line `...` stands for any lines, `[..]` for anything within a line. `$ echo $?` shows how the command before it
//! ended; without it a command has to end well. A block marked `console norun="why"` is counted, and not run.
//!
//! All commands of a file run one after the other in one shell, in a folder that has `fixtures` and `policies` of this
//! repository. `UPDATE_GOLDEN=1` writes what is printed into the files; what `...` leaves out stays left out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails loudly"
)]

#[path = "support/docs.rs"]
mod docs;

use docs::root;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Ends a part of the shell's output.
const MARK: char = '\u{1e}';

/// A command, where it stands, and what is shown below it.
struct Step {
    command: String,
    /// The lines of the file that show its output, from and to (not included).
    shown: (usize, usize),
}

/// What is in a file.
#[derive(Default)]
struct Page {
    lines: Vec<String>,
    steps: Vec<Step>,
    /// Why blocks are not run.
    left_out: Vec<String>,
    /// Commands in blocks that are not marked as such.
    unmarked: usize,
}

/// Those that are written for readers: beside the program, and in the book.
fn pages() -> Vec<PathBuf> {
    let mut pages = docs::pages();
    pages.retain(|page| page.parent() == Some(root()) || page.starts_with(root().join("docs")));
    pages
}

fn read(path: &Path) -> Page {
    let text = fs::read_to_string(path).unwrap();
    let mut page = Page {
        lines: text.lines().map(str::to_owned).collect(),
        ..Page::default()
    };
    let mut block: Option<(String, usize)> = None;
    for n in 0..page.lines.len() {
        let line = page.lines[n].clone();
        if let Some(mark) = line.trim_start().strip_prefix("```") {
            block = match block {
                Some((kind, from)) => {
                    end_block(&mut page, &kind, from, n);
                    None
                }
                None => Some((mark.trim().to_owned(), n + 1)),
            };
        }
    }
    assert!(block.is_none(), "{}: a block has no end", path.display());
    page
}

fn end_block(page: &mut Page, kind: &str, from: usize, to: usize) {
    let is_command = |line: &str| line.starts_with("vault-advisor ") || line.starts_with("$ vault-advisor ");
    if kind.split_whitespace().next() != Some("console") {
        page.unmarked += page.lines[from..to].iter().filter(|line| is_command(line)).count();
        return;
    }
    if let Some((_, why)) = kind.split_once("norun=\"") {
        page.left_out.push(why.trim_end_matches('"').to_owned());
        return;
    }
    let mut steps: Vec<Step> = Vec::new();
    let mut open = false;
    for n in from..to {
        let line = &page.lines[n];
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                command: command.to_owned(),
                shown: (n + 1, n + 1),
            });
            open = command.ends_with('\\') || command.contains("<<");
        } else if let Some(step) = steps.last_mut() {
            // As a shell shows it: more lines of the same command stand after `> `.
            match line.strip_prefix("> ").filter(|_| open) {
                Some(more) => {
                    step.command.push('\n');
                    step.command.push_str(more);
                    step.shown = (n + 1, n + 1);
                }
                None => {
                    open = false;
                    step.shown.1 = n + 1;
                }
            }
        } else {
            panic!("line {}: a console block begins with a command", n + 1);
        }
    }
    page.steps.append(&mut steps);
}

/// Each step's output and exit status.
fn run(steps: &[Step], program: &Path) -> Vec<(String, i32)> {
    let place = tempfile::tempdir().unwrap();
    let (bin, clone) = (place.path().join(".bin"), place.path().join("clone"));
    fs::create_dir(&bin).unwrap();
    fs::create_dir(&clone).unwrap();
    std::os::unix::fs::symlink(program, bin.join("vault-advisor")).unwrap();
    for folder in ["fixtures", "policies"] {
        std::os::unix::fs::symlink(root().join(folder), clone.join(folder)).unwrap();
    }
    let mut script = String::from("exec 2>&1\nstatus=0\n");
    for step in steps {
        let command = step.command.replace("cargo run --release -- ", "vault-advisor ");
        writeln!(
            script,
            "(exit $status)\n{command}\nstatus=$?\nprintf '{MARK}%s{MARK}' $status"
        )
        .unwrap();
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(&clone)
        .stdin(Stdio::null())
        .env_clear()
        .env("PATH", path)
        .env("HOME", place.path())
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "You")))
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "you@example.com")))
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_DATE"), "2026-11-20T05:00:00Z")))
        .output()
        .expect("bash is there");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut parts = text.split(MARK);
    let mut done = Vec::new();
    while let (Some(output), Some(status)) = (parts.next(), parts.next()) {
        done.push((output.trim_end().to_owned(), status.parse().unwrap()));
    }
    done
}

/// Whether what is shown stands for what was printed.
fn stands_for(shown: &[&str], printed: &[&str]) -> bool {
    match shown {
        [] => printed.is_empty(),
        ["...", rest @ ..] => (0..=printed.len()).any(|skip| stands_for(rest, &printed[skip..])),
        [line, rest @ ..] => match printed {
            [first, others @ ..] => line_stands_for(line, first) && stands_for(rest, others),
            [] => false,
        },
    }
}

fn line_stands_for(shown: &str, printed: &str) -> bool {
    match shown.split_once("[..]") {
        None => shown.trim_end() == printed.trim_end(),
        Some((before, after)) => printed.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| line_stands_for(after, &rest[at..]))
        }),
    }
}

/// What is to be shown now: as many lines before and after the one `...` as before, or all where nothing is left out. Nothing
/// where that cannot be told.
fn anew(shown: &[&str], printed: &[&str]) -> Option<Vec<String>> {
    if shown.iter().any(|line| line.contains("[..]")) {
        return None;
    }
    let mut gaps = (0..shown.len()).filter(|&n| shown[n] == "...");
    let lines = match (gaps.next(), gaps.next()) {
        (None, _) => printed.to_vec(),
        (Some(gap), None) if printed.len() >= shown.len() - 1 => {
            let after = printed.len() - (shown.len() - gap - 1);
            [&printed[..gap], &["..."], &printed[after..]].concat()
        }
        _ => return None,
    };
    Some(lines.into_iter().map(str::to_owned).collect())
}

/// What is wrong in a page; or its steps with what they print put in.
fn check(path: &Path, page: &mut Page, program: &Path) -> Vec<String> {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let results = run(&page.steps, program);
    let name = path.strip_prefix(root()).unwrap_or(path).display();
    let mut wrong = Vec::new();
    if results.len() != page.steps.len() {
        wrong.push(format!("{name}: the shell ended after {} commands", results.len()));
    }
    let mut edits = Vec::new();
    for (n, (step, (printed, status))) in page.steps.iter().zip(&results).enumerate() {
        let (from, to) = step.shown;
        let tells = page.steps.get(n + 1).is_some_and(|next| next.command == "echo $?");
        if *status != 0 && !tells {
            wrong.push(format!(
                "{name}:{from}: `{}` ends with {status}:\n{printed}",
                step.command
            ));
        }
        let mut shown: Vec<&str> = page.lines[from..to].iter().map(String::as_str).collect();
        while shown.last().is_some_and(|line| line.is_empty()) {
            shown.pop();
        }
        let printed: Vec<&str> = printed.lines().collect();
        if shown.is_empty() || stands_for(&shown, &printed) {
            continue;
        }
        if update && let Some(lines) = anew(&shown, &printed) {
            edits.push(((from, to), lines));
        } else {
            wrong.push(format!(
                "{name}:{from}: `{}` shows\n{}\nand prints\n{}",
                step.command,
                shown.join("\n"),
                printed.join("\n")
            ));
        }
    }
    if !edits.is_empty() {
        for ((from, to), printed) in edits.into_iter().rev() {
            page.lines.splice(from..to, printed);
        }
        fs::write(path, page.lines.join("\n") + "\n").unwrap();
    }
    wrong
}

#[test]
fn every_command_prints_what_is_shown() {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_vault-advisor"));
    let mut pages: Vec<(PathBuf, Page)> = pages().into_iter().map(|path| (path.clone(), read(&path))).collect();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = pages
            .iter_mut()
            .filter(|(_, page)| !page.steps.is_empty())
            .map(|(path, page)| scope.spawn(|| check(path, page, &program)))
            .collect();
        running.into_iter().flat_map(|page| page.join().unwrap()).collect()
    });
    let steps: usize = pages.iter().map(|(_, page)| page.steps.len()).sum();
    eprintln!("{steps} commands run");
    for (path, page) in &pages {
        let name = path.strip_prefix(root()).unwrap_or(path).display();
        for why in &page.left_out {
            eprintln!("NOT RUN: a block of {name}: {why}");
        }
        if page.unmarked > 0 {
            eprintln!(
                "NOT RUN: {} commands of {name} are in blocks of another kind",
                page.unmarked
            );
        }
    }
    assert!(steps > 20, "only {steps} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_is_left_out_stands_for_anything() {
    let stands = |shown: &str, printed: &str| {
        stands_for(&shown.lines().collect::<Vec<_>>(), &printed.lines().collect::<Vec<_>>())
    };
    assert!(stands("a\n...\nd", "a\nb\nc\nd"));
    assert!(stands("a\n...\nd", "a\nd"));
    assert!(!stands("a\n...\nd", "a\nb"));
    assert!(stands("x [..] y[..]", "x 12 y"));
    assert!(!stands("x [..] y", "x 12 z"));
    assert!(!stands("a", "a\nb"));
    assert_eq!(anew(&["a", "...", "d"], &["x", "y", "z"]).unwrap(), ["x", "...", "z"]);
    assert_eq!(anew(&["a"], &["x", "y"]).unwrap(), ["x", "y"]);
    assert_eq!(anew(&["a", "...", "d"], &["x"]), None);
}
