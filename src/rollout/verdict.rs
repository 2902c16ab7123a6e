//! How a wave does against what was promised for it.
//!
//! A promise is of wrong denials over the days ahead, each counted once a day: so is what is seen, and somebody who is denied
//! a thousand times an hour weighs as one who is denied once. Until the days are over, only their share of it may have come.

use super::applied::{Applied, Wave};
use super::regression::Regression;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What is rarer than this by chance is taken for no chance.
const RARE: f64 = 0.01;

/// How a wave does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was not applied, or was taken back.
    NotInForce,
    /// As was to be expected.
    AsPromised,
    /// More is denied than was promised: stop here.
    Worse,
    /// Less is denied than was promised.
    Better,
}

impl Verdict {
    /// The word in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotInForce => "not in force",
            Self::AsPromised => "as promised",
            Self::Worse => "worse than promised",
            Self::Better => "better than promised",
        }
    }
}

/// What was seen of a wave.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Its number.
    pub wave: usize,
    /// Wrong denials that were expected over the horizon.
    pub promised: Option<f64>,
    /// Wrong denials that were seen: somebody, a path, a capability, a day.
    pub seen: u64,
    /// The requests behind them.
    pub requests: u64,
    /// What that means.
    pub verdict: Verdict,
}

/// Each wave with what was seen of it; `beyond` are wrong denials that are not among the regressions, by wave.
#[must_use]
pub fn standings(
    applied: &Applied,
    regressions: &[Regression],
    beyond: &BTreeMap<usize, u64>,
    now: Timestamp,
) -> Vec<Standing> {
    let one = |wave: &Wave| {
        let more = beyond.get(&wave.number).copied().unwrap_or_default();
        let of = regressions.iter().filter(|regression| regression.wave == wave.number);
        let (seen, requests) = of.fold((more, more), |(seen, requests), regression| {
            (seen + regression.days.len() as u64, requests + regression.count)
        });
        Standing {
            wave: wave.number,
            promised: wave.promised,
            seen,
            requests,
            verdict: verdict(wave, seen, applied.horizon_days, now),
        }
    };
    applied.waves.iter().map(one).collect()
}

fn verdict(wave: &Wave, seen: u64, horizon_days: Option<i32>, now: Timestamp) -> Verdict {
    let Some(begun) = wave.begun.filter(|_| wave.taken_back.is_none()) else {
        return Verdict::NotInForce;
    };
    let promised = wave.promised.unwrap_or_default();
    let days = now.duration_since(begun).as_secs_f64().max(0.0) / 86_400.0;
    let share = horizon_days.map_or(1.0, |horizon| (days / f64::from(horizon)).min(1.0));
    let by_now = promised * share;
    if seen as f64 > promised || (seen > 0 && at_least(seen, by_now) < RARE) {
        Verdict::Worse
    } else if 1.0 - at_least(seen + 1, by_now) < RARE {
        Verdict::Better
    } else {
        Verdict::AsPromised
    }
}

/// The chance of at least so many where `mean` are expected, after Poisson.
fn at_least(count: u64, mean: f64) -> f64 {
    let mut term = (-mean).exp();
    let mut fewer = 0.0;
    for n in 0..count {
        fewer += term;
        term *= mean / (n + 1) as f64;
        // Far beyond the mean nothing more comes.
        if term == 0.0 {
            break;
        }
    }
    (1.0 - fewer).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_holds_for_its_days_and_no_shorter() {
        let begun: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let after = |days: i64| begun + jiff::SignedDuration::from_hours(24 * days);
        let wave = |promised| Wave {
            number: 1,
            title: String::new(),
            promised,
            begun: Some(begun),
            done: Some(begun),
            taking_back: None,
            taken_back: None,
            changes: Vec::new(),
        };
        let say = |promised, seen, days| verdict(&wave(promised), seen, Some(90), after(days));
        assert_eq!(say(None, 0, 90), Verdict::AsPromised);
        assert_eq!(say(None, 1, 1), Verdict::Worse, "nothing was to be denied");
        assert_eq!(say(Some(0.2), 1, 1), Verdict::Worse);
        assert_eq!(say(Some(6.0), 3, 80), Verdict::AsPromised);
        assert_eq!(say(Some(6.0), 3, 1), Verdict::Worse, "far too soon");
        assert_eq!(say(Some(6.0), 0, 1), Verdict::AsPromised, "too soon to praise");
        assert_eq!(say(Some(6.0), 0, 90), Verdict::Better);
        let gone = Wave {
            taking_back: Some(after(1)),
            taken_back: Some(after(1)),
            ..wave(None)
        };
        assert_eq!(verdict(&gone, 9, Some(90), after(2)), Verdict::NotInForce);
        assert!((at_least(1, 2.0) - (1.0 - (-2.0_f64).exp())).abs() < 1e-12);
        assert_eq!(at_least(0, 5.0), 1.0);
    }
}
