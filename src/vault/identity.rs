//! Identities: what a thing is on a server, made once where a server vouches for it and never taken apart again.
//!
//! A name alone is no identity: two namespaces each have an `admin`. Maps and comparisons go by these types; a label is made
//! from them at the end, for people.

use super::glob;
use std::fmt;
use std::sync::Arc;

/// A policy: the namespace it lives in, and its name there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyId {
    /// Path of the namespace, `""` for the root namespace or `a/b/`.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl PolicyId {
    /// The policy of this name in this namespace.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// Whether people mean it by this: its name, whatever its namespace, or its name with the namespace in front, in small letters, as
    /// servers read them; a `*` at the end stands for any rest.
    #[must_use]
    pub fn is_meant_by(&self, entry: &str) -> bool {
        let entry = entry.trim().to_lowercase();
        let is = |text: &str| glob::is_named(&entry, &text.to_lowercase());
        is(&self.name) || is(&self.to_string())
    }

    /// Whether it is the `default` of its namespace, which comes with every token by itself.
    #[must_use]
    pub fn is_default(&self) -> bool {
        &*self.name == DEFAULT
    }

    /// Whether it is one that servers bring and that nobody can write, in whatever namespace.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.is_root() || matches!(&*self.name, "response-wrapping" | "control-group")
    }

    /// Whether it is `root`, which stands alone, allows everything and has no text.
    #[must_use]
    pub fn is_root(&self) -> bool {
        &*self.name == ROOT
    }
}

/// The policy that every token gets unless it says otherwise; servers refuse to delete it.
pub const DEFAULT: &str = "default";

/// The policy that allows everything.
pub const ROOT: &str = "root";

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.namespace, self.name)
    }
}

/// A mount: the namespace it is in, and its path there with a trailing slash (`auth/approle/`, `secret/`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MountId {
    /// Path of the namespace.
    pub namespace: Arc<str>,
    /// Path of the mount.
    pub path: Arc<str>,
}

impl fmt::Display for MountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.namespace, self.path)
    }
}

/// A role, user or group of an auth method: its name at one mount.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleId {
    /// The mount.
    pub mount: MountId,
    /// The name.
    pub name: Arc<str>,
}

impl RoleId {
    /// The role of this name at a mount of a namespace.
    pub fn new(namespace: impl Into<Arc<str>>, mount: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            mount: MountId {
                namespace: namespace.into(),
                path: mount.into(),
            },
            name: name.into(),
        }
    }
}

impl fmt::Display for RoleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.mount, self.name)
    }
}

/// The namespaces in which something may live that is seen at work in `namespace`: it, and those above it, the nearest first.
pub fn at_or_above(namespace: &str) -> impl Iterator<Item = &str> {
    let above = namespace
        .trim_end_matches('/')
        .rmatch_indices('/')
        .map(|(end, _)| end + 1)
        .chain((!namespace.is_empty()).then_some(0));
    std::iter::once(namespace.len())
        .chain(above)
        .filter_map(|end| namespace.get(..end))
}

/// The namespace that all these and `namespace` are in or below: whoever is at work in all of them lives there or above it.
#[must_use]
pub fn common<'a>(namespace: &'a str, all: &std::collections::BTreeSet<&str>) -> &'a str {
    let mut above = at_or_above(namespace);
    above.find(|at| all.iter().all(|one| one.starts_with(at))).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_in_two_namespaces_is_two_policies() {
        let (root, team) = (PolicyId::new("", "admin"), PolicyId::new("team/", "admin"));
        assert_ne!(root, team);
        assert_eq!(
            (root.to_string(), team.to_string()),
            ("admin".into(), "team/admin".into())
        );
        assert_eq!(
            RoleId::new("team/", "auth/approle/", "web").to_string(),
            "team/auth/approle/web"
        );
    }

    #[test]
    fn a_policy_is_meant_by_its_name_and_by_that_with_its_namespace() {
        let team = PolicyId::new("team/", "web");
        for entry in ["web", "team/web", "Team/Web", "team/*", "we*", " web "] {
            assert!(team.is_meant_by(entry), "{entry}");
        }
        for entry in ["other/web", "eb", "team", "/web", "team/web/*"] {
            assert!(!team.is_meant_by(entry), "{entry}");
        }
        assert!(!PolicyId::new("", "web").is_meant_by("team/web"));
    }

    #[test]
    fn what_is_at_work_in_several_lives_in_none_below_all_of_them() {
        let all = |all: &[&'static str]| all.iter().copied().collect();
        assert_eq!(common("a/b/", &all(&["a/b/", "a/c/"])), "a/");
        assert_eq!(common("a/b/", &all(&["a/b/", ""])), "");
        assert_eq!(common("a/b/", &all(&["a/b/", "ab/"])), "");
        assert_eq!(common("a/", &all(&[])), "a/");
    }

    #[test]
    fn above_a_namespace_come_its_parents_and_root() {
        let of = |namespace| at_or_above(namespace).collect::<Vec<_>>();
        assert_eq!(of(""), [""]);
        assert_eq!(of("a/"), ["a/", ""]);
        assert_eq!(of("a/b/c/"), ["a/b/c/", "a/b/", "a/", ""]);
    }
}
