//! Orders of changes that are safe at every step.
//!
//! Policies change one after the other, and the world goes on between two writes. After each of them every combination of
//! policies that occurs or may occur has to grant nothing beyond what it grants today, and everything that it is to grant in the end: both
//! are proven by the same comparison as the proposal itself. A narrow stanza that hides a wide one of another policy must not
//! go first, so the widest changes come first. Where that is not enough a policy goes by a text between the two, in which its
//! wide stanzas are new and its narrow ones still old. Where nothing helps, a change has to be withdrawn.

use super::proof;
use crate::access::{Joined, PolicyNumber};
use crate::index::IndexVec;
use crate::policy::acl::Acl;
use crate::policy::compare;
use crate::policy::model::{Policy, Stanza};
use crate::policy::pattern::Pattern;
use crate::policy::syntax::{self, print};
use crate::policy::template::Identity;
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

/// How much work a comparison may take. Lists that differ in a few stanzas take a fraction of it.
const BUDGET: u64 = 10_000_000;
/// How many texts a policy may have between the two.
const MOST_BETWEEN: usize = 6;

/// A policy that changes.
pub struct Move {
    /// The policy.
    pub policy: PolicyNumber,
    /// What it becomes; none where it goes.
    pub to: Option<Policy>,
    /// Its wave: those of a lower number come first, as far as that is safe.
    pub wave: usize,
}

/// A step of an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The policy.
    pub policy: PolicyNumber,
    /// A text between the two; none where the policy becomes what it is to be.
    pub between: Option<Arc<str>>,
    /// The wave that the step is in.
    pub wave: usize,
    /// Whether it matters to nobody when it is done.
    pub free: bool,
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// An order of steps, each safe.
    Safe(Vec<Planned>),
    /// There is none as long as this policy changes.
    None(PolicyNumber),
}

/// The policies from which a way begins; none where one is gone.
pub type Base<'a> = IndexVec<Policy, Option<&'a Policy>>;

/// Looks for an order of `moves` that is safe at every step. The end of the way is taken as proven.
#[must_use]
pub fn order(joined: &Joined, moves: Vec<Move>) -> Order {
    let base: Base<'_> = joined.policies.iter().map(Some).collect();
    Search::new(joined, &base, moves, true).run()
}

/// The same where the policies are `base` already, which was proven; the end of the way is looked at like any other step.
#[must_use]
pub fn order_from(joined: &Joined, base: &Base<'_>, moves: Vec<Move>) -> Order {
    Search::new(joined, base, moves, false).run()
}

/// A combination of policies that changes: somebody was seen with it, or may have it.
struct Case<'a> {
    list: Listed<'a>,
    /// Those of its policies that change, as numbers of moves.
    moving: Vec<usize>,
    /// The list in the end, where it was asked for.
    last: OnceLock<Acl>,
}

/// A combination of policies.
#[derive(Clone, Copy)]
struct Listed<'a> {
    policies: &'a [PolicyNumber],
    /// From what templates are filled.
    identity: &'a Identity,
    /// The list as it is today.
    today: &'a Acl,
}

struct Search<'a> {
    joined: &'a Joined,
    /// The policies from which the way begins.
    base: &'a Base<'a>,
    end_is_proven: bool,
    moves: Vec<Move>,
    /// Of every move the policy as it stands now; none where it is gone.
    now: Vec<Option<Policy>>,
    /// How many texts it had, the first one not counted.
    version: Vec<usize>,
    done: Vec<bool>,
    cases: Vec<Case<'a>>,
    cases_of: Vec<Vec<usize>>,
    move_of: HashMap<PolicyNumber, usize>,
}

impl<'a> Search<'a> {
    fn new(joined: &'a Joined, base: &'a Base<'a>, mut moves: Vec<Move>, end_is_proven: bool) -> Self {
        let base_of = |policy: PolicyNumber| base[policy];
        // The widest change first, within a wave.
        moves.sort_by_cached_key(|change| {
            let policy = base_of(change.policy);
            let name = policy.map(|p| (p.namespace.clone(), p.name.clone()));
            (change.wave, width(policy, change.to.as_ref()), name)
        });
        let move_of: HashMap<PolicyNumber, usize> = moves.iter().enumerate().map(|(n, m)| (m.policy, n)).collect();
        let now = moves.iter().map(|m| base_of(m.policy).cloned()).collect();
        let mut search = Self {
            joined,
            base,
            end_is_proven,
            now,
            version: vec![0; moves.len()],
            done: vec![false; moves.len()],
            cases: Vec::new(),
            cases_of: vec![Vec::new(); moves.len()],
            move_of,
            moves,
        };
        search.cases = search.find_cases();
        for (n, case) in search.cases.iter().enumerate() {
            for &moving in &case.moving {
                if let Some(of) = search.cases_of.get_mut(moving) {
                    of.push(n);
                }
            }
        }
        search
    }

    fn find_cases(&self) -> Vec<Case<'a>> {
        let joined = self.joined;
        let mut wanted: Vec<(Listed<'a>, Vec<usize>)> = Vec::new();
        for (id, set) in joined.sets.numbered() {
            let (moving, own) = self.moving(&set.policies);
            let holders = set.holders.iter().take(if own { usize::MAX } else { 1 });
            wanted.extend(holders.map(|&holder| {
                let list = Listed {
                    policies: &set.policies,
                    identity: proof::identity(joined, id, holder),
                    today: &set.acl,
                };
                (list, moving.clone())
            }));
        }
        for list in &joined.unseen.uncompared {
            let (moving, own) = self.moving(&list.policies);
            if moving.is_empty() {
                continue;
            }
            wanted.extend(list.compared_for(own).iter().map(|(_, identity)| {
                let list = Listed {
                    policies: &list.policies,
                    identity,
                    today: list.acl(&joined.policies, (joined.profile, joined.now)),
                };
                (list, moving.clone())
            }));
        }
        let changing = wanted.into_iter().filter(|(_, moving)| !moving.is_empty());
        let cases = changing.map(|(list, moving)| Case {
            list,
            moving,
            last: OnceLock::new(),
        });
        cases.collect()
    }

    /// Those of these policies that change, and whether the list has a template in the end, so that it is each one's own.
    fn moving(&self, policies: &[PolicyNumber]) -> (Vec<usize>, bool) {
        let moving: Vec<usize> = policies.iter().filter_map(|p| self.move_of.get(p).copied()).collect();
        let becomes = policies.iter().filter_map(|p| match self.move_of.get(p) {
            Some(&m) => self.moves.get(m)?.to.as_ref(),
            None => self.base[*p],
        });
        let mut stanzas = becomes.flat_map(|policy| &policy.stanzas);
        let own = !moving.is_empty() && stanzas.any(|stanza| stanza.templated);
        (moving, own)
    }

    /// The list of a combination in which policies that change are what `of` says.
    fn compiled<'s>(&'s self, list: &Listed<'_>, of: impl Fn(usize) -> Option<&'s Policy>) -> Acl {
        let policies = list.policies.iter().filter_map(|p| match self.move_of.get(p) {
            Some(&m) => of(m),
            None => self.base[*p],
        });
        let policies: Vec<&Policy> = policies.collect();
        Acl::compile(self.joined.profile, &policies, list.identity, self.joined.now)
    }

    /// The list of a combination in the end.
    fn last<'s>(&'s self, case: &'s Case<'_>) -> &'s Acl {
        case.last
            .get_or_init(|| self.compiled(&case.list, |m| self.moves.get(m)?.to.as_ref()))
    }

    /// Whether `step` may be `text` next: for everybody who has it.
    fn is_safe(&self, step: usize, text: Option<&Policy>) -> bool {
        let options = compare::Options {
            budget: BUDGET,
            ..compare::Options::default()
        };
        let is_last = self
            .moves
            .get(step)
            .is_some_and(|change| same(change.to.as_ref(), text));
        let cases = self.cases_of.get(step).map_or(&[][..], Vec::as_slice);
        cases.par_iter().filter_map(|&n| self.cases.get(n)).all(|case| {
            let others = case.moving.iter().filter(|&&m| m != step);
            if self.end_is_proven && is_last && others.clone().all(|&m| self.done.get(m).copied().unwrap_or(false)) {
                // This is the end, which is proven.
                return true;
            }
            let between = self.compiled(&case.list, |m| {
                if m == step {
                    text
                } else {
                    self.now.get(m).and_then(Option::as_ref)
                }
            });
            compare::grants_nothing_new(case.list.today, &between, options).is_proven()
                && compare::grants_nothing_new(&between, self.last(case), options).is_proven()
        })
    }

    fn run(&mut self) -> Order {
        let mut steps = Vec::new();
        let mut wave = 0;
        let seen = self.joined.sets.iter().flat_map(|set| &set.policies);
        let unseen = self.joined.unseen.uncompared.iter();
        let unseen = unseen.map(|list| &list.policies).filter(|policies| policies.len() > 1);
        let held: BTreeSet<PolicyNumber> = seen.chain(unseen.flatten()).copied().collect();
        while let Some(first) = self.moves.iter().zip(&self.done).find(|(_, done)| !**done) {
            let stuck = first.0.policy;
            let Some((step, text)) = self.next() else {
                return Order::None(stuck);
            };
            let Some(change) = self.moves.get(step) else { break };
            wave = wave.max(change.wave);
            let whole = same(change.to.as_ref(), text.as_ref());
            steps.push(Planned {
                policy: change.policy,
                between: text.as_ref().filter(|_| !whole).map(|policy| policy.source.clone()),
                wave,
                free: !held.contains(&change.policy),
            });
            if let Some(done) = self.done.get_mut(step) {
                *done = whole;
            }
            if let Some(version) = self.version.get_mut(step) {
                *version += 1;
            }
            if let Some(now) = self.now.get_mut(step) {
                *now = text;
            }
        }
        Order::Safe(steps)
    }

    /// The next step that is safe: a whole one, else a part of one.
    fn next(&self) -> Option<(usize, Option<Policy>)> {
        let open: Vec<usize> = (0..self.moves.len())
            .filter(|&m| self.done.get(m) == Some(&false))
            .collect();
        for &step in &open {
            let to = self.moves.get(step)?.to.as_ref();
            if self.is_safe(step, to) {
                return Some((step, to.cloned()));
            }
        }
        for &step in &open {
            if self.version.get(step).is_some_and(|&version| version < MOST_BETWEEN) {
                for text in self.parts(step) {
                    if self.is_safe(step, Some(&text)) {
                        return Some((step, Some(text)));
                    }
                }
            }
        }
        None
    }

    /// Texts between the one that a policy has now and the one it is to have, the nearest to the latter first.
    fn parts(&self, step: usize) -> Vec<Policy> {
        let (Some(now), Some(change)) = (self.now.get(step).and_then(Option::as_ref), self.moves.get(step)) else {
            return Vec::new();
        };
        let nothing = Vec::new();
        let new = change.to.as_ref().map_or(&nothing, |policy| &policy.stanzas);
        let mut narrowest_first: Vec<&Stanza> = now
            .stanzas
            .iter()
            .filter(|old| !new.iter().any(|new| says_the_same(old, new)))
            .collect();
        narrowest_first.sort_by_key(|stanza| std::cmp::Reverse(strength(stanza, now)));
        let mut kept: BTreeSet<&str> = BTreeSet::new();
        let mut parts = Vec::new();
        for stanza in narrowest_first {
            if kept.insert(&stanza.path) {
                parts.extend(self.part(now, new, &kept));
            }
        }
        // The last one is what the policy is already.
        parts.pop();
        parts
    }

    /// The new stanzas, but those of these paths still as they are.
    fn part(&self, now: &Policy, new: &[Stanza], kept: &BTreeSet<&str>) -> Option<Policy> {
        let held = now.stanzas.iter().filter(|stanza| kept.contains(&*stanza.path));
        let changed = new.iter().filter(|stanza| !kept.contains(&*stanza.path));
        let stanzas: Vec<Stanza> = held.chain(changed).cloned().collect();
        let text = format!(
            "# On the way to another text: what is narrow goes when nothing wide is left behind it.\n\n{}",
            print::policy(&stanzas)
        );
        let mut policy = syntax::parse(&now.name, &now.file, &text, &self.joined.profile.dialect()).ok()?;
        policy.namespace = now.namespace.clone();
        Some(policy)
    }
}

/// The order of [`Pattern::strength`], for a pattern that is made on the way.
type Strength = (bool, usize, bool, std::cmp::Reverse<usize>, usize, Arc<str>);

/// How strong the pattern of a stanza is: patterns that are refused come last.
fn strength(stanza: &Stanza, of: &Policy) -> Option<Strength> {
    let pattern = Pattern::parse(&stanza.path, &of.namespace).ok()?;
    Some((
        pattern.is_exact(),
        pattern.first_wildcard(),
        !pattern.prefix,
        std::cmp::Reverse(pattern.wildcard_segments()),
        pattern.text.len(),
        pattern.text.clone(),
    ))
}

/// Where the widest stanza that changes has its first wildcard.
fn width(old: Option<&Policy>, new: Option<&Policy>) -> usize {
    let nothing = Vec::new();
    let new = new.map_or(&nothing, |policy| &policy.stanzas);
    let changed = old.into_iter().flat_map(|policy| {
        policy
            .stanzas
            .iter()
            .filter(|stanza| !new.iter().any(|new| says_the_same(stanza, new)))
            .filter_map(|stanza| Pattern::parse(&stanza.path, &policy.namespace).ok())
    });
    changed
        .map(|pattern| pattern.first_wildcard())
        .min()
        .unwrap_or(usize::MAX)
}

/// Whether two stanzas are one in another place.
pub(super) fn says_the_same(a: &Stanza, b: &Stanza) -> bool {
    a.path == b.path && a.capability_set() == b.capability_set() && a.constraints == b.constraints
}

fn same(a: Option<&Policy>, b: Option<&Policy>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.source == b.source,
        (None, None) => true,
        _ => false,
    }
}
