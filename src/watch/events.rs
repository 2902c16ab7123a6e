//! What is news: told by comparing what was just read with all that was read before.

use crate::hint::Hint;
use crate::usage::{Demand, Principal, Usage};
use crate::vault::{Capability, path};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};

/// Random for each process: whoever chooses paths must not know which of them would be taken for another.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// News of one kind that a principal makes in one commit and that are told one by one; what is beyond is told as a number.
const MOST_DENIALS: usize = 10;
const MOST_FIRST_USES: usize = 100;

/// A principal drifts when it uses at least so many paths that were not learned.
const DRIFT_PATHS: usize = 5;
/// And at least one new path for so many learned ones.
const DRIFT_SHARE: usize = 4;

/// The kinds of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A principal used a path for the first time.
    FirstUse,
    /// A principal was denied for the first time what it asked.
    NewDenial,
    /// A principal holds a policy that it did not hold before.
    NewPolicy,
    /// A policy was written or deleted on the server.
    PolicyChanged,
    /// A principal does much that it did not do when its ways were learned.
    Drift,
    /// A grant was used that the last report called suspect or removable.
    Refuted,
    /// A principal is denied because of a wave that was applied.
    Regression,
    /// A wave does worse than was promised.
    WaveWorse,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::FirstUse,
        Self::NewDenial,
        Self::NewPolicy,
        Self::PolicyChanged,
        Self::Drift,
        Self::Refuted,
        Self::Regression,
        Self::WaveWorse,
    ];

    /// How soon it has to be heard, the soonest first: a flood of the later ones must not hold up the others.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Regression => 0,
            Self::WaveWorse => 1,
            Self::Refuted => 2,
            Self::FirstUse => 3,
            Self::PolicyChanged => 4,
            Self::NewPolicy => 5,
            Self::Drift => 6,
            Self::NewDenial => 7,
        }
    }

    /// The kind as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstUse => "first_use",
            Self::NewDenial => "new_denial",
            Self::NewPolicy => "new_policy",
            Self::PolicyChanged => "policy_changed",
            Self::Drift => "drift",
            Self::Refuted => "refuted",
            Self::Regression => "regression",
            Self::WaveWorse => "wave_worse",
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == word);
        found.ok_or_else(|| UnknownKind(word.to_owned()))
    }
}

/// A word that is no kind of news.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind of event: there are {list}", list = Kind::ALL.map(Kind::as_str).join(", "))]
pub struct UnknownKind(String);

impl Hint for UnknownKind {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("`watch.mute` names it"))
    }
}

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The same for the same news, however often it is sent.
    pub id: String,
    /// What.
    pub kind: Kind,
    /// When, after the log.
    pub time: Option<Timestamp>,
    /// Key of who.
    pub principal: String,
    /// The human's word for who.
    pub principal_name: String,
    /// Path, namespace in front.
    pub path: String,
    /// Capability.
    pub capability: String,
    /// Policy that it is about.
    pub policy: String,
    /// All of it in a sentence.
    pub message: String,
}

/// Who an event is about; nobody by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Who<'a> {
    /// How it is known.
    pub kind: &'a str,
    /// Its key.
    pub id: &'a str,
    /// The human's word for it.
    pub name: &'a str,
}

impl Event {
    /// An event about a principal.
    pub fn new(
        kind: Kind,
        who: &Principal,
        time: Option<Timestamp>,
        path: &str,
        capability: &str,
        policy: &str,
        message: String,
    ) -> Self {
        let who = Who {
            kind: who.kind.as_str(),
            id: &who.id,
            name: &who.name,
        };
        Self::told(kind, who, time, path, capability, policy, message)
    }

    /// An event whose id follows from all that tells it from others, its time too: a policy that is written again is news again.
    pub fn told(
        kind: Kind,
        who: Who<'_>,
        time: Option<Timestamp>,
        path: &str,
        capability: &str,
        policy: &str,
        message: String,
    ) -> Self {
        let mut hash = Sha256::new();
        for part in [kind.as_str(), who.kind, who.id, path, capability, policy, &message] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update(time.map_or(i128::MIN, Timestamp::as_nanosecond).to_le_bytes());
        Self {
            id: hash.finalize().iter().take(12).map(|b| format!("{b:02x}")).collect(),
            kind,
            time,
            principal: who.id.to_string(),
            principal_name: who.name.to_string(),
            path: path.to_owned(),
            capability: capability.to_owned(),
            policy: policy.to_owned(),
            message,
        }
    }
}

/// What a principal does, in numbers.
#[derive(Debug, Clone, Copy, Default)]
struct Habit {
    learned: usize,
    new: usize,
}

impl Habit {
    /// How far it drifted: one more each time that the new paths double.
    fn level(self) -> u32 {
        let least = DRIFT_PATHS.max(self.learned / DRIFT_SHARE);
        (self.new / least).checked_ilog2().map_or(0, |n| n + 1)
    }
}

/// All that was seen before, as hashes.
#[derive(Debug, Default)]
pub struct Known {
    paths: HashSet<u64>,
    grants: HashSet<u64>,
    denials: HashSet<u64>,
    policies: HashSet<u64>,
    holders: HashSet<u64>,
    habits: HashMap<u64, Habit>,
}

impl Known {
    /// Takes note of what was read, without news. What was first seen after `until` counts as not learned.
    pub fn learn(&mut self, usage: &Usage, until: Option<Timestamp>) {
        for demand in usage.demands() {
            let later = until.is_some_and(|until| demand.first_seen.is_some_and(|first| first > until));
            self.note(&demand, later);
        }
        for who in usage.principals() {
            self.holders.insert(principal(&who.principal));
            for policy in who.held.labels(usage.namespaces()) {
                self.policies.insert(held(&who.principal, &policy));
            }
        }
    }

    /// Whether the path and the capability are new for the principal.
    fn note(&mut self, demand: &Demand, later: bool) -> (bool, bool) {
        let mut new = (false, false);
        if demand.allowed > 0 {
            new.0 = self.paths.insert(path(demand));
            new.1 = self.grants.insert(grant(demand));
            if new.0 {
                let habit = self.habits.entry(principal(&demand.principal)).or_default();
                if later {
                    habit.new += 1;
                } else {
                    habit.learned += 1;
                }
            }
        }
        if demand.denied > 0 {
            self.denials.insert(grant(demand));
        }
        new
    }

    /// Takes note of what was just read, and tells what of it is news. The demands that are new for their principal come
    /// too, for whoever knows what grants them.
    pub fn observe(&mut self, part: &Usage) -> (Vec<Event>, Vec<Demand>) {
        let mut events = Vec::new();
        let mut fresh = Vec::new();
        let mut more = More::default();
        for demand in part.demands() {
            let who = &demand.principal;
            let name = shown(who);
            let full = format!("{}{}", demand.namespace, demand.path);
            let capability = demand.capability.as_str();
            if demand.denied > 0
                && !self.denials.contains(&grant(&demand))
                && more.is_among(Kind::NewDenial, MOST_DENIALS, &demand)
            {
                let message = format!("{name} was denied {capability} on {full}, for the first time");
                events.push(Event::new(
                    Kind::NewDenial,
                    who,
                    demand.first_seen,
                    &full,
                    capability,
                    "",
                    message,
                ));
            }
            let habit = |known: &Self| known.habits.get(&principal(who)).copied().unwrap_or_default();
            let before = habit(self);
            let (new_path, new_grant) = self.note(&demand, true);
            if new_path {
                if more.is_among(Kind::FirstUse, MOST_FIRST_USES, &demand) {
                    let message = format!("{name} used {full} ({capability}) for the first time");
                    events.push(Event::new(
                        Kind::FirstUse,
                        who,
                        demand.first_seen,
                        &full,
                        capability,
                        "",
                        message,
                    ));
                }
                let after = habit(self);
                if before.learned > 0 && after.level() > before.level() {
                    let message = format!(
                        "{name} drifts: {} paths that were not among the {} learned",
                        after.new, after.learned
                    );
                    events.push(Event::new(Kind::Drift, who, demand.first_seen, &full, "", "", message));
                }
            }
            if let Some((policy, verb)) = written(&demand) {
                let message = format!("{name} {verb} the policy {policy}");
                events.push(Event::new(
                    Kind::PolicyChanged,
                    who,
                    demand.last_seen,
                    &full,
                    capability,
                    policy,
                    message,
                ));
            }
            if new_grant {
                fresh.push(demand);
            }
        }
        events.extend(more.events());
        for seen in part.principals() {
            let who = &seen.principal;
            let known = !self.holders.insert(principal(who));
            for policy in seen.held.labels(part.namespaces()) {
                if self.policies.insert(held(who, &policy)) && known {
                    let message = format!("{} holds the policy {policy} now", shown(who));
                    events.push(Event::new(
                        Kind::NewPolicy,
                        who,
                        seen.last_seen,
                        "",
                        "",
                        &policy,
                        message,
                    ));
                }
            }
        }
        (events, fresh)
    }
}

/// News of one kind by one principal, beyond those that are told one by one.
#[derive(Debug, Default)]
struct More(BTreeMap<(Kind, Principal), (usize, usize, Option<Timestamp>)>);

impl More {
    /// Whether this one is among the first `most` of its kind by its principal. Else it is counted.
    fn is_among(&mut self, kind: Kind, most: usize, demand: &Demand) -> bool {
        let (told, more, last) = self.0.entry((kind, demand.principal.clone())).or_default();
        if *told < most {
            *told += 1;
            return true;
        }
        *more += 1;
        *last = (*last).max(demand.first_seen);
        false
    }

    /// What was counted.
    fn events(self) -> impl Iterator<Item = Event> {
        let counted = self.0.into_iter().filter(|(_, (_, more, _))| *more > 0);
        counted.map(|((kind, who), (_, more, last))| {
            let did = if kind == Kind::NewDenial { "was denied" } else { "used" };
            let paths = if more == 1 { "path" } else { "paths" };
            let message = format!("{} {did} {more} more {paths} for the first time", shown(&who));
            Event::new(kind, &who, last, "", "", "", message)
        })
    }
}

/// The policy that a demand wrote or deleted.
fn written(demand: &Demand) -> Option<(&str, &'static str)> {
    let name = path::policy_at(&demand.path)?;
    let verb = match demand.capability {
        Capability::Create | Capability::Update | Capability::Patch => "wrote",
        Capability::Delete => "deleted",
        _ => return None,
    };
    (demand.allowed > demand.failed && !name.is_empty()).then_some((name, verb))
}

fn shown(who: &Principal) -> &Arc<str> {
    if who.name.is_empty() { &who.id } else { &who.name }
}

fn principal(who: &Principal) -> u64 {
    HASHER.hash_one((who.kind, &who.id))
}

fn held(who: &Principal, policy: &str) -> u64 {
    HASHER.hash_one((who.kind, &who.id, policy))
}

fn path(demand: &Demand) -> u64 {
    let who = &demand.principal;
    HASHER.hash_one((who.kind, &who.id, &demand.namespace, &demand.path))
}

fn grant(demand: &Demand) -> u64 {
    HASHER.hash_one((path(demand), demand.capability))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_again_has_another_id() {
        let who = Principal {
            kind: crate::vault::PrincipalKind::Entity,
            id: "e".into(),
            name: "ann".into(),
            auth_mount: "".into(),
        };
        let event = |second| {
            let time = Timestamp::from_second(second).ok();
            Event::new(
                Kind::PolicyChanged,
                &who,
                time,
                "sys/policies/acl/a",
                "update",
                "a",
                String::new(),
            )
        };
        assert_eq!(event(1).id, event(1).id);
        assert_ne!(event(1).id, event(2).id);
        let ranks: HashSet<u8> = Kind::ALL.map(Kind::rank).into();
        assert_eq!(ranks.len(), Kind::ALL.len());
    }
}
