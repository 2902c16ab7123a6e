//! What gives back just what was used: one stanza a regression, tried out and proven before it is told.

use super::applied::Applied;
use super::lists::ids_of;
use super::regression::{PolicyKey, Regression, Seen, World};
use crate::access::{Holder, Joined, Outcome, SetId};
use crate::deployment::Deployment;
use crate::hint::Cause;
use crate::optimize::edit::{self, Change};
use crate::policy::acl::Acl;
use crate::policy::compare::{self, Verdict};
use crate::policy::model::Policy;
use crate::policy::pattern::Pattern;
use crate::policy::profile::Profile;
use crate::policy::syntax::{self, print};
use crate::policy::template::is_templated;
use crate::vault::{Capability, CapabilitySet, PolicyId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How often it is tried what can be given back to a policy: each time is a proof over all that was seen.
const MOST_TRIES: usize = 100;

/// Namespace and path of a request.
pub type Place = (String, String);

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
    pub stanzas: BTreeMap<Place, String>,
}

/// What can be given back, and what has to be looked at by a person, with the reason.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Restore {
    /// Policies, by namespace and name.
    pub policies: Vec<GivenBack>,
    /// Requests for which nothing could be proven: the policy that allowed each before, and its namespace and path.
    pub by_hand: BTreeMap<(PolicyKey, Place), String>,
}

impl Restore {
    /// The policy and the stanza that give a regression back.
    #[must_use]
    pub fn of(&self, regression: &Regression) -> Option<(&PolicyKey, &str)> {
        let place = place(regression);
        let policies = self.policies.iter();
        let mut mine = policies.filter(|given| regression.targets.contains(&given.policy));
        mine.find_map(|given| Some((&given.policy, given.stanzas.get(&place)?.as_str())))
    }

    /// Why nothing gives it back.
    #[must_use]
    pub fn why_not(&self, regression: &Regression) -> Option<&str> {
        let key = (regression.policy.clone(), place(regression));
        self.by_hand.get(&key).map(String::as_str)
    }
}

fn place(regression: &Regression) -> Place {
    (regression.namespace.clone(), regression.path.clone())
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
    let world = World {
        applied,
        deployment,
        profile,
    };
    let mut by_targets: BTreeMap<(&PolicyKey, &[PolicyKey]), Vec<&Regression>> = BTreeMap::new();
    for regression in regressions.iter().filter(|regression| !regression.answered) {
        let key = (&regression.policy, &*regression.targets);
        by_targets.entry(key).or_default().push(regression);
    }
    let state = last.span.waves;
    // What is given to a policy together is proven together.
    let mut given = Given::new();
    for ((policy, targets), of) in by_targets {
        // All together where that can be; else by halves, so that one that cannot be given back holds up no other.
        let mut open: Vec<&[&Regression]> = vec![&of];
        for tried in 0.. {
            let Some(some) = open.pop() else { break };
            let result = match tried < MOST_TRIES {
                true => world.given_to_any(state, targets, some, seen, &mut given),
                false => Err("it was not tried: too much else that was denied could not be given back".into()),
            };
            match result {
                Ok(()) => {}
                Err(_) if some.len() > 1 && tried < MOST_TRIES => {
                    let (first, second) = some.split_at(some.len() / 2);
                    open.extend([second, first]);
                }
                Err(why) => {
                    let places = some.iter().map(|regression| (policy.clone(), place(regression)));
                    restore.by_hand.extend(places.map(|key| (key, why.to_string())));
                }
            }
        }
    }
    restore.policies = given.into_values().map(|(_, given)| given).collect();
    restore
}

/// What is given back to each policy, for which requests.
type Given<'r> = BTreeMap<&'r PolicyKey, (Vec<&'r Regression>, GivenBack)>;

impl World<'_> {
    /// Gives these back by the first of the policies that can, beside what it gives back already.
    fn given_to_any<'r>(
        &self,
        state: usize,
        targets: &'r [PolicyKey],
        of: &[&'r Regression],
        seen: &[Seen],
        given: &mut Given<'r>,
    ) -> Result<(), Cause> {
        let mut why = Cause::from("its token has no policy that could be given more: let it have the policy again");
        for target in targets {
            let mut all = given.get(target).map(|(all, _)| all.clone()).unwrap_or_default();
            all.extend(of);
            match self.tried(state, target, &all, seen) {
                Ok(text) => {
                    given.insert(target, (all, text));
                    return Ok(());
                }
                Err(cause) => why = cause,
            }
        }
        Err(why)
    }

    /// The policy with what was denied, proven.
    fn tried(&self, state: usize, target: &PolicyKey, of: &[&Regression], seen: &[Seen]) -> Result<GivenBack, Cause> {
        let now = self.policies(state);
        let given = give_back(&now, target, of, self.profile)?;
        let whole = of.iter().map(|regression| regression.wave).min().unwrap_or(1) - 1;
        let mut policies: Vec<Policy> = now.into_iter().filter(|policy| !is(policy, target)).collect();
        policies.push(parsed(target, &given.text, self.profile)?);
        policies.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        self.proven((state, whole), &policies, of, seen)?;
        Ok(given)
    }
}

fn is(policy: &Policy, key: &PolicyKey) -> bool {
    *policy.namespace == *key.0 && *policy.name == *key.1
}

fn parsed(key: &PolicyKey, text: &str, profile: Profile) -> Result<Policy, Cause> {
    let mut policy = syntax::parse(&key.1, &key.1, text, &profile.dialect())?;
    policy.namespace = Arc::from(key.0.as_str());
    Ok(policy)
}

/// The policy with a stanza for each path: what was denied, and what is given there already.
fn give_back(now: &[Policy], key: &PolicyKey, of: &[&Regression], profile: Profile) -> Result<GivenBack, Cause> {
    let current = now.iter().find(|policy| is(policy, key));
    let mut wanted: BTreeMap<(String, String), (String, CapabilitySet)> = BTreeMap::new();
    for regression in of {
        let whole = format!("{}{}", regression.namespace, regression.path);
        let path = whole
            .strip_prefix(&*key.0)
            .ok_or_else(|| format!("`{whole}` is not in the namespace of the policy"))?;
        if is_templated(path) || !Pattern::parse(path, "").is_ok_and(|pattern| pattern.is_exact()) {
            return Err(format!("no stanza means just `{path}`").into());
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

impl World<'_> {
    /// Whether it allows what was denied, gives nothing that was not given before the wave, and takes nothing that is given now.
    fn proven(
        &self,
        (now, before): (usize, usize),
        policies: &[Policy],
        of: &[&Regression],
        seen: &[Seen],
    ) -> Result<(), Cause> {
        for part in seen {
            let here = self.now(part);
            let was = self.as_of(&here, part, self.policies(before), before);
            let is = self.as_of(&here, part, self.policies(now), now);
            let then = self.as_of(&here, part, policies.to_vec(), now);
            for (demand, is) in then.demands.iter().zip(&is.demands) {
                let asked = of.iter().any(|regression| {
                    regression.path == *demand.demand.path
                        && regression.namespace == *demand.demand.namespace
                        && regression.capability == demand.demand.capability
                        && then.holders[demand.holder].key() == regression.holder
                });
                if asked && is.outcome == Outcome::Denied && demand.outcome != Outcome::DeniedButAllowed {
                    return Err(format!("`{}` would still be denied", demand.path).into());
                }
            }
            let (was, is, then) = (ByName::of(was), ByName::of(is), ByName::of(then));
            let [to_before, to_now] = [before, now].map(|state| self.shift(part.span.waves, state));
            let held = here.sets.numbered();
            for (id, holder) in held.flat_map(|(id, set)| set.holders.iter().map(move |&holder| (id, holder))) {
                let holder = &here.holders[holder];
                let ids = ids_of(&here, id);
                let with = |shift: &Option<super::lists::Shift<'_>>| match shift {
                    Some(shift) => shift.ids(holder, &ids),
                    None => ids.clone(),
                };
                let lists = (
                    was.list(holder, with(&to_before)),
                    is.list(holder, with(&to_now)),
                    then.list(holder, with(&to_now)),
                );
                let (Some(was), Some(is), Some(then)) = lists else {
                    return Err("not every combination of policies can be told from the log".into());
                };
                match compare::grants_nothing_new(was, then, compare::Options::default()) {
                    Verdict::Proven => {}
                    Verdict::Witness(found) => {
                        return Err(format!("it would give `{}`, which was not given before", found.asked.path).into());
                    }
                    _ => return Err("the comparison could not be finished".into()),
                }
                match compare::grants_nothing_new(then, is, compare::Options::default()) {
                    Verdict::Proven => {}
                    Verdict::Witness(found) => {
                        return Err(format!("it would take `{}` from somebody else", found.asked.path).into());
                    }
                    _ => return Err("the comparison could not be finished".into()),
                }
            }
        }
        Ok(())
    }
}

/// Joined, with its sets by who has them and by which names.
struct ByName(Joined, BTreeMap<(String, BTreeSet<PolicyId>), SetId>);

impl ByName {
    fn of(joined: Joined) -> Self {
        let mut by_name = BTreeMap::new();
        for (id, set) in joined.sets.numbered() {
            let names = ids_of(&joined, id);
            for holder in set.holders.iter().map(|&h| &joined.holders[h]) {
                by_name.insert((holder.key(), names.clone()), id);
            }
        }
        Self(joined, by_name)
    }

    fn list(&self, holder: &Holder, names: BTreeSet<PolicyId>) -> Option<&Acl> {
        let id = self.1.get(&(holder.key(), names))?;
        Some(&self.0.sets[*id].acl)
    }
}
