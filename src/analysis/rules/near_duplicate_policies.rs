//! `near-duplicate-policies`: policies that say the same, or nearly.
//!
//! A policy is the set of its (path, capability, conditions) triples; two are near duplicates when at least
//! [`THRESHOLD`] of what either says is said by both (Jaccard index). Candidates are found by MinHash in bands, so that not all
//! pairs are looked at; what is found is then counted exactly. A pair just above the threshold may be missed.

use super::about;
use crate::advice::Severity;
use crate::analysis::rule::{Context, Draft, Rule, quoted};
use crate::policy::model::Policy;
use crate::random::Random;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Share of what two policies say that both must say.
pub const THRESHOLD: f64 = 0.8;
/// Policies with less to say than this must be the same to be told.
const LEAST: usize = 5;
/// Bands and rows of the signature: at the threshold a pair is found with a probability of more than 0.999.
const BANDS: usize = 20;
const ROWS: usize = 4;
/// So many policies that differ by their name only are told.
const FAMILY: usize = 3;
/// Within one band's bucket each policy is held against so many before it.
const MOST_COMPARED: usize = 16;

/// So many places are named of policies that are alike.
const MOST_PLACES: usize = 100;

/// The rule.
pub struct NearDuplicatePolicies;

impl Rule for NearDuplicatePolicies {
    fn id(&self) -> &'static str {
        "near-duplicate-policies"
    }

    fn severity(&self) -> Severity {
        Severity::Info
    }

    fn summary(&self) -> &'static str {
        "policies that say the same, or nearly (a heuristic)"
    }

    fn check(&self, context: &Context<'_>) -> Vec<Draft> {
        let policies = context.joined.policies.as_slice();
        let said: Vec<BTreeSet<u64>> = policies.iter().map(said).collect();
        let mut groups = Groups::new(policies.len());
        for (a, b) in candidates(&said) {
            let (Some(one), Some(other)) = (said.get(a), said.get(b)) else {
                continue;
            };
            let alike = jaccard(one, other);
            if alike >= 1.0 || (alike >= THRESHOLD && one.len().min(other.len()) >= LEAST) {
                groups.join(a, b);
            }
        }
        let groups: Vec<Vec<usize>> = groups.all().into_values().collect();
        let told: BTreeSet<usize> = groups.iter().filter(|g| g.len() > 1).flatten().copied().collect();
        let mut drafts: Vec<Draft> = groups
            .iter()
            .filter(|members| members.len() > 1)
            .filter_map(|members| draft(policies, members, &said))
            .collect();
        drafts.extend(but_for_their_name(policies, &told));
        drafts
    }
}

/// All that a policy says, each as a hash. Paths are below the namespace: those of two are not the same.
fn said(policy: &Policy) -> BTreeSet<u64> {
    let mut all = BTreeSet::new();
    if about::is_built_in(&policy.name) {
        return all;
    }
    for stanza in &policy.stanzas {
        let conditions = if stanza.constraints.is_empty() {
            String::new()
        } else {
            format!("{:?}", stanza.constraints)
        };
        let path = stanza.bare_path();
        for capability in stanza.capability_set().iter() {
            all.insert(hash(&(&policy.namespace, path, capability, &conditions)));
        }
    }
    all
}

fn hash(value: &impl Hash) -> u64 {
    // Its keys are fixed: the same input is hashed alike in every run.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn jaccard(a: &BTreeSet<u64>, b: &BTreeSet<u64>) -> f64 {
    let both = a.intersection(b).count();
    let either = a.len() + b.len() - both;
    if either == 0 { 0.0 } else { both as f64 / either as f64 }
}

/// Pairs that share a band of their signatures.
fn candidates(said: &[BTreeSet<u64>]) -> BTreeSet<(usize, usize)> {
    let mut buckets: HashMap<(usize, u64), Vec<usize>> = HashMap::new();
    let mut pairs = BTreeSet::new();
    for (n, all) in said.iter().enumerate().filter(|(_, all)| !all.is_empty()) {
        for band in 0..BANDS {
            let rows: Vec<u64> = (0..ROWS)
                .map(|row| {
                    all.iter()
                        .map(|&value| mixed(value, (band * ROWS + row) as u64))
                        .min()
                        .unwrap_or(0)
                })
                .collect();
            let bucket = buckets.entry((band, hash(&rows))).or_default();
            pairs.extend(bucket.iter().rev().take(MOST_COMPARED).map(|&other| (other, n)));
            // The first stays within reach of all, so that a great group holds together.
            pairs.extend(bucket.first().map(|&first| (first, n)));
            bucket.push(n);
        }
    }
    pairs
}

/// Policies that are the same when each one's own name (`web` of `team-web`) is taken out of its paths.
fn but_for_their_name(policies: &[Policy], told: &BTreeSet<usize>) -> Vec<Draft> {
    type Shape = Vec<(String, u16, String)>;
    let mut alike: BTreeMap<(&str, Shape), Vec<&Policy>> = BTreeMap::new();
    for (n, policy) in policies.iter().enumerate() {
        let words: Vec<&str> = policy
            .name
            .split(['-', '_', '.', '/'])
            .filter(|w| w.len() > 1)
            .collect();
        let mut named = false;
        let mut shape: Shape = Vec::with_capacity(policy.stanzas.len());
        for stanza in &policy.stanzas {
            let bare = stanza.path.split('/').map(|segment| {
                let own = segment == &*policy.name || words.contains(&segment);
                named |= own;
                if own { "NAME" } else { segment }
            });
            let path = bare.collect::<Vec<_>>().join("/");
            let conditions = if stanza.constraints.is_empty() {
                String::new()
            } else {
                format!("{:?}", stanza.constraints)
            };
            shape.push((path, stanza.capability_set().bits(), conditions));
        }
        shape.sort();
        if named && !told.contains(&n) && !about::is_built_in(&policy.name) {
            alike.entry((&policy.namespace, shape)).or_default().push(policy);
        }
    }
    alike
        .into_values()
        .filter(|group| group.len() >= FAMILY)
        .filter_map(|group| family(&group))
        .collect()
}

fn family(group: &[&Policy]) -> Option<Draft> {
    let first = group.first()?;
    let labels: Vec<String> = group.iter().map(|p| p.id().to_string()).collect();
    let names: Vec<&str> = labels.iter().map(String::as_str).collect();
    let mut draft = about::policy(first);
    draft.key = format!("family {}", draft.key);
    draft.title = format!("{} policies differ by their name only", group.len());
    draft.detail = format!(
        "{} have the same stanzas but for their own name in the paths.",
        quoted(&names, 10)
    );
    draft.remedy =
        "One templated policy (such as with `{{identity.entity.metadata.team}}`) can take their place, or one \
                    module that writes them all."
            .to_owned();
    draft.origins = group.iter().take(MOST_PLACES).map(|p| about::beginning(p)).collect();
    Some(draft)
}

/// A value permuted by a seed.
fn mixed(value: u64, seed: u64) -> u64 {
    Random::new(value ^ seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)).bits()
}

/// Disjoint groups, joined pair by pair.
struct Groups(Vec<usize>);

impl Groups {
    fn new(n: usize) -> Self {
        Self((0..n).collect())
    }

    fn root(&self, mut n: usize) -> usize {
        while let Some(&up) = self.0.get(n).filter(|&&up| up != n) {
            n = up;
        }
        n
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        // The smaller number leads, so that a group keeps its name.
        if let Some(up) = self.0.get_mut(a.max(b)) {
            *up = a.min(b);
        }
    }

    fn all(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for n in 0..self.0.len() {
            groups.entry(self.root(n)).or_default().push(n);
        }
        groups
    }
}

fn draft(policies: &[Policy], members: &[usize], said: &[BTreeSet<u64>]) -> Option<Draft> {
    let chosen: Vec<&Policy> = members.iter().filter_map(|&n| policies.get(n)).collect();
    let first = chosen.first()?;
    let own = said.get(*members.first()?)?;
    let same = members.iter().filter_map(|&n| said.get(n)).all(|other| other == own);
    let labels: Vec<String> = chosen.iter().map(|p| p.id().to_string()).collect();
    let names: Vec<&str> = labels.iter().map(String::as_str).collect();
    let mut draft = about::policy(first);
    let how = if same { "the same" } else { "nearly the same" };
    draft.title = match names.as_slice() {
        [one, other] => format!("policies `{one}` and `{other}` say {how}"),
        [one, rest @ ..] => format!("policy `{one}` and {} others say {how}", rest.len()),
        [] => return None,
    };
    draft.detail = if same {
        format!(
            "{} have the same paths, capabilities and conditions.",
            quoted(&names, 10)
        )
    } else {
        let all = members.iter().filter_map(|&n| said.get(n));
        let common = all.clone().fold(own.clone(), |common, other| {
            common.intersection(other).copied().collect()
        });
        let either: BTreeSet<u64> = all.flatten().copied().collect();
        format!(
            "{} have {} of {} grants (path and capability) in common. A heuristic: at least {:.0} % of what two neighbours in the group \
             say is said by both.",
            quoted(&names, 10),
            common.len(),
            either.len(),
            THRESHOLD * 100.0
        )
    };
    draft.remedy = if same {
        "Keep one, give it to the holders of the others, then delete those.".to_owned()
    } else {
        "Check whether the differences are meant; if not, keep one. If they differ by a name only, one templated policy may do.".to_owned()
    };
    draft.severity = same.then_some(Severity::Low);
    draft.origins = chosen.iter().take(MOST_PLACES).map(|p| about::beginning(p)).collect();
    Some(draft)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::{check, titles};
    use crate::policy::syntax::{self, Dialect};

    #[test]
    fn fixtures() {
        let found = check(
            &NearDuplicatePolicies,
            include_str!("../../../fixtures/rules/near-duplicate-policies/found.txt"),
        );
        let titles_found: Vec<&str> = found.iter().map(|d| &*d.title).collect();
        assert_eq!(
            titles_found,
            [
                "policies `app` and `app-copy` say the same",
                "policies `build` and `build-old` say nearly the same"
            ]
        );
        assert!(found[1].detail.contains("5 of 6 grants"), "{}", found[1].detail);
        let clean = include_str!("../../../fixtures/rules/near-duplicate-policies/clean.txt");
        assert!(titles(&NearDuplicatePolicies, clean).is_empty());
    }

    #[test]
    fn policies_that_differ_by_their_name_only_are_a_family() {
        let one = |team: &str| {
            format!("== policy team-{team}\npath \"secret/data/{team}/*\" {{ capabilities = [\"read\"] }}\n")
        };
        let text: String = ["web", "ops", "pay"].map(one).concat();
        assert_eq!(
            titles(&NearDuplicatePolicies, &text),
            ["3 policies differ by their name only"]
        );
        let text: String = ["web", "ops"].map(one).concat();
        assert!(titles(&NearDuplicatePolicies, &text).is_empty());
    }

    #[test]
    fn the_paths_of_another_namespace_are_others() {
        let of = |namespace: &str, name: &str| {
            let text = "path \"secret/data/web/*\" { capabilities = [\"read\"] }";
            let mut policy = syntax::parse(name, "x.hcl", text, &Dialect::default()).unwrap();
            policy.namespace = namespace.into();
            policy
        };
        let grouped = |policies: &[Policy]| {
            let said: Vec<BTreeSet<u64>> = policies.iter().map(said).collect();
            let pairs: Vec<(usize, usize)> = candidates(&said).into_iter().collect();
            let titles = pairs.iter().filter_map(|(a, b)| draft(policies, &[*a, *b], &said));
            let families = but_for_their_name(policies, &BTreeSet::new());
            let titles: Vec<String> = titles.chain(families).map(|draft| draft.title).collect();
            titles
        };
        assert_eq!(
            grouped(&[of("", "web"), of("team/", "web"), of("ops/", "web")]),
            Vec::<String>::new()
        );
        assert_eq!(
            grouped(&[of("team/", "web"), of("team/", "api")]),
            ["policies `team/web` and `team/api` say the same"]
        );
    }

    #[test]
    fn a_thousand_alike_are_one_group_and_few_pairs() {
        let text: String = (0..1000)
            .map(|n| format!("== policy p{n:04}\npath \"a\" {{ capabilities = [\"read\", \"list\"] }}\npath \"b\" {{ capabilities = [\"read\"] }}\n"))
            .collect();
        assert_eq!(
            titles(&NearDuplicatePolicies, &text),
            ["policy `p0000` and 999 others say the same"]
        );
    }
}
