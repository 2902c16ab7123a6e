//! What a rule is, and what it may look at.

use super::access_graph::Chain;
use super::evidence::Watch;
use super::risk::Exposure;
use crate::access::{HolderId, Joined};
use crate::advice::{Evidence, EvidenceState, Finding, Severity, Subject};
use crate::deployment::Deployment;
use crate::origin::Origin;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// All that a rule may look at.
pub struct Context<'a> {
    /// Usage joined with grants.
    pub joined: &'a Joined,
    /// The deployment, where one was given.
    pub deployment: Option<&'a Deployment>,
    /// How well an "unused" is known, by policy.
    pub evidence: &'a [Evidence],
    /// What each holder is exposed to, by holder.
    pub exposures: &'a [Exposure],
    /// Chains of escalation.
    pub chains: &'a [Chain],
    /// What the logs are worth.
    pub watch: &'a Watch,
}

impl Context<'_> {
    /// The evidence of a policy's "unused".
    #[must_use]
    pub fn evidence_of(&self, policy: usize) -> Evidence {
        self.evidence.get(policy).cloned().unwrap_or(Evidence {
            state: EvidenceState::Suspect,
            ..Evidence::default()
        })
    }

    /// The name of a holder.
    #[must_use]
    pub fn name(&self, holder: HolderId) -> &str {
        self.joined.holders.get(holder).map_or("?", |h| h.display())
    }

    /// The names of holders, at most `most`, and how many more.
    #[must_use]
    pub fn names(&self, holders: impl IntoIterator<Item = HolderId>, most: usize) -> String {
        let all: Vec<&str> = holders.into_iter().map(|h| self.name(h)).collect();
        let shown: Vec<String> = all.iter().take(most).map(|n| format!("`{n}`")).collect();
        match all.len().saturating_sub(most) {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    }
}

/// A rule: one file, one id, one page of docs.
pub trait Rule: Sync {
    /// Its id, as in `docs/rules/ID.md`.
    fn id(&self) -> &'static str;
    /// How grave its findings are, unless the settings say otherwise.
    fn severity(&self) -> Severity;
    /// One line for lists.
    fn summary(&self) -> &'static str;
    /// Looks for findings.
    fn check(&self, context: &Context<'_>) -> Vec<Draft>;
}

/// A finding as a rule sees it; id, severity and fingerprint are added by the caller.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    /// `policy`, `stanza`, `capability`, `principal`, `role`, `group`, `server`.
    pub kind: &'static str,
    /// What it is about, as the reader knows it.
    pub name: String,
    /// What keeps it the same finding when lines move and files are renamed: policy, stanza path, capability, ...
    pub key: String,
    /// One line.
    pub title: String,
    /// A few sentences.
    pub detail: String,
    /// Places in policy files.
    pub origins: Vec<Origin>,
    /// How well it is known.
    pub evidence: Option<Evidence>,
    /// What to do.
    pub remedy: String,
    /// The policy whose diff mends it.
    pub fixed_in: Option<String>,
    /// Where this one is graver or lighter than its rule.
    pub severity: Option<Severity>,
}

/// `1 holder`, `3 holders`.
#[must_use]
pub fn count(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}

/// Runs one rule.
#[must_use]
pub fn run(rule: &dyn Rule, severity: Severity, context: &Context<'_>) -> Vec<Finding> {
    rule.check(context)
        .into_iter()
        .map(|draft| Finding {
            fingerprint: fingerprint(rule.id(), draft.kind, &draft.key),
            rule: Arc::from(rule.id()),
            severity: draft.severity.unwrap_or(severity),
            title: draft.title,
            detail: draft.detail,
            subject: Subject {
                kind: draft.kind.to_owned(),
                name: draft.name,
            },
            origins: draft.origins,
            evidence: draft.evidence,
            remedy: draft.remedy,
            fixed_in: draft.fixed_in,
        })
        .collect()
}

/// A hash over rule, kind and key: short, stable, and none that somebody could call a policy so that its finding has the
/// fingerprint of another, which a baseline knows or a waiver covers.
#[must_use]
pub fn fingerprint(rule: &str, kind: &str, key: &str) -> String {
    let mut hash = Sha256::new();
    for part in [rule, kind, key] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let hex: String = hash
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{rule}-{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_stable_and_differ() {
        assert_eq!(fingerprint("a", "policy", "x"), fingerprint("a", "policy", "x"));
        assert_ne!(fingerprint("a", "policy", "x"), fingerprint("a", "policy", "y"));
        assert_ne!(fingerprint("a", "bc", "x"), fingerprint("ab", "c", "x"));
    }
}
