//! `decide`: many decisions, JSON lines in, JSON lines out.

use super::{Exit, Failure, Talk};
use crate::policy::decide::{self, DecideError};
use crate::policy::profile::Profile;
use std::io::{self, BufReader, BufWriter, IsTerminal as _, Write};

/// Decides every line of standard input.
pub(super) fn run(profile: Profile, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    if io::stdin().is_terminal() {
        talk.note("reading cases from standard input, one JSON object on each line (Ctrl-D ends; see `--help`)");
    }
    let mut out = BufWriter::new(out);
    let counts = decide::run(BufReader::new(io::stdin().lock()), &mut out, profile).map_err(|e| match e {
        DecideError::Write(source) => Failure::from_output(source),
        other => other.into(),
    })?;
    out.flush().map_err(Failure::from_output)?;
    talk.detail(&format!("{} cases, {} requests decided", counts.cases, counts.requests));
    Ok(Exit::Fine)
}
