//! What servers ask policies for besides the path of a request: which keys a list shows (OpenBao's
//! `list_scan_response_keys_filter_path`), which events a subscription gets (Vault Enterprise), and whether anything is granted below
//! a mount, for the question that clients ask before they use KV. No log tells that these stanzas were asked, so whatever may have
//! been counts as used. So does what takes over from a stanza that will expire (OpenBao's `expiration`), and what decides on other
//! versions, where nothing says which the server has.

use super::attribute::allowed_by;
use super::demand::{JoinedDemand, Outcome};
use super::holder::HolderId;
use super::sets::{AccessSet, SetId, StanzaId};
use crate::index::IndexVec;
use crate::policy::acl::Acl;
use crate::policy::model::{Policy, Stanza};
use crate::policy::profile::{ListRule, Profile};
use crate::policy::table::{Table, stanza_in};
use crate::policy::template::literal_start;
use crate::vault::{Capability, CapabilitySet, Operation, protected};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

/// A stanza with its policy.
type Held<'a> = (StanzaId, &'a Policy, &'a Stanza);

/// The stanzas that may have been asked, or will be, with the reason; `mounts` are those of the deployment, each with its namespace,
/// and `now` is what the sets were compiled for.
pub(super) fn kept(
    policies: &Table,
    demands: &[JoinedDemand],
    sets: &IndexVec<AccessSet>,
    mounts: &[String],
    (profile, now): (Profile, Option<i64>),
) -> BTreeMap<StanzaId, Arc<str>> {
    let subscribed = demands
        .iter()
        .filter(|d| d.was_allowed() && d.demand.path.starts_with("sys/events/subscribe/"));
    let subscribers: BTreeSet<HolderId> = subscribed.map(|d| d.holder).collect();
    let mut kept = below_mounts(policies, demands, sets, mounts);
    kept.extend(heirs(policies, demands, sets, profile, now));
    if profile.is_assumed() {
        kept.extend(by_other_versions(demands, sets));
    }
    for set in sets {
        let held: Vec<Held<'_>> = held(policies, set).collect();
        for (_, policy, list) in &held {
            if let Some(filter) = list.constraints.list_filter.as_deref() {
                let shown = format!("{}{}", policy.namespace, literal_start(filter));
                let reason: Arc<str> = Arc::from(format!("it decides which keys the list of `{}` shows", list.path));
                let deciding = held
                    .iter()
                    .filter(|(_, policy, stanza)| may_meet(policy, stanza, &shown));
                kept.extend(deciding.map(|(id, ..)| (*id, reason.clone())));
            }
        }
        if !set.holders.is_disjoint(&subscribers) {
            let reason: Arc<str> = Arc::from("it decides which events its holders get that subscribe to them");
            let deciding = held.iter().filter(|(_, _, stanza)| may_be_of_events(stanza));
            kept.extend(deciding.map(|(id, ..)| (*id, reason.clone())));
        }
    }
    kept
}

/// Stanzas with why they are kept.
pub(super) type Kept = BTreeMap<StanzaId, Arc<str>>;

/// Keeps what would give a demand what it asked for in the place of the stanzas that do today.
fn keep_others(
    kept: &mut Kept,
    d: &JoinedDemand,
    sets: &IndexVec<AccessSet>,
    deciding: impl Iterator<Item = (StanzaId, CapabilitySet)>,
    why: impl Fn() -> String,
) {
    let today: BTreeSet<StanzaId> = allowed_by(d, sets).map(|(stanza, _)| stanza).collect();
    for (stanza, given) in deciding {
        if given.contains(d.demand.capability) && !today.contains(&stanza) {
            kept.entry(stanza).or_insert_with(|| Arc::from(why()));
        }
    }
}

/// What decides the lists that were asked for on servers of other versions, where nothing says of which the server is.
fn by_other_versions(demands: &[JoinedDemand], sets: &IndexVec<AccessSet>) -> Kept {
    let mut kept = Kept::new();
    let lists = demands.iter().filter(|d| d.was_allowed() && d.path.ends_with('/'));
    let lists = lists.filter(|d| matches!(d.operation(), Operation::List | Operation::Scan));
    for d in lists.filter(|d| matches!(d.outcome, Outcome::Explained(_))) {
        let set = &sets[d.set];
        let winners = ListRule::ALL
            .into_iter()
            .filter_map(|rule| set.acl.winner_by(Some(rule), &d.path));
        let deciding = winners.flat_map(|rule| set.sources(rule));
        keep_others(&mut kept, d, sets, deciding, || {
            let path = &d.path;
            format!(
                "it decides the list of `{path}` on other versions, and nothing says which the server has (`--server`)"
            )
        });
    }
    kept
}

/// More moments than this, at which a stanza of a set expires, are taken as one: at the last of them.
const MOST_MOMENTS: usize = 16;

/// What decides what was used once a stanza has expired that decided it till now.
fn heirs(
    policies: &Table,
    demands: &[JoinedDemand],
    sets: &IndexVec<AccessSet>,
    profile: Profile,
    now: Option<i64>,
) -> Kept {
    let mut kept = Kept::new();
    let is_to_come = |at: &i64| now.is_none_or(|now| now <= *at);
    let mut moments: BTreeMap<SetId, BTreeSet<i64>> = BTreeMap::new();
    for (id, set) in sets.numbered() {
        let expirations = held(policies, set).filter_map(|(_, _, stanza)| stanza.constraints.expiration);
        for moment in expirations.filter(is_to_come) {
            moments.entry(id).or_default().insert(moment);
        }
    }
    if moments.is_empty() {
        return kept;
    }
    let mut used: BTreeMap<SetId, Vec<&JoinedDemand>> = BTreeMap::new();
    let explained = demands
        .iter()
        .filter(|d| matches!(d.outcome, Outcome::Explained(_)) && d.was_allowed());
    for d in explained.filter(|d| moments.contains_key(&d.set)) {
        used.entry(d.set).or_default().push(d);
    }
    for (id, used) in used {
        let (set, moments) = (&sets[id], moments.remove(&id).unwrap_or_default());
        let skipped = moments.len().saturating_sub(MOST_MOMENTS);
        for moment in moments.into_iter().skip(skipped) {
            let then = moment.saturating_add(1);
            let later = Acl::compile(profile, &policies.listed(&set.policies), &set.identity, Some(then));
            for d in &used {
                let rule = later.winner(d.operation(), &d.path).and_then(|rule| later.rule(rule));
                let sources = rule.into_iter().flat_map(|rule| &rule.sources);
                let deciding = sources.map(|source| (stanza_in(&set.policies, source), source.capabilities));
                keep_others(&mut kept, d, sets, deciding, || {
                    format!("it decides `{}` when another stanza has expired", d.path)
                });
            }
        }
    }
    kept
}

fn held<'a>(policies: &'a Table, set: &'a AccessSet) -> impl Iterator<Item = Held<'a>> {
    let stanzas = set.policies.iter().flat_map(|&policy| policies.stanzas_of(policy));
    stanzas.map(|id| (id, &policies[id.policy()], &policies[id]))
}

/// The questions for mounts that each holder got an answer to: namespace and path.
fn questions(demands: &[JoinedDemand]) -> BTreeMap<HolderId, BTreeSet<(&str, &str)>> {
    let mut asked: BTreeMap<HolderId, BTreeSet<(&str, &str)>> = BTreeMap::new();
    for d in demands.iter().filter(|d| d.demand.allowed > d.demand.failed) {
        if let Some(path) = protected::mount_question(&d.demand.path) {
            let question = (&*d.demand.namespace, path.trim_end_matches('/'));
            asked.entry(d.holder).or_default().insert(question);
        }
    }
    asked
}

/// What may have been the one grant below a mount that a holder asked for: where nothing that it used lies there, all that may be it.
fn below_mounts(
    policies: &Table,
    demands: &[JoinedDemand],
    sets: &IndexVec<AccessSet>,
    mounts: &[String],
) -> BTreeMap<StanzaId, Arc<str>> {
    let mut kept = BTreeMap::new();
    let asked = questions(demands);
    if asked.is_empty() {
        return kept;
    }
    let mut used: BTreeMap<(SetId, HolderId), BTreeSet<&str>> = BTreeMap::new();
    for d in demands.iter().filter(|d| matches!(d.outcome, Outcome::Explained(_))) {
        used.entry((d.set, d.holder)).or_default().insert(&d.path);
    }
    let nothing = BTreeSet::new();
    for (id, set) in sets.numbered() {
        let all = asked.iter().filter(|(holder, _)| set.holders.contains(holder));
        for (holder, &(namespace, path)) in all.flat_map(|(holder, all)| all.iter().map(move |one| (*holder, one))) {
            let mount = Mount::of(namespace, path, mounts);
            let used = used.get(&(id, holder)).unwrap_or(&nothing);
            let from = used.range::<str, _>((Bound::Included(mount.begins.as_str()), Bound::Unbounded));
            let mut there = from.take_while(|used| used.starts_with(&mount.begins));
            let full = format!("{namespace}{path}");
            if there.any(|used| mount.is_whole || lies_at(used, &full)) {
                continue;
            }
            let reason: Arc<str> = Arc::from(format!(
                "servers answered `{namespace}sys/internal/ui/mounts/{path}` for a grant below that mount, and this may be it"
            ));
            let deciding = held(policies, set).filter(|(_, policy, stanza)| may_meet(policy, stanza, &mount.begins));
            kept.extend(deciding.map(|(id, ..)| (id, reason.clone())));
        }
    }
    kept
}

/// What is known of the mount that a path lies in.
struct Mount {
    /// What its path is or begins with, namespace in front.
    begins: String,
    /// Whether that is all of it.
    is_whole: bool,
}

impl Mount {
    fn of(namespace: &str, path: &str, mounts: &[String]) -> Self {
        let full = format!("{namespace}{path}/");
        let listed = mounts.iter().filter(|mount| full.starts_with(mount.as_str()));
        let first = path.split('/').next().unwrap_or_default();
        match listed.max_by_key(|mount| mount.len()) {
            Some(mount) => Self {
                begins: mount.clone(),
                is_whole: true,
            },
            None => Self {
                begins: format!("{namespace}{first}/"),
                is_whole: first == path,
            },
        }
    }
}

/// Whether a path that was used is that of the question, or lies where KV version 2 has it: a folder of its own stands between the
/// mount and the rest.
fn lies_at(used: &str, asked: &str) -> bool {
    let used = used.trim_end_matches('/');
    used == asked
        || asked.match_indices('/').any(|(at, _)| {
            let (mount, rest) = asked.split_at(at);
            let below = used.strip_prefix(mount).and_then(|below| below.strip_suffix(rest));
            below.is_some_and(|folder| {
                folder
                    .strip_prefix('/')
                    .is_some_and(|name| !name.is_empty() && !name.contains('/'))
            })
        })
}

/// Whether a stanza may match something that begins so.
fn may_meet(policy: &Policy, stanza: &Stanza, begins: &str) -> bool {
    let lead = format!("{}{}", policy.namespace, literal_start(&stanza.path));
    lead.starts_with(begins) || begins.starts_with(&lead)
}

/// Whether a stanza is about events: it grants them, or takes them away.
fn may_be_of_events(stanza: &Stanza) -> bool {
    let capabilities = stanza.capability_set();
    let of_events = capabilities.contains(Capability::Subscribe) || capabilities.contains(Capability::Deny);
    of_events || !stanza.constraints.subscribe_event_types.is_empty()
}
