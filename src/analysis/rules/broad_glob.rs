//! `broad-glob`: a wildcard that reaches far more than what is used through it.

use super::about;
use crate::access::universe::lead;
use crate::access::{StanzaId, Universe};
use crate::advice::Severity;
use crate::analysis::rule::{Context, Draft, Rule, count};
use crate::deployment::Deployment;
use crate::policy::pattern::Pattern;
use crate::units;
use crate::vault::{Capability, CapabilitySet};
use std::collections::{HashMap, HashSet};

/// A wildcard over a whole mount is fine if so many paths are used through it, and half of those known.
const WELL_USED: usize = 10;
/// A wildcard further down counts as broad if it reaches at least so many known paths ...
const MANY: usize = 10;
/// ... of which at most one in so many is used.
const ONE_IN: usize = 5;
/// At most so many known paths are held against one `+` pattern.
const MOST_PATHS: usize = 20_000;
/// What follows the mount in paths of KV version 2.
const KV2: [&str; 6] = ["data/", "metadata/", "delete/", "undelete/", "destroy/", "subkeys/"];

/// The rule.
pub struct BroadGlob;

impl Rule for BroadGlob {
    fn id(&self) -> &'static str {
        "broad-glob"
    }

    fn severity(&self) -> Severity {
        Severity::Medium
    }

    fn summary(&self) -> &'static str {
        "a wildcard that reaches far more than what is used through it"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        let joined = context.joined;
        let used = used_paths(context);
        let mounts = Mounts::of(context.deployment);
        let mut drafts = Vec::new();
        for (number, policy) in joined.policies.numbered() {
            let held = &joined.held[number].by;
            if held.is_empty() || about::is_built_in(&policy.name) {
                continue;
            }
            for id in joined.policies.stanzas_of(number) {
                let stanza = &joined.policies[id];
                let grants = stanza.capability_set();
                let Ok(pattern) = Pattern::parse(&stanza.path, &policy.namespace) else {
                    continue;
                };
                let denies = grants.contains(Capability::Deny);
                if stanza.templated
                    || pattern.is_exact()
                    || grants.is_empty()
                    || denies
                    || is_control(&pattern, &policy.namespace)
                {
                    continue;
                }
                let spans = mounts.spanned_by(&pattern, &policy.namespace);
                let reached = reached(&pattern, &joined.universe);
                let in_use = used.get(&id).map_or(0, HashSet::len);
                let broad = match spans {
                    Span::Everything | Span::Mount => in_use < WELL_USED || in_use * 2 < reached,
                    Span::Part => reached >= MANY && in_use * ONE_IN <= reached,
                };
                if !broad {
                    continue;
                }
                let mut draft = about::stanza(context, id);
                let what = match spans {
                    Span::Everything => "reaches across mounts",
                    Span::Mount => "reaches a whole mount",
                    Span::Part => "reaches far more than is used",
                };
                draft.title = format!("`{}` of policy `{}` {what}", stanza.path, policy.id());
                draft.detail = format!(
                    "It grants {grants} to {} on {} of the paths known to exist, and on whatever comes to exist there; {}.",
                    count(held.len(), "holder"),
                    units::number(reached as u64),
                    match in_use {
                        _ if !context.knows_use() => "which of them are used is not known".to_owned(),
                        0 => "not one of them was used through it".to_owned(),
                        1 => "1 of them was used through it".to_owned(),
                        n => format!("{} of them were used through it", units::number(n as u64)),
                    },
                );
                draft.evidence = Some(context.evidence_of(number));
                draft.remedy = match in_use {
                    0 => "Remove it, or name the paths that its holders need.".to_owned(),
                    _ => "Name the paths or the folder in use instead.".to_owned(),
                };
                draft.severity = match spans {
                    Span::Everything => Some(Severity::High),
                    _ if grants.difference(listing()).is_empty() => Some(Severity::Low),
                    _ => None,
                };
                drafts.push(draft);
            }
        }
        about::once(drafts)
    }
}

fn listing() -> CapabilitySet {
    [Capability::List, Capability::Scan].into_iter().collect()
}

/// `sys/`, `auth/` and `identity/` have a rule of their own.
fn is_control(pattern: &Pattern, namespace: &str) -> bool {
    let text = pattern.text.strip_prefix(namespace).unwrap_or(&pattern.text);
    ["sys/", "auth/", "identity/", "cubbyhole/"]
        .iter()
        .any(|mount| text.starts_with(mount))
}

/// Distinct paths used through each stanza.
fn used_paths<'a>(context: &Context<'a>) -> HashMap<StanzaId, HashSet<&'a str>> {
    let mut used: HashMap<StanzaId, HashSet<&str>> = HashMap::new();
    for d in &context.joined.demands {
        let giving = context.joined.allowed_by(d);
        for (id, _) in giving.filter(|(_, given)| !d.needs().intersection(*given).is_empty()) {
            used.entry(id).or_default().insert(&d.path);
        }
    }
    used
}

/// How many known paths a pattern matches.
fn reached(pattern: &Pattern, universe: &Universe) -> usize {
    let under = universe.under(lead(pattern));
    if pattern.is_plain_prefix() {
        return under.len();
    }
    let paths = universe.paths().get(under).unwrap_or_default();
    paths.iter().take(MOST_PATHS).filter(|p| pattern.matches(p)).count()
}

/// How far a wildcard reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    Everything,
    Mount,
    Part,
}

/// Mount paths, where they are known, each with whether its paths may be those of KV version 2.
struct Mounts(Vec<(String, bool)>);

impl Mounts {
    fn of(deployment: Option<&Deployment>) -> Self {
        let mounts = deployment.into_iter().flat_map(|d| &d.mounts);
        let each = mounts.map(|m| (format!("{}{}", m.namespace, m.path), m.kv_version != Some(1)));
        Self(each.collect())
    }

    fn spanned_by(&self, pattern: &Pattern, namespace: &str) -> Span {
        let lead = lead(pattern);
        let own = lead.strip_prefix(namespace).unwrap_or(lead);
        let Some((first, rest)) = own.split_once('/') else {
            return Span::Everything;
        };
        // A `+` somewhere below leaves the rest of the path named: only an open end spans the mount.
        if !pattern.prefix {
            return Span::Part;
        }
        let open = pattern
            .text
            .get(lead.len()..)
            .is_none_or(|after| after.split('/').all(|s| s.is_empty() || s == "+"));
        let spans = |below: &str, may_be_2: bool| below.is_empty() || (may_be_2 && KV2.contains(&below));
        let on = self.0.iter().filter(|(mount, _)| lead.starts_with(mount.as_str()));
        let whole = match on.max_by_key(|(mount, _)| mount.len()) {
            Some((mount, may_be_2)) => lead.strip_prefix(mount.as_str()).is_some_and(|b| spans(b, *may_be_2)),
            None => !first.is_empty() && spans(rest, true),
        };
        if open && (whole || self.0.iter().any(|(mount, _)| mount.starts_with(lead))) {
            Span::Mount
        } else {
            Span::Part
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::{check, titles};
    use crate::deployment::Mount;

    #[test]
    fn fixtures() {
        let found = check(&BroadGlob, include_str!("../../../fixtures/rules/broad-glob/found.txt"));
        let titles_found: Vec<&str> = found.iter().map(|d| &*d.title).collect();
        assert_eq!(
            titles_found,
            [
                "`*` of policy `all` reaches across mounts",
                "`secret/*` of policy `app` reaches a whole mount",
                "`kv/team/*` of policy `team` reaches far more than is used",
            ]
        );
        assert_eq!(found[0].severity, Some(Severity::High));
        assert!(titles(&BroadGlob, include_str!("../../../fixtures/rules/broad-glob/clean.txt")).is_empty());
    }

    #[test]
    fn a_mount_of_version_1_has_folders_called_data() {
        let mount = |path: &str, version| Mount {
            namespace: String::new(),
            path: path.to_owned(),
            kind: "kv".to_owned(),
            accessor: String::new(),
            kv_version: Some(version),
            description: String::new(),
        };
        let deployment = Deployment {
            mounts: vec![mount("kv1/", 1), mount("kv2/", 2)],
            ..Deployment::default()
        };
        let mounts = Mounts::of(Some(&deployment));
        for (path, want) in [
            ("kv1/data/*", Span::Part),
            ("kv1/*", Span::Mount),
            ("kv2/data/*", Span::Mount),
            ("other/data/*", Span::Mount),
        ] {
            let pattern = Pattern::parse(path, "").unwrap();
            assert_eq!(mounts.spanned_by(&pattern, ""), want, "{path}");
        }
    }

    #[test]
    fn what_a_pattern_spans() {
        let mounts = Mounts::of(None);
        for (path, want) in [
            ("*", Span::Everything),
            ("sec*", Span::Everything),
            ("+/data/*", Span::Everything),
            ("secret/*", Span::Mount),
            ("secret/data/*", Span::Mount),
            ("secret/+/*", Span::Mount),
            ("secret/data/a*", Span::Part),
            ("secret/data/+/config", Span::Part),
            ("secret/data/app/*", Span::Part),
        ] {
            assert_eq!(
                mounts.spanned_by(&Pattern::parse(path, "").unwrap(), ""),
                want,
                "{path}"
            );
        }
        assert_eq!(
            mounts.spanned_by(&Pattern::parse("secret/*", "team/").unwrap(), "team/"),
            Span::Mount
        );
    }
}
