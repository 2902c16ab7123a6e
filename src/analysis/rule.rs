//! What a rule is, and what it may look at.

use super::access_graph::Chain;
use super::evidence::Watch;
use super::risk::Exposure;
pub use super::words::{count, quoted};
use crate::access::{Holder, HolderId, Joined, PolicyNumber, StanzaId};
use crate::advice::{Evidence, Finding, Severity, Subject, Unused};
use crate::deployment::Deployment;
use crate::index::IndexVec;
use crate::origin::Origin;
use crate::policy::model::{Policy, Stanza};
use crate::policy::pattern::Pattern;
use crate::policy::relation::implies;
use crate::vault::{Capability, CapabilitySet};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// All that a rule may look at.
pub struct Context<'a> {
    /// Usage joined with grants.
    pub joined: &'a Joined,
    /// The deployment, where one was given.
    pub deployment: Option<&'a Deployment>,
    /// How well an "unused" is known, by policy.
    pub evidence: &'a IndexVec<Policy, Evidence>,
    /// What each holder is exposed to, by holder.
    pub exposures: &'a IndexVec<Holder, Exposure>,
    /// Chains of escalation.
    pub chains: &'a [Chain],
    /// What the logs are worth.
    pub watch: &'a Watch,
    /// What is proposed, where a proposal is made.
    pub after: Option<Proposed<'a>>,
}

/// What is proposed, as far as findings speak of it.
#[derive(Clone, Copy)]
pub struct Proposed<'a> {
    /// The policies as they are to be.
    pub policies: &'a [Policy],
    /// Why something of a stanza stays that nobody used, all of it or a capability.
    pub stays: &'a (dyn Fn(StanzaId, Option<Capability>) -> Option<Unused> + Sync),
}

/// What a proposal has to take away for a finding to be gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mend {
    /// The policy.
    pub policy: PolicyNumber,
    /// The stanza; none for the policy as a whole.
    pub stanza: Option<StanzaId>,
    /// These capabilities of it; the whole stanza where there are none.
    pub capabilities: CapabilitySet,
}

impl Context<'_> {
    /// The policy whose proposed text no longer has what a finding is about: read off that text, and said of nothing else.
    #[must_use]
    pub fn mended(&self, mend: &Mend) -> Option<String> {
        let after = self.after?.policies;
        let today = &self.joined.policies[mend.policy];
        let Some(proposed) = after.iter().find(|policy| policy.id() == today.id()) else {
            return Some(today.id().to_string());
        };
        let stanza = &self.joined.policies[mend.stanza?];
        let whole = Pattern::parse(&stanza.path, &today.namespace).ok();
        let is_part = |other: &Stanza| {
            let other = Pattern::parse(&other.path, &today.namespace).ok();
            // What is no pattern to us may be part of anything.
            other
                .zip(whole.as_ref())
                .is_none_or(|(other, whole)| implies(&other, whole))
        };
        let stays = |other: &Stanza| {
            if mend.capabilities.is_empty() {
                return other.path == stanza.path;
            }
            let granted = other.capability_set().intersection(mend.capabilities);
            let decided_before =
                |before: &Stanza| before.path == other.path && granted.difference(before.capability_set()).is_empty();
            // A narrower stanza that is there today decided its own paths before, too.
            let is_what_is_left = || is_part(other) && !today.stanzas.iter().any(decided_before);
            !granted.is_empty() && (other.path == stanza.path || is_what_is_left())
        };
        (!proposed.stanzas.iter().any(stays)).then(|| today.id().to_string())
    }

    /// Why nothing that is proposed mends it: the reason for which it stays. Said of what is not used alone.
    #[must_use]
    pub fn stays(&self, mend: &Mend) -> Option<Unused> {
        let stays = self.after?.stays;
        let of = |id: StanzaId| match mend.capabilities.is_empty() {
            true => stays(id, None),
            false => mend.capabilities.iter().find_map(|one| stays(id, Some(one))),
        };
        match mend.stanza {
            Some(id) => of(id),
            None => self.joined.policies.stanzas_of(mend.policy).find_map(of),
        }
    }

    /// The evidence of a policy's "unused".
    #[must_use]
    pub fn evidence_of(&self, policy: PolicyNumber) -> Evidence {
        self.evidence[policy].clone()
    }

    /// The name of a holder.
    #[must_use]
    pub fn name(&self, holder: HolderId) -> &str {
        self.joined.holders[holder].display()
    }

    /// Whether anything says who holds what: a deployment, or logs.
    #[must_use]
    pub fn knows_holders(&self) -> bool {
        self.deployment.is_some() || !self.joined.holders.is_empty()
    }

    /// Whether anything says what is used.
    #[must_use]
    pub fn knows_use(&self) -> bool {
        !self.joined.demands.is_empty()
    }

    /// Who holds a policy: so many holders, or that nothing tells it.
    #[must_use]
    pub fn holders_of(&self, policy: PolicyNumber) -> String {
        match self.knows_holders() {
            true => count(self.joined.held[policy].by.len(), "holder"),
            false => "whoever holds it (no deployment and no usage were given that say who)".to_owned(),
        }
    }

    /// The names of holders, at most `most`, and how many more.
    #[must_use]
    pub fn names(&self, holders: impl IntoIterator<Item = HolderId>, most: usize) -> String {
        let all: Vec<&str> = holders.into_iter().map(|h| self.name(h)).collect();
        quoted(&all, most)
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
    /// What has to go for it to be gone.
    pub mend: Option<Mend>,
    /// Who is meant, where it is about several principals.
    pub who: Vec<HolderId>,
    /// Where this one is graver or lighter than its rule.
    pub severity: Option<Severity>,
}

/// Runs one rule.
#[must_use]
pub fn run(rule: &dyn Rule, severity: Severity, context: &Context<'_>) -> Vec<Finding> {
    rule.check(context)
        .into_iter()
        .map(|draft| {
            let fixed_in = draft.mend.as_ref().and_then(|mend| context.mended(mend));
            let open = draft
                .mend
                .as_ref()
                .filter(|_| fixed_in.is_none() && draft.evidence.is_some());
            let stays = open.and_then(|mend| context.stays(mend));
            finding((rule, severity), context, draft, (fixed_in, stays))
        })
        .collect()
}

fn finding(
    (rule, severity): (&dyn Rule, Severity),
    context: &Context<'_>,
    draft: Draft,
    (fixed_in, stays): (Option<String>, Option<Unused>),
) -> Finding {
    Finding {
        fingerprint: fingerprint(rule.id(), draft.kind, &draft.key),
        rule: Arc::from(rule.id()),
        severity: draft.severity.unwrap_or(severity),
        title: draft.title,
        detail: draft.detail,
        subject: Subject {
            kind: draft.kind.to_owned(),
            name: draft.name,
            key: draft.key,
        },
        origins: draft.origins,
        evidence: draft.evidence,
        remedy: draft.remedy,
        fixed_in,
        stays,
        who: draft.who.iter().map(|&h| context.name(h).to_owned()).collect(),
    }
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
        // Baselines and decisions of users hold such texts.
        assert_eq!(fingerprint("a", "policy", "x"), "a-c7a7ac2afc4bbf53");
        assert_ne!(fingerprint("a", "policy", "x"), fingerprint("a", "policy", "y"));
        assert_ne!(fingerprint("a", "bc", "x"), fingerprint("ab", "c", "x"));
    }
}
