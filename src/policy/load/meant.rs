//! Which policy of the server a file is: where the log or the deployment holds a longer name that ends as the file's does,
//! that one is meant (`minions.hcl` of a folder `salt` is held as `salt/minions`).

use crate::policy::model::Policy;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Namespace and name.
type Id = (Arc<str>, Arc<str>);

/// Names told of one kind.
const MOST_TOLD: usize = 5;

/// Gives policies that nobody holds the longer names that are held and that end as theirs do. Says what was renamed, what
/// is not clear, and which names are held that only the files' own names would give.
pub fn meant(policies: &mut [Policy], held: &BTreeSet<Id>) -> Vec<String> {
    let id = |policy: &Policy| -> Id { (Arc::clone(&policy.namespace), Arc::clone(&policy.name)) };
    let here: BTreeSet<Id> = policies.iter().map(id).collect();
    let mut longer: BTreeMap<Id, Vec<&Arc<str>>> = BTreeMap::new();
    for (namespace, name) in held.iter().filter(|id| !here.contains(*id)) {
        for (at, _) in name.match_indices('/') {
            if let Some(end) = name.get(at + 1..) {
                longer
                    .entry((Arc::clone(namespace), end.into()))
                    .or_default()
                    .push(name);
            }
        }
    }
    // Of two files whose names end a held one, the one with more of it is meant.
    let mut chosen: BTreeMap<Id, usize> = BTreeMap::new();
    let (mut unclear, mut flat) = (Vec::new(), Vec::new());
    for (n, policy) in policies.iter().enumerate().filter(|(_, p)| !held.contains(&id(p))) {
        match longer.get(&id(policy)).map(Vec::as_slice) {
            Some([one]) => {
                let best = chosen
                    .entry((Arc::clone(&policy.namespace), Arc::clone(one)))
                    .or_insert(n);
                let length = |n: usize| policies.get(n).map_or(0, |p| p.name.len());
                if length(n) > length(*best) {
                    *best = n;
                }
            }
            Some(many) => unclear.push(format!(
                "`{}` ({})",
                policy.name,
                listed(many.iter().map(|name| &***name))
            )),
            None => {
                let file = policy.name.rsplit_once('/').map(|(_, file)| Arc::from(file));
                let file = file.map(|file| (Arc::clone(&policy.namespace), file));
                flat.extend(
                    file.filter(|id| held.contains(id) && !here.contains(id))
                        .map(|(_, file)| file),
                );
            }
        }
    }
    let mut renamed = Vec::new();
    for ((_, name), n) in chosen {
        if let Some(policy) = policies.get_mut(n) {
            renamed.push(format!("`{}` as `{name}`", policy.name));
            policy.name = name;
        }
    }
    let mut notes = Vec::new();
    let mut note = |all: Vec<String>, text: &str| {
        if !all.is_empty() {
            notes.push(format!("{text}: {}", listed(all.iter().map(String::as_str))));
        }
    };
    note(
        renamed,
        "Taken for policies that are held under a longer name than their files have",
    );
    note(
        unclear,
        "Not matched to a held policy, since several have a longer name that ends so",
    );
    let flat: BTreeSet<Arc<str>> = flat.into_iter().collect();
    note(
        flat.iter().map(|name| format!("`{name}`")).collect(),
        "Held, but only a file in another folder has that name (if it is that one, give `--policy-names file`)",
    );
    notes
}

fn listed<'a>(all: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = all.len().saturating_sub(MOST_TOLD);
    let mut text = all.take(MOST_TOLD).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::syntax::{self, Dialect};

    fn after(files: &[&str], held: &[&str]) -> (Vec<String>, Vec<String>) {
        let read = |name: &&str| syntax::parse(name, "f", "path \"a\" {}", &Dialect::default()).unwrap();
        let mut policies: Vec<Policy> = files.iter().map(read).collect();
        let held = held.iter().map(|name| ("".into(), (*name).into())).collect();
        let notes = meant(&mut policies, &held);
        (policies.iter().map(|p| p.name.to_string()).collect(), notes)
    }

    #[test]
    fn the_longer_name_that_is_held_is_meant() {
        let (names, notes) = after(&["minions", "app"], &["salt/minions", "app", "x/app"]);
        assert_eq!(names, ["salt/minions", "app"]);
        assert_eq!(
            notes,
            ["Taken for policies that are held under a longer name than their files have: `minions` as `salt/minions`"]
        );
    }

    #[test]
    fn what_is_not_clear_stays_as_it_is() {
        let (names, notes) = after(&["app"], &["x/app", "y/app"]);
        assert_eq!(names, ["app"]);
        assert!(notes[0].ends_with("`app` (x/app, y/app)"), "{notes:?}");
        // No part of a word, and no name that is a file's already.
        assert_eq!(after(&["app"], &["webapp"]).0, ["app"]);
        assert_eq!(after(&["app", "x/app"], &["x/app"]).0, ["app", "x/app"]);
        // The file with more of the name.
        assert_eq!(after(&["app", "x/app"], &["z/x/app"]).0, ["app", "z/x/app"]);
    }

    #[test]
    fn flat_names_are_hinted_at() {
        let (names, notes) = after(&["team/web"], &["web"]);
        assert_eq!(names, ["team/web"]);
        assert!(
            notes[0].contains("--policy-names file") && notes[0].ends_with("`web`"),
            "{notes:?}"
        );
    }
}
