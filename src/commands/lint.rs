//! `lint`: errors and warnings of policies.

use super::resolve::{Meant, sources_of};
use super::{Exit, Failure, Talk, material};
use crate::cli::{LintArgs, TextOrJson};
use crate::hint::Hint;
use crate::policy::lint::{self, Context};
use crate::policy::load::{self, LoadCause, LoadError, Names};
use crate::policy::syntax::Style;
use crate::report::lint::{self as report, Read};
use crate::sources;
use std::borrow::Cow;
use std::io::Write;

/// Parses and tells.
pub(super) fn run(args: &LintArgs, meant: Meant, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let read = read(args, &meant, talk)?;
    let profile = meant.profile;
    let context = Context {
        profile,
        ..Context::default()
    };
    let found = lint::look(&read.policies, &context);
    if let Some(unseen) = found.unseen() {
        talk.warn(&unseen);
    }
    let warnings = found.warnings;
    let text = match args.format {
        TextOrJson::Json => report::json(&read, &warnings, profile),
        TextOrJson::Text => {
            let style = if talk.colour_out() {
                Style::Coloured
            } else {
                Style::Plain
            };
            talk.fitted(&report::text(&read, &warnings, profile, style))
        }
    };
    out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
    let found = !read.broken.is_empty() || args.warnings && !warnings.is_empty();
    Ok(if found { Exit::Findings } else { Exit::Fine })
}

/// Reads policies; what does not parse is told, and no other file may fail.
fn read(args: &LintArgs, meant: &Meant, talk: &Talk) -> Result<Read, Failure> {
    let mut policies = Vec::new();
    let mut broken = Vec::new();
    let mut files: Vec<(String, Option<usize>)> = Vec::new();
    let options = sources_of(&meant.settings);
    let dialect = meant.profile.community_dialect();
    let found = sources::read(&args.files, &dialect, Names::Path, &options)?;
    material::left_out(&found.skipped, meant.profile, talk);
    for problem in &found.unread {
        talk.warn(&format!(
            "{}: `{}` was not read: {}",
            problem.origin, problem.what, problem.why
        ));
    }
    for (path, read) in found.files {
        let file = path.display().to_string();
        match read {
            Ok(policy) => {
                files.push((file, Some(policies.len())));
                policies.push(policy);
            }
            Err(error) => match error.cause {
                LoadCause::Parse(parse) => {
                    files.push((file, None));
                    broken.push(*parse);
                }
                _ => {
                    return Err(LintError::Read(error).into());
                }
            },
        }
    }
    if let Some(hint) = load::nested(&policies) {
        talk.warn(&hint);
    }
    if files.is_empty() {
        return Err(LintError::Nothing.into());
    }
    Ok(Read {
        policies,
        broken,
        files,
    })
}

/// Why nothing is checked.
#[derive(Debug, thiserror::Error)]
enum LintError {
    /// A file or folder that is named.
    #[error("{0}")]
    Read(LoadError),
    /// There is no policy.
    #[error("no policy to check in the files and folders named")]
    Nothing,
}

impl Hint for LintError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Read(..) => Some(Cow::Borrowed("name policy files, or folders of .hcl or .json files")),
            Self::Nothing => Some(Cow::Borrowed("policies are files that end in .hcl, .json or .policy")),
        }
    }
}
