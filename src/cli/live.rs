//! The flags of what works with a server or its live logs: `snapshot`, `watch`.

use super::examples::broken;
use super::values::{duration_as_typed, envelope, time_as_typed};
use super::{PolicyNames, TextOrJson};
use crate::deployment::save::{DEFAULT_CONCURRENCY, DEFAULT_MAX_SECRETS};
use crate::ingest::{Envelope, GroupBy};
use clap::Args;
use std::path::PathBuf;

/// `snapshot`
#[derive(Debug, Args)]
#[command(
    after_help = broken("Example:\n  VAULT_ADDR=https://vault:8200 vault-advisor snapshot --out deployment/\n\n\
                        The token is read from VAULT_TOKEN, BAO_TOKEN or ~/.vault-token, and is never written anywhere.")
)]
pub struct SnapshotArgs {
    /// Folder to write to
    #[arg(
        help_heading = "Output",
        long,
        value_name = "DIR",
        required_unless_present = "print_policy"
    )]
    pub out: Option<PathBuf>,
    /// Address of the server (else VAULT_ADDR or BAO_ADDR)
    #[arg(help_heading = "The server", long, value_name = "URL")]
    pub address: Option<String>,
    /// Namespace (else VAULT_NAMESPACE or BAO_NAMESPACE)
    #[arg(help_heading = "The server", long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Certificate authority of the server, PEM (else VAULT_CACERT or BAO_CACERT)
    #[arg(help_heading = "The server", long, value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,
    /// Do not verify the server's certificate
    #[arg(help_heading = "The server", long)]
    pub tls_skip_verify: bool,
    /// List the names (never the values) of secrets under KV mounts too
    #[arg(help_heading = "What is read", long)]
    pub list_secrets: bool,
    /// Most names to list of each mount
    #[arg(help_heading = "What is read", long, value_name = "N", default_value_t = DEFAULT_MAX_SECRETS)]
    pub max_secrets: usize,
    /// Most requests to the server at the same time
    #[arg(help_heading = "What is read", long, value_name = "N", default_value_t = DEFAULT_CONCURRENCY)]
    pub concurrency: usize,
    /// Print the least policy that a snapshot needs, and do nothing else
    #[arg(help_heading = "Output", long)]
    pub print_policy: bool,
}

/// `watch`
#[derive(Debug, Args)]
#[command(
    after_help = broken("Examples:\n  vault-advisor watch --logs /var/log/vault/ --state /var/lib/vault-advisor\n  \
                        vault-advisor watch --logs audit.log --state state/ --format json --listen 127.0.0.1:9187\n  \
                        vault-advisor watch --logs audit.log --state state/ --policies policies/ --notify https://hooks.example/vault\n  \
                        vault-advisor watch --logs audit.log --state state/ --applied report/ --listen 127.0.0.1:9187\n\n\
                        SIGTERM and SIGINT end it with all that was read committed; SIGHUP makes it read the settings again and look at everything named.")
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
