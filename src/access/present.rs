//! Who there is and what each holds: by the lists of policies in the logs, and by the places of the deployment.

use super::attribute::is_unbound;
use super::by_name::ByName;
use super::holder::{Directory, Holder, HolderId};
use super::infer;
use super::lists::{Listed, Lists, Seen};
use super::logged::{Logged, LostLines};
use super::logins::{self, Way};
use super::meant::Reader;
use super::people::People;
use crate::index::{Idx, IndexVec};
use crate::policy::profile::Profile;
use crate::policy::table::Table;
use crate::usage::demand::Demand;
use crate::vault::{RoleId, path};
use std::collections::{BTreeMap, BTreeSet};

/// Who there is, with the lists that they were seen with.
pub(super) struct Present<'a> {
    pub(super) holders: IndexVec<Holder>,
    /// The ways in of each holder.
    pub(super) ways: Vec<Vec<Way>>,
    /// By whom each demand is.
    pub(super) holder_of: Vec<HolderId>,
    /// With which list each demand was made.
    pub(super) list_of: Vec<Idx<Listed>>,
    pub(super) lists: Lists<'a>,
    /// The roles that somebody was seen to log in as.
    pub(super) roles: BTreeSet<RoleId>,
    /// Whose lines could not be read as far as what they asked for: how many of each.
    pub(super) lost: BTreeMap<HolderId, u64>,
}

impl<'a> Present<'a> {
    /// Who is in the logs, and whom the deployment has besides.
    pub(super) fn of(logged: &'a Logged, directory: Option<&'a Directory<'a>>, reader: Reader<'a>) -> Self {
        let (mut people, holder_of) = People::of(&logged.demands, directory);
        let seen = seen(logged, &mut people, directory);
        let lost = lost_by(&logged.lost, &mut people);
        let People {
            mut holders,
            at_work_in,
            ..
        } = people;
        let of_demands = logged.demands.iter().zip(&holder_of).map(|(d, &h)| (h, &*d.held));
        let of_tokens = seen.iter().map(|seen| (seen.holder, seen.held));
        let mut lists = Lists::new(reader, of_demands.chain(of_tokens));
        let list_of = lists.of_demands(&logged.demands, &holder_of, &at_work_in);
        let logged_in_as = lists.of_sets(&seen, &holders, &at_work_in);
        lists.tell(&mut holders);
        if let Some(directory) = directory {
            place(&mut holders, &logged_in_as, directory);
        }
        Self {
            ways: ways_in(&mut holders),
            holders,
            holder_of,
            list_of,
            lists,
            roles: logged_in_as.into_iter().flatten().collect(),
            lost,
        }
    }

    /// Completes the identities that are not known from a deployment, from what was asked by whom; returns sentences of what was
    /// taken.
    pub(super) fn infer_identities(
        &mut self,
        demands: &[Demand],
        policies: &Table,
        by_name: &ByName<'_>,
        profile: Profile,
        now: Option<i64>,
    ) -> Vec<String> {
        let listed = &self.lists.listed;
        let asked = demands.iter().zip(self.holder_of.iter().copied()).zip(&self.list_of);
        let asked = asked.filter(|((demand, _), _)| !is_unbound(demand));
        let asked = asked.map(|((demand, holder), &list)| (demand, holder, &listed[list].meant.likeliest));
        infer::identities(&mut self.holders, asked, policies, by_name, profile, now)
    }
}

/// The lists that tokens had, also those that nothing was seen to be done with: who logged in and asked for nothing, or of whose lines
/// nothing else could be read, holds policies all the same.
fn seen<'a>(logged: &'a Logged, people: &mut People<'a>, directory: Option<&Directory<'_>>) -> Vec<Seen<'a>> {
    let of_sets = logged.sets.iter().map(|set| Seen {
        holder: people.number(&set.principal),
        held: &set.held,
        first: set.first_seen,
        last: set.last_seen,
        is_lost: false,
        made: *set.mount == *path::TOKEN_MOUNT,
        login: directory.and_then(|d| Some((d.mount_of_login(set)?, &set.role))),
    });
    let mut seen: Vec<Seen<'a>> = of_sets.collect();
    seen.extend(logged.lost.iter().map(|lost| Seen {
        holder: people.number(&lost.principal),
        held: &lost.held,
        first: None,
        last: None,
        is_lost: true,
        made: false,
        login: None,
    }));
    seen
}

/// How many lines are lost of each.
fn lost_by(lost: &[LostLines], people: &mut People<'_>) -> BTreeMap<HolderId, u64> {
    let mut lost_by: BTreeMap<HolderId, u64> = BTreeMap::new();
    for lost in lost {
        *lost_by.entry(people.number(&lost.principal)).or_default() += lost.lines;
    }
    lost_by
}

/// Tells each holder the places that its policies come from, and adds whom the deployment has and the logs do not.
fn place(holders: &mut IndexVec<Holder>, logged_in_as: &IndexVec<Holder, BTreeSet<RoleId>>, directory: &Directory<'_>) {
    for (holder, roles) in holders.iter_mut().zip(logged_in_as) {
        holder.assigned = directory.assigned(&holder.principal, roles);
    }
    let dormant = directory.dormant(holders.as_slice());
    holders.extend(dormant);
}

/// The ways in of each holder; what it has today comes first of its sets then.
fn ways_in(holders: &mut IndexVec<Holder>) -> Vec<Vec<Way>> {
    logins::list(holders.as_mut_slice());
    let ways: Vec<Vec<Way>> = holders.iter().map(logins::ways).collect();
    for (holder, ways) in holders.iter_mut().zip(&ways) {
        logins::first(holder, ways);
    }
    ways
}
