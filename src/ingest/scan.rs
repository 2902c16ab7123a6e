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

/// Gives the members of the object that begins at `at` to `each`, key and value as they stand, as far as it is written as the servers
/// do: without blanks, and without escapes in keys. The position after it, or none if anything is not so; what was given by then counts
/// for nothing.
#[inline]
pub fn members<'a>(text: &'a [u8], at: usize, mut each: impl FnMut(&'a [u8], &'a [u8])) -> Option<usize> {
    if text.get(at) != Some(&b'{') {
        return None;
    }
    let mut at = at + 1;
    if text.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        let (member, end) = compact(text, at)?;
        each(member.key, member.value);
        match text.get(end)? {
            b',' => at = end + 1,
            b'}' => return Some(end + 1),
            _ => return None,
        }
    }
}

/// The member whose key begins at `at`, where it is written so, and where it ends.
#[inline(always)]
pub fn compact(text: &[u8], at: usize) -> Option<(Member<'_>, usize)> {
    if text.get(at) != Some(&b'"') {
        return None;
    }
    let quote = simd::quote_or_backslash(text, at + 1);
    let start = quote + 2;
    if text.get(quote..start)? != b"\":" {
        return None;
    }
    let end = match text.get(start)? {
        b'"' => {
            let end = simd::quote_or_backslash(text, start + 1);
            match text.get(end)? {
                b'"' => end + 1,
                _ => string(text, start).ok()?,
            }
        }
        b'{' | b'[' => simd::container(text, start).ok()?,
        b't' | b'f' | b'n' | b'-' | b'0'..=b'9' => word(text, start),
        _ => return None,
    };
    let (key, value) = (text.get(at + 1..quote)?, text.get(start..end)?);
    Some((Member { key, value }, end))
}

/// The position after the number or the word that begins at `at`.
fn word(text: &[u8], mut at: usize) -> usize {
    while let Some(c) = text.get(at)
        && (c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.'))
    {
        at += 1;
    }
    at
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Objects as the servers write them, or such that may not be.
    fn objects(odd: bool) -> impl Strategy<Value = Vec<u8>> {
        let odds = u32::from(odd);
        let text = prop_oneof![
            "[a-z0-9:,{}\\[\\] ]{0,70}",
            Just(r#"\""#.to_owned()),
            Just(r"\\".to_owned())
        ]
        .prop_map(|text| format!("\"{text}\""));
        let list = prop::collection::vec(text.clone(), 0..6).prop_map(|texts| format!("[{}]", texts.join(",")));
        let inner = prop::collection::vec((text.clone(), list.clone()), 0..3).prop_map(|pairs| {
            let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}:{value}")).collect();
            format!("{{{}}}", pairs.join(","))
        });
        let odd = prop::sample::select(
            &[
                "",
                "1 ",
                "1\"b\"",
                "\"x\"y\"z\"",
                "[1][2]",
                "[1]\"x\"",
                "tr ue",
                "[}",
                "{]",
                "\\\"",
                "[",
                "]",
                ":",
                ",",
                "\"",
                " ",
            ][..],
        )
        .prop_map(str::to_owned);
        let word = prop::sample::select(&["true", "null", "-1.5e+3", "0"][..]).prop_map(str::to_owned);
        let value = prop_oneof![8 => text.clone(), 2 => list, 2 => inner, 2 => word, odds => odd.clone()];
        let key = "\"[a-z0-9:,{}\\[\\] ]{0,40}\"";
        let key = prop_oneof![12 => key, odds => text, odds => odd];
        let colon = prop_oneof![12 => Just(":"), odds => Just(" : "), odds => Just("::")];
        let end = prop_oneof![8 => Just("}"), odds => Just("]"), odds => Just(""), odds => Just(",}")];
        let member = (key, value, colon);
        let members = prop::collection::vec(member, 0..12);
        (members, end).prop_map(|(members, end)| {
            let members: Vec<String> = members
                .iter()
                .map(|(key, value, colon)| format!("{key}{colon}{value}"))
                .collect();
            format!("{{{}{end}", members.join(",")).into_bytes()
        })
    }

    /// A key and its value, as they stand.
    type Member<'t> = (&'t [u8], &'t [u8]);

    /// The members as the plain walk finds them, and where it ends.
    fn walked(text: &[u8], at: usize) -> Option<(Vec<Member<'_>>, usize)> {
        let mut walk = Members::of(text, at).ok()?;
        let mut found = Vec::new();
        while let Some(member) = walk.next().ok()? {
            found.push((member.key, member.value));
        }
        Some((found, walk.end()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn members_are_those_of_the_plain_walk(
            (text, odd) in any::<bool>().prop_flat_map(|odd| (objects(odd), Just(odd))),
            before in 0_usize..70,
            after in 0_usize..70,
        ) {
            let mut shifted = vec![b'"'; before];
            shifted.extend(&text);
            shifted.extend(vec![b','; after]);
            let mut found = Vec::new();
            let end = members(&shifted, before, |key, value| found.push((key, value)));
            prop_assert!(odd || end.is_some());
            if let Some(end) = end {
                prop_assert_eq!(container(&shifted, before), Ok(end));
                prop_assert_eq!(Some((found, end)), walked(&shifted, before));
            }
        }
    }
}
