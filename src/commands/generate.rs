//! `generate`: the least readable policy for what a log shows was used, from nothing.

use super::asker::{self, AskerError};
use super::resolve::{Meant, Source};
use super::{Exit, Failure, Talk, material};
use crate::access::{self, HolderId, Inputs, Joined};
use crate::cli::{GenerateArgs, Style};
use crate::hint::Hint;
use crate::ingest::GroupBy;
use crate::optimize::generate::{self, Generated};
use crate::policy::profile::Profile;
use crate::report::{digest, escape};
use crate::staged::{self, Unwritten};
use crate::usage::Facts;
use crate::vault::PrincipalKind;
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write;

/// Reads, makes, proves, writes.
pub(super) fn run(args: &GenerateArgs, meant: Meant, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    material::ready(args.output.as_deref())?;
    let Meant { profile, settings, .. } = &meant;
    let profile = *profile;
    meant.tell_settings(talk);
    // A role is who its tokens say they are, unless identities are wanted and the deployment tells who logs in by it.
    let by_assignment = args.style == Style::Templates && args.deployment.is_some();
    let mut reading = args.reading.clone();
    if args.role.is_some() && !by_assignment {
        reading.group_by = Some(GroupBy::Role);
    }
    let source = Source::of(&reading, talk)?;
    let deployment = material::deployment(args.deployment.as_deref())?;
    let usage = material::usage(&source, talk)?;
    material::not_empty(&usage)?;
    let joined = access::join(Inputs {
        facts: Facts::from(&usage),
        policies: Vec::new(),
        deployment: deployment.as_ref(),
        profile,
        now: Some(Timestamp::now().as_second()),
    });
    let (whose, name) = whose(args, &joined, by_assignment)?;
    let style = match args.style {
        Style::Exact => generate::Style::Exact,
        Style::Folders => generate::Style::Folders,
        Style::Templates => generate::Style::Templates,
    };
    let mounts = access::mounts(&joined, deployment.as_ref());
    let made = generate::generate(&joined, |h| whose.contains(&h), style, &settings.price, &mounts)?;
    let plural = |n: usize, one, many| digest::count(u64::try_from(n).unwrap_or(u64::MAX), one, many);
    for (path, requests) in &made.unsayable {
        talk.warn(&format!(
            "{} for `{path}` left out: no stanza can name this path alone",
            digest::count(*requests, "request", "requests")
        ));
    }
    let text = format!("{}{}", head(&made, &name, args.style, profile), made.text);
    match &args.output {
        Some(path) => {
            let failed = |source| Unwritten::new(path, source);
            staged::write(path, failed, |file| file.write_all(text.as_bytes()).map_err(failed))?;
            talk.note(&format!("wrote {}", path.display()));
        }
        None => out.write_all(text.as_bytes()).map_err(Failure::from_output)?,
    }
    talk.note(&format!(
        "proof: {} to {}, decided again with {} on {profile}: all are allowed",
        digest::count(made.requests, "request", "requests"),
        plural(made.paths, "path", "paths"),
        plural(made.stanzas, "stanza", "stanzas"),
    ));
    Ok(Exit::Fine)
}

/// The holders whose use counts, and what they are called.
fn whose(args: &GenerateArgs, joined: &Joined, by_assignment: bool) -> Result<(BTreeSet<HolderId>, String), Failure> {
    let all = |fits: &dyn Fn(HolderId) -> bool| joined.holders.ids().filter(|h| fits(*h)).collect();
    let kind = |h: HolderId| joined.holders[h].principal.kind;
    if args.root {
        return Ok((all(&|h| kind(h) == PrincipalKind::Root), "root tokens".to_owned()));
    }
    if let Some(name) = &args.principal {
        let number = asker::find(joined, name)?;
        let shown = joined.holders[number].display();
        return Ok((BTreeSet::from([number]), shown.to_owned()));
    }
    let Some(role) = &args.role else {
        let counts = |h| !matches!(kind(h), PrincipalKind::Root | PrincipalKind::Unauthenticated);
        return Ok((all(&counts), "everybody but root".to_owned()));
    };
    let is = |id: &str, name: &str| {
        id == role || id.trim_start_matches("auth/") == role.trim_start_matches("auth/") || name == role
    };
    let fits = |h: HolderId| {
        let holder = &joined.holders[h];
        let acts = holder.principal.kind == PrincipalKind::Role && is(&holder.principal.id, &holder.principal.name);
        let mut roles = holder.assigned.iter().filter(|place| !place.mount.is_empty());
        acts || (by_assignment && roles.any(|place| is(&place.id, &place.name)))
    };
    let found: BTreeSet<HolderId> = all(&fits);
    let ids: BTreeSet<&str> = found
        .iter()
        .map(|h| &joined.holders[*h])
        .filter(|h| h.principal.kind == PrincipalKind::Role)
        .map(|h| &*h.principal.id)
        .collect();
    if found.is_empty() {
        return Err(NoRole(role.clone()).into());
    }
    if ids.len() > 1 {
        let all = ids.into_iter().map(str::to_owned).collect();
        return Err(AskerError::Several {
            what: "roles",
            name: role.clone(),
            all,
        }
        .into());
    }
    Ok((found, format!("role {role}")))
}

/// What the policy is, and what it is not.
fn head(made: &Generated, name: &str, style: Style, profile: Profile) -> String {
    let name = escape::terminal(name).replace(['\n', '\r'], " ");
    let mut text = format!(
        "# What {name} used: {} to {}, on {profile}.\n",
        digest::count(made.requests, "request", "requests"),
        digest::count(made.paths as u64, "path", "paths")
    );
    // Writing into a string cannot fail.
    if !made.namespace.is_empty() {
        let _ = writeln!(
            text,
            "# To be written in the namespace {}.",
            escape::terminal(&made.namespace)
        );
    }
    if style != Style::Exact {
        let _ = writeln!(
            text,
            "# Folders are opened where enough below them was used (`--style exact`: none)."
        );
    }
    if made.free > 0 {
        let more = digest::count(made.free, "more request needs", "more requests need");
        let _ = writeln!(text, "# {more} no policy.");
    }
    for (path, requests) in &made.unsayable {
        let path = escape::terminal(path).replace(['\n', '\r'], " ");
        let _ = writeln!(
            text,
            "# Left out, since no stanza can name it alone: {path} ({}).",
            digest::count(*requests, "request", "requests")
        );
    }
    text.push('\n');
    text
}

/// Nobody logged in by that role.
#[derive(Debug, thiserror::Error)]
#[error("no role `{0}` in the logs")]
struct NoRole(String);

impl Hint for NoRole {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(
            "roles are named by the metadata of their tokens, with the mount in front: `approle/web`; `usage --group-by role` lists them",
        ))
    }

    fn found_nothing(&self) -> bool {
        true
    }
}
