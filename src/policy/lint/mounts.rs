//! Which engine a path is of: as the deployment says, else as its name or the policies' paths tell.

use super::Context;
use super::single::KV2_PARTS;
use crate::policy::model::Policy;
use crate::vault::path;
use std::collections::HashSet;

/// Mounts that are KV version 2 by custom.
const KV2_BY_NAME: [&str; 5] = ["secret", "kv", "kv2", "kv-v2", "kvv2"];
/// Mounts that are something else by custom.
const NOT_KV2: [&str; 4] = ["kv1", "kv-v1", "kvv1", "generic"];
/// Engines that are told by the name of their mount.
const BY_NAME: [&str; 6] = ["transit", "pki", "database", "ssh", "totp", "identity"];
/// Auth methods that are told by the name of their mount.
const AUTH_BY_NAME: [&str; 4] = ["approle", "userpass", "kubernetes", "jwt"];

/// What is known of mounts.
pub(super) struct Mounts<'c> {
    context: &'c Context,
    /// Namespace and first segment of the paths that name `data/` below it.
    with_data: HashSet<(String, String)>,
}

/// Where a path lies.
pub(super) struct Place<'c> {
    /// `kv2`, `transit`, `system`, ...
    pub kind: &'c str,
    /// The mount's path, as policies of this namespace have it, with its last slash.
    pub mount: String,
    /// What follows it.
    pub rest: String,
    /// Whether the deployment says so.
    pub known: bool,
}

impl<'c> Mounts<'c> {
    pub(super) fn new(policies: &[Policy], context: &'c Context) -> Self {
        let mut with_data = HashSet::new();
        let mut with_others = HashSet::new();
        for policy in policies {
            for stanza in &policy.stanzas {
                let mut segments = path::clean(&stanza.path).splitn(3, '/');
                let (Some(mount), Some(part)) = (segments.next(), segments.next()) else {
                    continue;
                };
                if matches!(mount, "" | "sys" | "auth" | "identity" | "cubbyhole" | "+") || NOT_KV2.contains(&mount) {
                    continue;
                }
                let place = (policy.namespace.to_string(), mount.to_owned());
                if part == "data" && segments.next().is_some() {
                    with_data.insert(place);
                } else if !KV2_PARTS.contains(&part) && !part.contains(['*', '+', '{']) && !part.is_empty() {
                    with_others.insert(place);
                }
            }
        }
        // Where anything else stands behind the mount, `data` is a folder of somebody's.
        with_data.retain(|place| !with_others.contains(place));
        Self { context, with_data }
    }

    /// The engine of a stanza's path, where it can be told.
    pub(super) fn of(&self, policy: &Policy, stanza: &str) -> Option<Place<'c>> {
        let path = path::clean(stanza);
        let full = format!("{}{path}", policy.namespace);
        let deployed = self
            .context
            .mounts
            .iter()
            .filter(|m| full.starts_with(&m.path))
            .max_by_key(|m| m.path.len());
        if let Some(mount) = deployed {
            let rest = full.get(mount.path.len()..)?;
            let kind = match (mount.kind.as_str(), mount.kv_version) {
                ("kv" | "generic", Some(2)) => "kv2",
                ("kv" | "generic", _) => "kv1",
                (kind, _) => kind,
            };
            return Some(Place {
                kind,
                mount: mount
                    .path
                    .strip_prefix(&*policy.namespace)
                    .unwrap_or(&mount.path)
                    .to_owned(),
                rest: rest.to_owned(),
                known: true,
            });
        }
        let (kind, depth) = self.by_name(policy, path)?;
        let at = path.match_indices('/').nth(depth - 1)?.0 + 1;
        let (mount, rest) = path.split_at_checked(at)?;
        Some(Place {
            kind,
            mount: mount.to_owned(),
            rest: rest.to_owned(),
            known: false,
        })
    }

    /// The engine that the path's first segments tell of, and how many segments its mount has.
    fn by_name(&self, policy: &Policy, path: &str) -> Option<(&'static str, usize)> {
        let mut segments = path.split('/');
        let first = segments.next()?;
        let named = |names: &[&'static str], word: &str| names.iter().find(|n| **n == word).copied();
        match first {
            "sys" => Some(("system", 1)),
            "auth" => match segments.next()? {
                "token" => Some(("token", 2)),
                method => named(&AUTH_BY_NAME, method).map(|kind| (kind, 2)),
            },
            _ => named(&BY_NAME, first).map(|kind| (kind, 1)).or_else(|| {
                let data = self
                    .with_data
                    .contains(&(policy.namespace.to_string(), first.to_owned()));
                (data || KV2_BY_NAME.contains(&first)).then_some(("kv2", 1))
            }),
        }
    }
}
