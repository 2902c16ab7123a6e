//! What a join needs to know of usage, in one value: whoever joins takes all of it, so that no part is left behind.

use super::demand::{Demand, Lost, PolicySet, Untold};
use super::held::Namespaces;
use super::part::Usage;

/// What the logs say.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Who asked for what.
    pub demands: Vec<Demand>,
    /// The sets of policies that principals acted with, beside those that the demands name.
    pub sets: Vec<PolicySet>,
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
            namespaces: usage.namespaces().clone(),
            lost: usage.lost(),
            untold: usage.untold(),
            is_untold: usage.is_untold(),
        }
    }
}

impl From<Vec<Demand>> for Facts {
    /// These demands, of a log in which everything could be read.
    fn from(demands: Vec<Demand>) -> Self {
        Self {
            demands,
            ..Self::default()
        }
    }
}
