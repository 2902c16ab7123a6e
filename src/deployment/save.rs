//! Reads a live server, read-only, and writes what it has as a deployment folder.

use super::connection::{Connection, ConnectionError, Given};
use super::live::{Client, LiveError};
use super::required::required_policy;
use super::snapshot::{Missing, Progress, Wishes, take};
use super::write::{self, WriteError, Written};
use crate::hint::Hint;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Requests under way at once, where the user names no number.
pub const DEFAULT_CONCURRENCY: usize = 8;
/// Names of secrets taken under one mount, where the user names no number.
pub const DEFAULT_MAX_SECRETS: usize = 1_000_000;

/// What the user asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotOptions {
    /// How to reach the server.
    pub connection: Connection,
    /// The folder to write.
    pub out: PathBuf,
    /// Whether to list the names of secrets under KV mounts.
    pub list_secrets: bool,
    /// No more than this many names under one mount.
    pub max_secrets: usize,
    /// Requests under way at once.
    pub concurrency: usize,
}

impl SnapshotOptions {
    /// Flags joined with the environment of this process.
    ///
    /// # Errors
    /// When the address or a variable is malformed, or there is no usable token.
    pub fn from_environment(given: &Given, out: &Path) -> Result<Self, ConnectionError> {
        let home = std::env::home_dir();
        let variable = |name: &str| std::env::var(name).ok();
        Ok(Self {
            connection: Connection::resolve(given, &variable, home.as_deref())?,
            out: out.to_path_buf(),
            list_secrets: false,
            max_secrets: DEFAULT_MAX_SECRETS,
            concurrency: DEFAULT_CONCURRENCY,
        })
    }
}

/// What was found and written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotReport {
    /// What became of the folder.
    pub written: Written,
    /// Policies.
    pub policies: usize,
    /// Secret engine mounts.
    pub mounts: usize,
    /// Auth mounts.
    pub auth_mounts: usize,
    /// Roles, users and groups of auth methods.
    pub roles: usize,
    /// Entities.
    pub entities: usize,
    /// Groups.
    pub groups: usize,
    /// Namespaces besides the one that was asked.
    pub namespaces: usize,
    /// Names of secrets.
    pub secrets: usize,
    /// What the token could not read.
    pub missing: Vec<Missing>,
    /// The least policy that a snapshot of this server needs.
    pub required_policy: String,
    /// What the user should know about the connection.
    pub notes: Vec<&'static str>,
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The server could not be read.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// The folder could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Hint for SnapshotError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self {
            Self::Live(LiveError::NothingReadable) => Some(
                "check the token and the namespace; `snapshot --print-policy` shows the least policy that is needed",
            ),
            Self::Live(LiveError::Unreachable { .. }) => Some(
                "check `VAULT_ADDR` (or `BAO_ADDR`), and `VAULT_CACERT` where the server's certificate comes from an authority of your own",
            ),
            Self::Live(LiveError::Status { .. } | LiveError::Rest { .. }) => {
                Some("try again later, or with a smaller `--concurrency`")
            }
            Self::Live(LiveError::Redirect { .. }) => {
                Some("set `VAULT_ADDR` (or `BAO_ADDR`) to the address of the active node")
            }
            Self::Write(WriteError::Foreign { .. }) => Some("name a folder that is empty, or that a snapshot wrote"),
            _ => None,
        };
        hint.map(Cow::Borrowed)
    }
}

/// Reads the server and writes the folder.
///
/// # Errors
/// When the server can't be read or the folder not written; the folder is then as it was.
pub fn snapshot(
    options: &SnapshotOptions,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<SnapshotReport, SnapshotError> {
    let client = Client::new(&options.connection)?;
    let base = options.connection.namespace.as_str();
    let wishes = Wishes {
        list_secrets: options.list_secrets,
        max_secrets: options.max_secrets,
        concurrency: options.concurrency,
    };
    let taken = take(&client, base, &wishes, progress)?;
    let written = write::write(&taken, &options.out)?;
    let mut notes = Vec::new();
    if options.connection.is_clear_text() {
        notes.push("the token went over the network in clear text: use `https://`");
    }
    if options.connection.tls.skip_verify {
        notes.push("the server's certificate was not verified: the token may have gone to anybody");
    }
    let d = &taken.deployment;
    Ok(SnapshotReport {
        written,
        policies: taken.policies.len(),
        mounts: d.mounts.len(),
        auth_mounts: d.auth_mounts.len(),
        roles: d.roles.len(),
        entities: d.entities.len(),
        groups: d.groups.len(),
        namespaces: d.namespaces.iter().filter(|n| n.as_str() != base).count(),
        secrets: d.secrets.len(),
        required_policy: required_policy(Some(d), base, options.list_secrets),
        missing: taken.missing,
        notes,
    })
}
