//! What may be tried to make roles simpler: told by their texts alone, with the most that each can save.

use super::Key;
use crate::optimize::proof::ProposedNumber;
use crate::policy::pattern::Pattern;
use crate::policy::relation;
use crate::vault::CapabilitySet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A role that may change: plain grants in one namespace, and who has it.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    pub(super) namespace: Arc<str>,
    pub(super) grants: Grants,
    pub(super) holders: BTreeSet<Key>,
}

/// Paths as written, with what is granted there.
pub(super) type Grants = BTreeMap<Arc<str>, CapabilitySet>;

/// Roles by their numbers, by what they are about, and by who has them.
#[derive(Debug, Default)]
pub(super) struct Roles {
    all: BTreeMap<ProposedNumber, Plain>,
    /// By namespace, and paths and folders that they grant something in.
    about: BTreeMap<(Arc<str>, String), BTreeSet<ProposedNumber>>,
    held: BTreeMap<Key, BTreeSet<ProposedNumber>>,
}

impl Roles {
    pub(super) fn get(&self, number: ProposedNumber) -> Option<&Plain> {
        self.all.get(&number)
    }

    /// Everybody who has one of them.
    pub(super) fn holders(&self) -> impl Iterator<Item = Key> {
        self.held.keys().copied()
    }

    pub(super) fn insert(&mut self, number: ProposedNumber, role: Plain) {
        for word in role.words() {
            let about = (role.namespace.clone(), word.to_owned());
            self.about.entry(about).or_default().insert(number);
        }
        for &key in &role.holders {
            self.held.entry(key).or_default().insert(number);
        }
        self.all.insert(number, role);
    }

    pub(super) fn remove(&mut self, number: ProposedNumber) {
        let Some(role) = self.all.remove(&number) else { return };
        for word in role.words() {
            if let Some(numbers) = self.about.get_mut(&(role.namespace.clone(), word.to_owned())) {
                numbers.remove(&number);
            }
        }
        for key in &role.holders {
            if let Some(numbers) = self.held.get_mut(key) {
                numbers.remove(&number);
            }
        }
    }

    /// Gives a role to somebody, too; what is none of these is passed over.
    pub(super) fn give(&mut self, number: ProposedNumber, key: Key) {
        if let Some(role) = self.all.get_mut(&number) {
            role.holders.insert(key);
            self.held.entry(key).or_default().insert(number);
        }
    }

    /// The other roles that have a path, a folder or a holder in common with one.
    fn near(&self, number: ProposedNumber, role: &Plain) -> BTreeSet<ProposedNumber> {
        let words = role.words().into_iter();
        let about = words.filter_map(|word| self.about.get(&(role.namespace.clone(), word.to_owned())));
        let held = role.holders.iter().filter_map(|key| self.held.get(key));
        let common = about.chain(held).filter(|others| others.len() <= COMMON);
        let others = common.flatten().copied().filter(|other| *other != number);
        others.collect()
    }
}

impl Plain {
    /// The paths and folders that it grants something in.
    fn words(&self) -> BTreeSet<&str> {
        self.grants.keys().flat_map(|path| folders(path)).collect()
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Move {
    /// Two roles become one, that all holders of both have.
    Merge(ProposedNumber, ProposedNumber),
    /// Holders of the first get the second, too, and the first gives up what that has.
    Lean(ProposedNumber, ProposedNumber),
    /// What two roles have in common becomes a third.
    Share(ProposedNumber, ProposedNumber),
    /// All paths of a role below a folder become that folder.
    Lift(ProposedNumber, Arc<str>),
}

impl Move {
    /// The roles that it is about.
    pub(super) fn roles(&self) -> impl Iterator<Item = ProposedNumber> + use<> {
        let (first, second) = match self {
            Self::Merge(a, b) | Self::Lean(a, b) | Self::Share(a, b) => (*a, Some(*b)),
            Self::Lift(a, _) => (*a, None),
        };
        [first].into_iter().chain(second)
    }
}

/// A path that more roles than this have says nothing about what these have in common.
const COMMON: usize = 64;

/// Fewer stanzas than these are no role that anybody would name.
const LEAST: usize = 2;

/// All that may be tried, each with the most that it saves.
pub(super) fn all(roles: &Roles) -> Vec<(Move, f64)> {
    with(roles, &roles.all.keys().copied().collect::<Vec<_>>())
}

/// What may be tried with these, which are new.
pub(super) fn with(roles: &Roles, new: &[ProposedNumber]) -> Vec<(Move, f64)> {
    let mut found = pairs(roles, new);
    found.extend(new.iter().flat_map(|&role| lifts(roles, role)));
    found
}

/// Pairs of one of these and any other that have a path, a folder or a holder in common.
fn pairs(roles: &Roles, of: &[ProposedNumber]) -> Vec<(Move, f64)> {
    let mut near: BTreeSet<(ProposedNumber, ProposedNumber)> = BTreeSet::new();
    for &number in of {
        if let Some(role) = roles.get(number) {
            let others = roles.near(number, role).into_iter();
            near.extend(others.map(|other| (number.min(other), number.max(other))));
        }
    }
    let mut found = Vec::new();
    for (a, b) in near {
        let (Some(one), Some(other)) = (roles.get(a), roles.get(b)) else {
            continue;
        };
        if one.namespace != other.namespace {
            continue;
        }
        let both = one.holders.intersection(&other.holders).count();
        let less = (one.grants.len() + other.grants.len() - merged(one, other).len()) as f64;
        found.push((Move::Merge(a, b), 1.0 + less + both as f64 / 10.0));
        for ((a, one), (b, other)) in [((a, one), (b, other)), ((b, other), (a, one))] {
            let covered = one.grants.len() - rest(one, other).len();
            let all = covered == one.grants.len();
            let more = one.holders.len() - both;
            let given = if all { one.holders.len() as f64 } else { 0.0 } - more as f64;
            if all || covered >= LEAST {
                let saved = covered as f64 + f64::from(u8::from(all));
                found.push((Move::Lean(a, b), saved + given / 10.0));
            }
        }
        let shared = shared(one, other).len();
        if shared > LEAST && shared < one.grants.len() && shared < other.grants.len() {
            let more = one.holders.union(&other.holders).count() as f64 / 10.0;
            found.push((Move::Share(a, b), shared as f64 - 1.0 - more));
        }
    }
    found
}

/// The path, and the folders that it is in, as they are written with a `*`.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    let cut = move |(at, _): (usize, &str)| path.get(..=at).filter(|folder| *folder != path);
    // The first segment is a mount: that two roles are about one engine is not enough.
    [path.trim_end_matches('*')]
        .into_iter()
        .chain(path.match_indices('/').skip(1).filter_map(cut))
}

/// Folders that at least two paths of a role are below, with what is saved where they become one.
fn lifts(roles: &Roles, number: ProposedNumber) -> Vec<(Move, f64)> {
    let Some(role) = roles.get(number) else {
        return Vec::new();
    };
    let mut below: BTreeMap<&str, usize> = BTreeMap::new();
    for path in role.grants.keys() {
        let all: BTreeSet<&str> = folders(path).filter(|folder| folder.ends_with('/')).collect();
        for folder in all {
            *below.entry(folder).or_default() += 1;
        }
    }
    let several = below.into_iter().filter(|(_, n)| *n > 1);
    several
        .map(|(folder, n)| (Move::Lift(number, Arc::from(format!("{folder}*"))), n as f64 - 1.0))
        .collect()
}

/// Both together, without what then stands in a wider path of them.
pub(super) fn merged(one: &Plain, other: &Plain) -> Grants {
    let mut all = one.grants.clone();
    for (path, granted) in &other.grants {
        let here = all.entry(path.clone()).or_default();
        *here = here.union(*granted);
    }
    let is_other = |own: &Arc<str>, wide: &Arc<str>| own != wide;
    without_covered(&all, &all, &one.namespace, is_other)
}

/// What the first has and the second has not.
pub(super) fn rest(one: &Plain, other: &Plain) -> Grants {
    without_covered(&one.grants, &other.grants, &one.namespace, |_, _| true)
}

/// What both have, word for word.
pub(super) fn shared(one: &Plain, other: &Plain) -> Grants {
    let same = one
        .grants
        .iter()
        .filter(|(path, granted)| other.grants.get(*path) == Some(granted));
    same.map(|(path, granted)| (path.clone(), *granted)).collect()
}

/// The role with a folder in the place of all its paths below it.
pub(super) fn lifted(role: &Plain, folder: &Arc<str>) -> Grants {
    let lead = folder.trim_end_matches('*');
    let (below, mut rest): (Grants, Grants) = role
        .grants
        .iter()
        .map(|(path, granted)| (path.clone(), *granted))
        .partition(|(path, _)| path.starts_with(lead));
    let all = below
        .values()
        .fold(CapabilitySet::EMPTY, |all, granted| all.union(*granted));
    rest.insert(folder.clone(), all);
    rest
}

/// The grants of which no path of `by` that counts is at least as wide and grants as much.
fn without_covered(
    grants: &Grants,
    by: &Grants,
    namespace: &str,
    counts: impl Fn(&Arc<str>, &Arc<str>) -> bool,
) -> Grants {
    let parsed = |path: &str| Pattern::parse(path, namespace).ok();
    let wider: Vec<_> = by
        .iter()
        .map(|(path, granted)| (path, parsed(path), *granted))
        .collect();
    let is_covered = |path: &Arc<str>, granted: CapabilitySet| {
        let own = parsed(path);
        let implies = |wide: &Option<Pattern>| {
            own.as_ref()
                .zip(wide.as_ref())
                .is_some_and(|(own, wide)| relation::implies(own, wide))
        };
        wider
            .iter()
            .any(|(wide, pattern, has)| counts(path, wide) && granted.is_subset(*has) && implies(pattern))
    };
    grants
        .iter()
        .filter(|(path, granted)| !is_covered(path, **granted))
        .map(|(path, granted)| (path.clone(), *granted))
        .collect()
}
