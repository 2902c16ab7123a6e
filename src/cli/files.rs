//! The flags of what writes files of a repository or a shell: `init`, `completions`, `man`.

use super::examples::broken;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `completions`
#[derive(Debug, Args)]
#[command(
    after_help = broken("Examples:\n  vault-advisor completions bash > ~/.local/share/bash-completion/completions/vault-advisor\n  \
                        vault-advisor completions fish > ~/.config/fish/completions/vault-advisor.fish")
)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `init`
#[derive(Debug, Args)]
#[command(after_help = broken("Example:\n  vault-advisor init --ci github"))]
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
#[command(after_help = broken("Example:\n  vault-advisor man --out ~/.local/share/man/man1"))]
pub struct ManArgs {
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
