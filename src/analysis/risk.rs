//! The risk of a credential: what would be exposed if it leaked, beyond what it uses.
//!
//! ```text
//! weight = Σ over known (path, capability) granted and not used:  weight(capability) × factor(class of path)
//!        + Σ over open-ended rules:  open_end × weight(capabilities) × factor(class of their lead)
//! score  = 100 × weight / (weight + HALF)                        0 ≤ score < 100, monotone in weight
//! ```
//!
//! The weights and classes are settings ([`crate::access::weight`]). A score of 50 is a weight of [`HALF`](crate::access::weight::HALF): with the default
//! weights about a hundred secrets that can be read and never were. The score is nothing without its parts, so it never goes
//! without them.

use crate::access::Reach;
use crate::access::weight::{Weighed, score};
use crate::advice::Risk;
use crate::units::number;
use crate::vault::{Capability, CapabilitySet};
use std::collections::{BTreeMap, HashMap};

/// What one holder can do and did, in numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exposure {
    /// (known path, capability) pairs granted.
    pub granted: u64,
    /// Of these, used.
    pub used: u64,
    /// Known paths reachable.
    pub paths_granted: u64,
    /// Of these, used.
    pub paths_used: u64,
    /// The score with its parts.
    pub risk: Risk,
}

/// The exposure of a root token: everything, whatever is known.
#[must_use]
pub fn of_root(mut exposure: Exposure) -> Exposure {
    exposure.risk.score = 100.0;
    exposure.risk.parts = vec!["root token: everything is allowed".to_owned()];
    exposure
}

/// The verbs that parts are told in.
const VERBS: [(&str, &[Capability]); 5] = [
    ("read", &[Capability::Read, Capability::Recover, Capability::Subscribe]),
    ("list", &[Capability::List, Capability::Scan]),
    ("write", &[Capability::Create, Capability::Update, Capability::Patch]),
    ("delete", &[Capability::Delete]),
    ("use sudo on", &[Capability::Sudo]),
];

/// What is exposed by `reach` beyond what was `used` (path → capabilities).
#[must_use]
pub fn exposure(reach: &Reach, used: Option<&HashMap<&str, CapabilitySet>>, weighed: &Weighed<'_>) -> Exposure {
    let mut out = Exposure::default();
    // By class and verb: paths granted, of these used.
    let mut parts: BTreeMap<(&str, usize), (u64, u64)> = BTreeMap::new();
    let mut weight = 0.0;
    for &(n, granted) in &reach.granted {
        let path = weighed.universe().path(n);
        let on_path = used.and_then(|u| u.get(path)).copied().unwrap_or_default();
        let in_use = granted.intersection(on_path);
        out.granted += granted.len() as u64;
        out.used += in_use.len() as u64;
        out.paths_granted += 1;
        out.paths_used += u64::from(!in_use.is_empty());
        weight += weighed.of(n, granted.difference(on_path));
        let (class, _) = weighed.class(n);
        for (v, (_, capabilities)) in VERBS.iter().enumerate() {
            let verb: CapabilitySet = capabilities.iter().copied().collect();
            if !granted.intersection(verb).is_empty() {
                let part = parts.entry((class, v)).or_default();
                part.0 += 1;
                part.1 += u64::from(!in_use.intersection(verb).is_empty());
            }
        }
    }
    let mut sentences: Vec<(f64, String)> = parts
        .into_iter()
        .filter(|(_, (granted, used))| granted > used)
        .map(|((class, v), (granted, used))| {
            let (verb, _) = VERBS.get(v).copied().unwrap_or(("use", &[]));
            let noun = match (class, granted) {
                ("secrets", 1) => "secret".to_owned(),
                ("secrets", _) => "secrets".to_owned(),
                (_, 1) => format!("{class} path"),
                _ => format!("{class} paths"),
            };
            let rank = (granted - used) as f64 * if class == "control" { 5.0 } else { 1.0 };
            (
                rank,
                format!("can {verb} {} {noun}, used {}", number(granted), number(used)),
            )
        })
        .collect();
    let open: f64 = reach
        .open_ends
        .iter()
        .map(|(lead, c)| weighed.weights().open_end(lead, *c))
        .sum();
    weight += open;
    if !reach.open_ends.is_empty() {
        let n = reach.open_ends.len();
        let s = if n == 1 { "" } else { "s" };
        sentences.push((
            0.0,
            format!("{n} open-ended pattern{s}: whatever is created under them is reachable too"),
        ));
    }
    if reach.root {
        sentences.push((f64::MAX, "holds the root policy: everything is allowed".to_owned()));
    }
    sentences.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    out.risk = Risk {
        score: if reach.root { 100.0 } else { score(weight) },
        weight,
        parts: sentences.into_iter().map(|(_, s)| s).collect(),
    };
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Universe;
    use crate::access::weight::Weights;
    use proptest::prelude::*;

    fn universe() -> Universe {
        Universe::new((0..20).map(|n| format!("secret/data/{n}")).collect())
    }

    fn reach(granted: &[(u32, u16)], open: usize) -> Reach {
        let mut all: BTreeMap<u32, CapabilitySet> = BTreeMap::new();
        for &(n, bits) in granted {
            let set = all.entry(n).or_default();
            *set = set.union(CapabilitySet::from_bits(bits));
        }
        Reach {
            granted: all.into_iter().collect(),
            open_ends: (0..open)
                .map(|_| ("secret/".to_owned(), CapabilitySet::of(Capability::Read)))
                .collect(),
            root: false,
        }
    }

    const BITS: u16 = 0b1111_1111;

    proptest! {
        #[test]
        fn more_access_never_lowers_the_score(
            some in prop::collection::vec((0u32..20, 0u16..=BITS), 0..20),
            more in prop::collection::vec((0u32..20, 0u16..=BITS), 0..20),
            open in 0usize..3, wider in 0usize..3,
        ) {
            let (u, w) = (universe(), Weights::default());
            let small = exposure(&reach(&some, open), None, &Weighed::new(&w, &u));
            let both: Vec<_> = some.iter().chain(&more).copied().collect();
            let large = exposure(&reach(&both, open + wider), None, &Weighed::new(&w, &u));
            prop_assert!(large.risk.score >= small.risk.score);
            prop_assert_eq!(exposure(&reach(&some, open), None, &Weighed::new(&w, &u)), small);
        }

        #[test]
        fn zero_only_when_all_is_used_and_nothing_open(
            granted in prop::collection::vec((0u32..20, 1u16..=BITS), 1..20),
            drop in any::<prop::sample::Index>(),
        ) {
            let (u, w) = (universe(), Weights::default());
            let r = reach(&granted, 0);
            let mut used: HashMap<&str, CapabilitySet> = r.granted.iter().map(|&(n, c)| (u.path(n), c)).collect();
            prop_assert_eq!(exposure(&r, Some(&used), &Weighed::new(&w, &u)).risk.score, 0.0);
            let gone = drop.index(r.granted.len());
            used.remove(u.path(r.granted[gone].0));
            prop_assert!(exposure(&r, Some(&used), &Weighed::new(&w, &u)).risk.score > 0.0);
            prop_assert!(exposure(&reach(&granted, 1), Some(&used), &Weighed::new(&w, &u)).risk.score > 0.0);
        }
    }

    #[test]
    fn the_parts_are_plain_numbers() {
        let granted: Vec<(u32, u16)> = (0..20)
            .map(|n| (n, CapabilitySet::of(Capability::Read).bits()))
            .collect();
        let u = universe();
        let used = HashMap::from([("secret/data/1", CapabilitySet::of(Capability::Read))]);
        let e = exposure(&reach(&granted, 1), Some(&used), &Weighed::new(&Weights::default(), &u));
        assert_eq!(e.risk.parts[0], "can read 20 secrets, used 1");
        assert_eq!((e.granted, e.used, e.paths_granted, e.paths_used), (20, 1, 20, 1));
        let one = exposure(
            &reach(granted.get(..1).unwrap(), 0),
            None,
            &Weighed::new(&Weights::default(), &u),
        );
        assert_eq!(one.risk.parts, ["can read 1 secret, used 0"]);
    }
}
