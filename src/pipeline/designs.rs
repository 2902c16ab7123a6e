//! What is proposed: the policies tightened with an eye on tomorrow, and roles.

use super::analysis::Analysis;
use super::{Options, exposure, kept};
use crate::access::weight::Weighed;
use crate::access::{self, Holder, Joined};
use crate::advice::{CoverageView, FrontierPoint};
use crate::analysis::evidence;
use crate::analysis::risk::Exposure;
use crate::index::IndexVec;
use crate::optimize::foresight::ForesightSettings;
use crate::optimize::proof::Scheme;
use crate::optimize::redesign::{self, Redesign, Size};
use crate::optimize::tighten::{self, Offer, Outlook, Span, Tightening};
use jiff::Timestamp;
use std::sync::Arc;

/// Both proposals, with what they are measured by.
pub(super) struct Designs {
    /// The policies, tightened.
    pub(super) tightened: Tightening,
    /// What each holder stays exposed to by these.
    pub(super) after: IndexVec<Holder, Exposure>,
    /// The trade-off curve, where it was asked for.
    pub(super) frontier: Vec<FrontierPoint>,
    /// The roles; none where nothing could be redesigned.
    pub(super) redesigned: Option<Redesign>,
    /// What the redesign began with, where that are not the tightened policies.
    pub(super) base: Option<Tightening>,
    /// How large the policies of today are.
    pub(super) today: Size,
    /// How large the tightened ones are.
    pub(super) tight: Size,
    /// What a reader should know first.
    pub(super) said: Option<String>,
}

impl Designs {
    /// Tightens, and designs roles. `step` is told what comes next; no role is called as a policy that could not be read.
    pub(super) fn of(
        analysis: &Analysis<'_>,
        weighed: &Weighed<'_>,
        coverage: &CoverageView,
        unread: &[Arc<str>],
        options: &Options<'_>,
        step: &mut dyn FnMut(&str),
    ) -> Self {
        let (joined, settings) = (&analysis.joined, options.settings);
        step("tightening policies");
        let removable = analysis.removable();
        let how = tighten::Options {
            price: &settings.price,
            removable: &removable,
            mounts: &access::mounts(joined, analysis.deployment),
            missed: &kept::missed(settings),
        };
        let foreseen = foreseen(joined, &how, weighed, &settings.foresight, coverage);
        let tightened = foreseen.tightened;
        step("weighing what stays exposed");
        let after = exposure::after(joined, weighed, &tightened.scheme);

        let outlook = foreseen.outlook.as_ref().filter(|_| options.frontier);
        if options.frontier {
            step("working out the trade-off");
        }
        let frontier = outlook.map(|outlook| frontier(outlook, &settings.foresight));

        step("measuring the policies of today");
        let today = redesign::measure(joined, &Scheme::today(joined), weighed);

        step("designing roles");
        let bases = redesign::Bases {
            half: foreseen.half.as_ref().map_or(&tightened, |(_, half)| half),
            whole: &tightened,
        };
        let outlook = foreseen.outlook.as_ref();
        let ahead = outlook
            .zip(foreseen.half.as_ref())
            .map(|(outlook, (half, _))| redesign::Ahead {
                span: foreseen.span,
                off: outlook.off(),
                budget: outlook.allowed(half.budget, &settings.foresight),
                settings: &settings.foresight,
                outlook,
                half,
                missed: how.missed,
            });
        let how = redesign::Options {
            weighed,
            time_limit: options.time_limit,
            seed: options.seed,
            max_roles: options.max_roles,
            over_grant: settings.over_grant,
            price: &settings.price,
            keep: &settings.keep,
            unread,
            today,
            removable: &removable,
            lingering: &analysis.lingering(),
            ahead,
        };
        let redesigned = redesign::better(joined, bases, &how);
        let is_from_whole = redesigned
            .as_ref()
            .is_some_and(|found| found.from == redesign::From::Whole);
        Self {
            tight: redesign::measure(joined, &tightened.scheme, weighed),
            tightened,
            after,
            frontier: frontier.unwrap_or_default(),
            redesigned,
            base: foreseen.half.map(|(_, half)| half).filter(|_| !is_from_whole),
            today,
            said: foreseen.said,
        }
    }
}

/// What is proposed with an eye on tomorrow.
struct Foreseen {
    tightened: Tightening,
    outlook: Option<Outlook>,
    span: Span,
    /// What a redesign begins with: tightened within half of the budget, so that the other half is for its roles.
    half: Option<(Offer, Tightening)>,
    /// What a reader should know first.
    said: Option<String>,
}

/// Fewer days than these have no earlier day at which to see what came next.
const FEWEST_DAYS: i32 = 14;

/// Tightens within the budget of wrong denials that may be expected; without a horizon, to what was used.
fn foreseen(
    joined: &Joined,
    how: &tighten::Options<'_>,
    weighed: &Weighed<'_>,
    foresight: &ForesightSettings,
    coverage: &CoverageView,
) -> Foreseen {
    let day = |t: Timestamp| i32::try_from(t.as_second().div_euclid(86_400)).unwrap_or_default();
    let (first, end) = (coverage.first.map_or(0, day), coverage.last.map_or(0, day) + 1);
    let span = Span {
        first,
        end,
        horizon: foresight.horizon_days,
    };
    if foresight.horizon_days == 0 {
        return Foreseen {
            tightened: tighten::tighten(joined, how),
            outlook: None,
            span,
            half: None,
            said: Some(
                "No horizon is set: what was not used in the logs goes, whatever may be needed tomorrow.".to_owned(),
            ),
        };
    }
    let outlook = tighten::outlook(joined, how, weighed, span);
    let short = end - first < FEWEST_DAYS;
    let offer = if short {
        outlook.within_budget(0.0, foresight)
    } else {
        outlook.within(foresight)
    };
    let said = if short {
        Some(format!(
            "The logs cover {}: too short to learn from them what will be needed, so nothing is proposed to be taken away. \
             Give the logs of at least {FEWEST_DAYS} days, or better of months; `--horizon 0` looks at the past alone.",
            evidence::days(coverage.window_days)
        ))
    } else {
        outlook.on_own_past(foresight)
    };
    let half = match short {
        true => 0.0,
        false => foresight.budget / 2.0,
    };
    let half = outlook.within_budget(half, foresight);
    Foreseen {
        half: Some((half.clone(), outlook.tighten(joined, how, &half))),
        span,
        tightened: outlook.tighten(joined, how, &offer),
        outlook: Some(outlook),
        said,
    }
}

/// The budgets that the curve is drawn through, for 10,000 uses.
const BUDGETS: [f64; 9] = [0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0];

/// Excess against expected wrong denials.
fn frontier(outlook: &Outlook, foresight: &ForesightSettings) -> Vec<FrontierPoint> {
    let mut budgets: Vec<f64> = BUDGETS.iter().map(|n| n / 10_000.0).collect();
    budgets.push(foresight.budget);
    budgets.sort_by(f64::total_cmp);
    budgets.dedup();
    budgets
        .into_iter()
        .map(|budget| {
            let offer = outlook.within_budget(budget, foresight);
            let (low, high) = offer.denied.interval();
            FrontierPoint {
                budget,
                open: offer.open,
                denied: offer.denied.mean,
                denied_low: low,
                denied_high: high,
                chosen: budget == foresight.budget,
            }
        })
        .collect()
}
