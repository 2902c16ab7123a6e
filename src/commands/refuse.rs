//! The answer to flags that cannot be taken, and to those that only ask: an error with an example, help, the version.

use super::{Exit, Failure};
use crate::cli::Cli;
use crate::vault::secret;
use clap::CommandFactory as _;
use clap::error::{Error, ErrorKind};
use std::borrow::Cow;
use std::io::{self, Write};

/// Tells what the flags lack or what was asked, and how the program ends.
///
/// # Errors
/// When that cannot be written.
pub fn answer(error: &Error, arguments: &[String]) -> Result<Exit, Failure> {
    print(error).map_err(Failure::from_output)?;
    if error.kind() == ErrorKind::MissingRequiredArgument
        && let Some(example) = example(arguments)
    {
        // Who closed stderr does not want to be told.
        let _ = writeln!(io::stderr().lock(), "\n{example}");
    }
    if error.kind() == ErrorKind::ValueValidation
        && let Some(command) = command(arguments)
    {
        let _ = writeln!(
            io::stderr().lock(),
            "\nhint: `vault-advisor {command} --help` shows examples"
        );
    }
    Ok(match error.exit_code() {
        0 => Exit::Fine,
        _ => Exit::Error,
    })
}

/// What is wrong may quote what was typed, a signed address too.
fn print(error: &Error) -> io::Result<()> {
    if error.use_stderr()
        && let Cow::Owned(text) = secret::addresses(&error.render().to_string())
    {
        return write!(io::stderr().lock(), "{text}");
    }
    error.print().and_then(|()| io::stdout().flush())
}

/// The command named.
fn command(arguments: &[String]) -> Option<String> {
    let program = Cli::command();
    let named = arguments.iter().find_map(|word| program.find_subcommand(word))?;
    Some(named.get_name().to_owned())
}

/// The examples that the help of the command named ends with.
fn example(arguments: &[String]) -> Option<String> {
    let program = Cli::command();
    let command = arguments.iter().find_map(|word| program.find_subcommand(word))?;
    let text = command.get_after_help()?.to_string();
    // What comes after the examples is for the help alone.
    text.split("\n\n").next().map(str::to_owned)
}
