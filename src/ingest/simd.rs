//! The end of a line, of a bracketed value or a string, and plain text, many bytes at a time.
//!
//! The one place of the program with `unsafe` code: vector loads, and calls of functions compiled for vector units that
//! the running machine was asked for first. It pays: stepping over objects byte by byte or from quote to quote took more
//! than half of the reading time (`docs/performance.md` has the numbers). The portable form below is what Miri and other
//! machines run, and the tests hold both forms to the same answers.
#![allow(unsafe_code, reason = "vector loads, fenced into this file; see INVARIANT comments")]

use super::fault::Fault;

const BLOCK: usize = 64;

/// Bits for the bytes of a block.
#[derive(Debug, Clone, Copy)]
struct Bits {
    quote: u64,
    backslash: u64,
    open: u64,
    close: u64,
}

/// What is carried from block to block.
#[derive(Debug, Clone, Copy)]
struct Carry {
    depth: u32,
    /// All ones inside of a string.
    string: u64,
    /// One if the first byte of the next block is escaped.
    escaped: u64,
}

/// The position after the object or array whose opening bracket stands at `at`.
pub fn container(text: &[u8], at: usize) -> Result<usize, Fault> {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        match x86::machine() {
            // INVARIANT: the machine was asked for all that the function is compiled for.
            x86::Machine::Avx512 => return unsafe { x86::container_avx512(text, at) },
            // INVARIANT: as above.
            x86::Machine::Avx2 => return unsafe { x86::container_avx2(text, at) },
            x86::Machine::Plain => {}
        }
    }
    walk(text, at, portable, prefix_xor)
}

/// The bits of a block, byte by byte.
fn portable(block: &[u8; BLOCK]) -> Bits {
    let mut bits = Bits {
        quote: 0,
        backslash: 0,
        open: 0,
        close: 0,
    };
    for (n, c) in block.iter().enumerate() {
        let bit = 1 << n;
        match c {
            b'"' => bits.quote |= bit,
            b'\\' => bits.backslash |= bit,
            b'{' | b'[' => bits.open |= bit,
            b'}' | b']' => bits.close |= bit,
            _ => {}
        }
    }
    bits
}

/// Each bit becomes the parity of the bits up to and with it.
const fn prefix_xor(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^= bits << 32;
    bits
}

/// Walks over blocks until the brackets are balanced.
#[inline(always)]
fn walk(
    text: &[u8],
    at: usize,
    bits_of: impl Fn(&[u8; BLOCK]) -> Bits,
    prefix_xor: impl Fn(u64) -> u64,
) -> Result<usize, Fault> {
    let rest = text.get(at..).ok_or(Fault::Truncated)?;
    let (blocks, tail) = rest.as_chunks::<BLOCK>();
    let mut carry = Carry {
        depth: 0,
        string: 0,
        escaped: 0,
    };
    for (n, block) in blocks.iter().enumerate() {
        if let Some(end) = step(&mut carry, bits_of(block), &prefix_xor) {
            return Ok(at + n * BLOCK + end);
        }
    }
    let mut last = [0; BLOCK];
    for (to, from) in last.iter_mut().zip(tail) {
        *to = *from;
    }
    match step(&mut carry, bits_of(&last), &prefix_xor) {
        Some(end) => Ok(at + blocks.len() * BLOCK + end),
        None => Err(Fault::Truncated),
    }
}

/// One block: where in it the brackets are balanced, if they are.
#[inline(always)]
fn step(carry: &mut Carry, bits: Bits, prefix_xor: impl Fn(u64) -> u64) -> Option<usize> {
    let mut quote = bits.quote;
    if bits.backslash != 0 || carry.escaped != 0 {
        quote &= !escaped(bits.backslash, &mut carry.escaped);
    }
    let string = prefix_xor(quote) ^ carry.string;
    carry.string = ((string as i64) >> 63) as u64;
    let open = bits.open & !string;
    let mut close = bits.close & !string;
    if close.count_ones() < carry.depth {
        carry.depth = carry.depth + open.count_ones() - close.count_ones();
        return None;
    }
    let mut closed = 0;
    while close != 0 {
        let place = close.trailing_zeros();
        let opened = (open & ((1 << place) - 1)).count_ones();
        closed += 1;
        if carry.depth + opened <= closed {
            return Some(place as usize + 1);
        }
        close &= close - 1;
    }
    carry.depth = carry.depth + open.count_ones() - closed;
    None
}

/// The bytes that a backslash escapes: every second one of a run of backslashes, and what follows an odd run.
const fn escaped(backslash: u64, carried: &mut u64) -> u64 {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let backslash = backslash & !*carried;
    let follows = (backslash << 1) | *carried;
    let odd_starts = backslash & !EVEN & !follows;
    let (sum, overflow) = odd_starts.overflowing_add(backslash);
    *carried = overflow as u64;
    (EVEN ^ (sum << 1)) & follows
}

/// Where the line ends that `at` stands in, and whether a NUL byte may stand before: there is none if not. None without a line feed.
#[inline]
#[must_use]
pub fn line_end(text: &[u8], at: usize) -> Option<(usize, bool)> {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if x86::machine() != x86::Machine::Plain {
        // INVARIANT: the machine was asked for all that the function is compiled for.
        return unsafe { x86::line_end_avx2(text, at) };
    }
    line_end_of(text, at)
}

fn line_end_of(text: &[u8], at: usize) -> Option<(usize, bool)> {
    let rest = text.get(at..)?;
    let length = memchr::memchr(b'\n', rest)?;
    let line = rest.get(..length)?;
    Some((at + length, memchr::memchr(0, line).is_some()))
}

/// A raw text as it stands, if it is ASCII and holds no escape, as most are.
#[inline]
#[must_use]
pub fn plain(raw: &[u8]) -> Option<&str> {
    let (words, _) = raw.as_chunks::<8>();
    // The last word overlaps the one before it; a text shorter than a word is looked at byte by byte.
    let is_plain = match raw.last_chunk::<8>() {
        Some(last) => words
            .iter()
            .chain([last])
            .all(|word| is_plain_word(u64::from_le_bytes(*word))),
        None => raw.iter().all(|c| c.is_ascii() && *c != b'\\'),
    };
    // INVARIANT: ASCII is UTF-8.
    is_plain.then(|| unsafe { std::str::from_utf8_unchecked(raw) })
}

/// Whether all bytes of a word are ASCII, and none is a backslash.
const fn is_plain_word(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    let without = word ^ (ONES * b'\\' as u64);
    // A byte that is zero borrows from its highest bit; among bytes of ASCII no other does.
    (word | without.wrapping_sub(ONES)) & HIGH == 0
}

/// The position of the first quote or backslash from `at` on, or the text's length.
#[inline]
pub fn quote_or_backslash(text: &[u8], mut at: usize) -> usize {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    while at + 16 <= text.len() {
        let found = x86::quote_or_backslash_16(text, at);
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += 16;
    }
    while let Some(c) = text.get(at) {
        if matches!(c, b'"' | b'\\') {
            return at;
        }
        at += 1;
    }
    at
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod x86 {
    use super::{BLOCK, Bits, Fault, walk};
    use std::arch::x86_64::{
        __m128i, __m256i, __m512i, _mm_clmulepi64_si128, _mm_cmpeq_epi8, _mm_cvtsi128_si64, _mm_loadu_si128,
        _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8, _mm256_cmpeq_epi8, _mm256_loadu_si256,
        _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm512_cmpeq_epi8_mask,
        _mm512_loadu_si512, _mm512_or_si512, _mm512_set1_epi8,
    };
    use std::sync::LazyLock;

    /// The bit that tells a square bracket from a curly one.
    const CURLY: i8 = 0x20;

    /// Bits for the quotes and backslashes of the sixteen bytes from `at` on.
    #[inline(always)]
    pub fn quote_or_backslash_16(text: &[u8], at: usize) -> u32 {
        let Some(bytes) = text.get(at..).and_then(|rest| rest.first_chunk::<16>()) else {
            return 0;
        };
        // INVARIANT: sixteen bytes may be read at the address of an array of sixteen; the load needs no alignment.
        // Every x86-64 machine has the instructions.
        unsafe {
            let bytes = _mm_loadu_si128(bytes.as_ptr().cast::<__m128i>());
            let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
            let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
            _mm_movemask_epi8(_mm_or_si128(quote, backslash)).cast_unsigned()
        }
    }

    /// What the running machine has of what the functions below are compiled for: all of it, or it does not count.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Machine {
        /// All that [`container_avx512`] is compiled for, and [`container_avx2`].
        Avx512,
        /// All that [`container_avx2`] is compiled for.
        Avx2,
        /// Neither.
        Plain,
    }

    /// What the running machine has. It is asked once.
    pub fn machine() -> Machine {
        macro_rules! has {
            ($($feature:tt),+) => { $(std::arch::is_x86_feature_detected!($feature))&&+ };
        }
        static MACHINE: LazyLock<Machine> = LazyLock::new(|| {
            let narrow = has!("avx2", "pclmulqdq", "popcnt", "bmi1", "bmi2", "lzcnt");
            let wide = has!("avx512bw", "avx512f", "pclmulqdq", "popcnt", "bmi1", "bmi2", "lzcnt");
            match (narrow, wide) {
                (true, true) => Machine::Avx512,
                (true, false) => Machine::Avx2,
                (false, _) => Machine::Plain,
            }
        });
        *MACHINE
    }

    #[target_feature(enable = "avx512bw,avx512f,pclmulqdq,popcnt,bmi1,bmi2,lzcnt")]
    pub fn container_avx512(text: &[u8], at: usize) -> Result<usize, Fault> {
        let bits = |block: &[u8; BLOCK]| {
            // INVARIANT: 64 bytes may be read at the address of an array of 64; the load needs no alignment.
            let bytes = unsafe { _mm512_loadu_si512(block.as_ptr().cast::<__m512i>()) };
            let curly = _mm512_or_si512(bytes, _mm512_set1_epi8(CURLY));
            Bits {
                quote: _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'"' as i8)),
                backslash: _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'\\' as i8)),
                open: _mm512_cmpeq_epi8_mask(curly, _mm512_set1_epi8(b'{' as i8)),
                close: _mm512_cmpeq_epi8_mask(curly, _mm512_set1_epi8(b'}' as i8)),
            }
        };
        walk(text, at, bits, |bits| prefix_xor(bits))
    }

    #[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1,bmi2,lzcnt")]
    pub fn container_avx2(text: &[u8], at: usize) -> Result<usize, Fault> {
        walk(text, at, |block| halves(block).bits(), |bits| prefix_xor(bits))
    }

    #[target_feature(enable = "avx2,pclmulqdq,popcnt,bmi1,bmi2,lzcnt")]
    pub fn line_end_avx2(text: &[u8], at: usize) -> Option<(usize, bool)> {
        let (blocks, tail) = text.get(at..)?.as_chunks::<BLOCK>();
        let mut least = _mm256_set1_epi8(-1);
        let mut end = at;
        for block in blocks {
            let halves = halves(block);
            least = _mm256_min_epu8(least, _mm256_min_epu8(halves.0, halves.1));
            let feeds = halves.equal(b'\n');
            if feeds != 0 {
                let has_zero = Halves(least, least).equal(0) != 0;
                return Some((end + feeds.trailing_zeros() as usize, has_zero));
            }
            end += BLOCK;
        }
        let length = tail.iter().position(|c| *c == b'\n')?;
        let has_zero = Halves(least, least).equal(0) != 0 || tail.contains(&0);
        Some((end + length, has_zero))
    }

    /// A block in two registers.
    #[derive(Clone, Copy)]
    struct Halves(__m256i, __m256i);

    #[inline]
    #[target_feature(enable = "avx2")]
    fn halves(block: &[u8; BLOCK]) -> Halves {
        let start = block.as_ptr();
        // INVARIANT: both halves of an array of 64 bytes may be read; the loads need no alignment.
        unsafe {
            Halves(
                _mm256_loadu_si256(start.cast::<__m256i>()),
                _mm256_loadu_si256(start.add(32).cast::<__m256i>()),
            )
        }
    }

    impl Halves {
        #[inline]
        #[target_feature(enable = "avx2")]
        fn equal(self, c: u8) -> u64 {
            let c = _mm256_set1_epi8(c as i8);
            let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(self.0, c)).cast_unsigned();
            let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(self.1, c)).cast_unsigned();
            u64::from(low) | (u64::from(high) << 32)
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        fn bits(self) -> Bits {
            let curly = _mm256_set1_epi8(CURLY);
            let folded = Self(_mm256_or_si256(self.0, curly), _mm256_or_si256(self.1, curly));
            Bits {
                quote: self.equal(b'"'),
                backslash: self.equal(b'\\'),
                open: folded.equal(b'{'),
                close: folded.equal(b'}'),
            }
        }
    }

    /// A product without carries by all ones is the parity of the bits up to each.
    #[target_feature(enable = "pclmulqdq")]
    fn prefix_xor(bits: u64) -> u64 {
        let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits.cast_signed()), _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product).cast_unsigned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The plain way: one byte after the other. A backslash hides the quote behind it, wherever it stands.
    fn plain(text: &[u8]) -> Result<usize, Fault> {
        let (mut depth, mut string, mut escaped) = (0_i64, false, false);
        for (n, c) in text.iter().enumerate() {
            match c {
                b'"' if !escaped => string = !string,
                b'{' | b'[' if !string => depth += 1,
                b'}' | b']' if !string => {
                    depth -= 1;
                    if depth <= 0 {
                        return Ok(n + 1);
                    }
                }
                _ => {}
            }
            escaped = *c == b'\\' && !escaped;
        }
        Err(Fault::Truncated)
    }

    fn soup() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => "[a-z0-9:, ]{0,40}".prop_map(String::into_bytes),
            2 => Just(b"\"".to_vec()),
            2 => prop::collection::vec(Just(b'\\'), 1..4),
            1 => Just(b"{".to_vec()),
            1 => Just(b"[".to_vec()),
            1 => Just(b"}".to_vec()),
            1 => Just(b"]".to_vec()),
        ];
        prop::collection::vec(piece, 0..60).prop_map(|pieces| {
            let mut text = b"{".to_vec();
            text.extend(pieces.concat());
            text
        })
    }

    #[test]
    fn the_machine_is_asked_for_all_that_is_compiled_for() {
        let source = include_str!("simd.rs");
        let (code, _) = source.split_once("#[cfg(test)]").unwrap();
        let lists = |from: &str, to: &str| -> Vec<Vec<String>> {
            code.split(from)
                .skip(1)
                .map(|rest| rest.split(to).next().unwrap())
                .map(|list| {
                    list.split(',')
                        .map(|word| word.trim_matches(['"', ' ']).to_owned())
                        .collect()
                })
                .collect()
        };
        let asked = lists("has!(", ")");
        for compiled in lists("target_feature(enable = \"", "\"") {
            assert!(
                asked
                    .iter()
                    .any(|asked| compiled.iter().all(|feature| asked.contains(feature))),
                "{compiled:?} is not among what is asked for: {asked:?}"
            );
        }
        assert_eq!(asked.len(), 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn a_line_ends_at_its_feed(
            text in prop::collection::vec(prop_oneof![60 => Just(b'a'), 1 => Just(b'\n'), 1 => Just(0)], 0..300),
            at in 0_usize..80,
        ) {
            let found = line_end(&text, at);
            let plain = line_end_of(&text, at);
            prop_assert_eq!(found.map(|(end, _)| end), plain.map(|(end, _)| end));
            // What is behind the end may count, and what is before it must.
            prop_assert!(plain.is_none_or(|(_, zero)| !zero) || found.is_some_and(|(_, zero)| zero));
            prop_assert!(found.is_none_or(|(_, zero)| !zero || text.contains(&0)));
        }

        #[test]
        fn plain_text_is_ascii_without_escapes(text in prop_oneof!["[a-z/]{0,40}", "[a-z/\\\\é]{0,40}"]) {
            let want = (text.is_ascii() && !text.contains('\\')).then_some(&*text);
            prop_assert_eq!(super::plain(text.as_bytes()), want);
        }
    }

    proptest! {
        #[test]
        fn every_form_agrees_with_the_plain_way(text in soup(), before in 0_usize..70) {
            let want = plain(&text).map(|end| end + before);
            let mut shifted = vec![b'"'; before];
            shifted.extend(&text);
            prop_assert_eq!(container(&shifted, before), want);
            prop_assert_eq!(walk(&shifted, before, portable, prefix_xor), want);
            #[cfg(all(target_arch = "x86_64", not(miri)))]
            if x86::machine() != x86::Machine::Plain {
                prop_assert_eq!(unsafe { x86::container_avx2(&shifted, before) }, want);
            }
            let first = text.iter().position(|c| matches!(c, b'"' | b'\\')).unwrap_or(text.len());
            prop_assert_eq!(quote_or_backslash(&text, 0), first);
        }
    }
}
