//! The decision in its plain form, for comparison: every rule tried by the letter, no tree. Shared by tests and fuzz targets.

use std::cmp::Ordering;
use vault_advisor::policy::acl::{Acl, Rule, RuleId};
use vault_advisor::policy::profile::ListRule;
use vault_advisor::vault::{Capability, Operation};

/// The plain form: every rule tried, the strongest kept, rule by rule as the servers' words have it.
pub struct Scan<'a>(pub &'a Acl);

impl<'a> Scan<'a> {
    fn exact(&self, path: &str) -> Option<RuleId> {
        self.find(|r| r.pattern.is_exact() && &*r.pattern.text == path)
    }

    fn candidates(&self, path: &str) -> Vec<(RuleId, &'a Rule)> {
        let longest = self
            .0
            .rules_with_ids()
            .filter(|(_, r)| r.pattern.is_plain_prefix() && r.pattern.matches(path));
        let longest = longest.max_by_key(|(_, r)| r.pattern.text.len());
        let plus = self
            .0
            .rules_with_ids()
            .filter(|(_, r)| r.pattern.segment_wildcards && r.pattern.matches(path));
        plus.chain(longest).collect()
    }

    fn patterns(&self, path: &str) -> Option<RuleId> {
        strongest(self.candidates(path))
    }

    fn together(&self, path: &str, bare: &str) -> Option<RuleId> {
        let mut all = self.candidates(path);
        all.extend(self.candidates(bare));
        let with = |c| {
            strongest(
                all.iter()
                    .copied()
                    .filter(|(_, r)| r.capabilities.contains(c))
                    .collect(),
            )
        };
        let (deny, list) = (with(Capability::Deny), with(Capability::List));
        match (deny, list) {
            (Some(d), Some(l)) if self.cmp(d, l) == Ordering::Greater => deny,
            (Some(_), None) => deny,
            (_, Some(_)) => list,
            (None, None) => strongest(all),
        }
    }

    pub fn winner(&self, operation: Operation, path: &str) -> Option<RuleId> {
        let rule = self.0.profile().list_rule(operation);
        let exact = self.exact(path);
        let (Some(rule), Some(bare)) = (rule, path.strip_suffix('/')) else {
            return exact.or_else(|| self.patterns(path));
        };
        if let Some(exact) = exact.or_else(|| self.exact(bare)) {
            return Some(exact);
        }
        match rule {
            ListRule::SlashOnly => self.patterns(path),
            ListRule::BareThenSlash => self.patterns(bare).or_else(|| self.patterns(path)),
            ListRule::SlashThenBare => self.patterns(path).or_else(|| self.patterns(bare)),
            ListRule::Together => self.together(path, bare),
        }
    }

    fn cmp(&self, a: RuleId, b: RuleId) -> Ordering {
        let pattern = |id| &self.0.rule(id).unwrap().pattern;
        pattern(a).cmp_strength(pattern(b))
    }

    fn find(&self, wanted: impl Fn(&Rule) -> bool) -> Option<RuleId> {
        self.0.rules_with_ids().find(|(_, r)| wanted(r)).map(|(id, _)| id)
    }
}

fn strongest(candidates: Vec<(RuleId, &Rule)>) -> Option<RuleId> {
    candidates
        .into_iter()
        .max_by(|(_, a), (_, b)| a.pattern.cmp_strength(&b.pattern))
        .map(|(id, _)| id)
}
