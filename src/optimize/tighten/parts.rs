//! Which holders of a policy get one of their own: those who may be left with much the same, where what that closes is worth a policy and
//! its stanzas.
//!
//! A heuristic: beginning with a part for all who may be left with just the same, the two parts are put together that this makes cheapest,
//! as long as it makes anything cheaper; then a part stays that closes more, beside the policy of all, than it costs. No bound is known
//! for it. Paths become their folder where the stanzas that this saves are worth more than what it opens.

use super::outlook::{Patterns, merged};
use super::units::{OpenToOne, steps};
use crate::access::HolderId;
use crate::optimize::edit::Change;
use crate::policy::model::Policy;
use crate::policy::pattern::Pattern;
use crate::vault::CapabilitySet;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// So many different parts are put together two by two; ...
const MOST: usize = 120;
/// ... of these, each other joins the best of so many that have the most patterns in common with it.
const NEAREST: usize = 8;

/// What is left of a policy for some: by stanza, its patterns, the namespace in front.
pub(super) type Want = BTreeMap<usize, Patterns<'static>>;

/// Some holders with what is left to them.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) want: Want,
    pub(super) holders: BTreeSet<HolderId>,
    cost: f64,
}

/// What parts of one policy cost.
pub(super) struct Prices<'a> {
    pub(super) policy: &'a Policy,
    pub(super) open: &'a OpenToOne<'a>,
    /// What stays open against a stanza.
    pub(super) lambda: f64,
    /// What was worked out of what patterns leave open.
    pub(super) known: RefCell<HashMap<(String, CapabilitySet), f64>>,
}

impl Prices<'_> {
    fn under(&self, text: &str, capabilities: CapabilitySet) -> f64 {
        let key = (text.to_owned(), capabilities);
        if let Some(&known) = self.known.borrow().get(&key) {
            return known;
        }
        let open = Pattern::parse(text, "").map_or(0.0, |pattern| self.open.under(&pattern, capabilities));
        self.known.borrow_mut().insert(key, open);
        open
    }

    /// What stays open to one holder.
    fn open(&self, want: &Want) -> f64 {
        want.values().map(|patterns| self.open_of(patterns)).sum()
    }

    fn open_of(&self, patterns: &Patterns<'_>) -> f64 {
        let each = patterns.iter().map(|(text, capabilities)| {
            let wider = ancestors(text).filter_map(|wide| patterns.get(&*wide));
            let granted = wider.fold(CapabilitySet::EMPTY, |all, c| all.union(*c));
            self.under(text, capabilities.difference(granted))
        });
        each.sum()
    }

    fn group(&self, mut want: Want, holders: BTreeSet<HolderId>) -> Group {
        let count = holders.len() as f64;
        for (place, patterns) in &mut want {
            if let Some(stanza) = self.policy.stanzas.get(*place) {
                *patterns = self.coarse(&stanza.path, std::mem::take(patterns), count);
            }
        }
        want.retain(|_, patterns| !patterns.is_empty());
        Group {
            cost: structure(&want) + self.lambda * count * self.open(&want),
            want,
            holders,
        }
    }

    /// Folders in the place of paths, where that is cheaper for so many holders, the nearest folders first.
    fn coarse(&self, stanza: &str, patterns: Patterns<'static>, count: f64) -> Patterns<'static> {
        if patterns.len() < 2 {
            return patterns;
        }
        let Ok(pattern) = Pattern::parse(stanza, &self.policy.namespace) else {
            return patterns;
        };
        let mut folders: BTreeSet<(std::cmp::Reverse<usize>, String)> = BTreeSet::new();
        for text in patterns.keys() {
            let path = text.strip_suffix('*').unwrap_or(text);
            let above = steps(&pattern, path).into_iter().filter(|step| step.ends_with('*'));
            folders.extend(above.map(|folder| (std::cmp::Reverse(folder.len()), folder)));
        }
        let mut patterns = patterns;
        for (_, folder) in folders {
            let lead = folder.strip_suffix('*').unwrap_or(&folder);
            // `+` stands in no text that is narrowed, so that a folder holds what begins with it.
            let below: Patterns<'static> = patterns
                .iter()
                .filter(|(text, _)| text.starts_with(lead))
                .map(|(text, capabilities)| (text.clone(), *capabilities))
                .collect();
            let all = below.values().fold(CapabilitySet::EMPTY, |all, c| all.union(*c));
            let saved = below.len() as f64 - 1.0;
            let opened = self.under(&folder, all) - self.open_of(&below);
            if saved > 0.0 && saved > self.lambda * count * opened {
                patterns.retain(|text, _| !below.contains_key(text));
                patterns.insert(Cow::Owned(folder), all);
            }
        }
        patterns
    }

    fn together(&self, a: &Group, b: &Group) -> Group {
        let mut want = a.want.clone();
        for (place, patterns) in &b.want {
            let both = want.entry(*place).or_default();
            for (text, capabilities) in patterns {
                let on = both.entry(text.clone()).or_default();
                *on = on.union(*capabilities);
            }
            if both.len() > 1 {
                let all = merged(both).into_iter();
                *both = all
                    .map(|(text, capabilities)| (Cow::Owned(text), capabilities))
                    .collect();
            }
        }
        self.group(want, a.holders.union(&b.holders).copied().collect())
    }

    /// The parts that are worth their policies and stanzas, beside one of all that leaves `common`.
    pub(super) fn parts(&self, wants: BTreeMap<HolderId, Want>, common: &Want) -> Vec<Group> {
        let mut same: BTreeMap<Want, BTreeSet<HolderId>> = BTreeMap::new();
        for (holder, want) in wants {
            same.entry(want).or_default().insert(holder);
        }
        let mut groups: Vec<Group> = same.into_iter().map(|(want, by)| self.group(want, by)).collect();
        // The largest first; the order of all that is equal is that of their holders.
        groups.sort_by(|a, b| {
            b.holders
                .len()
                .cmp(&a.holders.len())
                .then_with(|| a.holders.cmp(&b.holders))
        });
        let rest = groups.split_off(groups.len().min(MOST));
        let mut groups = self.merged(groups);
        for one in rest {
            let mut nearest: Vec<(usize, usize)> = groups.iter().map(|group| in_common(group, &one)).zip(0..).collect();
            nearest.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
            let nearest = nearest
                .into_iter()
                .take(NEAREST)
                .filter_map(|(_, n)| Some((n, groups.get(n)?)));
            let with = nearest.map(|(n, group)| {
                let with = self.together(group, &one);
                (with.cost - group.cost, n, with)
            });
            let best = with.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            match best {
                Some((dearer, n, with)) if dearer < one.cost => {
                    if let Some(group) = groups.get_mut(n) {
                        *group = with;
                    }
                }
                _ => groups.push(one),
            }
        }
        let common = self.open(common);
        let closes = |group: &Group| self.lambda * group.holders.len() as f64 * (common - self.open(&group.want));
        groups.retain(|group| closes(group) > structure(&group.want));
        groups
    }

    /// Puts two together that are cheaper so, the best two first, until none are.
    fn merged(&self, groups: Vec<Group>) -> Vec<Group> {
        let mut groups: Vec<Option<Group>> = groups.into_iter().map(Some).collect();
        let gain = |groups: &[Option<Group>], a: usize, b: usize| -> Option<f64> {
            let (a, b) = (groups.get(a)?.as_ref()?, groups.get(b)?.as_ref()?);
            Some(a.cost + b.cost - self.together(a, b).cost)
        };
        let mut gains: BTreeMap<(usize, usize), f64> = BTreeMap::new();
        for b in 0..groups.len() {
            for a in 0..b {
                gains.extend(gain(&groups, a, b).map(|gain| ((a, b), gain)));
            }
        }
        loop {
            let best = gains.iter().max_by(|x, y| x.1.total_cmp(y.1).then(y.0.cmp(x.0)));
            let Some((&(a, b), _)) = best.filter(|(_, gain)| **gain > 1e-9) else {
                return groups.into_iter().flatten().collect();
            };
            let taken = (
                groups.get_mut(a).and_then(Option::take),
                groups.get_mut(b).and_then(Option::take),
            );
            gains.retain(|(x, y), _| ![*x, *y].contains(&a) && ![*x, *y].contains(&b));
            let (Some(one), Some(other)) = taken else { continue };
            if let Some(place) = groups.get_mut(a) {
                *place = Some(self.together(&one, &other));
            }
            for c in 0..groups.len() {
                let pair = (a.min(c), a.max(c));
                if c != a {
                    gains.extend(gain(&groups, pair.0, pair.1).map(|gain| (pair, gain)));
                }
            }
        }
    }
}

/// How many patterns two have in common.
fn in_common(a: &Group, b: &Group) -> usize {
    let of = |(place, patterns): (&usize, &Patterns<'_>)| {
        let others = a.want.get(place);
        others.map_or(0, |others| {
            patterns.keys().filter(|text| others.contains_key(*text)).count()
        })
    };
    b.want.iter().map(of).sum()
}

/// A policy with its stanzas.
fn structure(want: &Want) -> f64 {
    1.0 + want.values().map(Patterns::len).sum::<usize>() as f64
}

/// The folder globs above a pattern.
fn ancestors(text: &str) -> impl Iterator<Item = String> {
    let body = text.strip_suffix('*').unwrap_or(text);
    let folders = body.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| at + 1);
    let above = folders.chain([0]).filter_map(|end| body.get(..end));
    let found: Vec<String> = above
        .map(|lead| format!("{lead}*"))
        .filter(|wide| wide != text)
        .collect();
    found.into_iter()
}

/// What changes of stanzas leave, in the order of these.
pub(super) fn left<'c>(policy: &Policy, changes: impl Iterator<Item = &'c Change>) -> Want {
    let whole = |path: &str| format!("{}{}", policy.namespace, path.strip_prefix('/').unwrap_or(path));
    let mut want = Want::new();
    for (place, (stanza, change)) in policy.stanzas.iter().zip(changes).enumerate() {
        let patterns: Patterns<'static> = match change {
            Change::Keep => BTreeMap::from([(Cow::Owned(whole(&stanza.path)), stanza.capability_set())]),
            Change::Drop => continue,
            Change::Capabilities(kept) => {
                BTreeMap::from([(Cow::Owned(whole(&stanza.path)), kept.iter().copied().collect())])
            }
            Change::Replace(new) => {
                let all = new.iter().map(|one| (Cow::Owned(whole(&one.path)), one.capabilities));
                all.collect()
            }
        };
        want.insert(place, patterns);
    }
    want
}

#[cfg(test)]
mod tests {
    use super::super::tests::{demand, joined};
    use super::*;
    use crate::access::weight::{Weighed, Weights};
    use crate::vault::Capability;
    use proptest::collection::{btree_map, btree_set};
    use proptest::prelude::*;
    use proptest::sample::select;

    const TEXT: &str =
        "path \"kv/*\" { capabilities = [\"read\", \"update\"] }\npath \"tr/*\" { capabilities = [\"update\"] }\n";
    const PATHS: [&str; 8] = [
        "kv/a/1", "kv/a/2", "kv/a/b/3", "kv/c/1", "kv/c/2", "kv/d", "kv/a/*", "kv/*",
    ];

    fn capabilities(all: &[Capability]) -> CapabilitySet {
        all.iter().copied().collect()
    }

    /// What the parts come to, for holders with these paths of the first stanza each, at this price.
    fn parts(lambda: f64, wants: &[BTreeMap<&str, CapabilitySet>]) -> (Vec<Group>, Vec<(HolderId, Want)>) {
        let demands = ["kv/a/1", "kv/a/2", "kv/a/b/3", "kv/c/1", "kv/c/2", "kv/d"]
            .map(|path| demand("somebody", &["team"], path, Capability::Read));
        let (joined, _) = joined(&[("team", TEXT)], demands.to_vec());
        let weights = Weights::default();
        let weighed = Weighed::new(&weights, &joined.universe);
        let open = OpenToOne::new(&weighed, 1.0);
        let policy = joined.policies.iter().next().unwrap();
        let prices = Prices {
            policy,
            open: &open,
            lambda,
            known: RefCell::default(),
        };
        let want = |paths: &BTreeMap<&str, CapabilitySet>| {
            let patterns: Patterns<'static> = paths
                .iter()
                .map(|(path, c)| (Cow::Owned((*path).to_owned()), *c))
                .collect();
            let all = merged(&patterns)
                .into_iter()
                .map(|(text, c)| (Cow::Owned(text), c))
                .collect();
            Want::from([(0, all)])
        };
        let wants: Vec<(HolderId, Want)> = wants
            .iter()
            .enumerate()
            .map(|(n, paths)| (HolderId::nth(n), want(paths)))
            .collect();
        let common = left(policy, [Change::Keep, Change::Keep].iter());
        (prices.parts(wants.iter().cloned().collect(), &common), wants)
    }

    fn paths(group: &Group) -> Vec<&str> {
        group
            .want
            .get(&0)
            .into_iter()
            .flatten()
            .map(|(text, _)| &**text)
            .collect()
    }

    #[test]
    fn who_needs_much_the_same_has_a_part_together_and_paths_become_their_folder_where_that_is_cheaper() {
        let read = capabilities(&[Capability::Read]);
        let of = |paths: &[&'static str]| paths.iter().map(|path| (*path, read)).collect::<BTreeMap<_, _>>();
        let wants = [
            of(&["kv/a/1"]),
            of(&["kv/a/1"]),
            of(&["kv/a/1", "kv/a/2"]),
            of(&["kv/c/1"]),
        ];
        // Where what stays open is dear each has what it needs, and where stanzas are dear those of one folder share it.
        let (dear, _) = parts(100.0, &wants);
        assert_eq!(
            dear.iter().map(paths).collect::<Vec<_>>(),
            [vec!["kv/a/1"], vec!["kv/a/1", "kv/a/2"], vec!["kv/c/1"]]
        );
        let (cheap, _) = parts(0.05, &wants);
        assert_eq!(
            cheap.iter().map(paths).collect::<Vec<_>>(),
            [vec!["kv/a/1", "kv/c/1"], vec!["kv/a/*"]]
        );
        let (nothing, _) = parts(0.0, &wants);
        assert!(nothing.is_empty(), "a part that closes nothing of worth is none");
    }

    /// What is wrong with these parts for these holders.
    fn lacks(groups: &[Group], wants: &[(HolderId, Want)]) -> Option<String> {
        let mut seen = BTreeSet::new();
        for group in groups {
            let granted = group.want.get(&0).cloned().unwrap_or_default();
            for holder in &group.holders {
                if !seen.insert(*holder) {
                    return Some(format!("{holder:?} is in two parts"));
                }
                let own = wants
                    .iter()
                    .find(|(one, _)| one == holder)
                    .map(|(_, want)| want.clone())
                    .unwrap_or_default();
                for (text, capabilities) in own.get(&0).into_iter().flatten() {
                    // The pattern that decides there: the same, or the nearest folder.
                    let mut wider: Vec<String> = ancestors(text).collect();
                    wider.sort_by_key(|wide| std::cmp::Reverse(wide.len()));
                    let mut nearest = std::iter::once(text.to_string()).chain(wider);
                    let decides = nearest
                        .find_map(|text| granted.get(&*text))
                        .copied()
                        .unwrap_or_default();
                    if !capabilities.difference(decides).is_empty() {
                        return Some(format!("{text}: {own:?} in {granted:?}"));
                    }
                }
            }
        }
        None
    }

    #[test]
    fn many_that_differ_join_what_is_nearest() {
        // Each of six paths not at all, to read, or to read and to write.
        let sets = [
            None,
            Some(capabilities(&[Capability::Read])),
            Some(capabilities(&[Capability::Read, Capability::Update])),
        ];
        let want = |n: usize| -> BTreeMap<&str, CapabilitySet> {
            let digits = (0..6_u32).map(|at| n / 3_usize.pow(at) % 3);
            PATHS
                .iter()
                .zip(digits)
                .filter_map(|(path, digit)| Some((*path, sets[digit]?)))
                .collect()
        };
        let wants: Vec<_> = (1..=2 * MOST).map(want).collect();
        let (groups, wants) = parts(0.5, &wants);
        assert_eq!(lacks(&groups, &wants), None);
        assert!(!groups.is_empty() && groups.len() < MOST, "{}", groups.len());
    }

    proptest! {
        #[test]
        fn each_part_has_what_its_holders_need_and_is_worth_what_it_costs(
            wants in prop::collection::vec(
                btree_map(select(&PATHS[..]), btree_set(select(&[Capability::Read, Capability::Update][..]), 1..3), 0..5),
                1..7,
            ),
            lambda in select(&[0.01, 0.1, 0.5, 1.0, 10.0][..]),
        ) {
            let wants: Vec<BTreeMap<&str, CapabilitySet>> = wants
                .iter()
                .map(|paths| paths.iter().map(|(path, all)| (*path, all.iter().copied().collect())).collect())
                .collect();
            let (groups, wants) = parts(lambda, &wants);
            prop_assert_eq!(lacks(&groups, &wants), None);
        }
    }
}
