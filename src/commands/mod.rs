//! One thin file a subcommand: settings in, pipeline, report out. What goes wrong ends as a [`Failure`], with a hint.

mod advise;
mod answer;
mod asker;
mod backtest;
mod capabilities;
mod check;
mod compare;
mod decide;
mod diff_access;
mod explain;
mod generate;
mod holders;
mod init;
mod interrupt;
mod lint;
mod man;
mod material;
mod policy_test;
mod refuse;
mod regressions;
mod replay;
mod resolve;
mod roles;
mod snapshot;
mod terminal;
mod usage;
mod watch;
mod watch_report;
mod who_can;
mod write_back;

use crate::cli::{Cli, Command};
use crate::hint::{self, Hint};
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io::{self, Write};

use resolve::Meant;

pub use refuse::answer;
pub use terminal::Talk;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Fine.
    Fine = 0,
    /// Something to look at: findings, new access, a failed test, an open regression.
    Findings = 1,
    /// An error.
    Error = 2,
    /// No usable record in the logs.
    NoRecord = 3,
}

/// Why a command could not do what it was asked, as it is shown.
#[derive(Debug)]
pub struct Failure {
    /// What, where and why, on one line or a few.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// How the program ends.
    pub exit: Exit,
}

impl<E: Hint> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            message: hint::whole(&error),
            hint: error.hint().map(Cow::into_owned),
            exit: if error.found_nothing() {
                Exit::NoRecord
            } else {
                Exit::Error
            },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {}

impl Failure {
    /// Output that nobody reads any more is no error.
    pub fn from_output(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self {
                message: String::new(),
                hint: None,
                exit: Exit::Fine,
            }
        } else {
            OutputError(error).into()
        }
    }
}

/// The output cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the output: {0}")]
struct OutputError(#[source] io::Error);

impl Hint for OutputError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("is the disk full?"))
    }
}

/// Runs what was asked for.
///
/// # Errors
/// When it can't be done; the message says what, where, why and what to do.
pub fn run(cli: Cli, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let common = &cli.common;
    let meant = Meant::of(common, &cli.command, talk)?;
    // `watch` commits what it read before it ends.
    if !matches!(cli.command, Command::Watch(_)) {
        interrupt::clean_up(common.quiet);
    }
    match cli.command {
        Command::Advise(args) => advise::run(&args, meant, out, talk),
        Command::Usage(args) => usage::run(&args, out, talk),
        Command::Decide => decide::run(meant.profile, out, talk),
        Command::Lint(args) => lint::run(&args, meant, out, talk),
        Command::Explain(args) => explain::run(&args, meant, out, talk),
        Command::Capabilities(args) => capabilities::run(&args, meant, out, talk),
        Command::DiffAccess(args) => diff_access::run(&args, meant, out, talk),
        Command::Generate(args) => generate::run(&args, meant, out, talk),
        Command::WhoCan(args) => who_can::run(&args, meant, out, talk),
        Command::Test(args) => policy_test::run(&args, meant, out, talk),
        Command::Compare(args) => compare::run(&args, meant, out, talk),
        Command::Regressions(args) => regressions::run(&args, meant, out, talk),
        Command::Answer(args) => answer::run(&args, &meant, out),
        Command::Check(args) => check::run(&args, meant, out, talk),
        Command::Replay(args) => replay::run(&args, meant, out, talk),
        Command::Backtest(args) => backtest::run(&args, meant, out, talk),
        Command::Roles(args) => roles::run(&args, out, talk),
        Command::Snapshot(args) => snapshot::run(&args, out, talk),
        Command::Watch(args) => watch::run(&args, meant, out, talk),
        Command::Init(args) => init::run(&args, out, talk),
        Command::Completions(args) => man::completions(&args, out),
        Command::Man(args) => man::pages(&args, talk),
    }
}
