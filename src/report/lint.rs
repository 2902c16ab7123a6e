//! Errors and warnings of policies, for people and for programs.

use super::digest;
use crate::policy::lint::Warning;
use crate::policy::lint_json;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::syntax::{ParseError, Style};
use std::collections::HashMap;

/// The policies that were looked at.
pub struct Read {
    /// Those that could be read.
    pub policies: Vec<Policy>,
    /// What is wrong with the others.
    pub broken: Vec<ParseError>,
    /// In the order of the arguments: a policy by its number, or none where something was wrong with it.
    pub files: Vec<(String, Option<usize>)>,
}

/// For programs: a document for each file, one on a line.
#[must_use]
pub fn json(read: &Read, warnings: &[Warning], profile: Profile) -> String {
    let mut by_file: HashMap<&str, Vec<&Warning>> = HashMap::new();
    for warning in warnings {
        by_file.entry(&*warning.origin.file).or_default().push(warning);
    }
    let mut text = String::new();
    let mut errors = read.broken.iter();
    for (file, policy) in &read.files {
        let mut document = match policy.and_then(|n| read.policies.get(n)) {
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
#[must_use]
pub fn text(read: &Read, warnings: &[Warning], profile: Profile, style: Style) -> String {
    let mut text = String::new();
    for error in &read.broken {
        text.push_str(&error.render(style));
        text.push('\n');
    }
    for warning in warnings {
        text.push_str(&warning.render(style));
        text.push('\n');
    }
    text.push_str(&format!(
        "{} read, {}, {}\n",
        digest::count(digest::len(&read.policies), "policy", "policies"),
        digest::count(digest::len(&read.broken), "error", "errors"),
        digest::count(digest::len(warnings), "warning", "warnings")
    ));
    if let Some(note) = profile.note() {
        text.push_str(&format!("{note}\n"));
    }
    text
}
