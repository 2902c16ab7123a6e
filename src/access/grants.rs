//! What an access control list reaches of the known paths, and where it is open-ended.

use super::universe::{Universe, lead};
use crate::policy::acl::Acl;
use crate::vault::{Capability, CapabilitySet, Operation};

/// What a policy set reaches.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Known paths with what is granted on each (`sudo` included where the rule has it), ascending by path.
    pub granted: Vec<(u32, CapabilitySet)>,
    /// Open-ended rules: literal lead and capabilities.
    pub open_ends: Vec<(String, CapabilitySet)>,
    /// Whether it is the root policy: everything, everywhere.
    pub root: bool,
}

impl Reach {
    /// How many (path, capability) pairs.
    #[must_use]
    pub fn pairs(&self) -> u64 {
        self.granted.iter().map(|(_, c)| c.len() as u64).sum()
    }
}

/// The capabilities that a known path can be asked for: list for folders (`a/`), the others for the rest.
#[must_use]
pub fn askable(path: &str) -> CapabilitySet {
    if path.ends_with('/') || path.is_empty() {
        [Capability::List, Capability::Scan].into_iter().collect()
    } else {
        [
            Capability::Create,
            Capability::Read,
            Capability::Update,
            Capability::Patch,
            Capability::Delete,
        ]
        .into_iter()
        .collect()
    }
}

/// What `acl` grants on `path`, among what can be asked of it.
#[must_use]
pub fn granted_on(acl: &Acl, path: &str) -> CapabilitySet {
    let mut granted = CapabilitySet::EMPTY;
    let askable = askable(path);
    if askable.contains(Capability::List) {
        for operation in [Operation::List, Operation::Scan] {
            let check = acl.check(operation, path);
            if let (true, Some(capability)) = (check.allowed, operation.capability()) {
                granted.insert(capability);
                if check.sudo {
                    granted.insert(Capability::Sudo);
                }
            }
        }
        return granted;
    }
    let check = acl.check(Operation::Read, path);
    if acl.is_root() && check.allowed {
        return askable.union(CapabilitySet::of(Capability::Sudo));
    }
    let Some(rule) = check.rule.and_then(|id| acl.rule(id)) else {
        return granted;
    };
    granted = rule.capabilities.intersection(askable);
    if check.sudo && !granted.is_empty() {
        granted.insert(Capability::Sudo);
    }
    granted
}

/// What `acl` reaches of `universe`. Only paths under some rule's literal lead are looked at.
#[must_use]
pub fn reach(acl: &Acl, universe: &Universe) -> Reach {
    let mut open_ends = Vec::new();
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    if acl.is_root() {
        ranges.push((0, universe.len()));
        open_ends.push((
            String::new(),
            askable("x")
                .union(askable("x/"))
                .union(CapabilitySet::of(Capability::Sudo)),
        ));
    }
    for rule in acl.rules() {
        let lead = lead(&rule.pattern);
        let grants = rule.capabilities.difference(CapabilitySet::of(Capability::Deny));
        if !rule.pattern.is_exact() && !grants.is_empty() {
            open_ends.push((lead.to_owned(), grants));
        }
        if !grants.is_empty() {
            let under = universe.under(lead);
            ranges.push((under.start, under.end));
            // An exact `a` also answers the list of `a/`, which stands right behind only in part of the sort order.
            if rule.pattern.is_exact() {
                let folder = universe.under(&format!("{lead}/"));
                ranges.push((folder.start, folder.end.min(folder.start + 1)));
            }
        }
    }
    ranges.sort_unstable();
    let mut granted = Vec::new();
    let mut done = 0;
    for (start, end) in ranges {
        for n in start.max(done)..end {
            let Some(path) = universe.paths().get(n) else { break };
            let capabilities = granted_on(acl, path);
            if !capabilities.is_empty() {
                granted.push((u32::try_from(n).unwrap_or(u32::MAX), capabilities));
            }
        }
        done = done.max(end);
    }
    Reach {
        granted,
        open_ends,
        root: acl.is_root(),
    }
}
