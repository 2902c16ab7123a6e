//! The flags of what answers questions about use and access: `usage`, `explain`, `who-can`, `capabilities`, `diff-access`, `generate`,
//! `replay`.

use super::examples::broken;
use super::values::{capability, operation};
use super::{Granting, Reading, TextOrJson, some_usage};
use crate::units;
use crate::vault::{Capability, Operation};
use clap::{ArgGroup, Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Flags that say what comes out.
const OUTPUT: &str = "Output";
/// Flags that say what is asked for.
const REQUEST: &str = "Request";
/// Flags that say whose use counts.
const WHOSE: &str = "Whose use";

/// `usage`
#[derive(Debug, Args)]
#[command(
    group = some_usage(),
    after_help = broken("Examples:\n  vault-advisor usage --logs audit.log -o usage.parquet\n  \
                        vault-advisor usage --usage node1.parquet node2.parquet -o all.parquet\n  \
                        vault-advisor usage --logs audit.log.gz -o - | jq .path\n  \
                        vault-advisor usage --usage all.parquet --by principal,mount --where 'denied > 0' --sort -requests --top 20\n  \
                        vault-advisor usage --logs - --format parquet --allow-empty -o - < piece.log > part.parquet")
)]
pub struct UsageArgs {
    /// Usage
    #[command(flatten)]
    pub reading: Reading,
    /// File to write: .parquet, .jsonl or .csv; - for stdout
    #[arg(help_heading = OUTPUT, short, long, value_name = "FILE", default_value = "-")]
    pub output: String,
    /// Format, where the file's name does not say (on stdout JSON lines, or a table for the answer to a question); only Parquet of
    /// all usage can be merged later
    #[arg(help_heading = OUTPUT, long, value_name = "FORMAT")]
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
    #[arg(help_heading = OUTPUT, long)]
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
    after_help = broken("Example:\n  vault-advisor explain read secret/data/prod/db --as web,default --policies policies/")
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
    #[arg(help_heading = REQUEST, long, value_name = "KEY=VALUE")]
    pub data: Vec<String>,
    /// Wrapping TTL that the request asks for (5m)
    #[arg(help_heading = REQUEST, long, value_name = "DURATION", value_parser = units::waiting)]
    pub wrap_ttl: Option<Duration>,
    /// Output
    #[arg(help_heading = OUTPUT, long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

/// `who-can`
#[derive(Debug, Args)]
#[command(
    after_help = broken("Example:\n  vault-advisor who-can secret/data/prod/db --capability read --policies policies/ --logs audit.log")
)]
pub struct WhoCanArgs {
    /// Path, namespace in front
    pub path: String,
    /// Only who has this capability
    #[arg(help_heading = REQUEST, long, value_name = "CAPABILITY", value_parser = capability)]
    pub capability: Option<Capability>,
    /// Grants
    #[command(flatten)]
    pub granting: Granting,
    /// Usage, to know principals
    #[command(flatten)]
    pub reading: Reading,
    /// Output
    #[arg(help_heading = OUTPUT, long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

/// `capabilities`
#[derive(Debug, Args)]
#[command(
    after_help = broken("Examples:\n  vault-advisor capabilities --as web,default --policies policies/\n  \
                        vault-advisor capabilities --principal app-web --policies policies/ --logs audit.log.gz --path secret/ --hcl")
)]
pub struct CapabilitiesArgs {
    /// Who asks
    #[command(flatten)]
    pub asking: Asking,
    /// Only paths that begin with this, or match this pattern
    #[arg(help_heading = OUTPUT, long, value_name = "PREFIX")]
    pub path: Option<String>,
    /// Write it as one policy that decides every request the same way
    #[arg(help_heading = OUTPUT, long, conflicts_with = "format")]
    pub hcl: bool,
    /// Grants
    #[command(flatten)]
    pub granting: Granting,
    /// Usage, to know principals, and what was used when
    #[command(flatten)]
    pub reading: Reading,
    /// Output
    #[arg(help_heading = OUTPUT, long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

/// `diff-access`
#[derive(Debug, Args)]
#[command(
    after_help = broken("Examples:\n  vault-advisor diff-access ann bob --policies policies/ --deployment deployment/\n  \
                        vault-advisor diff-access role:approle/web as:web,default --policies policies/ --deployment deployment/\n  \
                        vault-advisor diff-access app-web@2026-01-31 app-web@2026-03-31 --policies policies/ --logs audit.log.gz")
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
    #[arg(help_heading = OUTPUT, long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

/// `generate`
#[derive(Debug, Args)]
#[command(
    group = some_usage(),
    group = ArgGroup::new("whose use").args(["principal", "role", "root"]),
    after_help = broken("Examples:\n  vault-advisor generate --logs audit.log.gz --principal app-web > app-web.hcl\n  \
                        vault-advisor generate --logs audit.log --root --since 2026-03-01 --style exact")
)]
pub struct GenerateArgs {
    /// Usage
    #[command(flatten)]
    pub reading: Reading,
    /// What this principal used, by name or key (else what everybody used together, but for root tokens)
    #[arg(help_heading = WHOSE, long, value_name = "NAME")]
    pub principal: Option<String>,
    /// What everybody used who logged in by this role: `web`, or with its mount in front, `approle/web`
    #[arg(help_heading = WHOSE, long, value_name = "ROLE")]
    pub role: Option<String>,
    /// What root tokens used
    #[arg(help_heading = WHOSE, long)]
    pub root: bool,
    /// How paths are written
    #[arg(help_heading = OUTPUT, long, value_name = "STYLE", default_value = "folders")]
    pub style: Style,
    /// Deployment folder or file: identities for templates, mounts
    #[arg(help_heading = "Grants", long, value_name = "PATH")]
    pub deployment: Option<PathBuf>,
    /// File to write to instead of stdout
    #[arg(help_heading = OUTPUT, short, long, value_name = "FILE")]
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

/// `replay`
#[derive(Debug, Args)]
#[command(
    group = some_usage(),
    override_usage = "vault-advisor replay [OPTIONS] --policies <PATH>...\n            <--logs <PATH>...|--usage <FILE>...>",
    after_help = broken("Example:\n  vault-advisor replay --logs audit.log.gz --policies proposed/")
)]
pub struct ReplayArgs {
    /// Usage
    #[command(flatten)]
    pub reading: Reading,
    /// Grants
    #[command(flatten)]
    pub granting: Granting,
    /// Output
    #[arg(help_heading = OUTPUT, long, value_name = "FORMAT", default_value = "text")]
    pub format: TextOrJson,
}
