//! `lint`: errors and warnings of policies.

use super::{Exit, Failure, Talk};
use crate::cli::{LintArgs, TextOrJson};
use crate::policy::lint::{self, Context};
use crate::policy::lint_json;
use crate::policy::load::{self, LoadCause};
use crate::policy::profile::Profile;
use crate::policy::syntax::Style;
use std::io::Write;

/// Parses and tells.
pub(super) fn run(args: &LintArgs, profile: Profile, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let loaded = load::policies(&args.files, &profile.dialect());
    if let Some(error) = loaded.errors.iter().find(|e| matches!(e.cause, LoadCause::Io { .. })) {
        return Err(Failure::from_error(error, Some("name policy files, or folders of .hcl or .json files")));
    }
    let warnings = lint::policies(&loaded.policies, &Context::default());
    let mut text = String::new();
    match args.format {
        TextOrJson::Json => {
            let mut documents: Vec<(String, serde_json::Value)> = loaded
                .policies
                .iter()
                .map(|p| (p.file.to_string(), lint_json::document(&p.file, Ok(p))))
                .collect();
            for error in &loaded.errors {
                if let LoadCause::Parse(parse) = &error.cause {
                    let file = error.path.display().to_string();
                    documents.push((file.clone(), lint_json::document(&file, Err(parse))));
                }
            }
            documents.sort_by(|a, b| a.0.cmp(&b.0));
            for (_, document) in documents {
                text.push_str(&document.to_string());
                text.push('\n');
            }
        }
        TextOrJson::Text => {
            let style = if talk.colour_out { Style::Coloured } else { Style::Plain };
            for error in &loaded.errors {
                match &error.cause {
                    LoadCause::Parse(parse) => text.push_str(&parse.render(style)),
                    _ => text.push_str(&format!("error: {error}\n")),
                }
                text.push('\n');
            }
            for warning in &warnings {
                text.push_str(&warning.render(style));
                text.push('\n');
            }
            text.push_str(&format!(
                "{} policies read, {} errors, {} warnings\n",
                loaded.policies.len(),
                loaded.errors.len(),
                warnings.len()
            ));
        }
    }
    out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
    let found = !loaded.errors.is_empty() || args.warnings && !warnings.is_empty();
    Ok(if found { Exit::Findings } else { Exit::Fine })
}
