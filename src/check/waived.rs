//! What somebody answers for: waivers take findings off, and those that are past, useless or broken are told.

use super::brought;
use super::change::Base;
use super::given::Options;
use super::own::own;
use super::rules::{self, NEW_ACCESS, WAIVER_EXPIRED, WAIVER_INVALID, WAIVER_UNUSED};
use crate::access::Joined;
use crate::advice::Finding;
use crate::pipeline::place::Places;
use crate::pipeline::waiver::{self, Invalid, Waiver};
use std::collections::{HashMap, HashSet};

/// Said of what a waiver beside a stanza does not cover.
const OUTGROWN: &str =
    " The waiver beside the stanza is for what it said before; one in the settings can be for what is to come.";

/// Takes off what is waived, and tells of waivers that are past, useless or broken. Returns how many findings went.
pub(super) fn waive(
    findings: &mut Vec<Finding>,
    joined: &Joined,
    base: Option<&Base>,
    places: &Places,
    options: &Options<'_>,
    ran: &dyn Fn(&str) -> bool,
) -> usize {
    let today = options.today();
    let (waivers, invalid) = waivers(findings, joined, base, options);
    let mut by_rule: HashMap<&str, Vec<usize>> = HashMap::new();
    for (n, waiver) in waivers.iter().enumerate() {
        by_rule.entry(&waiver.rule).or_default().push(n);
    }
    let mut used = vec![false; waivers.len()];
    let before = findings.len();
    findings.retain_mut(|finding| {
        let mut keep = true;
        if rules::UNWAIVED.contains(&&*finding.rule) {
            return keep;
        }
        // Whoever answers for a stanza answers for what it said, not for what a change makes of it.
        let grew = base.is_some_and(|base| *finding.rule == *NEW_ACCESS || base.changed.widens(finding, places));
        let of_rule = [&*finding.rule, waiver::ANY_RULE]
            .into_iter()
            .filter_map(|rule| by_rule.get(rule));
        for &n in of_rule.flatten() {
            let covering = waivers
                .get(n)
                .filter(|w| !w.is_expired(today) && w.covers(finding, places));
            if let (Some(waiver), Some(used)) = (covering, used.get_mut(n)) {
                *used = true;
                if grew && waiver.is_of_stanza() {
                    finding.remedy.push_str(OUTGROWN);
                } else {
                    keep = false;
                }
            }
        }
        keep
    });
    let waived = before - findings.len();
    for (waiver, used) in waivers.iter().zip(used) {
        if waiver.is_expired(today) {
            findings.push(of_waiver(
                WAIVER_EXPIRED,
                waiver,
                format!("ended on {}", waiver.expires),
            ));
        } else if !used && waiver.rule != waiver::ANY_RULE && ran(&waiver.rule) {
            findings.push(of_waiver(WAIVER_UNUSED, waiver, "covers no finding".to_owned()));
        }
    }
    findings.extend(invalid.into_iter().map(|Invalid { why, origin }| {
        let title = format!("the waiver at {origin} covers nothing: {why}");
        own(
            WAIVER_INVALID,
            "waiver",
            &origin.file,
            &why,
            title,
            "Complete it.",
            &origin,
        )
    }));
    waived
}

/// The waivers of the settings and beside stanzas, and those that say too little. What the change itself says to be waived is told,
/// and is not, before it has gone in.
fn waivers(
    findings: &mut Vec<Finding>,
    joined: &Joined,
    base: Option<&Base>,
    options: &Options<'_>,
) -> (Vec<Waiver>, Vec<Invalid>) {
    let (mut waivers, mut invalid) = waiver::of_settings(options.settings);
    let mut beside = Vec::new();
    for n in joined.policies.ids() {
        waiver::of_policy(&joined.policies, n, &mut beside, &mut invalid);
    }
    if let Some(base) = base {
        let (mut before, mut ignored) = (Vec::new(), Vec::new());
        for n in base.policies.ids() {
            waiver::of_policy(&base.policies, n, &mut before, &mut ignored);
        }
        let before: HashSet<_> = before.iter().map(Waiver::key).collect();
        let (known, brought): (Vec<_>, Vec<_>) = beside.into_iter().partition(|w| before.contains(&w.key()));
        findings.extend(brought.iter().map(brought::waiver));
        beside = known;
    }
    waivers.extend(beside);
    (waivers, invalid)
}

fn of_waiver(rule: &str, waiver: &Waiver, what: String) -> Finding {
    let remedy = match rule {
        WAIVER_EXPIRED => "Fix what it covered and remove it, or let its owner set a new day.",
        _ => "Remove it.",
    };
    let title = format!("the waiver of `{}` for {} {what}", waiver.rule, waiver.about);
    let key = format!("{} {}", waiver.rule, waiver.expires);
    let mut finding = own(rule, "waiver", &waiver.about, &key, title, remedy, &waiver.origin);
    finding.detail = format!(
        "Owner: {}. Reason: {}.",
        waiver.owner,
        waiver.reason.trim_end_matches('.')
    );
    finding
}
