//! Whether pieces of text, one after the other, are one JSON value: fed as they come, each byte is looked at once.

use super::simd;

/// How far the pieces came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The value goes on.
    Open,
    /// The value ended after so many bytes of the last piece.
    Complete(usize),
    /// What was fed is no beginning of a value, as this byte of the last piece shows.
    Malformed(usize),
}

/// What must come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Value,
    ElementOrEnd,
    KeyOrEnd,
    Key,
    Colon,
    CommaOrEnd,
    /// The rest of a string, which may be a key.
    Text {
        key: bool,
    },
    /// What a backslash escapes.
    Escaped {
        key: bool,
    },
    /// The rest of a number or a word.
    Word,
    Nothing,
}

/// A walk over one value, however deep it is.
#[derive(Debug, Clone)]
pub struct Grammar {
    next: Next,
    /// For each open bracket whether it is an object's, in words of 64.
    open: Vec<u64>,
    depth: usize,
}

impl Default for Grammar {
    fn default() -> Self {
        Self {
            next: Next::Value,
            open: Vec::new(),
            depth: 0,
        }
    }
}

impl Grammar {
    /// Looks at a further piece.
    pub fn feed(&mut self, piece: &[u8]) -> Progress {
        let mut at = 0;
        while let Some(&c) = piece.get(at) {
            at += 1;
            match self.next {
                Next::Text { key } => {
                    let end = simd::quote_or_backslash(piece, at - 1);
                    match piece.get(end) {
                        None => return Progress::Open,
                        Some(b'\\') => self.next = Next::Escaped { key },
                        Some(_) if key => self.next = Next::Colon,
                        Some(_) => self.next = Next::CommaOrEnd,
                    }
                    at = end + 1;
                    continue;
                }
                Next::Escaped { key } => {
                    self.next = Next::Text { key };
                    continue;
                }
                Next::Word if c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.') => continue,
                Next::Word => self.next = Next::CommaOrEnd,
                Next::Nothing => return Progress::Malformed(at - 1),
                _ => {}
            }
            if matches!(c, b' ' | b'\t' | b'\r' | b'\n') {
                continue;
            }
            self.next = match (self.next, c) {
                (Next::Value | Next::ElementOrEnd, b'{') => self.opened(true),
                (Next::Value | Next::ElementOrEnd, b'[') => self.opened(false),
                (Next::Value | Next::ElementOrEnd, b'"') => Next::Text { key: false },
                (Next::Value | Next::ElementOrEnd, b't' | b'f' | b'n' | b'-' | b'0'..=b'9') => Next::Word,
                (Next::KeyOrEnd | Next::Key, b'"') => Next::Text { key: true },
                (Next::Colon, b':') => Next::Value,
                (Next::CommaOrEnd, b',') if self.in_object() => Next::Key,
                (Next::CommaOrEnd, b',') => Next::Value,
                (Next::KeyOrEnd, b'}') | (Next::ElementOrEnd, b']') => self.closed(),
                (Next::CommaOrEnd, b'}') if self.in_object() => self.closed(),
                (Next::CommaOrEnd, b']') if !self.in_object() => self.closed(),
                _ => return Progress::Malformed(at - 1),
            };
            if self.next == Next::Nothing {
                return Progress::Complete(at);
            }
        }
        Progress::Open
    }

    fn opened(&mut self, object: bool) -> Next {
        let (word, bit) = (self.depth / 64, self.depth % 64);
        if word == self.open.len() {
            self.open.push(0);
        }
        if let Some(word) = self.open.get_mut(word) {
            *word = (*word & !(1 << bit)) | (u64::from(object) << bit);
        }
        self.depth += 1;
        if object { Next::KeyOrEnd } else { Next::ElementOrEnd }
    }

    const fn closed(&mut self) -> Next {
        self.depth -= 1;
        if self.depth == 0 {
            Next::Nothing
        } else {
            Next::CommaOrEnd
        }
    }

    fn in_object(&self) -> bool {
        let Some(top) = self.depth.checked_sub(1) else {
            return false;
        };
        self.open.get(top / 64).is_some_and(|word| word >> (top % 64) & 1 == 1)
    }
}

/// How far a text alone is one value.
#[must_use]
pub fn of(text: &[u8]) -> Progress {
    Grammar::default().feed(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i32>().prop_map(Into::into),
            r#"[ a-z"\\{}\[\],:]{0,12}"#.prop_map(Into::into),
        ];
        leaf.prop_recursive(5, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::btree_map("[a-z\"]{0,4}", inner, 0..5)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_in_pieces_is_complete_with_its_last(value in json(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4), pretty in any::<bool>()) {
            let wrapped = serde_json::json!({ "v": value });
            let text = if pretty { serde_json::to_string_pretty(&wrapped) } else { serde_json::to_string(&wrapped) }.unwrap();
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len())).chain([text.len()]).collect();
            ends.sort_unstable();
            let mut grammar = Grammar::default();
            let mut begin = 0;
            for end in ends {
                let want = if end == text.len() && begin < end { Progress::Complete(end - begin) } else { Progress::Open };
                if begin == end && end == text.len() {
                    break;
                }
                prop_assert_eq!(grammar.feed(&text.as_bytes()[begin..end]), want, "{}", text);
                begin = end;
            }
            prop_assert_eq!(of((text.clone() + "}, x").as_bytes()), Progress::Complete(text.len()));
        }
    }

    #[test]
    fn what_is_no_json_is_told_at_once_and_depth_costs_nothing() {
        for text in [
            "x",
            "}",
            r#"{"a":"b{"time":1}"#,
            r#"{"a" 1}"#,
            r#"{"a":}"#,
            "[1}",
            r#"{"a":1]"#,
            "{,}",
            r#"{"a":1,}"#,
            "[1 2]",
            "{1:2}",
        ] {
            assert!(matches!(of(text.as_bytes()), Progress::Malformed(_)), "{text}");
        }
        assert_eq!(of(br#"{"a":"b{"time":1}"#), Progress::Malformed(9));
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert_eq!(of(deep.as_bytes()), Progress::Complete(2_000_000));
    }
}
