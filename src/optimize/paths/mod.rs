//! From permissions to stanzas: few, readable path patterns that hold every used (path, capability) of a field.
//!
//! A stanza costs its own existence plus what it opens beyond use (`price`). Without `+` the best cover by exact paths and
//! prefix globs is found exactly by dynamic programming over the path tree (`tree`); with `+` patterns it is a weighted set
//! cover (`candidates`), solved by `optimize::cover`. Every chosen pattern carries all capabilities used on any path that
//! it matches, so that whichever stanza wins, no use is lost.

mod candidates;
mod fits;
mod price;
mod tree;

use crate::access::universe::lead;
use crate::optimize::cover::{self, Column, Instance, Limits};
use crate::policy::pattern::Pattern;
use crate::policy::template::is_templated;
use crate::vault::CapabilitySet;
use std::collections::{BTreeMap, BTreeSet};

pub use price::{Price, looks_like_id};

/// One used path with the capabilities used on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// The path, namespace included.
    pub path: String,
    /// The capabilities used, `sudo` among them where the path asked for it.
    pub capabilities: CapabilitySet,
}

/// Where a cover is looked for.
pub struct Field<'a> {
    /// What has to stay possible; paths are distinct and sorted.
    pub used: &'a [Used],
    /// Every path known to exist, sorted.
    pub universe: &'a [String],
    /// No pattern may reach beyond this one.
    pub within: &'a Pattern,
    /// The text of `within`, as a stanza writes it.
    pub within_text: &'a str,
    /// What it costs.
    pub price: &'a Price,
    /// Mount paths (namespace included): a glob stays inside one.
    pub mounts: &'a [String],
    /// Further stanzas to choose from, priced by whoever knows them (identity templates).
    pub further: &'a [Chosen],
    /// By used path: the weight of what the others used there, for a holder in the mean. Every stanza but a templated one opens
    /// it; without templates it is the same for all covers.
    pub shared: &'a [f64],
}

/// One stanza of a cover.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// Its path as a stanza writes it.
    pub path: String,
    /// Its capabilities.
    pub capabilities: CapabilitySet,
    /// Weight of what it opens beyond use.
    pub exposure: f64,
    /// Indexes into [`Field::used`].
    pub covers: Vec<u32>,
}

/// A cover of a field.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PathCover {
    /// The stanzas, sorted by path.
    pub stanzas: Vec<Chosen>,
    /// Its price.
    pub cost: f64,
    /// No cover by the candidates looked at is cheaper.
    pub lower_bound: f64,
    /// Whether the cost is proved to be the least over these candidates.
    pub optimal: bool,
}

/// The cheapest cover of `field` by exact paths, prefix globs and `+` patterns.
#[must_use]
pub fn cover(field: &Field<'_>) -> PathCover {
    if field.used.is_empty() {
        return PathCover {
            optimal: true,
            ..PathCover::default()
        };
    }
    let by_tree = tree::best(field);
    let mut wild = candidates::wild(field);
    wild.extend_from_slice(field.further);
    if wild.is_empty() {
        return by_tree;
    }
    let exact_and_globs = candidates::plain(field);
    let all: Vec<Chosen> = dedup(exact_and_globs.into_iter().chain(wild));
    let by_tree = PathCover {
        cost: by_tree.stanzas.iter().map(|c| price(field, c)).sum(),
        ..by_tree
    };
    match by_cover(field, &all) {
        Some(found) if found.cost < by_tree.cost - 1e-9 => found,
        Some(found) => PathCover {
            lower_bound: found.lower_bound.min(by_tree.cost),
            optimal: found.optimal,
            ..by_tree
        },
        None => by_tree,
    }
}

fn dedup(candidates: impl Iterator<Item = Chosen>) -> Vec<Chosen> {
    let mut seen = BTreeSet::new();
    candidates.filter(|c| seen.insert(c.path.clone())).collect()
}

/// The price of a stanza among others of which some are templated.
fn price(field: &Field<'_>, chosen: &Chosen) -> f64 {
    let own = field.price.of(chosen);
    if field.further.is_empty() || is_templated(&chosen.path) {
        return own;
    }
    let shared = chosen.covers.iter().filter_map(|&n| field.shared.get(n as usize));
    own + field.price.lambda * shared.sum::<f64>()
}

fn by_cover(field: &Field<'_>, candidates: &[Chosen]) -> Option<PathCover> {
    let columns = candidates
        .iter()
        .map(|c| Column {
            cost: price(field, c),
            rows: c.covers.clone(),
        })
        .collect();
    let instance = Instance::new(field.used.len(), columns).ok()?;
    let limits = Limits {
        max_rounds: Some(200),
        ..Limits::default()
    };
    let solved = cover::solve(&instance, &limits);
    let mut stanzas: Vec<Chosen> = solved
        .columns
        .iter()
        .filter_map(|&c| candidates.get(c as usize).cloned())
        .collect();
    stanzas.sort_by(|a, b| a.path.cmp(&b.path));
    Some(PathCover {
        stanzas,
        cost: solved.cost,
        lower_bound: solved.lower_bound,
        optimal: solved.optimal,
    })
}

/// A stanza over `path` with all that is used on any path it matches, and what it opens beyond.
fn priced(field: &Field<'_>, path: String, pattern: &Pattern) -> Chosen {
    let mut capabilities = CapabilitySet::EMPTY;
    let mut covers = Vec::new();
    let lead = lead(pattern);
    let start = field.used.partition_point(|u| u.path.as_str() < lead);
    for (n, used) in field.used.iter().enumerate().skip(start) {
        if !used.path.starts_with(lead) {
            break;
        }
        if pattern.matches(&used.path) {
            capabilities = capabilities.union(used.capabilities);
            covers.push(u32::try_from(n).unwrap_or(u32::MAX));
        }
    }
    let mut exposure = 0.0;
    if !pattern.is_exact() {
        let used_on: BTreeMap<&str, CapabilitySet> = covers
            .iter()
            .filter_map(|&n| field.used.get(n as usize))
            .map(|u| (u.path.as_str(), u.capabilities))
            .collect();
        let start = field.universe.partition_point(|p| p.as_str() < lead);
        for known in field.universe.iter().skip(start) {
            if !known.starts_with(lead) {
                break;
            }
            if pattern.matches(known) {
                let used = used_on.get(known.as_str()).copied().unwrap_or_default();
                exposure += field.price.weigh(known, capabilities.difference(used));
            }
        }
        exposure += field.price.open_end(lead, capabilities);
    }
    Chosen {
        path,
        capabilities,
        exposure,
        covers,
    }
}
