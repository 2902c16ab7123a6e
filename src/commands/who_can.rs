//! `who-can`: everybody who reaches a path, and through what.

use super::{Exit, Failure, Talk, holders};
use crate::access::Joined;
use crate::cli::{Common, TextOrJson, WhoCanArgs};
use crate::deployment::Deployment;
use crate::policy::explain::value_path;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::template::Identity;
use crate::policy::who_can::{Extent, Holder, Reach, Target, Through, who_can};
use crate::report::ink::Face;
use crate::report::{digest, escape};
use crate::vault::{PrincipalKind, path};
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

/// Asks everybody.
pub(super) fn run(
    args: &WhoCanArgs,
    common: &Common,
    profile: Profile,
    out: &mut dyn Write,
    talk: &Talk,
) -> Result<Exit, Failure> {
    if args.path.trim().is_empty() {
        return Err(Failure::new(
            "the path is empty",
            Some("name one, such as `secret/data/prod/db`, or a mount: `secret/`"),
        ));
    }
    let (joined, deployment) = holders::joined(&args.granting, &args.reading, common, profile, talk)?;
    let typed = holders::path_meant(&args.path, talk);
    let mounts = holders::mounts(deployment.as_ref());
    let mount = holders::mount_of(&mounts, typed);
    let right = value_path(typed, mount.and_then(holders::kv));
    let path = match &right {
        Some((right, true)) if !typed.ends_with('/') => {
            talk.note(&format!(
                "asked for `{}`: the mount is KV version 2, and its values are below `data/`",
                escape::terminal(right)
            ));
            right.as_str()
        }
        Some((right, false)) if names_below(&joined, right) => {
            talk.note(&format!(
                "did you mean `{}`? That is the path if the mount is KV version 2",
                escape::terminal(right)
            ));
            typed
        }
        _ => typed,
    };
    let target =
        Target::parse(path).map_err(|e| Failure::from_error(&e, Some("a pattern is written as in a policy")))?;
    let root = Policy::root();
    let everybody = everybody(&joined, deployment.as_ref(), &root);
    let names: Vec<String> = joined.unread().map(|(policy, _)| format!("`{policy}`")).collect();
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
            let json = serde_json::to_string_pretty(&document).map_err(|e| Failure::from_error(&e, None))?;
            format!("{json}\n")
        }
        TextOrJson::Text => {
            let mut text = text(path, &reached, matches!(target, Target::Below(_)));
            if let Some(note) = profile.note() {
                text.push_str(&format!("\n{note}\n"));
            }
            talk.told(&text, Face::List)
        }
    };
    out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
    Ok(Exit::Fine)
}

/// Whether a policy names `data/` below the mount of this path.
fn names_below(joined: &Joined, value_path: &str) -> bool {
    let Some(end) = value_path.find("/data/") else {
        return false;
    };
    let start = value_path.get(..end + "/data/".len()).unwrap_or(value_path);
    let stanzas = joined
        .policies
        .iter()
        .flat_map(|p| p.stanzas.iter().map(move |s| (p, s)));
    stanzas
        .map(|(policy, stanza)| format!("{}{}", policy.namespace, path::clean(&stanza.path)))
        .any(|path| path.starts_with(start))
}

/// Principals, then what hands out policies, then the policies themselves.
fn everybody<'p>(joined: &'p Joined, deployment: Option<&Deployment>, root: &'p Policy) -> Vec<Holder<'p>> {
    let mut all = Vec::new();
    for (h, holder) in joined.holders.numbered() {
        if holder.principal.kind == PrincipalKind::Unauthenticated {
            continue;
        }
        let mut policies = joined.policies.listed(&joined.current_set(h).policies);
        if holders::is_root(joined, h) && policies.iter().all(|p| !p.is_root()) {
            policies.push(root);
        }
        all.push(Holder {
            kind: Arc::from(if holder.is_active() {
                "principal"
            } else {
                "principal (never seen)"
            }),
            name: Arc::from(holder.display()),
            policies,
            identity: holder.identity.clone(),
        });
    }
    // The policies of a role or a group are those of its own namespace.
    let named = |namespace: &str, names: &[String]| -> Vec<&'p Policy> {
        let of = |name: &String| {
            let mut read = joined.policies.iter();
            read.find(|p| *p.namespace == *namespace && *p.name == **name)
        };
        names.iter().filter_map(of).collect()
    };
    for role in deployment.into_iter().flat_map(|d| &d.roles) {
        all.push(Holder {
            kind: Arc::from(format!("{} {}", role.kind, role.item)),
            name: Arc::from(format!("{}{}{}", role.namespace, role.mount, role.name)),
            policies: {
                let mut names = role.policies.clone();
                if !role.no_default_policy && role.kind != "token" && names.iter().all(|n| n != "default") {
                    names.push("default".to_owned());
                }
                named(&role.namespace, &names)
            },
            identity: Identity::default(),
        });
    }
    for group in deployment.into_iter().flat_map(|d| &d.groups) {
        all.push(Holder {
            kind: Arc::from("group"),
            name: Arc::from(format!("{}{}", group.namespace, group.name)),
            policies: named(&group.namespace, &group.policies),
            identity: Identity::default(),
        });
    }
    for policy in &joined.policies {
        all.push(Holder {
            kind: Arc::from("policy"),
            name: Arc::from(format!("{}{}", policy.namespace, policy.name)),
            policies: vec![policy],
            identity: Identity::default(),
        });
    }
    all
}

/// So many of each kind, in words.
fn counted(kinds: &[&str]) -> String {
    let many = |is: &dyn Fn(&str) -> bool| kinds.iter().filter(|kind| is(kind)).count() as u64;
    let is_principal = |kind: &str| kind.starts_with("principal");
    let parts = [
        (many(&is_principal), "principal", "principals"),
        (
            many(&|kind| !is_principal(kind) && !matches!(kind, "group" | "policy")),
            "role or user",
            "roles and users",
        ),
        (many(&|kind| kind == "group"), "group", "groups"),
        (many(&|kind| kind == "policy"), "policy", "policies"),
    ];
    let told: Vec<String> = parts
        .into_iter()
        .filter(|(many, ..)| *many > 0)
        .map(|(many, one, several)| digest::count(many, one, several))
        .collect();
    match told.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => told.concat(),
    }
}

fn text(path: &str, reached: &[Reach], below: bool) -> String {
    let mut out = String::new();
    let shown = escape::terminal(path);
    if reached.is_empty() {
        // Writing into a string cannot fail.
        let what = if below { "anything of " } else { "" };
        let _ = writeln!(out, "nobody known reaches {what}`{shown}`");
        return out;
    }
    let what = if below { "something of " } else { "" };
    let does = if reached.len() == 1 { "reaches" } else { "reach" };
    let kinds: Vec<&str> = reached.iter().map(|reach| &*reach.kind).collect();
    let _ = writeln!(out, "{} {does} {what}`{shown}`:", counted(&kinds));
    let mut reasons = Reasons::default();
    let mut kind = "";
    for reach in reached {
        if *reach.kind != *kind {
            kind = &reach.kind;
            let _ = writeln!(out, "\n{kind}");
        }
        let name = escape::terminal(&reach.name);
        let extent = match reach.extent {
            None => "",
            Some(Extent::All) => " on all of it",
            Some(Extent::Part) => " on a part",
        };
        if reach.root {
            let _ = writeln!(out, "  {name}: everything (root)");
            continue;
        }
        let mut parts = reasons.parts(&reach.through);
        if parts.is_empty() {
            parts.push("nothing for certain".to_owned());
        }
        let _ = write!(out, "  {name}: {}{extent}", parts.join("; "));
        if !reach.maybe.is_empty() {
            let _ = write!(
                out,
                "; maybe {}, by its template",
                reasons.parts(&reach.maybe).join("; ")
            );
        }
        let _ = writeln!(out);
    }
    if !reasons.all.is_empty() {
        let _ = writeln!(out, "\nthrough");
    }
    for (n, through) in (1..).zip(&reasons.all) {
        let maybe = if through.constrained { ", under constraints" } else { "" };
        let _ = writeln!(
            out,
            "  [{n}] `{}` of policy {} ({}){maybe}",
            escape::terminal(&through.pattern),
            escape::terminal(&through.policy),
            escape::terminal(&through.origin)
        );
    }
    out
}

/// The stanzas that let somebody, each told once and then by its number.
#[derive(Default)]
struct Reasons<'r> {
    all: Vec<&'r Through>,
}

impl<'r> Reasons<'r> {
    /// What each set of capabilities comes through: `read, list [1] [2]`.
    fn parts(&mut self, through: &'r [Through]) -> Vec<String> {
        let mut by_capabilities: Vec<(&[&str], Vec<usize>)> = Vec::new();
        for one in through {
            let same = |t: &&Through| (&t.origin, &t.pattern, &t.policy) == (&one.origin, &one.pattern, &one.policy);
            let number = self.all.iter().position(same).unwrap_or_else(|| {
                self.all.push(one);
                self.all.len() - 1
            });
            match by_capabilities.iter_mut().find(|(c, _)| *c == one.capabilities) {
                Some((_, numbers)) => numbers.push(number + 1),
                None => by_capabilities.push((&one.capabilities, vec![number + 1])),
            }
        }
        let part = |(capabilities, numbers): (&[&str], Vec<usize>)| {
            let numbers: Vec<String> = numbers.iter().map(|n| format!("[{n}]")).collect();
            format!("{} {}", capabilities.join(", "), numbers.join(" "))
        };
        by_capabilities.into_iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reaches_is_counted_by_kind() {
        assert_eq!(counted(&["policy"]), "1 policy");
        assert_eq!(
            counted(&[
                "principal",
                "principal (never seen)",
                "approle role",
                "policy",
                "policy"
            ]),
            "2 principals, 1 role or user and 2 policies"
        );
    }
}
