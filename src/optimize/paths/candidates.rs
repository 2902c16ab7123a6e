//! Candidate patterns of a cover: exact paths, prefix globs, and `+` patterns that used paths suggest.

use super::fits::{inside, may_glob, stays_in_mount};
use super::price::looks_like_id;
use super::{Chosen, Field, priced, tree};
use crate::policy::pattern::Pattern;
use std::collections::{BTreeMap, BTreeSet};

/// More candidates than this are not worth weighing against each other: the prefix cover stands.
const MOST: usize = 20_000;

/// Exact paths and prefix globs.
pub(super) fn plain(field: &Field<'_>) -> Vec<Chosen> {
    let exact = field.used.iter().map(|u| u.path.clone());
    let globs = tree::folders(field)
        .into_iter()
        .filter(|(prefix, children)| may_glob(field, prefix, *children))
        .map(|(prefix, _)| format!("{prefix}*"));
    exact.chain(globs).filter_map(|text| candidate(field, text)).collect()
}

/// `+` patterns: a place where at least `min_children` different segments were used between equal neighbours, with an exact
/// end or a glob; and the pattern that stands today, when it has a `+`.
pub(super) fn wild(field: &Field<'_>) -> Vec<Chosen> {
    let mut texts: BTreeSet<String> = BTreeSet::new();
    let exact: Vec<String> = field.used.iter().map(|u| u.path.clone()).collect();
    let globs: Vec<String> = tree::folders(field)
        .into_iter()
        .filter(|(prefix, _)| !prefix.is_empty() && stays_in_mount(field, prefix))
        .map(|(prefix, _)| format!("{prefix}*"))
        .collect();
    for texts_of_kind in [exact, globs] {
        let once = widen(field, &texts_of_kind);
        let twice = widen(field, &once);
        texts.extend(once);
        texts.extend(twice);
    }
    if field.within_text.contains('+') {
        texts.insert(field.within_text.to_owned());
    }
    if texts.len() > MOST {
        return Vec::new();
    }
    texts
        .into_iter()
        .filter(|text| text == field.within_text || inside(field, text))
        .filter_map(|text| candidate(field, text))
        .collect()
}

fn candidate(field: &Field<'_>, text: String) -> Option<Chosen> {
    let pattern = Pattern::parse(&text, "").ok()?;
    let chosen = priced(field, text, &pattern);
    (!chosen.covers.is_empty()).then_some(chosen)
}

/// Patterns with one more `+`, where enough different segments stand between equal neighbours.
fn widen(field: &Field<'_>, texts: &[String]) -> Vec<String> {
    let mut groups: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for text in texts {
        let segments: Vec<&str> = text.split('/').collect();
        if segments.len() > 16 {
            continue;
        }
        let mut start = 0;
        for (n, segment) in segments.iter().enumerate() {
            let end = start + segment.len();
            // The first segment and whatever belongs to the mount's path stay literal; so does an end.
            let before = text.get(..start).unwrap_or_default();
            let last = n + 1 == segments.len();
            let plain = !segment.is_empty() && *segment != "+" && !segment.contains('*');
            if plain && !last && stays_in_mount(field, before) {
                let key = format!("{before}+{}", text.get(end..).unwrap_or_default());
                groups.entry(key).or_default().insert(segment);
            }
            start = end + 1;
        }
    }
    groups
        .into_iter()
        .filter(|(_, values)| {
            values.len() >= field.price.min_children.max(2) || values.iter().all(|v| looks_like_id(v))
        })
        .map(|(text, _)| text)
        .collect()
}
