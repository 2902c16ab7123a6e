//! Logged requests decided again under given policies: who would lose, who would gain, and where the log itself disagrees.
//!
//! A log holds no parameter values, so parameter and wrapping constraints cannot be replayed: a request that a constrained
//! stanza decides is counted as not decidable wherever the constraint could turn the answer, and never guessed.

use crate::policy::acl::{Acl, AclCache, Check, Rule};
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::template::Identity;
use crate::units::number;
use crate::vault::{Capability, Operation, PolicyId, protected};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Requests of one principal for one capability on one path.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// Who, as the report names it.
    pub principal: Arc<str>,
    /// Whether the log knew no token behind it.
    pub unauthenticated: bool,
    /// The policies in force.
    pub policies: &'a [PolicyId],
    /// Whether the policy `root` was in force.
    pub root: bool,
    /// What templates are filled from.
    pub identity: &'a Identity,
    /// Namespace of the request, `""` or `a/`.
    pub namespace: &'a str,
    /// Path relative to the namespace.
    pub path: &'a str,
    /// Type of the mount, `""` where the log does not say it.
    pub mount_type: &'a str,
    /// What was asked for.
    pub capability: Capability,
    /// How many the server allowed.
    pub allowed: u64,
    /// How many the server denied.
    pub denied: u64,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Replay {
    /// Requests looked at.
    pub requests: u64,
    /// Requests whose answer stays the same.
    pub same: u64,
    /// Requests that need no stanza: unauthenticated paths, the root policy, the question for a mount's details.
    pub no_stanza_needed: u64,
    /// Requests for something that no operation asks for.
    pub not_replayable: u64,
    /// Requests that a constrained stanza decides, so that the log does not tell the answer.
    pub not_decidable: u64,
    /// The server allowed, these policies deny.
    pub newly_denied: Vec<Change>,
    /// The server denied, these policies allow.
    pub newly_allowed: Vec<Change>,
    /// What the log cannot settle.
    pub undecided: Vec<Change>,
    /// Policies that the log names and that were not given, with the requests made under them.
    pub missing_policies: BTreeMap<Arc<str>, u64>,
}

/// Requests of one principal whose answer changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// Who.
    pub principal: Arc<str>,
    /// Namespace, `""` or `a/`.
    pub namespace: Arc<str>,
    /// Path relative to the namespace.
    pub path: Arc<str>,
    /// What was asked for.
    pub capability: &'static str,
    /// How many requests.
    pub requests: u64,
    /// Why, in one sentence.
    pub why: String,
    /// Policies of the principal that were not given: with them the answer might be another.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<Arc<str>>,
}

impl Replay {
    /// Requests that would be denied and were allowed.
    #[must_use]
    pub fn denied_requests(&self) -> u64 {
        self.newly_denied.iter().map(|c| c.requests).sum()
    }

    /// Requests that would be allowed and were denied.
    #[must_use]
    pub fn allowed_requests(&self) -> u64 {
        self.newly_allowed.iter().map(|c| c.requests).sum()
    }

    /// The principals that would lose or gain something.
    #[must_use]
    pub fn principals(&self) -> BTreeSet<Arc<str>> {
        let changes = self.newly_denied.iter().chain(&self.newly_allowed);
        changes.map(|c| Arc::clone(&c.principal)).collect()
    }

    /// Read as a check of the policies against the log (the policies are said to be those that were in force): what a
    /// disagreement means. None where there is none.
    #[must_use]
    pub fn conformance(&self, profile: Profile) -> Option<String> {
        let requests = self.denied_requests() + self.allowed_requests();
        if requests == 0 {
            return None;
        }
        let mut text = format!(
            "{} of {} requests {} decided otherwise by the server than by profile {profile} on the policies given",
            number(requests),
            number(self.requests),
            if requests == 1 { "was" } else { "were" },
        );
        let named = self
            .missing_policies
            .keys()
            .map(|p| format!("`{p}`"))
            .collect::<Vec<_>>();
        if named.is_empty() {
            text.push_str(": the policies have changed since, or the server is of another profile");
        } else {
            text.push_str(": the log names policies that were not given (");
            text.push_str(&named.join(", "));
            text.push_str("); beyond those the policies have changed since, or the server is of another profile");
        }
        Some(text)
    }
}

/// Decides every demand again under `policies`.
pub fn replay<'a>(profile: Profile, policies: &[Policy], demands: impl IntoIterator<Item = Asked<'a>>) -> Replay {
    let mut by_name: HashMap<(&str, &str), &Policy> = HashMap::new();
    for policy in policies {
        by_name.insert((&policy.namespace, &policy.name), policy);
    }
    let mut replayer = Replayer {
        by_name,
        cache: AclCache::new(profile, None),
        result: Replay::default(),
        full_path: String::new(),
    };
    for demand in demands {
        replayer.add(&demand);
    }
    let mut result = replayer.result;
    result.newly_denied.sort_unstable();
    result.newly_allowed.sort_unstable();
    result.undecided.sort_unstable();
    result
}

struct Replayer<'p> {
    by_name: HashMap<(&'p str, &'p str), &'p Policy>,
    cache: AclCache<'p>,
    result: Replay,
    full_path: String,
}

/// What the policies say of a demand.
enum Answer {
    Allow,
    Deny,
    /// The capability is there, and a constraint that the log cannot settle.
    Open,
}

impl<'p> Replayer<'p> {
    fn add(&mut self, demand: &Asked<'_>) {
        let requests = demand.allowed.saturating_add(demand.denied);
        self.result.requests += requests;
        let free = demand.unauthenticated
            || protected::unauthenticated(demand.mount_type, demand.path)
            || protected::is_mount_question(demand.path);
        if demand.root || free {
            self.result.no_stanza_needed += requests;
            return;
        }
        let Some(operation) = Operation::of(demand.capability) else {
            self.result.not_replayable += requests;
            return;
        };
        let (held, without) = self.policies_of(demand, requests);
        let acl = self.cache.get(&held, demand.identity);
        self.full_path.clear();
        self.full_path.push_str(demand.namespace);
        let path = operation.path_asked(demand.path);
        self.full_path.push_str(&path);
        let needs_sudo = protected::needs_sudo(demand.mount_type, &path);
        let check = acl.check(operation, &self.full_path);
        let rule = check.rule.and_then(|id| acl.rule(id));
        let answer = answer(&acl, operation, check, rule, needs_sudo);
        let change = |requests, why| Change {
            principal: Arc::clone(&demand.principal),
            namespace: demand.namespace.into(),
            path: demand.path.into(),
            capability: demand.capability.as_str(),
            requests,
            why,
            without: without.clone(),
        };
        let result = &mut self.result;
        match answer {
            Answer::Deny => {
                result.same += demand.denied;
                if demand.allowed > 0 {
                    let why = why_denied(&acl, demand.capability, check, rule);
                    result.newly_denied.push(change(demand.allowed, why));
                }
            }
            Answer::Allow => {
                result.same += demand.allowed;
                if demand.denied > 0 {
                    result
                        .newly_allowed
                        .push(change(demand.denied, why_allowed(&acl, rule)));
                }
            }
            Answer::Open => {
                result.not_decidable += requests;
                let place = rule.map(|r| place(&acl, r)).unwrap_or_default();
                result.undecided.push(change(
                    requests,
                    format!("{place} has constraints that a log cannot settle"),
                ));
            }
        }
    }

    /// The policies of a demand that were given, and the names of the others.
    fn policies_of(&mut self, demand: &Asked<'_>, requests: u64) -> (Vec<&'p Policy>, Vec<Arc<str>>) {
        let mut held = Vec::with_capacity(demand.policies.len());
        let mut without = Vec::new();
        for id in demand.policies {
            match self.by_name.get(&(&*id.namespace, &*id.name)) {
                Some(policy) => held.push(*policy),
                None => {
                    let label: Arc<str> = Arc::from(id.to_string());
                    *self.result.missing_policies.entry(Arc::clone(&label)).or_default() += requests;
                    without.push(label);
                }
            }
        }
        (held, without)
    }
}

fn answer(acl: &Acl, operation: Operation, check: Check, rule: Option<&Rule>, needs_sudo: bool) -> Answer {
    if !check.allowed || (needs_sudo && !check.sudo) {
        return Answer::Deny;
    }
    match rule {
        Some(rule) if is_open(acl.profile(), operation, rule) => Answer::Open,
        _ => Answer::Allow,
    }
}

/// Whether a constraint of the rule may refuse the operation.
fn is_open(profile: Profile, operation: Operation, rule: &Rule) -> bool {
    let constraints = rule.constraints();
    let wrapping = constraints.min_wrapping_ttl_ns != 0 || constraints.max_wrapping_ttl_ns != 0;
    let parameters = !constraints.allowed_parameters.is_empty()
        || !constraints.denied_parameters.is_empty()
        || !constraints.required_parameters.is_empty();
    match operation {
        Operation::Read | Operation::Create | Operation::Update | Operation::Patch | Operation::Recover => {
            wrapping || parameters
        }
        Operation::List | Operation::Scan if profile.is_openbao() => wrapping || constraints.pagination_limit > 0,
        _ => wrapping,
    }
}

fn place(acl: &Acl, rule: &Rule) -> String {
    let places: Vec<_> = rule
        .sources
        .iter()
        .filter_map(|s| {
            Some(format!(
                "policy `{}` at {}",
                acl.policies().get(s.policy)?.name,
                s.origin
            ))
        })
        .collect();
    format!("`{}` ({})", rule.pattern, places.join(", "))
}

fn why_denied(acl: &Acl, capability: Capability, check: Check, rule: Option<&Rule>) -> String {
    match rule {
        None => "no stanza matches the path".to_owned(),
        Some(rule) if rule.capabilities.contains(Capability::Deny) => format!("{} denies", place(acl, rule)),
        Some(rule) if check.allowed => format!("{} lacks `sudo`, which this path needs", place(acl, rule)),
        Some(rule) => format!("{} decides and lacks `{capability}`", place(acl, rule)),
    }
}

fn why_allowed(acl: &Acl, rule: Option<&Rule>) -> String {
    rule.map_or_else(
        || "allowed".to_owned(),
        |rule| format!("{} grants it", place(acl, rule)),
    )
}
