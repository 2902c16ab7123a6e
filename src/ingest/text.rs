//! JSON strings: taken as they stand where they hold no escape, which is nearly always, else decoded.

use super::simd;
use std::borrow::Cow;

/// The text of a raw JSON string, the part between its quotes. Lone surrogates and bytes that are not UTF-8 become U+FFFD.
#[must_use]
pub fn decode(raw: &[u8]) -> Cow<'_, str> {
    if let Some(text) = simd::plain(raw) {
        return Cow::Borrowed(text);
    }
    if memchr::memchr(b'\\', raw).is_none() {
        // The lossy way looks at characters one by one.
        return std::str::from_utf8(raw).map_or_else(|_| String::from_utf8_lossy(raw), Cow::Borrowed);
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escaped) = rest.split_at(at);
        text.push_str(&String::from_utf8_lossy(plain));
        rest = unescape(escaped, &mut text);
    }
    text.push_str(&String::from_utf8_lossy(rest));
    Cow::Owned(text)
}

/// Decodes the escape that `raw` begins with, and returns what follows it.
fn unescape<'a>(raw: &'a [u8], text: &mut String) -> &'a [u8] {
    let after = |n: usize| raw.get(n..).unwrap_or_default();
    let plain = match raw.get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'u') => {
            let Some(unit) = hex(raw.get(2..6)) else {
                text.push(char::REPLACEMENT_CHARACTER);
                return after(2);
            };
            if (0xd800..0xdc00).contains(&unit)
                && raw.get(6..8) == Some(b"\\u")
                && let Some(low) = hex(raw.get(8..12)).filter(|u| (0xdc00..0xe000).contains(u))
            {
                let code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                return after(12);
            }
            text.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
            return after(6);
        }
        Some(&(c @ b'"' | c @ b'\\' | c @ b'/')) => char::from(c),
        _ => {
            text.push(char::REPLACEMENT_CHARACTER);
            return after(1);
        }
    };
    text.push(plain);
    after(2)
}

fn hex(digits: Option<&[u8]>) -> Option<u32> {
    digits?
        .iter()
        .try_fold(0, |sum, d| Some(sum * 16 + char::from(*d).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_of_every_kind() {
        for (raw, want) in [
            ("plain", "plain"),
            (r"a\u003cb\u003E", "a<b>"),
            (r#"\"\\\/\n\t\r\b\f"#, "\"\\/\n\t\r\u{8}\u{c}"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\ud83d", "\u{fffd}"),
            (r"\ud83dx", "\u{fffd}x"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            (r"\u12", "\u{fffd}12"),
            ("\\", "\u{fffd}"),
        ] {
            assert_eq!(decode(raw.as_bytes()), want, "{raw}");
        }
        assert_eq!(decode(b"a\xffb"), "a\u{fffd}b");
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_is_read_back(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            let raw = &json.as_bytes()[1..json.len() - 1];
            prop_assert_eq!(decode(raw), text);
        }
    }
}
