//! The first proposal: each policy keeps its name and its holders; what nobody used goes, globs narrow to what was used.
//!
//! Every stanza starts as tight as its use allows. The proof then replays every holder; where it fails, the stanzas to blame
//! take a step back (narrowed → capabilities only → as it is), until it holds. The last step back is today's policy, so the
//! repair always ends.

use super::edit::{self, Change, NewStanza};
use super::limits::Limits;
use super::paths::{self, Field, Price, Used};
use super::proof::{self, Failure, Proof, Scheme};
use super::steps::{self, Move, Planned};
use super::templates::{self, Use};
use super::waves;
use crate::access::universe::lead;
use crate::access::{AccessSet, HolderId, Joined, Outcome, StanzaId};
use crate::policy::model::{Policy, Stanza};
use crate::policy::pattern::Pattern;
use crate::policy::profile::Profile;
use crate::policy::template::is_templated;
use crate::vault::{Capability, CapabilitySet, Operation};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How tight a stanza is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// As it stands.
    Keep,
    /// Unused capabilities dropped; the whole stanza, when none is used.
    Capabilities,
    /// Replaced by narrower stanzas.
    Narrow,
}

/// What tightening has to respect.
pub struct Options<'a> {
    /// Prices of stanzas and exposure.
    pub price: &'a Price,
    /// For every policy: whether what is unused in it may go.
    pub removable: &'a [bool],
    /// Mount paths, where they are known.
    pub mounts: &'a [String],
}

/// A tightened policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Tightened {
    /// Index of the policy in [`Joined::policies`].
    pub policy: usize,
    /// Its new text; none where nothing is left of it and nobody needs it.
    pub text: Option<String>,
    /// What was done, a sentence a change.
    pub reasons: Vec<String>,
}

/// The proposal with its proof.
pub struct Tightening {
    /// Every policy that changes.
    pub changed: Vec<Tightened>,
    /// All policies as they would be, and who holds them.
    pub scheme: Scheme,
    /// The proof.
    pub proof: Proof,
    /// The changes in an order in which every step is safe.
    pub steps: Vec<Planned>,
    /// What was wanted and given up, with the reason.
    pub withdrawn: Vec<(String, String)>,
    /// Sum of the prices of all path covers, their lower bound, and whether each was proved to be least.
    pub price: (f64, f64, bool),
}

/// Narrower stanzas for one stanza, with their price.
struct Narrowed {
    stanzas: Vec<NewStanza>,
    cost: f64,
    lower_bound: f64,
    optimal: bool,
}

/// Tightens every policy as far as the proof allows.
#[must_use]
pub fn tighten(joined: &Joined, options: &Options<'_>) -> Tightening {
    let fields = fields(joined);
    let ids: Vec<StanzaId> = joined
        .policies
        .iter()
        .enumerate()
        .flat_map(|(p, policy)| (0..policy.stanzas.len()).map(move |s| (p, s)))
        .collect();
    let mut steps: BTreeMap<StanzaId, Step> = ids.iter().map(|&id| (id, Step::Keep)).collect();
    let narrowed: BTreeMap<StanzaId, Narrowed> = ids
        .par_iter()
        .filter(|id| options.removable.get(id.0).copied().unwrap_or(false))
        .filter_map(|&id| {
            let namespace = &joined.policies.get(id.0)?.namespace;
            Some((
                id,
                narrow(joined, options, namespace, joined.stanza(id)?, fields.get(&id)?)?,
            ))
        })
        .collect();
    let mut unsure: BTreeMap<usize, Vec<&AccessSet>> = BTreeMap::new();
    for set in joined.sets.iter().filter(|set| !set.unsure.is_empty()) {
        for &policy in &set.policies {
            unsure.entry(policy).or_default().push(set);
        }
    }
    for (&id, step) in &mut steps {
        if joined.doubted.contains_key(&id) || may_meet_unfilled(joined, id, unsure.get(&id.0)) {
            continue;
        }
        if options.removable.get(id.0).copied().unwrap_or(false) {
            *step = if narrowed.contains_key(&id) {
                Step::Narrow
            } else {
                Step::Capabilities
            };
        }
    }

    let wanted = steps.clone();
    let mut why: BTreeMap<StanzaId, String> = BTreeMap::new();
    let on = steps.iter().filter(|(_, s)| **s != Step::Keep).map(|(&id, _)| id);
    let mut limits = Limits::new(joined, options.price, on.collect());
    loop {
        let drafts = drafts(joined, options, &steps, (&narrowed, &limits));
        let (scheme, broken) = scheme(joined, &drafts);
        for policy in broken {
            step_back(
                joined,
                &mut steps,
                &mut why,
                policy,
                "its new text would not parse again",
            );
        }
        let (proof, failures) = proof::prove(joined, &scheme);
        if failures.is_empty() {
            let order = match steps::order(joined, moves(joined, &drafts, &scheme)) {
                steps::Order::Safe(order) => order,
                steps::Order::None(policy) => {
                    let reason = "whatever the order of the changes, somebody would have more or less for a while";
                    limits.give_up_all(joined, policy, reason);
                    step_back(joined, &mut steps, &mut why, policy, reason);
                    continue;
                }
            };
            let mut withdrawn = withdrawn(joined, &wanted, &steps, &why);
            withdrawn.extend(limits.given_up());
            let priced = narrowed
                .iter()
                .filter(|(id, _)| steps.get(id) == Some(&Step::Narrow))
                .fold((0.0, 0.0, true), |sum, (_, n)| {
                    (sum.0 + n.cost, sum.1 + n.lower_bound, sum.2 && n.optimal)
                });
            return Tightening {
                changed: drafts.into_iter().filter(|d| d.changed).map(|d| d.tightened).collect(),
                scheme,
                proof,
                steps: order,
                withdrawn,
                price: priced,
            };
        }
        if !blame(joined, &scheme, &failures, &mut steps, &mut limits, &mut why) {
            // Nothing to blame is left that could step back: today's policies stand.
            for policy in 0..joined.policies.len() {
                step_back(joined, &mut steps, &mut why, policy, "no tighter set could be proven");
            }
        }
    }
}

/// What a stanza was used for: path → who → capabilities.
type UsedBy = BTreeMap<String, BTreeMap<HolderId, CapabilitySet>>;

/// What each stanza was used for.
fn fields(joined: &Joined) -> BTreeMap<StanzaId, UsedBy> {
    let mut fields: BTreeMap<StanzaId, UsedBy> = BTreeMap::new();
    for d in &joined.demands {
        let Outcome::Explained(rule) = d.outcome else { continue };
        let Some(set) = joined.sets.get(d.set) else { continue };
        let Some(rule) = set.acl.rule(rule) else { continue };
        for source in &rule.sources {
            let Some(&policy) = set.policies.get(source.policy) else {
                continue;
            };
            let needed = d
                .needs()
                .intersection(source.capabilities)
                .with_write_twin()
                .intersection(source.capabilities);
            if needed.is_empty() {
                continue;
            }
            let used = fields
                .entry((policy, source.stanza))
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
    let written = format!("{namespace}{}", stanza.path.strip_prefix('/').unwrap_or(&stanza.path));
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

struct Draft {
    tightened: Tightened,
    changed: bool,
}

fn drafts(
    joined: &Joined,
    options: &Options<'_>,
    steps: &BTreeMap<StanzaId, Step>,
    made: (&BTreeMap<StanzaId, Narrowed>, &Limits<'_>),
) -> Vec<Draft> {
    joined
        .policies
        .iter()
        .enumerate()
        .map(|(p, policy)| draft(joined, options, p, policy, steps, made))
        .collect()
}

/// The policies that change, with what they become and the wave that they belong to.
fn moves(joined: &Joined, drafts: &[Draft], scheme: &Scheme) -> Vec<Move> {
    let is = |p: &&Policy, of: &Policy| p.name == of.name && p.namespace == of.namespace;
    let changed = drafts.iter().filter(|draft| draft.changed);
    changed
        .filter_map(|draft| {
            let policy = draft.tightened.policy;
            let old = joined.policies.get(policy)?;
            let to = scheme.policies.iter().find(|p| is(p, old)).cloned();
            let to = to.filter(|_| draft.tightened.text.is_some());
            let wave = waves::of(joined, policy, to.as_ref());
            Some(Move { policy, to, wave })
        })
        .collect()
}

fn draft(
    joined: &Joined,
    options: &Options<'_>,
    p: usize,
    policy: &Policy,
    steps: &BTreeMap<StanzaId, Step>,
    (narrowed, limits): (&BTreeMap<StanzaId, Narrowed>, &Limits<'_>),
) -> Draft {
    let removable = options.removable.get(p).copied().unwrap_or(false);
    let unheld = joined.held_by.get(p).is_none_or(BTreeSet::is_empty);
    if removable && unheld && !policy.is_root() && &*policy.name != "default" {
        return Draft {
            tightened: Tightened {
                policy: p,
                text: None,
                reasons: vec!["nobody held it in what was seen".to_owned()],
            },
            changed: true,
        };
    }
    let mut reasons = Vec::new();
    let changes: Vec<Change> = policy
        .stanzas
        .iter()
        .enumerate()
        .map(|(s, stanza)| {
            let step = steps.get(&(p, s)).copied().unwrap_or(Step::Keep);
            let change = change(joined, (p, s), stanza, step, narrowed.get(&(p, s)));
            let change = limits.put(&policy.namespace, (p, s), stanza, change);
            reasons.extend(edit::describe(stanza, &change));
            change
        })
        .collect();
    let changed = changes.iter().any(|c| *c != Change::Keep);
    Draft {
        tightened: Tightened {
            policy: p,
            text: Some(if changed {
                edit::apply(policy, &changes)
            } else {
                policy.source.to_string()
            }),
            reasons,
        },
        changed,
    }
}

fn change(joined: &Joined, id: StanzaId, stanza: &Stanza, step: Step, narrowed: Option<&Narrowed>) -> Change {
    let granted = stanza.capability_set();
    if step == Step::Keep || granted.contains(Capability::Deny) || stanza.templated && is_unfilled(joined, id) {
        return Change::Keep;
    }
    if let (Step::Narrow, Some(narrowed)) = (step, narrowed) {
        return Change::Replace(narrowed.stanzas.clone());
    }
    let used: CapabilitySet = joined
        .uses
        .get(&id)
        .map(|u| u.keys().copied().collect())
        .unwrap_or_default();
    let used = used.with_write_twin().intersection(granted);
    if used.is_empty() {
        Change::Drop
    } else if used == granted {
        Change::Keep
    } else {
        Change::Capabilities(
            stanza
                .capabilities
                .iter()
                .copied()
                .filter(|c| used.contains(*c))
                .collect(),
        )
    }
}

/// Whether the stanza's template could not be filled for a holder: then its use can't be told, and it stays.
fn is_unfilled(joined: &Joined, id: StanzaId) -> bool {
    joined.sets.iter().any(|set| set.unfilled.contains(&id))
}

/// Whether the stanza may overlap a templated one that the server can fill and the program can't: what decides there is unknown,
/// and any change may take or give something.
fn may_meet_unfilled(joined: &Joined, id: StanzaId, unsure: Option<&Vec<&AccessSet>>) -> bool {
    let (Some(unsure), Some(of), Some(stanza)) = (unsure, joined.policies.get(id.0), joined.stanza(id)) else {
        return false;
    };
    let path = stanza.path.strip_prefix('/').unwrap_or(&stanza.path);
    let literal = path.split(['+', '*', '{']).next().unwrap_or_default();
    let literal = format!("{}{literal}", of.namespace);
    let mut leads: BTreeSet<&str> = BTreeSet::new();
    let told = unsure.iter().flat_map(|set| &set.unsure).map(String::as_str);
    // What many holders have by the same policies is the same text.
    told.filter(|text| leads.insert(*text))
        .any(|text| text.starts_with(&literal) || literal.starts_with(text))
}

/// The policies as drafted, in force for the same holders; and those whose text does not parse again.
fn scheme(joined: &Joined, drafts: &[Draft]) -> (Scheme, Vec<usize>) {
    let mut broken = Vec::new();
    let mut at: Vec<Option<usize>> = Vec::new();
    let mut policies = Vec::new();
    for (draft, original) in drafts.iter().zip(&joined.policies) {
        let parsed = match (&draft.tightened.text, draft.changed) {
            (None, _) => None,
            (Some(_), false) => Some(original.clone()),
            (Some(text), true) => match reparse(joined.profile, original, text) {
                Some(policy) => Some(policy),
                None => {
                    broken.push(draft.tightened.policy);
                    Some(original.clone())
                }
            },
        };
        at.push(parsed.map(|policy| {
            policies.push(policy);
            policies.len() - 1
        }));
    }
    let mut given = BTreeMap::new();
    for (n, set) in joined.sets.iter().enumerate() {
        let list: Vec<usize> = set
            .policies
            .iter()
            .filter_map(|&p| at.get(p).copied().flatten())
            .collect();
        for &holder in &set.holders {
            given.insert((n, holder), list.clone());
        }
    }
    (Scheme { policies, given }, broken)
}

fn reparse(profile: Profile, original: &Policy, text: &str) -> Option<Policy> {
    let mut policy = crate::policy::syntax::parse(&original.name, &original.file, text, &profile.dialect()).ok()?;
    policy.namespace = original.namespace.clone();
    Some(policy)
}

/// Lets every stanza that a failure blames take a step back; if none can, everything in its set does. Whether any did.
fn blame(
    joined: &Joined,
    scheme: &Scheme,
    failures: &[Failure],
    steps: &mut BTreeMap<StanzaId, Step>,
    limits: &mut Limits<'_>,
    why: &mut BTreeMap<StanzaId, String>,
) -> bool {
    let mut moved = false;
    let mut blamed: BTreeMap<StanzaId, String> = BTreeMap::new();
    for failure in failures {
        let (set_id, holder, path, operation, reason) = match failure {
            Failure::Denied { demand } => {
                let Some(d) = joined.demands.get(*demand) else { continue };
                let reason = format!(
                    "`{}` would lose {} on `{}`",
                    holder_name(joined, d.holder),
                    d.demand.capability,
                    d.path
                );
                (d.set, d.holder, d.path.clone(), d.operation(), reason)
            }
            Failure::Granted {
                set,
                path,
                operation,
                holders,
            } => {
                let who = holders.first().map_or("somebody", |&h| holder_name(joined, h));
                (
                    *set,
                    holders.first().copied().unwrap_or_default(),
                    path.clone(),
                    *operation,
                    format!("`{who}` would gain {operation} on `{path}`"),
                )
            }
            Failure::Undecided { set, holders, reason } => (
                *set,
                holders.first().copied().unwrap_or_default(),
                String::new(),
                Operation::Other,
                format!("the proof could not be finished: {reason}"),
            ),
        };
        let Some(set) = joined.sets.get(set_id) else { continue };
        let mut candidates: BTreeSet<StanzaId> = BTreeSet::new();
        if operation != Operation::Other {
            if let Some(rule) = set.acl.winner(operation, &path).and_then(|r| set.acl.rule(r)) {
                candidates.extend(
                    rule.sources
                        .iter()
                        .filter_map(|s| Some((*set.policies.get(s.policy)?, s.stanza))),
                );
            }
            candidates.extend(replacing(joined, scheme, (set_id, holder), operation, &path));
        }
        if !candidates
            .iter()
            .any(|id| can_step_back(steps, *id) || limits.is_on(*id))
        {
            candidates = set
                .policies
                .iter()
                .flat_map(|&p| {
                    joined
                        .policies
                        .get(p)
                        .into_iter()
                        .flat_map(move |q| (0..q.stanzas.len()).map(move |s| (p, s)))
                })
                .collect();
        }
        for id in candidates {
            blamed.entry(id).or_insert_with(|| reason.clone());
        }
    }
    for (id, reason) in blamed {
        if limits.give_up(joined, id, &reason) {
            moved = true;
            continue;
        }
        if let Some(step) = steps.get_mut(&id) {
            let next = match *step {
                Step::Narrow => Step::Capabilities,
                Step::Capabilities | Step::Keep => Step::Keep,
            };
            if next != *step {
                *step = next;
                why.insert(id, reason);
                moved = true;
            }
        }
    }
    moved
}

/// Original stanzas whose replacement wins on `path` under the scheme.
fn replacing(
    joined: &Joined,
    scheme: &Scheme,
    (set_id, holder): (usize, HolderId),
    operation: Operation,
    path: &str,
) -> Vec<StanzaId> {
    let Some(set) = joined.sets.get(set_id) else {
        return Vec::new();
    };
    let Some(given) = scheme.given.get(&(set_id, holder)) else {
        return Vec::new();
    };
    let chosen: Vec<&Policy> = given.iter().filter_map(|&p| scheme.policies.get(p)).collect();
    let acl = scheme.acl(joined, set_id, holder, given);
    let Some(rule) = acl.winner(operation, path).and_then(|r| acl.rule(r)) else {
        return Vec::new();
    };
    let names: BTreeSet<Arc<str>> = rule
        .sources
        .iter()
        .filter_map(|s| chosen.get(s.policy).map(|p| p.name.clone()))
        .collect();
    set.policies
        .iter()
        .filter_map(|&p| Some((p, joined.policies.get(p)?)))
        .filter(|(_, policy)| names.contains(&policy.name))
        .flat_map(|(p, policy)| {
            let winner = rule.pattern.clone();
            policy.stanzas.iter().enumerate().filter_map(move |(s, stanza)| {
                let old = Pattern::parse(&stanza.path, &policy.namespace).ok()?;
                crate::policy::relation::implies(&winner, &old).then_some((p, s))
            })
        })
        .collect()
}

fn can_step_back(steps: &BTreeMap<StanzaId, Step>, id: StanzaId) -> bool {
    steps.get(&id).is_some_and(|s| *s != Step::Keep)
}

fn step_back(
    joined: &Joined,
    steps: &mut BTreeMap<StanzaId, Step>,
    why: &mut BTreeMap<StanzaId, String>,
    policy: usize,
    reason: &str,
) {
    let stanzas = joined.policies.get(policy).map_or(0, |p| p.stanzas.len());
    for s in 0..stanzas {
        steps.insert((policy, s), Step::Keep);
        why.insert((policy, s), reason.to_owned());
    }
}

fn holder_name(joined: &Joined, holder: usize) -> &str {
    joined.holders.get(holder).map_or("somebody", |h| h.display())
}

fn withdrawn(
    joined: &Joined,
    wanted: &BTreeMap<StanzaId, Step>,
    steps: &BTreeMap<StanzaId, Step>,
    why: &BTreeMap<StanzaId, String>,
) -> Vec<(String, String)> {
    wanted
        .iter()
        .filter(|(id, want)| steps.get(id).is_some_and(|step| step < want))
        .filter_map(|(id, want)| {
            let stanza = joined.stanza(*id)?;
            let policy = joined.policies.get(id.0)?;
            let what = match want {
                Step::Narrow => "narrowing",
                _ => "dropping unused capabilities of",
            };
            let reason = why.get(id).cloned().unwrap_or_default();
            Some((format!("{what} `{}` in policy `{}`", stanza.path, policy.name), reason))
        })
        .collect()
}
