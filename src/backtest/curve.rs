//! All cuts together as one curve, and two curves compared at equal excess.
//!
//! The plain rule's curve is the lower convex hull of its points and of today's: between two of them it stands for the plain
//! rule applied with the one N to a part of the principals and with the other to the rest. That is the best it can do.

use super::model::{Comparison, Point, Rule, Scope, Window};
use super::score::{ranked, share};
use std::collections::BTreeMap;

/// What a point leaves.
type Measure = fn(&Point) -> f64;

/// The points of all cuts, rule by rule.
pub(super) fn sum(windows: &[Window]) -> Vec<Point> {
    let future: u64 = windows.iter().map(|w| w.future).sum();
    let mut all: Vec<Point> = Vec::new();
    for point in windows.iter().flat_map(|w| &w.points) {
        let Some(sum) = all.iter_mut().find(|p| p.rule == point.rule) else {
            all.push(point.clone());
            continue;
        };
        sum.excess += point.excess;
        sum.weight += point.weight;
        sum.denied += point.denied;
        sum.promised = sum.promised.zip(point.promised).map(|(a, b)| a.and(b));
        sum.denied_newcomers += point.denied_newcomers;
        sum.denied_demands += point.denied_demands;
        sum.proven &= point.proven;
        sum.by_principal.extend(point.by_principal.iter().cloned());
        sum.by_stanza.extend(point.by_stanza.iter().cloned());
    }
    for point in &mut all {
        point.share = share(point.denied, future);
        for list in [&mut point.by_principal, &mut point.by_stanza] {
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for blame in list.drain(..) {
                *counts.entry(blame.name).or_default() += blame.denied;
            }
            *list = ranked(counts);
        }
    }
    all
}

/// Every tightened point against every plain rule, at equal excess and at equal weight.
pub(super) fn compare(curve: &[Point]) -> Vec<Comparison> {
    let mut comparisons = Vec::new();
    let tightened = || curve.iter().filter(|p| matches!(p.rule, Rule::Proposed { .. }));
    let measures: [(&'static str, Measure); 2] = [("excess", |p| p.excess as f64), ("weight", |p| p.weight)];
    let today = curve.iter().find(|p| p.rule == Rule::Today);
    for (equal, measure) in measures {
        for against in [Scope::Principal, Scope::Policy, Scope::Stanza] {
            let plain: Vec<(f64, f64)> = curve
                .iter()
                .filter(|p| matches!(p.rule, Rule::Plain { scope, .. } if scope == against) || p.rule == Rule::Today)
                .map(|p| (measure(p), p.denied as f64))
                .collect();
            let hull = hull(plain);
            for point in tightened() {
                let left = measure(point);
                let Some(plain_denied) = at(&hull, left) else { continue };
                comparisons.push(Comparison {
                    rule: point.rule.clone(),
                    against,
                    equal,
                    left,
                    left_share: today.map(measure).filter(|t| *t > 0.0).map_or(0.0, |t| left / t),
                    denied: point.denied,
                    plain_denied,
                    ratio: (plain_denied > 0.0).then(|| point.denied as f64 / plain_denied),
                });
            }
        }
    }
    comparisons
}

/// The lower convex hull, from left to right, as far as it falls.
fn hull(mut points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut hull: Vec<(f64, f64)> = Vec::new();
    for p in points {
        if hull.last().is_some_and(|last| p.1 >= last.1) {
            continue;
        }
        while let [.., a, b] = hull.as_slice() {
            let above = (b.0 - a.0) * (p.1 - a.1) - (b.1 - a.1) * (p.0 - a.0) <= 0.0;
            if !above {
                break;
            }
            hull.pop();
        }
        hull.push(p);
    }
    hull
}

/// The hull's height at `x`; none to the left of it, where the rule never gets.
fn at(hull: &[(f64, f64)], x: f64) -> Option<f64> {
    let last = hull.last().copied()?;
    if x >= last.0 {
        return Some(last.1);
    }
    hull.iter()
        .zip(hull.iter().skip(1))
        .find(|(a, b)| a.0 <= x && x <= b.0)
        .map(|(a, b)| {
            let width = b.0 - a.0;
            if width > 0.0 {
                a.1 + (b.1 - a.1) * (x - a.0) / width
            } else {
                b.1
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_points_a_rule_is_mixed() {
        let hull = hull(vec![(100.0, 0.0), (0.0, 10.0), (50.0, 9.0), (20.0, 4.0), (120.0, 3.0)]);
        assert_eq!(hull, [(0.0, 10.0), (20.0, 4.0), (100.0, 0.0)]);
        assert_eq!(at(&hull, 10.0), Some(7.0));
        assert_eq!(at(&hull, 60.0), Some(2.0));
        assert_eq!(at(&hull, 1000.0), Some(0.0));
        assert_eq!(at(&hull, -1.0), None);
        assert_eq!(at(&[], 1.0), None);
    }
}
