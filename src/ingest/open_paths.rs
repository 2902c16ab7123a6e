//! The paths that need no token: logins, health, wrapping look-ups, published keys and certificates.

use crate::vault::path::{TOKEN_MOUNT, lets_in_below, makes_a_child};
use crate::vault::protected::{open_endpoint, open_endpoint_below};

/// Whether a request to `path` (relative to its namespace) needs no token. `mount_point` is the mount with its namespace
/// and empty where the log does not say it; mounts are then taken to be one segment long.
#[must_use]
pub fn needs_no_token(path: &str, mount_type: &str, mount_point: &str) -> bool {
    endpoint(path, mount_type, mount_point).is_some()
}

/// The place of a request to `path` if that needs no token: the path with `+` for what the caller may choose, as in
/// `auth/userpass/login/+`. Whoever reaches the server chooses, so nothing is kept of it.
#[must_use]
pub fn endpoint(path: &str, mount_type: &str, mount_point: &str) -> Option<String> {
    let path = path.trim_start_matches('/');
    let apart = ["sys/", "auth/", "identity/"]
        .iter()
        .any(|mount| path.starts_with(mount));
    if !apart && matches!(mount_type, "kv" | "generic" | "cubbyhole" | "transit" | "database") {
        return None;
    }
    let login = || {
        let mount = login_mount(path, mount_point)?;
        let rest = path.strip_prefix(mount)?;
        Some(if rest.starts_with("login/") {
            format!("{mount}login/+")
        } else {
            path.to_owned()
        })
    };
    let by_type = path.starts_with("sys/") || path.starts_with("identity/") || mount_type.is_empty();
    if by_type || mount_point.is_empty() {
        let known = open_endpoint(mount_type, path);
        return if by_type { known } else { known.or_else(login) };
    }
    let rest = relative(path, mount_point);
    let mount = path.strip_suffix(rest)?;
    open_endpoint_below(mount_type, rest)
        .map(|below| format!("{mount}{below}"))
        .or_else(login)
}

/// Whether the response at this path has a token that the request made or renewed.
#[must_use]
pub fn gives_a_token(path: &str) -> bool {
    let renews = |path: &str| {
        path.strip_prefix(TOKEN_MOUNT)
            .is_some_and(|below| below.starts_with("renew"))
    };
    makes_a_child(path) || renews(path)
}

/// The auth mount (`auth/userpass/`) if `path` is one to log in at.
#[must_use]
pub fn login_mount<'a>(path: &'a str, mount_point: &str) -> Option<&'a str> {
    let rest = relative(path, mount_point);
    let mount = path.strip_suffix(rest)?;
    if mount == TOKEN_MOUNT || !mount.starts_with("auth/") {
        return None;
    }
    (lets_in_below(rest) || rest == "oidc/auth_url").then_some(mount)
}

/// The namespace that a mount point names before the mount, if path and mount point leave no doubt where that begins.
#[must_use]
pub fn namespace_of_mount<'a>(path: &str, mount_point: &'a str) -> Option<&'a str> {
    let path = path.trim_start_matches('/');
    let begins = mount_point.match_indices('/').map(|(at, _)| at + 1);
    let begins = std::iter::once(0).chain(begins).filter(|at| *at < mount_point.len());
    let mut fitting = begins.filter(|at| mount_point.get(*at..).is_some_and(|mount| path.starts_with(mount)));
    let only = fitting.next().filter(|_| fitting.next().is_none())?;
    mount_point.get(..only)
}

/// The path below its mount.
fn relative<'a>(path: &'a str, mount_point: &str) -> &'a str {
    // The mount point begins with the namespace, the path does not: the mount is the longest end of it that the path begins with.
    let mut mount = mount_point;
    while !mount.is_empty() {
        if let Some(rest) = path.strip_prefix(mount) {
            return rest;
        }
        mount = mount.split_once('/').map_or("", |(_, rest)| rest);
    }
    let below = path.strip_prefix("auth/").unwrap_or(path);
    below.split_once('/').map_or("", |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_tells_the_namespace_where_it_can() {
        for (path, mount_point, want) in [
            ("secret/data/x", "secret/", Some("")),
            ("secret/data/x", "team/a/secret/", Some("team/a/")),
            ("/secret/data/x", "team/secret/", Some("team/")),
            ("auth/up/users/x", "team/auth/up/", Some("team/")),
            // A mount `a/a/` of the root namespace, or `a/` of the namespace `a/`.
            ("a/a/x", "a/a/", None),
            ("secret/data/x", "", None),
            ("secret/data/x", "other/", None),
        ] {
            assert_eq!(namespace_of_mount(path, mount_point), want, "{path} {mount_point}");
        }
    }

    #[test]
    fn logins_and_published_things_need_no_token() {
        for (path, mount_type, mount_point, want) in [
            ("sys/health", "", "", true),
            ("sys/internal/ui/mounts/secret/x", "system", "sys/", true),
            ("sys/wrapping/lookup", "", "", true),
            ("sys/wrapping/wrap", "", "", false),
            ("sys/policies/acl/x", "", "", false),
            ("auth/approle/login", "", "", true),
            ("auth/userpass/login/eve", "", "", true),
            ("auth/userpass/users/login", "", "", false),
            ("auth/a/b/login", "", "", false),
            ("auth/a/b/login", "approle", "ns/auth/a/b/", true),
            ("auth/oidc/oidc/callback", "", "", true),
            ("auth/token/create", "", "", false),
            ("pki/ca/pem", "pki", "", true),
            ("team/pki/cert/ca", "pki", "team/pki/", true),
            ("pki/issue/web", "pki", "pki/", false),
            ("pki/issuer/x/json", "pki", "pki/", true),
            ("ssh/public_key", "ssh", "", true),
            ("identity/oidc/.well-known/keys", "identity", "", true),
            ("identity/oidc/provider/p/token", "identity", "", true),
            ("identity/oidc/provider/p/authorize", "identity", "", false),
            ("secret/data/login", "kv", "", false),
        ] {
            assert_eq!(needs_no_token(path, mount_type, mount_point), want, "{path}");
        }
        for (path, mount_type, mount_point, want) in [
            ("auth/userpass/login/eve", "", "", "auth/userpass/login/+"),
            ("auth/up/login/a/b", "ldap", "auth/up/", "auth/up/login/+"),
            ("auth/x/login/eve", "plugin", "auth/x/", "auth/x/login/+"),
            ("auth/approle/login", "approle", "auth/approle/", "auth/approle/login"),
            ("pki/cert/00-ff", "pki", "team/pki/", "pki/cert/+"),
            ("pki/cert/ca", "pki", "", "pki/cert/+"),
            ("pki/issuer/x/json", "pki", "pki/", "pki/issuer/+/json"),
            ("sys/health", "", "", "sys/health"),
        ] {
            assert_eq!(endpoint(path, mount_type, mount_point).as_deref(), Some(want), "{path}");
        }
        assert_eq!(login_mount("auth/a/b/login/x", "admin/auth/a/b/"), Some("auth/a/b/"));
    }
}
