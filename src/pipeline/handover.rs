//! A redesign brought to a server: in which order policies, auth roles, entities and groups change, so that every step is safe.
//!
//! It begins with the tightening, from which the redesign is made. Then come the new policies, and whoever gets them has them
//! beside the old ones; then the old ones go from where they are handed out, and last they are deleted. Where no order is
//! safe, those concerned keep what they have, and the redesign is proven anew.

use super::assignments::{Logins, assignments};
use crate::access::holder::AssignedBy;
use crate::access::weight::Weighed;
use crate::access::{Joined, PolicyNumber};
use crate::advice::{Assignment, Step, Text, Wave};
use crate::index::Idx;
use crate::optimize::handover::{self, Handover, Place, Pooled, Way};
use crate::optimize::proof::{self, Proposed, ProposedNumber, Scheme};
use crate::optimize::redesign::{self, Redesign};
use crate::optimize::steps::{self, Move, Order};
use crate::optimize::tighten::{Tightened, Tightening};
use crate::policy::model::Policy;
use crate::policy::table::Table;
use crate::vault::PolicyId;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How often those for whom no order is safe may be left out before the redesign is given up.
const MOST_ROUNDS: usize = 8;

/// A redesign with the way to it.
pub(super) struct Settled {
    /// The redesign.
    pub(super) redesign: Redesign,
    /// Who gets what.
    pub(super) assignments: Vec<Assignment>,
    /// Assignments in the order in which they get the new policies, and in which they lose the old ones.
    halves: [Vec<usize>; 2],
    /// Policies in the order in which they are deleted.
    deleted: Vec<PolicyNumber>,
    /// Policies that nobody gets any more and that stay, since tokens that are out would have more without them.
    pub(super) stay: BTreeSet<PolicyNumber>,
}

/// Looks for a way to the redesign; what cannot be reached safely stays as it is. None where nothing of it can be reached.
pub(super) fn settle(
    joined: &Joined,
    weighed: &Weighed<'_>,
    tightened: &Tightening,
    mut redesign: Redesign,
) -> Option<Settled> {
    let tight = by_id(&tightened.scheme.policies);
    for _ in 0..MOST_ROUNDS {
        let assignments = match assignments(joined, &redesign.scheme) {
            Ok(assignments) => assignments,
            Err(concerned) => {
                let why = "others come by the same auth role or group, and no list of it gives each what it is to have";
                redesign = keep(joined, weighed, &tightened.scheme, redesign, &concerned, why)?;
                continue;
            }
        };
        let pool = Pool::new(&tightened.scheme, &redesign.scheme);
        let (places, ways) = places(joined, &assignments, &pool);
        match handover::order(joined, &pool.policies, &places, &ways) {
            Handover::Safe { first, second } => {
                let scripted = |order: Vec<usize>| order.into_iter().filter(|&n| n < assignments.len()).collect();
                let (deleted, stay) = deletions(joined, &tight, &redesign.scheme);
                return Some(Settled {
                    halves: [scripted(first), scripted(second)],
                    assignments,
                    deleted,
                    stay,
                    redesign,
                });
            }
            Handover::Stuck(stuck) => {
                let concerned = ways
                    .iter()
                    .filter(|way| way.places.iter().any(|place| stuck.contains(place)));
                let who: Logins = concerned.map(|way| (way.set, way.holder)).collect();
                let why = "whatever the order of the steps, it would have more or less access for a while";
                redesign = keep(joined, weighed, &tightened.scheme, redesign, &who, why)?;
            }
        }
    }
    None
}

fn by_id(policies: &Table<Proposed>) -> HashMap<PolicyId, &Policy> {
    policies.iter().map(|policy| (policy.id(), policy)).collect()
}

/// The redesign in which these have what they have today, tightened; none where that changes nothing, or the whole cannot be proven.
fn keep(
    joined: &Joined,
    weighed: &Weighed<'_>,
    tight: &Scheme,
    mut redesign: Redesign,
    who: &Logins,
    why: &str,
) -> Option<Redesign> {
    let numbered = redesign.scheme.policies.numbered();
    let mut at: HashMap<PolicyId, ProposedNumber> = numbered.map(|(number, policy)| (policy.id(), number)).collect();
    let mut changed = false;
    for key in who {
        let mut given = Vec::new();
        for policy in tight.given.get(key).into_iter().flatten().map(|&p| &tight.policies[p]) {
            let number = at.entry(policy.id());
            given.push(*number.or_insert_with(|| redesign.scheme.policies.push(policy.clone())));
        }
        given.sort_unstable();
        let before = redesign.scheme.given.insert(*key, given.clone());
        if before.as_ref() != Some(&given) {
            changed = true;
            let name = joined.holders[key.1].display();
            redesign
                .withdrawn
                .push((format!("other policies for `{name}`"), why.to_owned()));
        }
    }
    let (proof, failures) = proof::prove(joined, &redesign.scheme);
    if !changed || !failures.is_empty() {
        return None;
    }
    redesign.proof = proof;
    redesign::only_held(joined, &mut redesign);
    redesign.size = redesign::measure(joined, &redesign.scheme, weighed);
    Some(redesign)
}

/// All policies that are in force at some step: the tightened ones, and the new ones.
struct Pool {
    policies: Table<Pooled>,
    at: HashMap<PolicyId, Idx<Pooled>>,
}

impl Pool {
    fn new(tight: &Scheme, new: &Scheme) -> Self {
        let mut policies = Table::default();
        let mut at = HashMap::new();
        for policy in tight.policies.iter().chain(&new.policies) {
            at.entry(policy.id()).or_insert_with(|| policies.push(policy.clone()));
        }
        Self { policies, at }
    }

    /// The policies that a list in this namespace names, as far as they are known.
    fn listed<'n>(&self, namespace: &str, names: impl IntoIterator<Item = &'n String>) -> BTreeSet<Idx<Pooled>> {
        let find = |name: &String| {
            let here = self.at.get(&PolicyId::new(namespace, name.as_str()));
            // One of another namespace has that in front.
            here.or_else(|| {
                let mut cuts = name
                    .rmatch_indices('/')
                    .filter_map(|(cut, _)| name.split_at_checked(cut + 1));
                cuts.find_map(|(namespace, name)| self.at.get(&PolicyId::new(namespace, name)))
            })
        };
        names.into_iter().filter_map(find).copied().collect()
    }
}

/// Kind, namespace and key of a place.
type PlaceKey<'a> = (&'a str, &'a str, &'a str);

fn key_of(place: &AssignedBy) -> PlaceKey<'_> {
    (&place.kind, &place.namespace, &place.id)
}

/// The places that hand out policies, those of the assignments first and by their numbers, and the ways to tokens.
fn places(joined: &Joined, assignments: &[Assignment], pool: &Pool) -> (Vec<Place>, Vec<Way>) {
    let mut number: HashMap<PlaceKey<'_>, usize> = HashMap::new();
    let mut places = Vec::new();
    for (n, one) in assignments.iter().enumerate() {
        // A token that was told by itself is changed by nobody.
        if one.kind != "token" {
            number.insert((&one.kind, &one.namespace, &one.id), n);
        }
        let both = one.before.iter().chain(&one.after);
        places.push(Place {
            stages: [
                pool.listed(&one.namespace, &one.before),
                pool.listed(&one.namespace, both),
                pool.listed(&one.namespace, &one.after),
            ],
            stays_on_tokens: stays_on_tokens(&one.kind),
            rank: u8::from(crate::report::holder::ends_renewal(&one.kind)),
        });
    }
    let mut ways = Vec::new();
    for login in &joined.logins {
        let (holder, set) = (&joined.holders[login.holder], &joined.sets[login.set]);
        let mut of: Vec<usize> = Vec::new();
        for place in login.places.iter().filter_map(|&n| holder.assigned.get(n)) {
            of.push(*number.entry(key_of(place)).or_insert_with(|| {
                let list: BTreeSet<Idx<Pooled>> = place
                    .policies
                    .iter()
                    .filter_map(|policy| pool.at.get(policy).copied())
                    .collect();
                places.push(Place {
                    stages: [list.clone(), list.clone(), list],
                    stays_on_tokens: stays_on_tokens(&place.kind),
                    rank: 0,
                });
                places.len() - 1
            }));
        }
        // An entity that nothing was assigned to yet is among the assignments alone.
        of.extend(number.get(&("entity", &*holder.namespace, &*holder.principal.id)));
        of.sort_unstable();
        of.dedup();
        let default = joined.policies.listed(&set.policies).into_iter();
        let default = default.filter(|policy| policy.id().is_default());
        ways.push(Way {
            set: login.set,
            holder: login.holder,
            places: of,
            always: default
                .filter_map(|policy| pool.at.get(&policy.id()).copied())
                .collect(),
        });
    }
    // Without a deployment each principal is told by itself what it gets.
    if joined.handed_out.is_none() {
        for (holder, who) in joined.holders.numbered() {
            let kind = who.principal.kind.to_string();
            let place = number.get(&(kind.as_str(), &*who.namespace, &*who.principal.id));
            ways.extend(place.map(|&place| Way {
                set: who.current,
                holder,
                places: vec![place],
                always: Vec::new(),
            }));
        }
    }
    (places, ways)
}

/// What an auth role gave a token stays on it; identity is asked at each request.
fn stays_on_tokens(kind: &str) -> bool {
    !matches!(kind, "entity" | "group")
}

/// The policies that the redesign does without, in an order in which tokens that still name them never get more; and those
/// for which there is none.
fn deletions(
    joined: &Joined,
    tight: &HashMap<PolicyId, &Policy>,
    scheme: &Scheme,
) -> (Vec<PolicyNumber>, BTreeSet<PolicyNumber>) {
    let kept: BTreeSet<PolicyId> = scheme.policies.iter().map(Policy::id).collect();
    let base: steps::Base<'_> = joined.policies.map(|policy| tight.get(&policy.id()).copied());
    let mut stay = BTreeSet::new();
    loop {
        let gone = joined
            .policies
            .numbered()
            .filter(|(n, policy)| !kept.contains(&policy.id()) && !stay.contains(n) && base[*n].is_some());
        let moves = gone.map(|(policy, _)| Move {
            policy,
            to: None,
            wave: 0,
        });
        match steps::order_from(joined, &base, moves.collect()) {
            // A text between two others would be one more thing that nobody asked for: the policy stays instead.
            Order::Safe(order) => match order.iter().find(|step| step.between.is_some()) {
                Some(step) => stay.insert(step.policy),
                None => return (order.iter().map(|step| step.policy).collect(), stay),
            },
            Order::None(policy) => stay.insert(policy),
        };
    }
}

/// What the waves are called.
const TITLES: [&str; 5] = [
    "new policies: nobody holds them yet",
    "new policies are handed out besides the old ones",
    "users whose tokens cannot be renewed after the change",
    "the old policies are no longer handed out, once no earlier token needs them",
    "the old policies are deleted, once no token names them any more",
];

/// The waves: `shift` is how many new policies stand before those of today in the proposal.
pub(super) fn waves(joined: &Joined, tightened: &Tightening, settled: &Settled, shift: usize) -> Vec<Wave> {
    let kept = by_id(&settled.redesign.scheme.policies);
    let text_of: BTreeMap<usize, &Tightened> = tightened
        .changed
        .iter()
        .map(|changed| (changed.policy.number(), changed))
        .collect();
    let mut waves: Vec<Wave> = super::waves::waves(joined, tightened);
    for step in waves.iter_mut().flat_map(|wave| &mut wave.steps) {
        let Step::Policy { policy, to, .. } = step else {
            continue;
        };
        let stays =
            |number: PolicyNumber| kept.contains_key(&joined.policies[number].id()) || settled.stay.contains(&number);
        // What goes later all the same has the tightened text only for a while.
        let changed = text_of.get(policy).filter(|changed| !stays(changed.policy));
        if let (Text::Proposed, Some(text)) = (&to, changed.and_then(|changed| changed.text.as_deref())) {
            *to = Text::Between(text.into());
        }
        *policy += shift;
    }
    let mut add = |title: &str, second_half: bool, steps: Vec<Step>| {
        if !steps.is_empty() {
            waves.push(Wave {
                title: title.to_owned(),
                second_half,
                promised: None,
                steps,
            });
        }
    };
    let [new, besides, users, narrow, delete] = TITLES;
    let policy = |policy: usize, free: bool| Step::Policy {
        policy,
        to: Text::Proposed,
        free,
    };
    add(new, false, (0..shift).map(|n| policy(n, true)).collect());
    let list = |&assignment: &usize, of: fn(&Assignment) -> Vec<String>| {
        let one = settled.assignments.get(assignment)?;
        Some(Step::Holder {
            assignment,
            to: of(one),
        })
    };
    let [first, second] = &settled.halves;
    // In the order found: with the first whose tokens end begins a wave of its own.
    let ends = |&n: &usize| {
        settled
            .assignments
            .get(n)
            .is_some_and(|one| crate::report::holder::ends_renewal(&one.kind))
    };
    let cut = first.iter().position(ends).unwrap_or(first.len());
    let (quiet, loud) = first.split_at_checked(cut).unwrap_or((first, &[]));
    let both = crate::report::plan::both;
    add(besides, false, quiet.iter().filter_map(|n| list(n, both)).collect());
    add(users, false, loud.iter().filter_map(|n| list(n, both)).collect());
    add(
        narrow,
        true,
        second.iter().filter_map(|n| list(n, |one| one.after.clone())).collect(),
    );
    add(
        delete,
        true,
        settled
            .deleted
            .iter()
            .map(|&n| policy(n.number() + shift, false))
            .collect(),
    );
    waves
}
