//! Which policies are meant by the names in a log.
//!
//! All policies of a token's own list are of the token's namespace: what granted a request, the mount of its login and the end of
//! its entity's id tell which that is. Where nothing tells, it is the namespace that the token is at work in or one above it, and
//! of these one that has a policy of a name listed. If several do, each reading counts as held, and the list counts as open:
//! nothing that its holder may have by it is taken away.

use super::by_name::ByName;
use crate::usage::demand::{Demand, PolicySet, Principal};
use crate::usage::held::{Held, Namespaces, Space};
use crate::vault::{PolicyId, PrincipalKind, identity, path};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// A list of policies in force.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeldSet {
    /// The policies, sorted.
    pub policies: Arc<[PolicyId]>,
    /// Whether there may be others, or some of these may be others.
    pub open: bool,
}

impl HeldSet {
    /// These policies and no others.
    #[must_use]
    pub fn of(policies: impl IntoIterator<Item = PolicyId>) -> Self {
        let policies: BTreeSet<PolicyId> = policies.into_iter().collect();
        Self {
            policies: policies.into_iter().collect(),
            open: false,
        }
    }
}

/// What a list in a log means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meant {
    /// The likeliest reading of it.
    pub(super) likeliest: HeldSet,
    /// The other ones.
    pub(super) others: Vec<HeldSet>,
    /// Whether the log lists none: its holder may have any policy, of any namespace.
    pub(super) is_unlisted: bool,
    /// Names of policies that it holds in a namespace that nothing names.
    pub(super) somewhere: BTreeSet<Arc<str>>,
    /// What it may mean in the namespaces of which none of its names was read: files are not always called as on the server.
    pub(super) unread: BTreeSet<PolicyId>,
    /// The namespaces that its token may be of, the likeliest first.
    pub(super) spaces: Vec<Arc<str>>,
}

impl Meant {
    /// Each reading, the likeliest first.
    pub(super) fn readings(&self) -> impl Iterator<Item = &HeldSet> {
        std::iter::once(&self.likeliest).chain(&self.others)
    }

    /// The namespace of the token, where only one comes into question.
    pub(super) fn space(&self) -> Option<&Arc<str>> {
        match &self.spaces[..] {
            [only] => Some(only),
            _ => None,
        }
    }
}

/// Whether the namespace of other tokens of a principal with the same list tells that of one: anybody's tokens may be called by the
/// same name, but of one that was only refused nothing is lost by taking it for one of these.
pub(super) fn speaks_for(principal: &Principal, worked: bool) -> bool {
    principal.kind == PrincipalKind::Entity || !worked
}

/// The namespaces that a token may be of.
struct Spaces {
    /// Those that come into question, the likeliest first.
    having: Vec<Arc<str>>,
    /// Those that none of the policies listed was read of.
    lacking: Vec<Arc<str>>,
    /// Whether it makes no difference which of those that come into question it is.
    is_sure: bool,
}

impl Spaces {
    fn only(space: Arc<str>) -> Self {
        Self::of(vec![space], true)
    }

    const fn of(having: Vec<Arc<str>>, is_sure: bool) -> Self {
        Self {
            having,
            lacking: Vec::new(),
            is_sure,
        }
    }
}

/// What is known of namespaces and policies.
pub(super) struct Reader<'a> {
    pub(super) namespaces: &'a Namespaces,
    pub(super) by_name: &'a ByName<'a>,
}

impl Reader<'_> {
    /// What `held` means for a principal at work in `at`; `told` are the namespaces that other tokens of the principal with the
    /// same list are known to be of.
    pub(super) fn read(&self, principal: &Principal, held: &Held, at: &str, told: &BTreeSet<Arc<str>>) -> Meant {
        let Spaces {
            having: spaces,
            lacking,
            is_sure,
        } = self.spaces(principal, held, at, told);
        let names = held.own.iter().filter(|name| &***name != identity::DEFAULT);
        let unread = names.flat_map(|name| {
            lacking
                .iter()
                .map(move |space| PolicyId::new(space.clone(), name.clone()))
        });
        let mut somewhere = BTreeSet::new();
        let placed: Vec<PolicyId> = held
            .placed
            .iter()
            .map(|policy| match (self.namespaces.path(&policy.space), &policy.space) {
                (Some(space), _) => PolicyId::new(space, policy.name.clone()),
                (None, Space::Path(space)) => PolicyId::new(space.clone(), policy.name.clone()),
                (None, Space::Id(id)) => {
                    somewhere.insert(policy.name.clone());
                    unplaced(id, &policy.name)
                }
            })
            .collect();
        let open = !is_sure || !held.listed || !somewhere.is_empty();
        let read_in = |space: &Arc<str>| {
            let own = held.own.iter().map(|name| PolicyId::new(space.clone(), name.clone()));
            HeldSet {
                open,
                ..HeldSet::of(own.chain(placed.iter().cloned()))
            }
        };
        let mut readings = spaces.iter().map(read_in);
        // A token is of some namespace: that of its work, where nothing else comes into question.
        let likeliest = readings.next().unwrap_or_else(|| read_in(&Arc::from(at)));
        let others = readings.collect();
        Meant {
            likeliest,
            others,
            is_unlisted: !held.listed,
            somewhere,
            unread: unread.collect(),
            spaces,
        }
    }

    /// The namespaces that the token may be of.
    fn spaces(&self, principal: &Principal, held: &Held, at: &str, told: &BTreeSet<Arc<str>>) -> Spaces {
        if let Some(path) = told_space(held, self.namespaces) {
            return Spaces::only(path);
        }
        let may_be: Vec<Arc<str>> = if path::is_unplaced(at) {
            self.by_name.namespaces().into_iter().map(Arc::from).collect()
        } else {
            identity::at_or_above(at).map(Arc::from).collect()
        };
        let among = |space: &Arc<str>| may_be.contains(space);
        let known: Vec<Arc<str>> = told.iter().filter(|space| among(space)).cloned().collect();
        if let [only] = &known[..] {
            return Spaces::only(only.clone());
        }
        // It may have been refused where it has no business.
        if known.is_empty()
            && let Some(space) = space_of_entity(principal, self.namespaces)
        {
            return Spaces::only(space);
        }
        let may_be = if known.is_empty() { may_be } else { known };
        if may_be.len() == 1 || !held.listed {
            let is_sure = may_be.len() == 1;
            return Spaces::of(may_be, is_sure);
        }
        let asked: Vec<&Arc<str>> = held.own.iter().filter(|name| &***name != identity::DEFAULT).collect();
        let has = |space: &Arc<str>| {
            asked
                .iter()
                .filter(|name| self.by_name.find(space, name).is_some())
                .count()
        };
        let mut counted: Vec<(usize, Arc<str>)> = may_be.into_iter().map(|space| (has(&space), space)).collect();
        // Tokens may hold names that are nothing, and of a policy that was not read nobody knows where it lives: one that has fewer of
        // the names is less likely, and comes into question all the same.
        counted.sort_by_key(|(has, _)| Reverse(*has));
        let mut spaces = if counted.first().is_none_or(|(most, _)| *most == 0) {
            // Names that nothing was read for, or `default` alone, which is never changed: where it is at work is as good as any.
            let first = if counted.is_empty() {
                Arc::from(at)
            } else {
                counted.remove(0).1
            };
            Spaces::of(vec![first], asked.is_empty())
        } else {
            // Where it has policies of other namespaces besides, it may have these alone.
            let may_be_these = |has: usize| has > 0 || !held.placed.is_empty();
            let having = counted.iter().filter(|(has, _)| may_be_these(*has));
            let having: Vec<Arc<str>> = having.map(|(_, space)| space.clone()).collect();
            counted.retain(|(has, _)| !may_be_these(*has));
            let is_sure = having.len() == 1;
            Spaces::of(having, is_sure)
        };
        spaces.lacking = counted.into_iter().map(|(_, space)| space).collect();
        spaces
    }
}

/// The namespace of a token that the log tells of it alone: by what granted its requests, its login, or its entity.
pub(super) fn space_of(principal: &Principal, held: &Held, namespaces: &Namespaces) -> Option<Arc<str>> {
    told_space(held, namespaces).or_else(|| space_of_entity(principal, namespaces))
}

fn told_space(held: &Held, namespaces: &Namespaces) -> Option<Arc<str>> {
    held.space.as_ref().and_then(|space| namespaces.path(space))
}

/// The namespace of an entity, by the end of its id: outside of the root namespace servers put the namespace's id there.
fn space_of_entity(principal: &Principal, namespaces: &Namespaces) -> Option<Arc<str>> {
    if principal.kind != PrincipalKind::Entity {
        return None;
    }
    match principal.id.rsplit_once('.') {
        Some((_, namespace)) => namespaces.path_of(namespace).cloned(),
        None => is_uuid(&principal.id).then(|| Arc::from("")),
    }
}

/// Principals that are known by a name of their namespace only, where the log left that namespace open and policies tell it: by
/// what the log calls them and the list they held, what they are.
pub(super) type Settled = HashMap<(Principal, Arc<Held>), Principal>;

/// Gives principals that were told apart by where they were at work the namespace that their token is of, where policies tell.
pub(super) fn settle(demands: &mut [Demand], sets: &mut [PolicySet], reader: &Reader<'_>) -> Settled {
    type Told<'a> = HashMap<(&'a Principal, &'a [Arc<str>]), BTreeSet<Arc<str>>>;
    let mut told = Told::new();
    let open = |principal: &Principal, held: &Held, at: &str| {
        let by_name = matches!(
            principal.kind,
            PrincipalKind::Role | PrincipalKind::Token | PrincipalKind::Root
        );
        by_name && held.space.is_none() && !at.is_empty() && principal.id.starts_with(at)
    };
    let mut settled = Settled::new();
    if !demands.iter().any(|d| open(&d.principal, &d.held, &d.namespace)) {
        return settled;
    }
    let seen = demands.iter().map(|d| (&d.principal, &*d.held));
    for (principal, held) in seen.chain(sets.iter().map(|set| (&set.principal, &*set.held))) {
        if let Some(space) = held.space.as_ref().and_then(|space| reader.namespaces.path(space)) {
            told.entry((principal, &held.own)).or_default().insert(space);
        }
    }
    let worked: HashSet<(&Principal, &Held)> = demands
        .iter()
        .filter(|d| d.allowed > 0 && open(&d.principal, &d.held, &d.namespace))
        .map(|d| (&d.principal, &*d.held))
        .collect();
    let at_work = demands.iter().map(|d| (&d.principal, &d.held, &d.namespace));
    // A demand keeps the list that it was made with last: with another list of the same principal the same may have been done.
    let at: HashMap<&Principal, &Arc<str>> = at_work.clone().map(|(principal, _, at)| (principal, at)).collect();
    let listed = sets
        .iter()
        .filter_map(|set| Some((&set.principal, &set.held, *at.get(&set.principal)?)));
    let all = at_work.chain(listed);
    for (principal, held, at) in all.filter(|(principal, held, at)| open(principal, held, at)) {
        let key = (principal.clone(), held.clone());
        if settled.contains_key(&key) {
            continue;
        }
        let none = BTreeSet::new();
        let worked = worked.contains(&(principal, &**held));
        let told = told.get(&(principal, &*held.own));
        let told = told.filter(|_| speaks_for(principal, worked)).unwrap_or(&none);
        let meant = reader.read(principal, held, at, told);
        let name = principal.id.strip_prefix(&**at);
        if let (Some(space), Some(name)) = (meant.space().filter(|space| *space != at), name) {
            let principal = Principal {
                id: Arc::from(format!("{space}{name}")),
                ..principal.clone()
            };
            settled.insert(key, principal);
        }
    }
    for demand in demands {
        if let Some(principal) = settled.get(&(demand.principal.clone(), demand.held.clone())) {
            demand.principal = principal.clone();
        }
    }
    for set in sets {
        if let Some(principal) = settled.get(&(set.principal.clone(), set.held.clone())) {
            set.principal = principal.clone();
        }
    }
    settled
}

/// A policy of which nothing says where it lives: one that was not read, whatever is called so elsewhere.
fn unplaced(namespace_id: &str, name: &Arc<str>) -> PolicyId {
    PolicyId::new(format!("{namespace_id}:"), name.clone())
}

fn is_uuid(text: &str) -> bool {
    let groups = [8, 4, 4, 4, 12];
    let mut parts = text.split('-');
    groups.iter().all(|len| {
        parts
            .next()
            .is_some_and(|part| part.len() == *len && part.bytes().all(|b| b.is_ascii_hexdigit()))
    }) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::model::Policy;
    use crate::policy::syntax::{self, Dialect};
    use crate::policy::table::Table;

    fn policy(namespace: &str, name: &str) -> Policy {
        let text = "path \"s/*\" { capabilities = [\"read\"] }";
        let mut policy = syntax::parse(name, "x.hcl", text, &Dialect::default()).unwrap();
        policy.namespace = Arc::from(namespace);
        policy
    }

    fn principal(id: &str) -> Principal {
        Principal {
            kind: PrincipalKind::Entity,
            id: Arc::from(id),
            name: Arc::from(""),
            auth_mount: Arc::from(""),
        }
    }

    fn held(own: &[&str]) -> Held {
        Held::named(own.iter().map(|name| Arc::from(*name)).collect())
    }

    /// The readings as labels, and whether they are open.
    fn read(policies: &Table, id: &str, held: &Held, at: &str) -> (Vec<Vec<String>>, bool) {
        let mut namespaces = Namespaces::default();
        namespaces.note("aB3xY", "team/");
        let by_name = ByName::new(policies, None);
        let reader = Reader {
            namespaces: &namespaces,
            by_name: &by_name,
        };
        let meant = reader.read(&principal(id), held, at, &BTreeSet::new());
        let labels = |set: &HeldSet| set.policies.iter().map(ToString::to_string).collect();
        (
            meant.readings().map(labels).collect(),
            meant.readings().any(|set| set.open),
        )
    }

    #[test]
    fn what_the_log_tells_is_taken() {
        let both: Table = [policy("", "admin"), policy("team/", "admin")].into_iter().collect();
        let mut told = held(&["admin"]);
        told.space = Space::of("root", "");
        assert_eq!(read(&both, "e", &told, "team/"), (vec![vec!["admin".into()]], false));
        assert_eq!(
            read(&both, "e.aB3xY", &held(&["admin"]), "team/"),
            (vec![vec!["team/admin".into()]], false)
        );
        let uuid = "0a1b2c3d-0000-4000-8000-000000000001";
        assert_eq!(
            read(&both, uuid, &held(&["admin"]), "team/"),
            (vec![vec!["admin".into()]], false)
        );
    }

    #[test]
    fn what_it_leaves_open_is_read_in_every_way() {
        let both: Table = [policy("", "admin"), policy("team/", "admin"), policy("", "lead")]
            .into_iter()
            .collect();
        assert_eq!(
            read(&both, "e", &held(&["admin"]), "team/"),
            (vec![vec!["team/admin".into()], vec!["admin".into()]], true)
        );
        assert_eq!(
            read(&both, "e", &held(&["admin"]), ""),
            (vec![vec!["admin".into()]], false)
        );
        // Where only some of the names are is less likely, no more.
        let (root, team) = (["admin", "lead"], ["team/admin", "team/lead"]);
        assert_eq!(
            read(&both, "e", &held(&["admin", "lead"]), "team/"),
            (
                vec![root.map(String::from).to_vec(), team.map(String::from).to_vec()],
                true
            )
        );
        // Of a namespace that has none of the names nothing that was read is meant.
        assert_eq!(
            read(&both, "e", &held(&["lead", "gone"]), "team/"),
            (vec![vec!["gone".into(), "lead".into()]], false)
        );
        assert_eq!(
            read(&both, "e", &held(&["gone"]), "team/"),
            (vec![vec!["team/gone".into()]], true)
        );
    }

    #[test]
    fn every_list_of_a_principal_is_settled() {
        let both: Table = [policy("", "admin"), policy("", "lead")].into_iter().collect();
        let (namespaces, by_name) = (Namespaces::default(), ByName::new(&both, None));
        let reader = Reader {
            namespaces: &namespaces,
            by_name: &by_name,
        };
        let principal = Principal {
            kind: PrincipalKind::Role,
            ..principal("team/auth/approle/bob")
        };
        let mut demand = Demand {
            principal: principal.clone(),
            namespace: Arc::from("team/"),
            path: Arc::from("s/a"),
            capability: crate::vault::Capability::Read,
            mount_type: Arc::from("kv"),
            allowed: 1,
            denied: 0,
            failed: 0,
            first_seen: None,
            last_seen: None,
            days: BTreeSet::new(),
            held: Arc::new(held(&["admin", "lead"])),
            keys_always: BTreeSet::new(),
            keys_ever: BTreeSet::new(),
            granting: BTreeSet::new(),
            example: None,
        };
        // What was done with this list was done with the other one later.
        let mut set = PolicySet {
            principal,
            held: Arc::new(held(&["admin"])),
            mount: Arc::from(""),
            role: Arc::from(""),
            display_name: Arc::from(""),
            by_login: false,
            last_seen: None,
            first_seen: None,
        };
        settle(
            std::slice::from_mut(&mut demand),
            std::slice::from_mut(&mut set),
            &reader,
        );
        assert_eq!(&*demand.principal.id, "auth/approle/bob");
        assert_eq!(&*set.principal.id, "auth/approle/bob");
    }

    #[test]
    fn a_list_that_is_not_there_may_be_anything() {
        let both: Table = [policy("", "admin")].into_iter().collect();
        let mut unlisted = held(&[]);
        unlisted.listed = false;
        assert!(read(&both, "e", &unlisted, "").1);
    }
}
