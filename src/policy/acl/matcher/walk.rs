//! The tree as the walk sees it, and the walk.
#![allow(
    clippy::indexing_slicing,
    reason = "the hot loop; INVARIANT: places, tails and texts are made by `build`, which points only inside their vectors, and \
              the index of a hashed place is masked to the power-of-two length of the hashed part"
)]

use super::segment::{Part, spread};
use super::sink::{Mark, Sink};
use crate::policy::pattern::Pattern;

/// Number of a place; [`NOWHERE`] for none.
pub(super) type PlaceId = u32;

/// No place.
pub(super) const NOWHERE: PlaceId = PlaceId::MAX;

/// One place in the tree, with the literal segment that leads to it: all that a step needs, in one cache line.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Place {
    /// The place before; [`NOWHERE`] where nothing is stored here.
    pub from: PlaceId,
    /// The length of the segment.
    pub len: u32,
    /// Where the text of a segment of more than 16 bytes stands.
    pub text: u32,
    /// The first 16 bytes of the segment.
    pub head: [u64; 2],
    /// The pattern that ends here; zero for none.
    pub end: Mark,
    /// The prefix pattern whose last segment is empty: it takes any rest. Zero for none.
    pub any: Mark,
    /// The strongest rule at or below this place.
    pub strongest: Mark,
    /// The place behind `+`.
    pub plus: PlaceId,
    /// Where its tails begin.
    pub tails: u32,
    /// How many there are.
    pub tail_count: u32,
    /// Whether literal edges leave it.
    pub has_literals: bool,
}

impl Place {
    /// Nothing.
    pub(super) const FREE: Self = Self {
        from: NOWHERE,
        len: 0,
        text: 0,
        head: [0; 2],
        end: 0,
        any: 0,
        strongest: 0,
        plus: NOWHERE,
        tails: 0,
        tail_count: 0,
        has_literals: false,
    };
}

/// The last segment of a prefix pattern.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tail {
    /// Its first 8 bytes, big end first: the order of the numbers is that of the bytes.
    pub key: u64,
    pub text: u32,
    pub len: u32,
    pub rule: Mark,
    /// The tail of the same place that is the longest proper prefix of this one: its position among them plus one.
    pub shorter: u32,
}

/// The compiled patterns of a list.
#[derive(Debug)]
pub struct Matcher {
    /// First the hashed places (a power of two of them), then the root, then those behind `+`.
    pub(super) places: Vec<Place>,
    /// How many places are hashed, less one.
    pub(super) mask: usize,
    pub(super) tails: Vec<Tail>,
    pub(super) texts: Vec<u8>,
    /// Makes the hashes of this list its own, so that nobody can write policies that collide.
    pub(super) seed: u64,
    /// The patterns that are too deep for the tree, with their marks.
    pub(super) deep: Vec<(Pattern, Mark)>,
    pub(super) plain_prefixes: Vec<bool>,
}

impl Matcher {
    /// For each rule, whether it is a prefix without `+`.
    pub fn plain_prefixes(&self) -> &[bool] {
        &self.plain_prefixes
    }

    /// Hands every rule that matches `path` to `sink`, but for those that its floor rules out.
    pub fn walk(&self, path: &str, sink: &mut impl Sink) {
        let mut later = Later::default();
        let (mut place, mut at) = (self.root(), 0);
        loop {
            self.descend(path.as_bytes(), place, at, &mut later, sink);
            match later.pop() {
                Some(next) => (place, at) = next,
                None => break,
            }
        }
        for (pattern, mark) in &self.deep {
            if *mark > sink.floor() && pattern.matches(path) {
                sink.take(*mark);
            }
        }
    }

    pub(super) const fn root(&self) -> PlaceId {
        // INVARIANT: `build` makes no more places than a `PlaceId` can number.
        (self.mask + 1) as PlaceId
    }

    /// Follows literal edges, and `+` edges where there is no choice; choices are put off into `later`.
    fn descend(&self, path: &[u8], mut place: PlaceId, mut at: usize, later: &mut Later, sink: &mut impl Sink) {
        loop {
            let here = &self.places[place as usize];
            if here.strongest <= sink.floor() {
                return;
            }
            if here.any != 0 {
                sink.take(here.any);
            }
            if !here.has_literals && here.plus == NOWHERE && here.tail_count == 0 {
                return;
            }
            let part = Part::read(path, at, self.seed);
            if here.tail_count != 0 {
                self.take_tails(here, &part, sink);
            }
            let literal = if here.has_literals {
                self.child(place, &part)
            } else {
                NOWHERE
            };
            let Some(next) = part.next else {
                for end in [literal, here.plus] {
                    if end != NOWHERE && self.places[end as usize].end != 0 {
                        sink.take(self.places[end as usize].end);
                    }
                }
                return;
            };
            place = match (literal, here.plus) {
                (NOWHERE, NOWHERE) => return,
                (NOWHERE, plus) => plus,
                (literal, NOWHERE) => literal,
                (literal, plus) => {
                    later.push(plus, next);
                    literal
                }
            };
            at = next;
        }
    }

    fn child(&self, from: PlaceId, part: &Part<'_>) -> PlaceId {
        let mut index = spread(part.hash, from) & self.mask;
        loop {
            let place = &self.places[index];
            if place.from == NOWHERE {
                return NOWHERE;
            }
            if place.from == from && place.head == part.head && self.is_segment(place, part.bytes) {
                return index as PlaceId;
            }
            index = (index + 1) & self.mask;
        }
    }

    fn is_segment(&self, place: &Place, bytes: &[u8]) -> bool {
        place.len as usize == bytes.len()
            && (bytes.len() <= 16 || self.texts[place.text as usize..][..bytes.len()] == *bytes)
    }

    /// Every tail of the place that the segment begins with, longest first.
    fn take_tails(&self, place: &Place, part: &Part<'_>, sink: &mut impl Sink) {
        let tails = &self.tails[place.tails as usize..][..place.tail_count as usize];
        let key = part.head[0].swap_bytes();
        let text = |tail: &Tail| &self.texts[tail.text as usize..][..tail.len as usize];
        let above = tails.partition_point(|tail| tail.key < key || (tail.key == key && text(tail) <= part.bytes));
        let Some(mut tail) = above.checked_sub(1).map(|last| &tails[last]) else {
            return;
        };
        // The tails that the segment begins with are the last one not above it, or its own prefixes.
        let common = text(tail).iter().zip(part.bytes).take_while(|(a, b)| a == b).count();
        loop {
            if tail.len as usize <= common {
                sink.take(tail.rule);
                if tail.rule <= sink.floor() {
                    return;
                }
            }
            match tail.shorter {
                0 => return,
                shorter => tail = &tails[shorter as usize - 1],
            }
        }
    }
}

/// Branches put off. The first ones have room in place, so that usual policies never allocate in a walk.
struct Later {
    near: [(u32, usize); Self::NEAR],
    near_count: usize,
    far: Vec<(u32, usize)>,
}

impl Default for Later {
    fn default() -> Self {
        Self {
            near: [(0, 0); Self::NEAR],
            near_count: 0,
            far: Vec::new(),
        }
    }
}

impl Later {
    const NEAR: usize = 16;

    fn push(&mut self, node: u32, at: usize) {
        if self.near_count < Self::NEAR {
            self.near[self.near_count] = (node, at);
            self.near_count += 1;
        } else {
            self.far.push((node, at));
        }
    }

    fn pop(&mut self) -> Option<(u32, usize)> {
        if let Some(entry) = self.far.pop() {
            return Some(entry);
        }
        self.near_count = self.near_count.checked_sub(1)?;
        Some(self.near[self.near_count])
    }
}
