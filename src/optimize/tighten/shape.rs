//! What policies are alike: the same shape, with the names of teams, services and environments taken out.
//!
//! A word of a path is taken out where it is in the policy's own name too (`team-web` and `secret/data/web/*`), or where at least
//! three policies have the same path but for this word.

use crate::index::IndexVec;
use crate::policy::table::Table;
use std::collections::{BTreeMap, BTreeSet};

/// What stands for a word that was taken out.
const HOLE: &str = "*name*";
/// So many policies with another word in one place make it a name.
const ENOUGH: usize = 3;
/// Words that are parts of engines, whatever the policy is called.
const PARTS: [&str; 12] = [
    "data", "metadata", "creds", "role", "roles", "sys", "auth", "secret", "issue", "sign", "encrypt", "decrypt",
];

/// The shapes of one policy and of its stanzas.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::optimize) struct Shape {
    /// Of the whole policy.
    pub(super) policy: String,
    /// Of each stanza.
    pub(in crate::optimize) stanzas: Vec<String>,
}

/// Which words of paths are names.
#[derive(Debug, Clone, Default)]
pub(in crate::optimize) struct Names(BTreeSet<String>);

impl Names {
    /// The shape of a path of a policy, whether or not one of these has it.
    pub(in crate::optimize) fn shape(&self, policy: &str, path: &str) -> String {
        let mut pieces = without_own(policy, words(path));
        self.take_out(&mut pieces);
        joined(&pieces)
    }

    fn take_out(&self, pieces: &mut [&str]) {
        let holes: Vec<usize> = pieces
            .iter()
            .enumerate()
            .filter(|(n, w)| is_word(w) && self.0.contains(&with_hole(pieces, *n)))
            .map(|(n, _)| n)
            .collect();
        for n in holes {
            if let Some(word) = pieces.get_mut(n) {
                *word = HOLE;
            }
        }
    }
}

/// The words of a path, those out that are in the policy's own name.
fn without_own<'p>(policy: &str, pieces: Vec<&'p str>) -> Vec<&'p str> {
    let name: BTreeSet<&str> = words(policy).into_iter().filter(|w| is_word(w)).collect();
    let slash = |m: Option<usize>| m.and_then(|m| pieces.get(m)).is_none_or(|p| *p == "/");
    // A word that is a part of engines is so only where it is the whole segment.
    let is_part = |n: usize, w: &str| PARTS.contains(&w) && slash(n.checked_sub(1)) && slash(Some(n + 1));
    let named = |n: usize, w: &str| name.contains(w) && !is_part(n, w);
    let holed = pieces.iter().enumerate();
    holed.map(|(n, &w)| if named(n, w) { HOLE } else { w }).collect()
}

/// A path in words and what stands between them.
fn words(path: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, c) in path.char_indices() {
        if matches!(c, '/' | '-' | '_' | '.') {
            if start < at {
                found.extend(path.get(start..at));
            }
            found.extend(path.get(at..at + 1));
            start = at + 1;
        }
    }
    if start < path.len() {
        found.extend(path.get(start..));
    }
    found
}

/// Whether a piece may be a name: a letter by itself is none, a number is.
fn is_word(piece: &str) -> bool {
    (piece.len() > 1 || piece.starts_with(|c: char| c.is_ascii_digit()))
        && !piece.contains(['/', '-', '_', '.', '*', '+', '{', '}'])
}

/// Holes side by side are one.
fn joined(pieces: &[&str]) -> String {
    let mut text = pieces.concat();
    for between in ["-", "_", "."] {
        let double = format!("{HOLE}{between}{HOLE}");
        while text.contains(&double) {
            text = text.replace(&double, HOLE);
        }
    }
    text
}

/// The shapes of all policies, and what was taken out of them.
pub(in crate::optimize) fn shapes<T>(policies: &Table<T>) -> (IndexVec<T, Shape>, Names) {
    let mut paths: Vec<Vec<Vec<&str>>> = policies
        .iter()
        .map(|policy| {
            let stanzas = policy.stanzas.iter();
            stanzas.map(|s| without_own(&policy.name, words(&s.path))).collect()
        })
        .collect();
    // Paths that differ in one word only, over policies.
    let mut seen: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for stanza in paths.iter().flatten() {
        for (n, word) in stanza.iter().enumerate().filter(|(_, w)| is_word(w)) {
            seen.entry(with_hole(stanza, n)).or_default().insert(word);
        }
    }
    let names = seen.into_iter().filter(|(_, words)| words.len() >= ENOUGH);
    let names = Names(names.map(|(text, _)| text).collect());
    for stanza in paths.iter_mut().flatten() {
        names.take_out(stanza);
    }
    let shapes = policies
        .iter()
        .zip(paths)
        .map(|(policy, paths)| {
            let stanzas: Vec<String> = paths.iter().map(|p| joined(p)).collect();
            let mut all: Vec<String> = stanzas
                .iter()
                .zip(&policy.stanzas)
                .map(|(text, stanza)| {
                    let words: Vec<&str> = stanza.capability_set().iter().map(|c| c.as_str()).collect();
                    format!("{text} {}", words.join(","))
                })
                .collect();
            all.sort();
            Shape {
                policy: all.join("\n"),
                stanzas,
            }
        })
        .collect();
    (shapes, names)
}

fn with_hole(pieces: &[&str], at: usize) -> String {
    let mut text = String::new();
    for (n, piece) in pieces.iter().enumerate() {
        text.push_str(if n == at { "\u{0}" } else { piece });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::model::Policy;
    use crate::policy::profile::Profile;
    use crate::policy::syntax;

    fn found(policies: Vec<Policy>) -> Vec<Shape> {
        shapes::<Policy>(&policies.into()).0.into()
    }

    #[test]
    fn siblings_have_one_shape() {
        let dialect = Profile::default().dialect();
        let make = |name: &str, text: String| syntax::parse(name, "x.hcl", &text, &dialect).unwrap();
        let of = |team: &str| {
            make(
                &format!("team-{team}"),
                format!(
                    "path \"secret/data/{team}/*\" {{ capabilities = [\"read\"] }}\n\
                     path \"database/creds/{team}-ro\" {{ capabilities = [\"read\"] }}\n"
                ),
            )
        };
        let other = make("ops", "path \"secret/*\" { capabilities = [\"read\"] }\n".to_owned());
        let found = found(vec![of("web"), of("data-eng"), other]);
        assert_eq!(found[0], found[1]);
        assert_ne!(found[0].policy, found[2].policy);
    }

    #[test]
    fn a_number_is_a_name_however_short() {
        let dialect = Profile::default().dialect();
        let make = |n: u32| {
            let text = format!("path \"kv/apps/mail-{n}/*\" {{ capabilities = [\"read\"] }}\n");
            syntax::parse(&format!("app-mail-{n}"), "x.hcl", &text, &dialect).unwrap()
        };
        let found = found(vec![make(7), make(12)]);
        assert_eq!(found[0], found[1]);
    }

    #[test]
    fn what_many_paths_differ_in_is_a_name() {
        let dialect = Profile::default().dialect();
        let policies = ["a1", "b2", "c3"]
            .iter()
            .map(|n| {
                let text = format!("path \"kv/{n}x/*\" {{ capabilities = [\"read\"] }}\n");
                syntax::parse(&format!("p{n}"), "x.hcl", &text, &dialect).unwrap()
            })
            .collect::<Vec<_>>();
        let (found, names) = shapes::<Policy>(&policies.into());
        let found: Vec<Shape> = found.into();
        assert_eq!(found[0], found[2]);
        // So it is in a policy that is gone, and what is a name nowhere else is none.
        assert_eq!(names.shape("pd4", "kv/d4x/*"), found[0].stanzas[0]);
        assert_eq!(names.shape("pd4", "kv2/d4x/*"), "kv2/d4x/*");
        assert_eq!(names.shape("d4x", "kv2/d4x/*"), "kv2/*name*/*");
    }
}
