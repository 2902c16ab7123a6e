//! The change, compared with the base: new access, policies that are gone or moved, and what was not read of either.

use super::access as new_access;
use super::given::Options;
use super::own::{own, problem};
use super::rules::{NOT_CHECKED, POLICY_GONE};
use super::source::{Problem, Read, Ways};
use super::ways::Before;
use crate::access::Joined;
use crate::advice::{Finding, Severity};
use crate::origin::Origin;
use crate::pipeline::place::{Changed, Places};
use crate::policy::model::Policy;
use crate::policy::table::Table;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// The base, and what the change makes of it.
pub(super) struct Base {
    /// Its policies.
    pub(super) policies: Table,
    /// What differs.
    pub(super) changed: Changed,
    ways: Ways,
    unchecked: Vec<Problem>,
    news: Vec<Problem>,
    opaque: Vec<Problem>,
}

impl Base {
    /// What was read of the base, against the policies of the change.
    pub(super) fn of(read: Read, now: &Table) -> Self {
        let policies = Table::from(read.policies);
        Self {
            changed: Changed::new(policies.as_slice(), now),
            policies,
            ways: read.ways,
            unchecked: read.unchecked,
            news: read.news,
            opaque: read.opaque,
        }
    }

    /// Its policies, also in the ways that files may set variables.
    pub(super) fn before(&self) -> Before<'_> {
        Before {
            policies: self.policies.as_slice(),
            ways: &self.ways,
        }
    }

    /// The fingerprints of findings that are about nothing that changed.
    pub(super) fn untouched(&self, findings: &[Finding], places: &Places) -> BTreeSet<String> {
        let old = findings.iter().filter(|f| !self.changed.touches(f, places));
        old.map(|f| f.fingerprint.clone()).collect()
    }

    /// What somebody may do now and could not before.
    pub(super) fn new_access(&self, joined: &Joined, options: &Options<'_>) -> Vec<Finding> {
        new_access::findings(
            options.profile,
            self.policies.as_slice(),
            &joined.policies,
            joined,
            &self.changed,
            options.now.as_second(),
        )
    }

    fn gone(&self) -> Vec<&Policy> {
        let gone = self.changed.gone.iter();
        gone.filter_map(|&n| self.policies.as_slice().get(n)).collect()
    }
}

/// What was not read of the change, told against what the base has; and what of the base is not there any more, or elsewhere.
pub(super) fn findings(base: Option<&Base>, read: &Read, now: &Table) -> Vec<Finding> {
    let Some(base) = base else {
        return unchecked(&read.unchecked, &[], &[]).collect();
    };
    let gone = base.gone();
    let mut findings: Vec<Finding> = unchecked(&read.unchecked, &gone, &base.unchecked).collect();
    findings.extend(news(&read.news, &base.news));
    // A file that fails by itself is named once.
    let grave = findings.iter().filter(|finding| finding.severity > Severity::Low);
    let told: BTreeSet<Arc<str>> = grave.flat_map(|f| &f.origins).map(|at| Arc::clone(&at.file)).collect();
    let new = lacking(&read.opaque, &base.opaque);
    findings.extend(new.filter(|one| !one.origins.iter().any(|at| told.contains(&at.file))));
    findings.extend(moved(base.policies.as_slice(), now.as_slice()));
    findings.extend(gone.iter().map(|policy| is_gone(policy, &read.broken, now.as_slice())));
    findings
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
    let new: Vec<Finding> = lacking(now, before).collect();
    if !new.is_empty() {
        return new;
    }
    // One that is gone is told where none has come in its place.
    lacking(before, now)
        .map(|mut finding| {
            finding.detail = "The base has it, and the change does not.".to_owned();
            finding
        })
        .collect()
}

/// Those of which the others have none that is the very same. What cannot be known to be the same is not.
fn lacking<'a>(all: &'a [Problem], others: &'a [Problem]) -> impl Iterator<Item = Finding> + 'a {
    let known: HashSet<&str> = others.iter().filter_map(|other| other.same.as_deref()).collect();
    let new = all
        .iter()
        .filter(move |one| one.same.as_deref().is_none_or(|same| !known.contains(same)));
    new.map(|one| problem(NOT_CHECKED, "policy", one))
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
