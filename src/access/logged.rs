//! What the logs say, once it is settled whose tokens are meant.

use super::by_name::ByName;
use super::meant::{self, Reader};
use crate::policy::table::Table;
use crate::usage::demand::{Demand, PolicySet, Principal};
use crate::usage::held::{Held, Namespaces};
use crate::usage::{Facts, Untold};
use crate::vault::path;
use std::sync::Arc;

/// What the logs say.
pub(super) struct Logged {
    /// Who asked for what.
    pub(super) demands: Vec<Demand>,
    /// The lists of policies that tokens had, beside those that the demands name.
    pub(super) sets: Vec<PolicySet>,
    /// Those with which somebody was only refused.
    pub(super) refused: Vec<PolicySet>,
    /// The namespaces that the log names by id and path.
    pub(super) namespaces: Namespaces,
    /// Lines of which only the holder could be read.
    pub(super) lost: Vec<LostLines>,
    /// Entries that are cut so far that not even their holder is known, and requests of which no entry is there.
    pub(super) cut: u64,
    /// Tokens of which the log does not say what they hold.
    pub(super) untold: Untold,
}

/// Lines of which only the holder could be read.
pub(super) struct LostLines {
    pub(super) principal: Principal,
    pub(super) held: Arc<Held>,
    pub(super) lines: u64,
}

impl Logged {
    /// What these facts say to somebody who knows the policies.
    pub(super) fn settled(mut facts: Facts, policies: &Table, by_name: &ByName<'_>) -> Self {
        if facts.is_untold && policies.iter().any(|policy| !policy.namespace.is_empty()) {
            unplace(&mut facts.demands);
        }
        let reader = Reader {
            namespaces: &facts.namespaces,
            by_name,
        };
        let settled = meant::settle(&mut facts.demands, &mut facts.sets, &reader);
        let lost = facts.lost.known.into_iter().map(|(of, lines)| LostLines {
            principal: settled.get(&of).unwrap_or(&of.0).clone(),
            held: of.1,
            lines,
        });
        Self {
            lost: lost.collect(),
            cut: facts.lost.cut.saturating_add(facts.lost.whole),
            demands: facts.demands,
            sets: facts.sets,
            refused: facts.refused,
            namespaces: facts.namespaces,
            untold: facts.untold,
        }
    }

    /// Whether the log shows that groups give policies to members of other namespaces.
    pub(super) fn crosses(&self) -> bool {
        let is_crossing = |held: &Held| !held.placed.is_empty() && held.listed;
        self.sets.iter().any(|set| is_crossing(&set.held)) || self.demands.iter().any(|d| is_crossing(&d.held))
    }
}

/// Where there are other namespaces than the root's, what does not say its namespace may be in any.
fn unplace(demands: &mut [Demand]) {
    for demand in demands.iter_mut().filter(|demand| demand.namespace.is_empty()) {
        demand.namespace = Arc::from(path::UNTOLD);
    }
}
