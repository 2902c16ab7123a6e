//! What a narrower grant would cost tomorrow, estimated from the past, and which to take under a budget.
//!
//! A *unit* is one thing that may be kept whole, narrowed or dropped; below it stands a tree of places, and uses fall on its leaves,
//! each on some days. Narrowing at a place keeps the children that were used and closes the rest: what it costs is the uses that
//! will come on children not seen yet. How often new children come is counted ([`births`]), pooled over what is alike ([`pool`]),
//! and followed up: a new child is used again, and each of these uses would be denied too. The same counts at earlier days of the
//! past, where it is known what came next, say how far such estimates can be trusted ([`origin`]). [`choice`] takes the forms that
//! close the most within a budget of expected wrong denials; [`estimate`] has all of it, and what a choice promises.
//!
//! Nothing in here knows what a unit, a place or a use is.

pub mod births;
mod blocks;
pub mod choice;
pub mod estimate;
mod expected;
mod fade;
mod first_use;
pub mod forecast;
pub mod interval;
pub mod origin;
mod past;
mod places;
pub mod pool;

use crate::units;
use serde::Deserialize;

/// How much may be expected to hurt, and over what time.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForesightSettings {
    /// Expected wrong denials, for each use that is expected over the horizon: `"10/10000"` or a number.
    #[serde(deserialize_with = "ratio")]
    pub budget: f64,
    /// Expected wrong denials that are allowed whatever the budget comes to: for those with few uses.
    pub at_least: f64,
    /// Days ahead that the budget is for; zero looks at the past alone.
    #[serde(rename = "horizon", deserialize_with = "days")]
    pub horizon_days: i32,
    /// At most so many expected wrong denials for one principal.
    pub per_principal: f64,
}

impl Default for ForesightSettings {
    fn default() -> Self {
        Self {
            budget: 10.0 / 10_000.0,
            at_least: 0.5,
            horizon_days: 90,
            per_principal: 5.0,
        }
    }
}

/// A ratio as people write it: `10/10000`, or a number.
#[must_use]
pub fn parse_ratio(text: &str) -> Option<f64> {
    let value = match text.split_once('/') {
        Some((part, whole)) => {
            part.trim().parse::<f64>().ok()? / whole.trim().parse::<f64>().ok().filter(|w| *w > 0.0)?
        }
        None => text.trim().parse().ok()?,
    };
    (value.is_finite() && (0.0..=1.0).contains(&value)).then_some(value)
}

/// Whole days as people write them: `90d`; `0` is none.
#[must_use]
pub fn parse_days(text: &str) -> Option<i32> {
    if text.trim() == "0" {
        return Some(0);
    }
    let seconds = units::duration(text).ok()?.as_secs();
    let days = i32::try_from(seconds / 86_400).ok()?;
    (days >= 0 && seconds % 86_400 == 0).then_some(days)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(f64),
    Text(String),
}

fn ratio<'de, D: serde::Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let found = match Written::deserialize(from)? {
        Written::Number(n) => parse_ratio(&n.to_string()),
        Written::Text(text) => parse_ratio(&text),
    };
    found.ok_or_else(|| serde::de::Error::custom("has to be a share from 0 to 1, such as \"10/10000\""))
}

fn days<'de, D: serde::Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    let found = match Written::deserialize(from)? {
        Written::Number(n) => (n == 0.0).then_some(0),
        Written::Text(text) => parse_days(&text),
    };
    found.ok_or_else(|| serde::de::Error::custom("has to be whole days, such as \"90d\", or 0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_and_horizons_are_read_as_people_write_them() {
        assert_eq!(parse_ratio("10/10000"), Some(0.001));
        assert_eq!(parse_ratio("0.5"), Some(0.5));
        for wrong in ["", "2", "-1/10", "1/0", "x/3"] {
            assert_eq!(parse_ratio(wrong), None, "{wrong}");
        }
        assert_eq!(
            (parse_days("90d"), parse_days("0"), parse_days("90m")),
            (Some(90), Some(0), None)
        );
    }
}
