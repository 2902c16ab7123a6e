//! What is different from earlier runs, in `advice.json`.

use crate::advice::{self, HistoryPoint, Noted};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is different from earlier runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// When the last run was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Findings that no earlier run had.
    pub new: Vec<NotedFinding>,
    /// Findings that the last run did not have and an earlier one had.
    pub back: Vec<NotedFinding>,
    /// Findings of the last run that are gone.
    pub gone: Vec<NotedFinding>,
    /// Run by run, this one last.
    pub points: Vec<Point>,
}

/// A finding as a run noted it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NotedFinding {
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its title, where the run noted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Point {
    /// When it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Accesses granted and not used.
    pub excess: u64,
    /// Mean risk of the principals.
    pub risk_mean: f64,
    /// How many findings it had, where it noted them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<u64>,
}

impl From<&advice::History> for History {
    fn from(from: &advice::History) -> Self {
        let all = |of: &[Noted]| of.iter().map(Into::into).collect();
        Self {
            last: from.last,
            new: all(&from.new),
            back: all(&from.back),
            gone: all(&from.gone),
            points: from.points.iter().map(Into::into).collect(),
        }
    }
}

impl From<&Noted> for NotedFinding {
    fn from(from: &Noted) -> Self {
        Self {
            fingerprint: from.fingerprint.clone(),
            title: from.title.clone(),
        }
    }
}

impl From<&HistoryPoint> for Point {
    fn from(from: &HistoryPoint) -> Self {
        Self {
            at: Some(from.at),
            excess: from.excess,
            risk_mean: super::json_part::rounded(from.risk_mean),
            findings: from.findings,
        }
    }
}
