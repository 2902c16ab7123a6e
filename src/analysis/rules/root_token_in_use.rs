//! `root-token-in-use`: requests made with a root token.

use super::about;
use crate::access::{Holder, HolderId};
use crate::advice::Severity;
use crate::analysis::rule::{Context, Draft, Rule, count, quoted};
use crate::vault::PrincipalKind;
use std::collections::BTreeMap;

/// The rule.
pub struct RootTokenInUse;

impl Rule for RootTokenInUse {
    fn id(&self) -> &'static str {
        "root-token-in-use"
    }

    fn severity(&self) -> Severity {
        Severity::High
    }

    fn summary(&self) -> &'static str {
        "requests made with a root token"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        let joined = context.joined;
        // Requests by the folder they went to, for each holder of root.
        let mut used: BTreeMap<HolderId, BTreeMap<&str, u64>> = BTreeMap::new();
        for d in joined.demands.iter().filter(|d| d.was_allowed()) {
            let is_root = joined.holders[d.holder].principal.kind == PrincipalKind::Root || d.demand.held.is_root();
            if is_root {
                *used.entry(d.holder).or_default().entry(folder(&d.path)).or_default() += d.demand.allowed;
            }
        }
        used.into_iter()
            .map(|(h, folders)| {
                let holder = &joined.holders[h];
                let requests: u64 = folders.values().sum();
                let mut most: Vec<(&str, u64)> = folders.into_iter().collect();
                most.sort_by_key(|&(folder, n)| (std::cmp::Reverse(n), folder));
                let most: Vec<String> = most.into_iter().map(|(folder, n)| format!("{folder} ({n})")).collect();
                let mut draft = about::principal(holder);
                draft.title = format!("{} made {}", named(holder), about::requests(requests));
                draft.detail = format!(
                    "It acted on {}, mostly on {}. No policy limits a root token, and nothing of what it may do can be proposed away.",
                    count(holder.days.len().max(1), "day"),
                    quoted(&most, 4),
                );
                draft.remedy = "Give whoever does this a policy of their own, then revoke the token (`vault token revoke`). For an \
                                emergency a new one can be made with `vault operator generate-root`."
                    .to_owned();
                // On one day it may have been the set-up of the server.
                draft.severity = (holder.days.len() > 1).then_some(Severity::Critical);
                draft
            })
            .collect()
    }
}

/// The first two segments of a path.
fn folder(path: &str) -> &str {
    path.match_indices('/')
        .nth(1)
        .and_then(|(at, _)| path.get(..at))
        .unwrap_or(path)
}

/// The token as a reader knows it.
fn named(holder: &Holder) -> String {
    match holder.display() {
        "root token" | "root" => "a root token".to_owned(),
        name => format!("root token `{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::{check, titles};

    #[test]
    fn fixtures() {
        let found = check(
            &RootTokenInUse,
            include_str!("../../../fixtures/rules/root-token-in-use/found.txt"),
        );
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].title, "a root token made 9 requests");
        assert!(
            found[0].detail.contains("`secret/data (6)`, `sys/policies (3)`"),
            "{}",
            found[0].detail
        );
        assert_eq!(found[0].severity, Some(Severity::Critical));
        assert!(
            titles(
                &RootTokenInUse,
                include_str!("../../../fixtures/rules/root-token-in-use/clean.txt")
            )
            .is_empty()
        );
    }
}
