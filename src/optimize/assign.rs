//! Where each login is to get its policies: from groups, auth roles and entities that others share.
//!
//! A login needs a list, and gets what its places have together. A place may only have what all its logins need; what is there
//! already stays, and what is lacking goes where most of those that lack it get it from (greedy, policy by policy: no more
//! than 1 + ln n times the fewest entries).

use super::cover::{self, Column, Instance};
use std::collections::{BTreeMap, BTreeSet};

/// What a login needs, and the places that it gets policies from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Need<T> {
    /// Places, as indexes into the lists of today.
    pub places: Vec<usize>,
    /// Policies.
    pub policies: BTreeSet<T>,
}

/// New lists for the places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread<T> {
    /// For each place what it is to have.
    pub lists: Vec<BTreeSet<T>>,
    /// For each login what none of its places may give it.
    pub lacking: Vec<BTreeSet<T>>,
}

/// Spreads what is needed over the places. `today` says what each place has; of equals the first place is taken. A place that
/// no login names keeps what it has. `fits` says whether a place may have a policy at all: it has those of its own namespace.
#[must_use]
pub fn spread<T: Clone + Ord>(today: &[BTreeSet<T>], needs: &[Need<T>], fits: impl Fn(usize, &T) -> bool) -> Spread<T> {
    let mut common: Vec<Option<BTreeSet<T>>> = today.iter().map(|_| None).collect();
    for need in needs {
        for &place in &need.places {
            match common.get_mut(place) {
                Some(Some(common)) => common.retain(|policy| need.policies.contains(policy)),
                Some(none) => {
                    let fitting = need.policies.iter().filter(|policy| fits(place, policy));
                    *none = Some(fitting.cloned().collect());
                }
                None => {}
            }
        }
    }
    let mut lists: Vec<BTreeSet<T>> = today
        .iter()
        .zip(&common)
        .map(|(today, common)| match common {
            Some(common) => today.intersection(common).cloned().collect(),
            None => today.clone(),
        })
        .collect();
    let mut lacking: Vec<BTreeSet<T>> = needs.iter().map(|need| lacks(need, &lists)).collect();
    let mut asking: BTreeMap<T, Vec<usize>> = BTreeMap::new();
    for (login, lacks) in lacking.iter().enumerate() {
        for policy in lacks {
            asking.entry(policy.clone()).or_default().push(login);
        }
    }
    for (policy, logins) in asking {
        let may = |place: &usize| matches!(common.get(*place), Some(Some(common)) if common.contains(&policy));
        for place in fewest(&logins, needs, may) {
            if let Some(list) = lists.get_mut(place) {
                list.insert(policy.clone());
            }
        }
    }
    for (lacks, need) in lacking.iter_mut().zip(needs) {
        *lacks = self::lacks(need, &lists);
    }
    Spread { lists, lacking }
}

fn lacks<T: Clone + Ord>(need: &Need<T>, lists: &[BTreeSet<T>]) -> BTreeSet<T> {
    let has = |policy: &T| {
        let mut lists = need.places.iter().filter_map(|&place| lists.get(place));
        lists.any(|list| list.contains(policy))
    };
    need.policies.iter().filter(|policy| !has(policy)).cloned().collect()
}

/// Places that together reach all of these logins that any place may reach. What is too large for a cover is left lacking.
fn fewest<T>(logins: &[usize], needs: &[Need<T>], may: impl Fn(&usize) -> bool) -> Vec<usize> {
    let mut reach: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    let mut rows = 0;
    for need in logins.iter().filter_map(|&login| needs.get(login)) {
        let before = rows;
        for &place in need.places.iter().filter(|place| may(place)) {
            reach.entry(place).or_default().push(before);
            rows = before + 1;
        }
    }
    let columns = reach.values().map(|reached| Column::new(1.0, reached.iter().copied()));
    let Ok(instance) = Instance::new(rows as usize, columns.collect()) else {
        return Vec::new();
    };
    let places: Vec<usize> = reach.into_keys().collect();
    let chosen = cover::greedy(&instance).columns.into_iter();
    chosen
        .filter_map(|column| places.get(column as usize).copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(words: &[&'static str]) -> BTreeSet<&'static str> {
        words.iter().copied().collect()
    }

    fn need(places: &[usize], policies: &[&'static str]) -> Need<&'static str> {
        Need {
            places: places.to_vec(),
            policies: set(policies),
        }
    }

    #[test]
    fn what_a_group_shares_goes_to_the_group() {
        let today = [set(&["old"]), set(&[]), set(&[])];
        let needs = [need(&[0, 1], &["new", "own"]), need(&[0, 2], &["new"])];
        let found = spread(&today, &needs, |_, _| true);
        assert_eq!(found.lists, [set(&["new"]), set(&["own"]), set(&[])]);
        assert!(found.lacking.iter().all(BTreeSet::is_empty));
    }

    #[test]
    fn what_is_there_stays_where_it_is() {
        let today = [set(&["kept", "default"]), set(&["gone"])];
        let found = spread(&today, &[need(&[0, 1], &["kept", "default", "more"])], |_, _| true);
        assert_eq!(found.lists, [set(&["kept", "default", "more"]), set(&[])]);
    }

    #[test]
    fn a_place_gives_nothing_that_one_of_its_logins_does_not_need() {
        let today = [set(&["a"])];
        let found = spread(&today, &[need(&[0], &["a"]), need(&[0], &["b"])], |_, _| true);
        assert_eq!(found.lists, [set(&[])]);
        assert_eq!(found.lacking, [set(&["a"]), set(&["b"])]);
    }

    fn some() -> impl Strategy<Value = (Vec<BTreeSet<u8>>, Vec<Need<u8>>)> {
        let policies = || prop::collection::btree_set(0u8..6, 0..5);
        let need = (prop::collection::btree_set(0usize..5, 0..4), policies());
        let need = need.prop_map(|(places, policies)| Need {
            places: places.into_iter().collect(),
            policies,
        });
        (prop::collection::vec(policies(), 5), prop::collection::vec(need, 0..7))
    }

    proptest! {
        #[test]
        fn each_login_gets_what_it_needs_and_nothing_else((today, needs) in some()) {
            let found = spread(&today, &needs, |_, _| true);
            for (need, lacking) in needs.iter().zip(&found.lacking) {
                let got: BTreeSet<u8> = need.places.iter().flat_map(|&p| &found.lists[p]).copied().collect();
                prop_assert!(got.is_subset(&need.policies));
                prop_assert!(got.is_disjoint(lacking));
                prop_assert_eq!(got.union(lacking).copied().collect::<BTreeSet<_>>(), need.policies.clone());
                // What is lacking nowhere may be given: every place has somebody that does not need it.
                for &policy in lacking {
                    for place in &need.places {
                        prop_assert!(needs.iter().any(|n| n.places.contains(place) && !n.policies.contains(&policy)));
                    }
                }
            }
            for (place, list) in found.lists.iter().enumerate() {
                if needs.iter().all(|n| !n.places.contains(&place)) {
                    prop_assert_eq!(list, &today[place]);
                }
            }
        }
    }
}
