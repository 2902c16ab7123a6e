//! Warnings that one stanza, or one policy, shows by itself.

use super::Context;
use super::warning::{Severity, Warning};
use crate::policy::model::{Policy, Stanza};
use crate::policy::pattern::Pattern;
use crate::policy::relation;
use crate::vault::{Capability, protected};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

/// `*` that is not the last character: it matches only itself.
pub(super) const GLOB_IN_MIDDLE: &str = "glob-in-middle";
/// `+*`: the parser refuses it.
pub(super) const PLUS_GLOB: &str = "plus-glob";
/// `+` that is not a whole segment.
pub(super) const PLUS_IN_SEGMENT: &str = "plus-in-segment";
/// A key that comes twice in a stanza.
pub(super) const DUPLICATE_KEY: &str = "duplicate-key";
/// A path that comes twice in a policy.
pub(super) const REPEATED_PATH: &str = "repeated-path";
/// `policy = "..."`.
pub(super) const LEGACY_POLICY: &str = "legacy-policy";
/// `sudo` on a path that no server protects.
pub(super) const SUDO_WITHOUT_EFFECT: &str = "sudo-without-effect";
/// A path on a KV version 2 mount without `data/` or its like.
pub(super) const KV2_WITHOUT_DATA: &str = "kv2-without-data";
/// `deny` beside other capabilities.
pub(super) const DENY_WITH_OTHERS: &str = "deny-with-others";
/// A stanza that matches and grants nothing.
pub(super) const EMPTY_CAPABILITIES: &str = "empty-capabilities";
/// A template that nothing can fill.
pub(super) const UNKNOWN_TEMPLATE: &str = "unknown-template";

pub(super) fn check(policies: &[Policy], context: &Context, warnings: &mut Vec<Warning>) {
    let kv2 = kv2_mounts(policies);
    for policy in policies {
        let mut first: HashMap<&str, &Stanza> = HashMap::new();
        for stanza in &policy.stanzas {
            let mut report = |id, severity, message: String, hint: Option<String>| {
                warnings.push(Warning::about(id, severity, policy, stanza, message, hint));
            };
            wildcards(stanza, &mut report);
            capabilities(policy, stanza, &mut report);
            templates(stanza, &mut report);
            let known = context
                .mounts
                .iter()
                .filter(|mount| mount.kv_version == Some(2))
                .filter_map(|mount| mount.path.strip_prefix(&*policy.namespace));
            kv_version_2(stanza, kv2.get(&policy.namespace), known, &mut report);
            let path = stanza.bare_path();
            if let Some(earlier) = first.get(path) {
                report(
                    REPEATED_PATH,
                    Severity::Note,
                    format!(
                        "path `{path}` stands in line {} already: both count as one",
                        earlier.origin.line
                    ),
                    Some("put them into one block".to_owned()),
                );
            } else {
                first.insert(path, stanza);
            }
            keys(policy, stanza, warnings);
        }
    }
}

type Report<'a> = dyn FnMut(&'static str, Severity, String, Option<String>) + 'a;

fn wildcards(stanza: &Stanza, report: &mut Report<'_>) {
    let path = stanza.bare_path();
    let before_last = path.strip_suffix('*').unwrap_or(path);
    if before_last.contains('*') {
        report(
            GLOB_IN_MIDDLE,
            Severity::Warning,
            format!("`*` in the middle of path `{path}` matches only the character `*`"),
            Some(instead_of_stars(path)),
        );
    }
    if path.split('/').any(|segment| segment.contains('+') && segment != "+") {
        report(
            PLUS_IN_SEGMENT,
            Severity::Warning,
            format!("`+` inside of a segment of path `{path}` matches only the character `+`"),
            Some("`+` is a wildcard only as a whole segment: `a/+/b`".to_owned()),
        );
    }
}

/// What to write for a path with `*` before its end.
fn instead_of_stars(path: &str) -> String {
    let mut segments: Vec<&str> = path.split('/').collect();
    let last = segments.pop().unwrap_or_default();
    let whole = segments.iter().all(|s| *s == "*" || !s.contains('*'));
    let plus: Vec<&str> = segments.iter().map(|s| if *s == "*" { "+" } else { *s }).collect();
    let before = plus.iter().fold(String::new(), |all, s| all + s + "/");
    match last.trim_end_matches('*') {
        // `**` is `*`: it matches any rest, slashes too.
        rest if whole && !rest.contains('*') && last.len() > rest.len() + 1 => {
            format!("one `*` at the end matches any rest, slashes included: `{before}{rest}*`")
        }
        _ if whole && !last.trim_end_matches('*').contains('*') => {
            format!("`+` matches one segment: `{before}{last}`")
        }
        _ => "`*` is a wildcard only as the last character; `+` matches one whole segment".to_owned(),
    }
}

fn capabilities(policy: &Policy, stanza: &Stanza, report: &mut Report<'_>) {
    let path = &stanza.path;
    if stanza.capabilities.is_empty() {
        report(
            EMPTY_CAPABILITIES,
            Severity::Warning,
            format!("path `{path}` matches and grants nothing, also where a wider path would"),
            Some("say `deny` if that is meant, else name the capabilities or leave the block out".to_owned()),
        );
    }
    let words = stanza
        .capabilities_span
        .clone()
        .and_then(|span| policy.source.get(span))
        .map_or(0, |list| list.matches('"').count() / 2);
    if stanza.capabilities == [Capability::Deny] && words > 1 {
        report(
            DENY_WITH_OTHERS,
            Severity::Warning,
            format!("`deny` of path `{path}` takes away the capabilities beside it"),
            Some("leave `deny` out, or the others".to_owned()),
        );
    }
    if stanza.capabilities.contains(&Capability::Sudo) && !stanza.templated && !sudo_matters(path) {
        report(
            SUDO_WITHOUT_EFFECT,
            Severity::Warning,
            format!("no path that `{path}` matches needs `sudo`"),
            Some(
                "leave `sudo` out; it is asked for on a few paths under `sys/`, `auth/token/` and PKI mounts only"
                    .to_owned(),
            ),
        );
    }
}

/// The protected paths as patterns: below their own mounts, or for other engines below a mount of one to three segments.
static PROTECTED: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let mut paths = vec!["auth/token/create*".to_owned()];
    for (kind, path) in protected::sudo_paths() {
        match kind {
            "system" => paths.push(format!("sys/{path}")),
            "token" => paths.push(format!("auth/token/{path}")),
            _ => paths.extend(["+/", "+/+/", "+/+/+/"].map(|mount| format!("{mount}{path}"))),
        }
    }
    paths.iter().filter_map(|path| Pattern::parse(path, "").ok()).collect()
});

/// Whether `sudo` on this path can make a difference; also in a namespace that the path names in front.
pub(super) fn sudo_matters(path: &str) -> bool {
    let path = path.strip_prefix('/').unwrap_or(path);
    let from_mount = ["sys/", "auth/token/"]
        .iter()
        .filter_map(|mount| path.match_indices(mount).next().map(|(at, _)| at))
        .filter(|at| *at == 0 || path.get(..*at).is_some_and(|before| before.ends_with('/')))
        .min()
        .unwrap_or(0);
    [path, path.get(from_mount..).unwrap_or(path)]
        .iter()
        .filter_map(|path| Pattern::parse(path, "").ok())
        .any(|pattern| {
            PROTECTED
                .iter()
                .any(|protected| !relation::disjoint(&pattern, protected))
        })
}

fn templates(stanza: &Stanza, report: &mut Report<'_>) {
    if !stanza.templated {
        return;
    }
    for piece in stanza.path.split("{{").skip(1) {
        let inside = piece.split("}}").next().unwrap_or("").trim();
        if !known_template(inside) {
            report(
                UNKNOWN_TEMPLATE,
                Severity::Warning,
                format!("nothing can fill `{{{{{inside}}}}}`: the path never matches"),
                Some("templates begin with `identity.entity.` or `identity.groups.`".to_owned()),
            );
            return;
        }
    }
}

fn known_template(inside: &str) -> bool {
    if let Some(entity) = inside.strip_prefix("identity.entity.") {
        let alias = entity
            .strip_prefix("aliases.")
            .and_then(|rest| rest.split_once('.'))
            .map(|(_, rest)| rest);
        return match alias {
            Some(of_alias) => {
                matches!(of_alias, "id" | "name")
                    || of_alias.starts_with("metadata.")
                    || of_alias.starts_with("custom_metadata.")
            }
            None => matches!(entity, "id" | "name") || entity.starts_with("metadata."),
        };
    }
    if let Some(rest) = inside.strip_prefix("identity.groups.") {
        let of_group = rest
            .strip_prefix("ids.")
            .or_else(|| rest.strip_prefix("names."))
            .and_then(|rest| rest.split_once('.'))
            .map(|(_, rest)| rest);
        return of_group.is_some_and(|of| matches!(of, "id" | "name") || of.starts_with("metadata."));
    }
    inside.starts_with("time.")
}

/// The second segments of KV version 2.
pub(super) const KV2_PARTS: [&str; 8] = [
    "data", "metadata", "delete", "undelete", "destroy", "subkeys", "config", "options",
];

/// Mounts that are KV version 2 by custom, told by `data/` alone.
const KV2_BY_NAME: [&str; 5] = ["secret", "kv", "kv2", "kv-v2", "kvv2"];

/// The KV version 2 mounts by namespace, as far as paths tell: those below which they name `data/` and `metadata/`.
fn kv2_mounts(policies: &[Policy]) -> BTreeMap<Arc<str>, BTreeSet<String>> {
    let mut parts: BTreeMap<(Arc<str>, &str), (bool, bool)> = BTreeMap::new();
    let mut mounts: BTreeMap<Arc<str>, BTreeSet<String>> = BTreeMap::new();
    for policy in policies {
        for stanza in &policy.stanzas {
            let mut segments = stanza.bare_path().splitn(3, '/');
            if let (Some(mount), Some(part), Some(_)) = (segments.next(), segments.next(), segments.next())
                && !matches!(mount, "" | "sys" | "auth" | "identity" | "cubbyhole" | "+")
            {
                let seen = parts.entry((Arc::clone(&policy.namespace), mount)).or_default();
                seen.0 |= part == "data";
                seen.1 |= part == "metadata";
            }
        }
    }
    for ((namespace, mount), (data, metadata)) in parts {
        if data && (metadata || KV2_BY_NAME.contains(&mount)) {
            mounts.entry(namespace).or_default().insert(mount.to_owned());
        }
    }
    mounts
}

fn kv_version_2<'k>(
    stanza: &Stanza,
    mounts: Option<&BTreeSet<String>>,
    mut known: impl Iterator<Item = &'k str>,
    report: &mut Report<'_>,
) {
    let path = stanza.bare_path();
    let guessed = path
        .split_once('/')
        .and_then(|(mount, _)| mounts.and_then(|mounts| mounts.get(mount)));
    let known = known.find(|mount| path.starts_with(mount));
    let Some(mount) = known
        .map(|mount| mount.trim_end_matches('/'))
        .or(guessed.map(String::as_str))
    else {
        return;
    };
    let rest = path.get(mount.len() + 1..).unwrap_or("");
    let part = rest.split('/').next().unwrap_or("");
    let open = part.is_empty() || part.contains(['*', '+', '{']);
    if !open && !KV2_PARTS.contains(&part) {
        let is = if known.is_some() { "is" } else { "looks like" };
        report(
            KV2_WITHOUT_DATA,
            Severity::Warning,
            format!("`{mount}/` {is} KV version 2, where no request has the path `{path}`"),
            Some(format!(
                "secrets are under `{mount}/data/{rest}`, their names and versions under `{mount}/metadata/{rest}`"
            )),
        );
    }
}

fn keys(policy: &Policy, stanza: &Stanza, warnings: &mut Vec<Warning>) {
    for name in &stanza.in_two_cases {
        let message = format!("parameter `{name}` is named twice, in two cases: the server keeps either");
        let hint = Some("name it once, in small letters".to_owned());
        warnings.push(Warning::about(
            DUPLICATE_KEY,
            Severity::Warning,
            policy,
            stanza,
            message,
            hint,
        ));
    }
    // Each name once: a file may repeat a key a million times.
    let mut seen: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for key in &stanza.keys {
        let (first_line, count) = seen.entry(&key.name).or_insert((key.origin.line, 0));
        *count += 1;
        let (first_line, count) = (*first_line, *count);
        let mut report = |id, message, hint: &str| {
            warnings.push(Warning::at(
                id,
                Severity::Warning,
                policy,
                stanza,
                &key.origin,
                &key.key,
                message,
                Some(hint.to_owned()),
            ));
        };
        if count == 2 {
            report(
                DUPLICATE_KEY,
                format!("key `{}` stands in line {first_line} already", key.name),
                "put both into one; Vault from 1.21 refuses policies with a key twice",
            );
        }
        if &*key.name == "policy" && count == 1 {
            let words: Vec<String> = stanza.capabilities.iter().map(|c| format!("\"{c}\"")).collect();
            report(
                LEGACY_POLICY,
                format!("`policy` in path `{}` is the form of Vault before 0.5", stanza.path),
                &format!("write `capabilities = [{}]`", words.join(", ")),
            );
        }
    }
}
