//! The help of the program: its subcommands in groups, by what they are for. Their names and words are those of the definitions.

use super::{Command, MOST_COLUMNS, STYLES};
use clap::Subcommand as _;
use std::fmt::Write as _;

/// Every subcommand, by what it is for.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Propose", &["advise", "generate", "backtest", "answer", "regressions"]),
    ("Ask", &["explain", "who-can", "capabilities", "diff-access", "decide"]),
    ("Check policies", &["check", "lint", "test", "compare", "replay"]),
    ("Usage and roles", &["usage", "roles"]),
    ("Live", &["snapshot", "watch"]),
    ("This program", &["init", "completions", "man", HELP]),
];

/// The subcommand that clap makes itself, and puts last.
const HELP: &str = "help";

/// How help is laid out, with the list of subcommands in it.
pub(super) fn template() -> String {
    let mut list = Command::augment_subcommands(clap::Command::new("vault-advisor"))
        .styles(STYLES)
        .max_term_width(MOST_COLUMNS)
        .help_template("{subcommands}");
    let names = GROUPS.iter().flat_map(|(_, names)| *names);
    for (place, name) in names.filter(|name| **name != HELP).enumerate() {
        list = list.mut_subcommand(name, |command| command.display_order(place));
    }
    let list = list.render_help();
    let header = STYLES.get_header();
    let mut out = String::from("{about-with-newline}\n{usage-heading} {usage}\n");
    for (plain, styled) in list.to_string().lines().zip(list.ansi().to_string().lines()) {
        let name = plain.strip_prefix("  ").and_then(|line| line.split(' ').next());
        let begun = GROUPS.iter().find(|(_, names)| names.first().copied() == name);
        // Writing into a string cannot fail.
        if let Some((heading, _)) = begun {
            let _ = writeln!(out, "\n{header}{heading}:{header:#}");
        }
        let _ = writeln!(out, "{styled}");
    }
    let _ = write!(out, "\n{header}Every command:{header:#}\n{{options}}{{after-help}}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn no_heading_holds_what_is_of_another() {
        let mut program = Cli::command();
        program.build();
        let of = |heading: &str, own: &[&str]| {
            for command in program.get_subcommands().filter(|one| one.get_name() != "watch") {
                let all = command
                    .get_arguments()
                    .filter(|one| one.get_help_heading() == Some(heading));
                let others: Vec<&str> = all
                    .map(|one| one.get_id().as_str())
                    .filter(|id| !own.contains(id))
                    .collect();
                assert!(
                    others.is_empty(),
                    "{} has {others:?} under {heading}",
                    command.get_name()
                );
            }
        };
        let reading = [
            "logs", "usage", "since", "until", "window", "group_by", "envelope", "unwrap", "strict", "threads",
        ];
        of("Logs and usage", &reading);
        of("Grants", &["policies", "policy_names", "deployment"]);
        of("Who asks", &["as_policies", "principal", "role"]);
        of("Every command", &["server", "config", "color", "quiet", "verbose"]);
    }

    #[test]
    fn every_subcommand_is_in_one_group() {
        let mut program = Cli::command();
        program.build();
        let mut there: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        there.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(there, grouped);
    }

    #[test]
    fn the_help_shows_each_group_and_fits() {
        let help = Cli::command().render_long_help().to_string();
        let begins = |start: &str| help.lines().position(|line| line.starts_with(start));
        for (heading, names) in GROUPS {
            let heading = begins(&format!("{heading}:")).unwrap();
            let places = names.iter().map(|name| begins(&format!("  {name} ")).unwrap());
            assert!(places.clone().all(|place| place > heading), "{help}");
            assert!(places.is_sorted(), "{help}");
        }
        assert!(help.lines().all(|line| line.chars().count() <= MOST_COLUMNS), "{help}");
    }
}
