//! What gives back just what was used: one stanza a regression, tried out and proven before it is told.

use super::applied::Applied;
use super::regression::{self, PolicyKey, Regression, Seen};
use crate::access::{Joined, Outcome, SetId};
use crate::deployment::Deployment;
use crate::optimize::edit::{self, Change};
use crate::policy::compare::{self, Verdict};
use crate::policy::model::Policy;
use crate::policy::pattern::Pattern;
use crate::policy::profile::Profile;
use crate::policy::syntax::{self, print};
use crate::policy::template::is_templated;
use crate::vault::{Capability, CapabilitySet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A policy with what is given back to it.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenBack {
    /// Namespace and name.
    pub policy: PolicyKey,
    /// The text that is in force; none where the policy is gone.
    pub now: Option<Arc<str>>,
    /// The text that gives it back.
    pub text: String,
    /// The stanzas in it: namespace and path of a request, and the stanza.
    pub stanzas: BTreeMap<(String, String), String>,
}

/// What can be given back, and what has to be looked at by a person, with the reason.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Restore {
    /// Policies, by namespace and name.
    pub policies: Vec<GivenBack>,
    /// Policies for which nothing could be proven.
    pub by_hand: BTreeMap<PolicyKey, String>,
}

impl Restore {
    /// The stanza that gives a regression back.
    #[must_use]
    pub fn stanza(&self, of: &Regression) -> Option<&str> {
        let given = self.policies.iter().find(|given| given.policy == of.policy)?;
        given
            .stanzas
            .get(&(of.namespace.clone(), of.path.clone()))
            .map(String::as_str)
    }
}

/// What gives these regressions back. What was answered already is left alone.
#[must_use]
pub fn find(
    applied: &Applied,
    regressions: &[Regression],
    seen: &[Seen],
    deployment: Option<&Deployment>,
    profile: Profile,
) -> Restore {
    let mut restore = Restore::default();
    let Some(last) = seen.last() else { return restore };
    let mut by_policy: BTreeMap<&PolicyKey, Vec<&Regression>> = BTreeMap::new();
    for regression in regressions.iter().filter(|regression| !regression.answered) {
        by_policy.entry(&regression.policy).or_default().push(regression);
    }
    let state = last.span.waves;
    let Some(now) = applied.states.get(state) else {
        return restore;
    };
    for (key, of) in by_policy {
        let given = give_back(now, key, &of, profile);
        let proven = given.and_then(|given| {
            let whole = of.iter().map(|regression| regression.wave).min().unwrap_or(1) - 1;
            let mut policies: Vec<Policy> = now.iter().filter(|policy| !is(policy, key)).cloned().collect();
            policies.push(parsed(key, &given.text, profile)?);
            policies.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
            proven(applied, (state, whole), policies, &of, seen, deployment, profile).map(|()| given)
        });
        match proven {
            Ok(given) => restore.policies.push(given),
            Err(why) => {
                restore.by_hand.insert(key.clone(), why);
            }
        }
    }
    restore
}

fn is(policy: &Policy, key: &PolicyKey) -> bool {
    *policy.namespace == *key.0 && *policy.name == *key.1
}

fn parsed(key: &PolicyKey, text: &str, profile: Profile) -> Result<Policy, String> {
    let mut policy = syntax::parse(&key.1, &key.1, text, &profile.dialect()).map_err(|error| error.to_string())?;
    policy.namespace = Arc::from(key.0.as_str());
    Ok(policy)
}

/// The policy with a stanza for each path: what was denied, and what is given there already.
fn give_back(now: &[Policy], key: &PolicyKey, of: &[&Regression], profile: Profile) -> Result<GivenBack, String> {
    let current = now.iter().find(|policy| is(policy, key));
    let mut wanted: BTreeMap<(String, String), (String, CapabilitySet)> = BTreeMap::new();
    for regression in of {
        let whole = format!("{}{}", regression.namespace, regression.path);
        let path = whole
            .strip_prefix(&*key.0)
            .ok_or_else(|| format!("`{whole}` is not in the namespace of the policy"))?;
        if is_templated(path) || !Pattern::parse(path, "").is_ok_and(|pattern| pattern.is_exact()) {
            return Err(format!("no stanza means just `{path}`"));
        }
        let place = wanted
            .entry((regression.namespace.clone(), regression.path.clone()))
            .or_insert_with(|| (path.to_owned(), CapabilitySet::EMPTY));
        place.1 = place
            .1
            .union(regression.has)
            .union(CapabilitySet::of(regression.capability));
        if regression.needs_sudo {
            place.1.insert(Capability::Sudo);
        }
    }
    let mut text = current.map_or_else(String::new, |policy| policy.source.to_string());
    let mut stanzas = BTreeMap::new();
    let mut more = String::new();
    if let Some(policy) = current {
        let there = |path: &str| {
            policy
                .stanzas
                .iter()
                .position(|stanza| stanza.path.trim_start_matches('/') == path)
        };
        let mut changes = vec![Change::Keep; policy.stanzas.len()];
        for (path, capabilities) in wanted.values() {
            if let Some((stanza, change)) = there(path).and_then(|n| policy.stanzas.get(n).zip(changes.get_mut(n))) {
                let all = stanza.capability_set().union(*capabilities);
                *change = Change::Capabilities(all.difference(CapabilitySet::of(Capability::Deny)).iter().collect());
            }
        }
        if changes.iter().any(|change| *change != Change::Keep) {
            text = edit::apply(policy, &changes);
        }
    }
    for (place, (path, capabilities)) in wanted {
        let words: Vec<String> = capabilities
            .iter()
            .map(|capability| format!("\"{capability}\""))
            .collect();
        let stanza = format!(
            "path {} {{\n  capabilities = [{}]\n}}\n",
            print::quote(&path),
            words.join(", ")
        );
        let there = current.is_some_and(|policy| policy.stanzas.iter().any(|s| s.path.trim_start_matches('/') == path));
        if !there {
            more.push_str("\n# Given back: it was used after it had been taken away.\n");
            more.push_str(&stanza);
        }
        stanzas.insert(place, stanza);
    }
    if current.is_some_and(|policy| policy.language == crate::policy::model::Language::Json) && !more.is_empty() {
        let policy = current.map(|policy| print::policy(&policy.stanzas)).unwrap_or_default();
        text = policy;
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(if text.is_empty() { more.trim_start() } else { &more });
    parsed(key, &text, profile)?;
    Ok(GivenBack {
        policy: key.clone(),
        now: current.map(|policy| policy.source.clone()),
        text,
        stanzas,
    })
}

/// Whether it allows what was denied, gives nothing that was not given before the wave, and takes nothing that is given now.
fn proven(
    applied: &Applied,
    (now, before): (usize, usize),
    policies: Vec<Policy>,
    of: &[&Regression],
    seen: &[Seen],
    deployment: Option<&Deployment>,
    profile: Profile,
) -> Result<(), String> {
    for part in seen {
        let was = sets(regression::joined(applied, before, part, deployment, profile));
        let is = sets(regression::joined(applied, now, part, deployment, profile));
        let then = regression::join(policies.clone(), part, deployment, profile);
        for demand in &then.demands {
            let asked = of.iter().any(|regression| {
                regression.path == *demand.demand.path
                    && regression.namespace == *demand.demand.namespace
                    && regression.capability == demand.demand.capability
                    && then.holders[demand.holder].display() == regression.principal
            });
            if asked && demand.outcome != Outcome::DeniedButAllowed {
                return Err(format!("`{}` would still be denied", demand.path));
            }
        }
        let then = sets(then);
        for (key, id) in &then.1 {
            let Some(list) = Some(&then.0.sets[*id]) else { continue };
            let list_of = |(_, ids): &Sets| ids.contains_key(key);
            if !list_of(&was) || !list_of(&is) {
                return Err(String::from(
                    "not every combination of policies can be told from the log",
                ));
            }
            let acl = |sets: &Sets| -> Option<Verdict> {
                let other = sets.1.get(key).map(|id| &sets.0.sets[*id])?;
                Some(compare::grants_nothing_new(
                    &other.acl,
                    &list.acl,
                    compare::Options::default(),
                ))
            };
            match acl(&was) {
                Some(Verdict::Proven) => {}
                Some(Verdict::Witness(found)) => {
                    return Err(format!(
                        "it would give `{}`, which was not given before",
                        found.asked.path
                    ));
                }
                _ => return Err(String::from("the comparison could not be finished")),
            }
            let lost =
                is.1.get(key)
                    .map(|id| &is.0.sets[*id])
                    .map(|other| compare::grants_nothing_new(&list.acl, &other.acl, compare::Options::default()));
            match lost {
                Some(Verdict::Proven) => {}
                Some(Verdict::Witness(found)) => {
                    return Err(format!("it would take `{}` from somebody else", found.asked.path));
                }
                _ => return Err(String::from("the comparison could not be finished")),
            }
        }
    }
    Ok(())
}

/// Joined, with its sets by who has them and by which names.
type Sets = (Joined, BTreeMap<(String, BTreeSet<String>), SetId>);

fn sets(joined: Joined) -> Sets {
    let mut by_name = BTreeMap::new();
    for (id, set) in joined.sets.numbered() {
        let read = set.policies.iter().filter_map(|&p| joined.policies.get(p));
        let names: BTreeSet<String> = read
            .map(|policy| policy.id().to_string())
            .chain(set.missing.iter().map(ToString::to_string))
            .collect();
        for holder in set.holders.iter().map(|&h| &joined.holders[h]) {
            by_name.insert((holder.key(), names.clone()), id);
        }
    }
    (joined, by_name)
}
