//! Request paths: segments, the first part of a mount, and how the servers clean a path.

/// The path as the ACL sees it: without leading slashes.
#[must_use]
pub fn clean(path: &str) -> &str {
    path.trim_start_matches('/')
}

/// The segments of a path; a trailing slash yields a last empty segment, as the servers split it.
pub fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
}

/// A namespace path in the form `a/b/` (empty for the root namespace), however it was written.
#[must_use]
pub fn namespace(path: &str) -> String {
    let trimmed = path.trim_matches('/');
    if trimmed.is_empty() || trimmed == "root" {
        String::new()
    } else {
        format!("{trimmed}/")
    }
}

/// Stands for the namespace of a request that does not say which it is in.
pub const UNTOLD: &str = "?:";

/// Stands for the namespace of this id, whose path is not told: no path of a namespace ends so.
#[must_use]
pub fn namespace_of_id(id: &str) -> String {
    format!("{id}:")
}

/// The id in what stands for a namespace that is known by its id only.
#[must_use]
pub fn namespace_id(namespace: &str) -> Option<&str> {
    namespace.strip_suffix(':').filter(|_| namespace != UNTOLD)
}

/// Whether it stands for a namespace of which the path is not told.
#[must_use]
pub fn is_unplaced(namespace: &str) -> bool {
    namespace.ends_with(':')
}

/// The name of the ACL policy that a path of the system backend is of, as it stands there; nothing on any other path.
#[must_use]
pub fn policy_at(path: &str) -> Option<&str> {
    let folders = ["sys/policies/acl/", "sys/policy/"];
    folders.iter().find_map(|folder| path.strip_prefix(folder))
}

/// A path as clients make it of what they are given, before they send it: without empty segments, `.` and `..`.
#[must_use]
pub fn joined(path: &str) -> String {
    let mut all: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(all.pop()),
            segment => all.push(segment),
        }
    }
    all.join("/")
}

/// The namespace and the name of the ACL policy that a client writes which is given this path; nothing on any other path. What stands
/// before the system backend is a namespace below the client's own, or a mount that is called so.
#[must_use]
pub fn policy_written_at(path: &str) -> Option<(String, String)> {
    let path = joined(path);
    tails(&path).find_map(|rest| {
        let name = policy_at(rest).filter(|name| !name.is_empty())?;
        let above = path.strip_suffix(rest)?;
        Some((above.trim_end_matches('/').to_owned(), name.to_owned()))
    })
}

/// A path, and what is left of it behind each of its slashes.
pub fn tails(path: &str) -> impl Iterator<Item = &str> {
    let below = path.match_indices('/').map(|(at, _)| at + 1);
    std::iter::once(0).chain(below).filter_map(|at| path.get(at..))
}

/// A namespace below another, as people write them.
#[must_use]
pub fn below(base: &str, own: &str) -> String {
    let parts = [base.trim_matches('/'), own.trim_matches('/')];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("/")
}

/// Where tokens are made with tokens.
pub const TOKEN_MOUNT: &str = "auth/token/";

/// Whether a request at this path makes a token with another.
#[must_use]
pub fn makes_a_child(path: &str) -> bool {
    path.strip_prefix(TOKEN_MOUNT)
        .is_some_and(|below| below.starts_with("create"))
}

/// Whether a request at this path lets somebody in, wherever its mount ends.
#[must_use]
pub fn lets_in(path: &str) -> bool {
    let is_login = path.starts_with("auth/") && !path.starts_with(TOKEN_MOUNT);
    is_login && tails(path).skip(2).any(lets_in_below)
}

/// The auth mount that a path lies in, as far as the path tells; nothing where it lies in none.
#[must_use]
pub fn auth_mount(path: &str) -> &str {
    let ends = path.match_indices('/').map(|(at, _)| at + 1);
    let end = ends.take(2).last().filter(|_| path.starts_with("auth/"));
    end.and_then(|end| path.get(..end)).unwrap_or_default()
}

/// [`lets_in`] for what comes after the mount's path.
#[must_use]
pub fn lets_in_below(rest: &str) -> bool {
    matches!(rest, "login" | "cel/login" | "oidc/callback" | "oidc/poll") || rest.starts_with("login/")
}

/// What stands before the query of an address, and whether there is one: a `?` with a `=` behind it.
#[must_use]
pub fn before_query(text: &str) -> (&str, bool) {
    let query = text.split_once('?').filter(|(_, query)| query.contains('='));
    query.map_or((text, false), |(path, _)| (path, true))
}

/// The path that somebody means who typed this: error messages and the API show paths with `/v1/` in front, or whole URLs, some with a
/// query behind, none of which a policy has. Also whether it was otherwise than it stands now, a leading slash aside.
#[must_use]
pub fn as_typed(text: &str) -> (&str, bool) {
    let (text, asked) = before_query(text.trim());
    let of_url = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .and_then(|rest| rest.split_once('/'))
        .map(|(_, path)| path);
    let path = clean(of_url.unwrap_or(text));
    match path.strip_prefix("v1/") {
        Some(rest) => (clean(rest), true),
        None => (path, asked || of_url.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_written_by_each_path_that_leads_to_it() {
        for (path, written) in [
            ("sys/policies/acl/web", Some(("", "web"))),
            ("/a/b/sys//policy/team/web/", Some(("a/b", "team/web"))),
            ("kv/../sys/./policies/x/../acl/web", Some(("", "web"))),
            ("../sys/policy/web", Some(("", "web"))),
            ("sys/policies/acl/", None),
            ("sys/policies/acl/web/..", None),
            ("mysys/policy/web", None),
            ("kv/sys/policies/egp/web", None),
        ] {
            let want = written.map(|(above, name)| (above.to_owned(), name.to_owned()));
            assert_eq!(policy_written_at(path), want, "{path}");
        }
    }

    #[test]
    fn what_a_path_is_about_is_told_by_its_beginning_or_its_end() {
        for (path, policy, child, login) in [
            ("sys/policies/acl/web", Some("web"), false, false),
            ("sys/policy/web", Some("web"), false, false),
            ("sys/policies/egp/web", None, false, false),
            ("auth/token/create", None, true, false),
            ("auth/token/create-orphan", None, true, false),
            ("auth/token/renew-self", None, false, false),
            ("auth/token/login", None, false, false),
            ("auth/userpass/login/bob", None, false, true),
            ("auth/team/apps/login", None, false, true),
            ("auth/oidc/oidc/callback", None, false, true),
            ("auth/oidc/oidc/auth_url", None, false, false),
            ("auth/login/role/x", None, false, false),
            ("secret/x/login", None, false, false),
        ] {
            assert_eq!(
                (policy_at(path), makes_a_child(path), lets_in(path)),
                (policy, child, login),
                "{path}"
            );
        }
    }

    #[test]
    fn urls_and_paths_of_the_api_are_understood() {
        for (typed, want) in [
            ("secret/data/x", ("secret/data/x", false)),
            ("/secret/data/x", ("secret/data/x", false)),
            ("/v1/secret/data/x", ("secret/data/x", true)),
            ("v1/secret/data/x", ("secret/data/x", true)),
            ("https://vault:8200/v1/sys/auth", ("sys/auth", true)),
            ("https://vault:8200/v1/secret/data/x?version=2", ("secret/data/x", true)),
            ("secret/data/x?version=2", ("secret/data/x", true)),
            ("v10/x", ("v10/x", false)),
        ] {
            assert_eq!(as_typed(typed), want, "{typed}");
        }
    }

    #[test]
    fn namespaces_have_one_form() {
        for (text, want) in [("", ""), ("/", ""), ("root", ""), ("a", "a/"), ("/a/b/", "a/b/")] {
            assert_eq!(namespace(text), want);
        }
        assert_eq!(clean("//a/"), "a/");
        assert_eq!(segments("a/b/").collect::<Vec<_>>(), ["a", "b", ""]);
    }
}
