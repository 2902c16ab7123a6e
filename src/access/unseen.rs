//! What tokens may have together that nobody was seen with: of an entity that was not seen to log in, the policies of its own and of
//! its groups beside those of an auth role that it may log in by; and those of a role alone, for somebody who is new there. An alias of
//! most methods does not say by which role (that of AppRole is a role id, that of Kubernetes a service account), so any of its mount
//! may be the one.
//!
//! Whoever makes a token from another, or by a token role, may choose which policies it has, and so may leave out one that hides a part
//! of another. What a token of several policies may do is given by one of them, in the stanza that decides: so nobody who may choose has
//! more than today if no policy by itself gives more.
//!
//! A proposal is compared on these lists too: whoever logs in so tomorrow has no more than today. Where they are too many for that, the
//! stanzas of two policies that may come together and are about the same paths stay.

use super::besides::Kept;
use super::by_name::{ByName, PolicyNumber};
use super::holder::{AssignedBy, Directory, Giving, Holder, HolderId};
use super::sets::AccessSet;
use super::today::Today;
use super::universe::lead;
use crate::deployment::Entity as DeployedEntity;
use crate::index::IndexVec;
use crate::policy::acl::Acl;
use crate::policy::model::{Constraints, Policy};
use crate::policy::pattern::Pattern;
use crate::policy::profile::Profile;
use crate::policy::relation;
use crate::policy::table::{StanzaIdx, Table};
use crate::policy::template::{Identity, is_templated};
use crate::vault::{Capability, MountId, PolicyId, PrincipalKind};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

/// What logins may bring that nobody saw.
#[derive(Default)]
pub struct Unseen {
    /// Lists of policies that somebody may have.
    pub lists: Vec<MayHave>,
    /// How many there are more, too many to look at each.
    pub more: usize,
    /// Those of the lists that nobody has who was seen, as they are in force today; each policy by itself is one.
    pub uncompared: Vec<List>,
    /// Who may log in by roles or groups of an auth method that nobody was seen to use for it, with the method.
    pub open_to: BTreeMap<HolderId, String>,
    /// By which roles entities may log in that have no policies of their own yet: what is written for such a one alone comes beside these.
    pub ways: BTreeMap<HolderId, Vec<Way>>,
}

/// Roles and groups by which an entity may log in, with what it has besides.
#[derive(Debug, Clone)]
pub struct Way {
    /// Where it has policies from, whichever role it logs in by.
    own: Vec<AssignedBy>,
    roles: Arc<Vec<Giving>>,
}

impl Unseen {
    /// The lists that an entity may have together with what is written at a place of its own that is new; none where there are too many to
    /// look at each.
    #[must_use]
    pub fn beside(
        &self,
        holders: &IndexVec<Holder, Today>,
        new: &BTreeMap<HolderId, &AssignedBy>,
    ) -> Option<Vec<(HolderId, MayHave)>> {
        let all = || {
            let ways = new
                .iter()
                .filter_map(|(id, place)| Some((id, place, self.ways.get(id)?)));
            ways.flat_map(|(id, place, ways)| ways.iter().map(move |way| (*id, *place, way)))
        };
        if all().map(|(_, _, way)| way.roles.len()).sum::<usize>() > MOST_LISTS {
            return None;
        }
        let lists = all().flat_map(|(id, place, way)| {
            let holder = &holders[id];
            way.roles.iter().map(move |(role, default)| {
                let places: Vec<&AssignedBy> = way.own.iter().chain([place, role]).collect();
                let name = format!("{}, if it logs in by {}", holder.display(), named(role));
                let who = (name, holder.identity.clone());
                (id, MayHave::of(&places, default.as_slice(), who))
            })
        });
        Some(lists.collect())
    }
}

/// A list of policies that somebody may have.
#[derive(Debug, Clone, PartialEq)]
pub struct MayHave {
    /// Who, and by what.
    pub name: String,
    /// The policies.
    pub policies: Vec<PolicyId>,
    /// Where they come from, as far as they come from a place that can be written; the last is the one that a login is by.
    pub places: Vec<AssignedBy>,
    /// What templates are filled from.
    pub identity: Identity,
}

impl MayHave {
    /// What these places give together, and what a token has besides.
    fn of(places: &[&AssignedBy], besides: &[PolicyId], (name, identity): (String, Identity)) -> Self {
        let policies = places.iter().flat_map(|place| &place.policies).chain(besides);
        let policies: BTreeSet<PolicyId> = policies.cloned().collect();
        Self {
            name,
            policies: policies.into_iter().collect(),
            places: places.iter().map(|place| (*place).clone()).collect(),
            identity,
        }
    }
}

/// A list as it is in force today.
pub struct List {
    /// Its policies, ascending.
    pub policies: Vec<PolicyNumber>,
    /// Who may have it, and by what, with what templates are filled from. It is the same for all of them today.
    pub whose: Vec<(String, Identity)>,
    /// Whether somebody was seen with it: then it is compared for others where a template is new in it.
    pub seen: bool,
    /// The compiled list, where it was asked for.
    acl: OnceLock<Acl>,
}

impl List {
    /// The compiled list. Most are never asked for: nothing of their policies changes.
    pub fn acl(&self, policies: &Table, (profile, now): (Profile, Option<i64>)) -> &Acl {
        let nobody = Identity::default();
        let identity = self.whose.first().map_or(&nobody, |(_, identity)| identity);
        let compile = || Acl::compile(profile, &policies.listed(&self.policies), identity, now);
        self.acl.get_or_init(compile)
    }

    /// Those for whom the list has to be compared with what it becomes: with each where a template makes that each one's own.
    pub fn compared_for(&self, becomes_templated: bool) -> &[(String, Identity)] {
        match (becomes_templated, self.seen) {
            (true, _) => &self.whose,
            (false, true) => &[],
            (false, false) => self.whose.get(..1).unwrap_or_default(),
        }
    }
}

/// What was read, to look policies up in.
type Read<'a> = (&'a Table, &'a ByName<'a>);

/// What logins may bring by this deployment, and the stanzas that stay for it.
pub(super) fn of(
    directory: Option<&Directory<'_>>,
    holders: &IndexVec<Holder, Today>,
    read: Read<'_>,
    sets: &IndexVec<AccessSet>,
) -> (Unseen, Kept) {
    let lists = Lists::of(directory, holders, read.1);
    let mut kept = lists.kept(read.0);
    kept.extend(beside_unread(&lists.all, read));
    let alone: Vec<MayHave> = read.0.iter().map(alone).collect();
    let unseen = Unseen {
        uncompared: uncompared(lists.all.iter().chain(&alone), read, sets),
        lists: lists.all,
        more: lists.more,
        open_to: directory
            .map(|directory| open_to(directory, holders))
            .unwrap_or_default(),
        ways: directory.map(|directory| ways(directory, holders)).unwrap_or_default(),
    };
    (unseen, kept)
}

/// What a token has that was made with this policy and no other.
fn alone(policy: &Policy) -> MayHave {
    let id = policy.id();
    MayHave {
        name: format!("a token with policy {id} alone"),
        policies: vec![id],
        places: Vec::new(),
        identity: Identity::default(),
    }
}

/// So many lists are looked at one by one.
const MOST_LISTS: usize = 16_384;

/// Lists as they are found.
struct Lists<'a> {
    all: Vec<MayHave>,
    more: usize,
    /// Of those that are too many: policies that may come together, both read, ...
    pairs: BTreeSet<(PolicyNumber, PolicyNumber)>,
    /// ... or one of them, with the name of one that was not.
    alone: BTreeMap<PolicyNumber, PolicyId>,
    by_name: &'a ByName<'a>,
}

impl<'a> Lists<'a> {
    fn of(directory: Option<&Directory<'_>>, holders: &IndexVec<Holder, Today>, by_name: &'a ByName<'a>) -> Self {
        let mut lists = Self {
            all: Vec::new(),
            more: 0,
            pairs: BTreeSet::new(),
            alone: BTreeMap::new(),
            by_name,
        };
        // Without a deployment nothing is known of who may log in.
        let Some(directory) = directory else { return lists };
        let all = directory.given_at(None, false);
        let taken = taken(directory, holders);
        for (role, default) in all.iter().filter(|(role, _)| !taken.contains(role)) {
            lists.of_somebody_new(&[role], default.as_slice());
        }
        for ((mount, mapped), brought) in at_mounts(directory, holders) {
            let roles = directory.given_at(mount.as_ref(), mapped);
            for (role, default) in roles.iter().filter(|(role, _)| !taken.contains(role)) {
                for (own, entity) in &brought {
                    let places: Vec<&AssignedBy> = own.iter().chain([role]).collect();
                    lists.add(&places, default.as_slice(), || {
                        let name = format!("{}, if it logs in by {}", entity.name, named(role));
                        (name, directory.identity(&entity.id).unwrap_or_default())
                    });
                }
            }
        }
        for holder in holders.iter().filter(|holder| holder.asked) {
            lists.of_older_tokens(directory, holder);
        }
        lists.of_groups(directory, &all);
        lists
    }

    fn add(&mut self, places: &[&AssignedBy], besides: &[PolicyId], who: impl FnOnce() -> (String, Identity)) {
        if self.all.len() < MOST_LISTS {
            self.all.push(MayHave::of(places, besides, who()));
            return;
        }
        self.more += 1;
        let policies = places.iter().flat_map(|place| &place.policies).chain(besides);
        // Of `default`, which everybody has, nothing is taken.
        let policies: Vec<&PolicyId> = policies.filter(|policy| !policy.is_default()).collect();
        for (n, one) in policies.iter().enumerate() {
            for other in policies.iter().skip(n + 1) {
                match (self.by_name.of(one), self.by_name.of(other)) {
                    (Some(one), Some(other)) if one == other => {}
                    (Some(one), Some(other)) => drop(self.pairs.insert((one.min(other), one.max(other)))),
                    (Some(read), None) => self.beside(read, other),
                    (None, Some(read)) => self.beside(read, one),
                    // Of neither is anything known, nor taken.
                    (None, None) => {}
                }
            }
        }
    }

    fn beside(&mut self, read: PolicyNumber, unread: &PolicyId) {
        if !self.by_name.is_nowhere(unread) {
            self.alone.entry(read).or_insert_with(|| unread.clone());
        }
    }

    fn of_somebody_new(&mut self, places: &[&AssignedBy], default: &[PolicyId]) {
        self.add(places, default, || {
            let by: Vec<String> = places.iter().map(|place| named(place)).collect();
            let name = format!("somebody new, if it logs in by {}", by.join(" and "));
            (name, Identity::default())
        });
    }

    /// What tokens of somebody that are out may have: the policies that their login gave, beside what entity and groups give now.
    fn of_older_tokens(&mut self, directory: &Directory<'_>, holder: &Holder) {
        let id = &holder.principal.id;
        let places = directory.of_entity(id, true);
        for held in &holder.sets {
            let mut now = places.iter().flat_map(|place| &place.policies);
            if now.all(|policy| held.policies.contains(policy)) {
                continue;
            }
            self.add(&places.iter().collect::<Vec<_>>(), &held.policies, || {
                let name = format!("an older token of {}", holder.display());
                (name, directory.identity(id).unwrap_or_default())
            });
        }
    }

    /// What somebody may have together whom nobody knows yet: by two groups of one method, or a group and a user of it; by an external
    /// group, with those that it is in, alone and beside a role of a method that says of which groups somebody is.
    fn of_groups(&mut self, directory: &Directory<'_>, all: &[Giving]) {
        /// Methods that know of no groups.
        const ALONE: [&str; 5] = ["approle", "userpass", "kubernetes", "cert", "token"];
        let is_group = |place: &AssignedBy| place.kind.ends_with("-group");
        let members = all
            .iter()
            .filter(|(place, _)| is_group(place) || place.kind.ends_with("-user"));
        let mut of_method: BTreeMap<(&str, &str), Vec<&Giving>> = BTreeMap::new();
        for member in members {
            let method = (&*member.0.namespace, member.0.mount.as_str());
            of_method.entry(method).or_default().push(member);
        }
        for members in of_method.into_values() {
            for (n, (one, default)) in members.iter().enumerate() {
                for (other, _) in members.iter().skip(n + 1) {
                    if is_group(one) || is_group(other) {
                        self.of_somebody_new(&[one, other], default.as_slice());
                    }
                }
            }
        }
        for mut groups in directory.external_groups() {
            groups.retain(|group| !group.policies.is_empty());
            let roles = all.iter().filter(|(role, _)| !ALONE.contains(&role.kind.as_str()));
            for (role, default) in roles.filter(|_| !groups.is_empty()) {
                let places: Vec<&AssignedBy> = groups.iter().chain([role]).collect();
                self.of_somebody_new(&places, default.as_slice());
            }
            if groups.len() > 1 {
                self.of_somebody_new(&groups.iter().collect::<Vec<_>>(), &[]);
            }
        }
    }

    /// The stanzas that stay because of lists that are too many.
    fn kept(&self, policies: &Table) -> Kept {
        let mut patterns: HashMap<PolicyNumber, Arc<[Stanza]>> = HashMap::new();
        let mut of = |policy: PolicyNumber| -> Arc<[Stanza]> {
            let all = patterns.entry(policy).or_insert_with(|| stanzas(policies, policy));
            Arc::clone(all)
        };
        let binds = |id: StanzaIdx<Policy>| {
            let stanza = &policies[id];
            stanza.capability_set().contains(Capability::Deny) || stanza.constraints != Constraints::default()
        };
        let why = |beside: &PolicyId| -> Arc<str> {
            Arc::from(format!(
                "somebody may have it together with policy `{beside}`, as nobody was seen to, and which of both decides a path would change"
            ))
        };
        let mut kept = Kept::new();
        for &(one, other) in &self.pairs {
            for stanza in meeting(&of(one), &of(other), binds) {
                let beside = if stanza.policy() == one { other } else { one };
                kept.entry(stanza).or_insert_with(|| why(&policies[beside].id()));
            }
        }
        for (&read, unread) in &self.alone {
            for stanza in policies.stanzas_of(read) {
                kept.entry(stanza).or_insert_with(|| why(unread));
            }
        }
        kept
    }
}

/// A place, namespace in front.
fn named(place: &AssignedBy) -> String {
    format!("{}{}", place.namespace, place.id)
}

/// Users and roles that only one entity can log in by, and that one is known: it is an alias that tells it, or it was seen.
fn taken(directory: &Directory<'_>, holders: &IndexVec<Holder, Today>) -> BTreeSet<AssignedBy> {
    let aliases = directory.entities().flat_map(|entity| &entity.aliases);
    let users = aliases.filter_map(|alias| directory.as_user(alias)).flatten();
    let seen = holders
        .iter()
        .filter(|holder| holder.asked && holder.principal.kind == PrincipalKind::Entity);
    // The alias of an AppRole is its role id.
    let seen = seen
        .flat_map(|holder| &holder.assigned)
        .filter(|place| place.kind == "approle");
    users.chain(seen.cloned()).collect()
}

/// Who may log in by roles or groups of a method that nobody was seen to use for it, with the method.
fn open_to(directory: &Directory<'_>, holders: &IndexVec<Holder, Today>) -> BTreeMap<HolderId, String> {
    let entities = directory.entities().map(|entity| (entity.id.as_str(), entity));
    let entities: BTreeMap<&str, &DeployedEntity> = entities.collect();
    let open = |holder: &Holder| {
        let entity = entities.get(&*holder.principal.id)?;
        let mut aliases = entity
            .aliases
            .iter()
            .map(|alias| (directory.mount_of_alias(alias), alias));
        aliases.find_map(|(mount, alias)| {
            let is_known = directory.as_user(alias).is_some();
            let is_open =
                !logs_in_at(holder, mount.as_ref()) && !directory.given_at(mount.as_ref(), is_known).is_empty();
            is_open.then(|| mount.map_or("some auth method".to_owned(), |mount| format!("`{mount}`")))
        })
    };
    let all = holders.numbered();
    all.filter_map(|(id, holder)| Some((id, open(holder)?))).collect()
}

/// Whether a holder was seen to log in by a role of this mount.
fn logs_in_at(holder: &Holder, mount: Option<&MountId>) -> bool {
    holder.asked && roles_at(holder, mount).next().is_some()
}

/// Whether a holder was seen to log in by the one role of this mount that it can: an alias of AppRole is that of one role.
fn has_one_role_at(holder: &Holder, mount: Option<&MountId>) -> bool {
    holder.asked && roles_at(holder, mount).any(|role| role.kind == "approle")
}

fn roles_at<'h>(holder: &'h Holder, mount: Option<&'h MountId>) -> impl Iterator<Item = &'h AssignedBy> {
    let roles = holder.assigned.iter().filter(|place| !place.mount.is_empty());
    roles.filter(move |role| mount.is_some_and(|mount| role.namespace == mount.namespace && *role.mount == *mount.path))
}

/// What gives an entity what it has by itself, with who has that; by where they may log in, and whether it is known as which user, so
/// that only groups of the method are open.
type Brought<'a> = BTreeMap<(Option<MountId>, bool), BTreeMap<Vec<AssignedBy>, &'a DeployedEntity>>;

/// The entities that have something of their own, by where they may log in by other roles than those that they were seen with.
fn at_mounts<'a>(directory: &Directory<'a>, holders: &IndexVec<Holder, Today>) -> Brought<'a> {
    let known = holders
        .iter()
        .filter(|holder| holder.principal.kind == PrincipalKind::Entity);
    let known: BTreeMap<&str, &Holder> = known.map(|holder| (&*holder.principal.id, &**holder)).collect();
    let mut found = Brought::new();
    for entity in directory.entities() {
        let own = directory.of_entity(&entity.id, true);
        if own.is_empty() {
            continue;
        }
        let holder = known.get(entity.id.as_str()).copied();
        for (at, own) in open_aliases(directory, (entity, &own), holder) {
            found.entry(at).or_default().entry(own).or_insert(entity);
        }
    }
    found
}

/// Where an entity may log in by other roles than those that it was seen with, and whether it is known there as which user; each with
/// where it has policies from, whichever role that is.
fn open_aliases<'a>(
    directory: &'a Directory<'a>,
    (entity, own): (&'a DeployedEntity, &'a [AssignedBy]),
    holder: Option<&'a Holder>,
) -> impl Iterator<Item = ((Option<MountId>, bool), Vec<AssignedBy>)> + 'a {
    entity.aliases.iter().filter_map(move |alias| {
        let mount = directory.mount_of_alias(alias);
        if holder.is_some_and(|holder| has_one_role_at(holder, mount.as_ref())) {
            return None;
        }
        let as_user = directory.as_user(alias);
        let at = (mount, as_user.is_some());
        let own = own.iter().cloned().chain(as_user.into_iter().flatten());
        Some((at, own.collect()))
    })
}

/// The roles by which entities may log in that have no policies of their own.
fn ways(directory: &Directory<'_>, holders: &IndexVec<Holder, Today>) -> BTreeMap<HolderId, Vec<Way>> {
    let entities = directory.entities().map(|entity| (entity.id.as_str(), entity));
    let entities: BTreeMap<&str, &DeployedEntity> = entities.filter(|(_, entity)| entity.policies.is_empty()).collect();
    let mut roles_at: BTreeMap<(Option<MountId>, bool), Arc<Vec<Giving>>> = BTreeMap::new();
    let mut found: BTreeMap<HolderId, Vec<Way>> = BTreeMap::new();
    for (id, holder) in holders.numbered() {
        let is_entity = holder.principal.kind == PrincipalKind::Entity;
        let Some(entity) = entities.get(&*holder.principal.id).filter(|_| is_entity) else {
            continue;
        };
        let own = directory.of_entity(&entity.id, true);
        for (at, own) in open_aliases(directory, (entity, &own), Some(holder)) {
            let roles = roles_at
                .entry(at)
                .or_insert_with_key(|(mount, is_known)| Arc::new(directory.given_at(mount.as_ref(), *is_known)));
            found.entry(id).or_default().push(Way {
                own,
                roles: Arc::clone(roles),
            });
        }
    }
    found
}

/// The lists as they are in force today: those that nobody has who was seen, and those that others have who were not.
fn uncompared<'l>(
    lists: impl Iterator<Item = &'l MayHave>,
    (policies, by_name): Read<'_>,
    sets: &IndexVec<AccessSet>,
) -> Vec<List> {
    let compared: BTreeSet<&[PolicyNumber]> = sets.iter().map(|set| set.policies.as_slice()).collect();
    let is_own = |n: &PolicyNumber| policies[*n].stanzas.iter().any(|stanza| stanza.templated);
    let mut found: BTreeMap<(Vec<PolicyNumber>, Option<&str>), Vec<&MayHave>> = BTreeMap::new();
    for one in lists {
        let numbers = one.policies.iter().filter_map(|id| by_name.of(id));
        let numbers: BTreeSet<PolicyNumber> = numbers.collect();
        let numbers: Vec<PolicyNumber> = numbers.into_iter().collect();
        // Templates are filled for each anew.
        let own = numbers.iter().any(is_own).then_some(one.name.as_str());
        found.entry((numbers, own)).or_default().push(one);
    }
    let lists = found.into_iter().map(|((policies, own), all)| List {
        seen: own.is_none() && compared.contains(policies.as_slice()),
        whose: all
            .into_iter()
            .map(|one| (one.name.clone(), one.identity.clone()))
            .collect(),
        acl: OnceLock::new(),
        policies,
    });
    lists.collect()
}

/// The stanzas of lists of which not all was read: nobody knows what they hide there.
fn beside_unread(lists: &[MayHave], (policies, by_name): Read<'_>) -> Kept {
    let mut kept = Kept::new();
    for one in lists {
        let may_exist = |id: &&PolicyId| by_name.of(id).is_none() && !id.is_fixed() && !by_name.is_nowhere(id);
        let Some(unread) = one.policies.iter().find(may_exist) else {
            continue;
        };
        // Of `default`, which everybody has, nothing is taken anyway.
        let read = one
            .policies
            .iter()
            .filter(|id| !id.is_default())
            .filter_map(|id| by_name.of(id));
        for id in read.flat_map(|p| policies.stanzas_of(p)) {
            kept.entry(id).or_insert_with(|| {
                Arc::from(format!(
                    "{} has it together with policy `{unread}`, which was not read",
                    one.name
                ))
            });
        }
    }
    kept
}

/// A stanza with its pattern; none where it may match anything.
type Stanza = (StanzaIdx<Policy>, Option<Pattern>);

fn stanzas(policies: &Table, number: PolicyNumber) -> Arc<[Stanza]> {
    let namespace = &policies[number].namespace;
    let pattern = |path: &str| {
        let known = !is_templated(path);
        known.then(|| Pattern::parse(path, namespace).ok())?
    };
    let all = policies.stanzas_of(number);
    all.map(|id| (id, pattern(&policies[id].path))).collect()
}

/// Whether two patterns match no path in common; most are told apart by how they begin. An exact `a` answers the list of `a/` as well.
fn are_apart(first: &Pattern, second: &Pattern) -> bool {
    let (a, b) = (lead(first), lead(second));
    let listed = |pattern: &Pattern| {
        let is_open = pattern.prefix || pattern.text.ends_with('/');
        (!is_open).then(|| Pattern::parse(&format!("{}/", pattern.text), "").ok())?
    };
    let meet = |one: Option<&Pattern>, other: Option<&Pattern>| {
        one.zip(other)
            .is_some_and(|(one, other)| !relation::disjoint(one, other))
    };
    let begin_alike = a.starts_with(b) || b.starts_with(a);
    !begin_alike
        || !(meet(Some(first), Some(second))
            || meet(listed(first).as_ref(), Some(second))
            || meet(Some(first), listed(second).as_ref()))
}

/// Of two policies' stanzas those that are about the same paths.
fn meeting(one: &[Stanza], other: &[Stanza], binds: impl Fn(StanzaIdx<Policy>) -> bool) -> BTreeSet<StanzaIdx<Policy>> {
    let mut found = BTreeSet::new();
    for (a, first) in one {
        for (b, second) in other {
            match first.as_ref().zip(second.as_ref()) {
                Some((first, second)) if are_apart(first, second) => {}
                // Equal ones add up, unless one denies, or binds what is sent.
                Some((first, second)) if first.cmp_strength(second) == Ordering::Equal && !binds(*a) && !binds(*b) => {}
                Some(_) | None => found.extend([*a, *b]),
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::access::{Inputs, Joined, compared, join};
    use crate::deployment::Deployment;
    use crate::policy::model::Policy;
    use crate::policy::profile::Profile;
    use crate::policy::syntax;
    use crate::usage::Facts;
    use serde_json::{Value, json};

    fn policy(name: &str, text: &str) -> Policy {
        syntax::parse(name, &format!("{name}.hcl"), text, &Profile::default().dialect()).unwrap()
    }

    const ALL: [&str; 3] = ["app", "default", "global"];

    /// `app` hides a part of `global` where both come together: a role gives the one, a group the other.
    fn joined(alias: &str, mount: &str, read: &[&str]) -> Joined {
        let deployment = json!({
            "auth_mounts": [
                {"namespace": "", "path": "auth/approle/", "kind": "approle", "accessor": "a1", "kv_version": null, "description": ""},
                {"namespace": "", "path": "auth/userpass/", "kind": "userpass", "accessor": "a2", "kv_version": null, "description": ""},
                {"namespace": "", "path": "auth/ldap/", "kind": "ldap", "accessor": "a3", "kv_version": null, "description": ""},
            ],
            "roles": [
                {"namespace": "", "mount": "auth/approle/", "kind": "approle", "item": "role", "name": "web", "policies": ["app"]},
                {"namespace": "", "mount": "auth/userpass/", "kind": "userpass", "item": "user", "name": "ann", "policies": ["app"]},
                {"namespace": "", "mount": "auth/ldap/", "kind": "ldap", "item": "group", "name": "devs", "policies": ["app"]},
            ],
            "entities": [{"namespace": "", "id": "e1", "name": "one", "aliases": [{"id": "x", "name": alias, "mount_accessor": mount}]}],
            "groups": [{"namespace": "", "id": "g1", "name": "g", "policies": ["global"], "member_entities": ["e1"]}],
        });
        of(&deployment, read)
    }

    /// The policies that were read, joined with a deployment alone.
    fn of(deployment: &Value, read: &[&str]) -> Joined {
        let deployment: Deployment = serde_json::from_value(deployment.clone()).unwrap();
        let policies = [
            policy(
                "app",
                "path \"kv/s\" { capabilities = [\"list\"] }\npath \"x\" { capabilities = [\"read\"] }",
            ),
            policy("global", "path \"kv/*\" { capabilities = [\"read\"] }"),
            policy(
                "default",
                "path \"auth/token/lookup-self\" { capabilities = [\"read\"] }",
            ),
        ];
        join(Inputs {
            facts: Facts::default(),
            policies: policies
                .into_iter()
                .filter(|policy| read.contains(&&*policy.name))
                .collect(),
            deployment: Some(&deployment),
            profile: Profile::default(),
            now: None,
        })
    }

    fn kept(joined: &Joined) -> Vec<String> {
        let paths = joined.stays.kept.keys().map(|&id| joined.policies[id].path.to_string());
        paths.collect()
    }

    fn lists(joined: &Joined) -> Vec<String> {
        let all = compared::lists(joined).filter(|one| one.name.contains("logs in by"));
        let named =
            |one: crate::policy::compare::Holder| one.policies.iter().map(ToString::to_string).collect::<Vec<_>>();
        all.map(|one| named(one).join(" ")).collect()
    }

    #[test]
    fn what_may_come_together_unseen_is_compared() {
        for (alias, mount) in [("a-role-id", "a1"), ("carl", "a3"), ("who", "of-no-mount")] {
            let joined = joined(alias, mount, &ALL);
            assert!(
                joined
                    .unseen
                    .uncompared
                    .iter()
                    .any(|list| list.whose[0].0.starts_with("one, ") && list.policies.len() == 3),
                "{mount}"
            );
            assert!(joined.stays.kept.is_empty(), "{mount}");
            assert!(lists(&joined).contains(&"app default global".to_owned()), "{mount}");
            assert_eq!(joined.unseen.open_to.len(), 1, "{mount}");
            assert_eq!(compared::left_out(&joined), None);
        }
    }

    #[test]
    fn what_may_come_beside_a_policy_that_was_not_read_stays() {
        let kept = |alias: &str, mount: &str| kept(&joined(alias, mount, &["app", "default"]));
        assert!(kept("a-role-id", "a1").contains(&"kv/s".to_owned()));
        assert!(kept("ann", "a2").is_empty());
    }

    #[test]
    fn where_the_lists_are_too_many_what_is_about_the_same_paths_stays() {
        let many = |item: &dyn Fn(u32) -> Value| (0..130).map(item).collect::<Vec<_>>();
        let deployment = json!({
            "auth_mounts": [{"namespace": "", "path": "auth/kubernetes/", "kind": "kubernetes", "accessor": "a1", "kv_version": null, "description": ""}],
            "roles": many(&|n| json!({"namespace": "", "mount": "auth/kubernetes/", "kind": "kubernetes", "item": "role", "name": format!("r{n}"), "policies": ["app"]})),
            "groups": many(&|n| json!({"namespace": "", "id": format!("g{n}"), "name": format!("g{n}"), "policies": ["global"], "member_entities": [format!("e{n}")]})),
            "entities": many(&|n| json!({"namespace": "", "id": format!("e{n}"), "name": format!("e{n}"), "aliases": [{"id": format!("x{n}"), "name": format!("sa{n}"), "mount_accessor": "a1"}]})),
        });
        let joined = of(&deployment, &ALL);
        assert_eq!(joined.unseen.lists.len(), super::MOST_LISTS);
        assert_eq!(joined.unseen.more, 130 + 130 * 130 - super::MOST_LISTS);
        assert_eq!(kept(&joined), ["kv/s", "kv/*"], "and not `x`");
        assert!(compared::left_out(&joined).is_some());
        // Of what was not read nobody knows what it is about.
        assert_eq!(kept(&of(&deployment, &["app", "default"])), ["kv/s", "x"]);
    }

    #[test]
    fn what_is_known_to_come_together_is_no_open_list() {
        let joined = joined("ann", "a2", &ALL);
        let alone = |list: &super::List| list.seen || list.policies.len() == 1;
        assert!(joined.unseen.uncompared.iter().all(alone) && joined.unseen.open_to.is_empty());
    }
}
