//! The gate itself: collects findings, takes off what is waived, unchanged or known, and says whether it passes.

use super::baseline::Baseline;
use super::change::{self, Base};
use super::given::{Material, Options, Seen};
use super::own::problem;
use super::rules::{self, NEED_USAGE, NEW_ACCESS, UNREADABLE};
use super::waived::waive;
use super::{risk, warnings, ways};
use crate::access::Inputs;
use crate::advice::{Finding, RuleView, Severity};
use crate::analysis::rules::SHADOWED;
use crate::origin::Origin;
use crate::pipeline::place::Places;
use crate::pipeline::{self, Question};
use crate::policy::lint;
use crate::settings::{RuleLevel, Settings};
use crate::units;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

/// What the gate says.
#[derive(Debug)]
pub struct Checked {
    /// Findings that are shown, the gravest first.
    pub findings: Vec<Finding>,
    /// The rules, for the help of findings.
    pub rules: Vec<RuleView>,
    /// Why it fails; it passes where there is nothing.
    pub reasons: Vec<String>,
    /// How many policies were checked.
    pub policies: usize,
    /// Findings that somebody answers for.
    pub waived: usize,
    /// Findings about what did not change.
    pub unchanged: usize,
    /// Findings that the baseline has.
    pub known: usize,
    /// What a baseline written now would have.
    pub baseline: Baseline,
    /// What was not looked at.
    pub unseen: Option<String>,
}

/// Checks. `step` is told what comes next.
#[must_use]
pub fn check(material: Material, options: &Options<'_>, step: &mut dyn FnMut(&str)) -> Checked {
    let Material {
        mut read,
        base,
        brought,
        seen,
        deployment,
    } = material;
    let settings = options.settings;
    let levels = levels(settings, seen.is_some());
    let Seen { facts, watch, last } = seen.unwrap_or_else(Seen::nothing);

    step("joining usage with grants");
    let analysis = pipeline::analyse(Question {
        inputs: Inputs {
            facts,
            policies: std::mem::take(&mut read.policies),
            deployment: deployment.as_ref(),
            profile: options.profile,
            now: Some(options.now.as_second()),
        },
        watch,
        last,
        evidence: &settings.evidence,
        weights: &settings.weights,
        kv2_closure: settings.price.kv2_closure,
    });
    let joined = &analysis.joined;
    let places = Places::new(&joined.policies);

    step("looking for findings");
    let mut findings = analysis.findings(&levels, None);
    let (traps, unseen) = warnings::warnings(joined, deployment.as_ref());
    findings.extend(traps);
    unique(&mut findings);
    let base = base.map(|read| Base::of(read, &joined.policies));
    let base = base.as_ref();
    let untouched = base.map(|base| base.untouched(&findings, &places));
    if let Some(base) = base {
        step("comparing with the base");
        findings.extend(base.new_access(joined, options));
    }
    // What is found in the ways that files may set variables, and not without.
    let alone = self::levels(settings, false);
    let before = base.map(Base::before);
    let other = ways::findings(joined, &read.ways, before.as_ref(), &alone, options, &findings);
    findings.extend(other);
    findings.extend(read.broken.iter().map(|p| problem(UNREADABLE, "policy", p)));
    findings.extend(change::findings(base, &read, &joined.policies));
    findings.extend(brought);
    if let Some(most) = options.max_risk {
        let exposures = analysis.exposures().as_slice();
        findings.extend(risk::over_budget(joined, exposures, settings, most));
    }

    let waived = waive(&mut findings, joined, base, &places, options, &ran(&levels, options));
    apply_levels(&mut findings, settings);
    told_once(&mut findings);
    unique(&mut findings);
    findings.sort_by(|a, b| by_gravity(a).cmp(&by_gravity(b)));
    let unchanged = take_off(&mut findings, |f| {
        untouched.as_ref().is_some_and(|old| old.contains(&f.fingerprint))
    });
    let baseline = Baseline::of(&findings);
    let known = options.baseline.map_or(0, |before| {
        let knows = before.knows();
        take_off(&mut findings, |f| !rules::UNWAIVED.contains(&&*f.rule) && knows(f))
    });
    let checked = Checked {
        reasons: reasons(&findings, options),
        findings,
        rules: pipeline::rule_views().into_iter().chain(rules::views()).collect(),
        policies: joined.policies.len(),
        waived,
        unchanged,
        known,
        baseline,
        unseen,
    };
    // Nobody waits for what is given back.
    let joined = analysis.joined;
    rayon::spawn(move || drop(joined));
    checked
}

/// The gravest first, else by rule and place.
fn by_gravity(finding: &Finding) -> impl Ord + '_ {
    let Finding {
        severity,
        rule,
        origins,
        subject,
        fingerprint,
        ..
    } = finding;
    (Reverse(severity), rule, origins, subject, fingerprint)
}

/// Takes off what is not to be shown; how many these were.
fn take_off(findings: &mut Vec<Finding>, is_off: impl Fn(&Finding) -> bool) -> usize {
    let all = findings.len();
    findings.retain(|finding| !is_off(finding));
    all - findings.len()
}

/// Rule levels, with the rules off that say nothing without usage.
fn levels(settings: &Settings, with_usage: bool) -> BTreeMap<String, RuleLevel> {
    let mut levels = settings.rules.clone();
    if !with_usage {
        levels.extend(NEED_USAGE.iter().map(|id| ((*id).to_owned(), RuleLevel::Off)));
    }
    levels
}

/// Whether a rule had its occasion in this run, so that a waiver of it could have covered something.
fn ran<'a>(levels: &'a BTreeMap<String, RuleLevel>, options: &'a Options<'_>) -> impl Fn(&str) -> bool + 'a {
    move |rule: &str| {
        let off = levels.get(rule).is_some_and(|l| l.severity().is_none());
        // New access is new once: when the change has gone in, its waiver covers nothing any more, and does no harm.
        let once = rule == NEW_ACCESS || (rule == rules::OVER_BUDGET && options.max_risk.is_none());
        !off && !once
    }
}

/// Settings may make the gate's own rules and the warnings graver or lighter, or switch them off.
fn apply_levels(findings: &mut Vec<Finding>, settings: &Settings) {
    findings.retain_mut(|f| match settings.rules.get(&*f.rule).map(|l| l.severity()) {
        None => true,
        Some(None) => false,
        Some(Some(severity)) => {
            f.severity = severity;
            true
        }
    });
}

/// A stanza that decides for no holder, as the analysis has it, cannot win among the stanzas beside it, as `lint` has it: the graver of
/// the two tells it, else the one that knows the holders.
fn told_once(findings: &mut Vec<Finding>) {
    let of = |rule: &str| -> HashMap<Origin, Severity> {
        let such = findings.iter().filter(|finding| &*finding.rule == rule);
        such.flat_map(|finding| finding.origins.iter().map(|origin| (origin.clone(), finding.severity)))
            .collect()
    };
    let (shadowed, beaten) = (of(SHADOWED), of(lint::CANNOT_WIN));
    findings.retain(|finding| {
        let all = |others: &HashMap<Origin, Severity>, is: &dyn Fn(Severity) -> bool| {
            let mut origins = finding.origins.iter();
            !finding.origins.is_empty() && origins.all(|origin| others.get(origin).is_some_and(|other| is(*other)))
        };
        match &*finding.rule {
            rule if rule == lint::CANNOT_WIN => !all(&shadowed, &|other| other >= finding.severity),
            SHADOWED => !all(&beaten, &|other| other > finding.severity),
            _ => true,
        }
    });
}

/// Two findings of one fingerprint would be one in a baseline: the second gets a number.
fn unique(findings: &mut [Finding]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for finding in findings {
        let count = seen.entry(finding.fingerprint.clone()).or_default();
        *count += 1;
        if *count > 1 {
            finding.fingerprint = format!("{}-{count}", finding.fingerprint);
        }
    }
}

fn reasons(findings: &[Finding], options: &Options<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    let grave = findings.iter().filter(|f| f.severity >= options.fail_on).count();
    if grave > 0 {
        let s = if grave == 1 { "" } else { "s" };
        reasons.push(format!(
            "{grave} finding{s} of severity {} or above",
            options.fail_on.as_str()
        ));
    }
    for (severity, most) in options.budgets {
        let n = findings.iter().filter(|f| f.severity == *severity).count();
        if n > *most {
            let found = units::count(n as u64, "finding", "findings");
            reasons.push(format!(
                "{found} of severity {}, and the budget is {most}",
                severity.as_str()
            ));
        }
    }
    let over = findings.iter().filter(|f| *f.rule == *rules::OVER_BUDGET).count();
    if over > 0 {
        reasons.push(format!("{over} over the budget of risk"));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stanza_that_cannot_decide_is_one_finding() {
        let finding = |rule: &str, line: u32, severity| Finding {
            rule: rule.into(),
            severity,
            origins: vec![Origin::new("a.hcl", line, 1)],
            ..Finding::default()
        };
        let rules = |severities: [Severity; 2]| -> Vec<String> {
            let mut found = vec![
                finding(SHADOWED, 3, severities[0]),
                finding(lint::CANNOT_WIN, 3, severities[1]),
                finding(lint::CANNOT_WIN, 9, Severity::Info),
                finding(SHADOWED, 12, Severity::Info),
            ];
            told_once(&mut found);
            let told = found.iter().map(|one| format!("{} {}", one.rule, one.origins[0].line));
            told.collect()
        };
        let alone = ["stanza-cannot-win 9", "shadowed-stanza 12"];
        let low = rules([Severity::Low, Severity::Low]);
        assert_eq!(low, [&["shadowed-stanza 3"], &alone[..]].concat());
        // Settings may make the one of them fail the gate: that one is told.
        let high = rules([Severity::Low, Severity::High]);
        assert_eq!(high, [&["stanza-cannot-win 3"], &alone[..]].concat());
    }
}
