//! `lint`: errors and warnings of policies.

use super::resolve::{Meant, sources_of};
use super::{Exit, Failure, Talk, material};
use crate::cli::{LintArgs, TextOrJson};
use crate::hint::Hint;
use crate::policy::lint::{self, Context, Warning};
use crate::policy::lint_json;
use crate::policy::load::{LoadCause, LoadError, Names};
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::syntax::{ParseError, Style};
use crate::report::digest;
use crate::sources;
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;

/// What was read.
struct Read {
    policies: Vec<Policy>,
    broken: Vec<ParseError>,
    /// In the order of the arguments: a policy by its number, or none where something was wrong with it.
    files: Vec<(String, Option<usize>)>,
}

/// Parses and tells.
pub(super) fn run(args: &LintArgs, meant: Meant, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let Read {
        policies,
        broken,
        files,
    } = read(args, &meant, talk)?;
    let profile = meant.profile;
    let context = Context {
        profile,
        ..Context::default()
    };
    let warnings = lint::policies(&policies, &context);
    let text = match args.format {
        TextOrJson::Json => json(&files, &policies, &broken, &warnings, profile),
        TextOrJson::Text => {
            let style = if talk.colour_out() {
                Style::Coloured
            } else {
                Style::Plain
            };
            words(&policies, &broken, &warnings, profile, style)
        }
    };
    out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
    let found = !broken.is_empty() || args.warnings && !warnings.is_empty();
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
    if files.is_empty() {
        return Err(LintError::Nothing.into());
    }
    Ok(Read {
        policies,
        broken,
        files,
    })
}

/// For programs: a document for each file, one on a line.
fn json(
    files: &[(String, Option<usize>)],
    policies: &[Policy],
    broken: &[ParseError],
    warnings: &[Warning],
    profile: Profile,
) -> String {
    let mut by_file: HashMap<&str, Vec<&Warning>> = HashMap::new();
    for warning in warnings {
        by_file.entry(&*warning.origin.file).or_default().push(warning);
    }
    let mut text = String::new();
    let mut errors = broken.iter();
    for (file, policy) in files {
        let mut document = match policy.and_then(|n| policies.get(n)) {
            Some(policy) => {
                let mut document = lint_json::document(file, Ok(policy));
                let about = by_file.get(&*policy.file).map_or(&[][..], Vec::as_slice);
                lint_json::add_warnings(&mut document, about.iter().copied());
                document
            }
            None => match errors.next() {
                Some(error) => lint_json::document(file, Err(error)),
                None => continue,
            },
        };
        if let (Some(object), Some(_)) = (document.as_object_mut(), profile.caveat()) {
            object.insert("server".to_owned(), profile.to_string().into());
        }
        text.push_str(&document.to_string());
        text.push('\n');
    }
    text
}

/// For people.
fn words(policies: &[Policy], broken: &[ParseError], warnings: &[Warning], profile: Profile, style: Style) -> String {
    let mut text = String::new();
    for error in broken {
        text.push_str(&error.render(style));
        text.push('\n');
    }
    for warning in warnings {
        text.push_str(&warning.render(style));
        text.push('\n');
    }
    text.push_str(&format!(
        "{} read, {}, {}\n",
        digest::count(digest::len(policies), "policy", "policies"),
        digest::count(digest::len(broken), "error", "errors"),
        digest::count(digest::len(warnings), "warning", "warnings")
    ));
    if let Some(note) = profile.note() {
        text.push_str(&format!("{note}\n"));
    }
    text
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
