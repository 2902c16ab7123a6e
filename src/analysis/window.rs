//! What the logs are worth as a window on use, and what the settings ask of them.

use crate::usage::{Coverage, Gap};
use jiff::Timestamp;
use serde::Deserialize;

/// Thresholds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvidenceSettings {
    /// Nothing is removable before so many days were watched. Zero: the logs given are the window.
    pub min_days: f64,
    /// A holder that never acted keeps its grants suspect until so many days were watched.
    pub dormant_days: f64,
    /// What could be used as it is only since a day of the logs is suspect until it was watched for so many.
    pub changed_days: f64,
    /// How much bad logs lengthen the dwell time.
    pub doubt: f64,
    /// Below this health nothing is removable.
    pub min_health: f64,
    /// So many entries may be lost, or cut that far that not even their holder is known; beyond it nothing is removable.
    pub cut_entries: u64,
    /// The time that the deployment is of, where it does not say it itself.
    pub deployment_as_of: Option<Timestamp>,
}

impl Default for EvidenceSettings {
    fn default() -> Self {
        Self {
            min_days: 0.0,
            dormant_days: 90.0,
            changed_days: 30.0,
            doubt: 2.0,
            min_health: 0.5,
            cut_entries: 0,
            deployment_as_of: None,
        }
    }
}

/// What the logs are worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    /// Days between the first and the last entry.
    pub window_days: f64,
    /// 0 (blind) to 1.
    pub health: f64,
    /// Times within the window of which there is no entry.
    pub gaps: Vec<Gap>,
}

impl Watch {
    /// Of logs.
    #[must_use]
    pub fn of(coverage: &Coverage) -> Self {
        Self {
            window_days: coverage.window_days(),
            health: coverage.health(),
            gaps: coverage.gaps.clone(),
        }
    }

    /// Days that were watched.
    pub(super) fn days(&self) -> f64 {
        let silent: f64 = self
            .gaps
            .iter()
            .map(|gap| gap.to.duration_since(gap.from).as_secs_f64() / 86_400.0)
            .sum();
        (self.window_days - silent).max(0.0)
    }

    /// Days that were watched from a time on.
    pub(super) fn days_since(&self, at: Timestamp, last: Timestamp) -> f64 {
        let days = |from: Timestamp, to: Timestamp| (to.duration_since(from).as_secs_f64() / 86_400.0).max(0.0);
        let silent: f64 = self.gaps.iter().map(|gap| days(gap.from.max(at), gap.to)).sum();
        (days(at, last) - silent).max(0.0)
    }
}

/// From when on a policy could have been used as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Since {
    /// Days that were watched since.
    pub days: f64,
    /// What happened then, as a sentence without its end.
    pub what: String,
}
