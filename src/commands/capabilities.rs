//! `capabilities`: all that somebody may do, pattern by pattern, or as one policy.

use super::asker::{Asker, Known};
use super::holders::Holding;
use super::resolve::Meant;
use super::{Exit, Failure, Talk, holders};
use crate::access::{Joined, StanzaId};
use crate::cli::{CapabilitiesArgs, TextOrJson};
use crate::hint::Hint;
use crate::policy::acl::Acl;
use crate::policy::effective;
use crate::policy::model::Policy;
use crate::policy::pattern::{Pattern, PatternError};
use crate::policy::who_can::Target;
use crate::report::capabilities::{self as report, Uses};
use crate::report::ink::Face;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::io::Write;

/// Looks and tells.
pub(super) fn run(args: &CapabilitiesArgs, meant: Meant, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let profile = meant.profile;
    let typed = holders::path_meant(args.path.as_deref().unwrap_or_default(), talk);
    let below = below(typed)?;
    let holding = Holding::of(&args.granting, &args.reading, &meant, talk)?;
    let (joined, deployment) = holders::joined(&holding, talk)?;
    let root = Policy::root();
    let known = Known {
        joined: &joined,
        deployment: deployment.as_ref(),
        root: &root,
    };
    let asker = known.asker(&args.asking, typed, talk)?;
    let acl = Acl::compile(profile, &asker.policies, &asker.identity, joined.now);
    let uses = holding.usage.is_some().then(|| uses(&joined, &asker, &acl));
    let rows = effective::rows(&acl, below.as_ref());
    let text = if args.hcl {
        if acl.is_root() {
            return Err(CapabilitiesError::Root(asker.name).into());
        }
        report::hcl(&asker.name, &acl, below.as_ref(), uses.as_ref(), profile)
    } else {
        match args.format {
            TextOrJson::Text => {
                let text = report::text(&asker.name, &acl, &rows, uses.as_ref(), profile);
                talk.told(&text, Face::List)
            }
            TextOrJson::Json => {
                let rows: Vec<Value> = rows.iter().map(|row| report::json(row, uses.as_ref())).collect();
                let document = json!({
                    "version": 1,
                    "server": profile.to_string(),
                    "asker": asker.name,
                    "root": acl.is_root(),
                    "rows": rows,
                });
                format!("{document}\n")
            }
        }
    };
    out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
    Ok(Exit::Fine)
}

/// What the prefix, or pattern, matches; none for everything.
fn below(typed: &str) -> Result<Option<Pattern>, CapabilitiesError> {
    if typed.is_empty() {
        return Ok(None);
    }
    let target = Target::parse(typed).map_err(CapabilitiesError::Path)?;
    Ok(Some(match target {
        Target::Below(pattern) => pattern,
        Target::Path(path) => Pattern {
            text: path.into(),
            prefix: true,
            segment_wildcards: false,
        },
    }))
}

/// By rule: of a principal its own use, of policies anybody's.
fn uses(joined: &Joined, asker: &Asker<'_>, acl: &Acl) -> Uses {
    let mut found = Uses::new();
    let mut add = |rule: usize, requests: u64, last: Option<Timestamp>| {
        let place = found.entry(rule).or_default();
        place.requests += requests;
        place.last = place.last.max(last);
    };
    if let Some(holder) = asker.holder {
        for demand in joined.demands.iter().filter(|d| d.holder == holder && d.was_allowed()) {
            if let Some(id) = acl.winner(demand.operation(), &demand.path) {
                add(id.index(), demand.demand.allowed, demand.demand.last_seen);
            }
        }
        return found;
    }
    let number = |policy: &Policy| joined.policies.position(|p| std::ptr::eq(p, policy));
    for (id, rule) in acl.rules_with_ids() {
        for source in &rule.sources {
            let stanza: Option<StanzaId> = asker
                .policies
                .get(source.policy)
                .and_then(|policy| joined.policies.stanza(number(policy)?, source.stanza));
            for used in stanza
                .and_then(|id| joined.uses.get(&id))
                .into_iter()
                .flat_map(|by| by.values())
            {
                add(id.index(), used.requests, used.last);
            }
        }
    }
    found
}

/// Why capabilities cannot be told as asked.
#[derive(Debug, thiserror::Error)]
enum CapabilitiesError {
    /// Where.
    #[error(transparent)]
    Path(PatternError),
    /// All of them, as one policy.
    #[error("`{0}` holds the root policy, which no text can say")]
    Root(String),
}

impl Hint for CapabilitiesError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Path(..) => Some(Cow::Borrowed("`--path` is a prefix, or a pattern")),
            Self::Root(..) => Some(Cow::Borrowed("leave `--hcl` out")),
        }
    }
}
