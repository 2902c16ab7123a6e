//! One report, one summary and one set of diffs for each owner, so that each can be handed its own page and its own pull request.

use super::digest;
use super::layout::{self, Placed};
use super::output::OutputFile;
use super::{RenderError, csv, diff, hcl, html, markdown, plan, terraform};
use crate::advice::{
    Advice, Bridge, Change, Complexity, FileChange, Owners, PolicyView, PrincipalView, Proposal, ProposedPolicy,
    RequestTotals, Totals, Withdrawn,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Who has what nobody owns.
const NOBODY: &str = "nobody";
/// The list of all owners.
const INDEX: &str = "README.md";

/// The files of all owners, below `owners/`.
///
/// # Errors
/// When a serializer or the template fails, which no advice should make happen.
pub fn render(advice: &Advice, html_bytes: usize) -> Result<Vec<OutputFile>, RenderError> {
    let owners = &advice.owners;
    let mut names: BTreeSet<&str> = owners.policies.values().map(String::as_str).collect();
    names.extend(owners.principals.values().map(String::as_str));
    names.extend(owners.findings.values().map(String::as_str));
    // An owner who is called nobody has another folder.
    let mut taken = BTreeSet::from([INDEX.to_lowercase(), NOBODY.to_owned()]);
    let mut files = Vec::new();
    let mut index =
        String::from("# Owners\n\n| owner | policies | changes | findings | folder |\n|---|---:|---:|---:|---|\n");
    for name in names.into_iter().map(Some).chain([None]) {
        let part = part(advice, name);
        if part.policies.is_empty() && part.findings.is_empty() && part.principals.is_empty() {
            continue;
        }
        let folder = name.map_or_else(|| NOBODY.to_owned(), |name| folder(name, &mut taken));
        let changes = part.proposals.iter().flat_map(|proposal| &proposal.policies);
        let _ = writeln!(
            index,
            "| {} | {} | {} | {} | [{folder}]({folder}/summary.md) |",
            name.map_or_else(|| format!("({NOBODY})"), super::escape::markdown),
            part.policies.len(),
            changes.filter(|policy| policy.change != Change::Keep).count(),
            part.findings.len(),
        );
        files.extend(one(&part, &format!("owners/{folder}/"), html_bytes)?);
    }
    files.push(OutputFile::text(format!("owners/{INDEX}"), index));
    Ok(files)
}

/// The report of one.
fn one(part: &Advice, folder: &str, html_bytes: usize) -> Result<Vec<OutputFile>, RenderError> {
    let mut files = vec![
        OutputFile::text(format!("{folder}report.html"), html::render(part, html_bytes)?),
        OutputFile::text(format!("{folder}summary.md"), markdown::render(part)),
        OutputFile::text(format!("{folder}findings.csv"), csv::findings(part)),
        OutputFile::text(format!("{folder}principals.csv"), csv::principals(part)),
        OutputFile::text(format!("{folder}policies.csv"), csv::policies(part)),
    ];
    for proposal in &part.proposals {
        let base = layout::diff_base(&part.run, proposal);
        let placed = layout::place(&part.run, proposal);
        let changed = placed.iter().filter(|placed| placed.policy.change != Change::Keep);
        for placed in changed {
            files.extend(texts(placed, folder, &base));
        }
        for change in &proposal.files {
            let (name, text) = diff::of_file(change, &base);
            files.push(OutputFile::text(format!("{folder}diffs/{name}"), text));
        }
        let only_changes = Proposal {
            policies: changed_only(proposal),
            ..proposal.clone()
        };
        files.extend(terraform::render(&only_changes, &format!("{folder}terraform/")));
    }
    Ok(files)
}

fn changed_only(proposal: &Proposal) -> Vec<crate::advice::ProposedPolicy> {
    let changed = proposal.policies.iter().filter(|policy| policy.change != Change::Keep);
    changed.cloned().collect()
}

fn texts(placed: &Placed<'_>, folder: &str, base: &str) -> Vec<OutputFile> {
    let text = hcl::file(placed.policy).map(|text| OutputFile::text(format!("{folder}policies/{}", placed.file), text));
    let diff = placed
        .policy
        .is_its_file()
        .then(|| diff::render(placed, base))
        .flatten();
    let diff = diff.map(|text| OutputFile::text(format!("{folder}diffs/{}", placed.diff), text));
    text.into_iter().chain(diff).collect()
}

/// What of the advice belongs to one owner; to nobody, where none is named. Policies of others are as they are today.
fn part(advice: &Advice, owner: Option<&str>) -> Advice {
    let Owners {
        policies,
        principals,
        findings,
    } = &advice.owners;
    let of_policy = |namespace: &str, name: &str| policies.get(&(namespace.to_owned(), name.to_owned()));
    let is_mine = |namespace: &str, name: &str| of_policy(namespace, name).map(String::as_str) == owner;
    let principals: Vec<_> = advice
        .principals
        .iter()
        .filter(|one| principals.get(&one.id).map(String::as_str) == owner)
        .cloned()
        .collect();
    let policies: Vec<_> = advice
        .policies
        .iter()
        .filter(|one| is_mine(&one.namespace, &one.name))
        .cloned()
        .collect();
    let sum = |of: fn(&PrincipalView) -> u64| principals.iter().map(of).sum();
    // No policy limits a root token: in a mean it would only blur what policies can change.
    let bound = || principals.iter().filter(|one| !digest::is_root(one));
    let mean = |of: fn(&PrincipalView) -> f64| match bound().count() {
        0 => 0.0,
        many => bound().map(of).sum::<f64>() / many as f64,
    };
    let totals = Totals {
        principals: principals.len() as u64,
        active_principals: principals.iter().filter(|one| one.active_days > 0).count() as u64,
        policies: policies.len() as u64,
        stanzas: policies.iter().map(|one| one.stanzas.len() as u64).sum(),
        granted: sum(|one| one.granted),
        used: sum(|one| one.used),
        denied_requests: sum(|one| one.denied),
        // What allowed the requests of a part was not counted apart.
        requests: RequestTotals::default(),
        risk_max: bound().map(|one| one.risk.score).fold(0.0, f64::max),
        risk_mean: mean(|one| one.risk.score),
    };
    let bridge = Bridge::of(&principals);
    let today = Complexity {
        policies: totals.policies,
        stanzas: totals.stanzas,
        assignments: sum(|one| one.policies.len() as u64),
        exposure: bridge.today(),
        wsc: 0,
        risk_mean: totals.risk_mean,
    };
    let then = Complexity {
        exposure: bridge.proposed(),
        risk_mean: mean(|one| one.risk_after.as_ref().unwrap_or(&one.risk).score),
        ..today.clone()
    };
    let tighten = advice.proposals.iter().filter(|proposal| proposal.kind == "tighten");
    let proposals = tighten.map(|proposal| mine(proposal, (&today, &then), (&is_mine, &policies)));
    let names: BTreeSet<&str> = principals.iter().map(|one| one.name.as_str()).collect();
    // No policy limits a root token, so that the matrix has no row of it.
    let ids: BTreeSet<&str> = bound().map(|one| one.id.as_str()).collect();
    Advice {
        heat: advice.heat.of(&ids),
        proposals: proposals.collect(),
        findings: advice
            .findings
            .iter()
            .filter(|one| findings.get(&one.fingerprint).map(String::as_str) == owner)
            .cloned()
            .collect(),
        escalations: advice
            .escalations
            .iter()
            .filter(|one| one.principals.iter().any(|name| names.contains(name.as_str())))
            .cloned()
            .collect(),
        run: advice.run.clone(),
        coverage: advice.coverage.clone(),
        rules: advice.rules.clone(),
        totals,
        bridge,
        principals,
        policies,
        ..Advice::default()
    }
}

/// Whether a policy, by its namespace and name, is of the owner.
type IsMine<'a> = dyn Fn(&str, &str) -> bool + 'a;

/// The changes of these policies, but for those that wait for others.
fn mine(
    proposal: &Proposal,
    (today, then): (&Complexity, &Complexity),
    (is_mine, views): (&IsMine<'_>, &[PolicyView]),
) -> Proposal {
    let waiting = waiting(proposal, is_mine);
    let mine = proposal.policies.iter().enumerate();
    let mine = mine.filter(|(_, policy)| is_mine(&policy.namespace, &policy.name));
    let (wait, now): (Vec<_>, Vec<_>) = mine.partition(|(n, _)| waiting.contains_key(n));
    let policies: Vec<ProposedPolicy> = now.into_iter().map(|(_, policy)| policy.clone()).collect();
    let labels: BTreeMap<String, ()> = policies.iter().map(|policy| (policy.label(), ())).collect();
    let changed = |kind| policies.iter().filter(|policy| policy.change == kind).count() as u64;
    let title = format!(
        "{} edited, {} deleted, {} unchanged",
        digest::count(changed(Change::Edit), "policy", "policies"),
        digest::number(changed(Change::Delete)),
        digest::number(changed(Change::Keep))
    );
    let left = policies.iter().filter(|policy| policy.text.is_some());
    let as_today = |policy: &ProposedPolicy| {
        let is_it = |view: &&PolicyView| *view.namespace == *policy.namespace && *view.name == *policy.name;
        let view = views.iter().find(is_it);
        view.map(|view| view.stanzas.len() as u64)
    };
    let stay: Vec<u64> = wait.iter().filter_map(|(_, policy)| as_today(policy)).collect();
    let after = weighed(Complexity {
        policies: left.clone().count() as u64 + stay.len() as u64,
        stanzas: left.map(|policy| policy.stanzas.len() as u64).chain(stay).sum(),
        ..then.clone()
    });
    let before = weighed(today.clone());
    Proposal {
        title,
        before,
        after,
        files: proposal
            .files
            .iter()
            .filter(|file| file.policies.iter().any(|label| labels.contains_key(label)))
            .cloned()
            .collect(),
        policies,
        // The order of steps, and what was withdrawn, is of the whole.
        waves: Vec::new(),
        migration: Vec::new(),
        withdrawn: wait
            .iter()
            .filter_map(|(n, policy)| Some(left_out(policy, waiting.get(n)?)))
            .collect(),
        ..proposal.clone()
    }
}

/// The changes of this owner that wait, by their places, each with why: for those of others that have to come first, or for what stands in
/// one file with such a one. A file of several owners is changed by each of them.
fn waiting(proposal: &Proposal, is_mine: &IsMine<'_>) -> BTreeMap<usize, String> {
    let waves = plan::waves(proposal);
    let changed = proposal.policies.iter().enumerate();
    let changed = changed.filter(|(_, policy)| policy.change != Change::Keep);
    let mut named: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let mut made = BTreeSet::new();
    for (n, policy) in changed {
        named.entry(policy.label()).or_default().insert(n);
        if is_mine(&policy.namespace, &policy.name) {
            made.insert(n);
        }
    }
    let files = proposal.files.iter().map(|file| in_file(proposal, file, &named));
    let files: Vec<BTreeSet<usize>> = files.filter(|file| !file.is_disjoint(&made)).collect();
    made.extend(files.iter().flatten());
    let label = |n: usize| proposal.policies.get(n).map(ProposedPolicy::label).unwrap_or_default();
    let mut waiting = BTreeMap::new();
    loop {
        let held_up = plan::held_up(proposal, &waves, |n| !made.contains(&n)).into_iter();
        let told = |before: String| {
            format!("the change of `{before}`, which is another owner's or waits too, has to come first")
        };
        let mut new: BTreeMap<usize, String> = held_up.map(|(n, before)| (n, told(before))).collect();
        for file in &files {
            if let Some(&first) = file.iter().find(|n| !made.contains(n) || new.contains_key(n)) {
                let why = format!("it stands in one file with `{}`, which waits", label(first));
                for &n in file.intersection(&made) {
                    new.entry(n).or_insert_with(|| why.clone());
                }
            }
        }
        if new.is_empty() {
            return waiting;
        }
        made.retain(|n| !new.contains_key(n));
        waiting.extend(new);
    }
}

/// Which of the changed policies a file has. Two namespaces may have policies that read alike: then those that were read from it.
fn in_file(proposal: &Proposal, file: &FileChange, named: &BTreeMap<String, BTreeSet<usize>>) -> BTreeSet<usize> {
    let is_from = |n: &usize| proposal.policies.get(*n).and_then(|policy| policy.file.as_ref()) == Some(&file.file);
    let of_label = |label: &String| {
        let all = named.get(label).into_iter().flatten().copied();
        let is_one = named.get(label).is_some_and(|all| all.len() == 1);
        all.filter(move |n| is_one || is_from(n))
    };
    file.policies.iter().flat_map(of_label).collect()
}

/// What is said of a change that waits.
fn left_out(policy: &ProposedPolicy, why: &str) -> Withdrawn {
    Withdrawn {
        what: format!("the change of `{}`", policy.label()),
        reason: format!("it is in the whole proposal only: {why}, or somebody would have more for a while"),
    }
}

/// The same with its size as a whole.
fn weighed(size: Complexity) -> Complexity {
    Complexity {
        wsc: size.policies + size.assignments + size.stanzas,
        ..size
    }
}

/// A folder's name for an owner: tame, and each its own.
fn folder(owner: &str, taken: &mut BTreeSet<String>) -> String {
    let tame: String = owner
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') {
                c
            } else {
                '-'
            }
        })
        .collect();
    let trimmed = tame.trim_matches(['-', '.']);
    let stem: String = if trimmed.is_empty() { "owner" } else { trimmed }
        .chars()
        .take(60)
        .collect();
    let mut name = stem.clone();
    let mut n = 1;
    while !taken.insert(name.to_lowercase()) {
        n += 1;
        name = format!("{stem}-{n}");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::{Account, HeatCell, HeatGroup, Risk, Unused, UnusedShare};

    #[test]
    fn the_figures_of_an_owner_are_its_own() {
        let principal = |id: &str, kind: &str, (granted, used, goes): (u64, u64, u64), score: f64| {
            let risk = |score| Risk {
                score,
                ..Risk::default()
            };
            let shares = [(Unused::Goes, goes), (Unused::Shared, granted - used - goes)];
            let mut account = Account::default();
            for (what, count) in shares {
                account.unused.add(what, count);
                account.shares.push(UnusedShare {
                    what,
                    policy: "p".into(),
                    count,
                });
            }
            PrincipalView {
                id: id.to_owned(),
                kind: kind.to_owned(),
                granted,
                used,
                excess: granted - used,
                requests: 10,
                risk: risk(score),
                risk_after: Some(risk(score - 4.0)),
                account,
                ..PrincipalView::default()
            }
        };
        let principals = vec![
            principal("web", "entity", (100, 20, 12), 50.0),
            principal("db", "entity", (1000, 1, 900), 90.0),
            principal("top", "root", (0, 0, 0), 100.0),
        ];
        let size = |exposure, risk_mean| Complexity {
            exposure,
            risk_mean,
            ..Complexity::default()
        };
        let mut advice = Advice {
            proposals: vec![Proposal {
                kind: "tighten".to_owned(),
                before: size(1079, 70.0),
                after: size(167, 66.0),
                ..Proposal::default()
            }],
            principals,
            ..Advice::default()
        };
        let row = |id: &str| HeatGroup {
            id: id.to_owned(),
            label: "one name for both".to_owned(),
            ..HeatGroup::default()
        };
        let cell = |granted| HeatCell { granted, used: 1 };
        advice.heat.rows = vec![row("db"), row("web")];
        advice.heat.columns = vec![row(""); 3];
        advice.heat.cells = [((0, 0), cell(3)), ((0, 1), cell(4)), ((1, 1), cell(5))].into();
        advice.coverage.requests = 30;
        advice.totals.requests.by_stanza = 30;
        for owned in ["web", "top"] {
            advice.owners.principals.insert(owned.to_owned(), "web".to_owned());
        }
        let part = part(&advice, Some("web"));
        let proposal = &part.proposals[0];
        assert_eq!((proposal.before.exposure, proposal.after.exposure), (80, 68));
        assert_eq!((part.bridge.today(), part.bridge.proposed()), (80, 68));
        assert_eq!(part.totals.granted - part.totals.used, 80);
        // The matrix has the row of its principal, not of who is called the same, and no empty column.
        let heat = &part.heat;
        assert_eq!((heat.rows.as_slice(), heat.columns.len()), ([row("web")].as_slice(), 1));
        assert_eq!((heat.cells.clone(), heat.omitted), ([((0, 0), cell(5))].into(), 0));
        // Root blurs no mean.
        let means = [part.totals.risk_mean, proposal.before.risk_mean, part.totals.risk_max];
        assert_eq!(means, [50.0; 3]);
        assert!((proposal.after.risk_mean - 46.0).abs() < 1e-9);
        assert_eq!(digest::requests_seen(&part), 20);
        assert_eq!(digest::requests_seen(&advice), 30);
    }

    #[test]
    fn what_has_to_wait_for_another_owner_is_left_out_and_said() {
        let changed = |name: &str, tied: Option<usize>| ProposedPolicy {
            name: name.to_owned(),
            text: Some(String::new()),
            change: Change::Edit,
            tied,
            ..ProposedPolicy::default()
        };
        let proposal = Proposal {
            kind: "tighten".to_owned(),
            policies: vec![
                changed("wide", Some(1)),
                changed("narrow", Some(1)),
                changed("apart", None),
                changed("own", Some(2)),
                changed("of-mine", Some(2)),
            ],
            ..Proposal::default()
        };
        let size = Complexity::default();
        let found = mine(&proposal, (&size, &size), (&|_, name| name != "wide", &[]));
        let left: Vec<&str> = found.policies.iter().map(|policy| policy.name.as_str()).collect();
        assert_eq!(left, ["apart", "own", "of-mine"]);
        assert!(matches!(found.withdrawn.as_slice(), [one] if one.what.contains("`narrow`")));
        assert!(found.withdrawn.iter().all(|one| one.reason.contains("`wide`")));
        // Another's policy that reads alike, in a namespace of its own, is another's.
        let mut alike = proposal.clone();
        alike.policies[0].namespace = "a/".into();
        alike.policies[0].name = "b".to_owned();
        alike.policies[1].name = "a/b".to_owned();
        let found = mine(&alike, (&size, &size), (&|namespace, _| namespace.is_empty(), &[]));
        assert_eq!((found.policies.len(), found.withdrawn.len()), (3, 1));
        // Whose change comes first waits for nobody.
        let found = mine(&proposal, (&size, &size), (&|_, name| name == "wide", &[]));
        assert_eq!((found.policies.len(), found.withdrawn.len()), (1, 0));
        // What stands in one file with a change that waits, waits too.
        let file = FileChange {
            file: "both.tf".into(),
            old: "".into(),
            new: String::new(),
            policies: vec!["narrow".to_owned(), "apart".to_owned()],
        };
        let proposal = Proposal {
            files: vec![file],
            ..proposal
        };
        let found = mine(&proposal, (&size, &size), (&|_, name| name != "wide", &[]));
        let left: Vec<&str> = found.policies.iter().map(|policy| policy.name.as_str()).collect();
        assert_eq!((left, found.files.len()), (vec!["own", "of-mine"], 0));
    }

    #[test]
    fn folders_are_tame_and_each_their_own() {
        let mut taken = BTreeSet::from([INDEX.to_lowercase()]);
        let names: Vec<String> = ["@acme/web", "acme-web", "../..", "", "Web", "web", "readme.md"]
            .iter()
            .map(|owner| folder(owner, &mut taken))
            .collect();
        assert_eq!(
            names,
            [
                "acme-web",
                "acme-web-2",
                "owner",
                "owner-2",
                "Web",
                "web-2",
                "readme.md-2"
            ]
        );
    }
}
