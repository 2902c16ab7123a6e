//! How two stanza patterns relate as sets of paths: equal, one within the other, overlapping or disjoint, decided exactly.
//!
//! The relation alone is read off the segments: of paths of one length a pattern takes at each depth one literal or any, and
//! what follows a prefix is free, so one set is within another, or shares a path with it, where each segment is or does.
//! For examples both patterns are walked together, a segment at a time. All that a pattern can tell of a segment is whether it
//! is a given literal, or begins with one (the last segment of a prefix pattern); so at each depth a handful of segments stand
//! for all there are. Both are linear in the length of the patterns; the first keeps nothing, and is asked for each pair of
//! stanzas that a warning could be about.

use crate::policy::pattern::Pattern;

/// How the paths that one pattern matches relate to those that another matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relation {
    /// Both match the same paths.
    Equal,
    /// The first matches every path of the second, and more.
    Subsumes,
    /// The second matches every path of the first, and more.
    Subsumed,
    /// Some paths match both, and each matches some alone.
    Overlaps,
    /// No path matches both.
    Disjoint,
}

impl Relation {
    /// The word in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Subsumes => "subsumes",
            Self::Subsumed => "subsumed",
            Self::Overlaps => "overlaps",
            Self::Disjoint => "disjoint",
        }
    }
}

/// The relation of two patterns, with a path as example of each part that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The relation.
    pub relation: Relation,
    /// A path that both match.
    pub both: Option<String>,
    /// A path that only the first matches.
    pub only_first: Option<String>,
    /// A path that only the second matches.
    pub only_second: Option<String>,
}

/// How `first` relates to `second`.
#[must_use]
pub fn relation(first: &Pattern, second: &Pattern) -> Relation {
    match (implies(first, second), implies(second, first)) {
        (true, true) => Relation::Equal,
        _ if disjoint(first, second) => Relation::Disjoint,
        (false, true) => Relation::Subsumes,
        (true, false) => Relation::Subsumed,
        (false, false) => Relation::Overlaps,
    }
}

/// Whether both match the same paths.
#[must_use]
pub fn equivalent(first: &Pattern, second: &Pattern) -> bool {
    relation(first, second) == Relation::Equal
}

/// Whether every path that `first` matches is matched by `second`.
#[must_use]
pub fn implies(first: &Pattern, second: &Pattern) -> bool {
    if matches_nothing(first) {
        return true;
    }
    let (mut inner, mut outer) = (parts(first), parts(second));
    loop {
        let within = match (inner.next(), outer.next()) {
            (None, None) => return true,
            (Some(Part::Open(one) | Part::Literal(one)), Some(Part::Open(other))) => return one.starts_with(other),
            (Some(Part::Any), Some(Part::Open(other))) => return other.is_empty(),
            (Some(Part::Any | Part::Literal(_)), Some(Part::Any)) => true,
            (Some(Part::Literal(one)), Some(Part::Literal(other))) => one == other,
            (Some(Part::Any | Part::Open(_)), Some(_)) | (Some(_), None) | (None, Some(_)) => return false,
        };
        if !within {
            return false;
        }
    }
}

/// Whether no path is matched by both.
#[must_use]
pub fn disjoint(first: &Pattern, second: &Pattern) -> bool {
    if matches_nothing(first) || matches_nothing(second) {
        return true;
    }
    let (mut one, mut other) = (parts(first), parts(second));
    loop {
        match (one.next(), other.next()) {
            (None, None) => return false,
            (None, Some(_)) | (Some(_), None) => return true,
            (Some(Part::Open(one)), Some(Part::Open(other))) => {
                return !one.starts_with(other) && !other.starts_with(one);
            }
            (Some(Part::Open(begin)), Some(Part::Literal(whole)))
            | (Some(Part::Literal(whole)), Some(Part::Open(begin))) => return !whole.starts_with(begin),
            (Some(Part::Any), Some(Part::Open(_))) | (Some(Part::Open(_)), Some(Part::Any)) => return false,
            (Some(Part::Any), Some(_)) | (Some(_), Some(Part::Any)) => {}
            (Some(Part::Literal(one)), Some(Part::Literal(other))) => {
                if one != other {
                    return true;
                }
            }
        }
    }
}

/// What a pattern says of a segment.
#[derive(Debug, Clone, Copy)]
enum Part<'p> {
    /// It is this one.
    Literal(&'p str),
    /// It is any one.
    Any,
    /// It begins so, and any segments may follow.
    Open(&'p str),
}

/// The parts of a pattern, one a segment.
fn parts(pattern: &Pattern) -> impl Iterator<Item = Part<'_>> {
    let mut segments = pattern.segments().peekable();
    std::iter::from_fn(move || {
        let segment = segments.next()?;
        Some(if pattern.is_plus(segment) {
            Part::Any
        } else if pattern.prefix && segments.peek().is_none() {
            Part::Open(segment)
        } else {
            Part::Literal(segment)
        })
    })
}

/// Whether no path matches: none begins with a slash.
fn matches_nothing(pattern: &Pattern) -> bool {
    pattern.text.starts_with('/')
}

/// Whether two patterns may match one path; of one that is not known, any.
#[must_use]
pub fn may_meet(first: Option<&Pattern>, second: Option<&Pattern>) -> bool {
    !first.zip(second).is_some_and(|(first, second)| disjoint(first, second))
}

/// How `first` relates to `second`, with examples. A pattern that no path can match (one that begins with a slash) is
/// disjoint from all but its like.
#[must_use]
pub fn overlap(first: &Pattern, second: &Pattern) -> Overlap {
    let walk = Walk::new(first, second);
    let mut found = Found::default();
    let mut trail: Vec<Step> = Vec::new();
    let mut front = vec![Place {
        state: (Side::Live, Side::Live),
        from: None,
    }];
    for depth in 0.. {
        let mut next: Vec<Place> = Vec::new();
        let segments = walk.segments_at(depth);
        for place in &front {
            for segment in &segments {
                let state = walk.step(place.state, depth, segment);
                // A path never begins with a slash: an empty first segment is the empty path, or nothing.
                let ends_here = depth == 0 && segment.is_empty();
                if state == (Side::Dead, Side::Dead) || (!ends_here && next.iter().any(|p| p.state == state)) {
                    continue;
                }
                trail.push(Step {
                    segment: segment.clone(),
                    from: place.from,
                });
                let here = trail.len() - 1;
                found.note(walk.ended(state, depth + 1), here);
                if !ends_here {
                    next.push(Place {
                        state,
                        from: Some(here),
                    });
                }
            }
        }
        // Where nothing is left to be matched, longer paths tell nothing new.
        next.retain(|p| p.state.0 == Side::Live || p.state.1 == Side::Live);
        if next.is_empty() || found.all() {
            break;
        }
        front = next;
    }
    let both = found.both.map(|n| spell(&trail, n));
    let only_first = found.only_first.map(|n| spell(&trail, n));
    let only_second = found.only_second.map(|n| spell(&trail, n));
    let relation = match (&both, &only_first, &only_second) {
        (_, None, None) => Relation::Equal,
        (None, ..) => Relation::Disjoint,
        (Some(_), Some(_), None) => Relation::Subsumes,
        (Some(_), None, Some(_)) => Relation::Subsumed,
        (Some(_), Some(_), Some(_)) => Relation::Overlaps,
    };
    Overlap {
        relation,
        both,
        only_first,
        only_second,
    }
}

/// Where a pattern stands after some segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// All matched so far.
    Live,
    /// A prefix pattern that is through: whatever follows matches.
    Through,
    /// It cannot match any more.
    Dead,
}

struct Place {
    state: (Side, Side),
    from: Option<usize>,
}

struct Step {
    segment: String,
    from: Option<usize>,
}

#[derive(Default)]
struct Found {
    both: Option<usize>,
    only_first: Option<usize>,
    only_second: Option<usize>,
}

impl Found {
    fn note(&mut self, matched: (bool, bool), step: usize) {
        let place = match matched {
            (true, true) => &mut self.both,
            (true, false) => &mut self.only_first,
            (false, true) => &mut self.only_second,
            (false, false) => return,
        };
        place.get_or_insert(step);
    }

    const fn all(&self) -> bool {
        self.both.is_some() && self.only_first.is_some() && self.only_second.is_some()
    }
}

struct Walk<'p> {
    first: Cut<'p>,
    second: Cut<'p>,
}

/// A pattern, cut at its slashes.
struct Cut<'p> {
    segments: Vec<&'p str>,
    prefix: bool,
    plus: bool,
}

impl<'p> Cut<'p> {
    fn new(pattern: &'p Pattern) -> Self {
        Self {
            segments: pattern.segments().collect(),
            prefix: pattern.prefix,
            plus: pattern.segment_wildcards,
        }
    }

    fn is_plus(&self, segment: &str) -> bool {
        self.plus && segment == "+"
    }

    fn is_last(&self, depth: usize) -> bool {
        depth + 1 == self.segments.len()
    }

    fn step(&self, side: Side, depth: usize, segment: &str) -> Side {
        if side != Side::Live {
            return side;
        }
        let Some(&want) = self.segments.get(depth) else {
            return Side::Dead;
        };
        let through = self.prefix && self.is_last(depth);
        if self.is_plus(want) || want == segment || (through && segment.starts_with(want)) {
            if through { Side::Through } else { Side::Live }
        } else {
            Side::Dead
        }
    }

    fn ended(&self, side: Side, depth: usize) -> bool {
        match side {
            Side::Through => true,
            Side::Live => depth == self.segments.len(),
            Side::Dead => false,
        }
    }
}

impl<'p> Walk<'p> {
    fn new(first: &'p Pattern, second: &'p Pattern) -> Self {
        Self {
            first: Cut::new(first),
            second: Cut::new(second),
        }
    }

    fn step(&self, state: (Side, Side), depth: usize, segment: &str) -> (Side, Side) {
        (
            self.first.step(state.0, depth, segment),
            self.second.step(state.1, depth, segment),
        )
    }

    fn ended(&self, state: (Side, Side), depth: usize) -> (bool, bool) {
        (self.first.ended(state.0, depth), self.second.ended(state.1, depth))
    }

    /// Segments of which at least one is of each kind that the two patterns can tell apart at this depth: their literals;
    /// two continuations of a literal that is a prefix, of which the other pattern's literal can spoil but one; and three
    /// plain letters, of which two literals can spoil but two.
    fn segments_at(&self, depth: usize) -> Vec<String> {
        let mut all: Vec<String> = Vec::with_capacity(9);
        let mut add = |segment: String| {
            if !all.contains(&segment) {
                all.push(segment);
            }
        };
        for cut in [&self.first, &self.second] {
            let Some(&want) = cut.segments.get(depth).filter(|w| !cut.is_plus(w)) else {
                continue;
            };
            add(want.to_owned());
            if cut.prefix && cut.is_last(depth) {
                add(format!("{want}x"));
                add(format!("{want}y"));
            }
        }
        for letter in ["x", "y", "z"] {
            add(letter.to_owned());
        }
        if depth == 0 {
            add(String::new());
        }
        all
    }
}

fn spell(trail: &[Step], last: usize) -> String {
    let mut segments = Vec::new();
    let mut at = Some(last);
    while let Some(step) = at.and_then(|n| trail.get(n)) {
        segments.push(step.segment.as_str());
        at = step.from;
    }
    segments.reverse();
    segments.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(path: &str) -> Pattern {
        Pattern::parse(path, "").unwrap()
    }

    #[test]
    fn relations_that_can_be_seen_by_eye() {
        for (first, second, want) in [
            ("a/b", "a/b", Relation::Equal),
            ("a/b", "/a/b", Relation::Equal),
            ("a/*", "a/b", Relation::Subsumes),
            ("a/b", "a/+", Relation::Subsumed),
            ("a/+", "a/*", Relation::Subsumed),
            ("a/+/c", "a/b/+", Relation::Overlaps),
            ("a/b", "a/c", Relation::Disjoint),
            ("a", "a/", Relation::Disjoint),
            ("a*", "a/+/b", Relation::Subsumes),
            ("a/b*", "a/+/c", Relation::Overlaps),
            ("a/b*", "a/b/*", Relation::Subsumes),
            ("a/+b", "a/+", Relation::Subsumed),
            ("a/+b", "a/xb", Relation::Disjoint),
            ("a+/b", "a/b", Relation::Disjoint),
            ("+", "", Relation::Subsumes),
            ("+/+", "+/*", Relation::Subsumed),
            ("+/*", "*", Relation::Subsumed),
            ("*", "", Relation::Subsumes),
            ("a/x*", "a/+", Relation::Overlaps),
            ("//a", "*", Relation::Disjoint),
            ("//a", "//b", Relation::Equal),
            ("a/x*", "a/xx*", Relation::Subsumes),
            ("a*b", "a*", Relation::Subsumed),
            ("a/+/x*", "a/b/*", Relation::Overlaps),
        ] {
            let (one, two) = (pattern(first), pattern(second));
            assert_eq!(relation(&one, &two), want, "{first} and {second}");
        }
    }

    #[test]
    fn a_pattern_of_many_segments_is_no_trouble() {
        let long = vec!["a"; 200_000].join("/");
        let plus = vec!["+"; 200_000].join("/");
        assert!(implies(&pattern(&long), &pattern(&plus)));
        assert_eq!(
            relation(&pattern(&format!("{plus}/x*")), &pattern(&format!("{long}/*"))),
            Relation::Overlaps
        );
    }

    fn path_text() -> impl Strategy<Value = String> {
        let segment = prop::sample::select(vec!["", "a", "b", "ab", "x", "+", "a+", "+b", "xy"]);
        (prop::collection::vec(segment, 1..4), any::<bool>()).prop_map(|(segments, star)| {
            let path = segments.join("/");
            if star && !path.ends_with('+') {
                format!("{path}*")
            } else {
                path
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn no_path_contradicts_the_relation(
            first in path_text(),
            second in path_text(),
            paths in prop::collection::vec(
                prop::collection::vec(prop::sample::select(vec!["", "a", "b", "ab", "x", "xx", "+", "a+", "+b", "abc", "q"]), 1..5),
                40,
            ),
        ) {
            let (one, two) = (pattern(&first), pattern(&second));
            let found = overlap(&one, &two);
            let mirrored = overlap(&two, &one);
            prop_assert_eq!(found.relation, relation(&one, &two));
            prop_assert_eq!(found.only_first.is_none(), implies(&one, &two));
            prop_assert_eq!(found.both.is_none(), disjoint(&one, &two));
            prop_assert_eq!(found.both.is_some(), mirrored.both.is_some());
            prop_assert_eq!(found.only_first.is_some(), mirrored.only_second.is_some());
            for (example, want) in [(&found.both, (true, true)), (&found.only_first, (true, false)), (&found.only_second, (false, true))] {
                if let Some(path) = example {
                    prop_assert!(!path.starts_with('/'));
                    prop_assert_eq!((one.matches(path), two.matches(path)), want, "{}", path);
                }
            }
            for path in paths.into_iter().map(|p| p.join("/")).filter(|p| !p.starts_with('/')) {
                match (one.matches(&path), two.matches(&path)) {
                    (true, true) => prop_assert!(found.both.is_some(), "{}", path),
                    (true, false) => prop_assert!(found.only_first.is_some(), "{}", path),
                    (false, true) => prop_assert!(found.only_second.is_some(), "{}", path),
                    (false, false) => {}
                }
            }
        }
    }
}
