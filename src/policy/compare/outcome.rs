//! What a comparison says: requests that one list allows and the other does not, and what stayed open.

use crate::origin::Origin;
use crate::policy::acl::{Acl, Request};
use crate::policy::constraints::Data;
use crate::policy::profile::Profile;
use crate::vault::{CapabilitySet, Operation};
use std::fmt;
use std::sync::Arc;

/// A request that shows a difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// What it asks to do.
    pub operation: Operation,
    /// The path, namespace in front.
    pub path: String,
    /// Its parameters, where it needs any.
    pub data: Option<Data>,
    /// The wrapping TTL it asks for in nanoseconds; none for no wrapping.
    pub wrap_ttl_ns: Option<i64>,
}

impl Asked {
    /// As the engine takes it.
    #[must_use]
    pub fn request(&self) -> Request<'_> {
        Request {
            operation: self.operation,
            path: &self.path,
            data: self.data.as_ref(),
            wrap_ttl_ns: self.wrap_ttl_ns,
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}",
            self.operation,
            if self.path.is_empty() { "\"\"" } else { &self.path }
        )?;
        if let Some(data) = &self.data {
            let text = serde_json::to_string(data).map_err(|_| fmt::Error)?;
            write!(f, " with data {text}")?;
        }
        match self.wrap_ttl_ns {
            None => Ok(()),
            Some(ns) if ns % 1_000_000_000 == 0 => write!(f, " wrapped for {}s", ns / 1_000_000_000),
            Some(ns) => write!(f, " wrapped for {ns}ns"),
        }
    }
}

/// In what two lists differ on a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Aspect {
    /// One allows it, the other denies it.
    Access,
    /// Both allow it, and one gives `sudo` besides, which root-protected paths need.
    Sudo,
    /// One gives `subscribe` on the path, to which no audited operation belongs.
    Subscribe,
    /// Both allow it, and one asks less besides; what the other asks for, in words.
    Condition(String),
}

impl Aspect {
    /// The word in outputs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Sudo => "sudo",
            Self::Subscribe => "subscribe",
            Self::Condition(_) => "condition",
        }
    }
}

/// The rule that decides a request, as far as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decider {
    /// Its pattern, as a policy would have it; `root` stands for the root policy.
    pub pattern: String,
    /// What it gives.
    pub capabilities: CapabilitySet,
    /// The policies and the places of its stanzas.
    pub sources: Vec<(Arc<str>, Origin)>,
}

/// The pattern and what it gives; where it stands is told by each reader in its own way.
impl fmt::Display for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ", self.pattern)?;
        if self.capabilities.is_empty() {
            f.write_str("(no capability)")
        } else {
            write!(f, "({})", self.capabilities)
        }
    }
}

/// One difference: a request allowed by the one and not by the other, with what decides it on either side.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// In what they differ.
    pub aspect: Aspect,
    /// The request; checked with the engine.
    pub asked: Asked,
    /// What decides it in the old list; none where nothing matches.
    pub old: Option<Decider>,
    /// What decides it in the new list.
    pub new: Option<Decider>,
    /// Circumstances in which it shows, in words; empty where it always does.
    pub when: Vec<String>,
}

/// A pair of rules that could not be told apart for certain.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// The operation and a path that the two rules decide.
    pub asked: Asked,
    /// What decides it in the old list.
    pub old: Option<Decider>,
    /// What decides it in the new list.
    pub new: Option<Decider>,
    /// Why it is open.
    pub reason: String,
}

/// The whole comparison of two lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The servers' profile.
    pub profile: Profile,
    /// What the new list gives beyond the old.
    pub gained: Vec<Difference>,
    /// What the old list gives beyond the new.
    pub lost: Vec<Difference>,
    /// What may be gained, and was neither shown nor ruled out.
    pub open_gained: Vec<Open>,
    /// What may be lost, and was neither shown nor ruled out.
    pub open_lost: Vec<Open>,
    /// Why not every kind of path was looked at, where that is so.
    pub incomplete: Option<String>,
    /// How many kinds of paths were looked at.
    pub kinds_of_paths: usize,
}

impl Comparison {
    /// Whether both lists are proven to decide every request alike.
    #[must_use]
    pub const fn is_equal(&self) -> bool {
        self.lost.is_empty() && self.open_lost.is_empty() && self.grants_nothing_new()
    }

    /// Whether it is proven that the new list gives nothing beyond the old.
    #[must_use]
    pub const fn grants_nothing_new(&self) -> bool {
        self.gained.is_empty() && self.open_gained.is_empty() && self.incomplete.is_none()
    }

    /// The first of what the new list gives beyond the old: its shortest example.
    #[must_use]
    pub fn new_access(&self) -> Option<&Difference> {
        self.gained.first()
    }
}

/// The answer to: does the new list give nothing beyond the old?
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Nothing, proven.
    Proven,
    /// It does: this.
    Witness(Box<Difference>),
    /// Neither proven nor refuted, and why.
    Undecided(String),
}

impl Verdict {
    /// Whether it is proven that there is nothing.
    #[must_use]
    pub const fn is_proven(&self) -> bool {
        matches!(self, Self::Proven)
    }
}

/// Whether the example that a difference shows holds, by the engine itself.
#[must_use]
pub(super) fn holds(aspect: &Aspect, asked: &Asked, more: &Acl, less: &Acl) -> bool {
    let (more, less) = (more.decide(&asked.request()), less.decide(&asked.request()));
    match aspect {
        Aspect::Access => more.allowed && !less.allowed,
        Aspect::Sudo => more.allowed && less.allowed && more.sudo && !less.sudo,
        Aspect::Condition(_) => more.allowed && less.allowed,
        Aspect::Subscribe => true,
    }
}
