//! `sudo-unused`: a stanza with `sudo` of which nobody made use.

use super::about;
use crate::advice::Severity;
use crate::analysis::rule::{Context, Draft, Rule, count};
use crate::policy::pattern::Pattern;
use crate::policy::relation::{Relation, relation};
use crate::vault::{Capability, CapabilitySet, protected};
use std::sync::LazyLock;

/// The rule.
pub struct SudoUnused;

/// Root-protected paths whose mount is always at the same place.
static PROTECTED: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    protected::sudo_paths()
        .filter_map(|(kind, path)| match kind {
            "system" => Some(format!("sys/{path}")),
            "token" => Some(format!("auth/token/{path}")),
            _ => None,
        })
        .filter_map(|path| Pattern::parse(&path, "").ok())
        .collect()
});

/// Paths of which the token store itself asks for `sudo` for some requests: no log shows which, so that any use may need it.
const ASKED_INSIDE: [&str; 2] = ["auth/token/create", "auth/token/create-orphan"];

impl Rule for SudoUnused {
    fn id(&self) -> &'static str {
        "sudo-unused"
    }

    fn severity(&self) -> Severity {
        Severity::Medium
    }

    fn summary(&self) -> &'static str {
        "a stanza whose `sudo` nobody used"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        let joined = context.joined;
        let mut drafts = Vec::new();
        for (number, policy) in joined.policies.numbered() {
            let held = &joined.held[number].by;
            for id in joined.policies.stanzas_of(number) {
                let stanza = &joined.policies[id];
                let uses = joined.uses.get(&id);
                let used = uses.is_some_and(|u| u.contains_key(&Capability::Sudo));
                if held.is_empty() || used || !stanza.capability_set().contains(Capability::Sudo) {
                    continue;
                }
                let Ok(pattern) = Pattern::parse(&stanza.path, "") else {
                    continue;
                };
                let mut draft = about::stanza(context, id);
                let evidence = context.evidence_of(number);
                let to = format!(
                    "{} ({})",
                    count(held.len(), "holder"),
                    context.names(held.iter().copied(), 3)
                );
                draft.title = format!("`sudo` on `{}` of policy `{}` was never used", stanza.path, policy.id());
                draft.remedy = "Take `sudo` out of its capabilities.".to_owned();
                if let Some(mend) = &mut draft.mend {
                    mend.capabilities = CapabilitySet::of(Capability::Sudo);
                }
                let inside = ASKED_INSIDE.iter().any(|path| pattern.matches(path));
                if inside
                    || PROTECTED
                        .iter()
                        .any(|path| relation(&pattern, path) != Relation::Disjoint)
                {
                    draft.detail = format!(
                        "It opens paths that need `sudo` to {to}, and nobody requested one of them through it."
                    );
                } else {
                    draft.detail = format!(
                        "It is granted to {to}, and the stanza matches none of the paths under `sys/` and `auth/token/` that need `sudo`: \
                         all it does there is alarm whoever reads it."
                    );
                    draft.severity = Some(Severity::Low);
                }
                draft.evidence = Some(evidence);
                drafts.push(draft);
            }
        }
        about::once(drafts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::{check, titles};

    #[test]
    fn fixtures() {
        let found = check(
            &SudoUnused,
            include_str!("../../../fixtures/rules/sudo-unused/found.txt"),
        );
        let titles_found: Vec<&str> = found.iter().map(|d| &*d.title).collect();
        assert_eq!(
            titles_found,
            [
                "`sudo` on `sys/leases/*` of policy `ops` was never used",
                "`sudo` on `secret/data/app/*` of policy `ops` was never used",
            ]
        );
        assert_eq!(found[1].severity, Some(Severity::Low));
        // The rest of the stanza may stay.
        let mended = found[0].mend.as_ref().unwrap();
        assert_eq!(mended.capabilities, CapabilitySet::of(Capability::Sudo));
        assert!(
            titles(
                &SudoUnused,
                include_str!("../../../fixtures/rules/sudo-unused/clean.txt")
            )
            .is_empty()
        );
    }
}
