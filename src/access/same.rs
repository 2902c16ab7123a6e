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

/// One whose tokens are called so, or several.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// Whether one of them is no entity: it is told by its name alone.
    by_name: bool,
    /// The last time that one of them was new, and for one its first.
    newest: Option<Timestamp>,
    /// The first time that one of them was gone, and for one its last.
    oldest: Option<Timestamp>,
}

impl Seen {
    fn and(self, other: Self) -> Self {
        Self {
            by_name: self.by_name || other.by_name,
            newest: self.newest.max(other.newest),
            oldest: [self.oldest, other.oldest].into_iter().flatten().min(),
        }
    }

    /// Whether nothing of this one was seen any more once one of the others was there, or the other way about.
    fn is_apart(self, others: Self) -> bool {
        let gone = self
            .oldest
            .zip(others.newest)
            .is_some_and(|(last, newest)| last < newest);
        gone || self
            .newest
            .zip(others.oldest)
            .is_some_and(|(first, oldest)| first > oldest)
    }
}

/// Those whose tokens are called the same: each with the roles of its logins, and when it was there.
#[derive(Default)]
struct Called<'a> {
    /// Where nothing vouches for a role it is empty.
    by_role: BTreeMap<&'a str, BTreeSet<HolderId>>,
    seen: BTreeMap<HolderId, Seen>,
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
    let mut called: BTreeMap<&str, Called<'_>> = BTreeMap::new();
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
            let called = called.entry(&set.display_name).or_default();
            called.by_role.entry(&set.role).or_default().insert(holder);
            let seen = called.seen.entry(holder).or_insert(Seen {
                by_name: kind != PrincipalKind::Entity,
                newest: set.first_seen,
                oldest: set.last_seen,
            });
            seen.newest = [seen.newest, set.first_seen].into_iter().flatten().min();
            seen.oldest = seen.oldest.max(set.last_seen);
        }
    }
    Doubles {
        some: called
            .into_iter()
            .flat_map(|(name, called)| called.some(name))
            .collect(),
        anybodys,
    }
}

impl Called<'_> {
    /// Those who may be another of them: of one role, and those without one of any.
    fn some(mut self, name: &str) -> BTreeSet<HolderId> {
        let open = self.by_role.remove("").unwrap_or_default();
        let beside = self.all(&open);
        let mut found = BTreeSet::new();
        for of_role in self.by_role.values() {
            let is_one = of_role.len() == 1 && open.is_subset(of_role);
            let others = self.all(of_role).and(beside);
            found.extend(
                of_role
                    .iter()
                    .filter(|_| !is_one)
                    .filter(|one| self.may_be_of(name, **one, others)),
            );
        }
        let all: BTreeSet<HolderId> = self.seen.keys().copied().collect();
        let others = self.all(&all);
        found.extend(
            open.iter()
                .filter(|_| all.len() > 1)
                .filter(|one| self.may_be_of(name, **one, others)),
        );
        found
    }

    fn all(&self, some: &BTreeSet<HolderId>) -> Seen {
        let seen = some.iter().filter_map(|one| self.seen.get(one));
        seen.fold(Seen::default(), |all, one| all.and(*one))
    }

    /// Whether one may be one of these, itself among them. An entity is told by its id, whoever is not may be any of them; but an entity may
    /// have been made anew. Children of tokens are called as whoever made them likes.
    fn may_be_of(&self, name: &str, one: HolderId, others: Seen) -> bool {
        let is_child = name == "token" || name.starts_with("token-");
        others.by_name || !is_child && self.seen.get(&one).is_some_and(|seen| seen.is_apart(others))
    }
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
