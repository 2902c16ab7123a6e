//! The lists in force today as rules look at them: one for each combination of policies, however many hold it, and which of
//! its rules may meet on a path.

use crate::access::universe::lead;
use crate::access::{AccessSet, HolderId, Joined, PolicyNumber};
use crate::policy::acl::{Acl, Rule, RuleId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// At most so many rules are looked at for one rule: enough for any list written by people.
const MOST_NEIGHBOURS: usize = 512;

/// A combination of policies in force.
pub struct InForce<'a> {
    /// Its list; of holders with templates of their own, the list of the one with most of them filled in.
    pub set: &'a AccessSet,
    /// Who has it today.
    pub holders: Vec<HolderId>,
}

/// The combinations of policies in force today, root aside.
#[must_use]
pub fn combinations(joined: &Joined) -> Vec<InForce<'_>> {
    let mut found: BTreeMap<&[PolicyNumber], InForce<'_>> = BTreeMap::new();
    for (id, set) in joined.sets.numbered().filter(|(_, s)| s.current && !s.acl.is_root()) {
        let holders = set.holders.iter().copied().filter(|&h| joined.holders[h].current == id);
        let combination = found.entry(&set.policies).or_insert(InForce {
            set,
            holders: Vec::new(),
        });
        combination.holders.extend(holders);
        if set.unfilled.len() < combination.set.unfilled.len() {
            combination.set = set;
        }
    }
    found.into_values().collect()
}

/// The rules of a list by the literal text before their first wildcard. Two rules can match one path only if the one's text
/// begins with the other's, and the stronger never has the shorter text.
pub struct Neighbours<'a> {
    acl: &'a Acl,
    sorted: Vec<(&'a str, RuleId)>,
    wide: HashMap<&'a str, Vec<RuleId>>,
    lengths: BTreeSet<usize>,
}

impl<'a> Neighbours<'a> {
    /// Of this list.
    #[must_use]
    pub fn of(acl: &'a Acl) -> Self {
        let mut sorted: Vec<(&str, RuleId)> = Vec::with_capacity(acl.rules().len());
        let mut wide: HashMap<&str, Vec<RuleId>> = HashMap::new();
        let mut lengths = BTreeSet::new();
        for (id, rule) in acl.rules_with_ids() {
            let lead = lead(&rule.pattern);
            sorted.push((lead, id));
            if !rule.pattern.is_exact() {
                wide.entry(lead).or_default().push(id);
                lengths.insert(lead.len());
            }
        }
        sorted.sort_unstable();
        Self {
            acl,
            sorted,
            wide,
            lengths,
        }
    }

    /// Weaker rules that may match a path of `id`, the strongest first.
    #[must_use]
    pub fn weaker(&self, id: RuleId, rule: &Rule) -> Vec<(RuleId, &'a Rule)> {
        let own = lead(&rule.pattern);
        let mut found: Vec<RuleId> = self
            .lengths
            .range(..=own.len())
            .filter_map(|&n| self.wide.get(own.get(..n)?))
            .flatten()
            .copied()
            .filter(|&other| other < id)
            .collect();
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.truncate(MOST_NEIGHBOURS);
        self.with_rules(found)
    }

    /// Stronger rules that may match a path of `id`.
    #[must_use]
    pub fn stronger(&self, id: RuleId, rule: &Rule) -> Vec<(RuleId, &'a Rule)> {
        let own = lead(&rule.pattern);
        let from = self.sorted.partition_point(|(text, _)| *text < own);
        let found = self
            .sorted
            .iter()
            .skip(from)
            .take_while(|(text, _)| text.starts_with(own))
            .map(|&(_, other)| other)
            .filter(|&other| other > id)
            .take(MOST_NEIGHBOURS)
            .collect();
        self.with_rules(found)
    }

    fn with_rules(&self, ids: Vec<RuleId>) -> Vec<(RuleId, &'a Rule)> {
        ids.into_iter()
            .filter_map(|id| Some((id, self.acl.rule(id)?)))
            .collect()
    }
}
