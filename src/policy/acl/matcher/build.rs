//! Rules into the tree.
#![allow(
    clippy::indexing_slicing,
    reason = "INVARIANT: numbers of growing places are made by `make` alone and places are never taken away; the index of a \
              hashed place is masked to the power-of-two length of the hashed part"
)]

use super::segment::{Part, spread, word_at};
use super::sink::Mark;
use super::walk::{Matcher, NOWHERE, Place, PlaceId, Tail};
use crate::policy::acl::rule::Rule;
use crate::policy::pattern::Pattern;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// Patterns with more segments than this are kept out of the tree and tried one by one, so that the tree stays small.
const DEEPEST: usize = 256;

/// The matcher of rules that stand in the order of their strength. Of each rule that is to be found: its mark and the pattern
/// to look for, weakest first.
pub fn build<'r>(rules: &[Rule], patterns: impl IntoIterator<Item = (Mark, &'r Pattern)>) -> Matcher {
    let mut builder = Builder {
        grown: vec![Grown::default()],
        literals: HashMap::new(),
        tails: Vec::new(),
        deep: Vec::new(),
    };
    for (mark, pattern) in patterns {
        builder.add(pattern, mark);
    }
    builder.finish(rules)
}

/// A place while the tree grows. Numbers are those of `Builder::grown`, the root's is zero.
#[derive(Default)]
struct Grown<'r> {
    parent: usize,
    /// The literal segment that leads here; none for the root and behind `+`.
    segment: Option<&'r str>,
    end: Mark,
    any: Mark,
    strongest: Mark,
    /// Zero for none: no edge leads to the root.
    plus: usize,
    has_literals: bool,
}

struct Builder<'r> {
    grown: Vec<Grown<'r>>,
    literals: HashMap<(usize, &'r str), usize>,
    tails: Vec<(usize, &'r str, Mark)>,
    deep: Vec<(Pattern, Mark)>,
}

impl<'r> Builder<'r> {
    fn add(&mut self, pattern: &'r Pattern, mark: Mark) {
        if pattern.segments().nth(DEEPEST).is_some() {
            self.deep.push((pattern.clone(), mark));
            return;
        }
        let mut place = 0;
        let mut segments = pattern.segments().peekable();
        while let Some(segment) = segments.next() {
            if pattern.prefix && segments.peek().is_none() {
                if segment.is_empty() {
                    self.grown[place].any = mark;
                } else {
                    self.tails.push((place, segment, mark));
                }
                self.raise(place, mark);
                return;
            }
            place = if pattern.is_plus(segment) {
                self.plus(place)
            } else {
                self.literal(place, segment)
            };
        }
        // An exact pattern and a `+` pattern do not end at the same place: the text alone tells which it is.
        self.grown[place].end = mark;
        self.raise(place, mark);
    }

    /// Rules come weakest first, so every place on the way up gets the newest mark.
    fn raise(&mut self, mut place: usize, mark: Mark) {
        loop {
            self.grown[place].strongest = mark;
            if place == 0 {
                return;
            }
            place = self.grown[place].parent;
        }
    }

    fn plus(&mut self, from: usize) -> usize {
        let present = self.grown[from].plus;
        if present != 0 {
            return present;
        }
        let made = self.make(from, None);
        self.grown[from].plus = made;
        made
    }

    fn literal(&mut self, from: usize, segment: &'r str) -> usize {
        if let Some(present) = self.literals.get(&(from, segment)) {
            return *present;
        }
        let made = self.make(from, Some(segment));
        self.literals.insert((from, segment), made);
        self.grown[from].has_literals = true;
        made
    }

    fn make(&mut self, parent: usize, segment: Option<&'r str>) -> usize {
        self.grown.push(Grown {
            parent,
            segment,
            ..Grown::default()
        });
        self.grown.len() - 1
    }

    fn finish(mut self, rules: &[Rule]) -> Matcher {
        let hashed = (self.literals.len() + self.literals.len() / 2)
            .next_power_of_two()
            .max(2);
        let behind = self.grown.len() - self.literals.len();
        let mut matcher = Matcher {
            places: vec![Place::FREE; hashed + behind],
            mask: hashed - 1,
            tails: Vec::with_capacity(self.tails.len()),
            texts: Vec::new(),
            seed: RandomState::new().build_hasher().finish(),
            deep: std::mem::take(&mut self.deep),
            plain_prefixes: rules.iter().map(|r| r.pattern.is_plain_prefix()).collect(),
        };
        let at = self.settle(&mut matcher);
        self.hang_tails(&at, &mut matcher);
        matcher
    }

    /// Gives every place its number in the matcher, each after the one before it on its way.
    fn settle(&self, matcher: &mut Matcher) -> Vec<PlaceId> {
        let mut at = Vec::with_capacity(self.grown.len());
        let mut unhashed = matcher.root() as usize;
        for grown in &self.grown {
            let from = at.get(grown.parent).copied().unwrap_or(NOWHERE);
            let (index, len, head) = match grown.segment {
                None => {
                    unhashed += 1;
                    (unhashed - 1, 0, [0; 2])
                }
                Some(text) => {
                    let part = Part::read(text.as_bytes(), 0, matcher.seed);
                    let mut index = spread(part.hash, from) & matcher.mask;
                    while matcher.places[index].from != NOWHERE {
                        index = (index + 1) & matcher.mask;
                    }
                    (index, text.len(), part.head)
                }
            };
            let place = Place {
                from,
                len: narrow(len),
                text: narrow(matcher.texts.len()),
                head,
                end: grown.end,
                any: grown.any,
                strongest: grown.strongest,
                has_literals: grown.has_literals,
                ..Place::FREE
            };
            if let Some(text) = grown.segment.filter(|text| text.len() > 16) {
                matcher.texts.extend_from_slice(text.as_bytes());
            }
            matcher.places[index] = place;
            at.push(narrow(index));
        }
        for (grown, place) in self.grown.iter().zip(&at).filter(|(grown, _)| grown.plus != 0) {
            matcher.places[*place as usize].plus = at[grown.plus];
        }
        at
    }

    fn hang_tails(&mut self, at: &[PlaceId], matcher: &mut Matcher) {
        self.tails
            .sort_unstable_by_key(|(place, text, _)| (*place, text.as_bytes()));
        for of_place in self.tails.chunk_by(|a, b| a.0 == b.0) {
            let first = matcher.tails.len();
            // The tails that the one at hand may continue, shortest first.
            let mut open: Vec<(&str, u32)> = Vec::new();
            for (position, &(place, text, rule)) in (1u32..).zip(of_place) {
                let place = &mut matcher.places[at[place] as usize];
                (place.tails, place.tail_count) = (narrow(first), position);
                while open.last().is_some_and(|(shorter, _)| !text.starts_with(shorter)) {
                    open.pop();
                }
                matcher.tails.push(Tail {
                    key: word_at(text.as_bytes(), 0).0.swap_bytes(),
                    text: narrow(matcher.texts.len()),
                    len: narrow(text.len()),
                    rule,
                    shorter: open.last().map_or(0, |(_, position)| *position),
                });
                matcher.texts.extend_from_slice(text.as_bytes());
                open.push((text, position));
            }
        }
    }
}

/// Lengths and numbers inside one set of policies. INVARIANT: policies are read up to 32 MiB each, so their texts and segments
/// stay far below what 32 bits can count.
fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
