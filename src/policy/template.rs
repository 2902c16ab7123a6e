//! Templates in stanza paths, filled in from the identity that a token carries.

use crate::policy::profile::TemplateRule;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The identity behind a token, as far as templates can name it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The entity, where the token has one.
    pub entity: Option<Entity>,
    /// The groups that the entity is in.
    pub groups: Vec<Group>,
}

/// An entity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Entity {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Metadata.
    pub metadata: BTreeMap<String, String>,
    /// Aliases.
    pub aliases: Vec<Alias>,
}

/// An alias of an entity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Alias {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Accessor of the auth mount.
    pub mount_accessor: String,
    /// Metadata set by the auth method.
    pub metadata: BTreeMap<String, String>,
    /// Metadata set by people.
    pub custom_metadata: BTreeMap<String, String>,
}

/// A group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Group {
    /// Namespace, `""` or `a/`; by name a group is found only by policies of its own namespace.
    pub namespace: String,
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Metadata.
    pub metadata: BTreeMap<String, String>,
}

/// Why a template cannot be filled: the servers then skip the stanza.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfillable {
    /// Braces that do not pair.
    #[error("its template braces do not pair")]
    Unbalanced,
    /// No entity.
    #[error("`{0}` needs an entity, and the token has none")]
    NoEntity(String),
    /// No groups, or not that one.
    #[error("`{0}` needs a group that the entity is not in")]
    NoGroup(String),
    /// Nothing there under that name.
    #[error("`{0}` has no value here")]
    NoValue(String),
    /// The value holds a character that the server does not let into a path.
    #[error("the value of `{0}` holds a character that this server refuses in a filled-in path")]
    Refused(String),
}

/// What to fill templates from.
#[derive(Debug, Clone, Copy)]
pub struct Filler<'a> {
    /// The identity.
    pub identity: &'a Identity,
    /// Namespace of the policy, `""` or `a/`.
    pub namespace: &'a str,
    /// Which values may go into a path.
    pub rule: TemplateRule,
    /// The time for `time.now`, in seconds since the epoch.
    pub now: i64,
}

/// The literal text before a stanza path's first template or wildcard: whatever fills them, what it matches begins with this.
#[must_use]
pub fn literal_start(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or(path);
    let before = path.split("{{").next().unwrap_or(path);
    before.split(['+', '*']).next().unwrap_or(before)
}

/// Whether `path` holds a template.
#[must_use]
pub fn is_templated(path: &str) -> bool {
    path.contains("{{")
}

impl Filler<'_> {
    /// The path with its templates filled in.
    ///
    /// # Errors
    ///
    /// Where one cannot be filled.
    pub fn fill<'p>(&self, path: &'p str) -> Result<Cow<'p, str>, Unfillable> {
        let mut pieces = path.split("{{");
        let head = pieces.next().unwrap_or_default();
        if head.contains("}}") {
            return Err(Unfillable::Unbalanced);
        }
        let mut pieces = pieces.peekable();
        if pieces.peek().is_none() {
            return Ok(Cow::Borrowed(path));
        }
        let mut out = String::with_capacity(path.len() * 2);
        out.push_str(head);
        for piece in pieces {
            let Some((inside, rest)) = piece.split_once("}}") else {
                return Err(Unfillable::Unbalanced);
            };
            if rest.contains("}}") {
                return Err(Unfillable::Unbalanced);
            }
            let name = inside.trim();
            let value = self.value(name)?;
            if !self.rule.takes(&value) {
                return Err(Unfillable::Refused(name.to_owned()));
            }
            out.push_str(&value);
            out.push_str(rest);
        }
        Ok(Cow::Owned(out))
    }

    fn value(&self, name: &str) -> Result<Cow<'_, str>, Unfillable> {
        let nothing = || Unfillable::NoValue(name.to_owned());
        if let Some(rest) = name.strip_prefix("identity.entity.") {
            let entity = self
                .identity
                .entity
                .as_ref()
                .ok_or_else(|| Unfillable::NoEntity(name.to_owned()))?;
            return entity_value(entity, rest).map(Cow::Borrowed).ok_or_else(nothing);
        }
        if let Some(rest) = name.strip_prefix("identity.groups.") {
            let group = self.group(rest).ok_or_else(|| Unfillable::NoGroup(name.to_owned()))?;
            return group_value(group, rest).map(Cow::Borrowed).ok_or_else(nothing);
        }
        if let Some(rest) = name.strip_prefix("time.") {
            return time_value(self.now, rest)
                .map(|t| Cow::Owned(t.to_string()))
                .ok_or_else(nothing);
        }
        Err(nothing())
    }

    fn group(&self, selector: &str) -> Option<&Group> {
        let (by, rest) = selector.split_once('.')?;
        let (key, _) = rest.split_once('.')?;
        self.identity.groups.iter().find(|g| match by {
            "ids" => g.id == key,
            "names" => g.namespace == self.namespace && g.name == key,
            _ => false,
        })
    }
}

fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn entity_value<'e>(entity: &'e Entity, selector: &str) -> Option<&'e str> {
    match selector {
        "id" => filled(&entity.id),
        "name" => filled(&entity.name),
        _ => {
            if let Some(key) = selector.strip_prefix("metadata.") {
                return entity.metadata.get(key).map(String::as_str);
            }
            let (accessor, rest) = selector.strip_prefix("aliases.")?.split_once('.')?;
            let alias = entity.aliases.iter().find(|a| a.mount_accessor == accessor)?;
            alias_value(alias, rest)
        }
    }
}

fn alias_value<'a>(alias: &'a Alias, selector: &str) -> Option<&'a str> {
    match selector {
        "id" => filled(&alias.id),
        "name" => filled(&alias.name),
        _ => {
            if let Some(key) = selector.strip_prefix("metadata.") {
                return alias.metadata.get(key).map(String::as_str);
            }
            let key = selector.strip_prefix("custom_metadata.")?;
            alias.custom_metadata.get(key).map(String::as_str)
        }
    }
}

fn group_value<'g>(group: &'g Group, selector: &str) -> Option<&'g str> {
    let field = selector.splitn(3, '.').nth(2)?;
    match field {
        // The servers hand out an empty group id where they refuse an empty name.
        "id" => Some(&group.id),
        "name" => filled(&group.name),
        _ => group.metadata.get(field.strip_prefix("metadata.")?).map(String::as_str),
    }
}

/// `now`, `now.plus.DURATION`, `now.minus.DURATION`.
fn time_value(now: i64, selector: &str) -> Option<i64> {
    let mut parts = selector.splitn(3, '.');
    if parts.next()? != "now" {
        return None;
    }
    let Some(sign) = parts.next() else {
        return Some(now);
    };
    let seconds = duration_seconds(parts.next()?)?;
    match sign {
        "plus" => now.checked_add(seconds),
        "minus" => now.checked_sub(seconds),
        _ => None,
    }
}

/// Seconds of `90`, `90s`, `1h30m`, `2d`.
#[must_use]
pub fn duration_seconds(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let mut total = 0i64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let unit = match tail.chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(unit)?)?;
        rest = tail.get(1..)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bob() -> Identity {
        let pair = |k: &str, v: &str| BTreeMap::from([(k.to_owned(), v.to_owned())]);
        Identity {
            entity: Some(Entity {
                id: "e-1".into(),
                name: "bob".into(),
                metadata: pair("team", "a+b/c"),
                aliases: vec![Alias {
                    id: "al-1".into(),
                    name: "robert".into(),
                    mount_accessor: "auth_userpass_1".into(),
                    metadata: pair("x.y", "z"),
                    custom_metadata: pair("k", "v"),
                }],
            }),
            groups: vec![Group {
                namespace: "ns/".into(),
                id: "g-1".into(),
                name: "ops".into(),
                metadata: pair("tier", "1"),
            }],
        }
    }

    #[test]
    fn values_are_found_or_the_stanza_is_skipped() {
        let identity = bob();
        let filler = Filler {
            identity: &identity,
            namespace: "ns/",
            rule: TemplateRule::ANY,
            now: 1_000,
        };
        for (path, want) in [
            ("plain/+/x*", Some("plain/+/x*")),
            ("a/{{identity.entity.id}}/b", Some("a/e-1/b")),
            ("{{ identity.entity.name }}*", Some("bob*")),
            ("{{identity.entity.metadata.team}}", Some("a+b/c")),
            ("{{identity.entity.metadata.none}}", None),
            ("{{identity.entity.metadata}}", None),
            ("{{identity.entity.aliases.auth_userpass_1.name}}", Some("robert")),
            ("{{identity.entity.aliases.auth_userpass_1.metadata.x.y}}", Some("z")),
            (
                "{{identity.entity.aliases.auth_userpass_1.custom_metadata.k}}",
                Some("v"),
            ),
            ("{{identity.entity.aliases.other.name}}", None),
            ("{{identity.groups.ids.g-1.name}}", Some("ops")),
            (
                "{{identity.groups.names.ops.id}}-{{identity.groups.names.ops.metadata.tier}}",
                Some("g-1-1"),
            ),
            ("{{identity.groups.names.dev.id}}", None),
            ("{{time.now.plus.1m}}", Some("1060")),
            ("{{unknown}}", None),
            ("{{identity.entity.id", None),
            ("{{identity.entity.id}}}}", None),
        ] {
            assert_eq!(filler.fill(path).ok().as_deref(), want, "{path}");
        }
        let elsewhere = Filler {
            namespace: "",
            ..filler
        };
        assert!(elsewhere.fill("{{identity.groups.names.ops.id}}").is_err());
        assert!(elsewhere.fill("{{identity.groups.ids.g-1.name}}").is_ok());
        for (wildcards, slashes) in [(false, true), (true, false), (false, false)] {
            let rule = TemplateRule { wildcards, slashes };
            let strict = Filler { rule, ..filler };
            assert!(matches!(
                strict.fill("{{identity.entity.metadata.team}}"),
                Err(Unfillable::Refused(_))
            ));
        }
        let nobody = Identity::default();
        let bare = Filler {
            identity: &nobody,
            ..filler
        };
        assert!(matches!(
            bare.fill("{{identity.entity.id}}"),
            Err(Unfillable::NoEntity(_))
        ));
    }
}
