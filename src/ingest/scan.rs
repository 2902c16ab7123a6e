//! Steps over JSON without building anything: where a string, an object or any value ends.
//!
//! What is skipped is not validated beyond its strings and the balance of its brackets.

use super::fault::Fault;
use super::simd;

/// The byte at `at`, or a fault at the end.
pub fn byte(text: &[u8], at: usize) -> Result<u8, Fault> {
    text.get(at).copied().ok_or(Fault::Truncated)
}

/// The first position from `at` on that is no white space.
#[must_use]
pub fn blanks(text: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = text.get(at) {
        at += 1;
    }
    at
}

/// The position after the string whose opening quote stands at `at`.
pub fn string(text: &[u8], at: usize) -> Result<usize, Fault> {
    let mut at = at + 1;
    loop {
        at = simd::quote_or_backslash(text, at);
        match byte(text, at)? {
            b'"' => return Ok(at + 1),
            _ => at += 2,
        }
    }
}

/// The position after the object or array whose opening bracket stands at `at`.
pub fn container(text: &[u8], at: usize) -> Result<usize, Fault> {
    simd::container(text, at)
}

/// The position after the value that begins at `at`.
pub fn value(text: &[u8], at: usize) -> Result<usize, Fault> {
    match byte(text, at)? {
        b'"' => string(text, at),
        b'{' | b'[' => container(text, at),
        b't' | b'f' | b'n' | b'-' | b'0'..=b'9' => {
            let rest = text.get(at..).unwrap_or_default();
            let end = rest
                .iter()
                .position(|c| matches!(c, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n'));
            end.map(|n| at + n).ok_or(Fault::Truncated)
        }
        _ => Err(Fault::Malformed),
    }
}

/// A walk over the members of an object.
#[derive(Debug, Clone)]
pub struct Members<'a> {
    text: &'a [u8],
    at: usize,
    first: bool,
}

/// A member: its key as it stands between the quotes, and its value.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// The raw key.
    pub key: &'a [u8],
    /// The raw value.
    pub value: &'a [u8],
}

impl<'a> Members<'a> {
    /// A walk over the object that begins at `at`.
    pub fn of(text: &'a [u8], at: usize) -> Result<Self, Fault> {
        match byte(text, at)? {
            b'{' => Ok(Self {
                text,
                at: at + 1,
                first: true,
            }),
            _ => Err(Fault::Malformed),
        }
    }

    /// The next member, or none at the closing bracket.
    pub fn next(&mut self) -> Result<Option<Member<'a>>, Fault> {
        let text = self.text;
        let mut at = blanks(text, self.at);
        match byte(text, at)? {
            b'}' => {
                self.at = at + 1;
                return Ok(None);
            }
            b',' if !self.first => at = blanks(text, at + 1),
            _ if self.first => {}
            _ => return Err(Fault::Malformed),
        }
        if byte(text, at)? != b'"' {
            return Err(Fault::Malformed);
        }
        let key_end = string(text, at)?;
        let key = text.get(at + 1..key_end - 1).unwrap_or_default();
        at = blanks(text, key_end);
        if byte(text, at)? != b':' {
            return Err(Fault::Malformed);
        }
        let start = blanks(text, at + 1);
        let end = value(text, start)?;
        self.at = end;
        self.first = false;
        Ok(Some(Member {
            key,
            value: text.get(start..end).unwrap_or_default(),
        }))
    }

    /// After a fault: the key of the member in whose value it lies, and the text from there on.
    #[must_use]
    pub fn unfinished(&self) -> Option<(&'a [u8], &'a [u8])> {
        let text = self.text;
        let mut at = blanks(text, self.at);
        if !self.first {
            at = blanks(text, at + 1);
        }
        if text.get(at) != Some(&b'"') {
            return None;
        }
        let key_end = string(text, at).ok()?;
        let colon = blanks(text, key_end);
        let start = blanks(text, colon + 1);
        let key = text.get(at + 1..key_end - 1)?;
        (text.get(colon) == Some(&b':') && start < text.len()).then(|| (key, text.get(start..).unwrap_or_default()))
    }

    /// After the last member: the position behind the closing bracket.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.at
    }
}

/// The elements of the array that begins at `at`, and the position behind it.
pub fn elements(text: &[u8], at: usize) -> Result<(Vec<&[u8]>, usize), Fault> {
    let mut elements = Vec::new();
    let mut at = blanks(text, at + 1);
    if byte(text, at)? == b']' {
        return Ok((elements, at + 1));
    }
    loop {
        let end = value(text, at)?;
        elements.push(text.get(at..end).unwrap_or_default());
        at = blanks(text, end);
        match byte(text, at)? {
            b',' => at = blanks(text, at + 1),
            b']' => return Ok((elements, at + 1)),
            _ => return Err(Fault::Malformed),
        }
    }
}

/// The raw text of a JSON string value, without its quotes; none if the value is no string.
#[must_use]
pub fn unquoted(value: &[u8]) -> Option<&[u8]> {
    match value {
        [b'"', text @ .., b'"'] => Some(text),
        _ => None,
    }
}
