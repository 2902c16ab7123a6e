//! What the template of the HTML report shows: every text ready, every number in words.

use std::collections::BTreeMap;

use serde::Serialize;

use super::digest::{self, UnusedSaid, count, decimal, number};
use super::escape::{fragment, visible, visible_lines};
use super::history;
use super::html_changes::{self, Tighten, sentence};
use super::html_data::Changes;
use super::svg;
use crate::advice::{Advice, Change, History, HistoryPoint, Noted, PolicyShare, Proposal, Skip, Unused};

const PRINCIPALS_DRAWN: usize = 12;
const ROWS_WITHOUT_SCRIPT: usize = 25;
const FINDINGS_WITHOUT_SCRIPT: usize = 100;
const ESCALATIONS_SHOWN: usize = 50;
const ROLES_SHOWN: usize = 300;
const STANZAS_SHOWN: usize = 12;
/// So many changes stand on the first screen.
const CHANGES_TO_START: usize = 5;
const NOTES_SHOWN: usize = 60;
const NOTED_SHOWN: usize = 30;
const WAYS_SHOWN: usize = 200;
const INPUTS_SHOWN: usize = 12;
const SHARES_SHOWN: usize = 6;

/// All that the template shows. Every text in it has been through [`visible`]; the template escapes it.
#[derive(Serialize)]
pub struct Page {
    /// The Content-Security-Policy.
    pub csp: String,
    /// The style sheet.
    pub style: &'static str,
    /// The script.
    pub script: &'static str,
    /// The JSON that the script draws from, escaped for its place.
    pub data: String,
    /// What the page leaves out.
    pub omitted: Option<String>,
    /// The proposed policies as Terraform, by label, as far as there is room.
    #[serde(skip)]
    pub terraform: BTreeMap<String, String>,
    headline: String,
    promise: String,
    /// Whether the logs say too little for a proof to mean much.
    short: bool,
    window: String,
    skips: String,
    health: String,
    health_is: &'static str,
    demand: &'static str,
    notes: Vec<String>,
    unused_percent: u64,
    unused: String,
    granted: String,
    unused_bar: String,
    risk_before: String,
    risk_after: Option<String>,
    risk_max: String,
    over: String,
    principals_total: String,
    active: String,
    changed: String,
    policies_total: String,
    changed_detail: String,
    findings_total: String,
    findings_detail: String,
    findings_bar: String,
    denied: String,
    requests: String,
    /// The requests of the logs that no principal made.
    of_nobody: Option<String>,
    dumbbell: Option<String>,
    histogram: Option<String>,
    principals: Vec<PrincipalRow>,
    tighten: Option<Tighten>,
    start_here: usize,
    bridge: Option<BridgeView>,
    findings: Vec<FindingRow>,
    has_heat: bool,
    escalations: Vec<Chain>,
    more_escalations: Option<String>,
    policies: Vec<PolicyRow>,
    redesign: Option<Redesign>,
    frontier: Option<String>,
    history: Option<HistoryShown>,
    facts: Vec<Fact>,
    skipped: Vec<SkipRow>,
    gaps: Vec<String>,
    devices: Vec<String>,
    footer: String,
}

#[derive(Serialize)]
struct PrincipalRow {
    name: String,
    kind: String,
    mount: String,
    risk: String,
    risk_after: Option<String>,
    used: String,
    excess: String,
    requests: String,
    denied: String,
    last: String,
}

/// From what is unused today to what is unused under the proposal.
#[derive(Serialize)]
struct BridgeView {
    today: String,
    today_bar: String,
    proposed: String,
    proposed_bar: String,
    rows: Vec<BridgeRow>,
}

#[derive(Serialize)]
struct BridgeRow {
    id: &'static str,
    goes: bool,
    title: &'static str,
    why: &'static str,
    next: String,
    count: String,
    percent: u64,
    bar: String,
    policies: Vec<ShareRow>,
    more: Option<String>,
}

#[derive(Serialize)]
struct ShareRow {
    href: String,
    policy: String,
    count: String,
}

/// What is different from earlier runs.
#[derive(Serialize)]
struct HistoryShown {
    sentence: String,
    lists: Vec<NotedList>,
    /// Each with what it draws.
    drawn: Vec<(&'static str, String)>,
}

#[derive(Serialize)]
struct NotedList {
    what: &'static str,
    total: String,
    /// Titles, each with the address of the finding where it is on this page.
    all: Vec<(String, Option<String>)>,
    more: Option<String>,
}

#[derive(Serialize)]
struct FindingRow {
    fingerprint: String,
    severity: &'static str,
    rule: String,
    title: String,
    detail: String,
    remedy: String,
    /// Stanzas to add.
    grant: Option<String>,
    /// What else could be done.
    or: String,
    /// Why nothing is proposed.
    stays: Option<String>,
}

#[derive(Serialize)]
struct Chain {
    principal: String,
    others: Vec<String>,
    says: String,
    nodes: Vec<String>,
    steps: Vec<String>,
    also: Vec<String>,
}

#[derive(Serialize)]
struct PolicyRow {
    name: String,
    file: String,
    change: &'static str,
    risk: String,
    holders: String,
    stanzas: usize,
    used: usize,
    capabilities: usize,
}

#[derive(Serialize)]
struct Redesign {
    title: String,
    /// Whether it is the tightened policies: then there is nothing to tell of it.
    same: bool,
    rows: Vec<SizeRow>,
    proof: String,
    optimality: Option<String>,
    migration: Vec<String>,
    roles: Vec<RoleRow>,
    more_roles: Option<String>,
    gone: Option<String>,
}

#[derive(Serialize)]
struct SizeRow {
    what: &'static str,
    today: String,
    tight: String,
    then: String,
}

#[derive(Serialize)]
struct RoleRow {
    name: String,
    change: &'static str,
    holders: String,
    stanzas: Vec<RoleStanza>,
    more: Option<String>,
}

#[derive(Serialize)]
struct RoleStanza {
    path: String,
    capabilities: String,
}

#[derive(Serialize)]
struct Fact {
    what: &'static str,
    value: String,
}

#[derive(Serialize)]
struct SkipRow {
    reason: String,
    count: String,
    first: String,
}

fn all_visible(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| visible(text)).collect()
}

impl Page {
    /// The page of `advice`, its diffs below `diff_bytes`, still without policy, style, script and data.
    pub fn new(advice: &Advice, diff_bytes: usize) -> Self {
        let totals = &advice.totals;
        let coverage = &advice.coverage;
        let tighten = digest::proposal(advice, "tighten");
        let severities = digest::severities(advice);
        let unused = totals.granted.saturating_sub(totals.used);
        let changed: Vec<(Change, u64)> = [Change::Edit, Change::Add, Change::Delete]
            .into_iter()
            .map(|change| (change, tighten.map_or(0, |proposal| digest::changes(proposal, change))))
            .collect();
        let compared = advice.principals.iter().any(|principal| principal.risk_after.is_some());
        Self {
            csp: String::new(),
            style: "",
            script: "",
            data: String::new(),
            omitted: None,
            terraform: tighten.map_or_else(BTreeMap::new, |proposal| html_changes::terraform(proposal, diff_bytes)),
            short: digest::is_short(coverage),
            headline: digest::headline(advice),
            promise: digest::promise(advice),
            window: digest::window(coverage),
            skips: digest::skips(coverage),
            health: digest::health(coverage),
            health_is: digest::HEALTH,
            demand: digest::DEMAND,
            notes: notes(advice),
            unused_percent: digest::percent(unused, totals.granted),
            unused: number(unused),
            granted: number(totals.granted),
            unused_bar: svg::use_bar(totals.used, totals.granted),
            risk_before: decimal(tighten.map_or(totals.risk_mean, |proposal| proposal.before.risk_mean)),
            risk_after: tighten
                .filter(|_| compared)
                .map(|proposal| decimal(proposal.after.risk_mean)),
            risk_max: decimal(totals.risk_max),
            over: number(digest::over_privileged(advice)),
            principals_total: number(totals.principals.max(digest::len(&advice.principals))),
            active: number(totals.active_principals),
            changed: number(changed.iter().map(|(_, hits)| hits).sum()),
            policies_total: number(totals.policies),
            changed_detail: words(changed.iter().map(|(change, hits)| (change.as_str(), *hits))),
            findings_total: number(digest::len(&advice.findings)),
            findings_detail: words(severities.iter().map(|(severity, hits)| (severity.as_str(), *hits))),
            findings_bar: svg::severity_bar(&severities),
            denied: number(totals.denied_requests),
            requests: number(digest::requests_seen(advice)),
            of_nobody: digest::of_nobody(advice),
            dumbbell: (!advice.principals.is_empty()).then(|| svg::dumbbell(&advice.principals, PRINCIPALS_DRAWN)),
            histogram: (!advice.principals.is_empty()).then(|| svg::histogram(&advice.principals)),
            principals: principal_rows(advice),
            tighten: tighten.map(|proposal| html_changes::view(advice, proposal, diff_bytes)),
            start_here: CHANGES_TO_START,
            bridge: bridge(advice),
            findings: finding_rows(advice),
            has_heat: !advice.heat.rows.is_empty(),
            escalations: chains(advice),
            more_escalations: advice
                .escalations
                .len()
                .checked_sub(ESCALATIONS_SHOWN)
                .filter(|more| *more > 0)
                .map(|more| format!("{more} more in advice.json.")),
            policies: policy_rows(advice, tighten),
            redesign: digest::proposal(advice, "redesign").map(|proposal| redesign_view(proposal, tighten)),
            history: advice.history.as_ref().map(history_shown),
            frontier: (!advice.frontier.is_empty()).then(|| svg::frontier(&advice.frontier)),
            facts: facts(advice),
            skipped: coverage.skipped.iter().map(skip_row).collect(),
            gaps: coverage
                .gaps
                .iter()
                .map(|gap| format!("{} to {}", digest::moment(gap.start), digest::moment(gap.end)))
                .collect(),
            devices: all_visible(&coverage.device_changes),
            footer: footer(advice),
        }
    }
}

/// What a reader should know first.
fn notes(advice: &Advice) -> Vec<String> {
    let coverage = &advice.coverage;
    let mut notes = cut(&advice.run.notes, NOTES_SHOWN);
    let skipped: u64 = coverage.skipped.iter().map(|skip| skip.count).sum();
    if skipped > 0 {
        notes.push(format!(
            "{} of the logs could not be used: a use of a grant may hide in them.",
            count(skipped, "line", "lines")
        ));
    }
    if !coverage.gaps.is_empty() {
        notes.push(format!(
            "The logs have {}.",
            count(digest::len(&coverage.gaps), "gap", "gaps")
        ));
    }
    notes
}

fn history_shown(history: &History) -> HistoryShown {
    let lists = [
        ("New", &history.new, true),
        ("Back", &history.back, true),
        ("Fixed", &history.gone, false),
    ];
    let list = |(what, of, here): (&'static str, &Vec<Noted>, bool)| {
        let known = of
            .iter()
            .filter_map(|one| Some((one.title.as_ref()?, &one.fingerprint)));
        let all: Vec<_> = known
            .take(NOTED_SHOWN)
            .map(|(title, fingerprint)| {
                let address = here.then(|| format!("#{}", fragment(&visible(fingerprint))));
                (visible(title), address)
            })
            .collect();
        let more = of.len().checked_sub(all.len()).filter(|more| *more > 0);
        let more = more.map(|more| format!("{} more, in advice.json", number(more as u64)));
        (!of.is_empty()).then_some(NotedList {
            what,
            total: number(of.len() as u64),
            all,
            more,
        })
    };
    let draw = |label: &'static str, words: &'static str, value: &dyn Fn(&HistoryPoint) -> Option<f64>| {
        let points: Vec<_> = history
            .points
            .iter()
            .filter_map(|point| Some((point.at, value(point)?)))
            .collect();
        (points.len() > 1).then(|| {
            let told = |value: f64| format!("{} {words}", decimal(value));
            (label, svg::trend(&format!("{label}, run by run"), &points, &told))
        })
    };
    let drawn = [
        draw("Granted and never used", "granted and never used", &|point| {
            Some(point.excess as f64)
        }),
        draw("Mean risk", "mean risk", &|point| Some(point.risk_mean)),
        draw("Findings", "findings", &|point| point.findings.map(|all| all as f64)),
    ];
    HistoryShown {
        sentence: visible(&history::sentence(history)),
        lists: lists.into_iter().filter_map(list).collect(),
        drawn: drawn.into_iter().flatten().collect(),
    }
}

fn skip_row(skip: &Skip) -> SkipRow {
    SkipRow {
        reason: visible(digest::reason(skip)),
        count: number(skip.count),
        first: visible(skip.first.as_deref().unwrap_or("–")),
    }
}

/// The first of many texts, and how many there are besides.
fn cut(texts: &[String], most: usize) -> Vec<String> {
    let mut out: Vec<String> = texts.iter().take(most).map(|text| visible(text)).collect();
    if let Some(more) = texts.len().checked_sub(most).filter(|more| *more > 0) {
        out.push(format!("and {more} more, in advice.json"));
    }
    out
}

/// What to do about something unused, for all.
fn next_of(said: UnusedSaid, advice: &Advice) -> String {
    let redesign = digest::proposal(advice, "redesign").filter(|_| said.what == Unused::Shared);
    let changed = redesign.map_or(0, |redesign| redesign.changed_for.len() as u64);
    match (changed, said.next.strip_suffix('.')) {
        (1.., Some(next)) => {
            let who = count(changed, "principal", "principals");
            format!("{next}: the redesign shows how for {who}.")
        }
        _ => said.next.to_owned(),
    }
}

fn bridge(advice: &Advice) -> Option<BridgeView> {
    let from = &advice.bridge;
    let (today, proposed) = (from.today(), from.proposed());
    if today == 0 {
        return None;
    }
    let mut left = today;
    let rows = from.parts.iter().map(|part| {
        let said = digest::unused_said(part.what);
        let goes = part.what == Unused::Goes;
        left -= part.count;
        BridgeRow {
            id: part.what.as_str(),
            goes,
            title: said.title,
            why: said.why,
            next: next_of(said, advice),
            count: number(part.count),
            percent: digest::percent(part.count, today),
            bar: svg::step_bar(part.count, left, today, if goes { "f-used" } else { "f-excess" }),
            policies: part
                .policies
                .iter()
                .take(SHARES_SHOWN)
                .map(|PolicyShare { policy, count }| ShareRow {
                    href: format!("#policy/{}", fragment(&visible(policy))),
                    policy: visible(policy),
                    count: number(*count),
                })
                .collect(),
            more: part
                .policies
                .len()
                .checked_sub(SHARES_SHOWN)
                .filter(|more| *more > 0)
                .map(|more| format!("and {more} more, in advice.json")),
        }
    });
    Some(BridgeView {
        rows: rows.collect(),
        today: number(today),
        today_bar: svg::step_bar(today, 0, today, "f-excess"),
        proposed: number(proposed),
        proposed_bar: svg::step_bar(proposed, 0, today, "f-excess"),
    })
}

/// The policies that a proposal deletes.
fn gone(proposal: &Proposal) -> Option<String> {
    let names: Vec<String> = proposal
        .policies
        .iter()
        .filter(|policy| policy.change == Change::Delete)
        .map(|policy| format!("`{}`", policy.name.replace('`', "\u{2bc}")))
        .collect();
    (!names.is_empty()).then(|| cut(&names, ROLES_SHOWN).join(", "))
}

/// "3 edit, 1 delete": what is not there is not named.
fn words<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> String {
    let named: Vec<String> = counts
        .filter(|(_, hits)| *hits > 0)
        .map(|(word, hits)| format!("{} {word}", number(hits)))
        .collect();
    if named.is_empty() {
        String::from("none")
    } else {
        named.join(", ")
    }
}

fn principal_rows(advice: &Advice) -> Vec<PrincipalRow> {
    advice
        .principals
        .iter()
        .take(ROWS_WITHOUT_SCRIPT)
        .map(|principal| PrincipalRow {
            name: visible(&principal.name),
            kind: visible(&principal.kind),
            mount: visible(&principal.auth_mount),
            risk: decimal(principal.risk.score),
            risk_after: principal.risk_after.as_ref().map(|risk| decimal(risk.score)),
            used: digest::use_of_granted(principal),
            excess: match digest::is_root(principal) {
                true => String::from("–"),
                false => number(principal.excess),
            },
            requests: number(principal.requests),
            denied: number(principal.denied),
            last: principal.last_seen.map_or_else(|| String::from("never"), digest::day),
        })
        .collect()
}

fn finding_rows(advice: &Advice) -> Vec<FindingRow> {
    advice
        .findings
        .iter()
        .take(FINDINGS_WITHOUT_SCRIPT)
        .map(|finding| (finding, digest::remedy(finding)))
        .map(|(finding, remedy)| FindingRow {
            fingerprint: visible(&finding.fingerprint),
            severity: finding.severity.as_str(),
            rule: visible(&finding.rule),
            title: visible(&finding.title),
            detail: visible(&finding.detail),
            remedy: visible(remedy.says),
            grant: remedy.grant.map(visible_lines),
            or: visible(remedy.or),
            stays: digest::stays(finding),
        })
        .collect()
}

fn chains(advice: &Advice) -> Vec<Chain> {
    advice
        .escalations
        .iter()
        .take(ESCALATIONS_SHOWN)
        .map(|one| Chain {
            principal: visible(&one.principal),
            others: all_visible(if one.principals.len() > 1 { &one.principals } else { &[] }),
            says: visible(&one.says),
            nodes: all_visible(&one.nodes),
            steps: all_visible(&one.steps),
            also: cut(&one.also, WAYS_SHOWN),
        })
        .collect()
}

fn policy_rows(advice: &Advice, tighten: Option<&Proposal>) -> Vec<PolicyRow> {
    let changes = Changes::of(tighten);
    advice
        .policies
        .iter()
        .take(ROWS_WITHOUT_SCRIPT)
        .map(|policy| {
            let all = || policy.stanzas.iter().flat_map(|stanza| &stanza.capabilities);
            PolicyRow {
                name: visible(&policy.label()),
                file: visible(&policy.file),
                change: changes.to(&policy.label()),
                risk: decimal(policy.risk.score),
                holders: number(digest::len(&policy.holders)),
                stanzas: policy.stanzas.len(),
                used: all().filter(|one| one.requests > 0).count(),
                capabilities: all().count(),
            }
        })
        .collect()
}

fn redesign_view(redesign: &Proposal, tighten: Option<&Proposal>) -> Redesign {
    let (before, after) = (&redesign.before, &redesign.after);
    let tight = tighten.map(|proposal| &proposal.after);
    let row = |what, today: u64, tight: Option<u64>, then: u64| SizeRow {
        what,
        today: number(today),
        tight: tight.map(number).unwrap_or_default(),
        then: number(then),
    };
    Redesign {
        title: sentence(&redesign.title),
        same: tighten.is_some_and(|tighten| digest::is_same(redesign, tighten)),
        rows: vec![
            row(
                "Policies",
                before.policies,
                tight.map(|size| size.policies),
                after.policies,
            ),
            row("Stanzas", before.stanzas, tight.map(|size| size.stanzas), after.stanzas),
            row(
                "Assignments",
                before.assignments,
                tight.map(|size| size.assignments),
                after.assignments,
            ),
            row(
                "Granted and never used",
                before.exposure,
                tight.map(|size| size.exposure),
                after.exposure,
            ),
            SizeRow {
                what: "Mean risk",
                today: decimal(before.risk_mean),
                tight: tight.map(|size| decimal(size.risk_mean)).unwrap_or_default(),
                then: decimal(after.risk_mean),
            },
        ],
        proof: digest::proof(&redesign.proof),
        optimality: digest::optimality(&redesign.optimality),
        migration: all_visible(&redesign.migration),
        gone: gone(redesign),
        more_roles: redesign
            .policies
            .iter()
            .filter(|policy| policy.change != Change::Delete)
            .count()
            .checked_sub(ROLES_SHOWN)
            .filter(|more| *more > 0)
            .map(|more| format!("and {} more, in roles/", number(more as u64))),
        roles: redesign
            .policies
            .iter()
            .filter(|policy| policy.change != Change::Delete)
            .take(ROLES_SHOWN)
            .map(|policy| RoleRow {
                name: visible(&policy.name),
                change: policy.change.as_str(),
                holders: number(digest::len(&policy.holders)),
                stanzas: policy
                    .stanzas
                    .iter()
                    .take(STANZAS_SHOWN)
                    .map(|(path, capabilities)| RoleStanza {
                        path: visible(path),
                        capabilities: visible(&capabilities.join(", ")),
                    })
                    .collect(),
                more: policy
                    .stanzas
                    .len()
                    .checked_sub(STANZAS_SHOWN)
                    .filter(|more| *more > 0)
                    .map(|more| format!("and {more} more")),
            })
            .collect(),
    }
}

fn facts(advice: &Advice) -> Vec<Fact> {
    let coverage = &advice.coverage;
    let fact = |what, value: String| Fact { what, value };
    let mut out = vec![
        fact("Window", digest::window(coverage)),
        fact(
            "Lines",
            format!(
                "{} read, {} used, {} belonging to a request already counted",
                number(coverage.lines),
                number(coverage.used),
                number(coverage.paired)
            ),
        ),
        fact("Demands", demands(advice)),
        fact(
            "Decisions",
            String::from(if coverage.has_policy_results {
                "the log carries the server's own decisions"
            } else {
                "the log does not carry the server's own decisions"
            }),
        ),
        fact(
            "Log health",
            format!("{} %. It is {}.", digest::health(coverage), digest::HEALTH),
        ),
    ];
    if let Some(requests) = digest::requests(advice) {
        out.insert(2, fact("Requests", requests));
    }
    if let Some(tighten) = digest::proposal(advice, "tighten").filter(|one| one.proof.combinations > 0) {
        out.push(fact(
            "Combinations of policies",
            format!("{}: {}", number(tighten.proof.combinations), digest::COMBINATIONS),
        ));
    }
    if !coverage.nodes.is_empty() {
        out.push(fact("Nodes", visible(&coverage.nodes.join(", "))));
    }
    if !advice.run.inputs.is_empty() {
        let read = cut(&advice.run.inputs, INPUTS_SHOWN).join(", ");
        out.push(fact("Read", read));
    }
    if !advice.run.server.is_empty() {
        out.push(fact("Server rules", visible(&advice.run.server)));
    }
    out
}

/// How many demands there are, and how many of them the proof decides again.
fn demands(advice: &Advice) -> String {
    let mut out = format!(
        "{} (one principal, one path, one capability each)",
        number(advice.coverage.demands)
    );
    let again = digest::proposal(advice, "tighten").map_or(0, |tighten| tighten.proof.demands_replayed);
    if again > 0 {
        out.push_str(&format!(
            "; {} of them are allowed by a stanza and decided again",
            number(again)
        ));
    }
    out
}

fn footer(advice: &Advice) -> String {
    let mut out = format!("vault-advisor {}", visible(&advice.run.version));
    if let Some(time) = advice.run.generated_at {
        out.push_str(&format!(" · {}", digest::moment(time)));
    }
    out.push_str(" · made without network access; holds names and paths, no secret values.");
    out
}
