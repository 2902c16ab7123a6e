//! What tells one log from another, whatever file it is in just now: the first bytes of its plain text.

use crate::ingest::{Stored, decoder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// Bytes that tell a log from others: audit entries carry an id and a time, so that no two logs begin alike.
const HEAD_BYTES: usize = 4096;

/// A file, whatever its name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

/// The beginning of a log's plain text, as a hash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How many bytes.
    pub bytes: usize,
    /// Their hash.
    pub hash: String,
    /// Whether it is enough to tell logs apart: a whole line, or as much as is ever looked at.
    pub telling: bool,
}

impl Head {
    /// Of the first bytes.
    pub fn of(text: &[u8]) -> Self {
        Self {
            bytes: text.len(),
            hash: hash(text),
            telling: text.len() >= HEAD_BYTES || text.contains(&b'\n'),
        }
    }

    /// Whether a text begins so.
    pub fn begins(&self, text: &[u8]) -> bool {
        text.get(..self.bytes).is_some_and(|t| hash(t) == self.hash)
    }
}

fn hash(text: &[u8]) -> String {
    let digest = Sha256::digest(text);
    digest.iter().take(16).map(|b| format!("{b:02x}")).collect()
}

/// The first bytes of the plain text of a file, and how it is stored. A compressed file that is still being written may
/// have none yet.
pub fn head_of(path: &Path) -> io::Result<(Vec<u8>, Stored)> {
    let file = File::open(path)?;
    let stored = stored(&file)?;
    let mut text = Vec::new();
    let mut plain = decoder(stored, &file)?.take(HEAD_BYTES as u64);
    match plain.read_to_end(&mut text) {
        Err(e) if stored == Stored::Plain => return Err(e),
        // A compressed file that ends too early is one that is being written: what came out of it is good.
        _ => {}
    }
    Ok((text, stored))
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

fn stored(file: &File) -> io::Result<Stored> {
    let mut head = [0; 4];
    let got = file.read_at(&mut head, 0)?;
    Ok(Stored::of(head.get(..got).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_logs_apart_once_it_holds_a_line() {
        let head = Head::of(b"{\"id\":1}\n{");
        assert!(head.telling && head.begins(b"{\"id\":1}\n{\"id\":2}\n"));
        assert!(!head.begins(b"{\"id\":2}\n{") && !head.begins(b"{\"id\":1}\n"));
        assert!(!Head::of(b"{\"id\"").telling);
    }
}
