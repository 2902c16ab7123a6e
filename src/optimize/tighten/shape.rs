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

/// The shapes of all policies.
pub(in crate::optimize) fn shapes<T>(policies: &Table<T>) -> IndexVec<T, Shape> {
    let mut paths: Vec<Vec<Vec<&str>>> = policies
        .iter()
        .map(|policy| {
            let name: BTreeSet<&str> = words(&policy.name).into_iter().filter(|w| is_word(w)).collect();
            policy
                .stanzas
                .iter()
                .map(|s| {
                    let pieces = words(&s.path);
                    let slash = |m: Option<usize>| m.and_then(|m| pieces.get(m)).is_none_or(|p| *p == "/");
                    // A word that is a part of engines is so only where it is the whole segment.
                    let is_part =
                        |n: usize, w: &str| PARTS.contains(&w) && slash(n.checked_sub(1)) && slash(Some(n + 1));
                    let named = |n: usize, w: &str| name.contains(w) && !is_part(n, w);
                    pieces
                        .iter()
                        .enumerate()
                        .map(|(n, &w)| if named(n, w) { HOLE } else { w })
                        .collect()
                })
                .collect()
        })
        .collect();
    // Paths that differ in one word only, over policies.
    let mut seen: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for stanza in paths.iter().flatten() {
        for (n, word) in stanza.iter().enumerate().filter(|(_, w)| is_word(w)) {
            seen.entry(with_hole(stanza, n)).or_default().insert(word);
        }
    }
    for stanza in paths.iter_mut().flatten() {
        let holes: Vec<usize> = stanza
            .iter()
            .enumerate()
            .filter(|(n, w)| is_word(w) && seen.get(&with_hole(stanza, *n)).is_some_and(|s| s.len() >= ENOUGH))
            .map(|(n, _)| n)
            .collect();
        for n in holes {
            if let Some(word) = stanza.get_mut(n) {
                *word = HOLE;
            }
        }
    }
    policies
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
        .collect()
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
        shapes::<Policy>(&policies.into()).into()
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
            .collect();
        let found = found(policies);
        assert_eq!(found[0], found[2]);
    }
}
