//! From when on each policy could have been used as it is, where the logs show that this was later than their beginning: by what they
//! show of writes of the policy itself and of what its stanzas are about, and of who was first seen with it when.

use super::lately::{Written, late};
use super::made::Made;
use super::window::{Since, Watch};
use crate::access::holder::AssignedBy;
use crate::access::{Holder, Joined, JoinedDemand, PolicyNumber, logins};
use crate::index::IndexVec;
use crate::policy::model::Policy;
use crate::policy::template::literal_start;
use crate::usage::demand::Demand;
use crate::vault::{Operation, PolicyId, name, path};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// When something happened, and what, as a sentence without its end.
type Event = (Timestamp, String);

/// From when on each policy could have been used as it is; none where that is not later than the logs begin.
/// `places` are those that were written and give policies to holders.
pub(super) fn in_force(
    joined: &Joined,
    places: &Written<'_>,
    watch: &Watch,
    last: Option<Timestamp>,
) -> IndexVec<Policy, Option<Since>> {
    let writes = Writes::of(joined, last);
    let unplaced = logins::unplaced(joined).into_iter();
    let unplaced: BTreeSet<PolicyId> = unplaced.map(|p| joined.policies[p].id()).collect();
    let since = |(number, policy)| {
        let last = last?;
        let changed = writes.last_about(joined, (number, policy), &|at| late(at, watch, last));
        let held = match joined.held[number]
            .seen_with
            .values()
            .filter_map(|seen| seen.first)
            .min()
        {
            Some(first) => late(first, watch, last).then(|| (first, "somebody was first seen with it".to_owned())),
            None => never_held(joined, number, places, &unplaced, last),
        };
        let (at, what) = [changed, held].into_iter().flatten().max_by_key(|(at, _)| *at)?;
        Some(Since {
            days: watch.days_since(at, last),
            what,
        })
    };
    joined.policies.numbered().map(since).collect()
}

/// What the logs show of writes by which policies came to mean what they mean, each with when last.
#[derive(Default)]
struct Writes<'a> {
    /// Policies.
    policies: BTreeMap<PolicyId, Timestamp>,
    /// Mounts and namespaces, with what was done.
    mounts: BTreeMap<String, (Timestamp, &'static str)>,
    /// Mounts that were configured, with when first, and of which nothing was seen before.
    configured: BTreeMap<String, Timestamp>,
    /// Any mount: the log does not tell the paths.
    moved: Option<Timestamp>,
    /// The storage as a whole.
    replaced: Option<Timestamp>,
    /// Secrets, roles, keys and the like.
    made: Made,
    /// What templates are filled from, by the path of the write, in the order of time.
    identities: Vec<(Timestamp, &'a str)>,
}

impl<'a> Writes<'a> {
    fn of(joined: &'a Joined, last: Option<Timestamp>) -> Self {
        let mut writes = Self::default();
        for d in joined.demands.iter().filter(|d| d.was_allowed()) {
            if let Some(at) = d.demand.first_seen.or(last) {
                writes.made.note(&d.demand, at);
            }
            let is_write = matches!(d.operation(), Operation::Update | Operation::Create);
            // Of one without a time nobody knows that it was before the end.
            if let (true, Some(at)) = (is_write, d.demand.last_seen.or(last)) {
                writes.note(d, at);
            }
        }
        writes.identities.sort_unstable();
        writes.configured = first_configured(joined, last);
        writes
    }

    fn note(&mut self, d: &'a JoinedDemand, at: Timestamp) {
        let (asked, namespace) = (&*d.demand.path, &d.demand.namespace);
        if fills_templates(asked) {
            self.identities.push((at, asked));
        }
        if let Some(name) = path::policy_at(asked) {
            let policy = PolicyId::new(namespace.clone(), name::policy(name));
            let known = self.policies.entry(policy).or_insert(at);
            *known = at.max(*known);
        } else if let Some((mount, done)) = set_up(&d.demand) {
            let mount = format!("{namespace}{}", path::namespace(&mount));
            let known = self.mounts.entry(mount).or_insert((at, done));
            *known = (*known).max((at, done));
        } else if asked == "sys/remount" {
            self.moved = self.moved.max(Some(at));
        } else if replaces_the_storage(asked) {
            self.replaced = self.replaced.max(Some(at));
        }
    }

    /// The last write that a policy's meaning hangs on.
    fn last_about(
        &self,
        joined: &Joined,
        (number, policy): (PolicyNumber, &Policy),
        is_late: &dyn Fn(Timestamp) -> bool,
    ) -> Option<Event> {
        let is = |at: Option<Timestamp>, what: &str| at.map(|at| (at, what.to_owned()));
        let storage = "the storage of the server was replaced, with policies that the log does not show";
        let known = [
            is(self.policies.get(&policy.id()).copied(), "the policy was changed"),
            self.last_mount(policy, is_late),
            self.made.last_of(policy).filter(|(at, _)| is_late(*at)),
            filled(joined, number, &self.identities, is_late),
            is(self.moved, "a mount was moved, and the log does not say which"),
            is(self.replaced, storage),
        ];
        known.into_iter().flatten().max_by_key(|(at, _)| *at)
    }

    /// A stanza about a mount could not be used before there was one.
    fn last_mount(&self, policy: &Policy, is_late: &dyn Fn(Timestamp) -> bool) -> Option<Event> {
        let stanzas = policy.stanzas.iter();
        let leads = stanzas.map(|stanza| format!("{}{}", policy.namespace, literal_start(&stanza.path)));
        let last_above = |lead: String| {
            let above = lead.match_indices('/').filter_map(|(at, _)| lead.get(..=at));
            let known = above.filter_map(|mount| {
                let configured = self.configured.get(mount).filter(|at| is_late(**at));
                let configured = configured.map(|at| (*at, "configured for the first time"));
                let (at, done) = self.mounts.get(mount).copied().max(configured)?;
                Some((at, format!("`{mount}` was {done}")))
            });
            known.max()
        };
        leads.filter_map(last_above).max()
    }
}

/// The mount of a path at which an engine is configured.
fn configures(path: &str) -> Option<&str> {
    let steps = [
        "/config",
        "/root/generate/",
        "/root/rotate/",
        "/intermediate/set-signed",
    ];
    let is_step = |at: usize, step: &str| {
        let rest = path.get(at + step.len()..).unwrap_or_default();
        step.ends_with('/') || rest.is_empty() || rest.starts_with('/')
    };
    let ends = steps
        .into_iter()
        .filter_map(|step| path.find(step).filter(|&at| is_step(at, step)));
    ends.min().and_then(|end| path.get(..end))
}

/// Mounts that were configured, with when first, and of which nothing was seen before: an engine gives nothing out until it is.
fn first_configured(joined: &Joined, last: Option<Timestamp>) -> BTreeMap<String, Timestamp> {
    let mut first: BTreeMap<String, Timestamp> = BTreeMap::new();
    let allowed = || joined.demands.iter().filter(|d| d.was_allowed());
    let whole = |d: &JoinedDemand, path: &str| format!("{}{path}/", d.demand.namespace);
    for d in allowed().filter(|d| matches!(d.operation(), Operation::Update | Operation::Create)) {
        if let (Some(mount), Some(at)) = (configures(&d.demand.path), d.demand.first_seen.or(last)) {
            let known = first.entry(whole(d, mount)).or_insert(at);
            *known = at.min(*known);
        }
    }
    if first.is_empty() {
        return first;
    }
    for d in allowed() {
        let path = whole(d, &d.demand.path);
        for mount in path.match_indices('/').filter_map(|(at, _)| path.get(..=at)) {
            if first
                .get(mount)
                .is_some_and(|at| d.demand.first_seen.is_none_or(|seen| seen < *at))
            {
                first.remove(mount);
            }
        }
    }
    first
}

/// Whether a write sets what templates are filled from.
fn fills_templates(path: &str) -> bool {
    let below = |kind: &str| {
        path.strip_prefix(kind)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    ["identity/entity", "identity/entity-alias", "identity/group"]
        .into_iter()
        .any(below)
}

/// When what a policy's templates are filled from was last written: as the deployment says it of its holders, where it is newer than
/// any such write; else as far as the path of a write tells whose it was.
fn filled(
    joined: &Joined,
    number: PolicyNumber,
    identities: &[(Timestamp, &str)],
    is_late: &dyn Fn(Timestamp) -> bool,
) -> Option<Event> {
    let stanzas = joined.policies[number].stanzas.iter();
    let templates: Vec<&str> = stanzas.filter(|s| s.templated).map(|s| &*s.path).collect();
    let asks = |what: &str| templates.iter().any(|path| path.contains(what));
    if !asks("identity.") {
        return None;
    }
    let holders = || joined.held[number].by.iter().map(|&holder| &joined.holders[holder]);
    let is_after = |at| joined.handed_out.as_ref().is_some_and(|known| known.is_after(at));
    let told: Option<Vec<Timestamp>> = holders().map(|holder| holder.identity_written).collect();
    let newest = identities.last().map(|(at, _)| *at);
    if let Some(last) = told.and_then(|told| told.into_iter().max())
        && newest.is_none_or(is_after)
    {
        return is_late(last).then(|| {
            (
                last,
                "the entity or group that fills its templates was written".to_owned(),
            )
        });
    }
    let is_one = |holder: &Holder, one: &str| {
        let name = holder.name_of_entity().unwrap_or_default();
        *holder.principal.id == *one || name.eq_ignore_ascii_case(one)
    };
    let may_be_of_it = |path: &str| {
        if path.starts_with("identity/group") {
            return asks("identity.groups");
        }
        let of = ["identity/entity/id/", "identity/entity/name/"];
        let one = of.iter().find_map(|start| path.strip_prefix(start));
        let may_be = |one: &str| {
            holders().any(|holder| is_one(holder, one)) || !joined.holders.iter().any(|holder| is_one(holder, one))
        };
        asks("identity.entity") && one.is_none_or(may_be)
    };
    let (at, path) = identities.iter().rev().find(|(_, path)| may_be_of_it(path))?;
    Some((*at, format!("`{path}` was written, which fills its templates")))
}

/// The mount or namespace that a write set up, and what it did with it: another version of an engine has other paths.
fn set_up(demand: &Demand) -> Option<(String, &'static str)> {
    let path = &*demand.path;
    if let Some(namespace) = path.strip_prefix("sys/namespaces/") {
        return Some((namespace.to_owned(), "made"));
    }
    let auth = |path: &str| Some(format!("auth/{}", path.strip_prefix("sys/auth/")?));
    let mount = path.strip_prefix("sys/mounts/").map(str::to_owned);
    let mount = mount.or_else(|| auth(path))?;
    let Some(tuned) = mount.strip_suffix("/tune") else {
        return Some((mount, "mounted"));
    };
    let keys = &demand.keys_ever;
    let is_other = keys.is_empty() || ["options", "plugin_version"].iter().any(|key| keys.contains(*key));
    is_other.then(|| (tuned.to_owned(), "tuned to another version"))
}

/// Whether a write at this path puts another storage in the place of the server's, or writes in it below the policies.
fn replaces_the_storage(path: &str) -> bool {
    let below = |start: &str| path.strip_prefix(start);
    let snapshot = below("sys/storage/raft/snapshot").is_some_and(|rest| matches!(rest, "" | "-force"));
    let loaded = path.starts_with("sys/storage/raft/snapshot-auto/snapshot-load/");
    let replicated = below("sys/replication/").is_some_and(|rest| {
        let ends = [
            "/secondary/enable",
            "/secondary/update-primary",
            "/recover",
            "/demote",
            "/promote",
        ];
        ends.iter().any(|end| rest.ends_with(end))
    });
    snapshot || loaded || replicated || path.starts_with("sys/raw/")
}

/// From when on those may have a policy who have it by the deployment alone, which is as new as the end of the logs: since something
/// that gives it to one of them was last written, and for whoever acts without being seen with it not at all yet. So for those who
/// came by one of the `unplaced` policies, which a place gives together with this one.
fn never_held(
    joined: &Joined,
    number: PolicyNumber,
    places: &Written<'_>,
    unplaced: &BTreeSet<PolicyId>,
    last: Timestamp,
) -> Option<Event> {
    let policy = joined.policies[number].id();
    let gives_both = |place: &AssignedBy| {
        place.policies.contains(&policy) && place.policies.iter().any(|other| unplaced.contains(other))
    };
    let holders = || joined.held[number].by.iter().map(|&holder| &*joined.holders[holder]);
    let by_it = |holder: &&Holder| (holder.asked && holder.is_bound()) || holder.assigned.iter().any(gives_both);
    if let Some(holder) = holders().find(by_it) {
        let what = format!(
            "`{}` holds it according to the deployment, and no entry of the log shows it yet",
            holder.display()
        );
        return Some((last, what));
    }
    let giving = holders().flat_map(|holder| &holder.assigned);
    let giving = giving.filter(|place| place.policies.contains(&policy));
    let (at, path) = giving.filter_map(|place| places.get(place)).max()?;
    Some((
        *at,
        format!("nobody was seen with it, and `{path}`, which hands it out, was written"),
    ))
}
