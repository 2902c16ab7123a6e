//! Who acts: the identity that usage and grants are joined on.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// How a principal is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalKind {
    /// An identity entity (`auth.entity_id`).
    Entity,
    /// An auth role, told by the metadata of its tokens.
    Role,
    /// A token without entity or role metadata: display name or accessor.
    Token,
    /// A request that needed no token.
    Unauthenticated,
    /// A root token.
    Root,
}

impl PrincipalKind {
    /// The word in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Entity => "entity",
            Self::Role => "role",
            Self::Token => "token",
            Self::Unauthenticated => "unauthenticated",
            Self::Root => "root",
        }
    }

    /// From the word of outputs.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Entity, Self::Role, Self::Token, Self::Unauthenticated, Self::Root]
            .into_iter()
            .find(|k| k.as_str() == word)
    }
}

impl fmt::Display for PrincipalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The key of a principal: unique over kinds, stable over logs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrincipalId {
    /// How it is known.
    pub kind: PrincipalKind,
    /// Entity id, `mount/role`, display name or accessor, by kind.
    pub id: Arc<str>,
}

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}
