//! Warnings that two stanzas show together: since one stanza alone decides a request, a stronger one undoes a weaker one.

use super::Context;
use super::single::sudo_matters;
use super::warning::{Severity, Warning};
use crate::policy::model::{Policy, Stanza};
use crate::policy::pattern::Pattern;
use crate::policy::relation::{self, Relation};
use crate::vault::{Capability, CapabilitySet};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Another stanza decides wherever this one matches.
pub const CANNOT_WIN: &str = "stanza-cannot-win";
/// A narrower stanza takes away what a wider one grants.
pub(super) const TAKES_AWAY: &str = "takes-away";
/// A deny that a narrower stanza lifts.
pub(super) const DENY_DEFEATED: &str = "deny-defeated";

/// How many bytes of patterns are compared with each other: enough for every policy set seen, and seconds at worst.
const MAX_WORK: usize = 50_000_000;

struct Entry<'p> {
    policy: &'p Policy,
    /// The place of the policy among those looked at.
    number: usize,
    stanza: &'p Stanza,
    pattern: Pattern,
    /// Where the first wildcard is.
    head: usize,
    /// How strong the pattern is: of two, the stronger has the greater number.
    rank: usize,
    grants: CapabilitySet,
    /// Whether some path that it matches needs `sudo`.
    sudo_matters: bool,
}

impl Entry<'_> {
    /// The part of the pattern before its first wildcard.
    fn head(&self) -> &str {
        self.pattern.text.get(..self.head).unwrap_or("")
    }

    fn denies(&self) -> bool {
        self.grants.contains(Capability::Deny)
    }

    fn is_in_policy_of(&self, other: &Self) -> bool {
        self.policy.name == other.policy.name && self.policy.namespace == other.policy.namespace
    }
}

/// What is said of one stanza: the others by their text, the first few named.
#[derive(Default)]
struct Found<'e, 'p> {
    others: Vec<&'e Entry<'p>>,
    lost: CapabilitySet,
}

/// Adds the warnings, and says of how many stanzas the comparison with others was cut short.
pub(super) fn check(policies: &[Policy], context: &Context, warnings: &mut Vec<Warning>) -> usize {
    let entries = entries(policies, warnings);
    let mut pairs = Pairs {
        entries: &entries,
        context,
        work_left: MAX_WORK,
        cut_short: 0,
        takers: BTreeMap::new(),
        between: BTreeMap::new(),
    };
    for weaker in entries.iter().filter(|entry| !entry.pattern.is_exact()) {
        pairs.compare(weaker, warnings);
    }
    let cut_short = pairs.cut_short;
    pairs.tell(warnings);
    cut_short
}

/// The stanzas that are compared, by what they begin with; those that no request reaches are told.
fn entries<'p>(policies: &'p [Policy], warnings: &mut Vec<Warning>) -> Vec<Entry<'p>> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut stanzas = policies.iter().flat_map(|policy| &policy.stanzas);
    let grants_sudo = stanzas.any(|stanza| stanza.capabilities.contains(&Capability::Sudo));
    for (number, policy) in policies.iter().enumerate() {
        for stanza in policy.stanzas.iter().filter(|stanza| !stanza.templated) {
            if let Ok(pattern) = Pattern::parse(&stanza.path, &policy.namespace) {
                if pattern.text.starts_with('/') {
                    warnings.push(unreachable(policy, stanza));
                    continue;
                }
                entries.push(Entry {
                    policy,
                    number,
                    stanza,
                    head: pattern.first_wildcard(),
                    rank: 0,
                    pattern,
                    grants: stanza.capability_set(),
                    sudo_matters: grants_sudo && sudo_matters(&stanza.path),
                });
            }
        }
    }
    entries.sort_by(|a, b| a.head().cmp(b.head()));
    rank(&mut entries);
    entries
}

/// Numbers the entries by their strength, those that are alike with one number.
fn rank(entries: &mut [Entry<'_>]) {
    let mut by_strength: Vec<(usize, &mut Entry<'_>)> = entries.iter_mut().map(|entry| (0, entry)).collect();
    by_strength.sort_by(|(_, a), (_, b)| a.pattern.cmp_strength(&b.pattern));
    let mut last = 0;
    for at in 1..by_strength.len() {
        if let Some([(_, before), (rank, here)]) = by_strength.get_mut(at - 1..=at) {
            last += usize::from(before.pattern.cmp_strength(&here.pattern) != Ordering::Equal);
            *rank = last;
        }
    }
    for (rank, entry) in by_strength {
        entry.rank = rank;
    }
}

/// What stanzas of one policy take from those of another: the place of the stronger one, the weaker one, and what is taken.
type Taken<'e, 'p> = Vec<(usize, &'e Entry<'p>, CapabilitySet)>;

/// What is found of pairs of stanzas.
struct Pairs<'e, 'p> {
    entries: &'e [Entry<'p>],
    context: &'e Context,
    work_left: usize,
    /// Stanzas that were not compared with all others.
    cut_short: usize,
    /// What a stanza takes from others of its own policy, by its place.
    takers: BTreeMap<usize, Found<'e, 'p>>,
    /// What is taken between two policies, by their numbers, the stronger one's first.
    between: BTreeMap<(usize, usize), Taken<'e, 'p>>,
}

impl<'e, 'p> Pairs<'e, 'p> {
    /// Compares a stanza with all that may be stronger, and tells what becomes of it as a whole.
    fn compare(&mut self, weaker: &'e Entry<'p>, warnings: &mut Vec<Warning>) {
        // Whatever is stronger and matches a path in common has its first wildcard no earlier, so it begins the same way.
        let from = self.entries.partition_point(|entry| entry.head() < weaker.head());
        let mut lifted: Vec<&Entry<'_>> = Vec::new();
        let mut masters: Vec<&Entry<'_>> = Vec::new();
        for (at, stronger) in self.entries.iter().enumerate().skip(from) {
            if !stronger.head().starts_with(weaker.head()) {
                break;
            }
            let work = weaker.pattern.text.len() + stronger.pattern.text.len() + 32;
            let Some(left) = self.work_left.checked_sub(work) else {
                self.cut_short += 1;
                break;
            };
            self.work_left = left;
            if stronger.rank <= weaker.rank {
                continue;
            }
            let relation = relate(&stronger.pattern, &weaker.pattern);
            if relation == Relation::Disjoint {
                continue;
            }
            // Newer servers let a stanza that grants list win a LIST over a stronger one that does not.
            let wins_lists = weaker.grants.contains(Capability::List) && !stronger.grants.contains(Capability::List);
            if matches!(relation, Relation::Equal | Relation::Subsumes) && !wins_lists {
                masters.push(stronger);
                continue;
            }
            if stronger.denies() || stronger.grants.is_empty() {
                continue;
            }
            if weaker.denies() {
                lifted.push(stronger);
            } else {
                self.note_taken((at, stronger), weaker);
            }
        }
        if let Some(master) = masters.iter().find(|m| m.is_in_policy_of(weaker)).or(masters.first()) {
            warnings.push(cannot_win(weaker, master));
        }
        if !lifted.is_empty() {
            warnings.push(deny_defeated(weaker, &lifted));
        }
    }

    /// Notes what a stanza takes from a weaker one where both match.
    fn note_taken(&mut self, (at, stronger): (usize, &Entry<'_>), weaker: &'e Entry<'p>) {
        let mut lost = weaker.grants.difference(stronger.grants);
        if !stronger.sudo_matters {
            lost.remove(Capability::Sudo);
        }
        if lost.is_empty() {
            return;
        }
        if stronger.is_in_policy_of(weaker) {
            let found = self.takers.entry(at).or_default();
            found.others.push(weaker);
            found.lost = found.lost.union(lost);
        } else if !self.are_apart(stronger.number, weaker.number) {
            let pair = self.between.entry((stronger.number, weaker.number)).or_default();
            pair.push((at, weaker, lost));
        }
    }

    /// Whether it is known that nobody holds both policies.
    fn are_apart(&self, one: usize, other: usize) -> bool {
        let pair = (one.min(other), one.max(other));
        let held = self.context.held_together.as_ref();
        held.is_some_and(|held| !held.contains(&pair))
    }

    /// Tells what stanzas take from others.
    fn tell(self, warnings: &mut Vec<Warning>) {
        for (at, found) in self.takers {
            if let Some(stronger) = self.entries.get(at) {
                warnings.push(takes_away(stronger, &found));
            }
        }
        if self.context.held_together.is_none() {
            // Whoever holds what is not known, and most pairs are held by nobody: one word a policy.
            let mut by_policy: BTreeMap<usize, Taken<'_, '_>> = BTreeMap::new();
            for ((stronger, _), taken) in self.between {
                by_policy.entry(stronger).or_default().extend(taken);
            }
            for taken in by_policy.values() {
                let others: BTreeSet<usize> = taken.iter().map(|(_, weaker, _)| weaker.number).collect();
                if let Some((stronger, weaker, lost)) = first_of(self.entries, taken) {
                    warnings.push(takes_from(stronger, weaker, lost, others.len() - 1, None));
                }
            }
            return;
        }
        for taken in self.between.values() {
            if let Some((stronger, weaker, lost)) = first_of(self.entries, taken) {
                warnings.push(takes_from(stronger, weaker, lost, 0, Some(taken.len() - 1)));
            }
        }
    }
}

/// The first of what is taken, by its place.
fn first_of<'e, 'p>(
    entries: &'e [Entry<'p>],
    taken: &[(usize, &'e Entry<'p>, CapabilitySet)],
) -> Option<(&'e Entry<'p>, &'e Entry<'p>, CapabilitySet)> {
    let line = |entry: &Entry<'_>| entry.stanza.origin.line;
    let all = taken
        .iter()
        .filter_map(|(at, weaker, lost)| Some((entries.get(*at)?, *weaker, *lost)));
    all.min_by_key(|(stronger, weaker, _)| (line(stronger), weaker.number, line(weaker)))
}

/// How `stronger` relates to `weaker`, quickly where it matches one path only.
fn relate(stronger: &Pattern, weaker: &Pattern) -> Relation {
    if stronger.is_exact() {
        return if weaker.matches(&stronger.text) {
            Relation::Subsumed
        } else {
            Relation::Disjoint
        };
    }
    if stronger.is_plain_prefix() && weaker.is_plain_prefix() {
        // Its head begins with the other's, which is all of the other.
        return Relation::Subsumed;
    }
    relation::relation(stronger, weaker)
}

fn unreachable(policy: &Policy, stanza: &Stanza) -> Warning {
    Warning::about(
        CANNOT_WIN,
        Severity::Warning,
        policy,
        stanza,
        format!(
            "path `{}` matches no request: of its leading slashes only the first is dropped",
            stanza.path
        ),
        Some(format!("write `{}`", stanza.path.trim_start_matches('/'))),
    )
}

fn cannot_win(weaker: &Entry<'_>, stronger: &Entry<'_>) -> Warning {
    let same = weaker.is_in_policy_of(stronger);
    let why = stronger.pattern.strength().why_over(&weaker.pattern.strength());
    Warning::about(
        CANNOT_WIN,
        if same { Severity::Warning } else { Severity::Note },
        weaker.policy,
        weaker.stanza,
        format!(
            "`{}` matches all that `{}` matches, and decides: it {why}{}",
            stronger.stanza.path,
            weaker.stanza.path,
            elsewhere(weaker, stronger)
        ),
        Some("leave this block out, or add its capabilities to the other".to_owned()),
    )
}

fn takes_away(stronger: &Entry<'_>, found: &Found<'_, '_>) -> Warning {
    let same = found.others.iter().any(|weaker| weaker.is_in_policy_of(stronger));
    let adds = found
        .others
        .iter()
        .any(|weaker| !stronger.grants.is_subset(weaker.grants));
    Warning::about(
        TAKES_AWAY,
        if same && adds {
            Severity::Warning
        } else {
            Severity::Note
        },
        stronger.policy,
        stronger.stanza,
        format!(
            "`{}` takes away {} that {} grants",
            stronger.stanza.path,
            ticked(found.lost),
            named(stronger, &found.others)
        ),
        Some("the narrower path decides alone: name in it every capability that is to stay".to_owned()),
    )
}

/// One warning for all that one policy takes from others: from how many more policies, where it is not known who holds what,
/// else at how many more pairs of paths.
fn takes_from(
    stronger: &Entry<'_>,
    weaker: &Entry<'_>,
    lost: CapabilitySet,
    policies: usize,
    pairs: Option<usize>,
) -> Warning {
    let whoever = match pairs {
        None => "possible, where somebody holds both: ",
        Some(_) => "held together, ",
    };
    let likewise = match (policies, pairs.unwrap_or(0)) {
        (0, 0) => String::new(),
        (0, 1) => "; so does one more pair of their paths".to_owned(),
        (0, pairs) => format!("; so do {pairs} more pairs of their paths"),
        (1, _) => "; the same holds for one more policy".to_owned(),
        (policies, _) => format!("; the same holds for {policies} more policies"),
    };
    Warning::about(
        TAKES_AWAY,
        Severity::Note,
        stronger.policy,
        stronger.stanza,
        format!(
            "{whoever}`{}` takes away {} that `{}` of policy `{}` grants{likewise}",
            stronger.stanza.path,
            ticked(lost),
            weaker.stanza.path,
            weaker.policy.name
        ),
        Some("the narrower path decides alone: name in it every capability that is to stay".to_owned()),
    )
}

fn deny_defeated(deny: &Entry<'_>, lifted: &[&Entry<'_>]) -> Warning {
    let same = lifted.iter().any(|stronger| stronger.is_in_policy_of(deny));
    Warning::about(
        DENY_DEFEATED,
        if same { Severity::Warning } else { Severity::Note },
        deny.policy,
        deny.stanza,
        format!(
            "the deny of `{}` does not hold for {}",
            deny.stanza.path,
            named(deny, lifted)
        ),
        Some(
            "a deny counts only for its own path: deny the narrower paths too, or take their capabilities away"
                .to_owned(),
        ),
    )
}

fn ticked(set: CapabilitySet) -> String {
    set.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ")
}

fn elsewhere(here: &Entry<'_>, other: &Entry<'_>) -> String {
    if here.is_in_policy_of(other) {
        format!(" (line {})", other.stanza.origin.line)
    } else {
        format!(" (policy `{}`, where both are held)", other.policy.name)
    }
}

/// The first three of the others, and how many more.
fn named(here: &Entry<'_>, others: &[&Entry<'_>]) -> String {
    const SHOWN: usize = 3;
    let mut words: Vec<String> = others
        .iter()
        .take(SHOWN)
        .map(|other| format!("`{}`{}", other.stanza.path, elsewhere(here, other)))
        .collect();
    if others.len() > SHOWN {
        words.push(format!("{} more", others.len() - SHOWN));
    }
    words.join(", ")
}
