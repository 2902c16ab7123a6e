//! Parameter constraints from use: where every logged request of a stanza sent the same few keys, it may send no others.
//!
//! A log names the keys of a request's data and hashes the values, so keys alone are constrained: each allowed parameter may
//! have any value. Offered only where it is switched on; never on KV version 2, where the servers don't look into the secret;
//! never where the keys of a request are not known, are no names of parameters, or more were sent than usage keeps.

use crate::access::{Joined, JoinedDemand, StanzaId};
use crate::policy::model::Constraints;
use crate::policy::pattern::Pattern;
use crate::usage::table::MAX_KEYS;
use crate::vault::name::lower;
use crate::vault::{Capability, CapabilitySet, Operation};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterRule {
    /// Nothing.
    #[default]
    Off,
    /// No other keys than those that were sent.
    Allowed,
    /// And those that each request sent have to be sent.
    Required,
}

/// The keys that a stanza may and must be asked with; lower case, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// No other key may be sent; any value.
    pub allowed: Vec<String>,
    /// Each of these has to be sent.
    pub required: Vec<String>,
}

impl Parameters {
    /// As a stanza has them.
    #[must_use]
    pub fn constraints(&self) -> Constraints {
        Constraints {
            allowed_parameters: self.allowed.iter().map(|k| (k.clone(), Vec::new())).collect(),
            required_parameters: self.required.clone(),
            ..Constraints::default()
        }
    }

    /// In words.
    #[must_use]
    pub fn describe(&self) -> String {
        let list = |keys: &[String]| keys.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
        let mut text = format!("only the parameters that were sent: {}", list(&self.allowed));
        if !self.required.is_empty() {
            text.push_str("; required: ");
            text.push_str(&list(&self.required));
        }
        text.push_str(" (of any value: a log does not tell values)");
        text
    }
}

/// Fewer writes than these say nothing of a habit.
const FEWEST_WRITES: u64 = 3;

/// Operations whose parameters the servers look at.
const LOOKED_AT: [Operation; 4] = [Operation::Read, Operation::Create, Operation::Update, Operation::Patch];

/// What was asked of each stanza.
pub(super) struct Asked<'a> {
    rule: ParameterRule,
    most: usize,
    by_stanza: BTreeMap<StanzaId, Vec<&'a JoinedDemand>>,
}

impl<'a> Asked<'a> {
    /// Of every stanza; none where nothing is to be offered.
    pub(super) fn new(joined: &'a Joined, rule: ParameterRule, most: usize) -> Option<Self> {
        if rule == ParameterRule::Off {
            return None;
        }
        let mut by_stanza: BTreeMap<StanzaId, Vec<&JoinedDemand>> = BTreeMap::new();
        for d in &joined.demands {
            for (stanza, _) in joined.allowed_by(d) {
                by_stanza.entry(stanza).or_default().push(d);
            }
        }
        Some(Self { rule, most, by_stanza })
    }

    /// The constraints that hold for all that was asked of the stanza within `pattern`.
    pub(super) fn of(&self, id: StanzaId, pattern: &Pattern, capabilities: CapabilitySet) -> Option<Parameters> {
        let writes = [Capability::Create, Capability::Update, Capability::Patch];
        if !writes.iter().any(|c| capabilities.contains(*c)) {
            return None;
        }
        let asked: Vec<&&JoinedDemand> = self
            .by_stanza
            .get(&id)?
            .iter()
            .filter(|d| LOOKED_AT.contains(&d.operation()) && pattern.matches(&d.path))
            .collect();
        let is_write = |d: &JoinedDemand| writes.contains(&d.demand.capability);
        let requests: u64 = asked.iter().filter(|d| is_write(d)).map(|d| d.demand.allowed).sum();
        let known = asked.iter().all(|d| {
            let all_known = d.demand.keys_ever.len() < MAX_KEYS && d.demand.keys_ever.iter().all(|k| is_name(k));
            all_known && supported(d, pattern) && (!is_write(d) || !d.demand.keys_always.is_empty())
        });
        if requests < FEWEST_WRITES || !known {
            return None;
        }
        let allowed: BTreeSet<String> = asked
            .iter()
            .flat_map(|d| d.demand.keys_ever.iter().map(|k| lower(k).into_owned()))
            .collect();
        if allowed.is_empty() || allowed.len() > self.most {
            return None;
        }
        let required = match self.rule {
            // The servers look for the lower-case name among the keys as they came.
            ParameterRule::Required => allowed
                .iter()
                .filter(|k| asked.iter().all(|d| d.demand.keys_always.contains(k.as_str())))
                .cloned()
                .collect(),
            ParameterRule::Allowed | ParameterRule::Off => Vec::new(),
        };
        Some(Parameters {
            allowed: allowed.into_iter().collect(),
            required,
        })
    }
}

/// Whether the servers look at the parameters there: not at those of a secret of KV version 2. Where the log does not tell what
/// is mounted, it could be one.
fn supported(d: &JoinedDemand, pattern: &Pattern) -> bool {
    match &*d.demand.mount_type {
        "" => false,
        "kv" | "generic" | "ns_kv" => pattern.is_exact() && !pattern.text.split('/').any(|s| s == "data"),
        _ => true,
    }
}

/// Whether a demand is certain to satisfy `new` as it satisfied `old`: they differ in keys at most, and the log knows its keys.
pub(super) fn hold(old: &Constraints, new: &Constraints, demand: &JoinedDemand) -> bool {
    if old == new || new.is_empty() {
        return true;
    }
    let without = |c: &Constraints| Constraints {
        allowed_parameters: BTreeMap::new(),
        required_parameters: Vec::new(),
        ..c.clone()
    };
    let only_keys = new.allowed_parameters.values().all(Vec::is_empty) && without(new) == without(old);
    if !only_keys {
        return false;
    }
    if !LOOKED_AT.contains(&demand.operation()) {
        return true;
    }
    let (ever, always) = (&demand.demand.keys_ever, &demand.demand.keys_always);
    let allowed = &new.allowed_parameters;
    let fits = allowed.is_empty() || ever.iter().all(|k| allowed.contains_key(&*lower(k)));
    let sent = new.required_parameters.iter().all(|k| always.contains(&*lower(k)));
    ever.len() < MAX_KEYS && fits && sent
}

/// Whether a name can be that of a parameter, and not what a device or a pipeline put in its place.
fn is_name(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}
