//! `repeated-denials`: somebody asks again and again for what is denied.

use super::about;
use crate::access::{HolderId, JoinedDemand, Outcome, StanzaId};
use crate::advice::Severity;
use crate::analysis::rule::{Context, Draft, Rule, count, quoted};
use crate::policy::syntax::print::quote;
use crate::units::number;
use crate::vault::{Capability, CapabilitySet, PrincipalKind};
use std::collections::{BTreeMap, BTreeSet};

/// Fewer denied requests than this are a slip.
const REPEATED: u64 = 3;
/// So many denied paths, and none of them ever allowed, look like a search.
const PROBING: usize = 50;
/// So many principals with the same denials are one finding.
const TOGETHER: usize = 5;
/// So many folders a principal are told one by one.
const MOST_FOLDERS: usize = 8;
/// At most so many findings about one principal, those denied most often first.
const MOST_APART: usize = 200;
/// So many paths are written out in a proposed grant.
const MOST_PATHS: usize = 5;

/// The rule.
pub struct RepeatedDenials;

impl Rule for RepeatedDenials {
    fn id(&self) -> &'static str {
        "repeated-denials"
    }

    fn severity(&self) -> Severity {
        Severity::Low
    }

    fn summary(&self) -> &'static str {
        "a principal that keeps asking for what it is denied"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        let joined = context.joined;
        let mut by_holder: BTreeMap<HolderId, BTreeMap<&str, Vec<&JoinedDemand>>> = BTreeMap::new();
        for d in joined.demands.iter().filter(|d| d.demand.denied > 0) {
            let nobody = joined.holders[d.holder].principal.kind == PrincipalKind::Unauthenticated;
            if !nobody {
                by_holder
                    .entry(d.holder)
                    .or_default()
                    .entry(folder(&d.path))
                    .or_default()
                    .push(d);
            }
        }
        let mut drafts = Vec::new();
        let mut alike: BTreeMap<(&str, Why), Vec<Asked<'_>>> = BTreeMap::new();
        for (h, folders) in by_holder {
            let paths: usize = folders.values().map(Vec::len).sum();
            let none_allowed = folders.values().flatten().all(|d| !d.was_allowed());
            if paths >= PROBING && none_allowed {
                drafts.extend(probing(context, h, &folders, paths));
                continue;
            }
            let mut folders: Vec<(&str, Vec<&JoinedDemand>)> = folders
                .into_iter()
                .filter(|(_, demands)| denied(demands) >= REPEATED)
                .collect();
            folders.sort_by_key(|(folder, demands)| (std::cmp::Reverse(denied(demands)), *folder));
            folders.truncate(MOST_FOLDERS);
            for (folder, demands) in folders {
                let why = why(context, &demands);
                alike.entry((folder, why)).or_default().push((h, demands));
            }
        }
        let mut apart: Vec<Apart<'_>> = Vec::new();
        for ((folder, why), asked) in alike {
            if asked.len() < TOGETHER {
                apart.extend(asked.into_iter().map(|one| (folder, why, one)));
            } else {
                drafts.extend(draft(context, folder, why, &asked));
            }
        }
        apart.sort_by_key(|(folder, _, (h, demands))| (std::cmp::Reverse(denied(demands)), *folder, *h));
        for (folder, why, one) in apart.iter().take(MOST_APART) {
            drafts.extend(draft(context, folder, *why, std::slice::from_ref(one)));
        }
        drafts.extend(others(context, apart.get(MOST_APART..).unwrap_or_default()));
        drafts
    }
}

/// Denials of one principal below one folder.
type Apart<'a> = (&'a str, Why, Asked<'a>);

/// A principal and its denied demands.
type Asked<'a> = (HolderId, Vec<&'a JoinedDemand>);

/// Those that are too many to be told one by one.
fn others(context: &Context<'_>, rest: &[Apart<'_>]) -> Option<Draft> {
    let (_, _, (first, _)) = rest.first()?;
    let who: BTreeSet<HolderId> = rest.iter().map(|(_, _, (h, _))| *h).collect();
    let times: u64 = rest.iter().map(|(_, _, (_, demands))| denied(demands)).sum();
    let mut draft = about::principal(&context.joined.holders[*first]);
    draft.key = "others".to_owned();
    draft.title = format!("{} more were denied, fewer times each", count(who.len(), "principal"));
    draft.detail = format!(
        "{} below {}. Among them: {}.",
        about::requests(times),
        count(rest.len(), "folder"),
        context.names(who.iter().copied(), 10)
    );
    draft.who = who.into_iter().collect();
    draft.remedy = "Look at the most frequent ones first: they often share a cause.".to_owned();
    Some(draft)
}

/// Why it was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// A stanza denies it.
    Explicit(StanzaId),
    /// No stanza grants it.
    NotGranted,
    /// The policies read would allow it.
    AllowedNow,
}

fn why(context: &Context<'_>, demands: &[&JoinedDemand]) -> Why {
    let explicit = demands.iter().find_map(|d| explicit_deny(context, d));
    match explicit {
        Some(stanza) => Why::Explicit(stanza),
        None if demands.iter().all(|d| d.outcome == Outcome::DeniedButAllowed) => Why::AllowedNow,
        None => Why::NotGranted,
    }
}

fn folder(path: &str) -> &str {
    let bare = path.trim_end_matches('/');
    bare.rfind('/').and_then(|at| path.get(..=at)).unwrap_or(path)
}

fn denied(demands: &[&JoinedDemand]) -> u64 {
    demands.iter().map(|d| d.demand.denied).sum()
}

/// Denials below one folder, of one principal or of several for the same reason.
fn draft(context: &Context<'_>, folder: &str, why: Why, asked: &[(HolderId, Vec<&JoinedDemand>)]) -> Option<Draft> {
    let joined = context.joined;
    let holder = &joined.holders[asked.first()?.0];
    let demands: Vec<&JoinedDemand> = asked.iter().flat_map(|(_, demands)| demands.iter().copied()).collect();
    let mut draft = about::principal(holder);
    let what: CapabilitySet = demands.iter().map(|d| d.demand.capability).collect();
    let paths: BTreeSet<&str> = demands.iter().map(|d| d.path.as_str()).collect();
    let place = match (paths.len(), paths.first()) {
        (1, Some(path)) => (*path).to_owned(),
        _ => format!("{folder}…"),
    };
    let days: BTreeSet<i32> = demands.iter().flat_map(|d| d.demand.days.iter().copied()).collect();
    draft.detail = format!(
        "Asked for on {}, {}.",
        count(days.len(), "day"),
        count(paths.len(), "path")
    );
    let times = match denied(&demands) {
        1 => "once".to_owned(),
        n => format!("{} times", number(n)),
    };
    if asked.len() == 1 {
        draft.key = format!("{} {folder}", holder.key());
        draft.title = format!("`{}` was denied {what} on `{place}` {times}", holder.display());
    } else {
        draft.key = format!("several {folder} {}", matches!(why, Why::Explicit(_)));
        draft.title = format!(
            "{} principals were denied {what} on `{place}` {times}",
            number(asked.len() as u64)
        );
        let who = context.names(asked.iter().map(|(h, _)| *h), 5);
        draft.detail = format!("{} Among them {who}.", draft.detail);
        draft.who = asked.iter().map(|(h, _)| *h).collect();
    }
    draft.remedy = match why {
        Why::Explicit(id) => {
            let (policy, stanza) = (&joined.policies[id.policy()], &joined.policies[id]);
            draft.origins.push(stanza.origin.clone());
            let by = format!("`{}` of policy `{}`", stanza.path, policy.id());
            draft.detail = format!("{} {by} denies it explicitly.", draft.detail);
            "It is denied on purpose: find out what asks for it, and stop it there.".to_owned()
        }
        Why::AllowedNow => {
            draft.detail = format!(
                "{} The policies read would allow it: they were changed since, or a condition on parameters refused it, which a log \
                 does not show.",
                draft.detail
            );
            "Check whether it still happens.".to_owned()
        }
        Why::NotGranted => format!(
            "If it is needed, review and add no more than:\n\n{}\nElse correct what asks for it.",
            narrow_grant(&demands)
        ),
    };
    Some(draft)
}

/// The stanza that denies a demand in so many words, if one does.
fn explicit_deny(context: &Context<'_>, d: &JoinedDemand) -> Option<StanzaId> {
    let set = &context.joined.sets[d.set];
    let rule = set
        .acl
        .check(d.operation(), &d.path)
        .rule
        .and_then(|id| set.acl.rule(id))?;
    let source = rule
        .sources
        .iter()
        .find(|s| s.capabilities.contains(Capability::Deny))?;
    Some(set.stanza(source))
}

/// The stanzas that would allow just that, as HCL.
fn narrow_grant(demands: &[&JoinedDemand]) -> String {
    let mut by_path: BTreeMap<&str, CapabilitySet> = BTreeMap::new();
    for d in demands.iter().filter(|d| d.outcome != Outcome::DeniedButAllowed) {
        let needs = by_path.entry(&d.demand.path).or_default();
        *needs = needs.union(d.needs());
    }
    let mut text = String::new();
    for (path, needs) in by_path.iter().take(MOST_PATHS) {
        let words: Vec<String> = needs.iter().map(|c| format!("\"{c}\"")).collect();
        text.push_str(&format!(
            "path {} {{ capabilities = [{}] }}\n",
            quote(path),
            words.join(", ")
        ));
    }
    match by_path.len().saturating_sub(MOST_PATHS) {
        0 => text,
        more => format!("{text}# and {more} more\n"),
    }
}

fn probing(
    context: &Context<'_>,
    h: HolderId,
    folders: &BTreeMap<&str, Vec<&JoinedDemand>>,
    paths: usize,
) -> Option<Draft> {
    let holder = &context.joined.holders[h];
    let mut draft = about::principal(holder);
    let times: u64 = folders.values().map(|ds| denied(ds)).sum();
    let names: Vec<&str> = folders.keys().copied().collect();
    draft.title = format!("`{}` was denied on {paths} different paths", holder.display());
    draft.detail = format!(
        "{} in {}, among them {}, and not one of them was ever allowed. This looks like a search for what can be reached, or a client \
         with the wrong token.",
        about::requests(times),
        count(folders.len(), "folder"),
        quoted(&names, 5)
    );
    draft.remedy = "Find out who it is before granting anything.".to_owned();
    draft.severity = Some(Severity::Medium);
    Some(draft)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::{check, titles};

    #[test]
    fn fixtures() {
        let found = check(
            &RepeatedDenials,
            include_str!("../../../fixtures/rules/repeated-denials/found.txt"),
        );
        let titles_found: Vec<&str> = found.iter().map(|d| &*d.title).collect();
        assert_eq!(
            titles_found,
            [
                "`web` was denied read, update on `secret/data/team/…` 9 times",
                "`web` was denied read on `secret/data/hr/x` 3 times",
            ]
        );
        assert!(
            found[0]
                .remedy
                .contains("path \"secret/data/team/a\" { capabilities = [\"read\"] }\n"),
            "{}",
            found[1].remedy
        );
        assert!(found[1].remedy.contains("on purpose"));
        assert!(
            titles(
                &RepeatedDenials,
                include_str!("../../../fixtures/rules/repeated-denials/clean.txt")
            )
            .is_empty()
        );
    }

    #[test]
    fn what_many_ask_for_is_one_finding() {
        let lines: Vec<String> = (0..9)
            .map(|n| format!("web{n} (app): read secret/x denied 4"))
            .collect();
        let text = format!(
            "== policy app\npath \"a\" {{ capabilities = [\"read\"] }}\n== usage\n{}",
            lines.join("\n")
        );
        assert_eq!(
            titles(&RepeatedDenials, &text),
            ["9 principals were denied read on `secret/x` 36 times"]
        );
    }

    #[test]
    fn many_paths_and_none_allowed_is_a_search() {
        let lines: Vec<String> = (0..80)
            .map(|n| format!("eve (app): read secret/data/{n}/x denied 1"))
            .collect();
        let text = format!(
            "== policy app\npath \"a\" {{ capabilities = [\"read\"] }}\n== usage\n{}",
            lines.join("\n")
        );
        assert_eq!(
            titles(&RepeatedDenials, &text),
            ["`eve` was denied on 80 different paths"]
        );
    }

    #[test]
    fn a_grant_can_be_read_back_whatever_the_path() {
        let text = "== policy app\npath \"a\" { capabilities = [\"read\"] }\n== usage\neve (app): read secret/\"}${x}\\ denied 3";
        let found = check(&RepeatedDenials, text);
        let hcl = found[0]
            .remedy
            .split("\n\n")
            .nth(1)
            .and_then(|r| r.split("\nElse").next())
            .unwrap();
        let policy = crate::analysis::rules::testing::policy("p", "", hcl);
        assert_eq!(&*policy.stanzas[0].path, "secret/\"}${x}\\");
    }
}
