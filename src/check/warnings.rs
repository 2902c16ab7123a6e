//! What the policies say that is legal and a trap, as findings.

use crate::access::{Joined, PolicyNumber};
use crate::advice::{Finding, Severity, Subject};
use crate::analysis::rule::fingerprint;
use crate::deployment::Deployment;
use crate::policy::lint;
use std::sync::Arc;

/// The warnings of `lint` as findings, and what it did not look at.
pub(super) fn warnings(joined: &Joined, deployment: Option<&Deployment>) -> (Vec<Finding>, Option<String>) {
    let mounts = deployment
        .into_iter()
        .flat_map(|d| d.mounts.iter().chain(&d.auth_mounts));
    let pairs = |held: &[PolicyNumber]| -> Vec<(usize, usize)> {
        let later = |n: usize| held.iter().skip(n + 1);
        held.iter()
            .enumerate()
            .flat_map(|(n, one)| later(n).map(move |two| (one.number(), two.number())))
            .collect()
    };
    let somebody = joined.sets.iter().filter(|set| !set.holders.is_empty());
    let context = lint::Context {
        mounts: mounts
            .map(|mount| lint::Mounted {
                path: format!("{}{}", mount.namespace, mount.path),
                kind: mount.kind.clone(),
                kv_version: mount.kv_version,
            })
            .collect(),
        profile: joined.profile,
        // Whoever is not known may hold any two together.
        held_together: (!joined.holders.is_empty() && deployment.is_some_and(|d| d.unread.is_empty()))
            .then(|| somebody.flat_map(|set| pairs(&set.policies)).collect()),
    };
    let found = lint::look(joined.policies.as_slice(), &context);
    let unseen = found.unseen();
    let warnings = found
        .warnings
        .into_iter()
        .map(|w| Finding {
            fingerprint: fingerprint(w.id, "stanza", &format!("{} {}", w.policy, w.path)),
            rule: Arc::from(w.id),
            severity: match w.severity {
                lint::Severity::Note => Severity::Info,
                lint::Severity::Warning => Severity::Low,
            },
            title: if w.path.is_empty() {
                format!("policy `{}`: {}", w.policy, w.message)
            } else {
                format!("`{}` of policy `{}`: {}", w.path, w.policy, w.message)
            },
            detail: String::new(),
            subject: Subject {
                kind: "stanza".to_owned(),
                name: format!("{} {}", w.policy, w.path),
                key: String::new(),
            },
            origins: vec![w.origin],
            evidence: None,
            remedy: w.hint.unwrap_or_default(),
            fixed_in: None,
            stays: None,
            who: Vec::new(),
        })
        .collect();
    (warnings, unseen)
}
