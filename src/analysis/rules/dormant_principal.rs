//! `dormant-principal`: somebody who can log in and does not.

use super::about;
use crate::access::{Holder, HolderId, PolicyNumber};
use crate::advice::{Evidence, EvidenceState, Severity};
use crate::analysis::evidence::{Activity, days};
use crate::analysis::rule::{Context, Draft, Rule, count, quoted};
use crate::units::number;
use crate::vault::PrincipalKind;
use std::collections::BTreeMap;

/// Dormant principals with the same policies on the same mount are told one by one up to so many.
const APART: usize = 10;
/// At most so many findings about one principal, the most exposed first.
const MOST_APART: usize = 200;
/// Silent for less than this is no silence, in days.
const LEAST_SILENCE_DAYS: f64 = 30.0;
/// Silent for so many times its longest pause.
const PAUSES: f64 = 3.0;

/// The rule.
pub struct DormantPrincipal;

impl Rule for DormantPrincipal {
    fn id(&self) -> &'static str {
        "dormant-principal"
    }

    fn severity(&self) -> Severity {
        Severity::Medium
    }

    fn summary(&self) -> &'static str {
        "a principal with grants that never acted in what was seen, or stopped"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        let joined = context.joined;
        let last_day = joined.holders.iter().filter_map(|h| h.days.last()).max().copied();
        // By auth mount, policies and whether it ever acted: those that only one clean-up is needed for.
        let mut alike: BTreeMap<(&str, Vec<PolicyNumber>, bool), Vec<HolderId>> = BTreeMap::new();
        for (h, holder) in joined.holders.numbered() {
            if !is_for_policies(holder) {
                continue;
            }
            let set = joined.current_set(h);
            let own: Vec<PolicyNumber> = set
                .policies
                .iter()
                .copied()
                .filter(|&p| !about::is_built_in(&joined.policies[p].name))
                .collect();
            let dormant = !holder.is_active() || stopped(context, holder, last_day).is_some();
            if dormant && !own.is_empty() {
                let key = (&*holder.principal.auth_mount, own, holder.is_active());
                alike.entry(key).or_default().push(h);
            }
        }
        let mut drafts = Vec::new();
        let mut apart: Vec<(HolderId, Vec<PolicyNumber>)> = Vec::new();
        for ((mount, policies, acted), holders) in alike {
            if holders.len() <= APART || acted {
                apart.extend(holders.iter().map(|&h| (h, policies.clone())));
            } else {
                drafts.extend(many(context, &holders, &policies, mount));
            }
        }
        if apart.len() > MOST_APART {
            let weight = |h: HolderId| context.exposures[h].risk.weight;
            apart.sort_by(|a, b| weight(b.0).total_cmp(&weight(a.0)).then(a.0.cmp(&b.0)));
        }
        let rest: Vec<HolderId> = apart.iter().skip(MOST_APART).map(|(h, _)| *h).collect();
        drafts.extend(
            apart
                .iter()
                .take(MOST_APART)
                .filter_map(|(h, policies)| one(context, *h, policies, last_day)),
        );
        drafts.extend(others(context, &rest));
        drafts
    }
}

/// Those that are too many to be told one by one.
fn others(context: &Context<'_>, rest: &[HolderId]) -> Option<Draft> {
    let mut draft = about::principal(&context.joined.holders[*rest.first()?]);
    draft.key = "others".to_owned();
    draft.who = rest.to_vec();
    draft.title = format!(
        "{} never acted, or stopped",
        match rest.len() {
            1 => "1 more principal".to_owned(),
            n => format!("{} more principals", number(n as u64)),
        }
    );
    draft.detail = format!(
        "Each exposes less than the {MOST_APART} that are shown one by one. Among them: {}.",
        context.names(rest.iter().copied(), 10)
    );
    draft.remedy =
        "Look for what they have in common (an auth mount, a team, an automated job) and clean up there.".to_owned();
    draft.evidence = Some(evidence_of(context, &[]));
    Some(draft)
}

fn is_for_policies(holder: &Holder) -> bool {
    !matches!(
        holder.principal.kind,
        PrincipalKind::Root | PrincipalKind::Unauthenticated
    )
}

/// Since how many days a holder that acted before is silent, if that is long for it.
fn stopped(context: &Context<'_>, holder: &Holder, last_day: Option<i32>) -> Option<f64> {
    let silent = f64::from(last_day? - holder.days.last()?);
    let activity = Activity {
        name: String::new(),
        acted: true,
        days: holder.days.iter().copied().collect(),
        grants_unknown: false,
    };
    let rhythm = activity.rhythm_days(context.watch.window_days);
    (silent >= LEAST_SILENCE_DAYS && silent > PAUSES * rhythm).then_some(silent)
}

fn one(context: &Context<'_>, h: HolderId, policies: &[PolicyNumber], last_day: Option<i32>) -> Option<Draft> {
    let holder = &context.joined.holders[h];
    let mut draft = about::principal(holder);
    let exposed = context.exposures[h].risk.parts.join("; ");
    let mut evidence = evidence_of(context, policies);
    let name = holder.display();
    if let Some(silent) = stopped(context, holder, last_day) {
        draft.title = format!("`{name}` stopped acting {} ago", days(silent));
        evidence.reasons.push(format!(
            "it acted on {} before, with shorter pauses",
            count(holder.days.len(), "day")
        ));
    } else {
        draft.title = format!("`{name}` never acted");
        evidence.reasons.push("not one request of its was allowed".to_owned());
    }
    draft.detail = format!(
        "It holds {}{}.",
        names(context, policies),
        if exposed.is_empty() {
            String::new()
        } else {
            format!(": {exposed}")
        }
    );
    draft.remedy = format!(
        "Disable or delete {}; if somebody still needs it, shorten what it holds.",
        place(holder)
    );
    let score = context.exposures[h].risk.score;
    draft.severity = (score >= 75.0).then_some(Severity::High);
    draft.evidence = Some(evidence);
    Some(draft)
}

fn many(context: &Context<'_>, holders: &[HolderId], policies: &[PolicyNumber], mount: &str) -> Option<Draft> {
    let first = &context.joined.holders[*holders.first()?];
    let mut draft = about::principal(first);
    let policies_named = names(context, policies);
    let of = if mount.is_empty() {
        String::new()
    } else {
        format!(" of `{mount}`")
    };
    draft.key = format!("{mount} {policies_named}");
    draft.who = holders.to_vec();
    draft.title = format!("{} principals{of} never acted", number(holders.len() as u64));
    draft.detail = format!(
        "They all hold {policies_named}. Among them: {}.",
        context.names(holders.iter().copied(), 5)
    );
    draft.remedy =
        "Disable or delete those that nobody needs; each is a credential that nobody would miss if it leaked."
            .to_owned();
    draft.evidence = Some(evidence_of(context, policies));
    Some(draft)
}

/// The evidence of the policy that needs the longest watching.
fn evidence_of(context: &Context<'_>, policies: &[PolicyNumber]) -> Evidence {
    let all = policies.iter().map(|&p| context.evidence_of(p));
    let slowest = all
        .max_by(|a, b| a.dwell_days.total_cmp(&b.dwell_days))
        .unwrap_or_default();
    let watched = context.watch.window_days;
    let state = if slowest.state == EvidenceState::Removable {
        EvidenceState::Removable
    } else {
        EvidenceState::Suspect
    };
    Evidence {
        state,
        window_days: watched,
        dwell_days: slowest.dwell_days,
        reasons: vec![format!("watched for {}", days(watched))],
    }
}

fn names(context: &Context<'_>, policies: &[PolicyNumber]) -> String {
    let names: Vec<&str> = policies.iter().map(|&p| &*context.joined.policies[p].name).collect();
    quoted(&names, 5)
}

fn place(holder: &Holder) -> String {
    match (holder.principal.kind, &*holder.principal.auth_mount) {
        (PrincipalKind::Entity, _) => format!("the entity `{}`", holder.display()),
        (_, "") => format!("`{}`", holder.display()),
        (_, mount) => format!("`{}` of `{mount}`", holder.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::{check, titles};

    #[test]
    fn fixtures() {
        let found = check(
            &DormantPrincipal,
            include_str!("../../../fixtures/rules/dormant-principal/found.txt"),
        );
        let titles_found: Vec<&str> = found.iter().map(|d| &*d.title).collect();
        assert_eq!(
            titles_found,
            [
                "`ann` never acted",
                "`batch` never acted",
                "`old` stopped acting 69 days ago"
            ]
        );
        assert_eq!(
            found[1].evidence.as_ref().map(|e| e.state),
            Some(EvidenceState::Removable)
        );
        assert!(
            titles(
                &DormantPrincipal,
                include_str!("../../../fixtures/rules/dormant-principal/clean.txt")
            )
            .is_empty()
        );
    }

    #[test]
    fn a_crowd_is_one_finding() {
        let roles: Vec<String> = (0..40)
            .map(|n| format!(r#"{{"namespace":"","mount":"auth/approle/","kind":"approle","item":"role","name":"r{n}","policies":["app"]}}"#))
            .collect();
        let text = format!(
            "== policy app\npath \"a\" {{ capabilities = [\"read\"] }}\n== deployment\n{{\"roles\":[{}]}}",
            roles.join(",")
        );
        assert_eq!(
            titles(&DormantPrincipal, &text),
            ["40 principals of `auth/approle/` never acted"]
        );
    }
}
