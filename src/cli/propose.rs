//! The flags of what proposes changes, and of what becomes of them: `advise`, `backtest`, `roles`, `regressions`, `answer`.

use super::examples::broken;
use super::values::{share, whole_days};
use super::{Granting, Reading, TextOrJson, some_usage};
use crate::units;
use clap::{ArgGroup, Args, ValueEnum};
use jiff::SignedDuration;
use std::path::PathBuf;
use std::time::Duration;

/// `advise`
#[derive(Debug, Args)]
#[command(
    group = some_usage(),
    override_usage = "vault-advisor advise [OPTIONS] --policies <PATH>... --out <DIR>\n            <--logs <PATH>...|--usage <FILE>...>",
    after_help = broken("Example:\n  vault-advisor advise --logs 'audit/*.log.gz' --policies policies/ --out report/")
)]
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
    /// Maximum roles per principal in the redesign (any number if none is given)
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
    /// How many of the uses expected over the horizon may be denied wrongly, as a share (10/10000, or what the settings say, if none is given)
    #[arg(help_heading = "What is proposed", long, value_name = "SHARE", value_parser = share)]
    pub budget: Option<f64>,
    /// How many days ahead the budget looks; 0 looks at the past alone (90d, or what the settings say, if none is given)
    #[arg(help_heading = "What is proposed", long, value_name = "DURATION", value_parser = whole_days)]
    pub horizon: Option<i32>,
    /// Also work out the whole curve of unused grants against expected wrong denials
    #[arg(help_heading = "Output", long)]
    pub frontier: bool,
    /// Also write a report, a summary and diffs for each owner, into `owners/`: `[owners]` in the settings says who owns what
    #[arg(help_heading = "Output", long)]
    pub per_owner: bool,
    /// Leave the time of the run out, so that the same input gives the same bytes
    #[arg(help_heading = "Output", long)]
    pub reproducible: bool,
}

/// `regressions`
#[derive(Debug, Args)]
#[command(
    after_help = broken("Example:\n  vault-advisor regressions --applied report/ --logs 'audit/*.log.gz' --out give-back/\n\n\
                  Exit status 1 when there is a regression that nobody has answered yet.")
)]
pub struct RegressionsArgs {
    /// The report whose waves were applied: the folder that `advise --out` wrote, with what `apply.sh` wrote into it
    #[arg(help_heading = "What was applied", long, value_name = "DIR")]
    pub applied: PathBuf,
    /// Usage; `--since` says when the report was applied, where `apply.sh` did not
    #[command(flatten)]
    pub reading: Reading,
    /// Deployment folder or file: who holds what, identities (see `snapshot`)
    #[arg(help_heading = "What was applied", long, value_name = "PATH")]
    pub deployment: Option<PathBuf>,
    /// Folder to write to what gives the access back: restore.sh, policies, diffs, Terraform
    #[arg(help_heading = "Output", long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Also write what is given back into the file of decisions, so that no run proposes to take it away again too soon
    #[arg(help_heading = "Output", long, requires = "out")]
    pub remember: bool,
    /// The file of decisions (else the one beside the settings, or in this folder)
    #[arg(help_heading = "Output", long, value_name = "FILE", requires = "remember")]
    pub decisions: Option<PathBuf>,
    /// Output
    #[arg(help_heading = "Output", long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

/// `answer`
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what it is about").args(["finding", "policy"]),
    after_help = broken("Examples:\n  vault-advisor answer\n  \
                        vault-advisor answer postpone --policy team-web --path 'secret/data/web/*' --owner web --reason 'quarterly job' --until 2027-01-31\n  \
                        vault-advisor answer reject --finding 3f2a91c07d5e --owner ann --reason 'break glass' --until 2027-06-30\n  \
                        vault-advisor answer forget --policy team-web --path 'secret/data/web/*'\n\n\
                        Without any of these words all decisions are listed. The file is vault-advisor.decisions.toml, beside vault-advisor.toml: keep it in git.")
)]
pub struct AnswerArgs {
    /// What is decided
    #[arg(requires = "what it is about")]
    pub word: Option<Answer>,
    /// The finding, by its fingerprint (in `advice.json`, `findings.csv` and the report)
    #[arg(
        help_heading = "What it is about",
        long,
        value_name = "FINGERPRINT",
        requires = "word"
    )]
    pub finding: Option<String>,
    /// The policy for which something is proposed, with the namespace in front where it has one
    #[arg(help_heading = "What it is about", long, value_name = "POLICY", requires = "word")]
    pub policy: Option<String>,
    /// One stanza of it, by its path
    #[arg(help_heading = "What it is about", long, value_name = "PATH", requires = "policy")]
    pub path: Option<String>,
    /// Who answers for it
    #[arg(help_heading = "The decision", long, value_name = "WHO")]
    pub owner: Option<String>,
    /// Why
    #[arg(help_heading = "The decision", long, value_name = "WHY")]
    pub reason: Option<String>,
    /// The last day on which it holds: 2027-01-31
    #[arg(help_heading = "The decision", long, value_name = "DAY")]
    pub until: Option<String>,
    /// The file of decisions (else the one beside the settings, or in this folder)
    #[arg(help_heading = "The decision", long, value_name = "FILE")]
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
    override_usage = "vault-advisor backtest [OPTIONS] --policies <PATH>...\n            <--logs <PATH>...|--usage <FILE>...>",
    after_help = broken("Example:\n  vault-advisor backtest --logs 'audit/*.gz' --policies policies/ --train 60d --test 30d --step 7d")
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
    #[arg(help_heading = "Output", long, value_name = "FORMAT", default_value = "text")]
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
    override_usage = "vault-advisor roles [OPTIONS]\n            <--matrix <FILE>|--logs <PATH>...|--usage <FILE>...>",
    after_help = broken("Examples:\n  vault-advisor roles --matrix users.upa --objective edges\n  \
                        vault-advisor roles --logs audit.log.gz")
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
