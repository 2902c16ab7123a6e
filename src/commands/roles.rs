//! `roles`: role mining alone, from a matrix or from usage.

use super::resolve::Source;
use super::{Exit, Failure, Talk, material};
use crate::cli::{self, RolesArgs};
use crate::hint::Hint;
use crate::optimize::roles::{self, Matrix, MatrixError, Objective, Options};
use crate::optimize::used;
use crate::report;
use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Mines and prints JSON.
pub(super) fn run(args: &RolesArgs, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    if args.max_roles == Some(0) {
        return Err(RolesError::MaxRoles.into());
    }
    if args.over_grant.is_some_and(|w| !(w.is_finite() && w >= 0.0)) {
        return Err(RolesError::OverGrant.into());
    }
    let matrix = match &args.matrix {
        Some(path) => read(path)?,
        None => {
            let source = Source::of(&args.reading, talk)?;
            let usage = material::usage(&source, talk)?;
            material::not_empty(&usage)?;
            used::matrix(&usage.demands())
        }
    };
    let allowed = args.allowed.as_deref().map(read).transpose()?;
    let keep = args
        .keep
        .as_deref()
        .map(read)
        .transpose()?
        .map(|k| matrix.translate_sets(&k))
        .unwrap_or_default();
    let options = Options {
        objective: match args.objective {
            cli::Objective::Roles => Objective::Roles,
            cli::Objective::Edges => Objective::Edges,
            cli::Objective::Wsc => Objective::Wsc,
            cli::Objective::Natural => Objective::Natural,
        },
        time_limit: args.time_limit,
        seed: args.seed,
        steps: None,
        max_roles_per_user: args.max_roles,
        keep,
        allowed: allowed.as_ref(),
        over_grant: args.over_grant,
        affinity: None,
    };
    talk.step("mining roles");
    let start = Instant::now();
    let mined = roles::mine(&matrix, &options);
    let seconds = start.elapsed().as_secs_f64();
    talk.done();
    let document = report::mined::document(&matrix, options.objective, &mined, seconds);
    // People read it in lines, programs as one.
    let text = match talk.width_out() {
        Some(_) => format!("{document:#}"),
        None => document.to_string(),
    };
    writeln!(out, "{text}").map_err(Failure::from_output)?;
    Ok(Exit::Fine)
}

fn read(path: &Path) -> Result<Matrix, RolesError> {
    let mut text = String::new();
    let result = if path == Path::new("-") {
        std::io::stdin().lock().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(path).map(|t| text = t)
    };
    result.map_err(|source| RolesError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(Matrix::read_upa(&text)?)
}

/// Why no roles are mined.
#[derive(Debug, thiserror::Error)]
enum RolesError {
    /// A number.
    #[error("`--max-roles` has to be at least 1")]
    MaxRoles,
    /// A price.
    #[error("`--over-grant` has to be a number of at least zero")]
    OverGrant,
    /// A file.
    #[error("cannot read matrix `{}`: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// What is in it.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
}

impl Hint for RolesError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::MaxRoles | Self::OverGrant => None,
            Self::Read { .. } | Self::Matrix(_) => Some(Cow::Borrowed(
                "a matrix has a line for each user: its name, then its permissions, separated by blanks",
            )),
        }
    }
}
