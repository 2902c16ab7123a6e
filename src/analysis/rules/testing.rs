//! What the rules' tests are written in: a case is one text with policies, usage and a deployment.
//!
//! ```text
//! == policy app
//! path "secret/data/*" { capabilities = ["read"] }
//! == usage
//! web (app, default): read secret/data/a x12
//! entity:ann@auth/userpass/ (app): update secret/data/a denied 3 days 1-40,90
//! == deployment
//! {"groups": [{"name": "ops", "policies": ["app"]}]}
//! == window 120
//! ```
//!
//! Who is `KIND:NAME@MOUNT`, a role of `auth/approle/` where neither is said. A request is allowed once unless `xN` or
//! `denied N` says otherwise, on day 0 unless `days` says otherwise.

use crate::access::weight::{Weighed, Weights};
use crate::access::{self, Holder, Inputs, Joined};
use crate::advice::Evidence;
use crate::analysis::access_graph::{self, Chain};
use crate::analysis::evidence::{self, EvidenceSettings, Watch};
use crate::analysis::risk::{self, Exposure};
use crate::analysis::rule::{Context, Draft, Rule};
use crate::deployment::Deployment;
use crate::index::IndexVec;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::syntax::{self, Dialect};
use crate::usage::Held;
use crate::usage::demand::{Demand, Principal};
use crate::vault::PrincipalKind;
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// All that a context borrows.
pub struct Case {
    /// The join.
    pub joined: Joined,
    deployment: Option<Deployment>,
    evidence: IndexVec<Policy, Evidence>,
    exposures: IndexVec<Holder, Exposure>,
    chains: Vec<Chain>,
    watch: Watch,
}

/// The findings of a rule in a case.
pub fn check(rule: &dyn Rule, text: &str) -> Vec<Draft> {
    let case = Case::read(text);
    let drafts = case.check(rule);
    let keys: BTreeSet<_> = drafts.iter().map(|d| (d.kind, &d.key)).collect();
    assert_eq!(keys.len(), drafts.len(), "two findings of `{}` share a key", rule.id());
    for draft in &drafts {
        assert!(!draft.title.is_empty() && !draft.detail.is_empty() && !draft.remedy.is_empty());
        assert!(!draft.kind.is_empty() && !draft.name.is_empty());
    }
    drafts
}

/// The titles of [`check`].
pub fn titles(rule: &dyn Rule, text: &str) -> Vec<String> {
    check(rule, text).into_iter().map(|d| d.title).collect()
}

impl Case {
    /// Reads a case.
    pub fn read(text: &str) -> Self {
        let (mut policies, mut demands, mut deployment, mut window_days) = (Vec::new(), Vec::new(), None, 120.0);
        for section in text.split("== ").filter(|s| !s.trim().is_empty()) {
            let (head, body) = section.split_once('\n').unwrap_or((section, ""));
            let mut words = head.split_whitespace();
            match (words.next(), words.next(), words.next()) {
                (Some("policy"), Some(name), namespace) => policies.push(policy(name, namespace.unwrap_or(""), body)),
                (Some("usage"), ..) => demands.extend(body.lines().filter(|l| !l.trim().is_empty()).map(demand)),
                (Some("deployment"), ..) => deployment = Some(serde_json::from_str(body).expect("deployment")),
                (Some("window"), Some(days), _) => window_days = days.parse().expect("days"),
                _ if head.starts_with('#') => {}
                _ => panic!("no section: {head}"),
            }
        }
        Self::of(demands, policies, deployment, window_days)
    }

    /// From its parts.
    pub fn of(demands: Vec<Demand>, policies: Vec<Policy>, deployment: Option<Deployment>, window_days: f64) -> Self {
        let joined = access::join(Inputs {
            facts: demands.into(),
            policies,
            deployment: deployment.as_ref(),
            profile: Profile::default(),
            now: Some(0),
        });
        let watch = Watch {
            window_days,
            health: 1.0,
            gaps: Vec::new(),
        };
        let evidence = evidence::of_policies(&joined, &watch, &EvidenceSettings::default(), None);
        let mut used: IndexVec<Holder, HashMap<&str, crate::vault::CapabilitySet>> =
            joined.holders.map(|_| HashMap::new());
        for d in joined.demands.iter().filter(|d| d.was_allowed()) {
            let on = used[d.holder].entry(&d.path).or_default();
            *on = on.union(d.needs());
        }
        let exposures = joined
            .holders
            .ids()
            .map(|h| {
                let set = joined.current_set(h);
                let reach = access::reach(&set.acl, &joined.universe);
                risk::exposure(
                    &reach,
                    Some(&used[h]),
                    &Weighed::new(&Weights::default(), &joined.universe),
                )
            })
            .collect();
        let chains = access_graph::chains(&joined, deployment.as_ref());
        Self {
            deployment,
            evidence,
            exposures,
            chains,
            watch,
            joined,
        }
    }

    /// The chains of escalation.
    pub fn chains(&self) -> &[Chain] {
        &self.chains
    }

    /// Runs a rule.
    pub fn check(&self, rule: &dyn Rule) -> Vec<Draft> {
        rule.check(&Context {
            joined: &self.joined,
            deployment: self.deployment.as_ref(),
            evidence: &self.evidence,
            exposures: &self.exposures,
            chains: &self.chains,
            watch: &self.watch,
            after: None,
        })
    }
}

/// A policy of that text, read from `NAME.hcl`.
pub fn policy(name: &str, namespace: &str, text: &str) -> Policy {
    let mut policy = syntax::parse(name, &format!("{name}.hcl"), text, &Dialect::default()).expect("policy");
    policy.namespace = namespace.into();
    policy
}

/// A line of usage.
pub fn demand(line: &str) -> Demand {
    let (who, rest) = line.split_once(" (").expect("who");
    let (policies, what) = rest.split_once("): ").expect("policies");
    let mut policies: Vec<Arc<str>> = policies.split(", ").filter(|p| !p.is_empty()).map(Arc::from).collect();
    policies.sort();
    let mut words = what.split_whitespace();
    let capability = words.next().expect("capability").parse().expect("capability");
    let path = words.next().expect("path");
    let (mut allowed, mut denied, mut days) = (None, 0, BTreeSet::from([0]));
    while let Some(word) = words.next() {
        match word {
            "denied" => denied = words.next().expect("times").parse().expect("times"),
            "days" => days = ranges(words.next().expect("days")),
            times => allowed = Some(times.strip_prefix('x').expect("xN").parse().expect("times")),
        }
    }
    let at = |day: Option<&i32>| day.and_then(|&d| Timestamp::from_second(i64::from(d) * 86_400).ok());
    Demand {
        principal: principal(who),
        namespace: "".into(),
        path: path.into(),
        capability,
        mount_type: "".into(),
        allowed: allowed.unwrap_or(u64::from(denied == 0)),
        denied,
        failed: 0,
        first_seen: at(days.first()),
        last_seen: at(days.last()),
        days,
        held: Arc::new(Held::named(policies.into())),
        keys_always: BTreeSet::new(),
        keys_ever: BTreeSet::new(),
        granting: BTreeSet::new(),
        example: None,
    }
}

fn principal(who: &str) -> Principal {
    let (kind, name) = who.split_once(':').unwrap_or(("role", who));
    let kind = PrincipalKind::from_word(kind).expect("kind");
    let default_mount = if kind == PrincipalKind::Role {
        "auth/approle/"
    } else {
        ""
    };
    let (name, mount) = name.split_once('@').unwrap_or((name, default_mount));
    let id = match kind {
        PrincipalKind::Role => format!("{mount}{name}"),
        PrincipalKind::Entity => format!("id-{name}"),
        _ => name.to_owned(),
    };
    Principal {
        kind,
        id: id.into(),
        name: name.into(),
        auth_mount: mount.into(),
    }
}

fn ranges(text: &str) -> BTreeSet<i32> {
    text.split(',')
        .flat_map(|part| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            from.parse::<i32>().expect("day")..=to.parse().expect("day")
        })
        .collect()
}
