//! What the gate is given: what was read, and how it is checked.

use super::baseline::Baseline;
use super::source::Read;
use crate::advice::{Finding, Severity};
use crate::analysis::evidence::Watch;
use crate::deployment::Deployment;
use crate::policy::profile::Profile;
use crate::settings::Settings;
use crate::usage::Facts;
use jiff::Timestamp;
use jiff::civil::Date;

/// What usage says.
pub struct Seen {
    /// Who asked for what.
    pub facts: Facts,
    /// What the logs are worth.
    pub watch: Watch,
    /// When they end.
    pub last: Option<Timestamp>,
}

impl Seen {
    pub(super) fn nothing() -> Self {
        Self {
            facts: Facts::default(),
            watch: Watch {
                window_days: 0.0,
                health: 1.0,
                gaps: Vec::new(),
            },
            last: None,
        }
    }
}

/// What is checked.
pub struct Material {
    /// The policies.
    pub read: Read,
    /// What the base has, where there is one.
    pub base: Option<Read>,
    /// What the change brings along to be judged by.
    pub brought: Vec<Finding>,
    /// Usage, where there is any.
    pub seen: Option<Seen>,
    /// The deployment, where one is named.
    pub deployment: Option<Deployment>,
}

/// How it is checked.
pub struct Options<'a> {
    /// Whose rules decide.
    pub profile: Profile,
    /// Weights, rule levels, waivers.
    pub settings: &'a Settings,
    /// Findings of this severity and above fail.
    pub fail_on: Severity,
    /// No holder's risk may be above this.
    pub max_risk: Option<f64>,
    /// At most so many findings of a severity, whatever the threshold.
    pub budgets: &'a [(Severity, usize)],
    /// What was there before.
    pub baseline: Option<&'a Baseline>,
    /// Today, for waivers and stanzas that expire.
    pub now: Timestamp,
}

impl Options<'_> {
    /// The day that waivers are judged by.
    pub(super) fn today(&self) -> Date {
        self.now.to_zoned(jiff::tz::TimeZone::UTC).date()
    }
}
