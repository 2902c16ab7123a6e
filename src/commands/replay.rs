//! `replay`: every logged request decided again under given policies.

use super::holders::Holding;
use super::resolve::Meant;
use super::{Exit, Failure, Talk, holders};
use crate::access::{AccessSet, Joined};
use crate::cli::{ReplayArgs, TextOrJson};
use crate::hint::Hint;
use crate::index::IndexVec;
use crate::policy::replay::{Asked, replay};
use crate::report::ink::Face;
use crate::report::{self, escape};
use crate::vault::PolicyId;
use crate::vault::PrincipalKind;
use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;

/// Decides again and tells what differs.
pub(super) fn run(args: &ReplayArgs, meant: Meant, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    if !args.reading.is_given() {
        return Err(NothingToReplay.into());
    }
    let profile = meant.profile;
    let holding = Holding::of(&args.granting, &args.reading, &meant, talk)?;
    let (joined, _) = holders::joined(&holding, talk)?;
    let held = held(&joined);
    let found = replay(profile, joined.policies.as_slice(), asked(&joined, &held));
    let text = match args.format {
        TextOrJson::Json => {
            let mut value = serde_json::to_value(&found)?;
            if let Some(object) = value.as_object_mut() {
                object.insert("server".to_owned(), profile.to_string().into());
                if let Some(text) = found.conformance(profile) {
                    object.insert("conformance".to_owned(), text.into());
                }
            }
            format!("{value}\n")
        }
        TextOrJson::Text => talk.told(
            &escape::visible_lines(&report::replay::text(&found, profile)),
            Face::List,
        ),
    };
    out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
    Ok(Exit::Fine)
}

/// The policies of every set in force, those that were not read as well.
fn held(joined: &Joined) -> IndexVec<AccessSet, Vec<PolicyId>> {
    let of_set = |set: &AccessSet| {
        let read = set.policies.iter().map(|&p| joined.policies[p].id());
        read.chain(set.missing.iter().cloned()).collect()
    };
    joined.sets.map(of_set)
}

fn asked<'a>(joined: &'a Joined, held: &'a IndexVec<AccessSet, Vec<PolicyId>>) -> impl Iterator<Item = Asked<'a>> {
    joined.demands.iter().map(|d| {
        let holder = &joined.holders[d.holder];
        Asked {
            principal: Arc::from(holder.display()),
            unauthenticated: holder.principal.kind == PrincipalKind::Unauthenticated,
            policies: &held[d.set],
            root: d.demand.held.is_root(),
            identity: &holder.identity,
            namespace: &d.demand.namespace,
            path: &d.demand.path,
            mount_type: &d.demand.mount_type,
            capability: d.demand.capability,
            allowed: d.demand.allowed,
            denied: d.demand.denied,
        }
    })
}

/// There are no requests.
#[derive(Debug, thiserror::Error)]
#[error("nothing to replay: neither `--logs` nor `--usage` is given")]
struct NothingToReplay;

impl Hint for NothingToReplay {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("name audit logs: `--logs audit.log`"))
    }
}
