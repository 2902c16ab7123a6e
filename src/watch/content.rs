//! What tells one log from another, whatever file it is in just now: how its plain text begins, and how it goes on just
//! before the point up to which it was read.

use crate::ingest::{Stored, decoder, not_followed};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};

/// Bytes of a beginning that are looked at: audit entries carry an id and a time, so that no two logs begin alike.
const HEAD_BYTES: usize = 4096;
/// Ends of lines within the beginning that are looked at.
const MOST_MARKS: usize = 64;
/// Bytes looked at before the point up to which a log was read.
pub const TRAIL_BYTES: usize = 1024;

/// A file, whatever its name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId {
    /// Device.
    pub device: u64,
    /// Inode.
    pub inode: u64,
}

impl FileId {
    /// Of a file that was looked at.
    pub fn of(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
        }
    }
}

/// So many bytes of a text, as a hash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    bytes: usize,
    hash: String,
}

/// The beginning of a log's plain text: a hash up to each end of a line in it, and up to the last byte that is ever looked
/// at. So a text that is shorter (a copy under way) can be compared with one of which the hashes alone are known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Head(Vec<Mark>);

/// How a file's text goes with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinship {
    /// It begins with all that is known of the log's beginning: so many marks.
    Same(usize),
    /// All its whole lines are in the log's beginning, which has more: a copy under way, or too little to tell. There is
    /// nothing in it yet that was not read.
    Part(usize),
    /// Another log.
    Other,
}

impl Head {
    /// Of the first bytes of a text. No mark before the end of the first line: half a line tells nothing.
    pub fn of(text: &[u8]) -> Self {
        let text = text.get(..HEAD_BYTES).unwrap_or(text);
        let mut ends: Vec<usize> = memchr::memchr_iter(b'\n', text)
            .take(MOST_MARKS)
            .map(|at| at + 1)
            .collect();
        if text.len() == HEAD_BYTES && ends.last() != Some(&HEAD_BYTES) {
            ends.push(HEAD_BYTES);
        }
        Self::with_marks(text, &ends)
    }

    /// Of a text that is known to be all there is: it may be one line without an end.
    pub fn whole(text: &[u8]) -> Self {
        let head = Self::of(text);
        if head.is_empty() && !text.is_empty() {
            return Self::with_marks(text, &[text.len()]);
        }
        head
    }

    fn with_marks(text: &[u8], ends: &[usize]) -> Self {
        let mut digest = Sha256::new();
        let mut from = 0;
        let marks = ends.iter().map(|end| {
            digest.update(text.get(from..*end).unwrap_or_default());
            from = *end;
            Mark {
                bytes: *end,
                hash: short(digest.clone()),
            }
        });
        Self(marks.collect())
    }

    /// Whether it tells nothing.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many marks it has.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// As it was when the text had so many bytes.
    #[must_use]
    pub fn up_to(&self, bytes: u64) -> Self {
        let marks = self.0.iter().take_while(|m| m.bytes as u64 <= bytes);
        Self(marks.cloned().collect())
    }

    /// How the beginning of a file goes with this one of a log.
    pub fn kinship(&self, file: &Self) -> Kinship {
        let common = self.0.iter().zip(&file.0).take_while(|(a, b)| a == b).count();
        if common == 0 {
            Kinship::Other
        } else if common == self.0.len() {
            Kinship::Same(common)
        } else if common == file.0.len() {
            Kinship::Part(common)
        } else {
            Kinship::Other
        }
    }
}

/// The last bytes before a point in a log's plain text, as a hash: whoever goes on there in another file makes sure that it
/// is the same text up to there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    /// Where they end.
    pub at: u64,
    /// How many.
    bytes: usize,
    hash: String,
}

impl Trail {
    /// Of the bytes that end at `at`.
    pub fn of(at: u64, text: &[u8]) -> Self {
        Self {
            at,
            bytes: text.len(),
            hash: hash(text),
        }
    }

    /// Where they begin.
    pub const fn from(&self) -> u64 {
        self.at.saturating_sub(self.bytes as u64)
    }

    /// Whether the bytes are these.
    pub fn is(&self, text: &[u8]) -> bool {
        text.len() == self.bytes && (text.is_empty() || hash(text) == self.hash)
    }

    /// Whether a plain file has them where they have to be. None where it is too short to tell.
    pub fn is_in(&self, file: &File) -> io::Result<Option<bool>> {
        let mut text = vec![0; self.bytes];
        Ok(match file.read_exact_at(&mut text, self.from()) {
            Ok(()) => Some(self.is(&text)),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(e) => return Err(e),
        })
    }
}

fn hash(text: &[u8]) -> String {
    short(Sha256::new_with_prefix(text))
}

fn short(digest: Sha256) -> String {
    digest.finalize().iter().take(16).map(|b| format!("{b:02x}")).collect()
}

/// What a file begins with and how it is stored.
///
/// # Errors
/// When it cannot be read, and when what it holds cannot be followed, packed or not: an archive, UTF-16.
pub fn look_into(file: &File) -> io::Result<(Head, Stored)> {
    let mut magic = [0; 4];
    let got = file.read_at(&mut magic, 0)?;
    let stored = Stored::of(magic.get(..got).unwrap_or_default());
    if stored == Stored::Plain {
        let text = plain_head(file)?;
        return followed(&text).map(|()| (Head::of(&text), stored));
    }
    let mut text = Vec::new();
    let mut plain = decoder(stored, file)?.take(HEAD_BYTES as u64);
    let whole = plain.read_to_end(&mut text);
    followed(&text)?;
    Ok(match whole {
        Ok(_) => (Head::whole(&text), stored),
        // A compressed file that ends too early is one that is being written: what came out of it is good.
        Err(_) => (Head::of(&text), stored),
    })
}

/// Refuses a text that has no lines to follow.
fn followed(text: &[u8]) -> io::Result<()> {
    match not_followed(text) {
        Some(why) => Err(io::Error::new(io::ErrorKind::Unsupported, why)),
        None => Ok(()),
    }
}

/// The first bytes of an open plain file.
pub fn plain_head(file: &File) -> io::Result<Vec<u8>> {
    let mut text = vec![0; HEAD_BYTES];
    let mut got = 0;
    while let Some(rest) = text.get_mut(got..).filter(|r| !r.is_empty()) {
        match file.read_at(rest, got as u64)? {
            0 => break,
            n => got += n,
        }
    }
    text.truncate(got);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_logs_apart_once_it_holds_a_line() {
        let log = Head::of(b"{\"id\":1}\n{\"id\":2}\n{\"id");
        let goes = |text: &[u8]| log.kinship(&Head::of(text));
        assert_eq!(goes(b"{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n"), Kinship::Same(2));
        assert_eq!(goes(b"{\"id\":1}\n{\"i"), Kinship::Part(1));
        assert_eq!(goes(b"{\"id\":1}\n{\"id\":4}\n"), Kinship::Other);
        assert_eq!(goes(b"{\"id\":4}\n"), Kinship::Other);
        assert!(Head::of(b"{\"id\"").is_empty());
        assert!(!Head::whole(b"{\"id\"").is_empty());
        assert_eq!(log.up_to(9), Head::of(b"{\"id\":1}\n"));
        assert!(log.up_to(8).is_empty());
    }

    #[test]
    fn a_long_line_is_told_by_its_first_bytes() {
        let long = [b'x'; 3 * HEAD_BYTES];
        let head = Head::of(&long);
        assert_eq!(head.len(), 1);
        assert_eq!(head.kinship(&Head::of(&long[..HEAD_BYTES])), Kinship::Same(1));
        assert!(Head::of(&long[..HEAD_BYTES - 1]).is_empty());
    }

    #[test]
    fn a_trail_is_found_where_it_was() {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, b"0123456789").unwrap();
        let trail = Trail::of(6, b"345");
        assert_eq!(trail.is_in(&file).unwrap(), Some(true));
        assert_eq!(Trail::of(7, b"345").is_in(&file).unwrap(), Some(false));
        assert_eq!(Trail::of(20, b"345").is_in(&file).unwrap(), None);
        assert_eq!(Trail::default().is_in(&file).unwrap(), Some(true));
    }
}
