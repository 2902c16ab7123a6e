//! Where on a server the policies of a holder are kept.

use crate::advice::Assignment;

/// A holder on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The path to read and write.
    pub path: String,
    /// The field that lists its policies.
    pub field: &'static str,
    /// Whether a write replaces the whole record, so that its other fields have to be written with it.
    pub whole: bool,
    /// What it is.
    pub place: Place,
}

/// What kind of holder it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An entity, by id.
    Entity(String),
    /// A group, by id.
    Group(String),
    /// A group whose id nobody told, by name.
    NamedGroup(String),
    /// A role of an `AppRole` mount.
    AppRole(String),
    /// Something else that has a path.
    Other,
}

impl Holder {
    /// The holder of an assignment; none where nothing says where its policies are kept.
    #[must_use]
    pub fn of(assignment: &Assignment) -> Option<Self> {
        let id = assignment.id.as_str();
        let mount = assignment.mount.trim_matches('/');
        let mount = mount.strip_prefix("auth/").unwrap_or(mount);
        // The id of a role is its mount and its name; what the holder is called may be something else.
        let inside = id.strip_prefix("auth/").unwrap_or(id).strip_prefix(mount);
        let inside = inside.and_then(|rest| rest.strip_prefix('/'));
        let at = |kind: &str| -> Option<String> {
            let name = match inside {
                Some(rest) => rest
                    .strip_prefix(kind)
                    .and_then(|rest| rest.strip_prefix('/'))
                    .unwrap_or(rest),
                None => &assignment.name,
            };
            (!mount.is_empty() && !name.is_empty()).then(|| format!("auth/{mount}/{kind}/{name}"))
        };
        let (path, field, place) = match assignment.kind.as_str() {
            "entity" => {
                let id = bare(id, "entity:")?;
                (format!("identity/entity/id/{id}"), "policies", Place::Entity(id))
            }
            "group" if id == assignment.name && !id.is_empty() => (
                format!("identity/group/name/{id}"),
                "policies",
                Place::NamedGroup(id.to_owned()),
            ),
            "group" => {
                let id = bare(id, "group:")?;
                (format!("identity/group/id/{id}"), "policies", Place::Group(id))
            }
            "approle" => (at("role")?, "token_policies", Place::AppRole(mount.to_owned())),
            "userpass" => (at("users")?, "token_policies", Place::Other),
            "kubernetes" | "jwt" | "oidc" | "aws" | "gcp" | "azure" | "oci" | "alicloud" | "cf" => {
                (at("role")?, "token_policies", Place::Other)
            }
            "cert" => (at("certs")?, "token_policies", Place::Other),
            "ldap-group" | "okta-group" => (at("groups")?, "policies", Place::Other),
            "ldap-user" | "okta-user" => (at("users")?, "policies", Place::Other),
            _ => return None,
        };
        let whole = matches!(assignment.kind.as_str(), "jwt" | "oidc" | "ldap-user" | "okta-user");
        Some(Self {
            path,
            field,
            whole,
            place,
        })
    }
}

/// Whether the servers refuse to renew the tokens of a holder of this kind once its policies change. They look at identity
/// when they decide, and these auth methods do not look at what a role has become.
#[must_use]
pub fn ends_renewal(kind: &str) -> bool {
    !matches!(
        kind,
        "entity" | "group" | "approle" | "jwt" | "oidc" | "kubernetes" | "token" | "role"
    )
}

fn bare(id: &str, prefix: &str) -> Option<String> {
    let id = id.strip_prefix(prefix).unwrap_or(id);
    (!id.is_empty()).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(kind: &str, id: &str, mount: &str) -> Option<String> {
        let assignment = Assignment {
            kind: kind.to_owned(),
            id: id.to_owned(),
            name: String::from("app"),
            mount: mount.to_owned(),
            ..Assignment::default()
        };
        Holder::of(&assignment).map(|holder| holder.path)
    }

    #[test]
    fn every_kind_has_its_path() {
        let check = |kind, id, mount, want: Option<&str>| assert_eq!(path(kind, id, mount).as_deref(), want);
        check("entity", "entity:6d1f", "", Some("identity/entity/id/6d1f"));
        check("group", "g1", "", Some("identity/group/id/g1"));
        check("group", "app", "", Some("identity/group/name/app"));
        check("approle", "x", "auth/team/approle/", Some("auth/team/approle/role/app"));
        check(
            "approle",
            "auth/approle/role/app",
            "auth/approle/",
            Some("auth/approle/role/app"),
        );
        check(
            "userpass",
            "auth/userpass/jane",
            "auth/userpass/",
            Some("auth/userpass/users/jane"),
        );
        check("userpass", "", "userpass", Some("auth/userpass/users/app"));
        check("approle", "", "", None);
        check("token", "x", "auth/token/", None);
    }

    #[test]
    fn what_a_write_replaces_is_known_and_whose_tokens_end() {
        let whole = |kind: &str| {
            let assignment = Assignment {
                kind: kind.to_owned(),
                name: String::from("app"),
                mount: String::from("m"),
                ..Assignment::default()
            };
            Holder::of(&assignment).is_some_and(|holder| holder.whole)
        };
        assert!(whole("jwt") && whole("oidc") && whole("ldap-user"));
        assert!(!whole("approle") && !whole("userpass") && !whole("kubernetes"));
        assert!(ends_renewal("userpass") && ends_renewal("ldap-group"));
        assert!(!ends_renewal("approle") && !ends_renewal("entity") && !ends_renewal("jwt"));
    }
}
