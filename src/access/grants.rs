//! What an access control list reaches of the known paths, and where it is open-ended.

use super::universe::{Universe, lead};
use crate::policy::acl::{Acl, RuleId};
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

/// What one rule of a list grants on a path, among what can be asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// The rule; none where the root policy grants.
    pub rule: Option<RuleId>,
    /// What it grants.
    pub capabilities: CapabilitySet,
}

/// What `acl` grants on `path`, rule by rule: a listing and a scan of one folder may be decided by two. No capability is in both.
pub fn rights_on(acl: &Acl, path: &str) -> impl Iterator<Item = Right> + use<> {
    let askable = askable(path);
    let mut rights: [Option<Right>; 2] = [None, None];
    if askable.contains(Capability::List) {
        let mut already = CapabilitySet::EMPTY;
        for (right, operation) in rights.iter_mut().zip([Operation::List, Operation::Scan]) {
            let check = acl.check(operation, path);
            if let (true, Some(capability)) = (check.allowed, operation.capability()) {
                let mut capabilities = CapabilitySet::of(capability);
                if check.sudo {
                    capabilities.insert(Capability::Sudo);
                }
                let capabilities = capabilities.difference(already);
                already = already.union(capabilities);
                let rule = check.rule;
                *right = Some(Right { rule, capabilities });
            }
        }
    } else {
        let check = acl.check(Operation::Read, path);
        let granted = match check.rule.and_then(|id| acl.rule(id)) {
            _ if acl.is_root() && check.allowed => askable.union(CapabilitySet::of(Capability::Sudo)),
            Some(rule) => {
                let granted = rule.capabilities.intersection(askable);
                let sudo = check.sudo && !granted.is_empty();
                granted.union(if sudo {
                    CapabilitySet::of(Capability::Sudo)
                } else {
                    CapabilitySet::EMPTY
                })
            }
            None => CapabilitySet::EMPTY,
        };
        rights[0] = (!granted.is_empty()).then_some(Right {
            rule: check.rule,
            capabilities: granted,
        });
    }
    rights.into_iter().flatten()
}

/// What `acl` grants on `path`, among what can be asked of it.
#[must_use]
pub fn granted_on(acl: &Acl, path: &str) -> CapabilitySet {
    rights_on(acl, path).fold(CapabilitySet::EMPTY, |all, right| all.union(right.capabilities))
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
