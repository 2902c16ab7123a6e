//! What is not explained: which stanzas bear on it.
//!
//! A request that was allowed and that the policies as read do not allow was allowed by something: a policy that was not read,
//! one that was read under another name, an older or newer text of one that was, or one that the log's list leaves out. Every
//! stanza that matches its path, in whatever policy that its maker holds or may hold, could have been what allowed it, or could
//! decide it once another is changed. Such a stanza is in doubt: it is not touched, for anybody. Only what the maker's lists rule
//! out and somebody else is known to hold was it not. Where no stanza that its maker is known to hold matches, all of these are in
//! doubt: path or list are not what they seem (pipelines replace what they are told to hide).

use super::attribute::allowed_by;
use super::by_name::{ByName, PolicyNumber};
use super::demand::{Holding, JoinedDemand, Outcome};
use super::holder::{Holder, HolderId};
use super::lists::MayHold;
use super::sets::{AccessSet, SetId, StanzaId};
use crate::index::IndexVec;
use crate::policy::model::{Policy, Stanza};
use crate::policy::pattern::Pattern;
use crate::policy::relation;
use crate::policy::table::Table;
use crate::policy::template::{is_templated, literal_start};
use crate::usage::held::{Granting, Namespaces};
use crate::vault::{Capability, Operation, PolicyId, path, secret};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// Why a stanza is in doubt: the first request that it may have allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Doubt {
    /// The path, namespace in front.
    pub path: Arc<str>,
    /// What was asked for.
    pub capability: Capability,
    /// By whom.
    pub holder: HolderId,
    /// Whether the log does not say in which namespace.
    pub is_unplaced: bool,
    /// The policy that the server names as what allowed it, where by the texts as read another one did.
    pub named: Option<PolicyId>,
}

impl Doubt {
    /// What is open because of a demand.
    fn by(d: &JoinedDemand) -> Self {
        Self {
            path: Arc::from(d.path.as_str()),
            capability: d.demand.capability,
            holder: d.holder,
            is_unplaced: false,
            named: None,
        }
    }
}

/// What doubts are made of.
pub(super) struct Known<'a> {
    pub(super) policies: &'a Table,
    pub(super) demands: &'a [JoinedDemand],
    pub(super) sets: &'a IndexVec<AccessSet>,
    pub(super) sets_of: &'a IndexVec<Holder, BTreeSet<SetId>>,
    pub(super) held: &'a IndexVec<Policy, Holding>,
    pub(super) may_hold: &'a MayHold,
    pub(super) by_name: &'a ByName<'a>,
    pub(super) namespaces: &'a Namespaces,
}

impl Known<'_> {
    /// Whether the lists of this holder name a policy that was not read.
    fn holds_unread(&self, holder: HolderId) -> bool {
        let mut sets = self.sets_of[holder].iter().map(|&set| &self.sets[set]);
        sets.any(|set| !set.missing.is_empty())
    }
}

/// The stanzas in doubt, and whose requests put them there.
pub(super) fn stanzas(known: &Known<'_>) -> (BTreeMap<StanzaId, Doubt>, BTreeSet<HolderId>) {
    let mut doubted = BTreeMap::new();
    marked(known, &mut doubted);
    contradicted(known, &mut doubted);
    let by_holder = unexplained(known);
    if by_holder.is_empty() {
        return (doubted, BTreeSet::new());
    }
    // Of a request that does not say its namespace nobody can say what matches it.
    let mut doubts = by_holder.values().flat_map(BTreeMap::values);
    let unplaced = doubts.find(|doubt| doubt.is_unplaced);
    let is_matched = |holder: HolderId, doubt: &Doubt| {
        let operation = Operation::of(doubt.capability).unwrap_or(Operation::Other);
        let mut sets = known.sets_of[holder].iter().map(|&set| &known.sets[set]);
        sets.any(|set| set.acl.winner(operation, &doubt.path).is_some())
    };
    let makers = Makers::of(known, &by_holder, &is_matched);
    for (number, policy) in known.policies.numbered() {
        let asked = makers.may_have(known, number, policy);
        for id in known.policies.stanzas_of(number) {
            note(&mut doubted, id, unplaced);
            for asked in &asked {
                note(
                    &mut doubted,
                    id,
                    first_match(&policy.namespace, &known.policies[id], asked),
                );
            }
        }
    }
    for (&holder, asked) in &by_holder {
        let sets = || known.sets_of[holder].iter().map(|&set| &known.sets[set]);
        // Nothing that it is known to hold is about this path: then not even the path is to be relied on, or not the list.
        let Some(doubt) = asked.values().find(|doubt| !is_matched(holder, doubt)) else {
            continue;
        };
        let held: BTreeSet<PolicyNumber> = sets().flat_map(|set| set.policies.iter().copied()).collect();
        for id in held.into_iter().flat_map(|policy| known.policies.stanzas_of(policy)) {
            note(&mut doubted, id, Some(doubt));
        }
    }
    (doubted, by_holder.into_keys().collect())
}

/// Whose requests are not explained, by what rules out that they hold a policy.
struct Makers<'a> {
    by_holder: &'a BTreeMap<HolderId, Asked>,
    /// What those asked for whose lists rule out nothing.
    open: Asked,
    /// What those asked for whose lists rule out other policies of a namespace, by that.
    settled: BTreeMap<&'a str, Asked>,
}

impl<'a> Makers<'a> {
    fn of(
        known: &Known<'a>,
        by_holder: &'a BTreeMap<HolderId, Asked>,
        is_matched: &dyn Fn(HolderId, &Doubt) -> bool,
    ) -> Self {
        let mut makers = Self {
            by_holder,
            open: Asked::new(),
            settled: BTreeMap::new(),
        };
        for (&holder, asked) in by_holder {
            let settled = known.may_hold.settled_in(holder);
            for (path, doubt) in asked {
                // A list of which all was read and nothing is about what was allowed is not all that there is.
                let is_whole = is_matched(holder, doubt) || known.holds_unread(holder);
                let of = match settled.filter(|_| is_whole) {
                    Some(space) => makers.settled.entry(space).or_default(),
                    None => &mut makers.open,
                };
                of.entry(path.clone()).or_insert_with(|| doubt.clone());
            }
        }
        makers
    }

    /// What was asked for by those who have a policy, or may have it.
    fn may_have(&self, known: &Known<'_>, number: PolicyNumber, policy: &Policy) -> Vec<&Asked> {
        let held_by = Some(&known.held[number].by).filter(|who| !who.is_empty());
        // What nobody is known to hold may be held under another name.
        let rules_out = |space: &str| held_by.is_some() && space == &*policy.namespace;
        let settled = self.settled.iter().filter(|(space, _)| !rules_out(space));
        let all = std::iter::once(&self.open).chain(settled.map(|(_, asked)| asked));
        let own = held_by
            .into_iter()
            .flatten()
            .filter_map(|holder| self.by_holder.get(holder));
        all.chain(own).collect()
    }
}

/// Of a path with a mark in the place of a secret not all is known: what it was allowed by stays as it is, and so does every stanza
/// that has a secret in its own path and may be about that one.
fn marked(known: &Known<'_>, doubted: &mut BTreeMap<StanzaId, Doubt>) {
    let mut asked: BTreeMap<String, Doubt> = BTreeMap::new();
    let marked = |d: &&JoinedDemand| d.was_allowed() && secret::is_marked(&d.path);
    for d in known.demands.iter().filter(marked) {
        let Some(pattern) = with_holes(&d.path, secret::is_mark) else {
            continue;
        };
        let doubt = Doubt::by(d);
        for (stanza, _) in allowed_by(d, known.sets) {
            note(doubted, stanza, Some(&doubt));
        }
        let first = asked.entry(pattern).or_insert_with(|| doubt.clone());
        if doubt < *first {
            *first = doubt;
        }
    }
    replaced(known, doubted);
    let asked: Vec<(Option<Pattern>, Doubt)> = asked
        .into_iter()
        .map(|(pattern, doubt)| (Pattern::parse(&pattern, "").ok(), doubt))
        .collect();
    for id in known.policies.stanzas() {
        let path = &known.policies[id].path;
        let Cow::Owned(own) = secret::path(path) else { continue };
        let namespace = &known.policies[id.policy()].namespace;
        let own = with_holes(&own, secret::is_mark).filter(|_| !is_templated(path));
        let own = own.and_then(|own| Pattern::parse(&own, namespace).ok());
        let of_it = asked
            .iter()
            .filter(|(pattern, _)| relation::may_meet(pattern.as_ref(), own.as_ref()));
        for (_, doubt) in of_it {
            note(doubted, id, Some(doubt));
        }
    }
}

/// Of a path in which a pipeline replaced something nobody knows what was asked for: whatever of its maker's list could have decided it
/// stays as it is.
fn replaced(known: &Known<'_>, doubted: &mut BTreeMap<StanzaId, Doubt>) {
    let mut looked_at: BTreeSet<(SetId, String)> = BTreeSet::new();
    for d in known.demands.iter().filter(|d| d.was_allowed()) {
        let Some(pattern) = with_holes(&d.path, secret::is_replaced) else {
            continue;
        };
        if !looked_at.insert((d.set, pattern.clone())) {
            continue;
        }
        let doubt = Doubt::by(d);
        let asked = Pattern::parse(&pattern, "").ok();
        for &number in &known.sets[d.set].policies {
            let namespace = &known.policies[number].namespace;
            for id in known.policies.stanzas_of(number) {
                let own = pattern_of(namespace, &known.policies[id]);
                if relation::may_meet(asked.as_ref(), own.as_ref()) {
                    note(doubted, id, Some(&doubt));
                }
            }
        }
    }
}

/// A path with `+` for each segment that is not what was asked for, and with `*` where that is the last, or what comes after it is not
/// known either; none where all of it is.
fn with_holes(path: &str, is_hole: fn(&str) -> bool) -> Option<String> {
    if !path.split('/').any(is_hole) {
        return None;
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        let is_hole = is_hole(segment);
        segments.push(if is_hole { "+" } else { segment });
        if is_hole && secret::is_cut(segment) {
            break;
        }
    }
    if let Some(last) = segments.last_mut().filter(|last| **last == "+") {
        *last = "*";
    }
    Some(segments.join("/"))
}

/// The policies read that the server names as what allowed a demand. Of one that it does not place any of that name may be meant.
fn named(known: &Known<'_>, d: &JoinedDemand) -> Vec<PolicyNumber> {
    let mut found = Vec::new();
    for Granting { space, name } in &d.demand.granting {
        let at = space.as_ref().and_then(|space| known.namespaces.path(space));
        match at {
            Some(at) => found.extend(known.by_name.find(&at, name)),
            None => {
                let spaces = known.by_name.namespaces().into_iter();
                found.extend(spaces.filter_map(|space| known.by_name.find(space, name)));
            }
        }
    }
    found
}

/// What the server names was asked and used. Where by the texts as read it allowed nothing of that request, its stanzas about the path
/// are in doubt; and where none of those that it names did, its text on the server is another: then all of it is where nothing of it
/// is about the path, and so is what would have allowed the request by the texts.
fn contradicted(known: &Known<'_>, doubted: &mut BTreeMap<StanzaId, Doubt>) {
    let is_explained = |d: &&JoinedDemand| matches!(d.outcome, Outcome::Explained(_));
    let of = |d: &JoinedDemand| (d.holder, Arc::<str>::from(d.path.as_str()), d.demand.capability);
    // Seldom any: only of these the other lists of the same holder are asked.
    let mut open: BTreeMap<(HolderId, Arc<str>, Capability), Contradicted> = BTreeMap::new();
    let named_ones = known
        .demands
        .iter()
        .filter(|d| d.was_allowed() && !d.demand.granting.is_empty());
    for d in named_ones.filter(is_explained) {
        let (named, explaining) = (named(known, d), explaining(known, d));
        if named.iter().any(|policy| !explaining.contains(policy)) {
            open.entry(of(d)).or_default().named.extend(named);
        }
    }
    if open.is_empty() {
        return;
    }
    for d in known.demands.iter().filter(is_explained) {
        if let Some(open) = open.get_mut(&of(d)) {
            open.explaining.extend(explaining(known, d));
            open.by.extend(allowed_by(d, known.sets).map(|(id, _)| id));
        }
    }
    for ((holder, path, capability), Contradicted { named, explaining, by }) in open {
        let none_did = named.is_disjoint(&explaining);
        for &policy in named.difference(&explaining) {
            let doubt = Doubt {
                path: path.clone(),
                capability,
                holder,
                is_unplaced: false,
                named: Some(known.policies[policy].id()),
            };
            let asked = Asked::from([(path.clone(), doubt.clone())]);
            let namespace = &known.policies[policy].namespace;
            let about = |id: &StanzaId| first_match(namespace, &known.policies[*id], &asked).is_some();
            let stanzas: Vec<StanzaId> = known.policies.stanzas_of(policy).filter(about).collect();
            let all = known
                .policies
                .stanzas_of(policy)
                .filter(|_| none_did && stanzas.is_empty());
            let decided = by.iter().copied().filter(|_| none_did);
            for id in stanzas.iter().copied().chain(all).chain(decided) {
                note(doubted, id, Some(&doubt));
            }
        }
    }
}

/// A request of which the server names other policies than explain it.
#[derive(Default)]
struct Contradicted {
    named: BTreeSet<PolicyNumber>,
    /// Those that explain it, by any list of its maker, and their stanzas.
    explaining: BTreeSet<PolicyNumber>,
    by: BTreeSet<StanzaId>,
}

/// The policies that give what a demand asked for.
fn explaining(known: &Known<'_>, d: &JoinedDemand) -> BTreeSet<PolicyNumber> {
    let giving = allowed_by(d, known.sets).filter(|(_, given)| given.contains(d.demand.capability));
    giving.map(|(id, _)| id.policy()).collect()
}

/// Notes why a stanza is in doubt: of several reasons the least, so that the order does not matter.
fn note(doubted: &mut BTreeMap<StanzaId, Doubt>, stanza: StanzaId, doubt: Option<&Doubt>) {
    let Some(doubt) = doubt else { return };
    let known = doubted.entry(stanza).or_insert_with(|| doubt.clone());
    if doubt < known {
        *known = doubt.clone();
    }
}

/// Unexplained paths, sorted, each with what asked for it.
type Asked = BTreeMap<Arc<str>, Doubt>;

/// What was allowed and is explained by none of its maker's sets, by its maker.
fn unexplained(known: &Known<'_>) -> BTreeMap<HolderId, Asked> {
    let mut by_holder: BTreeMap<HolderId, Asked> = BTreeMap::new();
    let open = || known.demands.iter().filter(|d| d.outcome == Outcome::NotExplained);
    let makers: BTreeSet<HolderId> = open().map(|d| d.holder).collect();
    let explained = known.demands.iter().filter(|d| makers.contains(&d.holder));
    let explained = explained.filter(|d| matches!(d.outcome, Outcome::Explained(_)));
    let explained: BTreeSet<(HolderId, &str, Capability)> = explained
        .map(|d| (d.holder, d.path.as_str(), d.demand.capability))
        .collect();
    for d in open().filter(|d| !explained.contains(&(d.holder, d.path.as_str(), d.demand.capability))) {
        let path: Arc<str> = Arc::from(d.path.as_str());
        let doubt = Doubt {
            path: path.clone(),
            capability: d.demand.capability,
            holder: d.holder,
            is_unplaced: path::is_unplaced(&d.demand.namespace),
            named: None,
        };
        by_holder.entry(d.holder).or_default().entry(path).or_insert(doubt);
    }
    by_holder
}

/// The first of the paths that the stanza may match. A template may be filled with anything.
fn first_match<'a>(namespace: &str, stanza: &Stanza, asked: &'a Asked) -> Option<&'a Doubt> {
    let pattern = pattern_of(namespace, stanza);
    let matches = |path: &str| {
        let is = |pattern: &Pattern| {
            pattern.matches(path) || path.strip_suffix('/').is_some_and(|path| pattern.matches(path))
        };
        pattern.as_ref().is_none_or(is)
    };
    let lead = format!("{namespace}{}", literal_start(&stanza.path));
    // An exact `a` answers the list of `a/` as well, which begins with it.
    let from = asked.range::<str, _>((Bound::Included(lead.as_str()), Bound::Unbounded));
    from.take_while(|(path, _)| path.starts_with(&lead))
        .find(|(path, _)| matches(path))
        .map(|(_, doubt)| doubt)
}

/// The pattern of a stanza; none where it may match anything: a template, or what is no pattern to us and may be one to the server.
fn pattern_of(namespace: &str, stanza: &Stanza) -> Option<Pattern> {
    let known = !is_templated(&stanza.path);
    known.then(|| Pattern::parse(&stanza.path, namespace).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::syntax::{self, Dialect};

    fn first(stanza: &str, paths: &[&str]) -> Option<String> {
        let text = format!("path \"{stanza}\" {{ capabilities = [\"read\"] }}");
        let policy = syntax::parse("p", "p.hcl", &text, &Dialect::default()).unwrap();
        let asked: Asked = paths
            .iter()
            .map(|path| {
                let path: Arc<str> = Arc::from(*path);
                let doubt = Doubt {
                    path: path.clone(),
                    capability: Capability::Read,
                    holder: IndexVec::<Holder, ()>::new().push(()),
                    is_unplaced: false,
                    named: None,
                };
                (path, doubt)
            })
            .collect();
        first_match("team/", &policy.stanzas[0], &asked).map(|doubt| doubt.path.to_string())
    }

    #[test]
    fn what_was_replaced_or_cut_off_may_have_been_anything() {
        for (path, want) in [
            ("kv/a/b", None),
            ("kv/[REDACTED]/b", Some("kv/+/b")),
            ("kv/w\u{fffd}b/b", Some("kv/+/b")),
            ("kv/w?b", Some("kv/*")),
            ("kv/a/we…/b", Some("kv/a/*")),
            ("kv/a/we...", Some("kv/a/*")),
            ("kv/a../b", None),
        ] {
            assert_eq!(with_holes(path, secret::is_replaced).as_deref(), want, "{path}");
        }
    }

    #[test]
    fn whatever_may_match_is_in_doubt() {
        let paths = ["team/kv/a", "team/kv/b/", "other"];
        assert_eq!(first("kv/*", &paths).as_deref(), Some("team/kv/a"));
        assert_eq!(first("kv/b", &paths).as_deref(), Some("team/kv/b/"));
        assert_eq!(first("+/b", &paths).as_deref(), Some("team/kv/b/"));
        assert_eq!(
            first("{{identity.entity.name}}/x", &paths).as_deref(),
            Some("team/kv/a")
        );
        assert_eq!(first("kv/c*", &paths), None);
        assert_eq!(first("other", &paths), None);
    }
}
