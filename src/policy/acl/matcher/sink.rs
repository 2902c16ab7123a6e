//! What a walk does with the rules it finds: keep the strongest, keep all, or keep what a LIST is decided by.

use crate::policy::acl::rule::RuleId;
use crate::vault::{Capability, CapabilitySet};

/// A rule's id plus one; zero for none.
pub type Mark = u32;

/// What a walk does with the rules it finds.
pub trait Sink {
    /// Takes a rule that matches.
    fn take(&mut self, mark: Mark);
    /// Rules up to this mark need not be found.
    fn floor(&self) -> Mark;
}

/// Keeps the strongest.
#[derive(Default)]
pub struct Best(Mark);

impl Sink for Best {
    fn take(&mut self, mark: Mark) {
        self.0 = self.0.max(mark);
    }

    fn floor(&self) -> Mark {
        self.0
    }
}

impl Best {
    pub fn id(&self) -> Option<RuleId> {
        id_of(self.0)
    }
}

/// Keeps all.
#[derive(Default)]
pub struct Collect(Vec<Mark>);

impl Sink for Collect {
    fn take(&mut self, mark: Mark) {
        self.0.push(mark);
    }

    fn floor(&self) -> Mark {
        0
    }
}

impl Collect {
    pub fn into_ids(self) -> Vec<RuleId> {
        self.0.into_iter().filter_map(id_of).collect()
    }
}

/// Keeps the strongest, the strongest deny and the strongest that grants list; of prefixes without `+` the longest only, one a path.
pub struct Ranked<'a> {
    capabilities: &'a [CapabilitySet],
    plain_prefixes: &'a [bool],
    prefix: Mark,
    all: Mark,
    deny: Mark,
    list: Mark,
}

impl<'a> Ranked<'a> {
    pub const fn new(capabilities: &'a [CapabilitySet], plain_prefixes: &'a [bool]) -> Self {
        Self {
            capabilities,
            plain_prefixes,
            prefix: 0,
            all: 0,
            deny: 0,
            list: 0,
        }
    }

    fn count(&mut self, mark: Mark) {
        let Some(id) = id_of(mark) else {
            return;
        };
        self.all = self.all.max(mark);
        let Some(capabilities) = self.capabilities.get(id.index()) else {
            return;
        };
        if capabilities.contains(Capability::Deny) {
            self.deny = self.deny.max(mark);
        }
        if capabilities.contains(Capability::List) {
            self.list = self.list.max(mark);
        }
    }

    /// Counts the longest prefix of the path that was walked.
    pub fn end_of_path(&mut self) {
        let longest = std::mem::take(&mut self.prefix);
        self.count(longest);
    }

    pub fn best(&self) -> Option<RuleId> {
        id_of(self.all)
    }

    pub fn deny(&self) -> Option<RuleId> {
        id_of(self.deny)
    }

    pub fn list(&self) -> Option<RuleId> {
        id_of(self.list)
    }
}

impl Sink for Ranked<'_> {
    fn take(&mut self, mark: Mark) {
        let plain = id_of(mark).and_then(|id| self.plain_prefixes.get(id.index())) == Some(&true);
        if plain {
            // The longer of two prefixes is the stronger, so the greater mark is the longest prefix.
            self.prefix = self.prefix.max(mark);
        } else {
            self.count(mark);
        }
    }

    fn floor(&self) -> Mark {
        0
    }
}

const fn id_of(mark: Mark) -> Option<RuleId> {
    match mark.checked_sub(1) {
        Some(index) => Some(RuleId(index)),
        None => None,
    }
}
