//! What was taken away before and missed: what it tells of the grants that are like it today.

use super::units::{Units, steps};
use crate::access::{Joined, PolicyNumber};
use crate::optimize::foresight::births;
use crate::policy::pattern::Pattern;
use crate::vault::Capability;
use std::collections::{BTreeSet, HashMap};

/// A use that a change of policies had denied, and that was given back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missed {
    /// What was asked for.
    pub capability: Capability,
    /// The policy that had granted it, with its namespace in front; it may be gone.
    pub policy: String,
    /// The path of the stanza by which it had.
    pub stanza: String,
    /// The policy to which it was given back.
    pub to: String,
    /// On which path, as that policy writes it.
    pub path: String,
}

/// As evidence for the units that are like it: the same capability of a stanza of the same shape, and of what was given back itself. It
/// was a first use where the policy has no other use of its kind; else something new below a place. What is new in one folder is one.
pub(super) fn evidence(missed: &[Missed], joined: &Joined, all: &Units) -> Vec<births::Missed> {
    if missed.is_empty() {
        return Vec::new();
    }
    let mut alike: HashMap<(Capability, &str), BTreeSet<&[u64]>> = HashMap::new();
    let mut single: HashMap<(PolicyNumber, &str, Capability), &[u64]> = HashMap::new();
    for (grant, unit) in all.grants.iter().zip(&all.units) {
        let policy = grant.stanza.policy();
        let shape = all.shapes[policy].stanzas.get(grant.stanza.place());
        let shape = shape.map_or("", String::as_str);
        alike.entry((grant.capability, shape)).or_default().insert(&unit.likes);
        let path = joined.policies[grant.stanza].path.trim_start_matches('/');
        single.insert((policy, path, grant.capability), &unit.likes);
    }
    let past = Past::of(missed, joined, all);
    let mut told = BTreeSet::new();
    for one in missed {
        let place = past.place(one);
        let below = place.as_ref().map(|(depth, _)| *depth);
        let what = (&one.policy, &one.stanza, one.capability, place);
        let name = one.policy.rsplit('/').next().unwrap_or(&one.policy);
        let shape = all.names.shape(name, &one.stanza);
        let alike = alike.get(&(one.capability, shape.as_str())).into_iter().flatten();
        told.extend(alike.map(|likes| (what.clone(), *likes, below)));
        let to = past.numbers.get(&one.to);
        let itself = to.and_then(|to| single.get(&(*to, one.path.as_str(), one.capability)));
        told.extend(itself.map(|likes| (what, *likes, None)));
    }
    let told = told.into_iter().map(|(_, likes, below)| births::Missed {
        likes: likes.to_vec(),
        below,
    });
    told.collect()
}

/// What policies are used for, but for what was given back to them.
struct Past<'a> {
    joined: &'a Joined,
    numbers: HashMap<String, PolicyNumber>,
    used: HashMap<(PolicyNumber, Capability), Vec<&'a str>>,
}

impl<'a> Past<'a> {
    fn of(missed: &[Missed], joined: &'a Joined, all: &'a Units) -> Self {
        let numbers = joined.policies.numbered();
        let mut past = Self {
            joined,
            numbers: numbers
                .map(|(number, policy)| (policy.id().to_string(), number))
                .collect(),
            used: HashMap::new(),
        };
        let given: BTreeSet<String> = missed.iter().filter_map(|one| past.asked(one)).collect();
        let mut used: HashMap<(PolicyNumber, Capability), Vec<&'a str>> = HashMap::new();
        for (grant, unit) in all.grants.iter().zip(&all.units) {
            let places = grant.places.iter().zip(&unit.places);
            let leaves = places.filter(|(path, place)| !place.uses.is_empty() && !given.contains(*path));
            let of = used.entry((grant.stanza.policy(), grant.capability)).or_default();
            of.extend(leaves.map(|(path, _)| path.as_str()));
        }
        past.used = used;
        past
    }

    /// The path with the namespace in front.
    fn asked(&self, one: &Missed) -> Option<String> {
        let to = *self.numbers.get(&one.to)?;
        Some(format!("{}{}", self.joined.policies[to].namespace, one.path))
    }

    /// How deep the place lay below which it was new, and what was new there; none where nothing of its kind was in use.
    fn place(&self, one: &Missed) -> Option<(u8, String)> {
        let policy = *self.numbers.get(&one.policy)?;
        let pattern = Pattern::parse(&one.stanza, &self.joined.policies[policy].namespace).ok()?;
        let path = self.asked(one).filter(|path| pattern.matches(path))?;
        let used = self.used.get(&(policy, one.capability)).into_iter().flatten();
        let used = used.filter(|path| pattern.matches(path));
        let there: BTreeSet<String> = used.flat_map(|path| steps(&pattern, path)).collect();
        if there.is_empty() {
            return None;
        }
        let mut new = steps(&pattern, &path).into_iter().enumerate();
        let (depth, new) = new.find(|(_, text)| !there.contains(text))?;
        Some((u8::try_from(depth).unwrap_or(u8::MAX), new))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{demand, joined};
    use super::super::units;
    use super::*;
    use crate::access::weight::{Weighed, Weights};

    /// What is told of the unused grants and of those in use, of a capability: how often, and how deep it was new.
    fn told(missed: &[Missed]) -> Vec<(String, Capability, Option<u8>)> {
        let team = |team: &str, more: &str| {
            format!("path \"kv/{team}/*\" {{ capabilities = [\"read\", \"delete\"] }}\n{more}")
        };
        let texts = [
            (
                "team-web",
                "path \"kv/web/*\" { capabilities = [\"read\"] }\npath \"kv/web/z\" { capabilities = [\"read\", \"delete\"] }\n".to_owned(),
            ),
            ("team-pay", team("pay", "")),
            (
                "team-ops",
                team("ops", "path \"kv/all/*\" { capabilities = [\"delete\"] }\n"),
            ),
        ];
        let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let demands = vec![
            demand("web", &["team-web"], "kv/web/a/x", Capability::Read),
            demand("pay", &["team-pay"], "kv/pay/a", Capability::Read),
        ];
        let (joined, _) = joined(&texts, demands);
        let weights = Weights::default();
        let weighed = Weighed::new(&weights, &joined.universe);
        let all = units::read(&joined, &weighed, &BTreeSet::new(), (0, 90));
        let told = evidence(missed, &joined, &all);
        let of = |one: &births::Missed| {
            let mine = all
                .grants
                .iter()
                .zip(&all.units)
                .filter(|(_, unit)| unit.likes == one.likes);
            let mine = mine.map(|(grant, _)| {
                let name = joined.policies[grant.stanza.policy()].name.to_string();
                (name, grant.capability, one.below)
            });
            mine.collect::<Vec<_>>()
        };
        told.iter().flat_map(of).collect()
    }

    fn missed(capability: Capability, stanza: &str, path: &str) -> Missed {
        Missed {
            capability,
            policy: "team-web".to_owned(),
            stanza: stanza.to_owned(),
            to: "team-web".to_owned(),
            path: path.to_owned(),
        }
    }

    #[test]
    fn what_was_missed_is_told_of_the_same_capability_of_stanzas_of_the_same_shape() {
        let delete = |path| missed(Capability::Delete, "kv/web/*", path);
        let of = |name: &str, capability, below| (name.to_owned(), capability, below);
        let both = [
            of("team-pay", Capability::Delete, None),
            of("team-ops", Capability::Delete, None),
        ];
        let sorted = |mut list: Vec<_>| {
            list.sort();
            list
        };
        assert_eq!(sorted(told(&[delete("kv/web/a")])), sorted(both.to_vec()));
        // Three paths of one grant are one grant that came into use.
        let three = [delete("kv/web/a"), delete("kv/web/b"), delete("kv/web/c/d")];
        assert_eq!(sorted(told(&three)), sorted(both.to_vec()));
        // It tells of itself, too, where it stands.
        let itself = of("team-web", Capability::Delete, None);
        let all = [both.to_vec(), vec![itself]].concat();
        assert_eq!(sorted(told(&[delete("kv/web/z")])), sorted(all));
        // A stanza of another shape has no like here.
        assert_eq!(told(&[missed(Capability::Delete, "kv/web", "kv/web")]), []);
    }

    #[test]
    fn where_others_of_its_kind_are_in_use_it_was_new_below_a_place() {
        let read = |path| missed(Capability::Read, "kv/web/*", path);
        let depths = |missed: &[Missed]| {
            let told = told(missed).into_iter().filter(|(name, ..)| name == "team-pay");
            told.map(|(_, _, below)| below).collect::<Vec<_>>()
        };
        assert_eq!(depths(&[read("kv/web/b/x")]), [Some(0)], "a new folder");
        assert_eq!(
            depths(&[read("kv/web/a/y")]),
            [Some(1)],
            "a new path in a folder that is there"
        );
        // Two paths of one new folder are one thing that is new; two folders are two.
        assert_eq!(depths(&[read("kv/web/b/x"), read("kv/web/b/y")]), [Some(0)]);
        assert_eq!(depths(&[read("kv/web/b/x"), read("kv/web/c/x")]), [Some(0), Some(0)]);
        // What is used since it was given back is no other use.
        assert_eq!(depths(&[read("kv/web/a/x")]), [None]);
    }
}
