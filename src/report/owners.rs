//! One report, one summary and one set of diffs for each owner, so that each can be handed its own page and its own pull request.

use super::digest;
use super::layout::{self, Placed};
use super::output::OutputFile;
use super::{RenderError, csv, diff, hcl, html, markdown, terraform};
use crate::advice::{Advice, Change, Owners, Proposal, RequestTotals, Totals};
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
    let mut taken = BTreeSet::from([INDEX.to_lowercase()]);
    let mut files = Vec::new();
    let mut index =
        String::from("# Owners\n\n| owner | policies | changes | findings | folder |\n|---|---:|---:|---:|---|\n");
    for name in names.into_iter().map(Some).chain([None]) {
        let part = part(advice, name);
        if part.policies.is_empty() && part.findings.is_empty() && part.principals.is_empty() {
            continue;
        }
        let folder = folder(name.unwrap_or(NOBODY), &mut taken);
        let changes = part.proposals.iter().flat_map(|proposal| &proposal.policies);
        let _ = writeln!(
            index,
            "| {} | {} | {} | {} | [{folder}]({folder}/summary.md) |",
            super::escape::markdown(name.unwrap_or(NOBODY)),
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
    let sum = |of: fn(&crate::advice::PrincipalView) -> u64| principals.iter().map(of).sum();
    let scores = principals.iter().map(|one| one.risk.score);
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
        risk_max: scores.clone().fold(0.0, f64::max),
        risk_mean: if principals.is_empty() {
            0.0
        } else {
            scores.sum::<f64>() / principals.len() as f64
        },
    };
    let tighten = advice.proposals.iter().filter(|proposal| proposal.kind == "tighten");
    let proposals = tighten.map(|proposal| mine(proposal, &totals, &is_mine));
    let names: BTreeSet<&str> = principals.iter().map(|one| one.name.as_str()).collect();
    Advice {
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
        principals,
        policies,
        ..Advice::default()
    }
}

fn mine(proposal: &Proposal, totals: &Totals, is_mine: &dyn Fn(&str, &str) -> bool) -> Proposal {
    let policies: Vec<_> = proposal
        .policies
        .iter()
        .filter(|policy| is_mine(&policy.namespace, &policy.name))
        .cloned()
        .collect();
    let labels: BTreeMap<String, ()> = policies.iter().map(|policy| (policy.label(), ())).collect();
    let changed = |kind| policies.iter().filter(|policy| policy.change == kind).count() as u64;
    let title = format!(
        "{} edited, {} deleted, {} unchanged",
        digest::count(changed(Change::Edit), "policy", "policies"),
        digest::number(changed(Change::Delete)),
        digest::number(changed(Change::Keep))
    );
    let left = policies.iter().filter(|policy| policy.text.is_some());
    let mut after = proposal.after.clone();
    after.policies = left.clone().count() as u64;
    after.stanzas = left.map(|policy| policy.stanzas.len() as u64).sum();
    let mut before = proposal.before.clone();
    before.policies = totals.policies;
    before.stanzas = totals.stanzas;
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
        withdrawn: Vec::new(),
        ..proposal.clone()
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
