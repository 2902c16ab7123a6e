//! Parse, run, print the error, exit.

use clap::Parser;
use std::io::{self, Write};
use std::process::ExitCode;
use vault_advisor::cli::Cli;
use vault_advisor::commands::{self, Talk};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let talk = Talk::new(&cli.common);
    let mut out = io::stdout().lock();
    let result = commands::run(cli, &mut out, &talk).and_then(|exit| {
        out.flush().map_err(commands::Failure::from_output)?;
        Ok(exit)
    });
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
