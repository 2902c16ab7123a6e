//! The best cover by exact paths and prefix globs: exact, by dynamic programming over the tree of used paths.

use super::fits::may_glob;
use super::{Chosen, Field, PathCover, priced};
use crate::policy::pattern::Pattern;
use std::collections::{BTreeMap, BTreeSet};

/// A folder of the path tree: everything under `prefix` (which ends in a slash).
struct Folder {
    prefix: String,
    parent: Option<usize>,
    children: BTreeSet<String>,
    /// Used paths that stand directly in this folder.
    leaves: Vec<usize>,
}

/// Prefixes where a glob could stand, deepest last, each with how many distinct children were used under it.
pub(super) fn folders(field: &Field<'_>) -> Vec<(String, usize)> {
    grow(field).into_iter().map(|f| (f.prefix, f.children.len())).collect()
}

/// A folder deeper than this never becomes a glob of its own.
const DEEPEST: usize = 64;

fn grow(field: &Field<'_>) -> Vec<Folder> {
    let mut folders: Vec<Folder> = vec![Folder {
        prefix: String::new(),
        parent: None,
        children: BTreeSet::new(),
        leaves: Vec::new(),
    }];
    let mut at: BTreeMap<String, usize> = BTreeMap::new();
    at.insert(String::new(), 0);
    for (n, used) in field.used.iter().enumerate() {
        let mut here = 0;
        let mut rest = used.path.as_str();
        let mut depth = 0;
        while let Some((segment, after)) = rest.split_once('/') {
            if depth == DEEPEST {
                break;
            }
            depth += 1;
            let end = used.path.len() - after.len();
            let prefix = used.path.get(..end).unwrap_or_default();
            let next = match at.get(prefix) {
                Some(&next) => next,
                None => {
                    let next = folders.len();
                    folders.push(Folder {
                        prefix: prefix.to_owned(),
                        parent: Some(here),
                        children: BTreeSet::new(),
                        leaves: Vec::new(),
                    });
                    at.insert(prefix.to_owned(), next);
                    next
                }
            };
            if let Some(folder) = folders.get_mut(here) {
                folder.children.insert(segment.to_owned());
            }
            here = next;
            rest = after;
        }
        if let Some(folder) = folders.get_mut(here) {
            folder.children.insert(rest.to_owned());
            folder.leaves.push(n);
        }
    }
    folders
}

/// The cheapest cover by exact paths and prefix globs.
pub(super) fn best(field: &Field<'_>) -> PathCover {
    let folders = grow(field);
    // Folders are numbered parents first: walking backwards sees every child before its parent.
    let mut below: Vec<(f64, Vec<Chosen>)> = folders.iter().map(|_| (0.0, Vec::new())).collect();
    for (n, folder) in folders.iter().enumerate().rev() {
        let (mut cost, mut stanzas) = below.get_mut(n).map(std::mem::take).unwrap_or_default();
        for &leaf in &folder.leaves {
            let Some(used) = field.used.get(leaf) else { continue };
            let exact = Chosen {
                path: used.path.clone(),
                capabilities: used.capabilities,
                exposure: 0.0,
                covers: vec![u32::try_from(leaf).unwrap_or(u32::MAX)],
            };
            cost += field.price.of(&exact);
            stanzas.push(exact);
        }
        if may_glob(field, &folder.prefix, folder.children.len()) {
            let text = format!("{}*", folder.prefix);
            if let Ok(pattern) = Pattern::parse(&text, "") {
                let glob = priced(field, text, &pattern);
                let price = field.price.of(&glob);
                if price < cost {
                    cost = price;
                    stanzas = vec![glob];
                }
            }
        }
        match folder.parent.and_then(|p| below.get_mut(p)) {
            Some((parent_cost, parent_stanzas)) => {
                *parent_cost += cost;
                parent_stanzas.append(&mut stanzas);
            }
            None => {
                stanzas.sort_by(|a, b| a.path.cmp(&b.path));
                return PathCover {
                    stanzas,
                    cost,
                    lower_bound: cost,
                    optimal: true,
                };
            }
        }
    }
    PathCover::default()
}
