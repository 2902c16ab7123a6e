//! New access against the base: what the policies allow that they did not, each with a request as witness.

use super::own::own;
use super::rules::{NEW_ACCESS, NOT_CHECKED};
use crate::access::{Joined, compared};
use crate::advice::{Finding, Severity, Subject};
use crate::analysis::rule::fingerprint;
use crate::origin::Origin;
use crate::pipeline::place::Changed;
use crate::policy::compare::{Aspect, Comparison, Decider, Difference, Holder, Options, compare_policies};
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::table::Table;
use crate::vault::PolicyId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Requests named of one stanza.
const MOST_TOLD: usize = 4;

/// What is new, from policies by themselves and from those that somebody holds together.
#[must_use]
pub fn findings(
    profile: Profile,
    old: &[Policy],
    new: &Table,
    joined: &Joined,
    changed: &Changed,
    now: i64,
) -> Vec<Finding> {
    let (after, before) = &changed.differ;
    let differ: BTreeSet<PolicyId> = after
        .iter()
        .map(|&n| &new[n])
        .chain(before.iter().filter_map(|&n| old.get(n)))
        .map(Policy::id)
        .collect();
    if differ.is_empty() {
        return Vec::new();
    }
    let holders: Vec<Holder> = compared::lists(joined)
        .filter(|h| h.policies.iter().any(|id| differ.contains(id)))
        .collect();
    // What nobody holds together with something that changed cannot gain anything.
    let needed: BTreeSet<&PolicyId> = differ.iter().chain(holders.iter().flat_map(|h| &h.policies)).collect();
    let of = |all: &[Policy]| -> Vec<Policy> {
        let needed = all.iter().filter(|p| needed.contains(&p.id()));
        needed.cloned().collect()
    };
    let found = compare_policies(
        profile,
        &of(old),
        &of(new.as_slice()),
        Some(&holders),
        now,
        Options::default(),
    );
    let mut told = Told::default();
    for one in &found.policies {
        if differ.contains(&one.policy) {
            told.comparison(&one.policy.to_string(), None, &one.comparison);
        }
    }
    for one in found.unguarded().filter(|one| differ.contains(&one.policy)) {
        told.unguarded(&one.policy.to_string(), &one.unguarded);
    }
    for one in found.combinations.iter().flatten() {
        let names: Vec<String> = one.policies.iter().map(ToString::to_string).collect();
        told.comparison(&names.join(", "), Some(&one.holders), &one.comparison);
    }
    if let Some(left_out) = compared::left_out(joined) {
        let at = after.first().map(|&n| Origin::new(new[n].file.clone(), 1, 1));
        told.findings.push(own(
            NOT_CHECKED,
            "policy",
            "",
            "lists that somebody may have",
            left_out,
            "Compare the policies of these roles and groups by themselves, and let somebody answer for it with a waiver.",
            &at.unwrap_or_else(|| Origin::new("", 1, 1)),
        ));
    }
    told.findings
}

#[derive(Default)]
struct Told {
    findings: Vec<Finding>,
    /// What was told already: the stanza that decides, and in what respect.
    seen: BTreeSet<(String, String)>,
}

impl Told {
    fn comparison(&mut self, name: &str, holders: Option<&[String]>, found: &Comparison) {
        let mut by_rule: BTreeMap<(String, String), Vec<&Difference>> = BTreeMap::new();
        for difference in &found.gained {
            let key = (decider_key(difference.new.as_ref()), aspect_key(&difference.aspect));
            by_rule.entry(key).or_default().push(difference);
        }
        let mut fresh = BTreeSet::new();
        for (key, all) in by_rule {
            if holders.is_some() && self.seen.contains(&key) {
                continue;
            }
            self.gained(name, holders, &key, &all);
            fresh.insert(key);
        }
        self.seen.extend(fresh);
        let open = found.open_gained.iter().map(|o| {
            let key = format!("{} {}", decider_key(o.new.as_ref()), decider_key(o.old.as_ref()));
            (key, format!("`{}`: {}", o.asked, o.reason), o.new.as_ref())
        });
        let incomplete = found
            .incomplete
            .iter()
            .map(|why| ("incomplete".to_owned(), why.clone(), None));
        for (key, why, decider) in open.chain(incomplete) {
            if self.seen.insert((key.clone(), "open".to_owned())) || holders.is_none() {
                self.findings.push(finding(
                    name,
                    holders,
                    &format!("open {key}"),
                    format!("not decided whether `{name}` allows more than before"),
                    format!("It could be neither shown nor ruled out: {why}."),
                    decider,
                ));
            }
        }
    }

    fn unguarded(&mut self, name: &str, all: &[Difference]) {
        let mut by_rule: BTreeMap<String, &Difference> = BTreeMap::new();
        for one in all {
            by_rule.entry(decider_key(one.old.as_ref())).or_insert(one);
        }
        for (key, one) in by_rule {
            self.findings.push(finding(
                name,
                None,
                &format!("unguarded {key}"),
                format!("policy `{name}` no longer withholds `{}`", one.asked),
                format!(
                    "Before: {}. Whoever holds it together with a policy that allows this gains it; a deployment or usage would tell who does.",
                    decided_by(one.old.as_ref())
                ),
                one.old.as_ref(),
            ));
        }
    }

    fn gained(&mut self, name: &str, holders: Option<&[String]>, key: &(String, String), all: &[&Difference]) {
        let Some(first) = all.first() else { return };
        let respect = match &first.aspect {
            Aspect::Access => String::new(),
            Aspect::Sudo => ", with sudo".to_owned(),
            Aspect::Subscribe => ", as a subscription to events".to_owned(),
            Aspect::Condition(condition) => format!(", without {condition}"),
        };
        let who = match holders {
            None => format!("policy `{name}`"),
            Some(holders) => match holders {
                [one] => format!("`{one}`, who holds {name},"),
                [one, more @ ..] => format!("`{one}` and {} more, who hold {name},", more.len()),
                [] => format!("who holds {name}"),
            },
        };
        let title = format!("{who} now allows `{}`{respect}", first.asked);
        let mut asked: Vec<String> = Vec::new();
        for one in all {
            let text = format!("`{}`", one.asked);
            if !asked.contains(&text) {
                asked.push(text);
            }
        }
        let more = match asked.len().saturating_sub(MOST_TOLD) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        asked.truncate(MOST_TOLD);
        let when = match first.when.as_slice() {
            [] => String::new(),
            when => format!(" Where {}.", when.join(" and ")),
        };
        let detail = format!(
            "Witness: {}{more}. Before: {}. Now: {}.{when}",
            asked.join(", "),
            decided_by(first.old.as_ref()),
            decided_by(first.new.as_ref()),
        );
        let mut finding = finding(
            name,
            holders,
            &format!("{} {}", key.0, key.1),
            title,
            detail,
            first.new.as_ref(),
        );
        if matches!(first.aspect, Aspect::Sudo) {
            finding.severity = Severity::Critical;
        }
        self.findings.push(finding);
    }
}

fn finding(
    name: &str,
    holders: Option<&[String]>,
    key: &str,
    title: String,
    detail: String,
    decider: Option<&Decider>,
) -> Finding {
    let kind = if holders.is_some() { "principal" } else { "policy" };
    Finding {
        fingerprint: fingerprint(NEW_ACCESS, kind, &format!("{name} {key}")),
        rule: Arc::from(NEW_ACCESS),
        severity: super::rules::severity(NEW_ACCESS),
        title,
        detail,
        subject: Subject {
            kind: if holders.is_some() { "principal" } else { "stanza" }.to_owned(),
            name: holders
                .and_then(|h| h.first())
                .map_or_else(|| name.to_owned(), Clone::clone),
            key: String::new(),
        },
        origins: decider
            .into_iter()
            .flat_map(|d| &d.sources)
            .map(|(_, origin)| origin.clone())
            .collect(),
        evidence: None,
        remedy: "Grant less, or let somebody answer for it with a waiver.".to_owned(),
        fixed_in: None,
        stays: None,
        who: Vec::new(),
    }
}

/// Pattern and policies: what stays when lines move.
fn decider_key(decider: Option<&Decider>) -> String {
    decider.map_or_else(String::new, |d| {
        let policies: BTreeSet<&str> = d.sources.iter().map(|(policy, _)| &**policy).collect();
        let policies: Vec<&str> = policies.into_iter().collect();
        format!("{} of {}", d.pattern, policies.join(","))
    })
}

fn aspect_key(aspect: &Aspect) -> String {
    match aspect {
        Aspect::Condition(condition) => format!("condition {condition}"),
        other => other.as_str().to_owned(),
    }
}

fn decided_by(decider: Option<&Decider>) -> String {
    let Some(decider) = decider else {
        return "nothing matches".to_owned();
    };
    let place = decider
        .sources
        .first()
        .map(|(policy, origin)| format!(" in `{policy}` at {origin}"))
        .unwrap_or_default();
    format!("{decider}{place}")
}
