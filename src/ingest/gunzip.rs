//! Unpacking gzip as a stream: members one after the other, each with its checksum checked by the same pass that unpacks it. Zeros behind
//! one are padding, as tapes and stores of objects leave it.
//!
//! The reader that comes with the library sums the bytes up in a pass of its own and copies them once more, which costs a
//! fifth of the time of unpacking.

use flate2::{Decompress, FlushDecompress, Status};
use std::io::{self, BufRead, BufReader, Read};

/// The largest window of gzip, as a power of two.
const WINDOW_BITS: u8 = 15;

/// Bytes of packed text asked for at once.
const BLOCK: usize = 1 << 16;

/// The first byte of a member.
const MAGIC: u8 = 0x1f;

/// Bytes that are no gzip stand behind the end of a log: all that was packed is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bytes that are no gzip follow the end of the gzip data")]
pub struct Behind;

impl Behind {
    /// Whether it is what an error is about.
    pub fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

/// A gzip log as plain text.
#[derive(Debug)]
pub struct Gunzip<R> {
    from: BufReader<R>,
    member: Decompress,
    /// Whether a member was begun and did not end yet.
    inside: bool,
    /// Whether one has ended.
    any: bool,
}

impl<R: Read> Gunzip<R> {
    /// Unpacks what `from` holds.
    pub fn new(from: R) -> Self {
        Self {
            from: BufReader::with_capacity(BLOCK, from),
            member: Decompress::new_gzip(WINDOW_BITS),
            inside: false,
            any: false,
        }
    }
}

impl<R: Read> Read for Gunzip<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            let packed = self.from.fill_buf()?;
            let ended = packed.is_empty();
            if ended && !self.inside {
                return Ok(0);
            }
            if self.any && !self.inside {
                let padding = packed.iter().take_while(|byte| **byte == 0).count();
                if padding > 0 {
                    self.from.consume(padding);
                    continue;
                }
                if packed.first() != Some(&MAGIC) {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, Behind));
                }
            }
            let (taken, given) = (self.member.total_in(), self.member.total_out());
            let status = self.member.decompress(packed, into, FlushDecompress::None)?;
            let used = usize::try_from(self.member.total_in() - taken).unwrap_or(packed.len());
            let got = usize::try_from(self.member.total_out() - given).unwrap_or(0);
            self.from.consume(used);
            self.inside = status != Status::StreamEnd;
            if !self.inside {
                self.any = true;
                self.member = Decompress::new_gzip(WINDOW_BITS);
            }
            if got > 0 {
                return Ok(got);
            }
            if ended && self.inside {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the gzip data end too early",
                ));
            }
            if used == 0 && self.inside {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the gzip data are damaged"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::read::GzEncoder;
    use proptest::prelude::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        GzEncoder::new(text, Compression::fast())
            .read_to_end(&mut packed)
            .unwrap();
        packed
    }

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
        fn what_was_packed_comes_back(
            members in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 1..4),
            sip in 1_usize..200,
            cup in 1_usize..5000,
        ) {
            let all: Vec<u8> = members.iter().flat_map(|m| packed(m)).collect();
            let mut from = Gunzip::new(Sips(&all, sip));
            let (mut text, mut block) = (Vec::new(), vec![0; cup]);
            loop {
                let got = from.read(&mut block).unwrap();
                if got == 0 {
                    break;
                }
                text.extend_from_slice(&block[..got]);
            }
            prop_assert_eq!(text, members.concat());
        }

        #[test]
        fn a_cut_is_an_error(text in prop::collection::vec(any::<u8>(), 0..3000), cut in any::<prop::sample::Index>()) {
            let all = packed(&text);
            let cut = 1 + cut.index(all.len() - 1);
            let error = Gunzip::new(&all[..cut]).read_to_end(&mut Vec::new()).unwrap_err();
            prop_assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn zeros_behind_a_member_are_padding() {
        let good = packed(b"some text of a log");
        let padded = [&good[..], &vec![0; 3 * BLOCK], &good, &[0]].concat();
        let mut text = Vec::new();
        Gunzip::new(&padded[..]).read_to_end(&mut text).unwrap();
        assert_eq!(text, b"some text of a logsome text of a log");
        // Before the first they are none: nothing was packed.
        assert!(
            Gunzip::new(&[&[0], &good[..]].concat()[..])
                .read_to_end(&mut Vec::new())
                .is_err()
        );
    }

    #[test]
    fn a_wrong_checksum_and_what_is_no_member_are_errors() {
        let good = packed(b"some text of a log");
        let mut wrong = good.clone();
        let sum = wrong.len() - 6;
        wrong[sum] ^= 1;
        assert!(Gunzip::new(&wrong[..]).read_to_end(&mut Vec::new()).is_err());
        let behind = [&good[..], b"no member"].concat();
        let mut text = Vec::new();
        let error = Gunzip::new(&behind[..]).read_to_end(&mut text).unwrap_err();
        assert!(Behind::is(&error), "{error}");
        assert_eq!(text, b"some text of a log");
        assert!(Gunzip::new(&b""[..]).read_to_end(&mut Vec::new()).is_ok());
    }
}
