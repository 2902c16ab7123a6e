//! Examples of help, so that they can be copied: a command that is longer than help is wide goes on in the next line where a shell
//! takes it for the same.

use super::MOST_COLUMNS;

/// How far examples are moved in, and lines that go on.
const INDENT: &str = "  ";
/// What ends a line that goes on.
const GOES_ON: &str = " \\";

/// The text with its examples broken; what follows an empty line is no example.
pub(super) fn broken(text: &str) -> String {
    let (examples, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let lines: Vec<String> = examples.lines().map(line).collect();
    let examples = lines.join("\n");
    if rest.is_empty() {
        examples
    } else {
        format!("{examples}\n\n{rest}")
    }
}

fn line(line: &str) -> String {
    let width = |text: &str| text.chars().count();
    if width(line) <= MOST_COLUMNS {
        return line.to_owned();
    }
    let mut out = String::new();
    let mut now = String::from(INDENT);
    for piece in pieces(line.trim_start()) {
        let is_first = now.trim().is_empty();
        if !is_first && width(&now) + 1 + width(&piece) + width(GOES_ON) > MOST_COLUMNS {
            out.push_str(&now);
            out.push_str(GOES_ON);
            out.push('\n');
            now = INDENT.repeat(2);
        } else if !is_first {
            now.push(' ');
        }
        now.push_str(&piece);
    }
    out.push_str(&now);
    out
}

/// The words of a command, a flag with what belongs to it; quoted words are whole.
fn pieces(command: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut quoted = false;
    let mut of_flag = false;
    for word in command.split(' ') {
        let begins = !quoted && (word.starts_with('-') || matches!(word, "<" | ">" | "|") || !of_flag);
        match pieces.last_mut() {
            Some(last) if !begins => {
                last.push(' ');
                last.push_str(word);
            }
            _ => {
                pieces.push(word.to_owned());
                of_flag = word.starts_with('-') || matches!(word, "<" | ">" | "|");
            }
        }
        quoted ^= word.matches('\'').count() % 2 == 1;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory as _;
    use clap::builder::Resettable;

    #[test]
    fn a_long_example_goes_on_between_flags() {
        let text = "Example:\n  vault-advisor answer postpone --policy team-web --path 'secret/data/web/*' --owner web --reason 'a b' --until 2027-01-31\n\nMore.";
        assert_eq!(
            broken(text),
            "Example:\n  vault-advisor answer postpone --policy team-web --path 'secret/data/web/*' \\\n    --owner web --reason 'a b' --until 2027-01-31\n\nMore."
        );
    }

    #[test]
    fn examples_are_as_they_are_typed() {
        let mut program = Cli::command();
        program.build();
        for command in program.get_subcommands_mut().filter(|one| one.get_name() != "help") {
            let after = command.get_after_help().unwrap().to_string();
            let help = command.render_long_help().to_string();
            for line in after.split("\n\n").next().unwrap().lines() {
                assert!(help.lines().any(|shown| shown == line), "{line}\n{help}");
            }
        }
    }

    #[test]
    fn usage_fits_and_says_what_the_flags_say() {
        let mut program = Cli::command();
        program.build();
        for command in program.get_subcommands_mut() {
            let usage = command.render_usage().to_string();
            assert!(
                usage.lines().all(|line| line.chars().count() <= MOST_COLUMNS),
                "{usage}"
            );
            let derived = command
                .clone()
                .override_usage(Resettable::Reset)
                .render_usage()
                .to_string();
            let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(words(&usage), words(&derived));
        }
    }
}
