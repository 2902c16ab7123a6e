//! Who gets which policies of a redesign, and where that is written: on auth roles, entities and groups.

use crate::access::holder::{AssignedBy, Holder};
use crate::access::logins::is_asked_for;
use crate::access::unseen::MayHave;
use crate::access::{AccessSet, HolderId, Joined, Login, SetId};
use crate::advice::Assignment;
use crate::index::{Idx, IndexVec};
use crate::optimize::assign::{Need, spread};
use crate::optimize::proof::{ProposedNumber, Scheme};
use crate::policy::acl::Acl;
use crate::policy::compare;
use crate::policy::model::Policy;
use crate::policy::table::Table;
use crate::vault::PolicyId;
use crate::vault::PrincipalKind;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The logins of a principal, by what their tokens have.
pub(super) type Logins = BTreeSet<(SetId, HolderId)>;

/// The lists that change; one that has `default` keeps it, and none gets it. Where a deployment says where policies come from, each of
/// its places gets one list; without one, each principal but an entity is a place. Tokens of which nothing tells where their policies
/// come from (those of an entity without a deployment, child tokens, an auth role that the deployment does not join to the principal) are
/// told by themselves, as `token`; child tokens also where a login gives the same. Where a login cannot get what it is to have, since
/// others come by the same places, there is no such list: then these are all logins by a place of one of those.
pub(super) fn assignments(joined: &Joined, scheme: &Scheme) -> Result<Vec<Assignment>, Logins> {
    let mut list = of_places(joined, scheme)?;
    let by_login: Logins = joined.logins.iter().map(|l| (l.set, l.holder)).collect();
    for (&(set, holder), given) in &scheme.given {
        let (held, who) = (&joined.sets[set], &joined.holders[holder]);
        // A token that was made with another has a list of its own, even where a login comes to the same.
        if by_login.contains(&(set, holder)) && !joined.stays.made.contains(&(set, holder)) {
            continue;
        }
        let is_today = joined.holders[holder].current == set;
        // Whether an entity has its policies by itself, by a group or by a role no log says.
        let is_told = who.principal.kind != PrincipalKind::Entity;
        let is_place = is_today && is_told && joined.handed_out.is_none();
        let kind = if is_place {
            who.principal.kind.to_string()
        } else {
            "token".to_owned()
        };
        list.extend(by_itself(joined, scheme, kind, held, who, given));
    }
    list.sort_by(|a, b| {
        (&a.kind, &a.name, &a.namespace, &a.id, &a.before).cmp(&(&b.kind, &b.name, &b.namespace, &b.id, &b.before))
    });
    Ok(list)
}

/// The ids of the principals that get other policies than they have, in any of their sets.
pub(super) fn changed_for(joined: &Joined, scheme: &Scheme) -> BTreeSet<String> {
    let given = scheme.given.iter();
    let changed = given.filter(|((set, _), given)| {
        let held = &joined.sets[*set];
        with_missing(&joined.policies, &held.policies, held) != with_missing(&scheme.policies, given, held)
    });
    changed.map(|((_, holder), _)| joined.holders[*holder].key()).collect()
}

/// What is told to a principal and not to a place.
fn by_itself(
    joined: &Joined,
    scheme: &Scheme,
    kind: String,
    held: &AccessSet,
    who: &Holder,
    given: &[ProposedNumber],
) -> Option<Assignment> {
    let before = with_missing(&joined.policies, &held.policies, held);
    let after = with_missing(&scheme.policies, given, held);
    (before != after).then(|| Assignment {
        namespace: who.namespace.clone(),
        kind,
        id: who.principal.id.to_string(),
        name: who.display().to_owned(),
        mount: who.principal.auth_mount.to_string(),
        before: labels(&who.namespace, &before),
        after: labels(&who.namespace, &after),
    })
}

/// Policies, and those that nobody read: they stay.
fn with_missing<T>(policies: &Table<T>, numbers: &[Idx<T>], held: &AccessSet) -> BTreeSet<PolicyId> {
    let read = numbers.iter().map(|&p| policies[p].id());
    read.chain(held.missing.iter().cloned()).collect()
}

/// Policies as a list in this namespace names them; those of other namespaces with theirs in front.
fn labels(namespace: &str, policies: &BTreeSet<PolicyId>) -> Vec<String> {
    let label = |policy: &PolicyId| match &*policy.namespace == namespace {
        true => policy.name.to_string(),
        false => policy.to_string(),
    };
    policies.iter().map(label).collect()
}

/// What one login is to have.
fn given<'s>(scheme: &'s Scheme, login: &Login) -> &'s [ProposedNumber] {
    let given = scheme.given.get(&(login.set, login.holder));
    given.map_or(&[][..], Vec::as_slice)
}

/// The places that logins get policies from, each with its number.
struct Places<'a> {
    joined: &'a Joined,
    /// Of each holder the entity that nothing is assigned to yet.
    new: &'a IndexVec<Holder, Option<AssignedBy>>,
    number: BTreeMap<(u8, &'a AssignedBy), usize>,
}

impl<'a> Places<'a> {
    fn new(joined: &'a Joined, new: &'a IndexVec<Holder, Option<AssignedBy>>) -> Self {
        let mut places = Self {
            joined,
            new,
            number: BTreeMap::new(),
        };
        let all: BTreeSet<(u8, &AssignedBy)> = joined.logins.iter().flat_map(|login| places.of(login)).collect();
        places.number = all.into_iter().zip(0..).collect();
        places
    }

    /// Where a login gets policies from.
    fn of(&self, login: &'a Login) -> impl Iterator<Item = (u8, &'a AssignedBy)> + use<'a> {
        let assigned = &self.joined.holders[login.holder].assigned;
        let known = login.places.iter().filter_map(|&n| assigned.get(n));
        let new = self.new[login.holder].as_ref();
        known
            .map(|place| (turn(place), place))
            .chain(new.map(|place| (NEW_ENTITY, place)))
    }

    fn need(&self, scheme: &Scheme, login: &'a Login) -> Need<PolicyId> {
        let places = self.of(login).filter_map(|place| self.number.get(&place).copied());
        let held = &self.joined.sets[login.set];
        let policies = with_missing(&scheme.policies, given(scheme, login), held);
        Need {
            places: places.collect(),
            policies: policies.into_iter().filter(is_asked_for).collect(),
        }
    }
}

fn of_places(joined: &Joined, scheme: &Scheme) -> Result<Vec<Assignment>, Logins> {
    let new: IndexVec<Holder, Option<AssignedBy>> = joined.holders.map(|holder| own_entity(holder));
    let places = Places::new(joined, &new);
    let all: Vec<&AssignedBy> = places.number.keys().map(|(_, place)| *place).collect();
    let today: Vec<BTreeSet<PolicyId>> = all.iter().map(|place| asked_for(place)).collect();
    let needs: Vec<Need<PolicyId>> = joined.logins.iter().map(|login| places.need(scheme, login)).collect();
    let fits =
        |place: usize, policy: &PolicyId| all.get(place).is_some_and(|place| place.namespace == policy.namespace);
    let found = spread(&today, &needs, fits);
    let lacking = needs
        .iter()
        .zip(&found.lacking)
        .filter(|(_, lacking)| !lacking.is_empty());
    let short: BTreeSet<usize> = lacking.flat_map(|(need, _)| need.places.iter().copied()).collect();
    let concerned = joined.logins.iter().zip(&needs).zip(&found.lacking);
    let concerned = concerned
        .filter(|((_, need), lacking)| !lacking.is_empty() || need.places.iter().any(|place| short.contains(place)));
    let concerned: Logins = concerned.map(|((login, _), _)| (login.set, login.holder)).collect();
    if !concerned.is_empty() {
        return Err(concerned);
    }
    let lists = BTreeMap::from_iter(all.iter().copied().zip(today.iter().zip(&found.lists)));
    let coming = Coming::new(joined, scheme, lists);
    let mut gaining = coming.gaining();
    for holder in coming.gaining_of_their_own(&new) {
        let logins = joined.logins.iter().filter(|login| login.holder == holder);
        gaining.extend(logins.flat_map(|login| places.of(login)).map(|(_, place)| place));
    }
    if !gaining.is_empty() {
        let by_one = |login: &&Login| places.of(login).any(|(_, place)| gaining.contains(place));
        let concerned = joined.logins.iter().filter(by_one);
        return Err(concerned.map(|login| (login.set, login.holder)).collect());
    }
    let changed = all.iter().zip(&today).zip(&found.lists);
    let changed = changed
        .filter(|((_, before), after)| before != after)
        .map(|((place, before), after)| Assignment {
            namespace: place.namespace.clone(),
            kind: place.kind.clone(),
            id: place.id.clone(),
            name: place.name.clone(),
            mount: place.mount.clone(),
            before: listed(place, before),
            after: listed(place, after),
        });
    Ok(changed.collect())
}

/// A place's policies today, and as they are to be.
type Change<'a> = (&'a BTreeSet<PolicyId>, &'a BTreeSet<PolicyId>);

/// Lists that somebody may have whom nobody saw, as they come of the changed ones.
struct Coming<'a> {
    joined: &'a Joined,
    lists: BTreeMap<&'a AssignedBy, Change<'a>>,
    today: HashMap<PolicyId, &'a Policy>,
    proposed: HashMap<PolicyId, &'a Policy>,
}

impl<'a> Coming<'a> {
    fn new(joined: &'a Joined, scheme: &'a Scheme, lists: BTreeMap<&'a AssignedBy, Change<'a>>) -> Self {
        let by_id = |policy: &'a Policy| (policy.id(), policy);
        Self {
            joined,
            lists,
            today: joined.policies.iter().map(by_id).collect(),
            proposed: scheme.policies.iter().map(by_id).collect(),
        }
    }

    fn changes(&self, place: &AssignedBy) -> bool {
        self.lists.get(place).is_some_and(|(before, after)| before != after)
    }

    /// The places that together would give somebody more, before all of them are changed, between or after; all that change where there are
    /// too many lists to look at each.
    fn gaining(&self) -> BTreeSet<&'a AssignedBy> {
        let unseen = &self.joined.unseen;
        if unseen.more > 0 {
            return self.lists.keys().copied().filter(|place| self.changes(place)).collect();
        }
        let gains = |one: &&MayHave| one.places.iter().any(|place| self.changes(place)) && self.gains(one);
        let gaining: Vec<&MayHave> = unseen.lists.par_iter().filter(gains).collect();
        let places = gaining.into_iter().flat_map(|one| &one.places);
        let known = places.filter_map(|place| self.lists.get_key_value(place));
        known.map(|(place, _)| *place).collect()
    }

    /// Entities for which something is written alone that had nothing of their own, and that would have more with it by some role that
    /// they may log in by; all of them where these are too many to look at each.
    fn gaining_of_their_own(&self, new: &IndexVec<Holder, Option<AssignedBy>>) -> BTreeSet<HolderId> {
        let new = new
            .numbered()
            .filter_map(|(holder, place)| Some((holder, place.as_ref()?)));
        let new: BTreeMap<HolderId, &AssignedBy> = new.filter(|(_, place)| self.changes(place)).collect();
        let Some(lists) = self.joined.unseen.beside(&self.joined.holders, &new) else {
            return new.into_keys().collect();
        };
        let gaining = lists
            .par_iter()
            .filter(|(_, one)| self.gains(one))
            .map(|(holder, _)| *holder);
        gaining.collect()
    }

    /// Whether somebody with this list would have more at some step: one place changes after the other, in whatever order, and a token that
    /// is out keeps what its role gave. Where many of its places change it is not looked at, and counts.
    fn gains(&self, one: &MayHave) -> bool {
        let compile =
            |policies: &[&Policy]| Acl::compile(self.joined.profile, policies, &one.identity, self.joined.now);
        let today = one.policies.iter().filter_map(|id| self.today.get(id).copied());
        let today = compile(&today.collect::<Vec<_>>());
        let Some(lists) = self.on_the_way(one) else {
            return true;
        };
        lists.into_iter().any(|list| {
            let text = |id: &PolicyId| self.proposed.get(id).or_else(|| self.today.get(id)).copied();
            let policies: Vec<&Policy> = list.iter().filter_map(text).collect();
            !compare::grants_nothing_new(&today, &compile(&policies), compare::Options::default()).is_proven()
        })
    }

    /// All lists that this one may be on the way from today to the end; none where these are too many to look at each.
    fn on_the_way(&self, one: &MayHave) -> Option<BTreeSet<BTreeSet<PolicyId>>> {
        let stages = |place: &AssignedBy| match self.lists.get(place) {
            Some((before, after)) => [
                (*before).clone(),
                before.union(after).cloned().collect(),
                (*after).clone(),
            ],
            None => [(); 3].map(|()| asked_for(place)),
        };
        let places: Vec<[BTreeSet<PolicyId>; 3]> = one.places.iter().map(stages).collect();
        if places.iter().filter(|[before, _, after]| before != after).count() > MOST_CHANGING {
            return None;
        }
        // What comes from no place stays: `default`, and what an older token was given.
        let given: BTreeSet<PolicyId> = one.places.iter().flat_map(asked_for).collect();
        let fixed = one.policies.iter().filter(|policy| !given.contains(policy)).cloned();
        let fixed: BTreeSet<PolicyId> = fixed.collect();
        let mut all = BTreeSet::new();
        // First all get the new policies beside the old, then the old ones go.
        for half in [0..=1, 1..=2] {
            let mut lists = BTreeSet::from([fixed.clone()]);
            for (n, stages) in places.iter().enumerate() {
                let of_login = n + 1 == places.len();
                let now = if of_login { 0..=*half.end() } else { half.clone() };
                let now: BTreeSet<&BTreeSet<PolicyId>> = stages.get(now).into_iter().flatten().collect();
                let with = |list: &BTreeSet<PolicyId>| -> Vec<BTreeSet<PolicyId>> {
                    now.iter().map(|more| list.union(more).cloned().collect()).collect()
                };
                lists = lists.iter().flat_map(with).collect();
            }
            all.extend(lists);
        }
        Some(all)
    }
}

/// So many places of one list may change for it to be looked at in every state that it can be in on the way.
const MOST_CHANGING: usize = 6;

fn asked_for(place: &AssignedBy) -> BTreeSet<PolicyId> {
    place
        .policies
        .iter()
        .filter(|policy| is_asked_for(policy))
        .cloned()
        .collect()
}

/// These names, and those on the place's list that stay whatever happens.
fn listed(place: &AssignedBy, policies: &BTreeSet<PolicyId>) -> Vec<String> {
    let stay = place.policies.iter().filter(|policy| !is_asked_for(policy));
    let all: BTreeSet<PolicyId> = policies.iter().chain(stay).cloned().collect();
    labels(&place.namespace, &all)
}

/// The entity of a principal, where the deployment knows it and nothing is assigned to it yet.
fn own_entity(holder: &Holder) -> Option<AssignedBy> {
    let principal = &holder.principal;
    let is_new = principal.kind == PrincipalKind::Entity
        && holder.identity_known
        && holder.assigned.iter().all(|place| place.kind != "entity");
    is_new.then(|| AssignedBy {
        namespace: holder.namespace.clone(),
        kind: "entity".to_owned(),
        id: principal.id.to_string(),
        name: holder.display().to_owned(),
        mount: String::new(),
        policies: Vec::new(),
        unlisted: false,
    })
}

const NEW_ENTITY: u8 = 3;

/// Of places that would do equally well, auth roles come first, then entities, then groups, and last what is new.
fn turn(place: &AssignedBy) -> u8 {
    match place.kind.as_str() {
        "entity" => 1,
        "group" => 2,
        _ => 0,
    }
}
