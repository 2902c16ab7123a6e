//! Candidate values of a request parameter: enough of them that, where two lists of values differ, one shows it.
//!
//! A string pattern is a text with a `*` at either end or none. What a pattern demands, and as little as possible besides, is
//! a text made of the demanded parts with a letter between that occurs in no pattern: whatever refuses this text refuses every
//! text that satisfies the pattern. The same goes for two patterns at once. So one text a pattern, and one a pair, decide.

use serde_json::Value;

/// A string pattern of a parameter's value list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Glob<'v> {
    Exactly(&'v str),
    Begins(&'v str),
    Ends(&'v str),
    Holds(&'v str),
}

impl<'v> Glob<'v> {
    fn of(text: &'v str) -> Self {
        if text.len() < 2 {
            return Self::Exactly(text);
        }
        match (text.strip_prefix('*'), text.strip_suffix('*')) {
            (Some(rest), Some(_)) => Self::Holds(rest.strip_suffix('*').unwrap_or(rest)),
            (Some(end), None) => Self::Ends(end),
            (None, Some(start)) => Self::Begins(start),
            (None, None) => Self::Exactly(text),
        }
    }

    /// The text that satisfies this pattern and no avoidable other.
    fn text(self, filler: char) -> String {
        match self {
            Self::Exactly(text) => text.to_owned(),
            Self::Begins(text) => format!("{text}{filler}"),
            Self::Ends(text) => format!("{filler}{text}"),
            Self::Holds(text) => format!("{filler}{text}{filler}"),
        }
    }

    /// The text that satisfies both patterns and no avoidable other; where none satisfies both, any text.
    fn text_with(self, other: Self, filler: char) -> String {
        use Glob::{Begins, Ends, Exactly, Holds};
        let longer = |a: &'v str, b: &'v str| if a.len() < b.len() { b } else { a };
        match (self, other) {
            (Exactly(text), _) | (_, Exactly(text)) => text.to_owned(),
            (Begins(a), Begins(b)) => format!("{}{filler}", longer(a, b)),
            (Ends(a), Ends(b)) => format!("{filler}{}", longer(a, b)),
            (Begins(a), Ends(b)) | (Ends(b), Begins(a)) => format!("{a}{filler}{b}"),
            (Begins(a), Holds(b)) | (Holds(b), Begins(a)) => format!("{a}{filler}{b}{filler}"),
            (Ends(a), Holds(b)) | (Holds(b), Ends(a)) => format!("{filler}{b}{filler}{a}"),
            (Holds(a), Holds(b)) => format!("{filler}{a}{filler}{b}{filler}"),
        }
    }
}

/// Of more parts than this not every two are put together.
const MOST_PARTS: usize = 40;

/// Values that decide between lists that hold these entries. With `elements`, also lists and comma-separated strings, which
/// the newest servers take apart; these are a good choice, not a complete one.
pub(super) fn candidates(listed: &[&Value], elements: bool) -> Vec<Value> {
    let globs: Vec<Glob<'_>> = listed.iter().filter_map(|v| v.as_str()).map(Glob::of).collect();
    let filler = unused_letter(listed);
    let mut texts = vec![filler.to_string()];
    texts.extend(globs.iter().map(|g| g.text(filler)));
    for (n, one) in globs.iter().enumerate() {
        texts.extend(globs.iter().skip(n + 1).map(|two| one.text_with(*two, filler)));
    }
    let singles = texts.len().min(globs.len() + 1).min(MOST_PARTS);
    let mut values: Vec<Value> = texts.iter().cloned().map(Value::String).collect();
    values.extend(listed.iter().filter(|v| !v.is_string()).map(|v| (*v).clone()));
    values.push(Value::from(1));
    if elements {
        values.push(Value::Array(Vec::new()));
        for one in texts.iter().take(singles) {
            values.push(Value::from(vec![one.clone()]));
            for two in texts.iter().take(singles) {
                values.push(Value::from(format!("{one},{two}")));
                values.push(Value::from(vec![one.clone(), two.clone()]));
            }
        }
    }
    values
}

/// A letter that occurs in none of the listed strings, in either case.
fn unused_letter(listed: &[&Value]) -> char {
    let used = |letter: &char| {
        listed
            .iter()
            .filter_map(|v| v.as_str())
            .any(|text| text.contains(*letter) || text.contains(letter.to_ascii_uppercase()))
    };
    let plain = "xyzabcdefghijklmnopqrstuvw0123456789".chars();
    let more = ('\u{3b1}'..).filter(|c| c.is_alphanumeric());
    plain.chain(more).find(|c| !used(c)).unwrap_or('x')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_pattern_satisfies_it_and_little_else() {
        let listed = [
            Value::from("a*"),
            Value::from("*z"),
            Value::from("*m*"),
            Value::from("q"),
            Value::from(true),
        ];
        let found = candidates(&listed.iter().collect::<Vec<_>>(), false);
        for want in ["x", "ax", "xz", "xmx", "q", "axz", "axmx", "xmxz"] {
            assert!(found.contains(&Value::from(want)), "{want} in {found:?}");
        }
        assert!(found.contains(&Value::from(true)) && found.contains(&Value::from(1)));
    }
}
