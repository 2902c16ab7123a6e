//! The walk over all kinds of paths: the product of both lists' patterns, segment by segment.
//!
//! A state is the set of patterns that still match, each with the lists for which it can still matter. From a state the next
//! segment is one of: a literal that a pattern wants there, something that begins with a literal but is no other, or something
//! that no pattern names. Every path falls into one of these ways, and all paths of one way are matched by the same patterns, so
//! one of them can speak for all. States are met in the order of their shortest path, each once.

use super::table::{Entry, Mask, NEW, OLD, Rest, THROUGH, Table, Want, Weight, case_variants};
use crate::vault::name::lower;
use crate::vault::{Capability, CapabilitySet};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::rc::Rc;

/// The walk was given up: it cost more than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exhausted;

/// How the walk goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Which lists' further access is looked for: [`NEW`] for what the new list gives beyond the old, [`OLD`] the other way.
    pub(super) beyond: Mask,
    /// Whether `LIST` weighs the candidates of `path` and `path/` together.
    pub(super) together: bool,
    /// How many steps it may cost; a step is about a tenth of a microsecond.
    pub(super) budget: u64,
}

/// A pattern that still matches, and the lists for which it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Live {
    entry: u32,
    mask: Mask,
}

/// The order in which states are met: fewer segments, fewer empty ones, fewer bytes, earlier found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    segments: u32,
    empty: u32,
    bytes: usize,
    found: usize,
}

struct State {
    from: Option<usize>,
    segment: String,
    live: Option<Rc<[Live]>>,
    cost: Cost,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    live: Rc<[Live]>,
    /// Zero where the patterns are all through, and their place in the path tells nothing more.
    depth: u32,
    /// A path that ends in a slash is asked otherwise than one that does not.
    ends_in_slash: bool,
}

/// The walk.
pub(super) struct Walk<'t> {
    table: &'t Table<'t>,
    manner: Manner,
    states: Vec<State>,
    queue: BinaryHeap<Reverse<(Cost, usize)>>,
    seen: HashSet<Key>,
    work: u64,
}

impl<'t> Walk<'t> {
    pub(super) fn new(table: &'t Table<'t>, manner: Manner) -> Self {
        Self {
            table,
            manner,
            states: Vec::new(),
            queue: BinaryHeap::new(),
            seen: HashSet::new(),
            work: 0,
        }
    }

    /// How many kinds of paths were met.
    pub(super) fn states(&self) -> usize {
        self.states.len()
    }

    /// Calls `visit` with one path of every kind that can matter, shortest first, until it breaks.
    ///
    /// # Errors
    ///
    /// Where the budget does not suffice: then not every kind was met.
    pub(super) fn run(&mut self, mut visit: impl FnMut(&str) -> ControlFlow<()>) -> Result<(), Exhausted> {
        let all: Vec<Live> = (0u32..)
            .zip(self.table.entries())
            .map(|(entry, e)| Live { entry, mask: e.mask() })
            .collect();
        self.expand(None, &all)?;
        while let Some(Reverse((_, index))) = self.queue.pop() {
            let Some(state) = self.states.get_mut(index) else {
                continue;
            };
            let live = state.live.take().unwrap_or_default();
            let path = self.path(index);
            self.spend(10 + path.len() as u64 / 8)?;
            if visit(&path).is_break() {
                return Ok(());
            }
            // No path begins with a slash, so the empty first segment is the empty path and nothing more.
            if !path.is_empty() {
                self.expand(Some(index), &live)?;
            }
        }
        Ok(())
    }

    const fn spend(&mut self, steps: u64) -> Result<(), Exhausted> {
        self.work = self.work.saturating_add(steps);
        if self.work > self.manner.budget {
            Err(Exhausted)
        } else {
            Ok(())
        }
    }

    fn path(&self, last: usize) -> String {
        let mut segments = Vec::new();
        let mut at = Some(last);
        while let Some(state) = at.and_then(|n| self.states.get(n)) {
            segments.push(state.segment.as_str());
            at = state.from;
        }
        segments.reverse();
        segments.join("/")
    }

    /// Adds the states that one more segment leads to.
    fn expand(&mut self, from: Option<usize>, live: &[Live]) -> Result<(), Exhausted> {
        let parent = from.and_then(|n| self.states.get(n)).map(|s| s.cost);
        let depth = parent.map_or(0, |c| c.segments);
        self.spend(live.len() as u64)?;
        let ways = Ways::new(self.table, live, depth as usize);
        let first = from.is_none();
        for (segment, live) in ways.choices(first) {
            self.spend(2 + live.len() as u64)?;
            let live: Rc<[Live]> = self.that_matter(live, depth as usize + 1).into();
            if self.is_settled(&live, depth as usize + 1) {
                continue;
            }
            let key = Key {
                depth: if self.all_through(&live, depth as usize + 1) {
                    0
                } else {
                    depth + 1
                },
                ends_in_slash: segment.is_empty(),
                live: live.clone(),
            };
            if !self.seen.insert(key) {
                continue;
            }
            let cost = Cost {
                segments: depth + 1,
                empty: parent.map_or(0, |c| c.empty) + u32::from(segment.is_empty()),
                bytes: parent.map_or(0, |c| c.bytes + 1) + segment.len(),
                found: self.states.len(),
            };
            self.queue.push(Reverse((cost, self.states.len())));
            self.states.push(State {
                from,
                segment,
                live: Some(live),
                cost,
            });
        }
        Ok(())
    }

    fn all_through(&self, live: &[Live], depth: usize) -> bool {
        live.iter()
            .filter_map(|l| self.table.get(l.entry))
            .all(|e| e.rest(depth) == THROUGH)
    }

    /// Leaves out, list by list, the patterns that can decide nothing any more, since a stronger one matches wherever they do.
    fn that_matter(&self, mut live: Vec<Live>, depth: usize) -> Vec<Live> {
        // Strongest first.
        live.sort_unstable_by_key(|l| Reverse(l.entry));
        if live.len() < 2 {
            return live;
        }
        let mut cover = Cover::new(self.table, self.manner.together, &live, depth);
        live.retain_mut(|l| {
            let Some(entry) = self.table.get(l.entry) else {
                return false;
            };
            let rest = entry.rest(depth);
            for side in [OLD, NEW] {
                if l.mask & side != 0 && cover.covers(entry, rest, side) {
                    l.mask &= !side;
                }
            }
            cover.add(entry, rest, l.mask);
            l.mask != 0
        });
        live
    }

    /// Whether no continuation can show a difference that is looked for.
    fn is_settled(&self, live: &[Live], depth: usize) -> bool {
        let entries = || live.iter().filter_map(|l| self.table.get(l.entry).map(|e| (l.mask, e)));
        if entries().all(|(mask, e)| e.same && mask == OLD | NEW) {
            return true;
        }
        [(NEW, OLD), (OLD, NEW)]
            .into_iter()
            .filter(|(beyond, _)| self.manner.beyond & beyond != 0)
            .all(|(more, less)| {
                let most = entries()
                    .filter(|(mask, _)| mask & more != 0)
                    .filter_map(|(_, e)| e.given(more))
                    .fold(CapabilitySet::EMPTY, |all, g| all.union(g.capabilities))
                    .difference(CapabilitySet::of(Capability::Deny));
                if most.is_empty() {
                    return true;
                }
                let mut reached = false;
                let mut least: Option<CapabilitySet> = None;
                for (_, entry) in entries().filter(|(mask, _)| mask & less != 0) {
                    let Some(given) = entry.given(less).filter(|g| !g.constrained) else {
                        return false;
                    };
                    reached |= entry.rest(depth) == THROUGH;
                    least = Some(least.map_or(given.capabilities, |l| l.intersection(given.capabilities)));
                }
                reached && least.is_some_and(|least| most.is_subset(least))
            })
    }
}

/// Which patterns stronger ones have made pointless, among those that matched so far.
struct Cover {
    together: bool,
    /// Lists with a plain prefix that is not through yet: it may hide a shorter one later.
    pending_prefix: Mask,
    /// What covers whatever matches.
    through: Covered,
    by_rest: HashMap<Rest, Covered>,
}

/// Lists for which patterns are covered.
#[derive(Clone, Copy, Default)]
struct Covered {
    /// All of them.
    all: Mask,
    /// Those that neither deny nor grant list.
    neutral: Mask,
    /// Plain prefixes.
    plain: Mask,
}

impl Cover {
    fn new(table: &Table<'_>, together: bool, live: &[Live], depth: usize) -> Self {
        let pending_prefix = live
            .iter()
            .filter_map(|l| table.get(l.entry).map(|e| (l.mask, e)))
            .filter(|(_, e)| e.plain_prefix && e.rest(depth) != THROUGH)
            .fold(0, |all, (mask, _)| all | mask);
        Self {
            together,
            pending_prefix,
            through: Covered::default(),
            by_rest: HashMap::new(),
        }
    }

    fn covers(&self, entry: &Entry<'_>, rest: Rest, side: Mask) -> bool {
        let covered = |c: &Covered| {
            c.all & side != 0
                || (c.plain & side != 0 && entry.plain_prefix)
                || (c.neutral & side != 0 && !entry.plain_prefix && entry.weight(side) == Weight::Neutral)
        };
        covered(&self.through) || self.by_rest.get(&rest).is_some_and(covered)
    }

    /// Takes note of what a pattern that matters covers from here on.
    ///
    /// Where a LIST weighs all candidates, the strongest that denies or grants list decides, so a pattern that does neither
    /// covers only its like; and of plain prefixes only the longest is a candidate, so one that a longer may yet hide covers
    /// only what decides nothing, and shorter ones.
    fn add(&mut self, entry: &Entry<'_>, rest: Rest, mask: Mask) {
        let place = if rest == THROUGH {
            &mut self.through
        } else {
            self.by_rest.entry(rest).or_default()
        };
        if !self.together || entry.exact {
            place.all |= mask;
            return;
        }
        for side in [OLD, NEW].into_iter().filter(|s| mask & s != 0) {
            let decides = entry.weight(side) == Weight::Decides;
            let hidden_later = entry.plain_prefix && (rest != THROUGH || self.pending_prefix & side != 0);
            if entry.plain_prefix {
                place.plain |= side;
            }
            place.neutral |= side;
            if decides && !hidden_later {
                place.all |= side;
            }
        }
    }
}

/// The ways on from a state.
struct Ways<'p> {
    /// Patterns that match whatever the next segment is.
    any: Vec<Live>,
    literals: BTreeMap<&'p str, Vec<Live>>,
    beginnings: BTreeMap<&'p str, Vec<Live>>,
    /// The same, of patterns for which the case of letters does not matter; the texts are in lower case.
    any_case: BTreeMap<&'p str, Vec<Live>>,
    any_case_beginnings: BTreeMap<&'p str, Vec<Live>>,
}

impl<'p> Ways<'p> {
    fn new(table: &'p Table<'p>, live: &[Live], depth: usize) -> Self {
        let mut ways = Self {
            any: Vec::new(),
            literals: BTreeMap::new(),
            beginnings: BTreeMap::new(),
            any_case: BTreeMap::new(),
            any_case_beginnings: BTreeMap::new(),
        };
        for &l in live {
            match table.get(l.entry).map_or(Want::End, |e| e.want(depth)) {
                Want::End => {}
                Want::Through | Want::Any => ways.any.push(l),
                Want::Literal(text) => ways.literals.entry(text).or_default().push(l),
                Want::Beginning(text) => ways.beginnings.entry(text).or_default().push(l),
                Want::AnyCase(text) => ways.any_case.entry(text).or_default().push(l),
                Want::BeginningInAnyCase(text) => ways.any_case_beginnings.entry(text).or_default().push(l),
            }
        }
        ways
    }

    /// One segment of each kind, with the patterns that match it.
    fn choices(&self, first: bool) -> impl Iterator<Item = (String, Vec<Live>)> {
        let mut segments: Vec<String> = self.literals.keys().map(|text| (*text).to_owned()).collect();
        segments.extend(self.beginnings.keys().map(|text| self.beginning_with(text)));
        if !self.beginnings.contains_key("") {
            segments.push(self.unnamed(""));
        }
        if first && !self.literals.contains_key("") {
            segments.push(String::new());
        }
        self.other_cases(&mut segments);
        segments.into_iter().map(|segment| {
            let live = self.after(&segment);
            (segment, live)
        })
    }

    /// The patterns that match a segment.
    fn after(&self, segment: &str) -> Vec<Live> {
        let mut live = self.any.clone();
        let add =
            |live: &mut Vec<Live>, text: &str, whole: &BTreeMap<&str, Vec<Live>>, begun: &BTreeMap<&str, Vec<Live>>| {
                if !begun.is_empty() {
                    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
                    for beginning in ends.filter_map(|end| text.get(..end)) {
                        live.extend(begun.get(beginning).into_iter().flatten());
                    }
                }
                live.extend(whole.get(text).into_iter().flatten());
            };
        add(&mut live, segment, &self.literals, &self.beginnings);
        if self.looks_at_other_cases() {
            add(&mut live, &lower(segment), &self.any_case, &self.any_case_beginnings);
        }
        live
    }

    fn looks_at_other_cases(&self) -> bool {
        !self.any_case.is_empty() || !self.any_case_beginnings.is_empty()
    }

    /// The kinds of segments that only patterns tell apart for which the case of letters does not matter: for each text and
    /// each beginning of it whose case does matter, a spelling that begins so and is, or begins with, no other text as it
    /// stands; alone, and with more behind it.
    fn other_cases(&self, segments: &mut Vec<String>) {
        if !self.looks_at_other_cases() {
            return;
        }
        let texts: BTreeSet<&str> = self
            .any_case
            .keys()
            .chain(self.any_case_beginnings.keys())
            .copied()
            .collect();
        let begun: BTreeSet<&str> = self.beginnings.keys().copied().chain([""]).collect();
        for beginning in begun {
            let lowered = lower(beginning);
            segments.push(self.unnamed(beginning));
            for text in texts.iter().filter(|text| text.starts_with(&*lowered)) {
                segments.extend(self.spelling(beginning, text, true));
                segments.extend(self.spelling(beginning, text, false).map(|spelt| self.unnamed(&spelt)));
            }
        }
    }

    /// A spelling of `text`, which is in lower case, that begins with `beginning` as it stands and with no longer beginning
    /// whose case matters; and, where asked, is no literal either. None where there is none.
    fn spelling(&self, beginning: &str, text: &str, no_literal: bool) -> Option<String> {
        let letters: Vec<char> = text.chars().skip(beginning.chars().count()).collect();
        let longer = self
            .beginnings
            .keys()
            .filter(|b| b.len() > beginning.len())
            .map(|b| (*b, true));
        let literals = self.literals.keys().filter(|_| no_literal).map(|l| (*l, false));
        // What is still to be avoided: a text, and whether as a beginning.
        let avoided: Vec<(&str, bool)> = longer
            .chain(literals)
            .filter(|(t, _)| t.starts_with(beginning))
            .collect();
        let mut spelt = beginning.to_owned();
        // Each step: how long the spelling was before it, its letter, its place, and what was to be avoided then.
        type Step<'s> = (usize, char, usize, Rc<Vec<(&'s str, bool)>>);
        let mut steps: Vec<Step<'_>> = Vec::new();
        let mut open = Rc::new(avoided);
        let mut at = 0;
        loop {
            let spoilt = open
                .iter()
                .any(|(t, begins)| *t == spelt && (*begins || at == letters.len()));
            match letters.get(at) {
                Some(letter) if !spoilt && !open.is_empty() => {
                    let (length, open) = (spelt.len(), &open);
                    let tries: Vec<char> = case_variants(*letter).collect();
                    steps.extend(tries.into_iter().rev().map(|c| (length, c, at, Rc::clone(open))));
                }
                _ if !spoilt => {
                    spelt.extend(letters.iter().skip(at));
                    return Some(spelt);
                }
                _ => {}
            }
            let (length, letter, place, before) = steps.pop()?;
            spelt.truncate(length);
            spelt.push(letter);
            open = Rc::new(before.iter().filter(|(t, _)| t.starts_with(&spelt)).copied().collect());
            at = place + 1;
        }
    }

    fn beginning_with(&self, text: &str) -> String {
        if text.is_empty() || self.literals.contains_key(text) {
            self.unnamed(text)
        } else {
            text.to_owned()
        }
    }

    /// `beginning` and one character more, so that no pattern names it.
    fn unnamed(&self, beginning: &str) -> String {
        let plain = "xyzabcdefghijklmnopqrstuvw0123456789XYZABCDEFGHIJKLMNOPQRSTUVW".chars();
        let more = ('\u{c0}'..).filter(|c| c.is_alphabetic());
        let named = |text: &str| {
            self.literals.contains_key(text)
                || self.beginnings.contains_key(text)
                || (self.looks_at_other_cases() && {
                    let lowered = lower(text);
                    self.any_case.contains_key(&*lowered) || self.any_case_beginnings.contains_key(&*lowered)
                })
        };
        let mut text = String::with_capacity(beginning.len() + 1);
        for letter in plain.chain(more) {
            text.clear();
            text.push_str(beginning);
            text.push(letter);
            if !named(&text) {
                break;
            }
        }
        text
    }
}
