//! `who-can`: everybody who reaches a path, and through what.

use super::holders::Holding;
use super::resolve::Meant;
use super::{Exit, Failure, Talk, holders};
use crate::access::Mounted;
use crate::access::everybody::everybody;
use crate::cli::{TextOrJson, WhoCanArgs};
use crate::hint::Hint;
use crate::policy::explain::{names_values_below, value_path};
use crate::policy::model::Policy;
use crate::policy::who_can::{Target, who_can};
use crate::report::ink::Face;
use crate::report::{escape, who_can as faces};
use serde_json::json;
use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;

/// Asks everybody.
pub(super) fn run(args: &WhoCanArgs, meant: Meant, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    if args.path.trim().is_empty() {
        return Err(EmptyPath.into());
    }
    let profile = meant.profile;
    let holding = Holding::of(&args.granting, &args.reading, &meant, talk)?;
    let (joined, deployment) = holders::joined(&holding, talk)?;
    let typed = holders::path_meant(&args.path, talk);
    let mount = Mounted::around(typed, deployment.as_ref());
    let right = value_path(typed, mount.as_ref().and_then(Mounted::kv));
    let path = match &right {
        Some((right, true)) if !typed.ends_with('/') => {
            talk.note(&format!(
                "asked for `{}`: the mount is KV version 2, and its values are below `data/`",
                escape::terminal(right)
            ));
            right.as_str()
        }
        Some((right, false)) if names_values_below(&joined.policies, right) => {
            talk.note(&format!(
                "did you mean `{}`? That is the path if the mount is KV version 2",
                escape::terminal(right)
            ));
            typed
        }
        _ => typed,
    };
    let target = Target::parse(path)?;
    let root = Policy::root();
    let everybody = everybody(&joined, deployment.as_ref(), &root);
    let names: Vec<String> = joined
        .not_read
        .existing()
        .map(|(policy, _)| format!("`{policy}`"))
        .collect();
    if !names.is_empty() {
        talk.warn(&format!(
            "policies that somebody holds were not read, and may let more through: {}",
            names.join(", ")
        ));
    }
    let mut reached = who_can(profile, &target, args.capability, &everybody);
    // By kind as they come, then by name.
    let kinds: Vec<Arc<str>> = reached.iter().map(|r| Arc::clone(&r.kind)).collect();
    let rank = |kind: &Arc<str>| kinds.iter().position(|k| k == kind);
    reached.sort_by(|a, b| (rank(&a.kind), &a.name).cmp(&(rank(&b.kind), &b.name)));
    let text = match args.format {
        TextOrJson::Json => {
            let document = json!({
                "version": 1,
                "server": profile.to_string(),
                "path": path,
                "reached": reached,
            });
            let json = serde_json::to_string_pretty(&document)?;
            format!("{json}\n")
        }
        TextOrJson::Text => {
            let mut text = faces::text(path, &reached, matches!(target, Target::Below(_)));
            if let Some(note) = profile.note() {
                text.push_str(&format!("\n{note}\n"));
            }
            talk.told(&text, Face::List)
        }
    };
    out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
    Ok(Exit::Fine)
}

/// Nothing is asked about.
#[derive(Debug, thiserror::Error)]
#[error("the path is empty")]
struct EmptyPath;

impl Hint for EmptyPath {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(
            "name one, such as `secret/data/prod/db`, or a mount: `secret/`",
        ))
    }
}
