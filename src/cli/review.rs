//! The flags of what looks at policies and at changes of them: `lint`, `test`, `compare`, `check`.

use super::examples::broken;
use super::values::most_findings;
use super::{Granting, PolicyNames, Reading, TextOrJson};
use crate::advice::Severity;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `lint`
#[derive(Debug, Args)]
#[command(after_help = broken("Example:\n  vault-advisor lint policies/"))]
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

/// `test`
#[derive(Debug, Args)]
#[command(after_help = broken("Example:\n  vault-advisor test policies/tests/*.yaml --policies policies/"))]
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
#[command(after_help = broken("Example:\n  vault-advisor compare policies.old/ policies/"))]
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
    after_help = broken("Examples:\n  vault-advisor check --policies policies/ --base origin/main\n  \
                        vault-advisor check --policies policies/ --usage usage.parquet --fail-on high --format sarif -o check.sarif")
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
