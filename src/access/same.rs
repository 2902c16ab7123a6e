//! Who may be another, too: the log names the token of one in two ways, or the server made somebody anew under another id.
//!
//! A token is known by the best that its entry says of it. Where some entries say less (what a device leaves out, what a pipeline drops,
//! what older servers did not write), what one did stands under two names; so it does where an entity was deleted and the next login made
//! another. Two are taken for one who may be: their tokens are called the same, and what is vouched for of their logins is not different.

use super::holder::{Holder, HolderId};
use crate::index::IndexVec;
use crate::usage::demand::PolicySet;
use crate::vault::PrincipalKind;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// One of those whose tokens are called the same.
struct One<'a> {
    holder: HolderId,
    is_entity: bool,
    /// The role of its login; empty where nothing vouches for one.
    role: &'a str,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

/// Who may be another, too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doubles {
    /// Those who may be one of the others of them.
    pub some: BTreeSet<HolderId>,
    /// Tokens that are known by nothing that somebody has twice: each may be of anybody with the same policies.
    pub anybodys: BTreeSet<HolderId>,
}

/// Who may be another.
pub(super) fn doubles(holders: &IndexVec<Holder>, sets: &[PolicySet]) -> Doubles {
    let mut anybodys = BTreeSet::new();
    let number: HashMap<(PrincipalKind, &Arc<str>), HolderId> = holders
        .numbered()
        .map(|(number, holder)| ((holder.principal.kind, &holder.principal.id), number))
        .collect();
    let mut called: BTreeMap<&str, Vec<One<'_>>> = BTreeMap::new();
    for set in sets {
        let kind = set.principal.kind;
        let is_somebody = matches!(kind, PrincipalKind::Entity | PrincipalKind::Role | PrincipalKind::Token);
        let Some(&holder) = number.get(&(kind, &set.principal.id)).filter(|_| is_somebody) else {
            // It did nothing that is asked of policies.
            continue;
        };
        if set.display_name.is_empty() {
            anybodys.extend((kind == PrincipalKind::Token).then_some(holder));
        } else {
            called.entry(&set.display_name).or_default().push(One {
                holder,
                is_entity: kind == PrincipalKind::Entity,
                role: &set.role,
                first: set.first_seen,
                last: set.last_seen,
            });
        }
    }
    Doubles {
        some: called.into_iter().flat_map(|(name, all)| among(name, &all)).collect(),
        anybodys,
    }
}

/// Those of one name who may be another of them.
fn among(name: &str, all: &[One<'_>]) -> BTreeSet<HolderId> {
    let mut found = BTreeSet::new();
    let mut by_role: BTreeMap<&str, Vec<&One<'_>>> = BTreeMap::new();
    for one in all {
        by_role.entry(one.role).or_default().push(one);
    }
    let open: Vec<&One<'_>> = by_role.remove("").unwrap_or_default();
    for ones in by_role.values() {
        found.extend(among_alike(name, &[&open[..], ones].concat()));
    }
    found.extend(among_alike(name, &open));
    found
}

/// Of those of whom nothing tells that they differ but what they are known by.
fn among_alike(name: &str, ones: &[&One<'_>]) -> BTreeSet<HolderId> {
    let holders: BTreeSet<HolderId> = ones.iter().map(|one| one.holder).collect();
    if holders.len() < 2 {
        return BTreeSet::new();
    }
    // An entity is told by its id; whoever is not may be any of the others.
    if ones.iter().any(|one| !one.is_entity) {
        return holders;
    }
    // Children of tokens are called as whoever made them likes.
    if name == "token" || name.starts_with("token-") {
        return BTreeSet::new();
    }
    // Made anew: nothing of the one was seen any more once the other was there.
    let mut spans: BTreeMap<HolderId, (Option<Timestamp>, Option<Timestamp>)> = BTreeMap::new();
    for one in ones {
        let span = spans.entry(one.holder).or_insert((one.first, one.last));
        span.0 = [span.0, one.first].into_iter().flatten().min();
        span.1 = span.1.max(one.last);
    }
    let newest = spans.values().filter_map(|(first, _)| *first).max();
    let oldest = spans.values().filter_map(|(_, last)| *last).min();
    let is_apart = |(first, last): (Option<Timestamp>, Option<Timestamp>)| {
        let gone = last.zip(newest).is_some_and(|(last, newest)| last < newest);
        gone || first.zip(oldest).is_some_and(|(first, oldest)| first > oldest)
    };
    let apart = spans.into_iter().filter(|(_, span)| is_apart(*span));
    apart.map(|(holder, _)| holder).collect()
}

#[cfg(test)]
mod tests {
    use super::super::people::new_holder;
    use super::*;
    use crate::usage::demand::Principal;
    use crate::usage::held::Held;

    /// Seen as this kind with this id, called so, by this role, from one second to another.
    type Seen<'a> = (PrincipalKind, &'a str, &'a str, &'a str, i64, i64);

    fn found(all: &[Seen<'_>]) -> Vec<usize> {
        let principal = |one: &Seen<'_>| Principal {
            kind: one.0,
            id: Arc::from(one.1),
            name: Arc::from(one.1),
            auth_mount: Arc::from(""),
        };
        let mut holders: IndexVec<Holder> = IndexVec::new();
        let mut sets = Vec::new();
        for one in all {
            holders.push(new_holder(&principal(one), "", None));
            sets.push(PolicySet {
                principal: principal(one),
                held: Arc::new(Held::nothing()),
                mount: Arc::from(""),
                role: Arc::from(one.3),
                display_name: Arc::from(one.2),
                by_login: false,
                last_seen: Timestamp::from_second(one.5).ok(),
                first_seen: Timestamp::from_second(one.4).ok(),
            });
        }
        let found = doubles(&holders, &sets).some;
        holders
            .ids()
            .zip(0..)
            .filter(|(id, _)| found.contains(id))
            .map(|(_, n)| n)
            .collect()
    }

    #[test]
    fn who_is_called_the_same_may_be_one_unless_something_tells_them_apart() {
        use PrincipalKind::{Entity, Role, Token};
        let nobody: [usize; 0] = [];
        // Of a role whose metadata are missing in some entries; another role of the mount may be it as well.
        let job = (Role, "auth/approle/job", "approle", "job", 0, 9);
        let web = (Role, "auth/approle/web", "approle", "web", 0, 9);
        let some = (Token, "approle", "approle", "", 3, 5);
        assert_eq!(found(&[job, web]), nobody);
        assert_eq!(found(&[job, web, some]), [0, 1, 2]);
        // Entries without an entity id.
        let pay = (Entity, "e1", "kubernetes-x-pay", "pay", 0, 9);
        assert_eq!(
            found(&[pay, (Role, "auth/kubernetes/pay", "kubernetes-x-pay", "pay", 0, 9)]),
            [0, 1]
        );
        assert_eq!(
            found(&[pay, (Role, "auth/kubernetes/app", "kubernetes-x-app", "app", 0, 9)]),
            nobody
        );
        // An entity that was made anew, and two that are there at one time.
        let again = |from| (Entity, "e2", "userpass-pay", "pay", from, 9);
        assert_eq!(found(&[(Entity, "e1", "userpass-pay", "pay", 0, 4), again(5)]), [0, 1]);
        assert_eq!(found(&[(Entity, "e1", "userpass-pay", "pay", 0, 5), again(5)]), nobody);
        // Children of tokens are called as their makers like.
        assert_eq!(
            found(&[
                (Entity, "e1", "token-ci", "", 0, 4),
                (Entity, "e2", "token-ci", "", 5, 9)
            ]),
            nobody
        );
        assert_eq!(
            found(&[
                (Entity, "e1", "token-ci", "", 0, 4),
                (Token, "token-ci", "token-ci", "", 5, 9)
            ]),
            [0, 1]
        );
    }
}
