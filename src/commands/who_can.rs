//! `who-can`: everybody who reaches a path, and through what.

use super::{Exit, Failure, Talk, holders};
use crate::access::Joined;
use crate::cli::{TextOrJson, WhoCanArgs};
use crate::deployment::Deployment;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::template::Identity;
use crate::policy::who_can::{Holder, Reach, who_can};
use crate::report::escape;
use crate::vault::{Capability, PrincipalKind};
use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

/// Asks everybody.
pub(super) fn run(args: &WhoCanArgs, profile: Profile, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let capability = args
        .capability
        .as_deref()
        .map(str::parse::<Capability>)
        .transpose()
        .map_err(|e| Failure::from_error(&e, Some("use create, read, update, patch, delete, list, scan or sudo")))?;
    if args.path.trim().is_empty() {
        return Err(Failure::new(
            "the path is empty",
            Some("name one, such as `secret/data/prod/db`"),
        ));
    }
    let (joined, deployment) = holders::joined(&args.granting, &args.reading, profile, talk)?;
    let everybody = everybody(&joined, deployment.as_ref());
    let reached = who_can(profile, &args.path, capability, &everybody);
    let text = match args.format {
        TextOrJson::Json => {
            let json = serde_json::to_string_pretty(&reached).map_err(|e| Failure::from_error(&e, None))?;
            format!("{json}\n")
        }
        TextOrJson::Text => text(&args.path, &reached),
    };
    out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
    Ok(Exit::Fine)
}

/// Principals, then what hands out policies, then the policies themselves.
fn everybody<'p>(joined: &'p Joined, deployment: Option<&Deployment>) -> Vec<Holder<'p>> {
    let mut all = Vec::new();
    for (h, holder) in joined.holders.iter().enumerate() {
        let Some(set) = joined.current_set(h) else { continue };
        if holder.principal.kind == PrincipalKind::Unauthenticated {
            continue;
        }
        all.push(Holder {
            kind: Arc::from(if holder.is_active() {
                "principal"
            } else {
                "principal (never seen)"
            }),
            name: Arc::from(holder.display()),
            policies: set.policies.iter().filter_map(|&p| joined.policies.get(p)).collect(),
            identity: holder.identity.clone(),
        });
    }
    let named = |names: &[String]| -> Vec<&'p Policy> {
        names
            .iter()
            .filter_map(|n| joined.policies.iter().find(|p| *p.name == **n))
            .collect()
    };
    for role in deployment.into_iter().flat_map(|d| &d.roles) {
        all.push(Holder {
            kind: Arc::from(format!("{} {}", role.kind, role.item)),
            name: Arc::from(format!("{}{}{}", role.namespace, role.mount, role.name)),
            policies: named(&role.policies),
            identity: Identity::default(),
        });
    }
    for group in deployment.into_iter().flat_map(|d| &d.groups) {
        all.push(Holder {
            kind: Arc::from("group"),
            name: Arc::from(format!("{}{}", group.namespace, group.name)),
            policies: named(&group.policies),
            identity: Identity::default(),
        });
    }
    for policy in &joined.policies {
        all.push(Holder {
            kind: Arc::from("policy"),
            name: policy.name.clone(),
            policies: vec![policy],
            identity: Identity::default(),
        });
    }
    all
}

fn text(path: &str, reached: &[Reach]) -> String {
    let mut out = String::new();
    let shown = escape::terminal(path);
    if reached.is_empty() {
        // Writing into a string cannot fail.
        let _ = writeln!(out, "nobody known reaches `{shown}`");
        return out;
    }
    let _ = writeln!(out, "{} reach `{shown}`:", reached.len());
    let mut kind = "";
    for reach in reached {
        if *reach.kind != *kind {
            kind = &reach.kind;
            let _ = writeln!(out, "\n{kind}");
        }
        let what = if reach.root {
            "everything (root)".to_owned()
        } else {
            reach.capabilities.join(", ")
        };
        let _ = writeln!(out, "  {}: {what}", escape::terminal(&reach.name));
        for through in &reach.through {
            let maybe = if through.constrained { ", under constraints" } else { "" };
            let _ = writeln!(
                out,
                "      {} through `{}` in {} ({}){maybe}",
                through.capabilities.join(", "),
                escape::terminal(&through.pattern),
                escape::terminal(&through.policy),
                escape::terminal(&through.origin)
            );
        }
    }
    out
}
