//! `wildcard-on-control-paths`: a wildcard below `sys/`, `auth/` or `identity/`.

use super::about;
use crate::access::universe::lead;
use crate::advice::Severity;
use crate::analysis::rule::{Context, Draft, Rule};
use crate::deployment::Deployment;
use crate::policy::pattern::Pattern;
use crate::policy::relation::implies;
use crate::vault::{Capability, CapabilitySet};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The rule.
pub struct WildcardOnControlPaths;

/// Paths that every token may have, or that do no more than compute.
static HARMLESS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    [
        "sys/tools/*",
        "sys/wrapping/*",
        "sys/internal/ui/*",
        "sys/leases/renew/*",
        "identity/oidc/provider/+/authorize",
        "identity/oidc/token/*",
    ]
    .into_iter()
    .filter_map(|path| Pattern::parse(path, "").ok())
    .collect()
});

/// With so many segments named before the wildcard it stays below one object, such as one role.
const NAMED_SEGMENTS: usize = 4;

impl Rule for WildcardOnControlPaths {
    fn id(&self) -> &'static str {
        "wildcard-on-control-paths"
    }

    fn severity(&self) -> Severity {
        Severity::High
    }

    fn summary(&self) -> &'static str {
        "a wildcard over paths that control the server: sys/, auth/, identity/"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        let joined = context.joined;
        let namespaces: BTreeSet<&str> = context
            .deployment
            .map(|d: &Deployment| d.namespaces.iter().map(String::as_str).collect())
            .unwrap_or_default();
        let mut drafts = Vec::new();
        for (number, policy) in joined.policies.numbered() {
            let held = &joined.held[number].by;
            for id in joined.policies.stanzas_of(number) {
                let stanza = &joined.policies[id];
                let grants = stanza.capability_set();
                // `sudo` is no operation: alone it allows nothing.
                let mut asked = grants;
                asked.remove(Capability::Sudo);
                if asked.is_empty() || grants.contains(Capability::Deny) {
                    continue;
                }
                let path = stanza.bare_path();
                let Ok(pattern) = Pattern::parse(below_namespace(path, &namespaces), "") else {
                    continue;
                };
                let Some(reach) = reach(&pattern) else {
                    continue;
                };
                let mut draft = about::stanza(context, id);
                let writing = asked.difference(reading());
                let verb = if writing.is_empty() { "reads" } else { "writes" };
                draft.title = format!("`{}` of policy `{}` {verb} {}", stanza.path, policy.id(), reach.words);
                let used = joined.uses.get(&id).map_or(0, |u| u.values().map(|u| u.requests).sum());
                draft.detail = format!(
                    "It grants {grants} to {}, on all that exists there and all that ever will; {}.",
                    context.holders_of(number),
                    match used {
                        _ if !context.knows_use() => "what was used of it is not known".to_owned(),
                        0 => "no request was made through it".to_owned(),
                        1 => "1 request was made through it".to_owned(),
                        _ => format!("{} were made through it", about::requests(used)),
                    },
                );
                draft.remedy = "Name the endpoints in use, each with the capabilities it needs.".to_owned();
                draft.severity = match (writing.is_empty(), reach.wide) {
                    (true, false) => Some(Severity::Low),
                    (true, true) => Some(Severity::Medium),
                    (false, false) => None,
                    (false, true) => Some(Severity::Critical),
                };
                draft.evidence = (used == 0 && !held.is_empty()).then(|| context.evidence_of(number));
                drafts.push(draft);
            }
        }
        about::once(drafts)
    }
}

fn reading() -> CapabilitySet {
    [
        Capability::Read,
        Capability::List,
        Capability::Scan,
        Capability::Subscribe,
    ]
    .into_iter()
    .collect()
}

struct Reach {
    words: String,
    /// Whether it covers one of the three altogether.
    wide: bool,
}

fn reach(pattern: &Pattern) -> Option<Reach> {
    if pattern.is_exact() || HARMLESS.iter().any(|harmless| implies(pattern, harmless)) {
        return None;
    }
    let lead = lead(pattern);
    let Some(area) = ["sys/", "auth/", "identity/"]
        .into_iter()
        .find(|area| lead.starts_with(area))
    else {
        // `*` and `+/*` reach them too; `+/creds/*` is meant for mounts of secrets.
        let first: Vec<&str> = pattern.segments().take(2).collect();
        let open =
            pattern.is_plain_prefix() && ["sys/", "auth/", "identity/"].iter().any(|area| area.starts_with(lead));
        let all = open || first == ["+", "+"] || (matches!(first.as_slice(), ["+"] | ["+", ""]) && pattern.prefix);
        return all.then(|| Reach {
            words: "`sys/`, `auth/` or `identity/` among all else".to_owned(),
            wide: true,
        });
    };
    if lead.matches('/').count() >= NAMED_SEGMENTS {
        return None;
    }
    let wide = lead == area;
    Some(Reach {
        words: if wide {
            format!("all of `{area}`")
        } else {
            format!("whatever is below `{lead}`")
        },
        wide,
    })
}

/// The path without the namespace that a policy of a parent namespace may name.
fn below_namespace<'p>(path: &'p str, namespaces: &BTreeSet<&str>) -> &'p str {
    let cuts = path
        .match_indices('/')
        .filter_map(|(at, _)| path.split_at_checked(at + 1));
    let known = cuts.filter(|(start, _)| namespaces.contains(start));
    known
        .max_by_key(|(start, _)| start.len())
        .map_or(path, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::{check, titles};

    #[test]
    fn fixtures() {
        let found = check(
            &WildcardOnControlPaths,
            include_str!("../../../fixtures/rules/wildcard-on-control-paths/found.txt"),
        );
        let titles_found: Vec<(&str, Option<Severity>)> = found.iter().map(|d| (&*d.title, d.severity)).collect();
        assert_eq!(
            titles_found,
            [
                (
                    "`*` of policy `admin` writes `sys/`, `auth/` or `identity/` among all else",
                    Some(Severity::Critical)
                ),
                ("`sys/*` of policy `admin` reads all of `sys/`", Some(Severity::Medium)),
                (
                    "`sys/policies/acl/team-*` of policy `admin` writes whatever is below `sys/policies/acl/team-`",
                    None
                ),
                (
                    "`auth/approle/role/+/secret-id` of policy `admin` writes whatever is below `auth/approle/role/`",
                    None
                ),
                (
                    "`sys/*` of policy `watcher` reads all of `sys/`",
                    Some(Severity::Medium)
                ),
            ]
        );
        let clean = include_str!("../../../fixtures/rules/wildcard-on-control-paths/clean.txt");
        assert!(titles(&WildcardOnControlPaths, clean).is_empty());
    }

    #[test]
    fn what_nothing_tells_is_not_told_as_none() {
        let policy = "== policy admin\npath \"sys/*\" { capabilities = [\"read\"] }\n";
        let detail = |more: &str| {
            check(&WildcardOnControlPaths, &format!("{policy}{more}"))[0]
                .detail
                .clone()
        };
        let alone = detail("");
        assert!(
            alone.contains("whoever holds it") && alone.contains("is not known"),
            "{alone}"
        );
        let deployed = detail("== deployment\n{\"groups\": []}");
        assert!(
            deployed.contains("to 0 holders") && deployed.contains("what was used of it is not known"),
            "{deployed}"
        );
        let used = detail("== usage\nweb (admin): read kv/a");
        assert!(
            used.contains("to 1 holder,") && used.contains("no request was made"),
            "{used}"
        );
        let often = detail("== usage\nweb (admin): read sys/health x1234");
        assert!(often.contains("1,234 requests were made"), "{often}");
    }

    #[test]
    fn namespaces_are_looked_through() {
        let all = BTreeSet::from(["team/", "team/a/"]);
        assert_eq!(below_namespace("team/a/sys/*", &all), "sys/*");
        assert_eq!(below_namespace("secret/*", &all), "secret/*");
    }
}
