//! The few words and numbers that several faces say alike.

use crate::advice::{
    Advice, Change, CoverageView, Finding, Optimality, PrincipalView, Proof, Proposal, Severity, Skip, Unused,
};
use crate::usage;
use jiff::Timestamp;
use std::collections::BTreeMap;

pub use crate::units::{count, number};

/// What is said of something that is granted and was never used.
#[derive(Debug, Clone, Copy)]
pub struct UnusedSaid {
    /// What becomes of it.
    pub what: Unused,
    /// In a few words.
    pub title: &'static str,
    /// In a sentence.
    pub why: &'static str,
    /// What to do about it.
    pub next: &'static str,
}

/// What is said of each, in the order of [`Unused::ALL`].
pub const UNUSED: [UnusedSaid; Unused::ALL.len()] = [
    UnusedSaid {
        what: Unused::Goes,
        title: "Taken away by the changes",
        why: "Nobody used it, and the proof holds without it.",
        next: "Apply the changes.",
    },
    UnusedSaid {
        what: Unused::Shared,
        title: "Used by others with the same policy",
        why: "One policy serves several principals: what one of them uses all of them have. `create` and `update` count as one, as to a client they are.",
        next: "Give those who need it a policy of their own.",
    },
    UnusedSaid {
        what: Unused::Expected,
        title: "Expected to be needed",
        why: "It was not used yet, but grants like it came into use later too often: taking it away would cost more wrong denials than the budget allows.",
        next: "Give longer logs, or accept more with `--budget`; `--horizon 0` looks at the past alone.",
    },
    UnusedSaid {
        what: Unused::Glob,
        title: "Below a wildcard that stays",
        why: "The wildcard covers paths that are used, and narrowing it further was not worth the stanzas that it would take.",
        next: "Name the paths one by one where they matter most.",
    },
    UnusedSaid {
        what: Unused::Elsewhere,
        title: "Granted by another stanza too",
        why: "The stanza that decides it today no longer grants it, but then a wider one of the same principal does.",
        next: "Look at the wider stanza.",
    },
    UnusedSaid {
        what: Unused::Template,
        title: "Template that could not be filled in",
        why: "A templated stanza decides here, or may: for somebody who holds it the values are not known.",
        next: "Take a fresh `snapshot`, so that the entities and groups behind the templates are known.",
    },
    UnusedSaid {
        what: Unused::Suspect,
        title: "Not watched well enough",
        why: "Too little is known of the policy's holders: some never acted, a policy of theirs was not read, or the logs are too short or have too many holes.",
        next: "Give longer and whole logs, and every policy; see `evidence` in the settings.",
    },
    UnusedSaid {
        what: Unused::Unexplained,
        title: "May have allowed what the policies do not explain",
        why: "Requests were allowed that the policies as read do not explain: this stanza may be why.",
        next: "Give the policies that were in force when the logs were written.",
    },
    UnusedSaid {
        what: Unused::Protected,
        title: "Protected",
        why: "The settings protect it, a decision keeps it, or a waiver answers for it.",
        next: "Look at `protect` in the settings, at the decisions and at the waivers.",
    },
    UnusedSaid {
        what: Unused::Withdrawn,
        title: "Withdrawn",
        why: "A change would have taken it away, but could not be proven to break nothing.",
        next: "See what was considered and withdrawn, with the reasons.",
    },
];

/// What is said of one.
#[must_use]
pub fn unused_said(what: Unused) -> UnusedSaid {
    // INVARIANT: the list is in the order of the enum, which a test holds.
    UNUSED.get(what as usize).copied().unwrap_or(UNUSED[0])
}

/// "once", "3 times".
#[must_use]
pub fn times(value: u64) -> String {
    if value == 1 {
        "once".to_owned()
    } else {
        format!("{} times", number(value))
    }
}

/// The length of a list as a number.
#[must_use]
pub fn len<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

/// A share in whole percent; never 0 or 100 unless it is exactly that.
#[must_use]
pub fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 {
        return 0;
    }
    let exact = u128::from(part) * 100;
    let rounded = (exact + u128::from(whole) / 2) / u128::from(whole);
    let held = match rounded {
        0 if part > 0 => 1,
        100 if part < whole => 99,
        value => value,
    };
    u64::try_from(held).unwrap_or(100)
}

/// A moment, to the minute.
#[must_use]
pub fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A day.
#[must_use]
pub fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

/// A score or a number of days, with one digit where it has one.
#[must_use]
pub fn decimal(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// How much of what a principal was granted it used, in words where a number would mislead.
#[must_use]
pub fn use_of_granted(principal: &PrincipalView) -> String {
    if is_root(principal) {
        format!("unlimited, {}", count(principal.requests, "request", "requests"))
    } else if principal.grants_unknown {
        format!("{} of unknown", number(principal.used))
    } else {
        format!("{} of {}", number(principal.used), number(principal.granted))
    }
}

/// What a principal is granted, in words where a number would mislead.
#[must_use]
pub fn granted(principal: &PrincipalView) -> String {
    if is_root(principal) {
        "everything".to_owned()
    } else if principal.grants_unknown {
        "unknown".to_owned()
    } else {
        principal.granted.to_string()
    }
}

/// What to do about a finding: a sentence, policies to add, and what else could be done. Only the first is always there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy<'a> {
    /// In words.
    pub says: &'a str,
    /// Stanzas, one a line.
    pub grant: Option<&'a str>,
    /// What else.
    pub or: &'a str,
}

/// What to do about a finding, in its parts.
#[must_use]
pub fn remedy(finding: &Finding) -> Remedy<'_> {
    let whole = finding.remedy.as_str();
    // Nothing but stanzas stands by itself: what looks like lines in a name is none.
    let is_grant = |text: &str| {
        let mut lines = text.lines();
        !text.is_empty() && lines.all(|line| line.starts_with("path \"") || line.starts_with("# and "))
    };
    let parts: Vec<&str> = whole.split("\n\n").collect();
    match parts[..] {
        [says, grant, or] if is_grant(grant) => Remedy {
            says,
            grant: Some(grant),
            or,
        },
        _ => Remedy {
            says: whole,
            grant: None,
            or: "",
        },
    }
}

/// Why nothing is proposed that mends a finding, in a sentence.
#[must_use]
pub fn stays(finding: &Finding) -> Option<String> {
    let said = unused_said(finding.stays?);
    let mut title = said.title.chars();
    let first = title.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default();
    Some(format!(
        "Not proposed, at least not all of it: {first}{}.",
        title.as_str()
    ))
}

/// What a demand is.
pub const DEMAND: &str = "A demand is one principal, one path and one capability, however often it asked.";

/// Which combinations of policies are compared.
pub const COMBINATIONS: &str = "those that principals hold today, those that they held in the logs, and those that a login may bring; `compare` reads no logs, and counts those that a deployment gives";

/// What the health of the logs is.
pub const HEALTH: &str =
    "100 % where every line was used and no time is without entries: what was skipped and the gaps are taken off";

/// Whether a principal is root, which no policy binds.
#[must_use]
pub fn is_root(principal: &PrincipalView) -> bool {
    principal.kind == "root"
}

/// The proposal of a kind.
#[must_use]
pub fn proposal<'a>(advice: &'a Advice, kind: &str) -> Option<&'a Proposal> {
    advice.proposals.iter().find(|proposal| proposal.kind == kind)
}

/// How many policies of a proposal meet a fate.
#[must_use]
pub fn changes(proposal: &Proposal, change: Change) -> u64 {
    let hits = proposal
        .policies
        .iter()
        .filter(|policy| policy.change == change)
        .count();
    u64::try_from(hits).unwrap_or(u64::MAX)
}

/// Findings of each severity, the gravest first.
#[must_use]
pub fn severities(advice: &Advice) -> Vec<(Severity, u64)> {
    Severity::ALL
        .iter()
        .rev()
        .map(|severity| {
            let hits = advice
                .findings
                .iter()
                .filter(|finding| finding.severity == *severity)
                .count();
            (*severity, u64::try_from(hits).unwrap_or(u64::MAX))
        })
        .collect()
}

/// How many principals may do more than they did: a root token always may.
#[must_use]
pub fn over_privileged(advice: &Advice) -> u64 {
    let is_over = |principal: &&PrincipalView| principal.excess > 0 || is_root(principal);
    let hits = advice.principals.iter().filter(is_over).count();
    u64::try_from(hits).unwrap_or(u64::MAX)
}

/// Whether the advice is of all that the logs hold, and not of one owner's part.
#[must_use]
pub fn is_whole(advice: &Advice) -> bool {
    let of = &advice.totals.requests;
    of.by_stanza + of.none_needed + of.unexplained + of.denied == advice.coverage.requests
}

/// The requests that the other numbers are of: all in the logs, or those of the principals where they are a part.
#[must_use]
pub fn requests_seen(advice: &Advice) -> u64 {
    match is_whole(advice) {
        true => advice.coverage.requests,
        false => advice.principals.iter().map(|one| one.requests).sum(),
    }
}

/// How many requests belong to no principal.
#[must_use]
pub fn nobodys(advice: &Advice) -> u64 {
    let theirs: u64 = advice.principals.iter().map(|one| one.requests).sum();
    requests_seen(advice).saturating_sub(theirs)
}

/// The same in a sentence; none where there are none.
#[must_use]
pub fn of_nobody(advice: &Advice) -> Option<String> {
    let all = requests_seen(advice);
    let rest = Some(nobodys(advice)).filter(|rest| *rest > 0)?;
    let (are, came) = if rest == 1 {
        ("is", "it was")
    } else {
        ("are", "they were")
    };
    Some(format!(
        "{} of {} {are} of no principal and in no row: {came} made without a token, as logins are.",
        number(rest),
        count(all, "request", "requests"),
    ))
}

/// How healthy the logs are, in whole percent; never 0 or 100 unless it is exactly that.
#[must_use]
pub fn health(coverage: &CoverageView) -> String {
    let exact = coverage.health.clamp(0.0, 1.0) * 100.0;
    let rounded = exact.round();
    decimal(match () {
        () if rounded >= 100.0 && exact < 100.0 => 99.0,
        () if rounded <= 0.0 && exact > 0.0 => 1.0,
        () => rounded,
    })
}

/// What is wrong, in one sentence.
#[must_use]
pub fn headline(advice: &Advice) -> String {
    let totals = &advice.totals;
    let over = over_privileged(advice);
    let unused = totals.granted.saturating_sub(totals.used);
    let all = totals.principals.max(len(&advice.principals));
    let everybody = count(all, "principal", "principals");
    let is_unknown = |one: &&PrincipalView| one.grants_unknown && !is_root(one);
    let unknown = u64::try_from(advice.principals.iter().filter(is_unknown).count()).unwrap_or(u64::MAX);
    let not_read = "not known: not all of their policies were read, or the log does not list them";
    if unknown == all && unknown > 0 {
        return format!("What {everybody} may do is {not_read}.");
    }
    let known = format!(
        "{} of {everybody} can do more than they did: {} % of what is granted was never used.",
        number(over),
        percent(unused, totals.granted),
    );
    match unknown {
        0 => known,
        _ => format!(
            "{known} What {} may do besides is {not_read}.",
            count(unknown, "principal", "principals")
        ),
    }
}

/// What can be done about it, in one sentence.
#[must_use]
pub fn promise(advice: &Advice) -> String {
    let Some(tighten) = proposal(advice, "tighten") else {
        return String::from("No change was worked out.");
    };
    let changed = changes(tighten, Change::Edit) + changes(tighten, Change::Delete) + changes(tighten, Change::Add);
    let gone = tighten.before.exposure.saturating_sub(tighten.after.exposure);
    if changed == 0 {
        String::from("No change is proposed.")
    } else if tighten.proof.holds() {
        format!(
            "Changing {} takes away {} % of what was never used and breaks nothing that was seen to work.",
            count(changed, "policy", "policies"),
            percent(gone, tighten.before.exposure),
        )
    } else {
        String::from("The proposed change does not hold its proof: do not apply it.")
    }
}

/// The proof in one sentence, starting with the two numbers that have to be zero.
#[must_use]
pub fn proof(proof: &Proof) -> String {
    let mut out = format!(
        "{} newly denied, {} newly granted: {} ({}) of {} decided again",
        number(proof.newly_denied),
        number(proof.newly_granted),
        count(proof.requests_replayed, "allowed request", "allowed requests"),
        count(proof.demands_replayed, "demand", "demands"),
        count(proof.principals, "principal", "principals"),
    );
    if proof.combinations > 0 {
        out.push_str(&format!(
            ", {} of {} compared over every possible request",
            number(proof.combinations_proven),
            count(
                proof.combinations,
                "combination of policies",
                "combinations of policies"
            ),
        ));
    }
    out.push('.');
    if proof.not_explained > 0 {
        out.push_str(&format!(
            " {} not explained by the policies as read; nothing that bears on them is changed.",
            count(proof.not_explained, "demand is", "demands are"),
        ));
    }
    out
}

/// What is made small where principals only get fewer of the policies that they hold.
pub const OF_HELD: &str = "policies that each principal holds, of those that it holds today";

/// What is made small where some holders of a policy get a part of it: by a heuristic of which no bound is known.
pub const OF_PARTS: &str = "policies, stanzas and what stays open, by parts of policies for some of their holders (a heuristic without a bound)";

/// What is made small where roles are put together and made shorter: by a heuristic, too.
pub const OF_SIMPLIFIED: &str =
    "policies, stanzas and what stays open, by roles put together (a heuristic without a bound)";

/// What is said of a redesign that is the tightened policies.
pub const SAME: &str =
    "No better set of policies was found than the tightened one: roles/ holds the tightened policies, and who has them";

/// Whether a redesign is nothing but the tightened policies, held by the same.
#[must_use]
pub fn is_same(redesign: &Proposal, tighten: &Proposal) -> bool {
    let texts = |of: &Proposal| -> BTreeMap<(String, String), Option<String>> {
        let each = of.policies.iter();
        each.map(|one| ((one.namespace.to_string(), one.name.clone()), one.text.clone()))
            .collect()
    };
    redesign.changed_for.is_empty() && redesign.assignments.is_empty() && texts(redesign) == texts(tighten)
}

/// How close a design is to the best possible, in one sentence; none where nothing was minimised.
#[must_use]
pub fn optimality(found: &Optimality) -> Option<String> {
    if found.objective.is_empty() {
        return None;
    }
    if found.objective == OF_PARTS {
        return Some(
            "Which holders share a part of a policy is found by a heuristic: how much less another way could cost is not known.".to_owned(),
        );
    }
    if found.objective == OF_SIMPLIFIED {
        return Some(
            "Roles were put together and made shorter by a heuristic: how much less another way could cost is not known.".to_owned(),
        );
    }
    let gap = match found.cost > 0.0 {
        true => (found.cost - found.lower_bound).max(0.0) / found.cost,
        false => 0.0,
    };
    let gap = decimal((gap * 100.0).ceil());
    Some(match (found.objective == OF_HELD, found.optimal || found.cost <= 0.0) {
        (true, true) => String::from("Nobody could do with fewer of the policies that they hold today (proven)."),
        (true, false) if gap == "0" => return None,
        (true, false) => {
            format!(
                "Some may do with fewer of the policies that they hold today: with not more than {gap} % fewer in all."
            )
        }
        (false, true) => String::from(
            "No set of roles that grants what was used costs less (roles, who holds them, and what they grant, taken together): that is proven.",
        ),
        (false, false) => format!(
            "A set of roles that costs less may exist, but none that costs {gap} % less (roles, who holds them, and what they grant, taken together)."
        ),
    })
}

/// What the logs covered, in one sentence.
#[must_use]
pub fn window(coverage: &CoverageView) -> String {
    let requests = count(coverage.requests, "request", "requests");
    match (coverage.first, coverage.last) {
        (Some(first), Some(last)) => format!(
            "{} to {} ({}), {requests}",
            moment(first),
            moment(last),
            days(coverage.window_days),
        ),
        _ => format!("{requests}, no times known"),
    }
}

/// What allowed the requests, in one sentence; none where that does not add up, since only a part of them is counted.
#[must_use]
pub fn requests(advice: &Advice) -> Option<String> {
    if !is_whole(advice) {
        return None;
    }
    let of = &advice.totals.requests;
    let mut parts = vec![format!(
        "{} allowed by a stanza, which the proof decides again",
        number(of.by_stanza)
    )];
    for (count, words) in [
        (
            of.none_needed,
            "that need none (logins, root, and what any token may ask)",
        ),
        (
            of.unexplained,
            "allowed for a reason that the policies as read do not show",
        ),
        (of.denied, "denied"),
    ] {
        if count > 0 {
            parts.push(format!("{} {words}", number(count)));
        }
    }
    Some(format!("{}: {}", number(advice.coverage.requests), parts.join(", ")))
}

/// Whether the logs say so little that a proof over them is no comfort.
#[must_use]
pub fn is_short(coverage: &CoverageView) -> bool {
    coverage.requests == 0 || coverage.window_days < 14.0 || coverage.health < 0.5
}

/// A length of time in words.
#[must_use]
pub fn days(days: f64) -> String {
    let (value, unit) = if days >= 1.0 {
        (days, "day")
    } else if days * 24.0 >= 1.0 {
        (days * 24.0, "hour")
    } else if days * 24.0 * 60.0 >= 1.0 {
        (days * 24.0 * 60.0, "minute")
    } else {
        (days * 24.0 * 60.0 * 60.0, "second")
    };
    let value = decimal(value);
    let s = if value == "1" { "" } else { "s" };
    format!("{value} {unit}{s}")
}

/// Lines skipped, in one sentence.
#[must_use]
pub fn skips(coverage: &CoverageView) -> String {
    let skipped: u64 = coverage.skipped.iter().map(|skip| skip.count).sum();
    if skipped == 0 {
        format!("all {} accounted for", count(coverage.lines, "line", "lines"))
    } else {
        format!(
            "{} of {} skipped",
            number(skipped),
            count(coverage.lines, "line", "lines")
        )
    }
}

/// Why lines were skipped, in words; as it is where the id is not one of ours.
#[must_use]
pub fn reason(skip: &Skip) -> &str {
    let known = usage::Skip::ALL.into_iter().find(|one| one.as_str() == skip.reason);
    known.map_or(skip.reason.as_str(), |known| known.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_in_words() {
        let skip = |reason: &str| Skip {
            reason: reason.to_owned(),
            count: 1,
            first: None,
        };
        assert_eq!(reason(&skip("probe")), "the server's own trial of an audit device");
        assert_eq!(reason(&skip("of a later version")), "of a later version");
    }

    #[test]
    fn what_is_proven_of_a_design_is_what_was_minimised() {
        let found = |objective: &str, cost: f64, bound: f64| {
            optimality(&Optimality {
                objective: objective.to_owned(),
                cost,
                lower_bound: bound,
                optimal: cost <= bound,
                seconds: None,
            })
        };
        let held = found(OF_HELD, 10.0, 10.0).unwrap();
        assert!(
            held.starts_with("Nobody could do with fewer of the policies that they hold"),
            "{held}"
        );
        assert!(found(OF_HELD, 10.0, 9.0).unwrap().contains("not more than 10 % fewer"));
        assert!(found("roles", 10.0, 10.0).unwrap().contains("that is proven"));
        assert!(!found("roles", 10.0, 9.0).unwrap().contains("proven"));
        assert_eq!(found("", 1.0, 1.0), None);
        for heuristic in [OF_PARTS, OF_SIMPLIFIED] {
            assert!(found(heuristic, 10.0, 10.0).unwrap().contains("is not known"));
        }
    }

    #[test]
    fn a_redesign_that_changes_nothing_is_told_from_one_that_does() {
        let policy = |text: &str| crate::advice::ProposedPolicy {
            name: "a".to_owned(),
            text: Some(text.to_owned()),
            ..crate::advice::ProposedPolicy::default()
        };
        let proposal = |text: &str| Proposal {
            policies: vec![policy(text)],
            ..Proposal::default()
        };
        assert!(is_same(&proposal("x"), &proposal("x")));
        assert!(!is_same(&proposal("y"), &proposal("x")));
        let mut other = proposal("x");
        other.changed_for.insert("entity:1".to_owned());
        assert!(!is_same(&other, &proposal("x")));
    }

    #[test]
    fn what_root_may_do_is_no_number() {
        let mut one = PrincipalView {
            kind: "root".to_owned(),
            requests: 1401,
            ..PrincipalView::default()
        };
        assert_eq!(use_of_granted(&one), "unlimited, 1,401 requests");
        one.kind = "entity".to_owned();
        (one.used, one.granted) = (3, 1234);
        assert_eq!(use_of_granted(&one), "3 of 1,234");
        one.grants_unknown = true;
        assert_eq!(use_of_granted(&one), "3 of unknown");
    }

    #[test]
    fn what_is_to_be_added_is_told_from_words() {
        let finding = |remedy: &str| Finding {
            remedy: remedy.to_owned(),
            ..Finding::default()
        };
        let grant = finding("Add:\n\npath \"a\" { }\n# and 2 more\n\nElse not.");
        assert_eq!(
            remedy(&grant),
            Remedy {
                says: "Add:",
                grant: Some("path \"a\" { }\n# and 2 more"),
                or: "Else not."
            }
        );
        for words in ["Remove it.", "Name `x\n\nrm -rf\n\ny`.", "a\n\npath \"b\""] {
            assert_eq!(remedy(&finding(words)).says, words);
            assert_eq!(remedy(&finding(words)).grant, None);
        }
    }

    #[test]
    fn a_finding_about_what_stays_says_why() {
        let mut one = Finding::default();
        assert_eq!(stays(&one), None);
        one.stays = Some(Unused::Expected);
        assert_eq!(
            stays(&one).unwrap(),
            "Not proposed, at least not all of it: expected to be needed."
        );
    }

    #[test]
    fn logs_with_a_hole_are_never_wholly_healthy() {
        let of = |health: f64| {
            self::health(&CoverageView {
                health,
                ..CoverageView::default()
            })
        };
        assert_eq!(
            ["1", "0.99999", "0.5", "0.00001", "0"].map(|h| of(h.parse().unwrap())),
            ["100", "99", "50", "1", "0"]
        );
    }

    #[test]
    fn a_root_token_may_always_do_more_than_it_did() {
        let mut advice = Advice {
            principals: vec![PrincipalView {
                kind: "root".to_owned(),
                requests: 7,
                ..PrincipalView::default()
            }],
            ..Advice::default()
        };
        assert_eq!(over_privileged(&advice), 1);
        assert_eq!(granted(&advice.principals[0]), "everything");
        advice.coverage.requests = 10;
        advice.totals.requests.by_stanza = 10;
        assert_eq!(
            of_nobody(&advice).unwrap(),
            "3 of 10 requests are of no principal and in no row: they were made without a token, as logins are."
        );
        advice.totals.requests.by_stanza = 0;
        assert_eq!(of_nobody(&advice), None);
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(number(0), "0");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(count(1, "policy", "policies"), "1 policy");
        assert_eq!(decimal(12.04), "12");
        assert_eq!(decimal(12.25), "12.2");
        assert_eq!(days(1.0), "1 day");
        assert_eq!(days(0.5), "12 hours");
        assert_eq!(days(12.0 / 86_400.0), "12 seconds");
    }

    #[test]
    fn everything_unused_is_told_by_its_own_words() {
        for what in Unused::ALL {
            assert_eq!(unused_said(what).what, what);
        }
    }

    #[test]
    fn percent_is_never_rounded_to_all_or_nothing() {
        assert_eq!(percent(1, 1000), 1);
        assert_eq!(percent(999, 1000), 99);
        assert_eq!(percent(0, 5), 0);
        assert_eq!(percent(5, 5), 100);
        assert_eq!(percent(3, 0), 0);
    }
}
