//! Man pages and shell completions, made from the flags.

use super::{Exit, Failure, Talk};
use crate::cli::{Cli, CompletionsArgs, ManArgs};
use crate::hint::Hint;
use crate::staged;
use clap::CommandFactory;
use std::io::{self, Write};
use std::path::PathBuf;

/// Completions on stdout.
pub(super) fn completions(args: &CompletionsArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "vault-advisor", &mut text);
    out.write_all(&text).map_err(Failure::from_output)?;
    Ok(Exit::Fine)
}

/// One page a subcommand: all of them, or none.
pub(super) fn pages(args: &ManArgs, talk: &Talk) -> Result<Exit, Failure> {
    let place = args.out.display();
    let failed = |source| NoPages {
        place: args.out.clone(),
        source,
    };
    std::fs::create_dir_all(&args.out).map_err(failed)?;
    let hidden = tempfile::Builder::new()
        .prefix(staged::PREFIX)
        .tempdir_in(&args.out)
        .map_err(failed)?;
    let _unfinished = staged::Unfinished::new(hidden.path());
    clap_mangen::generate_to(Cli::command(), hidden.path()).map_err(failed)?;
    staged::finish(|| {
        for page in std::fs::read_dir(hidden.path())? {
            let page = page?;
            std::fs::rename(page.path(), args.out.join(page.file_name()))?;
        }
        Ok(())
    })
    .map_err(failed)?;
    talk.note(&format!("wrote man pages to {place}"));
    Ok(Exit::Fine)
}

/// Man pages cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write man pages to `{}`: {source}", place.display())]
struct NoPages {
    place: PathBuf,
    source: io::Error,
}

impl Hint for NoPages {}
