//! The stanza patterns of two lists in one table, cut into segments, with what is needed to tell which of them can still matter.

use crate::policy::acl::{Acl, Rule};
use crate::policy::model::Constraints;
use crate::policy::pattern::Pattern;
use crate::vault::name::lower;
use crate::vault::{Capability, CapabilitySet, Operation};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// Which of the two lists, as bits.
pub(super) type Mask = u8;
/// The old list.
pub(super) const OLD: Mask = 1;
/// The new list.
pub(super) const NEW: Mask = 2;

/// One of the two lists.
pub(super) struct Side<'a> {
    pub(super) acl: &'a Acl,
    /// The paths that the root policy reaches begin with this; none where it is no root list.
    root: Option<Pattern>,
    /// The root policy beside others, which the servers refuse altogether.
    refused: bool,
}

/// What decides a path in one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Winner {
    /// Nothing matches.
    None,
    /// The root policy.
    Root,
    /// The rule with this index.
    Rule(usize),
}

/// What the deciding rule gives.
#[derive(Clone, Copy)]
pub(super) struct Grant<'a> {
    pub(super) capabilities: CapabilitySet,
    pub(super) constraints: &'a Constraints,
}

impl<'a> Side<'a> {
    pub(super) fn new(acl: &'a Acl) -> Self {
        let reach = acl.is_root().then(|| Pattern {
            text: match acl.policies().first() {
                Some(policy) if !acl.profile().root_is_everywhere() => policy.namespace.clone(),
                _ => Arc::from(""),
            },
            prefix: true,
            segment_wildcards: false,
        });
        Self {
            acl,
            refused: reach.is_none() && acl.policies().iter().any(|p| &*p.name == "root"),
            root: reach,
        }
    }

    /// Whether the root policy is in it, alone or not: it then answers even what other lists never or always allow.
    pub(super) const fn is_special(&self) -> bool {
        self.root.is_some() || self.refused
    }

    /// What all paths begin with that the root policy reaches; none where it is no root list.
    pub(super) fn reach(&self) -> Option<&str> {
        self.root.as_ref().map(|reach| &*reach.text)
    }

    pub(super) fn winner(&self, operation: Operation, path: &str) -> Winner {
        match &self.root {
            Some(reach) if reach.matches(path) => Winner::Root,
            Some(_) => Winner::None,
            None => self
                .acl
                .winner(operation, path)
                .map_or(Winner::None, |id| Winner::Rule(id.index())),
        }
    }

    pub(super) fn rule(&self, winner: Winner) -> Option<&'a Rule> {
        match winner {
            Winner::Rule(index) => self.acl.rules().get(index),
            Winner::None | Winner::Root => None,
        }
    }

    pub(super) fn grant(&self, winner: Winner) -> Option<Grant<'a>> {
        match winner {
            Winner::None => None,
            Winner::Root => Some(Grant {
                capabilities: everything(),
                constraints: unconstrained(),
            }),
            Winner::Rule(_) => self.rule(winner).map(|rule| Grant {
                capabilities: rule.capabilities,
                constraints: rule.constraints(),
            }),
        }
    }

    /// The patterns in force, weakest first.
    fn patterns(&self) -> Vec<(&Pattern, Grant<'a>)> {
        if self.refused {
            return Vec::new();
        }
        if let Some(reach) = &self.root {
            let grant = Grant {
                capabilities: everything(),
                constraints: unconstrained(),
            };
            return vec![(reach, grant)];
        }
        self.acl
            .rules()
            .iter()
            .map(|rule| {
                let grant = Grant {
                    capabilities: rule.capabilities,
                    constraints: rule.constraints(),
                };
                (&rule.pattern, grant)
            })
            .collect()
    }
}

/// All that the root policy may do.
fn everything() -> CapabilitySet {
    Capability::ALL.into_iter().filter(|c| *c != Capability::Deny).collect()
}

fn unconstrained() -> &'static Constraints {
    static NONE: LazyLock<Constraints> = LazyLock::new(Constraints::default);
    &NONE
}

/// What is left of a pattern after some segments, by number: two patterns with the same number match the same continuations.
pub(super) type Rest = u32;
/// Any continuation matches.
pub(super) const THROUGH: Rest = 0;
/// Only the end of the path matches.
const END: Rest = 1;

/// What a pattern wants of the next segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want<'p> {
    /// Nothing any more: a prefix pattern that is through.
    Through,
    /// Nothing may follow.
    End,
    /// `+`.
    Any,
    /// This segment.
    Literal(&'p str),
    /// A segment that begins with this, and any others after it.
    Beginning(&'p str),
    /// This segment, in lower case, whatever the case of its letters.
    AnyCase(&'p str),
    /// A segment that begins with this, in lower case, whatever the case of its letters, and any others after it.
    BeginningInAnyCase(&'p str),
}

/// The characters that are `letter` in lower case, `letter` first. Besides upper case, Unicode has a few signs of their own.
pub(super) fn case_variants(letter: char) -> impl Iterator<Item = char> {
    const SIGNS: [char; 6] = ['\u{212a}', '\u{130}', '\u{212b}', '\u{1e9e}', '\u{2126}', '\u{3f4}'];
    let lowered = |c: char| c.to_lowercase().next() == Some(letter);
    letter
        .to_uppercase()
        .take(1)
        .chain(SIGNS)
        .filter(move |c| *c != letter && lowered(*c))
        .fold(vec![letter], |mut all, c| {
            if !all.contains(&c) {
                all.push(c);
            }
            all
        })
        .into_iter()
}

/// What matters of a rule when a `LIST` weighs several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// It denies, or grants list.
    Decides,
    /// Neither.
    Neutral,
}

/// What one list has for a pattern.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    pub(super) capabilities: CapabilitySet,
    pub(super) constrained: bool,
}

/// A pattern of either list.
pub(super) struct Entry<'p> {
    /// In lower case where the case does not matter.
    segments: Vec<Cow<'p, str>>,
    /// What is left before each segment, and after the last.
    rests: Vec<Rest>,
    prefix: bool,
    /// Whether `+` segments are wildcards.
    plus: bool,
    /// Whether the case of letters does not matter: a deny on servers that look at it so.
    any_case: bool,
    pub(super) exact: bool,
    pub(super) plain_prefix: bool,
    pub(super) old: Option<Given>,
    pub(super) new: Option<Given>,
    /// Whether both lists have it and give the same.
    pub(super) same: bool,
}

impl<'p> Entry<'p> {
    pub(super) fn want(&self, depth: usize) -> Want<'_> {
        match self.segments.get(depth) {
            None if self.prefix => Want::Through,
            None => Want::End,
            Some(segment) => {
                let last = self.prefix && depth + 1 == self.segments.len();
                let any_case = self.any_case && segment.chars().any(|c| case_variants(c).nth(1).is_some());
                match (&**segment, last) {
                    ("+", true) if self.plus => Want::Beginning(""),
                    ("+", false) if self.plus => Want::Any,
                    (text, true) if any_case => Want::BeginningInAnyCase(text),
                    (text, false) if any_case => Want::AnyCase(text),
                    (text, true) => Want::Beginning(text),
                    (text, false) => Want::Literal(text),
                }
            }
        }
    }

    pub(super) fn rest(&self, depth: usize) -> Rest {
        let after_all = if self.prefix { THROUGH } else { END };
        self.rests.get(depth).copied().unwrap_or(after_all)
    }

    pub(super) const fn mask(&self) -> Mask {
        (if self.old.is_some() { OLD } else { 0 }) | (if self.new.is_some() { NEW } else { 0 })
    }

    pub(super) const fn given(&self, side: Mask) -> Option<Given> {
        if side == OLD { self.old } else { self.new }
    }

    pub(super) fn weight(&self, side: Mask) -> Weight {
        match self.given(side) {
            Some(g) if g.capabilities.contains(Capability::List) || g.capabilities.contains(Capability::Deny) => {
                Weight::Decides
            }
            _ => Weight::Neutral,
        }
    }
}

/// The patterns of both lists, weakest first: of two that match a path the later is the stronger.
pub(super) struct Table<'p> {
    entries: Vec<Entry<'p>>,
}

impl<'p> Table<'p> {
    pub(super) fn new(old: &'p Side<'_>, new: &'p Side<'_>) -> Self {
        let folds = [old, new].map(|side| side.acl.profile().deny_ignores_case());
        let any_case = |side: usize, grant: &Grant<'_>| {
            folds.get(side) == Some(&true) && grant.capabilities.contains(Capability::Deny)
        };
        let mut cutter = Cutter::default();
        let mut entries = Vec::new();
        let mut olds = old.patterns().into_iter().peekable();
        let mut news = new.patterns().into_iter().peekable();
        loop {
            let order = match (olds.peek(), news.peek()) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((a, _)), Some((b, _))) => a.cmp_strength(b),
            };
            let old = if order == Ordering::Greater { None } else { olds.next() };
            let new = if order == Ordering::Less { None } else { news.next() };
            let Some((pattern, _)) = old.or(new) else {
                break;
            };
            let (old, new) = (old.map(|o| o.1), new.map(|n| n.1));
            let cases = (
                old.map(|grant| any_case(0, &grant)),
                new.map(|grant| any_case(1, &grant)),
            );
            match cases {
                // The same text does not match the same paths.
                (Some(before), Some(after)) if before != after => {
                    entries.push(cutter.entry(pattern, old, None, before));
                    entries.push(cutter.entry(pattern, None, new, after));
                }
                (before, after) => entries.push(cutter.entry(pattern, old, new, before.or(after) == Some(true))),
            }
        }
        Self { entries }
    }

    pub(super) fn entries(&self) -> &[Entry<'p>] {
        &self.entries
    }

    pub(super) fn get(&self, index: u32) -> Option<&Entry<'p>> {
        self.entries.get(index as usize)
    }
}

/// Cuts patterns into segments and numbers what is left after each.
#[derive(Default)]
struct Cutter<'p> {
    rests: HashMap<(Cow<'p, str>, bool, bool, Rest), Rest>,
}

impl<'p> Cutter<'p> {
    fn entry(
        &mut self,
        pattern: &'p Pattern,
        old: Option<Grant<'_>>,
        new: Option<Grant<'_>>,
        any_case: bool,
    ) -> Entry<'p> {
        let segments: Vec<Cow<'p, str>> = pattern
            .segments()
            .map(|segment| {
                if any_case {
                    lower(segment)
                } else {
                    Cow::Borrowed(segment)
                }
            })
            .collect();
        let mut rest = if pattern.prefix { THROUGH } else { END };
        let mut rests = Vec::with_capacity(segments.len());
        let mut last = pattern.prefix;
        for segment in segments.iter().rev() {
            let next = u32::try_from(self.rests.len())
                .unwrap_or(u32::MAX)
                .saturating_add(END + 1);
            rest = *self
                .rests
                .entry((segment.clone(), any_case, last, rest))
                .or_insert(next);
            rests.push(rest);
            last = false;
        }
        rests.reverse();
        let given = |grant: Grant<'_>| Given {
            capabilities: grant.capabilities,
            constrained: !grant.constraints.is_empty(),
        };
        Entry {
            segments,
            rests,
            prefix: pattern.prefix,
            plus: pattern.segment_wildcards,
            any_case,
            exact: pattern.is_exact(),
            plain_prefix: pattern.is_plain_prefix(),
            old: old.map(given),
            new: new.map(given),
            same: old
                .zip(new)
                .is_some_and(|(a, b)| a.capabilities == b.capabilities && a.constraints == b.constraints),
        }
    }
}
