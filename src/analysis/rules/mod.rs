//! The rules: one file each, with its id, severity, fixtures (`fixtures/rules/ID/`), test and a page in `docs/rules/`.

mod about;
mod broad_glob;
mod dangling_group_or_role;
mod default_policy_widened;
mod dormant_principal;
mod escalation_path;
mod in_force;
mod ineffective_deny;
mod near_duplicate_policies;
mod policy_held_only_through_delegation;
mod policy_missing;
mod repeated_denials;
mod root_token_in_use;
mod shadowed_stanza;
mod stanza_revokes_by_accident;
mod sudo_unused;
mod unused_capability;
mod unused_policy;
mod unused_stanza;
mod wildcard_on_control_paths;

#[cfg(test)]
pub(crate) mod testing;

pub use shadowed_stanza::ID as SHADOWED;

use super::rule::Rule;

/// Every rule, in the order of the documentation.
#[must_use]
pub fn all() -> Vec<&'static dyn Rule> {
    vec![
        &unused_policy::UnusedPolicy,
        &unused_stanza::UnusedStanza,
        &unused_capability::UnusedCapability,
        &broad_glob::BroadGlob,
        &dormant_principal::DormantPrincipal,
        &policy_missing::PolicyMissing,
        &shadowed_stanza::ShadowedStanza,
        &ineffective_deny::IneffectiveDeny,
        &stanza_revokes_by_accident::StanzaRevokesByAccident,
        &root_token_in_use::RootTokenInUse,
        &sudo_unused::SudoUnused,
        &escalation_path::EscalationPath,
        &wildcard_on_control_paths::WildcardOnControlPaths,
        &default_policy_widened::DefaultPolicyWidened,
        &repeated_denials::RepeatedDenials,
        &dangling_group_or_role::DanglingGroupOrRole,
        &near_duplicate_policies::NearDuplicatePolicies,
        &policy_held_only_through_delegation::PolicyHeldOnlyThroughDelegation,
    ]
}

/// The page of a rule in Markdown; empty for an id that is none of [`all`].
#[must_use]
pub fn page(id: &str) -> &'static str {
    macro_rules! pages {
        ($($id:literal),* $(,)?) => {
            match id {
                $($id => include_str!(concat!("../../../docs/rules/", $id, ".md")),)*
                _ => "",
            }
        };
    }
    pages!(
        "unused-policy",
        "unused-stanza",
        "unused-capability",
        "broad-glob",
        "dormant-principal",
        "policy-missing",
        "shadowed-stanza",
        "ineffective-deny",
        "stanza-revokes-by-accident",
        "root-token-in-use",
        "sudo-unused",
        "escalation-path",
        "wildcard-on-control-paths",
        "default-policy-widened",
        "repeated-denials",
        "dangling-group-or-role",
        "near-duplicate-policies",
        "policy-held-only-through-delegation",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::lint;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    const HEADINGS: [&str; 4] = ["## What it does", "## Why it matters", "## Example", "## Use instead"];

    #[test]
    fn every_rule_has_a_page_and_fixtures_of_its_own() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut ids = BTreeSet::new();
        for rule in all() {
            let id = rule.id();
            assert!(ids.insert(id), "two rules are called `{id}`");
            assert!(!rule.summary().is_empty() && !rule.summary().ends_with('.'), "{id}");
            let page = page(id);
            assert!(
                page.starts_with(&format!("# {id}: ")),
                "the page of `{id}` has no title"
            );
            let headings: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
            assert_eq!(headings, HEADINGS, "headings of `{id}`");
            for case in ["found.txt", "clean.txt"] {
                assert!(
                    root.join("fixtures/rules").join(id).join(case).is_file(),
                    "`{id}` has no {case}"
                );
            }
        }
    }

    #[test]
    fn every_page_is_of_a_rule_or_a_warning() {
        // The gate's own rules stand a floor above; a test there holds that each has its page.
        let of_the_gate = [
            "new-access",
            "policy-unreadable",
            "not-checked",
            "policy-gone",
            "gate-changed",
            "waiver-new",
            "risk-over-budget",
            "waiver-expired",
            "waiver-unused",
            "waiver-invalid",
            "waiver-new",
            "policy-gone",
            "gate-changed",
        ];
        let own = all().into_iter().map(|rule| rule.id());
        let known: BTreeSet<&str> = own.chain(lint::IDS).chain(of_the_gate).collect();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules");
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap();
            assert!(known.contains(name) || name == "README", "no rule is called `{name}`");
        }
        assert_eq!(page("no-such-rule"), "");
    }

    #[test]
    fn nothing_to_look_at_is_nothing_to_find() {
        let case =
            testing::Case::read("== policy app\npath \"a\" { capabilities = [\"read\"] }\n== usage\nweb (app): read a");
        for rule in all() {
            assert_eq!(case.check(rule), [], "{}", rule.id());
        }
    }
}
