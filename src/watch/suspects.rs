//! Grants that the last report called unused. Whoever uses one refutes the report, and should be heard at once.

use super::events::{Event, Kind};
use crate::access::{self, Inputs};
use crate::advice::{Advice, EvidenceState};
use crate::deployment::Deployment;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::usage::{Demand, Facts, Namespaces};
use jiff::Timestamp;
use std::collections::HashMap;

/// A capability of a stanza: file and name of its policy, number of the stanza, capability.
type Grant = (String, String, usize, String);

/// The grants that a report called suspect or removable, and what is needed to know who uses them.
#[derive(Default)]
pub struct Suspects {
    grants: HashMap<Grant, EvidenceState>,
    policies: Vec<Policy>,
    deployment: Option<Deployment>,
    profile: Profile,
}

impl Suspects {
    /// Those of a report that was made with these policies.
    #[must_use]
    pub fn new(advice: &Advice, policies: Vec<Policy>, deployment: Option<Deployment>, profile: Profile) -> Self {
        let mut grants = HashMap::new();
        for policy in &advice.policies {
            for (number, stanza) in policy.stanzas.iter().enumerate() {
                for used in stanza.capabilities.iter().filter(|c| c.state != EvidenceState::InUse) {
                    let grant = (
                        policy.file.clone(),
                        policy.name.clone(),
                        number,
                        used.capability.clone(),
                    );
                    grants.insert(grant, used.state);
                }
            }
        }
        Self {
            grants,
            policies,
            deployment,
            profile,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.grants.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }

    /// Which of them these demands use. Each is told once: it is suspect no more.
    pub fn refuted(&mut self, demands: &[Demand], namespaces: &Namespaces) -> Vec<Event> {
        let allowed: Vec<Demand> = demands.iter().filter(|d| d.allowed > 0).cloned().collect();
        if self.grants.is_empty() || allowed.is_empty() {
            return Vec::new();
        }
        let last = allowed.iter().filter_map(|d| d.last_seen).max();
        let joined = access::join(Inputs {
            facts: Facts {
                namespaces: namespaces.clone(),
                ..Facts::from(allowed)
            },
            policies: self.policies.clone(),
            deployment: self.deployment.as_ref(),
            profile: self.profile,
            now: last.map(Timestamp::as_second),
        });
        let mut events = Vec::new();
        for used in &joined.demands {
            for (id, given) in joined.allowed_by(used) {
                let policy = &joined.policies[id.policy()];
                for capability in used.needs().intersection(given).iter() {
                    let grant = (
                        policy.file.to_string(),
                        policy.name.to_string(),
                        id.place(),
                        capability.to_string(),
                    );
                    let Some(state) = self.grants.remove(&grant) else {
                        continue;
                    };
                    let stanza = &joined.policies[id].path;
                    let who = &used.demand.principal;
                    let name = if who.name.is_empty() { &who.id } else { &who.name };
                    let message = format!(
                        "{name} used {} ({capability}): the policy {} grants it with path \"{stanza}\", which the last \
                         report called {}",
                        used.path,
                        policy.name,
                        state.as_str(),
                    );
                    events.push(Event::new(
                        Kind::Refuted,
                        who,
                        used.demand.first_seen,
                        &used.path,
                        &capability.to_string(),
                        &policy.name,
                        message,
                    ));
                }
            }
        }
        events
    }
}
