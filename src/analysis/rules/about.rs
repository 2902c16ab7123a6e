//! Drafts as most rules begin them: about a stanza, a policy or a principal, with the key that keeps them the same finding.

use crate::access::{Holder, StanzaId};
use crate::analysis::rule::{Context, Draft, Mend};
use crate::origin::Origin;
use crate::policy::model::{Policy, Stanza};
use crate::units::number;
use crate::vault::CapabilitySet;
use std::collections::HashMap;

/// The servers' own policies: nobody writes them, or everybody has them.
pub const BUILT_IN: [&str; 4] = ["root", "default", "response-wrapping", "control-group"];

/// Whether the servers bring a policy of this name themselves.
#[must_use]
pub fn is_built_in(name: &str) -> bool {
    BUILT_IN.contains(&name)
}

/// A draft about a stanza.
#[must_use]
pub fn stanza(context: &Context<'_>, id: StanzaId) -> Draft {
    let policies = &context.joined.policies;
    let (policy, stanza) = (&policies[id.policy()], &policies[id]);
    Draft {
        kind: "stanza",
        name: format!("{} {}", policy.id(), stanza.path),
        key: stanza_key(policy, stanza),
        origins: vec![stanza.origin.clone()],
        mend: Some(Mend {
            policy: id.policy(),
            stanza: Some(id),
            capabilities: CapabilitySet::EMPTY,
        }),
        ..Draft::default()
    }
}

/// What tells a stanza from all others: namespace, policy and path.
#[must_use]
pub fn stanza_key(policy: &Policy, stanza: &Stanza) -> String {
    format!("{}{} {}", policy.namespace, policy.name, stanza.path)
}

/// A draft about a policy.
#[must_use]
pub fn policy(policy: &Policy) -> Draft {
    Draft {
        kind: "policy",
        name: policy.id().to_string(),
        key: format!("{}{}", policy.namespace, policy.name),
        origins: vec![beginning(policy)],
        ..Draft::default()
    }
}

/// A draft about a principal.
#[must_use]
pub fn principal(holder: &Holder) -> Draft {
    Draft {
        kind: "principal",
        name: holder.display().to_owned(),
        key: holder.key(),
        ..Draft::default()
    }
}

/// The place of a policy's first stanza, or the beginning of its file.
#[must_use]
pub fn beginning(policy: &Policy) -> Origin {
    policy
        .stanzas
        .first()
        .map_or_else(|| Origin::new(policy.file.clone(), 1, 1), |s| s.origin.clone())
}

/// One draft a key: the same path may stand twice in a policy, and then both places belong to one finding.
#[must_use]
pub fn once(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut at: HashMap<String, usize> = HashMap::new();
    let mut kept: Vec<Draft> = Vec::with_capacity(drafts.len());
    for draft in drafts {
        match at.get(&draft.key).and_then(|&n| kept.get_mut(n)) {
            Some(earlier) => earlier.origins.extend(draft.origins),
            None => {
                at.insert(draft.key.clone(), kept.len());
                kept.push(draft);
            }
        }
    }
    kept
}

/// Stanzas with their policies, at most `most`, and how many more.
#[must_use]
pub fn stanzas(context: &Context<'_>, ids: impl IntoIterator<Item = StanzaId>, most: usize) -> String {
    let named = |id: StanzaId| {
        let policies = &context.joined.policies;
        format!("`{}` of policy `{}`", policies[id].path, policies[id.policy()].id())
    };
    let all: Vec<String> = ids.into_iter().map(named).collect();
    let shown = all.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// A number of requests in words.
#[must_use]
pub fn requests(n: u64) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} request{s}", number(n))
}
