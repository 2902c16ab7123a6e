//! Reading a path a segment at a time, eight bytes at a time: where it ends, its hash, and its first bytes as numbers.
#![allow(
    clippy::indexing_slicing,
    reason = "a hot loop; INVARIANT: `at` is a place in the path, and a segment is read no further than the path's end"
)]

/// A segment of a path: its bytes, their hash, its first 16 bytes, and where the next begins.
pub struct Part<'p> {
    pub bytes: &'p [u8],
    pub hash: u64,
    pub head: [u64; 2],
    /// None where this is the last.
    pub next: Option<usize>,
}

impl<'p> Part<'p> {
    /// The segment that begins at `at`.
    pub fn read(path: &'p [u8], at: usize, seed: u64) -> Self {
        let rest = &path[at..];
        let mut hash = seed;
        let mut head = [0u64; 2];
        let mut read = 0usize;
        loop {
            let (word, room) = word_at(rest, read);
            let slash = find_slash(word).min(room);
            let kept = if slash == 8 {
                word
            } else {
                word & ((1u64 << (8 * slash)) - 1)
            };
            match read {
                0 => head[0] = kept,
                8 => head[1] = kept,
                _ => {}
            }
            if slash > 0 || read == 0 {
                hash = mix(hash ^ kept);
            }
            read += slash;
            if slash < 8 {
                break;
            }
        }
        let next = (read < rest.len()).then_some(at + read + 1);
        Self {
            bytes: &rest[..read],
            hash: mix(hash ^ read as u64),
            head,
            next,
        }
    }
}

/// The next eight bytes of `rest` from `from` on, little end first, and how many of them there are.
pub fn word_at(rest: &[u8], from: usize) -> (u64, usize) {
    if let Some(bytes) = rest[from..].first_chunk::<8>() {
        return (u64::from_le_bytes(*bytes), 8);
    }
    let mut bytes = [0u8; 8];
    let left = &rest[from..];
    bytes[..left.len()].copy_from_slice(left);
    (u64::from_le_bytes(bytes), left.len())
}

/// The index of the first `/` among the eight bytes of `word`, or 8.
const fn find_slash(word: u64) -> usize {
    const LOW: u64 = 0x0101_0101_0101_0101;
    let differing = word ^ (LOW * b'/' as u64);
    let zeros = differing.wrapping_sub(LOW) & !differing & (LOW << 7);
    (zeros.trailing_zeros() / 8) as usize
}

const fn mix(value: u64) -> u64 {
    let wide = (value as u128) * 0x9e37_79b9_7f4a_7c15;
    (wide >> 64) as u64 ^ wide as u64
}

pub const fn spread(hash: u64, from: u32) -> usize {
    mix(hash ^ ((from as u64) << 32 | from as u64)) as usize
}
