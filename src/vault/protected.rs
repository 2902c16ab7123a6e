//! Paths that are special by the type of their mount: those that need `sudo` besides, and those that need no token.
//!
//! The list is data, in `protected.tsv`, with the source of each row. Where servers differ the union counts.

use std::collections::HashMap;
use std::sync::LazyLock;

const TABLE: &str = include_str!("protected.tsv");

/// What the table holds for the type of one mount.
#[derive(Debug, Default)]
struct Special {
    sudo: Vec<&'static str>,
    unauthenticated: Vec<&'static str>,
}

static BY_TYPE: LazyLock<HashMap<&'static str, Special>> = LazyLock::new(|| {
    let mut by_type: HashMap<&'static str, Special> = HashMap::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.split('\t');
        let (Some(kind), Some(mount_type), Some(path)) = (columns.next(), columns.next(), columns.next()) else {
            continue;
        };
        let special = by_type.entry(mount_type).or_default();
        match kind {
            "sudo" => special.sudo.push(path),
            _ => special.unauthenticated.push(path),
        }
    }
    by_type
});

/// Whether a request on `path` (relative to its namespace) needs `sudo` besides, under a mount of this type.
///
/// The mount is taken to be the first segment, or the first two under `auth/`; for mounts deeper down use [`needs_sudo_below`].
#[must_use]
pub fn needs_sudo(mount_type: &str, path: &str) -> bool {
    place(mount_type, path).is_some_and(|(kind, rest)| needs_sudo_below(kind, rest))
}

/// Whether a request on `path` (relative to its namespace) needs no token, under a mount of this type.
///
/// Where the type is not known (`""`), what is unauthenticated in any auth method counts as such below `auth/`.
/// The mount is taken to be the first segment, or the first two under `auth/`; for mounts deeper down use
/// [`open_endpoint_below`].
#[must_use]
pub fn unauthenticated(mount_type: &str, path: &str) -> bool {
    open_endpoint(mount_type, path).is_some()
}

/// What stands in the table for a `path` that needs no token: the path with `+` for what the caller may choose; none if it
/// needs one. Of several the one that says most.
#[must_use]
pub fn open_endpoint(mount_type: &str, path: &str) -> Option<String> {
    let (kind, rest) = place(mount_type, path)?;
    let mount = path.trim_start_matches('/').strip_suffix(rest)?;
    open_endpoint_below(kind, rest).map(|below| format!("{mount}{below}"))
}

/// [`open_endpoint`] for what comes after the mount's path.
#[must_use]
pub fn open_endpoint_below(mount_type: &str, rest: &str) -> Option<String> {
    let best = |special: &Special| {
        let fitting = special.unauthenticated.iter().filter(|pattern| matches(pattern, rest));
        fitting
            .copied()
            .max_by_key(|pattern| (!pattern.contains(['+', '*']), pattern.len(), *pattern))
    };
    let pattern = match canonical(mount_type) {
        ANY_AUTH => BY_TYPE
            .iter()
            .filter(|(kind, _)| !NO_AUTH.contains(kind))
            .filter_map(|(_, special)| best(special))
            .max_by_key(|pattern| (!pattern.contains(['+', '*']), pattern.len(), *pattern)),
        kind => BY_TYPE.get(kind).and_then(best),
    }?;
    Some(pattern.replace('*', "+"))
}

/// Whether a request needs `sudo` by what is sent: a token without a parent, with an id that was chosen, or with a period.
#[must_use]
pub fn asks_for_sudo(mount_type: &str, path: &str, is_sent: impl Fn(&str) -> bool) -> bool {
    let makes_a_token = place(mount_type, path.trim_start_matches('/')) == Some(("token", "create"));
    makes_a_token && ["no_parent", "id", "period"].into_iter().any(is_sent)
}

/// Whether a request on `path` may need `sudo` besides, for all that is known: where the mount ends is often not said, its type
/// not always, what plugins of unknown types protect is not in the table, and some endpoints ask for it by what is sent.
#[must_use]
pub fn may_need_sudo(mount_type: &str, path: &str) -> bool {
    let path = path.trim_start_matches('/');
    if needs_sudo(mount_type, path) {
        return true;
    }
    match place(mount_type, path) {
        // What asks for it in its own code, or from some version on, is in no list of paths: where it is given, it may be needed.
        Some(("system", rest)) if !is_below(&SYSTEM_WITHOUT_SUDO, rest) => return true,
        Some(("token", rest)) if !is_below(&TOKEN_WITHOUT_SUDO, rest) => return true,
        // Without `sudo` children have none but the maker's policies, a parent, and no period or id that was asked for.
        Some(("token", rest)) if ["create", "create-orphan"].contains(&rest) || rest.starts_with("create/") => {
            return true;
        }
        // With `sudo` no key is asked for.
        Some(("system", rest)) if rest.starts_with("namespaces/api-lock/unlock") => return true,
        Some(("system", rest)) if rest.starts_with("namespaces/") && rest.ends_with("/delete-sealed") => return true,
        _ => {}
    }
    let (kind, below) = match place(mount_type, path) {
        Some((kind @ ("system" | "identity" | "token"), _)) => (kind, None),
        Some((kind, _)) => (kind, Some(path.match_indices('/').map(|(at, _)| at + 1))),
        None => (mount_type, None),
    };
    match canonical(kind) {
        "" | ANY_AUTH => {
            let mut all = BY_TYPE.keys().filter(|kind| !matches!(**kind, "system" | "token"));
            let rests: Vec<&str> = below.into_iter().flatten().filter_map(|at| path.get(at..)).collect();
            all.any(|kind| rests.iter().any(|rest| needs_sudo_below(kind, rest)))
        }
        kind if BY_TYPE.contains_key(kind) => {
            let mut rests = below.into_iter().flatten().filter_map(|at| path.get(at..));
            rests.any(|rest| needs_sudo_below(kind, rest))
        }
        kind => !WITHOUT_SUDO.contains(&kind),
    }
}

/// Endpoints of the server itself that never ask for it, each with what is below.
const SYSTEM_WITHOUT_SUDO: [&str; 24] = [
    "policies",
    "policy",
    "mounts",
    "capabilities",
    "capabilities-self",
    "capabilities-accessor",
    "wrapping",
    "tools",
    "internal/ui",
    "internal/specs",
    "health",
    "leader",
    "seal-status",
    "key-status",
    "ha-status",
    "renew",
    "revoke",
    "leases/renew",
    "leases/revoke",
    "leases/lookup",
    "namespaces",
    "quotas",
    "auth",
    "audit-hash",
];

/// Endpoints of tokens that never ask for it, each with what is below. (Creation asks for it where more is given than the maker has.)
const TOKEN_WITHOUT_SUDO: [&str; 12] = [
    "lookup",
    "lookup-self",
    "lookup-accessor",
    "renew",
    "renew-self",
    "renew-accessor",
    "revoke",
    "revoke-self",
    "revoke-accessor",
    "roles",
    "create",
    "create-orphan",
];

/// Whether a path is one of these, or below one.
fn is_below(all: &[&str], path: &str) -> bool {
    let mut rests = all.iter().filter_map(|one| path.strip_prefix(one));
    rests.any(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Types of mounts that protect nothing.
const WITHOUT_SUDO: [&str; 24] = [
    "kv",
    "generic",
    "cubbyhole",
    "database",
    "transit",
    "totp",
    "aws",
    "azure",
    "gcp",
    "gcpkms",
    "alicloud",
    "consul",
    "nomad",
    "rabbitmq",
    "kubernetes",
    "ldap",
    "openldap",
    "ad",
    "terraform",
    "transform",
    "kmip",
    "keymgmt",
    "mongodbatlas",
    "saml",
];

/// [`needs_sudo`] for what comes after the mount's path.
#[must_use]
pub fn needs_sudo_below(mount_type: &str, rest: &str) -> bool {
    let special = BY_TYPE.get(canonical(mount_type));
    special.is_some_and(|s| s.sudo.iter().any(|pattern| matches(pattern, rest)))
}

/// Stands for an auth method whose type is not known.
const ANY_AUTH: &str = "auth";

/// The types in the table that are no auth methods with a login.
const NO_AUTH: [&str; 5] = ["system", "token", "identity", "pki", "ssh"];

/// Every path that needs `sudo` besides, with the type of the mount it lies under.
pub fn sudo_paths() -> impl Iterator<Item = (&'static str, &'static str)> {
    BY_TYPE
        .iter()
        .flat_map(|(kind, special)| special.sudo.iter().map(|path| (*kind, *path)))
}

/// The path that the UI or the CLI asks for the mount of; such a request is allowed by any grant below the mount, so that no stanza
/// of its own is needed for it.
#[must_use]
pub fn mount_question(path: &str) -> Option<&str> {
    let path = path.trim_start_matches('/').strip_prefix("sys/internal/ui/mounts/");
    path.filter(|path| !path.is_empty())
}

/// Whether a request is such a question.
#[must_use]
pub fn is_mount_question(path: &str) -> bool {
    mount_question(path).is_some()
}

/// The type of the mount that a path lies under, and the rest of the path below the mount.
fn place<'a>(mount_type: &'a str, path: &'a str) -> Option<(&'a str, &'a str)> {
    let path = path.trim_start_matches('/');
    let (first, rest) = path.split_once('/')?;
    match first {
        "sys" => Some(("system", rest)),
        "identity" => Some(("identity", rest)),
        "auth" => {
            let (mount, rest) = rest.split_once('/')?;
            let kind = match (mount, mount_type) {
                ("token", _) => "token",
                (_, "") => ANY_AUTH,
                _ => mount_type,
            };
            Some((kind, rest))
        }
        _ => Some((mount_type, rest)),
    }
}

/// Types inside a namespace carry a prefix of their own.
fn canonical(mount_type: &str) -> &str {
    mount_type.strip_prefix("ns_").unwrap_or(mount_type)
}

fn matches(pattern: &str, rest: &str) -> bool {
    let (pattern, open) = match pattern.strip_suffix('*') {
        Some(start) => (start, true),
        None => (pattern, false),
    };
    let mut wanted = pattern.split('/').peekable();
    let mut given = rest.split('/');
    while let Some(want) = wanted.next() {
        let Some(have) = given.next() else {
            return false;
        };
        let begins = open && wanted.peek().is_none() && have.starts_with(want);
        if want != "+" && want != have && !begins {
            return false;
        }
    }
    open || given.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_whole() {
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<_> = line.split('\t').collect();
            assert_eq!(columns.len(), 5, "{line}");
            assert!(["sudo", "unauthenticated"].contains(&columns[0]), "{line}");
            assert!(["both", "vault", "openbao"].contains(&columns[3]), "{line}");
            assert!(columns.iter().all(|c| !c.is_empty()), "{line}");
        }
    }

    #[test]
    fn sudo_may_be_needed_where_mount_or_type_is_not_told() {
        for (kind, path, sure, may) in [
            ("pki", "pki/root", true, true),
            ("", "pki/root", false, true),
            ("pki", "team/a/pki/root/sign-self-issued", false, true),
            ("", "team/a/pki/root/sign-self-issued", false, true),
            ("pki", "pki/issue/web", false, false),
            ("", "secret/data/web", false, false),
            ("kv", "secret/root", false, false),
            ("vault-plugin-secrets-x", "x/y", false, true),
            ("system", "sys/mounts/x", false, false),
            ("token", "auth/token/create", false, true),
            ("", "auth/token/create/jobs", false, true),
            ("token", "auth/token/create-orphan", false, true),
            ("token", "auth/token/renew-self", false, false),
            ("system", "sys/namespaces/api-lock/unlock/team", false, true),
            ("system", "sys/namespaces/team", false, false),
            ("", "sys/seal", true, true),
            ("approle", "auth/approle/role/x", false, false),
            ("", "auth/approle/role/x", false, false),
        ] {
            assert_eq!(
                (needs_sudo(kind, path), may_need_sudo(kind, path)),
                (sure, may),
                "{kind} {path}"
            );
        }
    }

    #[test]
    fn special_paths_are_known_by_the_mount() {
        for (kind, path, sudo, open) in [
            ("system", "sys/auth/userpass", true, false),
            ("system", "sys/auth", false, false),
            ("system", "sys/mounts/x", false, false),
            ("", "sys/seal", true, false),
            ("", "sys/leases", true, false),
            ("", "sys/leases/", false, false),
            ("", "sys/health", false, true),
            ("ns_system", "sys/internal/ui/mounts/secret/x", false, true),
            ("token", "auth/token/accessors/", true, false),
            ("token", "auth/token/create", false, false),
            ("approle", "auth/approle/login", false, true),
            ("userpass", "auth/up/login/bob", false, true),
            ("userpass", "auth/up/users/bob", false, false),
            ("", "auth/anything/login", false, true),
            ("pki", "pki/root", true, false),
            ("pki", "pki/roles/root", false, false),
            ("pki", "pki/issuer/default/pem", false, true),
            ("kv", "secret/root", false, false),
            ("kv", "secret/ca", false, false),
            ("identity", "identity/oidc/provider/x/token", false, true),
        ] {
            assert_eq!(needs_sudo(kind, path), sudo, "sudo for {kind} {path}");
            assert_eq!(unauthenticated(kind, path), open, "no token for {kind} {path}");
        }
        assert_eq!(open_endpoint_below("approle", "login").as_deref(), Some("login"));
        assert_eq!(
            open_endpoint("", "auth/up/login/bob").as_deref(),
            Some("auth/up/login/+")
        );
        assert_eq!(
            open_endpoint("pki", "pki/issuer/x/pem").as_deref(),
            Some("pki/issuer/+/pem")
        );
        assert!(is_mount_question("sys/internal/ui/mounts/secret"));
    }
}
