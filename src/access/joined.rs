//! Usage joined with grants: what analysis and optimisation read.

use super::attribute;
use super::by_name::PolicyNumber;
use super::demand::{Holding, JoinedDemand, StanzaUse};
use super::doubt::Doubt;
use super::handed_out::HandedOut;
use super::holder::{Holder, HolderId};
use super::lists::MayHold;
use super::same::Doubles;
use super::sets::{AccessSet, SetId, StanzaId};
use super::today::Today;
use super::universe::Universe;
use super::unseen::Unseen;
use crate::index::IndexVec;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::table::Table;
use crate::usage::Untold;
use crate::vault::{Capability, CapabilitySet, PolicyId, PrincipalKind};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Usage joined with grants.
pub struct Joined {
    /// Whose rules decide.
    pub profile: Profile,
    /// Now, for stanzas that expire.
    pub now: Option<i64>,
    /// The policies read.
    pub policies: Table,
    /// Who.
    pub holders: IndexVec<Holder, Today>,
    /// Policies in force together.
    pub sets: IndexVec<AccessSet>,
    /// The ways in that the deployment knows of, with where their policies come from.
    pub logins: Vec<Login>,
    /// Every demand.
    pub demands: IndexVec<JoinedDemand>,
    /// Use by stanza, by capability.
    pub uses: BTreeMap<StanzaId, BTreeMap<Capability, StanzaUse>>,
    /// Who holds each policy.
    pub held: IndexVec<Policy, Holding>,
    /// Who may hold which policy without that being known.
    pub may_hold: MayHold,
    /// What stays as it is.
    pub stays: Stays,
    /// What logins may bring that nobody saw.
    pub unseen: Unseen,
    /// How changes are kept apart.
    pub apart: Apart,
    /// What the log does not tell.
    pub gaps: Gaps,
    /// Policies that were not read.
    pub not_read: NotRead,
    /// Every path known.
    pub universe: Universe,
    /// Values of templates taken from the log, as sentences.
    pub inferred: Vec<String>,
    /// What the deployment hands out; none without a deployment.
    pub handed_out: Option<HandedOut>,
}

/// What stays as it is, and for whom.
#[derive(Debug, Clone, Default)]
pub struct Stays {
    /// Stanzas that could have explained what the policies as read do not explain: nobody's use of them is known whole.
    pub doubted: BTreeMap<StanzaId, Doubt>,
    /// Who did something that is not explained.
    pub unexplained_by: BTreeSet<HolderId>,
    /// Stanzas that are kept because somebody said so, or because servers may have asked them besides, with the reason.
    pub kept: BTreeMap<StanzaId, Arc<str>>,
    /// Who holds a policy of which something is kept.
    pub kept_for: BTreeSet<HolderId>,
    /// Who came to hold something so lately that nothing is known yet of what they need of it, and whether others speak for them.
    pub lately: BTreeMap<HolderId, bool>,
    /// Who may be another of the holders, too: what that one did may be what it needs.
    pub doubles: Doubles,
    /// Entities whose tokens came of several logins: each of these roles and users has a list of its own.
    pub by_several_logins: BTreeSet<HolderId>,
    /// Sets of tokens that somebody made with another token: whoever made them chose their policies by name, also where a login gives the
    /// same together with what entity and groups give.
    pub made: BTreeSet<(SetId, HolderId)>,
}

/// What the log does not tell.
#[derive(Debug, Clone, Default)]
pub struct Gaps {
    /// Whose lines could not be read as far as what they asked for: how many of each.
    pub lost: BTreeMap<HolderId, u64>,
    /// Entries that are cut so far that not even their holder is known, and requests of which no entry is there.
    pub cut: u64,
    /// Tokens of which it does not say what they hold.
    pub untold: Untold,
}

/// Policies that were not read.
#[derive(Debug, Clone, Default)]
pub struct NotRead {
    /// Those that somebody holds, with who.
    pub held: BTreeMap<PolicyId, BTreeSet<HolderId>>,
    /// Those of them that the server does not have.
    pub nowhere: BTreeSet<PolicyId>,
    /// Those that somebody's list may mean, where the namespace of its token is not known.
    pub may_be: BTreeSet<PolicyId>,
}

impl Stays {
    /// Whether what this holder has is to stay as it is: something that it did is not explained, something is kept, or it came to
    /// hold something lately and nobody speaks for it.
    #[must_use]
    pub fn holds(&self, holder: HolderId) -> bool {
        let is_alone = self.lately.get(&holder) == Some(&false);
        is_alone || self.unexplained_by.contains(&holder) || self.kept_for.contains(&holder)
    }

    /// Whether a stanza is not to be touched, for anybody.
    #[must_use]
    pub fn is_fixed(&self, stanza: StanzaId) -> bool {
        self.doubted.contains_key(&stanza) || self.kept.contains_key(&stanza)
    }
}

impl NotRead {
    /// Those that somebody holds and that may exist, with who.
    pub fn existing(&self) -> impl Iterator<Item = (&PolicyId, &BTreeSet<HolderId>)> {
        let may_exist = |(policy, _): &(&PolicyId, &BTreeSet<HolderId>)| !self.nowhere.contains(policy);
        self.held.iter().filter(may_exist)
    }
}

/// How changes are kept apart, so that not everybody is hurt at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Apart {
    /// The teams of policies, where something tells them.
    pub teams: BTreeMap<PolicyNumber, Arc<str>>,
    /// At most so many principals a wave; none for as many as there are.
    pub most_principals: Option<usize>,
}

impl Joined {
    /// The set in force for a holder today.
    #[must_use]
    pub fn current_set(&self, holder: HolderId) -> &AccessSet {
        &self.sets[self.holders[holder].current]
    }

    /// Whether a holder acts with the root policy, which no file holds.
    #[must_use]
    pub fn acts_as_root(&self, holder: HolderId) -> bool {
        let holder = &self.holders[holder];
        let today = holder.sets.first();
        holder.principal.kind == PrincipalKind::Root
            || today.is_some_and(|set| set.policies.iter().any(PolicyId::is_root))
    }

    /// What every holder used, by path.
    #[must_use]
    pub fn used(&self) -> IndexVec<Holder, HashMap<&str, CapabilitySet>> {
        let mut used: IndexVec<Holder, HashMap<&str, CapabilitySet>> = self.holders.map(|_| HashMap::new());
        for d in self.demands.iter().filter(|d| d.was_allowed()) {
            let on = used[d.holder].entry(&d.path).or_default();
            *on = on.union(d.needs());
        }
        used
    }

    /// Keeps these stanzas, and these policies from being deleted.
    pub fn keep(&mut self, stanzas: BTreeMap<StanzaId, Arc<str>>, policies: &BTreeSet<PolicyNumber>) {
        let held = policies.iter().flat_map(|&policy| &self.held[policy].by);
        self.stays.kept_for.extend(held.copied());
        self.stays.kept.extend(stanzas);
    }

    /// The stanzas that allowed a demand, each with all that it gives there; none where no stanza explains it.
    pub fn allowed_by(&self, demand: &JoinedDemand) -> impl Iterator<Item = (StanzaId, CapabilitySet)> + '_ {
        attribute::allowed_by(demand, &self.sets)
    }
}

/// A principal's way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Who.
    pub holder: HolderId,
    /// What its tokens have.
    pub set: SetId,
    /// Where that comes from, as indexes into [`Holder::assigned`].
    pub places: Vec<usize>,
}
