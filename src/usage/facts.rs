//! What a join needs to know of usage, in one value: whoever joins takes all of it, so that no part is left behind.

use super::demand::{Demand, Lost, PolicySet, Principal, Untold};
use super::held::{Held, Namespaces};
use super::part::Usage;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the logs say.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Who asked for what.
    pub demands: Vec<Demand>,
    /// The sets of policies that principals acted with, beside those that the demands name.
    pub sets: Vec<PolicySet>,
    /// Those with which somebody asked and was only refused. Nobody used anything by them, but somebody has them.
    pub refused: Vec<PolicySet>,
    /// The namespaces that the log names by id and path.
    pub namespaces: Namespaces,
    /// Lines of which only the holder could be read, or nothing.
    pub lost: Lost,
    /// Tokens of which the log does not say what they hold.
    pub untold: Untold,
    /// Whether requests that do not say their namespace were taken for those of the root namespace.
    pub is_untold: bool,
}

impl From<&Usage> for Facts {
    fn from(usage: &Usage) -> Self {
        Self {
            demands: usage.demands(),
            sets: usage.policy_sets(),
            refused: usage.sets_refused(),
            namespaces: usage.namespaces().clone(),
            lost: usage.lost(),
            untold: usage.untold(),
            is_untold: usage.is_untold(),
        }
    }
}

impl From<Vec<Demand>> for Facts {
    /// These demands, of a log in which everything could be read, and in which each was made with one list from its first day to its last.
    fn from(demands: Vec<Demand>) -> Self {
        type Times = (Option<Timestamp>, Option<Timestamp>);
        let mut sets: BTreeMap<(&Principal, &Arc<Held>), Times> = BTreeMap::new();
        for demand in demands.iter().filter(|demand| demand.allowed > 0) {
            let times = sets.entry((&demand.principal, &demand.held)).or_default();
            times.0 = [times.0, demand.first_seen].into_iter().flatten().min();
            times.1 = times.1.max(demand.last_seen);
        }
        let set = |((principal, held), (first_seen, last_seen)): ((&Principal, &Arc<Held>), Times)| PolicySet {
            principal: principal.clone(),
            held: Arc::clone(held),
            mount: principal.auth_mount.clone(),
            role: Arc::from(""),
            display_name: Arc::clone(&principal.id),
            by_login: false,
            last_seen,
            first_seen,
        };
        Self {
            sets: sets.into_iter().map(set).collect(),
            demands,
            ..Self::default()
        }
    }
}
