//! What a principal is taken to be: the identity entity, unless the user asks for another grouping.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The first thing that names a principal; where it is absent the usual order follows: entity, role, display name, accessor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum GroupBy {
    /// The identity entity.
    #[default]
    Entity,
    /// The auth role, as the token's metadata tell it.
    Role,
    /// The token's display name.
    DisplayName,
    /// The token's accessor.
    Accessor,
    /// A value of the token's metadata.
    Metadata(String),
}

/// The word is no grouping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a grouping: use entity, role, display-name, accessor or metadata.KEY")]
pub struct UnknownGrouping(pub String);

impl FromStr for GroupBy {
    type Err = UnknownGrouping;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "entity" => Ok(Self::Entity),
            "role" => Ok(Self::Role),
            "display-name" => Ok(Self::DisplayName),
            "accessor" => Ok(Self::Accessor),
            _ => match word.strip_prefix("metadata.") {
                Some(key) if !key.is_empty() => Ok(Self::Metadata(key.to_owned())),
                _ => Err(UnknownGrouping(word.to_owned())),
            },
        }
    }
}

impl TryFrom<String> for GroupBy {
    type Error = UnknownGrouping;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        word.parse()
    }
}

impl From<GroupBy> for String {
    fn from(by: GroupBy) -> Self {
        by.to_string()
    }
}

impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entity => f.write_str("entity"),
            Self::Role => f.write_str("role"),
            Self::DisplayName => f.write_str("display-name"),
            Self::Accessor => f.write_str("accessor"),
            Self::Metadata(key) => write!(f, "metadata.{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for word in ["entity", "role", "display-name", "accessor", "metadata.team"] {
            assert_eq!(word.parse::<GroupBy>().map(|g| g.to_string()), Ok(word.to_owned()));
        }
        assert!("metadata.".parse::<GroupBy>().is_err());
        assert!("team".parse::<GroupBy>().is_err());
    }
}
