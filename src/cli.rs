//! The flags as they are typed, one struct a subcommand. What they mean is decided elsewhere.

use crate::advice::Severity;
use crate::ingest::{Envelope, GroupBy};
use crate::optimize::foresight::{parse_days, parse_ratio};
use crate::policy::profile::Profile;
use crate::units::{self, UnitError};
use crate::vault::{Capability, Operation};
use crate::version;
use clap::builder::styling::{AnsiColor, Styles};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;
use std::time::Duration;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Joins what Vault and OpenBao audit logs show was used with what policies grant, and proposes tighter policies that break
/// nobody
#[derive(Debug, Parser)]
#[command(
    name = "vault-advisor",
    version,
    long_version = version::long(),
    styles = STYLES,
    max_term_width = 100,
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
    /// Say nothing but errors
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

/// A time that is kept as it was typed.
fn time_as_typed(text: &str) -> Result<String, UnitError> {
    units::time(text).map(|_| text.to_owned())
}

/// A duration that is kept as it was typed.
fn duration_as_typed(text: &str) -> Result<String, UnitError> {
    units::waiting(text).map(|_| text.to_owned())
}

/// A share of all uses.
fn share(text: &str) -> Result<f64, String> {
    parse_ratio(text)
        .ok_or_else(|| format!("`{text}` is not a share from 0 to 1: write wrong denials for uses, such as 10/10000"))
}

/// Whole days.
fn whole_days(text: &str) -> Result<i32, String> {
    parse_days(text)
        .ok_or_else(|| format!("`{text}` is not a number of whole days: write 90d, or 0 to look at the past alone"))
}

/// The most findings of a severity: `high=3`.
fn most_findings(text: &str) -> Result<(Severity, usize), String> {
    let parts = text.split_once('=').and_then(|(severity, most)| {
        let severity = Severity::ALL.into_iter().find(|s| s.as_str() == severity)?;
        Some((severity, most.parse().ok()?))
    });
    parts.ok_or_else(|| format!("`{text}` is not a severity and a number, such as medium=10"))
}

/// The envelopes, by their words.
fn envelope() -> impl TypedValueParser<Value = Envelope> {
    PossibleValuesParser::new(Envelope::words()).try_map(|word| word.parse::<Envelope>())
}

/// The operation of a request, by the word of the audit log.
fn operation(word: &str) -> Result<Operation, String> {
    match Operation::from_word(word) {
        Operation::Other => Err(match word {
            "write" | "put" | "post" => format!("`{word}` is `create` where nothing is there yet, else `update`"),
            "get" => "`get` is `read`".to_owned(),
            "ls" => "`ls` is `list`".to_owned(),
            _ => "use create, read, update, patch, delete, list, scan, recover or help".to_owned(),
        }),
        operation => Ok(operation),
    }
}

/// A capability that somebody may have.
fn capability(word: &str) -> Result<Capability, String> {
    word.parse()
        .map_err(|_| "use create, read, update, patch, delete, list, scan, recover, subscribe or sudo".to_owned())
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read logs and policies, write the report and the proposals
    Advise(AdviseArgs),
    /// Turn logs into demands: who used what, how often, when
    Usage(UsageArgs),
    /// Decide many requests: JSON lines in, JSON lines out
    #[command(after_help = "Example:\n  vault-advisor decide < cases.jsonl > answers.jsonl\n\n\
                      A line of cases.jsonl:\n  {\"id\": 1, \"policies\": [{\"name\": \"web\", \"rules\": \
                      \"path \\\"secret/*\\\" { capabilities = [\\\"read\\\"] }\"}], \"requests\": \
                      [{\"operation\": \"read\", \"path\": \"secret/x\"}]}")]
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
    /// Mine roles from a matrix, or from logs and policies
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

/// `advise`
#[derive(Debug, Args)]
#[command(group = some_usage(), after_help = "Example:\n  vault-advisor advise --logs 'audit/*.log.gz' --policies policies/ --out report/")]
pub struct AdviseArgs {
    /// Usage
    #[command(flatten)]
    pub reading: Reading,
    /// Grants
    #[command(flatten)]
    pub granting: Granting,
    /// Folder to write to
    #[arg(help_heading = "Output", long, value_name = "DIR")]
    pub out: PathBuf,
    /// Time for the search of roles
    #[arg(help_heading = "What is proposed", long, value_name = "DURATION", default_value = "10s", value_parser = units::waiting)]
    pub time_limit: Duration,
    /// Random seed
    #[arg(help_heading = "What is proposed", long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Maximum roles per principal in the redesign
    #[arg(help_heading = "What is proposed", long, value_name = "N")]
    pub max_roles: Option<u32>,
    /// Policies that the redesign keeps where it can: they cost nothing as roles. Names; a `*` at the end for any rest
    #[arg(
        help_heading = "What is proposed",
        long,
        value_name = "POLICY",
        value_delimiter = ','
    )]
    pub keep: Vec<String>,
    /// How many of the uses expected over the horizon may be denied wrongly, as a share: `10/10000`
    #[arg(help_heading = "What is proposed", long, value_name = "SHARE", value_parser = share)]
    pub budget: Option<f64>,
    /// How many days ahead the budget looks: `90d`; `0` looks at the past alone
    #[arg(help_heading = "What is proposed", long, value_name = "DURATION", value_parser = whole_days)]
    pub horizon: Option<i32>,
    /// Also work out the whole curve of excess against expected wrong denials
    #[arg(help_heading = "Output", long)]
    pub frontier: bool,
    /// Also write a report, a summary and diffs for each owner, into `owners/`: `[owners]` in the settings says who owns what
    #[arg(help_heading = "Output", long)]
    pub per_owner: bool,
    /// Leave the time of the run out, so that the same input gives the same bytes
    #[arg(help_heading = "Output", long)]
    pub reproducible: bool,
}

/// `usage`
#[derive(Debug, Args)]
#[command(
    group = some_usage(),
    after_help = "Examples:\n  vault-advisor usage --logs audit.log -o usage.parquet\n  \
                        vault-advisor usage --usage node1.parquet node2.parquet -o all.parquet\n  \
                        vault-advisor usage --logs audit.log.gz -o - | jq .path\n  \
                        vault-advisor usage --usage all.parquet --by principal,mount --where 'denied > 0' --sort -requests --top 20\n  \
                        vault-advisor usage --logs - --format parquet --allow-empty -o - < piece.log > part.parquet"
)]
pub struct UsageArgs {
    /// Usage
    #[command(flatten)]
    pub reading: Reading,
    /// File to write: .parquet, .jsonl or .csv; - for stdout
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: String,
    /// Format, where the file's name does not say (on stdout JSON lines, or a table for the answer to a question); only Parquet of
    /// all usage can be merged later
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<UsageFormat>,
    /// Ask: a row for each of these together (principal, namespace, mount, path, capability, mount_type, auth_mount,
    /// principal_kind, day)
    #[arg(help_heading = "Questions", long, value_name = "COLUMN", value_delimiter = ',')]
    pub by: Vec<String>,
    /// Ask: only rows for which this is true, such as `denied > 0 and path like 'secret/*'` or `not last_read > 90d ago`
    #[arg(help_heading = "Questions", long = "where", value_name = "CONDITION")]
    pub condition: Option<String>,
    /// Ask: sort by these columns, downwards where - stands before one (-requests,path)
    #[arg(
        help_heading = "Questions",
        long,
        value_name = "COLUMN",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    pub sort: Vec<String>,
    /// Ask: only the first so many rows
    #[arg(help_heading = "Questions", long, value_name = "N")]
    pub top: Option<usize>,
    /// Write usage even without a single usable record: as a part of something larger
    #[arg(long)]
    pub allow_empty: bool,
}

/// How usage is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum UsageFormat {
    /// Parquet, with all that a merge needs
    Parquet,
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values
    Csv,
    /// A JSON list
    Json,
    /// A table for people
    Table,
}

/// Whose policies are asked.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Who asks")]
pub struct Asking {
    /// Policies that the asker holds, by name, with the namespace in front where it matters (team/web)
    #[arg(
        long = "as",
        value_name = "POLICY",
        value_delimiter = ',',
        conflicts_with = "principal"
    )]
    pub as_policies: Vec<String>,
    /// Principal whose policies are asked, by name or key, from logs, usage or the deployment
    #[arg(long, value_name = "NAME")]
    pub principal: Option<String>,
    /// Auth role of the deployment whose tokens ask: `web`, or with its mount in front, `approle/web`
    #[arg(long, value_name = "ROLE", conflicts_with_all = ["as_policies", "principal"])]
    pub role: Option<String>,
}

/// `explain`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  vault-advisor explain read secret/data/prod/db --as web,default --policies policies/"
)]
pub struct ExplainArgs {
    /// Operation: create, read, update, patch, delete, list, scan, recover, help
    #[arg(value_parser = operation)]
    pub operation: Operation,
    /// Path, namespace in front
    pub path: String,
    /// Who asks
    #[command(flatten)]
    pub asking: Asking,
    /// Grants
    #[command(flatten)]
    pub granting: Granting,
    /// Usage, to know the principal
    #[command(flatten)]
    pub reading: Reading,
    /// Parameters of the request, `key=value`
    #[arg(long, value_name = "KEY=VALUE")]
    pub data: Vec<String>,
    /// Wrapping TTL that the request asks for (5m)
    #[arg(long, value_name = "DURATION", value_parser = units::waiting)]
    pub wrap_ttl: Option<Duration>,
    /// Output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

/// `who-can`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  vault-advisor who-can secret/data/prod/db --capability read --policies policies/ --logs audit.log"
)]
pub struct WhoCanArgs {
    /// Path, namespace in front
    pub path: String,
    /// Only who has this capability
    #[arg(long, value_name = "CAPABILITY", value_parser = capability)]
    pub capability: Option<Capability>,
    /// Grants
    #[command(flatten)]
    pub granting: Granting,
    /// Usage, to know principals
    #[command(flatten)]
    pub reading: Reading,
    /// Output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

/// `capabilities`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  vault-advisor capabilities --as web,default --policies policies/\n  \
                        vault-advisor capabilities --principal app-web --policies policies/ --logs audit.log.gz --path secret/ --hcl"
)]
pub struct CapabilitiesArgs {
    /// Who asks
    #[command(flatten)]
    pub asking: Asking,
    /// Only paths that begin with this, or match this pattern
    #[arg(long, value_name = "PREFIX")]
    pub path: Option<String>,
    /// Write it as one policy that decides every request the same way
    #[arg(long, conflicts_with = "format")]
    pub hcl: bool,
    /// Grants
    #[command(flatten)]
    pub granting: Granting,
    /// Usage, to know principals, and what was used when
    #[command(flatten)]
    pub reading: Reading,
    /// Output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

/// `diff-access`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  vault-advisor diff-access ann bob --policies policies/ --deployment deployment/\n  \
                        vault-advisor diff-access role:approle/web as:web,default --policies policies/ --deployment deployment/\n  \
                        vault-advisor diff-access app-web@2026-01-31 app-web@2026-03-31 --policies policies/ --logs audit.log.gz"
)]
pub struct DiffAccessArgs {
    /// One side: a principal, a role, or policies with commas between; `principal:`, `role:` or `as:` in front says which, `@DAY`
    /// after a principal takes the policies that it acted with on that day
    pub first: String,
    /// The other side
    pub second: String,
    /// Grants
    #[command(flatten)]
    pub granting: Granting,
    /// Usage, to know principals
    #[command(flatten)]
    pub reading: Reading,
    /// Output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

/// `generate`
#[derive(Debug, Args)]
#[command(
    group = some_usage(),
    group = ArgGroup::new("whose use").args(["principal", "role", "root"]),
    after_help = "Examples:\n  vault-advisor generate --logs audit.log.gz --principal app-web > app-web.hcl\n  \
                        vault-advisor generate --logs audit.log --root --since 2026-03-01 --style exact"
)]
pub struct GenerateArgs {
    /// Usage
    #[command(flatten)]
    pub reading: Reading,
    /// What this principal used, by name or key (else what everybody used together, but for root tokens)
    #[arg(long, value_name = "NAME")]
    pub principal: Option<String>,
    /// What everybody used who logged in by this role: `web`, or with its mount in front, `approle/web`
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// What root tokens used
    #[arg(long)]
    pub root: bool,
    /// How paths are written
    #[arg(long, value_name = "STYLE", default_value = "folders")]
    pub style: Style,
    /// Deployment folder or file: identities for templates, mounts
    #[arg(long, value_name = "PATH")]
    pub deployment: Option<PathBuf>,
    /// File to write to instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// How `generate` writes paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Style {
    /// Each path that was used, and no other
    Exact,
    /// Folders and `+` where enough below them was used
    Folders,
    /// The same, and identity templates where each holder used its own
    Templates,
}

/// `lint`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vault-advisor lint policies/")]
pub struct LintArgs {
    /// Policy files and folders
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
    /// Warnings count as findings too (exit status 1)
    #[arg(long)]
    pub warnings: bool,
}

/// Text or JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    /// For people
    Text,
    /// For programs
    Json,
}

/// `test`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vault-advisor test policies/tests/*.yaml --policies policies/")]
pub struct TestArgs {
    /// Files of tests
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Policies: files and folders of .hcl or .json, Terraform, Kubernetes and more (docs/sources.md)
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    pub policies: Vec<PathBuf>,
    /// What a policy in a folder is named by: its path below the folder, or its file alone
    #[arg(long, value_name = "BY", default_value = "path")]
    pub policy_names: PolicyNames,
    /// Output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TestFormat,
}

/// Output of `test`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TestFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// For CI servers: JUnit XML
    Junit,
}

/// `compare`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vault-advisor compare policies.old/ policies/")]
pub struct CompareArgs {
    /// Old policies: a file or a folder
    pub old: PathBuf,
    /// New policies: a file or a folder
    pub new: PathBuf,
    /// Deployment folder or file: compare for every principal, with the policies that it holds together
    #[arg(long, value_name = "PATH")]
    pub deployment: Option<PathBuf>,
    /// What a policy in a folder is named by: its path below the folder, or its file alone
    #[arg(long, value_name = "BY", default_value = "path")]
    pub policy_names: PolicyNames,
    /// Output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

/// `check`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  vault-advisor check --policies policies/ --base origin/main\n  \
                        vault-advisor check --policies policies/ --usage usage.parquet --fail-on high --format sarif -o check.sarif"
)]
pub struct CheckArgs {
    /// Usage
    #[command(flatten)]
    pub reading: Reading,
    /// Grants
    #[command(flatten)]
    pub granting: Granting,
    /// Policies before the change: a git revision. Settings, waivers and baseline count as they are in it
    #[arg(help_heading = "What is new", long, value_name = "REV")]
    pub base: Option<String>,
    /// Policies before the change: folders or files, in the order of those of `--policies`
    #[arg(help_heading = "What is new", long, value_name = "DIR", num_args = 1.., conflicts_with = "base")]
    pub base_dir: Vec<PathBuf>,
    /// Findings of this severity and above fail
    #[arg(help_heading = "What fails", long, value_name = "SEVERITY", default_value = "medium")]
    pub fail_on: Threshold,
    /// Fail where the risk of any principal is above this (0 to 100)
    #[arg(help_heading = "What fails", long, value_name = "SCORE")]
    pub max_risk: Option<f64>,
    /// At most so many findings of a severity (medium=10); may be given several times
    #[arg(help_heading = "What fails", long, value_name = "SEVERITY=N", value_parser = most_findings)]
    pub budget: Vec<(Severity, usize)>,
    /// Show only findings that this file does not have
    #[arg(help_heading = "What is new", long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write all findings to this file, for a later `--baseline`, and do nothing else
    #[arg(help_heading = "Output", long, value_name = "FILE")]
    pub write_baseline: Option<PathBuf>,
    /// Output
    #[arg(help_heading = "Output", long, value_name = "FORMAT", default_value = "text")]
    pub format: GateFormat,
    /// File to write to instead of stdout
    #[arg(help_heading = "Output", short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Output of `check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GateFormat {
    /// For people
    Text,
    /// For code scanning: SARIF 2.1.0
    Sarif,
    /// For a comment on a pull request
    Markdown,
    /// For CI servers: JUnit XML
    Junit,
    /// For GitHub Actions: annotations of the lines
    Github,
    /// For GitLab: a code quality report
    Gitlab,
}

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Threshold {
    /// Whatever is found
    Info,
    /// What should be tidied up
    Low,
    /// What should be changed
    Medium,
    /// What should be changed soon
    High,
    /// What should be changed today
    Critical,
}

impl From<Threshold> for Severity {
    fn from(threshold: Threshold) -> Self {
        match threshold {
            Threshold::Info => Self::Info,
            Threshold::Low => Self::Low,
            Threshold::Medium => Self::Medium,
            Threshold::High => Self::High,
            Threshold::Critical => Self::Critical,
        }
    }
}

/// `replay`
#[derive(Debug, Args)]
#[command(group = some_usage(), after_help = "Example:\n  vault-advisor replay --logs audit.log.gz --policies proposed/")]
pub struct ReplayArgs {
    /// Usage
    #[command(flatten)]
    pub reading: Reading,
    /// Grants
    #[command(flatten)]
    pub granting: Granting,
    /// Output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

/// `regressions`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  vault-advisor regressions --applied report/ --logs 'audit/*.log.gz' --out give-back/\n\n\
                  Exit status 1 when there is a regression that nobody has answered yet."
)]
pub struct RegressionsArgs {
    /// The report whose waves were applied: the folder that `advise --out` wrote, with what `apply.sh` wrote into it
    #[arg(long, value_name = "DIR")]
    pub applied: PathBuf,
    /// Usage; `--since` says when the report was applied, where `apply.sh` did not
    #[command(flatten)]
    pub reading: Reading,
    /// Deployment folder or file: who holds what, identities (see `snapshot`)
    #[arg(long, value_name = "PATH")]
    pub deployment: Option<PathBuf>,
    /// Folder to write to what gives the access back: restore.sh, policies, diffs, Terraform
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Also write what is given back into the file of decisions, so that no run proposes to take it away again too soon
    #[arg(long, requires = "out")]
    pub remember: bool,
    /// The file of decisions (else the one beside the settings, or in this folder)
    #[arg(long, value_name = "FILE", requires = "remember")]
    pub decisions: Option<PathBuf>,
    /// Output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

/// `answer`
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what it is about").args(["finding", "policy"]),
    after_help = "Examples:\n  vault-advisor answer\n  \
                        vault-advisor answer postpone --policy team-web --path 'secret/data/web/*' --owner web --reason 'quarterly job' --until 2027-01-31\n  \
                        vault-advisor answer reject --finding 3f2a91c07d5e --owner ann --reason 'break glass' --until 2027-06-30\n  \
                        vault-advisor answer forget --policy team-web --path 'secret/data/web/*'\n\n\
                        Without any of these words all decisions are listed. The file is vault-advisor.decisions.toml, beside vault-advisor.toml: keep it in git."
)]
pub struct AnswerArgs {
    /// What is decided
    #[arg(requires = "what it is about")]
    pub word: Option<Answer>,
    /// The finding, by its fingerprint (in `advice.json`, `findings.csv` and the report)
    #[arg(long, value_name = "FINGERPRINT", requires = "word")]
    pub finding: Option<String>,
    /// The policy for which something is proposed, with the namespace in front where it has one
    #[arg(long, value_name = "POLICY", requires = "word")]
    pub policy: Option<String>,
    /// One stanza of it, by its path
    #[arg(long, value_name = "PATH", requires = "policy")]
    pub path: Option<String>,
    /// Who answers for it
    #[arg(long, value_name = "WHO")]
    pub owner: Option<String>,
    /// Why
    #[arg(long, value_name = "WHY")]
    pub reason: Option<String>,
    /// The last day on which it holds: 2027-01-31
    #[arg(long, value_name = "DAY")]
    pub until: Option<String>,
    /// The file of decisions (else the one beside the settings, or in this folder)
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// What `answer` decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Answer {
    /// It is right and will be done by that day: it stays in sight, and is overdue afterwards
    Accept,
    /// It is wrong: not shown, and what it is about stays
    Reject,
    /// Not now: as with reject, and it comes back by itself after that day
    Postpone,
    /// Nothing is decided any more
    Forget,
}

/// `backtest`
#[derive(Debug, Args)]
#[command(
    group = some_usage(),
    after_help = "Example:\n  vault-advisor backtest --logs 'audit/*.gz' --policies policies/ --train 60d --test 30d --step 7d"
)]
pub struct BacktestArgs {
    /// Usage
    #[command(flatten)]
    pub reading: Reading,
    /// Grants
    #[command(flatten)]
    pub granting: Granting,
    /// How much of the past a proposal is made on, in whole days
    #[arg(help_heading = "Past and future", long, value_name = "DURATION", default_value = "60d", value_parser = units::duration)]
    pub train: SignedDuration,
    /// How much of the future it is replayed on
    #[arg(help_heading = "Past and future", long, value_name = "DURATION", default_value = "30d", value_parser = units::duration)]
    pub test: SignedDuration,
    /// How far it is from one cut between past and future to the next
    #[arg(help_heading = "Past and future", long, value_name = "DURATION", default_value = "7d", value_parser = units::duration)]
    pub step: SignedDuration,
    /// Budgets that the curve is drawn through (the one of the settings is always among them)
    #[arg(
        help_heading = "What is compared",
        long,
        value_name = "SHARE",
        value_parser = share,
        value_delimiter = ',',
        default_value = "0,1/10000,2/10000,5/10000,10/10000,20/10000,50/10000,100/10000,200/10000,500/10000"
    )]
    pub budgets: Vec<f64>,
    /// The days of "not used for N days goes", to compare with
    #[arg(
        help_heading = "What is compared",
        long,
        value_name = "DAYS",
        value_delimiter = ',',
        default_value = "7,14,30,60,90,180"
    )]
    pub plain: Vec<u16>,
    /// Output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: BacktestFormat,
}

/// Output of `backtest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BacktestFormat {
    /// For people
    Text,
    /// For programs: every cut, every denial by principal and stanza
    Json,
    /// For spreadsheets: a line for each cut and rule
    Csv,
}

/// `roles`
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what to mine").args(["matrix", "logs", "usage"]).required(true).multiple(true),
    after_help = "Examples:\n  vault-advisor roles --matrix users.upa --objective edges\n  \
                        vault-advisor roles --logs audit.log.gz"
)]
pub struct RolesArgs {
    /// Matrix: a line for each user, its name and then its permissions; # begins a comment
    #[arg(long, value_name = "FILE", conflicts_with_all = ["logs", "usage"])]
    pub matrix: Option<PathBuf>,
    /// Usage, as the matrix
    #[command(flatten)]
    pub reading: Reading,
    /// What to minimise
    #[arg(help_heading = "The search", long, value_name = "OBJECTIVE", default_value = "roles")]
    pub objective: Objective,
    /// Time for the search
    #[arg(help_heading = "The search", long, value_name = "DURATION", default_value = "60s", value_parser = units::waiting)]
    pub time_limit: Duration,
    /// Random seed
    #[arg(help_heading = "The search", long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Maximum roles per user
    #[arg(help_heading = "The search", long, value_name = "N")]
    pub max_roles: Option<u32>,
    /// Matrix of existing roles (a line for each role), which cost nothing
    #[arg(help_heading = "The search", long, value_name = "FILE")]
    pub keep: Option<PathBuf>,
    /// Matrix of what is granted today: pairs may be added only inside of it
    #[arg(help_heading = "The search", long, value_name = "FILE")]
    pub allowed: Option<PathBuf>,
    /// Price of a pair that is added to what the matrix has
    #[arg(help_heading = "The search", long, value_name = "WEIGHT")]
    pub over_grant: Option<f64>,
}

/// What role mining minimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Objective {
    /// The number of roles
    Roles,
    /// Memberships and permissions of roles
    Edges,
    /// Roles, memberships and permissions
    Wsc,
    /// The length of a description of the matrix, in which noise makes no roles of its own
    Natural,
}

/// `snapshot`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  VAULT_ADDR=https://vault:8200 vault-advisor snapshot --out deployment/\n\n\
                        The token is read from VAULT_TOKEN, BAO_TOKEN or ~/.vault-token, and is never written anywhere."
)]
pub struct SnapshotArgs {
    /// Folder to write to
    #[arg(long, value_name = "DIR", required_unless_present = "print_policy")]
    pub out: Option<PathBuf>,
    /// Address of the server (else VAULT_ADDR or BAO_ADDR)
    #[arg(long, value_name = "URL")]
    pub address: Option<String>,
    /// Namespace (else VAULT_NAMESPACE or BAO_NAMESPACE)
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Certificate authority of the server, PEM (else VAULT_CACERT or BAO_CACERT)
    #[arg(long, value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,
    /// Do not verify the server's certificate
    #[arg(long)]
    pub tls_skip_verify: bool,
    /// List the names (never the values) of secrets under KV mounts too
    #[arg(long)]
    pub list_secrets: bool,
    /// Most names to list of each mount
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub max_secrets: usize,
    /// Most requests to the server at the same time
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub concurrency: usize,
    /// Print the least policy that a snapshot needs, and do nothing else
    #[arg(long)]
    pub print_policy: bool,
}

/// `watch`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  vault-advisor watch --logs /var/log/vault/ --state /var/lib/vault-advisor\n  \
                        vault-advisor watch --logs audit.log --state state/ --format json --listen 127.0.0.1:9187\n  \
                        vault-advisor watch --logs audit.log --state state/ --policies policies/ --notify https://hooks.example/vault\n  \
                        vault-advisor watch --logs audit.log --state state/ --applied report/ --listen 127.0.0.1:9187\n\n\
                        SIGTERM and SIGINT end it with all that was read committed; SIGHUP makes it read the settings again and look at everything named."
)]
pub struct WatchArgs {
    /// Audit logs to follow: files, folders, globs (quoted)
    #[arg(help_heading = "Logs and usage", long, value_name = "PATH", num_args = 1.., required = true)]
    pub logs: Vec<String>,
    /// Folder that keeps usage and positions; one watcher each
    #[arg(help_heading = "Logs and usage", long, value_name = "DIR")]
    pub state: PathBuf,
    /// Leave out what was before this time (2026-01-31, or RFC 3339)
    #[arg(help_heading = "Logs and usage", long, value_name = "TIME", value_parser = time_as_typed)]
    pub since: Option<String>,
    /// What a principal is: entity, role, display-name, accessor, metadata.KEY
    #[arg(help_heading = "Logs and usage", long, value_name = "BY", default_value = "entity")]
    pub group_by: GroupBy,
    /// Log envelope: how lines are wrapped (detected if none is given)
    #[arg(help_heading = "Logs and usage", long, value_name = "KIND", value_parser = envelope())]
    pub envelope: Option<Envelope>,
    /// JSON pointer to the audit entry inside of each wrapping object (/message); * stands for each element of a list
    #[arg(help_heading = "Logs and usage", long, value_name = "POINTER")]
    pub unwrap: Option<String>,
    /// How events are written to stdout
    #[arg(help_heading = "What is told", long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
    /// How often to look at everything named, for disks that do not tell of changes, such as network disks (60s if none is given)
    #[arg(help_heading = "Logs and usage", long, value_name = "DURATION", value_parser = duration_as_typed)]
    pub poll: Option<String>,
    /// Least time from commit to commit (1s if none is given)
    #[arg(help_heading = "What is told", long, value_name = "DURATION", value_parser = duration_as_typed)]
    pub commit_every: Option<String>,
    /// Policies, files and folders: with them reports are made, and the use of a grant that a report called unused is an event
    #[arg(help_heading = "Reports", long, value_name = "PATH", num_args = 1..)]
    pub policies: Vec<PathBuf>,
    /// What a policy in a folder is named by: its path below the folder, or its file alone
    #[arg(
        help_heading = "Reports",
        long,
        value_name = "BY",
        default_value = "path",
        requires = "policies"
    )]
    pub policy_names: PolicyNames,
    /// Deployment folder or file, for the reports and the waves
    #[arg(help_heading = "Reports", long, value_name = "PATH")]
    pub deployment: Option<PathBuf>,
    /// A report whose waves are applied: who is denied because of one is told at once, with what gives it back
    #[arg(help_heading = "Reports", long, value_name = "DIR")]
    pub applied: Option<PathBuf>,
    /// Least time from report to report (15m if none is given)
    #[arg(help_heading = "Reports", long, value_name = "DURATION", value_parser = duration_as_typed)]
    pub report_every: Option<String>,
    /// Serve the report, /metrics and /health at this address, read-only
    #[arg(help_heading = "What is told", long, value_name = "ADDRESS:PORT")]
    pub listen: Option<std::net::SocketAddr>,
    /// Further host names that `--listen` answers to
    #[arg(help_heading = "What is told", long, value_name = "NAME", num_args = 1.., requires = "listen")]
    pub listen_host: Vec<String>,
    /// Send events to this webhook, signed; the secret is in VAULT_ADVISOR_NOTIFY_SECRET or in a file
    #[arg(help_heading = "What is told", long, value_name = "URL")]
    pub notify: Option<String>,
    /// File with the secret that signs what is sent
    #[arg(help_heading = "What is told", long, value_name = "FILE", requires = "notify")]
    pub notify_secret_file: Option<PathBuf>,
    /// Most events that may wait for the webhook; further ones are dropped and counted
    #[arg(
        help_heading = "What is told",
        long,
        value_name = "N",
        default_value_t = 1000,
        requires = "notify"
    )]
    pub notify_queue: usize,
    /// Read what is there, commit, and end
    #[arg(help_heading = "Logs and usage", long)]
    pub once: bool,
}

/// `completions`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  vault-advisor completions bash > ~/.local/share/bash-completion/completions/vault-advisor\n  \
                        vault-advisor completions fish > ~/.config/fish/completions/vault-advisor.fish"
)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `init`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vault-advisor init --ci github")]
pub struct InitArgs {
    /// The repository
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Where the policies are, relative to the repository
    #[arg(long, value_name = "DIR", default_value = "policies")]
    pub policies: String,
    /// Which CI the job is for (detected where one of them is in use)
    #[arg(long, value_name = "FORGE")]
    pub ci: Option<Forge>,
}

/// Where repositories live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Forge {
    /// GitHub Actions
    Github,
    /// GitLab CI
    Gitlab,
}

/// `man`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vault-advisor man --out ~/.local/share/man/man1")]
pub struct ManArgs {
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
