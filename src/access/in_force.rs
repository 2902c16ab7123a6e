//! Which sets of policies are in force: for each holder, for each way in, for each list of the log; and who has each policy by them.

use super::attribute::Readings;
use super::demand::Holding;
use super::holder::{Holder, HolderId};
use super::joined::Login;
use super::lists::{Listed, Lists};
use super::logins::Way;
use super::meant::HeldSet;
use super::sets::{AccessSet, SetId, Sets};
use super::today::Today;
use crate::index::IndexVec;
use crate::policy::model::Policy;
use crate::policy::table::Table;
use crate::vault::PolicyId;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The sets of holders.
#[derive(Default)]
pub(super) struct OfHolders {
    /// Who, each with what it has today.
    pub(super) holders: IndexVec<Holder, Today>,
    /// What each has or had, whichever way it came in.
    pub(super) all: IndexVec<Holder, BTreeSet<SetId>>,
    /// The ways in, with what each gives.
    pub(super) logins: Vec<Login>,
}

impl OfHolders {
    /// Numbers the sets of holders and of their ways in.
    pub(super) fn numbered(sets: &mut Sets<'_>, all: IndexVec<Holder>, ways: Vec<Vec<Way>>) -> Self {
        let mut numbered = Self::default();
        let ids = all.ids();
        for ((id, holder), ways) in ids.zip(all).zip(ways) {
            let first = holder.sets.first().cloned().unwrap_or_else(|| HeldSet::of([]));
            let today = sets.number(id, &holder, &first, true);
            let others = holder.sets.iter().skip(1);
            let mut held: BTreeSet<SetId> = others.map(|held| sets.number(id, &holder, held, false)).collect();
            held.insert(today);
            numbered.all.push(held);
            let logins = ways.into_iter().map(|way| Login {
                holder: id,
                set: sets.number(id, &holder, &way.held, false),
                places: way.places,
            });
            numbered.logins.extend(logins);
            numbered.holders.push(Today::new(holder, today));
        }
        numbered
    }
}

/// The sets that a list of the log may mean.
pub(super) struct OfList {
    pub(super) readings: Readings,
    holder: HolderId,
    first: Option<Timestamp>,
    acted: bool,
    made: bool,
}

/// Numbers the sets that the lists of the log may mean.
pub(super) fn of_lists(
    sets: &mut Sets<'_>,
    holders: &IndexVec<Holder, Today>,
    lists: Lists<'_>,
) -> IndexVec<Listed, OfList> {
    lists.listed.map(|list| {
        let mut number = |reading| sets.number(list.holder, &holders[list.holder], reading, false);
        OfList {
            readings: Readings {
                first: number(&list.meant.likeliest),
                others: list.meant.others.iter().map(number).collect(),
            },
            holder: list.holder,
            first: list.first,
            acted: list.acted,
            made: list.made,
        }
    })
}

/// Sets that somebody's tokens have which were made with another token, whichever way in gives the same.
pub(super) fn made(lists: &IndexVec<Listed, OfList>) -> BTreeSet<(SetId, HolderId)> {
    let made = lists.iter().filter(|list| list.made);
    made.flat_map(|list| list.readings.all().map(|set| (set, list.holder)))
        .collect()
}

/// Who holds each policy.
pub(super) fn held(
    policies: &Table,
    lists: &IndexVec<Listed, OfList>,
    sets: &IndexVec<AccessSet>,
) -> IndexVec<Policy, Holding> {
    let mut held: IndexVec<Policy, Holding> = policies.map(|_| Holding::default());
    for list in lists {
        for &policy in list.readings.all().flat_map(|set| &sets[set].policies) {
            let seen = held[policy].seen_with.entry(list.holder).or_default();
            seen.first = [seen.first, list.first].into_iter().flatten().min();
            seen.acted |= list.acted;
        }
    }
    for set in sets {
        for &policy in &set.policies {
            held[policy].by.extend(&set.holders);
        }
    }
    held
}

/// Policies that somebody holds and that were not read, with who.
pub(super) fn missing(sets: &IndexVec<AccessSet>) -> BTreeMap<PolicyId, BTreeSet<HolderId>> {
    let mut missing: BTreeMap<PolicyId, BTreeSet<HolderId>> = BTreeMap::new();
    for set in sets {
        for policy in &set.missing {
            missing.entry(policy.clone()).or_default().extend(&set.holders);
        }
    }
    missing
}
