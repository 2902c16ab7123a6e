//! Rates of what is rare, each shrunk to that of its like: a tree of gamma-Poisson models.
//!
//! An entry has a count and an exposure, and groups from the widest to the nearest. The rate of a group is `(count + k) / (exposure +
//! k / rate above)`: its own where it has much to tell, that of the wider group where it has not. How much `k` the wider group is
//! worth is learned on each floor from how much groups on it differ (the likeliest `k` of a negative binomial). Groups nest: one of
//! a floor belongs to one wider group, whatever its key, so that its rate has one prior and no order of entries matters.

use std::collections::HashMap;

/// One observation.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Groups, from the widest to the nearest.
    pub groups: Vec<u64>,
    /// What was counted.
    pub count: f64,
    /// How much of it there was a chance for.
    pub exposure: f64,
}

/// Rates by group.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    all: f64,
    floors: Vec<HashMap<u64, f64>>,
    worth: Vec<f64>,
}

/// How much the wider group may be worth, in counts.
const WORTH: [f64; 9] = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0];

impl Pool {
    /// Learns rates; `prior` is (count, exposure) put to all of it, so that nothing is ever impossible.
    #[must_use]
    pub fn learn(entries: &[Entry], prior: (f64, f64)) -> Self {
        Self::told(entries, &[], prior)
    }

    /// The same; `told` is what is known of groups beside the entries, each of the nearest of its groups alone: to the wider ones it
    /// says nothing, nor how much groups differ.
    #[must_use]
    pub fn told(entries: &[Entry], told: &[Entry], prior: (f64, f64)) -> Self {
        Self::built(entries, told, prior, None)
    }

    /// The same as of the entries alone, but for what more is told of the nearest of some groups, which changes nothing of how much groups
    /// differ on nearer floors either: where it is a count without exposure, no rate gets lower.
    #[must_use]
    pub fn with_more(entries: &[Entry], more: &[Entry], prior: (f64, f64)) -> Self {
        let without = Self::learn(entries, prior);
        if more.is_empty() {
            return without;
        }
        Self::built(entries, more, prior, Some(&without.worth))
    }

    /// With what the wider groups are worth on each floor, where that is known.
    fn built(entries: &[Entry], told: &[Entry], prior: (f64, f64), worths: Option<&[f64]>) -> Self {
        let sums = entries
            .iter()
            .fold(prior, |sum, e| (sum.0 + e.count, sum.1 + e.exposure));
        let all = if sums.1 > 0.0 { sums.0 / sums.1 } else { 0.0 };
        let floors = entries.iter().map(|e| e.groups.len()).max().unwrap_or_default();
        let mut pool = Self {
            all,
            floors: Vec::new(),
            worth: Vec::new(),
        };
        for floor in 0..floors {
            let mut sums: HashMap<u64, (f64, f64, f64)> = HashMap::new();
            for entry in entries {
                let (Some(group), Some(wider)) = (entry.groups.get(..=floor), entry.groups.get(..floor)) else {
                    continue;
                };
                let above = pool.at(wider);
                let sum = sums.entry(nested(group)).or_insert((0.0, 0.0, above));
                sum.0 += entry.count;
                sum.1 += entry.exposure;
            }
            // A sum of floats depends on its order; the likelihood is compared over a sorted list.
            let mut list: Vec<(f64, f64, f64)> = sums.values().copied().collect();
            list.sort_by(|a, b| {
                (a.0.total_cmp(&b.0))
                    .then(a.1.total_cmp(&b.1))
                    .then(a.2.total_cmp(&b.2))
            });
            let worth = worths
                .and_then(|worths| worths.get(floor).copied())
                .unwrap_or_else(|| likeliest(&list));
            for entry in told.iter().filter(|e| e.groups.len() == floor + 1) {
                let above = pool.at(entry.groups.get(..floor).unwrap_or_default());
                let sum = sums.entry(nested(&entry.groups)).or_insert((0.0, 0.0, above));
                sum.0 += entry.count;
                sum.1 += entry.exposure;
            }
            pool.floors.push(
                sums.into_iter()
                    .map(|(group, (count, exposure, above))| (group, shrunk(count, exposure, above, worth)))
                    .collect(),
            );
            pool.worth.push(worth);
        }
        pool
    }

    /// The rate of the nearest of these groups that is known.
    #[must_use]
    pub fn at(&self, groups: &[u64]) -> f64 {
        let mut known = self.floors.iter().enumerate().rev();
        known
            .find_map(|(n, floor)| floor.get(&nested(groups.get(..=n)?)))
            .copied()
            .unwrap_or(self.all)
    }

    /// The rate of something with these groups and counts of its own.
    #[must_use]
    pub fn own(&self, groups: &[u64], count: f64, exposure: f64) -> f64 {
        let worth = self.worth.last().copied().unwrap_or(1.0);
        shrunk(count, exposure, self.at(groups), worth)
    }
}

/// The key of the last of these groups within the wider ones.
fn nested(groups: &[u64]) -> u64 {
    groups.iter().fold(0, |key: u64, group| {
        (key.rotate_left(23) ^ group).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

fn shrunk(count: f64, exposure: f64, above: f64, worth: f64) -> f64 {
    if above <= 0.0 {
        return if exposure > 0.0 { count / exposure } else { 0.0 };
    }
    (count + worth) / (exposure + worth / above)
}

/// The worth under which these (count, exposure, rate above) are the likeliest.
fn likeliest(groups: &[(f64, f64, f64)]) -> f64 {
    let told = groups.iter().filter(|g| g.1 * g.2 > 1e-6);
    let mut best = (f64::NEG_INFINITY, 1.0);
    if told.clone().count() < 2 {
        return best.1;
    }
    for worth in WORTH {
        let sum: f64 = told
            .clone()
            .map(|&(count, exposure, above)| likelihood(count, exposure * above, worth))
            .sum();
        if sum > best.0 {
            best = (sum, worth);
        }
    }
    best.1
}

/// Logarithm of the negative binomial's probability, without what does not depend on `worth`.
fn likelihood(count: f64, mean: f64, worth: f64) -> f64 {
    let p = worth / (worth + mean);
    ln_gamma(count + worth) - ln_gamma(worth) + worth * p.ln() + count * (1.0 - p).max(1e-300).ln()
}

/// Logarithm of the gamma function, by Stirling's series.
fn ln_gamma(mut x: f64) -> f64 {
    let mut shift = 0.0;
    while x < 7.0 {
        shift -= x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series = (1.0 / 12.0 - inverse * (1.0 / 360.0 - inverse / 1260.0)) / x;
    shift + (x - 0.5) * x.ln() - x + 0.918_938_533_204_672_8 + series
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(groups: &[u64], count: f64, exposure: f64) -> Entry {
        Entry {
            groups: groups.to_vec(),
            count,
            exposure,
        }
    }

    #[test]
    fn the_gamma_function_of_whole_numbers_is_a_factorial() {
        assert!((ln_gamma(6.0) - 120_f64.ln()).abs() < 1e-9);
        assert!(ln_gamma(1.0).abs() < 1e-9);
    }

    #[test]
    fn what_tells_little_is_like_its_like_and_what_tells_much_is_itself() {
        let mut entries = vec![entry(&[1, 10], 0.0, 1.0), entry(&[1, 11], 500.0, 1000.0)];
        entries.extend((12..40).map(|n| entry(&[1, n], 1.0, 100.0)));
        let pool = Pool::learn(&entries, (0.5, 100.0));
        let wide = pool.at(&[1]);
        assert!(
            (pool.at(&[1, 10]) / wide - 1.0).abs() < 0.3,
            "no news: the rate of the like"
        );
        assert!((pool.at(&[1, 11]) - 0.5).abs() < 0.02, "much news: its own");
        assert!((pool.at(&[9, 9]) - pool.at(&[])).abs() < 1e-12, "unknown: that of all");
    }

    #[test]
    fn what_is_told_beside_says_nothing_to_wider_groups() {
        let entries: Vec<Entry> = (10..20).map(|n| entry(&[1, n], 1.0, 100.0)).collect();
        let beside = [entry(&[1, 10], 500.0, 500.0)];
        let (without, with) = (
            Pool::learn(&entries, (0.5, 100.0)),
            Pool::told(&entries, &beside, (0.5, 100.0)),
        );
        assert!(with.at(&[1, 10]) > 5.0 * without.at(&[1, 10]));
        for groups in [&[1][..], &[1, 11], &[]] {
            assert!((with.at(groups) - without.at(groups)).abs() < 1e-12, "{groups:?}");
        }
    }

    #[test]
    fn equal_keys_below_different_groups_are_different_groups() {
        let mut entries = vec![entry(&[1, 7], 90.0, 100.0), entry(&[2, 7], 0.0, 100.0)];
        entries.extend((20..30).map(|n| entry(&[2, n], 0.0, 100.0)));
        let pool = Pool::learn(&entries, (0.5, 100.0));
        assert!(pool.at(&[1, 7]) > 0.8 && pool.at(&[2, 7]) < 0.05, "{pool:?}");
    }

    proptest! {
        #[test]
        fn more_of_one_group_raises_it_and_what_is_below_and_nothing_else(
            list in prop::collection::vec((0_u64..3, 0_u64..4, 0_u64..4, 0_u32..9, 1_u32..90), 2..30),
            at in (0_u64..3, 0_u64..4),
        ) {
            let entries: Vec<Entry> = list
                .iter()
                .map(|&(a, b, c, count, exposure)| entry(&[a, b, c], f64::from(count), f64::from(exposure)))
                .collect();
            let more = [entry(&[at.0, at.1], 1.0, 0.0)];
            let (one, other) = (Pool::learn(&entries, (0.5, 50.0)), Pool::with_more(&entries, &more, (0.5, 50.0)));
            for e in &entries {
                let (a, b) = (one.at(&e.groups), other.at(&e.groups));
                let is_below = e.groups.starts_with(&more[0].groups);
                prop_assert!(if is_below { b > a } else { a.to_bits() == b.to_bits() }, "{a} and {b}");
            }
        }

        #[test]
        fn no_order_of_entries_matters(
            list in prop::collection::vec((0_u64..3, 0_u64..4, 0_u32..9, 1_u32..90), 2..30),
            at in 0_usize..30,
        ) {
            let entries: Vec<Entry> = list
                .iter()
                .map(|&(wide, near, count, exposure)| entry(&[wide, near], f64::from(count), f64::from(exposure)))
                .collect();
            let mut turned = entries.clone();
            turned.rotate_left(at % entries.len());
            turned.reverse();
            let (one, other) = (Pool::learn(&entries, (0.5, 50.0)), Pool::learn(&turned, (0.5, 50.0)));
            for e in &entries {
                let (a, b) = (one.at(&e.groups), other.at(&e.groups));
                prop_assert!((a - b).abs() <= 1e-9 * a.max(b), "{a} and {b}");
            }
        }
    }

    #[test]
    fn one_more_use_of_one_never_lowers_another() {
        let with = |n: f64| {
            let entries = [
                entry(&[1, 10], n, 50.0),
                entry(&[1, 11], 1.0, 50.0),
                entry(&[2, 12], 0.0, 50.0),
            ];
            Pool::learn(&entries, (0.5, 100.0)).at(&[1, 11])
        };
        assert!(with(2.0) > 0.0);
    }
}
