//! Who holds what, for the commands that ask about people: from usage, from the deployment, or both.

use super::resolve::{Grants, Meant, Source};
use super::{Failure, Talk, material};
use crate::access::{self, Inputs, Joined};
use crate::cli::{Granting, Reading};
use crate::deployment::Deployment;
use crate::ingest;
use crate::usage::Facts;
use crate::vault::path;
use jiff::Timestamp;
use std::path::PathBuf;

/// What tells who holds what.
#[derive(Clone)]
pub(super) struct Holding {
    pub(super) grants: Grants,
    /// Whether a policy that can't be used ends the run.
    pub(super) strict: bool,
    pub(super) deployment: Option<PathBuf>,
    /// Without it only the deployment tells of holders.
    pub(super) usage: Option<Source>,
}

impl Holding {
    /// What the flags name.
    pub(super) fn of(granting: &Granting, reading: &Reading, meant: &Meant, talk: &Talk) -> Result<Self, Failure> {
        Ok(Self {
            grants: meant.granted(granting),
            strict: reading.strict,
            deployment: granting.deployment.clone(),
            usage: Source::if_named(reading, talk)?,
        })
    }

    /// The same of one time.
    pub(super) fn during(&self, since: Timestamp, until: Option<Timestamp>) -> Self {
        let of_time = |source: &Source| Source {
            options: ingest::Options {
                since: Some(since),
                until,
                window: None,
                ..source.options.clone()
            },
            ..source.clone()
        };
        Self {
            usage: self.usage.as_ref().map(of_time),
            ..self.clone()
        }
    }
}

/// Policies, deployment and usage, joined.
pub(super) fn joined(holding: &Holding, talk: &Talk) -> Result<(Joined, Option<Deployment>), Failure> {
    let mut granted = material::policies(&holding.grants, holding.strict, talk)?;
    let deployment = material::deployment(holding.deployment.as_deref())?;
    let facts = match &holding.usage {
        None => {
            granted.meant(None, deployment.as_ref(), talk);
            Facts::default()
        }
        Some(source) => {
            let usage = material::usage(source, talk)?;
            material::not_empty(&usage)?;
            granted.meant(Some(&usage), deployment.as_ref(), talk);
            Facts::from(&usage)
        }
    };
    let joined = access::join(Inputs {
        facts,
        policies: granted.policies,
        deployment: deployment.as_ref(),
        profile: holding.grants.profile,
        now: Some(Timestamp::now().as_second()),
    });
    Ok((joined, deployment))
}

/// The path that was meant, and a word about it where it was typed as an address of the API.
pub(super) fn path_meant<'t>(typed: &'t str, talk: &Talk) -> &'t str {
    let (meant, otherwise) = path::as_typed(typed);
    if otherwise {
        talk.note(&format!(
            "asked for `{}`: `v1/`, and what stands behind a `?`, belong to the address of the API, and not to the path",
            crate::report::escape::terminal(meant)
        ));
    }
    meant
}
