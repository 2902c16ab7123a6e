//! The matcher: every pattern in one tree of path segments, so that a look-up costs the path's length, not the number of rules.
//!
//! A node stands for the segments read so far. Literal segments leave it through one hash table over all nodes, `+` through an
//! edge of its own, and the last segment of prefix patterns, itself a prefix, through a sorted list. The walk takes the literal
//! edge first and comes back to `+` edges only where something stronger than what it has found lies behind them. A node of a
//! tree is reached by one way only, so a walk visits each node at most once, however the `+` are placed.
#![allow(
    clippy::indexing_slicing,
    reason = "the hot loop; INVARIANT: node, slot, tail and text positions are made by `Builder` and point inside its vectors, \
              the slot index is masked to the table's power-of-two length, and path offsets come from `next_segment`"
)]

use super::rule::{Rule, RuleId};
use crate::policy::pattern::Pattern;
use crate::vault::{Capability, CapabilitySet};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// Patterns with more segments than this are kept out of the tree and tried one by one, so that the tree stays small.
const DEEPEST: usize = 256;

/// A rule's id plus one; zero for none.
type Mark = u32;

/// What a walk does with the rules it finds.
pub(super) trait Sink {
    /// Takes a rule that matches.
    fn take(&mut self, mark: Mark);
    /// Rules up to this mark need not be found.
    fn floor(&self) -> Mark;
}

/// Keeps the strongest.
#[derive(Default)]
pub(super) struct Best(Mark);

impl Sink for Best {
    fn take(&mut self, mark: Mark) {
        self.0 = self.0.max(mark);
    }

    fn floor(&self) -> Mark {
        self.0
    }
}

impl Best {
    pub(super) fn id(&self) -> Option<RuleId> {
        id_of(self.0)
    }
}

/// Keeps all.
#[derive(Default)]
pub(super) struct Collect(Vec<Mark>);

impl Sink for Collect {
    fn take(&mut self, mark: Mark) {
        self.0.push(mark);
    }

    fn floor(&self) -> Mark {
        0
    }
}

impl Collect {
    pub(super) fn into_ids(self) -> Vec<RuleId> {
        self.0.into_iter().filter_map(id_of).collect()
    }
}

/// Keeps the strongest, the strongest deny and the strongest that grants list; of prefixes without `+` the longest only, one a path.
pub(super) struct Ranked<'a> {
    capabilities: &'a [CapabilitySet],
    plain_prefixes: &'a [bool],
    prefix: Mark,
    all: Mark,
    deny: Mark,
    list: Mark,
}

impl<'a> Ranked<'a> {
    pub(super) const fn new(capabilities: &'a [CapabilitySet], plain_prefixes: &'a [bool]) -> Self {
        Self {
            capabilities,
            plain_prefixes,
            prefix: 0,
            all: 0,
            deny: 0,
            list: 0,
        }
    }

    fn count(&mut self, mark: Mark) {
        let Some(id) = id_of(mark) else {
            return;
        };
        self.all = self.all.max(mark);
        let capabilities = self.capabilities[id.index()];
        if capabilities.contains(Capability::Deny) {
            self.deny = self.deny.max(mark);
        }
        if capabilities.contains(Capability::List) {
            self.list = self.list.max(mark);
        }
    }

    /// Counts the longest prefix of the path that was walked.
    pub(super) fn end_of_path(&mut self) {
        let longest = std::mem::take(&mut self.prefix);
        self.count(longest);
    }

    pub(super) fn best(&self) -> Option<RuleId> {
        id_of(self.all)
    }

    pub(super) fn deny(&self) -> Option<RuleId> {
        id_of(self.deny)
    }

    pub(super) fn list(&self) -> Option<RuleId> {
        id_of(self.list)
    }
}

impl Sink for Ranked<'_> {
    fn take(&mut self, mark: Mark) {
        let plain = id_of(mark).is_some_and(|id| self.plain_prefixes[id.index()]);
        if plain {
            // The longer of two prefixes is the stronger, so the greater mark is the longest prefix.
            self.prefix = self.prefix.max(mark);
        } else {
            self.count(mark);
        }
    }

    fn floor(&self) -> Mark {
        0
    }
}

const fn id_of(mark: Mark) -> Option<RuleId> {
    match mark.checked_sub(1) {
        Some(index) => Some(RuleId(index)),
        None => None,
    }
}

/// One place in the tree. Zero stands for "none" in every field.
#[derive(Debug, Clone, Copy, Default)]
struct Node {
    /// The pattern that ends here.
    end: Mark,
    /// The prefix pattern whose last segment is empty: it takes any rest.
    any: Mark,
    /// The node behind `+`.
    plus: u32,
    /// Where its tails begin, and how many there are.
    tails: u32,
    tail_count: u32,
    /// The strongest rule at or below this node.
    strongest: Mark,
    /// Whether it has literal edges.
    has_literals: bool,
}

/// A literal edge in the hash table: from a node, along a segment.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    from: u32,
    /// Zero for a free slot: no edge leads to the root.
    to: u32,
    segment: Segment,
}

/// A segment of a pattern: its first 16 bytes, and where the text of a longer one stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Segment {
    len: u32,
    text: u32,
    head: [u64; 2],
}

/// The last segment of a prefix pattern.
#[derive(Debug, Clone, Copy)]
struct Tail {
    /// Its first 8 bytes, big end first: the order of the numbers is that of the bytes.
    key: u64,
    text: u32,
    len: u32,
    rule: Mark,
    /// The tail of the same node that is the longest proper prefix of this one: its place in the node's tails plus one.
    shorter: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Matcher {
    nodes: Vec<Node>,
    slots: Vec<Slot>,
    tails: Vec<Tail>,
    texts: Vec<u8>,
    seed: u64,
    /// The patterns that are not in the tree, with their marks.
    deep: Vec<(Pattern, Mark)>,
    plain_prefixes: Vec<bool>,
}

/// A segment of a path: its bytes, their hash, its first 16 bytes, and where the next begins.
struct Part<'p> {
    bytes: &'p [u8],
    hash: u64,
    head: [u64; 2],
    /// None where this is the last.
    next: Option<usize>,
}

impl Matcher {
    /// From rules in the order of their strength.
    pub(super) fn new(rules: &[Rule]) -> Self {
        Builder::new(rules).finish()
    }

    /// For each rule, whether it is a prefix without `+`.
    pub(super) fn plain_prefixes(&self) -> &[bool] {
        &self.plain_prefixes
    }

    /// Hands every rule that matches `path` to `sink`, but for those that its floor rules out.
    pub(super) fn walk(&self, path: &str, sink: &mut impl Sink) {
        let path = path.as_bytes();
        let mut later = Later::default();
        let mut node = 0u32;
        let mut at = 0usize;
        loop {
            self.descend(path, node, at, &mut later, sink);
            match later.pop() {
                Some((n, a)) => (node, at) = (n, a),
                None => break,
            }
        }
        for (pattern, mark) in &self.deep {
            if *mark > sink.floor() && std::str::from_utf8(path).is_ok_and(|p| pattern.matches(p)) {
                sink.take(*mark);
            }
        }
    }

    /// Follows literal edges, and `+` edges where there is no choice, from `node` on; choices are put off into `later`.
    fn descend(&self, path: &[u8], mut node: u32, mut at: usize, later: &mut Later, sink: &mut impl Sink) {
        loop {
            let here = &self.nodes[node as usize];
            if here.strongest <= sink.floor() {
                return;
            }
            if here.any != 0 {
                sink.take(here.any);
            }
            if !here.has_literals && here.plus == 0 && here.tail_count == 0 {
                return;
            }
            let part = self.next_segment(path, at);
            if here.tail_count != 0 {
                self.take_tails(here, &part, sink);
            }
            let literal = if here.has_literals { self.child(node, &part) } else { 0 };
            let Some(next) = part.next else {
                for end in [literal, here.plus] {
                    if end != 0 && self.nodes[end as usize].end != 0 {
                        sink.take(self.nodes[end as usize].end);
                    }
                }
                return;
            };
            node = match (literal, here.plus) {
                (0, 0) => return,
                (0, plus) => plus,
                (literal, 0) => literal,
                (literal, plus) => {
                    later.push(plus, next);
                    literal
                }
            };
            at = next;
        }
    }

    fn child(&self, from: u32, part: &Part<'_>) -> u32 {
        let mask = self.slots.len() - 1;
        let mut index = spread(part.hash, from) & mask;
        loop {
            let slot = &self.slots[index];
            if slot.to == 0 {
                return 0;
            }
            if slot.from == from && slot.segment.head == part.head && self.is_segment(&slot.segment, part.bytes) {
                return slot.to;
            }
            index = (index + 1) & mask;
        }
    }

    fn is_segment(&self, segment: &Segment, bytes: &[u8]) -> bool {
        segment.len as usize == bytes.len()
            && (bytes.len() <= 16 || self.texts[segment.text as usize..][..bytes.len()] == *bytes)
    }

    /// Every tail of the node that the segment begins with, longest first.
    fn take_tails(&self, node: &Node, part: &Part<'_>, sink: &mut impl Sink) {
        let tails = &self.tails[node.tails as usize..][..node.tail_count as usize];
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

    /// Reads the segment that begins at `at`, eight bytes at a time.
    fn next_segment<'p>(&self, path: &'p [u8], at: usize) -> Part<'p> {
        let rest = &path[at..];
        let mut hash = self.seed;
        let mut head = [0u64; 2];
        let mut read = 0usize;
        loop {
            let (word, room) = word_at(rest, read);
            let slash = find_slash(word).min(room);
            let kept = if slash == 8 {
                word
            } else {
                word & ((1u64 << (8 * slash)) - 1)
            };
            match read {
                0 => head[0] = kept,
                8 => head[1] = kept,
                _ => {}
            }
            if slash > 0 || read == 0 {
                hash = mix(hash ^ kept);
            }
            read += slash;
            if slash < 8 {
                break;
            }
        }
        let next = (read < rest.len()).then_some(at + read + 1);
        Part {
            bytes: &rest[..read],
            hash: mix(hash ^ read as u64),
            head,
            next,
        }
    }
}

/// The next eight bytes of `rest` from `from` on, little end first, and how many of them there are.
fn word_at(rest: &[u8], from: usize) -> (u64, usize) {
    if let Some(bytes) = rest[from..].first_chunk::<8>() {
        return (u64::from_le_bytes(*bytes), 8);
    }
    let mut bytes = [0u8; 8];
    let left = &rest[from..];
    bytes[..left.len()].copy_from_slice(left);
    (u64::from_le_bytes(bytes), left.len())
}

/// The index of the first `/` among the eight bytes of `word`, or 8.
const fn find_slash(word: u64) -> usize {
    const LOW: u64 = 0x0101_0101_0101_0101;
    let differing = word ^ (LOW * b'/' as u64);
    let zeros = differing.wrapping_sub(LOW) & !differing & (LOW << 7);
    (zeros.trailing_zeros() / 8) as usize
}

const fn mix(value: u64) -> u64 {
    let wide = (value as u128) * 0x9e37_79b9_7f4a_7c15;
    (wide >> 64) as u64 ^ wide as u64
}

const fn spread(hash: u64, from: u32) -> usize {
    mix(hash ^ ((from as u64) << 32 | from as u64)) as usize
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
    const NEAR: usize = 24;

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

/// Makes a [`Matcher`].
struct Builder<'r> {
    rules: &'r [Rule],
    nodes: Vec<Node>,
    parents: Vec<u32>,
    literals: HashMap<(u32, &'r str), u32>,
    tails: Vec<(u32, &'r str, Mark)>,
    deep: Vec<(Pattern, Mark)>,
}

impl<'r> Builder<'r> {
    fn new(rules: &'r [Rule]) -> Self {
        let mut builder = Self {
            rules,
            nodes: vec![Node::default()],
            parents: vec![0],
            literals: HashMap::new(),
            tails: Vec::new(),
            deep: Vec::new(),
        };
        for (mark, rule) in (1u32..).zip(rules) {
            builder.add(&rule.pattern, mark);
        }
        builder
    }

    fn add(&mut self, pattern: &'r Pattern, mark: Mark) {
        if pattern.segments().nth(DEEPEST).is_some() {
            self.deep.push((pattern.clone(), mark));
            return;
        }
        let mut node = 0u32;
        let mut segments = pattern.segments().peekable();
        while let Some(segment) = segments.next() {
            if pattern.prefix && segments.peek().is_none() {
                if segment.is_empty() {
                    self.nodes[node as usize].any = mark;
                } else {
                    self.tails.push((node, segment, mark));
                }
                self.raise(node, mark);
                return;
            }
            node = if segment == "+" && pattern.segment_wildcards {
                self.plus(node)
            } else {
                self.literal(node, segment)
            };
        }
        let end = &mut self.nodes[node as usize].end;
        // An exact pattern and a `+` pattern of the same literal text do not both exist: the text alone tells which it is.
        *end = (*end).max(mark);
        self.raise(node, mark);
    }

    /// Rules come weakest first, so every node on the way up gets the newest mark.
    fn raise(&mut self, mut node: u32, mark: Mark) {
        loop {
            self.nodes[node as usize].strongest = mark;
            if node == 0 {
                return;
            }
            node = self.parents[node as usize];
        }
    }

    fn plus(&mut self, from: u32) -> u32 {
        let present = self.nodes[from as usize].plus;
        if present != 0 {
            return present;
        }
        let made = self.make(from);
        self.nodes[from as usize].plus = made;
        made
    }

    fn literal(&mut self, from: u32, segment: &'r str) -> u32 {
        if let Some(present) = self.literals.get(&(from, segment)) {
            return *present;
        }
        let made = self.make(from);
        self.literals.insert((from, segment), made);
        self.nodes[from as usize].has_literals = true;
        made
    }

    fn make(&mut self, parent: u32) -> u32 {
        let made = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(Node::default());
        self.parents.push(parent);
        made
    }

    fn finish(mut self) -> Matcher {
        let seed = RandomState::new().build_hasher().finish();
        let mut matcher = Matcher {
            slots: vec![Slot::default(); (self.literals.len() * 2).next_power_of_two().max(2)],
            nodes: Vec::new(),
            tails: Vec::with_capacity(self.tails.len()),
            texts: Vec::new(),
            seed,
            deep: std::mem::take(&mut self.deep),
            plain_prefixes: self.rules.iter().map(|r| r.pattern.is_plain_prefix()).collect(),
        };
        let mask = matcher.slots.len() - 1;
        for (&(from, text), &to) in &self.literals {
            let part = matcher.next_segment(text.as_bytes(), 0);
            let segment = Segment {
                len: narrow(text.len()),
                text: narrow(matcher.texts.len()),
                head: part.head,
            };
            let mut index = spread(part.hash, from) & mask;
            if text.len() > 16 {
                matcher.texts.extend_from_slice(text.as_bytes());
            }
            while matcher.slots[index].to != 0 {
                index = (index + 1) & mask;
            }
            matcher.slots[index] = Slot { from, to, segment };
        }
        self.finish_tails(&mut matcher);
        matcher.nodes = self.nodes;
        matcher
    }

    fn finish_tails(&mut self, matcher: &mut Matcher) {
        self.tails
            .sort_unstable_by_key(|(node, text, _)| (*node, text.as_bytes()));
        for of_node in self.tails.chunk_by(|a, b| a.0 == b.0) {
            let first = matcher.tails.len();
            // The tails that the one at hand may continue, shortest first.
            let mut open: Vec<(&str, u32)> = Vec::new();
            for (place, &(node, text, rule)) in (1u32..).zip(of_node) {
                self.nodes[node as usize].tails = narrow(first);
                self.nodes[node as usize].tail_count = place;
                while open.last().is_some_and(|(shorter, _)| !text.starts_with(shorter)) {
                    open.pop();
                }
                matcher.tails.push(Tail {
                    key: word_at(text.as_bytes(), 0).0.swap_bytes(),
                    text: narrow(matcher.texts.len()),
                    len: narrow(text.len()),
                    rule,
                    shorter: open.last().map_or(0, |(_, place)| *place),
                });
                matcher.texts.extend_from_slice(text.as_bytes());
                open.push((text, place));
            }
        }
    }
}

/// Lengths and offsets inside one policy set; policies of four gigabytes cannot be held anyway.
fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
