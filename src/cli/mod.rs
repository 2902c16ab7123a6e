//! The flags as they are typed, one struct a subcommand. What they mean is decided elsewhere.

mod ask;
mod examples;
mod files;
mod groups;
mod live;
mod propose;
mod review;
mod values;

pub use ask::{
    Asking, CapabilitiesArgs, DiffAccessArgs, ExplainArgs, GenerateArgs, ReplayArgs, Style, UsageArgs, UsageFormat,
    WhoCanArgs,
};
pub use files::{CompletionsArgs, Forge, InitArgs, ManArgs};
pub use live::{SnapshotArgs, WatchArgs};
pub use propose::{
    AdviseArgs, Answer, AnswerArgs, BacktestArgs, BacktestFormat, Objective, RegressionsArgs, RolesArgs,
};
pub use review::{CheckArgs, CompareArgs, GateFormat, LintArgs, TestArgs, TestFormat, Threshold};

use crate::ingest::{Envelope, GroupBy};
use crate::policy::profile::Profile;
use crate::units;
use crate::version;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use examples::broken;
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;
use values::envelope;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Help is no wider than this.
const MOST_COLUMNS: usize = 80;

/// Joins what Vault and OpenBao audit logs show was used with what policies grant, and proposes tighter policies that break
/// nobody
#[derive(Debug, Parser)]
#[command(
    name = "vault-advisor",
    version,
    long_version = version::long(),
    styles = STYLES,
    max_term_width = MOST_COLUMNS,
    help_template = groups::template(),
    propagate_version = true,
    after_help = "Exit status: 0 fine; 1 something to look at: findings at or above the threshold (check, \
                  lint), new access (compare), a failed test (test), a regression that nobody has answered (regressions); 2 an error; 3 no usable record in the logs."
)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    /// Flags that every command knows
    #[command(flatten)]
    pub common: Common,
}

/// Flags that every command knows.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Every command")]
pub struct Common {
    /// Whose rules decide: a version such as vault@1.16.3 or openbao@2.5.1, or one of vault-1.0, vault-1.12, vault-1.13,
    /// vault-1.21, vault-2.0.3, vault-2.2.2, openbao-2.0, openbao-2.6 (else the server that the deployment's snapshot saw,
    /// else vault-2.0.3)
    #[arg(long, global = true, value_name = "PROFILE")]
    pub server: Option<Profile>,
    /// Settings file (else the `vault-advisor.toml` beside the policies or in this folder)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// When to colour what is written to a terminal
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Say nothing but warnings and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more: the time and memory of each step
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Where usage comes from.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logs and usage")]
pub struct Reading {
    /// Audit logs: files, folders, globs (quoted), s3://, gs:// or az:// (in released programs), or - for standard input; .gz, .zst
    /// and the like are read as they are
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub logs: Vec<String>,
    /// Usage that an earlier run wrote (.parquet); may be given several times, and together with logs
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub usage: Vec<PathBuf>,
    /// Leave out what was before this time (2026-01-31, or RFC 3339); of --usage, whole files that end before it
    #[arg(long, value_name = "TIME", value_parser = units::time)]
    pub since: Option<Timestamp>,
    /// Leave out what was after this time
    #[arg(long, value_name = "TIME", value_parser = units::time)]
    pub until: Option<Timestamp>,
    /// Only so far back from `--until`, or from now (90d, 12h)
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    pub window: Option<SignedDuration>,
    /// What a principal is: entity, role, display-name, accessor, metadata.KEY (as in --usage, else entity, if none is given)
    #[arg(long, value_name = "BY")]
    pub group_by: Option<GroupBy>,
    /// Log envelope: how lines are wrapped (detected if none is given)
    #[arg(long, value_name = "KIND", value_parser = envelope())]
    pub envelope: Option<Envelope>,
    /// JSON pointer to the audit entry inside of each wrapping object (/message); * stands for each element of a list
    #[arg(long, value_name = "POINTER")]
    pub unwrap: Option<String>,
    /// Any line that has to be skipped, and any policy that can't be read, is an error
    #[arg(long)]
    pub strict: bool,
    /// Threads for reading (all cores if none is given)
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

impl Reading {
    /// Whether logs or usage are named.
    #[must_use]
    pub fn is_given(&self) -> bool {
        !self.logs.is_empty() || !self.usage.is_empty()
    }
}

/// What is granted.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Grants")]
pub struct Granting {
    /// Policies: files and folders of .hcl or .json, Terraform, Kubernetes and more (docs/sources.md)
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    pub policies: Vec<PathBuf>,
    /// What a policy in a folder is named by: its path below the folder (team/web.hcl is team/web), or its file alone (web)
    #[arg(long, value_name = "BY", default_value = "path")]
    pub policy_names: PolicyNames,
    /// Deployment folder or file: who holds what, mounts, identities (see `snapshot`)
    #[arg(long, value_name = "PATH")]
    pub deployment: Option<PathBuf>,
}

/// What a policy in a folder is named by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum PolicyNames {
    /// Its path below the folder
    #[default]
    Path,
    /// Its file
    File,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read logs and policies, write the report and the proposals
    Advise(AdviseArgs),
    /// Turn logs into demands: who used what, how often, when
    Usage(UsageArgs),
    /// Decide many requests: JSON lines in, JSON lines out
    #[command(after_help = broken("Example:\n  vault-advisor decide < cases.jsonl > answers.jsonl\n\n\
                      A line of cases.jsonl:\n  {\"id\": 1, \"policies\": [{\"name\": \"web\", \"rules\": \
                      \"path \\\"secret/*\\\" { capabilities = [\\\"read\\\"] }\"}], \"requests\": \
                      [{\"operation\": \"read\", \"path\": \"secret/x\"}]}"))]
    Decide,
    /// Explain one decision: which stanza won, what it beat, what is missing
    Explain(ExplainArgs),
    /// Tell who reaches a path, and through what
    WhoCan(WhoCanArgs),
    /// List all that somebody may do: path by path, or as one policy
    Capabilities(CapabilitiesArgs),
    /// Tell how the access of two principals, roles, sets of policies, or days of one principal differs
    DiffAccess(DiffAccessArgs),
    /// Write the smallest policy that allows what a log shows was used, and that people can still read
    Generate(GenerateArgs),
    /// Check policies: errors with their place, and what is legal but a trap
    Lint(LintArgs),
    /// Run policy unit tests, offline
    Test(TestArgs),
    /// Tell what new policies allow that the old ones don't, and the other way round, each with a request that shows it
    Compare(CompareArgs),
    /// Decide every logged request again under these policies
    Replay(ReplayArgs),
    /// Tell who is denied since a wave of changes was applied, and the smallest change that gives it back
    Regressions(RegressionsArgs),
    /// Accept, reject or postpone a finding or a proposal: with owner, reason and last day, in a file that all runs honour
    Answer(AnswerArgs),
    /// Decide whether a change of policies may go in, for CI: new access, findings in what changed, a budget of risk
    Check(CheckArgs),
    /// Propose on the past, replay the future: would it have hurt?
    Backtest(BacktestArgs),
    /// Mine roles from a matrix, or from logs
    Roles(RolesArgs),
    /// Read a live server into a deployment folder, read-only
    Snapshot(SnapshotArgs),
    /// Follow live logs: tell what is new, keep usage up to date
    Watch(WatchArgs),
    /// Write the files that a repository of policies starts with: settings, a CI job, the policy of a snapshot's token
    Init(InitArgs),
    /// Write shell completions to stdout
    Completions(CompletionsArgs),
    /// Write man pages, one for each subcommand, into a folder
    Man(ManArgs),
}

/// Usage has to come from somewhere.
fn some_usage() -> ArgGroup {
    ArgGroup::new("usage of logs")
        .args(["logs", "usage"])
        .required(true)
        .multiple(true)
}

/// Text or JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    /// For people
    Text,
    /// For programs
    Json,
}
