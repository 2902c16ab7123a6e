//! Capabilities of a policy stanza, and small sets of them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One capability as a policy names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Create what does not exist yet.
    Create,
    /// Read.
    Read,
    /// Change what exists.
    Update,
    /// Change a part of what exists.
    Patch,
    /// Delete.
    Delete,
    /// List the names under a path.
    List,
    /// List recursively (OpenBao).
    Scan,
    /// Use a root-protected path.
    Sudo,
    /// Nothing at all: stronger than any other capability of the same pattern.
    Deny,
    /// Subscribe to events (Vault).
    Subscribe,
    /// Recover from a snapshot (Vault).
    Recover,
}

impl Capability {
    /// Every capability, in the order of the bits of [`CapabilitySet`].
    pub const ALL: [Self; 11] = [
        Self::Create,
        Self::Read,
        Self::Update,
        Self::Patch,
        Self::Delete,
        Self::List,
        Self::Scan,
        Self::Sudo,
        Self::Deny,
        Self::Subscribe,
        Self::Recover,
    ];

    /// The word in a policy.
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
            Self::Sudo => "sudo",
            Self::Deny => "deny",
            Self::Subscribe => "subscribe",
            Self::Recover => "recover",
        }
    }

    const fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is no capability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a capability")]
pub struct UnknownCapability(pub String);

impl FromStr for Capability {
    type Err = UnknownCapability;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|c| c.as_str() == word)
            .ok_or_else(|| UnknownCapability(word.to_owned()))
    }
}

/// A set of capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct CapabilitySet(u16);

impl CapabilitySet {
    /// The empty set.
    pub const EMPTY: Self = Self(0);

    /// The set with one member.
    #[must_use]
    pub const fn of(capability: Capability) -> Self {
        Self(capability.bit())
    }

    /// Whether `capability` is in the set.
    #[must_use]
    pub const fn contains(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }

    /// Adds `capability`.
    pub const fn insert(&mut self, capability: Capability) {
        self.0 |= capability.bit();
    }

    /// Takes `capability` out.
    pub const fn remove(&mut self, capability: Capability) {
        self.0 &= !capability.bit();
    }

    /// Members of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Members of both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Members of `self` that are not in `other`.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether every member is in `other`.
    #[must_use]
    pub const fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether there is no member.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many members.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The set with both `create` and `update` where it has either: to a client they are one request, and the server picks by
    /// whether the thing exists.
    #[must_use]
    pub const fn with_write_twin(self) -> Self {
        let both = Self(Capability::Create.bit() | Capability::Update.bit());
        if self.0 & both.0 == 0 { self } else { self.union(both) }
    }

    /// The members in the order of [`Capability::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |c| self.contains(*c))
    }

    /// The bits, for compact storage.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// From stored bits; unknown bits are dropped.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits & 0x07ff)
    }
}

impl FromIterator<Capability> for CapabilitySet {
    fn from_iter<I: IntoIterator<Item = Capability>>(iter: I) -> Self {
        let mut set = Self::EMPTY;
        for c in iter {
            set.insert(c);
        }
        set
    }
}

impl fmt::Display for CapabilitySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, c) in self.iter().enumerate() {
            if n > 0 {
                f.write_str(", ")?;
            }
            f.write_str(c.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_and_sets_behave() {
        for c in Capability::ALL {
            assert_eq!(c.as_str().parse::<Capability>(), Ok(c));
        }
        assert!("Read".parse::<Capability>().is_err());
        let set: CapabilitySet = [Capability::Read, Capability::List].into_iter().collect();
        assert_eq!(set.to_string(), "read, list");
        assert_eq!(set.len(), 2);
        assert!(CapabilitySet::of(Capability::Read).is_subset(set));
        assert_eq!(CapabilitySet::from_bits(set.bits()), set);
        assert_eq!(set.with_write_twin(), set);
        assert_eq!(
            CapabilitySet::of(Capability::Update).with_write_twin().to_string(),
            "create, update"
        );
    }
}
