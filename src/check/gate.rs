//! The gate itself: collects findings, takes off what is waived, unchanged or known, and says whether it passes.

use super::baseline::Baseline;
use super::rules::{self, NEED_USAGE, NEW_ACCESS, NOT_CHECKED, POLICY_GONE, UNREADABLE};
use super::rules::{WAIVER_EXPIRED, WAIVER_INVALID, WAIVER_UNUSED};
use super::source::{Problem, Read, Ways};
use super::{access as new_access, brought, risk, ways};
use crate::access::{Inputs, Joined, PolicyNumber};
use crate::advice::{Finding, RuleView, Severity, Subject};
use crate::analysis::evidence::Watch;
use crate::analysis::rule::fingerprint;
use crate::deployment::Deployment;
use crate::origin::Origin;
use crate::pipeline::place::{Changed, Places};
use crate::pipeline::waiver::{self, Invalid, Waiver};
use crate::pipeline::{self, Question};
use crate::policy::lint;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::table::Table;
use crate::settings::{RuleLevel, Settings};
use crate::usage::Facts;
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// What usage says.
pub struct Seen {
    /// Who asked for what.
    pub facts: Facts,
    /// What the logs are worth.
    pub watch: Watch,
    /// When they end.
    pub last: Option<Timestamp>,
}

impl Seen {
    pub(super) fn nothing() -> Self {
        Self {
            facts: Facts::default(),
            watch: Watch {
                window_days: 0.0,
                health: 1.0,
                gaps: Vec::new(),
            },
            last: None,
        }
    }
}

/// What is checked.
pub struct Material {
    /// The policies.
    pub read: Read,
    /// What the base has, where there is one.
    pub base: Option<Read>,
    /// What the change brings along to be judged by.
    pub brought: Vec<Finding>,
    /// Usage, where there is any.
    pub seen: Option<Seen>,
    /// The deployment, where one is named.
    pub deployment: Option<Deployment>,
}

/// How it is checked.
pub struct Options<'a> {
    /// Whose rules decide.
    pub profile: Profile,
    /// Weights, rule levels, waivers.
    pub settings: &'a Settings,
    /// Findings of this severity and above fail.
    pub fail_on: Severity,
    /// No holder's risk may be above this.
    pub max_risk: Option<f64>,
    /// At most so many findings of a severity, whatever the threshold.
    pub budgets: &'a [(Severity, usize)],
    /// What was there before.
    pub baseline: Option<&'a Baseline>,
    /// Today, for waivers and stanzas that expire.
    pub now: Timestamp,
}

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
}

/// Checks. `step` is told what comes next.
#[must_use]
pub fn check(material: Material, options: &Options<'_>, step: &mut dyn FnMut(&str)) -> Checked {
    let Material {
        read,
        base,
        brought,
        seen,
        deployment,
    } = material;
    let settings = options.settings;
    let with_usage = seen.is_some();
    let Seen { facts, watch, last } = seen.unwrap_or_else(Seen::nothing);
    let now = options.now.as_second();

    step("joining usage with grants");
    let analysis = pipeline::analyse(Question {
        inputs: Inputs {
            facts,
            policies: read.policies,
            deployment: deployment.as_ref(),
            profile: options.profile,
            now: Some(now),
        },
        watch,
        last,
        evidence: &settings.evidence,
        weights: &settings.weights,
        kv2_closure: settings.price.kv2_closure,
    });
    let joined = &analysis.joined;
    let places = Places::new(&joined.policies);
    let levels = levels(settings, with_usage);

    step("looking for findings");
    let mut findings = analysis.findings(&levels, None);
    findings.extend(warnings(joined, deployment.as_ref()));
    unique(&mut findings);

    let (base, old_ways, known_outside, old_news) = match base {
        Some(old) => (Some(Table::from(old.policies)), old.ways, old.unchecked, Some(old.news)),
        None => (None, Ways::default(), Vec::new(), None),
    };
    let changed = base.as_ref().map(|old| Changed::new(old.as_slice(), &joined.policies));
    let untouched: BTreeSet<String> = changed.as_ref().map_or_else(BTreeSet::new, |changed| {
        let old = findings.iter().filter(|f| !changed.touches(f, &places));
        old.map(|f| f.fingerprint.clone()).collect()
    });
    if let (Some(old), Some(changed)) = (&base, &changed) {
        step("comparing with the base");
        let new = &joined.policies;
        findings.extend(new_access::findings(
            options.profile,
            old.as_slice(),
            new,
            joined,
            changed,
            now,
        ));
    }
    let before = base.as_ref().map(|policies| ways::Before {
        policies: policies.as_slice(),
        ways: &old_ways,
    });
    // What is found in the ways that files may set variables, and not without.
    let alone = self::levels(settings, false);
    let other = ways::findings(joined, &read.ways, before.as_ref(), &alone, options, &findings);
    findings.extend(other);
    findings.extend(read.broken.iter().map(|p| problem(UNREADABLE, "policy", p)));
    let gone: Vec<&Policy> = match (&base, &changed) {
        (Some(old), Some(changed)) => changed.gone.iter().filter_map(|&n| old.as_slice().get(n)).collect(),
        _ => Vec::new(),
    };
    findings.extend(unchecked(&read.unchecked, &gone, &known_outside));
    if let Some(old) = &old_news {
        findings.extend(news(&read.news, old));
    }
    if let Some(old) = &base {
        findings.extend(moved(old.as_slice(), joined.policies.as_slice()));
    }
    findings.extend(
        gone.iter()
            .map(|policy| is_gone(policy, &read.broken, joined.policies.as_slice())),
    );
    findings.extend(brought);
    if let Some(most) = options.max_risk {
        findings.extend(risk::over_budget(
            joined,
            analysis.exposures().as_slice(),
            settings,
            most,
        ));
    }

    let mut rules = pipeline::rule_views();
    rules.extend(rules::views());
    let today = options.now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let waived = waive(
        &mut findings,
        joined,
        base.as_ref().zip(changed.as_ref()),
        &places,
        options,
        today,
        &ran(&levels, options),
    );
    apply_levels(&mut findings, settings);
    unique(&mut findings);
    findings.sort_by(|a, b| {
        (b.severity, &a.rule, &a.origins, &a.subject, &a.fingerprint).cmp(&(
            a.severity,
            &b.rule,
            &b.origins,
            &b.subject,
            &b.fingerprint,
        ))
    });
    let all = findings.len();
    findings.retain(|f| !untouched.contains(&f.fingerprint));
    let unchanged = all - findings.len();
    let baseline = Baseline::of(&findings);
    let mut known = 0;
    if let Some(before) = options.baseline {
        let knows = before.knows();
        findings.retain(|f| rules::UNWAIVED.contains(&&*f.rule) || !knows(f));
        known = baseline.len() - findings.len();
    }
    let checked = Checked {
        reasons: reasons(&findings, options),
        findings,
        rules,
        policies: joined.policies.len(),
        waived,
        unchanged,
        known,
        baseline,
    };
    // Nobody waits for what is given back.
    let joined = analysis.joined;
    rayon::spawn(move || drop(joined));
    checked
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

/// The warnings of `lint` as findings.
pub(super) fn warnings(joined: &Joined, deployment: Option<&Deployment>) -> Vec<Finding> {
    let mounts = deployment
        .into_iter()
        .flat_map(|d| d.mounts.iter().chain(&d.auth_mounts));
    let pairs = |held: &[PolicyNumber]| -> Vec<(usize, usize)> {
        let later = |n: usize| held.iter().skip(n + 1);
        held.iter()
            .enumerate()
            .flat_map(|(n, one)| later(n).map(move |two| (one.number(), two.number())))
            .collect()
    };
    let somebody = joined.sets.iter().filter(|set| !set.holders.is_empty());
    let context = lint::Context {
        mounts: mounts
            .map(|mount| lint::Mounted {
                path: format!("{}{}", mount.namespace, mount.path),
                kind: mount.kind.clone(),
                kv_version: mount.kv_version,
            })
            .collect(),
        profile: joined.profile,
        // Whoever is not known may hold any two together.
        held_together: (!joined.holders.is_empty() && deployment.is_some_and(|d| d.unread.is_empty()))
            .then(|| somebody.flat_map(|set| pairs(&set.policies)).collect()),
    };
    lint::policies(joined.policies.as_slice(), &context)
        .into_iter()
        .map(|w| Finding {
            fingerprint: fingerprint(w.id, "stanza", &format!("{} {}", w.policy, w.path)),
            rule: Arc::from(w.id),
            severity: match w.severity {
                lint::Severity::Note => Severity::Info,
                lint::Severity::Warning => Severity::Low,
            },
            title: if w.path.is_empty() {
                format!("policy `{}`: {}", w.policy, w.message)
            } else {
                format!("`{}` of policy `{}`: {}", w.path, w.policy, w.message)
            },
            detail: String::new(),
            subject: Subject {
                kind: "stanza".to_owned(),
                name: format!("{} {}", w.policy, w.path),
                key: String::new(),
            },
            origins: vec![w.origin],
            evidence: None,
            remedy: w.hint.unwrap_or_default(),
            fixed_in: None,
            who: Vec::new(),
        })
        .collect()
}

fn problem(rule: &str, kind: &str, problem: &Problem) -> Finding {
    let title = match rule {
        UNREADABLE => format!("policy `{}` cannot be used: {}", problem.what, problem.why),
        _ => format!("`{}` was not checked: {}", problem.what, problem.why),
    };
    own(
        rule,
        kind,
        &problem.what,
        &problem.why,
        title,
        problem.remedy,
        &problem.origin,
    )
}

/// What was not read, with the policy that the base has of that name or at that place, which is there no more.
/// What may write policies and is just so in the base is told and no more.
fn unchecked<'a>(all: &'a [Problem], gone: &'a [&Policy], before: &'a [Problem]) -> impl Iterator<Item = Finding> + 'a {
    let mut known: HashMap<&str, usize> = HashMap::new();
    for same in before.iter().filter_map(|one| one.same.as_deref()) {
        *known.entry(same).or_default() += 1;
    }
    all.iter().map(move |one| {
        let mut finding = problem(NOT_CHECKED, "policy", one);
        if let Some(left) = one
            .same
            .as_deref()
            .and_then(|same| known.get_mut(same))
            .filter(|n| **n > 0)
        {
            *left -= 1;
            finding.severity = Severity::Low;
            finding.detail = "The base has the very same.".to_owned();
            return finding;
        }
        let replaced = gone.iter().find(|policy| replaces(one, policy));
        if let Some(policy) = replaced {
            finding.detail = format!("The base has policy `{}{}` there.", policy.namespace, policy.name);
        }
        finding
    })
}

/// What may make other policies of those that are there, and is not as it is in the base.
fn news(now: &[Problem], before: &[Problem]) -> Vec<Finding> {
    let lacks = |one: &Problem, others: &[Problem]| !others.iter().any(|other| other.same == one.same);
    let mut findings: Vec<Finding> = now
        .iter()
        .filter(|one| lacks(one, before))
        .map(|one| problem(NOT_CHECKED, "policy", one))
        .collect();
    // One that is gone is told where none has come in its place.
    let gone = before.iter().filter(|one| lacks(one, now) && findings.is_empty());
    let gone: Vec<Finding> = gone
        .map(|one| {
            let mut finding = problem(NOT_CHECKED, "policy", one);
            finding.detail = "The base has it, and the change does not.".to_owned();
            finding
        })
        .collect();
    findings.extend(gone);
    findings
}

/// Policies that are written to another server than in the base.
fn moved(before: &[Policy], now: &[Policy]) -> Vec<Finding> {
    let server = |policy: &Policy| {
        policy
            .written
            .as_ref()
            .map_or_else(Arc::default, |written| Arc::clone(&written.server))
    };
    let before: HashMap<_, _> = before.iter().map(|policy| (policy.id(), server(policy))).collect();
    let named = |server: &str| match server {
        "" => "one that is not named".to_owned(),
        server => format!("`{server}`"),
    };
    now.iter()
        .filter_map(|policy| {
            let (old, new) = (before.get(&policy.id())?, server(policy));
            if *old == new {
                return None;
            }
            let origin = policy.written.as_ref().map(|written| written.origin.clone());
            let title = format!(
                "policy `{}{}` is written to another server: {}, before {}",
                policy.namespace,
                policy.name,
                named(&new),
                named(old)
            );
            Some(own(
                NOT_CHECKED,
                "policy",
                &policy.name,
                &new,
                title,
                "Check it against the policies of that server, and let somebody answer for it with a waiver.",
                &origin.unwrap_or_else(|| Origin::new(Arc::clone(&policy.file), 1, 1)),
            ))
        })
        .collect()
}

/// Whether what was not read stands where the base has a policy: by its name, or in the same file.
fn replaces(one: &Problem, policy: &Policy) -> bool {
    let file = |text: &str| Path::new(text).file_name().map(ToOwned::to_owned);
    let named = one.what.rsplit(['.', '/', ' ']).next().unwrap_or_default();
    *one.what == *policy.name
        || named.trim_matches(['"', '`']) == &*policy.name
        || file(&one.origin.file) == file(&policy.file)
}

/// A policy that the base has and the change has not.
fn is_gone(policy: &Policy, broken: &[Problem], now: &[Policy]) -> Finding {
    let id = format!("{}{}", policy.namespace, policy.name);
    let says_so = |p: &&Policy| p.source == policy.source && p.namespace == policy.namespace;
    let mut finding = own(
        POLICY_GONE,
        "policy",
        &id,
        "",
        format!("policy `{id}` of the base is gone"),
        "Whoever holds it loses what it grants, and is no longer denied what it denies.",
        &Origin::new(policy.file.clone(), 1, 1),
    );
    if broken.iter().any(|p| *p.what == *policy.name) {
        finding.detail = "What stands there now cannot be used.".to_owned();
    } else if let Some(same) = now.iter().find(says_so) {
        finding.detail = format!(
            "`{}{}` says the same, but is another policy: tokens, roles and groups hold policies by name.",
            same.namespace, same.name
        );
    }
    finding
}

/// A finding of the gate itself.
pub(super) fn own(
    rule: &str,
    kind: &str,
    name: &str,
    key: &str,
    title: String,
    remedy: &str,
    origin: &Origin,
) -> Finding {
    Finding {
        fingerprint: fingerprint(rule, kind, &format!("{name} {key}")),
        rule: Arc::from(rule),
        severity: rules::severity(rule),
        title,
        detail: String::new(),
        subject: Subject {
            kind: kind.to_owned(),
            name: name.to_owned(),
            key: String::new(),
        },
        origins: vec![origin.clone()],
        evidence: None,
        remedy: remedy.to_owned(),
        fixed_in: None,
        who: Vec::new(),
    }
}

/// Said of what a waiver beside a stanza does not cover.
const OUTGROWN: &str =
    " The waiver beside the stanza is for what it said before; one in the settings can be for what is to come.";

/// Takes off what is waived, and tells of waivers that are past, useless or broken. Returns how many findings went.
fn waive(
    findings: &mut Vec<Finding>,
    joined: &Joined,
    base: Option<(&Table, &Changed)>,
    places: &Places,
    options: &Options<'_>,
    today: Date,
    ran: &dyn Fn(&str) -> bool,
) -> usize {
    let (mut waivers, mut invalid) = waiver::of_settings(options.settings);
    let mut beside = Vec::new();
    for n in joined.policies.ids() {
        waiver::of_policy(&joined.policies, n, &mut beside, &mut invalid);
    }
    if let Some((old, _)) = base {
        // What the change itself says to be waived is not, before it has gone in.
        let (mut before, mut ignored) = (Vec::new(), Vec::new());
        for n in old.ids() {
            waiver::of_policy(old, n, &mut before, &mut ignored);
        }
        let before: HashSet<_> = before.iter().map(Waiver::key).collect();
        let (known, brought): (Vec<_>, Vec<_>) = beside.into_iter().partition(|w| before.contains(&w.key()));
        findings.extend(brought.iter().map(brought::waiver));
        beside = known;
    }
    waivers.extend(beside);
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
        let grew = base.is_some_and(|(_, changed)| *finding.rule == *NEW_ACCESS || changed.widens(finding, places));
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
            reasons.push(format!(
                "{n} findings of severity {}, and the budget is {most}",
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
