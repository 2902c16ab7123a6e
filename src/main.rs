//! Parse, run, print the error, exit.

use clap::Parser;
use std::io::{self, Write};
use std::process::ExitCode;
use vault_advisor::cli::Cli;
use vault_advisor::commands::{self, Exit, Failure, Talk};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return end(&Talk::plain(), commands::answer(&error, &arguments)),
    };
    let talk = Talk::new(&cli.common);
    let mut out = io::stdout().lock();
    let result = commands::run(cli, &mut out, &talk).and_then(|exit| {
        out.flush().map_err(Failure::from_output)?;
        Ok(exit)
    });
    end(&talk, result)
}

/// Says what went wrong, and ends.
fn end(talk: &Talk, result: Result<Exit, Failure>) -> ExitCode {
    talk.done();
    let exit = match result {
        Ok(exit) => exit,
        Err(failure) => {
            if !failure.message.is_empty() {
                talk.error(&failure.message, failure.hint.as_deref());
            }
            failure.exit
        }
    };
    ExitCode::from(exit as u8)
}
