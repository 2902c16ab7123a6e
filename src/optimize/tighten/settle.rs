//! From what is wanted to what can be proven: what is to blame steps back, and what stepped back without need comes again.
//!
//! Blame is a good guess, and may take harmless changes along. So, when the proof holds, what was given up is tried again: all of
//! it, then by halves, each time with a proof of the sets concerned. Policies that share no set are tried apart from each other.

use super::draft::{Draft, Drafter, Levels, can_step_back, scheme};
use super::unseen::{self, Gain};
use super::{Fate, Ladders, Options, Tightening, blame, held};
use crate::access::{AccessSet, DemandId, Joined, PolicyNumber, SetId, StanzaId};
use crate::index::IndexVec;
use crate::optimize::edit::Change;
use crate::optimize::limits::Limits;
use crate::optimize::proof::{self, Failure, Proof, Scheme};
use crate::optimize::steps::{self, Move, Planned};
use crate::optimize::waves;
use crate::policy::model::Policy;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// So many proofs at most are made for what was given up in policies that share sets.
const MOST_TRIALS: usize = 400;

/// What can be proven.
pub(super) struct Settled {
    drafts: IndexVec<Policy, Draft>,
    scheme: Scheme,
    proof: Proof,
    steps: Vec<Planned>,
    withdrawn: Vec<(String, String)>,
    fates: BTreeMap<StanzaId, Fate>,
    /// How many steps back each stanza took.
    pub(super) levels: Levels,
    /// See [`Tightening::price`].
    pub(super) price: (f64, f64, bool),
}

impl Settled {
    pub(super) fn into_tightening(self) -> Tightening {
        let changed = self.drafts.into_iter().filter(|d| d.changed);
        Tightening {
            changed: changed.map(|d| d.tightened).collect(),
            scheme: self.scheme,
            proof: self.proof,
            expected: None,
            steps: self.steps,
            withdrawn: self.withdrawn,
            fates: self.fates,
            price: self.price,
        }
    }
}

struct Work<'a> {
    joined: &'a Joined,
    drafter: Drafter<'a>,
    limits: Limits<'a>,
    levels: Levels,
    drafts: IndexVec<Policy, Draft>,
    why: BTreeMap<StanzaId, String>,
    /// Demands by set.
    demands: IndexVec<AccessSet, Vec<DemandId>>,
    /// Sets by policy.
    sets_of: IndexVec<Policy, Vec<SetId>>,
    /// Lists that nobody was seen with, by policy.
    unseen_of: IndexVec<Policy, Vec<usize>>,
}

/// Settles what is wanted.
pub(super) fn settle(joined: &Joined, options: &Options<'_>, ladders: &Ladders) -> Settled {
    let mut demands: IndexVec<AccessSet, Vec<DemandId>> = joined.sets.map(|_| Vec::new());
    for (n, d) in joined.demands.numbered() {
        demands[d.set].push(n);
    }
    let mut sets_of: IndexVec<Policy, Vec<SetId>> = joined.policies.map(|_| Vec::new());
    for (n, set) in joined.sets.numbered() {
        for &p in &set.policies {
            sets_of[p].push(n);
        }
    }
    let mut unseen_of: IndexVec<Policy, Vec<usize>> = joined.policies.map(|_| Vec::new());
    for (n, list) in joined.unseen.uncompared.iter().enumerate() {
        for &p in &list.policies {
            unseen_of[p].push(n);
        }
    }
    let mut work = Work {
        joined,
        drafter: Drafter {
            joined,
            removable: options.removable,
            ladders,
        },
        limits: Limits::new(joined, options.price, ladders.keys().copied().collect()),
        levels: Levels::new(),
        drafts: IndexVec::new(),
        why: BTreeMap::new(),
        demands,
        sets_of,
        unseen_of,
    };
    // What no request was replayed for proves nothing: then nothing changes.
    let replays = joined
        .demands
        .iter()
        .any(|d| matches!(d.outcome, crate::access::Outcome::Explained(_)));
    if !replays {
        work.keep_all(ladders);
    }
    work.drafts = joined.policies.ids().map(|p| work.redraft(p, replays)).collect();
    if replays {
        work.repair();
        work.restore();
    }
    let (proof, scheme, steps) = work.confirm();
    let mut withdrawn = work.withdrawn();
    let fates = work.fates(options.removable);
    withdrawn.extend(work.limits.given_up());
    Settled {
        drafts: work.drafts,
        scheme,
        proof,
        steps,
        withdrawn,
        fates,
        levels: work.levels,
        price: (0.0, 0.0, true),
    }
}

impl<'a> Work<'a> {
    fn keep_all(&mut self, ladders: &Ladders) {
        for (&id, ladder) in ladders {
            self.levels.insert(id, ladder.len());
            self.why.insert(
                id,
                "no request was replayed, so that nothing could be proven".to_owned(),
            );
        }
    }

    /// The policy at its levels; as it is today where that does not parse, or where nothing is `wanted`.
    fn redraft(&mut self, p: PolicyNumber, wanted: bool) -> Draft {
        if wanted && let Some(draft) = self.drafter.draft(p, &self.levels, &self.limits) {
            return draft;
        }
        if wanted {
            self.hold(p, "its new text would not parse again");
        }
        let policy = &self.joined.policies[p];
        Draft {
            tightened: super::Tightened {
                policy: p,
                text: Some(policy.source.to_string()),
                reasons: Vec::new(),
                expected: None,
            },
            policy: Some(policy.clone()),
            changed: false,
        }
    }

    /// Every stanza of the policy stays.
    fn hold(&mut self, policy: PolicyNumber, reason: &str) {
        for id in self.joined.policies.stanzas_of(policy) {
            let end = self.drafter.ladders.get(&id).map_or(0, Vec::len);
            self.limits.give_up(self.joined, id, reason);
            if self.levels.insert(id, end) != Some(end) {
                self.why.insert(id, reason.to_owned());
            }
        }
    }

    fn prove(&self, scheme: &Scheme, sets: Option<&BTreeSet<SetId>>) -> (Proof, Vec<Failure>) {
        match sets {
            None => proof::prove(self.joined, scheme),
            Some(sets) => {
                let demands = sets.iter().flat_map(|&n| &self.demands[n]).copied();
                proof::prove_some(self.joined, scheme, demands)
            }
        }
    }

    /// The sets in which one of these policies is in force.
    fn concerned(&self, policies: &BTreeSet<PolicyNumber>) -> BTreeSet<SetId> {
        policies.iter().flat_map(|&p| &self.sets_of[p]).copied().collect()
    }

    /// Steps back until the proof holds, and until nobody who may log in unseen has more than today.
    fn repair(&mut self) {
        let mut concerned: Option<BTreeSet<SetId>> = None;
        let mut left: BTreeSet<usize> = (0..self.joined.unseen.uncompared.len()).collect();
        loop {
            self.repair_seen(concerned);
            let gaining: Vec<(usize, Gain)> = left
                .par_iter()
                .filter_map(|&n| Some((n, unseen::gain(self.joined, n, &|p| &self.drafts[p])?)))
                .collect();
            if gaining.is_empty() {
                return;
            }
            let moved = self.step_back(&gaining);
            for &p in &moved {
                self.drafts[p] = self.redraft(p, true);
            }
            left = moved.iter().flat_map(|&p| &self.unseen_of[p]).copied().collect();
            left.extend(gaining.iter().map(|(n, _)| *n));
            concerned = Some(self.concerned(&moved));
        }
    }

    /// What is to blame for what would be gained steps back; where nothing of it can, the list's policies stay. Which policies moved.
    fn step_back(&mut self, gaining: &[(usize, Gain)]) -> BTreeSet<PolicyNumber> {
        let mut moved = BTreeSet::new();
        for (n, gain) in gaining {
            let suspects = unseen::suspects(self.joined, *n, gain);
            let can =
                |id: &&StanzaId| can_step_back(self.drafter.ladders, &self.levels, **id) || self.limits.is_on(**id);
            let first = suspects.iter().find(|some| some.iter().any(|id| can(&id)));
            let blamed: Vec<StanzaId> = first.into_iter().flatten().filter(can).copied().collect();
            for id in &blamed {
                if !self.limits.give_up(self.joined, *id, &gain.reason) {
                    *self.levels.entry(*id).or_default() += 1;
                    self.why.insert(*id, gain.reason.clone());
                }
                moved.insert(id.policy());
            }
            if let (true, Some(list)) = (blamed.is_empty(), self.joined.unseen.uncompared.get(*n)) {
                for &p in &list.policies {
                    self.hold(p, &gain.reason);
                    moved.insert(p);
                }
            }
        }
        moved
    }

    /// Steps back until the proof holds. After the first round only what changed is proven again.
    fn repair_seen(&mut self, mut concerned: Option<BTreeSet<SetId>>) {
        loop {
            let scheme = scheme(self.joined, |p| &self.drafts[p], concerned.as_ref());
            let (_, failures) = self.prove(&scheme, concerned.as_ref());
            if failures.is_empty() {
                return;
            }
            let state = (self.drafter.ladders, &self.levels, &self.limits);
            let blamed = blame::blamed(self.joined, &scheme, &failures, state);
            let mut moved: BTreeSet<PolicyNumber> = BTreeSet::new();
            for (id, reason) in blamed {
                if self.limits.give_up(self.joined, id, &reason) {
                    moved.insert(id.policy());
                } else if can_step_back(self.drafter.ladders, &self.levels, id) {
                    *self.levels.entry(id).or_default() += 1;
                    self.why.insert(id, reason);
                    moved.insert(id.policy());
                }
            }
            if moved.is_empty() {
                // Nothing to blame is left that could step back: today's policies stand.
                let stuck = failing(self.joined, &failures);
                let policies = stuck.iter().map(|&n| &self.joined.sets[n]);
                moved = policies.flat_map(|set| set.policies.iter().copied()).collect();
                for &p in &moved {
                    self.hold(p, "no tighter set could be proven");
                }
                if moved.iter().all(|&p| !self.drafts[p].changed) {
                    return;
                }
            }
            for &p in &moved {
                self.drafts[p] = self.redraft(p, true);
            }
            let mut next = self.concerned(&moved);
            next.extend(failing(self.joined, &failures));
            concerned = Some(next);
        }
    }

    /// Tries again what was given up.
    fn restore(&mut self) {
        let given_up: BTreeSet<StanzaId> = self
            .levels
            .iter()
            .filter(|(id, level)| **level > 0 && self.drafter.ladders.get(id).is_some_and(|l| !l.is_empty()))
            .map(|(&id, _)| id)
            .collect();
        let tried: Vec<Trial> = self
            .apart(&given_up)
            .into_par_iter()
            .map(|ids| self.tried(&ids))
            .collect();
        for trial in tried {
            for (id, level) in trial.levels {
                if level == 0 {
                    self.why.remove(&id);
                }
                self.levels.insert(id, level);
            }
            for (p, draft) in trial.drafts {
                self.drafts[p] = draft;
            }
        }
    }

    /// The stanzas in groups whose policies, as far as anything of them changes, share no set with those of another group.
    fn apart(&self, ids: &BTreeSet<StanzaId>) -> Vec<Vec<StanzaId>> {
        type Leaders = IndexVec<AccessSet, SetId>;
        let mut leader: Leaders = self.joined.sets.ids().collect();
        fn top(leader: &mut Leaders, mut n: SetId) -> SetId {
            while leader[n] != n {
                leader[n] = leader[leader[n]];
                n = leader[n];
            }
            n
        }
        for id in ids {
            let mut sets = self.sets_of[id.policy()].iter().copied();
            let Some(first) = sets.next() else { continue };
            for other in sets {
                let (a, b) = (top(&mut leader, first), top(&mut leader, other));
                leader[b] = a;
            }
        }
        let mut groups: BTreeMap<Result<SetId, PolicyNumber>, Vec<StanzaId>> = BTreeMap::new();
        for &id in ids {
            // A policy of no set is apart from all.
            let first = self.sets_of[id.policy()].first().copied();
            let group = first.map(|n| top(&mut leader, n)).ok_or(id.policy());
            groups.entry(group).or_default().push(id);
        }
        groups.into_values().collect()
    }

    fn tried(&self, ids: &[StanzaId]) -> Trial {
        let mut trial = Trial::default();
        let mut left = MOST_TRIALS;
        let mut todo: Vec<Vec<StanzaId>> = vec![ids.to_vec()];
        while let Some(some) = todo.pop() {
            if left == 0 {
                break;
            }
            left -= 1;
            if self.holds(&mut trial, some.iter().map(|&id| (id, 0))) {
                continue;
            }
            if let [id] = some[..] {
                // All of it does not hold: the first step of the ladder that does.
                let now = self.levels.get(&id).copied().unwrap_or_default();
                for level in 1..now {
                    left = left.saturating_sub(1);
                    if self.holds(&mut trial, std::iter::once((id, level))) {
                        break;
                    }
                }
                continue;
            }
            let (head, tail) = some.split_at(some.len() / 2);
            todo.push(tail.to_vec());
            todo.push(head.to_vec());
        }
        trial
    }

    /// Whether the proof holds with these levels too; then they are kept.
    fn holds(&self, trial: &mut Trial, wanted: impl Iterator<Item = (StanzaId, usize)>) -> bool {
        let mut levels = self.levels.clone();
        levels.extend(trial.levels.iter().map(|(&id, &level)| (id, level)));
        let wanted: Vec<(StanzaId, usize)> = wanted.collect();
        levels.extend(wanted.iter().copied());
        let policies: BTreeSet<PolicyNumber> = wanted.iter().map(|(id, _)| id.policy()).collect();
        let mut drafts: BTreeMap<PolicyNumber, Draft> = BTreeMap::new();
        for &p in &policies {
            match self.drafter.draft(p, &levels, &self.limits) {
                Some(draft) => drafts.insert(p, draft),
                None => return false,
            };
        }
        let sets = self.concerned(&policies);
        let draft = |p: PolicyNumber| {
            let new = drafts.get(&p).or_else(|| trial.drafts.get(&p));
            new.unwrap_or(&self.drafts[p])
        };
        let scheme = scheme(self.joined, draft, Some(&sets));
        if !self.prove(&scheme, Some(&sets)).1.is_empty() {
            return false;
        }
        let lists: BTreeSet<usize> = policies.iter().flat_map(|&p| &self.unseen_of[p]).copied().collect();
        if lists
            .into_iter()
            .any(|n| unseen::gain(self.joined, n, &draft).is_some())
        {
            return false;
        }
        trial.levels.extend(wanted);
        trial.drafts.extend(drafts);
        true
    }

    /// The proof of the whole, and an order in which every step is safe. A policy that no order is safe for stays; were the proof
    /// not to hold after all, today's policies stand.
    fn confirm(&mut self) -> (Proof, Scheme, Vec<Planned>) {
        loop {
            let scheme = scheme(self.joined, |p| &self.drafts[p], None);
            let (proof, failures) = self.prove(&scheme, None);
            if self.drafts.iter().all(|d| !d.changed) {
                return (proof, scheme, Vec::new());
            }
            let lists = 0..self.joined.unseen.uncompared.len();
            let gains = |n: usize| unseen::gain(self.joined, n, &|p| &self.drafts[p]).is_some();
            if !failures.is_empty() || lists.into_par_iter().any(gains) {
                for p in self.joined.policies.ids() {
                    self.stay(p, "no tighter set could be proven");
                }
                continue;
            }
            match steps::order(self.joined, self.moves(&scheme)) {
                steps::Order::Safe(order) => return (proof, scheme, order),
                steps::Order::None(policy) => self.stay(
                    policy,
                    "whatever the order of the changes, somebody would have more or less access for a while",
                ),
            }
        }
    }

    /// The policy is as it is today.
    fn stay(&mut self, policy: PolicyNumber, reason: &str) {
        self.hold(policy, reason);
        self.drafts[policy] = self.redraft(policy, false);
    }

    /// The policies that change, with what they become and the wave that they belong to.
    fn moves(&self, scheme: &Scheme) -> Vec<Move> {
        let by_name: BTreeMap<(&str, &str), &Policy> =
            scheme.policies.iter().map(|p| ((&*p.namespace, &*p.name), p)).collect();
        let changed = self.drafts.iter().filter(|draft| draft.changed);
        changed
            .map(|draft| {
                let policy = draft.tightened.policy;
                let old = &self.joined.policies[policy];
                let to = by_name.get(&(&*old.namespace, &*old.name)).map(|p| (*p).clone());
                let to = to.filter(|_| draft.tightened.text.is_some());
                let wave = waves::of(self.joined, policy, to.as_ref());
                Move { policy, to, wave }
            })
            .collect()
    }

    /// What became of every stanza. A policy that goes as a whole takes all of them along.
    fn fates(&self, removable: &IndexVec<Policy, bool>) -> BTreeMap<StanzaId, Fate> {
        let fate = |(id, hold): (StanzaId, Option<super::Hold>)| {
            let goes = self.drafts[id.policy()].policy.is_none();
            let ladder = self.drafter.ladders.get(&id);
            let level = self.levels.get(&id).copied().unwrap_or_default();
            let change = ladder.and_then(|ladder| ladder.get(level)).cloned();
            let fate = match (hold, ladder, change) {
                _ if goes => Fate::Changed(Change::Drop),
                (Some(hold), ..) => Fate::Held(hold),
                (None, None, _) => Fate::Stays,
                (None, Some(ladder), _) if ladder.is_empty() => Fate::Stays,
                (None, Some(_), Some(change)) if level == 0 => Fate::Changed(change),
                (None, Some(_), change) => Fate::Withdrawn(change.unwrap_or(Change::Keep)),
            };
            (id, fate)
        };
        held(self.joined, removable).into_iter().map(fate).collect()
    }

    fn withdrawn(&self) -> Vec<(String, String)> {
        let ladders = self.drafter.ladders.iter();
        ladders
            .filter(|(id, _)| self.levels.get(id).is_some_and(|level| *level > 0))
            .filter_map(|(id, ladder)| {
                let (stanza, policy) = (&self.joined.policies[*id], &self.joined.policies[id.policy()]);
                let what = match ladder.first()? {
                    Change::Replace(_) => "narrowing",
                    _ => "dropping unused capabilities of",
                };
                let reason = self.why.get(id).cloned().unwrap_or_default();
                Some((format!("{what} `{}` in policy `{}`", stanza.path, policy.name), reason))
            })
            .collect()
    }
}

/// What was tried and holds.
#[derive(Default)]
struct Trial {
    levels: Levels,
    drafts: BTreeMap<PolicyNumber, Draft>,
}

/// The sets that failures are about.
fn failing(joined: &Joined, failures: &[Failure]) -> BTreeSet<SetId> {
    let set = |f: &Failure| match f {
        Failure::Denied { demand } => joined.demands[*demand].set,
        Failure::Granted { set, .. } | Failure::Undecided { set, .. } => *set,
    };
    failures.iter().map(set).collect()
}
