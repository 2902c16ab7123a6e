//! Compares two access control lists completely: every request that the one allows and the other does not, or the proof that
//! there is none. `docs/compare.md` tells how.
//!
//! `product` finds one path of every kind that the patterns of both lists can tell apart; `judge` looks at the rules that
//! decide it; `conditions` settles their constraints. Each example is checked with the engine before it is told.

mod conditions;
mod judge;
mod outcome;
mod product;
mod sets;
mod table;
mod unfilled;
mod values;

pub use outcome::{Asked, Aspect, Comparison, Decider, Difference, Open, Verdict};
pub use sets::{Combination, Holder, PolicyComparison, Presence, SetComparison};

use crate::policy::acl::Acl;
use crate::policy::model::Policy;
use crate::policy::profile::{ListRule, Profile};
use crate::vault::Operation;
use judge::Judge;
use product::{Manner, Walk};
use std::ops::ControlFlow;
use table::{NEW, OLD, Side, Table};

/// How thorough a comparison is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether a LIST of a path without a slash at its end counts. Servers put the slash there before they ask the list, so
    /// this matters only for what asks the engine otherwise.
    pub bare_lists: bool,
    /// How much work may be spent before the comparison is given up as not decided; a step is about a tenth of a
    /// microsecond.
    pub budget: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bare_lists: true,
            budget: 50_000_000,
        }
    }
}

/// Compares two lists, both ways.
#[must_use]
pub fn compare(old: &Acl, new: &Acl) -> Comparison {
    compare_with(old, new, Options::default())
}

/// Compares two lists, both ways.
#[must_use]
pub fn compare_with(old: &Acl, new: &Acl, options: Options) -> Comparison {
    look(old, new, OLD | NEW, options)
}

/// Compares two sets of policies: each policy by itself (templates not filled in), and every combination that a holder has.
/// `now`, in seconds since the epoch, decides which `expiration` is past.
#[must_use]
pub fn compare_policies(
    profile: Profile,
    old: &[Policy],
    new: &[Policy],
    holders: Option<&[Holder]>,
    now: i64,
    options: Options,
) -> SetComparison {
    sets::compare_policies(profile, old, new, holders, now, |old, new| {
        compare_with(old, new, options)
    })
}

/// Whether the new list gives nothing beyond the old: no operation, no `sudo`, on no weaker condition.
#[must_use]
pub fn grants_nothing_new(old: &Acl, new: &Acl, options: Options) -> Verdict {
    let mut found = look(old, new, NEW, options);
    if !found.gained.is_empty() {
        return Verdict::Witness(Box::new(found.gained.swap_remove(0)));
    }
    match (found.open_gained.first(), found.incomplete) {
        (Some(open), _) => Verdict::Undecided(format!("`{}`: {}", open.asked, open.reason)),
        (None, Some(reason)) => Verdict::Undecided(reason),
        (None, None) => Verdict::Proven,
    }
}

/// Looks for what the lists in `beyond` give beyond the other. With one of them only, it stops at the first find.
fn look(old: &Acl, new: &Acl, beyond: table::Mask, options: Options) -> Comparison {
    let profile = new.profile();
    let (old_side, new_side) = (Side::new(old), Side::new(new));
    let table = Table::new(&old_side, &new_side);
    let manner = Manner {
        beyond,
        together: profile.list_rule(Operation::List) == Some(ListRule::Together),
        budget: options.budget,
    };
    let mut walk = Walk::new(&table, manner);
    let mut judge = Judge::new(profile, &old_side, &new_side, beyond, options.bare_lists);
    let first_only = beyond != OLD | NEW;
    let walked = walk.run(|path| {
        judge.visit(path);
        if first_only && (judge.gained.shows_any() || judge.lost.shows_any()) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    if !first_only || !(judge.gained.shows_any() || judge.lost.shows_any()) {
        judge.beside_rules();
    }
    judge.gained.settle();
    judge.lost.settle();
    let incomplete = if old.profile() == profile {
        let given_up = walked.err().map(|_| {
            format!(
                "given up after {} kinds of paths: the patterns overlap in too many ways for the work allowed",
                walk.states()
            )
        });
        given_up.or_else(|| {
            let pairs = [old, new].map(Acl::rules_told_apart_by_case);
            let [before, after] = &pairs;
            let told = if before == after { None } else { after.first().or(before.first()) };
            told.map(|(deny, other)| {
                format!("`{deny}` denies and `{other}` differs from it by case alone; which of them decides is not known of this server")
            })
        })
    } else {
        Some(format!(
            "the lists are of different profiles, `{}` and `{profile}`",
            old.profile()
        ))
    };
    Comparison {
        profile,
        gained: judge.gained.differences,
        lost: judge.lost.differences,
        open_gained: judge.gained.open,
        open_lost: judge.lost.open,
        incomplete,
        kinds_of_paths: walk.states(),
    }
}
