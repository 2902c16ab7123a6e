//! Operations of a request, and the capability that each needs.

use super::capability::Capability;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// What a request asks to do, as audit entries and the ACL name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// `create`
    Create,
    /// `read`
    Read,
    /// `update`
    Update,
    /// `patch`
    Patch,
    /// `delete`
    Delete,
    /// `list`
    List,
    /// `scan` (OpenBao)
    Scan,
    /// `help`, which is always allowed
    Help,
    /// `revoke`, internal
    Revoke,
    /// `renew`, internal
    Renew,
    /// `rollback`, internal
    Rollback,
    /// `recover` (Vault)
    Recover,
    /// Anything else, which the ACL denies.
    Other,
}

impl Operation {
    /// The operations that a client can ask for and that a capability answers.
    pub const REQUESTABLE: [Self; 8] = [
        Self::Create,
        Self::Read,
        Self::Update,
        Self::Patch,
        Self::Delete,
        Self::List,
        Self::Scan,
        Self::Recover,
    ];

    /// The capability it needs; none for [`Operation::Help`] (always allowed) and [`Operation::Other`] (never).
    #[must_use]
    pub const fn capability(self) -> Option<Capability> {
        match self {
            Self::Create => Some(Capability::Create),
            Self::Read => Some(Capability::Read),
            Self::Update | Self::Revoke | Self::Renew | Self::Rollback => Some(Capability::Update),
            Self::Patch => Some(Capability::Patch),
            Self::Delete => Some(Capability::Delete),
            Self::List => Some(Capability::List),
            Self::Scan => Some(Capability::Scan),
            Self::Recover => Some(Capability::Recover),
            Self::Help | Self::Other => None,
        }
    }

    /// The operation that asks for `capability`; none for `sudo`, `deny` and `subscribe`.
    #[must_use]
    pub const fn of(capability: Capability) -> Option<Self> {
        match capability {
            Capability::Create => Some(Self::Create),
            Capability::Read => Some(Self::Read),
            Capability::Update => Some(Self::Update),
            Capability::Patch => Some(Self::Patch),
            Capability::Delete => Some(Self::Delete),
            Capability::List => Some(Self::List),
            Capability::Scan => Some(Self::Scan),
            Capability::Recover => Some(Self::Recover),
            Capability::Sudo | Capability::Deny | Capability::Subscribe => None,
        }
    }

    /// The word of the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Scan => "scan",
            Self::Help => "help",
            Self::Revoke => "revoke",
            Self::Renew => "renew",
            Self::Rollback => "rollback",
            Self::Recover => "recover",
            Self::Other => "other",
        }
    }

    /// From the word of the audit log; an unknown word is [`Operation::Other`].
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "create" => Self::Create,
            "read" => Self::Read,
            "update" => Self::Update,
            "patch" => Self::Patch,
            "delete" => Self::Delete,
            "list" => Self::List,
            "scan" => Self::Scan,
            "help" => Self::Help,
            "revoke" => Self::Revoke,
            "renew" => Self::Renew,
            "rollback" => Self::Rollback,
            "recover" => Self::Recover,
            _ => Self::Other,
        }
    }
}

impl Operation {
    /// The path as the ACL sees it: servers put a `/` behind the path of every LIST and SCAN, whatever the client typed.
    #[must_use]
    pub fn path_asked(self, path: &str) -> Cow<'_, str> {
        match self {
            Self::List | Self::Scan if !path.is_empty() && !path.ends_with('/') => Cow::Owned(format!("{path}/")),
            _ => Cow::Borrowed(path),
        }
    }
}

impl FromStr for Operation {
    type Err = std::convert::Infallible;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Ok(Self::from_word(word))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lists_get_a_slash() {
        for (operation, path, want) in [
            (Operation::List, "a", "a/"),
            (Operation::Scan, "a/b", "a/b/"),
            (Operation::List, "a/", "a/"),
            (Operation::List, "", ""),
            (Operation::Read, "a", "a"),
            (Operation::Help, "a", "a"),
        ] {
            assert_eq!(operation.path_asked(path), want, "{operation} {path}");
        }
    }
}
