//! The first proposal: each policy keeps its name and its holders; what nobody needs goes, globs narrow.
//!
//! Every stanza has a ladder of changes, the tightest first and "stays" at its end. All begin as tight as is wanted; the proof then
//! replays every holder, and where it fails, what is to blame takes a step back until it holds (`settle.rs`). The last step back is
//! today's policy, so that this always ends.

mod apart;
mod blame;
mod draft;
mod missed;
mod outlook;
mod parts;
mod settle;
mod shape;
#[cfg(test)]
pub(super) mod tests;
mod units;
mod unseen;

use super::edit::{Change, NewStanza};
use super::foresight::interval::Spread;
use super::paths::{self, Field, Price, Used};
use super::proof::{Proof, Scheme};
use super::steps::Planned;
use super::templates::{self, Use};
use crate::access::universe::lead;
use crate::access::{AccessSet, HolderId, Joined, Outcome, PolicyNumber, StanzaId};
use crate::index::IndexVec;
use crate::policy::model::{Policy, Stanza};
use crate::policy::pattern::Pattern;
use crate::policy::template::is_templated;
use crate::vault::{Capability, CapabilitySet};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

pub(in crate::optimize) use shape::{Names, shapes};

pub use apart::{Alone, Apart, Asked, Part};
pub use missed::Missed;
pub use outlook::{Offer, Outlook, Span, outlook};

/// What tightening has to respect.
pub struct Options<'a> {
    /// Prices of stanzas and exposure.
    pub price: &'a Price,
    /// For every policy: whether what is unused in it may go.
    pub removable: &'a IndexVec<Policy, bool>,
    /// Mount paths, where they are known.
    pub mounts: &'a [String],
    /// What was taken away before, and missed.
    pub missed: &'a [Missed],
}

/// What is wanted of each stanza: changes, the tightest first; it stays as it is where none of them can be proven.
pub type Ladders = BTreeMap<StanzaId, Vec<Change>>;

/// A tightened policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Tightened {
    /// The policy.
    pub policy: PolicyNumber,
    /// Its new text; none where nothing is left of it and nobody needs it.
    pub text: Option<String>,
    /// What was done, a sentence a change.
    pub reasons: Vec<String>,
    /// Wrong denials that are expected of it; none where nothing was asked of the future.
    pub expected: Option<Spread>,
}

/// The proposal with its proof.
pub struct Tightening {
    /// Every policy that changes.
    pub changed: Vec<Tightened>,
    /// All policies as they would be, and who holds them.
    pub scheme: Scheme,
    /// The proof.
    pub proof: Proof,
    /// Wrong denials that are expected of all changes; none where nothing was asked of the future.
    pub expected: Option<Spread>,
    /// The changes in an order in which every step is safe.
    pub steps: Vec<Planned>,
    /// What was wanted and given up, with the reason.
    pub withdrawn: Vec<(String, String)>,
    /// What became of every stanza.
    pub fates: BTreeMap<StanzaId, Fate>,
    /// What was made small, its lower bound, and whether it was proved to be least: what stays open within the budget; where nothing
    /// was asked of the future, the prices of all path covers.
    pub price: (f64, f64, bool),
}

/// What holds a stanza back before anything is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Somebody said that it stays.
    Kept,
    /// It may have allowed what the policies as read do not explain.
    Doubted,
    /// It is a template that could not be filled in, or one of these may lie beside it.
    Template,
    /// Too little is known of who holds its policy and what they do.
    Suspect,
}

/// What became of one stanza.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// It was never to change.
    Held(Hold),
    /// It is not changed: all of it is used or expected to be.
    Stays,
    /// It is changed so.
    Changed(Change),
    /// More was wanted than could be proven: this is left of it.
    Withdrawn(Change),
}

impl Tightening {
    /// The same with nothing changed, because of something that nobody thought of.
    pub fn withdraw(&mut self, today: Scheme, why: &str) {
        self.changed.clear();
        self.steps.clear();
        self.scheme = today;
        self.withdrawn = vec![("every change".to_owned(), why.to_owned())];
        for fate in self.fates.values_mut() {
            *fate = Fate::Withdrawn(Change::Keep);
        }
    }

    /// The text that a policy has afterwards; none where it goes.
    #[must_use]
    pub fn text(&self, joined: &Joined, policy: PolicyNumber) -> Option<String> {
        match self.changed.iter().find(|changed| changed.policy == policy) {
            Some(changed) => changed.text.clone(),
            None => Some(joined.policies[policy].source.to_string()),
        }
    }
}

/// Narrower stanzas for one stanza, with their price.
struct Narrowed {
    stanzas: Vec<NewStanza>,
    cost: f64,
    lower_bound: f64,
    optimal: bool,
}

/// Tightens every policy to what was used, as far as the proof allows.
#[must_use]
pub fn tighten(joined: &Joined, options: &Options<'_>) -> Tightening {
    let fields = fields(joined);
    let ids = changeable(joined, options.removable);
    let narrowed: BTreeMap<StanzaId, Narrowed> = ids
        .par_iter()
        .filter_map(|&id| {
            let namespace = &joined.policies[id.policy()].namespace;
            let found = narrow(joined, options, namespace, &joined.policies[id], fields.get(&id)?)?;
            Some((id, found))
        })
        .collect();
    let ladders: Ladders = ids
        .iter()
        .map(|&id| {
            let mut ladder: Vec<Change> = Vec::new();
            ladder.extend(narrowed.get(&id).map(|n| Change::Replace(n.stanzas.clone())));
            ladder.extend(without_unused(joined, id, &joined.policies[id]));
            (id, ladder)
        })
        .collect();
    let mut settled = settle::settle(joined, options, &ladders);
    settled.price = narrowed
        .iter()
        .filter(|(id, _)| settled.levels.get(id) == Some(&0))
        .fold((0.0, 0.0, true), |sum, (_, n)| {
            (sum.0 + n.cost, sum.1 + n.lower_bound, sum.2 && n.optimal)
        });
    settled.into_tightening()
}

/// The stanzas that may change at all.
fn changeable(joined: &Joined, removable: &IndexVec<Policy, bool>) -> Vec<StanzaId> {
    let all = held(joined, removable).into_iter();
    all.filter_map(|(id, hold)| hold.is_none().then_some(id)).collect()
}

/// Every stanza with what holds it back: those change of policies of which enough is known, and not beside a template that could
/// not be filled.
fn held(joined: &Joined, removable: &IndexVec<Policy, bool>) -> Vec<(StanzaId, Option<Hold>)> {
    // A template that could not be filled for a holder: its use can't be told.
    let unfilled: BTreeSet<StanzaId> = joined
        .sets
        .iter()
        .flat_map(|set| set.unfilled.iter().copied())
        .collect();
    let mut unsure: BTreeMap<PolicyNumber, Vec<&AccessSet>> = BTreeMap::new();
    for set in joined.sets.iter().filter(|set| !set.unsure.is_empty()) {
        for &policy in &set.policies {
            unsure.entry(policy).or_default().push(set);
        }
    }
    joined
        .policies
        .stanzas()
        .map(|id| {
            let hold = if joined.stays.kept.contains_key(&id) {
                Some(Hold::Kept)
            } else if joined.stays.doubted.contains_key(&id) {
                Some(Hold::Doubted)
            } else if !removable[id.policy()] {
                Some(Hold::Suspect)
            } else if unfilled.contains(&id) || may_meet_unfilled(joined, id, unsure.get(&id.policy())) {
                Some(Hold::Template)
            } else {
                None
            };
            (id, hold)
        })
        .collect()
}

/// The stanza without the capabilities that nobody used; none where all were, or where something of it denies.
fn without_unused(joined: &Joined, id: StanzaId, stanza: &Stanza) -> Option<Change> {
    if stanza.capability_set().contains(Capability::Deny) {
        return None;
    }
    let used: CapabilitySet = joined
        .uses
        .get(&id)
        .map(|u| u.keys().copied().collect())
        .unwrap_or_default();
    let kept: Vec<Capability> = stanza
        .capabilities
        .iter()
        .copied()
        .filter(|c| used.with_write_twin().contains(*c))
        .collect();
    if kept.is_empty() {
        Some(Change::Drop)
    } else if kept.len() < stanza.capabilities.len() {
        Some(Change::Capabilities(kept))
    } else {
        None
    }
}

/// What a stanza was used for: path → who → capabilities.
type UsedBy = BTreeMap<String, BTreeMap<HolderId, CapabilitySet>>;

/// What each stanza was used for.
fn fields(joined: &Joined) -> BTreeMap<StanzaId, UsedBy> {
    let mut fields: BTreeMap<StanzaId, UsedBy> = BTreeMap::new();
    for d in &joined.demands {
        let Outcome::Explained(rule) = d.outcome else { continue };
        let set = &joined.sets[d.set];
        for (stanza, given) in set.sources(rule) {
            let needed = d.needs().intersection(given).with_write_twin().intersection(given);
            if needed.is_empty() {
                continue;
            }
            let used = fields
                .entry(stanza)
                .or_default()
                .entry(d.path.clone())
                .or_default()
                .entry(d.holder)
                .or_default();
            *used = used.union(needed);
        }
    }
    fields
}

/// Narrower stanzas that hold every use of `stanza`; none where it can't be narrowed or gains nothing by it.
fn narrow(
    joined: &Joined,
    options: &Options<'_>,
    namespace: &str,
    stanza: &Stanza,
    used_by: &UsedBy,
) -> Option<Narrowed> {
    if stanza.templated || !stanza.constraints.is_empty() || stanza.capability_set().contains(Capability::Deny) {
        return None;
    }
    let pattern = Pattern::parse(&stanza.path, namespace).ok()?;
    if pattern.is_exact() {
        return None;
    }
    let written = format!("{namespace}{}", stanza.bare_path());
    let used: Vec<Used> = used_by
        .iter()
        .map(|(path, by)| Used {
            path: path.clone(),
            capabilities: by.values().fold(CapabilitySet::EMPTY, |all, c| all.union(*c)),
        })
        .collect();
    if used.is_empty() || !used.iter().all(|u| pattern.matches(&u.path)) || used.iter().any(|u| !expressible(&u.path)) {
        return None;
    }
    let uses: Vec<Use<'_>> = used_by
        .iter()
        .zip(0_u32..)
        .flat_map(|((path, by), number)| {
            by.iter().map(move |(&holder, &capabilities)| Use {
                number,
                path,
                capabilities,
                holder,
            })
        })
        .collect();
    let further = templates::candidates(joined, &uses, &pattern, options.price);
    let found = paths::cover(&Field {
        further: &further,
        shared: &shared(&used, used_by, options.price),
        used: &used,
        universe: joined.universe.paths(),
        within: &pattern,
        within_text: &written,
        price: options.price,
        mounts: options.mounts,
    });
    let stanzas: Vec<NewStanza> = found
        .stanzas
        .iter()
        .map(|c| NewStanza {
            path: c.path.strip_prefix(namespace).unwrap_or(&c.path).to_owned(),
            capabilities: c.capabilities,
            comment: evidence(c, joined),
            parameters: None,
        })
        .collect();
    let unchanged = matches!(&found.stanzas[..], [only] if only.path == written);
    (!unchanged && !stanzas.is_empty()).then_some(Narrowed {
        stanzas,
        cost: found.cost,
        lower_bound: found.lower_bound,
        optimal: found.optimal,
    })
}

/// By path: the weight of what others used there, for a holder in the mean.
fn shared(used: &[Used], used_by: &UsedBy, price: &Price) -> Vec<f64> {
    let holders: BTreeSet<HolderId> = used_by.values().flat_map(BTreeMap::keys).copied().collect();
    used.iter()
        .map(|u| {
            let by = used_by.get(&u.path);
            let weight = |h| {
                let own = by.and_then(|by| by.get(h)).copied().unwrap_or_default();
                price.weigh(&u.path, u.capabilities.difference(own))
            };
            holders.iter().map(weight).sum::<f64>() / holders.len().max(1) as f64
        })
        .collect()
}

/// A path that, as a stanza, would mean just itself.
fn expressible(path: &str) -> bool {
    !is_templated(path)
        && !path.contains("}}")
        && !path.ends_with('*')
        && !path.starts_with('/')
        && Pattern::parse(path, "").is_ok_and(|p| p.is_exact())
}

fn evidence(chosen: &paths::Chosen, joined: &Joined) -> Option<String> {
    if chosen.covers.len() < 2 {
        return None;
    }
    let known = Pattern::parse(&chosen.path, "")
        .map(|p| {
            joined
                .universe
                .under(lead(&p))
                .filter(|&n| joined.universe.paths().get(n).is_some_and(|path| p.matches(path)))
                .count()
        })
        .unwrap_or(0);
    Some(format!("{} of {known} known paths used", chosen.covers.len()))
}

/// Whether the stanza may overlap a templated one that the server can fill and the program can't: what decides there is unknown,
/// and any change may take or give something.
fn may_meet_unfilled(joined: &Joined, id: StanzaId, unsure: Option<&Vec<&AccessSet>>) -> bool {
    let Some(unsure) = unsure else {
        return false;
    };
    let (of, stanza) = (&joined.policies[id.policy()], &joined.policies[id]);
    let path = stanza.bare_path();
    let literal = path.split(['+', '*', '{']).next().unwrap_or_default();
    let literal = format!("{}{literal}", of.namespace);
    let mut leads: BTreeSet<&str> = BTreeSet::new();
    let told = unsure.iter().flat_map(|set| &set.unsure).map(String::as_str);
    // What many holders have by the same policies is the same text.
    told.filter(|text| leads.insert(*text))
        .any(|text| text.starts_with(&literal) || literal.starts_with(text))
}
