//! `snapshot`: a live server read into a folder, and what to tell afterwards.

use super::{Exit, Failure, Talk};
use crate::cli::SnapshotArgs;
use crate::deployment::connection::Given;
use crate::deployment::required::required_policy;
use crate::deployment::save::{SnapshotOptions, snapshot};
use crate::deployment::snapshot::Progress;
use crate::report::{escape, snapshot as faces};
use std::io::Write;
use std::path::Path;

/// Reads the server and writes the folder.
pub(super) fn run(args: &SnapshotArgs, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let namespace = args.namespace.clone().unwrap_or_default();
    if args.print_policy {
        let policy = required_policy(None, &namespace, args.list_secrets);
        out.write_all(policy.as_bytes()).map_err(Failure::from_output)?;
        return Ok(Exit::Fine);
    }
    let given = Given {
        address: args.address.clone(),
        namespace: args.namespace.clone(),
        ca_cert: args.ca_cert.clone(),
        skip_verify: args.tls_skip_verify,
    };
    let folder = args.out.as_deref().unwrap_or(Path::new("deployment"));
    let options = SnapshotOptions {
        list_secrets: args.list_secrets,
        max_secrets: args.max_secrets,
        concurrency: args.concurrency.max(1),
        ..SnapshotOptions::from_environment(&given, folder)?
    };
    let report = snapshot(&options, &mut |p: Progress<'_>| {
        talk.step(&format!(
            "asked {} of {}: {}{}",
            p.done,
            p.total,
            p.namespace,
            escape::terminal(p.path)
        ))
    })?;
    talk.done();
    for note in &report.notes {
        talk.warn(note);
    }
    for missing in &report.missing {
        talk.warn(&faces::missing(missing));
    }
    if !report.missing.is_empty() {
        talk.note("the least policy that reads all of it:");
        talk.block(&escape::visible_lines(&report.required_policy));
    }
    writeln!(out, "{}: {}", folder.display(), faces::counted(&report)).map_err(Failure::from_output)?;
    Ok(Exit::Fine)
}
