//! `test`: policy unit tests.

use super::resolve::Meant;
use super::{Exit, Failure, Talk, material};
use crate::cli::{TestArgs, TestFormat};
use crate::hint::Hint;
use crate::policy::policy_test::{self, Policies};
use crate::report::escape;
use std::borrow::Cow;
use std::io::{self, Write};

/// Runs every file.
pub(super) fn run(args: &TestArgs, meant: Meant, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let profile = meant.profile;
    let grants = meant.grants(&args.policies, args.policy_names);
    let granted = material::policies(&grants, material::Unusable::Refused, talk)?;
    let policies = Policies::new(&granted.policies);
    let mut reports = Vec::new();
    for path in &args.files {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| Unread {
            name: name.clone(),
            source,
        })?;
        let file = policy_test::parse(&name, &text)?;
        reports.push(policy_test::run(&file, &policies, profile));
    }
    let text = match args.format {
        TestFormat::Text => escape::visible_lines(&policy_test::text(&reports)),
        TestFormat::Json => policy_test::json(&reports),
        TestFormat::Junit => policy_test::junit(&reports),
    };
    out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
    let failed = reports.iter().any(|r| r.failed > 0);
    Ok(if failed { Exit::Findings } else { Exit::Fine })
}

/// A file of tests that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{name}`: {source}")]
struct Unread {
    name: String,
    source: io::Error,
}

impl Hint for Unread {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("name YAML files with policy tests"))
    }
}
