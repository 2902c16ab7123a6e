//! UTF-16 as UTF-8, as PowerShell's `>` makes it necessary.

use std::io::{self, Read};

/// Units read at once, as bytes.
const BLOCK: usize = 1 << 16;

/// The text of a UTF-16 log. Lone surrogates become U+FFFD.
#[derive(Debug)]
pub struct Utf16<R> {
    from: R,
    big_endian: bool,
    /// Bytes that were read and are not converted yet.
    raw: Vec<u8>,
    text: Vec<u8>,
    at: usize,
}

/// Whether a text begins as UTF-16 does, and whether the high byte comes first: by its mark, or because it begins with an
/// object in units of two bytes.
#[must_use]
pub fn begins(head: &[u8]) -> Option<bool> {
    match head {
        [0xff, 0xfe, 0, 0, ..] => None,
        [0xff, 0xfe, ..] | [b'{' | b'[', 0, _, 0, ..] => Some(false),
        [0xfe, 0xff, ..] | [0, b'{' | b'[', 0, _, ..] => Some(true),
        _ => None,
    }
}

impl<R: Read> Utf16<R> {
    /// Converts what `from` holds.
    pub const fn new(from: R, big_endian: bool) -> Self {
        Self {
            from,
            big_endian,
            raw: Vec::new(),
            text: Vec::new(),
            at: 0,
        }
    }

    /// Converts a further block; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let had = self.raw.len();
        self.raw.resize(had + BLOCK, 0);
        let got = self.from.read(self.raw.get_mut(had..).unwrap_or_default());
        self.raw.truncate(had + got.as_ref().map_or(0, |n| *n));
        let ended = got? == 0;
        if ended && self.raw.is_empty() {
            return Ok(false);
        }
        let mut units: Vec<u16> = self
            .raw
            .as_chunks::<2>()
            .0
            .iter()
            .map(|unit| {
                if self.big_endian {
                    u16::from_be_bytes(*unit)
                } else {
                    u16::from_le_bytes(*unit)
                }
            })
            .collect();
        // A half of a pair waits for the other.
        if !ended && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
            units.pop();
        }
        if ended {
            self.raw.clear();
        } else {
            self.raw.drain(..units.len() * 2);
        }
        let text: String = char::decode_utf16(units)
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        self.text = text.into_bytes();
        self.at = 0;
        Ok(!ended || !self.text.is_empty())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.text.len() {
            if !self.fill()? {
                return Ok(0);
            }
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        let got = rest.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..got), rest.get(..got)) {
            to.copy_from_slice(from);
        }
        self.at += got;
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives out at most so many bytes at once.
    struct Sips<'a>(&'a [u8], usize);

    impl Read for Sips<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let most = into.len().min(self.1);
            self.0.read(&mut into[..most])
        }
    }

    proptest! {
        #[test]
        fn a_text_comes_back(text in any::<String>(), big_endian in any::<bool>(), sip in 1_usize..9) {
            let bytes: Vec<u8> = text
                .encode_utf16()
                .flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect();
            let mut read = String::new();
            Utf16::new(Sips(&bytes, sip), big_endian).read_to_string(&mut read).unwrap();
            prop_assert_eq!(read, text);
        }
    }

    #[test]
    fn it_is_known_by_its_beginning() {
        assert_eq!(begins(b"\xff\xfe{\0"), Some(false));
        assert_eq!(begins(b"{\0\"\0"), Some(false));
        assert_eq!(begins(b"\xfe\xff\0{"), Some(true));
        assert_eq!(begins(b"\0{\0\""), Some(true));
        assert_eq!(begins(b"\0{\"t"), None);
        assert_eq!(begins(b"\0\0\0{"), None);
        assert_eq!(begins(b"{\"ti"), None);
        assert_eq!(begins(b""), None);
    }
}
